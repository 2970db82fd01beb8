"""Which beds let the resting flow pass? At rest they dilate behind a stenosis."""

from __future__ import annotations

import numpy as np

from ffr.pulse.losses import Fed, Losses, losses_of
from meshes.arrays import Floats, floats
from meshes.tree import outlets
from solvers.errors import ConvergenceError
from solvers.losses import Closure
from solvers.methods import METHODS
from solvers.occlusion import closed_beds
from solvers.steady import solve_steady

ROUNDS = 20
SETTLED = 1e-4  # change of a resting resistance between rounds, of itself
SWEEPS, SWEPT = 500, 1e-7


def resting_beds(fed: Fed) -> tuple[Losses, Floats]:
    """Return losses and outlet resistances at rest, (m,), in mmHg min/mL.

    At rest a bed dilates behind a stenosis to keep its flow, until it is as wide as in
    hyperaemia (Gould & Lipscomb, American Journal of Cardiology 1974;34:48); then its flow
    falls. A healthy tree has (MAP - P_v)/Q.

    Raises
    ------
    ConvergenceError
        The resistances did not settle.
    """
    bed = fed.boundary
    inlet, venous = bed.inlet_pressure_mmhg, bed.venous_pressure_mmhg
    resistance = (inlet - venous) / bed.resting_flow_ml_min
    for _ in range(ROUNDS):
        losses = _losses_at(fed, resistance)
        new = _dilated(fed, lambda *_, pair=losses.shown: pair)
        change = float(np.abs(new / resistance - 1.0).max())
        resistance = new
        if change < SETTLED:
            return losses, floats(resistance)
    message = f"the resting flow of the {fed.side} tree did not settle in {ROUNDS} rounds"
    raise ConvergenceError(message)


def _losses_at(fed: Fed, resistance: Floats) -> Losses:
    """Return the losses of the steady solver with these beds; hyperaemic ones if it fails."""
    bed = fed.boundary
    given = (
        fed.tree, bed.inlet_pressure_mmhg, resistance, bed.venous_pressure_mmhg, fed.blood,
    )  # fmt: skip
    try:
        solution = METHODS[fed.solver].with_beds(*given)
    except ConvergenceError:
        solution = fed.steady
    return losses_of(fed, solution)


def _dilated(fed: Fed, closure: Closure) -> Floats:
    """Return the largest resistances that let each bed's resting flow pass, within its range.

    From above: each sweep lowers all of them, so this ends at the largest that fit.
    """
    tree, bed, ends = fed.tree, fed.boundary, outlets(fed.tree)
    inlet, venous, flow = (
        bed.inlet_pressure_mmhg, bed.venous_pressure_mmhg, bed.resting_flow_ml_min,
    )  # fmt: skip
    widest, resistance = bed.outlet_resistance_mmhg_min_ml, (inlet - venous) / flow
    for _ in range(SWEEPS):
        shut = closed_beds(tree, resistance)
        if np.all(np.isinf(shut)):
            break
        found = solve_steady(tree, inlet, shut, venous, fed.blood, closure)
        head = found.pressure_mmhg[ends] - venous
        new = np.clip(head / flow, widest, (inlet - venous) / flow)
        change = float(np.abs(new / resistance - 1.0).max())
        resistance = new
        if change < SWEPT:
            break
    return floats(resistance)
