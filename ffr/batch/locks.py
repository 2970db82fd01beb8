"""Who works on what? A file locked by the worker and its case, free when both are gone.

The lock is the kernel's (flock): no clock, no heartbeat, nothing stale after a crash. Nodes
that share a result folder need a file system on which such locks hold between nodes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from ffr.errors import ConfigError

PAUSE_S = 0.05
NO_LOCKS = "the disk of --out has no file locks, so cases could be done twice; give another"


@contextlib.contextmanager
def locked(path: Path, patience_s: float) -> Iterator[int | None]:
    """Lock a file, made if need be; give its handle, or None when others keep it that long.

    A child that inherits the handle keeps the lock too. The file may be removed under the lock.

    Raises
    ------
    ConfigError
        The disk has no locks.
    """
    until = time.monotonic() + patience_s
    while (handle := _lock(path)) is None and time.monotonic() < until:
        time.sleep(PAUSE_S)
    try:
        yield handle
    finally:
        if handle is not None:
            os.close(handle)


def require_locks(folder: Path) -> None:
    """Check that a lock taken twice is refused once.

    Raises
    ------
    ConfigError
        The disk has no locks.
    """
    probe = folder / f"probe-{os.uname().nodename}-{os.getpid()}.lock"
    with locked(probe, 0.0):
        with locked(probe, 0.0) as second:
            works = second is None
        probe.unlink(missing_ok=True)
    if not works:
        raise ConfigError(NO_LOCKS)


def _lock(path: Path) -> int | None:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), path.stat()):
            return handle
    except FileNotFoundError:
        pass  # removed by the one before, who has finished with it
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            os.close(handle)
            raise ConfigError(NO_LOCKS) from error
    os.close(handle)
    return None
