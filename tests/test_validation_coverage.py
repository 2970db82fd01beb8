"""Coverage of the interval and the calibrated network's deviation, small versions."""

from dataclasses import replace

import numpy as np
import pytest

from ffr import pipeline
from ffr.certainty.lumen_error import LumenError
from ffr.circulation.patient import Patient
from ffr.circulation.physiology import InputSpread
from ffr.phantom.patient import virtual_patient
from meshes.tree import outlets, path_length_mm
from solvers.split import sampled_shares
from validation import calibrated, coverage, true_heart

USUAL = InputSpread(0.2, 0.25, 0.1, 7.0, 2.0, 0.2, 0.28)


@pytest.fixture(scope="module")
def hearts():
    patient = virtual_patient(coverage.FIRST_SEED + 3, coverage.BURDEN)
    return (patient.left, patient.right)


@pytest.fixture(scope="module")
def flow(hearts):
    return pipeline.solve(hearts, Patient(), None)


def test_measured_radii_are_as_wrong_as_they_should_be(hearts):
    lumen = LumenError.of_percent(7.0)
    rng = np.random.default_rng(0)
    c = hearts[0]
    errors = np.stack(
        [
            coverage.measured(c, rng, lumen).tree.radius_mm / c.tree.radius_mm - 1
            for _ in range(300)
        ]
    )
    assert errors.std(axis=0) == pytest.approx(np.full(len(c.tree), 0.07), abs=0.015)
    s = path_length_mm(c.tree)
    end = int(outlets(c.tree)[0])
    way = [end]
    while c.tree.parent[way[-1]] >= 0:
        way.append(int(c.tree.parent[way[-1]]))
    apart = s[end] - s[way]
    four = way[int(np.argmin(np.abs(apart - 4.0)))]
    far = way[int(np.argmin(np.abs(apart - 20.0)))]
    assert np.corrcoef(errors[:, end], errors[:, four])[0, 1] == pytest.approx(0.48, abs=0.12)
    assert abs(np.corrcoef(errors[:, end], errors[:, far])[0, 1]) < 0.2


def test_true_flows_are_the_usual_ones_when_nothing_varies(hearts, flow):
    usual = [b.resting_flow_ml_min for b in flow.boundaries]
    rng = np.random.default_rng(0)
    same = true_heart.true_flows(hearts, usual, coverage.NOTHING, 7 / 3, rng)
    for q, u in zip(same, usual, strict=True):
        assert q == pytest.approx(u, rel=1e-9)
    drawn = true_heart.true_flows(hearts, usual, USUAL, 7 / 3, rng)
    assert sum(q.sum() for q in drawn) != pytest.approx(sum(u.sum() for u in usual), rel=0.01)


def test_two_codes_split_the_flow_alike(hearts, flow):
    """The truth's own split code against the sampler's: same spread of each outlet's flow."""
    usual = [b.resting_flow_ml_min for b in flow.boundaries]
    x = replace(coverage.NOTHING, exponent=0.2, bifurcation=0.28)
    rng = np.random.default_rng(1)
    drawn = [true_heart.true_flows(hearts, usual, x, 7 / 3, rng)[0] for _ in range(400)]
    inside = np.stack(drawn) / np.sum(drawn, axis=1, keepdims=True)
    c = hearts[0]
    noise = rng.normal(size=(400, len(true_heart.sections(c.tree)))) * 0.28 / 2**0.5
    exponent = 7 / 3 + 0.2 * rng.normal(size=400)
    shares = sampled_shares(c.tree, c.reference_radius_mm, exponent, noise)
    spread = np.log(inside).std(axis=0)
    assert spread == pytest.approx(np.log(shares).std(axis=0), rel=0.25)
    assert spread.min() > 0.05


def test_the_interval_of_a_few_hearts_holds_the_truth():
    rng = np.random.default_rng(0)
    seeds = range(coverage.FIRST_SEED + 3, coverage.FIRST_SEED + 5)
    parts = [r for seed in seeds if (r := coverage.one_heart(seed, rng, 32))]
    r = coverage.joined(parts)
    assert r.true_ffr.size >= 5
    assert np.all(r.ffr_low < r.ffr_high)
    held = (r.true_ffr >= r.ffr_low) & (r.true_ffr <= r.ffr_high)
    assert held.mean() > 0.8
    assert np.abs(r.found_ffr - r.true_ffr).max() > 0.01  # there was something to hold


def test_the_table_counts_what_is_held():
    true = np.array([0.70, 0.80, 0.90, 0.95])
    r = coverage.Readings(
        np.array([0.65, 0.85, 0.85, 0.80]), np.array([0.75, 0.90, 0.95, 0.90]),
        np.array([1.0, 0.2, 0.0, 0.0]), true + 0.01, true,
    )  # fmt: skip
    row = coverage.table([("all", r, 2)])[-1]
    assert "| 50.0 (15-85) | 25.0, 25.0 |" in row
    assert "+0.010 ± 0.000" in row
    assert "| 0.95-1 | 1 | 100 |" in coverage.calibration(r)


def test_the_calibrated_network_stays_near_the_resolved_solver(hearts):
    rng = np.random.default_rng(0)
    found = list(calibrated.deviations(hearts, 1, rng))
    true, fast, lumped = (
        np.concatenate([getattr(d, n) for d in found])
        for n in ("resolved_ffr", "calibrated_ffr", "lumped_ffr")
    )
    error = np.abs(fast - true) / np.maximum(1 - true, 0.05)
    assert error.mean() < 0.06
    assert np.abs(fast - true).mean() < np.abs(lumped - true).mean()
    assert len(calibrated.table(found)) > 4
