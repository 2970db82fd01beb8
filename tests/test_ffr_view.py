"""The local page: what is sent is right, who may ask is known, and a real browser works it."""

import io
import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import browser
import matplotlib.image
import numpy as np
import psutil
import pytest
import standin
import view_folder
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ffr.errors import ConfigError
from ffr.guard import reported
from ffr.report.colours import ffr_rgb
from ffr.results import stages
from ffr.results.result import ffr_rounded
from ffr.view import reformat
from ffr.view.blobs import vessel_blob
from ffr.view.packing import packed
from ffr.view.pending import load_pending, save_pending
from ffr.view.run import load_run
from ffr.view.surface import lumen_blob, vertex_normals
from ffr.view.thinning import thinned
from ffr.view.verb import _opened
from ffr.view.words import page_values
from meshes.arrays import floats
from meshes.contours import Contours
from meshes.volume import Volume, axis_aligned_grid, ijk_to_points_mm

MAIN = "from ffr.cli import main; main()"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("view") / "out"
    result = view_folder.fill(out, standin.make_case(spacing_mm=1.0))
    return out, result


@pytest.fixture(scope="module")
def run(folder):
    return load_run(folder[0])


# --- pictures along and across


def bow(radius_mm=40.0, turn_rad=1.4, step_mm=0.5):
    """A vessel bent in a slanted plane."""
    angle = np.arange(0.0, turn_rad, step_mm / radius_mm)
    flat = radius_mm * np.stack([np.sin(angle), 1 - np.cos(angle), 0 * angle], axis=1)
    slant = np.array([[0.8, 0.0, 0.6], [0.0, 1.0, 0.0], [-0.6, 0.0, 0.8]])
    return flat @ slant.T + np.array([5.0, -3.0, 11.0])


def painted(points_mm, radius_mm, spacing_mm=0.4):
    """A scan of 400 HU within `radius_mm` of a centreline and -100 HU elsewhere."""
    low = points_mm.min(axis=0) - 10.0
    size = np.ceil((points_mm.max(axis=0) + 10.0 - low) / spacing_mm).astype(int)
    grid = axis_aligned_grid(size, spacing_mm, low)
    k, j, i = np.meshgrid(*(np.arange(n) for n in size[::-1]), indexing="ij")
    at = ijk_to_points_mm(grid, np.stack([i, j, k], axis=-1).reshape(-1, 3))
    near, _ = cKDTree(points_mm).query(at, distance_upper_bound=radius_mm)
    hu = np.where(np.isfinite(near), 400, -100).astype(np.int16)
    return Volume(grid, hu.reshape(size[::-1]))


def test_cross_sections_hold_a_round_vessel_in_their_middle_all_along():
    line = bow()
    axis = reformat.vessel_axis(line)
    hu = reformat.cross_sections_hu(painted(line, 2.0), axis)
    half = hu.shape[1] // 2
    across = (np.arange(hu.shape[1]) - half) * reformat.ACROSS_MM
    away = np.hypot(across[:, None], across)
    inner = hu[10:-10]
    assert inner[:, away < 1.4].min() > 250
    assert inner[:, (away > 2.6) & (away < 5.0)].max() < 100


def test_the_cross_section_shows_what_lies_to_the_right_and_up():
    line = np.stack([np.zeros(60), np.zeros(60), np.arange(60) * 0.5], axis=1)
    axis = reformat.vessel_axis(line)
    beside = axis.points_mm[60] + 3.0 * axis.right_direction[60] + 1.0 * axis.up_direction[60]
    hu = reformat.cross_sections_hu(
        painted(np.array([[-9.0, -9, 0], beside, [9, 9, 30]]), 0.8), axis
    )
    row, column = np.unravel_index(np.argmax(hu[60]), hu[60].shape)
    middle = hu.shape[1] // 2
    assert (column - middle) * reformat.ACROSS_MM == pytest.approx(3.0, abs=0.6)
    assert (row - middle) * reformat.ACROSS_MM == pytest.approx(1.0, abs=0.6)


