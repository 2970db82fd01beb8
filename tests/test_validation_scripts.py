"""Validation: statistics against answers known by construction, scripts that can be found."""

import dataclasses
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ffr import pipeline
from ffr.errors import StudyError
from meshes.stenosis import find_lesions
from meshes.tree import CoronaryTree, VesselTree
from validation import bench_stages, held_out, segmentation, speed
from validation.__main__ import scripts
from validation.agreement import (
    compare,
    cut,
    dice,
    interval_coverage,
    limits_of_agreement,
    pairs,
)

ROOT = Path(__file__).parent.parent
TOUCH_200_MB = "x = bytearray(200 << 20); x[::4096] = b'1' * len(x[::4096])"


def straight(length_mm=40.0, radius_mm=1.5, name="LAD", offset_mm=0.0, sd_mm=0.1, side="left"):
    """One vessel along x, points every half millimetre."""
    x = np.arange(0.0, length_mm + 0.25, 0.5)
    n = x.size
    points = np.column_stack([x, np.full(n, offset_mm), np.zeros(n)])
    radius = np.broadcast_to(np.asarray(radius_mm, float), (n,))
    return CoronaryTree(
        VesselTree(points, radius, np.arange(n) - 1), side, np.full(n, sd_mm),
        np.full(n, radius.max()), np.zeros(n), (name,), np.zeros(n),
    )  # fmt: skip


def forked(names=("LM", "LAD", "LCx")):
    """A trunk of 10 mm along x that divides into two daughters of 10 and 20 mm."""
    trunk = np.column_stack([np.arange(0, 10.1, 0.5), np.zeros(21), np.zeros(21)])
    one = trunk[-1] + np.outer(np.arange(0.5, 10.1, 0.5), [0.6, 0.8, 0])
    two = trunk[-1] + np.outer(np.arange(0.5, 20.1, 0.5), [0.6, -0.8, 0])
    parent = np.concatenate([np.arange(-1, 40), [20], np.arange(41, 80)])
    n = parent.size
    branch = np.repeat([0, 1, 2], [21, 20, 40])
    tree = VesselTree(np.vstack([trunk, one, two]), np.full(n, 1.2), parent)
    return CoronaryTree(
        tree, "left", np.full(n, 0.1), np.full(n, 1.2), branch, names, np.zeros(n)
    )


def test_pieces_have_the_length_and_radius_of_the_tree():
    tapered = straight(40.0, np.linspace(2.0, 1.0, 81))
    pieces = cut([forked(), tapered])
    assert pieces.length_mm.sum() == pytest.approx(80.0)
    assert pieces.length_mm.max() <= 0.1 + 1e-9
    last = pieces.name == "LAD"
    along = pieces.points_mm[-400:, 0]
    assert pieces.radius_mm[-400:] == pytest.approx(2.0 - along / 40.0)
    assert pieces.length_mm[last].sum() == pytest.approx(10.0 + 40.0)


def test_the_truth_agrees_with_itself():
    same = compare([forked()], [forked()])
    assert same.true_length_mm == pytest.approx(40.0)
    assert same.covered_length_mm == pytest.approx(40.0)
    assert same.false_length_mm == 0
    assert same.named_length_mm == pytest.approx(40.0)
    assert same.main_named_length_mm == pytest.approx(40.0)
    assert same.radius_error_mm == pytest.approx(np.zeros(81), abs=1e-12)


@pytest.mark.parametrize(
    ("offset_mm", "near_mm", "false_mm"), [(0.9, 40, 0), (1.2, 0, 0), (1.6, 0, 40)]
)
def test_found_missed_and_false_are_told_by_distance(offset_mm, near_mm, false_mm):
    result = compare([straight(offset_mm=offset_mm)], [straight()])
    assert result.covered_length_mm == pytest.approx(near_mm)
    assert result.matched_length_mm == result.named_length_mm == pytest.approx(near_mm)
    assert result.radius_error_mm.size == (81 if near_mm else 0)
    assert result.false_length_mm == pytest.approx(false_mm)


def test_half_a_vessel_is_half_covered_and_none_of_it_false():
    result = compare([straight(20.0)], [straight(40.0)])
    assert result.covered_length_mm == pytest.approx(21.0, abs=0.11)  # ends reach 1 mm on
    assert result.false_length_mm == 0
    longer = compare([straight(60.0)], [straight(40.0)])
    assert longer.covered_length_mm == pytest.approx(40.0)
    assert longer.false_length_mm == pytest.approx(60 - 41.5, abs=0.11)


