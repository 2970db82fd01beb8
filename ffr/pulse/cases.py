"""Whose coronary trees are to pulse: those of a run, or a centreline from outside?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ffr import pipeline
from ffr.centreline import INLET_PRESSURE_MMHG
from ffr.circulation.boundary import Supply, boundaries
from ffr.circulation.estimates import blood_from_patient, mean_aortic_pressure_mmhg
from ffr.circulation.patient import Patient, patient_from
from ffr.circulation.physiology import Assumption, Physiology
from ffr.errors import ConfigError
from ffr.pulse.beat import Beat, beat_of
from ffr.pulse.rest import Fed
from ffr.pulse.waves import MODELS
from ffr.results import stage_data, stages
from ffr.results.findings import lesion_numbers
from ffr.results.result_folder import require_run
from meshes.arrays import AnyArray, Ints, ints
from meshes.io import read_centreline
from meshes.rooting import rooted
from meshes.tree import CoronaryTree, VesselTree, outlets
from solvers.methods import DEFAULT, METHODS
from solvers.unreadable import presumed_open


@dataclass(frozen=True, slots=True)
class PulseSettings:
    """What the user asked for.

    Parameters
    ----------
    model
        "0d" (lumps) or "1d" (elastic vessels).
    side, inlet, solver
        Of a centreline from outside, as `ffr.centreline.SolveSettings` has them.
    at
        Points of the file at which waves are wanted, besides its outlets.
    """

    model: str = "0d"
    side: str = "left"
    inlet: int | None = None
    solver: str = DEFAULT
    at: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where ratios are read: name, point of the tree, number of that point in the file."""

    name: str
    point: int
    number: int


@dataclass(frozen=True, slots=True, eq=False)
class PulseTree:
    """One tree that is to pulse.

    Parameters
    ----------
    fed
        The tree, its ends and its steady flow.
    places
        The inlet, then where ratios are read.
    shown
        True where ratios may be shown, shape (n,).
    rows
        Index in the tree of each row of a table, shape (k,): of each point of the file.
    """

    fed: Fed
    places: tuple[Place, ...]
    shown: AnyArray
    rows: Ints


@dataclass(frozen=True, slots=True, eq=False)
class PulseCase:
    """The trees of one heart, what drives them, and what that rests on."""

    trees: tuple[PulseTree, ...]
    beat: Beat
    assumptions: tuple[Assumption, ...]
    warnings: tuple[str, ...] = ()


def centreline_case(path: Path, settings: PulseSettings, patient: Patient) -> PulseCase:
    """Read a `.vtp` or `.swc` file; hyperaemic flow as `ffr.centreline.solve_centreline`.

    Raises
    ------
    GeometryError
        A file that holds no tree.
    ConfigError
        Settings that are wrong, a point that the file does not have.
    ConvergenceError
        No steady flow was found.
    OSError
        The file cannot be read.
    """
    check(settings)
    tree, rows = rooted(read_centreline(path), settings.inlet)
    blood, about_blood = blood_from_patient(patient)
    aortic = _aortic_pressure(patient)
    supply = Supply(tree, tree.radius_mm, settings.side)
    physiology = Physiology()
    (ends,), assumptions = boundaries([supply], patient, None, physiology, aortic)
    steady = METHODS[settings.solver].with_beds(
        tree, ends.inlet_pressure_mmhg, ends.outlet_resistance_mmhg_min_ml,
        ends.venous_pressure_mmhg, blood,
    )  # fmt: skip
    fed = Fed(tree, settings.side, blood, ends, settings.solver, steady)
    places = _places_of_file(tree, rows, settings.at)
    beat, about_beat = beat_of(patient, physiology, ends.inlet_pressure_mmhg)
    first, *others = assumptions
    one = PulseTree(fed, places, np.ones(len(tree), dtype=bool), rows)
    return PulseCase((one,), beat, (first, *about_beat, about_blood, *others))


