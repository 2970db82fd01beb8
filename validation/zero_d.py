"""Does the 0D solver give svZeroDSolver's numbers? A table.

Run: python -m validation zero_d [SHARED_FOLDER]   (svzerod: pip install 'ct-ffr[validation]')
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from meshes.arrays import AnyArray
from solvers.lumped.files import case, variable_table, vessel_table
from solvers.lumped.network import LumpedSolution, Network
from solvers.lumped.simulate import simulated

ALLOWED = 1e-6  # of the largest value of each variable
ALLOWED_STEP = 1e-3  # of 200 steps per cycle against the exact solution
SAME_AS = {  # the same network with its period written down
    "pulsatileFlow_CStenosis_steadyPressure_definedPeriod": (
        "pulsatileFlow_CStenosis_steadyPressure"
    ),
}

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


def main(shared: Path) -> None:
    """Print the table."""
    print("| case | against | largest deviation | allowed | passed |\n|---|---|---|---|---|")
    for name, source, error, allowed, passed in verify_zero_d(shared):
        print(
            f"| {name} | {source} | {error:.1e} | {allowed:.0e} | {'yes' if passed else 'NO'} |"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared"))
