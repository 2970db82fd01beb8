"""What stands on the last page of the PDF, where a reader has changed something by hand?"""

from __future__ import annotations

from matplotlib.figure import Figure

from ffr.report.blocks import SEE
from ffr.report.colours import PALE_INK
from ffr.report.content import Content
from ffr.report.edits import NOTE
from ffr.report.sheets import page

ROOM_IN = 0.6  # that an edit needs at least


def edits_page(content: Content, number: int) -> Figure:
    """Draw the page that lists all edits; it is the last one, `number`."""
    figure, pen = page(content.made, number, number)
    pen.line(f"{content.edited[0].upper()}{content.edited[1:]}", 15, 0.06, bold=True)
    pen.line(NOTE, 8, 0.08, color=PALE_INK)
    for k, (what, said) in enumerate(content.edits):
        if pen.room_in < ROOM_IN:
            pen.line(f"and {len(content.edits) - k} more: {SEE}", 8.5)
            break
        pen.heading(what, 9)
        pen.points(said, 8.5, SEE)
    return figure
