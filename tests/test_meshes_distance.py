"""Distances to a mask and into it, beside those of another implementation."""

import numpy as np
import pytest
from scipy import ndimage

from meshes.distance import FAR_MM, box_around, inside_mm, outside_mm


def blobs(seed):
    """Voxels of any shape, some of them at the edge of the lattice."""
    noise = np.random.default_rng(seed).normal(size=(24, 30, 27))
    return ndimage.gaussian_filter(noise, 2.0) > 0.05


@pytest.mark.parametrize("seed", range(4))
def test_distances_are_exact_wherever_the_mask_lies(seed):
    mask = blobs(seed)
    mask[: 6 * seed] = False  # far from one edge: little of the lattice has to be looked at
    depth, away = inside_mm(mask, 0.4), outside_mm(mask, 0.4)
    assert depth == pytest.approx(ndimage.distance_transform_edt(mask, 0.4), abs=1e-5)
    assert away == pytest.approx(ndimage.distance_transform_edt(~mask, 0.4), abs=1e-5)
    assert depth.dtype == away.dtype == np.float32


def test_where_there_is_nothing_to_measure_to_all_is_far():
    none, every = np.zeros((3, 4, 5), dtype=bool), np.ones((3, 4, 5), dtype=bool)
    assert np.all(outside_mm(none, 1.0) == FAR_MM)
    assert np.all(inside_mm(none, 1.0) == 0.0)
    assert np.all(inside_mm(every, 1.0) == FAR_MM)


def test_a_box_holds_the_mask_and_its_margin_and_stays_in_the_lattice():
    mask = np.zeros((10, 12, 14), dtype=bool)
    mask[1, 5:7, 13] = True
    box = box_around(mask, 2)
    assert mask[box].sum() == mask.sum()
    assert mask[box].shape == (4, 6, 3)
    assert mask[box_around(np.zeros_like(mask), 2)].size == 0
