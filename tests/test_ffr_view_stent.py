"""Virtual stents on the page: what is answered, drawn, undone and kept, and what is refused."""

import json
import shutil
import urllib.error
import urllib.request
from dataclasses import replace
from types import SimpleNamespace

import browser
import numpy as np
import pytest
import run_folder
import standin
from view_folder import Server

from ffr.errors import ConfigError
from ffr.results.result import ffr_rounded
from ffr.stenting.compare import compared, comparison
from ffr.stenting.rank import lesion_stents
from ffr.stenting.solved import resolve
from ffr.stenting.span import Stent, stented
from ffr.stenting.verb import stent_run
from ffr.view import stent_routes
from ffr.view.asked import stents_of
from ffr.view.run import load_run
from ffr.view.stents import at_once, planner, surely
from ffr.view.words import page_values
from meshes.tree import Unreadable
from solvers.errors import ConvergenceError
from validation import view


def case():
    """The first 70 mm of a right tree: two stenoses in a row, then a narrow stent."""
    right, _ = standin.right_tree((("RCA", 16.0, 3.0, 0.62), ("RCA", 40.0, 3.0, 0.55)))
    short = standin.first_part(right, 70.0)
    dark = replace(short, unreadable=(Unreadable("stent of 2.5 mm", "RCA", 63.0, 66.0),))
    scan = standin.scan_of(standin.painted((short,), 1.5))
    return SimpleNamespace(trees=(dark,), scan=scan)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    out = tmp_path_factory.mktemp("stentview") / "out"
    run_folder.fill_without_documents(out, case())
    return out


@pytest.fixture(scope="module")
def made(out):
    return planner(out)


FIRST = Stent("RCA", 8.0, 24.0)


def body_of(*stents):
    names = ("vessel", "from_mm", "to_mm", "diameter_mm")
    rows = [{name: getattr(x, name) for name in names} for x in stents]
    return json.dumps({"stents": rows}).encode()


# --- what is answered


def test_the_answer_at_once_is_the_fast_network_s_and_numbered_as_the_page_numbers(made, out):
    found = at_once(made, (FIRST,))
    before = made.quick.before
    trees = stented(before.trees, FIRST)
    solution = made.quick.solution(0, trees[0])
    ffr = np.array(found["ffr"], dtype=float)
    shown = np.isfinite(ffr)
    assert ffr[shown] == pytest.approx(
        (solution.pressure_mmhg / solution.pressure_mmhg[0])[shown], abs=1e-12
    )
    points = page_values(load_run(out), True)["points"]
    assert [x is None for x in points["ffr"]] == (~shown).tolist()  # grey stays grey
    s = np.array(points["s_mm"])
    inside = s[found["covered"]]
    assert (inside.min(), inside.max()) == pytest.approx((8.0, 24.0), abs=0.6)
    assert found["flow_ml_min"]["right"][1] == pytest.approx(float(solution.flow_ml_min[0]))
    json.dumps(found, allow_nan=False)


def test_a_stent_over_one_lesion_lifts_what_lies_behind_and_the_other_loses_more(made):
    first, second = at_once(made, (FIRST,))["lesions"]
    assert first["throat_stented"]
    assert not second["throat_stented"]
    assert second["change"] > 0.02
    assert second["drop_after_mmhg"] > second["drop_before_mmhg"] + 0.5  # more flows
    old, new = at_once(made, (FIRST,))["flow_ml_min"]["right"]
    assert new > old + 1.0
    assert second["change_low"] is None  # the interval follows


def test_two_stents_are_more_than_one_and_their_order_does_not_matter(made):
    other = lesion_stents(made.quick.before)[2]
    one, both = at_once(made, (FIRST,)), at_once(made, (FIRST, other))
    assert both["lowest"][1]["ffr"] > one["lowest"][1]["ffr"] > one["lowest"][0]["ffr"]
    assert at_once(made, (other, FIRST))["ffr"] == both["ffr"]


def test_the_slow_answer_is_what_the_verb_compares(made):
    found = surely(made, (FIRST,), base=64)
    before = made.quick.before
    after = resolve(before, stented(before.trees, FIRST))
    both = compared(before, made.sure, after, (FIRST,), base=64)
    words = comparison(both)
    assert found["lesions"] == [x.model_dump(mode="json") for x in words.lesions]
    shown = np.isfinite(after.findings.ffr[0])
    for name, values in (
        ("ffr", after.findings.ffr[0]),
        ("ffr_low", both.sure_after.spreads[0].ffr_low),
        ("change_high", both.changes[0].ffr_high),
    ):
        sent = np.array(found[name], dtype=float)
        assert np.array_equal(sent[shown], values[shown]), name
        assert np.isnan(sent[~shown]).all(), name
    quick = at_once(made, (FIRST,))
    off = np.array(quick["ffr"], dtype=float) - np.array(found["ffr"], dtype=float)
    assert np.nanmax(np.abs(off)) < 0.035  # docs/stent.md
    assert set(quick["lesions"][0]) <= set(found["lesions"][0])


