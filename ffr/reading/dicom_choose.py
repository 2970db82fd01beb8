"""Which of the series in a study is the cardiac CTA to analyse, and why?"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ffr.errors import ConfigError, StudyError
from ffr.imaging.opacified import CONTRAST_CM2
from ffr.reading.dicom_frame import Frame
from ffr.reading.dicom_header import Instance
from ffr.reading.dicom_stack import Stack, build_stack, split_phases

NOT_A_SLICE = {"LOCALIZER", "MONITORING", "DOSE", "SCREEN SAVE", "TOPOGRAM", "SCOUT"}
REFORMATTED = {"MPR", "MIP", "REFORMATTED", "PROJECTION IMAGE", "VRT", "CPR", "SECONDARY"}
HEART_MM = 80.0  # the least coverage that can hold root and most of the coronaries
USUAL_PHASE_PERCENT = 75.0  # mid-diastole, where the coronaries rest longest
SHARP = re.compile(r"(?i)lung|bone|edge|ultra|^[a-z]{1,2}(6[0-9]|[789][0-9])[a-z]?\b")


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One phase of one series: either a stack or the reason why there is none."""

    header: Instance
    frames: tuple[Frame, ...]
    stack: Stack | None
    refusal: StudyError | None
    several_phases: bool


def candidates_of(instances: Sequence[Instance]) -> list[Candidate]:
    """Sort CT images into series and phases and check the geometry of each."""
    series: dict[str, list[Instance]] = {}
    for instance in instances:
        if instance.is_ct_image:
            series.setdefault(instance.series, []).append(instance)
    found = []
    for uid in sorted(series):
        found.extend(_candidates(sorted(series[uid], key=lambda i: i.path)))
    return found


def _candidates(members: list[Instance]) -> list[Candidate]:
    faults = [i.fault for i in members if i.fault]
    frames = tuple(f for i in members for f in i.frames)
    slices = [f for f in frames if not NOT_A_SLICE & set(f.image_type)]
    header = members[0]
    if faults:
        message = (
            f"{len(faults)} of {len(members)} files of the series are damaged "
            f"({faults[0]}); send the series again"
        )
        return [Candidate(header, frames, None, StudyError("file-corrupt", message), False)]
    if not slices:
        refusal = StudyError("not-ct", "the series holds localizers, not axial CT slices")
        return [Candidate(header, (), None, refusal, False)]
    phases = split_phases(slices)
    return [_candidate(header, phase, len(phases) > 1) for phase in phases]


def _candidate(header: Instance, frames: list[Frame], several: bool) -> Candidate:
    try:
        stack = build_stack(frames)
    except StudyError as refusal:
        return Candidate(header, tuple(frames), None, refusal, several)
    return Candidate(header, stack.frames, stack, None, several)


def choose(
    candidates: Sequence[Candidate],
    wanted: str | None,
    opacified_cm2: Callable[[Stack], float],
) -> tuple[Candidate, str]:
    """Return the series to analyse and one line that says why.

    Parameters
    ----------
    wanted
        What the user asks for: a SeriesInstanceUID, the end of one, or a series number,
        with "@40" behind it for the phase nearest 40 % of a series with several phases.
    opacified_cm2
        Measures the contrast-filled area on a few slices; called only when
        headers alone do not tell the contrast series.

    Raises
    ------
    ConfigError
        `wanted` names no series, or several.
    StudyError
        No series can be used; the reason is that of the largest one.
    """
    asked = list(candidates) if wanted is None else _wanted(candidates, wanted)
    usable = [c for c in asked if c.stack is not None]
    if not usable:
        raise _refusal(asked)
    unsure = len(usable) > 1 and not all(c.header.has_contrast_agent for c in usable)
    measured = [opacified_cm2(_stack(c)) if unsure else 0.0 for c in usable]
    ranks = [_rank(c, m) for c, m in zip(usable, measured, strict=True)]
    order = sorted(range(len(usable)), key=lambda i: ranks[i], reverse=True)
    best = usable[order[0]]
    why = "asked for" if wanted is not None else "the only usable series"
    if len(usable) > 1:
        why = _why(ranks[order[0]], ranks[order[1]], label(usable[order[1]]))
    return best, f"{describe(best)}; {why}{_left_out(candidates, best)}"


def _wanted(candidates: Sequence[Candidate], wanted: str) -> list[Candidate]:
    name, _, phase = wanted.strip().partition("@")
    by_number = {c.header.series for c in candidates if str(c.header.series_number) == name}
    by_end = {c.header.series for c in candidates if name and c.header.series.endswith(name)}
    exact = {c.header.series for c in candidates if c.header.series == name}
    found = exact or by_number or by_end
    if len(found) != 1:
        what = "no series" if not found else f"{len(found)} series"
        listed = ", ".join(sorted({_listed(c) for c in candidates})) or "none"
        message = f"--series fits {what}; this study holds: {listed}"
        raise ConfigError(message)
    chosen = [c for c in candidates if c.header.series in found]
    return [_nearest_phase(chosen, phase)] if phase else chosen


