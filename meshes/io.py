"""How centreline trees are read from files and written to files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkStringArray
from vtkmodules.vtkCommonDataModel import vtkPolyData

from meshes.arrays import AnyArray, Floats, Ints, floats, ints
from meshes.errors import GeometryError
from meshes.tree import VesselTree, sections
from meshes.vtk_file import read_polydata, vtk_cells, vtk_points, write_polydata
from meshes.writing import replacing

RADIUS_NAMES = ("radiusmm", "radius", "maximuminscribedsphereradius", "misradius", "r")
SWC_COLUMNS = 7
# In errors a file is not named: it may be called after a patient.
VTP = "the centreline file (.vtp)"
SWC = "the centreline file (.swc)"


@dataclass(frozen=True, slots=True, eq=False)
class Centreline:
    """A centreline as it stands in a file: points in file order and what joins them.

    Parameters
    ----------
    points_mm
        Points, shape (n, 3).
    radius_mm
        Lumen radius at each point, shape (n,).
    edges
        Pairs of point indices that a line joins, in either direction, shape (m, 2).
    inlet
        The point that the file puts first: first of the first line, or root.
    is_root
        Whether the file says that it is the inlet, as a root does and a first point does not.
    """

    points_mm: Floats
    radius_mm: Floats
    edges: Ints
    inlet: int
    is_root: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "points_mm", floats(self.points_mm))
        object.__setattr__(self, "radius_mm", floats(self.radius_mm))
        object.__setattr__(self, "edges", ints(self.edges))


def read_centreline(path: Path) -> Centreline:
    """Read lines with a radius from `.vtp`, or a tree from `.swc`.

    Raises
    ------
    GeometryError
        Not such a file, no lines, no radius, values that are not numbers.
    OSError
        The file cannot be read.
    """
    kind = path.suffix.lower()
    if kind not in (".vtp", ".swc"):
        message = "a centreline is a .vtp or .swc file; the name ends in neither"
        raise GeometryError(message)
    with path.open("rb"):  # a missing file speaks with the system's own words
        pass
    return _read_vtp(path) if kind == ".vtp" else _read_swc(path)


def write_vtp(
    path: Path, tree: VesselTree, point_data: Mapping[str, ArrayLike] | None = None
) -> None:
    """Write one tree; see `write_forest`."""
    write_forest(path, [tree], [point_data or {}])


def write_forest(
    path: Path,
    trees: Sequence[VesselTree],
    point_data: Sequence[Mapping[str, ArrayLike]],
    texts: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write trees as one polyline per unbranched run, with `radius_mm` and `point_data`.

    Points keep their order, tree by tree; runs share their bifurcation point by index. The
    first line starts at the first inlet. The file appears whole or not at all.

    Parameters
    ----------
    path
        Where to.
    trees, point_data
        Trees, and for each the arrays of its points; all trees have the same arrays.
    texts
        Lists of words kept as field data, such as the names behind branch numbers.

    Raises
    ------
    GeometryError
        An array of `point_data` does not have one value per point.
    """
    first = np.concatenate([[0], np.cumsum([len(tree) for tree in trees])])
    runs = [r + n for tree, n in zip(trees, first, strict=False) for r in sections(tree)]
    offsets = np.concatenate([[0], np.cumsum([run.size for run in runs])])
    poly = vtkPolyData()
    poly.SetPoints(vtk_points(np.concatenate([tree.points_mm for tree in trees])))
    poly.SetLines(vtk_cells(offsets, np.concatenate(runs)))
    tables = [
        {"radius_mm": tree.radius_mm, **data}
        for tree, data in zip(trees, point_data, strict=True)
    ]
    for name in tables[0]:
        parts = [np.asarray(table[name]) for table in tables]
        for part, tree in zip(parts, trees, strict=True):
            if part.shape[:1] != (len(tree),):
                message = f"{name} has shape {part.shape}, the tree has {len(tree)} points"
                raise GeometryError(message)
        column = numpy_to_vtk(np.ascontiguousarray(np.concatenate(parts)), deep=True)
        column.SetName(name)
        poly.GetPointData().AddArray(column)
    for name, words in (texts or {}).items():
        text = vtkStringArray()
        text.SetName(name)
        for word in words:
            text.InsertNextValue(word)
        poly.GetFieldData().AddArray(text)
    with replacing(path) as temporary:
        write_polydata(temporary, poly)


