"""The lumen as a DICOM segmentation: in any orientation where the vessels are."""

import functools
from datetime import datetime

import highdicom
import numpy as np
import pytest
import run_folder
import virtual_series

from ffr.dicom_out import source, stamp
from ffr.dicom_out.ffr_map import ffr_map
from ffr.dicom_out.lumen import lumen_segmentation
from ffr.reading.study import read_study
from meshes.arrays import floats
from meshes.surface import lumen_surface
from meshes.volume import Grid, Volume, array_shape, axis_aligned_grid, ijk_to_points_mm
from meshes.voxels import voxels_within

CASE = run_folder.case()


@functools.cache
def surface():
    trees = [c.tree for c in CASE.trees]
    return lumen_surface(trees, contours=[c.contours for c in CASE.trees])


def mesh_mm3():
    return float(tetrahedra_mm3()[0].sum())


def middle_of_mesh_mm():
    parts_mm3, middles = tetrahedra_mm3()
    return (parts_mm3[:, None] * middles).sum(axis=0) / parts_mm3.sum()


def tetrahedra_mm3():
    """Signed volumes of the tetrahedra from the origin to each triangle, and their middles."""
    corners = surface().points_mm[surface().triangles]
    a, b, c = (corners[:, k] for k in range(3))
    return np.einsum("ij,ij->i", a, np.cross(b, c)) / 6, (a + b + c) / 4


TURNS = {
    "oblique": np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0],
    "flipped": np.diag([-1.0, 1.0, -1.0]),
}


@pytest.mark.parametrize("kind", ["oblique", "flipped", "enhanced"])
def test_the_lumen_lies_where_it_is_in_any_orientation(kind, tmp_path):
    turn = TURNS.get(kind, np.eye(3))
    turn = turn * np.linalg.det(turn)
    points = surface().points_mm
    size, spacing_mm = np.array((80, 72, 68)), floats((0.5, 0.6, 0.7))
    middle = points.mean(axis=0)
    corner = middle - turn @ (spacing_mm * (size - 1) / 2)
    grid = Grid(size, spacing_mm, floats(corner), floats(turn))
    values = np.random.default_rng(1).normal(40, 20, array_shape(grid)).astype(np.int16)
    values[:, :9] = -1000
    study = virtual_series.write(tmp_path, Volume(grid, values), enhanced=kind == "enhanced")
    scan = read_study(study)
    found = source.find_source(scan, sorted(study.iterdir()))
    inside = voxels_within(surface(), found.grid)
    with source.silent():
        d = lumen_segmentation(found, marked(), inside)
        volume = highdicom.seg.Segmentation.from_dataset(d).get_volume(combine_segments=True)
    lit = volume.map_indices_to_reference(np.argwhere(volume.array > 0))
    true = ijk_to_points_mm(found.grid, np.argwhere(inside)[:, ::-1])
    assert len(lit) * np.prod(spacing_mm) == pytest.approx(mesh_mm3(), rel=0.04)
    np.testing.assert_allclose(in_order(lit), in_order(true), atol=1e-3)
    np.testing.assert_allclose(lit.mean(axis=0), middle_of_mesh_mm(), atol=0.15)
    ffr = floats(np.linspace(0.3, 1.0, len(true)))
    with source.silent():
        d = ffr_map(found, marked(), inside, ffr)
        volume = highdicom.pm.ParametricMap.from_dataset(d).get_volume(
            apply_real_world_transform=False  # 0 is outside of what has an FFR
        )
    places = volume.map_indices_to_reference(np.argwhere(volume.array > 0))
    here, there = (np.lexsort(np.round(x, 2).T) for x in (places, true))
    np.testing.assert_allclose(
        volume.array[volume.array > 0][here] / 1e4, ffr[there], atol=1e-4
    )


def in_order(points):
    points = np.round(points, 2)
    return points[np.lexsort(points.T)]


def marked():
    return stamp.Stamp("k", "r", datetime(2026, 1, 1), "1")


def test_voxels_of_a_grid_elsewhere_are_none_and_of_a_cut_grid_some():
    grid = axis_aligned_grid((9, 8, 7), 1.0, (900.0, 0.0, 0.0))
    assert not voxels_within(surface(), grid).any()
    points = surface().points_mm
    half = axis_aligned_grid(
        (60, 60, 60), 1.0, points.min(axis=0) + [0.5 * np.ptp(points[:, 0]), 0, 0]
    )
    assert 20 < voxels_within(surface(), half).sum() < 0.9 * mesh_mm3()
