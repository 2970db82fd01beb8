"""What do stents change at every lesion and vessel, and how sure is the change?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ffr import __version__, pipeline
from ffr.certainty.confidence import Confidence, Uncertainty
from ffr.certainty.lumen_error import LumenError
from ffr.certainty.uncertainty import BASE, Change, propagate_change
from ffr.certainty.variants import Variants
from ffr.results.findings import lesion_numbers
from ffr.results.reasons import OCCLUDED, reason
from ffr.results.result import RESEARCH_USE_ONLY, Side, ffr_state
from ffr.stenting.comparison import (
    SCHEMA_VERSION,
    STATEMENT,
    Comparison,
    LesionChange,
    RemainingDrop,
    StentPlan,
    VesselChange,
)
from ffr.stenting.solved import Solved
from ffr.stenting.span import Stent, inside, misfits, placed
from meshes.arrays import Floats, Ints
from meshes.stenosis import Lesion
from meshes.tree import CoronaryTree, path_length_mm, path_to
from solvers.calibrated import calibrate
from solvers.sensitivity import ffr_gradient_per_mm2

STEEPEST_MM = 20.0  # as in the pullback pressure gradient index (Collet, JACC 2019;74:1772)


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Two solved hearts, how sure both are, and how sure the change is.

    Parameters
    ----------
    before, after
        Without and with stents.
    sure_before, sure_after
        How sure each FFR is.
    changes
        Per tree, interval of the change; None where the tree has not changed.
    stents
        The stents.
    """

    before: Solved
    after: Solved
    sure_before: Confidence
    sure_after: Confidence
    changes: tuple[Change | None, ...]
    stents: tuple[Stent, ...]


def compared(
    before: Solved, sure: Confidence, after: Solved, stents: tuple[Stent, ...], base: int = BASE
) -> Compared:
    """Return how sure the stented trees and their changes are, from paired samples.

    `base` as in `ffr.certainty.uncertainty.propagate`.

    Raises
    ------
    ConvergenceError
        Many of the sampled trees have no steady flow.
    """
    spreads, slopes = list(sure.spreads), list(sure.sensitivity_per_mm2)
    changes: list[Change | None] = [None] * len(spreads)
    places = pipeline.readings(after.findings)
    for t, c in enumerate(after.trees):
        if c is before.trees[t]:
            continue
        old, new = _variants(before, t), _variants(after, t)
        spreads[t], changes[t] = propagate_change(old, new, places[t], base)
        bed = new.boundary.outlet_resistance_mmhg_min_ml
        slopes[t] = ffr_gradient_per_mm2(new.network, new.solution, bed, places[t])
    found = Confidence(tuple(spreads), tuple(slopes))
    return Compared(before, after, sure, found, tuple(changes), stents)


def _variants(heart: Solved, which: int) -> Variants:
    flow = heart.flow
    trees, beds = pipeline.without_closed(heart.trees, flow.boundaries)
    solution = flow.solutions[which]
    network = calibrate(trees[which].tree, solution, flow.blood)
    return Variants(
        trees, which, network, solution, beds[which], flow.inputs, flow.physiology,
        LumenError(), pipeline.model_errors_percent(flow)[which],
    )  # fmt: skip


def comparison(both: Compared, created: datetime | None = None) -> Comparison:
    """Return the comparison as it is written and printed."""
    before, after = both.before, both.after
    created = datetime.now(UTC) if created is None else created.astimezone(UTC)
    return Comparison(
        schema_version=SCHEMA_VERSION,
        research_use_only=RESEARCH_USE_ONLY,
        statement=STATEMENT,
        created=created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        code_version=__version__,
        stents=tuple(plan(before.trees, stent) for stent in both.stents),
        aortic_pressure_mmhg=float(before.flow.solutions[0].pressure_mmhg[0]),
        flow_before_ml_min=_inflow(before),
        flow_after_ml_min=_inflow(after),
        lesions=tuple(sorted(_lesions(both), key=lambda x: x.id)),
        vessels=tuple(_vessels(both)),
        greatest_remaining_drop=remaining_drop(both),
        warnings=(
            *(text for stent in both.stents for text in misfits(before.trees, stent)),
            *(flag.message for flag in after.flow.flags),
        ),
    )


def plan(trees: Sequence[CoronaryTree], stent: Stent) -> StentPlan:
    """Return a stent as it is written."""
    one = placed(trees, stent)
    s = path_length_mm(trees[one.which].tree)[one.points]
    return StentPlan(
        side=_side(trees[one.which]),
        vessel=stent.vessel,
        from_mm=float(s[0]),
        to_mm=float(s[-1]),
        given_diameter_mm=stent.diameter_mm,
        proximal_diameter_mm=float(2.0 * one.radius_mm[0]),
        distal_diameter_mm=float(2.0 * one.radius_mm[-1]),
    )


def _side(c: CoronaryTree) -> Side:
    return "left" if c.side == "left" else "right"


def _inflow(heart: Solved) -> dict[Side, float]:
    pairs = zip(heart.trees, heart.flow.solutions, strict=True)
    return {_side(c): float(s.flow_ml_min[0]) for c, s in pairs}


