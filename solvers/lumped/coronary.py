"""How pressure and flow pulse through a coronary tree, in lumps: waves at every point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from meshes.arrays import Floats, Ints, floats, ints
from meshes.tree import VesselTree, outlets, path_length_mm, sections, segment_length_mm
from solvers.blood import Blood
from solvers.elastic.beds import Bed, CoronaryBed, Resistance, Windkessel
from solvers.elastic.walls import olufsen_stiffness_mmhg
from solvers.errors import ConvergenceError, NetworkError
from solvers.losses import Closure, borda_carnot
from solvers.lumped.network import Block, Network, Settings, Signal, Value
from solvers.lumped.simulate import Beats
from solvers.units import M3_S_PER_ML_MIN, M_PER_MM, PA_PER_MMHG

LUMP_MM = 20.0  # a hundredth of the wave length of the 5th harmonic at 10 m/s
S_PER_MIN = 60.0
M3_PER_ML = 1e-6
GAINING = "BloodVesselCRL"  # of a lump that costs the less the more flows
TOLERANCE = 1e-8  # mmHg or mL/s: a million times the rounding of 100 mmHg


@dataclass(frozen=True, slots=True, eq=False)
class Lumps:
    """A tree cut into lumps, each one element of a network.

    Parameters
    ----------
    points
        The tree's points of each lump, its upper end (the end of the lump before) first.
    after
        The lump before, -1 at the inlet, shape (k,).
    """

    points: tuple[Ints, ...]
    after: Ints

    def __post_init__(self) -> None:
        object.__setattr__(self, "after", ints(self.after))


@dataclass(frozen=True, slots=True, eq=False)
class LumpedPulse:
    """Waves at every point of a tree over one cycle.

    Parameters
    ----------
    time_s
        From the start of the cycle, its end included, shape (t,).
    pressure_mmhg
        Static pressure at each point, shape (t, n).
    total_pressure_mmhg
        Static plus kinetic head, shape (t, n).
    flow_ml_min
        Flow that arrives at each point from its parent, shape (t, n).
    cycles
        Cycles computed until the last two agreed.
    change_percent
        Largest difference between these two, of the largest value of each variable.
    """

    time_s: Floats
    pressure_mmhg: Floats
    total_pressure_mmhg: Floats
    flow_ml_min: Floats
    cycles: int
    change_percent: float

    def __post_init__(self) -> None:
        for name in ("time_s", "pressure_mmhg", "total_pressure_mmhg", "flow_ml_min"):
            object.__setattr__(self, name, floats(getattr(self, name)))


def lumps_of(tree: VesselTree, longest_mm: float = LUMP_MM) -> Lumps:
    """Cut each section of a tree into lumps of equal length, none longer than asked for."""
    s = path_length_mm(tree)
    points: list[Ints] = []
    after: list[int] = []
    last = {0: -1}  # lump that ends at a point
    for run in sections(tree):
        length = s[run[-1]] - s[run[0]]
        count = max(1, int(np.ceil(length / longest_mm)))
        marks = s[run[0]] + length * np.arange(1, count) / count
        cuts = np.unique([0, *np.searchsorted(s[run], marks), run.size - 1])
        for first, end in pairwise(cuts):
            after.append(last[int(run[first])])
            last[int(run[end])] = len(points)
            points.append(ints(run[first : end + 1]))
    return Lumps(tuple(points), np.array(after))


def lumped_network(
    tree: VesselTree,
    blood: Blood,
    inlet: Signal,
    beds: Sequence[Bed],
    closure: Closure = borda_carnot,
    lumps: Lumps | None = None,
) -> Network:
    """Make a network of a tree, in mmHg, mL and s; node pressures are total pressures.

    Each lump has the viscous and quadratic losses of its segments (from the closure), the
    compliance 2 A/k of Olufsen's wall (stiffness k) and the inertance rho/A, summed along
    it. The kinetic head is taken off where a bed begins and put on at the inlet, so that
    for steady flow this is what `solvers.steady` solves. Compliance lies behind the losses,
    but before them in a lump that gains head: there the flow that fills it would feed itself
    once 2 |S| q > R, and run away with a time constant of C (2 |S| q - R), some 0.03 ms.

    Parameters
    ----------
    tree, blood
        What flows where.
    inlet
        Static pressure at the inlet [mmHg].
    beds
        One per outlet, in the order of `meshes.tree.outlets`.
    closure
        Loss coefficients, see `solvers.losses`.
    lumps
        How the tree is cut; `lumps_of(tree)` if not given.

    Raises
    ------
    NetworkError
        A number of beds that does not fit, a kind of bed that has no lumped element.
    """
    lumps = lumps or lumps_of(tree)
    ends = outlets(tree)
    if len(beds) != ends.size:
        message = f"the tree has {ends.size} outlets, {len(beds)} beds are given"
        raise NetworkError(message)
    a, b, c, ind = _coefficients(tree, blood, closure)
    head = _head(tree, blood)
    bed_of = dict(zip(ends.tolist(), beds, strict=True))
    blocks = [Block("inlet", "PRESSURE", {"P": inlet})]
    links: list[tuple[int, int]] = []
    count = len(lumps.points)
    children: list[list[int]] = [[] for _ in range(count + 1)]
    for k, before in enumerate(lumps.after):
        children[before].append(k)
    for k, points in enumerate(lumps.points):
        own, end = points[1:], int(points[-1])
        loss = b[own].sum() + (head[end] if not children[k] else 0.0)
        loss -= head[0] if points[0] == 0 and len(children[-1]) == 1 else 0.0
        values: dict[str, Value] = {
            "R_poiseuille": float(a[own].sum()), "C": float(c[own].sum()),
            "L": float(ind[own].sum()), "stenosis_coefficient": float(loss),
        }  # fmt: skip
        kind = "BloodVessel" if loss >= 0 else GAINING
        blocks.append(Block(f"lump {points[0]} to {end}", kind, values))
    for k in range(count):
        if not children[k]:
            end = int(lumps.points[k][-1])
            links.append((k + 1, len(blocks)))
            blocks.append(_bed_block(f"bed {end}", bed_of[end]))
    for k in range(-1, count):
        below = children[k]
        if len(below) == 1:
            links.append((k + 1, below[0] + 1))
        elif below:
            links.append((k + 1, len(blocks)))
            links += [(len(blocks), child + 1) for child in below]
            blocks.append(Block(f"junction below {k}", "NORMAL_JUNCTION", {}))
    return Network(tuple(blocks), np.array(links))


def solve_pulsatile(
    tree: VesselTree,
    blood: Blood,
    time_s: ArrayLike,
    aortic_pressure_mmhg: ArrayLike,
    beds: Sequence[Bed],
    closure: Closure = borda_carnot,
    steps: int = 200,
    tolerance_percent: float = 0.01,
    most_cycles: int = 200,
    longest_mm: float = LUMP_MM,
) -> LumpedPulse:
    """Drive a tree with an aortic pressure over many beats and return the periodic one.

    Parameters
    ----------
    tree, blood, beds, closure
        As in `lumped_network`.
    time_s, aortic_pressure_mmhg
        Waveform at the inlet from time 0 to the period, both ends included.
    steps
        Time steps per cycle.
    tolerance_percent
        Periodic is a cycle that differs from the one before by less, of the largest value
        of each variable.
    most_cycles
        When to give up.
    longest_mm
        Length of a lump.

    Raises
    ------
    NetworkError
        As `lumped_network`; a waveform that is none.
    ConvergenceError
        No periodic state; names the place that still changes.
    """
    lumps = lumps_of(tree, longest_mm)
    inlet = Signal(floats(time_s), floats(aortic_pressure_mmhg))
    network = lumped_network(tree, blood, inlet, beds, closure, lumps)
    settings = Settings(points_per_cycle=steps + 1, tolerance=TOLERANCE)
    beats = Beats(network, settings)
    before, _ = beats.next()
    for _ in range(1, most_cycles):
        values, rates = beats.next()
        gap = np.abs(values - before).max(axis=0)
        size = np.abs(values).max(axis=0)
        change = 100.0 * gap / np.where(size > 0, size, 1.0)
        if change.max() <= tolerance_percent:
            break
        before = values
    else:
        message = (
            f"no periodic state after {most_cycles} cycles: {beats.name(int(change.argmax()))} "
            f"still changes by {change.max():.2g} %, allowed are {tolerance_percent:g} %"
        )
        raise ConvergenceError(message)
    time = floats(np.linspace(0.0, inlet.period_s, steps + 1))
    waves = _at_points(tree, blood, closure, lumps, network, values, rates)
    return LumpedPulse(time, *waves, beats.cycles, float(change.max()))


def pulsatility(pulse: LumpedPulse) -> Floats:
    """Return mean(Q|Q|) / mean(Q)^2 of each point, (n,): 1 for steady flow.

    A quadratic loss b costs on average b times this times the squared mean flow, which is
    b at the root-mean-square flow; so the steady solve with this factor on b has the mean
    drop (Journal of Biomechanics 2019;82:313).
    """
    q, t = pulse.flow_ml_min, pulse.time_s
    mean = np.trapezoid(q, t, axis=0)
    square = np.trapezoid(q * np.abs(q), t, axis=0) * (t[-1] - t[0])
    return floats(np.where(mean != 0, square / np.where(mean != 0, mean, 1.0) ** 2, 1.0))


def rms_corrected(closure: Closure, factor: Floats) -> Closure:
    """Return a closure whose quadratic losses are multiplied by `pulsatility`, (n,)."""

    def corrected(tree: VesselTree, blood: Blood) -> tuple[Floats, Floats]:
        a, b = closure(tree, blood)
        return a, floats(b * factor)

    return corrected


def _coefficients(
    tree: VesselTree, blood: Blood, closure: Closure
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return a, b, compliance and inertance of each segment, (n,), in mmHg, mL, s."""
    a, b = closure(tree, blood)
    up = np.maximum(tree.parent, 0)
    length = segment_length_mm(tree) * M_PER_MM
    area = np.pi * (tree.radius_mm * M_PER_MM) ** 2
    soft = 2.0 * area / olufsen_stiffness_mmhg(tree.radius_mm)  # m2/mmHg
    compliance = 0.5 * (soft + soft[up]) * length / M3_PER_ML
    inertance = blood.density_kg_m3 * length / np.sqrt(area * area[up])  # exact for cones
    per = PA_PER_MMHG / M3_PER_ML
    return (
        floats(a / per), floats(b / (per / M3_PER_ML)), floats(compliance),
        floats(inertance / per),
    )  # fmt: skip


