"""Pulsing coronary trees in lumps: steady limit, periodicity, budgets, indices."""

import numpy as np
import pytest

from meshes.tree import VesselTree, outlets
from solvers.blood import Blood
from solvers.elastic import coronary as elastic
from solvers.elastic.beds import Reflection, Resistance, Windkessel, coronary_beds
from solvers.errors import ConvergenceError, NetworkError
from solvers.losses import borda_carnot, poiseuille
from solvers.lumped.coronary import (
    lumped_network,
    lumps_of,
    pulsatility,
    rms_corrected,
    solve_pulsatile,
)
from solvers.lumped.network import Signal
from solvers.lumped.simulate import steady_state
from solvers.ratios import mean_pressure_ratio, wave_free_ratio
from solvers.steady import solve_steady
from solvers.waveforms import DIASTOLE_FROM, aortic_wave_mmhg, ventricular_wave_mmhg

PERIOD = 0.85
BLOOD = Blood()
REST = 4.0  # times the hyperaemic resistance
VENOUS = 5.0


def fork(stenosis=0.5):
    """60 mm with a lesion at 20 mm; a branch of 30 mm leaves at 40 mm."""
    s = np.linspace(0.0, 60.0, 121)
    radius = 1.5 * (1.0 - stenosis * np.exp(-(((s - 20.0) / 3.0) ** 2)))
    points = [(x, 0.0, 0.0) for x in s] + [(40.0, 0.5 * j, 0.0) for j in range(1, 61)]
    parent = [*range(-1, 120), 80, *range(121, 180)]
    return VesselTree(np.array(points), [*radius, *([1.2] * 60)], parent)


TREE = fork()
ENDS = outlets(TREE)
RESISTANCE = np.array([1.0, 1.2])
TIME, AORTIC = aortic_wave_mmhg(120.0, 80.0, PERIOD)
MEAN = float(np.trapezoid(AORTIC, TIME) / PERIOD)


def beds(factor=1.0, side="left"):
    _, ventricle = ventricular_wave_mmhg(120.0, PERIOD)
    area = np.pi * TREE.radius_mm[ENDS] ** 2
    return coronary_beds(RESISTANCE * factor, area, side, TIME, ventricle, VENOUS)


@pytest.fixture(scope="module")
def pulse():
    return solve_pulsatile(TREE, BLOOD, TIME, AORTIC, beds())


@pytest.fixture(scope="module")
def rest():
    return solve_pulsatile(TREE, BLOOD, TIME, AORTIC, beds(REST))


def test_with_a_steady_inlet_and_muscle_it_is_the_steady_solver():
    ventricle = np.full(TIME.size, 60.0)
    area = np.pi * TREE.radius_mm[ENDS] ** 2
    still = coronary_beds(RESISTANCE, area, "left", TIME, ventricle, VENOUS)
    found = solve_pulsatile(TREE, BLOOD, TIME, np.full(TIME.size, 93.0), still)
    steady = solve_steady(TREE, 93.0, RESISTANCE, VENOUS, BLOOD)
    assert found.pressure_mmhg[-1] == pytest.approx(steady.pressure_mmhg, abs=1e-6)
    assert found.total_pressure_mmhg[-1] == pytest.approx(steady.total_pressure_mmhg, abs=1e-6)
    assert found.flow_ml_min[-1] == pytest.approx(steady.flow_ml_min, abs=1e-6)


def test_the_network_without_time_steps_has_the_steady_flow_of_the_tree():
    inlet = Signal(TIME, np.full(TIME.size, MEAN))
    state = steady_state(lumped_network(TREE, BLOOD, inlet, beds()))
    steady = solve_steady(TREE, MEAN, RESISTANCE, VENOUS, BLOOD)
    flow_ml_s = state.values[0, : 2 * 2 : 2] * 60.0
    assert flow_ml_s == pytest.approx(steady.flow_ml_min[ENDS], rel=1e-9)


def test_the_last_cycle_repeats_the_one_before_and_ends_as_it_began(pulse):
    assert pulse.cycles < 15
    assert pulse.change_percent <= 0.01
    for wave in (pulse.pressure_mmhg, pulse.flow_ml_min):
        assert np.abs(wave[-1] - wave[0]).max() < 3e-4 * np.abs(wave).max()
    # the inlet's pressure is held between the points in time, not at them
    assert np.abs(pulse.pressure_mmhg[:, 0] - AORTIC).max() < 0.3


def test_over_a_cycle_all_blood_that_enters_leaves(pulse):
    mean = pulse.flow_ml_min[:-1].mean(axis=0)
    assert mean[0] == pytest.approx(mean[ENDS].sum(), rel=1e-4)
    assert mean[80] == pytest.approx(mean[81] + mean[121], rel=1e-4)


