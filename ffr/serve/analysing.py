"""How is a job brought to its end? As a case of a batch: locked, in a child, within limits."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ffr.batch.cases import Case, Verdict, fingerprint
from ffr.batch.one_case import Limits, Outcome, run_case
from ffr.batch.studies import Listed
from ffr.serve.jobs import Job, Jobs
from ffr.serve.places import Places, numbered

logger = logging.getLogger(__name__)
ANALYSIS = (sys.executable, "-P", "-m", "ffr.serve.child")
MOST_ATTEMPTS = 5  # of a job that takes the whole service with it


@dataclass(frozen=True, slots=True)
class Work:
    """How all jobs are analysed.

    Parameters
    ----------
    limits
        Of each.
    at_once
        How many share the cores.
    patient
        Keys and values of a patient file that hold for all.
    weights
        Folder of own weights.
    command
        Stands in for the analysis; see `ffr.batch.one_case.run_case`.
    """

    limits: Limits
    at_once: int = 1
    patient: Mapping[str, Any] = field(default_factory=dict, repr=False)
    weights: Path | None = field(default=None, repr=False)
    command: Sequence[str] = ANALYSIS


def analyse(
    places: Places,
    jobs: Jobs,
    job: Job,
    work: Work,
    to_send: bool,
    stopping: Callable[[], bool],
) -> bool:
    """Run a job that was begun and note how it ended; False if it is to be tried again later.

    Nothing happens twice: a job whose run is finished, but was not noted when the service was
    killed, is only noted.
    """
    name = numbered(job.number)
    if job.attempts >= MOST_ATTEMPTS:
        message = f"its analysis ended together with the service {job.attempts} times"
        jobs.fail(job.number, "lost", message)
        logger.error("job %s: failed: lost: %s", name, message)
        return True
    study = places.job(job.number) / "study"
    case = Case(name, Listed(study, None, work.patient), work.weights, fingerprint(study))
    logger.info("job %s: begun", name)
    cores = len(os.sched_getaffinity(0))
    outcome = run_case(
        places.runs, case, work.limits, work.command, max(1, cores // work.at_once)
    )
    if outcome.verdict is None:
        _put_back(jobs, job, outcome, stopping())
        return False
    _note(places, jobs, job, outcome.verdict, to_send)
    return True


def _put_back(jobs: Jobs, job: Job, outcome: Outcome, stopping: bool) -> None:
    reasons = {
        "busy": "another process works on it",
        "interrupted": "it was ended from outside",
    }
    message = "" if stopping else outcome.message or reasons.get(outcome.state, "")
    jobs.wait(job.number, "" if stopping else "waits", message)
    logger.info("job %s: waits %s", numbered(job.number), message and f"({message})")


def _note(places: Places, jobs: Jobs, job: Job, verdict: Verdict, to_send: bool) -> None:
    name = numbered(job.number)
    if verdict.state == "failed":
        jobs.fail(job.number, verdict.reason, verdict.message)
        logger.warning("job %s: failed: %s: %s", name, verdict.reason, verdict.message)
        return
    files = sorted(path.name for path in places.objects(job.number).glob("*.dcm"))
    jobs.analysed(job.number, files, to_send and bool(files))
    logger.info("job %s: analysed in %.0f s, %d objects", name, verdict.wall_s, len(files))
