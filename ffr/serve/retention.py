"""What is removed when? Jobs that ended long ago: objects and results, not the row."""

from __future__ import annotations

import logging
import shutil
from datetime import UTC, datetime, timedelta

from ffr.serve.jobs import Job, Jobs
from ffr.serve.places import Places, numbered
from ffr.serve.store import Store

logger = logging.getLogger(__name__)


def remove_old(places: Places, store: Store, jobs: Jobs, keep_s: float) -> None:
    """Remove what jobs that ended so long ago hold, and their studies."""
    for job in jobs.ended_before(datetime.now(UTC) - timedelta(seconds=keep_s)):
        if places.job(job.number).is_dir() or places.case(job.number).is_dir():
            for folder in (places.case(job.number), places.job(job.number)):
                shutil.rmtree(folder, ignore_errors=True)
            logger.info("job %s: objects and results removed", numbered(job.number))
            _remove_study(places, store, jobs, job)


def _remove_study(places: Places, store: Store, jobs: Jobs, job: Job) -> None:
    """Remove the study of a job, unless a later job is about it or objects still come."""
    with store.lock:
        unchanged = not store.is_changing(job.study)
        if unchanged and not jobs.later(job):
            shutil.rmtree(places.studies / job.study, ignore_errors=True)
