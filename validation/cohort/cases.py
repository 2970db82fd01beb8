"""How does every case of a table get its result? Reused where it fits, else run, alone."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from ffr.errors import ConfigError
from ffr.partial import remove_partial
from ffr.results.result import Result
from ffr.results.result_file import load_result
from ffr.results.result_folder import require_same_study
from validation.cohort.groups import groups_of
from validation.cohort.place import NotReadError, measured
from validation.cohort.reading import Reading
from validation.cohort.schema import COLUMNS, Row
from validation.cohort.table import Line

TIMEOUT_S = 3600.0
MOST_LETTERS = 80  # of a reason
# of ffr batch: reasons that are no refusal of the study
BATCH_FAULTS = (
    "study-missing", "refused", "time-limit", "memory-limit", "out-of-memory", "killed",
    "fault", "crashed",
)  # fmt: skip
# what the table knows of a patient: column, its name in `Patient`, flag of ffr run
_PATIENT = (
    ("systolic_mmhg", "systolic_mmhg", "--systolic-mmhg"),
    ("diastolic_mmhg", "diastolic_mmhg", "--diastolic-mmhg"),
    ("haematocrit", "haematocrit", "--haematocrit"), ("sex", "sex", "--sex"),
    ("hr_bpm", "heart_rate_bpm", "--heart-rate-bpm"),
)  # fmt: skip
_ACTS = ("systolic_mmhg", "diastolic_mmhg", "haematocrit", "sex")  # on steady flow
# what ffr run says when a study is refused: a short name, then the sentence
_REFUSED = re.compile(r"^ffr: ([a-z]+(?:-[a-z]+)+|empty): ")
_NOT_KEPT = ("image_path", "series", "groups", "case_id", "patient_id", "vessel")


@dataclass(frozen=True, slots=True)
class Job:
    """One case to be run.

    Parameters
    ----------
    case, study, series
        Its pseudonym, its CT study, and which series of it (None: the program chooses).
    out
        Result folder.
    patient
        What the table knows of the patient: flag of `ffr run` and value.
    first
        Stage to begin with.
    """

    case: str
    study: Path
    series: str | None
    out: Path
    patient: tuple[tuple[str, str], ...]
    first: Literal["scan", "solve"] = "scan"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a case ended.

    Parameters
    ----------
    status, reason
        The second is a short stable name; empty when done.
    folder, how
        When done: of the result, and "reused", "run" or "solved again".
    """

    status: Literal["done", "rejected", "failed"]
    reason: str = ""
    folder: Path | None = None
    how: str = ""


Runner = Callable[[Job], Outcome]
Say = Callable[[str], None]


