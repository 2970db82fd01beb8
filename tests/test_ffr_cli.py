"""What the command line does with a run on disk, with mistakes, and with a full disk."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import run_folder
import virtual_series
from command_line import MAIN, SECRET, ffr, refused

from ffr.results import stage_data, stages
from ffr.results.result import Result

VERBS = (
    "run", "segment", "tree", "solve", "report", "export", "send", "phantom", "demo", "train",
    "doctor",
)  # fmt: skip
RUO = "Research use only"


@pytest.fixture(scope="module")
def known():
    return run_folder.case()


@pytest.fixture(scope="module")
def made(tmp_path_factory, known):
    """A folder up to the solved trees, in a folder that is called after the patient."""
    out = tmp_path_factory.mktemp("results") / SECRET
    run_folder.fill(out, known, until="solve")
    return out


@pytest.fixture
def out(tmp_path, made):
    """A copy for tests that change it."""
    place = tmp_path / SECRET
    subprocess.run(["cp", "-r", made, place], check=True)
    return place


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / f"study {SECRET}"
    folder.mkdir()
    (folder / "IM1").write_bytes(b"no image")
    return folder


def snapshot(out):
    return {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def finished(out):
    return sorted(p.name for p in (out / "stages").iterdir())


@pytest.fixture(scope="module")
def reported(tmp_path_factory, made):
    """A run after `ffr report`: the folder and what was printed."""
    place = tmp_path_factory.mktemp("reported") / "case"
    subprocess.run(["cp", "-r", made, place], check=True)
    return place, ffr("report", place, COLUMNS="40")


def test_report_writes_every_result_and_prints_the_table(reported):
    out, (code, printed, err) = reported
    assert (code, err) == (0, "")
    assert sorted(p.name for p in out.iterdir()) == sorted((*stages.RESULTS, "stages"))
    assert finished(out) == ["scan", "segment", "solve", "tree"]
    result = Result.model_validate_json((out / "result.json").read_text())
    (lesion,) = result.lesions
    (row,) = [line for line in printed.splitlines() if "RCA" in line]
    for part in (
        lesion.segment_name, f"{lesion.diameter_stenosis_percent:.0f}",
        f"{lesion.minimal_lumen_area_mm2:.2f}", f"{lesion.ffr_distal:.2f}",
    ):  # fmt: skip
        assert part in row
    assert str(out / "report.html") in printed
    assert RUO in printed
    assert "warning: " + run_folder.FLAGS[0].message in printed


def test_piped_output_has_no_bars_no_codes_and_room_for_the_table(reported):
    _, (_, printed, _) = reported
    lines = printed.splitlines()
    assert "\x1b" not in printed
    assert "\r" not in printed
    assert sum("meshes and report" in line for line in lines) == 1
    assert re.fullmatch(r"meshes and report: \d+\.\d s", lines[0])
    assert max(map(len, lines)) > 60  # although COLUMNS said 40


def test_solving_again_with_another_pressure_changes_the_result_not_the_tree(out):
    toml = out.parent / "patient.toml"
    toml.write_text("systolic_mmhg = 180\ndiastolic_mmhg = 110\n")
    before = stage_data.load_flow(out)[0][0]
    tree = {k: v for k, v in snapshot(out).items() if "solve" not in str(k)}
    (out / "result.json").write_text("old")
    # the report is tested elsewhere; here it only costs time
    quick = "import ffr.workflow; ffr.workflow.report = lambda out, p: None"
    code, _, err = ffr("solve", out, "--patient", toml, before=quick)
    assert (code, err) == (0, "")
    after, assumptions, settings, _ = stage_data.load_flow(out)
    assert after[0].pressure_mmhg[0] > before.pressure_mmhg[0] + 20
    assert settings["patient"]["systolic_mmhg"] == 180
    assert [a.assumed for a in assumptions if "aortic pressure" in a.name] == [False]
    now = snapshot(out)
    assert {k: v for k, v in now.items() if k in tree} == tree
    assert Path("result.json") not in now  # it belonged to the old solve


def test_run_from_solve_takes_the_study_it_was_made_from_and_no_other(tmp_path, known, study):
    out = tmp_path / "out"
    run_folder.fill(out, known, study, until="tree")
    quick = "import ffr.workflow; ffr.workflow.report = lambda out, p: None"
    words = ("--out", out, "--from", "solve", "--systolic-mmhg", 150, "--diastolic-mmhg", 90)
    assert "diastolic" in refused("run", study, *words[:4], "--systolic-mmhg", 170)
    tree = (out / "stages" / "tree" / "trees.npz").read_bytes()
    code, _, err = ffr("run", study, *words, before=quick)
    assert (code, err) == (0, "")
    solutions, _, settings, _ = stage_data.load_flow(out)
    assert settings["patient"]["systolic_mmhg"] == 150
    assert solutions[0].pressure_mmhg[0] > 103  # 90 + (150 - 90) / 3 or more
    assert (out / "stages" / "tree" / "trees.npz").read_bytes() == tree
    other = tmp_path / "other study"
    other.mkdir()
    (other / "IM1").write_bytes(b"no image!")
    before = snapshot(out)
    assert "made from another study" in refused("run", other, *words)
    assert "does not exist" in refused("run", tmp_path / SECRET, *words)
    assert snapshot(out) == before


@pytest.mark.parametrize("stage", ["segment", "tree", "solve", "report"])
def test_a_missing_earlier_stage_is_named(tmp_path, known, study, stage):
    out = tmp_path / SECRET
    run_folder.fill(out, known, study, until="tree")
    needed = {"segment": "scan", "tree": "segment", "solve": "tree", "report": "solve"}[stage]
    subprocess.run(["rm", "-rf", out / "stages" / needed], check=True)
    message = refused("run", study, "--out", out, "--from", stage)
    assert f"no finished stage '{needed}'" in message


@pytest.mark.parametrize("verb", ["tree", "solve", "report"])
def test_a_folder_without_a_run_is_refused_and_stays_as_it_is(tmp_path, verb):
    folder = tmp_path / SECRET
    folder.mkdir()
    assert "no earlier run" in refused(verb, folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("words", [("tree",), ("report",), ("export", "a.ply")])
def test_a_run_that_does_not_exist_is_refused_and_not_made(tmp_path, words):
    missing = tmp_path / SECRET
    assert "no earlier run" in refused(words[0], missing, *words[1:], folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_wrong_settings_are_refused_before_anything_is_written(tmp_path, study):
    out = tmp_path / "out"
    bad = tmp_path / "bad.toml"
    bad.write_text("systolic_mmhg = = 3")
    odd = tmp_path / "odd.toml"
    odd.write_text("heart_rate_bpm = 400")
    for words, message in (
        (("--from", "middle"), "choose one of scan, segment, tree, solve, report"),
        (("--systolic-mmhg", "20", "--diastolic-mmhg", "10"), "systolic_mmhg is 20"),
        (("--systolic-mmhg", "120"), "give both"),
        (("--sex", "x"), "must be 'female' or 'male'"),
        (("--patient", bad), "the patient file is not TOML"),
        (("--patient", odd), "heart_rate_bpm is 400"),
        (("--patient", tmp_path / SECRET / "none.toml"), "No such file or directory (a .toml"),
        (("--series", "3", "--from", "tree"), "--series has no effect with --from tree"),
        (("--from", "report", "--sex", "male"), "use --from solve"),
    ):
        assert message in refused("run", study, "--out", out, *words)
    assert not out.exists()


def test_a_study_that_is_missing_or_no_study_is_refused(tmp_path, study):
    assert "does not exist" in refused("run", tmp_path / SECRET, "--out", tmp_path / "a")
    message = refused("segment", study, "--out", tmp_path / "b")
    assert "dicom" in message.lower()
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()
    (tmp_path / "mine").mkdir()
    refused("segment", study, "--out", tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_run_is_not_replaced_by_that_of_another_study(tmp_path, known, study):
    out = tmp_path / "out"
    run_folder.fill(out, known, study, until="tree")
    before = snapshot(out)
    other = tmp_path / "other"
    other.mkdir()
    (other / "IM1").write_bytes(b"another patient")
    for verb in ("run", "segment"):
        assert "holds the run of another study" in refused(verb, other, "--out", out)
    assert snapshot(out) == before
    # the same study again is welcome
    quick = (
        "import ffr.workflow as w\n"
        "for name in ('read_scan', 'segment', 'tree', 'solve', 'report'):\n"
        "    setattr(w, name, lambda *_: None)"
    )
    assert ffr("run", study, "--out", out, before=quick)[0] == 0


def test_results_never_go_where_something_else_is(tmp_path, study):
    place = tmp_path / SECRET
    place.write_text("a letter")
    assert "is a file" in refused("run", study, "--out", place)
    assert "Not a directory" in refused("run", study, "--out", place / "below")
    before = snapshot(study)
    assert "not empty" in refused("run", study, "--out", study)
    assert snapshot(study) == before


def test_a_real_study_in_a_result_folder_is_not_replaced_by_a_virtual_one(out):
    (out / "study").mkdir()
    (out / "study" / "IM1").write_text("someone's scan")
    assert "not virtual" in refused("phantom", "--out", out)
    assert (out / "study" / "IM1").read_text() == "someone's scan"


def test_a_new_virtual_patient_takes_the_results_of_the_old_one_along(out):
    before = snapshot(out)
    assert "not virtual" in refused("phantom", "--out", out)  # a run, but no truth
    assert snapshot(out) == before
    (out / "truth.json").write_text("old")
    (out / "result.json").write_text("old")
    quick = (
        "import ffr.phantom.study as s\ns.write_study = lambda *_: None\n"
        "s.true_lesions = lambda *_: ()\n"
        "s.write_truth = lambda path, *_: path.write_text('new')"
    )
    assert ffr("phantom", "--out", out, before=quick)[0] == 0
    assert {str(k): v for k, v in snapshot(out).items()} == {"truth.json": b"new"}


def test_solve_on_a_run_refuses_what_would_have_no_effect(out):
    for words in (("--flow-ml-min", 100), ("--json", out / "x.json"), ("--side", "right")):
        assert "only --patient has an effect" in refused("solve", out, *words)
    assert not (out / "x.json").exists()


@pytest.mark.parametrize("verb", ["tree", "solve", "report", "export"])
def test_a_damaged_stage_is_told_in_one_line(out, verb):
    for stage in ("segment", "tree", "solve"):
        for path in (out / "stages" / stage).iterdir():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    message = refused(verb, out, *([out.parent / "a.ply"] if verb == "export" else []))
    assert re.search(r"stage '(segment|tree|solve)' is damaged; run it again", message)


def test_export_writes_what_the_extension_says(made, tmp_path):
    import meshio

    for name, kind in (("lumen.ply", "triangle"), ("lumen.vtu", "tetra")):
        code, printed, err = ffr("export", made, tmp_path / name)
        assert (code, printed, err) == (0, f"wrote the lumen as {Path(name).suffix}\n", "")
        mesh = meshio.read(tmp_path / name)
        assert len(mesh.cells_dict[kind]) > 100
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lumen.ply", "lumen.vtu"]
    assert finished(made) == ["scan", "segment", "solve", "tree"]


def test_export_refuses_an_unknown_extension_and_a_missing_folder(made, tmp_path):
    assert "known are .vtp .stl .ply" in refused("export", made, tmp_path / "lumen.docx")
    assert "make it first" in refused("export", made, tmp_path / SECRET / "lumen.ply")
    assert list(tmp_path.iterdir()) == []


def test_damaged_weights_are_told_in_one_line(out, tmp_path):
    (tmp_path / "lumen.safetensors").write_bytes(b"rubbish")
    before = (
        "import pathlib, ffr.pipeline, ffr.segmentation.weights as w\n"
        f"w.FOLDER = pathlib.Path({str(tmp_path)!r})\n"
        "ffr.pipeline.trace = lambda *_: __import__('types').SimpleNamespace("
        "left=None, right=None)\n"
    )
    message = refused("tree", out, before=before)
    assert "weights of the lumen network are damaged (lumen.safetensors)" in message
    (tmp_path / "lumen.safetensors").unlink()
    assert "weights of the lumen network are missing" in refused("tree", out, before=before)
    assert finished(out) == ["scan", "segment", "solve", "tree"]


FULL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))"


@pytest.mark.parametrize("limit", [3_000, 400_000])
def test_a_full_disk_is_one_line_and_keeps_what_was_there(out, limit):
    (out / "result.json").write_text("old")
    before = snapshot(out)
    html = "import ffr.workflow as w; w.render_report = lambda _: ''; "  # saves time
    html += "w.report_pdf = lambda _: b''; "
    message = refused("report", out, before=html + FULL.format(limit))
    assert re.search("no space left|could not be written", message)
    assert snapshot(out) == before
    assert finished(out) == ["scan", "segment", "solve", "tree"]


def test_a_full_disk_while_solving_keeps_the_old_flow(out):
    before = snapshot(out)
    assert "no space left" in refused("solve", out, before=FULL.format(2_000))
    assert snapshot(out) == before


def test_a_full_disk_while_exporting_leaves_no_piece(made, tmp_path):
    for name in ("lumen.stl", "lumen.vtp", "lumen.ply", "lumen.vtu"):
        message = refused("export", made, tmp_path / name, before=FULL.format(20_000))
        assert "no space left on the disk" in message
    assert list(tmp_path.iterdir()) == []


def test_system_errors_do_not_name_the_path(out):
    before = (
        "import ffr.workflow\ndef solve(out, *_):\n"
        "    raise PermissionError(13, 'Permission denied', str(out / 'flow.json'))\n"
        "ffr.workflow.solve = solve"
    )
    message = refused("solve", out, before=before)
    assert message.startswith("ffr: Permission denied (a .json file); check who may")


@pytest.mark.parametrize(
    "fault", ["MemoryError()", "RuntimeError('CUDA out of memory. Tried to allocate 2 GiB')"]
)
def test_too_little_memory_is_told(out, fault):
    before = (
        f"import ffr.workflow\ndef solve(*_):\n    raise {fault}\nffr.workflow.solve = solve"
    )
    assert "out of memory; a scan needs about" in refused("solve", out, before=before)


def test_a_run_killed_by_the_system_says_so_and_leaves_whole_stages(out):
    before = (
        "import os, ffr.workflow\nfrom ffr.results import stages\ndef solve(out, *_):\n"
        "    with stages.stage_files(out, 'solve'):\n        os.kill(os.getpid(), {})\n"
        "ffr.workflow.solve = solve"
    )
    code, _, err = ffr("solve", out, before=before.format(9))
    assert code == 128 + 9
    assert err.startswith("ffr: ended by the system, most likely out of memory")
    code, _, err = ffr("solve", out, before=before.format(11))
    assert code == 128 + 11
    assert err.startswith("ffr: crashed (SIGSEGV)")
    assert finished(out) == ["scan", "segment", "solve", "tree"]


def test_a_fault_of_ours_is_a_traceback_and_no_exit_code_2(out):
    before = "import ffr.workflow\nffr.workflow.solve = lambda *_: 1 / 0"
    code, _, err = ffr("solve", out, before=before)
    assert code == 1
    assert "ZeroDivisionError" in err
    assert SECRET not in err


STUCK = """
import ctypes, sys, numpy, ffr.workflow, ffr.results.stages
def segment(out, *_):
    with ffr.results.stages.stage_files(out, "segment") as folder:
        (folder / "heart.nrrd").write_text("half")
        sys.stdout.write("at work" + chr(10))
        sys.stdout.flush()
        ctypes.PyDLL(None).sleep(60)  # no bytecode, no Python signal handler