def test_the_muscle_throttles_the_left_flow_in_systole_more_than_the_right(pulse):
    right = solve_pulsatile(TREE, BLOOD, TIME, AORTIC, beds(side="right"))
    systole = DIASTOLE_FROM * PERIOD > TIME
    share = [
        p.flow_ml_min[systole, ENDS[0]].mean() / p.flow_ml_min[~systole, ENDS[0]].mean()
        for p in (pulse, right)
    ]
    assert share[0] < 0.8 < share[1]


def test_shorter_lumps_and_steps_change_the_pressure_ratio_little(pulse):
    fine = solve_pulsatile(TREE, BLOOD, TIME, AORTIC, beds(), steps=400, longest_mm=5.0)
    assert len(lumps_of(TREE, 5.0).points) > 2 * len(lumps_of(TREE).points)
    gap = mean_pressure_ratio(fine) - mean_pressure_ratio(pulse)
    assert np.abs(gap).max() < 1e-3


@pytest.mark.parametrize("stenosis", [0.0, 0.5])
def test_a_head_that_is_gained_at_the_inlet_does_not_feed_itself_in_short_steps(stenosis):
    tree = fork(stenosis)
    usual, short = (
        solve_pulsatile(tree, BLOOD, TIME, AORTIC, beds(), steps=steps) for steps in (200, 3200)
    )
    assert short.pressure_mmhg.max() < 121.0
    ratios = [mean_pressure_ratio(p)[ENDS] for p in (usual, short)]
    assert ratios[0] == pytest.approx(ratios[1], abs=1e-4)


def test_a_lesion_in_the_lump_that_gains_head_costs_what_it_costs_in_short_lumps():
    long, short = (
        solve_pulsatile(fork(0.7), BLOOD, TIME, AORTIC, beds(), longest_mm=mm)
        for mm in (20.0, 2.0)
    )
    ratios = [mean_pressure_ratio(p)[ENDS] for p in (long, short)]
    assert ratios[0] == pytest.approx(ratios[1], abs=1e-4)


def test_flow_at_its_root_mean_square_explains_the_mean_drop(pulse):
    plain = solve_pulsatile(TREE, BLOOD, TIME, AORTIC, beds(), poiseuille)
    corrected = rms_corrected(borda_carnot, pulsatility(plain))
    steady, rms = (
        solve_steady(TREE, MEAN, RESISTANCE, VENOUS, BLOOD, closure).pressure_mmhg[ENDS] / MEAN
        for closure in (borda_carnot, corrected)
    )
    ffr = mean_pressure_ratio(pulse)[ENDS]
    assert np.all(steady > ffr + 0.005)
    assert np.all(np.abs(rms - ffr) < 0.5 * (steady - ffr))


def test_at_rest_the_indices_are_ordered_and_the_inlet_is_one(rest, pulse):
    resting, hyperaemic = mean_pressure_ratio(rest), mean_pressure_ratio(pulse)
    wave_free = wave_free_ratio(rest, DIASTOLE_FROM * PERIOD)
    assert resting[0] == hyperaemic[0] == wave_free[0] == 1.0
    # diastolic flow is above the mean in a left tree, so its drop is, too
    assert np.all(hyperaemic[ENDS] < wave_free[ENDS])
    assert np.all(wave_free[ENDS] < resting[ENDS])


def test_steady_flow_has_no_pulsatility_and_a_healthy_vessel_no_gradient():
    still = [Resistance(r, VENOUS) for r in RESISTANCE * 1000.0]
    found = solve_pulsatile(fork(0.0), BLOOD, TIME, np.full(TIME.size, 93.0), still)
    assert pulsatility(found) == pytest.approx(1.0, abs=1e-4)
    assert mean_pressure_ratio(found) == pytest.approx(1.0, abs=1e-4)


def test_a_windkessel_drains_as_its_two_resistances():
    still = [Windkessel(0.7 * r, 0.01, 0.3 * r, VENOUS) for r in RESISTANCE]
    found = solve_pulsatile(TREE, BLOOD, TIME, np.full(TIME.size, 93.0), still)
    steady = solve_steady(TREE, 93.0, RESISTANCE, VENOUS, BLOOD)
    assert found.flow_ml_min[-1] == pytest.approx(steady.flow_ml_min, rel=1e-6)


