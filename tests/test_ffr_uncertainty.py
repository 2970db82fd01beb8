"""How sure an FFR is: indices against a function whose answer is known, intervals, shares."""

import time
from dataclasses import replace

import numpy as np
import pytest
import standin
from scipy.special import ndtr

from ffr import pipeline
from ffr.certainty.confidence import GROUPS
from ffr.certainty.influence import quasi_normal, sobol_indices
from ffr.certainty.lumen_error import LumenError
from ffr.certainty.uncertainty import propagate
from ffr.circulation.patient import Patient
from ffr.results.findings import lesion_numbers
from meshes.tree import VesselTree, outlets, sections
from solvers.split import flow_shares, sampled_shares

BASE = 128


@pytest.fixture(scope="module")
def heart():
    case = standin.make_case(spacing_mm=4.0)
    trees = tuple(case.coronaries)
    known = Patient(systolic_mmhg=130, diastolic_mmhg=80, lv_mass_g=115.0)
    flow = pipeline.solve(trees, known, None)
    return trees, flow, pipeline.find(trees, flow.solutions)


def spread(heart, base=BASE, lumen=None, **inputs):
    trees, flow, findings = heart
    return propagate(
        trees, flow.solutions, flow.boundaries, flow.blood, replace(flow.inputs, **inputs),
        flow.physiology, pipeline.readings(findings), lumen, base,
    )  # fmt: skip


@pytest.fixture(scope="module")
def usual(heart):
    return spread(heart)


def test_the_indices_of_ishigami_s_function_are_found():
    """Ishigami & Homma 1990, a = 7, b = 0.1: the indices are known exactly."""

    def f(normal):
        x = np.pi * (2 * ndtr(normal) - 1)
        return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])

    a, b = quasi_normal(3, 8192, 0)
    mixed = []
    for k in range(3):
        one = a.copy()
        one[:, k] = b[:, k]
        mixed.append(f(one))
    first, total = sobol_indices(f(a), f(b), np.stack(mixed))
    assert first == pytest.approx([0.3139, 0.4424, 0.0], abs=0.02)
    assert total == pytest.approx([0.5576, 0.4424, 0.2437], abs=0.02)


def test_what_does_not_vary_has_no_indices():
    first, total = sobol_indices(np.ones(64), np.ones(64), np.ones((2, 64)))
    assert np.all(first == 0)
    assert np.all(total == 0)


def test_quasi_random_normals_are_normal_and_the_same_for_the_same_seed():
    a, b = quasi_normal(5, 1024, 3)
    assert np.abs(a.mean(axis=0)).max() < 0.01  # random ones: 0.03
    assert a.std(axis=0) == pytest.approx(np.ones(5), abs=0.02)
    assert np.abs(np.corrcoef(np.hstack([a, b]).T) - np.eye(10)).max() < 0.1
    np.testing.assert_array_equal(quasi_normal(5, 1024, 3)[1], b)


def test_the_interval_holds_the_value_and_stays_below_one(heart, usual):
    _, _, findings = heart
    for one, ffr, mask in zip(usual, findings.ffr, findings.analysed, strict=True):
        assert np.all(one.ffr_high[mask] <= 1.0)
        deep = mask & (ffr < 0.97)
        assert np.all(one.ffr_low[deep] < ffr[deep])
        assert np.all(ffr[deep] < one.ffr_high[deep])
        assert one.ffr_low[0] > 0.98  # nothing is uncertain at the inlet


def test_drawn_radii_resist_as_the_true_ones_do_not_as_the_measured(heart):
    """True radius 1, measured with an error, drawn around that: the mean of r^-4 is 1."""
    rng = np.random.default_rng(0)
    c, e = heart[0][0], 0.06
    measured = np.exp(e * rng.normal(size=len(c.tree)))
    lumen = LumenError.of_percent(100 * e)
    c = replace(c, tree=VesselTree(c.tree.points_mm, measured, c.tree.parent),
                radius_sd_mm=0 * measured)  # fmt: skip
    error = lumen.own_percent(c) / 100 * rng.normal(size=(400, len(measured)))
    drawn = lumen.centre_mm(c) * np.exp(error)
    assert (drawn**-4.0).mean() == pytest.approx(1.0, abs=0.02)
    assert (measured**-4.0).mean() > 1.02


def test_a_lumen_nobody_could_measure_is_as_unsure_as_any_and_ffr_stays_a_number(heart):
    """Told 40 % and more, the errors are no greater than 35 %: the interval is the same."""
    trees, flow, findings = heart
    lost, half = (
        tuple(replace(c, radius_sd_mm=told * c.tree.radius_mm) for c in trees)
        for told in (0.9, 0.45)
    )
    wide, same = spread((lost, flow, findings)), spread((half, flow, findings))
    for one, other, mask in zip(wide, same, findings.analysed, strict=True):
        assert np.all((one.ffr_low[mask] >= 0) & (one.ffr_high[mask] <= 1))
        assert one.ffr_low[mask].min() < 0.4
        assert one.total[-1].argmax() == GROUPS.index("lumen radius")
        np.testing.assert_array_equal(one.ffr_low, other.ffr_low)


