"""Steady flow: exact solutions, conservation, symmetry, convergence, and 3D CFD."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshes.stenosis import Lesion
from meshes.tree import VesselTree, child_count, outlets
from solvers.blood import Blood
from solvers.errors import ConvergenceError
from solvers.kernels.steady import imbalance
from solvers.losses import borda_carnot, entrance, poiseuille, young_tsai
from solvers.split import flow_shares
from solvers.steady import TOLERANCE_MMHG, solve_prescribed, solve_steady
from solvers.units import M3_S_PER_ML_MIN, PA_PER_MMHG, PA_S_M3_PER_MMHG_MIN_ML

CFD = Path(__file__).parent.parent.parent / "shared" / "cfd"
BLOOD = Blood()
MU, RHO = 0.0035, 1060.0
ROUNDING = 1e-10


def line(s_mm, radius_mm):
    s = np.asarray(s_mm, dtype=float)
    radius = np.broadcast_to(radius_mm, s.shape)
    return VesselTree(np.column_stack([s, 0 * s, 0 * s]), radius, np.arange(s.size) - 1)


def fork(radius_mother=2.0, radius_a=1.5, radius_b=1.5, length=20.0):
    """Draw a mother along x and two straight daughters of constant calibre, 1 mm steps."""
    steps = np.arange(1.0, length + 0.5)
    mother = np.column_stack([np.arange(length + 1), np.zeros((int(length) + 1, 2))])
    a = mother[-1] + steps[:, None] * np.array([0.8, 0.6, 0.0])
    b = mother[-1] + steps[:, None] * np.array([0.8, -0.6, 0.0])
    n, m = len(mother), len(a)
    parent = [
        *range(-1, n - 1),
        n - 1,
        *range(n, n + m - 1),
        n - 1,
        *range(n + m, n + 2 * m - 1),
    ]
    radius = np.repeat([radius_mother, radius_a, radius_b], [n, m, m])
    return VesselTree(np.vstack([mother, a, b]), radius, parent)


def cosine(step_mm=0.25, stenosis=0.5, centre_mm=30.0, length_mm=10.0, end_mm=80.0, r0=1.5):
    s = np.arange(0.0, end_mm + step_mm / 2, step_mm)
    return line(s, r0 * (1 - bump(s, centre_mm, length_mm, stenosis)))


def bump(s, centre_mm, length_mm, stenosis):
    x = np.clip((s - centre_mm) / length_mm, -0.5, 0.5)
    return stenosis / 2 * (1 + np.cos(2 * np.pi * x))


@st.composite
def trees(draw):
    """Draw a tree whose inlet is no throat: there a static pressure can be imposed."""
    n = draw(st.integers(2, 30))
    parent = [-1] + [draw(st.integers(0, i - 1)) for i in range(1, n)]
    radius = draw(st.lists(st.floats(0.3, 3.0), min_size=n, max_size=n))
    radius[0] = 3.0
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return VesselTree(rng.normal(size=(n, 3)) * 10, radius, parent)


def test_a_cylinder_obeys_poiseuille():
    tree = line([0, 10, 40], 1.0)
    solution = solve_prescribed(tree, 93.0, [60.0], BLOOD)
    drop = 8 * MU * 0.04 * 1e-6 / (np.pi * 1e-12) / PA_PER_MMHG
    assert 93.0 - solution.pressure_mmhg[-1] == pytest.approx(drop, rel=ROUNDING)
    assert solution.pressure_mmhg[0] == pytest.approx(93.0, rel=1e-15)


@pytest.mark.parametrize("pieces", [1, 7])
def test_a_cone_costs_its_exact_poiseuille_integral(pieces):
    s = np.linspace(0, 30, pieces + 1)
    r0, r1, length = 2e-3, 1e-3, 30e-3
    a, b = borda_carnot(line(s, np.linspace(2.0, 1.0, pieces + 1)), BLOOD)
    integral = length / (3 * (r1 - r0)) * (r0**-3 - r1**-3)  # of ds/r^4, r linear in s
    assert a.sum() == pytest.approx(8 * MU / np.pi * integral, rel=ROUNDING)
    assert not b.any()  # a converging vessel has no jet


def test_a_tapered_vessel_pays_the_kinetic_head_of_its_narrow_end():
    tree = line([0, 30], [2.0, 1.0])
    solution = solve_prescribed(tree, 93.0, [120.0], BLOOD, poiseuille)
    q, areas = 2e-6, np.pi * np.array([2e-3, 1e-3]) ** 2
    head = RHO / 2 * q**2 * (areas[1] ** -2 - areas[0] ** -2)
    viscous = poiseuille(tree, BLOOD)[0].sum() * q
    drop = solution.pressure_mmhg[0] - solution.pressure_mmhg[1]
    assert drop == pytest.approx((head + viscous) / PA_PER_MMHG, rel=ROUNDING)


def test_a_sudden_expansion_loses_what_borda_and_carnot_say():
    tree = line([0, 10, 10.001, 30], [1.0, 1.0, 2.0, 2.0])
    _, b = borda_carnot(tree, BLOOD)
    a1, a2 = np.pi * 1e-6, np.pi * 4e-6
    assert b.sum() == pytest.approx(RHO / 2 * (1 / a1 - 1 / a2) ** 2, rel=ROUNDING)
    assert b[2] == b.sum()


def test_a_gradual_expansion_loses_along_its_diverging_part_only():
    tree = cosine()
    _, b = borda_carnot(tree, BLOOD)
    s = tree.points_mm[:, 0]
    assert not b[(s <= 30.0) | (s > 35.0 + 1e-9)].any()
    assert np.all(b[(s > 30.0) & (s < 34.9)] > 0)
    at, a0 = np.pi * 0.75e-3**2, np.pi * 1.5e-3**2
    assert b.sum() == pytest.approx(RHO / 2 * (1 / at - 1 / a0) ** 2, rel=ROUNDING)


def test_points_inserted_on_straight_segments_change_nothing():
    coarse = line([0, 20, 25, 30, 36, 60], [1.5, 1.5, 0.7, 1.2, 0.9, 1.6])
    s = np.unique(np.concatenate([np.linspace(0, 60, 601), coarse.points_mm[:, 0]]))
    fine = line(s, np.interp(s, coarse.points_mm[:, 0], coarse.radius_mm))
    here = solve_prescribed(coarse, 93.0, [100.0], BLOOD).pressure_mmhg
    there = solve_prescribed(fine, 93.0, [100.0], BLOOD).pressure_mmhg
    at = np.searchsorted(s, coarse.points_mm[:, 0])
    assert there[at] == pytest.approx(here, rel=ROUNDING)


@pytest.mark.parametrize("ripple", [0.01, 0.03])
def test_ripples_of_the_radius_hardly_change_the_loss(ripple):
    smooth = cosine()
    s = smooth.points_mm[:, 0]
    rough = line(s, smooth.radius_mm * (1 + ripple * np.sin(2 * np.pi * s / 1.7)))
    heads = [borda_carnot(tree, BLOOD)[1].sum() / (RHO / 2) for tree in (smooth, rough)]
    healthy = 1 / (np.pi * 1.5e-3**2)
    throat = 1 / (np.pi * (rough.radius_mm.min() * 1e-3) ** 2)
    widest = healthy / (1 + ripple) ** 2
    each = (healthy / (1 - ripple) ** 2 - widest) ** 2  # a ripple by itself, 47 of them
    assert heads[1] < (throat - widest) ** 2 + 47 * each
    assert heads[1] > 0.95 * heads[0]  # a ripple behind the throat does not end the jet


def test_two_lesions_far_apart_lose_twice_as_much_as_one():
    s = np.arange(0, 150.1, 0.25)
    one = line(s, 1.5 * (1 - bump(s, 30, 10, 0.5)))
    two = line(s, 1.5 * (1 - bump(s, 30, 10, 0.5) - bump(s, 100, 10, 0.5)))
    single, tandem = (borda_carnot(tree, BLOOD)[1].sum() for tree in (one, two))
    assert tandem == pytest.approx(2 * single, rel=ROUNDING)


def test_two_throats_with_a_waist_between_lose_to_the_waist_and_then_to_the_vessel():
    tree = line([0, 20, 25, 30, 35, 40, 80], [1.5, 1.5, 0.75, 1.0, 0.75, 1.5, 1.5])
    throat, waist, wide = (1 / (np.pi * (r * 1e-3) ** 2) for r in (0.75, 1.0, 1.5))
    heads = (throat - waist) ** 2 + (throat - wide) ** 2
    assert borda_carnot(tree, BLOOD)[1].sum() == pytest.approx(RHO / 2 * heads, rel=ROUNDING)


def test_a_dent_behind_a_throat_does_not_end_its_jet():
    plain = line([0, 20, 25, 28, 29, 35, 80], [1.5, 1.5, 0.75, 1.1, 1.1, 1.5, 1.5])
    dented = line([0, 20, 25, 28, 29, 35, 80], [1.5, 1.5, 0.75, 1.1, 1.05, 1.5, 1.5])
    losses = [borda_carnot(tree, BLOOD)[1].sum() for tree in (plain, dented)]
    assert losses[1] == pytest.approx(losses[0], rel=ROUNDING)


def test_a_jet_is_forgotten_before_an_ectasia_far_downstream():
    s = np.arange(0, 150.1, 0.25)
    lesion = 1.5 * (1 - bump(s, 30, 10, 0.5))
    wide = lesion * (1 + bump(s, 110, 15, 0.4))
    alone = 1.5 * (1 + bump(s, 110, 15, 0.4))
    parts = [borda_carnot(line(s, r), BLOOD)[1].sum() for r in (lesion, alone)]
    assert borda_carnot(line(s, wide), BLOOD)[1].sum() == pytest.approx(sum(parts), rel=1e-9)


def test_a_healthy_bifurcation_with_a_calibre_step_costs_no_expansion():
    for b_mm in (0.7, 1.0, 1.5):
        _, b = borda_carnot(fork(2.0, 1.5, b_mm), BLOOD)
        share = flow_shares(fork(2.0, 1.5, b_mm), fork(2.0, 1.5, b_mm).radius_mm)
        head = RHO / 2 / (np.pi * 4e-6) ** 2  # of the mother, times Q^2
        assert np.max(b * share**2) < 0.15 * head


def test_a_centreline_that_still_lies_in_the_mother_costs_no_expansion():
    tree = fork(2.0, 1.5, 1.5)
    wide = tree.radius_mm.copy()
    wide[[21, 41]] = 1.95  # 1 mm behind the carina, where both lumens are one
    _, b = borda_carnot(VesselTree(tree.points_mm, wide, tree.parent), BLOOD)
    head = RHO / 2 / (np.pi * 4e-6) ** 2
    assert np.max(b[21:] * 0.5**2) < 0.05 * head


def test_a_lesion_that_ends_in_a_bifurcation_still_pays_for_its_jet():
    tree = fork(2.0, 1.6, 1.6)
    narrow = tree.radius_mm.copy()
    narrow[17:21] = [1.5, 1.0, 1.0, 1.0]  # to the carina
    sick = VesselTree(tree.points_mm, narrow, tree.parent)
    solved = [solve_prescribed(t, 93.0, [100.0, 100.0], BLOOD) for t in (tree, sick)]
    total = [s.total_pressure_mmhg[[20, -1]] for s in solved]
    extra = (total[1][0] - total[1][1]) - (total[0][0] - total[0][1])
    jet = 200 * M3_S_PER_ML_MIN / (np.pi * 1e-6)
    slow = 100 * M3_S_PER_ML_MIN / (np.pi * 1.6e-3**2)
    assert extra == pytest.approx(RHO / 2 * (jet - slow) ** 2 / PA_PER_MMHG, rel=0.05)


def test_an_ostial_lesion_of_a_daughter_costs_its_own_jet():
    tree = fork(2.0, 1.5, 1.5)
    narrow = tree.radius_mm.copy()
    narrow[21:25] = 0.75
    sick = VesselTree(tree.points_mm, narrow, tree.parent)
    _, b = borda_carnot(sick, BLOOD)
    expected = RHO / 2 * (1 / (np.pi * 0.75e-3**2) - 1 / (np.pi * 1.5e-3**2)) ** 2
    assert b[21:41].sum() == pytest.approx(expected, rel=1e-6)
    assert b[41:].sum() < 0.05 * expected


@pytest.mark.parametrize("resistance", [0.05, 0.5, 5.0])
def test_a_quadratic_lesion_passes_the_flow_of_the_closed_form(resistance):
    tree = line([0, 10, 12, 14, 40], [1.5, 1.5, 0.5, 1.5, 1.5])
    solution = solve_steady(tree, 93.0, [resistance], 5.0, BLOOD)
    a, b = (c.sum() for c in borda_carnot(tree, BLOOD))
    a += resistance * PA_S_M3_PER_MMHG_MIN_ML
    q = (-a + np.sqrt(a**2 + 4 * b * 88.0 * PA_PER_MMHG)) / (2 * b)  # equal heads cancel
    assert solution.flow_ml_min[-1] * M3_S_PER_ML_MIN == pytest.approx(q, rel=1e-9)
    assert solution.residual_mmhg <= TOLERANCE_MMHG


def test_symmetric_daughters_act_as_one_vessel_of_half_the_resistance():
    tree = fork(2.0, 1.5, 1.5, length=20.0)
    solution = solve_steady(tree, 93.0, [1.0, 1.0], 5.0, BLOOD, poiseuille)
    runs = [8 * MU * 0.02 / (np.pi * (r * 1e-3) ** 4) for r in (2.0, 1.5)]
    taper = poiseuille(tree, BLOOD)[0][21] - runs[1] / 20  # first step is a cone
    bed = PA_S_M3_PER_MMHG_MIN_ML
    linear = runs[0] + (runs[1] + taper + bed) / 2
    q = solution.flow_ml_min * M3_S_PER_ML_MIN
    h = RHO / 2 / (np.pi * np.array([2e-3, 1.5e-3]) ** 2) ** 2
    heads = h[1] * q[-1] ** 2 - h[0] * q[0] ** 2
    assert q[0] * linear + heads == pytest.approx(88.0 * PA_PER_MMHG, rel=1e-9)


def test_the_steady_bifurcation_of_svzerod_has_its_closed_form():
    """steadyFlow_bifurcationR_R1 (svZeroDSolver): CGS 600 at the junction, 1100 at inlet.

    Its resistances are 100 each and its flow 5; written here as exchangeable closure.
    """
    tree = VesselTree(
        [[0, 0, 0], [10, 0, 0], [20, 5, 0], [20, -5, 0]], [9.0] * 4, [-1, 0, 1, 1]
    )
    unit = PA_PER_MMHG / M3_S_PER_ML_MIN

    def closure(tree, blood):
        return np.array([0.0, 100.0, 100.0, 100.0]) * unit, np.zeros(4)

    light = Blood(density_kg_m3=1e-12)  # the case has no kinetic head
    solution = solve_steady(tree, 1100.0, [100.0, 100.0], 100.0, light, closure)
    assert solution.flow_ml_min == pytest.approx([5.0, 5.0, 2.5, 2.5], rel=1e-12)
    assert solution.pressure_mmhg == pytest.approx([1100.0, 600.0, 350.0, 350.0], rel=1e-12)


def test_the_steady_stenosis_of_svzerod_has_its_closed_form():
    """steadyFlow_stenosis_R: R 100, S 100, outlet R 100, Pd 100, Q 5: 3600 to 600."""
    unit = PA_PER_MMHG / M3_S_PER_ML_MIN

    def closure(tree, blood):
        return np.array([0.0, 100.0]) * unit, np.array([0.0, 100.0]) * unit / M3_S_PER_ML_MIN

    light = Blood(density_kg_m3=1e-12)
    solution = solve_steady(line([0, 10], 9.0), 3600.0, [100.0], 100.0, light, closure)
    assert solution.flow_ml_min[-1] == pytest.approx(5.0, rel=1e-12)
    assert solution.pressure_mmhg[-1] == pytest.approx(600.0, rel=1e-12)


@settings(deadline=None, max_examples=60)
@given(trees(), st.floats(0.3, 20.0))
def test_random_trees_conserve_mass_lose_head_and_balance_their_outlets(tree, resistance):
    ends = outlets(tree)
    bed = resistance * np.linspace(1, 3, ends.size)
    solution = solve_steady(tree, 93.0, bed, 5.0, BLOOD)
    flow, head = solution.flow_ml_min, solution.total_pressure_mmhg
    arriving = np.bincount(tree.parent[1:], flow[1:], minlength=len(tree))
    inner = child_count(tree) > 0
    assert arriving[inner] == pytest.approx(flow[inner], rel=1e-14)
    if np.all(flow >= 0):
        assert np.all(head[1:] <= head[tree.parent[1:]])
    reached = (solution.pressure_mmhg[ends] - 5.0) / bed
    assert np.abs(reached - flow[ends]).max() * bed.max() < 1e-6
    assert solution.pressure_mmhg[0] == pytest.approx(93.0, rel=1e-13)


@settings(deadline=None, max_examples=30)
@given(trees())
def test_imposing_the_flows_of_a_free_solve_gives_the_same_pressures(tree):
    free = solve_steady(tree, 93.0, np.ones(outlets(tree).size), 0.0, BLOOD)
    flow = free.flow_ml_min[outlets(tree)]
    if np.any(flow < 0):
        return
    imposed = solve_prescribed(tree, 93.0, flow, BLOOD)
    assert imposed.pressure_mmhg == pytest.approx(free.pressure_mmhg, rel=1e-9, abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(trees(), st.integers(0, 1000))
def test_mirroring_and_relabelling_change_nothing(tree, seed):
    bed = 1.0 + np.arange(outlets(tree).size)
    here = solve_steady(tree, 93.0, bed, 5.0, BLOOD)
    order, place = relabelled(tree, np.random.default_rng(seed))
    parent = np.concatenate([[-1], place[tree.parent[order[1:]]]])
    other = VesselTree(tree.points_mm[order] * [-1, 1, 1], tree.radius_mm[order], parent)
    beds = dict(zip(outlets(tree), bed, strict=True))
    there = solve_steady(other, 93.0, [beds[order[k]] for k in outlets(other)], 5.0, BLOOD)
    assert there.pressure_mmhg == pytest.approx(here.pressure_mmhg[order], rel=1e-7, abs=1e-7)


def relabelled(tree, rng):
    order, ready = [], [0]
    while ready:
        i = ready.pop(rng.integers(len(ready)))
        order.append(i)
        ready += list(np.flatnonzero(tree.parent == i))
    place = np.empty(len(tree), dtype=int)
    place[order] = np.arange(len(tree))
    return np.array(order), place


def test_scaling_lengths_scales_the_coefficients():
    tree = cosine()
    scaled = VesselTree(tree.points_mm * 3, tree.radius_mm * 3, tree.parent)
    (a, b), (a3, b3) = (borda_carnot(t, BLOOD) for t in (tree, scaled))
    assert a3 == pytest.approx(a / 27, rel=1e-9)
    assert b3 == pytest.approx(b / 81, rel=1e-9, abs=b.max() * 1e-12)


def test_refining_a_smooth_lesion_converges_at_second_order():
    steps = [1.0, 0.5, 0.25, 0.125]
    ends = [solve_prescribed(cosine(h), 93.0, [120.0], BLOOD).pressure_mmhg[-1] for h in steps]
    exact = solve_prescribed(cosine(0.005), 93.0, [120.0], BLOOD).pressure_mmhg[-1]
    error = np.abs(np.array(ends) - exact)
    slope = np.log2(error[:-1] / error[1:])
    assert np.all(slope > 1.8)


def test_more_stenosis_means_less_pressure_and_less_flow():
    flows, ends = [], []
    for stenosis in (0.0, 0.3, 0.5, 0.7, 0.9, 0.97):
        solution = solve_steady(cosine(stenosis=stenosis), 93.0, [0.5], 5.0, BLOOD)
        flows.append(solution.flow_ml_min[0])
        ends.append(solution.pressure_mmhg[-1])
    assert np.all(np.diff(flows) < 0)
    assert np.all(np.diff(ends) < 0)
    assert ends[-1] > 5.0


def test_a_nearly_closed_vessel_still_converges():
    solution = solve_steady(cosine(stenosis=0.999), 93.0, [0.3], 5.0, BLOOD)
    assert solution.flow_ml_min[0] < 1e-3
    assert solution.pressure_mmhg[-1] == pytest.approx(5.0, abs=1e-3)
    assert solution.iterations < 60


def test_an_inlet_that_is_a_throat_is_solved_while_a_solution_exists():
    tree = line([0, 7], [0.35, 1.0])
    solution = solve_steady(tree, 93.0, [1.0], 5.0, BLOOD)
    assert solution.residual_mmhg <= TOLERANCE_MMHG
    with pytest.raises(ConvergenceError, match="point 0"):
        solve_steady(line([0, 7], [0.3, 0.4]), 93.0, [0.01], 5.0, BLOOD, poiseuille)


def test_newton_needs_few_steps():
    solution = solve_steady(fork(2.0, 1.5, 0.8), 93.0, [0.3, 0.9], 5.0, BLOOD)
    assert 2 <= solution.iterations <= 6


def test_a_closed_outlet_carries_nothing_and_leaves_the_other_alone():
    tree = fork(2.0, 1.5, 1.5)
    solution = solve_steady(tree, 93.0, [0.5, np.inf], 5.0, BLOOD)
    assert not solution.flow_ml_min[41:].any()
    assert solution.total_pressure_mmhg[41:] == pytest.approx(
        np.full(20, solution.total_pressure_mmhg[20]), rel=1e-13
    )
    assert solution.flow_ml_min[40] == solution.flow_ml_min[0]


def test_no_pressure_difference_means_no_flow():
    solution = solve_steady(fork(), 5.0, [0.5, 0.5], 5.0, BLOOD)
    assert np.abs(solution.flow_ml_min).max() < 1e-9
    assert solve_prescribed(fork(), 93.0, [0.0, 0.0], BLOOD).pressure_mmhg == pytest.approx(
        93.0
    )


def test_a_solve_that_does_not_converge_names_the_narrowest_point():
    def broken(tree, blood):
        a, b = poiseuille(tree, blood)
        return a * np.nan, b

    with pytest.raises(ConvergenceError, match=r"point 30 .radius 0\.\d+ mm"):
        solve_steady(cosine(1.0, stenosis=0.7), 93.0, [0.5], 5.0, BLOOD, broken)


def test_the_mismatch_check_does_not_overlook_what_is_not_a_number():
    one = np.ones(2)
    ends = np.array([0, 1])
    miss, where = imbalance(one, one, ends, 0.0, one, np.array([1.0, np.nan]))
    assert np.isnan(miss)
    assert where == 1


def test_a_prescribed_flow_beyond_the_lesion_shows_its_negative_pressure():
    solution = solve_prescribed(cosine(stenosis=0.8), 93.0, [200.0], BLOOD)
    assert solution.pressure_mmhg[-1] < 0


def test_an_overflowing_pressure_is_an_error_and_names_the_point():
    with pytest.raises(ConvergenceError, match="point"):
        solve_prescribed(line([0, 10], 1e-9), 93.0, [1e300], BLOOD)


@pytest.mark.parametrize(
    ("values", "words"),
    [([1.0], "2 outlets"), ([1.0, 0.0], "positive"), ([1.0, np.nan], "positive")],
)
def test_resistances_that_do_not_fit_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        solve_steady(fork(), 93.0, values, 5.0, BLOOD)


@pytest.mark.parametrize("values", [[1.0, -2.0], [1.0, np.inf]])
def test_flows_that_cannot_be_are_refused(values):
    with pytest.raises(ValueError, match="outlet flow"):
        solve_prescribed(fork(), 93.0, values, BLOOD)


def test_an_unknown_inlet_profile_is_refused():
    with pytest.raises(ValueError, match="developed, plug"):
        solve_prescribed(fork(), 93.0, [1.0, 1.0], BLOOD, inlet_profile="flat")


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
def test_blood_without_viscosity_or_density_is_refused(bad):
    with pytest.raises(ValueError, match="viscosity_pa_s"):
        Blood(viscosity_pa_s=bad)
    with pytest.raises(ValueError, match="density_kg_m3"):
        Blood(density_kg_m3=bad)


def test_a_plug_inlet_ends_up_losing_one_and_a_quarter_heads_more():
    tree = line(np.linspace(0, 2000, 4001), 1.5)
    flow = np.full(len(tree), 2e-6)
    extra = entrance(tree, BLOOD, flow).sum() * 2e-6**2
    head = RHO / 2 * (2e-6 / (np.pi * 1.5e-3**2)) ** 2
    assert extra / head == pytest.approx(1.25, rel=0.01)  # Shah & London 1978


def test_a_plug_inlet_follows_the_developing_flow_near_the_entrance():
    """Close to the inlet the loss is that of a boundary layer, 13.76 sqrt(x+) (Shah 1978)."""
    x = 1e-4 * 4 * RHO * 2e-6 / (np.pi * MU) * 1e3  # x+ = 1e-4
    tree = line(np.linspace(0, x, 11), 1.5)
    number = entrance(tree, BLOOD, np.full(11, 2e-6)).sum() * 2e-6**2
    number /= RHO / 2 * (2e-6 / (np.pi * 1.5e-3**2)) ** 2
    assert number + 64e-4 == pytest.approx(13.76 * 1e-2, rel=0.01)


def test_a_plug_inlet_costs_pressure_in_both_kinds_of_solve():
    tree = fork()
    known = [
        solve_prescribed(tree, 93.0, [60, 60], BLOOD, inlet_profile=p)
        for p in ("developed", "plug")
    ]
    assert np.all(known[1].pressure_mmhg[1:] < known[0].pressure_mmhg[1:])
    free = solve_steady(tree, 93.0, [0.5, 0.5], 5.0, BLOOD, inlet_profile="plug")
    again = solve_prescribed(
        tree, 93.0, free.flow_ml_min[outlets(tree)], BLOOD, inlet_profile="plug"
    )
    assert again.pressure_mmhg == pytest.approx(free.pressure_mmhg, rel=1e-8)


def test_young_and_tsai_give_the_drop_that_others_publish_for_their_formula():
    """svOneDSolver's tube_stenosis_r, closed form 130.576 dyn/cm2 between areas 10-5-10."""
    d0, ds = 2 * np.sqrt(10 / np.pi) * 10, 2 * np.sqrt(5 / np.pi) * 10
    lesion = Lesion(1, 2, 3, 100.0, ds, d0, 500.0, 50.0, 50.0)
    tree = line([0, 1, 51, 101, 102], [d0 / 2, d0 / 2, ds / 2, d0 / 2, d0 / 2])
    a, b = young_tsai(tree, Blood(0.004, 1060.0), [lesion])
    drop = 1e-4 * a[2:4].sum() + 1e-8 * b.sum()
    assert drop * 10 == pytest.approx(130.576, rel=1e-4)


