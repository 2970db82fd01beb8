"""Which triangles wrap the lumen, and which tetrahedra fill it?

Isosurface stuffing (Labelle and Shewchuk 2007): the tetrahedra of a body-centred cubic
lattice are cut along the wall, after lattice vertices close to the wall were moved onto it.
Triangles and tetrahedra come from one rule per tetrahedron, so neither can leave a gap.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from meshes.arrays import AnyArray, Floats, Ints
from meshes.errors import GeometryError
from meshes.kernels.lattice import cut_edges, inner_tetrahedra, snapped_vertices
from meshes.tubes import Tubes, wall

CELLS = 4  # cells of the lattice along a block of the tubes
SNAP_LONG, SNAP_SHORT = 0.249, 0.411  # shares of an edge, Labelle and Shewchuk 2007, table 1


class Stuffed(NamedTuple):
    """Points and elements: triangles (m, 3) seen from outside, or tetrahedra (m, 4)."""

    points_mm: Floats
    elements: Ints


class _Lattice(NamedTuple):
    points_mm: Floats
    distance_mm: Floats
    edges: Ints  # cut by the wall, sorted
    cuts_mm: Floats  # where
    share: Floats  # where, 0 at the first end
    snap: Ints  # edge whose cut each vertex has moved to, or -1
    cells: Ints
    block_of: AnyArray
    shape: Ints


def wrapped(tubes: Tubes) -> Stuffed:
    """Return the wall of the tubes as closed, manifold triangles.

    Raises
    ------
    GeometryError
        The lattice is too coarse for a manifold wall (two tubes touch in a point).
    """
    lattice = _lattice(tubes)
    tetrahedra = _tetrahedra(lattice, whole=False)
    for _ in range(20):
        triangles = _distinct(_triangles(lattice, tetrahedra))
        wrong = _not_manifold(triangles)
        if not wrong.size:
            return _compact(lattice, triangles)
        # a vertex moved onto the wall joined two sheets: leave it, and those next to it
        vertex = wrong[wrong < len(lattice.snap)]
        edge = wrong[wrong >= len(lattice.snap)] - len(lattice.snap)
        vertex = np.append(vertex, lattice.edges[edge].ravel())
        touching = np.isin(tetrahedra, vertex).any(axis=1)
        forbidden = np.unique(tetrahedra[touching])
        blocked = lattice.snap == -2
        blocked[forbidden] = True
        lattice = _snapped(lattice, blocked)
    place = _places_mm(lattice)[wrong[0]].round(1).tolist()
    message = f"the lumen wall touches itself near {place} mm; choose a finer spacing_mm"
    raise GeometryError(message)


def filled(tubes: Tubes) -> Stuffed:
    """Return the inside of the tubes as tetrahedra of positive volume."""
    lattice = _lattice(tubes)
    tetrahedra = _tetrahedra(lattice, whole=True)
    cells = np.concatenate(_inner_parts(lattice, tetrahedra))
    stuffed = _compact(lattice, cells)
    p = stuffed.points_mm[stuffed.elements]
    volume = np.einsum(
        "ij,ij->i", np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), p[:, 3] - p[:, 0]
    )
    flipped = volume < 0
    stuffed.elements[flipped, :2] = stuffed.elements[flipped, 1::-1]
    return stuffed


def _lattice(tubes: Tubes) -> _Lattice:
    spacing = tubes.block_mm / CELLS
    active = np.flatnonzero(np.diff(tubes.first))
    block_of = np.full(tubes.first.size - 1, -1, np.int32)
    block_of[active] = np.arange(active.size)
    block = np.stack(np.unravel_index(active, tuple(tubes.blocks)), axis=1)
    local = np.stack(np.meshgrid(*[np.arange(CELLS)] * 3, indexing="ij"), axis=-1)
    cells = (block[:, None] * CELLS + local.reshape(1, -1, 3)).astype(np.int64)
    half = np.array([0.0, 0.5])[None, :, None, None]
    points = tubes.corner_mm + spacing * (cells[:, None] + half).reshape(-1, 3)
    distance = wall(tubes, points).distance_mm
    distance[distance == 0.0] = 1e-9  # a vertex is inside or outside; on the wall by choice
    cells = cells.reshape(-1, 3)
    where = (cells, block_of, tubes.blocks)
    edges = np.empty((cut_edges(*where, distance, np.empty((0, 2), np.int64)), 2), np.int64)
    cut_edges(*where, distance, edges)
    edges = edges[np.argsort(edges[:, 0] * len(points) + edges[:, 1])]
    share = _share(tubes, points, distance, edges)
    cuts = points[edges[:, 0]] + share[:, None] * (points[edges[:, 1]] - points[edges[:, 0]])
    free = np.full(len(points), -1, np.int64)
    lattice = _Lattice(points, distance, edges, cuts, share, free, *where)
    return _snapped(lattice, free == 0)


def _share(tubes: Tubes, points: Floats, distance: Floats, edges: Ints) -> Floats:
    """Find where the wall crosses each edge, by two secant steps kept in their bracket."""
    a, b = points[edges[:, 0]], points[edges[:, 1]]
    low, high = np.zeros(len(edges)), np.ones(len(edges))
    at_low, at_high = distance[edges[:, 0]].copy(), distance[edges[:, 1]].copy()
    share = at_low / (at_low - at_high)
    for _ in range(2):
        value = wall(tubes, a + share[:, None] * (b - a)).distance_mm
        left = (value < 0.0) == (at_low < 0.0)
        low, at_low = np.where(left, share, low), np.where(left, value, at_low)
        high, at_high = np.where(left, high, share), np.where(left, at_high, value)
        share = low + (high - low) * at_low / np.where(at_low == at_high, 1.0, at_low - at_high)
    return np.clip(share, 1e-6, 1.0 - 1e-6)


def _snapped(lattice: _Lattice, forbidden: AnyArray) -> _Lattice:
    edges, share = lattice.edges, lattice.share
    long = (edges[:, 0] // 64 - edges[:, 1] // 64) % 2 == 0  # corner-corner, centre-centre
    closeness = np.minimum(share, 1.0 - share)
    end = np.where(share < 0.5, 0, 1)
    near = np.where(closeness < np.where(long, SNAP_LONG, SNAP_SHORT), end, -1)
    snap = np.where(forbidden, -2, -1).astype(np.int64)
    snapped_vertices(np.argsort(closeness, kind="stable"), edges, near, snap)
    return lattice._replace(snap=snap)


def _tetrahedra(lattice: _Lattice, whole: bool) -> Ints:
    where = (lattice.cells, lattice.block_of, lattice.shape, lattice.distance_mm, whole)
    found = np.empty((inner_tetrahedra(*where, np.empty((0, 4), np.int64)), 4), np.int64)
    inner_tetrahedra(*where, found)
    return found


def _sorted_by_side(lattice: _Lattice, tetrahedra: Ints) -> tuple[Ints, Ints, Ints]:
    """Sort vertices: inside, on the wall, outside (by index within); count the first two."""
    side = np.where(lattice.snap >= 0, 1, np.where(lattice.distance_mm < 0.0, 0, 2))
    count = len(side)
    t = np.sort(side[tetrahedra] * count + tetrahedra, axis=1)
    of = t // count
    return t % count, (of == 0).sum(axis=1), (of == 1).sum(axis=1)


def _cut(lattice: _Lattice, a: Ints, b: Ints) -> Ints:
    """Number of the cut between vertices on both sides; of `b` if it is on the wall."""
    count = len(lattice.snap)
    keys = lattice.edges[:, 0] * count + lattice.edges[:, 1]
    edge = np.searchsorted(keys, np.minimum(a, b) * count + np.maximum(a, b))
    return np.where(lattice.snap[b] >= 0, b, count + edge)


def _triangles(lattice: _Lattice, tetrahedra: Ints) -> Ints:
    """Return the triangles, oriented; vertices first, cuts after them, are numbered."""
    t, inside, on = _sorted_by_side(lattice, tetrahedra)
    one, three = t[inside == 1], t[(inside == 3) & (on == 0)]
    wedge, quad = t[(inside == 2) & (on == 1)], t[(inside == 2) & (on == 0)]
    ac, ad = _cut(lattice, quad[:, 0], quad[:, 2]), _cut(lattice, quad[:, 0], quad[:, 3])
    bc, bd = _cut(lattice, quad[:, 1], quad[:, 2]), _cut(lattice, quad[:, 1], quad[:, 3])
    place = _places_mm(lattice)
    across = np.linalg.norm(place[ad] - place[bc], axis=1)
    short = np.linalg.norm(place[ac] - place[bd], axis=1) < across
    first, last = np.where(short, ac, ad), np.where(short, bd, bc)  # the shorter diagonal
    parts = [
        (one[:, 0], *(_cut(lattice, one[:, 0], one[:, k]) for k in (1, 2, 3))),
        (three[:, 0], *(_cut(lattice, three[:, k], three[:, 3]) for k in (0, 1, 2))),
        (wedge[:, 0], wedge[:, 2], *(_cut(lattice, wedge[:, k], wedge[:, 3]) for k in (0, 1))),
        (quad[:, 0], first, last, np.where(short, ad, ac)),
        (quad[:, 0], first, last, np.where(short, bc, bd)),
    ]
    inner = np.concatenate([part[0] for part in parts])
    triangles = np.concatenate([np.stack(part[1:], axis=1) for part in parts])
    # sides are told on the lattice before anything moved, cuts halfway: there no triangle
    # is degenerate, and no rounding can turn one over
    home = np.concatenate([lattice.points_mm, lattice.points_mm[lattice.edges].mean(axis=1)])
    p = home[triangles]
    normal = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    inward = np.einsum("ij,ij->i", normal, home[inner] - p[:, 0]) > 0.0
    triangles[inward] = triangles[inward][:, [0, 2, 1]]
    return triangles


def _inner_parts(lattice: _Lattice, tetrahedra: Ints) -> list[Ints]:
    """Return the tetrahedra inside; prisms are split alike from both sides of a face."""
    t, inside, on = _sorted_by_side(lattice, tetrahedra)
    whole = t[(inside > 0) & (inside + on == 4)]
    one = t[(inside == 1) & (on < 3)]
    parts = [
        whole,
        np.stack([one[:, 0], *(_cut(lattice, one[:, 0], one[:, k]) for k in (1, 2, 3))], 1),
    ]
    a, b, z, d = t[(inside == 2) & (on == 1)].T
    ad, bd = _cut(lattice, a, d), _cut(lattice, b, d)
    parts += [np.stack(v, 1) for v in ((a, b, bd, z), (a, bd, ad, z))]
    a, b, c, d = t[(inside == 2) & (on == 0)].T
    ac, ad, bc, bd = (
        _cut(lattice, a, c),
        _cut(lattice, a, d),
        _cut(lattice, b, c),
        _cut(lattice, b, d),
    )
    parts += [np.stack(v, 1) for v in ((a, b, bc, bd), (a, ac, ad, bd), (a, ac, bd, bc))]
    a, b, c, d = t[(inside == 3) & (on == 0)].T
    ad, bd, cd = _cut(lattice, a, d), _cut(lattice, b, d), _cut(lattice, c, d)
    parts += [np.stack(v, 1) for v in ((a, b, c, cd), (a, b, bd, cd), (a, ad, bd, cd))]
    return parts


def _places_mm(lattice: _Lattice) -> Floats:
    """Return the places of all vertices, moved ones on the wall, and then of all cuts."""
    moved = lattice.snap >= 0
    vertices = lattice.points_mm.copy()
    vertices[moved] = lattice.cuts_mm[lattice.snap[moved]]
    return np.concatenate([vertices, lattice.cuts_mm])


def _compact(lattice: _Lattice, elements: Ints) -> Stuffed:
    used, numbers = np.unique(elements, return_inverse=True)
    return Stuffed(_places_mm(lattice)[used], numbers.reshape(elements.shape))


def _distinct(triangles: Ints) -> Ints:
    """Drop triangles that lie back to back: no wall, the lumen is on both sides."""
    _, which, count = np.unique(
        np.sort(triangles, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    return triangles[count[which.ravel()] == 1]


def _not_manifold(triangles: Ints) -> Ints:
    """Return vertices of edges without exactly two triangles, and pinched vertices."""
    m = len(triangles)
    corner = np.arange(3 * m).reshape(m, 3)
    head, tail = triangles.ravel(), triangles[:, [1, 2, 0]].ravel()
    key = np.minimum(head, tail) * (triangles.max() + 1) + np.maximum(head, tail)
    order = np.argsort(key, kind="stable")
    _, count = np.unique(key, return_counts=True)
    if np.any(count != 2):
        bad = np.repeat(count != 2, count)
        return np.unique(np.concatenate([head[order][bad], tail[order][bad]]))
    # two triangles share an edge; join their corners at either end of it
    at_head, at_tail = corner.ravel()[order], corner[:, [1, 2, 0]].ravel()[order]
    one, two = slice(None, None, 2), slice(1, None, 2)
    same = head[order][one] == head[order][two]
    links = np.concatenate(
        [
            np.stack([at_head[one], np.where(same, at_head[two], at_tail[two])]),
            np.stack([at_tail[one], np.where(same, at_tail[two], at_head[two])]),
        ],
        axis=1,
    )
    graph = coo_matrix((np.ones(links.shape[1]), tuple(links)), shape=(3 * m, 3 * m))
    fan = connected_components(graph, directed=False)[1]
    fans = np.unique(np.stack([head, fan[corner.ravel()]]), axis=1)[0]
    vertex, number = np.unique(fans, return_counts=True)
    return vertex[number > 1]
