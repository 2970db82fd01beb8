"""The calibrated network: repeats, follows, and its adjoint against differences."""

from dataclasses import replace

import numpy as np
import pytest

from meshes.tree import VesselTree, child_count, outlets, path_length_mm
from solvers.blood import Blood
from solvers.calibrated import calibrate
from solvers.kernels.calibrated import smooth_walk
from solvers.resolved import solve_resolved
from solvers.sampling import Draws, sample_ffr
from solvers.sensitivity import ffr_gradient_per_mm2, length_share_mm
from solvers.steady import solve_steady

BEDS = np.array([0.75, 0.9])
BLOOD = Blood()


def forked():
    """Mother of 20 mm, a daughter with a 64 % lesion and one without."""
    step = np.arange(1.0, 41.0)[:, None] * 0.5
    mother = np.vstack([np.zeros((1, 3)), step * [1, 0, 0]])
    points = np.vstack(
        [mother, mother[-1] + 1.5 * step * [0.8, 0.6, 0], mother[-1] + step * [0.8, -0.6, 0]]
    )
    parent = [-1, *range(40), 40, *range(41, 80), 40, *range(81, 120)]
    lesion = 1 - 0.32 * (1 + np.cos(np.pi * np.clip((step[:, 0] - 9) / 4, -1, 1)))
    radius = np.concatenate([np.full(41, 2.0), 1.5 * lesion, np.full(40, 1.4)])
    return VesselTree(points, radius, parent)


TREE = forked()
ENDS = outlets(TREE)
THROAT = int(np.argmin(TREE.radius_mm))


@pytest.fixture(scope="module")
def solved():
    return solve_resolved(TREE, 93.0, BEDS, 5.0, BLOOD)


@pytest.fixture(scope="module")
def network(solved):
    return calibrate(TREE, solved, BLOOD)


def sampled(network, solved, sd_mm, shift=(0.0,), **changes):
    """Sample with one radius error that the tree shares, and other factors as asked."""
    m, n = len(shift), len(TREE)
    given = {
        "radius_shift": np.array(shift), "noise": np.zeros((m, 2 * n)),
        "bed_factor": np.ones((m, 2)), "viscosity_factor": np.ones(m),
        "inlet_pressure_mmhg": np.full(m, 93.0),
        "venous_pressure_mmhg": np.full(m, 5.0),
    } | changes  # fmt: skip
    sd = np.broadcast_to(sd_mm, (n,))
    draws = Draws(**given)
    return sample_ffr(network, BEDS, solved.flow_ml_min, sd, np.zeros(n), 4.0, draws)


def test_the_network_repeats_the_resolved_solution(network, solved):
    again = solve_steady(TREE, 93.0, BEDS, 5.0, BLOOD, closure=network.closure)
    assert again.pressure_mmhg == pytest.approx(solved.pressure_mmhg, abs=0.05)
    ffr = sampled(network, solved, 0.0)[0]
    assert ffr == pytest.approx(solved.pressure_mmhg / 93.0, abs=5e-4)
    assert ffr[ENDS[0]] < 0.85 < ffr[ENDS[1]]


def test_it_follows_the_resolved_solver_when_radii_change(network, solved):
    fast = sampled(network, solved, 0.08, (-1.0, 1.0))
    for k, shift in enumerate((-0.08, 0.08)):
        tree = VesselTree(TREE.points_mm, TREE.radius_mm + shift, TREE.parent)
        slow = solve_resolved(tree, 93.0, BEDS, 5.0, BLOOD).pressure_mmhg / 93.0
        assert fast[k, ENDS] == pytest.approx(slow[ENDS], abs=0.02)
        assert abs(slow[ENDS[0]] - solved.pressure_mmhg[ENDS[0]] / 93.0) > 0.03


def test_lumens_that_are_wrong_by_a_third_make_no_pressure_out_of_nothing(network, solved):
    m, n = 400, len(TREE)
    noise = np.random.default_rng(3).normal(size=(m, 2 * n))
    draws = Draws(
        np.zeros(m), noise, np.ones((m, 2)), np.ones(m), np.full(m, 93.0),
        np.full(m, 5.0),
    )  # fmt: skip
    sd = np.zeros(n), np.full(n, 35.0)
    ffr = sample_ffr(network, BEDS, solved.flow_ml_min, *sd, 4.0, draws)
    assert np.all((ffr > 0.0) & (ffr < 1.2))  # 1.45 if gains of head grew like losses
    assert ffr[:, ENDS[0]].min() < 0.3