def test_at_every_moment_a_resistance_sees_the_pressure_that_its_flow_needs():
    still = [Resistance(r, VENOUS) for r in RESISTANCE]
    found = solve_pulsatile(TREE, BLOOD, TIME, AORTIC, still, steps=400)
    needed = VENOUS + RESISTANCE * found.flow_ml_min[:, ENDS]
    # inertia alone is worth more than 1 mmHg here
    assert np.abs(found.pressure_mmhg[:, ENDS] - needed).max() < 0.05


def test_a_tree_that_cannot_be_solved_is_refused_with_the_reason():
    inlet = Signal(TIME, AORTIC)
    with pytest.raises(NetworkError, match="2 outlets, 1 beds"):
        lumped_network(TREE, BLOOD, inlet, beds()[:1])
    with pytest.raises(NetworkError, match=f"Reflection at 'bed {ENDS[0]}' has no lumped"):
        lumped_network(TREE, BLOOD, inlet, [Reflection(0.0), Reflection(0.0)])
    with pytest.raises(
        ConvergenceError, match=r"after 2 cycles: .* still changes by .* 1e-06 %"
    ):
        solve_pulsatile(
            TREE, BLOOD, TIME, AORTIC, beds(), tolerance_percent=1e-6, most_cycles=2
        )
    with pytest.raises(NetworkError, match="201 times and 200 values"):
        solve_pulsatile(TREE, BLOOD, TIME, AORTIC[1:], beds())


def test_no_window_no_wave_free_ratio(rest):
    for start in (-0.1, PERIOD - 0.004, 2.0):
        with pytest.raises(ValueError, match="too short for iFR"):
            wave_free_ratio(rest, start)


def test_the_aortic_wave_spans_the_cuff_pressures_and_closes():
    assert AORTIC.min() == pytest.approx(80.0)
    assert AORTIC.max() == pytest.approx(120.0)
    assert AORTIC[0] == pytest.approx(AORTIC[-1])
    assert TIME[-1] == PERIOD
    # form factor of aortic waves: 0.35 to 0.53 (Chemla 2002)
    assert 0.35 < (MEAN - 80.0) / 40.0 < 0.53
    _, ventricle = ventricular_wave_mmhg(120.0, PERIOD)
    assert ventricle.max() == pytest.approx(120.0)
    open_valve = ventricle > AORTIC - 5.0
    assert np.all(TIME[:-1][open_valve[:-1]] < DIASTOLE_FROM * PERIOD + 0.01)
    for bad in ((80.0, 120.0), (120.0, 0.0), (float("nan"), 80.0)):
        with pytest.raises(ValueError, match="must be above diastolic"):
            aortic_wave_mmhg(*bad, PERIOD)
    with pytest.raises(ValueError, match="period_s is 0"):
        aortic_wave_mmhg(120.0, 80.0, 0.0)


def test_a_straight_tube_has_the_textbook_resistance_compliance_and_inertance():
    length, r = 0.02, 1.5e-3
    tube = VesselTree(
        [(0.0, 0.0, 0.0), (10.0, 0.0, 0.0), (20.0, 0.0, 0.0)], [1.5] * 3, [-1, 0, 1]
    )
    bed = [Resistance(1.0)]
    network = lumped_network(tube, BLOOD, Signal(TIME, AORTIC), bed, poiseuille)
    values = next(b.values for b in network.blocks if b.kind == "BloodVessel")
    mmhg, ml = 133.322387415, 1e-6
    # Olufsen (1999) with the constants of svOneDSolver's coronary deck: E h / r in Pa
    stiff = 1.48e6 * np.exp(-2252.67 * r) + 8.65e4
    expected = {
        "R_poiseuille": 8 * 3.5e-3 * length / (np.pi * r**4) / mmhg * ml,
        "C": 3 * length * np.pi * r**2 / (2 * stiff) * mmhg / ml,
        "L": 1060.0 * length / (np.pi * r**2) / mmhg * ml,
    }
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, rel=1e-9), name
    # the kinetic heads of inlet and outlet cancel in a straight tube
    assert values["stenosis_coefficient"] == pytest.approx(0.0, abs=1e-15)


def test_the_elastic_solver_in_one_dimension_finds_the_same_ratios(pulse, rest):
    for ours, bed in ((pulse, beds()), (rest, beds(REST))):
        theirs = elastic.solve_coronary(TREE, BLOOD, TIME, AORTIC, bed)
        gap = mean_pressure_ratio(theirs) - mean_pressure_ratio(ours)
        assert np.abs(gap[ENDS]).max() < 2e-3
    start = DIASTOLE_FROM * PERIOD
    gap = wave_free_ratio(theirs, start) - wave_free_ratio(rest, start)
    assert np.abs(gap[ENDS]).max() < 2e-3
