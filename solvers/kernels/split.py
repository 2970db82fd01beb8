"""How flow divides in a tree by the calibre of its vessels. Any units."""

from __future__ import annotations

import numpy as np

from meshes.arrays import Floats, Ints
from meshes.compiled import kernel

PLACES = 40  # along the start of a vessel


@kernel
def calibres(
    parent: Ints, branches: Ints, length: Floats, radius: Floats, reach: float, out: Floats
) -> None:
    """Fill `out` with the calibre of the run that begins at a point, where one does.

    A run begins behind a point with several children (`branches`, (n,)). Its calibre is the
    median radius from one mother's radius behind the bifurcation, as the lumens overlap up to
    there, over `reach`: of as many places at even distances, so that it does not matter
    where the points lie. That of its last point if it ends before.
    """
    n = parent.size
    below = np.full(n, -1, dtype=np.int64)  # where the run goes on
    for i in range(1, n):
        if branches[parent[i]] == 1:
            below[parent[i]] = i
    order = np.empty(PLACES)  # radii at the places, ascending
    for first in range(1, n):
        if branches[parent[first]] < 2:
            continue
        point, s, m = first, length[first], 0
        while m < PLACES:
            at = radius[parent[first]] + (m + 0.5) / PLACES * reach
            while s < at and below[point] >= 0:
                point = below[point]
                s += length[point]
            if s < at:
                break
            size = radius[point]
            if point != first:  # else the other end is the mother's
                share = (s - at) / length[point]
                size += share * (radius[parent[point]] - size)
            place = m
            while place > 0 and order[place - 1] > size:
                order[place] = order[place - 1]
                place -= 1
            order[place] = size
            m += 1
        out[first] = 0.5 * (order[(m - 1) // 2] + order[m // 2]) if m > 0 else radius[point]


@kernel
def shares(
    parent: Ints, branches: Ints, calibre: Floats, exponent: float, share: Floats
) -> None:
    """Fill the share of the inlet's flow that arrives at each point.

    Daughters share the flow by calibre^exponent; `calibre` from `calibres`, (n,).
    """
    n = parent.size
    total = np.zeros(n)
    for i in range(1, n):
        if branches[parent[i]] > 1:
            total[parent[i]] += calibre[i] ** exponent
    share[0] = 1.0
    for i in range(1, n):
        p = parent[i]
        share[i] = share[p]
        if branches[p] > 1:
            share[i] *= calibre[i] ** exponent / total[p]