def records():
    return sorted(CFD.glob("*.json")) if CFD.is_dir() else []


def lumen(case):
    """Return the lumen of a record as a tree, its outlet flows, stations and their drops."""
    shape, drops = case["geometry"], case["drops"]
    up = drops["station_up_mm"]
    if "s_mm" in shape or shape["branches"][0]["name"] == "tube":
        shape = shape if "s_mm" in shape else shape["branches"][0]
        tree = line(shape["s_mm"], shape["r_mm"])
        target = drops["5D"]
        return tree, [case["flow_ml_min"]], up, target["station_mm"], target["dp_static_Pa"]
    lm, lad, lcx = shape["branches"]
    points = [np.column_stack([np.asarray(lm["s_mm"]), np.zeros((len(lm["s_mm"]), 2))])]
    carina = 12.0
    for sign, branch in ((0.6, lad), (-0.6, lcx)):
        s = np.asarray(branch["s_mm"])[:, None]
        points.append(np.array([carina, 0, 0]) + s * np.array([0.8, sign, 0.0]))
    n, m, k = (len(p) for p in points)
    parent = [
        *range(-1, n - 1),
        n - 1,
        *range(n, n + m - 1),
        n - 1,
        *range(n + m, n + m + k - 1),
    ]
    radius = np.concatenate([lm["r_mm"], lad["r_mm"], lcx["r_mm"]])
    target = drops["LAD_5D"]
    tree = VesselTree(np.vstack(points), radius, parent)
    flows = [lad["flow_ml_min"], lcx["flow_ml_min"]]
    return tree, flows, up, carina + target["station_mm"], target["dp_static_Pa"]


