"""Where does a label fit in a picture without hiding a vessel or another label?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meshes.arrays import AnyArray, Floats

_RADII = (0.035, 0.05, 0.07, 0.09, 0.12, 0.15, 0.19, 0.24, 0.30)  # of the picture's width
_DIRECTIONS = 24


Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels


def summed_area(covered: AnyArray) -> Floats:
    """Return the summed-area table (rows + 1, columns + 1) of a picture (rows, columns).

    `covered` is the share of each pixel that is drawn on and should not be hidden.
    """
    table = np.zeros((covered.shape[0] + 1, covered.shape[1] + 1))
    table[1:, 1:] = np.cumsum(np.cumsum(covered, axis=0), axis=1)
    return table


def place(
    drawn: Floats,
    taken: Sequence[Box],
    anchor: tuple[float, float],
    width: float,
    height: float,
) -> Box:
    """Return a box near `anchor` that hides least of the picture and of the boxes taken.

    All in pixels, rows downwards; `drawn` is the picture's summed-area table. The nearest
    free place wins; when nothing is free, the one that hides least.
    """
    rows, columns = (n - 1 for n in drawn.shape)
    best, best_cost = (0.0, 0.0, width, height), np.inf
    for radius in _RADII:
        for k in range(_DIRECTIONS):
            angle = 2 * np.pi * (k + 0.5) / _DIRECTIONS
            # a wide label is pushed farther sideways than up, or it would lie on its anchor
            x = anchor[0] + np.cos(angle) * (radius * columns + 0.5 * width)
            y = anchor[1] + np.sin(angle) * (radius * columns + 0.5 * height)
            x = float(np.clip(x, 0.5 * width + 2, columns - 0.5 * width - 2))
            y = float(np.clip(y, 0.5 * height + 2, rows - 0.5 * height - 2))
            box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            cost = _cost(drawn, taken, box) + 0.6 * radius
            if cost < best_cost:
                best, best_cost = box, cost
    return best


def _cost(drawn: Floats, taken: Sequence[Box], box: Box) -> float:
    rows, columns = (n - 1 for n in drawn.shape)
    left, top, right, bottom = box[0] - 3, box[1] - 3, box[2] + 3, box[3] + 3
    a, b = int(np.clip(left, 0, columns)), int(np.clip(right, 0, columns))
    c, d = int(np.clip(top, 0, rows)), int(np.clip(bottom, 0, rows))
    hidden = drawn[d, b] - drawn[c, b] - drawn[d, a] + drawn[c, a]
    area = (right - left) * (bottom - top)
    shared = sum(
        max(0.0, min(right, r) - max(left, lo)) * max(0.0, min(bottom, bo) - max(top, t))
        for lo, t, r, bo in taken
    )
    return float(4 * hidden / area + 12 * shared / area)
