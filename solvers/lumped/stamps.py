"""Where equations of many like blocks go: they are written once and stamped for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from meshes.arrays import AnyArray, Floats, Ints
from solvers.kernels.lumped import IN_C, IN_E, IN_F, IN_P, System
from solvers.lumped.activation import activation
from solvers.lumped.network import Block, NetworkError, Signal

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
class Sheet:
    """Everything stamped so far: lists of arrays, to be joined."""

    entries: dict[int, list[tuple[Ints, Ints, AnyArray]]] = field(
        default_factory=lambda: {IN_E: [], IN_F: []}
    )
    constants: list[tuple[Ints, AnyArray]] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)
    gates: list[tuple[int, int, int]] = field(default_factory=list)


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
        Pairs of equation and variable of the derivatives, each of shape (g,).
    numbers
        Coefficients, each of shape (g,) or, where they change with time, (rows, g).
    """

    kind: int
    at: Ints
    slots: tuple[tuple[Ints, Ints], ...]
    numbers: tuple[AnyArray, ...]


class Group:
    """Like blocks: the variables and equations of each, and the sheet they are stamped on.

    Variables of a block are P, Q of each inlet, P, Q of each outlet, then the inner ones.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        inlets: int,
        outlets: int,
        variables: Ints,
        equations: Ints,
        sheet: Sheet,
        clock: Clock,
        memory: AnyArray,
        heart: tuple[Block, Ints] | None,
    ) -> None:
        self.blocks, self.inlets, self.outlets = blocks, inlets, outlets
        self.variables, self.equations = variables, equations
        self.sheet, self.clock, self.memory, self.heart = sheet, clock, memory, heart
        self._waiting: dict[int, list[tuple[int, int, AnyArray | float]]] = {IN_E: [], IN_F: []}

    def __getitem__(self, name: str) -> AnyArray:
        return self.value(name, None)

    def value(self, name: str, default: float | None) -> AnyArray:
        """Return a value of all blocks, (g,), or (rows, g) where it changes with time."""
        raw = [block.values.get(name, default) for block in self.blocks]
        if None in raw:
            block = self.blocks[raw.index(None)]
            message = f"{block.kind} {block.name!r} needs a value {name}"
            raise NetworkError(message)
        try:
            return np.array(raw, dtype=np.float64)
        except TypeError:  # a signal among them
            pass
        if self.clock.steady:
            return np.array([v.values.mean() if isinstance(v, Signal) else v for v in raw])
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
        self._waiting[IN_E].append((equation, variable, value))

    def f(self, equation: int, variable: int, value: AnyArray | float) -> None:
        """Add a coefficient of y."""
        self._waiting[IN_F].append((equation, variable, value))

    def close(self) -> None:
        """Put the coefficients of all blocks on the sheet, constant ones in one go."""
        for where, entries in self._waiting.items():
            fixed = [
                x for x in entries if not (isinstance(x[2], np.ndarray) and x[2].ndim == 2)
            ]
            table = np.empty((len(fixed), len(self.blocks)))
            for k, (_, _, value) in enumerate(fixed):
                table[k] = value
            if fixed:
                rows = self.equations[:, [i for i, _, _ in fixed]].T.reshape(-1)
                columns = self.variables[:, [j for _, j, _ in fixed]].T.reshape(-1)
                self.sheet.entries[where].append((rows, columns, table.reshape(-1)))
            for i, j, value in entries if len(fixed) < len(entries) else ():
                if isinstance(value, np.ndarray) and value.ndim == 2:
                    place = (self.equations[:, i], self.variables[:, j])
                    self.sheet.entries[where].append((*place, value))

    def c(self, equation: int, value: AnyArray | float) -> None:
        """Add a constant."""
        rows = self.equations[:, equation]
        self.sheet.constants.append((rows, self._spread(value)))

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
        at = np.zeros((len(self.blocks), PLACES), dtype=np.int64)
        eqs = (equation, *more)
        for k, i in enumerate(eqs):
            at[:, k] = self.equations[:, i]
        for k, j in enumerate(variables):
            at[:, len(eqs) + k] = self.variables[:, j]
        pairs = tuple((self.equations[:, i], self.variables[:, j]) for i, j in slots)
        self.sheet.terms.append(Term(kind, at, pairs, tuple(map(self._spread, numbers))))

    def gated(
        self, kind: int, equation: int, gate: int, variable: int, factor: AnyArray | float
    ) -> None:
        """Add factor q, as long as the ideal valve `gate` is open."""
        at = np.zeros((len(self.blocks), PLACES), dtype=np.int64)
        at[:, 0], at[:, 1] = self.equations[:, equation], self.variables[:, variable]
        at[:, 2] = gate
        pair = (self.equations[:, equation], self.variables[:, variable])
        self.sheet.terms.append(Term(kind, at, (pair,), (self._spread(factor),)))

    def lagged(
        self, kind: int, equation: int, variables: Ints, factor: AnyArray | float
    ) -> None:
        """Add factor y for variables of another block, shape (g,), without a derivative.

        The ideal valves leave y and y' of a closed one at odds, so the answer depends on the
        way Newton takes; with a derivative here it is another one than svZeroDSolver's.
        """
        at = np.zeros((len(self.blocks), PLACES), dtype=np.int64)
        at[:, 0], at[:, 1] = self.equations[:, equation], variables
        self.sheet.terms.append(Term(kind, at, (), (self._spread(factor),)))

    def _spread(self, value: AnyArray | float) -> AnyArray:
        array = np.asarray(value, dtype=np.float64)
        return array if array.ndim > 0 else np.full(len(self.blocks), array)


def joined(sheet: Sheet, size: int) -> System:
    """Return the arrays described in `solvers.kernels.lumped` for `size` equations."""
    keys, counts, weights, moving = _keys(sheet, size)
    unique, place = np.unique(keys, return_inverse=True)
    row, column = np.divmod(unique, size)
    start = np.zeros(size + 1, dtype=np.int64)
    start[1:] = np.cumsum(np.bincount(row, minlength=size))
    done = 0
    tables: list[Floats] = []
    for count, weight in zip(counts, weights, strict=True):
        here = place[done : done + count]
        tables.append(np.asarray(np.bincount(here, weight, unique.size), dtype=np.float64))
        done += count
    constant = np.zeros(size)
    timed, kind_of_place, places = [], [], []
    for where, rows, value in moving:
        timed.append(value)
        kind_of_place.append(np.full(rows.size, where))
        places.append(place[done : done + rows.size])
        done += rows.size
    for rows, value in sheet.constants:
        if value.ndim == 2:
            timed.append(value)
            kind_of_place.append(np.full(rows.size, IN_C))
            places.append(rows)
        else:
            np.add.at(constant, rows, value)
    kinds, ats, slots, numbers = [], [], [], []
    total = 0
    for term in sheet.terms:
        g = len(term.at)
        slot, number = np.zeros((g, SLOTS), dtype=np.int64), np.zeros((g, NUMBERS))
        for k in range(len(term.slots)):
            slot[:, k] = place[done : done + g]
            done += g
        for k, value in enumerate(term.numbers):
            if value.ndim == 2:
                timed.append(value)
                kind_of_place.append(np.full(g, IN_P))
                places.append((total + np.arange(g)) * NUMBERS + k)
            else:
                number[:, k] = value
        total += g
        kinds.append(np.full(g, term.kind))
        ats.append(term.at)
        slots.append(slot)
        numbers.append(number)
    return (
        start,
        column,
        tables[0],
        tables[1],
        constant,
        np.ascontiguousarray(np.concatenate(timed, axis=1)) if timed else np.zeros((1, 0)),
        _flat(kind_of_place),
        _flat(places),
        _flat(kinds),
        np.concatenate(ats) if ats else np.zeros((0, PLACES), dtype=np.int64),
        np.concatenate(slots) if slots else np.zeros((0, SLOTS), dtype=np.int64),
        np.concatenate(numbers) if numbers else np.zeros((0, NUMBERS)),
        np.array(sheet.gates, dtype=np.int64).reshape(-1, 3),
    )


def _keys(
    sheet: Sheet, size: int
) -> tuple[Ints, list[int], list[Floats], list[tuple[int, Ints, AnyArray]]]:
    """Return row * size + column of all entries: E, F, those that move, derivatives.

    Constant entries that are zero are left out. With them: how many E and F are, their
    values, and of the moving ones where they belong, rows and values.
    """
    pieces, counts, weights, moving = [], [], [], []
    later = []
    for where in (IN_E, IN_F):
        fixed = [entry for entry in sheet.entries[where] if entry[2].ndim == 1]
        for rows, columns, value in sheet.entries[where]:
            if value.ndim == 2:
                moving.append((where, rows, value))
                later.append(rows * size + columns)
        if not fixed:
            counts.append(0)
            weights.append(np.zeros(0))
            continue
        rows, columns, values = (np.concatenate(part) for part in zip(*fixed, strict=True))
        keep = np.flatnonzero(values)
        pieces.append(rows[keep] * size + columns[keep])
        counts.append(keep.size)
        weights.append(values[keep])
    later += [rows * size + columns for term in sheet.terms for rows, columns in term.slots]
    keys = np.concatenate(pieces + later) if pieces or later else np.zeros(0, dtype=np.int64)
    return keys, counts, weights, moving


def _flat(parts: list[AnyArray]) -> Ints:
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, dtype=np.int64)
