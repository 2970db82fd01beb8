"""How does one heart beat go by, and does it equal the one before? Used by `pulse` only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.arrays import Floats
from solvers.blood import Blood
from solvers.elastic.grid import Grid
from solvers.elastic.network import ElasticNetwork
from solvers.errors import ConvergenceError
from solvers.kernels import elastic as kernels
from solvers.units import PA_PER_MMHG

TROUBLE = {
    kernels.FASTER_THAN_WAVES: "the blood outruns the pressure waves or the lumen collapses",
    kernels.NO_JUNCTION: "a junction finds no common pressure",
}


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What the kernels change in place; never leaves this module."""

    p: np.ndarray
    q: np.ndarray
    a: np.ndarray
    bed: np.ndarray
    shift: np.ndarray


def at_rest(grid: Grid, kind: int, table: Floats, start_mmhg: float | None) -> State:
    """Return blood at rest, beds charged as the mean pressure would charge them."""
    conductance = 1.0 / grid.rest_resistance
    mean = float(table.mean())
    if kind == kernels.INLET_FLOW:
        back = float(np.sum(conductance * grid.rest_behind))
        total = float(conductance.sum())
        mean = (mean + back) / total if total > 0 else float(grid.vessels[0, kernels.REFERENCE])
    if start_mmhg is not None:
        mean = start_mmhg * PA_PER_MMHG
    n = int(grid.first[-1])
    p = np.full(n, mean)
    flow = (mean - grid.rest_behind) * conductance
    bed = np.zeros((grid.outlet_vessel.size, 2))
    bed[:, 0] = mean - flow * grid.bed_value[:, 0]
    bed[:, 1] = bed[:, 0] - flow * grid.bed_value[:, 2]
    return State(p, np.zeros(n), areas(grid, p), bed, np.zeros(n))


def areas(grid: Grid, p: np.ndarray) -> np.ndarray:
    """Return the lumen areas of the cells at pressure p, m2."""
    count = np.diff(grid.first)
    over = p - np.repeat(grid.vessels[:, kernels.REFERENCE], count)
    a0, k = grid.cells[kernels.A0], grid.cells[kernels.STIFFNESS]
    soft = np.repeat(grid.law, count) == kernels.BETA
    return np.asarray(np.where(soft, a0 * (1.0 + over / k) ** 2, a0 / (1.0 - over / k) ** 2))


def volume_of(grid: Grid, state: State) -> float:
    """Return the volume of all vessels, m3."""
    dx = np.repeat(grid.vessels[:, kernels.DX], np.diff(grid.first))
    return float(np.sum(state.a * dx))


def one_cycle(
    network: ElasticNetwork,
    grid: Grid,
    blood: Blood,
    times: Floats,
    kind: int,
    table: Floats,
    state: State,
    courant: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """March over `times`; return p, q at each, the volumes that passed and the steps taken.

    Raises
    ------
    ConvergenceError
        Blood faster than the waves, a collapsed lumen, a junction without solution.
    """
    shape = (times.size - 1, state.p.size)
    p, q = np.zeros(shape), np.zeros(shape)
    passed = np.zeros(grid.outlet_vessel.size + 1)
    steps, trouble, when = kernels.march(
        times, courant, blood.density_kg_m3, grid.first, grid.law, grid.vessels, grid.cells,
        grid.faces, grid.junction, grid.member, grid.side, float(times[-1]), grid.inlet_vessel,
        kind, table, grid.outlet_vessel, grid.bed_kind, grid.bed_value, grid.muscle, state.bed,
        state.a, state.q, state.p, state.shift, p, q, passed,
    )  # fmt: skip
    if trouble != kernels.DONE or not np.all(np.isfinite(p)):
        speed = np.abs(state.q) / state.a
        worst = int(np.argmax(np.where(np.isfinite(speed), speed, np.inf)))
        reason = TROUBLE.get(trouble, "the pressures are not finite")
        message = f"{reason}: {place_of(network, grid, worst)}, {when:.4g} s into the cycle"
        raise ConvergenceError(message)
    return p, q, passed, int(steps)


def place_of(network: ElasticNetwork, grid: Grid, cell: int) -> str:
    """Tell in words where a cell is."""
    v = int(np.searchsorted(grid.first, cell, side="right")) - 1
    x = (cell - grid.first[v] + 0.5) / (grid.first[v + 1] - grid.first[v])
    vessel = network.vessels[v]
    return f"vessel {vessel.name} at {x * vessel.length_mm:.3g} mm"


def change_percent(
    network: ElasticNetwork,
    grid: Grid,
    old: tuple[np.ndarray, np.ndarray],
    new: tuple[np.ndarray, np.ndarray],
) -> tuple[float, str]:
    """Return the largest change between cycles in percent, and where it is."""
    dp = np.abs(new[0] - old[0]).max(axis=0) / np.abs(new[0]).max()
    largest = np.abs(new[1]).max(axis=0)
    enough = 0.1 * largest[grid.first[grid.inlet_vessel]]
    own = np.maximum.reduceat(largest, grid.first[:-1])
    size = np.maximum(np.repeat(own, np.diff(grid.first)), max(enough, 1e-30))
    change = 100.0 * np.maximum(dp, np.abs(new[1] - old[1]).max(axis=0) / size)
    worst = int(np.argmax(change))
    return float(change[worst]), place_of(network, grid, worst)


def extrapolate(grid: Grid, state: State, charges: list[np.ndarray]) -> None:
    """Move the beds' charge to the limit of a geometric series, and the vessels along."""
    last, move = charges[-1], charges[-1] - charges[-2]
    bend = move - (charges[-2] - charges[-3])
    used = np.zeros(last.shape, dtype=bool)
    used[:, 0] = grid.bed_kind >= kernels.WINDKESSEL
    used[:, 1] = grid.bed_kind == kernels.CORONARY
    used[grid.bed_kind == kernels.REFLECTION] = False
    weight = float(np.sum(move[used] * bend[used]))
    size = float(np.sum(bend[used] ** 2))
    if size <= 0.0:
        return
    ratio = 1.0 + size / weight if weight != 0 else 0.0  # move_k+1 = ratio move_k
    if not 0.0 < ratio < 0.95:
        return
    jump = np.where(used, move * ratio / (1.0 - ratio), 0.0)
    state.bed[:] += jump
    state.p[:] += float(jump[used[:, 0], 0].mean())
    state.a[:] = areas(grid, state.p)
