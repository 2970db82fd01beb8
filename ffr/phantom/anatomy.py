"""A random heart: chambers, great vessels and chest as solids, with epicardial landmarks.

Positions are LPS in mm, the origin at the centre of the left ventricle. Sizes follow
adult ranges; nothing here pretends to be an atlas. What matters for a network is that
neighbours, contrasts and confusions are right and vary more than in life.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ffr.anatomy import Anatomy
from meshes.arrays import Floats, floats

MYOCARDIUM_G_ML = 1.05  # density of myocardium (Vinnakota & Bassingthwaighte 2004)
NO_CUT = floats(np.zeros(3))


def unit(vector: Floats | tuple[float, float, float]) -> Floats:
    """Return `vector` scaled to length 1."""
    v = np.asarray(vector, dtype=np.float64)
    return np.asarray(v / np.linalg.norm(v), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Solid:
    """An ellipsoid, optionally cut by a plane, of one tissue.

    `tissue` names an attenuation of the imaging model; `label` is an `Anatomy` value or
    -1 where what it covers keeps its label (papillary muscle counts as blood pool).
    """

    tissue: str
    label: int
    centre_mm: Floats
    direction: Floats  # rows: unit axes
    semi_mm: Floats
    cut_normal: Floats
    cut_offset_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class Tube:
    """A chain of round cones of one tissue."""

    tissue: str
    label: int
    points_mm: Floats
    radius_mm: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Heart:
    """Chambers in painting order, and the frame the coronary arteries are laid in.

    Parameters
    ----------
    behind, chambers, front
        What is painted before the pericardial fat, inside it, and after the vessels' walls.
    epicardium
        The solids whose smooth union is the surface under the coronary arteries.
    long_axis, septal, anterior
        Orthonormal left-ventricular frame: base to apex, towards the septum, towards the
        anterior wall; as rows, shape (3, 3).
    long_mm, short_mm
        Outer semi-axes of the left ventricle.
    root_mm, root_direction
        Centre of the aortic annulus and unit axis of the root.
    root_radius_mm
        Radius of the ascending aorta.
    right_atrium_mm, right_ventricle_mm
        Centres; the right atrioventricular groove runs between them.
    """

    behind: tuple[Solid | Tube, ...]
    chambers: tuple[Solid | Tube, ...]
    front: tuple[Solid | Tube, ...]
    epicardium: tuple[Solid, ...]
    frame_direction: Floats
    long_mm: float
    short_mm: float
    root_mm: Floats
    root_direction: Floats
    root_radius_mm: float
    right_atrium_mm: Floats
    right_ventricle_mm: Floats


def _grown(semi: Floats | tuple[float, float, float], by: float) -> tuple[float, float, float]:
    return float(semi[0] + by), float(semi[1] + by), float(semi[2] + by)


def _ellipsoid(
    tissue: str,
    label: int,
    centre: Floats,
    semi: tuple[float, float, float],
    axes: Floats | None = None,
    cut: tuple[Floats, float] = (NO_CUT, -1e9),
) -> Solid:
    rows = np.eye(3) if axes is None else axes
    return Solid(
        tissue, label, floats(centre), floats(rows), floats(semi), floats(cut[0]), cut[1]
    )


def random_heart(rng: np.random.Generator) -> Heart:
    """Draw a heart: sizes, wall thickness, orientation and neighbours."""
    size = rng.uniform(0.88, 1.12)
    wall = rng.uniform(7.0, 12.0)
    inner_long, inner_short = size * rng.uniform(40, 46), size * rng.uniform(20, 25)
    long, short = inner_long + wall, inner_short + wall
    axis = unit(np.array([0.62, -0.52, -0.58]) + rng.normal(0, 0.09, 3))
    septal = np.array([-0.8, -0.6, 0.1]) + rng.normal(0, 0.08, 3)
    septal = unit(septal - septal @ axis * axis)
    anterior = -np.cross(axis, septal)
    frame = np.array([axis, septal, anterior])

    base = -0.55 * long
    cut = (axis, base)  # the ventricle ends at the valve plane
    lv_wall = _ellipsoid(
        "myocardium", Anatomy.MYOCARDIUM, np.zeros(3), (long, short, short), frame, cut
    )
    lv_pool = _ellipsoid(
        "lv", Anatomy.LV, np.zeros(3), (inner_long, inner_short, inner_short), frame, cut
    )

    rv_centre = septal * size * rng.uniform(21, 26) + axis * rng.uniform(-4, 4)
    rv_semi = (0.86 * long, size * rng.uniform(19, 23), size * rng.uniform(27, 32))
    rv_wall = _ellipsoid(
        "myocardium", 0, rv_centre, (rv_semi[0] + 3, rv_semi[1] + 3, rv_semi[2] + 3), frame
    )
    rv_pool = _ellipsoid("rv", Anatomy.RV, rv_centre, rv_semi, frame)

    root = base * axis + 9 * size * septal + rng.uniform(4, 7) * anterior - 4 * axis
    root_direction = unit(np.array([-0.28, -0.22, 0.93]) + rng.normal(0, 0.07, 3))
    aorta_radius = rng.uniform(13, 18)

    la_centre = base * axis + np.array([8.0, 28.0, 10.0]) * size + rng.normal(0, 2, 3)
    la_semi = (
        size * rng.uniform(26, 32),
        size * rng.uniform(17, 22),
        size * rng.uniform(20, 26),
    )
    la_pool = _ellipsoid("la", Anatomy.LA, la_centre, la_semi)
    ra_centre = np.array([-47.0, 9.0, 4.0]) * size + rng.normal(0, 2, 3)
    ra_semi = (
        size * rng.uniform(18, 23),
        size * rng.uniform(21, 26),
        size * rng.uniform(25, 31),
    )
    ra_pool = _ellipsoid("ra", Anatomy.RA, ra_centre, ra_semi)
    ra_wall = _ellipsoid("myocardium", 0, ra_centre, _grown(ra_semi, 2))
    la_wall = _ellipsoid("myocardium", 0, la_centre, _grown(la_semi, 2))

    fat = rng.uniform(4, 11)
    shells = tuple(
        _ellipsoid("fat", 0, s.centre_mm, _grown(s.semi_mm, fat), s.direction)
        for s in (lv_wall, rv_wall, ra_wall, la_wall)
    )
    hood = _ellipsoid("fat", 0, root + 14 * root_direction, (42.0, 36.0, 34.0))
    papillary = tuple(
        _ellipsoid(
            "myocardium",
            -1,
            inner_short * 0.72 * (np.cos(phi) * septal + np.sin(phi) * anterior)
            + axis * rng.uniform(0, 12),
            (rng.uniform(8, 14), rng.uniform(3, 5), rng.uniform(3, 5)),
            frame,
        )
        for phi in rng.uniform(0.5, 1.2, 2) * np.pi * np.array([1.0, -1.0])
    )
    outflow = Tube(
        "lv",
        Anatomy.LV,
        floats([root + 0.25 * long * axis, root]),
        floats([aorta_radius * 0.7, aorta_radius * 0.8]),
    )
    front = _aorta(rng, root, root_direction, aorta_radius)
    pulmonary = _pulmonary_artery(rng, root, size)
    cava = Tube(
        "svc",
        0,
        floats([ra_centre + [4, 4, 15], ra_centre + [6, 6, 60], ra_centre + [8, 6, 110]]),
        floats([9.0, 8.5, 8.5]),
    )
    return Heart(
        behind=_chest(rng, size),
        chambers=(
            *shells, hood, cava, la_wall, la_pool, *_pulmonary_veins(rng, la_centre, la_semi),
            ra_wall, ra_pool, rv_wall, rv_pool, *pulmonary, lv_wall, lv_pool, *papillary,
            outflow,
        ),
        front=front,
        epicardium=(lv_wall, rv_wall, ra_wall, la_wall),
        frame_direction=floats(frame),
        long_mm=float(long),
        short_mm=float(short),
        root_mm=floats(root),
        root_direction=floats(root_direction),
        root_radius_mm=float(aorta_radius),
        right_atrium_mm=floats(ra_centre),
        right_ventricle_mm=floats(rv_centre),
    )  # fmt: skip


def _aorta(
    rng: np.random.Generator, root: Floats, direction: Floats, radius: float
) -> tuple[Solid | Tube, ...]:
    """Root with three sinuses, ascending aorta bending back into the arch."""
    side = unit(np.cross(direction, [0.0, 1.0, 0.0]))
    ahead = np.cross(side, direction)
    twist = rng.uniform(-0.2, 0.2)
    sinuses = tuple(
        _ellipsoid(
            "aorta",
            Anatomy.AORTA,
            root
            + 10 * direction
            + 0.45 * radius * (np.cos(angle + twist) * side + np.sin(angle + twist) * ahead),
            (0.72 * radius, 0.72 * radius, 0.8 * radius),
            np.array([side, ahead, direction]),
        )
        for angle in (0.35, 0.35 + 2 * np.pi / 3, 0.35 - 2 * np.pi / 3)
    )
    s = np.array([2.0, 18.0, 35.0, 55.0, 75.0, 95.0])
    bend = np.array([0.0, 0.0, 0.0, 2.0, 8.0, 22.0])
    points = root + s[:, None] * direction + bend[:, None] * np.array([0.35, 0.8, 0.0])
    tube = Tube(
        "aorta",
        Anatomy.AORTA,
        floats(points),
        floats(radius * np.array([0.85, 0.95, 1.0, 1.02, 1.0, 0.95])),
    )
    return (tube, *sinuses)


def _pulmonary_artery(rng: np.random.Generator, root: Floats, size: float) -> tuple[Tube, ...]:
    r = rng.uniform(10, 13) * size
    trunk = root + size * np.array(
        [[8, -30, -14], [16, -27, 2], [22, -20, 20], [24, -4, 36], [22, 12, 44]], dtype=float
    )
    right = np.array([trunk[-1], trunk[-1] + [-30, 8, 2], trunk[-1] + [-62, 12, -4]])
    left = np.array([trunk[-1], trunk[-1] + [20, 16, 2], trunk[-1] + [34, 26, -6]])
    label = Anatomy.PULMONARY_ARTERY
    return (
        Tube("pulmonary", label, floats(trunk), floats([r * 1.1, r, r, r, r])),
        Tube("pulmonary", label, floats(right), floats([r * 0.8, r * 0.75, r * 0.6])),
        Tube("pulmonary", label, floats(left), floats([r * 0.8, r * 0.75, r * 0.6])),
    )


def _pulmonary_veins(
    rng: np.random.Generator, centre: Floats, semi: tuple[float, float, float]
) -> tuple[Tube, ...]:
    tubes = []
    for sx in (-1, 1):
        for sz in (-1, 1):
            start = centre + np.array([sx * 0.8 * semi[0], 0.3 * semi[1], sz * 0.5 * semi[2]])
            end = start + np.array([sx * 32, rng.uniform(4, 16), sz * rng.uniform(2, 16)])
            tubes.append(Tube("la", Anatomy.LA, floats([start, end]), floats([7.0, 5.0])))
    return tuple(tubes)


def _chest(rng: np.random.Generator, size: float) -> tuple[Solid | Tube, ...]:
    """Body wall, lungs with vessels, bones, liver and descending aorta."""
    c = np.array([-12.0, 18.0, 0.0]) + rng.normal(0, 4, 3)
    wide, deep = rng.uniform(150, 180), rng.uniform(100, 125)
    body = (
        _ellipsoid("subcutaneous", 0, c, (wide, deep, 2000.0)),
        _ellipsoid(
            "muscle", 0, c, (wide - rng.uniform(8, 25), deep - rng.uniform(8, 20), 1800.0)
        ),
    )
    lungs = tuple(
        _ellipsoid("lung", 0, c + [sx * 72, 6, 25], (60.0, deep - 28, 135.0)) for sx in (-1, 1)
    )
    liver = _ellipsoid(
        "liver", 0, np.array([-55.0, 5.0, -105.0 * size]), (110.0, 80.0, rng.uniform(45, 62))
    )
    spine = _ellipsoid("marrow", 0, c + [0, deep - 45, 0], (20.0, 18.0, 1500.0))
    shell = _ellipsoid("bone", 0, c + [0, deep - 45, 0], (22.0, 20.0, 1500.0))
    sternum = _ellipsoid("bone", 0, c + [0, -deep + 22, 30], (18.0, 6.0, 70.0))
    ribs = []
    for sx in (-1, 1):
        for z in np.arange(-90, 100, 30) + rng.uniform(-8, 8):
            angle = np.linspace(-1.2, 1.35, 12)
            path = c + np.stack(
                [
                    sx * (wide - 28) * np.cos(angle),
                    (deep - 24) * np.sin(angle),
                    z - 18 * np.sin(angle),
                ],
                axis=1,
            )
            ribs.append(Tube("bone", 0, floats(path), floats(np.full(12, 4.5))))
    descending = Tube(
        "aorta",
        Anatomy.AORTA,
        floats(c + np.array([[22.0, deep - 68, -200.0], [20.0, deep - 66, 200.0]])),
        floats([rng.uniform(9, 13)] * 2),
    )
    return (
        *body,
        *lungs,
        liver,
        *_lung_vessels(rng, c),
        shell,
        spine,
        sternum,
        *ribs,
        descending,
    )


def _lung_vessels(rng: np.random.Generator, c: Floats) -> tuple[Tube, ...]:
    """Branching contrast-filled vessels: the network must not take them for coronaries."""
    tubes = []
    for _ in range(int(rng.integers(24, 50))):
        side = rng.choice([-1.0, 1.0])
        start = c + np.array([side * 38, rng.uniform(-5, 25), rng.uniform(-20, 50)])
        way = unit(np.array([side * 1.0, rng.uniform(-1, 1), rng.uniform(-1, 1)]))
        n = int(rng.integers(5, 10))
        steps = np.cumsum(np.vstack([np.zeros(3), way * 9 + rng.normal(0, 3, (n, 3))]), axis=0)
        radius = np.linspace(rng.uniform(1.5, 4.0), 0.6, n + 1)
        tubes.append(Tube("pulmonary", 0, floats(start + steps), floats(radius)))
    return tuple(tubes)


def epicardial_distance_mm(heart: Heart, points_mm: Floats) -> Floats:
    """Return the signed distance of points to the smooth union of the heart's walls.

    Polynomial smooth minimum over 6 mm, so that the grooves between chambers, where the
    coronary arteries run, are rounded.
    """
    total = np.full(len(points_mm), 1e9)
    for solid in heart.epicardium:
        d = _solid_distance_mm(solid, points_mm)
        h = np.minimum(np.maximum(0.5 + 0.5 * (total - d) / 6.0, 0.0), 1.0)
        total = total + h * (d - total) - 6.0 * h * (1 - h)
    return np.asarray(total, dtype=np.float64)


def walls_distance_mm(heart: Heart, points_mm: Floats) -> Floats:
    """Return the signed distance of points to the outer surface of the heart's walls, (n,)."""
    distances = [_solid_distance_mm(solid, points_mm) for solid in heart.epicardium]
    return np.asarray(np.min(distances, axis=0), dtype=np.float64)


