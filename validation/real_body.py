"""A chest around the coronary arteries of a real person, from centrelines with radii.

The arteries are the person's own, and so are root and ascending aorta; the heart is the
strangers' template, stretched and turned until its surface lies under the arteries.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyvista
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import least_squares
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from meshes.arrays import AnyArray, floats
from validation import stranger_body as template
from validation.stranger_body import Artery, Body
from validation.stranger_chest import chest_around, moved
from validation.stranger_shapes import grown, tube, union, without

Line = tuple[AnyArray, AnyArray]  # points (n, 3) and radius (n,), mm
STEP_MM = 0.5
INSIDE_MM = 9.0  # of a line are kept in the aorta, as wide as the artery behind its mouth
AORTA_MM = 3.2  # radius: no artery of these is wider
APART_MM = 1.0  # between a branch and its mother, where it begins
SHORTEST_MM = 10.0
SURFACE_MM = 2.6  # an artery's axis lies so high
MUSCLE_MM = 9.0
# Longest first, as the lines of yungselm/multimoda-rs come; None: a doublet
NAMES = {
    "lca_cl.vtp": ("LAD", "LCx", "OM1", "D2", "D1"),
    "rca_cl.vtp": ("RCA", None, "AM1", "AM2"),
}
# Vessel, place as a share of its length, half length in mm, narrowing of the diameter
NARROWINGS = (("LAD", 0.15, 7.0, 0.6), ("RCA", 0.4, 8.0, 0.55))
CALCIUM = (("LAD", 0.03, 100.0),)


def lines_of(path: Path) -> list[Line]:
    """Return the polylines of a file with `MaximumInscribedSphereRadius`, longest first."""
    mesh = pyvista.read(path)
    radius = np.asarray(mesh["MaximumInscribedSphereRadius"], dtype=float)
    points = np.asarray(mesh.points, dtype=float)
    lines, at = [], 0
    while at < len(mesh.lines):
        ids = mesh.lines[at + 1 : at + 1 + mesh.lines[at]]
        lines.append((points[ids], radius[ids]))
        at += 1 + int(mesh.lines[at])
    return sorted(lines, key=lambda line: -_along(line[0])[-1])


def _along(points: AnyArray) -> AnyArray:
    return np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])


def arteries_of(folder: Path) -> tuple[list[Artery], Line]:
    """Return the arteries, narrowed, mothers first, and the aorta from below."""
    aorta = lines_of(folder / "ao_cl.vtp")[0]
    if aorta[0][0, 2] > aorta[0][-1, 2]:
        aorta = (aorta[0][::-1], aorta[1][::-1])
    made: list[Artery] = []
    for file, names in NAMES.items():
        own: list[Artery] = []
        for line, name in zip(lines_of(folder / file), names, strict=True):
            if name:
                own += _artery(line, name, own, aorta[0][-1])
        made += own
    return made, aorta


def _artery(line: Line, name: str, own: list[Artery], top: AnyArray) -> list[Artery]:
    """One artery of a line from the top of the aorta; of the first left one, two."""
    p, r = line
    if np.linalg.norm(p[-1] - top) < np.linalg.norm(p[0] - top):
        p, r = p[::-1], r[::-1]
    s = _along(p)
    mouth = s[np.flatnonzero(r > AORTA_MM).max() + 1]
    r = np.where(s < mouth + 1, np.median(r[(s > mouth + 1) & (s < mouth + 4)]), r)
    at = np.arange(mouth - INSIDE_MM, s[-1], STEP_MM)
    p = np.column_stack([np.interp(at, s, p[:, k]) for k in range(3)])
    p, r = (
        gaussian_filter1d(p, 2, axis=0, mode="nearest"),
        gaussian_filter1d(np.interp(at, s, r), 2),
    )
    if not own:
        return [_narrowed(name, p, r, "")]
    leaves = []
    for mother in own:
        gap, near = cKDTree(mother.axis_mm).query(p)
        together = np.flatnonzero(np.asarray(gap) <= APART_MM)
        if together.size:
            leaves.append((int(together[-1]), mother, np.asarray(near)))
    last, mother, near = max(leaves, key=lambda leaf: leaf[0])
    first = max(1, last - 3)
    if (len(p) - first) * STEP_MM < SHORTEST_MM:
        return []
    p = np.vstack([mother.axis_mm[near[first - 1]], p[first:]])
    return [_narrowed(name, p, r[first - 1 :], mother.name)]


def _narrowed(name: str, p: AnyArray, r: AnyArray, mother: str) -> Artery:
    s = STEP_MM * np.arange(len(p))
    lumen = r.copy()
    for vessel, share, half_mm, narrowing in NARROWINGS:
        if vessel == name:
            off = np.clip((s - share * s[-1]) / half_mm, -1, 1)
            lumen *= 1 - narrowing * 0.5 * (1 + np.cos(np.pi * off))
    return Artery(name, floats(p), floats(lumen), floats(r), mother)


def divided(arteries: list[Artery]) -> list[Artery]:
    """Return the arteries with the LAD's first part, up to the LCx, as the LM."""
    lad = next(a for a in arteries if a.name == "LAD")
    lcx = next(a for a in arteries if a.name == "LCx")
    fork = int(np.linalg.norm(lad.axis_mm - lcx.axis_mm[0], axis=1).argmin())
    made = []
    for a in arteries:
        if a is lad:
            for name, mother, part in (("LM", "", slice(None, fork + 1)),
                                       ("LAD", "LM", slice(fork, None))):  # fmt: skip
                made.append(Artery(name, floats(a.axis_mm[part]), floats(a.lumen_mm[part]),
                                   floats(a.healthy_mm[part]), mother))  # fmt: skip
        else:
            mother = "LM" if a is lcx else a.mother
            made.append(Artery(a.name, a.axis_mm, a.lumen_mm, a.healthy_mm, mother))
    return made


