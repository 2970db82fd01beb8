"""Closed lumens: nothing flows behind them, and nobody is told a number there."""

import numpy as np
import pytest

from meshes.errors import GeometryError
from meshes.tree import VesselTree, outlets
from solvers.blood import Blood
from solvers.methods import METHODS
from solvers.occlusion import closed_beds, occluded, opened

BLOOD = Blood()


def fork(narrow_mm=1.2):
    """A trunk with two daughters; the first has one point of another radius."""
    s = np.arange(1, 21.0)
    trunk = np.column_stack([s, 0 * s, 0 * s])
    limbs = [trunk[-1] + np.outer(s, [0.8, side, 0]) for side in (0.6, -0.6)]
    points = np.vstack([[[0.0, 0, 0]], trunk, *limbs])
    radius = np.r_[np.full(21, 1.5), np.full(40, 1.2)]
    radius[30] = narrow_mm
    parent = np.r_[np.arange(-1, 40), 20, np.arange(41, 60)]
    return VesselTree(points, radius, parent)


@pytest.mark.parametrize("name", ["resolved", "lumped"])
def test_behind_an_occlusion_nothing_flows_and_pressure_is_not_a_number(name):
    tree = fork(0.001)
    shut, (first, second) = occluded(tree), outlets(tree)
    assert shut.sum() == 11
    assert shut[30:41].all()
    solution = METHODS[name].with_beds(tree, 93.0, [1.0, 1.0], 5.0, BLOOD)
    assert np.isnan(solution.pressure_mmhg[shut]).all()
    assert not np.isnan(solution.pressure_mmhg[~shut]).any()
    assert solution.flow_ml_min[first] == 0.0
    assert solution.flow_ml_min[second] == pytest.approx(solution.flow_ml_min[0])
    # the stump before it has the pressure of the bifurcation, or its head
    low, high = solution.pressure_mmhg[20], solution.total_pressure_mmhg[20]
    assert low - 0.01 <= solution.pressure_mmhg[29] <= high + 0.01


@pytest.mark.parametrize("name", ["resolved", "lumped"])
def test_a_wholly_closed_tree_has_the_inlet_pressure_up_to_the_occlusion(name):
    s = np.arange(10.0)
    radius = np.full(10, 1.5)
    radius[5] = 0.01
    tree = VesselTree(np.column_stack([s, 0 * s, 0 * s]), radius, np.arange(-1, 9))
    solution = METHODS[name].with_beds(tree, 93.0, [1.0], 5.0, BLOOD)
    assert solution.pressure_mmhg[:5] == pytest.approx(93.0)
    assert np.isnan(solution.pressure_mmhg[5:]).all()
    assert not solution.flow_ml_min.any()


def test_an_opened_tree_has_the_same_flow_where_its_beds_are_closed():
    tree = fork(0.001)
    assert not occluded(opened(tree)).any()
    assert opened(tree).radius_mm[30:41] == pytest.approx(tree.radius_mm[29])
    beds = closed_beds(tree, [1.0, 1.0])
    assert beds.tolist() == [np.inf, 1.0]
    shut = METHODS["lumped"].with_beds(tree, 93.0, [1.0, 1.0], 5.0, BLOOD)
    wide = METHODS["lumped"].with_beds(opened(tree), 93.0, beds, 5.0, BLOOD)
    assert wide.flow_ml_min == pytest.approx(shut.flow_ml_min, abs=1e-9)


def test_an_open_tree_is_solved_as_it_is():
    tree = fork()
    assert not occluded(tree).any()
    one = METHODS["lumped"].with_beds(tree, 93.0, [1.0, 1.0], 5.0, BLOOD)
    assert np.isfinite(one.pressure_mmhg).all()


def test_a_flow_behind_an_occlusion_is_refused():
    with pytest.raises(ValueError, match="outlet at point 40 lies behind an occlusion"):
        METHODS["resolved"].with_flows(fork(0.001), 93.0, [10.0, 20.0], BLOOD)
    kept = METHODS["resolved"].with_flows(fork(0.001), 93.0, [0.0, 20.0], BLOOD)
    assert kept.flow_ml_min[0] == pytest.approx(20.0)


def test_a_radius_of_zero_is_an_error_that_says_how_to_give_an_occlusion():
    with pytest.raises(GeometryError, match=r"is 0, must be positive; give an occlusion"):
        fork(0.0)


@pytest.mark.parametrize("name", ["resolved", "lumped"])
def test_a_closed_inlet_is_an_error_that_asks_for_the_unit(name):
    tree = fork()
    metres = VesselTree(tree.points_mm * 1e-3, tree.radius_mm * 1e-3, tree.parent)
    with pytest.raises(GeometryError, match=r"inlet has a radius of 0\.0015 mm.* in mm"):
        METHODS[name].with_beds(metres, 93.0, [1.0, 1.0], 5.0, BLOOD)
    with pytest.raises(GeometryError, match="the inlet has a radius"):
        METHODS[name].with_flows(metres, 93.0, [0.0, 0.0], BLOOD)
