"""Which virtual patients are hard? Recipes: who, what is wrong, how it is scanned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ffr.phantom.anatomy import aortic_distance_mm
from ffr.phantom.coronaries import STEP_MM, Artery, LesionPlan
from ffr.phantom.devices import with_stent
from ffr.phantom.disease import bell, narrowed
from ffr.phantom.features import Features, Variation
from ffr.phantom.imaging import Imaging
from ffr.phantom.patient import VirtualPatient, virtual_patient
from ffr.phantom.study import clinical_imaging
from ffr.phantom.true_tree import coronary_tree
from meshes.arrays import Floats, floats

Made = tuple[VirtualPatient, Imaging]


@dataclass(frozen=True, slots=True)
class HardCase:
    """One patient and one scan.

    Parameters
    ----------
    name
        Of its files.
    title, why
        What is hard, in a few words and in a sentence.
    vessel
        The vessel that is shown.
    make
        Returns the patient and how the scanner sees him.
    expected
        Warnings of which at least one must be raised for this vessel; none: none need be.
    """

    name: str
    title: str
    why: str
    vessel: str
    make: Callable[[], Made]
    expected: tuple[str, ...] = ()


def course_mm(patient: VirtualPatient, vessel: str) -> Floats:
    """Return the middle of a vessel from the aortic wall to its end, occluded or not."""
    by_name = {a.name: a for a in patient.arteries}
    artery = by_name[vessel]
    line = artery.centre_mm
    for o in patient.features.occlusions:
        if o.vessel == vessel:
            line = floats(np.vstack([line, o.plug.axis_mm[2:-1], o.beyond[0].axis_mm[1:]]))
    while artery.parent:
        mother = by_name[artery.parent]
        line = floats(np.vstack([mother.centre_mm[: artery.take_off], line]))
        artery = mother
    first = int(np.argmax(aortic_distance_mm(patient.heart, line) > 0))
    line = line[first:]
    apart = np.linalg.norm(np.diff(line, axis=0), axis=1) > 0.05
    return floats(line[np.concatenate([[True], apart])])


def with_artery(
    patient: VirtualPatient, artery: Artery, features: Features | None = None
) -> VirtualPatient:
    """Return the patient with one vessel changed, and the truth with him."""
    arteries = tuple(artery if a.name == artery.name else a for a in patient.arteries)
    return replace(
        patient,
        arteries=arteries,
        left=coronary_tree(arteries, "left", patient.heart),
        right=coronary_tree(arteries, "right", patient.heart),
        features=features or patient.features,
    )


def _of(patient: VirtualPatient, name: str) -> Artery:
    return next(a for a in patient.arteries if a.name == name)


def _planned(seed: int, *plans: LesionPlan) -> VirtualPatient:
    return virtual_patient(seed, 0.0, plans=plans)


def _stented(
    seed: int, plan: LesionPlan, start_mm: float, diameter_mm: float, strut_mm: float = 0.09
) -> Made:
    """A stenosis and a stent of 18 mm in one vessel."""
    patient = _planned(seed, plan)
    artery, stent = with_stent(
        np.random.default_rng([seed, 77]), _of(patient, plan.vessel), start_mm, 18.0, 8.0,
        diameter_mm=diameter_mm, strut_mm=strut_mm,
    )  # fmt: skip
    return with_artery(patient, artery, Features(stents=(stent,))), clinical_imaging(seed)


def occlusion() -> Made:
    """Mid LAD closed over 10 mm; collaterals fill the vessel beyond."""
    patient = virtual_patient(1_000_958, 0.0, variation=Variation(occlusion_percent=100.0))
    return patient, clinical_imaging(1_000_958)


def stent_narrow() -> Made:
    """A stenosis before a stent of 2.5 mm in the mid LAD."""
    return _stented(1_000_946, LesionPlan("LAD", 12.0, 10.0, 55.0, False), 34.0, 2.5)


def stent_clear() -> Made:
    """The same with struts of 0.14 mm, as stents once had."""
    return _stented(1_000_946, LesionPlan("LAD", 12.0, 10.0, 55.0, False), 34.0, 2.5, 0.14)


def stent_wide() -> Made:
    """A stent of 3.5 mm in the RCA, a stenosis behind it."""
    return _stented(1_000_949, LesionPlan("RCA", 62.0, 14.0, 60.0, False), 22.0, 3.5)


def motion() -> Made:
    """The heart moves by 3 mm while the RCA, with a stenosis, is scanned."""
    patient = _planned(1_000_950, LesionPlan("RCA", 30.0, 14.0, 60.0, False))
    return patient, replace(clinical_imaging(1_000_950), motion_mm=3.0)


def calcium() -> Made:
    """Calcified stenoses in LAD and RCA, arcs beyond 180 degrees."""
    patient = _planned(
        1_000_957,
        LesionPlan("LAD", 24.0, 22.0, 55.0, True), LesionPlan("LAD", 52.0, 18.0, 45.0, True),
        LesionPlan("RCA", 35.0, 24.0, 50.0, True),
    )  # fmt: skip
    return patient, clinical_imaging(1_000_957)


def anomaly() -> Made:
    """LCx from the right sinus behind the aorta, stenosed."""
    patient = virtual_patient(
        1_000_944, plans=(LesionPlan("LCx", 45.0, 12.0, 60.0, False),),
        variation=Variation(lcx_from_right_percent=100.0),
    )  # fmt: skip
    return patient, clinical_imaging(1_000_944)


def noise() -> Made:
    """Sixty HU of noise, little contrast, a stenosed LAD."""
    patient = _planned(1_000_956, LesionPlan("LAD", 28.0, 14.0, 65.0, False))
    return patient, replace(_dimmed(clinical_imaging(1_000_956), 0.75), noise_hu=60.0)


def _dimmed(imaging: Imaging, share: float) -> Imaging:
    """Less contrast in all that holds blood."""
    blood = {"aorta", "lv", "la", "rv", "ra", "pulmonary", "vein", "svc"}
    tissue = tuple((n, v * share if n in blood else v) for n, v in imaging.tissue_hu)
    return replace(imaging, contrast_hu=imaging.contrast_hu * share, tissue_hu=tissue)


def throat_by_vein() -> Made:
    """A throat of the LAD with a cardiac vein beside it as bright as the arteries."""
    patient = _planned(1_000_949, LesionPlan("LAD", 30.0, 14.0, 78.0, False))
    imaging = clinical_imaging(1_000_949)
    tissue = tuple((n, imaging.contrast_hu if n == "vein" else v) for n, v in imaging.tissue_hu)
    return patient, replace(imaging, tissue_hu=tissue)


def slabs() -> Made:
    """Slabs of 25 mm, shifted by up to 3 mm, across a healthy LAD."""
    imaging = clinical_imaging(1_000_954)
    stepped = replace(imaging, slab_every_mm=25.0, slab_shift_mm=3.0, slab_step_hu=25.0)
    return virtual_patient(1_000_954, 0.0), stepped


def left_main() -> Made:
    """A stenosis of 60 % where the left main begins."""
    seed = 1_000_950
    patient = virtual_patient(seed, 0.0)
    trunk = _of(patient, "LM")
    outside = aortic_distance_mm(patient.heart, trunk.axis_mm) > 0
    at = STEP_MM * float(np.argmax(outside)) + 1.5
    s = floats(np.arange(len(trunk.axis_mm)) * STEP_MM)
    rng = np.random.default_rng([seed, 78])
    tight = narrowed(rng, trunk, bell(s, at, 8.0), 60.0, 1.0)
    return with_artery(patient, tight), clinical_imaging(seed)


CLOSED = ("vessel-occluded", "gap-bridged", "vessel-stump", "vessel-missing")
CASES = (
    HardCase(
        "occlusion", "total occlusion of the mid LAD",
        "10 mm without lumen; collaterals fill the vessel beyond with 80 % of the contrast. To "
        "the eye and to a network it is one vessel with a gap.", "LAD", occlusion, CLOSED,
    ),
    HardCase(
        "stent-2-5", "stent of 2.5 mm in the LAD, a stenosis before it",
        "Struts blur over the lumen. Under 3 mm no FFR may be given in it and beyond.", "LAD",
        stent_clear, ("stent-narrow",),
    ),
    HardCase(
        "stent-thin", "the same stent with thin struts",
        "Struts of 0.09 mm are hardly brighter than blood after the blur of the scan.", "LAD",
        stent_narrow, ("stent-narrow",),
    ),
    HardCase(
        "stent-3-5", "stent of 3.5 mm in the RCA, a stenosis behind it",
        "Wide enough to be analysed, with a warning.", "RCA", stent_wide, ("stent",),
    ),
    HardCase(
        "motion", "motion of 3 mm across a stenosed RCA",
        "The vessel shows twice where it moves most.", "RCA", motion,
        ("vessels-broken", "gap-bridged", "vessel-stump"),
    ),
    HardCase(
        "calcium", "heavy calcium in LAD and RCA",
        "Arcs over 180° hide the lumen's edge.", "LAD", calcium, ("calcium-heavy",),
    ),
    HardCase(
        "lcx-from-right", "circumflex from the right sinus",
        "It runs behind the aorta; nothing in training sprang from there.", "LCx", anomaly,
        ("vessel-missing",),
    ),
    HardCase(
        "noise", "60 HU of noise, 320 HU of contrast",
        "As in a large patient at a low dose.", "LAD", noise, ("noise-strong",),
    ),
    HardCase(
        "throat-by-vein", "throat of the LAD beside a vein as bright as it",
        "Late timing: brightness no longer parts veins from arteries, and at the throat the "
        "vein is the wider way.", "LAD", throat_by_vein,
    ),
    HardCase(
        "slabs", "slabs shifted by up to 3 mm",
        "Each heart beat gives a slab of 25 mm; the vessels jump between them. There is no "
        "stenosis.", "LAD", slabs, ("slab-steps", "vessels-broken"),
    ),
    HardCase(
        "left-main", "stenosis at the ostium of the left main",
        "The first two millimetres behind the aortic wall are read from what follows.", "LAD",
        left_main,
    ),
)  # fmt: skip
