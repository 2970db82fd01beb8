"""How far apart are two readings of one patient? Differences, change minus reference.

Within-subject SD and repeatability coefficient as in Bland and Altman, BMJ 1996;312:1654 and
Stat Methods Med Res 1999;8:135: two readings of one thing differ by less than the coefficient
in 95 of 100 pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ffr.results.cad_rads import NORMAL_95
from ffr.results.result import Model, ffr_rounded
from meshes.arrays import Floats, floats, ints
from validation.cohort.resampling import Statistic, clustered
from validation.repeatability_case import Job, Run
from validation.repeatability_places import END, LESION, Reading
from validation.repeatability_scans import REFERENCE

THRESHOLD = 0.80


class Differences(Model):
    """Differences of one measure, and what they say."""

    n: int
    """Readings in both scans."""
    patients: int
    """Of how many patients."""
    bias: float | None
    """Mean difference."""
    sd: float | None
    """Their standard deviation; null with fewer than two."""
    sd_low: float | None
    """Lower end of its 95 % interval: patients drawn anew; null with fewer than two."""
    sd_high: float | None
    """Upper end."""
    within_sd: float | None
    """Within-subject SD: root of half the mean squared difference. Holds the bias, too."""
    coefficient: float | None
    """Repeatability coefficient: 1.96 root 2 times the within-subject SD."""
    largest: float | None
    """Difference that is furthest from 0."""
    largest_where: str
    """Its patient and place."""
    values: tuple[float, ...]
    """All of them."""


class Lost(Model):
    """A place that was not read in one of the two scans."""

    where: str
    """Patient and place."""
    reason: str
    """Which scan, and why."""


class Row(Model):
    """One change of the scan, at one kind of place."""

    change: str
    """What was different."""
    kind: str
    """"lesion": 20 mm behind a stenosis; "end": end of a main vessel."""
    ffr: Differences
    """FFR, no unit."""
    diameter_stenosis: Differences
    """Diameter stenosis, percent points, where both scans report the lesion."""
    minimal_diameter: Differences
    """Lumen diameter at the minimal lumen area, mm, likewise."""
    class_changes: int
    """Readings that cross 0.80, as printed in two decimals."""
    held: int
    """Readings that lie in the 95 % interval of the reference."""
    renamed: int
    """Readings whose vessel has another name."""
    reported_once: int
    """Lesions that only one of the two scans reports."""
    lost: tuple[Lost, ...]
    """Places without a pair of readings."""
    lost_in_both: int
    """How many of them were read in neither scan."""


def rows(runs: Mapping[Job, Run], changes: Sequence[str]) -> tuple[Row, ...]:
    """Compare every change with the reference of the same patient, by kind of place."""
    return tuple(row(runs, change, kind) for kind in (LESION, END) for change in changes)


def row(runs: Mapping[Job, Run], change: str, kind: str) -> Row:
    """Compare one change with the reference, over all patients that have both runs."""
    both = _both(runs, change, kind)
    pairs = [x for x in both if not x[1].lost and not x[2].lost]
    lost = [_lost(*x) for x in both if x[1].lost or x[2].lost]
    return Row(
        change=change,
        kind=kind,
        ffr=differences(pairs, "ffr"),
        diameter_stenosis=differences(pairs, "diameter_stenosis_percent"),
        minimal_diameter=differences(pairs, "minimal_diameter_mm"),
        class_changes=sum(_positive(a) != _positive(b) for _, a, b in pairs),
        held=sum(_holds(a, b) for _, a, b in pairs),
        renamed=sum(a.found_vessel != b.found_vessel for _, a, b in pairs),
        reported_once=sum(
            (a.minimal_diameter_mm is None) != (b.minimal_diameter_mm is None)
            for _, a, b in pairs
        ),
        lost=tuple(lost),
        lost_in_both=sum(bool(a.lost and b.lost) for _, a, b in both),
    )


Pair = tuple[int, Reading, Reading]  # patient, reference, change


def _both(runs: Mapping[Job, Run], change: str, kind: str) -> list[Pair]:
    found: list[Pair] = []
    for (seed, name), run in sorted(runs.items()):
        reference = runs.get((seed, REFERENCE))
        if name != change or reference is None:
            continue
        named = [{r.place: r for r in x.readings if r.kind == kind} for x in (reference, run)]
        for place in {**named[0], **named[1]}:
            some = next(r[place] for r in named if place in r)
            pair = [
                r.get(place, Reading(place, kind, some.vessel, lost=x.lost))
                for r, x in zip(named, (reference, run), strict=True)
            ]
            found.append((seed, pair[0], pair[1]))
    return found


def _lost(seed: int, reference: Reading, change: Reading) -> Lost:
    told = [f"{which}: {r.lost}" for which, r in
            (("reference", reference), ("changed", change)) if r.lost]  # fmt: skip
    return Lost(where=f"{seed} {reference.place}", reason="; ".join(told))


def _positive(reading: Reading) -> bool:
    return reading.ffr is not None and ffr_rounded(reading.ffr) <= THRESHOLD


def _holds(reference: Reading, other: Reading) -> bool:
    ends = (reference.ffr_low, other.ffr, reference.ffr_high)
    low, ffr, high = (np.nan if x is None else x for x in ends)
    return bool(low <= ffr <= high)


def differences(pairs: Sequence[Pair], measure: str) -> Differences:
    """Return the differences of a field of `Reading`, where both readings have it."""
    known = [
        (seed, r.place, getattr(other, measure) - getattr(r, measure))
        for seed, r, other in pairs
        if getattr(r, measure) is not None and getattr(other, measure) is not None
    ]
    values = floats([x[2] for x in known])
    if not values.size:
        return Differences(
            n=0, patients=0, bias=None, sd=None, sd_low=None, sd_high=None, within_sd=None,
            coefficient=None, largest=None, largest_where="", values=(),
        )  # fmt: skip
    patient = np.unique([x[0] for x in known], return_inverse=True)[1]
    ends = clustered(ints(patient), drawn_sd(values))
    within = float(np.sqrt(np.mean(values**2) / 2))
    worst = int(np.abs(values).argmax())
    return Differences(
        n=len(known), patients=int(patient.max()) + 1, bias=float(values.mean()),
        sd=float(values.std(ddof=1)) if len(known) > 1 else None,
        sd_low=ends.low if ends else None, sd_high=ends.high if ends else None,
        within_sd=within, coefficient=NORMAL_95 * 2**0.5 * within,
        largest=float(values[worst]), largest_where=f"{known[worst][0]} {known[worst][1]}",
        values=tuple(values.tolist()),
    )  # fmt: skip


def drawn_sd(values: Floats) -> Statistic:
    """Return the statistic "their SD", from how often each value was drawn."""

    def statistic(weights: Floats) -> Floats:
        n, first, second = (weights @ values**p for p in range(3))
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = (second - first**2 / n) / (n - 1)
        return np.where(n > 1, np.sqrt(np.maximum(variance, 0.0)), np.nan)

    return statistic
