"""Motion, streaks, bands and noise do in the picture what they are named after."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from ffr.phantom import imaging as scanner
from ffr.phantom.artefacts import (
    WATER_PER_MM,
    _reconstructed,
    _sinogram,
    add_streaks,
    grow_with_absorption,
    moved,
    shaped_noise,
    uneven,
)
from ffr.phantom.imaging import imaged, random_imaging
from ffr.phantom.study import clinical_imaging
from meshes.volume import axis_aligned_grid

QUIET = replace(clinical_imaging(1), noise_hu=1e-3)


def lattice(size, spacing):
    size = np.asarray(size)
    origin = -0.5 * (size - 1) * np.broadcast_to(spacing, 3)
    grid = axis_aligned_grid(tuple(size), spacing, tuple(origin))
    axes = [o + h * np.arange(n) for o, h, n in zip(origin, grid.spacing_mm, size, strict=True)]
    z, y, x = np.meshgrid(*axes[::-1], indexing="ij")
    return grid, x, y, z


def rods(x, y, places, radius=2.0, hu=2000.0):
    picture = np.zeros(x.shape, dtype=np.float32)
    for px, py in places:
        picture[np.hypot(x - px, y - py) < radius] = hu
    return picture


def test_motion_doubles_contours_where_the_heart_is_fastest_and_moves_nothing_on_average():
    grid, x, y, z = lattice((80, 80, 40), 0.5)
    ball = 1000.0 * (np.sqrt(x**2 + y**2 + z**2) < 1.0).astype(np.float32)
    for seed in range(4):
        out = moved(
            ball, grid, replace(QUIET, motion_mm=4.0), np.random.default_rng(seed), np.zeros(3)
        )
        weight = out.astype(float) / out.sum()
        centre = [(weight * c).sum() for c in (x, y, z)]
        assert np.linalg.norm(centre) < 0.4
        spread = np.sqrt(
            sum((weight * (c - m) ** 2).sum() for c, m in zip((x, y, z), centre, strict=True))
        )
        still = np.sqrt((ball / ball.sum() * (x**2 + y**2 + z**2)).sum())
        assert still + 0.5 < spread < 3.0  # halves 4 mm apart: 2 mm from the middle
        assert out.max() < 800.0
        assert out.sum() == pytest.approx(ball.sum(), rel=0.15)


def test_the_heart_stands_still_far_from_the_fastest_place():
    grid, x, y, _ = lattice((60, 60, 6), 4.0)
    picture = (100.0 * ((np.floor(x / 8) + np.floor(y / 8)) % 2)).astype(np.float32)
    out = moved(
        picture, grid, replace(QUIET, motion_mm=3.0), np.random.default_rng(1), np.zeros(3)
    )
    change = np.abs(out - picture)
    assert change[2:4, 25:35, 25:35].mean() > 4 * change[:, :4, :4].mean()


def test_a_disc_is_reconstructed_from_its_projections():
    image = np.zeros((1, 101, 101), dtype=np.float32)
    y, x = np.mgrid[-50:51, -50:51]
    image[0][np.hypot(x, y) < 20] = 500.0
    rays, angle = _sinogram(image * (WATER_PER_MM / 1000), 1.2)
    across = rays[0, :, rays.shape[2] // 2].mean()
    assert across == pytest.approx(500 * WATER_PER_MM / 1000 * 40 * 1.2, rel=0.03)
    back = _reconstructed(rays, angle, image.shape, 1.2)
    assert back[0, 45:56, 45:56].mean() == pytest.approx(500.0, rel=0.02)
    assert abs(back[0][np.hypot(x, y) > 30].mean()) < 25


def test_bands_between_dense_things_are_dark_and_elsewhere_little_changes():
    grid, x, y, _ = lattice((120, 120, 6), 0.5)
    picture = rods(x, y, [(-12, 0), (12, 0)], 3.0, 1500.0)
    seen = np.zeros_like(picture)
    strong = replace(QUIET, hardening_percent=25.0)
    add_streaks(seen, picture, grid, strong, np.random.default_rng(0))
    between = seen[:, np.hypot(x[0], y[0]) < 3].mean()
    beside = seen[:, np.hypot(x[0], y[0] - 15) < 3].mean()
    assert between < -4
    assert abs(beside) < 0.3 * abs(between)
    nothing = np.zeros_like(picture)
    add_streaks(nothing, nothing + 100.0, grid, strong, np.random.default_rng(0))
    assert np.abs(nothing).max() < 1e-3


def test_streaks_leave_metal_and_weaken_with_distance():
    grid, x, y, _ = lattice((160, 160, 6), 0.5)
    seen = np.zeros(x.shape, dtype=np.float32)
    metal = rods(x, y, [(0, 0)], 1.0, 10000.0)
    add_streaks(
        seen, metal, grid, replace(QUIET, starvation_percent=100.0), np.random.default_rng(0)
    )
    off = np.hypot(x, y)
    near, far = (seen[(off > r) & (off < r + 3)].std() for r in (4, 30))
    assert near > 2 * far > 1.0


def test_noise_is_strongest_where_its_spectrum_says():
    rng = np.random.default_rng(2)
    for peak in (0.25, 0.5):
        noise = shaped_noise(rng, (24, 128, 128), np.array([0.5, 0.4, 0.4]), peak, 0.3)
        assert noise.std() == pytest.approx(1.0, rel=0.05)
        power = (np.abs(np.fft.fft2(noise, axes=(1, 2))) ** 2).mean(axis=0)
        f = np.hypot(*np.meshgrid(np.fft.fftfreq(128, 0.4), np.fft.fftfreq(128, 0.4)))
        bins = np.arange(0, 1.25, 0.05)
        nps = np.array([power[(f >= a) & (f < a + 0.05)].mean() for a in bins])
        assert bins[np.argmax(gaussian_filter1d(nps, 1.0))] + 0.025 == pytest.approx(
            peak, abs=0.08
        )
        assert nps[0] < 0.35 * nps.max()  # unlike blurred white noise


def test_noise_grows_where_rays_lose_more():
    grid, x, y, _ = lattice((100, 100, 12), 2.0)
    body = np.where(np.hypot(x, y) < 90, 0.0, -1000.0).astype(np.float32)
    noise = np.random.default_rng(0).standard_normal(x.shape, dtype=np.float32)
    one = noise.copy()
    imaging = replace(QUIET, noise_growth_percent=100.0)
    grow_with_absorption(one, body, grid, imaging, np.random.default_rng(1))
    off = np.hypot(x, y)
    assert one[off < 20].std() > 1.3 * one[(off > 75) & (off < 88)].std()


def test_shoulders_streak_from_side_to_side_in_the_upper_slices_only():
    grid, x, _, _ = lattice((100, 100, 60), (2.0, 2.0, 2.0))
    water = np.zeros(x.shape, dtype=np.float32)
    noise = np.zeros_like(water)
    imaging = replace(QUIET, shoulder_hu=20.0)
    grow_with_absorption(noise, water, grid, imaging, np.random.default_rng(1))
    assert noise[:20].std() < 0.2 * noise[-8:].std()
    top = noise[-8:, 20:80, 20:80]
    along = np.abs(np.diff(top, axis=2)).mean()
    across = np.abs(np.diff(top, axis=1)).mean()
    assert along < 0.35 * across


@pytest.mark.parametrize("grain_mm", [2.0, 6.0])
def test_unevenness_has_the_strength_and_the_size_that_are_asked_for(grain_mm):
    grid, x, _, _ = lattice((90, 90, 60), (0.6, 0.6, 0.9))
    tissue = np.full(x.shape, 40.0, dtype=np.float32)
    imaging = replace(QUIET, texture_hu=20.0, texture_grain_mm=grain_mm)
    uneven(tissue, grid, imaging, np.random.default_rng(2))
    assert tissue.std() == pytest.approx(20.0, rel=0.15)
    change = tissue - tissue.mean()
    at = round(grain_mm / 0.6)  # a Gaussian of that SD: correlation exp(-1/4) one grain away
    likeness = np.mean(change[:, :, at:] * change[:, :, :-at]) / change.var()
    assert likeness == pytest.approx(np.exp(-0.25), abs=0.12)


def test_faults_are_drawn_without_changing_the_rest_of_a_scan(monkeypatch):
    rng = np.random.default_rng(3)
    drawn = random_imaging(rng)
    after = rng.random()
    monkeypatch.setattr(scanner, "_artefacts", lambda rng: {})
    rng = np.random.default_rng(3)
    plain = random_imaging(rng)
    assert rng.random() == after
    assert plain.psf_mm == drawn.psf_mm
    assert plain.tissue_hu == drawn.tissue_hu


def test_random_scans_have_faults_at_the_chances_that_are_told():
    drawn = [random_imaging(np.random.default_rng([9, s])) for s in range(300)]
    shares = [
        np.mean([getattr(d, name) > 0 for d in drawn])
        for name in (
            "motion_mm", "hardening_percent", "noise_peak_per_mm", "shoulder_hu", "texture_hu"
        )
    ]  # fmt: skip
    assert np.allclose(shares, [0.2, 0.6, 0.7, 0.15, 0.6], atol=0.08)
    bright = [dict(d.tissue_hu)["vein"] / d.contrast_hu > 0.8 for d in drawn]
    assert 0.35 < np.mean(bright) < 0.6
    motion = [d.motion_mm for d in drawn if d.motion_mm > 0]
    assert 0.3 <= min(motion) < max(motion) <= 3.0


def test_a_clinical_scan_has_none_of_them():
    usual = clinical_imaging(7)
    for name in ("motion_mm", "hardening_percent", "starvation_percent", "noise_peak_per_mm",
                 "noise_growth_percent", "shoulder_hu", "texture_hu"):  # fmt: skip
        assert getattr(usual, name) == 0.0


def test_all_faults_together_leave_a_picture_of_the_ordered_noise():
    grid, x, y, _ = lattice((96, 96, 20), 0.5)
    picture = np.where(np.hypot(x, y) < 18, 400.0, 50.0).astype(np.float32)
    faults = replace(
        clinical_imaging(1), noise_hu=25.0, motion_mm=1.0, hardening_percent=20.0,
        starvation_percent=100.0, noise_peak_per_mm=0.35, noise_growth_percent=80.0,
    )  # fmt: skip
    seen = imaged(picture, grid, faults, 4)
    middle = seen[4:-4, 36:60, 36:60].astype(float)
    assert middle.std() == pytest.approx(25.0, rel=0.3)
    assert middle.mean() == pytest.approx(400.0, abs=30)
