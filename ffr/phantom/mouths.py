"""Where lumens meet: how branches open, and throats that another lumen lies over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ffr.phantom.coronaries import STEP_MM, Artery
from meshes.arrays import AnyArray, Ints, floats
from meshes.straighten import frames

OPENING = 0.5  # of a mouth: radius by length
NARROWED = 0.9  # of the healthy radius
HIDDEN = 1.15  # of its own radius: as wide as this, a throat is not what is seen
BACKWARDS = 1.8  # way over the fork by straight distance: arms at less than 67 degrees
REACH_MM = 15.0
RAYS = 24
RAY_STEP_MM = 0.05


def with_mouths(arteries: tuple[Artery, ...]) -> tuple[Artery, ...]:
    """Return the arteries, none wider where it leaves its mother than her lumen there.

    A lumen is painted with round ends: a branch that leaves from a stenosis would hide the
    throat in the picture, and the true tree would not be what is seen. From its mouth a branch
    opens by half a mm of radius a mm to its own width: faster, and round ends reach sideways.
    """
    made: dict[str, Artery] = {}
    for a in arteries:  # mothers come first
        if a.parent:
            mouth = made[a.parent].lumen_mm[a.take_off]
            opening = mouth + OPENING * STEP_MM * np.arange(len(a.lumen_mm))
            made[a.name] = replace(a, lumen_mm=floats(np.minimum(a.lumen_mm, opening)))
        else:
            made[a.name] = a
    return tuple(made.values())


def without_hidden_throats(arteries: tuple[Artery, ...]) -> tuple[Artery, ...]:
    """Return the arteries, none narrowed where another lumen leads past the throat.

    A branch that leaves backwards lies in her mother's side, a twin in her sister's: what is
    painted, and where blood would pass, is their union, and a radius that the picture does not
    show would be no truth. Such a stretch becomes as wide as the union is in its cross-section,
    up to the healthy radius along each ray. A branch that leaves sideways changes nothing.
    """
    lumen = {a.name: np.array(a.lumen_mm) for a in arteries}
    forks = {(a.parent, a.take_off) for a in arteries if a.parent}
    for mother, at in sorted(forks):
        arms = _arms(mother, at, arteries)
        for one, other in permutations(arms, 2):
            for i in _passed_by(one, other):
                seen = _union_radius_mm(one, i, other)
                name, index = one.artery.name, one.points[i]
                if seen > HIDDEN * one.artery.lumen_mm[index]:
                    lumen[name][index] = max(seen, lumen[name][index])
    return tuple(_widened(a, lumen[a.name]) for a in arteries)


@dataclass(frozen=True, slots=True, eq=False)
class _Arm:
    """A vessel as it leads away from a fork: `points` of it, the fork's first."""

    artery: Artery
    points: Ints

    @property
    def centre_mm(self) -> AnyArray:
        return self.artery.centre_mm[self.points]

    @property
    def lumen_mm(self) -> AnyArray:
        return self.artery.lumen_mm[self.points]


def _arms(mother: str, at: int, arteries: tuple[Artery, ...]) -> list[_Arm]:
    """Mother back and onward from a fork, and the daughters that leave there."""
    reach = int(REACH_MM / STEP_MM)
    ways = []
    for a in arteries:
        if a.name == mother:
            ways += [_Arm(a, np.arange(at, max(at - reach, -1), -1))]
            ways += [_Arm(a, np.arange(at, min(at + reach, len(a.lumen_mm))))]
        elif (a.parent, a.take_off) == (mother, at):
            ways += [_Arm(a, np.arange(min(reach, len(a.lumen_mm))))]
    return [w for w in ways if len(w.points) > 1]


def _passed_by(one: _Arm, other: _Arm) -> Iterator[int]:
    """Yield where an arm is narrowed before the place where another's lumen joins it again."""
    apart = np.linalg.norm(one.centre_mm[:, None] - other.centre_mm, axis=2)
    touching = apart < one.lumen_mm[:, None] + other.lumen_mm
    path = STEP_MM * (np.arange(len(one.points))[:, None] + np.arange(len(other.points)))
    joined = np.flatnonzero((touching & (path > BACKWARDS * apart)).any(axis=1))
    healthy = one.artery.healthy_mm[one.points]
    if joined.size:
        narrow = np.flatnonzero(one.lumen_mm < NARROWED * healthy)
        yield from (int(i) for i in narrow if 0 < i < joined[-1])


def _union_radius_mm(one: _Arm, i: int, other: _Arm) -> float:
    """Area radius of the union of an arm and another around point i, by rays from there."""
    a, index = one.artery, int(one.points[i])
    _, normal, binormal = frames(a.axis_mm)
    angle = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)[:, None]
    rays = np.cos(angle) * normal[index] + np.sin(angle) * binormal[index]
    way = np.arange(0.0, a.healthy_mm[index] + RAY_STEP_MM, RAY_STEP_MM)
    place = a.centre_mm[index] + way[None, :, None] * rays[:, None, :]
    inside = np.broadcast_to(way < a.lumen_mm[index], place.shape[:2]).copy()
    for c, r in zip(other.centre_mm, other.lumen_mm, strict=True):
        inside |= ((place - c) ** 2).sum(axis=2) < r * r
    out = np.where(inside.all(axis=1), len(way) - 1, np.argmin(inside, axis=1))
    return float(np.sqrt(np.mean(np.minimum(way[out], a.healthy_mm[index]) ** 2)))


def _widened(a: Artery, lumen: AnyArray) -> Artery:
    if np.array_equal(lumen, a.lumen_mm):
        return a
    smooth = gaussian_filter1d(lumen, 1.0, mode="nearest")  # no steps of half a millimetre
    lumen = np.maximum(a.lumen_mm, np.minimum(smooth, a.healthy_mm))
    outer = np.maximum(a.outer_mm, lumen + np.linalg.norm(a.centre_mm - a.axis_mm, axis=1))
    return replace(a, lumen_mm=floats(lumen), outer_mm=floats(outer))
