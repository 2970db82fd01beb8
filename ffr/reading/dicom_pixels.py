"""What are the Hounsfield units of a stack of CT frames?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels import iter_pixels
from pydicom.uid import ImplicitVRLittleEndian

from ffr.errors import StudyError
from ffr.reading.dicom_frame import Frame
from ffr.reading.dicom_header import quiet
from meshes.arrays import AnyArray

INT16 = (-32768, 32767)


def read_pixels(frames: Sequence[Frame], progress: Callable[[float], None]) -> AnyArray:
    """Decode frames one by one into one int16 array of HU, shape (len(frames), rows, columns).

    Raises
    ------
    StudyError
        "file-corrupt": a frame cannot be decoded or has another size than its header says.
    """
    columns, rows = frames[0].size
    values = np.empty((len(frames), rows, columns), dtype=np.int16)
    # a multi-frame file is opened once, and its frames are read in the order they are stored
    order = sorted(range(len(frames)), key=lambda i: (frames[i].path, frames[i].index))
    done = 0
    with quiet():
        for path, group in groupby(order, key=lambda i: frames[i].path):
            members = list(group)
            stored = _stored_frames(path, [frames[i].index for i in members])
            for i in members:
                values[i] = _hounsfield(frames[i], _next(frames[i], stored), (rows, columns))
                done += 1
                progress(done / len(frames))
    return values


def _stored_frames(path: Path, indices: list[int]) -> Iterator[AnyArray]:
    dataset = pydicom.dcmread(path, force=True)  # old files have no preamble
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    several = int(dataset.get("NumberOfFrames", 1) or 1) > 1
    stored = int(dataset.BitsStored)
    signed = bool(dataset.PixelRepresentation)
    for frame in iter_pixels(dataset, indices=indices if several else None, raw=True):
        yield _without_overlay(frame, stored, signed)


def _without_overlay(frame: AnyArray, stored: int, signed: bool) -> AnyArray:
    """Drop bits above the stored ones: old scanners keep overlay graphics there."""
    if stored >= 16 or frame.dtype.itemsize != 2:
        return frame
    bits = frame.astype(np.int32) & ((1 << stored) - 1)
    return np.where(bits >> (stored - 1), bits - (1 << stored), bits) if signed else bits


def _next(frame: Frame, stored: Iterator[AnyArray]) -> AnyArray:
    try:
        return next(stored)
    except Exception:  # every codec has its own; the text may quote header values
        raise _corrupt(frame, "cannot be decoded") from None


def _hounsfield(frame: Frame, stored: AnyArray, shape: tuple[int, int]) -> AnyArray:
    if stored.shape != shape:
        raise _corrupt(frame, f"has a matrix of {stored.shape}, its header says {shape}")
    slope, intercept = frame.slope_hu or 1.0, frame.intercept_hu or 0.0
    if slope == 1.0 and intercept == int(intercept):
        exact = stored.astype(np.int32) + int(intercept)
        return np.clip(exact, *INT16)
    return np.clip(np.rint(stored * slope + intercept), *INT16)


def _corrupt(frame: Frame, what: str) -> StudyError:
    which = "?" if frame.instance_number is None else frame.instance_number
    message = f"image {which} {what}; send the series again"
    return StudyError("file-corrupt", message)
