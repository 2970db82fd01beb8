"""What is true in a virtual heart that nobody measured? Its flow, pressures and blood, drawn.

The interval of the product comes from its own code; this draws the truth and shares none of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ffr import pipeline
from ffr.circulation.physiology import InputSpread
from meshes.arrays import Floats, floats
from meshes.tree import CoronaryTree, VesselTree, outlets, path_length_mm, sections
from solvers.blood import Blood
from solvers.resolved import solve_resolved


@dataclass(frozen=True, slots=True, eq=False)
class TrueHeart:
    """How a heart's blood flows under hyperaemia.

    Parameters
    ----------
    aortic_mmhg, venous_mmhg
        Mean pressures.
    blood
        Its viscosity.
    resistance_mmhg_min_ml
        Per tree, resistance of the bed behind each outlet.
    """

    aortic_mmhg: float
    venous_mmhg: float
    blood: Blood
    resistance_mmhg_min_ml: tuple[Floats, ...]

    def ffr(self, trees: Sequence[CoronaryTree]) -> tuple[Floats, ...]:
        """Return FFR at all points of trees that have this heart's outlets.

        Raises
        ------
        ConvergenceError
            No laminar flow was found.
        """
        ends = (self.aortic_mmhg, self.venous_mmhg)
        return tuple(
            floats(
                solve_resolved(c.tree, ends[0], r, ends[1], self.blood).pressure_mmhg / ends[0]
            )
            for c, r in zip(trees, self.resistance_mmhg_min_ml, strict=True)
        )


def drawn_heart(
    truth: Sequence[CoronaryTree], flow: pipeline.Flow, x: InputSpread,
    rng: np.random.Generator,
) -> TrueHeart:  # fmt: skip
    """Draw a heart around the usual values of `flow`, as far off as `x` says."""
    bed = flow.boundaries[0]
    aortic = bed.inlet_pressure_mmhg + x.pressure_mmhg * rng.normal()
    venous = max(0.0, bed.venous_pressure_mmhg + x.venous_mmhg * rng.normal())
    viscosity = flow.blood.viscosity_pa_s * np.exp(x.viscosity * rng.normal())
    response = flow.physiology.response.typical
    usual = [floats(b.resting_flow_ml_min * response) for b in flow.boundaries]
    flows = true_flows(truth, usual, x, flow.physiology.split_exponent.typical, rng)
    blood = Blood(viscosity, flow.blood.density_kg_m3)
    return TrueHeart(aortic, venous, blood, tuple(floats((aortic - venous) / q) for q in flows))


def true_flows(
    trees: Sequence[CoronaryTree], usual: Sequence[Floats], x: InputSpread, p: float,
    rng: np.random.Generator,
) -> list[Floats]:  # fmt: skip
    """Return each outlet's hyperaemic flow, with nothing narrowed, as this heart has it.

    `usual` are the flows by the usual rules; `p` is the usual exponent.
    """
    total = sum(float(q.sum()) for q in usual)
    total *= np.exp(x.flow * rng.normal() + x.response * rng.normal())
    exponent = x.exponent * rng.normal()  # more than usual
    weights = []
    for c, flow in zip(trees, usual, strict=True):
        runs = sections(c.tree)
        first = c.reference_radius_mm[: 1 + int(np.argmax(path_length_mm(c.tree) > 10.0))]
        start = np.median(first) ** exponent * np.exp(x.bifurcation * rng.normal() / 2**0.5)
        below = _below(c.tree, flow)
        # from mother to daughters: the usual ratio, bent by exponent and chance
        drawn = {int(r[1]): np.exp(x.bifurcation * rng.normal() / 2**0.5) for r in runs}
        share = np.ones(len(c.tree))
        for run in runs:
            siblings = [r for r in runs if r[0] == run[0]]
            bent = [below[r[1]] ** (1.0 + exponent / p) * drawn[int(r[1])] for r in siblings]
            me = [int(r[1]) for r in siblings].index(int(run[1]))
            own = bent[me] / sum(bent) if len(siblings) > 1 else 1.0
            share[run[1:]] = share[run[0]] * own
        weights.append((float(flow.sum()) * start, share[outlets(c.tree)]))
    heart = sum(w for w, _ in weights)
    return [floats(total * w / heart * share) for w, share in weights]


def _below(tree: VesselTree, outlet_flow: Floats) -> Floats:
    flow = np.zeros(len(tree))
    flow[outlets(tree)] = outlet_flow
    for i in range(len(tree) - 1, 0, -1):
        flow[tree.parent[i]] += flow[i]
    return flow