def _lesions(both: Compared) -> Iterator[LesionChange]:
    before = both.before
    numbers = lesion_numbers(before.trees, before.findings.lesions)
    covered = inside(before.trees, both.stents)
    for t, c in enumerate(before.trees):
        s = path_length_mm(c.tree)
        rows = zip(
            numbers[t], before.findings.lesions[t], before.findings.distal[t], strict=True
        )
        for number, lesion, (point, _) in rows:
            yield LesionChange(
                **_reading(both, t, point, s),
                id=number,
                side=_side(c),
                vessel=c.names[c.branch[lesion.throat]],
                position_mm=float(s[lesion.throat]),
                diameter_stenosis_percent=float(lesion.diameter_stenosis_percent),
                throat_stented=bool(covered[t][lesion.throat]),
                drop_before_mmhg=pressure_drop_mmhg(both.before, t, lesion),
                drop_after_mmhg=pressure_drop_mmhg(both.after, t, lesion),
            )


def pressure_drop_mmhg(heart: Solved, which: int, lesion: Lesion) -> float | None:
    """Return the fall of pressure over a lesion; None where an end of it is not analysed."""
    here = [lesion.start, lesion.end]
    if not heart.findings.analysed[which][here].all():
        return None
    first, last = heart.flow.solutions[which].pressure_mmhg[here]
    return float(first - last)


def _reading(both: Compared, which: int, point: int, s_mm: Floats) -> dict[str, Any]:
    """Return the fields of `Reading` at a point."""
    old = _value(both.before, both.sure_before.spreads[which], which, point)
    new = _value(both.after, both.sure_after.spreads[which], which, point)
    change: tuple[float | None, ...] = (None, None, None)
    if old[0] is not None and new[0] is not None:
        spread = both.changes[which]
        ends = (0.0, 0.0)  # its tree has not changed
        if spread is not None:
            ends = (float(spread.ffr_low[point]), float(spread.ffr_high[point]))
        change = (new[0] - old[0], *ends)
    names = ("ffr_before", "ffr_after", "change")
    fields: dict[str, Any] = {"read_at_mm": float(s_mm[point])}
    for name, values in zip(names, (old, new, change), strict=True):
        fields |= dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))
    shut = new[0] is None and reason(both.after.trees[which], [point]) == OCCLUDED
    return {**fields, "state_after": "occluded" if shut else ffr_state(new[0])}


def _value(
    heart: Solved, spread: Uncertainty, which: int, point: int
) -> tuple[float | None, ...]:
    ffr = heart.findings.ffr[which][point]
    if not np.isfinite(ffr):
        return None, None, None
    return float(ffr), float(spread.ffr_low[point]), float(spread.ffr_high[point])


def vessel_ends(heart: Solved) -> Iterator[tuple[int, str, int]]:
    """Tell tree, name and last analysed point of every vessel that has one."""
    for t, c in enumerate(heart.trees):
        s, shown = path_length_mm(c.tree), heart.findings.analysed[t]
        for k in dict.fromkeys(c.branch.tolist()):
            own: Ints = np.flatnonzero((c.branch == k) & shown)
            if own.size:
                yield t, c.names[k], int(own[np.argmax(s[own])])


def _vessels(both: Compared) -> Iterator[VesselChange]:
    # where the stent opens an occlusion, the stented vessel reaches further
    for t, name, point in vessel_ends(both.after):
        c = both.after.trees[t]
        fields = _reading(both, t, point, path_length_mm(c.tree))
        yield VesselChange(**fields, side=_side(c), vessel=name)


def remaining_drop(both: Compared) -> RemainingDrop | None:
    """Return the 20 mm along which FFR falls most in the trees with a stent."""
    before, after = both.before, both.after
    best: tuple[float, int, int, int] | None = None
    for t in {placed(before.trees, stent).which for stent in both.stents}:
        c, ffr = after.trees[t], after.findings.ffr[t]
        s = path_length_mm(c.tree)
        above = _above(c, s, STEEPEST_MM)
        fall = np.nan_to_num(ffr[above] - ffr, nan=-np.inf)
        end = int(np.argmax(fall))
        if np.isfinite(fall[end]) and (best is None or fall[end] > best[0]):
            best = (float(fall[end]), t, int(above[end]), end)
    if best is None:
        return None
    fall_there, t, first, last = best
    c = after.trees[t]
    s, way = path_length_mm(c.tree), set(path_to(c.tree, last).tolist())
    numbers = lesion_numbers(before.trees, before.findings.lesions)[t]
    here = [
        number
        for number, x in zip(numbers, before.findings.lesions[t], strict=True)
        if x.throat in way and s[first] <= s[x.throat]
    ]
    return RemainingDrop(
        side=_side(c),
        vessel=c.names[c.branch[last]],
        from_mm=float(s[first]),
        to_mm=float(s[last]),
        ffr_drop=fall_there,
        lesions=tuple(sorted(here)),
    )


def _above(c: CoronaryTree, s_mm: Floats, length_mm: float) -> Ints:
    """Return, for each point, the farthest point upstream within a path length, (n,)."""
    above = np.arange(len(c.tree))
    for i in range(len(c.tree)):
        k = int(c.tree.parent[i])
        while k >= 0 and s_mm[i] - s_mm[k] <= length_mm:
            above[i], k = k, int(c.tree.parent[k])
    return above
