"""Where does the wall end on a ray? Where the network says, but not beyond the first fat."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from ffr.segmentation.stacks import RADII_MM, STEP_MM
from meshes.arrays import AnyArray, Floats, floats

FAT_BELOW_HU = -30.0  # fat around arteries (Antonopoulos 2017); no plaque is darker
OFF_LUMEN_MM = 0.2  # the dark rim that a sharp kernel draws around bright blood
NOISE_SAMPLES = (1.0, 1.0, 1.0)  # along, around, outward: single dark samples are noise


def outside_fat(outer_mm: Floats, lumen_mm: Floats, hu: AnyArray) -> Floats:
    """Return the way to the outer wall, cut where fat begins, shape (n, angles).

    With fat around a vessel and other tissue all around the fat, as in a groove, the network
    takes the fat for plaque and its far border for the wall.

    Parameters
    ----------
    outer_mm, lumen_mm
        Way along each ray to the outer wall and the lumen's contour, (n, angles).
    hu
        Attenuation along the rays, (n, angles, samples).
    """
    even = gaussian_filter(hu, NOISE_SAMPLES, mode=("nearest", "wrap", "nearest"))
    fat = (even < FAT_BELOW_HU) & (lumen_mm[..., None] + OFF_LUMEN_MM < RADII_MM)
    begins = RADII_MM[fat.argmax(axis=-1)] - STEP_MM / 2.0
    return floats(np.where(fat.any(axis=-1), np.minimum(outer_mm, begins), outer_mm))
