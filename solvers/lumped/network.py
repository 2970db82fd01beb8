"""What a lumped network is made of: blocks, links between them, how to march in time.

Values carry the units of the file or tree the network comes from; only time is in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from operator import lt
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from meshes.arrays import AnyArray, Floats, Ints, floats, ints
from solvers.errors import NetworkError

NOTHING: Mapping[str, float] = MappingProxyType({})
VESSEL_KINDS = ("BloodVessel", "BloodVesselCRL", "BloodVesselRC", "ChamberSphere")


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """A value that changes with time: straight lines between samples.

    Parameters
    ----------
    time_s
        When, increasing, shape (n,) with n >= 2.
    values
        What, shape (n,).
    periodic
        Whether it repeats after the last sample; else it is constant there.

    Raises
    ------
    NetworkError
        Times that do not increase or do not fit the values, a value that is not finite.
    """

    time_s: Floats
    values: AnyArray
    periodic: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "time_s", floats(self.time_s))
        object.__setattr__(self, "values", floats(self.values))
        time, values = self.time_s, self.values
        if time.ndim != 1 or time.shape != values.shape or time.size < 2:
            message = f"a signal has {time.size} times and {values.size} values"
            raise NetworkError(message)
        ticks = time.tolist()  # of a few values Python sees the order sooner than numpy
        if not (all(map(lt, ticks, ticks[1:])) and isfinite(ticks[0]) and isfinite(ticks[-1])):
            if not np.isfinite(time).all():
                message = "a signal has a time that is not finite"
                raise NetworkError(message)
            bad = int(np.argmin(np.diff(time) > 0)) + 1
            message = f"the times of a signal do not increase at sample {bad} ({time[bad]:g} s)"
            raise NetworkError(message)
        if not (isfinite(sum(values.tolist())) or np.isfinite(values).all()):
            bad = int(np.argmin(np.isfinite(values)))
            message = f"the value of a signal at sample {bad} is not finite"
            raise NetworkError(message)

    @property
    def period_s(self) -> float:
        """Length of the samples in time."""
        return float(self.time_s[-1] - self.time_s[0])

    @property
    def mean(self) -> float:
        """Mean of the samples, as svZeroDSolver takes it."""
        return float(self.values.sum()) / self.values.size

    def sampled(self, time_s: Floats) -> Floats:
        """Return the values at `time_s`."""
        time = np.mod(time_s, self.period_s) if self.periodic else time_s
        return floats(np.interp(time, self.time_s, self.values))


Value = float | Signal | tuple[float, ...] | str


class Block(NamedTuple):
    """One element: its name, its kind (see `solvers.lumped.elements`) and its values."""

    name: str
    kind: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to march in time and what to keep.

    Parameters
    ----------
    cycles, points_per_cycle
        Cardiac cycles to run and time points of each, both ends counted.
    period_s
        Length of a cycle; None takes it from the signals, 1 s without any.
    tolerance
        Largest residual of any equation, in the units of the network.
    newton_steps
        Most Newton steps of one time step.
    spectral_radius
        At infinite step, rho of the generalised-alpha method, 0 to 1.
    steady_initial
        Start from the state of the mean boundary values.
    cycle_error_percent
        None, or run until the cycle means at the ends of the network change less than this
        (where a Windkessel is there: as many cycles as its time constant asks for, Pfaller et
        al., International Journal for Numerical Methods in Biomedical Engineering 2022).
    every
        Keep every so-manyth time point.
    all_cycles
        Keep all cycles, not only the last.
    """

    cycles: int = 1
    points_per_cycle: int = 201
    period_s: float | None = None
    tolerance: int | float = 1e-8  # no unit in the name: it is that of the network
    newton_steps: int = 30
    spectral_radius: int | float = 0.5
    steady_initial: bool = True
    cycle_error_percent: float | None = None
    every: int = 1
    all_cycles: bool = False

    def __post_init__(self) -> None:
        for name, least in (("cycles", 1), ("points_per_cycle", 2), ("every", 1)):
            if getattr(self, name) < least:
                message = f"{name} is {getattr(self, name)}, must be at least {least}"
                raise NetworkError(message)
        if not 0.0 <= self.spectral_radius <= 1.0:
            message = f"rho_infty is {self.spectral_radius:g}, must be between 0 and 1"
            raise NetworkError(message)
        if not self.tolerance > 0:
            message = f"absolute_tolerance is {self.tolerance:g}, must be positive"
            raise NetworkError(message)


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Blocks and the links that carry flow and pressure from one to the next.

    Parameters
    ----------
    blocks
        The elements.
    links
        Pairs of block numbers, upstream first, shape (m, 2). The inlets of a block are the
        links that end in it, in this order; its outlets those that start in it.
    initial, initial_rate
        Values and rates of change by variable name ("pressure:A:B", "Vc:heart") at the start.
    """

    blocks: tuple[Block, ...]
    links: Ints
    initial: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    initial_rate: Mapping[str, float] = field(default_factory=lambda: NOTHING)

    def __post_init__(self) -> None:
        object.__setattr__(self, "links", ints(self.links).reshape(-1, 2))


@dataclass(frozen=True, slots=True, eq=False)
class LumpedSolution:
    """Every variable of a network over the time that was kept.

    Parameters
    ----------
    time_s
        Time points, from 0, shape (m,).
    values, rates
        Variables and their rates of change in the network's units, shape (m, n).
    naming
        Gives the names of the n variables: flow and pressure of each link, then inner ones.
    cycles
        Cardiac cycles that were run.
    newton_steps
        In all.
    """

    time_s: Floats
    values: AnyArray
    rates: AnyArray
    naming: Callable[[], tuple[str, ...]]
    cycles: int
    newton_steps: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "time_s", floats(self.time_s))
        for name in ("values", "rates"):
            array = np.asarray(getattr(self, name))
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the n variables."""
        return self.naming()

    def of(self, variable: str) -> Floats:
        """Return one variable over time, shape (m,)."""
        return floats(self.values[:, self.variables.index(variable)])
