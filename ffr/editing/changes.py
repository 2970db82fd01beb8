"""What did an edit change? Numbers before and after, read at the same place in the patient."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ffr.editing.edits import Edit, Nudge, Split, in_words
from ffr.editing.places import Vessel, find_vessel, whereabouts
from ffr.results.result import EditedLesion, EditedValue, EditEntry, Side
from ffr.stenting.solved import Solved
from meshes.stenosis import Lesion
from meshes.tree import path_length_mm, path_to

Spot = tuple[int, int]  # tree and point
_LEAST = 1e-6  # a smaller change is rounding


def entry(number: int, made: str, edit: Edit, before: Solved, after: Solved) -> EditEntry:
    """Return what is kept and printed of an edit.

    Parameters
    ----------
    number, made
        In which order, and when (UTC, ISO 8601).
    edit
        The edit.
    before, after
        The solved trees without and with it.
    """
    return EditEntry(
        number=number,
        made=made,
        kind=edit.edit,
        what=in_words(edit),
        values=tuple(x for x in _values(edit, before, after) if _changed(x)),
        lesions=tuple(edited_lesions(before, after)),
    )


def _changed(x: EditedValue) -> bool:
    if x.before is None or x.after is None:
        return x.before is not x.after
    return abs(x.after - x.before) > _LEAST


def _values(edit: Edit, before: Solved, after: Solved) -> Iterator[EditedValue]:
    old = find_vessel(before.trees, edit.vessel, edit.side)
    spot = _now(before, after, (old.which, int(old.points[0])))
    new, name = None, edit.vessel
    if spot is not None:
        c = after.trees[spot[0]]
        name = c.names[c.branch[spot[1]]]
        new = find_vessel(after.trees, name, c.side)
    if isinstance(edit, Nudge) and new is not None:
        yield from _diameters(edit, before, after, old, new)
    one, two = _whole(before, old), {} if new is None else _whole(after, new)
    for key, value in one.items():
        yield EditedValue(name=key, vessel=name, at_mm=None, before=value, after=two.get(key))
    if isinstance(edit, Split):
        behind = find_vessel(after.trees, edit.name)
        for key, value in _whole(after, behind).items():
            yield EditedValue(name=key, vessel=edit.name, at_mm=None, before=None, after=value)


def _whole(heart: Solved, at: Vessel) -> dict[str, float | None]:
    c, first = heart.trees[at.which], int(at.points[0])
    take_off = float(at.s_mm[max(int(c.tree.parent[first]), 0)])
    shown = bool(heart.findings.analysed[at.which][first])
    flow = float(heart.flow.solutions[at.which].flow_ml_min[first]) if shown else None
    return {
        "take_off_mm": take_off,
        "length_mm": at.ends_mm[1] - take_off,
        "flow_ml_min": flow,
    }


def _diameters(
    edit: Nudge, before: Solved, after: Solved, old: Vessel, new: Vessel
) -> Iterator[EditedValue]:
    s = old.s_mm[old.points]
    middle = 0.5 * (edit.from_mm + edit.to_mm)
    place = int(np.argmin(np.abs(s - middle)))
    inside = (s >= edit.from_mm) & (s <= edit.to_mm)
    one = 2.0 * before.trees[old.which].tree.radius_mm[old.points]
    two = 2.0 * after.trees[new.which].tree.radius_mm[new.points]
    at = float(s[place])
    yield EditedValue(
        name="diameter_mm", vessel=edit.vessel, at_mm=at, before=float(one[place]),
        after=float(two[place]),
    )  # fmt: skip
    yield EditedValue(
        name="narrowest_diameter_mm", vessel=edit.vessel, at_mm=None,
        before=float(one[inside].min(initial=one[place])),
        after=float(two[inside].min(initial=two[place])),
    )  # fmt: skip


def _now(before: Solved, after: Solved, spot: Spot) -> Spot | None:
    place = before.trees[spot[0]].tree.points_mm[spot[1]].tobytes()
    return whereabouts(after.trees).get(place)


def edited_lesions(before: Solved, after: Solved) -> Iterator[EditedLesion]:
    """Tell every lesion of before, tree by tree, then those that are new."""
    there, back = whereabouts(after.trees), whereabouts(before.trees)
    told: set[int] = set()
    of_point = {
        (t, i): (k, x)
        for t, found in enumerate(after.findings.lesions)
        for k, x in enumerate(found)
        for i in _stretch(after, t, x)
    }
    for t, found in enumerate(before.findings.lesions):
        c = before.trees[t]
        for x, (read, _) in zip(found, before.findings.distal[t], strict=True):
            spots = [there.get(c.tree.points_mm[i].tobytes()) for i in _stretch(before, t, x)]
            same = [of_point[s] for s in spots if s is not None and s in of_point]
            told |= {id(y) for _, y in same}
            throat = there.get(c.tree.points_mm[x.throat].tobytes())
            goal = there.get(c.tree.points_mm[read].tobytes())
            worst = max((y.diameter_stenosis_percent for _, y in same), default=None)
            yield _row(
                (before, (t, x.throat)) if throat is None else (after, throat),
                (float(x.diameter_stenosis_percent),
                 None if throat is None else worst or _narrowing(after, throat)),
                (_ffr(before, (t, read)), _ffr(after, goal)),
            )  # fmt: skip
    for t, found in enumerate(after.findings.lesions):
        c = after.trees[t]
        for x, (read, _) in zip(found, after.findings.distal[t], strict=True):
            if id(x) in told:
                continue
            throat = back.get(c.tree.points_mm[x.throat].tobytes())
            goal = back.get(c.tree.points_mm[read].tobytes())
            yield _row(
                (after, (t, x.throat)),
                (None if throat is None else _narrowing(before, throat),
                 float(x.diameter_stenosis_percent)),
                (_ffr(before, goal), _ffr(after, (t, read))),
            )  # fmt: skip


def _stretch(heart: Solved, which: int, x: Lesion) -> list[int]:
    way = path_to(heart.trees[which].tree, x.end).tolist()
    return way[way.index(x.start) :]


def _narrowing(heart: Solved, spot: Spot) -> float:
    c = heart.trees[spot[0]]
    share = float(c.tree.radius_mm[spot[1]] / c.reference_radius_mm[spot[1]])
    return max(0.0, 100.0 * (1.0 - share))


def _ffr(heart: Solved, spot: Spot | None) -> float | None:
    if spot is None:
        return None
    value = float(heart.findings.ffr[spot[0]][spot[1]])
    return value if np.isfinite(value) else None


def _row(
    place: tuple[Solved, Spot],
    stenosis: tuple[float | None, float | None],
    ffr: tuple[float | None, float | None],
) -> EditedLesion:
    heart, (t, throat) = place
    c = heart.trees[t]
    side: Side = "left" if c.side == "left" else "right"
    return EditedLesion(
        side=side,
        vessel=c.names[c.branch[throat]],
        position_mm=float(path_length_mm(c.tree)[throat]),
        diameter_stenosis_before_percent=stenosis[0],
        diameter_stenosis_after_percent=stenosis[1],
        ffr_before=ffr[0],
        ffr_after=ffr[1],
    )
