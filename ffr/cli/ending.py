"""With what does a verb end? With an exit code of typer, and what every user is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import typer

from ffr.guard import guarded

RUO = "Research use only. Not a medical device. Not for diagnosis."


def in_child(out: Path | None, work: Callable[[], None]) -> None:
    """Do long work in a child, as `ffr.guard.guarded`; end the verb unless all went well."""
    exit_with(guarded(out, work))


def exit_with(code: int) -> None:
    """End the verb where the exit code is not 0."""
    if code:
        raise typer.Exit(code)
