"""Where does a label fit in a picture without hiding a vessel or another label?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meshes.arrays import AnyArray, Floats

_RADII = (0.035, 0.05, 0.07, 0.09, 0.12, 0.15, 0.19, 0.24, 0.30)  # of the picture's width
_DIRECTIONS = 24
_ANGLES = np.tile(2 * np.pi * (np.arange(_DIRECTIONS) + 0.5) / _DIRECTIONS, len(_RADII))
_COSINE, _SINE = np.cos(_ANGLES), np.sin(_ANGLES)

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
    radius = np.repeat(_RADII, _DIRECTIONS)
    # a wide label is pushed farther sideways than up, or it would lie on its anchor
    x = anchor[0] + _COSINE * (radius * columns + 0.5 * width)
    y = anchor[1] + _SINE * (radius * columns + 0.5 * height)
    x = np.clip(x, 0.5 * width + 2, columns - 0.5 * width - 2)
    y = np.clip(y, 0.5 * height + 2, rows - 0.5 * height - 2)
    boxes = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
    best = int(np.argmin(_costs(drawn, taken, boxes) + 0.6 * radius))
    left, top, right, bottom = boxes[:, best].tolist()
    return left, top, right, bottom


def _costs(drawn: Floats, taken: Sequence[Box], boxes: Floats) -> Floats:
    """Return what each box, a column of `boxes`, hides."""
    rows, columns = (n - 1 for n in drawn.shape)
    left, top, right, bottom = boxes[0] - 3, boxes[1] - 3, boxes[2] + 3, boxes[3] + 3
    a, b = (np.clip(at, 0, columns).astype(int) for at in (left, right))
    c, d = (np.clip(at, 0, rows).astype(int) for at in (top, bottom))
    hidden = drawn[d, b] - drawn[c, b] - drawn[d, a] + drawn[c, a]
    area = (right - left) * (bottom - top)
    shared = np.zeros(area.shape)
    for lo, t, r, bo in taken:
        wide = np.minimum(right, r) - np.maximum(left, lo)
        high = np.minimum(bottom, bo) - np.maximum(top, t)
        shared += np.maximum(wide, 0.0) * np.maximum(high, 0.0)
    costs: Floats = 4 * hidden / area + 12 * shared / area
    return costs
