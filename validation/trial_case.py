"""One patient of a virtual trial: the truth, the wire, the scan, what the pipeline says of it.

The pipeline sees a DICOM study and a cuff pressure. The truth is a resolved solve on the exact
lumen with a flow, blood and pressure that nobody told it; a wire reads it with noise.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ffr import pipeline
from ffr.circulation.estimates import input_spread
from ffr.circulation.patient import Patient
from ffr.circulation.physiology import Known, Physiology
from ffr.errors import StudyError
from ffr.flags import Flag
from ffr.phantom.imaging import scan
from ffr.phantom.study import scan_grid, true_lv_mass_g
from ffr.reading.dicom_series import PatientHeader, SeriesHeader
from ffr.reading.dicom_write import write_series
from ffr.reading.study import read_study
from ffr.scan import Scan
from meshes.arrays import Floats
from meshes.errors import GeometryError
from meshes.stenosis import Lesion
from meshes.tree import CoronaryTree, path_to
from solvers.errors import ConvergenceError
from validation.cohort.ceiling import INVASIVE_SD
from validation.cohort.reading import Status
from validation.held_out import silent
from validation.segmentation_calcium import calcium_arc_deg
from validation.segmentation_lesions import Links, largest_arc_deg, links, number, point_at
from validation.trial_patients import Enrolled, enrolled
from validation.true_heart import TrueHeart, drawn_heart

MEASURED_PERCENT = (30.0, 90.0)  # of diameter: the stenoses a wire is sent to
LEAST_DIAMETER_MM = 2.0  # of the healthy vessel at the throat
SIZE, SPACING_MM = (400, 400, 240), (0.5, 0.5, 0.5)
Sensor = tuple[int, Lesion, int]  # tree, the lesion behind which it lies, point


@dataclass(frozen=True, slots=True)
class Wired:
    """One vessel with a pressure wire: truth, its reading, and what was computed there.

    Parameters
    ----------
    vessel
        True name.
    true_ffr, invasive_ffr
        At the sensor, 20 mm behind the worst stenosis; the second as the wire reads it.
    true_percent, calcium_deg
        Diameter stenosis, and the largest arc of calcium on the way to the sensor.
    ffr, ffr_low, ffr_high, probability
        As reported there; None where the found tree does not pass, or gives no FFR.
    found_percent
        Largest diameter stenosis of the found tree on the way to the sensor.
    own_tree_ffr
        On the true tree with found radii where it was found; flow as the pipeline has it.
    own_flow_ffr
        On the true tree and lumen; flow as the pipeline has it.
    own_lumen_ffr
        On the true tree with found radii; flow, blood and pressure of the truth.
    """

    vessel: str
    true_ffr: float
    invasive_ffr: float
    true_percent: float
    calcium_deg: float
    ffr: float | None = None
    ffr_low: float | None = None
    ffr_high: float | None = None
    probability: float | None = None
    found_percent: float | None = None
    own_tree_ffr: float | None = None
    own_flow_ffr: float | None = None
    own_lumen_ffr: float | None = None


@dataclass(frozen=True, slots=True)
class TrialCase:
    """One patient of the trial.

    Parameters
    ----------
    seed
        Who.
    status, reason
        "read", "rejected" (the study was refused), "failed", or "excluded" (the patient has no
        truth); and why.
    noise_hu, motion_mm
        Of the scan.
    flags
        Names of the warnings.
    lv_mass_g, true_lv_mass_g
        Measured and true mass.
    vessels
        Those with a wire; none for a patient without a stenosis to measure.
    """

    seed: int
    status: Status = "read"
    reason: str = ""
    noise_hu: float = 0.0
    motion_mm: float = 0.0
    flags: tuple[str, ...] = ()
    lv_mass_g: float | None = None
    true_lv_mass_g: float = 0.0
    vessels: tuple[Wired, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The exact trees, how their blood flows, and where wires are put.

    Parameters
    ----------
    trees, heart, ffr
        Both trees, their flow, FFR at all points.
    sensors
        Worst lesion of each measured vessel.
    """

    trees: tuple[CoronaryTree, ...]
    heart: TrueHeart
    ffr: tuple[Floats, ...]
    sensors: tuple[Sensor, ...]