def aortic_distance_mm(heart: Heart, points_mm: Floats) -> Floats:
    """Return the distance of points to the lumen of root and ascending aorta, shape (n,).

    Negative inside; near the surface only, where the ellipsoids' distance is close.
    """
    nearest = np.full(len(points_mm), np.inf)
    for part in heart.front:
        if isinstance(part, Solid):
            nearest = np.minimum(nearest, _solid_distance_mm(part, points_mm))
            continue
        joints = zip(
            part.points_mm[:-1],
            part.points_mm[1:],
            part.radius_mm[:-1],
            part.radius_mm[1:],
            strict=True,
        )
        for start, end, r0, r1 in joints:
            way = end - start
            t = np.clip((points_mm - start) @ way / (way @ way), 0, 1)
            off = np.linalg.norm(points_mm - start - t[:, None] * way, axis=1)
            nearest = np.minimum(nearest, off - (r0 + t * (r1 - r0)))
    return np.asarray(nearest, dtype=np.float64)


def _solid_distance_mm(solid: Solid, points_mm: Floats) -> Floats:
    """Signed distance to an ellipsoid, to first order."""
    local = (points_mm - solid.centre_mm) @ solid.direction.T
    k0 = _length(local / solid.semi_mm)
    k1 = _length(local / solid.semi_mm**2)
    return np.asarray(k0 * (k0 - 1) / np.maximum(k1, 1e-9))


def _length(vectors: Floats) -> Floats:
    """Return the length of each row; column by column, soonest for rows of three, (n,)."""
    x, y, z = vectors.T
    return np.asarray(np.sqrt(x * x + y * y + z * z))


def on_epicardium(heart: Heart, points_mm: Floats, height_mm: Floats) -> Floats:
    """Move points along the surface normal until they lie `height_mm` above the heart."""
    points = np.array(points_mm)
    steps = 0.25 * np.vstack([np.zeros(3), np.eye(3), -np.eye(3)])
    for _ in range(12):
        # all seven places at once: arrays this short cost more to call for than to compute
        places = (points + steps[:, None]).reshape(-1, 3)
        d, *beside = epicardial_distance_mm(heart, places).reshape(7, -1)
        gradient = np.stack([beside[k] - beside[k + 3] for k in range(3)], axis=1)
        gradient /= np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-6)
        points = points - 0.7 * np.clip(d - height_mm, -6, 6)[:, None] * gradient
    return points
