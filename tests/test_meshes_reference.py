"""The healthy reference is found under noise, lesions, ectasia and bifurcations."""

import numpy as np
import pytest

from meshes.reference import reference_radius_mm
from meshes.tree import VesselTree, path_length_mm, sections

STEP_MM = 0.5
NOISE_MM = 0.1


def tree_of(runs, step_mm=STEP_MM):
    """Build a tree from runs (parent run, length, start radius, end radius), first at z=0.

    Each run goes straight, in its own direction, from the end of its parent run.
    """
    points, radius, parent, last, run_of = [np.zeros(3)], [runs[0][2]], [-1], [], [0]
    for number, (of, length, start, end) in enumerate(runs):
        origin = 0 if of is None else last[of]
        angle = 0.9 * number
        direction = np.array([np.sin(angle), 0.3 * np.cos(2.0 * angle), -np.cos(angle)])
        direction /= np.linalg.norm(direction)
        n = round(length / step_mm)
        for k in range(1, n + 1):
            points.append(points[origin] + direction * length * k / n)
            radius.append(start + (end - start) * k / n)
            parent.append(origin if k == 1 else len(points) - 2)
            run_of.append(number)
        last.append(len(points) - 1)
    return VesselTree(points, radius, parent), np.array(run_of)


def daughters(parent, ratio):
    """Radii of two daughters of given ratio under the 7/3 law."""
    big = parent / (1.0 + ratio ** (7 / 3)) ** (3 / 7)
    return big, ratio * big


def left_tree(step_mm=STEP_MM):
    """LM, LAD with a diagonal, LCx with a marginal: healthy radii under the 7/3 law."""
    lad, lcx = daughters(2.1, 0.85)
    lad2, d1 = daughters(lad - 0.12, 0.6)
    lcx2, om = daughters(lcx - 0.12, 0.9)
    return tree_of(
        [
            (None, 12.0, 2.15, 2.1),
            (0, 30.0, lad, lad - 0.12),
            (0, 25.0, lcx, lcx - 0.12),
            (1, 70.0, lad2, lad2 - 0.5),
            (1, 35.0, d1, d1 - 0.2),
            (2, 40.0, lcx2, lcx2 - 0.25),
            (2, 45.0, om, om - 0.25),
        ],
        step_mm,
    )


def measured(tree, factor=1.0, seed=None):
    """The same tree with its radius multiplied, and noise on top."""
    noise = 0.0 if seed is None else np.random.default_rng(seed).normal(0, NOISE_MM, len(tree))
    return VesselTree(
        tree.points_mm, np.maximum(tree.radius_mm * factor + noise, 0.1), tree.parent
    )


def lesion(tree, points, start_mm, length_mm, narrowing, shape="cosine"):
    """Factor on the radius: a narrowing over a stretch of `points`' own path length."""
    s = path_length_mm(tree)
    x = (s - s[points].min() - start_mm) / length_mm
    bell = 0.5 - 0.5 * np.cos(2 * np.pi * x) if shape == "cosine" else 1.0
    inside = points & (x >= 0) & (x <= 1)
    return np.where(inside, 1.0 - narrowing * bell, 1.0)


def relative_error(tree, healthy):
    return reference_radius_mm(tree) / healthy.radius_mm - 1.0


def test_a_healthy_tree_is_its_own_reference():
    tree, _ = left_tree()
    # the taper prior may bend the fit by a fraction of its scatter, no more
    assert np.abs(relative_error(tree, tree)).max() < 0.03


def test_noise_is_averaged_and_not_enveloped():
    healthy, _ = left_tree()
    errors = [relative_error(measured(healthy, 1.0, seed), healthy) for seed in range(20)]
    # an envelope of this noise would lie 0.2 mm, some 15 %, too high
    assert abs(np.mean(errors)) < 0.01
    # per seed about 0.04; the worst is the tip of a vessel of 0.8 mm, where noise is 12 %
    assert np.median(np.abs(errors).max(axis=1)) < 0.06
    assert np.abs(errors).max() < 0.15


