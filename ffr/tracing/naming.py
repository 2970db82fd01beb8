"""Which coronary artery is this? Names for a traced tree, by the grooves it runs in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ffr.tracing.course import (
    Namer,
    best,
    best_beyond,
    change,
    gathered,
    near,
    shared_count,
    wrapped,
)
from ffr.tracing.heart_frame import HeartFrame, heart_frame, usual_frame
from ffr.tracing.scct import scct_segments
from meshes.arrays import AnyArray, Floats, Ints, ints
from meshes.reference import reference_radius_mm
from meshes.tree import CoronaryTree, VesselTree

__all__ = ["HeartFrame", "dominance", "heart_frame", "named_tree", "scct_segments"]

# Distances are in radii of the left ventricle (about 35 mm), so that hearts of any size agree.
GROOVE = 0.35  # distance from a groove at which a vessel hardly counts as running in it
AV_PLANE = 0.6  # the same for the atrioventricular planes, from which vessels stray more
OUTSIDE = 0.3  # cost of a length outside, against the gain of one inside
LEAST_CIRCUMFLEX = 0.5  # gain below which a branch is no circumflex
END_SHARE = 0.2  # of the circumflex's gain; it often ends as a marginal branch
LEAST_GROOVE = 0.2  # a shorter run towards the apex is no descending artery
CRUX_SPAN_RAD = np.pi / 4  # a branch this near the inferior groove is posterolateral
RAMUS_MM = 4.0  # a lateral branch up to this far behind the carina is a ramus
LEAST_TRUNK_MM = 1.0  # a shorter left main is none: two ostia side by side
CONUS = 0.55  # conus branch and anomalous circumflex leave this near to the right ostium
SINUS_NODE = 1.3  # and the sinus node artery within this
BEHIND, BEHIND_HEIGHT = 0.7, 0.2  # this near to the long axis and no deeper: behind the aorta
ALIKE = 0.3  # of the size of what goes on: a marginal branch at the crux is smaller


def named_tree(
    tree: VesselTree, side: str, frame: HeartFrame | None, radius_sd_mm: Floats
) -> CoronaryTree:
    """Name every vessel of a tree and number its SCCT segments.

    The rules are those a reader uses: the anterior descending and the posterior descending
    artery run in the interventricular grooves, circumflex and right coronary in the
    atrioventricular ones, and side branches are told by the wall they run over and counted
    in order of take-off. `docs/naming.md` lists them.

    Parameters
    ----------
    tree
        The lumen in patient coordinates (LPS).
    side
        "left" or "right": the sinus it springs from.
    frame
        Landmarks of the heart; None for a usual heart hung on the ostium, which is a guess.
    radius_sd_mm
        Standard deviation of the measured radius, shape (n,); passed on.

    Raises
    ------
    GeometryError
        `side` is neither, or `radius_sd_mm` does not fit the tree.
    """
    namer = Namer(tree, usual_frame(tree, side) if frame is None else frame)
    (_name_left if side == "left" else _name_right)(namer)
    namer.finish()
    branch, names = ints(namer.branch), tuple(namer.names)
    return CoronaryTree(
        tree,
        side,
        radius_sd_mm,
        reference_radius_mm(tree, side),
        branch,
        names,
        scct_segments(tree, branch, names),
    )


def dominance(left: CoronaryTree | None, right: CoronaryTree | None) -> str:
    """Return which artery feeds the inferior wall: "right", "left", "co" or "unknown".

    Right: the posterior descending artery comes from the right coronary. Left: from the
    circumflex, wherever that springs from. Co: it comes from the right coronary and the
    posterolateral branches from the circumflex, or each gives one (Leipsic 2014).
    """
    known = {name for c in (left, right) if c for name in c.names}
    if "R-PDA" in known:
        both = "L-PDA" in known or ("L-PLB" in known and "R-PLB" not in known)
        return "co" if both else "right"
    return "left" if "L-PDA" in known else "unknown"


def _anterior_gain(namer: Namer) -> Floats:
    """How well each path so far follows the anterior groove to the apex."""
    tip = 0.85 * namer.frame.length_mm / namer.frame.radius_mm  # where all grooves meet
    in_groove = near(namer.place.off_anterior, GROOVE)
    in_groove[namer.place.height > tip] = 1.0
    return gathered(namer, in_groove - OUTSIDE)


def _over_free_wall(namer: Namer) -> AnyArray:
    """True at the points whose angle is that of the free wall of the left ventricle."""
    frame = namer.frame
    lateral = (namer.place.angle_rad - frame.anterior_groove_rad) % (2 * np.pi)
    free_wall = 2 * np.pi - (frame.anterior_groove_rad - frame.inferior_groove_rad)
    return np.asarray((lateral < free_wall) | (lateral > 2 * np.pi - 0.4))


def _circumflex_gain(namer: Namer, counted: AnyArray | bool = True) -> Floats:
    """How well each path so far goes around the free wall instead of down to the apex.

    Only what happens at the `counted` points counts.
    """
    place, tree = namer.place, namer.tree
    at_base = near(place.height, AV_PLANE) * _over_free_wall(namer)
    turn = wrapped(change(tree, place.angle_rad)) * np.minimum(place.around, 1.0)
    step = counted * (turn - change(tree, place.height))
    return gathered(namer, counted * (at_base - OUTSIDE), step)


def _name_left(namer: Namer) -> None:
    anterior, around = _anterior_gain(namer), _circumflex_gain(namer)
    lad = best(namer, anterior)
    lcx, gain = best_beyond(namer, lad, around, END_SHARE)
    if gain < LEAST_CIRCUMFLEX:
        _name_single_left(namer, lad, anterior, around)
        return
    trunk = shared_count(lad, lcx)
    if namer.s_mm[lad[trunk - 1]] < LEAST_TRUNK_MM:
        namer.give("LAD", lad)
    else:
        namer.give("LM", lad[:trunk])
        namer.give("LAD", lad[trunk:])
    _name_circumflex(namer, lcx[trunk:])
    _name_ramus(namer, lad, lcx, trunk)
    _name_main_trunk(namer, lad[:trunk])
    _name_diagonals(namer, lad[trunk:])
    _name_marginals(namer, lcx[trunk:])


def _name_single_left(namer: Namer, lad: Ints, anterior: Floats, around: Floats) -> None:
    """A left tree without two trunks: whichever of the two it is, from the ostium on."""
    lcx = best(namer, around)
    if around[lcx[-1]] > anterior[lad[-1]]:
        _name_circumflex(namer, lcx)
        _name_marginals(namer, lcx)
    else:
        namer.give("LAD", lad)
        _name_diagonals(namer, lad)


def _name_circumflex(namer: Namer, course: Ints) -> None:
    """The circumflex, cut where it turns into the inferior groove."""
    cut = _turn_down(namer, course)
    namer.give("LCx", course[:cut])
    if cut < course.size:
        namer.give("L-PDA", course[cut:])


def _turn_down(namer: Namer, course: Ints) -> int:
    """Index at which a course leaves the base for the inferior groove; its size if never."""
    place = namer.place
    down = (place.height[course] > 0.25) & (place.off_inferior[course] < 1.5 * GROOVE)
    rest = np.flatnonzero(~down)
    first = int(rest[-1]) + 1 if rest.size else course.size
    if first == course.size:
        return first
    cut = first + int(np.argmin(place.height[course[first:]]))  # until there it comes up
    drop = place.height[course[-1]] - place.height[course[cut]]
    return cut if drop > LEAST_GROOVE else course.size


def _name_ramus(namer: Namer, lad: Ints, lcx: Ints, trunk: int) -> None:
    """The longest branch, of the trunk or just behind it, for the lateral wall and the apex."""
    carina = namer.s_mm[lad[trunk - 1]]
    trunks = np.union1d(lad, lcx)
    close = trunks[namer.s_mm[trunks] - carina <= RAMUS_MM]
    candidates = []
    for start in namer.side_branches(close):
        course, origin = namer.run(start), int(namer.tree.parent[start])
        towards_apex = namer.in_heart(course, origin)[0]
        angle = namer.place.angle_rad[course] - namer.frame.anterior_groove_rad
        lateral = np.median(wrapped(angle)) > 0
        if towards_apex > 0.1 and lateral:
            candidates.append((namer.s_mm[course[-1]], -start))
    if candidates:
        namer.give("RI", namer.run(-max(candidates)[1]))


def _name_main_trunk(namer: Namer, points: Ints) -> None:
    for start in namer.side_branches(points):
        course = namer.run(start)
        if namer.in_heart(course, int(namer.tree.parent[start]))[0] < 0:
            namer.give("SN", course)  # up and over the atria


def _name_diagonals(namer: Namer, points: Ints) -> None:
    """Diagonals over the free wall, septal branches to the other side."""

    def kind(course: Ints, origin: int) -> str:
        return "D" if namer.sideways(course, origin) >= 0 else "S"

    _name_counted(namer, points, kind)


def _name_marginals(namer: Namer, points: Ints) -> None:
    """Branches of the circumflex: by the wall and direction."""

    def kind(course: Ints, origin: int) -> str:
        place = namer.place
        if namer.in_heart(course, origin)[0] < 0:
            return "LA"
        away = wrapped(namer.frame.inferior_groove_rad - place.angle_rad[origin])
        if abs(float(away)) > CRUX_SPAN_RAD:
            return "OM"
        in_groove = np.median(place.off_inferior[course]) < GROOVE
        return "L-PDA" if in_groove and "L-PDA" not in namer.names else "L-PLB"

    _name_counted(namer, points, kind)


def _name_counted(namer: Namer, points: Ints, kind: Callable[[Ints, int], str]) -> None:
    """Name side branches by kind and number them by take-off."""
    count: dict[str, int] = {}
    for start in namer.side_branches(points):
        course = namer.run(start)
        name = kind(course, int(namer.tree.parent[start]))
        count[name] = count.get(name, 0) + 1
        single = name in ("CB", "SN") or name.startswith(("L-", "R-"))
        namer.give(name if single else f"{name}{count[name]}", course)


def _name_right(namer: Namer) -> None:
    _name_circumflex_from_right(namer)
    place = namer.place
    below = np.clip((place.height - 0.1) / 0.2, 0.0, 1.0)
    towards_apex = np.maximum(change(namer.tree, place.height), 0.0)
    weight = near(place.off_inferior, GROOVE) * below
    in_groove = gathered(namer, np.zeros_like(weight), weight * towards_apex)
    pda = best(namer, np.where(namer.taken(), -1.0, in_groove))
    descends = in_groove[pda[-1]] >= LEAST_GROOVE and _turn_down(namer, pda) < pda.size
    if not descends:
        _name_right_by_calibre(namer)
        return
    starts = _posterolateral(namer, pda)
    # the other daughter at the crux is the descending one, however short
    cut = _after_origin(namer, pda, starts[0]) if starts else _turn_down(namer, pda)
    namer.give("RCA", pda[:cut])
    namer.give("R-PDA", pda[cut:])
    for start in sorted(starts, key=lambda p: -float(namer.s_mm[namer.run(p)[-1]])):
        namer.give("R-PLB", namer.run(start))
    _name_right_branches(namer, pda[:cut])


def _name_right_by_calibre(namer: Namer) -> None:
    """No path descends in the groove: the trunk is what stays wide and long.

    Where it parts near the crux into two of alike size, the one that lies nearer to the
    septum is the descending one; a marginal branch that leaves there is much the smaller.
    """
    trunk = namer.run(0)
    forks = [
        start
        for start in namer.side_branches(trunk)
        if _near_crux(namer, int(namer.tree.parent[start]))
        and namer.size_mm2[start] >= ALIKE * namer.size_mm2[_next(namer, trunk, start)]
    ]
    if not forks:
        _name_undivided_right(namer, trunk)
        return
    start = max(forks, key=lambda p: float(namer.size_mm2[p]))
    cut = _after_origin(namer, trunk, start)
    origin, ways = int(trunk[cut - 1]), [trunk[cut:], namer.run(start)]
    descending, other = sorted(ways, key=lambda way: -namer.sideways(way, origin))
    namer.give("RCA", trunk[:cut])
    namer.give("R-PDA", descending)
    namer.give("R-PLB", other)
    _name_right_branches(namer, trunk[:cut])


def _after_origin(namer: Namer, course: Ints, start: int) -> int:
    """Number of points of a course up to where a branch leaves it."""
    return int(np.flatnonzero(course == namer.tree.parent[start])[0]) + 1


def _next(namer: Namer, course: Ints, start: int) -> int:
    """The point of a course behind the take-off of a branch."""
    return int(course[_after_origin(namer, course, start)])


def _near_crux(namer: Namer, point: int) -> bool:
    return bool(namer.place.height[point] < 0.9 and namer.place.off_inferior[point] < 1.0)


def _name_circumflex_from_right(namer: Namer) -> None:
    """A circumflex that springs from the first part of the right coronary.

    The commonest anomalous origin of a coronary artery: it passes behind the aorta, over
    the middle of the base, to the left groove and goes on there as any circumflex. What
    crosses the crux to the free wall comes from the other side and does not pass there.
    """
    place = namer.place
    behind = (place.height < BEHIND_HEIGHT) & (place.around < BEHIND)
    arrived = np.zeros(len(namer.tree), dtype=bool)
    beyond = _over_free_wall(namer) & (place.around > BEHIND)
    for i in range(1, len(behind)):
        above = namer.tree.parent[i]
        behind[i] |= behind[above]
        arrived[i] = arrived[above] or (behind[i] and beyond[i])
    gain = _circumflex_gain(namer, arrived)
    lcx, most = best_beyond(namer, np.zeros(1, dtype=np.int64), gain, END_SHARE)
    within = lcx[namer.s_mm[lcx] <= CONUS * namer.frame.radius_mm]
    on_it = set(lcx.tolist())
    others = [start for start in namer.side_branches(within) if start not in on_it]
    if most < LEAST_CIRCUMFLEX or not others:
        return
    rca = max(others, key=lambda start: float(namer.size_mm2[start]))
    cut = _after_origin(namer, lcx, rca)
    _name_circumflex(namer, lcx[cut:])
    _name_marginals(namer, lcx[cut:])


def _posterolateral(namer: Namer, pda: Ints) -> list[int]:
    """Branches that leave the posterior descending path near the crux for the left side."""
    place, crux = namer.place, namer.frame.inferior_groove_rad
    found = []
    for start in namer.side_branches(pda):
        origin, course = int(namer.tree.parent[start]), namer.run(start)
        beyond = np.median(wrapped(crux - place.angle_rad[course])) > 0.1
        if _near_crux(namer, origin) and beyond and namer.sideways(course, origin) < 0:
            found.append(start)
    return found


def _name_undivided_right(namer: Namer, rca: Ints) -> None:
    """No posterior descending artery: what crosses the crux is posterolateral."""
    place = namer.place
    beyond = wrapped(namer.frame.inferior_groove_rad - place.angle_rad[rca])
    rest = np.flatnonzero((beyond < 0.0) | (place.off_inferior[rca] < GROOVE))
    crossed = CRUX_SPAN_RAD < beyond[-1] < np.pi - CRUX_SPAN_RAD
    cut = int(rest[-1]) + 1 if rest.size and crossed else rca.size
    namer.give("RCA", rca[:cut])
    namer.give("R-PLB", rca[cut:])
    _name_right_branches(namer, rca[:cut])


def _name_right_branches(namer: Namer, points: Ints) -> None:
    """Conus and marginal branches over the ventricle, atrial ones to the other side."""
    unit_mm = namer.frame.radius_mm

    def kind(course: Ints, origin: int) -> str:
        step = namer.tree.points_mm[course].mean(axis=0) - namer.tree.points_mm[origin]
        at = float(namer.s_mm[origin]) / unit_mm
        if step @ namer.frame.right_groove_normal >= 0:
            return "CB" if at < CONUS and "CB" not in namer.names else "AM"
        return "SN" if at < SINUS_NODE and "SN" not in namer.names else "RA"

    _name_counted(namer, points, kind)
