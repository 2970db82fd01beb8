"""Edits by hand on the page: what is answered, drawn, undone and kept, and what is refused."""

import json
from dataclasses import replace
from types import SimpleNamespace

import browser
import numpy as np
import pytest
import run_folder
import standin
from test_ffr_view_stent import post
from validation_trees import forked
from view_folder import Server

from ffr.editing import verb
from ffr.editing.edits import NAME, Delete, Exclude, Move, Nudge, Relabel
from ffr.editing.places import whereabouts
from ffr.errors import ConfigError
from ffr.report.plaque_words import plaque_words
from ffr.results.result import ffr_rounded, ffr_state
from ffr.results.result_file import load_result
from ffr.view import reformat
from ffr.view.asked import MOST_EDITS, edits_of
from ffr.view.edits import edited_values
from ffr.view.run import load_run
from ffr.view.words import NAMES, page_values
from meshes.arrays import floats
from meshes.contours import Contours, area_radius_mm
from meshes.tree import path_length_mm

RAYS = 32


def case():
    """A left tree in a plane, a stenosis in its LAD at 22 mm; oval lumens and outer walls."""
    c = forked(radii=(1.8, 1.5, 1.3), lengths=(30, 20))
    s = path_length_mm(c.tree)
    throat = (c.branch == 1) * 0.55 * np.exp(-(((s - 22.0) / 3.0) ** 2))
    radius = c.tree.radius_mm * (1 - throat)
    oval = radius[:, None] * (1 + 0.15 * np.cos(np.arange(RAYS) * 4 * np.pi / RAYS))
    oval *= (radius / area_radius_mm(oval))[:, None]
    along = np.gradient(c.tree.points_mm, axis=0)
    along /= np.linalg.norm(along, axis=1)[:, None]
    upright = np.tile([0.0, 0.0, 1.0], (s.size, 1))
    frame = upright, np.cross(along, upright)
    walls = Contours(np.maximum(oval, c.reference_radius_mm[:, None]) + 0.4, *frame)
    made = replace(
        c, tree=replace(c.tree, radius_mm=radius), contours=Contours(oval, *frame), walls=walls
    )
    return SimpleNamespace(trees=(made,), scan=standin.scan_of(standin.painted((made,), 1.2)))


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    out = tmp_path_factory.mktemp("editview") / "out"
    run_folder.fill_without_documents(out, case())
    return out


@pytest.fixture(scope="module")
def run(out):
    return load_run(out)


@pytest.fixture(scope="module")
def start(out):
    return verb.start_of(out, *verb.load_solved(out))


WIDER = Nudge(vessel="LAD", side="left", from_mm=19.0, to_mm=25.0, wider_by_mm=0.4)


def told(out, run, *edits):
    draft = verb.solve_edits(out, edits)
    entries = [x.entry for x in draft.log.edits]
    return draft, edited_values(draft.start, run.paths, draft.after, entries)


def body_of(*edits):
    return json.dumps({"edits": [x.model_dump(mode="json") for x in edits]}).encode()


# --- what is answered


def test_values_are_those_of_the_edited_trees_at_the_same_place_in_the_patient(out, run):
    edits = (
        WIDER,
        Delete(vessel="LAD", from_mm=35.0),
        Relabel(vessel="LCx", name="OM1"),
        Move(vessel="OM1", take_off_vessel="LAD", at_mm=14.0),
    )
    draft, found = told(out, run, *edits)
    json.dumps(found, allow_nan=False)
    (old,), (new,) = run.trees, draft.after.trees
    s, there = path_length_mm(new.tree), whereabouts((new,))
    for p, place in enumerate(old.tree.points_mm):
        now = there.get(place.tobytes())
        assert (now is None) == (p in found["gone"])
        if now is None:
            assert [found[x][p] for x in ("name", "side", "s_mm", "ffr")] == [None] * 4
            continue
        i = now[1]
        assert found["name"][p] == new.names[new.branch[i]]
        assert found["s_mm"][p] == s[i]
        assert found["ffr"][p] == draft.after.findings.ffr[0][i]
        assert found["diameter_mm"][p] == 2 * new.tree.radius_mm[i]
    behind = (old.branch == 1) & (path_length_mm(old.tree) >= 35.0)
    assert found["gone"] == np.flatnonzero(behind).tolist()
    ((take_off, first),) = found["links"]
    assert found["name"][take_off] == "LAD"
    assert found["s_mm"][take_off] == pytest.approx(14.0)
    assert first == np.flatnonzero(old.branch == 2)[0]
    assert [x[0].split(". ")[0] for x in found["edits"]] == ["1", "2", "3", "4"]
    assert any("FFR" in x for x in found["edits"][0][1:])
    assert found["resolved"] is False


