"""Is this file an object we want, and of which study? Its names become hashes here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.tag import Tag
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    LegacyConvertedEnhancedCTImageStorage,
    RLELossless,
)

from ffr.serve.errors import UnwantedError

CLASSES = (CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)
# not deflated: a few kilobytes of it can unpack to gigabytes
SYNTAXES = (
    ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless,
    *JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEG2000TransferSyntaxes,
)  # fmt: skip
HASH_LENGTH = 32  # of hexadecimal digits: 128 bits
_CLASS, _OBJECT, _STUDY = Tag("SOPClassUID"), Tag("SOPInstanceUID"), Tag("StudyInstanceUID")


@dataclass(frozen=True, slots=True)
class Identity:
    """Which object of which study a file is: hashes of its UIDs."""

    study: str
    object: str


def identity(path: Path) -> Identity:
    """Return which object a file holds; its pixels are not read.

    Raises
    ------
    UnwantedError
        Not DICOM, damaged, packed in a way we do not read, or no CT image.
    """
    try:
        syntax = read_file_meta_info(path).get("TransferSyntaxUID")
        if syntax not in SYNTAXES:
            raise UnwantedError("a transfer syntax that is not taken")
        header = pydicom.dcmread(
            path, stop_before_pixels=True, specific_tags=[_CLASS, _OBJECT, _STUDY]
        )
        told = header.file_meta
        kind, name, study = (_uid(header, tag) for tag in (_CLASS, _OBJECT, _STUDY))
        same = told.get("MediaStorageSOPInstanceUID") in (None, name)
        same = same and told.get("MediaStorageSOPClassUID") in (None, kind)
    except UnwantedError:
        raise
    except Exception as error:  # of pydicom; what it says quotes values
        raise UnwantedError(f"not readable as DICOM ({type(error).__name__})") from None
    if kind not in CLASSES:
        raise UnwantedError("no CT image")
    if not name or not study:
        raise UnwantedError("no UID of study or object")
    if not same:
        raise UnwantedError("header and message name different objects")
    return Identity(_hashed(study), _hashed(name))


def _uid(header: Dataset, tag: int) -> str:
    """Return a UID as it is written: pydicom's own check would quote it in a warning."""
    item = header.get_item(tag) if tag in header else None
    value = b"" if item is None or item.value is None else item.value
    text = value.decode("ascii") if isinstance(value, bytes) else str(value)
    return text.strip("\0 ")


def _hashed(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:HASH_LENGTH]
