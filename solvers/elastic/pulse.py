"""Which pressures and flows does a network settle into, heart beat after heart beat?"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from meshes.arrays import Floats, floats
from solvers.blood import Blood
from solvers.elastic.grid import Grid, cut, periodic_table
from solvers.elastic.network import ElasticNetwork
from solvers.errors import ConvergenceError
from solvers.kernels import elastic as kernels
from solvers.units import M3_S_PER_ML_MIN, PA_PER_MMHG, PA_S_M3_PER_MMHG_MIN_ML

log = logging.getLogger(__name__)

CELL_MM = 1.0
LEAST_CELL_MM = 0.5
COURANT = 0.9
SAMPLES = 200  # per cycle
TOLERANCE_PERCENT = 0.1
MOST_CYCLES = 40
TROUBLE = {
    kernels.FASTER_THAN_WAVES: "the blood outruns the pressure waves or the lumen collapses",
    kernels.NO_JUNCTION: "a junction finds no common pressure",
}


@dataclass(frozen=True, slots=True, eq=False)
class Inlet:
    """What enters the network over one cycle: a pressure or a flow, linear between points.

    Give one of the two. The waveform repeats; it may end at the period or just before.
    """

    time_s: Floats
    pressure_mmhg: Floats | None = None
    flow_ml_min: Floats | None = None

    def __post_init__(self) -> None:
        if (self.pressure_mmhg is None) == (self.flow_ml_min is None):
            message = "an inlet needs either pressure_mmhg or flow_ml_min"
            raise ValueError(message)
        for name in ("time_s", "pressure_mmhg", "flow_ml_min"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, floats(getattr(self, name)))
        values = self.flow_ml_min if self.pressure_mmhg is None else self.pressure_mmhg
        if values is None or values.shape != self.time_s.shape or values.size < 1:
            message = "the inlet's waveform must have one value per time"
            raise ValueError(message)
        if not np.all(np.isfinite(values)) or np.any(np.diff(self.time_s) <= 0):
            message = "the inlet's waveform must be finite and its times must rise"
            raise ValueError(message)


@dataclass(frozen=True, slots=True, eq=False)
class PulsatileSolution:
    """Pressure and flow of every vessel over one cycle.

    Parameters
    ----------
    time_s
        From the start of the cycle, the end included, shape (t,).
    position_mm, pressure_mmhg, flow_ml_min
        One array per vessel: both ends and the middles of the cells, (k,); (t, k); (t, k).
    entered_ml, left_ml, stored_ml
        Volumes over the cycle: through the inlet; through all outlets; gained by the vessels.
    cycles
        Cycles computed until the last two agreed.
    change_percent
        Largest difference between the last two cycles: of pressure as share of the largest
        pressure, of flow as share of the largest flow of its vessel or a tenth of the inlet's.
    steps
        Time steps of the last cycle.
    """

    time_s: Floats
    position_mm: tuple[Floats, ...]
    pressure_mmhg: tuple[Floats, ...]
    flow_ml_min: tuple[Floats, ...]
    entered_ml: float
    left_ml: float
    stored_ml: float
    cycles: int
    change_percent: float
    steps: int


@dataclass(slots=True)
class _State:
    """What the kernels change in place; never leaves this module."""

    p: np.ndarray
    q: np.ndarray
    a: np.ndarray
    bed: np.ndarray


def run_to_periodicity(
    network: ElasticNetwork,
    blood: Blood,
    period_s: float,
    inlet: Inlet,
    cell_mm: float = CELL_MM,
    least_cell_mm: float = LEAST_CELL_MM,
    samples: int = SAMPLES,
    tolerance_percent: float = TOLERANCE_PERCENT,
    most_cycles: int = MOST_CYCLES,
    initial_pressure_mmhg: float | None = None,
    least_cycles: int = 2,
    courant: float = COURANT,
) -> PulsatileSolution:
    """Repeat the cycle until two cycles agree everywhere.

    Starts from rest at the mean pressure that the beds and the inlet imply. After every
    third cycle the charge of the beds, which remembers longest, is extrapolated (Aitken).
    Periodic is a cycle that equals the one before and ends as it began.

    Parameters
    ----------
    network, blood, period_s, inlet
        What flows where, how often, how much.
    cell_mm, least_cell_mm
        Longest cell; cells of short vessels are stretched to the least (see `grid.cut`).
    samples
        Moments per cycle at which the waves are returned and compared.
    tolerance_percent
        Of `PulsatileSolution.change_percent`.
    most_cycles, least_cycles
        When to give up; how many to run even if they agree.
    initial_pressure_mmhg
        Where to start instead.
    courant
        Share of the longest stable step, below 1.

    Raises
    ------
    ConvergenceError
        Not periodic after `most_cycles` (names the vessel and the place that changes most),
        blood faster than the pressure waves, a collapsed lumen.
    """
    grid = cut(network, blood, period_s, cell_mm, least_cell_mm)
    kind, table = _inlet_table(inlet, period_s)
    state = _at_rest(grid, kind, table, initial_pressure_mmhg)
    times = np.linspace(0.0, period_s, samples + 1)
    before: tuple[np.ndarray, np.ndarray] | None = None
    charges: list[np.ndarray] = [state.bed.copy()]
    change, worst = np.inf, "the start"
    for cycle in range(1, most_cycles + 1):
        volume = _volume(grid, state)
        start = (state.p.copy(), state.q.copy())
        p, q, passed, steps = _one_cycle(
            network, grid, blood, times, kind, table, state, courant
        )
        if before is not None:
            ends = (np.vstack([p[-1:], before[0]]), np.vstack([q[-1:], before[1]]))
            now = (np.vstack([start[0], p]), np.vstack([start[1], q]))
            change, worst = _change(network, grid, ends, now)
            log.debug("cycle %d: %.3g %% at %s", cycle, change, worst)
            if change <= tolerance_percent and cycle >= least_cycles:
                stored = _volume(grid, state) - volume
                return _solution(
                    network,
                    grid,
                    times,
                    start,
                    (p, q),
                    (passed, stored),
                    (cycle, change, steps),
                )
        before = (p, q)
        charges.append(state.bed.copy())
        if len(charges) == 4:
            _extrapolate(grid, state, charges)
            charges = [state.bed.copy()]
    message = (
        f"no periodic state after {most_cycles} cycles: {worst} still changes by "
        f"{change:.2g} %, allowed are {tolerance_percent:g} %"
    )
    raise ConvergenceError(message)


def _inlet_table(inlet: Inlet, period_s: float) -> tuple[int, Floats]:
    if inlet.pressure_mmhg is not None:
        values, unit, kind = inlet.pressure_mmhg, PA_PER_MMHG, kernels.INLET_PRESSURE
    else:
        values, unit, kind = inlet.flow_ml_min, M3_S_PER_ML_MIN, kernels.INLET_FLOW  # type: ignore[assignment]
    return kind, unit * periodic_table(inlet.time_s, values, period_s)


def _at_rest(grid: Grid, kind: int, table: Floats, start_mmhg: float | None) -> _State:
    """Blood at rest, beds charged as the mean pressure would charge them."""
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
    return _State(p, np.zeros(n), _area(grid, p), bed)


def _area(grid: Grid, p: np.ndarray) -> np.ndarray:
    count = np.diff(grid.first)
    over = p - np.repeat(grid.vessels[:, kernels.REFERENCE], count)
    a0, k = grid.cells[kernels.A0], grid.cells[kernels.STIFFNESS]
    soft = np.repeat(grid.law, count) == kernels.BETA
    return np.asarray(np.where(soft, a0 * (1.0 + over / k) ** 2, a0 / (1.0 - over / k) ** 2))


def _volume(grid: Grid, state: _State) -> float:
    dx = np.repeat(grid.vessels[:, kernels.DX], np.diff(grid.first))
    return float(np.sum(state.a * dx))


def _one_cycle(
    network: ElasticNetwork,
    grid: Grid,
    blood: Blood,
    times: Floats,
    kind: int,
    table: Floats,
    state: _State,
    courant: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    shape = (times.size - 1, state.p.size)
    p, q = np.zeros(shape), np.zeros(shape)
    passed = np.zeros(grid.outlet_vessel.size + 1)
    steps, trouble, when = kernels.march(
        times, courant, blood.density_kg_m3, grid.first, grid.law, grid.vessels, grid.cells,
        grid.faces, grid.junction, grid.member, grid.side, float(times[-1]), grid.inlet_vessel,
        kind, table, grid.outlet_vessel, grid.bed_kind, grid.bed_value, grid.muscle, state.bed,
        state.a, state.q, state.p, p, q, passed,
    )  # fmt: skip
    if trouble != kernels.DONE or not np.all(np.isfinite(p)):
        speed = np.abs(state.q) / state.a
        worst = int(np.argmax(np.where(np.isfinite(speed), speed, np.inf)))
        reason = TROUBLE.get(trouble, "the pressures are not finite")
        message = f"{reason}: {_place(network, grid, worst)}, {when:.4g} s into the cycle"
        raise ConvergenceError(message)
    return p, q, passed, int(steps)


def _place(network: ElasticNetwork, grid: Grid, cell: int) -> str:
    v = int(np.searchsorted(grid.first, cell, side="right")) - 1
    x = (cell - grid.first[v] + 0.5) / (grid.first[v + 1] - grid.first[v])
    vessel = network.vessels[v]
    return f"vessel {vessel.name} at {x * vessel.length_mm:.3g} mm"


def _change(
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
    return float(change[worst]), _place(network, grid, worst)


def _extrapolate(grid: Grid, state: _State, charges: list[np.ndarray]) -> None:
    """Move the beds' charge to where a geometric series would take it, and the vessels along."""
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
    state.bed += jump
    state.p += float(jump[used[:, 0], 0].mean())
    state.a[:] = _area(grid, state.p)


