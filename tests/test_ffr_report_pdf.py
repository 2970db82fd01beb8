"""report.pdf: the numbers of result.json, the statement on each page, nothing cut or hidden."""

import re
import shutil
import subprocess
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import report_cases
from matplotlib.backends.backend_agg import FigureCanvasAgg
from standin import make_case

from ffr.flags import VIRTUAL_STENT
from ffr.report.content import report_content
from ffr.report.html import render_report
from ffr.report.pdf import report_pages, report_pdf, report_pictures
from ffr.report.sheets import A4_IN, broken, width_in
from ffr.report.svg import paper_style
from ffr.report.vessel_page import PLAN
from ffr.results.result import RESEARCH_USE_ONLY, FlagEntry, ffr_rounded

needs_pdftotext = pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="pdftotext (poppler-utils) is not installed"
)


@pytest.fixture(scope="module")
def six():
    """What each kind of report is drawn from; the trees are drawn in one of them only."""
    return {
        kind: report_cases.shown_of(
            report_cases.case_of(kind, 2.0), report_cases.flags_of(kind), trees=kind == "single"
        )
        for kind in report_cases.KINDS
    }


@pytest.fixture(scope="module")
def pages(six):
    with paper_style():
        return {kind: report_pages(shown) for kind, shown in six.items()}


@pytest.fixture(scope="module")
def single(six):
    return report_pdf(six["single"])


def content_of(shown):
    return report_content(shown.result, shown.paths(), shown.trees)


def words_on(figure):
    """The text of a page, also that in its pictures."""
    axes = [t.get_text() for a in figure.axes for t in a.texts]
    return " ".join([t.get_text() for t in figure.texts] + axes)


def text_of(pdf):
    done = subprocess.run(
        ["pdftotext", "-layout", "-", "-"], input=pdf, capture_output=True, check=True
    )
    return done.stdout.decode()


def test_there_is_one_page_of_summary_and_one_per_vessel(six, pages, single):
    vessels = {
        "normal": ["LAD", "LCx", "RCA"], "single": ["LAD", "LCx", "RCA"],
        "serial": ["LAD", "LCx", "RCA", "OM1"], "diffuse": ["LAD", "LCx", "RCA"],
        "left main": ["LAD", "LCx", "RCA"], "not analysable": ["LAD", "LCx"],
    }  # fmt: skip
    for kind, names in vessels.items():
        assert [x.name for x in content_of(six[kind]).pages] == names
        assert len(pages[kind]) == 1 + len(names)
    assert len(re.findall(rb"/Type /Page\b", single)) == 4


def test_the_statement_date_and_number_stand_on_every_page(pages):
    for drawn in pages.values():
        for number, figure in enumerate(drawn, 1):
            said = words_on(figure)
            assert said.count(RESEARCH_USE_ONLY) == 2
            assert f"2026-11-22 06:30 UTC · page {number} of {len(drawn)}" in said


@needs_pdftotext
def test_the_numbers_of_the_result_can_be_searched_in_the_pdf(six, single):
    text = text_of(single)
    (lesion,) = six["single"].result.lesions
    for number in (
        f"{ffr_rounded(lesion.ffr_distal):.2f} ({ffr_rounded(lesion.ffr_low):.2f}",
        f"{ffr_rounded(lesion.ffr_high):.2f})",
        f"{lesion.diameter_stenosis_percent:.0f} %", f"{lesion.area_stenosis_percent:.0f} %",
        f"{lesion.diameter_stenosis_low_percent:.0f}–"
        f"{lesion.diameter_stenosis_high_percent:.0f} %",
        f"{lesion.minimal_diameter_mm:.1f} mm", f"{lesion.minimal_lumen_area_mm2:.1f} mm²",
        f"{lesion.length_mm:.1f} mm", f"{lesion.delta_ffr:.2f}",
        f"{lesion.distance_used_mm:.0f} mm", "mid LAD (SCCT 7)",
        "heavy here: the lumen is a guess",
    ):  # fmt: skip
        assert number in text, number
    lad = next(x for x in six["single"].result.vessels if x.vessel == "LAD")
    assert f"PPG index {lad.ppg:.2f}" in text
    assert text.count(RESEARCH_USE_ONLY) == 2 * 4
    assert "\N{REPLACEMENT CHARACTER}" not in text


