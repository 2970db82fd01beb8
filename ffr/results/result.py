"""What does a result hold? Every field of `result.json`, with its unit."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import JsonValue, model_validator

from ffr.results.result_model import Model, Side
from ffr.results.result_plaque import PlaqueAndFat

SCHEMA_VERSION: Literal["1.5"] = "1.5"
RESEARCH_USE_ONLY = "Research use only. Not a medical device. Not for diagnosis."

StenosisGrade = Literal["0-1", "2", "3", "4A", "4B", "5"]
Grade = Literal["0-1", "2", "3", "4A", "4B", "5", "N"]
Modifier = Literal["N", "I+", "I±", "I-", "S"]
State = Literal["above 0.80", "0.76-0.80", "0.75 or below", "occluded", "not analysed"]


def ffr_rounded(ffr: float) -> float:
    """Round FFR to the two decimals in which it is printed and judged, halves up."""
    return math.floor(ffr * 100 + 0.5 + 1e-9) / 100


def ffr_state(ffr: float | None) -> State:
    """Return the state of an FFR value as printed, in two decimals.

    Above 0.80, 0.76 to 0.80 (borderline), 0.75 or below (FFRct reporting
    recommendation, PMC7977999; CAD-RADS 2.0, Cury 2022: I-, I+/-, I+).
    """
    if ffr is None:
        return "not analysed"
    if ffr_rounded(ffr) > 0.80:
        return "above 0.80"
    return "0.76-0.80" if ffr_rounded(ffr) > 0.75 else "0.75 or below"


class ModelFile(Model):
    """A trained network that took part."""

    name: str
    """Which network."""
    sha256: str
    """Hash of its weights file."""


class InputSummary(Model):
    """The scan that was analysed. Never holds patient name, id or birth date."""

    source: str
    """Kind of input: "dicom", "nifti", "nrrd" or "mha"; "mask": a lumen mask, no scan."""
    series: str
    """Which series was chosen, and why."""
    sha256: str
    """Hash of the input."""
    size: tuple[int, int, int]
    """Number of voxels along i, j, k."""
    spacing_mm: tuple[float, float, float]
    """Voxel spacing along i, j, k, mm."""
    slice_thickness_mm: float | None
    """Slice thickness, mm; null when the input does not say."""
    tube_voltage_kvp: float | None
    """Tube voltage, kV; null when the input does not say."""
    kernel: str | None
    """Reconstruction kernel; null when the input does not say."""


class AssumptionEntry(Model):
    """One value that the computation used about the patient or the physiology."""

    name: str
    """What the value is."""
    value: str
    """The value used, with its unit."""
    source: str
    """Where it comes from: the user, the scan, or a publication."""
    assumed: bool
    """True: assumed, because it was not given or measured."""


class FlagPlace(Model):
    """Where a warning belongs to: as much of it as is known."""

    side: Side
    """Coronary tree: "left" or "right"."""
    vessel: str | None
    """Vessel name; null when the place is the whole tree."""
    segment: int | None
    """SCCT segment number, 1 to 18; null where none applies."""
    position_mm: float | None
    """Path length from the ostium, mm; null when no point is meant."""
    point_mm: tuple[float, float, float] | None
    """Patient coordinates (LPS: left, posterior, superior), mm."""


class FlagEntry(Model):
    """A warning that the reader must see."""

    name: str
    """Short stable name, such as "slices-thick"."""
    message: str
    """One line for the reader."""
    place: FlagPlace | None
    """Where in the coronary trees; null for what concerns the whole scan."""


class ImageQuality(Model):
    """How good the scan is for this purpose."""

    grade: Literal["good", "adequate", "limited"] | None = None
    """Overall grade; null when it was not judged."""
    aorta_hu: float | None = None
    """Mean attenuation of the aortic lumen, HU; null when not measured."""
    noise_hu: float | None = None
    """Standard deviation in the aortic lumen, HU; null when not measured."""
    contrast_to_noise: float | None = None
    """Aorta minus myocardium, over the noise, no unit; null when not measured."""
    remarks: tuple[str, ...] = ()
    """Further remarks, one line each."""


class Influence(Model):
    """How much of an FFR's variance comes from one uncertain input (Sobol indices)."""

    input: str
    """Which input, such as "lumen radius"."""
    first_order: float
    """Share of the variance that this input explains alone, 0 to 1."""
    total: float
    """Share that would remain if all other inputs were known, 0 to 1."""


