"""What was solved before any stent, and what is solved again with one?

The beds stay as they are: microvascular resistance is the patient's, and a stent in a vessel of
millimetres does not change it. So flow rises where a stenosis goes, and every other lesion has
to be solved anew.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ffr import pipeline
from ffr.certainty.confidence import Confidence
from ffr.circulation.boundary import boundary_from_patient
from ffr.circulation.estimates import blood_from_patient, input_spread, personal
from ffr.circulation.patient import patient_from
from ffr.circulation.physiology import Physiology
from ffr.errors import ConfigError
from ffr.flags import Flag, Place
from ffr.results import stage_data, stages
from ffr.results.result_folder import require_run
from meshes.tree import CoronaryTree, outlets
from solvers.calibrated import STAGNANT, Calibrated, calibrate, with_radii
from solvers.errors import ConvergenceError
from solvers.occlusion import closed_beds, without_beyond
from solvers.solution import FlowSolution
from solvers.steady import solve_prescribed, solve_steady

AGREES_MMHG = 1.0  # beds found anew must carry the flow that was solved
REGAINED = (1.0, 0.5, 0.0)  # of what jets regain, in turn where no steady flow is found


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """A heart whose flow is known: the first result, or one with stents.

    Parameters
    ----------
    trees, flow, findings
        The trees, what was solved and what is read off.
    """

    trees: tuple[CoronaryTree, ...]
    flow: pipeline.Flow
    findings: pipeline.Findings


@dataclass(frozen=True, slots=True, eq=False)
class Fast:
    """Answers in milliseconds: lumped networks that repeat the first solution.

    Parameters
    ----------
    before
        The first result.
    networks
        Of each tree, calibrated on it.
    """

    before: Solved
    networks: tuple[Calibrated, ...]

    def solution(self, which: int, coronary: CoronaryTree) -> FlowSolution:
        """Return pressure and flow of one tree with other radii, between the same beds.

        Raises
        ------
        ConvergenceError
            No steady flow was found.
        """
        flow = self.before.flow
        bed = flow.boundaries[which]
        tree = pipeline.as_drawn(coronary).tree
        network = with_radii(self.networks[which], tree, flow.solutions[which].flow_ml_min)
        resistance = closed_beds(coronary.tree, bed.outlet_resistance_mmhg_min_ml)
        inlet = bed.inlet_pressure_mmhg
        if np.all(np.isinf(resistance)):
            none = solve_prescribed(tree, inlet, np.zeros(resistance.size), flow.blood)
            return without_beyond(coronary.tree, none)
        for share in REGAINED:
            b = network.quadratic
            kept = dataclasses.replace(network, quadratic=np.where(b < 0.0, share * b, b))
            try:
                found = solve_steady(
                    tree, inlet, resistance, bed.venous_pressure_mmhg, flow.blood, kept.closure
                )
            except ConvergenceError:
                if share == REGAINED[-1]:
                    raise
                continue
            if np.all(found.flow_ml_min >= 0.0):
                break
        return without_beyond(coronary.tree, found)

    def solutions(self, trees: tuple[CoronaryTree, ...]) -> tuple[FlowSolution, ...]:
        """Return pressure and flow of all trees; those that have not changed keep theirs.

        Raises
        ------
        ConvergenceError
            As in `solution`.
        """
        return tuple(
            self.before.flow.solutions[t] if c is self.before.trees[t] else self.solution(t, c)
            for t, c in enumerate(trees)
        )


def fast(before: Solved) -> Fast:
    """Return what answers quickly what stents would change."""
    networks = tuple(
        calibrate(pipeline.as_drawn(c).tree, s, before.flow.blood)
        for c, s in zip(before.trees, before.flow.solutions, strict=True)
    )
    return Fast(before, networks)


def resolve(before: Solved, trees: tuple[CoronaryTree, ...]) -> Solved:
    """Solve the trees that have changed, velocity profiles resolved, between the same beds.

    A tree whose first solution is the loss formula's is solved with that again. Where no
    laminar flow is found, the network of the first solution answers, and a flag says so.

    Raises
    ------
    ConvergenceError
        No steady flow was found.
    """
    flow = before.flow
    solutions, flags = list(flow.solutions), []
    for t, c in enumerate(trees):
        if c is before.trees[t]:
            continue
        method = "lumped" if t in flow.lumped else "resolved"
        try:
            solutions[t] = pipeline.solve_tree(c, flow.boundaries[t], flow.blood, method)
        except ConvergenceError:
            solutions[t] = fast(before).solution(t, c)
            message = (
                f"no laminar flow was found in the {c.side} tree with the stent; its FFR comes "
                "from the lumped network that repeats the first solution"
            )
            flags.append(Flag("flow-lumped", message, Place(c.side)))
    found = tuple(solutions)
    again = dataclasses.replace(flow, solutions=found, flags=(*flow.flags, *flags))
    return Solved(trees, again, pipeline.find(trees, found))


def load_solved(out: Path) -> tuple[Solved, Confidence]:
    """Read what a run has solved, with its beds, and how sure that is.

    Raises
    ------
    ConfigError
        No run, no finished stage 'solve', or one of a version with other physiology.
    """
    require_run(out)
    solutions, assumptions, settings, flags = stage_data.load_flow(out)
    trees, _ = stage_data.load_trees(out)
    heart = stages.load_facts(stages.require_stage(out, "segment"))
    mass = heart["lv_mass_g"] or None
    with stages.readable(stages.stage_folder(out, "solve")):
        known = {k: v for k, v in settings["patient"].items() if v is not None}
    patient = patient_from(known, "patient")
    physiology = personal(Physiology(), patient)
    blood, _ = blood_from_patient(patient, physiology)
    beds, _ = boundary_from_patient(trees, patient, mass, physiology)
    lumped = tuple(
        t
        for t, c in enumerate(trees)
        if any(f.name == "flow-lumped" and f.place == Place(c.side) for f in flags)
    )
    flow = pipeline.Flow(
        solutions, beds, blood, input_spread(patient, mass, physiology), assumptions,
        physiology, flags, lumped,
    )  # fmt: skip
    _check_beds(trees, flow)
    solved = Solved(trees, flow, pipeline.find(trees, solutions))
    return solved, stage_data.load_confidence(out)


def _check_beds(trees: tuple[CoronaryTree, ...], flow: pipeline.Flow) -> None:
    for c, s, bed in zip(trees, flow.solutions, flow.boundaries, strict=True):
        ends = outlets(c.tree)
        q, p = s.flow_ml_min[ends], s.pressure_mmhg[ends]
        runs = q > STAGNANT * s.flow_ml_min[0]
        asked = bed.venous_pressure_mmhg + bed.outlet_resistance_mmhg_min_ml * q
        if np.any(np.abs(asked - p)[runs] > AGREES_MMHG):
            message = (
                "this run was solved with other beds than this version finds for it; "
                "run 'ffr solve' again"
            )
            raise ConfigError(message)
