"""A chest unknown to ffr/phantom: chambers of ellipsoids and tubes, arteries on them.

Written from anatomy alone, sharing no line and no number with the generator that training
uses. Everything is built in one template (L P S, mm, origin in the base of the left ventricle)
and placed by one affine map per patient. Distances are negative inside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from meshes.arrays import AnyArray, Floats, floats, ints
from meshes.tree import CoronaryTree, VesselTree
from validation.stranger_chest import chest_around, moved
from validation.stranger_shapes import (
    Distance,
    ellipsoid,
    grown,
    spline,
    tube,
    union,
    without,
)

APEX = np.array([0.62, -0.58, -0.53]) / np.linalg.norm([0.62, -0.58, -0.53])
BASE = np.array([15.0, -5.0, 0.0])
ROOT_MM = 15.5  # radius of the sinuses
WALL_MM = 0.5
STEP_MM = 0.5


def _across(v: AnyArray, axis: AnyArray) -> AnyArray:
    rest = np.asarray(v, dtype=float) - (np.asarray(v) @ axis) * axis
    return np.asarray(rest / np.linalg.norm(rest))


SEPTAL = _across(np.array([-0.75, -0.6, -0.1]), APEX)  # from the left ventricle to the right
UP = np.cross(SEPTAL, APEX)  # to the anterior groove
RIGHT_HEART = BASE + 18 * APEX + 34 * SEPTAL
VALVE = BASE - 4 * APEX + 8 * SEPTAL + 11 * UP
RISE = np.array([-0.30, -0.13, 0.945])
ROOT = VALVE + 15 * RISE
LEFT_CUSP = _across(np.array([0.88, 0.42, 0.0]), RISE)
RIGHT_CUSP = _across(np.array([-0.30, -0.95, 0.0]), RISE)
CUSPS = (LEFT_CUSP, RIGHT_CUSP, _across(np.array([-0.6, 0.7, 0.0]), RISE))
FORK = VALVE + np.array([25.0, 0.0, 11.0])
RIGHT_GROOVE = (ROOT + 14 * RIGHT_CUSP + [-5, -7, 0], BASE + [-31, -32, 22])


@dataclass(frozen=True, slots=True)
class Person:
    """What makes one chest unlike another.

    Parameters
    ----------
    name
        For tables.
    turn_deg
        The heart about its S, L and P axes, in this order, from the template.
    scale
        The heart along L, P and S, as a share of the template.
    muscle_mm
        Thickness of the left ventricle's wall.
    left_dominant, ramus
        Who feeds the inferior wall; whether the left main ends in three.
    width_percent
        Of all arteries, beside the template's.
    lesions
        Vessel, place as a share of its length, half length in mm, narrowing of the diameter.
    calcium
        Vessel, place as a share, arc of the deposit in degrees.
    seed
        Of the wriggle of the arteries.
    """

    name: str
    turn_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    muscle_mm: float = 9.0
    left_dominant: bool = False
    ramus: bool = False
    width_percent: float = 100.0
    lesions: tuple[tuple[str, float, float, float], ...] = ()
    calcium: tuple[tuple[str, float, float], ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Artery:
    """A vessel in patient space: axis (n, 3), lumen, healthy lumen and outer radius, (n,)."""

    name: str
    axis_mm: Floats
    lumen_mm: Floats
    healthy_mm: Floats
    mother: str = ""

    @property
    def outer_mm(self) -> Floats:
        """Radius of the outer wall: a narrowing is filled with plaque."""
        return floats(self.healthy_mm + WALL_MM)


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Organs as distances, arteries as lines, all in patient space.

    Parameters
    ----------
    organs
        Name and distance of each, in the order of painting.
    arteries, veins
        Coronary vessels.
    deposits_mm
        Middle and radius of balls of calcium, shape (n, 4).
    """

    organs: tuple[tuple[str, Distance], ...]
    arteries: tuple[Artery, ...]
    veins: tuple[Artery, ...] = ()
    deposits_mm: Floats = field(default_factory=lambda: floats(np.zeros((0, 4))))


