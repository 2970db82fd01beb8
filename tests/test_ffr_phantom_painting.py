"""Painted arteries have exactly the lumen, wall and throat that the truth tells."""

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.special import ndtr

from ffr.phantom.blur import blurred
from ffr.phantom.coronaries import Calcium
from ffr.phantom.fine_kernels import CALCIUM, LUMEN, WALL, deposit_wires
from ffr.phantom.imaging import FWHM_PER_SD
from ffr.phantom.painting import Canvas, Cones, chains, pieces
from meshes.arrays import floats, ints
from meshes.volume import axis_aligned_grid

NOTHING = np.zeros((1, 1, 1), dtype=np.float32), ints(np.full(3, -9))


def painted(grid, bundles, marks=(-1, -1, -1), background=0.0):
    """Paint (layer, cones) pairs on an empty canvas."""
    canvas = Canvas(grid, background)
    layer = np.concatenate([np.full(len(c.chain), n) for n, c in bundles])
    chain = np.concatenate([c.chain + 1000 * m for m, (_, c) in enumerate(bundles)])
    columns = (np.concatenate([c[q] for _, c in bundles]) for q in range(4))
    canvas.layers(Cones(*columns, ints(chain)), ints(layer), *NOTHING, marks)
    return canvas


def tube(way, middle, s, radius, value=1.0):
    return chains([(middle + s[:, None] * way, radius, value)])


def box(spacing, edge_mm=14.0):
    size = np.ceil(edge_mm / np.asarray(spacing)).astype(int) | 1
    return axis_aligned_grid(tuple(size), spacing, tuple(-0.5 * (size - 1) * spacing))


def places(grid):
    axes = [
        o + h * np.arange(n)
        for o, h, n in zip(grid.origin_mm, grid.spacing_mm, grid.size, strict=True)
    ]
    z, y, x = np.meshgrid(*axes[::-1], indexing="ij")
    return np.stack([x, y, z], axis=-1)


@pytest.mark.parametrize("radius", [0.3, 0.5, 0.9, 2.0])
def test_an_oblique_tube_has_the_area_of_its_disc(radius):
    rng = np.random.default_rng(int(100 * radius))
    for _ in range(6):
        spacing = rng.uniform(0.3, 0.6, 3)
        grid = box(spacing)
        way = rng.normal(size=3)
        way /= np.linalg.norm(way)
        s = np.arange(-4.0, 4.01, 0.5)
        cones = tube(way, rng.uniform(-0.3, 0.3, 3), s, np.full(s.size, radius))
        hu = painted(grid, [(LUMEN, cones)]).hu
        volume = hu.sum(dtype=float) * spacing.prod()
        # a round end is half a ball
        area = (volume - 4 / 3 * np.pi * radius**3) / 8.0
        assert area == pytest.approx(np.pi * radius**2, rel=0.01)


def test_a_throat_is_as_deep_as_the_truth():
    rng = np.random.default_rng(5)
    s = np.arange(-6.0, 6.01, 0.5)
    x = np.clip(s / 5.0, -1, 1)
    radius = 1.4 * (1 - 0.7 * 0.5 * (1 + np.cos(np.pi * x)))
    for _ in range(4):
        spacing = rng.uniform(0.3, 0.6, 3)
        grid = box(spacing, 15.0)
        way = rng.normal(size=3)
        way /= np.linalg.norm(way)
        middle = rng.uniform(-0.3, 0.3, 3)
        hu = painted(grid, [(LUMEN, tube(way, middle, s, radius))]).hu
        along = (places(grid) - middle) @ way
        fine = np.arange(-6.0, 6.0, 0.01)
        for at, sd in ((0.0, 0.7), (0.0, 1.5), (1.5, 0.7), (-1.5, 0.7)):
            # smooth weights: the sum is an integral along the vessel, through the voxel's box
            area = (hu * np.exp(-0.5 * ((along - at) / sd) ** 2)).sum() * spacing.prod()
            wide = np.hypot(sd, np.linalg.norm(spacing * way) / np.sqrt(12))
            truth = sd / wide * np.exp(-0.5 * ((fine - at) / wide) ** 2)
            expected = (truth * np.pi * np.interp(fine, s, radius) ** 2).sum() * 0.01
            assert area == pytest.approx(expected, rel=0.01)


