"""Arteries get their names from the grooves they run in, whatever the heart's size or turn."""

import dataclasses
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from ffr.anatomy import Anatomy
from ffr.phantom.features import Variation
from ffr.phantom.imaging import truth_labels
from ffr.phantom.patient import centre_of_heart_mm, virtual_patient
from ffr.tracing.ends import check_trees
from ffr.tracing.naming import dominance, heart_frame, named_tree, scct_segments
from meshes.errors import GeometryError
from meshes.io import read_centreline
from meshes.rooting import rooted
from meshes.tree import VesselTree, path_length_mm, segment_length_mm
from meshes.volume import Grid, Volume, axis_aligned_grid

REAL = Path(__file__).parent.parent.parent / "shared" / "data" / "coronary_centrelines_ivus"
SEEDS = range(1_000_400, 1_000_404)  # not used while the rules were written
SIZE = np.array([96, 96, 64])
SPACING_MM = 2.0


@cache
def patient(seed, variation=None):
    """The true trees of a virtual patient and its coarse label map."""
    person = virtual_patient(seed, variation=variation)
    corner = centre_of_heart_mm(person) - (SIZE - 1) * SPACING_MM / 2
    return person, truth_labels(person, axis_aligned_grid(SIZE, SPACING_MM, corner))


def true_names(truth):
    """True name of each point; counted branches are numbered as they leave, without gaps."""
    names = np.array(truth.names, dtype=object)
    s_mm = path_length_mm(truth.tree)
    for kind in ("D", "OM", "AM"):
        members = [i for i, n in enumerate(truth.names) if re.fullmatch(kind + r"\d", n)]
        first = {i: np.flatnonzero(truth.branch == i)[0] for i in members}
        members.sort(key=lambda i: s_mm[truth.tree.parent[first[i]]])
        for count, i in enumerate(members):
            names[i] = f"{kind}{count + 1}"
    return names[truth.branch]


def given_names(named):
    return np.array(named.names, dtype=object)[named.branch]


def renamed(truth, frame, tree=None):
    tree = truth.tree if tree is None else tree
    return named_tree(tree, truth.side, frame, np.zeros(len(tree)))


def agreement(labels_of):
    """Share of points, trunk points and branches over 10 mm that get their true names."""
    right = {"all": [], "trunk": [], "branch": []}
    for seed in SEEDS:
        person, labels = patient(seed)
        frame = heart_frame(labels_of(labels))
        for truth in (person.left, person.right):
            true, given = true_names(truth), given_names(renamed(truth, frame))
            same = true == given
            right["all"].extend(same)
            right["trunk"].extend(same[np.isin(true, ("LM", "LAD", "LCx", "RCA"))])
            length = segment_length_mm(truth.tree)
            for number in range(len(truth.names)):
                here = truth.branch == number
                if length[here].sum() >= 10:
                    right["branch"].append(same[here].mean() > 0.8)
    return {key: np.mean(values) for key, values in right.items()}


def shrunk(mask):
    return ndimage.binary_erosion(mask)


def changed(labels, values):
    return Volume(labels.grid, values.astype(np.uint8))


def eroded(labels):
    values = labels.values.copy()
    for part in np.unique(values[values > 0]):
        here = labels.values == part
        values[here & ~shrunk(here)] = 0
    return changed(labels, values)


def dilated(labels):
    grown = ndimage.maximum_filter(labels.values, 5)
    return changed(labels, np.where(labels.values > 0, labels.values, grown))


def speckled(labels):
    rng = np.random.default_rng(3)
    values = labels.values.copy()
    wrong = rng.random(values.shape) < 0.1
    values[wrong] = rng.integers(0, len(Anatomy), np.count_nonzero(wrong))
    return changed(labels, values)


def without(part):
    return lambda labels: changed(labels, np.where(labels.values == part, 0, labels.values))


def chain(points, parents=None):
    points = np.asarray(points, dtype=float)
    parent = np.arange(-1, len(points) - 1) if parents is None else parents
    return VesselTree(points, np.full(len(points), 1.2), parent)


