"""What do the differences look like? One dot for each reading, one row for each change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ffr.results.cad_rads import NORMAL_95
from validation.repeatability_places import LESION
from validation.repeatability_report import INVASIVE_SD
from validation.repeatability_scans import CHANGES
from validation.repeatability_statistics import Row

KINDS = {"lesion": ("tab:blue", "o", "20 mm behind a stenosis"),
         "end": ("tab:orange", "D", "end of a main vessel")}  # fmt: skip
JITTER = 0.16


def draw(rows: Sequence[Row], path: Path) -> None:
    """Write the dot plot as PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    changes = [c for c in CHANGES if any(r.change == c for r in rows)]
    figure, axes = plt.subplots(figsize=(9, 0.75 * len(changes) + 2), constrained_layout=True)
    wire = NORMAL_95 * INVASIVE_SD
    axes.axvspan(-wire, wire, color="0.92", label="95 % of invasive repeats (DEFER)")
    axes.axvline(0.0, color="0.4", lw=0.8)
    for row in rows:
        colour, marker, words = KINDS[row.kind]
        here = changes.index(row.change) + (-0.2 if row.kind == LESION else 0.2)
        jitter = np.random.default_rng(0).uniform(-JITTER, JITTER, row.ffr.n)
        shown = words if row.change == changes[0] else None
        axes.plot(row.ffr.values, here + jitter, marker, color=colour, ms=5, alpha=0.7,
                  mec="none", label=shown)  # fmt: skip
        if row.ffr.n > 1:
            axes.plot([row.ffr.bias] * 2, [here - 0.2, here + 0.2], color=colour, lw=2)
    axes.set_yticks(range(len(changes)), [CHANGES[c] for c in changes])
    axes.set(
        ylim=(len(changes) - 0.4, -0.6),
        xlabel="FFR of the changed scan − reference; bars: means",
        title="FFR of one patient scanned again; virtual patients, research use only",
    )
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
