"""How do lattice triangles become a smooth and even wall, without shrinking it?"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from meshes.arrays import Floats, Ints
from meshes.tubes import Tubes, axis_point_mm, wall

LONGEST_EDGE = 0.45  # radii: 16 triangles or so around any vessel
SHORTEST_SPLIT_MM = 0.06  # so that a pinhole does not become the most detailed place
SMOOTHINGS = 4


def projected(tubes: Tubes, points: Floats, beyond_wall_mm: Floats) -> Floats:
    """Move points across the axis of their vessel to `beyond_wall_mm` outside its wall."""
    for _ in range(3):
        place = wall(tubes, points)
        arm = points - axis_point_mm(tubes, place)
        length = np.maximum(np.linalg.norm(arm, axis=1), 1e-9)
        # on an end plane the wall is nearer than the tube: there, stay
        flat = place.distance_mm > length - place.radius_mm + 1e-9
        step = np.where(flat | (place.segment < 0), 0.0, place.distance_mm - beyond_wall_mm)
        points = points - (step / length)[:, None] * arm
    return points


def smoothed(tubes: Tubes, points: Floats, triangles: Ints) -> Floats:
    """Even out the triangles: each vertex to the middle of its neighbours, and back out."""
    n = len(points)
    head, tail = triangles.ravel(), triangles[:, [1, 2, 0]].ravel()
    share = 1.0 / np.bincount(head, minlength=n)[head]
    mean = csr_matrix((share, (head, tail)), shape=(n, n))
    for _ in range(SMOOTHINGS):
        points = projected(tubes, 0.5 * points + 0.5 * (mean @ points), np.zeros(n))
    return points


def split(tubes: Tubes, points: Floats, triangles: Ints) -> tuple[Floats, Ints]:
    """Halve the edges that are long against the radius, until there are none."""
    for _ in range(4):
        radius = wall(tubes, points).radius_mm
        ends = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        edges, of = np.unique(ends[:, 0] * len(points) + ends[:, 1], return_inverse=True)
        a, b = edges // len(points), edges % len(points)
        length = np.linalg.norm(points[a] - points[b], axis=1)
        widest = LONGEST_EDGE * np.maximum(radius[a], radius[b])
        long = length > np.maximum(widest, SHORTEST_SPLIT_MM)
        if not np.any(long):
            break
        number = np.where(long, len(points) + np.cumsum(long) - 1, -1)
        middle = 0.5 * (points[a[long]] + points[b[long]])
        middle = projected(tubes, middle, np.zeros(len(middle)))
        points = np.concatenate([points, middle])
        triangles = _subdivided(triangles, number[of].reshape(-1, 3), points)
    return points, triangles


def _subdivided(triangles: Ints, middle: Ints, points: Floats) -> Ints:
    """Cut triangles at the `middle` points of their edges 01, 12, 20 (-1: none)."""
    cuts = (middle >= 0).sum(axis=1)
    parts = [triangles[cuts == 0]]
    for count in (1, 2):
        # turn the triangle: a single cut lies on 01; of two cuts, the edge without is 20
        odd = middle[cuts == count] >= 0 if count == 1 else middle[cuts == count] < 0
        turn = (np.argmax(odd, axis=1)[:, None] + np.arange(3) + (count == 2)) % 3
        a, b, c = np.take_along_axis(triangles[cuts == count], turn, 1).T
        ab, bc, _ = np.take_along_axis(middle[cuts == count], turn, 1).T
        if count == 1:
            parts += [np.stack([a, ab, c], 1), np.stack([ab, b, c], 1)]
            continue
        down = np.linalg.norm(points[ab] - points[c], axis=1)
        near = down < np.linalg.norm(points[a] - points[bc], axis=1)
        parts += [
            np.stack([ab, b, bc], 1),
            np.stack([a, ab, np.where(near, c, bc)], 1),
            np.stack([np.where(near, ab, a), bc, c], 1),
        ]
    (a, b, c), (ab, bc, ca) = triangles[cuts == 3].T, middle[cuts == 3].T
    parts += [np.stack(v, 1) for v in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    return np.concatenate(parts)


def sagitta_mm(tubes: Tubes, points: Floats, triangles: Ints) -> Floats:
    """Mean depth by which the triangles around each vertex cut into a round vessel.

    Over a triangle, the chord of a parabola x^2 / 2R lies deep by the sum of its edges'
    squared extents across the axis over 24 R, on average.
    """
    place = wall(tubes, points)
    radius = np.maximum(place.radius_mm, 1e-3)
    axis = tubes.end_mm[place.segment] - tubes.start_mm[place.segment]
    axis = axis / np.linalg.norm(axis, axis=1, keepdims=True)
    edges = points[triangles[:, [1, 2, 0]]] - points[triangles]
    along = np.einsum("ijk,ijk->ij", edges, axis[triangles])
    across = (np.sum(edges**2, axis=(1, 2)) - np.sum(along**2, axis=1)).repeat(3)
    count = np.bincount(triangles.ravel(), minlength=len(points))
    mean = np.bincount(triangles.ravel(), across, len(points)) / np.maximum(count, 1)
    return np.asarray(mean / (24.0 * radius))
