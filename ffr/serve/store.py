"""How does an object get into its study? Whole and on the disk, or not at all."""

from __future__ import annotations

import contextlib
import filecmp
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from weakref import WeakKeyDictionary

from ffr.serve.errors import NoRoomError
from ffr.serve.objects import identity
from ffr.serve.places import Places, flushed, free_bytes

MOST_OBJECTS = 50_000  # of a study; one of 20 phases has 10 000
HELD_S = 60.0  # an open association may be kept for other studies, or for none


class Store:
    """All studies that were received.

    Parameters
    ----------
    places
        Where.
    study_bytes
        The most a study may hold.
    spare_bytes
        What must stay free on the disk.
    free
        How much is free; what a test replaces.
    """

    def __init__(
        self, places: Places, study_bytes: int, spare_bytes: int,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:  # fmt: skip
        self.places = places
        self.lock = threading.Lock()  # held while studies change, or are made into jobs
        self._study_bytes, self._spare_bytes, self._free = study_bytes, spare_bytes, free
        began = time.monotonic()
        # since when a study is quiet; all wait anew after a start, none is forgotten
        self._changed = {path.name: began for path in places.studies.iterdir()}
        # the study of the last object of each association that is open
        self._coming: WeakKeyDictionary[object, str] = WeakKeyDictionary()

    def full(self) -> bool:
        """Tell whether the disk takes no more."""
        return self._free(self.places.out) < self._spare_bytes

    def keep(self, temporary: Path, sender: object | None = None) -> str:
        """Move a file, written beside the studies, to its place; return its study.

        Its study is not quiet while `sender`, an association, is in the middle of it: until it
        goes on to another study, is `gone`, or brings nothing for `HELD_S`.

        It is on the disk on return. An object that is there already, byte for byte, changes
        nothing: what is sent twice is analysed once.

        Raises
        ------
        UnwantedError
            As in `ffr.serve.objects.identity`.
        NoRoomError
            No room on the disk or in the study.
        OSError
            The disk has failed.
        """
        if self.full():
            raise NoRoomError("the disk is too full")
        who = identity(temporary)
        flushed(temporary)
        with self.lock:
            if sender is not None:
                self._coming[sender] = who.study
            folder = self.places.studies / who.study
            place = folder / f"{who.object}.dcm"
            if place.exists() and filecmp.cmp(temporary, place, shallow=False):
                temporary.unlink()
                return who.study
            try:
                self._put(temporary, folder, place)
            except OSError:
                if not temporary.exists():  # no success, but it is there, and so will be a job
                    self._changed[who.study] = time.monotonic()
                with contextlib.suppress(OSError):  # of a folder that is not empty
                    folder.rmdir()
                raise
            self._changed[who.study] = time.monotonic()
        return who.study

    def _put(self, temporary: Path, folder: Path, place: Path) -> None:
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
            flushed(self.places.studies)
        self._require_room(folder, temporary.stat().st_size)
        temporary.chmod(0o600)
        os.replace(temporary, place)
        flushed(folder)

    def _require_room(self, folder: Path, more_bytes: int) -> None:
        with os.scandir(folder) as entries:
            sizes = [entry.stat().st_size for entry in entries]
        if sum(sizes) + more_bytes > self._study_bytes or len(sizes) >= MOST_OBJECTS:
            raise NoRoomError("the study is larger than --study-limit-gb")

    def gone(self, sender: object) -> None:
        """Say that an association has ended; what it brought settles as usual."""
        with self.lock:
            self._coming.pop(sender, None)

    def complete(self, studies: Iterable[str]) -> None:
        """Say that no more objects of these studies are expected."""
        with self.lock:
            for study in studies:
                if study in self._changed:
                    self._changed[study] = float("-inf")

    def changing(self) -> int:
        """Return how many studies wait for their last object."""
        with self.lock:
            return len(self._changed)

    def is_changing(self, study: str) -> bool:
        """Tell whether a study waits for its last object; the caller holds the lock."""
        return study in self._changed

    def quiet(self, settle_s: float) -> list[str]:
        """Return the studies that have not changed for so long, the first one first."""
        with self.lock:
            found = [
                (since, study)
                for study, since in self._changed.items()
                if self.still_quiet(study, settle_s)
            ]
        return [study for _, study in sorted(found)]

    def still_quiet(self, study: str, settle_s: float) -> bool:
        """Tell the same of one study; the caller holds the lock."""
        wait_s = max(settle_s, HELD_S) if study in self._coming.values() else settle_s
        return self._changed.get(study, float("inf")) <= time.monotonic() - wait_s

    def settled(self, study: str) -> None:
        """Forget a study until it changes; the caller holds the lock."""
        self._changed.pop(study, None)
