"""How does a verb end? With 0, or with an exit code and one clear line."""

from __future__ import annotations

import errno
import gc
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from typer.exceptions import TyperException

from ffr.errors import ConfigError, StudyError
from ffr.partial import remove_partial
from ffr.supervise import INTERRUPTED, supervised, without_paths
from meshes.errors import GeometryError
from solvers.errors import ConvergenceError, NetworkError

NO_MEMORY = "out of memory; a scan needs about 6 GB free"
NO_WORKER = "a worker process was ended by the system, most likely out of memory; free some"
MISTAKES = (ConfigError, StudyError, GeometryError, ConvergenceError, NetworkError, OSError)
SELDOM = (10_000, 20, 20)  # of Python's collector: a tenth of a start is its looking again
# and again through what libraries have made and keep
SUFFIXES = (".toml", ".json", ".html", ".vtp", ".vtu", ".stl", ".swc", ".nrrd", ".dcm", ".zip")


def guarded(out: Path | None, work: Callable[[], None]) -> int:
    """Do long work in a child and return the exit code.

    Ctrl-C ends it at once and leaves whole stages in `out`, the run's folder if there is one.
    """

    def clean() -> None:
        if out is not None:
            remove_partial(out)

    def begun() -> None:
        gc.set_threshold(*SELDOM)
        work()

    code = supervised(lambda: reported(begun), clean)
    if code == INTERRUPTED:
        kept = "" if out is None else "; finished stages are kept"
        _say(f"{_cursor()}ffr: interrupted{kept}")
    elif code > 128:
        clean()
        _say(f"{_cursor()}ffr: {_killed_by(code - 128)}")
    return code


def _cursor() -> str:
    """Return what shows the cursor again that a killed progress bar has hidden."""
    return "\x1b[?25h\n" if sys.stderr.isatty() else ""


def _killed_by(number: int) -> str:
    name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
    if number == signal.SIGKILL:
        return (
            "ended by the system, most likely out of memory: a scan needs about 6 GB; "
            "finished stages are kept (--from goes on)"
        )
    return f"crashed ({name}); a fault of ct-ffr or a library, please report it"


def typed(command: Callable[[], int | None]) -> int:
    """Run what parses the command line; words that make no sense are one line too."""
    try:
        return command() or 0
    except TyperException as error:
        return _refused(_usage(error))
    except OSError as error:  # what help or a check prints finds no room
        return _refused(_one_line(error))


def _usage(error: TyperException) -> str:
    """Say what is wrong with the words; a stray one is not repeated, it may be a path."""
    message = error.format_message()
    message = message[:1].lower() + message[1:].rstrip(".")
    _, _, near = message.partition("Did you mean ")
    if message.startswith("no such command"):
        message = f"no such verb{'; did you mean ' if near else ''}{near}"
    elif message.startswith("missing command"):
        message = "a verb is missing, as in 'ffr run STUDY --out OUT'"
    elif message.startswith("got unexpected extra argument"):
        message = "too many words; a path with blanks needs quotes"
    context = getattr(error, "ctx", None)
    return f"{message}; see '{context.command_path if context else 'ffr'} --help'"


def reported(work: Callable[[], None]) -> int:
    """Run `work`; a user's mistake is one line and exit code 2."""
    try:
        work()
    except MISTAKES as error:
        return _refused(_one_line(error))
    except MemoryError:
        return _refused(NO_MEMORY)
    except RuntimeError as error:  # what torch raises, without importing torch
        if (message := _starved(str(error))) is None:
            raise
        return _refused(message)
    except KeyboardInterrupt:
        _say("ffr: interrupted")
        return INTERRUPTED
    return 0


def _starved(text: str) -> str | None:
    """Return what to say where torch found no memory, None for other errors."""
    if "out of memory" in text or "allocate memory" in text:
        return NO_MEMORY
    gone = "is killed by signal" in text or "exited unexpectedly" in text
    return NO_WORKER if gone and text.startswith("DataLoader worker") else None


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _refused(message: str) -> int:
    _say(f"ffr: {message}")
    return 2


def _one_line(error: Exception) -> str:
    """Return the message of an error; of the system's errors without the path, which may name
    a patient.
    """
    if not isinstance(error, OSError) or not error.strerror:
        return without_paths(" ".join(str(error).split()))
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "no space left on the disk; make room and run again, finished stages are kept"
    suffix = Path(str(error.filename)).suffix.lower() if error.filename else ""
    what = f" (a {suffix} file)" if suffix in SUFFIXES else ""
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        what += "; check who may read the study and write the results"
    return f"{error.strerror}{what}"