def ffr_error(path, closure):
    """Return the error of FFR at Pa 93 mmHg, 5 diameters behind the lesion."""
    tree, flows, up, down, drop = lumen(json.loads(path.read_text()))
    solution = solve_prescribed(tree, 93.0, flows, BLOOD, closure)
    way = slice(0, outlets(tree)[0] + 1)  # the first branch is the one with the lesion
    s = np.concatenate(
        [[0], np.cumsum(np.linalg.norm(np.diff(tree.points_mm[way], axis=0), axis=1))]
    )
    s += tree.points_mm[0, 0]
    here = np.interp([up, down], s, solution.pressure_mmhg[way])
    return -(here[0] - here[1] - drop / PA_PER_MMHG) / 93.0


@pytest.mark.skipif(not records(), reason="the CFD records are not on this machine")
def test_the_default_closure_stays_near_3d_flow_over_the_whole_set():
    """Measured: mean +0.033, SD 0.033, worst 0.146 (80 %, 20 mm) in FFR; bounds are looser.

    It reads high: entrance friction in a throat and eccentric jets are not in it.
    """
    errors = np.array([ffr_error(path, borda_carnot) for path in records()])
    assert errors.size >= 30
    assert -0.01 < errors.mean() < 0.045
    assert np.abs(errors).mean() < 0.045
    assert np.abs(errors).max() < 0.16
    assert np.quantile(np.abs(errors), 0.75) < 0.06


@pytest.mark.skipif(not records(), reason="the CFD records are not on this machine")
def test_losses_of_expansion_are_worth_having():
    sums = {
        closure: np.mean([abs(ffr_error(path, closure)) for path in records()])
        for closure in (
            borda_carnot,
            poiseuille,
            partial(borda_carnot, expansion_coefficient=2.0),
        )
    }
    assert min(sums, key=sums.get) is borda_carnot
