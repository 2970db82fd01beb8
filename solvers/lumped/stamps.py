"""Where equations of many like blocks go: they are written once and stamped for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter

import numpy as np

from meshes.arrays import AnyArray, Floats, Ints, floats
from solvers.errors import NetworkError
from solvers.kernels.lumped import IN_C, IN_E, IN_F, IN_P, System
from solvers.kernels.pattern import FREE, gathered
from solvers.lumped.activation import activation
from solvers.lumped.network import Block, Signal

NUMBERS, SLOTS, PLACES = 9, 6, 7  # per nonlinear term


@dataclass(frozen=True, slots=True)
class Clock:
    """When equations are evaluated.

    Parameters
    ----------
    time_s
        Middle of each time step, shape (rows,).
    cycle_s
        Length of the cardiac cycle.
    steady
        Whether boundary values are replaced by their means.
    """

    time_s: Floats
    cycle_s: float
    steady: bool


@dataclass(frozen=True, slots=True, eq=False)
class Like:
    """Like blocks: one kind, equal counts of inlets and outlets.

    Parameters
    ----------
    numbers
        Which blocks of the network, shape (g,).
    inlets, outlets
        How many links end in and start from each.
    variables, equations
        Those of each block, shape (n, g): P, Q of each inlet and outlet, then inner ones.
    """

    numbers: Ints
    inlets: int
    outlets: int
    variables: Ints
    equations: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One nonlinear term per block of a group.

    Parameters
    ----------
    kind
        Of `solvers.kernels.lumped`.
    at
        Equations and variables, shape (g, PLACES).
    slots
        The entry on the sheet of each derivative.
    numbers
        Coefficients, each of shape (g,) or, where they change with time, (rows, g).
    """

    kind: int
    at: Ints
    slots: tuple[int, ...]
    numbers: tuple[AnyArray, ...]


class Sheet:
    """Everything stamped so far.

    Loose entries of the matrices (equation, variable, which of E and F, value), parts of the
    constant vector, coefficients that change with time (where they belong; equations, or the
    number of the entry; values of shape (rows, g)), nonlinear terms, ideal valves.
    """

    def __init__(self) -> None:
        self.entries: list[tuple[Ints, Ints, int, AnyArray]] = []
        self.constants: list[tuple[Ints, AnyArray]] = []
        self.moving: list[tuple[int, Ints | int, AnyArray]] = []
        self.terms: list[Term] = []
        self.gates: list[tuple[int, int, int]] = []

    def keep(self, rows: Ints, columns: Ints) -> int:
        """Add places for what comes later and return the number of the entry."""
        self.entries.append((rows, columns, FREE, np.zeros(rows.size)))
        return len(self.entries) - 1


