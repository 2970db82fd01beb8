"""Virtual stents: what they do to lumen, flow and FFR, and what a run keeps of them."""

import json
import shutil
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
import pyvista
import run_folder
from command_line import ffr, refused
from test_ffr_result import DOCS
from validation_trees import forked, straight

from ffr import pipeline
from ffr.circulation.patient import Patient
from ffr.errors import ConfigError
from ffr.flags import Flag, Place
from ffr.results import stage_data, stages
from ffr.results.result_file import load_result
from ffr.stenting import verb
from ffr.stenting.compare import compared, comparison
from ffr.stenting.comparison import Comparison
from ffr.stenting.rank import lesion_stents, ranking
from ffr.stenting.solved import Solved, fast, load_solved, resolve
from ffr.stenting.span import STENT_SD_PERCENT, Stent, misfits, stented
from meshes.contours import Contours
from meshes.tree import Unreadable, VesselTree, outlets, path_length_mm
from solvers.errors import ConvergenceError

SMALL_HEART = Patient(resting_flow_ml_min=60.0, mean_aortic_pressure_mmhg=95.0)
ALL = Stent("LAD", 8.0, 32.0)


def heart(*trees):
    flow = pipeline.solve(trees, SMALL_HEART, None)
    return Solved(trees, flow, pipeline.find(trees, flow.solutions))


def vessel(*throats, length_mm=60.0):
    """A vessel of 3 mm with smooth stenoses: (place in mm, percent of the diameter)."""
    x = np.arange(0.0, length_mm + 0.25, 0.5)
    bells = [share / 100 * np.exp(-(((x - at) / 3.0) ** 2)) for at, share in throats]
    return straight(length_mm, 1.5 * (1 - np.sum(bells, axis=0)), healthy=1.5)


def sure(found):
    return pipeline.confidence(found.trees, found.flow, found.findings)


def end_ffr(solution):
    return solution.pressure_mmhg[-1] / solution.pressure_mmhg[0]


@pytest.fixture(scope="module")
def single():
    return heart(vessel((20.0, 60.0)))


@pytest.fixture(scope="module")
def serial():
    return heart(vessel((15.0, 52.0), (45.0, 58.0), length_mm=75.0))


@pytest.fixture(scope="module")
def fork():
    """A trunk and two daughters, the first with a stenosis; the trunk is wider."""
    c = forked(radii=(2.0, 1.5, 1.2), lengths=(24, 16))
    s = path_length_mm(c.tree)
    lad = c.branch == 1
    bell = np.where(lad, 0.55 * np.exp(-(((s - 22.0) / 2.0) ** 2)), 0.0)
    tree = VesselTree(c.tree.points_mm, c.tree.radius_mm * (1 - bell), c.tree.parent)
    return heart(replace(c, tree=tree))


def test_a_stent_over_the_only_lesion_gives_the_ffr_of_the_healthy_tree(single):
    healthy = end_ffr(heart(vessel((20.0, 0.0))).flow.solutions[0])
    trees = stented(single.trees, ALL)
    after = resolve(single, trees)
    assert end_ffr(single.flow.solutions[0]) < healthy - 0.05
    assert end_ffr(after.flow.solutions[0]) == pytest.approx(healthy, abs=1e-3)
    quick = fast(single).solution(0, trees[0])
    assert end_ffr(quick) == pytest.approx(healthy, abs=0.015)
    assert not after.findings.lesions[0]


def test_with_the_proximal_lesion_stented_more_flows_and_the_distal_one_takes_more(serial):
    first, second = serial.findings.lesions[0]
    trees = stented(serial.trees, lesion_stents(serial)[1])
    for solution in (
        resolve(serial, trees).flow.solutions[0],
        fast(serial).solution(0, trees[0]),
    ):
        old = serial.flow.solutions[0]
        assert solution.flow_ml_min[0] > 1.02 * old.flow_ml_min[0]

        def drop(flow, x):
            return flow.pressure_mmhg[x.start] - flow.pressure_mmhg[x.end]

        assert drop(solution, second) > 1.03 * drop(old, second)
        subtracted = drop(old, first) / old.pressure_mmhg[0]
        assert end_ffr(solution) - end_ffr(old) < subtracted - 0.01


