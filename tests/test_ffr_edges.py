"""Odd trees and odd numbers, as a user meets them: one clear line, or a defined answer."""

import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import pyvista
import run_folder
import standin
from command_line import ffr, refused
from rich.console import Console

from ffr import pipeline, show
from ffr.centreline import SolveSettings, solve_centreline
from ffr.circulation.patient import Patient
from meshes.errors import GeometryError
from meshes.tree import path_length_mm
from solvers.occlusion import occluded

SOLVERS = ("resolved", "lumped")
TRUNK, LIMB = 10, 10  # points; the outlets are the points 19 and 29
X, RADIUS, PARENT = 1, 4, 5  # columns of a row


def fork():
    """Rows of an .swc file: a trunk of 18 mm and two limbs of 20 mm, 2 mm between points."""
    rows = [[k + 1, 2.0 * k, 0.0, 0.0, 1.5, k or -1] for k in range(TRUNK)]
    for slope in (0.6, -0.6):
        for k in range(1, LIMB + 1):
            up = TRUNK if k == 1 else len(rows)
            rows.append([len(rows) + 1, 18 + 1.6 * k, 2 * slope * k, 0.0, 1.2, up])
    return rows


def swc(rows):
    return "".join(f"{i} 0 {x} {y} {z} {r} {p}\n" for i, x, y, z, r, p in rows)


def changed(*changes):
    """The fork with some (row, column, value) changed."""
    rows = fork()
    for row, column, value in changes:
        rows[row][column] = value
    return swc(rows)


def scaled(coordinates=1.0, radii=1.0):
    return swc(
        [i, *(coordinates * c for c in (x, y, z)), radii * r, p] for i, x, y, z, r, p in fork()
    )


def more(*rows):
    return swc([*fork(), *rows])


def pair(parent):
    """Two points far off, the first with a parent of one's choice."""
    return [31, 0, 50, 0, 1, parent], [32, 0, 60, 0, 1, 31]


POINT = "1 0 0 0 0 1 -1\n"
LOOSE = "is not connected to the inlet (point 0)"
WIDEST = "widest lumen has a radius of"
SHUT = changed((14, RADIUS, 0.01))
TREES = {  # text of the file, what the error says
    "radius zero": (changed((14, RADIUS, 0)), "14 is 0, must be positive; give an occlusion"),
    "radius negative": (changed((14, RADIUS, -1)), "radius at point 14 is -1, must be"),
    "radius NaN": (changed((14, RADIUS, "nan")), "radius at point 14 is nan, must be"),
    "radius infinite": (changed((14, RADIUS, "inf")), "radius at point 14 is inf, must be"),
    "coordinate NaN": (changed((14, X, "nan")), "point 14 has a coordinate that is not finite"),
    "coordinate infinite": (changed((14, X, "inf")), "point 14 has a coordinate that is"),
    "one point": (POINT, "has 1 points; a centreline needs at least two"),
    "all points at one place": (POINT + "2 0 0 0 0 1 1\n", "all points of the file lie at"),
    "loop": (more([31, *fork()[29][1:4], 1.2, 20]), "points 19 and 29 close a loop"),
    "cycle beside the root": (more(*pair(32)), f"point 30 {LOOSE}"),
    "two roots": (changed((14, PARENT, -1)), f"point 14 {LOOSE}"),
    "two pieces": (more(*pair(-1)), f"point 30 {LOOSE}; join the lines"),
    "no root": (changed((0, PARENT, 5)), "no root"),
    "an id twice": (changed((14, 0, 3)), "line 15: id 3 is given twice"),
    "a parent that is missing": (changed((14, PARENT, 99)), "line 15: parent 99 is not in"),
    "metres": (scaled(1e-3, 1e-3), f"{WIDEST} 0.0015 mm; coronary trees have 0.3 to 40: give"),
    "centimetres": (scaled(0.1, 0.1), f"{WIDEST} 0.15 mm"),
    "micrometres": (scaled(1e3, 1e3), f"{WIDEST} 1.5e+03 mm"),
    "radii in metres": (scaled(radii=1e-3), f"{WIDEST} 0.0015 mm"),
    "coordinates in metres": (scaled(1e-3), "is 0.038 mm long and 3 mm wide; give coordinates"),
    "closed inlet": (changed((0, RADIUS, 0.01)), "inlet has a radius of 0.01 mm, which is"),
}  # fmt: skip


