"""Which pressures and flows does a network settle into, heart beat after heart beat?"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from meshes.arrays import Floats, floats
from solvers.blood import Blood
from solvers.elastic.beat import (
    at_rest,
    change_percent,
    extrapolate,
    one_cycle,
    volume_of,
)
from solvers.elastic.grid import Grid, cut
from solvers.elastic.inlet import Inlet, inlet_table
from solvers.elastic.network import ElasticNetwork
from solvers.errors import ConvergenceError
from solvers.units import M3_S_PER_ML_MIN, PA_PER_MMHG

log = logging.getLogger(__name__)

CELL_MM = 1.0
LEAST_CELL_MM = 0.5
COURANT = 0.9
SAMPLES = 200  # per cycle
TOLERANCE_PERCENT = 0.1
MOST_CYCLES = 40


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
    kind, table = inlet_table(inlet, period_s)
    state = at_rest(grid, kind, table, initial_pressure_mmhg)
    times = np.linspace(0.0, period_s, samples + 1)
    before: tuple[np.ndarray, np.ndarray] | None = None
    charges: list[np.ndarray] = [state.bed.copy()]
    change, worst = np.inf, "the start"
    for cycle in range(1, most_cycles + 1):
        volume = volume_of(grid, state)
        start = (state.p.copy(), state.q + state.shift)
        p, q, passed, steps = one_cycle(
            network, grid, blood, times, kind, table, state, courant
        )
        if before is not None:
            ends = (np.vstack([p[-1:], before[0]]), np.vstack([q[-1:], before[1]]))
            now = (np.vstack([start[0], p]), np.vstack([start[1], q]))
            change, worst = change_percent(network, grid, ends, now)
            log.debug("cycle %d: %.3g %% at %s", cycle, change, worst)
            if change <= tolerance_percent and cycle >= least_cycles:
                stored = volume_of(grid, state) - volume
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
            extrapolate(grid, state, charges)
            charges = [state.bed.copy()]
    message = (
        f"no periodic state after {most_cycles} cycles: {worst} still changes by "
        f"{change:.2g} %, allowed are {tolerance_percent:g} %"
    )
    raise ConvergenceError(message)


def run_cycles(
    network: ElasticNetwork,
    blood: Blood,
    period_s: float,
    inlet: Inlet,
    cycles: int = 1,
    cell_mm: float = CELL_MM,
    least_cell_mm: float = LEAST_CELL_MM,
    samples: int = SAMPLES,
    initial_pressure_mmhg: float | None = None,
    courant: float = COURANT,
) -> PulsatileSolution:
    """Run a given number of cycles from rest and return the last, periodic or not.

    Parameters and errors as in `run_to_periodicity`; `change_percent` is not a number.
    """
    grid = cut(network, blood, period_s, cell_mm, least_cell_mm)
    kind, table = inlet_table(inlet, period_s)
    state = at_rest(grid, kind, table, initial_pressure_mmhg)
    times = np.linspace(0.0, period_s, samples + 1)
    for _ in range(cycles):
        volume, start = volume_of(grid, state), (state.p.copy(), state.q + state.shift)
        p, q, passed, steps = one_cycle(
            network, grid, blood, times, kind, table, state, courant
        )
    volumes = (passed, volume_of(grid, state) - volume)
    return _solution(network, grid, times, start, (p, q), volumes, (cycles, np.nan, steps))


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
