"""What can go wrong in a solve."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class ConvergenceError(RuntimeError):
    """An iteration ended without an answer; the message names the place."""


@contextmanager
def renumbered(number: Callable[[int], int]) -> Iterator[None]:
    """Give the points that an error names the numbers by which the caller knows them."""
    try:
        yield
    except ConvergenceError as error:

        def other(found: re.Match[str]) -> str:
            return f"{found[1]} {number(int(found[2]))}"

        message = re.sub(r"\b(point|outlet) (\d+)", other, str(error))
        raise ConvergenceError(message) from error
