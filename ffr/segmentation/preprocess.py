"""How a scan becomes network input; the one definition for training and use."""

from __future__ import annotations

import numpy as np

from meshes.arrays import AnyArray

ANATOMY_SPACING_MM = 2.0
VESSEL_SPACING_MM = 0.5


def anatomy_input(hu: AnyArray) -> AnyArray:
    """Scale HU (z, y, x) for the whole-heart network: shape (1, z, y, x), float32."""
    return (np.clip(hu, -1000, 900).astype(np.float32) / 400.0)[None]


def vessel_input(hu: AnyArray, blood_hu: float) -> AnyArray:
    """Scale HU for the vessel network: shape (2, z, y, x), float32.

    One channel holds soft tissue at a fixed window, the other is relative to the
    attenuation of the blood in the aorta, so that contrast timing drops out.
    """
    fixed = (np.clip(hu, -300, 1300).astype(np.float32) - 150.0) / 250.0
    relative = np.clip(hu.astype(np.float32) / np.float32(blood_hu), -0.5, 2.5)
    return np.stack([fixed, relative])
