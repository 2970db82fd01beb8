"""How the lumen network sees a vessel: pulled straight, polar, with what blurs it.

One definition for training and use. A stack has a section every half millimetre of the
centreline; each section has rays in even angles and samples along each ray.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
from ffr.sharpness import Sharpness
from meshes.arrays import AnyArray, Floats, floats
from meshes.straighten import frames, sampled
from meshes.volume import Volume

ANGLES, SAMPLES, STEP_MM = 32, 56, 0.1
SECTION_MM = 0.5
FRAME_SMOOTHING_POINTS = 3.0
CHANNELS = 7
TRAINED_SECTIONS = 17  # of one piece
ANGLES_RAD = np.arange(ANGLES) * 2 * np.pi / ANGLES
RADII_MM = (np.arange(SAMPLES) + 0.5) * STEP_MM


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


def stack(volume: Volume, curve_mm: Floats, blood_hu: Floats, seen: Sharpness) -> Stack:
    """Return what the network sees along a centreline (n, 3) with local blood HU (n,)."""
    tangent, normal, binormal = frames(curve_mm, FRAME_SMOOTHING_POINTS)
    c, s = np.cos(ANGLES_RAD)[:, None], np.sin(ANGLES_RAD)[:, None]
    spokes = floats(c * normal[:, None, :] + s * binormal[:, None, :])
    points = curve_mm[:, None, None, :] + spokes[:, :, None, :] * RADII_MM[:, None]
    hu = sampled(volume, points, outside=-1024.0).astype(np.float32)
    image = np.empty((CHANNELS, *hu.shape), dtype=np.float32)
    blood = blood_hu[:, None, None]
    image[0] = np.clip(hu / blood, -0.5, 2.5)
    image[1] = np.clip(hu, -300.0, 2700.0) / 1000.0
    image[2] = _width(seen, spokes)[:, :, None]
    image[3] = _width(seen, tangent)[:, None, None]
    image[4] = np.minimum(5.0 * seen.noise_hu / blood, 3.0)
    image[5] = blood / 500.0
    image[6] = RADII_MM / 5.0
    return Stack(image, spokes)


def _width(seen: Sharpness, direction: Floats) -> Floats:
    """Return the point spread's width along directions (..., 3), mm."""
    part = (direction @ seen.across_direction) ** 2
    return floats(np.sqrt(seen.psf_mm**2 * (1 - part) + seen.psf_z_mm**2 * part))


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """One piece as input and truth.

    Parameters
    ----------
    image
        As in `Stack`.
    lumen_mm, outer_mm
        Way along each ray to the lumen's contour and to the outer wall, (sections, ANGLES).
    calcium
        Samples in calcium, (sections, ANGLES, SAMPLES), 0 or 1.
    stented
        Sections inside a stent, (sections,), 0 or 1.
    """

    image: AnyArray
    lumen_mm: AnyArray
    outer_mm: AnyArray
    calcium: AnyArray
    stented: AnyArray


def lesson(seed: int) -> Lesson:
    """Return the lesson of a seed."""
    rng = np.random.default_rng([seed, 41])
    return lesson_of(rng, random_piece(rng), random_optics(rng))


def lesson_of(rng: np.random.Generator, piece: Piece, optics: Optics) -> Lesson:
    """Return a piece as the network meets it: off centre, blood and blur known roughly."""
    volume, turn = imaged_piece(rng, piece, optics)
    s = floats((np.arange(TRAINED_SECTIONS) - TRAINED_SECTIONS // 2) * SECTION_MM)
    line = lumen_axis_mm(piece, s)
    centre = _wobbled(rng, line, piece, s)
    seen = Sharpness(
        optics.psf_mm * float(np.exp(rng.normal(0, 0.12))),
        optics.psf_z_mm * float(np.exp(rng.normal(0, 0.15))),
        optics.noise_hu * float(np.exp(rng.normal(0, 0.15))),
        floats([0.0, 0.0, 1.0]),
    )
    blood = np.full(len(s), piece.blood_hu * rng.normal(1.0, 0.05))
    made = stack(volume, floats(centre @ turn), floats(blood), seen)
    own = floats(made.ray_direction @ turn.T)
    lumen, outer = true_contours_mm(piece, floats(centre), own, SAMPLES * STEP_MM)
    calcium = true_calcium(piece, floats(centre), own, SAMPLES, STEP_MM)
    stented = np.zeros(len(s), dtype=np.uint8)
    if piece.stented:
        stented[(s >= piece.rings[:, 0].min()) & (s <= piece.rings[:, 0].max())] = 1
    return Lesson(
        made.image, lumen.astype(np.float32), outer.astype(np.float32), calcium, stented
    )


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
