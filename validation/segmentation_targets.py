"""Which numbers must segmentation reach, and how is each defined?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from validation.agreement import WIDTHS_MM
from validation.segmentation_case import Case, Stenosis
from validation.segmentation_lines import (
    HEAVY_DEGREES,
    OSTIUM_MM,
    SEVERE_PERCENT,
    Line,
    counted,
    coverage,
    diameter,
    lesion_errors,
    light,
    mean,
    mean_size,
    not_heavy,
    overlap,
    share,
    spread,
)

INF = float("inf")
FFR_WAYS = (
    ("lumen_ffr", "the found lumen alone: outlets, beds and mass of the truth"),
    ("tree_ffr", "the found tree with its own outlets, true mass"),
    ("full_ffr", "everything as reported, own mass"),
)


def without_heavy_calcium(x: Stenosis) -> bool:
    """Tell a stenosis whose calcium nowhere exceeds 180 degrees."""
    return x.calcium_deg <= HEAVY_DEGREES


def free_way(x: Stenosis) -> bool:
    """Tell a stenosis whose FFR no calcium of more than 180 degrees upstream decides."""
    return x.way_calcium_deg <= HEAVY_DEGREES


def severe(x: Stenosis) -> bool:
    """Tell a true stenosis of 50 % and more."""
    return x.true_percent >= SEVERE_PERCENT


def tree_lines() -> list[Line]:
    """Return the lines about centrelines, ostia, names, success and mass.

    OV as in `overlap`. False length: found centreline on no true vessel of any width, over all
    found. Distance: mean over covered and right length. Ostia: of the true ones, those with a
    found inlet within 1.5 mm. Names: share of the right length with the true vessel's name.
    Success: no error, a tree with FFR on both sides, LAD, LCx and RCA there where they are
    wide enough, no warning of a missing vessel (none is missing in truth). Mass: median of
    |found / true − 1|.
    """
    lines = [
        Line("overlap OV of the centreline",
             lambda c: (c.course.covered_mm, c.course.right_mm, c.course.false_mm,
                        c.course.true_mm),
             overlap, (0.95, INF), "≥ 0.95", 3),
    ]  # fmt: skip
    for k, (low, high) in enumerate(pairwise(WIDTHS_MM)):
        name = f"{low:g}-{high:g} mm" if high < 90 else f"from {low:g} mm"
        lines.append(Line(f"true length found, {name}, %", _covered(k), share, digits=1))
    return [
        *lines,
        Line("false length, %", lambda c: (c.course.false_mm, c.course.found_mm), share,
             (0, 5), "≤ 5", 1),
        Line("distance of the centreline, mm",
             lambda c: (c.course.distance_mm2, c.course.covered_mm + c.course.right_mm),
             mean, (0, 0.25), "≤ 0.25", 3),
        Line("ostia within 1.5 mm, %", _ostia, share, (95, 100), "≥ 95", 1),
        Line("vessel names right, % of length",
             lambda c: (c.course.named_mm, c.course.right_mm), share, (95, 100), "≥ 95", 1),
        Line("automatic success, % of patients",
             lambda c: (float(not c.failure and not c.lacking), 1.0), share, (97, 100),
             "≥ 97", 1),
        Line("LV mass, median error, %", _mass_error_percent, 0.5, (0, 10), "≤ 10", 1),
    ]  # fmt: skip


def _covered(k: int) -> Callable[[Case], Sequence[float]]:
    def parts(case: Case) -> Sequence[float]:
        course = case.course
        if not course.true_by_width_mm:
            return 0.0, 0.0
        return course.covered_by_width_mm[k], course.true_by_width_mm[k]

    return parts


def _ostia(case: Case) -> Sequence[float]:
    off = [e for _, e in case.ostium_error_mm]
    return float(sum(e is not None and e <= OSTIUM_MM for e in off)), float(len(off))


def _mass_error_percent(case: Case) -> Sequence[float]:
    if not case.lv_mass_g or not case.true_lv_mass_g:
        return ()
    return (100.0 * abs(case.lv_mass_g / case.true_lv_mass_g - 1.0),)


def diameter_lines() -> list[Line]:
    """Return the lines about the lumen's diameter, found − true, at all found points.

    Of lumens of 1 to 3 mm. Interval: share of the errors within 1.645 reported SD.
    """
    plain, some = "1-3 mm, no heavy calcium", "1-3 mm, calcium to 180°"
    return [
        Line(f"diameter bias, {plain}, mm", diameter(not_heavy), mean, (-0.05, 0.05),
             "within 0.05", 3),
        Line(f"diameter SD, {plain}, mm", diameter(not_heavy), spread, (0, 0.15), "≤ 0.15", 3),
        Line(f"diameter bias, {some}, mm", diameter(light), mean, (-0.10, 0.10),
             "within 0.10", 3),
        Line(f"diameter SD, {some}, mm", diameter(light), spread, (0, 0.20), "≤ 0.20", 3),
        Line(f"in own 90 % interval, {plain}, %", coverage(not_heavy), share, (85, 95),
             "85-95", 1),
    ]  # fmt: skip


def stenosis_lines() -> list[Line]:
    """Return the lines about stenoses and FFR.

    A true stenosis is a lesion of the exact tree (over 25 %). %DS at a true one: of its
    reported partner, or what the found tree has within 4 mm of the throat; reached ones only.
    Sensitivity: true ones of 50 % and more where a lesion (of any grade over 25 %) is
    reported; missed vessels count. False: reported where no true lumen within 4 mm is
    narrowed by 20 %. FFR is read 20 mm behind the true lesion; counted are those without
    heavy calcium between the ostium and that point.
    """
    lines = [
        Line("mean abs. %DS error, points", mean_size("found_percent", "true_percent", any_one),
             mean, (0, 8), "≤ 8", 1),
        Line("stenoses ≥ 50 % reported, %", counted(_reported, severe), share, (95, 100),
             "≥ 95", 1),
        Line("the same, reported as ≥ 50 %, %", counted(_reported_severe, severe), share,
             digits=1),
        Line("false stenoses per patient", lambda c: (float(len(c.false_lesions)), _ran(c)),
             mean, digits=2),
        Line("false stenoses of ≥ 50 % per patient", lambda c: (_false_severe(c), _ran(c)),
             mean, digits=2),
        Line("true stenoses not reached, %", counted(_missed, any_one), share, digits=1),
    ]  # fmt: skip
    for way, words in FFR_WAYS:
        main = way == "lumen_ffr"
        lines += [
            Line(f"mean abs. ΔFFR, no heavy calcium: {words}",
                 mean_size(way, "true_ffr", free_way), mean, (0, 0.02),
                 "≤ 0.02" if main else "(0.02)", 3),
            Line(f"95th percentile of it: {words}", _ffr_errors(way), 0.95, (0, 0.06),
                 "≤ 0.06" if main else "(0.06)", 3),
        ]  # fmt: skip
    return lines


def any_one(x: Stenosis) -> bool:
    """Tell any true stenosis."""
    return True


def _ran(case: Case) -> float:
    return float(not case.failure)


def _reported(x: Stenosis) -> bool:
    return x.reported_percent is not None


def _reported_severe(x: Stenosis) -> bool:
    return (x.reported_percent or 0.0) >= SEVERE_PERCENT


def _missed(x: Stenosis) -> bool:
    return x.found_percent is None


def _false_severe(case: Case) -> float:
    return float(sum(x.reported_percent >= SEVERE_PERCENT for x in case.false_lesions))


def _ffr_errors(way: str) -> Callable[[Case], Sequence[float]]:
    def parts(case: Case) -> Sequence[float]:
        e = np.abs(lesion_errors(case, way, "true_ffr", free_way))
        return tuple(float(x) for x in e)

    return parts
