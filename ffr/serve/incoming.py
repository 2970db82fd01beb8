"""Where is an object while it is received? In a file; where the disk fails, nowhere.

pynetdicom writes it in the thread that reads from the network, which an error would end: no
answer, and half of the object left behind. So an error is kept for the answer instead.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


class Incoming:
    """Stands in for the temporary file that pynetdicom writes an object to; raises nothing.

    `name` is the file's path. `trouble` says why not all of the object is in it, "" if it is;
    what there was is removed at once, so that a full disk has that room again.
    """

    def __init__(self, folder: Path) -> None:
        self.name, self.trouble = str(folder / "none"), ""
        self._handle: int | None = None
        try:
            self._handle, self.name = tempfile.mkstemp(dir=folder, suffix=".dcm")
        except OSError as error:
            self._give_up(error)

    @property
    def file(self) -> Incoming:
        """Return what is flushed."""
        return self

    def write(self, data: bytes) -> int:
        """Write bytes, all of them or none."""
        left = memoryview(data)
        while self._handle is not None and left:
            try:
                left = left[os.write(self._handle, left) :]
            except OSError as error:
                self._give_up(error)
        return len(data)

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def close(self) -> None:
        """Close the file; it stays."""
        handle, self._handle = self._handle, None
        if handle is not None:
            try:
                os.close(handle)
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.trouble = error.strerror or "the disk fails"
        self.close()
        with contextlib.suppress(OSError):
            os.unlink(self.name)
