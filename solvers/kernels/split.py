"""How flow divides in a tree by the calibre of its vessels. Any units."""

from __future__ import annotations

import numpy as np

from meshes.arrays import Floats, Ints
from meshes.compiled import kernel


@kernel
def calibres(
    parent: Ints, branches: Ints, length: Floats, radius: Floats, reach: float, out: Floats
) -> None:
    """Fill `out` with the calibre of the run that begins at a point, where one does.

    A run begins behind a point with several children (`branches`, (n,)). Its calibre is the
    median radius from one mother's radius behind the bifurcation, as the lumens overlap up to
    there, over `reach`; that of its last point if it has none there.
    """
    n = parent.size
    below = np.full(n, -1, dtype=np.int64)  # where the run goes on
    for i in range(1, n):
        if branches[parent[i]] == 1:
            below[parent[i]] = i
    order = np.empty(n)  # radii that count, ascending
    for first in range(1, n):
        if branches[parent[first]] < 2:
            continue
        skip = radius[parent[first]]
        point, s, m = first, length[first], 0
        while s <= skip + reach:
            if s > skip:
                place = m
                while place > 0 and order[place - 1] > radius[point]:
                    order[place] = order[place - 1]
                    place -= 1
                order[place] = radius[point]
                m += 1
            if below[point] < 0:
                break
            point = below[point]
            s += length[point]
        if m > 0:
            out[first] = 0.5 * (order[(m - 1) // 2] + order[m // 2])
            continue
        while below[point] >= 0:
            point = below[point]
        out[first] = radius[point]


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
