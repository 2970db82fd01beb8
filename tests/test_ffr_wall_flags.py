"""Heavy calcium and stents are said, with their place."""

import numpy as np
import pytest

from ffr.tracing.stents import Stent
from ffr.tracing.wall_flags import unreadable_stents, wall_flags
from meshes.tree import CoronaryTree, VesselTree


def vessel(radius=1.2):
    n = 101
    points = np.stack([np.arange(n) * 0.5, np.zeros(n), np.zeros(n)], axis=1)
    tree = VesselTree(points, np.full(n, radius), np.arange(n) - 1)
    branch = np.where(np.arange(n) < 21, 0, 1)
    names = ("LM", "LAD")
    return CoronaryTree(
        tree, "left", np.full(n, 0.1), np.full(n, 1.5), branch, names, np.full(n, 5)
    )


def stent(diameter_mm):
    return Stent("LAD", 31, 60, 15.5, 30.0, diameter_mm)


def test_a_clean_vessel_has_no_flags():
    assert wall_flags(vessel(), np.full(101, 170.0), ()) == ()


def test_heavy_calcium_is_flagged_where_it_is():
    arc = np.zeros(101)
    arc[41:51] = 250.0  # 20 to 25 mm along, the LAD begins at 10.5 mm
    (flag,) = wall_flags(vessel(), arc, ())
    assert flag.name == "calcium-heavy"
    assert "LAD, 10 to 14 mm" in flag.message
    arc[43:] = 0.0  # too short
    assert wall_flags(vessel(), arc, ()) == ()


def test_a_narrow_stent_is_not_analysable_and_a_wide_one_uncertain():
    (narrow,) = wall_flags(vessel(), np.zeros(101), (stent(2.44),))
    assert "2.4 mm" in narrow.message
    assert "not analysable" in narrow.message
    assert (narrow.name, narrow.place.vessel) == ("stent-narrow", "LAD")
    assert narrow.place.position_mm == pytest.approx(15.5)
    (wide,) = wall_flags(vessel(), np.zeros(101), (stent(3.4),))
    assert wide.name == "stent"
    assert "not analysable" not in wide.message
    assert "LAD, 5 to 20 mm" in wide.message


def test_the_metal_of_a_stent_is_not_told_as_calcium():
    arc = np.zeros(101)
    arc[30:62] = 360.0
    arc[80:90] = 250.0
    names = [flag.name for flag in wall_flags(vessel(), arc, (stent(3.4),))]
    assert names == ["calcium-heavy", "stent"]
    places = [f.place.position_mm for f in wall_flags(vessel(), arc, (stent(3.4),))]
    assert places == pytest.approx([40.0, 15.5])


def test_a_narrow_stent_is_a_stretch_without_ffr_and_a_wide_one_is_not():
    (stretch,) = unreadable_stents((stent(2.44), stent(3.4)))
    assert (stretch.reason, stretch.vessel) == ("stent of 2.4 mm", "LAD")
    assert (stretch.from_mm, stretch.to_mm) == (15.5, 30.0)
    # as printed, 3.0 mm is not under 3 mm
    assert unreadable_stents((stent(2.96),)) == ()
    assert len(unreadable_stents((stent(2.94),))) == 1
