"""Repeatability: what differences of readings and files say, and how they are reported."""

import json
from dataclasses import replace

import numpy as np
import pytest

from validation import repeatability
from validation.cohort.resampling import clustered
from validation.repeatability_case import FIRST_SEED, Run
from validation.repeatability_files import differing, digests
from validation.repeatability_places import LESION, Reading
from validation.repeatability_report import identity, mass_percent
from validation.repeatability_scans import CHANGES
from validation.repeatability_statistics import differences, drawn_sd, row

# Bland and Altman, Lancet 1986;i:307, Wright peak flow meter: first and second reading, l/min;
# they give a coefficient of repeatability of 43.2, as two SDs of the difference
WRIGHT = (
    (494, 490), (395, 397), (516, 512), (434, 401), (476, 470), (557, 611), (413, 415),
    (442, 431), (650, 638), (433, 429), (417, 420), (656, 633), (267, 275), (478, 492),
    (178, 165), (423, 372), (427, 421),
)  # fmt: skip


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
    assert drawn_sd(wide)(np.ones((1, 120)))[0] == pytest.approx(wide.std(ddof=1))
    patients = clustered(np.repeat(np.arange(20), 6), drawn_sd(wide))
    alone = clustered(np.arange(120), drawn_sd(wide))
    assert patients.low < alone.low < wide.std() < alone.high < patients.high


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