def test_every_lesion_stands_on_its_page_with_all_its_numbers(six, pages):
    for kind, shown in six.items():
        content = content_of(shown)
        for vessel, figure in zip(content.pages, pages[kind][1:], strict=True):
            said = " ".join(words_on(figure).split())
            assert "more: see" not in said, (kind, vessel.name)
            for x in vessel.lesions:
                for words in (x.place, x.read, x.stenosis, x.delta, x.minimal_area, x.length):
                    assert words in said, (kind, words)


def test_html_and_pdf_say_the_same(six, pages):
    for kind in ("serial", "not analysable"):
        shown, content = six[kind], content_of(six[kind])
        html = re.sub(r"<[^>]*>", "", render_report(shown))
        page = words_on(pages[kind][0])
        for words in (content.headline.text, content.grade, *content.unseen):
            parts = words.split(" ")
            assert words in html
            assert all(part in page for part in parts), words
        for x in content.lesions:
            assert x.verdict in html
            assert x.interval in html


def test_the_first_words_say_what_matters(six):
    said = {kind: content_of(shown).headline for kind, shown in six.items()}
    assert said["normal"].text.startswith("No flow-limiting lesion was found: no lesion of")
    assert said["normal"].state == "above 0.80"
    assert said["single"].text.startswith("A lesion limits flow: mid LAD, FFR 0.71 (95 % ")
    assert said["serial"].text.startswith("A lesion probably limits flow: mid LAD, FFR 0.74")
    assert "1 of 5 lesions with FFR 0.80 or below." in said["serial"].text
    assert said["diffuse"].text.startswith("Borderline: mid LAD, FFR 0.76")
    assert said["left main"].text.endswith("The left main is narrowed by 55 %.")
    dark = said["not analysable"]
    assert dark.state == "not analysed"
    assert dark.text.startswith("Not analysable: LAD from 30 mm on (stent of 2.5 mm) and right")


def test_what_was_not_analysed_has_a_reason_and_no_number(six, pages):
    content = content_of(six["not analysable"])
    assert content.unseen[0].startswith("LAD, 30 to 50 mm from the ostium: stent of 2.5 mm.")
    assert "right coronary tree: it was not found." in content.unseen
    (x,) = content.lesions
    assert (x.read, x.delta, x.distance) == ("not analysed",) * 3
    assert x.reason == "behind a stent of 2.5 mm in the LAD"
    page = words_on(pages["not analysable"][1])
    assert not re.search(r"FFR 0\.\d|FFR 1\.0", page)
    assert "not analysable:\nstent of 2.5 mm" in page


def test_where_nothing_is_analysed_the_reason_comes_first_and_all_is_grey():
    case = make_case((("LAD", 36.0, 4.0, 0.69),), (), spacing_mm=2.0)
    shown = report_cases.shown_of(
        replace(case, analysed=[m & False for m in case.analysed]), trees=False
    )
    content = content_of(shown)
    assert content.headline.text.startswith("No vessel could be analysed: narrower than 1.5 mm")
    assert {x.state for x in (*content.pages, *content.lesions)} == {"not analysed"}
    with paper_style():
        drawn = report_pages(shown)
    for figure in drawn[1:]:
        assert "not\nanalysed" in words_on(figure)
        assert not re.search(r"FFR 0\.\d|FFR 1\.0", words_on(figure))


def test_doubt_is_said_with_every_verdict(six):
    for shown in six.values():
        for x, y in zip(shown.result.lesions, content_of(shown).lesions, strict=True):
            if x.probability_below_0_80 is None or x.state == "0.76-0.80":
                continue
            doubtful = 0.05 < x.probability_below_0_80 < 0.95
            assert y.verdict.endswith("not certain") == doubtful
    assert "lesion 3, mid LAD (88 %)" in content_of(six["serial"]).sure[0]


