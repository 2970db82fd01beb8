"""How would a scanner really see a vessel piece: projections, photons, filtered views.

A second imaging model, for tests only and written apart from the first
(`ffr.phantom.pieces.imaged_piece`), which knows point spreads and coloured noise. Here a
piece lies beside the heart of an elliptic thorax; two energies pass through both; detectors
behind a focal spot of some width count photons in parallel views over half a turn; the
counts' logarithms, corrected for water, are filtered and projected back. Blur, overshoot,
streaks, the noise's grain and beam hardening follow from that; none is painted.

Left out: cone and fan angles, scatter, bowtie filter, spiral interpolation, iterative
reconstruction; the body is the same in all slices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from ffr.phantom.pieces import S_MM, STEP_MM, Piece
from meshes.arrays import AnyArray, Floats, floats, ints
from meshes.volume import Grid, Volume
from validation.projection_body import (
    AROUND_HU,
    COSINE,
    LIFT,
    MU_1_MM,
    SINE,
    VIEWS,
    let_through,
    water_mm,
)
from validation.projection_kernels import attenuation, back_project, transmit
from validation.projection_scanner import (
    ROW_HIGH_MM,
    ROW_PACE_MM,
    Scanner,
    filtered,
    slice_profile,
    view_blur,
)

PIXEL_MM, PLANE_MM = 0.15, 0.1  # of the painted piece, in and across the slices
ROW_PLANES, ROW_STEP = round(ROW_HIGH_MM / PLANE_MM), round(ROW_PACE_MM / PLANE_MM)
PER_READING, TAPS = 2, 20  # rays followed per reading, and those that blur into it
BALL_MM, HALF_MM = 9.5, 7.5  # painted radius; half edge of the volume
FAR_MM = 16.0  # noise and scene reach no farther from the piece's middle
NO_DISC = floats(np.zeros((1, 0, 5)))
WIDEST_MM = 160.0  # half the views of a body of full size
BEYOND_MM = 1.2  # slices draw on rows so far away


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What lies in the ball around the piece's middle, row by row.

    Parameters
    ----------
    pixels, rows, discs
        As in `transmit`.
    first_row_mm
        Height of the lowest row's middle.
    """

    pixels: AnyArray
    rows: AnyArray
    discs: AnyArray
    first_row_mm: float


def projected_piece(
    rng: np.random.Generator | None, piece: Piece, scanner: Scanner, turn: Floats
) -> tuple[Volume, Floats]:
    """Return the scan of a piece and the rotation from its frame to the scanner's.

    The contract of `imaged_piece`.

    Parameters
    ----------
    rng
        Of the noise and the lattice's place; None for none and the middle.
    turn
        Rotation matrix: rows are the scanner's axes in the piece's frame.
    """
    voxel = np.array([scanner.voxel_mm, scanner.voxel_mm, scanner.increment_mm])
    count = np.ceil(2 * HALF_MM / voxel).astype(int)
    first = -0.5 * (count - 1) * voxel
    if rng is not None:
        first += rng.uniform(-0.5, 0.5, 3) * voxel
    scene = _painted(piece, turn, float(first[2]), float(first[2] + (count[2] - 1) * voxel[2]))
    return scanned(rng, scanner, scene, floats(first), count), floats(turn.T)


def random_turn(rng: np.random.Generator) -> Floats:
    """Return a random rotation matrix."""
    return floats(Rotation.random(random_state=rng).as_matrix())


def scanned(
    rng: np.random.Generator | None, scanner: Scanner, scene: Scene, first_mm: Floats,
    count: AnyArray,
) -> Volume:  # fmt: skip
    """Return the scan of a scene on a lattice; without `rng` no noise, and no rounding."""
    voxel = floats([scanner.voxel_mm, scanner.voxel_mm, scanner.increment_mm])
    z = first_mm[2] + np.arange(count[2]) * scanner.increment_mm
    hu = reconstructed(rng, scanner, scene, first_mm[:2], (count[1], count[0]), voxel[0], z)
    if rng is not None:
        hu = np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
    return Volume(Grid(ints(count), voxel, floats(first_mm), floats(np.eye(3))), hu)


def reconstructed(
    rng: np.random.Generator | None, scanner: Scanner, scene: Scene, corner_mm: Floats,
    shape: tuple[int, int], voxel_mm: float, z_mm: Floats,
) -> AnyArray:  # fmt: skip
    """Return HU of slices at `z_mm` on a lattice of `shape` from `corner_mm` on."""
    pitch = scanner.pitch_mm
    middle = COSINE * scanner.place_mm[0] + SINE * scanner.place_mm[1]
    far = corner_mm + (np.array(shape[::-1]) - 1) * voxel_mm
    reach = min(float(np.hypot(*np.maximum(abs(corner_mm), abs(far)))), FAR_MM) + 2.5
    reach = max(reach, BALL_MM + 1.0)
    detectors = int(np.ceil(2 * reach / pitch)) + 2
    first = np.floor((middle - reach) / pitch) * pitch - middle
    rows = _rows(rng, scanner, scene, floats(first), detectors)
    height = scene.first_row_mm + ROW_PACE_MM * np.arange(len(rows))
    share = slice_profile(scanner, floats(height), z_mm)
    slices = (share @ rows.reshape(len(rows), -1)).reshape(-1, VIEWS, detectors)
    image = np.zeros((len(z_mm), *shape), dtype=np.float32)
    back_project(
        image, filtered(slices, scanner, pitch), floats(first), pitch, COSINE, SINE,
        floats(corner_mm), voxel_mm,
    )  # fmt: skip
    body = _body_image(scanner, floats(corner_mm + scanner.place_mm), shape, voxel_mm)
    return np.asarray(1000.0 * (image + body - 1.0))


