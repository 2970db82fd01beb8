"""Point spread from the edges of blood: whatever lies behind them."""

import numpy as np
import pytest
from scipy.stats import norm

from ffr.anatomy import Anatomy
from ffr.imaging.sharpness import scan_sharpness
from meshes.volume import Volume, axis_aligned_grid

BLOOD_HU, WALL_HU, FAT_HU = 420.0, 60.0, -95.0
SPACING_MM = 0.4
FWHM_PER_SD = 2.3548


def scan_of_an_aorta(psf_mm, wall_mm, noise_hu=15.0):
    """A tube of blood along the table, in a wall, in fat: scan and its 2 mm labels."""
    grid = axis_aligned_grid((110, 110, 60), SPACING_MM, (-21.8, -21.8, 0.0))
    x, y = np.meshgrid(*[-21.8 + SPACING_MM * np.arange(110)] * 2)
    r = np.hypot(x, y)
    sd = psf_mm / FWHM_PER_SD
    plane = FAT_HU + (BLOOD_HU - WALL_HU) * norm.cdf((13.0 - r) / sd)
    plane += (WALL_HU - FAT_HU) * norm.cdf((13.0 + wall_mm - r) / sd)
    noise = np.random.default_rng(0).normal(0.0, noise_hu, (60, 110, 110))
    coarse = axis_aligned_grid((22, 22, 12), 2.0, (-21.0, -21.0, 0.0))
    x, y = np.meshgrid(*[-21.0 + 2.0 * np.arange(22)] * 2)
    aorta = np.where(np.hypot(x, y) < 13.0, Anatomy.AORTA, 0).astype(np.uint8)
    labels = Volume(coarse, np.repeat(aorta[None], 12, axis=0))
    return Volume(grid, (plane + noise).astype(np.int16)), labels


@pytest.mark.parametrize("wall_mm", [0.0, 1.5, 2.5])
def test_the_wall_of_the_aorta_does_not_make_a_scan_look_softer(wall_mm):
    seen = scan_sharpness(*scan_of_an_aorta(0.7, wall_mm), BLOOD_HU)
    assert seen.psf_mm == pytest.approx(0.7, rel=0.15)


def test_a_softer_scan_is_seen_as_softer():
    found = [scan_sharpness(*scan_of_an_aorta(psf, 1.5), BLOOD_HU).psf_mm
             for psf in (0.6, 0.8, 1.1)]  # fmt: skip
    assert np.all(np.diff(found) > 0.12)
    assert found[2] == pytest.approx(1.1, rel=0.15)
