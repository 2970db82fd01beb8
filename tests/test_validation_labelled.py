"""Labelled scans from files to report: small vessels, and a pipeline that answers as told."""

import csv
import dataclasses
import functools
import json

import numpy as np
import pytest
from command_line import SECRET
from labelled import save

from ffr import pipeline
from ffr.anatomy import Anatomy
from ffr.circulation.patient import Patient
from ffr.errors import StudyError
from ffr.labelled_scans import LabelMeaning, find_pairs
from ffr.segmentation.maps import HeartMap, VesselMap
from ffr.tracing.naming import named_tree
from meshes.tree import VesselTree
from meshes.volume import Volume, axis_aligned_grid
from validation import labelled
from validation.held_out import Analysed
from validation.labelled_case import LabelCase, Radii, base_key, case_file
from validation.labelled_measure import Meaning, measured
from validation.labelled_numbers import overlap_measures, radius_measures
from validation.labelled_statistics import number
from validation.mask_overlap import MaskOverlap, painted

GRID = axis_aligned_grid((150, 130, 120), 0.5, (-36.0, -32.0, -4.0))
THROAT_MM = 16.0
REFUSED_AT = 17  # HU at the first voxel of a scan that the pipeline refuses


def way(start, direction, length_mm):
    steps = np.arange(0.5, length_mm + 0.1, 0.5)
    return start + steps[:, None] * np.array(direction) / np.linalg.norm(direction)


def left(share=1.0, stenosis_percent=60.0):
    """A trunk that divides; one daughter has a stenosis. `share` widens all."""
    trunk = way(np.array([6.0, 0, 52]), (0.8, 0, -0.6), 12.0)
    one, two = way(trunk[-1], (0.3, -0.7, -0.65), 38.0), way(trunk[-1], (0.3, 0.8, -0.6), 32.0)
    n1, n2, n3 = len(trunk), len(one), len(two)
    s = 0.5 * np.arange(1, n2 + 1)
    narrow = 1 - stenosis_percent / 100 * np.exp(-(((s - THROAT_MM) / 3) ** 2))
    radius = np.concatenate([np.full(n1, 2.0), 1.6 * narrow, np.full(n3, 1.4)]) * share
    parent = np.concatenate(
        [np.arange(-1, n1 - 1), [n1 - 1], np.arange(n1, n1 + n2 - 1), [n1 - 1],
         np.arange(n1 + n2, n1 + n2 + n3 - 1)]
    )  # fmt: skip
    return named(VesselTree(np.vstack([trunk, one, two]), radius, parent), "left")


def right(share=1.0):
    points = way(np.array([-6.0, 0, 50]), (-0.55, -0.1, -0.8), 45.0)
    n = len(points)
    return named(VesselTree(points, np.full(n, 1.7 * share), np.arange(n) - 1), "right")


def named(tree, side):
    return named_tree(tree, side, None, np.full(len(tree), 0.1))


@functools.cache
def both():
    """The label of a scan: 1 in the left tree, 2 in the right."""
    return np.maximum(painted([left()], GRID).astype(np.uint8), 2 * painted([right()], GRID))


def image(first_hu=0):
    label = both()
    hu = np.where(label > 0, 400, 60) + np.random.default_rng(2).normal(0, 8, label.shape)
    hu[:, :, :8] = -850
    hu[0, 0, 0] = first_hu
    return np.rint(hu).astype(np.int16)


def answering(trees):
    """Return a pipeline that says the same trees of every scan, or refuses one of them."""

    def analyse(scan):
        if scan.volume.values[0, 0, 0] == REFUSED_AT:
            raise StudyError("contrast-low", "the aorta reads 90 HU")
        found = painted(trees, scan.volume.grid).astype(np.uint8)
        vessels = VesselMap(
            Volume(scan.volume.grid, found), Volume(scan.volume.grid, 255 * found)
        )
        heart = np.full((9, 9, 9), Anatomy.LV, np.uint8)
        grid = axis_aligned_grid((9, 9, 9), 2.0, (0.0, 0.0, 0.0))
        maps = pipeline.Maps(HeartMap(Volume(grid, heart), 120.0, 400.0), vessels, (), {})
        flow = pipeline.solve(trees, Patient(), 120.0)
        return Analysed(maps, trees, flow, pipeline.find(trees, flow.solutions), ())

    return analyse


