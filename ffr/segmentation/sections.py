"""Polar cross-sections of a vessel: where they are sampled and what their truth is."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.spatial.transform import Rotation

from ffr.phantom.coronaries import Artery
from ffr.phantom.imaging import imaged, paint, random_imaging
from ffr.phantom.patient import VirtualPatient, virtual_patient
from ffr.segmentation.preprocess import (
    SECTION_ANGLES,
    SECTION_OFFSETS_MM,
    SECTION_SAMPLES,
    SECTION_STEP_MM,
    section_input,
)
from meshes.arrays import AnyArray, Floats, floats, ints
from meshes.straighten import frames, sampled
from meshes.volume import Grid, Volume

ANGLES_RAD = np.arange(SECTION_ANGLES) * 2 * np.pi / SECTION_ANGLES
RADII_MM = (np.arange(SECTION_SAMPLES) + 0.5) * SECTION_STEP_MM


def rays(normal: Floats, binormal: Floats) -> Floats:
    """Return unit vectors of all rays of each section, shape (n, angles, 3)."""
    c, s = np.cos(ANGLES_RAD)[:, None], np.sin(ANGLES_RAD)[:, None]
    out: Floats = c * normal[:, None, :] + s * binormal[:, None, :]
    return out


def polar_points_mm(
    centre_mm: Floats, tangent: Floats, normal: Floats, binormal: Floats
) -> Floats:
    """Return sample points, shape (n, offsets, angles, samples, 3).

    Neighbouring sections lie at fixed offsets along the tangent.
    """
    spokes = rays(normal, binormal)[:, :, None, :] * RADII_MM[:, None]
    shift = np.asarray(SECTION_OFFSETS_MM)[:, None] * tangent[:, None, :]
    points: Floats = (centre_mm[:, None, :] + shift)[:, :, None, None, :] + spokes[:, None]
    return points


def polar_hu(
    volume: Volume, centre_mm: Floats, tangent: Floats, normal: Floats, binormal: Floats
) -> AnyArray:
    """Sample the scan on polar sections: (n, offsets, angles, samples), float32 HU."""
    parts = []
    for first in range(0, len(centre_mm), 128):
        part = slice(first, first + 128)
        points = polar_points_mm(centre_mm[part], tangent[part], normal[part], binormal[part])
        parts.append(sampled(volume, points, outside=-1024.0).astype(np.float32))
    return np.concatenate(parts)


def true_radius_mm(artery: Artery, index: int, centre_mm: Floats, spokes: Floats) -> Floats:
    """Distance along each ray (angles, 3) from a centre inside the lumen to its wall.

    Only the artery itself counts: at a bifurcation the side branch is cut off.
    """
    near = slice(max(0, index - 16), index + 17)
    axis, radius = artery.centre_mm[near], artery.lumen_mm[near]
    a, u = axis[:-1], np.diff(axis, axis=0)
    reach = np.arange(0.0, SECTION_SAMPLES * SECTION_STEP_MM + 0.05, 0.05)
    points = centre_mm + reach[None, :, None] * spokes[:, None, :]
    offset = points[:, :, None, :] - a
    t = np.clip((offset * u).sum(-1) / (u * u).sum(-1), 0, 1)
    distance = np.linalg.norm(offset - t[..., None] * u, axis=-1)
    signed = (distance - (radius[:-1] + t * np.diff(radius))).min(axis=2)
    outside = signed > 0
    first = np.where(outside.any(axis=1), outside.argmax(axis=1), len(reach) - 1)
    rows = np.arange(len(spokes))
    before = np.maximum(first - 1, 0)
    d0, d1 = signed[rows, before], signed[rows, first]
    share = np.where(first > 0, d0 / np.minimum(d0 - d1, -1e-9), 0.0)
    crossing: Floats = reach[before] + np.clip(share, 0, 1) * 0.05
    return np.where(first == 0, 0.0, crossing)


def section_samples(seed: int, patches: int = 8) -> tuple[AnyArray, AnyArray]:
    """Cross-sections of one virtual patient and their true radii.

    Returns
    -------
    images
        Network input, shape (n, offsets, angles, samples), float16.
    radius_mm
        True distance to the lumen wall on each ray, shape (n, angles), float32.
    """
    rng = np.random.default_rng([seed, 31])
    patient = virtual_patient(seed, burden=float(rng.choice([1.0, 4.0, 9.0])))
    images, truth = [], []
    for number in range(patches):
        artery = patient.arteries[rng.integers(len(patient.arteries))]
        narrow = np.flatnonzero(artery.lumen_mm < 0.85 * artery.healthy_mm)
        here = int(rng.integers(len(artery.lumen_mm)))
        if narrow.size and rng.random() < 0.6:
            here = int(rng.choice(narrow))
        picked = _patch(rng, patient, artery, here, 100 * seed + number)
        images.append(picked[0])
        truth.append(picked[1])
    return np.concatenate(images).astype(np.float16), np.concatenate(truth).astype(np.float32)


def _patch(
    rng: np.random.Generator, patient: VirtualPatient, artery: Artery, here: int, seed: int
) -> tuple[AnyArray, AnyArray]:
    """Image the surroundings of one point on a native grid; cut a dozen sections."""
    imaging = random_imaging(rng)
    spacing = np.array([1, 1, 0.0]) * rng.uniform(0.3, 0.5)
    spacing[2] = rng.uniform(0.3, 0.8)
    size = np.ceil(20.0 / spacing).astype(int)
    turn = Rotation.from_rotvec(rng.normal(0, 0.2, 3)).as_matrix()
    middle = artery.centre_mm[here]
    grid = Grid(
        ints(size), floats(spacing),
        floats(middle - turn @ ((size - 1) * spacing / 2)), floats(turn),
    )  # fmt: skip
    clean = dataclasses.replace(imaging, slab_every_mm=0.0)
    hu, _ = paint(patient, grid, clean, vessel_labels=True)
    volume = Volume(grid, imaged(hu, grid, clean, seed))
    tangent, normal, binormal = frames(artery.centre_mm, 3.0)
    span = np.arange(max(0, here - 5), min(len(artery.lumen_mm), here + 6))
    centre = np.array(artery.centre_mm[span])
    wobble = rng.normal(0, 0.15, centre.shape)
    wobble *= np.minimum(1, 0.7 * artery.lumen_mm[span] / np.linalg.norm(wobble, axis=1))[
        :, None
    ]
    centre += wobble
    tilt = Rotation.from_rotvec(rng.normal(0, 0.08, (len(span), 3)))
    spin = Rotation.from_rotvec(tangent[span] * rng.uniform(0, 2 * np.pi, (len(span), 1)))
    t, n, b = ((tilt * spin).apply(v[span]) for v in (tangent, normal, binormal))
    fall = 1 - clean.distal_fall_percent / 100 * np.minimum(here * 0.5 / 100.0, 1.2)
    blood = clean.contrast_hu * fall * rng.normal(1.0, 0.05)
    image = section_input(polar_hu(volume, centre, t, n, b), blood)
    spokes = rays(n, b)
    truth = np.stack(
        [true_radius_mm(artery, int(i), centre[m], spokes[m]) for m, i in enumerate(span)]
    )
    return image, truth
