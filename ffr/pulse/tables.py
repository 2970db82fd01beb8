"""What does `ffr pulse` print and write? Lines, JSON and waveforms as CSV."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from ffr.pulse.beat import S_PER_MIN
from ffr.pulse.cases import PulseCase, PulseTree
from ffr.pulse.waves import RATIOS, Pulsed
from ffr.results.result import RESEARCH_USE_ONLY
from meshes.arrays import Floats
from meshes.tree import path_length_mm
from solvers.occlusion import occluded

MOST_PLACES = 24  # of each tree in the summary; the JSON has all
HEADS = ("steady", "RMS", "pulse", "Pd/Pa", "iFR", "hyper.", "rest")
WAVE_COLUMNS = "side,place,point,state,time_s,pressure_mmhg,flow_ml_min"
STATES = ("hyperaemia", "rest")


def summary(case: PulseCase, found: tuple[Pulsed, ...], model: str) -> list[str]:
    """Return the lines that the command line prints."""
    beat = case.beat
    lines = [f"warning: {text}" for text in case.warnings]
    lines += [f"{a.name}: {a.value} ({a.source})" for a in case.assumptions]
    lines.append(
        f"{model.upper()} pulsatile flow, {S_PER_MIN / beat.period_s:g} beats per minute, "
        f"aortic pressure {beat.aortic_mmhg.max():.0f}/{beat.aortic_mmhg.min():.0f} mmHg, "
        f"mean {beat.mean_mmhg:.1f} mmHg"
    )
    width = max(len(p.name) for t in case.trees for p in t.places[1 : MOST_PLACES + 1])
    for tree, pulse in zip(case.trees, found, strict=True):
        lines += _lines(tree, pulse, width)
    if any(np.nanmin(values) < 0 for p in found for values in p.ratios.values()):
        lines.append(
            "pressure falls below zero: the lumen would collapse, which is not modelled"
        )
    lines.append(
        "FFR steady: as ffr solve; RMS: the same, quadratic losses at the root-mean-square "
        "flow; pulse: mean of the beat."
    )
    lines.append("Pd/Pa and iFR at rest; flow in mL/min, mean of the beat.")
    lines.append("Research use only.")
    return lines


def _lines(tree: PulseTree, pulse: Pulsed, width: int) -> Iterator[str]:
    yield f"{tree.fed.side + ' tree':{width}}  {'FFR':^20}  {'at rest':^13}  {'flow':^13}"
    yield f"{'':{width}}  " + "".join(f"{head:>7}" for head in HEADS)
    shut = occluded(tree.fed.tree)
    for k, place in enumerate(tree.places[1 : MOST_PLACES + 1], start=1):
        label = f"{place.name:{width}}"
        if shut[place.point]:
            yield f"{label}  occluded"
            continue
        ratios = "".join(f"{pulse.ratios[name][place.point]:7.3f}" for name in RATIOS)
        flows = (pulse.hyperaemia.mean_flow_ml_min[k], pulse.rest.mean_flow_ml_min[k])
        yield f"{label}  {ratios}" + "".join(f"{flow:7.1f}" for flow in flows)
    if len(tree.places) > MOST_PLACES + 1:
        yield f"... and {len(tree.places) - MOST_PLACES - 1} more"


def as_json(case: PulseCase, found: tuple[Pulsed, ...], model: str) -> str:
    """Return everything but the waveforms; null where there is no pressure or no analysis."""
    beat = case.beat
    table = {
        "research_use_only": RESEARCH_USE_ONLY,
        "model": model,
        "heart_rate_bpm": S_PER_MIN / beat.period_s,
        "aortic_systolic_mmhg": float(beat.aortic_mmhg.max()),
        "aortic_diastolic_mmhg": float(beat.aortic_mmhg.min()),
        "aortic_mean_mmhg": beat.mean_mmhg,
        "assumptions": [asdict(a) for a in case.assumptions],
        "warnings": list(case.warnings),
        "trees": [_tree(t, p) for t, p in zip(case.trees, found, strict=True)],
    }
    return json.dumps(table, allow_nan=False) + "\n"


def _tree(tree: PulseTree, pulse: Pulsed) -> dict[str, object]:
    shape = tree.fed.tree
    ratios = {n: np.where(tree.shown, values, np.nan) for n, values in pulse.ratios.items()}
    columns = {
        "x_mm": shape.points_mm[:, 0], "y_mm": shape.points_mm[:, 1],
        "z_mm": shape.points_mm[:, 2], "s_mm": path_length_mm(shape),
        "radius_mm": shape.radius_mm, **ratios,
    }  # fmt: skip
    hyperaemia, rest = pulse.hyperaemia.mean_flow_ml_min, pulse.rest.mean_flow_ml_min
    places = [
        {
            "name": place.name,
            "point": place.number,
            **{name: _number(values[place.point]) for name, values in ratios.items()},
            "hyperaemic_flow_ml_min": _number(hyperaemia[k]),
            "resting_flow_ml_min": _number(rest[k]),
        }
        for k, place in enumerate(tree.places)
    ]
    points = {name: _list(values[tree.rows]) for name, values in columns.items()}
    return {"side": tree.fed.side, "places": places, "points": points}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _list(values: Floats) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]


def as_csv(case: PulseCase, found: tuple[Pulsed, ...]) -> str:
    """Return the waveforms of all places, one row per place, state and time."""
    text = io.StringIO()
    text.write(WAVE_COLUMNS + "\n")
    for tree, pulse in zip(case.trees, found, strict=True):
        shut = occluded(tree.fed.tree)
        for k, place in enumerate(tree.places):
            if shut[place.point]:
                continue
            for state in STATES:
                wave = pulse.hyperaemia if state == STATES[0] else pulse.rest
                start = f"{tree.fed.side},{place.name.replace(',', '')},{place.number},{state}"
                rows = zip(
                    wave.time_s.tolist(), wave.pressure_mmhg[:, k].tolist(),
                    wave.flow_ml_min[:, k].tolist(), strict=True,
                )  # fmt: skip
                text.writelines(f"{start},{t:.5f},{p:.5f},{q:.5f}\n" for t, p, q in rows)
    return text.getvalue()