def test_a_given_diameter_is_told_and_one_that_does_not_fit_is_warned_of(made):
    found = at_once(made, (replace(FIRST, diameter_mm=6.0),))
    assert found["stents"][0]["distal_diameter_mm"] == 6.0
    assert any("wider than the healthy vessel" in x for x in found["warnings"])
    assert at_once(made, (FIRST,))["warnings"] == []


# --- what is refused


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "JSON"),
        (b"[]", "the request"),
        (b'{"stents": []}', "stents"),
        (b'{"stents": [{"vessel": "RCA", "from_mm": "8", "to_mm": 9}]}', "stents.0.from_mm"),
        (b'{"stents": [{"vessel": "RCA", "from_mm": NaN, "to_mm": 9}]}', "stents"),
        (b'{"stents": [{"vessel": "RCA", "from_mm": 1}]}', "stents.0.to_mm"),
        (b'{"stents": [], "path": "/"}', "stents"),
        (body_of(*[FIRST] * 13), "at most 12"),
    ],
)
def test_what_is_no_list_of_stents_is_refused_and_says_where(body, word):
    with pytest.raises(ConfigError) as refused:
        stents_of(body)
    assert word in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_list_of_stents_comes_in_as_it_was_sent():
    given = (FIRST, Stent("LAD", 1.5, 20.0, 3.25))
    assert stents_of(body_of(*given)) == given


# --- the server


@pytest.fixture(scope="module")
def server(out):
    server = Server(out)
    yield server
    server.end()


def post(url, body):
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_without_the_token_no_stent_is_solved_and_none_is_kept(server, out):
    for path in ("data/stents", "data/stents/interval", "data/stents/keep"):
        for start in (server.root, f"{server.root}/{'0' * len(server.token)}"):
            assert post(f"{start}/{path}", body_of(FIRST))[0] == 403
    assert not (out / "stents").exists()


def test_the_route_answers_as_the_function_does(server, made):
    code, text = post(f"{server.url}data/stents", body_of(FIRST))
    assert code == 200
    sent, known = json.loads(text), at_once(made, (FIRST,))
    sent.pop("processor_s")
    known.pop("processor_s")
    assert sent == known


def test_a_bad_body_is_400_and_says_what_is_wrong(server):
    code, text = post(f"{server.url}data/stents", b'{"stents": [{"vessel": 3}]}')
    assert code == 400
    assert "stents.0.vessel" in text
    code, text = post(f"{server.url}data/stents/keep", b"{}")
    assert (code, "stents" in text) == (400, True)


def test_a_stent_that_does_not_fit_is_told_in_the_words_of_the_page(server):
    for stent, word in (
        (Stent("RCA", 20.0, 8.0), "its start must be"),
        (Stent("Wurzel", 8.0, 20.0), "none of this run's vessels"),
        (replace(FIRST, diameter_mm=9.0), "its diameter must be"),
        (Stent("RCA", 60.0, 64.0), "stent of 2.5 mm"),
    ):
        code, text = post(f"{server.url}data/stents", body_of(stent))
        assert code == 200
        error = json.loads(text)["error"]
        assert word in error
        assert "--" not in error


def test_no_flow_found_is_told_and_not_swallowed(made, monkeypatch):
    import asyncio
    from concurrent.futures import Future, ThreadPoolExecutor

    def fails(*_):
        raise ConvergenceError("no steady flow was found in the right tree")

    class Request:
        async def read(self):
            return body_of(FIRST)

    async def told():
        ready = Future()
        ready.set_result(made)
        with ThreadPoolExecutor(1) as pool:
            answers = stent_routes.StentAnswers(None, ready, pool, pool)
            return (await answers.at_once(Request())).text

    monkeypatch.setattr(stent_routes, "at_once", fails)
    assert json.loads(asyncio.run(told())) == {
        "error": "no steady flow was found in the right tree"
    }


# --- a real browser


@pytest.fixture(scope="module")
def page(server):
    with browser.page_of_a_run(server.url, "Boolean(ffrView.model.images)") as opened:
        opened.key("s")
        opened.wait("ffrView.model.plan.ranking?.rows.length", 120)
        yield opened


