"""What stays true of a place after edits? Unreadable stretches and warnings go along."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ffr.editing.places import whereabouts
from ffr.flags import Flag, Place
from ffr.tracing.ends import check_trees, place_of
from meshes.tree import CoronaryTree, Unreadable, path_length_mm
from solvers.unreadable import within

AS_BEFORE = " (place as before the edits)"
SHIFT_MM = 0.5  # by which a place may move along its vessel before that is said


def with_stretches(
    old: Sequence[CoronaryTree], new: Sequence[CoronaryTree]
) -> tuple[CoronaryTree, ...]:
    """Return the new trees with what was unreadable in the old ones, by place."""
    stretches: list[list[Unreadable]] = [[] for _ in new]
    there = whereabouts(new)
    for t, c in enumerate(old):
        for stretch in c.unreadable if new[t] is not c else ():
            points = np.flatnonzero(within(replace(c, unreadable=(stretch,))))
            now = [there.get(c.tree.points_mm[i].tobytes()) for i in points]
            _carry(stretches, stretch, now, new)
    return tuple(
        b if b is a else replace(b, unreadable=tuple(found))
        for a, b, found in zip(old, new, stretches, strict=True)
    )


def _carry(
    stretches: list[list[Unreadable]],
    stretch: Unreadable,
    found: Sequence[tuple[int, int] | None],
    new: Sequence[CoronaryTree],
) -> None:
    """Add a stretch to every vessel that has points of it now."""
    left = [x for x in found if x is not None]
    vessels = dict.fromkeys((t, int(new[t].branch[i])) for t, i in left)
    for t, branch in vessels:
        s = path_length_mm(new[t].tree)
        own = [float(s[i]) for u, i in left if u == t and new[t].branch[i] == branch]
        name = new[t].names[branch]
        moved = replace(stretch, vessel=name, from_mm=min(own), to_mm=max(own))
        # the ends were written, and mean more than the nearest points
        same = len(own) == len(found) and abs(min(own) - stretch.from_mm) < SHIFT_MM
        same = same and abs(max(own) - stretch.to_mm) < SHIFT_MM
        stretches[t].append(replace(stretch, vessel=name) if same else moved)


def carried_flags(
    flags: Sequence[Flag], old: Sequence[CoronaryTree], new: Sequence[CoronaryTree]
) -> tuple[Flag, ...]:
    """Return the warnings that hold of edited trees.

    Those that `check_trees` reads off a tree (ends, gaps in the names) are read off anew.
    Others go with their place, under its new name; with a place that is deleted they go, too.
    """
    before, after = check_trees(old), check_trees(new)
    left = [f for f in flags if f not in before or f in after]
    told = [_carried(f, old, new) for f in left]
    return (*(f for f in told if f), *(f for f in after if f not in before))


def _carried(
    flag: Flag, old: Sequence[CoronaryTree], new: Sequence[CoronaryTree]
) -> Flag | None:
    place = flag.place
    if place is None or place.vessel is None:
        return flag
    c = next((c for c in old if c.side == place.side), None)
    if c is None or place.vessel not in c.names or any(c is x for x in new):
        return flag
    s, own = path_length_mm(c.tree), np.flatnonzero(c.branch == c.names.index(place.vessel))
    at = float(s[own].min()) if place.position_mm is None else place.position_mm
    point = own[np.argmin(np.abs(s[own] - at))]
    found = whereabouts(new).get(c.tree.points_mm[point].tobytes())
    return None if found is None else _at(flag, place, new[found[0]], found[1])


def _at(flag: Flag, place: Place, c: CoronaryTree, point: int) -> Flag:
    now = place_of(c, point)
    message = re.sub(
        rf"\b{re.escape(place.vessel or '')}(?![\w-])", now.vessel or "", flag.message
    )
    position = place.position_mm
    if position is not None and now.position_mm is not None:
        shifted = abs(now.position_mm - position) > SHIFT_MM
        message += AS_BEFORE if shifted else ""
        position = now.position_mm if shifted else position
    segment = now.segment if place.segment is not None else None
    here = replace(
        place, side=now.side, vessel=now.vessel, segment=segment, position_mm=position
    )
    return replace(flag, message=message, place=here)