def test_lesions_keep_their_numbers_and_tell_before_and_after(out, run):
    _, found = told(out, run, WIDER)
    (row,) = found["lesions"]
    (known,) = run.result.lesions
    assert row["id"] == known.id
    assert row["ffr_before"] == pytest.approx(known.ffr_distal, abs=1e-9)
    assert row["ffr_after"] > row["ffr_before"] + 0.01
    assert row["state_after"] == ffr_state(row["ffr_after"])
    assert found["lowest"][1]["ffr"] > found["lowest"][0]["ffr"]
    narrow = WIDER.model_copy(update={"from_mm": 30.0, "to_mm": 36.0, "wider_by_mm": -1.4})
    _, both = told(out, run, narrow)
    assert [x["id"] for x in both["lesions"]] == [known.id, None]
    shut = WIDER.model_copy(update={"wider_by_mm": -3.0})
    _, closed = told(out, run, shut)
    assert closed["lesions"][0]["state_after"] == "occluded"


def test_excluded_is_marked_and_has_no_number(out, run):
    _, found = told(out, run, Exclude(vessel="LCx"))
    lcx = np.flatnonzero(run.trees[0].branch == 2).tolist()
    assert found["excluded"] == lcx
    assert {found["ffr"][p] for p in lcx} == {None}
    assert found["outlines"] == {}
    assert sum(x is None for x in found["ffr"]) == len(lcx)


def test_only_outlines_that_changed_are_sent_and_they_have_the_new_width(out, run):
    draft, found = told(out, run, WIDER)
    number = next(k for k, x in enumerate(run.paths) if x.name == "LAD")
    path, rows = run.paths[number], found["outlines"][str(number)]
    at = np.array([int(k) for k in rows])
    assert set(found["outlines"]) == {str(number)}
    assert path.s_mm[at].min() > 19.0
    assert path.s_mm[at].max() < 25.0
    assert at.size == pytest.approx(11, abs=1)
    for k, row in rows.items():
        radius = draft.after.trees[0].tree.radius_mm[path.points[int(k)]]
        assert area_radius_mm(np.array([row]))[0] == pytest.approx(radius, rel=0.01)


def test_the_first_ray_of_a_contour_is_found_in_the_cross_section():
    line = np.column_stack([np.arange(40) * 0.5, np.zeros(40), 0.02 * np.arange(40)])
    axis = reformat.vessel_axis(line)
    k = np.array([10, 30])
    right, up = axis.right_direction[k], axis.up_direction[k]
    for sense in (1.0, -1.0):
        zero = np.cos(0.7) * right + np.sin(0.7) * up
        quarter = sense * (-np.sin(0.7) * right + np.cos(0.7) * up)
        shape = Contours(np.ones((2, 16)), zero, quarter)
        found = reformat.first_rays(axis, floats(axis.s_mm[k]), shape)
        assert found == pytest.approx(np.array([[0.7, sense]] * 2), abs=1e-9)


def test_every_name_that_is_offered_can_be_given():
    names = [x for own in NAMES.values() for x in own]
    assert len(set(names)) == len(names)
    assert [x for x in names if NAME.fullmatch(x) is None] == []


# --- what is refused

