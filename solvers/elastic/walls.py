"""How stiff is an arterial wall of a given radius?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from meshes.arrays import Floats, floats
from solvers.units import M_PER_MM, PA_PER_MMHG

POISSON = 0.5  # incompressible wall
OLUFSEN_CORONARY = (
    1.48e6,
    -2252.67,
    8.65e4,
)  # k1 Pa, k2 1/m, k3 Pa: svOneDSolver coronary deck
OLUFSEN_SYSTEMIC = (2.0e6, -2253.0, 8.65e4)  # Olufsen, Am J Physiol 1999;276:H257


def beta_stiffness_mmhg(
    radius_mm: ArrayLike, thickness_mm: ArrayLike, young_kpa: float
) -> Floats:
    """Return beta = (E h/R0) / (1 - sigma^2) of p = p_ext + beta (sqrt(A/A0) - 1).

    The tube law of Boileau et al. (International Journal for Numerical Methods in
    Biomedical Engineering 2015;e02732) in the form of openBF (Melis 2018).
    """
    share = np.asarray(thickness_mm, dtype=float) / np.asarray(radius_mm, dtype=float)
    return floats(share * young_kpa * 1e3 / (1.0 - POISSON**2) / PA_PER_MMHG)


def empirical_thickness_mm(radius_mm: ArrayLike) -> Floats:
    """Return h0 = R0 (a e^(b R0) + c e^(d R0)), systemic arteries (openBF; Avolio 1980)."""
    r = np.asarray(radius_mm, dtype=float) * M_PER_MM
    share = 0.2802 * np.exp(-505.3 * r) + 0.1324 * np.exp(-11.14 * r)
    return floats(share * np.asarray(radius_mm, dtype=float))


def olufsen_stiffness_mmhg(
    radius_mm: ArrayLike, constants: tuple[float, float, float] = OLUFSEN_CORONARY
) -> Floats:
    """Return (4/3) E h/r0 with E h/r0 = k1 e^(k2 r0) + k3.

    Olufsen, American Journal of Physiology 1999;276:H257; the default constants are those
    of the coronary example of svOneDSolver, in SI.
    """
    k1, k2, k3 = constants
    r = np.asarray(radius_mm, dtype=float) * M_PER_MM
    return floats(4.0 / 3.0 * (k1 * np.exp(k2 * r) + k3) / PA_PER_MMHG)