def _head(tree: VesselTree, blood: Blood) -> Floats:
    """Return h of the kinetic head h Q|Q|, (n,), in mmHg and mL/s."""
    area = np.pi * (tree.radius_mm * M_PER_MM) ** 2
    return floats(blood.density_kg_m3 / 2.0 * (M3_PER_ML / area) ** 2 / PA_PER_MMHG)


def _bed_block(name: str, bed: Bed) -> Block:
    """Return the boundary element of a bed, resistances in mmHg s/mL."""
    if isinstance(bed, CoronaryBed):
        muscle: Value = float(bed.muscle_mmhg[0])
        if bed.muscle_mmhg.size > 1:
            muscle = Signal(bed.time_s, bed.muscle_mmhg)
        return Block(name, "CORONARY", {
            "Ra1": bed.arterial_mmhg_min_ml * S_PER_MIN,
            "Ra2": bed.capillary_mmhg_min_ml * S_PER_MIN,
            "Rv1": bed.venous_mmhg_min_ml * S_PER_MIN,
            "Ca": bed.arterial_compliance_ml_mmhg,
            "Cc": bed.intramyocardial_compliance_ml_mmhg,
            "Pim": muscle, "P_v": bed.behind_mmhg,
        })  # fmt: skip
    if isinstance(bed, Resistance):
        r = bed.resistance_mmhg_min_ml * S_PER_MIN
        return Block(name, "RESISTANCE", {"R": r, "Pd": bed.behind_mmhg})
    if isinstance(bed, Windkessel) and bed.proximal_mmhg_min_ml is not None:
        return Block(name, "RCR", {
            "Rp": bed.proximal_mmhg_min_ml * S_PER_MIN, "C": bed.compliance_ml_mmhg,
            "Rd": bed.distal_mmhg_min_ml * S_PER_MIN, "Pd": bed.behind_mmhg,
        })  # fmt: skip
    message = f"a {type(bed).__name__} at {name!r} has no lumped element; give its resistances"
    raise NetworkError(message)


