"""Where is it so bright, and so thick, that no coronary artery can be there?

Undiluted contrast fills the caval vein beside the aortic root at two to three times the
attenuation of the aorta, streams into the right atrium, and looks like a vessel to a network.
"""

from __future__ import annotations

import numpy as np

from meshes.arrays import AnyArray
from meshes.distance import inside_mm, outside_mm
from meshes.resample import resampled
from meshes.volume import Grid, Volume, array_shape

BRIGHTER = 1.5  # than the blood of the aorta; arteries are as bright as it is, or less
THICK_MM = 3.0  # a ball of this radius fits: no calcium, stent or bright streak is so thick
RIM_MM = 1.0  # blur makes it look a little smaller than it is


def too_dense(scan: Volume, grid: Grid, blood_hu: float) -> AnyArray:
    """Return a mask on `grid` of what is denser and thicker than blood, calcium or stents.

    Nothing is where the attenuation of the blood is not known (0).
    """
    spacing = float(grid.spacing_mm[0])
    if blood_hu <= 0:
        return np.zeros(array_shape(grid), dtype=bool)
    bright = resampled(scan, grid, outside=-1000.0).values > BRIGHTER * blood_hu
    core = inside_mm(bright, spacing) > THICK_MM
    if not core.any():
        return core
    return np.asarray(outside_mm(core, spacing) <= THICK_MM + RIM_MM)
