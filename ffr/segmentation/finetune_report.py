"""What do adapted weights change? A page, the same as JSON, and a picture."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ffr.segmentation.finetune_measure import CaseMeasure, VirtualMeasure
from meshes.arrays import Floats, floats

BETTER_PERCENT = 0.5  # points of Dice or centreline overlap: less is no difference
ASTRAY_PERCENT = 3.0  # points of tree length off the label that may be added
FORGOTTEN_PERCENT = 3.0  # points of lumen Dice on virtual windows that may be lost
RUO = "Research use only. Not a medical device. Not for diagnosis."


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """A held-out case before and after."""

    number: int
    before: CaseMeasure
    after: CaseMeasure


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """All that was measured, and what training it was.

    Parameters
    ----------
    cases
        Held-out cases.
    virtual_before, virtual_after
        Windows of virtual patients.
    facts
        Settings and data of the training, as JSON.
    each_out
        Every case was held out of a training of its own; the weights come from another one.
    """

    cases: tuple[Compared, ...]
    virtual_before: VirtualMeasure
    virtual_after: VirtualMeasure
    facts: dict[str, Any]
    each_out: bool


def verdict(outcome: Outcome) -> tuple[bool, str]:
    """Say whether the adapted weights are recommended, and why.

    They are when centreline overlap or Dice rise by half a point or more in the mean of the
    held-out cases, neither falls by as much, no tree is lost or runs astray, and virtual
    windows keep their lumen.
    """
    gains = {
        name: mean(outcome, key, "after") - mean(outcome, key, "before")
        for name, key in (("centreline overlap", "overlap_percent"), ("Dice", "dice_percent"))
    }
    lost = sum(bool(c.after.failure) and not c.before.failure for c in outcome.cases)
    forgotten = outcome.virtual_before.lumen_percent - outcome.virtual_after.lumen_percent
    told = " and ".join(f"{name} {gain:+.1f} points" for name, gain in gains.items())
    if lost:
        return False, f"in {lost} held-out case(s) no tree is found any more"
    if min(gains.values()) <= -BETTER_PERCENT or max(gains.values()) < BETTER_PERCENT:
        return False, f"not better on held-out cases ({told})"
    astray = mean(outcome, "tree_outside_percent", "after")
    astray -= mean(outcome, "tree_outside_percent", "before")
    if astray > ASTRAY_PERCENT:
        return False, f"trees run off the label by {astray:.1f} points more ({told})"
    if forgotten > FORGOTTEN_PERCENT:
        return False, f"virtual windows lost {forgotten:.1f} points of lumen Dice ({told})"
    return True, f"better on held-out cases ({told})"


def mean(outcome: Outcome, key: str, when: str) -> float:
    """Return the mean of one number over the held-out cases, before or after."""
    return float(np.mean([getattr(getattr(c, when), key) for c in outcome.cases]))


def diameter_error_mm(measures: Sequence[CaseMeasure]) -> Floats:
    """Return found minus label's diameter, all points of all cases."""
    parts = [m.found_mm - m.label_mm for m in measures]
    return floats(np.concatenate([np.zeros(0), *parts]))


