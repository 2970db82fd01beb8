"""How does computed follow invasive FFR? Correlation, ICC, regression with errors in both."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pingouin
from scipy import stats

from meshes.arrays import Floats
from validation.cohort.agreement import known, missing
from validation.cohort.metrics import Correlation, Estimate, Interval
from validation.cohort.reading import Pairs
from validation.cohort.resampling import Statistic, clustered

FEW = "at least five vessels with differing FFR are needed"
FISHER, DRAWN, F_TEST = "Fisher z", "bootstrap of patients", "F (Shrout and Fleiss 1979)"
RANKS = "ranks of the slopes (Passing and Bablok 1983)"


def correlation(pairs: Pairs, draws: int) -> Correlation:
    """Return the coefficients, x invasive and y computed."""
    x, y = pairs.invasive_ffr, pairs.ffr
    if len(pairs) < 5 or np.ptp(x) == 0 or np.ptp(y) == 0:
        ways = (FISHER, DRAWN, F_TEST, DRAWN, DRAWN, RANKS, RANKS)
        nothing = (missing(FEW, way, len(pairs)) for way in ways)
        return Correlation(**dict(zip(Correlation.model_fields, nothing, strict=True)))

    def estimate(
        value: float, interval: Interval | None, method: str, statistic: Statistic | None
    ) -> Estimate:
        drawn = None if statistic is None else clustered(pairs.patient, statistic, draws)
        ends = drawn if method == DRAWN else interval
        return known(value, ends, method, len(pairs), drawn)

    pearson = stats.pearsonr(x, y)
    ends = pearson.confidence_interval(0.95)
    icc, icc_ends = icc_absolute(x, y)
    slope, intercept = (float(v[0]) for v in deming(x, y, np.ones((1, x.size))))
    by_rank = passing_bablok(x, y)
    return Correlation(
        pearson=estimate(
            float(pearson.statistic), _interval(ends.low, ends.high), FISHER,
            lambda w: weighted_pearson(np.broadcast_to(x, w.shape), y, w),
        ),
        spearman=estimate(float(stats.spearmanr(x, y).statistic), None, DRAWN, _spearman(x, y)),
        icc=estimate(icc, icc_ends, F_TEST, None),
        deming_slope=estimate(slope, None, DRAWN, lambda w: deming(x, y, w)[0]),
        deming_intercept=estimate(intercept, None, DRAWN, lambda w: deming(x, y, w)[1]),
        passing_bablok_slope=estimate(*by_rank[0], RANKS, None),
        passing_bablok_intercept=estimate(*by_rank[1], RANKS, None),
    )  # fmt: skip


def weighted_pearson(x: Floats, y: Floats, weights: Floats) -> Floats:
    """Return Pearson's r per draw; x and y may differ from draw to draw, shape (draws, n)."""
    n = weights.sum(axis=1, keepdims=True)
    dx = x - (weights * x).sum(axis=1, keepdims=True) / n
    dy = y - (weights * y).sum(axis=1, keepdims=True) / n
    both = (weights * dx * dy).sum(axis=1)
    size = np.sqrt((weights * dx**2).sum(axis=1) * (weights * dy**2).sum(axis=1))
    return np.divide(both, size, out=np.full(len(weights), np.nan), where=size > 1e-15)


def _spearman(x: Floats, y: Floats) -> Statistic:
    return lambda w: weighted_pearson(weighted_ranks(x, w), weighted_ranks(y, w), w)


def weighted_ranks(values: Floats, weights: Floats) -> Floats:
    """Return the mid-ranks that rows have when each stands there `weights` times."""
    _, level = np.unique(values, return_inverse=True)
    onto = np.zeros((values.size, int(level.max()) + 1))
    onto[np.arange(values.size), level] = 1
    at_level = weights @ onto
    middle = np.cumsum(at_level, axis=1) - at_level / 2 + 0.5
    return np.asarray(middle[:, level])


def icc_absolute(x: Floats, y: Floats) -> tuple[float, Interval | None]:
    """Return ICC(2,1), absolute agreement of two single measurements, by pingouin."""
    n = x.size
    columns = {
        "vessel": np.tile(np.arange(n), 2), "ffr": np.concatenate([x, y]),
        "method": np.repeat(["invasive", "computed"], n),
    }  # fmt: skip
    with warnings.catch_warnings():  # pingouin's own, on what pandas will change
        warnings.simplefilter("ignore")
        found = pingouin.intraclass_corr(
            pd.DataFrame(columns), targets="vessel", raters="method", ratings="ffr"
        ).set_index("Type")
    (name,) = [k for k in found.index if k.replace("(", "").startswith(("ICC2", "ICCA,1"))][:1]
    (ends,) = [found.loc[name, c] for c in found.columns if c.startswith("CI95")]
    return float(found.loc[name, "ICC"]), _interval(*ends)


def deming(x: Floats, y: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return slope and intercept per draw of the line nearest in both directions.

    Equal error variances (Deming 1943; Linnet, Clin Chem 1993;39:424).
    """
    n = weights.sum(axis=1)
    mx, my = weights @ x / n, weights @ y / n
    sxx = weights @ x**2 / n - mx**2
    syy = weights @ y**2 / n - my**2
    sxy = weights @ (x * y) / n - mx * my
    ratio = np.divide(syy - sxx, 2 * sxy, out=np.full(n.size, np.nan), where=sxy > 1e-15)
    slope = ratio + np.sqrt(ratio**2 + 1)
    return slope, my - slope * mx


def passing_bablok(
    x: Floats, y: Floats
) -> tuple[tuple[float, Interval | None], tuple[float, Interval | None]]:
    """Return slope and intercept with their intervals (Passing and Bablok 1983).

    The shifted median of the slopes between all pairs of rows, pairs of equal x left out.
    """
    i, j = np.triu_indices(x.size, 1)
    dx, dy = x[i] - x[j], y[i] - y[j]
    with np.errstate(divide="ignore"):
        slopes = (dy / np.where(dx == 0, np.nan, dx))[dx != 0]
    slopes = np.sort(slopes[slopes != -1])
    n, count, shift = x.size, slopes.size, int((slopes < -1).sum())
    if count - shift < 2:
        return (float("nan"), None), (float("nan"), None)

    def at(rank: float) -> float:
        below, above = int(np.floor(rank)), int(np.ceil(rank))
        return float((slopes[below] + slopes[above]) / 2)

    slope = at((count - 1) / 2 + shift)
    width = stats.norm.ppf(0.975) * np.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    first = round((count - width) / 2)
    low, high = first + shift - 1, count - first + shift
    intercept = float(np.median(y - slope * x))
    if low < 0 or high >= count:
        return (slope, None), (intercept, None)
    ends = (float(slopes[low]), float(slopes[high]))
    lines = [float(np.median(y - b * x)) for b in ends]
    return (slope, _interval(*ends)), (intercept, _interval(min(lines), max(lines)))


def _interval(low: float, high: float) -> Interval | None:
    finite = np.isfinite([low, high]).all()
    return Interval(low=float(low), high=float(high)) if finite else None