def fitted(arteries: list[Artery], root_mm: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Return the linear map (3, 3) and shift (3,) that lay the template under the arteries."""
    heart = template.chambers(MUSCLE_MM)
    drawn = template.arteries(template.Person("", muscle_mm=MUSCLE_MM), heart)
    surface = union(grown(heart["muscle"], 0.0), grown(heart["rv"], 3.0),
                    grown(heart["ra"], 2.0), grown(heart["la"], 1.0), blend_mm=6)  # fmt: skip
    right = {"RCA", "R-PDA", "R-PLB", "AM1", "AM2"}
    pairs = []
    for some in (right, {a.name for a in (*drawn, *arteries)} - right):
        theirs = np.vstack([a.axis_mm for a in drawn if a.name in some])
        ours = np.vstack([a.axis_mm[30:] for a in arteries if a.name in some])[::20]
        pairs.append((cKDTree(theirs), ours))

    def parts(x: AnyArray) -> tuple[AnyArray, AnyArray]:
        return Rotation.from_euler("zxy", x[:3]).as_matrix() @ np.diag(x[6:]), x[3:6]

    def off(x: AnyArray) -> AnyArray:
        there, shift = parts(x)
        back = np.linalg.inv(there)
        rest = [0.5 * ((root_mm - shift) @ back.T - template.ROOT), 20 * (x[6:] - 1)]
        for theirs, ours in pairs:
            here = floats((ours - shift) @ back.T)
            weight = 10 / np.sqrt(len(here))
            rest += [
                0.6 * weight * theirs.query(here)[0],
                weight * (surface(here) - SURFACE_MM),
            ]
        return np.concatenate(rest)

    start = np.concatenate([np.zeros(3), root_mm - template.ROOT, np.ones(3)])
    found = least_squares(off, start, loss="soft_l1", f_scale=3.0, max_nfev=150)
    return parts(found.x)


def real_body(folder: Path) -> Body:
    """Return the chest around the arteries in a folder of centrelines.

    `folder` holds `lca_cl.vtp`, `rca_cl.vtp` and `ao_cl.vtp` of yungselm/multimoda-rs.
    """
    arteries, (way, width) = arteries_of(folder)
    there, shift = fitted(arteries, way[0])
    arteries = [
        Artery(a.name, floats(a.axis_mm - shift), a.lumen_mm, a.healthy_mm, a.mother)
        for a in divided(arteries)
    ]
    heart = moved(template.chambers(MUSCLE_MM), there)
    pick = np.arange(0, len(way), 30)
    way, width = way[pick] - shift, width[pick]
    rise = (way[1] - way[0]) / np.linalg.norm(way[1] - way[0])
    arch = np.array([[-9, 12, 82], [8, 40, 92], [14, 66, 78], [13, 74, 40], [11, 76, -40],
                     [8, 78, -140]])  # fmt: skip
    beyond = (template.VALVE + arch) @ there.T
    outflow = (template.BASE + 10 * template.APEX) @ there.T
    heart["aorta"] = tube(
        np.vstack([way[0] - 12 * rise, way, beyond]),
        np.concatenate([[11], width, [13, 12.5, 12, 12, 11, 10.5]]),
    )
    heart["lv"] = union(heart["lv"], tube([outflow, way[0] - 10 * rise, way[0]], [12, 10, 9]))
    vessels = union(*(
        tube(a.axis_mm[10::6], 1.2 * np.median(a.healthy_mm) + 0.5)
        for a in arteries if len(a.axis_mm) > 30
    ))  # fmt: skip
    for name in heart.keys() - {"aorta"}:
        heart[name] = without(without(heart[name], grown(heart["aorta"], 1.5)), vessels, 1.2)
    organs = chest_around(heart, vessels)
    return Body(organs, tuple(arteries), (), template.deposits(CALCIUM, arteries))