def _at_points(
    tree: VesselTree,
    blood: Blood,
    closure: Closure,
    lumps: Lumps,
    network: Network,
    values: np.ndarray,
    rates: np.ndarray,
) -> tuple[Floats, Floats, Floats]:
    """Return static and total pressure [mmHg] and flow [mL/min] at each point, (t, n).

    Along a lump the head falls as its element has it: losses at the flow that enters (that
    leaves, where head is gained), inertia of the flow that leaves; flow is linear in length.
    """
    a, b, _, ind = _coefficients(tree, blood, closure)
    h = _head(tree, blood)
    s = path_length_mm(tree)
    total = np.zeros((len(values), len(tree)))
    flow = np.zeros_like(total)
    up, down = network.links[:, 0], network.links[:, 1]
    for k, points in enumerate(lumps.points):
        (into,), (out,) = np.flatnonzero(down == k + 1), np.flatnonzero(up == k + 1)
        enters, leaves = values[:, 2 * into], values[:, 2 * out]
        passes = leaves if network.blocks[k + 1].kind == GAINING else enters
        own = points[1:]
        share = (s[own] - s[points[0]]) / (s[points[-1]] - s[points[0]])
        flow[:, own] = enters[:, None] + (leaves - enters)[:, None] * share
        top = values[:, 2 * into + 1]
        if points[0] == 0:
            flow[:, 0] += enters
            total[:, 0] = top
        else:
            top = total[:, points[0]]
        if points[0] == 0 and np.count_nonzero(lumps.after == -1) == 1:
            top = top + h[0] * passes * np.abs(passes)
        fall = np.cumsum(a[own]) * passes[:, None]
        fall += np.cumsum(b[own]) * (passes * np.abs(passes))[:, None]
        fall += np.cumsum(ind[own]) * rates[:, 2 * out][:, None]
        total[:, own] = top[:, None] - fall
    kinetic = h * flow * np.abs(flow)
    total[:, 0] += kinetic[:, 0]  # the inlet's pressure is given as static
    return floats(total - kinetic), floats(total), floats(flow * (M3_PER_ML / M3_S_PER_ML_MIN))
