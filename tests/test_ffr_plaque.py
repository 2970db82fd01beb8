"""Plaque and fat: exact tubes, thresholds, bulges, collars; the block in result and report."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import report_cases
import run_folder
import standin

from ffr import workflow
from ffr.plaque.block import amounts, plaque_and_fat
from ffr.plaque.fat import fat_around
from ffr.plaque.remodelling import remodelling_index
from ffr.plaque.wall import wall_volumes
from ffr.report.content import report_content
from ffr.report.html import render_report
from ffr.report.plaque_page import plaque_page
from ffr.report.plaque_words import TITLE, plaque_words
from ffr.report.svg import paper_style
from ffr.results import stage_data, stages
from ffr.results.result import Result
from ffr.results.result_file import load_result, save_result
from ffr.results.result_folder import prepare
from ffr.segmentation.stacks import RADII_MM
from ffr.segmentation.walls import outside_fat
from meshes.arrays import floats
from meshes.contours import Contours
from meshes.errors import GeometryError
from meshes.stenosis import find_lesions
from meshes.tree import CoronaryTree, VesselTree
from meshes.volume import Volume, axis_aligned_grid

BLOOD_HU, FAT_HU, RAYS = 430.0, -85.0, 32
LUMEN_MM, OUTER_MM, LONG_MM = 1.5, 2.6, 60.0


def tube(lumen_mm=LUMEN_MM, outer_mm=OUTER_MM, name="RCA", segment=1):
    """A straight vessel along z with round walls; radii may be given point by point."""
    n = int(LONG_MM / 0.5) + 1
    z = np.arange(n) * 0.5
    points = np.column_stack([np.zeros(n), np.zeros(n), z])
    lumen, outer = np.broadcast_to(lumen_mm, n), np.broadcast_to(outer_mm, n)
    x, y = np.tile([1.0, 0, 0], (n, 1)), np.tile([0, 1.0, 0], (n, 1))
    tree = VesselTree(points, floats(lumen), np.arange(-1, n - 1))
    none = np.zeros(n, dtype=np.int64)
    return CoronaryTree(
        tree, "right", np.full(n, 0.1), np.full(n, LUMEN_MM), none, (name,), none + segment,
        Contours(np.repeat(lumen[:, None], RAYS, axis=1), x, y), (),
        Contours(np.repeat(outer[:, None], RAYS, axis=1), x, y),
    )  # fmt: skip


def painted(wall, fat=FAT_HU, blur_mm=0.0, lumen_mm=LUMEN_MM, outer_mm=OUTER_MM):
    """A scan of the tube; `wall` gives HU by angle, `fat` by distance from the axis."""
    step = (0.2, 0.2, 0.5)
    grid = axis_aligned_grid((121, 121, 123), step, (-12.0, -12.0, -0.5))
    y, x = np.meshgrid(*(np.arange(121) * 0.2 - 12.0,) * 2, indexing="ij")
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    hu = np.full(r.shape, fat) if np.isscalar(fat) else fat(r)
    hu = np.where(r < outer_mm, wall(angle) if callable(wall) else wall, hu)
    hu = np.where(r < lumen_mm, BLOOD_HU, hu)
    if blur_mm:
        from scipy.ndimage import gaussian_filter

        hu = gaussian_filter(hu, blur_mm / 2.355 / 0.2)
    return Volume(grid, np.repeat(np.rint(hu).astype(np.int16)[None], 123, axis=0))


def everywhere(c):
    return np.ones(len(c.tree), dtype=bool)


def totals(volume, c):
    return SimpleNamespace(**amounts(wall_volumes(volume, c), everywhere(c)))


def test_volumes_of_a_concentric_tube_are_exact():
    found = totals(painted(80.0), tube())
    vessel, lumen = (np.pi * r**2 * LONG_MM for r in (OUTER_MM, LUMEN_MM))
    assert found.vessel_mm3 == pytest.approx(vessel, rel=1e-4)
    assert found.lumen_mm3 == pytest.approx(lumen, rel=1e-4)
    assert found.plaque_mm3 == pytest.approx(vessel - lumen, rel=1e-4)
    assert found.burden_percent == pytest.approx(100 * (1 - lumen / vessel), abs=0.1)
    assert found.length_mm == LONG_MM


@pytest.mark.parametrize(
    ("wall_hu", "kind"),
    [(-10.0, "low"), (29.0, "low"), (31.0, "soft"), (200.0, "soft"), (349.0, "soft"),
     (351.0, "hard"), (900.0, "hard")],
)  # fmt: skip
def test_classes_follow_the_thresholds(wall_hu, kind):
    found = totals(painted(wall_hu), tube())
    expected = {
        "low": (0.0, found.plaque_mm3, found.plaque_mm3),
        "soft": (0.0, found.plaque_mm3, 0.0),
        "hard": (found.plaque_mm3, 0.0, 0.0),
    }[kind]
    got = (found.calcified_mm3, found.non_calcified_mm3, found.low_attenuation_mm3)
    assert got == pytest.approx(expected, abs=0.02)


def test_parts_of_a_wall_share_it_by_their_arcs():
    def wall(angle):
        return np.where(angle < -np.pi / 2, 900.0, np.where(angle < 0, 10.0, 120.0))

    found = totals(painted(wall), tube())
    for part in (found.calcified_mm3, found.low_attenuation_mm3):
        assert part / found.plaque_mm3 == pytest.approx(0.25, abs=0.04)  # voxels between


def test_blur_from_blood_and_fat_makes_no_calcium_and_no_low_attenuation():
    found = totals(painted(110.0, blur_mm=0.65), tube())
    assert found.calcified_mm3 == 0.0
    assert found.low_attenuation_mm3 == 0.0


def test_fat_beside_a_thin_healthy_wall_is_not_low_attenuation():
    c = tube(outer_mm=2.05)
    found = totals(painted(60.0, blur_mm=0.65, outer_mm=LUMEN_MM), c)  # fat in its middle
    assert found.low_attenuation_mm3 == 0.0
    assert found.plaque_mm3 == pytest.approx(np.pi * (2.05**2 - 1.5**2) * LONG_MM, rel=1e-3)


def test_a_section_without_a_wall_in_sight_holds_no_plaque():
    c = tube(outer_mm=LUMEN_MM)
    found = plaque_and_fat(painted(80.0), [c], [everywhere(c)], [()])
    assert found.segments == ()


def bulging(height):
    s = np.arange(121) * 0.5
    bell = np.exp(-0.5 * ((s - 30.0) / 3.0) ** 2)
    wide = OUTER_MM * (1 + height * np.where(np.abs(s - 30) < 2.1, 1.0, 0.0))
    return tube(lumen_mm=LUMEN_MM * (1 - 0.5 * bell), outer_mm=wide)


@pytest.mark.parametrize("height", [0.25, 0.0, -0.15])
def test_remodelling_index_is_that_of_the_bulge(height):
    c = bulging(height)
    lesions = find_lesions(c.tree, c.reference_radius_mm)
    assert len(lesions) == 1
    assert remodelling_index(c, lesions[0], lesions) == pytest.approx(1 + height, abs=1e-6)
    block = plaque_and_fat(painted(80.0), [c], [everywhere(c)], [lesions])
    (row,) = block.lesions
    assert row.lesion == 1
    assert row.remodelling_index == pytest.approx(1 + height)
    assert row.positive_remodelling is (height >= 0.1)


def test_without_a_normal_neighbour_there_is_no_remodelling_index():
    c = dataclasses.replace(bulging(0.2), walls=bulging(0.2).contours)
    lesions = find_lesions(c.tree, c.reference_radius_mm)
    assert remodelling_index(c, lesions[0], lesions) is None


def test_fat_attenuation_is_that_of_the_collar_of_one_vessel_diameter():
    reach = 3.0 * OUTER_MM

    def fat(r):  # water-like beyond the collar, muscle inside a part of the window
        return np.where(r < reach, FAT_HU, -150.0)

    c = tube()
    (found,) = fat_around(painted(80.0, fat), [c], [everywhere(c)])
    assert (found.vessel, found.from_mm, found.to_mm) == ("RCA", 10.0, 50.0)
    assert found.attenuation_hu == pytest.approx(FAT_HU, abs=1.0)
    ring = np.pi * (reach**2 - OUTER_MM**2) * 40.5
    assert found.fat_mm3 == pytest.approx(ring, rel=0.03)


def test_what_is_not_fat_is_left_out_of_the_mean():
    def fat(r):
        return np.select([r < 4.0, r < 5.0], [FAT_HU, 100.0], -60.0)

    c = tube(name="LAD")
    (found,) = fat_around(painted(80.0, fat), [c], [everywhere(c)])
    assert (found.from_mm, found.to_mm) == (0.0, 40.0)
    inner, rest = 4.0**2 - OUTER_MM**2, (3 * OUTER_MM) ** 2 - 5.0**2
    mean = (FAT_HU * inner - 60.0 * rest) / (inner + rest)
    assert found.attenuation_hu == pytest.approx(mean, abs=1.5)


def test_a_short_piece_has_no_fat_attenuation_but_a_reason():
    c = tube()
    only = np.arange(len(c.tree)) < 40
    (found,) = fat_around(painted(80.0), [c], [only])
    assert found.attenuation_hu is None
    assert "half" in found.reason


def test_without_outer_walls_there_is_no_block():
    c = dataclasses.replace(tube(), walls=None)
    assert plaque_and_fat(painted(80.0), [c], [everywhere(c)], [()]) is None
    with pytest.raises(GeometryError, match="outer wall"):
        wall_volumes(painted(80.0), c)


def test_the_wall_ends_where_fat_begins_and_stays_where_none_is():
    lumen, wall_mm = np.full((20, RAYS), 1.5), 2.2
    hu = np.full((20, RAYS, len(RADII_MM)), 60.0)
    hu[..., RADII_MM < 1.5] = BLOOD_HU
    told = np.full((20, RAYS), 3.9)
    np.testing.assert_array_equal(outside_fat(told, lumen, hu), told)
    hu[:, :16, wall_mm < RADII_MM] = FAT_HU  # on half of the rays
    found = outside_fat(told, lumen, hu)
    np.testing.assert_allclose(found[:, 2:14], wall_mm, atol=0.15)
    np.testing.assert_array_equal(found[:, 18:30], 3.9)
    np.testing.assert_array_equal(outside_fat(np.full_like(told, 1.9), lumen, hu), 1.9)


def test_walls_must_fit_the_tree():
    c = tube()
    short = Contours(*(getattr(c.walls, x)[:-1] for x in stage_data.CONTOURS))
    with pytest.raises(GeometryError, match="120 walls, the tree has 121"):
        dataclasses.replace(c, walls=short)


def walled(c, thickness_mm=0.9):
    """A tree of the stand-in patient with a round lumen and an even wall."""
    n = len(c.tree)
    tangent = np.gradient(c.tree.points_mm, axis=0)
    helper = np.eye(3)[np.argmin(np.abs(tangent), axis=1)]
    x = np.cross(tangent, helper)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y = np.cross(tangent, x)
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    lumen = np.repeat(c.tree.radius_mm[:, None], 8, axis=1)
    grown = lumen + thickness_mm * (1 + 0.1 * np.sin(np.arange(n)))[:, None]
    return dataclasses.replace(c, contours=Contours(lumen, x, y), walls=Contours(grown, x, y))


def test_walls_survive_the_tree_stage_bit_for_bit(tmp_path):
    prepare(tmp_path / "out")
    trees = tuple(walled(c) for c in run_folder.case().trees)
    with stages.stage_files(tmp_path / "out", "tree") as folder:
        stage_data.save_trees(folder, trees, (), {})
    back, _ = stage_data.load_trees(tmp_path / "out")
    for was, now in zip(trees, back, strict=True):
        for name in stage_data.CONTOURS:
            np.testing.assert_array_equal(getattr(now.walls, name), getattr(was.walls, name))


def test_a_tree_stage_without_walls_is_read(tmp_path):
    prepare(tmp_path / "out")
    with stages.stage_files(tmp_path / "out", "tree") as folder:
        stage_data.save_trees(folder, run_folder.case().trees, (), {})
    assert all(c.walls is None for c in stage_data.load_trees(tmp_path / "out")[0])


@pytest.fixture(scope="module")
def shown():
    """The report's patient with one lesion, with walls and without."""
    case = report_cases.case_of("single")
    bare = report_cases.shown_of(case)
    trees = [walled(c) for c in case.coronaries]
    block = plaque_and_fat(case.scan.volume, trees, case.analysed, case.lesions, 120.0)
    return bare, dataclasses.replace(
        bare, result=bare.result.model_copy(update={"plaque_and_fat": block})
    )


