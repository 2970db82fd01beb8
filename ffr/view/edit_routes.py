"""Which requests of the page are about edits by hand, and what does it remember of them?

Every list of edits is solved from the longest one known that it begins with: to add one edit
costs one solution, to undo none. What is kept is made by `ffr edit`'s own functions from the
first edit on.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from ffr.editing.changes import entry
from ffr.editing.edits import Edit
from ffr.editing.verb import Start, solve_edits, solved_with, start_of, sure_of, write_edits
from ffr.errors import ConfigError
from ffr.partial import claimed
from ffr.results.result import EditEntry
from ffr.stenting.solved import Solved
from ffr.view.asked import edits_of
from ffr.view.edits import edited_values
from ffr.view.run import Run
from ffr.view.server import Route
from ffr.view.stent_routes import Answer, told
from ffr.view.stents import Planner

Edits = tuple[Edit, ...]
REMEMBERED = 48  # solved lists of edits


class EditAnswers:
    """What the page asks about edits by hand."""

    def __init__(
        self, out: Path, run: Run, made: Future[Planner], quick: ThreadPoolExecutor,
        slow: ThreadPoolExecutor,
    ) -> None:  # fmt: skip
        self._out, self._run, self._planner = out, run, made
        self._quick, self._slow = quick, slow
        self._begun: Start | None = None
        self._known: dict[Edits, tuple[Solved, tuple[EditEntry, ...]]] = {}
        self._last: Future[Answer] | None = None

    async def at_once(self, request: web.Request) -> web.Response:
        """Answer with the edited trees solved, every profile resolved; no interval yet."""
        edits = await _asked(request)
        return await told(self._quick.submit(lambda: self._values(edits)))

    async def surely(self, request: web.Request) -> web.Response:
        """Answer with the interval, too; one that waits gives way to a later one."""
        edits = await _asked(request)
        if self._last is not None:
            self._last.cancel()  # if it has not begun
        self._last = self._slow.submit(lambda: self._surely(edits))
        return await told(self._last)

    async def keep(self, request: web.Request) -> web.Response:
        """Write an edited result, as `ffr edit` does; tell its folder."""
        edits = await _asked(request)
        return await told(self._slow.submit(lambda: self._kept(edits)))

    def _values(self, edits: Edits) -> Answer:
        """Made on the quick thread alone: what is remembered has one writer."""
        after, entries = self._solved(edits)
        return edited_values(self._start(), self._run.paths, after, entries)

    def _surely(self, edits: Edits) -> Answer:
        after, entries = self._quick.submit(lambda: self._solved(edits)).result()
        start = self._start()
        return edited_values(start, self._run.paths, after, entries, sure_of(start, after))

    def _kept(self, edits: Edits) -> Answer:
        with claimed(self._out):
            _, place = write_edits(self._out, solve_edits(self._out, edits), lambda _: None)
        return {"folder": f"{place.parent.name}/{place.name}"}

    def _start(self) -> Start:
        if self._begun is None:
            made = self._planner.result()
            self._begun = start_of(self._out, made.quick.before, made.sure)
        return self._begun

    def _solved(self, edits: Edits) -> tuple[Solved, tuple[EditEntry, ...]]:
        """Return the edited trees, solved, and the log of each edit."""
        if not edits:
            return self._start().automatic, ()
        if edits not in self._known:
            before, entries = self._solved(edits[:-1])
            try:
                after = solved_with(self._start(), before, edits[-1:])
            except ConfigError as error:
                raise ConfigError(f"edit {len(edits)}: {error}") from error
            made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            one = entry(len(edits), made, edits[-1], before, after)
            self._known[edits] = (after, (*entries, one))
            while len(self._known) > REMEMBERED:
                del self._known[next(iter(self._known))]
        return self._known[edits]

    def routes(self) -> list[Route]:
        """Return what is asked where."""
        return [
            ("POST", "data/edits", self.at_once),
            ("POST", "data/edits/interval", self.surely),
            ("POST", "data/edits/keep", self.keep),
        ]


async def _asked(request: web.Request) -> Edits:
    try:
        return edits_of(await request.read())
    except ConfigError as error:
        raise web.HTTPBadRequest(text=f"ct-ffr: {error}") from None
