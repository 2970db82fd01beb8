"""Is this scan good enough to compute FFR from, and does it hold what is needed?"""

from __future__ import annotations

import logging

import numpy as np

from ffr.anatomy import Anatomy
from ffr.errors import StudyError
from ffr.flags import Flag
from ffr.imaging.field_of_view import (
    aortic_root,
    at_border,
    deep_inside,
    nearest_kji,
    volume_ml,
)
from ffr.imaging.noise import flat_noise_hu, patch_sd_hu
from ffr.imaging.opacified import opacified_area_cm2
from ffr.imaging.slab_steps import find_slab_steps
from ffr.reading.dicom_choose import HEART_MM, is_sharp
from ffr.scan import Scan
from meshes.arrays import AnyArray
from meshes.volume import Volume

logger = logging.getLogger(__name__)
COARSE_PIXEL_MM = 1.0  # a 2 mm lumen would be two pixels wide
WIDE_PIXEL_MM = 0.6  # cardiac fields of view of 150 to 250 mm give 0.3 to 0.5 mm
LOW_CONTRAST_HU = 250.0
NO_CONTRAST_HU = 150.0  # blood without contrast reads 30 to 60 HU
STRONG_NOISE_HU = 50.0  # usual is 17 to 42 HU; networks are trained up to 60 HU
LEAST_HEART_ML = 50.0  # left ventricle, blood and muscle; the smallest adult hearts: 90 ml
LEAST_AORTA_ML = 3.0
CUT_SHARE = 0.01
NO_BLOOD_CM2 = 3.0  # less than half the section of an aorta


def check_all(scan: Scan, labels: Volume) -> tuple[Flag, ...]:
    """Run every check that follows the coarse network; one flag per name.

    Raises
    ------
    StudyError
        As `check_anatomy` and `check_resolution`, in this order: first it is said whether
        the heart was found, then that the voxels are too coarse for coronaries.
    """
    found = check_anatomy(scan, labels)
    check_resolution(scan)
    by_name = {flag.name: flag for flag in (*check_scan(scan), *scan.flags, *found)}
    return tuple(by_name[name] for name in sorted(by_name))


def check_resolution(scan: Scan) -> None:
    """Refuse voxels of more than 1.0 mm in plane ("voxels-too-coarse"), the anatomy found."""
    pixel_mm = _pixel_mm(scan)
    if pixel_mm > COARSE_PIXEL_MM + 1e-3:
        message = (
            f"heart and aorta were found, but pixels of {pixel_mm:.2f} mm are far too coarse "
            f"for coronary lumens, at most {COARSE_PIXEL_MM} mm can be analysed; reconstruct a "
            "small cardiac field of view"
        )
        raise StudyError("voxels-too-coarse", message)


def check_scan(scan: Scan) -> tuple[Flag, ...]:
    """Warn of what shows without any segmentation.

    Returns
    -------
    flags
        "noise-strong", "slab-steps", "kernel-sharp", "coverage-short", "voxels-coarse".
    """
    flags = []
    pixel_mm = _pixel_mm(scan)
    noise_hu = flat_noise_hu(scan.volume.values, pixel_mm)
    logger.info("noise in flat tissue: %s HU", "?" if noise_hu is None else round(noise_hu, 1))
    if noise_hu is not None and noise_hu > STRONG_NOISE_HU:
        flags.append(_noise_flag(noise_hu, "flat tissue"))
    flags += _slab_flags(scan, pixel_mm)
    if is_sharp(scan.kernel):
        message = f"kernel {scan.kernel} is made for lung or bone; lumen edges overshoot"
        flags.append(Flag("kernel-sharp", message))
    coverage_mm = _coverage_mm(scan)
    if coverage_mm < HEART_MM:
        message = (
            f"the scan covers {coverage_mm:.0f} mm head to foot, a heart needs {HEART_MM:.0f}"
        )
        flags.append(Flag("coverage-short", message))
    if pixel_mm > WIDE_PIXEL_MM:
        message = f"pixels of {pixel_mm:.2f} mm hide small vessels ({WIDE_PIXEL_MM} mm wanted)"
        flags.append(Flag("voxels-coarse", message))
    return tuple(flags)


