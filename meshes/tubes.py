"""Where is the wall of a vessel tree? The lumen as a bundle of tubes with flat ends."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.contours import Contours, area_radius_mm
from meshes.kernels.surface import segments_by_block, tube_distance
from meshes.tree import VesselTree, child_count, outlets, path_length_mm, sections

END_REGION = 2.0  # radii of vessel before an end that its plane may cut


class Tubes(NamedTuple):
    """Segments of a tree, end planes, and a block lattice that finds them by place.

    `parent` and `child` are the tree points a segment joins; beyond an end, where the
    vessel goes on straight for `beyond_mm` and more, both are the end point. Plane 0
    belongs to the inlet, the others to the outlets in order.
    """

    start_mm: Floats
    end_mm: Floats
    radius_start_mm: Floats
    radius_end_mm: Floats
    parent: Ints
    child: Ints
    shape: Floats  # of each tree point: contour over the radius of equal area, (n, rays)
    zero_direction: Floats
    quarter_direction: Floats
    run: Ints  # unbranched run of each segment
    inlet_plane: Ints
    outlet_plane: Ints
    plane_point_mm: Floats
    plane_normal: Floats
    beyond_mm: float
    run_start: Ints  # tree point where each run starts, and ends
    run_end: Ints
    fillet_mm: float
    corner_mm: Floats
    block_mm: float
    blocks: Ints  # along each axis
    first: AnyArray
    listed: AnyArray


class Wall(NamedTuple):
    """Where points lie relative to the wall: distance (< 0 inside), segment, place on it."""

    distance_mm: Floats
    segment: Ints  # -1: further away than the tubes were built for
    along: Floats  # 0 at the segment's start, 1 at its end
    radius_mm: Floats  # of the wall there, towards the point


def tubes_of(
    tree: VesselTree,
    block_mm: float,
    reach_mm: float,
    beyond_mm: float,
    least_mm: float = 0.0,
    fillet_mm: float = 0.0,
    contours: Contours | None = None,
) -> Tubes:
    """Prepare a tree for `wall`, which then knows distances up to `reach_mm` outside.

    Radii below `least_mm` are lifted to it. The vessel ends flat, across its axis,
    `beyond_mm` beyond its inlet and outlets. Between branches that meet at a bifurcation,
    gaps narrower than half of `fillet_mm` are filled, and the notch above is rounded.
    Sections have the shape of `contours`, if given, and the tree's radius as the circle of
    equal area.
    """
    radius = np.maximum(tree.radius_mm, least_mm)
    outline = _shapes(contours)
    ends = np.concatenate([[0], outlets(tree)])
    normal = np.array([_outward(tree, int(end)) for end in ends])
    run, inlet, outlet = _runs(tree, ends)
    child = np.concatenate([np.arange(1, len(tree)), ends])
    parent = np.concatenate([tree.parent[1:], ends])
    start, end = tree.points_mm[parent], tree.points_mm[child]
    end[-ends.size :] += normal * (beyond_mm + block_mm)
    # the kernel wants the segments of a run side by side
    order = np.argsort(run, kind="stable")
    start, end, parent, child = start[order], end[order], parent[order], child[order]
    widest = radius * outline[0].max(axis=1, initial=1.0) if contours else radius
    reach = np.maximum(widest[parent], widest[child]) + reach_mm
    corner, blocks, first, listed = _blocks(start, end, reach, block_mm)
    runs = sections(tree)
    return Tubes(
        start_mm=start,
        end_mm=end,
        radius_start_mm=radius[parent],
        radius_end_mm=radius[child],
        parent=parent,
        child=child,
        shape=outline[0],
        zero_direction=outline[1],
        quarter_direction=outline[2],
        run=run[order],
        inlet_plane=inlet[order],
        outlet_plane=outlet[order],
        plane_point_mm=tree.points_mm[ends],
        plane_normal=normal,
        beyond_mm=beyond_mm,
        run_start=np.array([points[0] for points in runs]),
        run_end=np.array([points[-1] for points in runs]),
        fillet_mm=max(fillet_mm, 1e-9),
        corner_mm=corner,
        block_mm=block_mm,
        blocks=blocks,
        first=first,
        listed=listed,
    )


def wall(tubes: Tubes, points_mm: Floats) -> Wall:
    """Return the signed distance of points (n, 3) to the wall, and what it is measured from.

    Exact at the wall; elsewhere the distance across the axis, a little more than the
    distance to a tapering wall.
    """
    n = len(points_mm)
    result = Wall(np.empty(n), np.empty(n, np.int64), np.empty(n), np.empty(n))
    t = tubes
    segments = (t.start_mm, t.end_mm, t.radius_start_mm, t.radius_end_mm, t.run)
    tube_distance(
        np.ascontiguousarray(points_mm),
        (*segments, t.inlet_plane, t.outlet_plane),
        (t.shape, t.zero_direction, t.quarter_direction, t.parent, t.child),
        (t.plane_point_mm, t.plane_normal, t.beyond_mm),
        (t.run_start, t.run_end, t.fillet_mm),
        t.corner_mm,
        t.block_mm,
        t.blocks,
        t.first,
        t.listed,
        *result,
    )
    return result


def axis_point_mm(tubes: Tubes, place: Wall) -> Floats:
    """Return the place on the axis, (n, 3)."""
    s, t = place.segment, place.along
    return floats(tubes.start_mm[s] + t[:, None] * (tubes.end_mm[s] - tubes.start_mm[s]))


def _shapes(contours: Contours | None) -> tuple[Floats, Floats, Floats]:
    """Return contours over their radius of equal area, and directions; no rays: all round."""
    if contours is None:
        return floats(np.zeros((0, 0))), floats(np.zeros((0, 3))), floats(np.zeros((0, 3)))
    radius = area_radius_mm(contours.radius_mm)[:, None]
    return (
        floats(contours.radius_mm / radius),
        contours.zero_direction,
        contours.quarter_direction,
    )


def _runs(tree: VesselTree, ends: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the unbranched run of each segment, and the end planes that may cut it.

    Segments of points 1, 2, ... come first, then those beyond the inlet and the outlets.
    """
    n = len(tree)
    run, inlet, outlet = np.zeros(n, np.int64), np.full(n, -1), np.full(n, -1)
    s_mm = path_length_mm(tree)
    inlet[s_mm[tree.parent] < END_REGION * tree.radius_mm[0]] = 0
    plane = {int(end): k for k, end in enumerate(ends)}
    for number, points in enumerate(sections(tree)):
        run[points[1:]] = number
        end = int(points[-1])
        if end in plane:
            close = s_mm[end] - s_mm[points[1:]] < END_REGION * tree.radius_mm[end]
            outlet[points[1:][close]] = plane[end]
    none = np.full(ends.size, -1)
    last = np.arange(ends.size)
    return (
        np.concatenate([run[1:], run[np.maximum(ends, 1)]]),
        np.concatenate([inlet[1:], np.where(last == 0, 0, none)]),
        np.concatenate([outlet[1:], np.where(last == 0, none, last)]),
    )