def on_wall(height: float, degrees: float, muscle_mm: float = 9.0) -> AnyArray:
    """Return a place on the left ventricle: mm from its base, angle from septum to front."""
    r = (23 + muscle_mm) * np.sqrt(
        max(0.02, 1 - max(0.0, (height - 6) / (60 + muscle_mm)) ** 2)
    )
    a = np.radians(degrees)
    return np.asarray(BASE + height * APEX + r * (np.cos(a) * SEPTAL + np.sin(a) * UP))


def chambers(muscle_mm: float) -> dict[str, Distance]:
    """Return heart and great vessels in the template."""
    frame = np.stack([APEX, SEPTAL, UP])
    base: Distance = lambda p: floats(-8 - (p - BASE) @ APEX)  # noqa: E731
    cut: Callable[[Distance], Distance] = lambda d: lambda p: floats(np.maximum(d(p), base(p)))  # noqa: E731
    outer = cut(
        ellipsoid(BASE + 6 * APEX, (60 + muscle_mm, 23 + muscle_mm, 23 + muscle_mm), frame)
    )
    blood = cut(ellipsoid(BASE + 6 * APEX, (60, 23, 23), frame))
    rv = union(
        ellipsoid(RIGHT_HEART, (52, 27, 37), frame),
        tube([RIGHT_HEART + 8 * UP, VALVE + [10, -30, -6], VALVE + [16, -22, 6]], [16, 14, 12]),
        blend_mm=6,
    )
    pa = union(
        tube([VALVE + [15, -23, 4], VALVE + [19, -20, 18], VALVE + [20, -2, 36],
              VALVE + [12, 18, 46]], [12, 13, 13, 12]),
        tube([VALVE + [12, 18, 46], VALVE + [-25, 24, 44], VALVE + [-65, 26, 38]], [10, 9, 7]),
        tube([VALVE + [12, 18, 46], VALVE + [40, 34, 46], VALVE + [65, 46, 38]], [10, 9, 7]),
        blend_mm=4,
    )  # fmt: skip
    aorta = union(
        tube([VALVE - 3 * RISE, ROOT, VALVE + 28 * RISE, VALVE + [-15, -5, 52],
              VALVE + [-9, 12, 82], VALVE + [8, 40, 92], VALVE + [14, 66, 78],
              VALVE + [13, 74, 40], VALVE + [11, 76, -40], VALVE + [8, 78, -140]],
             [12.5, 13.5, 13.5, 15, 14.5, 13.5, 12.5, 12, 11.5, 11, 10.5]),
        *(ellipsoid(ROOT - 3 * RISE + 5.5 * d, (10.5, 10.5, 11)) for d in CUSPS), blend_mm=3,
    )  # fmt: skip
    la = union(
        ellipsoid(BASE + [-10, 27, 13], (32, 19, 24)),
        tube([BASE + [12, 12, 20], VALVE + [24, 13, 15], VALVE + [31, 9, 23]], [9, 8, 5]),
        *(tube([BASE + [s * 20 - 10, 32, z], BASE + [s * 62 - 10, 44, z + 4]], [7, 5])
          for s in (-1, 1) for z in (4, 26)), blend_mm=4,
    )  # fmt: skip
    ra = union(
        ellipsoid(BASE + [-52, 4, -6], (23, 25, 31)),
        tube([VALVE + [-48, 0, 5], VALVE + [-32, -18, 14]], [12, 6]), blend_mm=5,
    )  # fmt: skip
    svc = tube([BASE + [-52, 14, 15], BASE + [-54, 8, 60], BASE + [-50, 4, 130]], [11, 9.5, 9])
    ivc = tube([BASE + [-45, 16, -30], BASE + [-42, 22, -65], BASE + [-36, 30, -130]], 12)
    left = union(outer, aorta)
    rv = without(rv, outer, 1.0)
    groove = tube([ROOT, ROOT + 14 * RIGHT_CUSP, *RIGHT_GROOVE], 3.0)  # fat, with the artery
    rv, ra = without(rv, groove, 5.0), without(ra, groove, 4.0)
    rv, ra = without(rv, aorta, 2.0), without(without(ra, left, 3.0), rv, 1.0)
    la = without(without(la, outer, 0.5), grown(aorta, 2.0))
    la = without(la, ellipsoid(FORK, (9, 9, 9)))  # fat around the left main's division
    pa = without(pa, aorta, 2.0)
    return {
        "muscle": without(outer, aorta), "lv": without(blood, aorta), "rv": rv, "ra": ra,
        "la": without(la, pa, 2.0), "aorta": aorta, "pa": pa, "svc": svc, "ivc": ivc,
    }  # fmt: skip


