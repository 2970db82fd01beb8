"""result.json: identities between its numbers, nulls with reasons, strict round trips."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from pydantic import BaseModel, ValidationError
from standin import AORTIC_MMHG, make_case, result_of

from ffr.errors import ConfigError
from ffr.results import result as result_module
from ffr.results.result import LesionResult, ffr_rounded, ffr_state
from ffr.results.result_file import field_tables, load_result, save_result, schema_text
from meshes.errors import GeometryError
from meshes.tree import path_length_mm
from solvers.errors import ConvergenceError

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def case():
    return make_case(spacing_mm=2.0)


@pytest.fixture(scope="module")
def result(case):
    return result_of(case)


@pytest.mark.parametrize(
    ("ffr", "state"),
    [
        (0.81, "above 0.80"),
        (0.805, "above 0.80"),
        (0.8049, "0.76-0.80"),
        (0.80, "0.76-0.80"),
        (0.755, "0.76-0.80"),
        (0.7549, "0.75 or below"),
        (0.75, "0.75 or below"),
        (None, "not analysed"),
    ],
)
def test_the_state_is_that_of_the_printed_two_decimals(ffr, state):
    assert ffr_state(ffr) == state


def test_rounding_agrees_with_halves_up_for_every_thousandth():
    for thousandth in range(1001):
        assert ffr_rounded(thousandth / 1000) == pytest.approx((thousandth + 5) // 10 / 100)


def test_ffr_is_the_pressure_at_the_distal_point_over_the_aorta(case, result):
    by_side = dict(zip(("left", "right"), case.solutions, strict=True))
    assert len(result.lesions) == 3
    for lesion in result.lesions:
        pressure = by_side[lesion.side].pressure_mmhg
        assert lesion.ffr_distal * AORTIC_MMHG == pytest.approx(pressure[lesion.distal_point])
        assert lesion.pressure_drop_mmhg == pytest.approx(
            pressure[lesion.start_point] - pressure[lesion.end_point]
        )
        assert lesion.distance_used_mm == pytest.approx(20.0, abs=0.6)


def test_lesions_are_numbered_left_first_and_by_distance_from_the_ostium(case):
    turned = replace(
        case,
        coronaries=case.coronaries[::-1],
        solutions=case.solutions[::-1],
        analysed=case.analysed[::-1],
        lesions=[list(reversed(x)) for x in case.lesions[::-1]],
        distal=[list(reversed(x)) for x in case.distal[::-1]],
    )
    for result in (result_of(case), result_of(turned)):
        assert [x.id for x in result.lesions] == [1, 2, 3]
        assert [x.vessel for x in result.lesions] == ["LCx", "LAD", "RCA"]
        assert [x.segment_name for x in result.lesions] == [
            "proximal LCx", "mid LAD", "mid RCA",
        ]  # fmt: skip


def test_runs_cover_every_tree_once(case, result):
    for coronary in case.coronaries:
        s = path_length_mm(coronary.tree)
        runs = [x for x in result.segments if x.side == coronary.side]
        total = np.linalg.norm(
            coronary.tree.points_mm[1:] - coronary.tree.points_mm[coronary.tree.parent[1:]],
            axis=1,
        ).sum()
        assert sum(x.end_mm - x.start_mm for x in runs) == pytest.approx(total, rel=1e-12)
        assert all(s[x.end_point] == x.end_mm for x in runs)


def test_flow_of_the_runs_is_conserved_where_they_meet(result):
    for side in ("left", "right"):
        runs = [x for x in result.segments if x.side == side and x.analysed]
        complete = 0
        for run in runs:
            down = [
                x
                for x in result.segments
                if x.side == side
                and x.start_point == run.end_point
                and x.end_point != x.start_point
            ]
            if down and all(x.analysed for x in down):
                complete += 1
                assert sum(x.flow_ml_min for x in down) == pytest.approx(run.flow_ml_min)
                assert {x.inlet_pressure_mmhg for x in down} == {run.outlet_pressure_mmhg}
        assert complete >= 3


def test_resistance_times_flow_is_the_drop(result):
    for run in result.segments:
        if run.analysed:
            assert run.resistance_mmhg_min_ml * run.flow_ml_min == pytest.approx(
                run.inlet_pressure_mmhg - run.outlet_pressure_mmhg
            )


def test_what_is_below_the_modelled_size_has_no_number_and_a_reason(result):
    small = [x for x in result.segments if not x.analysed]
    assert {x.vessel for x in small} >= {"D1", "OM1", "R-PDA"}
    for run in small:
        values = run.model_dump()
        assert run.not_analysed_reason == "lumen below the modelled size"
        assert all(values[n] is None for n in values if n.endswith(("_mmhg", "_ml_min", "_ml")))
    assert any(x.what.startswith("D1 beyond") for x in result.not_analysed)
    d1 = next(x for x in result.vessels if x.vessel == "D1")
    assert d1.analysed_end_mm < d1.end_mm


def test_the_lowest_value_ignores_what_was_not_analysed(case, result):
    coronary, pressure = case.coronaries[0], case.solutions[0].pressure_mmhg
    d1 = next(x for x in result.vessels if x.vessel == "D1")
    inside = coronary.branch == coronary.names.index("D1")
    lowest = pressure[inside & case.analysed[0]].min()
    assert lowest > pressure[inside].min()
    assert d1.lowest_ffr_not_for_decision * AORTIC_MMHG == pytest.approx(lowest)


def test_a_vessel_below_the_modelled_size_hides_its_pressure_even_from_the_lowest_value(case):
    none = result_of(case, analysed=[np.zeros(len(c.tree), bool) for c in case.coronaries])
    assert all(x.lowest_ffr_not_for_decision is None for x in none.vessels)
    assert all(x.ffr_distal is None and x.state == "not analysed" for x in none.lesions)
    assert all(x.not_analysed_reason for x in none.lesions)
    text = json.dumps(none.model_dump(mode="json"))
    assert not re.search(r'"(ffr_distal|flow_ml_min|outlet_pressure_mmhg)": \d', text)


def test_a_missing_tree_is_named(case):
    left = replace(
        case,
        coronaries=case.coronaries[:1],
        solutions=case.solutions[:1],
        analysed=case.analysed[:1],
        lesions=case.lesions[:1],
        distal=case.distal[:1],
    )
    missing = [x for x in result_of(left).not_analysed if "right" in x.what]
    assert [x.what for x in missing] == ["right coronary tree"]


def test_the_right_vessel_knows_its_lesions_and_the_inflow(case, result):
    vessels = {x.vessel: x for x in result.vessels}
    assert vessels["LAD"].lesions == (2,)
    assert vessels["LM"].lesions == ()
    assert vessels["LM"].flow_ml_min == pytest.approx(case.solutions[0].flow_ml_min[0])
    assert vessels["LAD"].segments == (6, 7, 8)
    assert vessels["LAD"].start_mm == vessels["LM"].end_mm


def test_a_result_survives_the_disk(result, tmp_path):
    save_result(tmp_path / "result.json", result)
    assert load_result(tmp_path / "result.json") == result
    assert os.listdir(tmp_path) == ["result.json"]


def test_a_saved_result_obeys_the_published_schema(case, result, tmp_path):
    schema = json.loads((DOCS / "result.schema.json").read_text())
    for one in (result, result_of(case, analysed=[m & False for m in case.analysed])):
        save_result(tmp_path / "result.json", one)
        jsonschema.validate(json.loads((tmp_path / "result.json").read_text()), schema)
    broken = json.loads((tmp_path / "result.json").read_text()) | {"patient_name": "x"}
    with pytest.raises(jsonschema.ValidationError, match="patient_name"):
        jsonschema.validate(broken, schema)


def test_the_published_schema_and_field_list_are_up_to_date():
    assert (DOCS / "result.schema.json").read_text() == schema_text()
    assert field_tables() in (DOCS / "result.md").read_text()


def test_a_failed_write_leaves_the_old_file_and_no_remnant(result, tmp_path, monkeypatch):
    save_result(tmp_path / "result.json", result)
    before = (tmp_path / "result.json").read_bytes()

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        save_result(tmp_path / "result.json", result.model_copy(update={"dominance": "left"}))
    assert (tmp_path / "result.json").read_bytes() == before
    assert os.listdir(tmp_path) == ["result.json"]


def test_nan_never_reaches_the_file(case, result, tmp_path):
    with pytest.raises(ConfigError, match="aortic_pressure_mmhg is nan"):
        result_of(case, aortic_pressure_mmhg=float("nan"))
    pressure = case.solutions[0].pressure_mmhg.copy()
    pressure[7] = np.nan
    bad = replace(case.solutions[0], pressure_mmhg=pressure)
    with pytest.raises(ConvergenceError, match="left tree is not finite at point 7"):
        result_of(case, solutions=[bad, case.solutions[1]])
    with pytest.raises(ValidationError, match="finite"):
        result_of(case, lv_mass_g=float("inf"))
    sneaked = result.model_copy(update={"settings": {"x": float("nan")}})
    with pytest.raises(ValueError, match="JSON compliant"):
        save_result(tmp_path / "result.json", sneaked)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda text: text[:200], "not a JSON file"),
        (lambda text: "[]", "schema_version None"),
        (lambda text: text.replace('"1.5"', '"7.2"', 1), "schema_version '7.2'.*reads '1.5'"),
        (lambda text: text.replace('"dominance"', '"dominanz"', 1), "dominanz: Extra inputs"),
        (lambda text: text.replace('"lv_mass_g": 128.0', '"lv_mass_g": "128"'), "lv_mass_g: "),
        (lambda text: text.replace('"lv_mass_g": 128.0', '"lv_mass_g": NaN'), "lv_mass_g: "),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(result, tmp_path, edit, match):
    save_result(tmp_path / "result.json", result)
    text = (tmp_path / "result.json").read_text()
    (tmp_path / "result.json").write_text(edit(text))
    with pytest.raises(ConfigError, match=match) as caught:
        load_result(tmp_path / "result.json")
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_missing_file_is_refused_in_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"^result file: No such file"):
        load_result(tmp_path / "result.json")


def test_numbers_and_reasons_exclude_each_other(result):
    given = result.lesions[0].model_dump()
    for change, match in (
        ({"not_analysed_reason": "too small"}, "must not have one"),
        ({"ffr_distal": None, "state": "not analysed"}, "some numbers are null"),
        ({"state": "0.75 or below"}, "contradicts"),
    ):
        with pytest.raises(ValidationError, match=match):
            LesionResult(**(given | change))


@pytest.mark.parametrize("change", ["solutions", "analysed", "lesions", "distal"])
def test_sequences_that_do_not_fit_together_are_refused(case, change):
    with pytest.raises(GeometryError, match="one each per tree"):
        result_of(case, **{change: getattr(case, change)[:1]})


def test_a_solution_of_another_tree_is_refused(case):
    with pytest.raises(GeometryError, match="left tree has"):
        result_of(case, solutions=case.solutions[::-1])


def test_every_number_names_its_unit():
    units = (
        "_mm",
        "_mm2",
        "_g",
        "_mmhg",
        "_ml_min",
        "_min_ml",
        "_s",
        "_hu",
        "_percent",
        "_kvp",
    )
    pure = {
        "ffr_distal", "lowest_ffr_not_for_decision", "contrast_to_noise", "ffr_low", "ffr_high",
        "lowest_ffr_low", "lowest_ffr_high", "probability_below_0_80", "first_order", "total",
        "probability", "delta_ffr", "ppg", "ffr_before", "ffr_after",
        "before", "after",  # of an edit: the unit stands in `name`
    }  # fmt: skip
    models = [
        m
        for m in vars(result_module).values()
        if isinstance(m, type) and issubclass(m, BaseModel)
    ]
    assert len(models) > 10
    for model in models:
        for name, info in model.model_fields.items():
            assert info.description or model is result_module.Model, f"{model.__name__}.{name}"
            if "float" in str(info.annotation) and name not in pure:
                assert name.endswith(units), f"{model.__name__}.{name} has no unit"
