"""What of the vessel map can be vessel: no specks, no strips of bone or of a chamber's wall."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from ffr.tracing.aortic_root import Root
from ffr.tracing.lumen_level import FAT_HU, LEAST_PIECE_MM, lumen_hu
from meshes.arrays import AnyArray
from meshes.distance import outside_mm
from meshes.straighten import sampled
from meshes.volume import Grid, Volume, ijk_to_points_mm

SPECK_MM3 = 15.0  # 10 mm of a vessel 1.4 mm wide
# Around a piece, past what the map may be short of the lumen. In 15 scans of virtual patients
# 58 pieces with true vessel had 0 to 7 % as bright as lumen there, one fused with an appendage
# 14 %, 13 strips of bone or of a vein full of contrast 16 to 46 %
AROUND_MM, BRIGHT_AROUND = (1.1, 1.6), 0.15
BESIDE_AORTA_MM = 3.0  # a piece that begins there is spared: a trunk lies between chambers


def plausible(
    scan: Volume, blood_hu: float, sure: AnyArray, root: Root, grid: Grid
) -> AnyArray:
    """Return the voxels of the vessel map without what cannot be vessel.

    Specks go, and pieces of 12 mm and more that are not dark all around: a vessel lies in
    fat, muscle or its own wall, while bone and chambers go on beside a strip of them. What
    begins at the aorta stays: it may be fused with an atrial appendage.

    Parameters
    ----------
    scan
        HU, any grid.
    blood_hu
        Attenuation in the aorta.
    sure
        Voxels that count as vessel, on the vessel grid.
    root
        The aorta.
    grid
        The vessel grid.
    """
    spacing = float(grid.spacing_mm[0])
    parts, _ = ndimage.label(sure, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())
    kept = sizes * spacing**3 > SPECK_MM3
    kept[0] = False
    size = 1 + 2 * math.ceil(BESIDE_AORTA_MM / spacing)
    beside = ndimage.maximum_filter(root.lumen, size=size)
    at_aorta = np.isin(np.arange(len(sizes)), parts[root.box][beside])
    for n, box in enumerate(ndimage.find_objects(parts), start=1):
        diagonal_mm = spacing * float(np.linalg.norm([s.stop - s.start for s in box]))
        if kept[n] and not at_aorta[n] and diagonal_mm >= LEAST_PIECE_MM:
            voxels = np.argwhere(parts[box] == n) + [s.start for s in box]
            kept[n] = _bright_around(scan, blood_hu, voxels, grid) <= BRIGHT_AROUND
    return np.asarray(kept[parts])


def _bright_around(scan: Volume, blood_hu: float, voxels: AnyArray, grid: Grid) -> float:
    """Share of what lies around a piece that is as bright as lumen."""
    spacing = float(grid.spacing_mm[0])
    margin = math.ceil(AROUND_MM[1] / spacing)
    first = voxels.min(axis=0) - margin
    own = np.zeros(np.ptp(voxels, axis=0) + 1 + 2 * margin, dtype=bool)
    own[tuple((voxels - first).T)] = True
    off = outside_mm(own, spacing)
    ring = np.argwhere((off > AROUND_MM[0]) & (off <= AROUND_MM[1])) + first
    hu = sampled(scan, ijk_to_points_mm(grid, ring[:, ::-1]), outside=FAT_HU)
    return float(np.mean(hu > lumen_hu(blood_hu)))
