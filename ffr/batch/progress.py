"""How far is a batch? A live table on a terminal, else one line per case; numbers, no names."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table

from ffr.batch.one_case import Outcome

MOST_ROWS = 20  # of cases at work that a terminal shows


class Progress:
    """What has begun and ended so far; drawn as a table by `rich`."""

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
        return f", about {seconds / 3600:.1f} h left" if seconds > 3600 else (
            f", about {seconds / 60:.0f} min left"
        )  # fmt: skip

    def __rich__(self) -> Table:
        """Draw what is at work, under one line of counts."""
        table = Table(title=f"{self._so_far()}{self._left()}", title_justify="left")
        table.add_column("case at work")
        table.add_column("s", justify="right")
        now = time.monotonic()
        with self._lock:
            rows = list(self._at_work.items())
        for number, since in rows[:MOST_ROWS]:
            table.add_row(number, f"{now - since:.0f}")
        if len(rows) > MOST_ROWS:
            table.add_row(f"and {len(rows) - MOST_ROWS} more", "")
        return table


@contextmanager
def shown(progress: Progress) -> Iterator[Progress]:
    """Show the progress within this block."""
    if not progress.console.is_terminal:
        yield progress
        return
    with Live(progress, console=progress.console, refresh_per_second=2, transient=True):
        yield progress
