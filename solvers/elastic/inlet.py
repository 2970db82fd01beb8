"""What enters an elastic network, beat after beat?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.arrays import Floats, floats
from solvers.elastic.grid import periodic_table
from solvers.kernels import elastic as kernels
from solvers.units import M3_S_PER_ML_MIN, PA_PER_MMHG


@dataclass(frozen=True, slots=True, eq=False)
class Inlet:
    """What enters the network over one cycle: a pressure or a flow, linear between points.

    Give one of the two. The waveform repeats; it may end at the period or just before.
    """

    time_s: Floats
    pressure_mmhg: Floats | None = None
    flow_ml_min: Floats | None = None

    def __post_init__(self) -> None:
        if (self.pressure_mmhg is None) == (self.flow_ml_min is None):
            message = "an inlet needs either pressure_mmhg or flow_ml_min"
            raise ValueError(message)
        for name in ("time_s", "pressure_mmhg", "flow_ml_min"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, floats(getattr(self, name)))
        values = self.flow_ml_min if self.pressure_mmhg is None else self.pressure_mmhg
        if values is None or values.shape != self.time_s.shape or values.size < 1:
            message = "the inlet's waveform must have one value per time"
            raise ValueError(message)
        if not np.all(np.isfinite(values)) or np.any(np.diff(self.time_s) <= 0):
            message = "the inlet's waveform must be finite and its times must rise"
            raise ValueError(message)


def inlet_table(inlet: Inlet, period_s: float) -> tuple[int, Floats]:
    """Return the kind of an inlet and its waveform at equal steps, SI, for the kernels."""
    if inlet.pressure_mmhg is not None:
        values, unit, kind = inlet.pressure_mmhg, PA_PER_MMHG, kernels.INLET_PRESSURE
    else:
        values, unit, kind = inlet.flow_ml_min, M3_S_PER_ML_MIN, kernels.INLET_FLOW  # type: ignore[assignment]
    return kind, unit * periodic_table(inlet.time_s, values, period_s)
