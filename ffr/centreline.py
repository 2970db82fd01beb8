"""What `ffr solve` does with a centreline from outside: file in, pressures out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ffr.certainty.interval import Interval, interval
from ffr.certainty.lumen_error import LumenError
from ffr.certainty.variants import pumped
from ffr.circulation.boundary import Boundary, Supply, boundaries
from ffr.circulation.estimates import (
    blood_from_patient,
    input_spread,
    mean_aortic_pressure_mmhg,
    personal,
)
from ffr.circulation.outlet_flows import first_points, given_flows
from ffr.circulation.outlet_flows import outlet_points as outlet_points
from ffr.circulation.patient import Patient
from ffr.circulation.physiology import Assumption, InputSpread, Physiology
from ffr.errors import ConfigError
from meshes.arrays import Floats, Ints, floats, ints
from meshes.io import read_centreline
from meshes.rooting import rooted
from meshes.tree import VesselTree, outlets, path_length_mm
from meshes.writing import write_text
from solvers.blood import Blood
from solvers.errors import ConvergenceError, renumbered
from solvers.methods import DEFAULT, METHODS
from solvers.occlusion import closed_beds
from solvers.ostium import feeding_radius_mm
from solvers.solution import FlowSolution
from solvers.steady import INLET_PROFILES

INLET_PRESSURE_MMHG = 93.0
MOST_OUTLETS = 12  # listed in the summary
MOST_RADIUS_SD_PERCENT = 35.0
# Beyond, a unit must be wrong (mL/s, kPa, mPa s, g/cm3). Flow: four times what a heart pumps
# at rest; pressure, viscosity and density: also those of fluids on the bench
LIMITS = {
    "flow_ml_min": (0.001, 20_000.0), "inlet_pressure_mmhg": (1.0, 400.0),
    "viscosity_pa_s": (0.0005, 0.05), "density_kg_m3": (500.0, 2500.0),
}  # fmt: skip


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
    with_interval
        Say how sure each FFR is.
    radius_sd_percent
        Standard deviation of the radii's error; None: that of a usual segmentation.
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
    with_interval: bool = False
    radius_sd_percent: float | None = None


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
    spread
        How sure each FFR is; None where that was not asked for, or could not be found.
    drawn
        What was uncertain, in words.
    """

    tree: VesselTree
    solution: FlowSolution
    place: Ints
    assumptions: tuple[Assumption, ...]
    spread: Interval | None = None
    drawn: str = ""

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
    first = first_points(tree, place)
    blood, about_blood = _blood(settings, patient or Patient())
    pressure, about_pressure = _inlet_pressure(settings, patient)
    if settings.flow_ml_min is None and settings.outlet_flows is None:
        known = patient or Patient()
        supply = Supply(tree, tree.radius_mm, settings.side)
        (bed,), (_, *basis) = boundaries(
            [supply], known, None, Physiology(), (pressure, about_pressure)
        )
        with _told(first, settings.solver):
            solution = METHODS[settings.solver].with_beds(
                tree, pressure, bed.outlet_resistance_mmhg_min_ml, bed.venous_pressure_mmhg,
                blood, inlet_profile=settings.inlet_profile,
            )  # fmt: skip
        closed = closed_beds(tree, bed.outlet_resistance_mmhg_min_ml)
        bed = replace(bed, outlet_resistance_mmhg_min_ml=closed)
    else:
        flow, about_flow = given_flows(tree, place, settings.flow_ml_min, settings.outlet_flows)
        with _told(first, settings.solver):
            solution = METHODS[settings.solver].with_flows(
                tree, pressure, flow, blood, inlet_profile=settings.inlet_profile
            )
        basis, bed = [about_flow], pumped(pressure, flow)
    solved = SolvedCentreline(tree, solution, place, (about_pressure, about_blood, *basis))
    return (
        _with_interval(solved, bed, blood, settings, patient)
        if settings.with_interval
        else solved
    )


@contextmanager
def _told(first: Ints, solver: str) -> Iterator[None]:
    """Make errors name points as the file numbers them, and the way out that there may be."""
    try:
        with renumbered(lambda point: int(first[point])):
            yield
    except ConvergenceError as error:
        if solver != DEFAULT:
            raise
        message = f"{error}; --solver lumped may find an answer"
        raise ConvergenceError(message) from error


