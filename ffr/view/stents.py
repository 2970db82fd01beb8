"""What do virtual stents change at every point and lesion? At once, and how surely later."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ffr import pipeline
from ffr.certainty.confidence import Confidence
from ffr.certainty.uncertainty import BASE
from ffr.results.findings import lesion_numbers
from ffr.results.reasons import OCCLUDED, reason
from ffr.results.result import ffr_state
from ffr.stenting.compare import compared, comparison, plan, pressure_drop_mmhg
from ffr.stenting.solved import Fast, Solved, fast, load_solved, resolve
from ffr.stenting.span import Stent, inside, misfits, stented
from ffr.view.words import numbers
from meshes.arrays import Floats
from meshes.tree import CoronaryTree
from solvers.solution import FlowSolution


@dataclass(frozen=True, slots=True, eq=False)
class Planner:
    """A solved run, ready to answer what stents would change.

    Parameters
    ----------
    quick
        The fast networks of the run.
    sure
        How sure its FFR is.
    """

    quick: Fast
    sure: Confidence


def planner(out: Path) -> Planner:
    """Read what a run has solved and make its first fast answer, which loads compiled code.

    Raises
    ------
    ConfigError
        As in `ffr.stenting.solved.load_solved`.
    """
    before, sure = load_solved(out)
    quick = fast(before)
    for t, c in enumerate(before.trees):
        quick.solution(t, c)
    return Planner(quick, sure)


def at_once(made: Planner, stents: tuple[Stent, ...]) -> dict[str, Any]:
    """Return what stents change by the fast networks; its intervals are None where it changed.

    Raises
    ------
    ConfigError
        A stent that does not fit.
    ConvergenceError
        No steady flow was found.
    """
    began = time.process_time()
    before = made.quick.before
    trees = stented(before.trees, *stents)
    solutions = made.quick.solutions(trees)
    after = _read(before, trees, solutions)
    unknown = [np.full(len(c.tree), np.nan) for c in trees]
    same = [c is old for c, old in zip(trees, before.trees, strict=True)]
    low, high, none = (
        [x if keep else nan for x, nan, keep in zip(rows, unknown, same, strict=True)]
        for rows in (
            [s.ffr_low for s in made.sure.spreads],
            [s.ffr_high for s in made.sure.spreads],
            [0.0 * s.ffr_low for s in made.sure.spreads],
        )
    )
    found = _values(before, after, stents, (low, high, none, none))
    found["lesions"] = _lesions(before, after, stents, (low, high), same)
    return {**found, "resolved": False, "processor_s": time.process_time() - began}


def surely(made: Planner, stents: tuple[Stent, ...], base: int = BASE) -> dict[str, Any]:
    """Return what stents change as `ffr stent` writes it: resolved, with every interval.

    Raises
    ------
    ConfigError, ConvergenceError
        As in `at_once`; many of the sampled trees have no steady flow.
    """
    began = time.monotonic()
    before = made.quick.before
    after = resolve(before, stented(before.trees, *stents))
    both = compared(before, made.sure, after, stents, base)
    spreads = both.sure_after.spreads
    pairs = list(zip(both.changes, after.findings.ffr, strict=True))
    found = _values(
        before,
        after,
        stents,
        (
            [s.ffr_low for s in spreads],
            [s.ffr_high for s in spreads],
            [np.zeros(f.size) if c is None else c.ffr_low for c, f in pairs],
            [np.zeros(f.size) if c is None else c.ffr_high for c, f in pairs],
        ),
    )
    words = comparison(both)
    found["lesions"] = [x.model_dump(mode="json") for x in words.lesions]
    found["warnings"] = list(words.warnings)
    return {**found, "resolved": True, "seconds": time.monotonic() - began}


def _read(
    before: Solved, trees: tuple[CoronaryTree, ...], solutions: tuple[FlowSolution, ...]
) -> Solved:
    """Return a fast solution with its FFR; lesions stay those of the first result.

    To find lesions anew takes twenty times as long as to solve.
    """
    old = before.findings
    shown, ffr = list(old.analysed), list(old.ffr)
    for t, (c, s) in enumerate(zip(trees, solutions, strict=True)):
        if c is not before.trees[t]:
            shown[t], ffr[t] = pipeline.ffr_of(c, s)
    return Solved(
        trees,
        dataclasses.replace(before.flow, solutions=solutions),
        dataclasses.replace(old, ffr=tuple(ffr), analysed=tuple(shown)),
    )


def _values(
    before: Solved,
    after: Solved,
    stents: tuple[Stent, ...],
    intervals: Sequence[Sequence[Floats]],
) -> dict[str, Any]:
    """Return what is common to both answers: columns over all points, stents, flow."""
    known = np.where(np.isfinite(np.concatenate(after.findings.ffr)), 0.0, np.nan)
    names = ("ffr_low", "ffr_high", "change_low", "change_high")
    covered = np.concatenate(inside(before.trees, stents))
    flows = zip(before.trees, before.flow.solutions, after.flow.solutions, strict=True)
    return {
        "ffr": numbers(np.concatenate(after.findings.ffr)),
        **{
            name: numbers(np.concatenate(list(rows)) + known)
            for name, rows in zip(names, intervals, strict=True)
        },
        "diameter_mm": numbers(np.concatenate([2 * c.tree.radius_mm for c in after.trees])),
        "covered": np.flatnonzero(covered).tolist(),
        "stents": [plan(before.trees, x).model_dump(mode="json") for x in stents],
        "warnings": [text for x in stents for text in misfits(before.trees, x)],
        "lowest": [lowest(before), lowest(after)],
        "flow_ml_min": {
            c.side: [float(a.flow_ml_min[0]), float(b.flow_ml_min[0])] for c, a, b in flows
        },
    }


def lowest(heart: Solved) -> dict[str, Any] | None:
    """Return the lowest FFR of the analysed vessels and the vessel that has it."""
    best: dict[str, Any] | None = None
    for c, ffr in zip(heart.trees, heart.findings.ffr, strict=True):
        if np.isfinite(ffr).any():
            k = int(np.nanargmin(ffr))
            if best is None or ffr[k] < best["ffr"]:
                best = {"ffr": float(ffr[k]), "vessel": c.names[c.branch[k]]}
    return best


def _lesions(
    before: Solved,
    after: Solved,
    stents: tuple[Stent, ...],
    interval: Sequence[Sequence[Floats]],
    same: Sequence[bool],
) -> list[dict[str, Any]]:
    """Return of every lesion what `ffr.stenting.comparison.LesionChange` tells, at once."""
    found = []
    covered = inside(before.trees, stents)
    ids = lesion_numbers(before.trees, before.findings.lesions)
    for t, numbered in enumerate(ids):
        rows = zip(numbered, before.findings.lesions[t], before.findings.distal[t], strict=True)
        for number, lesion, (point, _) in rows:
            old, new = (_number(x.findings.ffr[t][point]) for x in (before, after))
            low, high = (_number(x[t][point]) if new is not None else None for x in interval)
            change = None if old is None or new is None else new - old
            zero = 0.0 if same[t] and change is not None else None
            shut = new is None and reason(after.trees[t], [point]) == OCCLUDED
            found.append(
                {
                    "id": number,
                    "ffr_before": old,
                    "ffr_after": new,
                    "ffr_after_low": low,
                    "ffr_after_high": high,
                    "change": change,
                    "change_low": zero,
                    "change_high": zero,
                    "state_after": "occluded" if shut else ffr_state(new),
                    "throat_stented": bool(covered[t][lesion.throat]),
                    "drop_before_mmhg": pressure_drop_mmhg(before, t, lesion),
                    "drop_after_mmhg": pressure_drop_mmhg(after, t, lesion),
                }
            )
    return sorted(found, key=lambda x: x["id"])


def _number(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None