def true_heart_of(who: Enrolled, mass_g: float, rng: np.random.Generator) -> Truth:
    """Draw how the patient's blood flows, solve it, and choose the vessels to measure.

    `mass_g` is the true mass of the left ventricle (`true_lv_mass_g`).

    Raises
    ------
    ConvergenceError
        No laminar flow exists in the true lumen.
    """
    trees = (who.patient.left, who.patient.right)
    # the mass itself is exact here; what is drawn is flow for a given mass
    exact = replace(Physiology(), measured_mass_log_sd=Known(0.0, 0.0, "log-normal", "exact"))
    flow = pipeline.solve(trees, who.known, mass_g, exact)
    heart = drawn_heart(trees, flow, input_spread(who.known, mass_g, exact), rng)
    return Truth(trees, heart, heart.ffr(trees), _sensors(trees, flow))


def _sensors(trees: Sequence[CoronaryTree], flow: pipeline.Flow) -> tuple[Sensor, ...]:
    """Choose the worst measurable lesion of each vessel, and the point 20 mm behind it."""
    found = pipeline.find(tuple(trees), flow.solutions)
    worst: dict[tuple[int, str], Sensor] = {}
    for t, (c, lesions, distal) in enumerate(
        zip(trees, found.lesions, found.distal, strict=True)
    ):
        for lesion, (point, _) in zip(lesions, distal, strict=True):
            percent = lesion.diameter_stenosis_percent
            wide = 2 * c.reference_radius_mm[lesion.throat] >= LEAST_DIAMETER_MM
            if not wide or not MEASURED_PERCENT[0] <= percent <= MEASURED_PERCENT[1]:
                continue
            key = (t, c.names[c.branch[lesion.throat]])
            if key not in worst or percent > worst[key][1].diameter_stenosis_percent:
                worst[key] = (t, lesion, point)
    return tuple(worst.values())


def run_seed(seed: int) -> TrialCase:
    """Run the patient of a seed, in whatever process this is."""
    return run_case(enrolled(seed))


def run_case(who: Enrolled) -> TrialCase:
    """Draw the truth, scan, analyse and compare one patient."""
    seed = who.patient.seed
    rng = np.random.default_rng([seed, 72])
    mass = true_lv_mass_g(who.patient)
    case = TrialCase(
        seed,
        noise_hu=round(who.imaging.noise_hu, 1),
        motion_mm=round(who.imaging.motion_mm, 2),
        true_lv_mass_g=round(mass, 1),
    )
    try:
        truth = true_heart_of(who, mass, rng)
    except ConvergenceError:
        return replace(case, status="excluded", reason="no-laminar-flow")
    arcs = [calcium_arc_deg(c.tree, who.patient.calcium) for c in truth.trees]
    wires = tuple(_wired(truth, sensor, arcs, rng) for sensor in truth.sensors)
    case = replace(case, vessels=wires)
    if not wires:
        return case  # nothing to measure: the patient is not enrolled, and needs no scan
    try:
        return analysed(who, truth, case)
    except StudyError as error:
        return replace(case, status="rejected", reason=error.reason)
    except (GeometryError, ConvergenceError) as error:
        return replace(case, status="failed", reason=type(error).__name__)


def _wired(
    truth: Truth, sensor: Sensor, arcs: Sequence[Floats], rng: np.random.Generator
) -> Wired:
    t, lesion, point = sensor
    c, exact = truth.trees[t], float(truth.ffr[t][point])
    return Wired(
        vessel=c.names[c.branch[lesion.throat]],
        true_ffr=round(exact, 4),
        invasive_ffr=round(float(np.clip(exact + INVASIVE_SD * rng.normal(), 0.0, 1.0)), 2),
        true_percent=round(lesion.diameter_stenosis_percent, 1),
        calcium_deg=largest_arc_deg(c, 0, point, arcs[t]),
    )


def analysed(who: Enrolled, truth: Truth, case: TrialCase) -> TrialCase:
    """Scan the patient, run the pipeline on the study and read it where the wires are."""
    scanned = studied(who)
    maps = pipeline.segment(scanned, silent)
    trees, flags, _ = pipeline.extract_trees(scanned, maps.heart, maps.vessels, silent)
    mass = maps.heart.lv_mass_g or None
    case, flow_flags = compared(who, truth, case, trees, mass)
    names = tuple(f.name for f in (*scanned.flags, *maps.flags, *flags, *flow_flags))
    return replace(case, flags=names, lv_mass_g=None if mass is None else round(mass, 1))


