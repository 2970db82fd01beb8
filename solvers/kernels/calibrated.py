"""Many steady solves of one tree with other radii, beds and pressures. SI units."""

from __future__ import annotations

import math

import numba
import numpy as np

from meshes.arrays import AnyArray, Floats, Ints
from meshes.compiled import kernel, parallel_kernel

EXPANSION = 1.5  # of Borda-Carnot; least deviation over virtual trees, validation calibrated

PLAIN = 15  # Newton steps before they are halved
# Of the head at the inlet: more is no flow of blood. Head is only lost along a tree; the fifth
# leaves room for what the fitted closures hand back behind a throat.
MOST_HEAD = 1.2
MOST_MORE = 0.25  # regain of head that a narrower lumen can add
SHORT = 1e-3  # of the correlation length: below it, series instead of differences


@kernel
def _expansion(before: float, behind: float, density: float) -> float:
    """Loss coefficient [Pa s2/m6] of a widening from radius `before` to `behind`."""
    gap = 1.0 / before**2 - 1.0 / behind**2
    return EXPANSION * density / 2.0 * (gap / math.pi) ** 2 if gap > 0.0 else 0.0


@kernel
def _regained(after: float, before: float) -> float:
    """Factor of a regain of head when the loss on the way there changes; at most 1.25.

    Proportional to a loss that has become smaller; a larger one may have nothing to do with
    the jet, and a flow that gained from it would feed on itself.
    """
    if before <= 0.0:
        return 1.0
    ratio = after / before
    return (
        ratio if ratio < 1.0 else 1.0 + MOST_MORE * (1.0 - math.exp((1.0 - ratio) / MOST_MORE))
    )


@kernel
def rescaled(
    parent: Ints, radius: Floats, new: Floats, viscous: Floats, quadratic: Floats,
    flow: Floats, thickness: float, density: float, a: Floats, b: Floats,
    h: Floats, lost: Floats,
) -> None:  # fmt: skip
    """Fill the coefficients of a tree whose radii have changed from `radius` to `new`.

    The viscous loss goes with Poiseuille's integral. Of the quadratic one, what a widening
    usually loses is that of the new radii, what is lost beyond goes with the area^-2; where
    less is lost than usual, it stays less in the same proportion. Head that is regained is
    that of a jet and goes with all that was lost on the way there. `flow` is the one that
    was solved; `lost` is (2, n).
    """
    before, after = lost[0], lost[1]
    for i in range(parent.size):
        p = max(parent[i], 0)
        r0, r1, n0, n1 = radius[p], radius[i], new[p], new[i]
        old = (r0 * r0 + r0 * r1 + r1 * r1) / (r0 * r1) ** 3
        now = (n0 * n0 + n0 * n1 + n1 * n1) / (n0 * n1) ** 3
        a[i] = viscous[i] * thickness * now / old
        before[i], after[i] = 0.0, 0.0
        if i > 0 and flow[i] > 0.0:  # as if the flow on the way had been that of here
            same = (flow[p] / flow[i]) ** 2
            before[i], after[i] = same * before[p], same * after[p]
        usual, gap = _expansion(r0, r1, density), _expansion(n0, n1, density)
        if quadratic[i] >= usual:
            b[i] = (quadratic[i] - usual) * (r1 / n1) ** 4 + gap
        elif quadratic[i] > 0.0:
            b[i] = quadratic[i] / usual * gap
        else:
            b[i] = quadratic[i] * _regained(after[i], before[i])
        before[i] += max(quadratic[i], 0.0)
        after[i] += max(b[i], 0.0)
        h[i] = density / 2.0 / (math.pi * new[i] * new[i]) ** 2


@kernel
def smooth_walk(
    parent: Ints, s: Floats, length: float, noise: AnyArray, walk: Floats, slope: Floats
) -> None:
    """Fill a smooth random walk of unit variance along the vessels, Matern 3/2.

    Its correlation over a distance d is (1 + x) exp(-x), x = sqrt(3) d/`length`. `noise`
    (2n,) is white: n for the walk, n for its derivative. State-space form: Hartikainen &
    Sarkka, IEEE Workshop on Machine Learning for Signal Processing 2010.
    """
    n = parent.size
    for i in range(n):
        first, second = noise[i], noise[n + i]
        p = parent[i]
        if p < 0:
            walk[i], slope[i] = first, second
            continue
        x = math.sqrt(3.0) * (s[i] - s[p]) / length
        fade = math.exp(-x)
        if x < SHORT:
            own, both, rest = math.sqrt(4.0 / 3.0 * x**3), math.sqrt(3.0 * x), math.sqrt(x)
        else:
            own = math.sqrt(1.0 - fade * fade * ((1.0 + x) ** 2 + x * x))
            both = 2.0 * x * x * fade * fade / own
            left = 1.0 - fade * fade * (x * x + (1.0 - x) ** 2) - both * both
            rest = math.sqrt(max(left, 0.0))
        before, bend = walk[p], slope[p]
        walk[i] = fade * ((1.0 + x) * before + x * bend) + own * first
        slope[i] = fade * ((1.0 - x) * bend - x * before) + both * first + rest * second


