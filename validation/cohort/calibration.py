"""Is the computed uncertainty right? Does the interval hold, and P(FFR <= 0.80)?"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import stats
from sklearn.metrics import brier_score_loss

from meshes.arrays import Floats
from validation.cohort.agreement import known as estimate
from validation.cohort.agreement import missing
from validation.cohort.ceiling import INVASIVE_SD
from validation.cohort.diagnosis import proportion
from validation.cohort.metrics import Bin, Calibration, Estimate, Level, Proportion
from validation.cohort.reading import THRESHOLD, Pairs, at_most
from validation.cohort.resampling import clustered

LEVELS = (0.50, 0.80, 0.90, 0.95)
EDGES = (0.0, 0.05, 0.20, 0.50, 0.80, 0.95, 1.0)
NO_INTERVAL = "no computed FFR has an interval"
NO_PROBABILITY = "no computed FFR has a probability"
DRAWN = "bootstrap of patients"


def calibration(pairs: Pairs, draws: int) -> Calibration:
    """Compare what the intervals promise with where invasive FFR was.

    The computed interval is one of the true FFR; the invasive reading adds its own error, so
    coverage is also given with that error added to each side's half width in quadrature.
    """
    known = pairs.part(np.isfinite(pairs.ffr_low) & np.isfinite(pairs.ffr_high))
    levels: tuple[Level, ...] = ()
    width = ratio = None
    if len(known):
        levels = tuple(_level(known, nominal, draws) for nominal in LEVELS)
        width = float((known.ffr_high - known.ffr_low).mean())
        ratio = _error_ratio(known)
    return Calibration(
        levels=levels, mean_width=width, error_ratio=ratio, bins=_bins(pairs, draws),
        brier=_brier(pairs, draws), why_not=None if len(known) else NO_INTERVAL,
    )  # fmt: skip


def _level(pairs: Pairs, nominal: float, draws: int) -> Level:
    z = stats.norm.ppf(0.5 + nominal / 2)
    shrink, noise = z / stats.norm.ppf(0.975), z * INVASIVE_SD
    below = shrink * np.maximum(pairs.ffr - pairs.ffr_low, 0)
    above = shrink * np.maximum(pairs.ffr_high - pairs.ffr, 0)
    gap = pairs.invasive_ffr - pairs.ffr

    def held(below: Floats, above: Floats) -> Proportion:
        inside = (gap >= -below - 1e-9) & (gap <= above + 1e-9)
        return proportion(inside, np.ones(len(pairs), dtype=bool), pairs.patient, draws)

    return Level(
        nominal=nominal, held=held(below, above),
        held_with_noise=held(np.hypot(below, noise), np.hypot(above, noise)),
    )  # fmt: skip


def _error_ratio(pairs: Pairs) -> float | None:
    """Return the SD of error over promised SD: above 1, the intervals are too narrow."""
    half = (pairs.ffr_high - pairs.ffr_low) / 2
    promised = np.hypot(half / stats.norm.ppf(0.975), INVASIVE_SD)
    return float(np.sqrt(np.mean(((pairs.ffr - pairs.invasive_ffr) / promised) ** 2)))


def _bins(pairs: Pairs, draws: int) -> tuple[Bin, ...]:
    known = np.isfinite(pairs.probability)
    sick, found = at_most(pairs.invasive_ffr, THRESHOLD), []
    if not known.any():
        return ()
    for low, high in pairwise(EDGES):
        inside = known & (pairs.probability >= low)
        inside &= (pairs.probability < high) | (high == EDGES[-1])
        predicted = float(pairs.probability[inside].mean()) if inside.any() else None
        observed = proportion(sick, inside, pairs.patient, draws, "no vessel in this range")
        found.append(Bin(low=low, high=high, predicted=predicted, observed=observed))
    return tuple(found)


def _brier(pairs: Pairs, draws: int) -> Estimate:
    known = pairs.part(np.isfinite(pairs.probability))
    if not len(known):
        return missing(NO_PROBABILITY, DRAWN)
    sick = at_most(known.invasive_ffr, THRESHOLD)
    lost = (known.probability - sick) ** 2
    interval = clustered(known.patient, lambda w: w @ lost / w.sum(axis=1), draws)
    brier = float(brier_score_loss(sick, known.probability, labels=[False, True]))
    return estimate(brier, interval, DRAWN, len(known), interval)
