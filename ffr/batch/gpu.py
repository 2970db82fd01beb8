"""Whose turn is it on the GPU? One case at a time on each, the others wait."""

from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ffr.batch.locks import locked

PLACE = Path(tempfile.gettempdir())  # of the machine, as the GPU is; a run has its own
PAUSE_S = 0.2


@contextlib.contextmanager
def gpu_turn() -> Iterator[None]:
    """Within this block networks run on a GPU that no other case uses, if there is any."""
    torch = importlib.import_module("ffr.segmentation.weights").torch
    if not torch.cuda.is_available():
        yield
        return
    count = range(torch.cuda.device_count())
    # numbers differ between jobs of a cluster, the card's own name does not
    names = [str(torch.cuda.get_device_properties(i).uuid) for i in count]
    with turn(PLACE, names) as number:
        torch.cuda.set_device(number)
        try:
            yield
        finally:
            torch.cuda.empty_cache()


@contextlib.contextmanager
def turn(place: Path, names: Sequence[str]) -> Iterator[int]:
    """Wait for the first of the named devices that is free; give its number."""
    paths = [place / f"ffr-gpu-{os.getuid()}-{name}.lock" for name in names]
    while True:
        for number, path in enumerate(paths):
            with locked(path, 0.0) as handle:
                if handle is not None:
                    yield number
                    return
        time.sleep(PAUSE_S)
