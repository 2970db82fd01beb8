"""How well does a vessel network do on a labelled scan, and on virtual windows it never saw?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from skimage.morphology import skeletonize

from ffr import pipeline
from ffr.anatomy import Vessel
from ffr.errors import StudyError
from ffr.labelled_scans import LabelledScan
from ffr.masks.lumen import measure_mask
from ffr.segmentation.infer import map_vessels, vessel_box
from ffr.segmentation.maps import HeartMap, VesselMap
from ffr.segmentation.samples import HELD_OUT_SEEDS, vessel_samples
from ffr.segmentation.train import loss_of
from ffr.segmentation.weights import Network
from meshes.arrays import AnyArray, Floats, floats
from meshes.distance import outside_mm
from meshes.errors import GeometryError
from meshes.resample import resampled
from meshes.straighten import sampled
from meshes.tree import CoronaryTree, VesselTree
from meshes.volume import Grid, Volume, array_shape, ijk_to_points_mm

SURE = 127  # of 255: half the probability, as the tracing cuts it
FOUND_MM = 1.0  # a centreline this near to another is the same (validation/agreement.py)
FALSE_MM = 1.5  # vessel further than this from the label is false
MOVED_MM = 1.0  # a point re-centred in the label by more looks at something else
TOO_FEW_MM = 0.3  # a label's radius below this is no section
VIRTUAL_FIRST = HELD_OUT_SEEDS + 900_000
VIRTUAL_WINDOWS = 8


@dataclass(frozen=True, slots=True, eq=False)
class CaseMeasure:
    """One labelled scan, as one network finds its vessels.

    Parameters
    ----------
    dice_percent
        Overlap of found lumen and calcium with the labelled.
    overlap_percent
        Share of both centrelines that lies within 1 mm of the other's (OV of Schaap 2009,
        Medical Image Analysis 13, with a fixed distance).
    label_found_percent
        The label's share of it.
    false_ml
        Volume found further than 1.5 mm from the label.
    tree_mm, tree_outside_percent
        Length of the traced trees, and how much of it is further than 1.5 mm from the label.
    found_mm, label_mm
        Lumen diameter as measured along the trees, and the label's own by its area there.
    failure
        Why there is no tree, "" when there is one.
    """

    dice_percent: float
    overlap_percent: float
    label_found_percent: float
    false_ml: float
    tree_mm: float
    tree_outside_percent: float
    found_mm: Floats
    label_mm: Floats
    failure: str = ""


@dataclass(frozen=True, slots=True)
class VirtualMeasure:
    """The network on windows of virtual patients that no training saw: what is forgotten.

    Parameters
    ----------
    lumen_percent, calcium_percent, wall_percent
        Dice of the classes.
    losses
        As in training, one per window.
    """

    lumen_percent: float
    calcium_percent: float
    wall_percent: float
    losses: tuple[float, ...]


def measured_case(labelled: LabelledScan, heart: HeartMap, network: Network) -> CaseMeasure:
    """Find vessels, trees and diameters of a labelled scan with one vessel network."""
    box = vessel_box(heart)
    if box is None:
        none = floats(np.zeros(0))
        return CaseMeasure(0, 0, 0, 0, 0, 0, none, none, "no heart was found")
    scan = labelled.scan
    vessels = map_vessels(scan.volume, heart, box, network, _silent)
    lumen = np.asarray(labelled.told.values == Vessel.LUMEN)
    own = Volume(labelled.told.grid, lumen.astype(np.int16))
    told = resampled(own, box, outside=0, nearest=True).values > 0
    found = vessels.vessel_probability.values > SURE
    away = outside_mm(told, float(box.spacing_mm[0]))
    overlap, label_found = centreline_overlap_percent(found, told, box)
    trees, failure = _trees(labelled, heart, vessels)
    tree_mm, outside_percent = _outside(trees, Volume(box, away))
    pairs = [_diameters(c.tree, own, Volume(box, away)) for c in trees]
    return CaseMeasure(
        dice_percent=dice_percent(found, told),
        overlap_percent=overlap,
        label_found_percent=label_found,
        false_ml=np.count_nonzero(found & (away > FALSE_MM)) * _voxel_ml(box),
        tree_mm=tree_mm,
        tree_outside_percent=outside_percent,
        found_mm=floats(np.concatenate([np.zeros(0), *(p[0] for p in pairs)])),
        label_mm=floats(np.concatenate([np.zeros(0), *(p[1] for p in pairs)])),
        failure=failure,
    )


def _silent(part: float) -> None:
    """Progress that nobody watches."""


def _voxel_ml(grid: Grid) -> float:
    return float(np.prod(grid.spacing_mm)) / 1000


def dice_percent(one: AnyArray, other: AnyArray) -> float:
    """Return twice what is common over the sum, in percent; 100 where both are empty."""
    both = np.count_nonzero(one) + np.count_nonzero(other)
    return 100.0 if both == 0 else 200.0 * np.count_nonzero(one & other) / both


def centreline_overlap_percent(
    found: AnyArray, told: AnyArray, grid: Grid
) -> tuple[float, float]:
    """Return how much of both skeletons, and of the label's, the other one lies near to."""
    here, there = (_skeleton_mm(mask, grid) for mask in (found, told))
    if not (len(here) and len(there)):
        return 0.0, 0.0
    near_label = cKDTree(there).query(here)[0] <= FOUND_MM
    near_found = cKDTree(here).query(there)[0] <= FOUND_MM
    both = np.concatenate([near_label, near_found])
    return 100.0 * float(both.mean()), 100.0 * float(np.mean(near_found))


