"""A bridged gap without an open lumen may be an occlusion; a tight stenosis is none."""

import dataclasses

import numpy as np
import pytest

from ffr.flags import Flag, Place
from ffr.tracing.gaps import CLOSED_MM, possible_occlusions
from meshes.tree import CoronaryTree, VesselTree
from solvers.unreadable import presumed_open, unreadable


def vessel(throat_mm, sd_mm=0.08, side="left"):
    """LM of 20 mm and LAD, healthy 1.5 mm, narrowed from 34 to 40 mm."""
    n = 121
    s = np.arange(n) * 0.5
    radius = np.where((s > 34.0) & (s < 40.0), throat_mm, 1.5)
    points = np.stack([s, np.zeros(n), np.zeros(n)], axis=1)
    branch = np.where(np.arange(n) < 41, 0, 1)
    return CoronaryTree(
        VesselTree(points, radius, np.arange(n) - 1), side, np.full(n, sd_mm),
        np.full(n, 1.5), branch, ("LM", "LAD"), np.full(n, 6),
    )  # fmt: skip


def gap(x_mm=36.0, y_mm=0.2, side="left", name="gap-bridged"):
    return Flag(name, "a gap", Place(side, point_mm=(x_mm, y_mm, 0.0)))


def test_a_gap_without_an_open_lumen_is_a_possible_occlusion_as_long_as_it_is_narrow():
    (stretch,) = possible_occlusions(vessel(0.2), [gap()])
    assert (stretch.reason, stretch.vessel) == ("possible occlusion", "LAD")
    assert (stretch.from_mm, stretch.to_mm) == (34.5, 39.5)
    assert stretch.measured


def test_behind_it_is_no_ffr_and_the_flow_is_that_of_the_measured_lumen():
    c = vessel(0.2)
    c = dataclasses.replace(c, unreadable=possible_occlusions(c, [gap()]))
    assert np.flatnonzero(unreadable(c)).tolist() == list(range(69, 121))
    np.testing.assert_array_equal(presumed_open(c).tree.radius_mm, c.tree.radius_mm)


@pytest.mark.parametrize(("throat_mm", "found"), [(0.27, True), (0.30, False), (0.45, False)])
def test_a_throat_that_is_surely_open_is_a_stenosis(throat_mm, found):
    assert (throat_mm - 1.645 * 0.08 < CLOSED_MM) is found
    assert bool(possible_occlusions(vessel(throat_mm), [gap()])) is found


def test_the_less_sure_the_lumen_the_sooner_it_may_be_closed():
    assert not possible_occlusions(vessel(0.4), [gap()])
    assert possible_occlusions(vessel(0.4, sd_mm=0.2), [gap()])


def test_a_narrow_place_that_no_gap_led_over_keeps_its_ffr():
    elsewhere = [gap(55.0), gap(side="right"), gap(y_mm=9.0), gap(name="vessel-stump")]
    assert possible_occlusions(vessel(0.2), elsewhere) == ()


def test_two_gaps_in_one_narrow_stretch_are_one():
    assert len(possible_occlusions(vessel(0.2), [gap(35.0), gap(38.5)])) == 1


def test_a_vessel_that_stays_narrow_is_hidden_to_its_end():
    c = vessel(0.2)
    radius = np.where(np.arange(121) >= 70, 0.2, 1.5)
    c = dataclasses.replace(c, tree=dataclasses.replace(c.tree, radius_mm=radius))
    (stretch,) = possible_occlusions(c, [gap()])
    assert (stretch.from_mm, stretch.to_mm) == (35.0, 60.0)
