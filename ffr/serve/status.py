"""Who is told how the service is? Whoever asks on this machine, by HTTP, without a password."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from ffr.errors import ConfigError
from ffr.serve.jobs import Job
from ffr.serve.listening import port_trouble
from ffr.serve.pages import status_page

LOOPBACK = "127.0.0.1"
OURS = ("127.0.0.1", "localhost")
PATIENCE_S = 10.0
Health = Callable[[], Mapping[str, Any]]


class StatusServer:
    """Serves `/` and `/health` on the loopback address from `open` to `close`."""

    def __init__(self, port: int, health: Health, jobs: Callable[[], Sequence[Job]]) -> None:
        self._port, self._health, self._jobs = port, health, jobs
        self._server: _Server | None = None

    def open(self) -> int:
        """Listen; return the port.

        Raises
        ------
        ConfigError
            The port is taken.
        """
        try:
            self._server = _Server((LOOPBACK, self._port), _Handler)
        except (OSError, OverflowError) as error:
            message = port_trouble("--status-port", LOOPBACK, self._port, error)
            raise ConfigError(message) from error
        self._server.answer = self._answer
        threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="status", daemon=True
        ).start()
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, kind and content."""
        if path not in ("/", "/health"):
            return 404, "text/plain", b"nothing here; see / and /health\n"
        health = self._health()
        if path == "/health":
            text = json.dumps(health, indent=1) + "\n"
            return 200 if health["status"] == "ok" else 503, "application/json", text.encode()
        return 200, "text/html; charset=utf-8", status_page(health, self._jobs()).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: Callable[[str], tuple[int, str, bytes]]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: who asked has gone."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "ct-ffr", ""
    timeout = PATIENCE_S

    def do_GET(self) -> None:
        self._tell(body=True)

    def do_HEAD(self) -> None:
        self._tell(body=False)

    def _tell(self, body: bool) -> None:
        # a page of elsewhere, whose name now leads here, is not to read this one
        if urlsplit(f"//{self.headers.get('Host', '')}").hostname not in OURS:
            status, kind, content = 403, "text/plain", b"only by 127.0.0.1 or localhost\n"
        else:
            status, kind, content = self.server.answer(urlsplit(self.path).path)
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind), ("Content-Length", str(len(content))),
            ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
            ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
        ):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
