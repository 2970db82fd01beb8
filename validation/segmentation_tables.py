"""How do the numbers stand beside their targets, in markdown?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ffr.segmentation.samples import imaging_of
from meshes.arrays import AnyArray, Floats, floats
from validation.segmentation_case import Case, Points, Stenosis
from validation.segmentation_lines import (
    Chosen,
    Estimate,
    Line,
    coverage,
    diameter,
    estimate,
    heavy,
    lesion_errors,
    light,
    mean,
    mean_size,
    not_heavy,
    share,
    spread,
    wide,
)
from validation.segmentation_targets import (
    any_one,
    diameter_lines,
    free_way,
    stenosis_lines,
    tree_lines,
    without_heavy_calcium,
)

BLURS_MM = ((0.0, 0.7), (0.7, 1.0), (1.0, 9.0))
BRIGHT_VEIN = 0.8  # of the aorta's HU: beyond, a vein looks like an artery
NOISES_HU = ((0.0, 15.0), (15.0, 30.0), (30.0, 999.0))
WHO = (
    ("ours", "error_mm", "found_percent", "lumen_ffr"),
    ("half-maximum edges", "edge_error_mm", "edge_percent", "edge_ffr"),
    ("mask of the vessel network", "mask_error_mm", "mask_percent", "mask_ffr"),
)
Strata = dict[str, list[Case]]


def by_imaging(cases: Sequence[Case]) -> Strata:
    """Return the cases by kind of imaging."""
    kinds = sorted({c.imaging for c in cases})
    return {f"{k} imaging": [c for c in cases if c.imaging == k] for k in kinds}


def by_scanner(cases: Sequence[Case]) -> Strata:
    """Return the cases of random imaging by blur, noise and veins; empty ones left out."""
    drawn = [c for c in cases if c.imaging == "random"]
    found: Strata = {}
    for (low, high), name, unit in (
        *((b, "blur_mm", "mm") for b in BLURS_MM), *((b, "noise_hu", "HU") for b in NOISES_HU),
    ):  # fmt: skip
        here = [c for c in drawn if low <= getattr(c, name) < high]
        limit = f"under {high:g}" if low == 0 else f"{low:g}-{high:g}"
        limit = f"over {low:g}" if high in (9.0, 999.0) else limit
        if here:
            found[f"{name.partition('_')[0]} {limit} {unit}"] = here
    bright = [c for c in drawn if _vein_part(c) >= BRIGHT_VEIN]
    dark = [c for c in drawn if _vein_part(c) < BRIGHT_VEIN]
    veins = {f"veins under {BRIGHT_VEIN:g} of the blood": dark, "veins brighter": bright}
    return found | {name: cases for name, cases in veins.items() if cases}


def _vein_part(case: Case) -> float:
    """Contrast of the cardiac veins over that of the aorta, HU over HU."""
    seen = imaging_of(case.seed)
    return dict(seen.tissue_hu)["vein"] / seen.contrast_hu


def target_table(strata: Strata, lines: Sequence[Line]) -> list[str]:
    """Return one row per line and one column per stratum, each number beside its target."""
    heads = [f"{name} ({len(cases)})" for name, cases in strata.items()]
    table = [f"| | target | {' | '.join(heads)} |", f"|---|---|{'---|' * len(heads)}"]
    for line in lines:
        cells = [cell(line, estimate(line, cases)) for cases in strata.values()]
        table.append(f"| {line.name} | {line.target or '-'} | {' | '.join(cells)} |")
    return table


def cell(line: Line, e: Estimate) -> str:
    """Return a number, its 95 % interval and whether it meets its target."""
    if np.isnan(e.value):
        return "-"
    d = line.digits
    text = f"{e.value:.{d}f}"
    if np.isfinite(e.low):
        text += f" ({e.low:.{d}f} to {e.high:.{d}f})"
    if line.allowed is None:
        return text
    low, high = line.allowed
    return f"{text} {'yes' if low <= e.value <= high else '**no**'}"


def diameter_table(cases: Sequence[Case]) -> list[str]:
    """Return errors of the diameter by width and calcium, ours beside the plain ones."""

    def free(low: float, high: float) -> Chosen:
        return lambda p: np.asarray(wide(p, low, high) & (floats(p.calcium_deg) == 0))

    def narrowed(low: float, high: float) -> Chosen:
        def chosen(p: Points) -> AnyArray:
            short = floats(p.narrowed_percent)
            return np.asarray(not_heavy(p) & (short >= low) & (short < high))

        return chosen

    groups: list[tuple[str, Chosen]] = [
        ("no calcium, under 1 mm", free(0.0, 1.0)), ("no calcium, 1-1.5 mm", free(1.0, 1.5)),
        ("no calcium, 1.5-2 mm", free(1.5, 2.0)), ("no calcium, 2-3 mm", free(2.0, 3.0)),
        ("no calcium, from 3 mm", free(3.0, 99.0)), ("no calcium, 1-3 mm", free(1.0, 3.0)),
        ("no heavy calcium, 1-3 mm", not_heavy), ("calcium to 180°, 1-3 mm", light),
        ("calcium over 180°, 1-3 mm", heavy),
        ("no heavy calcium, 1-3 mm, narrowed by 20-40 %", narrowed(20.0, 40.0)),
        ("the same, by 40-60 %", narrowed(40.0, 60.0)),
        ("the same, by over 60 %", narrowed(60.0, 101.0)),
    ]  # fmt: skip
    table = [
        "| lumen | points | bias, mm | SD, mm | in own 90 %, % | half-maximum: bias, SD | "
        "mask: bias, SD |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, chosen in groups:
        bias = estimate(Line("", diameter(chosen), mean), cases)
        if bias.number < 2:
            continue
        held = estimate(Line("", coverage(chosen), share), cases)
        sd = estimate(Line("", diameter(chosen), spread), cases)
        others = [_bias_sd(cases, chosen, w) for w in ("edge_error_mm", "mask_error_mm")]
        table.append(
            f"| {name} | {bias.number} | {_with(bias, '+.3f')} | {_with(sd, '.3f')} | "
            f"{held.value:.0f} | {others[0]} | {others[1]} |"
        )
    return table


def _bias_sd(cases: Sequence[Case], chosen: Chosen, which: str) -> str:
    parts = diameter(chosen, which)
    bias, sd = (estimate(Line("", parts, value), cases) for value in (mean, spread))
    return f"{bias.value:+.3f}, {sd.value:.3f}"


def _with(e: Estimate, style: str) -> str:
    if np.isnan(e.low):
        return f"{e.value:{style}}"
    return f"{e.value:{style}} ({e.low:{style}} to {e.high:{style}})"


def stenosis_table(cases: Sequence[Case]) -> list[str]:
    """Return errors of %DS and of FFR (found lumen alone) by calcium and width of throat.

    Calcium is the largest arc between the ostium and the point where FFR is read.
    """
    groups: list[tuple[str, Callable[[Stenosis], bool]]] = [
        ("all", any_one),
        ("no calcium", lambda x: x.way_calcium_deg == 0),
        ("calcium to 180°", lambda x: x.way_calcium_deg > 0 and free_way(x)),
        ("calcium over 180°", lambda x: not free_way(x)),
        ("no heavy calcium, throat under 1 mm", _throat(0.0, 1.0)),
        ("no heavy calcium, throat 1-1.5 mm", _throat(1.0, 1.5)),
        ("no heavy calcium, throat from 1.5 mm", _throat(1.5, 99.0)),
    ]
    table = [
        "| true stenoses | n | %DS: bias ± SD, mean size | ΔFFR: bias ± SD, mean size, 95th |",
        "|---|---|---|---|",
    ]
    for name, kind in groups:
        count = sum(kind(x) for c in cases for x in c.stenoses)
        if not count:
            continue
        grade = pooled(cases, "found_percent", "true_percent", kind)
        ffr = pooled(cases, "lumen_ffr", "true_ffr", kind)
        table.append(
            f"| {name} | {count} | {_spread(grade, 1)}, {_size(grade, 1)} | {_spread(ffr, 3)}, "
            f"{_size(ffr, 3)}, {_high(ffr)} |"
        )
    return table


def _throat(low: float, high: float) -> Callable[[Stenosis], bool]:
    return lambda x: free_way(x) and low <= x.minimal_mm < high


def pooled(
    cases: Sequence[Case], found: str, true: str, kind: Callable[[Stenosis], bool]
) -> Floats:
    """Return found − true over the stenoses of a kind, all patients together."""
    return floats(np.concatenate([lesion_errors(c, found, true, kind) for c in cases]))


def _spread(e: Floats, digits: int) -> str:
    if e.size < 2:
        return "-" if not e.size else f"{e[0]:+.{digits}f}"
    return f"{e.mean():+.{digits}f} ± {e.std(ddof=1):.{digits}f}"


def _size(e: Floats, digits: int) -> str:
    return f"{np.abs(e).mean():.{digits}f}" if e.size else "-"


def _high(e: Floats) -> str:
    return f"{np.quantile(np.abs(e), 0.95):.3f}" if e.size else "-"


def rival_table(cases: Sequence[Case]) -> list[str]:
    """Return ours beside plain edges and a plain mask, on the same found centrelines."""
    table = [
        "| 1-3 mm, no heavy calcium | diameter: bias, SD, mm | mean abs. %DS error | "
        "abs. ΔFFR: mean, 95th |",
        "|---|---|---|---|",
    ]
    for name, width, grade, ffr in WHO:
        bias = estimate(Line("", diameter(not_heavy, width), mean), cases)
        sd = estimate(Line("", diameter(not_heavy, width), spread), cases)
        size = estimate(
            Line("", mean_size(grade, "true_percent", without_heavy_calcium), mean), cases
        )
        drop = pooled(cases, ffr, "true_ffr", free_way)
        table.append(
            f"| {name} | {bias.value:+.3f}, {sd.value:.3f} | {_with(size, '.1f')} | "
            f"{_size(drop, 3)}, {_high(drop)} |"
        )
    return table


def all_lines() -> list[Line]:
    """Return all lines that stand beside a target."""
    return [*tree_lines(), *diameter_lines(), *stenosis_lines()]
