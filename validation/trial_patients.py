"""Who comes to a virtual trial? A chest-pain clinic's patients, scanners and cuffs, by seed.

What is drawn here and in `ffr.phantom` stands for the vessels of NXT (Norgaard 2014): a
stenosis of 30 to 90 %, FFR of 0.80 or below in about a fifth (21 %: quoted from memory, not
checked against the paper). Scans and pressures are our own choice, and narrower than what the
networks are trained on: a trial enrols patients who can be scanned.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np

from ffr.circulation.patient import Patient
from ffr.phantom.coronaries import plan_lesions
from ffr.phantom.imaging import Imaging, random_imaging
from ffr.phantom.patient import VirtualPatient, virtual_patient
from ffr.segmentation.samples import HELD_OUT_SEEDS
from validation.held_out import VARIED, require_held_out

FIRST_SEED = HELD_OUT_SEEDS + 20_000  # single patients from 2 000 to 2 069 were looked at
MEAN_STENOSES = 2.2
MILDER = 0.70  # of the diameter lost by the trainer's stenoses; docs/trial.md says why


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """One patient of the trial.

    Parameters
    ----------
    patient, imaging
        Who is scanned, and how.
    known
        What the pipeline is told besides the study: the cuff pressure.
    """

    patient: VirtualPatient
    imaging: Imaging
    known: Patient


def enrolled(seed: int) -> Enrolled:
    """Draw the patient of a seed.

    Raises
    ------
    ValueError
        The seed may have been trained on.
    """
    require_held_out(seed)
    rng = np.random.default_rng([seed, 71])
    systolic = float(np.clip(rng.normal(134, 17), 95, 200))
    diastolic = float(np.clip(rng.normal(78, 10), 50, systolic - 25))
    plans = tuple(
        replace(p, diameter_stenosis_percent=MILDER * p.diameter_stenosis_percent)
        for p in plan_lesions(rng, MEAN_STENOSES)
    )
    return Enrolled(
        virtual_patient(seed, plans=plans, variation=VARIED),
        clinic_imaging(rng),
        Patient(systolic_mmhg=round(systolic), diastolic_mmhg=round(diastolic)),
    )


def clinic_imaging(rng: np.random.Generator) -> Imaging:
    """Draw a scan of a trial: present scanners and usual doses, some with motion or streaks.

    Noise 15-40 HU, point spread 0.55-0.9 mm, blood 300-600 HU, cardiac veins at 20-60 % of it
    (arterial phase), motion of 0.3-1.5 mm in a fifth, dark bands in a half.
    """
    drawn = random_imaging(rng)
    blood = float(np.clip(rng.normal(430, 70), 300, 600))
    scale = blood / drawn.contrast_hu
    contrasted = {"aorta", "lv", "la", "rv", "ra", "pulmonary"}
    tissue = {n: v * scale if n in contrasted else v for n, v in drawn.tissue_hu}
    tissue["vein"] = blood * rng.uniform(0.2, 0.6)
    psf = rng.uniform(0.55, 0.9)
    values = asdict(drawn) | {
        "contrast_hu": blood,
        "tissue_hu": tuple((n, float(v)) for n, v in tissue.items()),
        "distal_fall_percent": float(rng.uniform(2, 15)),
        "psf_mm": float(psf),
        "psf_z_mm": float(psf * rng.uniform(1.0, 1.3)),
        "overshoot_percent": float(rng.uniform(0, 8)),
        "noise_hu": float(rng.uniform(15, 40)),
        "motion_mm": float(rng.uniform(0.3, 1.5)) if rng.random() < 0.2 else 0.0,
        "hardening_percent": float(rng.uniform(0, 15)) if rng.random() < 0.5 else 0.0,
        "starvation_percent": float(rng.uniform(0, 80)) if rng.random() < 0.3 else 0.0,
        "slab_every_mm": float(rng.uniform(25, 40)) if rng.random() < 0.15 else 0.0,
        "slab_shift_mm": float(rng.uniform(0, 0.6)),
        "slab_step_hu": float(rng.uniform(0, 20)),
        "shoulder_hu": 0.0,
    }
    return Imaging(**values)
