"""The second imaging model is a CT scanner: its HU, edges, noise and blur behave like one."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ffr.phantom.piece_kernels import paint_piece
from ffr.phantom.pieces import S_MM, STEP_MM, lumen_axis_mm, random_piece
from ffr.segmentation.stacks import lesson
from meshes.arrays import floats
from meshes.straighten import sampled
from validation.projection import (
    BALL_MM,
    Scene,
    projected_piece,
    random_turn,
    reconstructed,
)
from validation.projection_kernels import attenuation
from validation.projection_lessons import (
    chamber,
    measured_sharpness,
    point_spread_mm,
    projected,
)
from validation.projection_scanner import Scanner

SCANNER = Scanner(
    focal_mm=0.4, aperture_mm=0.5, kernel="hann", cut_per_mm=1.3, boost_percent=20.0,
    thickness_mm=0.7, increment_mm=0.4, voxel_mm=0.4, photons_per_mm2=4e6,
    body_percent=95.0, place_rad=0.7, shift_mm=(0.0, 0.0),
)  # fmt: skip
ROWS = 9


def uprights(*discs):
    """Return upright cylinders (x, y, radius, soft, dense) through nine detector rows."""
    empty = np.zeros((0, 4), dtype=np.float32)
    stacked = floats(np.tile(np.array(discs, dtype=float).reshape(1, -1, 5), (ROWS, 1, 1)))
    return Scene(empty, np.zeros(ROWS + 1, np.int64), stacked, -1.2)


def middle_slice(scene, scanner=SCANNER, rng=None, half_mm=7.5, voxel_mm=0.25):
    n = round(half_mm / voxel_mm)
    corner = floats([-n * voxel_mm] * 2)
    shape = (2 * n + 1, 2 * n + 1)
    hu = reconstructed(rng, scanner, scene, corner, shape, voxel_mm, floats([0.0]))[0]
    at = voxel_mm * np.arange(-n, n + 1)
    return hu, np.hypot(at[:, None], at)


def test_water_is_zero_and_air_a_thousand_below():
    for relative, hu in ((1.0, 0.0), (0.0, -1000.0), (1.05, 50.0)):
        seen, away = middle_slice(uprights((0, 0, 6.0, relative - 1.05, 0)))
        assert seen[away < 4].mean() == pytest.approx(hu, abs=8.0)


@pytest.mark.parametrize("radius_mm", [1.5, 4.0])
def test_a_disc_keeps_its_attenuation_and_its_edge(radius_mm):
    empty, _ = middle_slice(uprights((0, 0, 6.0, 0, 0)))
    seen, _ = middle_slice(uprights((0.2, -0.1, radius_mm, 0.3, 0)))
    rise = seen - empty
    from_middle = np.hypot(*(np.mgrid[-30:31, -30:31] * 0.25 - [[[-0.1]], [[0.2]]]))
    total = rise[from_middle < radius_mm + 2].sum() * 0.25**2
    assert total == pytest.approx(300.0 * np.pi * radius_mm**2, rel=0.02)
    at = 0.25 * np.arange(-30, 31)
    here = rise * (from_middle < radius_mm + 2)
    for axis, middle_mm in ((0, 0.2), (1, -0.1)):
        assert (here.sum(axis=axis) * at).sum() / here.sum() == pytest.approx(
            middle_mm, abs=0.03
        )
    near = np.abs(from_middle - radius_mm) < 0.35
    slope, level = np.polyfit(from_middle[near], rise[near], 1)
    if radius_mm > 2:
        assert rise[from_middle < radius_mm - 1.5].mean() == pytest.approx(300.0, abs=4.0)
        assert (150.0 - level) / slope == pytest.approx(radius_mm, abs=0.05)


def test_noise_falls_with_the_root_of_the_photons():
    scene = uprights((0, 0, 6.0, 0, 0))
    clean, _ = middle_slice(scene)
    sd = [
        np.std(
            middle_slice(scene, replace(SCANNER, photons_per_mm2=n), np.random.default_rng(5))[
                0
            ]
            - clean
        )
        for n in (1e6, 4e6, 16e6)
    ]
    assert sd[0] / sd[1] == pytest.approx(2.0, rel=0.06)
    assert sd[1] / sd[2] == pytest.approx(2.0, rel=0.06)
    assert 5 < sd[1] < 60


def test_noise_is_grainy_neither_white_nor_slow():
    scene = uprights((0, 0, 6.0, 0, 0))
    clean, _ = middle_slice(scene)
    power, fade = 0.0, np.hanning(len(clean))
    for seed in range(6):
        noise = middle_slice(scene, rng=np.random.default_rng(seed))[0] - clean
        power = power + np.abs(np.fft.fft2(noise * fade * fade[:, None])) ** 2
    f = np.fft.fftfreq(len(clean), 0.25)
    f = np.hypot(f[:, None], f)
    bands = (f > 0.06) & (f < 0.15), (f > 0.35) & (f < 0.7), (f > 1.3) & (f < 1.9)
    low, middle, high = (power[band].mean() for band in bands)
    assert middle > 2.5 * low
    assert middle > 20 * high


@pytest.mark.parametrize("thickness_mm", [0.5, 0.9])
def test_a_thin_plate_shows_the_slice_thickness(thickness_mm):
    height = -1.2 + 0.3 * np.arange(ROWS)
    plate = np.array(uprights((0, 0, 5.0, 0.5, 0)).discs)
    inside = np.clip(np.minimum(height + 0.2, 0.05) - np.maximum(height - 0.2, -0.05), 0, None)
    plate[:, :, 3] *= inside[:, None] / 0.4
    scene = Scene(np.zeros((0, 4), np.float32), np.zeros(ROWS + 1, np.int64), plate, -1.2)
    z = np.arange(-0.9, 0.91, 0.05)
    thick = replace(SCANNER, thickness_mm=thickness_mm)
    one = (1, 1)
    seen = reconstructed(None, thick, scene, floats([0.0, 0.0]), one, 0.3, floats(z))[:, 0, 0]
    seen = seen - seen.min()
    width = 0.05 * np.count_nonzero(seen > 0.5 * seen.max())
    assert width == pytest.approx(thickness_mm, abs=0.11)


def test_kernel_and_focal_spot_set_the_point_spread():
    soft, usual, sharp = (
        point_spread_mm(replace(SCANNER, cut_per_mm=c)) for c in (0.7, 1.3, 2.4)
    )
    assert soft > usual + 0.2 > sharp + 0.3
    assert point_spread_mm(replace(SCANNER, focal_mm=0.9)) > usual + 0.05
    assert point_spread_mm(replace(SCANNER, boost_percent=100.0)) < usual - 0.05
    assert sharp > 0.4
    assert soft < 1.6


def test_a_sharp_kernel_overshoots_at_edges():
    scene = uprights((0, 0, 4.0, 0.3, 0))
    highest = [
        middle_slice(scene, replace(SCANNER, boost_percent=b))[0].max() for b in (0.0, 120.0)
    ]
    assert highest[0] < 350.0 + 10.0
    assert highest[1] > 350.0 + 25.0


def test_much_contrast_medium_hardens_the_beam():
    wide, away = middle_slice(uprights((0, 0, 9.0, 0, 0.6)), half_mm=2.0)
    narrow, _ = middle_slice(uprights((0, 0, 3.0, 0, 0.6)), half_mm=2.0)
    assert narrow[away < 1].mean() > wide[away < 1].mean() + 10.0


def test_motion_smears_but_does_not_displace():
    scene = uprights((0, 0, 0.4, 0.6, 0))
    still, away = middle_slice(scene)
    moved, _ = middle_slice(scene, replace(SCANNER, shift_mm=(0.5, 0.0)))
    assert moved.max() < 0.96 * still.max()
    grid = 0.25 * np.arange(-30, 31)
    for axis in (0, 1):
        rise = (moved - 50.0) * (away < 3.0)
        assert (rise.sum(axis=axis) * grid).sum() / rise.sum() == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("seed", [1, 2, 5, 12, 17])
def test_both_models_image_the_same_piece(seed):
    piece = random_piece(np.random.default_rng([seed, 41]))
    turn = random_turn(np.random.default_rng(seed))
    n, step = 60, 0.2
    shape, first = (n, n, n), floats([-0.5 * (n - 1) * step] * 3)
    soft, dense = np.zeros((2, *shape), dtype=np.float32)
    hu, part = np.zeros((2, *shape), dtype=np.float32)
    tables = (
        piece.lumen_mm, piece.outer_mm, piece.plaque_hu, piece.inner_calcium_mm,
        piece.outer_calcium_mm, piece.calcium_hu, piece.rings, piece.strut,
    )  # fmt: skip
    bent = (piece.curvature_1_mm, float(S_MM[0]), STEP_MM)
    attenuation(
        soft, dense, first, floats([step] * 3), turn, BALL_MM, *bent, *tables,
        piece.around_hu, piece.blood_hu, piece.planes, piece.tubes,
    )  # fmt: skip
    paint_piece(
        hu, part, floats([step] * 3), floats(first @ turn), turn, *bent, *tables,
        floats([piece.around_hu, piece.blood_hu]), piece.planes, piece.tubes,
    )  # fmt: skip
    at = first[0] + step * np.arange(n)
    ball = np.sqrt(at[:, None, None] ** 2 + at[:, None] ** 2 + at**2) < BALL_MM - 0.3
    apart = np.abs(1000.0 * (soft + dense) + piece.around_hu - hu)[ball]
    assert apart.mean() < 1.0
    assert (part[ball] > 0.9).any()


def test_points_of_the_piece_times_the_rotation_lie_in_the_scan():
    wide = next(
        p
        for p in (random_piece(np.random.default_rng([seed, 41])) for seed in range(50))
        if p.lumen_mm.min() > 1.8 and not p.stented and p.curvature_1_mm > 0.1
    )
    rng = np.random.default_rng(3)
    about = Rotation.from_rotvec([0.5, 0.9, -0.7]).as_matrix()  # far from its own inverse
    volume, turn = projected_piece(rng, wide, SCANNER, floats(about))
    line = lumen_axis_mm(wide, floats(np.linspace(-4, 4, 9)))
    assert volume.values.dtype == np.int16
    assert np.abs(sampled(volume, floats(line @ turn)) / wide.blood_hu - 1).max() < 0.25


def test_blur_and_noise_are_measured_as_in_the_pipeline():
    piece = random_piece(np.random.default_rng([1000001, 41]))
    found = []
    for cut in (0.8, 1.8):
        scanner = replace(SCANNER, cut_per_mm=cut, photons_per_mm2=1e7, thickness_mm=0.8)
        seen, blood = measured_sharpness(np.random.default_rng(1), scanner, piece)
        assert seen.psf_mm == pytest.approx(point_spread_mm(scanner), rel=0.35)
        assert blood == pytest.approx(piece.blood_hu, rel=0.2)
        found.append(seen)
    assert found[0].psf_mm > found[1].psf_mm + 0.2
    assert found[0].noise_hu < found[1].noise_hu
    noise = chamber(np.random.default_rng(2), scanner, 400.0, -90.0).values[8, 25:45, 10:16]
    assert found[1].noise_hu == pytest.approx(noise.std(), rel=0.4)


def test_a_seed_gives_the_same_piece_to_both_models():
    first, second = lesson(1000002), projected(1000002)
    areas = [np.sqrt((x.lumen_mm**2).mean(axis=1)) for x in (first, second.lesson)]
    np.testing.assert_allclose(areas[0][4:-4], areas[1][4:-4], rtol=0.12)
    assert second.lesson.image.shape == first.image.shape
    again = projected(1000002)
    np.testing.assert_array_equal(second.lesson.image, again.lesson.image)
    assert np.isfinite(second.lesson.image).all()
    assert not np.array_equal(second.lesson.image[2], second.told.image[2])
