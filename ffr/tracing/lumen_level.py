"""How bright is lumen, and how long is what could be vessel? Shared by the steps of tracing."""

from __future__ import annotations

TISSUE_HU, FAT_HU = 50.0, -100.0  # what lies around vessels: wall or muscle, and fat
LUMEN_EDGE = 0.5  # of the contrast between tissue and blood: where a blurred edge lies
LEAST_PIECE_MM = 12.0  # shortest loose piece of vessel that is looked at


def lumen_hu(blood_hu: float, share: float = LUMEN_EDGE) -> float:
    """Return the attenuation at a share of the contrast between tissue and blood, HU."""
    return TISSUE_HU + share * (blood_hu - TISSUE_HU)
