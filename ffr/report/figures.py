"""What happens along one vessel: straightened image, FFR and diameter on one axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from ffr.report.colours import BREAKS, INK, LINE, PALE_INK, PAPER, STATE_COLOUR, ffr_rgb
from ffr.report.layout import (
    HALF_WIDTH_MM,
    SCREEN,
    TOP_IN,
    Layout,
    height_in,
    letters_of,
    mm_of,
    rows,
)
from ffr.report.paths import VesselPath
from ffr.report.svg import WIDTH_IN, data_uri, research_note, style
from ffr.results.pullback import WINDOW_MM, largest_drop
from ffr.results.result import LesionResult, ffr_rounded
from meshes.arrays import Floats
from meshes.errors import GeometryError
from meshes.straighten import straightened
from meshes.volume import Volume

WINDOW_HU = (-100.0, 700.0)  # width 800, level 300: contrast-filled lumen, wall and calcium
ROTATIONS = (("0°", 0.0), ("90°", np.pi / 2))
_STEP_MM = 0.2
_CONTOUR = "#ffd23f"
_BAND = "#3b5f86"
_UNREADABLE = "#ff7ad9"


def vessel_figure(path: VesselPath, volume: Volume | None, axis_end_mm: float) -> str:
    """Draw one vessel and return a data address; see `vessel_panel`."""
    with style():
        return data_uri(vessel_panel(path, volume, axis_end_mm))


def vessel_panel(path: VesselPath, volume: Volume | None, axis_end_mm: float) -> Figure:
    """Draw one vessel: rows for names, two images, side branches, FFR, what decides, diameter.

    Parameters
    ----------
    path
        The way from the ostium to the vessel's tip.
    volume
        The native scan, HU; None for a panel without images.
    axis_end_mm
        End of the path length axis: one for all vessels, so that they compare.
    """
    total = height_in(SCREEN, volume is not None, axis_end_mm)
    figure = Figure(figsize=(WIDTH_IN, total))
    draw_vessel(figure, 0.0, 0.0, SCREEN, path, volume, axis_end_mm)
    research_note(figure)
    return figure


def draw_vessel(
    figure: Figure, left_in: float, top_in: float, layout: Layout, path: VesselPath,
    volume: Volume | None, axis_end_mm: float,
) -> None:  # fmt: skip
    """Draw the panel of one vessel on a page, its upper left corner at a place on it."""
    wide, high = figure.get_size_inches()
    y = high - top_in - layout.letters * TOP_IN
    drawn: dict[str, list[Axes]] = {"image": []}
    for name, height, gap in rows(layout, volume is not None, axis_end_mm):
        y -= height
        x = left_in + layout.left_in
        box = (x / wide, y / high, layout.axis_in() / wide, height / high)
        axes = figure.add_axes(box, xlim=(0, axis_end_mm))
        drawn.setdefault(name, []).append(axes)
        y -= gap
    images = drawn["image"]
    (names,), (takeoffs,) = drawn["names"], drawn["takeoffs"]
    (ffr,), (diameter,) = drawn["ffr"], drawn["diameter"]
    decides = drawn.get("decides", [])
    _strip(names, path)
    for axes, (label, angle) in zip(images, ROTATIONS, strict=False):
        if volume is not None:
            _image(axes, path, volume, label, angle)
    _takeoffs(takeoffs, path)
    _ffr_curve(ffr, path)
    for axes in decides:
        _deciding(axes, path)
    _diameter_curve(diameter, path)
    _lesion_tags(names, path)
    for axes in (*images, ffr, *decides, diameter):
        _marks(axes, path, over_image=axes in images)
        axes.set_xlim(0, axis_end_mm)  # nothing drawn may have moved it
    _missing(ffr, path)
    _missing(diameter, path)


def _bare(axes: Axes) -> None:
    axes.set(yticks=[], ylim=(0, 1))
    axes.tick_params(bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.patch.set_visible(False)


def _strip(axes: Axes, path: VesselPath) -> None:
    """Name the vessel segments along the axis, and keep names that would not fit out."""
    _bare(axes)
    mm_per_letter = mm_of(axes, 0.081)
    for k, (name, start, end) in enumerate(path.stretches):
        axes.axvspan(start, end, 0.0, 0.9, color="#eef1f5" if k % 2 else "#dfe5ec", lw=0)
        name = "LM" if end - start < mm_per_letter * 12 and name == "left main" else name
        if end - start > mm_per_letter * (len(name) + 1):
            axes.text(
                (start + end) / 2, 0.42, name, ha="center", va="center",
                fontsize=letters_of(axes, 8.5),
            )  # fmt: skip


def _lesion_tags(axes: Axes, path: VesselPath) -> None:
    middles = [0.5 * (x.start_mm + x.end_mm) for x in path.lesions]
    for lesion, middle in zip(path.lesions, middles, strict=True):
        roomy = _roomy(middle, middles, mm_of(axes, 1.7))
        stenosis = f"lesion {lesion.id} · {lesion.diameter_stenosis_percent:.0f} % DS"
        axes.annotate(
            stenosis if roomy else str(lesion.id),
            (middle, 1.0), (0, 4), textcoords="offset points", annotation_clip=False,
            ha="center", va="bottom", fontsize=letters_of(axes, 9),
            fontweight="bold", color=INK,
        )  # fmt: skip


def _roomy(at: float, others: Sequence[float], reach: float) -> bool:
    """Tell whether a long label fits: nobody else's begins within `reach`."""
    return sum(abs(at - other) < reach for other in others) <= 1