@pytest.mark.parametrize("name", TREES)
def test_a_file_that_holds_no_tree_is_refused_by_every_verb(tmp_path, name):
    text, words = TREES[name]
    (tmp_path / "a.swc").write_text(text)
    told = refused("solve", tmp_path / "a.swc")
    assert told.startswith("ffr: ")
    assert words in told
    assert refused("pulse", tmp_path / "a.swc") == told
    with pytest.raises(GeometryError) as error:  # without a process of its own: faster
        solve_centreline(tmp_path / "a.swc", SolveSettings(solver="lumped"))
    assert told == f"ffr: {error.value}\n"


SETTINGS = {  # typed words, outlet flows, what the error says
    "no flow": ("--flow-ml-min 0", None, "--flow-ml-min is 0, must be 0.001 to 20000"),
    "negative flow": ("--flow-ml-min -5", None, "--flow-ml-min is -5, must be 0.001 to 20000"),
    "infinite flow": ("--flow-ml-min inf", None, "--flow-ml-min is inf, must be"),
    "flow NaN": ("--flow-ml-min nan", None, "--flow-ml-min is nan, must be"),
    "impossible flow": ("--flow-ml-min 1e300", None, "--flow-ml-min is 1e+300, must be"),
    "infinite pressure": ("--inlet-pressure-mmhg inf", None, "is inf, must be 1 to 400"),
    "pressure in Pa": ("--inlet-pressure-mmhg 12400", None, "is 12400, must be 1 to 400"),
    "pressure of veins": ("--inlet-pressure-mmhg 4", None, "4 mmHg is not above venous 5"),
    "viscosity in mPa s": ("--viscosity-pa-s 3.5", None, "is 3.5, must be 0.0005 to 0.05"),
    "density in g/cm3": ("--density-kg-m3 1.06", None, "is 1.06, must be 500 to 2500"),
    "inlet that is not there": ("--inlet 30", None, "point 30, the file has points 0 to 29"),
    "negative inlet": ("--inlet -1", None, "point -1, the file has points 0 to 29"),
    "reversed outlet": ("", "[50, -20]", "29 is -20, must be a number >= 0; blood that enters"),
    "infinite outlet": ("", "[50, Infinity]", "flow at outlet 29 is inf, must be"),
    "outlet NaN": ("", "[50, NaN]", "flow at outlet 29 is nan, must be"),
    "outlet null": ("", '{"19": 50, "29": null}', "flow at outlet 29 is None, must be"),
    "an outlet missing": ("", '{"19": 50}', "has no flow for the outlets 29"),
    "an outlet missing in a list": ("", "[50]", "has 1 flows, the tree has 2 outlets, at"),
    "an outlet too many": ("", '{"19": 50, "29": 30, "99": 1}', "point 99 is no outlet"),
    "a point within": ("", '{"19": 50, "9": 30}', "point 9 is no outlet; outlets are 19, 29"),
}  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
def test_numbers_that_cannot_be_are_refused(tmp_path, name):
    words, flows, expected = SETTINGS[name]
    (tmp_path / "a.swc").write_text(changed())
    given = words.split()
    if flows:
        (tmp_path / "flows.json").write_text(flows)
        given += ["--outlet-flows", tmp_path / "flows.json"]
    solver = SOLVERS[list(SETTINGS).index(name) % 2]  # settings are read before one is chosen
    assert expected in refused("solve", tmp_path / "a.swc", *given, "--solver", solver)


