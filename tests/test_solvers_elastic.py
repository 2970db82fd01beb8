"""1D elastic networks: junctions, beds, trees, ratios, failures with a place and a reason."""

import numpy as np
import pytest

from meshes.errors import GeometryError
from meshes.tree import VesselTree, outlets
from solvers.blood import Blood
from solvers.elastic.beds import (
    CoronaryBed,
    Reflection,
    Resistance,
    Windkessel,
    coronary_beds,
)
from solvers.elastic.coronary import (
    CoronaryPulse,
    coronary_network,
    solve_coronary,
)
from solvers.elastic.inlet import Inlet
from solvers.elastic.network import ElasticNetwork, ElasticVessel
from solvers.elastic.pulse import run_cycles, run_to_periodicity
from solvers.elastic.svoned import parse_svoned
from solvers.errors import ConvergenceError
from solvers.ratios import mean_pressure_ratio, wave_free_ratio
from solvers.steady import solve_steady

BLOOD = Blood(4e-3, 1060.0)
CYCLE = np.linspace(0.0, 0.9, 46)
AORTA = 93.0 + 20.0 * np.sin(2 * np.pi * CYCLE / 0.9) - 5.0 * np.cos(4 * np.pi * CYCLE / 0.9)
VENTRICLE = np.where(CYCLE < 0.35, 115.0 * np.sin(np.pi * CYCLE / 0.35), 5.0)


def vessel(name, start, end, radius_mm=1.5, length_mm=30.0, **rest):
    """A straight stiff tube with walls of the beta law."""
    rest = {"reference_pressure_mmhg": 90.0, "momentum": "flat"} | rest
    return ElasticVessel(
        name, start, end, [0.0, length_mm], [radius_mm] * 2, [2000.0] * 2, **rest
    )  # fmt: skip


def constant(flow_ml_min):
    return Inlet([0.0], flow_ml_min=[flow_ml_min])


def steady(network, inlet, **rest):
    rest = {"samples": 4, "tolerance_percent": 1e-6} | rest
    return run_to_periodicity(network, BLOOD, 0.2, inlet, **rest)


def tree(diameter_stenosis=0.5):
    """A tapered trunk with a cosine lesion and two daughters."""
    s = np.linspace(0.0, 30.0, 61)
    lesion = np.where(np.abs(s - 15) < 5, 0.5 * (1 + np.cos(np.pi * (s - 15) / 5)), 0.0)
    trunk = np.column_stack([s, 0 * s, 0 * s])
    x = np.linspace(0.5, 15.0, 30)
    sides = [trunk[-1] + np.outer(x, way) for way in ([0.8, 0.6, 0.0], [0.8, -0.6, 0.0])]
    radius = [(2.0 - 0.01 * s) * (1 - diameter_stenosis * lesion)]
    radius += [np.full(30, 1.4), np.full(30, 1.1)]
    parent = np.concatenate([np.arange(-1, 90), [60], np.arange(91, 120)])
    return VesselTree(np.vstack([trunk, *sides]), np.concatenate(radius), parent)


def test_a_loop_of_two_unequal_vessels_shares_the_flow_as_their_resistances_ask():
    network = ElasticNetwork(
        (
            vessel("in", 0, 1), vessel("wide", 1, 2, 1.2), vessel("narrow", 1, 2, 0.8),
            vessel("out", 2, 3),
        ),
        0, {3: Resistance(0.9)},
    )  # fmt: skip
    solved = steady(network, constant(60.0), tolerance_percent=1e-4)
    flows = [q[-1].mean() for q in solved.flow_ml_min]
    assert flows[1] + flows[2] == pytest.approx(60.0, rel=1e-6)
    # one head drop for both: Poiseuille, that is r^4 of the slightly distended radii
    assert flows[1] / flows[2] == pytest.approx((1.2 / 0.8) ** 4, rel=0.01)
    assert solved.entered_ml == pytest.approx(solved.left_ml, rel=1e-8)


