"""What `ffr solve` does with a centreline from outside: file in, pressures out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ffr.boundary import Supply, boundaries, split_flow
from ffr.errors import ConfigError
from ffr.estimates import blood_from_patient, mean_aortic_pressure_mmhg
from ffr.patient import Patient
from ffr.physiology import Assumption, Physiology
from meshes.arrays import Floats, Ints, floats, ints
from meshes.io import read_centreline
from meshes.rooting import rooted
from meshes.tree import VesselTree, outlets, path_length_mm
from meshes.writing import write_text
from solvers.blood import Blood
from solvers.methods import DEFAULT, METHODS
from solvers.occlusion import occluded
from solvers.solution import FlowSolution
from solvers.steady import INLET_PROFILES

INLET_PRESSURE_MMHG = 93.0
MOST_OUTLETS = 12  # listed in the summary
FLOWS = "the file of outlet flows"  # never its name: it may be called after the patient
SUM_TOLERANCE = 1e-3  # outlet flows are typed by hand with three or four digits


@dataclass(frozen=True, slots=True)
class SolveSettings:
    """What the user asked for; None where nothing was said.

    Parameters
    ----------
    flow_ml_min
        Total inlet flow, divided over the outlets by radius^(7/3).
    outlet_flows
        JSON file of outlet flows.
    inlet_pressure_mmhg
        Static pressure at the inlet; 93 unless a patient's cuff says otherwise.
    viscosity_pa_s, density_kg_m3
        Blood; 3.5 mPa s (or by haematocrit) and 1060 kg/m3.
    inlet_profile
        "developed" or "plug".
    inlet
        Index of the inlet's point in the file.
    side
        "left" or "right": the usual share of the flow when none is given.
    solver
        "resolved" (velocity profiles) or "lumped" (a loss formula per segment, faster).
    """

    flow_ml_min: float | None = None
    outlet_flows: Path | None = None
    inlet_pressure_mmhg: float | None = None
    viscosity_pa_s: float | None = None
    density_kg_m3: float | None = None
    inlet_profile: str = "developed"
    inlet: int | None = None
    side: str = "left"
    solver: str = DEFAULT


@dataclass(frozen=True, slots=True, eq=False)
class SolvedCentreline:
    """Pressure and flow at each point of a file.

    Parameters
    ----------
    tree, solution
        The rooted tree and its flow.
    place
        Index in the tree of each point of the file, shape (n,).
    assumptions
        What the result rests on.
    """

    tree: VesselTree
    solution: FlowSolution
    place: Ints
    assumptions: tuple[Assumption, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", ints(self.place))


def solve_centreline(
    path: Path, settings: SolveSettings, patient: Patient | None = None
) -> SolvedCentreline:
    """Solve the tree in a `.vtp` or `.swc` file.

    With a flow given, it is imposed; else the outlets feed microvascular beds whose
    hyperaemic resistance follows from the patient (population values by default), split
    by the lumen radius because a bare centreline has no healthy reference.

    Raises
    ------
    GeometryError
        A file that holds no tree.
    ConfigError
        Settings that are wrong or contradict each other.
    ConvergenceError
        No steady flow was found.
    OSError
        A file cannot be read.
    """
    _check(settings)
    tree, place = rooted(read_centreline(path), settings.inlet)
    blood, about_blood = _blood(settings, patient or Patient())
    pressure, about_pressure = _inlet_pressure(settings, patient)
    if settings.flow_ml_min is None and settings.outlet_flows is None:
        known = patient or Patient()
        supply = Supply(tree, tree.radius_mm, settings.side)
        (ends,), (_, *basis) = boundaries(
            [supply], known, None, Physiology(), (pressure, about_pressure)
        )
        solution = METHODS[settings.solver].with_beds(
            tree,
            pressure,
            ends.outlet_resistance_mmhg_min_ml,
            ends.venous_pressure_mmhg,
            blood,
            inlet_profile=settings.inlet_profile,
        )
    else:
        flow, about_flow = _outlet_flow(tree, place, settings)
        solution = METHODS[settings.solver].with_flows(
            tree, pressure, flow, blood, inlet_profile=settings.inlet_profile
        )
        basis = [about_flow]
    return SolvedCentreline(tree, solution, place, (about_pressure, about_blood, *basis))


def ffr_of(solution: FlowSolution) -> Floats:
    """Return static pressure over inlet pressure at each point, shape (n,)."""
    return floats(solution.pressure_mmhg / solution.pressure_mmhg[0])


def columns(solved: SolvedCentreline) -> dict[str, list[float | None]]:
    """Return the result as equally long lists, one entry per point of the file, in order.

    None where there is no pressure, behind an occlusion.
    """
    tree, at = solved.tree, solved.place
    table = {
        "x_mm": tree.points_mm[:, 0],
        "y_mm": tree.points_mm[:, 1],
        "z_mm": tree.points_mm[:, 2],
        "s_mm": path_length_mm(tree),
        "radius_mm": tree.radius_mm,
        "pressure_mmhg": solved.solution.pressure_mmhg,
        "flow_ml_min": solved.solution.flow_ml_min,
        "ffr": ffr_of(solved.solution),
    }
    return {
        name: [value if np.isfinite(value) else None for value in values[at].tolist()]
        for name, values in table.items()
    }


def write_columns(path: Path, solved: SolvedCentreline) -> None:
    """Write the columns as JSON; the file appears whole or not at all."""
    write_text(path, json.dumps(columns(solved), allow_nan=False) + "\n")


def summary(solved: SolvedCentreline) -> list[str]:
    """Return the lines that the command line prints."""
    tree, solution = solved.tree, solved.solution
    ffr = ffr_of(solution)
    first = np.full(len(tree), solved.place.size)
    np.minimum.at(first, solved.place, np.arange(solved.place.size))
    low = int(np.nanargmin(ffr))
    shut = np.flatnonzero(np.isnan(ffr))
    lines = [f"{a.name}: {a.value} ({a.source})" for a in solved.assumptions]
    lines.append(
        f"{len(tree)} points, inlet pressure {solution.pressure_mmhg[0]:.1f} mmHg, "
        f"inlet flow {solution.flow_ml_min[0]:.1f} mL/min"
    )
    ends = outlets(tree)
    for k in ends[:MOST_OUTLETS]:
        value = "occluded" if np.isnan(ffr[k]) else f"FFR {ffr[k]:.3f}"
        lines.append(
            f"outlet at point {first[k]}: {value}, flow {solution.flow_ml_min[k]:.1f} mL/min"
        )
    if ends.size > MOST_OUTLETS:
        lines.append(f"... and {ends.size - MOST_OUTLETS} more outlets")
    lines.append(f"minimum FFR {ffr[low]:.3f} at point {first[low]}")
    if shut.size:
        lines.append(
            f"occluded at point {first[shut[0]]}: no FFR at {shut.size} points at and "
            "behind it (no collateral flow is known)"
        )
    if np.nanmin(solution.pressure_mmhg) < 0:
        lines.append(
            "pressure falls below zero: the prescribed flow cannot pass the narrowest lumen"
        )
    lines.append("Research use only.")
    return lines


def outlet_points(tree: VesselTree, place: Ints) -> Ints:
    """Return each outlet's first point in the file, in the order of `outlets(tree)`."""
    first = np.full(len(tree), place.size)
    np.minimum.at(first, place, np.arange(place.size))
    return ints(first[outlets(tree)])


