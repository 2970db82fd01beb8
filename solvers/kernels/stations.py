"""Where along a vessel its equations need close stations: near sharp shoulders."""

from __future__ import annotations

import math

import numpy as np

from meshes.arrays import Floats, Ints
from meshes.compiled import kernel

LEAST = 1e-3  # a change of slope that counts


@kernel
def kink_weight(
    fine: Floats, first: Ints, end: Ints, knot: Floats, size: Floats, width: Floats
) -> Floats:
    """Sum of size exp(-|x - knot| / width) over knots at each x of the ascending `fine`.

    A knot is felt at the points from `first` to before `end`.
    """
    out = np.zeros(fine.size)
    for k in range(knot.size):
        if size[k] >= LEAST:
            for i in range(first[k], end[k]):
                out[i] += size[k] * math.exp(-abs(fine[i] - knot[k]) / width[k])
    return out
