"""How blocks and links become one system of equations."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from meshes.arrays import AnyArray, Floats, Ints, ints
from solvers.errors import NetworkError
from solvers.kernels.lumped import System
from solvers.kernels.pattern import grouped
from solvers.lumped.elements import ANY, KINDS
from solvers.lumped.network import VESSEL_KINDS, Block, Network, Signal
from solvers.lumped.stamps import Clock, Group, Like, Sheet, joined

HEART_KIND = "ClosedLoopHeartAndPulmonary"
BEDS = ("CORONARY", "CORONARY_VAR_RES")
KIND = attrgetter("kind")
CODES, ORDER = {name: code for code, name in enumerate(KINDS)}, tuple(KINDS.values())
INNER, EQUATIONS = (
    ints([len(kind.inner) for kind in ORDER]),
    ints([kind.equations for kind in ORDER]),
)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where the variables and equations of a network are.

    Parameters
    ----------
    groups
        The blocks, like ones together.
    first
        First equation of each block.
    size
        Number of variables.
    """

    groups: tuple[Like, ...]
    first: Ints
    size: int


def laid_out(network: Network) -> Layout:
    """Number variables (flow 2k and pressure 2k+1 of link k, then inner ones) and equations.

    Raises
    ------
    NetworkError
        Unknown element, a wrong count of links, more or fewer equations than variables.
    """
    blocks, count = network.blocks, len(network.blocks)
    if not blocks:
        message = "the network has no elements"
        raise NetworkError(message)
    try:
        codes = np.fromiter(map(CODES.__getitem__, map(KIND, blocks)), np.int64, len(blocks))
    except KeyError:
        block = next(block for block in blocks if block.kind not in KINDS)
        message = (
            f"element {block.kind!r} of {block.name!r} is unknown; known: {', '.join(KINDS)}"
        )
        raise NetworkError(message) from None
    groups, member, variable, equation, first = grouped(network.links, codes, INNER, EQUATIONS)
    found, done, used, stamped = [], 0, 0, 0
    for code, inlets, outlets, size in groups.tolist():
        _check_links(blocks[member[done]], inlets, outlets)
        more = used + size * (2 * (inlets + outlets) + len(ORDER[code].inner))
        count = ORDER[code].equations
        if count == ANY:
            count = inlets + outlets + len(ORDER[code].inner)
        found.append(
            Like(
                member[done : done + size], inlets, outlets,
                variable[used:more].reshape(-1, size),
                equation[stamped : stamped + size * count].reshape(count, size),
            )
        )  # fmt: skip
        done, used, stamped = done + size, more, stamped + size * count
    if equation.size != 2 * len(network.links) + INNER[codes].sum():
        message = (
            f"{equation.size} equations for {2 * len(network.links) + INNER[codes].sum()} "
            f"unknowns: an end of the network has no boundary condition, or has two"
        )
        raise NetworkError(message)
    return Layout(tuple(found), first[:-1], equation.size)


def _check_links(block: Block, inlets: int, outlets: int) -> None:
    kind = KINDS[block.kind]
    if kind.inlets == kind.outlets == 0:
        if inlets + outlets == 1:
            return
        wanted = "one end"
    else:
        takes = ((kind.inlets, inlets), (kind.outlets, outlets))
        if all(is_ == may or (may == ANY and is_ > 0) for may, is_ in takes):
            return
        wanted = " and ".join(
            f"{'one' if n == 1 else 'one or more'} {what}"
            for n, what in ((kind.inlets, "inlet"), (kind.outlets, "outlet"))
        )
    message = (
        f"{block.kind} {block.name!r} has {inlets} inlets and {outlets} outlets, needs {wanted}"
    )
    raise NetworkError(message)


def variable_names(network: Network) -> tuple[str, ...]:
    """Return the names of all variables, in order."""
    names = []
    for up, down in network.links:
        pair = f"{network.blocks[up].name}:{network.blocks[down].name}"
        names += [f"flow:{pair}", f"pressure:{pair}"]
    for block in network.blocks:
        names += [f"{inner}:{block.name}" for inner in KINDS[block.kind].inner]
    return tuple(names)


