"""What the doctor finds, and what it says to do about it."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ffr import cli, doctor
from ffr.segmentation import weights

ROOT = Path(__file__).parent.parent


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A copy of the weights that may be harmed; made anew where none are shipped."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setattr(weights, "FOLDER", folder)
    architecture = {"kind": "lumen", "inputs": 2}
    for name in weights.NETWORKS:
        path = folder / f"{name}.safetensors"
        weights.save_weights(name, weights.rebuilt(architecture), architecture, path)
    return folder


def found(name):
    (check,) = [check for check in doctor.checks() if check.name == name]
    return check


def broken(monkeypatch, name, error):
    real = importlib.import_module

    def load(wanted, *rest):
        if wanted == name:
            raise error
        return real(wanted, *rest)

    monkeypatch.setattr(doctor.importlib, "import_module", load)


def test_a_sound_machine_passes_and_says_what_it_has(shipped, monkeypatch):
    monkeypatch.setattr(doctor, "LEAST_DISK_GB", 0.0)
    monkeypatch.setattr(doctor, "LEAST_MEMORY_GB", 0.0)
    checks = list(doctor.checks())
    assert [c.name for c in checks if not c.ok] == []
    names = {c.name for c in checks}
    assert names >= {"torch", "GPU", "rendering", "kernels", "disk here", "memory", "numba"}
    for name in weights.NETWORKS:
        (check,) = [c for c in checks if c.name == f"{name} weights"]
        assert check.found == f"sha256 {weights.load_network(name, 'cpu').sha256}"


def test_missing_weights_come_with_a_remedy(shipped):
    (shipped / "vessel.safetensors").unlink()
    check = found("vessel weights")
    assert not check.ok
    assert "missing" in check.found
    assert "ffr train vessel --ship" in check.remedy
    assert found("lumen weights").ok


@pytest.mark.parametrize("damage", ["empty", "cut", "rubbish", "folder", "another network"])
def test_damaged_weights_come_with_a_remedy(shipped, damage):
    path = shipped / "vessel.safetensors"
    raw = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    elif damage == "another network":
        other = weights.rebuilt({"kind": "lumen", "inputs": 2})
        weights.save_weights("vessel", other, {"kind": "lumen", "inputs": 3}, path)
    else:
        path.write_bytes({"empty": b"", "cut": raw[:200], "rubbish": b"x" * 999}[damage])
    check = found("vessel weights")
    assert not check.ok
    assert "reinstall ct-ffr" in check.remedy
    assert "\n" not in check.found


@pytest.mark.parametrize(
    ("module", "name", "error", "said"),
    [
        ("SimpleITK", "SimpleITK", ModuleNotFoundError("nothing"), "missing"),
        ("vtkmodules.vtkCommonCore", "vtk", ImportError("libX.so: none\nmore"), "libX.so"),
        ("gdcm", "python-gdcm", OSError("wrong ELF class"), "wrong ELF class"),
        ("torch", "torch", ImportError("libcudart.so: cannot open"), "libcudart.so"),
        ("ffr.report.tree_view", "rendering", ImportError("skimage"), "skimage"),
        ("solvers.kernels.steady", "kernels", RuntimeError("llvm"), "llvm"),
    ],
)  # fmt: skip
def test_what_does_not_load_comes_with_a_remedy(monkeypatch, module, name, error, said):
    broken(monkeypatch, module, error)
    checks = {check.name: check for check in doctor.checks()}
    assert not checks[name].ok
    assert said in checks[name].found
    assert "\n" not in checks[name].found
    assert "reinstall" in checks[name].remedy
    assert checks["disk here"]  # it looked at the rest
    assert ("vessel weights" in checks) == (module != "torch")


def test_a_gpu_that_does_not_work_is_told(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("CUDA driver version is insufficient\nmore")

    monkeypatch.setattr(weights.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(weights.torch, "zeros", refuse)
    check = doctor._gpu()
    assert not check.ok
    assert check.found == "does not work: CUDA driver version is insufficient"
    assert "CUDA_VISIBLE_DEVICES" in check.remedy


def test_too_little_room_is_told(monkeypatch):
    monkeypatch.setattr(doctor, "LEAST_DISK_GB", 1e9)
    monkeypatch.setattr(doctor, "LEAST_MEMORY_GB", 1e9)
    assert [c.name for c in doctor._room() if not c.ok] == ["disk here", "memory"]


def test_the_verb_ends_with_2_when_something_fails(monkeypatch, capsys):
    def checks():
        yield doctor.Check("python", True, "3.11", "")
        yield doctor.Check("vessel weights", False, "missing", "train them")

    monkeypatch.setattr(doctor, "checks", checks)
    monkeypatch.setattr(sys, "argv", ["ffr", "doctor"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == "ok   python: 3.11"
    assert lines[1:3] == ["FAIL vessel weights: missing", "     train them"]


def test_kernels_run_where_no_folder_can_be_written(tmp_path):
    """A copy of the code under a file system that is read-only, and a home that is none."""
    code = tmp_path / "code"
    for floor in ("meshes", "solvers"):
        shutil.copytree(
            ROOT / floor, code / floor, ignore=shutil.ignore_patterns("__pycache__", "*.nb?")
        )
    for folder in [code, *code.rglob("*/")]:
        if folder.is_dir():
            # a file in its place: nobody, root included, can make the folder
            (folder / "__pycache__").write_text("")
    script = (
        "import numpy as np\nfrom solvers.kernels import steady\n"
        "print({v.stats.cache_path for v in vars(steady).values() if hasattr(v, 'stats')})\n"
        "a = np.empty(2)\n"
        "steady.cone_viscous(np.array([-1, 0]), np.ones(2), np.ones(2), np.pi / 8, a)\n"
        "print(a)"
    )
    settings = {
        **os.environ, "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/proc/none", "XDG_CACHE_HOME": "/proc/none",
    }  # fmt: skip
    settings.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=settings, cwd=code
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["{None}", "[0. 1.]"]
