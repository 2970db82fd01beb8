"""Which network and settings stand in a svZeroDSolver file; its results as tables.

The format: simvascular.github.io/documentation/rom_simulation.html (svZeroDSolver, BSD-3).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from meshes.arrays import AnyArray, Ints
from solvers.errors import NetworkError
from solvers.lumped.activation import CURVES
from solvers.lumped.elements import ANY, KINDS
from solvers.lumped.network import (
    VESSEL_KINDS,
    Block,
    LumpedSolution,
    Network,
    Settings,
    Signal,
    Value,
)

HEART = "CLH"
ENDS = ("flow_in", "flow_out", "pressure_in", "pressure_out")
OTHER_NAMES = {
    "internal_junction": "NORMAL_JUNCTION",
    "tanh": "ValveTanh",
    "PiecewiseCosineChamber": "LinearElastanceChamber",
}
OLD_CURVES = ("half_cosine", "piecewise_cosine", "two_hill")  # activation_type 0, 1, 2
SETTING_NAMES = {
    "number_of_cardiac_cycles": "cycles",
    "number_of_time_pts_per_cardiac_cycle": "points_per_cycle",
    "absolute_tolerance": "tolerance",
    "maximum_nonlinear_iterations": "newton_steps",
    "rho_infty": "spectral_radius",
    "steady_initial": "steady_initial",
    "output_interval": "every",
    "output_all_cycles": "all_cycles",
    "cardiac_period": "period_s",
}
REQUIRED = {name: frozenset(kind.required) for name, kind in KINDS.items()}
ALLOWED = {name: frozenset(kind.required + kind.optional) for name, kind in KINDS.items()}
PLAIN = {  # kinds with no values but these; what is missing is told when it is needed
    name: names for name, names in ALLOWED.items() if not name.startswith("Chamber")
}
MATERIALS = {"mooney_rivlin": ("W1", "W2"), "exponential": ("C0", "C1", "C2", "C3")}


def load_case(path: Path) -> tuple[Network, Settings]:
    """Read a svZeroDSolver file.

    Raises
    ------
    NetworkError
        The file cannot be read, is no JSON or does not describe a network.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        message = f"the network file cannot be read: {type(error).__name__}"
        raise NetworkError(message) from error
    except json.JSONDecodeError as error:
        message = f"the network file is no JSON: {error.msg} in line {error.lineno}"
        raise NetworkError(message) from error
    return case(data)


def case(data: Mapping[str, Any]) -> tuple[Network, Settings]:
    """Return the network and settings of a svZeroDSolver configuration.

    Raises
    ------
    NetworkError
        An unknown element or value, one that is missing or no number, a name that two
        elements have or none has.
    """
    if not isinstance(data, Mapping):
        message = f"a network is a JSON object, this is a {type(data).__name__}"
        raise NetworkError(message)
    book = _Book(data)
    book.read()
    blocks, links = tuple(book.blocks), book.links
    initial = _numbers(data.get("initial_condition", {}), "initial_condition")
    rates = _numbers(data.get("initial_condition_d", {}), "initial_condition_d")
    return Network(blocks, links, initial, rates), settings(data)


def settings(data: Mapping[str, Any]) -> Settings:
    """Return the simulation parameters of a configuration."""
    given = _part(data, "simulation_parameters", Mapping)
    if not given:
        message = "simulation_parameters are missing"
        raise NetworkError(message)
    values: dict[str, Any] = {}
    for name, ours in SETTING_NAMES.items():
        if name in given:
            values[ours] = _setting(name, given[name])
    if given.get("coupled_simulation", False):
        values["cycles"] = 1
        values["points_per_cycle"] = _setting("number_of_time_pts", given["number_of_time_pts"])
        values["period_s"] = float(given.get("external_step_size", 0.1))
    for name in ("number_of_cardiac_cycles", "number_of_time_pts_per_cardiac_cycle"):
        if SETTING_NAMES[name] not in values:
            message = f"simulation_parameters need {name}"
            raise NetworkError(message)
    if given.get("use_cycle_to_cycle_error", False):
        percent = given.get("sim_cycle_to_cycle_percent_error", 1.0)
        values["cycle_error_percent"] = float(percent)
    if values.get("period_s") == 0.0:  # 0 stands for "not given"
        del values["period_s"]
    return Settings(**values)


