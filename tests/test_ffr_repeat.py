"""The same study twice: the same bytes, in another process, with other hashes and threads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from validation.repeatability_files import differing

HERE = Path(__file__).parent
THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)  # fmt: skip


def computed(folder, seed, threads):
    """Run the small patient in a process of its own."""
    path = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    own = dict.fromkeys(THREADS, str(threads)) | {"PYTHONHASHSEED": str(seed)}
    done = subprocess.run(
        [sys.executable, str(HERE / "repeat_program.py"), str(folder), str(threads)],
        env=os.environ | own | {"PYTHONPATH": path}, text=True, check=True, timeout=500,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    return [
        computed(tmp_path_factory.mktemp("run"), seed, threads)
        for seed, threads in ((0, 1), (1, 2))
    ]


def test_the_two_processes_do_differ_in_hashes_and_threads(both):
    one, other = both
    assert one["order"] != other["order"]
    assert (one["threads"], other["threads"]) == (1, 2)


def test_every_file_of_a_result_is_the_same_bit_for_bit(both):
    one, other = (x["files"] for x in both)
    assert {"result.json", "report.html", "tree.vtp", "lumen.vtp", "lumen.stl", "lumen.vtu",
            "stages/tree/trees.npz", "stages/solve/flow.npz",
            "stages/solve/confidence.npz"} <= set(one)  # fmt: skip
    assert differing(one, other) == ()


def test_the_networks_say_the_same_bit_for_bit(both):
    one, other = (x["networks"] for x in both)
    assert len(one) == 6
    assert differing(one, other) == ()
