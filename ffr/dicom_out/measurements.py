"""How do the numbers of a result become a structured report? TID 1500, Comprehensive 3D SR."""

from __future__ import annotations

from collections.abc import Callable

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementProperties,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian

from ffr.dicom_out import codes as our
from ffr.dicom_out.source import Source
from ffr.dicom_out.stamp import PRODUCT, Stamp, finish, series_of
from ffr.report.edits import edited, planned
from ffr.results.result import (
    RESEARCH_USE_ONLY,
    LesionResult,
    Result,
    VesselResult,
    ffr_rounded,
)
from meshes.arrays import Floats
from meshes.volume import points_mm_to_ijk

Points = Callable[[LesionResult], Floats]
_Group = MeasurementsAndQualitativeEvaluations
_Concept = Code | CodedConcept
_Names = tuple[_Concept, _Concept, _Concept]  # of a value and both ends of its interval


def measurement_report(
    source: Source, stamp: Stamp, result: Result, throat_mm: Points
) -> Dataset:
    """Return the structured report: a group per lesion, then one per vessel.

    Parameters
    ----------
    source, stamp
        The series, and what all objects say alike.
    result
        Its numbers are written as the report prints them.
    throat_mm
        Returns where the minimal lumen area of a lesion lies, LPS, shape (3,).
    """
    groups = [_lesion(source, stamp, x, throat_mm(x)) for x in result.lesions]
    groups += [_vessel(stamp, result, x) for x in result.vessels]
    content = MeasurementReport(
        observation_context=_observer(stamp),
        procedure_reported=our.PROCEDURE,
        imaging_measurements=groups,
    )
    content[0].ContentSequence.extend(
        TextContentItem(
            name=codes.DCM.Comment,
            value=words,
            relationship_type=RelationshipTypeValues.CONTAINS,
        )
        for words in (RESEARCH_USE_ONLY, *_history(result))
    )
    dataset = Comprehensive3DSR(
        evidence=list(source.headers),
        content=content[0],
        is_complete=True,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        coding_schemes=[
            CodingSchemeIdentificationItem(
                our.SCHEME, name="ct-ffr private codes", responsible_organization=PRODUCT
            )
        ],
        **series_of(stamp, "measurements", "measurements"),
    )
    return finish(dataset, source, stamp)


def _observer(stamp: Stamp) -> ObservationContext:
    device = DeviceObserverIdentifyingAttributes(
        uid=stamp.uid("device"),
        name=f"{PRODUCT} {stamp.version}, research use only",
        manufacturer_name=PRODUCT,
        model_name=PRODUCT,
    )
    return ObservationContext(observer_device_context=ObserverContext(codes.DCM.Device, device))


def _whose(stamp: Stamp) -> str:
    return f", {stamp.variant.words}" if stamp.variant.words else ""


def _history(result: Result) -> list[str]:
    """Return what a reader changed or planned; the letters of DICOM's own alphabet."""
    said = [edited(result).capitalize()] if result.edits else []
    said += [f"{x.number}. {x.what}" for x in result.edits]
    return [*said, *planned(result)]


def _algorithm(stamp: Stamp) -> AlgorithmIdentification:
    return AlgorithmIdentification(
        name=PRODUCT,
        version=stamp.version,
        parameters=[f"result {stamp.result_sha256}", RESEARCH_USE_ONLY],
    )


def _number(
    stamp: Stamp, name: _Concept, value: float, unit: _Concept, decimals: int,
    interval: tuple[float | None, float | None] = (None, None),
    derivation: _Concept | None = None,
) -> Measurement:  # fmt: skip
    """Return one measurement; the ends of its interval also as distances from the value."""
    low, high = interval
    around = None
    if low is not None and high is not None:
        around = MeasurementProperties(
            upper_measurement_uncertainty=round(high - value, decimals),
            lower_measurement_uncertainty=round(value - low, decimals),
        )
    return Measurement(
        name=name, value=round(value, decimals), unit=unit, properties=around,
        method=our.METHODS[stamp.variant.kind], derivation=derivation,
    )  # fmt: skip


def _with_ends(
    stamp: Stamp, names: _Names, value: float, low: float | None, high: float | None,
    unit: _Concept, decimals: int, derivation: _Concept | None = None,
) -> list[Measurement]:  # fmt: skip
    """Return a value and, where it has one, both ends of its 95 % interval."""
    found = [_number(stamp, names[0], value, unit, decimals, (low, high), derivation)]
    if low is not None and high is not None:
        found += [
            _number(stamp, names[1], low, unit, decimals),
            _number(stamp, names[2], high, unit, decimals),
        ]
    return found


