"""Which way the lines of a centreline run: from loose lines to a rooted tree."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.spatial import cKDTree

from meshes.arrays import AnyArray, Floats, Ints, ints
from meshes.errors import GeometryError
from meshes.io import Centreline
from meshes.tree import VesselTree, path_length_mm

COINCIDENT_ULPS = 4  # lines that share a trunk repeat it to the rounding of 32-bit files
# Widest lumen of a tree. In cm a coronary artery would seem narrower (left main 2.3 mm: Dodge
# 1992), in micrometres far wider than the aorta, where some centrelines begin
LEAST_MM, MOST_MM = 0.3, 40.0
LISTED = 12  # points in a message


def rooted(line: Centreline, inlet: int | None = None) -> tuple[VesselTree, Ints]:
    """Turn lines into a tree by a walk from the inlet; the lines' direction is ignored.

    Points at the same place are one point of the tree (VMTK repeats the trunk in every
    line); where their radii differ, the largest counts: it is the mother vessel's.

    Parameters
    ----------
    line
        What the file holds.
    inlet
        Index of the inlet's point; by default the one the file puts first, which must be an
        end of the lines unless the file says that it is the root.

    Returns
    -------
    tree
        The rooted tree.
    place
        Index in the tree of each point of the file, shape (n,).

    Raises
    ------
    GeometryError
        A value that is not finite, a radius that is not positive, a loop, a part that is
        not connected to the inlet, an inlet that does not exist or that nobody chose in the
        middle of the lines; names the point. Sizes that no coronary artery has in mm.
    """
    n = line.radius_mm.size
    _check_values(line)
    told = line.is_root or inlet is not None
    inlet = line.inlet if inlet is None else inlet
    if not 0 <= inlet < n:
        message = f"inlet is point {inlet}, the file has points 0 to {n - 1}"
        raise GeometryError(message)
    first, node = _merged(line.points_mm)
    edges = node[line.edges]
    edges = np.unique(np.sort(edges[edges[:, 0] != edges[:, 1]], axis=1), axis=0)
    if first.size == 1:
        message = "all points of the file lie at one place; a centreline needs at least two"
        raise GeometryError(message)
    if not told:
        _check_end(edges, first, int(node[inlet]), inlet)
    order, above = _walk(edges, first, int(node[inlet]), inlet)
    radius = np.zeros(first.size)
    np.maximum.at(radius, node, line.radius_mm)
    rank = np.empty(first.size, dtype=np.int64)
    rank[order] = np.arange(first.size)
    parent = np.concatenate([[-1], rank[above[order[1:]]]])
    tree = VesselTree(line.points_mm[first[order]], radius[order], parent)
    _check_size(tree)
    return tree, ints(rank[node])


def _check_values(line: Centreline) -> None:
    finite = np.isfinite(line.points_mm).all(axis=1)
    if not finite.all():
        message = f"point {int(np.argmin(finite))} has a coordinate that is not finite"
        raise GeometryError(message)
    good = np.isfinite(line.radius_mm) & (line.radius_mm > 0)
    if not good.all():
        bad = int(np.argmin(good))
        message = f"the radius at point {bad} is {line.radius_mm[bad]:g}, must be positive"
        if line.radius_mm[bad] == 0:
            message += "; give an occlusion a lumen of 0.001 mm"
        raise GeometryError(message)


def _check_end(edges: AnyArray, first: AnyArray, root: int, inlet: int) -> None:
    """Refuse an inlet in the middle of a vessel or at a bifurcation that nobody asked for."""
    meeting = np.bincount(edges.ravel(), minlength=first.size)
    ends = [str(int(point)) for point in np.sort(first[meeting == 1])]
    if meeting[root] > 1 and ends:  # a loop without ends has no inlet to offer
        listed = ", ".join(ends[:LISTED]) + (", ..." if len(ends) > LISTED else "")
        message = (
            f"the first line starts at point {inlet}, where {meeting[root]} lines meet; choose "
            f"the inlet with --inlet: the lines end at the points {listed}"
        )
        raise GeometryError(message)


def _check_size(tree: VesselTree) -> None:
    """Refuse sizes that most likely are not in mm."""
    widest = float(tree.radius_mm.max())
    if not LEAST_MM <= widest <= MOST_MM:
        message = (
            f"the widest lumen has a radius of {widest:.3g} mm; coronary trees have "
            f"{LEAST_MM:g} to {MOST_MM:g}: give lengths in mm"
        )
        raise GeometryError(message)
    longest = float(path_length_mm(tree).max())
    if longest < widest:
        message = (
            f"the longest vessel is {longest:.3g} mm long and {2.0 * widest:.3g} mm wide; give "
            "coordinates and radii in mm"
        )
        raise GeometryError(message)


def _merged(points_mm: Floats) -> tuple[AnyArray, AnyArray]:
    """Return the first point at each distinct place, and the place of each point.

    Places are distinct where they differ by more than the rounding of 32-bit coordinates.
    """
    _, first, node = np.unique(points_mm, axis=0, return_index=True, return_inverse=True)
    node = node.reshape(-1)
    ulp = float(np.spacing(np.float32(np.abs(points_mm).max())))
    pairs = cKDTree(points_mm[first]).query_pairs(COINCIDENT_ULPS * ulp, output_type="ndarray")
    if len(pairs):
        size = first.size
        graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
        groups, group = connected_components(graph.tocsr(), directed=False)
        earliest = np.full(groups, points_mm.shape[0])
        np.minimum.at(earliest, group, first)
        first, node = earliest, group[node].astype(np.int64)
    order = np.argsort(first)  # places in the order of the file
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return first[order], rank[node]


def _walk(edges: AnyArray, first: AnyArray, root: int, inlet: int) -> tuple[AnyArray, AnyArray]:
    """Walk the graph from the root; return places in order and the place above each."""
    n = first.size
    both = np.concatenate([edges, edges[:, ::-1]])
    graph = coo_array((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(n, n)).tocsr()
    order, above = breadth_first_order(graph, root, directed=True)
    if order.size < n:
        reached = np.zeros(n, dtype=bool)
        reached[order] = True
        lost = int(first[int(np.argmin(reached))])
        message = (
            f"point {lost} is not connected to the inlet (point {inlet}); "
            "join the lines or give one tree per file"
        )
        raise GeometryError(message)
    if len(edges) > n - 1:
        tree_edge = (above[edges[:, 0]] == edges[:, 1]) | (above[edges[:, 1]] == edges[:, 0])
        a, b = (int(first[k]) for k in edges[int(np.argmin(tree_edge))])
        message = f"points {a} and {b} close a loop; a vessel tree has none"
        raise GeometryError(message)
    return order.astype(np.int64), above.astype(np.int64)
