"""A real browser without a screen, driven over its DevTools protocol; needs only Chromium."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WHY = "no chromium on this machine"
SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--disable-default-apps", "--mute-audio", "--hide-scrollbars",
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--remote-debugging-port=0",
)  # fmt: skip
KEYS = {
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Tab": 9,
    "Enter": 13,
}


class Browser:
    """One page of one browser; `with` ends it.

    `requests` are the addresses that it asked for, `complaints` its errors. What the browser
    refuses, and what never comes, is an AssertionError.
    """

    def __init__(self, width: int = 1920, height: int = 1080) -> None:
        self.size = (width, height)
        self.requests = list[str]()
        self.complaints = list[str]()
        self._answers = dict[int, Any]()
        self._number = 0

    def __enter__(self) -> Self:
        if CHROMIUM is None:
            raise RuntimeError(WHY)
        self._folder = tempfile.mkdtemp(prefix="ffr-chromium-")
        self._process = subprocess.Popen(
            [CHROMIUM, *SWITCHES, f"--user-data-dir={self._folder}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._loop = asyncio.new_event_loop()
        try:
            self._loop.run_until_complete(self._connect())
            for domain in ("Network", "Page", "Runtime", "Log"):
                self.call(f"{domain}.enable")
            width, height = self.size
            self.call(
                "Emulation.setDeviceMetricsOverride",
                width=width, height=height, deviceScaleFactor=1, mobile=False,
            )  # fmt: skip
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):
            self._loop.run_until_complete(self._session.close())
        self._loop.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # its own group: all of its processes
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _connect(self) -> None:
        note = Path(self._folder) / "DevToolsActivePort"
        for _ in range(600):
            if note.exists() and len(note.read_text().split()) == 2:
                break
            await asyncio.sleep(0.05)
        port = note.read_text().split()[0]
        self._session = aiohttp.ClientSession()
        async with self._session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            pages = [x for x in await answer.json() if x["type"] == "page"]
        self._socket = await self._session.ws_connect(
            pages[0]["webSocketDebuggerUrl"], max_msg_size=0
        )

    def call(self, method: str, **words: Any) -> Any:
        """Send a command and wait for its answer; events that come meanwhile are noted."""
        self._number += 1
        return self._loop.run_until_complete(self._call(self._number, method, words))

    async def _call(self, number: int, method: str, words: dict[str, Any]) -> Any:
        await self._socket.send_json({"id": number, "method": method, "params": words})
        while number not in self._answers:
            self._note(json.loads((await self._socket.receive(60)).data))
        answer = self._answers.pop(number)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer}")
        return answer["result"]

    def _note(self, message: dict[str, Any]) -> None:
        if "id" in message:
            self._answers[message["id"]] = message
        elif message["method"] == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        elif message["method"] == "Network.webSocketCreated":
            self.requests.append(message["params"]["url"])
        elif message["method"] == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(message["params"]["exceptionDetails"])[:600])
        elif message["method"] == "Log.entryAdded":
            entry = message["params"]["entry"]
            if entry["level"] == "error":
                self.complaints.append(f"{entry['text']} {entry.get('url', '')}")

    def open(self, url: str) -> None:
        """Go to an address."""
        answer = self.call("Page.navigate", url=url)
        if "errorText" in answer:
            raise AssertionError(answer["errorText"])

    def js(self, expression: str) -> Any:
        """Return the value of an expression, or of the promise that it is."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise AssertionError(found["exceptionDetails"])
        return found["result"].get("value")

    def wait(self, expression: str, seconds: float = 60) -> Any:
        """Wait until an expression is true, and return it."""
        end = time.monotonic() + seconds
        while not (found := self.js(expression)):
            if time.monotonic() >= end:
                raise AssertionError(f"never came: {expression}; {self.complaints}")
            time.sleep(0.05)
        return found

    def frame(self) -> None:
        """Wait until what was asked for is drawn."""
        self.js("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")

    def text(self, selector: str) -> str:
        """Return the words of an element."""
        return str(
            self.js(f"document.querySelector({json.dumps(selector)}).textContent.trim()")
        )

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Return left, top, width and height of an element, pixels."""
        left, top, width, height = self.js(
            f"(() => {{ const b = document.querySelector({json.dumps(selector)})"
            ".getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()"
        )
        return left, top, width, height

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """Send an event of the mouse, as the protocol names it."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def hover(self, x: float, y: float) -> None:
        """Move the mouse to a place."""
        self.mouse("mouseMoved", x, y)
        self.frame()

    def click(self, x: float, y: float) -> None:
        """Click at a place."""
        self.mouse("mouseMoved", x, y)
        for kind, held in (("mousePressed", 1), ("mouseReleased", 0)):
            self.mouse(kind, x, y, button="left", clickCount=1, buttons=held)
        self.frame()

    def click_on(self, selector: str) -> None:
        """Click in the middle of an element."""
        left, top, width, height = self.box(selector)
        self.click(left + width / 2, top + height / 2)

    def key(self, key: str, shift: bool = False) -> None:
        """Press a key and let it go, and wait for the next picture."""
        code = KEYS.get(key) or ord(key.upper())
        words: dict[str, Any] = {
            "key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0,
        }  # fmt: skip
        if len(key) == 1:
            words["text"] = key
        if key == "Enter":
            words["text"] = "\r"
        self.call("Input.dispatchKeyEvent", type="keyDown", **words)
        words.pop("text", None)
        self.call("Input.dispatchKeyEvent", type="keyUp", **words)
        self.frame()

    def picture(self) -> bytes:
        """Return a screenshot, PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
