"""What can go wrong in a solve, and what can be wrong with what is to be solved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class ConvergenceError(RuntimeError):
    """An iteration ended without an answer; the message names the place.

    Parameters
    ----------
    message
        One line, with {} in the place of each point's number.
    points
        Points of the tree that was solved; a caller may know them by other numbers.
    """

    def __init__(self, message: str, *points: int) -> None:
        super().__init__(message.format(*points) if points else message)
        self.message, self.points = message, points


class NetworkError(ValueError):
    """A lumped network that cannot be solved as it is described; one line, names the block."""


@contextmanager
def renumbered(number: Callable[[int], int]) -> Iterator[None]:
    """Give the points that an error names the numbers by which the caller knows them."""
    try:
        yield
    except ConvergenceError as error:
        points = (number(point) for point in error.points)
        raise ConvergenceError(error.message, *points) from error
