"""One scan of one virtual patient: from its DICOM study through `ffr run` to what is read."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ffr.phantom.patient import VirtualPatient, virtual_patient
from ffr.reading.dicom_series import PatientHeader
from ffr.reading.dicom_write import write_series
from ffr.results.result_file import load_result
from ffr.segmentation.samples import HELD_OUT_SEEDS
from validation.held_out import VARIED, require_held_out
from validation.repeatability_files import digests
from validation.repeatability_places import LESION, Reading, places, read
from validation.repeatability_scans import AGAIN, rendered
from validation.segmentation_case import case_file, keep, kept
from validation.segmentation_jobs import ONE_THREAD

FIRST_SEED = HELD_OUT_SEEDS + 3_000
BURDEN = 5.0  # stenoses drawn on average: most are mild or in thin branches
TOLD = ("--systolic-mmhg", "130", "--diastolic-mmhg", "80")  # the same in every run
ROOT = Path(__file__).parent.parent
Job = tuple[int, str]  # seed and change


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the product.

    Parameters
    ----------
    seed, change
        Who, and what is different: a key of `repeatability_scans.CHANGES` or `REPEATS`.
    lost
        Why there is no result, as the product says it; "" where there is one.
    lv_mass_g, flags
        Myocardial mass, as measured in this scan, and names of the warnings.
    readings
        At every place of the patient.
    files
        SHA-256 of each compared file of the result folder.
    processor_s
        Processor time of the run.
    """

    seed: int
    change: str
    lost: str = ""
    lv_mass_g: float | None = None
    flags: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    processor_s: float = 0.0


def patient_of(seed: int) -> VirtualPatient:
    """Return the patient of a held-out seed.

    Raises
    ------
    ValueError
        The seed may have been trained on.
    """
    require_held_out(seed)
    return virtual_patient(seed, BURDEN, variation=VARIED)


def diseased(count: int, first_seed: int = FIRST_SEED) -> tuple[int, ...]:
    """Return the first seeds whose patients have a stenosis to read behind."""
    found: list[int] = []
    seed = first_seed
    while len(found) < count:
        if any(p.kind == LESION for p in places(patient_of(seed))):
            found.append(seed)
        seed += 1
    return tuple(found)


def run_job(job: Job) -> Run:
    """Scan a patient, run the product on the study in a process of its own, and read it."""
    seed, change = job
    patient = patient_of(seed)
    with tempfile.TemporaryDirectory() as folder:
        study, out = Path(folder) / "study", Path(folder) / "out"
        header = PatientHeader(name="VIRTUAL", identity=f"VIRTUAL-{seed}")
        write_series(rendered(patient, change), study, patient=header)
        before = _children_s()
        lost = analysed(study, out, change)
        seconds = round(_children_s() - before, 1)
        if lost:
            return Run(seed, change, lost, processor_s=seconds)
        result = load_result(out / "result.json")
        return Run(
            seed, change, "", result.lv_mass_g, tuple(x.name for x in result.flags),
            read(out, patient), digests(out), seconds,
        )  # fmt: skip


def analysed(study: Path, out: Path, change: str) -> str:
    """Run `ffr run` on a study; return why it has no result, "" if it has one."""
    words = ["run", str(study), "--out", str(out), *TOLD]
    done = subprocess.run(
        [sys.executable, "-c", "from ffr.cli import main; main()", *words],
        env=environment(change), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return ""
    said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return said[-1].removeprefix("ffr: ")


def environment(change: str) -> dict[str, str]:
    """Return the environment of a run: a repeat differs in hash seed and threads only."""
    own = dict.fromkeys(ONE_THREAD, "2" if change == AGAIN else "1") | {
        "PYTHONHASHSEED": "1" if change == AGAIN else "0",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    return os.environ | own


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def keep_run(folder: Path, key: str, job: Job, run: Run) -> None:
    """Write a run, whole or not at all."""
    keep(case_file(folder, *job, key), run)


def kept_runs(folder: Path, key: str, jobs: Sequence[Job]) -> dict[Job, Run]:
    """Return which of the runs are there, of this state; damaged files are left out."""
    there = {(run.seed, run.change): run for run in kept(Run, folder, key)}
    return {job: there[job] for job in jobs if job in there}
