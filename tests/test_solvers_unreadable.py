"""Stretches whose lumen nobody can see: no FFR behind them, an open lumen for the flow."""

import dataclasses

import numpy as np
import pytest
from test_solvers_occlusion import fork

from meshes.errors import GeometryError
from meshes.tree import CoronaryTree, Unreadable
from solvers.unreadable import cause, presumed_open, unmeasured, unreadable, within

STENT = Unreadable("stent of 2.5 mm", "LAD", 28.0, 33.0)


def tree(*stretches, radius_mm=0.6):
    """A trunk of 20 mm, LAD (points 21 to 40) and LCx (41 to 60)."""
    shape = fork()
    radius = np.array(shape.radius_mm)
    radius[25:32] = radius_mm
    n = len(radius)
    branch = np.r_[np.zeros(21), np.ones(20), np.full(20, 2)].astype(int)
    return CoronaryTree(
        dataclasses.replace(shape, radius_mm=radius), "left", np.full(n, 0.1), np.full(n, 1.4),
        branch, ("LM", "LAD", "LCx"), np.full(n, 6), unreadable=stretches,
    )  # fmt: skip


def test_all_behind_the_beginning_is_hidden_and_nothing_else():
    c = tree(STENT)
    assert np.flatnonzero(within(c)).tolist() == [28, 29, 30, 31, 32, 33]
    assert np.flatnonzero(unreadable(c)).tolist() == list(range(28, 41))


def test_a_stretch_before_a_bifurcation_hides_the_daughters():
    c = tree(Unreadable("stent of 2.8 mm", "LM", 15.0, 19.0))
    assert unreadable(c)[15:].all()
    assert not unreadable(c)[:15].any()
    assert cause(c, [50]) == "not analysable: behind a stent of 2.8 mm in the LM"


def test_the_cause_is_the_first_stretch_on_the_way():
    c = tree(STENT, Unreadable("motion", "LAD", 37.0, 38.0))
    assert cause(c, [5, 60]) is None
    assert cause(c, [5, 30]) == "not analysable: stent of 2.5 mm"
    assert cause(c, [38]) == "not analysable: behind a stent of 2.5 mm in the LAD"
    assert cause(tree(STENT, Unreadable("motion", "LCx", 25.0, 26.0)), [45]).endswith("motion")


def test_for_the_flow_the_stretch_is_as_wide_as_healthy_and_the_rest_as_measured():
    c = tree(STENT)
    wide, inside = presumed_open(c), within(c)
    assert wide.tree.radius_mm[inside] == pytest.approx(1.4)
    np.testing.assert_array_equal(wide.tree.radius_mm[~inside], c.tree.radius_mm[~inside])
    assert presumed_open(tree()).tree.radius_mm[28] == pytest.approx(0.6)


def test_a_stretch_of_no_vessel_is_refused():
    with pytest.raises(GeometryError, match="of the RCA from 3 to 5 mm, the vessels are LM"):
        tree(Unreadable("stent of 2.5 mm", "RCA", 3.0, 5.0))
    with pytest.raises(GeometryError, match="from 5 to 3 mm"):
        tree(Unreadable("stent of 2.5 mm", "LAD", 5.0, 3.0))


def test_a_measured_stretch_keeps_its_width_for_the_flow_and_has_no_pressure_behind_it():
    c = tree(dataclasses.replace(STENT, reason="possible occlusion", measured=True))
    np.testing.assert_array_equal(presumed_open(c).tree.radius_mm, c.tree.radius_mm)
    assert unreadable(c)[28:41].all()
    assert not unmeasured(c).any()