@pytest.fixture
def empty(page):
    page.js("ffrView.model.moveTo(0, 0); ffrView.model.plan.shown = true; 1")
    page.js("ffrView.model.plan.clear(); ffrView.model.plan.past = []; 1")
    page.wait("!ffrView.model.plan.asking && !ffrView.model.plan.after")
    page.frame()
    return page


def drag(page, from_mm, to_mm):
    left, top, width, height = page.box(".ffr-plot svg")
    last = page.js("ffrView.model.length")
    x0, x1 = (left + mm / last * width for mm in (from_mm, to_mm))
    y = top + 0.7 * height
    page.mouse("mouseMoved", x0, y)
    page.mouse("mousePressed", x0, y, button="left", clickCount=1, buttons=1)
    for part in (0.5, 0.8, 1.0):
        page.mouse("mouseMoved", x0 + part * (x1 - x0), y, button="left", buttons=1)
    page.mouse("mouseReleased", x1, y, button="left", clickCount=1, buttons=0)
    answered(page)


def answered(page):
    page.wait("!ffrView.model.plan.asking")
    page.frame()


def plan(page):
    rows = page.js("ffrView.model.plan.stents")
    return tuple(Stent(**x) for x in rows)


def test_dragging_places_a_stent_and_the_page_shows_the_numbers_of_the_answer(empty, made):
    drag(empty, 8.0, 24.0)
    (stent,) = plan(empty)
    assert (stent.vessel, stent.diameter_mm) == ("RCA", None)
    assert (stent.from_mm, stent.to_mm) == pytest.approx((8.0, 24.0), abs=0.8)
    known = at_once(made, (stent,))
    if empty.js("ffrView.model.plan.after.resolved"):
        pytest.fail("the interval cannot be there yet")
    for lesion in known["lesions"]:
        words = empty.text(f"[data-change='{lesion['id']}']")
        assert f"{ffr_rounded(lesion['ffr_before']):.2f}" in words
        assert f"{ffr_rounded(lesion['ffr_after']):.2f}" in words
        assert f"{lesion['drop_before_mmhg']:.1f} → {lesion['drop_after_mmhg']:.1f}" in words
    assert f"→ {ffr_rounded(known['lowest'][1]['ffr']):.2f}" in empty.text("#stent-lowest")
    curve = empty.js("document.querySelector('.ffr-after').getAttribute('points')").split()
    points = empty.js("ffrView.model.way.points")
    shown = [p for p in points if known["ffr"][p] is not None]
    assert len(curve) == len(shown)
    y0, y1 = (float(x.split(",")[1]) for x in (curve[0], curve[-1]))
    scale = empty.js("ffrView.page.parts.ffrPlot.y(0.5) - ffrView.page.parts.ffrPlot.y(1)")
    fall = known["ffr"][shown[0]] - known["ffr"][shown[-1]]
    assert (y1 - y0) / scale * 0.5 == pytest.approx(fall, abs=0.003)
    assert "virtual, research use only" in empty.text(".stents")
    assert "follows" in empty.text("#stent-interval")


def test_handles_keys_and_diameter_change_it_and_undo_restores_each(empty):
    drag(empty, 8.0, 24.0)
    first = plan(empty)
    drag(empty, first[0].to_mm, 30.0)  # its handle
    second = plan(empty)
    assert len(second) == 1
    assert second[0].from_mm == first[0].from_mm
    assert second[0].to_mm == pytest.approx(30.0, abs=0.8)
    empty.key("[")
    answered(empty)
    third = plan(empty)
    assert 0.2 < second[0].from_mm - third[0].from_mm < 0.8
    empty.key(">")
    answered(empty)
    assert plan(empty)[0].diameter_mm % 0.25 == pytest.approx(0)
    shown = float(empty.js("document.querySelector('.stents input').value"))
    assert shown == plan(empty)[0].diameter_mm
    for expected in (third, second, first):
        empty.key("z")
        answered(empty)
        assert plan(empty) == expected
    empty.key("z")
    answered(empty)
    assert plan(empty) == ()
    assert empty.js("document.querySelector('.ffr-after')") is None
    assert empty.js("document.querySelector('.changes')") is None
    empty.key("z", shift=True)
    answered(empty)
    assert plan(empty) == first


