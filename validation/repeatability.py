"""Does FFR repeat? One study twice, and one patient scanned again with one thing changed.

    python -m validation repeatability --patients 3 --out FOLDER [--jobs 2]
    python -m validation repeatability --patients 3 --out FOLDER --only-report

Each virtual patient (held-out seeds, a stenosis in a vessel of 2 mm, usual scan quality) is
scanned as a reference and with one change at a time; every scan is a DICOM study that goes
through `ffr run` in a process of its own, with the same cuff pressure. FFR is read at the same
places of the patient. One run is one small file in FOLDER/runs: a killed run goes on where it
was, and runs of other code or weights are not mixed in.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ffr.segmentation.weights import best_device
from validation.repeatability_case import FIRST_SEED, diseased, keep_run, kept_runs, run_job
from validation.repeatability_picture import draw
from validation.repeatability_report import markdown, report, write
from validation.repeatability_scans import CHANGES, REFERENCE, REPEATS, SIZE, SPACING_MM
from validation.repeatability_statistics import rows
from validation.segmentation_case import state
from validation.segmentation_jobs import side_by_side
from validation.setting import setting

MEASURING = tuple(f"repeatability_{x}" for x in ("case", "files", "places", "scans"))
COMMAND = "python -m validation repeatability"
log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the runs that are not there yet, and report."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    folder = given.out / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    key = state((*SIZE, *SPACING_MM), MEASURING)
    seeds = diseased(given.patients, given.first_seed)
    jobs = [(s, c) for s in seeds for c in (REFERENCE, *REPEATS, *CHANGES)]
    if not given.only_report:
        there = kept_runs(folder, key, jobs)
        left = [job for job in jobs if job not in there]
        log.info("%d of %d runs are there", len(there), len(jobs))
        side_by_side(run_job, left, given.jobs, partial(keep_run, folder, key))
    runs = kept_runs(folder, key, jobs)
    made = report(
        runs, rows(runs, tuple(CHANGES)), seeds, setting(COMMAND, arguments, best_device())
    )
    write(made, given.out)
    draw(made.rows, given.out / "repeatability.png")
    print(f"{len(runs)} of {len(jobs)} runs\n\n{markdown(made)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument(
        "--jobs", type=int, default=1, help="processes of one thread, 4 GB each"
    )
    parser.add_argument("--out", type=Path, default=Path("out/repeatability"))
    parser.add_argument("--only-report", action="store_true", help="run nothing")
    return parser


if __name__ == "__main__":
    main()
