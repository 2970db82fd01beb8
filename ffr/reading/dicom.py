"""Which volume does a folder of DICOM files hold?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydicom.pixels import get_decoder
from pydicom.uid import UID

from ffr.errors import StudyError
from ffr.flags import Flag
from ffr.imaging.hounsfield import check_hounsfield
from ffr.imaging.opacified import opacified_area_cm2
from ffr.reading.dicom_choose import candidates_of, choose
from ffr.reading.dicom_header import Instance, looks_like_dicom, quiet, read_header
from ffr.reading.dicom_pixels import read_pixels
from ffr.reading.dicom_stack import Stack
from ffr.scan import Scan, volume_sha256
from meshes.volume import Volume

logger = logging.getLogger(__name__)
HEADER_SHARE = 0.2  # of the time that reading takes


def read_dicom(
    files: Sequence[Path], series: str | None, progress: Callable[[float], None]
) -> Scan:
    """Read the best cardiac CTA series among `files`.

    Headers of all files are checked before any pixel is decoded.

    Parameters
    ----------
    files
        Any files, in any order; what is not DICOM is ignored.
    series
        SeriesInstanceUID, the end of one, or a series number; None chooses.
    progress
        Called with the share that is done, 0 to 1.

    Raises
    ------
    StudyError
        The study cannot be used; `docs/reading.md` lists all reasons.
    ConfigError
        `series` names no series of the study.
    """
    instances = read_headers(files, lambda part: progress(HEADER_SHARE * part))
    _check_study(instances, series)
    candidates = candidates_of(instances)
    chosen, line = choose(candidates, series, _opacified_cm2)
    logger.info("%s", line)
    stack = chosen.stack
    if stack is None:
        message = "the chosen series has no image"
        raise StudyError("empty", message)
    _check_compression(chosen.header.transfer_syntax)
    values = read_pixels(
        stack.frames, lambda part: progress(HEADER_SHARE + (1.0 - HEADER_SHARE) * part)
    )
    check_hounsfield(values)
    volume = Volume(stack.grid, values)
    return Scan(
        volume=volume,
        source="dicom",
        series=line,
        slice_thickness_mm=stack.slice_thickness_mm,
        sha256=volume_sha256(volume),
        tube_voltage_kvp=chosen.header.tube_voltage_kvp,
        kernel=chosen.header.kernel,
        flags=thickness_flags(stack.slice_thickness_mm, float(stack.grid.spacing_mm[2])),
    )


def thickness_flags(thickness_mm: float, spacing_mm: float) -> tuple[Flag, ...]:
    """Return "slices-thick" for slices thicker or farther apart than 1.0 mm."""
    worst = max(thickness_mm, spacing_mm)
    if worst <= 1.0 + 1e-3:
        return ()
    message = (
        f"slices of {worst:.2f} mm blur vessels along the scan axis (1.0 mm or less wanted)"
    )
    return (Flag("slices-thick", message),)


def read_headers(files: Sequence[Path], progress: Callable[[float], None]) -> list[Instance]:
    """Read the headers of all DICOM files among `files`, sorted by path."""
    instances = []
    with quiet():
        for i, path in enumerate(sorted(files)):
            instance = read_header(path) if looks_like_dicom(path) else None
            if instance is not None:
                instances.append(instance)
            progress((i + 1) / len(files))
    logger.info("read %d DICOM headers in %d files", len(instances), len(files))
    return instances


def _check_study(instances: Sequence[Instance], series: str | None) -> None:
    if not instances:
        message = (
            "no readable image here; give a folder or zip of DICOM files, NIfTI, NRRD or MHA"
        )
        raise StudyError("empty", message)
    broken = [i for i, instance in enumerate(instances) if not instance.series]
    if broken:
        message = (
            f"{len(broken)} of {len(instances)} DICOM files cannot be read, the first is "
            f"number {broken[0] + 1} in order of names; send the series again"
        )
        raise StudyError("file-corrupt", message)
    _check_patients(instances)
    studies = sorted({instance.study for instance in instances})
    if len(studies) > 1 and series is None:
        tails = ", ".join(f"..{study[-6:]}" for study in studies[:5])
        message = (
            f"the input mixes {len(studies)} studies (UIDs {tails}); give one study or choose "
            "a series with --series"
        )
        raise StudyError("several-studies", message)
    if not any(instance.is_ct_image for instance in instances):
        kinds = ", ".join(sorted({instance.modality for instance in instances}))
        kinds = kinds.replace("CT", "CT, but captures or reports only")
        message = f"the input holds no CT slices (it is {kinds}); give the coronary CTA series"
        raise StudyError("not-ct", message)


def _check_patients(instances: Sequence[Instance]) -> None:
    """Refuse different ids, different birth dates, or different names without ids."""
    ids, names, births = (
        {instance.patient[part] for instance in instances} - {""} for part in range(3)
    )
    count = max(len(ids), len(births), len(names) if not ids else 1)
    if count > 1:
        message = f"the input mixes {count} patients; give the study of one patient"
        raise StudyError("several-patients", message)


def _check_compression(transfer_syntax: str) -> None:
    """Refuse pixels that no codec on this machine can read ("compression-unknown")."""
    syntax = UID(transfer_syntax)
    try:
        known = not syntax.is_encapsulated or get_decoder(syntax).is_available
    except (NotImplementedError, ValueError):
        known = False
    if not known:
        message = f"no decoder for pixels compressed as {syntax.name}; export them uncompressed"
        raise StudyError("compression-unknown", message)


def _opacified_cm2(stack: Stack) -> float:
    """Measure contrast on three slices in the middle; what cannot be decoded has none."""
    count = len(stack.frames)
    picked = sorted({count // 3, count // 2, 2 * count // 3})
    try:
        values = read_pixels([stack.frames[i] for i in picked], lambda _: None)
    except StudyError:
        return 0.0
    pixel_mm = float(np.mean(stack.grid.spacing_mm[:2]))
    return max(opacified_area_cm2(plane, pixel_mm) for plane in values)