def run_case(job: Job) -> Outcome:
    """Run `ffr run` on a case in a process of its own: a crash ends this case alone."""
    words = [str(job.study), "--out", str(job.out)]
    words += [w for flag, value in job.patient for w in (flag, value)]
    if job.first != "scan":
        words += ["--from", job.first]
    elif job.series is not None:
        words += ["--series", job.series]
    start = [sys.executable, "-c", "from ffr.cli import main; main()", "run", *words]
    job.out.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        done = subprocess.run(
            start, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        with contextlib.suppress(OSError):
            remove_partial(job.out)
        return Outcome("failed", f"no end after {TIMEOUT_S / 60:.0f} minutes")
    if done.returncode == 0:
        return Outcome("done", "", job.out, "run" if job.first == "scan" else "solved again")
    return ended(done.returncode, done.stderr)


def ended(code: int, said: str) -> Outcome:
    """Return how a case ended from exit code and standard error of `ffr run`."""
    line = next((x for x in reversed(said.splitlines()) if x.startswith("ffr: ")), "")
    named = _REFUSED.match(line)
    if code == 2 and named:
        return Outcome("rejected", named.group(1))
    if code == 2 and "memory" in line:
        return Outcome("failed", "out of memory")
    if code == 2:
        return Outcome("failed", line.removeprefix("ffr: ").partition(";")[0][:MOST_LETTERS])
    return Outcome("failed", "ended by the system" if code in (-9, 137) else "crash")


def outcomes(
    lines: Sequence[Line], table: Path, out: Path, results: Path | None, runner: Runner,
    say: Say,
) -> dict[str, Outcome]:  # fmt: skip
    """Return how each case of the table ended, running what is not there yet.

    Parameters
    ----------
    lines
        Of the table; rows that are not compared need no result.
    table
        Folder that image paths are relative to.
    out
        Where new runs go: `out`/cases/CASE.
    results
        Folder with finished runs, called after the cases; never changed. None: there is none.
    runner
        What runs a case.
    say
        Gets one line per case.
    """
    first = {x.row.case_id: x.row for x in reversed(lines) if x.row.compared}
    cases = list(dict.fromkeys(x.row.case_id for x in lines if x.row.compared))
    found = {}
    for number, case in enumerate(cases, start=1):
        outcome = _one(first[case], table, out, results, runner)
        found[case] = outcome
        told = outcome.how if outcome.status == "done" else f"{outcome.status}: "
        say(f"{number} of {len(cases)}, {case}: {told}{outcome.reason}")
    return found


def _one(row: Row, table: Path, out: Path, results: Path | None, runner: Runner) -> Outcome:
    case, own = row.case_id, out / "cases" / row.case_id
    told = None if results is None else verdict(results / case)
    if told is not None:
        return told
    if results is not None and (results / case / "result.json").is_file():
        if _loaded(results / case) is None:
            return Outcome("failed", "result of another version")
        return Outcome("done", "", results / case, "reused")
    known = patient_of(row)
    before = _loaded(own)
    study = None if row.image_path is None else table / row.image_path
    same = before is not None and _same_study(own, study)
    if before is not None and same and fits(before, known):
        return Outcome("done", "", own, "reused")
    if study is None:
        return Outcome("failed", "no CT study")
    job = Job(case, study, row.series, own, _flags(known))
    if same:  # only what is known of the patient has changed
        outcome = runner(replace(job, series=None, first="solve"))
        if outcome.status == "done":
            return outcome
    return runner(job)


def verdict(folder: Path) -> Outcome | None:
    """Return how a case of `ffr batch` failed; None where there is no such verdict."""
    try:
        found = json.loads((folder / "case.json").read_text(encoding="utf-8"))
        state, reason = str(found["state"]), str(found["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if state != "failed":
        return None
    return Outcome("failed" if reason in BATCH_FAULTS else "rejected", reason)


def _same_study(own: Path, study: Path | None) -> bool:
    """Tell whether a run of ours was made from this study; what has none is taken as it is."""
    if study is None or not (own / "stages" / "scan" / "study.txt").is_file():
        return True
    try:
        require_same_study(own, study)
    except ConfigError:
        return False
    return True


def _loaded(folder: Path) -> Result | None:
    try:
        return load_result(folder / "result.json")
    except ConfigError:
        return None


def patient_of(row: Row) -> dict[str, float | str]:
    """Return what the table knows of the patient, in the words of `ffr.circulation.patient`."""
    known = {name: getattr(row, column) for column, name, _ in _PATIENT}
    return {name: value for name, value in known.items() if value is not None}


def fits(result: Result, known: Mapping[str, float | str]) -> bool:
    """Tell whether a result was made with what the table knows of the patient."""
    used = result.settings.get("patient")
    return isinstance(used, dict) and all(used.get(n) == known.get(n) for n in _ACTS)


def _flags(known: Mapping[str, float | str]) -> tuple[tuple[str, str], ...]:
    flags = {name: flag for _, name, flag in _PATIENT}
    return tuple(
        (flags[name], value if isinstance(value, str) else f"{value:g}")
        for name, value in known.items()
    )


def results_of(ended: Mapping[str, Outcome]) -> dict[str, Result]:
    """Return the result of every case that has one."""
    folders = {case: x.folder for case, x in ended.items() if x.folder is not None}
    return {case: load_result(folder / "result.json") for case, folder in folders.items()}


def readings(
    lines: Sequence[Line], ended: Mapping[str, Outcome], results: Mapping[str, Result]
) -> list[Reading]:
    """Return one reading per row of the table."""
    rows = (line.row for line in lines)
    return [_reading(row, ended.get(row.case_id), results) for row in rows]


def _reading(row: Row, outcome: Outcome | None, results: Mapping[str, Result]) -> Reading:
    notes = {name: getattr(row, name) for name in COLUMNS if name not in _NOT_KEPT}
    blank = Reading(
        case=row.case_id, patient=row.patient_id, vessel=row.vessel, status="excluded",
        reason=row.exclusion or "unknown", invasive_ffr=row.invasive_ffr,
        stenosis_percent=row.cta_percent_stenosis, groups=groups_of(row),
        notes=tuple((name, "" if v is None else f"{v}") for name, v in notes.items()),
    )  # fmt: skip
    if row.exclusion is not None or outcome is None:
        return blank
    if outcome.status != "done":
        return replace(blank, status=outcome.status, reason=outcome.reason)
    tree = outcome.folder and outcome.folder / "tree.vtp"
    try:
        found = measured(results[row.case_id], tree if tree and tree.is_file() else None, row)
    except NotReadError as reason:
        return replace(blank, status="not-read", reason=str(reason))
    except ConfigError:
        return replace(blank, status="failed", reason="tree.vtp damaged")
    return replace(blank, status="read", reason="", **asdict(found))
