"""What do bands, calibration, groups and the ceiling look like?"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ffr.report.colours import BLUE, BROWN, INK, ORANGE, PALE_INK, PAPER
from validation.cohort.ceiling import INVASIVE_SD, expected
from validation.cohort.figures import new_figure, say_nothing
from validation.cohort.metrics import Interval, Metrics, Proportion

_MOST_ROWS = 40  # of the forest of subgroups
_LIGHT = "#98c9e9"


def bands_figure(metrics: Metrics) -> Figure:
    """Draw agreement by band of computed FFR, and where the vessels are."""
    figure, (left, right) = new_figure(3.9)
    rows = [b for b in metrics.bands if b.by == "computed" and b.name != "0.70-0.80"]
    names = [b.name for b in rows]
    at = np.arange(len(rows))
    for x, b in enumerate(rows):
        _labelled(left, x, b.accuracy, ORANGE if b.name == "0.76-0.80" else BLUE)
    left.set(title="agreement at 0.80 by computed FFR", ylim=(-0.04, 1.04))
    left.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    for k, b in enumerate(rows):
        sick = b.positive.count
        right.bar(k, sick, color=BROWN, width=0.7, label="invasive ≤ 0.80" if k == 0 else None)
        right.bar(
            k, b.n - sick, bottom=sick, color=_LIGHT, width=0.7, hatch="//", ec=PAPER, lw=0,
            label="invasive > 0.80" if k == 0 else None,
        )  # fmt: skip
        right.text(k, b.n, f"{b.n}", ha="center", va="bottom", fontsize=8)
    right.set(title="vessels", ylim=(0, 1.25 * max(1, *(b.n for b in rows))))
    right.legend(loc="upper left", fontsize=8, frameon=False)
    right.yaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (left, right):
        axes.set_xticks(at, names, fontsize=7.5)
        axes.set_xlabel("computed FFR")
    return figure


def _labelled(axes: Axes, x: int, share: Proportion, colour: str) -> None:
    if share.value is None or share.wilson is None:
        axes.text(x, 0.03, "none", ha="center", fontsize=8, style="italic", color=PALE_INK)
        return
    ends = _ends(share.value, share.wilson)
    axes.errorbar(x, share.value, ends, fmt="o", ms=7, color=colour, capsize=4, lw=1.6)
    axes.annotate(
        f"{100 * share.value:.0f} %", (x, share.value), (7, 0), textcoords="offset points",
        fontsize=8, va="center",
    )  # fmt: skip


def calibration_figure(metrics: Metrics) -> Figure:
    """Draw promised against found: coverage of the interval, probability of 0.80 or below."""
    figure, (left, right) = new_figure(4.6)
    c = metrics.calibration
    for axes in (left, right):
        axes.plot([0, 1], [0, 1], color=PALE_INK, lw=1)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    for shift, mark, colour, label, of in (
        (-0.006, "s", ORANGE, "invasive reading taken as exact", "held"),
        (0.006, "o", BLUE, f"with its own noise, SD {INVASIVE_SD}", "held_with_noise"),
    ):
        for k, level in enumerate(c.levels):
            share: Proportion = getattr(level, of)
            told = label if k == 0 else None
            _whisker(left, level.nominal + shift, share, mark, colour, told)
    left.set(title="interval", xlabel="promised", ylabel="invasive FFR inside")
    right.set(
        title="probability of FFR ≤ 0.80", xlabel="computed", ylabel="invasive FFR ≤ 0.80"
    )
    for b in c.bins:
        if b.predicted is not None:
            _whisker(right, b.predicted, b.observed, "o", BLUE, None)
            right.annotate(
                f"n {b.observed.of}", (b.predicted, b.observed.value or 0), (6, -9),
                textcoords="offset points", fontsize=7.5, color=PALE_INK,
            )  # fmt: skip
    if c.levels:
        left.legend(loc="upper left", fontsize=8, frameon=True, edgecolor="none")
    else:
        say_nothing(left, c.why_not or "")
    if not c.bins:
        say_nothing(right, c.brier.why_not or "")
    return figure


def _ends(value: float, interval: Interval | None) -> list[list[float]] | None:
    """Return the lengths of both whiskers; never below 0, as rounding may have it."""
    if interval is None:
        return None
    return [[max(value - interval.low, 0)], [max(interval.high - value, 0)]]


def _whisker(
    axes: Axes, x: float, share: Proportion, mark: str, colour: str, label: str | None
) -> None:
    if share.value is not None and share.wilson is not None:
        ends = _ends(share.value, share.wilson)
        axes.errorbar(
            x, share.value, ends, fmt=mark, ms=6, color=colour, capsize=3, lw=1.3, label=label
        )


def subgroup_figure(metrics: Metrics) -> Figure | None:
    """Draw accuracy and bias of each group; None when there is no group."""
    groups = [g for g in metrics.subgroups if g.n][:_MOST_ROWS]
    if not groups:
        return None
    names, y, last, places = [], 0.0, groups[0].column, []
    for g in groups:
        y += 1.0 if g.column == last else 1.6
        last = g.column
        places.append(y)
        names.append(f"{g.column}: {g.name} (n {g.n})")
    figure, (left, right) = new_figure(max(2.6, 0.23 * y + 1.1), sharey=True)
    overall = metrics.vessel.at_080.accuracy.value
    for at, g in zip(places, groups, strict=True):
        a = g.accuracy
        if a.value is not None and a.wilson is not None:
            whiskers = _ends(a.value, a.wilson)
            left.errorbar(
                a.value, at, xerr=whiskers, fmt="o", ms=5, color=BLUE, capsize=2.5, lw=1.3
            )
        bias, ends = g.bias.value, g.bias.interval
        if bias is not None and g.sd is not None:
            right.errorbar(bias, at, xerr=1.96 * g.sd, fmt="none", color=_LIGHT, lw=5)
            if ends is not None:
                half = (ends.high - ends.low) / 2
                right.errorbar(
                    bias, at, xerr=half, fmt="D", ms=4, color=BLUE, lw=1.4, capsize=2.5
                )
    if overall is not None:
        left.axvline(overall, color=INK, lw=0.9, ls=(0, (5, 3)))
    right.axvline(0, color=INK, lw=0.9, ls=(0, (5, 3)))
    left.set_yticks(places, names, fontsize=8)
    left.set_ylim(y + 0.8, 0.2)
    left.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    left.set(title="accuracy at 0.80 (dashed: all vessels)", xlim=(None, 1.02))
    right.set(title="bias, its interval, and limits of agreement (wide bar)")
    right.set_xlabel("computed − invasive FFR")
    return figure


def ceiling_figure(metrics: Metrics) -> Figure:
    """Draw what models of each error would show in this cohort, and what this one shows."""
    figure, (left, right) = new_figure(3.9)
    c = metrics.ceiling
    for axes, name in ((left, "accuracy"), (right, "auc")):
        if c.true_mean is None or c.true_sd is None or c.own_model_sd is None:
            say_nothing(axes, f"no ceiling: {c.why_not}")
            continue
        sds = np.linspace(0, max(0.12, 1.1 * c.own_model_sd), 9)
        curve = [expected(c.true_mean, c.true_sd, float(s)) for s in sds]
        found = metrics.vessel.at_080.accuracy if axes is left else metrics.vessel.roc.auc
        values = [getattr(row, name) for row in curve]
        axes.plot(sds, values, color=PALE_INK, lw=1.6, label="expected, unbiased model")
        interval = found.wilson if isinstance(found, Proportion) else found.interval
        if found.value is not None:
            ends = _ends(found.value, interval)
            axes.errorbar(
                c.own_model_sd, found.value, ends, fmt="o", ms=7, color=BLUE, capsize=4,
                label="this cohort",
            )  # fmt: skip
        axes.axhline(values[0], color=ORANGE, lw=1.2, ls=(0, (5, 3)), label="a perfect model")
        axes.set_xlabel("SD of computed minus true FFR")
        axes.legend(fontsize=8, frameon=False, loc="lower left")
    left.set_ylabel("accuracy at 0.80")
    left.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    right.set_ylabel("AUC")
    return figure
