"""Which volume does a NIfTI, NRRD or MetaImage file hold?"""

from __future__ import annotations

import gzip
import logging
import math
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK

from ffr.errors import StudyError
from ffr.imaging.hounsfield import check_hounsfield
from ffr.reading.dicom import thickness_flags
from ffr.reading.dicom_stack import MINIMUM_SLICES, check_thickness
from ffr.scan import Scan, volume_sha256
from meshes.arrays import AnyArray, floats
from meshes.errors import GeometryError
from meshes.volume import Grid, Volume

logger = logging.getLogger(__name__)
KINDS = {
    ".nii": "nifti", ".nii.gz": "nifti", ".nrrd": "nrrd", ".nhdr": "nrrd",
    ".mha": "mha", ".mhd": "mha",
}  # fmt: skip


def kind_of(path: Path) -> str | None:
    """Return "nifti", "nrrd" or "mha" by the name of the file, None for other files."""
    name = path.name.lower()
    return next((kind for suffix, kind in KINDS.items() if name.endswith(suffix)), None)


def read_image(path: Path, kind: str, progress: Callable[[float], None]) -> Scan:
    """Read one file that holds a whole volume; SimpleITK turns RAS into LPS.

    Raises
    ------
    StudyError
        "file-corrupt", "gantry-tilt", "several-volumes", "not-hu", "slices-too-thick",
        "too-few-slices".
    """
    image = read_itk(path)
    progress(0.7)
    if image.GetNumberOfComponentsPerPixel() != 1:
        message = f"{image.GetNumberOfComponentsPerPixel()} values per voxel are not CT"
        raise StudyError("not-hu", f"{message}; export the original CT values")
    values = SimpleITK.GetArrayFromImage(image)
    check_hounsfield(values)
    volume = Volume(grid_of(image), _int16(values))
    edge_mm = float(np.max(volume.grid.spacing_mm))
    _check_extent(volume.grid, edge_mm)
    progress(1.0)
    return Scan(
        volume=volume,
        source=kind,
        series=f"{kind} volume, {' x '.join(str(n) for n in volume.grid.size)} voxels",
        slice_thickness_mm=edge_mm,
        sha256=volume_sha256(volume),
        tube_voltage_kvp=None,
        kernel=None,
        flags=thickness_flags(edge_mm, edge_mm),
    )


def read_itk(path: Path) -> SimpleITK.Image:
    """Read one file that holds a whole volume, whatever its values mean.

    Raises
    ------
    StudyError
        "file-corrupt", "gantry-tilt", "several-volumes", "too-few-slices".
    """
    return _read(path, _unpacked_bytes(path))


def _unpacked_bytes(path: Path) -> int:
    """Count, unpacking to nowhere: ITK fills the missing end of a NIfTI file with zeros."""
    if not path.name.lower().endswith(".gz"):
        return path.stat().st_size
    count = 0
    try:
        with gzip.open(path) as file:
            while block := file.read(2**22):
                count += len(block)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        message = "the compressed file breaks off or is damaged; copy it again"
        raise StudyError("file-corrupt", message) from error
    return count


def _read(path: Path, unpacked_bytes: int) -> SimpleITK.Image:
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        reader = SimpleITK.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        size = reader.GetSize()
        if len(size) != 3 and math.prod(size[3:]) != 1:
            message = f"the file holds {math.prod(size[3:])} volumes; extract the diastolic one"
            raise StudyError("several-volumes", message)
        if len(size) < 3:
            message = "the file holds one image, not a volume; give the whole scan"
            raise StudyError("too-few-slices", message)
        _check_nifti_length(reader, unpacked_bytes)
        image = reader.Execute()
    except RuntimeError as error:  # ITK's text names the path, which may name the patient
        if "orthonormal" in str(error).lower() or "orthogonal" in str(error).lower():
            message = "the axes are not perpendicular; resample to an upright volume"
            raise StudyError("gantry-tilt", message) from None
        message = "the file cannot be read, it breaks off or is damaged; copy it again"
        raise StudyError("file-corrupt", message) from None
    return image if image.GetDimension() == 3 else image[..., 0]


def _check_nifti_length(reader: SimpleITK.ImageFileReader, unpacked_bytes: int) -> None:
    if not reader.HasMetaDataKey("vox_offset"):
        return  # NRRD and MetaImage: ITK itself checks the length
    bits = int(reader.GetMetaData("bitpix")) * math.prod(reader.GetSize())
    needed = int(float(reader.GetMetaData("vox_offset"))) + bits // 8
    if unpacked_bytes < needed:
        message = f"the file breaks off after {unpacked_bytes} of {needed} bytes; copy it again"
        raise StudyError("file-corrupt", message)


def grid_of(image: SimpleITK.Image) -> Grid:
    """Return where the voxels of a 3D image lie.

    Raises
    ------
    StudyError
        "gantry-tilt": axes that are not perpendicular.
    """
    try:
        return Grid(
            size=np.array(image.GetSize()),
            spacing_mm=floats(image.GetSpacing()),
            origin_mm=floats(image.GetOrigin()),
            direction=floats(np.reshape(image.GetDirection(), (3, 3))),
        )
    except GeometryError as error:
        message = f"{error}; resample to an upright volume"
        raise StudyError("gantry-tilt", message) from error


def _check_extent(grid: Grid, edge_mm: float) -> None:
    check_thickness(edge_mm, edge_mm)
    if np.min(grid.size) < MINIMUM_SLICES:
        message = (
            f"the volume has {' x '.join(str(n) for n in grid.size)} voxels, at least "
            f"{MINIMUM_SLICES} per axis are needed; give the whole scan"
        )
        raise StudyError("too-few-slices", message)


def _int16(values: AnyArray) -> AnyArray:
    if values.dtype == np.int16:
        return values
    result = np.empty(values.shape, dtype=np.int16)
    for k, plane in enumerate(values):  # slice by slice: no second copy in float
        result[k] = np.clip(np.rint(plane), -32768, 32767)
    return result
