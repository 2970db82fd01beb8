"""How the lumen network sees a vessel: pulled straight, polar, with what blurs it.

One definition for training and use. A stack has a section every half millimetre of the
centreline; each section has rays in even angles and samples along each ray.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ffr.imaging.sharpness import Sharpness
from ffr.phantom.pieces import (
    Optics,
    Piece,
    imaged_piece,
    lumen_axis_mm,
    random_optics,
    random_piece,
    true_calcium,
    true_contours_mm,
)
from meshes.arrays import AnyArray, Floats, floats
from meshes.straighten import frames, sampled
from meshes.volume import Volume

ANGLES, SAMPLES, STEP_MM = 32, 56, 0.1
SECTION_MM = 0.5
FRAME_SMOOTHING_POINTS = 3.0
CHANNELS = 7
HU_SCALE = 1000.0  # of the second channel
TRAINED_SECTIONS = 17  # of one piece
ANGLES_RAD = np.arange(ANGLES) * 2 * np.pi / ANGLES
RADII_MM = (np.arange(SAMPLES) + 0.5) * STEP_MM


# how wrong blur, noise and blood may be as a scan tells them; relative, SD
PSF_ERROR, PSF_Z_ERROR, NOISE_ERROR, BLOOD_ERROR = 0.08, 0.12, 0.15, 0.04


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """A straightened vessel piece.

    Parameters
    ----------
    image
        Network input, shape (CHANNELS, sections, ANGLES, SAMPLES), float32.
    ray_direction
        Unit vectors of all rays, shape (sections, ANGLES, 3).
    """

    image: AnyArray
    ray_direction: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """Attenuation along rays across a vessel, and how they lie to the slices.

    Parameters
    ----------
    hu
        Shape (sections, ANGLES, SAMPLES), float32.
    direction
        Unit vectors of all rays, shape (sections, ANGLES, 3).
    across_part, along_part
        Squared cosine between the slices' normal and each ray, (sections, ANGLES), and the
        vessel's axis, (sections,).
    """

    hu: AnyArray
    direction: Floats
    across_part: AnyArray
    along_part: AnyArray


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of a scan when its vessels are read; of one, or of many: shape (...,).

    Parameters
    ----------
    psf_mm, psf_z_mm
        Width of the point spread in the slices and across them.
    noise_hu, blood_hu
        Noise, and blood nearby.
    """

    psf_mm: AnyArray
    psf_z_mm: AnyArray
    noise_hu: AnyArray
    blood_hu: AnyArray


def stack(volume: Volume, curve_mm: Floats, blood_hu: Floats, seen: Sharpness) -> Stack:
    """Return what the network sees along a centreline (n, 3) with local blood HU (n,)."""
    rays = rays_across(volume, curve_mm, seen.across_direction)
    psf, psf_z, noise = (
        np.full(len(curve_mm), x) for x in (seen.psf_mm, seen.psf_z_mm, seen.noise_hu)
    )
    return Stack(picture(rays, Known(psf, psf_z, noise, blood_hu)), rays.direction)


def rays_across(volume: Volume, curve_mm: Floats, across_direction: Floats) -> Rays:
    """Sample a volume on rays in even angles around a curve (n, 3)."""
    tangent, normal, binormal = frames(curve_mm, FRAME_SMOOTHING_POINTS)
    c, s = np.cos(ANGLES_RAD)[:, None], np.sin(ANGLES_RAD)[:, None]
    spokes = floats(c * normal[:, None, :] + s * binormal[:, None, :])
    points = curve_mm[:, None, None, :] + spokes[:, :, None, :] * RADII_MM[:, None]
    hu = sampled(volume, points, outside=-1024.0).astype(np.float32)
    parts = ((direction @ across_direction) ** 2 for direction in (spokes, tangent))
    return Rays(hu, spokes, *(x.astype(np.float32) for x in parts))


def picture(rays: Rays, known: Known) -> AnyArray:
    """Return network input, (..., CHANNELS, sections, ANGLES, SAMPLES), float32.

    Both may have further axes in front; what is known is told for each section.
    """
    hu, blood = rays.hu, known.blood_hu[..., None, None]
    across = _width(known.psf_mm[..., None], known.psf_z_mm[..., None], rays.across_part)
    along = _width(known.psf_mm, known.psf_z_mm, rays.along_part)
    noise = np.minimum(5.0 * known.noise_hu / known.blood_hu, 3.0)
    channels = (
        np.clip(hu / blood, -0.5, 2.5), np.clip(hu, -300.0, 2700.0) / HU_SCALE,
        across[..., None], along[..., None, None], noise[..., None, None], blood / 500.0,
        RADII_MM / 5.0,
    )  # fmt: skip
    image = np.empty((*hu.shape[:-3], CHANNELS, *hu.shape[-3:]), dtype=np.float32)
    for k, channel in enumerate(channels):
        image[..., k, :, :, :] = channel
    return image


