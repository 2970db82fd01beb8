"""What does the page get to look at? Made once each, one at a time, off the server's thread."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from aiohttp import web

from ffr.errors import ConfigError
from ffr.results.stages import load_facts, stage_folder
from ffr.scan import MASK
from ffr.view.pending import load_pending, save_pending
from ffr.view.run import Run
from ffr.view.server import Route
from ffr.view.words import page_values, start
from meshes.errors import GeometryError
from meshes.volume import Volume


class Pictures:
    """Values, surface and pictures of a run, and what is tried on it as it is put down.

    Parameters
    ----------
    out, run
        The run, in its folder.
    volume
        Its scan, as soon as that is read; None of a run from a mask.
    workers
        Where they are made.
    """

    def __init__(
        self, out: Path, run: Run, volume: Future[Volume | None], workers: ThreadPoolExecutor
    ) -> None:
        self.run = run
        self._out, self._volume, self._workers = out, volume, workers
        self._scanned = load_facts(stage_folder(out, "scan"))["source"] != MASK
        self._made: dict[str, Future[bytes]] = {}
        self._ask("lumen", self._lumen)
        first = start(run)[0]
        workers.submit(self._prepare, first)
        self._ask(str(first), lambda: self._vessel(first))  # the page begins with it

    def _lumen(self) -> bytes:
        from ffr.view.surface import lumen_blob  # heavy, here and below: not before the
        from ffr.view.thinning import thinned  # server answers

        axes = np.concatenate([c.tree.points_mm for c in self.run.trees])
        return lumen_blob(thinned(self.run.lumen, axes))

    def _prepare(self, number: int) -> None:
        """Load what makes pictures, compiled code too, while the scan is being read."""
        from ffr.view.blobs import vessel_blob

        vessel_blob(self.run, self.run.paths[number], None)

    def _vessel(self, number: int) -> bytes:
        from ffr.view.blobs import vessel_blob

        return vessel_blob(self.run, self.run.paths[number], self._volume.result())

    def _ask(self, name: str, make: Callable[[], bytes]) -> Future[bytes]:
        if name not in self._made:
            self._made[name] = self._workers.submit(make)
        return self._made[name]

    async def values(self, _: web.Request) -> web.Response:
        """Answer with all that is no picture."""
        pending = load_pending(self._out, self.run.trees)
        values = {**page_values(self.run, self._scanned), "pending": pending}
        text = json.dumps(values, allow_nan=False)
        return web.Response(text=text, content_type="application/json")

    async def lumen(self, _: web.Request) -> web.Response:
        """Answer with the lumen's surface."""
        return await _sent(self._ask("lumen", self._lumen))

    async def vessel(self, request: web.Request) -> web.Response:
        """Answer with the pictures of a vessel."""
        number = int(request.match_info["number"])
        if number >= len(self.run.paths):
            raise web.HTTPNotFound
        return await _sent(self._ask(str(number), lambda: self._vessel(number)))

    async def put_down(self, request: web.Request) -> web.Response:
        """Write what is tried, so that it outlives the page."""
        try:
            save_pending(self._out, self.run.trees, await request.read())
        except ConfigError as error:
            raise web.HTTPBadRequest(text=f"ct-ffr: {error}") from None
        except OSError as error:
            return web.json_response({"error": error.strerror or "it cannot be written"})
        return web.json_response({})

    def routes(self) -> list[Route]:
        """Return what is asked where."""
        return [
            ("GET", "data/values.json", self.values),
            ("GET", "data/lumen", self.lumen),
            ("GET", r"data/vessel/{number:\d{1,4}}", self.vessel),
            ("POST", "data/pending", self.put_down),
        ]


async def _sent(made: Future[bytes]) -> web.Response:
    waited: Awaitable[bytes] = asyncio.wrap_future(made)
    try:
        body = await waited
    except (ConfigError, GeometryError) as error:
        return web.Response(status=500, text=str(error))
    return web.Response(body=body, content_type="application/octet-stream")