def test_the_curved_picture_shows_the_lumen_where_it_says_the_vessel_runs():
    line = bow()
    axis = reformat.vessel_axis(line)
    shape = reformat.curved(axis)
    hu = reformat.curved_hu(painted(line, 2.0), axis, shape)
    for turn in (0, 7, 16):
        rows = np.rint(shape.down_mm[turn] / reformat.CURVED_MM).astype(int)
        columns = np.rint(shape.right_mm[turn] / reformat.CURVED_MM).astype(int)
        assert hu[turn, rows[8:-8], columns[8:-8]].min() > 300
        assert np.mean(hu[turn] > 150) < 0.25  # and tissue beside it


def test_the_curved_picture_keeps_lengths_along_the_vessel():
    axis = reformat.vessel_axis(bow())
    shape = reformat.curved(axis)
    drawn = np.hypot(np.diff(shape.down_mm, axis=1), np.diff(shape.right_mm, axis=1)).sum(
        axis=1
    )
    assert drawn == pytest.approx(np.full(reformat.TURNS, axis.s_mm[-1]), rel=2e-3)
    assert np.all(np.diff(shape.down_mm, axis=1) >= 0)


def test_an_outline_is_the_measured_contour_in_space():
    axis = reformat.vessel_axis(bow())
    k = np.array([20, 60])
    right, up = axis.right_direction[k], axis.up_direction[k]
    zero = np.cos(0.7) * right + np.sin(0.7) * up  # the contour has a direction of its own
    quarter = -np.sin(0.7) * right + np.cos(0.7) * up
    angle = np.arange(64) * 2 * np.pi / 64
    egg = np.tile(1.5 + 0.4 * np.cos(angle) + 0.1 * np.sin(2 * angle), (2, 1))
    found = reformat.outlines_mm(
        axis, axis.s_mm[k], floats([1.5, 1.5]), Contours(egg, zero, quarter)
    )
    turn = np.arange(reformat.RAYS) * 2 * np.pi / reformat.RAYS
    expected = 1.5 + 0.4 * np.cos(turn - 0.7) + 0.1 * np.sin(2 * (turn - 0.7))
    assert found == pytest.approx(np.tile(expected, (2, 1)), abs=2e-3)


def test_the_edges_of_a_round_vessel_are_its_radius_away_where_it_is_cut_upright():
    line = np.stack([np.zeros(60), 0.02 * np.arange(60) ** 1.2, np.arange(60) * 0.5], axis=1)
    axis = reformat.vessel_axis(line)
    shape = reformat.curved(axis)
    at = axis.s_mm[10:100:10]
    outline = reformat.outlines_mm(axis, at, floats(np.full(at.size, 1.3)), None)
    edges = reformat.curved_edges_mm(axis, shape, at, outline)
    assert edges == pytest.approx(np.full(edges.shape, 1.3), rel=0.06)


def test_a_vessel_of_two_points_has_cross_sections():
    axis = reformat.vessel_axis(np.array([[0.0, 0, 0], [0.2, 0, 0]]))
    assert axis.s_mm[-1] == pytest.approx(0.2)


# --- what is sent


def unpacked(blob):
    length = int.from_bytes(blob[:4], "little")
    header = json.loads(blob[4 : 4 + length])
    found = {}
    for name, (kind, shape, at) in header.items():
        assert (4 + length + at) % 8 == 0
        count = int(np.prod(shape))
        found[name] = np.frombuffer(blob, kind, count, 4 + length + at).reshape(shape)
    return found


def test_arrays_come_out_of_a_blob_as_they_went_in():
    arrays = {
        "a": np.arange(7, dtype=np.int16),
        "b": np.random.default_rng(1).normal(size=(3, 5)),
    }
    found = unpacked(packed(arrays))
    assert all(
        np.array_equal(found[k], arrays[k]) and found[k].dtype == arrays[k].dtype
        for k in arrays
    )


