"""What a reader of the result must know beside the numbers."""

from __future__ import annotations

from dataclasses import dataclass

VIRTUAL_STENT = "virtual-stent"  # name of the flag that says which stent is not there


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the coronary trees a warning belongs; None for what is not known.

    Parameters
    ----------
    side
        "left" or "right".
    vessel
        Name of the vessel.
    segment
        SCCT segment number, 1 to 18.
    position_mm
        Path length from the ostium.
    point_mm
        In patient coordinates (LPS).
    """

    side: str
    vessel: str | None = None
    segment: int | None = None
    position_mm: float | None = None
    point_mm: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """A warning that travels with the result.

    Parameters
    ----------
    name
        Short stable name, such as "slices-thick" or "contrast-low".
    message
        One line for the reader. Never holds patient data.
    place
        Where it belongs; None for what concerns the whole scan.
    """

    name: str
    message: str
    place: Place | None = None
