"""Which CAD-RADS 2.0 grade do the measured stenoses suggest, and how sure is it?

Categories and modifiers: Cury 2022, J Cardiovasc Comput Tomogr 16:536. A suggestion for the
reader to confirm: plaque without narrowing is not measured, so 0 and 1 are one grade here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from math import exp, log, prod
from statistics import NormalDist  # scipy.special would double the start of `ffr view`

from ffr.results.result import (
    CadRads,
    CadRadsChance,
    FlagEntry,
    LesionResult,
    Modifier,
    StenosisGrade,
    VesselGrade,
    VesselResult,
    ffr_rounded,
    ffr_state,
)

GRADES: tuple[StenosisGrade, ...] = ("0-1", "2", "3", "4A", "4B", "5")
# Printed in whole percent, halves up: 49.5 is printed, and graded, as 50
MILD, MODERATE, SEVERE = 24.5, 49.5, 69.5
NORMAL_95 = 1.96
TAIL = 0.025
TERRITORIES = {"LAD": ("LAD", "D", "S"), "LCx": ("LCx", "OM", "L-", "RI"), "RCA": ("RCA", "R-")}
MAIN = ("LM", *TERRITORIES)
UNREADABLE = (
    "left-coronary-missing", "right-coronary-missing", "vessel-missing", "vessel-stump",
    "gap-bridged", "vessels-broken", "stent-narrow", "vessel-excluded",
)  # fmt: skip
STENT = "stent"  # flags whose name begins so
NOT_ASSESSED = (
    "P (plaque burden): no calcium score is measured, plaque volumes only in research grade",
    "HRP (high-risk plaque features)",
    "G (bypass grafts)",
    "E (exceptions, such as dissection or anomalies)",
)
STATEMENT = (
    "Suggested CAD-RADS 2.0 elements, for the reader to confirm. Plaque that does not narrow "
    "the lumen is not seen, so 0 and 1 are one grade. Vessels under 1.5 mm are not graded."
)


def stenosis_interval(
    minimal_mm: float, reference_mm: float, log_sd: float
) -> tuple[float, float]:
    """Return the 95 % interval of a diameter stenosis in percent, not below 0.

    Parameters
    ----------
    minimal_mm, reference_mm
        Diameters at the throat.
    log_sd
        Standard deviation of the logarithm of their ratio.
    """
    wide, narrow = (minimal_mm / reference_mm * exp(k * NORMAL_95 * log_sd) for k in (1, -1))
    return max(0.0, 100.0 * (1.0 - wide)), 100.0 * (1.0 - narrow)


def suggested_cad_rads(
    lesions: Sequence[LesionResult],
    vessels: Sequence[VesselResult],
    flags: Sequence[FlagEntry],
    closed: Sequence[str],
    seen: Collection[str] = (),
) -> CadRads:
    """Grade every vessel, and the patient, by CAD-RADS 2.0.

    The lesions' intervals are taken for independent. A vessel that is missing, torn or cut
    short is not fully read: N, unless what is seen is 50 % or more; then the grade is
    followed by N.

    Parameters
    ----------
    lesions, vessels, flags
        What was found. Lesions lie in vessels of 1.5 mm and more, and where the scan shows
        the lumen.
    closed
        Names of the vessels in which the lumen is closed.
    seen
        Names of vessels of 1.5 mm and more that count even without an FFR: those behind a
        stretch that is not analysable.
    """
    small = {x.vessel for x in vessels if x.analysed_end_mm is None} - set(seen)
    unread = _unread(flags, small)
    stented = {f.place.vessel or "" for f in flags if f.name.startswith(STENT) and f.place}
    rows = []
    for name in _graded(vessels, small, unread):
        own = [x for x in lesions if x.vessel == name]
        shut = [name] if name in closed else []
        rows.append(_vessel(name, own, shut, name in unread, name in stented))
    chances = _chances(lesions, closed)
    grade = _most_likely(lesions, closed)
    below = GRADES.index(grade) < GRADES.index("3")
    return CadRads(
        statement=STATEMENT,
        grade="N" if unread and below else grade,
        modifiers=_modifiers(lesions, bool(unread) and not below, bool(stented)),
        least=_at(chances, TAIL),
        most=_at(chances, 1.0 - TAIL),
        chances=_listed(chances),
        vessels=tuple(rows),
        not_assessed=NOT_ASSESSED,
    )


def _unread(flags: Sequence[FlagEntry], small: set[str]) -> set[str]:
    """Names of the vessels that were not read to their end."""
    found = set()
    for flag in flags:
        if flag.name not in UNREADABLE:
            continue
        if flag.name == "left-coronary-missing":
            found |= {"LAD", "LCx"}
        elif flag.name == "right-coronary-missing":
            found |= {"RCA"}
        elif flag.place is not None and flag.place.vessel is not None:
            found |= {flag.place.vessel}
    return found - (small - set(MAIN))


def _graded(vessels: Sequence[VesselResult], small: set[str], unread: set[str]) -> list[str]:
    names = [x.vessel for x in vessels if x.vessel not in small]
    names += sorted(unread - set(names))
    order = {name: k for k, name in enumerate(MAIN)}
    return sorted(dict.fromkeys(names), key=lambda name: order.get(name, len(order)))


def _vessel(
    name: str,
    lesions: Sequence[LesionResult],
    closed: Sequence[str],
    unread: bool,
    stented: bool,
) -> VesselGrade:
    grade, chances = _most_likely(lesions, closed), _chances(lesions, closed)
    below = GRADES.index(grade) < GRADES.index("3")
    return VesselGrade(
        vessel=name,
        grade="N" if unread and below else grade,
        modifiers=_modifiers(lesions, unread and not below, stented),
        worst_stenosis_percent=max(
            (x.diameter_stenosis_percent for x in lesions), default=None
        ),
        least=_at(chances, TAIL),
        most=_at(chances, 1.0 - TAIL),
        chances=_listed(chances),
    )


def _most_likely(lesions: Sequence[LesionResult], closed: Sequence[str]) -> StenosisGrade:
    """Grade of the measured stenoses, as if they were exact."""
    exact = _cumulative({x.id: _exact(x) for x in lesions}, lesions, closed)
    return GRADES[next(k for k, share in enumerate(exact) if share > 0.5)]


def _exact(lesion: LesionResult) -> tuple[float, float, float]:
    worst = lesion.diameter_stenosis_percent
    return (float(worst < MILD), float(worst < MODERATE), float(worst < SEVERE))


def _chances(lesions: Sequence[LesionResult], closed: Sequence[str]) -> list[float]:
    """Probability that the grade is each of GRADES or a lower one."""
    return _cumulative({x.id: _below(x) for x in lesions}, lesions, closed)


def _below(lesion: LesionResult) -> tuple[float, float, float]:
    """Probability that a stenosis is below mild, moderate and severe."""
    high, middle = lesion.diameter_stenosis_high_percent, lesion.diameter_stenosis_percent
    if high is None or high <= middle or middle >= 100.0:
        return _exact(lesion)
    sd = log((100.0 - middle) / (100.0 - high)) / NORMAL_95
    z = [log((100.0 - limit) / (100.0 - middle)) / sd for limit in (MILD, MODERATE, SEVERE)]
    first, second, third = (1.0 - NormalDist().cdf(x) for x in z)
    return first, second, third


def _cumulative(
    below: Mapping[int, tuple[float, float, float]],
    lesions: Sequence[LesionResult],
    closed: Sequence[str],
) -> list[float]:
    """Return P(grade <= g) of each grade from each lesion's chances to be below its limits."""
    if closed:
        return [0.0] * (len(GRADES) - 1) + [1.0]
    mild, moderate = (prod(below[x.id][k] for x in lesions) for k in (0, 1))
    trunk = prod(below[x.id][1] for x in lesions if x.vessel == "LM")
    others = prod(below[x.id][2] for x in lesions if x.vessel != "LM")
    all_three = prod(
        1.0 - prod(below[x.id][2] for x in lesions if x.vessel.startswith(names))
        for names in TERRITORIES.values()
    )
    return [mild, moderate, trunk * others, trunk * (1.0 - all_three), 1.0, 1.0]


def _at(cumulative: Sequence[float], share: float) -> StenosisGrade:
    return GRADES[next(k for k, p in enumerate(cumulative) if p >= share - 1e-9)]


def _listed(cumulative: Sequence[float]) -> tuple[CadRadsChance, ...]:
    steps = [b - a for a, b in pairwise([0.0, *cumulative])]
    return tuple(
        CadRadsChance(grade=grade, probability=max(0.0, step))
        for grade, step in zip(GRADES, steps, strict=True)
    )


def _modifiers(
    lesions: Sequence[LesionResult], unread: bool, stented: bool
) -> tuple[Modifier, ...]:
    """N: not all was read. I: lowest FFR distal to a lesion. S: a stent was reported."""
    found: list[Modifier] = ["N"] if unread else []
    values = [ffr_rounded(x.ffr_distal) for x in lesions if x.ffr_distal is not None]
    signs: dict[str, Modifier] = {
        "above 0.80": "I-", "0.76-0.80": "I±", "0.75 or below": "I+",
    }  # fmt: skip
    if values:
        found.append(signs[ffr_state(min(values))])
    return (*found, "S") if stented else tuple(found)
