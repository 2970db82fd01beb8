"""What FFR could be, given what is uncertain: many fast solves of one tree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.arrays import AnyArray, Floats, floats
from meshes.tree import child_count, outlets, path_length_mm
from solvers.calibrated import Calibrated
from solvers.errors import ConvergenceError
from solvers.kernels.calibrated import sampled
from solvers.units import M3_S_PER_ML_MIN, M_PER_MM, PA_PER_MMHG, PA_S_M3_PER_MMHG_MIN_ML

LOST = (
    0.01  # samples whose flow may still move when the steps are used up; they count as they are
)
LEAST_RADIUS = 0.2  # of the measured radius: a sampled lumen does not close


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """m samples of what is uncertain about one tree, shape (m,) where not said otherwise.

    Parameters
    ----------
    radius_shift
        Standard normal: error of the radius that the whole tree shares.
    noise
        White standard normal noise (m, 2n): its error that changes along the vessels, and
        that error's slope.
    bed_factor
        Microvascular resistance over the expected one, (m, outlets) in the order of `outlets`.
    viscosity_factor
        Viscosity over the expected one.
    inlet_pressure_mmhg, venous_pressure_mmhg
        At the two ends.
    """

    radius_shift: Floats
    noise: AnyArray
    bed_factor: Floats
    viscosity_factor: Floats
    inlet_pressure_mmhg: Floats
    venous_pressure_mmhg: Floats

    def __post_init__(self) -> None:
        for name in (
            "radius_shift", "bed_factor", "viscosity_factor",
            "inlet_pressure_mmhg", "venous_pressure_mmhg",
        ):  # fmt: skip
            object.__setattr__(self, name, floats(getattr(self, name)))


def sample_ffr(
    calibrated: Calibrated,
    outlet_resistance_mmhg_min_ml: Floats,
    flow_ml_min: Floats,
    shared_sd_mm: Floats,
    own_sd_percent: Floats,
    correlation_mm: float,
    draws: Draws,
    centre_mm: Floats | None = None,
) -> AnyArray:
    """Return FFR at every point for every sample, shape (m, n), float32.

    Parameters
    ----------
    calibrated
        The tree and its losses at the expected geometry.
    outlet_resistance_mmhg_min_ml
        Expected resistances, in the order of `outlets`.
    flow_ml_min
        Expected flow at the points, where Newton starts, (n,).
    shared_sd_mm
        Standard deviation of the radius that the whole tree shares, (n,).
    own_sd_percent
        Standard deviation that changes along the vessels, log-normal, (n,).
    correlation_mm
        Length over which the second kind is correlated (Matern 3/2).
    draws
        The samples.
    centre_mm
        Medians of the drawn radii, (n,); those of the tree by default.

    Raises
    ------
    ConvergenceError
        More than one sample in a hundred has no steady flow.
    """
    tree = calibrated.tree
    m, n = draws.inlet_pressure_mmhg.size, len(tree)
    shared, own = floats(shared_sd_mm) * M_PER_MM, floats(own_sd_percent) / 100.0
    centre = floats(tree.radius_mm if centre_mm is None else centre_mm) * M_PER_MM
    resistance = np.ones(n)
    resistance[outlets(tree)] = outlet_resistance_mmhg_min_ml
    ffr, settled = np.empty((m, n), dtype=np.float32), np.empty(m, dtype=np.bool_)
    sampled(
        tree.parent, (child_count(tree) == 0).astype(np.int64),
        path_length_mm(tree) * M_PER_MM, tree.radius_mm * M_PER_MM, calibrated.viscous,
        calibrated.quadratic,
        calibrated.blood.density_kg_m3, draws.radius_shift, draws.noise, centre, shared, own,
        correlation_mm * M_PER_MM, LEAST_RADIUS, resistance * PA_S_M3_PER_MMHG_MIN_ML,
        draws.bed_factor, draws.viscosity_factor,
        draws.inlet_pressure_mmhg * PA_PER_MMHG, draws.venous_pressure_mmhg * PA_PER_MMHG,
        flow_ml_min * M3_S_PER_ML_MIN, ffr, settled,
    )  # fmt: skip
    lost = int(m - settled.sum())
    if lost > LOST * m:
        message = f"{lost} of {m} samples have no steady flow; check the narrowest lumen"
        raise ConvergenceError(message)
    return ffr
