"""Metal and stone: stents with struts, pacemaker leads, calcified valve rings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.interpolate import CubicSpline

from ffr.phantom.anatomy import Heart, Tube, unit
from ffr.phantom.anomalies import Vessels
from ffr.phantom.coronaries import STEP_MM, Artery
from ffr.phantom.features import Dense, Stent
from meshes.arrays import Floats, floats
from meshes.straighten import frames

LEAST_RADIUS_MM = 1.1  # of vessels that get a stent
WIRE_MM = 0.12  # length of the straight pieces of a strut
# Steel and cobalt-chromium at 60 to 80 keV: iron 7.9 g/cm3 x 1.2 to 0.6 cm2/g against water
# 0.21 to 0.18 /cm (NIST XCOM) is 46 000 to 25 000 HU. Below 10 000 HU struts of 0.1 mm would
# hardly be brighter than blood after a blur of 0.65 mm; in scans they are.
METAL_HU = (15_000.0, 40_000.0)
EDGE_MM = 1.0  # in which the lumen goes over into the stent


def lattice(
    rng: np.random.Generator, length_mm: float, radius_mm: float
) -> list[tuple[Floats, Floats]]:
    """Wires of a stent as curves (path length, angle): zigzag rings and their connectors.

    Rings of 6 to 10 crowns every 0.9 to 1.6 mm, as in the segmentation reference.
    """
    crowns = int(rng.integers(6, 11))
    pitch = rng.uniform(0.9, 1.6)
    high = rng.uniform(0.3, 0.45) * pitch
    count = max(2, int((length_mm - 2 * high) / pitch) + 1)
    pitch = (length_mm - 2 * high) / (count - 1)
    phase = rng.uniform(0, 2 * np.pi)
    links = int(rng.integers(2, 4))
    theta = np.linspace(0, 2 * np.pi, max(24, int(2 * np.pi * radius_mm / WIRE_MM * 1.6)))
    wires = []
    for ring in range(count):
        turn = phase + ring * np.pi  # crowns of neighbours face each other
        zigzag = 2 / np.pi * np.arcsin(np.sin(crowns * theta + turn))
        wires.append((high + ring * pitch + high * zigzag, theta))
        if ring == count - 1:
            continue
        for link in range(links):
            # from a crown that points forward to the next ring's, which points back
            best = (np.pi / 2 - turn + 2 * np.pi * round(crowns * link / links)) / crowns
            low = high + ring * pitch + high
            top = high + (ring + 1) * pitch - high
            wires.append((np.linspace(low, max(top, low + 0.05), 5), np.full(5, best)))
    return wires


def stented(
    rng: np.random.Generator, heart: Heart, vessels: Vessels
) -> tuple[Vessels, tuple[Stent, ...]]:
    """One to three stents, 8 to 40 mm long, in vessels of more than 2.2 mm."""
    found, stents = dict(vessels), list[Stent]()
    wanted = int(rng.choice([1, 2, 3], p=[0.65, 0.25, 0.1]))
    for _ in range(8):  # not every vessel has room for one
        if len(stents) == wanted:
            break
        name = str(rng.choice([n for n in ("LAD", "LCx", "RCA", "D1", "OM1") if n in found]))
        made = stent_in(rng, found[name], [s for s in stents if s.vessel == name])
        if made is not None:
            found[name] = made[0]
            stents.append(made[1])
    return found, tuple(stents)


def stent_in(
    rng: np.random.Generator, artery: Artery, others: list[Stent]
) -> tuple[Artery, Stent] | None:
    """Put a stent where the vessel is wide enough and has none; None: nowhere."""
    s = np.arange(len(artery.axis_mm)) * STEP_MM
    wide = s[(artery.healthy_mm >= LEAST_RADIUS_MM) & (s > 6)]
    length = float(np.clip(rng.lognormal(np.log(18), 0.4), 8, 40))
    if wide.size == 0 or wide[-1] - 6 < length + 2:
        return None
    start = float(rng.uniform(6, wide[-1] - length))
    narrow = s[np.argmin(artery.lumen_mm / artery.healthy_mm)]
    if 6 + length / 2 < narrow < wide[-1] - length / 2 and rng.random() < 0.8:
        start = float(narrow - length / 2)  # where it was needed
    if any(start < o.end_mm + 1 and o.start_mm < start + length + 1 for o in others):
        return None
    tissue = rng.uniform(30, 90) if rng.random() < 0.15 else rng.uniform(0, 15)
    return with_stent(rng, artery, start, length, float(tissue))


def with_stent(
    rng: np.random.Generator, artery: Artery, start_mm: float, length_mm: float,
    tissue_percent: float, diameter_mm: float | None = None, strut_mm: float | None = None,
) -> tuple[Artery, Stent]:  # fmt: skip
    """Widen a stretch of vessel to a stent, and line it with tissue.

    Parameters
    ----------
    tissue_percent
        Diameter lost to tissue inside the stent at its worst place.
    diameter_mm, strut_mm
        Of the middle of the struts; thickness of the metal. Drawn if not given.
    """
    s = np.arange(len(artery.axis_mm)) * STEP_MM
    inside = (s >= start_mm) & (s <= start_mm + length_mm)
    strut = float(rng.uniform(0.06, 0.15)) if strut_mm is None else strut_mm
    radius = float(np.mean(artery.healthy_mm[inside]) * rng.uniform(0.97, 1.07))
    radius = radius if diameter_mm is None else diameter_mm / 2
    middle = start_mm + length_mm * rng.uniform(0.3, 0.7)
    worst = 0.5 * (1 + np.cos(np.pi * np.clip((s - middle) / (0.5 * length_mm), -1, 1)))
    clear = (radius - strut / 2) * (1 - tissue_percent / 100 * worst)
    weight = np.clip(np.minimum(s - start_mm, start_mm + length_mm - s) / EDGE_MM + 1, 0, 1)
    lumen = artery.lumen_mm + weight * (np.maximum(clear, 0.15) - artery.lumen_mm)
    centre = artery.centre_mm + weight[:, None] * (artery.axis_mm - artery.centre_mm)
    outer = np.maximum(artery.outer_mm, weight * (radius + strut / 2 + 0.25))
    vessel = replace(
        artery, lumen_mm=floats(lumen), centre_mm=floats(centre), outer_mm=floats(outer)
    )
    curve = CubicSpline(s, artery.axis_mm)
    along = CubicSpline(s, np.stack(frames(artery.axis_mm)[1:], axis=1))
    starts, ends = [], []
    for path, theta in lattice(rng, length_mm, radius):
        normal, binormal = np.moveaxis(along(start_mm + path), 1, 0)
        ring = np.cos(theta)[:, None] * normal + np.sin(theta)[:, None] * binormal
        wire = curve(start_mm + path) + radius * ring
        starts.append(wire[:-1])
        ends.append(wire[1:])
    stent = Stent(
        artery.name, start_mm, start_mm + length_mm, 2 * radius, strut, tissue_percent,
        float(rng.uniform(*METAL_HU)), floats(np.concatenate(starts)),
        floats(np.concatenate(ends)),
    )  # fmt: skip
    return vessel, stent


def leads(rng: np.random.Generator, heart: Heart) -> tuple[Dense, ...]:
    """One to three wires down the vena cava, into right atrium and ventricle."""
    cava = next(c for c in heart.chambers if isinstance(c, Tube) and c.tissue == "svc")
    top, mouth = cava.points_mm[-1], cava.points_mm[0]
    axis = heart.frame_direction[0]
    ra, rv = heart.right_atrium_mm, heart.right_ventricle_mm
    ends = [
        np.array([ra + [-8, -4, -6], 0.5 * (ra + rv), rv + 10 * axis, rv + 26 * axis]),
        np.array([ra + [-10, -6, -2], ra + [-8, -14, 6]]),
        np.array([ra + [-6, 2, -8], 0.5 * (ra + rv) + [0, 6, 0], rv + 12 * axis + [0, 2, 6]]),
    ]
    made = []
    for end in ends[: int(rng.integers(1, 4))]:
        jitter = np.array([*rng.uniform(-3, 3, 2), 0.0])
        way = np.vstack([top + jitter, mouth + 25 * unit(top - mouth) + jitter, mouth + jitter])
        controls = np.vstack([way, end + rng.normal(0, 2.0, end.shape)])
        chord = np.concatenate(
            [[0], np.cumsum(np.linalg.norm(np.diff(controls, axis=0), axis=1))]
        )
        points = CubicSpline(chord, controls)(np.arange(0, chord[-1], 1.0))
        coil = rng.random() < 0.25  # a defibrillator's
        radius = np.full(len(points), rng.uniform(0.25, 0.5))
        radius[-4:] = 0.9  # the tip's electrode
        if coil:
            radius[-60:-15] = 1.1
        made.append(Dense("lead", floats(points), floats(radius), rng.uniform(8000, 25000)))
    return tuple(made)


def annulus(rng: np.random.Generator, heart: Heart) -> tuple[Dense, ...]:
    """Lumps of calcium on the rings of mitral and aortic valve."""
    axis, septal, anterior = heart.frame_direction
    base = -0.55 * heart.long_mm * axis
    made = []
    for _ in range(int(rng.integers(1, 4))):
        first, arc = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 0.8)
        theta = first + np.linspace(0, arc, 8)[:, None]
        if rng.random() < 0.5:
            ring = base + 0.55 * heart.short_mm * (
                np.cos(theta) * septal + np.sin(theta) * anterior
            )
        else:
            d = heart.root_direction
            side = unit(np.cross(d, [0.0, 1.0, 0.0]))
            ring = (
                heart.root_mm
                + 3 * d
                + 0.75
                * heart.root_radius_mm
                * (np.cos(theta) * side + np.sin(theta) * np.cross(side, d))
            )
        radius = rng.uniform(0.5, 2.0) * (0.6 + 0.4 * rng.random(8))
        made.append(Dense("annulus", floats(ring), floats(radius), rng.uniform(500, 1500)))
    return tuple(made)
