"""A batch whose cases are quick: a script stands in for the analysis, all else is as it is."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from ffr.batch.one_case import Limits
from ffr.batch.verb import BatchSettings, run_batch
from ffr.guard import guarded

ROOT = Path(__file__).parent.parent

# What `ffr.batch.child` is to the program. A study is a folder; its files say what happens.
CASE = """
import json, os, pathlib, sys, time
asked = json.load(sys.stdin)
study, out = pathlib.Path(asked["study"]), pathlib.Path(asked["out"])
with (study.parent.parent / "attempts").open("a") as note:
    note.write(out.name + " " + str(os.getpid()) + chr(10))
(out / "stages").mkdir()
(out / "stages" / "half").write_text("half")
def has(name):
    return (study / name).exists()
while has("wait") and (study.parent.parent / "hold").exists():
    time.sleep(0.02)
if has("broken"):
    sys.stderr.write("ffr: slices-missing: two slices are missing; send them again" + chr(10))
    sys.exit(2)
if has("fault"):
    raise ValueError(f"could not read {study}")
if has("full"):
    sys.stderr.write("ffr: no space left on the disk; make room" + chr(10))
    sys.exit(2)
if has("killed"):
    os.kill(os.getpid(), 9)
if has("big"):
    hog = bytearray(300_000_000)
    time.sleep(30)
if has("slow"):
    if os.fork() == 0:
        (study.parent.parent / "grandchild").write_text(str(os.getpid()))
    time.sleep(30)
(out / "stages" / "half").write_text("whole")
(out / "result.json").write_text(json.dumps(asked["patient"]))
"""


# Imports what a batch imports, then forks for every one: a start costs no seconds.
WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(["ffr.batch.cluster", "ffr.batch.verb", "ffr.reading.image_file"])


class Batch:
    """A batch of quick cases, as a process of its own; options as of `BatchSettings`."""

    def __init__(self, studies, out, **options):
        self.out = out.with_name(f"{out.name}-{time.monotonic_ns()}.stdout")
        self.err = self.out.with_suffix(".stderr")
        words = (str(studies), str(out), options, str(self.out), str(self.err))
        self.process = WARM.Process(target=_do, args=words)
        self.process.start()

    def signal(self, number):
        os.kill(self.process.pid, number)

    def worker(self):
        """Return the process that works; the first one only waits for it."""
        return wait_for(lambda: psutil.Process(self.process.pid).children())[0]

    def end(self):
        """Wait; give code, standard output, standard error."""
        self.process.join(timeout=60)
        assert self.process.exitcode is not None
        return self.process.exitcode, self.out.read_text(), self.err.read_text()


def batch(studies, out, **options):
    """Run a batch of quick cases to its end; give code, standard output, standard error."""
    return Batch(studies, out, **options).end()


def _do(studies, out, options, *files):
    for number, file in zip((1, 2), files, strict=True):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    limits = Limits(options.pop("time_s", 30.0), options.pop("memory_mb", 2000), 1)
    asked = BatchSettings(limits, command=(sys.executable, "-c", CASE), **options)
    sys.exit(guarded(None, lambda: sys.exit(run_batch(Path(studies), Path(out), asked))))


def settings():
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}


def wait_for(what, limit_s=120.0):
    """Return what `what()` gives as soon as it is true."""
    until = time.monotonic() + limit_s
    while not (found := what()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)
    return found


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Cluster:
    """A Dask scheduler and workers as a site starts them, by tcp on this machine."""

    def __init__(self, folder, **how):
        self.folder, self.processes, self.workers, self.how = folder, [], [], how
        file = folder / "scheduler.json"
        self._start("scheduler", "--scheduler-file", file, "--host", "127.0.0.1", "--port", "0",
                    "--no-dashboard", "--dashboard-address", "127.0.0.1:0")  # fmt: skip
        self.file = file
        wait_for(lambda: file.exists() and file.read_text().endswith("}"))
        self.address = json.loads(file.read_text())["address"]

    def add_worker(self):
        worker = self._start(
            "worker", "--scheduler-file", self.file, "--nthreads", "1", "--no-dashboard",
            "--no-nanny", "--dashboard-address", "127.0.0.1:0", "--memory-limit", "0",
            "--local-directory", self.folder,
        )  # fmt: skip
        self.workers.append(worker)
        return worker

    def _start(self, name, *words):
        with (self.folder / f"log-{len(self.processes)}").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{name}", *map(str, words)],
                stdout=log, stderr=log, env=settings() | self.how, cwd=self.folder,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def logs(self):
        return "".join(path.read_text() for path in self.folder.glob("log-*"))

    def end(self):
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
