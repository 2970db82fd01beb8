"""What is said of plaque and fat? One small table, marked as research grade."""

from __future__ import annotations

from dataclasses import dataclass

from ffr.report import words
from ffr.results.result import Result
from ffr.results.result_plaque import PlaqueAndFat, PlaqueVolumes, VesselFat

TITLE = "Plaque and fat (research grade: not validated on people)"
HEAD = (
    "Where", "Length", "Vessel", "Plaque", "Burden", "Calcified", "Non-calcified",
    "of it low attenuation", "Remodelling index",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlaqueWords:
    """Plaque and fat as they are printed.

    Parameters
    ----------
    title, head, rows
        Of the table: segments, then lesions.
    fat
        One line per vessel.
    note
        What the numbers are.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    fat: tuple[str, ...]
    note: str


def plaque_words(result: Result) -> PlaqueWords | None:
    """Return what is said of plaque and fat; None where they were not measured."""
    found = result.plaque_and_fat
    if found is None:
        return None
    names = {x.id: f"Lesion {x.id}, {x.segment_name or x.vessel}" for x in result.lesions}
    rows = [(x.segment_name, *amounts(x), "") for x in found.segments]
    rows += [
        (names[x.lesion], *amounts(x), index_words(x.remodelling_index)) for x in found.lesions
    ]
    fat = tuple(fat_words(x) for x in found.fat)
    return PlaqueWords(TITLE, HEAD, tuple(rows), fat, _note(found))


def amounts(x: PlaqueVolumes) -> tuple[str, ...]:
    """Return the volumes of one row, from "Length" to "of it low attenuation"."""
    return (
        words.number(x.length_mm, 0, "mm"), _mm3(x.vessel_mm3), _mm3(x.plaque_mm3), _burden(x),
        _mm3(x.calcified_mm3), _mm3(x.non_calcified_mm3), _mm3(x.low_attenuation_mm3),
    )  # fmt: skip


def _mm3(value: float) -> str:
    return words.number(value, 0, "mm³")


def _burden(x: PlaqueVolumes) -> str:
    return "–" if x.burden_percent is None else words.number(x.burden_percent, 0, "%")


def index_words(value: float | None) -> str:
    """Return a remodelling index."""
    return "not given" if value is None else words.number(value, 2)


def fat_words(x: VesselFat) -> str:
    """Return the fat around a vessel, in one line."""
    if x.attenuation_hu is None:
        return f"fat around the proximal {x.vessel}: not measured, {x.not_measured_reason}"
    return (
        f"fat around the proximal {x.vessel} ({x.from_mm:.0f}–{x.to_mm:.0f} mm from the "
        f"ostium): {words.number(x.attenuation_hu, 0, 'HU')}"
    )


def _note(x: PlaqueAndFat) -> str:
    kvp = "unknown tube voltage" if x.tube_voltage_kvp is None else (
        f"{x.tube_voltage_kvp:.0f} kV"
    )  # fmt: skip
    low, high = f"{x.low_attenuation_below_hu:.0f}", f"{x.calcified_above_hu:.0f}"
    return (
        "Plaque: all between lumen and outer wall, the healthy wall included. Calcified: above "
        f"{high} HU; low attenuation: below {low} HU. Fat: mean of the voxels from −190 to "
        "−30 HU within one vessel diameter of the wall. All attenuation depends on tube "
        f"voltage (here {kvp}), contrast and kernel. FFR and CAD-RADS do not use these "
        "numbers; no cut-off is applied to them."
    )
