"""Which parts of the heart does the field of view hold, by the coarse label map?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ffr.anatomy import Anatomy
from ffr.scan import Scan
from meshes.arrays import AnyArray, Ints
from meshes.components import largest_component
from meshes.volume import Grid, Volume, ijk_to_points_mm, points_mm_to_ijk

CONTACT_MM = (6.0, 14.0)  # aorta and ventricle meet; a network may leave the valve unlabelled
ROOT_MM = 25.0  # coronaries leave 10 to 20 mm above the valve plane
EDGE_MM = 2.0
CORE_MM = (4.0, 2.0, 0.0)  # depth under the wall, as deep as the root is thick


@dataclass(frozen=True, slots=True, eq=False)
class AorticRoot:
    """Aorta within `needed_mm` of the left ventricle, on the grid of the labels.

    `height_mm` says how far beyond the ventricle the aorta can be followed.
    """

    mask: AnyArray
    height_mm: float
    needed_mm: float


def aortic_root(labels: Volume) -> AorticRoot:
    """Follow the aorta from the left ventricle; the descending aorta is not reached.

    The way is followed inside the aorta, because the descending aorta passes close behind
    the heart too, and leaves every field of view.
    """
    aorta = labels.values == Anatomy.AORTA
    # stray voxels that are called ventricle lie beside the descending aorta too
    ventricle = largest_component(labels.values == Anatomy.LV)
    empty = AorticRoot(np.zeros_like(aorta), 0.0, ROOT_MM)
    if not aorta.any() or not ventricle.any():
        return empty
    sampling = labels.grid.spacing_mm[::-1]
    distance_mm = ndimage.distance_transform_edt(~ventricle, sampling=sampling)
    for contact_mm in CONTACT_MM:
        start = aorta & (distance_mm <= contact_mm)
        if start.any():
            break
    else:
        return empty
    rounds = int(np.ceil(1.6 * ROOT_MM / float(np.min(sampling))))
    reached = ndimage.binary_dilation(start, iterations=rounds, mask=aorta)
    height_mm = float(distance_mm[reached].max())
    return AorticRoot(reached & (distance_mm <= ROOT_MM), height_mm, ROOT_MM)


def volume_ml(grid: Grid, mask: AnyArray) -> float:
    """Return the volume of the marked voxels."""
    return float(np.count_nonzero(mask) * np.prod(grid.spacing_mm)) / 1000.0


def deep_inside(grid: Grid, mask: AnyArray) -> AnyArray:
    """Return the voxels of `mask` that lie 4 mm under its surface, or as deep as there are."""
    depth_mm = ndimage.distance_transform_edt(mask, sampling=grid.spacing_mm[::-1])
    for least_mm in CORE_MM:
        core = depth_mm > least_mm
        if np.count_nonzero(core) >= 20:
            break
    return core


def nearest_kji(scan: Scan, labels: Volume, mask: AnyArray) -> Ints:
    """Return the scan voxels k, j, i nearest to the marked label voxels, shape (n, 3)."""
    ijk = np.rint(_scan_ijk(scan, labels, mask)).astype(np.int64)
    inside = np.all((ijk >= 0) & (ijk < scan.volume.grid.size), axis=1)
    return np.ascontiguousarray(ijk[inside][:, ::-1])


def at_border(scan: Scan, labels: Volume, mask: AnyArray) -> AnyArray:
    """Tell which of the marked label voxels lie within 2 mm of the edge of the scan."""
    grid = scan.volume.grid
    ijk = _scan_ijk(scan, labels, mask)
    margin = EDGE_MM / grid.spacing_mm
    return np.any((ijk < margin - 0.5) | (ijk > grid.size - 0.5 - margin), axis=1)


def _scan_ijk(scan: Scan, labels: Volume, mask: AnyArray) -> AnyArray:
    points = ijk_to_points_mm(labels.grid, np.argwhere(mask)[:, ::-1])
    return points_mm_to_ijk(scan.volume.grid, points)
