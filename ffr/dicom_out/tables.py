"""Which numbers stand in the tables of pictures and summary, and how are they printed?"""

from __future__ import annotations

from collections.abc import Sequence

from ffr.dicom_out.sheets import Cell, Pen
from ffr.report.colours import PALE_INK, STATE_COLOUR, STATE_WORDS
from ffr.result import LesionResult, Result, ffr_rounded


def by_ffr(result: Result) -> list[LesionResult]:
    """Return the lesions, those without FFR first, then the lowest FFR."""
    return sorted(result.lesions, key=lambda x: (x.ffr_distal is not None, x.ffr_distal or 0))


def lesion_table(pen: Pen, lesions: Sequence[LesionResult], size: float) -> None:
    """Write lesions as a table, or that there are none."""
    if not lesions:
        pen.line("No lesion was found in the analysed vessels.", size)
        return
    head = ("no.", "vessel", "place", "at mm", "length mm", "DS % (95 %)", "MLA mm²",
            "FFR (95 %)", "read at mm", "state")  # fmt: skip
    widths = (0.4, 0.7, 1.7, 0.65, 0.95, 1.3, 0.9, 1.5, 1.0, 1.8)
    pen.table(head, [_lesion_row(x) for x in lesions], widths, size)


def _lesion_row(x: LesionResult) -> list[Cell]:
    stenosis = f"{x.diameter_stenosis_percent:.0f}"
    if x.diameter_stenosis_low_percent is not None:
        low, high = x.diameter_stenosis_low_percent, x.diameter_stenosis_high_percent
        stenosis += f" ({low:.0f}–{high:.0f})"
    colour = STATE_COLOUR[x.state]
    used = "–" if x.distance_used_mm is None else f"{x.distance_used_mm:.0f}"
    return [
        str(x.id), x.vessel, x.segment_name or "–", f"{x.position_mm:.0f}",
        f"{x.length_mm:.1f}", stenosis, f"{x.minimal_lumen_area_mm2:.1f}",
        (ffr_words(x.ffr_distal, x.ffr_low, x.ffr_high), colour), used,
        (STATE_WORDS[x.state], colour),
    ]  # fmt: skip


def ffr_words(value: float | None, low: float | None, high: float | None) -> str:
    """Return FFR as printed, with its interval where it has one."""
    if value is None:
        return "none"
    words = f"{ffr_rounded(value):.2f}"
    if low is None or high is None:
        return words
    return f"{words} ({ffr_rounded(low):.2f}–{ffr_rounded(high):.2f})"


def vessel_table(pen: Pen, result: Result, which: slice, size: float) -> None:
    """Write vessels as a table."""
    grades = {
        x.vessel: "/".join([x.grade, *x.modifiers]).replace("0-1", "0–1")
        for x in result.suggested_cad_rads.vessels
    }
    rows: list[list[Cell]] = []
    for x in result.vessels[which]:
        lowest = ffr_words(x.lowest_ffr_not_for_decision, x.lowest_ffr_low, x.lowest_ffr_high)
        end = "–" if x.analysed_end_mm is None else f"{x.analysed_end_mm:.0f}"
        rows.append(
            [
                x.vessel, ", ".join(map(str, x.lesions)) or "none", grades.get(x.vessel, "–"),
                lowest, f"{x.start_mm:.0f}–{x.end_mm:.0f}", end,
                (x.not_analysed_reason or "")[:70],
            ]
        )  # fmt: skip
    head = ("vessel", "lesions", "CAD-RADS*", "lowest FFR†", "mm", "analysed to mm", "remark")
    pen.table(head, rows, (0.7, 0.8, 1.0, 1.5, 0.9, 1.3, 3.0), size)
    pen.line(
        "* suggested CAD-RADS 2.0 elements, for the reader to confirm.  † anywhere in the "
        "vessel: not for decision; decide on the values distal to lesions.",
        size - 1, color=PALE_INK,
    )  # fmt: skip


def notes(pen: Pen, result: Result) -> None:
    """Write what the columns mean, and the warnings."""
    pen.line(
        "FFR: distal to the lesion, computed from CT. DS: diameter stenosis. MLA: minimal "
        "lumen area. Distances from the ostium; FFR read that far behind the lesion's end.",
        9, color=PALE_INK,
    )  # fmt: skip
    warnings(pen, result, 9.5)


def warnings(pen: Pen, result: Result, size: float) -> None:
    """Write the warnings, and how many more there are where room ends."""
    pen.heading(f"Warnings ({len(result.flags)})", size + 1)
    for k, flag in enumerate(result.flags):
        if pen.room_in < 3 * size * 1.42 / 72:
            pen.line(f"and {len(result.flags) - k} more: see the report", size)
            return
        where = (
            "" if flag.place is None or flag.place.vessel is None else f"{flag.place.vessel}: "
        )
        pen.line(f"• {where}{flag.message}", size, 0.0)
    if not result.flags:
        pen.line("none", size)
