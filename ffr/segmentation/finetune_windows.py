"""Windows of labelled scans for the vessel network, and what their labels can teach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from ffr.anatomy import Vessel
from ffr.errors import ConfigError
from ffr.imaging.quality import NO_CONTRAST_HU
from ffr.labelled_scans import LabelledScan, LabelMeaning
from ffr.phantom.imaging import with_noise
from ffr.segmentation.infer import _near_heart, map_heart, vessel_box
from ffr.segmentation.maps import HeartMap
from ffr.segmentation.preprocess import VESSEL_SPACING_MM, vessel_input
from ffr.segmentation.samples import _tilted_grid
from ffr.segmentation.weights import Network
from meshes.arrays import AnyArray, Floats, floats
from meshes.distance import inside_mm
from meshes.resample import resampled
from meshes.volume import Grid, Volume, array_shape, ijk_to_points_mm, points_mm_to_ijk

OUTSIDE, RIM, CORE, WALL, CALCIUM = range(5)  # what a voxel's label says
RIM_MM = 0.5  # of a label: one voxel of the network, in which most labels hold some wall
IN_HEART = 0.8  # share of the label that must lie where coronary arteries can be
AROUND_MM = 45.0  # kept around the heart: half the diagonal of a window, and its shift
SHIFT_MM = 14.0  # of a window from the vessel, as in windows of virtual patients
ELSEWHERE = 0.15  # share of windows anywhere about the heart, as there
PLACES = 20000  # label voxels that windows are placed at


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A labelled scan around the heart, ready to cut windows from.

    Parameters
    ----------
    number
        Of the pair.
    volume, told
        HU and `Vessel` values of the label, one grid.
    blood_hu
        Attenuation in the aorta.
    lumen_mm
        Places on labelled lumen, shape (n, 3).
    box
        The heart.
    """

    number: int
    volume: Volume
    told: Volume
    blood_hu: float
    lumen_mm: Floats
    box: Grid


class Window(NamedTuple):
    """Network input (2, z, y, x) and what the label says of each voxel (z, y, x)."""

    image: AnyArray
    says: AnyArray


def heart_of(labelled: LabelledScan, anatomy: Network) -> HeartMap:
    """Find the heart of a labelled scan and check that the label lies in it.

    Raises
    ------
    ConfigError
        No heart, no contrast, or a label that lies elsewhere; named by the pair's number.
    """
    heart = map_heart(labelled.scan.volume, anatomy)
    box = vessel_box(heart)
    if box is None:
        raise ConfigError(f"pair {labelled.number}: no heart was found in the image")
    if heart.blood_hu < NO_CONTRAST_HU:
        message = (
            f"pair {labelled.number}: the aorta reads {heart.blood_hu:.0f} HU, at least "
            f"{NO_CONTRAST_HU:.0f} are needed; give scans with contrast"
        )
        raise ConfigError(message)
    lumen_mm = _places(labelled.told, np.random.default_rng(0))
    ijk = np.rint(points_mm_to_ijk(box, lumen_mm)).astype(int)
    there = np.all((ijk >= 0) & (ijk < box.size), axis=1)
    i, j, k = ijk[there].T
    inside = float(np.count_nonzero(_near_heart(heart, box)[k, j, i])) / len(lumen_mm)
    if inside < IN_HEART:
        message = (
            f"pair {labelled.number}: {100 * inside:.0f} % of the label is near the heart; "
            "check that image and label belong together"
        )
        raise ConfigError(message)
    return heart


def case_of(labelled: LabelledScan, heart: HeartMap) -> Case:
    """Keep of a labelled scan what windows can be cut from."""
    box = vessel_box(heart)
    if box is None:
        raise ConfigError(f"pair {labelled.number}: no heart was found in the image")
    volume = _cropped(labelled.scan.volume, box)
    told = _cropped(labelled.told, box)
    places = _places(told, np.random.default_rng(labelled.number))
    return Case(labelled.number, volume, told, heart.blood_hu, places, box)


def _cropped(volume: Volume, box: Grid) -> Volume:
    grid = volume.grid
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    ijk = points_mm_to_ijk(grid, ijk_to_points_mm(box, corners * (np.asarray(box.size) - 1)))
    more = AROUND_MM / np.asarray(grid.spacing_mm)
    low = np.clip(np.floor(ijk.min(axis=0) - more).astype(int), 0, np.asarray(grid.size) - 1)
    high = np.clip(np.ceil(ijk.max(axis=0) + more).astype(int) + 1, low + 1, grid.size)
    cut = tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1], strict=True))
    corner = ijk_to_points_mm(grid, low)
    own = Grid(high - low, grid.spacing_mm, corner, grid.direction)
    return Volume(own, np.array(volume.values[cut]))


