"""Where does a tree end too early, miss a vessel or break? Every failure gets its place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ffr.flags import Flag, Place
from meshes.arrays import Floats
from meshes.tree import CoronaryTree, outlets, path_length_mm, path_to, sections
from solvers.occlusion import occluded

END_MM = 5.0  # the calibre of an end is the median over this length
# Radius with which a vessel may end, by path length from the ostium. Readers follow vessels
# to 0.53 +- 0.15 mm (ASOCA centrelines); distal LADs have 0.95 +- 0.2 (Dodge 1992), and far
# out a network may lose what a reader sees.
ENDS_AT_MM = ((50.0, 100.0), (1.1, 1.75))
LOST_MM = 5.0  # what lies further from a tree was cut off it later
APART_MM = 15.0  # nearer, breaks may be one lesion at a bifurcation
SAME_HEIGHT_MM = 2.0  # breaks in several vessels this close in height have one cause
STEP_MM = 1.2  # sideways; less is noise of the centreline
WINDOW_MM = (1.0, 5.0)  # on either side of a step, where the course is judged
STEEP = 0.4  # least rise per length of a course that shows a step between slices
SAME_WAY = 0.7  # cosine between the steps of two vessels that one shift explains


def check_trees(
    trees: Sequence[CoronaryTree], bridged: Sequence[Flag] = ()
) -> tuple[Flag, ...]:
    """Return what is missing from named trees, ends early or is broken.

    Parameters
    ----------
    trees
        Those that were found; a side that was not is told by the tracing.
    bridged
        Flags of gaps, whose places hold `point_mm`.

    Returns
    -------
    flags
        "vessel-missing", "vessel-stump", "vessel-occluded", and "vessels-broken" where two or
        more vessels end, are bridged or jump sideways at one height of the table, as with
        motion or slabs that do not fit together. `bridged` is among them, places completed.
    """
    gaps = [_located(flag, trees) for flag in bridged]
    stumps = [flag for c in trees for flag in (*_occlusions(c), *_stumps(c))]
    steps = _agreeing([place for c in trees for place in _steps(c)])
    events = [flag.place for flag in (*gaps, *stumps) if flag.place] + [p for p, _ in steps]
    known = {name for c in trees for name in c.names}
    missing = [flag for c in trees for flag in _missing(c, known)]
    return (*missing, *stumps, *gaps, *_broken(events))


def place_of(c: CoronaryTree, point: int) -> Place:
    """Return where a point of a tree is."""
    x, y, z = (float(v) for v in c.tree.points_mm[point])
    number = int(c.segment[point])
    return Place(
        side=c.side,
        vessel=c.names[c.branch[point]],
        segment=number if number > 0 else None,
        position_mm=float(path_length_mm(c.tree)[point]),
        point_mm=(x, y, z),
    )


def _located(flag: Flag, trees: Sequence[CoronaryTree]) -> Flag:
    """Complete a place that is only a point: the nearest one on the trees."""
    if flag.place is None or flag.place.point_mm is None:
        return flag
    own = [c for c in trees if c.side == flag.place.side]
    if not own:
        return flag
    away = np.linalg.norm(own[0].tree.points_mm - np.array(flag.place.point_mm), axis=1)
    if away.min() > LOST_MM:
        return flag
    place = place_of(own[0], int(away.argmin()))
    where = f" (in the {place.vessel}, {place.position_mm:.0f} mm from the {place.side} ostium)"
    return Flag(flag.name, flag.message + where, replace(place, point_mm=flag.place.point_mm))


def _missing(c: CoronaryTree, known: set[str]) -> Iterator[Flag]:
    """Main vessels that the left tree should have, and none of the `known` vessels is."""
    if c.side != "left":
        return
    trunk = "LM" if "LM" in c.names else None
    at = 0
    if trunk:
        at = int(np.flatnonzero(c.branch == c.names.index("LM"))[-1])
    for name in ("LAD", "LCx"):
        if name not in known:
            message = (
                f"no {name} was found; it may be occluded where it begins, spring from another "
                "place, or not have been seen"
            )
            place = replace(place_of(c, at), vessel=name, segment=None)
            yield Flag("vessel-missing", message, place)
    if trunk is None and {"LAD", "LCx"} <= set(c.names):
        message = "no left main: LAD and LCx part at the ostium, or the trunk was not seen"
        yield Flag("left-main-missing", message, replace(place_of(c, 0), vessel="LM"))


def _stumps(c: CoronaryTree) -> Iterator[Flag]:
    """Ends that are too wide for where they are."""
    s = path_length_mm(c.tree)
    shut = occluded(c.tree)
    for end in outlets(c.tree):
        path = path_to(c.tree, int(end))
        last = path[(s[path] > s[end] - END_MM) & (c.branch[path] == c.branch[end])]
        radius = float(np.median(c.tree.radius_mm[last]))
        if radius < np.interp(s[end], *ENDS_AT_MM) or shut[end]:
            continue
        place = place_of(c, int(end))
        message = (
            f"the {place.vessel} ends {s[end]:.0f} mm from the {c.side} ostium while still "
            f"{2 * radius:.1f} mm wide; it may go on unseen, or be occluded there"
        )
        yield Flag("vessel-stump", message, place)


def _occlusions(c: CoronaryTree) -> Iterator[Flag]:
    """Where the lumen closes."""
    shut = occluded(c.tree)
    for point in np.flatnonzero(shut):
        if point > 0 and not shut[c.tree.parent[point]]:
            place = place_of(c, int(point))
            message = (
                f"the lumen of the {place.vessel} is closed {place.position_mm:.0f} mm from "
                f"the {c.side} ostium; nothing is known of what lies behind"
            )
            yield Flag("vessel-occluded", message, place)


def _steps(c: CoronaryTree) -> Iterator[tuple[Place, Floats]]:
    """Places where the course jumps sideways between heights, and by how much (x, y)."""
    s = path_length_mm(c.tree)
    for run in sections(c.tree):
        own = run[1:]
        at = s[own]
        best: dict[int, tuple[float, int, Floats]] = {}
        for k in range(len(own)):
            jump = _jump(c.tree.points_mm[own], at, at[k])
            if jump is None or np.linalg.norm(jump) < STEP_MM:
                continue
            size, group = float(np.linalg.norm(jump)), int(at[k] // WINDOW_MM[1])
            if size > best.get(group, (0.0,))[0]:  # one step shows at all points around it
                best[group] = (size, int(own[k]), jump)
        yield from ((place_of(c, point), jump) for _, point, jump in best.values())


def _jump(points: Floats, s: Floats, here: float) -> Floats | None:
    """Difference between the courses after and before, both drawn out to a place."""
    near, far = WINDOW_MM
    ends = []
    for side in (-1.0, 1.0):
        ahead = side * (s - here)
        window = (ahead >= near) & (ahead <= far)
        if np.count_nonzero(window) < 5:
            return None
        rise, start = np.polyfit(s[window] - here, points[window], 1)
        if abs(rise[2]) < STEEP:
            return None
        ends.append((rise, start))
    (before, low), (after, high) = ends
    if before[2] * after[2] < 0:
        return None
    jump = high - low  # at one height: what the course itself moves meanwhile does not count
    slope = 0.5 * (before / before[2] + after / after[2])
    return np.asarray((jump - jump[2] * slope)[:2])


def _agreeing(steps: list[tuple[Place, Floats]]) -> list[tuple[Place, Floats]]:
    """Steps that another vessel makes too, at the same height and the same way."""
    return [one for one in steps if any(_together(one, other) for other in steps)]


def _together(one: tuple[Place, Floats], other: tuple[Place, Floats]) -> bool:
    (a, jump), (b, second) = one, other
    if (a.side, a.vessel) == (b.side, b.vessel) or a.point_mm is None or b.point_mm is None:
        return False
    if abs(a.point_mm[2] - b.point_mm[2]) > SAME_HEIGHT_MM:
        return False
    size = float(np.linalg.norm(jump) * np.linalg.norm(second))
    return float(jump @ second) >= SAME_WAY * size


def _broken(places: Sequence[Place]) -> Iterator[Flag]:
    """Tell each vessel that breaks at a height where others do."""
    told = set()
    for one in places:
        others = {
            (p.side, p.vessel)
            for p in places
            if p.point_mm and one.point_mm
            and abs(p.point_mm[2] - one.point_mm[2]) <= SAME_HEIGHT_MM
            and math.dist(p.point_mm, one.point_mm) > APART_MM
        } - {(one.side, one.vessel)}  # fmt: skip
        if not others or one.point_mm is None or (one.side, one.vessel) in told:
            continue
        told.add((one.side, one.vessel))
        names = ", ".join(sorted(str(vessel) for _, vessel in others))
        message = (
            f"the {one.vessel} breaks off or jumps at table height {one.point_mm[2]:.0f} mm, "
            f"as does {names}: motion, or slabs that do not fit together; narrowings there may "
            "be artefacts"
        )
        yield Flag("vessels-broken", message, one)
