"""How do arrays reach the page? One header in JSON, then the bytes as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from meshes.arrays import AnyArray

ALIGNED = 8  # bytes: typed arrays of a browser start at multiples of their item size


def packed(arrays: Mapping[str, AnyArray]) -> bytes:
    """Return arrays as bytes: header length (uint32), header, arrays; all little-endian.

    The header says of each array type, shape and first byte after the header.
    """
    header, parts, at = {}, [], 0
    for name, given in arrays.items():
        array = np.ascontiguousarray(given)
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        header[name] = [array.dtype.name, array.shape, at]
        padding = -array.nbytes % ALIGNED
        parts += [array.tobytes(), b"\0" * padding]
        at += array.nbytes + padding
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 4) % ALIGNED)
    return len(text).to_bytes(4, "little") + text + b"".join(parts)
