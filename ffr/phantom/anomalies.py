"""Coronary arteries that leave the aorta elsewhere: a new first part, the rest unchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.interpolate import CubicSpline

from ffr.phantom.anatomy import Heart, unit
from ffr.phantom.coronaries import STEP_MM, Artery
from ffr.phantom.features import Variation
from meshes.arrays import Floats, floats

Vessels = dict[str, Artery]
SINUS_MM = 15.0  # height of usual ostia above the annulus
GROWTH = 0.004  # radius gained per mm upstream


def around_root(
    heart: Heart, angle_rad: Floats, height_mm: Floats, off_mm: Floats | float
) -> Floats:
    """Points about the root: angle from the patient's left towards the front, (n, 3)."""
    d = heart.root_direction
    left = unit(np.array([1.0, 0.0, 0.0]) - d[0] * d)
    front = np.cross(left, d)
    front = front if front[1] < 0 else -front
    angle, height, off = np.broadcast_arrays(angle_rad, height_mm, off_mm)
    ring = np.cos(angle)[:, None] * left + np.sin(angle)[:, None] * front
    return np.asarray(heart.root_mm + height[:, None] * d + off[:, None] * ring)


def angle_of(heart: Heart, point: Floats) -> tuple[float, float]:
    """Return angle (rad, from left to front) and height (mm) of a point about the root."""
    way = point - heart.root_mm
    left, front = (
        around_root(heart, np.array([a]), np.zeros(1), np.ones(1))[0] - heart.root_mm
        for a in (0.0, np.pi / 2)
    )
    return float(np.arctan2(way @ front, way @ left)), float(way @ heart.root_direction)


def rerouted(artery: Artery, first: Floats, keep: int) -> Artery:
    """Replace the first part: through the points `first`, on to point `keep` of the axis.

    Calibre goes on upstream from there, without disease; take-offs of its daughters count
    from the new beginning, see `moved`.
    """
    ahead = artery.axis_mm[keep : keep + 13 : 4]
    controls = np.vstack([first, ahead])
    chord = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(controls, axis=0), axis=1))])
    length = chord[len(first)]
    curve = CubicSpline(chord, controls)(np.linspace(0, length, 400))
    s = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    n = max(4, round(s[-1] / STEP_MM))
    new = CubicSpline(s, curve)(np.linspace(0, s[-1], n + 1))[:-1]
    back = (n - np.arange(n)) * STEP_MM
    healthy = artery.healthy_mm[keep] + GROWTH * back
    fade = np.exp(-back / 2.0)
    lost = 1 - artery.lumen_mm[keep] / artery.healthy_mm[keep]
    shift = artery.centre_mm[keep] - artery.axis_mm[keep]
    wall = float(np.clip(np.median(artery.outer_mm - artery.healthy_mm), 0.25, 0.6))
    lumen = healthy * (1 - lost * fade)
    centre = new + fade[:, None] * shift
    outer = np.maximum(healthy + wall, lumen + 0.15 + np.linalg.norm(centre - new, axis=1))

    def joined(before: Floats, behind: Floats) -> Floats:
        return floats(np.concatenate([before, behind[keep:]]))

    return replace(
        artery,
        axis_mm=joined(new, artery.axis_mm),
        healthy_mm=joined(healthy, artery.healthy_mm),
        lumen_mm=joined(lumen, artery.lumen_mm),
        centre_mm=joined(centre, artery.centre_mm),
        outer_mm=joined(outer, artery.outer_mm),
        plaque_hu=joined(np.full(n, np.median(artery.plaque_hu)), artery.plaque_hu),
    )


def moved(vessels: Vessels, name: str, new: Artery, keep: int) -> Vessels:
    """Put `new` in the place of a rerouted vessel; daughters of the lost part are dropped."""
    gained = len(new.axis_mm) - len(vessels[name].axis_mm)
    found: Vessels = {}
    for other, artery in vessels.items():
        if other == name:
            found[other] = new
        elif artery.parent == name:
            if artery.take_off >= keep:
                found[other] = replace(artery, take_off=artery.take_off + gained)
        else:
            found[other] = artery
    return without_orphans(found)


def without_orphans(vessels: Vessels) -> Vessels:
    """Drop vessels whose mother is gone, and theirs."""
    kept: Vessels = {}
    for name, artery in vessels.items():
        if not artery.parent or artery.parent in kept:
            kept[name] = artery
    return kept


def _leaving(heart: Heart, angle: float, height: float) -> Floats:
    """Three points: inside the aorta, just outside and a little further."""
    r = heart.root_radius_mm
    off = 1.04 * r + np.array([-4.0, 1.5, 4.0])
    return around_root(heart, np.full(3, angle), np.full(3, height), off)


