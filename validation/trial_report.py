"""What does a virtual trial say beyond a cohort's report? Sources of error, limits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meshes.arrays import Floats, Ints, floats, ints
from validation.cohort.agreement import moments
from validation.cohort.ceiling import INVASIVE_SD
from validation.cohort.document import Section, Table, Text
from validation.cohort.reading import Reading, Status
from validation.cohort.resampling import clustered
from validation.cohort.words import interval, number
from validation.trial_case import TrialCase, Wired

Budget = Sequence[tuple[str, Floats, Ints]]

CALCIUM_DEG = (0.0, 180.0)
UNCHECKED = "*"  # behind what is quoted from memory
# Koo, J Am Coll Cardiol 2011;58:1989; Min, JAMA 2012; Norgaard, J Am Coll Cardiol 2014;63:1145;
# Driessen, J Am Coll Cardiol 2019; Coenen, Circ Cardiovasc Imaging 2018: their abstracts were
# read, and what those do not say is unchecked
PUBLISHED = (
    ("DISCOVER-FLOW 2011", "103 / 159", "88", "82", "84", "0.90", "+0.022 ± 0.116*"),
    ("DeFACTO 2012, per patient", "252 / 407", "90", "54", "73", "0.81", "+0.058*"),
    ("NXT 2014", "254 / 484", "84*", "86*", "86*", "0.93*", "+0.03 ± 0.074*"),
    ("PACIFIC 2019", "208 / 505", "90", "86", "87", "0.94", "-"),
    ("MACHINE 2018", "351 / 525", "81*", "76*", "78", "0.84", "-"),
)
LIMITS = (
    "The heart that is scanned and the truth come from our own generator: shapes, plaque and "
    "scanner faults it does not know are not in the table.",
    "The truth is solved by the same method as the answer, on the exact lumen: the solver's "
    "own error against 3D Navier-Stokes is not in it (python -m validation cfd).",
    "Physiology is drawn from the distributions that the interval assumes: if patients differ "
    "from them, the interval is too narrow here and nobody would see it.",
    "Walls do not move, blood is Newtonian, and hyperaemia is complete in every patient.",
    "No reader, no radiographer, no second scanner: what happens between people is not here.",
)


def readings(cases: Sequence[TrialCase]) -> list[Reading]:
    """Return one reading per vessel with a wire, as a cohort has them."""
    return [_reading(case, wire) for case in cases for wire in case.vessels]


def _reading(case: TrialCase, wire: Wired) -> Reading:
    groups = (
        ("vessel", wire.vessel),
        ("calcium on the way", calcium_group(wire.calcium_deg)),
        ("true stenosis", "30-69 %" if wire.true_percent < 70 else "70 % and more"),
        ("motion", "yes" if case.motion_mm > 0 else "no"),
        ("noise", "under 28 HU" if case.noise_hu < 28 else "from 28 HU"),
    )
    status: Status = case.status
    reason = case.reason
    if status == "read" and wire.ffr is None:
        status, reason = "not-read", "place-not-found"
    return Reading(
        case=f"V{case.seed}", patient=f"V{case.seed}", vessel=wire.vessel, status=status,
        reason=reason, invasive_ffr=wire.invasive_ffr, ffr=wire.ffr, ffr_low=wire.ffr_low,
        ffr_high=wire.ffr_high, probability=wire.probability,
        found_stenosis_percent=wire.found_percent, groups=groups,
        place="sensor" if status == "read" else "",
    )  # fmt: skip


def calcium_group(arc_deg: float) -> str:
    """Name the stratum of an arc of calcium."""
    if arc_deg <= CALCIUM_DEG[0]:
        return "none"
    return "to 180°" if arc_deg <= CALCIUM_DEG[1] else "over 180°"


def sections(rows: Budget) -> tuple[Section, ...]:
    """Return the further chapters of the report, from the rows of the budget."""
    return (
        Section("Where the error comes from", _budget_blocks(rows)),
        Section("Beside published trials", (_published(),)),
        Section("What a virtual trial cannot show", tuple(Text(x) for x in LIMITS)),
    )


def budget(cases: Sequence[TrialCase]) -> Budget:
    """Return rows of the budget: name, error against the truth, and number of its patient.

    Only vessels for which every row has a number count, so that rows compare.
    """
    ways = (
        ("as reported", "ffr"),
        ("true tree: outlets, names and course", "own_tree_ffr"),
        ("true tree and true flow: only the lumen is ours", "own_lumen_ffr"),
        ("true tree and true lumen: only the flow is ours", "own_flow_ffr"),
    )
    full = [
        (case.seed, w)
        for case in cases
        for w in case.vessels
        if all(getattr(w, field) is not None for _, field in ways)
    ]
    _, patient = np.unique([seed for seed, _ in full], return_inverse=True)
    return [
        (name, floats([getattr(w, field) - w.true_ffr for _, w in full]), ints(patient))
        for name, field in ways
    ]


def _budget_blocks(rows: Budget) -> tuple[Text | Table, ...]:
    vessels = str(len(rows[0][1]))
    cells = [(name, vessels, *_numbers(error, patient)) for name, error, patient in rows]
    table = Table(
        ("what is ours", "vessels", "bias", "SD", "95 % interval of the SD"),
        (*cells, ("the wire itself", vessels, "0.000", number(INVASIVE_SD), "-")),
        note=(
            "FFR minus the exact one, at the sensor; intervals by drawing patients. Variances "
            "add up only roughly: a wrong lumen matters more where more flows."
        ),
    )  # fmt: skip
    words = Text(
        "Each row swaps the truth in for one part of the answer. The solver is the truth's "
        "own; its error against 3D solutions is in the table of python -m validation cfd."
    )
    return words, table


def _numbers(error: Floats, patient: Ints) -> tuple[str, str, str]:
    """Return bias, SD and the interval of the SD."""
    if len(error) < 3:
        return "-", "-", "-"
    ends = clustered(patient, lambda weights: np.sqrt(moments(weights, error)[1]))
    return number(error.mean(), 3, True), number(error.std(ddof=1)), interval(ends)


def _published() -> Table:
    return Table(
        ("trial", "patients / vessels", "sens. %", "spec. %", "acc. %", "AUC", "bias ± SD"),
        PUBLISHED, words=2,
        note="Per vessel unless said otherwise; patients, not phantoms: see the next chapter. "
        f"{UNCHECKED} quoted from memory, not checked against the paper.",
    )  # fmt: skip