@pytest.mark.parametrize("diameter_mm", [2.0, 3.0])
def test_a_stent_as_wide_as_the_lumen_or_less_changes_nothing(diameter_mm):
    before = heart(vessel())
    trees = stented(before.trees, Stent("LAD", 10.0, 30.0, diameter_mm))
    np.testing.assert_array_equal(trees[0].tree.radius_mm, before.trees[0].tree.radius_mm)
    np.testing.assert_array_equal(trees[0].radius_sd_mm, before.trees[0].radius_sd_mm)
    old = before.flow.solutions[0]
    for new in (resolve(before, trees).flow.solutions[0], fast(before).solution(0, trees[0])):
        np.testing.assert_allclose(new.pressure_mmhg, old.pressure_mmhg, atol=2e-3)
        np.testing.assert_allclose(new.flow_ml_min, old.flow_ml_min, rtol=1e-4)


def test_side_branches_of_a_stented_throat_lose_no_jet_any_more():
    c = forked(radii=(2.0, 1.5, 1.2), lengths=(24, 16))
    s = path_length_mm(c.tree)
    bell = np.where(c.branch < 2, 0.72 * np.exp(-(((s - 10.0) / 2.0) ** 2)), 0.0)
    tree = VesselTree(c.tree.points_mm, c.tree.radius_mm * (1 - bell), c.tree.parent)
    before = heart(replace(c, tree=tree))
    trees = stented(before.trees, Stent("LAD", 4.0, 16.0))
    exact, quick = resolve(before, trees).flow.solutions[0], fast(before).solution(0, trees[0])
    old, ends = before.flow.solutions[0], outlets(tree)
    assert np.all(exact.pressure_mmhg[ends] > old.pressure_mmhg[ends] + 6.0)
    np.testing.assert_allclose(quick.pressure_mmhg[ends], exact.pressure_mmhg[ends], atol=1.0)


def test_mass_is_conserved_and_the_beds_stay_as_they_were(fork):
    trees = stented(fork.trees, Stent("LAD", 15.0, 30.0))
    (tree,) = [c.tree for c in trees]
    bed = fork.flow.boundaries[0]
    one, two = np.flatnonzero(tree.parent == 20)
    for solution in (resolve(fork, trees).flow.solutions[0], fast(fork).solution(0, trees[0])):
        q = solution.flow_ml_min
        assert q[one] + q[two] == pytest.approx(q[20], rel=1e-9)
        assert q[one] > 1.02 * fork.flow.solutions[0].flow_ml_min[one]
        ends = outlets(tree)
        through = (solution.pressure_mmhg[ends] - bed.venous_pressure_mmhg) / q[ends]
        np.testing.assert_allclose(through, bed.outlet_resistance_mmhg_min_ml, rtol=1e-3)


def test_the_order_of_two_stents_makes_no_difference(serial):
    pair = (Stent("LAD", 8.0, 25.0, 2.6), Stent("LAD", 20.0, 52.0, 2.9))
    one, two = (stented(serial.trees, *stents)[0] for stents in (pair, pair[::-1]))
    again = stented(stented(serial.trees, pair[0]), pair[1])[0]
    for other in (two, again):
        np.testing.assert_array_equal(one.tree.radius_mm, other.tree.radius_mm)
        np.testing.assert_array_equal(one.radius_sd_mm, other.radius_sd_mm)
    quick = fast(serial)
    np.testing.assert_array_equal(
        quick.solution(0, one).pressure_mmhg, quick.solution(0, two).pressure_mmhg
    )