def separate_ostia(rng: np.random.Generator, heart: Heart, vessels: Vessels) -> Vessels:
    """No left main: anterior descending and circumflex leave the aorta side by side."""
    keep = 22
    names = ("LAD", "LCx")
    if any(name not in vessels or len(vessels[name].axis_mm) < 2 * keep for name in names):
        return vessels
    root = vessels["LM"].axis_mm
    outside = root[min(8, len(root) - 1)]
    angle, height = angle_of(heart, outside)
    apart = vessels["LAD"].axis_mm[keep] - vessels["LCx"].axis_mm[keep]
    along = unit(outside - root[0])
    side = unit(apart - apart @ along * along)
    found = dict(vessels)
    del found["LM"]
    for name in names:
        found[name] = replace(found[name], parent="", take_off=0)
    for name, sign in zip(names, (1.0, -1.0), strict=True):
        gap = found[name].healthy_mm[0] + rng.uniform(0.5, 1.5)
        first = _leaving(heart, angle, height) + sign * gap * side
        found = moved(found, name, rerouted(found[name], first, keep), keep)
    return without_orphans(found)


def lcx_from_right(rng: np.random.Generator, heart: Heart, vessels: Vessels) -> Vessels:
    """Circumflex from the first part of the right coronary, behind the aorta to its groove."""
    keep = 40
    if "LCx" not in vessels or len(vessels["LCx"].axis_mm) < keep + 20:
        return vessels
    take_off = int(rng.integers(18, 28))
    start = vessels["RCA"].axis_mm[take_off]
    goal = vessels["LCx"].axis_mm[keep]
    (a0, h0), (a1, h1) = angle_of(heart, start), angle_of(heart, goal)
    a1 += 2 * np.pi * (a1 < a0)  # over right and back to the left
    share = np.linspace(0.25, 0.8, 5)
    low = rng.uniform(2.0, 7.0)
    height = np.interp(share, [0, 0.35, 0.7, 1], [h0, low, low, h1])
    off = 1.17 * heart.root_radius_mm + rng.uniform(2.5, 4.0)
    course = around_root(heart, a0 + share * (a1 - a0), height, off)
    lcx = replace(vessels["LCx"], parent="RCA", take_off=take_off)
    found = {n: a for n, a in vessels.items() if n != "LCx"} | {"LCx": lcx}
    order = ["LM", "LAD", "RI", "RCA", "LCx"]
    found = {n: found[n] for n in order if n in found} | found
    return moved(found, "LCx", rerouted(lcx, np.vstack([start[None], course]), keep), keep)


def rca_from_left(rng: np.random.Generator, heart: Heart, vessels: Vessels) -> Vessels:
    """Right coronary from the left sinus, between aorta and pulmonary artery."""
    keep = 34
    rca, root = vessels["RCA"], vessels["LM"].axis_mm
    a0, h0 = angle_of(heart, root[min(8, len(root) - 1)])
    a1, h1 = angle_of(heart, rca.axis_mm[keep])
    a0 += rng.uniform(0.45, 0.7)  # in front of the left main
    share = np.linspace(0.35, 0.85, 4)
    off = 1.06 * heart.root_radius_mm + rca.healthy_mm[0] + rng.uniform(0.3, 1.2)
    height = h0 + rng.uniform(2.0, 5.0)
    high = np.interp(share, [0, 0.6, 1.0], [height, height, h1])
    course = around_root(heart, a0 + share * (a1 - a0), high, off)
    first = np.vstack([_leaving(heart, a0, height)[:2], course])
    return moved(vessels, "RCA", rerouted(rca, first, keep), keep)


def high_take_off(rng: np.random.Generator, heart: Heart, vessels: Vessels) -> Vessels:
    """Left main or right coronary leaves the aorta 1 to 2 cm above the sinuses."""
    name = str(rng.choice(["LM", "RCA"]))
    axis = vessels[name].axis_mm
    keep = min(44, int(0.7 * len(axis)))
    if len(axis) < keep + 6:
        return vessels
    angle, height = angle_of(heart, axis[min(8, keep)])
    up = height + rng.uniform(12.0, 20.0)
    first = _leaving(heart, angle, up)[:2]
    end = axis[keep]
    middle = 0.5 * (first[1] + end) + 1.5 * unit(first[1] - first[0])
    first = np.vstack([first, middle[None]])
    return moved(vessels, name, rerouted(vessels[name], first, keep), keep)


Change = Callable[[np.random.Generator, Heart, Vessels], Vessels]
CHANGES: tuple[tuple[str, str, Change], ...] = (
    ("separate ostia of LAD and LCx", "separate_ostia_percent", separate_ostia),
    ("LCx from the RCA", "lcx_from_right_percent", lcx_from_right),
    ("RCA from the left sinus", "rca_from_left_percent", rca_from_left),
    ("high take-off", "high_percent", high_take_off),
)


def with_anomaly(
    rng: np.random.Generator, variation: Variation, heart: Heart, vessels: Vessels
) -> tuple[Vessels, tuple[str, ...]]:
    """Give the vessels at most one anomalous origin; return them and its name."""
    draw = rng.uniform(0, 100)
    for name, field, change in CHANGES:
        chance = getattr(variation, field)
        if draw < chance:
            found = change(rng, heart, vessels)
            return found, (name,) if found is not vessels else ()
        draw -= chance
    return vessels, ()
