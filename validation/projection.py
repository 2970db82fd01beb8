"""How would a scanner really see a vessel piece: projections, photons, filtered views.

A second imaging model, for tests only and written apart from the first
(`ffr.phantom.pieces.imaged_piece`), which knows point spreads and coloured noise. Here a
piece lies beside the heart of an elliptic thorax; two energies pass through both; detectors
behind a focal spot of some width count photons in parallel views over half a turn; the
counts' logarithms, corrected for water, are filtered and projected back. Blur, overshoot,
streaks, the noise's grain and beam hardening follow from that; none is painted.

Sources: filtered back-projection and the band-limited ramp, Kak & Slaney (1988) ch. 3;
attenuation of water at 60 and 100 keV, NIST XCOM (Hubbell & Seltzer 1995); iodine, iron and
calcium there favour 60 keV over 100 keV 3.2, 2.7 and 2.1 times as much as water does.

Left out: cone and fan angles, scatter, bowtie filter, spiral interpolation, iterative
reconstruction; the body is the same in all slices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.spatial.transform import Rotation

from ffr.phantom.pieces import S_MM, STEP_MM, Piece
from meshes.arrays import AnyArray, Floats, floats, ints
from meshes.volume import Grid, Volume
from validation.projection_kernels import attenuation, back_project, transmit

VIEWS = 720  # over half a turn
TURN_RAD = (np.arange(VIEWS) + 0.5) * np.pi / VIEWS
COSINE, SINE = floats(np.cos(TURN_RAD)), floats(np.sin(TURN_RAD))
MU_1_MM = floats([0.02059, 0.01707])  # of water at 60 and 100 keV
PHOTONS = floats([0.66, 0.34])  # so mixed that a chest lets through as many of both
LIFT = floats([1.399, 0.518])  # of dense matter: ratio 2.7, one on average behind a chest
PIXEL_MM, PLANE_MM = 0.15, 0.1  # of the painted piece, in and across the slices
ROW_PLANES, ROW_PACE = 4, 3  # a detector row is 0.4 mm high at the axis, one every 0.3 mm
PER_READING, TAPS = 2, 20  # comb rays per reading, and those that reach it
BALL_MM, HALF_MM = 9.5, 7.5  # painted radius; half edge of the volume
FWHM_PER_SD = 2.3548
AROUND_HU = 50.0  # of the heart's muscle, where the piece lies
# x, y, half axes in mm, soft and dense attenuation added to what lies there
BODY = np.array(
    [
        [0, 0, 150, 110, 1.04, 0],  # chest
        [-97, 0, 36, 62, -0.89, 0],  # lungs
        [97, 0, 36, 62, -0.89, 0],
        [5, -25, 55, 50, 0.01, 0],  # heart
        [5, -25, 25, 20, 0, 0.35],  # its blood
        [0, 72, 18, 18, 0.05, 0.30],  # spine
        [28, 55, 12, 12, 0, 0.38],  # descending aorta
        [0, -98, 25, 6, 0.05, 0.30],  # sternum
    ]
)
BESIDE_MM = (5.0, -25.0, 42.0, 36.0)  # middle and half axes of where pieces lie


@dataclass(frozen=True, slots=True)
class Scanner:
    """A scanner, its settings, and where in it the piece lies.

    Parameters
    ----------
    focal_mm, aperture_mm
        Width of focal spot and detector at the axis; the spot jumps, so readings lie half
        an aperture apart.
    kernel
        "hann", or "shepp-logan", rounded off over its upper half.
    cut_per_mm, boost_percent
        Frequency where the kernel ends, and how much it lifts what lies below.
    thickness_mm, increment_mm, voxel_mm
        Full width at half maximum of the slice profile, distance of slices, pixels.
    photons_per_mm2
        Photons of one view per area at the axis, before the body.
    body_percent
        Size of the body.
    place_rad
        Where around the heart.
    shift_mm
        How far the piece moves in plane during the half turn, along x and y.
    """

    focal_mm: float
    aperture_mm: float
    kernel: str
    cut_per_mm: float
    boost_percent: float
    thickness_mm: float
    increment_mm: float
    voxel_mm: float
    photons_per_mm2: float
    body_percent: float
    place_rad: float
    shift_mm: tuple[float, float]

    @property
    def pitch_mm(self) -> float:
        """Distance of two readings."""
        return 0.5 * self.aperture_mm

    @property
    def place_mm(self) -> Floats:
        """Where the piece lies, from the axis of rotation."""
        x, y, a, b = BESIDE_MM
        size = self.body_percent / 100.0
        return size * floats([x + a * np.cos(self.place_rad), y + b * np.sin(self.place_rad)])


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
    discs: Floats
    first_row_mm: float


def random_scanner(rng: np.random.Generator, moving: bool = True) -> Scanner:
    """Draw a scanner: kernels soft to sharp, 0.5-0.9 mm slices, half of the pieces moving."""
    sharp = rng.random()
    flat = rng.random() < 0.2
    way, angle = rng.uniform(0, 0.5) * (rng.random() < 0.5) * moving, rng.uniform(0, 2 * np.pi)
    increment = float(rng.uniform(0.3, 0.6))
    return Scanner(
        focal_mm=float(rng.uniform(0.2, 0.6)),
        aperture_mm=float(rng.uniform(0.35, 0.6)),
        kernel="shepp-logan" if flat else "hann",
        cut_per_mm=float((0.5 if flat else 0.65) * 3.8**sharp),
        boost_percent=float(rng.uniform(0, 120)) if rng.random() < 0.6 else 0.0,
        thickness_mm=float(rng.uniform(max(0.5, increment), 0.9)),
        increment_mm=increment,
        voxel_mm=float(rng.uniform(0.3, 0.5)),
        # sharp kernels are used where dose allows
        photons_per_mm2=float(1e6 * np.exp(rng.uniform(-1, 1)) * 8.0**sharp),
        body_percent=float(rng.uniform(85, 110)),
        place_rad=float(rng.uniform(0, 2 * np.pi)),
        shift_mm=(float(way * np.cos(angle)), float(way * np.sin(angle))),
    )


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
    reach = min(float(np.hypot(*np.maximum(abs(corner_mm), abs(far)))), 16.0) + 2.5
    reach = max(reach, BALL_MM + 1.0)
    detectors = int(np.ceil(2 * reach / pitch)) + 2
    first = np.floor((middle - reach) / pitch) * pitch - middle
    rows = _rows(rng, scanner, scene, floats(first), detectors)
    slices = (_profile(scanner, scene, z_mm, len(rows)) @ rows.reshape(len(rows), -1)).reshape(
        len(z_mm), VIEWS, detectors
    )
    image = np.zeros((len(z_mm), *shape), dtype=np.float32)
    back_project(
        image, _filtered(slices, scanner, pitch), floats(first), pitch, COSINE, SINE,
        floats(corner_mm), voxel_mm,
    )  # fmt: skip
    image += _body_image(scanner, floats(corner_mm + scanner.place_mm), shape, voxel_mm)
    return np.asarray(1000.0 * (image - 1.0))


def _painted(piece: Piece, turn: Floats, low_mm: float, high_mm: float) -> Scene:
    """Return a piece as pixels of detector rows that reach beyond both heights."""
    low_mm -= 1.2
    row = ROW_PACE * PLANE_MM
    number = int(np.ceil((high_mm + 1.2 - low_mm) / row)) + 1
    planes = (number - 1) * ROW_PACE + ROW_PLANES
    side = int(np.ceil(2 * BALL_MM / PIXEL_MM)) + 1
    start = -0.5 * (side - 1) * PIXEL_MM
    bottom = low_mm - 0.5 * (ROW_PLANES - 1) * PLANE_MM
    soft, dense = np.zeros((2, planes, side, side), dtype=np.float32)
    attenuation(
        soft, dense, floats([start, start, bottom]), floats([PIXEL_MM, PIXEL_MM, PLANE_MM]),
        turn, BALL_MM, piece.curvature_1_mm, float(S_MM[0]), STEP_MM,
        piece.lumen_mm, piece.outer_mm, piece.plaque_hu, piece.inner_calcium_mm,
        piece.outer_calcium_mm, piece.calcium_hu, piece.rings, piece.strut, piece.fat_hu,
        piece.blood_hu, piece.planes, piece.tubes,
    )  # fmt: skip
    ends = ROW_PACE * np.arange(number)
    thick = [sum(m[ends + p] for p in range(ROW_PLANES)) / ROW_PLANES for m in (soft, dense)]
    r, j, i = np.nonzero((thick[0] != 0) | (thick[1] != 0))
    place = [(start + PIXEL_MM * at).astype(np.float32) for at in (i, j)]
    area = np.float32(PIXEL_MM**2)
    pixels = np.stack([*place, *(area * m[r, j, i] for m in thick)], axis=1)
    rows = np.searchsorted(r, np.arange(number + 1))
    fat = np.zeros((number, 1, 5))
    height = low_mm + row * np.arange(number)
    fat[:, 0, 2] = np.sqrt(np.maximum(BALL_MM**2 - height**2, 0.0))
    fat[:, 0, 3] = (piece.fat_hu - AROUND_HU) / 1000.0
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
    soft, dense = _body_mm(scanner, comb + middle[:, None])
    body = np.stack([
        PHOTONS[e] * np.exp(-MU_1_MM[e] * (soft + LIFT[e] * dense)) for e in range(2)
    ]).astype(np.float32)  # fmt: skip
    part = np.arange(VIEWS) / VIEWS - 0.5
    shift = part * (COSINE * scanner.shift_mm[0] + SINE * scanner.shift_mm[1])
    taps = _taps(scanner, fine)
    seen = np.empty((len(scene.rows) - 1, VIEWS, detectors), dtype=np.float32)
    blank = np.empty((1, VIEWS, detectors), dtype=np.float32)
    nothing = (np.zeros((0, 4), np.float32), np.zeros(2, np.int64), np.zeros((1, 0, 5)))
    for out, what in ((seen, (scene.pixels, scene.rows, scene.discs)), (blank, nothing)):
        transmit(
            out, body, taps, floats(start), fine, PER_READING, COSINE, SINE, floats(shift),
            *what, MU_1_MM, LIFT,
        )  # fmt: skip
    if rng is not None:
        sent = scanner.photons_per_mm2 * scanner.pitch_mm * ROW_PACE * PLANE_MM
        seen = _counted(rng, seen * np.float32(sent)) / np.float32(sent)
    return np.asarray(_water_mm(-np.log(seen)) - _water_mm(-np.log(blank)))


def _counted(rng: np.random.Generator, expected: AnyArray) -> AnyArray:
    """Return photon counts: Poisson, above a hundred its normal limit; never none."""
    noise = rng.standard_normal(expected.shape, dtype=np.float32)
    noise *= np.sqrt(expected)
    noise += expected
    few = expected < 100.0
    if few.any():
        noise[few] = rng.poisson(expected[few])
    return np.asarray(np.maximum(noise, 0.5))


def _water_mm(logarithm: AnyArray) -> AnyArray:
    """Return the way through water that dims the two energies together as much."""
    total = np.full_like(logarithm, WATER[-1])
    for term in WATER[-2::-1]:
        total *= logarithm
        total += np.float32(term)
    total *= logarithm
    return total


def _water_terms() -> Floats:
    """Return the polynomial that `_water_mm` evaluates, lowest power (the first) first."""
    way = np.linspace(-10, 400, 821)
    dimmed = -np.log((PHOTONS * np.exp(-MU_1_MM * way[:, None])).sum(axis=1))
    powers = dimmed[:, None] ** np.arange(1, 7)
    return floats(np.linalg.lstsq(powers, way, rcond=None)[0])


WATER = _water_terms().astype(np.float32)


def _taps(scanner: Scanner, fine: float) -> AnyArray:
    """Return the blur by focal spot, detector and the gantry's turn, (view, TAPS)."""
    across = COSINE * scanner.place_mm[1] - SINE * scanner.place_mm[0]
    turned = np.abs(across) * np.pi / VIEWS
    length = 256
    f = np.fft.rfftfreq(length, fine)
    passed = np.sinc(f * scanner.focal_mm) * np.sinc(f * scanner.aperture_mm)
    passed = passed * np.sinc(f * turned[:, None])
    # the middle of an even number of taps lies between two of them
    passed = passed * np.exp(-1j * np.pi * f * fine * (TAPS - 1))
    taps = irfft(passed, length, axis=1)[:, :TAPS]
    return np.asarray((taps / taps.sum(axis=1, keepdims=True)).astype(np.float32))


