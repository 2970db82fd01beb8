"""Unfinished work on disk: how its folders are named, and how they are cleared away.

Imports nothing heavy: it must run within a blink when a run is interrupted.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ffr.errors import ConfigError

PARTIAL = ".partial-"


@contextlib.contextmanager
def claimed(out: Path) -> Iterator[None]:
    """Keep other runs out of `out`; temporary files go into it and are gone afterwards.

    Raises
    ------
    ConfigError
        Another run works in `out`.
    """
    folder = out / "stages"
    with _locked(folder) as free:
        if not free:
            message = "another ffr works in this result folder; wait, or give another --out"
            raise ConfigError(message)
        before = tempfile.tempdir
        tempfile.tempdir = tempfile.mkdtemp(prefix=PARTIAL, dir=folder)
        try:
            yield
        finally:
            tempfile.tempdir = before
            _clear(folder)


def remove_partial(out: Path) -> None:
    """Remove what a killed run has left unfinished below `out`, if no other run works there."""
    folder = out / "stages"
    with contextlib.suppress(OSError), _locked(folder) as free:
        if free:
            _clear(folder)


def _clear(folder: Path) -> None:
    for found in folder.glob(PARTIAL + "*"):
        shutil.rmtree(found, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Lock a folder until the process ends at the latest; False when another has it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # some network file systems have no locks: go on without
            yield error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
        else:
            yield True
    finally:
        os.close(handle)
