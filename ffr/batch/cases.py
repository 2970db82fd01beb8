"""Which case has which number, where does it lie, and how did it end? All read from the disk.

OUT/index.csv        which study has which number; the only file that names studies
OUT/cases/0007/      a case that has ended, whole: the folder of an `ffr run`, and case.json
OUT/work/0007/       a case at work; OUT/work/0007.lock is locked by whoever works on it
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ffr.batch.locks import locked, require_locks
from ffr.batch.studies import Listed
from ffr.errors import ConfigError
from meshes.writing import replacing, write_text

INDEX, CASES, WORK = "index.csv", "cases", "work"
VERDICT, LOG = "case.json", "log.txt"
MISSING = "missing"  # the fingerprint of what is not there
INDEX_PATIENCE_S = 20.0
FORMAT = 1  # of case.json; another number is no verdict


@dataclass(frozen=True, slots=True)
class Case:
    """A study with its number; a printed one does not tell whose it is.

    Parameters
    ----------
    number
        Name of its folder.
    listed
        Study, series and patient values.
    weights
        Folder of own weights.
    fingerprint
        Of the study's and the weights' files: names, sizes, dates.
    again
        `Verdict.ended` of a verdict that is to be replaced.
    """

    number: str
    listed: Listed = field(repr=False)
    weights: Path | None = field(repr=False)
    fingerprint: str
    again: str = ""

    def request(self) -> dict[str, Any]:
        """Return what a result follows from, as JSON can hold it."""
        return {
            "study": str(self.listed.study), "series": self.listed.series,
            "patient": dict(self.listed.patient),
            "weights": None if self.weights is None else str(self.weights),
        }  # fmt: skip

    def digest(self) -> str:
        """Return a hash of the request and the files; a verdict stands while it is the same."""
        text = json.dumps([self.request(), self.fingerprint], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a case has ended.

    Parameters
    ----------
    state
        "done" or "failed".
    reason
        Short stable name of why it failed, such as "slices-missing"; "" when done.
    message
        One line: what, and what to do.
    wall_s
        How long it took.
    peak_memory_mb
        The most it held, as seen several times per second.
    digest
        `Case.digest` of the case it is about.
    ended
        When: date and time, UTC.
    """

    state: Literal["done", "failed"]
    reason: str
    message: str
    wall_s: float
    peak_memory_mb: int
    digest: str
    ended: str


def fingerprint(place: Path) -> str:
    """Return a hash of names, sizes and dates of a study's files, without opening any."""
    if not place.exists():
        return MISSING
    files = [place] if not place.is_dir() else []
    for parent, folders, names in os.walk(place):
        folders.sort()
        files += [Path(parent, name) for name in sorted(names) if not name.startswith(".")]
    digest = hashlib.sha256()
    for file in files:
        with contextlib.suppress(OSError):  # gone, or a link to nowhere
            seen = file.stat()
            name = os.path.relpath(file, place)
            digest.update(f"{name}\0{seen.st_size}\0{seen.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def prepare(out: Path) -> None:
    """Make the folder of a batch, readable by its owner only.

    Raises
    ------
    ConfigError
        It is a file, holds something else, cannot be made, or has a disk without locks.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError("the result folder is a file; give a folder with --out")
    if out.is_dir() and any(out.iterdir()) and not (out / CASES).is_dir():
        message = "the result folder is not empty and holds no batch; give a new one with --out"
        raise ConfigError(message)
    try:
        for folder in (out, out / WORK, out / CASES):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        require_locks(out / WORK)
    except OSError as error:
        message = f"no result folder can be made there ({error.strerror}); give another --out"
        raise ConfigError(message) from error


def numbered(
    out: Path, studies: Sequence[Listed], weights: Path | None, prints: Sequence[str]
) -> list[Case]:
    """Give each study the number it has had before, or a new one; `prints` as `fingerprint`.

    Raises
    ------
    ConfigError
        The index is damaged.
    """
    lock = out / WORK / "index.lock"
    with locked(lock, INDEX_PATIENCE_S) as handle:
        if handle is None:
            raise ConfigError("another ffr keeps the index of this result folder; try again")
        known = _read_index(out / INDEX)
        for one in studies:
            known.setdefault(str(one.study), f"{len(known) + 1:04d}")
        _write_index(out / INDEX, known)
        lock.unlink()
    pairs = zip(studies, prints, strict=True)
    return [Case(known[str(one.study)], one, weights, seen) for one, seen in pairs]


def _read_index(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        # names of folders need not be UTF-8
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = [(row["study"], row["case"]) for row in csv.DictReader(file)]
    except (KeyError, csv.Error) as error:
        raise ConfigError(
            f"{INDEX} of the result folder is damaged; give a new --out"
        ) from error
    if sorted(number for _, number in rows) != [f"{i + 1:04d}" for i in range(len(rows))]:
        raise ConfigError(f"{INDEX} of the result folder is damaged; give a new --out")
    return dict(rows)


def _write_index(path: Path, known: Mapping[str, str]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("case", "study"))
    writer.writerows((number, study) for study, number in known.items())
    with replacing(path) as temporary:
        temporary.write_bytes(text.getvalue().encode(errors="surrogateescape"))
        _flush(temporary)
    path.chmod(0o600)  # it names studies; a folder that was there may be open to others


def verdict_of(out: Path, case: Case) -> Verdict | None:
    """Return how a case has ended; None if not yet, or if it was about something else."""
    try:
        found = json.loads((out / CASES / case.number / VERDICT).read_text(encoding="utf-8"))
        known = found.pop("format") == FORMAT and found["digest"] == case.digest()
        return Verdict(**found) if known and found["ended"] != case.again else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def work_folder(out: Path, case: Case) -> Path:
    """Return where a case is worked on."""
    return out / WORK / case.number


def commit(out: Path, case: Case, verdict: Verdict) -> None:
    """Let the finished work of a case take its place, with the verdict, in one step.

    All of it is on the disk before: not even a power cut leaves a verdict on half a result.
    """
    folder, place = work_folder(out, case), out / CASES / case.number
    facts = {"format": FORMAT, **asdict(verdict)}
    write_text(folder / VERDICT, json.dumps(facts, indent=1) + "\n")
    for parent, _, names in os.walk(folder):
        for name in (".", *names):
            _flush(Path(parent, name))
    old = folder.with_suffix(".old")
    with contextlib.suppress(FileNotFoundError):
        place.replace(old)
    folder.replace(place)
    shutil.rmtree(old, ignore_errors=True)


def clear(out: Path, case: Case) -> Path:
    """Remove what a killed worker has left of a case; give its empty work folder."""
    folder = work_folder(out, case)
    for left in (folder, folder.with_suffix(".old")):
        if left.exists():
            shutil.rmtree(left)
    folder.mkdir(mode=0o700)
    return folder


def _flush(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # of folders on some network disks
            os.fsync(handle)
    finally:
        os.close(handle)