def test_the_lumen_is_coloured_as_in_the_report_and_lit_from_outside(run):
    found = unpacked(lumen_blob(run.lumen))
    assert np.array_equal(found["rgb"], np.rint(255 * ffr_rgb(run.lumen.ffr)))
    grey = np.isnan(run.lumen.ffr)
    assert 0 < grey.sum() < grey.size
    a, b, c = (found["points"][found["polys"][:, k]] for k in (1, 2, 3))
    flat = np.cross(b - a, c - a)
    mean = np.stack([found["normals"][found["polys"][:, k]] for k in (1, 2, 3)]).mean(axis=0)
    solid = np.linalg.norm(flat, axis=1) > 1e-6
    assert np.mean(np.einsum("ij,ij->i", flat, mean)[solid] > 0) > 0.99


def test_normals_of_a_sphere_point_away_from_its_middle():
    rows = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1.0]])
    faces = np.array(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    )
    assert vertex_normals(rows, faces) == pytest.approx(rows)


def test_a_fine_surface_gets_coarser_but_not_torn_and_keeps_its_size(run):
    axes = np.concatenate([c.tree.points_mm for c in run.trees])
    assert thinned(run.lumen, axes) is run.lumen  # few enough
    few = thinned(run.lumen, axes, most=1000)
    assert len(few.triangles) < 0.8 * len(run.lumen.triangles)
    whole, parts = (measured(x.points_mm, x.triangles) for x in (run.lumen, few))
    assert parts[0] == pytest.approx(whole[0], rel=0.05)  # volume
    assert parts[1] <= whole[1]  # pieces: none has come off
    known = ~np.isnan(few.ffr)
    near = cKDTree(run.lumen.points_mm).query(few.points_mm)[1]
    both = known & ~np.isnan(run.lumen.ffr[near])
    assert np.mean(np.abs(few.ffr - run.lumen.ffr[near])[both] < 0.02) > 0.98
    assert np.mean(known) == pytest.approx(np.mean(~np.isnan(run.lumen.ffr)), abs=0.15)


def measured(points_mm, triangles):
    """Volume, and number of pieces that do not hang together."""
    a, b, c = (points_mm[triangles[:, k]] for k in range(3))
    edges = np.concatenate([triangles[:, :2], triangles[:, 1:]])
    table = coo_array((np.ones(len(edges)), edges.T), shape=(len(points_mm),) * 2)
    used = np.unique(triangles)
    pieces = np.unique(connected_components(table, directed=False)[1][used]).size
    return np.einsum("ij,ij->", a, np.cross(b, c)) / 6, pieces


def test_every_vessel_can_be_picked_and_every_point_is_somewhere(run):
    names = [path.name for path in run.paths]
    assert names[:3] == ["LAD", "LCx", "RCA"]
    assert set(names) == {
        "LAD",
        "LCx",
        "RCA",
        "D1",
        "D2",
        "OM1",
        "OM2",
        "RM1",
        "R-PDA",
        "R-PLB",
    }
    values = page_values(run, True)
    points = values["points"]
    for k, (vessel, index) in enumerate(zip(points["vessel"], points["index"], strict=True)):
        assert values["vessels"][vessel]["points"][index] == k
        assert points["name"][k] in (values["vessels"][vessel]["name"], "LM")


def test_the_values_are_those_of_the_result(run):
    values = page_values(run, True)
    json.dumps(values, allow_nan=False)
    result = run.result
    assert len(values["lesions"]) == len(result.lesions) == 3
    for sent, lesion in zip(values["lesions"], result.lesions, strict=True):
        points = values["points"]
        assert points["ffr"][sent["read_point"]] == pytest.approx(lesion.ffr_distal, abs=1e-12)
        assert points["ffr_low"][sent["read_point"]] == pytest.approx(lesion.ffr_low, abs=1e-12)
        vessel, index = sent["throat"]
        throat = values["vessels"][vessel]["points"][index]
        assert points["s_mm"][throat] == pytest.approx(lesion.position_mm)
        assert points["diameter_mm"][throat] == pytest.approx(lesion.minimal_diameter_mm)
        assert sent["read"][0] == vessel  # one way shows both
    assert [x["message"] for x in values["flags"]] == [x.message for x in result.flags]
    vessel, index = values["flags"][-1]["place"]
    assert values["vessels"][vessel]["name"] == "RCA"
    assert values["points"]["s_mm"][
        values["vessels"][vessel]["points"][index]
    ] == pytest.approx(52, abs=0.3)
    assert values["assumptions"][0]["value"] == "132/78 mmHg"


