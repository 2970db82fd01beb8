"""Stages on disk: exact, whole or absent, never a mixture of old and new."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import run_folder

from ffr.circulation.physiology import Assumption
from ffr.errors import ConfigError
from ffr.flags import Flag
from ffr.partial import claimed, remove_partial
from ffr.results import stage_data, stages
from ffr.results.result_folder import prepare
from ffr.scan import Scan
from meshes.arrays import floats
from meshes.contours import Contours
from meshes.volume import Grid, Volume
from solvers.solution import FlowSolution

FLAGS = (Flag("slab-steps", "step of 0.9 mm at 41 mm"), Flag("noise-strong", "41 HU"))


@pytest.fixture(scope="module")
def known():
    return run_folder.case()


@pytest.fixture
def out(tmp_path):
    prepare(tmp_path / "out")
    return tmp_path / "out"


def oblique_scan():
    """A volume whose geometry has no round number in it."""
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    grid = Grid(
        np.array((7, 6, 5)), floats((0.3515625, 1 / 3, 0.625)),
        floats((-123.456789012345, 1e3 / 7, -2e3 / 3)), floats(turn * np.linalg.det(turn)),
    )  # fmt: skip
    values = np.random.default_rng(2).integers(-1024, 3072, (5, 6, 7)).astype(np.int16)
    return Scan(
        Volume(grid, values), "dicom", "series 4", 0.625, "9f" * 32, None, "Bv40", FLAGS
    )


def same_volume(a, b):
    assert a.values.dtype == b.values.dtype
    np.testing.assert_array_equal(a.values, b.values)
    np.testing.assert_array_equal(a.grid.size, b.grid.size)
    for name in ("spacing_mm", "origin_mm", "direction"):
        np.testing.assert_allclose(
            getattr(a.grid, name), getattr(b.grid, name), rtol=1e-15, atol=1e-15
        )


def flow_of(known):
    n = len(known.trees[0].tree)
    random = np.random.default_rng(3)
    solution = FlowSolution(*random.uniform(50, 90, (3, n)), iterations=7, residual_mmhg=1e-9)
    about = (Assumption("haematocrit", "0.45", "Billett 1990", True),)
    return (solution,), about, {"physiology": {"exponent": 7 / 3}, "patient": {"sex": None}}


def write_all(out, known):
    with stages.stage_files(out, "scan") as folder:
        stage_data.save_scan(folder, oblique_scan())
        stages.save_seconds(folder, 12.345)
    with stages.stage_files(out, "segment") as folder:
        stage_data.save_maps(folder, *run_folder.maps(), FLAGS, run_folder.MODELS)
    with stages.stage_files(out, "tree") as folder:
        stage_data.save_trees(folder, known.trees, FLAGS, {"lumen": "ef" * 32})
    solutions, about, settings = flow_of(known)
    with stages.stage_files(out, "solve") as folder:
        stage_data.save_flow(folder, solutions, ("right",), about, settings)


def finished(out):
    return sorted(p.name for p in (out / "stages").iterdir())


def snapshot(out):
    return {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def write_half(place, fault):
    with place as folder:
        (folder / "facts.json").write_text("half")
        raise fault


def write_results(out):
    with stages.result_files(out) as folder:
        for name in stages.RESULTS:
            (folder / name).write_text("new")


LOADERS = {
    "scan": stage_data.load_scan, "segment": stage_data.load_maps,
    "tree": stage_data.load_trees, "solve": stage_data.load_flow,
}  # fmt: skip


def test_a_scan_comes_back_as_it_was(out, known):
    write_all(out, known)
    was, now = oblique_scan(), stage_data.load_scan(out)
    same_volume(now.volume, was.volume)
    for name in ("source", "series", "slice_thickness_mm", "sha256", "kernel", "flags"):
        assert getattr(now, name) == getattr(was, name)
    assert now.tube_voltage_kvp is None


def test_label_maps_come_back_as_they_were(out, known):
    write_all(out, known)
    heart, vessels, facts = stage_data.load_maps(out)
    was_heart, was_vessels = run_folder.maps()
    same_volume(heart.labels, was_heart.labels)
    assert (heart.lv_mass_g, heart.blood_hu) == (was_heart.lv_mass_g, was_heart.blood_hu)
    for name in ("labels", "vessel_probability"):
        same_volume(getattr(vessels, name), getattr(was_vessels, name))
    assert facts["models"] == run_folder.MODELS
    assert stage_data.flags_from_json(facts["flags"]) == FLAGS


def test_trees_come_back_bit_by_bit(out, known):
    write_all(out, known)
    trees, facts = stage_data.load_trees(out)
    assert [c.side for c in trees] == ["right"]
    for now, was in zip(trees, known.trees, strict=True):
        assert now.names == was.names
        for name in ("points_mm", "radius_mm", "parent"):
            np.testing.assert_array_equal(getattr(now.tree, name), getattr(was.tree, name))
        for name in ("radius_sd_mm", "reference_radius_mm", "branch", "segment"):
            np.testing.assert_array_equal(getattr(now, name), getattr(was, name))
    assert facts["models"] == {"lumen": "ef" * 32}


def test_contours_come_back_bit_by_bit(out, known):
    (c,) = known.trees
    n = len(c.tree)
    radius = c.tree.radius_mm[:, None] * np.linspace(0.9, 1.1, 32)
    shape = Contours(radius, np.tile([0.0, 0.6, 0.8], (n, 1)), np.tile([1.0, 0.0, 0.0], (n, 1)))
    with stages.stage_files(out, "tree") as folder:
        stage_data.save_trees(folder, (dataclasses.replace(c, contours=shape),), FLAGS, {})
    (now,), _ = stage_data.load_trees(out)
    for name in ("radius_mm", "zero_direction", "quarter_direction"):
        np.testing.assert_array_equal(getattr(now.contours, name), getattr(shape, name))


def test_flow_comes_back_bit_by_bit(out, known):
    write_all(out, known)
    (now,), about, settings, _ = stage_data.load_flow(out)
    (was,), was_about, was_settings = flow_of(known)
    for name in ("pressure_mmhg", "total_pressure_mmhg", "flow_ml_min"):
        np.testing.assert_array_equal(getattr(now, name), getattr(was, name))
    assert (now.iterations, now.residual_mmhg) == (7, 1e-9)
    assert (about, settings) == (was_about, was_settings)


def test_the_time_of_each_stage_is_kept(out, known):
    write_all(out, known)
    assert stages.load_seconds(out) == {"scan": 12.35}


def test_a_stage_that_fails_leaves_the_earlier_run_untouched(out, known):
    write_all(out, known)
    (out / "result.json").write_text("{}")
    before = snapshot(out)
    with pytest.raises(OSError, match="No space"):
        write_half(stages.stage_files(out, "segment"), OSError(28, "No space left on device"))
    assert snapshot(out) == before


@pytest.mark.parametrize("stage", ["scan", "segment", "tree", "solve"])
def test_a_new_stage_discards_what_followed_from_the_old(out, known, stage):
    write_all(out, known)
    for name in stages.RESULTS:
        (out / name).write_text("old")
    (out / "truth.json").write_text("not a result")
    with stages.stage_files(out, stage) as folder:
        (folder / "facts.json").write_text("{}")
        assert len(finished(out)) == 5  # nothing is lost before the new stage is whole
    order = list(LOADERS)
    assert finished(out) == sorted(order[: order.index(stage) + 1])
    assert sorted(p.name for p in out.iterdir()) == ["stages", "truth.json"]


def test_a_kill_between_discards_leaves_stages_that_belong_together(out, known, monkeypatch):
    write_all(out, known)
    calls = []

    def killed(place):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(place.name)
        discard(place)

    discard = stages.discard
    monkeypatch.setattr(stages, "discard", killed)
    with pytest.raises(KeyboardInterrupt), stages.stage_files(out, "segment"):
        pass
    assert calls == ["report", "solve"]
    assert finished(out) == ["scan", "segment", "tree"]


def test_results_are_replaced_together(out, known):
    for name in stages.RESULTS:
        (out / name).write_text("old")
    with pytest.raises(ZeroDivisionError):
        write_half(stages.result_files(out), ZeroDivisionError())
    assert {(out / name).read_text() for name in stages.RESULTS} == {"old"}
    write_results(out)
    assert {(out / name).read_text() for name in stages.RESULTS} == {"new"}
    assert finished(out) == []


def test_result_json_is_the_seal_on_the_others(out, monkeypatch):
    for name in stages.RESULTS:
        (out / name).write_text("old")
    moved = []

    def replace(source, target):
        moved.append(Path(target).name)
        if len(moved) == 3:
            raise OSError(5, "Input/output error")
        os.rename(source, target)

    monkeypatch.setattr(stages.os, "replace", replace)
    with pytest.raises(OSError, match="Input"):
        write_results(out)
    assert not (out / "result.json").exists()
    assert "old" not in {p.read_text() for p in out.iterdir() if p.is_file()}


def damage(out, stage, kind):
    folder = out / "stages" / stage
    data = next(p for p in sorted(folder.iterdir()) if p.suffix in (".nrrd", ".npz"))
    facts = folder / "facts.json"
    if kind == "data cut":
        data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    elif kind == "data turned":
        raw = bytearray(data.read_bytes())
        raw[-len(raw) // 3] ^= 0xFF
        data.write_bytes(raw)
    elif kind == "data gone":
        data.unlink()
    elif kind == "facts gone":
        facts.unlink()
    elif kind == "facts cut":
        facts.write_text(facts.read_text()[:30])
    elif kind == "facts empty":
        facts.write_bytes(b"")
    elif kind == "facts no text":
        facts.write_bytes(b"\xff\xfe\x00")
    elif kind == "facts a list":
        facts.write_text("[]")
    elif kind == "facts poor":
        facts.write_text(json.dumps({"format": stages.FORMAT}))


@pytest.mark.parametrize("stage", LOADERS)
@pytest.mark.parametrize(
    "kind",
    [
        "data cut", "data turned", "data gone", "facts gone", "facts cut", "facts empty",
        "facts no text", "facts a list", "facts poor",
    ],
)  # fmt: skip
def test_a_damaged_stage_is_refused_in_one_line(out, known, stage, kind, capfd):
    write_all(out, known)
    damage(out, stage, kind)
    with pytest.raises(ConfigError) as refused:
        LOADERS[stage](out)
    assert str(refused.value) == f"stage '{stage}' is damaged; run it again"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("stage", LOADERS)
def test_another_version_is_refused(out, known, stage):
    write_all(out, known)
    path = out / "stages" / stage / "facts.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    with pytest.raises(ConfigError, match=f"'{stage}' was written by another version; run it"):
        LOADERS[stage](out)


@pytest.mark.parametrize("stage", LOADERS)
def test_a_missing_stage_says_how_to_make_it(out, stage):
    with pytest.raises(ConfigError, match=rf"no finished stage '{stage}'; (start|run) .*'ffr "):
        LOADERS[stage](out)


def test_a_volume_that_cannot_be_written_is_an_error_without_its_path(tmp_path):
    with pytest.raises(OSError, match=r"^scan.nrrd could not be written; is the disk full\?$"):
        stage_data.save_scan(tmp_path / "Wurzelbrunft", oblique_scan())


def child(text, *words):
    script = (
        "import os, signal, sys, time\nfrom pathlib import Path\nout = Path(sys.argv[1])\n"
        + textwrap.dedent(text)
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_killed_writer_leaves_the_old_stage_and_its_rubbish_is_cleared(out, known):
    write_all(out, known)
    before = snapshot(out)
    process = child(
        """
        import numpy as np
        from ffr.results import stages
        from ffr.partial import claimed
        with claimed(out), stages.stage_files(out, "tree") as folder:
            np.savez(folder / "trees.npz", x=np.zeros(1000))
            (folder / "facts.json").write_text('{"for')
            print("half", flush=True)
            time.sleep(60)
        """,
        out,
    )
    assert process.stdout.readline() == "half\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(list((out / "stages").glob(".partial-*"))) == 2
    stage_data.load_trees(out)
    remove_partial(out)
    assert snapshot(out) == before
    assert finished(out) == ["scan", "segment", "solve", "tree"]


def test_two_runs_do_not_share_a_folder(out):
    process = child(
        """
        from ffr.partial import claimed
        with claimed(out):
            (out / "stages" / ".partial-other").mkdir()
            print("in", flush=True)
            sys.stdin.read()
        """,
        out,
    )
    assert process.stdout.readline() == "in\n"
    with (
        pytest.raises(ConfigError, match="another ffr works in this result folder"),
        claimed(out),
    ):
        pass
    remove_partial(out)
    assert (out / "stages" / ".partial-other").is_dir()
    process.kill()
    process.communicate()
    with claimed(out):
        pass
    assert finished(out) == []


def test_temporary_files_stay_inside_the_result_folder(out):
    import tempfile

    before = tempfile.gettempdir()
    with claimed(out):
        assert Path(tempfile.mkdtemp()).is_relative_to(out / "stages")
    assert tempfile.gettempdir() == before
    assert finished(out) == []


def test_the_result_folder_is_for_its_owner_only(tmp_path):
    old = os.umask(0o022)
    try:
        prepare(tmp_path / "a" / "b")
    finally:
        os.umask(old)
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / "b" / "stages").stat().st_mode & 0o777 == 0o700


def test_a_foreign_folder_is_refused_and_untouched(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "letter.txt").write_text("dear colleague")
    with pytest.raises(ConfigError, match="not empty and holds no earlier run"):
        prepare(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["letter.txt", "study"]


def test_an_empty_folder_an_earlier_run_and_results_alone_are_taken(tmp_path):
    for name in ("empty", "run", "results"):
        (tmp_path / name).mkdir()
    (tmp_path / "run" / "stages").mkdir()
    (tmp_path / "results" / "result.json").write_text("{}")
    for name in ("empty", "run", "results"):
        prepare(tmp_path / name)
        assert (tmp_path / name / "stages").is_dir()


def test_a_file_in_place_of_the_result_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        prepare(tmp_path / "out")
