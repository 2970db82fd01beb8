"""What does the report say? In words, once, for every document that is made of it.

Pure: a result becomes words; `html` and `pdf` only set them. No number is rounded elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ffr.reasons import TOO_SMALL
from ffr.report import words
from ffr.report.paths import VesselPath
from ffr.report.verdict import Headline, headline
from ffr.result import RESEARCH_USE_ONLY, FlagEntry, LesionResult, Result, State, VesselResult
from ffr.scan import MASK
from meshes.tree import CoronaryTree, path_to

READ_AT_MM = 20.0
NEAR_MM = 10.0  # a warning that begins this close before a lesion concerns it
CALCIUM = "calcium-heavy"
TOO_SMALL_LIST = "narrower than 1.5 mm, too small to analyse"
INTERVAL_HOLDS = (
    "The 95 % interval holds what is uncertain about lumen, flow, pressure, blood and flow "
    "model. It does not hold a missed lesion, a wrong vessel path or motion."
)
PPG_MEANS = (
    "0: pressure is lost evenly along the vessel (diffuse), 1: at one place (focal) (Collet "
    "2019). Repeated pullbacks with a wire differ by \N{MINUS SIGN}0.14 to 0.12 (Sonck 2022)."
)
_ORDER: tuple[State, ...] = (
    "occluded", "0.75 or below", "0.76-0.80", "not analysed", "above 0.80",
)  # fmt: skip
LOWEST = "lowest FFR in the vessel, not for decision"


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


@dataclass(frozen=True, slots=True)
class Content:
    """All that a report says.

    Parameters
    ----------
    statement, made
        What stands on every page: the statement; version, weights and date.
    headline
        The most important thing first.
    facts
        Name and value of what is known of scan and heart.
    grade, grade_note, elements
        Suggested CAD-RADS 2.0; what it does not see; each element and what is said of it.
    lesions, ranked
        In the order of their numbers; those without FFR first, then the lowest FFR.
    vessels, pages
        Every named vessel; those that have a page, in its order.
    sure, unseen, told, assumed, warnings, versions
        How sure it is, what was not seen, what was told or measured and what assumed,
        warnings of the whole scan and of places, what made it.
    """

    statement: str
    made: str
    created: str
    headline: Headline
    facts: tuple[tuple[str, str], ...]
    grade: str
    grade_note: str
    elements: tuple[tuple[str, str], ...]
    lesions: tuple[LesionWords, ...]
    ranked: tuple[LesionWords, ...]
    vessels: tuple[VesselWords, ...]
    pages: tuple[VesselWords, ...]
    sure: tuple[str, ...]
    unseen: tuple[str, ...]
    told: tuple[tuple[str, str], ...]
    assumed: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]


def report_content(
    result: Result, paths: Sequence[VesselPath], coronaries: Sequence[CoronaryTree]
) -> Content:
    """Return what the report of a result says.

    Parameters
    ----------
    result
        What the analysis found.
    paths
        The ways that have a page (`vessel_paths`).
    coronaries
        The trees of `result`: which lesion lies before which reading.
    """
    lesions = tuple(_lesion(result, coronaries, x) for x in result.lesions)
    order = sorted(result.lesions, key=lambda x: (x.ffr_distal is not None, x.ffr_distal or 0))
    by_id = {x.id: x for x in lesions}
    cad = result.suggested_cad_rads
    return Content(
        statement=RESEARCH_USE_ONLY,
        made=_made(result),
        created=date(result),
        headline=headline(result),
        facts=tuple(_facts(result)),
        grade=words.grade(cad),
        grade_note=(
            f"With 95 % probability {words.span(cad)}, of what is seen ({words.chances(cad)})"
        ),
        elements=tuple(_elements(result)),
        lesions=lesions,
        ranked=tuple(by_id[x.id] for x in order),
        vessels=tuple(_vessel(result, x, lesions, (x.vessel,)) for x in result.vessels),
        pages=tuple(_page(result, path, lesions) for path in paths),
        sure=tuple(_sure(result, by_id)),
        unseen=tuple(_unseen(result)),
        told=tuple((x.name, x.value) for x in result.assumptions if not x.assumed),
        assumed=tuple((x.name, x.value) for x in result.assumptions if x.assumed),
        warnings=tuple(_warning(x) for x in result.flags),
        versions=tuple(_versions(result)),
    )


def date(result: Result) -> str:
    """Return when the result was made, to the minute."""
    return f"{result.created[:10]} {result.created[11:16]} UTC"


def _made(result: Result) -> str:
    return f"ct-ffr {result.code_version}, {date(result)}"


def _facts(result: Result) -> list[tuple[str, str]]:
    quality = result.image_quality
    size, spacing, mass = result.input.size, result.input.spacing_mm, result.lv_mass_g
    return [
        ("Image quality", quality.grade or "not graded"),
        ("Dominance", result.dominance or "not determined"),
        ("LV mass", "not measured" if mass is None else f"{mass:.0f} g"),
        ("Aortic pressure, hyperaemia", f"{result.aortic_pressure_mmhg:.0f} mmHg"),
        ("Scan", f"{' × '.join(map(str, size))} voxels of "
         f"{' × '.join(f'{x:.2f}' for x in spacing)} mm"),
        ("Series", result.input.series),
    ]  # fmt: skip


def _elements(result: Result) -> list[tuple[str, str]]:
    """Return every element of CAD-RADS 2.0 and what can be said of it."""
    cad = result.suggested_cad_rads
    signs = [x for x in cad.modifiers if x.startswith("I")]
    read = [x for x in result.lesions if x.ffr_distal is not None]
    unread = "N" in cad.modifiers or cad.grade == "N"
    flow = f"{signs[0]}: lowest FFR distal to a lesion" if signs else "no FFR behind a lesion"
    return [
        ("Stenosis", "N, not fully read" if cad.grade == "N" else cad.grade.replace("-", "–")),
        ("N", "some vessel was not fully read" if unread else "all main vessels were read"),
        ("I", flow if read else "not stated: no FFR behind a lesion"),
        ("S", "a stent was seen" if "S" in cad.modifiers else "no stent was seen"),
        *(_not_assessed(x) for x in cad.not_assessed),
    ]


def _not_assessed(text: str) -> tuple[str, str]:
    """Split "P (plaque burden): why" into the element and what is said."""
    name, _, why = text.partition(": ")
    letter, _, meaning = name.partition(" ")
    return letter, f"not assessed {meaning}" + (f": {why}" if why else "")


def _lesion(result: Result, coronaries: Sequence[CoronaryTree], x: LesionResult) -> LesionWords:
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
        drop=_or_absent(x.pressure_drop_mmhg, 1, "mmHg"),
        delta=_or_absent(x.delta_ffr, 2, ""),
        read=words.read(x),
        interval=words.interval(x.ffr_low, x.ffr_high),
        chance=words.percent(x.probability_below_0_80),
        distance=_or_absent(x.distance_used_mm, 0, "mm"),
        distance_note="the analysed vessel ends there" if short else "",
        beyond=f"beyond lesion {', '.join(map(str, before))}" if before else "",
        calcium=_calcium(result, x, near),
        warnings=tuple(f.message for f in near if f.name != CALCIUM),
        reason=words.plain(x.not_analysed_reason),
    )


def number_mm(value: float) -> str:
    """Return a path length in whole millimetres."""
    return words.number(value, 0, "mm")


def _or_absent(value: float | None, decimals: int, unit: str) -> str:
    return words.ABSENT if value is None else words.number(value, decimals, unit)


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


def _vessel(
    result: Result, x: VesselResult, lesions: Sequence[LesionWords], passed: tuple[str, ...],
    on_way: Sequence[int] | None = None,
) -> VesselWords:  # fmt: skip
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
        ppg=_or_absent(x.ppg, 2, "") if x.ppg is not None else "not given",
        ppg_reason=x.no_ppg_reason or "",
        analysed=_analysed(x),
        flow=_or_absent(x.flow_ml_min, 0, "ml/min"),
        missing=words.plain(x.not_analysed_reason),
        warnings=tuple(
            _warning(f) for f in result.flags if f.place and f.place.vessel in passed
        ),
    )


def _page(result: Result, path: VesselPath, lesions: Sequence[LesionWords]) -> VesselWords:
    x = next(y for y in result.vessels if (y.side, y.vessel) == (path.side, path.name))
    return _vessel(result, x, lesions, path.vessels, [y.id for y in path.lesions])


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


def _sure(result: Result, by_id: dict[int, LesionWords]) -> list[str]:
    """Say which verdicts are clear and which are close, and what could mislead."""
    said = []
    known = [x for x in result.lesions if x.probability_below_0_80 is not None]
    close = [x for x in known if words.close(x.probability_below_0_80)]
    clear = [f"{x.id}" for x in known if x not in close]
    if close:
        parts = [f"lesion {x.id}, {words.place_of(x)} ({by_id[x.id].chance})" for x in close]
        said.append(
            f"Not certain, with the chance that FFR is 0.80 or below: {words.listed(parts)}."
        )
    if clear:
        many = "s" if len(clear) > 1 else ""
        said.append(
            f"Clear by this computation (chance below 5 % or above 95 %): lesion{many} "
            f"{words.listed(clear)}."
        )
    if any(x.ffr_distal is not None and x.ffr_low is None for x in result.lesions):
        said.append("No interval of FFR was computed.")
    guess = [f"lesion {y.id}" for y in by_id.values() if y.calcium.startswith("heavy here")]
    if guess:
        said.append(f"Heavy calcium at {words.listed(guess)}: the lumen there is a guess.")
    grade = result.image_quality.grade
    said.append(f"Image quality: {grade}." if grade else "Image quality was not graded.")
    return [*said, INTERVAL_HOLDS]


def _unseen(result: Result) -> list[str]:
    """Say what has no FFR, one line per reason, what matters most first."""
    said = [
        f"{x.vessel}, {x.from_mm:.0f} to {x.to_mm:.0f} mm from the ostium: {x.reason}. There "
        "is no FFR there, behind it, or in its branches."
        for x in result.unreadable
    ]
    told = {f"{x.vessel} beyond {x.from_mm:.0f} mm" for x in result.unreadable}
    reasons: dict[str, list[str]] = {}
    for y in result.not_analysed:
        if not any(y.what.startswith(x) for x in told):
            reasons.setdefault(y.reason, []).append(y.what)
    small = reasons.pop(TOO_SMALL, [])
    said += [
        f"{words.listed(what)}: {words.plain(reason)}." for reason, what in reasons.items()
    ]
    said += [f"{name}: no vessel of this name was found." for name in _gone(result)]
    ends = [x.split(" beyond ")[0] for x in small if " beyond " in x]
    whole = [x for x in small if " beyond " not in x]
    if ends:
        said.append(f"Far ends of {words.listed(ends)}: {TOO_SMALL_LIST}.")
    if whole:
        said.append(f"{words.listed(whole)}: {TOO_SMALL_LIST}.")
    said += ["Not looked for: plaque that does not narrow the lumen, bypass grafts, "
             "collaterals, high-risk plaque."]  # fmt: skip
    return said


def _gone(result: Result) -> list[str]:
    """Return the main vessels that are missing from a tree that was found."""
    sides = {x.side for x in result.vessels}
    named = {x.vessel for x in result.vessels}
    main = {"LAD": "left", "LCx": "left", "RCA": "right"}
    return [name for name, side in main.items() if side in sides and name not in named]


def _warning(flag: FlagEntry) -> str:
    vessel = flag.place.vessel if flag.place else None
    return flag.message if vessel is None or vessel in flag.message else (
        f"{vessel}: {flag.message}"
    )  # fmt: skip


def _versions(result: Result) -> list[tuple[str, str]]:
    code = result.code_version + (f", commit {result.git_commit}" if result.git_commit else "")
    return [
        ("ct-ffr", code),
        ("Result format", result.schema_version),
        ("Made", date(result)),
        ("Input SHA-256", result.input.sha256),
        *((f"Network {x.name}, SHA-256", x.sha256) for x in result.models),
    ]