def test_the_colours_break_where_the_report_s_do(run):
    colours = page_values(run, True)["colours"]
    at = np.array([0.5, 0.7544, 0.7556, 0.8044, 0.8056, 0.95])
    for ffr, rgb in zip(at, ffr_rgb(at), strict=True):
        sent = colours[int(ffr * len(colours))]
        assert (
            np.abs(np.array([int(sent[k : k + 2], 16) for k in (1, 3, 5)]) - 255 * rgb).max()
            < 3
        )


def test_the_diameter_lies_in_its_interval_which_is_wide_at_a_narrowing(run):
    for coronary, (low, high) in zip(run.trees, run.diameters_mm, strict=True):
        d = 2 * coronary.tree.radius_mm
        assert np.all((low < d) & (d < high))
        ratio = high / low
        narrow = d / coronary.reference_radius_mm / 2
        assert ratio[np.argmin(narrow)] > np.median(ratio)


def test_without_a_scan_there_are_outlines_but_no_pictures(run):
    found = unpacked(vessel_blob(run, run.paths[0], None))
    assert "across_hu" not in found
    assert found["outline_mm"][:, 0] == pytest.approx(run.paths[0].radius_mm, rel=1e-6)


# --- what is tried and not kept yet

TRIED = {
    "stents": [{"vessel": "RCA", "from_mm": 3.0, "to_mm": 9.5, "diameter_mm": None}],
    "edits": [{"edit": "exclude", "vessel": "LAD", "side": "left"}],
}


def put_down(out, run, tried):
    save_pending(out, run.trees, json.dumps(tried).encode())


def test_what_is_tried_is_written_for_its_owner_read_back_and_gone_when_there_is_none(
    tmp_path, run
):
    assert load_pending(tmp_path, run.trees) == {"stents": [], "edits": [], "problem": ""}
    put_down(tmp_path, run, TRIED)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_pending(tmp_path, run.trees) == {**TRIED, "problem": ""}
    with pytest.raises(ConfigError, match="edit 1: 'Wurzel' is no field"):
        put_down(tmp_path, run, {**TRIED, "edits": [{**TRIED["edits"][0], "Wurzel": 1}]})
    assert load_pending(tmp_path, run.trees)["edits"] == TRIED["edits"]
    put_down(tmp_path, run, {"stents": [], "edits": []})
    assert list(tmp_path.iterdir()) == []


def test_what_was_tried_on_other_trees_or_is_damaged_is_told_and_not_shown(tmp_path, run):
    put_down(tmp_path, run, TRIED)
    other = load_pending(tmp_path, run.trees[:1])
    assert (other["edits"], "other trees" in other["problem"]) == ([], True)
    file = tmp_path / "pending.json"
    for text in (file.read_text()[:-20], "[]", '{"trees": 1}', "\xff"):
        file.write_text(text)
        assert load_pending(tmp_path, run.trees)["stents"] == []
        assert load_pending(tmp_path, run.trees)["problem"]


def test_what_is_tried_goes_with_the_trees(tmp_path, run):
    with stages.stage_files(tmp_path, "solve"):
        pass
    put_down(tmp_path, run, TRIED)
    with stages.stage_files(tmp_path, "solve"):
        pass
    assert not (tmp_path / "pending.json").exists()


# --- its start

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


# --- the server


class Server:
    """`ffr view` as a user starts it."""

    def __init__(self, out, *words):
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, "view", str(out), "--no-browser", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        lines = []
        while not (lines and lines[-1].startswith("open ")):
            lines.append(self.process.stdout.readline())
            assert lines[-1], self.process.communicate()
        self.said, self.url = "".join(lines), lines[-1].split()[1]
        self.root, self.token = self.url.rstrip("/").rsplit("/", 1)

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        try:
            rest, err = self.process.communicate(timeout=20)
        finally:
            self.process.kill()
        return self.process.returncode, self.said + rest, err


@pytest.fixture(scope="module")
def server(folder):
    made = Server(folder[0])
    yield made
    made.end()


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


# --- a real browser