class LesionResult(Model):
    """One stenosis and what it does to the pressure."""

    id: int
    """Number of the lesion in report and pictures, from 1."""
    side: Side
    """Coronary tree: "left" or "right"."""
    vessel: str
    """Vessel name at the minimal lumen area, such as "LAD"."""
    segment: int | None
    """SCCT segment number, 1 to 18; null where none applies."""
    segment_name: str | None
    """SCCT segment name; null where none applies."""
    position_mm: float
    """Path length from the ostium to the minimal lumen area, mm."""
    start_mm: float
    """Path length from the ostium to the first narrowed point, mm."""
    end_mm: float
    """Path length from the ostium to the last narrowed point, mm."""
    length_mm: float
    """Length of the narrowed stretch, mm."""
    diameter_stenosis_percent: float
    """100 (1 - D / D_reference) at the minimal lumen area, percent."""
    diameter_stenosis_low_percent: float | None
    """Lower end of its 95 % interval, percent; null when the lumen is closed."""
    diameter_stenosis_high_percent: float | None
    """Upper end of that interval."""
    area_stenosis_percent: float
    """100 (1 - A / A_reference) at the minimal lumen area, percent."""
    minimal_lumen_area_mm2: float
    """Minimal lumen area, mm2."""
    minimal_diameter_mm: float
    """Lumen diameter there, mm."""
    reference_diameter_mm: float
    """Diameter that the healthy lumen would have there, mm."""
    ffr_distal: float | None
    """FFR distal to the lesion: the value to read; null when not analysed."""
    ffr_low: float | None
    """Lower end of the 95 % interval of ffr_distal; null when not analysed or not computed."""
    ffr_high: float | None
    """Upper end of the 95 % interval of ffr_distal."""
    probability_below_0_80: float | None
    """Probability that the true FFR there, as printed, is 0.80 or below, 0 to 1."""
    influences: tuple[Influence, ...]
    """What the interval comes from, the most important input first; empty when not
    computed."""
    distance_used_mm: float | None
    """Distance from the lesion's end to where ffr_distal was read, mm: 20 or, where the
    analysed vessel ends sooner, less; null when not analysed."""
    state: State
    """ffr_distal in words, judged on two decimals; occluded: it would be read behind a closed
    lumen, where no flow is known and no FFR exists."""
    pressure_drop_mmhg: float | None
    """Pressure at the lesion's start minus pressure at its end, mmHg; null when not
    analysed."""
    delta_ffr: float | None
    """FFR at the lesion's start minus FFR at its end (trans-lesional); null when not
    analysed."""
    start_point: int
    """First narrowed point: index into the centreline of this side."""
    throat_point: int
    """Point of minimal lumen area."""
    end_point: int
    """Last narrowed point."""
    distal_point: int | None
    """Point where ffr_distal was read; null when not analysed."""
    not_analysed_reason: str | None
    """Why there is no FFR; null when there is one."""

    @model_validator(mode="after")
    def _numbers_or_a_reason(self) -> LesionResult:
        numbers = (
            self.ffr_distal, self.distance_used_mm, self.distal_point, self.pressure_drop_mmhg,
            self.delta_ffr,
        )  # fmt: skip
        _all_or_none(numbers, self.not_analysed_reason, f"lesion {self.id}")
        interval = (self.ffr_low, self.ffr_high, self.probability_below_0_80)
        if len({number is None for number in interval}) > 1:
            message = f"lesion {self.id}: half an interval"
            raise ValueError(message)
        if self.state not in (ffr_state(self.ffr_distal), *_without(self.ffr_distal)):
            message = f"lesion {self.id}: state {self.state!r} contradicts ffr_distal"
            raise ValueError(message)
        return self


class SegmentResult(Model):
    """An unbranched run of one named vessel."""

    side: Side
    """Coronary tree: "left" or "right"."""
    vessel: str
    """Vessel name."""
    segment: int | None
    """SCCT segment number, 1 to 18; null where none applies."""
    segment_name: str | None
    """SCCT segment name; null where none applies."""
    start_mm: float
    """Path length from the ostium to the run's first point, mm."""
    end_mm: float
    """Path length from the ostium to the run's last point, mm."""
    start_point: int
    """First point: index into the centreline of this side."""
    end_point: int
    """Last point."""
    analysed: bool
    """False: no pressure or flow was computed here; all numbers below are null."""
    inlet_pressure_mmhg: float | None
    """Pressure at the first point, mmHg."""
    outlet_pressure_mmhg: float | None
    """Pressure at the last point, mmHg."""
    pressure_drop_mmhg: float | None
    """Inlet minus outlet pressure, mmHg; below 0 where pressure is recovered."""
    flow_ml_min: float | None
    """Flow through the run, ml/min."""
    resistance_mmhg_min_ml: float | None
    """Pressure drop over flow, mmHg min/ml; null where nothing flows."""
    not_analysed_reason: str | None
    """Why there are no numbers; null when there are."""

    @model_validator(mode="after")
    def _numbers_or_a_reason(self) -> SegmentResult:
        numbers = (
            self.inlet_pressure_mmhg, self.outlet_pressure_mmhg, self.pressure_drop_mmhg,
            self.flow_ml_min,
        )  # fmt: skip
        where = f"segment {self.vessel} from {self.start_mm:.1f} mm"
        _all_or_none(numbers, self.not_analysed_reason, where)
        if self.analysed == (self.inlet_pressure_mmhg is None):
            message = f"{where}: analysed is {self.analysed}, its numbers say otherwise"
            raise ValueError(message)
        return self


