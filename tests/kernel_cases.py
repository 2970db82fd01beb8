"""Small solves that touch every kernel of `solvers/`; prints their results as JSON.

Run by tests/test_solvers_kernel_modes.py compiled, interpreted and with bounds checks.
"""

import json
import sys

import numpy as np

from meshes.tree import VesselTree, outlets
from solvers import vessel
from solvers.blood import Blood
from solvers.calibrated import calibrate
from solvers.resolved import solve_resolved
from solvers.sampling import Draws, sample_ffr
from solvers.steady import solve_steady


def tree() -> VesselTree:
    """A short trunk with a narrow first daughter."""
    points = [[0, 0, 0], [2, 0, 0], [4, 0, 0], [5, 1, 0], [6, 2, 0], [7, 3, 0], [6, -1, 0]]
    radius = [1.5, 1.5, 1.5, 1.1, 0.6, 1.1, 1.2]
    return VesselTree(
        np.array(points, float), np.array(radius), np.array([-1, 0, 1, 2, 3, 4, 2])
    )


def steady() -> list[float]:
    """Lumped, resolved, and sampled."""
    vessel.CELLS = 6
    blood, beds = Blood(), [2.0, 2.5]
    lumped = solve_steady(tree(), 93.0, beds, 5.0, blood, inlet_profile="plug")
    resolved = solve_resolved(tree(), 93.0, beds, 5.0, blood)
    one, m = np.ones(3), 3
    draws = Draws(
        np.array([-1.0, 0.0, 1.0]), np.linspace(-1, 1, m * 7).reshape(m, 7),
        np.ones((m, 2)), one, one,
        93.0 * one, 5.0 * one,
    )  # fmt: skip
    sd = np.full(7, 0.05)
    sampled = sample_ffr(
        calibrate(tree(), resolved, blood), np.array(beds), resolved.flow_ml_min, (sd, sd), 8.0,
        draws,
    )  # fmt: skip
    ends = outlets(tree())
    found = [*lumped.pressure_mmhg[ends], *resolved.pressure_mmhg[ends], *sampled[:, ends].flat]
    return [float(value) for value in found]


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"steady": steady()}))
