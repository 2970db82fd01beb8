"""Which voxels are coronary lumen, and which aorta, on a lattice that paths can run over?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ffr.errors import ConfigError, StudyError
from ffr.flags import Flag
from ffr.masks.file import Labelled
from ffr.masks.settings import MaskSettings
from ffr.tracing.aortic_root import WIDEST_ARTERY_MM
from meshes.arrays import AnyArray, Floats, floats
from meshes.distance import inside_mm, outside_mm
from meshes.resample import resampled
from meshes.volume import Grid, Volume, ijk_to_points_mm

CUBE_MM = (0.3, 0.5)  # edge of the lattice's voxels: the mask's own between these
MARGIN_MM = 6.0  # around the lumen
LEAST_AORTA_MM3 = 1500.0  # a ball of 14 mm: less may be an aneurysm
WIDE_STEP_MM = 0.8  # voxels for the search of wide blood
LEFT, RIGHT, EITHER = 1, 2, 3


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """A mask, ready to be traced.

    Parameters
    ----------
    native
        Lumen on the mask's own voxels, cropped: 1 in the lumen, int16. Radii come from it.
    grid
        Cubic voxels over the same box; its axes are near L, P, S.
    lumen
        Voxels of `grid` that are lumen.
    aorta
        The same for the aorta; None when it is not known.
    sides
        Voxels of `grid`: 1 where the lumen is the left tree's, 2 the right one's, 0 not said.
    flags
        What was taken for granted.
    """

    native: Volume
    grid: Grid
    lumen: AnyArray
    aorta: AnyArray | None
    sides: AnyArray
    flags: tuple[Flag, ...]


def lattice(mask: Labelled, settings: MaskSettings, aorta: Labelled | None) -> Lattice:
    """Pick the lumen out of a label map and lay it on cubic voxels.

    Parameters
    ----------
    mask, settings
        The file, and what was said about it.
    aorta
        A second file, whose labels are all aorta.

    Raises
    ------
    ConfigError
        A label that was asked for is not in the file.
    StudyError
        "mask-empty", "mask-wide": what was chosen is no coronary arteries.
    """
    sides = _sides_by_label(mask, settings)[mask.volume.values]
    if not sides.any():
        message = "none of the voxels is coronary lumen; choose labels with --labels"
        raise StudyError("mask-empty", message)
    box = _box(sides > 0, mask.volume.grid.spacing_mm)
    sides = sides[box]
    cut = _cropped(mask.volume.grid, box)
    grid, pick, back = _cubes(cut)
    lumen = sides[pick] > 0
    blood = _told_aorta(mask, settings, aorta, grid)
    wide = _wide(lumen, float(grid.spacing_mm[0]))
    flags = []
    if wide is not None:
        several = len(mask.labels()) > 1 and not (settings.labels or settings.left)
        if blood is not None or several:
            raise _too_wide(mask)
        blood = wide | _crumbs(lumen & ~wide, wide, float(grid.spacing_mm[0]))
        flags.append(Flag("aorta-cut", _AORTA_CUT))
    if blood is not None:
        lumen &= ~blood
        sides[blood[back]] = 0
    if not lumen.any():
        message = "all that was chosen is wider than 8 mm or aorta; no coronary artery is left"
        raise StudyError("mask-empty", message)
    own = sides[pick]
    own[own == EITHER] = 0
    native = Volume(cut, (sides > 0).astype(np.int16))
    return Lattice(native, grid, lumen, blood, own, tuple(flags))


_AORTA_CUT = (
    "the mask holds blood wider than 8 mm; it was taken for the aorta and left out of the tree"
)


def _sides_by_label(mask: Labelled, settings: MaskSettings) -> AnyArray:
    """Return a table from label to what it is: 0 no lumen, LEFT, RIGHT or EITHER."""
    for label in (*settings.labels, *settings.left, *settings.right, settings.aorta or 0):
        if label >= mask.counts.size or mask.counts[label] == 0:
            message = f"label {label} does not occur in the mask; it holds {_listed(mask)}"
            raise ConfigError(message)
    table = np.zeros(mask.counts.size, dtype=np.uint8)
    others = RIGHT if settings.left else LEFT if settings.right else EITHER
    rest = () if settings.left and settings.right else settings.labels or mask.labels()
    for labels, what in ((rest, others), (settings.left, LEFT), (settings.right, RIGHT)):
        table[list(labels)] = what
    table[settings.aorta or 0] = 0
    return table


def _listed(mask: Labelled) -> str:
    found = mask.labels()
    shown = ", ".join(str(x) for x in found[:12])
    return f"{shown} and {len(found) - 12} more" if len(found) > 12 else shown


def _box(lumen: AnyArray, spacing_mm: Floats) -> tuple[slice, ...]:
    """Slices k, j, i around all lumen, with a margin."""
    found = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        here = np.flatnonzero(lumen.any(axis=others))
        more = int(np.ceil(MARGIN_MM / spacing_mm[2 - axis]))
        low, high = max(0, here[0] - more), min(lumen.shape[axis], here[-1] + more + 1)
        found.append(slice(int(low), int(high)))
    return tuple(found)


def _cropped(grid: Grid, box: tuple[slice, ...]) -> Grid:
    corner = ijk_to_points_mm(grid, [s.start for s in box[::-1]])
    size = np.array([s.stop - s.start for s in box[::-1]])
    return Grid(size, grid.spacing_mm, corner, grid.direction)


def _cubes(grid: Grid) -> tuple[Grid, tuple[AnyArray, ...], tuple[AnyArray, ...]]:
    """Return cubic voxels over a grid, and which voxel of the other each nearest one is.

    The nearest voxel, not a mean: a vessel one voxel wide stays in one piece.
    """
    step = float(np.clip(np.min(grid.spacing_mm), *CUBE_MM))
    size = np.floor((grid.size - 1) * grid.spacing_mm / step + 1e-6).astype(int) + 1
    pick, back = [], []
    for axis in (2, 1, 0):
        n, m, ratio = int(grid.size[axis]), int(size[axis]), step / grid.spacing_mm[axis]
        pick.append(np.minimum(np.rint(np.arange(m) * ratio).astype(int), n - 1))
        back.append(np.minimum(np.rint(np.arange(n) / ratio).astype(int), m - 1))
    cubes = Grid(size, floats([step] * 3), grid.origin_mm, grid.direction)
    return cubes, np.ix_(*pick), np.ix_(*back)


def _told_aorta(
    mask: Labelled, settings: MaskSettings, aorta: Labelled | None, grid: Grid
) -> AnyArray | None:
    """Return the aorta on the lattice, None where none was told."""
    if aorta is None and settings.aorta is None:
        return None
    source = mask if aorta is None else aorta
    wanted = source.volume.values > 0 if aorta is not None else None
    if wanted is None:
        wanted = source.volume.values == settings.aorta
    whole = Volume(source.volume.grid, wanted.astype(np.uint8))
    blood = resampled(whole, grid, 0, nearest=True).values > 0
    if not blood.any():
        message = (
            "the aorta does not come near the vessels; check that both masks are of one scan"
        )
        raise ConfigError(message)
    return blood


def _wide(lumen: AnyArray, step_mm: float) -> AnyArray | None:
    """Return blood in which a ball wider than any coronary artery fits, None where little."""
    stride = max(1, round(WIDE_STEP_MM / step_mm))
    coarse = lumen[::stride, ::stride, ::stride]
    edge = stride * step_mm
    core = inside_mm(coarse, edge) > WIDEST_ARTERY_MM + 0.5 * edge
    ball = (outside_mm(core, edge) <= WIDEST_ARTERY_MM + edge) & coarse
    if np.count_nonzero(ball) * edge**3 < LEAST_AORTA_MM3:
        return None
    for axis, n in enumerate(lumen.shape):
        ball = np.repeat(ball, stride, axis=axis).take(np.arange(n), axis=axis)
    # the coarse steps leave a skin, along which paths would run
    return np.asarray(lumen & (outside_mm(ball & lumen, step_mm) <= edge + 1e-3))


def _crumbs(rest: AnyArray, wide: AnyArray, step_mm: float) -> AnyArray:
    """Return what is left of the aorta where no ball fits: pieces that stay close to it."""
    parts, _ = ndimage.label(rest, structure=np.ones((3, 3, 3), dtype=bool))
    away = outside_mm(wide, step_mm)
    farthest = np.asarray(ndimage.maximum(away, parts, np.arange(parts.max() + 1)))
    close = farthest < WIDEST_ARTERY_MM
    close[0] = False
    return np.asarray(close[parts])


def _too_wide(mask: Labelled) -> StudyError:
    message = (
        "what was chosen is in part wider than 8 mm, as no coronary artery is; choose vessels "
        f"with --labels and the aorta with --aorta (the mask holds labels {_listed(mask)})"
    )
    return StudyError("mask-wide", message)
