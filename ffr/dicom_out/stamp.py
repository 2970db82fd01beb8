"""What do all objects of one run say alike: who, which study, which UIDs, made when by what?"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pydicom.valuerep import DA, DT, TM

from ffr.dicom_out.source import Source
from ffr.dicom_out.variant import AUTOMATIC, Variant
from ffr.results.result import Result

PRODUCT = "ct-ffr"
KINDS = {
    "pictures": 9101, "report": 9102, "measurements": 9103, "lumen": 9104, "surface": 9105,
    "map": 9106,
}  # series  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stamp:
    """What follows from source and result alone: the same run gives the same objects.

    Parameters
    ----------
    key
        Hash of the source's UIDs and of the result with its settings; all UIDs follow from it.
    result_sha256
        Hash of the result with its settings, without times.
    created
        When the result was made, in the time zone of the study where it names one.
    version
        Of ct-ffr.
    variant
        Which result of the run it is.
    """

    key: str
    result_sha256: str
    created: datetime
    version: str
    variant: Variant = AUTOMATIC

    def uid(self, *part: str) -> str:
        """Return the UID of a part."""
        return generate_uid(entropy_srcs=[self.key, *part])


def stamp_of(source: Source, result: Result, variant: Variant = AUTOMATIC) -> Stamp:
    """Return the stamp of all objects of a result of a run."""
    told = result.model_dump(mode="json", exclude={"created", "timings"})
    result_sha256 = _sha256(json.dumps(told, sort_keys=True))
    uids = [str(source.identity.SeriesInstanceUID)]
    uids += [str(header.SOPInstanceUID) for header in source.headers]
    uids += [str(frame.index) for frame in source.frames]
    uids += [variant.words] if variant.words else []  # whatever the result holds
    key = _sha256(json.dumps([result_sha256, *uids]))
    created = datetime.fromisoformat(result.created).astimezone(_zone(source.identity))
    made = created.replace(microsecond=0)
    return Stamp(key, result_sha256, made, result.code_version, variant)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _zone(header: Dataset) -> timezone | None:
    """Return the time zone that a header names; None stands for that of this machine."""
    try:
        told = int(str(header.get("TimezoneOffsetFromUTC", "")))
    except ValueError:
        return None
    minutes = abs(told) // 100 * 60 + abs(told) % 100
    return timezone(timedelta(minutes=minutes if told >= 0 else -minutes))


def series_of(stamp: Stamp, kind: str, what: str, number: int = 1) -> dict[str, Any]:
    """Return what highdicom wants to know of an object: its UIDs, its series, its maker.

    Parameters
    ----------
    kind
        Key of `KINDS`; each is a series of its own.
    what
        The series in words.
    number
        Of the object in its series, from 1.
    """
    variant = stamp.variant
    whose = f"{variant.words} {variant.number}: " if variant.words else ""
    return {
        "series_instance_uid": stamp.uid(kind, "series"),
        "series_number": KINDS[kind] + variant.first_series,
        "sop_instance_uid": stamp.uid(kind, str(number)),
        "instance_number": number,
        "manufacturer": PRODUCT,
        "manufacturer_model_name": PRODUCT,
        "software_versions": stamp.version,
        "device_serial_number": "0",
        "series_description": f"{PRODUCT} RUO {whose}{what}",
    }


def finish(dataset: Dataset, source: Source, stamp: Stamp) -> Dataset:
    """Copy the patient and study modules into an object, and set its times.

    Call it inside `silent()`. All text of ours is ASCII, so the study's own character set
    holds for the whole object.
    """
    dataset.copy_patient_and_study_information(source.identity)
    for keyword in ("SpecificCharacterSet", "TimezoneOffsetFromUTC"):
        if keyword in source.identity:
            dataset[keyword] = source.identity[keyword]
        elif keyword in dataset:
            del dataset[keyword]
    date, time = DA(stamp.created.date()), TM(stamp.created.time())
    for what in ("InstanceCreation", "Content", "Series"):
        setattr(dataset, f"{what}Date", date)
        setattr(dataset, f"{what}Time", time)
    for maker in dataset.get("ContributingEquipmentSequence", []):
        if maker.get("ManufacturerModelName") == "highdicom":
            maker.ContributionDateTime = DT(stamp.created.replace(tzinfo=None))
    return dataset
