"""Six kinds of patient, as a report has to show them: made from stand-in trees, not imaged."""

from dataclasses import replace

import numpy as np
import standin

from ffr.certainty.confidence import GROUPS, Confidence, Uncertainty
from ffr.flags import Flag, Place
from ffr.report.shown import Shown
from meshes.tree import Unreadable
from solvers.unreadable import unreadable

KINDS = ("normal", "single", "serial", "diffuse", "left main", "not analysable")
LESIONS = {
    "normal": ((), ()),
    "single": ((("LAD", 36.0, 4.0, 0.69),), ()),
    "serial": ((("LAD", 16.0, 3.0, 0.50), ("LAD", 40.0, 4.0, 0.55), ("LAD", 66.0, 3.0, 0.45),
                ("OM1", 20.0, 2.5, 0.55)), (("RCA", 52.0, 5.0, 0.50),)),
    "diffuse": ((("LAD", 40.0, 32.0, 0.42),), ()),
    "left main": ((("LM", 14.0, 3.0, 0.55), ("LCx", 20.0, 3.0, 0.42)), ()),
    "not analysable": ((("LAD", 30.0, 3.0, 0.45),), ()),
}  # fmt: skip
STENT = Flag(
    "stent-narrow", "a stent of about 2.5 mm in the LAD, 4 to 24 mm from its origin; under "
    "3 mm: not analysable", Place("left", "LAD", 6, 30.0),
)  # fmt: skip
CALCIUM = Flag(
    "calcium-heavy", "heavy calcium in the LAD, 30 to 41 mm from its origin; the lumen there "
    "is a guess", Place("left", "LAD", 7, 56.0),
)  # fmt: skip
MISSING = Flag("right-coronary-missing", "no right coronary artery was found")


def confidence_of(case):
    """An interval that widens as FFR falls: not computed, but of a likely size."""
    spreads, slopes = [], []
    for c, solution, distal in zip(case.coronaries, case.solutions, case.distal, strict=True):
        ffr = solution.pressure_mmhg / solution.pressure_mmhg[0]
        points = np.array([p for p, _ in distal], dtype=np.int64)
        low, high = ffr - 0.5 * (1 - ffr) - 0.01, np.minimum(ffr + 0.4 * (1 - ffr), 1.0)
        chance = np.clip(0.5 + 6 * (0.805 - ffr), 0.002, 0.998)
        indices = np.tile(np.linspace(0.5, 0.0, len(GROUPS)), (len(points), 1))
        spreads.append(Uncertainty(low, high, chance, points, indices, indices))
        slopes.append(np.tile(np.exp(-0.1 * np.arange(len(c.tree))), (len(points), 1)))
    return Confidence(tuple(spreads), tuple(slopes))


def hidden(case):
    """The left tree with a narrow stent early in its LAD; there is no right tree."""
    left = replace(
        case.coronaries[0], unreadable=(Unreadable("stent of 2.5 mm", "LAD", 30.0, 50.0),)
    )
    ffr = np.where(
        unreadable(left), np.nan, case.solutions[0].pressure_mmhg / standin.AORTIC_MMHG
    )
    mask = case.analysed[0] & ~unreadable(left)
    surface, values = standin.tubes([left], [np.where(mask, ffr, np.nan)])
    return replace(
        case, coronaries=[left], analysed=[mask], surface=surface, surface_ffr=values
    )


def case_of(kind, spacing_mm=0.9):
    """Trees, flow, scan and lesions of one kind."""
    right = kind != "not analysable"
    left_lesions, right_lesions = LESIONS[kind]
    case = standin.make_case(left_lesions, right_lesions, right=right, spacing_mm=spacing_mm)
    return hidden(case) if kind == "not analysable" else case


def flags_of(kind):
    """Warnings that such a patient would have."""
    return {"single": (CALCIUM,), "not analysable": (STENT, MISSING)}.get(kind, ())


def shown_of(case, flags=(), *, trees=True, sure=True, **changes):
    """What a report of a case is drawn from; always of the same moment."""
    confidence = confidence_of(case) if sure else None
    given = {"flags": flags, "spreads": confidence.spreads if sure else None}
    result = standin.result_of(case, **(given | changes))
    return Shown(
        result.model_copy(update={"created": "2026-11-22T06:30:00Z"}),
        case.scan.volume, tuple(case.coronaries), tuple(case.solutions), tuple(case.analysed),
        confidence, case.surface if trees else None, case.surface_ffr if trees else None,
    )  # fmt: skip


def shown(kind, **how):
    """The same for one of `KINDS`."""
    return shown_of(case_of(kind), flags_of(kind), **how)
