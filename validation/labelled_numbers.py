"""Which numbers are reported of labelled scans, and from what in each of them?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from meshes.arrays import Floats, floats
from validation.labelled_case import LabelCase
from validation.labelled_statistics import (
    Measure,
    Parts,
    agreement_measures,
    mean_of,
)
from validation.mask_overlap import MaskOverlap
from validation.segmentation_case import Stenosis
from validation.segmentation_lines import SEVERE_PERCENT, mean, overlap, share

WIDTHS_MM = ((1.5, 2.0), (2.0, 3.0), (3.0, 99.0))  # healthy diameter
Kind = Callable[[Stenosis], bool]


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
    masks = (
        ("dice_percent", "Dice of the lumen, %", "masks", "dice_percent", 1),
        ("cl_dice_percent", "clDice of the lumen, %", "masks", "cl_dice_percent", 1),
        ("hd95_mm", "HD95 of the lumen, mm", "masks", "hd95_mm", 2),
        ("network_dice_percent", "Dice of the vessel network's own map, %", "network",
         "dice_percent", 1),
    )  # fmt: skip
    lines = (
        ("ov_percent", "OV by vessel, %", "overlap_percent", 1),
        ("of_percent", "OF by vessel, %", "until_error_percent", 1),
        ("ot_percent", "OT by vessel, %", "relevant_percent", 1),
        ("ai_mm", "AI by vessel, mm", "inside_mm", 3),
    )
    return [
        *(Measure(key, name, _mask(which, field), mean, digits)
          for key, name, which, field, digits in masks),
        *(Measure(key, name, _vessels(field), mean, digits, "vessels")
          for key, name, field, digits in lines),
        Measure("whole_tree_percent", "overlap of all vessels from 1.5 mm, %",
                lambda c: (c.course.covered_mm, c.course.right_mm, c.course.false_mm,
                           c.course.true_mm), lambda sums: 100.0 * overlap(sums), things="mm"),
        Measure("false_length_percent", "found length on no vessel of the label, %",
                lambda c: (c.course.false_mm, c.course.found_mm), share, things="mm"),
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


def radius_measures() -> list[Measure]:
    """Return bias and limits of the lumen radius, all of it and by healthy diameter."""
    made = agreement_measures("radius_mm", "radius, mm", radius_errors(), "points")
    for low, high in WIDTHS_MM:
        words = f"{low:g}-{high:g} mm" if high < 90 else f"from {low:g} mm"
        key = f"radius_{low:g}_mm".replace(".", "_")
        made += agreement_measures(
            key, f"radius, {words} wide, mm", radius_errors(low, high), "points"
        )
    return made


def ffr_measures() -> list[Measure]:
    """Return bias and limits of FFR between the two lumens, and between the two trees."""
    return [
        *agreement_measures(
            "ffr", "FFR, our radii in the label's tree", ffr_errors, "readings"
        ),
        *agreement_measures("tree_ffr", "FFR, our own tree", tree_ffr_errors, "readings"),
    ]


def severe(x: Stenosis) -> bool:
    """Tell a stenosis of 50 % and more in the label."""
    return x.true_percent >= SEVERE_PERCENT


def called_severe(x: Stenosis) -> bool:
    """Tell a stenosis that is reported as 50 % and more."""
    return (x.reported_percent or 0.0) >= SEVERE_PERCENT


def stenosis_measures() -> list[Measure]:
    """Return how many stenoses are found, how many are none, and how far their grade is off."""

    def found(key: str, name: str, kind: Kind, hit: Kind) -> Measure:
        return Measure(key, name, lambda c: _share(c, kind, hit), share, things="stenoses")

    return [
        found("sensitivity_percent", "label's stenoses ≥ 50 % reported as ≥ 50 %, %", severe,
              called_severe),
        found("reported_percent", "the same, reported with any grade, %", severe,
              lambda x: x.reported_percent is not None),
        found("reached_percent", "label's stenoses of any grade that our tree reaches, %",
              lambda x: True, lambda x: x.found_percent is not None),
        Measure("ppv_percent", "reported stenoses ≥ 50 % with a narrowing in the label, %",
                lambda c: (c.severe_reported - false_severe(c), c.severe_reported), share,
                things="stenoses"),
        Measure("false_per_scan", "reported stenoses ≥ 50 % without one, per scan",
                lambda c: (false_severe(c), float(c.failed == "")), mean, 2),
        Measure("grade_error_percent", "mean absolute difference in diameter stenosis, points",
                mean_of(_grade_errors), mean, things="stenoses"),
    ]  # fmt: skip


def _grade_errors(case: LabelCase) -> list[float | None]:
    return [
        None if x.found_percent is None else abs(x.found_percent - x.true_percent)
        for x in case.stenoses
    ]


def _share(case: LabelCase, kind: Kind, hit: Kind) -> tuple[float, float]:
    rows = [x for x in case.stenoses if kind(x)]
    return float(sum(hit(x) for x in rows)), float(len(rows))


def false_severe(case: LabelCase) -> float:
    """Return how many reported stenoses of 50 % and more the label does not have."""
    return float(sum(x.reported_percent >= SEVERE_PERCENT for x in case.false_lesions))