def courses(person: Person) -> dict[str, tuple[str, AnyArray, float, float]]:
    """Return each artery's mother, guiding points in the template, first and last diameter."""
    m = person.muscle_mm

    def w(*places: tuple[float, float]) -> AnyArray:
        return np.array([on_wall(h, a, m) for h, a in places])

    left = ROOT + 14 * LEFT_CUSP
    right = ROOT + 14 * RIGHT_CUSP
    groove = np.array([
        right, *RIGHT_GROOVE, BASE + [-44, -32, 2],
        BASE + [-44, -26, -20], BASE + [-34, -6, -33], w((-8, -55))[0] + [-3, 0, -1],
    ])  # fmt: skip
    crux = w((-6, -72))[0]
    made: dict[str, tuple[str, AnyArray, float, float]] = {
        "LM": ("", np.array([left, left + 5 * LEFT_CUSP, FORK]), 4.4, 4.2),
        "LAD": ("LM", np.vstack([FORK, w((8, 92), (22, 80), (38, 72), (54, 66), (66, 55),
                                         (74, 0), (68, -60))]), 3.8, 1.4),
        "LCx": ("LM", np.vstack([FORK, w((-6, 122), (-7, 150), (-6, 180), (-6, 208),
                                         *(((-6, 235), (-6, 262)) if person.left_dominant
                                           else ()))]), 3.4, 1.9),
        "D1": ("LAD", w((19, 82), (26, 95), (38, 108), (54, 118)), 2.3, 1.2),
        "D2": ("LAD", w((37, 72), (46, 84), (60, 96)), 1.9, 1.1),
        "OM1": ("LCx", w((-7, 148), (6, 148), (24, 156), (46, 160)), 2.5, 1.3),
        "OM2": ("LCx", w((-6, 190), (8, 192), (26, 198), (42, 200)), 2.1, 1.2),
        "RCA": ("", np.vstack([groove, crux]), 3.9, 2.6),
        "AM1": ("RCA", np.array([BASE + [-45, -31, -8], RIGHT_HEART + [-16, -26, -22],
                                 RIGHT_HEART + [8, -28, -30]]), 1.9, 1.1),
    }  # fmt: skip
    if person.ramus:
        made["RI"] = ("LM", np.vstack([FORK, w((8, 118), (24, 132), (46, 138))]), 2.4, 1.2)
    down = w((-5, -72), (6, -64), (24, -60), (42, -58), (56, -58))
    if person.left_dominant:
        made["RCA"] = ("", groove[:-2], 2.9, 1.5)
        made["L-PDA"] = ("LCx", np.vstack([w((-6, 262)), w((2, 282), (20, 296), (44, 300))]),
                         2.2, 1.2)  # fmt: skip
    else:
        made["R-PDA"] = ("RCA", down, 2.4, 1.2)
        made["R-PLB"] = ("RCA", w((-6, -72), (-4, -95), (8, -112), (30, -122), (44, -124)),
                         2.4, 1.2)  # fmt: skip
    return made


