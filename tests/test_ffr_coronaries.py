"""The truth of a virtual patient means what the product means by a vessel."""

import functools
import re
from dataclasses import replace

import numpy as np
import pytest

from ffr.phantom.anatomy import aortic_distance_mm
from ffr.phantom.patient import virtual_patient
from ffr.phantom.true_tree import coronary_tree
from ffr.tracing.scct import scct_segments
from meshes.tree import path_length_mm

SEEDS = range(1_000_420, 1_000_424)


@functools.cache
def patients():
    return [virtual_patient(seed) for seed in SEEDS]


def trees():
    return [(tree, p.heart) for p in patients() for tree in (p.left, p.right)]


def test_true_trees_begin_on_the_aortic_wall_and_leave_it():
    for truth, heart in trees():
        first = aortic_distance_mm(heart, truth.tree.points_mm[:6])
        assert abs(first[0]) < 0.06
        assert np.all(first[1:] > 0)
        assert np.all(np.diff(path_length_mm(truth.tree)[:6]) > 0)


def test_the_aorta_is_as_wide_as_its_radius():
    heart = patients()[0].heart
    up = heart.root_mm + 40 * heart.root_direction
    side = np.cross(heart.root_direction, [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    offsets = np.array([0.0, 0.5, 1.5])
    places = up + offsets[:, None] * heart.root_radius_mm * side
    inside, middle, outside = aortic_distance_mm(heart, places)
    assert inside < middle < 0 < outside
    assert outside - middle == pytest.approx(heart.root_radius_mm, rel=0.02)


def test_true_segments_are_those_of_the_product():
    for truth, _ in trees():
        expected = scct_segments(truth.tree, truth.branch, truth.names)
        assert np.array_equal(truth.segment, expected)


def test_side_branches_are_numbered_by_take_off_without_gaps():
    patient = patients()[0]
    kinds = ("D", "OM", "AM")
    thinned = tuple(
        replace(a, name=re.sub(r"^(D|OM|AM)(\d)$", lambda m: f"{m[1]}{int(m[2]) + 1}", a.name))
        for a in patient.arteries
    )  # as if each first branch had got too thin
    for side in ("left", "right"):
        truth = coronary_tree(thinned, side, patient.heart)
        s = path_length_mm(truth.tree)
        for kind in kinds:
            numbers = [n for n in truth.names if re.fullmatch(kind + r"\d", n)]
            assert sorted(numbers) == [f"{kind}{i + 1}" for i in range(len(numbers))]
            first = [
                np.flatnonzero(truth.branch == truth.names.index(n))[0] for n in sorted(numbers)
            ]
            assert np.all(np.diff(s[truth.tree.parent[first]]) >= 0)
