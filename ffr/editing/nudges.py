"""How does a lumen look whose wall a reader has moved?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ffr.editing.edits import Nudge
from ffr.editing.places import Vessel, check_inside
from ffr.errors import ConfigError
from ffr.results.reasons import EXCLUDED
from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.contours import Contours, area_radius_mm
from meshes.tree import CoronaryTree, Unreadable
from solvers.unreadable import unmeasured, within

EDGE_MM = 2.0  # along which the change grows from nothing; half the span if that is shorter
READER_SD_PERCENT = 10.0  # of a radius that a reader has set: assumed, as no scan says it
NARROWEST_MM = 0.05  # radius of a closed lumen (solvers.occlusion)
UNSEEN_MM = 1e-6  # of wall outside the lumen: rounding


def nudged(c: CoronaryTree, at: Vessel, edit: Nudge) -> CoronaryTree:
    """Return the tree with the vessel's lumen changed between two places, and nowhere else.

    The change grows as a raised cosine over EDGE_MM from both ends. Contours keep their shape
    where a diameter is given, and get one where the wall is moved by rays. A possible
    occlusion that the span covers whole is readable after it.

    Raises
    ------
    ConfigError
        A span that is not on the vessel or holds no point, one in a stretch whose radius means
        nothing, rays where there are no contours.
    """
    check_inside(c, at, edit.from_mm)
    check_inside(c, at, edit.to_mm)
    points, weight = _span(at, edit)
    if not points.size:
        message = (
            f"the span from {edit.from_mm:g} to {edit.to_mm:g} mm lies between two points of "
            f"the {edit.vessel}; give a longer one"
        )
        raise ConfigError(message)
    hidden = unmeasured(c)[points]
    if hidden.any():
        why = next(x for x in c.unreadable if not x.measured and x.vessel == edit.vessel)
        message = (
            f"the {edit.vessel} from {why.from_mm:.1f} to {why.to_mm:.1f} mm is not analysable "
            f"({why.reason}), its radius has no effect; nudge outside it"
        )
        raise ConfigError(message)
    radius, rays = _lumen(c, points, weight, edit)
    new_radius, sd = c.tree.radius_mm.copy(), c.radius_sd_mm.copy()
    new_radius[points] = radius
    own = READER_SD_PERCENT / 100.0 * radius
    sd[points] = (1.0 - weight) * sd[points] + weight * own
    made = replace(
        c,
        tree=replace(c.tree, radius_mm=floats(new_radius)),
        radius_sd_mm=floats(sd),
        unreadable=_still_unreadable(c, points),
    )
    return made if rays is None else _outlined(made, points, rays)


def _span(at: Vessel, edit: Nudge) -> tuple[Ints, Floats]:
    """Return the points of the span and the share of the change that each gets."""
    s = at.s_mm[at.points]
    inside = at.points[(s > edit.from_mm) & (s < edit.to_mm)]
    edge = min(EDGE_MM, 0.5 * (edit.to_mm - edit.from_mm))
    place = at.s_mm[inside]
    away = np.minimum(place - edit.from_mm, edit.to_mm - place) / edge
    share = 0.5 - 0.5 * np.cos(np.pi * np.clip(away, 0.0, 1.0))
    return inside, floats(share / share.max(initial=0.0) if inside.size else share)


def _lumen(
    c: CoronaryTree, points: Ints, weight: Floats, edit: Nudge
) -> tuple[Floats, Floats | None]:
    """Return radius, and contours where there are any, at the points of the span."""
    old = c.tree.radius_mm[points]
    rays = None if c.contours is None else c.contours.radius_mm[points]
    if edit.wall_change_mm is not None:
        if rays is None:
            message = (
                "wall_change_mm needs lumen contours, this tree has none; give diameter_mm"
            )
            raise ConfigError(message)
        change = _around(np.array(edit.wall_change_mm), rays.shape[1])
        new = np.maximum(rays + weight[:, None] * change, NARROWEST_MM)
        share = area_radius_mm(new) / area_radius_mm(rays)
        return floats(old * share), floats(new)
    if edit.diameter_mm is not None:
        new = np.full(old.shape, edit.diameter_mm / 2.0)
    else:
        new = old + (edit.wider_by_mm or 0.0) / 2.0
    radius = floats(np.maximum((1.0 - weight) * old + weight * new, NARROWEST_MM))
    if rays is None:
        return radius, None
    return radius, floats(rays * (radius / area_radius_mm(rays))[:, None])


def _around(change_mm: Floats, rays: int) -> Floats:
    """Return a change at even angles at as many angles as a contour has."""
    given = 2 * np.pi * np.arange(change_mm.size) / change_mm.size
    wanted = 2 * np.pi * np.arange(rays) / rays
    return floats(np.interp(wanted, given, change_mm, period=2 * np.pi))


def _outlined(c: CoronaryTree, points: Ints, rays: Floats) -> CoronaryTree:
    """Return the tree with new lumen contours; the outer wall stays outside them.

    Where no wall was seen its outline is the lumen's, and follows it.
    """
    if c.contours is None:
        return c
    old = c.contours.radius_mm[points]
    made = replace(c, contours=_with_rays(c.contours, points, rays))
    if c.walls is None:
        return made
    wall = c.walls.radius_mm[points]
    new = np.where(wall <= old + UNSEEN_MM, rays, np.maximum(wall, rays))
    return replace(made, walls=_with_rays(c.walls, points, floats(new)))


def _with_rays(outline: Contours, points: Ints, rays: Floats) -> Contours:
    radius = outline.radius_mm.copy()
    radius[points] = rays
    return replace(outline, radius_mm=floats(radius))


def _still_unreadable(c: CoronaryTree, points: Ints) -> tuple[Unreadable, ...]:
    """Return the stretches that stay; of a possible occlusion the reader has set the lumen."""
    covered: AnyArray = np.zeros(len(c.tree), dtype=bool)
    covered[points] = True
    left = []
    for stretch in c.unreadable:
        inside = within(replace(c, unreadable=(stretch,)))
        read = stretch.measured and stretch.reason != EXCLUDED and covered[inside].all()
        if not read:
            left.append(stretch)
    return tuple(left)
