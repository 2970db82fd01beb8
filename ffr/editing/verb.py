"""From a run and edits to a result beside the automatic one, which is not touched.

The automatic trees are edited anew each time, from the first edit on: to undo is to leave the
last one away.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ffr import __version__, pipeline, stage_data, stages, workflow
from ffr.editing.apply import edited
from ffr.editing.carried import carried_flags
from ffr.editing.changes import entry
from ffr.editing.edits import Edit
from ffr.editing.log import FILE, SCHEMA_VERSION, EditLog, Record, load_log, save_log
from ffr.errors import ConfigError
from ffr.flags import Flag, Place
from ffr.patient import Patient, patient_from
from ffr.reasons import EXCLUDED
from ffr.report.html import render_report
from ffr.report.shown import Shown
from ffr.result import RESEARCH_USE_ONLY, Result
from ffr.scan import MASK
from ffr.stenting.solved import Solved, load_solved
from ffr.uncertainty import Confidence
from meshes.tree import CoronaryTree

FLAG = "edited-by-hand"


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """Edited trees whose flow is solved; how sure their FFR is has not been computed yet.

    Parameters
    ----------
    automatic, sure
        The result without edits.
    after
        The result with all of them.
    log
        The edits.
    """

    automatic: Solved
    sure: Confidence
    after: Solved
    log: EditLog


def solve_edits(
    out: Path, edits: Sequence[Edit], onto: int | None = None, undo: bool = False
) -> Draft:
    """Edit a run's trees, and solve them after each edit.

    `onto` is the number of an edited result to go on from; with `undo`, without its last edit.

    Raises
    ------
    ConfigError
        As in `ffr.stenting.solved.load_solved`; an edit that does not fit; nothing to undo.
    ConvergenceError
        No steady flow was found.
    """
    automatic, sure = load_solved(out)
    known: tuple[Record, ...] = () if onto is None else load_log(out, onto).edits
    known = known[:-1] if undo else known
    if not known and not edits:
        raise ConfigError("without that edit the result is the automatic one, in OUT itself")
    before = [x.edit for x in known]
    edited(edited(automatic.trees, before), edits)  # refuses at once what does not fit
    patient, mass = _given(out)
    state = _solved(automatic, edited(automatic.trees, before), patient, mass)
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    records = list(known)
    for edit in edits:
        after = _solved(state, edited(state.trees, [edit]), patient, mass)
        told = entry(len(records) + 1, made, edit, state, after)
        records.append(Record(edit=edit, entry=told))
        state = after
    log = EditLog(
        schema_version=SCHEMA_VERSION,
        research_use_only=RESEARCH_USE_ONLY,
        code_version=__version__,
        onto=onto,
        edits=tuple(records),
    )
    return Draft(automatic, sure, state, log)


def solved_again(out: Path, number: int) -> Draft:
    """Return edited result `number` of a run as it was solved, from what is kept of it.

    Raises
    ------
    ConfigError
        As in `solve_edits`; its edits are damaged, or no longer fit.
    ConvergenceError
        No steady flow was found.
    """
    automatic, sure = load_solved(out)
    log = load_log(out, number, "--edit")
    trees = edited(automatic.trees, [x.edit for x in log.edits])
    return Draft(automatic, sure, _solved(automatic, trees, *_given(out)), log)


def _given(out: Path) -> tuple[Patient, float | None]:
    settings = stage_data.load_flow(out)[2]
    with stages.readable(stages.stage_folder(out, "solve")):
        known = {k: v for k, v in settings["patient"].items() if v is not None}
    heart = stages.load_facts(stages.require_stage(out, "segment"))
    return patient_from(known, "patient"), heart["lv_mass_g"] or None


def _solved(
    before: Solved, trees: tuple[CoronaryTree, ...], patient: Patient, mass: float | None
) -> Solved:
    """Return the trees solved as those of a run; with other names alone nothing flows anew."""
    flow = before.flow
    if any(a.tree is not b.tree for a, b in zip(before.trees, trees, strict=True)):
        flow = pipeline.solve(trees, patient, mass)
    return Solved(trees, flow, pipeline.find(trees, flow.solutions))


def sure_of(draft: Draft) -> Confidence:
    """Return how sure the FFR after the edits is.

    Raises
    ------
    ConvergenceError
        Many of the sampled trees have no steady flow.
    """
    first, last = draft.automatic, draft.after
    same = zip(pipeline.readings(first.findings), pipeline.readings(last.findings), strict=True)
    if first.flow is last.flow and all(np.array_equal(a, b) for a, b in same):
        return draft.sure  # only names have changed
    return pipeline.confidence(last.trees, last.flow, last.findings)


def write_edits(
    out: Path, draft: Draft, progress: Callable[[float], None]
) -> tuple[Result, Path]:
    """Write result, tree, report and edits; return the result and the new folder in `out`.

    Raises
    ------
    ConvergenceError
        As in `sure_of`.
    """
    scan = stage_data.load_scan(out)
    progress(0.1)
    sure = sure_of(draft)
    progress(0.6)
    after, records = draft.after, draft.log.edits
    settings = stage_data.load_flow(out)[2]
    result = workflow.collected(
        out, scan, after.trees, after.flow.solutions, after.findings, sure,
        after.flow.assumptions,
        {**settings, "edits": [x.edit.model_dump(mode="json") for x in records]},
        after.flow.flags, _flags(out, draft), [x.entry for x in records],
    )  # fmt: skip
    surface, surface_ffr = pipeline.lumen_mesh(after.trees, after.findings)
    volume = None if scan.source == MASK else scan.volume
    shown = Shown(
        result, volume, after.trees, after.flow.solutions, after.findings.analysed, sure,
        surface, surface_ffr,
    )  # fmt: skip
    html = render_report(shown)
    progress(0.8)
    pages = workflow.pdf_pages(shown)
    with stages.partial(out / "stages") as folder:
        solved = (after.trees, after.flow.solutions, after.findings, sure)
        workflow.save_tree(folder / "tree.vtp", *solved)
        save_log(folder / FILE, draft.log)
        workflow.save_documents(folder, result, html, pages)
        place = stages.next_numbered(out / stages.EDITS)
        place.parent.mkdir(mode=0o700, exist_ok=True)
        os.replace(folder, place)
    progress(1.0)
    return result, place


def _flags(out: Path, draft: Draft) -> tuple[Flag, ...]:
    """Return the warnings of the edited trees, the edits first."""
    automatic = stage_data.flags_from_json(stage_data.load_trees(out)[1]["flags"])
    count = len(draft.log.edits)
    many = "1 edit" if count == 1 else f"{count} edits"
    first = Flag(FLAG, f"edited by hand: {many}; the automatic result is kept beside this one")
    excluded = (
        Flag(
            "vessel-excluded", f"the {x.vessel} was {EXCLUDED}",
            Place(c.side, x.vessel, None, x.from_mm),
        )
        for c in draft.after.trees for x in c.unreadable if x.reason == EXCLUDED
    )  # fmt: skip
    carried = carried_flags(automatic, draft.automatic.trees, draft.after.trees)
    return first, *excluded, *carried
