"""What did a reader change by hand, or plan? In words, edits with numbers before and after."""

from __future__ import annotations

from ffr.flags import VIRTUAL_STENT
from ffr.report import words
from ffr.results.result import EditedLesion, EditedValue, EditEntry, Result

_NAMES = {
    "diameter_mm": ("diameter", 2, "mm"),
    "narrowest_diameter_mm": ("narrowest diameter in the span", 2, "mm"),
    "take_off_mm": ("take-off from the ostium", 1, "mm"),
    "length_mm": ("length", 1, "mm"),
    "flow_ml_min": ("flow", 0, "ml/min"),
}
ARROW = " → "
NOTE = (
    "Every number of this report is of the trees as edited. Each line tells the numbers that "
    "the edit changed, before → after, at the same place in the patient. The automatic result "
    "is kept untouched."
)


def edited(result: Result) -> str:
    """Say how many edits there are; "" for the automatic result."""
    count = len(result.edits)
    if not count:
        return ""
    return f"edited by hand: {count} edit{'' if count == 1 else 's'}"


def planned(result: Result) -> tuple[str, ...]:
    """Say which virtual stents there are; () where there is none."""
    said = (x.message for x in result.flags if x.name == VIRTUAL_STENT)
    return tuple(f"{x[0].upper()}{x[1:]}" for x in said)


def edit_words(x: EditEntry) -> tuple[str, tuple[str, ...]]:
    """Return an edit, and one line for each number that it changed."""
    gone = "gone" if x.kind == "delete" else words.ABSENT
    said = [y for y in (*(_value(v, gone) for v in x.values), *map(_lesion, x.lesions)) if y]
    if not any(map(_lesion, x.lesions)):
        said.append("FFR at the lesions as before")
    when = f"{x.made[:10]} {x.made[11:16]} UTC"
    return f"{x.number}. {x.what} ({when})", tuple(said)


def edit_line(x: EditEntry) -> str:
    """Return the same in one line."""
    what, said = edit_words(x)
    return f"{what}: {'; '.join(said)}"


def _value(x: EditedValue, gone: str) -> str:
    name, decimals, unit = _NAMES[x.name]
    before = "none" if x.before is None else words.number(x.before, decimals, unit)
    after = gone if x.after is None else words.number(x.after, decimals, unit)
    if before == after:
        return ""
    place = "" if x.at_mm is None else f" at {x.at_mm:.1f} mm"
    return f"{x.vessel} {name}{place} {before}{ARROW}{after}"


def _lesion(x: EditedLesion) -> str:
    ffr = [words.ffr(y) for y in (x.ffr_before, x.ffr_after)]
    both = (x.diameter_stenosis_before_percent, x.diameter_stenosis_after_percent)
    stenosis = ["none" if y is None else words.number(y, 0, "%") for y in both]
    if ffr[0] == ffr[1] and stenosis[0] == stenosis[1]:
        return ""
    where = f"lesion in the {x.vessel} at {x.position_mm:.0f} mm"
    narrow = "" if stenosis[0] == stenosis[1] else f", narrowing {ARROW.join(stenosis)}"
    return f"{where}: FFR {ARROW.join(ffr)}{narrow}"
