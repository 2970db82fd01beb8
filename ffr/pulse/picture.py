"""How do pressure and flow look over a beat? A picture of aortic and distal waves."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ffr.pulse.cases import PulseCase, PulseTree
from ffr.pulse.waves import Pulsed, Wave
from ffr.report.colours import BLUE, BROWN, INK, LINE, ORANGE, PALE_INK
from ffr.report.svg import research_note, style
from solvers.ratios import WAVE_FREE_MARGIN_S, WAVE_FREE_START

MOST_WAVES = 3  # distal ones per tree: those with the lowest FFR
COLOURS = (BROWN, ORANGE, BLUE)
DOTS_PER_INCH = 150
LEGEND_SHARE = 0.4  # of the pressure axis, kept free above the waves


def drawn(case: PulseCase, found: tuple[Pulsed, ...], suffix: str) -> bytes:
    """Return the picture's file: per tree a row of pressures and one of flows.

    Parameters
    ----------
    case, found
        What pulsed, and how.
    suffix
        ".png", ".svg" or ".pdf".
    """
    with style():
        rows = 2 * len(found)
        figure = Figure(
            figsize=(9.0, 0.8 + 2.5 * rows),
            layout=ConstrainedLayoutEngine(rect=(0.0, 0.03, 1.0, 0.97)),
        )
        axes = figure.subplots(rows, 2, sharex=True, sharey="row", squeeze=False)
        for t, (tree, pulse) in enumerate(zip(case.trees, found, strict=True)):
            for column, (state, wave) in enumerate(
                (("rest", pulse.rest), ("hyperaemia", pulse.hyperaemia))
            ):
                _pair(axes[2 * t : 2 * t + 2, column], tree, pulse, wave, state)
            _wave_free(axes[2 * t, 0], case)
        for axis in axes[-1]:
            axis.set_xlabel("time in the beat, s")
            axis.set_xlim(0.0, case.beat.period_s)
        research_note(figure)
        file = io.BytesIO()
        figure.savefig(file, format=suffix[1:], dpi=DOTS_PER_INCH)
    return file.getvalue()


def _pair(axes: np.ndarray, tree: PulseTree, pulse: Pulsed, wave: Wave, state: str) -> None:
    """Draw pressures above, flows below."""
    ratio = "ffr" if state == "hyperaemia" else "ifr"
    word = "FFR" if state == "hyperaemia" else "iFR"
    ffr = np.array([pulse.ratios["ffr"][p.point] for p in tree.places])
    low = [k for k in np.argsort(ffr) if k > 0 and np.isfinite(ffr[k])][:MOST_WAVES]
    axes[0].plot(wave.time_s, wave.pressure_mmhg[:, 0], color=INK, label="aorta")
    axes[1].plot(wave.time_s, wave.flow_ml_min[:, 0], color=INK, label="inlet")
    for k, colour in zip(low, COLOURS, strict=False):
        place = tree.places[k]
        value = pulse.ratios[ratio][place.point]
        axes[0].plot(
            wave.time_s,
            wave.pressure_mmhg[:, k],
            color=colour,
            label=f"{place.name}, {word} {value:.2f}",
        )
        axes[1].plot(wave.time_s, wave.flow_ml_min[:, k], color=colour)
    axes[0].set_title(f"{tree.fed.side} tree, {state}", loc="left")
    axes[0].set_ylabel("pressure, mmHg")
    axes[1].set_ylabel("flow, mL/min")
    for axis in axes:
        axis.grid(color=LINE, linewidth=0.5)
        axis.spines[["top", "right"]].set_visible(False)
    low_end, high_end = axes[0].get_ylim()
    if state == "hyperaemia":  # the one drawn last: both share the axis
        axes[0].set_ylim(low_end, high_end + LEGEND_SHARE * (high_end - low_end))
    axes[0].legend(frameon=False, fontsize=7.5, loc="upper right")


def _wave_free(axis: Axes, case: PulseCase) -> None:
    """Shade where iFR is read."""
    beat = case.beat
    later = beat.time_s >= beat.diastole_s  # diastole ends where the pressure is lowest
    last = float(beat.time_s[later][np.argmin(beat.aortic_mmhg[later])])
    start = beat.diastole_s + WAVE_FREE_START * (last - beat.diastole_s)
    axis.axvspan(start, last - WAVE_FREE_MARGIN_S, color=LINE, alpha=0.5, linewidth=0)
    axis.text(
        0.5 * (start + last), 0.02, "iFR", color=PALE_INK, ha="center",
        transform=axis.get_xaxis_transform(),
    )  # fmt: skip
