"""What is found at each true stenosis, and which reported stenoses are none?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ffr.pipeline import Findings
from meshes.arrays import Floats
from meshes.stenosis import Lesion, find_lesions
from meshes.tree import CoronaryTree, path_to
from validation.agreement import SAME_LESION_MM, pairs
from validation.segmentation_case import FalseLesion, Stenosis
from validation.segmentation_transfer import Partner, of_side, partner, with_radii

SAME_PLACE_MM = 1.5  # a tree is read where it passes this close
NEAR_THROAT_MM = 4.0
STRETCH_MM = 2.0  # a reported stretch this close to a true throat is about it
NOT_NARROWED_PERCENT = 20.0  # the exact lumen near a false stenosis falls less short


@dataclass(frozen=True, slots=True, eq=False)
class Ways:
    """FFR of the same places in other ways: findings on the true trees with radii moved there
    (ours, edges, mask), and on the found trees (true mass, measured mass)."""

    lumen: Findings
    edge: Findings
    mask: Findings
    tree: Findings
    full: Findings


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """Where true trees are among found ones.

    Parameters
    ----------
    number, partner
        Per true tree, number of the found tree of its side (None: not found), and where on it
        each point is.
    """

    number: tuple[int | None, ...]
    partner: tuple[Partner, ...]

    def moved(
        self, true: Sequence[CoronaryTree], radii_mm: Sequence[Floats]
    ) -> tuple[CoronaryTree, ...]:
        """Return the true trees with radii of the found ones where these go."""
        return tuple(
            c if k is None else with_radii(c, link, radii_mm[k])
            for c, link, k in zip(true, self.partner, self.number, strict=True)
        )


def links(found: Sequence[CoronaryTree], true: Sequence[CoronaryTree]) -> Links:
    """Return where each true tree is among the found ones."""
    number = tuple(of_side(found, c.side) for c in true)
    both = zip(number, true, strict=True)
    return Links(number, tuple(partner(None if k is None else found[k], c) for k, c in both))


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The exact trees and what is read off them.

    Parameters
    ----------
    trees, findings
        Both trees; their FFR and lesions.
    calcium_deg
        Per tree, arc of calcium at each point.
    links
        Where they are among the found trees.
    """

    trees: tuple[CoronaryTree, ...]
    findings: Findings
    calcium_deg: tuple[Floats, ...]
    links: Links

    def lesions(self) -> list[tuple[int, Lesion, int]]:
        """Return number of the tree, lesion and point where FFR is read, of all lesions."""
        both = zip(self.findings.lesions, self.findings.distal, strict=True)
        return [
            (t, lesion, point)
            for t, (lesions, distal) in enumerate(both)
            for lesion, (point, _) in zip(lesions, distal, strict=True)
        ]


def stenoses(
    truth: Truth,
    found: Sequence[CoronaryTree],
    rivals: tuple[Sequence[CoronaryTree], Sequence[CoronaryTree]],
    ways: Ways,
) -> tuple[Stenosis, ...]:
    """Return each true stenosis and what is found there.

    Parameters
    ----------
    truth
        What should be found.
    found, rivals
        Found trees with our radii; with those of edges and of the mask.
    ways
        FFR in other ways.
    """
    rows = truth.lesions()
    throats = np.array([truth.trees[t].tree.points_mm[x.throat] for t, x, _ in rows])
    percents = [read_percent(trees, truth) for trees in (found, *rivals)]
    reported = reported_percent(found, ways.full.lesions, throats)
    made = []
    for row, (t, lesion, point) in enumerate(rows):
        c, calcium = truth.trees[t], truth.calcium_deg[t]
        there = truth.links.partner[t].reached[lesion.throat]
        place = c.tree.points_mm[point]
        made.append(
            Stenosis(
                vessel=c.names[c.branch[lesion.throat]],
                throat_mm=_place(throats[row]),
                calcium_deg=largest_arc_deg(c, lesion.start, lesion.end, calcium),
                way_calcium_deg=largest_arc_deg(c, 0, point, calcium),
                true_percent=round(lesion.diameter_stenosis_percent, 2),
                minimal_mm=round(lesion.minimal_diameter_mm, 3),
                found_percent=percents[0][row],
                edge_percent=percents[1][row],
                mask_percent=percents[2][row],
                reported_percent=reported[row],
                true_ffr=number(truth.findings.ffr[t][point]),
                lumen_ffr=number(ways.lumen.ffr[t][point]) if there else None,
                edge_ffr=number(ways.edge.ffr[t][point]) if there else None,
                mask_ffr=number(ways.mask.ffr[t][point]) if there else None,
                tree_ffr=at_place(found, ways.tree, c.side, place),
                full_ffr=at_place(found, ways.full, c.side, place),
            )
        )
    return tuple(made)


