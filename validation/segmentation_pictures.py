"""What do the errors look like? Bland-Altman of diameter and stenosis; FFR beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from meshes.arrays import AnyArray, Floats, floats
from validation.agreement import limits_of_agreement
from validation.segmentation_case import Case
from validation.segmentation_lines import HEAVY_DEGREES

ISCHAEMIC = 0.80
SHOWN = 8000  # points
KINDS = (("no calcium", "0.35"), ("to 180°", "tab:blue"), ("over 180°", "tab:red"))


def draw(cases: Sequence[Case], folder: Path) -> list[Path]:
    """Write the pictures as PNG and return where they are."""
    import matplotlib as mpl

    mpl.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for imaging in sorted({c.imaging for c in cases}):
        own = [c for c in cases if c.imaging == imaging]
        for name, picture in (("agreement", _agreement), ("ffr", _ffr)):
            path = folder / f"segmentation-{name}-{imaging}.png"
            figure = picture(own)
            figure.suptitle(
                f"{len(own)} virtual patients, {imaging} imaging; research use only"
            )
            figure.savefig(path, dpi=110)
            drawn.append(path)
    return drawn


def _agreement(cases: Sequence[Case]) -> Any:
    """Bland-Altman pictures: diameter at points of 1-3 mm, and grade of the stenoses."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), constrained_layout=True)
    true, error, arc = (
        floats(np.concatenate([floats(getattr(c.points, n)) for c in cases]))
        for n in ("true_mm", "error_mm", "calcium_deg")
    )
    here = np.flatnonzero((true >= 1.0) & (true < 3.0))
    some = np.random.default_rng(0).permutation(here)[:SHOWN]
    _scatter(left, true[some] + error[some] / 2, error[some], arc[some], 4)
    _limits(left, floats(error[here]))
    left.set(xlabel="mean of found and true diameter, mm", ylabel="found − true, mm",
             title="lumen diameter, 1-3 mm", ylim=(-1.5, 2.0))  # fmt: skip
    rows = [(x.true_percent, x.found_percent, x.calcium_deg) for c in cases for x in c.stenoses
            if x.found_percent is not None]  # fmt: skip
    t, f, a = floats(np.reshape(rows, (-1, 3))).T
    _scatter(right, (t + f) / 2, f - t, a, 24)
    _limits(right, floats(f - t))
    right.set(xlabel="mean of found and true, %", ylabel="found − true, points",
              title="diameter stenosis")  # fmt: skip
    right.legend(loc="upper right", title="calcium")
    return figure


def _ffr(cases: Sequence[Case]) -> Any:
    """FFR behind each true stenosis: found lumen alone, and everything as reported."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 5.4), constrained_layout=True)
    for axis, way, words in zip(
        axes, ("lumen_ffr", "full_ffr"), ("found lumen alone", "as reported"), strict=True
    ):
        rows = [
            (x.true_ffr, found, x.way_calcium_deg)
            for c in cases
            for x in c.stenoses
            if x.true_ffr is not None and (found := getattr(x, way)) is not None
        ]
        t, f, a = floats(np.reshape(rows, (-1, 3))).T
        _scatter(axis, t, f, a, 24)
        axis.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        axis.axvline(ISCHAEMIC, color="0.85", linewidth=1)
        axis.axhline(ISCHAEMIC, color="0.85", linewidth=1)
        low = max(0.0, min([0.6, *t, *f]) - 0.03)
        axis.set(xlabel="true FFR", ylabel="found FFR", xlim=(low, 1.01), ylim=(low, 1.01),
                 aspect="equal", title=f"FFR 20 mm behind the stenosis, {words}")  # fmt: skip
    axes[0].legend(loc="upper left", title="calcium upstream")
    return figure


def _scatter(axis: Any, x: Floats, y: Floats, calcium_deg: Floats, size: float) -> None:
    parts: tuple[AnyArray, ...] = (
        calcium_deg == 0, (calcium_deg > 0) & (calcium_deg <= HEAVY_DEGREES),
        calcium_deg > HEAVY_DEGREES,
    )  # fmt: skip
    for (name, colour), here in zip(KINDS, parts, strict=True):
        axis.scatter(
            x[here], y[here], s=size, color=colour, alpha=0.6, linewidths=0, label=name
        )


def _limits(axis: Any, errors: Floats) -> None:
    bias, _, low, high = limits_of_agreement(errors)
    axis.axhline(0.0, color="0.7", linewidth=1)
    for value, style in ((bias, "-"), (low, "--"), (high, "--")):
        if np.isfinite(value):
            axis.axhline(value, color="k", linewidth=1, linestyle=style)
