"""Where along a vessel its equations need close stations: near sharp shoulders."""

from __future__ import annotations

import math

import numpy as np

from meshes.arrays import Floats
from meshes.compiled import kernel

FAR = 6.0  # widths beyond which a shoulder is not felt


@kernel
def kink_weight(fine: Floats, knot: Floats, size: Floats, width: Floats) -> Floats:
    """Sum of size exp(-|x - knot| / width) over knots at each x of the ascending `fine`."""
    out = np.zeros(fine.size)
    for k in range(knot.size):
        if size[k] < 1e-3:
            continue
        i = np.searchsorted(fine, knot[k] - FAR * width[k])
        while i < fine.size and fine[i] <= knot[k] + FAR * width[k]:
            out[i] += size[k] * math.exp(-abs(fine[i] - knot[k]) / width[k])
            i += 1
    return out
