"""Vessel pieces: the truth on the rays is the truth that was painted."""

import dataclasses

import numpy as np
import pytest

import ffr.phantom.pieces as pieces_module
from ffr.imaging.sharpness import Sharpness
from ffr.phantom.pieces import (
    ANGLES,
    S_MM,
    Optics,
    Piece,
    imaged_piece,
    lumen_axis_mm,
    random_optics,
    random_piece,
    true_calcium,
    true_contours_mm,
)
from ffr.segmentation.beside_calcium import beside_calcium
from ffr.segmentation.lumen import _clean_take_offs, measure_lumen
from ffr.segmentation.stacks import CHANNELS, TRAINED_SECTIONS, lesson, stack
from ffr.segmentation.weights import load_network
from meshes.arrays import floats
from meshes.straighten import sampled
from meshes.tree import VesselTree

SHARP = Optics(0.3, 0.3, 0.0, 0.3, 0.3, 1.0, 0.2)


def plain(radius=1.5, curvature=0.0, **changes):
    """A healthy piece of one radius in fat."""
    table = np.full((len(S_MM), ANGLES), radius)
    piece = Piece(
        curvature, floats(table), floats(table + 0.4), floats(np.full_like(table, 60.0)),
        floats(table + 0.4), floats(table + 0.4), floats(np.full_like(table, 900.0)),
        np.zeros((0, 5)), np.zeros(5), np.zeros((0, 5)), np.zeros((0, 11)), -90.0, 400.0,
    )  # fmt: skip
    return dataclasses.replace(piece, **changes)


def spokes(n, count=16):
    """Rays in the plane across the tangent x."""
    angle = np.arange(count) * 2 * np.pi / count
    one = np.stack([np.zeros(count), np.cos(angle), np.sin(angle)], axis=1)
    return np.repeat(one[None], n, axis=0)


def test_rays_from_the_axis_of_a_round_lumen_are_its_radius():
    lumen, outer = true_contours_mm(plain(), np.zeros((1, 3)), spokes(1), 5.0)
    assert lumen == pytest.approx(1.5, abs=1e-9)
    assert outer == pytest.approx(1.9, abs=1e-9)


def test_rays_from_off_the_axis_follow_the_circle():
    away = 0.6
    rays = spokes(1)
    lumen, _ = true_contours_mm(plain(), np.array([[0.0, away, 0.0]]), rays, 5.0)
    cosine, sine = rays[0, :, 1], rays[0, :, 2]
    exact = -away * cosine + np.sqrt(1.5**2 - (away * sine) ** 2)
    assert lumen[0] == pytest.approx(exact, abs=2e-3)


def test_a_ray_along_a_bend_leaves_at_its_outer_side():
    bent = plain(1.5, curvature=0.1)  # towards +y, centre of the arc at y = 10
    along = np.zeros((1, 1, 3))
    along[0, 0, 0] = 1.0
    lumen, _ = true_contours_mm(bent, np.zeros((1, 3)), along, 7.0)
    assert lumen[0, 0] == pytest.approx(np.sqrt(11.5**2 - 10.0**2), abs=1e-3)


def test_the_painted_area_is_that_of_the_contour():
    rng = np.random.default_rng(1)
    piece = plain(1.5, curvature=0.05)
    volume, turn = imaged_piece(rng, piece, SHARP)
    line = lumen_axis_mm(piece, floats([0.0]))
    side = np.arange(-2.5, 2.5, 0.05) + 0.025
    y, z = np.meshgrid(side, side, indexing="ij")
    plane = line[0] + np.stack([np.zeros_like(y), y, z], axis=-1)
    hu = sampled(volume, plane @ turn)
    # the wall between lumen and fat is known: what is above it must be lumen
    above = np.clip((hu - 60.0) / 340.0, 0.0, 1.0)
    assert above.sum() * 0.05**2 == pytest.approx(np.pi * 1.5**2, rel=0.06)


