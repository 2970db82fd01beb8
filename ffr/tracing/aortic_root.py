"""Where does the blood of the aortic root end? To a voxel, from the scan itself."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ffr.anatomy import Anatomy
from ffr.errors import StudyError
from ffr.segmentation.maps import HeartMap
from meshes.arrays import AnyArray, Floats
from meshes.components import largest_component
from meshes.distance import inside_mm, outside_mm
from meshes.resample import resampled
from meshes.volume import Grid, Volume, ijk_to_points_mm, points_mm_to_ijk

ROOT_REACH_MM = 55.0  # the root and ascending aorta end this far above the ventricle
BESIDE_MM = 8.0  # the root lies this close to the ventricle; the descending aorta does not
# The 2 mm map misses the bulge of a sinus by up to this; measured on virtual patients: 7 mm
MARGIN_MM = 10.0
# A coronary artery wider than 8 mm is a giant aneurysm (McCrindle 2017, AHA); so blood in
# which a ball of this radius fits is the aorta's or a chamber's.
WIDEST_ARTERY_MM = 4.0
TISSUE_HU = 50.0  # unenhanced wall: half way from it to blood is the blood's edge
STREAKS_MM = 4.0  # so deep in the coarse aorta, wrong by up to 3 mm, the dark is an artefact
SMOOTHING_VOXELS = 1.0  # against noise; an edge stays where it is


class Root(NamedTuple):
    """The aortic root on a part of the vessel grid.

    Parameters
    ----------
    box
        Slices (k, j, i) of the vessel grid around the root.
    lumen
        True in the aorta's blood, on `box`.
    wide
        True in blood wider than any coronary artery: the aorta's and the chambers'.
    brightness
        Attenuation above tissue as a share of the blood's, on `box`, float32.
    """

    box: tuple[slice, slice, slice]
    lumen: AnyArray
    wide: AnyArray
    brightness: AnyArray


def aortic_root(scan: Volume, heart: HeartMap, grid: Grid, dense: AnyArray) -> Root:
    """Find the lumen of the aortic root and proximal ascending aorta.

    The 2 mm map says which blood is the aorta's, the scan where it ends: blood is brighter
    than half way from tissue, and the aorta is where a ball wider than any coronary artery
    fits. Without blood that fits (no attenuation known) the coarse map is all there is.

    Parameters
    ----------
    scan
        HU, any grid.
    heart
        The coarse labels.
    grid
        The vessel grid, equal spacing along the patient's axes.
    dense
        Mask on `grid`: denser than blood and thicker than calcium (`too_dense`).

    Raises
    ------
    StudyError
        "coronary-origins-missing": no aorta beside the left ventricle.
    """
    coarse = _coarse_root(heart)
    box = _box(heart.labels.grid, coarse, grid)
    part = _part(grid, box)
    mask = resampled(Volume(heart.labels.grid, coarse.astype(np.float32)), part, outside=0.0)
    rough = mask.values > 0.5
    contrast = max(heart.blood_hu - TISSUE_HU, 1.0)
    hu = resampled(scan, part, outside=-1000.0).values.astype(np.float32)
    smooth = ndimage.gaussian_filter(hu, SMOOTHING_VOXELS)
    brightness = ((smooth - TISSUE_HU) / contrast).astype(np.float32)
    dense = dense[box]
    brightness[dense] = 0.0  # the caval vein, full of contrast
    own = _basin(heart, coarse, part)
    spacing = float(grid.spacing_mm[0])
    # and dark streaks from it, which cross the aorta
    pool = (brightness > 0.5) | ((inside_mm(rough, spacing) > STREAKS_MM) & ~dense)
    wide = outside_mm(inside_mm(pool, spacing) > WIDEST_ARTERY_MM, spacing) <= WIDEST_ARTERY_MM
    parts, _ = ndimage.label(wide & own)
    sizes = np.bincount(parts[rough], minlength=2)
    sizes[0] = 0
    lumen = parts == sizes.argmax() if sizes.any() else rough
    return Root(box, lumen, wide, brightness)


def _coarse_root(heart: HeartMap) -> AnyArray:
    """Aortic root and proximal ascending aorta in the 2 mm map."""
    labels = heart.labels.values
    spacing = float(heart.labels.grid.spacing_mm[0])
    aorta = labels == Anatomy.AORTA
    ventricle = largest_component(np.isin(labels, (Anatomy.LV, Anatomy.MYOCARDIUM)))
    height = outside_mm(ventricle, spacing)
    parts, _ = ndimage.label(aorta)
    # the descending aorta may pass close by: the root is what has most of the neighbourhood
    beside = np.bincount(parts[(height <= BESIDE_MM) & aorta], minlength=1)
    if not beside.any():
        message = "the aortic root was not found beside the left ventricle"
        raise StudyError("coronary-origins-missing", message)
    # and it may hang on the arch: keep what is close to the ventricle
    root = (parts == beside.argmax()) & (height < ROOT_REACH_MM)
    parts, _ = ndimage.label(root)
    close = np.unique(parts[(height < 1.5 * BESIDE_MM) & root])
    return np.asarray(np.isin(parts, close[close > 0]))


def _box(coarse_grid: Grid, coarse: AnyArray, grid: Grid) -> tuple[slice, slice, slice]:
    """Slices of the fine grid that hold the coarse mask and a margin."""
    where = np.argwhere(coarse)[:, ::-1]
    corners: list[Floats] = []
    for pick, sign in ((np.min, -1), (np.max, 1)):
        ijk = points_mm_to_ijk(grid, ijk_to_points_mm(coarse_grid, pick(where, axis=0)))
        corners.append(np.rint(ijk + sign * MARGIN_MM / np.asarray(grid.spacing_mm)))
    size = np.asarray(grid.size)
    low = np.clip(corners[0], 0, size - 1).astype(int)
    high = np.clip(corners[1] + 1, low + 1, size).astype(int)
    k, j, i = (slice(int(a), int(b)) for a, b in zip(low[::-1], high[::-1], strict=True))
    return k, j, i


def _part(grid: Grid, box: tuple[slice, slice, slice]) -> Grid:
    """The part of a grid in a box."""
    first = np.array([s.start for s in box[::-1]])
    size = np.array([s.stop - s.start for s in box[::-1]])
    return Grid(size, grid.spacing_mm, ijk_to_points_mm(grid, first), grid.direction)


def _basin(heart: HeartMap, root: AnyArray, part: Grid) -> AnyArray:
    """Where the root is the nearest of all labelled chambers, on a part of the fine grid."""
    labels = heart.labels.values
    _, nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    own = root[tuple(nearest)]
    volume = Volume(heart.labels.grid, own.astype(np.uint8))
    return np.asarray(resampled(volume, part, outside=0, nearest=True).values > 0)
