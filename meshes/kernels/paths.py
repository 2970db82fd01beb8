"""Cheapest paths through a voxel lattice: where does a vessel most likely run?"""

from __future__ import annotations

import heapq
import math

import numpy as np

from meshes.arrays import AnyArray, Ints
from meshes.compiled import kernel


@kernel
def spread(
    cost: AnyArray, seeds: Ints, spacing: float, limit: float
) -> tuple[AnyArray, AnyArray]:
    """Run Dijkstra's algorithm from seed voxels over 26 neighbours.

    Parameters
    ----------
    cost
        Cost per mm in each voxel (z, y, x); voxels with a cost of 0 are walls.
    seeds
        Flat indices of the starting voxels.
    spacing
        Voxel edge in mm.
    limit
        Total cost at which the front stops.

    Returns
    -------
    total, parent
        Cheapest total cost (inf where not reached) and flat index of the previous voxel
        (-1 at seeds and where not reached), both of the shape of `cost`.
    """
    nk, nj, ni = cost.shape
    flat = cost.ravel()
    total = np.full(flat.size, np.inf, dtype=np.float32)
    parent = np.full(flat.size, -1, dtype=np.int32)
    done = np.zeros(flat.size, dtype=np.bool_)
    heap = [(0.0, np.int64(seeds[0]))]
    for seed in seeds:
        total[seed] = 0.0
        heapq.heappush(heap, (0.0, np.int64(seed)))
    while len(heap) > 0:
        value, here = heapq.heappop(heap)
        if done[here]:
            continue
        done[here] = True
        if value > limit:
            break
        k = here // (nj * ni)
        j = (here // ni) % nj
        i = here % ni
        for dk in range(-1, 2):
            for dj in range(-1, 2):
                for di in range(-1, 2):
                    a, b, c = k + dk, j + dj, i + di
                    if a < 0 or b < 0 or c < 0 or a >= nk or b >= nj or c >= ni:
                        continue
                    there = (a * nj + b) * ni + c
                    if done[there] or flat[there] <= 0.0:
                        continue
                    step = spacing * math.sqrt(float(dk * dk + dj * dj + di * di))
                    new = value + step * 0.5 * (flat[here] + flat[there])
                    if new < total[there]:
                        total[there] = new
                        parent[there] = here
                        heapq.heappush(heap, (new, there))
    return total.reshape(cost.shape), parent.reshape(cost.shape)


@kernel
def path_lengths(order: Ints, parent: AnyArray, shape: Ints, spacing: float) -> AnyArray:
    """Return the length in mm of the cheapest path to each voxel; `order` by rising cost."""
    nj, ni = shape[1], shape[2]
    length = np.zeros(parent.size, dtype=np.float32)
    flat = parent.ravel()
    for here in order:
        p = flat[here]
        if p >= 0:
            dk = here // (nj * ni) - p // (nj * ni)
            dj = (here // ni) % nj - (p // ni) % nj
            di = here % ni - p % ni
            length[here] = length[p] + spacing * math.sqrt(float(dk * dk + dj * dj + di * di))
    return length


@kernel
def longest_gaps(
    order: Ints, parent: AnyArray, evidence: AnyArray, shape: Ints, spacing: float
) -> AnyArray:
    """Return the longest stretch in mm without evidence on the way to each voxel.

    From the last voxel with evidence to the next one, less one step; `order` by rising
    cost, the seeds count as evidence.
    """
    nj, ni = shape[1], shape[2]
    worst = np.zeros(parent.size, dtype=np.float32)
    open_gap = np.zeros(parent.size, dtype=np.float32)
    flat, seen = parent.ravel(), evidence.ravel()
    for here in order:
        p = flat[here]
        if p < 0:
            continue
        worst[here] = worst[p]
        if seen[here]:
            worst[here] = max(worst[p], open_gap[p])
        else:
            dk = here // (nj * ni) - p // (nj * ni)
            dj = (here // ni) % nj - (p // ni) % nj
            di = here % ni - p % ni
            step = spacing * math.sqrt(float(dk * dk + dj * dj + di * di))
            open_gap[here] = open_gap[p] + step
    return worst
