"""How well does a score rank vessels? AUC, DeLong's comparison, and patients as clusters.

The curve itself comes from scikit-learn; no library of this project's has DeLong's and
Obuchowski's covariances, so these are here, checked in the tests against published examples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats
from sklearn import metrics

from meshes.arrays import Floats, Ints
from validation.cohort.agreement import known, missing
from validation.cohort.metrics import Estimate, Interval, Rival, Roc
from validation.cohort.reading import THRESHOLD, Pairs, at_most
from validation.cohort.resampling import Statistic, clustered

DELONG = "DeLong"
ONE_KIND = "all invasive readings are on one side of 0.80"
_NORMAL_975 = float(stats.norm.ppf(0.975))


def placements(score: Floats, positive: np.ndarray) -> tuple[Floats, Floats]:
    """Return the share of the other kind that each row outranks; ties count half.

    Parameters
    ----------
    score
        Higher means more likely positive, shape (n,).
    positive
        Which rows are, shape (n,).

    Returns
    -------
    For positives the share of negatives below, for negatives the share of positives above;
    the mean of either is the AUC (DeLong, Biometrics 1988;44:837; by midranks, Sun and Xu,
    IEEE Signal Process Lett 2014;21:1389).
    """
    sick, well = score[positive], score[~positive]
    rank = stats.rankdata(np.concatenate([sick, well]))
    of_sick = (rank[: sick.size] - stats.rankdata(sick)) / well.size
    of_well = 1 - (rank[sick.size :] - stats.rankdata(well)) / sick.size
    return of_sick, of_well


def covariance(scores: Sequence[Floats], positive: np.ndarray) -> Floats:
    """Return the covariances of the AUCs of scores of the same rows (DeLong 1988)."""
    pairs = [placements(score, positive) for score in scores]
    sick, well = (np.atleast_2d([p[k] for p in pairs]) for k in (0, 1))
    cov: Floats = np.atleast_2d(np.cov(sick)) / sick.shape[1]
    return cov + np.atleast_2d(np.cov(well)) / well.shape[1]


def clustered_covariance(
    scores: Sequence[Floats], positive: np.ndarray, patient: Ints
) -> Floats:
    """Return the same when rows of one patient depend on each other.

    Obuchowski, Biometrics 1997;53:567: DeLong's placements, summed within patients. With one
    row per patient it is DeLong's covariance.
    """
    every = int(patient.max()) + 1
    sick = np.bincount(patient[positive], minlength=every)
    well = np.bincount(patient[~positive], minlength=every)

    def sums(score: Floats) -> tuple[Floats, Floats]:
        of_sick, of_well = placements(score, positive)
        auc = of_sick.mean()
        return (
            np.bincount(patient[positive], of_sick, every) - sick * auc,
            np.bincount(patient[~positive], of_well, every) - well * auc,
        )

    a, b = (np.array(part) for part in zip(*map(sums, scores), strict=True))
    m, n = int(positive.sum()), int((~positive).sum())
    has_sick, has_well = int((sick > 0).sum()), int((well > 0).sum())
    cross = a @ b.T * every / (every - 1) / (m * n)
    own_sick = a @ a.T * has_sick / (has_sick - 1) / m**2
    own_well = b @ b.T * has_well / (has_well - 1) / n**2
    return np.asarray(own_sick + own_well + cross + cross.T)


def weighted_auc(score: Floats, positive: np.ndarray) -> Statistic:
    """Return the AUC as a statistic of how often each row was drawn."""
    sick, well = score[positive], score[~positive]
    above = (sick[:, None] > well) + 0.5 * (sick[:, None] == well)

    def statistic(weights: Floats) -> Floats:
        of_sick, of_well = weights[:, positive], weights[:, ~positive]
        won = ((of_sick @ above) * of_well).sum(axis=1)
        pairs = of_sick.sum(axis=1) * of_well.sum(axis=1)
        return np.divide(won, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)

    return statistic


def auc_estimate(pairs: Pairs, draws: int) -> Estimate:
    """Return the AUC of computed FFR for invasive FFR of 0.80 or below."""
    positive, score = at_most(pairs.invasive_ffr, THRESHOLD), -pairs.ffr
    why_not = _why_not(positive)
    if why_not:
        return missing(why_not, DELONG, len(pairs))
    auc, interval = float(metrics.roc_auc_score(positive, score)), None
    if min(positive.sum(), (~positive).sum()) > 1:
        interval = _around(auc, float(covariance([score], positive)[0, 0]))
    drawn = clustered(pairs.patient, weighted_auc(score, positive), draws)
    return known(auc, interval, DELONG, len(pairs), drawn)


def roc(pairs: Pairs, draws: int) -> Roc:
    """Return curve, AUC, and the comparison with percent stenosis."""
    positive, score = at_most(pairs.invasive_ffr, THRESHOLD), -pairs.ffr
    estimate, analytic = auc_estimate(pairs, draws), None
    corners: tuple[tuple[float, ...], ...] = ((), ())
    if estimate.value is not None:
        x, y, _ = metrics.roc_curve(positive, score)
        corners = (tuple(map(float, x)), tuple(map(float, y)))
        if _clusters_suffice(positive, pairs.patient):
            variance = clustered_covariance([score], positive, pairs.patient)[0, 0]
            analytic = _around(estimate.value, float(variance))
    return Roc(
        auc=estimate, clustered_analytic=analytic,
        false_positive_rate=corners[0], true_positive_rate=corners[1],
        rivals=tuple(rivals(pairs)),
    )  # fmt: skip


def rivals(pairs: Pairs) -> list[Rival]:
    """Compare computed FFR with percent stenosis, graded and measured."""
    found = []
    for name, percent in (
        ("stenosis as graded", pairs.stenosis_percent),
        ("stenosis as measured", pairs.found_stenosis_percent),
    ):
        graded = np.isfinite(percent)
        part, score = pairs.part(graded), percent[graded]
        found.append(compared(f"{name}, %", part, score))
        found += [
            compared(f"{name}, ≥ {cut} %", part, (score >= cut).astype(np.float64))
            for cut in (50, 70)
        ]
    return found


def compared(name: str, pairs: Pairs, score: Floats) -> Rival:
    """Compare the AUC of computed FFR with that of another score of the same rows."""
    n, positive, ours = len(pairs), at_most(pairs.invasive_ffr, THRESHOLD), -pairs.ffr
    why_not = "it is not known" if n == 0 else _why_not(positive)
    if not why_not and min(positive.sum(), (~positive).sum()) < 2:
        why_not = "a comparison needs two rows on each side of 0.80"
    if why_not:
        blank = dict.fromkeys(("ours", "theirs", "p_delong", "p_clustered"))
        return Rival(name=name, n=n, difference=missing(why_not, DELONG, n), **blank)
    areas = [float(metrics.roc_auc_score(positive, s)) for s in (ours, score)]
    gap = areas[0] - areas[1]
    variance = _of_difference(covariance([ours, score], positive))
    p_clustered = None
    if _clusters_suffice(positive, pairs.patient):
        by_patient = clustered_covariance([ours, score], positive, pairs.patient)
        p_clustered = _p_value(gap, _of_difference(by_patient))
    return Rival(
        name=name, n=n, ours=areas[0], theirs=areas[1],
        difference=known(gap, _around(gap, variance, -1.0), DELONG, n),
        p_delong=_p_value(gap, variance), p_clustered=p_clustered,
    )  # fmt: skip


def _why_not(positive: np.ndarray) -> str | None:
    if positive.size == 0:
        return "no vessel was read"
    return ONE_KIND if positive.all() or not positive.any() else None


def _clusters_suffice(positive: np.ndarray, patient: Ints) -> bool:
    return all(np.unique(patient[side]).size > 1 for side in (positive, ~positive))


def _of_difference(cov: Floats) -> float:
    return float(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1])


def _p_value(gap: float, variance: float) -> float | None:
    if variance < 1e-15:  # the same ranking, or one that nothing can vary
        return None
    return float(2 * stats.norm.sf(abs(gap) / np.sqrt(variance)))


def _around(value: float, variance: float, least: float = 0.0) -> Interval | None:
    if variance < 1e-15:
        return None
    half = _NORMAL_975 * np.sqrt(variance)
    return Interval(low=max(least, value - half), high=min(1.0, value + half))
