"""How far is computed from invasive FFR? Bland-Altman, with several vessels of a patient."""

from __future__ import annotations

import numpy as np
from scipy import stats
from statsmodels.regression.linear_model import OLS

from meshes.arrays import Floats, Ints
from validation.cohort.metrics import BlandAltman, Estimate, Interval, Repeated
from validation.cohort.reading import Pairs
from validation.cohort.resampling import clustered

Z = 1.96  # of the limits of agreement, as published
BY_T, BY_1999, BY_DRAWS = "t", "Bland and Altman 1999", "bootstrap of patients"
BY_CLUSTERS = "least squares, patients as clusters"
FEW = "at least two vessels are needed"


def bland_altman(pairs: Pairs, draws: int) -> BlandAltman:
    """Return bias and limits of agreement of computed minus invasive FFR.

    Limits' intervals: SE² = SD² (1/n + 1.96² / (2 (n - 1))) with Student's t (Bland and Altman,
    Stat Methods Med Res 1999;8:135).
    """
    gap, n = pairs.ffr - pairs.invasive_ffr, len(pairs)
    bias = mean_estimate(gap, pairs.patient, draws)
    sd = float(gap.std(ddof=1)) if n > 1 else None
    slope, p = _slope(pairs)
    return BlandAltman(
        n=n, bias=bias, sd=sd,
        lower=_limit(gap, pairs.patient, -Z, draws),
        upper=_limit(gap, pairs.patient, Z, draws),
        mean_absolute=float(np.abs(gap).mean()) if n else None,
        repeated=repeated(gap, pairs.patient, draws), slope=slope, slope_p=p,
    )  # fmt: skip


