"""The table of segmentation: sums, intervals, targets, and cases that are kept."""

import dataclasses
import json
import logging
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from validation_trees import forked, straight

from ffr.errors import StudyError
from ffr.flags import Flag
from validation import held_out, segmentation, segmentation_case, segmentation_jobs
from validation.agreement import Course
from validation.segmentation_case import (
    Case,
    FalseLesion,
    Points,
    Stenosis,
    case_file,
    load_cases,
    save_case,
    state,
)
from validation.segmentation_lines import (
    Line,
    coverage,
    diameter,
    estimate,
    mean,
    not_heavy,
    spread,
)
from validation.segmentation_pictures import draw
from validation.segmentation_tables import (
    all_lines,
    by_scanner,
    cell,
    diameter_table,
    rival_table,
    stenosis_table,
)
from validation.segmentation_worst import failures, worst_courses, worst_ffr

LINES = {line.name: line for line in all_lines()}
COURSE = Course(
    true_mm=100.0, covered_mm=90.0, found_mm=110.0, right_mm=95.0, false_mm=5.0,
    distance_mm2=18.5, named_mm=76.0, true_by_width_mm=(20.0, 30.0, 50.0),
    covered_by_width_mm=(10.0, 30.0, 50.0), missed_mm=(("D1", 10.0),),
    falsely_found_mm=(("RI", 5.0),),
)  # fmt: skip
POINTS = Points(
    true_mm=(2.0, 2.0, 2.0, 2.0, 4.0, 0.9), error_mm=(0.1, -0.1, 0.3, 0.9, 9.0, 9.0),
    edge_error_mm=(0.4,) * 6, mask_error_mm=(0.5,) * 6, sd_mm=(0.1, 0.1, 0.1, 0.1, 1.0, 1.0),
    narrowed_percent=(0.0, 45.0, 55.0, 45.0, 45.0, 45.0),
    calcium_deg=(0.0, 0.0, 90.0, 270.0, 0.0, 0.0),
)  # fmt: skip
SEVERE = Stenosis(
    "LAD", (1.0, 2.0, 3.0), 0.0, 0.0, 60.0, 1.2, found_percent=50.0, edge_percent=30.0,
    mask_percent=20.0, reported_percent=49.0, true_ffr=0.70, lumen_ffr=0.73, edge_ffr=0.9,
    mask_ffr=0.9, tree_ffr=0.75, full_ffr=0.76,
)  # fmt: skip
HARD = dataclasses.replace(
    SEVERE, calcium_deg=200.0, way_calcium_deg=200.0, lumen_ffr=0.95, found_percent=None,
    reported_percent=None,
)  # fmt: skip


def case(**changes):
    made = Case(
        1_000_200, "clinical", 0.65, 22.0, dice=(("AORTA", 0.9), ("LA", None)),
        lv_mass_g=110.0, true_lv_mass_g=100.0, ostium_error_mm=(("left", 1.4), ("right", None)),
        course=COURSE, points=POINTS, stenoses=(SEVERE, HARD),
        false_lesions=(FalseLesion("RCA", (0.0, 0.0, 0.0), 55.0, True),), processor_s=70.0,
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


FAILED = Case(1_000_201, "clinical", 0.65, 22.0, failure="heart-missing: no heart")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("overlap OV of the centreline", (90 + 95) / (100 + 95 + 5)),
        ("true length found, 1.5-2 mm, %", 50.0),
        ("false length, %", 100 * 5 / 110),
        ("distance of the centreline, mm", 0.1),
        ("ostia within 1.5 mm, %", 50.0),
        ("vessel names right, % of length", 80.0),
        ("automatic success, % of patients", 50.0),
        ("LV mass, median error, %", 10.0),
        ("diameter bias, 1-3 mm, no heavy calcium, mm", 0.1),
        ("diameter SD, 1-3 mm, no heavy calcium, mm", 0.2),
        ("diameter bias, 1-3 mm, calcium to 180°, mm", 0.3),
        ("in own 90 % interval, 1-3 mm, no heavy calcium, %", 200 / 3),
        ("mean abs. %DS error, points", 10.0),
        ("stenoses ≥ 50 % reported, %", 50.0),
        ("the same, reported as ≥ 50 %, %", 0.0),
        ("false stenoses of ≥ 50 % per patient", 1.0),
        ("true stenoses not reached, %", 50.0),
    ],
)
def test_lines_have_their_known_values(name, value):
    assert estimate(LINES[name], [case(), FAILED]).value == pytest.approx(value)


def test_a_patient_whose_result_lacks_a_vessel_is_no_success():
    line = LINES["automatic success, % of patients"]
    lacks = case(lacking=("LCx",))
    assert estimate(line, [case(), case(), lacks, FAILED]).value == pytest.approx(50.0)