def never(scan):
    raise AssertionError("this scan was done before")


def cohort(folder, *first_hu, label=None):
    """Write pairs that are named after a patient, as hospitals do."""
    for n, first in enumerate(first_hu):
        save(folder / f"{SECRET}{n}.img.nii.gz", image(first), GRID)
        save(folder / f"{SECRET}{n}.label.nii.gz", both() if label is None else label, GRID)
    return folder


def run(folder, out, *words, analyse=never):
    labelled.main([str(folder), "--out", str(out), *words], analyse)
    numbers = json.loads((out / "metrics.json").read_text())
    with (out / "cases.csv").open() as file:
        return numbers, list(csv.DictReader(file))


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Three pairs: one as it should be, one the pipeline refuses, one whose label is empty."""
    folder = cohort(tmp_path_factory.mktemp("scans"), 0, REFUSED_AT, 0)
    save(folder / f"{SECRET}2.label.nii.gz", 0 * both(), GRID)
    out = tmp_path_factory.mktemp("out")
    trees = (left(), right())
    words = ("--left-label", "1", "--right-label", "2")
    return folder, out, run(folder, out, *words, analyse=answering(trees))


def test_the_same_lumen_agrees_with_its_label_within_voxels(good):
    numbers, rows = good[2]
    first = {k: float(v) for k, v in rows[0].items() if k.endswith(("percent", "mm", "bias"))}
    assert first["dice_percent"] == 100.0
    assert first["cl_dice_percent"] == 100.0
    assert first["ov_percent"] > 97
    assert first["ot_percent"] > 97
    assert first["ai_mm"] < 0.25
    assert abs(first["radius_bias_mm"]) < 0.06
    assert first["radius_sd_mm"] < 0.1
    assert abs(first["ffr_bias"]) < 0.02
    assert int(rows[0]["radius_points"]) > 100
    assert (rows[0]["stenoses_50"], rows[0]["stenoses_50_reported"]) == ("1", "1")
    assert numbers["numbers"]["sensitivity_percent"]["value"] == 100


def test_failures_are_counted_by_reason_and_a_refused_scan_is_nothing_found(good):
    numbers, rows = good[2]
    assert numbers["failures"] == [
        {"missing": "image", "reason": "contrast-low", "scans": 1},
        {"missing": "label", "reason": "mask-empty", "scans": 1},
    ]
    assert (numbers["pairs"], numbers["compared_in_full"]) == (3, 1)
    assert [r["failed"] for r in rows] == ["", "image", "label"]
    assert rows[1]["ov_percent"] == rows[1]["dice_percent"] == "0"
    assert rows[1]["ai_mm"] == rows[1]["hd95_mm"] == rows[2]["dice_percent"] == ""
    dice = numbers["numbers"]["dice_percent"]
    assert (dice["value"], dice["rests_on"], dice["interval_95"]) == (50.0, 2, None)
    assert "contrast-low" in (good[1] / "report.html").read_text()


def test_what_is_written_names_no_patient_and_says_research_use_only(good):
    for path in good[1].rglob("*"):
        assert SECRET not in path.name
        if path.is_file():
            assert SECRET not in path.read_text()
    assert "Research use only" in (good[1] / "report.html").read_text()
    assert "http" not in (good[1] / "report.html").read_text().replace("http-equiv", "")


def test_a_second_run_goes_on_where_the_first_was_and_other_labels_begin_anew(good):
    folder, out, (numbers, rows) = good
    words = ("--left-label", "1", "--right-label", "2")
    again = run(folder, out, *words)
    assert again[0]["numbers"] == numbers["numbers"]
    assert again[1] == rows
    (pair,) = find_pairs(folder)[:1]
    bases = [base_key(Meaning(LabelMeaning(lumen=x))) for x in ((1,), (1, 2))]
    assert len({case_file(out, pair, base).name for base in bases}) == 2
    assert not case_file(out / "cases", pair, bases[0]).exists()


def test_wider_trees_read_as_radius_bias_higher_ffr_and_a_missed_stenosis(tmp_path):
    trees = (left(1.15, stenosis_percent=0.0), right(1.15))
    numbers, rows = run(cohort(tmp_path / "in", 0), tmp_path / "out", analyse=answering(trees))
    assert numbers["compared_in_full"] == 1
    # 0.15 of 1.4 to 2 mm, more in the stenosis
    assert 0.2 < float(rows[0]["radius_bias_mm"]) < 0.4
    assert 70 < float(rows[0]["dice_percent"]) < 92
    assert float(rows[0]["ov_percent"]) > 97
    assert float(rows[0]["ffr_bias"]) > 0.02
    assert (rows[0]["stenoses_50"], rows[0]["stenoses_50_reported"]) == ("1", "0")


def test_a_pipeline_that_crashes_is_one_line_without_the_words_of_the_error(tmp_path, caplog):
    def crash(scan):
        raise RuntimeError(f"cannot open {SECRET}")

    (pair,) = find_pairs(cohort(tmp_path, 0), least=1)
    case = measured(pair, Meaning(), crash)
    assert (case.failed, case.reason, case.message) == ("image", "crash (RuntimeError)", "")
    assert {v.overlap_percent for v in case.vessels} == {0.0}
    assert SECRET not in caplog.text
    assert "pair 1: RuntimeError at test_validation_labelled.py" in caplog.text


def test_plain_pairs_and_folders_of_images_and_labels_are_found(tmp_path):
    for name in ("a.nii.gz", "a_label.nii.gz", "b.nrrd", "b-label.nrrd", "images/c.mha",
                 "labels/c.mha", "images/d.mha"):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    found = find_pairs(tmp_path)
    assert [(p.image.name, p.label.name, p.layout) for p in found] == [
        ("a.nii.gz", "a_label.nii.gz", "plain"), ("b.nrrd", "b-label.nrrd", "plain"),
        ("c.mha", "c.mha", "plain"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--left-label", "1"], "give both --left-label and --right-label"),
        (["--labels", "1", "--aorta", "1"], "label 1 is asked for twice"),
        (["--labels", "1", "--wall-labels", "1"], "label 1 is given two meanings"),
        (["--labels", "x"], "--labels must be whole numbers"),
    ],
)
def test_words_that_do_not_fit_end_in_one_line(tmp_path, capsys, words, message):
    with pytest.raises(SystemExit) as end:
        labelled.main([str(tmp_path), "--out", str(tmp_path / "out"), *words], never)
    assert end.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def case(number, dice_percent, told=(), found=()):
    masks = MaskOverlap(dice_percent, None, None)
    radii = Radii(tuple(told), tuple(found), tuple(told))
    return LabelCase(number, "plain", masks=masks, radii=radii)


def measure(key, measures):
    return next(m for m in measures if m.key == key)


def test_numbers_are_means_of_scans_with_an_interval_from_three_on():
    dice = measure("dice_percent", overlap_measures())
    assert number(dice, [case(1, 80.0), case(2, None)]) == (80.0, None, 1)
    made = number(dice, [case(1, 70.0), case(2, 80.0), case(3, 90.0)])
    assert (made.value, made.rests_on) == (80.0, 3)
    assert 70.0 <= made.interval[0] < 80.0 < made.interval[1] <= 90.0
    failed = dataclasses.replace(case(4, None), failed="image")
    assert number(dice, [case(1, 80.0), failed]).value == 40.0
    assert number(dice, []) == (None, None, 0)


def test_limits_of_agreement_are_those_of_all_points():
    told, error = np.full(40, 1.2), np.random.default_rng(3).normal(0.05, 0.1, 40)
    cases = [
        case(1, 1.0, told[:10], (told + error)[:10]),
        case(2, 1.0, told[10:], (told + error)[10:]),
    ]
    sd = error.std(ddof=1)
    for name, expected in (
        ("bias", error.mean()),
        ("sd", sd),
        ("upper", error.mean() + 1.96 * sd),
    ):
        made = number(measure(f"radius_mm_{name}", radius_measures()), cases)
        assert made.value == pytest.approx(expected)
    assert number(measure("radius_3_mm_bias", radius_measures()), cases).value is None