def _check(settings: SolveSettings) -> None:
    for name in ("flow_ml_min", "inlet_pressure_mmhg", "viscosity_pa_s", "density_kg_m3"):
        value = getattr(settings, name)
        if value is not None and not (np.isfinite(value) and value > 0):
            message = f"--{name.replace('_', '-')} is {value:g}, must be positive"
            raise ConfigError(message)
    choices = {
        "inlet_profile": INLET_PROFILES, "side": ("left", "right"), "solver": tuple(METHODS),
    }  # fmt: skip
    for name, known in choices.items():
        if getattr(settings, name) not in known:
            option = name.replace("_", "-")
            message = f"--{option} is {getattr(settings, name)!r}, must be {' or '.join(known)}"
            raise ConfigError(message)


def _blood(settings: SolveSettings, patient: Patient) -> tuple[Blood, Assumption]:
    blood, about = blood_from_patient(patient)
    if settings.viscosity_pa_s is not None:
        mu = settings.viscosity_pa_s
        about = Assumption("blood viscosity", f"{mu * 1e3:.2f} mPa s", "given", False)
        blood = Blood(mu, blood.density_kg_m3)
    if settings.density_kg_m3 is not None:
        blood = Blood(blood.viscosity_pa_s, settings.density_kg_m3)
    return blood, about


def _inlet_pressure(
    settings: SolveSettings, patient: Patient | None
) -> tuple[float, Assumption]:
    name = "mean aortic pressure"
    if settings.inlet_pressure_mmhg is not None:
        value = settings.inlet_pressure_mmhg
        return value, Assumption(name, f"{value:.1f} mmHg", "given", False)
    if patient is not None and (patient.systolic_mmhg or patient.mean_aortic_pressure_mmhg):
        return mean_aortic_pressure_mmhg(patient)
    text = f"{INLET_PRESSURE_MMHG:.1f} mmHg"
    return INLET_PRESSURE_MMHG, Assumption(name, text, "default", True)


def _outlet_flow(
    tree: VesselTree, place: Ints, settings: SolveSettings
) -> tuple[Floats, Assumption]:
    total = settings.flow_ml_min
    if settings.outlet_flows is None:
        flow = split_flow(tree, tree.radius_mm, 1.0)
        flow = np.where(occluded(tree)[outlets(tree)], 0.0, flow)
        flow = floats((total or 0.0) * flow / (flow.sum() or 1.0))
        rule = "given total, split by radius^(7/3) (Kassab 2006)"
    else:
        flow = _read_flows(settings.outlet_flows, tree, place)
        rule = "given per outlet"
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
        if np.isfinite(flow) and flow >= 0:
            return flow
    message = f"{FLOWS}: flow at outlet {point} is {value!r}, must be a number >= 0"
    raise ConfigError(message)


def _listed(points: Sequence[int] | Ints, most: int = 12) -> str:
    text = ", ".join(str(int(p)) for p in list(points)[:most])
    return text + (", ..." if len(points) > most else "")
