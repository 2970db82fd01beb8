"""Found trees beside true ones: every number against an answer known by construction."""

import dataclasses
import math

import numpy as np
import pytest
from validation_trees import forked, narrowed, straight

from ffr.anatomy import Vessel
from ffr.phantom.coronaries import Calcium
from ffr.pipeline import Findings
from meshes.stenosis import find_lesions
from meshes.volume import Volume, axis_aligned_grid, ijk_to_points_mm
from validation.agreement import (
    beside_fork,
    compare,
    cut,
    dice,
    limits_of_agreement,
    on_vessel,
    pairs,
)
from validation.segmentation_calcium import calcium_arc_deg
from validation.segmentation_lesions import (
    Truth,
    Ways,
    false_lesions,
    links,
    read_percent,
    reported_percent,
    stenoses,
)
from validation.segmentation_rivals import rival_radii_mm, with_rival_radii
from validation.segmentation_transfer import of_side, partner, with_radii


def overlap(course):
    both = course.covered_mm + course.right_mm
    return both / (course.true_mm + course.right_mm + course.false_mm)


def test_pieces_have_the_length_and_radius_of_the_tree():
    tapered = straight(40.0, np.linspace(2.0, 1.0, 81))
    pieces = cut([forked(), tapered])
    assert pieces.length_mm.sum() == pytest.approx(80.0)
    assert pieces.length_mm.max() <= 0.1 + 1e-9
    along = pieces.points_mm[-400:, 0]
    assert pieces.radius_mm[-400:] == pytest.approx(2.0 - along / 40.0)
    assert pieces.healthy_mm[-400:] == pytest.approx(2.0)
    assert pieces.length_mm[pieces.name == "LAD"].sum() == pytest.approx(10.0 + 40.0)
    assert pieces.point[-1] == 81 + 80  # numbered through both trees


def test_the_truth_agrees_with_itself():
    same = compare([forked()], [forked()])
    assert overlap(same) == pytest.approx(1.0)
    assert same.true_mm == same.covered_mm == same.right_mm == pytest.approx(40.0)
    assert same.named_mm == pytest.approx(40.0)
    assert same.distance_mm2 == pytest.approx(0.0, abs=1e-9)
    assert (same.missed_mm, same.falsely_found_mm, same.false_mm) == ((), (), 0)


def test_a_centreline_that_is_shifted_is_that_far_away():
    course = compare([straight(offset_mm=0.3)], [straight()])
    assert overlap(course) == pytest.approx(1.0)
    mean = course.distance_mm2 / (course.covered_mm + course.right_mm)
    assert mean == pytest.approx(0.3, abs=1e-3)


@pytest.mark.parametrize(("radius_mm", "edge_mm"), [(1.5, 1.5), (0.6, 0.75)])
def test_a_place_is_on_a_vessel_within_its_radius_and_at_least_that_of_the_thinnest(
    radius_mm, edge_mm
):
    for off, false in ((edge_mm - 0.05, 0), (edge_mm + 0.05, 40)):
        course = compare([straight(offset_mm=off)], [straight(radius_mm=radius_mm)])
        assert course.false_mm == pytest.approx(false)


def test_a_missing_branch_costs_its_length():
    branch = straight(30.0, 1.0, "D1", offset_mm=20.0)
    course = compare([straight(radius_mm=1.6)], [straight(radius_mm=1.6), branch])
    assert overlap(course) == pytest.approx((40 + 40) / (70 + 40))
    assert course.missed_mm == (("D1", pytest.approx(30.0)),)
    assert course.true_by_width_mm == pytest.approx((0, 30, 40))
    assert course.covered_by_width_mm == pytest.approx((0, 0, 40))


def test_a_false_branch_costs_its_length():
    branch = straight(10.0, 1.0, "D1", offset_mm=20.0)
    course = compare([straight(), branch], [straight()])
    assert overlap(course) == pytest.approx((40 + 40) / (40 + 40 + 10))
    assert (course.found_mm, course.false_mm) == pytest.approx((50.0, 10.0))
    assert course.falsely_found_mm == (("D1", pytest.approx(10.0)),)


