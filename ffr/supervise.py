"""Run long work in a child process, so that Ctrl-C works even inside compiled code.

A signal reaches Python only between bytecodes, and a compiled kernel can run for seconds.
The parent does nothing but wait: on Ctrl-C it ends the child at once and clears away what
is unfinished. Stages are whole or absent by construction, so nothing else is needed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Callable

INTERRUPTED = 130  # 128 + SIGINT, what shells expect
_PR_SET_PDEATHSIG = 1


def supervised(work: Callable[[], int], clean: Callable[[], None]) -> int:
    """Fork, do `work` in the child, and return its exit code.

    Call before threads exist and before numpy is imported. On SIGINT or SIGTERM the child
    is killed, `clean` is called, and `INTERRUPTED` is returned.
    """
    stop = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)  # the terminal's Ctrl-C goes to the parent alone
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # die with the parent
        signal.pthread_sigmask(signal.SIG_UNBLOCK, stop)
        code = 1
        try:
            code = work()
        finally:
            os._exit(code)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # lets sigtimedwait see the child's end
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) if status >= 0 else 1
        caught = signal.sigtimedwait([*stop, signal.SIGCHLD], 0.5)
        if caught is not None and caught.si_signo in stop:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            clean()
            return INTERRUPTED
