"""What is a report drawn from? A result, and the trees and the scan behind its numbers."""

from __future__ import annotations

from dataclasses import dataclass

from ffr.certainty.confidence import Confidence
from ffr.report.paths import VesselPath, vessel_paths
from ffr.report.tree_view import LumenSurface
from ffr.results.result import Result
from meshes.arrays import AnyArray, Floats
from meshes.tree import CoronaryTree
from meshes.volume import Volume
from solvers.solution import FlowSolution

_SHORTEST_AXIS_MM = 60.0  # a stub must not be blown up to the full width


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A finished analysis.

    Parameters
    ----------
    result
        What the analysis found.
    scan
        The native scan, HU; None when the lumen came without one.
    trees, solutions, analysed
        The trees of `result`, their solutions, and per tree True where a point was
        analysed, shape (n,).
    confidence
        How sure FFR is, and what decides it; None when that was not computed.
    surface, surface_ffr
        The lumen of both trees, and FFR at each of its points, NaN where not analysed; None
        when there is no lumen surface to draw.
    """

    result: Result
    scan: Volume | None
    trees: tuple[CoronaryTree, ...]
    solutions: tuple[FlowSolution, ...]
    analysed: tuple[AnyArray, ...]
    confidence: Confidence | None = None
    surface: LumenSurface | None = None
    surface_ffr: Floats | None = None

    def paths(self) -> tuple[VesselPath, ...]:
        """Return the ways that are drawn."""
        return vessel_paths(
            self.result, self.trees, self.solutions, self.analysed, self.confidence
        )


def axis_end_mm(paths: tuple[VesselPath, ...]) -> float:
    """Return the end of the axis of path length: one for all vessels, so that they compare."""
    return max([_SHORTEST_AXIS_MM, *(1.01 * float(p.s_mm[-1]) for p in paths)])
