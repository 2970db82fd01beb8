"""Under what circumstances was a number measured: command, machine, date, commit?"""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def setting(command: str, arguments: Sequence[str] | None, device: str) -> str:
    """Return one paragraph of markdown that goes above every printed table.

    Parameters
    ----------
    command
        What was run, without its arguments.
    arguments
        Its arguments; None for those of this process.
    device
        "cpu" or "cuda", where the networks ran.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    words = " ".join([command, *given])
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    cores = len(os.sched_getaffinity(0))
    return (
        f"`{words}`: {cores} cores of {processor()}, {memory_gb():.0f} GB, networks on "
        f"{device}, Python {platform.python_version()}, {today}, commit {commit()}."
    )


def processor() -> str:
    """Return the name of the processor, or the machine's architecture."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def memory_gb() -> float:
    """Return the machine's memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9


def commit() -> str:
    """Return the short commit, with "+" when tracked files differ from it."""

    def git(*words: str) -> str:
        folder = str(Path(__file__).parent)
        done = subprocess.run(
            ["git", "-C", folder, *words], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    short = git("rev-parse", "--short", "HEAD") or "unknown"
    return short + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
