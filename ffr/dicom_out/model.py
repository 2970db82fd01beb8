"""How does the lumen's surface become a DICOM object? As STL in one (PS3.3, A.85.1)."""

from __future__ import annotations

from highdicom import AlgorithmIdentificationSequence, SOPClass
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import EncapsulatedSTLStorage, ExplicitVRLittleEndian

from ffr.dicom_out.captures import even, reference
from ffr.dicom_out.lumen import described
from ffr.dicom_out.source import Source
from ffr.dicom_out.stamp import PRODUCT, Stamp, finish, series_of
from meshes.export import stl_bytes
from meshes.surface import Surface


def encapsulated_stl(source: Source, stamp: Stamp, surface: Surface) -> Dataset:
    """Return a surface as binary STL in a DICOM object, in the frame of reference of the scan.

    Parameters
    ----------
    surface
        Patient coordinates (LPS) in mm.
    """
    stl = stl_bytes(surface)
    dataset = SOPClass(
        study_instance_uid=str(source.identity.StudyInstanceUID),
        sop_class_uid=EncapsulatedSTLStorage,
        modality="M3D",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **series_of(stamp, "surface", "lumen surface"),
    )
    dataset.FrameOfReferenceUID = source.identity.FrameOfReferenceUID
    dataset.PositionReferenceIndicator = source.identity.get("PositionReferenceIndicator", "")
    dataset.AcquisitionDateTime = ""
    dataset.BurnedInAnnotation = "NO"
    dataset.DocumentTitle = described(stamp)
    dataset.ConceptNameCodeSequence = [CodedConcept.from_code(codes.cid7061.CT3DCAMModel)]
    dataset.SourceInstanceSequence = [reference(header) for header in source.headers]
    dataset.ReferencedSeriesSequence = [_series(source)]
    dataset.MeasurementUnitsCodeSequence = [CodedConcept.from_code(codes.cid7063.Millimeter)]
    dataset.ModelModification = dataset.ModelMirroring = "NO"
    dataset.ContentDescription = described(stamp)
    dataset.DerivationAlgorithmSequence = AlgorithmIdentificationSequence(
        name=PRODUCT, family=codes.DCM.ArtificialIntelligence, version=stamp.version
    )
    dataset.MIMETypeOfEncapsulatedDocument = "model/stl"
    dataset.EncapsulatedDocumentLength = len(stl)
    dataset.EncapsulatedDocument = even(stl)
    return finish(dataset, source, stamp)


def _series(source: Source) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = source.identity.SeriesInstanceUID
    item.ReferencedInstanceSequence = [reference(header) for header in source.headers]
    return item
