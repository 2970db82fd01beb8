"""The local page in a real browser: what it shows, and what mouse and keys do."""

import io

import browser
import matplotlib.image
import numpy as np
import pytest
import view_folder
from patience import slowness
from view_folder import Server

from ffr.results.result import ffr_rounded
from ffr.view.run import load_run
from ffr.view.words import page_values


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("view") / "out"
    return out, view_folder.fill(out, view_folder.case())


@pytest.fixture(scope="module")
def run(folder):
    return load_run(folder[0])


@pytest.fixture(scope="module")
def server(folder):
    made = Server(folder[0])
    yield made
    made.end()


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
    before = slowness()
    times = fresh.js(
        """(async () => { const found = []; for (let k = 0; k < 30; k += 1) {
        const key = new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true });
        const began = performance.now(); document.body.dispatchEvent(key);
        await new Promise(r => requestAnimationFrame(() => setTimeout(r)));
        found.push(performance.now() - began); } return found; })()"""
    )
    assert np.percentile(times, 25) < 100.0 * max(before, slowness())


def test_the_grey_of_a_window_is_what_its_name_says(fresh):
    greys = fresh.js(
        "[100, -100, 300, 700].map(hu => ffrView.greyTable(['vessel', 800, 300])[hu + 32768])"
    )
    assert greys == [pytest.approx(63.75, abs=0.6), 0, pytest.approx(127.5, abs=0.6), 255]