NO_NUMBER = '{"edits": [{"edit": "split", "vessel": "LAD", "name": "D1", "at_mm": %s}]}'


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "1 to 60"),
        (b'{"edits": []}', "1 to 60"),
        (b'{"edits": [3]}', "edit 1: must be an object"),
        (b'{"edits": [{"edit": "exclude", "vessel": "LAD"}], "out": "/"}', "alone"),
        (body_of(*[WIDER] * (MOST_EDITS + 1)), "1 to 60"),
        (b'{"edits": [{"edit": "cut", "vessel": "LAD"}]}', "must be delete"),
        (b'{"edits": [{"edit": "exclude", "vessel": 3}]}', "edit 1: vessel"),
        (b'{"edits": [{"edit": "relabel", "vessel": "LAD", "name": "Smith"}]}', "new name"),
        (b'{"edits": [{"edit": "exclude", "vessel": "LAD", "path": "/"}]}', "'path' is no"),
        (NO_NUMBER % '"8"', "at_mm"),
        (NO_NUMBER % "NaN", "at_mm"),
        (NO_NUMBER % "Infinity", "at_mm"),
        (NO_NUMBER % "-1", "at_mm"),
    ],
)
def test_what_is_no_list_of_edits_is_refused_and_says_where(body, word):
    with pytest.raises(ConfigError) as refused:
        edits_of(body if isinstance(body, bytes) else body.encode())
    assert word in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "Smith" not in str(refused.value)


def test_a_list_of_edits_comes_in_as_it_was_sent():
    given = (WIDER, Exclude(vessel="LCx", side="left"))
    assert edits_of(body_of(*given)) == given


# --- the server


@pytest.fixture(scope="module")
def server(out):
    server = Server(out)
    yield server
    server.end()


def test_without_the_token_nothing_is_edited_and_nothing_kept(server, out):
    for path in ("data/edits", "data/edits/interval", "data/edits/keep"):
        for root in (server.root, f"{server.root}/{'0' * len(server.token)}"):
            assert post(f"{root}/{path}", body_of(WIDER))[0] == 403
    assert not (out / "edits").exists()


def test_a_bad_body_is_400_and_an_edit_that_does_not_fit_is_told_in_words(server, out):
    for path in ("data/edits", "data/edits/interval", "data/edits/keep"):
        code, text = post(f"{server.url}{path}", (NO_NUMBER % '"x"').encode())
        assert (code, "edit 1: at_mm" in text) == (400, True)
    for edits, word in (
        ((Exclude(vessel="Wurzel"),), "edit 1: no such vessel"),
        ((WIDER, WIDER.model_copy(update={"to_mm": 400.0})), "edit 2: 400 mm from the ostium"),
        ((Delete(vessel="LM"),), "nothing would be left"),
    ):
        code, text = post(f"{server.url}data/edits", body_of(*edits))
        error = json.loads(text)["error"]
        assert code == 200
        assert word in error
        assert "--" not in error
        assert "Wurzel" not in error
    assert (
        "no such vessel"
        in post(f"{server.url}data/edits/keep", body_of(Exclude(vessel="D9")))[1]
    )
    assert not (out / "edits").exists()


def test_the_route_answers_as_the_functions_do_and_adding_takes_up_what_is_known(
    server, out, run
):
    for edits in ((WIDER,), (WIDER, Exclude(vessel="LCx"))):
        code, text = post(f"{server.url}data/edits", body_of(*edits))
        assert code == 200
        assert json.loads(text) == json.loads(json.dumps(told(out, run, *edits)[1]))


# --- a real browser


@pytest.fixture(scope="module")
def page(server):
    with browser.page_of_a_run(server.url, "Boolean(ffrView.model.images)") as opened:
        yield opened


@pytest.fixture
def empty(page):
    go(page, "LAD", 22.0)
    page.js(  # an interval costs seconds
        "(() => { const { edit } = ffrView.model; if (!edit.on) edit.toggle(); edit.clear();"
        "Object.assign(edit, { shown: true, past: [], askInterval: () => {} });"
        "edit.setLength(6); })()"
    )
    page.wait("!ffrView.model.edit.asking && !ffrView.model.edit.after")
    page.frame()
    return page


def go(page, vessel, mm):
    page.js(
        "(() => { const m = ffrView.model; m.moveTo(m.values.vessels.findIndex("
        f"x => x.name === '{vessel}'), 0); m.moveToMm({mm}); }})()"
    )
    page.wait("Boolean(ffrView.model.images)")
    page.frame()