def studied(who: Enrolled) -> Scan:
    """Return the patient's scan as it is read from a DICOM study."""
    grid = scan_grid(who.patient, SIZE, SPACING_MM)
    volume = scan(who.patient, grid, who.imaging, who.patient.seed)
    header = PatientHeader(name="VIRTUAL", identity=f"VIRTUAL-{who.patient.seed}")
    with tempfile.TemporaryDirectory() as folder:
        write_series(
            volume, Path(folder), patient=header, series=SeriesHeader(), progress=silent
        )
        return read_study(Path(folder), None, silent)


def compared(
    who: Enrolled, truth: Truth, case: TrialCase, trees: tuple[CoronaryTree, ...],
    mass_g: float | None,
) -> tuple[TrialCase, tuple[Flag, ...]]:  # fmt: skip
    """Solve found trees and read them where the wires are; also the warnings of the flow."""
    flow = pipeline.solve(trees, who.known, mass_g)
    found = pipeline.find(trees, flow.solutions)
    made = Made(
        trees, found, pipeline.confidence(trees, flow, found), links(trees, truth.trees)
    )
    ways = _ways(truth, made, who.known, mass_g)
    vessels = tuple(
        _read(wire, sensor, truth, made, ways)
        for wire, sensor in zip(case.vessels, truth.sensors, strict=True)
    )
    return replace(case, vessels=vessels), flow.flags


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What the pipeline made of the study, and where the true trees are in it."""

    trees: tuple[CoronaryTree, ...]
    findings: pipeline.Findings
    confidence: pipeline.Confidence
    links: Links


@dataclass(frozen=True, slots=True, eq=False)
class Ways:
    """FFR at all points of the true trees with one thing as found; None: no flow was found."""

    own_tree: tuple[Floats, ...] | None
    own_flow: tuple[Floats, ...] | None
    own_lumen: tuple[Floats, ...] | None


def _ways(truth: Truth, made: Made, known: Patient, mass_g: float | None) -> Ways:
    found_mm = [c.tree.radius_mm for c in made.trees]
    radii = made.links.moved(truth.trees, found_mm)

    def usual(trees: tuple[CoronaryTree, ...]) -> tuple[Floats, ...] | None:
        try:
            return pipeline.find(trees, pipeline.solve(trees, known, mass_g).solutions).ffr
        except ConvergenceError:
            return None

    try:
        true_flow = truth.heart.ffr(radii)
    except ConvergenceError:
        true_flow = None
    return Ways(usual(radii), usual(truth.trees), true_flow)


def _read(wire: Wired, sensor: Sensor, truth: Truth, made: Made, ways: Ways) -> Wired:
    t, lesion, point = sensor

    def at(values: tuple[Floats, ...] | None, needs: bool) -> float | None:
        """FFR at the sensor; where radii were moved, only if the throat's is a found one."""
        if values is None or (needs and not made.links.partner[t].reached[lesion.throat]):
            return None
        return number(values[t][point])

    wire = replace(
        wire,
        own_tree_ffr=at(ways.own_tree, needs=True),
        own_flow_ffr=at(ways.own_flow, needs=False),
        own_lumen_ffr=at(ways.own_lumen, needs=True),
    )
    k = made.links.number[t]
    if k is None:
        return wire
    c = made.trees[k]
    here = point_at(c, truth.trees[t].tree.points_mm[point])
    if here is None or np.isnan(made.findings.ffr[k][here]):
        return wire
    spread = made.confidence.spreads[k]
    way = path_to(c.tree, here)
    narrowed = 100.0 * (1.0 - c.tree.radius_mm[way] / c.reference_radius_mm[way])
    return replace(
        wire, ffr=number(made.findings.ffr[k][here]), ffr_low=number(spread.ffr_low[here]),
        ffr_high=number(spread.ffr_high[here]), probability=number(spread.probability[here]),
        found_percent=round(max(0.0, float(narrowed.max())), 1),
    )  # fmt: skip
