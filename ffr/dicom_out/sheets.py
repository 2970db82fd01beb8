"""How are words and tables set on a page? In inches from the top, with matplotlib."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ffr.report.colours import INK, LINE, PALE_INK
from ffr.result import RESEARCH_USE_ONLY

Cell = str | tuple[str, str]  # words, or words and their colour
WARNING_INK = "#8a4703"
_LETTER_IN = 0.0078  # mean width of a letter of DejaVu Sans, per point of its size


class Pen:
    """Where the next line goes on a figure.

    Parameters
    ----------
    figure
        The page.
    left_in, right_in
        Margins.
    at_in
        Distance of the next line from the top; every line moves it down.
    """

    def __init__(self, figure: Figure, left_in: float, right_in: float, at_in: float) -> None:
        self.figure, self.left_in, self.right_in, self.at_in = figure, left_in, right_in, at_in

    @property
    def width_in(self) -> float:
        """Return the width between the margins."""
        return float(self.figure.get_figwidth()) - self.left_in - self.right_in

    @property
    def room_in(self) -> float:
        """Return how much of the page is left above the foot."""
        return float(self.figure.get_figheight()) - self.at_in - 0.45

    def put(self, x_in: float, words: str, size: float, **how: Any) -> None:
        """Write words at the present line, `x_in` from the left edge of the page."""
        wide, high = self.figure.get_size_inches()
        style = {"ha": "left", "va": "top", "fontsize": size, "color": INK, **how}
        self.figure.text(x_in / wide, 1 - self.at_in / high, words, **style)

    def line(self, words: str, size: float = 8.0, gap_in: float = 0.02, **how: Any) -> None:
        """Write a paragraph, broken to the width, and go below it."""
        letters = int(self.width_in / (size * _LETTER_IN))
        for part in textwrap.wrap(words, letters) or [""]:
            self.put(self.left_in, part, size, **how)
            self.at_in += size * 1.42 / 72
        self.at_in += gap_in

    def heading(self, words: str, size: float = 10.0) -> None:
        """Write a heading with some room above."""
        self.at_in += 0.09
        self.line(words, size, 0.03, fontweight="bold")

    def rule(self) -> None:
        """Draw a line across."""
        wide, high = self.figure.get_size_inches()
        ends = (self.left_in / wide, 1 - self.right_in / wide)
        y = 1 - self.at_in / high
        self.figure.add_artist(Line2D(ends, (y, y), color=LINE, lw=0.6))

    def table(
        self, head: Sequence[str], rows: Sequence[Sequence[Cell]], widths: Sequence[float],
        size: float = 8.0,
    ) -> None:  # fmt: skip
        """Write a table; `widths` are shares of the page's width."""
        step = size * 1.75 / 72
        whole = sum(widths)
        starts = [
            self.left_in + self.width_in * sum(widths[:k]) / whole for k in range(len(widths))
        ]
        for k, cells in enumerate((head, *rows)):
            for x_in, cell in zip(starts, cells, strict=True):
                words, colour = cell if isinstance(cell, tuple) else (cell, INK)
                bold = "bold" if k == 0 or isinstance(cell, tuple) else "normal"
                self.put(
                    x_in, words, size, fontweight=bold, color=PALE_INK if k == 0 else colour
                )
            self.at_in += step
            self.at_in -= 0.035
            self.rule()
            self.at_in += 0.035
        self.at_in += 0.03


def page(wide_in: float, high_in: float, made: str) -> tuple[Figure, Pen]:
    """Return a page with the statement at its top and foot, and where its text begins.

    `made` says by what version and when; it stands at the foot.
    """
    figure = Figure(figsize=(wide_in, high_in), facecolor="white")
    pen = Pen(figure, 0.45, 0.45, 0.16)
    pen.put(
        wide_in / 2, RESEARCH_USE_ONLY, 11, ha="center", fontweight="bold", color=WARNING_INK
    )
    figure.text(
        0.45 / wide_in, 0.10 / high_in, RESEARCH_USE_ONLY, va="bottom", fontsize=9,
        fontweight="bold", color=WARNING_INK,
    )  # fmt: skip
    figure.text(
        1 - 0.45 / wide_in, 0.10 / high_in, made, ha="right", va="bottom", fontsize=7.5,
        color=PALE_INK,
    )  # fmt: skip
    pen.at_in = 0.50
    return figure, pen