def test_walls_lumens_and_calcium_share_a_voxel_without_gaps():
    spacing = np.array([0.4, 0.5, 0.45])
    grid = box(spacing)
    way = np.array([0.36, 0.48, 0.8])
    s = np.arange(-4.0, 4.01, 0.5)
    r, outer = 1.0, 1.25  # a wall thinner than a voxel
    bundles = [
        (WALL, tube(way, np.zeros(3), s, np.full(s.size, outer), 100.0)),
        (LUMEN, tube(way, np.zeros(3), s, np.full(s.size, r), 400.0)),
    ]
    hu = painted(grid, bundles, background=-100.0).hu
    here = np.abs(places(grid) @ way) < 2.0
    assert hu[here].max() == pytest.approx(400.0, abs=0.5)
    volume = spacing.prod()
    ends = 4 / 3 * np.pi
    lumen, whole = (np.pi * q**2 * 8.0 + ends * q**3 for q in (r, outer))
    total = 500.0 * lumen + 200.0 * (whole - lumen)
    assert (hu + 100.0).sum(dtype=float) * volume == pytest.approx(total, rel=0.004)


def test_calcium_ends_where_the_lumen_begins():
    grid = box(np.array([0.3, 0.3, 0.3]), 8.0)
    s = np.arange(-6.0, 6.01, 0.5)
    way = np.array([0.0, 0.0, 1.0])
    ring = Calcium(
        floats([[1.0, 0.0, -4.0]]), floats([[1.0, 0.0, 4.0]]), floats([0.5]), floats([1000.0])
    )
    bundles = [
        (LUMEN, tube(way, np.zeros(3), s, np.ones(s.size), 0.0)),
        (CALCIUM, pieces((ring,))),
    ]
    canvas = painted(grid, bundles, marks=(1, 2, 3))
    off = np.linalg.norm(places(grid)[..., :2], axis=-1)
    assert canvas.hu[off < 0.78].max() == 0.0
    assert canvas.hu.max() == pytest.approx(1000.0)
    assert canvas.label[off < 0.78].max() == 2  # here the mark of the lumen
    assert 3 in canvas.label


def test_wires_thinner_than_a_voxel_keep_their_volume():
    part = np.zeros((20, 20, 20))
    spacing = floats([0.4, 0.4, 0.5])
    start, end = floats([[1.0, 1.1, 2.0]]), floats([[5.0, 6.0, 7.0]])
    deposit_wires(part, spacing, start, end, floats([0.05]), 0.02)
    length = np.linalg.norm(end - start)
    assert part.sum() * spacing.prod() == pytest.approx(np.pi * 0.05**2 * length, rel=1e-9)
    filled = np.argwhere(part > 0)[:, ::-1] * spacing
    t = (filled - start[0]) @ (end - start)[0] / length**2
    off = np.linalg.norm(filled - start[0] - t[:, None] * (end - start)[0], axis=1)
    assert off.max() < 0.5 * np.linalg.norm(spacing)


@pytest.mark.parametrize(("fwhm", "h"), [(0.45, 0.4), (0.65, 0.4), (0.65, 0.5), (1.3, 0.5)])
def test_edges_are_as_wide_as_the_point_spread_says(fwhm, h):
    x = np.arange(-30, 31) * h
    place, profile = [], []
    for edge in np.linspace(-h / 2, h / 2, 20, endpoint=False):
        share = np.clip(0.5 + (x - edge) / h, 0.0, 1.0)
        seen = blurred(share[None, None], np.full(3, fwhm / FWHM_PER_SD / h))[0, 0]
        near = np.abs(x) < 6 * h
        place.append((x - edge)[near])
        profile.append(seen[near])
    place, profile = np.concatenate(place), np.concatenate(profile)
    (sd,), _ = curve_fit(lambda q, sd: ndtr(q / sd), place, profile, [fwhm / FWHM_PER_SD])
    assert sd * FWHM_PER_SD == pytest.approx(fwhm, rel=0.03)
    assert np.abs(profile - ndtr(place / sd)).max() < 0.05
