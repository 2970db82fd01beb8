"""Blood's attenuation along the tree: what wide vessels show, whatever lies in their wall."""

import numpy as np
import pytest

from ffr.imaging.blood_level import local_blood_hu
from meshes.tree import VesselTree
from meshes.volume import Volume, axis_aligned_grid

AORTA_HU = 500.0


def vessel_and_scan(hu, radius=1.8):
    """A straight vessel of 100 mm along x whose axis shows `hu` of path length."""
    n = 201
    s = np.arange(n) * 0.5
    points = np.stack([s, np.zeros(n), np.zeros(n)], axis=1)
    grid = axis_aligned_grid((n + 8, 9, 9), 0.5, (-2.0, -2.0, -2.0))
    x = np.arange(n + 8) * 0.5 - 2.0
    values = np.broadcast_to(hu(x), (9, 9, n + 8)).astype(np.float32)
    wide = np.broadcast_to(radius, n).astype(float)
    return Volume(grid, values), VesselTree(points, wide, np.arange(-1, n - 1)), s


def test_a_vessel_that_keeps_its_contrast_is_not_darkened():
    volume, tree, _ = vessel_and_scan(lambda x: np.full_like(x, AORTA_HU))
    assert local_blood_hu(volume, tree, AORTA_HU, 0.7) == pytest.approx(AORTA_HU)


def test_blood_that_brightens_again_is_followed():
    # as behind an inflow of fresh contrast: no straight line from the aorta fits
    def hu(x):
        return np.where(x < 50.0, 500.0 - 3.0 * x, 480.0)

    volume, tree, s = vessel_and_scan(hu)
    found = local_blood_hu(volume, tree, AORTA_HU, 0.7)
    assert found[s > 70.0] == pytest.approx(480.0, rel=0.07)
    early = np.abs(s - 25.0) < 5.0
    assert found[early] == pytest.approx(500.0 - 3.0 * s[early], rel=0.03)


def test_calcium_and_plaque_on_the_axis_do_not_count():
    def hu(x):
        bright = np.abs(x - 30.0) < 4.0
        return np.where(bright, 1200.0, np.where(np.abs(x - 60.0) < 3.0, 120.0, 450.0))

    volume, tree, _ = vessel_and_scan(hu)
    assert local_blood_hu(volume, tree, AORTA_HU, 0.7) == pytest.approx(450.0, rel=0.03)


def test_thin_vessels_take_the_level_of_the_wide_ones():
    def hu(x):
        return np.where(x < 60.0, 500.0 - 1.0 * x, 200.0)  # dimmed by blur further down

    radius = np.where(np.arange(201) * 0.5 < 60.0, 1.8, 0.6)
    volume, tree, s = vessel_and_scan(hu, radius)
    found = local_blood_hu(volume, tree, AORTA_HU, 0.7)
    assert found[s > 90.0] == pytest.approx(500.0 - s[s > 90.0], rel=0.03)
    # a wider point spread dims a vessel of 1.8 mm radius too: the aorta's level stays
    assert local_blood_hu(volume, tree, AORTA_HU, 1.7) == pytest.approx(AORTA_HU)
