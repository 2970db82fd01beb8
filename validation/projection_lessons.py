"""What does the lumen network get to see of a piece under the second imaging model?

Blood, blur and noise are not told: they are measured, as the pipeline measures them, on a
simulated chamber behind the same optics.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from ffr.anatomy import Anatomy
from ffr.imaging.sharpness import Sharpness, scan_sharpness
from ffr.phantom.pieces import Piece, lumen_axis_mm, random_piece
from ffr.segmentation.stacks import (
    BLOOD_ERROR,
    PSF_ERROR,
    PSF_Z_ERROR,
    SECTION_MM,
    TRAINED_SECTIONS,
    Known,
    Lesson,
    rays_across,
    truth,
)
from meshes.arrays import Floats, floats, ints
from meshes.volume import Grid, Volume, ijk_to_points_mm
from validation.projection import (
    BEYOND_MM,
    NO_DISC,
    Scene,
    projected_piece,
    random_turn,
    reconstructed,
    scanned,
)
from validation.projection_body import AROUND_HU
from validation.projection_kernels import PLAIN_HU
from validation.projection_scanner import ROW_HIGH_MM, ROW_PACE_MM, Scanner, random_scanner

FAT_HU = -60.0  # the brightest plain fat of a piece
CHAMBER_MM, WALL_MM, WALL_HU = 9.0, 1.5, 60.0  # upright cylinder with a flat roof at z = 0
CHAMBER_LOW_MM = np.array([-1.5, -15.0, -8.5])  # of its scan: half of it is enough
CHAMBER_HIGH_MM = np.array([15.0, 15.0, 5.8])
LABEL_MM = 0.7
ASKEW = floats(Rotation.from_rotvec([0.25, 0.2, 0.3]).as_matrix())
WIRE_MM, WIRE_VOXEL_MM = 0.06, 0.04


@dataclass(frozen=True, slots=True, eq=False)
class Projected:
    """A piece under the second model.

    Parameters
    ----------
    lesson
        Input, blur and noise as measured, and truth.
    told
        The same, the blur's true width told as roughly as in training.
    seen
        Blur and noise as measured.
    psf_mm
        True width of the point spread in plane, of a wire.
    scanner
        What imaged it.
    """

    lesson: Lesson
    told: Lesson
    seen: Sharpness
    psf_mm: float
    scanner: Scanner


def projected(seed: int, moving: bool = True) -> Projected:
    """Return the piece of a seed, the same as `lesson`'s, under the second model."""
    piece = random_piece(np.random.default_rng([seed, 41]))
    rng = np.random.default_rng([seed, 43])
    scanner, turn = random_scanner(rng, moving), random_turn(rng)
    volume, back = projected_piece(rng, piece, scanner, turn)
    seen, blood_hu = measured_sharpness(rng, scanner, piece)
    psf = point_spread_mm(scanner)
    known = Sharpness(
        psf * float(np.exp(rng.normal(0, PSF_ERROR))),
        scanner.thickness_mm * float(np.exp(rng.normal(0, PSF_Z_ERROR))),
        seen.noise_hu,
        seen.across_direction,
    )
    s = floats((np.arange(TRAINED_SECTIONS) - TRAINED_SECTIONS // 2) * SECTION_MM)
    centre = traced(rng, piece, s)
    blood = blood_hu * rng.normal(1.0, BLOOD_ERROR)
    rays = rays_across(volume, floats(centre @ back), seen.across_direction)
    true = truth(piece, centre, floats(rays.direction @ back.T))
    measured, real = (
        Known(*(np.asarray(v) for v in (x.psf_mm, x.psf_z_mm, x.noise_hu, blood)))
        for x in (seen, known)
    )
    return Projected(
        Lesson(rays, real, measured, *true), Lesson(rays, real, real, *true),
        seen, psf, scanner,
    )  # fmt: skip


def measured_sharpness(
    rng: np.random.Generator, scanner: Scanner, piece: Piece
) -> tuple[Sharpness, float]:
    """Return blur and noise by the pipeline's own rule, and the blood's HU in the chamber."""
    # the chamber lies in fat, whatever the vessel lies in
    volume = chamber(rng, scanner, piece.blood_hu, min(piece.around_hu, FAT_HU))
    # askew: an edge along the voxels would pass between all their middles
    count = np.ceil((CHAMBER_HIGH_MM - CHAMBER_LOW_MM) / LABEL_MM).astype(int) + 1
    middle = 0.5 * (CHAMBER_LOW_MM + CHAMBER_HIGH_MM)
    low = middle - ASKEW @ (0.5 * (count - 1) * LABEL_MM)
    grid = Grid(ints(count), floats([LABEL_MM] * 3), floats(low), ASKEW)
    ijk = np.stack(np.meshgrid(*(np.arange(n) for n in count), indexing="ij"), axis=-1)
    at = ijk_to_points_mm(grid, floats(ijk.transpose(2, 1, 0, 3).reshape(-1, 3)))
    inside = (at[:, 2] < 0) & (np.hypot(at[:, 0], at[:, 1]) < CHAMBER_MM)
    labels = np.where(inside, Anatomy.AORTA, Anatomy.BACKGROUND).astype(np.uint8)
    first, step = volume.grid.origin_mm, volume.grid.spacing_mm
    x, y, z = (first[a] + step[a] * np.arange(volume.grid.size[a]) for a in range(3))
    core = (z[:, None, None] < -3) & (x**2 + y[:, None] ** 2 < (CHAMBER_MM - 3) ** 2)
    blood_hu = float(np.median(volume.values[core]))
    return scan_sharpness(volume, Volume(grid, labels.reshape(count[::-1])), blood_hu), blood_hu


def chamber(
    rng: np.random.Generator | None, scanner: Scanner, blood_hu: float, fat_hu: float
) -> Volume:
    """Return the scan of half a chamber that does not move: blood, a wall, fat."""
    low = CHAMBER_LOW_MM[2] - BEYOND_MM
    number = int((CHAMBER_HIGH_MM[2] + BEYOND_MM - low) / ROW_PACE_MM) + 1
    height = low + ROW_PACE_MM * np.arange(number)
    discs = np.zeros((len(height), 3, 5))
    shells = (
        (CHAMBER_MM + 4.5, fat_hu - AROUND_HU, 0.0, 20.0),
        (CHAMBER_MM + WALL_MM, WALL_HU - fat_hu, 0.0, WALL_MM),
        (CHAMBER_MM, PLAIN_HU - WALL_HU, blood_hu - PLAIN_HU, 0.0),
    )
    for k, (radius, soft_hu, dense_hu, roof) in enumerate(shells):
        filled = np.clip((roof - height) / ROW_HIGH_MM + 0.5, 0, 1)
        discs[:, k, 2] = radius
        discs[:, k, 3:] = filled[:, None] * np.array([soft_hu, dense_hu]) / 1000.0
    voxel = np.array([scanner.voxel_mm, scanner.voxel_mm, scanner.increment_mm])
    count = np.floor((CHAMBER_HIGH_MM - CHAMBER_LOW_MM) / voxel).astype(int) + 1
    empty = np.zeros((0, 4), dtype=np.float32)
    scene = Scene(empty, np.zeros(len(height) + 1, np.int64), floats(discs), float(low))
    still = replace(scanner, shift_mm=(0.0, 0.0))
    return scanned(rng, still, scene, floats(CHAMBER_LOW_MM), count)


def point_spread_mm(scanner: Scanner) -> float:
    """Return the width at half maximum of a thin upright wire at rest, from its area."""
    still = replace(scanner, shift_mm=(0.0, 0.0))
    at = np.mgrid[-3:4, -3:4].reshape(2, -1) * 0.02
    at = at[:, np.hypot(*at) <= WIRE_MM + 1e-9]
    pixels = np.stack([*at, *np.broadcast_to([[4e-3], [0.0]], (2, at.shape[1]))], axis=1)
    scene = Scene(pixels.astype(np.float32), np.array([0, len(pixels)]), NO_DISC, 0.0)
    half = round(1.6 / WIRE_VOXEL_MM)
    corner = floats([-half * WIRE_VOXEL_MM] * 2)
    lone = (2 * half + 1, 2 * half + 1)
    image = reconstructed(None, still, scene, corner, lone, WIRE_VOXEL_MM, floats([0.0]))[0]
    bright = image - np.median(image[0])
    return float(
        2 * WIRE_VOXEL_MM * np.sqrt(np.count_nonzero(bright > 0.5 * bright.max()) / np.pi)
    )


def traced(rng: np.random.Generator, piece: Piece, s_mm: Floats) -> Floats:
    """Return the lumen's axis with the error that tracing leaves, as training assumes it."""
    line = lumen_axis_mm(piece, s_mm)
    far = rng.uniform(0.1, 0.6) if rng.random() < 0.25 else rng.uniform(0.0, 0.15)
    drift = np.cumsum(rng.normal(0, 0.05, line.shape), axis=0)
    off = far * rng.normal(0, 1, 3) + drift - drift.mean(axis=0)
    off += rng.normal(0, 0.03, line.shape)
    rows = np.linspace(-8.0, 8.0, len(piece.lumen_mm))
    room = 0.6 * np.interp(s_mm, rows, piece.lumen_mm.min(axis=1))
    size = np.linalg.norm(off, axis=1)
    return floats(line + off * np.minimum(1.0, room / np.maximum(size, 1e-9))[:, None])
