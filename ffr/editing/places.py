"""Where is a vessel, and a place along it, in trees that are being edited?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ffr.errors import ConfigError
from meshes.arrays import AnyArray, Floats, Ints
from meshes.tree import CoronaryTree, VesselTree, path_length_mm

EDGE_MM = 0.05  # a place that was read off a result with one decimal


@dataclass(frozen=True, slots=True, eq=False)
class Vessel:
    """A vessel of a tree.

    Parameters
    ----------
    which, branch
        Number of its tree, and its own in that.
    points
        Its points, from upstream on, (k,).
    s_mm
        Path length from the ostium to every point of the tree, (n,).
    """

    which: int
    branch: int
    points: Ints
    s_mm: Floats

    @property
    def ends_mm(self) -> tuple[float, float]:
        """Return path lengths to its first and last point."""
        own = self.s_mm[self.points]
        return float(own.min()), float(own.max())


def find_vessel(trees: Sequence[CoronaryTree], name: str, side: str | None = None) -> Vessel:
    """Return where a vessel is.

    Raises
    ------
    ConfigError
        No tree has it, or both have.
    """
    there = [
        (t, int(k))
        for t, c in enumerate(trees)
        if side in (None, c.side)
        for k in np.unique(c.branch)  # a name may have no points
    ]
    found = [(t, k) for t, k in there if trees[t].names[k] == name]
    if not found:
        known = ", ".join(trees[t].names[k] for t, k in there)
        # the name is not repeated: a stray path may stand in its place
        raise ConfigError(f"no such vessel in these trees, which have {known or 'none'}")
    if len(found) > 1:
        raise ConfigError(f"both trees have a {name}; say which by side, left or right")
    which, branch = found[0]
    c = trees[which]
    return Vessel(which, branch, np.flatnonzero(c.branch == branch), path_length_mm(c.tree))


def check_inside(c: CoronaryTree, vessel: Vessel, place_mm: float) -> None:
    """Refuse a place that is not on the vessel.

    Raises
    ------
    ConfigError
        Names vessel, place, and where the vessel runs.
    """
    first, last = vessel.ends_mm
    if not first - EDGE_MM <= place_mm <= last + EDGE_MM:
        name = c.names[vessel.branch]
        message = (
            f"{place_mm:g} mm from the ostium is not on the {name}, which runs from "
            f"{first:.1f} to {last:.1f} mm"
        )
        raise ConfigError(message)


def nearest_point(c: CoronaryTree, vessel: Vessel, place_mm: float) -> int:
    """Return the vessel's point nearest to a place on it.

    Raises
    ------
    ConfigError
        The place is not on the vessel.
    """
    check_inside(c, vessel, place_mm)
    return int(vessel.points[np.argmin(np.abs(vessel.s_mm[vessel.points] - place_mm))])


def below(tree: VesselTree, points: Sequence[int] | Ints) -> AnyArray:
    """Return True at points and all behind them, (n,)."""
    found = np.zeros(len(tree), dtype=bool)
    found[points] = True
    for i in range(1, len(tree)):
        found[i] |= found[tree.parent[i]]
    return found


def whereabouts(trees: Sequence[CoronaryTree]) -> dict[bytes, tuple[int, int]]:
    """Return tree and point by coordinates: no edit moves a point in the patient."""
    return {
        place.tobytes(): (t, i)
        for t, c in enumerate(trees)
        for i, place in enumerate(c.tree.points_mm)
    }
