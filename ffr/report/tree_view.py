"""What do both trees look like, coloured by FFR, from the three standard angles?"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ffr.report.angles import ANGLES
from ffr.report.colours import (
    HIGHEST,
    INK,
    LOWEST,
    NOT_ANALYSED,
    PALE_INK,
    PAPER,
    STATE_COLOUR,
    ffr_colormap,
)  # fmt: skip
from ffr.report.placement import Box, place, summed_area
from ffr.report.scene import Camera, cameras, edge_letters, on_screen, rendered
from ffr.report.svg import WIDTH_IN, data_uri, research_note, style
from ffr.report.words import SYMBOL
from ffr.results.result import LesionResult, Result, ffr_rounded
from meshes.arrays import AnyArray, Floats
from meshes.tree import CoronaryTree, path_length_mm

PIXELS = 820


@dataclass(frozen=True, slots=True)
class TreeLayout:
    """How large the trees are drawn.

    Parameters
    ----------
    panel_in
        Side of each of the three pictures, inches.
    right_in
        What the colour bar takes on the right.
    letters
        Size of letters as a share of those on the screen.
    labelled_mm
        Shorter vessels have no name: they would only add clutter.
    """

    panel_in: float
    right_in: float
    letters: float
    labelled_mm: float

    def height_in(self) -> float:
        """Return the height of the whole picture."""
        return self.panel_in + 0.38 * self.letters + 0.22


SCREEN = TreeLayout(5.02, 1.10, 1.0, 12.0)
PAPER_A4 = TreeLayout(2.23, 0.55, 0.64, 25.0)
_GAP_IN = 0.08


class LumenSurface(Protocol):
    """A triangle surface; `meshes.surface.Surface` is one."""

    @property
    def points_mm(self) -> Any: ...  # noqa: D102
    @property
    def triangles(self) -> Any: ...  # noqa: D102


def tree_figure(
    result: Result,
    coronaries: Sequence[CoronaryTree],
    analysed: Sequence[AnyArray],
    surface: LumenSurface,
    surface_ffr: Floats,
) -> str:
    """Draw both trees from three angles and return a data address; see `tree_panel`."""
    with style():
        return data_uri(tree_panel(result, coronaries, analysed, surface, surface_ffr))


def tree_panel(
    result: Result,
    coronaries: Sequence[CoronaryTree],
    analysed: Sequence[AnyArray],
    surface: LumenSurface,
    surface_ffr: Floats,
) -> Figure:
    """Draw both trees from three angles; call it inside `style()`.

    Parameters
    ----------
    result
        For lesions and their numbers.
    coronaries, analysed
        The trees and, per tree, True where a point was analysed.
    surface, surface_ffr
        The lumen and FFR at each of its points, NaN where not analysed.
    """
    figure = Figure(figsize=(WIDTH_IN, 5.62))
    draw_trees(figure, 0.1, 0.0, SCREEN, result, coronaries, analysed, surface, surface_ffr)
    research_note(figure)
    return figure


def draw_trees(
    figure: Figure, left_in: float, top_in: float, layout: TreeLayout, result: Result,
    coronaries: Sequence[CoronaryTree], analysed: Sequence[AnyArray], surface: LumenSurface,
    surface_ffr: Floats,
) -> None:  # fmt: skip
    """Draw the trees on a page, their upper left corner at a place on it."""
    wide, high = figure.get_size_inches()
    side, letters = layout.panel_in, layout.letters
    bottom = high - top_in - 0.38 * letters - side
    views = _pictures(_Same((surface.points_mm, surface.triangles, surface_ffr)))
    for k, (angle, (camera, picture, covered)) in enumerate(zip(ANGLES, views, strict=True)):
        left = left_in + k * (side + _GAP_IN)
        axes = figure.add_axes((left / wide, bottom / high, side / wide, side / high))
        axes.imshow(picture, interpolation="none", extent=(0, PIXELS, PIXELS, 0))
        axes.set(xticks=[], yticks=[], xlim=(0, PIXELS), ylim=(PIXELS, 0))
        axes.set_title(
            angle.name, fontsize=max(12 * letters, 8.5), fontweight="bold", pad=7 * letters
        )
        _letters(axes, camera, max(9 * letters, 6.5))
        drawn, taken = summed_area(covered), list[Box]()
        for coronary in coronaries:
            _lesion_flags(axes, camera, drawn, taken, coronary, result.lesions, layout)
        for coronary, mask in zip(coronaries, analysed, strict=True):
            _vessel_names(axes, camera, drawn, taken, coronary, mask, layout)
    bar = left_in + 3 * side + 2 * _GAP_IN + 0.60 * layout.right_in
    _colour_bar(figure, bar, bottom + 0.15 * side, 0.72 * side, layout)


class _Same:
    """Arrays that are equal to the very same arrays only; those that may change, to none."""

    def __init__(self, arrays: tuple[AnyArray, ...]) -> None:
        self.arrays = arrays

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.arrays)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and all(
            a is b and not a.flags.writeable
            for a, b in zip(self.arrays, other.arrays, strict=True)
        )


@functools.lru_cache(maxsize=1)  # a report shows the same lumen on the screen and on paper
def _pictures(lumen: _Same) -> list[tuple[Camera, AnyArray, AnyArray]]:
    """Return camera, picture and cover (see `rendered`) of each standard angle."""
    points, triangles, ffr = lumen.arrays
    points = np.asarray(points, dtype=np.float64)
    return [(c, *rendered(c, points, triangles, ffr)) for c in cameras(points, PIXELS)]


def _letters(axes: Axes, camera: Camera, size: float) -> None:
    left, right, top, bottom = edge_letters(camera.direction)
    for x, y, text in (
        (0.012, 0.5, left), (0.988, 0.5, right), (0.5, 0.985, top), (0.5, 0.015, bottom),
    ):  # fmt: skip
        axes.text(
            x, y, text, transform=axes.transAxes, color=PALE_INK, fontsize=size,
            ha="left" if x < 0.1 else "right" if x > 0.9 else "center",
            va="top" if y > 0.9 else "bottom" if y < 0.1 else "center",
        )  # fmt: skip


def _size(text: str, fontsize: float, layout: TreeLayout) -> tuple[float, float]:
    """Estimate the pixels a label needs: DejaVu's letters are 0.65 of their size wide."""
    pixels_per_point = PIXELS / (layout.panel_in * 72)
    return (
        0.65 * len(text) + 1.2
    ) * fontsize * pixels_per_point, 1.9 * fontsize * pixels_per_point


