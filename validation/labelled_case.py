"""What is kept of one labelled scan, and when is a kept one still good?

A case is one small JSON file. It names no file and no patient: a number, and in the file's
name a hash of the code, the weights, what the labels mean, and both files' size and date.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ffr.labelled_scans import Pair
from validation.agreement import Course
from validation.mask_overlap import MaskOverlap
from validation.segmentation_case import FalseLesion, Stenosis, state

MEASURING = (
    "agreement", "centreline_overlap", "labelled_case", "labelled_measure", "labelled_vessels",
    "mask_overlap", "segmentation_lesions", "segmentation_transfer",
)  # fmt: skip
NO_MASKS = MaskOverlap(None, None, None)


@dataclass(frozen=True, slots=True)
class VesselOverlap:
    """One vessel of the label; see `validation.centreline_overlap.Overlap`."""

    vessel: str
    overlap_percent: float
    until_error_percent: float
    relevant_percent: float | None
    inside_mm: float | None


@dataclass(frozen=True, slots=True)
class Radii:
    """Points of the label's centrelines where ours goes with them, away from divisions.

    Parameters
    ----------
    told_mm, found_mm
        Lumen radius of the label, and ours at the same place.
    healthy_mm
        The label's healthy radius there.
    """

    told_mm: tuple[float, ...] = ()
    found_mm: tuple[float, ...] = ()
    healthy_mm: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class EndFfr:
    """FFR at the last place of a vessel that both lumens know.

    Parameters
    ----------
    vessel
        LAD, LCx, RCA or the side branch.
    true_ffr
        In the label's lumen.
    lumen_ffr
        In the label's tree with our radii: the same course, outlets, beds and mass.
    tree_ffr
        In our own tree with its own outlets; None where it does not pass there.
    """

    vessel: str
    true_ffr: float
    lumen_ffr: float
    tree_ffr: float | None


@dataclass(frozen=True, slots=True)
class LabelCase:
    """One labelled scan: what the pipeline made of it, beside the label.

    Parameters
    ----------
    number, layout
        Which pair, by a number that tells nothing about the patient.
    failed, reason, message
        "" when all went well; "label" when there is nothing to compare with, "image" when
        the pipeline has no result, "flow" when one of the lumens has no FFR.
    masks
        Our lumen as it is measured, against the label's.
    network
        What the vessel network marks (lumen and calcium), against the label's.
    vessels, course
        Centrelines by vessel, and of all vessels from 1.5 mm.
    radii
        Lumen radius along matched centrelines.
    stenoses
        Of the label, and what is found there; `true_` means the label's.
    false_lesions
        Reported ones where the label's lumen is not narrowed.
    severe_reported
        How many stenoses of 50 % and more are reported.
    ends
        FFR at the ends of vessels.
    ostium_mm
        Distance of our ostia from the label's tree's, by side; None: not found.
    flags
        Names of the warnings.
    processor_s
        Processor time of the pipeline.
    """

    number: int
    layout: str
    failed: str = ""
    reason: str = ""
    message: str = ""
    masks: MaskOverlap = NO_MASKS
    network: MaskOverlap = NO_MASKS
    vessels: tuple[VesselOverlap, ...] = ()
    course: Course = field(default_factory=Course)
    radii: Radii = field(default_factory=Radii)
    stenoses: tuple[Stenosis, ...] = ()
    false_lesions: tuple[FalseLesion, ...] = ()
    severe_reported: int = 0
    ends: tuple[EndFfr, ...] = ()
    ostium_mm: tuple[tuple[str, float | None], ...] = ()
    flags: tuple[str, ...] = ()
    processor_s: float = 0.0


_JSON = TypeAdapter(LabelCase)


def base_key(meaning: object) -> str:
    """Return a hash of code and weights, and of what the labels mean."""
    return hashlib.sha256(f"{state((), MEASURING)} {meaning!r}".encode()).hexdigest()


def case_file(folder: Path, pair: Pair, base: str) -> Path:
    """Return where the case of a pair is kept."""
    digest = hashlib.sha256(base.encode())
    for path in (pair.image, pair.label):
        about = path.stat()
        digest.update(f" {about.st_size} {about.st_mtime_ns}".encode())
    return folder / f"{pair.number}-{digest.hexdigest()[:12]}.json"


def load_cases(paths: Sequence[Path]) -> list[LabelCase]:
    """Return the cases that are there; damaged files are left out."""
    cases = []
    for path in paths:
        try:
            cases.append(_JSON.validate_json(path.read_bytes()))
        except (FileNotFoundError, ValidationError):
            continue
    return cases