def bias_sd_mm(error_mm: Floats) -> tuple[float, float]:
    """Return mean and standard deviation, NaN where there are too few points."""
    if len(error_mm) < 2:
        return math.nan, math.nan
    return float(error_mm.mean()), float(error_mm.std(ddof=1))


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return everything as what JSON can hold."""
    good, why = verdict(outcome)

    def numbers(measures: Sequence[CaseMeasure]) -> dict[str, Any]:
        bias, sd = bias_sd_mm(diameter_error_mm(measures))
        keys = ("dice_percent", "overlap_percent", "label_found_percent", "false_ml",
                "tree_mm", "tree_outside_percent")  # fmt: skip
        row: dict[str, Any] = {
            key: round(float(np.mean([getattr(m, key) for m in measures])), 3) for key in keys
        }
        row["diameter_bias_mm"] = None if math.isnan(bias) else round(bias, 3)
        row["diameter_sd_mm"] = None if math.isnan(sd) else round(sd, 3)
        row["diameter_points"] = sum(len(m.found_mm) for m in measures)
        row["failures"] = [m.failure for m in measures if m.failure]
        return row

    def virtual(m: VirtualMeasure) -> dict[str, Any]:
        return {
            "lumen_dice_percent": round(m.lumen_percent, 2),
            "calcium_dice_percent": round(m.calcium_percent, 2),
            "wall_dice_percent": round(m.wall_percent, 2),
            "loss": round(float(np.mean(m.losses)), 4),
        }

    return {
        "recommended": good,
        "why": why,
        "each_held_out_once": outcome.each_out,
        "cases": [
            {"pair": c.number, "before": numbers([c.before]), "after": numbers([c.after])}
            for c in outcome.cases
        ],
        "overall": {
            "before": numbers([c.before for c in outcome.cases]),
            "after": numbers([c.after for c in outcome.cases]),
        },
        "virtual": {
            "before": virtual(outcome.virtual_before), "after": virtual(outcome.virtual_after)
        },
        "training": outcome.facts,
    }  # fmt: skip


def page(outcome: Outcome) -> str:
    """Return the report as markdown."""
    data = as_json(outcome)
    good, why = data["recommended"], data["why"]
    advice = (
        "**The adapted weights are recommended for scans like these**"
        if good
        else "**Keep the shipped weights**: the adapted ones are not recommended"
    )
    lines = [
        "# Vessel network, adapted: before and after", "", RUO, "", f"{advice}: {why}.", "",
        "Pairs are numbered in the order of their paths. Before: the shipped weights. After: "
        + ("for each pair, weights of a training that did not see it; the weights in this "
           "folder come from one more training, which saw all."
           if outcome.each_out else "the weights in this folder, which never saw these pairs."),
        "", "![before and after](report.png)", "",
        "| pair | | Dice, % | centreline overlap, % | label's centreline found, % "
        "| false volume, ml | tree off the label, % | diameter, found − label, mm |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in data["cases"]:
        for when in ("before", "after"):
            lines.append(_line(str(row["pair"]), when, row[when]))
    for when in ("before", "after"):
        lines.append(_line("all", when, data["overall"][when]))
    failures = [
        f"- pair {c.number}, {when}: no tree: {getattr(c, when).failure}"
        for c in outcome.cases
        for when in ("before", "after")
        if getattr(c, when).failure
    ]
    lines += ["", *failures, *_remarks(), "", *_virtual(data), "", "## Training", ""]
    lines += [f"- {key}: {value}" for key, value in data["training"].items()]
    return "\n".join(lines) + "\n"


def _line(name: str, when: str, row: dict[str, Any]) -> str:
    bias, sd = row["diameter_bias_mm"], row["diameter_sd_mm"]
    width = "none" if bias is None else f"{bias:+.2f} ± {sd:.2f} ({row['diameter_points']})"
    return (
        f"| {name} | {when} | {row['dice_percent']:.1f} | {row['overlap_percent']:.1f} "
        f"| {row['label_found_percent']:.1f} | {row['false_ml']:.2f} "
        f"| {row['tree_outside_percent']:.1f} | {width} |"
    )


def _remarks() -> list[str]:
    return [
        "",
        "Dice and false volume are of what the vessel network marks; centrelines are skeletons "
        "of it and of the label, within 1 mm of each other. Diameters are measured by the "
        "lumen network along the traced tree (mean ± SD over points 0.5 mm apart, their number "
        "in brackets) against the disc with the area of the label's section. Most labels hold "
        "some of the wall and end at voxels: a right lumen is narrower than such a label, and "
        "only the scatter and its change tell something. Only the vessel network is adapted, "
        "never the one that measures.",
    ]


def _virtual(data: dict[str, Any]) -> list[str]:
    rows = (
        ("lumen, Dice %", "lumen_dice_percent"), ("calcium, Dice %", "calcium_dice_percent"),
        ("wall and plaque, Dice %", "wall_dice_percent"), ("loss", "loss"),
    )  # fmt: skip
    before, after = (data["virtual"][when] for when in ("before", "after"))
    return [
        "## Forgotten?", "",
        "Windows of virtual patients that no training saw; what falls here was forgotten.", "",
        "| | before | after |", "|---|---|---|",
        *(f"| {name} | {before[key]:.4g} | {after[key]:.4g} |" for name, key in rows),
    ]  # fmt: skip


def draw(outcome: Outcome, path: Path) -> None:
    """Draw centreline overlap by case, and diameters against their difference."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    colours = {"before": "#8c8c8c", "after": "#1f77b4"}
    for n, c in enumerate(outcome.cases):
        ends = (c.before.overlap_percent, c.after.overlap_percent)
        left.plot((n, n), ends, color="#cccccc", zorder=1)
        for when, value in zip(colours, ends, strict=True):
            left.scatter(
                n, value, color=colours[when], zorder=2, label=when if n == 0 else None
            )
    left.set_xticks(range(len(outcome.cases)), [str(c.number) for c in outcome.cases])
    left.set_xlabel("held-out pair")
    left.set_ylabel("centreline overlap, %")
    left.legend(loc="lower right")
    for when, colour in colours.items():
        measures = [getattr(c, when) for c in outcome.cases]
        label_mm = np.concatenate([np.zeros(0), *(m.label_mm for m in measures)])
        right.scatter(label_mm, diameter_error_mm(measures), s=3, color=colour, alpha=0.4)
    right.axhline(0.0, color="black", linewidth=0.8)
    right.set_xlabel("diameter of the label, mm")
    right.set_ylabel("found − label, mm")
    figure.savefig(path, dpi=100, metadata={"Software": None})


def write(outcome: Outcome, out: Path) -> None:
    """Write `report.md`, `report.json` and `report.png`."""
    draw(outcome, out / "report.png")
    (out / "report.json").write_text(json.dumps(as_json(outcome), indent=1))
    (out / "report.md").write_text(page(outcome))
