"""How well are vessels found and measured on virtual patients that training never saw?

    python -m validation segmentation --patients 100 --jobs 4
    python -m validation segmentation --patients 100 --only-table --picture FOLDER

One scan of one patient is one job and one small file in the folder `--out`, so a killed run
goes on where it was; cases of other code, weights or grid are not mixed in. The table is made
of what is there.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

from ffr.segmentation.weights import NETWORKS, best_device, load_network
from validation.held_out import IMAGING
from validation.segmentation_case import Case, case_file, load_cases, state
from validation.segmentation_jobs import run
from validation.segmentation_pictures import draw
from validation.segmentation_tables import (
    all_lines,
    by_imaging,
    by_scanner,
    diameter_table,
    rival_table,
    stenosis_table,
    target_table,
)
from validation.segmentation_worst import failures, medians, worst_courses, worst_ffr
from validation.setting import setting

SIZE = (400, 400, 240)
SPACING_MM = (0.5, 0.5, 0.5)
log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the cases that are not there yet and print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m validation segmentation", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=1_000_200)
    parser.add_argument(
        "--imaging", nargs="+", choices=sorted(IMAGING), default=sorted(IMAGING)
    )
    parser.add_argument("--size", nargs=3, type=int, default=SIZE, metavar=("I", "J", "K"))
    parser.add_argument("--spacing-mm", nargs=3, type=float, default=SPACING_MM)
    parser.add_argument("--out", type=Path, default=Path("out/segmentation"))
    parser.add_argument(
        "--jobs", type=int, default=1, help="processes of one thread, 3 GB each"
    )
    parser.add_argument("--only-table", action="store_true", help="run nothing")
    parser.add_argument("--picture", type=Path, metavar="FOLDER")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    given.out.mkdir(parents=True, exist_ok=True)
    seeds = range(given.first_seed, given.first_seed + given.patients)
    key = state((*given.size, *given.spacing_mm))
    jobs = list(product(seeds, given.imaging))
    if not given.only_table:
        left = [j for j in jobs if not case_file(given.out, *j, key).exists()]
        log.info("%d of %d cases are there", len(jobs) - len(left), len(jobs))
        run(left, given.jobs, given.out, key, tuple(given.size), tuple(given.spacing_mm))
    wanted = set(jobs)
    cases = [c for c in load_cases(given.out, key) if (c.seed, c.imaging) in wanted]
    print(setting("python -m validation segmentation", arguments, best_device()))
    weights = ", ".join(f"{n} {load_network(n, 'cpu').sha256[:12]}" for n in NETWORKS)
    print(f"{len(cases)} of {len(jobs)} cases. State {key}; weights: {weights}.")
    print("\n".join(report(cases)))
    if given.picture and cases:
        for path in draw(cases, given.picture):
            log.info("drew %s", path.name)


def report(cases: Sequence[Case]) -> Iterable[str]:
    """Yield all tables as markdown."""
    if not cases:
        yield "\nNothing to show."
        return
    imaging, lines = by_imaging(cases), all_lines()
    yield from ("\n## Beside the targets", "", "In brackets: 95 % interval over patients.", "")
    yield from target_table(imaging, lines)
    scanners = by_scanner(cases)
    if scanners:
        yield from ("\n## Random imaging, by blur, noise and veins", "")
        yield from target_table(scanners, lines)
    for name, own in imaging.items():
        yield from (f"\n## {name}", "", *diameter_table(own), "", *stenosis_table(own), "")
        yield from (*rival_table(own), "", medians(own), "")
    yield from ("\n## What went wrong", "", *failures(cases), "", *worst_courses(cases), "")
    yield from worst_ffr(cases)


if __name__ == "__main__":
    main()
