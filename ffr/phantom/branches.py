"""Septal, sinus-node and left posterior descending branches; stretches inside the muscle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.interpolate import CubicSpline

from ffr.phantom.anatomy import Heart, aortic_distance_mm, unit, walls_distance_mm
from ffr.phantom.anomalies import Vessels
from ffr.phantom.coronaries import STEP_MM, Artery, epicardial_path, resampled, surface_point
from ffr.phantom.features import Bridge
from meshes.arrays import Floats, floats

TIP_MM = 0.3  # radius where added branches end
RAMP_MM = 8.0  # in which a bridged vessel dives


def branch(
    rng: np.random.Generator, name: str, parent: str, take_off: int, path: Floats, r0: float,
    tip: float = TIP_MM,
) -> Artery:  # fmt: skip
    """Return a healthy vessel along a path, from radius `r0` to `tip`."""
    radius = np.linspace(r0, tip, len(path))
    outer = radius + np.minimum(rng.uniform(0.25, 0.5), 0.5 * radius)
    plaque = np.full(len(path), rng.uniform(20, 80))
    return Artery(
        name, parent, take_off, floats(path), floats(radius), floats(radius), floats(path),
        floats(outer), floats(plaque),
    )  # fmt: skip


def septal_branches(rng: np.random.Generator, heart: Heart, vessels: Vessels) -> Vessels:
    """One to three branches from the anterior descending, down inside the septum."""
    lad = vessels["LAD"]
    axis, septal, anterior = heart.frame_direction
    found = dict(vessels)
    n = len(lad.axis_mm)
    for i, fraction in enumerate(np.sort(rng.uniform(0.15, 0.6, int(rng.integers(1, 4))))):
        index = int(fraction * n)
        start = lad.axis_mm[index]
        t = float(np.clip(start @ axis / heart.long_mm, -0.5, 0.7))
        phi = float(np.arctan2(start @ anterior, start @ septal))
        reach = rng.uniform(0.45, 0.9)
        inside = [
            surface_point(heart, min(0.8, t + 0.25 * share), phi - share * reach, 0.9)
            for share in (0.25, 0.6, 1.0)
        ]
        path = resampled(_spline(np.vstack([start[None], inside])))
        r0 = min(rng.uniform(0.45, 0.75), 0.6 * float(lad.lumen_mm[index]))
        if r0 > TIP_MM and len(path) * STEP_MM >= 8:
            found[f"S{i + 1}"] = branch(rng, f"S{i + 1}", "LAD", index, path, r0)
    return found


def sinus_node_branch(rng: np.random.Generator, heart: Heart, vessels: Vessels) -> Vessels:
    """A thin branch of the first right coronary, up to the mouth of the vena cava."""
    rca = vessels["RCA"]
    index = int(rng.integers(24, 44))
    if index >= len(rca.axis_mm) - 20:
        return vessels
    start = rca.axis_mm[index]
    goal = heart.right_atrium_mm + np.array([10.0, -2.0, 30.0])
    out = unit(start - heart.root_mm)
    middle = 0.5 * (start + goal) + 6.0 * out
    path = _spline(np.array([start, start + 3 * out + [0, 0, 2.0], middle, goal]))
    path = resampled(_clear_of_root(heart, path))
    r0 = min(rng.uniform(0.5, 0.8), 0.6 * float(rca.healthy_mm[index]))
    return vessels | {"SN": branch(rng, "SN", "RCA", index, path, r0)}


def _clear_of_root(heart: Heart, points: Floats) -> Floats:
    """Push points that lie in the aorta or on its wall straight away from the root's axis."""
    d = heart.root_direction
    away = points - heart.root_mm
    away = away - (away @ d)[:, None] * d
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    pushed = np.array(points)
    for _ in range(4):
        lacking = np.maximum(0.0, 1.5 - aortic_distance_mm(heart, pushed))
        lacking[:3] = 0.0  # the take-off stays where it is
        pushed += lacking[:, None] * away
    return pushed


