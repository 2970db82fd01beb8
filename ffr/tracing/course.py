"""Where does each course through a tree run in the heart, and who has which name already?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ffr.tracing.heart_frame import HeartFrame
from meshes.arrays import AnyArray, Floats, Ints
from meshes.tree import VesselTree, outlets, path_length_mm, path_to, segment_length_mm


class Place(NamedTuple):
    """Where each point of a tree is in the heart, in radii of the left ventricle."""

    height: Floats  # above the base, towards the apex
    around: Floats  # distance from the long axis
    angle_rad: Floats  # about the long axis, 0 at the septum, growing over the front
    off_anterior: Floats  # distance from the anterior interventricular groove
    off_inferior: Floats  # distance from the inferior one
    beyond_right: Floats  # distance from the right atrioventricular plane, to the ventricle


class Namer:
    """Hands out names; every point gets exactly one."""

    def __init__(self, tree: VesselTree, frame: HeartFrame) -> None:
        self.tree = tree
        self.frame = frame
        self.place = place_in_heart(tree, frame)
        self.length_mm = segment_length_mm(tree)
        self.s_mm = path_length_mm(tree)
        self.branch = np.full(len(tree), -1, dtype=np.int64)
        self.names: list[str] = []
        self.size_mm2 = _sizes_mm2(tree, self.length_mm)
        children: list[list[int]] = [[] for _ in range(len(tree))]
        for i in range(1, len(tree)):
            children[int(tree.parent[i])].append(i)
        self.children = children

    def give(self, name: str, points: Ints) -> None:
        """Name points; a name that is taken gets the next free number."""
        if points.size == 0:
            return
        free, count = name, 1
        while free in self.names:
            count += 1
            free = f"{name}{count}"
        self.branch[points] = len(self.names)
        self.names.append(free)

    def run(self, start: int) -> Ints:
        """The main course of the vessel that begins at `start`, through unnamed points."""
        course = [start]
        while ahead := [c for c in self.children[course[-1]] if self.branch[c] < 0]:
            course.append(max(ahead, key=lambda c: (self.size_mm2[c], c)))
        return np.array(course, dtype=np.int64)

    def taken(self) -> AnyArray:
        """True at the points that have a name, or hang on one that has."""
        named = self.branch >= 0
        for i in range(1, len(named)):
            named[i] |= named[self.tree.parent[i]]
        return np.asarray(named)

    def side_branches(self, points: Ints) -> list[int]:
        """First points of the unnamed branches that leave these points, by take-off."""
        ordered = points[np.argsort(self.s_mm[points], kind="stable")]
        inside = set(points.tolist())
        leaving = (c for p in ordered for c in self.children[int(p)] if c not in inside)
        return [c for c in leaving if self.branch[c] < 0]

    def finish(self) -> None:
        """Name what is left after the branch it leaves, by take-off: D1a, D1b, D1aa, ..."""
        for number in np.argsort(self.s_mm, kind="stable"):
            if self.branch[number] >= 0:
                continue
            mother = self.names[self.branch[self.tree.parent[number]]]
            count = 0
            while mother + _letters(count) in self.names:
                count += 1
            self.give(mother + _letters(count), self.run(int(number)))

    def in_heart(self, points: Ints, origin: int) -> Floats:
        """Mean displacement of points from a take-off: to apex, septum, front."""
        step = self.tree.points_mm[points].mean(axis=0) - self.tree.points_mm[origin]
        frame = self.frame
        axes = np.array(
            [frame.apex_direction, frame.septal_direction, frame.anterior_direction]
        )
        return np.asarray(axes @ step / frame.radius_mm)

    def sideways(self, points: Ints, origin: int) -> float:
        """Mean displacement about the long axis; positive from the septum over the front."""
        _, septal, front = self.in_heart(points, origin)
        angle = self.place.angle_rad[origin]
        return float(np.cos(angle) * front - np.sin(angle) * septal)


def place_in_heart(tree: VesselTree, frame: HeartFrame) -> Place:
    """Return where every point of a tree is in the heart."""
    offset = (tree.points_mm - frame.base_mm) / frame.radius_mm
    septal, front = offset @ frame.septal_direction, offset @ frame.anterior_direction
    angle = np.arctan2(front, septal)
    around = np.hypot(septal, front)
    beyond = (tree.points_mm - frame.right_groove_mm) @ frame.right_groove_normal
    return Place(
        offset @ frame.apex_direction,
        around,
        angle,
        around * np.abs(wrapped(angle - frame.anterior_groove_rad)),
        around * np.abs(wrapped(angle - frame.inferior_groove_rad)),
        beyond / frame.radius_mm,
    )


def wrapped(angle_rad: Floats) -> Floats:
    """Return angles between minus and plus half a turn."""
    return np.asarray((angle_rad + np.pi) % (2 * np.pi) - np.pi)


def near(distance: Floats, scale: float) -> Floats:
    """Return 1 at distance 0, falling like a bell of this width."""
    return np.asarray(np.exp(-((distance / scale) ** 2)))


def _letters(number: int) -> str:
    return (
        chr(ord("a") + number)
        if number < 26
        else _letters(number // 26 - 1) + _letters(number % 26)
    )


def _sizes_mm2(tree: VesselTree, length_mm: Floats) -> Floats:
    """Largest sum of radius times length of the paths from each point on, its own included."""
    size = np.asarray(length_mm * tree.radius_mm)
    longest = np.zeros(len(tree))
    for i in range(len(tree) - 1, 0, -1):
        size[i] += longest[i]
        longest[tree.parent[i]] = max(longest[tree.parent[i]], size[i])
    return size


def gathered(namer: Namer, gain: Floats, step: Floats | float = 0.0) -> Floats:
    """Sum of gain times length, plus steps, from the inlet to each point, in radii."""
    total = gain * namer.length_mm / namer.frame.radius_mm + step
    for i in range(1, len(namer.tree)):
        total[i] += total[namer.tree.parent[i]]
    return np.asarray(total)


def change(tree: VesselTree, values: Floats) -> Floats:
    """Difference of values from each point's parent to the point, 0 at the inlet."""
    return np.concatenate([[0.0], values[1:] - values[tree.parent[1:]]])


def best_beyond(
    namer: Namer, known: Ints, total: Floats, end_share: float = 1.0
) -> tuple[Ints, float]:
    """Find the path that gains most after it leaves the `known` path; return it and its gain.

    The gain is that at the path's end, weighted by `end_share`, and the highest on the way:
    a vessel may leave its groove in its last part and keep its name.
    """
    tree = namer.tree
    fork = np.full(len(tree), -1, dtype=np.int64)
    fork[known] = known
    peak = np.array(total)
    for i in range(1, len(tree)):
        if fork[i] < 0:
            fork[i] = fork[tree.parent[i]]
            peak[i] = max(peak[i], peak[tree.parent[i]])
    ends = outlets(tree)
    score = end_share * total[ends] + (1.0 - end_share) * peak[ends] - total[fork[ends]]
    first = int(np.argmax(score))
    return path_to(tree, int(ends[first])), float(score[first])


def best(namer: Namer, total: Floats) -> Ints:
    """Return the path that gains most from inlet to outlet."""
    return best_beyond(namer, np.zeros(1, dtype=np.int64), total)[0]


def shared_count(one: Ints, other: Ints) -> int:
    """Number of points that two paths from the inlet have in common."""
    n = min(one.size, other.size)
    apart = np.flatnonzero(one[:n] != other[:n])
    return int(apart[0]) if apart.size else n
