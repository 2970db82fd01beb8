"""How are kernels compiled before a user waits for them? `python -m ffr.first_run`.

Installation runs it once; numba keeps the machine code on disk. Where it cannot, nothing is
lost: the first solve compiles what it needs.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from ffr.centreline import SolveSettings, solve_centreline
from meshes.io import write_swc
from meshes.tree import VesselTree
from solvers.methods import METHODS


def stenosed_vessel(percent: float = 50.0) -> VesselTree:
    """Return one vessel of 60 mm with a smooth stenosis at 20 mm, `percent` of the diameter."""
    x = np.arange(0.0, 60.25, 0.5)
    radius = 1.5 * (1.0 - percent / 100.0 * np.exp(-(((x - 20.0) / 3.0) ** 2)))
    return VesselTree(np.column_stack([x, 0.0 * x, 0.0 * x]), radius, np.arange(x.size) - 1)


def compile_kernels() -> None:
    """Do what `ffr solve` does with a vessel: flow given and not, by both solvers."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vessel.swc"
        write_swc(file, stenosed_vessel())
        for solver in METHODS:
            for flow_ml_min in (150.0, None):
                solve_centreline(file, SolveSettings(flow_ml_min=flow_ml_min, solver=solver))


if __name__ == "__main__":
    compile_kernels()
