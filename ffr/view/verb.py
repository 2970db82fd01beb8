"""From a run's folder to a page that is open: what `ffr view` does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import webbrowser
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from aiohttp import web

from ffr import stage_data
from ffr.errors import ConfigError
from ffr.scan import MASK
from ffr.stages import load_facts, stage_folder
from ffr.view.blobs import lumen_blob, vessel_blob
from ffr.view.edit_routes import EditAnswers
from ffr.view.run import Run, load_run
from ffr.view.server import Route, serve
from ffr.view.stent_routes import StentAnswers
from ffr.view.stents import planner
from ffr.view.thinning import thinned
from ffr.view.words import page_values, start
from meshes.errors import GeometryError
from meshes.volume import Volume

JUMP = """<!doctype html><meta charset="utf-8"><title>ct-ffr view</title>
<meta http-equiv="refresh" content="0; url={url}"><a href="{url}">ct-ffr view</a>
"""


class _Answers:
    """What the page asks for, made once each, one at a time, off the server's thread."""

    def __init__(self, out: Path, run: Run, workers: ThreadPoolExecutor) -> None:
        self.run = run
        self._workers = workers
        self._scanned = load_facts(stage_folder(out, "scan"))["source"] != MASK
        self._made: dict[str, Future[bytes]] = {}
        self._ask("lumen", self._lumen)
        self._volume: Future[Volume | None] = workers.submit(self._read, out)
        first = start(run)[0]
        self._ask(str(first), lambda: self._vessel(first))  # the page begins with it

    def _read(self, out: Path) -> Volume | None:
        return stage_data.load_scan(out).volume if self._scanned else None

    def _lumen(self) -> bytes:
        axes = np.concatenate([c.tree.points_mm for c in self.run.trees])
        return lumen_blob(thinned(self.run.lumen, axes))

    def _vessel(self, number: int) -> bytes:
        return vessel_blob(self.run, self.run.paths[number], self._volume.result())

    def _ask(self, name: str, make: Callable[[], bytes]) -> Future[bytes]:
        if name not in self._made:
            self._made[name] = self._workers.submit(make)
        return self._made[name]

    async def values(self, _: web.Request) -> web.Response:
        text = json.dumps(page_values(self.run, self._scanned), allow_nan=False)
        return web.Response(text=text, content_type="application/json")

    async def lumen(self, _: web.Request) -> web.Response:
        return await _sent(self._ask("lumen", self._lumen))

    async def vessel(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        if number >= len(self.run.paths):
            raise web.HTTPNotFound
        return await _sent(self._ask(str(number), lambda: self._vessel(number)))

    def routes(self) -> list[Route]:
        return [
            ("GET", "data/values.json", self.values),
            ("GET", "data/lumen", self.lumen),
            ("GET", r"data/vessel/{number:\d{1,4}}", self.vessel),
        ]


async def _sent(made: Future[bytes]) -> web.Response:
    waited: Awaitable[bytes] = asyncio.wrap_future(made)
    try:
        body = await waited
    except (ConfigError, GeometryError) as error:
        return web.Response(status=500, text=str(error))
    return web.Response(body=body, content_type="application/octet-stream")


def view(out: Path, port: int, browser: bool, say: Callable[[str], None]) -> None:
    """Show a finished run in the browser until Ctrl-C; `say` prints a line.

    Raises
    ------
    ConfigError
        No finished run there; the port is taken.
    """
    run = load_run(out)
    with contextlib.ExitStack() as until_end:
        pools = [
            until_end.enter_context(ThreadPoolExecutor(1, f"ffr-{name}"))
            for name in ("pictures", "stents", "intervals")
        ]
        answers = _Answers(out, run, pools[0])
        made = pools[0].submit(planner, out)  # after the first pictures
        stents = StentAnswers(out, made, *pools[1:])
        edits = EditAnswers(out, run, made, *pools[1:])

        def ready(url: str) -> None:
            say(f"open {url}")
            say("only this machine and this address; Ctrl-C ends it")
            if browser:
                until_end.enter_context(_opened(url))

        routes = [*answers.routes(), *stents.routes(), *edits.routes()]
        asyncio.run(serve(routes, port, ready))
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def _opened(url: str) -> Iterator[None]:
    """Open the browser on a file of the user's own: a command line is seen by all users."""
    with tempfile.TemporaryDirectory(prefix="ffr-view-") as folder:  # 0700
        page = Path(folder) / "view.html"
        page.write_text(JUMP.format(url=url))
        with contextlib.suppress(webbrowser.Error):  # none there: the address is printed
            webbrowser.open(page.as_uri())
        yield
