"""What does the pipeline make of a stranger's scan, beside what was painted?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ffr import pipeline
from ffr.circulation.patient import Patient
from meshes.arrays import floats
from meshes.tree import CoronaryTree
from validation.agreement import Course, compare
from validation.held_out import ostium_errors_mm
from validation.labelled_measure import radii
from validation.segmentation_case import Stenosis
from validation.segmentation_lesions import Truth, Ways, false_lesions, links, stenoses
from validation.segmentation_lines import SEVERE_PERCENT
from validation.stranger_body import Body, true_mass_g, true_trees

Trees = tuple[CoronaryTree, ...]


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
    course: Course = Course()
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
