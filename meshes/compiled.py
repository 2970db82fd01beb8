"""The one decorator under which every kernel is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile with numba; the options that all kernels share are set here, once.

    A kernel and all it calls live in one file, so that the disk cache (which watches
    only the file of the outermost function) never serves stale machine code.
    """
    compiled = numba.njit(cache=True, error_model="python", fastmath=False)(function)
    return cast("Callable[P, R]", compiled)


def parallel_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile like `kernel`, with `numba.prange` loops spread over the cores."""
    compiled = numba.njit(cache=True, error_model="python", fastmath=False, parallel=True)(
        function
    )
    return cast("Callable[P, R]", compiled)