def test_an_outlet_pressure_above_that_of_the_inlet_is_refused(tmp_path):
    (tmp_path / "a.swc").write_text(changed())
    (tmp_path / "p.toml").write_text("venous_pressure_mmhg = 25.0\n")
    given = (tmp_path / "a.swc", "--patient", tmp_path / "p.toml")
    for solver in SOLVERS:
        told = refused("solve", *given, "--inlet-pressure-mmhg", 20, "--solver", solver)
        assert "mean aortic pressure 20 mmHg is not above venous 25 mmHg" in told


def solved(tmp_path, file, *words):
    """What `ffr solve` prints, and its table."""
    code, text, err = ffr("solve", file, *words, "--no-interval", "--json", tmp_path / "o.json")
    assert (code, err) == (0, "")
    return text, json.loads((tmp_path / "o.json").read_text())


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("words", ["", "--flow-ml-min 100", "--outlet-flows flows.json"])
def test_behind_an_occlusion_the_bed_is_occluded_and_side_branches_are_fine(
    tmp_path, solver, words
):
    (tmp_path / "a.swc").write_text(SHUT)
    (tmp_path / "flows.json").write_text('{"19": 0, "29": 100}')
    given = [tmp_path / w if w.endswith(".json") else w for w in words.split()]
    text, table = solved(tmp_path, tmp_path / "a.swc", *given, "--solver", solver)
    assert "outlet at point 19: occluded, flow 0.0 mL/min" in text
    assert "occluded at point 14: no FFR at 6 points" in text
    assert [k for k in range(30) if table["ffr"][k] is None] == list(range(14, 20))
    assert [table["pressure_mmhg"][k] for k in range(14, 20)] == [None] * 6
    assert 0.9 < table["ffr"][29] < 1.0
    assert table["flow_ml_min"][29] == pytest.approx(table["flow_ml_min"][0])


@pytest.mark.parametrize("model", ["0d", "1d"])
def test_behind_an_occlusion_nothing_pulses(tmp_path, model):
    (tmp_path / "a.swc").write_text(SHUT)
    code, text, _ = ffr("pulse", tmp_path / "a.swc", "--model", model)
    assert code == 0
    assert "outlet at point 19  occluded" in text
    assert "outlet at point 29    0.9" in text


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_occluded_trunk_has_no_flow_and_a_flow_through_it_is_refused(tmp_path, solver):
    file = tmp_path / "a.swc"
    file.write_text(changed((5, RADIUS, 0.01)))
    text, table = solved(tmp_path, file, "--solver", solver)
    assert text.count(": occluded, flow 0.0 mL/min") == 2
    assert table["ffr"][:5] == pytest.approx([1.0] * 5)
    assert table["ffr"][5:] == [None] * 25
    told = refused("solve", file, "--flow-ml-min", 100, "--solver", solver)
    assert "but every outlet lies behind an occlusion; leave it out" in told
    assert "every outlet lies behind an occlusion" in refused("pulse", file)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_flow_behind_an_occlusion_is_refused_by_the_points_number_in_the_file(
    tmp_path, solver
):
    (tmp_path / "a.swc").write_text(SHUT)
    (tmp_path / "flows.json").write_text("[50, 30]")
    given = (tmp_path / "a.swc", "--outlet-flows", tmp_path / "flows.json")
    told = refused("solve", *given, "--solver", solver)
    assert "the outlet at point 19 lies behind an occlusion, its flow is 50 mL/min" in told