def test_total_pressure_is_one_at_a_junction_of_four_and_flows_sum_to_zero():
    network = ElasticNetwork(
        (vessel("in", 0, 1, 2.0), *(vessel(f"d{i}", 1, i, 0.6 + 0.3 * i) for i in (2, 3, 4))),
        0, {2: Resistance(4.0), 3: Resistance(2.0), 4: Resistance(1.0)},
    )  # fmt: skip
    solved = steady(network, constant(150.0), cell_mm=0.5, tolerance_percent=1e-5)
    heads = []
    for i, end in ((0, -1), (1, 0), (2, 0), (3, 0)):
        p, q = solved.pressure_mmhg[i][-1, end], solved.flow_ml_min[i][-1, end]
        area = np.pi * (network.vessels[i].radius_mm[0] * 1e-3) ** 2
        area *= (1.0 + (p - 90.0) / 2000.0) ** 2
        heads.append(p + 0.5 * 1060.0 * (q / 6e7 / area) ** 2 / 133.322)
    assert np.ptp(heads) < 2e-3
    assert np.ptp([solved.pressure_mmhg[i][-1, e] for i, e in ((0, -1), (1, 0))]) > 0.02
    ends = [q[-1, -1] for q in solved.flow_ml_min]
    assert sum(ends[1:]) == pytest.approx(150.0, rel=1e-6)


@pytest.mark.parametrize("flow", [80.0, -80.0])
def test_a_lumped_stenosis_costs_its_viscous_and_its_quadratic_loss_either_way(flow):
    network = ElasticNetwork(
        (
            vessel("before", 0, 1),
            vessel(
                "behind", 1, 2, inlet_viscous_loss_mmhg_min_ml=0.05, inlet_jet_loss_mmhg=10.0
            ),
        ),
        0, {2: Resistance(0.5, 50.0)},
    )  # fmt: skip
    solved = steady(network, constant(flow))
    drop = solved.pressure_mmhg[0][-1, -1] - solved.pressure_mmhg[1][-1, 0]
    assert drop == pytest.approx(0.05 * flow + 10.0 * abs(flow) * flow / 1e4, rel=2e-3)


def test_losses_spread_along_a_vessel_cost_what_they_say():
    plain, lossy = (
        ElasticVessel(
            "v", 0, 1, [0, 10, 20, 30], [1.5] * 4, [5000.0] * 4, momentum="flat",
            reference_pressure_mmhg=60.0, viscous_loss_mmhg_min_ml=viscous, jet_loss_mmhg=jet,
        )
        for viscous, jet in (([0, 0, 0], [0, 0, 0]), ([0, 0.1, 0], [0, 2.0, 6.0]))
    )  # fmt: skip
    drops = []
    for v in (plain, lossy):
        solved = steady(ElasticNetwork((v,), 0, {1: Resistance(0.6)}), constant(100.0))
        drops.append(solved.pressure_mmhg[0][-1, 0] - solved.pressure_mmhg[0][-1, -1])
    assert drops[1] - drops[0] == pytest.approx(0.1 * 100.0 + 2.0 + 6.0, rel=2e-3)


def test_a_windkessel_without_first_resistance_lets_a_short_pulse_pass():
    t = np.linspace(0.0, 0.15, 601)
    p = 1e-3 * np.where(t < 0.02, np.sin(np.pi * t / 0.02) ** 4, 0.0)
    echoes = []
    for near in (None, 0.2):
        tube = ElasticVessel("t", 0, 1, [0, 300], [1.5] * 2, [600.0] * 2)
        bed = Windkessel(1.0, 0.05, near)
        solved = run_cycles(
            ElasticNetwork((tube,), 0, {1: bed}), Blood(1e-9), 0.15, Inlet(t, pressure_mmhg=p),
            samples=300, initial_pressure_mmhg=0.0,
        )  # fmt: skip
        wave = solved.pressure_mmhg[0][:, 150]
        echoes.append(np.abs(wave[solved.time_s > 0.06]).max() / wave.max())
    assert echoes[0] < 0.02
    z = 0.115  # mmHg min/mL, rho c0/A0
    assert echoes[1] == pytest.approx((0.2 - z) / (0.2 + z), abs=0.02)


