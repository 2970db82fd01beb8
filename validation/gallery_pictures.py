"""What does a hard case look like? In a slab, pulled straight, and along its FFR."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

from meshes.arrays import AnyArray, Floats, floats
from meshes.straighten import arc_length_mm, frames, resampled, sampled, straightened
from meshes.tree import CoronaryTree, sections
from meshes.writing import replacing
from solvers.unreadable import unreadable

if TYPE_CHECKING:
    from validation.gallery import Shown

matplotlib.use("Agg")
import matplotlib.pyplot as plt

WINDOW_HU = (-150.0, 700.0)
TRUE, FOUND, HIDDEN, NUMBER = "#35d0ff", "#ffb000", "#ff7ad9", "#b7410e"
SLAB_MM, PIXEL_MM, MARGIN_MM = 4.0, 0.4, 14.0
ACROSS_MM, STEP_MM = 7.0, 0.2
ON_COURSE_MM = 2.0  # found points this close to the true course are its own
COLOURS = 224  # of the palette: a picture stays under 150 kB
WIDE_IN, PANELS_IN, LINE_IN, DOTS = 10.4, 4.72, 0.135, 84
LETTERS = 165  # of a line under the picture


def draw(one: Shown, path: Path) -> None:
    """Write the picture of a case as a small PNG."""
    lines = _flags(one)
    high = PANELS_IN + LINE_IN * (len(lines) + 1)
    figure = plt.figure(figsize=(WIDE_IN, high), dpi=DOTS)

    def panel(left: float, top_in: float, wide: float, tall_in: float) -> Any:
        return figure.add_axes((left, 1 - (top_in + tall_in) / high, wide, tall_in / high))

    _slab(panel(0.005, 0.52, 0.40, 4.05), one)
    _straight(panel(0.455, 0.52, 0.535, 1.5), one)
    _along(panel(0.455, 2.12, 0.535, 1.05), panel(0.455, 3.27, 0.535, 1.05), one)
    figure.text(0.006, 1 - 0.06 / high, one.case.title, va="top", fontsize=11, weight="bold")
    figure.text(
        0.99, 1 - 0.06 / high, "virtual patient, research use only", ha="right", va="top",
        fontsize=7, color="0.45",
    )  # fmt: skip
    figure.text(0.006, 1 - PANELS_IN / high, "\n".join(lines), fontsize=7.2, va="top")
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    plt.close(figure)
    drawn.seek(0)
    small = Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    with replacing(path) as place:
        small.save(place, format="PNG", optimize=True)


def _flags(one: Shown) -> list[str]:
    """Return warnings as lines that fit under the picture."""
    if one.failure:
        return textwrap.wrap(f"refused: {one.failure}", LETTERS)
    lines = ["Warnings of the run:" if one.flags else "Warnings of the run: none"]
    for flag in one.flags:
        text = f"{flag.name}: {flag.message}"
        lines += textwrap.wrap(text, LETTERS, subsequent_indent="    ")
    return lines


def _plane(course: Floats) -> tuple[Floats, Floats]:
    """Return middle and axes (right, up, towards the reader) of the plane a vessel lies in."""
    middle = course.mean(axis=0)
    _, _, axes = np.linalg.svd(course - middle)
    away = axes[2] * (-1.0 if axes[2][1] > 0 else 1.0)  # seen from the front
    head = np.array([0.0, 0.0, 1.0])
    if abs(away[2]) > 0.85:  # seen from above: front upwards
        head = np.array([0.0, -1.0, 0.0])
    up = head - (head @ away) * away
    up /= np.linalg.norm(up)
    return floats(middle), floats(np.stack([np.cross(up, away), up, away]))


def _bowl(u: Floats, v: Floats) -> Floats:
    """Terms of the surface that the slab follows, (..., 6)."""
    a, b = u / 50.0, v / 50.0
    return floats(np.stack([np.ones_like(a), a, b, a * a, a * b, b * b], axis=-1))


def _slab(axes: Any, one: Shown) -> None:
    """Maximum over a slab that follows the vessel, true and found centrelines on it."""
    middle, way = _plane(one.course_mm)
    line = (one.course_mm - middle) @ way.T
    fit = np.linalg.lstsq(_bowl(line[:, 0], line[:, 1]), line[:, 2], rcond=None)[0]
    low, high = line[:, :2].min(axis=0) - MARGIN_MM, line[:, :2].max(axis=0) + MARGIN_MM
    u, v = np.meshgrid(
        np.arange(low[0], high[0], PIXEL_MM), np.arange(low[1], high[1], PIXEL_MM)
    )
    surface = _bowl(floats(u), floats(v)) @ fit
    picture = np.full(u.shape, -1024.0)
    for depth in np.arange(-SLAB_MM, SLAB_MM + 0.1, 1.0):
        local = np.stack([u, v, surface + depth], axis=-1)
        hu = sampled(one.volume, middle + local @ way, outside=-1024.0)
        picture = np.maximum(picture, hu)
    axes.imshow(
        picture, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1] + 150, origin="lower",
        extent=(low[0], high[0], low[1], high[1]), interpolation="bilinear",
    )  # fmt: skip
    for c in one.found:
        own, hidden = (c.tree.points_mm - middle) @ way.T, unreadable(c)
        near = np.abs(own[:, 2] - _bowl(own[:, 0], own[:, 1]) @ fit) < 2 * SLAB_MM
        for run in sections(c.tree):
            shown = np.where(near[run, None], own[run, :2], np.nan)
            axes.plot(*shown.T, color=FOUND, lw=0.8)
            dark = np.where(hidden[run, None], shown, np.nan)
            axes.plot(*dark.T, color=HIDDEN, lw=1.0)
    axes.plot(line[:, 0], line[:, 1], color=TRUE, lw=0.9, ls=(0, (3, 3)))
    for flag in one.flags:
        if flag.place is not None and flag.place.point_mm is not None:
            at = (np.array(flag.place.point_mm) - middle) @ way.T
            axes.plot(at[0], at[1], "x", color="#ff3b30", ms=7, mew=1.6)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[])
    axes.set_anchor("NW")
    axes.set_title(
        f"slab of {2 * SLAB_MM:.0f} mm along the {one.case.vessel}", fontsize=8, loc="left"
    )
    keys = (("true course", TRUE), ("found", FOUND), ("found, not analysable", HIDDEN),
            ("warning", "#ff3b30"))  # fmt: skip
    for k, (words, colour) in enumerate(keys):
        axes.text(
            0.02, 0.02 + 0.045 * k, words, color=colour, fontsize=7, transform=axes.transAxes,
            bbox={"fc": "black", "ec": "none", "alpha": 0.6, "pad": 1.2},
        )  # fmt: skip


def _straight(axes: Any, one: Shown) -> None:
    """The true course pulled straight, with true and found walls."""
    image = straightened(one.volume, one.course_mm, half_width_mm=ACROSS_MM, step_mm=STEP_MM)
    end = float(image.s_mm[-1])
    axes.imshow(
        np.nan_to_num(image.values_hu, nan=-1024.0), cmap="gray", vmin=WINDOW_HU[0],
        vmax=WINDOW_HU[1], origin="lower", aspect="auto", interpolation="bilinear",
        extent=(0, end, -ACROSS_MM, ACROSS_MM),
    )  # fmt: skip
    for trees, colour, style in ((one.found, FOUND, "-"), (one.true, TRUE, (0, (3, 3)))):
        s, off, radius = _walls(one.course_mm, trees)
        for sign in (-1, 1):
            axes.plot(s, off + sign * radius, color=colour, lw=1.0, ls=style)
    axes.set(xlim=(0, end), ylim=(-ACROSS_MM, ACROSS_MM), xticklabels=[])
    axes.tick_params(labelsize=7)
    axes.set_ylabel("mm", fontsize=7)
    axes.set_title("pulled straight along the true course: walls of the lumen", fontsize=8,
                   loc="left")  # fmt: skip


def _walls(
    course_mm: Floats, trees: tuple[CoronaryTree, ...]
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Return s, offset in the picture's plane and radius of tree points beside a course."""
    s = np.arange(0.0, float(arc_length_mm(course_mm)[-1]), STEP_MM)
    line = resampled(course_mm, s)
    _, normal, _ = frames(line, 1.0 / STEP_MM)
    number, point = _beside(line, trees)
    off, radius = np.full(s.size, np.nan), np.full(s.size, np.nan)
    for k in np.flatnonzero(number >= 0):
        c = trees[number[k]]
        off[k] = (c.tree.points_mm[point[k]] - line[k]) @ normal[k]
        radius[k] = c.tree.radius_mm[point[k]]
    return s, off, radius


