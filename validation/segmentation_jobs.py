"""How are many held-out patients run side by side? One process of one thread for each job."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import TypeVar

from validation.held_out import run_case
from validation.segmentation_case import Case, save_case

ONE_THREAD = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)  # fmt: skip
Job = tuple[int, str]  # seed and kind of imaging
J = TypeVar("J")
R = TypeVar("R")
log = logging.getLogger(__name__)


def run(
    jobs: Sequence[Job], processes: int, out: Path, key: str, size: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
) -> None:  # fmt: skip
    """Run scans side by side; every finished one is kept at once."""

    def keep(job: Job, case: Case) -> None:
        save_case(out, case, key)
        told = case.failure or ", ".join(case.lacking)
        log.info("%d %s, %.0f s %s", *job, case.processor_s, told)

    work = partial(_one_scan, size=size, spacing_mm=spacing_mm)
    side_by_side(work, jobs, processes, keep)


def _one_scan(
    job: Job, size: tuple[int, int, int], spacing_mm: tuple[float, float, float]
) -> Case:
    return run_case(*job, size, spacing_mm)


def side_by_side(
    work: Callable[[J], R], jobs: Sequence[J], processes: int, keep: Callable[[J, R], None]
) -> None:
    """Run jobs in processes of one thread each; one that breaks off is told and left out."""
    if not jobs:
        return
    for name in ONE_THREAD:  # before the processes start: libraries read it once
        os.environ[name] = "1"
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, fresh, _one_thread) as pool:
        made = {pool.submit(work, job): job for job in jobs}
        for number, done in enumerate(as_completed(made), 1):
            if error := done.exception():
                job = made[done]
                named = " ".join(map(str, job)) if isinstance(job, tuple) else str(job)
                log.error("%s could not be compared: %r", named, error)
                continue
            keep(made[done], done.result())
            log.info("%d of %d", number, len(jobs))


def _one_thread() -> None:
    import torch  # the parent may only want the table

    torch.set_num_threads(1)