def test_the_lumen_of_a_stent_is_round_with_a_spread_of_its_own(single):
    c = single.trees[0]
    n = len(c.tree)
    oval = c.tree.radius_mm[:, None] * (1 + 0.2 * np.cos(2 * np.arange(8) * np.pi / 4))
    along = np.tile([0.0, 1.0, 0.0], (n, 1)), np.tile([0.0, 0.0, 1.0], (n, 1))
    (new,) = stented(
        (replace(c, contours=Contours(oval, *along)),), Stent("LAD", 15.0, 25.0, 3.2)
    )
    s = path_length_mm(c.tree)
    inside = (s >= 15.0) & (s <= 25.0)
    assert np.all(new.tree.radius_mm[inside] == 1.6)
    assert np.all(new.contours.radius_mm[inside] == 1.6)
    np.testing.assert_allclose(new.radius_sd_mm[inside], STENT_SD_PERCENT / 100 * 1.6)
    np.testing.assert_array_equal(new.tree.radius_mm[~inside], c.tree.radius_mm[~inside])
    np.testing.assert_array_equal(new.contours.radius_mm[~inside], oval[~inside])


def test_a_stent_across_a_bifurcation_steps_as_the_reference_does(fork):
    c = fork.trees[0]
    narrow = replace(c, tree=replace(c.tree, radius_mm=0.5 * c.tree.radius_mm))
    s = path_length_mm(c.tree)
    trunk, lad = (c.branch == 0) & (s >= 5.0), (c.branch == 1) & (s <= 20.0)
    for given, there, before in ((None, 1.5, 2.0), (2.4, 1.2, 1.6), (3.6, 1.8, 2.0)):
        (new,) = stented((narrow,), Stent("LAD", 5.0, 20.0, given))
        np.testing.assert_allclose(new.tree.radius_mm[lad], there)
        np.testing.assert_allclose(new.tree.radius_mm[trunk], before)
        np.testing.assert_array_equal(
            new.tree.radius_mm[c.branch == 2], narrow.tree.radius_mm[c.branch == 2]
        )


def test_a_span_over_an_occlusion_opens_it():
    c = vessel((20.0, 30.0))
    shut = c.tree.radius_mm.copy()
    shut[35:46] = 0.001
    before = heart(
        replace(c, tree=replace(c.tree, radius_mm=shut)),
        straight(side="right", name="RCA", offset_mm=30.0),
    )
    assert not np.isfinite(before.findings.ffr[0][-1])
    trees = stented(before.trees, ALL)
    healthy = heart(vessel(), before.trees[1])
    after = resolve(before, trees)
    for solution in (after.flow.solutions[0], fast(before).solution(0, trees[0])):
        assert end_ffr(solution) == pytest.approx(end_ffr(healthy.flow.solutions[0]), abs=0.02)
    found = comparison(compared(before, sure(before), after, (ALL,), base=32))
    (lesion,) = found.lesions
    assert (lesion.ffr_before, lesion.change, lesion.change_low) == (None, None, None)
    assert lesion.ffr_after_low < lesion.ffr_after < lesion.ffr_after_high
    (row,) = ranking(fast(before))
    assert (row.gain, row.reason) == (
        None,
        "no FFR behind it without the stent to compare with",
    )
    with pytest.raises(ConfigError, match="behind an occlusion"):
        stented(before.trees, Stent("LAD", 30.0, 50.0))


def test_behind_an_opened_occlusion_the_fast_answer_has_the_losses_of_a_stenosis():
    c = vessel((15.0, 30.0), (45.0, 68.0), length_mm=75.0)
    shut = c.tree.radius_mm.copy()
    shut[28:33] = 0.001
    before = heart(replace(c, tree=replace(c.tree, radius_mm=shut)))
    trees = stented(before.trees, Stent("LAD", 8.0, 22.0))
    exact = end_ffr(resolve(before, trees).flow.solutions[0])
    assert exact < 0.85
    assert end_ffr(fast(before).solution(0, trees[0])) == pytest.approx(exact, abs=0.02)


def test_a_possible_occlusion_is_readable_where_a_stent_covers_it_whole(single):
    gap = Unreadable("possible occlusion", "LAD", 18.0, 22.0, measured=True)
    c = replace(single.trees[0], unreadable=(gap,))
    (new,) = stented((c,), ALL)
    assert new.unreadable == ()
    with pytest.raises(ConfigError, match="not analysable: possible occlusion"):
        stented((c,), Stent("LAD", 20.0, 40.0))
    with pytest.raises(ConfigError, match="behind a possible occlusion"):
        stented((c,), Stent("LAD", 30.0, 40.0))


