"""In which state is which job? One file of sqlite; each change is whole and on the disk.

A job goes queued, running, sending, done; or ends failed, or superseded by a later job of its
study that was made before it began. No name and no UID is written here.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ffr.errors import ConfigError

FORMAT = 1
STATES = ("queued", "running", "sending", "done", "failed", "superseded")
ENDED = ("done", "failed", "superseded")
_TABLES = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, study TEXT NOT NULL, content TEXT NOT NULL,
    objects INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '', queued TEXT NOT NULL, begun TEXT NOT NULL DEFAULT '',
    analysed TEXT NOT NULL DEFAULT '', ended TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL DEFAULT 0);
CREATE INDEX of_study ON jobs (study);
CREATE INDEX of_state ON jobs (state);
CREATE TABLE results (
    job INTEGER NOT NULL REFERENCES jobs, file TEXT NOT NULL, sent TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (job, file));
"""
_COLUMNS = (
    "number, study, content, objects, state, reason, message, queued, begun, analysed, ended, "
    "attempts, tries"
)


@dataclass(frozen=True, slots=True)
class Job:
    """One row: a set of objects of a study, and how far its analysis is.

    Parameters
    ----------
    number
        Name of its folders.
    study, content
        Hash of the study's UID; fingerprint of the objects.
    objects
        How many.
    state
        One of `STATES`.
    reason, message
        Why it failed, or why it waits: short name and line, without patient data.
    queued, begun, analysed, ended
        Date and time, UTC; "" if not yet.
    attempts, tries
        How often its analysis began, and how often sending failed.
    """

    number: int
    study: str
    content: str
    objects: int
    state: str
    reason: str
    message: str
    queued: str
    begun: str
    analysed: str
    ended: str
    attempts: int
    tries: int


