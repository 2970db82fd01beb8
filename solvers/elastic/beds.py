"""What drains an elastic vessel: beds of resistances and capacitors, or plain reflection."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from meshes.arrays import Floats, floats


@dataclass(frozen=True, slots=True)
class Resistance:
    """Q = (P - behind) / R."""

    resistance_mmhg_min_ml: float
    behind_mmhg: float = 0.0

    def __post_init__(self) -> None:
        _positive(self, "resistance_mmhg_min_ml")


@dataclass(frozen=True, slots=True)
class Windkessel:
    """R1 in series with C parallel to R2 (three elements, RCR).

    `proximal_mmhg_min_ml` None: the characteristic impedance rho c0/A0 of the vessel it
    drains, so that short waves pass without reflection; R1 + R2 is then `total`.
    """

    distal_mmhg_min_ml: float
    compliance_ml_mmhg: float
    proximal_mmhg_min_ml: float | None = None
    behind_mmhg: float = 0.0

    def __post_init__(self) -> None:
        _positive(self, "distal_mmhg_min_ml", "compliance_ml_mmhg")
        if self.proximal_mmhg_min_ml is not None:
            _positive(self, "proximal_mmhg_min_ml")


@dataclass(frozen=True, slots=True)
class Reflection:
    """Send back a share of the pressure wave that arrives: 0 lets it pass, 100 is a closed end.

    Waves are measured from `rest_mmhg`.
    """

    reflected_percent: float = 0.0
    rest_mmhg: float = 0.0

    def __post_init__(self) -> None:
        if not -100.0 < self.reflected_percent <= 100.0:
            message = f"reflected_percent is {self.reflected_percent:g}, must be in (-100, 100]"
            raise ValueError(message)


@dataclass(frozen=True, slots=True, eq=False)
class CoronaryBed:
    """Arterioles R_a, C_a; capillaries R_am; the myocardium squeezes C_im; veins R_v.

    Kim et al., Annals of Biomedical Engineering 2010;38:3195, in the form of SimVascular:
    C_a dP1/dt = (P - P1)/R_a - (P1 - P2)/R_am,
    C_im d(P2 - P_im)/dt = (P1 - P2)/R_am - (P2 - P_v)/R_v.

    Parameters
    ----------
    arterial_mmhg_min_ml, capillary_mmhg_min_ml, venous_mmhg_min_ml
        R_a, R_am, R_v.
    arterial_compliance_ml_mmhg, intramyocardial_compliance_ml_mmhg
        C_a, C_im.
    time_s, muscle_mmhg
        Intramyocardial pressure P_im over one cycle from time 0; repeats.
    behind_mmhg
        Venous pressure P_v.
    """

    arterial_mmhg_min_ml: float
    capillary_mmhg_min_ml: float
    venous_mmhg_min_ml: float
    arterial_compliance_ml_mmhg: float
    intramyocardial_compliance_ml_mmhg: float
    time_s: Floats = field(default_factory=lambda: np.zeros(1))
    muscle_mmhg: Floats = field(default_factory=lambda: np.zeros(1))
    behind_mmhg: float = 0.0

    def __post_init__(self) -> None:
        for name in ("time_s", "muscle_mmhg"):
            object.__setattr__(self, name, floats(getattr(self, name)))
        _positive(
            self,
            "arterial_mmhg_min_ml",
            "capillary_mmhg_min_ml",
            "venous_mmhg_min_ml",
            "arterial_compliance_ml_mmhg",
            "intramyocardial_compliance_ml_mmhg",
        )
        if self.time_s.shape != self.muscle_mmhg.shape or np.any(np.diff(self.time_s) <= 0):
            message = "time_s and muscle_mmhg of a bed must be equally long, time_s rising"
            raise ValueError(message)


Bed = Resistance | Windkessel | Reflection | CoronaryBed

# Kim 2010 as in the SimVascular guide
RESISTANCE_SHARES = (0.32, 0.52, 0.16)  # arterial, capillary, venous
COMPLIANCE_SHARES = (0.11, 0.89)  # arterial, intramyocardial
TOTAL_COMPLIANCE_ML_MMHG = {"left": 3.6e-5 * 1333.22, "right": 2.5e-5 * 1333.22}
MUSCLE_SHARE = {"left": 1.5, "right": 0.5}  # of the pressure in the left ventricle


def coronary_beds(
    resistance_mmhg_min_ml: ArrayLike,
    area_mm2: ArrayLike,
    side: str,
    time_s: ArrayLike,
    ventricle_mmhg: ArrayLike,
    venous_pressure_mmhg: float = 0.0,
) -> tuple[CoronaryBed, ...]:
    """Return a coronary bed for each outlet of a tree.

    Each total resistance splits 0.32 : 0.52 : 0.16 into arterial, capillary and venous. The
    tree's compliance (3.6e-5 cm5/dyn left, 2.5e-5 right) is shared in proportion to the
    outlet areas and splits 0.11 : 0.89. The muscle presses with 1.5 (left) or 0.5 (right)
    times the ventricle's pressure (Kim 2010; constants as in the SimVascular guide).

    Parameters
    ----------
    resistance_mmhg_min_ml, area_mm2
        Total resistance and lumen area of each outlet, shape (m,).
    side
        "left" or "right".
    time_s, ventricle_mmhg
        Left ventricular pressure over one cycle.
    venous_pressure_mmhg
        Pressure behind the beds.
    """
    total = np.atleast_1d(np.asarray(resistance_mmhg_min_ml, dtype=float))
    area = np.atleast_1d(np.asarray(area_mm2, dtype=float))
    soft = TOTAL_COMPLIANCE_ML_MMHG[side] * area / area.sum()
    muscle = MUSCLE_SHARE[side] * np.asarray(ventricle_mmhg, dtype=float)
    return tuple(
        CoronaryBed(
            float(r * RESISTANCE_SHARES[0]),
            float(r * RESISTANCE_SHARES[1]),
            float(r * RESISTANCE_SHARES[2]),
            float(c * COMPLIANCE_SHARES[0]),
            float(c * COMPLIANCE_SHARES[1]),
            time_s=floats(time_s),
            muscle_mmhg=floats(muscle),
            behind_mmhg=venous_pressure_mmhg,
        )
        for r, c in zip(total, soft, strict=True)
    )


def steady_resistance_mmhg_min_ml(bed: Bed, impedance_mmhg_min_ml: float) -> float:
    """Return what a bed resists to steady flow; `impedance` is that of the vessel it drains."""
    if isinstance(bed, Resistance):
        return bed.resistance_mmhg_min_ml
    if isinstance(bed, Windkessel):
        near = bed.proximal_mmhg_min_ml
        return bed.distal_mmhg_min_ml + (impedance_mmhg_min_ml if near is None else near)
    if isinstance(bed, CoronaryBed):
        return bed.arterial_mmhg_min_ml + bed.capillary_mmhg_min_ml + bed.venous_mmhg_min_ml
    share = bed.reflected_percent / 100.0
    return impedance_mmhg_min_ml * (1.0 + share) / (1.0 - share) if share < 1 else math.inf


def _positive(bed: object, *names: str) -> None:
    for name in names:
        value = getattr(bed, name)
        if not (math.isfinite(value) and value > 0):
            message = f"{name} of an outlet's bed is {value:g}, must be positive"
            raise ValueError(message)
