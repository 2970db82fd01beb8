"""The kernels say the same compiled, and interpreted with every index checked."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import kernel_cases
import pytest

HERE = Path(__file__).parent
FILES = sorted(
    path
    for floor in ("meshes", "solvers", "ffr")
    for path in (HERE.parent / floor).rglob("*.py")
    if "kernels" in path.parts or path.name == "kernels.py"
)


@pytest.fixture(scope="module")
def compiled():
    return kernel_cases.results()


@pytest.fixture(scope="module")
def interpreted():
    done = subprocess.run(
        [sys.executable, str(HERE / "kernel_cases.py")],
        env={**os.environ, "PYTHONPATH": str(HERE.parent), "NUMBA_DISABLE_JIT": "1"},
        capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_interpreted_kernels_say_the_same(compiled, interpreted):
    assert interpreted["results"].keys() == compiled.keys()
    for name, values in compiled.items():
        near = 1e-6 if name == "phantom" else 1e-9  # it is painted in single precision
        assert interpreted["results"][name] == pytest.approx(values, rel=near), name


def test_kernels_stay_inside_their_arrays(interpreted):
    # interpreted, every index is checked, in the same cases and to the same numbers as above;
    # compiling once more with checks takes over a minute and finds the same
    assert interpreted["checked"]


def test_the_cases_touch_every_kernel(interpreted):
    kernels = {
        f"{path} {node.name}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        and any("kernel" in ast.unparse(d) for d in node.decorator_list)
    }
    assert len(kernels) > 50
    missing = kernels - set(interpreted["called"])
    assert not missing, "give kernel_cases.py a small case of these"
