"""What is said of one lesion? Every number with its unit, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ffr.report import words
from ffr.results.result import FlagEntry, LesionResult, Result, State
from ffr.scan import MASK
from meshes.tree import CoronaryTree, path_to

READ_AT_MM = 20.0
NEAR_MM = 10.0  # a warning that begins this close before a lesion concerns it
CALCIUM = "calcium-heavy"


@dataclass(frozen=True, slots=True)
class LesionWords:
    """One lesion as it is printed: every number with its unit, or why there is none."""

    id: int
    side: str
    vessel: str
    place: str
    segment: str
    state: State
    verdict: str
    position: str
    span: str
    length: str
    stenosis: str
    stenosis_interval: str
    area_stenosis: str
    minimal_diameter: str
    reference_diameter: str
    minimal_area: str
    drop: str
    delta: str
    read: str
    interval: str
    chance: str
    distance: str
    distance_note: str
    beyond: str
    calcium: str
    warnings: tuple[str, ...]
    reason: str


def lesion_words(
    result: Result, coronaries: Sequence[CoronaryTree], x: LesionResult
) -> LesionWords:
    """Return what is said of a lesion."""
    low, high = x.diameter_stenosis_low_percent, x.diameter_stenosis_high_percent
    ends = "" if low is None or high is None else f"{low:.0f}–{high:.0f} %"
    before = _lesions_before(result, coronaries, x)
    short = x.distance_used_mm is not None and x.distance_used_mm < READ_AT_MM - 1.0
    near = [f for f in result.flags if _concerns(f, x)]
    return LesionWords(
        id=x.id,
        side=x.side,
        vessel=x.vessel,
        place=words.place_of(x),
        segment="no SCCT segment" if x.segment is None else f"SCCT {x.segment}",
        state=x.state,
        verdict=words.verdict(x),
        position=number_mm(x.position_mm),
        span=f"{x.start_mm:.0f}–{x.end_mm:.0f} mm",
        length=words.number(x.length_mm, 1, "mm"),
        stenosis=f"{x.diameter_stenosis_percent:.0f} %",
        stenosis_interval=ends,
        area_stenosis=f"{x.area_stenosis_percent:.0f} %",
        minimal_diameter=words.number(x.minimal_diameter_mm, 1, "mm"),
        reference_diameter=words.number(x.reference_diameter_mm, 1, "mm"),
        minimal_area=words.number(x.minimal_lumen_area_mm2, 1, "mm²"),
        drop=words.or_absent(x.pressure_drop_mmhg, 1, "mmHg"),
        delta=words.or_absent(x.delta_ffr, 2, ""),
        read=words.read(x),
        interval=words.interval(x.ffr_low, x.ffr_high),
        chance=words.percent(x.probability_below_0_80),
        distance=words.or_absent(x.distance_used_mm, 0, "mm"),
        distance_note="the analysed vessel ends there" if short else "",
        beyond=f"beyond lesion {', '.join(map(str, before))}" if before else "",
        calcium=_calcium(result, x, near),
        warnings=tuple(f.message for f in near if f.name != CALCIUM),
        reason=words.plain(x.not_analysed_reason),
    )


def number_mm(value: float) -> str:
    """Return a path length in whole millimetres."""
    return words.number(value, 0, "mm")


def _concerns(flag: FlagEntry, x: LesionResult) -> bool:
    """Tell whether a warning has its place at a lesion, or close before it."""
    place = flag.place
    if place is None or (place.side, place.vessel) != (x.side, x.vessel):
        return False
    at = place.position_mm
    return at is not None and x.start_mm - NEAR_MM <= at <= x.end_mm


def _calcium(result: Result, x: LesionResult, near: Sequence[FlagEntry]) -> str:
    if result.input.source == MASK:
        return "not assessed: no scan"
    if any(f.name == CALCIUM for f in near):
        return "heavy here: the lumen is a guess"
    elsewhere = any(
        f.name == CALCIUM and f.place is not None and f.place.vessel == x.vessel
        for f in result.flags
    )
    return f"heavy elsewhere in the {x.vessel}" if elsewhere else "none heavy found"


def _lesions_before(
    result: Result, coronaries: Sequence[CoronaryTree], lesion: LesionResult
) -> list[int]:
    """Return the other lesions between a lesion and the place where its FFR is read."""
    if lesion.distal_point is None:
        return []
    tree = next(c.tree for c in coronaries if c.side == lesion.side)
    way = set(path_to(tree, lesion.distal_point).tolist()) - set(
        path_to(tree, lesion.end_point).tolist()
    )
    return [x.id for x in result.lesions if x.side == lesion.side and x.throat_point in way]
