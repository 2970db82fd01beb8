"""Where an artery leaves the aorta, what belongs to it, and what a tight stenosis hides."""

import numpy as np
import pytest
from aortic_scene import BLOOD_HU, FAT_HU, arc, around, polyline, scene
from scipy.ndimage import distance_transform_edt, label

from ffr.tracing.aortic_root import aortic_root
from ffr.tracing.paths import ground
from ffr.tracing.too_dense import too_dense
from ffr.tracing.trace import trace
from meshes.distance import inside_mm, outside_mm
from meshes.kernels.paths import longest_gaps
from meshes.tree import child_count, path_length_mm
from meshes.volume import Volume, ijk_to_points_mm

RIGHT = (around((10, -100, 8), (34, -100, 8)), 1.5)  # a plain right artery
LEFT_MM = np.array([12.0, 0.0, 10.0])  # where the left ones leave


def inlet_error_mm(tree, place_mm):
    return np.linalg.norm(tree.points_mm[0] - place_mm)


def distance_mm(tree, place_mm):
    return np.linalg.norm(tree.points_mm - place_mm, axis=1).min()


def root_of(scan, heart, grid):
    return aortic_root(scan, heart, grid, too_dense(scan, grid, heart.blood_hu))


def test_an_artery_beside_the_aorta_starts_where_their_blood_meets():
    # it leaves at 0 degrees, runs along the wall behind 1.2 mm of fat, and leaves at 80
    path = around((10, 0, 10), (15, 0, 10), *arc(15, 0, 80, 10), (38, 80, 10))
    found = trace(*scene([(path, 1.8), RIGHT], coarse_error_mm=3.0))
    assert inlet_error_mm(found.left, LEFT_MM) < 1.0
    assert path_length_mm(found.left).max() > 40.0


def test_an_artery_that_leans_on_the_aorta_starts_behind_that_place():
    # it loops away from the wall and comes back until the two lumens touch
    path = around(
        (10, 0, 10),
        (16, 5, 10),
        *arc(17, 10, 60, 10),
        (13.2, 72, 10),
        (18, 85, 10),
        (38, 95, 10),
    )
    found = trace(*scene([(path, 1.8), RIGHT]))
    assert inlet_error_mm(found.left, LEFT_MM) < 1.5
    assert np.sum(child_count(found.left) == 0) == 1  # no side branch back to the aorta


def test_a_mouth_stays_where_one_of_its_arteries_comes_back_to_the_wall():
    # a left main divides; one of the two passes the aorta with 0.4 mm between the lumens
    trunk = around((10, 0, 10), (19, -4, 10), (38, -12, 10), (38, -35, 10), (38, -60, 10))
    bent = (*arc(17, 25, 45, 10), (14.2, 58, 10), (30, 80, 10))
    front = around((16, -3, 10), (18, 20, 10), *bent)
    found = trace(*scene([(trunk, 1.8), (front, 1.8), RIGHT]))
    assert inlet_error_mm(found.left, LEFT_MM) < 1.5


def test_a_long_touch_opens_wider_than_the_mouth_and_is_none():
    path = around(
        (10, 0, 10),
        (16, 5, 10),
        *arc(17, 10, 45, 10),
        *arc(13.0, 57, 100, 10),
        (18, 112, 10),
        (38, 120, 10),
    )
    found = trace(*scene([(path, 1.6), RIGHT]))
    assert inlet_error_mm(found.left, LEFT_MM) < 1.5
    assert path_length_mm(found.left).max() > 50.0


def test_an_artery_is_not_given_up_for_a_mouth_that_no_path_leads_to():
    # what leaves the aorta at 60 degrees ends 2 mm before the artery, in fat
    trunk = around((10, 0, 10), (40, 0, 10))
    stub = around(*arc(16.5, 19.5, 54, 10), (10, 60, 10))
    found = trace(*scene([(trunk, 1.8), (stub, 1.6), RIGHT]))
    assert inlet_error_mm(found.left, LEFT_MM) < 1.5
    assert path_length_mm(found.left).max() > 25.0


def test_two_arteries_of_one_sinus_are_the_right_and_the_left_one():
    # the right one passes in front of the aorta
    left = around((10, 0, 10), (42, 10, 10))
    right = around((10, -35, 10), (17, -42, 10), *arc(18, -55, -120, 10), (38, -150, 10))
    for made in ([(left, 1.6), (right, 1.6)], [(left, 1.6), (right, 2.2)]):
        found = trace(*scene(made))
        assert inlet_error_mm(found.left, LEFT_MM) < 1.5
        assert distance_mm(found.left, left[-1]) < 3.0
        assert distance_mm(found.right, right[-1]) < 3.0
        assert inlet_error_mm(found.right, around((12, -35, 10))[0]) < 2.0
        assert [(f.name, f.place.side) for f in found.flags] == [("anomalous-origin", "right")]