def with_spur(tree, at, step_mm, count, radius_mm=0.6):
    """The tree with one more straight branch at a point."""
    n = len(tree)
    points = tree.points_mm[at] + np.arange(1, count + 1)[:, None] * np.asarray(step_mm)
    return VesselTree(
        np.vstack([tree.points_mm, points]),
        np.concatenate([tree.radius_mm, np.full(count, radius_mm)]),
        np.concatenate([tree.parent, [at], np.arange(n, n + count - 1)]),
    )


def without_branches(truth, *names):
    """The tree without these branches and all that hangs on them, and its true names."""
    gone = np.isin(np.array(truth.names)[truth.branch], names)
    for i in range(1, len(gone)):
        gone[i] |= gone[truth.tree.parent[i]]
    number = np.cumsum(~gone) - 1
    parent = truth.tree.parent[~gone]
    kept = VesselTree(
        truth.tree.points_mm[~gone],
        truth.tree.radius_mm[~gone],
        np.where(parent < 0, -1, number[parent]),
    )
    return kept, true_names(truth)[~gone]


def test_true_trees_get_their_names_back():
    share = agreement(lambda labels: labels)
    assert share["trunk"] >= 0.95
    assert share["all"] >= 0.95
    assert share["branch"] >= 0.9


@pytest.mark.parametrize(
    "spoiled",
    [
        eroded, dilated, speckled, without(Anatomy.LV), without(Anatomy.MYOCARDIUM),
        without(Anatomy.LA), without(Anatomy.RV), without(Anatomy.RA), without(Anatomy.AORTA),
    ],
    ids=["eroded", "dilated", "speckled", "no LV", "no wall", "no LA", "no RV", "no RA",
         "no aorta"],
)  # fmt: skip
def test_ragged_labels_or_a_missing_chamber_cost_few_names(spoiled):
    person, labels = patient(SEEDS[0])
    assert not np.array_equal(spoiled(labels).values, labels.values)
    frame = heart_frame(spoiled(labels))
    for truth in (person.left, person.right):
        assert np.mean(true_names(truth) == given_names(renamed(truth, frame))) > 0.9


def test_the_frame_finds_apex_septum_and_size():
    for seed in SEEDS:
        person, labels = patient(seed)
        frame, heart = heart_frame(labels), person.heart
        apex, septal, _ = heart.frame_direction
        assert frame.apex_direction @ apex > np.cos(np.deg2rad(10))
        assert frame.septal_direction @ septal > np.cos(np.deg2rad(15))
        axes = [frame.apex_direction, frame.septal_direction, frame.anterior_direction]
        assert np.allclose(np.array(axes) @ np.array(axes).T, np.eye(3), atol=1e-9)
        assert frame.length_mm == pytest.approx(1.55 * heart.long_mm, rel=0.1)
        assert frame.radius_mm == pytest.approx(heart.short_mm, rel=0.1)
        assert 0.6 < frame.anterior_groove_rad < 1.5
        assert -1.5 < frame.inferior_groove_rad < -0.6


@pytest.mark.parametrize("scale", [0.75, 1.3])
def test_names_do_not_depend_on_size_or_turn_of_the_heart(scale):
    person, labels = patient(SEEDS[1])
    frame = heart_frame(labels)
    turn = Rotation.from_rotvec(np.deg2rad([18, -12, 15])).as_matrix()
    grid = labels.grid
    turned = Grid(
        grid.size, grid.spacing_mm * scale, scale * turn @ grid.origin_mm, turn @ grid.direction
    )
    other = heart_frame(Volume(turned, labels.values))
    assert np.allclose(other.apex_direction, turn @ frame.apex_direction, atol=0.05)
    assert np.allclose(other.base_mm, scale * turn @ frame.base_mm, atol=2.0)
    for truth in (person.left, person.right):
        tree = truth.tree
        moved = VesselTree(scale * tree.points_mm @ turn.T, tree.radius_mm, tree.parent)
        one, two = renamed(truth, frame), renamed(truth, other, moved)
        assert np.mean(given_names(one) == given_names(two)) > 0.98


def test_naming_twice_gives_the_same():
    person, labels = patient(SEEDS[2])
    one, two = (renamed(person.left, heart_frame(labels)) for _ in range(2))
    assert one.names == two.names
    assert np.array_equal(one.branch, two.branch)


