"""How does a case die with its worker? `python -m ffr.batch.leash PARENT COMMAND ...`.

The kernel kills the command when the process that asked for it is gone, however it went.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
FIRST_TO_GO = "800"  # of 1000: short of memory, the system ends a case, not its worker


def main() -> None:
    """Become the command; it keeps this process, its number and the leash."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)  # gone before the leash was on
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
