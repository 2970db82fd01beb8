"""A virtual patient as files: a DICOM study to analyse, and the truth to compare with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ffr import pipeline
from ffr.anatomy import Anatomy
from ffr.circulation.patient import Patient
from ffr.phantom.coronaries import LesionPlan
from ffr.phantom.feature_list import feature_rows
from ffr.phantom.imaging import Imaging, random_imaging, scan, truth_labels
from ffr.phantom.patient import VirtualPatient, centre_of_heart_mm
from ffr.reading.dicom_series import PatientHeader, SeriesHeader
from ffr.reading.dicom_write import write_series
from meshes.arrays import Floats
from meshes.tree import path_length_mm
from meshes.volume import Grid, axis_aligned_grid

DEMO_SEED = 1_000_005  # held out of every training
DEMO_LESIONS = (
    LesionPlan("LAD", 24.0, 16.0, 70.0, False),
    LesionPlan("RCA", 42.0, 16.0, 50.0, True),
)
SIZE = (512, 512, 250)
SPACING_MM = (0.4, 0.4, 0.5)
MYOCARDIUM_G_ML = 1.05  # density of myocardium (Vinnakota & Bassingthwaighte 2004)


@dataclass(frozen=True, slots=True)
class TrueLesion:
    """A stenosis of a virtual patient, measured on the exact tree with the exact flow."""

    vessel: str
    segment: int
    position_mm: float
    diameter_stenosis_percent: float
    minimal_lumen_area_mm2: float
    ffr: float
    read_at_mm: float


def clinical_imaging(seed: int) -> Imaging:
    """A usual, good scan: 430 HU, 0.65 mm point spread, 22 HU of noise, veins at 180 HU.

    Arterial timing leaves the cardiac veins at 50 to 250 HU (segmentation reference,
    section 6); veins as bright as arteries, which training also shows, are the exception.
    """
    drawn = random_imaging(np.random.default_rng([seed, 41]))
    values = asdict(drawn) | {
        "psf_mm": 0.65, "psf_z_mm": 0.75, "noise_hu": 22.0, "noise_grain_mm": 0.35,
        "overshoot_percent": 3.0, "slab_every_mm": 0.0, "distal_fall_percent": 8.0,
        "motion_mm": 0.0,
        "hardening_percent": 0.0, "starvation_percent": 0.0, "noise_peak_per_mm": 0.0,
        "noise_growth_percent": 0.0, "shoulder_hu": 0.0, "texture_hu": 0.0,
    }  # fmt: skip
    blood = drawn.contrast_hu
    scale = 430.0 / blood
    contrasted = {"aorta", "lv", "la", "rv", "ra", "pulmonary"}
    values["contrast_hu"] = 430.0
    fixed = {"vein": 180.0} | {n: v * scale for n, v in drawn.tissue_hu if n in contrasted}
    values["tissue_hu"] = tuple((n, fixed.get(n, v)) for n, v in drawn.tissue_hu)
    return Imaging(**values)


def scan_grid(
    patient: VirtualPatient,
    size: tuple[int, int, int] = SIZE,
    spacing_mm: tuple[float, float, float] = SPACING_MM,
) -> Grid:
    """Return a scan's grid, centred on the heart."""
    extent = (np.array(size) - 1) * np.array(spacing_mm)
    origin: Floats = np.asarray(centre_of_heart_mm(patient)) - extent / 2
    return axis_aligned_grid(size, spacing_mm, np.round(origin, 3))


def true_lv_mass_g(patient: VirtualPatient) -> float:
    """Myocardial mass of the left ventricle, counted on a 1 mm lattice."""
    grid = axis_aligned_grid((150, 150, 150), 1.0, (-75.0, -75.0, -75.0))
    labels = truth_labels(patient, grid).values
    return float((labels == Anatomy.MYOCARDIUM).sum()) / 1000 * MYOCARDIUM_G_ML


def true_lesions(patient: VirtualPatient, known: Patient) -> tuple[TrueLesion, ...]:
    """Solve the exact trees with the exact mass, and read the lesions off them.

    The solver is the pipeline's own: what this truth can show is the error of reading the
    image, not that of the fluid mechanics.
    """
    trees = (patient.left, patient.right)
    flow = pipeline.solve(trees, known, true_lv_mass_g(patient))
    findings = pipeline.find(trees, flow.solutions)
    found = []
    for c, ffr, lesions, distal in zip(
        trees, findings.ffr, findings.lesions, findings.distal, strict=True
    ):
        s = path_length_mm(c.tree)
        for lesion, (point, used) in zip(lesions, distal, strict=True):
            found.append(
                TrueLesion(
                    c.names[c.branch[lesion.throat]],
                    int(c.segment[lesion.throat]),
                    round(float(s[lesion.throat]), 1),
                    round(lesion.diameter_stenosis_percent, 1),
                    round(lesion.minimal_lumen_area_mm2, 2),
                    round(float(ffr[point]), 3),
                    round(used, 1),
                )
            )
    return tuple(found)


def write_study(
    patient: VirtualPatient,
    imaging: Imaging,
    grid: Grid,
    folder: Path,
    progress: Callable[[float], None],
) -> None:
    """Scan the patient and write a DICOM series into `folder`."""
    volume = scan(patient, grid, imaging, patient.seed)
    progress(0.6)
    name = f"VIRTUAL^PATIENT {patient.seed}"
    write_series(
        volume,
        folder,
        patient=PatientHeader(name=name, identity=f"VIRTUAL-{patient.seed}"),
        series=SeriesHeader(),
        progress=lambda part: progress(0.6 + 0.4 * part),
    )


def write_truth(path: Path, patient: VirtualPatient, lesions: tuple[TrueLesion, ...]) -> None:
    """Write the truth beside the study, never inside it."""
    truth = {
        "seed": patient.seed,
        "lv_mass_g": round(true_lv_mass_g(patient), 1),
        "lesions": [asdict(x) for x in lesions],
        "features": feature_rows(patient),
    }
    path.write_text(json.dumps(truth, indent=1))
