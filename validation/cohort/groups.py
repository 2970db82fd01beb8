"""Into which groups do rows fall, and does it hold in each of them, wherever FFR is read?"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from meshes.arrays import floats
from validation.cohort.agreement import mean_estimate
from validation.cohort.diagnosis import table_at
from validation.cohort.metrics import Group, Placed
from validation.cohort.reading import THRESHOLD, Reading, read, vessel_pairs
from validation.cohort.roc import auc_estimate
from validation.cohort.schema import GROUP_PREFIX, Row

MAIN = ("LM", "LAD", "LCx", "RCA")
Cut = tuple[str, tuple[float, ...], tuple[str, ...]]  # column, edges, names of the groups
CUTS: dict[str, Cut] = {
    "heart rate": ("hr_bpm", (65,), ("up to 65 /min", "above 65 /min")),
    "calcium score": ("cac", (0, 100, 400), ("0", "1-100", "101-400", "above 400")),
    "body mass index": ("bmi", (25, 30), ("up to 25", "25 to 30", "above 30")),
    "slice": ("slice_mm", (0.63, 0.8), ("up to 0.625 mm", "to 0.8 mm", "above 0.8 mm")),
    "tube voltage": ("kvp", (90, 110), ("up to 90 kV", "to 110 kV", "above 110 kV")),
    "stenosis as graded": (
        "cta_percent_stenosis", (29.5, 69.5), ("below 30 %", "30-69 %", "70 % and more"),
    ),
}  # fmt: skip
WORDS = {
    "calcium at the lesion": "lesion_calcium", "stent in the vessel": "vessel_stent",
    "diabetes": "diabetes", "sex": "sex", "age": "age_band", "adenosine": "adenosine",
    "scanner": "scanner", "site": "site",
}  # fmt: skip
ORDER = {"vessel": (*MAIN, "side branches")} | {n: names for n, (_, _, names) in CUTS.items()}
GAP_DAYS = 90  # between CT and invasive FFR: 60 to 90 are usual
MOST_GROUPS = 12  # of one column; more is not a grouping
SUBGROUP_DRAWS = 1000


def groups_of(row: Row) -> tuple[tuple[str, str], ...]:
    """Return (column, group) for all that is known of a row."""
    found = [("vessel", row.vessel if row.vessel in MAIN else "side branches")]
    for name, (column, edges, names) in CUTS.items():
        value = getattr(row, column)
        if value is not None:
            found.append((name, names[sum(value > edge for edge in edges)]))
    for name, column in WORDS.items():
        if getattr(row, column) is not None:
            found.append((name, str(getattr(row, column)).replace("arc>180", "arc above 180°")))
    if row.ct_date_offset_days is not None:
        near = abs(row.ct_date_offset_days) <= GAP_DAYS
        found.append(("CT to invasive", f"{'up to' if near else 'above'} {GAP_DAYS} days"))
    found += [(n.removeprefix(GROUP_PREFIX), v) for n, v in row.groups.items()]
    return tuple(found)


def columns(readings: Sequence[Reading]) -> dict[str, list[str]]:
    """Return the groups of each subgroup column, smallest numbers first."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for x in readings:
        for column, group in x.groups:
            if group not in found[column]:
                found[column].append(group)

    def place(column: str, group: str) -> tuple[int, str]:
        usual = ORDER.get(column, ())
        return (usual.index(group) if group in usual else len(usual)), group

    return {c: sorted(groups, key=functools.partial(place, c)) for c, groups in found.items()}


def too_many(readings: Sequence[Reading]) -> list[str]:
    """Return the columns with more groups than can be told apart."""
    return [c for c, groups in columns(readings).items() if len(groups) > MOST_GROUPS]


def subgroups(readings: Sequence[Reading], draws: int) -> tuple[Group, ...]:
    """Return each group of each column."""
    eligible = [x for x in readings if x.status != "excluded"]
    skipped = too_many(eligible)
    return tuple(
        _group(column, name, [x for x in eligible if (column, name) in x.groups], draws)
        for column, names in columns(eligible).items()
        if column not in skipped
        for name in names
    )


def _group(column: str, name: str, rows: Sequence[Reading], draws: int) -> Group:
    pairs = vessel_pairs(rows)
    draws = min(draws, SUBGROUP_DRAWS)
    table, gap = table_at(pairs, THRESHOLD, draws), pairs.ffr - pairs.invasive_ffr
    return Group(
        column=column, name=name, n=len(pairs), patients=np.unique(pairs.patient).size,
        unread=len(rows) - len(pairs), prevalence=table.prevalence,
        sensitivity=table.sensitivity, specificity=table.specificity, accuracy=table.accuracy,
        auc=auc_estimate(pairs, draws), bias=mean_estimate(gap, pairs.patient, draws),
        sd=float(gap.std(ddof=1)) if len(pairs) > 1 else None,
    )  # fmt: skip


def places(readings: Sequence[Reading], draws: int) -> tuple[Placed, ...]:
    """Return how well vessels agree by how the place of reading was chosen."""
    found: defaultdict[str, list[Reading]] = defaultdict(list)
    for x in read(readings):
        found[x.place or "not told"].append(x)
    rows = []
    for place, of in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        pairs = vessel_pairs(of)
        gap = pairs.ffr - pairs.invasive_ffr
        far = floats([x.distance_mm for x in of if x.distance_mm is not None])
        rows.append(
            Placed(
                place=place, n=len(pairs),
                mean_distance_mm=float(far.mean()) if far.size else None,
                accuracy=table_at(pairs, THRESHOLD, draws).accuracy,
                bias=float(gap.mean()),
                sd=float(gap.std(ddof=1)) if gap.size > 1 else None,
            )
        )  # fmt: skip
    return tuple(rows)
