"""How sure is the FFR of a centreline from outside? The 95 % interval of `ffr solve`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ffr.certainty.confidence import GROUPS
from ffr.certainty.influence import latin_normal
from ffr.certainty.lumen_error import LumenError
from ffr.certainty.variants import (
    LUMPED_SD_PERCENT,
    MODEL_SD_PERCENT,
    THRESHOLD,
    Variants,
    ends,
    input_count,
)
from ffr.circulation.boundary import Boundary
from ffr.circulation.physiology import InputSpread, Physiology
from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.tree import CoronaryTree, VesselTree, path_length_mm, segment_length_mm
from solvers.blood import Blood
from solvers.calibrated import Calibrated, calibrate, thinned
from solvers.solution import FlowSolution

SAMPLES = 10_240
LEAST_SAMPLES = 1024
MOST_VALUES = 6_000_000  # samples times points: half a second to a second
MOST_POINTS = 2000
SEED = 20


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """The spread of FFR at each point of a tree.

    Parameters
    ----------
    ffr_low, ffr_high
        Ends of the 95 % interval, NaN where there is no FFR, shape (n,).
    probability
        That FFR, as printed with two digits, is 0.80 or below, shape (n,).
    """

    ffr_low: Floats
    ffr_high: Floats
    probability: Floats


def interval(
    tree: VesselTree, side: str, solution: FlowSolution, boundary: Boundary, blood: Blood,
    inputs: InputSpread, physiology: Physiology, lumen: LumenError, lumped: bool = False,
) -> Interval:  # fmt: skip
    """Return the spread of FFR in one tree, from 10 240 variants of it.

    Trees of many points are thinned to some MOST_POINTS and sampled less often, down to
    LEAST_SAMPLES.

    Parameters
    ----------
    tree, side, solution, boundary, blood
        What was solved, how, and its ends (`variants.pumped` where flow is given).
    inputs, physiology, lumen
        How uncertain it is; the lumen's own radius serves as the healthy one.
    lumped
        Solved with the loss formula instead of the resolved profiles.

    Raises
    ------
    ConvergenceError
        More than one sample in a hundred has no steady flow.
    """
    network, kept = thinned(calibrate(tree, solution, blood), _evenly(tree))
    few = replace(
        solution,
        **{n: getattr(solution, n)[kept] for n in ("pressure_mmhg", "total_pressure_mmhg",
                                                   "flow_ml_min")},
    )  # fmt: skip
    named = _bare(network, side)
    made = Variants(
        (named,), 0, network, few, boundary, inputs, physiology, lumen,
        LUMPED_SD_PERCENT if lumped else MODEL_SD_PERCENT,
    )  # fmt: skip
    count = int(np.clip(MOST_VALUES // len(network.tree), LEAST_SAMPLES, SAMPLES))
    ffr = made.ffr(_drawn(named, count), _noise(count, len(network.tree)))
    columns = np.ascontiguousarray(np.where(np.isfinite(ffr), ffr, np.float32(0.0)).T)
    low, high = ends(columns)
    below = (columns < THRESHOLD).mean(axis=1)
    known = np.isfinite(solution.pressure_mmhg)
    return Interval(
        *(floats(np.where(known, _between(tree, kept, x), np.nan)) for x in (low, high, below))
    )


def _bare(network: Calibrated, side: str) -> CoronaryTree:
    """Return the lumen as a coronary tree of which nothing else is known."""
    tree, n = network.tree, len(network.tree)
    none = np.zeros(n, dtype=np.int64)
    return CoronaryTree(tree, side, np.zeros(n), tree.radius_mm, none, ("",), none)


def _drawn(tree: CoronaryTree, count: int) -> dict[str, Floats]:
    sizes = [input_count((tree,), name) for name in GROUPS]
    z = latin_normal(sum(sizes), count, SEED)
    parts = np.split(z, np.cumsum(sizes)[:-1], axis=1)
    return dict(zip(GROUPS, parts, strict=True))


def _noise(count: int, n: int) -> AnyArray:
    return np.random.default_rng(SEED).standard_normal((count, 2 * n), dtype=np.float32)


def _evenly(tree: VesselTree) -> AnyArray:
    """Return True for all points, or for about MOST_POINTS at even steps, shape (n,)."""
    if len(tree) <= MOST_POINTS:
        return np.ones(len(tree), dtype=np.bool_)
    step = segment_length_mm(tree).sum() / MOST_POINTS
    part = np.floor(path_length_mm(tree) / step)
    keep = np.ones(len(tree), dtype=np.bool_)
    keep[1:] = part[1:] > part[tree.parent[1:]]
    return keep


def _between(tree: VesselTree, kept: Ints, values: Floats) -> Floats:
    """Return values at the kept points, linear in path length between them, shape (n,)."""
    n = len(tree)
    s, up, down = path_length_mm(tree), np.arange(n), np.arange(n)
    stays = np.zeros(n, dtype=np.bool_)
    stays[kept] = True
    for i in range(1, n):
        if not stays[i]:
            up[i] = up[tree.parent[i]]
    for i in range(n - 1, 0, -1):
        if not stays[tree.parent[i]]:
            down[tree.parent[i]] = down[i]
    at = np.zeros(n)
    at[kept] = values
    share = (s - s[up]) / np.where(down > up, s[down] - s[up], 1.0)
    return floats(at[up] + share * (at[down] - at[up]))
