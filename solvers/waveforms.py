"""How pressure in aorta and left ventricle rises and falls in a heart beat."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

from meshes.arrays import Floats, floats

# Samples at 0, 0.05, ... of the cycle of the inlet pressure and of the intramyocardial
# pressure (which follows the left ventricle's) of the left coronary example of svOneDSolver
# (SimVascular, Stanford; dyn/cm2). Both are used as shapes only, from 0 to 1.
AORTIC_SHAPE = np.array([
    101821.80, 120978.40, 143697.50, 159091.60, 168844.70, 170403.10, 166382.50, 152319.60,
    136573.60, 127740.30, 123438.70, 121027.50, 118228.30, 114152.90, 110324.00, 106758.10,
    103313.30, 100320.60, 98172.98, 98977.48, 101821.80,
])  # fmt: skip
VENTRICLE_SHAPE = np.array([
    94842.03, 194521.19, 281305.36, 294135.77, 302096.23, 304037.44, 289456.07, 201410.04,
    110370.92, 76424.90, 73891.00, 74108.83, 73611.39, 74934.83, 71844.05, 74669.42, 78057.89,
    80779.59, 85707.84, 94653.26, 94842.03,
])  # fmt: skip
DIASTOLE_FROM = 0.40  # of the cycle: the ventricle's pressure has fallen below the aorta's
FILLING_MMHG = 8.0  # lowest ventricular pressure; end-diastolic, normal 4-12 (textbook)


def aortic_wave_mmhg(
    systolic_mmhg: float, diastolic_mmhg: float, period_s: float, points: int = 200
) -> tuple[Floats, Floats]:
    """Return times and aortic pressure of one cycle between the cuff's two pressures.

    Returns
    -------
    tuple
        Times [s] from 0 to the period, both included, and pressure [mmHg], (points + 1,).

    Raises
    ------
    ValueError
        Pressures that are not in order, a period that is not positive.
    """
    if not 0.0 < diastolic_mmhg < systolic_mmhg:
        message = (
            f"systolic {systolic_mmhg:g} mmHg must be above diastolic {diastolic_mmhg:g} mmHg, "
            f"and that above 0"
        )
        raise ValueError(message)
    time, shape = _wave(AORTIC_SHAPE, period_s, points)
    return time, floats(diastolic_mmhg + (systolic_mmhg - diastolic_mmhg) * shape)


def ventricular_wave_mmhg(
    systolic_mmhg: float, period_s: float, points: int = 200
) -> tuple[Floats, Floats]:
    """Return times and left ventricular pressure of one cycle; its peak is systolic."""
    time, shape = _wave(VENTRICLE_SHAPE, period_s, points)
    return time, floats(FILLING_MMHG + (systolic_mmhg - FILLING_MMHG) * shape)


def _wave(samples: Floats, period_s: float, points: int) -> tuple[Floats, Floats]:
    """Return a smooth periodic curve through samples, scaled to 0 and 1."""
    if not period_s > 0:
        message = f"period_s is {period_s:g}, must be positive"
        raise ValueError(message)
    n = samples.size - 1
    ring = np.concatenate([samples[-4:-1], samples, samples[1:4]])
    curve = PchipInterpolator((np.arange(ring.size) - 3) / n, ring)
    shape = curve(np.linspace(0.0, 1.0, points + 1))
    shape = (shape - shape.min()) / (shape.max() - shape.min())
    return floats(np.linspace(0.0, period_s, points + 1)), floats(shape)