def _places(told: Volume, rng: np.random.Generator) -> Floats:
    """Return lumen voxels in mm, at most `PLACES` of them."""
    flat = np.flatnonzero(told.values == Vessel.LUMEN)
    if flat.size > PLACES:
        flat = np.sort(rng.choice(flat, PLACES, replace=False))
    kji = np.stack(np.unravel_index(flat, array_shape(told.grid)), axis=1)
    return floats(ijk_to_points_mm(told.grid, kji[:, ::-1]))


def window(case: Case, rng: np.random.Generator, edge: int) -> Window:
    """Cut a window at a random tilt, and see it by a scanner a little worse.

    What varies in windows of virtual patients varies here: place, tilt, blur, noise, and how
    well the blood's attenuation is known.
    """
    place = case.lumen_mm[rng.integers(len(case.lumen_mm))]
    if rng.random() < ELSEWHERE:
        place = ijk_to_points_mm(case.box, rng.uniform(0, 1, 3) * case.box.size)
    centre = floats(place + rng.uniform(-SHIFT_MM, SHIFT_MM, 3))
    grid = _tilted_grid(rng, centre, (edge, edge, edge), VESSEL_SPACING_MM)
    hu = resampled(case.volume, grid, outside=-1000.0).values.astype(np.float32)
    if rng.random() < 0.5:
        hu = ndimage.gaussian_filter(hu, rng.uniform(0.1, 0.5) / VESSEL_SPACING_MM)
    if rng.random() < 0.7:
        noise_hu = float(np.exp(rng.uniform(np.log(2), np.log(25))))
        hu = with_noise(rng, hu, grid.spacing_mm, noise_hu, float(rng.uniform(0.2, 0.6)))
    blood_hu = case.blood_hu * rng.normal(1.0, 0.04)
    told = resampled(case.told, grid, outside=0, nearest=True).values
    return Window(vessel_input(hu, blood_hu), says(told))


def says(told: AnyArray) -> AnyArray:
    """Tell the sure core of labelled lumen from its rim, which may be wall.

    The core is what lies deeper than `RIM_MM`, and the ridge of thinner vessels.
    """
    lumen = told == Vessel.LUMEN
    depth = inside_mm(lumen, VESSEL_SPACING_MM)
    ridge = lumen & (depth >= ndimage.maximum_filter(depth, 3))
    code = np.where(lumen, RIM, OUTSIDE)
    code[lumen & (ridge | (depth > RIM_MM + 1e-3))] = CORE
    code[told == Vessel.PLAQUE] = WALL
    code[told == Vessel.CALCIUM] = CALCIUM
    return code.astype(np.int64)


def allowed_classes(meaning: LabelMeaning) -> Tensor:
    """Return which classes each code leaves open, bool, shape (5, 5).

    A label of lumen alone says of a voxel outside only that it is no lumen: it may be
    background, vein, wall or calcium. Inside, calcium may have been painted over.
    """
    b, lumen, wall, calcium = Vessel.BACKGROUND, Vessel.LUMEN, Vessel.PLAQUE, Vessel.CALCIUM
    open_to = {
        OUTSIDE: [b, Vessel.VEIN]
        + [wall] * (not meaning.wall)
        + [calcium] * (not meaning.calcium),
        RIM: [lumen, wall] + [calcium] * (not meaning.calcium),
        CORE: [lumen] + [calcium] * (not meaning.calcium),
        WALL: [wall] + [calcium] * (not meaning.calcium),
        CALCIUM: [calcium],
    }
    table = torch.zeros(len(open_to), len(Vessel), dtype=torch.bool)
    for code, classes in open_to.items():
        table[code, [int(c) for c in classes]] = True
    return table


def told_loss(output: Tensor, code: Tensor, allowed: Tensor) -> Tensor:
    """Loss of what a label tells: one of the allowed classes, whichever.

    The likelihood of any allowed class, vessels weighted 3 as in training, and Dice of core
    against outside (marginal loss: Shi et al. 2021, Medical Image Analysis 70). What the
    label leaves open has no gradient; nor has the distance, which it does not hold.
    """
    log_p = output[:, : len(Vessel)].float().log_softmax(dim=1)
    open_to = allowed.to(output.device)[code].movedim(-1, 1)
    marginal = log_p.masked_fill(~open_to, -torch.inf).logsumexp(dim=1)
    weight = 1.0 + 2.0 * (code > OUTSIDE)
    loss = -(weight * marginal).sum() / weight.sum()
    core, outside = code == CORE, code == OUTSIDE
    if core.any():
        found = (marginal.exp() * core).sum()
        wrong = (log_p[:, Vessel.LUMEN].exp() * outside).sum()
        loss = loss + 1.0 - (2 * found + 1.0) / (found + wrong + core.sum() + 1.0)
    return loss
