"""From a run's folder to a page that is open: what `ffr view` does.

Reading the scan takes longest and leaves the interpreter free: it begins before all else, even
before what the page needs is imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ffr.results import stage_data
from ffr.results.stages import load_facts, require_stage
from ffr.scan import MASK
from meshes.volume import Volume

JUMP = """<!doctype html><meta charset="utf-8"><title>ct-ffr view</title>
<meta http-equiv="refresh" content="0; url={url}"><a href="{url}">ct-ffr view</a>
"""
TURN_S = 0.0005  # a thread that imports lets the server answer so soon; usual: ten times that


def view(out: Path, port: int, browser: bool, say: Callable[[str], None]) -> None:
    """Show a finished run in the browser until Ctrl-C; `say` prints a line.

    Raises
    ------
    ConfigError
        No finished run there; the port is taken.
    """
    sys.setswitchinterval(TURN_S)
    with contextlib.ExitStack() as until_end:
        pools = [
            until_end.enter_context(ThreadPoolExecutor(1, f"ffr-{name}"))
            for name in ("scan", "pictures", "quick", "slow")
        ]
        volume = pools[0].submit(_read, out)

        from ffr.view.pictures import Pictures
        from ffr.view.run import load_run
        from ffr.view.server import serve
        from ffr.view.trying import Trying

        run = load_run(out)
        pictures = Pictures(out, run, volume, pools[1])
        trying = Trying(out, run, *pools[1:])

        def ready(url: str) -> None:
            say(f"open {url}")
            say("only this machine and this address; Ctrl-C ends it")
            if browser:
                until_end.enter_context(_opened(url))

        asyncio.run(serve([*pictures.routes(), *trying.routes()], port, ready))
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)


def _read(out: Path) -> Volume | None:
    if load_facts(require_stage(out, "scan"))["source"] == MASK:
        return None
    return stage_data.load_scan(out).volume


@contextlib.contextmanager
def _opened(url: str) -> Iterator[None]:
    """Open the browser on a file of the user's own: a command line is seen by all users."""
    with tempfile.TemporaryDirectory(prefix="ffr-view-") as folder:  # 0700
        page = Path(folder) / "view.html"
        page.write_text(JUMP.format(url=url))
        with contextlib.suppress(webbrowser.Error):  # none there: the address is printed
            webbrowser.open(page.as_uri())
        yield
