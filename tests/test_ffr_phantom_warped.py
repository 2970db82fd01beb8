"""Bent bodies: labels go with the picture, trabeculae stay blood."""

import numpy as np
import pytest
from scipy import ndimage

from ffr.anatomy import Anatomy
from ffr.phantom import warped as module
from ffr.phantom.warped import warped, with_trabeculae

BLOOD_HU, MUSCLE_HU, FAT_HU = 400.0, 110.0, -90.0


def ball(n=64, inner=11.0, outer=16.0):
    """A ventricle of concentric balls in fat, voxels of 2 mm."""
    r = np.sqrt(((np.indices((n, n, n)) - (n - 1) / 2) ** 2).sum(axis=0))
    label = np.where(r < inner, Anatomy.LV, np.where(r < outer, Anatomy.MYOCARDIUM, 0))
    table = np.array([FAT_HU, 0, BLOOD_HU, MUSCLE_HU], dtype=np.float32)
    return table[label], label.astype(np.uint8)


def test_labels_bend_with_the_picture():
    hu, label = ball()
    shape = (48, 48, 48)
    for seed in range(4):
        seen, told = warped(np.random.default_rng(seed), hu, label, shape, 2.0)
        assert seen.shape == told.shape == shape
        deep = {
            a: ndimage.binary_erosion(told == a, iterations=3)
            for a in (Anatomy.BACKGROUND, Anatomy.LV)
        }
        assert np.ptp(seen[deep[Anatomy.LV]]) == 0
        assert seen[deep[Anatomy.LV]][0] == BLOOD_HU
        assert (seen[deep[Anatomy.BACKGROUND]] == FAT_HU).all()
        rim = (told == Anatomy.MYOCARDIUM).astype(float)
        assert np.average(seen, weights=rim) == pytest.approx(MUSCLE_HU, abs=40)


def test_bodies_come_out_of_many_sizes_and_shapes():
    hu, label = ball()
    share, length = [], []
    for seed in range(12):
        _, told = warped(np.random.default_rng(seed), hu, label, (64, 64, 64), 2.0)
        share.append((told == Anatomy.MYOCARDIUM).sum() / (label == Anatomy.MYOCARDIUM).sum())
        where = np.argwhere(told > 0)
        length.append(np.sqrt(np.linalg.eigvalsh(np.cov(where.T))))
    assert np.std(share) > 0.1
    assert min(share) > 0.4
    assert max(share) < 2.5
    long = np.array(length)
    assert np.median(long[:, 2] / long[:, 0]) > 1.1  # no longer balls


def test_without_turn_stretch_and_bend_the_middle_is_cut_out(monkeypatch):
    for name in ("TURN_DEG", "STRETCH"):
        monkeypatch.setattr(module, name, 0.0)
    monkeypatch.setattr(module, "BENDS_MM", ())
    hu, label = ball()
    seen, told = warped(np.random.default_rng(1), hu, label, (48, 48, 48), 2.0)
    cut = (slice(8, -8),) * 3
    # the random axes of the stretch cancel to rounding
    assert np.allclose(seen, hu[cut], atol=0.1)
    assert np.mean(told != label[cut]) < 1e-3


def test_trabeculae_are_muscle_in_the_blood_near_its_wall():
    hu, label = ball()
    changed = []
    for seed in range(6):
        out = with_trabeculae(np.random.default_rng(seed), hu, label, 2.0, MUSCLE_HU)
        off = out != hu
        depth = 2.0 * ndimage.distance_transform_edt(label == Anatomy.LV)
        assert not off[label != Anatomy.LV].any()
        assert (out[off] >= MUSCLE_HU - 1e-3).all()
        assert (out[off] < BLOOD_HU).all()
        assert not off[depth > module.TRABECULAE_MM].any()
        changed.append(off.sum() / (label == Anatomy.LV).sum())
    assert max(changed) > 0.05
    assert min(changed) < 0.5
