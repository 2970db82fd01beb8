"""CT physics of a virtual scan: attenuation, blur, noise, slabs; each drawn from ranges.

Ranges follow the segmentation reference (section 6): point spread 0.45-1.5 mm FWHM,
noise 5-60 HU, lumen 200-750 HU. They are wider than any one scanner on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from ffr.anatomy import Anatomy, Vessel
from ffr.phantom.anatomy import Solid, Tube
from ffr.phantom.coronaries import STEP_MM
from ffr.phantom.kernels import blend, paint_ellipsoid, tube_distance, tubes_near
from ffr.phantom.patient import VirtualPatient
from meshes.arrays import AnyArray, Floats, floats
from meshes.volume import Grid, Volume, array_shape

FWHM_PER_SD = 2.3548
FAR_MM = 1e3
KEEP_LABEL, OWN_LABEL = -1, -2  # of paint: leave labels alone; each item's own
IN_AORTA = 99  # not an Anatomy value: marks the root while vessels are labelled


@dataclass(frozen=True, slots=True)
class Imaging:
    """How the scanner sees the patient.

    Parameters
    ----------
    contrast_hu
        Attenuation of the blood in aorta and coronary ostia.
    tissue_hu
        (tissue, HU) of everything else, as pairs.
    distal_fall_percent
        Loss of lumen contrast over 100 mm of coronary artery.
    psf_mm, psf_z_mm
        Full width at half maximum of the point spread in plane and along the table.
    overshoot_percent
        Edge enhancement of the kernel.
    noise_hu, noise_grain_mm
        Standard deviation of the noise and its correlation length.
    slab_every_mm, slab_shift_mm, slab_step_hu
        Stack transitions: spacing (0: none), largest displacement, HU jump.
    """

    contrast_hu: float
    tissue_hu: tuple[tuple[str, float], ...]
    distal_fall_percent: float
    psf_mm: float
    psf_z_mm: float
    overshoot_percent: float
    noise_hu: float
    noise_grain_mm: float
    slab_every_mm: float
    slab_shift_mm: float
    slab_step_hu: float


def random_imaging(rng: np.random.Generator, contrast: bool = True) -> Imaging:
    """Draw a scanner, a protocol and a contrast timing; `contrast=False`: none given."""
    blood = float(np.clip(rng.normal(430, 110), 200, 750)) if contrast else rng.uniform(30, 55)

    def pool(low: float, high: float) -> float:
        return float(blood * rng.uniform(low, high)) if contrast else blood

    right = pool(0.1, 1.0)
    tissue = {
        "aorta": blood,
        "lv": pool(0.85, 1.08),
        "la": pool(0.85, 1.12),
        "rv": max(45.0, right),
        "ra": max(45.0, right * rng.uniform(0.8, 1.3)),
        "svc": max(45.0, rng.uniform(100, 1500) if contrast else blood),
        "pulmonary": pool(0.25, 1.1),
        "vein": pool(0.15, 0.95),
        "myocardium": rng.uniform(80, 140) if contrast else 45.0,
        "fat": rng.uniform(-120, -60),
        "subcutaneous": -100.0,
        "muscle": rng.uniform(40, 70),
        "lung": rng.uniform(-900, -780),
        "liver": rng.uniform(60, 130),
        "marrow": rng.uniform(120, 260),
        "bone": rng.uniform(350, 800),
    }
    slabs = rng.random() < 0.2
    psf = float(np.exp(rng.uniform(np.log(0.45), np.log(1.3))))
    return Imaging(
        contrast_hu=float(blood),
        tissue_hu=tuple((k, float(v)) for k, v in tissue.items()),
        distal_fall_percent=float(rng.uniform(0, 25)),
        psf_mm=psf,
        psf_z_mm=psf * float(rng.uniform(1.0, 1.6)),
        overshoot_percent=float(rng.uniform(0, 15)),
        noise_hu=float(np.exp(rng.uniform(np.log(6), np.log(50)))),
        noise_grain_mm=float(rng.uniform(0.15, 0.45)),
        slab_every_mm=float(rng.uniform(20, 40)) if slabs else 0.0,
        slab_shift_mm=float(rng.uniform(0, 1.5)) if slabs else 0.0,
        slab_step_hu=float(rng.uniform(0, 30)) if slabs else 0.0,
    )


class Cones(NamedTuple):
    """A bundle of round cones; the columns of the last two hold their start and end."""

    start_mm: Floats  # (n, 3)
    end_mm: Floats  # (n, 3)
    radius_mm: Floats  # (n, 2)
    value_hu: Floats  # (n, 2)


class _Canvas:
    """The voxel arrays being painted, in the lattice's own axes."""

    def __init__(self, grid: Grid) -> None:
        shape = array_shape(grid)
        self.grid = grid
        self.hu = np.full(shape, -1000.0, dtype=np.float32)
        self.label = np.zeros(shape, dtype=np.uint8)
        self.distance = np.full(shape, FAR_MM, dtype=np.float32)
        self.value = np.zeros(shape, dtype=np.float32)
        self.h = float(np.mean(grid.spacing_mm))
        self.high = floats((np.asarray(grid.size) - 1) * np.asarray(grid.spacing_mm))

    def local(self, points_mm: Floats) -> Floats:
        """Patient points in lattice axes, mm from the first voxel."""
        return np.ascontiguousarray((points_mm - self.grid.origin_mm) @ self.grid.direction)

    def solid(self, solid: Solid, value: float, mark: int) -> None:
        """Blend one ellipsoid."""
        d = self.grid.direction
        paint_ellipsoid(
            self.hu, self.label, self.grid.spacing_mm, self.local(solid.centre_mm),
            np.ascontiguousarray(solid.direction @ d), solid.semi_mm,
            np.ascontiguousarray(solid.cut_normal @ d), solid.cut_offset_mm, value, mark,
        )  # fmt: skip

    def bundle(self, cones: Cones, mark: int) -> None:
        """Blend a bundle of cones, nearest one first."""
        a, b = self.local(cones.start_mm), self.local(cones.end_mm)
        reach = cones.radius_mm.max(axis=1) + 2 * self.h
        near = tubes_near(a, b, reach, np.zeros(3), self.high)
        if near.size == 0:
            return
        self.distance.fill(FAR_MM)
        tube_distance(
            self.distance, self.value, self.grid.spacing_mm, a[near], b[near],
            cones.radius_mm[near], cones.value_hu[near], 2.0 * self.h,
        )  # fmt: skip
        blend(self.hu, self.label, self.distance, self.value, self.h, mark)

    def paint(self, items: Iterable[Solid | Tube], table: dict[str, float], mark: int) -> None:
        """Blend solids and tubes in order; `mark` OWN_LABEL keeps each one's own label."""
        for item in items:
            value = table[item.tissue]
            label = int(item.label) if mark == OWN_LABEL else mark
            if isinstance(item, Solid):
                self.solid(item, value, label)
            else:
                self.bundle(chains([(item.points_mm, item.radius_mm, value)]), label)


