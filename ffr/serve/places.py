"""Where does the service keep what? All below one folder, readable by its owner only.

OUT/studies/HASH/HASH.dcm   objects as received: one folder per study, by hashes of their UIDs
OUT/jobs/0007/study/        the objects that job 7 is about: links, so later ones do not mix in
OUT/runs/cases/0007/        the finished run of job 7, as of `ffr run`, with DICOM objects
OUT/queue.sqlite            which job is in which state, which object has been sent
OUT/incoming/               what is being received; empty after a start
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ffr.batch import cases
from ffr.batch.locks import locked
from ffr.errors import ConfigError
from ffr.results.stages import OBJECTS

QUEUE = "queue.sqlite"
LOCK = "serve.lock"
LOCK_PATIENCE_S = 2.0  # one that was killed just now
NO_FOLDER = "no folder for the service can be made there ({}); give another --out"


@dataclass(frozen=True, slots=True)
class Places:
    """The folder of a service; a printed one does not tell its path."""

    out: Path = field(repr=False)

    @property
    def incoming(self) -> Path:
        """Where objects are written until they are whole."""
        return self.out / "incoming"

    @property
    def studies(self) -> Path:
        """Where objects are kept, by study."""
        return self.out / "studies"

    @property
    def jobs(self) -> Path:
        """Where the objects of each job are, by number."""
        return self.out / "jobs"

    @property
    def runs(self) -> Path:
        """Where jobs are worked on and kept: the folder of a batch."""
        return self.out / "runs"

    @property
    def queue(self) -> Path:
        """The file of all states."""
        return self.out / QUEUE

    def job(self, number: int) -> Path:
        """Return the folder of a job's objects."""
        return self.jobs / numbered(number)

    def case(self, number: int) -> Path:
        """Return where the finished run of a job is."""
        return self.runs / cases.CASES / numbered(number)

    def objects(self, number: int) -> Path:
        """Return where the DICOM objects of a finished run are."""
        return self.case(number) / OBJECTS


def numbered(number: int) -> str:
    """Return the name of a job's folders."""
    return f"{number:04d}"


@contextlib.contextmanager
def opened(out: Path) -> Iterator[Places]:
    """Make the folder of a service, keep other services out, and clear what is unfinished.

    Raises
    ------
    ConfigError
        It is a file, holds something else, cannot be made, or another service has it.
    """
    places = Places(out.absolute())
    _require_ours(places)
    try:
        for folder in (places.out, places.incoming, places.studies, places.jobs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
        cases.prepare(places.runs)
    except OSError as error:
        raise ConfigError(NO_FOLDER.format(error.strerror)) from error
    with locked(places.out / LOCK, LOCK_PATIENCE_S) as handle:
        if handle is None:
            raise ConfigError("another ffr serve has this folder; give another --out")
        empty(places.incoming)
        yield places


def _require_ours(places: Places) -> None:
    out = places.out
    if out.exists() and not out.is_dir():
        raise ConfigError("the folder of the service is a file; give a folder with --out")
    try:
        foreign = out.is_dir() and any(out.iterdir()) and not places.studies.is_dir()
    except OSError as error:
        raise ConfigError(NO_FOLDER.format(error.strerror)) from error
    if foreign:
        message = "the folder is not empty and is of no ffr serve; give a new one with --out"
        raise ConfigError(message)


def empty(folder: Path) -> None:
    """Remove what a killed service has left."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def flushed(place: Path) -> None:
    """Wait until a file, or the list of a folder's names, is on the disk."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def free_bytes(folder: Path) -> int:
    """Return how much a disk can still take."""
    return shutil.disk_usage(folder).free
