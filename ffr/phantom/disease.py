"""Disease beyond single stenoses: diffuse, ostial, at bifurcations, outward, and occlusions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ffr.phantom.anatomy import Heart, aortic_distance_mm
from ffr.phantom.anomalies import Vessels, without_orphans
from ffr.phantom.coronaries import STEP_MM, Artery
from ffr.phantom.features import Narrowing, Occlusion
from meshes.arrays import Floats, floats
from meshes.straighten import frames

LEAST_MM = 0.15  # radius
MAIN = ("LAD", "RCA", "LCx")
# Medina 2006 patterns, true bifurcation lesions (daughter and mother) most often
MEDINA = (("1,1,1", 0.3), ("1,1,0", 0.2), ("0,1,0", 0.15), ("0,1,1", 0.1), ("1,0,0", 0.1),
          ("0,0,1", 0.1), ("1,0,1", 0.05))  # fmt: skip


def bell(s: Floats, at: float, length: float) -> Floats:
    """Return 1 at `at`, 0 beyond half a length, smooth."""
    return np.asarray(0.5 * (1 + np.cos(np.pi * np.clip(2 * (s - at) / length, -1, 1))))


def narrowed(
    rng: np.random.Generator, artery: Artery, shape: Floats, grade_percent: float,
    remodelling: float, eccentric: float = 0.0,
) -> Artery:  # fmt: skip
    """Narrow a vessel by up to `grade_percent` where `shape` is 1; plaque fills the rest."""
    lumen = np.minimum(
        artery.lumen_mm,
        np.maximum(artery.healthy_mm * (1 - grade_percent / 100 * shape), LEAST_MM),
    )
    _, normal, binormal = frames(artery.axis_mm)
    angle = rng.uniform(0, 2 * np.pi)
    side = np.cos(angle) * normal + np.sin(angle) * binormal
    lost = artery.lumen_mm - lumen
    centre = artery.centre_mm + (eccentric * lost)[:, None] * side
    swollen = (artery.healthy_mm + 0.35) * (1 + (remodelling - 1) * shape)
    off = np.linalg.norm(centre - artery.axis_mm, axis=1)
    outer = np.maximum(artery.outer_mm, np.where(shape > 0, swollen, 0.0))
    outer = np.maximum(outer, lumen + 0.15 + off)
    plaque = artery.plaque_hu + shape * (rng.uniform(-10, 130) - artery.plaque_hu)
    return replace(
        artery,
        lumen_mm=floats(lumen),
        centre_mm=floats(centre),
        outer_mm=floats(outer),
        plaque_hu=floats(plaque),
    )


def _path_mm(artery: Artery) -> Floats:
    return floats(np.arange(len(artery.axis_mm)) * STEP_MM)


def _some(rng: np.random.Generator, vessels: Vessels, least_mm: float) -> str | None:
    """A main vessel that is long enough, the anterior descending most often."""
    long = [n for n in MAIN if n in vessels and _path_mm(vessels[n])[-1] > least_mm]
    if not long:
        return None
    weights = np.array([{"LAD": 0.5, "RCA": 0.3, "LCx": 0.2}[n] for n in long])
    return str(rng.choice(long, p=weights / weights.sum()))


def diffuse(
    rng: np.random.Generator, heart: Heart, vessels: Vessels
) -> tuple[Vessels, tuple[Narrowing, ...]]:
    """A vessel mildly narrow over 40 to 80 mm."""
    name = _some(rng, vessels, 60.0)
    if name is None:
        return vessels, ()
    s = _path_mm(vessels[name])
    length = min(rng.uniform(40, 80), s[-1] - 15)
    start = rng.uniform(6, s[-1] - length - 4)
    edge = np.clip(np.minimum(s - start, start + length - s) / 8.0, 0, 1)
    shape = 0.5 - 0.5 * np.cos(np.pi * edge)
    ripple = 1 + 0.12 * np.sin(2 * np.pi * s / rng.uniform(8, 20) + rng.uniform(0, 6))
    grade = float(rng.uniform(12, 35))
    vessel = narrowed(rng, vessels[name], shape * ripple / 1.12, grade, rng.uniform(0.9, 1.1))
    record = Narrowing("diffuse", name, start, start + length, grade)
    return vessels | {name: vessel}, (record,)


def ostial(
    rng: np.random.Generator, heart: Heart, vessels: Vessels
) -> tuple[Vessels, tuple[Narrowing, ...]]:
    """A stenosis within 3 mm of an aortic ostium or of the beginning of a main branch."""
    names = [n for n in ("LM", "RCA", "LAD", "LCx", "D1", "OM1") if n in vessels]
    name = str(rng.choice(names))
    artery = vessels[name]
    first = 0.0
    if not artery.parent:
        first = STEP_MM * float(np.argmax(aortic_distance_mm(heart, artery.axis_mm) > 0))
    at, length = first + rng.uniform(0.5, 3.0), rng.uniform(5, 9)
    s = _path_mm(artery)
    if at + length / 2 > s[-1] - 4:
        return vessels, ()
    grade = float(rng.uniform(30, 80))
    vessel = narrowed(rng, artery, bell(s, at, length), grade, rng.uniform(0.85, 1.2),
                      rng.uniform(0, 0.8))  # fmt: skip
    record = Narrowing("ostial", name, max(0.0, at - length / 2), at + length / 2, grade)
    return vessels | {name: vessel}, (record,)


def bifurcation(
    rng: np.random.Generator, heart: Heart, vessels: Vessels
) -> tuple[Vessels, tuple[Narrowing, ...]]:
    """A Medina lesion: mother before, mother behind and daughter, each narrowed or not.

    Where a mother ends in two daughters the larger one counts as her continuation.
    """
    places = [
        (a.parent, name)
        for name, a in vessels.items()
        if a.parent in ("LM", *MAIN) and a.healthy_mm[0] > 0.7 and len(a.axis_mm) > 30
    ]
    if not places:
        return vessels, ()
    mother, daughter = places[int(rng.integers(len(places)))]
    at = vessels[daughter].take_off
    onward = mother
    if at >= len(vessels[mother].axis_mm) - 12:  # the mother divides here and ends
        others = [n for m, n in places if m == mother and n != daughter]
        if not others:
            return vessels, ()
        onward = max(others, key=lambda n: float(vessels[n].healthy_mm[0]))
    pattern = str(rng.choice([p for p, _ in MEDINA], p=[q for _, q in MEDINA]))
    limbs = [int(x) for x in pattern.split(",")]
    grade = float(rng.uniform(40, 80))
    found, records = dict(vessels), list[Narrowing]()

    def narrow(name: str, at_mm: float, low: float, high: float) -> None:
        s = _path_mm(found[name])
        shape = bell(s, at_mm, rng.uniform(7, 12)) * ((s >= low) & (s <= high))
        if shape.max() <= 0:
            return
        own = grade * rng.uniform(0.85, 1.0)
        found[name] = narrowed(rng, found[name], shape, own, rng.uniform(0.9, 1.25))
        here = s[shape > 0]
        records.append(
            Narrowing("bifurcation", name, float(here[0]), float(here[-1]), own, pattern)
        )

    before = at * STEP_MM
    if limbs[0]:
        narrow(mother, before - rng.uniform(1.5, 3.5), 0.0, before + 2.0 * (onward == mother))
    if limbs[1]:
        start = before if onward == mother else 0.0
        narrow(onward, start + rng.uniform(1.5, 3.5), start - 2.0, np.inf)
    if limbs[2]:
        narrow(daughter, rng.uniform(1.0, 3.0), 0.0, np.inf)
    return found, tuple(records)


def remodelled(
    rng: np.random.Generator, heart: Heart, vessels: Vessels
) -> tuple[Vessels, tuple[Narrowing, ...]]:
    """Plaque that grows outward, 1.2 to 1.5 times the wall, and hardly into the lumen."""
    name = _some(rng, vessels, 30.0)
    if name is None:
        return vessels, ()
    s = _path_mm(vessels[name])
    length = float(rng.uniform(8, 20))
    at = float(rng.uniform(8 + length / 2, max(9 + length / 2, 0.6 * s[-1])))
    grade = float(rng.uniform(0, 25))
    vessel = narrowed(rng, vessels[name], bell(s, at, length), grade, rng.uniform(1.2, 1.5),
                      rng.uniform(0, 1))  # fmt: skip
    record = Narrowing("remodelling", name, at - length / 2, at + length / 2, grade)
    return vessels | {name: vessel}, (record,)


def _part(artery: Artery, first: int, last: int, **changes: object) -> Artery:
    """Points `first` to `last` (not included) of a vessel."""
    fields = ("axis_mm", "healthy_mm", "lumen_mm", "centre_mm", "outer_mm", "plaque_hu")
    cut = {f: floats(getattr(artery, f)[first:last]) for f in fields}
    return replace(artery, **{**cut, **changes})  # type: ignore[arg-type]


def occluded(
    rng: np.random.Generator, heart: Heart, vessels: Vessels
) -> tuple[Vessels, tuple[Occlusion, ...]]:
    """A stretch of 3 to 30 mm without lumen; beyond it collaterals fill the vessel, or not."""
    name = _some(rng, vessels, 50.0)
    if name is None:
        return vessels, ()
    artery = vessels[name]
    n = len(artery.axis_mm)
    gap = int(np.exp(rng.uniform(np.log(3.0), np.log(30.0))) / STEP_MM)
    start = int(rng.uniform(14.0 / STEP_MM, max(16.0 / STEP_MM, 0.6 * n - gap)))
    filled = float(rng.uniform(45, 95)) if rng.random() < 0.7 else 0.0
    end = min(start + gap, n - 12)
    lumen = np.array(artery.lumen_mm[:start])
    taper = int(rng.integers(2, 9))  # blunt to pointed
    lumen[-taper:] *= np.linspace(1.0, rng.uniform(0.35, 0.9), taper)
    shrunk = rng.uniform(0.75, 1.0)  # old occlusions shrink
    stump = replace(_part(artery, 0, start), lumen_mm=floats(lumen))
    plug = _part(
        artery, start - 1, end + 1,
        outer_mm=floats(artery.outer_mm[start - 1 : end + 1] * shrunk),
        plaque_hu=floats(np.full(end + 2 - start, rng.uniform(30, 110))),
    )  # fmt: skip
    thin = rng.uniform(0.7, 1.0)  # little pressure beyond
    behind = {name: _part(artery, end, n, parent="", take_off=0)}
    kept: Vessels = {}
    for other, vessel in vessels.items():
        if other == name:
            kept[other] = stump
        elif vessel.parent == name and vessel.take_off >= start:
            if vessel.take_off >= end:
                behind[other] = replace(vessel, take_off=vessel.take_off - end)
        elif vessel.parent in behind and other not in MAIN:
            behind[other] = vessel
        else:
            kept[other] = vessel
    beyond = tuple(
        replace(
            v,
            lumen_mm=floats(np.maximum(v.lumen_mm * thin, LEAST_MM)),
            outer_mm=floats(np.maximum(v.outer_mm * thin, v.lumen_mm * thin + 0.15)),
        )
        for v in behind.values()
    )
    made = Occlusion(name, start * STEP_MM, (end - start) * STEP_MM, filled, plug, beyond)
    return without_orphans(kept), (made,)
