"""How long does each stage of a run take, and how much memory at its peak?

Run: python -m validation bench_stages [--study FOLDER] [--cores 2]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from validation.setting import setting

FFR = (sys.executable, "-c", "from ffr.cli import main; main()")
DEVICE = "from ffr.segmentation.weights import best_device; print(best_device())"
KB_PER_MB = 1024.0
# A small process of its own: a child's peak starts at the size of the process that forked it
WATCH = """
import json, os, subprocess, sys, time
began = time.monotonic()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)  # with all descendants it waited for
process.returncode = os.waitstatus_to_exitcode(status)
print(json.dumps([time.monotonic() - began, usage.ru_maxrss, process.returncode]))
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One command: wall-clock time, start-up included, and peak resident memory.

    The peak is that of the largest process among the command and its children, as Linux
    counts it.
    """

    name: str
    elapsed_s: float
    resident_mb: int
    code: int


def measured(name: str, command: Sequence[str]) -> Measured:
    """Run a command and measure it; its output goes to nowhere, its errors on."""
    watched = [sys.executable, "-I", "-S", "-c", WATCH, *command]
    done = subprocess.run(watched, capture_output=True, text=True, check=True)
    elapsed_s, kilobytes, code = json.loads(done.stdout)
    if code:
        print(done.stderr, file=sys.stderr, end="")
    return Measured(name, elapsed_s, round(kilobytes / KB_PER_MB), code)


def verbs(study: Path, out: Path) -> list[tuple[str, list[str]]]:
    """Return the stages of a run as commands, in order."""
    return [
        ("read and segment", ["segment", str(study), "--out", str(out)]),
        ("tree", ["tree", str(out)]),
        ("solve", ["solve", str(out)]),
        ("result, meshes, report", ["report", str(out)]),
    ]


def bench(study: Path | None, seed: int, folder: Path) -> list[Measured]:
    """Run the stages one after the other, each in its own process; stop at a failure."""
    rows = []
    if study is None:
        made = ["phantom", "--out", str(folder / "virtual"), "--seed", str(seed)]
        rows.append(measured("make the virtual study (not part of a run)", [*FFR, *made]))
        study = folder / "virtual" / "study"
    for name, words in verbs(study, folder / "out"):
        if rows and rows[-1].code:
            break
        rows.append(measured(name, [*FFR, *words]))
        if name == "read and segment" and not rows[-1].code:
            seconds = folder / "out" / "stages" / "scan" / "seconds.txt"
            share = float(seconds.read_text())
            name += f" (of which reading {share:.1f} s)"
            rows[-1] = Measured(name, rows[-1].elapsed_s, rows[-1].resident_mb, 0)
    return rows


def table(rows: Sequence[Measured]) -> str:
    """Return markdown; the last row sums up the stages of a run."""
    lines = ["| stage | seconds | peak memory, MB |", "|---|---|---|"]
    lines += [f"| {r.name} | {r.elapsed_s:.1f} | {r.resident_mb} |" for r in rows]
    run = [r for r in rows if "not part" not in r.name]
    if run:
        total, peak = sum(r.elapsed_s for r in run), max(r.resident_mb for r in run)
        lines.append(f"| all stages | {total:.1f} | {peak} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m validation bench_stages", description=__doc__
    )
    parser.add_argument("--study", type=Path, help="a study; else a virtual one is made")
    parser.add_argument("--seed", type=int, default=1_000_000, help="of the virtual patient")
    parser.add_argument("--cores", type=int, help="use only so many cores")
    given = parser.parse_args(arguments)
    if given.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.cores])
    asked = subprocess.run([sys.executable, "-c", DEVICE], capture_output=True, text=True)
    with tempfile.TemporaryDirectory() as folder:
        rows = bench(given.study, given.seed, Path(folder))
    print(setting("python -m validation bench_stages", arguments, asked.stdout.strip()))
    print("\n" + table(rows))
    if rows[-1].code:
        sys.exit(rows[-1].code)


if __name__ == "__main__":
    main()