def test_descending_and_circumflex_with_mouths_of_their_own_are_one_tree():
    front = around((10, -15, 10), (42, -20, 10))
    back = around((10, 20, 10), (42, 25, 10))
    found = trace(*scene([(front, 1.6), (back, 1.4), RIGHT])).left
    assert child_count(found)[0] == 2
    assert np.count_nonzero(found.parent < 0) == 1
    assert np.linalg.norm(found.points_mm[0, :2]) < 11.0  # between them, inside the aorta
    for path in (front, back):
        assert distance_mm(found, path[-1]) < 3.0
        assert distance_mm(found, path[len(path) // 2]) < 1.0


def test_the_side_is_that_of_the_sinus():
    found = trace(*scene([(around((10, 20, 10), (38, 20, 10)), 1.5), RIGHT]))
    assert found.left.points_mm[0] @ [1, 1, 0] > 0
    assert found.right.points_mm[0] @ [1, 1, 0] < 0
    alone = trace(*scene([RIGHT]))
    assert alone.left is None
    assert [flag.name for flag in alone.flags] == ["left-coronary-missing"]


@pytest.mark.parametrize("error_mm", [-3.0, 3.0])
def test_the_aortic_wall_is_found_in_the_scan_whatever_the_coarse_map_says(error_mm):
    volume, heart, vessels = scene([RIGHT], coarse_error_mm=error_mm)
    root = root_of(volume, heart, vessels.labels.grid)
    middle = root.lumen[root.lumen.shape[0] // 2]
    assert np.sqrt(middle.sum() * 0.25 / np.pi) == pytest.approx(12.0, abs=0.5)
    first = np.array([s.start for s in root.box])
    where = np.argwhere(root.lumen) + first
    off = ijk_to_points_mm(vessels.labels.grid, where[:, ::-1])
    assert np.hypot(off[:, 0], off[:, 1]).max() < 13.0  # not into the artery


def test_a_branch_begins_where_its_axis_leaves_that_of_its_parent():
    trunk = polyline((10, 0, 10), (42, 0, 10))
    branch = polyline((20, 0, 10), (42, 9, 10))  # at 22 degrees: side by side for 9 mm
    found = trace(*scene([(trunk, 2.2), (branch, 1.6), RIGHT])).left
    fork = found.points_mm[child_count(found) > 1]
    assert len(fork) == 1
    assert np.linalg.norm(fork[0] - (20, 0, 10)) < 2.0


def stenosed(hu, length_mm=9.0):
    """A left artery that the vessel map loses for some mm; what is there, in HU."""
    path = polyline((10, 0, 10), (42, 0, 10))
    gap = (polyline((22, 0, 10), (22 + length_mm, 0, 10)), 1.6, hu)
    return scene([(path, 1.5), RIGHT], gaps=[gap])


def test_a_vessel_beyond_a_tight_stenosis_is_traced_and_told():
    found = trace(*stenosed(60.0))
    assert distance_mm(found.left, (38, 0, 10)) < 1.0
    (gap,) = [flag for flag in found.flags if flag.name == "gap-bridged"]
    assert gap.place.side == "left"
    assert gap.place.point_mm == pytest.approx((26.5, 0.0, 10.0), abs=2.0)
    along = found.left.points_mm[found.left.points_mm[:, 0] > 20]
    assert np.linalg.norm(along[:, 1:] - (0, 10), axis=1).max() < 1.6  # in what is left of it


def test_what_lies_beyond_fat_is_another_vessel():
    found = trace(*stenosed(FAT_HU))
    assert distance_mm(found.left, (38, 0, 10)) > 5.0
    assert found.flags == ()


def test_a_vessel_that_shows_its_side_is_not_bridged_to():
    path = polyline((10, 0, 10), (28, 0, 10))
    across = polyline((36, -14, 10), (36, 14, 10))
    muscle = polyline((29, 0, 10), (34, 0, 10))
    volume, heart, vessels = scene(
        [(path, 1.5), (across, 1.5), RIGHT], gaps=[(muscle, 1.4, 80.0)]
    )
    found = trace(volume, heart, vessels)
    assert distance_mm(found.left, (26, 0, 10)) < 1.0
    assert distance_mm(found.left, (36, 0, 10)) > 4.0


def test_the_same_input_gives_the_same_trees():
    case = stenosed(60.0)
    one, two = trace(*case), trace(*case)
    for side in ("left", "right"):
        a, b = getattr(one, side), getattr(two, side)
        assert np.array_equal(a.points_mm, b.points_mm)
        assert np.array_equal(a.radius_mm, b.radius_mm)
        assert np.array_equal(a.parent, b.parent)


def test_distances_are_exact_on_both_sides_of_a_surface():
    mask = np.random.default_rng(1).random((20, 24, 28)) < 0.02
    assert outside_mm(mask, 0.5) == pytest.approx(0.5 * distance_transform_edt(~mask), abs=1e-5)
    blob = ~mask
    assert inside_mm(blob, 0.5) == pytest.approx(0.5 * distance_transform_edt(blob), abs=1e-5)
    assert np.all(outside_mm(np.zeros((4, 4, 4), dtype=bool), 0.5) > 1e3)


def test_the_longest_gap_on_the_way_is_remembered_behind_it():
    evidence = np.array([[[1, 1, 0, 0, 0, 1, 1, 0, 1]]], dtype=bool)
    parent = np.arange(-1, 8).reshape(evidence.shape)
    gap = longest_gaps(np.arange(9), parent, evidence, np.array(evidence.shape), 0.5)
    assert gap.tolist() == [0, 0, 0, 0, 0, 1.5, 1.5, 1.5, 1.5]


def test_the_scene_is_what_it_says():
    volume, _, vessels = stenosed(60.0)
    _, count = label(vessels.labels.values)
    assert count == 3  # right artery, left one before and behind the gap
    assert set(np.unique(volume.values)) == {FAT_HU, 60.0, BLOOD_HU}


def test_what_is_denser_and_thicker_than_blood_is_found_and_calcium_is_not():
    volume, heart, vessels = scene([RIGHT])
    hu = np.array(volume.values)
    grid = volume.grid
    points = ijk_to_points_mm(grid, np.indices(tuple(grid.size)).reshape(3, -1).T)
    shape = tuple(int(n) for n in grid.size)

    def ball(middle, radius):
        off = np.linalg.norm(points - middle, axis=1).reshape(shape).transpose(2, 1, 0)
        return off <= radius

    vein, stone, chamber = (
        ball((-20, -20, 10), 6.0),
        ball((25, 0, 10), 1.5),
        ball((30, 25, 10), 8),
    )
    hu[vein], hu[stone], hu[chamber] = 1200.0, 1500.0, 1.3 * BLOOD_HU
    found = too_dense(Volume(grid, hu), vessels.labels.grid, BLOOD_HU)
    assert found[vein].all()
    assert not found[~ball((-20, -20, 10), 7.6)].any()
    assert not too_dense(Volume(grid, hu), vessels.labels.grid, 0.0).any()
    assert heart.blood_hu > 0


def test_a_caval_vein_full_of_contrast_beside_the_root_is_neither_aorta_nor_artery():
    vein = (
        polyline((-17, -14, -6), (-17, -14, 30)),
        7.0,
        1300.0,
    )  # the map takes it for vessel
    path = around((10, -100, 8), (20, -100, 8), (22, -120, 8), (30, -120, 8), (38, -100, 8))
    scan, heart, vessels = scene([(path, 1.5)], others=[vein], coarse_error_mm=3.0)
    found = trace(scan, heart, vessels)
    start = 12.0 * np.array([np.cos(np.deg2rad(-100)), np.sin(np.deg2rad(-100)), 0]) + [0, 0, 8]
    assert inlet_error_mm(found.right, start) < 1.5
    assert distance_mm(found.right, np.array([-17.0, -14.0, 20.0])) > 7.0
    root = root_of(scan, heart, vessels.labels.grid)
    off = ijk_to_points_mm(
        vessels.labels.grid,
        (np.argwhere(root.lumen) + [s.start for s in root.box])[:, ::-1],
    )
    assert np.hypot(off[:, 0], off[:, 1]).max() < 13.0


def test_dark_streaks_do_not_cut_the_aorta():
    volume, heart, vessels = scene([RIGHT])
    hu = np.array(volume.values)
    x = ijk_to_points_mm(volume.grid, np.indices(tuple(volume.grid.size)).reshape(3, -1).T)[
        :, 0
    ]
    x = x.reshape(tuple(volume.grid.size)).transpose(2, 1, 0)
    hu[(np.abs(x - 2.0) < 1.0) & (hu == BLOOD_HU)] = 60.0
    root = root_of(Volume(volume.grid, hu), heart, vessels.labels.grid)
    middle = root.lumen[root.lumen.shape[0] // 2]
    assert np.sqrt(middle.sum() * 0.25 / np.pi) == pytest.approx(12.0, abs=1.1)


def test_a_mouth_lies_before_its_vessel_and_not_anywhere_along_the_wall():
    shell = (around(*arc(14.6, -99, -30, 8), (11, -20, 8)), 1.0, 350.0)  # drawn by a streak
    scan, heart, vessels = scene([RIGHT], gaps=[shell])
    grid = vessels.labels.grid
    sure = vessels.vessel_probability.values > 127
    over = ground((sure * np.float32(1)), sure, root_of(scan, heart, grid), 0.5)
    assert over.mouth.sum() > 50
    assert outside_mm(sure, 0.5)[over.mouth].max() < 4.1