class VesselResult(Model):
    """One named vessel."""

    side: Side
    """Coronary tree: "left" or "right"."""
    vessel: str
    """Vessel name."""
    segments: tuple[int, ...]
    """SCCT segment numbers it runs through."""
    start_mm: float
    """Path length from the ostium to its first point, mm."""
    end_mm: float
    """Path length from the ostium to its farthest point, mm."""
    analysed_end_mm: float | None
    """Path length from the ostium to where the analysis ends, mm; null when nothing of the
    vessel was analysed."""
    flow_ml_min: float | None
    """Flow entering the vessel, ml/min; null when not analysed."""
    lowest_ffr_not_for_decision: float | None
    """Lowest FFR anywhere in the vessel; not for decision (a value at the tip of a vessel
    overstates ischaemia); null when not analysed, or when part of the vessel is not
    analysable."""
    lowest_ffr_low: float | None
    """Lower end of the 95 % interval of that lowest FFR; null when not computed."""
    lowest_ffr_high: float | None
    """Upper end of that interval."""
    ppg: float | None
    """Pullback pressure gradient index of LAD, LCx or RCA, from the ostium to the end of its
    analysed part: 0 where pressure is lost evenly (diffuse), 1 where it is lost at one place
    (focal) (Collet 2019); null where it is not defined."""
    no_ppg_reason: str | None
    """Why there is no PPG index; null when there is one."""
    lesions: tuple[int, ...]
    """The ids of its lesions."""
    not_analysed_reason: str | None
    """Why part of the vessel, or all of it, has no FFR; null when all of it has one."""


class CadRadsChance(Model):
    """How likely one CAD-RADS category is."""

    grade: StenosisGrade
    """The category."""
    probability: float
    """Probability that the true stenoses have it, 0 to 1."""


class VesselGrade(Model):
    """Suggested CAD-RADS 2.0 grade of one vessel."""

    vessel: str
    """Vessel name."""
    grade: Grade
    """Category of its worst stenosis; "N": not fully read, and nothing of 50 % or more seen."""
    modifiers: tuple[Modifier, ...]
    """As of the patient, for this vessel."""
    worst_stenosis_percent: float | None
    """Its worst diameter stenosis of 25 % or more; null when there is none."""
    least: StenosisGrade
    """Lowest category in the 95 % interval of what is seen."""
    most: StenosisGrade
    """Highest category in it."""
    chances: tuple[CadRadsChance, ...]
    """Probability of each category, lowest first, of what is seen."""


class CadRads(Model):
    """Suggested CAD-RADS 2.0 elements (Cury 2022), for the reader to confirm."""

    statement: str
    """What the grade is, and what it does not see."""
    grade: Grade
    """0-1: less than 25 %; 2: 25 to 49 %; 3: 50 to 69 %; 4A: 70 to 99 %; 4B: left main of 50 %
    and more, or 70 % and more in LAD, LCx and RCA; 5: occluded; N: not fully read, and nothing
    of 50 % or more seen."""
    modifiers: tuple[Modifier, ...]
    """N: some vessel was not fully read; I+, I±, I-: lowest FFR distal to a lesion 0.75 or
    below, 0.76 to 0.80, above 0.80; S: a stent was reported."""
    least: StenosisGrade
    """Lowest category in the 95 % interval of what is seen."""
    most: StenosisGrade
    """Highest category in it."""
    chances: tuple[CadRadsChance, ...]
    """Probability of each category, lowest first, of what is seen."""
    vessels: tuple[VesselGrade, ...]
    """Vessels with a healthy diameter of 1.5 mm and more, main ones first."""
    not_assessed: tuple[str, ...]
    """Elements of CAD-RADS 2.0 that are not measured."""


class UnreadableStretch(Model):
    """A stretch whose lumen the scan does not show. It, what lies behind it and what branches
    off there have no FFR. For the flow in the rest of the tree a stent is presumed open, and a
    possible occlusion as narrow as it was measured."""

    reason: str
    """Why, such as "stent of 2.5 mm" or "possible occlusion"."""
    side: Side
    """Coronary tree: "left" or "right"."""
    vessel: str
    """Vessel name."""
    from_mm: float
    """Path length from the ostium to its beginning, mm."""
    to_mm: float
    """Path length from the ostium to its end, mm."""