def test_a_narrowing_is_less_sure_than_the_vessel_beside_it(heart):
    c = heart[0][0]
    narrow = 1 - c.tree.radius_mm / c.reference_radius_mm
    own = LumenError().own_percent(replace(c, radius_sd_mm=0.05 * c.tree.radius_mm))
    assert own[narrow <= 0] == pytest.approx(5.0)
    throat = int(narrow.argmax())
    assert own[throat] == pytest.approx(np.hypot(5.0, 20.0 * narrow[throat]))
    assert own[throat] > 8.0


def test_the_lower_the_ffr_the_surer_it_is_below_the_threshold(heart, usual):
    _, _, findings = heart
    for one, ffr in zip(usual, findings.ffr, strict=True):
        assert np.nanmin(one.probability) < 0.01
        assert np.all(one.probability[np.nan_to_num(ffr, nan=1.0) < 0.6] > 0.9)
        near = np.abs(ffr - 0.80) < 0.02
        assert np.all((one.probability[near] > 0.25) & (one.probability[near] < 0.75))


def test_the_same_patient_gets_the_same_interval(heart, usual):
    for one, again in zip(usual, spread(heart), strict=True):
        np.testing.assert_array_equal(one.ffr_low, again.ffr_low)
        np.testing.assert_array_equal(one.total, again.total)


def test_what_is_known_exactly_has_no_influence_and_narrows_the_interval(heart, usual):
    sure = spread(heart, flow=0.0, response=0.0)
    for one, wide in zip(sure, usual, strict=True):
        at = one.readings
        assert np.all(np.abs(one.total[:, [GROUPS.index("resting flow")]]) < 1e-6)
        width = (wide.ffr_high - wide.ffr_low)[at]
        assert np.all((one.ffr_high - one.ffr_low)[at] < 0.9 * width)


def test_the_indices_add_up_and_the_flow_matters_more_than_the_viscosity(heart, usual):
    for one in usual:
        assert one.first_order.sum(axis=1) == pytest.approx(1.0, abs=0.3)
        flow, viscosity = (GROUPS.index(n) for n in ("hyperaemic response", "viscosity"))
        assert np.all(one.total[:, flow] > 3 * one.total[:, viscosity])
        assert np.all(one.total >= 0)


def test_a_better_image_is_worth_a_narrower_interval(heart):
    exact = LumenError.of_percent(0.0)
    trees, flow, findings = heart
    blind = tuple(replace(c, radius_sd_mm=0 * c.radius_sd_mm) for c in trees)
    sharp = spread((blind, flow, findings), lumen=exact)
    blurred = spread((blind, flow, findings), lumen=LumenError.of_percent(12.0))
    for one, wide in zip(sharp, blurred, strict=True):
        assert np.all(one.total[:, 0] < 1e-6)
        assert np.all(wide.total[:, 0] > 0.15)


def test_without_sampled_noise_the_shares_are_those_of_the_solve(heart):
    for c in heart[0]:
        place, runs = (c.tree, c.reference_radius_mm), len(sections(c.tree))
        exponent = np.array([7 / 3, 3.0])
        shares = sampled_shares(*place, exponent, np.zeros((2, runs)))
        for k in range(2):
            expected = flow_shares(*place, exponent[k])[outlets(c.tree)]
            assert shares[k] == pytest.approx(expected, rel=1e-12)
        noisy = sampled_shares(
            *place, exponent, np.random.default_rng(0).normal(size=(2, runs))
        )
        assert noisy.sum(axis=1) == pytest.approx([1.0, 1.0])
        assert np.abs(np.log(noisy / shares)).max() > 0.2


def test_ten_thousand_samples_of_two_trees_take_seconds(heart):
    began = time.process_time()
    spread(heart, base=1024)
    assert time.process_time() - began < 20  # 2 to 4 s


def test_sensitivity_comes_with_each_reading(heart):
    trees, flow, findings = heart
    flow = replace(flow, inputs=replace(flow.inputs, flow=0.1))
    sure = pipeline.confidence(trees, flow, findings)
    numbers = lesion_numbers(trees, findings.lesions)
    for c, slopes, lesions, own in zip(
        trees, sure.sensitivity_per_mm2, findings.lesions, numbers, strict=True
    ):
        assert slopes.shape == (len(own) + 1, len(c.tree))
        for row, lesion in enumerate(lesions):
            inside = np.arange(lesion.start, lesion.end + 1)
            assert slopes[row].argmax() in inside
