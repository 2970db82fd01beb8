"""What does `ffr batch` do? It plans from the disk, lets workers work, sums up from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ffr.batch.cases import (
    CASES,
    MISSING,
    VERDICT,
    Case,
    fingerprint,
    numbered,
    prepare,
    verdict_of,
)
from ffr.batch.one_case import Limits
from ffr.batch.progress import Progress, shown
from ffr.batch.studies import listed_studies
from ffr.batch.summary import counts, reason_table, rows_of, save_summary
from ffr.circulation.patient import load_patient
from ffr.errors import ConfigError
from ffr.own_weights import check_own_weights
from ffr.show import page, progress_page

SOME_FAILED = 3  # exit code: the batch is through, but not every case is done
LOOKERS = 16  # threads that look at studies: slow disks answer many at once


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How a batch is done.

    Parameters
    ----------
    limits
        Of each case.
    scheduler
        Address of a Dask scheduler; None for a cluster on this machine.
    workers
        Cases at once on this machine; None: as many as cores and memory allow.
    retry_failed
        Do failed cases again.
    patient
        File of what holds for all patients.
    weights
        Folder of own weights.
    command
        What does a case; see `ffr.batch.one_case.run_case`.
    """

    limits: Limits
    scheduler: str | None = None
    workers: int | None = None
    retry_failed: bool = False
    patient: Path | None = None
    weights: Path | None = None
    command: Sequence[str] | None = None


def run_batch(studies: Path, out: Path, settings: BatchSettings) -> int:
    """Bring every study to its end; return the exit code: 0, or `SOME_FAILED`.

    Raises
    ------
    ConfigError
        Studies, list, settings or folders make no sense, or no worker can work.
    """
    out = out.absolute()
    cases = _planned(studies, out, settings)
    if settings.retry_failed:
        cases = [_anew_if_failed(out, case) for case in cases]
    verdicts = [verdict_of(out, case) for case in cases]
    states = ["to do" if verdict is None else verdict.state for verdict in verdicts]
    to_do = [case for case, state in zip(cases, states, strict=True) if state == "to do"]
    done, failed = states.count("done"), states.count("failed")
    page().print(_plan(len(cases), done, failed, out, to_do), highlight=False)
    try:
        if to_do:
            _do(out, to_do, settings, Progress(progress_page(), len(to_do), done, failed))
    finally:
        rows = rows_of(out, cases)
        save_summary(out, rows)
    return _told(rows)


def _planned(studies: Path, out: Path, settings: BatchSettings) -> list[Case]:
    if settings.scheduler is not None and settings.workers is not None:
        raise ConfigError("--workers has no effect with --scheduler; leave one of them out")
    everyone: Mapping[str, Any] = {}
    if settings.patient is not None:
        everyone = load_patient(settings.patient).model_dump(exclude_none=True)
    weights = None if settings.weights is None else settings.weights.absolute()
    if weights is not None:
        check_own_weights(weights)
    listed = listed_studies(studies, out, everyone)
    prepare(out)
    own = "" if weights is None else fingerprint(weights)
    with ThreadPoolExecutor(LOOKERS) as pool:
        seen = list(pool.map(fingerprint, (x.study for x in listed)))
    prints = [one if one == MISSING else one + own for one in seen]
    return numbered(out, listed, weights, prints)


def _anew_if_failed(out: Path, case: Case) -> Case:
    verdict = verdict_of(out, case)
    if verdict is None or verdict.state == "done":
        return case
    return replace(case, again=verdict.ended)


def _plan(total: int, done: int, failed: int, out: Path, to_do: Sequence[Case]) -> str:
    """Say what is to be done, and why something is done that was done before."""
    parts = [f"{total} studies"]
    parts += [f"{done} done before"] * bool(done)
    parts += [f"{failed} failed before (--retry-failed does them again)"] * bool(failed)
    changed = sum((out / CASES / case.number / VERDICT).exists() for case in to_do)
    anew = f" ({changed} of them anew)" if changed else ""
    return f"{', '.join(parts)}; {len(to_do)} to do{anew}"


def _do(out: Path, cases: Sequence[Case], settings: BatchSettings, progress: Progress) -> None:
    from ffr.batch.cluster import local_cluster, most_at_once, remote_cluster, worked_off

    say = progress.console.print
    if settings.scheduler is None:
        most = settings.workers or most_at_once(settings.limits.memory_mb)
        at_once = min(most, len(cases))
        say(f"{at_once} at once on this machine", highlight=False)
        cluster = local_cluster(at_once)
    else:
        cluster = remote_cluster(settings.scheduler)
    with cluster as client:
        if settings.scheduler is not None:
            there = sum(client.nthreads().values())
            say(f"{there} at once, workers may come and go" if there else "waiting for workers")
        with shown(progress):
            ends = worked_off(
                client, out, cases, settings.limits, progress.begun, settings.command
            )  # fmt: skip
            for case, outcome in ends:
                progress.over(case.number, outcome)


def _told(rows: Sequence[dict[str, Any]]) -> int:
    found = counts(rows)
    if found["failed"]:
        page().print(reason_table(rows))
    page().print(
        ", ".join(f"{count} {state}" for state, count in found.items()), highlight=False
    )
    page().print("summary: summary.csv in the --out folder; cases there by number, in cases")
    page().print("Research use only. Not a medical device. Not for diagnosis.")
    return 0 if found["done"] == len(rows) else SOME_FAILED
