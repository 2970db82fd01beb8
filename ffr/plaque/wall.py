"""How much plaque of which kind does each section of a tree hold?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.arrays import AnyArray, Floats, floats
from meshes.errors import GeometryError
from meshes.straighten import sampled
from meshes.tree import CoronaryTree, segment_length_mm
from meshes.volume import Volume

# Williams et al., Circulation 2020;141:1452 (SCOT-HEART); at 100 to 120 kVp: ASCI-PT consensus,
# Korean J Radiol 2024 (PMC10973734)
LOW_ATTENUATION_BELOW_HU = 30.0
CALCIFIED_ABOVE_HU = 350.0  # of the 30/130/350 classes on CTA (de Graaf et al. 2013)
RIM_MM = 0.3  # half the width of a usual point spread: nearer to a border it mixes two tissues
LAYERS = 12  # of equal area between lumen and outer wall


@dataclass(frozen=True, slots=True, eq=False)
class WallVolumes:
    """What lies between each point of a tree and the one before it, shape (n,) each.

    Parameters
    ----------
    length_mm
        Way from the point before.
    vessel_mm3, lumen_mm3
        Inside the outer wall; inside the lumen.
    calcified_mm3, non_calcified_mm3
        Wall and plaque between the two, by attenuation.
    low_attenuation_mm3
        Part of the non-calcified.
    """

    length_mm: Floats
    vessel_mm3: Floats
    lumen_mm3: Floats
    calcified_mm3: Floats
    non_calcified_mm3: Floats
    low_attenuation_mm3: Floats


def wall_volumes(volume: Volume, c: CoronaryTree) -> WallVolumes:
    """Measure wall and plaque around every point, the native voxels interpolated.

    The volumes come from the two contours, which lie between voxels; only the class comes from
    attenuation. Within 0.3 mm of either contour the point spread mixes the wall with blood or
    fat: there the class is that of the wall 0.3 mm further in. A wall of less than 0.6 mm
    shows no tissue of its own: its class is that of its middle, and never low attenuation,
    which fat beside it would imitate.

    Raises
    ------
    GeometryError
        The tree has no outer wall.
    """
    if c.contours is None or c.walls is None:
        raise GeometryError("plaque needs the outer wall; this tree has only its lumen")
    lumen = c.contours.radius_mm
    outer = np.maximum(c.walls.radius_mm, lumen)  # a lumen may have been moved since
    length = segment_length_mm(c.tree)
    thickness = outer - lumen
    share = (np.arange(LAYERS) + 0.5) / LAYERS
    way = np.sqrt(lumen[..., None] ** 2 + share * (outer**2 - lumen**2)[..., None])
    depth = _off_the_rims(way - lumen[..., None], thickness[..., None])
    hu = sampled(volume, _places(c, lumen[..., None] + depth), outside=0.0)
    area = np.pi / lumen.shape[1] * (outer**2 - lumen**2) / LAYERS  # of a layer on one ray
    calcified = hu > CALCIFIED_ABOVE_HU
    thick = (thickness >= 2.0 * RIM_MM)[..., None]
    low = (hu < LOW_ATTENUATION_BELOW_HU) & thick

    def volume_mm3(which: AnyArray) -> Floats:
        return floats((which.sum(axis=-1) * area).sum(axis=-1) * length)

    return WallVolumes(
        floats(length),
        floats(np.pi * np.mean(outer**2, axis=1) * length),
        floats(np.pi * np.mean(lumen**2, axis=1) * length),
        volume_mm3(calcified), volume_mm3(~calcified), volume_mm3(low),
    )  # fmt: skip


def _off_the_rims(depth: Floats, thickness: Floats) -> Floats:
    rim = np.minimum(RIM_MM, thickness / 2.0)
    return floats(np.clip(depth, rim, thickness - rim))


def _places(c: CoronaryTree, way_mm: Floats) -> Floats:
    """Return the points at distances (n, rays, layers) along the rays, (n, rays, layers, 3)."""
    outlines = c.contours
    if outlines is None:
        raise GeometryError("rays need contours")
    angle = np.arange(way_mm.shape[1]) * 2.0 * np.pi / way_mm.shape[1]
    ray = (
        np.cos(angle)[:, None] * outlines.zero_direction[:, None, :]
        + np.sin(angle)[:, None] * outlines.quarter_direction[:, None, :]
    )
    return floats(c.tree.points_mm[:, None, None, :] + way_mm[..., None] * ray[:, :, None, :])
