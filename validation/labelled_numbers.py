"""What are the numbers over all labelled scans, and how sure is each of them?

Every number is a function of a few sums over scans. Its 95 % interval is the percentile
interval of a bootstrap of scans, as points, vessels and stenoses of one scan are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from meshes.arrays import AnyArray, Floats, floats, ints
from validation.agreement import NORMAL_95
from validation.cohort.resampling import clustered
from validation.labelled_case import LabelCase
from validation.mask_overlap import MaskOverlap
from validation.segmentation_case import Stenosis
from validation.segmentation_lines import SEVERE_PERCENT

FEWEST = 3  # scans: fewer say nothing of how scans differ
WIDTHS_MM = ((1.5, 2.0), (2.0, 3.0), (3.0, 99.0))  # healthy diameter
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
    """

    key: str
    name: str
    parts: Parts
    value: Value
    digits: int = 1


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


def mean(sums: Floats) -> AnyArray:
    """Return first over last."""
    return np.asarray(sums[..., 0] / sums[..., -1])


def percent(sums: Floats) -> AnyArray:
    """Return first over last, in percent."""
    return 100.0 * mean(sums)


def spread(sums: Floats) -> AnyArray:
    """Return the standard deviation from sum, sum of squares and count."""
    n = sums[..., 2]
    return np.asarray(np.sqrt(np.maximum(sums[..., 1] - sums[..., 0] ** 2 / n, 0.0) / (n - 1)))


def limit(sign: float) -> Value:
    """Return mean -+ 1.96 SD (Bland & Altman 1986)."""
    return lambda sums: np.asarray(mean(sums) + sign * NORMAL_95 * spread(sums))


def whole_tree(sums: Floats) -> AnyArray:
    """Return (covered + right) / (label's + right + false) length, in percent."""
    covered, right, false, true = np.moveaxis(sums, -1, 0)
    return np.asarray(100.0 * (covered + right) / (true + right + false))


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


def _mask(which: str, field: str) -> Parts:
    def values(case: LabelCase) -> tuple[float | None]:
        if case.failed == "image":
            return (0.0 if field.endswith("percent") else None,)
        masks: MaskOverlap = getattr(case, which)
        return (getattr(masks, field),)

    return mean_of(values)


def _vessels(field: str) -> Parts:
    return mean_of(lambda case: [getattr(v, field) for v in case.vessels])


def overlap_measures() -> list[Measure]:
    """Return masks and centrelines; a scan without a result counts as nothing found."""
    return [
        Measure("dice_percent", "Dice of the lumen, %", _mask("masks", "dice_percent"), mean),
        Measure("cl_dice_percent", "clDice of the lumen, %", _mask("masks", "cl_dice_percent"),
                mean),
        Measure("hd95_mm", "HD95 of the lumen, mm", _mask("masks", "hd95_mm"), mean, 2),
        Measure("network_dice_percent", "Dice of the vessel network's own map, %",
                _mask("network", "dice_percent"), mean),
        Measure("ov_percent", "OV by vessel, %", _vessels("overlap_percent"), mean),
        Measure("of_percent", "OF by vessel, %", _vessels("until_error_percent"), mean),
        Measure("ot_percent", "OT by vessel, %", _vessels("relevant_percent"), mean),
        Measure("ai_mm", "AI by vessel, mm", _vessels("inside_mm"), mean, 3),
        Measure("whole_tree_percent", "overlap of all vessels from 1.5 mm, %",
                lambda c: (c.course.covered_mm, c.course.right_mm, c.course.false_mm,
                           c.course.true_mm), whole_tree),
        Measure("false_length_percent", "found length on no vessel of the label, %",
                lambda c: (c.course.false_mm, c.course.found_mm), percent),
    ]  # fmt: skip


def radius_errors(low_mm: float = 0.0, high_mm: float = 99.0) -> Callable[[LabelCase], Floats]:
    """Return ours − label's radius at points whose healthy diameter is in a range."""

    def values(case: LabelCase) -> Floats:
        r = case.radii
        width = 2.0 * floats(r.healthy_mm)
        error = floats(r.found_mm) - floats(r.told_mm)
        return floats(error[(width >= low_mm) & (width < high_mm)])

    return values


