"""Repeatability: what is changed in a scan, where it is read, and what the differences say."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import run_folder
import virtual_series

from ffr import pipeline, stage_data
from ffr.phantom.patient import centre_of_heart_mm
from ffr.phantom.study import clinical_imaging
from meshes.arrays import floats, ints
from meshes.tree import VesselTree
from meshes.volume import Volume, axis_aligned_grid, ijk_to_points_mm
from validation import repeatability, repeatability_case
from validation.repeatability_case import FIRST_SEED, Run, keep, kept, patient_of
from validation.repeatability_files import differing, digests
from validation.repeatability_places import END, LESION, Reading, places, read
from validation.repeatability_report import identity, mass_percent
from validation.repeatability_scans import CHANGES, changed, on_coarse_grid, rendered
from validation.repeatability_statistics import differences, row, sd_interval

SEED = FIRST_SEED + 2  # stenoses in two vessels
# Bland and Altman, Lancet 1986;i:307, Wright peak flow meter: first and second reading, l/min;
# they give a coefficient of repeatability of 43.2, as two SDs of the difference
WRIGHT = (
    (494, 490), (395, 397), (516, 512), (434, 401), (476, 470), (557, 611), (413, 415),
    (442, 431), (650, 638), (433, 429), (417, 420), (656, 633), (267, 275), (478, 492),
    (178, 165), (423, 372), (427, 421),
)  # fmt: skip


@pytest.fixture(scope="module")
def patient():
    return patient_of(SEED)


def solved(out, trees):
    """A result folder as a run leaves it that found these trees."""
    scan = SimpleNamespace(
        volume=virtual_series.chest(), source="dicom", series="", kernel=None, sha256="",
        slice_thickness_mm=1.0, tube_voltage_kvp=None, flags=(),
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline.propagate, "__defaults__", (None, 64, None))
        run_folder.fill(out, SimpleNamespace(trees=trees, scan=scan), until="solve")
    return out


@pytest.fixture(scope="module")
def exact(patient, tmp_path_factory):
    return solved(tmp_path_factory.mktemp("exact") / "out", (patient.left, patient.right))


def small(patient, change):
    """The middle of the heart, scanned with a change."""
    return rendered(patient, change, (40, 40, 24)).values.astype(float)


def test_one_scan_differs_from_the_reference_by_what_its_name_says(patient):
    same = small(patient, "reference")
    assert np.array_equal(small(patient, "again"), same)
    dose = small(patient, "dose") - same
    assert dose.std() == pytest.approx(22 * (0.9**-0.5 - 1), rel=0.2)  # rounded to whole HU
    noise = small(patient, "noise") - same
    assert noise.std() == pytest.approx(22 * 2**0.5, rel=0.05)
    assert abs(noise.mean()) < 2.0
    imaging = clinical_imaging(SEED)
    assert changed(imaging, "sharper").psf_mm < imaging.psf_mm
    assert changed(imaging, "smoother").noise_hu < imaging.noise_hu
    assert changed(imaging, "noise") == imaging


def test_a_grid_is_moved_by_half_a_voxel_and_the_noise_moves_with_it(patient):
    near, far = (
        rendered(patient, c, (40, 40, 24), (3.0, 3.0, 3.0)) for c in ("reference", "shift")
    )
    assert np.allclose(far.grid.origin_mm - near.grid.origin_mm, 1.5)
    assert not np.array_equal(near.values, far.values)
    change = far.values.astype(float) - near.values
    # flat tissue has the same noise in every voxel; of two noises 4 % would be so near
    assert (np.abs(change) <= 1.0).mean() > 0.1
    assert np.abs(change).max() > 100.0  # edges: half a voxel further on


def test_a_coarser_grid_shows_the_same_patient():
    grid = axis_aligned_grid((31, 25, 16), 0.4, (3.0, -7.0, 11.0))
    ijk = np.stack(np.meshgrid(*map(np.arange, (31, 25, 16)), indexing="ij"), axis=-1)
    x, y, z = np.moveaxis(ijk_to_points_mm(grid, ijk), -1, 0)
    ramp = np.rint(20 * x - 15 * y + 10 * z).T.astype(np.int16)
    coarse = on_coarse_grid(Volume(grid, ramp))
    assert np.allclose(coarse.grid.spacing_mm, 0.6)
    where = ijk_to_points_mm(coarse.grid, np.argwhere(coarse.values > -1024)[:, ::-1])
    expected = where @ [20.0, -15.0, 10.0]
    assert np.abs(coarse.values[coarse.values > -1024] - expected).max() < 2.0
    assert (coarse.values > -1024).mean() > 0.99


def test_no_such_change_is_refused(patient):
    with pytest.raises(ValueError, match="no change 'louder'"):
        rendered(patient, "louder")


def test_ffr_is_read_behind_every_wide_stenosis_and_at_the_ends_of_main_vessels(patient):
    made = places(patient)
    assert [p.vessel for p in made if p.kind == LESION] == ["LCx", "RCA"]
    assert [p.vessel for p in made if p.kind == END] == ["LAD", "LCx", "RCA"]
    for p in made:
        c = getattr(patient, p.side)
        assert 2 * c.reference_radius_mm[p.point] >= 2.0


def test_a_run_that_finds_the_true_trees_reads_their_own_ffr(patient, exact):
    solutions = stage_data.load_flow(exact)[0]
    for p, r in zip(places(patient), read(exact, patient), strict=True):
        s = solutions[p.side == "right"]
        truth = s.pressure_mmhg[p.point] / s.pressure_mmhg[0]
        assert r.lost == ""
        assert r.ffr == pytest.approx(truth, abs=1e-3)  # ways are cut every 0.1 mm
        assert r.ffr_low < r.ffr < r.ffr_high
        assert r.found_vessel == r.vessel
        assert (r.minimal_diameter_mm is not None) == (p.kind == LESION)


def test_places_of_the_patient_are_found_in_a_tree_of_other_points(patient, exact, tmp_path):
    def thinned(c):
        kept = np.flatnonzero((np.arange(len(c.tree)) % 2 == 0) | is_fork(c.tree))
        new = np.full(len(c.tree) + 1, -1)
        new[kept] = np.arange(kept.size)
        parent = [new[up(c.tree, i, new)] for i in kept]
        tree = VesselTree(
            c.tree.points_mm[kept] + 0.3, c.tree.radius_mm[kept], np.array(parent)
        )
        return replace(
            c, tree=tree, radius_sd_mm=floats(c.radius_sd_mm[kept]),
            reference_radius_mm=floats(c.reference_radius_mm[kept]),
            branch=ints(c.branch[kept]), segment=ints(c.segment[kept]),
        )  # fmt: skip

    other = solved(tmp_path / "out", (thinned(patient.left), thinned(patient.right)))
    for one, two in zip(read(exact, patient), read(other, patient), strict=True):
        assert two.lost == ""
        assert two.ffr == pytest.approx(one.ffr, abs=0.02)
        assert two.minimal_diameter_mm == pytest.approx(one.minimal_diameter_mm, abs=0.2)
        assert two.found_vessel == one.found_vessel


def is_fork(tree):
    return np.bincount(tree.parent[1:], minlength=len(tree)) != 1


def up(tree, i, new):
    """The nearest point upstream that is kept; -1 of the inlet."""
    here = tree.parent[i]
    while here >= 0 and new[here] < 0:
        here = tree.parent[here]
    return here


def test_what_was_not_found_is_lost_with_its_reason(patient, tmp_path):
    c = patient.left
    away = replace(
        c, tree=VesselTree(c.tree.points_mm + [0, 0, 30.0], c.tree.radius_mm, c.tree.parent)
    )
    made = read(solved(tmp_path / "out", (away,)), patient)
    assert {(r.kind == LESION, r.vessel, r.lost) for r in made} == {
        (True, "LCx", "no vessel there"), (False, "LCx", "no vessel there"),
        (False, "LAD", "no vessel there"), (True, "RCA", "no right tree"),
        (False, "RCA", "no right tree"),
    }  # fmt: skip
    assert all(r.ffr is None for r in made)


def lesion(ffr, place="LAD", **more):
    return Reading(place, LESION, "LAD", "", ffr, ffr - 0.05, ffr + 0.05, "LAD", **more)


def test_the_coefficient_is_that_of_the_wright_peak_flow_meter():
    pairs = [(0, lesion(float(a), str(k)), lesion(float(b))) for k, (a, b) in enumerate(WRIGHT)]
    made = differences(pairs, "ffr")
    assert 2 * 2**0.5 * made.within_sd == pytest.approx(43.2, abs=0.2)
    assert made.coefficient == pytest.approx(1.96 * 2**0.5 * made.within_sd)
    assert made.bias == pytest.approx(-84 / 17)
    assert (made.largest, made.largest_where) == (54.0, "0 5")
    assert made.sd_low is None  # one patient: none to draw anew


def test_an_interval_of_patients_is_wider_than_one_of_readings():
    rng = np.random.default_rng(1)
    wide = rng.normal(0, rng.permutation([0.01] * 15 + [0.08] * 5)[:, None], (20, 6)).ravel()
    patients = sd_interval(wide, np.repeat(np.arange(20), 6))
    alone = sd_interval(wide, np.arange(120))
    assert patients[0] < alone[0] < wide.std() < alone[1] < patients[1]


def runs_of(reference, other, seed=1):
    return {
        (seed, "reference"): Run(seed, "reference", "", 100.0, (), reference, {"a": "1"}),
        (seed, "dose"): Run(seed, "dose", "", 103.0, (), other, {"a": "2"}),
        (seed, "again"): Run(seed, "again", "", 100.0, (), reference, {"a": "1"}),
    }


def test_a_row_counts_crossings_intervals_names_and_lesions():
    reference = (
        lesion(0.83, "a", minimal_diameter_mm=1.4),
        lesion(0.81, "b"),
        lesion(0.6, "c"),
    )
    other = (
        lesion(0.81, "a"),
        lesion(0.804, "b"),
        replace(lesion(0.7, "c"), found_vessel="D1"),
    )
    made = row(runs_of(reference, other), "dose", LESION)
    assert made.ffr.n == 3
    assert made.class_changes == 1  # 0.804 is printed as 0.80
    assert made.held == 2
    assert (made.renamed, made.reported_once) == (1, 1)
    assert made.ffr.largest == pytest.approx(0.1)
    assert row(runs_of(reference, reference), "dose", LESION).ffr.sd == 0.0


def test_a_refused_scan_loses_all_its_places_and_says_why():
    runs = runs_of((lesion(0.8, "a"), lesion(0.7, "b")), ())
    runs[1, "dose"] = Run(1, "dose", "no heart was found")
    made = row(runs, "dose", LESION)
    assert made.ffr.n == 0
    assert [x.reason for x in made.lost] == ["changed: no heart was found"] * 2
    runs[1, "reference"] = replace(
        runs[1, "reference"], readings=(Reading("a", LESION, "LAD", "no FFR there"),)
    )
    assert row(runs, "dose", LESION).lost_in_both == 1


def test_a_repeat_is_identical_in_all_files_or_they_are_named():
    runs = runs_of((lesion(0.8),), (lesion(0.8),))
    assert identity(runs, "again").identical == 1
    runs[1, "again"] = replace(runs[1, "again"], files={"a": "3", "b": "4"})
    made = identity(runs, "again")
    assert (made.runs, made.identical, made.differing) == (1, 0, ("a", "b"))
    assert mass_percent(runs) == {"dose": pytest.approx(3.0)}


def test_only_dates_and_seconds_may_differ_between_two_runs(tmp_path):
    def folder(name, created, seconds, ffr=0.8):
        out = tmp_path / name
        (out / "stages").mkdir(parents=True)
        timings = [{"stage": "tree", "duration_s": seconds}]
        result = {"created": created, "ffr": ffr, "timings": timings}
        (out / "result.json").write_text(json.dumps(result))
        page = f"<p>{created} {ffr}<tr><td>tree</td><td>{seconds} s</td></tr>"
        (out / "report.html").write_text(page)
        (out / "stages" / "seconds.txt").write_text(str(seconds))
        return digests(out)

    one = folder("one", "2026-11-22T01:02:03Z", 4.0)
    assert differing(one, folder("two", "2026-11-23T04:05:06Z", 5.0)) == ()
    assert differing(one, folder("three", "2026-11-22T01:02:03Z", 4.0, 0.81)) == (
        "report.html", "result.json",
    )  # fmt: skip
    assert differing(one, {"result.json": one["result.json"]}) == ("report.html",)


def test_finished_runs_are_not_made_again_and_the_report_is_written(
    tmp_path, monkeypatch, capsys
):
    asked = []

    def made(job):
        asked.append(job)
        off = 0.0 if job[1] in ("reference", "again") else 0.01 * (1 + job[0] - FIRST_SEED)
        return Run(*job, "", 100.0, (), (lesion(0.805 - off),), {"tree.vtp": "1"})

    def inline(work, jobs, processes, keep):
        for job in jobs:
            keep(job, work(job))

    monkeypatch.setattr(repeatability, "run_job", made)
    monkeypatch.setattr(repeatability, "side_by_side", inline)
    words = ["--patients", "2", "--out", str(tmp_path)]
    repeatability.main(words)
    assert len(asked) == 2 * (2 + len(CHANGES))
    damaged = next((tmp_path / "runs").glob("*-dose-*"))
    damaged.write_text("{")
    repeatability.main(words)
    assert asked[16:] == [(int(damaged.name.split("-")[0]), "dose")]
    page = (tmp_path / "repeatability.md").read_text()
    assert "| 90 % dose | 2 (2) | 0 | -0.015 | 0.007 (0.000-0.007) | 0.011 | 0.031 |" in page
    assert "2 of 2" in page  # identical, and class changes
    assert "Research use only" in page
    assert json.loads((tmp_path / "repeatability.json").read_text())["rows"]
    assert (tmp_path / "repeatability.png").stat().st_size > 10_000
    assert "Petraco" in capsys.readouterr().out


def test_runs_of_another_state_are_not_mixed_in(tmp_path):
    job = (FIRST_SEED, "dose")
    keep(tmp_path, "abc", job, Run(*job, lost="no heart"))
    assert kept(tmp_path, "abc", [job])[job].lost == "no heart"
    assert kept(tmp_path, "other", [job]) == {}


def test_a_refusal_is_kept_in_the_words_of_the_product(tmp_path):
    (tmp_path / "study").mkdir()
    said = repeatability_case.analysed(tmp_path / "study", tmp_path / "out", "dose")
    assert said
    assert not said.startswith("ffr: ")
    assert "\n" not in said


def test_a_seed_that_may_have_been_trained_on_is_refused():
    with pytest.raises(ValueError, match="not held out"):
        patient_of(12)


def test_the_middle_of_the_heart_is_in_the_small_scan(patient):
    grid = rendered(patient, "reference", (8, 8, 8)).grid
    middle = ijk_to_points_mm(grid, [3.5, 3.5, 3.5])
    assert np.allclose(middle, centre_of_heart_mm(patient), atol=0.01)