class Jobs:
    """All jobs of a service; may be used from any thread.

    Raises
    ------
    ConfigError
        The file is damaged or of another version.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # a change is on the disk
            self._make_tables()
        except sqlite3.DatabaseError as error:
            message = "the queue of this folder is damaged or not readable; give a new --out"
            raise ConfigError(message) from error

    def _make_tables(self) -> None:
        with self._change() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _TABLES.split(";")[:-1]:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {FORMAT}")
            elif version != FORMAT:
                message = "the queue of this folder is of another version; give a new --out"
                raise ConfigError(message)

    @contextlib.contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:  # a full disk is found out as late as in COMMIT
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise

    def _rows(self, rest: str, values: Sequence[object] = ()) -> list[Job]:
        with self._lock:
            found = self._db.execute(f"SELECT {_COLUMNS} FROM jobs {rest}", values).fetchall()
        return [Job(*row) for row in found]

    def recover(self) -> None:
        """After a start: what was at work waits again, what is to be sent is sent at once."""
        with self._change() as db:
            db.execute("UPDATE jobs SET state = 'queued' WHERE state = 'running'")
            db.execute("UPDATE jobs SET due = 0 WHERE state = 'sending'")

    def close(self) -> None:
        """Close the file; another process can open it."""
        with self._lock:
            self._db.close()

    def newest(self, count: int) -> list[Job]:
        """Return the last jobs, the newest first."""
        return self._rows("ORDER BY number DESC LIMIT ?", (count,))

    def numbers(self) -> set[int]:
        """Return the numbers of all jobs."""
        with self._lock:
            return {n for (n,) in self._db.execute("SELECT number FROM jobs").fetchall()}

    def counts(self) -> dict[str, int]:
        """Return how many jobs are in each state."""
        with self._lock:
            found = self._db.execute("SELECT state, COUNT(*) FROM jobs GROUP BY state")
            return {**dict.fromkeys(STATES, 0), **dict(found.fetchall())}

    def next_number(self) -> int:
        """Return the number of the job that is made next: none is used twice."""
        with self._lock:
            row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'")
            (last,) = row.fetchone() or (0,)
        return int(last) + 1

    def content(self, study: str) -> str | None:
        """Return the content of a study's last job, None if there is none."""
        found = self._rows("WHERE study = ? ORDER BY number DESC LIMIT 1", (study,))
        return found[0].content if found else None

    def add(self, number: int, study: str, content: str, objects: int) -> None:
        """Queue a job; earlier ones of its study that have not begun are superseded."""
        now = _now()
        with self._change() as db:
            db.execute(
                "UPDATE jobs SET state = 'superseded', ended = ?, reason = 'superseded', "
                "message = ? WHERE study = ? AND state = 'queued' AND attempts = 0",
                (now, f"more objects of its study came; see job {number}", study),
            )
            db.execute(
                "INSERT INTO jobs (number, study, content, objects, state, queued) "
                "VALUES (?, ?, ?, ?, 'queued', ?)",
                (number, study, content, objects, now),
            )

    def begin(self, at_work: Collection[int]) -> Job | None:
        """Give the oldest job to be analysed that nobody works on; it is running from now."""
        with self._change() as db:
            waiting = self._rows("WHERE state IN ('running', 'queued') ORDER BY number")
            job = next((j for j in waiting if j.number not in at_work), None)
            if job is not None:
                db.execute(
                    "UPDATE jobs SET state = 'running', begun = ?, attempts = attempts + 1 "
                    "WHERE number = ?",
                    (_now(), job.number),
                )
        return job

    def wait(self, number: int, reason: str = "", message: str = "") -> None:
        """Put a job back that could not be brought to an end; the attempt does not count."""
        with self._change() as db:
            db.execute(
                "UPDATE jobs SET state = 'queued', reason = ?, message = ?, "
                "attempts = attempts - 1 WHERE number = ?",
                (reason, message, number),
            )

    def fail(self, number: int, reason: str, message: str) -> None:
        """End a job without a result."""
        with self._change() as db:
            now = _now()
            db.execute(
                "UPDATE jobs SET state = 'failed', reason = ?, message = ?, analysed = ?, "
                "ended = ? WHERE number = ?",
                (reason, message, now, now, number),
            )

    def analysed(self, number: int, files: Sequence[str], to_send: bool) -> None:
        """Note that a job has a result, and which objects of it are to be sent."""
        with self._change() as db:
            now = _now()
            db.execute(
                "UPDATE jobs SET state = ?, reason = '', message = '', analysed = ?, ended = ? "
                "WHERE number = ?",
                ("sending" if to_send else "done", now, "" if to_send else now, number),
            )
            db.executemany(
                "INSERT OR IGNORE INTO results (job, file) VALUES (?, ?)",
                [(number, name) for name in files],
            )

    def due(self) -> list[Job]:
        """Return the jobs whose results are to be sent now."""
        return self._rows(
            "WHERE state = 'sending' AND due <= ? ORDER BY number", (time.time(),)
        )

    def unsent(self, number: int) -> list[str]:
        """Return the files of a job that the destination does not have yet."""
        with self._lock:
            found = self._db.execute(
                "SELECT file FROM results WHERE job = ? AND sent = '' ORDER BY file", (number,)
            )
            return [name for (name,) in found.fetchall()]

    def sent(self, number: int, file: str) -> None:
        """Note that the destination has an object; the last one ends the job."""
        with self._change() as db:
            db.execute(
                "UPDATE results SET sent = ? WHERE job = ? AND file = ?", (_now(), number, file)
            )
            db.execute(
                "UPDATE jobs SET state = 'done', reason = '', message = '', ended = ? "
                "WHERE number = ? AND NOT EXISTS "
                "(SELECT 1 FROM results WHERE job = number AND sent = '')",
                (_now(), number),
            )

    def unsent_again(self, number: int, message: str, wait_s: float) -> None:
        """Note why sending failed; it is tried again after a while."""
        with self._change() as db:
            db.execute(
                "UPDATE jobs SET reason = 'not-sent', message = ?, tries = tries + 1, due = ? "
                "WHERE number = ?",
                (message, time.time() + wait_s, number),
            )

    def ended_before(self, moment: datetime) -> list[Job]:
        """Return the jobs that ended before a moment."""
        marks = ", ".join("?" * len(ENDED))
        return self._rows(
            f"WHERE state IN ({marks}) AND ended < ? ORDER BY number",
            (*ENDED, moment.astimezone(UTC).isoformat()),
        )

    def later(self, job: Job) -> bool:
        """Tell whether a study has a later job than this one."""
        rest = "WHERE study = ? AND number > ? LIMIT 1"
        return bool(self._rows(rest, (job.study, job.number)))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