def read_percent(trees: Sequence[CoronaryTree], truth: Truth) -> list[float | None]:
    """Return the diameter stenosis that found trees have at each true one, None if not there.

    That of the lesion whose throat is the partner of the true one (nearest first, within 8
    mm); without one, the largest shortfall of the places that belong to the true stretch.
    """
    lesions = [find_lesions(c.tree, c.reference_radius_mm) for c in trees]
    own = [(c.tree.points_mm[x.throat], x) for c, many in zip(trees, lesions, strict=True)
           for x in many]  # fmt: skip
    rows = truth.lesions()
    there = [k for k, (t, x, _) in enumerate(rows) if truth.links.partner[t].reached[x.throat]]
    throats = [truth.trees[rows[k][0]].tree.points_mm[rows[k][1].throat] for k in there]
    partners = pairs(np.array([p for p, _ in own]), np.array(throats), SAME_LESION_MM)
    read: list[float | None] = [None] * len(rows)
    for k in there:
        t, lesion, _ = rows[k]
        found = trees[truth.links.number[t] or 0]
        short = 1.0 - found.tree.radius_mm / found.reference_radius_mm
        way = path_to(truth.trees[t].tree, lesion.end)
        moved = truth.links.partner[t].moved(short, np.zeros(len(truth.trees[t].tree)))
        read[k] = round(max(0.0, 100.0 * float(moved[way[way >= lesion.start]].max())), 2)
    for f, k in partners:
        read[there[k]] = round(own[f][1].diameter_stenosis_percent, 2)
    return read


def reported_percent(
    trees: Sequence[CoronaryTree], lesions: Sequence[Sequence[Lesion]], throats_mm: Floats
) -> list[float | None]:
    """Return the grade of what is reported at each true throat, None where nothing is.

    A lesion is reported there when its own throat is within 8 mm or its stretch passes within
    2 mm; of several the tightest counts, and one may stand for two true ones.
    """
    best: list[float | None] = [None] * len(throats_mm)
    for c, found in zip(trees, lesions, strict=True):
        for x in found:
            way = path_to(c.tree, x.end)
            stretch = c.tree.points_mm[way[way >= x.start]]
            for k, throat in enumerate(throats_mm):
                near = np.linalg.norm(stretch - throat, axis=1).min() <= STRETCH_MM
                off = np.linalg.norm(c.tree.points_mm[x.throat] - throat)
                if near or off <= SAME_LESION_MM:
                    best[k] = max(best[k] or 0.0, round(x.diameter_stenosis_percent, 2))
    return best


def false_lesions(
    trees: Sequence[CoronaryTree],
    lesions: Sequence[Sequence[Lesion]],
    true_trees: Sequence[CoronaryTree],
) -> tuple[FalseLesion, ...]:
    """Return the reported lesions near whose throat no true lumen is narrowed by 20 %.

    Near is within 4 mm. So half of a long true stenosis is not a false one.
    """
    made = []
    for c, found in zip(trees, lesions, strict=True):
        for x in found:
            throat = c.tree.points_mm[x.throat]
            short = max(_shortfall_percent(t, throat, NEAR_THROAT_MM) for t in true_trees)
            if short < NOT_NARROWED_PERCENT:
                near = any(point_at(t, throat) is not None for t in true_trees)
                name = c.names[c.branch[x.throat]]
                grade = round(x.diameter_stenosis_percent, 2)
                made.append(FalseLesion(name, _place(throat), grade, near))
    return tuple(made)


def at_place(
    trees: Sequence[CoronaryTree], findings: Findings, side: str, point_mm: Floats
) -> float | None:
    """FFR of the tree of a side at a place, None where it does not pass."""
    k = of_side(trees, side)
    here = None if k is None else point_at(trees[k], point_mm)
    return None if k is None or here is None else number(findings.ffr[k][here])


def point_at(c: CoronaryTree, place_mm: Floats) -> int | None:
    """Return the point of a tree that is at a place, None where it does not pass in 1.5 mm."""
    off = np.linalg.norm(c.tree.points_mm - place_mm, axis=1)
    here = int(off.argmin())
    return here if off[here] <= SAME_PLACE_MM else None


def largest_arc_deg(c: CoronaryTree, first: int, last: int, calcium_deg: Floats) -> float:
    """Largest arc of calcium on the way between two points, the second one downstream."""
    way = path_to(c.tree, last)
    return round(float(calcium_deg[way[way >= first]].max()), 1)


def _shortfall_percent(c: CoronaryTree, place_mm: Floats, within_mm: float) -> float:
    """Largest diameter stenosis of a point near a place, -inf where there is none."""
    near = np.linalg.norm(c.tree.points_mm - place_mm, axis=1) <= within_mm
    share = 1.0 - c.tree.radius_mm[near] / c.reference_radius_mm[near]
    return 100.0 * float(share.max()) if near.any() else float("-inf")


def _place(point_mm: Floats) -> tuple[float, float, float]:
    x, y, z = (round(float(v), 1) for v in point_mm)
    return x, y, z


def number(value: float) -> float | None:
    """Return a value as it is kept, None where it is unknown."""
    return None if np.isnan(value) else round(float(value), 4)
