"""How are many held-out patients run side by side? One process of one thread for each job."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from validation.held_out import run_case
from validation.segmentation_case import save_case

ONE_THREAD = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)  # fmt: skip
Job = tuple[int, str]  # seed and kind of imaging
log = logging.getLogger(__name__)


def run(
    jobs: Sequence[Job], processes: int, out: Path, key: str, size: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
) -> None:  # fmt: skip
    """Run jobs in processes of one thread each; every finished one is kept at once."""
    if not jobs:
        return
    for name in ONE_THREAD:  # before the processes start: libraries read it once
        os.environ[name] = "1"
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, fresh, _one_thread) as pool:
        made = {pool.submit(run_case, *job, size, spacing_mm): job for job in jobs}
        for number, done in enumerate(as_completed(made), 1):
            seed, imaging = made[done]
            if error := done.exception():
                log.error("%d %s could not be compared: %r", seed, imaging, error)
                continue
            case = done.result()
            save_case(out, case, key)
            log.info(
                "%d/%d: %d %s, %.0f s %s", number, len(jobs), seed, imaging, case.processor_s,
                case.failure or ", ".join(case.lacking),
            )  # fmt: skip


def _one_thread() -> None:
    import torch  # the parent may only want the table

    torch.set_num_threads(1)
