"""The stages as functions, the folder they share, and what they do without a network."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pyvista
import run_folder
import standin
import virtual_series
from rich.console import Console

from ffr import pipeline, show, workflow
from ffr.circulation.patient import Patient
from ffr.errors import ConfigError
from ffr.partial import claimed
from ffr.phantom.study import TrueLesion
from ffr.results import stage_data, stages
from ffr.results.result_folder import mark, prepare, require_same_study
from ffr.segmentation.maps import HeartMap
from meshes.errors import GeometryError
from meshes.io import read_centreline, write_vtp

NO_WAIT = {"timeout": 120, "capture_output": True, "text": True}


@pytest.fixture(scope="module")
def known():
    return run_folder.case()


@pytest.fixture(scope="module")
def solved(tmp_path_factory, known):
    out = tmp_path_factory.mktemp("solved") / "out"
    run_folder.fill(out, known, until="solve")
    return out


@pytest.fixture
def out(tmp_path, solved):
    shutil.copytree(solved, tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)


def quiet(_):
    pass


def test_the_report_stage_holds_what_the_solve_found(out, known, no_network):
    moved = []
    result = workflow.report(out, moved.append)
    assert moved == sorted(moved)
    assert moved[-1] == 1.0
    (flow,) = stage_data.load_flow(out)[0]
    findings = pipeline.find(known.trees, (flow,))
    line = read_centreline(out / "tree.vtp")
    np.testing.assert_array_equal(line.points_mm, known.trees[0].tree.points_mm)
    (lesion,) = result.lesions
    point, _ = findings.distal[0][0]
    assert lesion.ffr_distal == pytest.approx(findings.ffr[0][point], abs=1e-3)
    assert lesion.ffr_distal < 0.98
    spread = stage_data.load_confidence(out).spreads[0]
    assert (lesion.ffr_low, lesion.ffr_high) == (spread.ffr_low[point], spread.ffr_high[point])
    assert lesion.ffr_low < lesion.ffr_distal < lesion.ffr_high
    assert lesion.probability_below_0_80 == spread.probability[point]
    assert sum(x.total for x in lesion.influences) == pytest.approx(1.0, abs=0.3)
    models = {m.name: m.sha256 for m in result.models}
    assert models == {**run_folder.MODELS, "lumen": "ef56" * 16}
    assert result.aortic_pressure_mmhg == pytest.approx(flow.pressure_mmhg[0])
    assert result.lv_mass_g == pytest.approx(128.4)
    assert result.input.sha256 == known.scan.sha256
    assert "Research use only" in (out / "report.html").read_text()


def test_the_tree_file_holds_the_interval_and_what_decides(out, known):
    result = workflow.report(out, quiet)
    poly = pyvista.read(out / "tree.vtp")
    low, ffr, high = (poly[name] for name in ("ffr_low", "ffr", "ffr_high"))
    shown = np.isfinite(ffr)
    assert shown.any()
    for name in ("ffr_low", "ffr_high", "probability_below_0_80"):
        np.testing.assert_array_equal(np.isfinite(poly[name]), shown)
    deep = shown & (ffr < 0.97)
    assert np.all((low[deep] < ffr[deep]) & (ffr[deep] < high[deep]))
    (lesion,) = result.lesions
    decides = poly[f"sensitivity_{lesion.id}_per_mm2"]
    inside = np.arange(lesion.start_point, lesion.end_point + 1)
    assert decides.argmax() in inside
    assert poly["sensitivity_lowest_per_mm2"].max() > 0


def test_a_pdf_that_cannot_be_drawn_does_not_lose_the_rest(out, monkeypatch, caplog):
    def fails(_):
        raise RuntimeError("no such font")

    monkeypatch.setattr(workflow, "report_pdf", fails)
    workflow.report(out, quiet)
    written = {p.name for p in out.iterdir()} & {*stages.RESULTS}
    assert written == {*stages.RESULTS} - {"report.pdf"}
    assert "report.pdf was not written (RuntimeError)" in caplog.text


def test_a_solve_without_its_confidence_is_asked_for_again(out):
    (stages.stage_folder(out, "solve") / "confidence.npz").unlink()
    with pytest.raises(ConfigError, match="stage 'solve' is damaged; run it again"):
        workflow.report(out, quiet)


def test_mass_measured_in_the_scan_drives_the_flow_unless_it_is_given(out):
    def total(**given):
        workflow.solve(out, Patient(**given), quiet)
        return stage_data.load_flow(out)[0][0].flow_ml_min[0]

    measured = total()
    assert total(lv_mass_g=128.4) == pytest.approx(measured, rel=1e-12)
    assert total(lv_mass_g=200.0) > 1.1 * measured


def test_a_heart_without_mass_is_solved_with_an_assumed_one(out):
    heart, vessels = run_folder.maps()
    trees, facts = stage_data.load_trees(out)
    with stages.stage_files(out, "segment") as folder:
        stage_data.save_maps(folder, HeartMap(heart.labels, 0.0, 0.0), vessels, (), {})
    with stages.stage_files(out, "tree") as folder:
        stage_data.save_trees(folder, trees, (), facts["models"])
    workflow.solve(out, Patient(), quiet)
    (mass,) = [a for a in stage_data.load_flow(out)[1] if "mass" in a.name.lower()]
    assert mass.assumed


def test_a_study_is_known_again_by_what_it_holds(tmp_path):
    study, out = tmp_path / "study", tmp_path / "study" / "results"
    virtual_series.write(study)
    before = mark(study, out)
    out.mkdir()
    (out / "scan.nrrd").write_text("ours, inside the study")
    assert mark(study, out) == before
    copy = tmp_path / "copy"
    shutil.copytree(study, copy, ignore=shutil.ignore_patterns("results"))
    for number, path in enumerate(sorted(copy.glob("*.dcm"))):
        os.utime(path, (0, 0))
        path.rename(copy / f"IM{number}")
    assert mark(copy, out) == before
    other = tmp_path / "other"
    virtual_series.write(other, seed="another acquisition")
    assert mark(other, out) != before
    next(copy.iterdir()).unlink()
    assert mark(copy, out) != before


def test_a_single_file_is_a_study_too(tmp_path):
    for name, voxel in (("a.nrrd", b"\1"), ("b.nrrd", b"\2")):
        (tmp_path / name).write_bytes(b"NRRD" + bytes(40_000) + voxel + bytes(40_000))
    assert mark(tmp_path / "a.nrrd", tmp_path / "o") != mark(
        tmp_path / "b.nrrd", tmp_path / "o"
    )


def test_a_run_read_from_a_study_stays_with_it(tmp_path):
    study, out = tmp_path / "study", tmp_path / "out"
    virtual_series.write(study)
    prepare(out)
    workflow.read_scan(study, out, None, quiet)
    require_same_study(out, study)
    for path in (out / "stages" / "scan").iterdir():
        for secret in virtual_series.SECRETS:
            assert secret.encode() not in path.read_bytes().lower()
            assert secret not in path.name.lower()
    virtual_series.edit(study, virtual_series.put(SeriesDescription="anonymised"), slice(0, 1))
    with pytest.raises(ConfigError, match="another study, or the study has changed"):
        require_same_study(out, study)


def test_a_study_folder_changes_place_only_when_it_is_whole(tmp_path):
    prepare(tmp_path / "out")
    place = tmp_path / "out" / "study"
    place.mkdir()
    (place / "old").write_text("")
    with pytest.raises(ZeroDivisionError):
        fill_and_fail(place)
    assert [p.name for p in place.iterdir()] == ["old"]
    with workflow.replaced_folder(place) as folder:
        (folder / "new").write_text("")
    assert [p.name for p in place.iterdir()] == ["new"]
    assert list((tmp_path / "out" / "stages").iterdir()) == []


def fill_and_fail(place):
    with workflow.replaced_folder(place) as folder:
        (folder / "new").write_text("")
        raise ZeroDivisionError


def test_export_keeps_the_old_file_when_it_fails(out, tmp_path, monkeypatch):
    target = tmp_path / "lumen.ply"
    target.write_text("old")

    def write(path, *_):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(workflow, "write_surface", write)
    with pytest.raises(OSError, match="No space"):
        workflow.export(out, target)
    assert target.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lumen.ply", "out"]
    monkeypatch.undo()
    with pytest.raises(GeometryError, match="extension"):
        workflow.export(out, tmp_path / "lumen.docx")


@pytest.mark.parametrize(
    ("flags", "grade"),
    [
        ([], "good"), (["slices-thick"], "adequate"), (["noise-strong"], "adequate"),
        (["noise-strong", "slab-steps"], "limited"), (["something-else"], "good"),
    ],
)  # fmt: skip
def test_the_image_quality_follows_from_the_warnings(flags, grade):
    assert workflow._grade(flags) == grade


def printed(table, **how):
    console = Console(record=True, file=open(os.devnull, "w"), **how)  # noqa: SIM115
    with console.file:
        console.print(table)
    return console.export_text()


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_narrow_terminal_folds_the_tables_and_cuts_nothing(width):
    result = standin.result_of(standin.make_case(right=False))
    truth = [
        TrueLesion("LAD", 7, 37.0, 68.4, 1.23, 0.716, 20.0),
        TrueLesion("R-PLB", 16, 91.0, 51.2, 0.87, 0.893, 20.0),
    ]
    found = [f"{x.ffr_distal:.2f}" for x in result.lesions]
    for table, numbers in (
        (show.lesion_table(result), found),
        (show.truth_table(result, truth), [*found, "0.72", "0.89", "1.23", "R-PLB"]),
    ):
        text = printed(table, width=width)
        assert "…" not in text
        assert max(map(len, text.splitlines())) <= width
        for number in numbers:
            assert number in text


def test_a_terminal_of_a_few_columns_gets_a_page_of_sixty(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    assert show.page().width == 60


def test_without_a_terminal_each_step_is_one_line(tmp_path):
    with (tmp_path / "log").open("w+") as file:
        console = Console(file=file)
        with show.bars(console) as opened:
            for name in ("reading the study", "solving the flow"):
                moved = opened(name)
                for part in (0.1, 0.5, 1.0, 1.0):
                    moved(part)
                assert name in (tmp_path / "log").read_text()  # at once, not at the end
        lines = (tmp_path / "log").read_text().splitlines()
    assert [line.split(":")[0] for line in lines] == ["reading the study", "solving the flow"]


def test_a_page_that_is_no_terminal_has_room_for_the_table(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "30")
    assert show.page().width == 100
    monkeypatch.setenv("COLUMNS", "140")
    assert show.page().width == 140
    assert not show.progress_page().stderr


def cut_off():
    """The command that cuts the network off, None where the system does not allow it."""
    for words in (["unshare", "-n"], ["unshare", "-rn"]):
        if (
            shutil.which(words[0])
            and not subprocess.run([*words, "true"], **NO_WAIT).returncode
        ):
            return words
    return None


@pytest.mark.skipif(cut_off() is None, reason="unshare cannot cut the network on this system")
def test_solve_and_report_work_with_the_network_cut(out, tmp_path, known):
    write_vtp(tmp_path / "tree.vtp", known.trees[0].tree)
    script = (
        "import socket\n"
        "try:\n    socket.create_connection(('192.0.2.1', 80), 1)\n"
        "except OSError as error:\n    print('cut off:', error.errno)\n"
        "from ffr.cli import main; main()"
    )

    def ffr(*words):
        command = [*cut_off(), sys.executable, "-c", script, *map(str, words)]
        done = subprocess.run(command, **NO_WAIT)
        assert done.stdout.startswith("cut off: 101\n")  # ENETUNREACH
        assert (done.returncode, done.stderr) == (0, "")

    ffr("solve", tmp_path / "tree.vtp", "--flow-ml-min", 100, "--json", tmp_path / "x.json")
    ffr("report", out)
    assert (out / "result.json").exists()
    assert (tmp_path / "x.json").exists()


def test_a_folder_is_free_again_after_a_fault(out):
    with pytest.raises(ZeroDivisionError), claimed(out):
        raise ZeroDivisionError
    with claimed(out):
        assert Path(out / "stages").is_dir()
