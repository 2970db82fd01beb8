"""How does the report become pages? One of summary, then one per vessel; PDF, or pictures."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from ffr.report import figures, tree_view, words
from ffr.report.colours import INK, PALE_INK, STATE_COLOUR
from ffr.report.content import (
    LOWEST,
    PPG_MEANS,
    Content,
    LesionWords,
    VesselWords,
    report_content,
)
from ffr.report.paths import VesselPath
from ffr.report.sheets import FOOT_IN, MARGIN_IN, Cell, Pen, page
from ffr.report.shown import Shown, axis_end_mm
from ffr.report.svg import paper_style
from ffr.report.words import SYMBOL
from ffr.result import State
from meshes.arrays import AnyArray

PICTURE_DPI = 144
TITLE = "CT-FFR report, research use only"
SEE = "see report.html"
_SMALL = 7.2
_VESSELS = 8  # in the table of the summary
_PER_TABLE = 8  # lesions side by side
_SHORTEST_AXIS_MM = 95.0  # pictures true to scale must leave room for the table


def report_pdf(shown: Shown) -> bytes:
    """Return the report as PDF, A4; the same result gives the same bytes."""
    made = datetime.fromisoformat(shown.result.created)
    told = {"Title": TITLE, "Creator": "ct-ffr", "CreationDate": made, "ModDate": made}
    buffer = io.BytesIO()
    with paper_style(), PdfPages(buffer, metadata=told) as pdf:
        for figure in _pages(shown):
            pdf.savefig(figure)
    return buffer.getvalue()


def report_pictures(shown: Shown) -> list[AnyArray]:
    """Return the same pages as RGB pictures, uint8, shape (rows, columns, 3)."""
    with paper_style():
        return [_raster(figure) for figure in _pages(shown)]


def _raster(figure: Figure) -> AnyArray:
    figure.set_dpi(PICTURE_DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    rgb: AnyArray = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return rgb


def _pages(shown: Shown) -> list[Figure]:
    paths = shown.paths()
    content = report_content(shown.result, paths, shown.trees)
    count = 1 + len(paths)
    end = max(axis_end_mm(paths), _SHORTEST_AXIS_MM)
    drawn = [_summary(shown, content, count)]
    for number, (path, vessel) in enumerate(zip(paths, content.pages, strict=True), 2):
        drawn.append(_vessel(shown, content, path, vessel, end, (number, count)))
    return drawn


def _summary(shown: Shown, content: Content, count: int) -> Figure:
    figure, pen = page(content.made, 1, count)
    pen.line("Coronary flow from CT (CT-FFR): summary", 15, 0.03, bold=True)
    _facts(pen, content)
    _box(pen, content.headline.state, content.headline.text)
    pen.line(
        f"Suggested CAD-RADS 2.0: {content.grade}, for the reader to confirm", 9.5, 0.0,
        bold=True,
    )  # fmt: skip
    elements = " · ".join(f"{k}: {v}" for k, v in content.elements)
    pen.line(f"{content.grade_note}. {elements}.", 6.8, 0.04, color=PALE_INK)
    _trees(shown, pen)
    pen.heading("Where are the lesions, and do they limit flow?")
    _ranked(pen, content)
    pen.heading("The vessels")
    _vessels(pen, content)
    middle = figure.get_figwidth() / 2 + 0.15
    made = 0.36  # kept for what made it
    right = Pen(figure, middle, MARGIN_IN, pen.at_in, made)
    left = Pen(figure, MARGIN_IN, figure.get_figwidth() - middle + 0.2, pen.at_in, made)
    _left(left, content)
    _right(right, content)
    pen.at_in = figure.get_figheight() - FOOT_IN - made + 0.06
    versions = " · ".join(f"{k} {_short(v)}" for k, v in content.versions)
    pen.line(f"Made by {versions}", 6.3, 0.0, color=PALE_INK)
    return figure


def _short(value: str) -> str:
    """Return the beginning of a hash: enough to know it again."""
    return value[:16] if len(value) == 64 else value


def _facts(pen: Pen, content: Content) -> None:
    known = dict(content.facts)
    scan, series = known.pop("Scan"), known.pop("Series")
    pen.line(" · ".join(f"{k}: {v}" for k, v in known.items()), 8, 0.0)
    pen.line(f"Scan of {scan}; {series}", _SMALL, 0.06, color=PALE_INK)


def _box(pen: Pen, state: State, said: str) -> None:
    """Write the most important thing, with the symbol of its state, on a tinted ground."""
    inner = Pen(pen.figure, pen.left_in + 0.45, pen.right_in + 0.1, pen.at_in + 0.08)
    inner.line(said, 11.5, 0.0, bold=True)
    top, high = pen.at_in, inner.at_in - pen.at_in + 0.05
    pen.bar(pen.left_in, pen.width_in, high, "#f1f3f6")
    pen.bar(pen.left_in, 0.07, high, STATE_COLOUR[state])
    pen.at_in = top + 0.045
    pen.put(pen.left_in + 0.16, SYMBOL[state], 15, color=STATE_COLOUR[state], fontweight="bold")
    pen.at_in = top + high + 0.05


def _trees(shown: Shown, pen: Pen) -> None:
    if shown.surface is None or shown.surface_ffr is None:
        pen.line("No lumen surface is available to draw.", 8)
        return
    layout = tree_view.PAPER_A4
    tree_view.draw_trees(
        pen.figure, pen.left_in, pen.at_in, layout, shown.result, shown.trees,
        shown.analysed, shown.surface, shown.surface_ffr,
    )  # fmt: skip
    pen.at_in += layout.height_in() - 0.12
    pen.line(
        "Both coronary trees as an angiogram shows them, coloured by FFR. Ring: narrowest "
        "place of a lesion. Diamond: where its FFR is read. Grey: not analysed. ○ does not "
        "limit flow (above 0.80), ◐ borderline (0.76–0.80), ● limits flow (0.75 or below), "
        "✕ closed.",
        6.8, 0.0, color=PALE_INK,
    )  # fmt: skip


def _ranked(pen: Pen, content: Content) -> None:
    if not content.ranked:
        pen.line("No lesion of 25 % or more was found in the analysed vessels.", 8)
        return
    head = ("No.", "Place", "From ostium", "Narrowing of diameter (95 %)", "FFR (95 %)",
            "Chance FFR ≤ 0.80", "Verdict of this computation")  # fmt: skip
    most = 6
    pen.table(
        head, [_ranked_row(x) for x in content.ranked[:most]],
        (0.38, 1.35, 0.85, 1.35, 1.35, 0.95, 1.7), 7.8, SEE,
    )  # fmt: skip
    if len(content.ranked) > most:
        rest = ", ".join(str(x.id) for x in content.ranked[most:])
        pen.line(f"Lesions {rest}, with higher FFR: on the pages of their vessels.", _SMALL)
    pen.line(
        "FFR is read 20 mm behind a lesion, or where the analysed vessel ends if sooner.",
        6.8, 0.0, color=PALE_INK,
    )  # fmt: skip


def _ranked_row(x: LesionWords) -> list[Cell]:
    colour = STATE_COLOUR[x.state]
    ends = f" ({x.stenosis_interval})" if x.stenosis_interval else ""
    known = x.read not in ("not analysed", "occluded")
    value = f"{x.read} ({x.interval})" if known and x.interval[0].isdigit() else x.read
    why = f": {x.reason}" if x.reason and x.state == "not analysed" else ""
    return [
        str(x.id), x.place, x.span, f"{x.stenosis}{ends}", (value, colour),
        x.chance if known else "–", (f"{SYMBOL[x.state]} {x.verdict}{why}", colour),
    ]  # fmt: skip


def _vessels(pen: Pen, content: Content) -> None:
    paged: dict[str, int] = {}
    for number, page_of in enumerate(content.pages, 2):
        paged = dict.fromkeys(page_of.passed, number) | paged | {page_of.name: number}
    shown = [x for x in content.vessels if x.grade != "not graded" or x.name in paged]
    shown.sort(key=lambda x: (paged.get(x.name, 99), x.name != "LM"))
    rows: list[list[Cell]] = [
        [
            (x.name, INK), x.grade, ", ".join(str(y.id) for y in x.lesions) or "none",
            x.ppg if not x.ppg_reason else "–", _with_interval(x), x.analysed,
            x.missing, str(paged.get(x.name, "")),
        ]
        for x in shown
    ]  # fmt: skip
    head = ("Vessel", "CAD-RADS", "Lesions", "PPG", "Lowest FFR, not for decision",
            "Analysed from the ostium", "Why not all of it", "Page")  # fmt: skip
    widths = (0.62, 0.8, 0.66, 0.45, 1.35, 1.3, 2.2, 0.4)
    pen.table(head, rows[:_VESSELS], widths, _SMALL, SEE)
    if len(rows) > _VESSELS:
        rest = ", ".join(x.name for x in shown[_VESSELS:])
        pen.line(f"Further vessels, without a lesion: {rest}.", 6.8, 0.0)


def _with_interval(x: VesselWords) -> str:
    known = x.lowest_interval != words.NO_INTERVAL
    return f"{x.lowest} ({x.lowest_interval})" if known else x.lowest


def _left(pen: Pen, content: Content) -> None:
    _list(pen, "How sure is this?", content.sure)
    assumed = [f"{k}: {v}" for k, v in content.assumed]
    _list(pen, "What was assumed?", ["; ".join(assumed) or "nothing"])


def _right(pen: Pen, content: Content) -> None:
    told = [f"{k}: {v}" for k, v in content.told]
    _list(pen, "What was not seen?", content.unseen)
    _list(pen, "Warnings", content.warnings or ("none",))
    _list(pen, "What was told or measured?", ["; ".join(told) or "nothing"])


def _list(pen: Pen, heading: str, said: Sequence[str]) -> None:
    """Write a list under its heading, unless not even a line of it finds room."""
    if pen.room_in < 0.38:
        pen.line(f"{heading} {SEE[0].upper()}{SEE[1:]}.", _SMALL)
        return
    pen.heading(heading)
    pen.points(said, _SMALL, SEE)


def _vessel(
    shown: Shown, content: Content, path: VesselPath, vessel: VesselWords, end_mm: float,
    number: tuple[int, int],
) -> Figure:  # fmt: skip
    figure, pen = page(content.made, *number)
    pen.line(vessel.title, 15, 0.03, bold=True)
    _box(pen, vessel.state, vessel.sentence)
    layout = figures.PAPER_A4
    figures.draw_vessel(figure, MARGIN_IN, pen.at_in, layout, path, shown.scan, end_mm)
    pen.at_in += figures.height_in(layout, shown.scan is not None, end_mm) - 0.05
    pen.line(_caption(shown), 6.8, 0.02, color=PALE_INK)
    if vessel.lesions:
        pen.heading("Its lesions, from the ostium on")
        _lesions(pen, vessel.lesions[:_PER_TABLE])
        if len(vessel.lesions) > _PER_TABLE:
            pen.line(f"and {len(vessel.lesions) - _PER_TABLE} more lesions: {SEE}", _SMALL)
    _list(pen, "The vessel", _vessel_facts(vessel))
    return figure


def _caption(shown: Shown) -> str:
    image = (
        "Top: the vessel in the scan, pulled straight, from two sides 90° apart, true to "
        "scale; yellow: the lumen that was measured. "
        if shown.scan is not None
        else "The lumen was taken from a mask: there is no scan to show. "
    )
    return image + (
        "Middle: FFR as a wire pulled back would show it (pullback curve); dashed: 0.80; "
        "orange: 0.76–0.80; blue band: 95 % interval; diamond: value read behind a lesion. "
        "Bottom: diameter of the lumen (full line) and what it would be if healthy (dashed). "
        "Grey spans: lesions. Triangles: side branches. Hatched: not analysed."
    )


def _vessel_facts(x: VesselWords) -> list[str]:
    ppg = f"PPG index not given: {x.ppg_reason}." if x.ppg_reason else (
        f"PPG index {x.ppg}. {PPG_MEANS}"
    )  # fmt: skip
    grades = ", ".join(f"{name} {grade}" for name, grade in x.grades) or "not graded"
    rest = f" Why not all of it: {x.missing}." if x.missing else ""
    part = f"{x.analysed} from the ostium" if x.analysed[0].isdigit() else x.analysed
    return [
        f"Suggested CAD-RADS 2.0: {grades}, for the reader to confirm.",
        ppg,
        f"{LOWEST[0].upper()}{LOWEST[1:]}: {_with_interval(x)}. A value at the tip overstates "
        "ischaemia.",
        f"Flow into the {x.name} in hyperaemia: {x.flow}. Analysed: {part}.{rest}",
        *(f"Warning: {y}" for y in x.warnings),
    ]


def _lesions(pen: Pen, lesions: tuple[LesionWords, ...]) -> None:
    """Write lesions side by side: a row for every quantity."""
    rows: list[list[Cell]] = [
        [(name, PALE_INK), *(of(x) for x in lesions)] for name, of in ROWS
    ]
    head = ("", *(f"Lesion {x.id}" for x in lesions))
    wide = 3.0 / len(lesions) if len(lesions) < 3 else 1.0
    widths = (1.75, *(wide for _ in lesions))
    pen.table(head, rows, widths, 7.4 if len(lesions) < 5 else 6.4, SEE)


def _coloured(said: str, x: LesionWords) -> Cell:
    return said, STATE_COLOUR[x.state]


def _both(value: str, ends: str) -> str:
    return f"{value} ({ends})" if ends[:1].isdigit() else value


ROWS: tuple[tuple[str, Callable[[LesionWords], Cell]], ...] = (
    ("Place", lambda x: f"{x.place} ({x.segment})"),
    ("Verdict of this computation", lambda x: _coloured(f"{SYMBOL[x.state]} {x.verdict}", x)),
    ("FFR downstream (95 % interval)", lambda x: _coloured(_both(x.read, x.interval), x)),
    ("Chance that FFR ≤ 0.80", lambda x: x.chance),
    ("FFR is read behind its end at",
     lambda x: "; ".join(y for y in (x.distance, x.distance_note, x.beyond) if y)),
    ("FFR lost across it (ΔFFR)", lambda x: x.delta),
    ("Narrowing of diameter (95 %)", lambda x: _both(x.stenosis, x.stenosis_interval)),
    ("Narrowing of area", lambda x: x.area_stenosis),
    ("Smallest diameter (MLD)",
     lambda x: f"{x.minimal_diameter}; healthy {x.reference_diameter}"),
    ("Smallest area (MLA)", lambda x: x.minimal_area),
    ("From the ostium; length", lambda x: f"{x.span}; {x.length}"),
    ("Calcium", lambda x: x.calcium),
    ("Remarks", lambda x: "; ".join(y for y in (x.reason, *x.warnings) if y) or "none"),
)  # fmt: skip
