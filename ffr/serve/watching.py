"""How do studies come in by a folder? What is there whole is moved into the store.

An entry that has not changed for the settle time is whole. Each CT image of it is first on
the disk of the store and then removed here, so a kill in between loses nothing, and what is
found again changes nothing. Whatever else is there stays where it is.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ffr.batch.cases import fingerprint
from ffr.errors import ConfigError, StudyError
from ffr.reading.archive import unpack
from ffr.serve.errors import NoRoomError, UnwantedError
from ffr.serve.places import flushed
from ffr.serve.store import Store

logger = logging.getLogger(__name__)


class Watch:
    """A folder into which studies are moved: folders, zips or single files."""

    def __init__(self, folder: Path, store: Store, settle_s: float) -> None:
        require_folder(folder, store.places.out)
        self._folder, self._store, self._settle_s = folder, store, settle_s
        self._seen: dict[str, tuple[str, float]] = {}  # fingerprint, and since when
        self._left: dict[str, str] = {}  # what held no more images, as it was

    def look(self) -> None:
        """Take what is whole now."""
        names = sorted(p.name for p in self._folder.iterdir() if not p.name.startswith("."))
        for memory in (self._seen, self._left):
            for gone in set(memory) - set(names):
                del memory[gone]
        for name in names:
            self._look_at(name)

    def _look_at(self, name: str) -> None:
        entry = self._folder / name
        now, content = time.monotonic(), fingerprint(entry)
        if self._left.get(name) == content:
            return
        before, since = self._seen.get(name, ("", now))
        if before != content:
            self._seen[name] = (content, now)
        elif now - since >= self._settle_s:
            if self._take(entry):
                self._left[name] = fingerprint(entry)
            self._seen.pop(name, None)

    def _take(self, entry: Path) -> bool:
        """Move the images of an entry; tell whether all of them are moved."""
        studies: set[str] = set()
        others = 0
        try:
            for path in _files(entry):
                found, unwanted = self._take_file(path)
                studies |= found
                others += unwanted
        except NoRoomError as error:
            logger.warning("watch folder: %s; tried again", error)
            return False
        _remove_empty(entry)
        self._store.complete(studies)
        if others:
            logger.warning("watch folder: left %d files that are no CT images", others)
        return True

    def _take_file(self, path: Path) -> tuple[set[str], int]:
        """Move an image or a zip of images; give their studies, and how many are none."""
        incoming = self._store.places.incoming
        if path.suffix.lower() != ".zip":
            study = self._kept(path)
            if study is None:
                return set(), 1
            path.unlink()
            return {study}, 0
        with tempfile.TemporaryDirectory(prefix="zip-", dir=incoming) as folder:
            try:
                kept = [self._kept(p) for p in unpack(path, Path(folder), lambda _: None)]
            except StudyError:
                return set(), 1
        studies = {study for study in kept if study is not None}
        if studies:
            path.unlink()
        return studies, 0 if studies else 1

    def _kept(self, path: Path) -> str | None:
        """Copy a file to its place in the store; None if it is no CT image."""
        if self._store.full():
            raise NoRoomError("the disk is too full")
        handle, name = tempfile.mkstemp(dir=self._store.places.incoming)
        os.close(handle)
        copy = Path(name)
        try:
            shutil.copyfile(path, copy)
            return self._store.keep(copy)
        except UnwantedError:
            return None
        finally:
            copy.unlink(missing_ok=True)


def require_folder(folder: Path, out: Path) -> None:
    """Check that a folder can be watched.

    Raises
    ------
    ConfigError
        It is not there, may not be changed, or has to do with the folder of the service.
    """
    if not folder.is_dir():
        raise ConfigError("the --watch folder does not exist; make it first")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigError("the --watch folder may not be read and written; check its owner")
    one, other = folder.resolve(), out.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise ConfigError("--watch and --out lie in one another; give folders apart")


def _files(entry: Path) -> Iterator[Path]:
    """Give the plain files of an entry: neither links, which lead elsewhere, nor devices."""
    if stat.S_ISREG(entry.lstat().st_mode):
        yield entry
    elif not entry.is_symlink():
        for parent, folders, names in os.walk(entry):
            folders.sort()
            for path in (Path(parent, name) for name in sorted(names)):
                if stat.S_ISREG(path.lstat().st_mode):
                    yield path


def _remove_empty(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        for parent, _, names in os.walk(entry, topdown=False):
            if not names and not os.listdir(parent):
                os.rmdir(parent)
    if entry.parent.is_dir():
        flushed(entry.parent)
