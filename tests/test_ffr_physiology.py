"""Boundary conditions: the flow model, its split, and what is said to be assumed."""

from dataclasses import replace

import numpy as np
import pytest

from ffr.circulation.boundary import boundary_from_patient, split_flow
from ffr.circulation.estimates import (
    blood_from_patient,
    input_spread,
    mean_aortic_pressure_mmhg,
    resting_flow_ml_min,
)
from ffr.circulation.patient import Patient
from ffr.circulation.physiology import Physiology
from ffr.errors import ConfigError
from meshes.tree import CoronaryTree, VesselTree, outlets
from solvers.blood import Blood
from solvers.split import flow_shares
from solvers.steady import solve_steady


def forked(radius, side="left", lumen=1.0):
    """Draw a mother, two daughters of 20 mm in 1 mm steps; the lumen may be narrower."""
    steps = np.arange(1.0, 21.0)[:, None]
    mother = np.vstack([np.zeros((1, 3)), steps * [1, 0, 0]])
    points = np.vstack(
        [mother, mother[-1] + steps * [0.8, 0.6, 0], mother[-1] + steps * [0.8, -0.6, 0]]
    )
    parent = [-1, *range(20), 20, *range(21, 40), 20, *range(41, 60)]
    healthy = np.repeat(radius, [21, 20, 20])
    tree = VesselTree(points, healthy * lumen, parent)
    branch = np.repeat([0, 1, 2], [21, 20, 20])
    zero = np.zeros(61)
    return CoronaryTree(tree, side, zero, healthy, branch, ("LM", "LAD", "LCx"), branch)


LEFT = forked([2.2, 1.8, 1.5])
RIGHT = forked([1.9, 1.2, 1.2], "right")
KNOWN = Patient(systolic_mmhg=120, diastolic_mmhg=80, lv_mass_g=150.0, haematocrit=0.45)


def by_name(assumptions):
    return {a.name: a for a in assumptions}


def test_resting_flow_follows_mass_to_the_three_quarters():
    assert resting_flow_ml_min(132.0) == pytest.approx(250.0)  # 5 % of cardiac output
    assert resting_flow_ml_min(320.0) / resting_flow_ml_min(20.0) == pytest.approx(8.0)


def test_the_outlets_share_the_flow_of_the_whole_heart():
    ends, _ = boundary_from_patient([LEFT, RIGHT], KNOWN, None)
    total = sum(e.resting_flow_ml_min.sum() for e in ends)
    assert total == pytest.approx(resting_flow_ml_min(150.0), rel=1e-12)
    ratio = ends[0].resting_flow_ml_min.sum() / ends[1].resting_flow_ml_min.sum()
    assert ratio == pytest.approx((2.2 / 1.9) ** (7 / 3), rel=1e-12)
    daughters = ends[0].resting_flow_ml_min
    assert daughters[0] / daughters[1] == pytest.approx((1.8 / 1.5) ** (7 / 3), rel=1e-12)


def test_resistances_carry_the_resting_flow_times_the_hyperaemic_gain():
    (left, _), _ = boundary_from_patient([LEFT, RIGHT], KNOWN, None)
    map_mmhg = 80 + 40 / 3
    assert left.inlet_pressure_mmhg == pytest.approx(map_mmhg)
    flow = (map_mmhg - 5.0) / left.outlet_resistance_mmhg_min_ml
    assert flow == pytest.approx(left.resting_flow_ml_min * 2.78, rel=1e-12)
    half = KNOWN.model_copy(update={"hyperaemic_response": 1.39})
    milder, _ = boundary_from_patient([LEFT, RIGHT], half, None)
    doubled = milder[0].outlet_resistance_mmhg_min_ml / left.outlet_resistance_mmhg_min_ml
    assert doubled == pytest.approx([2.0, 2.0])


def test_the_beds_of_a_typical_heart_let_through_what_was_measured():
    """Whole heart, hyperaemia: 668 +- 185 mL/min in controls (Fournier 2021)."""
    for sex, low, high in ((None, 600, 740), ("male", 700, 853), ("female", 483, 660)):
        ends, _ = boundary_from_patient([LEFT, RIGHT], Patient(sex=sex), None)
        gain = [(e.inlet_pressure_mmhg - 5.0) / e.outlet_resistance_mmhg_min_ml for e in ends]
        assert low < sum(g.sum() for g in gain) < high


