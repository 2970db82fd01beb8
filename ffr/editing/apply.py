"""What do the trees look like after an edit? Pure: trees and an edit in, trees out.

The healthy reference is the automatic one at every point: an edit corrects what was seen, and
what is seen elsewhere does not change by it. Where names or take-offs change, SCCT segments are
numbered anew by the rules of `ffr.tracing.scct`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ffr.editing.carried import with_stretches
from ffr.editing.edits import Delete, Edit, Exclude, Move, Nudge, Relabel, Split
from ffr.editing.grafts import grafted
from ffr.editing.nudges import nudged
from ffr.editing.places import (
    Vessel,
    below,
    check_inside,
    find_vessel,
    nearest_point,
)
from ffr.editing.rows import kept, tidied
from ffr.errors import ConfigError
from ffr.results.reasons import EXCLUDED
from ffr.tracing.scct import scct_segments
from meshes.arrays import ints
from meshes.tree import CoronaryTree, Unreadable

Trees = tuple[CoronaryTree, ...]
_LEAST_POINTS = 2


def edited(trees: Sequence[CoronaryTree], edits: Sequence[Edit]) -> Trees:
    """Return the trees after edits, one after the other; none: the trees themselves.

    Raises
    ------
    ConfigError
        An edit that does not fit: see `applied`. The message says which.
    """
    made = tuple(trees)
    for number, edit in enumerate(edits, 1):
        try:
            made = applied(made, edit)
        except ConfigError as error:
            if len(edits) == 1:
                raise
            raise ConfigError(f"edit {number} ({edit.edit}): {error}") from error
    return made


def applied(trees: Trees, edit: Edit) -> Trees:
    """Return the trees after one edit; a tree that it does not touch is the same object.

    Raises
    ------
    ConfigError
        A vessel or place that is not there, a name that is taken, a change that leaves no tree.
    """
    trees = tuple(map(tidied, trees))
    at = find_vessel(trees, edit.vessel, edit.side)
    match edit:
        case Delete():
            return _renumbered(trees, _deleted(trees, at, edit))
        case Relabel():
            return _renumbered(trees, _relabelled(trees, at, edit))
        case Split():
            return _renumbered(trees, _split(trees, at, edit))
        case Move():
            return _renumbered(trees, _moved(trees, at, edit))
        case Nudge():
            return _put(trees, at.which, nudged(trees[at.which], at, edit))
        case Exclude():
            return _put(trees, at.which, _excluded(trees[at.which], at))


def _put(trees: Trees, which: int, new: CoronaryTree) -> Trees:
    return (*trees[:which], new, *trees[which + 1 :])


def _renumbered(old: Trees, new: Trees) -> Trees:
    """Number the segments of changed trees anew, and carry their unreadable stretches over."""
    numbered = tuple(
        b
        if b is a
        else replace(b, segment=scct_segments(b.tree, b.branch, b.names), unreadable=())
        for a, b in zip(old, new, strict=True)
    )
    return with_stretches(old, numbered)


def _deleted(trees: Trees, at: Vessel, edit: Delete) -> Trees:
    c = trees[at.which]
    first = at.points[:1]
    if edit.from_mm is not None:
        check_inside(c, at, edit.from_mm)
        from_mm = min(edit.from_mm, at.ends_mm[1])
        first = at.points[at.s_mm[at.points] >= from_mm][:1]
    gone = below(c.tree, first)
    if np.count_nonzero(~gone) < _LEAST_POINTS:
        message = (
            f"the {c.side} tree begins with the {edit.vessel}, nothing would be left of it; "
            "delete it from a place on, or exclude it"
        )
        raise ConfigError(message)
    return _put(trees, at.which, kept(c, ~gone))


def _relabelled(trees: Trees, at: Vessel, edit: Relabel) -> Trees:
    c = trees[at.which]
    if edit.name == edit.vessel:
        raise ConfigError(f"the {edit.vessel} has that name already; give another")
    taken = [t for t, other in enumerate(trees) if edit.name in other.names]
    if not taken:
        names = (*c.names[: at.branch], edit.name, *c.names[at.branch + 1 :])
        return _put(trees, at.which, replace(c, names=names, unreadable=()))
    if at.which not in taken or not _continues(c, at, c.names.index(edit.name)):
        message = (
            f"there is a {edit.name} already, and the {edit.vessel} does not begin where that "
            "ends; relabel that one first"
        )
        raise ConfigError(message)
    branch = c.branch.copy()
    branch[at.points] = c.names.index(edit.name)
    joined = replace(c, branch=ints(branch), unreadable=())
    return _put(trees, at.which, kept(joined, np.ones(len(c.tree), dtype=bool)))


def _continues(c: CoronaryTree, at: Vessel, branch: int) -> bool:
    """Tell whether a vessel begins where another one ends."""
    before = int(c.tree.parent[at.points[0]])
    if before < 0 or c.branch[before] != branch:
        return False
    ahead = np.flatnonzero(c.tree.parent == before)
    return not np.any(c.branch[ahead] == branch)


def _split(trees: Trees, at: Vessel, edit: Split) -> Trees:
    c = trees[at.which]
    _check_free(trees, edit.name)
    check_inside(c, at, edit.at_mm)
    behind = at.points[at.s_mm[at.points] > edit.at_mm]
    if behind.size in (0, at.points.size):
        first, last = at.ends_mm
        message = (
            f"at {edit.at_mm:g} mm nothing of the {edit.vessel} lies on one side; it runs from "
            f"{first:.1f} to {last:.1f} mm"
        )
        raise ConfigError(message)
    branch = c.branch.copy()
    branch[behind] = len(c.names)
    new = replace(c, branch=ints(branch), names=(*c.names, edit.name), unreadable=())
    return _put(trees, at.which, new)


def _check_free(trees: Trees, name: str) -> None:
    if any(name in c.names for c in trees):
        message = f"there is a {name} already; give another name, or relabel that one first"
        raise ConfigError(message)


def _moved(trees: Trees, at: Vessel, edit: Move) -> Trees:
    source = trees[at.which]
    if at.points[0] == 0:
        message = (
            f"the {source.side} tree begins with the {edit.vessel}: it has no take-off to move"
        )
        raise ConfigError(message)
    target = find_vessel(trees, edit.take_off_vessel)
    goal = trees[target.which]
    take_off = nearest_point(goal, target, edit.at_mm)
    piece = below(source.tree, at.points[:1])
    if target.which == at.which and piece[take_off]:
        message = (
            f"the {edit.take_off_vessel} branches off the {edit.vessel} itself; give a vessel "
            "that does not"
        )
        raise ConfigError(message)
    rest = kept(source, ~piece)
    found = _put(trees, at.which, rest)
    if target.which == at.which:
        take_off, goal = int(np.cumsum(~piece)[take_off] - 1), rest
    return _put(found, target.which, grafted(goal, take_off, source, piece, edit))


def _excluded(c: CoronaryTree, at: Vessel) -> CoronaryTree:
    name = c.names[at.branch]
    if any(x.vessel == name and x.reason == EXCLUDED for x in c.unreadable):
        raise ConfigError(f"the {name} is excluded already; leave this edit out")
    whole = Unreadable(EXCLUDED, name, *at.ends_mm, measured=True)
    return replace(c, unreadable=(*c.unreadable, whole))
