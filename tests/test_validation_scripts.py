"""Validation: statistics against answers known by construction, scripts that can be found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from validation import bench_stages, speed
from validation.__main__ import scripts

ROOT = Path(__file__).parent.parent
TOUCH_200_MB = "x = bytearray(200 << 20); x[::4096] = b'1' * len(x[::4096])"


def test_memory_and_seconds_are_those_of_the_process():
    script = f"import time; {TOUCH_200_MB}; time.sleep(0.3)"
    large = bench_stages.measured("large", [sys.executable, "-c", script])
    small = bench_stages.measured("small", [sys.executable, "-c", "pass"])
    assert 200 <= large.resident_mb < 300
    assert small.resident_mb < large.resident_mb - 150
    assert large.elapsed_s >= 0.3
    assert (large.code, small.code) == (0, 0)


def test_memory_of_a_childs_child_counts():
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {TOUCH_200_MB!r}])"
    assert bench_stages.measured("outer", [sys.executable, "-c", outer]).resident_mb >= 200


def test_a_stage_that_fails_is_the_last_one_measured(tmp_path, capsys):
    rows = bench_stages.bench(tmp_path / "nothing.nii", 1_000_000, tmp_path)
    assert [r.code for r in rows] == [2]
    assert "ffr: " in capsys.readouterr().err


def test_the_table_sums_up_a_run_without_the_making_of_its_study():
    rows = [
        bench_stages.Measured("make the virtual study (not part of a run)", 50.0, 900, 0),
        bench_stages.Measured("tree", 2.0, 300, 0),
        bench_stages.Measured("solve", 1.5, 200, 0),
    ]
    assert bench_stages.table(rows).splitlines()[-1] == "| all stages | 3.5 | 300 |"


FORKED_DECK = """
JOINT J0 1 IN0 OUT0
JOINTINLET IN0 1 0
JOINTOUTLET OUT0 2 1 2
SEGMENT trunk 0 1.0 25 0 1 0.12 0.10 0.0 MAT1 NONE 0.0 0 0 NOBOUND NONE
SEGMENT one 1 2.0 25 1 2 0.06 0.05 0.0 MAT1 NONE 0.0 0 0 CORONARY BED
SEGMENT two 2 3.0 25 1 3 0.05 0.03 0.0 MAT1 NONE 0.0 0 0 CORONARY BED
DATATABLE INLETDATA LIST
0.0 106000
0.3 160000
1.0 106000
ENDDATATABLE
DATATABLE BED LIST
-1.0 40000
-1.0 60000
-1.0 2e-6
-1.0 1e-5
-1.0 20000
-1.0 0.0
0.0 20000
0.3 150000
1.0 20000
ENDDATATABLE
SOLVEROPTIONS 0.005 10 400 2 INLETDATA PRESSURE_WAVE 1.0e-5 1 1
MATERIAL MAT1 OLUFSEN 1.06 0.04 0 1.0 1.48e7 -22.5267 8.65e5
"""


def test_speed_beside_svzerod_is_at_equal_accuracy(tmp_path, capsys):
    pytest.importorskip("svzerod", reason="pip install 'ct-ffr[validation]'")
    (tmp_path / "forked.in").write_text(FORKED_DECK)
    speed.main(["--deck", str(tmp_path / "forked.in"), "--repeats", "1", "--no-cold-start"])
    text = capsys.readouterr().out
    assert "svzerod settled): yes" in text
    rows = [line for line in text.splitlines() if " 0D" in line]
    assert len(rows) == 8
    assert all(float(row.split("|")[-2]) <= speed.EQUAL_PERCENT for row in rows[3:])
    assert "pulsatile 1D, 3 segments" in text


def test_speed_tells_results_that_differ(tmp_path, monkeypatch, capsys):
    pytest.importorskip("svzerod", reason="pip install 'ct-ffr[validation]'")
    (tmp_path / "forked.in").write_text(FORKED_DECK)
    exact = speed.vessel_table

    def wrong(*arguments):
        table = exact(*arguments)
        return table | {"flow_out": table["flow_out"] * (1 + 1e-5)}

    monkeypatch.setattr(speed, "vessel_table", wrong)
    with pytest.raises(SystemExit) as end:
        speed.main(["--deck", str(tmp_path / "forked.in"), "--repeats", "1", "--no-cold-start"])
    assert end.value.code == 1
    assert "svzerod settled): NO" in capsys.readouterr().out


def test_speed_without_svzerod_is_one_line_that_says_what_to_install(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "forked.in").write_text(FORKED_DECK)
    monkeypatch.setitem(sys.modules, "svzerod", None)
    with pytest.raises(SystemExit) as end:
        speed.main(["--deck", str(tmp_path / "forked.in")])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("install it by pip install 'ct-ffr[validation]'")


def test_every_script_is_listed_with_what_it_answers():
    known = scripts()
    assert {"bench_stages", "bench_steady", "segmentation"} <= set(known)
    assert all(line for line in known.values())


def test_an_unknown_script_is_refused_with_the_known_ones():
    done = subprocess.run(
        [sys.executable, "-m", "validation", "segmentatoin"], cwd=ROOT, text=True,
        capture_output=True, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 2
    assert "segmentation" in done.stderr