def test_steady_flow_through_a_coronary_bed_meets_the_sum_of_its_resistances():
    bed = CoronaryBed(0.3, 0.5, 0.2, 1e-3, 5e-3, [0.0], [40.0], 5.0)
    network = ElasticNetwork((vessel("v", 0, 1),), 0, {1: bed})
    solved = steady(network, Inlet([0.0], pressure_mmhg=[90.0]), tolerance_percent=1e-4)
    distal = solved.pressure_mmhg[0][-1, -1]
    assert solved.flow_ml_min[0][-1, -1] == pytest.approx(distal - 5.0, rel=1e-4)


def test_the_muscle_pushes_left_coronary_flow_into_diastole_and_right_less_so():
    shares = {}
    for side in ("left", "right"):
        beds = coronary_beds([1.2], [np.pi * 1.5**2], side, CYCLE, VENTRICLE, 5.0)
        network = ElasticNetwork((vessel("v", 0, 1),), 0, {1: beds[0]})
        inlet = Inlet(CYCLE, pressure_mmhg=AORTA)
        solved = run_to_periodicity(network, BLOOD, 0.9, inlet, cell_mm=3.0)
        flow, late = solved.flow_ml_min[0][:-1, 0], solved.time_s[:-1] > 0.35
        shares[side] = flow[late].mean() / flow[~late].mean()
    assert shares["left"] > 1.5
    assert shares["left"] > 1.5 * shares["right"]


def test_mass_is_kept_to_rounding_while_flow_reverses_at_the_outlet():
    network = ElasticNetwork((vessel("v", 0, 1),), 0, {1: Resistance(0.5, 80.0)})
    flow = 100.0 * np.sin(2 * np.pi * CYCLE / 0.9)
    solved = run_to_periodicity(
        network, BLOOD, 0.9, Inlet(CYCLE, flow_ml_min=flow), cell_mm=3.0
    )
    assert solved.flow_ml_min[0][:, -1].min() < -90.0
    moved = np.abs(solved.flow_ml_min[0]).max() * 0.9 / 60.0
    assert abs(solved.entered_ml - solved.left_ml - solved.stored_ml) < 1e-11 * moved


def test_a_vessel_shorter_than_the_least_cell_keeps_its_resistance_and_spares_the_step():
    network = ElasticNetwork(
        (vessel("in", 0, 1), vessel("stub", 1, 2, 0.6, 0.2), vessel("out", 2, 3)),
        0, {3: Resistance(1.0)},
    )  # fmt: skip
    rough = steady(network, constant(60.0))
    exact = steady(network, constant(60.0), least_cell_mm=0.05)
    assert rough.pressure_mmhg[0][-1, 0] == pytest.approx(
        exact.pressure_mmhg[0][-1, 0], abs=0.02
    )
    assert rough.steps < 0.35 * exact.steps


def test_a_tree_under_constant_pressure_has_the_ffr_of_the_steady_solver():
    resistance = np.array([0.8, 1.3])
    still = solve_steady(tree(), 93.0, resistance, 5.0, BLOOD)
    beds = [Resistance(r, 5.0) for r in resistance]
    pulse = solve_coronary(
        tree(), BLOOD, [0.0, 0.1], [93.0, 93.0], beds, tolerance_percent=1e-3
    )
    ends = outlets(tree())
    ratio = mean_pressure_ratio(pulse)[ends]
    np.testing.assert_allclose(ratio, still.pressure_mmhg[ends] / 93.0, atol=1e-3)
    np.testing.assert_allclose(pulse.pressure_mmhg[-1], still.pressure_mmhg, atol=0.5)
    np.testing.assert_allclose(pulse.flow_ml_min[-1], still.flow_ml_min, rtol=2e-3)
    assert ratio.max() < 0.97


