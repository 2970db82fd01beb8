"""What does a lumen surface look like from an angle, without OpenGL?"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from ffr.report.angles import ANGLES, screen_axes
from ffr.report.colours import ffr_rgb
from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.kernels.raster import nearest_triangles

SUPERSAMPLING = 2
# light from above the reader's left shoulder, in screen axes (right, up, towards the reader)
LIGHT = np.array([-0.40, 0.55, 0.73]) / np.linalg.norm([-0.40, 0.55, 0.73])
OUTLINE_STEP_MM = 1.2  # a depth jump larger than this is where one vessel passes before another
OUTLINE_PIXELS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """An orthographic view: pixel = scale x (point - centre) along the screen axes.

    Parameters
    ----------
    direction
        Rows are the screen axes right, up, and towards the reader in patient space (LPS).
    centre_mm
        The patient point in the middle of the picture.
    pixels_per_mm
        Scale.
    columns, rows
        Size of the picture.
    """

    direction: Floats
    centre_mm: Floats
    pixels_per_mm: float
    columns: int
    rows: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "direction", floats(self.direction))
        object.__setattr__(self, "centre_mm", floats(self.centre_mm))


def edge_letters(axes: Floats) -> tuple[str, str, str, str]:
    """Return the patient directions at the left, right, top and bottom of a picture.

    One or two letters of L, R (left, right), A, P (anterior, posterior), H, F (head, foot).
    """

    def letters(way: Floats) -> str:
        order = np.argsort(-np.abs(way))
        names = [("R", "L"), ("A", "P"), ("F", "H")]
        return "".join(names[k][int(way[k] > 0)] for k in order if abs(way[k]) > 0.35)

    right, up, _ = axes
    return letters(-right), letters(right), letters(up), letters(-up)


def cameras(points_mm: Floats, pixels: int, margin: float = 0.10) -> tuple[Camera, ...]:
    """Return one square camera per standard angle, all at one scale, that see all points."""
    axes = [screen_axes(angle) for angle in ANGLES]
    low = [(points_mm @ a.T).min(axis=0) for a in axes]
    high = [(points_mm @ a.T).max(axis=0) for a in axes]
    extent = max(float((h - lo)[:2].max()) for h, lo in zip(high, low, strict=True))
    scale = pixels * (1 - 2 * margin) / max(extent, 1.0)
    return tuple(
        Camera(a, (0.5 * (lo + h)) @ a, scale, pixels, pixels)
        for a, lo, h in zip(axes, low, high, strict=True)
    )


def on_screen(camera: Camera, points_mm: Floats) -> Floats:
    """Return column, row (downwards) and depth towards the reader in mm, shape (..., 3)."""
    seen = (np.asarray(points_mm) - camera.centre_mm) @ camera.direction.T
    column = camera.columns / 2 + camera.pixels_per_mm * seen[..., 0]
    row = camera.rows / 2 - camera.pixels_per_mm * seen[..., 1]
    return np.stack([column, row, seen[..., 2]], axis=-1)


def vertex_normals(points_mm: Floats, triangles: Ints) -> Floats:
    """Return the area-weighted unit normal at each point, shape (n, 3)."""
    a, b, c = (points_mm[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    normal = np.stack(
        [
            sum(np.bincount(triangles[:, k], face[:, x], len(points_mm)) for k in range(3))
            for x in range(3)
        ],
        axis=1,
    )
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)


def rendered(
    camera: Camera, points_mm: Floats, triangles: Ints, ffr: Floats
) -> tuple[AnyArray, AnyArray]:
    """Draw a surface coloured by FFR, anti-aliased.

    Parameters
    ----------
    camera
        The view.
    points_mm, triangles
        The surface, shapes (n, 3) and (m, 3).
    ffr
        FFR at each point, NaN where not analysed, shape (n,).

    Returns
    -------
    Picture with alpha (rows, columns, 4), uint8, and the share of each pixel that the
    surface covers, 0 to 1, shape (rows, columns).
    """
    f = SUPERSAMPLING
    fine = Camera(
        camera.direction, camera.centre_mm, camera.pixels_per_mm * f,
        camera.columns * f, camera.rows * f,
    )  # fmt: skip
    points, triangles = np.asarray(points_mm, np.float64), np.asarray(triangles, np.int64)
    x, y, towards = (np.ascontiguousarray(v) for v in on_screen(fine, points).T)
    depth = np.full((fine.rows, fine.columns), -np.inf)
    seen = np.full(depth.shape, -1, dtype=np.int64)
    weight = np.zeros((*depth.shape, 2))
    nearest_triangles(x, y, towards, np.ascontiguousarray(triangles), depth, seen, weight)
    covered = seen >= 0
    box = tuple(_span(np.any(covered, axis=1 - axis), f) for axis in (0, 1))  # most is empty
    covered = covered[box]
    picture = np.zeros((*covered.shape, 4), dtype=np.float32)
    corners = triangles[seen[box][covered]]
    share = weight[box][covered]
    share = np.concatenate([share, 1 - share.sum(axis=1, keepdims=True)], axis=1)
    normals = vertex_normals(points, triangles) @ camera.direction.T
    facing = np.einsum("pk,pkx->px", share, normals[corners])
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-12)
    colour = ffr_rgb(np.einsum("pk,pk->p", share, np.asarray(ffr)[corners]))
    picture[covered, :3] = _shaded(colour, facing)
    edge = _outline(depth[box])
    picture[edge, :3] = 0.45 * picture[edge, :3].astype(np.float64)
    picture[..., 3] = covered
    whole = np.zeros((camera.rows, camera.columns, 4), dtype=np.uint8)
    cover = np.zeros(whole.shape[:2], dtype=np.float32)
    coarse = tuple(slice(part.start // f, part.stop // f) for part in box)
    whole[coarse], cover[coarse] = _reduced(picture, f)
    return whole, cover


def _span(filled: AnyArray, factor: int) -> slice:
    """Return the lines that are filled and some empty ones around, whole blocks of them.

    All lines where there is no room for empty ones: an outline reaches over the border.
    """
    at = np.flatnonzero(filled)
    room = OUTLINE_PIXELS + factor
    if at.size == 0 or at[0] < room or at[-1] >= filled.size - room:
        return slice(0, filled.size)
    low, high = at[0] - OUTLINE_PIXELS, at[-1] + OUTLINE_PIXELS + 1
    return slice(int(low // factor * factor), int(-(-high // factor) * factor))


def _shaded(colour: Floats, facing: Floats) -> Floats:
    """Light a colour softly: the hue must stay readable against the colour bar."""
    facing = np.where(facing[:, 2:] < 0, -facing, facing)  # an open end shows its inside
    diffuse = np.clip(facing @ LIGHT, 0, 1)
    rim = 1 - np.clip(facing[:, 2], 0, 1)
    halfway = (LIGHT + [0, 0, 1]) / np.linalg.norm(LIGHT + [0, 0, 1])
    gloss = np.clip(facing @ halfway, 0, 1) ** 40
    light = (0.66 + 0.40 * diffuse) * (1 - 0.38 * rim**2.5)
    return np.clip(colour * light[:, None] + 0.16 * gloss[:, None], 0, 1)


def _outline(depth: Floats) -> AnyArray:
    """Mark the pixels behind which depth jumps: the border of a vessel before another."""
    finite = np.where(np.isfinite(depth), depth, -1e6)
    edge = np.zeros(depth.shape, dtype=bool)
    for axis in (0, 1):
        for shift in (k for k in range(-OUTLINE_PIXELS, OUTLINE_PIXELS + 1) if k):
            edge |= np.roll(finite, shift, axis=axis) > finite + OUTLINE_STEP_MM
    return edge & np.isfinite(depth)


def _reduced(picture: AnyArray, factor: int) -> tuple[AnyArray, AnyArray]:
    """Average blocks of factor x factor pixels, colours weighted by what covers them."""
    rows, columns = picture.shape[0] // factor, picture.shape[1] // factor
    blocks = picture.reshape(rows, factor, columns, factor, 4)
    alpha = _block_mean(blocks[..., 3])
    colour = _block_mean(blocks[..., :3] * blocks[..., 3:])
    colour /= np.maximum(alpha, 1e-6)[..., None]
    out = np.concatenate([colour, alpha[..., None]], axis=-1)
    return (out * 255 + 0.5).astype(np.uint8), alpha


def _block_mean(blocks: AnyArray) -> AnyArray:
    """Average over axes 1 and 3, faster than numpy does where these are short."""
    places = np.ndindex(blocks.shape[1], blocks.shape[3])
    total: AnyArray = functools.reduce(np.add, (blocks[:, i, :, j] for i, j in places))
    return total / np.float32(blocks.shape[1] * blocks.shape[3])
