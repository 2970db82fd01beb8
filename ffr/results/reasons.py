"""Why has a place no FFR? In words, for every place that has none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ffr.results.result import NotAnalysed, UnreadableStretch, VesselResult
from meshes.arrays import AnyArray, Ints
from meshes.stenosis import analysed
from meshes.tree import CoronaryTree
from solvers.occlusion import occluded
from solvers.unreadable import cause, unmeasured

TOO_SMALL = "lumen below the modelled size"
OCCLUDED = "occluded: nothing is known to flow behind a closed lumen"
EXCLUDED = "excluded by the reader"  # of an unreadable stretch: `ffr edit`


def reason(coronary: CoronaryTree, points: Sequence[int] | Ints) -> str:
    """Return why there is no FFR at some of the points, where there is none."""
    if occluded(coronary.tree)[points].any():
        return OCCLUDED
    return cause(coronary, points) or TOO_SMALL


def stretches(coronaries: Sequence[CoronaryTree]) -> Iterator[UnreadableStretch]:
    """Tell the stretches whose lumen the scan does not show, left tree first."""
    for c in sorted(coronaries, key=lambda c: c.side):
        for x in c.unreadable:
            yield UnreadableStretch(
                reason=x.reason,
                side="left" if c.side == "left" else "right",
                vessel=x.vessel,
                from_mm=float(x.from_mm),
                to_mm=float(x.to_mm),
            )


def gradable(coronary: CoronaryTree) -> set[str]:
    """Names of the vessels whose narrowings are seen, whether or not they have an FFR."""
    seen = analysed(coronary.tree, coronary.reference_radius_mm) & ~occluded(coronary.tree)
    return {coronary.names[k] for k in np.unique(coronary.branch[seen])}


def readable_throat(coronary: CoronaryTree, point: int) -> bool:
    """Tell whether a narrowing there can be graded: its lumen was measured, and is wanted."""
    vessel = coronary.names[coronary.branch[point]]
    left_out = any(x.reason == EXCLUDED and x.vessel == vessel for x in coronary.unreadable)
    return not (left_out or bool(unmeasured(coronary)[point]))


def of_vessel(coronary: CoronaryTree, own: Ints, shown: AnyArray) -> str | None:
    """Return why part or all of a vessel has no FFR; None where all of it has."""
    hidden = own[~shown[own]]
    return reason(coronary, hidden) if hidden.size else None


def not_analysed(
    coronaries: Sequence[CoronaryTree], vessels: Sequence[VesselResult]
) -> Iterator[NotAnalysed]:
    """Tell what a reader would expect and what has no FFR."""
    for side in ("left", "right"):
        if side not in {coronary.side for coronary in coronaries}:
            yield NotAnalysed(what=f"{side} coronary tree", reason="it was not found")
    for vessel in vessels:
        why = vessel.not_analysed_reason
        if why is None:
            continue
        if vessel.analysed_end_mm is None:
            yield NotAnalysed(what=vessel.vessel, reason=why)
        elif vessel.analysed_end_mm < vessel.end_mm:
            stretch = f"{vessel.vessel} beyond {vessel.analysed_end_mm:.0f} mm from the ostium"
            yield NotAnalysed(what=stretch, reason=why)