@pytest.fixture(scope="module")
def page(server):
    with browser.page_of_a_run(
        server.url, "ffrView.model.arrays.slice(0, 3).every(x => x)"
    ) as opened:
        yield opened


@pytest.fixture
def fresh(page):
    page.js("ffrView.model.reset(); ffrView.page.resetView(); ffrView.model.moveTo(0, 0)")
    page.mouse("mouseMoved", 2, 2)
    page.frame()
    return page


def cursor(page):
    """Return vessel and path length that the page shows."""
    return page.text("#vessel-name"), float(page.text("#place-mm").split()[0])


def test_the_page_asks_nothing_of_the_network_and_nothing_goes_wrong(page, server):
    port = server.root.rsplit(":", 1)[1]
    ours = (f"http://127.0.0.1:{port}/", f"ws://127.0.0.1:{port}/", "data:", "blob:")
    assert any(url.startswith("ws:") for url in page.requests)
    assert [url for url in page.requests if not url.startswith(ours)] == []
    assert page.complaints == []


def test_the_browser_itself_refuses_to_go_elsewhere(page):
    refused = page.js(
        """(async () => { const found = [];
        document.addEventListener('securitypolicyviolation', x => found.push(x.blockedURI));
        for (const send of [fetch, x => new Promise((good, bad) => { const i = new Image();
          i.onload = good; i.onerror = bad; i.src = x; })])
          try { await send('http://127.0.0.1:9/x'); found.push('sent'); } catch { }
        try { new WebSocket('ws://192.0.2.1:9/x'); } catch { }
        await new Promise(r => setTimeout(r, 50)); return found; })()"""
    )
    assert refused == ["http://127.0.0.1:9/x", "http://127.0.0.1:9/x", "ws://192.0.2.1:9/x"]
    page.requests[:] = [url for url in page.requests if ":9/x" not in url]
    page.complaints.clear()


def test_warnings_assumptions_and_the_statement_are_in_view(page, run):
    shown = page.text("header")
    for flag in run.result.flags:
        assert flag.message in shown
    for one in run.result.assumptions:
        assert one.name in shown
        assert one.value in shown
        assert one.source in shown
    assert run.result.research_use_only in shown
    assert page.js("document.scrollingElement.scrollHeight <= innerHeight")
    hidden = page.js(
        """[...document.querySelectorAll('.flags li, .assumed li, .lesions tr, .picture, ' +
        '.plot, .straight, .tree, #readout, footer')].filter(x => {
        const b = x.getBoundingClientRect(); return b.width < 8 || b.height < 8 || b.left < 0
          || b.top < 0 || b.right > innerWidth || b.bottom > innerHeight;
        }).map(x => x.className + x.textContent.slice(0, 40))"""
    )
    assert hidden == []


def test_the_lesion_table_holds_the_result_and_jumps(fresh, run):
    for lesion in run.result.lesions:
        row = f"[data-lesion='{lesion.id}']"
        words = fresh.text(row)
        for value in (lesion.ffr_distal, lesion.ffr_low, lesion.ffr_high):
            assert f"{ffr_rounded(value):.2f}" in words
        fresh.click_on(row)
        assert cursor(fresh) == (lesion.vessel, pytest.approx(lesion.position_mm, abs=0.06))
        assert "chosen" in fresh.js(f'document.querySelector("{row}").className')
        fresh.key("d")
        assert f"{ffr_rounded(lesion.ffr_distal):.2f}" in fresh.text("#ffr-value")
        interval = f"{ffr_rounded(lesion.ffr_low):.2f}–{ffr_rounded(lesion.ffr_high):.2f}"
        assert interval in fresh.text("#ffr-interval")


def on_screen(page, point):
    return page.js(
        f"""(() => {{ const b = document.querySelector('.overlay').getBoundingClientRect();
        const [x, y] = ffrView.page.parts.overlay.project()({point});
        return [b.left + x, b.top + y]; }})()"""
    )


