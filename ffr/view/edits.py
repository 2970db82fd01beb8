"""What do edits by hand change at every point and lesion? By the points of the automatic trees.

The page shows the automatic trees throughout, and no edit moves a point in the patient: what is
told of an edited tree is told of the automatic points that are still in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ffr.certainty.confidence import Confidence
from ffr.editing.changes import edited_lesions
from ffr.editing.places import whereabouts
from ffr.editing.verb import Start
from ffr.report.edits import edit_words
from ffr.report.paths import VesselPath
from ffr.results.findings import lesion_numbers
from ffr.results.reasons import EXCLUDED
from ffr.results.result import EditEntry, ffr_state
from ffr.stenting.solved import Solved
from ffr.view.reformat import outlines_mm, vessel_axis
from ffr.view.stents import lowest
from ffr.view.words import numbers
from meshes.arrays import AnyArray, Floats, Ints, ints
from meshes.contours import chosen_contours
from meshes.tree import CoronaryTree, Unreadable, path_length_mm
from solvers.occlusion import occluded
from solvers.unreadable import unreadable

GONE = -1


def edited_values(
    start: Start,
    paths: Sequence[VesselPath],
    after: Solved,
    entries: Sequence[EditEntry],
    sure: Confidence | None = None,
) -> dict[str, Any]:
    """Return what the page shows of edits, as plain values for JSON.

    Columns have a row for each point of the automatic trees, None where it is gone.

    Parameters
    ----------
    start
        The run without edits.
    paths
        The ways that the page shows of it.
    after
        With all edits.
    entries
        The log of each.
    sure
        How sure the FFR after them is; None as long as that has not been computed.
    """
    old = start.automatic
    at = _places(old.trees, after.trees)

    def column(rows: Sequence[Floats]) -> list[Any]:
        return numbers(np.where(at == GONE, np.nan, np.concatenate(list(rows))[at]))

    def names(of: Callable[[CoronaryTree], list[str]]) -> list[str | None]:
        every = [x for c in after.trees for x in of(c)]
        return [None if k == GONE else every[k] for k in at.tolist()]

    def marked(of: Callable[[CoronaryTree], AnyArray]) -> AnyArray:
        return (at != GONE) & np.concatenate([of(c) for c in after.trees])[at]

    shown = [np.where(np.isfinite(x), 0.0, np.nan) for x in after.findings.ffr]
    unknown = [np.full(len(c.tree), np.nan) for c in after.trees]
    low = unknown if sure is None else [s.ffr_low for s in sure.spreads]
    high = unknown if sure is None else [s.ffr_high for s in sure.spreads]
    return {
        "edits": [[f"{x.number}. {x.what}", *edit_words(x)[1]] for x in entries],
        "resolved": sure is not None,
        "ffr": column(after.findings.ffr),
        "ffr_low": column([a + b for a, b in zip(low, shown, strict=True)]),
        "ffr_high": column([a + b for a, b in zip(high, shown, strict=True)]),
        "diameter_mm": column([2.0 * c.tree.radius_mm for c in after.trees]),
        "s_mm": column([path_length_mm(c.tree) for c in after.trees]),
        "name": names(lambda c: [c.names[k] for k in c.branch.tolist()]),
        "side": names(lambda c: [c.side] * len(c.tree)),
        "gone": np.flatnonzero(at == GONE).tolist(),
        "excluded": np.flatnonzero(marked(_excluded)).tolist(),
        "covered": [],
        "links": _links(after, at),
        "outlines": _outlines(old, after, at, paths),
        "lesions": _lesions(old, after, marked(lambda c: occluded(c.tree))),
        "lowest": [lowest(old), lowest(after)],
        "flow_ml_min": {
            c.side: [float(a.flow_ml_min[0]), float(b.flow_ml_min[0])]
            for c, a, b in zip(old.trees, old.flow.solutions, after.flow.solutions, strict=True)
        },
    }


def _places(old: Sequence[CoronaryTree], new: Sequence[CoronaryTree]) -> Ints:
    """Return for each point of the old trees its number through all of the new; GONE: none."""
    first = _firsts(new)
    there = whereabouts(new)
    found = (there.get(x.tobytes()) for c in old for x in c.tree.points_mm)
    return ints([GONE if x is None else first[x[0]] + x[1] for x in found])


def _excluded(c: CoronaryTree) -> AnyArray:
    """Return True in and behind what the reader has excluded, (n,)."""
    return unreadable(replace(c, unreadable=_by_hand(c)))


def _by_hand(c: CoronaryTree) -> tuple[Unreadable, ...]:
    return tuple(x for x in c.unreadable if x.reason == EXCLUDED)


def _links(after: Solved, at: Ints) -> list[list[int]]:
    """Return take-off and first point of branches that spring from another place now."""
    back = np.full(sum(len(c.tree) for c in after.trees), GONE)
    back[at[at != GONE]] = np.flatnonzero(at != GONE)
    found = []
    for begin, c in zip(_firsts(after.trees), after.trees, strict=True):
        own = back[begin : begin + len(c.tree)]
        for i in np.flatnonzero(own != GONE).tolist():
            up = int(c.tree.parent[i])
            while up >= 0 and own[up] == GONE:
                up = int(c.tree.parent[up])
            if up >= 0 and up != c.tree.parent[i]:
                found.append([int(own[up]), int(own[i])])
    return found


def _outlines(
    old: Solved, after: Solved, at: Ints, paths: Sequence[VesselPath]
) -> dict[str, dict[str, list[float]]]:
    """Return outlines that have changed, by way and place on it; rays as in `outlines_mm`."""
    begins = _firsts(after.trees)
    first = dict(zip((c.side for c in old.trees), _firsts(old.trees), strict=True))
    changed = _changed(old, after, at)
    found = {}
    for k, path in enumerate(paths):
        own = first[path.side] + path.points
        rows = {}
        for i in np.flatnonzero(changed[own]).tolist():
            t = int(np.searchsorted(begins, at[own[i]], side="right") - 1)
            rows[i] = (t, int(at[own[i]] - begins[t]))
        if rows:
            found[str(k)] = _along(path, after, rows)
    return found


def _along(
    path: VesselPath, after: Solved, rows: dict[int, tuple[int, int]]
) -> dict[str, list[float]]:
    axis = vessel_axis(path.points_mm)
    found: dict[str, list[float]] = {}
    for t in sorted({t for t, _ in rows.values()}):
        c = after.trees[t]
        here = np.array([i for i, (u, _) in rows.items() if u == t])
        there = ints([j for u, j in rows.values() if u == t])
        shape = None if c.contours is None else chosen_contours(c.contours, there)
        made = outlines_mm(axis, path.s_mm[here], c.tree.radius_mm[there], shape)
        found |= {
            str(i): row for i, row in zip(here.tolist(), made.round(3).tolist(), strict=True)
        }
    return found


def _changed(old: Solved, after: Solved, at: Ints) -> AnyArray:
    """Return True at automatic points whose lumen is another one now, (n,)."""
    one, two = ([x.tobytes() for c in heart.trees for x in _lumen(c)] for heart in (old, after))
    return np.array([k != GONE and two[k] != x for k, x in zip(at.tolist(), one, strict=True)])


def _lumen(c: CoronaryTree) -> Floats:
    return c.tree.radius_mm if c.contours is None else c.contours.radius_mm


def _firsts(trees: Sequence[CoronaryTree]) -> list[int]:
    """Return the number of the first point of each tree, counted through all trees."""
    return np.cumsum([0, *(len(c.tree) for c in trees)])[:-1].tolist()


def _lesions(old: Solved, after: Solved, shut: AnyArray) -> list[dict[str, Any]]:
    """Return every lesion before and after; `id` is that of the result, None of a new one.

    `shut` is True at automatic points that are closed now, or behind what is.
    """
    ids = lesion_numbers(old.trees, old.findings.lesions)
    known = [
        (number, first + point)
        for first, own, distal in zip(_firsts(old.trees), ids, old.findings.distal, strict=True)
        for number, (point, _) in zip(own, distal, strict=True)
    ]
    found = []
    for k, x in enumerate(edited_lesions(old, after)):
        number, read = known[k] if k < len(known) else (None, None)
        closed = x.ffr_after is None and read is not None and bool(shut[read])
        state = "occluded" if closed else ffr_state(x.ffr_after)
        found.append(x.model_dump(mode="json") | {"id": number, "state_after": state})
    return sorted(found, key=lambda x: (x["id"] is None, x["id"] or 0))