@pytest.mark.parametrize(
    ("where", "start_mm", "length_mm", "narrowing", "shape"),
    [
        (0, 1.0, 10.0, 0.5, "cosine"),  # focal, left main
        (1, 1.0, 10.0, 0.5, "cosine"),  # focal, at the take-off of the LAD
        (3, 10.0, 12.0, 0.5, "cosine"),  # focal, mid LAD
        (0, -4.0, 10.0, 0.5, "cosine"),  # ostial
        (0, 0.0, 12.0, 0.4, "box"),  # the whole left main: only its daughters know
        (1, 5.0, 20.0, 0.3, "box"),  # diffuse, two thirds of a section
        (3, 5.0, 20.0, 0.3, "box"),  # diffuse
        (3, 45.0, 20.0, 0.3, "cosine"),  # diffuse, distal
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_disease_does_not_lower_the_reference(
    where, start_mm, length_mm, narrowing, shape, seed
):
    healthy, run = left_tree()
    factor = lesion(healthy, run == where, start_mm, length_mm, narrowing, shape)
    error = relative_error(measured(healthy, factor, seed), healthy)
    # noise alone reaches 0.08; disease may cost a few percent where it hides the vessel
    assert np.abs(error).max() < 0.12
    assert np.abs(error[run == where].mean()) < 0.06


@pytest.mark.parametrize("where", [1, 3, 4])
def test_ectasia_does_not_raise_the_reference(where):
    healthy, run = left_tree()
    factor = lesion(healthy, run == where, 8.0, 10.0, -0.5)
    assert np.abs(relative_error(measured(healthy, factor, 1), healthy)).max() < 0.10


def test_the_wide_lumen_of_bifurcations_does_not_raise_the_reference():
    healthy, run = left_tree()
    forks = [run[-1] for run in sections(healthy)[:3]]
    distance = np.min(
        [np.linalg.norm(healthy.points_mm - healthy.points_mm[f], axis=1) for f in forks],
        axis=0,
    )
    # 15 % is too little to stand out of the noise: only the place gives it away
    factor = 1.0 + 0.15 * np.clip(1.5 - distance / 2.0, 0.0, 1.0)
    errors = [relative_error(measured(healthy, factor, seed), healthy) for seed in range(4)]
    assert np.mean(errors) < 0.007
    assert np.mean(errors, axis=0)[run == 0].mean() < 0.01


def test_the_reference_never_widens_downstream():
    healthy, run = left_tree()
    factor = lesion(healthy, run == 1, 3.0, 20.0, 0.6) * lesion(
        healthy, run == 3, 9.0, 9.0, -0.4
    )
    reference = reference_radius_mm(measured(healthy, factor, 3))
    assert np.all(
        np.diff(reference[np.stack([healthy.parent[1:], np.arange(1, len(healthy))])], axis=0)
        <= 1e-9
    )


def test_the_branching_law_sizes_a_vessel_without_a_healthy_point():
    healthy, run = left_tree()
    reference = reference_radius_mm(measured(healthy, np.where(run == 0, 0.5, 1.0)))
    d = reference[np.flatnonzero(healthy.parent == np.flatnonzero(run == 0)[-1])]
    joint = np.sum(d ** (7 / 3)) ** (3 / 7)
    assert reference[run == 0].mean() == pytest.approx(joint, rel=0.05)


def test_denser_points_do_not_change_the_reference():
    coarse, fine = left_tree(1.0)[0], left_tree(0.25)[0]
    at = [np.argmin(np.linalg.norm(fine.points_mm - p, axis=1)) for p in coarse.points_mm]
    difference = reference_radius_mm(coarse) / reference_radius_mm(fine)[at] - 1.0
    assert np.abs(difference).max() < 0.01


def test_points_crowded_into_a_lesion_do_not_outvote_the_healthy_vessel():
    s = np.concatenate(
        [np.arange(0.0, 20.0), np.arange(20.0, 32.0, 0.02), np.arange(32.0, 61.0)]
    )
    healthy = 1.8 - 0.008 * s
    points = np.stack([0 * s, 0 * s, -s], axis=1)
    radius = np.where((s > 21.0) & (s < 31.0), 0.75 * healthy, healthy)
    tree = VesselTree(points, radius, np.arange(-1, s.size - 1))
    assert reference_radius_mm(tree) == pytest.approx(healthy, rel=0.03)


def test_two_points_are_enough():
    tree = VesselTree([[0, 0, 0], [0, 0, 5]], [1.5, 1.4], [-1, 0])
    assert reference_radius_mm(tree) == pytest.approx([1.5, 1.4], abs=0.1)
