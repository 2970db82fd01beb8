"""From a scan to label maps: whole heart at 2 mm, then vessels at 0.5 mm around it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from ffr.anatomy import Anatomy, Vessel
from ffr.segmentation.maps import HeartMap, VesselMap
from ffr.segmentation.preprocess import (
    ANATOMY_SPACING_MM,
    VESSEL_SPACING_MM,
    anatomy_input,
    vessel_input,
)
from ffr.segmentation.weights import Network
from meshes.arrays import AnyArray, Floats
from meshes.components import largest_component
from meshes.resample import box_grid, covering_grid, resampled
from meshes.volume import Grid, Volume, array_shape, ijk_to_points_mm, points_mm_to_ijk

MYOCARDIUM_G_ML = 1.05  # density of myocardium (Vinnakota & Bassingthwaighte 2004)
HEART_WINDOW_MM = (192.0, 192.0, 128.0)  # what the whole-heart network was trained on
HEART_MARGIN_MM = 10.0
WINDOW_VOXELS = 96
OVERLAP_VOXELS = 16
Progress = Callable[[float], None]


@contextmanager
def _inference(network: Network) -> Iterator[None]:
    """No gradients, and half precision where the processor has it natively."""
    kind = network.device.split(":")[0]
    half = kind == "cuda" or torch.cpu._is_avx512_bf16_supported()
    with (
        torch.inference_mode(),
        torch.autocast(kind, dtype=torch.bfloat16, enabled=half),
    ):
        yield


def _run(network: Network, image: AnyArray) -> Tensor:
    """Raw output for one image (channels, z, y, x) of any size."""
    divisor = network.model.divisor
    shape = image.shape[1:]
    pad = [(0, -n % divisor) for n in shape]
    padded = np.pad(image, [(0, 0), *pad], mode="edge")
    with _inference(network):
        out = network.model(torch.from_numpy(padded)[None].to(network.device))
    cut: Tensor = out[0, :, : shape[0], : shape[1], : shape[2]].float().cpu()
    return cut


def map_heart(volume: Volume, network: Network) -> HeartMap:
    """Label chambers, aorta and myocardium on a 2 mm grid along the patient's axes.

    A first look at the whole scan finds the heart; a second one, centred on it with the
    field of view of the training data, labels it.
    """
    grid = covering_grid(volume, ANATOMY_SPACING_MM)
    coarse = resampled(volume, grid, outside=-1000.0)
    labels = _run(network, anatomy_input(coarse.values)).argmax(dim=0).numpy()
    heart = np.isin(labels, (Anatomy.LV, Anatomy.MYOCARDIUM, Anatomy.AORTA))
    centre = _centre_mm(grid, largest_component(heart))
    if centre is None:
        return HeartMap(Volume(grid, labels.astype(np.uint8)), 0.0, 0.0)
    box = _window(grid, centre)
    probability = _run(network, anatomy_input(coarse.values[box])).softmax(dim=0).numpy()
    refined = labels.astype(np.uint8)
    refined[box] = probability.argmax(axis=0)
    cell_ml = ANATOMY_SPACING_MM**3 / 1000
    mass = float(probability[Anatomy.MYOCARDIUM].sum()) * cell_ml * MYOCARDIUM_G_ML
    inside = ndimage.binary_erosion(refined == Anatomy.AORTA, iterations=2)
    blood = float(np.median(coarse.values[inside])) if inside.any() else 0.0
    return HeartMap(Volume(grid, refined), mass, blood)


def _window(grid: Grid, centre_mm: Floats) -> tuple[slice, ...]:
    middle = np.rint(points_mm_to_ijk(grid, centre_mm)).astype(int)
    slices = []
    for n, m, extent in zip(grid.size, middle, HEART_WINDOW_MM, strict=True):
        width = min(int(n), int(extent / ANATOMY_SPACING_MM))
        first = int(np.clip(m - width // 2, 0, n - width))
        slices.append(slice(first, first + width))
    return tuple(slices[::-1])


def _centre_mm(grid: Grid, mask: AnyArray) -> Floats | None:
    if not mask.any():
        return None
    return ijk_to_points_mm(grid, np.argwhere(mask).mean(axis=0)[::-1])


def vessel_box(heart: HeartMap) -> Grid | None:
    """Return the 0.5 mm grid around the heart and the aortic root, None without a heart."""
    chambers = (Anatomy.LV, Anatomy.MYOCARDIUM, Anatomy.RV, Anatomy.LA, Anatomy.RA)
    mask = largest_component(np.isin(heart.labels.values, chambers))
    if not mask.any():
        return None
    where = np.argwhere(mask)[:, ::-1]
    grid = heart.labels.grid
    margin = np.array([HEART_MARGIN_MM, HEART_MARGIN_MM, HEART_MARGIN_MM])
    low, high = (ijk_to_points_mm(grid, f(where, axis=0)) for f in (np.min, np.max))
    edge = ijk_to_points_mm(grid, np.asarray(grid.size) - 1)
    low = np.maximum(low - margin, grid.origin_mm)
    high = np.minimum(high + margin + [0, 0, 5.0], edge)
    return box_grid(low, high, VESSEL_SPACING_MM)


def map_vessels(
    volume: Volume, heart: HeartMap, grid: Grid, network: Network, progress: Progress
) -> VesselMap:
    """Label coronary lumen, plaque and calcium on `grid`, window by window.

    Windows that see no epicardial tissue are skipped; overlaps are blended.
    """
    scan = resampled(volume, grid, outside=-1000.0).values
    wanted = _near_heart(heart, grid)
    shape = array_shape(grid)
    total = np.zeros((len(Vessel), *shape), dtype=np.float16)
    weight = np.zeros(shape, dtype=np.float16)
    profile = np.minimum(np.arange(WINDOW_VOXELS) + 1, np.arange(WINDOW_VOXELS)[::-1] + 1)
    ramp = np.clip(profile / OVERLAP_VOXELS, 0.05, 1.0).astype(np.float32)
    fade = ramp[:, None, None] * ramp[None, :, None] * ramp[None, None, :]
    windows = [w for w in _windows(shape) if wanted[w].any()]
    for number, window in enumerate(windows):
        out = _run(network, vessel_input(scan[window], heart.blood_hu))
        maps = out[: len(Vessel)].softmax(dim=0).numpy()
        part = fade[tuple(slice(0, n) for n in maps.shape[1:])]
        total[(slice(None), *window)] += (maps * part).astype(np.float16)
        weight[window] += part.astype(np.float16)
        progress((number + 1) / len(windows))
    seen = weight > 0
    weight[~seen] = 1
    total /= weight
    total[Vessel.BACKGROUND, ~seen] = 1
    probability = np.clip(total[Vessel.LUMEN] + total[Vessel.CALCIUM], 0, 1)
    return VesselMap(
        Volume(grid, total.argmax(axis=0).astype(np.uint8)),
        Volume(grid, np.rint(255 * probability).astype(np.uint8)),
    )


def _windows(shape: tuple[int, int, int]) -> Iterator[tuple[slice, ...]]:
    step = WINDOW_VOXELS - OVERLAP_VOXELS
    starts = []
    for n in shape:
        last = max(0, n - WINDOW_VOXELS)
        count = int(np.ceil(last / step)) + 1
        starts.append(np.rint(np.linspace(0, last, count)).astype(int))
    for corner in itertools.product(*starts):
        yield tuple(
            slice(int(a), int(min(a + WINDOW_VOXELS, n)))
            for a, n in zip(corner, shape, strict=True)
        )


def _near_heart(heart: HeartMap, grid: Grid) -> AnyArray:
    """Where coronary arteries can be: within 14 mm of a chamber, outside deep lung."""
    chambers = heart.labels.values != Anatomy.BACKGROUND
    near = ndimage.binary_dilation(chambers, iterations=7)
    volume = Volume(heart.labels.grid, near.astype(np.uint8))
    return resampled(volume, grid, outside=0, nearest=True).values > 0