def _placed(
    drawn: Floats, taken: list[Box], at: Floats, width: float, height: float
) -> tuple[float, float]:
    """Return the middle of the next label and note its place as taken."""
    taken.append(place(drawn, taken, (float(at[0]), float(at[1])), width, height))
    left, top, right, bottom = taken[-1]
    return (left + right) / 2, (top + bottom) / 2


def _lesion_flags(
    axes: Axes,
    camera: Camera,
    drawn: Floats,
    taken: list[Box],
    coronary: CoronaryTree,
    lesions: Sequence[LesionResult],
    layout: TreeLayout,
) -> None:
    size, share = max(11 * layout.letters, 7.0), layout.letters
    for lesion in (x for x in lesions if x.side == coronary.side):
        throat = on_screen(camera, coronary.tree.points_mm[lesion.throat_point])
        axes.plot(
            *throat[:2], "o", ms=9 * share, mfc="none", mec=INK, mew=1.6 * share, zorder=5
        )
        read = lesion.distal_point if lesion.distal_point is not None else lesion.end_point
        at = on_screen(camera, coronary.tree.points_mm[read])
        value = "occluded" if lesion.state == "occluded" else "n/a"
        if lesion.ffr_distal is not None:
            value = f"{ffr_rounded(lesion.ffr_distal):.2f}"
        text = f"{lesion.id}  {SYMBOL[lesion.state]} {value}"
        x, y = _placed(drawn, taken, at, *_size(text, size, layout))
        colour = STATE_COLOUR[lesion.state]
        axes.plot([at[0], x], [at[1], y], color=colour, lw=1.2, zorder=6)
        axes.plot(*at[:2], "D", ms=5 * share, mfc=PAPER, mec=colour, mew=1.5 * share, zorder=7)
        axes.text(
            x, y, text, ha="center", va="center", fontsize=size, fontweight="bold", zorder=8,
            color=colour,
            bbox={"boxstyle": "round,pad=0.3", "fc": PAPER, "ec": colour, "lw": 1.6 * share},
        )  # fmt: skip


def _vessel_names(
    axes: Axes,
    camera: Camera,
    drawn: Floats,
    taken: list[Box],
    coronary: CoronaryTree,
    analysed: AnyArray,
    layout: TreeLayout,
) -> None:
    size = max(9 * layout.letters, 6.3)
    s_mm = path_length_mm(coronary.tree)
    for branch, name in enumerate(coronary.names):
        points = np.flatnonzero(coronary.branch == branch)
        if points.size < 2 or np.ptp(s_mm[points]) < layout.labelled_mm:
            continue
        middle = s_mm[points].min() + 0.55 * np.ptp(s_mm[points])
        point = points[np.argmin(np.abs(s_mm[points] - middle))]
        at = on_screen(camera, coronary.tree.points_mm[point])
        x, y = _placed(drawn, taken, at, *_size(name, size, layout))
        shown = bool(analysed[points].any())
        axes.plot([at[0], x], [at[1], y], color=PALE_INK, lw=0.6, alpha=0.6, zorder=3)
        axes.text(
            x, y, name, ha="center", va="center", fontsize=size, zorder=4,
            color=INK if shown else PALE_INK, style="normal" if shown else "italic",
            bbox={"boxstyle": "square,pad=0.12", "fc": PAPER, "ec": "none", "alpha": 0.85},
        )  # fmt: skip


def _colour_bar(
    figure: Figure, left_in: float, bottom_in: float, height_in: float, layout: TreeLayout
) -> None:
    wide, high = figure.get_size_inches()
    share = layout.letters
    axes = figure.add_axes(
        (left_in / wide, bottom_in / high, 0.22 * share / wide, height_in / high)
    )
    bar = figure.colorbar(
        ScalarMappable(Normalize(LOWEST, HIGHEST), ffr_colormap()), cax=axes, ticks=[]
    )
    bar.outline.set_visible(False)
    for value, bold in ((0.5, 0), (0.6, 0), (0.7, 0), (0.75, 1), (0.8, 1), (0.9, 0), (1.0, 0)):
        # the marks stand where the printed value changes its state
        at = value + 0.005 if bold else value
        axes.plot([0, 1], [at, at], color=PAPER if bold else INK, lw=1.4 if bold else 0.4)
        axes.text(
            -0.25, at, f"{value:.2f}", ha="right", va="center",
            fontsize=max((10 if bold else 9) * share, 6.0),
            fontweight="bold" if bold else "normal",
        )  # fmt: skip
    axes.set_title("FFR", fontsize=max(11 * share, 7.5), fontweight="bold", pad=9 * share)
    axes.text(
        1.0, -0.05, "grey:\nnot\nanalysed", transform=axes.transAxes, ha="right", va="top",
        fontsize=max(8.5 * share, 6.0), color=INK,
        bbox={"boxstyle": "square,pad=0.25", "fc": NOT_ANALYSED, "ec": "none"},
    )  # fmt: skip
