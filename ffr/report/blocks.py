"""Which pieces do both kinds of page have?"""

from __future__ import annotations

from collections.abc import Sequence

from ffr.report import words
from ffr.report.colours import STATE_COLOUR
from ffr.report.sheets import Pen
from ffr.report.vessels import VesselWords
from ffr.report.words import SYMBOL
from ffr.results.result import State

SEE = "see report.html"
SMALL = 7.2


def box(pen: Pen, state: State, said: str) -> None:
    """Write the most important thing, with the symbol of its state, on a tinted ground."""
    inner = Pen(pen.figure, pen.left_in + 0.45, pen.right_in + 0.1, pen.at_in + 0.08)
    inner.line(said, 11.5, 0.0, bold=True)
    top, high = pen.at_in, inner.at_in - pen.at_in + 0.05
    pen.bar(pen.left_in, pen.width_in, high, "#f1f3f6")
    pen.bar(pen.left_in, 0.07, high, STATE_COLOUR[state])
    pen.at_in = top + 0.045
    pen.put(pen.left_in + 0.16, SYMBOL[state], 15, color=STATE_COLOUR[state], fontweight="bold")
    pen.at_in = top + high + 0.05


def bullets(pen: Pen, heading: str, said: Sequence[str]) -> None:
    """Write a list under its heading, unless not even a line of it finds room."""
    if pen.room_in < 0.38:
        pen.line(f"{heading} {SEE[0].upper()}{SEE[1:]}.", SMALL)
        return
    pen.heading(heading)
    pen.points(said, SMALL, SEE)


def lowest(x: VesselWords) -> str:
    """Return the lowest FFR of a vessel with its interval."""
    known = x.lowest_interval != words.NO_INTERVAL
    return f"{x.lowest} ({x.lowest_interval})" if known else x.lowest
