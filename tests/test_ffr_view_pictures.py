"""Pictures along and across a vessel: where what is shown lies in space."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from ffr.view import reformat
from meshes.arrays import floats
from meshes.contours import Contours
from meshes.volume import Volume, axis_aligned_grid, ijk_to_points_mm


def bow(radius_mm=40.0, turn_rad=1.4, step_mm=0.5):
    """A vessel bent in a slanted plane."""
    angle = np.arange(0.0, turn_rad, step_mm / radius_mm)
    flat = radius_mm * np.stack([np.sin(angle), 1 - np.cos(angle), 0 * angle], axis=1)
    slant = np.array([[0.8, 0.0, 0.6], [0.0, 1.0, 0.0], [-0.6, 0.0, 0.8]])
    return flat @ slant.T + np.array([5.0, -3.0, 11.0])


def painted(points_mm, radius_mm, spacing_mm=0.4):
    """A scan of 400 HU within `radius_mm` of a centreline and -100 HU elsewhere."""
    low = points_mm.min(axis=0) - 10.0
    size = np.ceil((points_mm.max(axis=0) + 10.0 - low) / spacing_mm).astype(int)
    grid = axis_aligned_grid(size, spacing_mm, low)
    k, j, i = np.meshgrid(*(np.arange(n) for n in size[::-1]), indexing="ij")
    at = ijk_to_points_mm(grid, np.stack([i, j, k], axis=-1).reshape(-1, 3))
    near, _ = cKDTree(points_mm).query(at, distance_upper_bound=radius_mm)
    hu = np.where(np.isfinite(near), 400, -100).astype(np.int16)
    return Volume(grid, hu.reshape(size[::-1]))


def test_cross_sections_hold_a_round_vessel_in_their_middle_all_along():
    line = bow()
    axis = reformat.vessel_axis(line)
    hu = reformat.cross_sections_hu(painted(line, 2.0), axis)
    half = hu.shape[1] // 2
    across = (np.arange(hu.shape[1]) - half) * reformat.ACROSS_MM
    away = np.hypot(across[:, None], across)
    inner = hu[10:-10]
    assert inner[:, away < 1.4].min() > 250
    assert inner[:, (away > 2.6) & (away < 5.0)].max() < 100


def test_the_cross_section_shows_what_lies_to_the_right_and_up():
    line = np.stack([np.zeros(60), np.zeros(60), np.arange(60) * 0.5], axis=1)
    axis = reformat.vessel_axis(line)
    beside = axis.points_mm[60] + 3.0 * axis.right_direction[60] + 1.0 * axis.up_direction[60]
    hu = reformat.cross_sections_hu(
        painted(np.array([[-9.0, -9, 0], beside, [9, 9, 30]]), 0.8), axis
    )
    row, column = np.unravel_index(np.argmax(hu[60]), hu[60].shape)
    middle = hu.shape[1] // 2
    assert (column - middle) * reformat.ACROSS_MM == pytest.approx(3.0, abs=0.6)
    assert (row - middle) * reformat.ACROSS_MM == pytest.approx(1.0, abs=0.6)


def test_the_curved_picture_shows_the_lumen_where_it_says_the_vessel_runs():
    line = bow()
    axis = reformat.vessel_axis(line)
    shape = reformat.curved(axis)
    hu = reformat.curved_hu(painted(line, 2.0), axis, shape)
    for turn in (0, 7, 16):
        rows = np.rint(shape.down_mm[turn] / reformat.CURVED_MM).astype(int)
        columns = np.rint(shape.right_mm[turn] / reformat.CURVED_MM).astype(int)
        assert hu[turn, rows[8:-8], columns[8:-8]].min() > 300
        assert np.mean(hu[turn] > 150) < 0.25  # and tissue beside it


def test_the_curved_picture_keeps_lengths_along_the_vessel():
    axis = reformat.vessel_axis(bow())
    shape = reformat.curved(axis)
    drawn = np.hypot(np.diff(shape.down_mm, axis=1), np.diff(shape.right_mm, axis=1)).sum(
        axis=1
    )
    assert drawn == pytest.approx(np.full(reformat.TURNS, axis.s_mm[-1]), rel=2e-3)
    assert np.all(np.diff(shape.down_mm, axis=1) >= 0)


def test_an_outline_is_the_measured_contour_in_space():
    axis = reformat.vessel_axis(bow())
    k = np.array([20, 60])
    right, up = axis.right_direction[k], axis.up_direction[k]
    zero = np.cos(0.7) * right + np.sin(0.7) * up  # the contour has a direction of its own
    quarter = -np.sin(0.7) * right + np.cos(0.7) * up
    angle = np.arange(64) * 2 * np.pi / 64
    egg = np.tile(1.5 + 0.4 * np.cos(angle) + 0.1 * np.sin(2 * angle), (2, 1))
    found = reformat.outlines_mm(
        axis, axis.s_mm[k], floats([1.5, 1.5]), Contours(egg, zero, quarter)
    )
    turn = np.arange(reformat.RAYS) * 2 * np.pi / reformat.RAYS
    expected = 1.5 + 0.4 * np.cos(turn - 0.7) + 0.1 * np.sin(2 * (turn - 0.7))
    assert found == pytest.approx(np.tile(expected, (2, 1)), abs=2e-3)


def test_the_edges_of_a_round_vessel_are_its_radius_away_where_it_is_cut_upright():
    line = np.stack([np.zeros(60), 0.02 * np.arange(60) ** 1.2, np.arange(60) * 0.5], axis=1)
    axis = reformat.vessel_axis(line)
    shape = reformat.curved(axis)
    at = axis.s_mm[10:100:10]
    outline = reformat.outlines_mm(axis, at, floats(np.full(at.size, 1.3)), None)
    edges = reformat.curved_edges_mm(axis, shape, at, outline)
    assert edges == pytest.approx(np.full(edges.shape, 1.3), rel=0.06)


def test_a_vessel_of_two_points_has_cross_sections():
    axis = reformat.vessel_axis(np.array([[0.0, 0, 0], [0.2, 0, 0]]))
    assert axis.s_mm[-1] == pytest.approx(0.2)


# --- what is sent
