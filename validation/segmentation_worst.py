"""Which patients failed, which vessels were missed, and where is FFR furthest off?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from validation.segmentation_case import Case

SHOWN = 12


def failures(cases: Sequence[Case]) -> list[str]:
    """Return one line for each patient without a whole result."""
    lines = []
    for c in cases:
        if c.failure:
            lines.append(f"- {c.seed} {c.imaging} failed: {c.failure}")
        elif c.lacking:
            lines.append(f"- {c.seed} {c.imaging} lacks: {', '.join(c.lacking)}")
    return lines


def worst_ffr(cases: Sequence[Case], count: int = SHOWN) -> list[str]:
    """Return the stenoses whose FFR, from the found lumen alone, is furthest off."""
    rows = [
        (abs(x.lumen_ffr - x.true_ffr), c, x)
        for c in cases
        for x in c.stenoses
        if x.lumen_ffr is not None and x.true_ffr is not None
    ]
    table = [
        "| patient | stenosis, throat mm, calcium | %DS true, found | "
        "FFR true, lumen, tree, full |",
        "|---|---|---|---|",
    ]
    for _, c, x in sorted(rows, key=lambda row: -row[0])[:count]:
        table.append(
            f"| {c.seed} {c.imaging} | {x.vessel}, {x.minimal_mm:.2f}, {x.calcium_deg:.0f}° | "
            f"{x.true_percent:.0f}, {_text(x.found_percent, 0)} | {_text(x.true_ffr, 2)}, "
            f"{_text(x.lumen_ffr, 2)}, {_text(x.tree_ffr, 2)}, {_text(x.full_ffr, 2)} |"
        )
    return table


def _text(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def worst_courses(cases: Sequence[Case], count: int = SHOWN) -> list[str]:
    """Return the longest vessels missed and found where there are none."""
    lengths = [
        (mm, f"| {c.seed} {c.imaging} | {name} | {kind} | {mm:.0f} |")
        for c in cases
        for kind, rows in (("missed", c.course.missed_mm), ("false", c.course.falsely_found_mm))
        for name, mm in rows
    ]
    lengths.sort(key=lambda row: -row[0])
    return [
        "| patient | vessel | | mm |",
        "|---|---|---|---|",
        *(r for _, r in lengths[:count]),
    ]


def medians(cases: Sequence[Case]) -> str:
    """Return the median Dice overlap of each label, in one line."""
    named: dict[str, list[float]] = {}
    for c in cases:
        for name, value in c.dice:
            if value is not None:
                named.setdefault(name, []).append(value)
    return "Dice, median: " + ", ".join(f"{n} {np.median(v):.3f}" for n, v in named.items())
