"""How blocks and links become one system of equations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.arrays import AnyArray, Floats, Ints
from solvers.kernels.lumped import System
from solvers.lumped.elements import ANY, KINDS
from solvers.lumped.network import VESSEL_KINDS, Block, Network, NetworkError, Signal
from solvers.lumped.stamps import Clock, Group, Sheet, joined

HEART_KIND = "ClosedLoopHeartAndPulmonary"
BEDS = ("CORONARY", "CORONARY_VAR_RES")


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where the variables and equations of a network are.

    Parameters
    ----------
    into, out
        Links sorted by the block they end in, or start from, shape (m,).
    into_start, out_start
        Where in these the links of each block begin, shape (blocks + 1,).
    inner
        First inner variable of each block.
    first
        First equation of each block.
    size
        Number of variables.
    groups
        Numbers of like blocks, with equal counts of inlets and outlets.
    """

    into: Ints
    out: Ints
    into_start: Ints
    out_start: Ints
    inner: Ints
    first: Ints
    size: int
    groups: tuple[Ints, ...]


def laid_out(network: Network) -> Layout:
    """Number variables (flow 2k and pressure 2k+1 of link k, then inner ones) and equations.

    Raises
    ------
    NetworkError
        Unknown element, a wrong count of links, more or fewer equations than variables.
    """
    blocks, count = network.blocks, len(network.blocks)
    up, down = network.links[:, 0], network.links[:, 1]
    into_start, out_start = (
        np.zeros(count + 1, dtype=np.int64),
        np.zeros(count + 1, dtype=np.int64),
    )
    into_start[1:] = np.cumsum(np.bincount(down, minlength=count))
    out_start[1:] = np.cumsum(np.bincount(up, minlength=count))
    arity = zip(np.diff(into_start).tolist(), np.diff(out_start).tolist(), strict=True)
    like: dict[tuple[str, tuple[int, int]], list[int]] = {}
    for i, (block, ends) in enumerate(zip(blocks, arity, strict=True)):
        like.setdefault((block.kind, ends), []).append(i)
    inner, first = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    groups = []
    for (name, (inlets, outlets)), members in like.items():
        _check_links(blocks[members[0]], inlets, outlets)
        group = np.array(members, dtype=np.int64)
        kind = KINDS[name]
        equations = kind.equations
        if equations == ANY:
            equations = inlets + outlets + (name == "resistive_junction")
        inner[group], first[group] = len(kind.inner), equations
        groups.append(group)
    variable = 2 * len(network.links) + int(inner.sum())
    equation = int(first.sum())
    if variable != equation:
        message = (
            f"{equation} equations for {variable} unknowns: an end of the network has no "
            f"boundary condition, or has two"
        )
        raise NetworkError(message)
    return Layout(
        np.argsort(down, kind="stable"), np.argsort(up, kind="stable"), into_start, out_start,
        2 * len(network.links) + np.cumsum(inner) - inner, np.cumsum(first) - first,
        variable, tuple(groups),
    )  # fmt: skip


def _check_links(block: Block, inlets: int, outlets: int) -> None:
    if block.kind not in KINDS:
        message = (
            f"element {block.kind!r} of {block.name!r} is unknown; known: {', '.join(KINDS)}"
        )
        raise NetworkError(message)
    kind = KINDS[block.kind]
    if kind.inlets == kind.outlets == 0:
        fits, wanted = inlets + outlets == 1, "one end"
    else:
        fits = (inlets == kind.inlets or (kind.inlets == ANY and inlets > 0)) and (
            outlets == kind.outlets or (kind.outlets == ANY and outlets > 0)
        )
        wanted = " and ".join(
            f"{'one' if n == 1 else 'one or more'} {what}"
            for n, what in ((kind.inlets, "inlet"), (kind.outlets, "outlet"))
        )
    if not fits:
        message = (
            f"{block.kind} {block.name!r} has {inlets} inlets and {outlets} outlets, needs "
            f"{wanted}"
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


def ends_of(layout: Layout, group: Ints) -> tuple[Ints, int, int]:
    """Return the links of each block of a group, inlets first, (g, n); how many of each."""
    inlets = int(layout.into_start[group[0] + 1] - layout.into_start[group[0]])
    outlets = int(layout.out_start[group[0] + 1] - layout.out_start[group[0]])
    into = layout.into[layout.into_start[group][:, None] + np.arange(inlets)]
    out = layout.out[layout.out_start[group][:, None] + np.arange(outlets)]
    return np.concatenate([into, out], axis=1), inlets, outlets


def local_variables(
    network: Network, layout: Layout, group: Ints, ends: Ints | None = None
) -> Ints:
    """Return the variables of each block of a group of like blocks, shape (g, n)."""
    ends = ends_of(layout, group)[0] if ends is None else ends
    count = len(KINDS[network.blocks[group[0]].kind].inner)
    n = 2 * ends.shape[1]
    table = np.empty((len(group), n + count), dtype=np.int64)
    table[:, 0:n:2] = 2 * ends + 1
    table[:, 1:n:2] = 2 * ends
    table[:, n:] = layout.inner[group][:, None] + np.arange(count)
    return table


def assembled(
    network: Network, layout: Layout, clock: Clock, memory: AnyArray | None = None
) -> System:
    """Return the system of equations at the times of `clock`.

    `memory` holds for each block what it remembers of the start (coronary beds: pressure on
    C_im less the intramyocardial one); None for nothing.
    """
    sheet = Sheet()
    memory = np.zeros(len(network.blocks)) if memory is None else memory
    heart = None
    for group in layout.groups:
        if network.blocks[group[0]].kind == HEART_KIND:
            if len(group) > 1 or heart is not None:
                message = f"a network can have one {HEART_KIND}, this one has more"
                raise NetworkError(message)
            heart = (network.blocks[group[0]], local_variables(network, layout, group)[0])
    for group in layout.groups:
        blocks = [network.blocks[i] for i in group]
        ends, inlets, outlets = ends_of(layout, group)
        variables = local_variables(network, layout, group, ends)
        equations = layout.first[group][:, None] + np.arange(variables.shape[1])
        stamp = Group(
            blocks, inlets, outlets, variables, equations, sheet, clock, memory[group], heart
        )
        KINDS[blocks[0].kind].stamp(stamp)
        stamp.close()
    return joined(sheet, layout.size)


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
    for group in layout.groups:
        if network.blocks[group[0]].kind not in BEDS:
            continue
        variables = local_variables(network, layout, group)
        for i, (p, q) in zip(group, variables[:, :2], strict=True):
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
    for group in layout.groups:
        if network.blocks[group[0]].kind in VESSEL_KINDS:
            for into, out in ends_of(layout, group)[0]:
                if _is_boundary(network.blocks[network.links[out, 1]]):
                    found.append((2 * out, 2 * out + 1))
                elif _is_boundary(network.blocks[network.links[into, 0]]):
                    found.append((2 * into, 2 * into + 1))
    return tuple(found)


def _is_boundary(block: Block) -> bool:
    kind = KINDS[block.kind]
    return (kind.inlets == 0 and kind.outlets == 0) or block.kind.startswith("ClosedLoop")
