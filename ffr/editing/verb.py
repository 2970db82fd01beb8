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

from ffr import __version__, pipeline
from ffr.certainty.confidence import Confidence
from ffr.circulation.patient import Patient, patient_from
from ffr.editing.apply import edited
from ffr.editing.carried import carried_flags
from ffr.editing.changes import entry
from ffr.editing.edits import Edit
from ffr.editing.log import FILE, SCHEMA_VERSION, EditLog, Record, load_log, save_log
from ffr.errors import ConfigError
from ffr.flags import Flag, Place
from ffr.results import stage_data, stages
from ffr.results.reasons import EXCLUDED
from ffr.results.result import RESEARCH_USE_ONLY, Result
from ffr.scan import MASK
from ffr.stenting.solved import Solved, load_solved

FLAG = "edited-by-hand"


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A run before any edit, and what its trees are solved with.

    Parameters
    ----------
    automatic, sure
        The result without edits.
    patient, lv_mass_g
        What is known of the patient; None where the heart has not been measured.
    """

    automatic: Solved
    sure: Confidence
    patient: Patient
    lv_mass_g: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """Edited trees whose flow is solved; how sure their FFR is has not been computed yet.

    Parameters
    ----------
    start
        The result without edits.
    after
        The result with all of them.
    log
        The edits.
    """

    start: Start
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
    start = start_of(out, *load_solved(out))
    known: tuple[Record, ...] = () if onto is None else load_log(out, onto).edits
    known = known[:-1] if undo else known
    if not known and not edits:
        raise ConfigError("without that edit the result is the automatic one, in OUT itself")
    before = [x.edit for x in known]
    edited(edited(start.automatic.trees, before), edits)  # refuses at once what does not fit
    state = solved_with(start, start.automatic, before)
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    records = list(known)
    for edit in edits:
        after = solved_with(start, state, [edit])
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
    return Draft(start, state, log)


def solved_again(out: Path, number: int) -> Draft:
    """Return edited result `number` of a run as it was solved, from what is kept of it.

    Raises
    ------
    ConfigError
        As in `solve_edits`; its edits are damaged, or no longer fit.
    ConvergenceError
        No steady flow was found.
    """
    start = start_of(out, *load_solved(out))
    log = load_log(out, number, "--edit")
    return Draft(start, solved_with(start, start.automatic, [x.edit for x in log.edits]), log)


def start_of(out: Path, automatic: Solved, sure: Confidence) -> Start:
    """Return a run as `load_solved` reads it, with what its trees are solved with.

    Raises
    ------
    ConfigError
        A stage that is missing or damaged.
    """
    settings = stage_data.load_flow(out)[2]
    with stages.readable(stages.stage_folder(out, "solve")):
        known = {k: v for k, v in settings["patient"].items() if v is not None}
    heart = stages.load_facts(stages.require_stage(out, "segment"))
    return Start(automatic, sure, patient_from(known, "patient"), heart["lv_mass_g"] or None)


def solved_with(start: Start, before: Solved, edits: Sequence[Edit]) -> Solved:
    """Return the trees after further edits, solved as those of a run.

    With other names alone nothing flows anew.

    Raises
    ------
    ConfigError
        An edit that does not fit.
    ConvergenceError
        No steady flow was found.
    """
    trees, flow = edited(before.trees, edits), before.flow
    if any(a.tree is not b.tree for a, b in zip(before.trees, trees, strict=True)):
        flow = pipeline.solve(trees, start.patient, start.lv_mass_g)
    return Solved(trees, flow, pipeline.find(trees, flow.solutions))


def sure_of(start: Start, after: Solved) -> Confidence:
    """Return how sure the FFR after the edits is.

    Raises
    ------
    ConvergenceError
        Many of the sampled trees have no steady flow.
    """
    first = start.automatic
    same = zip(
        pipeline.readings(first.findings), pipeline.readings(after.findings), strict=True
    )
    if first.flow is after.flow and all(np.array_equal(a, b) for a, b in same):
        return start.sure  # only names have changed
    return pipeline.confidence(after.trees, after.flow, after.findings)


def write_edits(
    out: Path, draft: Draft, progress: Callable[[float], None]
) -> tuple[Result, Path]:
    """Write result, tree, report and edits; return the result and the new folder in `out`.

    Raises
    ------
    ConvergenceError
        As in `sure_of`.
    """
    from ffr import workflow  # heavy, as what draws is: not before something is kept
    from ffr.report.html import render_report
    from ffr.report.shown import Shown

    scan = stage_data.load_scan(out)
    progress(0.1)
    sure = sure_of(draft.start, draft.after)
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
    carried = carried_flags(automatic, draft.start.automatic.trees, draft.after.trees)
    return first, *excluded, *carried