def test_pulsatile_ffr_is_below_that_of_the_mean_flow_because_the_jet_loss_is_quadratic():
    resistance = np.array([0.8, 1.3])
    still = solve_steady(tree(0.6), 93.0, resistance, 5.0, BLOOD)
    areas = np.pi * np.array([1.4, 1.1]) ** 2
    beds = coronary_beds(resistance, areas, "left", CYCLE, VENTRICLE, 5.0)
    pulse = solve_coronary(tree(0.6), BLOOD, CYCLE, AORTA, beds)
    ends = outlets(tree())
    change = mean_pressure_ratio(pulse)[ends] - still.pressure_mmhg[ends] / 93.0
    assert np.all(change < -0.003)
    assert np.all(change > -0.04)
    assert pulse.pressure_mmhg[:-1, 0].mean() == pytest.approx(AORTA[:-1].mean(), rel=2e-3)


def test_ifr_reads_only_the_wave_free_period():
    time = np.linspace(0.0, 1.0, 1001)
    # upstroke at 0, peak at 0.15, incisura at 0.35; diastole ends at 1.0
    aorta = np.interp(time, [0, 0.15, 0.34, 0.36, 1.0], [70.0, 120.0, 100.0, 90.0, 70.0])
    inside = (time >= 0.5) & (time <= 0.996)
    distal = np.where(inside, 0.8 * aorta, 0.3 * aorta)
    pulse = CoronaryPulse(time, np.column_stack([aorta, distal]), np.zeros((1001, 2)), None)
    assert wave_free_ratio(pulse, 0.35)[1] == pytest.approx(0.8, abs=0.01)
    assert wave_free_ratio(pulse)[1] == pytest.approx(0.8, abs=0.01)
    rolled = np.roll(pulse.pressure_mmhg[:-1], 437, axis=0)
    later = CoronaryPulse(time, np.vstack([rolled, rolled[:1]]), np.zeros((1001, 2)), None)
    assert wave_free_ratio(later)[1] == pytest.approx(0.8, abs=0.01)
    with pytest.raises(ValueError, match="too short for iFR"):
        wave_free_ratio(pulse, 0.999)


def test_a_state_that_is_not_reached_names_the_place():
    bed = Windkessel(1.0, 1.0, 0.1)
    network = ElasticNetwork((vessel("aorta", 0, 1),), 0, {1: bed})
    flow = 60.0 + 50.0 * np.sin(2 * np.pi * CYCLE / 0.9)
    with pytest.raises(ConvergenceError, match=r"after 2 cycles: vessel aorta at .* mm still"):
        run_to_periodicity(
            network, BLOOD, 0.9, Inlet(CYCLE, flow_ml_min=flow), cell_mm=5.0, most_cycles=2,
            tolerance_percent=1e-9,
        )  # fmt: skip


def test_extrapolated_charges_shorten_the_way_to_periodicity():
    bed = Windkessel(1.0, 0.1, 0.1)  # forgets with a time constant of 6 s, seven cycles
    network = ElasticNetwork((vessel("v", 0, 1),), 0, {1: bed})
    flow = 60.0 + 50.0 * np.sin(2 * np.pi * CYCLE / 0.9)
    solved = run_to_periodicity(
        network, BLOOD, 0.9, Inlet(CYCLE, flow_ml_min=flow), cell_mm=5.0,
        initial_pressure_mmhg=40.0, tolerance_percent=0.01,
    )  # fmt: skip
    assert solved.cycles <= 16  # plain repetition needs 60
    mean = np.trapezoid(solved.pressure_mmhg[0][:, -1], solved.time_s) / 0.9
    assert mean == pytest.approx(1.1 * 60.0, rel=2e-3)


def test_blood_faster_than_the_waves_is_an_error_with_its_place():
    network = ElasticNetwork(
        (ElasticVessel("soft", 0, 1, [0, 20], [1.0] * 2, [5.0] * 2),), 0, {1: Resistance(0.01)}
    )
    with pytest.raises(ConvergenceError, match=r"outruns.*vessel soft at .* mm, .* s into"):
        steady(network, constant(2000.0))


