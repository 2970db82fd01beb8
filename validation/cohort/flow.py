"""How many rows and patients got how far, and what if those lost on the way count? (STARD)"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np

from meshes.arrays import floats, ints
from validation.cohort.diagnosis import two_by_two
from validation.cohort.metrics import Cause, Flow, IntentionToDiagnose, Step, TwoByTwo
from validation.cohort.reading import THRESHOLD, Reading, at_most, numbered


def flow(readings: Sequence[Reading]) -> Flow:
    """Count the rows of each status, and patients with at least one such row."""

    def step(name: str, *status: str) -> Step:
        rows = [x for x in readings if not status or x.status in status]
        lost = len(status) == 1 and status[0] != "read"
        return Step(
            name=name, vessels=len(rows), patients=len({x.patient for x in rows}),
            causes=_causes(rows) if lost else (),
        )  # fmt: skip

    return Flow(
        table=step("rows of the cohort table"),
        excluded=step("excluded, whatever the CT says", "excluded"),
        eligible=step(
            "eligible: intention to diagnose", "read", "rejected", "failed", "not-read"
        ),
        rejected=step("CT study refused", "rejected"),
        failed=step("analysis broke off", "failed"),
        not_read=step("no FFR at the place of reading", "not-read"),
        read=step("read: compared with invasive FFR", "read"),
    )


def _causes(rows: Sequence[Reading]) -> tuple[Cause, ...]:
    found: defaultdict[str, list[Reading]] = defaultdict(list)
    for x in rows:
        found[x.reason].append(x)
    causes = [
        Cause(reason=reason, vessels=len(of), patients=len({x.patient for x in of}))
        for reason, of in found.items()
    ]
    return tuple(sorted(causes, key=lambda c: (-c.vessels, c.reason)))


def intention_to_diagnose(
    readings: Sequence[Reading], draws: int
) -> tuple[IntentionToDiagnose, ...]:
    """Return the tables of all eligible rows, those without a value positive, then wrong."""
    rows = [x for x in readings if x.status != "excluded"]
    ways: tuple[Literal["positive", "wrong"], ...] = ("positive", "wrong")
    return tuple(
        IntentionToDiagnose(
            counted_as=how, vessel=_counted(rows, how, draws),
            patient=_counted_by_patient(rows, how, draws),
        )
        for how in ways
    )  # fmt: skip


def _sick_and_called(rows: Sequence[Reading], how: str) -> tuple[np.ndarray, np.ndarray]:
    sick = at_most(floats([x.invasive_ffr or 0.0 for x in rows]), THRESHOLD)
    known = np.array([x.ffr is not None for x in rows], dtype=bool)
    called = at_most(floats([x.ffr or 0.0 for x in rows]), THRESHOLD)
    return sick, np.where(known, called, True if how == "positive" else ~sick)


def _counted(rows: Sequence[Reading], how: str, draws: int) -> TwoByTwo:
    sick, called = _sick_and_called(rows, how)
    return two_by_two(sick, called, numbered([x.patient for x in rows]), THRESHOLD, draws)


def _counted_by_patient(rows: Sequence[Reading], how: str, draws: int) -> TwoByTwo:
    """Per patient; one with an unread vessel and no positive one read counts as told."""
    of: defaultdict[str, list[Reading]] = defaultdict(list)
    for x in rows:
        of[x.patient].append(x)
    sick, called = [], []
    for own in of.values():
        truth, _ = _sick_and_called(own, how)
        found = [x for x in own if x.ffr is not None]
        positive = bool(_sick_and_called(found, how)[1].any())
        open_end = len(found) < len(own) and not positive
        sick.append(bool(truth.any()))
        called.append((how == "positive" or not truth.any()) if open_end else positive)
    n = len(sick)
    return two_by_two(
        np.array(sick, dtype=bool), np.array(called, dtype=bool), ints(np.arange(n)),
        THRESHOLD, draws,
    )  # fmt: skip
