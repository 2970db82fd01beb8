"""What lies beside the arteries and looks like them: crossing veins, sinus, appendages."""

from __future__ import annotations

import numpy as np

from ffr.anatomy import Anatomy
from ffr.phantom.anatomy import Heart, Tube, on_epicardium, unit
from ffr.phantom.coronaries import STEP_MM, Artery
from meshes.arrays import Floats, floats

# Where the great, the middle and the posterior cardiac vein and the anterior ones are met
CROSSED = ("LAD", "D1", "D2", "LCx", "OM1", "OM2", "RCA", "R-PDA", "L-PDA", "R-PLB")
KNOT_MM = 2.0  # between the points of a vein


def crossing_veins(
    rng: np.random.Generator, heart: Heart, arteries: tuple[Artery, ...]
) -> tuple[Tube, ...]:
    """Veins that run over or under an artery, or lie against it, wall to wall.

    Each side of the crossing they keep 2 to 8 mm away; a third never cross but touch.
    """
    veins = []
    for artery in arteries:
        if artery.name not in CROSSED or rng.random() < 0.4:
            continue
        for _ in range(int(rng.integers(1, 3))):
            vein = _beside(rng, heart, artery)
            if vein is not None:
                veins.append(vein)
    return tuple(veins)


def _beside(rng: np.random.Generator, heart: Heart, artery: Artery) -> Tube | None:
    every = int(KNOT_MM / STEP_MM)
    path, outer = artery.axis_mm[::every], artery.outer_mm[::every]
    half = int(rng.uniform(6.0, 30.0) / KNOT_MM)
    if len(path) < 8:
        return None
    middle = int(rng.integers(3, len(path) - 3))
    cut = slice(max(0, middle - half), middle + half)
    s = (np.arange(len(path)) - middle)[cut] * KNOT_MM
    path, outer = path[cut], outer[cut]
    if len(path) < 5:
        return None
    along, beside, out = _frame(heart, path)
    radius = rng.uniform(0.5, 1.8) * np.linspace(1.0, rng.uniform(0.6, 1.0), len(path))
    side = rng.choice([-1.0, 1.0])
    touching = outer + radius + rng.uniform(0.05, 1.0)
    if rng.random() < 1 / 3:
        gap = side * touching
        lift = np.full(len(path), rng.uniform(-0.5, 0.8))
    else:
        gap = side * rng.uniform(2.0, 8.0) * np.tanh(s / rng.uniform(2.0, 10.0))
        over = 1.0 if rng.random() < 0.7 else -1.0
        lift = over * touching * np.exp(-((gap / touching) ** 2))
        if rng.random() < 0.4:  # straight across, as the anterior veins over the right groove
            path = path[len(path) // 2] + s[:, None] / 4 * along[len(path) // 2]
    points = path + gap[:, None] * beside + lift[:, None] * out
    return Tube("vein", 0, floats(points), floats(radius))


def _frame(heart: Heart, path: Floats) -> tuple[Floats, Floats, Floats]:
    """Unit vectors along a path on the heart, sideways, and away from the heart."""
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    out = on_epicardium(heart, path, np.full(len(path), 9.0)) - path
    out -= (out * along).sum(axis=1, keepdims=True) * along
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
    return along, np.cross(along, out), out


def coronary_sinus(
    rng: np.random.Generator, heart: Heart, arteries: tuple[Artery, ...]
) -> tuple[Tube, ...]:
    """The great vein in the left groove: beside the circumflex, widening, to the right atrium.

    3 to 6 mm of radius at its mouth: the ostium measures 9.0 +- 2.0 by 11.7 +- 2.1 mm in CT of
    102 patients ("Assessment of the coronary venous system using 256-slice CT").
    """
    found = {a.name: a for a in arteries}
    if "LCx" not in found:
        return ()
    lcx = found["LCx"].axis_mm[int(rng.uniform(5, 20) / STEP_MM) :: int(KNOT_MM / STEP_MM)]
    if len(lcx) < 4:
        return ()
    to_atrium = heart.right_atrium_mm - lcx[-1]
    length = min(rng.uniform(15.0, 45.0), 0.8 * float(np.linalg.norm(to_atrium)))
    rest = np.arange(KNOT_MM, length, KNOT_MM)[:, None] * unit(to_atrium)
    path = np.vstack([lcx, lcx[-1] + rest])
    radius = np.linspace(rng.uniform(1.0, 2.2), rng.uniform(3.0, 6.0), len(path))
    _, beside, _ = _frame(heart, path)
    gap = rng.choice([-1.0, 1.0]) * (2.0 + radius + rng.uniform(0.2, 4.0))
    height = np.full(len(path), 1.0) + radius
    laid = on_epicardium(heart, path + gap[:, None] * beside, height)
    return (Tube("vein", 0, floats(laid), floats(radius)),)


def appendages(rng: np.random.Generator, heart: Heart) -> tuple[Tube, ...]:
    """Left and right atrial appendage: bright lobes beside left main and right coronary.

    The left one lies left of the pulmonary trunk over the circumflex, the right one
    before the root over the right groove; both are lobed and of any length.
    """
    la, ra = heart.epicardium[3], heart.epicardium[2]
    left = la.centre_mm + la.semi_mm * np.array([0.75, -0.55, 0.35])
    right = ra.centre_mm + ra.semi_mm * np.array([0.25, -0.8, 0.5])
    tubes = []
    for tissue, label, start, end, wide in (
        ("la", Anatomy.LA, left, heart.root_mm + [32.0, -10.0, 10.0], 9.0),
        ("ra", Anatomy.RA, right, heart.root_mm + [-14.0, -20.0, 18.0], 11.0),
    ):
        tip = start + rng.uniform(0.5, 1.1) * (end - start) + rng.normal(0, 4, 3)
        t = np.linspace(0, 1, 9)
        bow = np.cross(unit(tip - start), rng.normal(0, 1, 3)) * rng.uniform(0, 8)
        points = start + t[:, None] * (tip - start) + np.sin(np.pi * t)[:, None] * bow
        radius = wide * rng.uniform(0.7, 1.1) * np.linspace(1.0, rng.uniform(0.35, 0.7), 9)
        radius *= rng.uniform(0.75, 1.2, 9)
        tubes.append(Tube(tissue, int(label), floats(points), floats(radius)))
        for _ in range(int(rng.integers(0, 4))):  # lobes
            root = points[rng.integers(3, 9)]
            way = unit(rng.normal(0, 1, 3)) * rng.uniform(5, 12)
            tubes.append(
                Tube(tissue, int(label), floats([root, root + way]),
                     floats([rng.uniform(2.5, 5.0), rng.uniform(1.5, 3.5)]))
            )  # fmt: skip
    return tuple(tubes)
