"""What installation compiles is all that a first `ffr solve` needs, and that loads little."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOLVE = """
import json, pathlib, sys
from ffr.centreline import SolveSettings, solve_centreline
from meshes.io import write_swc, write_vtp
from ffr.first_run import compile_kernels, stenosed_vessel

def versions():
    ours = [m for n, m in sys.modules.items() if n.startswith(("solvers.", "meshes.", "ffr."))]
    kernels = {id(k): k for m in ours for k in vars(m).values() if hasattr(k, "signatures")}
    return {f"{k.__name__}{s}" for k in kernels.values() for s in k.signatures}

if "first" in sys.argv:
    compile_kernels()
before = versions()
folder = pathlib.Path(sys.argv[1])
write_swc(folder / "a.swc", stenosed_vessel(60.0))
write_vtp(folder / "a.vtp", stenosed_vessel(60.0))
for name in ("a.swc", "a.vtp"):
    for solver in ("resolved", "lumped"):
        for flow in (150.0, None):
            solve_centreline(folder / name, SolveSettings(flow_ml_min=flow, solver=solver))
print(json.dumps([len(before), sorted(versions() - before)]))
"""


def compiled_by_a_solve(folder, *words):
    done = subprocess.run(
        [sys.executable, "-c", SOLVE, str(folder), *words],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.skipif(bool(os.environ.get("NUMBA_DISABLE_JIT")), reason="nothing is compiled")
def test_after_installation_a_solve_compiles_nothing(tmp_path):
    before, more = compiled_by_a_solve(tmp_path, "first")
    assert before > 5
    assert more == []
    before, more = compiled_by_a_solve(tmp_path)
    assert before == 0
    assert len(more) > 5  # so that the lines above can fail


HEAVY = ("torch", "pyvista", "matplotlib", "SALib", "skimage", "SimpleITK", "vtkmodules.all")


@pytest.mark.parametrize("kind", ["swc", "vtp"])
def test_a_solve_imports_no_heavy_library(tmp_path, kind):
    script = (
        "import sys, pathlib; from meshes import io; from ffr.first_run import *;"
        "from ffr.centreline import SolveSettings, solve_centreline; import ffr.cli;"
        f"path = pathlib.Path(sys.argv[1]) / 'a.{kind}';"
        f"io.write_{kind}(path, stenosed_vessel());"
        "solve_centreline(path, SolveSettings(flow_ml_min=100.0));"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr[-2000:]
