"""How fast are the pulsatile and network solvers beside svZeroDSolver, and a first `ffr solve`?

Run: python -m validation speed [--deck FILE] [--repeats N] [--no-cold-start]
svZeroDSolver: pip install 'ct-ffr[validation]'. Processor time unless it says otherwise.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ffr.first_run import stenosed_vessel
from meshes.arrays import AnyArray
from meshes.io import write_swc
from solvers.elastic.pulse import run_to_periodicity
from solvers.elastic.svoned import parse_svoned
from solvers.lumped.files import case, vessel_table
from solvers.lumped.simulate import simulated, steady_problem, steady_state
from validation.bench_stages import FFR
from validation.left_coronary import CYCLES, DECK, POINTS, lumped_deck
from validation.setting import setting

REPEATS = 15
STEADY_REPEATS = 4  # times as many: a steady solve takes a hundredth of the time
BATCH = 5  # steady calls in a row
STEPS = 30  # of svzerod's march to a steady start; a cycle of two points adds one
SETTLED_CYCLES = 7  # so many steps more, and svzerod is within EQUAL_PERCENT of that state
EQUAL_PERCENT = 1e-4  # of the largest value of each vessel: equal accuracy
COLUMNS = ("flow_in", "flow_out", "pressure_in", "pressure_out")
CELL_MM = 1.0  # of the 1D solver; with 0.5 and 2 mm the flow is the same to 0.002 %
WARM = ("-m", "ffr.first_run")  # what installation does


@dataclass(frozen=True, slots=True)
class Beside:
    """One line of the table: processor time of both, largest difference of the results."""

    what: str
    svzerod_ms: float
    ours_ms: float
    difference_percent: float


@dataclass(frozen=True, slots=True)
class Call:
    """A command in a process of its own: wall-clock and processor time."""

    elapsed_s: float
    processor_s: float


def side_by_side(
    them: Callable[[], object], us: Callable[[], object], repeats: int, batch: int = 1
) -> tuple[float, float]:
    """Return the median ms of two calls in turn, `batch` of each, so both see one machine.

    Without garbage collection in between, as `timeit` does. With a batch of 1 each call finds
    the processor's caches full of the other's work.
    """
    times = np.empty((repeats, 2))
    for call in (them, us):
        call()
    gc.collect()
    gc.disable()
    try:
        for k in range(repeats):
            for j, call in enumerate((them, us)):
                start = time.process_time()
                for _ in range(batch):
                    call()
                times[k, j] = (time.process_time() - start) * 1e3 / batch
    finally:
        gc.enable()
    first, second = np.median(times, axis=0)
    return float(first), float(second)


def lumped_rows(text: str, repeats: int) -> list[Beside]:
    """Compare steady and pulsatile 0D solves of a deck with svzerod's.

    The steady state is marched to by svzerod, with as many steps as are named, and solved
    for here: the difference is svzerod's. From dict: from the parsed configuration to flow
    and pressure of all vessels. Solve: the configuration read before (svzerod.Solver.run;
    here pivots, factors and march or Newton). Steady solves are timed five in a row, and one
    by one (caches cold).
    """
    import svzerod  # an extra of the validation

    rows = []
    for cycles in (1, SETTLED_CYCLES):
        deck = lumped_deck(text, True, cycles)
        what = f"steady 0D (svzerod: {STEPS + 1 + cycles} steps)"
        solve = partial(steady_state, steady_problem(case(deck)[0]))
        rows += _both(svzerod, what, deck, _steady, solve, STEADY_REPEATS * repeats, BATCH)
    deck = lumped_deck(text)
    what = f"pulsatile 0D, {CYCLES} cycles of {POINTS} points"
    return rows + _both(
        svzerod, what, deck, _pulsatile, partial(simulated, *case(deck)), repeats
    )


def _both(
    svzerod: Any, what: str, deck: dict[str, Any], whole: Callable[[dict[str, Any]], Any],
    solve: Callable[[], object], repeats: int, batch: int = 1,
) -> list[Beside]:  # fmt: skip
    gap = difference_percent(svzerod.simulate(deck), whole(deck), len(deck["vessels"]))
    wholes = (partial(svzerod.simulate, deck), partial(whole, deck))
    rows = [Beside(f"{what}, dict to table", *side_by_side(*wholes, repeats, batch), gap)]
    if batch > 1:
        cold = side_by_side(*wholes, repeats)
        rows.append(Beside(f"{what}, dict to table, caches cold", *cold, gap))
    alone = side_by_side(svzerod.Solver(deck).run, solve, repeats, batch)
    return [*rows, Beside(f"{what}, solve alone", *alone, gap)]


def _steady(deck: dict[str, Any]) -> dict[str, AnyArray]:
    network, _ = case(deck)
    return vessel_table(network, steady_state(network))


def _pulsatile(deck: dict[str, Any]) -> dict[str, AnyArray]:
    network, settings = case(deck)
    return vessel_table(network, simulated(network, settings))


def difference_percent(reference: Any, ours: dict[str, AnyArray], vessels: int) -> float:
    """Return the largest difference of any column of a vessel, of its largest value."""
    theirs = np.array([reference[name] for name in COLUMNS]).reshape(4, vessels, -1)
    here = np.array([ours[name] for name in COLUMNS]).reshape(4, vessels, -1)
    theirs = theirs[:, :, -here.shape[2] :]
    gap = np.abs(here - theirs).max(axis=2) / np.abs(theirs).max(axis=2)
    return float(100.0 * gap.max())


def elastic_row(text: str, repeats: int) -> str:
    """Say what the pulsatile 1D solve of a deck takes, from its text to periodicity."""

    def solve() -> tuple[Any, Any]:
        deck = parse_svoned(text, venous_factor=-1.0)  # as svOneDSolver has it
        found = run_to_periodicity(
            deck.network, deck.blood, deck.period_s, deck.inlet, cell_mm=CELL_MM,
            least_cell_mm=CELL_MM / 2,
        )  # fmt: skip
        return deck, found

    deck, found = solve()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        solve()
        times.append(time.process_time() - start)
    took, simulated_s = float(np.median(times)), found.cycles * deck.period_s
    cells = sum(x.size - 2 for x in found.position_mm)
    return (
        f"| pulsatile 1D, {deck.segments} segments, {cells} cells, {found.cycles} cycles to a "
        f"change of {found.change_percent:.2g} % | {took:.2f} | {simulated_s:g} s of flow, "
        f"{simulated_s / took:.1f} times as long |"
    )


def first_call(tree: Path, cache: Path | None) -> Call:
    """Run `ffr solve` on one vessel in a fresh process, kernels kept in `cache` if given."""
    kept = {} if cache is None else {"NUMBA_CACHE_DIR": str(cache)}
    return _run([*FFR, "solve", str(tree), "--flow-ml-min", "150"], kept)


def _run(command: Sequence[str], more: dict[str, str]) -> Call:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env={**os.environ, **more}, check=True, capture_output=True)
    elapsed, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Call(elapsed, used)


def cold_rows(repeats: int) -> list[str]:
    """Say what a first `ffr solve` takes, with and without the kernels installation leaves."""
    _run([sys.executable, *WARM], {})
    kept, empty = [], []
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "vessel.swc"
        write_swc(tree, stenosed_vessel())
        for k in range(repeats):
            cache = Path(name) / str(k)
            cache.mkdir()
            kept.append(first_call(tree, None))
            empty.append(first_call(tree, cache))
    return [
        _cold("kernels as installation leaves them", kept), _cold("no kernel compiled", empty)
    ]  # fmt: skip


def _cold(what: str, calls: Sequence[Call]) -> str:
    processor, elapsed = (
        float(np.median([getattr(call, name) for call in calls]))
        for name in ("processor_s", "elapsed_s")
    )
    return (
        f"| `ffr solve`, one vessel, fresh process, {what} | {processor:.1f} "
        f"| {elapsed:.1f} s on the clock |"
    )


def table(rows: Sequence[Beside]) -> str:
    """Return the comparison as markdown."""
    lines = [
        "| | svzerod 3.2, ms | ct-ffr, ms | ratio | largest difference, % |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.what} | {r.svzerod_ms:.2f} | {r.ours_ms:.2f} "
        f"| {r.svzerod_ms / r.ours_ms:.1f} | {r.difference_percent:.1e} |"
        for r in rows
    ]
    return "\n".join(lines)


def verdict(rows: Sequence[Beside]) -> str:
    """Say whether the results are equal, svzerod settled where it marches to a steady state."""
    worst = max(r.difference_percent for r in rows if f" {STEPS + 2} steps" not in r.what)
    return (
        f"Equal accuracy (at most {EQUAL_PERCENT:g} % apart, svzerod settled): "
        f"{'yes' if worst <= EQUAL_PERCENT else 'NO'}, {worst:.1e} %."
    )


def _refuse(message: str) -> NoReturn:
    print(f"speed: {message}", file=sys.stderr)
    sys.exit(2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print; exit code 1 if results differ, 2 if svzerod is missing."""
    parser = argparse.ArgumentParser(prog="python -m validation speed", description=__doc__)
    parser.add_argument("--deck", type=Path, default=Path("../shared/data") / DECK)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--no-cold-start", action="store_true", help="0D and 1D only")
    given = parser.parse_args(arguments)
    if not given.deck.is_file():
        _refuse("the deck is not there; give svOneDSolver's left coronary one by --deck")
    text = given.deck.read_text(encoding="utf-8")
    load = os.getloadavg()[0]
    try:
        rows = lumped_rows(text, given.repeats)
    except ImportError:
        _refuse("svzerod is missing; install it by pip install 'ct-ffr[validation]'")
    other = max(1, given.repeats // 5)
    lines = [elastic_row(text, other)]
    lines += [] if given.no_cold_start else cold_rows(other)
    print(setting("python -m validation speed", arguments, "cpu"))
    print(f"Load average {load:.1f} before, {os.getloadavg()[0]:.1f} after. {verdict(rows)}\n")
    print(table(rows))
    print("\n| | processor time, s | |\n|---|---|---|")
    print("\n".join(lines))
    if "NO" in verdict(rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
