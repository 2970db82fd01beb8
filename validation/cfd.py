"""How near the solvers come to 3D Navier-Stokes flow, beside the formulas of the field.

Run: python -m validation cfd FOLDER_OF_CFD_RECORDS [--at 5D] [--picture FILE.png]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from meshes.arrays import Floats
from meshes.tree import VesselTree, outlets, path_length_mm, path_to
from solvers.blood import Blood
from solvers.losses import borda_carnot
from solvers.resolved import prescribe_resolved
from solvers.solution import FlowSolution
from solvers.steady import solve_prescribed
from solvers.units import PA_PER_MMHG
from validation.formulas import (
    Way,
    dlp,
    huo_kassab,
    poiseuille_and_expansion,
    poiseuille_drop,
    young_tsai_drop,
)
from validation.setting import setting

PA_MMHG = 93.0
SEVERE_MMHG = 45.0  # beyond, FFR is below 0.5 and nobody asks by how much
SHARP = ("trapezoid", "taper", "rtaper", "blunt")


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One record: its tree, flows, and what was computed in 3D.

    Parameters
    ----------
    name, group
        Identifier; "smooth", "sharp", "bend", "eccentric" or "bifurcation".
    tree, outlet_flow_ml_min
        Geometry and flow at each outlet.
    inlet_profile
        "developed" or "plug".
    upstream_mm, distal_mm
        Path length of the two stations; the second on the way to `outlet`.
    outlet
        Point at the end of the vessel that is read.
    drop_mmhg
        Static pressure drop between them.
    lesions_mm
        Start and end of each lesion, path lengths.
    """

    name: str
    group: str
    tree: VesselTree
    outlet_flow_ml_min: Floats
    inlet_profile: str
    upstream_mm: float
    distal_mm: float
    outlet: int
    drop_mmhg: float
    lesions_mm: tuple[tuple[float, float], ...]


def read_cases(folder: Path, station: str) -> list[Case]:
    """Read all records of a folder; a bifurcation gives one case per branch."""
    found = []
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text())
        if "geometry" in record:
            found += _cases(record, station)
    return found


def _cases(record: dict, station: str) -> list[Case]:
    shape, drops = record["geometry"], record["drops"]
    branches = shape.get("branches") or [shape]
    tree, ends, begins = _tree(branches)
    flow = np.array([record["flow_ml_min"] * b.get("flow_fraction", 1.0) for b in branches])
    order = [list(ends).index(k) for k in outlets(tree)]
    lesions = list(record["parameters"].get("lesions", []))
    forked = len(branches) > 1
    if forked:
        lesions = [dict(record["parameters"]["LAD_lesion"])]
        lesions[0]["start_mm"] += begins[1]
    cases = []
    for b, end in enumerate(ends):
        if end not in outlets(tree):
            continue
        key = station if len(branches) == 1 else f"{branches[b]['name']}_{station}"
        if key not in drops:
            continue
        cases.append(
            Case(
                record["id"] + (f" {branches[b]['name']}" if forked else ""),
                _group(record, forked),
                tree,
                flow[order],
                "plug" if "plug" in record["boundary"]["inlet"] else "developed",
                drops["station_up_mm"],
                drops[key]["station_mm"] + begins[b],
                int(end),
                drops[key]["dp_static_Pa"] / PA_PER_MMHG,
                tuple(
                    (x["start_mm"], x["start_mm"] + x["length_mm"])
                    for x in lesions
                    if x["diameter_stenosis"] > 0
                ),
            )
        )
    return cases


def _tree(branches: list[dict]) -> tuple[VesselTree, list[int], list[float]]:
    """Join the branches of a record; return each one's last point and its start's s."""
    points: list[np.ndarray] = []
    radius: list[float] = []
    parent: list[int] = []
    ends: list[int] = []
    begins: list[float] = []
    fork, trunk_mm = -1, 0.0
    for number, branch in enumerate(branches):
        s = np.asarray(branch["s_mm"], dtype=float)
        r = np.asarray(branch["r_mm"], dtype=float)
        at = branch.get("xyz_lumen_centre_mm") or branch.get("xyz_mm")
        place = np.asarray(at) if at else np.column_stack([s, 0 * s, 0 * s])
        if number == 0 and s[0] > 0:  # records start half a cell behind the inlet
            step = (place[1] - place[0]) / (s[1] - s[0])
            place = np.vstack([place[0] - step * s[0], place])
            r, s = np.append(r[0], r), np.append(0.0, s)
        begins.append(trunk_mm)
        last = fork
        for p, size in zip(place, r, strict=True):
            points.append(p)
            radius.append(float(size))
            parent.append(last)
            last = len(points) - 1
        ends.append(last)
        if number == 0 and len(branches) > 1:
            gap = -points[-1]  # the branches start at the origin
            trunk_mm = float(s[-1] + np.linalg.norm(gap))
            if np.linalg.norm(gap) > 1e-3:
                points.append(np.zeros(3))
                radius.append(radius[-1])
                parent.append(last)
            fork = len(points) - 1
            ends[0] = fork
    return VesselTree(np.array(points), np.array(radius), np.array(parent)), ends, begins


def _group(record: dict, forked: bool) -> str:
    if forked:
        return "bifurcation"
    if record["geometry"].get("eccentricity"):
        return "eccentric"
    if record["geometry"].get("bend"):
        return "bend"
    shapes = {
        lesion.get("shape", "cosine") for lesion in record["parameters"].get("lesions", [])
    }
    note = record.get("note", "")
    return "sharp" if shapes & set(SHARP) or "blunt" in note else "smooth"


Method = Callable[[Case], float]