def _nearest_phase(chosen: list[Candidate], phase: str) -> Candidate:
    known = {c: c.frames[0].phase_percent for c in chosen if c.frames}
    told = {c: p for c, p in known.items() if p is not None}
    try:
        target = float(phase.rstrip("% "))
    except ValueError:
        target = -1.0
    if not told or not 0 <= target <= 100:
        message = "--series NUMBER@PHASE wants 0 to 100 per cent and a series that names phases"
        raise ConfigError(message)
    return min(told, key=lambda c: abs(told[c] - target))


def _refusal(asked: Sequence[Candidate]) -> StudyError:
    """Return the reason of the largest series, which is the one that was meant."""
    if not asked:
        message = "no CT images here; give the folder of the coronary CTA"
        return StudyError("not-ct", message)
    worst = max(asked, key=lambda c: (len(c.frames), c.header.series))
    refusal = worst.refusal or StudyError("empty", "the series holds no image")
    return StudyError(refusal.reason, f"{label(worst)}: {refusal.message}")


def _stack(candidate: Candidate) -> Stack:
    if candidate.stack is None:
        message = "a refused series has no stack"
        raise ValueError(message)
    return candidate.stack


def label(candidate: Candidate) -> str:
    """Return number and end of UID; a description may hold a name, so it is never shown."""
    number = candidate.header.series_number
    shown = "without number" if number is None else str(number)
    return f"series {shown} (UID ..{candidate.header.series[-6:]})"


def _listed(candidate: Candidate) -> str:
    return f"{label(candidate)[7:]} {len(candidate.frames)} slices"


def describe(candidate: Candidate) -> str:
    """Return what a reader wants to know of a series, in one line."""
    stack = _stack(candidate)
    i, j, k = (int(n) for n in stack.grid.size)
    said = f"{label(candidate)}: {i} x {j} x {k}, slices of {stack.slice_thickness_mm:.2f} mm"
    phase = candidate.frames[0].phase_percent
    if phase is not None:
        said += f", phase {phase:.0f} %"
    if candidate.header.kernel:
        said += f", kernel {candidate.header.kernel}"
    return said


TRAITS = (
    "is an original axial reconstruction",
    "has contrast",
    "covers the heart",
    "has slices of at most 1 mm",
    "has the better cardiac phase",
    "has a softer kernel",
    "has the phase nearer to mid-diastole",
    "has finer slices",
    "has smaller pixels",
    "has more slices",
    "comes first",
)


def _rank(candidate: Candidate, opacified_cm2: float) -> tuple[float | str, ...]:
    """Return what decides, most important first; larger is better. Order of `TRAITS`."""
    stack, header = _stack(candidate), candidate.header
    kinds = {kind.upper() for kind in candidate.frames[0].image_type}
    axial = abs(stack.grid.direction[2, 2]) > 0.7
    spacing_mm = float(stack.grid.spacing_mm[2])
    phase, distance = _phase_rank(candidate)
    return (
        float(axial and not kinds & REFORMATTED) + 0.5 * float("DERIVED" not in kinds),
        float(header.has_contrast_agent or opacified_cm2 > CONTRAST_CM2),
        float(spacing_mm * (stack.grid.size[2] - 1) >= HEART_MM),
        float(max(stack.slice_thickness_mm, spacing_mm) <= 1.0 + 1e-3),
        phase,
        0.0 if is_sharp(header.kernel) else 1.0,
        -distance,
        -round(max(stack.slice_thickness_mm, spacing_mm), 2),
        -round(float(np.max(stack.grid.spacing_mm[:2])), 2),
        float(stack.grid.size[2]),
        header.series,
    )


def is_sharp(kernel: str | None) -> bool:
    """Tell whether a kernel is made for lung or bone, whose edges overshoot in vessels."""
    return bool(kernel and SHARP.search(kernel))


def _phase_rank(candidate: Candidate) -> tuple[float, float]:
    """Return diastole 3, systole 2, unknown 1, between 0; and the distance from 75 %."""
    hint, phase = candidate.header.cardiac_hint, candidate.frames[0].phase_percent
    if candidate.several_phases:
        hint = ""  # the description speaks of the whole series
    if hint:
        return (3.0 if hint == "diastole" else 2.0), 0.0
    if phase is None:
        return 1.0, 0.0
    distance = abs(phase - USUAL_PHASE_PERCENT)
    if distance <= 10.0:
        return 3.0, distance
    return (2.0 if 30.0 <= phase <= 50.0 else 0.0), distance


def _why(best: tuple[float | str, ...], other: tuple[float | str, ...], beaten: str) -> str:
    traits = zip(TRAITS, best, other, strict=True)
    trait = next((t for t, a, b in traits if a != b), TRAITS[-1])
    return f"chosen over {beaten} because it {trait}"


def _left_out(candidates: Sequence[Candidate], best: Candidate) -> str:
    refused = [c for c in candidates if c.refusal is not None and c is not best]
    said = [f"{label(c)} {c.refusal.reason}" for c in refused if c.refusal is not None]
    return f"; not usable: {', '.join(said)}" if said else ""