def _image(axes: Axes, path: VesselPath, volume: Volume, label: str, angle: float) -> None:
    axes.set_ylim(-HALF_WIDTH_MM, HALF_WIDTH_MM)
    axes.set_yticks([-4, 0, 4], ["4", "0", "4"], fontsize=letters_of(axes, 7.5))
    axes.tick_params(bottom=False, labelbottom=False, length=2)
    axes.spines[:].set_visible(False)
    axes.set_ylabel(f"{label}\nmm", fontsize=letters_of(axes, 9))
    axes.set_facecolor("#f4f6f8")
    try:
        image = straightened(
            volume, path.points_mm,
            half_width_mm=HALF_WIDTH_MM, step_mm=_STEP_MM, rotation_rad=angle,
        )  # fmt: skip
    except GeometryError as error:  # a stub too short to be straightened
        axes.text(0.01, 0.5, f"no image: {error}", transform=axes.transAxes, va="center")
        return
    half = _STEP_MM / 2
    axes.imshow(
        np.nan_to_num(image.values_hu, nan=-1024.0), cmap="gray", interpolation="none",
        vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], origin="lower", aspect="auto",
        extent=(
            -half, float(image.s_mm[-1]) + half,
            float(image.across_mm[0]) - half, float(image.across_mm[-1]) + half,
        ),
    )  # fmt: skip
    for sign in (-1, 1):
        axes.plot(path.s_mm, sign * path.radius_mm, color=_CONTOUR, lw=0.9)


def _takeoffs(axes: Axes, path: VesselPath) -> None:
    _bare(axes)
    last = -np.inf
    for name, s in sorted(path.takeoffs, key=lambda x: x[1]):
        axes.plot([s], [0.9], "^", ms=4.5, color=PALE_INK, clip_on=False)
        if s - last > mm_of(axes, 0.26):  # two side branches at one place: one name
            axes.annotate(
                name, (s, 0.45), (5, 0), textcoords="offset points",
                fontsize=letters_of(axes, 8), va="center", color=PALE_INK,
            )  # fmt: skip
            last = s


def _coloured(axes: Axes, x: Floats, y: Floats, ffr: Floats, width: float) -> None:
    pieces = np.stack([np.stack([x[:-1], y[:-1]], 1), np.stack([x[1:], y[1:]], 1)], 1)
    whole = np.isfinite(pieces).all(axis=(1, 2))
    axes.plot(x, y, color=INK, lw=width + 1.4, solid_capstyle="round", zorder=3)
    axes.add_collection(
        LineCollection(
            list(pieces[whole]), colors=ffr_rgb(0.5 * (ffr[:-1] + ffr[1:]))[whole], lw=width,
            capstyle="round", zorder=4,
        ),
        autolim=False,
    )  # fmt: skip


