"""Which requests of the page are about virtual stents, and on which thread is each answered?

Fast answers have a thread of their own; intervals, the ranking and what is kept take seconds
and follow each other on another. Of intervals only the last asked for counts.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from aiohttp import web

from ffr.errors import ConfigError
from ffr.partial import claimed
from ffr.stenting.comparison import STATEMENT
from ffr.stenting.rank import ranking
from ffr.stenting.span import Stent
from ffr.view.asked import stents_of
from ffr.view.server import Route
from ffr.view.stents import Planner, at_once, surely
from meshes.errors import GeometryError
from solvers.errors import ConvergenceError

Answer = dict[str, Any]
REMEMBERED = 32  # answers with intervals: to undo finds them there
# the words of the command line, as the page has them
WORDS = (("--vessel names", "this is"), ("--from-mm", "its start"), ("--to-mm", "its end"),
         ("--diameter-mm", "its diameter"))  # fmt: skip


class StentAnswers:
    """What the page asks about virtual stents."""

    def __init__(
        self, out: Path, made: Future[Planner], quick: ThreadPoolExecutor,
        slow: ThreadPoolExecutor,
    ) -> None:  # fmt: skip
        self._out, self._planner, self._quick, self._slow = out, made, quick, slow
        self._sure: dict[tuple[Stent, ...], Future[Answer]] = {}
        self._last: Future[Answer] | None = None
        self._ranked: Future[Answer] | None = None

    async def at_once(self, request: web.Request) -> web.Response:
        """Answer by the fast networks."""
        stents = await _asked(request)
        work = self._quick.submit(lambda: at_once(self._planner.result(), stents))
        return await told(work)

    async def surely(self, request: web.Request) -> web.Response:
        """Answer resolved and with intervals; one that waits gives way to a later one."""
        stents = await _asked(request)
        known = self._sure.get(stents)
        if known is None or known.cancelled():
            if self._last is not None:
                self._last.cancel()  # if it has not begun
            known = self._slow.submit(lambda: surely(self._planner.result(), stents))
            self._sure[stents] = self._last = known
            while len(self._sure) > REMEMBERED:
                del self._sure[next(iter(self._sure))]
        return await told(known)

    async def keep(self, request: web.Request) -> web.Response:
        """Write a second result, as `ffr stent` does; tell its folder."""
        stents = await _asked(request)
        return await told(self._slow.submit(lambda: self._kept(stents)))

    def _kept(self, stents: tuple[Stent, ...]) -> Answer:
        from ffr.stenting.verb import stent_run  # heavy, it draws: not before it is asked for

        with claimed(self._out):
            _, place = stent_run(self._out, stents, lambda _: None)
        return {"folder": f"{place.parent.name}/{place.name}"}

    async def rank(self, _: web.Request) -> web.Response:
        """Tell one stent per lesion, the one that changes most first."""
        if self._ranked is None or self._ranked.cancelled():
            self._ranked = self._slow.submit(self._ranking)
        return await told(self._ranked)

    def _ranking(self) -> Answer:
        rows = ranking(self._planner.result().quick, resolved=True)
        return {"rows": [x.model_dump(mode="json") for x in rows], "statement": STATEMENT}

    def routes(self) -> list[Route]:
        """Return what is asked where."""
        return [
            ("POST", "data/stents", self.at_once),
            ("POST", "data/stents/interval", self.surely),
            ("POST", "data/stents/keep", self.keep),
            ("GET", "data/stents/ranking", self.rank),
        ]


async def _asked(request: web.Request) -> tuple[Stent, ...]:
    try:
        return stents_of(await request.read())
    except ConfigError as error:
        raise web.HTTPBadRequest(text=f"ct-ffr: {error}") from None


async def told(work: Future[Answer]) -> web.Response:
    """Answer in JSON; what cannot be solved is an answer too, in words."""
    try:
        found = await asyncio.shield(asyncio.wrap_future(work))
    except asyncio.CancelledError:
        if not work.cancelled():
            raise  # the page has gone
        found = {"error": "another plan came meanwhile", "superseded": True}
    except (ConfigError, GeometryError, ConvergenceError) as error:
        found = {"error": _words(str(error))}
    return web.json_response(found, dumps=_json)


def _words(text: str) -> str:
    for option, word in WORDS:
        text = text.replace(option, word)
    return text


_json: Callable[[Any], str] = json.JSONEncoder(allow_nan=False).encode
