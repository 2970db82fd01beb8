"""The one decorator under which every kernel is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.core.types.misc import unliteral

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile with numba; the options that all kernels share are set here, once.

    A kernel and all it calls live in one file, so that the disk cache (which watches
    only the file of the outermost function) never serves stale machine code. Plain loops
    compile soonest: `a[:] = b` takes numba two seconds, `a.min()` and `np.searchsorted` half.
    """
    return _compiled(function, parallel=False)


def parallel_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile like `kernel`, with `numba.prange` loops spread over the cores."""
    return _compiled(function, parallel=True)


def _compiled(function: Callable[P, R], parallel: bool) -> Callable[P, R]:
    options = {"error_model": "python", "fastmath": False, "parallel": parallel}
    try:
        compiled = numba.njit(cache=True, **options)(function)
    except RuntimeError as error:
        # neither the code's folder nor the user's cache can be written: compile at each start
        if "locator" not in str(error):
            raise
        compiled = numba.njit(cache=False, **options)(function)
    return cast("Callable[P, R]", _once_per_type(compiled))


def _once_per_type(compiled: Any) -> Any:
    """Let kernels that call this one with a number as it stands (`f(x, 0)`) share one version.

    numba would compile another one for each such number: seconds at the first call.
    """
    if hasattr(compiled, "get_call_template"):  # else numba is switched off
        given = compiled.get_call_template

        def by_type(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
            named = {name: unliteral(kind) for name, kind in kws.items()}
            return given(tuple(unliteral(kind) for kind in args), named)

        compiled.get_call_template = by_type
    return compiled