class NotAnalysed(Model):
    """Something that a reader would expect and that has no FFR."""

    what: str
    """A vessel, a stretch of one, or a tree."""
    reason: str
    """Why."""


class EditedValue(Model):
    """One number that an edit by hand changed."""

    name: str
    """What it is, with its unit, such as "diameter_mm" or "flow_ml_min"."""
    vessel: str
    """Vessel name, after the edit."""
    at_mm: float | None
    """Path length from the ostium to where it was read, mm; null for a whole vessel."""
    before: float | None
    """The number before the edit; null where there was none."""
    after: float | None
    """The number after it; null where there is none any more."""


class EditedLesion(Model):
    """One stenosis before and after an edit, read at the same place in the patient."""

    side: Side
    """Coronary tree: "left" or "right"."""
    vessel: str
    """Vessel name at its throat, after the edit; before it, where that place is gone."""
    position_mm: float
    """Path length from the ostium to its throat, mm; of the same tree."""
    diameter_stenosis_before_percent: float | None
    """Diameter stenosis at its throat before the edit, percent."""
    diameter_stenosis_after_percent: float | None
    """The same after the edit; null where that place is gone."""
    ffr_before: float | None
    """FFR distal to it before the edit; null when not analysed."""
    ffr_after: float | None
    """FFR at that place after the edit; null when not analysed, or gone."""


class EditEntry(Model):
    """One change that a reader made by hand to the trees that were found."""

    number: int
    """In which order, from 1."""
    made: str
    """Date and time, UTC, ISO 8601."""
    kind: Literal["delete", "relabel", "split", "move", "nudge", "exclude"]
    """What kind of change."""
    what: str
    """The change, in one line."""
    values: tuple[EditedValue, ...]
    """Numbers of the vessel before and after: those that the edit changed."""
    lesions: tuple[EditedLesion, ...]
    """Every stenosis of 25 % or more before or after the edit."""


class Timing(Model):
    """How long one stage took."""

    stage: str
    """Name of the stage."""
    duration_s: float
    """Wall-clock time, s."""


class Result(Model):
    """All that one analysis found."""

    schema_version: Literal["1.5"]
    """Version of this format."""
    research_use_only: str
    """The statement that goes with every number here."""
    created: str
    """Date and time, UTC, ISO 8601."""
    code_version: str
    """Version of ct-ffr."""
    git_commit: str | None
    """Commit of the code, when it ran from a checkout; else null."""
    models: tuple[ModelFile, ...]
    """Networks that took part."""
    input: InputSummary
    """The scan."""
    settings: dict[str, JsonValue]
    """Every setting that the run used."""
    assumptions: tuple[AssumptionEntry, ...]
    """Patient values and physiological constants, given or assumed."""
    flags: tuple[FlagEntry, ...]
    """Warnings."""
    dominance: Literal["right", "left", "codominant"] | None
    """Coronary dominance; null when it could not be told."""
    lv_mass_g: float | None
    """Mass of the left ventricular myocardium, g; null when not measured."""
    aortic_pressure_mmhg: float
    """Mean aortic pressure in hyperaemia, mmHg: FFR is pressure over this."""
    image_quality: ImageQuality
    """How good the scan is."""
    suggested_cad_rads: CadRads
    """Suggested CAD-RADS 2.0 elements, per patient and vessel."""
    lesions: tuple[LesionResult, ...]
    """Stenoses: left tree first, then by distance from the ostium."""
    segments: tuple[SegmentResult, ...]
    """Unbranched runs, parents before children."""
    vessels: tuple[VesselResult, ...]
    """Named vessels, parents before children."""
    unreadable: tuple[UnreadableStretch, ...]
    """Stretches that are not analysable, left tree first."""
    not_analysed: tuple[NotAnalysed, ...]
    """What has no FFR, and why."""
    timings: tuple[Timing, ...]
    """Seconds per stage."""
    plaque_and_fat: PlaqueAndFat | None = None
    """Research grade; null when no outer wall was measured, as of a mask."""
    edits: tuple[EditEntry, ...] = ()
    """Changes made by hand to the trees; empty for the automatic result."""


def _without(ffr: float | None) -> tuple[State, ...]:
    """Return the states, besides `ffr_state`, that go with an FFR."""
    return ("occluded",) if ffr is None else ()


def _all_or_none(numbers: tuple[float | None, ...], reason: str | None, where: str) -> None:
    missing = [number is None for number in numbers]
    if any(missing) and not all(missing):
        message = f"{where}: some numbers are null and some are not"
        raise ValueError(message)
    if all(missing) != (reason is not None):
        message = f"{where}: null numbers need a reason, numbers must not have one"
        raise ValueError(message)
