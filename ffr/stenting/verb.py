"""From a run and a stent to a second result beside the first; the first is not touched."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ffr import workflow
from ffr.circulation.physiology import Assumption
from ffr.flags import VIRTUAL_STENT, Flag, Place
from ffr.results import stage_data, stages
from ffr.results.result_file import save_result
from ffr.stenting.compare import Compared, compared, comparison, plan
from ffr.stenting.comparison import STATEMENT, Comparison, RankedStent, StentPlan
from ffr.stenting.rank import ranking
from ffr.stenting.solved import fast, load_solved, resolve
from ffr.stenting.span import Stent, inside, misfits, stented
from meshes.arrays import AnyArray
from meshes.writing import write_text


def rank(out: Path) -> tuple[RankedStent, ...]:
    """Return one stent per lesion of a run, the one that helps most first.

    Raises
    ------
    ConfigError
        As in `ffr.stenting.solved.load_solved`.
    """
    solved, _ = load_solved(out)
    return ranking(fast(solved), resolved=True)


def stent_run(
    out: Path, stents: tuple[Stent, ...], progress: Callable[[float], None]
) -> tuple[Comparison, Path]:
    """Solve a run's trees with stents; return the comparison and the new folder in `out`.

    Raises
    ------
    ConfigError
        As in `ffr.stenting.solved.load_solved`; a stent that does not fit.
    ConvergenceError
        No steady flow was found.
    """
    before, sure = load_solved(out)
    trees = stented(before.trees, *stents)
    scan = stage_data.load_scan(out)
    progress(0.1)
    after = resolve(before, trees)
    progress(0.5)
    both = compared(before, sure, after, stents)
    progress(0.9)
    found = comparison(both)
    settings = stage_data.load_flow(out)[2]
    result = workflow.collected(
        out, scan, trees, after.flow.solutions, after.findings, both.sure_after,
        (*_assumed(both), *after.flow.assumptions),
        {**settings, "virtual_stents": [dataclasses.asdict(x) for x in stents]},
        (*_flags(both), *after.flow.flags),
    )  # fmt: skip
    text = json.dumps(found.model_dump(mode="json"), indent=2, ensure_ascii=False)
    with stages.partial(out / "stages") as folder:
        solved = (trees, after.flow.solutions, after.findings, both.sure_after)
        workflow.save_tree(folder / "tree.vtp", *solved, further=columns(both))
        write_text(folder / "comparison.json", text + "\n")
        save_result(folder / "result.json", result)
        place = stages.next_numbered(out / stages.STENTS)
        place.parent.mkdir(mode=0o700, exist_ok=True)
        os.replace(folder, place)
    progress(1.0)
    return found, place


def columns(both: Compared) -> tuple[dict[str, AnyArray], ...]:
    """Return what `tree.vtp` of a stent holds beyond that of a run, by tree."""
    covered = inside(both.before.trees, both.stents)
    found = []
    for t, change in enumerate(both.changes):
        old, new = both.before.findings.ffr[t], both.after.findings.ffr[t]
        both_known = np.where(np.isfinite(old) & np.isfinite(new), 0.0, np.nan)
        low, high = (0.0, 0.0) if change is None else (change.ffr_low, change.ffr_high)
        found.append(
            {
                "ffr_before": old,
                "ffr_change": new - old,
                "ffr_change_low": low + both_known,
                "ffr_change_high": high + both_known,
                "stent": covered[t].astype(np.int64),
            }
        )
    return tuple(found)


def _words(both: Compared) -> list[tuple[str, StentPlan]]:
    plans = [plan(both.before.trees, stent) for stent in both.stents]
    return [
        (
            f"{x.vessel}, {x.from_mm:.1f} to {x.to_mm:.1f} mm from the ostium, "
            f"{x.proximal_diameter_mm:.2f} to {x.distal_diameter_mm:.2f} mm wide",
            x,
        )
        for x in plans
    ]


def _assumed(both: Compared) -> tuple[Assumption, ...]:
    source = "given; diameter: {}; beds, pressures and blood as without it"
    return tuple(
        Assumption(
            "virtual stent",
            words,
            source.format("healthy reference" if x.given_diameter_mm is None else "given"),
            x.given_diameter_mm is None,
        )
        for words, x in _words(both)
    )


def _flags(both: Compared) -> tuple[Flag, ...]:
    found = []
    for stent, (words, x) in zip(both.stents, _words(both), strict=True):
        text = f"with a virtual stent in the {words}: {STATEMENT[0].lower()}{STATEMENT[1:]}"
        where = Place(x.side, x.vessel, None, x.from_mm)
        misfit = misfits(both.before.trees, stent)
        found += [
            Flag(VIRTUAL_STENT, text, where),
            *(Flag(f"{VIRTUAL_STENT}-size", m, where) for m in misfit),
        ]
    return tuple(found)
