"""How wide the lumen is: the lumen network along traced centrelines, pulled straight."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d, median_filter
from scipy.signal import savgol_filter

from ffr.blood_level import local_blood_hu
from ffr.segmentation.stacks import (
    ANGLES,
    HU_SCALE,
    STEP_MM,
    TRAINED_SECTIONS,
    Stack,
    stack,
)
from ffr.segmentation.walls import outside_fat
from ffr.segmentation.weights import Network
from ffr.sharpness import Sharpness
from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.contours import Contours, area_radius_mm, scaled_to
from meshes.spacing import apart, distinct
from meshes.tree import VesselTree, sections
from meshes.volume import Volume

CENTRE_SMOOTHING_POINTS = 2.0  # 1 mm: what the neighbouring sections overlap anyway
EVENED_POINTS = 7  # of local parabolas: a third of the variance of single errors stays
OUTLIER_SD = 3.0
SHAPE_SMOOTHING_POINTS = 1.0
LOG_SD_OFFSET = -2.3  # the network's raw spread is centred on about 0.1 mm
SMALLEST_MM = 0.15
WINDOW_STEP = TRAINED_SECTIONS // 2 + 1  # sections from window to window: they overlap by half
BATCH = 8  # windows
CALCIUM_PROBABILITY = 0.5
OSTIUM_MM = 2.0
SHAPE_SMOOTHING_RAYS = 1.0
SHAPES = 0.4, 2.0  # of a contour over its radius: beyond lies another vessel's lumen


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredLumen:
    """A re-centred tree with sub-voxel radii.

    Parameters
    ----------
    tree
        Points moved to the middle of the lumen, radius of the circle of equal area.
    radius_sd_mm
        Standard deviation of the radius as the network estimates it, shape (n,).
    calcium_arc_deg
        Arc of calcium around the lumen, shape (n,).
    stent_probability
        Probability of a stent, shape (n,).
    contours
        Outline of the lumen at each point, of the area that the radius says.
    walls
        Outline of the outer wall, nowhere inside the lumen; that of the lumen where no wall is
        seen: in the mouth and inside a mother's lumen. None when it was not measured.
    """

    tree: VesselTree
    radius_sd_mm: Floats
    calcium_arc_deg: Floats
    stent_probability: Floats
    contours: Contours
    walls: Contours | None = None

    def __post_init__(self) -> None:
        for name in ("radius_sd_mm", "calcium_arc_deg", "stent_probability"):
            object.__setattr__(self, name, floats(getattr(self, name)))


@dataclass(frozen=True, slots=True, eq=False)
class Sections:
    """What the network says about a run of sections.

    Parameters
    ----------
    lumen_mm, outer_mm
        Way along each ray to the lumen's contour and the outer wall, (n, ANGLES).
    sd_mm
        Standard deviation of the area radius, (n,).
    calcium_arc_deg, stent_probability
        As in `MeasuredLumen`, (n,).
    """

    lumen_mm: Floats
    outer_mm: Floats
    sd_mm: Floats
    calcium_arc_deg: Floats
    stent_probability: Floats


def measure_lumen(
    volume: Volume, tree: VesselTree, blood_hu: float, seen: Sharpness, network: Network,
    passes: int = 2,
) -> MeasuredLumen:  # fmt: skip
    """Re-centre a traced tree and measure its lumen on the native voxels.

    Parameters
    ----------
    volume
        The scan, HU, any grid.
    tree
        Traced centrelines; radii are a first guess.
    blood_hu
        Attenuation of the blood in the aorta.
    seen
        Blur and noise of the scan.
    network
        The lumen network.
    passes
        How often sections are re-centred before the radius is read.
    """
    points = np.array(tree.points_mm)
    radius = np.array(tree.radius_mm)
    spread, arc, stent = np.full(len(tree), 0.3), np.zeros(len(tree)), np.zeros(len(tree))
    shape, directions = np.ones((len(tree), ANGLES)), np.zeros((len(tree), 2, 3))
    outer = np.zeros((len(tree), ANGLES))
    runs = sections(tree)
    for number in range(passes + 1):
        current = VesselTree(points, np.maximum(radius, SMALLEST_MM), tree.parent)
        reference = local_blood_hu(volume, current, blood_hu, seen.psf_mm)
        for run in runs:
            own = run if run[0] == 0 else run[1:]  # the first point is the parent's
            last = slice(-len(own), None)
            made = stack(volume, distinct(points[run]), reference[run], seen)
            found = read_stack(made, network)
            if number < passes:
                shift = _centroid(found.lumen_mm[last], made.ray_direction[last])
                shift = gaussian_filter1d(
                    shift, CENTRE_SMOOTHING_POINTS, axis=0, mode="nearest"
                )
                points[own] += shift
            else:
                radius[own] = evened(area_radius_mm(found.lumen_mm[last]), found.sd_mm[last])
                spread[own], arc[own] = found.sd_mm[last], found.calcium_arc_deg[last]
                stent[own] = found.stent_probability[last]
                shape[own] = _even_shape(found.lumen_mm)[last]
                wall = outside_fat(found.outer_mm, found.lumen_mm, HU_SCALE * made.image[1])
                outer[own] = _evened_around(wall)[last]
                directions[own] = made.ray_direction[last][:, [0, ANGLES // 4]]
    hidden = _clean_take_offs(points, radius, runs)
    shape[hidden], outer[hidden] = 1.0, 0.0
    points = apart(points, tree.parent)
    final = VesselTree(floats(points), floats(np.maximum(radius, SMALLEST_MM)), tree.parent)
    contours = Contours(floats(shape), floats(directions[:, 0]), floats(directions[:, 1]))
    contours = scaled_to(contours, final.radius_mm)
    walls = replace(contours, radius_mm=floats(np.maximum(outer, contours.radius_mm)))
    return MeasuredLumen(final, floats(spread), floats(arc), floats(stent), contours, walls)


def evened(radius_mm: Floats, sd_mm: Floats) -> Floats:
    """Take outliers and noise out of radii along a vessel, and leave throats their depth.

    A radius further from the median of its five neighbours than three standard deviations
    gives way to it. Then local parabolas (Savitzky and Golay 1964): a running mean or median
    would fill a throat, whose radius is a parabola, by up to 0.05 mm.
    """
    median = median_filter(radius_mm, size=5, mode="nearest")
    kept = np.where(np.abs(radius_mm - median) > OUTLIER_SD * sd_mm, median, radius_mm)
    window = min(EVENED_POINTS, len(kept) - (len(kept) + 1) % 2)
    if window < 5:
        return floats(kept)
    return floats(savgol_filter(kept, window, 2, mode="nearest"))


def read_stack(made: Stack, network: Network) -> Sections:
    """Run the network over a stack of any length, in windows as long as it was trained on."""
    count = made.image.shape[1]
    padded = np.pad(
        made.image, ((0, 0), (0, max(0, TRAINED_SECTIONS - count)), (0, 0), (0, 0)), "edge"
    )
    final = padded.shape[1] - TRAINED_SECTIONS
    starts = [*range(0, final, WINDOW_STEP), final]
    windows = np.stack([padded[:, k : k + TRAINED_SECTIONS] for k in starts])
    parts = [_infer(windows[k : k + BATCH], network) for k in range(0, len(windows), BATCH)]
    values = [np.concatenate(column) for column in zip(*parts, strict=True)]
    # of the windows that see a section, the one in whose middle it lies
    middle = np.asarray(starts) + TRAINED_SECTIONS // 2
    at = np.arange(count)
    window = np.abs(at[:, None] - middle).argmin(axis=1)
    inner = at - np.asarray(starts)[window]
    return Sections(*(floats(value[window, inner]) for value in values))


def _infer(windows: AnyArray, network: Network) -> tuple[AnyArray, ...]:
    """Return the fields of `Sections` for windows, (windows, sections, ...)."""
    device = network.device
    half = device == "cuda" or torch.cpu._is_avx512_bf16_supported()
    with (
        torch.inference_mode(),
        torch.autocast(device.split(":")[0], dtype=torch.bfloat16, enabled=half),
    ):
        maps, numbers = network.model(torch.from_numpy(windows).to(device))
    inside = maps.float().sigmoid().cpu().double().numpy()
    lumen, outer = inside[:, 0].sum(axis=-1) * STEP_MM, inside[:, 1].sum(axis=-1) * STEP_MM
    rays_hit = (inside[:, 2] > CALCIUM_PROBABILITY).any(axis=-1)
    numbers = numbers.float().cpu().double()
    sd = (numbers[:, 0] + LOG_SD_OFFSET).clamp(-5.0, 1.0).exp().numpy()
    arc = rays_hit.mean(axis=-1) * 360.0
    return lumen, outer, sd, arc, numbers[:, 1].sigmoid().numpy()


def _centroid(contour: Floats, spokes: Floats) -> Floats:
    """Offset of the contour's centroid from its pole, shape (n, 3), bounded."""
    area = np.mean(contour**2, axis=1) / 2
    moment = np.mean(contour[:, :, None] ** 3 * spokes, axis=1) / 3
    shift = moment / np.maximum(area, 1e-3)[:, None]
    size = np.linalg.norm(shift, axis=1)
    limit = np.minimum(0.5, 0.7 * np.sqrt(2 * area))
    return np.asarray(shift * (np.minimum(size, limit) / np.maximum(size, 1e-9))[:, None])


