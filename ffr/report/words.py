"""How are numbers, intervals, grades and places said in words, the same in every document?"""

from __future__ import annotations

from collections.abc import Sequence

from ffr.results.reasons import OCCLUDED, TOO_SMALL
from ffr.results.result import CadRads, FlagPlace, LesionResult, State, VesselGrade, ffr_rounded

ABSENT = "not analysed"
NO_INTERVAL = "not computed"
VERDICT: dict[State, str] = {
    "above 0.80": "does not limit flow",
    "0.76-0.80": "borderline",
    "0.75 or below": "limits flow",
    "occluded": "closed, no FFR",
    "not analysed": "without FFR",
}
SYMBOL: dict[State, str] = {
    "above 0.80": "○", "0.76-0.80": "◐", "0.75 or below": "●", "occluded": "✕",
    "not analysed": "–",
}  # fmt: skip


_PLAIN = {
    TOO_SMALL: "narrower than 1.5 mm",
    OCCLUDED: "closed or behind a closed lumen, where no flow is known",
}
CLEAR = 0.05  # a chance below it, or above what it leaves, is called clear
NOT_CERTAIN = ", not certain"


def close(chance: float | None) -> bool:
    """Tell whether a verdict could well be the other one."""
    return chance is not None and CLEAR < chance < 1.0 - CLEAR


def verdict(lesion: LesionResult) -> str:
    """Return whether a lesion limits flow, and whether that is certain."""
    said = VERDICT[lesion.state]
    sides = lesion.state in ("above 0.80", "0.75 or below")
    return said + (NOT_CERTAIN if sides and close(lesion.probability_below_0_80) else "")


def plain(reason: str | None) -> str:
    """Return why there is no FFR in words that need no handbook."""
    return _PLAIN.get(reason or "", (reason or "").removeprefix("not analysable: "))


def number(value: float | None, decimals: int = 1, unit: str = "") -> str:
    """Return a number with a minus sign as wide as a digit; never "-0.0"."""
    if value is None:
        return ABSENT
    text = f"{value:.{decimals}f}"
    if float(text) == 0 and text[0] == "-":
        text = text[1:]
    return text.replace("-", "\N{MINUS SIGN}") + (f" {unit}" if unit else "")


def or_absent(value: float | None, decimals: int, unit: str) -> str:
    """Return a number with its unit, or the words for a missing one."""
    return ABSENT if value is None else number(value, decimals, unit)


def ffr(value: float | None) -> str:
    """Return FFR in the two decimals in which it is judged."""
    return number(None if value is None else ffr_rounded(value), 2)


def interval(low: float | None, high: float | None) -> str:
    """Return an interval of FFR."""
    if low is None or high is None:
        return NO_INTERVAL
    return f"{ffr_rounded(low):.2f}\N{EN DASH}{ffr_rounded(high):.2f}"


def percent(share: float | None) -> str:
    """Return a share in percent; never 0 or 100, which nobody can promise."""
    if share is None:
        return NO_INTERVAL
    return "< 1 %" if share < 0.01 else "> 99 %" if share > 0.99 else f"{100 * share:.0f} %"


def grade(found: CadRads | VesselGrade) -> str:
    """Return a CAD-RADS grade with its modifiers, such as 3/I+."""
    return "/".join([found.grade, *found.modifiers]).replace("0-1", "0–1")


def span(found: CadRads | VesselGrade) -> str:
    """Return the categories in the 95 % interval."""
    words = found.least if found.least == found.most else f"{found.least} to {found.most}"
    return words.replace("0-1", "0–1")


def chances(found: CadRads | VesselGrade) -> str:
    """Return the categories that are not out of the question, each with its probability."""
    likely = [x for x in found.chances if x.probability >= 0.01]
    words = ", ".join(f"{x.grade}: {percent(x.probability)}" for x in likely)
    return words.replace("0-1", "0–1")


def at(place: FlagPlace | None) -> str:
    """Return the place of a warning."""
    if place is None:
        return ""
    words = [place.vessel or f"{place.side} tree"]
    if place.segment is not None:
        words.append(f"SCCT {place.segment}")
    if place.position_mm is not None:
        words.append(f"{place.position_mm:.0f} mm from the ostium")
    if place.point_mm is not None:
        words.append("L, P, S " + ", ".join(number(x, 0) for x in place.point_mm) + " mm")
    return " · ".join(words)


def place_of(lesion: LesionResult) -> str:
    """Return where a lesion lies, such as mid LAD."""
    return lesion.segment_name or lesion.vessel


def read(lesion: LesionResult) -> str:
    """Return the FFR of a lesion, or why there is no number."""
    return "occluded" if lesion.state == "occluded" else ffr(lesion.ffr_distal)


def listed(parts: Sequence[str], last: str = "and") -> str:
    """Return parts as "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"
