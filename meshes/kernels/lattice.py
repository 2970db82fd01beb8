"""Which edges and tetrahedra of a body-centred cubic lattice does the wall cut?

Its vertices are the corners and centres of cubic cells; every tetrahedron joins two
neighbouring centres with an edge of the face between their cells. Vertices are kept in
blocks of 4 x 4 x 4 cells, and only in blocks that a tube touches.
"""

from __future__ import annotations

from meshes.arrays import AnyArray, Floats, Ints
from meshes.compiled import kernel


@kernel
def _vertex(block_of: AnyArray, shape: Ints, x: int, y: int, z: int, centre: int) -> int:
    """Index of a corner (centre = 0) or centre (1) of cell (x, y, z), -1 if not kept."""
    bx, by, bz = x // 4, y // 4, z // 4
    if x < 0 or y < 0 or z < 0 or bx >= shape[0] or by >= shape[1] or bz >= shape[2]:
        return -1
    b = block_of[(bx * shape[1] + by) * shape[2] + bz]
    if b < 0:
        return -1
    return int(b) * 128 + centre * 64 + (x % 4) * 16 + (y % 4) * 4 + z % 4


@kernel
def cut_edges(
    cells: Ints, block_of: AnyArray, shape: Ints, distance: Floats, found: Ints
) -> int:
    """Store the lattice edges with one end inside; return how many there are.

    `cells` (n, 3) are all kept cells. With an empty `found` they are only counted.
    """
    count = 0
    for i in range(cells.shape[0]):
        x, y, z = cells[i, 0], cells[i, 1], cells[i, 2]
        corner = _vertex(block_of, shape, x, y, z, 0)
        centre = _vertex(block_of, shape, x, y, z, 1)
        for k in range(14):
            if k < 3:
                a = corner
                b = _vertex(block_of, shape, x + (k == 0), y + (k == 1), z + (k == 2), 0)
            elif k < 6:
                a = centre
                b = _vertex(block_of, shape, x + (k == 3), y + (k == 4), z + (k == 5), 1)
            else:
                a = centre
                e = k - 6
                b = _vertex(block_of, shape, x + e // 4, y + (e // 2) % 2, z + e % 2, 0)
            if b >= 0 and (distance[a] < 0.0) != (distance[b] < 0.0):
                if found.size:
                    found[count, 0] = min(a, b)
                    found[count, 1] = max(a, b)
                count += 1
    return count


@kernel
def inner_tetrahedra(
    cells: Ints,
    block_of: AnyArray,
    shape: Ints,
    distance: Floats,
    whole: bool,
    found: Ints,
) -> int:
    """Store the lattice tetrahedra with a vertex inside; return how many there are.

    Those that lie inside altogether are left out unless `whole`. With an empty `found`
    they are only counted.
    """
    count = 0
    ring_u = (0, 1, 1, 0)
    ring_v = (0, 0, 1, 1)
    for i in range(cells.shape[0]):
        x, y, z = cells[i, 0], cells[i, 1], cells[i, 2]
        here = _vertex(block_of, shape, x, y, z, 1)
        for axis in range(3):
            ox, oy, oz = int(axis == 0), int(axis == 1), int(axis == 2)
            there = _vertex(block_of, shape, x + ox, y + oy, z + oz, 1)
            if there < 0:
                continue
            for k in range(4):
                m = (k + 1) % 4
                if axis == 0:
                    a = _vertex(block_of, shape, x + 1, y + ring_u[k], z + ring_v[k], 0)
                    b = _vertex(block_of, shape, x + 1, y + ring_u[m], z + ring_v[m], 0)
                elif axis == 1:
                    a = _vertex(block_of, shape, x + ring_v[k], y + 1, z + ring_u[k], 0)
                    b = _vertex(block_of, shape, x + ring_v[m], y + 1, z + ring_u[m], 0)
                else:
                    a = _vertex(block_of, shape, x + ring_u[k], y + ring_v[k], z + 1, 0)
                    b = _vertex(block_of, shape, x + ring_u[m], y + ring_v[m], z + 1, 0)
                if a < 0 or b < 0:
                    continue
                inside = int(distance[here] < 0.0) + int(distance[there] < 0.0)
                inside += int(distance[a] < 0.0) + int(distance[b] < 0.0)
                if inside == 0 or (inside == 4 and not whole):
                    continue
                if found.size:
                    found[count, 0], found[count, 1] = here, there
                    found[count, 2], found[count, 3] = a, b
                count += 1
    return count


@kernel
def snapped_vertices(order: Ints, edges: Ints, near: Ints, snap: Ints) -> None:
    """Give each cut edge, closest cut first, to the end it is close to.

    An edge is void once either end was moved onto the wall. `near` is the end (0 or 1) to
    move, -1 for none; `snap[v]` becomes the edge whose cut vertex v moves to; -2 forbids.
    """
    for e in order:
        if near[e] < 0:
            continue
        v = edges[e, near[e]]
        if snap[v] == -1 and snap[edges[e, 1 - near[e]]] < 0:
            snap[v] = e
