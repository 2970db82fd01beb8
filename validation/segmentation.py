"""How well are vessels found and measured on virtual patients that training never saw?

Run: python -m validation segmentation --patients 10 --first-seed 1000100 --json out.json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from ffr.segmentation.weights import NETWORKS, best_device, load_network
from meshes.arrays import Floats
from validation.agreement import interval_coverage, limits_of_agreement
from validation.held_out import IMAGING, Case, LesionPair, run_case
from validation.setting import setting

BINS_MM = ((0.5, 0.75), (0.75, 1.0), (1.0, 1.5), (1.5, 2.0), (2.0, 9.0))
SIZE = (400, 400, 240)
SPACING_MM = (0.5, 0.5, 0.5)
SEVERE_PERCENT = 50.0
ISCHAEMIC = 0.80
POOLED = ("true_radius_mm", "radius_error_mm", "radius_sd_mm")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the cases and print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m validation segmentation", description=__doc__
    )
    parser.add_argument("--patients", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=1_000_100)
    parser.add_argument(
        "--imaging", nargs="+", choices=sorted(IMAGING), default=sorted(IMAGING)
    )
    parser.add_argument("--size", nargs=3, type=int, default=SIZE, metavar=("I", "J", "K"))
    parser.add_argument("--spacing-mm", nargs=3, type=float, default=SPACING_MM)
    parser.add_argument("--json", type=Path, help="written after every case")
    given = parser.parse_args(arguments)
    cases: list[Case] = []
    models = hashes()
    for seed in range(given.first_seed, given.first_seed + given.patients):
        for imaging in given.imaging:
            began = time.monotonic()
            case = run_case(seed, imaging, tuple(given.size), tuple(given.spacing_mm))
            cases.append(case)
            seconds = time.monotonic() - began
            print(f"{seed} {imaging}: {seconds:.0f} s {case.failure}", file=sys.stderr)
            if given.json:
                given.json.write_text(json.dumps(as_json(cases, models), indent=1))
    print(setting("python -m validation segmentation", arguments, best_device()))
    print(f"\nweights: {', '.join(f'{k} {v[:12]}' for k, v in models.items())}")
    for imaging in given.imaging:
        print(report(imaging, [c for c in cases if c.imaging == imaging]))


def hashes() -> dict[str, str]:
    """SHA-256 of the shipped weights."""
    return {name: load_network(name, "cpu").sha256 for name in NETWORKS}


def report(imaging: str, cases: Sequence[Case]) -> str:
    """Return all tables of one kind of imaging as markdown."""
    done = [c for c in cases if not c.failure]
    lines = [f"\n## {imaging} imaging: {len(done)} of {len(cases)} patients analysed\n"]
    lines += [f"- {c.seed} failed: {c.failure}" for c in cases if c.failure]
    lines += [f"- {c.seed} without {' and '.join(c.missing_sides)} tree"
              for c in done if c.missing_sides]  # fmt: skip
    if not done:
        return "\n".join(lines)
    return "\n".join([*lines, "", *summary(done), "", *radii(done), "", *stenoses(done)])


def summary(cases: Sequence[Case]) -> list[str]:
    """One number per patient each; median, worst and best over the patients."""
    names = [name for name, _ in cases[0].dice]
    rows: list[tuple[str, Callable[[Case], float], bool]] = [
        *((f"Dice {name}", partial(_dice, name), True) for name in names),
        ("LV mass error, % (absolute)", lambda c: abs(mass_error_percent(c)), False),
        ("ostium error, mm (larger side)", _ostium, False),
        ("true centreline found, % (radius ≥ 0.75 mm)",
         lambda c: _percent(c, "covered_length_mm", "true_length_mm"), True),
        ("found centreline that is false, %",
         lambda c: _percent(c, "false_length_mm", "found_length_mm"), False),
        ("vessel names right, % of length",
         lambda c: _percent(c, "named_length_mm", "matched_length_mm"), True),
        ("the same in LM, LAD, LCx, RCA",
         lambda c: _percent(c, "main_named_length_mm", "main_matched_length_mm"), True),
    ]  # fmt: skip
    table = ["| per patient | median | worst | best |", "|---|---|---|---|"]
    for name, value, high_is_good in rows:
        values = np.array([value(c) for c in cases])
        values = values[np.isfinite(values)]
        if values.size:
            ends = sorted((values.min(), values.max()), reverse=not high_is_good)
            table.append(
                f"| {name} | {np.median(values):.3g} | {ends[0]:.3g} | {ends[1]:.3g} |"
            )
    bias, sd, *_ = limits_of_agreement(np.array([mass_error_percent(c) for c in cases]))
    if np.isfinite(sd):
        table += ["", f"LV mass: bias {bias:+.1f} %, SD {sd:.1f} %."]
    return table


def _dice(name: str, case: Case) -> float:
    return dict(case.dice)[name]


def mass_error_percent(case: Case) -> float:
    """Found over true myocardial mass, minus one, in percent."""
    if not case.lv_mass_g or not case.true_lv_mass_g:
        return float("nan")
    return 100 * (case.lv_mass_g / case.true_lv_mass_g - 1)


def _ostium(case: Case) -> float:
    return max((error for _, error in case.ostium_error_mm), default=float("nan"))


def _percent(case: Case, part: str, whole: str) -> float:
    total = getattr(case.agreement, whole)
    return 100 * getattr(case.agreement, part) / total if total else float("nan")


def pooled(cases: Sequence[Case]) -> tuple[Floats, Floats, Floats]:
    """True radius, error and reported SD of all matched points of all patients."""
    agreements = [c.agreement for c in cases if c.agreement is not None]
    true, error, sd = (np.concatenate([getattr(a, n) for a in agreements]) for n in POOLED)
    return true, error, sd


def radii(cases: Sequence[Case]) -> list[str]:
    """Radius errors by true radius; points of one patient are not independent."""
    true, error, sd = pooled(cases)
    table = [
        "| true radius, mm | points | bias, mm | SD, mm | 95 % limits, mm | in own 95 % |",
        "|---|---|---|---|---|---|",
    ]
    for low, high in (*BINS_MM, (0.0, 99.0)):
        here = (true >= low) & (true < high)
        if here.sum() < 2:
            continue
        bias, spread, below, above = limits_of_agreement(error[here])
        inside = 100 * interval_coverage(error[here], sd[here])
        name = "all" if high > 90 else f"{low:g}-{high:g}" if high < 9 else f"from {low:g}"
        table.append(
            f"| {name} | {here.sum()} | {bias:+.3f} | {spread:.3f} "
            f"| {below:+.2f} to {above:+.2f} | {inside:.0f} % |"
        )
    return table


def stenoses(cases: Sequence[Case]) -> list[str]:
    """Lesions found and missed, and the error of their grade and FFR."""
    rows = [x for c in cases for x in c.lesions]
    true = [x for x in rows if x.true]
    severe = [x for x in true if x.true and x.true.diameter_stenosis_percent >= SEVERE_PERCENT]
    both = [x for x in true if x.found]
    alone = [x for x in rows if x.found and not x.true]
    heavy = [
        x for x in alone if x.found and x.found.diameter_stenosis_percent >= SEVERE_PERCENT
    ]
    same = [(x.ffr, x.true.ffr) for x in true if x.true and x.ffr is not None and x.true.ffr]
    lesion = [(x.found.ffr, x.true.ffr) for x in both
              if x.found and x.true and x.found.ffr is not None and x.true.ffr]  # fmt: skip
    agree = sum((f <= ISCHAEMIC) == (t <= ISCHAEMIC) for f, t in same)
    return [
        "| stenoses (true: the exact tree, same solver) | |", "|---|---|",
        f"| true ones reported, all | {len(both)} of {len(true)} |",
        f"| true ones of ≥ 50 % reported | {sum(x.found is not None for x in severe)} "
        f"of {len(severe)} |",
        f"| reported without a true one, all; ≥ 50 % | {len(alone)}; {len(heavy)} |",
        f"| diameter stenosis, found − true, % points | {_bias(_grades(both))} |",
        f"| FFR as reported for a matched lesion, found − true | {_bias(lesion)} |",
        f"| FFR at the same place, found − true | {_bias(same)} |",
        f"| the same side of 0.80 at that place | {agree} of {len(same)} |",
        f"| places not reached or not analysed | {len(true) - len(same)} of {len(true)} |",
    ]  # fmt: skip


def _grades(rows: Sequence[LesionPair]) -> list[tuple[float, float]]:
    return [(x.found.diameter_stenosis_percent, x.true.diameter_stenosis_percent)
            for x in rows if x.found and x.true]  # fmt: skip


def _bias(rows: Sequence[tuple[float, float]]) -> str:
    bias, sd, low, high = limits_of_agreement(np.array([f - t for f, t in rows]))
    return f"{bias:+.3f} ± {sd:.3f} (95 % {low:+.2f} to {high:+.2f}), n {len(rows)}"


def as_json(cases: Sequence[Case], models: dict[str, str]) -> dict[str, object]:
    """Turn cases into what JSON can hold; the pooled radii go in as three lists."""
    rows = []
    for case in cases:
        row = asdict(case)
        if case.agreement is not None:
            for name in POOLED:
                values = getattr(case.agreement, name)
                row["agreement"][name] = [round(float(v), 3) for v in values]
        row["dice"] = {k: None if np.isnan(v) else round(v, 4) for k, v in case.dice}
        rows.append(row)
    return {"models": models, "cases": rows}


if __name__ == "__main__":
    main()