def left_posterior_descending(
    rng: np.random.Generator, heart: Heart, vessels: Vessels
) -> Vessels:
    """In left dominance the circumflex goes on to the crux and down the groove behind."""
    lcx = vessels.get("LCx")
    if lcx is None or "R-PDA" in vessels or lcx.healthy_mm[-1] < 0.6:
        return vessels
    start = lcx.axis_mm[-1]
    _, septal, anterior = heart.frame_direction
    phi = float(np.arctan2(start @ anterior, start @ septal)) % (2 * np.pi)
    groove = 2 * np.pi + rng.uniform(-1.12, -0.95)
    if not 2.0 < phi < groove - 0.2:
        return vessels
    along = [
        surface_point(heart, -0.5, phi + share * (groove - phi), 1.12) for share in (0.4, 0.8)
    ]
    t1 = rng.uniform(0.35, 0.75)
    down = [surface_point(heart, t, groove) for t in (-0.3, 0.05, t1)]
    controls = np.vstack([start[None], along, down])
    path = epicardial_path(rng, heart, controls, 2.0, rng.uniform(2.2, 3.5))
    r0 = float(lcx.healthy_mm[-1]) * rng.uniform(0.85, 0.98)
    made = branch(rng, "L-PDA", "LCx", len(lcx.axis_mm) - 1, path, r0, 0.5)
    return vessels | {"L-PDA": made}


def _spline(controls: Floats) -> Floats:
    chord = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(controls, axis=0), axis=1))])
    return np.asarray(CubicSpline(chord, controls)(np.arange(0, chord[-1], STEP_MM)))


def bridged(
    rng: np.random.Generator, heart: Heart, vessels: Vessels
) -> tuple[Vessels, tuple[Bridge, ...]]:
    """Let a healthy stretch of the anterior descending, 10 to 30 mm, dive into the muscle.

    Muscle of 1 to 4 mm lies over it; what leaves it there dives along.
    """
    lad = vessels["LAD"]
    length = int(rng.uniform(10, 30) / STEP_MM)
    depth = float(rng.uniform(1.0, 4.0))
    ramp = int(RAMP_MM / STEP_MM)
    n = len(lad.axis_mm)
    free = [
        i
        for i in range(int(0.3 * n), n - length - 2 * ramp - 4)
        if np.all(lad.lumen_mm[i : i + length] > 0.9 * lad.healthy_mm[i : i + length])
    ]
    if not free:
        return vessels, ()
    first = int(rng.choice(free))
    i = np.arange(n)
    rise = np.clip(np.minimum(i - (first - ramp), first + length + ramp - i) / ramp, 0, 1)
    weight = 0.5 - 0.5 * np.cos(np.pi * rise)
    here = np.flatnonzero(weight > 0)
    points = lad.axis_mm[here]
    distance = walls_distance_mm(heart, points)
    steps = 0.5 * np.eye(3)
    normal = np.stack(
        [
            walls_distance_mm(heart, points + e) - walls_distance_mm(heart, points - e)
            for e in steps
        ],
        axis=1,
    )
    for column in range(3):  # the crease between two ventricles has no one normal
        normal[:, column] = np.convolve(np.pad(normal[:, column], 8, "edge"), np.ones(17) / 17,
                                        "valid")  # fmt: skip
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    sink = np.maximum(0.0, distance + depth + lad.outer_mm[here]) * weight[here]
    shift = np.zeros((n, 3))
    shift[here] = -sink[:, None] * normal
    found = _carried(vessels, "LAD", shift)
    return found, (Bridge("LAD", first * STEP_MM, (first + length) * STEP_MM, depth),)


def _carried(vessels: Vessels, name: str, shift: Floats) -> Vessels:
    """Move a vessel by `shift`, and its daughters with their take-offs, less and less."""
    artery = vessels[name]
    found = vessels | {
        name: replace(
            artery,
            axis_mm=floats(artery.axis_mm + shift),
            centre_mm=floats(artery.centre_mm + shift),
        )
    }
    for other, daughter in vessels.items():
        if daughter.parent != name or np.allclose(shift[daughter.take_off], 0):
            continue
        s = np.arange(len(daughter.axis_mm)) * STEP_MM
        fade = np.exp(-((s / 8.0) ** 2))[:, None]
        found = _carried(found, other, fade * shift[daughter.take_off])
    return found
