"""What does a volume look like along a vessel that has been pulled straight?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter1d

from meshes.arrays import AnyArray, Floats, floats, locked
from meshes.errors import GeometryError
from meshes.kernels.frames import carry_normal
from meshes.kernels.sample import trilinear
from meshes.volume import Volume, points_mm_to_ijk

# a voxel centre on the border must count as inside after rounding by the inverse direction
BORDER_VOXELS = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Straightened:
    """A plane along a vessel pulled straight; columns run along it, rows across it.

    Parameters
    ----------
    values_hu
        Interpolated voxel values, NaN outside the volume, shape (across, along).
    s_mm
        Path length of each column from the first centreline point, shape (along,).
    across_mm
        Signed distance of each row from the centreline, shape (across,).
    """

    values_hu: AnyArray
    s_mm: Floats
    across_mm: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "values_hu", locked(self.values_hu))
        object.__setattr__(self, "s_mm", floats(self.s_mm))
        object.__setattr__(self, "across_mm", floats(self.across_mm))
        if self.values_hu.shape != (self.across_mm.size, self.s_mm.size):
            message = (
                f"image has shape {self.values_hu.shape}, "
                f"its axes {(self.across_mm.size, self.s_mm.size)}"
            )
            raise GeometryError(message)


def arc_length_mm(points_mm: ArrayLike) -> Floats:
    """Return the path length along a polyline (n, 3) from its first point, shape (n,).

    Raises
    ------
    GeometryError
        Fewer than two points, or two that follow each other at the same place.
    """
    points = np.asarray(points_mm, dtype=np.float64)
    if points.ndim != 2 or points.shape[0] < 2 or points.shape[1] != 3:
        message = f"a centreline needs at least two points in space, shape is {points.shape}"
        raise GeometryError(message)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    if not np.all(steps > 0):
        bad = int(np.flatnonzero(~(steps > 0))[0])
        message = f"centreline points {bad} and {bad + 1} coincide; merge them"
        raise GeometryError(message)
    return np.concatenate([[0.0], np.cumsum(steps)])


def resampled(points_mm: ArrayLike, s_mm: ArrayLike) -> Floats:
    """Return the points of a polyline (n, 3) at path lengths `s_mm` (m,), shape (m, 3)."""
    points = np.asarray(points_mm, dtype=np.float64)
    s, wanted = arc_length_mm(points), np.asarray(s_mm, dtype=np.float64)
    return np.stack([np.interp(wanted, s, points[:, a]) for a in range(3)], axis=1)


def frames(
    points_mm: ArrayLike, smoothing_points: float = 0.0
) -> tuple[Floats, Floats, Floats]:
    """Return tangent, normal and binormal of a curve, each (n, 3), without twist.

    Rotation-minimising (Bishop) frames by double reflection (Wang et al. 2008). The first
    normal is the patient axis most nearly perpendicular to the vessel.

    Parameters
    ----------
    points_mm
        Points of the curve, shape (n, 3).
    smoothing_points
        Standard deviation, in points, of a Gaussian that calms the tangents.

    Raises
    ------
    GeometryError
        Fewer than two points, or two that coincide.
    """
    points = np.ascontiguousarray(points_mm, dtype=np.float64)
    s = arc_length_mm(points)
    tangent = np.gradient(points, s, axis=0, edge_order=2 if len(s) > 2 else 1)
    if smoothing_points > 0:
        tangent = gaussian_filter1d(tangent, smoothing_points, axis=0, mode="nearest")
    length = np.linalg.norm(tangent, axis=1, keepdims=True)
    if not np.all(length > 1e-9):
        bad = int(np.flatnonzero(~(length[:, 0] > 1e-9))[0])
        message = (
            f"the centreline turns back on itself at point {bad}; it has no direction there"
        )
        raise GeometryError(message)
    tangent /= length
    axis = np.eye(3)[np.argmin(np.abs(tangent[0]))]
    normal = np.zeros_like(points)
    normal[0] = axis - (axis @ tangent[0]) * tangent[0]
    normal[0] /= np.linalg.norm(normal[0])
    carry_normal(points, tangent, normal)
    return tangent, normal, np.cross(tangent, normal)


def sampled(volume: Volume, points_mm: ArrayLike, outside: float = np.nan) -> Floats:
    """Return the volume's values at patient points (..., 3) by trilinear interpolation.

    Points beyond the outermost voxel centres get `outside`.
    """
    ijk = points_mm_to_ijk(volume.grid, points_mm)
    flat = np.ascontiguousarray(ijk.reshape(-1, 3))
    out = np.empty(len(flat))
    trilinear(volume.values, flat, outside, BORDER_VOXELS, out)
    return out.reshape(ijk.shape[:-1])


def straightened(
    volume: Volume,
    points_mm: ArrayLike,
    *,
    half_width_mm: float = 6.0,
    step_mm: float = 0.2,
    rotation_rad: float = 0.0,
    smoothing_mm: float = 1.0,
) -> Straightened:
    """Sample a volume on the plane that follows a vessel: straightened reformation (CPR).

    Parameters
    ----------
    volume
        The native scan; any grid, oblique ones too.
    points_mm
        Centreline, inlet first, shape (n, 3).
    half_width_mm
        The image reaches this far to both sides of the centreline.
    step_mm
        Pixel size, along and across.
    rotation_rad
        Turns the plane about the centreline; two images pi/2 apart show the whole lumen.
    smoothing_mm
        The direction of the cross-sections is averaged over this length (standard
        deviation), or a jagged centreline would shear the image. Positions are not moved.

    Raises
    ------
    GeometryError
        A centreline shorter than a pixel or with coinciding points; a pixel size or width
        that is not positive.
    """
    if not (step_mm > 0 and half_width_mm > 0):
        message = f"step_mm {step_mm:g} and half_width_mm {half_width_mm:g} must be positive"
        raise GeometryError(message)
    length = float(arc_length_mm(points_mm)[-1])
    if length < step_mm:
        message = f"centreline is {length:g} mm long, shorter than a pixel of {step_mm:g} mm"
        raise GeometryError(message)
    s = np.arange(int(np.floor(length / step_mm + 1e-9)) + 1) * step_mm
    centre = resampled(points_mm, s)
    _, normal, binormal = frames(centre, smoothing_mm / step_mm)
    sideways = np.cos(rotation_rad) * normal + np.sin(rotation_rad) * binormal
    rows = int(np.floor(half_width_mm / step_mm + 1e-9))
    across = np.arange(-rows, rows + 1) * step_mm
    points = centre[None] + across[:, None, None] * sideways[None]
    return Straightened(sampled(volume, points), floats(s), floats(across))