def test_the_block_changes_no_other_part_of_the_result(shown, tmp_path):
    bare, full = shown
    assert bare.result.plaque_and_fat is None
    save_result(tmp_path / "result.json", full.result)
    back = load_result(tmp_path / "result.json")
    assert back == Result.model_validate(full.result.model_dump())
    for name in Result.model_fields:
        if name != "plaque_and_fat":
            assert getattr(back, name) == getattr(bare.result, name)
    assert "P (plaque burden)" in " ".join(back.suggested_cad_rads.not_assessed)


def test_segments_add_up_and_every_lesion_has_a_row(shown):
    block = shown[1].result.plaque_and_fat
    assert {x.segment for x in block.segments} >= {1, 5, 6, 7, 11}
    assert [x.lesion for x in block.lesions] == [x.id for x in shown[1].result.lesions]
    for x in (*block.segments, *block.lesions):
        assert x.plaque_mm3 == pytest.approx(x.calcified_mm3 + x.non_calcified_mm3, abs=0.02)
        assert x.plaque_mm3 == pytest.approx(x.vessel_mm3 - x.lumen_mm3, abs=0.05)
        assert x.low_attenuation_mm3 <= x.non_calcified_mm3
    assert {x.vessel for x in block.fat} == {"RCA", "LAD", "LCx"}


