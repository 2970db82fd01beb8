"""Short pieces of random coronary vessels, imaged: what the lumen network learns from.

A piece is a vessel along an arc with a lumen contour r(theta, s), wall, plaque, calcium and
stent of known shape, and whatever lies beside it: side branch, vein, chamber, muscle. It is
painted finely, blurred, sampled on a scanner's voxels that lie askew, and given noise. The
ranges follow the segmentation reference (sections 6 and 7) and are wider than any one
scanner.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from ffr.phantom.artefacts import shaped_noise
from ffr.phantom.devices import METAL_HU
from ffr.phantom.imaging import FWHM_PER_SD, with_noise
from ffr.phantom.mouths import OPENING
from ffr.phantom.piece_kernels import calcium_on_rays, contour_on_rays, paint_piece
from meshes.arrays import AnyArray, Floats, floats, ints
from meshes.volume import Grid, Volume

HALF_LENGTH_MM = 8.0  # of the tables; the painted lattice is smaller
STEP_MM = 0.25
ANGLES = 48
REACH_MM = 7.5  # half edge of the painted cube
FINE_MM = 0.22  # largest fine voxel
THETA = np.arange(ANGLES) * 2 * np.pi / ANGLES
S_MM = np.arange(-HALF_LENGTH_MM, HALF_LENGTH_MM + STEP_MM / 2, STEP_MM)
NOTHING = np.zeros((0, 5))


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Geometry of one piece, in its own frame (tangent, normal, binormal).

    Parameters
    ----------
    curvature_1_mm
        Of the axis, towards the normal.
    lumen_mm, outer_mm
        Distance of lumen contour and outer wall from the axis, shape (steps, angles).
    plaque_hu
        Attenuation between them, (steps, angles).
    inner_calcium_mm, outer_calcium_mm, calcium_hu
        Calcium between two surfaces; none where they meet, (steps, angles).
    rings, strut
        Stent, see `paint_piece`; no rows without one.
    planes, tubes
        Neighbours, see `paint_piece`.
    around_hu, blood_hu
        Attenuation of what it lies in, and of its blood.
    """

    curvature_1_mm: float
    lumen_mm: Floats
    outer_mm: Floats
    plaque_hu: Floats
    inner_calcium_mm: Floats
    outer_calcium_mm: Floats
    calcium_hu: Floats
    rings: Floats
    strut: Floats
    planes: Floats
    tubes: Floats
    around_hu: float
    blood_hu: float

    @property
    def stented(self) -> bool:
        """Whether a stent lies in it."""
        return len(self.rings) > 0


@dataclass(frozen=True, slots=True)
class Optics:
    """How a piece is seen.

    Parameters
    ----------
    psf_mm, psf_z_mm
        Full width at half maximum of the point spread, in plane and along the table.
    overshoot_percent
        Edge enhancement.
    voxel_mm, voxel_z_mm
        Voxels.
    noise_hu, grain_mm
        Noise and its correlation length.
    noise_peak_per_mm
        Frequency in the slices where the noise is strongest; 0: of its grain alone.
    """

    psf_mm: float
    psf_z_mm: float
    overshoot_percent: float
    voxel_mm: float
    voxel_z_mm: float
    noise_hu: float
    grain_mm: float
    noise_peak_per_mm: float = 0.0


def random_optics(rng: np.random.Generator) -> Optics:
    """Draw a scanner: point spread 0.45-1.5 mm, voxels 0.3-0.6 and 0.3-0.8 mm."""
    psf = float(np.exp(rng.uniform(np.log(0.45), np.log(1.5))))
    return Optics(
        psf_mm=psf,
        psf_z_mm=float(min(2.0, psf * rng.uniform(0.9, 1.6))),
        overshoot_percent=float(rng.uniform(0, 15)) if rng.random() < 0.6 else 0.0,
        voxel_mm=float(rng.uniform(0.3, 0.6)),
        voxel_z_mm=float(rng.uniform(0.3, 0.8)),
        noise_hu=float(np.exp(rng.uniform(np.log(5), np.log(60)))),
        grain_mm=float(rng.uniform(0.15, 0.5)),
        noise_peak_per_mm=float(rng.uniform(0.2, 0.6)) if rng.random() < 0.6 else 0.0,
    )


