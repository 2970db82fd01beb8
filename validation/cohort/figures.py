"""What do flow, ranking and agreement look like? No figure needs red told from green."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from sklearn.metrics import roc_curve

from ffr.report.colours import BLUE, BROWN, INK, LINE, ORANGE, PALE_INK, PAPER
from ffr.report.svg import research_note
from validation.cohort.metrics import Metrics, Step
from validation.cohort.reading import THRESHOLD, Pairs, at_most
from validation.cohort.words import MINUS, number

WIDTH_IN = 10.8


def new_figure(height_in: float, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """Return a figure of two plots with the statement below."""
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    engine = figure.get_layout_engine()
    if engine is not None:  # room for the statement below
        engine.set(rect=(0, 0.035, 1, 0.965), w_pad=0.15)  # type: ignore[call-arg]
    axes = figure.subplots(1, 2, squeeze=False, sharey=sharey)[0]
    for one in axes:
        one.grid(color=LINE, lw=0.5)
        one.set_axisbelow(True)
        one.spines[["top", "right"]].set_visible(False)
    research_note(figure)
    return figure, list(axes)


def flow_figure(metrics: Metrics) -> Figure:
    """Draw the flow: what goes on downwards, what drops out to the right with its causes."""
    figure = Figure(figsize=(WIDTH_IN, 5.0))
    axes = figure.add_axes((0, 0.03, 1, 0.97), xlim=(0, 100), ylim=(0, 100))
    axes.axis("off")
    f = metrics.flow
    boxes = (
        (f.table, 3, 84, BLUE), (f.eligible, 3, 46, BLUE), (f.read, 3, 6, BLUE),
        (f.excluded, 46, 71, PALE_INK), (f.rejected, 46, 46, ORANGE),
        (f.failed, 46, 26, ORANGE), (f.not_read, 46, 6, ORANGE),
    )  # fmt: skip
    for step, left, bottom, colour in boxes:
        _box(axes, step, left, bottom, colour)
    for start, end in (((16, 84), (16, 61)), ((16, 46), (16, 21))):
        _arrow(axes, start, end)
    for y, x in ((78.5, 16), (53.5, 29), (33.5, 16), (13.5, 29)):
        _arrow(axes, (x, y), (46, y))
    research_note(figure)
    return figure


def _box(axes: Axes, step: Step, left: float, bottom: float, colour: str) -> None:
    width = 26 if left < 40 else 51
    edge = "round,pad=0,rounding_size=1"
    box = FancyBboxPatch((left, bottom), width, 15, boxstyle=edge, fc=PAPER, ec=colour, lw=1.6)
    axes.add_patch(box)
    count = f"{_some(step.vessels, 'vessel')} in {_some(step.patients, 'patient')}"
    axes.text(left + 1.2, bottom + 11.2, step.name, fontsize=9, va="center", fontweight="bold")
    axes.text(left + 1.2, bottom + 6.8, count, fontsize=9, va="center")
    causes = [f"{c.reason} {c.vessels}" for c in step.causes]
    text = ", ".join(causes[:4]) + (f", {len(causes) - 4} more" if len(causes) > 4 else "")
    short = text if len(text) < 92 else text[:90] + " …"
    axes.text(left + 1.2, bottom + 2.8, short, fontsize=7.5, va="center", color=PALE_INK)


def _some(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=11, color=PALE_INK, lw=1.1)
    )


def roc_figure(metrics: Metrics, vessels: Pairs) -> Figure:
    """Draw the curves per vessel, beside percent stenosis, and per patient."""
    figure, (left, right) = new_figure(5.0)
    for axes, unit, name in (
        (left, metrics.vessel, "per vessel"), (right, metrics.patient, "per patient"),
    ):  # fmt: skip
        axes.plot([0, 1], [0, 1], color=LINE, lw=1)
        auc, at = unit.roc.auc, unit.at_080
        if auc.value is None:
            say_nothing(axes, f"no curve: {auc.why_not}")
        else:
            label = f"computed FFR, AUC {auc.value:.2f}"
            x, y = unit.roc.false_positive_rate, unit.roc.true_positive_rate
            axes.plot(x, y, color=BLUE, lw=2.2, label=label, zorder=4)
            point = (1 - (at.specificity.value or 0), at.sensitivity.value or 0)
            axes.plot(*point, "o", ms=8, mfc=PAPER, mec=BLUE, mew=2, zorder=5, label="at 0.80")
        axes.set(
            xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", title=name,
            xlabel=f"1 {MINUS} specificity", ylabel="sensitivity",
        )  # fmt: skip
    areas = {r.name: r.theirs for r in metrics.vessel.roc.rivals}
    for percent, label, look in (
        (vessels.stenosis_percent, "stenosis as graded", (ORANGE, "--", "s")),
        (vessels.found_stenosis_percent, "stenosis as measured", (BROWN, ":", "^")),
    ):
        known = np.isfinite(percent)
        sick = at_most(vessels.invasive_ffr[known], THRESHOLD)
        if sick.any() and not sick.all():
            _rival(left, sick, percent[known], label, areas[f"{label}, %"], look)
    for axes in (left, right):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower right", fontsize=7.5, frameon=True, edgecolor="none")
    return figure


def _rival(
    axes: Axes, sick: np.ndarray, percent: np.ndarray, label: str, auc: float | None,
    look: tuple[str, str, str],
) -> None:  # fmt: skip
    """Draw the curve of percent stenosis, and its points at 50 (filled) and 70 %."""
    colour, dash, mark = look
    x, y, _ = roc_curve(sick, percent)
    area = "" if auc is None else f", AUC {auc:.2f}"
    axes.plot(x, y, color=colour, ls=dash, lw=1.6, label=label + area)
    for cut, fill in ((50, colour), (70, PAPER)):
        called = percent >= cut
        axes.plot(
            (called & ~sick).sum() / (~sick).sum(), (called & sick).sum() / sick.sum(), mark,
            ms=6, mec=colour, mfc=fill, zorder=4, label=f"at {cut} %",
        )  # fmt: skip


def agreement_figure(metrics: Metrics, vessels: Pairs) -> Figure:
    """Draw computed against invasive FFR, and their difference against their mean."""
    figure, (left, right) = new_figure(5.0)
    x, y = vessels.invasive_ffr, vessels.ffr
    low = min([0.5, *(float(v.min()) - 0.03 for v in (x, y) if v.size)])
    high = max([1.02, *(float(v.max()) + 0.02 for v in (x, y) if v.size)])
    left.axhspan(0.755, 0.805, color=ORANGE, alpha=0.15, lw=0)
    left.plot([low, high], [low, high], color=PALE_INK, lw=1)
    left.axvline(0.805, color=INK, lw=0.9, ls=(0, (5, 3)))
    left.axhline(0.805, color=INK, lw=0.9, ls=(0, (5, 3)))
    agree = at_most(x, THRESHOLD) == at_most(y, THRESHOLD)
    for rows, mark, colour, label in (
        (agree, "o", BLUE, "agree at 0.80"), (~agree, "X", BROWN, "disagree"),
    ):  # fmt: skip
        if rows.any():
            look: dict[str, Any] = {
                "ms": 5,
                "mfc": colour,
                "mec": PAPER,
                "mew": 0.4,
                "alpha": 0.75,
            }
            left.plot(x[rows], y[rows], mark, label=label, **look)
            right.plot((x[rows] + y[rows]) / 2, (y - x)[rows], mark, **look)
    left.set(
        xlim=(low, high), ylim=(low, high), aspect="equal", xlabel="invasive FFR",
        ylabel="computed FFR", title="values; shaded: computed 0.76-0.80",
    )  # fmt: skip
    _limits(right, metrics)
    right.set(
        xlabel="mean of both", ylabel="computed − invasive FFR", title="Bland-Altman",
        xlim=(low, high),
    )  # fmt: skip
    if x.size:
        left.legend(loc="upper left", fontsize=8, frameon=True, edgecolor="none")
    else:
        say_nothing(left, "no vessel was read")
        say_nothing(right, "no vessel was read")
    return figure


def _limits(axes: Axes, metrics: Metrics) -> None:
    a = metrics.agreement
    limits = [abs(e.value) * 1.35 for e in (a.lower, a.upper) if e.value is not None]
    reach = max([0.15, *limits, *(abs(t) for t in axes.get_ylim())])
    axes.set_ylim(-reach, reach)
    axes.axhline(0, color=LINE, lw=1)
    for name, e, dash in (
        ("bias", a.bias, "-"), ("lower limit", a.lower, "--"), ("upper limit", a.upper, "--"),
    ):  # fmt: skip
        if e.value is None:
            continue
        axes.axhline(e.value, color=INK, lw=1.4, ls=dash)
        if e.interval is not None:
            axes.axhspan(e.interval.low, e.interval.high, color=BLUE, alpha=0.14, lw=0)
        axes.annotate(
            f"{name} {number(e.value, 3, True)}", (1, e.value), (-3, 2),
            textcoords="offset points", xycoords=axes.get_yaxis_transform(), ha="right",
            va="bottom", fontsize=8,
            bbox={"boxstyle": "square,pad=0.1", "fc": PAPER, "ec": "none", "alpha": 0.75},
        )  # fmt: skip


def say_nothing(axes: Axes, why: str) -> None:
    """Write why there is nothing to draw."""
    axes.text(
        0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", style="italic",
        color=PALE_INK, fontsize=9, wrap=True,
        bbox={"boxstyle": "square,pad=0.4", "fc": PAPER, "ec": LINE},
    )  # fmt: skip
