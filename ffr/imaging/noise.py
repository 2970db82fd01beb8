"""How noisy is a scan, edges of the anatomy not counted?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meshes.arrays import AnyArray, Floats, Ints, floats

PATCH_MM = 5.0  # wider than the grain of CT noise (about 1 mm), narrower than the aorta
FLAT_HU = (-50.0, 700.0)  # muscle, organs and blood; lung and fat are never flat
BATCH = 256


def patch_sd_hu(values: AnyArray, pixel_mm: float, centres_kji: Ints) -> Floats:
    """Return the standard deviation of HU in square patches of axial slices.

    Image noise is the standard deviation in a region of interest (23 HU and less in the
    aorta after iterative reconstruction, dirjournal 2021.0849). A plane is fitted to each
    patch and taken off first, so slow changes of contrast do not count as noise; an edge
    inside the patch does, so take patches inside one tissue, or a low quantile of many.

    Parameters
    ----------
    values
        Hounsfield units, indexed [k, j, i].
    pixel_mm
        Edge of a pixel in plane.
    centres_kji
        Patch centres, shape (n, 3); those too close to the border of the slice are left out.
    """
    noise = [sd for _, sd in _patches(values, pixel_mm, centres_kji)]
    return floats(np.concatenate(noise) if noise else [])


def flat_noise_hu(values: AnyArray, pixel_mm: float) -> float | None:
    """Return the noise in the flattest quarter of soft tissue and blood, without labels.

    None when the volume holds too little of either.
    """
    reach = _reach(pixel_mm)
    if min(values.shape[1:]) < 4 * reach:
        return None
    slices = np.linspace(0, len(values) - 1, min(12, len(values))).astype(np.int64)
    rows, columns = (np.arange(reach, n - reach, 2 * reach) for n in values.shape[1:])
    centres = np.stack(np.meshgrid(slices, rows, columns, indexing="ij"), axis=-1)
    found = list(_patches(values, pixel_mm, centres.reshape(-1, 3)))
    mean_hu = np.concatenate([mean for mean, _ in found])
    sd_hu = np.concatenate([sd for _, sd in found])
    tissue = (mean_hu > FLAT_HU[0]) & (mean_hu < FLAT_HU[1])
    if np.count_nonzero(tissue) < 20:
        return None
    return float(np.quantile(sd_hu[tissue], 0.25))


def _reach(pixel_mm: float) -> int:
    return max(2, round(0.5 * PATCH_MM / pixel_mm))


def _patches(
    values: AnyArray, pixel_mm: float, centres_kji: Ints
) -> Iterator[tuple[Floats, Floats]]:
    """Give mean and standard deviation about a plane of the patches, in batches."""
    reach = _reach(pixel_mm)
    size = np.array(values.shape[1:])
    inside = np.all((centres_kji[:, 1:] >= reach) & (centres_kji[:, 1:] < size - reach), axis=1)
    centres = centres_kji[inside]
    offset = np.arange(-reach, reach + 1)
    y, x = (a.ravel() for a in np.meshgrid(offset, offset, indexing="ij"))
    plane = np.linalg.qr(np.stack([np.ones(x.size), x, y], axis=1))[0]
    for start in range(0, len(centres), BATCH):
        k, j, i = (part[:, None] for part in centres[start : start + BATCH].T)
        patch = values[k, j + y, i + x].astype(np.float64)
        rest = patch - (patch @ plane) @ plane.T
        yield (
            floats(patch.mean(axis=1)),
            floats(np.sqrt((rest**2).sum(axis=1) / (x.size - 3))),
        )