def test_a_bifurcation_belongs_to_the_mother_and_a_branch_is_one_path():
    person, labels = patient(SEEDS[3])
    for truth in (person.left, person.right):
        named = renamed(truth, heart_frame(labels))
        assert len(set(named.names)) == len(named.names)
        for number in range(len(named.names)):
            here = np.flatnonzero(named.branch == number)
            assert np.array_equal(named.tree.parent[here[1:]], here[:-1])
        assert named.branch[0] == named.names.index("LM" if truth.side == "left" else "RCA")


def test_a_small_early_branch_does_not_end_the_left_main():
    person, labels = patient(SEEDS[0])
    truth, frame = person.left, heart_frame(labels)
    at = int(np.flatnonzero(true_names(truth) == "LM")[8])
    up = -0.5 * frame.apex_direction
    tree = with_spur(truth.tree, at, up, 24)
    given = given_names(renamed(truth, frame, tree))
    assert np.array_equal(given[: len(truth.tree)], given_names(renamed(truth, frame)))
    assert set(given[len(truth.tree) :]) == {"SN"}


@pytest.mark.parametrize("before_carina", [2, 16])  # points of 0.5 mm
def test_a_lateral_branch_of_the_left_main_is_the_ramus(before_carina):
    person, labels = next(
        (p, labels) for p, labels in map(patient, SEEDS) if "RI" not in p.left.names
    )
    frame, tree = heart_frame(labels), person.left.tree
    trunk = np.flatnonzero(person.left.branch == person.left.names.index("LM"))
    lateral = frame.anterior_groove_rad + np.pi / 4
    outward = np.cos(lateral) * frame.septal_direction
    outward += np.sin(lateral) * frame.anterior_direction
    step = 0.4 * frame.apex_direction + 0.3 * outward
    more = with_spur(tree, trunk[-1 - before_carina], step, 60, radius_mm=1.2)
    given = given_names(renamed(person.left, frame, more))
    assert set(given[len(tree) :]) == {"RI"}
    assert set(given[trunk]) == {"LM"}


def test_septal_branches_are_not_diagonals():
    person, labels = patient(SEEDS[0])
    truth, frame = person.left, heart_frame(labels)
    at = int(np.flatnonzero(true_names(truth) == "LAD")[60])
    tree = with_spur(truth.tree, at, -0.5 * frame.anterior_direction, 40)
    given = given_names(renamed(truth, frame, tree))
    assert np.array_equal(given[: len(truth.tree)], given_names(renamed(truth, frame)))
    assert set(given[len(truth.tree) :]) == {"S1"}


def test_a_branch_of_a_diagonal_is_named_after_it():
    for seed in SEEDS:
        person, labels = patient(seed)
        truth, frame = person.left, heart_frame(labels)
        here = np.flatnonzero(true_names(truth) == "D1")
        if here.size > 60:
            break
    tree = with_spur(truth.tree, int(here[20]), -0.4 * frame.septal_direction, 16)
    named = renamed(truth, frame, tree)
    assert set(given_names(named)[len(truth.tree) :]) == {"D1a"}
    assert set(named.segment[len(truth.tree) :]) == {9}


def test_without_a_circumflex_there_is_no_left_main():
    for seed in SEEDS:
        person, labels = patient(seed)
        ramus_goes_too = [n for n in person.left.names if n in ("LCx", "RI")]
        tree, true = without_branches(person.left, *ramus_goes_too)
        given = given_names(renamed(person.left, heart_frame(labels), tree))
        assert set(given[np.isin(true, ("LM", "LAD"))]) == {"LAD"}
        assert "LCx" not in given


def test_a_lone_circumflex_is_recognised():
    person, labels = patient(SEEDS[0])
    tree, true = without_branches(person.left, "LAD", "RI")
    given = given_names(renamed(person.left, heart_frame(labels), tree))
    assert set(given[np.isin(true, ("LM", "LCx"))]) == {"LCx"}


