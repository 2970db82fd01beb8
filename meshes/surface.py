"""What does the lumen wall look like as triangles, and what are values on it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meshes.arrays import Floats, Ints, floats, ints
from meshes.caps import capped
from meshes.contours import Contours
from meshes.errors import GeometryError
from meshes.remesh import projected, sagitta_mm, smoothed, split
from meshes.stuffing import CELLS, Stuffed, wrapped
from meshes.tree import VesselTree, outlets
from meshes.tubes import Tubes, tubes_of, wall

SPACING_MM = 0.4  # of the lattice; the edges of the triangles are about half of it
FINEST_MM, COARSEST_MM = 0.1, 1.0
LEAST_RADIUS = 1.0  # lattice spacings: thinner vessels are first meshed this thick
FILLET = 2.0  # lattice spacings: what the lattice cannot resolve between two branches
SNAP = 0.15  # lattice spacings: vertices this close to an end plane are moved onto it
SEARCH_MM = 1.5  # a wall further than this from its vessel is another's


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Triangles in patient coordinates, seen counter-clockwise from outside.

    Parameters
    ----------
    points_mm
        Vertices (LPS), shape (n, 3).
    triangles
        Vertex indices, shape (m, 3).
    face_label
        0 on the wall; on caps 1 for the first tree's inlet, 2, 3, ... for its outlets in
        order, and on with the next tree, shape (m,).

    Raises
    ------
    GeometryError
        An array has the wrong shape, a triangle names a point that does not exist.
    """

    points_mm: Floats
    triangles: Ints
    face_label: Ints

    def __post_init__(self) -> None:
        object.__setattr__(self, "points_mm", floats(self.points_mm))
        object.__setattr__(self, "triangles", ints(self.triangles))
        object.__setattr__(self, "face_label", ints(self.face_label))
        _check_surface(self)


def _check_surface(surface: Surface) -> None:
    check_elements(surface.points_mm, surface.triangles, 3, "triangles")
    if surface.face_label.shape != (len(surface.triangles),):
        message = (
            f"face_label has shape {surface.face_label.shape}, "
            f"there are {len(surface.triangles)} triangles"
        )
        raise GeometryError(message)


def check_elements(points_mm: Floats, elements: Ints, corners: int, name: str) -> None:
    """Raise GeometryError unless `elements` (m, corners) index `points_mm` (n, 3)."""
    if points_mm.ndim != 2 or points_mm.shape[1] != 3:
        message = f"points_mm has shape {points_mm.shape}, must be (n, 3)"
        raise GeometryError(message)
    if elements.ndim != 2 or elements.shape[1] != corners:
        message = f"{name} has shape {elements.shape}, must be (m, {corners})"
        raise GeometryError(message)
    if elements.size and (elements.min() < 0 or elements.max() >= len(points_mm)):
        message = (
            f"{name} name points {elements.min()} to {elements.max()}, "
            f"there are {len(points_mm)}"
        )
        raise GeometryError(message)


def lumen_surface(
    trees: Sequence[VesselTree],
    spacing_mm: float = SPACING_MM,
    caps: bool = True,
    contours: Sequence[Contours | None] | None = None,
) -> Surface:
    """Return the wall of the lumen: closed, manifold, one piece per tree, seen from outside.

    The lumen is the union of tubes around the centreline, whose sections across it have
    the tree's radius, and the shape of its `contours` if given. It ends in flat caps across
    the vessel, cut only into the vessel that ends there; without `caps` the vessels are
    open. Triangles are about `spacing_mm` wide, and no edge is longer than 0.45 radii.
    Vertices stand outside the wall by as much as the flat triangles between them cut inside,
    so that areas and volumes are kept.

    Raises
    ------
    GeometryError
        A spacing outside 0.1 to 1 mm; no tree; tubes that touch in a way no manifold can.
    """
    points, triangles, labels = [], [], []
    first_point, first_label = 0, 0
    for tree, outline in checked_trees(trees, spacing_mm, contours):
        one, label = _wall_of(tree, outline, spacing_mm, caps)
        points.append(one.points_mm)
        triangles.append(one.elements + first_point)
        labels.append(np.where(label > 0, label + first_label, 0))
        first_point += len(one.points_mm)
        first_label += 1 + len(outlets(tree))
    return Surface(*(np.concatenate(parts) for parts in (points, triangles, labels)))


