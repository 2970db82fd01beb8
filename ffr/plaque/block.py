"""How do plaque and fat become a part of the result?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np

from ffr.plaque.fat import Fat, fat_around
from ffr.plaque.remodelling import (
    POSITIVE_FROM,
    lesion_points,
    remodelling_index,
    wall_seen,
)
from ffr.plaque.wall import (
    CALCIFIED_ABOVE_HU,
    LOW_ATTENUATION_BELOW_HU,
    WallVolumes,
    wall_volumes,
)
from ffr.results.findings import lesion_numbers
from ffr.results.result_model import Side
from ffr.results.result_plaque import (
    PLAQUE_STATEMENT,
    LesionPlaque,
    PlaqueAndFat,
    SegmentPlaque,
    VesselFat,
)
from ffr.tracing.scct import SEGMENT_NAMES
from meshes.arrays import AnyArray, Ints
from meshes.stenosis import Lesion
from meshes.tree import CoronaryTree
from meshes.volume import Volume


def plaque_and_fat(
    volume: Volume,
    trees: Sequence[CoronaryTree],
    allowed: Sequence[AnyArray],
    lesions: Sequence[Sequence[Lesion]],
    tube_voltage_kvp: float | None = None,
) -> PlaqueAndFat | None:
    """Return plaque per segment and lesion, and fat per vessel; None without outer walls.

    Parameters
    ----------
    volume
        The native scan, HU.
    trees, allowed, lesions
        Per tree: itself, True where it was analysed, its stenoses.
    tube_voltage_kvp
        As the scan says.
    """
    if not trees or any(c.walls is None for c in trees):
        return None
    measured = [wall_volumes(volume, c) for c in trees]
    seen = [wall_seen(c) & mask for c, mask in zip(trees, allowed, strict=True)]
    segments = [
        row for c, m, s in zip(trees, measured, seen, strict=True) for row in _segments(c, m, s)
    ]
    of_lesions = []
    numbers = lesion_numbers(trees, lesions)
    for c, m, s, own, ids in zip(trees, measured, seen, lesions, numbers, strict=True):
        of_lesions += [_lesion(c, m, s, x, own, k) for x, k in zip(own, ids, strict=True)]
    return PlaqueAndFat(
        statement=PLAQUE_STATEMENT,
        low_attenuation_below_hu=LOW_ATTENUATION_BELOW_HU,
        calcified_above_hu=CALCIFIED_ABOVE_HU,
        tube_voltage_kvp=tube_voltage_kvp,
        segments=tuple(segments),
        lesions=tuple(sorted(of_lesions, key=lambda x: x.lesion)),
        fat=tuple(_fat(x) for x in fat_around(volume, trees, allowed)),
    )


def amounts(measured: WallVolumes, points: Ints | AnyArray) -> dict[str, Any]:
    """Return the fields of `PlaqueVolumes`, summed over some points."""
    sums = {
        name: round(float(getattr(measured, name)[points].sum()), 2)
        for name in WallVolumes.__slots__
    }
    plaque = sums["calcified_mm3"] + sums["non_calcified_mm3"]
    vessel = sums["vessel_mm3"]
    burden = round(100.0 * plaque / vessel, 1) if vessel > 0 else None
    return sums | {"plaque_mm3": round(plaque, 2), "burden_percent": burden}


def _segments(
    c: CoronaryTree, measured: WallVolumes, seen: AnyArray
) -> Iterator[SegmentPlaque]:
    for number in sorted(set(c.segment[seen].tolist()) - {0}):
        points = np.flatnonzero(seen & (c.segment == number))
        most = np.bincount(c.branch[points]).argmax()
        yield SegmentPlaque(
            side=cast(Side, c.side), segment=number, segment_name=SEGMENT_NAMES[number],
            vessel=c.names[most], **amounts(measured, points),
        )  # fmt: skip


def _lesion(
    c: CoronaryTree, measured: WallVolumes, seen: AnyArray, lesion: Lesion,
    lesions: Sequence[Lesion], number: int,
) -> LesionPlaque:  # fmt: skip
    points = lesion_points(c, lesion)
    points = points[seen[points]]
    index = remodelling_index(c, lesion, lesions) if points.size else None
    index = None if index is None else round(index, 2)
    return LesionPlaque(
        lesion=number, remodelling_index=index,
        positive_remodelling=None if index is None else index >= POSITIVE_FROM,
        **amounts(measured, points),
    )  # fmt: skip


def _fat(x: Fat) -> VesselFat:
    attenuation = None if x.attenuation_hu is None else round(x.attenuation_hu, 1)
    return VesselFat(
        vessel=cast(Any, x.vessel), from_mm=round(x.from_mm, 1), to_mm=round(x.to_mm, 1),
        attenuation_hu=attenuation, fat_mm3=round(x.fat_mm3, 1), not_measured_reason=x.reason,
    )  # fmt: skip
