"""Lesions are found where they were put, and nowhere else."""

import numpy as np
import pytest

from meshes.errors import GeometryError
from meshes.reference import reference_radius_mm
from meshes.stenosis import Lesion, analysed, distal_point, find_lesions
from meshes.tree import VesselTree, path_length_mm


def vessel(length_mm=60.0, radius_mm=1.5, step_mm=0.5):
    """A straight vessel without taper."""
    n = round(length_mm / step_mm) + 1
    points = np.zeros((n, 3))
    points[:, 2] = -step_mm * np.arange(n)
    return VesselTree(points, np.full(n, radius_mm), np.arange(-1, n - 1))


def fork(radius_mm=(1.8, 1.4, 1.2), length_mm=(20.0, 40.0, 30.0), step_mm=0.5):
    """A vessel of 20 mm that splits in two; also the run of each point."""
    points, parent, radius, run = [np.zeros(3)], [-1], [radius_mm[0]], [0]
    end = 0
    for k, direction in enumerate(([0, 0, -1], [0.6, 0, -0.8], [-0.6, 0, -0.8])):
        for j in range(round(length_mm[k] / step_mm)):
            parent.append(end if j == 0 else len(points) - 1)
            points.append(points[parent[-1]] + step_mm * np.array(direction))
            radius.append(radius_mm[k])
            run.append(k)
        if k == 0:
            end = len(points) - 1
    return VesselTree(points, radius, parent), np.array(run)


def narrowed(tree, *bells):
    """The tree with cosine narrowings (centre point, length, fraction) along all branches."""
    s = path_length_mm(tree)
    radius = tree.radius_mm.copy()
    for mask, centre_mm, length_mm, depth in bells:
        x = np.clip(np.abs(s - centre_mm) / (length_mm / 2), 0, 1)
        radius *= np.where(mask, 1.0 - depth * (0.5 + 0.5 * np.cos(np.pi * x)), 1.0)
    return VesselTree(tree.points_mm, radius, tree.parent)


def test_a_cosine_stenosis_is_measured_in_place_and_size():
    tree = vessel()
    (lesion,) = find_lesions(narrowed(tree, (True, 30.0, 12.0, 0.5)), tree.radius_mm)
    assert lesion.throat == 60
    # half-width where 0.25 (1 + cos) exceeds 0.2, on points every 0.5 mm
    half = 6.0 / np.pi * np.arccos(0.2 / 0.25 - 1.0)
    assert lesion.length_mm == pytest.approx(2 * half, abs=1.0)
    # the parabola through +-1.5 mm of a cosine is off by a hundredth of its depth
    assert lesion.diameter_stenosis_percent == pytest.approx(50.0, abs=0.5)
    assert lesion.area_stenosis_percent == pytest.approx(75.0, abs=0.5)
    assert lesion.minimal_diameter_mm == pytest.approx(1.5, abs=0.015)
    assert lesion.minimal_lumen_area_mm2 == pytest.approx(np.pi * 0.75**2, rel=0.02)
    assert lesion.reference_diameter_mm == pytest.approx(3.0)


def test_the_size_at_the_throat_is_not_the_luckiest_noise():
    tree = vessel()
    flat = np.where(np.abs(path_length_mm(tree) - 30.0) < 10.0, 1.0, 1.5)
    sizes, lowest = [], []
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(0.0, 0.1, len(tree))
        noisy = VesselTree(tree.points_mm, flat + noise, tree.parent)
        (lesion,) = find_lesions(noisy, tree.radius_mm)
        sizes.append(lesion.minimal_diameter_mm)
        lowest.append(2.0 * noisy.radius_mm.min())
    # the parabola of 7 radii has 0.58 of their noise (Savitzky 1964)
    assert 2.0 - np.mean(sizes) < 0.6 * (2.0 - np.mean(lowest))


@pytest.mark.parametrize(
    ("length_mm", "depth", "found"),
    [(12.0, 0.5, 1), (12.0, 0.22, 0), (12.0, 0.28, 1), (3.0, 0.5, 0)],
)
def test_mild_and_short_narrowings_are_not_reported(length_mm, depth, found):
    tree = vessel()
    lesions = find_lesions(narrowed(tree, (True, 30.0, length_mm, depth)), tree.radius_mm)
    assert len(lesions) == found


