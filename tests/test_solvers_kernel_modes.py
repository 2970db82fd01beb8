"""The kernels say the same compiled, interpreted, and with every index checked."""

import ast
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kernel_cases
import pytest

HALF = ("steady", "elastic")  # of the time that compiling takes
HERE = Path(__file__).parent
FILES = sorted(
    path
    for floor in ("meshes", "solvers", "ffr")
    for path in (HERE.parent / floor).rglob("*.py")
    if "kernels" in path.parts or path.name == "kernels.py"
)


def run_in(*cases, **settings):
    done = subprocess.run(
        [sys.executable, str(HERE / "kernel_cases.py"), *cases],
        env={**os.environ, "PYTHONPATH": str(HERE.parent), **settings},
        capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def compiled():
    return kernel_cases.results()


@pytest.fixture(scope="module")
def interpreted():
    return run_in(NUMBA_DISABLE_JIT="1")


def test_interpreted_kernels_say_the_same(compiled, interpreted):
    assert interpreted["results"].keys() == compiled.keys()
    for name, values in compiled.items():
        near = 1e-6 if name == "phantom" else 1e-9  # it is painted in single precision
        assert interpreted["results"][name] == pytest.approx(values, rel=near), name


def test_kernels_stay_inside_their_arrays(interpreted):
    # beside the interpreted ones, so that nothing is compiled a second time without checks
    # a cache of its own: code compiled without checks must not be found there
    cache = HERE.parent / ".pytest_cache" / "numba-checked"
    settings = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_OPT": "1", "NUMBA_CACHE_DIR": str(cache)}
    halves = [HALF, tuple(kernel_cases.CASES.keys() - set(HALF))]  # compiling takes a minute
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda names: run_in(*names, **settings), halves))
    assert all(half["checked"] for half in found)
    checked = found[0]["results"] | found[1]["results"]
    assert checked.keys() == interpreted["results"].keys()
    for name, values in interpreted["results"].items():
        near = 1e-6 if name == "phantom" else 1e-9
        assert checked[name] == pytest.approx(values, rel=near), name


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
