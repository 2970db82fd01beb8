"""What are the numbers over all labelled scans, and how sure is each of them?

Every number is a function of a few sums over scans. Its 95 % interval is the percentile
interval of a bootstrap of scans, as points, vessels and stenoses of one scan are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ffr.results.cad_rads import NORMAL_95
from meshes.arrays import AnyArray, Floats, floats, ints
from validation.cohort.resampling import clustered
from validation.labelled_case import LabelCase
from validation.segmentation_lines import mean, spread

FEWEST = 3  # scans: fewer say nothing of how scans differ
Value = Callable[[Floats], AnyArray]
Parts = Callable[[LabelCase], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of the report.

    Parameters
    ----------
    key, name
        In `metrics.json`, and in words with the unit.
    parts
        Sums of one scan, shape (k,); the last one counts what the number rests on.
    value
        The number from sums (..., k).
    digits
        Behind the point.
    things
        What the last sum counts.
    """

    key: str
    name: str
    parts: Parts
    value: Value
    digits: int = 1
    things: str = "scans"


class Number(NamedTuple):
    """A number, None where there is nothing to count, and its 95 % interval over scans."""

    value: float | None
    interval: tuple[float, float] | None
    rests_on: int


def number(measure: Measure, cases: Sequence[LabelCase]) -> Number:
    """Return a measure over some scans; no interval for fewer than three."""
    if not cases:
        return Number(None, None, 0)
    sums = np.array([floats(measure.parts(c)) for c in cases])

    def statistic(weights: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return floats(measure.value(floats(weights @ sums)))

    middle = float(statistic(np.ones((1, len(cases))))[0])
    count = int(sums[:, -1].sum())
    if not np.isfinite(middle):
        return Number(None, None, count)
    drawn = None
    if np.count_nonzero(sums[:, -1]) >= FEWEST:
        drawn = clustered(ints(np.arange(len(cases))), statistic)
    return Number(middle, None if drawn is None else (drawn.low, drawn.high), count)


def limit(sign: float) -> Value:
    """Return mean -+ 1.96 SD (Bland & Altman 1986)."""
    return lambda sums: np.asarray(mean(sums) + sign * NORMAL_95 * spread(sums))


def mean_of(values: Callable[[LabelCase], Sequence[float | None]]) -> Parts:
    """Return the sums behind a mean over all there is; None is left out."""

    def parts(case: LabelCase) -> tuple[float, float]:
        known = [v for v in values(case) if v is not None]
        return float(sum(known)), float(len(known))

    return parts


def moments(values: Callable[[LabelCase], Floats]) -> Parts:
    """Return the sums behind bias and limits of agreement."""

    def parts(case: LabelCase) -> tuple[float, float, float]:
        e = values(case)
        return float(e.sum()), float((e**2).sum()), float(e.size)

    return parts


def agreement_measures(
    key: str, name: str, values: Callable[[LabelCase], Floats], things: str
) -> list[Measure]:
    """Return bias, SD and both limits of agreement of some differences."""
    parts = moments(values)
    return [
        Measure(f"{key}_bias", f"{name}: bias", parts, mean, 3, things),
        Measure(f"{key}_sd", f"{name}: SD", parts, spread, 3, things),
        Measure(f"{key}_lower", f"{name}: lower limit", parts, limit(-1), 3, things),
        Measure(f"{key}_upper", f"{name}: upper limit", parts, limit(1), 3, things),
    ]