def _ffr(
    stamp: Stamp, names: _Names, value: float, low: float | None, high: float | None,
    derivation: _Concept | None = None,
) -> list[Measurement]:  # fmt: skip
    ends = [None if x is None else ffr_rounded(x) for x in (low, high)]
    unit = codes.UCUM.NoUnits
    return _with_ends(stamp, names, ffr_rounded(value), ends[0], ends[1], unit, 2, derivation)


_FFR = (our.FFR, our.FFR_LOW, our.FFR_HIGH)


def _lesion(source: Source, stamp: Stamp, lesion: LesionResult, throat_mm: Floats) -> _Group:
    stenosis = (our.DIAMETER_STENOSIS, our.STENOSIS_LOW, our.STENOSIS_HIGH)
    numbers = _with_ends(stamp, stenosis, *_printed(lesion), codes.UCUM.Percent, 0)
    numbers.append(
        _number(stamp, our.LESION_LENGTH, lesion.length_mm, codes.UCUM.Millimeter, 1)
    )
    numbers.append(_number(stamp, our.POSITION, lesion.position_mm, codes.UCUM.Millimeter, 0))
    if lesion.ffr_distal is not None:
        numbers += _ffr(stamp, _FFR, lesion.ffr_distal, lesion.ffr_low, lesion.ffr_high)
    if lesion.distance_used_mm is not None:
        used_mm = lesion.distance_used_mm
        numbers.append(_number(stamp, our.READ_AT, used_mm, codes.UCUM.Millimeter, 0))
    return _Group(
        tracking_identifier=TrackingIdentifier(
            stamp.uid("lesion", str(lesion.id)),
            f"Lesion {lesion.id}, {lesion.vessel}{_whose(stamp)}",
        ),
        finding_type=our.STENOSIS,
        algorithm_id=_algorithm(stamp),
        finding_sites=[FindingSite(our.site(lesion.side, lesion.vessel, lesion.segment))],
        measurements=numbers,
        qualitative_evaluations=[QualitativeEvaluation(our.STATE, our.STATES[lesion.state])],
        source_images=_slice_at(source, throat_mm),
    )


def _printed(lesion: LesionResult) -> tuple[float, float | None, float | None]:
    """Return diameter stenosis and its interval in whole percent, as they are printed."""
    low, high = lesion.diameter_stenosis_low_percent, lesion.diameter_stenosis_high_percent
    return (
        round(lesion.diameter_stenosis_percent),
        None if low is None else round(low),
        None if high is None else round(high),
    )


def _slice_at(source: Source, point_mm: Floats) -> list[SourceImageForMeasurementGroup]:
    """Return the slice nearest to a point."""
    nearest = round(float(points_mm_to_ijk(source.grid, point_mm)[2]))
    k = min(max(nearest, 0), len(source.frames) - 1)
    header = source.headers[0 if source.one_file else k]
    numbers = [source.frames[k].index + 1] if source.one_file else None
    return [SourceImageForMeasurementGroup(header.SOPClassUID, header.SOPInstanceUID, numbers)]


def _vessel(stamp: Stamp, result: Result, vessel: VesselResult) -> _Group:
    """Return what is said of a vessel: its worst lesion, and apart from it its lowest FFR."""
    lesions = [x for x in result.lesions if x.id in vessel.lesions]
    read = [x for x in lesions if x.ffr_distal is not None]
    numbers: list[Measurement] = []
    if lesions:
        most = max(lesions, key=lambda x: x.diameter_stenosis_percent)
        stenosis = (our.DIAMETER_STENOSIS, our.STENOSIS_LOW, our.STENOSIS_HIGH)
        numbers += _with_ends(
            stamp, stenosis, *_printed(most), codes.UCUM.Percent, 0, codes.SCT.Maximum
        )
    if read:
        worst = min(read, key=lambda x: x.ffr_distal or 0.0)
        value = worst.ffr_distal or 0.0
        numbers += _ffr(stamp, _FFR, value, worst.ffr_low, worst.ffr_high, codes.SCT.Minimum)
    if (lowest := vessel.lowest_ffr_not_for_decision) is not None:
        names = (our.LOWEST, our.LOWEST_LOW, our.LOWEST_HIGH)
        numbers += _ffr(stamp, names, lowest, vessel.lowest_ffr_low, vessel.lowest_ffr_high)
    analysed = vessel.analysed_end_mm is not None
    nothing = QualitativeEvaluation(our.STATE, our.STATES["not analysed"])
    return _Group(
        tracking_identifier=TrackingIdentifier(
            stamp.uid("vessel", vessel.side, vessel.vessel),
            f"Vessel {vessel.vessel}{_whose(stamp)}",
        ),
        finding_type=our.VESSEL,
        algorithm_id=_algorithm(stamp),
        finding_sites=[FindingSite(our.site(vessel.side, vessel.vessel))],
        measurements=numbers,
        qualitative_evaluations=[] if analysed else [nothing],
    )