def _solution(
    network: ElasticNetwork,
    grid: Grid,
    times: Floats,
    start: tuple[np.ndarray, np.ndarray],
    waves: tuple[np.ndarray, np.ndarray],
    volumes: tuple[np.ndarray, float],
    told: tuple[int, float, int],
) -> PulsatileSolution:
    p = np.vstack([start[0], waves[0]]) / PA_PER_MMHG
    q = np.vstack([start[1], waves[1]]) / M3_S_PER_ML_MIN
    place, pressures, flows = [], [], []
    for v, vessel in enumerate(network.vessels):
        own = slice(int(grid.first[v]), int(grid.first[v + 1]))
        n = own.stop - own.start
        middle = (np.arange(n) + 0.5) * vessel.length_mm / n
        place.append(floats(np.concatenate([[0.0], middle, [vessel.length_mm]])))
        pressures.append(floats(_with_ends(p[:, own])))
        flows.append(floats(_with_ends(q[:, own])))
    passed, stored = volumes
    return PulsatileSolution(
        floats(times), tuple(place), tuple(pressures), tuple(flows),
        float(passed[0] * 1e6), float(passed[1:].sum() * 1e6), stored * 1e6,
        told[0], told[1], told[2],
    )  # fmt: skip


def _with_ends(values: np.ndarray) -> np.ndarray:
    first = 1.5 * values[:, :1] - 0.5 * values[:, 1:2]
    last = 1.5 * values[:, -1:] - 0.5 * values[:, -2:-1]
    return np.hstack([first, values, last])
