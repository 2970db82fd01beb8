"""A real archive keeps our objects as they are, where one is installed."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import run_folder
import virtual_series

from ffr.dicom_out import write
from ffr.reading.study import read_study
from meshes.volume import Volume
from validation import orthanc

ROOT = Path(__file__).parent.parent
WHY_NOT = orthanc.missing()


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "-")
def test_objects_come_back_from_orthanc_as_they_were_sent(tmp_path, monkeypatch):
    known = run_folder.case()
    values = known.scan.volume.values.copy()
    values[:, :, :3] = -1000  # air: without, it would be no CT
    study = virtual_series.write(tmp_path / "study", Volume(known.scan.volume.grid, values))
    known.scan = read_study(study)
    run_folder.fill(tmp_path / "out", known, study)
    monkeypatch.setattr(
        write, "report_pictures", lambda _: [np.full((20, 30, 3), 127, np.uint8)]
    )
    write.write_objects(tmp_path / "out", study, tmp_path / "objects", lambda _: None)
    done = subprocess.run(
        [sys.executable, "-m", "validation", "orthanc", str(tmp_path / "objects")],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": equal (") == 2 * 4
    assert "all equal" in done.stdout