def check_anatomy(scan: Scan, labels: Volume) -> tuple[Flag, ...]:
    """Check contrast, noise and field of view with the coarse label map.

    Parameters
    ----------
    labels
        Values of `Anatomy` on any grid of about 2 mm over the scan.

    Returns
    -------
    flags
        "contrast-low", "noise-strong", "heart-cut".

    Raises
    ------
    StudyError
        "contrast-missing", "heart-missing", "coronary-origins-missing".
    """
    ventricle = np.isin(labels.values, (Anatomy.LV, Anatomy.MYOCARDIUM))
    aorta = labels.values == Anatomy.AORTA
    _check_heart(scan, labels, ventricle)
    root = aortic_root(labels)
    if volume_ml(labels.grid, aorta) < LEAST_AORTA_ML or not root.mask.any():
        _refuse_unless_contrast(
            scan, "coronary-origins-missing", "no aortic root next to the left ventricle"
        )
    contrast_hu, noise_hu = _blood_in(scan, labels, root.mask)
    logger.info("aortic root: median %.0f HU, noise %.0f HU", contrast_hu, noise_hu)
    if contrast_hu < NO_CONTRAST_HU:
        message = (
            f"the aortic root reads {contrast_hu:.0f} HU, at least {NO_CONTRAST_HU:.0f} are "
            "needed; give the series with contrast"
        )
        raise StudyError("contrast-missing", message)
    cut = bool(np.any(at_border(scan, labels, root.mask)))
    _check_origins(root.height_mm, root.needed_mm, cut)
    return _anatomy_flags(scan, labels, ventricle, contrast_hu, noise_hu)


def _check_heart(scan: Scan, labels: Volume, ventricle: AnyArray) -> None:
    found_ml = volume_ml(labels.grid, ventricle)
    if found_ml < LEAST_HEART_ML:
        what = (
            f"{found_ml:.0f} ml of left ventricle in the field of view, at least "
            f"{LEAST_HEART_ML:.0f} are needed"
        )
        _refuse_unless_contrast(scan, "heart-missing", what)


def _check_origins(height_mm: float, needed_mm: float, cut: bool) -> None:
    if height_mm >= needed_mm and not cut:
        return
    what = (
        "the aortic root touches the edge of the field of view"
        if cut
        else f"the aorta is seen {height_mm:.0f} mm beyond the left ventricle, "
        f"{needed_mm:.0f} are needed"
    )
    message = f"{what}, so coronary origins may be cut off; give the whole scan"
    raise StudyError("coronary-origins-missing", message)


def _refuse_unless_contrast(scan: Scan, reason: str, what: str) -> None:
    """Blame missing contrast first: without it no network finds a heart."""
    slices = np.linspace(0, len(scan.volume.values) - 1, 12).astype(int)
    pixel_mm = _pixel_mm(scan)
    planes = (scan.volume.values[k] for k in slices)
    if max(opacified_area_cm2(plane, pixel_mm) for plane in planes) < NO_BLOOD_CM2:
        message = "no contrast-filled blood in any slice; give the series with contrast"
        raise StudyError("contrast-missing", message)
    raise StudyError(reason, f"{what}; give the whole coronary CTA")


def _blood_in(scan: Scan, labels: Volume, root: AnyArray) -> tuple[float, float]:
    """Return median HU and noise in the core of the aortic root."""
    core = nearest_kji(scan, labels, deep_inside(labels.grid, root))
    hu = scan.volume.values[tuple(core.T)]
    noise_hu = patch_sd_hu(scan.volume.values, _pixel_mm(scan), core)
    # the median passes over patches that a leaflet, a stent or calcium crosses
    return float(np.median(hu)), float(np.median(noise_hu)) if noise_hu.size else 0.0


def _anatomy_flags(
    scan: Scan, labels: Volume, ventricle: AnyArray, contrast_hu: float, noise_hu: float
) -> tuple[Flag, ...]:
    flags = []
    if contrast_hu < LOW_CONTRAST_HU:
        message = f"the aortic root reads {contrast_hu:.0f} HU ({LOW_CONTRAST_HU:.0f} wanted)"
        flags.append(Flag("contrast-low", message))
    if noise_hu > STRONG_NOISE_HU:
        flags.append(_noise_flag(noise_hu, "the aortic root"))
    cut = float(np.mean(at_border(scan, labels, ventricle)))
    if cut > CUT_SHARE:
        message = (
            f"{100 * cut:.0f} % of the left ventricle lie at the edge of the field of view; "
            "its muscle mass, and with it the flow, may be read too small"
        )
        flags.append(Flag("heart-cut", message))
    return tuple(flags)


def _noise_flag(noise_hu: float, where: str) -> Flag:
    message = (
        f"noise is {noise_hu:.0f} HU (SD in {where}; up to {STRONG_NOISE_HU:.0f} is usual), "
        "small lumens are uncertain"
    )
    return Flag("noise-strong", message)


def _slab_flags(scan: Scan, pixel_mm: float) -> list[Flag]:
    steps = find_slab_steps(scan.volume.values, pixel_mm)
    if not steps.slices.size:
        return []
    slices = ", ".join(str(k + 1) for k in steps.slices[:6])
    message = (
        f"slabs do not fit together at {steps.slices.size} places, after slice {slices}; "
        "a narrowing there may be an artefact"
    )
    return [Flag("slab-steps", message)]


def _pixel_mm(scan: Scan) -> float:
    return float(np.max(scan.volume.grid.spacing_mm[:2]))


def _coverage_mm(scan: Scan) -> float:
    """Return the extent along the axis that runs closest to head and feet."""
    grid = scan.volume.grid
    axis = int(np.argmax(np.abs(grid.direction[2])))
    return float(grid.size[axis] * grid.spacing_mm[axis])
