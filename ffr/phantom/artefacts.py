"""What else goes wrong in a scan: motion within the beat, streaks, dark bands, uneven noise.

All in image space and in the planes of the grid. Streaks and bands come from projections of
a coarse picture (pixels of about 1.2 mm): what a scanner gets wrong in its rays is put there
and reconstructed, so bands lie between bright things and streaks leave metal along rays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter1d

from ffr.phantom.artefact_kernels import (
    block_means,
    blocks,
    change_coarsely,
    displaced,
    project,
    smear_back,
)
from meshes.arrays import AnyArray, Floats, Ints, floats, ints
from meshes.volume import Grid, array_shape, ijk_to_points_mm

if TYPE_CHECKING:
    from ffr.phantom.imaging import Imaging

PIXEL_MM, SLICE_MM = 1.2, 1.6  # of the coarse picture
FIELD_MM = 5.0  # of the coarse field of motion
ANGLES = 120
WATER_PER_MM = 0.02  # attenuation of water near 65 keV
IODINE_HU = 150.0  # denser than any soft tissue: hardens the beam
HARD_HU = 700.0  # calcium and metal
NO_MAP = np.zeros((0, 0, 0), dtype=np.float32)
FEWEST = 1e-4  # denser blocks than this share of HARD_HU make streaks


def _block(grid: Grid, plane_mm: float, along_mm: float) -> Ints:
    """Voxels (k, j, i) that a sample of a coarse map stands for."""
    i, j, k = np.asarray(grid.spacing_mm)
    return ints(np.maximum(1, np.rint([along_mm / k, plane_mm / j, plane_mm / i])))


def uneven(hu: AnyArray, grid: Grid, imaging: Imaging, rng: np.random.Generator) -> None:
    """Make tissue uneven, in place: strands in fat, contrast not yet mixed, perfusion."""
    block = _block(grid, PIXEL_MM, PIXEL_MM)
    change = rng.standard_normal(blocks(array_shape(grid), block), dtype=np.float32)
    sizes = block * np.asarray(grid.spacing_mm)[::-1]
    for axis in range(3):
        change = gaussian_filter1d(change, imaging.texture_grain_mm / sizes[axis], axis=axis)
    change *= imaging.texture_hu / max(float(change.std()), 1e-6)
    change_coarsely(hu, NO_MAP, change, block)


def moved(
    hu: AnyArray, grid: Grid, imaging: Imaging, rng: np.random.Generator,
    place_mm: Floats | None,
) -> AnyArray:  # fmt: skip
    """Return the mean of two to four pictures of a heart in motion: double contours.

    The way is smooth in space and largest near `place_mm` (the middle of the right coronary
    artery, where it is in life), else anywhere. The mean of the ways is 0: truth is the
    middle of the motion.
    """
    block = _block(grid, FIELD_MM, FIELD_MM)
    shape = blocks(array_shape(grid), block)
    k, j, i = np.meshgrid(
        *((np.arange(n) + 0.5) * b - 0.5 for n, b in zip(shape, block, strict=True)),
        indexing="ij",
    )
    points = ijk_to_points_mm(grid, np.stack([i, j, k], axis=-1))
    low, high = points.reshape(-1, 3).min(axis=0), points.reshape(-1, 3).max(axis=0)
    field = np.zeros((*shape, 3))
    for bump in range(4):
        centre = rng.uniform(low, high)
        width, share = rng.uniform(25, 45), 0.35
        if bump == 0:
            centre = centre if place_mm is None else np.asarray(place_mm)
            width, share = rng.uniform(15, 28), 1.0
        way = rng.normal(size=3)
        way /= np.linalg.norm(way)
        off = ((points - centre) ** 2).sum(axis=-1)
        field += share * np.exp(-0.5 * off / width**2)[..., None] * way
    field *= imaging.motion_mm / max(float(np.linalg.norm(field, axis=-1).max()), 1e-6)
    local = field @ grid.direction / grid.spacing_mm  # voxels along i, j, k
    shift = np.ascontiguousarray(np.moveaxis(local[..., ::-1], -1, 0))
    count = int(rng.choice([2, 3, 4], p=[0.6, 0.25, 0.15]))
    out = np.empty_like(hu)
    displaced(out, hu, shift, block, floats(np.linspace(-0.5, 0.5, count)))
    return out


def _sinogram(image: AnyArray, pixel_mm: float) -> tuple[AnyArray, Floats]:
    angle = floats(np.arange(ANGLES) * np.pi / ANGLES)
    rays = int(np.ceil(np.hypot(*image.shape[1:]))) + 4
    sinogram = np.zeros((image.shape[0], ANGLES, rays), dtype=np.float32)
    project(sinogram, image, angle, pixel_mm)
    # rows of pixels fall 0.7 rays apart at 45 degrees: without this they would show
    return gaussian_filter1d(sinogram, 0.7, axis=2), angle


def _reconstructed(
    sinogram: AnyArray, angle: Floats, shape: tuple[int, ...], pixel_mm: float
) -> AnyArray:
    """Filtered back-projection in HU: ramp with a Hann window."""
    n = fft.next_fast_len(2 * sinogram.shape[2], real=True)
    f = np.fft.rfftfreq(n, pixel_mm)
    ramp = (f * (0.5 + 0.5 * np.cos(np.pi * f / f[-1]))).astype(np.float32)
    filtered = fft.irfft(fft.rfft(sinogram, n, axis=2) * ramp, n, axis=2)
    filtered = np.ascontiguousarray(filtered[:, :, : sinogram.shape[2]])
    image = np.empty(shape, dtype=np.float32)
    smear_back(image, filtered, angle)
    return np.asarray(image * (np.pi * 1000 / WATER_PER_MM), dtype=np.float32)


def add_streaks(
    seen: AnyArray, sharp: AnyArray, grid: Grid, imaging: Imaging, rng: np.random.Generator
) -> None:
    """Add dark bands and streaks of the dense parts of `sharp` to `seen`, in place.

    A ray through dense matter of line integral D is measured too short by `hardening` x D^2 /
    (1 + D) (the beam loses its soft part), and wrong by chance by `starvation` x its hard part
    (few photons, motion during the turn).
    """
    block = _block(grid, PIXEL_MM, SLICE_MM)
    shape = blocks(array_shape(grid), block)
    pixel = float(block[2] * grid.spacing_mm[0])
    per_mm = WATER_PER_MM / 1000
    dense, hard = (np.empty(shape, dtype=np.float32) for _ in range(2))
    block_means(dense, sharp, block, IODINE_HU)
    block_means(hard, sharp, block, HARD_HU)
    hard[hard < FEWEST * HARD_HU] = 0.0
    rays, angle = _sinogram(dense * per_mm, pixel)
    wrong = -imaging.hardening_percent / 100 * rays**2 / (1 + rays)
    if imaging.starvation_percent > 0 and hard.any():
        core, _ = _sinogram(hard * per_mm, pixel)
        chance = rng.standard_normal(core.shape, dtype=np.float32)
        chance = gaussian_filter1d(chance, 0.7, axis=0)
        wrong += imaging.starvation_percent / 100 * core * chance
    change_coarsely(seen, NO_MAP, _reconstructed(wrong, angle, shape, pixel), block)


def shaped_noise(
    rng: np.random.Generator, shape: tuple[int, ...], spacing_mm: Floats, peak_per_mm: float,
    grain_mm: float,
) -> AnyArray:  # fmt: skip
    """Return noise (k, j, i) of SD 1 with a scanner's spectrum; voxel sizes along k, j, i.

    In plane NPS(f) ~ f exp(-f^2 / (2 peak^2)): the ramp of filtered back-projection times a
    kernel's fall, largest at `peak_per_mm`; along the table a Gaussian of SD `grain_mm`.
    """
    noise = rng.standard_normal(shape, dtype=np.float32)
    noise = gaussian_filter1d(noise, grain_mm / spacing_mm[0], axis=0)
    fy = np.fft.fftfreq(shape[1], spacing_mm[1])[:, None]
    fx = np.fft.rfftfreq(shape[2], spacing_mm[2])[None]
    f = np.hypot(fy, fx)
    gain = np.sqrt(f * np.exp(-0.5 * (f / peak_per_mm) ** 2)).astype(np.float32)
    for first in range(0, shape[0], 16):
        part = noise[first : first + 16]
        spectrum = fft.rfft2(part, axes=(1, 2)) * gain
        noise[first : first + 16] = fft.irfft2(spectrum, part.shape[1:], axes=(1, 2))
    return noise / float(noise[:: max(1, len(noise) // 16)].std())


def grow_with_absorption(
    noise: AnyArray, hu: AnyArray, grid: Grid, imaging: Imaging, rng: np.random.Generator
) -> None:
    """Make noise stronger where rays lose more, and add streaks along the shoulders, in place.

    The variance at a place is the mean of 1 / photons of its rays, exp of the attenuation;
    `growth` 100 % is that law, relative to the median of the picture. Shoulders lengthen the
    rays from side to side in the upper slices: noise along them.
    """
    block = _block(grid, 2 * PIXEL_MM, 2 * SLICE_MM)
    shape = blocks(array_shape(grid), block)
    pixel = float(block[2] * grid.spacing_mm[0])
    matter = np.empty(shape, dtype=np.float32)
    block_means(matter, hu, block, -1000.0)
    rays, angle = _sinogram(matter * (WATER_PER_MM / 1000), pixel)
    inverse = np.exp(rays - rays.max())
    if imaging.noise_growth_percent > 0:
        level = np.empty(shape, dtype=np.float32)
        smear_back(level, inverse, angle)
        level = np.sqrt(level / np.median(level)) ** (imaging.noise_growth_percent / 100)
        change_coarsely(noise, np.clip(level, 0.4, 2.5).astype(np.float32), NO_MAP, block)
    if imaging.shoulder_hu > 0:
        chance = rng.standard_normal(rays.shape, dtype=np.float32) * np.sqrt(inverse)
        chance *= (np.cos(angle[:, None] - np.pi / 2) ** 16).astype(np.float32)
        streaks = _reconstructed(chance, angle, shape, pixel)
        high = (
            np.linspace(0, 1, shape[0]) if shape[0] * SLICE_MM * 2 > 80 else np.ones(shape[0])
        )
        streaks *= imaging.shoulder_hu / max(float(streaks.std()), 1e-6)
        streaks *= np.clip(2 * high - 0.8, 0, 1).astype(np.float32)[:, None, None]
        change_coarsely(noise, NO_MAP, streaks, block)