def chains(parts: Iterable[tuple[Floats, Floats, Floats | float]]) -> Cones:
    """Join chains of points, with radius and attenuation per point, into one bundle."""
    columns: list[tuple[Floats, ...]] = []
    for points, radius, value in parts:
        values = np.broadcast_to(value, radius.shape)
        pairs = (np.stack([q[:-1], q[1:]], axis=1) for q in (radius, values))
        columns.append((points[:-1], points[1:], *pairs))
    return Cones(*(np.concatenate(column) for column in zip(*columns, strict=True)))


def paint(
    patient: VirtualPatient, grid: Grid, imaging: Imaging, vessel_labels: bool = False
) -> tuple[AnyArray, AnyArray]:
    """Paint the sharp, noiseless patient.

    Parameters
    ----------
    patient, grid, imaging
        Who, where, how bright.
    vessel_labels
        Mark `Vessel` labels instead of `Anatomy` labels.

    Returns
    -------
    hu, labels
        Arrays on `grid`, float32 and uint8.
    """
    canvas = _Canvas(grid)
    table = dict(imaging.tissue_hu)
    heart = patient.heart

    def vessel(label: int) -> int:
        return label if vessel_labels else KEEP_LABEL

    own = KEEP_LABEL if vessel_labels else OWN_LABEL
    canvas.paint(heart.behind, table, own)
    canvas.paint(heart.chambers, table, own)
    beside = KEEP_LABEL if vessel_labels else Anatomy.BACKGROUND
    sheath = np.random.default_rng([patient.seed, 11]).uniform(0.3, 3.0)
    arteries = patient.arteries
    canvas.bundle(
        chains((a.axis_mm, a.outer_mm + sheath, table["fat"]) for a in arteries), beside
    )
    if patient.veins:
        veins = ((v.points_mm, v.radius_mm, table["vein"]) for v in patient.veins)
        canvas.bundle(chains(veins), beside)
    walls = chains((a.axis_mm, a.outer_mm, a.plaque_hu) for a in arteries)
    canvas.bundle(walls, vessel(Vessel.PLAQUE))
    canvas.paint(heart.front, table, IN_AORTA if vessel_labels else OWN_LABEL)
    in_aorta = canvas.label == IN_AORTA
    canvas.bundle(_lumen(patient, imaging), vessel(Vessel.LUMEN))
    if patient.calcium:
        canvas.bundle(_calcium(patient), vessel(Vessel.CALCIUM))
    if vessel_labels:  # the first millimetres of wall and lumen lie inside the root
        canvas.label[in_aorta] = Vessel.BACKGROUND
    return canvas.hu, canvas.label