def _ffr_curve(axes: Axes, path: VesselPath) -> None:
    known = np.concatenate([path.ffr, path.ffr_low])
    known = known[np.isfinite(known)]
    low = max(0.0, min(0.5, float(known.min()) - 0.05)) if known.size else 0.5
    axes.set_ylim(low, 1.03)
    axes.set_yticks([t for t in (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0) if t >= low])
    axes.yaxis.set_major_formatter("{x:.2f}")
    axes.tick_params(labelsize=letters_of(axes, 9))
    axes.set_ylabel("FFR", fontweight="bold", fontsize=letters_of(axes, 10))
    axes.tick_params(labelbottom=False, bottom=False)
    axes.grid(axis="both", color=LINE, lw=0.5)
    axes.set_axisbelow(True)
    axes.axhspan(*BREAKS, color="#f0a63a", alpha=0.20, lw=0)
    axes.axhline(0.80, color=INK, lw=1.1, ls=(0, (6, 3)), zorder=2)
    if np.isfinite(path.ffr_low).any():
        axes.fill_between(
            path.s_mm, path.ffr_low, path.ffr_high, color=_BAND, alpha=0.22, lw=0, zorder=1.8
        )
        for end in (path.ffr_low, path.ffr_high):
            axes.plot(path.s_mm, end, color=_BAND, lw=0.9, alpha=0.8, zorder=1.9)
    _coloured(axes, path.s_mm, path.ffr, path.ffr, 2.6)
    _steepest(axes, path)
    read = [(x, _reading_mm(path, x)) for x in path.lesions]
    places = [at for _, at in read if at is not None]
    for lesion, at in read:
        if at is None or lesion.ffr_distal is None:
            continue
        colour = STATE_COLOUR[lesion.state]
        axes.plot([at], [lesion.ffr_distal], "D", ms=7, mfc=PAPER, mec=colour, mew=2, zorder=6)
        above = lesion.ffr_distal < 0.5 * (low + 1.0)
        late = at > 0.82 * axes.get_xlim()[1]  # the label would leave the picture
        text = f"{ffr_rounded(lesion.ffr_distal):.2f}"
        if lesion.ffr_low is not None and lesion.ffr_high is not None:
            ends = (ffr_rounded(lesion.ffr_low), ffr_rounded(lesion.ffr_high))
            if _roomy(at, places, mm_of(axes, 1.7)):
                text += f" ({ends[0]:.2f}\N{EN DASH}{ends[1]:.2f})"
            axes.plot([at, at], ends, color=colour, lw=2.2, zorder=5, solid_capstyle="butt")
        if _roomy(at, places, mm_of(axes, 2.2)):
            text += f"  {lesion.distance_used_mm:.0f} mm distal"
        axes.annotate(
            text,
            (at, lesion.ffr_distal), (-8 if late else 8, 9 if above else -9),
            textcoords="offset points", ha="right" if late else "left",
            va="bottom" if above else "top", fontsize=letters_of(axes, 9.5),
            fontweight="bold", color=colour, zorder=7,
            bbox={"boxstyle": "round,pad=0.15", "fc": PAPER, "ec": "none", "alpha": 0.85},
        )  # fmt: skip


def _steepest(axes: Axes, path: VesselPath) -> None:
    """Mark the 20 mm in which FFR falls most, where the PPG index is given."""
    if path.ppg is None:
        return
    known = np.isfinite(path.ffr)
    fall, start = largest_drop(path.s_mm[known], path.ffr[known])
    y = axes.get_ylim()[0] + 0.045 * float(np.ptp(axes.get_ylim()))
    ends = (start, start + WINDOW_MM)
    axes.plot(ends, (y, y), color=INK, lw=1.3, marker="|", ms=7, mew=1.3, zorder=5)
    late = ends[1] + mm_of(axes, 3.4) > axes.get_xlim()[1]  # it would leave the picture
    axes.annotate(
        f"steepest 20 mm: {fall:.2f} of FFR lost · PPG {path.ppg:.2f}",
        (ends[0 if late else 1], y), (-6 if late else 6, 0), textcoords="offset points",
        ha="right" if late else "left", va="center", fontsize=letters_of(axes, 8.5), zorder=6,
        bbox={"boxstyle": "square,pad=0.1", "fc": PAPER, "ec": "none", "alpha": 0.85},
    )  # fmt: skip


def _reading_mm(path: VesselPath, lesion: LesionResult) -> float | None:
    """Return where on this way a lesion's FFR is read; None: nowhere, or in another branch."""
    if lesion.distal_point is None or lesion.distal_point not in path.points:
        return None
    return float(path.s_mm[path.points == lesion.distal_point][0])