def _body_mm(scanner: Scanner, t_mm: Floats) -> tuple[Floats, Floats]:
    """Return the body's soft and dense line integrals at places (view, ...) of the views."""
    soft, dense = np.zeros_like(t_mm), np.zeros_like(t_mm)
    size = scanner.body_percent / 100.0
    for x, y, a, b, more_soft, more_dense in BODY:
        wide2 = (size * a * COSINE) ** 2 + (size * b * SINE) ** 2
        off = t_mm - size * (x * COSINE + y * SINE)[:, None]
        chord = np.sqrt(np.maximum(wide2[:, None] - off * off, 0.0))
        chord *= (2 * size * size * a * b / wide2)[:, None]
        if more_soft:
            soft += more_soft * chord
        if more_dense:
            dense += more_dense * chord
    return soft, dense


def _body_image(
    scanner: Scanner, corner_mm: Floats, shape: tuple[int, int], voxel_mm: float
) -> AnyArray:
    """Return the body without the piece, reconstructed, relative to water."""
    pitch = 2 * scanner.pitch_mm  # it is smooth where the piece lies
    count = int(1.6 * scanner.body_percent * 2 / pitch)
    first = np.full(VIEWS, -0.5 * (count - 1) * pitch)
    t = first[:, None] + np.arange(count) * pitch
    soft, dense = _body_mm(scanner, t)
    light = sum(PHOTONS[e] * np.exp(-MU_1_MM[e] * (soft + LIFT[e] * dense)) for e in range(2))
    image = np.zeros((1, *shape), dtype=np.float32)
    sinogram = _filtered(_water_mm(-np.log(light).astype(np.float32))[None], scanner, pitch)
    back_project(
        image, sinogram, floats(first), pitch, COSINE, SINE, floats(corner_mm), voxel_mm
    )
    return image


