"""What the networks hand on: label maps, in patient space, without torch."""

from __future__ import annotations

from dataclasses import dataclass

from meshes.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class HeartMap:
    """The whole heart at 2 mm.

    Parameters
    ----------
    labels
        `Anatomy` values, uint8.
    lv_mass_g
        Myocardial mass of the left ventricle; 0 when none was found.
    blood_hu
        Median attenuation inside the aorta; 0 when no aorta was found.
    """

    labels: Volume
    lv_mass_g: float
    blood_hu: float


@dataclass(frozen=True, slots=True, eq=False)
class VesselMap:
    """The coronary vessels at 0.5 mm, in the box around the heart.

    Parameters
    ----------
    labels
        `Vessel` values, uint8.
    vessel_probability
        Probability of lumen or calcium, uint8 (255 = 1).
    """

    labels: Volume
    vessel_probability: Volume
