"""What does a comparison with and without a stent hold? Every field of `comparison.json`."""

from __future__ import annotations

from typing import Literal

from ffr.results.result import Model, Side, State

SCHEMA_VERSION: Literal["1.0"] = "1.0"
STATEMENT = (
    "A prediction of pressure with a stent that is not there: fully opened, nothing else "
    "changed. It says nothing of outcome, and nothing of whether to treat."
)


class StentPlan(Model):
    """A virtual stent."""

    side: Side
    """Coronary tree: "left" or "right"."""
    vessel: str
    """Vessel in which it ends."""
    from_mm: float
    """Path length from the ostium to its upstream end, mm."""
    to_mm: float
    """Path length from the ostium to its downstream end, mm."""
    given_diameter_mm: float | None
    """Diameter that was asked for, mm; null: the healthy reference all along."""
    proximal_diameter_mm: float
    """Diameter that it is opened to at its upstream end, mm."""
    distal_diameter_mm: float
    """Diameter that it is opened to at its downstream end, mm."""


class Reading(Model):
    """FFR at one place without and with the stent, and the change; null where there is none."""

    read_at_mm: float
    """Path length from the ostium to where FFR is read, mm: the same place both times."""
    ffr_before: float | None
    """FFR of the first result."""
    ffr_before_low: float | None
    """Lower end of its 95 % interval."""
    ffr_before_high: float | None
    """Upper end of that interval."""
    ffr_after: float | None
    """FFR with the stent."""
    ffr_after_low: float | None
    """Lower end of its 95 % interval."""
    ffr_after_high: float | None
    """Upper end of that interval."""
    change: float | None
    """ffr_after minus ffr_before."""
    change_low: float | None
    """Lower end of the 95 % interval of the change, from paired samples: the same errors of
    lumen, beds, pressures and flow model in both."""
    change_high: float | None
    """Upper end of that interval."""
    state_after: State
    """ffr_after in words, judged on two decimals."""


class LesionChange(Reading):
    """One lesion of the first result, read where that reads it."""

    id: int
    """Its number in the first result."""
    side: Side
    """Coronary tree: "left" or "right"."""
    vessel: str
    """Vessel name at its throat."""
    position_mm: float
    """Path length from the ostium to its throat, mm."""
    diameter_stenosis_percent: float
    """Its diameter stenosis in the first result, percent."""
    throat_stented: bool
    """True: a stent covers its throat."""
    drop_before_mmhg: float | None
    """Pressure at its start minus pressure at its end in the first result, mmHg."""
    drop_after_mmhg: float | None
    """The same with the stent, mmHg: of a lesion that is left more, since more flows."""


class VesselChange(Reading):
    """One vessel, read where its analysed part ends. Not for decision: tips overstate."""

    side: Side
    """Coronary tree: "left" or "right"."""
    vessel: str
    """Vessel name."""


class RemainingDrop(Model):
    """Where most pressure is lost in the tree with the stent: its steepest 20 mm."""

    side: Side
    """Coronary tree: "left" or "right"."""
    vessel: str
    """Vessel name at its downstream end."""
    from_mm: float
    """Path length from the ostium to its upstream end, mm."""
    to_mm: float
    """Path length from the ostium to its downstream end, mm."""
    ffr_drop: float
    """FFR at its upstream end minus FFR at its downstream end."""
    lesions: tuple[int, ...]
    """Lesions of the first result whose throat lies in it."""


class Comparison(Model):
    """What virtual stents change."""

    schema_version: Literal["1.0"]
    """Version of this format."""
    research_use_only: str
    """The statement that goes with every number here."""
    statement: str
    """What this predicts, and what it does not."""
    created: str
    """Date and time, UTC, ISO 8601."""
    code_version: str
    """Version of ct-ffr."""
    stents: tuple[StentPlan, ...]
    """The stents."""
    aortic_pressure_mmhg: float
    """Mean aortic pressure in hyperaemia, mmHg: the same without and with the stent."""
    flow_before_ml_min: dict[Side, float]
    """Flow into each tree in the first result, ml/min."""
    flow_after_ml_min: dict[Side, float]
    """The same with the stent, ml/min."""
    lesions: tuple[LesionChange, ...]
    """Every lesion of the first result."""
    vessels: tuple[VesselChange, ...]
    """Every vessel of which something is analysed."""
    greatest_remaining_drop: RemainingDrop | None
    """Where most pressure is lost in the tree with the stent; null: nothing is analysed."""
    warnings: tuple[str, ...]
    """What the reader must know about the second solution, one line each."""


class RankedStent(Model):
    """What one stent over one lesion would give."""

    lesion: int
    """Number of the lesion in the first result."""
    vessel: str
    """Vessel in which the stent would end."""
    from_mm: float
    """Path length from the ostium to its upstream end, mm."""
    to_mm: float
    """Path length from the ostium to its downstream end, mm."""
    gain: float | None
    """Largest change of FFR at the analysed end of any vessel; null where it cannot be told."""
    gain_vessel: str | None
    """Vessel at whose end that is."""
    ffr_before: float | None
    """FFR there in the first result."""
    ffr_after: float | None
    """FFR there with the stent."""
    reason: str | None
    """Why nothing can be told; null where it can."""