def test_a_stent_under_3_mm_that_is_there_already_is_refused(single):
    old = Unreadable("stent of 2.5 mm", "LAD", 18.0, 22.0)
    c = replace(single.trees[0], unreadable=(old,))
    with pytest.raises(ConfigError, match=r"not analysable: stent of 2\.5 mm"):
        stented((c,), ALL)
    assert len(stented((c,), Stent("LAD", 5.0, 15.0))[0].unreadable) == 1


@pytest.mark.parametrize(
    ("diameter_mm", "message"),
    [
        (None, None),
        (3.4, None),
        (4.2, "up to 40 % wider than the healthy vessel"),
        (2.4, "up to 20 % narrower than the lumen"),
    ],
)
def test_a_stent_of_the_wrong_size_is_warned_of(single, diameter_mm, message):
    found = misfits(single.trees, Stent("LAD", 10.0, 40.0, diameter_mm))
    assert len(found) == (message is not None)
    assert all(message in text for text in found)


@pytest.mark.parametrize(
    ("stent", "message"),
    [
        (Stent("LCx", 5.0, 20.0), "none of this run's vessels, which are LAD"),
        (
            Stent("LAD", 20.0, 20.0),
            "is none; --from-mm must be 0 or more and less than --to-mm",
        ),
        (Stent("LAD", -1.0, 20.0), "is none"),
        (Stent("LAD", float("nan"), 20.0), "is none"),
        (Stent("LAD", 30.0, 60.6), "does not end in the LAD, which runs from 0.0 to 60.0 mm"),
        (Stent("LAD", 30.1, 30.3), "give a longer one"),
        (Stent("LAD", 5.0, 20.0, 0.0), "--diameter-mm must be 1.5 to 6"),
        (Stent("LAD", 5.0, 20.0, 6.1), "6.1 mm wide is not plausible"),
        (Stent("LAD", 5.0, 20.0, float("inf")), "not plausible"),
    ],
)
def test_a_stent_that_does_not_fit_is_refused(single, stent, message):
    with pytest.raises(ConfigError, match=message):
        stented(single.trees, stent)


def test_a_span_upstream_of_its_vessel_or_in_too_small_a_one_is_refused(fork):
    with pytest.raises(ConfigError, match="does not end in the LAD"):
        stented(fork.trees, Stent("LAD", 2.0, 8.0))
    small = np.where(
        path_length_mm(fork.trees[0].tree) > 25.0, 0.7, fork.trees[0].reference_radius_mm
    )
    tapered = replace(fork.trees[0], reference_radius_mm=small)
    with pytest.raises(ConfigError, match=r"under 1\.5 mm wide"):
        stented((tapered,), Stent("LAD", 20.0, 30.0))


def test_the_ranking_puts_first_what_gains_most_at_the_vessel_s_end(serial):
    rows, exact = ranking(fast(serial)), ranking(fast(serial), resolved=True)
    gains = {}
    for number, stent in lesion_stents(serial).items():
        after = resolve(serial, stented(serial.trees, stent))
        gains[number] = after.findings.ffr[0][-1] - serial.findings.ffr[0][-1]
    assert [x.lesion for x in rows] == sorted(gains, key=gains.get, reverse=True) == [2, 1]
    assert [x.lesion for x in exact] == [2, 1]
    assert [x.gain for x in exact] == pytest.approx([gains[2], gains[1]])
    for x in rows:
        assert x.gain == pytest.approx(gains[x.lesion], abs=0.02)
        assert x.gain == pytest.approx(x.ffr_after - x.ffr_before)
        assert x.gain_vessel == "LAD"


def test_what_cannot_be_ranked_stands_last_with_its_reason(serial):
    old = Unreadable("stent of 2.5 mm", "LAD", 40.0, 50.0)
    trees = (replace(serial.trees[0], unreadable=(old,)),)
    first, last = ranking(
        fast(Solved(trees, serial.flow, pipeline.find(trees, serial.flow.solutions)))
    )
    assert (first.lesion, last.lesion, last.gain) == (1, 2, None)
    assert "not analysable: stent of 2.5 mm" in last.reason


