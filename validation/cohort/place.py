"""Which computed FFR belongs to an invasive measurement? The one where the sensor was.

Never the vessel's tip: in 182 vessels reading there instead of distal to the lesion cut
specificity from 86 to 50 % (J Cardiovasc Comput Tomogr 2021). Without a sensor position FFR
is read 20 mm beyond the lesion (10 to 20 mm is advised: Nørgaard, PMC7977999).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyvista as pv

from ffr.errors import ConfigError
from ffr.results.result import LesionResult, Result
from meshes.arrays import Floats, floats
from meshes.vtk_file import read_polydata
from validation.cohort.schema import Row

READ_AT_MM = 20.0
NEAR_MM = 15.0  # a found lesion this close to the one in the table is the same
WIDE_MM = 2.0  # a wire sensor goes no further than this healthy diameter
SENSOR, DISTAL, ENDS = "sensor", "20 mm distal to the lesion", "at the end of the model"
UNNARROWED = "no lesion found: where the healthy vessel is 2 mm wide"
_COLUMNS = ("s_mm", "ffr", "ffr_low", "ffr_high", "probability_below_0_80")


@dataclass(frozen=True, slots=True)
class Measured:
    """What was read off a result for one row of the table.

    Parameters
    ----------
    ffr, ffr_low, ffr_high, probability
        At the place.
    place
        How it was chosen.
    distance_mm
        From the lesion's distal end; None where no lesion is meant.
    found_stenosis_percent
        Worst diameter stenosis found between ostium and place; 0 when none was.
    """

    ffr: float
    ffr_low: float | None
    ffr_high: float | None
    probability: float | None
    place: str
    distance_mm: float | None
    found_stenosis_percent: float


class NotReadError(ValueError):
    """No FFR belongs to this row; the message is a short stable reason."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """FFR along the way from the ostium through one vessel, shape (n,) each; NaN: unknown."""

    s_mm: Floats
    ffr: Floats
    ffr_low: Floats
    ffr_high: Floats
    probability: Floats
    reference_radius_mm: Floats


def measured(result: Result, tree: Path | None, row: Row) -> Measured:
    """Return what a result says for a row.

    Parameters
    ----------
    result
        Of the row's case.
    tree
        Its tree.vtp; None when only result.json is there, which knows FFR 20 mm distal to
        each lesion but nowhere else.
    row
        Vessel, lesion and sensor.

    Raises
    ------
    NotReadError
        The vessel was not found or not analysed, or is occluded before the place.
    ConfigError
        The tree cannot be read.
    """
    vessels = [v for v in result.vessels if v.vessel == row.vessel]
    if not vessels:
        raise NotReadError("vessel-not-found")
    if vessels[0].analysed_end_mm is None:
        raise NotReadError("vessel-not-analysed")
    curve = None if tree is None else curve_of(tree, row.vessel)
    on_way = _lesions_on_way(result, vessels[0].side, row.vessel)
    lesion = _meant(on_way, row)
    if curve is None:
        return _from_result(lesion, row)
    at, place = _place(curve, lesion, row)
    known = np.isfinite(curve.ffr)
    if any(x.state == "occluded" and x.position_mm <= at for x in on_way):
        raise NotReadError("occluded")
    if not known.any():
        raise NotReadError("vessel-not-analysed")
    end = float(curve.s_mm[known][-1])
    if at > end + 1:
        at, place = end, f"{place}, {ENDS}"
    before = [x.diameter_stenosis_percent for x in on_way if x.position_mm <= at]
    ends = (_at(curve.s_mm, v, at) for v in (curve.ffr_low, curve.ffr_high, curve.probability))
    ffr_low, ffr_high, probability = (None if np.isnan(v) else v for v in ends)
    behind = _end_of(lesion, row)
    return Measured(
        ffr=_at(curve.s_mm, curve.ffr, at), ffr_low=ffr_low, ffr_high=ffr_high,
        probability=probability, place=place,
        distance_mm=None if behind is None else at - behind,
        found_stenosis_percent=max(before, default=0.0),
    )  # fmt: skip


def _lesions_on_way(result: Result, side: str, vessel: str) -> list[LesionResult]:
    """Return the lesions a wire passes: of the vessel itself and of what it leaves."""
    way = {vessel, *_MOTHERS.get(vessel.rstrip("0123456789"), ())}
    return [x for x in result.lesions if x.side == side and x.vessel in way]


_MOTHERS = {
    "LAD": ("LM",), "LCx": ("LM",), "RI": ("LM",), "D": ("LM", "LAD"), "S": ("LM", "LAD"),
    "OM": ("LM", "LCx"), "LA": ("LM", "LCx"), "L-PDA": ("LM", "LCx"),
    "L-PLB": ("LM", "LCx"), "AM": ("RCA",), "RA": ("RCA",), "R-PDA": ("RCA",),
    "R-PLB": ("RCA",),
}  # fmt: skip


def _meant(lesions: Sequence[LesionResult], row: Row) -> LesionResult | None:
    """Return the lesion of the row: by its place, its segment, or the one with lowest FFR."""
    if row.lesion_s_mm is not None:
        s_mm = row.lesion_s_mm
        near = [x for x in lesions if x.start_mm - NEAR_MM <= s_mm <= x.end_mm + NEAR_MM]
        return min(near, key=lambda x: abs(x.position_mm - s_mm), default=None)
    there = [x for x in lesions if row.segment_scct is None or x.segment == row.segment_scct]
    own = [x for x in there if x.vessel == row.vessel] or there
    # without FFR it is closed or too small: what the wire passed decides less surely
    return min(own, key=lambda x: 0.0 if x.ffr_distal is None else x.ffr_distal, default=None)


def _place(curve: Curve, lesion: LesionResult | None, row: Row) -> tuple[float, str]:
    """Return path length from the ostium, mm, and how it was chosen."""
    if row.sensor_distance_mm is not None and row.sensor_from == "ostium":
        return row.sensor_distance_mm, SENSOR
    end = _end_of(lesion, row)
    if end is not None and row.sensor_distance_mm is not None:
        return end + row.sensor_distance_mm, SENSOR
    if end is not None:
        return end + READ_AT_MM, DISTAL
    wide = np.isfinite(curve.ffr) & (2 * curve.reference_radius_mm >= WIDE_MM)
    return float(curve.s_mm[wide][-1]) if wide.any() else float(curve.s_mm[-1]), UNNARROWED


def _end_of(lesion: LesionResult | None, row: Row) -> float | None:
    """Return where what was measured ends, mm from the ostium; None: no lesion is meant."""
    return row.lesion_s_mm if lesion is None else lesion.end_mm


def _from_result(lesion: LesionResult | None, row: Row) -> Measured:
    """Read what result.json alone knows: FFR 20 mm distal to the lesion."""
    if lesion is None:
        raise NotReadError("no-lesion-and-no-tree.vtp")
    if lesion.ffr_distal is None:
        shut = lesion.state == "occluded"
        raise NotReadError("occluded" if shut else "lesion-not-analysed")
    asked = row.sensor_distance_mm is not None
    return Measured(
        ffr=lesion.ffr_distal, ffr_low=lesion.ffr_low, ffr_high=lesion.ffr_high,
        probability=lesion.probability_below_0_80,
        place=f"{DISTAL}{', no tree.vtp to find the sensor' if asked else ''}",
        distance_mm=lesion.distance_used_mm,
        found_stenosis_percent=lesion.diameter_stenosis_percent,
    )  # fmt: skip


def curve_of(path: Path, vessel: str) -> Curve:
    """Read FFR along the way from the ostium to the far end of a vessel from tree.vtp.

    Beyond the vessel's last point the way goes on into the widest branch, as a wire does.

    Raises
    ------
    ConfigError
        Not a tree.vtp of a finished run.
    NotReadError
        The vessel is not in it.
    """
    try:
        mesh = pv.PolyData(read_polydata(path, path.name))
        names = [str(n) for n in mesh.field_data["branch_names"]]
        data = {k: np.asarray(mesh.point_data[k], dtype=np.float64) for k in _COLUMNS}
        branch = np.asarray(mesh.point_data["branch"])
        healthy = np.asarray(mesh.point_data["reference_radius_mm"], dtype=np.float64)
        parent = _parents(mesh.lines, branch.size)
    except (KeyError, OSError, ValueError, AttributeError) as error:
        raise ConfigError(
            "tree.vtp is not that of a finished run; run the case again"
        ) from error
    own = np.flatnonzero(branch == names.index(vessel)) if vessel in names else branch[:0]
    if own.size == 0:
        raise NotReadError("vessel-not-found")
    way = _way(parent, int(own[np.argmax(data["s_mm"][own])]), healthy)
    s_mm, ffr, low, high, probability = (floats(data[k][way]) for k in _COLUMNS)
    return Curve(s_mm, ffr, low, high, probability, floats(healthy[way]))


def _parents(lines: np.ndarray, n: int) -> np.ndarray:
    """Return each point's upstream neighbour, -1 at inlets; `lines` as VTK packs them."""
    parent, k = np.full(n, -1), 0
    while k < lines.size:
        run = lines[k + 1 : k + 1 + lines[k]]
        parent[run[1:]] = run[:-1]
        k += int(lines[k]) + 1
    return parent


def _way(parent: np.ndarray, point: int, healthy: Floats) -> np.ndarray:
    up, down = [point], []
    while parent[up[-1]] >= 0:
        up.append(int(parent[up[-1]]))
    children = np.flatnonzero(parent == point)
    while children.size:
        down.append(int(children[np.argmax(healthy[children])]))
        children = np.flatnonzero(parent == down[-1])
    return np.array([*reversed(up), *down])


def _at(s_mm: Floats, values: Floats, at_mm: float) -> float:
    """Return a value on the way; NaN where none is known."""
    known = np.isfinite(values)
    return float(np.interp(at_mm, s_mm[known], values[known])) if known.any() else np.nan