@pytest.mark.parametrize("solver", SOLVERS)
def test_outlets_without_flow_have_the_pressure_before_them(tmp_path, solver):
    (tmp_path / "a.swc").write_text(changed())
    (tmp_path / "flows.json").write_text("[0, 0]")
    given = (tmp_path / "a.swc", "--outlet-flows", tmp_path / "flows.json")
    _, table = solved(tmp_path, *given, "--solver", solver)
    assert table["ffr"] == pytest.approx([1.0] * 30)
    (tmp_path / "flows.json").write_text("[50, 0]")
    _, table = solved(tmp_path, *given, "--solver", solver)
    assert table["pressure_mmhg"][20:] == pytest.approx(
        [table["pressure_mmhg"][29]] * 10, abs=0.2
    )
    assert table["ffr"][29] > table["ffr"][19]


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_branch_of_one_point_is_an_outlet(tmp_path, solver):
    file = tmp_path / "a.swc"
    file.write_text(more([31, 12.0, 4.0, 0.0, 0.8, 7]))
    text, table = solved(tmp_path, file, "--solver", solver)
    assert "outlet at point 30: FFR " in text
    ends = [table["flow_ml_min"][k] for k in (19, 29, 30)]
    assert min(ends) > 5.0
    assert sum(ends) == pytest.approx(table["flow_ml_min"][0])
    assert 0.95 < table["ffr"][30] < 1.02


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("length_mm", [5.0, 1000.0])
def test_a_vessel_of_two_points_is_a_tube(tmp_path, solver, length_mm):
    file = tmp_path / "a.swc"
    file.write_text(f"1 0 0 0 0 1.5 -1\n2 0 0 0 {length_mm} 1.5 1\n")
    _, table = solved(tmp_path, file, "--flow-ml-min", 60, "--solver", solver)
    poiseuille = 8 * 3.5e-3 * length_mm * 1e-3 * 1e-6 / (math.pi * 1.5e-3**4) / 133.322
    assert 93.0 - table["pressure_mmhg"][1] == pytest.approx(poiseuille, rel=0.01)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_flow_that_cannot_pass_gives_a_pressure_below_zero_and_says_so(tmp_path, solver):
    (tmp_path / "a.swc").write_text(changed((14, RADIUS, 0.4)))
    given = (tmp_path / "a.swc", "--flow-ml-min", 400, "--solver", solver)
    text, table = solved(tmp_path, *given)
    assert min(table["ffr"]) < 0
    assert "pressure falls below zero: the prescribed flow cannot pass" in text


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_throat_at_the_inlet_lowers_ffr_behind_it_and_is_named(tmp_path, solver):
    (tmp_path / "a.swc").write_text(changed((0, RADIUS, 0.8), (1, RADIUS, 1.0)))
    text, table = solved(tmp_path, tmp_path / "a.swc", "--solver", solver)
    assert "the inlet is a throat 1.60 mm wide: the inlet pressure is taken before it" in text
    assert table["ffr"][0] == 1.0
    assert max(table["ffr"][1:]) < 0.97


def test_a_side_branch_that_was_cut_off_leaves_its_flow_to_the_others(tmp_path):
    whole, cut = fork(), fork()[:20]
    for name, rows in (("whole", whole), ("cut", cut)):
        (tmp_path / f"{name}.swc").write_text(swc(rows))
    given = ("--flow-ml-min", 100)
    _, both = solved(tmp_path, tmp_path / "whole.swc", *given)
    _, one = solved(tmp_path, tmp_path / "cut.swc", *given)
    assert both["flow_ml_min"][19] == pytest.approx(50.0)
    assert one["flow_ml_min"][19] == pytest.approx(100.0)
    (tmp_path / "flows.json").write_text('{"19": 50, "29": 50}')
    flows = ("--outlet-flows", tmp_path / "flows.json")
    told = refused("solve", tmp_path / "cut.swc", *flows)
    assert "point 29 is no outlet; outlets are 19" in told


def saved(path, lines, points=None):
    """Write lines through the points of the fork, by their numbers."""
    rows = np.array(fork()[:points])
    cells = np.concatenate([[len(line), *line] for line in lines])
    poly = pyvista.PolyData(rows[:, 1:4], lines=cells)
    poly["Radius"] = rows[:, RADIUS]
    poly.save(path)
    return path


UP, DOWN = list(range(9, -1, -1)), list(range(10))
LIMBS = [9, *range(10, 20)], [9, *range(20, 30)]


