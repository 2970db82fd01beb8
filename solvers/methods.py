"""The two steady solvers, by the names a user gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from solvers.resolved import prescribe_resolved, solve_resolved
from solvers.solution import FlowSolution
from solvers.steady import solve_prescribed, solve_steady


class Method(NamedTuple):
    """One solver: with beds at the outlets, and with known outlet flows."""

    with_beds: Callable[..., FlowSolution]
    with_flows: Callable[..., FlowSolution]


METHODS = {
    "resolved": Method(solve_resolved, prescribe_resolved),
    "lumped": Method(solve_steady, solve_prescribed),
}
DEFAULT = "resolved"
