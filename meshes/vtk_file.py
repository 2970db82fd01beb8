"""How does VTK read and write a file, and tell us what went wrong instead of the terminal?"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
from vtkmodules.vtkCommonCore import (
    vtkLogger,
    vtkOutputWindow,
    vtkPoints,
    vtkStringOutputWindow,
)
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkCommonMisc import vtkErrorCode
from vtkmodules.vtkIOXML import vtkXMLPolyDataReader, vtkXMLPolyDataWriter

from meshes.arrays import AnyArray, Floats
from meshes.errors import GeometryError


def vtk_points(points_mm: Floats) -> vtkPoints:
    """Return points of shape (n, 3) in double precision, copied."""
    points = vtkPoints()
    points.SetDataTypeToDouble()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(points_mm), deep=True))
    return points


def vtk_cells(offsets: AnyArray, corners: AnyArray) -> vtkCellArray:
    """Return cells: cell k has the points `corners[offsets[k] : offsets[k + 1]]`, copied."""
    cells = vtkCellArray()
    cells.SetData(
        numpy_to_vtkIdTypeArray(offsets.astype(np.int64), deep=True),
        numpy_to_vtkIdTypeArray(corners.astype(np.int64), deep=True),
    )
    return cells


def triangulated(points_mm: Floats, triangles: AnyArray) -> vtkPolyData:
    """Return a surface of triangles, corners of shape (m, 3)."""
    poly = vtkPolyData()
    poly.SetPoints(vtk_points(points_mm))
    poly.SetPolys(vtk_cells(np.arange(0, triangles.size + 1, 3), triangles.ravel()))
    return poly


def read_polydata(path: Path, called: str) -> vtkPolyData:
    """Read VTK XML polydata; `called` names the file in the error, its path may name a patient.

    Raises
    ------
    GeometryError
        No such file, or VTK complains of it.
    """
    reader = vtkXMLPolyDataReader()
    reader.SetFileName(str(path))
    with vtk_complaints() as complaints:
        reader.Update()
        broken = bool(complaints.GetOutput().strip()) or reader.GetErrorCode() != 0
    if broken:
        message = f"{called} is not readable VTK XML polydata"
        raise GeometryError(message)
    return reader.GetOutput()


def write_polydata(path: Path, poly: vtkPolyData) -> None:
    """Write `poly` as VTK XML.

    Raises
    ------
    OSError
        With the system's own reason, which VTK would only print.
    """
    writer = vtkXMLPolyDataWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(poly)
    with vtk_complaints():
        written = writer.Write() == 1
    if not written:
        code = writer.GetErrorCode()  # the system's number, or one of VTK's own above it
        if not 0 < code < vtkErrorCode.FirstVTKErrorCode:
            full = code == vtkErrorCode.OutOfDiskSpaceError
            code = errno.ENOSPC if full else errno.EIO
        raise OSError(code, os.strerror(code), str(path))


@contextlib.contextmanager
def vtk_complaints() -> Iterator[vtkStringOutputWindow]:
    """Collect what VTK would print: the user gets one line of ours instead."""
    before, collected = vtkOutputWindow.GetInstance(), vtkStringOutputWindow()
    verbosity = vtkLogger.GetCurrentVerbosityCutoff()
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    vtkOutputWindow.SetInstance(collected)
    try:
        yield collected
    finally:
        vtkLogger.SetStderrVerbosity(verbosity)
        vtkOutputWindow.SetInstance(before)