def test_hovering_over_a_vessel_tells_the_value_that_the_result_has_there(fresh, run):
    values = page_values(run, True)
    for sent, lesion in zip(values["lesions"], run.result.lesions, strict=True):
        fresh.hover(*on_screen(fresh, sent["read_point"]))
        words = fresh.text(".tip")
        assert f"FFR {ffr_rounded(lesion.ffr_distal):.2f} (95 %" in words
        assert lesion.vessel in words
        lumen = float(words.rpartition("lumen ")[2].split()[0])
        assert lumen == pytest.approx(
            values["points"]["diameter_mm"][sent["read_point"]], abs=0.03
        )
    left, top, *_ = fresh.box(".tree")
    fresh.hover(left + 3, top + 400)
    assert fresh.js("getComputedStyle(document.querySelector('.tip')).display") == "none"


def pictures(page):
    return page.js(
        """['straight', 'cross canvas', 'curved canvas', 'overlay'].map(
        x => document.querySelector('.' + x).toDataURL())"""
    )


def test_a_click_on_a_vessel_moves_the_cursor_everywhere(fresh, run):
    before = pictures(fresh)
    path = next(p for p in run.paths if p.name == "RCA")
    values = page_values(run, True)
    vessel = next(v for v in values["vessels"] if v["name"] == "RCA")
    k = int(np.argmin(np.abs(path.s_mm - 30.0)))
    fresh.click(*on_screen(fresh, vessel["points"][k]))
    fresh.frame()
    name, mm = cursor(fresh)
    assert name == "RCA"
    assert mm == pytest.approx(30.0, abs=2.0)
    here = int(np.argmin(np.abs(path.s_mm - mm)))
    assert f"{ffr_rounded(path.ffr[here]):.2f}" in fresh.text("#ffr-value")
    assert fresh.text("#diameter-mm") == f"{2 * path.radius_mm[here]:.2f} mm"
    assert all(a != b for a, b in zip(before, pictures(fresh), strict=True))
    left, _, width, _ = fresh.box(".axis")
    line = fresh.box(".axis .cursor")[0]
    assert (line - left) / width == pytest.approx(mm / path.s_mm[-1], abs=0.004)
    marker = fresh.js("+document.querySelector('.ffr-plot .marker').getAttribute('cx')")
    assert marker / width == pytest.approx(mm / path.s_mm[-1], abs=0.004)
    assert float(fresh.js("document.querySelector('.axis').ariaValueNow")) == pytest.approx(
        mm, abs=0.06
    )
    assert (
        fresh.js("document.querySelector(\".vessels [aria-pressed='true']\").textContent")
        == "RCA"
    )


def test_a_click_on_a_curve_or_picture_moves_the_cursor_to_its_millimetre(fresh, run):
    end = run.paths[0].s_mm[-1]
    for selector, part in ((".ffr-plot svg", 0.4), (".straight", 0.7)):
        left, top, width, height = fresh.box(selector)
        fresh.click(left + part * width, top + height / 2)
        assert cursor(fresh)[1] == pytest.approx(part * end, abs=0.6)
    before = cursor(fresh)[1]
    left, top, width, height = fresh.box(".curved canvas")
    fresh.click(left + width / 2, top + 0.2 * height)
    assert abs(cursor(fresh)[1] - before) > 5


def test_every_key_does_what_the_foot_of_the_page_says(fresh, run):
    step = run.paths[0].s_mm[1]
    fresh.key("ArrowRight")
    assert cursor(fresh)[1] == pytest.approx(step, abs=0.06)
    fresh.key("ArrowRight", shift=True)
    assert cursor(fresh)[1] == pytest.approx(step + 5.0, abs=0.6)
    fresh.key("ArrowLeft")
    assert cursor(fresh)[1] == pytest.approx(5.0, abs=0.6)
    before = pictures(fresh)
    fresh.key("r")
    assert fresh.text(".slider output") == "15°"
    assert all(a != b for a, b in zip(before[:3], pictures(fresh), strict=False))
    fresh.key("w")
    assert "calcium 1500/500" in fresh.js(
        "document.querySelector(\".windows [aria-pressed='true']\").textContent"
    )
    fresh.key("0")
    assert fresh.text(".slider output") == "0°"
    fresh.key("ArrowDown")
    assert (
        fresh.js("document.querySelector(\".vessels [aria-pressed='true']\").textContent")
        == "LCx"
    )
    fresh.key("ArrowUp")
    seen = []
    for _ in run.result.lesions:
        fresh.key("n")
        seen.append(cursor(fresh))
    expected = [(x.vessel, pytest.approx(x.position_mm, abs=0.06)) for x in run.result.lesions]
    assert seen == expected
    fresh.key("n", shift=True)
    assert cursor(fresh) == expected[-2]


