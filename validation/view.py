"""How long does the page of `ffr view` let its user wait? Measured in Chromium.

    ffr demo --out demo
    python -m validation view demo

Chromium runs without a screen. Times end when it has drawn; those of the cursor and of turns
hold the way of the key through the DevTools protocol, too. Nothing in the run changes.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from validation.browser import CHROMIUM, WHY, Browser
from validation.setting import setting

SHOW = "from ffr.cli import main; main()"
READY = "document.querySelector('.ffr')?.dataset.ready"
LONGEST_S = 300.0


class Row(NamedTuple):
    """One line of the table: what, and the seconds of each time that it was done."""

    what: str
    seconds: Sequence[float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Start the page of a run, use it, print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m validation view", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--times", type=int, default=20, help="changes of each kind")
    given = parser.parse_args(arguments)
    if CHROMIUM is None:
        parser.error(WHY)
    before = os.getloadavg()[0]
    rows = measured(given.run, given.times)
    print(setting("python -m validation view", arguments, "no device"))
    print(f"Load average {before:.1f} before, {os.getloadavg()[0]:.1f} after.\n")
    print(table(rows))


def table(rows: Sequence[Row]) -> str:
    """Return the rows as markdown."""
    lines = ["| | times | median, s | worst, s |", "|---|---|---|---|"]
    for what, seconds in rows:
        middle, worst = np.median(seconds), max(seconds)
        lines.append(f"| {what} | {len(seconds)} | {middle:.3f} | {worst:.3f} |")
    return "\n".join(lines)


def measured(run: Path, times: int) -> list[Row]:
    """Return how long a run's page takes, from the command on.

    Raises
    ------
    RuntimeError
        The page does not start.
    """
    with Browser() as page:  # before the clock starts: the user's runs already
        began = time.monotonic()
        command = [sys.executable, "-c", SHOW, "view", str(run), "--no-browser"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            page.open(_address(server))
            printed = time.monotonic() - began
            page.wait(READY, LONGEST_S)
            ready = time.monotonic() - began
            page.wait("Boolean(ffrView.model.images)", LONGEST_S)
            page.frame()
            pictures = time.monotonic() - began
            worked = psutil.Process(server.pid).cpu_times()
            page.wait(f"{READY} === 'all'", LONGEST_S)
            return [
                Row("command to printed address", [printed]),
                Row("command to trees, curves and tables", [ready]),
                Row("command to the first vessel's pictures", [pictures]),
                Row("the server's processor time until then", [worked.user + worked.system]),
                *cursor(page, times),
                *stents(page, times),
                *edits(page, times),
            ]
        finally:
            server.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                server.wait(20)
            server.kill()


def _address(server: subprocess.Popen[str]) -> str:
    if server.stdout is None:
        raise RuntimeError("the page says nothing")
    for line in server.stdout:
        if line.startswith("open "):
            return line.split()[1]
    raise RuntimeError("the page did not start; see what it says above")


def cursor(page: Browser, times: int) -> list[Row]:
    """Return the rows of the cursor and of a turn about the vessel's axis."""
    page.js("ffrView.model.moveTo(0, 5); 1")
    return [
        Row("key to drawn cursor", _each(times, lambda _: page.key("ArrowRight"))),
        Row("key to pictures turned by 15°", _each(times, lambda _: page.key("r"))),
    ]


def _each(times: int, act: Callable[[int], None]) -> list[float]:
    seconds = []
    for k in range(times):
        began = time.monotonic()
        act(k)
        seconds.append(time.monotonic() - began)
    return seconds


def stents(page: Browser, times: int) -> list[Row]:
    """Return the rows of a virtual stent: dragged over the curves, changed by keys."""
    page.key("s")
    page.wait("Boolean(ffrView.model.plan.ranking)", LONGEST_S)
    left, top, width, height = page.box(".ffr-plot svg")
    across = left + width * (0.3 + 0.3 * np.arange(times + 1) / times)
    y = top + 0.7 * height
    page.mouse("mouseMoved", across[0], y)
    page.mouse("mousePressed", across[0], y, button="left", clickCount=1, buttons=1)

    def pull(k: int) -> None:
        page.mouse("mouseMoved", across[k + 1], y, button="left", buttons=1)

    dragged = _answers(page, "plan", times, pull)
    page.mouse("mouseReleased", across[-1], y, button="left", clickCount=1, buttons=0)
    _settled(page, "plan")
    by_keys = _answers(page, "plan", times, lambda k: page.key("[" if k % 4 < 2 else ">"))
    page.js("ffrView.model.plan.clear(); 1")
    page.key("s")
    return [
        Row("virtual stent dragged: request to drawn", dragged),
        Row("virtual stent changed by keys: request to drawn", by_keys),
    ]


def edits(page: Browser, times: int) -> list[Row]:
    """Return the row of lumens nudged by hand, at as many places of the first vessel."""
    page.key("e")
    count = int(page.js("ffrView.model.way.points.length"))

    def nudge(k: int) -> None:
        page.js(f"ffrView.model.moveTo(0, {int(count * (0.2 + 0.6 * k / times))}); 1")
        page.key(">")

    seconds = _answers(page, "edit", times, nudge)
    page.key("e")
    return [Row("lumen nudged by hand: request to drawn", seconds)]


def _answers(page: Browser, tried: str, times: int, act: Callable[[int], None]) -> list[float]:
    """Change something so often; return what the page itself timed of each request."""
    _settled(page, tried)
    first = int(page.js(f"ffrView.model.{tried}.times.length"))
    for k in range(times):
        act(k)
        _settled(page, tried)
    made = page.js(f"ffrView.model.{tried}.times.slice({first})")
    return [ms / 1000.0 for ms in made]


def _settled(page: Browser, tried: str) -> None:
    page.wait(f"!ffrView.model.{tried}.asking", LONGEST_S)
    page.frame()


if __name__ == "__main__":
    main()
