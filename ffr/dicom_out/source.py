"""Which series of a study was a run made from, and what do its headers say?"""

from __future__ import annotations

import contextlib
import copy
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from ffr.errors import ConfigError, StudyError
from ffr.reading.dicom import read_headers
from ffr.reading.dicom_choose import Candidate, candidates_of, label
from ffr.reading.dicom_frame import Frame
from ffr.reading.dicom_header import quiet
from ffr.reading.dicom_pixels import read_pixels
from ffr.scan import MASK, Scan, volume_sha256
from meshes.volume import Grid, Volume

IDENTITY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID",
    "StudyDate", "StudyTime", "ReferringPhysicianName",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The series that a run was made from.

    Parameters
    ----------
    headers
        One per file, in the order of the scan's slices; the elements of `IDENTITY` are empty,
        so that no message of a library can quote them.
    identity
        The header of the first file as it is: who was scanned. Only ever copied.
    frames
        The slices, in the order of the scan's k axis.
    grid
        The scan's.
    """

    headers: tuple[Dataset, ...]
    identity: Dataset
    frames: tuple[Frame, ...]
    grid: Grid

    @property
    def one_file(self) -> bool:
        """Tell whether all slices are frames of one enhanced file."""
        return len(self.headers) == 1 and "NumberOfFrames" in self.headers[0]


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Silence all libraries that read or write headers: they quote values, names too."""
    logger = logging.getLogger("highdicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with quiet():
            yield
    finally:
        logger.setLevel(level)


def require_dicom_run(source: str) -> None:
    """Check that a run was made from a DICOM study; `source` is that of its scan.

    Raises
    ------
    ConfigError
        It was made from another kind of file.
    """
    if source == "dicom":
        return
    kind = "a lumen mask" if source == MASK else f"a {source.upper()} file"
    message = (
        f"this run was made from {kind}, which has no DICOM study; run the DICOM study "
        "itself with 'ffr run' to get DICOM objects"
    )
    raise ConfigError(message)


def find_source(scan: Scan, files: Sequence[Path]) -> Source:
    """Return the series among `files` that has the voxels of `scan`, bit for bit.

    Raises
    ------
    ConfigError
        None of the series has.
    StudyError
        The files hold no CT series, or its headers lack what the objects need.
    """
    instances = read_headers(files, lambda _: None) if files else []
    candidates = [c for c in candidates_of([i for i in instances if i.series]) if c.stack]
    # two copies of a series in one study: the one that was named in the run comes first
    candidates.sort(key=lambda c: not scan.series.startswith(label(c)))
    for candidate in candidates:
        if _is_scan(candidate, scan):
            return _source(candidate)
    if not candidates:
        message = "no CT series that can be analysed here; give the study the run was made from"
        raise StudyError("not-ct", message)
    message = (
        "this result folder was made from another study, or the study has changed: none of "
        f"its CT series ({len(candidates)}) has the run's voxels; give the study of the run"
    )
    raise ConfigError(message)


def _is_scan(candidate: Candidate, scan: Scan) -> bool:
    stack = candidate.stack
    if stack is None or not np.array_equal(stack.grid.size, scan.volume.grid.size):
        return False
    try:
        values = read_pixels(stack.frames, lambda _: None)
    except StudyError:
        return False
    return volume_sha256(Volume(stack.grid, values)) == scan.sha256


def _source(candidate: Candidate) -> Source:
    if candidate.stack is None:
        message = "a refused series has no stack"
        raise ValueError(message)
    frames = candidate.stack.frames
    with silent():
        headers = [
            pydicom.dcmread(path, stop_before_pixels=True, force=True)
            for path in dict.fromkeys(frame.path for frame in frames)
        ]
        identity = copy.deepcopy(headers[0])
        for header in headers:
            for keyword in IDENTITY:
                setattr(header, keyword, "")
            # highdicom refuses usual values of it; objects get the study's own in the end
            header.pop("SpecificCharacterSet", None)
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        if not identity.get(keyword):
            message = f"the series has no {keyword}, which DICOM objects must refer to"
            raise StudyError("header-incomplete", message)
    return Source(tuple(headers), identity, frames, candidate.stack.grid)
