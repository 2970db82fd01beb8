"""What the lumen network says about a straightened vessel of any length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from ffr.segmentation.stacks import STEP_MM, TRAINED_SECTIONS, Stack
from ffr.segmentation.weights import Network
from meshes.arrays import AnyArray, Floats, floats

CENTRE_SMOOTHING_POINTS = 2.0  # 1 mm: what the neighbouring sections overlap anyway
LOG_SD_OFFSET = -2.3  # the network's raw spread is centred on about 0.1 mm
WINDOW_STEP = TRAINED_SECTIONS // 2 + 1  # sections from window to window: they overlap by half
BATCH = 8  # windows
CALCIUM_PROBABILITY = 0.5


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


def recentring(contour: Floats, spokes: Floats) -> Floats:
    """Return how far to move sections to their contours' middles, calmed along, (n, 3).

    Parameters
    ----------
    contour
        Way along each ray to the lumen's contour, mm, (n, angles).
    spokes
        Unit vectors of the rays, (n, angles, 3).
    """
    shift = _centroid(contour, spokes)
    return floats(gaussian_filter1d(shift, CENTRE_SMOOTHING_POINTS, axis=0, mode="nearest"))


def _centroid(contour: Floats, spokes: Floats) -> Floats:
    """Offset of the contour's centroid from its pole, shape (n, 3), bounded."""
    area = np.mean(contour**2, axis=1) / 2
    moment = np.mean(contour[:, :, None] ** 3 * spokes, axis=1) / 3
    shift = moment / np.maximum(area, 1e-3)[:, None]
    size = np.linalg.norm(shift, axis=1)
    limit = np.minimum(0.5, 0.7 * np.sqrt(2 * area))
    return np.asarray(shift * (np.minimum(size, limit) / np.maximum(size, 1e-9))[:, None])