def _skeleton_mm(mask: AnyArray, grid: Grid) -> Floats:
    kji = np.argwhere(skeletonize(mask))
    return floats(ijk_to_points_mm(grid, kji[:, ::-1]).reshape(-1, 3))


def _trees(
    labelled: LabelledScan, heart: HeartMap, vessels: VesselMap
) -> tuple[tuple[CoronaryTree, ...], str]:
    try:
        trees, _, _ = pipeline.extract_trees(labelled.scan, heart, vessels, _silent)
    except (StudyError, GeometryError) as error:
        return (), str(error)
    return trees, ""


def _outside(trees: Sequence[CoronaryTree], away: Volume) -> tuple[float, float]:
    """Return the length of trees, and the percentage of it that is far from the label."""
    total = outside = 0.0
    for c in trees:
        tree = c.tree
        length = np.linalg.norm(tree.points_mm[1:] - tree.points_mm[tree.parent[1:]], axis=1)
        far = sampled(away, tree.points_mm[1:], outside=1e3) > FALSE_MM
        total += float(length.sum())
        outside += float(length[far].sum())
    return total, 100.0 * outside / total if total else 0.0


def _diameters(tree: VesselTree, label: Volume, away: Volume) -> tuple[Floats, Floats]:
    """Return our lumen diameter and the label's own, at the points where both know one."""
    unknown = np.asarray(sampled(away, tree.points_mm, outside=1e3) > FOUND_MM)
    if unknown.all():
        return floats(np.zeros(0)), floats(np.zeros(0))
    there, _ = measure_mask(_around(label), tree, unknown)
    moved = np.linalg.norm(there.points_mm - tree.points_mm, axis=1)
    good = ~unknown & (moved <= MOVED_MM) & (there.radius_mm > TOO_FEW_MM)
    return floats(2 * tree.radius_mm[good]), floats(2 * there.radius_mm[good])


def _around(label: Volume) -> Volume:
    """Return the label's box with a margin: sampling a whole scan would take long."""
    where = np.argwhere(label.values)
    low = np.maximum(where.min(axis=0) - 20, 0)
    high = np.minimum(where.max(axis=0) + 21, array_shape(label.grid))
    cut = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    grid = label.grid
    corner = ijk_to_points_mm(grid, low[::-1])
    own = Grid((high - low)[::-1], grid.spacing_mm, corner, grid.direction)
    return Volume(own, np.array(label.values[cut]))


def measured_virtual(network: Network, edge: int) -> VirtualMeasure:
    """Run a network over windows of virtual patients beyond all that was trained on."""
    classes = (Vessel.LUMEN, Vessel.CALCIUM, Vessel.PLAQUE)
    common, sizes, losses = np.zeros(3), np.zeros(3), []
    for n in range(VIRTUAL_WINDOWS):
        (sample,) = vessel_samples(VIRTUAL_FIRST + n, 1, edge)
        with torch.inference_mode():
            image = torch.from_numpy(np.array(sample.image))[None].to(network.device)
            output = network.model(image).float().cpu()
        label = torch.from_numpy(sample.label.astype(np.int64))[None]
        distance = torch.from_numpy(np.array(sample.distance_mm))[None]
        losses.append(float(loss_of("vessel", output, label, distance)))
        chosen = output[0, : len(Vessel)].argmax(dim=0).numpy()
        for k, kind in enumerate(classes):
            common[k] += np.count_nonzero((chosen == kind) & (sample.label == kind))
            sizes[k] += np.count_nonzero(chosen == kind) + np.count_nonzero(
                sample.label == kind
            )
    lumen, calcium, wall = (200.0 * common / np.maximum(sizes, 1)).tolist()
    return VirtualMeasure(lumen, calcium, wall, tuple(losses))
