"""What runs while the service runs? Four threads that each do one thing again and again."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

from ffr import __version__
from ffr.results.result import RESEARCH_USE_ONLY
from ffr.serve import analysing, sending, settling
from ffr.serve.destination import Destination
from ffr.serve.jobs import Jobs
from ffr.serve.listening import Door, Listener
from ffr.serve.pages import MOST_JOBS
from ffr.serve.places import Places, free_bytes
from ffr.serve.retention import remove_old
from ffr.serve.status import StatusServer
from ffr.serve.store import Store
from ffr.serve.watching import Watch

logger = logging.getLogger(__name__)
TICK_S = 0.5
SOON_S = 5.0  # after something has failed
HOURLY_S = 3600.0
STOP_S = 10.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What a service is put together from; None where it does without."""

    places: Places
    store: Store
    jobs: Jobs
    door: Door
    work: analysing.Work
    node: Destination | None
    watch: Watch | None
    status_port: int
    settle_s: float
    retry_s: float
    keep_s: float | None = None


class Service:
    """Receives, analyses and sends from `start` to `stop`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._listener = Listener(parts.door, parts.store)
        self._status = StatusServer(
            parts.status_port, self.health, lambda: parts.jobs.newest(MOST_JOBS)
        )
        self._stop = threading.Event()
        self._at_work: set[int] = set()
        self._turn = threading.Lock()
        self._trouble: dict[str, str] = {}
        self._threads: list[threading.Thread] = []
        self._swept_s = float("-inf")

    def start(self) -> tuple[int, int]:
        """Clear what a kill has left, begin; return the ports of listener and status page.

        Raises
        ------
        ConfigError
            A port is taken.
        """
        parts = self._parts
        settling.remove_orphans(parts.places, parts.jobs)
        parts.jobs.recover()
        status_port = self._status.open()
        try:
            port = self._listener.open()
        except BaseException:
            self._status.close()
            raise
        self._begin("collector", self._collect)
        for i in range(parts.work.at_once):
            self._begin(f"worker-{i}", self._analyse)
        if parts.node is not None:
            self._begin("sender", self._send)
        return port, status_port

    def stop(self) -> None:
        """End everything; a job at work is put back and begins anew after the next start."""
        self._stop.set()
        self._listener.close()
        self._status.close()
        until = time.monotonic() + STOP_S
        workers = [t for t in self._threads if t.name.startswith("worker")]
        while any(t.is_alive() for t in workers) and time.monotonic() < until:
            _end_children()
            time.sleep(0.05)
        # not the sender, which may wait for minutes: what it has not noted is sent again

    def health(self) -> dict[str, Any]:
        """Return the state of the service; no patient data."""
        parts = self._parts
        dead = [t.name for t in self._threads if not t.is_alive()]
        troubles = [f"{name} has ended" for name in dead]
        if not self._listener.alive():
            troubles.append("nobody listens")
        if parts.store.full():
            troubles.append("the disk is too full, no object is taken; see --min-free-gb")
        troubles += [self._trouble[name] for name in sorted(self._trouble)]
        return {
            "status": "trouble" if troubles else "ok", "trouble": "; ".join(troubles),
            "version": __version__, "statement": RESEARCH_USE_ONLY,
            "receiving": parts.store.changing(), **parts.jobs.counts(),
            "free_gb": round(free_bytes(parts.places.out) / 1e9, 2),
        }  # fmt: skip

    def _begin(self, name: str, step: Callable[[], float]) -> None:
        thread = threading.Thread(target=self._again, args=(name, step), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _again(self, name: str, step: Callable[[], float]) -> None:
        """Do a step again and again; it says how long to wait. No fault ends it."""
        while not self._stop.is_set():
            try:
                wait_s = step()
                self._trouble.pop(name, None)
            except Exception as error:  # what it says may quote a header or a path
                self._trouble[name] = f"{name}: {_why(error)}"
                logger.error("%s; tried again", self._trouble[name])
                wait_s = SOON_S
            self._stop.wait(wait_s)

    def _collect(self) -> float:
        parts = self._parts
        if parts.watch is not None:
            parts.watch.look()
        settling.make_jobs(parts.store, parts.jobs, parts.settle_s)
        if time.monotonic() - self._swept_s > HOURLY_S:
            self._swept_s = time.monotonic()
            settling.remove_stale(parts.places)
            if parts.keep_s is not None:
                remove_old(parts.places, parts.store, parts.jobs, parts.keep_s)
        return min(TICK_S, max(0.05, parts.settle_s / 4.0))

    def _analyse(self) -> float:
        parts = self._parts
        with self._turn:
            job = parts.jobs.begin(self._at_work)
            if job is None:
                return TICK_S / 2.0
            self._at_work.add(job.number)
        try:
            ended = analysing.analyse(
                parts.places, parts.jobs, job, parts.work, parts.node is not None,
                self._stop.is_set,
            )  # fmt: skip
        finally:
            self._at_work.discard(job.number)
        return 0.0 if ended else SOON_S

    def _send(self) -> float:
        parts = self._parts
        if parts.node is not None:
            with contextlib.suppress(sqlite3.ProgrammingError):  # closed at the end
                sending.send_due(parts.places, parts.jobs, parts.node, parts.retry_s)
        return TICK_S / 2.0


def _why(error: Exception) -> str:
    """Return what has failed, without the words of others."""
    if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
        return os.strerror(errno.ENOSPC)
    why = error.strerror if isinstance(error, OSError) else None
    return why or type(error).__name__


def _end_children() -> None:
    """Ask the jobs at work to end; each is the head of a group of its own."""
    for child in psutil.Process().children():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGTERM)
