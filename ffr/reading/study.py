"""Which scan does the path hold that the user gave?"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ffr.errors import ConfigError
from ffr.reading.archive import unpack
from ffr.reading.dicom import read_dicom
from ffr.reading.dicom_header import looks_like_dicom
from ffr.reading.image_file import kind_of, read_image
from ffr.scan import Scan

logger = logging.getLogger(__name__)
UNPACK_SHARE = 0.3  # of the time that reading a zip takes


def read_study(
    path: Path,
    series: str | None = None,
    progress: Callable[[float], None] | None = None,
) -> Scan:
    """Read one CT volume with its exact LPS geometry.

    Parameters
    ----------
    path
        Folder (searched to the bottom) or zip of DICOM files, one DICOM file, or one
        NIfTI (.nii, .nii.gz), NRRD or MetaImage (.mha, .mhd) file.
    series
        DICOM only: SeriesInstanceUID, the end of one, or series number (with "@40" for
        the phase nearest 40 %); None chooses the best cardiac CTA series.
    progress
        Called with the share that is done, rising from 0 to 1.

    Raises
    ------
    StudyError
        The study cannot be analysed; `docs/reading.md` lists the reasons.
    ConfigError
        The path does not exist, the folder holds several volume files, or `series` names
        no series.
    """
    report = progress or (lambda _: None)
    report(0.0)
    _require(path)
    if path.is_dir():
        files = _files_below(path)
        volume_file = _only_volume(files)
        if volume_file is None:
            return read_dicom(files, series, report)
        path = volume_file
    if kind := kind_of(path):
        logger.info("reading one %s volume", kind)
        return read_image(path, kind, report)
    if _is_zip(path):
        return _read_zip(path, series, report)
    return read_dicom([path], series, report)


@contextlib.contextmanager
def files_of(path: Path) -> Iterator[list[Path]]:
    """Give the files of a study: of a folder, of a zip while it is unpacked, or the one file.

    Raises
    ------
    ConfigError
        The path does not exist.
    """
    _require(path)
    if path.is_file() and _is_zip(path):
        with tempfile.TemporaryDirectory(prefix="ffr-study-") as folder:
            yield unpack(path, Path(folder), lambda _: None)
        return
    yield _files_below(path) if path.is_dir() else [path]


def _require(path: Path) -> None:
    if not path.exists():
        # the path is not repeated: folders are often named after the patient
        message = "the study path does not exist; give a DICOM folder, a zip or a volume file"
        raise ConfigError(message)


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip" or _starts_with(path, b"PK\x03\x04")


def _read_zip(path: Path, series: str | None, report: Callable[[float], None]) -> Scan:
    with tempfile.TemporaryDirectory(prefix="ffr-study-") as folder:
        files = unpack(path, Path(folder), lambda part: report(UNPACK_SHARE * part))
        rest = 1.0 - UNPACK_SHARE
        return read_dicom(files, series, lambda part: report(UNPACK_SHARE + rest * part))


def _files_below(folder: Path) -> list[Path]:
    found = []
    for parent, _, names in os.walk(folder):
        # hidden files are notes of file systems, "._IM0001" of macOS among them
        found += [Path(parent) / name for name in names if not name.startswith(".")]
    return [path for path in sorted(found) if path.is_file()]


def _only_volume(files: list[Path]) -> Path | None:
    """Return the volume file of a folder that holds one and no DICOM.

    Raises
    ------
    ConfigError
        The folder holds several volume files.
    """
    volumes = [file for file in files if kind_of(file)]
    if not volumes or any(looks_like_dicom(file) for file in files):
        return None
    if len(volumes) > 1:
        message = f"the folder holds {len(volumes)} volume files; give the path of one of them"
        raise ConfigError(message)
    return volumes[0]


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic
