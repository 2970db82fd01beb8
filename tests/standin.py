"""A stand-in patient for result and report: two trees, a scan painted from them, a solve.

Heart-shaped but not physiological: the solve is Poiseuille plus a jet loss, good enough for
curves that look like curves. Everything follows from the numbers below.
"""

from dataclasses import dataclass, field

import numpy as np

from ffr.circulation.physiology import Assumption
from ffr.editing.rows import kept
from ffr.flags import Flag
from ffr.results.findings import build_result
from ffr.results.result import ImageQuality
from ffr.scan import Scan
from meshes.arrays import floats, ints
from meshes.stenosis import Lesion
from meshes.tree import CoronaryTree, VesselTree, path_length_mm, path_to, sections
from meshes.volume import Volume, axis_aligned_grid
from solvers.solution import FlowSolution

AORTIC_MMHG = 86.0
STEP_MM = 0.5
APEX = np.array([0.62, -0.60, -0.50]) / np.linalg.norm([0.62, -0.60, -0.50])
ANTERIOR = np.array([0.0, -1.0, 0.0]) + 0.60 / np.linalg.norm([0.62, -0.60, -0.50]) * -APEX
ANTERIOR = ANTERIOR / np.linalg.norm(ANTERIOR)
LEFTWARD = np.cross(ANTERIOR, APEX) * np.sign(np.cross(ANTERIOR, APEX)[0])


@dataclass(frozen=True)
class Surface:
    points_mm: np.ndarray
    triangles: np.ndarray
    face_label: np.ndarray


@dataclass(frozen=True)
class Case:
    coronaries: list
    solutions: list
    analysed: list
    lesions: list
    distal: list
    scan: Scan
    surface: Surface
    surface_ffr: np.ndarray
    flags: tuple = field(default=())


def on_heart(phi_deg, theta_deg):
    phi, theta = np.deg2rad(phi_deg), np.deg2rad(theta_deg)
    ring = np.multiply.outer(np.cos(phi), ANTERIOR) + np.multiply.outer(np.sin(phi), LEFTWARD)
    return 38.0 * np.sin(theta)[..., None] * ring + 62.0 * np.cos(theta)[..., None] * APEX


def curve(phi_deg, theta_deg, wiggle=1.2, seed=0):
    t = np.linspace(0, 1, 400)
    knots = np.linspace(0, 1, len(phi_deg))
    points = on_heart(np.interp(t, knots, phi_deg), np.interp(t, knots, theta_deg))
    phase = np.random.default_rng(seed).uniform(0, 6.28, (2, 3))
    points = points + wiggle * np.sin(np.pi * t)[:, None] * np.stack(
        [np.sin(9 * t + phase[0, a]) + 0.4 * np.sin(21 * t + phase[1, a]) for a in range(3)],
        axis=1,
    )
    for _ in range(30):  # round the knots off
        points[1:-1] += 0.5 * (points[:-2] + points[2:] - 2 * points[1:-1]) / 2
    return points


def angles_of(point):
    """Return phi and theta in degrees of a point on the heart: the inverse of on_heart."""
    theta = np.arctan2(np.hypot(point @ ANTERIOR, point @ LEFTWARD) / 38.0, point @ APEX / 62.0)
    return np.rad2deg(np.arctan2(point @ LEFTWARD, point @ ANTERIOR)), np.rad2deg(theta)


def even(points):
    s = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    n = max(int(s[-1] / STEP_MM), 2)
    at = np.linspace(0, s[-1], n + 1)
    return np.stack([np.interp(at, s, points[:, a]) for a in range(3)], axis=1)


def left_tree(lesions):
    ostium = on_heart(np.array(-15.0), np.array(98.0)) * 0.45
    fork = on_heart(np.array(18.0), np.array(88.0))
    lad = curve([18, 8, 2, -4, 0], [88, 66, 46, 26, 6], seed=1)
    lcx = curve([18, 50, 90, 128], [88, 94, 95, 92], seed=2)
    stem = np.linspace(ostium, fork, 60)
    stem[:, 2] += 3 * np.sin(np.linspace(0, np.pi, 60))
    parts = [
        ("LM", stem, None, 0.0, 2.25, 2.1, [(0, 5)]),
        ("LAD", lad, "LM", 1.0, 1.85, 0.75, [(0, 6), (28, 7), (62, 8)]),
        ("LCx", lcx, "LM", 1.0, 1.6, 0.85, [(0, 11), (26, 13)]),
        ("D1", ((32, 40), (56, 34)), "LAD", 0.24, 1.1, 0.55, [(0, 9)]),
        ("D2", ((26, 30), (36, 20)), "LAD", 0.5, 0.85, 0.45, [(0, 10)]),
        ("OM1", ((66, 62), (74, 40)), "LCx", 0.35, 1.25, 0.6, [(0, 12)]),
        ("OM2", ((106, 98), (76, 50)), "LCx", 0.72, 0.95, 0.5, [(0, 14)]),
    ]
    return assemble("left", parts, lesions)


def right_tree(lesions):
    ostium = on_heart(np.array(-40.0), np.array(100.0)) * 0.45
    rca = curve([-40, -62, -95, -130, -165], [98, 93, 94, 93, 90], seed=7)
    rca = np.concatenate([np.linspace(ostium, rca[0], 40)[:-1], rca])
    for _ in range(120):
        rca[1:-1] += 0.5 * (rca[:-2] + rca[2:] - 2 * rca[1:-1]) / 2
    parts = [
        ("RCA", rca, None, 0.0, 1.9, 1.25, [(0, 1), (38, 2), (75, 3)]),
        ("RM1", ((-78, -60), (70, 44)), "RCA", 0.45, 0.9, 0.45, [(0, 0)]),
        ("R-PDA", ((-172, -176), (66, 30)), "RCA", 1.0, 1.0, 0.55, [(0, 4)]),
        ("R-PLB", ((-188, -200), (84, 62)), "RCA", 1.0, 0.9, 0.5, [(0, 16)]),
    ]
    return assemble("right", parts, lesions)


def assemble(side, parts, lesions):
    """`parts`: name, curve, mother, fraction of the mother's length, radii, SCCT from mm."""
    points, parent, radius, branch, segment = [], [], [], [], []
    where = {}
    for number, (name, path, mother, fraction, r0, r1, numbers) in enumerate(parts):
        if mother is None:
            line, start = even(path), -1
        else:
            ids = where[mother]
            start = ids[min(int(fraction * len(ids)), len(ids) - 1)]
            here = np.array(points[start])
            if isinstance(path, tuple):  # angles to pass on the way from the mother
                phi, theta = angles_of(here)
                phi -= 360 * round((phi - path[0][0]) / 360)
                path = curve([phi, *path[0]], [theta, *path[1]], seed=number)
                path = path + np.linspace(1, 0, len(path))[:, None] * (here - path[0])
            line = np.concatenate([[here], path[3:]])
            for _ in range(60):
                line[1:-1] += 0.25 * (line[:-2] + line[2:] - 2 * line[1:-1])
            line = even(line)[1:]
        s = np.arange(len(line)) * STEP_MM
        r = r0 + (r1 - r0) * s / s[-1]
        ids = list(range(len(points), len(points) + len(line)))
        where[name] = ids
        points += line.tolist()
        parent += [start, *ids[:-1]]
        radius += r.tolist()
        branch += [number] * len(ids)
        which = np.searchsorted([m for m, _ in numbers], s, side="right") - 1
        segment += [numbers[w][1] for w in which]
    reference = np.array(radius)
    lumen = reference.copy()
    found = []
    for name, at_mm, sigma_mm, narrowing in lesions:
        ids = np.array(where[name])
        s = np.arange(len(ids)) * STEP_MM
        lumen[ids] *= 1 - narrowing * np.exp(-0.5 * ((s - at_mm) / sigma_mm) ** 2)
        short = np.flatnonzero(1 - lumen[ids] / reference[ids] > 0.2)
        throat = ids[int(np.argmin(lumen[ids] / reference[ids]))]
        d, ref = 2 * lumen[throat], 2 * reference[throat]
        found.append(
            Lesion(
                start=int(ids[short[0]]),
                throat=int(throat),
                end=int(ids[short[-1]]),
                length_mm=float(s[short[-1]] - s[short[0]]),
                minimal_diameter_mm=float(d),
                reference_diameter_mm=float(ref),
                minimal_lumen_area_mm2=float(np.pi * d * d / 4),
                diameter_stenosis_percent=float(100 * (1 - d / ref)),
                area_stenosis_percent=float(100 * (1 - (d / ref) ** 2)),
            )
        )
    coronary = CoronaryTree(
        VesselTree(floats(points), floats(lumen), ints(parent)),
        side,
        floats(0.1 * lumen),
        floats(reference),
        ints(branch),
        tuple(name for name, *_ in parts),
        ints(segment),
    )
    return coronary, found


def solve(coronary, inflow_ml_min):
    tree = coronary.tree
    n = len(tree)
    count = np.bincount(tree.parent[1:], minlength=n)
    flow = np.where(count == 0, coronary.reference_radius_mm**2.6, 0.0)
    for i in range(n - 1, 0, -1):
        flow[tree.parent[i]] += flow[i]
    flow *= inflow_ml_min / flow[0]
    pressure = np.full(n, AORTIC_MMHG)
    s = path_length_mm(tree)
    for i in range(1, n):
        p = tree.parent[i]
        q, r = flow[i] / 6e7, tree.radius_mm[i] * 1e-3
        viscous = 8 * 0.0035 * q / (np.pi * r**4) * (s[i] - s[p]) * 1e-3 / 133.322
        opening = (1 / tree.radius_mm[p] ** 2 - 1 / tree.radius_mm[i] ** 2) * 1e6 / np.pi
        same = coronary.branch[i] == coronary.branch[p] and opening > 0
        jet = 530 * (q * opening) * abs(q / (np.pi * r**2)) / 133.322 if same else 0.0
        pressure[i] = pressure[p] - 1.4 * viscous - 2.0 * jet
    return FlowSolution(floats(pressure), floats(pressure), floats(flow), 5, 1e-9)


def distal_to(coronary, mask, lesion, distance_mm=20.0):
    tree = coronary.tree
    s = path_length_mm(tree)
    here = lesion.end
    while s[here] - s[lesion.end] < distance_mm:
        down = [int(c) for c in np.flatnonzero(tree.parent == here) if mask[c]]
        if not down:
            break
        here = max(down, key=lambda c: coronary.reference_radius_mm[c])
    return here, float(s[here] - s[lesion.end])


def painted(coronaries, spacing_mm, seed=3):
    points = np.concatenate([c.tree.points_mm for c in coronaries])
    low, high = points.min(axis=0) - 12, points.max(axis=0) + 12
    size = np.ceil((high - low) / spacing_mm).astype(int)
    grid = axis_aligned_grid(size, spacing_mm, low)
    axes = [low[a] + spacing_mm * np.arange(size[a]) for a in range(3)]
    z, y, x = np.meshgrid(*axes[::-1], indexing="ij", sparse=True)
    along = x * APEX[0] + y * APEX[1] + z * APEX[2]
    off = np.sqrt(np.maximum(x**2 + y**2 + z**2 - along**2, 0))
    depth = np.hypot(off / 36.0, along / 60.0)
    hu = np.where((depth < 1) & (along > -6), np.where(depth < 0.72, 330.0, 110.0), -85.0)
    hu += np.random.default_rng(seed).normal(0, 22, hu.shape)
    for coronary in coronaries:
        for point, r in zip(coronary.tree.points_mm, coronary.tree.radius_mm, strict=True):
            first = np.floor((point - r - 1.5 - low) / spacing_mm).astype(int)
            last = np.ceil((point + r + 1.5 - low) / spacing_mm).astype(int) + 1
            ix, iy, iz = (axes[a][first[a] : last[a]] for a in range(3))
            d = np.sqrt(
                (iz[:, None, None] - point[2]) ** 2
                + (iy[None, :, None] - point[1]) ** 2
                + (ix[None, None, :] - point[0]) ** 2
            )
            share = np.clip((r - d) / spacing_mm + 0.5, 0, 1)
            box = hu[first[2] : last[2], first[1] : last[1], first[0] : last[0]]
            np.maximum(box, 430 * share + (1 - share) * -200, out=box, where=share > 0)
    return Volume(grid, hu.astype(np.int16))


def scan_of(volume):
    series = "series 4 of 6: CTA 0.6 mm, diastole 75 %, 248 slices (thinnest contrast series)"
    return Scan(volume, "dicom", series, 0.6, "9f2c" * 16, 120.0, "Bv40", FLAGS[:1])


def tubes(coronaries, ffr, around=24):
    """Closed tubes along every run: enough of a lumen to be drawn."""
    from meshes.straighten import frames

    points, triangles, values = [], [], []
    total = 0
    turn = np.linspace(0, 2 * np.pi, around, endpoint=False)
    for coronary, per_point in zip(coronaries, ffr, strict=True):
        for run in sections(coronary.tree):
            line, r = coronary.tree.points_mm[run], coronary.tree.radius_mm[run].copy()
            r[0] = min(r[0], r[1])
            _, normal, binormal = frames(line, 2.0)
            ring = (
                np.cos(turn)[None, :, None] * normal[:, None]
                + np.sin(turn)[None, :, None] * binormal[:, None]
            )
            points.append((line[:, None] + r[:, None, None] * ring).reshape(-1, 3))
            points.append(line[[0, -1]])
            values.append(np.repeat(per_point[run], around))
            values.append(per_point[run[[0, -1]]])
            n = len(run)
            a = np.arange(around)
            b = (a + 1) % around
            for k in range(n - 1):
                o, u = total + k * around, total + (k + 1) * around
                triangles.append(np.stack([o + a, o + b, u + b], axis=1))
                triangles.append(np.stack([o + a, u + b, u + a], axis=1))
            head, tail = total + n * around, total + n * around + 1
            triangles.append(np.stack([0 * a + head, total + b, total + a], axis=1))
            end = total + (n - 1) * around
            triangles.append(np.stack([0 * a + tail, end + a, end + b], axis=1))
            total += n * around + 2
    faces = np.concatenate(triangles)
    # read-only, as the product's: one picture of them serves screen and paper
    surface = Surface(floats(np.concatenate(points)), ints(faces), ints(np.zeros(len(faces))))
    return surface, floats(np.concatenate(values))


