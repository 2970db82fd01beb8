"""A narrow stent: no number in it and beyond, in result, tree file, grade and report."""

import json
import re
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
import pyvista
import run_folder
import standin
from test_ffr_report import html_of, pictures, rows_of
from test_ffr_result import DOCS

from ffr import pipeline
from ffr.circulation.patient import Patient
from ffr.flags import Flag, Place
from ffr.pulse.cases import PulseSettings, run_case
from ffr.report.verdict import headline
from ffr.results import stage_data, stages
from ffr.results.result_file import load_result
from meshes.stenosis import find_lesions
from meshes.tree import Unreadable, path_length_mm
from solvers.unreadable import unreadable

FLAG = Flag("stent-narrow", "a stent of about 2.5 mm", Place("left", "LAD", 7, 72.0))


def stented(case, vessel="LAD", from_mm=72.0, to_mm=95.0):
    """The case with a narrow stent in a vessel of its left tree."""
    stretch = Unreadable("stent of 2.5 mm", vessel, from_mm, to_mm)
    left = replace(case.coronaries[0], unreadable=(stretch,))
    shown = case.analysed[0] & ~unreadable(left)
    lesions = case.lesions[0]
    return replace(
        case,
        coronaries=[left, *case.coronaries[1:]],
        analysed=[shown, *case.analysed[1:]],
        lesions=[lesions, *case.lesions[1:]],
    )


@pytest.fixture(scope="module")
def case():
    return standin.make_case(spacing_mm=2.0)


@pytest.fixture(scope="module")
def result(case):
    return standin.result_of(stented(case), flags=(FLAG,))


def test_the_stretch_is_in_the_result(result):
    (stretch,) = result.unreadable
    assert stretch.model_dump() == {
        "reason": "stent of 2.5 mm", "side": "left", "vessel": "LAD", "from_mm": 72.0,
        "to_mm": 95.0,
    }  # fmt: skip
    schema = json.loads((DOCS / "result.schema.json").read_text())
    jsonschema.validate(result.model_dump(mode="json"), schema)


def test_a_lesion_read_behind_the_stent_has_a_reason_instead_of_numbers(case, result):
    (lesion,) = [x for x in result.lesions if x.vessel == "LAD"]
    assert (lesion.ffr_distal, lesion.ffr_low, lesion.pressure_drop_mmhg) == (None,) * 3
    assert lesion.state == "not analysed"
    assert lesion.not_analysed_reason == "not analysable: stent of 2.5 mm"
    others = [x.ffr_distal for x in result.lesions if x.vessel != "LAD"]
    plain = standin.result_of(case)
    assert others == [x.ffr_distal for x in plain.lesions if x.vessel != "LAD"]


def test_a_stent_in_the_ostium_leaves_nothing_to_read_and_no_error(case):
    shut = stented(case, "LM", 0.0, 6.0)
    found = pipeline.find(tuple(shut.coronaries), tuple(case.solutions))
    assert np.isnan(found.ffr[0]).all()
    assert np.isfinite(found.ffr[1]).any()
    assert len(found.distal[0]) == len(found.lesions[0]) > 0


def test_vessel_and_segments_end_at_the_stent(result):
    (lad,) = [x for x in result.vessels if x.vessel == "LAD"]
    assert lad.analysed_end_mm == pytest.approx(72.0, abs=0.6)
    assert lad.lowest_ffr_not_for_decision is None
    assert lad.not_analysed_reason == "not analysable: stent of 2.5 mm"
    assert next(x for x in result.vessels if x.vessel == "LM").not_analysed_reason is None
    dark = [x for x in result.segments if x.vessel == "LAD" and not x.analysed]
    assert dark[0].not_analysed_reason == "not analysable: stent of 2.5 mm"
    assert all(x.outlet_pressure_mmhg is None and x.flow_ml_min is None for x in dark)
    told = {x.what: x.reason for x in result.not_analysed}
    assert told["LAD beyond 72 mm from the ostium"] == "not analysable: stent of 2.5 mm"


