"""Lumen that the vessel map has missed, though the scan shows it."""

import numpy as np
import pytest

from ffr.anatomy import Vessel
from ffr.tracing.missed_lumen import missed_lumen
from meshes.volume import Grid, Volume

BLOOD_HU, VEIN_HU, MUSCLE_HU = 400, 150, 110
SHAPE = (60, 60, 200)
GRID = Grid(np.array(SHAPE[::-1]), np.array([0.5, 0.5, 0.5]), np.zeros(3), np.eye(3))
Z, Y, X = np.indices(SHAPE)
ARTERY = (Z - 30) ** 2 + (Y - 20) ** 2 <= 2.2**2  # 1.1 mm along x, 100 mm long


def scene(first=80, last=120, gap_hu=BLOOD_HU, called=Vessel.BACKGROUND, vein_hu=VEIN_HU):
    """An artery in muscle whose map lacks some of its length, and a wide vein beside it."""
    hu = np.full(SHAPE, MUSCLE_HU, dtype=np.int16)
    hu[ARTERY] = BLOOD_HU
    unmapped = ARTERY & (first <= X) & (last > X)
    hu[unmapped] = gap_hu
    vein = (Z - 30) ** 2 + (Y - 45) ** 2 <= 5**2
    hu[vein] = vein_hu
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[vein] = Vessel.VEIN
    labels[unmapped] = called
    sure = ARTERY & ~unmapped
    return hu, sure, labels, unmapped


def found(hu, sure, labels):
    return missed_lumen(Volume(GRID, hu), BLOOD_HU, sure, labels, GRID)


def test_an_artery_in_the_muscle_is_joined_by_its_lumen():
    hu, sure, labels, unmapped = scene()
    missed = found(hu, sure, labels)
    assert not (missed & sure).any()
    assert missed[unmapped].mean() > 0.9
    assert missed[unmapped | ~ARTERY].sum() < 1.5 * unmapped.sum()  # and little but its lumen


def test_a_bright_artery_that_the_map_calls_a_vein_is_joined_if_veins_are_dark():
    hu, sure, labels, unmapped = scene(called=Vessel.VEIN)
    missed = found(hu, sure, labels)
    assert (missed & unmapped)[:, :, 80:120].any(axis=(0, 1)).all()  # all along
    hu, sure, labels, _ = scene(called=Vessel.VEIN, vein_hu=360)
    assert not found(hu, sure, labels).any()


def test_pulmonary_veins_do_not_tell_how_bright_the_hearts_own_are():
    hu, sure, labels, unmapped = scene(called=Vessel.VEIN)
    pulmonary = (Z - 30) ** 2 + (Y - 3) ** 2 <= 9**2  # 4.5 mm, of the left atrium's blood
    pulmonary &= X > 150
    hu[pulmonary & ~ARTERY], labels[pulmonary & ~ARTERY] = BLOOD_HU, Vessel.VEIN
    heart = labels[:, 40:50] == Vessel.VEIN
    labels[:, 40:50][heart & (X[:, 40:50] > 60)] = Vessel.BACKGROUND  # few of its own mapped
    missed = found(hu, sure, labels)
    assert (missed & unmapped)[:, :, 80:120].any(axis=(0, 1)).all()


@pytest.mark.parametrize("beside_hu", [VEIN_HU, MUSCLE_HU])
def test_a_wide_artery_called_a_vein_is_no_witness_about_itself(beside_hu):
    # the division of a left main, 4.4 mm wide; one of two kinds of scan shows a vein
    hu, _, labels, _ = scene(vein_hu=beside_hu)
    if beside_hu == MUSCLE_HU:
        labels[:] = Vessel.BACKGROUND
    wide = (Z - 30) ** 2 + (Y - 20) ** 2 <= 4.4**2
    hu[wide] = BLOOD_HU
    unmapped = wide & (X >= 84) & (X < 114)
    labels[unmapped] = Vessel.VEIN
    missed = found(hu, wide & ~unmapped, labels)
    assert (missed & unmapped)[:, :, 84:114].any(axis=(0, 1)).all()


def test_a_long_bright_vein_is_no_artery_where_no_other_vein_is_seen():
    hu, _, labels, _ = scene(vein_hu=MUSCLE_HU)
    labels[:] = Vessel.BACKGROUND
    unmapped = ARTERY & (X >= 70) & (X < 130)
    labels[unmapped] = Vessel.VEIN
    assert not found(hu, ARTERY & ~unmapped, labels).any()


@pytest.mark.parametrize(
    "given",
    [
        {"gap_hu": MUSCLE_HU},
        {"gap_hu": 250, "called": Vessel.VEIN, "vein_hu": 200},
        {"first": 30, "last": 170},
        {"first": 10, "last": 190},
    ],
    ids=["no lumen seen", "a vein's brightness", "too long", "only specks"],
)
def test_what_is_no_thin_bright_way_between_vessels_is_not_joined(given):
    hu, sure, labels, _ = scene(**given)
    assert not found(hu, sure, labels).any()


def test_there_is_no_way_through_a_chamber():
    hu, sure, labels, _ = scene()
    hu[:, 5:36, 82:118] = BLOOD_HU
    assert not found(hu, sure, labels).any()


def test_without_blood_of_known_brightness_nothing_is_joined():
    hu, sure, labels, _ = scene()
    assert not missed_lumen(Volume(GRID, hu), 0.0, sure, labels, GRID).any()
