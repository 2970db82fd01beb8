"""Which colour, word and symbol does an FFR value get?

Blue for high and orange to brown for low values can be told apart with any colour vision, and
lightness falls with FFR, so that a grey print shows the same order. The bands break where the
printed value does: 0.80 is the last borderline value, 0.75 the last low one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ffr.results.result import State
from meshes.arrays import Floats

if TYPE_CHECKING:
    from matplotlib.colors import ListedColormap

LOWEST, HIGHEST = 0.50, 1.00  # ends of the colour bar; values beyond get its end colours
BREAKS = (0.755, 0.805)
NOT_ANALYSED = "#b9bdc3"
INK, PALE_INK, LINE, PAPER = "#16202c", "#5a6675", "#d5dae1", "#ffffff"
BLUE, ORANGE, BROWN = "#1a64a3", "#b45f06", "#7a2606"
STATE_COLOUR: dict[State, str] = {
    "above 0.80": BLUE,
    "0.76-0.80": ORANGE,
    "0.75 or below": BROWN,
    "occluded": BROWN,
    "not analysed": "#7b8490",
}
STATE_WORDS: dict[State, str] = {
    "above 0.80": "above 0.80",
    "0.76-0.80": "borderline, 0.76–0.80",
    "0.75 or below": "0.75 or below",
    "occluded": "occluded, no FFR",
    "not analysed": "not analysed",
}
# (FFR, colour) from low to high; a value named twice is a break
_STOPS = (
    (0.500, "#3a1104"), (0.650, "#6e2206"), (0.755, "#9a380b"),
    (0.755, "#cb6c10"), (0.805, "#df8722"),
    (0.805, "#6fb1de"), (0.900, "#98c9e9"), (1.000, "#cbe4f6"),
)  # fmt: skip


def ffr_rgb(ffr: Floats) -> Floats:
    """Return the colours (..., 3), 0 to 1, of FFR values (...); grey where NaN."""
    values = np.asarray(ffr, dtype=np.float64)
    rgb = np.empty((*values.shape, 3))
    for first in (0, 3, 5):  # the three bands
        last = {0: 2, 3: 4, 5: 7}[first]
        at = [stop for stop, _ in _STOPS[first : last + 1]]
        colours = np.array([_rgb(colour) for _, colour in _STOPS[first : last + 1]])
        inside = (values >= (at[0] if first else -np.inf)) & (
            values < (at[-1] if last < 7 else np.inf)
        )
        for channel in range(3):
            rgb[inside, channel] = np.interp(values[inside], at, colours[:, channel])
    rgb[np.isnan(values)] = _rgb(NOT_ANALYSED)
    return rgb


def _rgb(colour: str) -> list[float]:
    return [byte / 255 for byte in bytes.fromhex(colour[1:])]


def ffr_colormap() -> ListedColormap:
    """Return the same colours as a matplotlib map from LOWEST to HIGHEST."""
    from matplotlib.colors import ListedColormap  # heavy, and for what draws alone

    n = 1000
    return ListedColormap(ffr_rgb(LOWEST + (np.arange(n) + 0.5) / n * (HIGHEST - LOWEST)))
