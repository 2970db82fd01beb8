"""What does a worker do with a case? Lock it, run it in a child, watch it, keep the verdict."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import psutil

import ffr
from ffr.batch.cases import (
    CASES,
    LOG,
    MISSING,
    Case,
    Verdict,
    clear,
    commit,
    verdict_of,
    work_folder,
)
from ffr.batch.locks import locked
from ffr.errors import ConfigError
from ffr.partial import remove_partial

ANALYSIS = (sys.executable, "-P", "-m", "ffr.batch.child")
LOCK_PATIENCE_S = 2.0
LOOK_EVERY_S = 0.2
KEEP_OF_LOG = 4000  # characters of its end
BYTES_PER_MB = 1_000_000
_ASKED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
STOPPED = {*(-number for number in _ASKED), *(128 + number for number in _ASKED)}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a case may take.

    Parameters
    ----------
    time_s
        By the clock, waiting for the GPU included.
    memory_mb
        Resident, of all its processes together.
    threads
        Of each case; None: the cores of the worker shared among its cases.
    """

    time_s: float
    memory_mb: int
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker says of a case; what counts is the verdict on the disk.

    Parameters
    ----------
    state
        "ended": there is a verdict. "busy": others work on it. "interrupted": try again.
        "lost": workers died of it, or with it, again and again. "unfit": this worker cannot
        work on any case. `message` says why.
    """

    state: Literal["ended", "busy", "interrupted", "lost", "unfit"]
    message: str = ""
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child has ended: exit code, which limit it broke, and what it took."""

    code: int
    broke: Literal["", "time-limit", "memory-limit"]
    wall_s: float
    peak_memory_mb: int


def run_case(
    out: Path,
    case: Case,
    limits: Limits,
    command: Sequence[str] | None = None,
    threads: int = 1,
    begun: Callable[[], None] = lambda: None,
) -> Outcome:
    """Bring one case to its end, unless it has one or others are at it. Raises nothing.

    Parameters
    ----------
    out
        Folder of the batch, the same for all workers.
    command
        Reads the request on standard input and fills the folder named in it; None: the
        analysis, by this worker's own Python.
    threads
        For a case, where the limits name none.
    begun
        Called when the case itself begins.
    """
    try:
        if not (out / CASES).is_dir():
            return Outcome("unfit", "a worker does not see the result folder")
        lock = work_folder(out, case).with_suffix(".lock")
        with locked(lock, LOCK_PATIENCE_S) as handle:
            if handle is None:
                return Outcome("busy")
            standing = verdict_of(out, case)
            if standing is None:
                begun()
                standing = _attempt(out, case, limits, command or ANALYSIS, threads, handle)
            if standing is None:
                return Outcome("interrupted", "asked to stop; start again to try once more")
            lock.unlink(missing_ok=True)
            return Outcome("ended", verdict=standing)
    except ConfigError as error:
        return Outcome("unfit", str(error))
    except OSError as error:  # without the path
        return Outcome("unfit", f"a worker cannot work in the result folder: {error.strerror}")


def _attempt(
    out: Path, case: Case, limits: Limits, command: Sequence[str], threads: int, lock: int
) -> Verdict | None:
    """Run a case under its lock; None if it was asked to stop."""
    if case.fingerprint != MISSING and not case.listed.study.exists():
        raise ConfigError("a worker does not see the studies")
    folder = clear(out, case)
    log = folder.with_suffix(".log")
    if case.fingerprint == MISSING:
        text = "ffr: study-missing: the study does not exist; correct its path\n"
        log.write_text(text)
        ended = Ended(2, "", 0.0, 0)
    else:
        ended = _watched(folder, log, case, limits, command, threads, lock)
    if ended.code in STOPPED:
        return None
    remove_partial(folder)
    reason, message = _judged(ended, limits, folder, log)
    log.replace(folder / LOG)
    state: Literal["done", "failed"] = "failed" if reason else "done"
    verdict = Verdict(
        state, reason, message, round(ended.wall_s, 1), ended.peak_memory_mb, case.digest(),
        datetime.now(UTC).isoformat(),
    )  # fmt: skip
    commit(out, case, verdict)
    return verdict


