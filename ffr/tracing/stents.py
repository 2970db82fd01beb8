"""Where is a stent, and how wide? Its struts are a closed bright ring of known blur.

The lumen network reads a lumen of 3 mm in a stent half a millimetre too narrow, since struts
bloom; the ring itself can be measured: what blurs it is known. `python -m validation stents`
says how well both work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from scipy.special import i0e

from ffr.imaging.sharpness import FWHM_PER_SD, Sharpness
from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.straighten import frames, sampled
from meshes.tree import CoronaryTree, path_length_mm
from meshes.volume import Volume

STENT_PROBABILITY, STENT_MM = 0.5, 5.0  # stents are 8 to 40 mm long
RING_DEGREES = 320.0  # calcium all around is rare, struts are all around
NARROW_STENT_MM = 3.0  # below, CT does not show the lumen (SCCT; segmentation reference)
GAP_MM = 3.0  # a shorter interruption belongs to it
INNER_MM = 1.0  # from each end: half a ring has another profile
ANGLES_RAD = np.arange(32) * 2 * np.pi / 32
RADII_MM = np.arange(0.05, 4.0, 0.1)
RINGS_MM = np.arange(0.8, 2.4, 0.04)  # radii that are tried
SOFTER = (1.0, 1.15, 1.3)  # than the point spread: the course is not quite the axis
HALF_STRUT_MM, TISSUE_SHARE = 0.05, 0.7  # what is fitted inside: blood, and less of it
BEYOND_MM = 0.9  # of the ring the profile still counts
FLOOR_HU = -200.0  # below all tissue about a vessel
# Rim over middle, of the blood's HU: 0.04 and more in stents of 2.25-4 mm (those of
# `validation stents`), up to 0.01 where streaks or a sharp kernel deceive the network
MIDDLE_MM, LEAST_RIM = 0.5, 0.02
LEAST_RING, MOST_MISFIT = 0.3, 0.06  # height of the ring and error, of the blood's HU


@dataclass(frozen=True, slots=True)
class Stent:
    """A stent as it is seen.

    Parameters
    ----------
    vessel
        The vessel it lies in.
    first, last
        Its first and last point: indices into the tree.
    start_mm, end_mm
        Path length from the ostium to these points.
    diameter_mm
        Of the middle of its struts; the measured lumen's where no ring stands out.
    """

    vessel: str
    first: int
    last: int
    start_mm: float
    end_mm: float
    diameter_mm: float

    @property
    def narrow(self) -> bool:
        """Whether CT does not show its lumen; judged as printed, in tenths."""
        return round(self.diameter_mm, 1) < NARROW_STENT_MM


def find_stents(
    volume: Volume, coronary: CoronaryTree, arc_deg: Floats, probability: Floats,
    seen: Sharpness, blood_hu: float,
) -> tuple[Stent, ...]:  # fmt: skip
    """Return the stents of a tree, vessel by vessel.

    A stent is where the network says so, or where bright matter closes around the lumen, for
    5 mm and more; and where its rim is brighter than its middle, as struts make it at any blur
    that leaves a stent to be seen.

    Parameters
    ----------
    volume
        The scan, HU.
    coronary
        The named tree.
    arc_deg, probability
        Arc of calcium (or metal) around the lumen and probability of a stent, (n,).
    seen
        Blur of the scan.
    blood_hu
        Attenuation of the blood in the aorta.
    """
    s = path_length_mm(coronary.tree)
    marked = (probability > STENT_PROBABILITY) | (arc_deg >= RING_DEGREES)
    found = []
    for number, name in enumerate(coronary.names):
        own = np.flatnonzero(coronary.branch == number)
        for first, last in long_stretches(own, marked, s, STENT_MM):
            inside = own[(s[own] >= s[first]) & (s[own] <= s[last])]
            inside = inside[np.argsort(s[inside])]
            points = coronary.tree.points_mm[inside]
            if not _rimmed(volume, points, blood_hu):
                continue
            width = ring_diameter_mm(volume, points, seen, blood_hu)
            if width is None:
                width = 2.0 * float(np.median(coronary.tree.radius_mm[inside]))
            found.append(Stent(name, first, last, float(s[first]), float(s[last]), width))
    return tuple(found)


def long_stretches(
    own: Ints, marked: AnyArray, s: Floats, least_mm: float
) -> list[tuple[int, int]]:
    """Return first and last point of each marked stretch of a vessel that is long enough."""
    here = own[marked[own]]
    if not here.size:
        return []
    here = here[np.argsort(s[here])]
    parts = np.split(here, np.flatnonzero(np.diff(s[here]) > GAP_MM) + 1)
    return [(int(p[0]), int(p[-1])) for p in parts if s[p[-1]] - s[p[0]] >= least_mm]


def ring_diameter_mm(
    volume: Volume, points_mm: Floats, seen: Sharpness, blood_hu: float
) -> float | None:
    """Return the diameter of a bright ring around a course (n, 3); None: there is none.

    The mean profile across the vessel is fitted by a disc of blood, a narrower one (tissue in
    the stent), a thin ring and what is around, all blurred by the point spread; the ring's
    radius is the one that fits best.
    """
    profile = _profile(volume, points_mm)
    blur = np.sqrt((2 * seen.psf_mm**2 + seen.psf_z_mm**2) / 3) / FWHM_PER_SD
    best = min(
        (_misfit(profile, float(radius), float(soft * blur)) for radius in RINGS_MM
         for soft in SOFTER),
        key=lambda fit: fit[0],
    )  # fmt: skip
    error, height, radius = best
    if height < LEAST_RING * blood_hu or error > MOST_MISFIT * blood_hu:
        return None
    return 2.0 * radius


def _rimmed(volume: Volume, points: Floats, blood_hu: float) -> bool:
    """Tell whether the vessel's mean profile is brighter on a rim than in the middle."""
    profile = _profile(volume, points)
    middle = profile[RADII_MM < MIDDLE_MM].mean()
    rim = profile[(RADII_MM > MIDDLE_MM) & (RINGS_MM[-1] > RADII_MM)].max()
    return bool(rim > middle + LEAST_RIM * blood_hu)


