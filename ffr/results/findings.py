"""How do trees, solutions and lesions become one result?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from ffr import __version__
from ffr.certainty.confidence import GROUPS, Uncertainty
from ffr.certainty.lumen_error import LumenError
from ffr.circulation.physiology import Assumption
from ffr.errors import ConfigError
from ffr.flags import Flag
from ffr.results.cad_rads import stenosis_interval, suggested_cad_rads
from ffr.results.pullback import ppg_of_vessel
from ffr.results.reasons import (
    OCCLUDED,
    gradable,
    not_analysed,
    of_vessel,
    readable_throat,
    reason,
    stretches,
)
from ffr.results.result import (
    RESEARCH_USE_ONLY,
    SCHEMA_VERSION,
    AssumptionEntry,
    EditEntry,
    FlagEntry,
    FlagPlace,
    ImageQuality,
    Influence,
    InputSummary,
    LesionResult,
    ModelFile,
    Result,
    SegmentResult,
    Side,
    Timing,
    VesselResult,
    ffr_state,
)
from ffr.scan import Scan
from ffr.tracing.scct import SEGMENT_NAMES
from meshes.arrays import AnyArray, Floats, Ints
from meshes.errors import GeometryError
from meshes.stenosis import Lesion
from meshes.tree import CoronaryTree, path_length_mm, sections
from solvers.errors import ConvergenceError
from solvers.occlusion import occluded
from solvers.solution import FlowSolution
from solvers.unreadable import cause

# Of the healthy diameter at narrowings: see `python -m validation reference`
REFERENCE_SD_PERCENT = 6.0


def build_result(
    *,
    coronaries: Sequence[CoronaryTree],
    solutions: Sequence[FlowSolution],
    analysed: Sequence[AnyArray],
    lesions: Sequence[Sequence[Lesion]],
    distal: Sequence[Sequence[tuple[int, float]]],
    spreads: Sequence[Uncertainty | None] | None = None,
    aortic_pressure_mmhg: float,
    scan: Scan,
    assumptions: Sequence[Assumption],
    flags: Sequence[Flag],
    settings: Mapping[str, Any],
    models: Mapping[str, str],
    image_quality: ImageQuality | None = None,
    dominance: Literal["right", "left", "codominant"] | None = None,
    lv_mass_g: float | None = None,
    timings_s: Mapping[str, float] | None = None,
    git_commit: str | None = None,
    created: datetime | None = None,
    edits: Sequence[EditEntry] = (),
) -> Result:
    """Collect what one analysis found.

    Parameters
    ----------
    coronaries, solutions
        The trees and their solutions, pairwise; a side that is absent was not found.
    analysed
        Per tree, True at the points whose pressure may be shown, shape (n,).
    lesions
        Per tree, its lesions.
    distal
        Per tree and lesion, the point where FFR is read and its distance from the
        lesion's end in mm.
    spreads
        Per tree, how sure its FFR is; None where that was not computed.
    aortic_pressure_mmhg
        Mean aortic pressure in hyperaemia; FFR is pressure over this.
    scan, assumptions, flags, settings
        What the run was given, used and warned of. Settings must fit into JSON.
    models
        SHA-256 of the weights by network name.
    timings_s
        Wall-clock seconds by stage name.
    created
        Time of the analysis; now, when not given.
    edits
        What a reader changed by hand in the trees.

    Raises
    ------
    GeometryError
        Sequences that do not fit together, or two trees of one side.
    ConvergenceError
        A pressure or flow that is not finite where it would be shown.
    ConfigError
        An aortic pressure that is not positive.
    """
    if not 0 < aortic_pressure_mmhg < np.inf:
        message = f"aortic_pressure_mmhg is {aortic_pressure_mmhg:g}, must be positive"
        raise ConfigError(message)
    _check_pairs(coronaries, solutions, analysed, lesions, distal)
    spreads = [None] * len(coronaries) if spreads is None else spreads
    numbers = lesion_numbers(coronaries, lesions)
    order = _left_first(coronaries)
    runs: list[SegmentResult] = []
    graded: list[LesionResult] = []
    vessels: list[VesselResult] = []
    stenoses: list[LesionResult] = []
    for t in order:
        coronary, mask = coronaries[t], np.asarray(analysed[t], dtype=bool)
        s_mm, pressure = path_length_mm(coronaries[t].tree), solutions[t].pressure_mmhg
        found = sorted(zip(numbers[t], lesions[t], distal[t], strict=True))
        here = [
            _lesion(coronary, mask, s_mm, pressure, aortic_pressure_mmhg, spreads[t], *x)
            for x in found
        ]
        stenoses += here
        graded += [x for x in here if readable_throat(coronary, x.throat_point)]
        runs += list(_segments(coronary, solutions[t], mask, s_mm))
        vessels += list(
            _vessels(coronary, solutions[t], mask, s_mm, aortic_pressure_mmhg, here, spreads[t])
        )
    warnings = tuple(map(_flag, flags))
    shut = [name for coronary in coronaries for name in _closed(coronary)]
    seen = {name for coronary in coronaries for name in gradable(coronary)}
    created = datetime.now(UTC) if created is None else created.astimezone(UTC)
    return Result(
        schema_version=SCHEMA_VERSION,
        research_use_only=RESEARCH_USE_ONLY,
        created=created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        code_version=__version__,
        git_commit=git_commit,
        models=tuple(ModelFile(name=n, sha256=h) for n, h in models.items()),
        input=_input_summary(scan),
        settings=dict(settings),
        assumptions=tuple(
            AssumptionEntry(name=a.name, value=a.value, source=a.source, assumed=a.assumed)
            for a in assumptions
        ),
        flags=warnings,
        dominance=dominance,
        lv_mass_g=lv_mass_g,
        aortic_pressure_mmhg=float(aortic_pressure_mmhg),
        image_quality=image_quality or ImageQuality(),
        suggested_cad_rads=suggested_cad_rads(graded, vessels, warnings, shut, seen),
        lesions=tuple(stenoses),
        segments=tuple(runs),
        vessels=tuple(vessels),
        unreadable=tuple(stretches(coronaries)),
        not_analysed=tuple(not_analysed(coronaries, vessels)),
        timings=tuple(Timing(stage=n, duration_s=t) for n, t in (timings_s or {}).items()),
        edits=tuple(edits),
    )


def _flag(flag: Flag) -> FlagEntry:
    place = flag.place
    if place is None:
        return FlagEntry(name=flag.name, message=flag.message, place=None)
    where = FlagPlace(
        side="left" if place.side == "left" else "right",
        vessel=place.vessel,
        segment=place.segment,
        position_mm=place.position_mm,
        point_mm=place.point_mm,
    )
    return FlagEntry(name=flag.name, message=flag.message, place=where)


def _closed(coronary: CoronaryTree) -> list[str]:
    """Names of the vessels in which the lumen closes."""
    shut = occluded(coronary.tree)
    first = shut.copy()
    first[1:] &= ~shut[coronary.tree.parent[1:]]
    return [coronary.names[k] for k in np.unique(coronary.branch[first])]


def _left_first(coronaries: Sequence[CoronaryTree]) -> list[int]:
    return sorted(range(len(coronaries)), key=lambda t: coronaries[t].side)


def lesion_numbers(
    coronaries: Sequence[CoronaryTree], lesions: Sequence[Sequence[Lesion]]
) -> tuple[tuple[int, ...], ...]:
    """Return the number of each lesion: left tree first, then by distance from the ostium."""
    numbers: list[tuple[int, ...]] = [()] * len(coronaries)
    before = 0
    for t in _left_first(coronaries):
        s_mm = path_length_mm(coronaries[t].tree)
        place = np.argsort([s_mm[x.throat] for x in lesions[t]], kind="stable")
        rank = np.empty(len(place), dtype=np.int64)
        rank[place] = np.arange(len(place))
        numbers[t] = tuple(before + 1 + int(k) for k in rank)
        before += len(place)
    return tuple(numbers)


def _check_pairs(coronaries: Sequence[CoronaryTree], *others: Sequence[Any]) -> None:
    if any(len(other) != len(coronaries) for other in others):
        message = (
            f"{len(coronaries)} trees came with {[len(other) for other in others]} solutions, "
            "analysed masks, lesion lists and distal lists; give one each per tree"
        )
        raise GeometryError(message)
    for coronary, solution, mask, lesions, distal in zip(coronaries, *others, strict=True):
        n = len(coronary.tree)
        if solution.pressure_mmhg.shape != (n,) or np.shape(mask) != (n,):
            message = (
                f"{coronary.side} tree has {n} points, its solution "
                f"{solution.pressure_mmhg.shape} and its analysed mask {np.shape(mask)}"
            )
            raise GeometryError(message)
        both = np.stack([solution.pressure_mmhg, solution.flow_ml_min])
        if not np.all(np.isfinite(both[:, np.asarray(mask, dtype=bool)])):
            bad = int(np.flatnonzero(~np.isfinite(both).all(axis=0) & mask)[0])
            message = f"solution of the {coronary.side} tree is not finite at point {bad}"
            raise ConvergenceError(message)
        if len(lesions) != len(distal):
            message = (
                f"{coronary.side} tree has {len(lesions)} lesions, {len(distal)} distal points"
            )
            raise GeometryError(message)
    if len({coronary.side for coronary in coronaries}) < len(coronaries):
        message = "two trees of one side; merge them or drop one"
        raise GeometryError(message)


def _side(coronary: CoronaryTree) -> Side:
    return "left" if coronary.side == "left" else "right"


def _segment(coronary: CoronaryTree, point: int) -> tuple[int | None, str | None]:
    number = int(coronary.segment[point])
    return (number, SEGMENT_NAMES.get(number)) if number > 0 else (None, None)


def _lesion(
    coronary: CoronaryTree,
    analysed: AnyArray,
    s_mm: Floats,
    pressure_mmhg: Floats,
    aortic_pressure_mmhg: float,
    spread: Uncertainty | None,
    number: int,
    lesion: Lesion,
    distal: tuple[int, float],
) -> LesionResult:
    point, distance = int(distal[0]), float(distal[1])
    here = [lesion.start, lesion.throat, lesion.end, point]
    shown, why = bool(analysed[here].all()), reason(coronary, here)
    ffr = float(pressure_mmhg[point] / aortic_pressure_mmhg) if shown else None
    drop = float(pressure_mmhg[lesion.start] - pressure_mmhg[lesion.end]) if shown else None
    delta = None if drop is None else drop / aortic_pressure_mmhg
    segment, segment_name = _segment(coronary, lesion.throat)
    return LesionResult(
        id=number,
        side=_side(coronary),
        vessel=coronary.names[coronary.branch[lesion.throat]],
        segment=segment,
        segment_name=segment_name,
        position_mm=float(s_mm[lesion.throat]),
        start_mm=float(s_mm[lesion.start]),
        end_mm=float(s_mm[lesion.end]),
        length_mm=float(lesion.length_mm),
        diameter_stenosis_percent=float(lesion.diameter_stenosis_percent),
        **_stenosis_ends(coronary, lesion),
        area_stenosis_percent=float(lesion.area_stenosis_percent),
        minimal_lumen_area_mm2=float(lesion.minimal_lumen_area_mm2),
        minimal_diameter_mm=float(lesion.minimal_diameter_mm),
        reference_diameter_mm=float(lesion.reference_diameter_mm),
        ffr_distal=ffr,
        **_interval(spread, point if shown else None),
        influences=_influences(spread, point) if shown else (),
        distance_used_mm=distance if shown else None,
        state="occluded" if why == OCCLUDED else ffr_state(ffr),
        pressure_drop_mmhg=drop,
        delta_ffr=delta,
        start_point=int(lesion.start),
        throat_point=int(lesion.throat),
        end_point=int(lesion.end),
        distal_point=point if shown else None,
        not_analysed_reason=None if shown else why,
    )


def _stenosis_ends(coronary: CoronaryTree, lesion: Lesion) -> dict[str, float | None]:
    """Ends of the 95 % interval of the diameter stenosis, from lumen and reference."""
    names = ("diameter_stenosis_low_percent", "diameter_stenosis_high_percent")
    if occluded(coronary.tree)[lesion.throat]:
        return dict.fromkeys(names)
    error = LumenError()
    own = error.own_percent(coronary)[lesion.throat] / 100.0
    shared = 2.0 * error.shared_mm / lesion.minimal_diameter_mm
    ends = stenosis_interval(
        lesion.minimal_diameter_mm,
        lesion.reference_diameter_mm,
        float(np.sqrt(own**2 + shared**2 + (REFERENCE_SD_PERCENT / 100.0) ** 2)),
    )
    return dict(zip(names, ends, strict=True))


def _interval(spread: Uncertainty | None, point: int | None) -> dict[str, float | None]:
    if spread is None or point is None:
        return {"ffr_low": None, "ffr_high": None, "probability_below_0_80": None}
    return {
        "ffr_low": float(spread.ffr_low[point]),
        "ffr_high": float(spread.ffr_high[point]),
        "probability_below_0_80": float(spread.probability[point]),
    }


def _influences(spread: Uncertainty | None, point: int) -> tuple[Influence, ...]:
    if spread is None or point not in spread.readings:
        return ()
    row = int(np.flatnonzero(spread.readings == point)[0])
    indices = np.clip([spread.first_order[row], spread.total[row]], 0.0, 1.0).T
    entries = [
        Influence(input=name, first_order=float(first), total=float(total))
        for name, (first, total) in zip(GROUPS, indices, strict=True)
    ]
    return tuple(sorted(entries, key=lambda x: -x.total))


def _runs(coronary: CoronaryTree, analysed: AnyArray) -> Iterator[Ints]:
    """Split the tree where it branches and where name, segment or analysis changes."""
    for run in sections(coronary.tree):
        inner = run[1:]  # a stretch belongs to its downstream point
        key = np.stack([coronary.branch[inner], coronary.segment[inner], analysed[inner]])
        cuts = np.flatnonzero(np.any(np.diff(key, axis=1) != 0, axis=0)) + 1
        bounds = [0, *cuts.tolist(), len(inner)]
        for first, last in pairwise(bounds):
            yield run[first : last + 1]


def _segments(
    coronary: CoronaryTree, solution: FlowSolution, analysed: AnyArray, s_mm: Floats
) -> Iterator[SegmentResult]:
    for run in _runs(coronary, analysed):
        first, second, last = int(run[0]), int(run[1]), int(run[-1])
        shown = bool(analysed[second])
        inlet, outlet = (float(solution.pressure_mmhg[p]) for p in (first, last))
        flow = float(solution.flow_ml_min[second])
        segment, segment_name = _segment(coronary, second)
        yield SegmentResult(
            side=_side(coronary),
            vessel=coronary.names[coronary.branch[second]],
            segment=segment,
            segment_name=segment_name,
            start_mm=float(s_mm[first]),
            end_mm=float(s_mm[last]),
            start_point=first,
            end_point=last,
            analysed=shown,
            inlet_pressure_mmhg=inlet if shown else None,
            outlet_pressure_mmhg=outlet if shown else None,
            pressure_drop_mmhg=inlet - outlet if shown else None,
            flow_ml_min=flow if shown else None,
            resistance_mmhg_min_ml=(inlet - outlet) / flow if shown and flow > 0 else None,
            not_analysed_reason=None if shown else reason(coronary, [second]),
        )


def _vessels(
    coronary: CoronaryTree,
    solution: FlowSolution,
    analysed: AnyArray,
    s_mm: Floats,
    aortic_pressure_mmhg: float,
    lesions: Sequence[LesionResult],
    spread: Uncertainty | None,
) -> Iterator[VesselResult]:
    branches, first_points = np.unique(coronary.branch, return_index=True)
    for branch, first in sorted(zip(branches, first_points, strict=True), key=lambda x: x[1]):
        points = np.flatnonzero(coronary.branch == branch)
        shown = points[analysed[points]]
        numbers = np.unique(coronary.segment[points])
        lowest, seen = None, cause(coronary, points) is None  # lower values may be hidden
        ppg, no_ppg = ppg_of_vessel(
            coronary, int(branch), solution.pressure_mmhg / aortic_pressure_mmhg, analysed,
            complete=seen and not occluded(coronary.tree)[points].any(),
        )  # fmt: skip
        if shown.size and seen:
            lowest = int(shown[np.argmin(solution.pressure_mmhg[shown])])
        interval = _interval(spread, lowest)
        upstream = max(int(coronary.tree.parent[first]), 0)
        yield VesselResult(
            side=_side(coronary),
            vessel=coronary.names[branch],
            segments=tuple(int(n) for n in numbers if n > 0),
            start_mm=float(s_mm[upstream]),
            end_mm=float(s_mm[points].max()),
            analysed_end_mm=float(s_mm[shown].max()) if shown.size else None,
            flow_ml_min=float(solution.flow_ml_min[first]) if analysed[first] else None,
            lowest_ffr_not_for_decision=(
                None
                if lowest is None
                else float(solution.pressure_mmhg[lowest] / aortic_pressure_mmhg)
            ),
            lowest_ffr_low=interval["ffr_low"],
            lowest_ffr_high=interval["ffr_high"],
            ppg=ppg,
            no_ppg_reason=no_ppg,
            lesions=tuple(x.id for x in lesions if coronary.branch[x.throat_point] == branch),
            not_analysed_reason=of_vessel(coronary, points, analysed),
        )


def _input_summary(scan: Scan) -> InputSummary:
    size, spacing = scan.volume.grid.size, scan.volume.grid.spacing_mm
    return InputSummary(
        source=scan.source,
        series=scan.series,
        sha256=scan.sha256,
        size=(int(size[0]), int(size[1]), int(size[2])),
        spacing_mm=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
        slice_thickness_mm=scan.slice_thickness_mm,
        tube_voltage_kvp=scan.tube_voltage_kvp,
        kernel=scan.kernel,
    )
