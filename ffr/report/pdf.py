"""How does the report become pages? Summary, vessels, plaque; PDF, or pictures."""

from __future__ import annotations

import io
from datetime import datetime

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from ffr.report.content import report_content
from ffr.report.edits_page import edits_page
from ffr.report.plaque_page import plaque_page
from ffr.report.shown import Shown, axis_end_mm
from ffr.report.summary_page import summary_page
from ffr.report.svg import paper_style
from ffr.report.vessel_page import vessel_page
from meshes.arrays import AnyArray

PICTURE_DPI = 144
TITLE = "CT-FFR report, research use only"
_SHORTEST_AXIS_MM = 95.0  # pictures true to scale must leave room for the table


def report_pdf(shown: Shown) -> bytes:
    """Return the report as PDF, A4; the same result gives the same bytes."""
    made = datetime.fromisoformat(shown.result.created)
    told = {"Title": TITLE, "Creator": "ct-ffr", "CreationDate": made, "ModDate": made}
    buffer = io.BytesIO()
    with paper_style(), PdfPages(buffer, metadata=told) as pdf:
        for figure in report_pages(shown):
            pdf.savefig(figure)
    return buffer.getvalue()


def report_pictures(shown: Shown) -> list[AnyArray]:
    """Return the same pages as RGB pictures, uint8, shape (rows, columns, 3)."""
    with paper_style():
        return [_raster(figure) for figure in report_pages(shown)]


def _raster(figure: Figure) -> AnyArray:
    figure.set_dpi(PICTURE_DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    rgb: AnyArray = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return rgb


def report_pages(shown: Shown) -> list[Figure]:
    """Draw the pages; call it inside `paper_style()`."""
    paths = shown.paths()
    content = report_content(shown.result, paths, shown.trees)
    count = 1 + len(paths) + (content.plaque is not None) + bool(content.edits)
    end = max(axis_end_mm(paths), _SHORTEST_AXIS_MM)
    drawn = [summary_page(shown, content, count)]
    for number, (path, vessel) in enumerate(zip(paths, content.pages, strict=True), 2):
        drawn.append(vessel_page(shown, content, path, vessel, end, (number, count)))
    if content.plaque is not None:
        page = count - bool(content.edits)
        drawn.append(plaque_page(content.plaque, content.made, (page, count)))
    if content.edits:
        drawn.append(edits_page(content, count))
    return drawn
