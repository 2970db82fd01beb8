"""Which single stent would help most?"""

from __future__ import annotations

import numpy as np

from ffr.errors import ConfigError
from ffr.results.findings import lesion_numbers
from ffr.stenting.compare import vessel_ends
from ffr.stenting.comparison import RankedStent
from ffr.stenting.solved import Fast, Solved, resolve
from ffr.stenting.span import Stent, stented
from meshes.stenosis import Lesion, analysed
from meshes.tree import CoronaryTree, path_length_mm
from solvers.errors import ConvergenceError
from solvers.solution import FlowSolution

UNKNOWN = "no FFR behind it without the stent to compare with"
SHOULDER_MM = 2.0  # beyond each end of a lesion, which begins 20 % narrowed


def lesion_stents(before: Solved) -> dict[int, Stent]:
    """Return a stent over each lesion, as wide as the healthy reference, by lesion number."""
    numbers = lesion_numbers(before.trees, before.findings.lesions)
    found = {}
    for t, c in enumerate(before.trees):
        for number, lesion in zip(numbers[t], before.findings.lesions[t], strict=True):
            found[number] = lesion_stent(c, lesion)
    return dict(sorted(found.items()))


def lesion_stent(c: CoronaryTree, lesion: Lesion) -> Stent:
    """Return a stent over a lesion and its shoulders, inside the vessel that it ends in."""
    s = path_length_mm(c.tree)
    number = int(c.branch[lesion.end])
    own = (c.branch == number) & analysed(c.tree, c.reference_radius_mm)
    last = min(float(s[lesion.end]) + SHOULDER_MM, float(s[own].max()))
    first = max(float(s[lesion.start]) - SHOULDER_MM, 0.0)
    return Stent(c.names[number], first, last)


def ranking(quick: Fast, resolved: bool = False) -> tuple[RankedStent, ...]:
    """Return one stent per lesion, the one that helps most first.

    Each is solved anew in its whole tree, by the fast networks or (`resolved`) as a result is;
    what it gains is the largest change of FFR at the analysed end of any vessel. What cannot be
    told stands last.
    """
    stents = lesion_stents(quick.before).items()
    rows = [_row(quick, number, stent, resolved) for number, stent in stents]
    return tuple(
        sorted(rows, key=lambda x: -np.inf if x.gain is None else x.gain, reverse=True)
    )


def _row(quick: Fast, number: int, stent: Stent, resolved: bool) -> RankedStent:
    before = quick.before
    row: dict[str, object] = {
        "lesion": number, "vessel": stent.vessel, "from_mm": stent.from_mm, "to_mm": stent.to_mm
    }  # fmt: skip
    row |= dict.fromkeys(("gain", "gain_vessel", "ffr_before", "ffr_after", "reason"))
    try:
        trees = stented(before.trees, stent)
        if number in _without_ffr(before):
            raise ConfigError(UNKNOWN)
        solve = resolve(before, trees).flow.solutions if resolved else quick.solutions(trees)
        row |= _largest_gain(before, solve)
    except (ConfigError, ConvergenceError) as error:
        row["reason"] = str(error)
    return RankedStent.model_validate(row)


def _without_ffr(before: Solved) -> set[int]:
    """Return the lesions behind which nothing is known: occluded or not analysable."""
    numbers = lesion_numbers(before.trees, before.findings.lesions)
    return {
        number
        for t, ffr in enumerate(before.findings.ffr)
        for number, (point, _) in zip(numbers[t], before.findings.distal[t], strict=True)
        if not np.isfinite(ffr[point])
    }


def _largest_gain(
    before: Solved, solutions: tuple[FlowSolution, ...]
) -> dict[str, float | str]:
    best: dict[str, float | str] = {}
    for t, name, point in vessel_ends(before):
        old = float(before.findings.ffr[t][point])
        pressure = solutions[t].pressure_mmhg
        new = float(pressure[point] / pressure[0])
        if np.isfinite(new) and (not best or new - old > float(best["gain"])):
            best = {"gain": new - old, "gain_vessel": name, "ffr_before": old, "ffr_after": new}
    return best