def do(page, what):
    page.click_on(f"[data-do='{what}']")
    answered(page)


def choose(page, number, name):
    page.js(
        f"(() => {{ const x = document.querySelectorAll('.edits select')[{number}];"
        f"x.value = '{name}'; x.dispatchEvent(new Event('change')); }})()"
    )
    page.frame()


def answered(page):
    page.wait("!ffrView.model.edit.asking")
    page.frame()


def pending(page):
    return edits_of(page.js("ffrView.model.edit.body").encode())


def test_key_steps_at_one_place_are_one_edit_and_the_page_shows_the_answer(empty, out, run):
    for key in (">", ">", ">", "<"):
        empty.key(key)
    answered(empty)
    (edit,) = pending(empty)
    assert (edit.vessel, edit.side, edit.wider_by_mm) == ("LAD", "left", 0.2)
    assert (edit.from_mm, edit.to_mm) == pytest.approx((19.0, 25.0), abs=0.3)
    _, known = told(out, run, edit)
    row = known["lesions"][0]
    words = empty.text(f"[data-edited='{row['id']}']")
    assert f"{ffr_rounded(row['ffr_before']):.2f}" in words
    assert f"{ffr_rounded(row['ffr_after']):.2f}" in words
    assert f"→ {row['diameter_stenosis_after_percent']:.0f}" in words
    here = empty.js("ffrView.model.point")
    assert f"as edited: {ffr_rounded(known['ffr'][here]):.2f}" in empty.text("#as-edited")
    assert f"{known['diameter_mm'][here]:.2f} mm" in empty.text("#edit-at")
    assert empty.js("document.querySelectorAll('.pending li').length") == 1
    for line in known["edits"][0]:
        assert line in empty.text(".pending")
    curve = empty.js("document.querySelector('.ffr-after').getAttribute('points')").split()
    shown = [p for p in empty.js("ffrView.model.way.points") if known["ffr"][p] is not None]
    y = np.array([float(x.split(",")[1]) for x in curve])
    assert y.size == len(shown)
    scale = empty.js("ffrView.page.parts.ffrPlot.y(0.5) - ffrView.page.parts.ffrPlot.y(1)")
    fall = known["ffr"][shown[0]] - known["ffr"][shown[-1]]
    assert (y[-1] - y[0]) / scale * 0.5 == pytest.approx(fall, abs=0.003)
    assert "research use only" in empty.text(".edits")
    assert empty.complaints == []


def test_undo_and_redo_restore_each_edit_and_one_that_is_refused_leaves_the_list(empty):
    go(empty, "LCx", 20.0)
    do(empty, "exclude")
    first = pending(empty)
    assert first == (Exclude(vessel="LCx", side="left"),)
    assert "excluded by the reader" in empty.text("#as-edited")
    assert empty.js("document.querySelectorAll('.edit-excluded').length") == 2
    do(empty, "exclude")  # a second time
    assert "excluded already" in empty.text(".edits [role=alert]")
    assert pending(empty) == first
    do(empty, "delete")
    second = pending(empty)
    assert second[1:] == (Delete(vessel="LCx", side="left"),)
    assert empty.text("#as-edited") == "as edited: deleted"
    assert "LCx → deleted" in empty.text(".vessels")
    assert empty.js("document.querySelector('[data-do=delete]')") is None  # nothing is there
    empty.key("z")
    answered(empty)
    assert pending(empty) == first
    empty.key("z")
    answered(empty)
    assert empty.js("ffrView.model.edit.edits") == []
    assert empty.js("document.querySelector('.ffr-after')") is None
    for expected in (first, second):
        empty.key("z", shift=True)
        answered(empty)
        assert pending(empty) == expected


