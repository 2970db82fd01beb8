"""How far is a batch? A live bar on a terminal, else one line per case; numbers, no names."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar

from ffr.batch.one_case import Outcome

MOST_SHOWN = 40  # of cases at work, on a terminal
BAR_COLUMNS = 60
HOURS_FROM_S = 7200.0  # what is left is told in hours


class Progress:
    """What has begun and ended so far; drawn by `rich`."""

    def __init__(self, console: Console, to_do: int, done: int, failed: int) -> None:
        self.console, self.to_do = console, to_do
        self.done, self.failed, self.ended = done, failed, 0
        self.total = to_do + done + failed
        self.since = time.monotonic()
        self._at_work: dict[str, float] = {}
        self._lock = threading.Lock()  # events come from a thread of the cluster

    def begun(self, number: str) -> None:
        """Note that a case is at work; one begun anew begins from zero."""
        with self._lock:
            self._at_work[number] = time.monotonic()

    def over(self, number: str, outcome: Outcome) -> None:
        """Note how a case went."""
        verdict = outcome.verdict
        with self._lock:
            self._at_work.pop(number, None)
            self.ended += 1
            self.done += verdict is not None and verdict.state == "done"
            self.failed += verdict is not None and verdict.state == "failed"
        if verdict is None:
            said = f"not ended: {outcome.message}"
        else:
            what = f"{verdict.state} {verdict.reason}".strip()
            said = f"{what}: {verdict.wall_s:.0f} s, {verdict.peak_memory_mb} MB"
        if verdict is None or verdict.state == "failed" or not self.console.is_terminal:
            self.console.print(f"{number} {said} ({self._so_far()})", highlight=False)

    def _so_far(self) -> str:
        return f"{self.done} done, {self.failed} failed, of {self.total}"

    def _left(self) -> str:
        if not self.ended:
            return ""
        seconds = (time.monotonic() - self.since) / self.ended * (self.to_do - self.ended)
        if seconds > HOURS_FROM_S:
            return f", about {seconds / 3600:.0f} h left"
        return f", about {math.ceil(seconds / 60)} min left"

    def __rich__(self) -> Group:
        """Draw a bar, the counts, and how long which case has been at work."""
        now = time.monotonic()
        with self._lock:
            rows = [f"{number}: {now - t:.0f} s" for number, t in self._at_work.items()]
        more = [f"and {len(rows) - MOST_SHOWN} more"] if len(rows) > MOST_SHOWN else []
        bar = ProgressBar(self.to_do, self.ended, width=BAR_COLUMNS)
        shown = [*rows[:MOST_SHOWN], *more]
        return Group(bar, f"{self._so_far()}{self._left()}", Columns(shown, padding=(0, 2)))


@contextmanager
def shown(progress: Progress) -> Iterator[Progress]:
    """Show the progress within this block."""
    if not progress.console.is_terminal:
        yield progress
        return
    with Live(progress, console=progress.console, refresh_per_second=2, transient=True):
        yield progress
