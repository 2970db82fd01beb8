"""How wide the lumen is: the lumen network along traced centrelines, pulled straight."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d, median_filter
from scipy.signal import savgol_filter

from ffr.imaging.blood_level import local_blood_hu
from ffr.imaging.sharpness import Sharpness
from ffr.segmentation.beside_calcium import beside_calcium
from ffr.segmentation.reading import read_stack, recentring
from ffr.segmentation.stacks import ANGLES, HU_SCALE, stack
from ffr.segmentation.walls import outside_fat
from ffr.segmentation.weights import Network
from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.contours import Contours, area_radius_mm, scaled_to
from meshes.spacing import apart, distinct
from meshes.tree import VesselTree, sections
from meshes.volume import Volume

EVENED_POINTS = 7  # of local parabolas: a third of the variance of single errors stays
OUTLIER_SD = 3.0
SHAPE_SMOOTHING_POINTS = 1.0
SMALLEST_MM = 0.15
OSTIUM_MM = 2.0
BETWEEN_MOUTHS_MM = 7.0  # of two mouths: the tree begins between them, in the aorta
SHAPE_SMOOTHING_RAYS = 1.0
WALL = 1.2  # of the mother's radius: within it no wall of a daughter is seen
FOLLOWING = 8  # points behind a mouth
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
        for part, run in enumerate(runs):
            own = run if part == 0 else run[1:]  # the first point is another run's
            last = slice(-len(own), None)
            if number == passes - 1:
                points[own] = beside_calcium(
                    volume, distinct(points[run]), reference[run], seen, network
                )[last]
            made = stack(volume, distinct(points[run]), reference[run], seen)
            found = read_stack(made, network)
            if number < passes:
                points[own] += recentring(found.lumen_mm[last], made.ray_direction[last])
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
    mouths = sum(run[0] == 0 for run in runs)
    mouth_mm = OSTIUM_MM if mouths == 1 else BETWEEN_MOUTHS_MM
    for part, run in enumerate(runs):
        away = np.linalg.norm(points[run] - points[run[0]], axis=1)
        own = run if part == 0 else run[1:]  # the first point is another run's
        off = away if part == 0 else away[1:]
        if run[0] == 0:
            inside.append(own[off <= mouth_mm])
            behind = own[(off > mouth_mm) & (off < 2 * mouth_mm)]
            if behind.size:
                mouth = own[off <= mouth_mm]
                # aortic blood only widens what is read: a narrower reading is a stenosis
                radius[mouth] = np.minimum(radius[mouth], np.median(radius[behind]))
        elif len(run) >= 4:
            inside.append(run[1 : _first(away > WALL * radius[run[0]])])
            first = _first(away > radius[run[0]])
            # here, too, only what is wider than all that follows is the mother's
            widest = radius[run[first : first + FOLLOWING]].max()
            radius[run[1:first]] = np.minimum(radius[run[1:first]], widest)
    return np.concatenate(inside)


def _first(out: AnyArray) -> int:
    """Index of the first True, else of the last point."""
    return int(np.argmax(out)) if out.any() else len(out) - 1
