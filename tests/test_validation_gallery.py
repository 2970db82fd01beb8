"""The gallery of hard cases: recipes keep their promise, words follow from the numbers."""

import json
from dataclasses import replace

import numpy as np
import pytest
import standin
from PIL import Image

from ffr.flags import Flag, Place
from ffr.pipeline import Findings
from meshes.tree import Unreadable, path_to, segment_length_mm
from solvers.unreadable import unreadable
from validation import gallery, gallery_page, gallery_pictures
from validation.gallery_cases import CASES, course_mm

BY_NAME = {case.name: case for case in CASES}


def findings(case):
    ffr = tuple(
        np.where(m, s.pressure_mmhg / standin.AORTIC_MMHG, np.nan)
        for m, s in zip(case.analysed, case.solutions, strict=True)
    )
    return Findings(
        ffr, tuple(case.analysed), tuple(map(tuple, case.lesions)),
        tuple(map(tuple, case.distal)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def one():
    """A case in which everything was found as it is."""
    case = standin.make_case(spacing_mm=1.6)
    trees, read = tuple(case.coronaries), findings(case)
    left = trees[0]
    own = np.flatnonzero(left.branch == left.names.index("LAD"))
    line = left.tree.points_mm[path_to(left.tree, int(own[-1]))]
    hard = replace(BY_NAME["left-main"], name="easy", title="an easy case")
    return gallery.Shown(
        hard,
        case.scan.volume,
        line,
        np.zeros((0, 3)),
        trees,
        read,
        trees,
        read,
        (),
        "",
        "abc1234",
        "2026-11-22",
    )


def test_a_perfect_result_has_nothing_wrong(one):
    right, wrong = gallery_page.verdict(one)
    assert wrong == []
    assert any(text.startswith("100 % of the centreline") for text in right)
    assert sum("FFR behind it" in text for text in right) == 3


def test_a_missed_tree_and_its_stenosis_are_wrong(one):
    left_only = replace(
        one,
        found=one.found[:1],
        findings=Findings(*(x[:1] for x in vars_of(one.findings))),
    )
    _, wrong = gallery_page.verdict(left_only)
    assert any("missed: " in text and "mm of the RCA" in text for text in wrong)
    assert "the 66 % stenosis of the RCA is not reported" in wrong


def vars_of(found):
    return found.ffr, found.analysed, found.lesions, found.distal


def test_what_lies_on_no_vessel_is_false_and_what_an_occlusion_hides_is_not(one):
    aside = one.found[1]
    moved = replace(aside, tree=replace(aside.tree, points_mm=aside.tree.points_mm + 40.0))
    astray = replace(one, found=(one.found[0], moved))
    false = dict(gallery_page.false_mm(astray))
    assert sum(false.values()) == pytest.approx(segment_length_mm(moved.tree).sum(), rel=0.1)
    assert sum(dict(gallery_page.false_mm(one)).values()) == 0.0
    known = replace(astray, hidden_mm=moved.tree.points_mm)
    assert sum(dict(gallery_page.false_mm(known)).values()) < 1.0


def test_a_warning_that_is_due_counts_only_for_its_vessel(one):
    due = replace(one, case=replace(one.case, expected=("vessel-stump",)))
    other = Flag("vessel-stump", "it ends", Place("right", "RCA", 2, 40.0))
    own = Flag("vessel-stump", "it ends", Place("left", "LAD", 7, 40.0))
    for flags, good in (((), False), ((other,), False), ((other, own), True)):
        right, wrong = gallery_page.verdict(replace(due, flags=flags))
        assert any("warned" in text for text in right) == good
        assert any("is due" in text for text in wrong) == (not good)


def test_ffr_behind_a_narrow_stent_is_wrong_and_none_is_right(one):
    narrow = replace(one, case=replace(one.case, expected=("stent-narrow",)))
    _, wrong = gallery_page.verdict(narrow)
    assert "FFR is given in and behind the narrow stent" in wrong
    left = replace(one.found[0], unreadable=(Unreadable("stent of 2.5 mm", "LAD", 72.0, 90.0),))
    ffr = (np.where(unreadable(left), np.nan, one.findings.ffr[0]), one.findings.ffr[1])
    hidden = replace(
        narrow, found=(left, one.found[1]), findings=replace(one.findings, ffr=ffr)
    )
    right, _ = gallery_page.verdict(hidden)
    assert "no FFR is given in and behind the narrow stent" in right


def test_ffr_behind_a_bridged_occlusion_is_wrong(one):
    closed = replace(one.case, expected=("vessel-occluded",))
    shifted = replace(
        one.found[1],
        tree=replace(one.found[1].tree, points_mm=one.found[1].tree.points_mm + 60.0),
    )
    line = np.vstack([one.course_mm, shifted.tree.points_mm[:60]])
    bridged = replace(one, case=closed, course_mm=line, found=(one.found[0], shifted))
    _, wrong = gallery_page.verdict(bridged)
    assert any("FFR is given behind the occlusion" in text for text in wrong)
    right, _ = gallery_page.verdict(replace(one, case=closed))
    assert "no FFR is given behind the occlusion" in right


def test_a_refused_scan_says_so(one):
    refused = replace(one, found=(), findings=gallery.NOTHING, failure="no heart was found")
    assert gallery_page.verdict(refused) == ([], ["the scan was refused: no heart was found"])
    assert "wrong**: the scan was refused" in gallery_page.page([refused], "about")


def test_the_page_links_to_its_sections_and_pictures(one):
    text = gallery_page.page([one], "`python -m validation gallery`: here.")
    assert "[an easy case](#an-easy-case) | " in text
    assert "\n## An easy case\n" in text
    assert "](gallery/easy.png)" in text
    assert "| LAD | 69 %, 69 | 0.71, 0.71 |" in text
    assert "commit abc1234" in text
    assert "Not run yet; the same command makes them: total occlusion of the mid LAD;" in text
    every = [replace(one, case=case) for case in CASES]
    assert "Not run yet" not in gallery_page.page(every, "here")


def test_a_picture_is_small_and_holds_colour(one, tmp_path):
    flags = (Flag("vessel-stump", "the LAD ends", Place("left", "LAD", 7, 50.0, (0.0, 0, 0))),)
    gallery_pictures.draw(replace(one, flags=flags), tmp_path / "a" / "easy.png")
    path = tmp_path / "a" / "easy.png"
    assert path.stat().st_size < 150_000
    picture = np.asarray(Image.open(path).convert("RGB"), dtype=int)
    assert picture.shape[1] == int(gallery_pictures.WIDE_IN * gallery_pictures.DOTS)
    red, green, blue = np.moveaxis(picture, 2, 0)
    orange = (red > green + 40) & (green > blue + 60)  # found
    sky = (blue > red + 60) & (green > red + 60)  # true
    assert orange.sum() > 300
    assert sky.sum() > 300


def test_the_recipes_hold_what_their_titles_say():
    patient, _ = BY_NAME["occlusion"].make()
    (closed,) = patient.features.occlusions
    assert closed.vessel == "LAD"
    assert closed.length_mm == pytest.approx(10.0, abs=0.6)
    line = course_mm(patient, "LAD")
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    assert steps.max() < 2.5  # on across the gap
    for name, vessel, diameter in (
        ("stent-2-5", "LAD", 2.5), ("stent-thin", "LAD", 2.5), ("stent-3-5", "RCA", 3.5),
    ):  # fmt: skip
        patient, _ = BY_NAME[name].make()
        (stent,) = patient.features.stents
        assert (stent.vessel, stent.diameter_mm) == (vessel, pytest.approx(diameter))
        truth = patient.left if vessel == "LAD" else patient.right
        middle = 0.5 * (stent.wire_start_mm.min(axis=0) + stent.wire_start_mm.max(axis=0))
        near = np.linalg.norm(truth.tree.points_mm - middle, axis=1).min()
        assert near < 4.0
    patient, _ = BY_NAME["lcx-from-right"].make()
    assert "LCx" in patient.right.names
    _, loud = BY_NAME["noise"].make()
    assert (loud.noise_hu, loud.contrast_hu) == (60.0, pytest.approx(322.5))


def test_only_what_is_stale_is_run_again(tmp_path):
    assert gallery.stale(tmp_path, "abc")
    (tmp_path / "found.json").write_text(json.dumps({"code": "abc"}))
    assert not gallery.stale(tmp_path, "abc")
    assert gallery.stale(tmp_path, "abd")
    first, second = (gallery.recipe_hash(BY_NAME[n]) for n in ("noise", "slabs"))
    assert first != second
