"""The interval of `ffr solve` on a file: what is drawn, what is not, and what comes out."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from command_line import ffr

from ffr.centreline import SolveSettings, columns, solve_centreline, summary
from ffr.certainty.influence import latin_normal
from ffr.circulation.patient import Patient
from ffr.errors import ConfigError
from meshes.io import write_swc
from meshes.tree import VesselTree, outlets
from solvers.blood import Blood
from solvers.calibrated import calibrate, thinned
from solvers.steady import solve_steady

SPREAD = ["ffr_low", "ffr_high", "probability_below_0_80"]
FLOW = 110.0


def tube(step_mm=0.5, throat=0.45):
    """Make a vessel of 3 mm with one stenosis in its first half."""
    s = np.arange(0, 50 + step_mm / 2, step_mm)
    dent = throat * 0.5 * (1 + np.cos(2 * np.pi * np.clip((s - 18) / 12, -0.5, 0.5)))
    points = np.column_stack([s, 0 * s, 0 * s])
    return VesselTree(points, 1.5 * (1 - dent), np.arange(-1, s.size - 1))


def forked(first=1.0, second=1.0, step_mm=1.0):
    """Make a trunk of 20 mm and two daughters of 20 mm."""
    n = int(20 / step_mm)
    x = np.arange(n + 1) * step_mm
    trunk = np.column_stack([x, 0 * x, 0 * x])
    arms = [
        trunk[-1] + (1 + np.arange(n))[:, None] * step_mm * np.array([0.8, y, 0])
        for y in (0.6, -0.6)
    ]
    parent = [*range(-1, n), n, *range(n + 1, 2 * n), n, *range(2 * n + 1, 3 * n)]
    radius = np.concatenate([np.full(n + 1, 1.5), np.full(n, first), np.full(n, second)])
    return VesselTree(np.vstack([trunk, *arms]), radius, parent)


@pytest.fixture
def solved(tmp_path):
    def solve(tree=None, patient=None, **asked):
        write_swc(tmp_path / "a.swc", tree or tube())
        settings = SolveSettings(**({"with_interval": True, "solver": "lumped"} | asked))
        return solve_centreline(tmp_path / "a.swc", settings, patient)

    return solve


def low_and_high(found):
    """Return FFR and its interval at the outlet, the last point."""
    table = columns(found)
    return table["ffr"][-1], table["ffr_low"][-1], table["ffr_high"][-1]


def test_without_being_asked_there_is_no_interval(solved):
    assert not set(SPREAD) & set(columns(solved(flow_ml_min=FLOW, with_interval=False)))


def test_the_command_line_gives_an_interval_unless_told_not_to(tmp_path):
    write_swc(tmp_path / "a.swc", tube())
    words = ["solve", tmp_path / "a.swc", "--flow-ml-min", FLOW, "--json", tmp_path / "o.json"]
    code, text, err = ffr(*words)
    assert (code, err) == (0, "")
    table = json.loads((tmp_path / "o.json").read_text())
    at = int(np.argmin(table["ffr"]))
    assert table["ffr_low"][at] < table["ffr"][at] < table["ffr_high"][at]
    assert f"95 % interval there {table['ffr_low'][at]:.2f}" in text
    assert "uncertain (SD): lumen radius 7 %" in text
    code, text, _ = ffr(*words, "--no-interval")
    assert code == 0
    assert "interval" not in text
    assert not set(SPREAD) & set(json.loads((tmp_path / "o.json").read_text()))


def test_what_is_given_exactly_leaves_only_the_error_of_the_flow_model(solved):
    found = solved(
        flow_ml_min=FLOW, inlet_pressure_mmhg=93.0, viscosity_pa_s=0.0035,
        radius_sd_percent=0.0,
    )  # fmt: skip
    ffr_, low, high = low_and_high(found)
    drop = 1 - ffr_
    assert (1 - high, 1 - low) == pytest.approx(
        (drop * np.exp(-1.96 * 0.12), drop * np.exp(1.96 * 0.12)), rel=0.02
    )
    assert found.drawn == "uncertain (SD): flow model"
    better = solved(
        flow_ml_min=FLOW, inlet_pressure_mmhg=93.0, viscosity_pa_s=0.0035,
        radius_sd_percent=0.0, solver="resolved",
    )  # fmt: skip
    ffr_, low, high = low_and_high(better)
    assert (1 - low) / (1 - ffr_) == pytest.approx(np.exp(1.96 * 0.05), rel=0.01)


def test_a_given_pressure_moves_ffr_at_a_given_flow_as_it_should(solved):
    """FFR = 1 - drop / pressure: 12 mmHg of 93 at a drop that stays."""
    asked = {"flow_ml_min": FLOW, "viscosity_pa_s": 0.0035, "radius_sd_percent": 0.0}
    free = solved(**asked)
    sure = solved(inlet_pressure_mmhg=93.0, **asked)
    ffr_, low, high = low_and_high(free)
    _, inner_low, inner_high = low_and_high(sure)
    assert low < inner_low < ffr_ < inner_high < high
    spread = np.hypot(0.12, 12 / 93)
    assert (1 - high) / (1 - ffr_) == pytest.approx(np.exp(-1.96 * spread), rel=0.06)


def test_every_input_that_becomes_known_narrows_the_interval(solved):
    def width(patient=None, **asked):
        _, low, high = low_and_high(solved(patient=patient, **asked))
        return high - low

    nothing = width()
    measured = Patient(
        mean_aortic_pressure_mmhg=93.0, resting_flow_ml_min=250.0, hyperaemic_response=2.78
    )
    assert width(measured) < 0.9 * nothing
    assert width(flow_ml_min=FLOW, radius_sd_percent=2.0) < width(flow_ml_min=FLOW)


def test_outlet_flows_that_are_given_are_not_split_otherwise(solved, tmp_path):
    (tmp_path / "flows.json").write_text("[40, 40]")
    exact = {"inlet_pressure_mmhg": 93.0, "viscosity_pa_s": 0.0035, "radius_sd_percent": 0.0}
    each = solved(forked(0.9, 0.9), outlet_flows=tmp_path / "flows.json", **exact)
    total = solved(forked(0.9, 0.9), flow_ml_min=80.0, **exact)
    assert columns(each)["ffr"] == pytest.approx(columns(total)["ffr"], abs=1e-9)
    _, low, high = low_and_high(each)
    _, wide_low, wide_high = low_and_high(total)
    assert wide_high - wide_low > 1.2 * (high - low)
    assert "split" in total.drawn
    assert "split" not in each.drawn


def test_a_flow_that_cannot_pass_has_an_interval_below_zero(solved):
    ffr_, low, high = low_and_high(solved(flow_ml_min=900.0))
    assert ffr_ < 0
    assert low < ffr_ < high


def test_behind_an_occlusion_there_is_no_interval_and_before_it_a_narrow_one(solved):
    found = solved(forked(first=1.2, second=0.001))
    table = columns(found)
    behind = [value is None for value in table["ffr"]]
    assert any(behind)
    for name in SPREAD:
        assert [value is None for value in table[name]] == behind
    open_ = np.array([v for v in table["ffr_low"] if v is not None])
    assert np.all((open_ > 0.3) & (open_ <= 1.0))


def test_the_same_file_gets_the_same_interval(solved):
    assert columns(solved()) == columns(solved())


def test_dominance_that_is_not_known_widens_the_interval_of_a_lone_tree(solved):
    """Right coronary artery: 39 % of the flow of a right-dominant heart, 18 % of a left one."""
    sure = solved(side="right", patient=Patient(dominance="right"))
    unsure = solved(side="right")
    assert columns(sure)["ffr"] == pytest.approx(columns(unsure)["ffr"], abs=1e-12)
    _, low, high = low_and_high(sure)
    _, wide_low, wide_high = low_and_high(unsure)
    assert wide_high > high + 0.01  # less flow in every fifth heart
    assert wide_high - wide_low > high - low


@pytest.mark.parametrize("percent", [-1.0, 36.0, float("nan")])
def test_a_radius_error_out_of_range_is_refused(solved, percent):
    with pytest.raises(ConfigError, match="--radius-sd-percent is"):
        solved(radius_sd_percent=percent)


def test_an_interval_that_is_not_found_does_not_cost_the_answer(solved, monkeypatch):
    from ffr import centreline
    from solvers.errors import ConvergenceError

    def failing(*_):
        raise ConvergenceError("too few settle")

    monkeypatch.setattr(centreline, "interval", failing)
    found = solved()
    assert found.spread is None
    assert "no interval: too few settle" in summary(found)
    assert "ffr" in columns(found)


def test_a_thinned_network_loses_the_same_pressure():
    tree = forked(0.8, 1.1, step_mm=0.5)
    solution = solve_steady(tree, 93.0, [1.2, 0.8], 5.0, Blood())
    full = calibrate(tree, solution, Blood())
    few, kept = thinned(full, np.arange(len(tree)) % 4 == 0)
    assert len(kept) < 0.3 * len(tree)
    assert set(outlets(tree)) <= set(kept)
    assert few.tree.points_mm == pytest.approx(tree.points_mm[kept])
    again = solve_steady(few.tree, 93.0, [1.2, 0.8], 5.0, Blood(), closure=few.closure)
    assert again.pressure_mmhg == pytest.approx(solution.pressure_mmhg[kept], abs=1e-6)


def test_many_points_get_the_interval_of_few(solved):
    coarse = low_and_high(solved(tube(0.5), flow_ml_min=FLOW))
    fine = low_and_high(solved(tube(0.02), flow_ml_min=FLOW))  # 2500 points, thinned
    assert fine == pytest.approx(coarse, abs=0.02)


def test_a_latin_sample_is_even_in_every_input():
    z = latin_normal(4, 512, 0)
    assert np.abs(z.mean(axis=0)).max() < 0.005  # random ones: 0.04
    assert z.std(axis=0) == pytest.approx(np.ones(4), abs=0.01)
    assert np.abs(np.corrcoef(z.T) - np.eye(4)).max() < 0.15


def test_the_interval_of_one_vessel_takes_a_fraction_of_a_second(solved):
    plain = solved(flow_ml_min=FLOW)  # compiled
    began = time.process_time()
    again = solved(flow_ml_min=FLOW)
    assert time.process_time() - began < 2.0  # 0.2 s
    assert columns(replace(again, spread=None))["ffr"] == columns(plain)["ffr"]
