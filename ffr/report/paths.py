"""Which vessels get a panel, and what runs along each from ostium to tip?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ffr.certainty.confidence import Confidence, Uncertainty
from ffr.results.result import LesionResult, Result
from ffr.tracing.scct import SEGMENT_NAMES
from meshes.arrays import AnyArray, Floats, Ints, floats, ints
from meshes.tree import CoronaryTree, Unreadable, path_length_mm, path_to
from solvers.solution import FlowSolution
from solvers.unreadable import within

_Sure = tuple[Uncertainty, Floats]
MAIN_VESSELS = ("LAD", "LCx", "RCA")


@dataclass(frozen=True, slots=True, eq=False)
class VesselPath:
    """One way from the ostium to a vessel's tip.

    Parameters
    ----------
    name, side
        The vessel at its end; its coronary tree.
    points
        Indices into the tree, inlet first, shape (n,).
    points_mm
        The centreline, shape (n, 3).
    s_mm, radius_mm, reference_radius_mm
        Path length from the ostium, lumen and healthy radius, shape (n,).
    ffr, ffr_low, ffr_high
        FFR and its 95 % interval, NaN where not analysed or not computed, shape (n,).
    sensitivity_per_mm2
        Change of `decided` per mm of radius and mm of length at each point, shape (n,); zero
        where it was not computed.
    decided
        Whose FFR that is, such as "lesion 2" or "the tip"; "" where there is none.
    stretches
        Name, start and end in mm of each vessel segment passed.
    takeoffs
        Name and path length in mm of each side branch.
    lesions
        Those whose minimal lumen area lies on this way.
    unreadable
        Stretches of this way that are not analysable.
    vessels
        Names of the vessels passed, from the ostium on.
    ppg
        PPG index of the vessel; None where it has none.
    """

    name: str
    side: str
    points: Ints
    points_mm: Floats
    s_mm: Floats
    radius_mm: Floats
    reference_radius_mm: Floats
    ffr: Floats
    ffr_low: Floats
    ffr_high: Floats
    sensitivity_per_mm2: Floats
    decided: str
    stretches: tuple[tuple[str, float, float], ...]
    takeoffs: tuple[tuple[str, float], ...]
    lesions: tuple[LesionResult, ...]
    unreadable: tuple[Unreadable, ...] = ()
    vessels: tuple[str, ...] = ()
    ppg: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", ints(self.points))
        for name in (
            "points_mm", "s_mm", "radius_mm", "reference_radius_mm", "ffr", "ffr_low",
            "ffr_high", "sensitivity_per_mm2",
        ):  # fmt: skip
            object.__setattr__(self, name, floats(getattr(self, name)))


def vessel_paths(
    result: Result,
    coronaries: Sequence[CoronaryTree],
    solutions: Sequence[FlowSolution],
    analysed: Sequence[AnyArray],
    confidence: Confidence | None = None,
) -> tuple[VesselPath, ...]:
    """Return the ways to the main vessels that exist, then to others with a lesion.

    A lesion that a way already passes (one of the left main lies on the way to the LAD)
    needs no way of its own.
    """
    trees = _trees(coronaries, solutions, analysed, confidence)
    paths: list[VesselPath] = []
    for name in MAIN_VESSELS:
        for tree in trees:
            if name in tree[0].names and np.any(tree[0].branch == tree[0].names.index(name)):
                paths.append(_path(result, *tree, tree[0].names.index(name)))
    seen = {lesion.id for path in paths for lesion in path.lesions}
    for lesion in result.lesions:
        if lesion.id in seen:
            continue
        tree = next(t for t in trees if t[0].side == lesion.side)
        paths.append(_path(result, *tree, int(tree[0].branch[lesion.throat_point])))
        seen |= {x.id for x in paths[-1].lesions}
    return tuple(paths)


def every_path(
    result: Result,
    coronaries: Sequence[CoronaryTree],
    solutions: Sequence[FlowSolution],
    analysed: Sequence[AnyArray],
    confidence: Confidence | None = None,
) -> tuple[VesselPath, ...]:
    """Return the ways to all vessels, main ones first; together they pass every vessel.

    A side or stem that another way passes to its end (the left main) has none of its own.
    """
    found = [
        _path(result, *tree, branch)
        for tree in _trees(coronaries, solutions, analysed, confidence)
        for branch in range(len(tree[0].names))
        if np.any(tree[0].branch == branch)
    ]

    def passed(path: VesselPath) -> bool:
        return any(
            other.side == path.side
            and other.points.size > path.points.size
            and other.points[path.points.size - 1] == path.points[-1]
            for other in found
        )

    kept = [path for path in found if path.name in MAIN_VESSELS or not passed(path)]
    return tuple(sorted(kept, key=lambda x: x.name not in MAIN_VESSELS))


def _trees(
    coronaries: Sequence[CoronaryTree],
    solutions: Sequence[FlowSolution],
    analysed: Sequence[AnyArray],
    confidence: Confidence | None,
) -> list[tuple[CoronaryTree, FlowSolution, AnyArray, _Sure | None]]:
    sure: Sequence[_Sure | None] = [None] * len(coronaries)
    if confidence is not None:
        sure = list(zip(confidence.spreads, confidence.sensitivity_per_mm2, strict=True))
    return list(zip(coronaries, solutions, analysed, sure, strict=True))


def _path(
    result: Result, coronary: CoronaryTree, solution: FlowSolution, mask: AnyArray,
    sure: _Sure | None, branch: int,
) -> VesselPath:  # fmt: skip
    tree = coronary.tree
    s_mm = path_length_mm(tree)
    own = np.flatnonzero(coronary.branch == branch)
    points = path_to(tree, int(own[np.argmax(s_mm[own])]))
    on_way = set(points.tolist())
    lesions = tuple(
        x for x in result.lesions if x.side == coronary.side and x.throat_point in on_way
    )
    nothing = np.full(points.size, np.nan)
    low = nothing if sure is None else np.where(mask, sure[0].ffr_low, np.nan)[points]
    high = nothing if sure is None else np.where(mask, sure[0].ffr_high, np.nan)[points]
    decided, slope = _decided(lesions, sure, on_way, len(tree))
    return VesselPath(
        name=coronary.names[branch],
        side=coronary.side,
        points=points,
        points_mm=tree.points_mm[points],
        s_mm=s_mm[points],
        radius_mm=tree.radius_mm[points],
        reference_radius_mm=coronary.reference_radius_mm[points],
        ffr=np.where(
            mask[points], solution.pressure_mmhg[points] / result.aortic_pressure_mmhg, np.nan
        ),
        ffr_low=low,
        ffr_high=high,
        sensitivity_per_mm2=slope[points],
        decided=decided,
        stretches=tuple(_stretches(coronary, points, s_mm)),
        takeoffs=tuple(_takeoffs(coronary, points, s_mm)),
        lesions=lesions,
        unreadable=tuple(x for x in coronary.unreadable if _passes(coronary, points, x)),
        ppg=_ppg(result, coronary.side, coronary.names[branch]),
        vessels=tuple(dict.fromkeys(coronary.names[k] for k in coronary.branch[points])),
    )


def _ppg(result: Result, side: str, name: str) -> float | None:
    return next((x.ppg for x in result.vessels if (x.side, x.vessel) == (side, name)), None)


def _passes(coronary: CoronaryTree, points: Ints, stretch: Unreadable) -> bool:
    """Tell whether a way leads through a stretch."""
    return bool(within(replace(coronary, unreadable=(stretch,)))[points].any())


def _decided(
    lesions: Sequence[LesionResult], sure: _Sure | None, on_way: set[int], points: int
) -> tuple[str, Floats]:
    """Return the lesion of lowest FFR on a way and what its FFR depends on along the tree.

    Where a way has none, the lowest FFR of the tree if it lies on it.
    """
    read = [x for x in lesions if x.ffr_distal is not None]
    if sure is None:
        return "", np.zeros(points)
    if not read:
        last = int(sure[0].readings[-1]) if sure[0].readings.size else -1
        return ("the tip", sure[1][-1]) if last in on_way else ("", np.zeros(points))
    worst = min(read, key=lambda x: x.ffr_distal or 0.0)
    row = np.flatnonzero(sure[0].readings == worst.distal_point)
    if not row.size:
        return "", np.zeros(points)
    return f"lesion {worst.id}", sure[1][int(row[0])]


def _stretches(
    coronary: CoronaryTree, points: Ints, s_mm: Floats
) -> list[tuple[str, float, float]]:
    found: list[tuple[str, float, float]] = []
    for before, point in pairwise(points.tolist()):
        number = int(coronary.segment[point])
        name = SEGMENT_NAMES.get(number, coronary.names[coronary.branch[point]])
        if found and found[-1][0] == name:
            found[-1] = (name, found[-1][1], float(s_mm[point]))
        else:
            found.append((name, float(s_mm[before]), float(s_mm[point])))
    return found


def _takeoffs(coronary: CoronaryTree, points: Ints, s_mm: Floats) -> list[tuple[str, float]]:
    parent = coronary.tree.parent
    beside = np.flatnonzero(np.isin(parent, points[:-1]))
    beside = beside[~np.isin(beside, points)]
    return [
        (coronary.names[coronary.branch[child]], float(s_mm[parent[child]])) for child in beside
    ]