def test_a_branch_is_renamed_moved_split_and_cut_where_the_cursor_is(empty):
    go(empty, "LCx", 20.0)
    choose(empty, 0, "OM1")
    do(empty, "relabel")
    assert "LCx → OM1" in empty.text(".vessels")
    empty.click_on("[data-do='move']")
    go(empty, "LAD", 14.0)
    do(empty, "here")
    go(empty, "LAD", 30.0)
    choose(empty, 1, "D2")
    do(empty, "split")
    go(empty, "LAD", 36.0)
    do(empty, "cut")
    rename, move, split, cut = pending(empty)
    assert rename == Relabel(vessel="LCx", side="left", name="OM1")
    assert (move.vessel, move.take_off_vessel) == ("OM1", "LAD")
    assert move.at_mm == pytest.approx(14.0, abs=0.3)
    assert (split.vessel, split.name) == ("LAD", "D2")
    assert split.at_mm == pytest.approx(30.0, abs=0.3)
    assert cut.vessel == "D2"  # its name by then
    assert cut.from_mm == pytest.approx(36.0, abs=0.3)
    assert empty.js("ffrView.model.edit.after.links.length") == 1


def test_a_wall_that_is_dragged_moves_on_that_side(empty):
    left, top, width, height = empty.box(".cross canvas")
    x0, y0 = left + width / 2, top + height / 2
    angle, pull = 1.1, 0.5  # rad from right towards up, mm
    scale = empty.js("ffrView.page.parts.cross.scale")
    outline = (
        "ffrView.outlineAt({ data: ffrView.model.edit.outline()[0], shape: [1, 36] }, 0, %s)"
    )
    before = [empty.js(outline % x) for x in (angle, angle + np.pi)]

    def at(r):
        return x0 + r * scale * np.cos(angle), y0 - r * scale * np.sin(angle)

    empty.mouse("mouseMoved", *at(before[0]))
    empty.mouse("mousePressed", *at(before[0]), button="left", clickCount=1, buttons=1)
    for part in (0.4, 1.0):
        empty.mouse("mouseMoved", *at(before[0] + part * pull), button="left", buttons=1)
    empty.mouse("mouseReleased", *at(before[0] + pull), button="left", clickCount=1, buttons=0)
    answered(empty)
    (edit,) = pending(empty)
    assert max(edit.wall_change_mm) == pytest.approx(pull, abs=0.06)
    after = [empty.js(outline % x) for x in (angle, angle + np.pi)]
    assert after[0] - before[0] == pytest.approx(pull, abs=0.08)
    assert after[1] == pytest.approx(before[1], abs=0.01)


def test_trees_curves_and_pictures_show_before_and_after(empty):
    views = """['.overlay', '.straight', '.cross canvas'].map(
        x => document.querySelector(x).toDataURL())"""
    plain = empty.js(views)
    do(empty, "wider")
    after = empty.js(views)
    assert all(a != b for a, b in zip(plain, after, strict=True))
    empty.key("b")
    assert "without edits" in empty.text(".compare")
    assert empty.js("ffrView.model.edit.answer") is None
    empty.key("s")  # stents instead: one of the two
    assert empty.js("[ffrView.model.plan.on, ffrView.model.edit.on]") == [True, False]
    assert empty.js("document.querySelectorAll('.panel').length") == 1
    empty.key("e")
    assert empty.js("[ffrView.model.plan.on, ffrView.model.edit.on]") == [False, True]


def test_all_that_can_be_edited_is_reached_by_the_tabulator(empty):
    for number in (0, 1):
        choose(empty, number, "D3")
    empty.js("document.querySelector('#edit-mode').focus()")
    seen = set()
    for _ in range(40):
        empty.key("Tab")
        seen |= set(
            empty.js("[document.activeElement.dataset.do, document.activeElement.ariaLabel]")
        )
    assert {"relabel", "exclude", "delete", "wider", "narrower", "split", "cut", "move"} <= seen
    assert {"New name", "Name of the part behind"} <= seen
    empty.js("document.querySelector('[data-do=exclude]').focus()")
    empty.key("Enter")
    answered(empty)
    assert pending(empty) == (Exclude(vessel="LAD", side="left"),)


