"""What outline does the lumen have across the vessel, where it is not round?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.arrays import Floats, Ints, floats
from meshes.errors import GeometryError

LEAST_RAYS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Contours:
    """The lumen's outline r(theta) at each point of a tree.

    Parameters
    ----------
    radius_mm
        Distance from the centreline point to the wall along rays at even angles across the
        vessel, shape (n, rays).
    zero_direction, quarter_direction
        Unit vectors of the ray at angle 0 and of that a quarter turn on, shape (n, 3).

    Raises
    ------
    GeometryError
        Arrays that do not fit each other, fewer than four rays, a distance that is not
        positive.
    """

    radius_mm: Floats
    zero_direction: Floats
    quarter_direction: Floats

    def __post_init__(self) -> None:
        for name in ("radius_mm", "zero_direction", "quarter_direction"):
            object.__setattr__(self, name, floats(getattr(self, name)))
        n = len(self.radius_mm)
        if self.radius_mm.ndim != 2 or self.radius_mm.shape[1] < LEAST_RAYS:
            message = f"contours have shape {self.radius_mm.shape}, must be (n, 4 or more)"
            raise GeometryError(message)
        shapes = (self.zero_direction.shape, self.quarter_direction.shape)
        if shapes != ((n, 3), (n, 3)):
            message = f"{n} contours need directions of shape ({n}, 3), not {shapes}"
            raise GeometryError(message)
        if not np.all(np.isfinite(self.radius_mm) & (self.radius_mm > 0)):
            message = "a contour's distance to the wall is not positive"
            raise GeometryError(message)

    def __len__(self) -> int:
        return len(self.radius_mm)


def area_radius_mm(radius_mm: Floats) -> Floats:
    """Return the radius of the circle that has the area inside contours (..., rays)."""
    return floats(np.sqrt(np.mean(radius_mm**2, axis=-1)))


def chosen_contours(contours: Contours, points: Ints) -> Contours:
    """Return the contours of some points of the tree."""
    return Contours(
        contours.radius_mm[points],
        contours.zero_direction[points],
        contours.quarter_direction[points],
    )


def scaled_to(contours: Contours, radius_mm: Floats) -> Contours:
    """Return contours of the same shapes that have the areas of circles of `radius_mm`."""
    scale = radius_mm / area_radius_mm(contours.radius_mm)
    return Contours(
        floats(contours.radius_mm * scale[:, None]),
        contours.zero_direction,
        contours.quarter_direction,
    )
