"""Bridges from the side of an artery: a stenosis at a bifurcation leaves no tip."""

import numpy as np
import pytest

from ffr.tracing.bridging import bridges
from ffr.tracing.paths import GAP_COST, Ground, reach
from meshes.volume import Grid, Volume

BLOOD_HU = 400.0
GRID = Grid(np.array([100, 100, 40]), np.array([0.5, 0.5, 0.5]), np.zeros(3), np.eye(3))


def scene(gap_mm, gap_hu, turned=False, forked=False):
    """An artery along x, and the far end of its branch that begins `gap_mm` beside it."""
    sure = np.zeros((40, 100, 100), dtype=bool)
    sure[18:22, 28:32, 5:95] = True
    reached = sure.copy()
    first = 32 + round(gap_mm / 0.5)
    if turned:
        sure[18:22, first : first + 4, 20:80] = True  # runs beside the artery
    elif forked:  # two arms at 35 degrees to either side of the gap
        for step in range(40):
            for x in (48 - int(0.7 * step), 48 + int(0.7 * step)):
                sure[18:22, first + step, x : x + 4] = True
    else:
        sure[18:22, first : first + 40, 48:52] = True
    hu = np.full(sure.shape, -90, dtype=np.int16)
    hu[sure] = BLOOD_HU
    hu[18:22, 32:first, 48:52] = gap_hu
    tips = [
        np.ravel_multi_index((np.full(10, 20), np.full(10, 30), np.arange(84, 94)), sure.shape)
    ]
    return bridges(Volume(GRID, hu), BLOOD_HU, sure, reached, tips, GRID)


def test_a_dim_lumen_joins_a_branch_to_the_side_of_its_artery():
    flat = scene(4.0, 220)
    where = np.stack(np.unravel_index(flat, (40, 100, 100)), axis=1)
    assert where[:, 1].min() <= 32  # from the artery's wall
    assert where[:, 1].max() >= 39  # to the branch
    assert np.abs(where[:, 2] - 50).max() <= 3


def test_what_divides_behind_a_gap_is_joined_where_the_gap_itself_is_lumen():
    arm = scene(4.0, 260, forked=True)
    assert arm.size
    assert scene(4.0, 90, forked=True).size == 0  # no lumen seen


@pytest.mark.parametrize(
    ("gap_mm", "gap_hu", "turned"),
    [
        (4.0, -90, False),
        (4.0, 60, False),
        (9.0, 220, False),
        (4.0, 220, True),
        (4.0, 300, True),
    ],
    ids=["fat between", "wall between", "too far", "runs beside", "runs beside, bright"],
)
def test_other_vessels_near_an_artery_stay_loose(gap_mm, gap_hu, turned):
    assert scene(gap_mm, gap_hu, turned).size == 0


def test_a_path_crosses_a_slit_of_two_voxels_and_no_gap_to_the_vein_beside_it():
    sure = np.zeros((12, 30, 60), dtype=bool)
    sure[5:8, 8:11, 2:58] = True  # an artery along x
    sure[5:8, 8:11, 30:32] = False  # noise: two voxels of it are missing
    sure[5:8, 14:17, 2:58] = True  # a vein, three voxels beside it
    depth = sure.astype(np.float32)
    cost = np.where(sure, 1.0, GAP_COST).astype(np.float32)
    over = Ground(cost, depth, sure, np.zeros_like(sure))
    grid = Grid(np.array([60, 30, 12]), np.full(3, 0.5), np.zeros(3), np.eye(3))
    seed = np.array([np.ravel_multi_index((6, 9, 2), sure.shape)])
    reached = reach(over, seed, np.zeros(0, dtype=np.int64), grid)
    _, j, i = np.unravel_index(reached.voxels, sure.shape)
    assert i.max() == 57
    assert j.max() == 10
