"""Does it hold in every group of vessels, and wherever the FFR is read?"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from meshes.arrays import floats
from validation.cohort.agreement import mean_estimate
from validation.cohort.diagnosis import proportion, table_at
from validation.cohort.groups import ORDER
from validation.cohort.metrics import Group, Placed
from validation.cohort.reading import THRESHOLD, Reading, at_most, read, vessel_pairs
from validation.cohort.roc import auc_estimate

MOST_GROUPS = 12  # of one column; more is not a grouping
SUBGROUP_DRAWS = 1000


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
        sick, called = (at_most(v, THRESHOLD) for v in (pairs.invasive_ffr, pairs.ffr))
        every = np.ones(len(pairs), dtype=bool)
        far = floats([x.distance_mm for x in of if x.distance_mm is not None])
        rows.append(
            Placed(
                place=place, n=len(pairs),
                mean_distance_mm=float(far.mean()) if far.size else None,
                accuracy=proportion(sick == called, every, pairs.patient, draws),
                bias=float(gap.mean()),
                sd=float(gap.std(ddof=1)) if gap.size > 1 else None,
            )
        )  # fmt: skip
    return tuple(rows)
