"""What does a result say of plaque and fat? Research grade, apart from flow and grade."""

from __future__ import annotations

from typing import Literal

from ffr.results.result_model import Model, Side

PLAQUE_STATEMENT = "Research grade: not validated on people."


class PlaqueVolumes(Model):
    """What lies between lumen and outer wall of a stretch, the healthy wall included."""

    length_mm: float
    """Length of the sections that were measured, mm: those with a wall in sight."""
    vessel_mm3: float
    """Volume inside the outer wall, mm3."""
    lumen_mm3: float
    """Volume of the lumen, mm3."""
    plaque_mm3: float
    """Vessel minus lumen, mm3."""
    burden_percent: float | None
    """100 plaque / vessel, percent; null when nothing was measured."""
    calcified_mm3: float
    """Part of the plaque above `calcified_above_hu`, mm3."""
    non_calcified_mm3: float
    """The rest of the plaque, mm3."""
    low_attenuation_mm3: float
    """Part of the non-calcified below `low_attenuation_below_hu`, mm3."""


class SegmentPlaque(PlaqueVolumes):
    """Plaque of one SCCT segment."""

    side: Side
    """Coronary tree: "left" or "right"."""
    segment: int
    """SCCT segment number, 1 to 18."""
    segment_name: str
    """SCCT segment name."""
    vessel: str
    """Vessel name."""


class LesionPlaque(PlaqueVolumes):
    """Plaque of one lesion."""

    lesion: int
    """The lesion's id."""
    remodelling_index: float | None
    """Outer diameter at the throat over the mean of the normal ones within 5 mm before and
    behind; null when neither is seen."""
    positive_remodelling: bool | None
    """Whether the index, as printed in two decimals, is 1.10 or more; null without one."""


class VesselFat(Model):
    """Fat around one proximal artery."""

    vessel: Literal["RCA", "LAD", "LCx"]
    """Vessel name."""
    from_mm: float
    """Path length from the ostium to where it was measured from, mm."""
    to_mm: float
    """Path length from the ostium to where it was measured to, mm."""
    attenuation_hu: float | None
    """Mean of the voxels from -190 to -30 HU between the outer wall and one vessel diameter
    beyond it, HU; null when not measured."""
    fat_mm3: float
    """Volume of these voxels, mm3."""
    not_measured_reason: str | None
    """Why there is no number; null when there is one."""


class PlaqueAndFat(Model):
    """Plaque and pericoronary fat. Research grade: flow, FFR and grade do not depend on it."""

    statement: str
    """What it is worth."""
    low_attenuation_below_hu: float
    """Non-calcified plaque below this is of low attenuation, HU."""
    calcified_above_hu: float
    """Plaque above this is calcified, HU."""
    tube_voltage_kvp: float | None
    """Tube voltage, kV: all attenuation depends on it; null when the input does not say."""
    segments: tuple[SegmentPlaque, ...]
    """SCCT segments, left tree first, as far as they were analysed."""
    lesions: tuple[LesionPlaque, ...]
    """Lesions, by their ids."""
    fat: tuple[VesselFat, ...]
    """Fat around LAD, LCx and RCA, as far as they were found."""