def inferior_groove_branch(truth, frame, trunk, length=120):
    """A branch from the end of a trunk along the inferior interventricular groove."""
    angle = frame.inferior_groove_rad
    outward = np.cos(angle) * frame.septal_direction + np.sin(angle) * frame.anterior_direction
    ring = frame.base_mm + 0.95 * frame.radius_mm * outward
    start = int(np.flatnonzero(true_names(truth) == trunk)[-1])
    crux = ring + 0.1 * frame.radius_mm * frame.apex_direction
    there = np.linspace(truth.tree.points_mm[start], crux, 60)[1:]
    down = crux + 0.5 * np.arange(1, length)[:, None] * frame.apex_direction
    return start, np.vstack([there, down])


def test_left_dominance_is_a_circumflex_that_ends_in_the_inferior_groove():
    seed = next(s for s in SEEDS if "R-PDA" in patient(s)[0].right.names)
    person, labels = patient(seed)
    frame = heart_frame(labels)
    left = person.left
    start, points = inferior_groove_branch(left, frame, "LCx")
    n = len(left.tree)
    tree = VesselTree(
        np.vstack([left.tree.points_mm, points]),
        np.concatenate([left.tree.radius_mm, np.full(len(points), 0.8)]),
        np.concatenate([left.tree.parent, [start], np.arange(n, n + len(points) - 1)]),
    )
    dominant = renamed(left, frame, tree)
    assert given_names(dominant)[-1] == "L-PDA"
    assert given_names(dominant)[start] == "LCx"
    assert dominant.segment[-1] == 15
    right = renamed(person.right, frame)
    small, _ = without_branches(person.right, "R-PDA", "R-PLB")
    small = renamed(person.right, frame, small)
    assert dominance(renamed(left, frame), right) == "right"
    assert dominance(dominant, small) == "left"
    assert dominance(dominant, right) == "co"
    assert dominance(renamed(left, frame), small) == "unknown"
    assert dominance(None, right) == "right"
    assert dominance(None, None) == "unknown"


def test_a_right_coronary_that_does_not_fork_is_cut_at_the_crux():
    for seed in SEEDS:
        person, labels = patient(seed)
        if "R-PDA" not in person.right.names or "R-PLB" not in person.right.names:
            continue
        tree, true = without_branches(person.right, "R-PLB")
        given = given_names(renamed(person.right, heart_frame(labels), tree))
        where = np.isin(true, ("RCA", "R-PDA"))
        assert np.mean(given[where] == true[where]) > 0.9


CROSSED = Variation(lcx_from_right_percent=100.0, l_pda_percent=100.0, sinus_node_percent=100.0)


@pytest.mark.parametrize("seed", [1_000_381, 1_000_382])
def test_a_circumflex_from_the_right_coronary_keeps_its_name(seed):
    person, labels = patient(seed, CROSSED)
    assert "LCx" in person.right.names
    frame = heart_frame(labels)
    named = [renamed(truth, frame) for truth in (person.left, person.right)]
    for truth, found in zip((person.left, person.right), named, strict=True):
        assert np.mean(true_names(truth) == given_names(found)) > 0.95
    assert "LM" not in named[0].names
    # not missing from the left tree; with a descending branch the heart is left dominant
    assert "vessel-missing" not in {flag.name for flag in check_trees(named)}
    assert [flag.place.vessel for flag in check_trees(named[:1])].count("LCx") == 1
    expected = "left" if "L-PDA" in person.right.names else "right"
    assert dominance(*named) == expected


@pytest.mark.parametrize("seed", [1_000_207, 1_000_208])
def test_a_small_branch_before_the_crux_does_not_end_the_right_coronary(seed):
    # a marginal branch leaves over the groove; the descending artery runs a little beside it
    person, labels = patient(seed)
    truth = person.right
    assert {"AM1", "R-PDA", "R-PLB"} <= set(truth.names)
    given = given_names(renamed(truth, heart_frame(labels)))
    assert np.mean(true_names(truth) == given) > 0.95


