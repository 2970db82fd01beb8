"""A virtual trial: who is enrolled, what is true, and where the errors of an answer are put."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from ffr import pipeline
from ffr.certainty.lumen_error import LumenError
from ffr.phantom.study import true_lv_mass_g
from meshes.tree import VesselTree
from validation import trial_case
from validation.coverage import measured
from validation.segmentation_case import ROOT, kept
from validation.trial import MEASURING, keep_patient, report
from validation.trial_case import TrialCase, Wired, compared, run_case, true_heart_of
from validation.trial_patients import FIRST_SEED, enrolled
from validation.trial_report import budget, readings

SEEDS = range(FIRST_SEED, FIRST_SEED + 6)


def seen_as(trees, mass_g):
    """A pipeline that finds these trees, without a scan."""

    def analysed(who, truth, case):
        return compared(who, truth, case, trees(truth), mass_g(case))[0]

    return analysed


@pytest.fixture(scope="module")
def trial():
    """Six patients: their trees are found with errors of 5 % in every radius."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline.propagate, "__defaults__", (None, 64, None))
        rng, wrong = np.random.default_rng(3), LumenError.of_percent(5.0)
        patch.setattr(
            trial_case,
            "analysed",
            seen_as(
                lambda truth: tuple(measured(c, rng, wrong) for c in truth.trees),
                lambda case: 1.1 * case.true_lv_mass_g,
            ),
        )
        return [run_case(enrolled(seed)) for seed in SEEDS]


@pytest.fixture(scope="module")
def wired(trial):
    return [(case, w) for case in trial for w in case.vessels]


def test_the_same_seed_is_the_same_patient_with_the_same_truth():
    one, two = enrolled(FIRST_SEED), enrolled(FIRST_SEED)
    assert one.known == two.known
    assert one.imaging == two.imaging
    truths = [
        true_heart_of(x, true_lv_mass_g(x.patient), np.random.default_rng([FIRST_SEED, 72]))
        for x in (one, two)
    ]
    assert np.array_equal(truths[0].ffr[0], truths[1].ffr[0])


def test_another_process_finds_what_it_is_to_run():
    assert trial_case.run_seed.__module__ == "validation.trial_case"  # not __main__
    assert pickle.loads(pickle.dumps(trial_case.run_seed)) is trial_case.run_seed


def test_a_seed_that_may_have_been_trained_on_is_not_enrolled():
    with pytest.raises(ValueError, match="held out"):
        enrolled(12)


def test_wires_are_put_behind_the_stenoses_that_a_wire_is_sent_to(wired):
    assert len(wired) >= 5
    for _, w in wired:
        assert 30 <= w.true_percent <= 90
        assert 0 < w.true_ffr < 1.001
        assert w.invasive_ffr == round(w.invasive_ffr, 2)


def test_each_swapped_part_of_the_truth_leaves_only_the_other_part_s_error(trial, wired):
    assert all(w.ffr is not None for _, w in wired)
    rows = {name: error for name, error, _ in budget(trial)}
    lumen = rows["true tree and true flow: only the lumen is ours"]
    flow = rows["true tree and true lumen: only the flow is ours"]
    full = rows["as reported"]
    assert np.abs(lumen).max() > 0.005
    assert np.abs(flow).max() > 0.005
    # the trees are the true ones here: swapping them changes nothing
    assert np.allclose(full, rows["true tree: outlets, names and course"], atol=2e-3)
    assert full.std() < lumen.std() + flow.std() + 0.01


def test_an_exact_lumen_with_the_true_mass_leaves_the_flow_alone(monkeypatch):
    monkeypatch.setattr(pipeline.propagate, "__defaults__", (None, 64, None))
    monkeypatch.setattr(
        trial_case, "analysed", seen_as(lambda t: t.trees, lambda case: case.true_lv_mass_g)
    )
    case = run_case(enrolled(SEEDS[0]))
    for w in case.vessels:
        assert w.ffr == pytest.approx(w.own_flow_ffr, abs=2e-4)
        assert w.own_lumen_ffr == pytest.approx(w.true_ffr, abs=2e-4)


def test_a_vessel_that_was_not_found_is_not_read_and_counts_in_no_budget(monkeypatch):
    def cut(truth):
        kept_trees = []
        for c in truth.trees:
            short = VesselTree(
                c.tree.points_mm + np.array([0.0, 0.0, 30.0]), c.tree.radius_mm, c.tree.parent
            )
            kept_trees.append(replace(c, tree=short))
        return tuple(kept_trees)

    monkeypatch.setattr(pipeline.propagate, "__defaults__", (None, 64, None))
    monkeypatch.setattr(trial_case, "analysed", seen_as(cut, lambda case: 120.0))
    case = run_case(enrolled(SEEDS[0]))
    assert {r.status for r in readings([case])} == {"not-read"}
    assert len(budget([case])[0][1]) == 0


def test_patients_are_kept_and_read_back_and_damaged_ones_are_run_again(tmp_path, trial):
    for case in trial[:2]:
        keep_patient(tmp_path, "abc", case.seed, case)
    (tmp_path / f"{SEEDS[1]}-abc.json").write_text("{")
    assert kept(TrialCase, tmp_path, "abc") == [trial[0]]
    assert kept(TrialCase, tmp_path, "other") == []


def test_all_that_decides_what_a_patient_shows_is_part_of_the_state():
    for name in MEASURING:
        used = {line.split()[1].removeprefix("validation.").replace(".", "/")
                for line in (ROOT / "validation" / f"{name}.py").read_text().splitlines()
                if line.startswith("from validation.")}  # fmt: skip
        words_only = {"cohort/metrics", "cohort/reading", "setting", "projection_lessons"}
        assert used - words_only <= set(MEASURING), name


def test_the_report_is_the_cohort_s_with_a_budget_and_its_limits(tmp_path, trial, capsys):
    refused = TrialCase(
        FIRST_SEED + 50, "rejected", "contrast-missing",
        vessels=(Wired("LAD", 0.7, 0.71, 60.0, 0.0),),
    )  # fmt: skip
    report([*trial, refused], tmp_path, 7)
    page = (tmp_path / "report.html").read_text()
    for words in (
        "Where the error comes from",
        "NXT 2014",
        "Walls do not move",
        "contrast-missing",
    ):
        assert words in page
    assert "Research use only" in page
    assert "as reported:" in capsys.readouterr().out
