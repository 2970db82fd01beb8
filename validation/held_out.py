"""What does the pipeline make of one virtual patient that training has never seen?"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ffr import pipeline
from ffr.anatomy import Anatomy, Vessel
from ffr.circulation.patient import Patient
from ffr.errors import StudyError
from ffr.flags import Flag
from ffr.phantom.features import COMMON
from ffr.phantom.imaging import Imaging, scan, truth_labels
from ffr.phantom.patient import VirtualPatient, virtual_patient
from ffr.phantom.study import clinical_imaging, scan_grid, true_lv_mass_g
from ffr.scan import Scan, volume_sha256
from ffr.segmentation.samples import HELD_OUT_SEEDS, imaging_of
from meshes.arrays import Floats, floats
from meshes.errors import GeometryError
from meshes.tree import CoronaryTree, segment_length_mm
from meshes.volume import Volume
from solvers.errors import ConvergenceError
from validation.agreement import LEAST_RADIUS_MM, beside_fork, compare, cut, dice, nearest
from validation.segmentation_calcium import calcium_arc_deg
from validation.segmentation_case import Case, Points
from validation.segmentation_lesions import Truth, Ways, false_lesions, links, stenoses
from validation.segmentation_rivals import rival_radii_mm, with_rival_radii

IMAGING = {"clinical": clinical_imaging, "random": imaging_of}
# Stents and occlusions have no lumen to compare, and a third ostium no tree in `Case`.
VARIED = replace(COMMON, stent_percent=0.0, occlusion_percent=0.0, separate_ostia_percent=0.0)
MAIN = ("LAD", "LCx", "RCA")
MAIN_MM = 20.0  # a main vessel is one that is wide enough for so long
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Analysed:
    """What the pipeline says of one scan: maps, trees, flow, what is read off, warnings."""

    maps: pipeline.Maps
    trees: tuple[CoronaryTree, ...]
    flow: pipeline.Flow
    findings: pipeline.Findings
    flags: tuple[Flag, ...]


def run_case(
    seed: int, imaging: str, size: tuple[int, int, int], spacing_mm: tuple[float, float, float]
) -> Case:
    """Make the patient of a seed, scan it, run the pipeline in memory and compare.

    Raises
    ------
    ValueError
        The seed may have been trained on.
    """
    require_held_out(seed)
    patient, seen = virtual_patient(seed, variation=VARIED), IMAGING[imaging](seed)
    scanned = scanned_patient(patient, seen, size, spacing_mm)
    case = Case(
        seed, imaging, round(seen.psf_mm, 3), round(seen.noise_hu, 2),
        true_lv_mass_g=round(true_lv_mass_g(patient), 2),
    )  # fmt: skip
    began = time.process_time()
    try:
        made = analysed(scanned)
    except (StudyError, GeometryError, ConvergenceError) as error:
        return replace(case, failure=str(error))
    except Exception as error:  # a crash is a failure of the product, and one line in the table
        log.exception("seed %d, %s: the pipeline crashed", seed, imaging)
        return replace(case, failure=f"crash: {type(error).__name__}: {error}")
    seconds = round(time.process_time() - began, 1)
    return replace(compared(patient, scanned.volume, made, case), processor_s=seconds)


def require_held_out(seed: int) -> None:
    """Refuse the seed of a patient that training may have seen, by a ValueError."""
    if seed < HELD_OUT_SEEDS:
        message = f"seed {seed} is not held out; use {HELD_OUT_SEEDS} and above"
        raise ValueError(message)


def analysed(scanned: Scan) -> Analysed:
    """Run the pipeline as `ffr run` does, without a patient file."""
    maps = pipeline.segment(scanned, silent)
    trees, flags, _ = pipeline.extract_trees(scanned, maps.heart, maps.vessels, silent)
    flow = pipeline.solve(trees, Patient(), maps.heart.lv_mass_g or None)
    found = pipeline.find(trees, flow.solutions)
    return Analysed(maps, trees, flow, found, (*maps.flags, *flags, *flow.flags))


def silent(part: float) -> None:
    """Progress that nobody watches."""


def scanned_patient(
    patient: VirtualPatient,
    imaging: Imaging,
    size: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
) -> Scan:
    """Scan a virtual patient as a reader would hand it on."""
    volume = scan(patient, scan_grid(patient, size, spacing_mm), imaging, patient.seed)
    return Scan(
        volume=volume,
        source="nrrd",
        series="virtual patient",
        slice_thickness_mm=spacing_mm[2],
        sha256=volume_sha256(volume),
        tube_voltage_kvp=None,
        kernel=None,
        flags=(),
    )


def compared(patient: VirtualPatient, volume: Volume, made: Analysed, case: Case) -> Case:
    """Return the case with everything that is read off beside the truth."""
    true, mass = (patient.left, patient.right), case.true_lv_mass_g
    arcs = tuple(calcium_arc_deg(c.tree, patient.calcium) for c in true)
    radii = [
        rival_radii_mm(volume, made.maps.vessels.labels, made.maps.heart.blood_hu, c.tree)
        for c in made.trees
    ]
    edges, masks = ([pair[k] for pair in radii] for k in (0, 1))
    where = links(made.trees, true)

    def findings(trees: tuple[CoronaryTree, ...]) -> pipeline.Findings:
        return pipeline.find(trees, pipeline.solve(trees, Patient(), mass).solutions)

    exact = findings(true)
    ways = Ways(
        findings(where.moved(true, [c.tree.radius_mm for c in made.trees])),
        findings(where.moved(true, edges)), findings(where.moved(true, masks)),
        findings(made.trees), made.findings,
    )  # fmt: skip
    rivals = (with_rival_radii(made.trees, edges), with_rival_radii(made.trees, masks))
    return replace(
        case,
        lacking=lacking(made, true),
        flags=tuple(f.name for f in made.flags),
        dice=overlaps(patient, made.maps),
        lv_mass_g=round(made.maps.heart.lv_mass_g, 2),
        ostium_error_mm=ostium_errors_mm(made.trees, true),
        course=compare(made.trees, true),
        points=points(made.trees, true, arcs, edges, masks),
        stenoses=stenoses(Truth(true, exact, arcs, where), made.trees, rivals, ways),
        false_lesions=false_lesions(made.trees, made.findings.lesions, true),
    )


def lacking(made: Analysed, true: Sequence[CoronaryTree]) -> tuple[str, ...]:
    """Return what a complete result has and this one has not; a success lacks nothing.

    Complete: a tree of each side with an FFR; every main vessel (LAD, LCx, RCA) that has
    20 mm of 1.5 mm and more is there by name; no flag says that a vessel is missing, since
    none is.
    """
    with_ffr = {c.side for c, ffr in zip(made.trees, made.findings.ffr, strict=True)
                if np.isfinite(ffr).any()}  # fmt: skip
    gone = [f"{c.side} tree" for c in true if c.side not in with_ffr]
    known = {name for c in made.trees for name in c.names}
    for c in true:
        length = segment_length_mm(c.tree) * (c.reference_radius_mm >= LEAST_RADIUS_MM)
        for number, name in enumerate(c.names):
            long = length[c.branch == number].sum() >= MAIN_MM
            if name in MAIN and long and name not in known:
                gone.append(name)
    return (*gone, *(f.name for f in made.flags if f.name.endswith("-missing")))


def points(
    found: Sequence[CoronaryTree], true: Sequence[CoronaryTree], arcs_deg: Sequence[Floats],
    edges_mm: Sequence[Floats], masks_mm: Sequence[Floats],
) -> Points:  # fmt: skip
    """Return the radii of found points that lie on a true vessel, away from divisions."""
    truth = cut(true)
    place = np.concatenate([c.tree.points_mm for c in found])
    off, at = nearest(floats(place), truth)
    good = (off <= truth.reach_mm[at]) & ~beside_fork(floats(place), true)
    exact = truth.radius_mm[at[good]]

    def error(values: Sequence[Floats]) -> tuple[float, ...]:
        return _rounded(2 * (np.concatenate(values)[good] - exact))

    return Points(
        _rounded(2 * exact), error([c.tree.radius_mm for c in found]), error(edges_mm),
        error(masks_mm), _rounded(2 * np.concatenate([c.radius_sd_mm for c in found])[good]),
        _rounded(100 * (1 - exact / truth.healthy_mm[at[good]])),
        _rounded(np.concatenate(arcs_deg)[truth.point[at[good]]]),
    )  # fmt: skip


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(round(float(v), 3) for v in values)


def overlaps(
    patient: VirtualPatient, maps: pipeline.Maps
) -> tuple[tuple[str, float | None], ...]:
    """Return the Dice overlap of every label with the exact map on the same grid."""
    found, truth = maps.heart.labels, truth_labels(patient, maps.heart.labels.grid)
    rows = [
        (label.name, dice(found.values == label, truth.values == label))
        for label in Anatomy
        if label != Anatomy.BACKGROUND
    ]
    fine = maps.vessels.labels
    exact = truth_labels(patient, fine.grid, vessels=True)
    for vessel in (Vessel.LUMEN, Vessel.CALCIUM):
        rows.append((vessel.name, dice(fine.values == vessel, exact.values == vessel)))
    return tuple((name, None if np.isnan(d) else round(d, 4)) for name, d in rows)


def ostium_errors_mm(
    found: Sequence[CoronaryTree], true: Sequence[CoronaryTree]
) -> tuple[tuple[str, float | None], ...]:
    """Distance between found inlet and true ostium of each side, None where not found."""
    place = {c.side: c.tree.points_mm[0] for c in found}
    return tuple(
        (t.side, round(float(np.linalg.norm(place[t.side] - t.tree.points_mm[0])), 2)
         if t.side in place else None)
        for t in true
    )  # fmt: skip
