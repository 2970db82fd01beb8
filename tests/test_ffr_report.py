"""report.html: asks nobody for anything, says what the result says, hides nothing."""

import base64
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import FillBetweenPolyCollection, LineCollection
from standin import make_case, result_of

from ffr.certainty.confidence import Confidence, Uncertainty
from ffr.flags import Flag
from ffr.report import scene, tree_view
from ffr.report.angles import ANGLES, Angle, screen_axes
from ffr.report.colours import ffr_rgb
from ffr.report.figures import vessel_panel
from ffr.report.html import render_report, save_report
from ffr.report.paths import vessel_paths
from ffr.report.placement import place, summed_area
from ffr.report.scene import Camera, cameras, edge_letters, on_screen, rendered
from ffr.report.shown import Shown
from ffr.report.svg import style
from ffr.results.result import RESEARCH_USE_ONLY, ffr_state
from meshes.arrays import floats, ints

LEFT, POSTERIOR, HEAD = np.eye(3)


def html_of(case, trees=True, confidence=None, **changes):
    """The report; without the picture of the trees where a test does not look at it."""
    spreads = confidence.spreads if confidence else None
    shown = Shown(
        result=result_of(case, spreads=spreads, **changes),
        confidence=confidence,
        scan=case.scan.volume,
        trees=case.coronaries,
        solutions=case.solutions,
        analysed=case.analysed,
        surface=case.surface if trees else None,
        surface_ffr=case.surface_ffr if trees else None,
    )
    return render_report(shown)


@pytest.fixture(scope="module")
def case():
    return make_case(spacing_mm=0.8)


@pytest.fixture(scope="module")
def html(case):
    return html_of(case)