def _beside(line: Floats, trees: tuple[CoronaryTree, ...]) -> tuple[AnyArray, AnyArray]:
    """Return tree and point nearest to each place of a line; -1 where none is near."""
    number = np.full(len(line), -1)
    point, best = np.zeros(len(line), dtype=np.int64), np.full(len(line), ON_COURSE_MM)
    for t, c in enumerate(trees):
        distance, at = cKDTree(c.tree.points_mm).query(line)
        closer = np.asarray(distance) < best
        number[closer], point[closer] = t, np.asarray(at)[closer]
        best = np.where(closer, distance, best)
    return number, point


def _along(width: Any, ffr: Any, one: Shown) -> None:
    """Diameter and FFR along the true course, true and found."""
    s = np.arange(0.0, float(arc_length_mm(one.course_mm)[-1]), STEP_MM)
    line = resampled(one.course_mm, s)
    ways = (
        (one.true, one.exact, "0.25", (0, (4, 2)), "true"),
        (one.found, one.findings, NUMBER, "-", "found"),
    )
    for trees, findings, colour, style, words in ways:
        number, point = _beside(line, trees)
        wide, value = np.full(s.size, np.nan), np.full(s.size, np.nan)
        for k in np.flatnonzero(number >= 0):
            wide[k] = 2.0 * trees[number[k]].tree.radius_mm[point[k]]
            value[k] = findings.ffr[number[k]][point[k]]
        width.plot(s, wide, color=colour, ls=style, lw=1.3, label=words)
        ffr.plot(s, value, color=colour, ls=style, lw=1.5, label=words)
        _readings(ffr, line, s, trees, findings, colour)
    ffr.axhline(0.80, color="0.6", lw=0.8)
    low = min([0.6, *(float(np.nanmin(x)) - 0.05 for x in (*one.exact.ffr, *one.findings.ffr)
                      if np.isfinite(x).any())])  # fmt: skip
    ffr.set(ylim=(max(0.0, low), 1.02), xlim=(0, s[-1]))
    width.set(xlim=(0, s[-1]), ylim=(0, None), xticklabels=[])
    for axes, words in ((width, "diameter\nmm"), (ffr, "FFR")):
        axes.set_ylabel(words, fontsize=7)
        axes.tick_params(labelsize=7)
        axes.grid(color="0.9", lw=0.5)
    ffr.set_xlabel("mm from the ostium along the true course; diamonds: read behind a lesion",
                   fontsize=7)  # fmt: skip
    width.legend(fontsize=7, loc="upper right", ncols=2, frameon=False)


def _readings(
    axes: Any, line: Floats, s: Floats, trees: tuple[CoronaryTree, ...], findings: Any,
    colour: str,
) -> None:  # fmt: skip
    """Mark where FFR is read behind lesions of this vessel."""
    for t, c in enumerate(trees):
        for point, _ in findings.distal[t]:
            off = np.linalg.norm(line - c.tree.points_mm[point], axis=1)
            value = findings.ffr[t][point]
            if off.min() < ON_COURSE_MM and np.isfinite(value):
                at = s[int(off.argmin())]
                axes.plot(at, value, "D", ms=4.5, mfc="white", mec=colour, mew=1.4)