@pytest.mark.parametrize(
    "lines",
    [
        [DOWN, LIMBS[0][::-1], LIMBS[1][::-1]],
        [DOWN + LIMBS[0][1:], DOWN + LIMBS[1][1:]],
        [[0, 0, *DOWN[1:], 9], [9, 9, *LIMBS[0][1:]], *LIMBS, *LIMBS],
    ],
    ids=["lines that run upwards", "a trunk in every line", "points and lines twice"],
)
def test_how_the_lines_run_changes_nothing(tmp_path, lines):
    given = ("--flow-ml-min", 100, "--solver", "lumped")
    _, plain = solved(tmp_path, saved(tmp_path / "a.vtp", [DOWN, *LIMBS]), *given)
    _, other = solved(tmp_path, saved(tmp_path / "b.vtp", lines), *given)
    assert other["ffr"] == pytest.approx(plain["ffr"], abs=1e-12)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([LIMBS[0], UP, LIMBS[1]], "starts at point 9, where 3 lines meet"),
        ([list(range(5, 10)), list(range(6)), *LIMBS], "starts at point 5, where 2 lines meet"),
    ],
)
def test_a_first_line_that_starts_within_the_tree_asks_for_the_inlet(tmp_path, lines, words):
    file = saved(tmp_path / "a.vtp", lines)
    for verb in ("solve", "pulse"):
        told = refused(verb, file)
        assert words in told
        assert "choose the inlet with --inlet: the lines end at the points 0, 19, 29" in told
    _, table = solved(tmp_path, file, "--inlet", 0, "--solver", "lumped")
    assert table["s_mm"][0] == 0.0
    assert table["s_mm"][9] == pytest.approx(18.0)


def test_a_first_line_within_a_loop_tells_of_the_loop(tmp_path):
    file = saved(tmp_path / "a.vtp", [[*range(12), 0]], points=12)
    assert "close a loop" in refused("solve", file)


def shut_at(tree, place_mm):
    """A coronary tree with a closed piece where its first vessel has come so far."""
    s = path_length_mm(tree.tree)
    radius = tree.tree.radius_mm.copy()
    radius[(tree.branch == 0) & (np.abs(s - place_mm) < 1.0)] = 0.01
    return replace(tree, tree=replace(tree.tree, radius_mm=radius))


def test_a_run_reports_an_occlusion_in_words_and_no_number_behind_it(tmp_path):
    known = run_folder.case()
    known.trees = (shut_at(known.trees[0], 18.0),)
    result = run_folder.fill(tmp_path / "out", known)
    (lesion,) = result.lesions
    assert (lesion.state, lesion.ffr_distal, lesion.ffr_low) == ("occluded", None, None)
    behind = [x for x in result.segments if x.start_mm >= 17.0]
    assert behind
    assert not any(x.analysed for x in behind)
    assert all("occluded" in x.not_analysed_reason for x in (*behind, lesion))
    assert any("occluded" in x.reason for x in result.not_analysed)
    assert result.vessels[0].lowest_ffr_not_for_decision == pytest.approx(1.0)
    report = (tmp_path / "out" / "report.html").read_text()
    assert "1 lesion is an occlusion or lies before one: no FFR." in report
    points = pyvista.read(tmp_path / "out" / "tree.vtp").point_data
    assert np.isnan(points["ffr"][path_length_mm(known.trees[0].tree) > 18.0]).all()
    assert all(np.isfinite(points[n]).all() for n in points if n.startswith("sensitivity"))
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(show.lesion_table(result))
    assert "occluded" in console.export_text()


def test_side_branches_before_an_occlusion_of_a_run_are_fine():
    right, _ = standin.right_tree(())
    closed = shut_at(right, 60.0)
    flows = [pipeline.solve((c,), Patient(), None) for c in (right, closed)]
    found, before = (
        pipeline.find((c,), f.solutions).ffr[0]
        for c, f in zip((closed, right), flows[::-1], strict=True)
    )
    shut = occluded(closed.tree)
    assert 0 < shut.sum() < shut.size
    assert np.isnan(found[shut]).all()
    fine = np.isfinite(before) & ~shut
    assert np.array_equal(np.isfinite(found), fine)
    assert np.unique(right.branch[fine]).size > 1  # a side branch, too
    # less flow through the trunk costs less pressure, up to what speed alone changes
    assert (found >= before - 2e-3)[fine].all()
    assert found[fine].max() <= 1.0