def test_ffr_counts_only_stenoses_without_heavy_calcium_upstream():
    behind = dataclasses.replace(HARD, calcium_deg=0.0)
    made = case(stenoses=(SEVERE, behind))
    lines = [line for name, line in LINES.items() if "found lumen alone" in name]
    assert len(lines) == 2
    assert [estimate(x, [made]).value for x in lines] == pytest.approx([0.03, 0.03])


def test_every_target_of_the_issue_has_its_line():
    targets = [line.target for line in LINES.values() if line.allowed]
    wanted = ["≥ 0.95", "≤ 5", "≤ 0.25", "≥ 95", "≥ 95", "≥ 97", "≤ 10", "within 0.05",
              "≤ 0.15", "within 0.10", "≤ 0.20", "85-95", "≤ 8", "≥ 95", "≤ 0.02",
              "≤ 0.06"]  # fmt: skip
    assert [t for t in targets if not t.startswith("(")] == wanted


def test_intervals_are_over_patients_and_hold_the_true_mean():
    rng = np.random.default_rng(1)
    each = rng.normal(0.2, 0.1, 60)
    cases = [case(points=dataclasses.replace(POINTS, error_mm=(e,) * 6)) for e in each]
    found = estimate(Line("", diameter(not_heavy), mean), cases)
    half = 1.96 * each.std() / math.sqrt(60)
    assert (found.low, found.high) == pytest.approx(
        (each.mean() - half, each.mean() + half), abs=0.2 * half
    )
    assert found.number == 180
    sd = estimate(Line("", diameter(not_heavy), spread), cases)
    assert sd.low < sd.value < sd.high


def test_two_patients_have_no_interval_and_none_no_number():
    two = estimate(LINES["false length, %"], [case(), case()])
    assert math.isnan(two.low)
    assert math.isnan(estimate(LINES["false length, %"], []).value)
    assert cell(LINES["false length, %"], estimate(LINES["false length, %"], [FAILED])) == "-"
    middle = LINES["LV mass, median error, %"]
    assert math.isnan(estimate(middle, [FAILED] * 4).value)
    assert estimate(middle, [case()] * 4).low == pytest.approx(10.0)


def test_a_cell_says_whether_the_target_is_met():
    line = LINES["false length, %"]
    assert cell(line, estimate(line, [case()])) == "4.5 yes"
    worse = case(course=dataclasses.replace(COURSE, false_mm=6.0))
    assert cell(line, estimate(line, [worse])) == "5.5 **no**"
    three = cell(line, estimate(line, [case(), worse, worse]))
    assert three == "5.2 (4.5 to 5.5) **no**"


def test_errors_within_the_reported_interval_are_counted():
    n, error = 1000, np.random.default_rng(0).normal(0, 0.2, 1000)
    none = (0.0,) * n
    honest = case(points=Points((2.0,) * n, tuple(error), none, none, (0.2,) * n, none, none))
    held = estimate(Line("", coverage(not_heavy), lambda s: s[..., 0] / s[..., 1]), [honest])
    assert held.value == pytest.approx(0.90, abs=0.02)


def test_strata_are_by_blur_noise_and_veins_of_random_scans():
    kinds = ((0.5, 40, 1_000_200), (1.1, 10, 1_000_201))  # veins at 0.26 and 0.82 of the blood
    drawn = [case(seed=s, imaging="random", blur_mm=b, noise_hu=n) for b, n, s in kinds]
    strata = by_scanner([case(), *drawn])
    assert list(strata) == [
        "blur under 0.7 mm", "blur over 1 mm", "noise under 15 HU", "noise over 30 HU",
        "veins under 0.8 of the blood", "veins brighter",
    ]  # fmt: skip
    assert strata["noise over 30 HU"] == drawn[:1]
    assert strata["veins brighter"] == drawn[1:]


def test_tables_by_width_and_calcium_and_beside_the_rivals():
    rows = {x.split(" | ")[0]: x for x in diameter_table([case()])}
    assert "| no calcium, under 1 mm" not in rows  # one point has no spread
    assert rows["| no calcium, 2-3 mm"].startswith(
        "| no calcium, 2-3 mm | 2 | +0.000 | 0.141 |"
    )
    assert rows["| no heavy calcium, 1-3 mm"] == (
        "| no heavy calcium, 1-3 mm | 3 | +0.100 | 0.200 | 67 | +0.400, 0.000 | +0.500, 0.000 |"
    )
    assert rows["| the same, by 40-60 %"].startswith("| the same, by 40-60 % | 2 | +0.100 |")
    lesions = stenosis_table([case()])
    assert lesions[2] == "| all | 2 | -10.0, 10.0 | +0.140 ± 0.156, 0.140, 0.239 |"
    assert lesions[4].startswith("| calcium over 180° | 1 | -, - | +0.250")
    ours, edges, mask = rival_table([case()])[2:]
    assert "| +0.100, 0.200 | 10.0 | 0.030, 0.030 |" in ours
    assert "| +0.400, 0.000 | 30.0 | 0.200, 0.200 |" in edges
    assert "| +0.500, 0.000 | 40.0 | 0.200, 0.200 |" in mask


