"""Where does a scan jump from one slice to the next, as between slabs of a stepped scan?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.arrays import AnyArray, Floats, Ints, floats, ints

BLOCK_MM = 2.0  # averaging tames noise and keeps edges of the heart
WINDOW_HU = (-200.0, 600.0)  # outside lie lung and metal, which move and glare on their own
BLOOD_HU = 150.0
NEIGHBOURS = 8  # slices on each side that say how much change is usual
PEAK_RATIO = 1.5  # a step must exceed the change between its neighbours by this factor
PEAK_DEVIATIONS = 5.0  # and stand out from their scatter
JUMP_HU = 12.0  # least change of blood that counts; slabs of one scan differ by 0 to 40 HU


@dataclass(frozen=True, slots=True, eq=False)
class SlabSteps:
    """Where slabs do not fit together.

    Parameters
    ----------
    slices
        Index k of the last slice before each step.
    excess
        Change between the slices over the usual change around, one per step.
    jump_hu
        Change of the brightness of blood at each step.
    """

    slices: Ints
    excess: Floats
    jump_hu: Floats


def find_slab_steps(values: AnyArray, pixel_mm: float) -> SlabSteps:
    """Find slice borders where edges or blood brightness jump.

    Slices are averaged over blocks of 2 mm. The root mean square change to the next slice
    follows anatomy and noise smoothly; a slab that is displaced or brighter makes a single
    peak in it. So each change is held against the median and the scatter (MAD) of its
    neighbours, and a peak counts only when both stand back.

    Parameters
    ----------
    values
        Hounsfield units, indexed [k, j, i].
    pixel_mm
        Edge of a pixel in plane.
    """
    change_hu, blood_hu = _changes(values, pixel_mm)
    if len(change_hu) < 2 * NEIGHBOURS:
        return SlabSteps(ints([]), floats([]), floats([]))
    beside = _beside(change_hu)
    excess = change_hu / np.maximum(beside, 1e-6)
    peak = change_hu - beside
    moved = (excess > PEAK_RATIO) & (peak > PEAK_DEVIATIONS * _scatter(peak))
    jump = blood_hu - _beside(blood_hu)
    brighter = np.abs(jump) > np.maximum(JUMP_HU, PEAK_DEVIATIONS * _scatter(jump))
    found = np.flatnonzero(moved | brighter)
    return SlabSteps(ints(found), floats(excess[found]), floats(jump[found]))


def _changes(values: AnyArray, pixel_mm: float) -> tuple[Floats, Floats]:
    """Return RMS change of blocks and median change of blood between slices k and k + 1."""
    change, blood = np.zeros((2, max(0, len(values) - 1)))
    below = _blocks(values[0], pixel_mm)
    for k in range(len(change)):
        above = _blocks(values[k + 1], pixel_mm)
        difference = above - below
        change[k] = np.sqrt(np.mean(difference**2))
        bright = (above > BLOOD_HU) & (below > BLOOD_HU) & (np.abs(difference) < 100.0)
        if np.count_nonzero(bright) >= 50:
            blood[k] = np.median(difference[bright])
        below = above
    return floats(change), floats(blood)


def _blocks(plane: AnyArray, pixel_mm: float) -> Floats:
    edge = max(1, round(BLOCK_MM / pixel_mm))
    rows, columns = (n // edge * edge for n in plane.shape)
    clipped = np.clip(plane[:rows, :columns].astype(np.float32), *WINDOW_HU)
    blocks = clipped.reshape(rows // edge, edge, columns // edge, edge)
    return floats(blocks.mean(axis=(1, 3)))


def _beside(series: Floats) -> Floats:
    """Return the median of the two neighbours on each side: anatomy changes over several."""
    padded = np.pad(series, 2, mode="reflect")
    near = np.stack([padded[:-4], padded[1:-3], padded[3:-1], padded[4:]])
    return floats(np.median(near, axis=0))


def _scatter(peak: Floats) -> Floats:
    """Return the usual height of such peaks around each place, from their median."""
    padded = np.pad(np.abs(peak), NEIGHBOURS, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1)
    # 1.4826 times the median deviation is the standard deviation of normal scatter
    return floats(np.maximum(1.4826 * np.median(windows, axis=1), 1e-3))