def test_a_click_over_the_curves_still_moves_the_cursor(empty):
    left, top, width, height = empty.box(".ffr-plot svg")
    empty.click(left + 0.4 * width, top + height / 2)
    assert plan(empty) == ()
    last = empty.js("ffrView.model.length")
    assert float(empty.text("#place-mm").split()[0]) == pytest.approx(0.4 * last, abs=0.6)


def test_the_ranking_is_the_verb_s_and_a_click_places_the_stent(empty, made):
    stents = lesion_stents(made.quick.before)
    best = empty.js("ffrView.model.plan.ranking.rows[0].lesion")
    assert "No" not in empty.text(f"[data-rank='{best}']")
    empty.click_on(f"[data-rank='{best}']")
    answered(empty)
    assert plan(empty) == (stents[best],)
    shown = empty.js("ffrView.model.plan.ranking.rows.map(x => x.gain)")
    assert shown == sorted(shown, reverse=True)


def overlay(page):
    return page.js("document.querySelector('.overlay').toDataURL()")


def test_before_and_after_are_one_key_apart_in_the_trees(empty):
    plain = overlay(empty)
    drag(empty, 8.0, 24.0)
    after = overlay(empty)
    empty.key("b")
    before = overlay(empty)
    assert len({plain, after, before}) == 3  # before: the stent's place is still marked
    assert "without stents" in empty.text(".compare")
    empty.key("b")
    assert overlay(empty) == after


def test_a_stent_that_cannot_be_solved_is_told_on_the_page(empty):
    drag(empty, 55.0, 64.0)
    assert "stent of 2.5 mm" in empty.text(".stents [role=alert]")
    assert empty.complaints == []


def test_what_is_not_analysable_is_grey_and_named_with_and_without_stents(empty):
    words = "not analysable: stent of 2.5 mm"
    assert words in empty.text(".ffr-plot")
    grey = empty.js("ffrView.model.values.not_analysed_colour")
    dark = empty.js("ffrView.model.way.points.filter(p => ffrView.model.at(p).ffr === null)")
    assert len(dark) > 5
    assert empty.js("ffrView.ffrColour(ffrView.model.values, null)") == grey
    empty.js("ffrView.model.moveTo(0, Infinity)")
    empty.frame()
    assert "not analysed" in empty.text("#ffr-value")
    drag(empty, 8.0, 24.0)
    assert "not analysed" in empty.text("#with-stent")


def test_the_interval_follows_and_what_is_kept_is_what_the_verb_writes(
    empty, server, out, tmp_path
):
    drag(empty, 8.0, 24.0)
    stents = plan(empty)
    empty.wait("ffrView.model.plan.after?.resolved", 60)
    empty.frame()
    assert "95 % intervals" in empty.text("#stent-interval")
    before = {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()}
    assert json.loads(before.pop("pending.json"))["stents"][0]["vessel"] == stents[0].vessel
    empty.click_on(".stents .keep")
    empty.wait("ffrView.model.plan.kept", 60)
    empty.frame()
    assert "stents/1" in empty.text(".stents .kept")
    empty.wait("!ffrView.model.puttingDown")
    assert before == {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()}
    again = shutil.copytree(out, tmp_path / "out")
    _, place = stent_run(again, stents, lambda _: None)
    for name in ("comparison.json", "result.json"):
        kept, known = (
            json.loads((folder / name).read_text()) for folder in (out / "stents/1", place)
        )
        for found in (kept, known):
            found.pop("created")
        assert kept == known
    assert (place / "tree.vtp").read_bytes() == (out / "stents/1/tree.vtp").read_bytes()
    lesions = json.loads((place / "comparison.json").read_text())["lesions"]
    shown = empty.js("ffrView.model.plan.after.lesions")
    assert [x["change_low"] for x in shown] == [x["change_low"] for x in lesions]
    low = f"{round(lesions[1]['change_low'], 2):+.2f}".replace("-", "−")
    assert low in empty.text("[data-change='2']")


def test_the_script_that_times_the_page_times_what_the_page_asks(empty):
    """One time for each change, from the page's own clock; nothing stays on the page."""
    empty.key("s")
    asked = sum(x.endswith("/data/stents") for x in empty.requests)
    rows = [*view.cursor(empty, 2), *view.stents(empty, 3), *view.edits(empty, 2)]
    assert [len(x.seconds) for x in rows] == [2, 2, 3, 3, 2]
    assert all(0.0 < s < 60.0 for x in rows for s in x.seconds)
    assert sum(x.endswith("/data/stents") for x in empty.requests) == asked + 6
    assert not empty.js("ffrView.model.plan.stents.length")
    assert view.table(rows).count("\n") == 1 + len(rows)
    empty.key("s")