def checked_trees(
    trees: Sequence[VesselTree],
    spacing_mm: float,
    contours: Sequence[Contours | None] | None,
) -> list[tuple[VesselTree, Contours | None]]:
    """Return trees with their contours if they can be meshed on a lattice of `spacing_mm`."""
    if not trees:
        message = "there is no vessel tree to mesh"
        raise GeometryError(message)
    if not FINEST_MM <= spacing_mm <= COARSEST_MM:
        message = f"spacing_mm is {spacing_mm:g}, must be {FINEST_MM:g} to {COARSEST_MM:g}"
        raise GeometryError(message)
    shapes = [None] * len(trees) if contours is None else contours
    if len(shapes) != len(trees):
        message = f"{len(trees)} trees need as many sets of contours, not {len(shapes)}"
        raise GeometryError(message)
    for tree, shape in zip(trees, shapes, strict=True):
        if shape is not None and len(shape) != len(tree):
            message = f"{len(shape)} contours do not fit a tree of {len(tree)} points"
            raise GeometryError(message)
    return list(zip(trees, shapes, strict=True))


def lumen_tubes(
    tree: VesselTree,
    contours: Contours | None,
    spacing_mm: float,
    beyond_mm: float,
    thickened: bool,
) -> Tubes:
    """Return the tubes of a tree for a lattice of `spacing_mm`.

    `thickened` lifts radii that the lattice cannot resolve, so that it misses no throat.
    """
    least_mm = LEAST_RADIUS * spacing_mm
    return tubes_of(
        tree,
        block_mm=CELLS * spacing_mm,
        reach_mm=1.5 * spacing_mm + (0.0 if thickened else least_mm),
        beyond_mm=beyond_mm,
        least_mm=least_mm if thickened else 0.0,
        fillet_mm=FILLET * spacing_mm,
        contours=contours,
    )


def _wall_of(
    tree: VesselTree, contours: Contours | None, spacing_mm: float, caps: bool
) -> tuple[Stuffed, Ints]:
    points, triangles = wrapped(
        lumen_tubes(tree, contours, spacing_mm, spacing_mm, thickened=True)
    )
    tubes = lumen_tubes(tree, contours, spacing_mm, spacing_mm, thickened=False)
    points = projected(tubes, points, np.zeros(len(points)))
    points = smoothed(tubes, points, triangles)
    points, triangles = split(tubes, points, triangles)
    for _ in range(2):
        points = projected(tubes, points, sagitta_mm(tubes, points, triangles))
    return capped(tubes, Stuffed(points, triangles), SNAP * spacing_mm, caps)


def values_on_surface(
    surface: Surface, trees: Sequence[VesselTree], values_per_tree: Sequence[Floats]
) -> Floats:
    """Carry values of centreline points to the vertices of their lumen's surface, (n,).

    As `values_in_lumen`, for the surface's points.
    """
    return values_in_lumen(surface.points_mm, trees, values_per_tree)


def values_in_lumen(
    points_mm: Floats, trees: Sequence[VesselTree], values_per_tree: Sequence[Floats]
) -> Floats:
    """Carry values of centreline points to points in or on the lumen, (n, 3) to (n,).

    Each point takes the value at the nearest place of the tube it lies in, linear between
    the centreline points there; what is not a number on either side of that place stays so.

    Raises
    ------
    GeometryError
        Values that do not fit their trees; a point more than 1.5 mm outside every vessel.
    """
    if len(trees) != len(values_per_tree):
        message = (
            f"{len(trees)} trees need as many arrays of values, not {len(values_per_tree)}"
        )
        raise GeometryError(message)
    closest = np.full(len(points_mm), np.inf)
    result = np.full(len(points_mm), np.nan)
    for tree, values in zip(trees, values_per_tree, strict=True):
        if values.shape != (len(tree),):
            message = f"values have shape {values.shape}, their tree has {len(tree)} points"
            raise GeometryError(message)
        tubes = tubes_of(tree, block_mm=2.0, reach_mm=SEARCH_MM, beyond_mm=0.0)
        place = wall(tubes, points_mm)
        before, after = values[tubes.parent[place.segment]], values[tubes.child[place.segment]]
        between = before * (1.0 - place.along) + after * place.along
        value = np.where(
            place.along <= 0.0, before, np.where(place.along >= 1.0, after, between)
        )
        nearer = (place.segment >= 0) & (place.distance_mm < closest)
        closest = np.where(nearer, place.distance_mm, closest)
        result = np.where(nearer, value, result)
    if np.any(np.isinf(closest)):
        bad = int(np.flatnonzero(np.isinf(closest))[0])
        message = f"point {bad} lies more than {SEARCH_MM:g} mm from every vessel"
        raise GeometryError(message)
    return floats(result)
