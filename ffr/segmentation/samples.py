"""Training samples from virtual patients: unlimited, exact, each from its own seed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from ffr.phantom.features import COMMON, HEALTHY
from ffr.phantom.imaging import Imaging, imaged, paint, random_imaging
from ffr.phantom.kernels import tube_distance
from ffr.phantom.patient import VirtualPatient, centre_of_heart_mm, virtual_patient
from ffr.phantom.warped import warped, with_trabeculae
from ffr.segmentation.preprocess import (
    ANATOMY_SPACING_MM,
    VESSEL_SPACING_MM,
    anatomy_input,
    vessel_input,
)
from meshes.arrays import AnyArray, Floats, floats, ints
from meshes.volume import Grid, array_shape

HELD_OUT_SEEDS = 1_000_000  # seeds from here on are never trained on
BRIGHT_VEIN = (0.75, 1.15)  # of the arteries' contrast
# The distance is only a second task in training: it teaches the vessel network where a
# lumen has its middle. That output is not used afterwards.
DISTANCE_CAP_MM = 4.0
WARP_VOXELS = 8  # painted around a whole-heart sample, to be drawn in where a body is bent


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Network input (channels, z, y, x) and what it should say, label (z, y, x).

    `distance_mm` is the distance to the nearest coronary centreline, capped; empty for
    the whole-heart network.
    """

    image: AnyArray
    label: AnyArray
    distance_mm: AnyArray


def _tilted_grid(
    rng: np.random.Generator, centre: Floats, size: tuple[int, int, int], spacing: float
) -> Grid:
    """A cube of voxels around `centre`, turned by up to 20 degrees about a random axis."""
    turn = Rotation.from_rotvec(rng.normal(0, 1, 3) / 3 * np.deg2rad(20)).as_matrix()
    half = (np.array(size) - 1) * spacing / 2
    return Grid(ints(size), floats([spacing] * 3), floats(centre - turn @ half), floats(turn))


def anatomy_sample(seed: int, size: tuple[int, int, int] = (96, 96, 64)) -> Sample:
    """A whole scan at 2 mm of a warped body; the field of view cuts the heart now and then."""
    rng = np.random.default_rng([seed, 21])
    patient = virtual_patient(seed, variation=COMMON)
    imaging = random_imaging(rng, contrast=rng.random() > 0.08)
    spread = 35.0 if rng.random() < 0.15 else 12.0
    centre = centre_of_heart_mm(patient) + rng.normal(0, spread, 3)
    i, j, k = size
    wide = (i + 2 * WARP_VOXELS, j + 2 * WARP_VOXELS, k + 2 * WARP_VOXELS)
    grid = _tilted_grid(rng, centre, wide, ANATOMY_SPACING_MM)
    coarse = dataclasses.replace(
        imaging,
        psf_mm=rng.uniform(1.2, 3.0),
        psf_z_mm=rng.uniform(1.2, 3.0),
        overshoot_percent=0.0,
        noise_hu=imaging.noise_hu * rng.uniform(0.2, 0.6),
        noise_grain_mm=rng.uniform(0.2, 1.2),
    )
    if rng.random() < 0.7:  # streaks are most of a sample's time, and faint at 2 mm
        coarse = dataclasses.replace(
            coarse, hardening_percent=0.0, starvation_percent=0.0, noise_growth_percent=0.0,
            shoulder_hu=0.0,
        )  # fmt: skip
    hu, label = paint(patient, grid, coarse)
    hu, label = warped(rng, hu, label, (k, j, i), ANATOMY_SPACING_MM)
    muscle = dict(imaging.tissue_hu)["myocardium"]
    hu = with_trabeculae(rng, hu, label, ANATOMY_SPACING_MM, muscle)
    seen = dataclasses.replace(grid, size=ints(size))
    image = anatomy_input(imaged(hu, seen, coarse, seed))
    return Sample(image, label, np.zeros(0, np.float32))


