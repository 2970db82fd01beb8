"""How does a branch get a take-off at another place? It stays where it lies in the patient."""

from __future__ import annotations

import numpy as np

from ffr.editing.edits import Move
from ffr.editing.rows import Rows, put_together, rows_of
from ffr.errors import ConfigError
from meshes.arrays import AnyArray, Floats, Ints, ints
from meshes.tree import CoronaryTree

FARTHEST_MM = 15.0  # a longer straight way is no take-off: something is missing between
STEP_MM = 0.5  # between the points of the way to the take-off
NEAREST_MM = 1e-3  # nearer, the branch begins at the take-off itself
OPEN_SD_PERCENT = 25.0  # of the radius on the way there, which nobody measured: assumed


def grafted(
    goal: CoronaryTree, take_off: int, source: CoronaryTree, piece: AnyArray, edit: Move
) -> CoronaryTree:
    """Return `goal` with the points `piece` of `source` behind its point `take_off`.

    The branch keeps its points and all that is known of them; a straight way leads from the
    take-off to its first point, as wide as that. Its names join those of `goal`.

    Raises
    ------
    ConfigError
        Too far to be joined, a name that both have, contours in one tree only.
    """
    ours, theirs = rows_of(goal), rows_of(source)
    _check_alike(goal, source, ours, theirs, piece)
    own = np.flatnonzero(piece)
    theirs = {name: values[own] for name, values in theirs.items()}
    names = [*goal.names]
    theirs["branch"] = np.array([_number(names, source.names[k]) for k in theirs["branch"]])
    link = _link(goal.tree.points_mm[take_off], theirs, edit)
    n, m = len(goal.tree), len(link["branch"])
    parent = _parents(goal, take_off, source, own, m)
    rows = {k: np.concatenate([ours[k], link[k], theirs[k]]) for k in ours}
    if n + m + own.size != parent.size:  # the two are made apart
        raise ConfigError("the branch does not fit; please report it")
    return put_together(goal, rows, parent, tuple(names))


def _number(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)


def _parents(
    goal: CoronaryTree, take_off: int, source: CoronaryTree, own: Ints, m: int
) -> Ints:
    n = len(goal.tree)
    new = np.full(len(source.tree), -1)
    new[own] = n + m + np.arange(own.size)
    link = np.array([take_off, *range(n, n + m - 1)][:m])
    tail = new[source.tree.parent[own]]
    tail[0] = n + m - 1 if m else take_off
    return ints(np.concatenate([goal.tree.parent, link, tail]))


def _check_alike(
    goal: CoronaryTree, source: CoronaryTree, ours: Rows, theirs: Rows, piece: AnyArray
) -> None:
    moved = {source.names[k] for k in np.unique(source.branch[piece])}
    both = sorted(moved & {goal.names[k] for k in np.unique(goal.branch)})
    if both and goal.side != source.side:
        message = f"the {goal.side} tree has a {both[0]} already; relabel one of them first"
        raise ConfigError(message)
    shapes = [{k: v.shape[1:] for k, v in rows.items()} for rows in (ours, theirs)]
    if shapes[0] != shapes[1]:
        message = "one of the two trees has lumen contours and the other has others or none"
        raise ConfigError(message)


def _link(start_mm: Floats, rows: Rows, edit: Move) -> Rows:
    """Return the rows of the points between the take-off and the branch's first point."""
    end_mm = rows["points_mm"][0]
    way = end_mm - start_mm
    length = float(np.linalg.norm(way))
    if not NEAREST_MM < length <= FARTHEST_MM:
        message = (
            f"the {edit.vessel} begins {length:.1f} mm from the {edit.take_off_vessel} at "
            f"{edit.at_mm:g} mm; a take-off must be {NEAREST_MM:g} to {FARTHEST_MM:g} mm away"
        )
        raise ConfigError(message)
    count = max(int(np.ceil(length / STEP_MM)) - 1, 0)
    share = np.arange(1, count + 1)[:, None] / (count + 1)
    link = {name: np.repeat(values[:1], count, axis=0) for name, values in rows.items()}
    link["points_mm"] = start_mm + share * way
    sd = np.maximum(link["radius_sd_mm"], OPEN_SD_PERCENT / 100.0 * link["radius_mm"])
    link["radius_sd_mm"] = sd
    along = way / length
    for name in [x for x in link if x.endswith(".zero_direction")]:
        _turn(link, name.removesuffix("zero_direction"), along)
    return link


def _turn(link: Rows, prefix: str, along: Floats) -> None:
    """Turn the rays of outlines across a new direction."""
    zero, quarter = link[f"{prefix}zero_direction"], link[f"{prefix}quarter_direction"]
    if not len(zero):
        return
    flat = zero[0] - (zero[0] @ along) * along
    if np.linalg.norm(flat) < 0.1:  # the ray lies along the way: the other one does not
        flat = np.cross(quarter[0], along)
    flat = flat / np.linalg.norm(flat)
    beside = np.cross(along, flat)
    if beside @ quarter[0] < 0:
        beside = -beside
    link[f"{prefix}zero_direction"] = np.tile(flat, (len(zero), 1))
    link[f"{prefix}quarter_direction"] = np.tile(beside, (len(zero), 1))
