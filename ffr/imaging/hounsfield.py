"""Are these voxel values Hounsfield units?"""

from __future__ import annotations

import numpy as np

from ffr.errors import StudyError
from meshes.arrays import AnyArray

# Air is -1000 HU and water 0 HU by definition; lung in a CTA is about -900..-700 HU and
# every field of view around a heart holds some.
AIR_BELOW_HU = -300
TISSUE_HU = (-200, 200)
PADDING_BELOW_HU = -1100  # what scanners write outside the circular field of view
CEILING_HU = 3500  # 12 bits end at 3071 HU; only extended scales of metal go higher
SAMPLES = 2_000_000


def check_hounsfield(values: AnyArray) -> None:
    """Refuse voxels that cannot be Hounsfield units of a chest.

    Parameters
    ----------
    values
        Voxel array of any shape, integer or float.

    Raises
    ------
    StudyError
        "not-hu": 8-bit or unsigned values, fractions of one, no air, no soft tissue.
    """
    if values.dtype.kind == "u" or values.dtype.itemsize == 1 or values.dtype.kind not in "if":
        _refuse(
            f"the voxels are stored as {values.dtype}, without negative values or fine steps"
        )
    # an odd stride avoids sampling the same columns of every row
    step = max(1, values.size // SAMPLES) | 1
    sample = values.ravel()[::step].astype(np.float64)
    if not np.all(np.isfinite(sample)):
        _refuse("some voxels are not numbers")
    inside = sample[sample > PADDING_BELOW_HU]
    low, high = float(sample.min()), float(sample.max())
    span = f"values run from {low:.4g} to {high:.4g}"
    if inside.size < 0.05 * sample.size:
        _refuse(f"{span}: nearly all lie below {PADDING_BELOW_HU}")
    if np.mean(inside < AIR_BELOW_HU) < 1e-3:
        _refuse(f"{span}: there is no air (below {AIR_BELOW_HU})")
    tissue = (inside > TISSUE_HU[0]) & (inside < TISSUE_HU[1])
    if np.mean(tissue) < 0.01:
        _refuse(f"{span}: there is no soft tissue ({TISSUE_HU[0]} to {TISSUE_HU[1]})")
    if np.mean(inside > CEILING_HU) > 0.01:
        _refuse(f"{span}: over 1 % lie above {CEILING_HU}")


def _refuse(what: str) -> None:
    message = f"{what}, so these are not Hounsfield units; export the original CT values"
    raise StudyError("not-hu", message)
