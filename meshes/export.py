"""How are meshes of the lumen written so that other programs read them?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import meshio
import numpy as np
from numpy.typing import ArrayLike
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonCore import vtkStringArray

from meshes.arrays import AnyArray
from meshes.errors import GeometryError
from meshes.filling import VolumeMesh
from meshes.surface import Surface
from meshes.vtk_file import triangulated, write_polydata
from meshes.writing import replacing

# Extension, meshio's name of the format, and whether point data goes along. These are the
# formats in which meshio 5.3.5 reads its own triangles and tetrahedra back (its Nastran
# writer, for one, stops at negative coordinates).
SURFACE_FORMATS = {
    ".vtp": ("", True),  # ours, below
    ".stl": ("", False),
    ".ply": ("ply", True),
    ".obj": ("obj", False),
    ".off": ("off", False),
    ".vtu": ("vtu", True),
    ".vtk": ("vtk", True),
    ".msh": ("gmsh", True),
    ".inp": ("abaqus", False),
    ".mesh": ("medit", False),
    ".dat": ("tecplot", True),
}
VOLUME_FORMATS = {
    ".vtu": ("vtu", True),
    ".vtk": ("vtk", True),
    ".msh": ("gmsh", True),
    ".inp": ("abaqus", False),
    ".mesh": ("medit", False),
    ".su2": ("su2", False),
    ".vol": ("netgen", False),
    ".dat": ("tecplot", True),
}
STL_HEADER = b"ct-ffr lumen; unit mm; patient axes LPS; research use only"  # not "solid"
STL_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("unused", "<u2")])


def write_surface(
    path: Path, surface: Surface, point_data: Mapping[str, ArrayLike] | None = None
) -> None:
    """Write a surface in the format that the extension of `path` names.

    The file appears whole or not at all, and is the same for the same surface. `.vtp`,
    `.vtu` and `.vtk` also hold the label of each triangle as `cap`; `.stl`, `.obj`, `.off`,
    `.inp` and `.mesh` hold triangles only. Coordinates are patient coordinates
    (LPS) in mm in all of them.

    Raises
    ------
    GeometryError
        An extension that is not known; an array without one value per point.
    """
    name, with_data = _format(path, SURFACE_FORMATS, "a surface")
    data = _checked(point_data, len(surface.points_mm))
    with replacing(path) as temporary:
        if path.suffix.lower() == ".vtp":
            _write_vtp(temporary, surface, data)
        elif path.suffix.lower() == ".stl":
            temporary.write_bytes(stl_bytes(surface))
        else:
            cells = [("triangle", surface.triangles)]
            labels = {"cap": [surface.face_label]} if name in ("vtu", "vtk") else {}
            mesh = meshio.Mesh(
                surface.points_mm, cells, data if with_data else {}, cell_data=labels
            )
            meshio.write(temporary, mesh, file_format=name)


def write_volume_mesh(
    path: Path, mesh: VolumeMesh, point_data: Mapping[str, ArrayLike] | None = None
) -> None:
    """Write tetrahedra in the format that the extension of `path` names.

    The file appears whole or not at all. Coordinates are patient coordinates (LPS) in mm.

    Raises
    ------
    GeometryError
        An extension that is not known; an array without one value per point.
    """
    name, with_data = _format(path, VOLUME_FORMATS, "a volume mesh")
    data = _checked(point_data, len(mesh.points_mm))
    cells = [("tetra", mesh.tetrahedra)]
    with replacing(path) as temporary:
        meshio.write(
            temporary,
            meshio.Mesh(mesh.points_mm, cells, data if with_data else {}),
            file_format=name,
        )


def _format(path: Path, known: dict[str, tuple[str, bool]], what: str) -> tuple[str, bool]:
    if path.suffix.lower() not in known:
        message = f"{what} cannot be written with this extension; known are {' '.join(known)}"
        raise GeometryError(message)
    return known[path.suffix.lower()]


def _checked(point_data: Mapping[str, ArrayLike] | None, count: int) -> dict[str, AnyArray]:
    data = {name: np.ascontiguousarray(values) for name, values in (point_data or {}).items()}
    for name, values in data.items():
        if values.shape[:1] != (count,):
            message = f"{name} has shape {values.shape}, the mesh has {count} points"
            raise GeometryError(message)
    return data


def _write_vtp(path: Path, surface: Surface, point_data: dict[str, AnyArray]) -> None:
    poly = triangulated(surface.points_mm, surface.triangles)
    for name, values in point_data.items():
        column = numpy_to_vtk(values, deep=True)
        column.SetName(name)
        poly.GetPointData().AddArray(column)
    label = numpy_to_vtk(surface.face_label.astype(np.int32), deep=True)
    label.SetName("cap")
    poly.GetCellData().AddArray(label)
    for name, word in (("unit", "mm"), ("axes", "LPS"), ("use", "research use only")):
        text = vtkStringArray()
        text.SetName(name)
        text.InsertNextValue(word)
        poly.GetFieldData().AddArray(text)
    write_polydata(path, poly)


def stl_bytes(surface: Surface) -> bytes:
    """Return a surface as a binary STL file: triangles, single precision, LPS in mm."""
    corners = surface.points_mm[surface.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    table = np.zeros(len(corners), STL_TRIANGLE)
    table["corners"] = corners
    size = np.linalg.norm(normal, axis=1, keepdims=True)
    table["normal"] = normal / np.maximum(size, 1e-30)
    count = np.array([len(corners)], "<u4").tobytes()
    return STL_HEADER.ljust(80) + count + table.tobytes()
