"""Healthy-reference radius along a tree, and the lesions that fall short of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lesion:
    """One stenosis: a contiguous stretch of narrowed lumen along one path of a tree.

    Parameters
    ----------
    start, throat, end
        Point indices: first narrowed point, minimal lumen area, last narrowed point.
    length_mm
        Path length from start to end.
    minimal_diameter_mm, reference_diameter_mm
        Lumen diameter at the throat; healthy diameter there.
    minimal_lumen_area_mm2
        Lumen area at the throat.
    diameter_stenosis_percent, area_stenosis_percent
        100 (1 - D/D_ref) and 100 (1 - A/A_ref) at the throat.
    """

    start: int
    throat: int
    end: int
    length_mm: float
    minimal_diameter_mm: float
    reference_diameter_mm: float
    minimal_lumen_area_mm2: float
    diameter_stenosis_percent: float
    area_stenosis_percent: float