def mean_estimate(values: Floats, patient: Ints, draws: int) -> Estimate:
    """Return a mean with Student's interval and that of a bootstrap of patients."""
    n = values.size
    if n == 0:
        return missing("no vessel was read", BY_T)
    mean, interval = float(values.mean()), None
    if n > 1:
        interval = around(mean, stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
    drawn = clustered(patient, lambda w: (w @ values) / w.sum(axis=1), draws)
    return known(mean, interval, BY_T, n, drawn)


def _limit(gap: Floats, patient: Ints, z: float, draws: int) -> Estimate:
    if gap.size < 2:
        return missing(FEW, BY_1999)
    value, half = limit_of_agreement(gap, z)

    def statistic(weights: Floats) -> Floats:
        mean, variance = moments(weights, gap)
        return mean + z * np.sqrt(variance)

    drawn = clustered(patient, statistic, draws)
    return known(value, around(value, half), BY_1999, gap.size, drawn)


def limit_of_agreement(gap: Floats, z: float) -> tuple[float, float]:
    """Return mean + z SD of the differences and the half width of its 95 % interval."""
    n, sd = gap.size, float(gap.std(ddof=1))
    half = stats.t.ppf(0.975, n - 1) * sd * np.sqrt(1 / n + Z**2 / (2 * (n - 1)))
    return float(gap.mean() + z * sd), float(half)


def moments(weights: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Return mean and variance of each draw, shapes (draws,)."""
    n = weights.sum(axis=1)
    mean = weights @ values / n
    square = weights @ values**2 / n - mean**2
    return mean, np.maximum(square, 0) * n / np.maximum(n - 1, 1)


def repeated(gap: Floats, patient: Ints, draws: int) -> Repeated:
    """Return the limits of agreement for one vessel of a new patient.

    Variance within and between patients by one-way analysis of variance for unequal numbers,
    added; for pairs in which the true value varies (Bland and Altman, J Biopharm Stat
    2007;17:571, section 3).
    """
    why_not = None
    counts = np.bincount(patient)
    if gap.size < 2 or counts.size < 2:
        why_not = "at least two patients are needed"
    elif counts.max() < 2:
        why_not = "every patient has one vessel: the usual limits are right"
    if why_not:
        none = missing(why_not, BY_DRAWS)
        sds = dict.fromkeys(("within_sd", "between_sd", "sd"))
        return Repeated(**sds, lower=none, upper=none, why_not=why_not)
    within, between = (
        float(v[0]) for v in variance_parts(gap, patient, np.ones((1, gap.size)))
    )
    sd = float(np.sqrt(within + between))

    def limit(z: float) -> Estimate:
        def statistic(weights: Floats) -> Floats:
            total = np.add(*variance_parts(gap, patient, weights))
            return weights @ gap / weights.sum(axis=1) + z * np.sqrt(total)

        drawn = clustered(patient, statistic, draws)
        return known(float(gap.mean() + z * sd), drawn, BY_DRAWS, gap.size, drawn)

    return Repeated(
        within_sd=float(np.sqrt(within)), between_sd=float(np.sqrt(between)), sd=sd,
        lower=limit(-Z), upper=limit(Z), why_not=None,
    )  # fmt: skip


def variance_parts(gap: Floats, patient: Ints, weights: Floats) -> tuple[Floats, Floats]:
    """Return variance within and between patients, negative ones as 0, shapes (draws,).

    Parameters
    ----------
    gap, patient
        Differences and the number of their patient, shapes (n,).
    weights
        How often each patient was drawn, repeated for its rows, shape (draws, n). A patient
        drawn twice counts as two patients.
    """
    size = np.bincount(patient).astype(np.float64)
    mean = np.bincount(patient, gap) / size
    inner = np.bincount(patient, (gap - mean[patient]) ** 2)
    first = np.unique(patient, return_index=True)[1]
    drawn = weights[:, first]  # (draws, patients)
    patients, rows = drawn.sum(axis=1), drawn @ size
    grand = drawn @ (size * mean) / rows
    between = drawn @ (size * mean**2) - rows * grand**2
    with np.errstate(divide="ignore", invalid="ignore"):
        ms_within = (drawn @ inner) / (rows - patients)
        ms_between = between / (patients - 1)
        usual_size = (rows - drawn @ size**2 / rows) / (patients - 1)
        part = (ms_between - ms_within) / usual_size
    return ms_within, np.where(np.isnan(part), np.nan, np.maximum(part, 0))


def _slope(pairs: Pairs) -> tuple[Estimate, float | None]:
    """Regress the difference on the mean of both; cluster-robust errors of statsmodels."""
    mean, gap = (pairs.ffr + pairs.invasive_ffr) / 2, pairs.ffr - pairs.invasive_ffr
    if np.unique(pairs.patient).size < 3 or mean.size < 3 or np.ptp(mean) == 0:
        return missing("at least three patients are needed", BY_CLUSTERS), None
    design = np.column_stack([np.ones(mean.size), mean])
    fit = OLS(gap, design).fit(
        cov_type="cluster", cov_kwds={"groups": pairs.patient}, use_t=True
    )
    (low, high), p = fit.conf_int()[1], fit.pvalues[1]
    if not np.isfinite([low, high, p]).all():
        return missing("the differences do not vary", BY_CLUSTERS), None
    ends = Interval(low=float(low), high=float(high))
    return known(float(fit.params[1]), ends, BY_CLUSTERS, len(pairs)), float(p)


def known(
    value: float, interval: Interval | None, method: str, n: int,
    drawn: Interval | None = None,
) -> Estimate:  # fmt: skip
    """Return an estimate with its interval, and that of patients drawn anew."""
    return Estimate(
        value=value, interval=interval, method=method, clustered=drawn, n=n, why_not=None
    )


def around(value: float, half: float) -> Interval:
    """Return the interval of a half width."""
    return Interval(low=float(value - half), high=float(value + half))


def missing(why_not: str, method: str, n: int = 0) -> Estimate:
    """Return an estimate that does not exist, and why."""
    return Estimate(
        value=None, interval=None, method=method, clustered=None, n=n, why_not=why_not
    )