def test_the_report_marks_the_table_as_research_grade(shown, monkeypatch):
    for picture in ("vessel_figure", "tree_figure"):
        monkeypatch.setattr(f"ffr.report.html.{picture}", lambda *_: "")
    bare, full = shown
    said = plaque_words(full.result)
    assert "not validated on people" in TITLE
    html = render_report(full)
    assert TITLE in html
    assert f'<td class="strong">{said.rows[0][0]}</td>' in html
    assert "no cut-off" in html
    assert TITLE not in render_report(bare)
    content = report_content(full.result, full.paths(), full.trees)
    assert content.plaque == said
    with paper_style():
        page = plaque_page(said, content.made, (4, 4))
    printed = " ".join(x.get_text() for x in page.texts)
    for x in (TITLE, "Research use only", said.rows[-1][0], "no cut-off"):
        assert x in printed


def test_a_run_measures_plaque_where_a_scan_and_walls_are_there():
    case = standin.make_case(spacing_mm=0.9)
    trees = tuple(walled(c) for c in case.coronaries)
    findings = SimpleNamespace(analysed=case.analysed, lesions=case.lesions)
    result = standin.result_of(case)
    found = workflow._with_plaque(result, case.scan, trees, findings)
    assert found.plaque_and_fat.tube_voltage_kvp == case.scan.tube_voltage_kvp
    assert found.model_copy(update={"plaque_and_fat": None}) == result
    mask = dataclasses.replace(case.scan, source="mask")
    assert workflow._with_plaque(result, mask, trees, findings) == result
    bare = tuple(case.coronaries)
    assert workflow._with_plaque(result, case.scan, bare, findings) == result
