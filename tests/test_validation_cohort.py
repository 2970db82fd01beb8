"""ffr validate: from a table and finished runs to report, numbers and case table."""

import csv
import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from cohort_folders import case, finished, known, row, write_table, write_tree
from command_line import ffr, refused

from ffr.errors import ConfigError
from ffr.report.svg import style
from ffr.results.result import RESEARCH_USE_ONLY
from meshes.tree import path_length_mm
from validation.cohort import FILES, cases, report
from validation.cohort.cases import Outcome, ended
from validation.cohort.compute import compute
from validation.cohort.metrics import Metrics, Provenance, metrics_schema_text
from validation.cohort.place import DISTAL, ENDS, SENSOR, UNNARROWED, NotReadError, measured
from validation.cohort.reading import Reading
from validation.cohort.report import page, write_report
from validation.cohort.schema import Row
from validation.cohort.sections import document
from validation.cohort.verb import validate

DOCS = Path(__file__).parent.parent / "docs"
DRAWS = 60
PROVENANCE = Provenance(
    source="test", table_sha256=None, code=(), models=(), settings=(), statistics="-",
    command="-", hardware="-",
)  # fmt: skip
VESSELS = ("LAD", "LCx", "RCA")


def no_runner(job):
    raise AssertionError(job)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Twelve cases of three vessels with known FFR, and what validate makes of them."""
    folder = tmp_path_factory.mktemp("cohort")
    rows, random = [], np.random.default_rng(1)
    own = {x.vessel: x.ffr_distal for x in known().lesions}
    for k in range(12):
        shift = 0.02 * (k - 6)
        finished(folder / "runs" / f"C{k:03d}", shift)
        for vessel in VESSELS:
            invasive = round(float(own[vessel] + shift + random.normal(0, 0.04)), 2)
            rows.append(
                row(
                    k, vessel, min(invasive, 1.0), cta_percent_stenosis=40 + 5 * (k % 7),
                    hr_bpm=55 + 2 * k, sex=None, site=f"S{k % 2}",
                )
            )  # fmt: skip
    rows[0] |= {"exclude": "yes", "exclude_reason": "graft"}
    rows[5] |= {"vessel": "OM4"}
    table = write_table(folder / "cohort.csv", rows)
    out = folder / "out"
    metrics = validate(table, out, folder / "runs", no_runner, DRAWS)
    return folder, rows, metrics


def text_of(html):
    parser = HTMLParser()
    words = []
    parser.handle_data = words.append
    parser.feed(html)
    return " ".join(words)


def test_the_folder_holds_the_four_files_and_nothing_unfinished(cohort):
    folder, _, _ = cohort
    assert {p.name for p in (folder / "out").iterdir()} == set(FILES)


def test_every_row_is_counted_once_and_those_left_out_with_their_cause(cohort):
    _, rows, m = cohort
    f = m.flow
    assert f.table.vessels == len(rows) == 36
    assert f.table.patients == 12
    assert f.excluded.vessels == 1
    assert f.excluded.causes[0].reason == "graft"
    assert [c.reason for c in f.not_read.causes] == ["vessel-not-found"]
    assert f.eligible.vessels == f.read.vessels + 1 == 35


def test_the_numbers_are_those_of_the_table_and_the_runs(cohort):
    folder, rows, m = cohort
    with (folder / "out" / "cases.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == len(rows)
    read = [x for x in found if x["status"] == "read"]
    gap = [float(x["computed_ffr"]) - float(x["invasive_ffr"]) for x in read]
    assert m.agreement.bias.value == pytest.approx(np.mean(gap), abs=1e-4)
    assert m.agreement.sd == pytest.approx(np.std(gap, ddof=1), abs=1e-4)
    agree = sum(x["agree_at_0_80"] == "yes" for x in read)
    assert (m.vessel.at_080.accuracy.count, m.vessel.at_080.accuracy.of) == (agree, len(read))
    lad = next(x for x in known().lesions if x.vessel == "LAD")
    (seventh,) = [x for x in read if x["case_id"] == "C006" and x["vessel"] == "LAD"]
    assert float(seventh["computed_ffr"]) == pytest.approx(lad.ffr_distal, abs=1e-3)
    assert float(seventh["distance_mm"]) == pytest.approx(20, abs=0.6)
    assert seventh["site"] == "S0"


def test_patients_groups_and_places_are_reported(cohort):
    _, _, m = cohort
    assert (m.patient.n, m.patient.patients) == (12, 12)
    names = {(g.column, g.name) for g in m.subgroups}
    assert {("vessel", "LAD"), ("site", "S1"), ("heart rate", "up to 65 /min")} <= names
    assert sum(g.n for g in m.subgroups if g.column == "vessel") == m.flow.read.vessels
    assert [p.n for p in m.places] == [34]
    assert m.vessel.roc.rivals[0].n == 34


def test_metrics_follow_the_published_schema(cohort):
    folder, _, m = cohort
    text = (DOCS / "cohort-metrics.schema.json").read_text()
    assert text == metrics_schema_text()
    published = json.loads(text)
    written = json.loads((folder / "out" / "metrics.json").read_text())
    jsonschema.validate(written, published)
    assert Metrics.model_validate_json(json.dumps(written)) == m


def test_the_page_asks_nobody_for_anything_and_says_what_it_is_for(cohort):
    folder, _, _ = cohort
    html = (folder / "out" / "report.html").read_text()
    addresses = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert addresses
    assert all(x.startswith(("data:", "#")) for x in addresses)
    assert "http:" not in re.sub(r'"data:[^"]*"', "", html)
    assert "<script" not in html
    assert html.count(RESEARCH_USE_ONLY) > html.count("<section")


@pytest.mark.parametrize(
    "item",
    [
        "Flow (STARD", "sensitivity", "Wilson 95 %", "patients drawn anew", "counted as wrong",
        "counted as positive", "Obuchowski", "DeLong", "≥ 50 %", "≥ 70 %", "lower limit",
        "repeated measures", "Pearson", "Spearman", "ICC(2,1)", "Deming", "Passing-Bablok",
        "0.76-0.80", "0.86-0.90", "invasive FFR 0.75-0.85", "Grey zone", "noise allowed for",
        "Brier", "Subgroups", "Place of reading", "model SD 0.05", "this cohort: found",
        "points of accuracy", "13a/b", "STARD-AI", "SHA-256", "changed by full precision",
        "Disagreements",
    ],
)  # fmt: skip
def test_the_report_has_each_item_of_a_validation_report(cohort, item):
    folder, _, _ = cohort
    assert item in text_of((folder / "out" / "report.html").read_text())


def test_the_pdf_has_the_statement_on_every_page(cohort):
    folder, _, _ = cohort
    paper = folder / "out" / "report.pdf"
    assert paper.read_bytes().startswith(b"%PDF-")
    try:
        pages = subprocess.run(
            ["pdftotext", "-layout", str(paper), "-"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\f")[:-1]
    except FileNotFoundError:
        pytest.skip("pdftotext is not installed")
    assert len(pages) > 8
    assert all(page.count(RESEARCH_USE_ONLY) >= 2 for page in pages)
    whole = " ".join(pages)
    for item in (
        "Intention to diagnose",
        "Obuchowski",
        "ICC(2,1)",
        "Grey zone",
        "model SD 0.05",
    ):
        assert item in whole


@pytest.fixture
def unwritten(monkeypatch):
    """Numbers without a report."""
    monkeypatch.setattr(report, "write_report", lambda *_: None)


@pytest.mark.usefixtures("unwritten")
def test_the_same_table_again_gives_the_same_numbers(cohort, tmp_path):
    folder, _, m = cohort
    again = validate(folder / "cohort.csv", tmp_path / "out", folder / "runs", no_runner, DRAWS)
    assert again.model_copy(update={"created": m.created}) == m


@pytest.mark.usefixtures("unwritten")
def test_a_case_without_result_is_run_once_with_what_the_table_knows(tmp_path):
    (tmp_path / "ct1").mkdir()
    (tmp_path / "ct2").mkdir()
    known_of = {"systolic_mmhg": 130, "diastolic_mmhg": 80, "haematocrit": 0.42}
    rows = [row(1, v, 0.8, image_path="ct1", **known_of) for v in VESSELS]
    rows += [row(2, image_path="ct2"), row(3, image_path="ct2")]
    table, asked = write_table(tmp_path / "t.csv", rows), []

    def runner(job):
        asked.append(job)
        if job.case == "C002":
            return Outcome("rejected", "contrast-missing")
        if job.case == "C003":
            return Outcome("failed", "crash")
        finished(job.out, patient=known_of)
        return Outcome("done", "", job.out, "run")

    m = validate(table, tmp_path / "out", None, runner, DRAWS)
    assert [job.case for job in asked] == ["C001", "C002", "C003"]
    assert asked[0].study == tmp_path / "ct1"
    assert dict(asked[0].patient) == {
        "--systolic-mmhg": "130", "--diastolic-mmhg": "80", "--haematocrit": "0.42",
    }  # fmt: skip
    assert m.flow.read.vessels == 3
    assert m.flow.rejected.causes[0].reason == "contrast-missing"
    assert m.flow.failed.causes[0].reason == "crash"
    counted = {x.counted_as: x.vessel for x in m.intention_to_diagnose}
    assert counted["positive"].true_positive == counted["wrong"].true_positive + 2
    assert counted["wrong"].accuracy.of == 5
    assert counted["wrong"].accuracy.count == m.vessel.at_080.accuracy.count

    asked.clear()  # again: the finished case is reused, the others tried once more
    validate(table, tmp_path / "out", None, runner, DRAWS)
    assert [job.case for job in asked] == ["C002", "C003"]

    asked.clear()  # another cuff pressure: the flow is solved again, nothing segmented
    known_of["systolic_mmhg"] = 150
    rows[:3] = [x | known_of for x in rows[:3]]
    validate(write_table(table, rows), tmp_path / "out", None, runner, DRAWS)
    assert (asked[0].case, asked[0].first) == ("C001", "solve")


def test_a_run_is_that_of_ffr_run_in_a_process_of_its_own(tmp_path, monkeypatch):
    seen = []

    def run(words, **how):
        seen.append(words)
        return subprocess.CompletedProcess(words, 2, "", "ffr: slices-missing: 3 are gone\n")

    monkeypatch.setattr(cases.subprocess, "run", run)
    job = cases.Job("C1", tmp_path / "ct", "5", tmp_path / "o", (("--sex", "female"),))
    assert cases.run_case(job) == Outcome("rejected", "slices-missing")
    words = seen[0][seen[0].index("run") :]
    assert words[1:] == [
        str(tmp_path / "ct"), "--out", str(tmp_path / "o"), "--sex", "female", "--series", "5",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "said", "outcome"),
    [
        (
            2,
            "ffr: contrast-missing: no contrast; give a CTA\n",
            ("rejected", "contrast-missing"),
        ),
        (2, "warning\nffr: empty: no image\n", ("rejected", "empty")),
        (2, "ffr: out of memory; a scan needs\n", ("failed", "out of memory")),
        (
            2,
            "ffr: no flow found at point 8; check it\n",
            ("failed", "no flow found at point 8"),
        ),
        (1, "Traceback ...\n", ("failed", "crash")),
        (137, "", ("failed", "ended by the system")),
    ],
)
def test_refusals_are_told_from_failures(code, said, outcome):
    found = ended(code, said)
    assert (found.status, found.reason) == outcome


@pytest.mark.parametrize("distance", [5.0, 12.5, 20.0])
def test_ffr_is_read_where_the_sensor_was(tmp_path, distance):
    write_tree(tmp_path / "tree.vtp")
    lesion = next(x for x in known().lesions if x.vessel == "LAD")
    asked = Row(
        case_id="C1", patient_id="P1", vessel="LAD", invasive_ffr=0.8,
        sensor_distance_mm=distance,
    )  # fmt: skip
    found = measured(known(), tmp_path / "tree.vtp", asked)
    assert found.place == SENSOR
    assert found.distance_mm == pytest.approx(distance)
    assert found.ffr == pytest.approx(ffr_at("LAD", lesion.end_mm + distance), abs=1e-6)
    ostium = asked.model_copy(
        update={"sensor_from": "ostium", "sensor_distance_mm": lesion.end_mm + distance}
    )
    assert measured(known(), tmp_path / "tree.vtp", ostium).ffr == pytest.approx(found.ffr)


def ffr_at(vessel, s_mm):
    """FFR of the stand-in at a path length, from its own arrays."""
    for c, solution in zip(case().coronaries, case().solutions, strict=True):
        if vessel in c.names:
            on = np.flatnonzero(c.branch == c.names.index(vessel))
            s = path_length_mm(c.tree)[on]
            return np.interp(s_mm, s, solution.pressure_mmhg[on] / solution.pressure_mmhg[0])
    raise KeyError(vessel)


def place_of(tmp_path, vessel="LAD", tree=True, result=None, **more):
    if tree:
        write_tree(tmp_path / "tree.vtp")
    asked = Row(case_id="C1", patient_id="P1", vessel=vessel, invasive_ffr=0.8, **more)
    path = tmp_path / "tree.vtp" if tree else None
    return measured(result or known(), path, asked)


def test_without_a_sensor_ffr_is_read_20_mm_distal_as_result_json_does(tmp_path):
    lesion = next(x for x in known().lesions if x.vessel == "LAD")
    along, alone = place_of(tmp_path), place_of(tmp_path, tree=False)
    assert along.place == alone.place == DISTAL
    assert along.ffr == pytest.approx(alone.ffr, abs=0.003)
    assert along.distance_mm == pytest.approx(20)
    assert alone.found_stenosis_percent == lesion.diameter_stenosis_percent


def test_a_sensor_beyond_the_model_is_read_at_its_end_and_said_so(tmp_path):
    found = place_of(tmp_path, sensor_distance_mm=240.0, sensor_from="ostium")
    assert found.place == f"{SENSOR}, {ENDS}"
    assert found.distance_mm < 200


def test_a_vessel_without_lesion_is_read_where_it_is_2_mm_wide(tmp_path):
    healthy = known().model_copy(update={"lesions": ()})
    found = place_of(tmp_path, result=healthy)
    assert found.place == UNNARROWED
    assert found.found_stenosis_percent == 0
    assert found.distance_mm is None
    given = place_of(tmp_path, result=healthy, lesion_s_mm=30.0)
    assert (given.place, given.distance_mm) == (DISTAL, pytest.approx(20))


def test_a_lesion_of_the_left_main_counts_for_the_vessel_behind_it(tmp_path):
    lad = next(x for x in known().lesions if x.vessel == "LAD")
    main = lad.model_copy(update={"vessel": "LM", "position_mm": 5.0, "start_mm": 3.0,
                                  "end_mm": 8.0})  # fmt: skip
    found = place_of(tmp_path, result=known().model_copy(update={"lesions": (main,)}))
    assert found.place == DISTAL
    assert found.ffr == pytest.approx(ffr_at("LAD", 28.0), abs=1e-6)


def test_a_vessel_that_is_not_there_or_closed_has_no_reading(tmp_path):
    with pytest.raises(NotReadError, match="vessel-not-found"):
        place_of(tmp_path, vessel="OM3")
    closed = next(x for x in known().lesions if x.vessel == "LAD").model_copy(
        update={"state": "occluded"}
    )
    with pytest.raises(NotReadError, match="occluded"):
        place_of(tmp_path, result=known().model_copy(update={"lesions": (closed,)}))


@pytest.mark.usefixtures("unwritten")
def test_the_cases_of_a_batch_are_taken_with_the_reasons_of_those_that_failed(tmp_path):
    states = (("done", ""), ("failed", "slices-missing"), ("failed", "time-limit"))
    for k, (state, reason) in enumerate(states, start=1):
        folder = tmp_path / "runs" / f"C{k:03d}"
        folder.mkdir(parents=True)
        (folder / "case.json").write_text(json.dumps({"state": state, "reason": reason}))
    finished(tmp_path / "runs" / "C001")
    table = write_table(tmp_path / "t.csv", [row(k) for k in (1, 2, 3)])
    f = validate(table, tmp_path / "out", tmp_path / "runs", no_runner, DRAWS).flow
    assert f.read.vessels == 1
    assert [c.reason for c in f.rejected.causes] == ["slices-missing"]
    assert [c.reason for c in f.failed.causes] == ["time-limit"]


@pytest.mark.usefixtures("unwritten")
def test_a_damaged_tree_is_one_failed_case(tmp_path):
    rows = [row(1), row(2)]
    for k in (1, 2):
        finished(tmp_path / "runs" / f"C{k:03d}", tree=True)
    (tmp_path / "runs" / "C002" / "tree.vtp").write_text("broken")
    m = validate(write_table(tmp_path / "t.csv", rows), tmp_path / "out", tmp_path / "runs",
                 no_runner, DRAWS)  # fmt: skip
    assert (m.flow.read.vessels, m.flow.failed.vessels) == (1, 1)


def vessel(number, invasive, ffr, patient=None, **more):
    status = "read" if ffr is not None else "failed"
    return Reading(
        case=f"C{number}", patient=f"P{number if patient is None else patient}", vessel="LAD",
        status=status, reason="" if ffr is not None else "crash", invasive_ffr=invasive,
        ffr=ffr, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("readings", "says"),
    [
        ([vessel(k, 0.9, 0.85 + 0.01 * k) for k in range(8)], "one side of 0.80"),
        ([vessel(1, 0.7, 0.75)], "at least two vessels"),
        ([vessel(k, 0.7 + 0.03 * k, 0.75 + 0.02 * k, 1) for k in range(5)], "one patient"),
        ([vessel(k, 0.7, None) for k in range(3)], "nothing can be compared"),
        ([], "No vessel was read"),
        ([vessel(k, 0.75 + 0.01 * k, 0.8) for k in range(12)], "differing FFR"),
        ([vessel(k, 0.7 + 0.02 * k, 0.7 + 0.02 * k) for k in range(12)], "do not vary"),
    ],
    ids=[
        "all negative",
        "one vessel",
        "one patient",
        "all failed",
        "empty",
        "constant",
        "equal",
    ],
)
def test_a_cohort_that_shows_little_still_ends_in_a_report_that_says_why(readings, says):
    m = compute(readings, "Little", PROVENANCE, draws=DRAWS)
    with style():
        text = text_of(page(document(m, readings)))
    assert says in text
    assert "nan" not in re.sub(r"[^a-z]+", " ", text.lower()).split()


def test_a_cohort_of_failures_has_all_four_files(tmp_path):
    readings = [vessel(k, 0.7, None) for k in range(3)]
    write_report(tmp_path, compute(readings, "x", PROVENANCE, draws=DRAWS), readings)
    assert all((tmp_path / name).stat().st_size > 100 for name in FILES)


def test_unread_vessels_of_a_patient_count_both_ways():
    readings = [
        vessel(1, 0.7, 0.9, 1), vessel(2, 0.7, None, 1),  # false negative, or saved by failing
        vessel(3, 0.9, 0.95, 2), vessel(4, 0.9, None, 2),  # true negative, or called positive
        vessel(5, 0.7, 0.7, 3), vessel(6, 0.9, None, 3),  # positive whatever the other is
    ]  # fmt: skip
    m = compute(readings, "x", PROVENANCE, draws=DRAWS)
    positive, wrong = (x.patient for x in m.intention_to_diagnose)
    assert (positive.true_positive, positive.false_positive) == (2, 1)
    assert (wrong.true_positive, wrong.false_positive, wrong.false_negative) == (1, 1, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "read", "ffr": None}, {"invasive_ffr": None}, {"ffr_low": 0.7},
        {"status": "rejected", "ffr": None}, {"ffr": 80.0}, {"status": "lost"},
    ],
)  # fmt: skip
def test_a_reading_that_contradicts_itself_is_refused(wrong):
    right = {"case": "C1", "patient": "P1", "vessel": "LAD", "status": "read",
             "invasive_ffr": 0.8, "ffr": 0.8}  # fmt: skip
    Reading(**right)
    with pytest.raises(ConfigError, match="reading C1 LAD"):
        Reading(**(right | wrong))


def test_the_command_line_ends_with_a_report(tmp_path):
    for k in (1, 2):
        finished(tmp_path / "runs" / f"C{k:03d}")
    table = write_table(tmp_path / "t.csv", [row(k, v) for k in (1, 2) for v in VESSELS])
    out = tmp_path / "out"
    code, printed, err = ffr("validate", table, "--out", out, "--results", tmp_path / "runs")
    assert (code, err) == (0, "")
    assert "6 of 6 eligible vessels were read" in printed
    assert RESEARCH_USE_ONLY in printed
    assert {p.name for p in out.iterdir()} == set(FILES)


def test_a_wrong_table_is_a_line_per_problem_and_nothing_is_written(tmp_path):
    table = write_table(tmp_path / "t.csv", [row(1, invasive=8), row(2, "LDA")])
    code, _, err = ffr("validate", table, "--out", tmp_path / "out")
    assert code == 2
    lines = err.splitlines()
    assert len(lines) == 3
    assert all(x.startswith("ffr: ") for x in lines)
    assert lines[-1] == "ffr: cohort table: 2 problems, listed above; nothing was run"
    assert not (tmp_path / "out").exists()


def test_folders_that_do_not_fit_are_refused_in_one_line(tmp_path):
    finished(tmp_path / "runs" / "C001")
    table = write_table(tmp_path / "t.csv", [row(1)])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.doc").write_text("x")
    given = ("validate", table, "--results", tmp_path / "runs", "--out")
    assert "something else" in refused(*given, tmp_path / "full")
    assert "is a file" in refused(*given, table)
    assert "--results" in refused(
        "validate", table, "--results", table, "--out", tmp_path / "o"
    )
    assert "No such file" in refused("validate", tmp_path / "no.csv", "--out", tmp_path / "o")


def test_without_the_package_the_verb_says_what_to_install(tmp_path):
    table = write_table(tmp_path / "t.csv", [row(1)])
    gone = "sys.modules.pop('validation', None); sys.modules['validation'] = None"
    line = refused("validate", table, "--out", tmp_path / "o", before=gone)
    assert "'validation'" in line
    assert "pip install 'ct-ffr[validation]'" in line