def test_the_reported_grade_can_be_chosen():
    tree = vessel()
    mild = narrowed(tree, (True, 30.0, 12.0, 0.4))
    assert find_lesions(mild, tree.radius_mm, reported_percent=45.0) == ()
    assert len(find_lesions(mild, tree.radius_mm, reported_percent=35.0)) == 1


def test_a_healthy_stretch_of_more_than_3_mm_parts_two_lesions():
    tree = vessel()
    box = np.where(np.abs(path_length_mm(tree) - 30.0) < 12.0, 0.6, 1.0)
    for gap_mm, count in ((2.8, 1), (6.0, 2)):
        healthy = np.abs(path_length_mm(tree) - 30.0) < gap_mm / 2
        radius = tree.radius_mm * np.where(healthy, 1.0, box)
        lesions = find_lesions(VesselTree(tree.points_mm, radius, tree.parent), tree.radius_mm)
        assert len(lesions) == count


def test_a_healthy_noisy_tree_has_no_lesion():
    healthy, _ = fork()
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(0.0, 0.1, len(healthy))
        tree = VesselTree(healthy.points_mm, healthy.radius_mm + noise, healthy.parent)
        assert find_lesions(tree, reference_radius_mm(tree)) == ()


def test_a_lesion_of_a_trunk_is_counted_once():
    tree, run = fork()
    (lesion,) = find_lesions(narrowed(tree, (run == 0, 10.0, 10.0, 0.5)), tree.radius_mm)
    assert run[lesion.throat] == 0


def test_a_lesion_across_a_bifurcation_follows_the_branch_it_narrows_most():
    tree, run = fork()
    both = narrowed(tree, (run != 2, 20.0, 24.0, 0.5), (run == 2, 22.0, 24.0, 0.65))
    first, second = find_lesions(both, tree.radius_mm)
    assert {run[first.start], run[first.throat], run[first.end]} == {0, 2}
    assert {run[second.start], run[second.end]} == {1}
    assert tree.parent[second.start] == np.flatnonzero(run == 0)[-1]


def test_vessels_below_a_healthy_diameter_of_1_5_mm_are_not_graded():
    tree, run = fork(radius_mm=(1.8, 1.4, 0.7))
    ill = narrowed(tree, (run == 2, 35.0, 12.0, 0.5))
    assert find_lesions(ill, tree.radius_mm) == ()


def test_nothing_below_a_narrow_vessel_is_analysed_however_wide():
    tree = vessel(length_mm=2.0)
    reference = np.array([1.0, 0.8, 0.74, 0.9, 0.9])
    assert analysed(tree, reference).tolist() == [True, True, False, False, False]


def lesion_ending_at(point):
    return Lesion(point - 4, point - 2, point, 2.0, 1.0, 2.0, 0.8, 50.0, 75.0)


def test_the_measuring_point_lies_20_mm_below_the_lesion_in_the_main_branch():
    tree, run = fork()
    point, used_mm = distal_point(tree, tree.radius_mm, lesion_ending_at(20))
    assert run[point] == 1
    assert used_mm == pytest.approx(20.0, abs=0.25)  # half a step
    assert path_length_mm(tree)[point] == pytest.approx(10.0 + used_mm)


def test_the_measuring_point_stops_where_the_analysed_vessel_stops():
    tree = vessel(length_mm=30.0)
    reference = np.where(path_length_mm(tree) > 25.0, 0.7, 1.0)
    point, used_mm = distal_point(tree, reference, lesion_ending_at(40))
    assert point == 50
    assert used_mm == pytest.approx(5.0)


def test_a_reference_that_does_not_fit_is_refused_by_name():
    tree = vessel()
    with pytest.raises(GeometryError, match=r"shape \(3,\), the tree has 121 points"):
        find_lesions(tree, np.ones(3))
    wrong = tree.radius_mm.copy()
    wrong[7] = np.nan
    with pytest.raises(GeometryError, match="point 7 is nan, must be positive"):
        find_lesions(tree, wrong)