def test_what_went_wrong_is_named():
    lacks = case(lacking=("LCx", "left-coronary-missing"))
    assert failures([case(), FAILED, lacks]) == [
        "- 1000201 clinical failed: heart-missing: no heart",
        "- 1000200 clinical lacks: LCx, left-coronary-missing",
    ]
    first, second = worst_ffr([case()])[2:]
    assert "200°" in first
    assert "| 60, - | 0.70, 0.95, 0.75, 0.76 |" in first
    assert "| 60, 50 | 0.70, 0.73, 0.75, 0.76 |" in second
    assert worst_courses([case()])[2:] == [
        "| 1000200 clinical | D1 | missed | 10 |", "| 1000200 clinical | RI | false | 5 |"
    ]  # fmt: skip


def test_cases_survive_their_file_and_other_states_are_not_mixed_in(tmp_path):
    save_case(tmp_path, case(), "abc")
    save_case(tmp_path, FAILED, "abc")
    save_case(tmp_path, case(seed=1_000_203), "other")
    (tmp_path / "1000204-clinical-abc.json").write_text('{"seed": 1000204, "ima')
    assert load_cases(tmp_path, "abc") == [case(), FAILED]
    assert json.loads(case_file(tmp_path, 1_000_200, "clinical", "abc").read_text())["seed"]


def test_a_state_is_the_code_the_weights_and_the_grid(tmp_path, monkeypatch):
    for name in ("ffr/pipeline.py", "ffr/weights/lumen.safetensors", "validation/held_out.py",
                 "validation/segmentation_tables.py", "docs/a.md"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    monkeypatch.setattr(segmentation_case, "ROOT", tmp_path)
    monkeypatch.setattr(segmentation_case, "MEASURING", ("held_out",))
    seen = [state((400, 0.5)), state((512, 0.5))]
    for name in ("ffr/pipeline.py", "ffr/weights/lumen.safetensors", "validation/held_out.py"):
        (tmp_path / name).write_text("2")
        seen.append(state((400, 0.5)))
    assert len(set(seen)) == 5
    for name in ("validation/segmentation_tables.py", "docs/a.md"):  # say nothing of a case
        (tmp_path / name).write_text("2")
        assert state((400, 0.5)) == seen[-1]


def test_all_that_decides_what_a_case_says_is_part_of_its_state():
    known = {f"{name}.py" for name in segmentation_case.MEASURING}
    folder = segmentation_case.ROOT / "validation"
    for name in segmentation_case.MEASURING:
        text = (folder / f"{name}.py").read_text()
        used = {line.split()[1].split(".")[1] for line in text.splitlines()
                if line.startswith("from validation.")}  # fmt: skip
        missing = {f"{u}.py" for u in used} - known
        assert missing <= {"projection_lessons.py", "setting.py"}, name  # of the lumen script


class Inline(ThreadPoolExecutor):
    """An executor that stays in this process."""

    def __init__(self, processes, context, initializer):
        super().__init__(1)


def test_a_run_goes_on_where_it_was_and_a_bad_comparison_stops_nothing(
    tmp_path, monkeypatch, capsys, caplog
):
    asked = []

    def made(seed, imaging, size, spacing_mm):
        asked.append((seed, imaging))
        if seed == 1_000_201:
            raise KeyError("a mistake of the comparison")
        return case(seed=seed, imaging=imaging)

    monkeypatch.setattr(segmentation_jobs, "run_case", made)
    monkeypatch.setattr(segmentation_jobs, "ProcessPoolExecutor", Inline)
    monkeypatch.setattr(segmentation, "state", lambda grid: "abc")
    words = ["--patients", "3", "--out", str(tmp_path), "--imaging", "clinical"]
    with caplog.at_level(logging.INFO):
        segmentation.main(words)
    assert [s for s, _ in asked] == [1_000_200, 1_000_201, 1_000_202]
    assert "2 of 3 cases" in capsys.readouterr().out
    assert "1000201 clinical could not be compared: KeyError" in caplog.text
    segmentation.main(words)
    assert [s for s, _ in asked[3:]] == [1_000_201]
    segmentation.main([*words, "--only-table"])
    assert len(asked) == 4
    text = capsys.readouterr().out
    assert "| overlap OV of the centreline | ≥ 0.95 | 0.925 **no** |" in text
    assert "clinical imaging (2)" in text


def test_the_script_runs_a_patient_in_a_process_of_its_own(tmp_path):
    words = ["segmentation", "--patients", "1", "--imaging", "clinical", "--out", str(tmp_path),
             "--size", "70", "70", "50", "--spacing-mm", "3", "3", "3"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "validation", *words], cwd=segmentation_case.ROOT, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    assert "1000200 clinical failed: voxels-too-coarse" in done.stdout
    assert len(list(tmp_path.glob("*.json"))) == 1


def test_a_table_of_nothing_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(segmentation, "state", lambda grid: "abc")
    segmentation.main(["--only-table", "--patients", "2", "--out", str(tmp_path)])
    assert "Nothing to show." in capsys.readouterr().out


def test_pictures_are_drawn_for_each_kind_of_imaging(tmp_path):
    files = draw([case(), case(imaging="random", stenoses=())], tmp_path)
    assert sorted(p.name for p in files) == [
        "segmentation-agreement-clinical.png", "segmentation-agreement-random.png",
        "segmentation-ffr-clinical.png", "segmentation-ffr-random.png",
    ]  # fmt: skip
    assert min(p.stat().st_size for p in files) > 10_000


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (StudyError("heart-missing", "no heart"), "heart-missing: no heart"),
        (IndexError("out of range"), "crash: IndexError: out of range"),
    ],
)
def test_a_patient_that_is_refused_or_crashes_is_a_case_with_a_reason(
    monkeypatch, error, failure
):
    def refuse(scan, progress):
        raise error

    monkeypatch.setattr(held_out.pipeline, "segment", refuse)
    got = held_out.run_case(1_000_100, "clinical", (20, 20, 20), (9.0, 9.0, 9.0))
    assert got.failure == failure
    assert 60 < got.true_lv_mass_g < 260
    assert (got.blur_mm, got.noise_hu) == (0.65, 22.0)


