"""Which voxels lie within a closed surface?"""

from __future__ import annotations

import numpy as np
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkImagingStencil import vtkImageStencilToImage, vtkPolyDataToImageStencil

from meshes.arrays import AnyArray
from meshes.surface import Surface
from meshes.volume import Grid, array_shape, points_mm_to_ijk
from meshes.vtk_file import triangulated


def voxels_within(surface: Surface, grid: Grid) -> AnyArray:
    """Tell for each voxel whether its centre lies within a closed surface.

    Parameters
    ----------
    surface
        One or several closed surfaces that do not overlap; the voxels within any of them
        count. What lies outside of the grid is left out.
    grid
        Any orientation and handedness.

    Returns
    -------
    Booleans indexed [k, j, i].
    """
    inside = np.zeros(array_shape(grid), dtype=bool)
    corners_ijk = points_mm_to_ijk(grid, surface.points_mm)
    first = np.maximum(np.floor(corners_ijk.min(axis=0)).astype(int), 0)
    last = np.minimum(np.ceil(corners_ijk.max(axis=0)).astype(int), grid.size - 1)
    if np.any(last < first):
        return inside
    box = tuple(slice(a, b + 1) for a, b in zip(first[::-1], last[::-1], strict=True))
    inside[box] = _stencil(triangulated(corners_ijk, surface.triangles), first, last)
    return inside


def _stencil(poly: vtkPolyData, first: AnyArray, last: AnyArray) -> AnyArray:
    """Return which lattice points from `first` to `last` lie within, indexed [k, j, i]."""
    extent = [int(n) for pair in zip(first, last, strict=True) for n in pair]
    cut = vtkPolyDataToImageStencil()
    cut.SetInputData(poly)
    cut.SetOutputOrigin(0, 0, 0)
    cut.SetOutputSpacing(1, 1, 1)
    cut.SetOutputWholeExtent(extent)
    cut.SetTolerance(0)
    painted = vtkImageStencilToImage()
    painted.SetInputConnection(cut.GetOutputPort())
    painted.SetInsideValue(1)
    painted.SetOutsideValue(0)
    painted.SetOutputScalarTypeToUnsignedChar()
    painted.Update()
    flat = vtk_to_numpy(painted.GetOutput().GetPointData().GetScalars())
    result: AnyArray = flat.reshape(*(last - first + 1)[::-1]).astype(bool)
    return result
