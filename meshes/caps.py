"""How does a tube that was meshed too long get a flat, sharp end?"""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np

from meshes.arrays import AnyArray, Floats, Ints
from meshes.stuffing import Stuffed
from meshes.tubes import Tubes, wall

log = logging.getLogger(__name__)


def capped(tubes: Tubes, surface: Stuffed, snap_mm: float, caps: bool) -> tuple[Stuffed, Ints]:
    """Cut a closed surface at the end planes of its tubes; close the cuts with flat caps.

    Only the vessel that ends at a plane is cut by it. Vertices within `snap_mm` of a plane
    are moved onto it, so that the cut leaves no slivers. Without `caps` the cuts stay open.
    An end that is hidden in a wider vessel has no cut and no cap.

    Returns
    -------
    The surface, and the label of its triangles: 0 wall, 1 + plane on caps.
    """
    points, triangles = surface
    label = np.zeros(len(triangles), np.int64)
    for plane in range(len(tubes.plane_normal)):
        for snap in (snap_mm, 0.0):
            height = _height_mm(tubes, points, plane)
            cut = _cut(points, triangles, label, height, tubes.plane_normal[plane], snap)
            loop = _loop(cut.rim)
            if loop.size:
                break
        if loop.size:
            points, triangles, label = cut.points_mm, cut.triangles, cut.label
            if caps:
                triangles = np.concatenate([triangles, _fan(loop, len(points))])
                points = np.append(points, points[loop].mean(axis=0)[None], axis=0)
                label = np.append(label, np.full(loop.size, 1 + plane))
        elif cut.rim.size:
            log.warning("end %d of a vessel meets another vessel and stays round", plane)
            label[np.all(height[triangles] > 0.0, axis=1)] = 1 + plane
        else:
            log.warning("end %d of a vessel lies inside another and gets no cap", plane)
    used, numbers = np.unique(triangles, return_inverse=True)
    return Stuffed(points[used], numbers.reshape(-1, 3)), label


class _Cut(NamedTuple):
    points_mm: Floats
    triangles: Ints
    label: Ints
    rim: Ints  # directed edges along the cut, (k, 2)


def _height_mm(tubes: Tubes, points: Floats, plane: int) -> Floats:
    """Return how far points lie beyond an end plane; -1 if their vessel does not end there."""
    segment = wall(tubes, points).segment
    ends = (tubes.inlet_plane[segment] == plane) | (tubes.outlet_plane[segment] == plane)
    height = (points - tubes.plane_point_mm[plane]) @ tubes.plane_normal[plane]
    return np.where(ends & (segment >= 0), height, -1.0)


def _cut(
    points: Floats, triangles: Ints, label: Ints, height: Floats, normal: Floats, snap_mm: float
) -> _Cut:
    """Keep what lies below height 0."""
    close = np.abs(height) <= snap_mm
    points = np.where(close[:, None], points - height[:, None] * normal, points)
    side = np.where(close, 0, np.sign(height)).astype(np.int64)
    crossed, middle = _crossings(triangles, side, len(points))
    share = height[crossed[:, 0]] / (height[crossed[:, 0]] - height[crossed[:, 1]])
    new = (
        points[crossed[:, 0]] * (1.0 - share)[:, None] + points[crossed[:, 1]] * share[:, None]
    )
    points = np.concatenate([points, new])
    on_plane = np.append(side == 0, np.ones(len(new), bool))

    of = side[triangles]
    below, above = (of < 0).sum(axis=1), (of > 0).sum(axis=1)
    keep = (above == 0) & (below > 0)
    parts, labels = [triangles[keep]], [label[keep]]
    # turn triangles so that the vertex alone on its side comes first
    tip = (below == 2) & (above == 1)
    (a, b, c), (ab, _, ca) = _turned(of > 0, tip, triangles), _turned(of > 0, tip, middle)
    parts += [np.stack([ab, b, c], 1), np.stack([ab, c, ca], 1)]
    foot = (below == 1) & (above > 0)
    (a, b, c), (ab, _, ca) = _turned(of < 0, foot, triangles), _turned(of < 0, foot, middle)
    # a vertex on the plane is its own crossing
    parts.append(np.stack([a, np.where(ab < 0, b, ab), np.where(ca < 0, c, ca)], 1))
    labels += [label[tip], label[tip], label[foot]]
    triangles = np.concatenate(parts)
    return _Cut(points, triangles, np.concatenate(labels), _rim(triangles, on_plane))


def _turned(first: AnyArray, chosen: AnyArray, rows: Ints) -> Ints:
    """Rotate the chosen rows of three so that the one marked `first` leads; as columns."""
    turn = (np.argmax(first[chosen], axis=1)[:, None] + np.arange(3)) % 3
    turned: Ints = np.take_along_axis(rows[chosen], turn, 1).T
    return turned


def _crossings(triangles: Ints, side: Ints, count: int) -> tuple[Ints, Ints]:
    """Return the edges that pass the plane, and per triangle the number of their crossing.

    Crossings are numbered from `count`, for the edges 01, 12, 20; -1 where there is none.
    """
    ends = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    passing = side[ends[:, 0]] * side[ends[:, 1]] < 0
    key, number = np.unique(ends[passing, 0] * count + ends[passing, 1], return_inverse=True)
    middle = np.full(len(ends), -1)
    middle[passing] = count + number
    return np.stack([key // count, key % count], axis=1), middle.reshape(-1, 3)


def _rim(triangles: Ints, on_plane: AnyArray) -> Ints:
    """Return the directed edges on the plane that have a triangle on one side only."""
    edges = triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    edges = edges[on_plane[edges].all(axis=1)]
    count = len(on_plane)
    there = edges[:, 0] * count + edges[:, 1]
    back = edges[:, 1] * count + edges[:, 0]
    return edges[~np.isin(there, back)]


def _loop(rim: Ints) -> Ints:
    """Return the vertices of a rim in order; none if it is not one simple loop."""
    following = dict(rim.tolist())
    if len(following) != len(rim) or len(rim) < 3:
        return np.zeros(0, np.int64)
    loop = [int(rim[0, 0])]
    while (
        (ahead := following.get(loop[-1], -1)) >= 0
        and ahead != loop[0]
        and len(loop) <= len(rim)
    ):
        loop.append(ahead)
    return np.array(loop if len(loop) == len(rim) and ahead == loop[0] else [], dtype=np.int64)


def _fan(loop: Ints, centre: int) -> Ints:
    """Return the triangles of a cap, turned against its rim."""
    return np.stack([np.roll(loop, -1), loop, np.full(loop.size, centre)], axis=1)
