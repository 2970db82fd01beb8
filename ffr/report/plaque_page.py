"""What stands on the last page, on plaque and fat?"""

from __future__ import annotations

from matplotlib.figure import Figure

from ffr.report.blocks import SEE, SMALL, bullets
from ffr.report.colours import PALE_INK
from ffr.report.plaque_words import PlaqueWords
from ffr.report.sheets import page

_WIDTHS = (1.9, 0.65, 0.85, 0.85, 0.7, 0.85, 1.05, 1.05, 1.0)


def plaque_page(said: PlaqueWords, made: str, number: tuple[int, int]) -> Figure:
    """Draw the page; `number` is its own and the last page's."""
    figure, pen = page(made, *number)
    pen.line(said.title, 13, 0.06, bold=True)
    pen.line(said.note, SMALL, 0.08, color=PALE_INK)
    pen.table(said.head, said.rows, _WIDTHS, SMALL, SEE)
    bullets(pen, "Fat around the proximal arteries", said.fat)
    return figure
