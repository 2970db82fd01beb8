"""What fills the lumen? A mesh of tetrahedra for 3D solvers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meshes.arrays import Floats, Ints, floats, ints
from meshes.contours import Contours
from meshes.errors import GeometryError
from meshes.stuffing import Stuffed, filled
from meshes.surface import SPACING_MM, check_elements, checked_trees, lumen_tubes
from meshes.tree import VesselTree
from meshes.tubes import axis_point_mm, wall

SAGITTA = 0.05  # mean depth of a lattice-wide chord, times its radius over its square


@dataclass(frozen=True, slots=True, eq=False)
class VolumeMesh:
    """The lumen filled with tetrahedra of positive volume, in patient coordinates.

    Parameters
    ----------
    points_mm
        Vertices (LPS), shape (n, 3).
    tetrahedra
        Vertex indices, shape (m, 4).

    Raises
    ------
    GeometryError
        An array has the wrong shape, a tetrahedron names a point that does not exist.
    """

    points_mm: Floats
    tetrahedra: Ints

    def __post_init__(self) -> None:
        object.__setattr__(self, "points_mm", floats(self.points_mm))
        object.__setattr__(self, "tetrahedra", ints(self.tetrahedra))
        check_elements(self.points_mm, self.tetrahedra, 4, "tetrahedra")


def lumen_volume(
    trees: Sequence[VesselTree],
    spacing_mm: float = SPACING_MM,
    contours: Sequence[Contours | None] | None = None,
) -> VolumeMesh:
    """Fill the lumen with tetrahedra: the same tubes as `lumen_surface`, its own points.

    Where a vessel is thinner than the lattice resolves, it is filled thicker and then
    squeezed across its axis, so no throat is lost. Ends are flat but not sharp.

    Raises
    ------
    GeometryError
        A spacing outside 0.1 to 1 mm; no tree; a bend too tight to squeeze.
    """
    points, tetrahedra, first = [], [], 0
    for tree, outline in checked_trees(trees, spacing_mm, contours):
        one = _filling_of(tree, outline, spacing_mm)
        points.append(one.points_mm)
        tetrahedra.append(one.elements + first)
        first += len(one.points_mm)
    return VolumeMesh(np.concatenate(points), np.concatenate(tetrahedra))


def _filling_of(tree: VesselTree, contours: Contours | None, spacing_mm: float) -> Stuffed:
    tubes = lumen_tubes(tree, contours, spacing_mm, 0.0, thickened=True)
    points, tetrahedra = filled(tubes)
    place = wall(tubes, points)
    axis = axis_point_mm(tubes, place)
    s, t = place.segment, place.along
    thick = tubes.radius_start_mm[s] * (1.0 - t) + tubes.radius_end_mm[s] * t
    true = tree.radius_mm[tubes.parent[s]] * (1.0 - t) + tree.radius_mm[tubes.child[s]] * t
    # the chords of the lattice cut inside the round wall, as in `_sagitta_mm`
    scale = true / thick * (1.0 + SAGITTA * (spacing_mm / thick) ** 2)
    for _ in range(30):
        squeezed = axis + scale[:, None] * (points - axis)
        flat = tetrahedra[_six_volumes(squeezed, tetrahedra) <= 0.0]
        if not flat.size:
            return Stuffed(squeezed, tetrahedra)
        # a radius that jumps from point to point shears the lattice: squeeze more evenly
        even = scale[flat].mean(axis=1).repeat(4)
        count = np.bincount(flat.ravel(), minlength=len(scale))
        mean = np.bincount(flat.ravel(), even, len(scale)) / np.maximum(count, 1)
        scale = np.where(count > 0, mean, scale)
    place_mm = points[flat[0, 0]].round(1).tolist()
    message = f"the lumen near {place_mm} mm is too thin for spacing_mm {spacing_mm:g}"
    raise GeometryError(message)


def _six_volumes(points: Floats, tetrahedra: Ints) -> Floats:
    a, b, c, d = (points[tetrahedra[:, k]] for k in range(4))
    six: Floats = np.einsum("ij,ij->i", np.cross(b - a, c - a), d - a)
    return six
