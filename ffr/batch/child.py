"""What does one case do? All stages, in a process of its own: `python -m ffr.batch.child`.

The request comes as JSON on standard input: on a command line everyone could read it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ffr.guard import reported
from ffr.partial import claimed
from ffr.supervise import without_paths

logger = logging.getLogger(__name__)


def main(work: Callable[[dict[str, Any]], None] | None = None) -> int:
    """Analyse the study of the request; a refusal is one line and exit code 2.

    `work` is done with the request in place of `analyse`, where it is given.
    """
    request = json.load(sys.stdin)
    paths = [request[name] for name in ("study", "out", "weights") if request[name]]
    sys.argv = ["ffr", "batch", *paths]  # what no error repeats: see `without_paths`
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        return reported(lambda: (work or analyse)(request))
    except Exception:
        sys.stderr.write(without_paths(traceback.format_exc()))
        return 1


def analyse(request: dict[str, Any]) -> None:
    """Go through all stages; the request as of `ffr.batch.cases.Case`, with `out`."""
    from ffr import workflow  # heavy
    from ffr.batch.gpu import gpu_turn
    from ffr.circulation.patient import patient_from
    from ffr.results.result_folder import prepared

    study, out = Path(request["study"]), Path(request["out"])
    weights = None if request["weights"] is None else Path(request["weights"])
    known = patient_from(request["patient"], "patient")
    with compiled_in_turn(), prepared(out, study), claimed(out):
        with _timed("scan"):
            workflow.read_scan(study, out, request["series"], _quiet)
        with gpu_turn():
            with _timed("segment"):
                workflow.segment(out, _quiet, weights)
            with _timed("tree"):
                workflow.tree(out, _quiet, weights)
        with _timed("solve"):
            workflow.solve(out, known, _quiet)
        with _timed("report"):
            workflow.report(out, _quiet)


def _quiet(_: float) -> None:
    pass


@contextlib.contextmanager
def _timed(stage: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    logger.info("stage %s: %.1f s", stage, time.monotonic() - began)


@contextlib.contextmanager
def compiled_in_turn() -> Iterator[None]:
    """Let cases that compile a kernel at one time write its machine code one after the other.

    numba numbers the files without a lock: two of one number could be taken for each other.
    """
    from numba.core.caching import IndexDataCacheFile

    save = IndexDataCacheFile.save

    def save_alone(self: Any, key: Any, data: Any) -> None:
        handle = os.open(self._cache_path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with contextlib.suppress(OSError):  # a disk without locks: as it was
                fcntl.flock(handle, fcntl.LOCK_EX)
            save(self, key, data)
        finally:
            os.close(handle)

    IndexDataCacheFile.save = save_alone
    try:
        yield
    finally:
        IndexDataCacheFile.save = save


if __name__ == "__main__":
    sys.exit(main())
