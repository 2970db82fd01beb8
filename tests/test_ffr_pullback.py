"""The PPG index on curves whose answer is known, and where it is not given."""

from dataclasses import replace

import numpy as np
import pytest
import report_cases
from standin import AORTIC_MMHG, make_case, path_of, result_of

from ffr.results.pullback import INCOMPLETE, NOT_DEFINED, TOO_HIGH, largest_drop
from ffr.results.pullback import pullback_pressure_gradient as ppg
from meshes.tree import path_length_mm
from solvers.solution import FlowSolution


def test_a_straight_line_loses_a_fifth_in_20_of_100_mm_and_is_diseased_all_along():
    s = np.linspace(0.0, 100.0, 201)
    assert ppg(s, 1.0 - 0.003 * s) == pytest.approx(0.5 * (20.0 / 100.0 + 0.0))
    assert ppg(s, 1.0 - 0.0015 * s) == pytest.approx(0.1)  # just the slope that counts
    assert ppg(s, 1.0 - 0.0014 * s) == pytest.approx(0.6)  # none does


def test_a_step_is_lost_within_20_mm_and_has_the_length_of_the_step():
    s, ffr = np.array([0.0, 50.0, 51.0, 100.0]), np.array([1.0, 1.0, 0.7, 0.7])
    assert ppg(s, ffr) == pytest.approx(0.5 * (1.0 + 1.0 - 1.0 / 100.0))


def test_two_equal_steps_far_apart_are_half_as_focal():
    s = np.array([0.0, 20.0, 21.0, 70.0, 71.0, 100.0])
    ffr = np.array([1.0, 1.0, 0.85, 0.85, 0.7, 0.7])
    assert ppg(s, ffr) == pytest.approx(0.5 * (0.5 + 1.0 - 2.0 / 100.0))


def test_the_index_does_not_depend_on_where_the_points_lie():
    s = np.array([0.0, 30.0, 48.0, 100.0])
    ffr = np.array([1.0, 0.97, 0.72, 0.70])
    fine = np.union1d(np.linspace(0.0, 100.0, 333), s)
    assert ppg(fine, np.interp(fine, s, ffr)) == pytest.approx(ppg(s, ffr))


def test_the_steepest_20_mm_are_found_between_the_points():
    s, ffr = np.array([0.0, 40.0, 50.0, 100.0]), np.array([1.0, 1.0, 0.8, 0.7])
    fall, start = largest_drop(s, ffr)
    assert (fall, start) == (pytest.approx(0.2 + 10 * 0.1 / 50), pytest.approx(40.0))


def test_pressure_that_is_recovered_does_not_lift_the_index_over_one():
    s, ffr = np.array([0.0, 50.0, 55.0, 60.0, 100.0]), np.array([1.0, 1.0, 0.5, 0.7, 0.7])
    assert ppg(s, ffr) == pytest.approx(0.5 * (1.0 + 1.0 - 5.0 / 100.0))


@pytest.fixture(scope="module")
def case():
    return make_case(spacing_mm=2.0)


def vessel_of(result, name):
    return next(x for x in result.vessels if x.vessel == name)


def test_the_index_of_a_vessel_is_that_of_its_way_from_the_ostium(case):
    lad = vessel_of(result_of(case), "LAD")
    points = path_of(case.coronaries[0], "LAD")
    s = path_length_mm(case.coronaries[0].tree)[points]
    ffr = case.solutions[0].pressure_mmhg[points] / AORTIC_MMHG
    shown = case.analysed[0][points]
    assert lad.ppg == pytest.approx(ppg(s[shown], ffr[shown]))
    assert 0.5 < lad.ppg < 1.0
    assert lad.no_ppg_reason is None


def test_where_there_is_no_index_there_is_a_reason(case):
    result = result_of(case)
    assert vessel_of(result, "LCx").no_ppg_reason == TOO_HIGH
    assert vessel_of(result, "D1").no_ppg_reason == NOT_DEFINED
    for x in result.vessels:
        assert (x.ppg is None) == (x.no_ppg_reason is not None)
    dark = report_cases.hidden(case)
    cut = result_of(
        dark, solutions=case.solutions[:1], lesions=case.lesions[:1], distal=case.distal[:1]
    )
    assert (vessel_of(cut, "LAD").ppg, vessel_of(cut, "LAD").no_ppg_reason) == (
        None, INCOMPLETE,
    )  # fmt: skip


def test_focal_disease_has_a_higher_index_than_diffuse():
    found = [
        vessel_of(result_of(report_cases.case_of(kind, 2.0)), "LAD").ppg
        for kind in ("single", "diffuse")
    ]
    assert found[0] > found[1] + 0.2


def test_a_flow_that_falls_evenly_gives_the_index_of_a_straight_line(case):
    s = path_length_mm(case.coronaries[0].tree)
    end = s[path_of(case.coronaries[0], "LAD")][-1]
    even = AORTIC_MMHG * (1.0 - 0.3 * s / end)
    flow = case.solutions[0].flow_ml_min
    solution = FlowSolution(even, even, flow, 5, 1e-9)
    straight = replace(case, solutions=[solution, case.solutions[1]])
    lad = vessel_of(result_of(straight), "LAD")
    assert lad.ppg == pytest.approx(0.5 * 20.0 / lad.analysed_end_mm)
