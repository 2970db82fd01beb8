"""What would a model of a given error show in this cohort, when invasive FFR is noisy too?

True FFR follows a beta distribution; an invasive reading adds noise, a model adds its own,
unbiased; both are rounded to 0.01 and positive at 0.80 or below. The SD of a reading is
calculated, not published: repeats in DEFER judge alike with 95 % at 0.75 and 0.85 and with 80 %
at 0.77 and 0.83 (Petraco, JACC Cardiovasc Interv 2013;6:222), which is an SD of 0.021 to 0.025
for normal noise in both readings. Everything follows from the joint distribution
of the two printed numbers, which is summed exactly: no random numbers.
"""

from __future__ import annotations

import functools

import numpy as np
from scipy import optimize, stats

from meshes.arrays import Floats
from validation.cohort.metrics import Ceiling, CeilingRow
from validation.cohort.reading import THRESHOLD, Pairs, at_most

INVASIVE_SD = 0.023
MODEL_SDS = (0.0, 0.03, 0.05, 0.07, 0.09, 0.11)
_PRINTED = np.arange(0, 131) / 100  # FFR as printed; noise may carry it above 1
_GRID = (np.arange(500) + 0.5) / 500
_LEAST_SD = 0.005  # of a model: a smaller one has no distribution on this grid
FEW = "the invasive readings vary no more than repeats of one of them do"


def ceiling(pairs: Pairs) -> Ceiling:
    """Return the rows for a cohort with this prevalence and spread of invasive FFR."""
    why_not = "at least ten vessels are needed" if len(pairs) < 10 else None
    variance = float(pairs.invasive_ffr.var(ddof=1)) - INVASIVE_SD**2 if not why_not else 0.0
    if not why_not and variance < _LEAST_SD**2:
        why_not = FEW
    if why_not:
        blank = dict.fromkeys(("true_mean", "true_sd", "prevalence", "own_model_sd", "own"))
        return Ceiling(invasive_sd=INVASIVE_SD, rows=(), why_not=why_not, **blank)
    sd = float(np.sqrt(variance))
    found = float(at_most(pairs.invasive_ffr, THRESHOLD).mean())
    mean = true_mean(sd, found, float(pairs.invasive_ffr.mean()))
    gap = pairs.ffr - pairs.invasive_ffr
    own = float(np.sqrt(max(float(gap.var(ddof=1)) - INVASIVE_SD**2, 0.0)))
    truth = _truth(mean, sd)
    return Ceiling(
        invasive_sd=INVASIVE_SD, true_mean=mean, true_sd=sd,
        prevalence=_prevalence(truth),
        own_model_sd=own, rows=tuple(expected(mean, sd, m) for m in MODEL_SDS),
        own=expected(mean, sd, own), why_not=None,
    )  # fmt: skip


def true_mean(sd: float, prevalence: float, usual: float) -> float:
    """Return the mean of the beta distribution of this SD that gives this prevalence.

    Where no such mean exists, as with a prevalence of 0 or 1, `usual` is the mean.
    """

    def excess(mean: float) -> float:
        return _prevalence(_truth(mean, sd)) - prevalence

    # a beta distribution of SD s needs m (1 - m) > s²
    room = 0.5 - np.sqrt(max(0.25 - sd**2, 0.0))
    low, high = 0.5, 1 - 1.5 * room
    if not 0 < prevalence < 1 or excess(low) < 0 or excess(high) > 0:
        return float(np.clip(usual, low, high))
    return float(optimize.brentq(excess, low, high, xtol=1e-5))


def expected(mean: float, sd: float, model_sd: float) -> CeilingRow:
    """Return what a model of this error shows against invasive FFR.

    Parameters
    ----------
    mean, sd
        Of the true FFR.
    model_sd
        SD of computed minus true FFR.
    """
    joint = _joint(_truth(mean, sd), model_sd)  # rows: invasive, columns: computed
    x, y = _PRINTED[:, None], _PRINTED[None, :]
    sick, called = x <= THRESHOLD + 1e-9, y <= THRESHOLD + 1e-9
    agree = np.where(sick == called, joint, 0)

    def accuracy(of: Floats, low: float, high: float) -> float:
        inside = (of >= low - 1e-9) & (of <= high + 1e-9)
        return float((agree * inside).sum()) / float((joint * inside).sum())

    mx, my = float((joint * x).sum()), float((joint * y).sum())
    vx, vy = float((joint * x**2).sum()) - mx**2, float((joint * y**2).sum()) - my**2
    cov = float((joint * x * y).sum()) - mx * my
    return CeilingRow(
        model_sd=model_sd,
        accuracy=float(agree.sum()),
        sensitivity=float((joint * (sick & called)).sum() / (joint * sick).sum()),
        specificity=float((joint * ~(sick | called)).sum() / (joint * ~sick).sum()),
        auc=_auc(joint), pearson=float(cov / np.sqrt(vx * vy)),
        limits=float(1.96 * np.sqrt(vx + vy - 2 * cov)),
        accuracy_computed_076_080=accuracy(y, 0.76, 0.80),
        accuracy_computed_070_080=accuracy(y, 0.70, 0.80),
        accuracy_invasive_075_085=accuracy(x, 0.75, 0.85),
    )  # fmt: skip


def _truth(mean: float, sd: float) -> Floats:
    """Return the probability of each cell of the grid of true FFR."""
    size = mean * (1 - mean) / sd**2 - 1
    edges = np.linspace(0, 1, _GRID.size + 1)
    share: Floats = np.diff(stats.beta.cdf(edges, mean * size, (1 - mean) * size))
    return share / share.sum()


def _prevalence(truth: Floats) -> float:
    return float((truth @ _invasive())[_PRINTED <= THRESHOLD + 1e-9].sum())


def _printed(sd: float) -> Floats:
    """Return the probability of each printed value (columns) for each true one (rows)."""
    edges = np.concatenate([[-np.inf], _PRINTED[1:] - 0.005, [np.inf]])
    distance = (edges[None, :] - _GRID[:, None]) / max(sd, 1e-6)
    return np.asarray(np.diff(stats.norm.cdf(distance), axis=1))


def _joint(truth: Floats, model_sd: float) -> Floats:
    """Return the probability of each pair of printed values: invasive, computed."""
    return np.asarray((_invasive() * truth[:, None]).T @ _printed(model_sd))


@functools.cache
def _invasive() -> Floats:
    return _printed(INVASIVE_SD)


def _auc(joint: Floats) -> float:
    sick = joint[_PRINTED <= THRESHOLD + 1e-9].sum(axis=0)
    well = joint[_PRINTED > THRESHOLD + 1e-9].sum(axis=0)
    lower = np.cumsum(sick) - sick / 2  # sick ranked below, ties half
    return float((lower * well).sum() / (sick.sum() * well.sum()))
