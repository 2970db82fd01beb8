"""Which part of a mask hangs together?"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from meshes.arrays import AnyArray


def largest_component(mask: AnyArray) -> AnyArray:
    """Return the largest part of a mask whose voxels share faces; the mask if it is empty."""
    parts, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(parts == sizes.argmax())