def test_vessels_too_thin_to_judge_are_not_asked_for():
    thin = straight(30.0, 0.7, "D1", offset_mm=20.0)
    result = compare([straight()], [straight(), thin])
    assert result.true_length_mm == pytest.approx(40.0)
    assert result.covered_length_mm == pytest.approx(40.0)


def test_a_vessel_of_the_other_tree_is_no_false_centreline():
    right = straight(name="RCA", offset_mm=30.0, side="right")
    result = compare([straight(name="RCA", side="right"), right], [straight(), right])
    assert result.false_length_mm == 0
    assert result.named_length_mm == pytest.approx(40.0)
    assert result.matched_length_mm == pytest.approx(80.0)


def test_a_wrong_name_costs_its_length():
    result = compare([forked(("LM", "D1", "LCx"))], [forked()])
    assert result.matched_length_mm == pytest.approx(40.0)
    assert result.named_length_mm == pytest.approx(
        30.0, abs=0.4
    )  # by the carina either is near
    side = compare([forked(("LM", "LAD", "OM1"))], [forked(("LM", "LAD", "OM2"))])
    assert side.main_matched_length_mm == pytest.approx(20.0, abs=0.4)
    assert side.main_named_length_mm == pytest.approx(20.0, abs=0.4)


def test_radius_errors_are_found_minus_true_and_keep_their_spread():
    true = straight(radius_mm=np.linspace(2.0, 1.0, 81))
    found = straight(radius_mm=np.linspace(2.1, 1.1, 81), sd_mm=0.05)
    result = compare([found], [true])
    assert result.radius_error_mm == pytest.approx(np.full(81, 0.1), abs=2e-3)
    assert result.true_radius_mm == pytest.approx(np.linspace(2.0, 1.0, 81), abs=2e-3)
    assert interval_coverage(result.radius_error_mm, result.radius_sd_mm * 0.9) == 0.0
    assert interval_coverage(result.radius_error_mm, result.radius_sd_mm * 1.1) == 1.0


def test_without_found_trees_everything_is_missed():
    result = compare([], [straight()])
    assert (result.true_length_mm, result.covered_length_mm) == (pytest.approx(40.0), 0)
    assert result.radius_error_mm.size == 0


def test_limits_of_agreement_are_those_of_bland_and_altman():
    bias, sd, low, high = limits_of_agreement(np.array([0.1, 0.3, -0.1, 0.1]))
    assert bias == pytest.approx(0.1)
    assert sd == pytest.approx(math.sqrt(0.08 / 3))
    assert (low, high) == pytest.approx((0.1 - 1.96 * sd, 0.1 + 1.96 * sd))
    assert np.isnan(limits_of_agreement(np.array([0.1]))).all()


def test_honest_intervals_cover_95_percent():
    rng = np.random.default_rng(0)
    sd = rng.uniform(0.05, 0.3, 20_000)
    assert interval_coverage(rng.normal(0, sd), sd) == pytest.approx(0.95, abs=0.005)


def test_dice_of_known_masks():
    a, b = np.zeros((2, 4), bool), np.zeros((2, 4), bool)
    assert math.isnan(dice(a, b))
    a[0, :3], b[0, 1:4] = True, True
    assert dice(a, b) == pytest.approx(2 * 2 / 6)


def test_pairs_are_one_to_one_and_the_nearest_goes_first():
    found = np.array([[1.0, 0, 0], [0.2, 0, 0], [30, 0, 0]])
    true = np.array([[0.0, 0, 0], [2.0, 0, 0], [50, 0, 0]])
    assert pairs(found, true, 5.0) == [(1, 0), (0, 1)]
    assert pairs(found[:0], true, 5.0) == []


def narrowed(throat_mm=20.0, percent=60.0, **options):
    x = np.arange(0.0, 60.25, 0.5)
    bell = np.exp(-(((x - throat_mm) / 3.0) ** 2))
    return straight(60.0, 1.5 * (1 - percent / 100 * bell), **options)


def findings(tree, ffr_beyond):
    lesions = find_lesions(tree.tree, tree.reference_radius_mm)
    ffr = np.where(np.arange(len(tree.tree)) > lesions[0].throat, ffr_beyond, 1.0)
    at = lesions[0].throat + 40
    return pipeline.Findings((ffr,), (np.ones(len(ffr), bool),), (lesions,), (((at, 20.0),),))


def test_a_lesion_is_read_on_both_trees_and_where_the_truth_reads_it():
    true, found = narrowed(20.0, 60.0), narrowed(22.0, 50.0, offset_mm=0.5)
    (pair,) = held_out.lesion_pairs(
        [found], findings(found, 0.85), [true], findings(true, 0.75)
    )
    assert pair.true.diameter_stenosis_percent == pytest.approx(60, abs=2)
    assert pair.found.diameter_stenosis_percent == pytest.approx(50, abs=2)
    assert (pair.true.ffr, pair.found.ffr, pair.ffr) == (0.75, 0.85, 0.85)