def _watched(
    folder: Path, log: Path, case: Case, limits: Limits, command: Sequence[str],
    threads: int, lock: int,
) -> Ended:  # fmt: skip
    """Run the command until it ends or breaks a limit; nothing of it is alive afterwards."""
    began, peak_mb = time.monotonic(), 0
    broke: Literal["", "time-limit", "memory-limit"] = ""
    leash = (sys.executable, "-P", "-m", "ffr.batch.leash", str(os.getpid()))
    request = json.dumps({**case.request(), "out": str(folder)}).encode()
    with log.open("wb") as file:
        child = subprocess.Popen(
            [*leash, *command], cwd=folder.parent, env=_environment(limits.threads or threads),
            stdin=subprocess.PIPE, stdout=file, stderr=file, start_new_session=True,
            pass_fds=(lock,),
        )  # fmt: skip
    try:
        with contextlib.suppress(BrokenPipeError), child.stdin as pipe:  # type: ignore[union-attr]
            pipe.write(request)
        while child.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(LOOK_EVERY_S)
            peak_mb = max(peak_mb, _memory_mb(child.pid))
            if child.poll() is None and peak_mb > limits.memory_mb:
                broke = "memory-limit"
            if child.poll() is None and time.monotonic() - began > limits.time_s:
                broke = "time-limit"
            if broke:
                break
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return Ended(child.returncode, broke, time.monotonic() - began, peak_mb)


def _environment(threads: int) -> dict[str, str]:
    """Return this worker's settings, the same program, and a share of the cores."""
    home = str(Path(ffr.__file__).parent.parent)
    others = os.environ.get("PYTHONPATH")
    counts = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), str(threads))
    path = os.pathsep.join([home, others] if others else [home])
    return {**os.environ, **counts, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def _memory_mb(pid: int) -> int:
    total = 0
    with contextlib.suppress(psutil.Error):
        first = psutil.Process(pid)
        for process in (first, *first.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    return total // BYTES_PER_MB


def _judged(ended: Ended, limits: Limits, folder: Path, log: Path) -> tuple[str, str]:
    """Return why a case has failed, as a short name and a line; two empty texts if it has not.

    Raises
    ------
    ConfigError
        The disk is full: not the fault of the case.
    """
    if ended.broke == "time-limit":
        return ended.broke, f"not done after {limits.time_s:.0f} s; see --time-limit-min"
    if ended.broke == "memory-limit":
        return ended.broke, f"more than {limits.memory_mb} MB; see --memory-limit-gb"
    if ended.code == 0:
        if (folder / "result.json").is_file():
            return "", ""
        return "fault", "it ended without a result; please report it"
    if ended.code < 0:
        return _killed(-ended.code)
    said = log.read_text(encoding="utf-8", errors="replace")[-KEEP_OF_LOG:].strip()
    last = said.rpartition("\n")[2]
    if ended.code == 2 and last.startswith("ffr: "):
        return _refused(last.removeprefix("ffr: "))
    kind = re.match(r"[\w.]+(?=:|$)", last)  # of the error; what follows may hold anything
    name = kind.group() if kind else f"exit code {ended.code}"
    return "fault", f"{name}; a fault of ct-ffr or a library, {LOG} of the case says more"


def _refused(line: str) -> tuple[str, str]:
    if line.startswith("no space left"):
        raise ConfigError("no space left on the disk of --out; make room")
    if line.startswith("out of memory"):
        return "out-of-memory", line
    reason, _, message = line.partition(": ")
    if message and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", reason):
        return reason, message
    return "refused", line


def _killed(number: int) -> tuple[str, str]:
    if number == signal.SIGKILL:
        return "killed", "ended by the system, most likely out of memory"
    name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
    return "crashed", f"{name}; a fault of ct-ffr or a library, please report it"
