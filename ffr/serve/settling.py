"""When is a study complete? When nothing of it came for a while; then it becomes a job."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path

from ffr.batch.cases import fingerprint
from ffr.serve.jobs import Jobs
from ffr.serve.places import Places, flushed, numbered
from ffr.serve.store import Store

logger = logging.getLogger(__name__)
STALE_S = 3600.0  # what is received for longer has been given up


def make_jobs(store: Store, jobs: Jobs, settle_s: float) -> list[int]:
    """Make a job of each study that is complete and not analysed as it is; give the numbers."""
    made = []
    for study in store.quiet(settle_s):
        with store.lock:
            if not store.still_quiet(study, settle_s):  # one more object came just now
                continue
            content = fingerprint(store.places.studies / study)
            if content != jobs.content(study):
                made.append(_job(store.places, jobs, study, content))
            store.settled(study)
    return made


def _job(places: Places, jobs: Jobs, study: str, content: str) -> int:
    """Link the objects into a folder of their own, then write the row: in this order.

    Killed in between, the folder has no row: `remove_orphans` removes it, and the study is
    made into a job after the next start. Where the disk fails, nothing of it stays.
    """
    number = jobs.next_number()
    folder = Path(tempfile.mkdtemp(prefix="job-", dir=places.incoming))
    files = sorted((places.studies / study).iterdir())
    try:
        (folder / "study").mkdir(mode=0o700)
        for path in files:
            _linked(path, folder / "study" / path.name)
        for place in (folder / "study", folder):
            flushed(place)
        os.replace(folder, places.job(number))
        flushed(places.jobs)
        jobs.add(number, study, content, len(files))
    except (OSError, sqlite3.Error):
        for half in (folder, places.job(number)):
            shutil.rmtree(half, ignore_errors=True)
        raise
    logger.info("job %s: queued, %d objects", numbered(number), len(files))
    return number


def _linked(path: Path, place: Path) -> None:
    try:
        os.link(path, place)
    except OSError:  # a disk without links
        shutil.copy2(path, place)  # with the date, which tells whether a study has changed
        flushed(place)


def remove_orphans(places: Places, jobs: Jobs) -> None:
    """Remove the folders of jobs that were not queued before the service was killed."""
    known = {numbered(number) for number in jobs.numbers()}
    for path in places.jobs.iterdir():
        if path.name not in known:
            shutil.rmtree(path, ignore_errors=True)


def remove_stale(places: Places) -> None:
    """Remove what a sender has left in mid-object."""
    oldest = time.time() - STALE_S
    for path in places.incoming.iterdir():
        if path.is_file() and path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
