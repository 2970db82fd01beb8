"""How is the page served to one browser on this machine, and to nobody else?

Every address begins with a random token; what comes without it is refused, the websocket too.
The page may load from here only: its content security policy forbids the browser anything
else. A token in the path, not in a cookie: browsers send cookies to every port of a host.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from trame.app import get_server
from trame.ui.html import DivLayout
from trame_client.module import vue3
from trame_vtk.modules import common as vtk_module

from ffr.errors import ConfigError

HOST = "127.0.0.1"
PAGE = Path(__file__).parent / "page"
ASSETS = "ffr_view"
SCRIPTS = (
    "data.js", "drawing.js", "images.js", "plots.js", "tree.js", "tried.js", "plan.js",
    "stents.js", "edits.js", "edit_panel.js", "keys.js", "app.js",
)  # fmt: skip
CLOSING_S = 2.0  # for connections that are still open
# vue compiles its templates in the browser, hence 'unsafe-eval'
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self' ws://127.0.0.1:* ws://localhost:*; "
    "object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Route = tuple[str, str, Handler]  # method, path below the token, what answers


def guard(token: str) -> Any:
    """Return what refuses requests without the token, or by another name than this host's.

    The name is checked because a page elsewhere may let its own name point here.
    """

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        first = request.path.split("/")[1]
        named = request.host.rpartition(":")[0] or request.host
        known = secrets.compare_digest(first.encode(), token.encode())
        if not known or named not in (HOST, "localhost"):
            return web.Response(
                status=403, text="ct-ffr: the token is missing", headers=HEADERS
            )
        return await handler(request)

    return guarded


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    del request
    response.headers.update(HEADERS)


async def serve(routes: list[Route], port: int, ready: Callable[[str], None]) -> None:
    """Serve page and routes until the process is asked to stop; `ready` gets the address.

    Raises
    ------
    ConfigError
        The port cannot be had.
    """
    token = secrets.token_hex(20)  # hexadecimal: the client turns addresses to small letters
    # trame would read our command line, and settings that open it to the network
    os.environ["TRAME_ARGS"] = f"--host {HOST} --ws-endpoint={token}/ws"
    os.environ["WSLINK_READY_MSG"] = ""  # it would be printed
    server = get_server(f"ffr-{token[:8]}", client_type="vue3")
    server.enable_module(vtk_module)
    server.enable_module(
        {
            "serve": {ASSETS: str(PAGE)},
            "scripts": [f"{ASSETS}/{name}" for name in SCRIPTS],
            "styles": [f"{ASSETS}/view.css"],
            "vue_use": ["ffrView"],
        }
    )
    server.state.trame__title = "ct-ffr view"
    with DivLayout(server) as layout:
        layout.root.add_child("<ffr-view></ffr-view>")
    server.controller.on_server_bind.add(lambda bound: _mount(bound.app, server, token, routes))
    server.controller.on_server_ready.add(
        lambda **_: ready(f"http://{HOST}:{server.port}/{token}/")
    )
    await _until_stopped(server, port)


def _mount(app: web.Application, server: Any, token: str, routes: list[Route]) -> None:
    """Put the page, its assets and the data below the token."""
    app.middlewares.append(guard(token))
    app.on_response_prepare.append(_add_headers)
    root = f"/{token}"
    www = Path(vue3.www)

    async def index(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(www / "index.html")

    async def session(request: web.Request) -> web.StreamResponse:
        # the client asks for its websocket as it would ask a launcher
        url = f"ws://{request.host}{root}/ws"
        return web.json_response({"sessionURL": url, "secret": "wslink-secret", "id": "ffr"})

    async def slash(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(f"{root}/")

    app.router.add_get(root, slash)
    app.router.add_get(f"{root}/", index)
    app.router.add_post(f"{root}/paraview/", session)
    for method, path, handler in routes:
        app.router.add_route(method, f"{root}/{path}", handler)
    for name, folder in server.serve.items():
        app.router.add_static(f"{root}/{name}", folder)
    app.router.add_static(root, www)


async def _until_stopped(server: Any, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stopped.set)
    work = asyncio.ensure_future(
        server.start(
            port=port, host=HOST, exec_mode="coroutine", timeout=0, thread=True,
            open_browser=False, show_connection_info=False, disable_logging=True,
        )
    )  # fmt: skip
    asked = asyncio.ensure_future(stopped.wait())
    await asyncio.wait({work, asked}, return_when=asyncio.FIRST_COMPLETED)
    if work.done():
        asked.cancel()
        _check_port(work, port)
        return
    with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
        await asyncio.wait_for(server.stop(), CLOSING_S)


def _check_port(work: asyncio.Future[Any], port: int) -> None:
    try:
        work.result()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        taken = "is taken or cannot be used"
        message = f"port {port} {taken} ({reason.lower()}); leave out --port for a free one"
        raise ConfigError(message) from error
