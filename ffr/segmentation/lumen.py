"""How wide the lumen is: the cross-section network along traced centrelines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d, median_filter

from ffr.segmentation.preprocess import SECTION_STEP_MM, section_input
from ffr.segmentation.sections import polar_hu, rays
from ffr.segmentation.weights import Network
from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.spacing import apart, distinct
from meshes.straighten import frames, sampled
from meshes.tree import VesselTree, path_length_mm, sections
from meshes.volume import Volume

FRAME_SMOOTHING_POINTS = 3.0
CENTRE_SMOOTHING_POINTS = 2.0  # 1 mm: what the neighbouring sections overlap anyway
RADIUS_SMOOTHING_POINTS = 1.0
LOG_SD_OFFSET = -2.3  # the network's raw spread is centred on about 0.1 mm
SMALLEST_MM = 0.15
BATCH = 256
OSTIUM_MM = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredLumen:
    """A re-centred tree with sub-voxel radii.

    Parameters
    ----------
    tree
        Points moved to the middle of the lumen, radius of the circle of equal area.
    radius_sd_mm
        Standard deviation of the radius as the network estimates it, shape (n,).
    """

    tree: VesselTree
    radius_sd_mm: Floats


def measure_lumen(
    volume: Volume, tree: VesselTree, blood_hu: float, network: Network, passes: int = 2
) -> MeasuredLumen:
    """Re-centre a traced tree and measure its lumen on the native voxels.

    Parameters
    ----------
    volume
        The scan, HU, any grid.
    tree
        Traced centrelines; radii are a first guess.
    blood_hu
        Attenuation of the blood in the aorta.
    network
        The cross-section network.
    passes
        How often sections are re-centred before the radius is read.
    """
    points = np.array(tree.points_mm)
    radius = np.array(tree.radius_mm)
    spread = np.full(len(tree), 0.3)
    runs = sections(tree)
    for number in range(passes + 1):
        current = VesselTree(points, np.maximum(radius, SMALLEST_MM), tree.parent)
        reference = local_blood_hu(volume, current, blood_hu)
        for run in runs:
            own = run if run[0] == 0 else run[1:]  # the first point is the parent's
            contour, sd, spokes = _contours(volume, points, run, reference, network)
            contour, sd, spokes = contour[-len(own) :], sd[-len(own) :], spokes[-len(own) :]
            if number < passes:
                shift = _centroid(contour, spokes)
                shift = gaussian_filter1d(
                    shift, CENTRE_SMOOTHING_POINTS, axis=0, mode="nearest"
                )
                points[own] += shift
            else:
                area_radius = np.sqrt(np.mean(contour**2, axis=1))
                smooth = median_filter(area_radius, size=3, mode="nearest")
                radius[own] = gaussian_filter1d(smooth, RADIUS_SMOOTHING_POINTS, mode="nearest")
                spread[own] = sd
    _clean_take_offs(points, radius, runs)
    points = apart(points, tree.parent)
    final = VesselTree(floats(points), floats(np.maximum(radius, SMALLEST_MM)), tree.parent)
    return MeasuredLumen(final, floats(spread))


def local_blood_hu(volume: Volume, tree: VesselTree, blood_hu: float) -> Floats:
    """Attenuation of pure lumen along the tree: the aorta's, falling linearly with length.

    The slope comes from points wide enough (radius over 1.2 mm) to hold an unblurred core,
    bright points (calcium) left out; the median of their slopes is robust to plaque.
    """
    s = path_length_mm(tree)
    hu = sampled(volume, tree.points_mm, outside=np.nan)
    good = np.isfinite(hu) & (tree.radius_mm > 1.2) & (hu < 1.15 * blood_hu)
    good &= (hu > 0.5 * blood_hu) & (s > 15)
    fall = 0.0
    if good.sum() > 20:
        fall = float(np.clip(np.median((1 - hu[good] / blood_hu) / s[good]), 0.0, 0.004))
    return np.asarray(blood_hu * np.maximum(1 - fall * s, 0.6))


def _contours(
    volume: Volume, points: Floats, run: Ints, reference: Floats, network: Network
) -> tuple[Floats, Floats, Floats]:
    """Radius on each ray, standard deviation, and the rays, for the points of a run."""
    curve = distinct(points[run])
    tangent, normal, binormal = frames(curve, FRAME_SMOOTHING_POINTS)
    hu = polar_hu(volume, curve, tangent, normal, binormal)
    image = section_input(hu, reference[run, None, None, None])
    radii, deviations = [], []
    for first in range(0, len(run), BATCH):
        inside, spread = infer_sections(image[first : first + BATCH], network)
        radii.append(inside)
        deviations.append(spread)
    return np.concatenate(radii), np.concatenate(deviations), rays(normal, binormal)


def infer_sections(image: AnyArray, network: Network) -> tuple[Floats, Floats]:
    """Run the network: radius in mm per ray (n, angles), SD of the area radius (n,)."""
    with torch.inference_mode():
        inside, spread = network.model(torch.from_numpy(image).to(network.device))
        radius = inside.float().sigmoid().sum(dim=-1) * SECTION_STEP_MM
        sd = (spread.float().mean(dim=-1) + LOG_SD_OFFSET).exp()
    return radius.cpu().double().numpy(), sd.cpu().double().numpy()


def _centroid(contour: Floats, spokes: Floats) -> Floats:
    """Offset of the contour's centroid from its pole, shape (n, 3), bounded."""
    area = np.mean(contour**2, axis=1) / 2
    moment = np.mean(contour[:, :, None] ** 3 * spokes, axis=1) / 3
    shift = moment / np.maximum(area, 1e-3)[:, None]
    size = np.linalg.norm(shift, axis=1)
    limit = np.minimum(0.5, 0.7 * np.sqrt(2 * area))
    return np.asarray(shift * (np.minimum(size, limit) / np.maximum(size, 1e-9))[:, None])


def _clean_take_offs(points: Floats, radius: Floats, runs: tuple[Ints, ...]) -> None:
    """Inside the parent's or the aorta's lumen a radius is not the vessel's: use what follows.

    So a stenosis of the first two millimetres behind the aortic wall is not seen.
    """
    trunk = runs[0]
    away = np.linalg.norm(points[trunk] - points[trunk[0]], axis=1)
    behind = trunk[(away > OSTIUM_MM) & (away < 2 * OSTIUM_MM)]
    if behind.size:
        radius[trunk[away <= OSTIUM_MM]] = np.median(radius[behind])
    for run in runs:
        if run[0] == 0 or len(run) < 4:
            continue
        out = np.linalg.norm(points[run] - points[run[0]], axis=1) > 1.2 * radius[run[0]]
        first = int(np.argmax(out)) if out.any() else len(run) - 1
        after = run[first : first + 4]
        radius[run[1:first]] = np.median(radius[after])