def random_piece(rng: np.random.Generator) -> Piece:
    """Draw a piece: 22 % healthy, the rest soft, mixed or calcified plaque, stents in 12 %."""
    fork = float(rng.uniform(-6, 6)) if rng.random() < 0.4 else None
    alone = _vessel(rng, fork)
    branch = [] if fork is None else _branch(rng, alone, fork)
    vein = [_vein(rng, alone)] if rng.random() < 0.33 else []
    return replace(alone, tubes=floats(np.array([*branch, *vein]).reshape(-1, 11)))


def _vessel(rng: np.random.Generator, fork_mm: float | None) -> Piece:
    """A vessel without neighbours; behind a fork it may be narrower, as by the 7/3 law."""
    blood = float(np.clip(rng.normal(430, 110), 200, 750))
    calibre = float(np.exp(rng.uniform(np.log(0.55), np.log(2.7))))
    n = len(S_MM)
    healthy = calibre + rng.uniform(-0.006, 0.004) * S_MM
    healthy = healthy * (1 + 0.03 * _along(rng, 6.0))
    if fork_mm is not None and rng.random() < 0.5:
        behind = 0.5 * (1 + np.tanh(rng.choice([-1.0, 1.0]) * (S_MM - fork_mm) / 0.7))
        healthy = healthy * (1 - rng.uniform(0.05, 0.4) * behind)
    kind = rng.choice(["healthy", "soft", "mixed", "calcified"], p=[0.22, 0.31, 0.29, 0.18])
    wall = rng.uniform(0.2, 0.6)
    outer = healthy + np.minimum(wall, 0.6 * healthy)
    size, shift = np.array(healthy), np.zeros(n)
    bell = np.zeros(n)
    if kind != "healthy":
        for _ in range(1 + (rng.random() < 0.25)):
            one = _bell(rng)
            grade = np.clip(rng.normal(0.52, 0.24), 0.05, 0.92)
            size = np.minimum(size, np.maximum(healthy * (1 - grade * one), 0.15))
            outer = np.maximum(outer, (healthy + 0.35) * (1 + rng.uniform(-0.1, 0.4) * one))
            bell = np.maximum(bell, one)
        if rng.random() < 0.7:
            shift = rng.uniform(0, 1) * np.maximum(healthy - size, 0)
    angle = rng.uniform(0, 2 * np.pi) + 0.3 * _along(rng, 6.0)
    lumen = _off_centre(size, shift, angle)
    wavy = rng.uniform(0, 0.03) + rng.uniform(0, 0.1) * bell
    lumen = np.maximum(lumen * _oval(rng, bell) * (1 + wavy[:, None] * _around(rng)), 0.08)
    outer_wall = outer[:, None] * (1 + 0.03 * _around(rng))
    outer_wall = np.maximum(outer_wall, lumen + 0.12)
    stent = rng.random() < 0.12 and calibre > 1.0
    tables = (floats(lumen), floats(outer_wall))
    return Piece(
        float(rng.uniform(0, 0.2)) if rng.random() < 0.7 else 0.0,
        *tables,
        _plaque(rng, bell, kind),
        *_calcium(rng, kind, bell, angle + np.pi, tables),
        *(_stent(rng, lumen, blood) if stent else (NOTHING, np.zeros(5))),
        _planes(rng, blood, float(outer_wall.max())),
        NOTHING,
        _around_hu(rng),
        blood,
    )  # fmt: skip


def _around_hu(rng: np.random.Generator) -> float:
    """Attenuation of what the vessel lies in: fat, fat with water in it, or muscle.

    Muscle: where a vessel dives into it (bridges), or is sunk in a groove without fat.
    """
    low, high = ((-120, -60), (-60, 20), (40, 140))[rng.choice(3, p=[0.72, 0.08, 0.2])]
    return float(rng.uniform(low, high))


def _along(rng: np.random.Generator, scale_mm: float) -> Floats:
    """Return a random function of s, SD about 1."""
    knots = np.arange(S_MM[0] - scale_mm, S_MM[-1] + 2 * scale_mm, scale_mm)
    return floats(CubicSpline(knots, rng.normal(0, 1, knots.size))(S_MM))


def _around(rng: np.random.Generator) -> Floats:
    """Return a random function of theta and s from the harmonics 2 to 5, SD about 1."""
    total = np.zeros((len(S_MM), ANGLES))
    for m in range(2, 6):
        a, b = _along(rng, 5.0) / m, _along(rng, 5.0) / m
        total += a[:, None] * np.cos(m * THETA) + b[:, None] * np.sin(m * THETA)
    return floats(total / 0.65)


