"""How is long work stopped at once? It runs in a child process, which can be ended anywhere.

A signal reaches Python only between bytecodes, and a compiled kernel can run for seconds.
The parent does nothing but wait: on Ctrl-C it ends the child at once and clears away what
is unfinished. Stages are whole or absent by construction, so nothing else is needed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator

INTERRUPTED = 130  # 128 + SIGINT, what shells expect
STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PAUSE = signal.SIGTSTP  # Ctrl-Z
_PR_SET_PDEATHSIG = 1


def supervised(work: Callable[[], int], clean: Callable[[], None]) -> int:
    """Fork, do `work` in the child, and return its exit code.

    Call before threads exist and before numpy is imported. On Ctrl-C, SIGTERM or a closed
    terminal the child is killed, `clean` is called, and `INTERRUPTED` is returned; a signal
    that was ignored (nohup, background jobs of scripts) stays so. An exception in `work` is
    printed with its traceback and gives 1; a child that a signal killed gives 128 + its
    number, as in shells. Handlers and signal mask are as before on return.
    """
    heard = {s for s in (*STOP, PAUSE) if signal.getsignal(s) is not signal.SIG_IGN}
    _flush()  # what is buffered now would be printed by both
    with _waiting_for(heard) as mask:
        child = os.fork()
        if child == 0:
            _become_child(mask)
            os._exit(_exit_code(work))
        with contextlib.suppress(OSError):  # the child does the same; whoever is first
            os.setpgid(child, child)
        code = _wait(child, heard)
        if code is None:
            _end(child)
            clean()
            return INTERRUPTED
    return code


@contextlib.contextmanager
def _waiting_for(heard: set[signal.Signals]) -> Iterator[set[int]]:
    """Hold back the signals that `sigtimedwait` is to see; give the mask from before."""
    # a handler, even an empty one: an ignored SIGCHLD would take the exit code with it
    handler = signal.signal(signal.SIGCHLD, lambda *_: None)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {*heard, signal.SIGCHLD})
    try:
        yield mask
    finally:
        while signal.sigtimedwait([signal.SIGCHLD], 0) is not None:
            pass
        signal.signal(signal.SIGCHLD, signal.SIG_DFL if handler is None else handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _become_child(mask: set[int]) -> None:
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)  # the terminal's Ctrl-C goes to the parent alone
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # die with the parent
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # printing must not stop a background process, even after `stty tostop`
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _exit_code(work: Callable[[], int]) -> int:
    """Do the work; a fault of ours is told in full, not lost in `os._exit`."""
    try:
        code = work()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.stderr.write(without_paths(traceback.format_exc()))
        code = 1
    try:
        _flush()
    except OSError:  # nobody reads, or the disk is full
        code = code or 1
    return code


def without_paths(text: str) -> str:
    """Leave out the paths that the user gave: folders are often named after the patient."""
    words = [word.partition("=")[2] or word for word in sys.argv[2:]]
    given = [word for word in words if word.strip("./") and os.path.exists(word)]
    forms = (str, os.path.normpath, os.path.realpath)
    paths = {form(word) for word in given for form in forms}
    for path in sorted(paths, key=len, reverse=True):
        # a bare name may be a usual word: only where it stands as a path does
        end = "" if os.sep in path else r"(?=[/'\"])"
        text = re.sub(re.escape(path) + end, "[path]", text)
    return text


def _wait(child: int, heard: set[signal.Signals]) -> int | None:
    """Return the child's exit code, or None when a signal asks to stop."""
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        caught = signal.sigtimedwait([*heard, signal.SIGCHLD], 0.5)
        if caught is not None and caught.si_signo in STOP:
            return None
        if caught is not None and caught.si_signo == PAUSE:  # both pause, both go on
            _signal_group(child, signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGSTOP)
            _signal_group(child, signal.SIGCONT)


def _end(child: int) -> None:
    _signal_group(child, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)


def _signal_group(child: int, number: signal.Signals) -> None:
    for send in (os.killpg, os.kill):  # the second reaches a child without its own group
        with contextlib.suppress(ProcessLookupError, PermissionError):
            send(child, number)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