def test_plaque_and_fat_of_the_vessel_are_shown_as_research_grade(page, out):
    page.js("ffrView.model.edit.on && ffrView.model.edit.toggle()")
    go(page, "LAD", 10.0)
    said = plaque_words(load_result(out / "result.json"))
    shown = page.text(".plaque")
    assert "LAD" in shown
    assert "research grade: not validated on people" in shown
    rows = page.js(
        "[...document.querySelectorAll('.plaque tbody tr')]"
        ".map(x => [...x.children].map(y => y.textContent))"
    )
    known = [[x[0], *x[3:]] for x in said.rows if "LAD" in x[0] or x[0] == "left main"]
    assert [x for x in rows if not x[0].startswith("lesion")] == [
        x for x in known if not x[0].startswith("Lesion")
    ]
    (lesion,) = [x for x in rows if x[0].startswith("lesion")]
    assert lesion[1:] == next([*x[3:]] for x in said.rows if x[0].startswith("Lesion 1"))
    assert next(x for x in said.fat if "LAD" in x) in shown
    go(page, "LCx", 20.0)
    assert next(x for x in said.fat if "LCx" in x) in page.text(".plaque")
    assert page_values(load_run(out), True)["plaque"]["note"] == said.note


def test_the_interval_follows_and_what_is_kept_is_what_the_verb_writes(empty, out, run):
    empty.js("delete ffrView.model.edit.askInterval")
    do(empty, "wider")
    do(empty, "wider")
    (edit,) = pending(empty)
    empty.wait("ffrView.model.edit.after?.resolved", 60)
    empty.frame()
    assert "95 % intervals" in empty.text("#edit-interval")
    here = empty.js("ffrView.model.point")
    low, ffr, high = (
        empty.js(f"ffrView.model.edit.after.{x}[{here}]")
        for x in ("ffr_low", "ffr", "ffr_high")
    )
    assert low < ffr < high
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert json.loads(before.pop(out / "pending.json"))["edits"] == [
        edit.model_dump(mode="json", exclude_none=True)
    ]
    empty.click_on(".edits .keep")
    empty.wait("ffrView.model.edit.kept", 60)
    empty.frame()
    assert "edits/1" in empty.text(".edits .kept")
    empty.wait("!ffrView.model.puttingDown")
    assert "pending" not in empty.text("#edit-mode")
    assert "untouched" in empty.text(".edits .kept")
    written = {p for p in out.rglob("*") if p.is_file()} - before.keys()
    assert {p.relative_to(out).as_posix() for p in written} == {
        f"edits/1/{x}"
        for x in ("edits.json", "result.json", "tree.vtp", "report.html", "report.pdf")
    }
    assert {p: p.read_bytes() for p in before} == before
    log = verb.load_log(out, 1)
    again = verb.solve_edits(out, [edit]).log

    def untimed(log):
        return [(x.edit, x.entry.model_copy(update={"made": ""})) for x in log.edits]

    assert untimed(log) == untimed(again)
    result = load_result(out / "edits" / "1" / "result.json")
    assert tuple(x.entry for x in log.edits) == result.edits
    (lesion,) = result.lesions
    shown = empty.js("ffrView.model.edit.after.lesions[0].ffr_after")
    assert lesion.ffr_distal == pytest.approx(shown, abs=1e-6)


def test_what_is_pending_is_there_again_on_a_new_page_until_it_is_removed(empty, server, out):
    do(empty, "exclude")
    do(empty, "wider")
    edits = pending(empty)
    shown = empty.text("#as-edited")
    assert "closing the page loses nothing" in empty.text(".edits .saved")
    empty.wait("!ffrView.model.puttingDown")
    empty.js("window.earlier = true")
    empty.open(server.url)
    empty.wait("Boolean(!window.earlier && window.ffrView?.model?.images)")
    assert "2 pending" in empty.text("#edit-mode")
    assert empty.js("document.querySelector('.ffr-after')") is None  # the result, as it is
    go(empty, "LAD", 22.0)
    empty.key("e")
    answered(empty)
    assert pending(empty) == edits
    assert empty.text("#as-edited").split(" (")[0] == shown.split(" (")[0]
    assert "From an earlier page" in empty.text(".edits .saved")
    empty.js("ffrView.model.edit.clear(); 1")
    answered(empty)
    empty.wait("!ffrView.model.puttingDown")
    assert not (out / "pending.json").exists()
    assert empty.complaints == []
