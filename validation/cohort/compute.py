"""How do readings become all numbers of the report?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from ffr.results.result import RESEARCH_USE_ONLY
from validation.cohort import DRAWS
from validation.cohort.agreement import bland_altman
from validation.cohort.calibration import calibration
from validation.cohort.ceiling import ceiling
from validation.cohort.correlation import correlation
from validation.cohort.diagnosis import bands, grey_zone, unit
from validation.cohort.flow import flow, intention_to_diagnose
from validation.cohort.groups import MOST_GROUPS, places, subgroups, too_many
from validation.cohort.metrics import Metrics, Proportion, Provenance, SampleSize
from validation.cohort.reading import Pairs, Reading, patient_pairs, vessel_pairs

RULE = (
    "Positive: FFR 0.80 or below, in the two decimals in which it is printed (halves up); a "
    "patient: any vessel that was read. Differences are computed minus invasive."
)
FEW_VESSELS = 30


def compute(
    readings: Sequence[Reading], title: str, provenance: Provenance,
    remarks: Sequence[str] = (), draws: int = DRAWS, created: datetime | None = None,
) -> Metrics:  # fmt: skip
    """Return every number of the report.

    Parameters
    ----------
    readings
        One per row of the cohort; any order, any status.
    title, provenance, remarks
        What is printed with the numbers.
    draws
        Of the bootstrap of patients.
    created
        Time of the report; now, when not given.
    """
    vessels = vessel_pairs(readings)
    per_vessel = unit(vessels, draws)
    at = per_vessel.at_080
    when = datetime.now(UTC) if created is None else created.astimezone(UTC)
    return Metrics(
        schema_version="1.0",
        research_use_only=RESEARCH_USE_ONLY,
        created=when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        title=title,
        rule=RULE,
        provenance=provenance,
        flow=flow(readings),
        vessel=per_vessel,
        patient=unit(patient_pairs(vessels), draws),
        intention_to_diagnose=intention_to_diagnose(readings, draws),
        agreement=bland_altman(vessels, draws),
        correlation=correlation(vessels, draws),
        bands=bands(vessels, draws),
        grey_zone=grey_zone(vessels, draws),
        subgroups=subgroups(readings, draws),
        calibration=calibration(vessels, draws),
        places=places(readings, draws),
        ceiling=ceiling(vessels),
        sample_size=SampleSize(
            accuracy_points=_points(at.accuracy),
            sensitivity_points=_points(at.sensitivity),
            specificity_points=_points(at.specificity),
        ),
        remarks=(*remarks, *_remarks(readings, vessels)),
    )


def _points(share: Proportion) -> float | None:
    return None if share.wilson is None else 50 * (share.wilson.high - share.wilson.low)


def _remarks(readings: Sequence[Reading], vessels: Pairs) -> list[str]:
    """Return what makes the numbers of this cohort weaker than they look."""
    told = []
    if not len(vessels):
        told.append("No vessel was read: nothing can be compared.")
    elif len(vessels) < FEW_VESSELS:
        told.append(f"Only {len(vessels)} vessels were read: every number is a first look.")
    if len(vessels) and np.unique(vessels.patient).size == 1:
        told.append("All vessels belong to one patient: there are no intervals over patients.")
    eligible = [x for x in readings if x.status != "excluded"]
    told += [
        f"Column '{column}' has more than {MOST_GROUPS} groups and is not shown by group."
        for column in too_many(eligible)
    ]
    return told