def test_zoomed_in_the_cursor_stays_in_view_and_lengths_stay_true(fresh, run):
    fresh.js("ffrView.model.moveTo(0, 90)")
    fresh.key("+")
    fresh.key("+")
    left, _, width, _ = fresh.box(".axis")
    ticks = fresh.js(
        """[...document.querySelectorAll('.width-plot .tick')]
        .filter(x => x.getAttribute('text-anchor') == 'middle')
        .map(x => [+x.textContent, +x.getAttribute('x')])"""
    )
    scale = (ticks[1][1] - ticks[0][1]) / (ticks[1][0] - ticks[0][0])
    assert scale == pytest.approx(4 * width / run.paths[0].s_mm[-1], rel=1e-3)
    line = fresh.box(".axis .cursor")[0] - left
    assert line == pytest.approx(
        ticks[0][1] + scale * (cursor(fresh)[1] - ticks[0][0]), abs=1.5
    )


def test_everything_is_reached_by_the_tabulator_and_shows_where_one_is(fresh):
    fresh.js("document.body.tabIndex = -1; document.body.focus()")  # from the top
    seen, outlines = [], []
    for _ in range(45):
        fresh.key("Tab")
        seen.append(
            fresh.js(
                "document.activeElement.getAttribute('aria-label')"
                " || document.activeElement.textContent.trim()"
            )
        )
        outlines.append(fresh.js("getComputedStyle(document.activeElement).outlineStyle"))
        if seen[-1].startswith("Place along the vessel"):
            break
    assert {"LAO 45°", "RCA", "vessel 800/300"} <= set(seen)
    assert any(x.startswith("Coronary trees") for x in seen)
    assert any(x.startswith("1 ") for x in seen)  # a row of the lesion table
    assert any(x.startswith("Turn about") for x in seen)
    assert any("heavy calcium" in x for x in seen)
    assert seen[-1].startswith("Place along the vessel")
    assert set(outlines) == {"solid"}


def test_pictures_are_pictures_and_the_trees_are_blue_and_brown(fresh):
    shot = matplotlib.image.imread(io.BytesIO(fresh.picture()), format="png")[..., :3]
    for selector in (".straight", ".cross canvas", ".curved canvas"):
        left, top, width, height = (int(x) for x in fresh.box(selector))
        part = shot[top : top + height, left : left + width]
        assert part.std() > 0.1, selector
    left, top, width, height = (int(x) for x in fresh.box(".tree"))
    tree = shot[top + 40 : top + height, left : left + width].reshape(-1, 3)
    blue = (tree[:, 2] - tree[:, 0] > 0.15).mean()
    brown = (tree[:, 0] - tree[:, 2] > 0.15).mean()
    green = (tree[:, 1] - np.maximum(tree[:, 0], tree[:, 2]) > 0.1).mean()
    assert blue > 0.01
    assert brown > 0.001
    assert green == 0


def test_moving_the_cursor_is_drawn_at_once(fresh):
    times = fresh.js(
        """(async () => { const found = []; for (let k = 0; k < 30; k += 1) {
        const key = new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true });
        const began = performance.now(); document.body.dispatchEvent(key);
        await new Promise(r => requestAnimationFrame(() => setTimeout(r)));
        found.push(performance.now() - began); } return found; })()"""
    )
    assert np.percentile(times, 25) < 100.0  # of a machine that may have other work to do


def test_the_grey_of_a_window_is_what_its_name_says(fresh):
    greys = fresh.js(
        "[100, -100, 300, 700].map(hu => ffrView.greyTable(['vessel', 800, 300])[hu + 32768])"
    )
    assert greys == [pytest.approx(63.75, abs=0.6), 0, pytest.approx(127.5, abs=0.6), 255]