def _outward(tree: VesselTree, end: int) -> Floats:
    """Direction in which the vessel leaves at an end, over one radius of it."""
    s_mm = path_length_mm(tree)
    count = child_count(tree)
    here = end
    while abs(s_mm[here] - s_mm[end]) < tree.radius_mm[end]:
        ahead = int(np.flatnonzero(tree.parent == here)[0]) if end == 0 else tree.parent[here]
        at_fork = here != end and count[here] > 1
        if at_fork or ahead < 0 or count[ahead] == 0 or ahead == end:
            break
        here = int(ahead)
    if here == end:  # a vessel of one segment
        here = int(np.flatnonzero(tree.parent == 0)[0]) if end == 0 else int(tree.parent[end])
    direction = tree.points_mm[end] - tree.points_mm[here]
    outward: Floats = direction / np.linalg.norm(direction)
    return outward


def _blocks(
    start: Floats, end: Floats, reach: Floats, block_mm: float
) -> tuple[Floats, Ints, AnyArray, AnyArray]:
    """List the segments near each block: corner and shape of the blocks, and the lists."""
    low = np.minimum(start, end) - reach[:, None]
    high = np.maximum(start, end) + reach[:, None]
    corner = low.min(axis=0) - block_mm
    shape = np.ceil((high.max(axis=0) - corner) / block_mm).astype(np.int64) + 1
    first = np.zeros(int(shape.prod()) + 1, np.int32)
    none = np.zeros(0, np.int32)
    segments_by_block(start, end, reach, corner, block_mm, shape, first, none)
    first = np.cumsum(first, dtype=np.int32)
    listed = np.empty(int(first[-1]), np.int32)
    segments_by_block(start, end, reach, corner, block_mm, shape, first[:-1].copy(), listed)
    return corner, shape, first, listed
