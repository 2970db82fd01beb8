"""Strangers' chests: what is painted is what is told, and the table says it."""

import numpy as np
import pytest

from meshes.stenosis import find_lesions
from validation.agreement import Course
from validation.stranger import table
from validation.stranger_body import Artery, Body, body_of, ellipsoid, true_trees
from validation.stranger_case import PEOPLE, SCANS, StrangerCase
from validation.stranger_scanner import Look, scanned


@pytest.fixture(scope="module")
def body():
    return body_of(PEOPLE["left dominant, turned"])


def test_the_true_trees_are_the_arteries_that_were_drawn(body):
    left, right = true_trees(body)
    assert "L-PDA" in left.names
    assert "R-PDA" not in right.names
    found = {
        left.names[left.branch[x.throat]]: x.diameter_stenosis_percent
        for x in find_lesions(left.tree, left.reference_radius_mm)
    }
    assert found == {"LM": pytest.approx(45, abs=3), "LCx": pytest.approx(60, abs=3)}


def test_arteries_begin_at_the_aorta_and_run_outside_of_chambers(body):
    organs = dict(body.organs)
    for tree in true_trees(body):
        assert 0 <= organs["aorta"](tree.tree.points_mm[:1])[0] < 1.0
        for name in ("aorta", "pa", "lv", "rv", "ra"):
            assert organs[name](tree.tree.points_mm[8:]).min() > 0, (tree.side, name)


@pytest.mark.parametrize("radius_mm", [0.7, 1.6])
def test_a_lumen_is_as_large_in_the_picture_as_it_is_told(radius_mm):
    z = np.arange(-20.0, 20.0, 0.5)
    line = np.column_stack([0.1 * z, 0.05 * z, z])
    r = np.full(len(z), radius_mm)
    around = ("body", ellipsoid((0, 0, 0), (900, 900, 900)))
    aorta = ("aorta", ellipsoid((0, -500, 0), (5, 5, 5)))
    look = Look(
        "bare",
        slices=12,
        noise_hu=0.0,
        blood_hu=445.0,
        fade_1_mm=0.0,
        texture_hu=0.0,
        plain=True,
    )
    hu = scanned(Body((around, aorta), (Artery("RCA", line, r, r),)), look, 0).values[6]
    area_mm2 = (hu - 45.0).sum() * look.pixel_mm**2 / 400.0
    slant = np.sqrt(1 + 0.1**2 + 0.05**2)
    assert area_mm2 == pytest.approx(np.pi * radius_mm**2 * slant, rel=0.04)


def test_the_table_tells_refusals_and_counts_the_rest():
    good = StrangerCase(
        "a / b", course=Course(100.0, 90.0, 100.0, 90.0, 10.0, named_mm=45.0),
        ostium_mm=(("left", 0.5), ("right", None)),
        diameter_mm=((2.0, 2.1), (2.0, 2.3)), mass_g=(110.0, 100.0),
    )  # fmt: skip
    refused = StrangerCase("c / d", refused="heart-missing: no heart")
    rows = list(table([good, refused]))
    assert "| a / b | 0.900 | 10.0 | 0.5, - | 50 | +0.200 ± 0.100 |" in rows[2]
    assert "refused: heart-missing: no heart" in rows[3]
    assert rows[4].startswith("| **all** | 0.900 |")
    (lost,) = list(table([StrangerCase("e / f", course=Course(100.0), mass_g=(1.0, 1.0))]))[2:3]
    assert lost == "| e / f | 0.000 | 0.0 |  | 0 | - |  |  | +0 |  |"  # warnings are errors


def test_every_scan_is_of_a_known_person():
    assert len(set(SCANS)) == 8
    assert {person for person, _ in SCANS} == set(PEOPLE)
