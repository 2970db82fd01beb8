"""How do pressure and flow beat in a coronary tree, at rest and in hyperaemia?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ffr.pulse.beat import Beat
from ffr.pulse.losses import Fed, Losses, losses_of, regained_mmhg
from ffr.pulse.rest import resting_beds
from meshes.arrays import Floats, Ints, floats, ints
from meshes.errors import GeometryError
from meshes.tree import VesselTree, outlets
from solvers.blood import Blood
from solvers.elastic import coronary as elastic
from solvers.elastic.beds import Bed, Resistance, coronary_beds
from solvers.errors import ConvergenceError
from solvers.losses import Closure, poiseuille
from solvers.lumped import coronary as lumped
from solvers.occlusion import occluded
from solvers.ratios import mean_pressure_ratio, wave_free_ratio
from solvers.steady import solve_steady

MODELS = ("0d", "1d")
STEP_S, LEAST_STEPS = 0.004, 60  # of the lumps; FFR changes by 0.0001 with half as many
RATIOS = ("ffr_steady", "ffr_steady_rms", "ffr", "resting_pd_pa", "ifr")
CLOSED_MMHG_MIN_ML = 1e4  # passes 0.01 mL/min: more cannot be told from a closed end


@dataclass(frozen=True, slots=True, eq=False)
class Wave:
    """Pressure and flow over one cycle at k points of a tree.

    Parameters
    ----------
    time_s
        From 0 to the period, both included, shape (t,).
    pressure_mmhg, flow_ml_min
        Static pressure; flow that arrives from upstream; shape (t, k), not numbers behind
        an occlusion.
    """

    time_s: Floats
    pressure_mmhg: Floats
    flow_ml_min: Floats

    def __post_init__(self) -> None:
        for name in ("time_s", "pressure_mmhg", "flow_ml_min"):
            object.__setattr__(self, name, floats(getattr(self, name)))

    @property
    def mean_pressure_mmhg(self) -> Floats:
        """Mean over the cycle, shape (k,)."""
        return self._mean(self.pressure_mmhg)

    @property
    def mean_flow_ml_min(self) -> Floats:
        """Mean over the cycle, shape (k,)."""
        return self._mean(self.flow_ml_min)

    def _mean(self, values: Floats) -> Floats:
        return floats(np.trapezoid(values, self.time_s, axis=0) / np.ptp(self.time_s))


@dataclass(frozen=True, slots=True, eq=False)
class Pulsed:
    """What a tree does within a beat.

    Parameters
    ----------
    ratios
        By name (`RATIOS`), at each point of the tree, shape (n,): FFR of the steady solve, of
        the same with quadratic losses at the root-mean-square flow, of the cycle's means;
        resting Pd/Pa; iFR. Not numbers behind an occlusion.
    hyperaemia, rest
        Waves at the points that were asked for.
    """

    ratios: dict[str, Floats]
    hyperaemia: Wave
    rest: Wave


def pulsed(fed: Fed, beat: Beat, points: ArrayLike, model: str = "0d") -> Pulsed:
    """March a tree through heart beats, hyperaemic and at rest, until they repeat.

    Losses are those of the steady solver at the mean flow of each state, so that without a
    pulse this is what `ffr solve` finds.

    Parameters
    ----------
    fed, beat
        What flows where, and what drives it.
    points
        Points of the tree whose waves are kept, shape (k,).
    model
        "0d" (lumps) or "1d" (elastic vessels).

    Raises
    ------
    GeometryError
        Every outlet lies behind an occlusion; a tree that branches at its inlet (1D).
    ConvergenceError
        No periodic state was found.
    """
    part = _open_part(fed.tree)
    stressed = _restricted(losses_of(fed, fed.steady), part)
    at_rest, resting = resting_beds(fed)
    rested = _restricted(at_rest, part)
    need = fed.boundary.outlet_resistance_mmhg_min_ml
    beds = [_beds(fed, part, beat, r) for r in (need, resting)]
    at = ints(points)
    hyperaemia, ffr, _ = _march(fed, part, beat, beds[0], stressed, at, model)
    rest, resting_ratio, wave_free = _march(fed, part, beat, beds[1], rested, at, model)
    steady = fed.steady.pressure_mmhg / fed.steady.pressure_mmhg[0]
    rms = _rms_ratio(fed, part, beat, beds[0], stressed)
    values = (steady, rms, ffr, resting_ratio, wave_free)
    return Pulsed(dict(zip(RATIOS, map(floats, values), strict=True)), hyperaemia, rest)


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    """What lies before occlusions: its points, a tree, the beds of its ends (-1: none)."""

    points: Ints
    tree: VesselTree
    bed: Ints


def _open_part(tree: VesselTree) -> _Open:
    points = np.flatnonzero(~occluded(tree))
    number = np.full(len(tree) + 1, -1)  # the last one: parent of the inlet
    number[points] = np.arange(points.size)
    bed_of = np.full(len(tree), -1)
    ends = outlets(tree)
    bed_of[ends] = np.arange(ends.size)
    if points.size < 2 or np.all(bed_of[points] < 0):
        message = "every outlet lies behind an occlusion: nothing flows, there is no pulse"
        raise GeometryError(message)
    part = VesselTree(
        tree.points_mm[points], tree.radius_mm[points], number[tree.parent[points]]
    )
    return _Open(ints(points), part, ints(bed_of[points][outlets(part)]))


def _restricted(losses: Losses, part: _Open) -> Losses:
    (a, b), (smooth_a, smooth_b) = losses.shown, losses.marched
    at = part.points
    return Losses((a[at], b[at]), (smooth_a[at], smooth_b[at]))


def _beds(fed: Fed, part: _Open, beat: Beat, resistance: Floats) -> list[Bed]:
    area = np.pi * part.tree.radius_mm[outlets(part.tree)] ** 2
    own = np.where(part.bed >= 0, resistance[part.bed], np.inf)
    drained = own < CLOSED_MMHG_MIN_ML
    venous = fed.boundary.venous_pressure_mmhg
    made = iter(
        coronary_beds(
            own[drained], area[drained], fed.side, beat.time_s, beat.ventricle_mmhg, venous
        )
    )
    return [next(made) if bed else Resistance(CLOSED_MMHG_MIN_ML, venous) for bed in drained]


def _march(
    fed: Fed, part: _Open, beat: Beat, beds: list[Bed], losses: Losses, points: Ints,
    model: str,
) -> tuple[Wave, Floats, Floats]:  # fmt: skip
    """Return waves at `points`, mean and wave-free pressure ratio at all points of the tree."""
    given = (part.tree, fed.blood, beat, beds, lambda *_: losses.marched)
    found = _in_lumps(*given) if model == "0d" else _in_one_dimension(*given)
    regained = regained_mmhg(part.tree, losses, found.flow_ml_min)
    pulse = Wave(found.time_s, found.pressure_mmhg + regained, found.flow_ml_min)
    ratios = mean_pressure_ratio(pulse), wave_free_ratio(pulse, beat.diastole_s)
    n = len(fed.tree)
    number = np.full(n, -1)
    number[part.points] = np.arange(part.points.size)
    at = number[points]
    waves = [
        np.where(at >= 0, w[:, at], np.nan) for w in (pulse.pressure_mmhg, pulse.flow_ml_min)
    ]
    whole = []
    for ratio in ratios:
        values = np.full(n, np.nan)
        values[part.points] = ratio
        whole.append(values)
    return Wave(pulse.time_s, *waves), whole[0], whole[1]


def _in_lumps(
    tree: VesselTree, blood: Blood, beat: Beat, beds: list[Bed], closure: Closure
) -> lumped.LumpedPulse:
    """March in lumps; with longer steps where the usual ones bring out a lump's own ringing."""
    given = (tree, blood, beat.time_s, beat.aortic_mmhg, beds, closure)
    steps = max(LEAST_STEPS, round(beat.period_s / STEP_S))
    for count in (steps, max(LEAST_STEPS, steps // 2)):
        try:
            return lumped.solve_pulsatile(*given, steps=count)
        except ConvergenceError as error:
            reason = str(error).partition(";")[0]
    message = f"no beat was found in lumps ({reason}); try --solver lumped or --model 1d"
    raise ConvergenceError(message)


def _in_one_dimension(
    tree: VesselTree, blood: Blood, beat: Beat, beds: list[Bed], closure: Closure
) -> elastic.CoronaryPulse:
    return elastic.solve_coronary(tree, blood, beat.time_s, beat.aortic_mmhg, beds, closure)


def _rms_ratio(fed: Fed, part: _Open, beat: Beat, beds: list[Bed], losses: Losses) -> Floats:
    """Return FFR of the steady solve with quadratic losses at the root-mean-square flow."""
    bed = fed.boundary
    plain = _in_lumps(part.tree, fed.blood, beat, beds, poiseuille)
    resistance = np.full(part.bed.size, np.inf)
    drained = part.bed >= 0
    resistance[drained] = bed.outlet_resistance_mmhg_min_ml[part.bed[drained]]
    found = solve_steady(
        part.tree, bed.inlet_pressure_mmhg, resistance, bed.venous_pressure_mmhg, fed.blood,
        lumped.rms_corrected(lambda *_: losses.shown, lumped.pulsatility(plain)),
    )  # fmt: skip
    values = np.full(len(fed.tree), np.nan)
    values[part.points] = found.pressure_mmhg / found.pressure_mmhg[0]
    return values