def _painted(piece: Piece, turn: Floats, low_mm: float, high_mm: float) -> Scene:
    """Return a piece as pixels of detector rows that reach beyond both heights."""
    low_mm -= BEYOND_MM
    number = int(np.ceil((high_mm + BEYOND_MM - low_mm) / ROW_PACE_MM)) + 1
    planes = (number - 1) * ROW_STEP + ROW_PLANES
    side = int(np.ceil(2 * BALL_MM / PIXEL_MM)) + 1
    start = -0.5 * (side - 1) * PIXEL_MM
    bottom = low_mm - 0.5 * (ROW_PLANES - 1) * PLANE_MM
    soft, dense = np.zeros((2, planes, side, side), dtype=np.float32)
    attenuation(
        soft, dense, floats([start, start, bottom]), floats([PIXEL_MM, PIXEL_MM, PLANE_MM]),
        turn, BALL_MM, piece.curvature_1_mm, float(S_MM[0]), STEP_MM,
        piece.lumen_mm, piece.outer_mm, piece.plaque_hu, piece.inner_calcium_mm,
        piece.outer_calcium_mm, piece.calcium_hu, piece.rings, piece.strut, piece.around_hu,
        piece.blood_hu, piece.planes, piece.tubes,
    )  # fmt: skip
    ends = ROW_STEP * np.arange(number)
    within = ends[:, None] + np.arange(ROW_PLANES)
    thick = [np.asarray(matter[within].mean(axis=1)) for matter in (soft, dense)]
    r, j, i = np.nonzero(np.any(thick, axis=0))
    place = [(start + PIXEL_MM * at).astype(np.float32) for at in (i, j)]
    area = np.float32(PIXEL_MM**2)
    pixels = np.stack([*place, *(area * m[r, j, i] for m in thick)], axis=1)
    rows = np.searchsorted(r, np.arange(number + 1))
    fat = np.zeros((number, 1, 5))
    height = low_mm + ROW_PACE_MM * np.arange(number)
    fat[:, 0, 2] = np.sqrt(np.maximum(BALL_MM**2 - height**2, 0.0))
    fat[:, 0, 3] = (piece.around_hu - AROUND_HU) / 1000.0
    return Scene(pixels, rows, floats(fat), low_mm)


def _rows(
    rng: np.random.Generator | None, scanner: Scanner, scene: Scene, first: Floats,
    detectors: int,
) -> AnyArray:  # fmt: skip
    """Return what each detector row reads beyond the body, mm of water, (row, view, i)."""
    fine = scanner.pitch_mm / PER_READING
    start = first - 0.5 * (TAPS - 1) * fine
    comb = start[:, None] + np.arange((detectors - 1) * PER_READING + TAPS) * fine
    middle = COSINE * scanner.place_mm[0] + SINE * scanner.place_mm[1]
    body = let_through(scanner.body_percent, floats(comb + middle[:, None]))
    part = np.arange(VIEWS) / VIEWS - 0.5
    shift = part * (COSINE * scanner.shift_mm[0] + SINE * scanner.shift_mm[1])
    taps = view_blur(scanner, fine, TAPS)
    seen = np.empty((len(scene.rows) - 1, VIEWS, detectors), dtype=np.float32)
    blank = np.empty((1, VIEWS, detectors), dtype=np.float32)
    nothing = Scene(np.zeros((0, 4), np.float32), np.zeros(2, np.int64), NO_DISC, 0.0)
    for out, what in ((seen, scene), (blank, nothing)):
        transmit(
            out, body, taps, floats(start), fine, PER_READING, COSINE, SINE, floats(shift),
            what.pixels, what.rows, what.discs, MU_1_MM, LIFT,
        )  # fmt: skip
    if rng is None:
        return np.asarray(water_mm(seen) - water_mm(blank))
    sent = np.float32(scanner.photons_per_mm2 * scanner.pitch_mm * ROW_PACE_MM)
    return np.asarray(water_mm(_counted(rng, seen * sent) / sent) - water_mm(blank))


def _counted(rng: np.random.Generator, expected: AnyArray) -> AnyArray:
    """Return photon counts: Poisson, above a hundred its normal limit; never none."""
    noise = rng.standard_normal(expected.shape, dtype=np.float32)
    noise *= np.sqrt(expected)
    noise += expected
    few = expected < 100.0
    if few.any():
        noise[few] = rng.poisson(expected[few])
    return np.asarray(np.maximum(noise, 0.5))


def _body_image(
    scanner: Scanner, corner_mm: Floats, shape: tuple[int, int], voxel_mm: float
) -> AnyArray:
    """Return the body without the piece, reconstructed, relative to water."""
    pitch = 2 * scanner.pitch_mm  # it is smooth where the piece lies
    count = int(2 * WIDEST_MM * scanner.body_percent / 100.0 / pitch)
    first = np.full(VIEWS, -0.5 * (count - 1) * pitch)
    t = first[:, None] + np.arange(count) * pitch
    light = let_through(scanner.body_percent, floats(t)).sum(axis=0)
    sinogram = filtered(water_mm(light)[None], scanner, pitch)
    image = np.zeros((1, *shape), dtype=np.float32)
    back_project(
        image, sinogram, floats(first), pitch, COSINE, SINE, floats(corner_mm), voxel_mm
    )
    return image