class Group:
    """Like blocks as an element's equations see them, and the sheet they are stamped on.

    Variables of a block are P, Q of each inlet, P, Q of each outlet, then the inner ones.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        like: Like,
        sheet: Sheet,
        clock: Clock,
        memory: AnyArray,
        heart: tuple[Block, Ints] | None,
    ) -> None:
        self.blocks, self.inlets, self.outlets = blocks, like.inlets, like.outlets
        self.variables, self.equations = like.variables, like.equations
        self.sheet, self.clock, self.memory, self.heart = sheet, clock, memory, heart
        self._tables = [block.values for block in blocks]

    def __getitem__(self, name: str) -> AnyArray:
        return self.value(name, None)

    def value(self, name: str, default: float | None) -> AnyArray:
        """Return a value of all blocks, (g,), or (rows, g) where it changes with time."""
        count = len(self._tables)
        if default is not None and not any(name in table for table in self._tables):
            return constant(default, count)
        try:
            return np.fromiter(map(itemgetter(name), self._tables), np.float64, count)
        except (KeyError, TypeError):  # not all have it, or some have a signal
            raw = [table.get(name, default) for table in self._tables]
        if None in raw:
            block = self.blocks[raw.index(None)]
            message = f"{block.kind} {block.name!r} needs a value {name}"
            raise NetworkError(message)
        if not any(isinstance(v, Signal) for v in raw):
            return np.array(raw, dtype=np.float64)
        if self.clock.steady:
            return np.array([v.mean if isinstance(v, Signal) else v for v in raw])
        size = self.clock.time_s.size
        table = [
            v.sampled(self.clock.time_s) if isinstance(v, Signal) else np.full(size, v)
            for v in raw
        ]
        return np.array(table).T

    def listed(self, name: str, count: int, default: float | None = None) -> Floats:
        """Return a value that is one number per inlet or outlet, shape (g, count)."""
        rows = []
        for block in self.blocks:
            row = block.values.get(name, (default,) * count if default is not None else None)
            if not isinstance(row, tuple) or len(row) != count:
                message = f"{block.kind} {block.name!r} needs {count} values {name}, has {row}"
                raise NetworkError(message)
            rows.append(row)
        return np.array(rows, dtype=np.float64)

    def active(self) -> Floats:
        """Return the activation of each chamber, shape (rows, g)."""
        columns = []
        for block in self.blocks:
            curve = str(block.values["activation"])
            try:
                columns.append(
                    activation(curve, block.values, self.clock.time_s, self.clock.cycle_s)  # type: ignore[arg-type]
                )
            except NetworkError as error:
                message = f"{block.kind} {block.name!r}: {error}"
                raise NetworkError(message) from error
        return np.array(columns).T

    def e(self, equation: int, variable: int, value: AnyArray | float) -> None:
        """Add a coefficient of y'."""
        self._coefficient(IN_E, equation, variable, value)

    def f(self, equation: int, variable: int, value: AnyArray | float) -> None:
        """Add a coefficient of y."""
        self._coefficient(IN_F, equation, variable, value)

    def _coefficient(
        self, which: int, equation: int, variable: int, value: AnyArray | float
    ) -> None:
        rows, columns = self.equations[equation], self.variables[variable]
        if not isinstance(value, np.ndarray):
            value = constant(value, len(self.blocks))
        if value.ndim == 1:
            self.sheet.entries.append((rows, columns, which, value))
        else:
            self.sheet.moving.append((which, self.sheet.keep(rows, columns), value))

    def c(self, equation: int, value: AnyArray | float) -> None:
        """Add a constant."""
        rows, value = self.equations[equation], self._spread(value)
        if value.ndim == 2:
            self.sheet.moving.append((IN_C, rows, value))
        else:
            self.sheet.constants.append((rows, value))

    def term(
        self,
        kind: int,
        equation: int,
        variables: Sequence[int],
        slots: Sequence[tuple[int, int]],
        numbers: Sequence[AnyArray | float],
        more: Sequence[int] = (),
    ) -> None:
        """Add a nonlinear term; `slots` are the (equation, variable) it has derivatives at.

        Its places are the equation, `more` equations and the variables.
        """
        places = [self.equations[i] for i in (equation, *more)]
        places += [self.variables[j] for j in variables]
        self._add_term(kind, places, slots, numbers)

    def gated(
        self, kind: int, equation: int, gate: int, variable: int, factor: AnyArray | float
    ) -> None:
        """Add factor q, as long as the ideal valve `gate` is open."""
        gates = np.full(len(self.blocks), gate)
        places = [self.equations[equation], self.variables[variable], gates]
        self._add_term(kind, places, [(equation, variable)], [factor])

    def lagged(
        self, kind: int, equation: int, variables: Ints, factor: AnyArray | float
    ) -> None:
        """Add factor y for variables of another block, shape (g,), without a derivative.

        The ideal valves leave y and y' of a closed one at odds, so the answer depends on the
        way Newton takes; with a derivative here it is another one than svZeroDSolver's.
        """
        self._add_term(kind, [self.equations[equation], variables], [], [factor])

    def _add_term(
        self,
        kind: int,
        places: Sequence[Ints],
        slots: Sequence[tuple[int, int]],
        numbers: Sequence[AnyArray | float],
    ) -> None:
        at = np.zeros((len(self.blocks), PLACES), dtype=np.int64)
        at[:, : len(places)] = np.array(places).T
        kept = (self.sheet.keep(self.equations[i], self.variables[j]) for i, j in slots)
        self.sheet.terms.append(Term(kind, at, tuple(kept), tuple(map(self._spread, numbers))))

    def _spread(self, value: AnyArray | float) -> AnyArray:
        return value if isinstance(value, np.ndarray) else constant(value, len(self.blocks))


@lru_cache(maxsize=256)
def constant(value: float, count: int) -> Floats:
    """Return the same number `count` times: most coefficients are 1 or -1."""
    return floats(np.full(count, value))


def joined(sheet: Sheet, size: int) -> System:
    """Return the arrays described in `solvers.kernels.lumped` for `size` equations."""
    rows, columns, which, values = zip(*sheet.entries, strict=True)
    sizes = list(map(len, rows))
    start, column, (e, f), place = gathered(
        np.concatenate(rows), np.concatenate(columns), np.repeat(which, sizes),
        np.concatenate(values), size, 2,
    )  # fmt: skip
    places = np.split(place, np.cumsum(sizes)[:-1]) if sheet.moving or sheet.terms else []
    rest = np.zeros(size)
    for at, value in sheet.constants:
        rest[at] += value
    moving = [
        (where, places[entry] if isinstance(entry, int) else entry, value)
        for where, entry, value in sheet.moving
    ]
    kinds, ats, slots, numbers = _terms(sheet, places, moving)
    timed = [value for _, _, value in moving]
    return (
        start, column, e, f, rest,
        np.ascontiguousarray(np.concatenate(timed, axis=1)) if timed else np.zeros((1, 0)),
        _flat([np.full(at.size, where) for where, at, _ in moving]),
        _flat([at for _, at, _ in moving]),
        kinds, ats, slots, numbers,
        np.array(sheet.gates, dtype=np.int64).reshape(-1, 3),
    )  # fmt: skip


def _terms(
    sheet: Sheet, places: list[Ints], moving: list[tuple[int, Ints, AnyArray]]
) -> tuple[Ints, Ints, Ints, Floats]:
    """Return kind, places, slots and numbers of all nonlinear terms; fill up `moving`."""
    total = sum(len(term.at) for term in sheet.terms)
    kinds, ats = np.zeros(total, dtype=np.int64), np.zeros((total, PLACES), dtype=np.int64)
    slots, numbers = np.zeros((total, SLOTS), dtype=np.int64), np.zeros((total, NUMBERS))
    first = 0
    for term in sheet.terms:
        g = len(term.at)
        here = slice(first, first + g)
        kinds[here], ats[here] = term.kind, term.at
        for k, entry in enumerate(term.slots):
            slots[here, k] = places[entry]
        for k, value in enumerate(term.numbers):
            if value.ndim == 2:
                moving.append((IN_P, (first + np.arange(g)) * NUMBERS + k, value))
            else:
                numbers[here, k] = value
        first += g
    return kinds, ats, slots, numbers


def _flat(parts: list[AnyArray]) -> Ints:
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, dtype=np.int64)