def test_the_stented_vessel_is_n_and_s_and_no_narrowing_in_the_stent_counts(case, result):
    grades = {x.vessel: x for x in result.suggested_cad_rads.vessels}
    assert grades["LAD"].grade == "3"  # the 69 % before the stent are seen
    assert grades["LAD"].modifiers == ("N", "S")
    assert grades["RCA"].modifiers == ("I±",)
    (lesion,) = [x for x in result.lesions if x.vessel == "LAD"]
    inside = stented(case, from_mm=lesion.position_mm - 5, to_mm=lesion.position_mm + 5)
    hidden = standin.result_of(inside, flags=(FLAG,)).suggested_cad_rads
    grades = {x.vessel: x for x in hidden.vessels}
    assert (grades["LAD"].grade, grades["LAD"].worst_stenosis_percent) == ("N", None)


def test_vessels_behind_a_stent_of_the_left_main_keep_their_grade(case):
    trunk = stented(case, "LM", 10.0, 15.0)
    flag = Flag("stent-narrow", "a stent", Place("left", "LM", 5, 10.0))
    result = standin.result_of(trunk, flags=(flag,))
    grades = {x.vessel: x.grade for x in result.suggested_cad_rads.vessels}
    assert (grades["LM"], grades["LAD"], grades["LCx"]) == ("N", "3", "2")
    assert all(x.ffr_distal is None for x in result.lesions if x.side == "left")
    reasons = {x.not_analysed_reason for x in result.lesions if x.side == "left"}
    assert reasons == {"not analysable: behind a stent of 2.5 mm in the LM"}


def test_the_report_says_it_in_table_headline_and_panel(case):
    dark = stented(case)
    grey = np.where(np.isfinite(case.surface_ffr), case.surface_ffr, np.nan)
    html = html_of(replace(dark, surface_ffr=grey), trees=False, flags=(FLAG,))
    rows = rows_of(html, "#")
    lad = next(row for row in rows if row["Vessel"] == "LAD")
    assert lad["FFRdistal"] == "not analysed"
    assert lad["State"] == "not analysedstent of 2.5 mm"
    assert "Not analysable: LAD from 72 mm on (stent of 2.5 mm)." in html
    assert any("stent of 2.5 mm" in picture for picture in pictures(html))
    vessel = next(row for row in rows_of(html, "Vessel") if row["Vessel"] == "LAD")
    assert "N/S" in vessel["Suggestedgrade"]


def test_a_dark_side_branch_is_told_behind_what_limits_flow(case, result):
    (stretch,) = result.unreadable
    aside = stretch.model_copy(update={"vessel": "D1", "from_mm": 50.0})
    first = headline(standin.result_of(case)).text
    said = headline(standin.result_of(case).model_copy(update={"unreadable": [aside]}))
    dark = "Not analysable: D1 from 50 mm on (stent of 2.5 mm)."
    assert said.text == f"{first} {dark}"
    both = result.model_copy(update={"unreadable": [aside, stretch]})
    assert headline(both).text.startswith("Not analysable: LAD from 72 mm on")
    assert headline(both).text.endswith(dark)
    calm = standin.result_of(replace(case, lesions=[[], []], distal=[[], []]))
    assert headline(calm).state == "above 0.80"
    calm = calm.model_copy(update={"unreadable": [aside]})
    assert headline(calm).state == "not analysed"


def test_without_lesions_the_headline_does_not_reassure(case):
    healthy = replace(stented(case), lesions=[[], []], distal=[[], []])
    html = html_of(healthy, trees=False)
    assert '<div class="headline none">' in html
    assert "Not analysable" in html
    calm = html_of(replace(case, lesions=[[], []], distal=[[], []]), trees=False)
    assert '<div class="headline above">' in calm


@pytest.fixture(scope="module")
def known():
    """A short right tree with a stenosis at 18 mm and a narrow stent from 34 mm on."""
    plain = run_folder.case()
    (tree,) = plain.trees
    tree = replace(tree, unreadable=(Unreadable("stent of 2.5 mm", "RCA", 34.0, 40.0),))
    plain.trees = (tree,)
    return plain


@pytest.fixture(scope="module")
def out(tmp_path_factory, known):
    out = tmp_path_factory.mktemp("stented") / "out"
    run_folder.fill(out, known)
    return out


