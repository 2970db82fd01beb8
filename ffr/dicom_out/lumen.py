"""How does the lumen become a DICOM segmentation on the voxels of the scan?"""

from __future__ import annotations

import numpy as np
from highdicom import AlgorithmIdentificationSequence, PlanePositionSequence
from highdicom.seg import Segmentation as SegmentationObject
from highdicom.seg import SegmentationTypeValues, SegmentDescription
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from ffr.dicom_out.source import Source
from ffr.dicom_out.stamp import PRODUCT, Stamp, finish, series_of
from meshes.arrays import AnyArray

LABEL = "coronary lumen"


def lumen_segmentation(source: Source, stamp: Stamp, inside: AnyArray) -> Dataset:
    """Return a binary segmentation of one segment, with a frame for every slice.

    Empty frames are written too: viewers misplace sparse ones. The frame of reference is that
    of the series.

    Parameters
    ----------
    inside
        True in the lumen, indexed [k, j, i] on the grid of the source.
    """
    pixels, positions = in_file_order(source, inside.astype(np.uint8))
    dataset = SegmentationObject(
        source_images=list(source.headers),
        pixel_array=pixels,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(stamp)],
        plane_positions=positions,
        omit_empty_frames=False,
        content_label="CORONARY_LUMEN",
        content_description=described(stamp),
        **series_of(stamp, "lumen", "lumen segmentation"),
    )
    fix_dimensions(dataset, stamp, "dimensions")
    return finish(dataset, source, stamp)


def in_file_order(
    source: Source, pixels: AnyArray
) -> tuple[AnyArray, list[PlanePositionSequence] | None]:
    """Return slices in the order of an enhanced file's frames; of other series as they are.

    Where only some of its frames are the scan, such as one of several phases, their positions
    are told, too.
    """
    if not source.one_file:
        return pixels, None
    if len(source.frames) == int(source.headers[0].NumberOfFrames):
        ordered = np.empty_like(pixels)
        ordered[[frame.index for frame in source.frames]] = pixels
        return ordered, None
    positions = [
        PlanePositionSequence("PATIENT", f.position_mm.tolist()) for f in source.frames
    ]
    return pixels, positions


def _segment(stamp: Stamp) -> SegmentDescription:
    return SegmentDescription(
        segment_number=1,
        segment_label=_label(stamp),
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=codes.SCT.LumenOfBloodVessel,
        algorithm_type="SEMIAUTOMATIC" if stamp.variant.words else "AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=PRODUCT, family=codes.DCM.ArtificialIntelligence, version=stamp.version
        ),
        tracking_uid=stamp.uid("segment"),
        tracking_id=_label(stamp),
        anatomic_regions=[codes.SCT.CoronaryArtery],
    )


def described(stamp: Stamp) -> str:
    """Return what a lumen of a result is, in a line."""
    return f"{_label(stamp)}, research use only".capitalize()


def _label(stamp: Stamp) -> str:
    words = stamp.variant.words
    return f"{LABEL}, {words}" if words else LABEL


def fix_dimensions(dataset: Dataset, stamp: Stamp, part: str) -> None:
    """Replace what highdicom drew by chance: the same run gives the same object."""
    organisation = stamp.uid(part)
    for item in (*dataset.DimensionOrganizationSequence, *dataset.DimensionIndexSequence):
        item.DimensionOrganizationUID = organisation