def test_morphometry_takes_the_flow_from_the_calibres_alone():
    known = Patient(flow_rule="morphometry", lv_mass_g=300.0)
    ends, assumptions = boundary_from_patient([LEFT, RIGHT], known, None)
    total = sum(e.resting_flow_ml_min.sum() for e in ends)
    assert total == pytest.approx(4.36 * (4.4 ** (7 / 3) + 3.8 ** (7 / 3)), rel=1e-12)
    assert not any("mass" in a.name for a in assumptions)
    (alone,), _ = boundary_from_patient([LEFT], known, None)
    assert alone.resting_flow_ml_min.sum() == pytest.approx(4.36 * 4.4 ** (7 / 3), rel=1e-12)


@pytest.mark.parametrize(
    ("rule", "mean"), [("third", 90.0), ("form-factor", 97.0), ("third-plus-5", 95.0)]
)
def test_mean_pressure_follows_the_rule_that_is_asked_for(rule, mean):
    known = Patient(systolic_mmhg=130, diastolic_mmhg=70, map_rule=rule)
    assert mean_aortic_pressure_mmhg(known)[0] == pytest.approx(mean)


def test_what_was_measured_stands_in_for_every_estimate():
    known = Patient(
        mean_aortic_pressure_mmhg=85.0, venous_pressure_mmhg=8.0, resting_flow_ml_min=200.0,
        hyperaemic_response=2.0, split_exponent=3.0, viscosity_pa_s=0.004, systolic_mmhg=180,
        diastolic_mmhg=110, lv_mass_g=90.0,
    )  # fmt: skip
    ends, assumptions = boundary_from_patient([LEFT, RIGHT], known, 120.0)
    assert ends[0].inlet_pressure_mmhg == 85.0
    assert sum(e.resting_flow_ml_min.sum() for e in ends) == pytest.approx(200.0)
    ratio = ends[0].resting_flow_ml_min.sum() / ends[1].resting_flow_ml_min.sum()
    assert ratio == pytest.approx((2.2 / 1.9) ** 3, rel=1e-12)
    through = (85.0 - 8.0) / ends[0].outlet_resistance_mmhg_min_ml
    assert through == pytest.approx(2.0 * ends[0].resting_flow_ml_min)
    assert {a.name for a in assumptions if a.assumed} == {"share of the coronary flow"}
    blood, about = blood_from_patient(known)
    assert (blood.viscosity_pa_s, about.assumed) == (0.004, False)


def test_what_is_known_is_less_uncertain_than_what_is_assumed():
    nothing, measured = input_spread(Patient(), None), input_spread(Patient(), 120.0)
    known = input_spread(
        Patient(systolic_mmhg=120, diastolic_mmhg=80, lv_mass_g=120.0, haematocrit=0.4), None
    )
    given = input_spread(
        Patient(resting_flow_ml_min=200, hyperaemic_response=2, mean_aortic_pressure_mmhg=90),
        None,
    )
    assert nothing.flow > measured.flow > known.flow > given.flow > 0
    assert nothing.pressure_mmhg > known.pressure_mmhg > given.pressure_mmhg > 0
    assert nothing.viscosity > known.viscosity > 0
    assert nothing.response > given.response > 0
    # with the mass measured, hyperaemic flow varies a little more than 24 to 28 %
    assert 0.27 < np.hypot(measured.flow, measured.response) < 0.35


def test_a_missing_tree_is_judged_by_dominance():
    def left_alone(dominance):
        (only,), _ = boundary_from_patient([LEFT], Patient(dominance=dominance), None)
        return only.resting_flow_ml_min.sum() / resting_flow_ml_min(132.0)

    assert left_alone("right") == left_alone(None) == pytest.approx(0.606)
    assert left_alone("right") < left_alone("codominant") < left_alone("left") < 0.9


def test_a_stenosis_does_not_lower_the_flow_its_territory_asks_for():
    lumen = np.ones(61)
    lumen[25:32] = 0.4
    sick = forked([2.2, 1.8, 1.5], lumen=lumen)
    ends = [boundary_from_patient([t, RIGHT], KNOWN, None)[0][0] for t in (LEFT, sick)]
    assert np.array_equal(
        ends[0].outlet_resistance_mmhg_min_ml, ends[1].outlet_resistance_mmhg_min_ml
    )
    solved = [
        solve_steady(
            t.tree, e.inlet_pressure_mmhg, e.outlet_resistance_mmhg_min_ml, 5.0, Blood()
        )
        for t, e in zip((LEFT, sick), ends, strict=True)
    ]
    assert solved[1].pressure_mmhg[40] < solved[0].pressure_mmhg[40] - 5
    assert solved[0].pressure_mmhg[40] > 85