def run_case(out: Path, settings: PulseSettings, patient: Patient) -> PulseCase:
    """Read the trees of a run; patient values of its solve, overruled by those given.

    Raises
    ------
    ConfigError
        No run, no tree stage; patient values that contradict each other.
    ConvergenceError
        No steady flow was found.
    """
    check(settings)
    require_run(out)
    trees, _ = stage_data.load_trees(out)
    heart = stages.load_facts(stages.require_stage(out, "segment"))
    known = {}
    if stages.stage_folder(out, "solve").is_dir():
        known = {k: v for k, v in _remembered(out).items() if v is not None}
    known |= patient.model_dump(exclude_none=True)
    merged = patient_from(known, "patient")
    physiology = Physiology()
    flow = pipeline.solve(trees, merged, heart["lv_mass_g"] or None, physiology)
    findings = pipeline.find(trees, flow.solutions)
    numbers = lesion_numbers(trees, findings.lesions)
    made = []
    for t, (c, bed, steady) in enumerate(
        zip(trees, flow.boundaries, flow.solutions, strict=True)
    ):
        fed = Fed(presumed_open(c).tree, c.side, flow.blood, bed, "resolved", steady)
        shown = np.asarray(findings.analysed[t], dtype=bool)
        lesions = zip(numbers[t], findings.lesions[t], findings.distal[t], strict=True)
        places = _places_of_run(c, shown, sorted(lesions, key=lambda x: x[0]))
        made.append(PulseTree(fed, places, shown, ints(np.arange(len(c.tree)))))
    mean = flow.boundaries[0].inlet_pressure_mmhg
    beat, about_beat = beat_of(merged, physiology, mean)
    first, *others = flow.assumptions
    warnings = tuple(f.message for f in flow.flags)
    return PulseCase(tuple(made), beat, (first, *about_beat, *others), warnings)


def check(settings: PulseSettings) -> None:
    """Refuse settings that do not exist.

    Raises
    ------
    ConfigError
        Names the option and what it can be.
    """
    choices = {"model": MODELS, "side": ("left", "right"), "solver": tuple(METHODS)}
    for name, known in choices.items():
        if getattr(settings, name) not in known:
            message = f"--{name} is {getattr(settings, name)!r}, must be {' or '.join(known)}"
            raise ConfigError(message)


def _remembered(out: Path) -> dict[str, object]:
    folder = stages.require_stage(out, "solve")
    facts = stages.load_facts(folder)
    with stages.readable(folder):
        return dict(facts["settings"]["patient"])


def _aortic_pressure(patient: Patient) -> tuple[float, Assumption]:
    """Return what `ffr solve FILE` takes: 93 mmHg, unless the patient's pressure is known."""
    if patient.systolic_mmhg or patient.mean_aortic_pressure_mmhg:
        return mean_aortic_pressure_mmhg(patient)
    text = f"{INLET_PRESSURE_MMHG:.1f} mmHg"
    return INLET_PRESSURE_MMHG, Assumption("mean aortic pressure", text, "default", True)


def _places_of_file(tree: VesselTree, rows: Ints, at: tuple[int, ...]) -> tuple[Place, ...]:
    first = np.full(len(tree), rows.size)
    np.minimum.at(first, rows, np.arange(rows.size))
    places = [Place("inlet", 0, int(first[0]))]
    for number in at:
        if not 0 <= number < rows.size:
            message = f"--at is {number}, the file has points 0 to {rows.size - 1}"
            raise ConfigError(message)
        places.append(Place(f"point {number}", int(rows[number]), number))
    ends = ((int(point), int(first[point])) for point in outlets(tree))
    return (
        *places,
        *(Place(f"outlet at point {number}", point, number) for point, number in ends),
    )


def _places_of_run(
    coronary: CoronaryTree,
    shown: AnyArray,
    lesions: list[tuple[int, object, tuple[int, float]]],
) -> tuple[Place, ...]:
    """Return the inlet, where lesions are read, and where each analysed vessel ends."""
    places = [Place("inlet", 0, 0)]
    name = [coronary.names[b] for b in coronary.branch]
    for number, _, (point, distance) in lesions:
        if shown[point]:
            text = f"{distance:.0f} mm behind lesion {number}, {name[point]}"
            places.append(Place(text, int(point), int(point)))
    goes_on = np.zeros(len(coronary.tree), dtype=bool)
    below = np.flatnonzero(shown[1:]) + 1
    goes_on[coronary.tree.parent[below]] = True
    ends = np.flatnonzero(shown & ~goes_on)
    places += [Place(f"end of {name[p]}", int(p), int(p)) for p in ends if p > 0]
    return tuple(places)