def test_seeds_that_training_may_have_seen_are_refused():
    with pytest.raises(ValueError, match="999999 is not held out"):
        held_out.run_case(999_999, "clinical", (20, 20, 20), (9.0, 9.0, 9.0))


def made_of(trees, flags=(), blind=()):
    """What the pipeline would say, as far as completeness looks at it."""
    ffr = tuple(np.full(len(c.tree), np.nan if c.side in blind else 0.9) for c in trees)
    found = held_out.pipeline.Findings(ffr, (), (), ())
    return held_out.Analysed(None, tuple(trees), None, found, tuple(flags))


def test_a_success_lacks_nothing():
    left, right = forked(lengths=(25, 25)), straight(name="RCA", side="right")
    true = [left, right]
    assert held_out.lacking(made_of(true), true) == ()
    assert held_out.lacking(made_of([left]), true) == ("right tree", "RCA")
    assert held_out.lacking(made_of(true, blind=("left",)), true) == ("left tree",)
    unnamed = forked(("LM", "LAD", "OM1"), lengths=(25, 25))
    assert held_out.lacking(made_of([unnamed, right]), true) == ("LCx",)
    flag = Flag("left-coronary-missing", "")
    assert held_out.lacking(made_of(true, [flag]), true) == ("left-coronary-missing",)
    short = forked(lengths=(25, 15))  # a circumflex of 15 mm need not be there
    assert held_out.lacking(made_of([unnamed, right]), [short, right]) == ()


def test_radii_are_compared_on_vessels_away_from_divisions():
    true = [forked(radii=(1.2, 1.2, 1.2)), straight(name="RCA", side="right", offset_mm=30.0)]
    found = [forked(radii=(1.3, 1.3, 1.3)),
             straight(radius_mm=1.4, name="RCA", side="right", offset_mm=31.0, sd_mm=0.2),
             straight(name="D1", offset_mm=60.0)]  # fmt: skip
    edges = [2 * c.tree.radius_mm for c in found]
    arcs = [np.zeros(len(true[0].tree)), np.full(len(true[1].tree), 90.0)]
    got = held_out.points(found, true, arcs, edges, edges)
    right = np.array(got.calcium_deg) == 90.0
    assert right.sum() == 81
    assert np.array(got.error_mm)[right] == pytest.approx(-0.2)
    assert np.array(got.error_mm)[~right] == pytest.approx(0.2)
    assert np.array(got.edge_error_mm)[~right] == pytest.approx(2.8)
    assert np.array(got.sd_mm)[right] == pytest.approx(0.4)
    near_fork = np.linalg.norm(found[0].tree.points_mm - [10, 0, 0], axis=1) <= 1.8
    assert (~right).sum() == 81 - near_fork.sum()
