"""What does a scanner do to a view: focal spot, detectors, reconstruction kernel, slices?

Filtered back-projection and the band-limited ramp: Kak & Slaney (1988), chapter 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from meshes.arrays import AnyArray, Floats, floats
from validation.projection_body import BESIDE_MM, COSINE, SINE, VIEWS

FWHM_PER_SD = 2.3548
ROW_HIGH_MM, ROW_PACE_MM = 0.4, 0.3  # detector rows at the axis: the spot jumps along z too
TAPS_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Scanner:
    """A scanner, its settings, and where in it the piece lies.

    Parameters
    ----------
    focal_mm, aperture_mm
        Width of focal spot and detector at the axis; the spot jumps, so readings lie half
        an aperture apart.
    kernel
        "hann", or "shepp-logan", rounded off over its upper half.
    cut_per_mm, boost_percent
        Frequency where the kernel ends, and how much it lifts what lies below.
    thickness_mm, increment_mm, voxel_mm
        Full width at half maximum of the slice profile, distance of slices, pixels.
    photons_per_mm2
        Photons of one view per area at the axis, before the body.
    body_percent
        Size of the body.
    place_rad
        Where around the heart.
    shift_mm
        How far the piece moves in plane during the half turn, along x and y.
    """

    focal_mm: float
    aperture_mm: float
    kernel: str
    cut_per_mm: float
    boost_percent: float
    thickness_mm: float
    increment_mm: float
    voxel_mm: float
    photons_per_mm2: float
    body_percent: float
    place_rad: float
    shift_mm: tuple[float, float]

    @property
    def pitch_mm(self) -> float:
        """Distance of two readings."""
        return 0.5 * self.aperture_mm

    @property
    def place_mm(self) -> Floats:
        """Where the piece lies, from the axis of rotation."""
        x, y, a, b = BESIDE_MM
        size = self.body_percent / 100.0
        return size * floats([x + a * np.cos(self.place_rad), y + b * np.sin(self.place_rad)])


def random_scanner(rng: np.random.Generator, moving: bool = True) -> Scanner:
    """Draw a scanner: kernels soft to sharp, 0.5-0.9 mm slices, half of the pieces moving."""
    sharp = rng.random()
    flat = rng.random() < 0.2
    way, angle = rng.uniform(0, 0.5) * (rng.random() < 0.5) * moving, rng.uniform(0, 2 * np.pi)
    increment = float(rng.uniform(0.3, 0.6))
    return Scanner(
        focal_mm=float(rng.uniform(0.2, 0.6)),
        aperture_mm=float(rng.uniform(0.35, 0.6)),
        kernel="shepp-logan" if flat else "hann",
        cut_per_mm=float((0.5 if flat else 0.65) * 3.8**sharp),
        boost_percent=float(rng.uniform(0, 120)) if rng.random() < 0.6 else 0.0,
        thickness_mm=float(rng.uniform(max(0.5, increment), 0.9)),
        increment_mm=increment,
        voxel_mm=float(rng.uniform(0.3, 0.5)),
        # sharp kernels are used where dose allows
        photons_per_mm2=float(1e6 * np.exp(rng.uniform(-1, 1)) * 8.0**sharp),
        body_percent=float(rng.uniform(85, 110)),
        place_rad=float(rng.uniform(0, 2 * np.pi)),
        shift_mm=(float(way * np.cos(angle)), float(way * np.sin(angle))),
    )


def view_blur(scanner: Scanner, fine_mm: float, number: int) -> AnyArray:
    """Return the blur by focal spot, detector and the gantry's turn, (view, number).

    Shares of rays `fine_mm` apart.
    """
    across = COSINE * scanner.place_mm[1] - SINE * scanner.place_mm[0]
    turned = np.abs(across) * np.pi / VIEWS
    f = np.fft.rfftfreq(TAPS_LENGTH, fine_mm)
    passed = np.sinc(f * scanner.focal_mm) * np.sinc(f * scanner.aperture_mm)
    passed = passed * np.sinc(f * turned[:, None])
    # the middle of an even number of taps lies between two of them
    passed = passed * np.exp(-1j * np.pi * f * fine_mm * (number - 1))
    taps = irfft(passed, TAPS_LENGTH, axis=1)[:, :number]
    return np.asarray((taps / taps.sum(axis=1, keepdims=True)).astype(np.float32))


def filtered(views: AnyArray, scanner: Scanner, pitch_mm: float) -> AnyArray:
    """Return views (..., detector) after the ramp and the kernel."""
    count = views.shape[-1]
    length = next_fast_len(2 * count, real=True)
    n = np.fft.fftfreq(length, 1.0 / length)
    ramp = np.zeros(length)
    ramp[n % 2 == 1] = -1.0 / (np.pi * n[n % 2 == 1] * pitch_mm) ** 2
    ramp[0] = 0.25 / pitch_mm**2
    f = floats(np.fft.rfftfreq(length, pitch_mm))
    passed = np.asarray(rfft(ramp)).real * pitch_mm * kernel_response(scanner, f)
    spectrum = rfft(views, length, axis=-1)
    spectrum *= passed.astype(np.float32)
    return np.ascontiguousarray(irfft(spectrum, length, axis=-1)[..., :count])


def kernel_response(scanner: Scanner, f_per_mm: Floats) -> Floats:
    """Return what the reconstruction kernel makes of each frequency, beside the ramp."""
    x = np.minimum(f_per_mm / scanner.cut_per_mm, 1.0)
    fall = np.cos(0.5 * np.pi * x) ** 2
    if scanner.kernel == "shepp-logan":
        fall = np.sinc(0.5 * x) * np.cos(0.5 * np.pi * np.maximum(2.0 * x - 1.0, 0.0)) ** 2
    return floats(fall * (1.0 + scanner.boost_percent / 100.0 * 4.0 * x * x))


def slice_profile(scanner: Scanner, row_mm: Floats, z_mm: Floats) -> AnyArray:
    """Return the share of each detector row (its height) in each slice, (slice, row)."""
    sd2 = max((scanner.thickness_mm / FWHM_PER_SD) ** 2 - ROW_HIGH_MM**2 / 12.0, 0.01)
    share = np.exp(-0.5 * (row_mm - z_mm[:, None]) ** 2 / sd2)
    return np.asarray((share / share.sum(axis=1, keepdims=True)).astype(np.float32))
