"""Specks and strips of bone are no vessels; vessels stay, whatever they run beside."""

import numpy as np

from ffr.tracing.aortic_root import Root
from ffr.tracing.plausible import plausible
from meshes.volume import Grid, Volume

BLOOD_HU = 400.0
SHAPE = (40, 60, 100)
GRID = Grid(np.array(SHAPE[::-1]), np.array([0.5, 0.5, 0.5]), np.zeros(3), np.eye(3))
ARTERY = np.s_[18:22, 28:32, 20:80]


def kept(bright, aorta=np.s_[0:0]):
    """What is kept of an artery, where `bright` is as bright as blood too, and of a speck."""
    lumen = np.zeros(SHAPE, dtype=bool)
    lumen[aorta] = True
    root = Root(np.s_[0:40, 0:60, 0:100], lumen, lumen, np.zeros(SHAPE, np.float32))
    sure = np.zeros(SHAPE, dtype=bool)
    sure[ARTERY] = True
    sure[5:8, 5:8, 5:8] = True
    hu = np.full(SHAPE, -90, dtype=np.int16)
    hu[sure] = 380
    hu[bright] = 450
    return plausible(Volume(GRID, hu), BLOOD_HU, sure, root, GRID)


def test_a_vessel_stays_and_a_speck_goes():
    found = kept(np.s_[0:0])
    assert found[ARTERY].all()
    assert found.sum() == found[ARTERY].sum()


def test_a_vessel_that_touches_a_chamber_on_its_way_stays():
    assert kept(np.s_[:, 32:, 45:55])[ARTERY].all()


def test_a_strip_of_bone_goes_unless_it_begins_at_the_aorta():
    bone = np.s_[:, 28:32, 10:90]
    assert not kept(bone).any()
    assert kept(bone, aorta=np.s_[10:30, 20:40, 0:16])[ARTERY].all()
