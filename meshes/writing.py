"""How is a file written? Whole or not at all, with an error that says why not."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path, private: bool = False) -> Iterator[Path]:
    """Give a temporary file beside `path` that takes its place once written without error.

    `private`: only its owner can read it.

    Raises
    ------
    OSError
        The file cannot be written; it names `path`, not the temporary file.
    """
    temporary = None
    try:
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        if not private:
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)
        os.replace(temporary, path)
    except OSError as error:
        code = error.errno
        if code is None and "requested and" in str(error):
            code = errno.ENOSPC  # numpy's "1977 requested and 237 written"
        if code is None:
            raise
        raise OSError(code, os.strerror(code), str(path)) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str, private: bool = False) -> None:
    """Write a text file in UTF-8 with line feeds; `private`: for its owner only.

    Raises
    ------
    OSError
        As in `replacing`.
    """
    with replacing(path, private) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
