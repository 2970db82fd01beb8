"""CT physics of a virtual scan: attenuation, blur, noise, slabs; each drawn from ranges.

Ranges follow the segmentation reference (section 6): point spread 0.45-1.5 mm FWHM,
noise 5-60 HU, lumen 200-750 HU. They are wider than any one scanner on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ffr.phantom.artefacts import add_streaks, grow_with_absorption, moved, shaped_noise
from ffr.phantom.blur import blurred
from ffr.phantom.painting import paint, paint_labels
from ffr.phantom.patient import VirtualPatient
from meshes.arrays import AnyArray, Floats
from meshes.volume import Grid, Volume

FWHM_PER_SD = 2.3548


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
    motion_mm
        Largest way of the heart while the picture is taken.
    hardening_percent, starvation_percent
        Strength of dark bands between dense things, and of streaks from calcium and metal.
    noise_peak_per_mm
        Frequency where the noise is strongest; 0: noise of grain `noise_grain_mm` alone.
    noise_growth_percent, shoulder_hu
        How far noise follows the rays' loss; streak noise from side to side at the top.
    texture_hu, texture_grain_mm
        Unevenness of all tissue but aorta and coronary arteries: standard deviation, size.
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
    motion_mm: float = 0.0
    hardening_percent: float = 0.0
    starvation_percent: float = 0.0
    noise_peak_per_mm: float = 0.0
    noise_growth_percent: float = 0.0
    shoulder_hu: float = 0.0
    texture_hu: float = 0.0
    texture_grain_mm: float = 3.0


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
    faults, surroundings = rng.spawn(2)  # streams of their own: the other draws stay
    if contrast and surroundings.random() < 0.35:  # late scans: veins as bright as arteries
        tissue["vein"] = float(blood * surroundings.uniform(0.8, 1.15))
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
        **_artefacts(faults),
        **_texture(surroundings),
    )


def _artefacts(rng: np.random.Generator) -> dict[str, float]:
    """Draw what goes wrong; from a stream of its own, so that the rest stays as it was."""
    moves, bands, shaped, arms = rng.random(4) < (0.2, 0.6, 0.7, 0.15)
    drawn = rng.uniform(size=6)
    return {
        "motion_mm": float(np.exp(np.log(0.3) + drawn[0] * np.log(10.0))) if moves else 0.0,
        "hardening_percent": float(30.0 * drawn[1]) if bands else 0.0,
        "starvation_percent": float(250.0 * drawn[2]) if bands else 0.0,
        "noise_peak_per_mm": float(0.2 + 0.4 * drawn[3]) if shaped else 0.0,
        "noise_growth_percent": float(100.0 * drawn[4]) if shaped else 0.0,
        "shoulder_hu": float(3.0 + 20.0 * drawn[5]) if arms else 0.0,
    }


def _texture(rng: np.random.Generator) -> dict[str, float]:
    present, strength, size = rng.uniform(size=3)
    return {
        "texture_hu": float(3.0 * 10.0**strength) if present < 0.6 else 0.0,
        "texture_grain_mm": float(1.0 * 8.0**size),
    }


def scan(patient: VirtualPatient, grid: Grid, imaging: Imaging, seed: int) -> Volume:
    """Return the CT scan of a patient on `grid`, int16 HU."""
    hu, _ = paint(patient, grid, imaging)
    right = next(a for a in patient.arteries if not a.parent and a.name == "RCA")
    fastest = right.axis_mm[int(0.45 * len(right.axis_mm))]
    return Volume(grid, imaged(hu, grid, imaging, seed, fastest))


def imaged(
    hu: AnyArray, grid: Grid, imaging: Imaging, seed: int, fastest_mm: Floats | None = None
) -> AnyArray:
    """Move, blur, add streaks, shift slabs, add noise and clip, as a scanner does.

    `fastest_mm`: the place that moves most, if the heart moves; drawn if not given.
    """
    faults = np.random.default_rng([seed, 17])
    if imaging.motion_mm > 0:
        hu = moved(hu, grid, imaging, faults, fastest_mm)
    spacing = np.asarray(grid.spacing_mm)[::-1]
    fwhm = np.array([imaging.psf_z_mm, imaging.psf_mm, imaging.psf_mm])
    sd = fwhm / FWHM_PER_SD / spacing
    seen = blurred(hu, sd)
    if imaging.overshoot_percent > 0:
        wide = blurred(seen, 1.2 * sd, boxed=False)
        seen += imaging.overshoot_percent / 50 * (seen - wide)
    if imaging.hardening_percent > 0 or imaging.starvation_percent > 0:
        add_streaks(seen, hu, grid, imaging, faults)
    rng = np.random.default_rng([seed, 13])
    if imaging.slab_every_mm > 0:
        _shift_slabs(seen, grid, imaging, rng)
    noisy = seen + _noise(rng, hu, grid, imaging)
    return np.clip(np.rint(noisy), -1024, 3071).astype(np.int16)


def _noise(rng: np.random.Generator, hu: AnyArray, grid: Grid, imaging: Imaging) -> AnyArray:
    spacing = np.asarray(grid.spacing_mm)[::-1]
    if imaging.noise_peak_per_mm > 0:
        noise = imaging.noise_hu * shaped_noise(
            rng, hu.shape, spacing, imaging.noise_peak_per_mm, imaging.noise_grain_mm
        )
    else:
        still = np.zeros_like(hu)
        noise = with_noise(rng, still, spacing, imaging.noise_hu, imaging.noise_grain_mm)
    if imaging.noise_growth_percent > 0 or imaging.shoulder_hu > 0:
        grow_with_absorption(noise, hu, grid, imaging, rng)
    return noise


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
    return Volume(grid, paint_labels(patient, grid, flat, vessel_labels=vessels))
