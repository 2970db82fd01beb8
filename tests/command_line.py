"""The command line as a user meets it: typed words in, exit code and printed lines out."""

import atexit
import functools
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import virtual_series
from patience import Prompt

SECRET = "Wurzelbrunft_Xaverina"
SECRETS = (*virtual_series.SECRETS, SECRET.lower())
MAIN = "from ffr.cli import main; main()"

# Imports what the verbs import, then forks for every command: a start costs no seconds.
WARM = """
import contextlib, io, json, os, sys
import ffr.workflow, ffr.centreline, ffr.reading.dicom, ffr.phantom.study, meshio
import ffr.serve.verb
from ffr import cli
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        os.setsid()
        os.chdir(asked["folder"])
        os.environ |= asked["settings"]
        for number in (1, 2):
            os.dup2(os.open(asked["files"][number - 1], os.O_WRONLY), number)
        ascii = os.environ.get("PYTHONIOENCODING")
        sys.stdout, sys.stderr = (io.TextIOWrapper(os.fdopen(n, "wb"), ascii) for n in (1, 2))
        sys.argv = ["ffr", *asked["words"]]
        code = 1
        try:
            exec(asked["before"])
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@functools.cache
def _server():
    """Start it once for all tests of this process; give it and a folder for its files."""
    notes = tempfile.TemporaryDirectory(prefix="ffr-test-")
    process = subprocess.Popen(
        [sys.executable, "-c", WARM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(notes.cleanup)
    atexit.register(process.communicate)
    return process, Path(notes.name)


def ffr(*words, before="", folder=None, **settings):
    """Run the command line as its own process; return code, standard output, standard error."""
    process, notes = _server()
    files = [notes / name for name in ("out", "err")]
    for file in files:
        file.write_text("")
    asked = {
        "words": [str(w) for w in words], "before": before, "folder": str(folder or notes),
        "settings": settings, "files": [str(f) for f in files],
    }  # fmt: skip
    process.stdin.write(json.dumps(asked) + "\n")
    process.stdin.flush()
    code = int(process.stdout.readline())
    return code, *(file.read_text() for file in files)


STUCK = """
import itertools, sys
def solve(*_):
    sys.stdout.write("at work" + chr(10))
    sys.stdout.flush()
    sum(itertools.repeat(0))  # without end and bytecode: no Python signal handler
"""


def interrupted(*words, before):
    """Press Ctrl-C while `solve`, put in its place by `before`, never ends.

    Returns code, standard output, standard error; it ends within 2 s.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", f"{STUCK}\n{before}\n{MAIN}", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "at work\n"
    with Prompt(2.0):
        process.send_signal(signal.SIGINT)
        try:
            printed, err = process.communicate(timeout=60)
        finally:
            process.kill()
    return process.returncode, printed, err


def refused(*words, **how):
    """Return the one line with which a mistake ends; it never names the patient."""
    code, out, err = ffr(*words, **how)
    assert code == 2, (out, err)
    assert err.startswith("ffr: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    text = (out + err).lower()
    assert not any(secret in text for secret in SECRETS), text
    return err