def test_given_mass_beats_measured_beats_population():
    given = by_name(boundary_from_patient([LEFT], KNOWN, 99.0)[1])["left ventricular mass"]
    assert (given.value, given.assumed) == ("150 g", False)
    measured = by_name(boundary_from_patient([LEFT], Patient(), 99.0)[1])
    assert (measured["left ventricular mass"].value) == "99 g"
    assert not measured["left ventricular mass"].assumed
    for sex, value in (("male", "155 g"), ("female", "109 g"), (None, "132 g")):
        mass = by_name(boundary_from_patient([LEFT], Patient(sex=sex), None)[1])
        assert mass["left ventricular mass"].value == value
        assert mass["left ventricular mass"].assumed


def test_what_was_not_given_is_said_to_be_assumed():
    _, nothing = boundary_from_patient([LEFT, RIGHT], Patient(), None)
    assert all(a.assumed for a in nothing)
    assert all(a.source and a.value for a in nothing)
    _, known = boundary_from_patient([LEFT, RIGHT], KNOWN, None)
    assert {a.name for a in known if not a.assumed} == {
        "mean aortic pressure",
        "left ventricular mass",
    }


@pytest.mark.parametrize(("tree", "share"), [(LEFT, 0.606), (RIGHT, 0.394)])
def test_one_tree_alone_gets_its_usual_share(tree, share):
    (only,), assumptions = boundary_from_patient([tree], KNOWN, None)
    total = resting_flow_ml_min(150.0)
    assert only.resting_flow_ml_min.sum() == pytest.approx(share * total, rel=1e-12)
    assert "usual share" in by_name(assumptions)["share of the coronary flow"].source


def test_one_tree_alone_is_of_a_heart_of_the_most_frequent_dominance():
    left_first = replace(Physiology(), dominance=(("left", 0.6), ("right", 0.4)))
    (only,), _ = boundary_from_patient([LEFT], KNOWN, None, left_first)
    total = resting_flow_ml_min(150.0)
    assert only.resting_flow_ml_min.sum() == pytest.approx(0.82 * total, rel=1e-12)


def test_a_heart_without_driving_pressure_or_mass_is_refused():
    settings = Physiology()
    high = replace(settings.venous_pressure_mmhg, typical=95.0)
    settings = replace(settings, venous_pressure_mmhg=high)
    with pytest.raises(ConfigError, match="not above venous 95"):
        boundary_from_patient([LEFT], KNOWN, None, settings)
    with pytest.raises(ConfigError, match="0 g, must be positive"):
        boundary_from_patient([LEFT], Patient(), 0.0)


def test_viscosity_follows_the_haematocrit():
    def viscosity(haematocrit):
        return blood_from_patient(Patient(haematocrit=haematocrit))[0].viscosity_pa_s

    assert viscosity(0.45) == pytest.approx(0.0035, rel=1e-12)
    assert viscosity(0.30) < 0.8 * viscosity(0.45) < viscosity(0.45) < viscosity(0.60)
    assert 0.0010 < 0.0035 / 3.2 < viscosity(0.15)  # plasma, about 1.1 to 1.3 mPa s
    blood, assumption = blood_from_patient(Patient())
    assert blood.density_kg_m3 == Blood().density_kg_m3
    assert assumption.assumed


def test_a_split_keeps_its_sum_and_its_exponent():
    flow = split_flow(LEFT.tree, LEFT.reference_radius_mm, 200.0, exponent=3.0)
    assert flow.sum() == pytest.approx(200.0, rel=1e-14)
    assert flow[0] / flow[1] == pytest.approx((1.8 / 1.5) ** 3, rel=1e-12)


def test_the_calibre_of_a_daughter_is_the_median_of_10_mm_behind_the_overlap():
    radius = LEFT.reference_radius_mm.copy()
    radius[21:41] = np.linspace(1.9, 1.0, 20)  # tapers: the place of the window counts
    radius[[21, 22]] = 2.2  # the centreline still lies in the mother there
    radius[23] = 9.0  # one wild point
    places = 2.2 + (np.arange(40) + 0.5) / 4  # mm, the mother's radius being 2.2 mm
    behind = np.median(np.interp(places, np.arange(1, 21), radius[21:41]))
    assert behind == pytest.approx(np.median(radius[23:33]), rel=0.02)
    share = flow_shares(LEFT.tree, radius)[[40, 60]]
    assert share[0] / share[1] == pytest.approx((behind / 1.5) ** (7 / 3), rel=1e-12)


def test_shares_add_up_at_every_bifurcation():
    tree = VesselTree(
        np.random.default_rng(0).normal(size=(8, 3)) * 9,
        [3, 2, 2, 1, 1, 0.5, 1.5, 1],
        [-1, 0, 1, 1, 1, 2, 2, 3],
    )
    share = flow_shares(tree, tree.radius_mm)
    assert share[outlets(tree)].sum() == pytest.approx(1.0, rel=1e-14)
    assert share[[2, 3, 4]].sum() == pytest.approx(share[1])
    assert share[7] == share[3]
