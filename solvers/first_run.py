"""How are kernels compiled before a user waits for them? `python -m solvers.first_run`.

Installation runs it once; numba keeps the machine code on disk. Where it cannot, nothing is
lost: the first solve compiles what it needs.
"""

from __future__ import annotations

import numpy as np

from meshes.tree import VesselTree
from solvers.blood import Blood
from solvers.methods import METHODS


def stenosed_vessel(percent: float = 50.0) -> VesselTree:
    """Return one vessel of 60 mm with a smooth stenosis at 20 mm, `percent` of the diameter."""
    x = np.arange(0.0, 60.25, 0.5)
    radius = 1.5 * (1.0 - percent / 100.0 * np.exp(-(((x - 20.0) / 3.0) ** 2)))
    return VesselTree(np.column_stack([x, 0.0 * x, 0.0 * x]), radius, np.arange(x.size) - 1)


def compile_kernels() -> None:
    """Solve a vessel in the ways of `ffr solve`: known flow and a bed, both solvers."""
    tree, blood = stenosed_vessel(), Blood()
    for method in METHODS.values():
        method.with_flows(tree, 93.0, [150.0], blood)
        method.with_beds(tree, 93.0, [0.5], 5.0, blood)


if __name__ == "__main__":
    compile_kernels()