def test_the_stretch_survives_the_tree_stage(out, known):
    (tree,), _ = stage_data.load_trees(out)
    assert tree.unreadable == known.trees[0].unreadable


def test_a_tree_stage_of_an_older_version_has_no_stretches(out):
    facts = stages.load_facts(stages.stage_folder(out, "tree"))
    del facts["unreadable"]
    (tree,), _ = with_facts(out, facts)
    assert tree.unreadable == ()


def with_facts(out, facts):
    place = stages.stage_folder(out, "tree")
    before = (place / "facts.json").read_text()
    stages.save_facts(place, facts)
    try:
        return stage_data.load_trees(out)
    finally:
        (place / "facts.json").write_text(before)


def test_the_tree_file_has_no_ffr_and_no_pressure_there(out, known):
    poly = pyvista.read(out / "tree.vtp")
    s = path_length_mm(known.trees[0].tree)
    rca = known.trees[0].branch == known.trees[0].names.index("RCA")
    behind = rca & (s >= 34.0)
    for name in ("ffr", "ffr_low", "ffr_high", "probability_below_0_80", "pressure_mmhg"):
        assert np.isnan(poly[name][behind]).all(), name
    assert not poly["analysable"][behind].any()
    np.testing.assert_array_equal(poly["analysable"] == 1, np.isfinite(poly["ffr"]))
    assert poly["analysable"][rca & (s < 33.0)].all()
    assert np.isfinite(poly["flow_ml_min"]).all()
    lumen = pyvista.read(out / "lumen.vtp")
    assert np.isnan(lumen["ffr"]).any()
    assert np.isfinite(lumen["ffr"]).any()


def test_a_lesion_is_read_before_the_stent_where_ten_millimetres_are_left(out):
    (lesion,) = load_result(out / "result.json").lesions
    assert lesion.ffr_distal is not None
    assert 10.0 <= lesion.distance_used_mm < 15.0
    assert lesion.end_mm + lesion.distance_used_mm < 34.0


def test_with_less_than_ten_millimetres_before_the_stent_there_is_no_ffr(known):
    (tree,) = known.trees
    near = replace(tree, unreadable=(Unreadable("stent of 2.5 mm", "RCA", 28.0, 40.0),))
    flow = pipeline.solve((near,), Patient(), 120.0)
    findings = pipeline.find((near,), flow.solutions)
    (point, distance), = findings.distal[0]  # fmt: skip
    assert distance == pytest.approx(20.0, abs=0.6)
    assert np.isnan(findings.ffr[0][point])


def test_what_is_read_in_the_stent_does_not_change_the_rest_of_the_tree(known):
    (tree,) = known.trees
    s = path_length_mm(tree.tree)
    inside = (s >= 34.0) & (s <= 40.0)
    radius = np.where(inside, 0.4 * tree.tree.radius_mm, tree.tree.radius_mm)
    tight = replace(tree, tree=replace(tree.tree, radius_mm=radius))
    assert len(find_lesions(tight.tree, tight.reference_radius_mm)) == 2
    one, other = (pipeline.solve((c,), Patient(), 120.0).solutions[0] for c in (tree, tight))
    np.testing.assert_allclose(one.pressure_mmhg, other.pressure_mmhg, rtol=1e-12)
    seen = replace(tight, unreadable=())
    assert pipeline.solve((seen,), Patient(), 120.0).solutions[0].flow_ml_min[0] < (
        0.95 * one.flow_ml_min[0]
    )


def test_pulses_are_not_shown_behind_the_stent(out):
    pulse = run_case(out, PulseSettings(), Patient())
    (tree,) = pulse.trees
    points = [place.point for place in tree.places]
    assert tree.shown[points].all()
    assert not tree.shown.all()


def test_no_number_of_the_result_lies_behind_the_stent(out):
    text = (out / "result.json").read_text()
    data = json.loads(text)
    dark = [x for x in data["segments"] if x["start_mm"] >= 33.9]
    assert dark
    assert not any(x["analysed"] for x in dark)
    assert re.search(r'"unreadable": \[\s*\{', text)
