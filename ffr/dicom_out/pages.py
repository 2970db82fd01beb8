"""What do the pictures show? Trees, straightened vessels, tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ffr.dicom_out.sheets import Pen, page
from ffr.dicom_out.tables import by_ffr, lesion_table, notes, vessel_table
from ffr.pipeline import Findings, FlowSolution
from ffr.report.figures import vessel_panel
from ffr.report.html import headline
from ffr.report.paths import vessel_paths
from ffr.report.svg import WIDTH_IN, style
from ffr.report.tree_view import tree_panel
from ffr.result import Result
from ffr.uncertainty import Confidence
from meshes.arrays import AnyArray, Floats
from meshes.surface import Surface
from meshes.tree import CoronaryTree
from meshes.volume import Volume

DPI = 96
HIGH_IN = 8.6  # of every picture: one size in the series
_LESIONS_A_PAGE = 14
_SHORTEST_AXIS_MM = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """All that pictures are drawn from: a finished run, read back."""

    result: Result
    made: str  # by what version and when
    scan: Volume
    trees: tuple[CoronaryTree, ...]
    solutions: tuple[FlowSolution, ...]
    findings: Findings
    confidence: Confidence
    surface: Surface
    ffr: Floats  # at the surface's points


def pictures(shown: Shown) -> list[AnyArray]:
    """Return the pages as RGB pictures of one size: trees, vessels, tables."""
    with style():
        figures = [_first(shown)]
        paths = vessel_paths(
            shown.result,
            shown.trees,
            shown.solutions,
            shown.findings.analysed,
            shown.confidence,
        )
        axis_end = max([_SHORTEST_AXIS_MM, *(1.01 * float(p.s_mm[-1]) for p in paths)])
        for path in paths:
            panel = vessel_panel(path, shown.scan, axis_end)
            figures.append(_framed(f"{path.name}, straightened", shown, panel)[0])
        return [raster(figure, DPI) for figure in (*figures, *_tables(shown))]


def trees(shown: Shown) -> Figure:
    """Draw both trees from three angles; call it inside `style()`."""
    analysed = shown.findings.analysed
    return tree_panel(shown.result, shown.trees, analysed, shown.surface, shown.ffr)


def raster(figure: Figure, dpi: float) -> AnyArray:
    """Return a figure as RGB, uint8, shape (rows, columns, 3)."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    rgb: AnyArray = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return rgb


def _first(shown: Shown) -> Figure:
    """Return the page of the trees, with the worst lesions below."""
    figure, pen = _framed("Coronary trees by FFR", shown, trees(shown))
    worst = by_ffr(shown.result)[:4]
    if worst:
        pen.line(f"Lesions, lowest FFR first ({len(worst)} of {len(shown.result.lesions)})", 10)
        lesion_table(pen, worst, 10)
    return figure


def _framed(title: str, shown: Shown, panel: Figure) -> tuple[Figure, Pen]:
    """Return a panel as a page with title and statement, as large as fits."""
    figure, pen = page(WIDTH_IN, HIGH_IN, shown.made)
    pen.line(title, 14, fontweight="bold")
    pen.line(str(headline(shown.result)["text"]), 10)
    paste(figure, pen, panel, pen.room_in)
    return figure, pen


def paste(figure: Figure, pen: Pen, panel: Figure, most_in: float, dpi: float = DPI) -> None:
    """Set a panel below the present line of `pen`, no higher than `most_in`."""
    wide, high = panel.get_size_inches()
    scale = min(pen.width_in / wide, most_in / high, 1.0)
    box_wide, box_high = wide * scale, high * scale
    page_wide, page_high = figure.get_size_inches()
    axes = figure.add_axes(
        (
            (page_wide - box_wide) / 2 / page_wide,
            1 - (pen.at_in + box_high) / page_high,
            box_wide / page_wide,
            box_high / page_high,
        )
    )
    # drawn at the size at which it is shown: letters stay sharp
    axes.imshow(raster(panel, dpi * scale), interpolation="none", aspect="auto")
    axes.set_axis_off()
    pen.at_in += box_high + 0.05


def _tables(shown: Shown) -> list[Figure]:
    """Return pages with all lesions, then one with all vessels."""
    result, figures = shown.result, []
    parts = range(0, max(len(result.lesions), 1), _LESIONS_A_PAGE)
    for start in parts:
        figure, pen = page(WIDTH_IN, HIGH_IN, shown.made)
        pen.line("Lesions", 14, fontweight="bold")
        pen.line(str(headline(result)["text"]), 10)
        pen.at_in += 0.1
        lesion_table(pen, result.lesions[start : start + _LESIONS_A_PAGE], 11)
        if start == parts[-1]:
            notes(pen, result)
        figures.append(figure)
    return [*figures, *_vessel_pages(shown)]


def _vessel_pages(shown: Shown) -> list[Figure]:
    result, figures = shown.result, []
    for start in range(0, len(result.vessels), 20):
        figure, pen = page(WIDTH_IN, HIGH_IN, shown.made)
        pen.line("Vessels", 14, fontweight="bold")
        pen.at_in += 0.05
        vessel_table(pen, result, slice(start, start + 20), 11)
        figures.append(figure)
    return figures
