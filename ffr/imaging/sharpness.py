"""How sharp is a scan? Its point spread and noise, read off the edges of the aorta."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from ffr.anatomy import Anatomy
from ffr.imaging.noise import patch_sd_hu
from meshes.arrays import Floats, floats
from meshes.straighten import sampled
from meshes.volume import Volume, ijk_to_points_mm

BLOOD = (Anatomy.AORTA, Anatomy.LA, Anatomy.PULMONARY_ARTERY)
EDGES = 4000  # places looked at
REACH_MM, PACE_MM = 5.0, 0.1
PATCH_MM, PATCH = 0.7, 2  # parallel rays averaged: 5 x 5 of them, these steps apart
LEAST_STEP = 0.5  # of the blood's HU that an edge must fall
SHARP_QUANTILE = 0.3  # real edges are softer than the point spread, never sharper
FEWEST = 30
FWHM_PER_SD = 2.3548
TYPICAL_MM, TYPICAL_RATIO = 0.75, 1.2  # where no edge tells


@dataclass(frozen=True, slots=True, eq=False)
class Sharpness:
    """What blurs a scan, as far as it is known.

    Parameters
    ----------
    psf_mm, psf_z_mm
        Full width at half maximum of the point spread in the slices and across them.
    noise_hu
        Standard deviation of the noise.
    across_direction
        Direction across the slices, a unit vector of patient space.
    """

    psf_mm: float
    psf_z_mm: float
    noise_hu: float
    across_direction: Floats


def scan_sharpness(volume: Volume, labels: Volume, blood_hu: float) -> Sharpness:
    """Measure blur and noise of a scan.

    Edges of aorta, left atrium and pulmonary artery: parallel rays across each are averaged
    against the noise; how far it falls from the blood to its steepest place, and how steeply
    there, is the blur. Of edges in one direction a low quantile counts.

    Parameters
    ----------
    volume
        The scan, HU.
    labels
        `Anatomy` values on any grid.
    blood_hu
        Attenuation of the blood in the aorta.
    """
    across = floats(volume.grid.direction[:, 2])
    points, normal = _edges(labels)
    blur = np.array([])
    tilt = np.array([])
    if len(points):
        blur = _blur_mm(volume, points, normal, blood_hu)
        tilt = np.abs(normal @ across)
    good = np.isfinite(blur)
    in_plane = _quantile(blur[good & (tilt < 0.35)])
    upright = _quantile(blur[good & (tilt > 0.85)])
    spacing = np.asarray(volume.grid.spacing_mm)
    psf = TYPICAL_MM if in_plane is None else _unsampled(in_plane, float(spacing[0]))
    psf_z = psf * TYPICAL_RATIO if upright is None else _unsampled(upright, float(spacing[2]))
    return Sharpness(psf, psf_z, _noise_hu(volume, labels), across)


def _edges(labels: Volume) -> tuple[Floats, Floats]:
    """Return points on the border of blood and the outward normal there, (n, 3) each."""
    points, normals = [], []
    for label in BLOOD:
        soft = gaussian_filter((labels.values == label).astype(np.float32), 1.0)
        slopes = np.stack(list(np.gradient(soft)), axis=-1)[..., ::-1] / labels.grid.spacing_mm
        at = np.argwhere((soft > 0.35) & (soft < 0.65))[:, ::-1]
        way = slopes[at[:, 2], at[:, 1], at[:, 0]]
        size = np.linalg.norm(way, axis=1)
        sure = size > 0.08
        points.append(ijk_to_points_mm(labels.grid, at[sure].astype(np.float64)))
        normals.append(-(way[sure] / size[sure, None]) @ labels.grid.direction.T)
    where, out = np.concatenate(points), np.concatenate(normals)
    picked = np.random.default_rng(0).permutation(len(where))[:EDGES]
    return floats(where[picked]), floats(out[picked])


def _blur_mm(volume: Volume, points: Floats, normal: Floats, blood_hu: float) -> Floats:
    """Return the standard deviation of the blur at each edge, NaN where there is none."""
    first = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal), axis=1)])
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(normal, first)
    t = np.arange(-REACH_MM, REACH_MM + PACE_MM / 2, PACE_MM)
    profile = np.zeros((len(points), t.size))
    steps = np.arange(-PATCH, PATCH + 1) * PATCH_MM
    for a in steps:
        for b in steps:
            start = points + a * first + b * second
            profile += sampled(volume, start[:, None] + t[:, None] * normal[:, None])
    profile /= steps.size**2
    blur = np.full(len(points), np.nan)
    for k in np.flatnonzero(np.isfinite(profile).all(axis=1)):
        blur[k] = _one_blur(profile[k], blood_hu)
    return floats(blur)


def _one_blur(profile: Floats, blood_hu: float) -> float:
    """Return the blur of one edge from blood outwards, in mm; NaN if it is none.

    From the half towards the blood alone, which is only the edge's own: behind the wall of
    an aorta, 1 to 2 mm thick, the fall to fat follows, and makes the whole look softer.
    """
    fall = -np.gradient(profile)
    middle = int(np.argmax(fall[25:-20])) + 25  # room for both sides
    near, away = round(1.5 / PACE_MM), round(2.0 / PACE_MM)
    inside = float(np.median(profile[max(0, middle - near - away) : middle - near]))
    outside = float(profile[middle + near - 3 : middle + near + 4].mean())
    if abs(inside / blood_hu - 1.0) > 0.25 or inside - outside < LEAST_STEP * blood_hu:
        return float("nan")
    before, steepest, behind = (float(x) for x in fall[middle - 1 : middle + 2])
    bend = min(before - 2.0 * steepest + behind, -1e-6)
    part = 0.5 * (before - behind) / bend  # where, between the samples, it is steepest
    most = steepest - 0.25 * (before - behind) * part
    at = float(np.interp(middle + part, np.arange(profile.size), profile))
    # a Gaussian edge of height 2 h falls by 2 h / (sqrt(2 pi) SD) per mm in its middle
    return float(2.0 * (inside - at) / (np.sqrt(2.0 * np.pi) * most) * PACE_MM)


def _quantile(blur: Floats) -> float | None:
    return float(np.quantile(blur, SHARP_QUANTILE)) if blur.size >= FEWEST else None


def _unsampled(blur_mm: float, spacing_mm: float) -> float:
    """Return the point spread's width: interpolating between voxels has blurred too."""
    own = max(blur_mm**2 - spacing_mm**2 / 6.0, (0.15) ** 2)
    return float(FWHM_PER_SD * np.sqrt(own))


def _noise_hu(volume: Volume, labels: Volume) -> float:
    """Return the noise inside aorta and left ventricle."""
    inside = np.isin(labels.values, (Anatomy.AORTA, Anatomy.LV))
    deep = gaussian_filter(inside.astype(np.float32), 2.0) > 0.97
    at = np.argwhere(deep)[:, ::-1].astype(np.float64)
    if not len(at):
        return 25.0
    at = at[np.random.default_rng(0).permutation(len(at))[:400]]
    there = (ijk_to_points_mm(labels.grid, at) - volume.grid.origin_mm) @ volume.grid.direction
    kji = np.rint(there / volume.grid.spacing_mm)[:, ::-1].astype(np.int64)
    found = patch_sd_hu(volume.values, float(volume.grid.spacing_mm[0]), kji)
    return float(np.median(found)) if found.size else 25.0
