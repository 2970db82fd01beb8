"""The local page's server: its start, its refusals, who may ask."""

import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
import view_folder
from view_folder import MAIN, Server

from ffr.guard import reported
from ffr.view.verb import _opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("view") / "out"
    return out, view_folder.fill(out, view_folder.case())


@pytest.fixture(scope="module")
def server(folder):
    made = Server(folder[0])
    yield made
    made.end()


START = """
import sys
import ffr.view.pictures, ffr.view.run, ffr.view.server, ffr.view.trying, ffr.view.verb
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


def test_the_page_can_be_asked_for_before_anything_heavy_is_loaded():
    words = [sys.executable, "-c", START]
    loaded = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert {"aiohttp", "numpy", "vtkmodules"} <= set(loaded)
    assert not {"matplotlib", "numba", "pydicom", "scipy", "torch"} & set(loaded)


# --- mistakes


def said(capsys, out, port=0):
    from ffr.view.verb import view

    code = reported(lambda: view(out, port, False, lambda _: None))
    err = capsys.readouterr().err
    assert code == 2
    assert err.count("\n") == 1
    assert str(out) not in err
    return err


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    words = [sys.executable, "-c", MAIN, "view", str(tmp_path / "Wurzelbrunft"), "--no-browser"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("ffr: no earlier run in this folder")
    assert "Wurzelbrunft" not in done.stdout + done.stderr


def test_a_run_that_is_not_solved_or_not_reported_is_refused(tmp_path, folder, capsys):
    out = tmp_path / "out"
    for name in ("stages/scan", "stages/tree"):
        (out / name).mkdir(parents=True)
    assert "no finished stage 'solve'" in said(capsys, out)
    (out / "stages/solve").mkdir()
    assert "ffr report" in said(capsys, out)
    for name in ("result.json", "tree.vtp", "lumen.vtp"):
        (out / name).write_bytes((folder[0] / name).read_bytes()[:200])
    assert "not a JSON file" in said(capsys, out)


def test_trees_that_are_not_of_this_run_are_refused(tmp_path, folder, capsys):
    out = tmp_path / "out"
    out.mkdir()
    for place in folder[0].iterdir():
        (out / place.name).symlink_to(place)
    (out / "tree.vtp").unlink()
    (out / "tree.vtp").write_text("<VTKFile>")
    assert "tree.vtp cannot be read" in said(capsys, out)
    (out / "tree.vtp").unlink()
    (out / "tree.vtp").symlink_to(folder[0] / "lumen.vtp")
    assert "does not belong" in said(capsys, out)


def status(url, **headers):
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers)


def test_without_the_token_nothing_is_answered(server):
    upgrade = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    wrong = server.token[:-1] + ("0" if server.token[-1] != "0" else "1")
    for path in (
        "",
        "/",
        "/index.html",
        "/ws",
        "/data/values.json",
        "/ffr_view/app.js",
        "/x/../",
        "//",
    ):
        for start in (server.root, f"{server.root}/{wrong}"):
            assert status(start + path)[0] == 403, path
            assert status(start + path, **upgrade)[0] == 403, path
    assert status(f"{server.url}data/values.json", Host="evil.example:80")[0] == 403
    assert len(server.token) >= 32
    code, headers = status(f"{server.url}data/values.json")
    assert code == 200
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert status(f"{server.url}data/vessel/99")[0] == 404


def test_it_listens_on_this_machine_only(server):
    listening = [
        c.laddr.ip
        for c in psutil.Process(server.process.pid).net_connections()
        if c.status == "LISTEN"
    ]
    assert listening == ["127.0.0.1"]


def test_a_port_that_is_taken_is_one_line(server, folder):
    port = server.root.rsplit(":", 1)[1]
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "view", str(folder[0]), "--no-browser", "--port", port],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"port {port} is taken" in done.stderr


def test_ctrl_c_ends_it_without_a_word_and_the_given_port_is_used(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Server(folder[0], "--port", str(port))
    assert made.root == f"http://127.0.0.1:{port}"
    code, out, err = made.end()
    assert (code, err) == (0, "")
    assert out.startswith("Research use only.")
    assert "view" not in out.replace(made.url, "")  # the folder is not named


def test_the_browser_is_sent_there_by_a_file_that_nobody_else_can_read(monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    with _opened("http://127.0.0.1:1/secret/"):
        page = Path(opened[0].removeprefix("file://"))
        assert "url=http://127.0.0.1:1/secret/" in page.read_text()
        assert page.parent.stat().st_mode & 0o077 == 0
    assert not page.exists()