def write_swc(path: Path, tree: VesselTree) -> None:
    """Write a tree as `.swc`: ids from 1, type 0, mm, parent -1 at the inlet."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write("# id type x_mm y_mm z_mm radius_mm parent\n")
        for i in range(len(tree)):
            x, y, z = (float(v) for v in tree.points_mm[i])
            up = int(tree.parent[i]) + 1 if i else -1
            file.write(f"{i + 1} 0 {x!r} {y!r} {z!r} {float(tree.radius_mm[i])!r} {up}\n")


def _read_vtp(path: Path) -> Centreline:
    poly = read_polydata(path, VTP)
    if poly.GetNumberOfLines() == 0 or poly.GetNumberOfPoints() < 2:
        message = f"{VTP} has no lines; a centreline needs polylines"
        raise GeometryError(message)
    points = vtk_to_numpy(poly.GetPoints().GetData()).astype(np.float64)
    ids = vtk_to_numpy(poly.GetLines().GetConnectivityArray()).astype(np.int64)
    starts = vtk_to_numpy(poly.GetLines().GetOffsetsArray()).astype(np.int64)
    joined = np.ones(max(ids.size - 1, 0), dtype=bool)
    joined[starts[1:-1] - 1] = False  # the last point of a line and the first of the next
    edges = np.column_stack([ids[:-1], ids[1:]])[joined]
    return Centreline(points, _vtp_radius(poly), edges, int(ids[0]), is_root=False)


def _vtp_radius(poly: vtkPolyData) -> AnyArray:
    data = poly.GetPointData()
    arrays = [data.GetAbstractArray(k) for k in range(data.GetNumberOfArrays())]
    plain = {
        "".join(c for c in (array.GetName() or "").lower() if c.isalnum()): array
        for array in arrays
        if array.GetNumberOfComponents() == 1 and array.IsNumeric()
    }
    for name in RADIUS_NAMES:
        if name in plain:
            return np.asarray(vtk_to_numpy(plain[name]), dtype=np.float64)
    names = ", ".join(repr(array.GetName()) for array in arrays) or "none"
    message = (
        f"{VTP} has no radius: point data {names}; "
        "name one radius_mm, Radius or MaximumInscribedSphereRadius"
    )
    raise GeometryError(message)


def _read_swc(path: Path) -> Centreline:
    rows, lines = [], []
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split("#", 1)[0].split()
        if not fields:
            continue
        try:
            row = [float(field) for field in fields]
        except ValueError:
            row = []
        if len(row) != SWC_COLUMNS:
            message = f"{SWC} line {number}: {SWC_COLUMNS} numbers expected, id to parent"
            raise GeometryError(message)
        rows.append(row)
        lines.append(number)
    if len(rows) < 2:
        message = f"{SWC} has {len(rows)} points; a centreline needs at least two"
        raise GeometryError(message)
    table = np.array(rows)
    edges, roots = _swc_edges(table[:, [0, 6]], lines)
    return Centreline(table[:, 2:5], table[:, 5], edges, int(roots[0]))


def _swc_edges(table: Floats, lines: list[int]) -> tuple[AnyArray, AnyArray]:
    whole = (np.isfinite(table) & (table == np.rint(table))).all(axis=1)
    if not whole.all():
        message = f"{SWC} line {lines[int(np.argmin(whole))]}: ids are whole numbers"
        raise GeometryError(message)
    ids, parents = table.astype(np.int64).T
    order = np.argsort(ids, kind="stable")
    same = np.flatnonzero(np.diff(ids[order]) == 0)
    if same.size:
        at = order[same[0] + 1]
        message = f"{SWC} line {lines[at]}: id {ids[at]} is given twice"
        raise GeometryError(message)
    child = np.flatnonzero(parents != -1)
    roots = np.flatnonzero(parents == -1)
    place = np.minimum(np.searchsorted(ids[order], parents[child]), ids.size - 1)
    up = order[place]
    lost = np.flatnonzero(ids[up] != parents[child])
    if lost.size:
        at = child[lost[0]]
        message = f"{SWC} line {lines[at]}: parent {parents[at]} is not in the file"
        raise GeometryError(message)
    if not roots.size:
        message = f"{SWC} has no root: one point must have parent -1"
        raise GeometryError(message)
    return np.column_stack([up, child]), roots
