"""What does the pipeline make of a stranger's scan, beside what was painted?"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import SimpleITK

from ffr import pipeline
from ffr.circulation.patient import Patient
from ffr.errors import StudyError
from ffr.reading.study import read_study
from meshes.arrays import floats
from meshes.errors import GeometryError
from meshes.resample import to_itk
from meshes.tree import CoronaryTree
from solvers.errors import ConvergenceError
from validation.agreement import Course, compare
from validation.held_out import analysed, ostium_errors_mm, silent
from validation.labelled_measure import radii
from validation.segmentation_case import Stenosis
from validation.segmentation_lesions import Truth, Ways, false_lesions, links, stenoses
from validation.segmentation_lines import SEVERE_PERCENT
from validation.stranger_body import Body, Person, body_of, true_mass_g, true_trees
from validation.stranger_scanner import Look, scanned

Trees = tuple[CoronaryTree, ...]
PEOPLE = {
    p.name: p
    for p in (
        Person("usual", seed=1,
               lesions=(("LAD", 0.25, 7, 0.55), ("RCA", 0.35, 9, 0.65), ("LCx", 0.4, 6, 0.5)),
               calcium=(("LAD", 0.12, 120), ("RCA", 0.2, 90))),
        Person("small, upright", (-6, 12, 16), (0.86, 0.86, 0.9), muscle_mm=8, width_percent=88,
               ramus=True, lesions=(("LAD", 0.18, 6, 0.7), ("LCx", 0.35, 8, 0.5)), seed=2),
        Person("large, lying", (10, -8, -14), (1.14, 1.1, 1.08), muscle_mm=12.5,
               width_percent=112,
               lesions=(("LAD", 0.4, 10, 0.5), ("OM1", 0.2, 6, 0.6), ("RCA", 0.55, 6, 0.4)),
               calcium=(("LAD", 0.3, 150), ("LCx", 0.2, 100)), seed=3),
        Person("left dominant, turned", (20, 4, 4), (0.97, 1.03, 0.95), left_dominant=True,
               lesions=(("LM", 0.55, 4, 0.45), ("LCx", 0.3, 8, 0.6)), seed=4),
    )
}  # fmt: skip
LOOKS = {
    look.name: look
    for look in (
        Look("realistic"),
        Look("crude", pixel_mm=0.45, slice_mm=0.6, slices=230, psf_mm=0.6, noise_hu=15,
             grain_mm=0, blood_hu=350, left_percent=100, right_hu=350, vein_hu=0, caval_hu=350,
             muscle_hu=100, fade_1_mm=0, texture_hu=0, plain=True),
        Look("dim", pixel_mm=0.42, slice_mm=0.75, slices=190, psf_mm=0.85, noise_hu=28,
             grain_mm=0.336, blood_hu=285, left_percent=100, right_hu=55, vein_hu=120,
             caval_hu=60, muscle_hu=85),
        Look("bright", pixel_mm=0.35, slices=280, psf_mm=0.55, noise_hu=24, grain_mm=0.175,
             blood_hu=590, left_percent=85, right_hu=450, vein_hu=260, caval_hu=1100,
             muscle_hu=125),
    )
}  # fmt: skip
SCANS = (
    ("usual", "realistic"), ("usual", "crude"),
    ("small, upright", "crude"), ("small, upright", "bright"),
    ("large, lying", "realistic"), ("large, lying", "dim"),
    ("left dominant, turned", "bright"), ("left dominant, turned", "dim"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class StrangerCase:
    """One scan: what was found of it, beside what was painted.

    Parameters
    ----------
    name
        Person and look.
    refused
        Why there is no result; empty where there is one.
    flags
        Names of the warnings.
    course
        Centrelines of vessels from 1.5 mm.
    ostium_mm
        Distance of our ostia from the true ones, by side; None: not found.
    diameter_mm
        (true, found) along matched vessels of 1 to 3 mm.
    stenoses
        True ones, and what is found there.
    false_severe
        Reported stenoses of 50 % and more that are none.
    mass_g
        Left ventricular mass, found and true.
    """

    name: str
    refused: str = ""
    flags: tuple[str, ...] = ()
    course: Course = field(default_factory=Course)
    ostium_mm: tuple[tuple[str, float | None], ...] = ()
    diameter_mm: tuple[tuple[float, float], ...] = ()
    stenoses: tuple[Stenosis, ...] = ()
    false_severe: int = 0
    mass_g: tuple[float, float] = (0.0, 0.0)


def measured(
    name: str, body: Body, trees: Trees, findings: pipeline.Findings, mass_g: float
) -> StrangerCase:
    """Return the case of a scan with a result.

    FFR beside it: the painted tree, solved with the painted heart's mass.
    """
    true, true_mass = true_trees(body), true_mass_g(body)
    linked = links(trees, true)
    moved = linked.moved(true, [c.tree.radius_mm for c in trees])
    exact, ours = (
        pipeline.find(some, pipeline.solve(some, Patient(), true_mass).solutions)
        for some in (true, moved)
    )
    none = tuple(floats(np.zeros(len(c.tree))) for c in true)
    read = radii(trees, true, linked)
    told, here = 2 * np.array(read.told_mm), 2 * np.array(read.found_mm)
    narrow = (told >= 1.0) & (told <= 3.0)
    return StrangerCase(
        name,
        course=compare(trees, true),
        ostium_mm=ostium_errors_mm(trees, true),
        diameter_mm=tuple(zip(told[narrow].tolist(), here[narrow].tolist(), strict=True)),
        stenoses=stenoses(
            Truth(true, exact, none, linked), trees, (trees, trees),
            Ways(ours, ours, ours, findings, findings),
        ),
        false_severe=sum(
            x.reported_percent >= SEVERE_PERCENT
            for x in false_lesions(trees, findings.lesions, true)
        ),
        mass_g=(round(mass_g, 1), round(true_mass, 1)),
    )  # fmt: skip


def run_scan(names: tuple[str, str]) -> StrangerCase:
    """Draw and scan a person, hand the file to the pipeline, compare."""
    person = PEOPLE[names[0]]
    return run_body(" / ".join(names), body_of(person), LOOKS[names[1]], person.seed)


def run_body(title: str, body: Body, look: Look, seed: int) -> StrangerCase:
    """Scan a body, hand the file to the pipeline, compare."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.nrrd"
        SimpleITK.WriteImage(to_itk(scanned(body, look, seed)), str(path))
        try:
            made = analysed(read_study(path, None, silent))
        except (StudyError, GeometryError, ConvergenceError) as error:
            return StrangerCase(title, refused=str(error))
    case = measured(title, body, made.trees, made.findings, made.maps.heart.lv_mass_g)
    return replace(case, flags=tuple(sorted({f.name for f in made.flags})))
