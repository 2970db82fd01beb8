"""How is a volume written as a real DICOM CT series? For virtual patients and tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from ffr.errors import ConfigError
from ffr.reading.dicom_enhanced import fill_enhanced
from ffr.reading.dicom_series import PatientHeader, SeriesHeader, decimals
from ffr.scan import volume_sha256
from meshes.arrays import AnyArray
from meshes.volume import Volume, ijk_to_points_mm

TRANSFER_SYNTAXES = {
    "implicit": ImplicitVRLittleEndian,
    "explicit": ExplicitVRLittleEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg-lossless": JPEGLosslessSV1,
    "jpeg-ls": JPEGLSLossless,
    "jpeg-2000": JPEG2000Lossless,
}


def write_series(
    volume: Volume,
    folder: Path,
    *,
    patient: PatientHeader | None = None,
    series: SeriesHeader | None = None,
    transfer_syntax: str = "explicit",
    enhanced: bool = False,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Write `volume` (HU) into `folder` as CT Image or Enhanced CT Image Storage.

    All UIDs are hashes of content and header, so the same volume gives the same files.

    Parameters
    ----------
    transfer_syntax
        A key of `TRANSFER_SYNTAXES`.
    enhanced
        Write one multi-frame file instead of one file per slice.

    Raises
    ------
    ConfigError
        Unknown transfer syntax; HU that slope and intercept cannot store exactly.
    """
    patient, series = patient or PatientHeader(), series or SeriesHeader()
    if transfer_syntax not in TRANSFER_SYNTAXES:
        message = (
            f"no transfer syntax {transfer_syntax!r}; known: {', '.join(TRANSFER_SYNTAXES)}"
        )
        raise ConfigError(message)
    folder.mkdir(parents=True, exist_ok=True)
    key = f"{volume_sha256(volume)} {patient} {series}"
    report = progress or (lambda _: None)
    if enhanced:
        dataset = _common(volume, patient, series, key, EnhancedCTImageStorage, "all")
        stored = np.stack([_stored(plane, series) for plane in volume.values])
        fill_enhanced(dataset, volume, series)
        _write(dataset, stored, folder / "IM000001.dcm", transfer_syntax)
        report(1.0)
        return
    for k, plane in enumerate(volume.values):
        dataset = _common(volume, patient, series, key, CTImageStorage, str(k))
        _fill_classic(dataset, volume, series, k)
        _write(dataset, _stored(plane, series), folder / f"IM{k + 1:06d}.dcm", transfer_syntax)
        report((k + 1) / len(volume.values))


def _stored(plane: AnyArray, series: SeriesHeader) -> AnyArray:
    exact = (plane.astype(np.float64) - series.intercept_hu) / series.slope_hu
    stored = np.rint(exact)
    if not np.allclose(stored, exact, rtol=0, atol=1e-6) or np.max(np.abs(stored)) > 32767:
        message = (
            f"slope {series.slope_hu:g} and intercept {series.intercept_hu:g} cannot store "
            "these HU exactly in 16 bits; use slope 1 and intercept -1024"
        )
        raise ConfigError(message)
    return stored.astype("<i2")


def _common(
    volume: Volume, patient: PatientHeader, series: SeriesHeader, key: str, kind: str, part: str
) -> Dataset:
    """Return the modules that classic and enhanced CT share (PS3.3 A.3, A.38)."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID = kind
    dataset.SOPInstanceUID = _uid(key, part)
    dataset.StudyInstanceUID = _uid(series.study, str(patient))
    dataset.SeriesInstanceUID = _uid(key, "series")
    dataset.FrameOfReferenceUID = _uid(series.study, "frame of reference")
    dataset.PatientName, dataset.PatientID = patient.name, patient.identity
    dataset.PatientBirthDate, dataset.PatientSex = patient.birth_date, patient.sex
    for empty in (
        "StudyTime", "SeriesTime", "AccessionNumber", "ReferringPhysicianName", "StudyID",
        "PositionReferenceIndicator", "AcquisitionTime", "StudyDate", "SeriesDate",
    ):  # fmt: skip
        setattr(dataset, empty, "")
    dataset.ContentDate, dataset.ContentTime = "20000101", "000000"  # the files never change
    dataset.Modality, dataset.Manufacturer = "CT", "ct-ffr"
    dataset.ManufacturerModelName, dataset.SoftwareVersions = "virtual scanner", "1"
    dataset.DeviceSerialNumber = "0"
    dataset.StudyDescription = "VIRTUAL PATIENT, RUO"
    dataset.SeriesDescription = f"RUO VIRTUAL PATIENT {series.description}"[:64]
    dataset.SeriesNumber, dataset.AcquisitionNumber = series.number, 1
    dataset.PatientPosition, dataset.BodyPartExamined = "HFS", "HEART"
    dataset.ImageType = list(series.image_type)
    dataset.Rows, dataset.Columns = (int(n) for n in volume.grid.size[1::-1])
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 1
    dataset.BurnedInAnnotation, dataset.LossyImageCompression = "NO", "00"
    return dataset


def _fill_classic(dataset: Dataset, volume: Volume, series: SeriesHeader, k: int) -> None:
    grid = volume.grid
    dataset.InstanceNumber = k + 1
    dataset.ImagePositionPatient = decimals(ijk_to_points_mm(grid, [0, 0, k]))
    dataset.ImageOrientationPatient = decimals(grid.direction[:, :2].T.ravel())
    dataset.PixelSpacing = decimals(grid.spacing_mm[1::-1])
    dataset.SliceThickness = decimals([series.slice_thickness_mm or grid.spacing_mm[2]])[0]
    dataset.RescaleSlope, dataset.RescaleIntercept = decimals(
        [series.slope_hu, series.intercept_hu]
    )
    dataset.RescaleType = "HU"
    dataset.WindowCenter, dataset.WindowWidth = "200", "900"
    dataset.KVP = decimals([series.tube_voltage_kvp])[0]
    dataset.ConvolutionKernel = series.kernel
    dataset.GantryDetectorTilt = "0"
    if series.contrast_agent:
        dataset.ContrastBolusAgent = series.contrast_agent
    if series.phase_percent is not None:
        dataset.NominalPercentageOfCardiacPhase = series.phase_percent


def _uid(*parts: str) -> str:
    return generate_uid(entropy_srcs=list(parts))


def _write(dataset: Dataset, stored: AnyArray, path: Path, transfer_syntax: str) -> None:
    wanted = TRANSFER_SYNTAXES[transfer_syntax]
    dataset.PixelData = stored.tobytes()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if wanted.is_encapsulated else wanted
    dataset.file_meta = meta
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    if wanted.is_encapsulated:
        _compress(path, transfer_syntax)


def _compress(path: Path, transfer_syntax: str) -> None:
    import gdcm

    target = {
        "rle": gdcm.TransferSyntax.RLELossless,
        "jpeg-lossless": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
        "jpeg-ls": gdcm.TransferSyntax.JPEGLSLossless,
        "jpeg-2000": gdcm.TransferSyntax.JPEG2000Lossless,
    }[transfer_syntax]
    reader, change, writer = (
        gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter(),
    )  # fmt: skip
    reader.SetFileName(str(path))
    good = reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(target))
    change.SetInput(reader.GetImage())
    good = good and change.Change()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(path))
    if not (good and writer.Write()):
        message = f"pixels could not be compressed as {transfer_syntax}"
        raise ConfigError(message)