def _bell(rng: np.random.Generator) -> Floats:
    """Return how deep a lesion is along s, 0 to 1: smooth, skewed or with shoulders."""
    length = float(np.clip(rng.lognormal(np.log(10), 0.6), 2.5, 40))
    middle, skew = rng.uniform(-6, 6), rng.uniform(-0.3, 0.3)
    x = np.clip((S_MM - middle) / (length / 2), -1, 1)
    x = np.clip(x + skew * (1 - x * x), -1, 1)
    return floats(0.5 * (1 + np.cos(np.pi * np.abs(x) ** rng.uniform(0.9, 2.5))))


def _off_centre(size: Floats, shift: Floats, angle: Floats) -> Floats:
    """Return circles of radius `size` as seen from an axis `shift` away, (steps, angles)."""
    away = THETA[None, :] - angle[:, None]
    off = np.minimum(shift, 0.9 * size)[:, None]  # the axis stays in the lumen
    return floats(off * np.cos(away) + np.sqrt(size[:, None] ** 2 - (off * np.sin(away)) ** 2))


def _oval(rng: np.random.Generator, bell: Floats) -> Floats:
    """Return the shape of ellipses of equal area: 1.0-1.2 long to short, to 1.9 in lesions."""
    ratio = 1 + min(abs(rng.normal(0, 0.08)), 0.2) + rng.uniform(0, 0.7) * bell
    half = np.sqrt(ratio)[:, None]
    away = THETA - (rng.uniform(0, np.pi) + 0.4 * _along(rng, 8.0))[:, None]
    return floats(1 / np.hypot(np.cos(away) / half, np.sin(away) * half))


def _plaque(rng: np.random.Generator, bell: Floats, kind: str) -> Floats:
    """Attenuation of wall and plaque: wall 20-90 HU, lipid to fibrous in lesions."""
    wall, core = rng.uniform(20, 90), rng.uniform(-20, 150)
    patchy = 25 * _around(rng) * (kind != "healthy")
    return floats(wall + bell[:, None] * (core - wall + patchy))


