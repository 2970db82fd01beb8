"""Centreline files: round trips, foreign styles, and what is refused."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter

from meshes.errors import GeometryError
from meshes.io import Centreline, read_centreline, write_swc, write_vtp
from meshes.rooting import rooted
from meshes.tree import VesselTree, outlets, path_length_mm
from meshes.writing import replacing

REAL = Path(__file__).parent.parent.parent / "shared" / "data" / "coronary_centrelines_ivus"
TREE = VesselTree(
    [[0, 0, 0], [0, 0, 5], [0, 0.1, 9], [3, 0, 12], [-3, 0, 12], [6, 0, 14], [3, 4, 14]],
    [2.0, 1.9, 1.8, 1.4, 1.2, 1.0, 0.7],
    [-1, 0, 1, 2, 2, 3, 3],
)


def save_lines(path, points, lines, radius=None, name="Radius", single=False):
    poly = vtkPolyData()
    held = vtkPoints()
    held.SetData(numpy_to_vtk(np.array(points, dtype="f4" if single else "f8"), deep=True))
    cells = vtkCellArray()
    for ids in lines:
        cells.InsertNextCell(len(ids))
        for i in ids:
            cells.InsertCellPoint(i)
    poly.SetPoints(held)
    poly.SetLines(cells)
    if radius is not None:
        column = numpy_to_vtk(np.array(radius, dtype=float), deep=True)
        column.SetName(name)
        poly.GetPointData().AddArray(column)
    writer = vtkXMLPolyDataWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(poly)
    writer.Write()
    return path


def same_tree(a, b):
    """Compare two trees whatever the order of their points."""

    def keyed(tree):
        up = np.where(tree.parent[:, None] >= 0, tree.points_mm[tree.parent], np.nan)
        rows = np.column_stack([tree.points_mm, tree.radius_mm, up])
        return rows[np.lexsort(tree.points_mm.T)]

    assert np.array_equal(keyed(a), keyed(b), equal_nan=True)


@pytest.mark.parametrize("kind", [".vtp", ".swc"])
def test_a_tree_survives_its_file_to_the_last_bit(tmp_path, kind):
    path = tmp_path / f"tree{kind}"
    (write_vtp if kind == ".vtp" else write_swc)(path, TREE)
    tree, place = rooted(read_centreline(path))
    same_tree(tree, TREE)
    assert np.array_equal(tree.points_mm[place], TREE.points_mm)


def test_point_data_travels_with_the_tree(tmp_path):
    path = tmp_path / "tree.vtp"
    write_vtp(path, TREE, {"ffr": np.linspace(1, 0.7, 7), "branch": np.arange(7)})
    import pyvista

    back = pyvista.read(path)
    assert np.array_equal(back.point_data["ffr"], np.linspace(1, 0.7, 7))
    assert np.array_equal(back.point_data["branch"], np.arange(7))
    assert back.n_lines == 5
    with pytest.raises(GeometryError, match="ffr has shape"):
        write_vtp(path, TREE, {"ffr": np.ones(3)})


def test_a_failed_write_leaves_the_old_file_and_no_debris(tmp_path):
    path = tmp_path / "out.json"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), replacing(path) as temporary:
        temporary.write_text("half" * 10_000 + "\ud800", encoding="utf-8")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "name", ["radius_mm", "radius", "Radius", "RADIUS", "MaximumInscribedSphereRadius"]
)
def test_common_names_of_the_radius_are_known(tmp_path, name):
    path = save_lines(tmp_path / "a.vtp", TREE.points_mm[:2], [[0, 1]], [2.0, 1.5], name)
    assert read_centreline(path).radius_mm.tolist() == [2.0, 1.5]


def test_lines_may_run_in_any_direction(tmp_path):
    lines = [[0, 1, 2], [5, 3, 2], [2, 4], [6, 3]]
    path = save_lines(tmp_path / "a.vtp", TREE.points_mm, lines, TREE.radius_mm)
    tree, place = rooted(read_centreline(path))
    same_tree(tree, TREE)
    assert place[0] == 0


def test_lines_may_share_points_by_place_instead_of_index(tmp_path):
    ids = [0, 1, 2, 2, 3, 5, 2, 4, 3, 6]
    lines = [[0, 1, 2], [3, 4, 5], [6, 7], [8, 9]]
    path = save_lines(tmp_path / "a.vtp", TREE.points_mm[ids], lines, TREE.radius_mm[ids])
    tree, place = rooted(read_centreline(path))
    same_tree(tree, TREE)
    assert np.array_equal(tree.points_mm[place], TREE.points_mm[ids])
    assert place[2] == place[3] == place[6]


def test_vmtk_lines_that_repeat_the_trunk_are_one_tree(tmp_path):
    paths = [[0, 1, 2, 3, 5], [0, 1, 2, 4], [0, 1, 2, 3, 6]]
    ids = np.concatenate(paths)
    bounds = np.cumsum([0] + [len(p) for p in paths])
    lines = [list(range(a, b)) for a, b in pairwise(bounds)]
    rounding = np.random.default_rng(0).uniform(-1e-7, 1e-7, (ids.size, 3))
    path = save_lines(
        tmp_path / "a.vtp", TREE.points_mm[ids] + rounding, lines, TREE.radius_mm[ids]
    )
    tree, place = rooted(read_centreline(path))
    assert len(tree) == len(TREE)
    assert np.abs(tree.points_mm[place] - TREE.points_mm[ids]).max() < 1e-6
    assert sorted(tree.radius_mm[outlets(tree)]) == [0.7, 1.0, 1.2]


def test_where_coincident_radii_differ_the_mother_counts(tmp_path):
    points = [[0, 0, 0], [0, 0, 5], [0, 0, 5], [0, 0, 9]]
    path = save_lines(tmp_path / "a.vtp", points, [[0, 1], [2, 3]], [2.0, 1.9, 1.1, 1.0])
    tree, _ = rooted(read_centreline(path))
    assert tree.radius_mm.tolist() == [2.0, 1.9, 1.0]


def test_the_inlet_can_be_chosen(tmp_path):
    path = save_lines(tmp_path / "a.vtp", TREE.points_mm, [[2, 1, 0], [5, 3, 2]], [1.0] * 7)
    line = Centreline(TREE.points_mm[:4], TREE.radius_mm[:4], [[0, 1], [1, 2], [2, 3]], 0)
    tree, place = rooted(line, 3)
    assert place.tolist() == [3, 2, 1, 0]
    assert path_length_mm(tree)[place[0]] == pytest.approx(path_length_mm(TREE)[3])
    assert read_centreline(path).inlet == 2
    with pytest.raises(GeometryError, match="points 0 to 3"):
        rooted(line, 4)


@pytest.mark.parametrize("lines", [[[3, 2, 1, 0], [3, 5], [3, 6], [2, 4]], [[1, 0], [1, 2]]])
def test_an_inlet_in_the_middle_of_the_lines_must_be_chosen(tmp_path, lines):
    path = save_lines(tmp_path / "a.vtp", TREE.points_mm, lines, TREE.radius_mm)
    line = read_centreline(path)
    with pytest.raises(GeometryError, match=r"where \d lines meet; choose .* points 0, "):
        rooted(line)
    if len(lines) == 4:
        assert rooted(line, 3)[1][3] == 0


def test_a_root_may_be_a_bifurcation(tmp_path):
    path = tmp_path / "a.swc"
    path.write_text("1 0 0 0 0 1 -1\n2 0 0 0 4 1 1\n3 0 0 4 0 1 1\n")
    tree, _ = rooted(read_centreline(path))
    assert outlets(tree).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("scale", "wide", "words"),
    [
        (1e-3, 1e-3, "widest lumen has a radius of 0.002 mm"),
        (0.1, 0.1, "widest lumen has a radius of 0.2 mm"),
        (1e3, 1e3, r"radius of 2e\+03 mm; .* give lengths in mm"),
        (1e-3, 1.0, "longest vessel is .* mm long and 4 mm wide"),
    ],
)
def test_lengths_that_are_not_in_mm_are_refused(scale, wide, words):
    edges = [[0, 1], [1, 2], [2, 3]]
    line = Centreline(TREE.points_mm[:4] * scale, TREE.radius_mm[:4] * wide, edges, 0)
    with pytest.raises(GeometryError, match=words):
        rooted(line)


def test_points_at_one_place_are_no_centreline():
    line = Centreline([[1, 2, 3], [1, 2, 3]], [1.0, 1.0], [[0, 1]], 0)
    with pytest.raises(GeometryError, match="all points of the file lie at one place"):
        rooted(line)


@pytest.mark.parametrize(
    ("edges", "words"),
    [
        ([[0, 1], [1, 2], [2, 0], [2, 3]], "close a loop"),
        ([[0, 1], [2, 3]], "point 2 is not connected to the inlet .point 0."),
        ([[0, 1], [1, 2]], "point 3 is not connected"),
    ],
)
def test_what_is_not_a_tree_is_refused(edges, words):
    with pytest.raises(GeometryError, match=words):
        rooted(Centreline(TREE.points_mm[:4], TREE.radius_mm[:4], edges, 0))


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_a_radius_that_cannot_be_names_its_point(bad):
    radius = [1.0, 1.0, bad]
    with pytest.raises(GeometryError, match="radius at point 2"):
        rooted(Centreline(TREE.points_mm[:3], radius, [[0, 1], [1, 2]], 0))


def test_a_coordinate_that_is_not_finite_names_its_point():
    points = TREE.points_mm[:3].copy()
    points[1, 2] = np.nan
    with pytest.raises(GeometryError, match="point 1 has a coordinate"):
        rooted(Centreline(points, [1.0, 1.0, 1.0], [[0, 1], [1, 2]], 0))


def test_vtp_files_without_lines_or_radius_are_refused(tmp_path):
    path = save_lines(tmp_path / "a.vtp", TREE.points_mm, [], TREE.radius_mm)
    with pytest.raises(GeometryError, match="no lines"):
        read_centreline(path)
    path = save_lines(tmp_path / "b.vtp", TREE.points_mm, [[0, 1]], TREE.radius_mm, "Calibre")
    with pytest.raises(GeometryError, match="no radius: point data 'Calibre'"):
        read_centreline(path)


@pytest.mark.parametrize("text", ["", "not xml", "<VTKFile type='PolyData'><Poly"])
def test_broken_vtp_files_are_refused_in_one_line(tmp_path, text, capfd):
    path = tmp_path / "a.vtp"
    path.write_text(text)
    with pytest.raises(GeometryError, match=r"file \(\.vtp\) is not readable"):
        read_centreline(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kept", [0.5, 0.95])
def test_a_truncated_vtp_file_is_refused(tmp_path, capfd, kept):
    path = tmp_path / "a.vtp"
    write_vtp(path, TREE)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(GeometryError, match=r"file \(\.vtp\) is not readable"):
        read_centreline(path)
    assert capfd.readouterr().err == ""


def test_an_unknown_kind_of_file_and_a_missing_one_are_refused(tmp_path):
    with pytest.raises(GeometryError, match=r"is a \.vtp or \.swc file"):
        read_centreline(tmp_path / "a.txt")
    with pytest.raises(FileNotFoundError):
        read_centreline(tmp_path / "a.vtp")


def test_swc_ids_come_in_any_order_and_comments_are_skipped(tmp_path):
    path = tmp_path / "a.swc"
    path.write_text(
        "# made by hand\n7 0 0 0 9 1.0 3\n\n3 2 0 0 4 1.5 12 # middle\n12 1 0 0 0 2 -1\n"
    )
    line = read_centreline(path)
    assert line.inlet == 2
    tree, place = rooted(line)
    assert tree.radius_mm.tolist() == [2.0, 1.5, 1.0]
    assert place.tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 0 0 0 0 1 -1\n2 0 0 0 1 1\n", "line 2: 7 numbers"),
        ("1 0 0 0 0 1 -1\n2 0 0 zero 1 1 1\n", "line 2: 7 numbers"),
        ("1 0 0 0 0 1 -1\n2 0 0 0 1 1 5\n", "line 2: parent 5 is not in the file"),
        ("1 0 0 0 0 1 -1\n1 0 0 0 1 1 1\n", "line 2: id 1 is given twice"),
        ("1 0 0 0 0 1 -1\n2.5 0 0 0 1 1 1\n", "line 2: ids are whole"),
        ("1 0 0 0 0 1 2\n2 0 0 0 1 1 1\n", "no root"),
        ("# nothing\n", "0 points"),
    ],
)
def test_wrong_swc_files_are_refused_with_the_line(tmp_path, text, words):
    path = tmp_path / "a.swc"
    path.write_text(text)
    with pytest.raises(GeometryError, match=words):
        read_centreline(path)


def test_an_swc_cycle_beside_the_root_is_not_connected(tmp_path):
    path = tmp_path / "a.swc"
    path.write_text("1 0 0 0 0 1 -1\n2 0 0 0 1 1 1\n3 0 5 0 0 1 4\n4 0 6 0 0 1 3\n")
    with pytest.raises(GeometryError, match="point 2 is not connected"):
        rooted(read_centreline(path))


@pytest.mark.skipif(not REAL.is_dir(), reason="the real centrelines are not on this machine")
@pytest.mark.parametrize(("name", "ends"), [("lca_cl", 5), ("rca_cl", 4)])
def test_real_centrelines_become_trees(name, ends):
    line = read_centreline(REAL / f"{name}.vtp")
    tree, place = rooted(line)
    assert outlets(tree).size == ends
    assert np.array_equal(np.unique(place), np.arange(len(tree)))
    assert np.abs(tree.points_mm[place] - line.points_mm).max() < 1e-3
    assert tree.radius_mm[place] == pytest.approx(line.radius_mm, abs=1e-3)
