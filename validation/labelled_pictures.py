"""What do masks, centrelines, radii and FFR of labelled scans look like beside the labels?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ffr.report.colours import BLUE, BROWN, INK, LINE, ORANGE, PALE_INK, PAPER
from meshes.arrays import Floats, floats
from validation.agreement import limits_of_agreement
from validation.cohort.figures import new_figure, say_nothing
from validation.labelled_case import LabelCase
from validation.labelled_vessels import MAIN, SIDE_BRANCH

SHOWN = 6000  # points: more make a page of megabytes
OVERLAPS = (
    ("overlap_percent", "OV", BLUE),
    ("until_error_percent", "OF", ORANGE),
    ("relevant_percent", "OT", BROWN),
)


def overlap_figure(cases: Sequence[LabelCase]) -> Figure:
    """Draw OV, OF and OT by vessel with each scan's value, and Dice and clDice by scan."""
    figure, (left, right) = new_figure(4.6)
    vessels = (*MAIN, SIDE_BRANCH)
    for n, (field, name, colour) in enumerate(OVERLAPS):
        for k, vessel in enumerate(vessels):
            rows = [getattr(v, field) for c in cases for v in c.vessels if v.vessel == vessel]
            known = [x for x in rows if x is not None]
            at = k + 0.26 * (n - 1)
            if known:
                label = name if k == 0 else None
                left.bar(at, np.mean(known), 0.24, color=colour, alpha=0.35, label=label)
                left.plot(_beside(at, len(known)), known, "o", ms=3.5, color=colour, mew=0)
    left.set_xticks(range(len(vessels)), vessels)
    left.set(ylim=(0, 116), ylabel="%", title="centreline overlap: bars are means of scans")
    left.set_yticks(range(0, 101, 20))
    if left.get_legend_handles_labels()[0]:
        left.legend(loc="upper center", ncols=3, fontsize=8, frameon=False)
    else:
        say_nothing(left, "no label has a vessel to follow")
    _masks(right, cases)
    return figure


def _beside(at: float, count: int) -> Floats:
    """Spread points of one column a little, always in the same way."""
    return floats(at + 0.16 * ((np.arange(count) * 0.618) % 1.0 - 0.5))


def _masks(axes: Axes, cases: Sequence[LabelCase]) -> None:
    shown = [c for c in cases if c.masks.dice_percent is not None]
    if not shown:
        say_nothing(axes, "no scan was analysed")
        return
    for field, name, mark, colour in (
        ("dice_percent", "Dice", "o", BLUE),
        ("cl_dice_percent", "clDice", "D", ORANGE),
    ):
        rows = [
            (c.number, value) for c in shown if (value := getattr(c.masks, field)) is not None
        ]
        x, y = floats(np.reshape(rows, (-1, 2))).T
        axes.plot(x, y, mark, ms=5, color=colour, mec=PAPER, mew=0.4, label=name)
    low = max(0.0, 10.0 * np.floor(min(axes.get_ylim()[0], 80.0) / 10.0))
    numbers = [c.number for c in shown]
    axes.set(xlim=(min(numbers) - 0.5, max(numbers) + 0.5), ylim=(low, 101), ylabel="%",
             xlabel="scan", title="lumen masks")  # fmt: skip
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower right", fontsize=8, frameon=True, edgecolor="none")


def radius_figure(cases: Sequence[LabelCase]) -> Figure:
    """Draw the difference of the radii against their mean, and FFR in both lumens."""
    figure, (left, right) = new_figure(4.8)
    told, found = (
        floats([x for c in cases for x in getattr(c.radii, name)])
        for name in ("told_mm", "found_mm")
    )
    if told.size < 2:
        say_nothing(left, "no centrelines go together")
    else:
        some = np.random.default_rng(0).permutation(told.size)[:SHOWN]
        error, middle = found - told, (found + told) / 2
        left.plot(middle[some], error[some], "o", ms=2.2, color=BLUE, alpha=0.35, mew=0)
        _limits(left, floats(error))
        left.set(xlabel="mean of both radii, mm", ylabel="ours − label, mm",
                 title="lumen radius along matched centrelines (Bland-Altman)")  # fmt: skip
    _ffr(right, cases)
    return figure


def _limits(axes: Axes, error: Floats) -> None:
    bias, _, low, high = limits_of_agreement(error)
    reach = 1.15 * max(float(np.abs(np.quantile(error, (0.001, 0.999))).max()), high, -low)
    axes.set_ylim(-reach, reach)
    axes.axhline(0, color=LINE, lw=1)
    for value, name, dash in (
        (bias, "bias", "-"),
        (low, "lower limit", "--"),
        (high, "upper limit", "--"),
    ):
        axes.axhline(value, color=INK, lw=1.3, ls=dash)
        axes.annotate(
            f"{name} {value:+.2f}".replace("-", "\N{MINUS SIGN}"), (1, value), (-3, 2),
            xycoords=axes.get_yaxis_transform(), textcoords="offset points", ha="right",
            va="bottom", fontsize=8,
            bbox={"boxstyle": "square,pad=0.1", "fc": PAPER, "ec": "none"},
        )  # fmt: skip


def _ffr(axes: Axes, cases: Sequence[LabelCase]) -> None:
    groups = (
        ("end of a vessel", "o", BLUE, [x for c in cases for x in c.ends]),
        ("behind a stenosis", "^", ORANGE, [x for c in cases for x in c.stenoses]),
    )
    lowest = [0.7]
    for name, mark, colour, rows in groups:
        known = [(x.true_ffr, x.lumen_ffr) for x in rows
                 if x.true_ffr is not None and x.lumen_ffr is not None]  # fmt: skip
        if known:
            x, y = floats(known).T
            lowest += [float(x.min()), float(y.min())]
            axes.plot(x, y, mark, ms=5, color=colour, mec=PAPER, mew=0.4, alpha=0.8, label=name)
    if len(lowest) == 1:
        say_nothing(axes, "no FFR in both lumens")
        return
    low = max(0.0, min(lowest) - 0.04)
    axes.plot([low, 1.02], [low, 1.02], color=PALE_INK, lw=1)
    for line in (axes.axhline, axes.axvline):
        line(0.805, color=INK, lw=0.9, ls=(0, (5, 3)))
    ends = (low, 1.02)
    axes.set(xlim=ends, ylim=ends, aspect="equal", xlabel="FFR in the label's lumen",
             ylabel="FFR with our radii there", title="FFR: only the radii differ")  # fmt: skip
    axes.legend(loc="upper left", fontsize=8, frameon=True, edgecolor="none")