def assembled(
    network: Network, layout: Layout, clock: Clock, memory: AnyArray | None = None
) -> System:
    """Return the system of equations at the times of `clock`.

    `memory` holds for each block what it remembers of the start (coronary beds: pressure on
    C_im less the intramyocardial one); None for nothing.
    """
    sheet = Sheet()
    memory = np.zeros(len(network.blocks)) if memory is None else memory
    groups = [(_members(network, like), like) for like in layout.groups]
    hearts = [(blocks, like) for blocks, like in groups if blocks[0].kind == HEART_KIND]
    if sum(len(blocks) for blocks, _ in hearts) > 1:
        message = f"a network can have one {HEART_KIND}, this one has more"
        raise NetworkError(message)
    heart = (hearts[0][0][0], hearts[0][1].variables[:, 0]) if hearts else None
    for blocks, like in groups:
        stamp = Group(blocks, like, sheet, clock, memory[like.numbers], heart)
        KINDS[blocks[0].kind].stamp(stamp)
    return joined(sheet, layout.size)


def _members(network: Network, like: Like) -> tuple[Block, ...]:
    numbers = like.numbers.tolist()
    if numbers[-1] - numbers[0] == len(numbers) - 1:  # as they mostly stand in a file
        return network.blocks[numbers[0] : numbers[-1] + 1]
    return tuple([network.blocks[i] for i in numbers])


def cycle_length_s(network: Network, given: float | None) -> float:
    """Return the one period of all periodic signals, hearts and the settings; else 1 s.

    Raises
    ------
    NetworkError
        Two of them differ.
    """
    period, source = given, "the simulation parameters"
    for block in network.blocks:
        for name, value in block.values.items():
            if isinstance(value, Signal) and value.periodic:
                here, who = value.period_s, f"{name} of {block.name!r}"
            elif name == "cardiac_cycle_period" and isinstance(value, float):
                here, who = value, f"{block.name!r}"
            else:
                continue
            if period is not None and abs(here - period) > 1e-9 * period:
                message = (
                    f"the cardiac period is {here:g} s in {who}, {period:g} s in {source}; "
                    f"they must be the same"
                )
                raise NetworkError(message)
            if period is None:
                period, source = here, who
    if period is None:
        return 1.0
    if not period > 0:
        message = f"the cardiac period is {period:g} s, must be positive"
        raise NetworkError(message)
    return period


def has_endless_signal(network: Network) -> bool:
    """Whether any signal does not repeat with the cycle."""
    return any(
        isinstance(value, Signal) and not value.periodic
        for block in network.blocks
        for value in block.values.values()
    )


def bed_memory(
    network: Network, layout: Layout, y: Floats, rate: Floats, mean: bool
) -> AnyArray:
    """Return what coronary beds remember of the start state, per block; 0 elsewhere.

    The pressure on C_im when its volume is counted as 0, less the intramyocardial pressure
    then (`mean`: that of the steady start).
    """
    memory = np.zeros(len(network.blocks))
    for like in layout.groups:
        if network.blocks[like.numbers[0]].kind not in BEDS:
            continue
        for i, p, q in zip(like.numbers, *like.variables[:2], strict=True):
            v = network.blocks[i].values
            ra, ca, ram = (
                _number(v[k]) for k in ("Ra1", "Ca", "Ra2" if "Ra2" in v else "Ra2_min")
            )
            into = y[q] - ca * (rate[p] - ra * rate[q])
            pim = v["Pim"]
            if isinstance(pim, Signal):
                start = pim.values.mean() if mean else pim.sampled(np.zeros(1))[0]
            else:
                start = _number(pim)
            memory[i] = y[p] - ra * y[q] - ram * into - start
    return memory


def _number(value: object) -> float:
    return float(value.values[0]) if isinstance(value, Signal) else float(value)  # type: ignore[arg-type]


def caps(network: Network, layout: Layout) -> tuple[tuple[int, int], ...]:
    """Return flow and pressure variables where vessels meet a boundary condition."""
    found = []
    for like in layout.groups:
        if network.blocks[like.numbers[0]].kind in VESSEL_KINDS:
            for into, out in like.variables[1:4:2].T // 2:
                if _is_boundary(network.blocks[network.links[out, 1]]):
                    found.append((2 * out, 2 * out + 1))
                elif _is_boundary(network.blocks[network.links[into, 0]]):
                    found.append((2 * into, 2 * into + 1))
    return tuple(found)


def _is_boundary(block: Block) -> bool:
    kind = KINDS[block.kind]
    return (kind.inlets == 0 and kind.outlets == 0) or block.kind.startswith("ClosedLoop")
