"""What flows: a Newtonian liquid, known by viscosity and density."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Blood:
    """Blood at the shear rates of coronary arteries.

    Parameters
    ----------
    viscosity_pa_s
        Dynamic viscosity; 3.5 mPa s as in Fossan et al. (Cardiovascular Engineering and
        Technology 2018).
    density_kg_m3
        Density; 1060 kg/m3 as in Boileau et al. (International Journal for Numerical
        Methods in Biomedical Engineering 2015).

    Raises
    ------
    ValueError
        A value is not positive and finite.
    """

    viscosity_pa_s: float = 0.0035
    density_kg_m3: float = 1060.0

    def __post_init__(self) -> None:
        for name in ("viscosity_pa_s", "density_kg_m3"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                message = f"{name} is {value:g}, must be positive"
                raise ValueError(message)
