"""Other bodies out of a painted one: stretched, bent, with trabeculae in the ventricles.

The generator's chambers are ellipsoids of adult sizes, all of one kind. A network that has
seen nothing else knows their shapes by heart and finds the muscle of another heart wrong by
tens of percent. Truth bends along: labels move with the picture, so volumes stay exact to
the voxel.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from ffr.anatomy import Anatomy
from meshes.arrays import AnyArray

TURN_DEG = 10.0  # SD about each axis, beside the scan's own tilt
STRETCH = 0.10  # SD of the logarithm of each of three lengths, along any axes
# (size of the bumps: SD of the Gaussian; their largest SD): organs, then walls
BENDS_MM = ((30.0, 7.0), (12.0, 2.5))
TRABECULAE_MM = 9.0  # deepest, from the wall; compacted walls have none
GRAIN_MM = (1.5, 4.0)


def warped(
    rng: np.random.Generator,
    hu: AnyArray,
    label: AnyArray,
    shape: tuple[int, int, int],
    spacing_mm: float,
) -> tuple[AnyArray, AnyArray]:
    """Return picture and labels of a body that is turned, stretched and bent.

    `shape` (k, j, i) is cut out of the middle of what comes in, which should be larger by
    the way that things move: beyond its border it is continued. Cubic voxels.
    """
    turn = Rotation.from_rotvec(np.deg2rad(rng.normal(0, TURN_DEG, 3))).as_matrix()
    axes = Rotation.random(random_state=rng).as_matrix()
    stretch = axes @ np.diag(np.exp(rng.normal(0, STRETCH, 3))) @ axes.T
    out = (np.array(shape, dtype=np.float32) - 1) / 2
    middle = (np.array(hu.shape, dtype=np.float32) - 1) / 2
    where = np.indices(shape, dtype=np.float32).reshape(3, -1) - out[:, None]
    where = (turn @ stretch).astype(np.float32) @ where + middle[:, None]
    where = where.reshape(3, *shape)
    for size, most in BENDS_MM:
        amount = rng.uniform(0, most) / spacing_mm
        for axis in range(3):
            where[axis] += amount * _bumps(rng, shape, size / spacing_mm)
    return (
        ndimage.map_coordinates(hu, where, order=1, mode="nearest"),
        ndimage.map_coordinates(label, where, order=0, mode="nearest"),
    )


def with_trabeculae(
    rng: np.random.Generator, hu: AnyArray, label: AnyArray, spacing_mm: float, muscle_hu: float
) -> AnyArray:
    """Return the picture with strands of muscle in the blood along the ventricles' walls.

    They stay blood pool in the labels, as papillary muscle does.
    """
    out = hu.copy()
    for chamber in (Anatomy.LV, Anatomy.RV):
        reach, dense = rng.uniform(0, TRABECULAE_MM), rng.uniform(0, 0.7)
        box = ndimage.find_objects((label == chamber).view(np.uint8))
        if reach < spacing_mm or not box:
            continue
        inside = label[box[0]] == chamber
        depth = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1, 1:-1] * spacing_mm
        strands = _bumps(rng, inside.shape, rng.uniform(*GRAIN_MM) / spacing_mm)
        # a normal deviate is above 2 in 2 of 100 places, above -0.7 in three quarters
        level = 2.0 - 2.7 * dense * np.clip(1 - depth / reach, 0, 1)
        mixed = np.clip((strands - level) / 0.5, 0, 1) * (inside & (depth < reach))
        out[box[0]] += mixed.astype(np.float32) * (muscle_hu - hu[box[0]])
    return out


def _bumps(rng: np.random.Generator, shape: tuple[int, ...], size: float) -> AnyArray:
    """Gaussian noise of standard deviation 1, smooth over `size` voxels, float32."""
    step = max(1, int(size / 2))  # a smooth field needs few samples
    few = [(n - 1) // step + 2 for n in shape]
    rough = rng.standard_normal(few, dtype=np.float32)
    field: AnyArray = ndimage.gaussian_filter(rough, size / step)
    field /= max(float(field.std()), 1e-6)
    for axis, n in enumerate(shape):
        between = np.arange(n, dtype=np.float32) / step
        low = between.astype(np.int64)
        part = (between - low).reshape([-1 if k == axis else 1 for k in range(3)])
        field = field.take(low, axis) * (1 - part) + field.take(low + 1, axis) * part
    return np.asarray(field)
