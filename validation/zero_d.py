"""Does the 0D solver give svZeroDSolver's numbers, and how much sooner? Tables.

Run: python -m validation zero_d [SHARED_FOLDER]   (svzerod: pip install 'ct-ffr[validation]')
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from ffr.boundary import Boundary, boundary_from_patient
from ffr.patient import Patient
from ffr.phantom.patient import virtual_patient
from meshes.arrays import AnyArray
from meshes.tree import CoronaryTree, outlets
from solvers.blood import Blood
from solvers.elastic.beds import coronary_beds
from solvers.losses import borda_carnot, poiseuille
from solvers.lumped.coronary import (
    mean_pressure_ratio,
    pulsatility,
    rms_corrected,
    solve_pulsatile,
    wave_free_ratio,
)
from solvers.lumped.files import case, variable_table, vessel_table
from solvers.lumped.network import LumpedSolution, Network
from solvers.lumped.simulate import simulated, steady_problem, steady_state
from solvers.steady import solve_steady
from solvers.waveforms import DIASTOLE_FROM, aortic_wave_mmhg, ventricular_wave_mmhg

REPEATS = 15
VESSELS = 86  # of the deck
COLUMNS = ("flow_in", "flow_out", "pressure_in", "pressure_out")
ALLOWED = 1e-6  # of the largest value of each variable
ALLOWED_STEP = 1e-3  # of 200 steps per cycle against the exact solution
SAME_AS = {  # the same network with its period written down
    "pulsatileFlow_CStenosis_steadyPressure_definedPeriod": (
        "pulsatileFlow_CStenosis_steadyPressure"
    ),
}
DECK = "svoned_left_coronary/Left_coronary_inlet_pressure_wave_outlet_coronary.in"
CYCLES, POINTS = 6, 201
SETTLED_CYCLES = 6  # of one step: svzerod marches to the steady state, and is within 1e-6 then
SYSTOLIC_MMHG, DIASTOLIC_MMHG, PERIOD_S = 120.0, 80.0, 0.85


Row = tuple[str, str, float, float, bool]


def verify_zero_d(shared: Path) -> list[Row]:
    """Return check, reference, largest deviation, what is allowed, passed; for every file.

    Against the stored result where there is one, else against svzerod (if installed) and the
    exact solution of the bed's differential equations, which differs by the step's error.
    The deviation is relative to the largest value of each column (of each variable in files
    that store variables).
    """
    rows: list[Row] = []
    for path in sorted((shared / "data" / "svzerod_cases").glob("*.json")):
        data = json.loads(path.read_text())
        network, settings = case(data)
        solution = simulated(network, settings)
        stored = path.parent / "results" / f"result_{SAME_AS.get(path.stem, path.stem)}.json"
        if stored.exists():
            error = deviation(network, solution, json.loads(stored.read_text()))
            rows.append(_row(path.stem, "stored result", error, ALLOWED))
            continue
        try:
            import svzerod  # an extra of the validation

            table = svzerod.simulate(data).to_dict()
            del table["time"]  # its clock restarts in cycles that it adds
            error = deviation(network, solution, table)
            rows.append(_row(path.stem, "svzerod 3.2", error, ALLOWED))
        except ImportError:
            pass
        error = bed_error(network, solution, data)
        rows.append(_row(path.stem, "exact solution", error, ALLOWED_STEP))
    return rows


def _row(name: str, source: str, error: float, allowed: float) -> Row:
    return name, source, error, allowed, bool(error <= allowed)


def deviation(network: Network, solution: LumpedSolution, reference: dict[str, Any]) -> float:
    """Return the largest deviation from a table {column: {row: value}}."""
    names = np.array(list(reference["name"].values()))
    ours = variable_table(solution) if "y" in reference else vessel_table(network, solution)
    if list(ours["name"]) != list(names):
        return float("inf")
    worst = 0.0
    for column, values in reference.items():
        if column == "name":
            continue
        theirs = np.array(list(values.values()), dtype=np.float64)
        for name in dict.fromkeys(names) if column in ("y", "ydot") else [None]:
            here = names == name if name is not None else np.full(names.size, True)
            size = np.abs(theirs[here]).max()
            error = np.abs(ours[column][here] - theirs[here]).max()
            worst = max(worst, float(error / size if size > 0 else error))
    return worst


def bed_error(network: Network, solution: LumpedSolution, data: dict[str, Any]) -> float:
    """Return the largest deviation of a coronary bed behind R from its exact pressure.

    C_a P1' = Q - (P1 - P2)/R_am, C_im P2' = (P1 - P2)/R_am - (P2 - P_v)/R_v from rest, with
    constant P_im; after the first cycle, because the file starts with a jump of the flow.
    """
    flow, bed = (b["bc_values"] for b in data["boundary_conditions"])
    r = data["vessels"][0]["zero_d_element_values"]["R_poiseuille"]
    period = flow["t"][-1]

    def inflow(t: float) -> float:
        return float(np.interp(t % period, flow["t"], flow["Q"]))

    def rates(t: float, p: AnyArray) -> list[float]:
        middle = (p[0] - p[1]) / bed["Ra2"]
        out = (p[1] - bed["P_v"]) / bed["Rv1"]
        return [(inflow(t) - middle) / bed["Ca"], (middle - out) / bed["Cc"]]

    t = solution.time_s
    exact = solve_ivp(
        rates, (0.0, t[-1]), [0.0, 0.0], t_eval=t, rtol=1e-9, atol=1e-6, max_step=period / 100
    )
    pressure = exact.y[0] + (bed["Ra1"] + r) * np.array([inflow(x) for x in t])
    late = t > period
    ours = vessel_table(network, solution)["pressure_in"]
    return float(np.abs(ours - pressure)[late].max() / np.abs(pressure).max())


def coronary_deck(shared: Path, steady: bool = False) -> dict[str, Any]:
    """Return the svOneDSolver left coronary tree, 86 segments, as a svZeroDSolver file.

    R, C and L of each segment from its linear area: friction 6 pi mu (a profile of order 1,
    as in the deck), Olufsen's wall at the reference area. Venous pressure 0 (svOneDSolver
    adds it with the opposite sign). `steady`: all boundary values at their means.
    """
    rows = [
        line.split("#")[0].split() for line in (shared / "data" / DECK).read_text().splitlines()
    ]
    cards: dict[str, list[list[str]]] = {}
    for row in filter(None, rows):
        cards.setdefault(row[0], []).append(row)
    tables = deck_tables(rows)
    density, viscosity = (float(x) for x in cards["MATERIAL"][0][3:5])
    wall = tuple(float(x) for x in cards["MATERIAL"][0][7:10])
    inlet = cards["SOLVEROPTIONS"][0][5]
    boundaries = [
        {
            "bc_name": "INFLOW",
            "bc_type": "PRESSURE",
            "bc_values": wave(tables[inlet], "P", steady),
        }
    ]
    vessels = []
    for row in cards["SEGMENT"]:
        number = int(row[2])
        ends = {"inlet": "INFLOW"} if number == 0 else {}
        if row[15] == "CORONARY":
            table = tables[row[16]]
            ra, ram, ca, cim, rv = (float(x) for x in table[:5, 1])
            bed: dict[str, Any] = {
                "Ra1": ra,
                "Ra2": ram,
                "Rv1": rv,
                "Ca": ca,
                "Cc": cim,
                "P_v": 0.0,
            }
            bed |= wave(table[6:], "Pim", steady)
            ends["outlet"] = f"BED_{number}"
            boundaries.append(
                {"bc_name": f"BED_{number}", "bc_type": "CORONARY", "bc_values": bed}
            )
        vessels.append({
            "vessel_id": number, "vessel_name": f"branch{number}_seg0",
            "vessel_length": float(row[3]), "zero_d_element_type": "BloodVessel",
            "boundary_conditions": ends,
            "zero_d_element_values": segment(
                float(row[3]), float(row[7]), float(row[8]), density, viscosity, wall
            ),
        })  # fmt: skip
    before = {row[1]: row[3:] for row in cards["JOINTINLET"]}
    behind = {row[1]: row[3:] for row in cards["JOINTOUTLET"]}
    junctions = [
        {
            "junction_name": row[1], "junction_type": "NORMAL_JUNCTION",
            "inlet_vessels": [int(k) for k in before[row[3]]],
            "outlet_vessels": [int(k) for k in behind[row[4]]],
        }
        for row in cards["JOINT"]
    ]  # fmt: skip
    run = {
        "number_of_cardiac_cycles": 1 if steady else CYCLES,
        "number_of_time_pts_per_cardiac_cycle": 2 if steady else POINTS,
        "absolute_tolerance": 1e-8,
    }
    return {
        "simulation_parameters": run, "boundary_conditions": boundaries,
        "vessels": vessels, "junctions": junctions,
    }  # fmt: skip


def deck_tables(rows: list[list[str]]) -> dict[str, AnyArray]:
    """Return the data tables of a svOneDSolver deck."""
    tables: dict[str, AnyArray] = {}
    name, lines = "", []  # type: tuple[str, list[list[float]]]
    for row in filter(None, rows):
        if row[0] == "DATATABLE":
            name, lines = row[1], []
        elif row[0] == "ENDDATATABLE":
            tables[name], name = np.array(lines), ""
        elif name:
            lines.append([float(x) for x in row])
    return tables


def wave(table: AnyArray, name: str, steady: bool) -> dict[str, list[float]]:
    """Return a waveform as values over time; its mean twice if `steady`."""
    if steady:
        mean = float(np.trapezoid(table[:, 1], table[:, 0]) / np.ptp(table[:, 0]))
        return {"t": [0.0, 1.0], name: [mean, mean]}
    return {"t": table[:, 0].tolist(), name: table[:, 1].tolist()}


def segment(
    length: float, first: float, last: float, density: float, viscosity: float,
    wall: tuple[float, ...],
) -> dict[str, float]:  # fmt: skip
    """Return R, C, L of a segment whose area runs from `first` to `last` linearly (CGS)."""
    at = np.linspace(0.0, 1.0, 41)
    area = first + (last - first) * at
    stiff = wall[0] * np.exp(wall[1] * np.sqrt(area / np.pi)) + wall[2]
    return {
        "R_poiseuille": 6.0 * np.pi * viscosity * length / (first * last),
        "C": float(length * np.trapezoid(1.5 * area / stiff, at)),
        "L": float(density * length * np.trapezoid(1.0 / area, at)),
    }


def side_by_side(
    them: Callable[[], object], us: Callable[[], object], repeats: int = REPEATS
) -> tuple[float, float]:
    """Return the median ms of two calls made in turn, so that both see the same machine.

    Without garbage collection in between, as `timeit` does.
    """
    times = np.empty((repeats, 2))
    for call in (them, us):
        call()
    gc.collect()
    gc.disable()
    try:
        for k in range(repeats):
            for j, call in enumerate((them, us)):
                start = time.perf_counter()
                call()
                times[k, j] = (time.perf_counter() - start) * 1e3
    finally:
        gc.enable()
    first, second = np.median(times, axis=0)
    return float(first), float(second)


def speed_zero_d(shared: Path) -> list[tuple[str, float, float, float, float]]:
    """Return what, svzerod's ms, ours, their ratio and the largest deviation between them.

    The steady state is marched to by svzerod, with as many steps as are named, and solved
    for here: the deviation is svzerod's. Whole: from the configuration to flow and pressure
    of all vessels. Solve: the configuration read before (svzerod.Solver.run; here pivots,
    factors and march or Newton). Calls alternate in one process on one core.
    """
    import svzerod  # an extra of the validation

    rows = []
    for steady, cycles in ((True, 1), (True, SETTLED_CYCLES), (False, CYCLES)):
        deck = coronary_deck(shared, steady)
        deck["simulation_parameters"]["number_of_cardiac_cycles"] = cycles
        name = f"pulsatile, {CYCLES} cycles of {POINTS} points"
        if steady:
            name = f"steady, svzerod with {30 + cycles + 1} steps"
        reference = svzerod.simulate(deck)
        network, settings = case(deck)
        whole = partial(_whole, deck, steady)
        theirs = np.array([reference[column] for column in COLUMNS])
        ours = np.array([whole()[column] for column in COLUMNS]).reshape(4, VESSELS, -1)
        theirs = theirs.reshape(4, VESSELS, -1)[:, :, -ours.shape[2] :]
        gap = np.abs(ours - theirs).max(axis=2) / np.abs(theirs).max(axis=2)
        error = float(gap.max())
        repeats = REPEATS * (10 if steady else 1)
        them, us = side_by_side(partial(svzerod.simulate, deck), whole, repeats)
        rows.append((f"{name}, whole", them, us, them / us, error))
        problem = steady_problem(network)
        solve = (
            partial(steady_state, problem) if steady else partial(simulated, network, settings)
        )
        them, us = side_by_side(svzerod.Solver(deck).run, solve, repeats)
        rows.append((f"{name}, solve", them, us, them / us, error))
    return rows


def _whole(deck: dict[str, Any], steady: bool) -> dict[str, AnyArray]:
    network, settings = case(deck)
    found = steady_state(network) if steady else simulated(network, settings)
    return vessel_table(network, found)


def compare_patients(seeds: Sequence[int] = (1, 2, 3, 4, 5)) -> list[tuple[str, ...]]:
    """Return one row per virtual patient's tree: what the choices of time do to the lowest FFR.

    Columns: patient and tree, FFR of the steady solve at the mean aortic pressure, of the same
    with quadratic losses at the root-mean-square flow, of the cycle means of the pulsatile
    solve, resting Pd/Pa and iFR; all at the outlet with the lowest steady FFR.
    """
    rows = []
    blood = Blood()
    for seed in seeds:
        patient = virtual_patient(seed)
        trees = (patient.left, patient.right)
        known = Patient(systolic_mmhg=SYSTOLIC_MMHG, diastolic_mmhg=DIASTOLIC_MMHG)
        limits, _ = boundary_from_patient(trees, known, None)
        for tree, limit in zip(trees, limits, strict=True):
            rows.append((f"{seed} {tree.side}", *_ratios(tree, limit, blood)))
    return rows


def _ratios(coronary: CoronaryTree, limit: Boundary, blood: Blood) -> tuple[str, ...]:
    tree, venous = coronary.tree, limit.venous_pressure_mmhg
    time_s, aortic = aortic_wave_mmhg(SYSTOLIC_MMHG, DIASTOLIC_MMHG, PERIOD_S)
    _, ventricle = ventricular_wave_mmhg(SYSTOLIC_MMHG, PERIOD_S)
    mean = float(np.trapezoid(aortic, time_s) / PERIOD_S)
    ends = outlets(tree)
    area = np.pi * tree.radius_mm[ends] ** 2
    stressed = limit.outlet_resistance_mmhg_min_ml
    rested = (limit.inlet_pressure_mmhg - venous) / limit.resting_flow_ml_min
    beds = [
        coronary_beds(r, area, coronary.side, time_s, ventricle, venous)
        for r in (stressed, rested)
    ]
    steady = solve_steady(tree, mean, stressed, venous, blood)
    end = int(ends[np.argmin(steady.pressure_mmhg[ends])])
    pulse, rest = (solve_pulsatile(tree, blood, time_s, aortic, b) for b in beds)
    plain = solve_pulsatile(tree, blood, time_s, aortic, beds[0], poiseuille)
    closure = rms_corrected(borda_carnot, pulsatility(plain))
    rms = solve_steady(tree, mean, stressed, venous, blood, closure)
    values = (
        steady.pressure_mmhg[end] / mean,
        rms.pressure_mmhg[end] / mean,
        mean_pressure_ratio(pulse)[end],
        mean_pressure_ratio(rest)[end],
        wave_free_ratio(rest, DIASTOLE_FROM * PERIOD_S)[end],
    )
    return tuple(f"{value:.3f}" for value in values)


def main(shared: Path) -> None:
    """Print both tables."""
    print("| case | against | largest deviation | allowed | passed |\n|---|---|---|---|---|")
    for name, source, error, allowed, passed in verify_zero_d(shared):
        print(
            f"| {name} | {source} | {error:.1e} | {allowed:.0e} | {'yes' if passed else 'NO'} |"
        )
    print(
        "\n| patient, tree | steady, mean flow | steady, RMS flow | pulsatile | Pd/Pa | iFR |"
    )
    print("|---|---|---|---|---|---|")
    for row in compare_patients():
        print(f"| {' | '.join(row)} |")
    print(
        "\n| left coronary deck, 86 segments | svzerod, ms | ct-ffr, ms | ratio | deviation |"
    )
    print("|---|---|---|---|---|")
    for what, them, us, ratio, error in speed_zero_d(shared):
        print(f"| {what} | {them:.2f} | {us:.2f} | {ratio:.1f} | {error:.1e} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared"))