def _solved(case: Case, solution: FlowSolution) -> float:
    """Static pressure drop of a case [mmHg], from the pressure at the tree's points."""
    way = path_to(case.tree, case.outlet)
    s = path_length_mm(case.tree)[way]
    up, down = np.interp([case.upstream_mm, case.distal_mm], s, solution.pressure_mmhg[way])
    return float(up - down)


def resolved(case: Case) -> float:
    """Our profile-resolved solver."""
    flow = case.outlet_flow_ml_min
    return _solved(
        case, prescribe_resolved(case.tree, PA_MMHG, flow, Blood(), case.inlet_profile)
    )


def lumped(case: Case) -> float:
    """Our lumped solver with its own closure, not calibrated."""
    flow = case.outlet_flow_ml_min
    return _solved(case, solve_prescribed(case.tree, PA_MMHG, flow, Blood(), borda_carnot))


def by_formula(formula: Callable[[Way, float, float, Blood], float], case: Case) -> float:
    """A closed formula on the way to the outlet that is read."""
    way = path_to(case.tree, case.outlet)
    flow = solve_prescribed(
        case.tree, PA_MMHG, case.outlet_flow_ml_min, Blood(), borda_carnot
    ).flow_ml_min[way]
    s = path_length_mm(case.tree)[way]
    line = Way(case.tree.points_mm[way], s, case.tree.radius_mm[way], flow, case.lesions_mm)
    return formula(line, case.upstream_mm, case.distal_mm, Blood())


METHODS: dict[str, Method] = {
    "profile-resolved (ours)": resolved,
    "lumped, Borda-Carnot (ours)": lumped,
    "Poiseuille": partial(by_formula, poiseuille_drop),
    "Poiseuille + 1.52 expansion": partial(by_formula, poiseuille_and_expansion),
    "Young-Tsai": partial(by_formula, young_tsai_drop),
    "Huo-Kassab": partial(by_formula, huo_kassab),
    "DLP": partial(by_formula, dlp),
}


def ffr_errors(cases: Sequence[Case], method: Method) -> Floats:
    """Return FFR as computed minus FFR of the 3D solution, Pa 93 mmHg, one per case."""
    return np.array([(case.drop_mmhg - method(case)) / PA_MMHG for case in cases])


def print_cases(cases: Sequence[Case], errors: dict[str, Floats]) -> None:
    """Print one row per case: the 3D drop and each method's error of FFR."""
    print("| case | group | 3D drop, mmHg | " + " | ".join(METHODS) + " |")
    print("|---" * (3 + len(METHODS)) + "|")
    for i, case in enumerate(cases):
        row = " | ".join(f"{errors[name][i]:+.4f}" for name in METHODS)
        print(f"| {case.name} | {case.group} | {case.drop_mmhg:.2f} | {row} |")


def print_summary(cases: Sequence[Case], errors: dict[str, Floats]) -> None:
    """Print mean absolute, 95th percentile and worst error per group and method."""
    mild = np.array([case.drop_mmhg < SEVERE_MMHG for case in cases])
    groups = {"all": mild}
    for name in dict.fromkeys(case.group for case in cases):
        groups[name] = mild & np.array([case.group == name for case in cases])
    print(f"\nError of FFR, cases below {SEVERE_MMHG:g} mmHg: mean absolute / 95 % / worst\n")
    print("| group | cases | " + " | ".join(METHODS) + " |")
    print("|---" * (2 + len(METHODS)) + "|")
    for group, chosen in groups.items():
        cells = []
        for name in METHODS:
            e = np.abs(errors[name][chosen])
            cells.append(f"{e.mean():.4f} / {np.quantile(e, 0.95):.4f} / {e.max():.4f}")
        print(f"| {group} | {chosen.sum()} | " + " | ".join(cells) + " |")


def draw(cases: Sequence[Case], errors: dict[str, Floats], path: Path) -> None:
    """Draw computed against 3D drops, ours beside the formulas."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 5), constrained_layout=True)
    true = np.array([case.drop_mmhg for case in cases])
    names = list(METHODS)
    for axis, shown in ((axes[0], names[:1]), (axes[1], names[2:])):
        axis.plot([0.3, 80], [0.3, 80], color="0.6", linewidth=1)
        for number, name in enumerate(shown):
            found = true - errors[name] * PA_MMHG
            axis.loglog(true, found, "o+x^sD"[number], label=name, fillstyle="none")
        axis.set(xlabel="3D Navier-Stokes drop, mmHg", ylabel="computed drop, mmHg")
        axis.set(xlim=(0.3, 80), ylim=(0.3, 300 if axis is axes[1] else 80))
        axis.legend(loc="lower right", frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Print both tables, draw the picture if asked."""
    parser = argparse.ArgumentParser(prog="python -m validation cfd", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of CFD records (JSON)")
    parser.add_argument("--at", default="5D", choices=["2D", "5D", "10D", "20D"])
    parser.add_argument("--picture", type=Path, help="file for computed against 3D drops")
    given = parser.parse_args()
    cases = read_cases(given.folder, given.at)
    if not cases:
        parser.exit(2, f"{parser.prog}: no CFD records with a station {given.at} there\n")
    errors = {name: ffr_errors(cases, method) for name, method in METHODS.items()}
    print(setting("python -m validation cfd", None, "no device"))
    print()
    print_cases(cases, errors)
    print_summary(cases, errors)
    began = time.perf_counter()
    for case in cases:
        resolved(case)
    print(f"\nprofile-resolved: {(time.perf_counter() - began) / len(cases):.3f} s per case")
    if given.picture:
        draw(cases, errors, given.picture)


if __name__ == "__main__":
    main()
