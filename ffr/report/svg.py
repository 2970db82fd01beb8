"""How does a matplotlib figure get into a file that must ask nobody for anything?"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from matplotlib.figure import Figure

from ffr.report.colours import INK, LINE, PALE_INK
from ffr.results.result import RESEARCH_USE_ONLY

WIDTH_IN = 16.5  # all figures: one scale in the page, so that type sizes agree
_STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9.0,
    "svg.fonttype": "path",  # no font is asked of the reader's computer
    "svg.hashsalt": "ct-ffr",  # the same figure twice is the same file
    "svg.image_inline": True,
    "image.composite_image": False,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "xtick.color": PALE_INK,
    "ytick.color": PALE_INK,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "hatch.linewidth": 0.5,
    "text.usetex": False,
    "path.simplify": True,
    "figure.dpi": 100.0,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the report's type and colours, and leave the caller's settings alone."""
    with matplotlib.rc_context(_STYLE):
        yield


@contextmanager
def paper_style() -> Iterator[None]:
    """The same for pages: their letters stay letters, so that a PDF can be searched."""
    with matplotlib.rc_context(_STYLE | {"pdf.fonttype": 42, "pdf.compression": 9}):
        yield


def research_note(figure: Figure) -> None:
    """Write the statement into the picture itself: pictures get copied out of reports."""
    figure.text(
        0.995, 0.006, RESEARCH_USE_ONLY, ha="right", va="bottom", fontsize=7, color=PALE_INK
    )


def data_uri(figure: Figure) -> str:
    """Return a figure as a `data:image/svg+xml` address, the same bytes every time."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