def _setting(name: str, value: object) -> object:
    if isinstance(value, bool):
        return value
    whole = SETTING_NAMES.get(name, "points_per_cycle") in (
        "cycles", "points_per_cycle", "newton_steps", "every",
    )  # fmt: skip
    if isinstance(value, (int, float)) and (not whole or float(value).is_integer()):
        return int(value) if whole else float(value)
    message = f"{name} is {value!r}, must be a {'whole ' if whole else ''}number"
    raise NetworkError(message)


def _part(data: Mapping[str, Any], name: str, kind: type) -> Any:
    found = data.get(name)
    if found is None:
        return kind() if kind is list else {}
    if not isinstance(found, kind):
        message = f"{name} is a {type(found).__name__}, must be a {kind.__name__.lower()}"
        raise NetworkError(message)
    return found


def _numbers(data: object, what: str) -> dict[str, float]:
    if not isinstance(data, Mapping):
        message = f"{what} is a {type(data).__name__}, must be an object"
        raise NetworkError(message)
    return {
        name: _number(value, f"{name} in {what}")
        for name, value in data.items()
        if not name.startswith("_")
    }


def _number(value: object, what: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    message = f"{what} is {value!r}, must be a number"
    raise NetworkError(message)


class _Book:
    """A configuration being read: blocks and links in the order svZeroDSolver has them."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.blocks: list[Block] = []
        self.number: dict[str, int] = {}
        self.names_linked: list[tuple[str, str]] = []
        self.vessels: dict[object, str] = {}
        self.draining: list[str] = []

    @property
    def links(self) -> Ints:
        """The links as pairs of block numbers, shape (m, 2)."""
        number = self.number
        try:
            ends = map(number.__getitem__, chain.from_iterable(self.names_linked))
            return np.fromiter(ends, np.int64).reshape(-1, 2)
        except KeyError as error:
            message = f"no element is named {error.args[0]!r}, yet another is connected to it"
            raise NetworkError(message) from error

    def read(self) -> None:
        """Read all parts."""
        self._read_vessels()
        self._read_couplings()
        self._read_boundaries()
        self._read_junctions()
        self._read_closed_loop()
        self._read_valves()
        self._read_chambers()

    def _add(
        self,
        name: str,
        kind: str,
        values: object,
        free: Sequence[str] = (),
        periodic: bool = True,
    ) -> None:
        name, kind = str(name), str(kind)
        if kind not in KINDS:
            kind = OTHER_NAMES.get(kind, kind)
            if kind not in KINDS:
                message = f"element {kind!r} of {name!r} is unknown; known: {', '.join(KINDS)}"
                raise NetworkError(message)
        number = len(self.blocks)
        if self.number.setdefault(name, number) != number:
            message = f"two elements are named {name!r}"
            raise NetworkError(message)
        if kind == "ChamberSphere" and isinstance(values, Mapping):  # it stands for a vessel
            values = {**values, "activation": "double_tanh"}
            free = (*free, "activation", *CURVES["double_tanh"], "W1", "W2")
        known = _values(name, kind, values, free, periodic)
        self.blocks.append(Block(name, kind, known))

    def _add_all(self, names: Sequence[str], kinds: Sequence[str], tables: Any) -> None:
        """Add blocks at once where all have finite numbers as values, else one by one."""
        first = len(self.blocks)
        try:
            number = dict(zip(names, range(first, first + len(names)), strict=True))
            keys = set(chain.from_iterable(tables))
            values = list(chain.from_iterable(map(dict.values, tables)))
            plain = (
                len(number) == len(names)
                and self.number.keys().isdisjoint(number)
                and set(kinds) <= PLAIN.keys()
                and all(keys <= PLAIN[kind] for kind in set(kinds))
                and set(map(type, values)) <= {float}
                and math.isfinite(sum(values))
            )
        except TypeError:  # something is no object
            plain = False
        if plain:
            self.number |= number
            fields = zip(names, kinds, map(dict, tables), strict=True)
            self.blocks += map(partial(tuple.__new__, Block), fields)  # Block(*f), in C
            return
        for name, kind, given in zip(names, kinds, tables, strict=True):
            self._add(name, kind, given)

    def _read_vessels(self) -> None:
        entries, link = _part(self.data, "vessels", list), self.names_linked.append
        names, kinds, tables, numbers = _columns(
            entries, "vessel", "vessel_name", "zero_d_element_type", "zero_d_element_values",
            "vessel_id",
        )  # fmt: skip
        self.vessels = dict(zip(numbers, names, strict=True))
        self._add_all(names, kinds, tables)
        for entry, name in zip(entries, names, strict=True):
            ends = entry.get("boundary_conditions")
            if ends:
                if "inlet" in ends:
                    link((ends["inlet"], name))
                if "outlet" in ends:
                    link((name, ends["outlet"]))

    def _read_couplings(self) -> None:
        for entry in _part(self.data, "external_solver_coupling_blocks", list):
            name = str(_field(entry, "name", "a coupling block"))
            what = f"coupling block {name!r}"
            kind, values = _field(entry, "type", what), _field(entry, "values", what)
            self._add(name, str(kind), values, periodic=bool(entry.get("periodic", True)))
            other = str(_field(entry, "connected_block", what))
            place = _field(entry, "location", what)
            if place == "inlet":
                self.names_linked.append((name, other))
            elif place == "outlet":
                if other != "ClosedLoopHeartAndPulmonary":  # that is among its outlet_blocks
                    self.names_linked.append((other, name))
            else:
                message = f"location of {what} is {place!r}, must be 'inlet' or 'outlet'"
                raise NetworkError(message)

    def _read_boundaries(self) -> None:
        entries = _part(self.data, "boundary_conditions", list)
        keys = ("bc_name", "bc_type", "bc_values")
        for name, kind, values in zip(
            *_columns(entries, "boundary condition", *keys), strict=True
        ):
            self._add(name, kind, values, ("closed_loop_outlet",))
            drains = kind in ("ClosedLoopCoronaryLeft", "ClosedLoopCoronaryRight")
            if drains or (kind == "ClosedLoopRCR" and values.get("closed_loop_outlet") is True):
                self.draining.append(name)

    def _read_junctions(self) -> None:
        link, vessels = self.names_linked.append, self.vessels
        entries = _part(self.data, "junctions", list)
        names, kinds = _columns(entries, "junction", "junction_name", "junction_type")
        self._add_all(names, kinds, [entry.get("junction_values") or {} for entry in entries])
        for entry, name in zip(entries, names, strict=True):
            before, behind = entry.get("inlet_vessels"), entry.get("outlet_vessels")
            try:
                for number in before or ():
                    link((vessels[number], name))
                for number in behind or ():
                    link((name, vessels[number]))
            except (KeyError, TypeError) as error:
                message = f"junction {name!r} names a vessel_id that no vessel has: {error}"
                raise NetworkError(message) from error
            if before is None:  # blocks are named
                for other in _field(entry, "inlet_blocks", f"junction {name!r}"):
                    link((other, name))
            if behind is None:
                for other in _field(entry, "outlet_blocks", f"junction {name!r}"):
                    link((name, other))

    def _read_closed_loop(self) -> None:
        for entry in _part(self.data, "closed_loop_blocks", list):
            kind = str(_field(entry, "closed_loop_type", "a closed loop"))
            parameters = dict(_field(entry, "parameters", "the closed loop"))
            parameters["cardiac_cycle_period"] = _field(
                entry, "cardiac_cycle_period", "the closed loop"
            )
            self._add(HEART, kind, parameters, ("cardiac_cycle_period",))
            self._add("J_heart_inlet", "NORMAL_JUNCTION", {})
            self._add("J_heart_outlet", "NORMAL_JUNCTION", {})
            self.names_linked.append(("J_heart_inlet", HEART))
            self.names_linked += [(name, "J_heart_inlet") for name in self.draining]
            self.names_linked.append((HEART, "J_heart_outlet"))
            outlets = _field(entry, "outlet_blocks", "the closed loop")
            self.names_linked += [("J_heart_outlet", name) for name in outlets]

    def _read_valves(self) -> None:
        for entry in _part(self.data, "valves", list):
            name = str(_field(entry, "name", "a valve"))
            values = entry.get("params", entry.get("values"))
            values = dict(_field({"params": values}, "params", f"valve {name!r}"))
            joined = {**entry, **values}
            ends = ("upstream_block", "downstream_block")
            before, behind = (str(_field(joined, end, f"valve {name!r}")) for end in ends)
            self._add(name, str(_field(entry, "type", f"valve {name!r}")), values, ends)
            self.names_linked += [(before, name), (name, behind)]

    def _read_chambers(self) -> None:
        for entry in _part(self.data, "chambers", list):
            name = str(_field(entry, "name", "a chamber"))
            what = f"chamber {name!r}"
            kind = str(_field(entry, "type", what))
            values = dict(_field(entry, "values", what))
            free = ["activation"]
            curve = dict(entry.get("activation_function") or _old_activation(kind, values))
            values["activation"] = str(_field(curve, "type", f"activation function of {what}"))
            values.pop("activation_type", None)
            if values["activation"] not in CURVES:
                message = (
                    f"activation function {values['activation']!r} of {what} is none of "
                    f"{', '.join(CURVES)}"
                )
                raise NetworkError(message)
            for item in CURVES[values["activation"]]:
                values[item] = _field({**values, **curve}, item, f"activation of {what}")
                free.append(item)
            material = entry.get("material")
            if material:
                names = MATERIALS.get(_field(material, "type", f"material of {what}"))
                if names is None:
                    message = f"material of {what} must be one of {', '.join(MATERIALS)}"
                    raise NetworkError(message)
                values |= {
                    item: _field(material, item, f"material of {what}") for item in names
                }
                free += names
            self._add(name, kind, values, free)


def _old_activation(kind: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the curve of a chamber whose values hold its times."""
    if "activation_type" in values:
        number = values["activation_type"]
        if number in (0, 1, 2):
            return {"type": OLD_CURVES[int(number)]}
        message = f"activation_type is {number!r}, must be 0, 1 or 2"
        raise NetworkError(message)
    if kind == "ChamberSphere":
        return {"type": "double_tanh"}
    return {"type": "piecewise_cosine" if "contract_start" in values else "half_cosine"}


def _columns(entries: Sequence[Any], what: str, *names: str) -> tuple[tuple[Any, ...], ...]:
    """Return the values of all entries by name."""
    try:
        rows = list(map(itemgetter(*names), entries))
    except (KeyError, TypeError):
        for entry in entries:
            for name in names:
                _field(entry, name, f"a {what}")  # says what is missing
        raise
    return tuple(zip(*rows, strict=True)) if rows else ((),) * len(names)


def _field(entry: Any, name: str, what: str) -> Any:
    try:
        value = entry[name]
    except (KeyError, TypeError, IndexError):
        value = None
    if value is not None:
        return value
    if not isinstance(entry, Mapping):
        message = f"{what} is a {type(entry).__name__}, must be an object"
        raise NetworkError(message)
    message = f"{what} needs {name}"
    raise NetworkError(message)


def _values(
    name: str, kind: str, given: object, free: Sequence[str], periodic: bool
) -> dict[str, Value]:
    """Return the values of a block, checked: all that it needs, nothing unknown."""
    if not given and not KINDS[kind].required:
        return {}
    what = f"{kind} {name!r}"
    known, allowed = KINDS[kind], ALLOWED[kind]
    if not isinstance(given, Mapping):
        message = f"the values of {what} are a {type(given).__name__}, must be an object"
        raise NetworkError(message)
    values: dict[str, Value] = {}
    for key, value in given.items():
        if type(value) is float and value - value == 0.0 and key in allowed:
            values[key] = value
        elif key[0] == "_" or key in (
            "upstream_block",
            "downstream_block",
            "closed_loop_outlet",
        ):
            continue
        elif key in allowed or key in free:
            if key == "activation":
                values[key] = value
            elif isinstance(value, (list, tuple)):
                values[key] = _many(key, value, what, given, known.equations == ANY, periodic)
            else:
                values[key] = _number(value, f"{key} of {what}")
        elif key != "t":
            message = f"{what} has no value {key!r}; known: {', '.join(_known(kind))}"
            raise NetworkError(message)
    if not values.keys() >= REQUIRED[kind]:
        missing = next(key for key in known.required if key not in values)
        message = f"{what} needs a value {missing}"
        raise NetworkError(message)
    return values


def _known(kind: str) -> tuple[str, ...]:
    return KINDS[kind].required + KINDS[kind].optional


def _many(
    key: str, value: Sequence[Any], what: str, given: Mapping[str, Any], listed: bool,
    periodic: bool,
) -> Value:  # fmt: skip
    """Return a list of values: of a junction's vessels, or over time."""
    if listed:
        return tuple([_number(v, f"{key} of {what}") for v in value])
    if len(value) == 1:
        return _number(value[0], f"{key} of {what}")
    times = given.get("t")
    if not isinstance(times, (list, tuple)):
        message = f"{what} needs a list of times t for {key}"
        raise NetworkError(message)
    try:
        for numbers, where in ((times, "t"), (value, key)):
            if not set(map(type, numbers)) <= {float, int}:
                _ = [_number(x, f"{where} of {what}") for x in numbers]  # says which is none
        return Signal(times, value, periodic)  # type: ignore[arg-type]
    except NetworkError as error:
        message = f"{key} of {what}: {error}"
        raise NetworkError(message) from error


def vessel_table(
    network: Network, solution: LumpedSolution, rates: bool = False
) -> dict[str, AnyArray]:
    """Return flow and pressure at both ends of each vessel, one row per vessel and time.

    Columns name, time, flow_in, flow_out, pressure_in, pressure_out; with `rates` also d_*.
    """
    blocks, links = network.blocks, network.links
    vessels = [i for i, block in enumerate(blocks) if block.kind in VESSEL_KINDS]
    names = [blocks[i].name for i in vessels]
    link_of = np.empty((2, len(blocks)), dtype=np.int64)
    link_of[0, links[:, 1]] = link_of[1, links[:, 0]] = np.arange(len(links))
    flow = 2 * link_of[:, vessels]
    at, m = np.concatenate([flow, flow + 1]), len(solution.time_s)
    table: dict[str, AnyArray] = {
        "name": np.repeat(np.array(names, dtype=object), m),
        "time": solution.time_s[None].repeat(len(vessels), axis=0).reshape(-1),
    }
    for prefix, values in (("", solution.values), ("d_", solution.rates))[: 1 + rates]:
        columns = values.T[at].reshape(4, len(vessels) * m)
        for name, column in zip(ENDS, columns, strict=True):
            table[prefix + name] = column
    return table


def variable_table(solution: LumpedSolution) -> dict[str, AnyArray]:
    """Return all variables, one row per variable and time: name, time, y, ydot."""
    m, n = solution.values.shape
    return {
        "name": np.repeat(np.array(solution.variables, dtype=object), m),
        "time": np.tile(solution.time_s, n),
        "y": solution.values.T.reshape(-1),
        "ydot": solution.rates.T.reshape(-1),
    }
