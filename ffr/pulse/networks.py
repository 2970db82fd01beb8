"""What flows in a network from SimVascular? Files of svZeroDSolver and svOneDSolver."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ffr.errors import ConfigError
from meshes.arrays import AnyArray
from meshes.errors import GeometryError
from solvers.elastic.beds import CoronaryBed
from solvers.elastic.pulse import run_to_periodicity
from solvers.elastic.svoned import FLOW_CGS, MMHG_PER_BARYE, Deck, parse_svoned
from solvers.errors import NetworkError
from solvers.lumped.files import case, variable_table, vessel_table
from solvers.lumped.simulate import simulated

SUFFIXES = (".json", ".in")
MOST_VESSELS = 12  # in the summary
FLAGS = ("output_variable_based", "output_mean_only", "output_derivative")
ENDS = ("flow_in", "flow_out", "pressure_in", "pressure_out")
STILL_S, STILL_CELL_MM = 0.2, 20.0  # where nothing changes with time
STILL_PERCENT, MOST_STILL = 1e-4, 1000
Table = dict[str, AnyArray]


@dataclass(frozen=True, slots=True, eq=False)
class NetworkRun:
    """A network that was run: what to say about it, and its table.

    Parameters
    ----------
    lines
        Summary.
    table
        Columns of equal length, name and time first; time is not a number in means.
    """

    lines: tuple[str, ...]
    table: Table


def run_network(path: Path) -> NetworkRun:
    """Run a `.json` file as svZeroDSolver does, or a `.in` deck of svOneDSolver.

    Units are those of the file.

    Raises
    ------
    ConfigError
        The file cannot be read as what its name says, or describes no network.
    GeometryError
        A deck with something this reader does not know.
    ConvergenceError
        No solution was found; names the place.
    OSError
        The file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        message = "the network file is not text"
        raise ConfigError(message) from error
    return _zero_d(text) if path.suffix.lower() == ".json" else _one_d(text)


def as_csv(table: Table) -> str:
    """Return a table in the form of svZeroDSolver's output file."""
    columns = [table["name"], *(_formatted(v) for k, v in table.items() if k != "name")]
    rows = (",".join(row) for row in zip(*columns, strict=True))
    return "\n".join([",".join(table), *rows]) + "\n"


def _formatted(values: AnyArray) -> list[str]:
    return ["" if np.isnan(v) else f"{v:.16e}" for v in values.tolist()]


def _zero_d(text: str) -> NetworkRun:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        message = f"the network file is no JSON: {error.msg} in line {error.lineno}"
        raise ConfigError(message) from error
    try:
        network, settings = case(data)
        solution = simulated(network, settings)
    except NetworkError as error:
        raise ConfigError(str(error)) from error
    by_variable, mean, rates = (_flag(data, name) for name in FLAGS)
    vessels = vessel_table(network, solution, rates)
    table = variable_table(solution) if by_variable else vessels
    if by_variable and not rates:
        del table["ydot"]
    steps = settings.points_per_cycle - 1
    head = (
        f"svZeroDSolver network of {len(network.blocks)} elements: {solution.cycles} cycles of "
        f"{steps} steps, {solution.newton_steps} Newton steps; units are those of the file"
    )
    return NetworkRun(_lines(head, vessels), _means(table) if mean else table)


def _flag(data: Mapping[str, Any], name: str) -> bool:
    value = data["simulation_parameters"].get(name, False)
    if not isinstance(value, bool):
        message = f"{name} is {value!r}, must be true or false"
        raise ConfigError(message)
    return value


def _one_d(text: str) -> NetworkRun:
    deck = _deck(text)
    given = deck.network, deck.blood
    if _is_constant(deck):  # its period is arbitrary, and nothing travels along the cells
        found = run_to_periodicity(
            *given, min(deck.period_s, STILL_S), deck.inlet, cell_mm=STILL_CELL_MM,
            samples=4, tolerance_percent=STILL_PERCENT, most_cycles=MOST_STILL,
        )  # fmt: skip
    else:
        found = run_to_periodicity(*given, deck.period_s, deck.inlet)
    names = np.array([v.name for v in deck.network.vessels], dtype=object)
    count = found.time_s.size
    flow = [q / FLOW_CGS for q in found.flow_ml_min]
    pressure = [p / MMHG_PER_BARYE for p in found.pressure_mmhg]
    columns = (
        [q[:, 0] for q in flow], [q[:, -1] for q in flow],
        [p[:, 0] for p in pressure], [p[:, -1] for p in pressure],
    )  # fmt: skip
    table: Table = {
        "name": np.repeat(names, count),
        "time": np.tile(found.time_s, names.size),
        **{name: np.concatenate(c) for name, c in zip(ENDS, columns, strict=True)},
    }
    head = (
        f"svOneDSolver deck of {deck.segments} segments in {names.size} vessels: periodic "
        f"after {found.cycles} cycles of {found.time_s[-1]:g} s "
        f"(to {found.change_percent:.2g} %); "
        "units are those of the file (cm, g, s)"
    )
    return NetworkRun(_lines(head, table), table)


def _is_constant(deck: Deck) -> bool:
    """Tell whether nothing that drives the network changes with time."""
    pressure, flow = deck.inlet.pressure_mmhg, deck.inlet.flow_ml_min
    waves = [wave for wave in (pressure, flow) if wave is not None]
    waves += [b.muscle_mmhg for b in deck.network.beds.values() if isinstance(b, CoronaryBed)]
    return all(np.ptp(wave) == 0.0 for wave in waves)


def _deck(text: str) -> Deck:
    try:
        return parse_svoned(text)
    except GeometryError:
        raise
    except (KeyError, IndexError, ValueError, TypeError) as error:
        what = type(error).__name__ if isinstance(error, TypeError) else str(error)
        message = f"the file is no deck of svOneDSolver, or not complete: {what}"
        raise ConfigError(message) from error


def _means(table: Table) -> Table:
    """Return one row per name, as svZeroDSolver's output_mean_only has it."""
    names = list(dict.fromkeys(table["name"]))
    shape = (len(names), -1)
    means: Table = {"name": np.array(names, dtype=object)}
    for column, values in table.items():
        if column != "name":
            means[column] = values.reshape(shape).mean(axis=1)
    means["time"] = np.full(len(names), np.nan)
    return means


def _lines(head: str, table: Table) -> tuple[str, ...]:
    means = _means(table)
    lines = [head, "mean over the time that is kept (least to most):"]
    for k, name in enumerate(means["name"][:MOST_VESSELS]):
        parts = []
        for column in ("flow_in", "pressure_in", "pressure_out"):
            own = table[column].reshape(means["name"].size, -1)[k]
            span = f"{means[column][k]:.6g} ({own.min():.6g} to {own.max():.6g})"
            parts.append(f"{column} {span}")
        lines.append(f"{name}: {', '.join(parts)}")
    if means["name"].size > MOST_VESSELS:
        lines.append(f"... and {means['name'].size - MOST_VESSELS} more vessels")
    return (*lines, "Research use only.")
