"""What stands on the first page of the PDF?"""

from __future__ import annotations

from matplotlib.figure import Figure

from ffr.report import tree_view
from ffr.report.blocks import SEE, SMALL, box, bullets, lowest
from ffr.report.colours import INK, PALE_INK, STATE_COLOUR
from ffr.report.content import Content
from ffr.report.lesions import LesionWords
from ffr.report.sheets import FOOT_IN, MARGIN_IN, WARNING_INK, Cell, Pen, page
from ffr.report.shown import Shown
from ffr.report.words import SYMBOL

_VESSELS = 8  # in the table of the summary


def summary_page(shown: Shown, content: Content, count: int) -> Figure:
    """Draw the first of `count` pages."""
    figure, pen = page(content.made, 1, count)
    pen.line("Coronary flow from CT (CT-FFR): summary", 15, 0.03, bold=True)
    if content.edits:
        said = f"{content.edited[0].upper()}{content.edited[1:]}: listed on page {count}."
        pen.line(said, 9.5, 0.03, bold=True, color=WARNING_INK)
    for said in content.planned:
        pen.line(said, 9.5, 0.03, bold=True, color=WARNING_INK)
    _facts(pen, content)
    box(pen, content.headline.state, content.headline.text)
    pen.line(
        f"Suggested CAD-RADS 2.0: {content.grade}, {content.whose_grade}", 9.5, 0.0,
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
    pen.line(f"Scan of {scan}; {series}", SMALL, 0.06, color=PALE_INK)


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
        pen.line(f"Lesions {rest}, with higher FFR: on the pages of their vessels.", SMALL)
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
            x.ppg if not x.ppg_reason else "–", lowest(x), x.analysed,
            x.missing, str(paged.get(x.name, "")),
        ]
        for x in shown
    ]  # fmt: skip
    head = ("Vessel", "CAD-RADS", "Lesions", "PPG", "Lowest FFR, not for decision",
            "Analysed from the ostium", "Why not all of it", "Page")  # fmt: skip
    widths = (0.62, 0.8, 0.66, 0.45, 1.35, 1.3, 2.2, 0.4)
    pen.table(head, rows[:_VESSELS], widths, SMALL, SEE)
    if len(rows) > _VESSELS:
        rest = ", ".join(x.name for x in shown[_VESSELS:])
        pen.line(f"Further vessels, without a lesion: {rest}.", 6.8, 0.0)


def _left(pen: Pen, content: Content) -> None:
    bullets(pen, "How sure is this?", content.sure)
    assumed = [f"{k}: {v}" for k, v in content.assumed]
    bullets(pen, "What was assumed?", ["; ".join(assumed) or "nothing"])


def _right(pen: Pen, content: Content) -> None:
    told = [f"{k}: {v}" for k, v in content.told]
    bullets(pen, "What was not seen?", content.unseen)
    bullets(pen, "Warnings", content.warnings or ("none",))
    bullets(pen, "What was told or measured?", ["; ".join(told) or "nothing"])