def _calcium(
    rng: np.random.Generator, kind: str, bell: Floats, angle: Floats,
    tables: tuple[Floats, Floats],
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """Return inner and outer surface of calcium, and HU: arcs 20-360 degrees, 0.15-1.5 mm."""
    lumen, outer = tables
    inner, far = np.array(outer), np.array(outer)
    hu = np.full(lumen.shape, rng.uniform(400, 1800))
    number = {"healthy": int(rng.random() < 0.1), "soft": int(rng.random() < 0.1)}.get(
        str(kind), int(rng.integers(1, 4))
    )
    for _ in range(number):
        heavy = kind == "calcified" and rng.random() < 0.4
        arc = np.deg2rad(rng.uniform(150, 360) if heavy else rng.uniform(20, 160))
        length = rng.uniform(2, 16) if heavy else rng.uniform(0.8, 8)
        middle = rng.uniform(-6, 6)
        turn = rng.normal(0, 0.6) if rng.random() < 0.7 else rng.uniform(0, 2 * np.pi)
        away = np.angle(np.exp(1j * (THETA[None, :] - angle[:, None] - turn)))
        ellipse = (2 * away / arc) ** 4 + (2 * (S_MM[:, None] - middle) / length) ** 4
        ellipse = ellipse * (1 + 0.3 * _around(rng))
        height = np.sqrt(np.clip(1 - ellipse, 0, 1))
        thick = rng.uniform(0.15, 1.5 if heavy else 0.9) * height
        room = np.maximum(outer - lumen, 0.0)
        thick = np.minimum(thick, room + 0.1)
        gap = np.minimum(rng.choice([0.0, 0.05, 0.2, 0.4]), np.maximum(room - thick, 0))
        new = thick > 0.03
        inner = np.where(new, np.minimum(inner, lumen + gap), inner)
        far = np.where(new, np.maximum(np.where(far > outer, far, 0), lumen + gap + thick), far)
        hu = np.where(new, rng.uniform(400, 1800), hu)
    return floats(inner), floats(np.maximum(far, inner)), floats(hu)


def _stent(rng: np.random.Generator, lumen: Floats, blood: float) -> tuple[Floats, Floats]:
    """Return stent rings and struts: 60-150 micrometres of metal, 6-10 crowns a ring."""
    middle = float(np.median(lumen.mean(axis=1)))
    radius = max(middle + rng.uniform(-0.05, 0.3), 0.9)
    pitch, crowns = rng.uniform(0.9, 1.6), float(rng.integers(6, 11))
    start, length = rng.uniform(-9, 2), rng.uniform(6, 16)
    at = np.arange(start, start + length, pitch)
    rings = np.zeros((len(at), 5))
    rings[:, 0], rings[:, 1], rings[:, 2] = at, crowns, 0.45 * pitch
    rings[:, 3] = np.pi * (np.arange(len(at)) % 2)
    connectors = float(rng.integers(2, 5))
    thick, width, metal = (
        rng.uniform(0.06, 0.15),
        rng.uniform(0.06, 0.14),
        rng.uniform(*METAL_HU),
    )
    strut = np.array([radius, thick, width, metal, connectors])
    return floats(rings), floats(strut)


def _planes(rng: np.random.Generator, blood: float, outer: float) -> Floats:
    """Muscle under the vessel in half of the pieces, a blood pool behind it or alone."""
    planes = []
    normal = rng.normal(size=3) * [0.3, 1, 1]
    normal /= np.linalg.norm(normal)
    if rng.random() < 0.5:
        depth = outer + rng.uniform(-0.3, 3.0)
        planes.append([*normal, depth, rng.uniform(80, 140)])
        if rng.random() < 0.3:
            planes.append([*normal, depth + rng.uniform(1.5, 6), blood * rng.uniform(0.3, 1.1)])
    elif rng.random() < 0.3:
        depth = outer + rng.uniform(0.6, 4.0)
        planes.append([*normal, depth, blood * rng.uniform(0.3, 1.1)])
    if rng.random() < 0.08:  # the aorta at the end of the piece
        tilt = np.array([rng.choice([-1.0, 1.0]), 0, 0]) + rng.normal(0, 0.3, 3)
        tilt /= np.linalg.norm(tilt)
        planes.append([*tilt, rng.uniform(3, 7), blood])
    return floats(np.array(planes).reshape(-1, 5))


def _branch(rng: np.random.Generator, piece: Piece, at: float) -> list[list[float]]:
    """A branch from the lumen's middle; its mouth is no wider than the lumen there.

    So a branch at a stenosis does not hide the throat (as `mouths.with_mouths`).
    """
    start = lumen_axis_mm(piece, floats([at]))[0]
    own = float(np.quantile(piece.lumen_mm.mean(axis=1), 0.9)) * rng.uniform(0.35, 1.0)
    mouth = min(own, float(np.sqrt(np.interp(at, S_MM, (piece.lumen_mm**2).mean(axis=1)))))
    way = np.array([rng.choice([-1.0, 1.0]) * rng.uniform(0.2, 1.2), *rng.normal(size=2)])
    way[1:] /= max(float(np.linalg.norm(way[1:])), 1e-3)
    way = Rotation.from_rotvec([0, 0, piece.curvature_1_mm * at]).apply(way)
    way /= np.linalg.norm(way)
    wide, far = start + max((own - mouth) / OPENING, 0.1) * way, start + 14.0 * way
    look = [piece.blood_hu, float(rng.uniform(0.2, 0.5)), 60.0]
    return [[*start, *wide, mouth, own, *look], [*wide, *far, own, 0.9 * own, *look]]


def _vein(rng: np.random.Generator, piece: Piece) -> list[float]:
    r, side = rng.uniform(0.6, 2.4), rng.uniform(0, 2 * np.pi)
    off = float(piece.outer_mm.max()) + r + rng.uniform(0.1, 2.5)
    middle = np.array([0.0, off * np.cos(side), off * np.sin(side)])
    way = np.array([8.0, *rng.normal(0, 1.5, 2)])
    value = piece.blood_hu * rng.uniform(0.15, 1.15)
    return [*(middle - way), *(middle + way), r, r, value, 0.0, 0.0]


def imaged_piece(
    rng: np.random.Generator, piece: Piece, optics: Optics
) -> tuple[Volume, Floats]:
    """Return the scan of a piece and the rotation from its frame to the scanner's.

    The scan's grid is the scanner's; points of the piece's frame times the rotation lie in it.
    """
    turn = Rotation.random(random_state=rng).as_matrix()
    voxel = np.array([optics.voxel_mm, optics.voxel_mm, optics.voxel_z_mm])
    parts = np.ceil(voxel / FINE_MM).astype(int)
    fine = voxel / parts
    count = np.ceil(2 * REACH_MM / voxel).astype(int)
    size = (count - 1) * parts + 1
    first = -0.5 * (size - 1) * fine + rng.uniform(-0.5, 0.5, 3) * voxel
    # rows of `turn.T`: the scanner's axes in the piece's frame
    hu = np.empty(tuple(size[::-1]), dtype=np.float32)
    inside = np.empty_like(hu)
    axes = floats(turn)
    paint_piece(
        hu, inside, floats(fine), floats(first @ turn), axes, piece.curvature_1_mm,
        float(S_MM[0]), STEP_MM, piece.lumen_mm, piece.outer_mm, piece.plaque_hu,
        piece.inner_calcium_mm, piece.outer_calcium_mm, piece.calcium_hu, piece.rings,
        piece.strut, floats([piece.around_hu, piece.blood_hu]), piece.planes, piece.tubes,
    )  # fmt: skip
    fwhm = np.array([optics.psf_z_mm, optics.psf_mm, optics.psf_mm])
    # painting has already blurred by a box of one fine voxel
    wide = np.sqrt(np.maximum((fwhm / FWHM_PER_SD) ** 2 - fine[::-1] ** 2 / 12, 1e-4))
    sd = wide / fine[::-1]
    blurred = gaussian_filter(hu, sd, truncate=3.0)
    if optics.overshoot_percent > 0:
        softer = gaussian_filter(blurred, 1.2 * sd, truncate=3.0)
        blurred += optics.overshoot_percent / 50 * (blurred - softer)
    seen = np.ascontiguousarray(blurred[:: parts[2], :: parts[1], :: parts[0]])
    if optics.noise_peak_per_mm > 0:
        peak, grain = optics.noise_peak_per_mm, optics.grain_mm
        seen += optics.noise_hu * shaped_noise(rng, seen.shape, voxel[::-1], peak, grain)
    else:
        seen = with_noise(rng, seen, voxel[::-1], optics.noise_hu, optics.grain_mm)
    grid = Grid(ints(count), floats(voxel), floats(first), floats(np.eye(3)))
    return Volume(grid, np.clip(np.rint(seen), -1024, 3071).astype(np.int16)), floats(turn.T)


def lumen_axis_mm(piece: Piece, s_mm: Floats) -> Floats:
    """Return the lumen's centroid line at path lengths of the axis, (n, 3)."""
    area = (piece.lumen_mm**2).mean(axis=1)
    moment = [
        (piece.lumen_mm**3 * f(THETA)).mean(axis=1) * 2 / 3 / area for f in (np.cos, np.sin)
    ]
    u, v = (np.interp(s_mm, S_MM, m) for m in moment)
    k = piece.curvature_1_mm
    turn = k * s_mm
    if k < 1e-6:
        axis = np.stack([s_mm, np.zeros_like(s_mm), np.zeros_like(s_mm)], axis=1)
    else:
        axis = np.stack([np.sin(turn) / k, (1 - np.cos(turn)) / k, np.zeros_like(s_mm)], axis=1)
    normal = np.stack([-np.sin(turn), np.cos(turn), np.zeros_like(s_mm)], axis=1)
    line = axis + u[:, None] * normal + v[:, None] * np.array([0.0, 0.0, 1.0])
    return floats(line)


def true_contours_mm(
    piece: Piece, centre: Floats, rays: Floats, far_mm: float
) -> tuple[Floats, Floats]:
    """Return the way along each ray to lumen contour and outer wall, (n, angles) each."""
    found = []
    for table in (piece.lumen_mm, piece.outer_mm):
        radius = np.empty(rays.shape[:2])
        contour_on_rays(
            radius, centre, rays, piece.curvature_1_mm, float(S_MM[0]), STEP_MM, table,
            far_mm, 0.05,
        )  # fmt: skip
        found.append(radius)
    return floats(found[0]), floats(found[1])


def true_calcium(
    piece: Piece, centre: Floats, rays: Floats, samples: int, pace_mm: float
) -> AnyArray:
    """Return which samples of each ray lie in calcium, (n, angles, samples), 0 or 1."""
    part = np.zeros((*rays.shape[:2], samples), dtype=np.uint8)
    calcium_on_rays(
        part, centre, rays, piece.curvature_1_mm, float(S_MM[0]), STEP_MM,
        piece.inner_calcium_mm, piece.outer_calcium_mm, pace_mm,
    )  # fmt: skip
    return part
