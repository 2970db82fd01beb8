"""Where is it so bright, and so thick, that no coronary artery can be there?

Undiluted contrast fills the caval vein beside the aortic root at two to three times the
attenuation of the aorta, streams into the right atrium, and looks like a vessel to a network.
"""

from __future__ import annotations

import numpy as np

from meshes.arrays import AnyArray
from meshes.distance import box_around, inside_mm, outside_mm
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
    found = np.zeros(bright.shape, dtype=bool)
    # a cube inside that ball is soon looked for; the distances only around where there is one
    half = int(THICK_MM / (3**0.5 * spacing))
    cubes = _middles(bright, half)
    if cubes.any():
        box = box_around(cubes, int(np.ceil((2 * THICK_MM + RIM_MM) / spacing)) + 1)
        core = (inside_mm(bright[box], spacing) > THICK_MM) & cubes[box]
        found[box] = outside_mm(core, spacing) <= THICK_MM + RIM_MM
    return found


def _middles(mask: AnyArray, half: int) -> AnyArray:
    """Voxels around which a cube of 2 `half` + 1 voxels lies in the mask, or off its edge."""
    for axis in range(mask.ndim):
        rim = [(half * (n == axis),) * 2 for n in range(mask.ndim)]
        wide = np.moveaxis(np.pad(mask, rim, constant_values=True), axis, 0)
        inside = wide[half : len(wide) - half].copy()
        for shift in range(2 * half + 1):
            inside &= wide[shift : shift + len(inside)]
        mask = np.moveaxis(inside, 0, axis)
    return mask
