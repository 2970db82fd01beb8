"""How are words and tables set on a page? In inches from the top, measured, never cut."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from ffr.report.colours import INK, LINE, PALE_INK
from ffr.results.result import RESEARCH_USE_ONLY

Cell = str | tuple[str, str]  # words, or words and their colour
WARNING_INK = "#8a4703"
FAMILY = "DejaVu Sans"  # comes with matplotlib; has every sign of the report
A4_IN = (8.27, 11.69)
MARGIN_IN = 0.45
FOOT_IN = 0.42
_LEADING = 1.32  # from line to line, in letters
_PAD_IN = 0.06  # between two columns


@lru_cache(maxsize=2048)
def _advance(letter: str, bold: bool) -> float:
    """Return the width of a letter as a share of its size."""
    font = get_font(
        findfont(FontProperties(family=FAMILY, weight="bold" if bold else "normal"))
    )
    font.set_size(100.0, 72.0)
    return float(font.load_char(ord(letter)).linearHoriAdvance) / 65536.0 / 100.0


def width_in(words: str, size: float, bold: bool = False) -> float:
    """Return the width of words in inches."""
    return sum(_advance(letter, bold) for letter in words) * size / 72.0


def broken(words: str, size: float, wide_in: float, bold: bool = False) -> list[str]:
    """Break words into lines of at most a width; a longer word is broken inside."""
    lines = [""]
    for word in words.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if width_in(longer, size, bold) <= wide_in:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and width_in(lines[-1] + letter, size, bold) > wide_in:
                lines.append("")
            lines[-1] += letter
    return lines


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
    kept_in
        What is kept free above the foot of the page.
    """

    def __init__(
        self, figure: Figure, left_in: float, right_in: float, at_in: float,
        kept_in: float = 0.0,
    ) -> None:  # fmt: skip
        self.figure, self.left_in, self.right_in, self.at_in = figure, left_in, right_in, at_in
        self.kept_in = kept_in

    @property
    def width_in(self) -> float:
        """Return the width between the margins."""
        return float(self.figure.get_figwidth()) - self.left_in - self.right_in

    @property
    def room_in(self) -> float:
        """Return how much of the page is left above the foot."""
        return float(self.figure.get_figheight()) - self.at_in - FOOT_IN - self.kept_in

    def put(self, x_in: float, words: str, size: float, **how: Any) -> None:
        """Write words at the present line, `x_in` from the left edge of the page."""
        wide, high = self.figure.get_size_inches()
        style = {"ha": "left", "va": "top", "fontsize": size, "color": INK, **how}
        # a "$" of somebody's file name is no formula
        self.figure.text(
            x_in / wide, 1 - self.at_in / high, words, parse_math=False, **style
        )  # fmt: skip

    def line(
        self, words: str, size: float = 8.0, gap_in: float = 0.02, *, bold: bool = False,
        indent_in: float = 0.0, **how: Any,
    ) -> None:  # fmt: skip
        """Write a paragraph, broken to the width, and go below it."""
        weight = "bold" if bold else "normal"
        for part in broken(words, size, self.width_in - indent_in, bold):
            self.put(self.left_in + indent_in, part, size, fontweight=weight, **how)
            self.at_in += size * _LEADING / 72
        self.at_in += gap_in

    def heading(self, words: str, size: float = 9.5) -> None:
        """Write a heading with some room above."""
        self.at_in += 0.07
        self.line(words, size, 0.025, bold=True)

    def points(self, said: Sequence[str], size: float, more: str) -> None:
        """Write a list; where the page ends, say how many are missing and where they are."""
        for k, words in enumerate(said):
            left = len(said) - k
            lines = len(broken(words, size, self.width_in - 0.11))
            room = self.room_in - (size * _LEADING / 72 if left > 1 else 0.0)
            if lines * size * _LEADING / 72 > room:
                self.line(f"and {left} more: {more}", size)
                return
            self.put(self.left_in, "•", size, color=PALE_INK)
            self.line(words, size, 0.012, indent_in=0.11)

    def rule(self, colour: str = LINE, width: float = 0.6) -> None:
        """Draw a line across."""
        wide, high = self.figure.get_size_inches()
        ends = (self.left_in / wide, 1 - self.right_in / wide)
        y = 1 - self.at_in / high
        self.figure.add_artist(Line2D(ends, (y, y), color=colour, lw=width))

    def bar(self, x_in: float, wide_in: float, high_in: float, colour: str) -> None:
        """Fill a rectangle that begins at the present line."""
        wide, high = self.figure.get_size_inches()
        corner = (x_in / wide, 1 - (self.at_in + high_in) / high)
        self.figure.add_artist(
            Rectangle(corner, wide_in / wide, high_in / high, fc=colour, lw=0, zorder=0)
        )

    def table(
        self, head: Sequence[str], rows: Sequence[Sequence[Cell]], widths: Sequence[float],
        size: float = 8.0, more: str = "",
    ) -> int:  # fmt: skip
        """Write a table with broken cells; return how many rows found room.

        `widths` are shares of the width; more widths than cells leave the right side empty.
        Where the page ends, `more` says where the rest is.
        """
        whole = sum(widths)
        wide = [self.width_in * w / whole for w in widths]
        starts = [self.left_in + sum(wide[:k]) for k in range(len(wide))]
        if any(head):
            self._row([(x, PALE_INK) for x in head], starts, wide, size, self.line_in(size))
        for k, cells in enumerate(rows):
            last = k == len(rows) - 1
            if not self._row(cells, starts, wide, size, 0.0 if last else self.line_in(size)):
                self.line(f"and {len(rows) - k} more: {more}", size)
                return k
        self.at_in += 0.03
        return len(rows)

    @staticmethod
    def line_in(size: float) -> float:
        """Return the distance from line to line."""
        return size * _LEADING / 72

    def _row(
        self, cells: Sequence[Cell], starts: Sequence[float], wide: Sequence[float],
        size: float, keep_in: float,
    ) -> bool:  # fmt: skip
        """Write one row unless it and `keep_in` below it need more than is left."""
        said = [(x, INK, False) if isinstance(x, str) else (*x, True) for x in cells]
        lines = [
            broken(words, size, w - _PAD_IN, bold)
            for (words, _, bold), w in zip(said, wide, strict=False)
        ]
        high = max(map(len, lines)) * self.line_in(size) + 0.04
        if high + keep_in > self.room_in:
            return False
        top = self.at_in
        for parts, (_, colour, bold), x_in in zip(lines, said, starts, strict=False):
            self.at_in = top
            for part in parts:
                weight = "bold" if bold else "normal"
                self.put(x_in, part, size, color=colour, fontweight=weight)
                self.at_in += self.line_in(size)
        self.at_in = top + high - 0.02
        self.rule()
        self.at_in += 0.02
        return True


def page(made: str, number: int, count: int) -> tuple[Figure, Pen]:
    """Return a page A4 with the statement at its top and foot, and where its text begins.

    `made` says by what version and when; it stands at the foot.
    """
    wide, high = A4_IN
    figure = Figure(figsize=A4_IN, facecolor="white")
    pen = Pen(figure, MARGIN_IN, MARGIN_IN, 0.17)
    pen.put(wide / 2, RESEARCH_USE_ONLY, 10, ha="center", fontweight="bold", color=WARNING_INK)
    pen.at_in = high - 0.30
    pen.put(MARGIN_IN, RESEARCH_USE_ONLY, 7.5, fontweight="bold", color=WARNING_INK)
    foot = f"{made} · page {number} of {count}"
    pen.put(wide - MARGIN_IN, foot, 7, ha="right", color=PALE_INK)
    pen.at_in = 0.42
    return figure, pen
