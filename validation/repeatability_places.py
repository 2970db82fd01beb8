"""Where is FFR read in every scan of one patient? At places of the true trees, in mm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ffr import pipeline
from ffr.phantom.patient import VirtualPatient
from ffr.results import stage_data
from meshes.arrays import Floats, floats
from meshes.stenosis import Lesion, analysed, distal_point, find_lesions
from meshes.tree import CoronaryTree, path_length_mm
from validation.agreement import SAME_LESION_MM
from validation.segmentation_transfer import Partner, of_side, partner

LEAST_DIAMETER_MM = 2.0  # of the healthy vessel where a stenosis, or an end, is read
MAIN = ("LAD", "LCx", "RCA")
LESION, END = "lesion", "end"


@dataclass(frozen=True, slots=True)
class Place:
    """A point of a true tree; `throat` is the narrowest one of its lesion, None at an end."""

    name: str
    kind: str
    vessel: str
    side: str
    point: int
    throat: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What one scan gives at one place.

    Parameters
    ----------
    place, kind, vessel
        Which; `kind` is "lesion" (20 mm behind one) or "end" (of a main vessel).
    lost
        Why there is no FFR; "" where there is one.
    ffr, ffr_low, ffr_high
        As computed there, with its 95 % interval.
    found_vessel
        Name that the scan's tree has there.
    diameter_stenosis_percent, minimal_diameter_mm
        Of the lesion that is reported there; None where none is.
    """

    place: str
    kind: str
    vessel: str
    lost: str = ""
    ffr: float | None = None
    ffr_low: float | None = None
    ffr_high: float | None = None
    found_vessel: str = ""
    diameter_stenosis_percent: float | None = None
    minimal_diameter_mm: float | None = None


def places(patient: VirtualPatient) -> tuple[Place, ...]:
    """Return the places of a patient: 20 mm behind every stenosis, ends of main vessels."""
    return tuple(p for c in (patient.left, patient.right) for p in (*_lesions(c), *_ends(c)))


def _lesions(c: CoronaryTree) -> list[Place]:
    s = path_length_mm(c.tree)
    made = []
    for lesion in find_lesions(c.tree, c.reference_radius_mm):
        point, _ = distal_point(c.tree, c.reference_radius_mm, lesion, pipeline.READ_AT_MM)
        if min(2 * c.reference_radius_mm[[lesion.throat, point]]) >= LEAST_DIAMETER_MM:
            vessel = c.names[c.branch[lesion.throat]]
            name = f"{vessel}, behind {s[lesion.throat]:.0f} mm"
            made.append(Place(name, LESION, vessel, c.side, point, lesion.throat))
    return made


def _ends(c: CoronaryTree) -> list[Place]:
    s = path_length_mm(c.tree)
    wide = analysed(c.tree, c.reference_radius_mm)
    wide &= 2 * c.reference_radius_mm >= LEAST_DIAMETER_MM
    made = []
    for number, name in enumerate(c.names):
        own = np.flatnonzero(wide & (c.branch == number))
        if name in MAIN and own.size:
            made.append(Place(f"{name}, end", END, name, c.side, int(own[s[own].argmax()])))
    return made


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One found tree, its place for each point of the true one, and what was solved in it."""

    true: CoronaryTree
    found: CoronaryTree
    link: Partner
    ffr: Floats
    ffr_low: Floats
    ffr_high: Floats
    lesions: tuple[Lesion, ...]

    def at(self, values: Floats, point: int) -> float | None:
        """Return a value of the found tree at a true point, None where there is none."""
        nothing = floats(np.full(len(self.true.tree), np.nan))
        value = float(self.link.moved(values, nothing)[point])
        return value if np.isfinite(value) else None

    def vessel(self, point: int) -> str:
        """Return the name that the found tree has at a true point."""
        behind = self.link.part[point] > 0.5
        here = (self.link.below if behind else self.link.above)[point]
        return self.found.names[self.found.branch[here]]


def read(out: Path, patient: VirtualPatient) -> tuple[Reading, ...]:
    """Read a finished run at all places of its patient."""
    trees, _ = stage_data.load_trees(out)
    found = pipeline.find(trees, stage_data.load_flow(out)[0])
    spreads = stage_data.load_confidence(out).spreads
    sides = {}
    for true in (patient.left, patient.right):
        k = of_side(trees, true.side)
        if k is not None:
            sides[true.side] = Side(
                true, trees[k], partner(trees[k], true), found.ffr[k],
                spreads[k].ffr_low, spreads[k].ffr_high, found.lesions[k],
            )  # fmt: skip
    return tuple(_read(p, sides.get(p.side)) for p in places(patient))


def _read(place: Place, side: Side | None) -> Reading:
    def without(why: str) -> Reading:
        return Reading(place.name, place.kind, place.vessel, lost=why)

    if side is None:
        return without(f"no {place.side} tree")
    if not side.link.reached[place.point]:
        return without("no vessel there")
    ffr = side.at(side.ffr, place.point)
    if ffr is None:
        return without("no FFR there")
    percent, diameter = _stenosis(place, side)
    return Reading(
        place.name, place.kind, place.vessel, "", ffr, side.at(side.ffr_low, place.point),
        side.at(side.ffr_high, place.point),
        side.vessel(place.point), percent, diameter,
    )  # fmt: skip


def _stenosis(place: Place, side: Side) -> tuple[float | None, float | None]:
    """Return % diameter stenosis and minimal diameter of the nearest reported lesion."""
    if place.throat is None or not side.lesions:
        return None, None
    throats = side.found.tree.points_mm[[x.throat for x in side.lesions]]
    off = np.linalg.norm(throats - side.true.tree.points_mm[place.throat], axis=1)
    if off.min() > SAME_LESION_MM:
        return None, None
    lesion = side.lesions[int(off.argmin())]
    return lesion.diameter_stenosis_percent, lesion.minimal_diameter_mm
