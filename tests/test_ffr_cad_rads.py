"""CAD-RADS 2.0: its rules one by one, and chances that add up."""

import numpy as np
import pytest
from standin import make_case, result_of

from ffr.flags import Flag, Place
from ffr.results.cad_rads import GRADES, stenosis_interval, suggested_cad_rads
from ffr.show import cad_rads_line


@pytest.fixture(scope="module")
def result():
    return result_of(make_case(spacing_mm=2.0))


def graded(result, worst, *, flags=(), closed=(), ffr=None, sd=1e-4):
    """The grade of a patient with one lesion of so many percent in each vessel."""
    lesions = []
    for k, (vessel, percent) in enumerate(worst.items()):
        _, high = stenosis_interval(100.0 - percent, 100.0, sd)
        change = {
            "id": k, "vessel": vessel, "diameter_stenosis_percent": float(percent),
            "diameter_stenosis_high_percent": high, "ffr_distal": (ffr or {}).get(vessel),
        }  # fmt: skip
        lesions.append(result.lesions[0].model_copy(update=change))
    entries = result_of(make_case(spacing_mm=4.0), flags=flags).flags if flags else ()
    return suggested_cad_rads(lesions, result.vessels, entries, closed)


@pytest.mark.parametrize(
    ("worst", "grade"),
    [
        ({}, "0-1"),
        ({"LAD": 24.4}, "0-1"),
        ({"LAD": 24.6}, "2"),  # printed as 25
        ({"LAD": 49.4}, "2"),
        ({"LAD": 49.6}, "3"),
        ({"LAD": 69.4}, "3"),
        ({"LAD": 69.6}, "4A"),
        ({"LAD": 75, "RCA": 80}, "4A"),
        ({"LAD": 75, "RCA": 80, "LCx": 60}, "4A"),
        ({"LAD": 75, "RCA": 80, "LCx": 72}, "4B"),
        ({"D1": 75, "R-PDA": 80, "OM1": 72}, "4B"),  # side branches count for their vessel
        ({"LM": 45}, "2"),
        ({"LM": 52}, "4B"),
        ({"LM": 72}, "4B"),
    ],
)
def test_the_worst_stenosis_gives_the_grade(result, worst, grade):
    found = graded(result, worst)
    assert found.grade == found.least == found.most == grade


def test_an_occlusion_is_5_whatever_else_there_is(result):
    found = graded(result, {"LM": 60, "RCA": 30}, closed=["LCx"])
    assert found.grade == "5"
    by_name = {x.vessel: x.grade for x in found.vessels}
    assert (by_name["LM"], by_name["LCx"], by_name["RCA"]) == ("4B", "5", "2")


def test_the_chances_add_up_and_agree_with_drawn_stenoses(result):
    worst = {"LM": 47, "LAD": 66, "D1": 55, "LCx": 71, "RCA": 72}
    sd = 0.15
    found = graded(result, worst, sd=sd)
    chances = [x.probability for x in found.chances]
    assert sum(chances) == pytest.approx(1.0)
    assert [x.grade for x in found.chances] == list(GRADES)
    rng = np.random.default_rng(0)
    draws = {
        v: 100 - (100 - p) * np.exp(sd * rng.standard_normal(40_000)) for v, p in worst.items()
    }
    share = dict.fromkeys(GRADES, 0.0)
    for k in range(4_000):
        share[graded(result, {v: d[k] for v, d in draws.items()}).grade] += 1 / 4_000
    assert chances == pytest.approx([share[g] for g in GRADES], abs=0.03)
    assert GRADES.index(found.least) < GRADES.index(found.most)


def test_the_lower_and_upper_grade_hold_95_percent(result):
    found = graded(result, {"RCA": 50}, sd=0.1)
    inside = [x.probability for x in found.chances]
    first, last = GRADES.index(found.least), GRADES.index(found.most)
    assert sum(inside[first : last + 1]) >= 0.95
    assert sum(inside[:first]) <= 0.025
    assert sum(inside[last + 1 :]) <= 0.025


def test_the_interval_of_a_stenosis_is_that_of_the_ratio():
    low, high = stenosis_interval(1.0, 2.0, 0.1)
    assert (100 - low) / 50 == pytest.approx(np.exp(0.196))
    assert (100 - high) / 50 == pytest.approx(np.exp(-0.196))
    assert stenosis_interval(1.9, 2.0, 0.1)[0] == 0.0


def test_a_vessel_not_fully_read_is_n_unless_something_worse_was_seen(result):
    cut = (Flag("vessel-stump", "it ends", Place("right", "RCA", 2, 40.0)),)
    mild = graded(result, {"LAD": 30}, flags=cut)
    assert mild.grade == "N"
    assert {x.vessel: x.grade for x in mild.vessels}["RCA"] == "N"
    assert {x.vessel: x.grade for x in mild.vessels}["LAD"] == "2"
    ill = graded(result, {"LAD": 75}, flags=cut)
    assert (ill.grade, ill.modifiers) == ("4A", ("N",))
    missing = graded(result, {}, flags=(Flag("right-coronary-missing", "not found"),))
    assert missing.grade == "N"
    harmless = graded(result, {"LAD": 30}, flags=(Flag("noise-strong", "noise"),))
    assert harmless.grade == "2"


@pytest.mark.parametrize(
    ("ffr", "sign"), [(0.754, "I+"), (0.756, "I±"), (0.8049, "I±"), (0.805, "I-")]
)
def test_the_lowest_ffr_distal_to_a_lesion_tells_ischaemia(result, ffr, sign):
    found = graded(result, {"LAD": 60, "RCA": 40}, ffr={"LAD": ffr, "RCA": 0.95})
    assert found.modifiers == (sign,)
    by_name = {x.vessel: x.modifiers for x in found.vessels}
    assert by_name["RCA"] == ("I-",)
    assert by_name["LM"] == ()


def test_small_vessels_are_not_graded_and_main_ones_come_first(result):
    names = [x.vessel for x in result.suggested_cad_rads.vessels]
    assert names[:4] == ["LM", "LAD", "LCx", "RCA"]
    small = [
        x.model_copy(update={"analysed_end_mm": None}) if x.vessel == "D2" else x
        for x in result.vessels
    ]
    graded_then = suggested_cad_rads(result.lesions, small, (), ())
    assert set(names) - {x.vessel for x in graded_then.vessels} == {"D2"}


def test_each_lesion_has_an_interval_around_its_stenosis(result):
    for x in result.lesions:
        low, high = x.diameter_stenosis_low_percent, x.diameter_stenosis_high_percent
        assert low < x.diameter_stenosis_percent < high
        assert 5.0 < high - low < 45.0


def test_the_terminal_says_suggested_and_for_research(result):
    line = cad_rads_line(result)
    assert line.startswith("suggested CAD-RADS 2.0: 3/I")
    assert line.endswith("research use only")


def test_what_is_not_measured_is_said(result):
    said = " ".join(result.suggested_cad_rads.not_assessed)
    assert all(word in said for word in ("P (", "HRP", "G (", "E ("))
