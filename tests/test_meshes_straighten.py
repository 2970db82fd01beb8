"""Straightened reformation: frames without twist, images that equal the field they cut."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from meshes.arrays import floats, ints
from meshes.errors import GeometryError
from meshes.straighten import arc_length_mm, frames, resampled, sampled, straightened
from meshes.volume import Grid, Volume, array_shape, axis_aligned_grid, ijk_to_points_mm


def helix(n=2000, turns=2.0, radius=10.0, rise=3.0):
    t = np.linspace(0, turns * 2 * np.pi, n)
    return t, np.stack([radius * np.cos(t), radius * np.sin(t), rise * t], axis=1)


def ramp(grid, slope, offset):
    """A volume whose HU are slope . x + offset, exactly what trilinear reproduces."""
    i, j, k = (np.arange(n) for n in grid.size)
    kk, jj, ii = np.meshgrid(k, j, i, indexing="ij")
    points = ijk_to_points_mm(grid, np.stack([ii, jj, kk], axis=-1))
    return Volume(grid, points @ slope + offset)


def oblique_grid():
    turn = Rotation.from_euler("xyz", [0.4, -0.7, 1.1]).as_matrix()
    left_handed = turn * np.array([1.0, 1.0, -1.0])  # slices stored from head to feet
    size, spacing = np.array([70, 80, 90]), np.array([0.7, 0.6, 0.5])
    origin = np.array([3.0, -2.0, 9.0]) - left_handed @ (spacing * (size - 1) / 2)
    return Grid(ints(size), floats(spacing), floats(origin), floats(left_handed))


def test_frames_are_orthonormal_and_right_handed():
    _, points = helix(300)
    tangent, normal, binormal = frames(points)
    triad = np.stack([tangent, normal, binormal], axis=1)
    np.testing.assert_allclose(
        triad @ triad.transpose(0, 2, 1), np.eye(3)[None] + 0 * triad, atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(triad), 1.0, atol=1e-12)


def test_frames_do_not_leave_the_plane_of_a_circle():
    t = np.linspace(0, 1.9 * np.pi, 400)
    points = np.stack([12 * np.cos(t), 12 * np.sin(t), 0 * t], axis=1)
    _, normal, binormal = frames(points)
    # in a plane curve the out-of-plane component of each vector stays what it was
    np.testing.assert_allclose(normal[:, 2], normal[0, 2], atol=1e-12)
    np.testing.assert_allclose(binormal[:, 2], binormal[0, 2], atol=1e-12)


def test_frames_turn_against_frenet_by_the_torsion_of_a_helix():
    radius, rise = 10.0, 3.0
    errors = []
    for n in (250, 500, 1000):
        t, points = helix(n, 2.0, radius, rise)
        _, normal, binormal = frames(points)
        inward = -np.stack([np.cos(t), np.sin(t), 0 * t], axis=1)  # Frenet's normal
        angle = np.unwrap(
            np.arctan2((inward * binormal).sum(axis=1), (inward * normal).sum(axis=1))
        )
        # Frenet turns about the tangent by torsion x length, Bishop does not
        torsion_per_mm = rise / (radius**2 + rise**2)
        exact = torsion_per_mm * np.hypot(radius, rise) * t
        errors.append(np.abs(angle - angle[0] - exact).max())
    assert errors[-1] < 1e-3
    assert np.log2(errors[0] / errors[1]) > 1.8  # second order, from the tangents
    assert np.log2(errors[1] / errors[2]) > 1.8


def test_frames_of_a_straight_vessel_are_constant():
    points = np.outer(np.linspace(0, 30, 60), [0.36, 0.48, 0.8])
    for vectors in frames(points):
        np.testing.assert_allclose(
            vectors, np.broadcast_to(vectors[0], vectors.shape), atol=1e-12
        )


def test_straightened_ramp_equals_the_ramp_on_an_oblique_grid():
    grid = oblique_grid()
    slope, offset = np.array([11.0, -7.0, 5.0]), 300.0
    volume = ramp(grid, slope, offset)
    t = np.linspace(0, 2.5, 200)
    points = np.array([3.0, -2.0, 9.0]) + np.stack(
        [6 * np.cos(t), 6 * np.sin(t), 3 * t - 4], axis=1
    )
    image = straightened(volume, points, half_width_mm=3.0, step_mm=0.25, rotation_rad=0.6)
    centre = resampled(points, image.s_mm)
    _, normal, binormal = frames(centre, 1.0 / 0.25)
    sideways = np.cos(0.6) * normal + np.sin(0.6) * binormal
    exact = (
        (centre @ slope)[None] + image.across_mm[:, None] * (sideways @ slope)[None] + offset
    )
    np.testing.assert_allclose(image.values_hu, exact, rtol=1e-10)
    assert image.values_hu.shape == (25, image.s_mm.size)


def test_a_straight_tube_is_as_wide_in_both_rotations_as_it_was_painted():
    grid = axis_aligned_grid([60, 60, 120], [0.4, 0.4, 0.5], [-11.8, -11.8, 0.0])
    j, i = np.meshgrid(np.arange(60), np.arange(60), indexing="ij")
    distance = np.hypot(i * 0.4 - 11.8, j * 0.4 - 11.8)
    slab = np.clip((2.0 - distance) / 0.4 + 0.5, 0, 1) * 400  # edge at half height
    volume = Volume(grid, np.broadcast_to(slab, array_shape(grid)).astype(np.int16))
    points = np.stack([np.zeros(30), np.zeros(30), np.linspace(5, 55, 30)], axis=1)
    for rotation in (0.0, np.pi / 2):
        image = straightened(
            volume, points, half_width_mm=5, step_mm=0.05, rotation_rad=rotation
        )
        width = (image.values_hu > 200).sum(axis=0) * 0.05
        assert width == pytest.approx(4.0, abs=0.15)  # two pixels and the grid's blur


def test_two_rotations_half_a_turn_apart_mirror_each_other():
    volume = ramp(oblique_grid(), np.array([4.0, 9.0, -3.0]), 0.0)
    points = np.array([3.0, -2.0, 9.0]) + np.outer(np.linspace(-5, 5, 40), [0, 0.6, 0.8])
    one = straightened(volume, points, half_width_mm=2.0)
    other = straightened(volume, points, half_width_mm=2.0, rotation_rad=np.pi)
    np.testing.assert_allclose(one.values_hu, other.values_hu[::-1], rtol=1e-9)


def test_columns_are_spaced_by_path_length_and_not_by_point_count():
    points = np.array([[0, 0, 0], [0.1, 0, 0], [0.2, 0, 0], [10.0, 0, 0]])
    np.testing.assert_allclose(arc_length_mm(points), [0, 0.1, 0.2, 10.0])
    np.testing.assert_allclose(resampled(points, [2.5])[0], [2.5, 0, 0])


def test_outside_the_volume_is_nan_and_the_border_voxel_is_inside():
    grid = oblique_grid()
    volume = ramp(grid, np.array([1.0, 2.0, 3.0]), 5.0)
    corner = ijk_to_points_mm(grid, grid.size - 1)
    assert sampled(volume, corner) == pytest.approx(corner @ [1.0, 2.0, 3.0] + 5.0, rel=1e-9)
    assert np.isnan(sampled(volume, ijk_to_points_mm(grid, grid.size - 0.9)))
    assert np.isnan(sampled(volume, np.full(3, np.nan)))


def test_a_single_slice_can_be_sampled_in_its_plane():
    volume = Volume(
        axis_aligned_grid([3, 3, 1], 1.0, [0, 0, 0]), np.arange(9.0).reshape(1, 3, 3)
    )
    assert sampled(volume, [0.5, 1.5, 0.0]) == pytest.approx(0.5 + 3 * 1.5)


@pytest.mark.parametrize(
    ("points", "match"),
    [
        ([[0, 0, 0]], "at least two points"),
        ([[0, 0, 0], [1, 0, 0], [1, 0, 0]], "1 and 2 coincide"),
        ([[0, 0, 0], [0.1, 0, 0]], "shorter than a pixel"),
        ([[0, 0, 0], [5, 0, 0], [0, 0, 0.0]], "turns back on itself"),
    ],
)
def test_a_centreline_that_cannot_be_straightened_is_refused(points, match):
    volume = Volume(axis_aligned_grid([4, 4, 4], 1.0, [0, 0, 0]), np.zeros((4, 4, 4)))
    with pytest.raises(GeometryError, match=match):
        straightened(volume, np.array(points, dtype=float), smoothing_mm=0.0)
