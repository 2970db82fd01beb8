"""What does a CT of a stranger's chest look like? Painting, blur, noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from meshes.arrays import AnyArray, Floats, floats
from meshes.volume import Grid, Volume, array_shape, axis_aligned_grid
from validation.stranger_body import Artery, Body

COARSE_MM = 2.5  # organs are smooth: linear between distances errs by 0.05 mm
FWHM = 2.3548


@dataclass(frozen=True, slots=True)
class Look:
    """How a scan looks.

    Parameters
    ----------
    name
        For tables.
    pixel_mm, slice_mm, slices
        Grid of 512 x 512 pixels.
    psf_mm, noise_hu
        Full width at half maximum of the point spread in plane (1.2 times as wide along the
        table), standard deviation of the noise.
    grain_mm
        Standard deviation of the Gaussian that correlates the noise; 0 for white noise.
    blood_hu, left_percent, right_hu, vein_hu, caval_hu
        Attenuation of the aorta's blood; of the left ventricle's beside it; right heart and
        pulmonary arteries; cardiac veins; superior caval vein.
    muscle_hu, fade_1_mm
        Myocardium; loss of arterial contrast along the vessels.
    texture_hu
        Slow unevenness of fat and muscle.
    plain
        No trabeculae, lung vessels, bones, nor walls of vessels.
    """

    name: str
    pixel_mm: float = 0.39
    slice_mm: float = 0.5
    slices: int = 260
    psf_mm: float = 0.65
    noise_hu: float = 22.0
    grain_mm: float = 0.312
    blood_hu: float = 420.0
    left_percent: float = 95.0
    right_hu: float = 180.0
    vein_hu: float = 150.0
    caval_hu: float = 300.0
    muscle_hu: float = 105.0
    fade_1_mm: float = 0.0008
    texture_hu: float = 12.0
    plain: bool = False


def hu_of(look: Look) -> dict[str, float]:
    """Return the attenuation of each organ."""
    left, right = look.left_percent / 100 * look.blood_hu, look.right_hu
    return {
        "fat": -95, "body": 45, "lung": -860, "ribs": 380, "breastbone": 260, "spine": 240,
        "oesophagus": 35, "liver": 95, "fat wall": 60, "muscle": look.muscle_hu,
        "svc": look.caval_hu, "ivc": 0.5 * (right + 80), "ra": right, "rv": right,
        "pa": 0.5 * (right + look.blood_hu) if right > 100 else right, "la": left, "lv": left,
        "aorta": look.blood_hu,
    }  # fmt: skip


def scan_grid(body: Body, look: Look) -> Grid:
    """Return the grid: centred on the coronary arteries."""
    ends = np.concatenate([a.axis_mm for a in body.arteries])
    middle = 0.5 * (ends.min(axis=0) + ends.max(axis=0)) + [0.0, 8.0, 5.0]
    size = np.array([512, 512, look.slices])
    spacing = np.array([look.pixel_mm, look.pixel_mm, look.slice_mm])
    return axis_aligned_grid(size, spacing, middle - 0.5 * (size - 1) * spacing)


def scanned(body: Body, look: Look, seed: int) -> Volume:
    """Return the CT of a body, in HU, int16."""
    rng = np.random.default_rng([seed, 5])
    grid = scan_grid(body, look)
    hu = _organs(body, look, grid, rng)
    _paint_lumens(hu, body, look, grid)
    sigma = look.psf_mm / FWHM / grid.spacing_mm * [1, 1, 1.2]
    gaussian_filter(hu, sigma[::-1], output=hu, truncate=3.5)
    noise = rng.standard_normal(hu.shape, dtype=np.float32)
    if look.grain_mm:
        pixels = look.grain_mm / look.pixel_mm
        grain = gaussian_filter(noise, [0.6 * pixels, pixels, pixels])
        noise = 0.4 * noise + 0.9 * grain / grain.std()
    hu += look.noise_hu * noise / noise.std()
    return Volume(grid, np.clip(np.rint(hu), -1024, 3071).astype(np.int16))


def _coarse(grid: Grid) -> tuple[Floats, list[AnyArray]]:
    """Return points of a coarse lattice over a grid, and the weights from it, k j i."""
    axes, weights = [], []
    for axis in (2, 1, 0):
        n, step = int(grid.size[axis]), float(grid.spacing_mm[axis])
        count = int(np.ceil((n - 1) * step / COARSE_MM)) + 1
        axes.append(grid.origin_mm[axis] + COARSE_MM * np.arange(count))
        at = np.arange(n) * step / COARSE_MM
        low = np.minimum(at.astype(int), count - 2)
        table = np.zeros((n, count), dtype=np.float32)
        table[np.arange(n), low] = 1 - (at - low)
        table[np.arange(n), low + 1] = at - low
        weights.append(table)
    k, j, i = np.meshgrid(*axes, indexing="ij")
    return floats(np.stack([i, j, k], axis=-1)), weights


def _organs(body: Body, look: Look, grid: Grid, rng: np.random.Generator) -> AnyArray:
    points, weights = _coarse(grid)
    level = hu_of(look)
    hu = np.full(array_shape(grid), -1000.0, dtype=np.float32)
    edge = float(np.mean(grid.spacing_mm))
    shape = points.shape[:-1]

    def field(size_mm: float) -> AnyArray:
        rough = gaussian_filter(rng.standard_normal(shape), size_mm / COARSE_MM)
        return np.asarray(rough / rough.std())

    texture = look.texture_hu * (0.6 * field(2.5) + 0.8 * field(8.0))
    vessels = 70.0 * np.maximum(0, field(1.6) - 2.0) * (1000 / 70)
    ragged = np.maximum(0, field(3.0) - 0.6)
    bony = {"ribs", "spine", "breastbone"}
    for name, organ in body.organs:
        if look.plain and (name in bony or name == "fat wall"):
            continue
        d = organ(points)
        value: AnyArray = np.full(shape, level[name], dtype=np.float32)
        if name in ("fat", "muscle", "liver", "body"):
            value = value + texture
        elif name == "lung" and not look.plain:
            value = np.minimum(value + vessels, 250.0)
        elif name in bony:
            value = value + np.where(d > -2.5, 350.0, 0.0)
        elif name == "lv" and not look.plain:
            d = d + np.where(d > -9, 6.0 * ragged, 0.0)
        _lay(hu, d, value, weights, edge)
    _paint_walls(hu, body, look, grid)
    blood = body.organs[-1][1](points)  # the aorta's comes over the walls in its ostia
    _lay(hu, blood, np.full(shape, level["aorta"]), weights, edge)
    return hu


def _lay(
    hu: AnyArray, d: AnyArray, value: AnyArray, weights: Sequence[AnyArray], edge: float
) -> None:
    """Mix an organ into the picture, a few slices at a time."""
    wk, wj, wi = weights
    for first in range(0, len(hu), 16):
        rows = slice(first, first + 16)
        used = np.flatnonzero(wk[rows].any(axis=0))
        part = slice(used[0], used[-1] + 1)
        if d[part].min() > 2 * COARSE_MM:
            continue
        share = 0.5 - _finer(d[part], wk[rows, part], wj, wi) / edge
        np.clip(share, 0, 1, out=share)
        v = value[part]
        flat = v.min() == v.max()
        there = v.flat[0] if flat else _finer(v, wk[rows, part], wj, wi)
        hu[rows] += share * (there - hu[rows])


def _finer(values: AnyArray, wk: AnyArray, wj: AnyArray, wi: AnyArray) -> AnyArray:
    v = np.asarray(values, dtype=np.float32) @ wi.T
    v = np.matmul(wj, v)
    return np.asarray(np.tensordot(wk, v, axes=(1, 0)))


def _paint_walls(hu: AnyArray, body: Body, look: Look, grid: Grid) -> None:
    """Paint veins, walls with their plaque, and calcium."""
    for vein in body.veins:
        if look.vein_hu > 0:
            _paint(hu, grid, vein, vein.lumen_mm, look.vein_hu)
    for a in body.arteries:
        _paint(hu, grid, a, a.healthy_mm if look.plain else a.outer_mm, 65.0)
    for ball in body.deposits_mm:
        dot = Artery("", floats(ball[None, :3]), floats(ball[3:]), floats(ball[3:]))
        _paint(hu, grid, dot, dot.lumen_mm, 1000.0)


def _paint_lumens(hu: AnyArray, body: Body, look: Look, grid: Grid) -> None:
    upstream: dict[str, AnyArray] = {}
    for a in body.arteries:
        each = np.linalg.norm(np.diff(a.axis_mm, axis=0), axis=1)
        s = np.concatenate([[0.0], np.cumsum(each)])
        mother = next((m for m in body.arteries if m.name == a.mother), None)
        if mother is not None:
            s += upstream[a.mother][
                np.linalg.norm(mother.axis_mm - a.axis_mm[0], axis=1).argmin()
            ]
        upstream[a.name] = s
        value = look.blood_hu * np.maximum(0.6, 1 - look.fade_1_mm * s)
        _paint(hu, grid, a, a.lumen_mm, value)


def _paint(
    hu: AnyArray, grid: Grid, a: Artery, radius: Floats, value: AnyArray | float
) -> None:
    """Mix a tube into the picture; each voxel is asked at eight places."""
    values = np.broadcast_to(value, radius.shape)
    tree = cKDTree(a.axis_mm)
    reach = float(radius.max()) + 1.0
    span = np.ceil(reach / grid.spacing_mm).astype(int)
    box = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in span), indexing="ij"), -1)
    box = box.reshape(-1, 3)
    box = box[np.linalg.norm(box * grid.spacing_mm, axis=1) < reach + 0.6]
    at = np.rint((a.axis_mm[::2] - grid.origin_mm) / grid.spacing_mm).astype(int)
    ijk = (at[:, None] + box).reshape(-1, 3)
    ijk = ijk[((ijk >= 0) & (ijk < grid.size)).all(axis=1)]
    if not len(ijk):
        return
    flat = np.unique(np.ravel_multi_index(ijk.T[::-1], hu.shape))
    k, j, i = np.unravel_index(flat, hu.shape)
    middle = grid.origin_mm + np.stack([i, j, k], -1) * grid.spacing_mm
    edge = 0.5 * float(np.mean(grid.spacing_mm))
    off, near = tree.query(middle)
    off = off - radius[near]
    share = (off < 0).astype(float)
    rim = np.abs(off) < 2 * edge
    share[rim] = 0.0
    for corner in np.array(np.meshgrid(*[(-0.25, 0.25)] * 3)).reshape(3, 8).T:
        away, at_rim = tree.query(middle[rim] + corner * grid.spacing_mm)
        share[rim] += np.clip(0.5 - (away - radius[at_rim]) / edge, 0, 1) / 8
    before = hu.ravel()[flat]
    np.put(hu, flat, before + share * (values[near] - before))
