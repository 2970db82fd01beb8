"""Which triangle does each pixel see?"""

from __future__ import annotations

import math

from meshes.arrays import Floats, Ints
from meshes.compiled import kernel


@kernel
def nearest_triangles(
    x: Floats,
    y: Floats,
    towards: Floats,
    triangles: Ints,
    depth: Floats,
    seen: Ints,
    weight: Floats,
) -> None:
    """Fill a z-buffer with the triangles (m, 3) over points at pixel (x, y), depth `towards`.

    Larger `towards` is nearer to the eye. Per pixel (rows, columns): `depth`, which must
    begin at -infinity; `seen`, the triangle's index, which must begin at -1; `weight`
    (rows, columns, 2), the shares of the triangle's first two corners. Pixel centres lie
    at whole numbers plus one half.
    """
    rows, columns = depth.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        area = (x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a])
        if area == 0.0:  # seen edge-on
            continue
        left = max(math.ceil(min(x[a], x[b], x[c]) - 0.5), 0)
        right = min(math.floor(max(x[a], x[b], x[c]) - 0.5), columns - 1)
        top = max(math.ceil(min(y[a], y[b], y[c]) - 0.5), 0)
        bottom = min(math.floor(max(y[a], y[b], y[c]) - 0.5), rows - 1)
        for row in range(top, bottom + 1):
            py = row + 0.5
            for column in range(left, right + 1):
                px = column + 0.5
                u = ((x[b] - px) * (y[c] - py) - (x[c] - px) * (y[b] - py)) / area
                v = ((x[c] - px) * (y[a] - py) - (x[a] - px) * (y[c] - py)) / area
                w = 1.0 - u - v
                # the rounding margin keeps a shared edge from showing the background
                if u < -1e-9 or v < -1e-9 or w < -1e-9:
                    continue
                z = u * towards[a] + v * towards[b] + w * towards[c]
                if z > depth[row, column]:
                    depth[row, column] = z
                    seen[row, column] = t
                    weight[row, column, 0] = u
                    weight[row, column, 1] = v