def test_half_a_vessel_is_half_covered_and_none_of_it_false():
    course = compare([straight(20.0)], [straight(40.0)])
    assert course.covered_mm == pytest.approx(21.5, abs=0.11)  # its end reaches 1.5 mm on
    assert course.false_mm == 0
    assert compare([straight(60.0)], [straight()]).false_mm == pytest.approx(18.5, abs=0.11)


def test_vessels_too_thin_to_judge_are_neither_asked_for_nor_false():
    thin = straight(30.0, 0.7, "D1", offset_mm=20.0)
    course = compare([straight(), thin], [straight(), thin])
    assert course.true_mm == course.right_mm == pytest.approx(40.0)
    assert course.found_mm == pytest.approx(70.0)
    assert course.false_mm == 0


def test_a_stenosis_of_a_wide_vessel_is_asked_for():
    tight = narrowed(20.0, 80.0)
    assert compare([], [tight]).true_mm == pytest.approx(60.0)
    beside = dataclasses.replace(tight)
    assert compare([beside], [tight]).covered_mm == pytest.approx(60.0)


def test_a_point_in_a_wide_vessel_is_on_it_though_a_thin_one_is_nearer():
    wide, thin = straight(radius_mm=2.0), straight(radius_mm=0.8, offset_mm=2.5)
    samples = cut([wide, thin])
    place = np.array([[20.0, 1.6, 0.0], [20.0, 1.6, 1.0], [20.0, 0.0, 2.1], [20.0, 4.2, 0.0]])
    told = on_vessel(place, samples, np.ones(len(samples.length_mm), bool))
    assert told.tolist() == [True, True, False, False]
    assert not on_vessel(place, samples, samples.radius_mm < 1.0).any()


def test_a_wrong_name_costs_its_length():
    course = compare([forked(("LM", "D1", "LCx"))], [forked()])
    assert course.right_mm == pytest.approx(40.0)
    assert course.named_mm == pytest.approx(30.0, abs=0.4)  # by the carina either is near


def test_without_found_trees_everything_is_missed():
    course = compare([], [straight()])
    assert (course.true_mm, course.covered_mm, course.found_mm) == (pytest.approx(40.0), 0, 0)
    assert course.missed_mm == (("LAD", pytest.approx(40.0)),)


def test_beside_a_fork_sections_show_two_vessels():
    points = np.array([[10.0, 1.7, 0], [10.0, 1.9, 0], [1.0, 0, 0]])
    assert beside_fork(points, [forked()]).tolist() == [True, False, False]


def test_limits_of_agreement_are_those_of_bland_and_altman():
    bias, sd, low, high = limits_of_agreement(np.array([0.1, 0.3, -0.1, 0.1]))
    assert bias == pytest.approx(0.1)
    assert sd == pytest.approx(math.sqrt(0.08 / 3))
    assert (low, high) == pytest.approx((0.1 - 1.96 * sd, 0.1 + 1.96 * sd))
    assert np.isnan(limits_of_agreement(np.array([0.1]))).all()


def test_dice_of_known_masks():
    a, b = np.zeros((2, 4), bool), np.zeros((2, 4), bool)
    assert math.isnan(dice(a, b))
    a[0, :3], b[0, 1:4] = True, True
    assert dice(a, b) == pytest.approx(2 * 2 / 6)


def test_pairs_are_one_to_one_and_the_nearest_goes_first():
    found = np.array([[1.0, 0, 0], [0.2, 0, 0], [30, 0, 0]])
    true = np.array([[0.0, 0, 0], [2.0, 0, 0], [50, 0, 0]])
    assert pairs(found, true, 5.0) == [(1, 0), (0, 1)]
    assert pairs(found[:0], true, 5.0) == []


def test_at_a_division_each_vessel_gets_the_radii_of_its_own():
    true = forked(radii=(1.2, 1.0, 0.9))
    found = forked(radii=(1.3, 1.1, 0.7))
    link = partner(found, true)
    assert link.reached.all()
    moved = with_radii(true, link, found.tree.radius_mm).tree.radius_mm
    assert moved == pytest.approx(found.tree.radius_mm)


def test_a_trunk_that_divides_too_early_gets_the_radii_of_the_longest_way():
    true, found = forked(turn=0.4), forked(radii=(1.3, 1.1, 0.7), turn=0.4)
    points = found.tree.points_mm - [1.5, 0.3, 0.0]  # now the shorter daughter is nearer
    found = dataclasses.replace(found, tree=dataclasses.replace(found.tree, points_mm=points))
    moved = with_radii(true, partner(found, true), found.tree.radius_mm).tree
    assert moved.radius_mm[19:21] == pytest.approx(0.7)
    assert moved.radius_mm[:17] == pytest.approx(1.3)


