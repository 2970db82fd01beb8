"""Read-only numpy arrays: the only mutable thing in a frozen data type, locked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
AnyArray = NDArray[Any]


def floats(values: ArrayLike) -> Floats:
    """Copy `values` into a locked float64 array."""
    array = np.array(values, dtype=np.float64, order="C")
    array.flags.writeable = False
    return array


def ints(values: ArrayLike) -> Ints:
    """Copy `values` into a locked int64 array; fractions are refused, never rounded.

    Raises
    ------
    ValueError
        A value is not a whole number.
    """
    given = np.asarray(values)
    array = np.array(given, dtype=np.int64, order="C")
    if given.dtype.kind == "f" and not np.array_equal(array, given):
        bad = given[array != given].flat[0]
        message = f"{bad} is not a whole number"
        raise ValueError(message)
    array.flags.writeable = False
    return array


def locked(values: AnyArray) -> AnyArray:
    """Return a read-only view of `values` without a copy: for voxel arrays, which are large.

    The caller gives the array away and must not keep a writable reference to it.
    """
    view = np.ascontiguousarray(values).view()
    view.flags.writeable = False
    return view