def test_lesions_that_are_far_apart_are_one_missed_and_one_false():
    true, found = narrowed(20.0), narrowed(32.0)
    missed, false = held_out.lesion_pairs(
        [found], findings(found, 0.85), [true], findings(true, 0.75)
    )
    assert missed.found is None
    assert missed.ffr == 0.85  # the tree is there, 20 mm beyond the true throat
    assert false.true is None
    assert false.ffr is None


def test_a_vessel_that_was_not_found_has_no_ffr():
    true, found = narrowed(20.0), narrowed(20.0, offset_mm=2.0)
    (pair,) = held_out.lesion_pairs(
        [found], findings(found, 0.85), [true], findings(true, 0.75)
    )
    assert pair.ffr is None


def case(**changes):
    lesion = held_out.Reading("LAD", 60.0, 0.70)
    made = held_out.Case(
        seed=1_000_100, imaging="clinical", dice=(("AORTA", 0.9), ("LA", math.nan)),
        lv_mass_g=110.0, true_lv_mass_g=100.0, ostium_error_mm=(("left", 1.0), ("right", 3.0)),
        agreement=compare([straight(20.0)], [straight(40.0)]),
        lesions=(held_out.LesionPair(lesion, held_out.Reading("LAD", 50.0, 0.82), 0.78),),
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def test_the_report_counts_who_failed_and_why():
    failed = held_out.Case(1_000_101, "clinical", failure="heart-missing: no heart")
    half = case(missing_sides=("right",))
    text = segmentation.report("clinical", [half, failed])
    assert "1 of 2 patients analysed" in text
    assert "- 1000101 failed: heart-missing: no heart" in text
    assert "- 1000100 without right tree" in text
    assert segmentation.report("random", [failed]).count("\n") == 3


def test_the_report_shows_worst_and_best_the_right_way_round():
    whole = case(agreement=compare([straight()], [straight()]), lv_mass_g=95.0)
    text = segmentation.report("clinical", [case(), whole])
    rows = {line.split(" | ")[0]: line for line in text.splitlines()}
    found = rows["| true centreline found, % (radius ≥ 0.75 mm)"]
    assert found.startswith("| true centreline found, % (radius ≥ 0.75 mm) | 76.")
    assert found.endswith("| 52.2 | 100 |")
    assert rows["| LV mass error, % (absolute)"].endswith("| 7.5 | 10 | 5 |")
    assert rows["| ostium error, mm (larger side)"].endswith("| 3 | 3 | 3 |")
    assert "LV mass: bias +2.5 %" in text
    assert "Dice LA" not in text  # never there, so nothing to report
    assert rows["| diameter stenosis, found − true, % points"].endswith(
        "| -10.000 ± 0.000 (95 % -10.00 to -10.00), n 2 |"
    )
    assert rows["| FFR at the same place, found − true"].startswith(
        "| FFR at the same place, found − true | +0.080 ± 0.000"
    )
    assert rows["| the same side of 0.80 at that place"].endswith("| 2 of 2 |")


def test_cases_survive_json():
    text = json.dumps(segmentation.as_json([case()], {"vessel": "0" * 64}), allow_nan=False)
    back = json.loads(text)["cases"][0]
    assert back["dice"] == {"AORTA": 0.9, "LA": None}
    assert len(back["agreement"]["radius_error_mm"]) == 41
    assert back["lesions"][0]["found"]["ffr"] == 0.82


def test_a_patient_that_is_refused_is_a_case_with_a_reason(monkeypatch):
    def refuse(scan, progress):
        raise StudyError("heart-missing", "no heart")

    monkeypatch.setattr(held_out.pipeline, "segment", refuse)
    got = held_out.run_case(1_000_100, "clinical", (20, 20, 20), (9.0, 9.0, 9.0))
    assert got.failure == "heart-missing: no heart"
    assert 60 < got.true_lv_mass_g < 260


def test_seeds_that_training_may_have_seen_are_refused():
    with pytest.raises(ValueError, match="999999 is not held out"):
        held_out.run_case(999_999, "clinical", (20, 20, 20), (9.0, 9.0, 9.0))


def test_memory_and_seconds_are_those_of_the_process():
    script = f"import time; {TOUCH_200_MB}; time.sleep(0.3)"
    large = bench_stages.measured("large", [sys.executable, "-c", script])
    small = bench_stages.measured("small", [sys.executable, "-c", "pass"])
    assert 200 <= large.resident_mb < 300
    assert small.resident_mb < large.resident_mb - 150
    assert large.elapsed_s >= 0.3
    assert (large.code, small.code) == (0, 0)


def test_memory_of_a_childs_child_counts():
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {TOUCH_200_MB!r}])"
    assert bench_stages.measured("outer", [sys.executable, "-c", outer]).resident_mb >= 200


