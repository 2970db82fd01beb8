"""How do pictures and a PDF become DICOM objects?"""

from __future__ import annotations

from typing import Any

import numpy as np
from highdicom import SOPClass
from pydicom.dataset import Dataset
from pydicom.uid import (
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)
from pydicom.valuerep import DA, TM

from ffr.dicom_out.source import Source
from ffr.dicom_out.stamp import Stamp, finish, series_of
from ffr.results.result import RESEARCH_USE_ONLY
from meshes.arrays import AnyArray


def capture(source: Source, stamp: Stamp, picture: AnyArray, number: int) -> Dataset:
    """Return a picture as Secondary Capture.

    Parameters
    ----------
    picture
        RGB, uint8, shape (rows, columns, 3).
    number
        Of the picture in its series, from 1.
    """
    about = series_of(stamp, "pictures", "pictures", number)
    dataset = _object(source, stamp, SecondaryCaptureImageStorage, "OT", about)
    dataset.DateOfSecondaryCapture = DA(stamp.created.date())
    dataset.TimeOfSecondaryCapture = TM(stamp.created.time())
    dataset.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    said = ". ".join(x for x in (_titled(stamp.variant.words), RESEARCH_USE_ONLY) if x)
    dataset.ImageComments = dataset.DerivationDescription = said
    dataset.PatientOrientation = dataset.Laterality = ""
    dataset.Rows, dataset.Columns = picture.shape[:2]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
    dataset.PlanarConfiguration, dataset.PixelRepresentation = 0, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.LossyImageCompression = "00"
    dataset.PixelData = even(np.ascontiguousarray(picture, dtype=np.uint8).tobytes())
    return dataset


def encapsulated_pdf(source: Source, stamp: Stamp, pdf: bytes) -> Dataset:
    """Return a PDF as a DICOM object."""
    about = series_of(stamp, "report", "report")
    dataset = _object(source, stamp, EncapsulatedPDFStorage, "DOC", about)
    dataset.AcquisitionDateTime = ""
    dataset.DocumentTitle = f"ct-ffr RUO report {stamp.variant.words}".strip()
    dataset.ConceptNameCodeSequence = []  # no code says "not for diagnosis"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.SourceInstanceSequence = [reference(header) for header in source.headers]
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocumentLength = len(pdf)
    dataset.EncapsulatedDocument = even(pdf)
    return dataset


def _object(
    source: Source, stamp: Stamp, kind: str, modality: str, about: dict[str, Any]
) -> Dataset:
    dataset = SOPClass(
        study_instance_uid=str(source.identity.StudyInstanceUID),
        sop_class_uid=kind,
        modality=modality,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **about,
    )
    dataset.ConversionType = "WSD"
    dataset.BurnedInAnnotation = "NO"  # what is drawn names nobody
    return finish(dataset, source, stamp)


def reference(header: Dataset) -> Dataset:
    """Return an item that refers to the object with this header."""
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    return item


def _titled(words: str) -> str:
    return words[:1].upper() + words[1:]


def even(data: bytes) -> bytes:
    """Return data of an even length, as DICOM asks for."""
    return data + b"\0" * (len(data) % 2)