def ffr_errors(case: LabelCase) -> Floats:
    """Return FFR in our lumen − in the label's: ends of vessels, and behind its stenoses."""
    rows = [(x.lumen_ffr, x.true_ffr) for x in case.ends]
    return _differences([*rows, *((x.lumen_ffr, x.true_ffr) for x in case.stenoses)])


def tree_ffr_errors(case: LabelCase) -> Floats:
    """Return the same with our own tree and its outlets."""
    rows = [(x.tree_ffr, x.true_ffr) for x in case.ends]
    return _differences([*rows, *((x.tree_ffr, x.true_ffr) for x in case.stenoses)])


def _differences(rows: Sequence[tuple[float | None, float | None]]) -> Floats:
    return floats([ours - told for ours, told in rows if ours is not None and told is not None])


def agreement_measures(
    key: str, name: str, values: Callable[[LabelCase], Floats], digits: int
) -> list[Measure]:
    """Return bias, SD and both limits of agreement of some differences."""
    parts = moments(values)
    return [
        Measure(f"{key}_bias", f"{name}: bias", parts, mean, digits),
        Measure(f"{key}_sd", f"{name}: SD", parts, spread, digits),
        Measure(f"{key}_lower", f"{name}: lower limit", parts, limit(-1), digits),
        Measure(f"{key}_upper", f"{name}: upper limit", parts, limit(1), digits),
    ]


def radius_measures() -> list[Measure]:
    """Return bias and limits of the lumen radius, all of it and by healthy diameter."""
    made = agreement_measures("radius_mm", "radius, mm", radius_errors(), 3)
    for low, high in WIDTHS_MM:
        words = f"{low:g}-{high:g} mm" if high < 90 else f"from {low:g} mm"
        key = f"radius_{low:g}_mm".replace(".", "_")
        made += agreement_measures(
            key, f"radius, vessels of {words}, mm", radius_errors(low, high), 3
        )
    return made


def ffr_measures() -> list[Measure]:
    """Return bias and limits of FFR between the two lumens, and between the two trees."""
    return [
        *agreement_measures("ffr", "FFR, our radii in the label's tree", ffr_errors, 3),
        *agreement_measures("tree_ffr", "FFR, our own tree", tree_ffr_errors, 3),
    ]


def severe(x: Stenosis) -> bool:
    """Tell a stenosis of 50 % and more in the label."""
    return x.true_percent >= SEVERE_PERCENT


def _called_severe(x: Stenosis) -> bool:
    return (x.reported_percent or 0.0) >= SEVERE_PERCENT


def stenosis_measures() -> list[Measure]:
    """Return how many stenoses are found, how many are none, and how far their grade is off."""
    return [
        Measure("sensitivity_percent", "label's stenoses ≥ 50 % reported as ≥ 50 %, %",
                lambda c: _share(c, severe, _called_severe), percent),
        Measure("reported_percent", "the same, reported with any grade, %",
                lambda c: _share(c, severe, lambda x: x.reported_percent is not None), percent),
        Measure("reached_percent", "label's stenoses of any grade that our tree reaches, %",
                lambda c: _share(c, lambda x: True, lambda x: x.found_percent is not None),
                percent),
        Measure("ppv_percent", "reported stenoses ≥ 50 % with a narrowing in the label, %",
                lambda c: (c.severe_reported - _false_severe(c), c.severe_reported), percent),
        Measure("false_per_scan", "reported stenoses ≥ 50 % without one, per scan",
                lambda c: (_false_severe(c), float(c.failed == "")), mean, 2),
        Measure("grade_error_percent", "mean absolute difference in diameter stenosis, points",
                mean_of(lambda c: [None if x.found_percent is None
                                   else abs(x.found_percent - x.true_percent)
                                   for x in c.stenoses]), mean),
    ]  # fmt: skip


def _share(
    case: LabelCase, kind: Callable[[Stenosis], bool], hit: Callable[[Stenosis], bool]
) -> tuple[float, float]:
    rows = [x for x in case.stenoses if kind(x)]
    return float(sum(hit(x) for x in rows)), float(len(rows))


def _false_severe(case: LabelCase) -> float:
    return float(sum(x.reported_percent >= SEVERE_PERCENT for x in case.false_lesions))
