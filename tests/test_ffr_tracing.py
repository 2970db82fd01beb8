"""Tracing: from exact vessel maps to trees, and from a tree to its lumen."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from ffr.errors import StudyError
from ffr.imaging.sharpness import Sharpness
from ffr.phantom.imaging import paint, scan, truth_labels
from ffr.phantom.patient import centre_of_heart_mm, virtual_patient
from ffr.phantom.study import clinical_imaging
from ffr.segmentation.infer import vessel_box
from ffr.segmentation.lumen import MeasuredLumen, measure_lumen
from ffr.segmentation.maps import HeartMap, VesselMap
from ffr.segmentation.pruning import without_stubs
from ffr.segmentation.weights import load_network
from ffr.tracing.trace import trace
from meshes.contours import Contours, area_radius_mm
from meshes.kernels.paths import spread
from meshes.tree import VesselTree
from meshes.volume import Volume, axis_aligned_grid


@pytest.fixture(scope="module")
def patient():
    return virtual_patient(1_000_010, 0.0, ())


@pytest.fixture(scope="module")
def heart(patient):
    n = np.array((88, 88, 66))
    grid = axis_aligned_grid(n, 2.0, np.asarray(centre_of_heart_mm(patient)) - n)
    return HeartMap(truth_labels(patient, grid), 100.0, 430.0)


@pytest.fixture(scope="module")
def vessels(patient, heart):
    grid = vessel_box(heart)
    labels = truth_labels(patient, grid, vessels=True)
    lumen = np.isin(labels.values, (1, 3)).astype(np.uint8)
    return VesselMap(labels, Volume(grid, 255 * lumen))


@pytest.fixture(scope="module")
def volume(patient, heart):
    """The sharp, noiseless patient around heart and root, HU."""
    grid = vessel_box(heart)
    return Volume(grid, paint(patient, grid, clinical_imaging(7))[0])


@pytest.fixture(scope="module")
def traced(volume, heart, vessels):
    return trace(volume, heart, vessels)


def test_exact_maps_give_both_trees_and_nothing_else(patient, traced):
    for found, true in ((traced.left, patient.left), (traced.right, patient.right)):
        off, _ = cKDTree(true.tree.points_mm).query(found.points_mm)
        assert np.mean(off > 1.5) < 0.03
        missed, _ = cKDTree(found.points_mm).query(true.tree.points_mm)
        wide = true.tree.radius_mm > 0.75
        assert np.mean(missed[wide] < 1.5) > 0.85
        assert np.median(off) < 0.4  # one voxel is 0.5 mm


def test_trees_start_at_the_ostia(patient, traced):
    for found, true in ((traced.left, patient.left), (traced.right, patient.right)):
        assert np.linalg.norm(found.points_mm[0] - true.tree.points_mm[0]) < 1.0


def test_without_vessels_at_the_root_the_study_is_refused(volume, heart, vessels):
    empty = Volume(vessels.labels.grid, np.zeros_like(vessels.vessel_probability.values))
    with pytest.raises(StudyError, match="coronary-origins-missing"):
        trace(volume, heart, VesselMap(empty, empty))


def test_tracing_twice_gives_the_same_tree_and_joins_no_vessel_in_the_lung(
    volume, heart, vessels, traced
):
    values = np.array(vessels.vessel_probability.values)
    values[20:24, 20:100, 8:12] = 255  # a bright tube far from the tree
    more = VesselMap(vessels.labels, Volume(vessels.labels.grid, values))
    again = trace(volume, heart, more)
    for one, two in ((again.left, traced.left), (again.right, traced.right)):
        assert np.array_equal(one.points_mm, two.points_mm)
        assert np.array_equal(one.parent, two.parent)


def test_the_cheapest_path_goes_around_a_wall():
    cost = np.ones((1, 9, 9), dtype=np.float32)
    cost[0, 4, :8] = 0.0  # a wall with a gap at the right end
    total, parent = spread(cost, np.array([0]), 1.0, 1e9)
    assert np.isinf(total[0, 4, 3])
    # 7 diagonal-free columns to the gap: straight along, through, and back
    assert total[0, 8, 0] == pytest.approx(4 * np.sqrt(2) * 2 + 4 + 4, abs=1e-4)
    assert parent[0, 0, 0] == -1


def test_lumen_radius_is_sub_voxel_on_a_clean_scan(patient):
    tree = patient.right.tree
    part = np.arange(20, 100)  # 40 mm of the right coronary artery
    points = tree.points_mm[part]
    raw = VesselTree(points, np.full(80, 1.5), np.arange(80) - 1)
    low, high = points.min(axis=0) - 10, points.max(axis=0) + 10
    size = ((high - low) / (0.4, 0.4, 0.5)).astype(int)
    grid = axis_aligned_grid(size, (0.4, 0.4, 0.5), low)
    imaging = clinical_imaging(7)
    volume = scan(patient, grid, imaging, 7)
    seen = Sharpness(imaging.psf_mm, imaging.psf_z_mm, imaging.noise_hu, grid.direction[:, 2])
    lumen = measure_lumen(volume, raw, imaging.contrast_hu, seen, load_network("lumen"))
    error = lumen.tree.radius_mm[4:-4] - tree.radius_mm[part][4:-4]
    assert abs(np.median(error)) < 0.08  # its wall, 79 HU and 0.5 mm thick, blurs into it
    assert np.percentile(np.abs(error), 90) < 0.15
    assert np.all(lumen.radius_sd_mm > 0)
    outline = lumen.contours
    assert area_radius_mm(outline.radius_mm) == pytest.approx(lumen.tree.radius_mm)
    wall = lumen.walls.radius_mm - outline.radius_mm
    assert wall.min() >= 0
    assert np.median(wall) == pytest.approx(0.5, abs=0.25)
    way = np.gradient(lumen.tree.points_mm, axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    assert np.abs(np.sum(way * outline.zero_direction, axis=1)).max() < 0.2  # across the vessel
    moved = np.linalg.norm(lumen.tree.points_mm - points, axis=1)
    assert np.median(moved) < 0.3


def test_frayed_tips_and_thin_stubs_are_cut():
    main = np.stack([np.zeros(80), np.zeros(80), np.arange(80) * 0.5], axis=1)
    stub = main[40] + np.stack([np.arange(1, 13) * 0.5, np.zeros(12), np.zeros(12)], axis=1)
    radius = np.concatenate([np.full(74, 1.4), np.full(6, 0.3), np.full(12, 0.3)])
    parent = np.concatenate([np.arange(80) - 1, [40], np.arange(80, 91)])
    tree = VesselTree(np.vstack([main, stub]), radius, parent)
    circles = Contours(
        np.ones((92, 8)), np.tile([1.0, 0, 0], (92, 1)), np.tile([0, 1.0, 0], (92, 1))
    )
    lumen = MeasuredLumen(tree, np.full(92, 0.1), np.zeros(92), np.zeros(92), circles)
    kept = without_stubs(lumen)
    assert len(kept.contours) == len(kept.tree)
    assert kept.tree.radius_mm.min() > 1.0
    assert kept.tree.points_mm[:, 0].max() == 0.0
    assert 60 < len(kept.tree) <= 74