def test_assumed_values_told_values_and_weights_are_on_the_first_page(pages):
    said = words_on(pages["single"][0])
    for words in ("haematocrit: 0.42", "132/78 mmHg", "LV mass: 128 g", "Dominance: right",
                  "Image quality: adequate", "ab12ab12ab12ab12", "for the reader to confirm",
                  "not assessed (plaque burden)"):  # fmt: skip
        assert words in said, words


def test_each_page_of_a_plan_says_that_its_stent_is_not_there(six):
    shown = six["serial"]
    flag = FlagEntry(name=VIRTUAL_STENT, message="with a stent: no", place=None)
    flags = (*shown.result.flags, flag)
    planned = replace(shown, result=shown.result.model_copy(update={"flags": flags}))
    with paper_style():
        summary, *vessels = [words_on(x) for x in report_pages(planned)]
    assert "With a stent: no" in summary
    for said in (summary, *vessels):
        assert ", with a virtual stent · page" in said
        assert "of the plan with the virtual stent, not of the patient" in said
        assert "for the reader to confirm" not in said
    for said in vessels:
        assert PLAN in said
        assert "yellow: the lumen as planned" in said


def boxes_of(figure):
    """Where each text of the page itself stands, in points from the lower left."""
    figure.set_dpi(72)
    renderer = FigureCanvasAgg(figure).get_renderer()
    return [(t.get_text(), t.get_window_extent(renderer)) for t in figure.texts if t.get_text()]


def overlapping(boxes):
    for (one, a), (other, b) in combinations(boxes, 2):
        wide = min(a.x1, b.x1) - max(a.x0, b.x0)
        high = min(a.y1, b.y1) - max(a.y0, b.y0)
        if wide > 0.5 and high > 2.0:  # letters do not fill their line
            yield one, other


def test_no_words_run_off_the_page_or_over_others(pages):
    for kind, drawn in pages.items():
        for figure in drawn:
            boxes = boxes_of(figure)
            for words, box in boxes:
                assert box.x0 > 20, (kind, words)
                assert box.x1 < 72 * A4_IN[0] - 20, (kind, words)
                assert box.y0 > 5, (kind, words)
            assert list(overlapping(boxes)) == [], kind


def test_many_lesions_and_warnings_stay_on_their_page_and_say_where_the_rest_is():
    many = [("LAD", 8.0 + 9 * k, 1.2, 0.3 + 0.03 * k) for k in range(6)]
    many += [("LM", 14.0, 2.0, 0.4), ("OM1", 20.0, 2.0, 0.6), ("D1", 12.0, 1.5, 0.5)]
    case = make_case(tuple(many), (), spacing_mm=2.0)
    flags = (report_cases.CALCIUM, report_cases.STENT) * 12
    shown = report_cases.shown_of(case, flags, trees=False)
    with paper_style():
        drawn = report_pages(shown)
    for figure in drawn:
        boxes = boxes_of(figure)
        assert min(box.y0 for _, box in boxes) > 5
        assert list(overlapping(boxes)) == []
    assert "more: see report.html" in words_on(drawn[0])
    named = {x.name for x in content_of(shown).pages}
    assert {"LAD", "LCx", "RCA", "D1", "OM1"} == named


def test_words_are_broken_where_they_end_and_nothing_is_lost():
    text = "the lumen there is a guess, " * 9 + "supercalifragilistic" * 8
    lines = broken(text, 8.0, 2.0)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert max(width_in(line, 8.0) for line in lines) <= 2.0
    assert width_in("W", 8.0, bold=True) > width_in("W", 8.0) > width_in("i", 8.0)


def test_the_same_result_gives_the_same_bytes_of_its_own_date(six, single):
    assert report_pdf(six["single"]) == single
    assert b"D:20261122063000Z" in single
    assert len(single) < 3_000_000


def test_the_pictures_are_the_pages(six):
    drawn = report_pictures(six["not analysable"])
    assert len({picture.shape for picture in drawn}) == 1
    assert len(drawn) == 3
    tall, wide, _ = drawn[0].shape
    assert tall / wide == pytest.approx(A4_IN[1] / A4_IN[0], abs=0.01)
    assert all(np.mean(picture < 128) > 0.005 for picture in drawn)  # ink