class Page(HTMLParser):
    """Collects addresses, the text of sections, and the cells of tables."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.tags, self.sections, self.tables = [], [], [], []
        self.in_cell = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            self.addresses += [value] if name in ADDRESSES else []
            if name == "style":
                self.addresses += re.findall(r"url\(([^)]*)\)", value)
        if tag == "section":
            self.sections.append("")
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.in_cell = True

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.in_cell = False

    def handle_data(self, data):
        if self.sections:
            self.sections[-1] += data
        if self.in_cell:
            self.tables[-1][-1][-1] += data


ADDRESSES = (
    "src", "href", "xlink:href", "srcset", "action", "formaction", "poster", "data",
    "background", "cite", "manifest", "ping",
)  # fmt: skip


def pictures(html):
    """The text of every embedded figure."""
    found = re.findall(r'"data:image/svg\+xml;base64,([^"]+)"', html)
    return [base64.b64decode(one).decode() for one in found]


def rows_of(html, first_cell):
    table = next(t for t in Page(html).tables if t[0][0] == first_cell)
    head = [cell.strip() for cell in table[0]]
    return [dict(zip(head, [c.strip() for c in row], strict=True)) for row in table[1:]]


def test_nothing_is_asked_of_the_network(html):
    page = Page(html)
    inner = [Page(picture) for picture in pictures(html)]
    assert len(inner) == 4  # trees, LAD, LCx, RCA
    for address in page.addresses + [a for p in inner for a in p.addresses]:
        assert address.startswith(("data:", "#")), address[:80]
    for text in (html, *pictures(html)):
        assert not re.search(r"@import|@font-face|url\((?!#)", text)
        assert "<!DOCTYPE svg" not in text or "SYSTEM" not in text
    assert not {"script", "iframe", "object", "embed", "base"} & set(page.tags)
    assert "default-src 'none'" in html  # and the browser holds it to that


def test_the_statement_is_in_every_section_and_every_picture(html):
    sections = Page(html).sections
    assert len(sections) == 10
    for text in [*sections, *pictures(html)]:
        assert RESEARCH_USE_ONLY in text


def test_the_same_case_makes_the_same_bytes_and_leaves_matplotlib_as_it_was(case, html):
    before = dict(matplotlib.rcParams)
    tree_view._pictures.cache_clear()  # the lumen is drawn again too
    again = html_of(case)
    assert dict(matplotlib.rcParams) == before
    created = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.sub(created, "", again) == re.sub(created, "", html)


def test_the_lesion_table_says_what_the_result_says(case, html):
    result = result_of(case)
    rows = rows_of(html, "#")
    assert len(rows) == len(result.lesions) == 3
    for row, lesion in zip(rows, result.lesions, strict=True):
        assert row["Vessel"] == lesion.vessel
        assert lesion.segment_name in row["Segment"]
        assert row["FFRdistal"] == f"{lesion.ffr_distal:.2f}"
        low, high = lesion.diameter_stenosis_low_percent, lesion.diameter_stenosis_high_percent
        said = f"{lesion.diameter_stenosis_percent:.0f} %{low:.0f}–{high:.0f} %"
        assert row["Diameterstenosis(95 %)"] == said
        assert row["Areastenosis"] == f"{lesion.area_stenosis_percent:.0f} %"
        assert row["Minimaldiameter"] == f"{lesion.minimal_diameter_mm:.1f} mm"
        assert row["Minimalarea"] == f"{lesion.minimal_lumen_area_mm2:.1f} mm²"
        assert row["Healthydiameter"] == f"{lesion.reference_diameter_mm:.1f} mm"
        drop = f"{lesion.delta_ffr:.2f}{lesion.pressure_drop_mmhg:.1f} mmHg"
        assert row["ΔFFRacross"] == drop
        assert row["Readdistal"] == f"{lesion.distance_used_mm:.0f} mm"
    assert [row["State"] for row in rows] == [
        "above 0.80", "0.75 or below", "borderline, 0.76–0.80",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def sure(case):
    """How sure a case is, with numbers that can be known again."""
    spreads, slopes = [], []
    for c, solution, distal in zip(case.coronaries, case.solutions, case.distal, strict=True):
        ffr = solution.pressure_mmhg / solution.pressure_mmhg[0]
        points = np.array([p for p, _ in distal])
        indices = np.tile([0.5, 0.1, 0.25, 0.15, 0.0, 0.0, 0.0, 0.0], (len(points), 1))
        chance = np.clip(5 * (0.9 - ffr), 0, 1)
        spreads.append(
            Uncertainty(ffr - 0.11, np.minimum(ffr + 0.07, 1), chance, points, indices, indices)
        )
        slopes.append(np.tile(np.exp(-0.1 * np.arange(len(c.tree))), (len(points), 1)))
    return Confidence(tuple(spreads), tuple(slopes))


def test_every_value_stands_with_its_interval(case, sure):
    html = html_of(case, trees=False, confidence=sure)
    result = result_of(case, spreads=sure.spreads)
    for row, x in zip(rows_of(html, "#"), result.lesions, strict=True):
        assert row["95 %interval"] == f"{x.ffr_distal - 0.11:.2f}–{x.ffr_distal + 0.07:.2f}"
        assert row["Chance≤ 0.80"].endswith("%")
    lowest = min(x.ffr_distal for x in result.lesions)
    assert f"(95 % interval {lowest - 0.11:.2f}–{lowest + 0.07:.2f})" in html
    shares = rows_of(html, "Lesion")
    assert [row["lumen radius%"] for row in shares] == ["50"] * 3
    assert {row["To be measured better first"] for row in shares} == {"lumen radius"}
    assert any("what FFR of lesion 2 hangs on" in picture for picture in pictures(html))


def test_the_band_on_the_curve_is_the_interval(case, sure):
    result = result_of(case, spreads=sure.spreads)
    args = (result, case.coronaries, case.solutions, case.analysed)
    path = vessel_paths(*args, sure)[0]
    with style():
        axes = vessel_panel(path, case.scan.volume, 120.0).axes
    filled = [c for c in axes[4].collections if isinstance(c, FillBetweenPolyCollection)]
    edge = filled[0].get_paths()[0].vertices
    known = np.isfinite(path.ffr)
    assert edge[:, 1].min() == pytest.approx(path.ffr_low[known].min())
    assert axes[4].get_ylim()[0] <= edge[:, 1].min()
    assert axes[5].get_ylabel() == "decides"
    without = vessel_paths(*args)[0]
    assert np.isnan(without.ffr_low).all()
    assert without.decided == ""


def test_a_report_without_an_interval_says_so(html):
    assert {row["95 %interval"] for row in rows_of(html, "#")} == {"not computed"}
    assert "What the interval comes from" not in html


def test_the_summary_leads_with_the_lowest_value_and_counts(html):
    summary = next(s for s in Page(html).sections if s.startswith("\n  Summary"))
    assert "2 of 3 lesions with FFR 0.80 or below" in summary
    assert summary.index("mid LAD") < summary.index("mid RCA") < summary.index("proximal LCx")


def test_warnings_are_shown_and_cannot_write_into_the_page(case):
    sly = Flag("noise-strong", "<script>alert(1)</script> noise 48 HU")
    html = html_of(case, trees=False, flags=(sly,))
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; noise 48 HU" in html
    assert "Warnings (1)" in html
    assert "No warning was raised." in html_of(case, trees=False, flags=())


def test_assumed_values_are_told_from_given_ones(html):
    status = {row["Quantity"]: row["Status"] for row in rows_of(html, "Quantity")}
    assert status["cuff pressure"] == status["LV mass"] == "given or measured"
    assert status["haematocrit"] == status["hyperaemic resistance"] == "assumed"


def test_segments_below_the_modelled_size_have_words_instead_of_numbers(case, html):
    lines = next(t for t in Page(html).tables if "Inlet pressure" in "".join(t[0]))[1:]
    small = [row for row in lines if "not analysed" in "".join(row)]
    assert len(small) == sum(not x.analysed for x in result_of(case).segments) > 0
    for row in small:
        assert row[3:] == ["not analysed: lumen below the modelled size"]


def test_the_figures_name_vessels_lesions_readings_and_take_offs(html):
    trees, lad, lcx, rca = pictures(html)
    for name in ("LAO 45°", "AP cranial 35°", "RAO 30°", "R-PDA", "OM1", "0.75", "0.80"):
        assert f"<!-- {name} -->" in trees
    assert "<!-- 2  ● 0.71 -->" in trees
    for text in (
        "lesion 2 · 69 % DS",
        "0.71  20 mm distal",
        "D1",
        "LCx",
        "proximal LAD",
        "90°",
    ):
        assert text in lad
    assert "lesion 3" in rca
    assert "lesion 1" in lcx
    assert "lesion 2" not in lcx


def test_a_healthy_case_says_so(case):
    healthy = replace(case, lesions=[[], []], distal=[[], []])
    html = html_of(healthy, trees=False)
    assert "No flow-limiting lesion was found" in html
    assert "No lesion of 25 % or more was found in the analysed vessels." in html
    assert len(pictures(html)) == 3


def test_when_nothing_is_analysed_no_ffr_appears_anywhere(case):
    nothing = replace(
        case,
        analysed=[m & False for m in case.analysed],
        surface_ffr=np.full(len(case.surface_ffr), np.nan),
    )
    html = html_of(nothing)
    assert "No vessel could be analysed: narrower than 1.5 mm (LM, " in html
    for row in rows_of(html, "#"):
        assert row["FFRdistal"] == "not analysed"
        assert row["State"].startswith("not analysed")
    trees, *panels = pictures(html)
    assert "n/a" in trees
    for panel in panels:
        assert "mm distal" not in panel
        assert "analysed" in panel


def test_a_missing_right_tree_is_said_and_not_drawn(case):
    left = make_case(spacing_mm=2.0, right=False)
    html = html_of(left, trees=False)
    assert "no vessel of this name was found" in html
    assert "right coronary tree" in html
    assert len(pictures(html)) == 2


def test_without_a_surface_the_report_still_reads(case):
    html = html_of(case, trees=False)
    assert "No lumen surface is available" in html


def test_a_long_list_of_lesions_fits_and_stays_small():
    many = [("LAD", 8.0 + 9 * k, 1.2, 0.3 + 0.03 * k) for k in range(6)]
    many += [("LM", 14.0, 2.0, 0.4), ("OM1", 20.0, 2.0, 0.6), ("D1", 12.0, 1.5, 0.5)]
    case = make_case(tuple(many), (), spacing_mm=0.8)
    html = html_of(case)
    rows, result = rows_of(html, "#"), result_of(case)
    assert len(rows) == 9
    for row, lesion in zip(rows, result.lesions, strict=True):
        short = lesion.distance_used_mm < 19
        assert row["Readdistal"].startswith(f"{lesion.distance_used_mm:.0f} mm")
        assert ("analysed vessel ends" in row["Readdistal"]) == short
    assert any(x.distance_used_mm < 19 for x in result.lesions)
    # left main lies on the way to the LAD; D1 and OM1 need panels of their own
    names = re.findall(r'<div class="line"><h3>([^<]*)</h3>', html)
    assert names[:3] == ["LAD", "LCx", "RCA"]
    assert sorted(names[3:]) == ["D1", "OM1"]
    assert re.search(r"beyond lesion \d", html)
    assert len(html) < 6e6


def test_saving_replaces_the_old_report_as_a_whole(tmp_path, html):
    path = tmp_path / "report.html"
    path.write_text("old")
    save_report(path, html)
    assert path.read_text(encoding="utf-8") == html
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_the_report_needs_no_opengl_and_no_pyplot():
    code = (
        "import sys, ffr.report;"
        "bad = {'vtk', 'vtkmodules', 'pyvista', 'matplotlib.pyplot'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


# vessel panels


@pytest.fixture(scope="module")
def panel(case):
    path = vessel_paths(result_of(case), case.coronaries, case.solutions, case.analysed)[0]
    with style():
        figure = vessel_panel(path, case.scan.volume, 120.0)
        figure.canvas.draw()
    return path, figure


def test_all_rows_of_a_panel_share_one_axis(panel):
    _, figure = panel
    assert len(figure.axes) == 7
    for axes in figure.axes:
        assert axes.get_xlim() == (0, 120.0)
        box, first = axes.get_position(), figure.axes[0].get_position()
        assert (box.x0, box.x1) == pytest.approx((first.x0, first.x1), abs=1e-12)


def test_the_image_is_true_to_scale_and_its_columns_lie_at_their_s(panel):
    path, figure = panel
    for axes in figure.axes[1:3]:
        (image,) = axes.images
        left, right, bottom, top = image.get_extent()
        rows, columns = image.get_array().shape
        assert left == pytest.approx(-0.1)  # the first column's centre is s = 0
        assert (right - left) / columns == pytest.approx(0.2, rel=1e-9)
        assert (top - bottom) / rows == pytest.approx(0.2, rel=1e-9)
        assert right == pytest.approx(path.s_mm[-1], abs=0.3)
        box = axes.get_window_extent()
        per_mm = box.width / 120.0, box.height / np.ptp(axes.get_ylim())
        assert per_mm[0] == pytest.approx(per_mm[1], rel=1e-9)


def test_the_lumen_in_the_image_is_where_the_contour_and_the_lesion_say(panel):
    path, figure = panel
    lesion = next(x for x in path.lesions if x.vessel == "LAD")
    image = np.asarray(figure.axes[1].images[0].get_array())
    s = 0.2 * np.arange(image.shape[1])
    middle = image[25:36]  # within 1 mm of the centreline
    near = np.abs(s - lesion.position_mm) < 12
    darkest = s[near][np.argmin(np.convolve(middle.mean(axis=0), np.ones(9) / 9, "same")[near])]
    assert darkest == pytest.approx(lesion.position_mm, abs=1.5)
    # half the step from lumen to fat, well away from other structures
    column = image[:, np.argmin(np.abs(s - 50.0))]
    width = 0.2 * (column > 150).sum()
    assert width == pytest.approx(2 * np.interp(50.0, path.s_mm, path.radius_mm), abs=0.6)


def test_the_curve_ends_where_the_analysis_ends(case):
    mask = case.analysed[0].copy()
    s_end = 70.0
    path = vessel_paths(result_of(case), case.coronaries, case.solutions, case.analysed)[0]
    mask[path.points[path.s_mm > s_end]] = False
    cut = replace(case, analysed=[mask, case.analysed[1]])
    path = vessel_paths(result_of(cut), cut.coronaries, cut.solutions, cut.analysed)[0]
    assert np.isnan(path.ffr[path.s_mm > s_end]).all()
    with style():
        figure = vessel_panel(path, case.scan.volume, 120.0)
    (pieces,) = (c for c in figure.axes[4].collections if isinstance(c, LineCollection))
    assert max(p[:, 0].max() for p in pieces.get_segments()) <= s_end


def test_stretches_and_takeoffs_follow_the_anatomy(case):
    lad, lcx, _ = vessel_paths(result_of(case), case.coronaries, case.solutions, case.analysed)
    assert [n for n, *_ in lad.stretches] == [
        "left main", "proximal LAD", "mid LAD", "distal LAD",
    ]  # fmt: skip
    assert [end for _, _, end in lad.stretches[:-1]] == [s for _, s, _ in lad.stretches[1:]]
    assert [name for name, _ in sorted(lad.takeoffs, key=lambda x: x[1])] == ["LCx", "D1", "D2"]
    fork = dict(lad.takeoffs)["LCx"]
    assert fork == dict(lcx.takeoffs)["LAD"] == lad.stretches[0][2]


# the scene


def test_angles_say_where_the_receptor_stands():
    right, up, towards = screen_axes(Angle("AP", 0.0, 0.0))
    np.testing.assert_allclose([right, up, towards], [LEFT, HEAD, -POSTERIOR], atol=1e-15)
    _, _, towards = screen_axes(Angle("LAO 90", np.pi / 2, 0.0))
    np.testing.assert_allclose(towards, LEFT, atol=1e-15)
    _, _, towards = screen_axes(Angle("cranial 90", 0.0, np.pi / 2))
    np.testing.assert_allclose(towards, HEAD, atol=1e-15)
    # in LAO the spine is on the right of the picture, in RAO on the left
    assert screen_axes(ANGLES[0])[0] @ POSTERIOR > 0.7
    assert screen_axes(ANGLES[2])[0] @ POSTERIOR < -0.4
    for angle in ANGLES:
        np.testing.assert_allclose(np.linalg.det(screen_axes(angle)), 1.0, atol=1e-12)


def test_edges_are_lettered_with_the_patient_directions():
    assert edge_letters(screen_axes(Angle("AP", 0.0, 0.0))) == ("R", "L", "H", "F")
    assert edge_letters(screen_axes(ANGLES[2]))[:2] == ("RP", "LA")
    assert edge_letters(screen_axes(ANGLES[1]))[2] == "HP"


def sphere(centre, radius, n=60):
    u, v = np.meshgrid(
        np.linspace(0, np.pi, n), np.linspace(0, 2 * np.pi, 2 * n), indexing="ij"
    )
    points = np.stack([np.sin(u) * np.cos(v), np.sin(u) * np.sin(v), np.cos(u)], axis=-1)
    i = np.arange(n * 2 * n).reshape(n, 2 * n)
    a, b, c, d = i[:-1, :-1], i[1:, :-1], i[1:, 1:], i[:-1, 1:]
    quads = [np.stack([a, b, c], -1), np.stack([a, c, d], -1)]
    triangles = np.concatenate([q.reshape(-1, 3) for q in quads])
    return centre + radius * points.reshape(-1, 3), triangles


def camera(pixels=200, scale=10.0):
    return Camera(
        screen_axes(Angle("AP", 0.0, 0.0)), floats(np.zeros(3)), scale, pixels, pixels
    )


def test_a_sphere_covers_its_disc_and_stands_where_it_is():
    points, triangles = sphere(np.array([3.0, 0.0, -2.0]), 4.0)
    _, covered = rendered(camera(), points, triangles, np.full(len(points), 0.9))
    assert covered.sum() / 100 == pytest.approx(np.pi * 16, rel=0.005)
    rows, columns = np.indices(covered.shape) + 0.5
    # patient left is on the right of the picture, feet are down
    assert (covered * columns).sum() / covered.sum() == pytest.approx(100 + 30, abs=0.1)
    assert (covered * rows).sum() / covered.sum() == pytest.approx(100 + 20, abs=0.1)


def test_what_is_nearer_hides_what_is_behind_in_any_order():
    near, triangles = sphere(np.array([0.0, -6.0, 0.0]), 2.0)
    far, _ = sphere(np.array([0.0, 6.0, 0.0]), 4.0)
    values = np.repeat([0.6, 0.95], len(near))
    both = np.concatenate([triangles, triangles + len(near)])
    for faces in (both, both[::-1]):
        picture, _ = rendered(camera(), np.concatenate([near, far]), faces, values)
        middle, beside = picture[100, 100, :3].astype(int), picture[100, 130, :3].astype(int)
        assert middle[0] > middle[2] + 40  # low FFR, brown
        assert beside[2] > beside[0] + 20  # high FFR, blue


@pytest.mark.parametrize("middle_mm", [0.0, 6.5, 8.0])  # far from, near, beyond the border
def test_what_lies_around_the_surface_changes_no_pixel_of_it(middle_mm, monkeypatch):
    near, triangles = sphere(np.array([middle_mm, -6.0, 0.0]), 1.5)
    far, _ = sphere(np.array([middle_mm, 6.0, 0.0]), 3.0)
    faces = np.concatenate([triangles, triangles + len(near)])
    seen = (camera(), np.concatenate([near, far]), faces, np.repeat([0.6, 0.95], len(near)))
    picture, covered = rendered(*seen)
    monkeypatch.setattr(scene, "_span", lambda lines, _: slice(0, lines.size))  # all of it
    whole, all_covered = rendered(*seen)
    np.testing.assert_array_equal(picture, whole)
    np.testing.assert_array_equal(covered, all_covered)
    assert covered.any()


def test_what_was_not_analysed_is_grey():
    points, triangles = sphere(np.zeros(3), 4.0)
    picture, covered = rendered(camera(), points, triangles, np.full(len(points), np.nan))
    seen = picture[covered > 0.99][:, :3].astype(int)
    assert np.ptp(seen, axis=1).max() < 25
    assert (picture[..., 3] == np.round(covered * 255)).mean() > 0.999


def test_the_standard_cameras_see_everything_at_one_scale():
    points = np.random.default_rng(1).normal(0, 30, (500, 3)) * [1, 1, 2]
    views = cameras(points, 300)
    assert len({v.pixels_per_mm for v in views}) == 1
    for view in views:
        seen = on_screen(view, points)[:, :2]
        assert seen.min() >= 0
        assert seen.max() <= 300


def test_colours_break_where_the_printed_state_changes_and_darken_with_falling_ffr():
    ffr = np.linspace(0.5001, 0.9999, 1777)  # no point on a break
    rgb = ffr_rgb(ffr)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    assert np.all(np.diff(luminance) > 0)  # readable in grey print
    within = np.array([ffr_state(a) == ffr_state(b) for a, b in pairwise(ffr)])
    jumps = np.abs(np.diff(rgb, axis=0)).max(axis=1)
    assert np.flatnonzero(jumps > 0.1).tolist() == np.flatnonzero(~within).tolist()
    assert np.ptp(ffr_rgb(np.array([np.nan]))) < 0.1
    np.testing.assert_array_equal(ffr_rgb(np.array([0.1, 1.2])), ffr_rgb(np.array([0.5, 1.0])))


def test_labels_avoid_the_drawing_and_each_other():
    covered = np.zeros((300, 300))
    covered[140:160, :] = 1.0
    drawn, taken = summed_area(covered), []
    for _ in range(6):
        taken.append(place(drawn, taken, (150.0, 150.0), 60, 20))
    for k, (left, top, right, bottom) in enumerate(taken):
        assert 0 <= left < right <= 300
        assert bottom <= 140 or top >= 160
        for lo, to, ri, bo in taken[:k]:
            assert right <= lo or ri <= left or bottom <= to or bo <= top


def test_a_lumen_is_drawn_once_for_screen_and_paper_but_another_ffr_anew(monkeypatch):
    drawn = []
    monkeypatch.setattr(tree_view, "rendered", lambda *asked: (drawn.append(asked), drawn[-1]))
    points, triangles = sphere(np.zeros(3), 4.0)
    place, faces, one = floats(points), ints(triangles), floats(np.full(len(points), 0.9))

    def pictures(ffr):
        return tree_view._pictures(tree_view._Same((place, faces, ffr)))

    assert pictures(one) is pictures(one)
    assert len(drawn) == 3
    other = floats(np.full(len(points), 0.7))
    pictures(other)
    assert drawn[-1][3] is other
    assert len(drawn) == 6
    open_to_change = np.array(one)
    assert pictures(open_to_change) is not pictures(open_to_change)
