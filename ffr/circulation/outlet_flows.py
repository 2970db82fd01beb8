"""How much flows out of each end of a centreline from outside? As the user gave it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ffr.circulation.boundary import split_flow
from ffr.circulation.physiology import Assumption
from ffr.errors import ConfigError
from meshes.arrays import Floats, Ints, floats, ints
from meshes.tree import VesselTree, outlets
from solvers.occlusion import occluded

FLOWS = "the file of outlet flows"  # never its name: it may be called after the patient
MOST_ML_MIN = 20_000.0  # four times what a heart pumps at rest
SUM_TOLERANCE = 1e-3  # outlet flows are typed by hand with three or four digits


def given_flows(
    tree: VesselTree, place: Ints, total_ml_min: float | None, file: Path | None
) -> tuple[Floats, Assumption]:
    """Return the flow of each outlet in the order of `outlets`, and what it rests on.

    Parameters
    ----------
    tree, place
        The rooted tree, and the index in it of each point of the file.
    total_ml_min, file
        Flow of the inlet, split by radius^(7/3); JSON of outlet flows. At least one.

    Raises
    ------
    ConfigError
        A file that does not fit the tree, or the total.
    """
    total = total_ml_min
    shut = occluded(tree)[outlets(tree)]
    if file is None:
        if shut.all():
            message = (
                f"--flow-ml-min is {total:g}, but every outlet lies behind an occlusion; "
                "leave it out"
            )
            raise ConfigError(message)
        flow = np.where(shut, 0.0, split_flow(tree, tree.radius_mm, 1.0))
        flow = floats((total or 0.0) * flow / (flow.sum() or 1.0))
        rule = "given total, split by radius^(7/3) (Kassab 2006)"
    else:
        flow = _read_flows(file, tree, place)
        rule = "given per outlet"
        wrong = np.flatnonzero(shut & (flow > 0))
        if wrong.size:
            message = (
                f"{FLOWS}: the outlet at point {outlet_points(tree, place)[wrong[0]]} lies "
                f"behind an occlusion, its flow is {flow[wrong[0]]:g} mL/min, must be 0"
            )
            raise ConfigError(message)
        if total is not None and abs(flow.sum() - total) > SUM_TOLERANCE * total:
            message = (
                f"{FLOWS}: flows sum to {flow.sum():g} mL/min, "
                f"--flow-ml-min is {total:g}; give one of them or make them agree"
            )
            raise ConfigError(message)
    return flow, Assumption("inlet flow", f"{flow.sum():.1f} mL/min", rule, False)


def _read_flows(path: Path, tree: VesselTree, place: Ints) -> Floats:
    """Read outlet flows: a list in the order of the file's points, or {point: flow}."""
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        message = f"{FLOWS} is not JSON: {error}"
        raise ConfigError(message) from error
    points = outlet_points(tree, place)
    order = np.argsort(points)
    flow = np.zeros(points.size)
    if isinstance(given, list):
        if len(given) != points.size:
            message = (
                f"{FLOWS} has {len(given)} flows, the tree has {points.size} outlets, "
                f"at points {_listed(points[order])}"
            )
            raise ConfigError(message)
        for k, value in zip(order, given, strict=True):
            flow[k] = _flow_value(int(points[k]), value)
    elif isinstance(given, dict):
        flow[:] = _by_point(given, points, tree, place)
    else:
        message = f"{FLOWS} must hold a list of flows or an object of point: flow"
        raise ConfigError(message)
    return floats(flow)


def _by_point(
    given: dict[str, object], points: Ints, tree: VesselTree, place: Ints
) -> list[float]:
    rank = {int(node): k for k, node in enumerate(outlets(tree))}
    found: dict[int, float] = {}
    for key, value in given.items():
        at = int(key) if key.isdecimal() and int(key) < place.size else -1
        outlet = rank.get(int(place[at])) if at >= 0 else None
        if outlet is None:
            message = f"{FLOWS}: point {key} is no outlet; outlets are {_listed(points)}"
            raise ConfigError(message)
        if outlet in found:
            message = f"{FLOWS}: point {key} is an outlet that was given before"
            raise ConfigError(message)
        found[outlet] = _flow_value(at, value)
    missing = sorted(set(range(points.size)) - set(found))
    if missing:
        message = f"{FLOWS} has no flow for the outlets {_listed(points[missing])}"
        raise ConfigError(message)
    return [found[k] for k in range(points.size)]


def _flow_value(point: int, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        flow = float(value)
        if 0 <= flow <= MOST_ML_MIN:
            return flow
    message = f"{FLOWS}: flow at outlet {point} is {value!r}, must be a number >= 0"
    if isinstance(value, int | float) and value < 0:
        message += "; blood that enters by an outlet cannot be solved"
    if isinstance(value, int | float) and value > MOST_ML_MIN:
        message += f" and at most {MOST_ML_MIN:g} mL/min"
    raise ConfigError(message)


def _listed(points: Sequence[int] | Ints, most: int = 12) -> str:
    text = ", ".join(str(int(p)) for p in list(points)[:most])
    return text + (", ..." if len(points) > most else "")


def first_points(tree: VesselTree, place: Ints) -> Ints:
    """Return the number in the file of each point of the tree, the first of several."""
    first = np.full(len(tree), place.size)
    np.minimum.at(first, place, np.arange(place.size))
    return ints(first)


def outlet_points(tree: VesselTree, place: Ints) -> Ints:
    """Return each outlet's first point in the file, in the order of `outlets(tree)`."""
    return ints(first_points(tree, place)[outlets(tree)])
