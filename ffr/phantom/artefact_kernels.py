"""Compiled parts of artefacts: displaced pictures, parallel projections, coarse maps.

Arrays of voxels are (k, j, i). Coarse maps have one sample for a block of voxels, at the
middle of the block.
"""

from __future__ import annotations

import numba
import numpy as np

from meshes.arrays import AnyArray, Floats, Ints
from meshes.compiled import kernel, parallel_kernel

STILL = 0.02  # voxels: less motion is none, and costs no interpolation


@kernel
def _between(coarse: AnyArray, z: float, y: float, x: float) -> float:
    """Return a map's value at a continuous index, trilinear, held at the borders."""
    nk, nj, ni = coarse.shape
    z = min(max(z, 0.0), nk - 1.0)
    y = min(max(y, 0.0), nj - 1.0)
    x = min(max(x, 0.0), ni - 1.0)
    k, j, i = (
        min(int(z), max(nk - 2, 0)),
        min(int(y), max(nj - 2, 0)),
        min(int(x), max(ni - 2, 0)),
    )
    k1, j1, i1 = min(k + 1, nk - 1), min(j + 1, nj - 1), min(i + 1, ni - 1)
    w, v, u = z - k, y - j, x - i
    low = (coarse[k, j, i] * (1 - u) + coarse[k, j, i1] * u) * (1 - v)
    low += (coarse[k, j1, i] * (1 - u) + coarse[k, j1, i1] * u) * v
    high = (coarse[k1, j, i] * (1 - u) + coarse[k1, j, i1] * u) * (1 - v)
    high += (coarse[k1, j1, i] * (1 - u) + coarse[k1, j1, i1] * u) * v
    return low * (1 - w) + high * w


@parallel_kernel
def displaced(
    out: AnyArray, hu: AnyArray, shift: AnyArray, block: Ints, phases: Floats
) -> None:
    """Fill `out` with the mean of pictures displaced by `phases` times a coarse field.

    `shift` (3, ...) holds voxels along k, j, i at blocks of `block` (k, j, i) voxels.
    """
    nk, nj, ni = hu.shape
    for k in numba.prange(nk):
        for j in range(nj):
            for i in range(ni):
                z = (k + 0.5) / block[0] - 0.5
                y = (j + 0.5) / block[1] - 0.5
                x = (i + 0.5) / block[2] - 0.5
                dz = _between(shift[0], z, y, x)
                dy = _between(shift[1], z, y, x)
                dx = _between(shift[2], z, y, x)
                if abs(dz) + abs(dy) + abs(dx) < STILL:
                    out[k, j, i] = hu[k, j, i]
                    continue
                total = 0.0
                for q in range(phases.shape[0]):
                    p = phases[q]
                    total += _between(hu, k + p * dz, j + p * dy, i + p * dx)
                out[k, j, i] = total / phases.shape[0]


@parallel_kernel
def project(sinogram: AnyArray, image: AnyArray, angle: Floats, pixel: float) -> None:
    """Add to `sinogram` (slice, angle, ray) the line integrals of `image` (slice, y, x).

    Rays are one pixel apart, the middle one through the middle of the image.
    """
    nk, ny, nx = image.shape
    rays, turns = sinogram.shape[2], angle.shape[0]
    cosine, sine = np.cos(angle), np.sin(angle)
    for k in numba.prange(nk):
        for y in range(ny):
            for x in range(nx):
                v = image[k, y, x]
                if v == 0.0:
                    continue
                for a in range(turns):
                    s = (x - 0.5 * (nx - 1)) * cosine[a]
                    s += (y - 0.5 * (ny - 1)) * sine[a] + 0.5 * (rays - 1)
                    n = int(s)
                    if 0.0 <= s < rays - 1.0:
                        sinogram[k, a, n] += v * pixel * (1.0 - (s - n))
                        sinogram[k, a, n + 1] += v * pixel * (s - n)


@parallel_kernel
def smear_back(image: AnyArray, sinogram: AnyArray, angle: Floats) -> None:
    """Fill `image` (slice, y, x) with the mean over angles of the rays through each pixel."""
    nk, ny, nx = image.shape
    rays, turns = sinogram.shape[2], angle.shape[0]
    cosine, sine = np.cos(angle), np.sin(angle)
    for k in numba.prange(nk):
        for y in range(ny):
            for x in range(nx):
                total = 0.0
                for a in range(turns):
                    s = (x - 0.5 * (nx - 1)) * cosine[a]
                    s += (y - 0.5 * (ny - 1)) * sine[a] + 0.5 * (rays - 1)
                    n = int(s)
                    if 0.0 <= s < rays - 1.0:
                        t = s - n
                        total += sinogram[k, a, n] * (1.0 - t) + sinogram[k, a, n + 1] * t
                image[k, y, x] = total / turns


@parallel_kernel
def change_coarsely(hu: AnyArray, factor: AnyArray, offset: AnyArray, block: Ints) -> None:
    """Multiply a picture by a coarse map, then add another; of no entries: leave it."""
    nk, nj, ni = hu.shape
    for k in numba.prange(nk):
        for j in range(nj):
            for i in range(ni):
                z = (k + 0.5) / block[0] - 0.5
                y = (j + 0.5) / block[1] - 0.5
                x = (i + 0.5) / block[2] - 0.5
                if factor.size:
                    hu[k, j, i] *= _between(factor, z, y, x)
                if offset.size:
                    hu[k, j, i] += _between(offset, z, y, x)


@parallel_kernel
def block_means(coarse: AnyArray, hu: AnyArray, block: Ints, above: float) -> None:
    """Fill a coarse map with the mean excess of each block over `above`, at least 0."""
    nk, nj, ni = hu.shape
    for k in numba.prange(coarse.shape[0]):
        for j in range(coarse.shape[1]):
            for i in range(coarse.shape[2]):
                total, n = 0.0, 0
                for c in range(k * block[0], min((k + 1) * block[0], nk)):
                    for b in range(j * block[1], min((j + 1) * block[1], nj)):
                        for a in range(i * block[2], min((i + 1) * block[2], ni)):
                            total += max(0.0, hu[c, b, a] - above)
                            n += 1
                coarse[k, j, i] = total / max(n, 1)


def blocks(shape: tuple[int, ...], block: Ints) -> tuple[int, int, int]:
    """Return the shape of the coarse map of a picture."""
    k, j, i = (int(np.ceil(n / b)) for n, b in zip(shape, block, strict=True))
    return k, j, i