def _filtered(views: AnyArray, scanner: Scanner, pitch_mm: float) -> AnyArray:
    """Return views (..., detector) after the ramp and the kernel."""
    count = views.shape[-1]
    length = next_fast_len(2 * count, real=True)
    n = np.fft.fftfreq(length, 1.0 / length)
    ramp = np.zeros(length)
    ramp[n % 2 == 1] = -1.0 / (np.pi * n[n % 2 == 1] * pitch_mm) ** 2
    ramp[0] = 0.25 / pitch_mm**2
    passed = (
        rfft(ramp).real * pitch_mm * kernel_response(scanner, np.fft.rfftfreq(length, pitch_mm))
    )
    spectrum = rfft(views, length, axis=-1)
    spectrum *= passed.astype(np.float32)
    return np.ascontiguousarray(irfft(spectrum, length, axis=-1)[..., :count])


def kernel_response(scanner: Scanner, f_per_mm: Floats) -> Floats:
    """Return what the reconstruction kernel makes of each frequency, beside the ramp."""
    x = np.minimum(f_per_mm / scanner.cut_per_mm, 1.0)
    fall = np.cos(0.5 * np.pi * x) ** 2
    if scanner.kernel == "shepp-logan":
        fall = np.sinc(0.5 * x) * np.cos(0.5 * np.pi * np.maximum(2.0 * x - 1.0, 0.0)) ** 2
    return floats(fall * (1.0 + scanner.boost_percent / 100.0 * 4.0 * x * x))


def _profile(scanner: Scanner, scene: Scene, z_mm: Floats, rows: int) -> AnyArray:
    """Return the share of each detector row in each slice, (slice, row)."""
    height = scene.first_row_mm + ROW_PACE * PLANE_MM * np.arange(rows)
    own2 = (ROW_PLANES * PLANE_MM) ** 2 / 12.0
    sd2 = max((scanner.thickness_mm / FWHM_PER_SD) ** 2 - own2, 0.01)
    share = np.exp(-0.5 * (height - np.asarray(z_mm)[:, None]) ** 2 / sd2)
    return np.asarray((share / share.sum(axis=1, keepdims=True)).astype(np.float32))
