"""The kernels say the same compiled, interpreted, and with every index checked."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def results(**settings):
    done = subprocess.run(
        [sys.executable, str(HERE / "kernel_cases.py")],
        env={**os.environ, "PYTHONPATH": str(HERE.parent), **settings},
        capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def compiled():
    return results()


def test_interpreted_kernels_say_the_same(compiled):
    plain = results(NUMBA_DISABLE_JIT="1")
    assert plain.keys() == compiled.keys()
    for name, values in compiled.items():
        assert plain[name] == pytest.approx(values, rel=1e-5), name


def test_kernels_stay_inside_their_arrays(compiled, tmp_path):
    # a cache of its own: code compiled without checks must not be found there
    checked = results(NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=str(tmp_path))
    for name, values in compiled.items():
        assert checked[name] == pytest.approx(values, rel=1e-9), name