def laid(points: AnyArray, surface: Distance, keep_off: Distance, depth_mm: float,
         first: AnyArray, wriggle: AnyArray) -> AnyArray:  # fmt: skip
    """Return a course drawn onto the heart: `depth_mm` above it, off the great vessels.

    `first` is the place where it must begin; it is led from there within 12 mm.
    """
    line = spline(points, 1.0)
    at, of = np.linspace(0, 1, len(line)), np.linspace(0, 1, len(wriggle))
    line = line + np.column_stack([np.interp(at, of, w) for w in wriggle.T])
    for _ in range(12):
        for body, weight in ((surface, 0.6), (keep_off, 1.0)):
            d = body(floats(line))
            slope = np.column_stack([
                body(floats(line + e)) - d for e in 0.5 * np.eye(3)
            ])  # fmt: skip
            slope /= np.linalg.norm(slope, axis=1, keepdims=True) + 1e-9
            move = d - depth_mm
            if body is keep_off:
                move = np.minimum(move, 0.0)
            line = line - weight * move[:, None] * slope
        line = gaussian_filter1d(line, 2.0, axis=0, mode="nearest")
    s = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    line = line + np.clip(1 - s / 12, 0, 1)[:, None] ** 2 * (first - line[0])
    return spline(line[::3] if len(line) > 12 else line, STEP_MM)


def arteries(person: Person, organs: dict[str, Distance]) -> list[Artery]:
    """Return the arteries in the template, mothers first; a branch begins on its mother."""
    rng = np.random.default_rng(person.seed)
    surface = union(organs["muscle"], grown(organs["rv"], 3.0), grown(organs["ra"], 2.0),
                    grown(organs["la"], 1.0), blend_mm=6)  # fmt: skip
    keep_off = union(*(grown(organs[n], 1.5) for n in ("aorta", "pa", "la")), blend_mm=2)
    made: dict[str, Artery] = {}
    for name, (mother, points, first_mm, last_mm) in courses(person).items():
        begin = points[0]
        if mother:
            way = made[mother].axis_mm
            end = name in ("LAD", "LCx", "RI", "R-PDA", "R-PLB", "L-PDA")
            begin = way[-1] if end else way[np.linalg.norm(way - begin, axis=1).argmin()]
        wriggle = gaussian_filter1d(rng.normal(0, 1.0, (40, 3)), 3.0, axis=0) * 4
        wriggle[:4] = 0
        line = laid(points, surface, keep_off, 2.6, begin, wriggle)
        s = np.linspace(0, 1, len(line))
        healthy = 0.5 * person.width_percent / 100 * (first_mm + (last_mm - first_mm) * s**0.9)
        lumen = healthy.copy()
        along_mm = s * STEP_MM * (len(line) - 1)
        for vessel, share, half_mm, narrowing in person.lesions:
            if vessel == name:
                off = np.clip((along_mm - share * along_mm[-1]) / half_mm, -1, 1)
                lumen *= 1 - narrowing * 0.5 * (1 + np.cos(np.pi * off))
        made[name] = Artery(name, floats(line), floats(lumen), floats(healthy), mother)
    return list(made.values())


def body_of(person: Person) -> Body:
    """Return the chest of a person, in patient space."""
    turn = Rotation.from_euler("zxy", person.turn_deg, degrees=True).as_matrix()
    there = turn @ np.diag(person.scale)
    heart = chambers(person.muscle_mm)
    own = [replace(a, axis_mm=floats(a.axis_mm @ there.T)) for a in arteries(person, heart)]
    organs = chest_around(moved(heart, there))
    return Body(organs, tuple(own), _veins(own), deposits(person.calcium, own))


def _veins(arteries: list[Artery]) -> tuple[Artery, ...]:
    """Return veins beside the LAD and the LCx, wider downstream of blood: towards the sinus."""
    made = []
    for name, share, radii in (("LAD", 0.85, (1.6, 0.9)), ("LCx", 1.0, (1.6, 3.6))):
        a = next(a for a in arteries if a.name == name)
        line = a.axis_mm[10 : int(share * len(a.axis_mm))]
        away = gaussian_filter1d(np.cross(np.gradient(line, axis=0), line - line.mean(axis=0)),
                                 8.0, axis=0)  # fmt: skip
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        r = np.linspace(*radii, len(line))
        near = floats(line + away * (a.outer_mm[10 : 10 + len(line)] + r + 1.5)[:, None])
        made.append(Artery("vein", near, floats(r), floats(r)))
    return tuple(made)


