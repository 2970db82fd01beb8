"""Veins, tips and stubs go; lesions, thin arteries and faded ones stay."""

import numpy as np
import pytest

from ffr.segmentation.lumen import MeasuredLumen
from ffr.segmentation.pruning import arterial_hu, without_stubs, without_veins
from meshes.contours import Contours
from meshes.tree import VesselTree, path_length_mm
from meshes.volume import Volume, axis_aligned_grid

BLOOD_HU = 400.0
STEP_MM = 0.5


def course(pieces, start=(0.0, 0.0, 0.0), along=(1.0, 0.0, 0.0)):
    """Points, radius and HU of pieces of (length, radius, HU) in a row."""
    radius, hu = [], []
    for length, r, value in pieces:
        n = round(length / STEP_MM)
        radius += [r] * n
        hu += [value] * n
    at = STEP_MM * np.arange(1, len(radius) + 1)[:, None] * np.asarray(along)
    return np.asarray(start) + at, np.array(radius), np.array(hu)


def lumen_and_scan(trunk, branches=()):
    """A tree along x with branches along y at given points, and a scan of its axes."""
    points, radius, hu = course(trunk)
    parent = np.arange(len(points)) - 1
    for at, pieces in branches:
        more, r, h = course(pieces, points[at], (0.0, 1.0, 0.0))
        new = np.arange(len(more)) + len(points) - 1
        new[0] = at
        points, parent = np.vstack([points, more]), np.concatenate([parent, new])
        radius, hu = np.concatenate([radius, r]), np.concatenate([hu, h])
    size = np.rint(points.max(axis=0) / STEP_MM).astype(int) + [4, 4, 5]
    grid = axis_aligned_grid(size, STEP_MM, (0.0, -1.0, -1.0))
    values = np.full(tuple(size[::-1]), -100.0, dtype=np.float32)
    i, j, k = np.rint((points - grid.origin_mm) / STEP_MM).astype(int).T
    values[k, j, i] = hu
    tree = VesselTree(points, radius, parent)
    across = (np.tile(way, (len(tree), 1)) for way in ([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]))
    circles = Contours(radius[:, None].repeat(8, axis=1), *across)
    return Volume(grid, values), MeasuredLumen(
        tree, np.full(len(tree), 0.1), *np.zeros((2, len(tree))), circles
    )


def kept_to_mm(trunk):
    volume, lumen = lumen_and_scan(trunk)
    return path_length_mm(without_veins(volume, lumen, BLOOD_HU).tree).max()


def blurred(radius, spread=0.5, value=BLOOD_HU):
    return value * (1 - np.exp(-0.5 * (radius / spread) ** 2))


def test_a_vein_that_continues_an_artery_is_cut_where_it_begins():
    assert kept_to_mm([(60, 1.5, 400), (30, 1.5, 280)]) == pytest.approx(60, abs=1.5)


def test_a_dark_lesion_stays_for_the_vessel_beyond_it():
    assert kept_to_mm([(40, 1.5, 400), (12, 0.3, 90), (50, 1.5, 390)]) == pytest.approx(
        102, abs=1
    )


def test_an_occlusion_stays_for_the_vessel_beyond_it():
    assert kept_to_mm([(40, 1.5, 400), (10, 0.4, -40), (40, 1.5, 390)]) == pytest.approx(
        90, abs=1
    )


def test_an_artery_may_fade_with_distance():
    fading = [(10, 1.5, 400 * (1 - 0.0025 * s)) for s in range(5, 125, 10)]
    assert kept_to_mm(fading) == pytest.approx(120, abs=1)


def test_thin_arteries_are_dimmed_by_blur_and_stay_where_thin_veins_go():
    thin = blurred(0.6)
    volume, lumen = lumen_and_scan(
        [(80, 1.8, 400)],
        [(20, [(25, 0.6, thin)]), (60, [(25, 0.6, thin)]), (100, [(25, 0.6, 0.7 * thin)])],
    )
    tree = without_veins(volume, lumen, BLOOD_HU).tree
    assert len(tree) == 160 + 50 + 50
    assert tree.points_mm[tree.points_mm[:, 1] > 5, 0].max() < 40.0


def test_most_of_the_tree_may_be_veins():
    thin = blurred(0.6)
    veins = [(at, [(30, 0.6, 0.65 * thin)]) for at in (30, 50, 70)]
    volume, lumen = lumen_and_scan([(50, 1.8, 400)], [*veins, (90, [(40, 0.6, thin)])])
    tree = without_veins(volume, lumen, BLOOD_HU).tree
    beside = tree.points_mm[tree.points_mm[:, 1] > 6]
    assert len(beside) > 60
    assert np.all(beside[:, 0] > 44.0)  # only the artery at the end


def test_bone_beyond_a_gap_is_no_artery():
    assert kept_to_mm([(60, 1.5, 400), (6, 0.4, -60), (40, 1.2, 700)]) == pytest.approx(
        60, abs=1
    )


def test_calcium_does_not_cut_an_artery():
    assert kept_to_mm([(30, 1.5, 400), (15, 1.2, 900), (30, 1.4, 390)]) == pytest.approx(
        75, abs=1
    )


def test_the_first_centimetre_stays_whatever_its_attenuation():
    assert kept_to_mm([(30, 1.5, 150)]) == pytest.approx(10, abs=1)


def test_blur_and_fall_are_read_from_the_points():
    _, lumen = lumen_and_scan(
        [(80, 1.8, 0)], [(20, [(25, 0.5, 0)]), (60, [(25, 0.8, 0)]), (100, [(25, 1.0, 0)])]
    )
    tree = lumen.tree
    s, r = path_length_mm(tree), tree.radius_mm
    true = BLOOD_HU * (1 - 0.002 * s) * np.where(r > 1.2, 1.0, blurred(r, 0.45, 1.0))
    known = np.ones(len(tree), dtype=bool)
    expected = arterial_hu(true, tree, known, BLOOD_HU)
    assert np.abs(expected / true - 1).max() < 0.04


def test_a_thin_tail_is_cut_at_its_beginning_however_long_it_is():
    def reach_mm(trunk):
        return path_length_mm(without_stubs(lumen_and_scan(trunk)[1]).tree).max()

    assert reach_mm([(60, 1.2, 400), (30, 0.3, 200)]) == pytest.approx(60, abs=1.5)
    # a tight lesion with a vessel behind it is no tail
    assert reach_mm([(30, 1.2, 400), (8, 0.3, 200), (30, 1.1, 400)]) > 65.0
