"""Who is called positive, and rightly? Tables at a threshold, bands, the grey zone."""

from __future__ import annotations

from typing import Literal

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from ffr.results.result import ffr_rounded
from meshes.arrays import Floats, Ints
from validation.cohort.metrics import Band, GreyZone, Interval, Proportion, TwoByTwo, Unit
from validation.cohort.reading import THRESHOLD, Pairs, at_most
from validation.cohort.resampling import clustered, share
from validation.cohort.roc import roc

NONE_SICK = "no invasive reading is at or below the threshold"
NONE_WELL = "no invasive reading is above the threshold"
NONE_CALLED = "no computed FFR is at or below the threshold"
NONE_CLEARED = "no computed FFR is above the threshold"
NOTHING = "nothing was read"
# Bands of computed FFR in two decimals, and the range in which invasive repeats disagree
Bands = tuple[tuple[str, float, float], ...]
COMPUTED_BANDS: Bands = (
    ("0.70 or below", 0.0, 0.70), ("0.71-0.75", 0.71, 0.75), ("0.76-0.80", 0.76, 0.80),
    ("0.81-0.85", 0.81, 0.85), ("0.86-0.90", 0.86, 0.90), ("above 0.90", 0.91, 1.5),
    ("0.70-0.80", 0.70, 0.80),  # across the others: a column of the ceiling
)  # fmt: skip
INVASIVE_BANDS: Bands = (("0.75-0.85", 0.75, 0.85),)


def proportion(
    of: np.ndarray, among: np.ndarray, patient: Ints, draws: int, why_not: str = NOTHING
) -> Proportion:
    """Return the share of rows of `among` that are also in `of`, all shape (n,)."""
    count, whole = int((of & among).sum()), int(among.sum())
    if whole == 0:
        nothing = {"value": None, "wilson": None, "clustered": None}
        return Proportion(count=0, of=0, why_not=why_not, **nothing)
    low, high = proportion_confint(count, whole, method="wilson")
    return Proportion(
        count=count, of=whole, value=count / whole,
        wilson=Interval(low=float(low), high=float(high)),
        clustered=clustered(patient, share(of, among), draws), why_not=None,
    )  # fmt: skip


def two_by_two(
    sick: np.ndarray, called: np.ndarray, patient: Ints, threshold: float, draws: int,
    changed: int = 0,
) -> TwoByTwo:  # fmt: skip
    """Return counts and shares of positives by invasive FFR, `sick`, and computed, `called`."""
    every = np.ones(sick.size, dtype=bool)

    def part(of: np.ndarray, among: np.ndarray, why_not: str = NOTHING) -> Proportion:
        return proportion(of, among, patient, draws, why_not)

    return TwoByTwo(
        threshold=threshold,
        true_positive=int((sick & called).sum()),
        false_positive=int((~sick & called).sum()),
        false_negative=int((sick & ~called).sum()),
        true_negative=int((~sick & ~called).sum()),
        prevalence=part(sick, every),
        sensitivity=part(called, sick, NONE_SICK),
        specificity=part(~called, ~sick, NONE_WELL),
        ppv=part(sick, called, NONE_CALLED),
        npv=part(~sick, ~called, NONE_CLEARED),
        accuracy=part(sick == called, every),
        changed_by_full_precision=changed,
    )


def table_at(pairs: Pairs, threshold: float, draws: int) -> TwoByTwo:
    """Return the table of pairs at a threshold."""
    called = at_most(pairs.ffr, threshold)
    changed = int((called != (pairs.ffr <= threshold)).sum())
    sick = at_most(pairs.invasive_ffr, threshold)
    return two_by_two(sick, called, pairs.patient, threshold, draws, changed)


def unit(pairs: Pairs, draws: int) -> Unit:
    """Return diagnosis per vessel, or per patient."""
    return Unit(
        n=len(pairs), patients=np.unique(pairs.patient).size,
        at_080=table_at(pairs, THRESHOLD, draws), at_075=table_at(pairs, 0.75, draws),
        roc=roc(pairs, draws),
    )  # fmt: skip


def bands(pairs: Pairs, draws: int) -> tuple[Band, ...]:
    """Return agreement by range of computed FFR, and in the noisy range of invasive FFR."""
    sick, called = (at_most(v, THRESHOLD) for v in (pairs.invasive_ffr, pairs.ffr))
    by: tuple[tuple[Literal["computed", "invasive"], Floats, Bands], ...] = (
        ("computed", pairs.ffr, COMPUTED_BANDS),
        ("invasive", pairs.invasive_ffr, INVASIVE_BANDS),
    )
    found = []
    for whose, values, table in by:
        printed = np.array([ffr_rounded(v) for v in values])
        for name, low, high in table:
            inside = (printed >= low - 1e-9) & (printed <= high + 1e-9)
            n, why_not = int(inside.sum()), "no vessel lies in this band"
            found.append(
                Band(
                    name=name, by=whose, n=n,
                    accuracy=proportion(sick == called, inside, pairs.patient, draws, why_not),
                    positive=proportion(sick, inside, pairs.patient, draws, why_not),
                    mean_invasive=float(pairs.invasive_ffr[inside].mean()) if n else None,
                    mean_computed=float(pairs.ffr[inside].mean()) if n else None,
                )
            )  # fmt: skip
    return tuple(found)


def grey_zone(pairs: Pairs, draws: int) -> GreyZone:
    """Return what borderline results are worth: by value, and by the value's own interval."""
    sick, called = (at_most(v, THRESHOLD) for v in (pairs.invasive_ffr, pairs.ffr))
    inside = called & ~at_most(pairs.ffr, 0.75)
    known = np.isfinite(pairs.ffr_low) & np.isfinite(pairs.ffr_high)
    lower = at_most(np.where(known, pairs.ffr_low, 1.0), THRESHOLD)
    upper = at_most(np.where(known, pairs.ffr_high, 0.0), THRESHOLD)
    unsure = known & lower & ~upper

    agree = sick == called

    def part(of: np.ndarray, among: np.ndarray, why_not: str) -> Proportion:
        return proportion(of, among, pairs.patient, draws, why_not)

    return GreyZone(
        inside=part(inside, np.ones(len(pairs), dtype=bool), NOTHING),
        accuracy_inside=part(agree, inside, "no vessel lies in the grey zone"),
        accuracy_outside=part(agree, ~inside, "every vessel lies in the grey zone"),
        unsure=part(unsure, known, "no computed FFR has an interval"),
        accuracy_unsure=part(agree, unsure, "no interval holds both sides of 0.80"),
        accuracy_sure=part(agree, known & ~unsure, "no interval lies on one side of 0.80"),
    )
