"""What stands on the page of one vessel?"""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from ffr.report import figures, layout
from ffr.report.blocks import SEE, SMALL, box, bullets, lowest
from ffr.report.colours import PALE_INK, STATE_COLOUR
from ffr.report.content import Content
from ffr.report.lesions import LesionWords
from ffr.report.paths import VesselPath
from ffr.report.sheets import MARGIN_IN, WARNING_INK, Cell, Pen, page
from ffr.report.shown import Shown
from ffr.report.vessels import LOWEST, PPG_MEANS, VesselWords
from ffr.report.words import SYMBOL

PLAN = "A plan with a virtual stent: numbers and lumen are not those of the patient."
_PER_TABLE = 8  # lesions side by side


def vessel_page(
    shown: Shown, content: Content, path: VesselPath, vessel: VesselWords, end_mm: float,
    number: tuple[int, int],
) -> Figure:  # fmt: skip
    """Draw the page of one vessel; `number` is its own and the last page's."""
    figure, pen = page(content.made, *number)
    pen.line(vessel.title, 15, 0.03, bold=True)
    if content.planned:  # each page may be looked at alone
        pen.line(PLAN, 9.5, 0.03, bold=True, color=WARNING_INK)
    box(pen, vessel.state, vessel.sentence)
    size = layout.PAPER_A4
    figures.draw_vessel(figure, MARGIN_IN, pen.at_in, size, path, shown.scan, end_mm)
    pen.at_in += layout.height_in(size, shown.scan is not None, end_mm) - 0.05
    lumen = "as planned" if content.planned else "that was measured"
    pen.line(_caption(shown, lumen), 6.8, 0.02, color=PALE_INK)
    if vessel.lesions:
        pen.heading("Its lesions, from the ostium on")
        _lesions(pen, vessel.lesions[:_PER_TABLE])
        if len(vessel.lesions) > _PER_TABLE:
            pen.line(f"and {len(vessel.lesions) - _PER_TABLE} more lesions: {SEE}", SMALL)
    bullets(pen, "The vessel", _vessel_facts(vessel, content.whose_grade))
    return figure


def _caption(shown: Shown, lumen: str) -> str:
    image = (
        "Top: the vessel in the scan, pulled straight, from two sides 90° apart, true to "
        f"scale; yellow: the lumen {lumen}. "
        if shown.scan is not None
        else "The lumen was taken from a mask: there is no scan to show. "
    )
    return image + (
        "Middle: FFR as a wire pulled back would show it (pullback curve); dashed: 0.80; "
        "orange: 0.76–0.80; blue band: 95 % interval; diamond: value read behind a lesion. "
        "Bottom: diameter of the lumen (full line) and what it would be if healthy (dashed). "
        "Grey spans: lesions. Triangles: side branches. Hatched: not analysed."
    )


def _vessel_facts(x: VesselWords, whose_grade: str) -> list[str]:
    ppg = f"PPG index not given: {x.ppg_reason}." if x.ppg_reason else (
        f"PPG index {x.ppg}. {PPG_MEANS}"
    )  # fmt: skip
    grades = ", ".join(f"{name} {grade}" for name, grade in x.grades) or "not graded"
    rest = f" Why not all of it: {x.missing}." if x.missing else ""
    part = f"{x.analysed} from the ostium" if x.analysed[0].isdigit() else x.analysed
    return [
        f"Suggested CAD-RADS 2.0: {grades}, {whose_grade}.",
        ppg,
        f"{LOWEST[0].upper()}{LOWEST[1:]}: {lowest(x)}. A value at the tip overstates "
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
)  # fmt: skip  # fmt: skip
