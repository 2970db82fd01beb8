"""How long steady solves take, and how near the lumped one comes to 3D flow: three tables.

Run: python -m validation.bench_steady [FOLDER_OF_CFD_RECORDS]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ffr import pipeline
from ffr.circulation.patient import Patient
from ffr.phantom.patient import virtual_patient
from ffr.segmentation.samples import HELD_OUT_SEEDS
from meshes.tree import VesselTree, outlets
from solvers.blood import Blood
from solvers.losses import Closure, borda_carnot, poiseuille
from solvers.solution import FlowSolution
from solvers.steady import solve_prescribed, solve_steady
from solvers.units import PA_PER_MMHG

REPEATS = 101
PATIENTS, BURDEN = 50, 3.0  # virtual hearts and their mean number of stenoses
FIRST_SEED = HELD_OUT_SEEDS + 400
STATIONS = ("2D", "5D", "10D", "20D")
CLOSURES: dict[str, Closure] = {
    "Borda-Carnot (default)": borda_carnot,
    "Borda-Carnot, K 1.52": partial(borda_carnot, expansion_coefficient=1.52),
    "Poiseuille": poiseuille,
}


def branching(points: int, sections: int) -> VesselTree:
    """Return a tree of equal unbranched sections in random arrangement, radii by Murray."""
    rng = np.random.default_rng(0)
    each = max(points // sections, 2)
    places, parent, radius = [np.zeros((1, 3))], [np.array([-1])], [np.array([2.0])]
    tips, size = [(0, np.zeros(3), 2.0)], 1
    while size + each <= points + 1:
        root, start, r = tips.pop(0)
        for _ in range(2 if root else 1):
            step = rng.normal(size=3)
            step *= 20.0 / each / np.linalg.norm(step)
            places.append(start + np.arange(1, each + 1)[:, None] * step)
            parent.append(np.concatenate([[root], np.arange(size, size + each - 1)]))
            child = r / 2 ** (1 / 3) if root else r
            radius.append(np.full(each, child))
            size += each
            tips.append((size - 1, places[-1][-1], child))
    return VesselTree(np.vstack(places), np.concatenate(radius), np.concatenate(parent))


def milliseconds(job: Callable[[], object]) -> tuple[float, float]:
    """Return the median and the spread (half the central 80 %) of warm runs, processor time."""
    job()
    times = []
    for _ in range(REPEATS):
        began = time.process_time()
        job()
        times.append(1e3 * (time.process_time() - began))
    low, middle, high = np.quantile(times, [0.1, 0.5, 0.9])
    return float(middle), float(high - low) / 2


def print_times() -> None:
    """Print the time of a warm solve with outlet resistances, closure included and apart."""
    print("| trees | points | outlets | closure + solve, ms | solve alone, ms | Newton steps |")
    print("|---|---|---|---|---|---|")
    for points, sections in ((2, 1), (200, 1), (2_000, 11), (20_000, 41), (100_000, 101)):
        print_time([branching(points, sections)])
    print_time(2 * [branching(1_000, 7)])


def print_time(trees: Sequence[VesselTree]) -> None:
    """Print one row: all trees one after the other."""
    blood = Blood()
    beds = [np.full(outlets(tree).size, 0.3 * outlets(tree).size) for tree in trees]
    made = [borda_carnot(tree, blood) for tree in trees]

    def whole() -> list[FlowSolution]:
        both = zip(trees, beds, strict=True)
        return [solve_steady(tree, 93.0, bed, 5.0, blood) for tree, bed in both]

    def alone() -> None:
        for tree, bed, one in zip(trees, beds, made, strict=True):
            solve_steady(tree, 93.0, bed, 5.0, blood, closure=lambda *_, one=one: one)

    all_of_it, rest = milliseconds(whole), milliseconds(alone)
    print(
        f"| {len(trees)} | {sum(map(len, trees))} | {sum(bed.size for bed in beds)} "
        f"| {all_of_it[0]:.2f} ± {all_of_it[1]:.2f} | {rest[0]:.2f} ± {rest[1]:.2f} "
        f"| {max(one.iterations for one in whole())} |"
    )


def print_resolved_times(patients: int = PATIENTS) -> None:
    """Print how long both trees of virtual patients take, every velocity profile resolved."""
    seconds = []
    for seed in range(FIRST_SEED - 1, FIRST_SEED + patients):
        patient = virtual_patient(seed, BURDEN)
        trees = (patient.left, patient.right)
        began = time.process_time()
        pipeline.solve(trees, Patient(), None)
        seconds.append(time.process_time() - began)
    warm = np.array(seconds[1:])  # the first compiles
    print("\n| resolved, both trees | patients | mean, s | median | 95 % | worst |")
    print("|---|---|---|---|---|---|")
    low, high = np.quantile(warm, [0.5, 0.95])
    print(
        f"| processor time | {warm.size} | {warm.mean():.2f} | {low:.2f} | {high:.2f} "
        f"| {warm.max():.2f} |"
    )


def ffr_errors(folder: Path, closure: Closure, station: str) -> np.ndarray:
    """Return the error of FFR (Pa 93 mmHg) at a station, one per tube of the folder."""
    errors = []
    for path in sorted(folder.glob("*.json")):
        case = json.loads(path.read_text())
        shape = case["geometry"]
        shape = shape if "s_mm" in shape else shape["branches"][0]
        if shape.get("name") == "LM":
            continue
        s = np.asarray(shape["s_mm"])
        target = case["drops"][station]
        if target["station_mm"] > s[-1]:
            continue
        tree = VesselTree(
            np.column_stack([s, 0 * s, 0 * s]), shape["r_mm"], np.arange(s.size) - 1
        )
        solved = solve_prescribed(tree, 93.0, [case["flow_ml_min"]], Blood(), closure)
        ends = [case["drops"]["station_up_mm"], target["station_mm"]]
        up, down = np.interp(ends, s, solved.pressure_mmhg)
        errors.append((target["dp_static_Pa"] / PA_PER_MMHG - (up - down)) / 93.0)
    return np.array(errors)


def print_accuracy(folder: Path) -> None:
    """Print mean, SD, mean absolute and largest error of FFR against 3D flow."""
    print("| closure | station | cases | mean | SD | mean abs | max abs |")
    print("|---|---|---|---|---|---|---|")
    for name, closure in CLOSURES.items():
        for station in STATIONS:
            e = ffr_errors(folder, closure, station)
            print(
                f"| {name} | {station} | {e.size} | {e.mean():+.3f} | {e.std(ddof=1):.3f} "
                f"| {np.abs(e).mean():.3f} | {np.abs(e).max():.3f} |"
            )


if __name__ == "__main__":
    print_times()
    print_resolved_times()
    if len(sys.argv) > 1:
        print_accuracy(Path(sys.argv[1]))