def _with_interval(
    solved: SolvedCentreline, bed: Boundary, blood: Blood, settings: SolveSettings,
    patient: Patient | None,
) -> SolvedCentreline:  # fmt: skip
    """Return the solved tree and how sure its FFR is."""
    known = patient or Patient()
    physiology = personal(Physiology(), known)
    inputs = _uncertain(settings, known, physiology)
    lumen = LumenError()
    if settings.radius_sd_percent is not None:
        lumen = LumenError.of_percent(settings.radius_sd_percent)
    try:
        spread = interval(
            solved.tree, settings.side, solved.solution, bed, blood, inputs, physiology,
            lumen, settings.solver == "lumped",
        )  # fmt: skip
    except ConvergenceError as error:
        return replace(solved, drawn=f"no interval: {error}")
    return replace(
        solved, spread=spread, drawn=_in_words(inputs, lumen, outlets(solved.tree).size)
    )


def _uncertain(
    settings: SolveSettings, patient: Patient, physiology: Physiology
) -> InputSpread:
    """Return how far the inputs may be off: what the command gives is exact."""
    x = input_spread(patient, None, physiology)
    if settings.inlet_pressure_mmhg is not None:
        x = replace(x, pressure_mmhg=0.0)
    if settings.viscosity_pa_s is not None:
        x = replace(x, viscosity=0.0)
    if settings.flow_ml_min is not None or settings.outlet_flows is not None:
        x = replace(x, flow=0.0, response=0.0, venous_mmhg=0.0)
    if settings.outlet_flows is not None:
        x = replace(x, exponent=0.0, bifurcation=0.0)
    return x


def _in_words(x: InputSpread, lumen: LumenError, ends: int) -> str:
    splits = x.bifurcation > 0 and (ends > 1 or x.flow > 0)
    flow = 100.0 * float(np.hypot(x.flow, x.response))
    parts = [
        f"lumen radius {lumen.unknown_percent:g} %" * (lumen.unknown_percent > 0),
        f"flow {flow:.0f} %" * (flow > 0),
        "its split" * splits,
        f"aortic pressure {x.pressure_mmhg:g} mmHg" * (x.pressure_mmhg > 0),
        f"venous pressure {x.venous_mmhg:g} mmHg" * (x.venous_mmhg > 0),
        f"viscosity {100 * x.viscosity:.0f} %" * (x.viscosity > 0),
        "flow model",
    ]
    return "uncertain (SD): " + ", ".join(part for part in parts if part)


def ffr_of(solution: FlowSolution) -> Floats:
    """Return static pressure over inlet pressure at each point, shape (n,)."""
    return floats(solution.pressure_mmhg / solution.pressure_mmhg[0])


def columns(solved: SolvedCentreline) -> dict[str, list[float | None]]:
    """Return the result as equally long lists, one entry per point of the file, in order.

    None where there is no pressure, behind an occlusion. The last three columns only where
    the spread was asked for.
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
    if solved.spread is not None:
        table["ffr_low"] = solved.spread.ffr_low
        table["ffr_high"] = solved.spread.ffr_high
        table["probability_below_0_80"] = solved.spread.probability
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
    first = first_points(tree, solved.place)
    low = int(np.nanargmin(ffr))
    shut = np.flatnonzero(np.isnan(ffr))
    lines = [f"{a.name}: {a.value} ({a.source})" for a in solved.assumptions]
    widest, longest = 2.0 * tree.radius_mm.max(), path_length_mm(tree).max()
    lines.append(
        f"{len(tree)} points, up to {longest:.0f} mm from the inlet and {widest:.1f} mm wide"
    )
    fed = feeding_radius_mm(tree)
    if fed > tree.radius_mm[0]:
        lines.append(
            f"the inlet is a throat {2.0 * tree.radius_mm[0]:.2f} mm wide: the inlet pressure "
            f"is taken before it, where the lumen is {2.0 * fed:.2f} mm wide"
        )
    lines.append(
        f"inlet pressure {solution.pressure_mmhg[0]:.1f} mmHg, "
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
    if solved.spread is not None:
        x = solved.spread
        lines.append(
            f"95 % interval there {x.ffr_low[low]:.2f} to {x.ffr_high[low]:.2f}, probability "
            f"of FFR <= 0.80 {100 * x.probability[low]:.0f} %"
        )
    if solved.drawn:
        lines.append(solved.drawn)
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


def _check(settings: SolveSettings) -> None:
    error = settings.radius_sd_percent
    if error is not None and not 0 <= error <= MOST_RADIUS_SD_PERCENT:
        message = f"--radius-sd-percent is {error:g}, must be 0 to {MOST_RADIUS_SD_PERCENT:g}"
        raise ConfigError(message)
    for name, (low, high) in LIMITS.items():
        value = getattr(settings, name)
        if value is not None and not low <= value <= high:
            message = f"--{name.replace('_', '-')} is {value:g}, must be {low:g} to {high:g}"
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
