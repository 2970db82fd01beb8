"""How large is the panel of a vessel, and which rows does it have, on a screen and on paper?"""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes

from ffr.report.svg import WIDTH_IN

HALF_WIDTH_MM = 6.0
TOP_IN, BOTTOM_IN = 0.34, 0.62


@dataclass(frozen=True, slots=True)
class Layout:
    """How large a panel is drawn, and which rows it has.

    Parameters
    ----------
    width_in, left_in, right_in
        Width of the panel, and of what stands left and right of the axis, inches.
    names_in, takeoffs_in, ffr_in, decides_in, diameter_in
        Height of each row, inches; 0: no such row.
    letters
        Size of letters as a share of those on the screen.
    """

    width_in: float
    left_in: float
    right_in: float
    names_in: float
    takeoffs_in: float
    ffr_in: float
    decides_in: float
    diameter_in: float
    letters: float

    def axis_in(self) -> float:
        """Return the length of the axis."""
        return self.width_in - self.left_in - self.right_in


SCREEN = Layout(WIDTH_IN, 0.85, 0.35, 0.24, 0.20, 1.65, 0.42, 1.25, 1.0)
PAPER_A4 = Layout(7.37, 0.62, 0.10, 0.21, 0.18, 1.60, 0.0, 0.85, 0.80)


def rows(layout: Layout, images: bool, axis_end_mm: float) -> list[tuple[str, float, float]]:
    """Return name, height and the gap below of each row, inches."""
    # as high as it must be to be true to scale
    image_in = 2 * HALF_WIDTH_MM * layout.axis_in() / axis_end_mm
    every = [
        ("names", layout.names_in, 0.02),
        *([("image", image_in, 0.05), ("image", image_in, 0.02)] if images else []),
        ("takeoffs", layout.takeoffs_in, 0.04),
        ("ffr", layout.ffr_in, 0.08),
        ("decides", layout.decides_in, 0.10),
        ("diameter", layout.diameter_in, 0.0),
    ]
    return [row for row in every if row[1] > 0]


def height_in(layout: Layout, images: bool, axis_end_mm: float) -> float:
    """Return the height of a panel, inches."""
    every = rows(layout, images, axis_end_mm)
    return sum(h + g for _, h, g in every) + layout.letters * (TOP_IN + BOTTOM_IN)


def _wide_in(axes: Axes) -> float:
    return float(axes.get_window_extent().width) / axes.figure.dpi


def letters_of(axes: Axes, points: float) -> float:
    """Return the size of letters that are `points` large on the screen."""
    return points * (SCREEN if _wide_in(axes) > 10.0 else PAPER_A4).letters


def mm_of(axes: Axes, inches: float) -> float:
    """Return how many millimetres of vessel letters of this width on the screen cover."""
    return letters_of(axes, inches) * float(axes.get_xlim()[1]) / _wide_in(axes)