LESIONS_LEFT = (("LAD", 36.0, 4.0, 0.69), ("LCx", 20.0, 3.0, 0.42))
LESIONS_RIGHT = (("RCA", 52.0, 5.0, 0.66),)


def make_case(
    lesions_left=LESIONS_LEFT,
    lesions_right=LESIONS_RIGHT,
    *,
    right=True,
    spacing_mm=0.7,
    minimal_diameter_mm=1.5,
):
    left, in_left = left_tree(lesions_left)
    trees, lesions, flows = [left], [in_left], [190.0]
    if right:
        tree, in_right = right_tree(lesions_right)
        trees, lesions, flows = [left, tree], [in_left, in_right], [190.0, 110.0]
    solutions = [solve(t, q) for t, q in zip(trees, flows, strict=True)]
    masks = []
    for t in trees:
        mask = 2 * t.reference_radius_mm >= minimal_diameter_mm
        for i in range(1, mask.size):
            mask[i] &= mask[t.tree.parent[i]]
        masks.append(mask)
    distal = [
        [distal_to(t, m, x) for x in found]
        for t, m, found in zip(trees, masks, lesions, strict=True)
    ]
    ffr = [
        np.where(m, s.pressure_mmhg / AORTIC_MMHG, np.nan)
        for m, s in zip(masks, solutions, strict=True)
    ]
    surface, values = tubes(trees, ffr)
    return Case(
        trees,
        solutions,
        masks,
        lesions,
        distal,
        scan_of(painted(trees, spacing_mm)),
        surface,
        values,
    )


ASSUMPTIONS = (
    Assumption("cuff pressure", "132/78 mmHg", "patient file", False),
    Assumption("heart rate", "61 bpm", "patient file", False),
    Assumption("haematocrit", "0.42", "Billett 1990, mean of adult men", True),
    Assumption("sex", "not given: both averaged", "Wilson 2015", True),
    Assumption("LV mass", "128 g", "measured in this scan", False),
    Assumption("hyperaemic resistance", "0.24 of rest", "Wilson 1990", True),
)
FLAGS = (
    Flag("contrast-low", "aortic lumen 268 HU, below 300 HU: lumen edges are less certain"),
    Flag("slab-step", "step of 0.9 mm between slabs at 41 mm below the RCA ostium"),
)


def result_of(case, **changes):
    given = {
        "coronaries": case.coronaries,
        "solutions": case.solutions,
        "analysed": case.analysed,
        "lesions": case.lesions,
        "distal": case.distal,
        "aortic_pressure_mmhg": AORTIC_MMHG,
        "scan": case.scan,
        "assumptions": ASSUMPTIONS,
        "flags": FLAGS,
        "settings": {"tree": {"step_mm": 0.5}, "solver": {"tolerance_mmhg": 1e-6}},
        "models": {"vessels": "ab12" * 16, "anatomy": "cd34" * 16},
        "image_quality": ImageQuality(
            grade="adequate", aorta_hu=268.0, noise_hu=24.1, contrast_to_noise=7.9
        ),
        "dominance": "right",
        "lv_mass_g": 128.0,
        "timings_s": {"read": 4.1, "segment": 212.4, "tree": 18.9, "solve": 0.8},
        "git_commit": "46fd687",
    }
    return build_result(**(given | changes))


def path_of(coronary, name):
    """Points from the inlet to the farthest point of a vessel."""
    s = path_length_mm(coronary.tree)
    points = np.flatnonzero(coronary.branch == coronary.names.index(name))
    return path_to(coronary.tree, int(points[np.argmax(s[points])]))


def first_part(coronary, length_mm):
    """What of a tree lies within some way from its ostium."""
    return kept(coronary, path_length_mm(coronary.tree) < length_mm)