@pytest.mark.parametrize("times", [2.3, 4.0, 20.0])
def test_a_jet_that_regains_more_than_there_is_still_leaves_a_steady_flow(
    network, solved, times
):
    own = np.flatnonzero((TREE.points_mm[:, 1] > 0) & (network.quadratic < 0))
    greedy = np.array(network.quadratic)
    greedy[own] -= times * network.quadratic[network.quadratic > 0].sum() / own.size
    ffr = sampled(replace(network, quadratic=greedy), solved, 0.05, (-1.0, 0.0, 1.0))
    assert np.all((ffr > 0.0) & (ffr < 1.2))


def test_each_outlet_has_its_own_bed(network, solved):
    factor = np.array([[1.0, 1.0], [1.0, 4.0]])
    ffr = sampled(network, solved, 0.0, (0.0, 0.0), bed_factor=factor)
    assert ffr[1, ENDS[1]] > ffr[0, ENDS[1]] + 0.005
    twice = solve_steady(TREE, 93.0, BEDS * factor[1], 5.0, BLOOD, closure=network.closure)
    assert ffr[1] == pytest.approx(twice.pressure_mmhg / 93.0, abs=1e-4)


@pytest.mark.parametrize("step_mm", [0.01, 0.5, 3.0])
def test_the_random_walk_of_the_radii_is_smooth_whatever_the_step(step_mm):
    """Matern 3/2: variance 1, correlation (1 + x) exp(-x) with x = sqrt(3) d / length."""
    n, m, length = 40, 4000, 4.0
    s, parent = np.arange(n) * step_mm, np.arange(-1, n - 1)
    noise = np.random.default_rng(1).normal(size=(m, 2 * n))
    walk, slope = np.empty((m, n)), np.empty(n)
    for k in range(m):
        smooth_walk(parent, s, length, noise[k], walk[k], slope)
    assert walk.std(axis=0) == pytest.approx(np.ones(n), abs=0.06)
    for lag in (1, 4, 39):
        x = np.sqrt(3) * lag * step_mm / length
        found = (walk[:, 0] * walk[:, lag]).mean()
        assert found == pytest.approx((1 + x) * np.exp(-x), abs=0.06)


def test_errors_that_reach_further_along_the_vessel_weigh_more(network, solved):
    noise = np.random.default_rng(0).normal(size=(2000, 2 * len(TREE)))
    m = len(noise)
    draws = Draws(
        np.zeros(m), noise, np.ones((m, 2)), np.ones(m), np.full(m, 93.0),
        np.full(m, 5.0),
    )  # fmt: skip
    nothing, sd = np.zeros(len(TREE)), np.full(len(TREE), 3.0)
    spread = []
    for reach_mm in (0.1, 2.0, 8.0):
        ffr = sample_ffr(network, BEDS, solved.flow_ml_min, nothing, sd, reach_mm, draws)
        spread.append(ffr[:, ENDS[0]].std())
    assert 0 < 1.2 * spread[0] < spread[1] < spread[2] / 1.1


@pytest.mark.parametrize("reading", [int(ENDS[0]), int(ENDS[1]), THROAT, 20])
def test_the_adjoint_is_the_difference_quotient(network, solved, reading):
    per_mm2 = ffr_gradient_per_mm2(network, solved, BEDS, [reading])[0]
    share = length_share_mm(TREE)
    eps = 2e-3
    probes = [0, 10, 39, 40, 41, THROAT - 3, THROAT, THROAT + 3, reading, 81, 100, int(ENDS[0])]
    for point in probes:
        one = np.zeros(len(TREE))
        one[point] = eps
        low, high = sampled(network, solved, one, (-1.0, 1.0))[:, reading].astype(float)
        quotient = (high - low) / (2 * eps)
        assert per_mm2[point] * share[point] == pytest.approx(quotient, rel=0.02, abs=2e-4)


def test_the_throat_decides_and_nothing_behind_another_branch_does(network, solved):
    per_mm2 = ffr_gradient_per_mm2(network, solved, BEDS, [ENDS[0]])[0]
    assert per_mm2.argmax() in range(THROAT - 3, THROAT + 4)
    beside = np.arange(81, 120)
    assert np.abs(per_mm2[beside]).max() < 0.05 * per_mm2.max()
    # widening all of the lesion by 0.05 mm, in first order and in truth
    s = path_length_mm(TREE)
    near = np.abs(s - s[THROAT]) < 6
    near &= np.arange(len(TREE)) < 81
    first_order = 0.05 * (per_mm2 * length_share_mm(TREE))[near].sum()
    wider = VesselTree(TREE.points_mm, TREE.radius_mm + 0.05 * near, TREE.parent)
    slow = solve_resolved(wider, 93.0, BEDS, 5.0, BLOOD).pressure_mmhg[ENDS[0]]
    assert first_order == pytest.approx((slow - solved.pressure_mmhg[ENDS[0]]) / 93.0, rel=0.35)


def test_lengths_are_shared_among_points(network):
    assert child_count(TREE)[40] == 2
    assert length_share_mm(TREE).sum() == pytest.approx(20 + 30 + 20)