def _deciding(axes: Axes, path: VesselPath) -> None:
    """Show which millimetres of lumen the FFR of this vessel's worst lesion hangs on."""
    drop = 0.1 * path.sensitivity_per_mm2  # by 0.1 mm of radius
    axes.fill_between(path.s_mm, drop, color="#5a3e85", alpha=0.75, lw=0, zorder=3)
    top = max(1.25 * float(drop.max()), 1e-4)
    axes.set_ylim(min(0.0, 1.1 * float(drop.min())), top)
    peak = float(drop.max())
    axes.set_yticks([0.0, peak] if peak > 0 else [0.0])
    axes.yaxis.set_major_formatter("{x:.3f}")
    axes.tick_params(labelbottom=False, bottom=False, labelsize=letters_of(axes, 7.5))
    axes.set_ylabel("decides", fontsize=letters_of(axes, 9))
    axes.grid(axis="x", color=LINE, lw=0.5)
    axes.set_axisbelow(True)
    if not path.decided:
        axes.text(
            0.995, 0.5, "no FFR is read here", transform=axes.transAxes, ha="right",
            va="center", fontsize=letters_of(axes, 8), style="italic", color=PALE_INK,
        )  # fmt: skip
    else:
        axes.text(
            0.995, 0.93, f"what FFR of {path.decided} hangs on: its change by 0.1 mm of radius "
            "along 1 mm of vessel", transform=axes.transAxes, ha="right", va="top",
            fontsize=letters_of(axes, 8), color=PALE_INK, zorder=6,
            bbox={"boxstyle": "square,pad=0.1", "fc": PAPER, "ec": "none", "alpha": 0.8},
        )  # fmt: skip


def _diameter_curve(axes: Axes, path: VesselPath) -> None:
    lumen, healthy = 2 * path.radius_mm, 2 * path.reference_radius_mm
    axes.fill_between(
        path.s_mm, lumen, healthy, where=lumen < healthy, color="#c9553a", alpha=0.25, lw=0
    )
    axes.plot(path.s_mm, healthy, color=PALE_INK, lw=1.2, ls=(0, (5, 2)), label="reference")
    axes.plot(path.s_mm, lumen, color=INK, lw=1.7, label="lumen")
    axes.set_ylim(0, 1.12 * float(max(lumen.max(), healthy.max())))
    axes.tick_params(labelsize=letters_of(axes, 9))
    axes.set_ylabel("diameter\nmm", fontsize=letters_of(axes, 9))
    axes.set_xlabel("path length from the ostium, mm", fontsize=letters_of(axes, 9))
    axes.grid(axis="both", color=LINE, lw=0.5)
    axes.set_axisbelow(True)
    axes.legend(
        loc="upper right", fontsize=letters_of(axes, 8), frameon=True, framealpha=0.9,
        edgecolor="none", ncols=2,
    )  # fmt: skip


def _marks(axes: Axes, path: VesselPath, *, over_image: bool) -> None:
    """Show lesion spans and reading places at the same s in every row."""
    for lesion in path.lesions:
        if over_image:  # nothing may veil the image: two thin borders do
            for border in (lesion.start_mm, lesion.end_mm):
                axes.axvline(border, color="#8fd3ff", lw=0.8, ls=(0, (2, 3)))
        else:
            axes.axvspan(lesion.start_mm, lesion.end_mm, color="#5b6b80", alpha=0.16, lw=0)
        at = _reading_mm(path, lesion)
        if at is not None:
            colour = PAPER if over_image else STATE_COLOUR[lesion.state]
            axes.axvline(at, color=colour, lw=1.0, ls=(0, (1, 2)), zorder=2)
    for stretch in path.unreadable if over_image else ():
        for border in (stretch.from_mm, stretch.to_mm):
            axes.axvline(border, color=_UNREADABLE, lw=1.4)


def _missing(axes: Axes, path: VesselPath) -> None:
    """Hatch where nothing was analysed, and say so."""
    unknown = np.isnan(path.ffr)
    if not unknown.any():
        return
    start = float(path.s_mm[np.flatnonzero(unknown)[0]])
    end = float(path.s_mm[-1])
    axes.axvspan(start, end, fc="#f1f2f4", ec="#c4c9d0", hatch="////", lw=0, zorder=1.5)
    if axes.get_ylabel() == "FFR" and end - start > mm_of(axes, 0.6):
        words = "not\nanalysed"
        if path.unreadable:
            words = f"not analysable:\n{path.unreadable[0].reason}"
        axes.text(
            (start + end) / 2, 0.5, words, transform=axes.get_xaxis_transform(),
            ha="center", va="center", fontsize=letters_of(axes, 9), style="italic",
            color=PALE_INK,
            bbox={"boxstyle": "square,pad=0.2", "fc": PAPER, "ec": "none", "alpha": 0.9},
        )  # fmt: skip
