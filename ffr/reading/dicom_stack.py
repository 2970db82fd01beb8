"""Do these CT slices make one regular volume, and where does it lie?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ffr.errors import StudyError
from ffr.reading.dicom_frame import Frame
from meshes.arrays import Floats, floats
from meshes.volume import Grid

MINIMUM_SLICES = 16
MAXIMUM_THICKNESS_MM = 1.5
TOLERANCE_MM = 0.03  # positions written with two decimals differ by up to 0.02
TOLERANCE_RAD = math.radians(0.05)  # shifts a 140 mm stack by 0.12 mm
PHASE_KEYS: tuple[Callable[[Frame], float | None], ...] = (
    lambda frame: frame.phase_percent,
    lambda frame: frame.temporal_index,
    lambda frame: frame.trigger_ms,
    lambda frame: frame.acquisition,
)


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Slices in order of their position along the normal, on a regular grid."""

    frames: tuple[Frame, ...]
    grid: Grid
    slice_thickness_mm: float


def split_phases(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Split a series that holds several cardiac phases at the same places.

    Phases are told apart by the first of phase percentage, temporal position, trigger time
    and acquisition number under which at least one part has no place twice and covers nine
    tenths of all places; incomplete parts are dropped. A series without a place taken
    twice, or which none of them can split, comes back whole.
    """
    places = _places(frames)
    distinct = len(set(places))
    if distinct == len(places):
        return [list(frames)]
    for key in PHASE_KEYS:
        parts: dict[float | None, list[int]] = {}
        for i, frame in enumerate(frames):
            parts.setdefault(key(frame), []).append(i)
        whole = [
            [frames[i] for i in part]
            # in order of their keys, because the order of files is chance
            for _, part in sorted(parts.items(), key=lambda item: (item[0] is None, item[0]))
            if len({places[i] for i in part}) == len(part) >= 0.9 * distinct
        ]
        if len(parts) > 1 and whole:
            return whole
    return [list(frames)]


def _places(frames: Sequence[Frame]) -> list[int]:
    """Return the place of each frame along the normal of the first, in 1/20 mm."""
    along = np.array([f.position_mm for f in frames]) @ _normal(frames[0])
    return [int(p) for p in np.round(along * 20.0)]


def build_stack(frames: Sequence[Frame]) -> Stack:
    """Sort slices and lay the grid through them.

    Raises
    ------
    StudyError
        "not-hu", "slices-mixed", "gantry-tilt", "slices-duplicated", "slices-missing",
        "slices-uneven", "slices-too-thick", "too-few-slices".
    """
    _check_rescale(frames)
    _check_plane(frames)
    normal = _normal(frames[0])
    along = np.array([f.position_mm for f in frames]) @ normal
    order = np.argsort(along, kind="stable")
    ordered = tuple(frames[i] for i in order)
    positions = np.array([f.position_mm for f in ordered])
    _check_tilt(ordered, positions, normal)
    if len(ordered) < MINIMUM_SLICES:
        message = (
            f"the series has {len(ordered)} slices, at least {MINIMUM_SLICES} are needed; "
            "give the whole folder of the coronary CTA"
        )
        raise StudyError("too-few-slices", message)
    spacing_mm = _check_steps(along[order])
    _check_drift(positions, normal)
    thickness_mm = max([f.slice_thickness_mm or 0.0 for f in ordered]) or spacing_mm
    check_thickness(thickness_mm, spacing_mm)
    return Stack(ordered, _grid(ordered, spacing_mm, normal), thickness_mm)


def check_thickness(thickness_mm: float, spacing_mm: float) -> None:
    """Refuse slices that are thicker or farther apart than 1.5 mm ("slices-too-thick")."""
    worst = max(thickness_mm, spacing_mm)
    if worst > MAXIMUM_THICKNESS_MM + 1e-3:
        message = (
            f"slices are {thickness_mm:.2f} mm thick and {spacing_mm:.2f} mm apart, at most "
            f"{MAXIMUM_THICKNESS_MM} mm can be analysed; reconstruct thinner slices"
        )
        raise StudyError("slices-too-thick", message)


def _normal(frame: Frame) -> Floats:
    normal = np.cross(frame.direction[:, 0], frame.direction[:, 1])
    return floats(normal / np.linalg.norm(normal))


def _check_rescale(frames: Sequence[Frame]) -> None:
    for frame in frames:
        slope, intercept = frame.slope_hu, frame.intercept_hu
        if slope is None or intercept is None:
            what = "rescale slope or intercept is not given"
        elif slope <= 0 or abs(intercept) > 32768:
            what = f"rescale slope {slope:g}, intercept {intercept:g} are implausible"
        elif frame.rescale_type not in (None, "HU"):
            what = f"the header calls the values {frame.rescale_type}"
        else:
            continue
        message = f"{what}, so these are not Hounsfield units; export the original CT values"
        raise StudyError("not-hu", message)


def _check_plane(frames: Sequence[Frame]) -> None:
    first = frames[0]
    for frame in frames:
        if frame.size != first.size:
            said = f"matrices, {_times(first.size)} and {_times(frame.size)}"
        elif not np.allclose(frame.spacing_mm, first.spacing_mm, rtol=0, atol=1e-4):
            said = f"pixel sizes, {first.spacing_mm[0]:.4f} and {frame.spacing_mm[0]:.4f} mm"
        elif not np.allclose(frame.direction, first.direction, rtol=0, atol=1e-3):
            said = "image orientations"
        else:
            continue
        message = f"the series mixes {said}; choose or export one reconstruction"
        raise StudyError("slices-mixed", message)


def _times(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _check_tilt(frames: Sequence[Frame], positions: Floats, normal: Floats) -> None:
    tilt_rad = max((f.tilt_rad for f in frames), key=abs)
    path = positions[-1] - positions[0]
    shear_rad = 0.0
    if len(frames) > 1 and np.linalg.norm(path) > 0:
        sideways = float(np.linalg.norm(path - (path @ normal) * normal))
        shear_rad = math.atan2(sideways, abs(float(path @ normal)))
        if sideways < TOLERANCE_MM:
            shear_rad = 0.0
    worst = max(abs(tilt_rad), shear_rad)
    if worst > TOLERANCE_RAD:
        said = "the header says" if abs(tilt_rad) >= shear_rad else "the slices are stacked"
        message = (
            f"{said} {math.degrees(worst):.1f} degrees off the image normal; "
            "rescan without gantry tilt or resample to an upright volume"
        )
        raise StudyError("gantry-tilt", message)


def _check_drift(positions: Floats, normal: Floats) -> None:
    """Refuse slices that stand aside of the straight stack."""
    path = positions - positions[0]
    line = (path @ normal)[:, None] * normal
    aside = np.linalg.norm(path - line, axis=1)
    worst = int(np.argmax(aside))
    if aside[worst] > 0.1 + TOLERANCE_RAD * float(np.linalg.norm(path[-1])):
        message = (
            f"slice {worst + 1} of {len(positions)} lies {aside[worst]:.2f} mm aside of the "
            "stack; export the original slices"
        )
        raise StudyError("slices-uneven", message)


def _check_steps(along_mm: Floats) -> float:
    """Return the distance of the slices when it is everywhere the same."""
    steps = np.diff(along_mm)
    apart = steps[steps > 1e-2]
    usual = float(np.median(apart)) if apart.size else 0.0
    twice = np.flatnonzero(steps < 0.1 * usual) if usual else np.arange(len(steps))
    if twice.size:
        message = (
            f"{twice.size} places hold more than one slice, the first at "
            f"{along_mm[twice[0]]:.2f} mm; export one phase and one reconstruction"
        )
        raise StudyError("slices-duplicated", message)
    tolerance = max(TOLERANCE_MM, 0.05 * usual)
    off = np.flatnonzero(np.abs(steps - usual) > tolerance)
    if off.size:
        _refuse_steps(along_mm, steps, usual, off, tolerance)
    return float(along_mm[-1] - along_mm[0]) / (len(along_mm) - 1)


def _refuse_steps(
    along_mm: Floats, steps: Floats, usual: float, off: np.ndarray, tolerance: float
) -> None:
    multiples = np.round(steps[off] / usual)
    gaps = np.abs(steps[off] - multiples * usual) <= tolerance
    at = f"{along_mm[off[0]]:.2f} and {along_mm[off[0] + 1]:.2f} mm"
    if np.all(gaps & (multiples >= 2)):
        lost = int(np.sum(multiples - 1))
        message = (
            f"{lost} slices are missing, the first between {at} along the stack (spacing "
            f"{usual:.3f} mm); send the complete series again"
        )
        raise StudyError("slices-missing", message)
    message = (
        f"slices are {steps.min():.2f} to {steps.max():.2f} mm apart, first change between "
        f"{at}; export the original, evenly spaced slices"
    )
    raise StudyError("slices-uneven", message)


def _grid(frames: Sequence[Frame], spacing_mm: float, normal: Floats) -> Grid:
    first = frames[0]
    row = first.direction[:, 0]
    column = np.cross(normal, row)  # exactly perpendicular, whatever the digits in the file
    return Grid(
        size=np.array([first.size[0], first.size[1], len(frames)]),
        spacing_mm=floats([*first.spacing_mm, spacing_mm]),
        origin_mm=first.position_mm,
        direction=floats(np.stack([row, column, normal], axis=1)),
    )