def test_the_change_comes_with_the_interval_of_paired_samples(serial):
    stent = lesion_stents(serial)[2]
    right = straight(name="RCA", side="right", offset_mm=40.0)
    before = heart(*serial.trees, right)
    after = resolve(before, stented(before.trees, stent))
    assert after.trees[1] is right
    both = compared(before, sure(before), after, (stent,), base=128)
    found = comparison(both)
    first, second = found.lesions
    for x in (first, second):
        assert x.change == pytest.approx(x.ffr_after - x.ffr_before)
        assert x.change_low <= x.change <= x.change_high
    assert second.change_low > 0.0 > first.change_high - 0.01
    # what both share cancels: the proximal lesion hardly changes, however unsure it is
    wide = first.ffr_before_high - first.ffr_before_low
    assert first.change_high - first.change_low < 0.5 * wide
    assert (first.throat_stented, second.throat_stented) == (False, True)
    assert first.drop_after_mmhg > first.drop_before_mmhg
    (rca,) = [x for x in found.vessels if x.vessel == "RCA"]
    assert (rca.change, rca.change_low, rca.change_high) == (0.0, 0.0, 0.0)
    worst = found.greatest_remaining_drop
    assert worst.lesions == (1,)
    assert worst.from_mm < 15.0 < worst.to_mm <= worst.from_mm + 20.0
    assert found.flow_after_ml_min["left"] > found.flow_before_ml_min["left"]
    assert found.flow_after_ml_min["right"] == found.flow_before_ml_min["right"]


def test_a_stent_that_changes_nothing_has_a_change_of_exactly_nothing():
    before = heart(vessel((20.0, 40.0)))
    stent = Stent("LAD", 35.0, 50.0, 2.0)
    both = compared(
        before, sure(before), resolve(before, stented(before.trees, stent)), (stent,), base=32
    )
    (lesion,) = comparison(both).lesions
    assert (lesion.change, lesion.change_low, lesion.change_high) == (0.0, 0.0, 0.0)


def test_without_laminar_flow_the_first_solution_s_network_answers_and_says_so(
    single, monkeypatch
):
    def no_flow(*_):
        raise ConvergenceError("no")

    monkeypatch.setattr(pipeline, "solve_tree", no_flow)
    trees = stented(single.trees, ALL)
    after = resolve(single, trees)
    assert [f.name for f in after.flow.flags] == ["flow-lumped"]
    assert end_ffr(after.flow.solutions[0]) == end_ffr(fast(single).solution(0, trees[0]))


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    out = tmp_path_factory.mktemp("stent") / "out"
    run_folder.fill(out, run_folder.case(), until="solve")
    return out


@pytest.fixture
def out(tmp_path, solved):
    return shutil.copytree(solved, tmp_path / "out")


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


SPAN = ("--vessel", "RCA", "--from-mm", "10", "--to-mm", "26")


def test_the_verb_writes_a_second_result_beside_the_first(out):
    first = files(out)
    code, printed, err = ffr("stent", out, *SPAN)
    assert (code, err) == (0, "")
    assert "Research use only" in printed
    assert "nothing of outcome" in printed
    second = files(out)
    assert {k: v for k, v in second.items() if k.parts[0] != "stents"} == first
    assert {str(k) for k in second.keys() - first.keys()} == {
        "stents/1/comparison.json", "stents/1/result.json", "stents/1/tree.vtp",
    }  # fmt: skip
    found = Comparison.model_validate_json((out / "stents/1/comparison.json").read_text())
    (lesion,) = found.lesions
    assert lesion.change > 0.02
    assert lesion.change_low <= lesion.change <= lesion.change_high
    result = load_result(out / "stents/1/result.json")
    schema = json.loads((DOCS / "result.schema.json").read_text())
    jsonschema.validate(result.model_dump(mode="json"), schema)
    assert result.lesions == ()
    assert result.flags[-1].name == "virtual-stent"
    assert result.settings["virtual_stents"] == [
        {"vessel": "RCA", "from_mm": 10.0, "to_mm": 26.0, "diameter_mm": None}
    ]
    line = pyvista.read(out / "stents/1/tree.vtp")
    np.testing.assert_allclose(
        line["ffr"] - line["ffr_before"], line["ffr_change"], equal_nan=True
    )
    assert np.all((line["s_mm"] >= 10) & (line["s_mm"] <= 26) >= line["stent"])
    assert line["stent"].sum() > 20


