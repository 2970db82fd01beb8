"""Trees that end too early, miss a vessel or break: each failure with its name and place."""

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from ffr.flags import Flag, Place
from ffr.phantom.patient import virtual_patient
from ffr.results.cad_rads import UNREADABLE
from ffr.results.stage_data import flags_as_json, flags_from_json
from ffr.tracing.ends import check_trees
from meshes.arrays import floats
from meshes.tree import CoronaryTree, VesselTree, path_length_mm, sections

SEED = 104


@pytest.fixture(scope="module")
def patient():
    return virtual_patient(SEED, 0.0)


def kept(c, keep):
    """The tree without the points that `keep` leaves out, and all that follows them."""
    keep = np.array(keep)
    for i in range(1, len(c.tree)):
        keep[i] &= keep[c.tree.parent[i]]
    number = np.cumsum(keep) - 1
    parent = c.tree.parent[keep]
    parent = np.where(parent < 0, -1, number[parent])
    tree = VesselTree(c.tree.points_mm[keep], c.tree.radius_mm[keep], parent)
    branch = c.branch[keep]
    present = np.unique(branch)
    return CoronaryTree(
        tree, c.side, c.radius_sd_mm[keep], c.reference_radius_mm[keep],
        np.searchsorted(present, branch), tuple(c.names[k] for k in present), c.segment[keep],
    )  # fmt: skip


def of(c, name):
    return c.branch == c.names.index(name)


def cut_off(c, name, at_mm):
    """The tree with a vessel that ends at a distance from the ostium."""
    return kept(c, ~(of(c, name) & (path_length_mm(c.tree) > at_mm)))


def test_whole_trees_have_no_flag(patient):
    assert check_trees((patient.left, patient.right)) == ()


@pytest.mark.parametrize(("side", "name"), [("left", "LAD"), ("left", "LCx"), ("right", "RCA")])
def test_a_main_vessel_cut_short_is_a_stump_with_its_place(patient, side, name):
    c = getattr(patient, side)
    at = float(path_length_mm(c.tree)[of(c, name)].min()) + 15.0
    (flag,) = [x for x in check_trees((cut_off(c, name, at),)) if x.place.vessel == name]
    assert flag.name == "vessel-stump"
    assert flag.place.side == side
    assert flag.place.position_mm == pytest.approx(at, abs=0.6)
    end = c.tree.points_mm[of(c, name) & (path_length_mm(c.tree) <= at)][-1]
    assert flag.place.point_mm == pytest.approx(tuple(end))
    assert f"the {name} ends {flag.place.position_mm:.0f} mm from the {side}" in flag.message
    assert not re.search("scan|image", flag.message)  # true of masks too


@pytest.mark.parametrize("name", ["LAD", "LCx"])
def test_a_missing_main_vessel_is_told_where_it_should_begin(patient, name):
    found = check_trees((kept(patient.left, ~of(patient.left, name)),))
    (flag,) = [x for x in found if x.name == "vessel-missing"]
    assert flag.place.vessel == name
    assert not re.search("scan|image", flag.message)  # true of masks too
    trunk = patient.left.tree.points_mm[of(patient.left, "LM")][-1]
    assert flag.place.point_mm == pytest.approx(tuple(trunk))


def test_a_closed_lumen_is_told_once(patient):
    c = patient.right
    s = path_length_mm(c.tree)
    shut = of(c, "RCA") & (s > 30.0) & (s < 36.0)
    tree = VesselTree(c.tree.points_mm, np.where(shut, 0.001, c.tree.radius_mm), c.tree.parent)
    (flag,) = check_trees((replace(c, tree=tree),))
    assert flag.name == "vessel-occluded"
    assert flag.place.position_mm == pytest.approx(30.0, abs=0.6)


def test_a_bridged_gap_gets_vessel_segment_and_distance(patient):
    c = patient.right
    point = int(np.flatnonzero(of(c, "RCA"))[80])
    middle = tuple(float(x) for x in c.tree.points_mm[point] + [0.5, 0.0, 0.0])
    gap = Flag("gap-bridged", "a gap", Place("right", point_mm=middle))
    (flag,) = check_trees((c, patient.left), (gap,))
    assert flag.place.vessel == "RCA"
    assert flag.place.segment == c.segment[point]
    assert flag.place.position_mm == pytest.approx(path_length_mm(c.tree)[point], abs=1.1)
    assert flag.place.point_mm == middle
    far = replace(gap, place=Place("right", point_mm=(500.0, 0.0, 0.0)))
    assert check_trees((c,), (far,)) == (far,)


def shifted(c, height_mm, step_mm):
    """What a tracer makes of a scan whose slabs above a height are displaced."""
    points = np.array(c.tree.points_mm)
    points[points[:, 2] > height_mm, :2] += np.array([0.8, 0.6]) * step_mm
    for run in sections(c.tree):
        smooth = gaussian_filter1d(points[run], 2.0, axis=0, mode="nearest")
        points[run[1:-1]] = smooth[1:-1]
    tree = VesselTree(floats(points), c.tree.radius_mm, c.tree.parent)
    return replace(c, tree=tree)


def test_a_displaced_slab_breaks_several_vessels_at_one_height(patient):
    trees = (patient.left, patient.right)
    middle = np.median(np.concatenate([c.tree.points_mm[:, 2] for c in trees]))
    found = check_trees([shifted(c, middle, 2.5) for c in trees])
    broken = [x for x in found if x.name == "vessels-broken"]
    assert len({(x.place.side, x.place.vessel) for x in broken}) >= 2
    for flag in broken:
        assert flag.place.point_mm[2] == pytest.approx(middle, abs=3.0)
        assert "table height" in flag.message
    assert check_trees([shifted(c, middle, 0.0) for c in trees]) == ()


def test_ends_at_one_height_are_told_together(patient):
    height = 0.0
    ends = []
    for c, name in ((patient.left, "LAD"), (patient.right, "RCA")):
        s = path_length_mm(c.tree)
        first = float(s[of(c, name)].min())
        ends.append(cut_off(c, name, first + 15.0))
        if c.side == "left":
            height = ends[0].tree.points_mm[of(ends[0], name)][-1][2]
    last = ends[1].tree.points_mm[of(ends[1], "RCA")][-1][2]
    up = np.array([0.0, 0.0, height - last])
    moved = replace(
        ends[1],
        tree=VesselTree(
            ends[1].tree.points_mm + up, ends[1].tree.radius_mm, ends[1].tree.parent
        ),
    )
    names = [(x.name, x.place.vessel) for x in check_trees((ends[0], moved))]
    assert ("vessels-broken", "LAD") in names
    assert ("vessels-broken", "RCA") in names
    apart = [x.name for x in check_trees(ends)]
    assert "vessels-broken" not in apart


def test_places_survive_the_stage_files(patient):
    flags = (*check_trees((cut_off(patient.right, "RCA", 15.0),)), Flag("noise-strong", "much"))
    assert flags[0].place is not None
    assert flags_from_json(flags_as_json(flags)) == flags


def test_what_is_flagged_here_counts_as_not_read():
    assert {"vessel-missing", "vessel-stump", "gap-bridged", "vessels-broken"} <= set(
        UNREADABLE
    )
