"""What does one DICOM file say: who, which series, and where does each of its frames lie?"""

from __future__ import annotations

import hashlib
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from ffr.reading.dicom_frame import (
    Frame,
    classic_frame,
    enhanced_frames,
    number,
    text,
    whole,
    words,
)

CLASSIC_CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
DIRECTORY = "1.2.840.10008.1.3.10"
SUFFIXES = (".dcm", ".dicom", ".ima")


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """The header of one DICOM file; patient data only as digests that compare.

    `fault` says why the file cannot be used, in words without patient data.
    """

    path: Path
    patient: tuple[str, str, str]  # digests of id, name, birth date; "" where not given
    study: str
    series: str
    series_number: int | None
    modality: str
    is_ct_image: bool
    transfer_syntax: str
    kernel: str | None
    tube_voltage_kvp: float | None
    has_contrast_agent: bool
    cardiac_hint: str  # "diastole", "systole" or "", from the series description
    frames: tuple[Frame, ...]
    fault: str | None


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what pydicom and GDCM say: their warnings quote header values, names too."""
    import gdcm

    for off in (gdcm.Trace.DebugOff, gdcm.Trace.WarningOff, gdcm.Trace.ErrorOff):
        off()
    logger = logging.getLogger("pydicom")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = was_disabled


def looks_like_dicom(path: Path) -> bool:
    """Tell whether a file is, or was meant to be, DICOM."""
    with path.open("rb") as file:
        head = file.read(132)
    if head[128:132] == b"DICM":
        return True
    # old files have no preamble and begin with group 0002 or 0008, little endian
    if head[:2] in (b"\x02\x00", b"\x08\x00") and len(head) > 8:
        return True
    meant = path.suffix.lower() in SUFFIXES or (not path.suffix and not head.strip(b"\0"))
    return meant and path.name.upper() != "DICOMDIR"


def read_header(path: Path) -> Instance | None:
    """Read the header of one file, never its pixels; None for a DICOMDIR.

    Call it inside `quiet()`.
    """
    try:
        with path.open("rb") as file:
            dataset = pydicom.dcmread(file, stop_before_pixels=True, force=True)
            pixel_bytes = path.stat().st_size - file.tell()
        if dataset.file_meta.get("MediaStorageSOPClassUID") == DIRECTORY:
            return None
        return _instance(path, dataset, pixel_bytes)
    except OSError:
        raise
    except Exception:  # pydicom raises nearly anything on a damaged header
        return _broken(path)


def _broken(path: Path) -> Instance:
    fault = "the header cannot be read"
    return Instance(path, ("", "", ""), "", "", None, "", False, "", None, None, False, "",
                    (), fault)  # fmt: skip


def _instance(path: Path, dataset: Any, pixel_bytes: int) -> Instance:
    sop_class = str(dataset.get("SOPClassUID", ""))
    if not sop_class:
        return _broken(path)
    is_enhanced = sop_class in ENHANCED_CT
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", "1.2.840.10008.1.2"))
    frames: tuple[Frame, ...] = ()
    fault = None
    if is_enhanced or sop_class == CLASSIC_CT:
        try:
            made = enhanced_frames if is_enhanced else classic_frame
            frames = made(path, dataset)
        except (AttributeError, KeyError, ValueError, TypeError, IndexError):
            fault = "position, orientation or pixel spacing is not given"
        fault = _pixel_fault(dataset, syntax, pixel_bytes) or fault
    kernel, voltage, contrast = _technique(dataset, is_enhanced)
    return Instance(
        path=path,
        patient=_patient(dataset),
        study=str(dataset.get("StudyInstanceUID", "")),
        series=str(dataset.get("SeriesInstanceUID", "")),
        series_number=whole(dataset, "SeriesNumber"),
        modality=text(dataset, "Modality", r"[A-Z]{2,16}") or "?",
        is_ct_image=is_enhanced or sop_class == CLASSIC_CT,
        transfer_syntax=syntax,
        kernel=kernel,
        tube_voltage_kvp=voltage,
        has_contrast_agent=contrast,
        cardiac_hint=_cardiac_hint(dataset),
        frames=frames,
        fault=fault,
    )


def _patient(dataset: Any) -> tuple[str, str, str]:
    keys = ("PatientID", "PatientName", "PatientBirthDate")
    # "DOE^JOHN^^" and "Doe^John" are one man
    found = [str(dataset.get(key, "") or "").strip(" ^\0").upper() for key in keys]
    return tuple(hashlib.sha256(v.encode()).hexdigest() if v else "" for v in found)  # type: ignore[return-value]


def _pixel_fault(dataset: Any, syntax: str, pixel_bytes: int) -> str | None:
    """Compare the bytes that follow the header with what it promises."""
    if syntax == DeflatedExplicitVRLittleEndian:
        return None  # inflated whole by the header reader, which would have failed
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    try:
        pixels = int(dataset.Rows) * int(dataset.Columns) * frames
        needed = (
            pixels * int(dataset.get("SamplesPerPixel", 1)) * int(dataset.BitsAllocated) // 8
        )
    except (AttributeError, ValueError, TypeError):
        return "the header breaks off or lacks the matrix size"
    if UID(syntax).is_encapsulated:
        return "the pixels are missing" if pixel_bytes < 16 else None
    if pixel_bytes < needed:
        return f"the pixels break off after {pixel_bytes} of {needed} bytes"
    return None


def _technique(dataset: Any, is_enhanced: bool) -> tuple[str | None, float | None, bool]:
    """Return kernel, tube voltage and whether a contrast agent is named."""
    if not is_enhanced:
        kernel = text(dataset, "ConvolutionKernel", KERNEL)
        contrast = bool(words(dataset, "ContrastBolusAgent"))
        return kernel, number(dataset, "KVP"), contrast
    kernel, voltage = None, None
    for groups in (
        *dataset.get("SharedFunctionalGroupsSequence", [])[:1],
        *dataset.get("PerFrameFunctionalGroupsSequence", [])[:1],
    ):
        for item in groups.get("CTReconstructionSequence", [])[:1]:
            kernel = kernel or text(item, "ConvolutionKernel", KERNEL)
        for item in groups.get("CTXRayDetailsSequence", [])[:1]:
            voltage = voltage or number(item, "KVP")
    agents = dataset.get("ContrastBolusAgentSequence", [])
    return kernel, voltage, len(agents) > 0


KERNEL = r"[A-Za-z0-9 _+./\\-]{1,20}"


def _cardiac_hint(dataset: Any) -> str:
    """Read "BestDiast" or "BestSyst" from the description; nothing else of it is kept."""
    said = " ".join(words(dataset, "SeriesDescription")).lower()
    if re.search(r"best\s*-?_?diast|end\s*-?diast|middiast|mid-diast", said):
        return "diastole"
    return "systole" if re.search(r"best\s*-?_?syst|end\s*-?syst", said) else ""
