"""What does a voxel array hold between its voxel centres?"""

from __future__ import annotations

import math

from meshes.arrays import AnyArray, Floats
from meshes.compiled import kernel


@kernel
def trilinear(
    values: AnyArray, ijk: Floats, outside: float, tolerance: float, out: Floats
) -> None:
    """Fill `out` (n,) with values[k, j, i] interpolated at continuous indices `ijk` (n, 3).

    Points beyond the outermost voxel centres by more than `tolerance` voxels get `outside`.
    """
    nk, nj, ni = values.shape
    for p in range(ijk.shape[0]):
        i, j, k = ijk[p, 0], ijk[p, 1], ijk[p, 2]
        inside = (
            -tolerance <= i <= ni - 1 + tolerance
            and -tolerance <= j <= nj - 1 + tolerance
            and -tolerance <= k <= nk - 1 + tolerance
        )
        if not inside:  # NaN indices end here too
            out[p] = outside
            continue
        i0 = max(0, min(math.floor(i), ni - 2))
        j0 = max(0, min(math.floor(j), nj - 2))
        k0 = max(0, min(math.floor(k), nk - 2))
        i1, j1, k1 = min(i0 + 1, ni - 1), min(j0 + 1, nj - 1), min(k0 + 1, nk - 1)
        u, v, w = i - i0, j - j0, k - k0
        near = (1.0 - v) * ((1.0 - u) * values[k0, j0, i0] + u * values[k0, j0, i1]) + v * (
            (1.0 - u) * values[k0, j1, i0] + u * values[k0, j1, i1]
        )
        far = (1.0 - v) * ((1.0 - u) * values[k1, j0, i0] + u * values[k1, j0, i1]) + v * (
            (1.0 - u) * values[k1, j1, i0] + u * values[k1, j1, i1]
        )
        out[p] = (1.0 - w) * near + w * far
