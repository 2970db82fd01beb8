"""Where does one CT frame lie, and how do its stored values become Hounsfield units?"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from meshes.arrays import Floats, floats


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One CT slice, without its pixels.

    Parameters
    ----------
    path, index
        The file and the number of the frame in it, from 0.
    instance_number
        Number of the image in its series, for messages.
    image_type
        Values of Image Type or Frame Type, such as ORIGINAL, PRIMARY, AXIAL.
    position_mm
        Patient position (LPS) of the centre of the first pixel, shape (3,).
    direction
        Columns are the unit vectors along a row and along a column, shape (3, 2).
    spacing_mm
        Distance of pixel centres along a row and along a column, shape (2,).
    size
        Pixels along a row and along a column.
    slope_hu, intercept_hu, rescale_type
        HU = slope_hu * stored + intercept_hu; None where not given.
    phase_percent, trigger_ms, temporal_index, acquisition
        What may tell the phases of a 4D series apart.
    """

    path: Path
    index: int
    instance_number: int | None
    image_type: tuple[str, ...]
    position_mm: Floats
    direction: Floats
    spacing_mm: Floats
    size: tuple[int, int]
    slice_thickness_mm: float | None
    tilt_rad: float
    slope_hu: float | None
    intercept_hu: float | None
    rescale_type: str | None
    phase_percent: float | None
    trigger_ms: float | None
    temporal_index: int | None
    acquisition: int | None


def number(item: Any, keyword: str) -> float | None:
    """Return a finite number, None where it is absent or unreadable."""
    try:
        value = float(item[keyword].value)
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def whole(item: Any, keyword: str) -> int | None:
    """Return a whole number, None where it is absent or unreadable."""
    value = number(item, keyword)
    return int(value) if value is not None and value == int(value) else None


def words(item: Any, keyword: str) -> tuple[str, ...]:
    """Return the values of a text element, upper or lower case as written."""
    try:
        value = item[keyword].value
    except (KeyError, ValueError, TypeError):
        return ()
    if value is None or value == "":
        return ()
    return (value,) if isinstance(value, str) else tuple(str(part) for part in value)


def text(item: Any, keyword: str, pattern: str) -> str | None:
    """Return a text that fits `pattern` wholly; anything else may be anything, so None."""
    value = "\\".join(words(item, keyword)).strip()
    return value if re.fullmatch(pattern, value) else None


def classic_frame(path: Path, dataset: Any) -> tuple[Frame, ...]:
    """Return the one frame of a CT Image Storage file."""
    heart_rate_bpm = number(dataset, "HeartRate")
    interval_ms = number(dataset, "NominalInterval")
    if not interval_ms and heart_rate_bpm:
        interval_ms = 60_000.0 / heart_rate_bpm
    trigger_ms = number(dataset, "TriggerTime")
    phase = number(dataset, "NominalPercentageOfCardiacPhase")
    if phase is None and interval_ms and trigger_ms is not None:
        phase = 100.0 * trigger_ms / interval_ms
    if phase is None:
        phase = _percent_in_description(dataset)
    return (
        Frame(
            path=path,
            index=0,
            instance_number=whole(dataset, "InstanceNumber"),
            image_type=words(dataset, "ImageType"),
            position_mm=_vector(dataset.ImagePositionPatient, 3),
            direction=_cosines(dataset.ImageOrientationPatient),
            spacing_mm=_vector(dataset.PixelSpacing, 2, reverse=True),
            size=(int(dataset.Columns), int(dataset.Rows)),
            slice_thickness_mm=number(dataset, "SliceThickness"),
            tilt_rad=math.radians(number(dataset, "GantryDetectorTilt") or 0.0),
            slope_hu=number(dataset, "RescaleSlope"),
            intercept_hu=number(dataset, "RescaleIntercept"),
            rescale_type=text(dataset, "RescaleType", r"[A-Z_0-9]{1,16}"),
            phase_percent=phase,
            trigger_ms=trigger_ms,
            temporal_index=whole(dataset, "TemporalPositionIdentifier"),
            acquisition=whole(dataset, "AcquisitionNumber"),
        ),
    )


def enhanced_frames(path: Path, dataset: Any) -> tuple[Frame, ...]:
    """Return the frames of an enhanced multi-frame CT file."""
    shared = dataset.get("SharedFunctionalGroupsSequence", [])
    shared = shared[0] if shared else {}
    groups = dataset.PerFrameFunctionalGroupsSequence
    return tuple(_enhanced_frame(path, dataset, shared, own, i) for i, own in enumerate(groups))


def _enhanced_frame(path: Path, dataset: Any, shared: Any, own: Any, index: int) -> Frame:
    def group(name: str) -> Any:
        for holder in (own, shared):
            if holder.get(name):
                return holder.get(name)[0]
        return {}

    measures = group("PixelMeasuresSequence")
    rescale = group("PixelValueTransformationSequence")
    content = group("FrameContentSequence")
    beat = group("CardiacSynchronizationSequence")
    kind = words(group("CTImageFrameTypeSequence"), "FrameType")
    tilt = number(group("CTAcquisitionDetailsSequence"), "GantryDetectorTilt")
    return Frame(
        path=path,
        index=index,
        instance_number=index + 1,
        image_type=kind or words(dataset, "ImageType"),
        position_mm=_vector(group("PlanePositionSequence").ImagePositionPatient, 3),
        direction=_cosines(group("PlaneOrientationSequence").ImageOrientationPatient),
        spacing_mm=_vector(measures.PixelSpacing, 2, reverse=True),
        size=(int(dataset.Columns), int(dataset.Rows)),
        slice_thickness_mm=number(measures, "SliceThickness"),
        tilt_rad=math.radians(tilt or 0.0),
        slope_hu=number(rescale, "RescaleSlope"),
        intercept_hu=number(rescale, "RescaleIntercept"),
        rescale_type=text(rescale, "RescaleType", r"[A-Z_0-9]{1,16}"),
        phase_percent=number(beat, "NominalPercentageOfCardiacPhase"),
        trigger_ms=number(beat, "NominalCardiacTriggerDelayTime"),
        temporal_index=whole(content, "TemporalPositionIndex"),
        acquisition=whole(content, "FrameAcquisitionNumber"),
    )


def _vector(values: Any, length: int, reverse: bool = False) -> Floats:
    """Return numbers; DICOM gives pixel spacing as (between rows, between columns)."""
    vector = floats([float(v) for v in values])
    if vector.shape != (length,) or not np.all(np.isfinite(vector)):
        message = f"{length} finite numbers wanted"
        raise ValueError(message)
    return floats(vector[::-1]) if reverse else vector


def _cosines(values: Any) -> Floats:
    direction = _vector(values, 6).reshape(2, 3).T
    lengths = np.linalg.norm(direction, axis=0)
    if (
        not np.allclose(lengths, 1.0, atol=1e-2)
        or abs(direction[:, 0] @ direction[:, 1]) > 1e-3
    ):
        message = "image axes are not perpendicular unit vectors"
        raise ValueError(message)
    return floats(direction / lengths)


def _percent_in_description(dataset: Any) -> float | None:
    """Return the phase from a description such as "CorCTA 0.6 Bv40 75 %"."""
    said = " ".join(words(dataset, "SeriesDescription"))
    # iterative reconstruction writes its own per cent: "ASiR-V 50%"
    said = re.sub(r"(?i)(asir|ar|adlr)[\s\-_]*v?[\s\-_]*\d+\s*%", "", said)
    found = re.findall(r"(?<![\d.])(\d{1,2}(?:\.\d)?)\s*%", said)
    return float(found[-1]) if found else None