def test_each_answer_has_a_folder_of_its_own_until_the_flow_is_solved_anew(out):
    stent = (Stent("RCA", 10.0, 26.0),)
    (out / "stents" / "3").mkdir(parents=True)
    _, place = verb.stent_run(out, stent, lambda _: None)
    assert place == out / "stents" / "4"
    with stages.result_files(out):  # as of a new report
        pass
    assert place.is_dir()
    with stages.stage_files(out, "solve"):
        pass
    assert not (out / "stents").exists()


def test_a_kill_while_writing_leaves_nothing(out, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(verb, "save_result", killed)
    first = files(out)
    with pytest.raises(KeyboardInterrupt):
        verb.stent_run(out, (Stent("RCA", 10.0, 26.0),), lambda _: None)
    assert files(out) == first


def test_without_a_vessel_the_verb_ranks_and_writes_nothing(out):
    first = files(out)
    code, printed, err = ffr("stent", out)
    assert (code, err) == (0, "")
    assert "1 RCA" in printed
    assert "research use only" in printed
    assert files(out) == first


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--vessel", "LAD", "--from-mm", "5", "--to-mm", "20"), "none of this run's vessels"),
        (("--vessel", "RCA", "--from-mm", "20", "--to-mm", "5"), "less than --to-mm"),
        (("--vessel", "RCA", "--from-mm", "20", "--to-mm", "500"), "does not end in the RCA"),
        ((*SPAN, "--diameter-mm", "0"), "not plausible"),
        (("--vessel", "RCA", "--from-mm", "20"), "a stent needs both ends"),
        (("--from-mm", "5", "--to-mm", "20"), "a span needs its vessel"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(out, words, message):
    first = files(out)
    assert message in refused("stent", out, *words)
    assert files(out) == first


def test_a_run_without_a_flow_is_refused(out, tmp_path):
    shutil.rmtree(out / "stages" / "solve")
    assert "no finished stage 'solve'" in refused("stent", out, *SPAN)
    assert "no finished stage 'solve'" in refused("stent", out)
    assert "no earlier run in this folder" in refused("stent", tmp_path / "none", *SPAN)


def test_a_flow_that_other_beds_made_is_refused(out):
    path = out / "stages" / "solve" / "facts.json"
    facts = json.loads(path.read_text())
    facts["settings"]["patient"]["resting_flow_ml_min"] = 700.0
    path.write_text(json.dumps(facts))
    with pytest.raises(ConfigError, match="run 'ffr solve' again"):
        load_solved(out)


def test_the_flow_of_a_run_is_read_back_as_it_was_solved(out):
    found, _ = load_solved(out)
    flow = pipeline.solve(found.trees, Patient(), run_folder.maps()[0].lv_mass_g)
    assert found.flow.inputs == flow.inputs
    assert found.flow.physiology == flow.physiology
    assert found.flow.blood == flow.blood
    np.testing.assert_array_equal(
        found.flow.boundaries[0].outlet_resistance_mmhg_min_ml,
        flow.boundaries[0].outlet_resistance_mmhg_min_ml,
    )
    np.testing.assert_allclose(
        found.flow.solutions[0].pressure_mmhg, flow.solutions[0].pressure_mmhg
    )


def test_a_tree_that_the_loss_formula_solved_is_known_again(out):
    path = out / "stages" / "solve" / "facts.json"
    facts = json.loads(path.read_text())
    found, _ = load_solved(out)
    assert found.flow.lumped == ()
    flag = Flag("flow-lumped", "in whatever words", Place("right"))
    facts["flags"] += stage_data.flags_as_json((flag,))
    path.write_text(json.dumps(facts))
    again, _ = load_solved(out)
    assert [again.trees[t].side for t in again.flow.lumped] == ["right"]