def test_radii_move_between_trees_cut_otherwise():
    true = straight(40.0, 1.5)
    x = np.arange(0.0, 40.0, 0.7)
    tree = dataclasses.replace(
        straight(0.7 * (len(x) - 1) / 1.4).tree,
        points_mm=np.column_stack([x, np.full(len(x), 0.2), 0 * x]),
        radius_mm=1.0 + x / 40, parent=np.arange(len(x)) - 1,
    )  # fmt: skip
    n = len(x)
    found = dataclasses.replace(
        true, tree=tree, radius_sd_mm=np.ones(n), reference_radius_mm=np.ones(n),
        branch=np.zeros(n), segment=np.zeros(n),
    )  # fmt: skip
    moved = with_radii(true, partner(found, true), tree.radius_mm).tree.radius_mm
    assert moved[:-2] == pytest.approx(1.0 + true.tree.points_mm[:-2, 0] / 40, abs=3e-3)


def test_what_was_not_found_keeps_its_true_radius():
    true = forked(radii=(1.2, 1.0, 0.9))
    found = straight(10.0, 1.4, "LM")  # neither daughter
    link = partner(found, true)
    moved = with_radii(true, link, found.tree.radius_mm)
    far = np.linalg.norm(true.tree.points_mm - [10, 0, 0], axis=1) > 1.3
    daughters = far & (true.branch > 0)
    assert not link.reached[daughters].any()
    assert moved.tree.radius_mm[daughters] == pytest.approx(true.tree.radius_mm[daughters])
    assert moved.tree.radius_mm[:21] == pytest.approx(1.4)
    assert not partner(None, true).reached.any()


def test_trees_are_found_by_their_side():
    trees = [straight(side="right"), straight(side="left")]
    assert (of_side(trees, "left"), of_side(trees[:1], "left")) == (1, None)


def test_the_arc_of_calcium_is_that_of_the_deposit():
    vessel = straight(40.0, 1.5).tree
    angle = np.radians(np.linspace(-60, 60, 13))
    ring = np.column_stack([np.full(13, 20.0), 1.8 * np.cos(angle), 1.8 * np.sin(angle)])
    deposit = Calcium(ring[:-1], ring[1:], np.full(12, 0.1), np.full(12, 900.0))
    arc = calcium_arc_deg(vessel, [deposit])
    at = vessel.points_mm[:, 0]
    assert arc[at == 20.0] == pytest.approx(120.0, abs=15.0)  # rays are 7.5 degrees apart
    assert arc[np.abs(at - 20.0) <= 1.0].min() > 100
    assert not arc[np.abs(at - 20.0) > 1.6].any()
    assert not calcium_arc_deg(vessel, []).any()


def disc_scan(radius_mm=1.5):
    """A bright rod along x in fat, 0.25 mm voxels, and the label map of a wider one."""
    grid = axis_aligned_grid((100, 60, 60), 0.25, (0.0, -7.375, -7.375))
    k, j, i = np.indices((60, 60, 100))
    place = ijk_to_points_mm(grid, np.stack([i, j, k], axis=-1).reshape(-1, 3))
    off = np.hypot(place[:, 1], place[:, 2]).reshape(60, 60, 100)
    hu = np.clip((radius_mm - off) / 0.25 + 0.5, 0, 1) * 500.0 - 100.0  # partial volume
    labels = np.where(off < radius_mm + 0.4, np.uint8(Vessel.LUMEN), np.uint8(0))
    return Volume(grid, hu.astype(np.float32)), Volume(grid, labels)


def test_plain_edges_and_a_plain_mask_measure_a_rod():
    volume, labels = disc_scan()
    tree = straight(20.0, 1.0).tree
    edge, mask = rival_radii_mm(volume, labels, 400.0, tree)
    middle = slice(6, -2)
    assert edge[middle] == pytest.approx(1.5, abs=0.1)
    assert mask[middle] == pytest.approx(1.9, abs=0.1)
    assert edge[0] == mask[0] == 1.0  # at the aorta the product's radius is kept