def test_calcium_lies_where_it_was_put_and_is_bright():
    table = np.full((len(S_MM), ANGLES), 1.5)
    half = np.zeros_like(table)
    half[:, : ANGLES // 2] = 0.8  # one half of the wall
    outer = floats(table + 1.0)
    piece = plain(
        outer_mm=outer, inner_calcium_mm=floats(table), outer_calcium_mm=floats(table + half)
    )
    rays = spokes(1)
    found = true_calcium(piece, np.zeros((1, 3)), rays, 40, 0.1)[0]
    depth = found.sum(axis=1) * 0.1
    assert depth[2:7] == pytest.approx(0.8, abs=0.11)
    assert depth[10:15].max() == 0.0
    volume, turn = imaged_piece(np.random.default_rng(0), piece, SHARP)
    hu = sampled(volume, (1.9 * rays[0]) @ turn)
    assert hu[2:7].min() > 500 > 200 > hu[10:15].max()


def test_a_stent_is_brighter_than_the_blood_and_lies_on_its_radius():
    at = np.arange(-6.0, 6.0, 1.2)
    rings = np.stack(
        [at, np.full(10, 8.0), np.full(10, 0.5), np.zeros(10), np.zeros(10)], axis=1
    )
    strut = np.array([1.5, 0.1, 0.1, 9000.0, 3.0])
    with_stent = plain(rings=floats(rings), strut=floats(strut))
    rng = np.random.default_rng
    bright, turn = imaged_piece(rng(3), with_stent, SHARP)
    bare, _ = imaged_piece(rng(3), plain(), SHARP)
    rays = spokes(1, 64)[0]
    on, inside = (
        sampled(bright, (r * rays) @ turn).mean() - sampled(bare, (r * rays) @ turn).mean()
        for r in (1.5, 0.7)
    )
    assert on > 150
    assert abs(inside) < 20


def test_lessons_repeat_and_their_centre_lies_in_the_lumen():
    one, two = lesson(11), lesson(11)
    assert np.array_equal(one.image, two.image)
    assert one.image.shape == (CHANNELS, TRAINED_SECTIONS, 32, 56)
    assert np.isfinite(one.image).all()
    assert one.lumen_mm.min() > 0.0
    assert (one.outer_mm >= one.lumen_mm).all()
    assert not np.array_equal(one.image, lesson(12).image)


def test_drawn_pieces_are_sound():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        piece, optics = random_piece(rng), random_optics(rng)
        assert (piece.lumen_mm > 0).all()
        assert (piece.outer_mm > piece.lumen_mm).all()
        assert (piece.outer_calcium_mm >= piece.inner_calcium_mm).all()
        thick = piece.outer_calcium_mm - piece.inner_calcium_mm
        assert (
            piece.inner_calcium_mm[thick > 0.03] >= piece.lumen_mm[thick > 0.03] - 1e-9
        ).all()
        assert 0.45 <= optics.psf_mm <= 1.5


def test_a_lumen_sunk_in_muscle_is_as_wide_as_the_same_one_in_fat():
    s = np.arange(-5.0, 5.1, 0.5)
    network, seen = load_network("lumen"), Sharpness(0.7, 0.8, 20.0, floats([0.0, 0.0, 1.0]))
    optics = Optics(0.7, 0.8, 0.0, 0.4, 0.5, 20.0, 0.35)
    for radius in (0.6, 1.0, 1.5):
        read = []
        for around_hu in (-90.0, 100.0):
            rng = np.random.default_rng(5)
            volume, turn = imaged_piece(rng, plain(radius, around_hu=around_hu), optics)
            line = np.stack([s, 0 * s, 0 * s], axis=1) @ turn
            raw = VesselTree(line, np.full(len(s), radius), np.arange(-1, len(s) - 1))
            found = measure_lumen(volume, raw, 400.0, seen, network)
            read.append(float(np.median(found.tree.radius_mm[4:-4])))
        assert read == pytest.approx([radius, radius], abs=0.08), radius


def test_a_fifth_of_the_pieces_lies_in_muscle():
    around = [random_piece(np.random.default_rng([i, 3])).around_hu for i in range(200)]
    assert 0.1 < np.mean(np.array(around) > 35) < 0.3
    assert 0.6 < np.mean(np.array(around) < -55) < 0.85


def test_a_branch_leaves_from_the_lumen_and_is_no_wider_there():
    seen = narrow = 0
    for seed in range(200):
        piece = random_piece(np.random.default_rng([seed, 41]))
        for tube in piece.tubes[:1]:
            if tube[8] != piece.blood_hu or tube[9] == 0:
                continue
            s = np.arange(-7.0, 7.0, 0.05)
            line = lumen_axis_mm(piece, floats(s))
            away = np.linalg.norm(line - tube[:3], axis=1)
            here = np.interp(s[away.argmin()], S_MM, (piece.lumen_mm**2).mean(axis=1)) ** 0.5
            assert away.min() < 0.05
            assert tube[6] <= here + 0.02
            seen += 1
            narrow += tube[6] < tube[7] - 0.05
    assert seen > 50
    assert narrow > 10


def test_a_branch_at_a_stenosis_does_not_hide_its_throat():
    rng = np.random.default_rng(2)
    size = 1.5 - 1.0 * np.exp(-((S_MM / 1.5) ** 2))
    table = np.repeat(size[:, None], ANGLES, axis=1)
    narrow = plain(lumen_mm=floats(table), outer_mm=floats(table + 1.2))
    branch = pieces_module._branch(rng, narrow, 0.0)
    forked = dataclasses.replace(narrow, tubes=floats(branch))
    assert branch[0][6] == pytest.approx(0.5, abs=0.02)
    assert branch[0][7] > 0.52
    away = -np.array([branch[0][c + 3] - branch[0][c] for c in range(3)])
    away[0] = 0.0
    away /= np.linalg.norm(away)  # opposite to the branch
    hu = []
    for piece in (narrow, forked):
        volume, turn = imaged_piece(np.random.default_rng(0), piece, SHARP)
        line = np.array([[x, 0.0, 0.0] for x in (-0.8, 0.0, 0.8)]) + 1.0 * away
        hu.append(sampled(volume, line @ turn))
    assert hu[1] == pytest.approx(hu[0], abs=25)


def test_a_stack_tells_the_blur_along_each_ray():
    volume, _ = imaged_piece(np.random.default_rng(0), plain(), SHARP)
    seen = Sharpness(0.6, 1.2, 20.0, floats([0.0, 0.0, 1.0]))
    line = np.stack([np.arange(6) * 0.5 - 1.5, np.zeros(6), np.zeros(6)], axis=1)
    made = stack(volume, floats(line), floats(np.full(6, 400.0)), seen)
    along_z = np.abs(made.ray_direction[..., 2])
    width = made.image[2, :, :, 0]
    assert width[along_z > 0.999] == pytest.approx(1.2, abs=1e-3)
    assert width[along_z < 1e-6] == pytest.approx(0.6, abs=1e-6)
    assert made.image[3] == pytest.approx(0.6)  # the vessel lies in the slice


def test_the_network_sees_which_way_an_oval_lumen_lies():
    lean = 0.7  # of the long axis from +y towards +z
    away = np.arange(ANGLES) * 2 * np.pi / ANGLES - lean
    oval = np.tile(1.4 / np.hypot(np.cos(away) / 1.2, np.sin(away) * 1.2), (len(S_MM), 1))
    piece = plain(lumen_mm=floats(oval), outer_mm=floats(oval + 0.4))
    optics = Optics(0.6, 0.7, 0.0, 0.4, 0.5, 15.0, 0.3)
    volume, turn = imaged_piece(np.random.default_rng(5), piece, optics)
    s = np.arange(-4.0, 4.1, 0.5)
    line = np.stack([s, 0 * s, 0 * s], axis=1) @ turn
    raw = VesselTree(line, np.full(17, 1.4), np.arange(-1, 16))
    seen = Sharpness(0.6, 0.7, 15.0, floats([0.0, 0.0, 1.0]))
    shape = measure_lumen(volume, raw, 400.0, seen, load_network("lumen")).contours
    k = 10  # away from the first millimetres, where an ostium may lie
    angle = np.arange(32) * 2 * np.pi / 32
    rays = np.cos(angle)[:, None] * shape.zero_direction[k]
    rays = (rays + np.sin(angle)[:, None] * shape.quarter_direction[k]) @ turn.T
    long = rays @ [0.0, np.cos(lean), np.sin(lean)]
    radius = shape.radius_mm[k]
    assert radius[np.abs(long) > 0.95].mean() == pytest.approx(1.4 * 1.2, abs=0.2)
    assert radius[np.abs(long) < 0.25].mean() == pytest.approx(1.4 / 1.2, abs=0.1)


def beside_a_deposit(radius_mm, psf_mm, seed):
    """A lumen of one radius to one side of a wall of 1.9 mm, calcium filling the other.

    Returns the volume, how it is turned, and blur and noise as the pipeline would know them.
    """
    bell = np.exp(-((S_MM / 4.0) ** 4))
    size, off = 1.5 - (1.5 - radius_mm) * bell, 0.9 * radius_mm * bell
    lumen = pieces_module._off_centre(floats(size), floats(off), floats(0.0 * off))
    angle = np.arange(ANGLES) * 2 * np.pi / ANGLES
    behind = (np.cos(angle - np.pi) > np.cos(np.deg2rad(80))) & (bell > 0.3)[:, None]
    none = np.full_like(lumen, 1.9)
    piece = plain(
        lumen_mm=lumen, outer_mm=floats(none), calcium_hu=floats(np.full_like(lumen, 1500.0)),
        inner_calcium_mm=floats(np.where(behind, np.minimum(lumen + 0.1, 1.7), none)),
        outer_calcium_mm=floats(np.where(behind, 1.75, none)),
    )  # fmt: skip
    optics = Optics(psf_mm, psf_mm + 0.1, 0.0, 0.4, 0.5, 15.0, 0.3)
    volume, turn = imaged_piece(np.random.default_rng(seed), piece, optics)
    return volume, turn, Sharpness(psf_mm, psf_mm + 0.1, 15.0, floats([0.0, 0.0, 1.0]))


@pytest.mark.parametrize(("radius_mm", "psf_mm"), [(0.5, 0.65), (0.6, 0.8), (0.5, 1.0)])
def test_the_lumen_beside_a_deposit_is_found_from_a_line_through_the_deposit(radius_mm, psf_mm):
    volume, turn, seen = beside_a_deposit(radius_mm, psf_mm, 1)
    s = np.arange(-6.0, 6.1, 0.5)
    line = np.stack([s, -0.3 * np.exp(-((s / 4.0) ** 4)), 0 * s], axis=1) @ turn
    middle = np.abs(s) < 1.2
    assert (sampled(volume, line[middle]) > 900).all()
    raw = VesselTree(line, np.full(len(s), 1.4), np.arange(-1, len(s) - 1))
    found = measure_lumen(volume, raw, 400.0, seen, load_network("lumen"))
    place = (found.tree.points_mm @ turn.T)[middle]
    assert place[:, 1] == pytest.approx(0.9 * radius_mm, abs=0.15)
    assert place[:, 2] == pytest.approx(0.0, abs=0.15)
    # beside calcium the network's radius has an SD of 0.09 mm over all pieces
    assert found.tree.radius_mm[middle] == pytest.approx(radius_mm, abs=0.08)


def test_a_line_in_the_lumen_stays_where_it_is_beside_calcium_and_without():
    network = load_network("lumen")
    s = np.arange(-6.0, 6.1, 0.5)
    blood = floats(np.full(len(s), 400.0))
    volume, turn, seen = beside_a_deposit(0.6, 0.8, 2)
    lumen = floats(np.stack([s, 0.54 * np.exp(-((s / 4.0) ** 4)), 0 * s], axis=1) @ turn)
    moved = beside_calcium(volume, lumen, blood, seen, network)
    assert np.linalg.norm(moved - lumen, axis=1).max() < 0.3
    volume, turn = imaged_piece(np.random.default_rng(2), plain(), SHARP)
    line = floats(np.stack([s, 0 * s, 0 * s], axis=1) @ turn)
    np.testing.assert_array_equal(beside_calcium(volume, line, blood, seen, network), line)


def test_in_a_mouth_only_what_is_wider_than_all_that_follows_is_the_mother_s():
    mother = np.arange(0, 20)
    points = np.zeros((60, 3))
    points[:20, 0] = 0.5 * np.arange(20)
    daughter, onward = np.r_[9, 20:40], np.r_[19, 40:60]
    points[20:40] = points[9] + 0.5 * np.arange(1, 21)[:, None] * [0.0, 1.0, 0.0]
    points[40:60] = points[19] + 0.5 * np.arange(1, 21)[:, None] * [1.0, 0.0, 0.0]
    radius = np.full(60, 2.0)
    radius[20:40] = [2.1, 1.9, 0.5, 0.4, 0.7, *[1.2] * 15]  # a throat in the mouth
    radius[40:60] = [2.0, 2.0, 2.0, 1.9, 0.6, 0.5, 0.6, *[1.8] * 13]  # and one behind it
    before = radius.copy()
    _clean_take_offs(points, radius, (mother, daughter, onward))
    np.testing.assert_allclose(radius[20:26], [1.2, 1.2, 0.5, 0.4, 0.7, 1.2], rtol=0, atol=0)
    np.testing.assert_allclose(radius[40:60], np.minimum(before[40:60], 1.8), rtol=0, atol=0)
    np.testing.assert_array_equal(radius[:20], before[:20])


def test_each_of_two_vessels_from_one_ostium_has_its_own_mouth():
    points = np.zeros((41, 3))
    points[1:21, 0] = points[21:41, 1] = 0.5 * np.arange(1, 21)
    radius = np.full(41, 2.0)
    radius[:4] = 3.0  # aortic blood in the first
    radius[21:41], radius[21:24] = 0.8, (2.9, 0.5, 1.5)  # and in the second, with a throat
    _clean_take_offs(points, radius, (np.arange(21), np.r_[0, 21:41]))
    np.testing.assert_array_equal(radius[:21], 2.0)
    np.testing.assert_array_equal(radius[21:24], [0.8, 0.5, 0.8])
