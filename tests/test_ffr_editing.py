"""Corrections by hand: what they do to trees, flow and FFR, and what a run keeps of them."""

import json
import shutil
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
import run_folder
from command_line import ffr, refused
from test_ffr_result import DOCS
from validation_trees import forked, narrowed, straight

from ffr import pipeline
from ffr.circulation.patient import Patient
from ffr.editing import verb
from ffr.editing.apply import edited
from ffr.editing.carried import carried_flags
from ffr.editing.changes import entry
from ffr.editing.command import Words, asked_edits
from ffr.editing.edits import (
    Delete,
    Exclude,
    Move,
    Nudge,
    Relabel,
    Split,
    edit_from,
    in_words,
    read_edits,
)
from ffr.editing.log import EditLog, load_log
from ffr.errors import ConfigError
from ffr.flags import Flag, Place
from ffr.report.edits import edit_line
from ffr.results import stage_data, stages
from ffr.results.reasons import EXCLUDED, reason
from ffr.results.result_file import load_result
from ffr.stenting.solved import Solved
from meshes.contours import Contours, area_radius_mm
from meshes.tree import Unreadable, path_length_mm, segment_length_mm

HEART = Patient(resting_flow_ml_min=60.0, mean_aortic_pressure_mmhg=95.0)
EDITS = (
    Delete(vessel="D1", from_mm=3.5),
    Relabel(vessel="D1", name="D2", side="left"),
    Split(vessel="LAD", at_mm=4, name="D3"),
    Move(vessel="D1", take_off_vessel="LAD", at_mm=3.0),
    Nudge(vessel="LAD", from_mm=3.0, to_mm=5.0, wider_by_mm=-0.2),
    Nudge(vessel="LAD", from_mm=3.0, to_mm=5.0, wall_change_mm=(0.1, 0.0, 0.2, 0.0)),
    Exclude(vessel="LCx"),
)


def heart(*trees):
    flow = pipeline.solve(trees, HEART, None)
    return Solved(trees, flow, pipeline.find(trees, flow.solutions))


def outlined(c):
    """The tree with oval contours."""
    n = len(c.tree)
    oval = c.tree.radius_mm[:, None] * (1 + 0.2 * np.cos(np.arange(16) * np.pi / 4))
    oval *= (c.tree.radius_mm / area_radius_mm(oval))[:, None]
    along = np.tile([0.0, 1.0, 0.0], (n, 1)), np.tile([0.0, 0.0, 1.0], (n, 1))
    return replace(c, contours=Contours(oval, *along))


def own(c, name):
    return np.flatnonzero(c.branch == c.names.index(name))


