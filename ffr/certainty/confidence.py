"""How sure is each FFR, and what does that come from? What `ffr.certainty.uncertainty` finds.

Apart from how it is found: what only reads it need not load the solvers.
"""

from __future__ import annotations

from dataclasses import dataclass

from meshes.arrays import Floats, Ints

GROUPS = (
    "lumen radius", "resting flow", "hyperaemic response", "flow split", "aortic pressure",
    "venous pressure", "viscosity", "flow model",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Uncertainty:
    """The spread of FFR in one tree.

    Parameters
    ----------
    ffr_low, ffr_high
        Ends of the 95 % interval at each point, NaN where there is no FFR, shape (n,).
    probability
        That FFR, as printed, is 0.80 or below, shape (n,).
    readings
        Points whose inputs were weighed, shape (k,).
    first_order, total
        Sobol indices of the groups at the readings, shape (k, groups).
    """

    ffr_low: Floats
    ffr_high: Floats
    probability: Floats
    readings: Ints
    first_order: Floats
    total: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Confidence:
    """How sure the FFR of each tree is, and which millimetre of lumen decides it.

    Parameters
    ----------
    spreads
        Interval, probability and what they depend on, per tree.
    sensitivity_per_mm2
        Per tree, change of FFR at each of its readings (lesions, then the lowest analysed
        point) per mm of radius and mm of length at each point, shape (k, n).
    """

    spreads: tuple[Uncertainty, ...]
    sensitivity_per_mm2: tuple[Floats, ...]