def _profile(volume: Volume, points: Floats) -> Floats:
    """Attenuation by distance from a course: mean along it, median around it, (radii,).

    The last millimetre at each end is left out where the course is long enough.
    """
    step = float(np.linalg.norm(np.diff(points, axis=0), axis=1).mean())
    cut = min(round(INNER_MM / step), (len(points) - 3) // 2)
    inner = slice(cut, len(points) - cut)
    _, normal, binormal = frames(points, 3.0)
    spokes = (
        np.cos(ANGLES_RAD)[:, None] * normal[:, None]
        + np.sin(ANGLES_RAD)[:, None] * binormal[:, None]
    )
    places = points[:, None, None] + spokes[:, :, None] * RADII_MM[:, None]
    hu = sampled(volume, places[inner], outside=FLOOR_HU)
    return floats(np.median(hu.mean(axis=0), axis=0))  # a neighbour lies on one side only


def _misfit(profile: Floats, radius_mm: float, blur_mm: float) -> tuple[float, float, float]:
    """Return error of the best fit with a ring of a radius, HU; the ring's height; radius."""
    near = radius_mm + BEYOND_MM > RADII_MM
    terms = np.stack(
        [
            np.ones_like(RADII_MM),
            _disc(radius_mm - HALF_STRUT_MM, blur_mm),
            _disc(TISSUE_SHARE * radius_mm, blur_mm),
            _ring(radius_mm, blur_mm),
        ],
        axis=1,
    )
    weight = np.sqrt(RADII_MM[near])  # as many places lie at a distance
    part, error = nnls(
        terms[near] * weight[:, None], (np.maximum(profile, FLOOR_HU) - FLOOR_HU)[near] * weight
    )
    height = part[3] * float(_ring(radius_mm, blur_mm).max())
    return float(error / np.linalg.norm(weight)), height, radius_mm


def _ring(radius_mm: float, blur_mm: float) -> Floats:
    """Return a thin ring blurred by a Gaussian, by distance from its middle, (radii,).

    The mean of the Gaussian around a circle: exp(-(r - R)^2 / 2 b^2) I0e(r R / b^2).
    """
    off = (RADII_MM - radius_mm) ** 2 / (2 * blur_mm**2)
    return floats(np.exp(-off) * i0e(RADII_MM * radius_mm / blur_mm**2))


def _disc(radius_mm: float, blur_mm: float) -> Floats:
    """Return a disc of 1 blurred by a Gaussian, by distance from its middle, (radii,)."""
    edge = np.linspace(0.0, radius_mm, 41)
    middle, width = 0.5 * (edge[1:] + edge[:-1]), edge[1]
    rings = [q * _ring(float(q), blur_mm) for q in middle]
    return floats(np.sum(rings, axis=0) * width / blur_mm**2)