def same(a, b):
    """Two trees hold the same, name for name and point for point."""
    assert (a.side, a.unreadable) == (b.side, b.unreadable)
    assert [a.names[k] for k in a.branch] == [b.names[k] for k in b.branch]
    for name in ("points_mm", "radius_mm", "parent"):
        np.testing.assert_array_equal(getattr(a.tree, name), getattr(b.tree, name))
    for name in ("radius_sd_mm", "reference_radius_mm", "segment"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    np.testing.assert_array_equal(a.contours.radius_mm, b.contours.radius_mm)


@pytest.fixture(scope="module")
def fork():
    """A trunk LM of 10 mm, an LAD of 24 and an LCx of 16 mm, with contours."""
    c = forked(radii=(2.0, 1.6, 1.3), lengths=(24, 16))
    return heart(outlined(c))


def test_without_a_side_branch_the_parent_is_as_it_was_and_its_flow_is_the_outlets(fork):
    (old,) = fork.trees
    (new,) = edited(fork.trees, [Delete(vessel="LCx")])
    stays = np.concatenate([own(old, "LM"), own(old, "LAD")])
    assert new.names == ("LM", "LAD")
    np.testing.assert_array_equal(new.tree.points_mm, old.tree.points_mm[stays])
    np.testing.assert_array_equal(new.tree.radius_mm, old.tree.radius_mm[stays])
    np.testing.assert_array_equal(new.contours.radius_mm, old.contours.radius_mm[stays])
    before, after = fork.flow, pipeline.solve((new,), HEART, None)
    # the heart asks for as much as before; one vessel now carries it all
    assert after.boundaries[0].resting_flow_ml_min.sum() == pytest.approx(
        before.boundaries[0].resting_flow_ml_min.sum()
    )
    lad = own(new, "LAD")[0]
    q, was = after.solutions[0].flow_ml_min, before.solutions[0].flow_ml_min
    assert q[lad] == pytest.approx(q[0])
    assert q[lad] > 1.3 * was[own(old, "LAD")[0]]
    assert after.solutions[0].pressure_mmhg[-1] < before.solutions[0].pressure_mmhg[lad]


def test_a_vessel_cut_off_ends_where_it_was_cut_with_all_that_branches_off_behind(fork):
    (new,) = edited(fork.trees, [Delete(vessel="LAD", from_mm=20.0)])
    assert path_length_mm(new.tree)[own(new, "LAD")].max() == pytest.approx(19.5)
    assert own(new, "LCx").size == 32
    (stem,) = edited(fork.trees, [Delete(vessel="LM", from_mm=6.0)])
    assert stem.names == ("LM",)
    with pytest.raises(ConfigError, match="nothing would be left of it"):
        edited(fork.trees, [Delete(vessel="LM")])


def test_split_and_relabel_back_is_as_before(fork):
    (old,) = fork.trees
    apart = edited(fork.trees, [Split(vessel="LAD", at_mm=20.0, name="D1")])
    s = path_length_mm(old.tree)
    np.testing.assert_array_equal(
        own(apart[0], "D1"), own(old, "LAD")[s[own(old, "LAD")] > 20.0]
    )
    assert apart[0].tree is old.tree
    assert set(apart[0].segment[own(apart[0], "D1")]) == {9}
    (again,) = edited(apart, [Relabel(vessel="D1", name="LAD")])
    (numbered,) = edited(
        fork.trees, [Relabel(vessel="LAD", name="RI"), Relabel(vessel="RI", name="LAD")]
    )
    same(again, numbered)


def test_names_and_segments_follow_a_new_name_and_no_name_is_given_twice(fork):
    (new,) = edited(fork.trees, [Relabel(vessel="LCx", name="OM1")])
    assert new.names == ("LM", "LAD", "OM1")
    assert set(new.segment[own(new, "OM1")]) == {12}
    for edit in (Relabel(vessel="LCx", name="LAD"), Split(vessel="LAD", at_mm=20, name="LCx")):
        with pytest.raises(ConfigError, match="already"):
            edited(fork.trees, [edit])


def throat():
    before = heart(outlined(narrowed()), straight(side="right", name="RCA", offset_mm=30.0))
    nudge = Nudge(vessel="LAD", from_mm=15.0, to_mm=25.0, diameter_mm=2.6)
    return before, nudge


def test_a_throat_nudged_wider_raises_ffr_and_only_its_span_changes():
    before, nudge = throat()
    (old, right), (new, other) = before.trees, edited(before.trees, [nudge])
    assert other is right
    s = path_length_mm(old.tree)
    inside = (s > 15.0) & (s < 25.0)
    for a, b in (
        (old.tree.radius_mm, new.tree.radius_mm),
        (old.radius_sd_mm, new.radius_sd_mm),
        (old.contours.radius_mm, new.contours.radius_mm),
    ):
        np.testing.assert_array_equal(a[~inside], b[~inside])
    np.testing.assert_array_equal(old.reference_radius_mm, new.reference_radius_mm)
    middle = (s >= 17.0) & (s <= 23.0)
    np.testing.assert_allclose(new.tree.radius_mm[middle], 1.3)
    # contours keep their shape and have the area of the radius
    np.testing.assert_allclose(area_radius_mm(new.contours.radius_mm), new.tree.radius_mm)
    shape = new.contours.radius_mm / new.tree.radius_mm[:, None]
    np.testing.assert_allclose(
        shape, old.contours.radius_mm / old.tree.radius_mm[:, None], rtol=1e-12
    )
    after = heart(new, other)
    assert after.findings.ffr[0][-1] > before.findings.ffr[0][-1] + 0.03
    made = entry(1, "2026-11-22T07:00:00Z", nudge, before, after)
    (lesion,) = made.lesions
    assert lesion.ffr_after > lesion.ffr_before + 0.03
    assert lesion.diameter_stenosis_before_percent == pytest.approx(60.0, abs=2.0)
    assert lesion.diameter_stenosis_after_percent < 20.0
    values = {x.name: (x.before, x.after) for x in made.values}
    assert values["diameter_mm"] == (pytest.approx(1.2), pytest.approx(2.6))
    assert "diameter at 20.0 mm 1.20 mm → 2.60 mm" in edit_line(made)


def test_a_wall_that_is_moved_on_one_side_moves_there_only():
    before, _ = throat()
    edit = Nudge(vessel="LAD", from_mm=30, to_mm=40, wall_change_mm=(0.4, 0.0, 0.0, 0.0))
    old, new = before.trees[0], edited(before.trees, [edit])[0]
    change = (new.contours.radius_mm - old.contours.radius_mm)[70]
    assert change[0] == pytest.approx(0.4)
    np.testing.assert_allclose(change[4:13], 0.0, atol=1e-12)
    grown = area_radius_mm(new.contours.radius_mm[70]) / area_radius_mm(
        old.contours.radius_mm[70]
    )
    assert new.tree.radius_mm[70] == pytest.approx(grown * old.tree.radius_mm[70])
    with pytest.raises(ConfigError, match="needs lumen contours"):
        edited((straight(),), [edit.model_copy(update={"to_mm": 35.0})])


def test_a_lumen_can_be_closed_by_hand():
    before, nudge = throat()
    shut = nudge.model_copy(update={"diameter_mm": 0.1})
    after = heart(*edited(before.trees, [shut]))
    assert np.isnan(after.findings.ffr[0][-1])
    assert np.isfinite(after.findings.ffr[1][-1])


def test_a_branch_that_is_moved_keeps_its_place_length_and_radii(fork):
    (old,) = fork.trees
    (new,) = edited(fork.trees, [Move(vessel="LCx", take_off_vessel="LAD", at_mm=12.0)])
    was, now = own(old, "LCx"), own(new, "LCx")
    link, kept = now[: -was.size], now[-was.size :]
    assert link.size > 0
    np.testing.assert_array_equal(new.tree.points_mm[kept], old.tree.points_mm[was])
    np.testing.assert_array_equal(new.tree.radius_mm[kept], old.tree.radius_mm[was])
    np.testing.assert_array_equal(new.contours.radius_mm[kept], old.contours.radius_mm[was])
    np.testing.assert_array_equal(
        segment_length_mm(new.tree)[kept[1:]], segment_length_mm(old.tree)[was[1:]]
    )
    take_off = int(new.tree.parent[now[0]])
    assert new.names[new.branch[take_off]] == "LAD"
    assert path_length_mm(new.tree)[take_off] == pytest.approx(12.0)
    way = new.tree.points_mm[kept[0]] - new.tree.points_mm[take_off]
    assert segment_length_mm(new.tree)[now[: link.size + 1]].sum() == pytest.approx(
        np.linalg.norm(way)
    )
    zero, quarter = new.contours.zero_direction[link], new.contours.quarter_direction[link]
    for one in (zero @ way, quarter @ way, np.sum(zero * quarter, axis=1)):
        np.testing.assert_allclose(one, 0.0, atol=1e-12)
    q = heart(new).flow.solutions[0].flow_ml_min
    ahead = np.flatnonzero(new.tree.parent == take_off)
    assert ahead.size == 2
    assert q[ahead].sum() == pytest.approx(q[take_off], rel=1e-6)


def test_a_branch_moves_to_the_other_tree_with_its_branches(fork):
    right = outlined(straight(side="right", name="RCA", offset_mm=-6.0))
    old = fork.trees[0]
    edits = [Move(vessel="LCx", take_off_vessel="RCA", at_mm=10.0)]
    left, new = edited((old, right), edits)
    assert (left.names, new.names) == (("LM", "LAD"), ("RCA", "LCx"))
    assert len(left.tree) + len(new.tree) >= len(old.tree) + len(right.tree)
    np.testing.assert_array_equal(
        new.tree.points_mm[own(new, "LCx")[-32:]], old.tree.points_mm[own(old, "LCx")]
    )
    for edit, message in (
        (Move(vessel="LM", take_off_vessel="RCA", at_mm=1), "no take-off"),
        (Move(vessel="LCx", take_off_vessel="RCA", at_mm=40), "must be .* mm away"),
        (Move(vessel="LCx", take_off_vessel="LCx", at_mm=15), "branches off the LCx itself"),
    ):
        with pytest.raises(ConfigError, match=message):
            edited((old, right), [edit])


def test_an_excluded_vessel_loses_its_numbers_and_nothing_else_changes(fork):
    (old,) = fork.trees
    (new,) = edited(fork.trees, [Exclude(vessel="LCx")])
    after = heart(new)
    np.testing.assert_array_equal(
        after.flow.solutions[0].pressure_mmhg, fork.flow.solutions[0].pressure_mmhg
    )
    gone = old.branch == old.names.index("LCx")
    ffr = after.findings.ffr[0]
    assert np.isnan(ffr[gone]).all()
    np.testing.assert_array_equal(ffr[~gone], fork.findings.ffr[0][~gone])
    assert reason(new, own(new, "LCx")) == f"not analysable: {EXCLUDED}"
    with pytest.raises(ConfigError, match="excluded already"):
        edited((new,), [Exclude(vessel="LCx")])
    (stem,) = edited(fork.trees, [Exclude(vessel="LM")])
    assert reason(stem, own(stem, "LAD")) == (
        "not analysable: behind what was excluded by the reader: the LM"
    )


def test_a_whole_tree_can_be_excluded_with_its_lesions():
    before, _ = throat()
    after = heart(*edited(before.trees, [Exclude(vessel="LAD")]))
    assert np.isnan(after.findings.ffr[0]).all()
    assert np.isfinite(after.findings.ffr[1]).all()
    assert len(after.findings.lesions[0]) == 1
    np.testing.assert_array_equal(  # what is narrow stays narrow for the flow
        after.flow.solutions[0].pressure_mmhg, before.flow.solutions[0].pressure_mmhg
    )
    (lesion,) = entry(1, "2026-11-22T07:00:00Z", Exclude(vessel="LAD"), before, after).lesions
    assert lesion.ffr_before < 0.95
    assert lesion.ffr_after is None


def test_what_is_unreadable_goes_with_its_place(fork):
    hidden = Unreadable("stent of 2.5 mm", "LAD", 15.2, 24.8)
    trees = (replace(fork.trees[0], unreadable=(hidden,)),)
    (named,) = edited(trees, [Relabel(vessel="LAD", name="RI")])
    assert named.unreadable == (replace(hidden, vessel="RI"),)
    (apart,) = edited(trees, [Split(vessel="LAD", at_mm=20.0, name="D1")])
    assert [(x.vessel, x.from_mm, x.to_mm) for x in apart.unreadable] == [
        ("LAD", pytest.approx(15.5), pytest.approx(20.0)),
        ("D1", pytest.approx(20.5), pytest.approx(24.5)),
    ]
    (cut,) = edited(trees, [Delete(vessel="LAD", from_mm=14.0)])
    assert cut.unreadable == ()
    (shifted,) = edited(trees, [Move(vessel="LAD", take_off_vessel="LCx", at_mm=12.0)])
    (moved,) = shifted.unreadable
    assert moved.to_mm - moved.from_mm == pytest.approx(9.0)
    with pytest.raises(ConfigError, match="its radius has no effect"):
        edited(trees, [Nudge(vessel="LAD", from_mm=16, to_mm=20, diameter_mm=2)])


def test_warnings_go_with_their_place_or_with_what_is_deleted(fork):
    old = fork.trees
    calcium = Flag("calcium-heavy", "heavy calcium in the LCx", Place("left", "LCx", 11, 15.0))
    missing = Flag("contrast-low", "aortic lumen 268 HU")
    new = edited(old, [Relabel(vessel="LCx", name="OM1")])
    told = carried_flags((calcium, missing), old, new)
    assert told[0].message == "heavy calcium in the OM1"
    assert told[0].place == Place("left", "OM1", 12, 15.0)
    assert told[1] == missing
    assert "vessel-missing" in [x.name for x in told[2:]]  # there is no LCx any more
    assert carried_flags((calcium, missing), old, old) == (calcium, missing)
    gone = carried_flags((calcium, missing), old, edited(old, [Delete(vessel="LCx")]))
    assert "calcium-heavy" not in [x.name for x in gone]


def test_no_edits_are_the_automatic_trees(fork):
    assert edited(fork.trees, []) == fork.trees


@pytest.mark.parametrize("edit", EDITS, ids=lambda x: x.edit)
def test_an_edit_reads_back_as_it_was_written(edit):
    words = edit.model_dump(mode="json")
    assert edit_from(words, "here") == edit
    assert in_words(edit)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("", "is not JSON"),
        ("[]", "holds no edits"),
        ('{"edits": 3}', "holds no edits"),
        ("[3]", "edit 1: must be an object"),
        ('[{"edit": "cut"}]', "edit 1: .*must be delete, relabel"),
        ('[{"edit": "exclude"}]', "edit 1: vessel: Field required"),
        ('[{"edit": "exclude", "vessel": "D1", "at_mm": 3}]', "'at_mm' is no field"),
        ('[{"edit": "split", "vessel": "D1", "at_mm": -3, "name": "D2"}]', "at_mm: .*or equal"),
        ('[{"edit": "relabel", "vessel": "D1", "name": "Smith"}]', "none of a coronary artery"),
        ('[{"edit": "nudge", "vessel": "D1", "from_mm": 3, "to_mm": 2, "diameter_mm": 1}]',
         "must be less than to_mm"),
        ('[{"edit": "nudge", "vessel": "D1", "from_mm": 3, "to_mm": 5}]', "give one of"),
        ('[{"edit": "nudge", "vessel": "D1", "from_mm": 3, "to_mm": 5, "diameter_mm": 30}]',
         "diameter_mm: .*less than or equal to 10"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_says_which_edit_and_why(tmp_path, text, message):
    file = tmp_path / "edits.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=message) as told:
        read_edits(file)
    assert "Smith" not in str(told.value)
    assert str(file) not in str(told.value)


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    out = tmp_path_factory.mktemp("edit") / "out"
    run_folder.fill(out, run_folder.case(), until="solve")
    for name in stages.RESULTS:  # the verb reads none of them
        (out / name).write_text(f"automatic {name}")
    return out


@pytest.fixture
def out(tmp_path, solved):
    return shutil.copytree(solved, tmp_path / "out")


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_verb_writes_an_edited_result_beside_an_untouched_one_and_undoes_it(out, tmp_path):
    first = files(out)
    two = tmp_path / "two.json"
    two.write_text(
        '[{"edit": "nudge", "vessel": "RCA", "from_mm": 12, "to_mm": 24, "diameter_mm": 3.5},'
        ' {"edit": "split", "vessel": "RCA", "at_mm": 40, "name": "R-PDA"},'
        ' {"edit": "exclude", "vessel": "R-PDA"}]'
    )
    code, printed, err = ffr("edit", out, "--edits", two)
    assert (code, err) == (0, "")
    assert "1. lumen of the RCA nudged from 12.0 to 24.0 mm" in printed
    assert "3. R-PDA excluded" in printed
    assert "Research use only" in printed
    second = files(out)
    assert {k: v for k, v in second.items() if k.parts[0] != "edits"} == first
    assert {str(k) for k in second.keys() - first.keys()} == {
        f"edits/1/{x}"
        for x in ("edits.json", "result.json", "tree.vtp", "report.html", "report.pdf")
    }
    place = out / "edits" / "1"
    result = load_result(place / "result.json")
    schema = json.loads((DOCS / "result.schema.json").read_text())
    jsonschema.validate(result.model_dump(mode="json"), schema)
    assert [x.kind for x in result.edits] == ["nudge", "split", "exclude"]
    assert {"edited-by-hand", "vessel-excluded"} <= {x.name for x in result.flags}
    assert [x.what for x in result.not_analysed if EXCLUDED in x.reason] == ["R-PDA"]
    (lesion,) = result.edits[0].lesions
    assert lesion.ffr_after > lesion.ffr_before
    page = (place / "report.html").read_text()
    assert "Edited by hand: 3 edits" in page
    assert "1. lumen of the RCA nudged" in page
    log = load_log(out, 1)
    assert EditLog.model_validate_json((place / "edits.json").read_text()) == log
    assert tuple(x.entry for x in log.edits) == result.edits
    assert read_edits(place / "edits.json") == read_edits(two)

    # to undo is to leave the last edits away: as if they had never been asked for
    undone = verb.solve_edits(out, asked_edits(None, Words(), True, 1), 1, True)
    assert undone.log.edits == log.edits[:2]
    once = verb.solve_edits(out, [x.edit for x in log.edits[:1]])
    for a, b in zip(undone.after.flow.solutions, once.after.flow.solutions, strict=True):
        np.testing.assert_array_equal(a.pressure_mmhg, b.pressure_mmhg)
    more = verb.solve_edits(out, [Relabel(vessel="R-PDA", name="AM1")], 1)
    assert [x.entry.number for x in more.log.edits] == [1, 2, 3, 4]
    assert more.log.edits[:3] == log.edits
    assert {k: v for k, v in files(out).items() if k.parts[0] != "edits"} == first
    with stages.stage_files(out, "solve"):
        pass
    assert not (out / "edits").exists()


def test_a_mistake_is_one_line_with_code_2_and_nothing_is_written(out, tmp_path):
    first = files(out)
    empty = tmp_path / "empty.json"
    empty.write_text("[]")
    for words, message in (
        (("--delete", "D9"), "no such vessel in these trees, which have RCA"),
        (("--nudge", "RCA", "--at-mm", "400", "--diameter-mm", "2"), "is not on the RCA"),
        (("--relabel", "RM1=Aorta"), "none of a coronary artery"),
        (("--edits", empty), "holds no edits"),
        (("--delete", "RCA"), "nothing would be left"),
        ((), "give one of --edits"),
        (("--exclude", "RCA", "--at-mm", "3"), "--at-mm has no effect with --exclude"),
        (("--relabel", "RM1"), "write it as --relabel D1=D2"),
        (("--undo",), "say of which with --onto"),
        (("--onto", "7", "--exclude", "RCA"), "no such edited result; there are none"),
    ):  # fmt: skip
        assert message in refused("edit", out, *words), words
    assert files(out) == first
    assert "no earlier run" in refused("edit", tmp_path / "none", "--exclude", "RCA")


def test_the_trees_of_a_run_are_not_changed_by_reading_them(out):
    trees, _ = stage_data.load_trees(out)
    before = [c.tree.radius_mm.copy() for c in trees]
    edited(trees, [Nudge(vessel="RCA", from_mm=10, to_mm=20, wider_by_mm=0.5)])
    for c, radius in zip(trees, before, strict=True):
        np.testing.assert_array_equal(c.tree.radius_mm, radius)