ffr.workflow.segment = segment
"""


@pytest.mark.parametrize("how", ["SIGINT", "group"])
def test_ctrl_c_in_the_middle_of_a_stage(tmp_path, known, study, how):
    out = tmp_path / "out"
    run_folder.fill(out, known, study, until="tree")
    before = snapshot(out)
    words = ("run", study, "--out", out, "--from", "segment")
    process = subprocess.Popen(
        [sys.executable, "-c", f"{STUCK}\n{MAIN}", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout.readline() == "at work\n"
    assert list((out / "stages").glob(".partial-*/heart.nrrd"))
    if how == "group":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(getattr(signal, how))
    printed, err = process.communicate(timeout=30)  # half of what the work sleeps
    assert (process.returncode, printed) == (130, "")
    assert err == "ffr: interrupted; finished stages are kept\n"
    assert snapshot(out) == before
    assert finished(out) == ["scan", "segment", "tree"]


def test_a_study_names_nobody_whatever_happens_to_it(tmp_path):
    folder = virtual_series.write(tmp_path / SECRET)
    virtual_series.edit(folder, virtual_series.put(PatientBirthDate="19470313"), slice(0, 2))
    for path in sorted(folder.glob("*.dcm"))[:2]:  # a birth date that pydicom warns of
        path.write_bytes(path.read_bytes().replace(b"19470313", b"1947-03-"))
    virtual_series.edit(folder, virtual_series.move((0, 0, 7)), slice(3, 4))
    message = refused("run", folder, "--out", tmp_path / "out")
    assert re.match(r"ffr: [a-z-]+: ", message)


def test_every_help_says_what_it_is_and_for_whom():
    code, overview, err = ffr("--help")
    assert (code, err) == (0, "")
    assert RUO in overview
    assert "..." not in overview.replace("[ARGS]...", "")  # no summary is cut
    for verb in VERBS:
        assert re.search(rf"^  {verb} +\w", overview, re.M)
        code, text, err = ffr(verb, "--help")
        assert (code, err) == (0, "")
        assert RUO in text
        assert max(map(len, text.splitlines())) <= 80
        for option in re.findall(r"^  (--\S+ +(?:<\w+> *)?)$(?!\n {10,}\w)", text, re.M):
            assert option in ("--help",), f"{verb} {option} has no explanation"


def test_the_version_says_research_use_only():
    assert ffr("--version")[1].startswith("ct-ffr ")
    assert RUO in ffr("--version")[1]


def test_output_in_another_alphabet_is_no_fault(reported):
    out, _ = reported
    quick = (
        "import ffr.workflow as w, ffr.results.result_file as f\n"
        "w.report = lambda out, p: f.load_result(out / 'result.json')"
    )
    code, printed, err = ffr("report", out, before=quick, PYTHONIOENCODING="ascii")
    assert (code, err) == (0, "")
    assert "MLA mm" in printed
    assert json.loads((out / "result.json").read_text())["lesions"]