def _even_shape(contour_mm: Floats) -> Floats:
    """Return contours (n, angles) over their radii, evened out along and around."""
    shape = contour_mm / np.maximum(area_radius_mm(contour_mm), SMALLEST_MM)[:, None]
    return np.asarray(np.clip(_evened_around(shape), *SHAPES))


def _evened_around(contour: Floats) -> Floats:
    """Return contours (n, angles) evened out along and around."""
    along = gaussian_filter1d(contour, SHAPE_SMOOTHING_POINTS, axis=0, mode="nearest")
    return floats(gaussian_filter1d(along, SHAPE_SMOOTHING_RAYS, axis=1, mode="wrap"))


def _clean_take_offs(points: Floats, radius: Floats, runs: tuple[Ints, ...]) -> Ints:
    """Inside the parent's or the aorta's lumen a radius is not the vessel's: use what follows.

    Returns the points that this concerns.
    """
    inside = []
    trunk = runs[0]
    away = np.linalg.norm(points[trunk] - points[trunk[0]], axis=1)
    behind = trunk[(away > OSTIUM_MM) & (away < 2 * OSTIUM_MM)]
    if behind.size:
        mouth = trunk[away <= OSTIUM_MM]
        # aortic blood only widens what is read: a narrower reading is a stenosis
        radius[mouth] = np.minimum(radius[mouth], np.median(radius[behind]))
    inside.append(trunk[away <= OSTIUM_MM])
    for run in runs:
        if run[0] == 0 or len(run) < 4:
            continue
        out = np.linalg.norm(points[run] - points[run[0]], axis=1) > 1.2 * radius[run[0]]
        first = int(np.argmax(out)) if out.any() else len(run) - 1
        after = run[first : first + 4]
        radius[run[1:first]] = np.median(radius[after])
        inside.append(run[1:first])
    return np.concatenate(inside)