@kernel
def _steady(
    parent: Ints, outlet: Ints, a: Floats, b: Floats, h: Floats, resistance: Floats,
    inlet: float, venous: float, tolerance: float, limit: int,
    flow: Floats, total: Floats, work: Floats,
) -> bool:  # fmt: skip
    """Newton as in `solvers.kernels.steady`, without checks on the way. True if it settled.

    `work` is (4, n); `flow` holds the guess.
    """
    n = parent.size
    slope, shift, own, rest = work[0], work[1], work[2], work[3]
    for step in range(limit):
        share = 1.0 if step < PLAIN else 0.5  # two flows that take turns meet in the middle
        for i in range(n):
            slope[i] = 0.0
            shift[i] = 0.0
        for i in range(n - 1, -1, -1):
            size = abs(flow[i])
            if outlet[i]:
                slope[i] = 1.0 / (resistance[i] + 2.0 * h[i] * size)
                shift[i] = slope[i] * (venous - h[i] * flow[i] * size)
            if i > 0:
                scale = 1.0 + slope[i] * (a[i] + 2.0 * b[i] * size)
                own[i] = slope[i] / scale
                rest[i] = (shift[i] - slope[i] * b[i] * flow[i] * size) / scale
                slope[parent[i]] += own[i]
                shift[parent[i]] += rest[i]
        size = abs(flow[0])
        total[0] = inlet + h[0] * flow[0] * size
        change = 0.0
        fresh = slope[0] * total[0] - shift[0]
        largest = abs(fresh)
        change = abs(fresh - flow[0])
        flow[0] += share * (fresh - flow[0])
        for i in range(1, n):
            size = abs(flow[i])
            old = flow[i]
            above = total[parent[i]]
            fresh = own[i] * above - rest[i]
            total[i] = above - (a[i] + 2.0 * b[i] * size) * fresh + b[i] * old * size
            if outlet[i]:
                change = max(change, abs(fresh - old))
            flow[i] = old + share * (fresh - old)
        if change <= tolerance * largest:
            return True
    return False


@kernel
def _sound(total: Floats, flow: Floats) -> bool:
    """Whether blood flows outwards everywhere, and no head is made out of nothing."""
    for i in range(flow.size):  # noqa: SIM110  a generator does not compile
        if flow[i] < 0.0 or total[i] > MOST_HEAD * total[0]:
            return False
    return True


@parallel_kernel
def sampled(
    parent: Ints, outlet: Ints, s: Floats, radius: Floats,
    viscous: Floats, quadratic: Floats, density: float, shift: Floats, wiggle: AnyArray,
    centre: Floats, shared: Floats, own: Floats, memory: float, least: float,
    resistance: Floats, bed: AnyArray,
    thickness: Floats, inlet: Floats, venous: Floats, flow: Floats,
    ffr: AnyArray, settled: AnyArray,
) -> None:  # fmt: skip
    """Fill FFR (m, n) of m samples of one tree.

    Radii: `centre` [m] times exp(`own` times a smooth walk of correlation length `memory`
    [m] made from white noise `wiggle` (m, 2n)), plus `shared` [m] times the standard normal
    `shift` (m,); not below `least` of `radius` [m].
    resistance (n,) of the outlets times bed (m, outlets); viscosity times thickness, inlet
    and venous pressure (m,).
    """
    n, m = parent.size, inlet.size
    for k in numba.prange(m):
        new, walk, total = np.empty(n), np.empty(n), np.empty(n)
        a, b, h, q = np.empty(n), np.empty(n), np.empty(n), flow.copy()
        work, ends = np.empty((4, n)), np.ones(n)
        outlets = 0
        smooth_walk(parent, s, memory, wiggle[k], walk, total)
        for i in range(n):
            drawn = centre[i] * math.exp(own[i] * walk[i]) + shared[i] * shift[k]
            new[i] = max(least * radius[i], drawn)
            if outlet[i]:
                ends[i] = resistance[i] * bed[k, outlets]
                outlets += 1
        rescaled(
            parent, radius, new, viscous, quadratic, flow, thickness[k], density,
            a, b, h, work,
        )  # fmt: skip
        for regained in (1.0, 0.5, 0.0):
            # a jet that regains more the more flows can leave no steady flow; without it
            # losses only grow with flow, and there is always one
            for i in range(n):
                q[i] = flow[i]
                if regained < 1.0 and b[i] < 0.0:
                    b[i] *= regained
            settled[k] = _steady(
                parent, outlet, a, b, h, ends, inlet[k], venous[k], 1e-6, 100, q, total, work
            )
            if settled[k] and _sound(total, q):
                break
        for i in range(n):
            ffr[k, i] = (total[i] - h[i] * q[i] * abs(q[i])) / inlet[k]
