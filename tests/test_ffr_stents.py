"""Stents: found where bright matter closes around the lumen, as wide as their struts."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from ffr.imaging.sharpness import FWHM_PER_SD, Sharpness
from ffr.tracing.stents import find_stents, long_stretches, ring_diameter_mm
from meshes.tree import CoronaryTree, VesselTree
from meshes.volume import Volume, axis_aligned_grid

BLOOD, FAT, SPACING = 400.0, -90.0, 0.25
SEEN = Sharpness(0.65, 0.65, 15.0, np.array([0.0, 0.0, 1.0]))
STEPS = np.arange(-12.0, 12.01, 0.5)
AXIS = np.stack([0 * STEPS, 0 * STEPS, STEPS], axis=1)


def scan(diameter_mm, metal_hu=9000.0, tissue_mm=0.0, neighbour=False):
    """A straight vessel along the table with a ring of 0.1 mm metal, in part open."""
    grid = axis_aligned_grid((49, 49, 113), SPACING, (-6.0, -6.0, -14.0))
    offset = np.arange(49) * SPACING - 6.0
    fine = (np.arange(5) - 2) / 5 * SPACING  # a strut is thinner than a voxel
    x = (offset[:, None] + fine).ravel()
    off = np.hypot(x[:, None], x[None, :])
    radius = diameter_mm / 2
    plane = np.where(off < radius - tissue_mm, BLOOD, np.where(off < radius + 0.3, 60.0, FAT))
    if neighbour:
        plane = np.where(np.hypot(x[:, None] - 4.4, x[None, :]) < 1.5, BLOOD, plane)
    plane = plane + 0.2 * metal_hu * (np.abs(off - radius) < 0.05)  # a fifth is metal
    plane = plane.reshape(49, 5, 49, 5).mean(axis=(1, 3))
    blur = SEEN.psf_mm / FWHM_PER_SD / SPACING
    hu = gaussian_filter(np.broadcast_to(plane, (113, 49, 49)).astype(float), blur)
    hu += np.random.default_rng(1).normal(0, 10, hu.shape)
    return Volume(grid, hu.astype(np.int16))


@pytest.mark.parametrize("diameter", [2.25, 2.5, 2.75, 3.0, 3.5, 4.0])
def test_the_ring_is_as_wide_as_the_struts(diameter):
    found = ring_diameter_mm(scan(diameter), AXIS, SEEN, BLOOD)
    assert found == pytest.approx(diameter, abs=0.09)


def test_tissue_in_the_stent_and_a_vessel_beside_it_do_not_change_its_width():
    tight = ring_diameter_mm(scan(3.0, tissue_mm=0.6), AXIS, SEEN, BLOOD)
    assert tight == pytest.approx(3.0, abs=0.13)
    beside = ring_diameter_mm(scan(3.0, neighbour=True), AXIS, SEEN, BLOOD)
    assert beside == pytest.approx(3.0, abs=0.13)


def test_a_bare_vessel_has_no_ring():
    assert ring_diameter_mm(scan(3.0, metal_hu=0.0), AXIS, SEEN, BLOOD) is None


def tree(radius_mm=1.1):
    n = len(AXIS)
    shape = VesselTree(AXIS, np.full(n, radius_mm), np.arange(n) - 1)
    branch = (np.arange(n) >= 9).astype(int)
    return CoronaryTree(
        shape, "right", np.full(n, 0.1), np.full(n, 1.5), branch, ("RCA", "R-PDA"),
        np.full(n, 1),
    )  # fmt: skip


def test_a_closed_ring_is_a_stent_and_an_open_one_is_not():
    c, nothing = tree(), np.zeros(len(AXIS))
    arc = np.zeros(len(AXIS))
    arc[15:35] = 350.0
    arc[22:25] = 0.0  # one stent, not two
    volume = scan(2.5)
    (found,) = find_stents(volume, c, arc, nothing, SEEN, BLOOD)
    assert (found.vessel, found.first, found.last) == ("R-PDA", 15, 34)
    assert (found.start_mm, found.end_mm) == pytest.approx((7.5, 17.0))
    assert found.diameter_mm == pytest.approx(2.5, abs=0.09)
    assert found.narrow
    assert find_stents(volume, c, np.minimum(arc, 270.0), nothing, SEEN, BLOOD) == ()
    arc[20:] = 0.0  # too short
    assert find_stents(volume, c, arc, nothing, SEEN, BLOOD) == ()


def test_the_network_can_say_so_too_and_where_no_ring_fits_the_lumen_counts(monkeypatch):
    c, probability = tree(1.6), np.zeros(len(AXIS))
    probability[15:35] = 0.9
    stented, no_arc = scan(3.2), np.zeros(len(AXIS))
    (found,) = find_stents(stented, c, no_arc, probability, SEEN, BLOOD)
    assert found.diameter_mm == pytest.approx(3.2, abs=0.09)
    monkeypatch.setattr("ffr.tracing.stents.ring_diameter_mm", lambda *_: None)
    (found,) = find_stents(stented, c, no_arc, probability, SEEN, BLOOD)
    assert found.diameter_mm == pytest.approx(3.2)
    assert not found.narrow


@pytest.mark.parametrize("metal_hu", [0.0, 1000.0])
def test_what_has_no_rim_brighter_than_its_middle_is_no_stent(metal_hu):
    """A sharp kernel draws a faint rim, and the network may believe it."""
    c, certain = tree(1.6), np.ones(len(AXIS))
    bare = scan(3.2, metal_hu=metal_hu)
    assert find_stents(bare, c, 350.0 * certain, certain, SEEN, BLOOD) == ()


def test_stretches_are_joined_over_three_millimetres():
    s = np.arange(0.0, 30.0, 0.5)
    marked = np.zeros(60, dtype=bool)
    marked[[5, 6, 7, 8, 9, 10, 11, 17, 18, 19, 20]] = True
    assert long_stretches(np.arange(60), marked, s, 5.0) == [(5, 20)]
    marked[17] = False
    assert long_stretches(np.arange(60), marked, s, 5.0) == []