def _lumen(patient: VirtualPatient, imaging: Imaging) -> Cones:
    """Lumen cones; contrast falls along each artery."""
    parts = []
    for a in patient.arteries:
        s = np.arange(len(a.lumen_mm)) * STEP_MM
        fall = 1 - imaging.distal_fall_percent / 100 * np.minimum(s / 100.0, 1.2)
        parts.append((a.centre_mm, a.lumen_mm, imaging.contrast_hu * fall))
    return chains(parts)


def _calcium(patient: VirtualPatient) -> Cones:
    deposits = patient.calcium
    radius = np.concatenate([c.radius_mm for c in deposits])
    value = np.concatenate([c.value_hu for c in deposits])
    return Cones(
        np.concatenate([c.start_mm for c in deposits]),
        np.concatenate([c.end_mm for c in deposits]),
        np.stack([radius, radius], axis=1),
        np.stack([value, value], axis=1),
    )


def scan(patient: VirtualPatient, grid: Grid, imaging: Imaging, seed: int) -> Volume:
    """Return the CT scan of a patient on `grid`, int16 HU."""
    hu, _ = paint(patient, grid, imaging)
    return Volume(grid, imaged(hu, grid, imaging, seed))


def imaged(hu: AnyArray, grid: Grid, imaging: Imaging, seed: int) -> AnyArray:
    """Blur, shift slabs, add noise and clip, as a scanner does."""
    spacing = np.asarray(grid.spacing_mm)[::-1]
    fwhm = np.array([imaging.psf_z_mm, imaging.psf_mm, imaging.psf_mm])
    # painting has already blurred by a box of about one voxel
    sd = np.sqrt(np.maximum((fwhm / FWHM_PER_SD) ** 2 - spacing**2 / 12, 1e-4)) / spacing
    blurred = gaussian_filter(hu, sd, truncate=3.0)
    if imaging.overshoot_percent > 0:
        wide = gaussian_filter(blurred, 1.2 * sd, truncate=3.0)
        blurred += imaging.overshoot_percent / 50 * (blurred - wide)
    rng = np.random.default_rng([seed, 13])
    if imaging.slab_every_mm > 0:
        _shift_slabs(blurred, grid, imaging, rng)
    noisy = with_noise(rng, blurred, spacing, imaging.noise_hu, imaging.noise_grain_mm)
    return np.clip(np.rint(noisy), -1024, 3071).astype(np.int16)


def with_noise(
    rng: np.random.Generator, hu: AnyArray, spacing_mm: Floats, noise_hu: float, grain_mm: float
) -> AnyArray:
    """Return HU (k, j, i) with correlated noise; voxel sizes along k, j, i."""
    noise = rng.standard_normal(hu.shape, dtype=np.float32)
    for axis in range(3):
        noise = gaussian_filter1d(noise, grain_mm / spacing_mm[axis], axis=axis)
    noise *= noise_hu / float(noise[:: max(1, len(noise) // 16)].std())
    return np.asarray(hu + noise)


def _shift_slabs(hu: AnyArray, grid: Grid, imaging: Imaging, rng: np.random.Generator) -> None:
    """Displace slabs in plane and change their brightness, in place."""
    every = max(4, int(imaging.slab_every_mm / grid.spacing_mm[2]))
    first = int(rng.integers(0, every))
    for k in range(first, hu.shape[0], every):
        shift = np.rint(rng.uniform(-1, 1, 2) * imaging.slab_shift_mm / grid.spacing_mm[:2])
        slab = hu[k : k + every]
        slab[:] = np.roll(slab, (int(shift[1]), int(shift[0])), axis=(1, 2))
        slab += rng.uniform(-1, 1) * imaging.slab_step_hu


def truth_labels(patient: VirtualPatient, grid: Grid, vessels: bool = False) -> Volume:
    """Return the exact label map on a grid: `Anatomy`, or `Vessel` when `vessels`."""
    flat = random_imaging(np.random.default_rng(0))
    return Volume(grid, paint(patient, grid, flat, vessel_labels=vessels)[1])
