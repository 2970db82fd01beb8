"""When is what solves loaded? After the first pictures: to look at a run needs none of it.

Solvers, stents and edits take as long to import as all the rest of the page to start.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from aiohttp import web

from ffr.view.run import Run
from ffr.view.server import Handler, Route

Handlers = dict[tuple[str, str], Handler]
TRIED = "data/{tried:(?:stents|edits)(?:/[a-z]+)?}"


class Trying:
    """Answers about stents and edits, once they can be given.

    Parameters
    ----------
    out, run
        The run, in its folder.
    workers
        Where all is made ready, after what they have to do already.
    quick, slow
        Threads of fast answers, and of intervals and what is kept.
    """

    def __init__(
        self, out: Path, run: Run, workers: ThreadPoolExecutor, quick: ThreadPoolExecutor,
        slow: ThreadPoolExecutor,
    ) -> None:  # fmt: skip
        self._made: Future[Handlers] = workers.submit(handlers, out, run, quick, slow)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request as soon as that is possible."""
        made = await asyncio.shield(asyncio.wrap_future(self._made))
        found = made.get((request.method, f"data/{request.match_info['tried']}"))
        if found is None:
            raise web.HTTPNotFound
        return await found(request)

    def routes(self) -> list[Route]:
        """Return what is asked where."""
        return [(method, TRIED, self.answer) for method in ("GET", "POST")]


def handlers(
    out: Path, run: Run, quick: ThreadPoolExecutor, slow: ThreadPoolExecutor
) -> Handlers:
    """Load what solves, solve the run once, and return what answers what."""
    from ffr.view.edit_routes import EditAnswers
    from ffr.view.stent_routes import StentAnswers
    from ffr.view.stents import planner

    made = quick.submit(planner, out)
    stents = StentAnswers(out, made, quick, slow)
    edits = EditAnswers(out, run, made, quick, slow)
    routes = [*stents.routes(), *edits.routes()]
    return {(method, path): handler for method, path, handler in routes}
