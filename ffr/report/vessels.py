"""What is said of one vessel?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ffr.report import words
from ffr.report.lesions import LesionWords
from ffr.report.paths import VesselPath
from ffr.results.result import FlagEntry, Result, State, VesselResult

PPG_MEANS = (
    "0: pressure is lost evenly along the vessel (diffuse), 1: at one place (focal) (Collet "
    "2019). Repeated pullbacks with a wire differ by \N{MINUS SIGN}0.14 to 0.12 (Sonck 2022)."
)
LOWEST = "lowest FFR in the vessel, not for decision"
_ORDER: tuple[State, ...] = (
    "occluded", "0.75 or below", "0.76-0.80", "not analysed", "above 0.80",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class VesselWords:
    """One vessel as it is printed.

    `passed` names the vessels on the way from the ostium to its end; `pages` of the content
    are those with a picture.
    """

    name: str
    title: str
    sentence: str
    state: State
    lesions: tuple[LesionWords, ...]
    passed: tuple[str, ...]
    grade: str
    grades: tuple[tuple[str, str], ...]
    lowest: str
    lowest_interval: str
    ppg: str
    ppg_reason: str
    analysed: str
    flow: str
    missing: str
    warnings: tuple[str, ...]


def vessel_words(
    result: Result, x: VesselResult, lesions: Sequence[LesionWords], passed: tuple[str, ...],
    on_way: Sequence[int] | None = None,
) -> VesselWords:  # fmt: skip
    """Return what is said of a vessel, or of the way to its end with the lesions `on_way`."""
    own = tuple(y for y in lesions if y.id in (x.lesions if on_way is None else on_way))
    grades = {y.vessel: words.grade(y) for y in result.suggested_cad_rads.vessels}
    through = words.listed([y for y in passed if y != x.vessel])
    return VesselWords(
        name=x.vessel,
        title=_title(x.vessel, through),
        sentence=_sentence(x, own),
        state=_worst(x, own),
        lesions=own,
        passed=passed,
        grade=grades.get(x.vessel, "not graded"),
        grades=tuple((y, grades[y]) for y in passed if y in grades),
        lowest=words.ffr(x.lowest_ffr_not_for_decision),
        lowest_interval=words.interval(x.lowest_ffr_low, x.lowest_ffr_high),
        ppg=words.or_absent(x.ppg, 2, "") if x.ppg is not None else "not given",
        ppg_reason=x.no_ppg_reason or "",
        analysed=_analysed(x),
        flow=words.or_absent(x.flow_ml_min, 0, "ml/min"),
        missing=words.plain(x.not_analysed_reason),
        warnings=tuple(
            warning(f) for f in result.flags if f.place and f.place.vessel in passed
        ),
    )


def page_words(result: Result, path: VesselPath, lesions: Sequence[LesionWords]) -> VesselWords:
    """Return what is said on the page of a way."""
    x = next(y for y in result.vessels if (y.side, y.vessel) == (path.side, path.name))
    return vessel_words(result, x, lesions, path.vessels, [y.id for y in path.lesions])


def _title(name: str, through: str) -> str:
    if name == "LAD" and through == "LM":
        return "Left main and LAD"
    return f"{name}, through {through.replace('LM', 'left main')}" if through else name


def _analysed(x: VesselResult) -> str:
    if x.analysed_end_mm is None:
        return "nothing"
    return f"{x.start_mm:.0f} to {x.analysed_end_mm:.0f} of {x.end_mm:.0f} mm"


def _worst(x: VesselResult, own: Sequence[LesionWords]) -> State:
    for state in _ORDER[:-1]:
        if any(y.state == state for y in own):
            return state
    unseen = x.analysed_end_mm is None or "not analysable" in (x.not_analysed_reason or "")
    return "not analysed" if unseen else "above 0.80"


def _sentence(x: VesselResult, own: Sequence[LesionWords]) -> str:
    """Say in one or two sentences where the lesions are and whether they limit flow."""
    said = []
    if x.analysed_end_mm is None or "not analysable" in (x.not_analysed_reason or ""):
        part = "Nothing" if x.analysed_end_mm is None else "Part"
        has = "has an FFR" if part == "Nothing" else "has no FFR"
        said.append(f"{part} of the {x.vessel} {has}: {words.plain(x.not_analysed_reason)}.")
    said += _of_lesions(own)
    if not own and x.analysed_end_mm is not None:
        said.append("No narrowing of 25 % or more was found in what was analysed.")
    return " ".join(said)


def _of_lesions(own: Sequence[LesionWords]) -> list[str]:
    """Tell the worst lesion, then how the others are judged, alike ones together."""
    if not own:
        return []
    first = min(own, key=lambda y: (_ORDER.index(y.state), y.read))
    value = "it or what follows is closed, no FFR" if first.state == "occluded" else "no FFR"
    if first.read not in (words.ABSENT, "occluded"):
        value = f"FFR {first.read}, {first.verdict}"
        if first.chance != words.NO_INTERVAL:
            value += f" (chance of 0.80 or below: {first.chance})"
    said = [
        f"Lesion {first.id}, {first.place}: {first.stenosis} narrower than healthy; {value}."
    ]
    for verdict in dict.fromkeys(y.verdict for y in own):
        alike = [str(y.id) for y in own if y.verdict == verdict and y is not first]
        if len(alike) == 1:
            said.append(f"Lesion {alike[0]} {_verb(verdict)}.")
        elif alike:
            many = _verb(verdict).replace("does", "do").replace("limits", "limit")
            said.append(f"Lesions {words.listed(alike)} {many.replace('is b', 'are b')}.")
    return said


def _verb(verdict: str) -> str:
    """Return a verdict that can follow the name of a lesion."""
    return verdict if verdict.startswith(("does", "limits")) else f"is {verdict}"


def warning(flag: FlagEntry) -> str:
    """Return a warning with its vessel, where it does not name it itself."""
    vessel = flag.place.vessel if flag.place else None
    return flag.message if vessel is None or vessel in flag.message else (
        f"{vessel}: {flag.message}"
    )  # fmt: skip