def vessel_samples(
    seed: int, count: int, edge: int = 80, healthy: bool = False, bright_veins: bool = False
) -> list[Sample]:
    """Patches at 0.5 mm from one patient, most of them on or beside a vessel.

    `healthy`: the patient of the seed without narrowings and devices; spots of calcium stay.
    `bright_veins`: hard negatives, veins with as much contrast as arteries, in the middle of
    half of the patches; else 35 % of the patches have such veins, 15 % of them in the middle.
    """
    rng = np.random.default_rng([seed, 22])
    burden = float(rng.choice([0.0, 2.0, 5.0]))
    variation = HEALTHY if healthy else COMMON
    patient = virtual_patient(seed, 0.0 if healthy else burden, variation=variation)
    return [
        _vessel_sample(rng, patient, edge, 100 * seed + i, bright_veins) for i in range(count)
    ]


def _vessel_sample(
    rng: np.random.Generator, patient: VirtualPatient, edge: int, seed: int, bright_veins: bool
) -> Sample:
    imaging = random_imaging(rng)
    if bright_veins:
        vein_hu = imaging.contrast_hu * float(rng.uniform(*BRIGHT_VEIN))
        imaging = dataclasses.replace(
            imaging, tissue_hu=tuple({**dict(imaging.tissue_hu), "vein": vein_hu}.items())
        )
    # resampling to the network's grid blurs by about one native voxel
    soft = np.hypot(imaging.psf_mm, rng.uniform(0.2, 0.5))
    imaging = dataclasses.replace(
        imaging,
        psf_mm=float(soft),
        psf_z_mm=float(np.hypot(imaging.psf_z_mm, rng.uniform(0.2, 0.8))),
        noise_grain_mm=float(rng.uniform(0.2, 0.6)),
    )
    centre = _interesting_point(rng, patient, 0.5 if bright_veins else 0.15)
    grid = _tilted_grid(rng, centre, (edge, edge, edge), VESSEL_SPACING_MM)
    hu, label = paint(patient, grid, imaging, vessel_labels=True)
    scanned = imaged(hu, grid, imaging, seed)
    blood = imaging.contrast_hu * rng.normal(1.0, 0.04)
    return Sample(vessel_input(scanned, blood), label, centreline_distance_mm(patient, grid))


def _interesting_point(
    rng: np.random.Generator, patient: VirtualPatient, at_vein: float
) -> Floats:
    tree = patient.left.tree if rng.random() < 0.6 else patient.right.tree
    point = tree.points_mm[rng.integers(len(tree))]
    kind = rng.random()
    if kind < 0.12:  # the ostia
        point = tree.points_mm[0]
    elif kind < 0.12 + at_vein:  # where a vein comes closest to being taken for an artery
        veins = (*patient.veins, *patient.features.veins)
        if veins:
            vein = veins[rng.integers(len(veins))].points_mm
            point = vein[rng.integers(len(vein))]
    elif kind < 0.22 + at_vein:  # anywhere about the heart
        point = centre_of_heart_mm(patient) + rng.uniform(-45, 45, 3)
    return np.asarray(point + rng.uniform(-14, 14, 3))


def centreline_distance_mm(patient: VirtualPatient, grid: Grid) -> AnyArray:
    """Distance of every voxel to the nearest lumen centreline, capped, float32."""
    distance = np.full(array_shape(grid), DISTANCE_CAP_MM, dtype=np.float32)
    unused = np.zeros_like(distance)
    chains = [a.centre_mm[::2] for a in patient.arteries]
    start = np.concatenate([c[:-1] for c in chains])
    end = np.concatenate([c[1:] for c in chains])
    start, end = (
        np.ascontiguousarray((p - grid.origin_mm) @ grid.direction) for p in (start, end)
    )
    thin = np.zeros((len(start), 2))
    tube_distance(distance, unused, grid.spacing_mm, start, end, thin, thin, DISTANCE_CAP_MM)
    return np.maximum(distance, 0.0)


def imaging_of(seed: int) -> Imaging:
    """The scanner used for held-out whole scans of a seed."""
    return random_imaging(np.random.default_rng([seed, 23]))
