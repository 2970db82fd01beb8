"""OV, OF, OT, AI, Dice, clDice, HD95: lines and masks whose numbers are known."""

import numpy as np
import pytest
from validation_trees import forked, straight

from meshes.volume import Grid, array_shape, axis_aligned_grid
from validation.centreline_overlap import clipped, connections, overlap
from validation.labelled_vessels import found_way_mm, vessel_overlaps, ways
from validation.mask_overlap import cl_dice, hd95_mm, mask_overlap, painted

STEP = 0.1  # percent: a line of 40 mm has 1300 points


def line(first=0.0, last=40.0, off=0.0):
    x = np.arange(first, last + 0.25, 0.5)
    return np.column_stack([x, np.full(x.size, off), np.zeros(x.size)])


REFERENCE = line()


def measured(found, radius_mm=1.0):
    return overlap(REFERENCE, np.broadcast_to(radius_mm, len(REFERENCE)), found)


def test_a_line_overlaps_itself_wholly():
    same = measured(REFERENCE)
    assert (same.overlap_percent, same.until_error_percent, same.relevant_percent) == (
        100, 100, 100,
    )  # fmt: skip
    assert same.inside_mm == pytest.approx(0.0, abs=0.016)  # half a step: one line waits


@pytest.mark.parametrize(("off", "percent"), [(0.4, 100), (0.95, 100), (1.05, 0)])
def test_a_shifted_line_is_right_within_the_radius_and_wrong_beyond(off, percent):
    made = measured(line(off=off))
    assert made.overlap_percent == made.until_error_percent == percent
    inside = pytest.approx(off, abs=0.002) if percent else None
    assert made.inside_mm == inside


def test_a_line_that_stops_loses_the_rest_but_for_a_radius():
    made = measured(line(last=20.0))
    assert made.overlap_percent == pytest.approx(100 * (21 + 20) / (40 + 20), abs=STEP)
    assert made.until_error_percent == pytest.approx(100 * 21 / 40, abs=STEP)


def test_a_line_that_runs_on_counts_against_overlap_only():
    made = measured(line(last=50.0))
    assert made.overlap_percent == pytest.approx(100 * (40 + 41) / (40 + 50), abs=STEP)
    assert made.until_error_percent == 100


def test_the_first_error_ends_of_though_the_line_comes_back():
    found = line()
    found[24:33, 1] = 3.0  # 12 to 16 mm, ramps of half a millimetre
    made = measured(found)
    assert 28 < made.until_error_percent < 32
    assert 75 < made.overlap_percent < 95


@pytest.mark.parametrize(("begin", "percent"), [(3.0, 100 * 38 / 40), (8.0, None)])
def test_errors_in_the_first_5_mm_do_not_end_of(begin, percent):
    made = measured(line(first=begin))
    # right are points from one radius before the beginning on; those at 5 mm decide
    expected = 0.0 if percent is None else percent
    assert made.until_error_percent == pytest.approx(expected, abs=STEP)


def test_ot_ends_with_the_last_point_of_1_5_mm():
    taper = np.linspace(2.0, 0.4, len(REFERENCE))  # 0.75 mm at 31.25 mm
    made = measured(line(last=31.25), taper)
    assert made.relevant_percent == pytest.approx(100, abs=STEP)
    assert made.overlap_percent < 95
    beyond = measured(line(last=50.0), taper)
    assert beyond.relevant_percent == 100
    assert beyond.overlap_percent < 92
    assert measured(REFERENCE, 0.6).relevant_percent is None
    widening = measured(line(last=30.0), np.linspace(0.4, 0.8, len(REFERENCE)))
    # the last wide point is the end, so the thin ones before it count, too
    reach = 30.0 + 0.7077  # one radius, of that place, beyond the end
    assert widening.relevant_percent == pytest.approx(100 * (reach + 30) / (40 + 30), abs=0.2)


def test_what_lies_before_the_start_is_cut_off_where_it_passes_the_disc():
    early = line(first=-15.0)
    assert measured(early).overlap_percent == 100
    assert clipped(early, REFERENCE, 1.0)[0] == pytest.approx([0, 0, 0])
    far = line(first=-15.0, off=2.5)  # passes the plane beside the disc
    assert clipped(far, REFERENCE, 1.0) is far