def test_a_stage_that_fails_is_the_last_one_measured(tmp_path, capsys):
    rows = bench_stages.bench(tmp_path / "nothing.nii", 1_000_000, tmp_path)
    assert [r.code for r in rows] == [2]
    assert "ffr: " in capsys.readouterr().err


def test_the_table_sums_up_a_run_without_the_making_of_its_study():
    rows = [
        bench_stages.Measured("make the virtual study (not part of a run)", 50.0, 900, 0),
        bench_stages.Measured("tree", 2.0, 300, 0),
        bench_stages.Measured("solve", 1.5, 200, 0),
    ]
    assert bench_stages.table(rows).splitlines()[-1] == "| all stages | 3.5 | 300 |"


FORKED_DECK = """
JOINT J0 1 IN0 OUT0
JOINTINLET IN0 1 0
JOINTOUTLET OUT0 2 1 2
SEGMENT trunk 0 1.0 25 0 1 0.12 0.10 0.0 MAT1 NONE 0.0 0 0 NOBOUND NONE
SEGMENT one 1 2.0 25 1 2 0.06 0.05 0.0 MAT1 NONE 0.0 0 0 CORONARY BED
SEGMENT two 2 3.0 25 1 3 0.05 0.03 0.0 MAT1 NONE 0.0 0 0 CORONARY BED
DATATABLE INLETDATA LIST
0.0 106000
0.3 160000
1.0 106000
ENDDATATABLE
DATATABLE BED LIST
-1.0 40000
-1.0 60000
-1.0 2e-6
-1.0 1e-5
-1.0 20000
-1.0 0.0
0.0 20000
0.3 150000
1.0 20000
ENDDATATABLE
SOLVEROPTIONS 0.005 10 400 2 INLETDATA PRESSURE_WAVE 1.0e-5 1 1
MATERIAL MAT1 OLUFSEN 1.06 0.04 0 1.0 1.48e7 -22.5267 8.65e5
"""


def test_speed_beside_svzerod_is_at_equal_accuracy(tmp_path, capsys):
    pytest.importorskip("svzerod", reason="pip install 'ct-ffr[validation]'")
    (tmp_path / "forked.in").write_text(FORKED_DECK)
    speed.main(["--deck", str(tmp_path / "forked.in"), "--repeats", "1", "--no-cold-start"])
    text = capsys.readouterr().out
    assert "svzerod settled): yes" in text
    rows = [line for line in text.splitlines() if " 0D" in line]
    assert len(rows) == 8
    assert all(float(row.split("|")[-2]) <= speed.EQUAL_PERCENT for row in rows[3:])
    assert "pulsatile 1D, 3 segments" in text


def test_speed_tells_results_that_differ(tmp_path, monkeypatch, capsys):
    pytest.importorskip("svzerod", reason="pip install 'ct-ffr[validation]'")
    (tmp_path / "forked.in").write_text(FORKED_DECK)
    exact = speed.vessel_table

    def wrong(*arguments):
        table = exact(*arguments)
        return table | {"flow_out": table["flow_out"] * (1 + 1e-5)}

    monkeypatch.setattr(speed, "vessel_table", wrong)
    with pytest.raises(SystemExit) as end:
        speed.main(["--deck", str(tmp_path / "forked.in"), "--repeats", "1", "--no-cold-start"])
    assert end.value.code == 1
    assert "svzerod settled): NO" in capsys.readouterr().out


def test_speed_without_svzerod_is_one_line_that_says_what_to_install(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "forked.in").write_text(FORKED_DECK)
    monkeypatch.setitem(sys.modules, "svzerod", None)
    with pytest.raises(SystemExit) as end:
        speed.main(["--deck", str(tmp_path / "forked.in")])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("install it by pip install 'ct-ffr[validation]'")


def test_every_script_is_listed_with_what_it_answers():
    known = scripts()
    assert {"bench_stages", "bench_steady", "segmentation"} <= set(known)
    assert all(line for line in known.values())


def test_an_unknown_script_is_refused_with_the_known_ones():
    done = subprocess.run(
        [sys.executable, "-m", "validation", "segmentatoin"], cwd=ROOT, text=True,
        capture_output=True, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 2
    assert "segmentation" in done.stderr
