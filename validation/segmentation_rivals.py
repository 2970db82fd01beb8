"""How wide would the lumen be by plain means, on the same found centrelines?

Half-maximum edges: where a ray from the centreline falls below the middle between the blood's
attenuation and the least it meets. The mask: where a ray leaves the lumen of the 0.5 mm vessel
network. Both give the circle of equal area, smoothed along the vessel like the product's own.
Where a section shows the mother or the aorta as well, the product's radius is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d, median_filter

from ffr.anatomy import Vessel
from ffr.imaging.blood_level import local_blood_hu
from ffr.imaging.sharpness import Sharpness
from ffr.segmentation.lumen import SMALLEST_MM
from ffr.segmentation.stacks import RADII_MM, STEP_MM, stack
from meshes.arrays import AnyArray, Floats, floats
from meshes.reference import reference_radius_mm
from meshes.spacing import distinct
from meshes.straighten import sampled
from meshes.tree import CoronaryTree, VesselTree, sections
from meshes.volume import Volume
from validation.lumen import half_maximum_mm

OSTIUM_MM = 2.0
MOTHER_RADII = 1.2
ANY = Sharpness(0.75, 0.9, 25.0, np.array([0.0, 0.0, 1.0]))  # only rays are taken from it


def rival_radii_mm(
    volume: Volume, vessels: Volume, blood_hu: float, tree: VesselTree
) -> tuple[Floats, Floats]:
    """Return radii by half-maximum edges and by the mask, shape (n,) each.

    Parameters
    ----------
    volume, vessels
        The scan, HU; `Vessel` labels of the network.
    blood_hu
        Attenuation of the blood in the aorta.
    tree
        The found tree.
    """
    lumen = Volume(vessels.grid, (vessels.values == Vessel.LUMEN).astype(np.float32))
    blood = local_blood_hu(volume, tree, blood_hu, ANY.psf_mm)
    edge, mask = np.array(tree.radius_mm), np.array(tree.radius_mm)
    for run in sections(tree):
        own = run if run[0] == 0 else run[1:]
        last = slice(-len(own), None)
        curve = distinct(tree.points_mm[run])
        made = stack(volume, curve, blood[run], ANY)
        hu = made.image[0] * blood[run][:, None, None]
        edges = np.concatenate(
            [half_maximum_mm(h, float(b)) for h, b in zip(hu[:, None], blood[run], strict=True)]
        )
        places = curve[:, None, None] + made.ray_direction[:, :, None] * RADII_MM[:, None]
        outside = sampled(lumen, places, outside=0.0) < 0.5
        masks = np.where(outside.any(axis=-1), outside.argmax(axis=-1), RADII_MM.size) * STEP_MM
        for radius, contour in ((edge, edges), (mask, masks)):
            alone = _alone(tree, run)[last]
            radius[own] = np.where(alone, _smooth(contour[last]), radius[own])
    return tuple(floats(np.maximum(r, SMALLEST_MM)) for r in (edge, mask))  # type: ignore[return-value]


def _smooth(contour_mm: AnyArray) -> Floats:
    area = np.sqrt(np.mean(np.asarray(contour_mm, np.float64) ** 2, axis=-1))
    return floats(
        gaussian_filter1d(median_filter(area, size=3, mode="nearest"), 1.0, mode="nearest")
    )


def _alone(tree: VesselTree, run: AnyArray) -> AnyArray:
    """Tell the points of a run whose section shows neither its mother nor the aorta."""
    away = np.linalg.norm(tree.points_mm[run] - tree.points_mm[run[0]], axis=1)
    near = OSTIUM_MM if run[0] == 0 else MOTHER_RADII * tree.radius_mm[run[0]]
    return np.asarray(away > near)


def with_rival_radii(
    trees: Sequence[CoronaryTree], radii_mm: Sequence[Floats]
) -> tuple[CoronaryTree, ...]:
    """Return found trees with other radii and the healthy radii that follow from them."""
    made = []
    for c, radius in zip(trees, radii_mm, strict=True):
        tree = VesselTree(c.tree.points_mm, radius, c.tree.parent)
        made.append(replace(c, tree=tree, reference_radius_mm=reference_radius_mm(tree)))
    return tuple(made)