def test_connections_are_in_order_and_together_least_long():
    random = np.random.default_rng(4)
    for n, m in ((1, 1), (1, 6), (7, 1), (9, 6), (12, 15)):
        p, q = random.normal(size=(n, 3)), random.normal(size=(m, 3))
        gap = np.linalg.norm(p[:, None] - q[None], axis=2)
        least = np.full((n + 1, m + 1), np.inf)
        least[0, 1] = 0.0
        for i in range(n):
            for j in range(m):
                before = least[0, 1] if i == j == 0 else min(least[i, j + 1], least[i + 1, j])
                least[i + 1, j + 1] = gap[i, j] + before
            least[0, 1] = np.inf
        here, there, length = connections(p, q)
        assert length.sum() == pytest.approx(least[-1, -1])
        steps = np.diff(here) + np.diff(there)
        assert np.all(steps == 1)
        assert (here[0], there[0], here[-1], there[-1]) == (0, 0, n - 1, m - 1)


def test_main_vessels_and_the_longest_side_branch_are_followed():
    tree = forked(names=("LM", "LAD", "OM1"), lengths=(20, 12))
    assert [(w.name, len(w.points)) for w in ways([tree])] == [
        ("LAD", 21 + 40), ("side branch", 21 + 24)
    ]  # fmt: skip
    assert [w.name for w in ways([straight(name="RCA", side="right")])] == ["RCA"]
    rows = vessel_overlaps([tree], [tree])
    assert [(v.vessel, v.overlap_percent) for v in rows] == [("LAD", 100), ("side branch", 100)]
    nothing = vessel_overlaps([tree], [])
    assert {v.overlap_percent for v in nothing} == {0.0}
    assert {v.inside_mm for v in nothing} == {None}


def test_the_found_way_is_the_one_that_fits_best():
    tree = forked()
    for tip, side in ((40, 1), (-1, -1)):
        path = tree.tree.points_mm[
            [*range(21), *(range(21, 41) if tip == 40 else range(41, 81))]
        ]
        way = found_way_mm(path, np.full(len(path), 1.2), [straight(offset_mm=40.0), tree])
        assert np.sign(way[-1, 1]) == side
    assert found_way_mm(path + [0, 0, 9.0], np.full(len(path), 1.2), [tree]) is None


def tube(shape=(60, 21, 21), radius=4.0, first=0, last=60):
    k, j, i = np.indices(shape)
    return (np.hypot(j - 10, i - 10) <= radius) & (k >= first) & (k < last)


ONE_MM = np.ones(3)


def test_masks_that_are_the_same_agree_and_empty_ones_say_nothing():
    same = mask_overlap(tube(), tube(), ONE_MM)
    assert (same.dice_percent, same.cl_dice_percent, same.hd95_mm) == (100, 100, 0)
    nothing = mask_overlap(0 * tube() > 0, tube(), ONE_MM)
    assert (nothing.dice_percent, nothing.cl_dice_percent, nothing.hd95_mm) == (0, None, None)


def test_cldice_asks_for_the_way_and_dice_for_the_width():
    thin = mask_overlap(tube(radius=2.0), tube(), ONE_MM)
    assert thin.cl_dice_percent > 98
    assert thin.dice_percent < 45
    # all of the half's line is in the whole, half of the whole's line in the half
    for found, told in ((tube(last=30), tube()), (tube(), tube(last=30))):
        assert cl_dice(found, told) == pytest.approx(2 / 3, abs=0.03)


def test_hd95_is_the_larger_of_both_directed_percentiles_in_mm():
    plate = np.zeros((8, 22, 22), dtype=bool)
    plate[1, 1:21, 1:21] = True
    more = plate.copy()
    more[6, 1:3, 1:21] = True  # 40 of 440 voxels: 9 % one way, 5 % of both ways pooled
    spacing = np.array([0.5, 0.5, 2.0])
    assert hd95_mm(more, plate, spacing) == hd95_mm(plate, more, spacing) == 10.0
    more[6, 2, 1:21] = False  # 20 of 420: under 5 %
    assert hd95_mm(more, plate, spacing) == 0.0


def test_a_painted_lumen_has_its_volume_and_place_on_any_grid():
    vessel = straight(20.0, 1.5)
    turned = np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]])  # i along y, j along z, k along x
    fine, corner = np.array([0.17, 0.16, 0.4]), np.array([-4.07, -3.01, -3.02])
    for grid in (
        axis_aligned_grid((70, 40, 40), fine[[2, 0, 1]], corner),
        Grid(np.array([40, 40, 70]), fine, corner, turned),
    ):
        inside = painted([vessel], grid)
        assert inside.shape == array_shape(grid)
        volume = np.count_nonzero(inside) * float(np.prod(fine))
        assert volume == pytest.approx(np.pi * 1.5**2 * 20, rel=0.03)
    apart = straight(20.0, 0.5, offset_mm=2.2)
    assert np.array_equal(painted([vessel, apart], grid), inside | painted([apart], grid))
    assert not np.array_equal(painted([apart, vessel], grid), inside)
