"""How is a tree taken apart into rows, one per point, and put together again?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

import numpy as np

from meshes.arrays import AnyArray, Ints, ints
from meshes.contours import Contours
from meshes.tree import CoronaryTree, VesselTree

_SHAPE = ("points_mm", "radius_mm")
_OUTLINE = ("radius_mm", "zero_direction", "quarter_direction")
Rows = dict[str, AnyArray]


def rows_of(c: CoronaryTree) -> Rows:
    """Return all that is known of each point, by name; whatever field it is in."""
    rows: Rows = {name: getattr(c.tree, name) for name in _SHAPE}
    for field in fields(c):
        value = getattr(c, field.name)
        if isinstance(value, np.ndarray):
            rows[field.name] = value
        elif isinstance(value, Contours):
            rows |= {f"{field.name}.{name}": getattr(value, name) for name in _OUTLINE}
    return rows


def put_together(
    c: CoronaryTree, rows: Mapping[str, AnyArray], parent: Ints, names: tuple[str, ...]
) -> CoronaryTree:
    """Return a tree of these rows, else as `c`; names that no point has any more are gone.

    Its unreadable stretches are left out: see `ffr.editing.carried`.
    """
    used, branch = np.unique(rows["branch"], return_inverse=True)
    columns: dict[str, object] = {}
    for field in fields(c):
        if isinstance(getattr(c, field.name), np.ndarray):
            columns[field.name] = rows[field.name]
        elif isinstance(getattr(c, field.name), Contours):
            columns[field.name] = Contours(*(rows[f"{field.name}.{x}"] for x in _OUTLINE))
    columns |= {
        "tree": VesselTree(rows["points_mm"], rows["radius_mm"], parent),
        "branch": ints(branch),
        "names": tuple(names[k] for k in used),
        "unreadable": (),
    }
    return replace(c, **columns)  # type: ignore[arg-type]


def tidied(c: CoronaryTree) -> CoronaryTree:
    """Return the tree without names that no point has; the tree itself where all are used."""
    used, branch = np.unique(c.branch, return_inverse=True)
    if used.size == len(c.names):
        return c
    names = tuple(c.names[k] for k in used)
    unreadable = tuple(x for x in c.unreadable if x.vessel in names)
    return replace(c, branch=ints(branch), names=names, unreadable=unreadable)


def kept(c: CoronaryTree, keep: AnyArray) -> CoronaryTree:
    """Return the tree of some of its points; with a point its parent must stay."""
    new = np.cumsum(keep) - 1
    parent = c.tree.parent[keep]
    parent = np.where(parent >= 0, new[parent], -1)
    rows = {name: values[keep] for name, values in rows_of(c).items()}
    return put_together(c, rows, ints(parent), c.names)