def deposits(calcium: Sequence[tuple[str, float, float]], arteries: list[Artery]) -> Floats:
    """Return balls of calcium, (n, 4), by vessel, share of its length and arc in degrees."""
    balls = []
    for vessel, share, arc_deg in calcium:
        a = next(a for a in arteries if a.name == vessel)
        k = int(share * (len(a.axis_mm) - 1))
        for j in range(k - 4, k + 5):
            along = a.axis_mm[j + 1] - a.axis_mm[j - 1]
            side = _across(np.array([0.3, 0.5, 0.8]), along / np.linalg.norm(along))
            turn = np.arange(-arc_deg / 2, arc_deg / 2 + 1, 15)
            for t in turn:
                spin = Rotation.from_rotvec(np.radians(t) * along / np.linalg.norm(along))
                off = a.lumen_mm[j] + 0.45
                balls.append([*(a.axis_mm[j] + off * spin.apply(side)), 0.45])
    return floats(np.array(balls).reshape(-1, 4))


def true_mass_g(body: Body) -> float:
    """Return the mass of the left ventricle's muscle."""
    distance = dict(body.organs)  # of equal names the last: the left ventricle's muscle
    axis = np.arange(-110.0, 111.0, 2.0)
    p = floats(np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1))
    muscle = (distance["muscle"](p) < 0) & (distance["lv"](p) >= 0)
    return float(np.count_nonzero(muscle)) * 8.0 / 1000 * 1.05


def true_trees(body: Body) -> tuple[CoronaryTree, ...]:
    """Return the trees that were painted.

    They begin where they leave the aorta, and branches outside their mother's lumen.
    """
    aorta = dict(body.organs)["aorta"]
    made = []
    for side, first in (("left", "LM"), ("right", "RCA")):
        points: list[AnyArray] = []
        rows: dict[str, list[AnyArray]] = {"lumen": [], "healthy": [], "branch": []}
        parent: list[int] = []
        names: list[str] = []
        of: dict[str, tuple[int, Artery]] = {}
        for a in body.arteries:
            if a.name != first and a.mother not in of:
                continue
            keep = np.ones(len(a.axis_mm), dtype=bool)
            root = -1
            if not a.mother:
                keep[:30] = np.asarray(aorta(a.axis_mm[:30])) >= 0
            else:
                start, mother = of[a.mother]
                off = np.linalg.norm(mother.axis_mm - a.axis_mm[0], axis=1)
                root = start + int(off.argmin())
                gap, at = cKDTree(mother.axis_mm).query(a.axis_mm)
                away = np.asarray(gap)
                inside = np.flatnonzero(
                    (away < mother.lumen_mm[at]) & (np.arange(len(away)) < 20)
                )
                keep[: inside.max() + 1 if inside.size else 1] = False
            begin = len(parent)
            of[a.name] = (begin - int(np.flatnonzero(keep)[0]), a)
            points += list(a.axis_mm[keep])
            count = int(keep.sum())
            parent += [root, *range(begin, begin + count - 1)]
            rows["lumen"].append(a.lumen_mm[keep])
            rows["healthy"].append(a.healthy_mm[keep])
            rows["branch"].append(np.full(count, len(names)))
            names.append(a.name)
        lumen, healthy, branch = (np.concatenate(rows[k]) for k in rows)
        tree = VesselTree(floats(points), floats(lumen), ints(parent))
        zero = np.zeros(len(parent))
        made.append(CoronaryTree(tree, side, floats(zero), floats(healthy), ints(branch),
                                 tuple(names), ints(zero)))  # fmt: skip
    return tuple(made)
