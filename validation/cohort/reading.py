"""What is one row of a cohort once its case was analysed? All statistics start from these.

A table of readings is all that `validation.cohort.report` needs: it does not matter whether
they come from scans of patients (`ffr validate`) or from virtual patients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np

from ffr.errors import ConfigError
from ffr.results.result import ffr_rounded
from meshes.arrays import Floats, Ints, floats, ints

Status = Literal["read", "rejected", "failed", "not-read", "excluded"]
STATUSES: tuple[Status, ...] = get_args(Status)
THRESHOLD = 0.80


@dataclass(frozen=True, slots=True)
class Reading:
    """One vessel with invasive FFR, and what was read off its CT.

    Parameters
    ----------
    case
        Pseudonym of the CT study.
    patient
        Pseudonym of the patient; vessels of one patient are not independent.
    vessel
        Name of the vessel, as in result.json: "LAD", "OM1".
    status
        "read": both numbers are there. "rejected": the study was refused. "failed": the
        analysis broke off. "not-read": analysed, but without FFR at the place. "excluded":
        the row has no part in the comparison, whatever the CT says.
    reason
        Short stable name of why it was not read, such as "contrast-missing".
    invasive_ffr
        The reference; None only where excluded.
    ffr, ffr_low, ffr_high
        Computed FFR at the place and its 95 % interval.
    probability
        Computed probability that FFR, as printed, is 0.80 or below.
    stenosis_percent
        Diameter stenosis as a reader graded it on the CT.
    found_stenosis_percent
        Diameter stenosis as the program measured it.
    place
        How the place of reading was chosen: "sensor", "20 mm distal".
    distance_mm
        From the lesion's end to that place; None where no lesion is meant.
    groups
        Subgroup column and group: ("vessel", "LAD"), ("heart rate", "up to 65 /min").
    notes
        Further columns of the case table that no statistic uses.
    """

    case: str
    patient: str
    vessel: str
    status: Status
    reason: str = ""
    invasive_ffr: float | None = None
    ffr: float | None = None
    ffr_low: float | None = None
    ffr_high: float | None = None
    probability: float | None = None
    stenosis_percent: float | None = None
    found_stenosis_percent: float | None = None
    place: str = ""
    distance_mm: float | None = None
    groups: tuple[tuple[str, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        wrong = self._contradiction()
        if wrong:
            message = f"reading {self.case} {self.vessel}: {wrong}"
            raise ConfigError(message)

    def _contradiction(self) -> str | None:
        if self.status not in STATUSES:
            return f"status {self.status!r}, must be one of {', '.join(STATUSES)}"
        if (self.ffr is not None) != (self.status == "read"):
            return f"status {self.status!r} contradicts a computed FFR {self.ffr}"
        if self.status != "excluded" and self.invasive_ffr is None:
            return "no invasive FFR; give it, or exclude the row"
        if self.status != "read" and not self.reason:
            return f"status {self.status!r} needs a reason"
        if (self.ffr_low is None) != (self.ffr_high is None):
            return "half an interval"
        numbers = (self.invasive_ffr, self.ffr, self.ffr_low, self.ffr_high, self.probability)
        if any(x is not None and not 0 <= x < 1.5 for x in numbers):
            return "FFR and probabilities lie between 0 and 1.5"
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Readings of one unit of analysis (vessels or patients) as arrays, shape (n,).

    Parameters
    ----------
    invasive_ffr, ffr
        Reference and computed.
    ffr_low, ffr_high, probability, stenosis_percent, found_stenosis_percent
        NaN where not known.
    patient
        Number of the patient, 0 to n - 1.
    """

    invasive_ffr: Floats
    ffr: Floats
    ffr_low: Floats
    ffr_high: Floats
    probability: Floats
    stenosis_percent: Floats
    found_stenosis_percent: Floats
    patient: Ints

    def __len__(self) -> int:
        return len(self.ffr)

    def part(self, keep: np.ndarray) -> Pairs:
        """Return the pairs where `keep` is True."""
        columns = {name: floats(getattr(self, name)[keep]) for name in _NUMBERS}
        return Pairs(**columns, patient=numbered(self.patient[keep]))


_NUMBERS = tuple(column.name for column in fields(Pairs) if column.name != "patient")


def numbered(patients: Sequence[str] | Ints) -> Ints:
    """Return the number of each row's patient, 0 to the number of patients - 1, shape (n,)."""
    return ints(np.unique(patients, return_inverse=True)[1])


def read(readings: Sequence[Reading]) -> list[Reading]:
    """Return the readings in which both numbers are there."""
    return [x for x in readings if x.status == "read"]


def vessel_pairs(readings: Sequence[Reading]) -> Pairs:
    """Return one pair per vessel that was read."""
    rows = read(readings)
    columns = {
        name: floats([np.nan if (v := getattr(x, name)) is None else v for x in rows])
        for name in _NUMBERS
    }
    return Pairs(**columns, patient=numbered([x.patient for x in rows]))


def patient_pairs(vessels: Pairs) -> Pairs:
    """Return one pair per patient: lowest FFR, worst stenosis of the vessels that were read.

    A patient is positive if any vessel is 0.80 or below, which is what the lowest value is.
    The intervals belong to one vessel's value, so there is none per patient; nor is there a
    worst stenosis where one is not known.
    """
    k = int(vessels.patient.max()) + 1 if len(vessels) else 0
    rows = [vessels.patient == p for p in range(k)]

    def of(name: str, choose: Callable[[Floats], float]) -> Floats:
        return floats([choose(getattr(vessels, name)[r]) for r in rows])

    unknown = floats(np.full(k, np.nan))
    return Pairs(
        of("invasive_ffr", np.min), of("ffr", np.min), unknown, unknown, unknown,
        of("stenosis_percent", np.max), of("found_stenosis_percent", np.max),
        ints(np.arange(k)),
    )  # fmt: skip


def at_most(values: Floats, threshold: float) -> np.ndarray:
    """Tell which FFR values are at or below a threshold, in the two decimals of their print."""
    return np.array([ffr_rounded(v) <= threshold + 1e-9 for v in values], dtype=bool)
