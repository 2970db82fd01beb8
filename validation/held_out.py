"""What does the pipeline make of one virtual patient that training has never seen?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ffr import pipeline
from ffr.anatomy import Anatomy, Vessel
from ffr.errors import StudyError
from ffr.patient import Patient
from ffr.phantom.imaging import Imaging, scan, truth_labels
from ffr.phantom.patient import VirtualPatient, virtual_patient
from ffr.phantom.study import clinical_imaging, scan_grid, true_lv_mass_g
from ffr.scan import Scan, volume_sha256
from ffr.segmentation.samples import HELD_OUT_SEEDS, imaging_of
from meshes.arrays import Floats, floats
from meshes.errors import GeometryError
from meshes.tree import CoronaryTree
from solvers.errors import ConvergenceError
from validation.agreement import (
    SAME_LESION_MM,
    TreeAgreement,
    compare,
    dice,
    pairs,
)

SAME_PLACE_MM = 1.5  # FFR is compared where the found tree passes this close
IMAGING = {"clinical": clinical_imaging, "random": imaging_of}


@dataclass(frozen=True, slots=True)
class Reading:
    """A stenosis as one side reads it; FFR is None where nothing is analysed."""

    vessel: str
    diameter_stenosis_percent: float
    ffr: float | None


@dataclass(frozen=True, slots=True)
class LesionPair:
    """A true stenosis, what the pipeline reported for it, and the FFR of its own tree there.

    Parameters
    ----------
    true, found
        Readings; None where there is no true, or no found, lesion.
    ffr
        Of the found tree at the place where the true FFR is read, whether or not a lesion
        was found; None where the found tree does not reach it or is not analysed.
    """

    true: Reading | None
    found: Reading | None
    ffr: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One scan of one held-out patient: what came out, beside the truth.

    Parameters
    ----------
    seed, imaging
        Who, and "clinical" or "random".
    failure
        Why there is no result, "" when there is one.
    flags
        Names of the warnings.
    dice
        Overlap by label of the heart map, and of coronary lumen and calcium.
    lv_mass_g, true_lv_mass_g
        Myocardial mass, measured and true.
    ostium_error_mm
        Distance of each tree's inlet from the true ostium, by side.
    missing_sides
        True trees that were not found.
    agreement
        Centrelines, radii and names; None when there are no trees.
    lesions
        True and found stenoses.
    """

    seed: int
    imaging: str
    failure: str = ""
    flags: tuple[str, ...] = ()
    dice: tuple[tuple[str, float], ...] = ()
    lv_mass_g: float | None = None
    true_lv_mass_g: float | None = None
    ostium_error_mm: tuple[tuple[str, float], ...] = ()
    missing_sides: tuple[str, ...] = ()
    agreement: TreeAgreement | None = None
    lesions: tuple[LesionPair, ...] = ()


def run_case(
    seed: int,
    imaging: str,
    size: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
) -> Case:
    """Make the patient of a seed, scan it, run the pipeline in memory and compare.

    Raises
    ------
    ValueError
        The seed may have been trained on.
    """
    if seed < HELD_OUT_SEEDS:
        message = f"seed {seed} is not held out; use {HELD_OUT_SEEDS} and above"
        raise ValueError(message)
    patient = virtual_patient(seed)
    scanned = scanned_patient(patient, IMAGING[imaging](seed), size, spacing_mm)
    mass = true_lv_mass_g(patient)
    try:
        maps = pipeline.segment(scanned, _silent)
        trees, flags, _ = pipeline.extract_trees(scanned, maps.heart, maps.vessels, _silent)
        flow = pipeline.solve(trees, Patient(), maps.heart.lv_mass_g or None)
    except (StudyError, GeometryError, ConvergenceError) as error:
        return Case(seed, imaging, failure=str(error), true_lv_mass_g=mass)
    true = (patient.left, patient.right)
    true_flow = pipeline.solve(true, Patient(), mass)
    return Case(
        seed,
        imaging,
        flags=tuple(f.name for f in (*maps.flags, *flags)),
        dice=overlaps(patient, maps),
        lv_mass_g=maps.heart.lv_mass_g,
        true_lv_mass_g=mass,
        ostium_error_mm=ostium_errors_mm(trees, true),
        missing_sides=tuple(t.side for t in true if t.side not in {c.side for c in trees}),
        agreement=compare(trees, true),
        lesions=lesion_pairs(
            trees, pipeline.find(trees, flow.solutions),
            true, pipeline.find(true, true_flow.solutions),
        ),
    )  # fmt: skip


def _silent(part: float) -> None:
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


def overlaps(patient: VirtualPatient, maps: pipeline.Maps) -> tuple[tuple[str, float], ...]:
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
    return tuple(rows)


def ostium_errors_mm(
    found: Sequence[CoronaryTree], true: Sequence[CoronaryTree]
) -> tuple[tuple[str, float], ...]:
    """Distance between found inlet and true ostium, for each side that was found."""
    place = {t.side: t.tree.points_mm[0] for t in true}
    return tuple(
        (c.side, float(np.linalg.norm(c.tree.points_mm[0] - place[c.side])))
        for c in found
        if c.side in place
    )


def lesion_pairs(
    found_trees: Sequence[CoronaryTree],
    found: pipeline.Findings,
    true_trees: Sequence[CoronaryTree],
    true: pipeline.Findings,
) -> tuple[LesionPair, ...]:
    """Pair true and found stenoses by the places of their throats, both kept if alone."""
    true_mm, true_read, read_at = _readings(true_trees, true)
    found_mm, found_read, _ = _readings(found_trees, found)
    partner = {t: f for f, t in pairs(found_mm, true_mm, SAME_LESION_MM)}
    rows = [
        LesionPair(
            reading,
            found_read[partner[t]] if t in partner else None,
            _at_place(found_trees, found, read_at[t]),
        )
        for t, reading in enumerate(true_read)
    ]
    extra = sorted(set(range(len(found_read))) - set(partner.values()))
    return (*rows, *(LesionPair(None, found_read[f], None) for f in extra))


def _readings(
    trees: Sequence[CoronaryTree], findings: pipeline.Findings
) -> tuple[Floats, list[Reading], list[Floats]]:
    """Throats of all lesions, shape (n, 3); what is read; where FFR is read."""
    throats, readings, places = [], [], []
    for c, ffr, lesions, distal in zip(
        trees, findings.ffr, findings.lesions, findings.distal, strict=True
    ):
        for lesion, (point, _) in zip(lesions, distal, strict=True):
            throats.append(c.tree.points_mm[lesion.throat])
            readings.append(
                Reading(
                    c.names[c.branch[lesion.throat]],
                    lesion.diameter_stenosis_percent,
                    _number(ffr[point]),
                )
            )
            places.append(c.tree.points_mm[point])
    return floats(np.reshape(throats, (-1, 3))), readings, places


def _at_place(
    trees: Sequence[CoronaryTree], findings: pipeline.Findings, point_mm: Floats
) -> float | None:
    """FFR of the trees at a place, None where none passes within 1.5 mm."""
    best, found = SAME_PLACE_MM, None
    for c, ffr in zip(trees, findings.ffr, strict=True):
        distance = np.linalg.norm(c.tree.points_mm - point_mm, axis=1)
        here = int(distance.argmin())
        if distance[here] <= best:
            best, found = float(distance[here]), _number(ffr[here])
    return found


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
