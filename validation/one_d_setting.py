"""What do the checks of the 1D solver share: tubes, pulses, rows of the table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers.blood import Blood
from solvers.elastic.beds import Bed
from solvers.elastic.network import ElasticNetwork, ElasticVessel
from solvers.units import PA_PER_MMHG

BLOOD = Blood(4e-3, 1060.0)
INVISCID = Blood(1e-12, 1060.0)
STIFF_MMHG = 5e4


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was asked, what came out, what should have, how near."""

    case: str
    quantity: str
    got: str
    expected: str
    error_percent: float
    allowed_percent: float

    @property
    def passed(self) -> bool:
        """Tell whether the error is within what is allowed."""
        return abs(self.error_percent) <= self.allowed_percent


def row(case: str, quantity: str, got: float, expected: float, allowed: float) -> Row:
    """Compare two numbers."""
    error = 100.0 * (got - expected) / abs(expected)
    return Row(case, quantity, f"{got:.6g}", f"{expected:.6g}", error, allowed)


def tube(
    length_mm: float, radius_mm: float | Sequence[float], stiffness_mmhg: float, **rest: Any
) -> ElasticVessel:
    """Return one vessel from node 0 to 1 with a beta wall; two radii make a cone."""
    radii = np.broadcast_to(np.asarray(radius_mm, dtype=float), (2,))
    return ElasticVessel(
        "tube", 0, 1, np.array([0.0, length_mm]), radii, np.full(2, stiffness_mmhg), **rest
    )


def alone(vessel: ElasticVessel, bed: Bed) -> ElasticNetwork:
    """Return the network of one vessel."""
    return ElasticNetwork((vessel,), 0, {1: bed})


def wave_speed_m_s(stiffness_mmhg: float, blood: Blood = BLOOD) -> float:
    """Return c0 = sqrt(beta / (2 rho)) at the reference pressure."""
    return math.sqrt(stiffness_mmhg * PA_PER_MMHG / (2.0 * blood.density_kg_m3))


def hump(duration_s: float, period_s: float, height: float) -> tuple[np.ndarray, np.ndarray]:
    """Return times and a smooth single pulse, sin^4."""
    t = np.linspace(0.0, period_s, 2001)
    return t, height * np.where(t < duration_s, np.sin(np.pi * t / duration_s) ** 4, 0.0)
