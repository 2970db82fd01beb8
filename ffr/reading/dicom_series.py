"""What does a series that we write say of itself?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PatientHeader:
    """Who the series says was scanned: nobody, unless a test wants a name to look for."""

    name: str = "VIRTUAL^PATIENT"
    identity: str = "VIRTUAL-0"
    birth_date: str = ""
    sex: str = "O"


@dataclass(frozen=True, slots=True)
class SeriesHeader:
    """How the series says it was made.

    HU = slope_hu * stored + intercept_hu. `study` and `seed` only feed the hash of the UIDs:
    equal `study` makes series of one study, another `seed` another series.
    """

    number: int = 1
    description: str = "CORONARY CTA"
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "AXIAL")
    kernel: str = "Bv40"
    tube_voltage_kvp: float = 120.0
    slice_thickness_mm: float | None = None  # None: the spacing of the slices
    contrast_agent: str = "IODINATED CONTRAST"
    phase_percent: float | None = 75.0
    slope_hu: float = 1.0
    intercept_hu: float = -1024.0
    study: str = "virtual study"
    seed: str = ""


def decimals(values: Iterable[float]) -> list[str]:
    """Return decimal strings of at most 16 characters, as DICOM allows."""
    return [next(t for n in range(12, 6, -1) if len(t := f"{v:.{n}g}") <= 16) for v in values]