def three(**change):
    """Arguments of a network with one mistake."""
    vessels = (vessel("a", 0, 1), vessel("b", 1, 2), vessel("c", 1, 3))
    beds = {2: Resistance(1.0), 3: Resistance(1.0)}
    return {"vessels": vessels, "inlet_node": 0, "beds": beds} | change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inlet_node": 7}, "node 7 is the inlet: one vessel must start"),
        ({"beds": {2: Resistance(1.0)}}, "node 3 has no bed"),
        ({"beds": {n: Resistance(1.0) for n in (1, 2, 3)}}, "node 1 has a bed but"),
        ({"vessels": (vessel("a", 0, 2), vessel("lost", 8, 3))}, "vessel lost starts at"),
        ({"vessels": (vessel("a", 0, 1), vessel("b", 1, 2), vessel("c", 1, 2)),
          "beds": {2: Resistance(1.0)}}, "vessels b, c end in one bed"),
    ],
)  # fmt: skip
def test_networks_that_do_not_hang_together_are_refused_by_name(change, message):
    with pytest.raises(GeometryError, match=message):
        ElasticNetwork(**three(**change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"radius_mm": [1.0, 0.0]}, "vessel v: radius_mm falls to 0"),
        ({"radius_mm": [1.0, np.nan]}, "vessel v: radius_mm must hold 2 finite"),
        ({"stiffness_mmhg": [1.0]}, "vessel v: stiffness_mmhg must hold 2"),
        ({"position_mm": [0.0, 0.0]}, "must start at 0 and rise"),
        ({"position_mm": [0.0], "radius_mm": [1.0], "stiffness_mmhg": [1.0]}, "must hold 2"),
        ({"law": "rubber"}, "law is 'rubber'"),
        ({"momentum": "none"}, "momentum is 'none'"),
        ({"profile_order": 0}, "profile_order is 0"),
        ({"jet_loss_mmhg": [1.0, 2.0]}, "jet_loss_mmhg must hold 1"),
    ],
)
def test_vessels_that_make_no_sense_are_refused_by_name(change, message):
    given = {
        "name": "v", "start": 0, "end": 1, "position_mm": [0.0, 9.0], "radius_mm": [1.0, 1.0],
        "stiffness_mmhg": [500.0, 500.0],
    }  # fmt: skip
    with pytest.raises(GeometryError, match=message):
        ElasticVessel(**(given | change))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Resistance(0.0), "resistance_mmhg_min_ml of an outlet's bed is 0"),
        (lambda: Windkessel(1.0, -1.0), "compliance_ml_mmhg of an outlet's bed is -1"),
        (lambda: Windkessel(1.0, 1.0, np.nan), "proximal_mmhg_min_ml"),
        (lambda: Reflection(-100.0), "reflected_percent is -100"),
        (lambda: CoronaryBed(1, 1, 1, 1, 1, [0, 0], [1, 2]), "time_s rising"),
        (lambda: Inlet([0.0]), "either pressure_mmhg or flow_ml_min"),
        (lambda: Inlet([0.0], [1.0], [1.0]), "either pressure_mmhg or flow_ml_min"),
        (lambda: Inlet([0.0, 1.0], [1.0]), "one value per time"),
        (lambda: Inlet([1.0, 0.0], [1.0, 2.0]), "times must rise"),
        (lambda: steady(ElasticNetwork(**three()), constant(1.0), cell_mm=0.0), "cell_mm is 0"),
    ],
)
def test_beds_and_inlets_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_tree_needs_one_bed_per_outlet_and_an_inlet_that_is_no_bifurcation():
    with pytest.raises(GeometryError, match="2 outlets, 1 beds"):
        coronary_network(tree(), BLOOD, [Resistance(1.0)], 90.0)
    fork = VesselTree([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [1.0] * 3, [-1, 0, 0])
    with pytest.raises(GeometryError, match="inlet of the tree is a bifurcation"):
        coronary_network(fork, BLOOD, [Resistance(1.0)] * 2, 90.0)


def test_decks_with_unknown_cards_are_refused_by_name():
    deck = "MATERIAL M LINEAR 1 0.04 0 2 1 1 1\nSEGMENT s 0 1 1 0 1 1 1 0 M NONE 0 0 0 R T"
    with pytest.raises(GeometryError, match="material LINEAR is not known"):
        parse_svoned(deck)
