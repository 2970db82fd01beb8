"""What is the most important thing? One or two sentences, and the state they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ffr.report import words
from ffr.report.paths import MAIN_VESSELS
from ffr.results.cad_rads import MODERATE
from ffr.results.result import LesionResult, Result, State, ffr_rounded, ffr_state

NONE_FOUND = "No flow-limiting lesion was found"
LEADING = ("LM", *MAIN_VESSELS)  # what cannot be read of these stands before all else
NONE_READ = "None of the lesions that were found has an FFR."
_BEGINNING: dict[State, str] = {
    "0.76-0.80": "Borderline",
    "0.75 or below": "A lesion limits flow",
}


@dataclass(frozen=True, slots=True)
class Headline:
    """The first words of every document, and the state that gives them their symbol."""

    state: State
    text: str


def headline(result: Result) -> Headline:
    """Say the most important thing.

    What could not be read of a main vessel or a whole tree comes first, of a side branch last:
    there a short gap in a thin vessel must not stand before a lesion that limits flow. With
    either the state is never "above 0.80".
    """
    if not any(x.analysed for x in result.segments):
        return Headline("not analysed", f"No vessel could be analysed: {_reasons(result)}.")
    main, aside = _unread(result)
    found = _of_lesions(result)
    if not main and not aside:
        return found
    state: State = "not analysed" if found.state == "above 0.80" else found.state
    text = found.text
    if main:
        text = f"{main} {text if text == NONE_READ else f'In the rest: {_small(text)}'}"
    return Headline(state, f"{text} {aside}".rstrip())


def _small(text: str) -> str:
    return text[0].lower() + text[1:]


def _reasons(result: Result) -> str:
    reasons: dict[str, list[str]] = {}
    for x in result.not_analysed:
        reasons.setdefault(words.plain(x.reason), []).append(x.what)
    if not reasons:
        return "no coronary artery was found"
    return "; ".join(f"{reason} ({', '.join(what)})" for reason, what in reasons.items())


def _unread(result: Result) -> tuple[str, str]:
    """Name what could not be read, and why: of main vessels and trees, and of side branches.

    Each is "" where all was read.
    """
    main, aside = list[str](), list[str]()
    for x in result.unreadable:
        part = f"{x.vessel} from {x.from_mm:.0f} mm on ({x.reason})"
        (main if x.vessel in LEADING else aside).append(part)
    main += [
        f"{x.what} ({x.reason})"
        for x in result.not_analysed
        if x.what.endswith("coronary tree")
    ]
    return _not_analysable(main), _not_analysable(aside)


def _not_analysable(parts: Sequence[str]) -> str:
    return f"Not analysable: {words.listed(parts)}." if parts else ""


def _of_lesions(result: Result) -> Headline:
    if not result.lesions:
        text = f"{NONE_FOUND}: no lesion of 25 % or more in the analysed vessels."
        return Headline("above 0.80", text)
    read = [x for x in result.lesions if x.ffr_distal is not None]
    shut = sum(x.state == "occluded" for x in result.lesions)
    closed = {0: "", 1: "1 lesion is an occlusion or lies before one: no FFR. "}.get(
        shut, f"{shut} lesions are occlusions or lie before one: no FFR. "
    )
    if not read and shut:
        return Headline("occluded", closed.strip())
    if not read:
        return Headline("not analysed", NONE_READ)
    text = closed + _of_lowest(read)
    lowest = min(x.ffr_distal for x in read if x.ffr_distal is not None)
    return Headline("occluded" if shut else ffr_state(lowest), text + _left_main(result))


def _of_lowest(read: Sequence[LesionResult]) -> str:
    """Name the lesion of lowest FFR, and how many are 0.80 or below."""
    worst = min(read, key=lambda x: x.ffr_distal or 0.0)
    low = sum(ffr_rounded(x.ffr_distal or 0.0) <= 0.80 for x in read)
    value = f"FFR {words.ffr(worst.ffr_distal)}"
    if worst.ffr_low is not None:
        value += f" (95 % interval {words.interval(worst.ffr_low, worst.ffr_high)})"
    lesions = "1 lesion" if len(read) == 1 else f"{len(read)} lesions"
    where = f"{words.place_of(worst)}, {value}"
    unsure = words.close(worst.probability_below_0_80)
    if low:
        beginning = _BEGINNING[ffr_state(worst.ffr_distal)]
        if unsure and worst.state == "0.75 or below":
            beginning = "A lesion probably limits flow"
        return f"{beginning}: {where}. {low} of {lesions} with FFR 0.80 or below."
    text = f"{lesions}, the lowest FFR distal to one is in the {where}."
    return f"{NONE_FOUND}{', but this is not certain' if unsure else ''}: {text}"


def _left_main(result: Result) -> str:
    """Warn of a left main of 50 % or more, whatever its FFR; "" where there is none."""
    found = [
        x for x in result.lesions
        if x.vessel == "LM" and x.diameter_stenosis_percent >= MODERATE
    ]  # fmt: skip
    if not found:
        return ""
    worst = max(found, key=lambda x: x.diameter_stenosis_percent)
    return f" The left main is narrowed by {worst.diameter_stenosis_percent:.0f} %."