def test_segments_follow_the_scct_scheme():
    # a descending artery of 100 mm; branches at 20 mm (small), 30 mm (large)
    trunk = [[0, 0, -k] for k in range(101)]
    tree = chain(trunk)
    tree = with_spur(tree, 20, [1, 0, 0], 15, radius_mm=0.6)
    tree = with_spur(tree, 30, [1, 0, 0], 15, radius_mm=0.9)
    branch = np.repeat([0, 1, 2], [101, 15, 15])
    segment = scct_segments(tree, branch, ("LAD", "D1", "D2"))
    z = -tree.points_mm[:101, 2]
    assert set(segment[:101][z <= 30]) == {6}
    assert set(segment[:101][(z > 30) & (z <= 65)]) == {7}
    assert set(segment[:101][z > 65]) == {8}
    assert set(segment[101:116]) == {9}
    assert set(segment[116:]) == {10}
    circumflex = scct_segments(tree, branch, ("LCx", "OM1", "OM2"))
    assert np.array_equal(np.unique(circumflex[:101][z <= 20]), [11])
    assert np.array_equal(np.unique(circumflex[:101][z > 20]), [13])
    assert circumflex[105] == 12
    assert circumflex[-1] == 14


def test_the_acute_margin_divides_the_right_coronary():
    # down the right side for 60 mm, then back under the heart for 40 mm
    down = [[0, 0, -k] for k in range(61)]
    back = [[k, k / 4, -60 + k / 8] for k in range(1, 41)]
    tree = chain(down + back)
    segment = scct_segments(tree, np.zeros(101, dtype=np.int64), ("RCA",))
    assert set(segment[:31]) == {1}
    assert set(segment[31:61]) == {2}
    assert set(segment[61:]) == {3}


def test_an_unbranched_straight_vessel_is_cut_into_thirds():
    tree = chain([[0, k, 0] for k in range(91)])
    for name, numbers in (("LAD", (6, 7, 8)), ("RCA", (1, 2, 3)), ("LCx", (11, 13, 13))):
        segment = scct_segments(tree, np.zeros(91, dtype=np.int64), (name,))
        assert [segment[10], segment[45], segment[80]] == list(numbers)
    assert set(scct_segments(tree, np.zeros(91, dtype=np.int64), ("SN",))) == {0}


@pytest.mark.parametrize("side", ["left", "right"])
def test_two_points_are_enough(side):
    tree = chain([[0, 0, 0], [0, 0, -1]])
    named = named_tree(tree, side, None, np.full(2, 0.1))
    assert len(named.names) == 1
    assert named.radius_sd_mm.tolist() == [0.1, 0.1]


def test_a_wrong_side_is_refused():
    with pytest.raises(GeometryError, match="'both'"):
        named_tree(chain([[0, 0, 0], [0, 0, -1]]), "both", None, np.zeros(2))


def test_a_map_without_a_left_ventricle_is_refused():
    _, labels = patient(SEEDS[0])
    right_only = np.where(labels.values == Anatomy.RV, labels.values, 0)
    with pytest.raises(GeometryError, match="no left ventricle"):
        heart_frame(changed(labels, right_only))


def test_the_frame_is_read_only():
    _, labels = patient(SEEDS[0])
    frame = heart_frame(labels)
    with pytest.raises(dataclasses.FrozenInstanceError):
        frame.length_mm = 1.0
    with pytest.raises(ValueError, match="read-only"):
        frame.base_mm[0] = 0.0


@pytest.mark.skipif(not REAL.is_dir(), reason="real centrelines are not on this machine")
def test_real_left_tree_without_labels_gets_its_main_vessels():
    tree, _ = rooted(read_centreline(REAL / "lca_cl.vtp"))
    named = named_tree(tree, "left", None, np.zeros(len(tree)))
    given = given_names(named)
    assert {"LM", "LAD", "LCx"} <= set(given)
    # the descending artery ends in front of the circumflex, which passes over the left side
    lad, lcx = tree.points_mm[given == "LAD"], tree.points_mm[given == "LCx"]
    assert lad[-1, 1] < lcx[-1, 1] - 20
    assert lcx[:, 1].max() > lad[:, 1].max()


@pytest.mark.skipif(not REAL.is_dir(), reason="real centrelines are not on this machine")
def test_a_real_anomalous_right_tree_without_labels_is_named_completely():
    tree, _ = rooted(read_centreline(REAL / "rca_cl.vtp"))
    named = named_tree(tree, "right", None, np.zeros(len(tree)))
    assert named.names[named.branch[0]] == "RCA"
    assert named.branch.min() >= 0
    assert len(set(named.names)) == len(named.names)
