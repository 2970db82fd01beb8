"""An inlet that is a throat is fed from the aorta: FFR never rises behind it."""

import numpy as np
import pytest

from meshes.tree import VesselTree
from solvers.blood import Blood
from solvers.calibrated import calibrate
from solvers.errors import ConvergenceError, renumbered
from solvers.methods import METHODS, Method
from solvers.ostium import feeding_radius_mm
from solvers.steady import solve_prescribed, solve_steady

BLOOD = Blood()
S = np.linspace(0.0, 60.0, 121)


def tube(ratio, half_mm=5.0, at_mm=0.0):
    """1.6 mm wide but for a cosine lesion with its throat at one place."""
    bump = np.where(np.abs(S - at_mm) < half_mm, 1 + np.cos(np.pi * (S - at_mm) / half_mm), 0.0)
    radius = 1.6 * (1 - (1 - ratio) * 0.5 * bump)
    return VesselTree(np.column_stack([S, 0 * S, 0 * S]), radius, np.arange(121) - 1)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("ratio", [0.75, 0.5, 0.35])
def test_a_throat_at_the_inlet_costs_about_what_it_costs_further_down(name, ratio):
    solve = METHODS[name].with_flows
    ostial = solve(tube(ratio), 93.0, [120.0], BLOOD)
    assert ostial.pressure_mmhg[0] == 93.0
    assert ostial.pressure_mmhg[1:].max() < 93.0
    inside = solve(tube(ratio, at_mm=15.0), 93.0, [120.0], BLOOD)
    healthy = solve(tube(1.0), 93.0, [120.0], BLOOD).pressure_mmhg[-1]
    lost, expected = (healthy - x.pressure_mmhg[-1] for x in (ostial, inside))
    # half of the lesion is not there, and with it half of its friction
    assert 0.3 * expected - 0.6 < lost < 1.1 * expected + 0.6


@pytest.mark.parametrize("name", METHODS)
def test_the_pressure_makes_no_jump_where_an_inlet_becomes_a_throat(name):
    ffr = [
        METHODS[name].with_flows(tube(ratio), 93.0, [120.0], BLOOD).pressure_mmhg[-1] / 93.0
        for ratio in (0.82, 0.80, 0.79, 0.77)
    ]
    assert np.abs(np.diff(ffr)).max() < 0.004


@pytest.mark.parametrize(
    "radius_mm",
    [
        np.full(121, 1.6), 1.8 - 0.01 * S, 1.4 + 0.3 * (S > 4),
        1.5 + 1.0 * np.exp(-(((S - 25) / 5) ** 2)), np.where(S < 8, 2.4, 1.6),
        np.where(np.abs(S - 5) < 2, 0.8, 1.6),
    ],
    ids=["even", "taper", "a little narrow", "ectasia", "funnel", "lesion near the inlet"],
)  # fmt: skip
def test_an_ordinary_inlet_is_left_alone(radius_mm):
    tree = VesselTree(np.column_stack([S, 0 * S, 0 * S]), radius_mm, np.arange(121) - 1)
    assert feeding_radius_mm(tree) == tree.radius_mm[0]
    mine = METHODS["lumped"].with_flows(tree, 93.0, [100.0], BLOOD)
    assert np.array_equal(
        mine.pressure_mmhg, solve_prescribed(tree, 93.0, [100.0], BLOOD).pressure_mmhg
    )


def test_an_inlet_that_is_a_bifurcation_is_left_alone():
    points = [[0, 0, 0], [5, 5, 0], [10, 10, 0], [5, -5, 0], [10, -10, 0]]
    fork = VesselTree(points, [0.8, 1.6, 1.6, 1.6, 1.6], [-1, 0, 1, 0, 3])
    assert feeding_radius_mm(fork) == 0.8


@pytest.mark.parametrize("name", METHODS)
def test_beds_behind_a_throat_at_the_inlet_get_the_flow_that_their_pressure_drives(name):
    tree = tube(0.45)
    solution = METHODS[name].with_beds(tree, 93.0, [0.6], 5.0, BLOOD)
    driven = (solution.pressure_mmhg[-1] - 5.0) / 0.6
    assert solution.flow_ml_min[-1] == pytest.approx(driven, rel=1e-4)
    assert solution.flow_ml_min.size == len(tree)


def test_the_calibrated_network_repeats_an_ostial_stenosis():
    tree = tube(0.45)
    solution = METHODS["resolved"].with_beds(tree, 93.0, [0.6], 5.0, BLOOD)
    network = calibrate(tree, solution, BLOOD)
    again = solve_steady(tree, 93.0, [0.6], 5.0, BLOOD, closure=network.closure)
    assert again.pressure_mmhg == pytest.approx(solution.pressure_mmhg, abs=1e-3)


def test_points_in_errors_have_the_numbers_of_the_tree():
    def failing(tree, *_, **__):
        raise ConvergenceError("the vessel that ends at point {}", len(tree) - 1)

    with pytest.raises(ConvergenceError, match=r"the vessel that ends at point 120$"):
        Method(failing, failing).with_flows(tube(0.5), 93.0, [2500.0], BLOOD)


def test_renumbering_changes_points_and_nothing_else():
    text = "3 mmHg left on the way to outlet {}; check point {} (radius 4 mm)"
    told = r"3 mmHg .* outlet 112; check point 103 \(radius 4 mm\)"
    with pytest.raises(ConvergenceError, match=told), renumbered(lambda point: 100 + point):
        raise ConvergenceError(text, 12, 3)
