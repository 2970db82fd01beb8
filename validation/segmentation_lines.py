"""What are the numbers of the table, exactly, and how sure is each of them?

Every number is a function of a few sums over patients, or a quantile of what is pooled over
them. Its 95 % interval is a bootstrap over patients (percentile; Efron 1979), as the points
and lesions of one patient are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import bootstrap

from meshes.arrays import AnyArray, Floats, floats
from validation.segmentation_case import Case, Points, Stenosis

NORMAL_90 = 1.645
HEAVY_DEGREES = 180.0
SEVERE_PERCENT = 50.0
OSTIUM_MM = 1.5
WIDTH_MM = (1.0, 3.0)  # of the lumens whose diameter is judged
RESAMPLES = 999


class Estimate(NamedTuple):
    """A number, its 95 % interval over patients, and how many things it rests on."""

    value: float
    low: float
    high: float
    number: int


NOTHING = Estimate(float("nan"), float("nan"), float("nan"), 0)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table.

    Parameters
    ----------
    name
        What it is, with its unit.
    parts
        Sums of one case, shape (k,); the last one is how many things it rests on. Or, for a
        quantile, the values of one case.
    value
        The number from the sums (..., k); or, for a quantile, which one, 0 to 1.
    allowed
        Least and largest value that meets the target; None: reported only.
    target
        The target in words.
    digits
        Behind the point.
    """

    name: str
    parts: Callable[[Case], Sequence[float]]
    value: Callable[[Floats], AnyArray] | float
    allowed: tuple[float, float] | None = None
    target: str = ""
    digits: int = 2


def estimate(line: Line, cases: Sequence[Case]) -> Estimate:
    """Return a line's number over some cases; NaN where there is nothing to count."""
    rows = [floats(line.parts(c)) for c in cases]
    if isinstance(line.value, float):
        return _quantile(rows, line.value)
    if not rows:
        return NOTHING
    sums, value = np.array(rows), line.value
    total = sums.sum(axis=0)
    if not total[-1]:
        return NOTHING

    def statistic(index: AnyArray, axis: int = -1) -> AnyArray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(value(floats(sums[index].sum(axis=-2))))

    middle = float(statistic(np.arange(len(rows))))
    return Estimate(middle, *_interval(statistic, len(rows), True), int(total[-1]))


def _quantile(rows: Sequence[Floats], share: float) -> Estimate:
    pooled = np.concatenate([*rows, np.zeros(0)])
    if not pooled.size:
        return NOTHING

    def statistic(index: AnyArray) -> AnyArray:
        drawn = np.concatenate([rows[int(k)] for k in index])
        return np.asarray(np.quantile(drawn, share) if drawn.size else np.nan)

    interval = _interval(statistic, len(rows), False)
    return Estimate(float(np.quantile(pooled, share)), *interval, pooled.size)


def _interval(
    statistic: Callable[..., AnyArray], count: int, vectorized: bool
) -> tuple[float, float]:
    if count < 3:  # fewer patients say nothing of how patients differ
        return float("nan"), float("nan")
    patients = np.arange(count, dtype=np.int64)
    made = bootstrap(
        (patients,), statistic, n_resamples=RESAMPLES, method="percentile",
        vectorized=vectorized, rng=np.random.default_rng(0),
    )  # fmt: skip
    drawn = made.bootstrap_distribution[np.isfinite(made.bootstrap_distribution)]
    if not drawn.size:
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def share(sums: Floats) -> AnyArray:
    """Return first over last, in percent."""
    return np.asarray(100.0 * sums[..., 0] / sums[..., -1])


def mean(sums: Floats) -> AnyArray:
    """Return first over last."""
    return np.asarray(sums[..., 0] / sums[..., -1])


def spread(sums: Floats) -> AnyArray:
    """Return the standard deviation from sum, sum of squares and count."""
    n = sums[..., 2]
    return np.asarray(np.sqrt(np.maximum(sums[..., 1] - sums[..., 0] ** 2 / n, 0.0) / (n - 1)))


def overlap(sums: Floats) -> AnyArray:
    """OV of Schaap 2009: what both have over what either has, true, right and false length.

    (covered true + right found) / (true + right found + false found), of vessels of 1.5 mm
    and more; see `validation.agreement.Course`.
    """
    covered, right, false, true = np.moveaxis(sums, -1, 0)
    return np.asarray((covered + right) / (true + right + false))


Chosen = Callable[[Points], AnyArray]  # tells the points that count


def wide(p: Points, low: float = WIDTH_MM[0], high: float = WIDTH_MM[1]) -> AnyArray:
    """Tell the points of lumens of 1 to 3 mm."""
    true = floats(p.true_mm)
    return np.asarray((true >= low) & (true < high))


def not_heavy(p: Points) -> AnyArray:
    """Tell the points of 1 to 3 mm with an arc of calcium of up to 180 degrees, or none."""
    return np.asarray(wide(p) & (floats(p.calcium_deg) <= HEAVY_DEGREES))


def light(p: Points) -> AnyArray:
    """Tell those of them that have calcium."""
    return np.asarray(not_heavy(p) & (floats(p.calcium_deg) > 0))


def heavy(p: Points) -> AnyArray:
    """Tell the points of 1 to 3 mm with an arc over 180 degrees."""
    return np.asarray(wide(p) & (floats(p.calcium_deg) > HEAVY_DEGREES))


def errors(case: Case, chosen: Chosen, which: str = "error_mm") -> tuple[Floats, Floats]:
    """Return diameter errors of some points of a case and the SD that was reported."""
    p = case.points
    here = chosen(p)
    return floats(floats(getattr(p, which))[here]), floats(floats(p.sd_mm)[here])


def diameter(chosen: Chosen, which: str = "error_mm") -> Callable[[Case], Sequence[float]]:
    """Return the sums behind bias and SD of the diameter."""

    def parts(case: Case) -> Sequence[float]:
        e, _ = errors(case, chosen, which)
        return float(e.sum()), float((e**2).sum()), float(e.size)

    return parts


def coverage(chosen: Chosen) -> Callable[[Case], Sequence[float]]:
    """Return the sums behind the share of points inside their own 90 % interval."""

    def parts(case: Case) -> Sequence[float]:
        e, sd = errors(case, chosen)
        return float((np.abs(e) <= NORMAL_90 * sd).sum()), float(e.size)

    return parts


def lesion_errors(
    case: Case, found: str, true: str, kind: Callable[[Stenosis], bool]
) -> Floats:
    """Return found − true over the stenoses of a kind where both are known."""
    pairs = [(getattr(x, found), getattr(x, true)) for x in case.stenoses if kind(x)]
    return floats([f - t for f, t in pairs if f is not None and t is not None])


def mean_size(
    found: str, true: str, kind: Callable[[Stenosis], bool]
) -> Callable[[Case], Sequence[float]]:
    """Return the sums behind a mean absolute error over stenoses."""

    def parts(case: Case) -> Sequence[float]:
        e = np.abs(lesion_errors(case, found, true, kind))
        return float(e.sum()), float(e.size)

    return parts


def counted(
    hit: Callable[[Stenosis], bool], kind: Callable[[Stenosis], bool]
) -> Callable[[Case], Sequence[float]]:
    """Return how many stenoses of a kind are hit, and how many there are."""

    def parts(case: Case) -> Sequence[float]:
        rows = [x for x in case.stenoses if kind(x)]
        return float(sum(hit(x) for x in rows)), float(len(rows))

    return parts
