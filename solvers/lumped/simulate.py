"""How pressure and flow of a lumped network change over cardiac cycles."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from meshes.arrays import Floats, floats
from solvers.errors import ConvergenceError, NetworkError
from solvers.kernels.lumped import DONE, SINGULAR, System, march, rest_state
from solvers.lumped.assemble import (
    Layout,
    assembled,
    bed_memory,
    caps,
    cycle_length_s,
    has_endless_signal,
    laid_out,
    variable_names,
)
from solvers.lumped.network import LumpedSolution, Network, Settings
from solvers.lumped.stamps import Clock

log = logging.getLogger(__name__)

STEADY_STEPS, STEADY_PER_CYCLE = 31, 10  # of the steady start, as in svZeroDSolver
MOST_CYCLES = 1000


def simulated(network: Network, settings: Settings | None = None) -> LumpedSolution:
    """March a network through cardiac cycles.

    Generalised-alpha steps with Newton, as svZeroDSolver takes them, so that the same file
    gives the same numbers.

    Raises
    ------
    NetworkError
        A network that cannot be solved as described.
    ConvergenceError
        A time step, or the periodic state, was not reached; names variable and time.
    """
    settings = settings or Settings()
    naming = partial(variable_names, network)
    run, steps, cycles = _started(network, settings)
    layout, dt = run.layout, run.dt
    watch = settings.cycle_error_percent is not None
    back = 1 if not watch else min(2, cycles)
    first = 0 if settings.all_cycles else (cycles - back) * steps
    values, rates = run.advance(steps * cycles, first, settings.every)
    if watch and not _has_windkessel(network):
        values, rates = _until_periodic(run, layout, cycles, values, rates)
    if not settings.all_cycles and watch:
        keep = steps // settings.every + 1
        values, rates = values[-keep:], rates[-keep:]
    time = floats(np.arange(len(values)) * (dt * settings.every))
    return LumpedSolution(time, values, rates, naming, run.steps // steps, run.newton)


@dataclass(frozen=True, slots=True, eq=False)
class SteadyProblem:
    """A network and its equations at the means of all boundary values."""

    network: Network
    layout: Layout
    system: System


def steady_problem(network: Network) -> SteadyProblem:
    """Assemble what `steady_state` solves, to solve it more than once.

    Raises
    ------
    NetworkError
        A network that cannot be solved as described.
    """
    layout = laid_out(network)
    clock = Clock(np.zeros(1), 1.0, steady=True)
    return SteadyProblem(network, layout, assembled(network, layout, clock))


def steady_state(
    network: Network | SteadyProblem, tolerance: float = 1e-9, newton_steps: int = 50
) -> LumpedSolution:
    """Solve for the state in which nothing changes, at the means of all boundary values.

    Newton on F y + c(y) = 0; no time steps.

    Raises
    ------
    NetworkError
        A network that cannot be solved as described.
    ConvergenceError
        There is no such state (a chamber that only fills), or it was not found.
    """
    problem = steady_problem(network) if isinstance(network, Network) else network
    y = np.zeros(problem.layout.size)
    code, _, newton, where, worst = rest_state(problem.system, y, tolerance, newton_steps)
    if code != DONE:
        what = (problem.network, problem.layout, code, where, worst)
        raise ConvergenceError(_trouble(*what, "in steady state"))
    naming = partial(variable_names, problem.network)
    return LumpedSolution(np.zeros(1), y[None], np.zeros((1, y.size)), naming, 0, newton)


class Beats:
    """A network that goes on from cycle to cycle.

    Raises
    ------
    NetworkError
        A network that cannot be solved as described.
    ConvergenceError
        The steady start was not reached.
    """

    def __init__(self, network: Network, settings: Settings) -> None:
        self._run, self._steps, _ = _started(network, settings)
        self._network = network

    def next(self) -> tuple[np.ndarray, np.ndarray]:
        """March one cycle on; return states and rates at its points, both ends included."""
        return self._run.advance(self._steps, 0, 1)

    @property
    def cycles(self) -> int:
        """How many cycles have been marched."""
        return self._run.steps // self._steps

    def name(self, variable: int) -> str:
        """Return the name of a variable."""
        return variable_names(self._network)[variable]


class _Run:
    """A march under way: state and how far it is."""

    def __init__(
        self,
        network: Network,
        layout: Layout,
        system: System,
        settings: Settings,
        dt: float,
        y: Floats,
        rate: Floats,
    ) -> None:
        self.network, self.layout, self.system = network, layout, system
        self.settings, self.dt, self.y, self.rate = settings, dt, y, rate
        self.steps = self.newton = 0

    def advance(self, steps: int, first: int, every: int) -> tuple[np.ndarray, np.ndarray]:
        """March on; return the states after steps first, first + every, ... and their rates."""
        kept = np.empty(((steps - first) // every + 1, self.y.size))
        kept_rate = np.empty_like(kept)
        s = self.settings
        code, at, newton, where, worst = march(
            self.system, self.y, self.rate, steps, self.steps % len(self.system[5]), self.dt,
            s.spectral_radius, s.tolerance, s.newton_steps, first, every, kept, kept_rate,
        )  # fmt: skip
        self.steps += at
        self.newton += newton
        if code != DONE:
            when = f"at {self.steps * self.dt:.4g} s"
            message = _trouble(self.network, self.layout, code, where, worst, when)
            raise ConvergenceError(message)
        return kept, kept_rate


def _trouble(
    network: Network, layout: Layout, code: int, where: int, worst: float, when: str
) -> str:
    """Say what failed at which block."""
    block = network.blocks[int(np.searchsorted(layout.first, where, side="right")) - 1]
    what = f"{block.kind} {block.name!r}"
    if code == SINGULAR:
        return (
            f"the equations of {what} do not determine the network {when}: check its "
            f"connections and boundary conditions"
        )
    return f"Newton did not settle {when}: {worst:.1e} left in {what}; try more time points"


def _started(network: Network, settings: Settings) -> tuple[_Run, int, int]:
    """Return the march at its start, steps per cycle and how many cycles are planned."""
    layout = laid_out(network)
    period = cycle_length_s(network, settings.period_s)
    y, rate = _initial(network, layout)
    if settings.steady_initial:
        _steady_start(network, layout, settings, period, y, rate)
    memory = bed_memory(network, layout, y, rate, settings.steady_initial)
    steps = settings.points_per_cycle - 1
    dt = period / steps
    cycles = _planned_cycles(network, settings, period)
    rows = steps * cycles if has_endless_signal(network) else steps
    times = floats(dt * (np.arange(rows) + 1.0 / (1.0 + settings.spectral_radius)))
    system = assembled(network, layout, Clock(times, period, steady=False), memory)
    return _Run(network, layout, system, settings, dt, y, rate), steps, cycles


def _initial(network: Network, layout: Layout) -> tuple[Floats, Floats]:
    """Return the start state; pressure_all and flow_all stand for all of a sort."""
    y, rate = np.zeros(layout.size), np.zeros(layout.size)
    if not (network.initial or network.initial_rate):
        return y, rate
    names = variable_names(network)
    if network.initial:
        for i, name in enumerate(names):
            if name.startswith(("pressure:", "P_c:")):
                y[i] = network.initial.get("pressure_all", 0.0)
            elif name.startswith("flow:"):
                y[i] = network.initial.get("flow_all", 0.0)
            y[i] = network.initial.get(name, y[i])
    for i, name in enumerate(names):
        rate[i] = network.initial_rate.get(name, 0.0)
    return y, rate


def _steady_start(
    network: Network, layout: Layout, settings: Settings, period: float,
    y: Floats, rate: Floats,
) -> None:  # fmt: skip
    """Let the network settle under mean boundary values, in place."""
    dt = period / STEADY_PER_CYCLE
    times = floats(dt * (np.arange(STEADY_STEPS) + 1.0 / (1.0 + settings.spectral_radius)))
    system = assembled(network, layout, Clock(times, period, steady=True))
    run = _Run(network, layout, system, settings, dt, y, rate)
    run.advance(STEADY_STEPS, STEADY_STEPS, 1)


def _has_windkessel(network: Network) -> bool:
    return any(block.kind == "RCR" for block in network.blocks)


def _planned_cycles(network: Network, settings: Settings, period: float) -> int:
    """Return how many cycles to run at first; by the slowest Windkessel where asked for."""
    if settings.cycle_error_percent is None:
        return settings.cycles
    beds = [b.values for b in network.blocks if b.kind == "RCR"]
    if not beds:
        if settings.cycles < 2:
            message = "number_of_cardiac_cycles is 1; the cycle-to-cycle error needs two"
            raise NetworkError(message)
        return settings.cycles
    slowest = max(
        float(np.mean(_values(v["Rd"]))) * float(np.mean(_values(v["C"]))) for v in beds
    )
    fraction = math.log(settings.cycle_error_percent / 100.0)
    return max(1, math.ceil(-slowest / period * fraction))


def _values(value: object) -> np.ndarray:
    return np.asarray(getattr(value, "values", value), dtype=np.float64)


def _until_periodic(
    run: _Run, layout: Layout, cycles: int, values: np.ndarray, rates: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add cycles until the means at the ends change by less than asked for."""
    n = run.settings.points_per_cycle
    limit = (run.settings.cycle_error_percent or 0.0) / 100.0
    ends = np.array(caps(run.network, layout), dtype=np.int64).reshape(-1)
    every = run.settings.every
    if every > 1:
        message = "output_interval must be 1 where the cycle-to-cycle error is asked for"
        raise NetworkError(message)
    while True:
        before = values[-2 * n + 1 : -n + 1, ends].mean(axis=0)
        after = values[-n:, ends].mean(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            change = np.abs((after - before) / before)
        worst = float(np.nanmax(np.where(before == after, 0.0, change), initial=0.0))
        if worst <= limit:
            return values, rates
        if cycles >= MOST_CYCLES:
            name = variable_names(run.network)[int(ends[int(np.nanargmax(change))])]
            message = (
                f"not periodic after {cycles} cycles: the mean of {name} still changes by "
                f"{100 * worst:.2g} %"
            )
            raise ConvergenceError(message)
        more, more_rates = run.advance(n - 1, 1, 1)
        values, rates = np.concatenate([values, more]), np.concatenate([rates, more_rates])
        cycles += 1