def test_rivals_have_a_healthy_width_of_their_own():
    found = straight(60.0, 1.5)
    (rival,) = with_rival_radii([found], [narrowed().tree.radius_mm * 1.2])
    assert rival.reference_radius_mm == pytest.approx(1.8, abs=0.1)


def findings(tree, ffr_beyond):
    lesions = find_lesions(tree.tree, tree.reference_radius_mm)
    ffr = np.where(np.arange(len(tree.tree)) > lesions[0].throat, ffr_beyond, 1.0)
    at = lesions[0].throat + 40
    return Findings((ffr,), (np.ones(len(ffr), bool),), (lesions,), (((at, 20.0),),))


def truth_of(true, found, arc=None):
    arc = np.zeros(len(true.tree)) if arc is None else arc
    exact = findings(true, 0.75)
    return Truth((true,), exact, (arc,), links([found], [true]))


def row(found, found_ffr=0.85):
    true = narrowed(20.0, 60.0)
    ours = findings(found, found_ffr)
    wide = dataclasses.replace(
        found, tree=dataclasses.replace(found.tree, radius_mm=np.full(len(found.tree), 1.5))
    )
    arc = np.zeros(len(true.tree))
    arc[[2, 40]] = 200.0, 90.0  # upstream, and at the throat
    truth = truth_of(true, found, arc)
    moved = dataclasses.replace(truth.findings, ffr=(np.full(len(true.tree), 0.9),))
    (made,) = stenoses(truth, [found], ([wide], [wide]), Ways(moved, moved, moved, ours, ours))
    return made


def test_a_stenosis_is_read_on_both_trees_and_where_the_truth_reads_it():
    made = row(narrowed(22.0, 50.0, offset_mm=0.5))
    assert made.true_percent == pytest.approx(60, abs=2)
    assert made.found_percent == made.reported_percent == pytest.approx(50, abs=2)
    assert made.edge_percent == made.mask_percent == 0.0
    assert (made.true_ffr, made.lumen_ffr, made.full_ffr) == (0.75, 0.9, 0.85)
    assert (made.calcium_deg, made.way_calcium_deg) == (90.0, 200.0)
    assert made.minimal_mm == pytest.approx(1.2, abs=0.1)


def test_a_vessel_that_was_not_found_has_no_stenosis_and_no_ffr():
    made = row(narrowed(20.0, 50.0, offset_mm=9.0))
    assert made.found_percent is made.reported_percent is made.lumen_ffr is None
    assert made.tree_ffr is made.full_ffr is None


def test_what_is_narrow_but_not_reported_is_read_at_the_throat():
    mild, true = narrowed(20.0, 24.0), narrowed(20.0, 60.0)
    tight_beside = narrowed(20.0, 90.0, name="D1", offset_mm=7.0)  # another vessel's
    assert read_percent([mild], truth_of(true, mild)) == [pytest.approx(24.0, abs=1.0)]
    assert read_percent([tight_beside], truth_of(true, tight_beside)) == [None]
    assert reported_percent([mild], [()], np.array([[20.0, 0, 0]])) == [None]


def test_a_long_lesion_is_reported_wherever_its_stretch_passes():
    x = np.arange(0.0, 60.25, 0.5)
    long = straight(60.0, np.where((x > 10) & (x < 50), 0.8, 1.5) - 0.002 * x, healthy=1.5)
    lesions = find_lesions(long.tree, long.reference_radius_mm)
    throats = np.array([[14.0, 1.5, 0], [49.0, 0, 0], [14.0, 9.0, 0]])
    first, last, beside = reported_percent([long], [lesions], throats)
    assert first == last == pytest.approx(50, abs=6)
    assert beside is None


def test_a_reported_lesion_is_false_where_no_true_lumen_is_narrow():
    found, true = narrowed(40.0), narrowed(20.0)
    lesions = [find_lesions(found.tree, found.reference_radius_mm)]
    (false,) = false_lesions([found], lesions, [true])
    assert (false.vessel, false.on_vessel) == ("LAD", True)
    assert false.reported_percent == pytest.approx(60, abs=2)
    assert false_lesions([found], lesions, [narrowed(42.0, 30.0)]) == ()
    (phantom,) = false_lesions([found], lesions, [narrowed(40.0, offset_mm=6.0)])
    assert not phantom.on_vessel
