"""Which functional groups does an enhanced multi-frame CT file need? (PS3.3 A.38)."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from ffr.reading.dicom_series import SeriesHeader, decimals
from meshes.volume import Volume, ijk_to_points_mm


def fill_enhanced(dataset: Dataset, volume: Volume, series: SeriesHeader) -> None:
    """Add what all frames share, and the place of each frame, to `dataset`."""
    grid = volume.grid
    frames = int(grid.size[2])
    dataset.NumberOfFrames, dataset.InstanceNumber = frames, 1
    # the enhanced object wants four values, the fourth says how the frame was derived
    kind = [*series.image_type[:3], "NONE"]
    dataset.ImageType = kind
    dataset.AcquisitionDateTime, dataset.ContentQualification = "20000101", "RESEARCH"
    dataset.PixelPresentation, dataset.VolumetricProperties = "MONOCHROME", "VOLUME"
    dataset.VolumeBasedCalculationTechnique = "NONE"
    dataset.PresentationLUTShape = "IDENTITY"
    if series.contrast_agent:
        dataset.ContrastBolusAgentSequence = Sequence([_item(ContrastBolusAgentNumber=1)])
    dataset.SharedFunctionalGroupsSequence = Sequence([_shared(volume, series, kind)])
    dataset.PerFrameFunctionalGroupsSequence = Sequence(
        [_own(volume, series, k) for k in range(frames)]
    )


def _item(**elements: object) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def _shared(volume: Volume, series: SeriesHeader, kind: list[str]) -> Dataset:
    grid = volume.grid
    thickness_mm = series.slice_thickness_mm or grid.spacing_mm[2]
    measures = _item(
        PixelSpacing=decimals(grid.spacing_mm[1::-1]),
        SliceThickness=decimals([thickness_mm])[0],
    )
    orientation = _item(ImageOrientationPatient=decimals(grid.direction[:, :2].T.ravel()))
    slope, intercept = decimals([series.slope_hu, series.intercept_hu])
    rescale = _item(RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="HU")
    frame_type = _item(
        FrameType=kind, PixelPresentation="MONOCHROME", VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
    )  # fmt: skip
    reconstruction = _item(ConvolutionKernel=series.kernel, ReconstructionAlgorithm="ITERATIVE")
    return _item(
        PixelMeasuresSequence=Sequence([measures]),
        PlaneOrientationSequence=Sequence([orientation]),
        PixelValueTransformationSequence=Sequence([rescale]),
        CTImageFrameTypeSequence=Sequence([frame_type]),
        CTReconstructionSequence=Sequence([reconstruction]),
        CTXRayDetailsSequence=Sequence([_item(KVP=decimals([series.tube_voltage_kvp])[0])]),
        CTAcquisitionDetailsSequence=Sequence([_item(GantryDetectorTilt=0.0)]),
    )


def _own(volume: Volume, series: SeriesHeader, k: int) -> Dataset:
    position = decimals(ijk_to_points_mm(volume.grid, [0, 0, k]))
    content = _item(StackID="1", InStackPositionNumber=k + 1, DimensionIndexValues=[1, k + 1])
    own = _item(
        PlanePositionSequence=Sequence([_item(ImagePositionPatient=position)]),
        FrameContentSequence=Sequence([content]),
    )
    if series.phase_percent is not None:
        beat = _item(NominalPercentageOfCardiacPhase=series.phase_percent)
        own.CardiacSynchronizationSequence = Sequence([beat])
    return own