def _width(psf_mm: AnyArray, psf_z_mm: AnyArray, part: AnyArray) -> AnyArray:
    """Return the point spread's width along directions, mm."""
    return np.asarray(np.sqrt(psf_mm**2 * (1 - part) + psf_z_mm**2 * part))


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """One piece as input and truth.

    Parameters
    ----------
    rays
        What the scan shows.
    real, told
        Blur, noise and blood as they are, and as the scan tells them; shape ().
    lumen_mm, outer_mm
        Way along each ray to the lumen's contour and to the outer wall, (sections, ANGLES).
    calcium
        Samples in calcium, (sections, ANGLES, SAMPLES), 0 or 1.
    stented
        Sections inside a stent, (sections,), 0 or 1.
    """

    rays: Rays
    real: Known
    told: Known
    lumen_mm: AnyArray
    outer_mm: AnyArray
    calcium: AnyArray
    stented: AnyArray

    @property
    def image(self) -> AnyArray:
        """Network input."""
        return picture(self.rays, for_sections(self.told, len(self.lumen_mm)))


def lesson(seed: int) -> Lesson:
    """Return the lesson of a seed."""
    rng = np.random.default_rng([seed, 41])
    return lesson_of(rng, random_piece(rng), random_optics(rng))


def lesson_of(rng: np.random.Generator, piece: Piece, optics: Optics) -> Lesson:
    """Return a piece as the network meets it: off centre, blood and blur known roughly."""
    volume, turn = imaged_piece(rng, piece, optics)
    scan = (optics.psf_mm, optics.psf_z_mm, optics.noise_hu, piece.blood_hu)
    real = Known(*(np.asarray(x) for x in scan))
    s = floats((np.arange(TRAINED_SECTIONS) - TRAINED_SECTIONS // 2) * SECTION_MM)
    centre = _wobbled(rng, lumen_axis_mm(piece, s), piece, s)
    rays = rays_across(volume, floats(centre @ turn), floats([0.0, 0.0, 1.0]))
    true = truth(piece, centre, floats(rays.direction @ turn.T))
    return Lesson(rays, real, roughly(rng, real), *true)


def roughly(rng: np.random.Generator, real: Known) -> Known:
    """Return blur, noise and blood as wrong as a scan tells them."""
    errors = (PSF_ERROR, PSF_Z_ERROR, NOISE_ERROR, BLOOD_ERROR)
    values = (real.psf_mm, real.psf_z_mm, real.noise_hu, real.blood_hu)
    return Known(
        *(x * np.exp(rng.normal(0.0, e, x.shape)) for x, e in zip(values, errors, strict=True))
    )


def for_sections(known: Known, count: int) -> Known:
    """Return the same for each of `count` sections, shape (..., count)."""
    values = (known.psf_mm, known.psf_z_mm, known.noise_hu, known.blood_hu)
    return Known(*(np.repeat(x[..., None], count, axis=-1) for x in values))


def truth(
    piece: Piece, centre: Floats, rays: Floats
) -> tuple[AnyArray, AnyArray, AnyArray, AnyArray]:
    """Return lumen, outer wall, calcium and stent as in `Lesson`; all in the piece's frame."""
    lumen, outer = true_contours_mm(piece, centre, rays, SAMPLES * STEP_MM)
    s = (np.arange(len(centre)) - len(centre) // 2) * SECTION_MM
    stented = np.zeros(len(s), dtype=np.uint8)
    if piece.stented:
        stented[(s >= piece.rings[:, 0].min()) & (s <= piece.rings[:, 0].max())] = 1
    calcium = true_calcium(piece, centre, rays, SAMPLES, STEP_MM)
    return lumen.astype(np.float32), outer.astype(np.float32), calcium, stented


def _wobbled(rng: np.random.Generator, line: Floats, piece: Piece, s: Floats) -> Floats:
    """Return the line as tracing finds it: noisy, here and there a good way off."""
    n = len(line)
    far = rng.uniform(0.1, 0.6) if rng.random() < 0.25 else rng.uniform(0.0, 0.15)
    smooth = np.cumsum(rng.normal(0, 0.05, (n, 3)), axis=0)
    off = far * rng.normal(0, 1, 3) + smooth - smooth.mean(axis=0) + rng.normal(0, 0.03, (n, 3))
    table_s = np.linspace(-8.0, 8.0, len(piece.lumen_mm))
    room = 0.6 * np.interp(s, table_s, piece.lumen_mm.min(axis=1))
    size = np.linalg.norm(off, axis=1)
    return floats(line + off * np.minimum(1.0, room / np.maximum(size, 1e-9))[:, None])
