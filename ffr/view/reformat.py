"""What does the scan look like along and across a vessel? All rotations at once.

The page turns, windows and cuts these pictures itself: what is sent once per vessel answers
every move of the cursor without asking the server.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.arrays import AnyArray, Floats, floats
from meshes.contours import Contours
from meshes.straighten import arc_length_mm, frames, resampled, sampled
from meshes.volume import Volume

ALONG_MM = 0.25  # between cross-sections
ACROSS_MM = 0.25  # pixel of a cross-section
HALF_WIDTH_MM = 8.0
SMOOTHING_MM = 1.0  # as in the report's pictures
RAYS = 36  # of an outline
TURNS = 24  # curved pictures over half a turn; the other half is their mirror
CURVED_MM = 0.5  # pixel of a curved picture
MARGIN_MM = 25.0  # that a curved picture shows beside the vessel
AIR_HU = -1024  # beyond the scan


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """The axis of a vessel with cross-sections that do not twist.

    Parameters
    ----------
    s_mm
        Path length at each cross-section, evenly spaced, shape (n,).
    points_mm
        Their middles, shape (n, 3).
    right_direction, up_direction
        Unit vectors in them, shape (n, 3).
    """

    s_mm: Floats
    points_mm: Floats
    right_direction: Floats
    up_direction: Floats

    def __post_init__(self) -> None:
        for name in ("s_mm", "points_mm", "right_direction", "up_direction"):
            object.__setattr__(self, name, floats(getattr(self, name)))


def vessel_axis(points_mm: Floats) -> Axis:
    """Return the cross-sections along a centreline (n, 3), inlet first.

    Raises
    ------
    GeometryError
        Points that coincide or turn back on themselves.
    """
    length = float(arc_length_mm(points_mm)[-1])
    count = max(int(length / ALONG_MM + 1e-9), 2)
    step = min(ALONG_MM, length / count)  # of a stub too
    s = np.arange(count + 1) * step
    middle = resampled(points_mm, s)
    _, right, up = frames(middle, SMOOTHING_MM / step)
    return Axis(floats(s), middle, right, up)


def cross_sections_hu(volume: Volume, axis: Axis) -> AnyArray:
    """Return the scan across the vessel, int16, shape (n, width, width): along, up, right."""
    half = round(HALF_WIDTH_MM / ACROSS_MM)
    across = np.arange(-half, half + 1) * ACROSS_MM
    plane = (
        across[:, None, None] * axis.up_direction[:, None, None]
        + across[:, None] * axis.right_direction[:, None, None]
    )
    return _hu(volume, axis.points_mm[:, None, None] + plane)


def outlines_mm(axis: Axis, at_mm: Floats, radius_mm: Floats, shape: Contours | None) -> Floats:
    """Return the lumen's outline in the cross-sections, shape (k, RAYS).

    Ray j leaves the middle at the angle 2 pi j / RAYS from right towards up.

    Parameters
    ----------
    at_mm, radius_mm
        Path length of the points measured, and the radius there, shape (k,).
    shape
        Their contours; None: round.
    """
    if shape is None:
        return floats(np.repeat(radius_mm[:, None], RAYS, axis=1))
    turn = np.arange(RAYS) * (2 * np.pi / RAYS)
    near = _nearest(axis, at_mm)
    ray = (
        np.cos(turn)[:, None] * axis.right_direction[near][:, None]
        + np.sin(turn)[:, None] * axis.up_direction[near][:, None]
    )
    angle = np.arctan2(
        np.einsum("krx,kx->kr", ray, shape.quarter_direction),
        np.einsum("krx,kx->kr", ray, shape.zero_direction),
    )
    measured = np.arange(shape.radius_mm.shape[1]) * (2 * np.pi / shape.radius_mm.shape[1])
    rows = [
        np.interp(a, measured, r, period=2 * np.pi)
        for a, r in zip(angle, shape.radius_mm, strict=True)
    ]
    return floats(np.array(rows))


def first_rays(axis: Axis, at_mm: Floats, shape: Contours) -> Floats:
    """Return how contours lie in the cross-sections, shape (k, 2).

    The angle in radians, from right towards up, of their first ray, and 1 where their rays
    follow each other from right towards up, -1 where the other way round. A wall that is
    dragged in a cross-section is so found among the rays of `ffr.editing.edits.Nudge`.
    """
    near = _nearest(axis, at_mm)
    right, up = axis.right_direction[near], axis.up_direction[near]
    zero, quarter = (
        (np.einsum("kx,kx->k", x, right), np.einsum("kx,kx->k", x, up))
        for x in (shape.zero_direction, shape.quarter_direction)
    )
    sense = np.where(zero[0] * quarter[1] - zero[1] * quarter[0] < 0, -1.0, 1.0)
    return floats(np.stack([np.arctan2(zero[1], zero[0]), sense], axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Curved:
    """Curved reformations of a vessel, turned about its long axis in even steps.

    The picture is the surface that a straight line of fixed direction sweeps along the
    centreline, rolled out flat without distortion ("stretched CPR", Kanitsar et al., IEEE
    Visualization 2002). Its columns lie along that direction,
    its rows follow each other along the vessel.

    Parameters
    ----------
    sideways_direction
        Direction of the columns, shape (turns, 3).
    down_mm, right_mm
        Where each cross-section's middle is in each picture, shape (turns, n).
    size_mm
        Height and width of all pictures.
    """

    sideways_direction: Floats
    down_mm: Floats
    right_mm: Floats
    size_mm: tuple[float, float]

    def __post_init__(self) -> None:
        for name in ("sideways_direction", "down_mm", "right_mm"):
            object.__setattr__(self, name, floats(getattr(self, name)))


def curved(axis: Axis) -> Curved:
    """Return where a vessel runs in its curved reformations."""
    long = np.linalg.svd(axis.points_mm - axis.points_mm.mean(axis=0), full_matrices=True)[2][0]
    first = np.eye(3)[np.argmin(np.abs(long))]
    first = first - (first @ long) * long
    first /= np.linalg.norm(first)
    turn = np.arange(TURNS) * (np.pi / TURNS)
    way = np.outer(np.cos(turn), first) + np.outer(np.sin(turn), np.cross(long, first))
    right = way @ axis.points_mm.T
    steps = np.linalg.norm(np.diff(axis.points_mm, axis=0), axis=1)
    forward = np.sqrt(np.maximum(steps**2 - np.diff(right, axis=1) ** 2, 0.0))
    down = np.concatenate([np.zeros((TURNS, 1)), np.cumsum(forward, axis=1)], axis=1)
    width = float(np.ptp(right, axis=1).max()) + 2 * MARGIN_MM
    middle = 0.5 * (right.min(axis=1) + right.max(axis=1))
    return Curved(way, down, right - middle[:, None] + 0.5 * width, (down[:, -1].max(), width))


def curved_hu(volume: Volume, axis: Axis, shape: Curved) -> AnyArray:
    """Return the curved pictures, int16, shape (turns, rows, columns); below the end: air."""
    rows, columns = (int(x / CURVED_MM) + 1 for x in shape.size_mm)
    found = np.full((len(shape.down_mm), rows, columns), AIR_HU, dtype=np.int16)
    x = np.arange(columns) * CURVED_MM
    for picture, way, down, right in zip(
        found, shape.sideways_direction, shape.down_mm, shape.right_mm, strict=True
    ):
        y = np.arange(int(down[-1] / CURVED_MM) + 1) * CURVED_MM
        middle = np.stack([np.interp(y, down, axis.points_mm[:, a]) for a in range(3)], axis=1)
        beside = x - np.interp(y, down, right)[:, None]
        points = middle[:, None] + beside[..., None] * way
        picture[: y.size] = _hu(volume, points)
    return found


def curved_edges_mm(axis: Axis, shape: Curved, at_mm: Floats, outline_mm: Floats) -> Floats:
    """Return how far the lumen reaches to the left and right in each curved picture.

    Where the columns run nearly along the vessel the lumen is cut at a slant; there at most
    four radii are drawn. Shape (turns, 2, k), outlines as of `outlines_mm`.
    """
    near = _nearest(axis, at_mm)
    right = shape.sideways_direction @ axis.right_direction[near].T
    up = shape.sideways_direction @ axis.up_direction[near].T
    upright = np.maximum(np.hypot(right, up), 0.25)
    ray = np.arctan2(up, right) / (2 * np.pi) * RAYS
    k = np.arange(at_mm.size)
    sides = [outline_mm[k, np.rint(ray + half).astype(int) % RAYS] for half in (RAYS // 2, 0)]
    return floats(np.stack([side / upright for side in sides], axis=1))


def _nearest(axis: Axis, at_mm: Floats) -> AnyArray:
    step = axis.s_mm[1] - axis.s_mm[0]
    return np.clip(np.rint(at_mm / step).astype(int), 0, axis.s_mm.size - 1)


def _hu(volume: Volume, points_mm: Floats) -> AnyArray:
    values = sampled(volume, points_mm, outside=AIR_HU)
    return np.clip(np.rint(values), -32768, 32767).astype(np.int16)
