"""What does the page say and draw? All of it as plain values for JSON, no file, no server."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ffr import __version__
from ffr.report.angles import ANGLES, Angle, screen_axes
from ffr.report.colours import NOT_ANALYSED, STATE_COLOUR, STATE_WORDS, ffr_rgb
from ffr.report.paths import VesselPath
from ffr.report.plaque_words import amounts, fat_words, index_words, plaque_words
from ffr.report.verdict import headline
from ffr.results.result import RESEARCH_USE_ONLY, FlagEntry, LesionResult
from ffr.tracing.scct import SEGMENT_NAMES, WHOLE_VESSEL
from ffr.view.run import Run
from meshes.arrays import AnyArray, Floats
from meshes.tree import path_length_mm

COLOURS = 1000  # steps from FFR 0 to 1; the breaks at 0.755 and 0.805 fall between steps
# name, width, level in HU: contrast-filled lumen and wall, calcium and stents, soft tissue
# what a reader may call a vessel (`ffr.editing.edits.NAME`), by the tree it is usually in
NAMES: dict[str, tuple[str, ...]] = {
    "left": (
        "LM", "LAD", "D1", "D1a", "D1b", "D2", "D2a", "D3", "D4", "S1", "S2", "S3", "RI", "LCx",
        "OM1", "OM1a", "OM1b", "OM2", "OM2a", "OM3", "OM4", "LA1", "L-PDA", "L-PLB",
    ),
    "right": (
        "RCA", "CB", "SN", "AM1", "AM2", "AM3", "RA1", "R-PDA", "R-PDA2", "R-PLB", "R-PLB2",
    ),
}  # fmt: skip
WINDOWS = (("vessel", 800, 300), ("calcium", 1500, 500), ("soft", 400, 40))


def page_values(run: Run, scanned: bool) -> dict[str, Any]:
    """Return everything but pictures and surfaces; `scanned`: there is a scan to show."""
    result = run.result
    first = _first_points(run)
    return {
        "statement": RESEARCH_USE_ONLY,
        "version": __version__,
        "created": result.created,
        "headline": asdict(headline(result)),
        "quality": result.image_quality.grade,
        "cad_rads": _cad_rads(run),
        "flags": [_flag(run, flag, first) for flag in result.flags],
        "assumptions": [x.model_dump() for x in result.assumptions],
        "not_analysed": [f"{x.what}: {x.reason}" for x in result.not_analysed],
        "lesions": [_lesion(run, lesion, first) for lesion in result.lesions],
        "plaque": _plaque(run),
        "names": _names(),
        "start": start(run),
        "points": _points(run),
        "vessels": [_vessel(path, first) for path in run.paths],
        "scanned": scanned,
        "windows": WINDOWS,
        "views": [_view(angle) for angle in ANGLES],
        "colours": _colours(),
        "not_analysed_colour": NOT_ANALYSED,
        "state_colours": STATE_COLOUR,
        "state_words": STATE_WORDS,
    }


def start(run: Run) -> list[int]:
    """Return vessel and place on it that are shown first: the lesion of lowest FFR."""
    read = [x for x in run.result.lesions if x.ffr_distal is not None]
    if not read:
        return [0, 0]
    worst = min(read, key=lambda x: x.ffr_distal or 0.0)
    return _way_place(run, worst, worst.throat_point) or [0, 0]


def numbers(values: Floats | AnyArray) -> list[Any]:
    """Return an array as a list in which what is not a number is None, as JSON has it."""
    return [None if isinstance(x, float) and math.isnan(x) else x for x in values.tolist()]


def _first_points(run: Run) -> dict[str, int]:
    """Return the number of the first point of each tree, counted through all trees."""
    ends = np.cumsum([0, *(len(c.tree) for c in run.trees)])
    return {c.side: int(n) for c, n in zip(run.trees, ends, strict=False)}


def _points(run: Run) -> dict[str, list[Any]]:
    """Return columns over the points of all trees."""
    trees = run.trees
    low, high = np.concatenate(run.diameters_mm, axis=1)
    segments = [
        SEGMENT_NAMES.get(int(number), "") for c in trees for number in c.segment.tolist()
    ]
    columns = {
        "at_mm": np.concatenate([c.tree.points_mm for c in trees]).round(3).ravel(),
        "s_mm": np.concatenate([path_length_mm(c.tree) for c in trees]),
        "ffr": np.concatenate(run.ffr),
        "ffr_low": np.concatenate(run.ffr_low),
        "ffr_high": np.concatenate(run.ffr_high),
        "diameter_mm": np.concatenate([2.0 * c.tree.radius_mm for c in trees]),
        "diameter_low_mm": low,
        "diameter_high_mm": high,
        "reference_mm": np.concatenate([2.0 * c.reference_radius_mm for c in trees]),
    }
    found = {name: numbers(values) for name, values in columns.items()}
    found["name"] = [c.names[b] for c in trees for b in c.branch.tolist()]
    found["segment"] = segments
    home = _homes(run)
    found["vessel"], found["index"] = home[:, 0].tolist(), home[:, 1].tolist()
    return found


def _homes(run: Run) -> AnyArray:
    """Return for each point the way that shows it and its place on it, shape (n, 2).

    The way of its own vessel, else the first that passes it (the left main: the LAD's).
    """
    first = _first_points(run)
    home = np.full((sum(len(c.tree) for c in run.trees), 2), -1)
    for own in (False, True):
        for k in reversed(range(len(run.paths))):
            path = run.paths[k]
            coronary = next(c for c in run.trees if c.side == path.side)
            here = np.arange(path.points.size)
            if own:
                branch = coronary.names.index(path.name)
                here = here[coronary.branch[path.points] == branch]
            home[first[path.side] + path.points[here]] = np.column_stack(
                [np.full(here.size, k), here]
            )
    return home


def _place(run: Run, first: dict[str, int], side: str, point: int | None) -> list[int] | None:
    """Return vessel and place on it where a point of a tree is shown."""
    if point is None:
        return None
    vessel, index = _homes(run)[first[side] + point].tolist()
    return None if vessel < 0 else [vessel, index]


def _vessel(path: VesselPath, first: dict[str, int]) -> dict[str, Any]:
    return {
        "name": path.name,
        "side": path.side,
        "points": (first[path.side] + path.points).tolist(),
        "stretches": path.stretches,
        "takeoffs": path.takeoffs,
        "lesions": [x.id for x in path.lesions],
        "unreadable": [[x.from_mm, x.to_mm, x.reason] for x in path.unreadable],
    }


def _lesion(run: Run, lesion: LesionResult, first: dict[str, int]) -> dict[str, Any]:
    """Return a lesion with the places that a click on it leads to."""
    kept = (
        "id", "side", "vessel", "segment_name", "position_mm", "start_mm", "end_mm",
        "length_mm", "diameter_stenosis_percent", "diameter_stenosis_low_percent",
        "diameter_stenosis_high_percent", "minimal_lumen_area_mm2", "minimal_diameter_mm",
        "reference_diameter_mm", "ffr_distal", "ffr_low", "ffr_high", "probability_below_0_80",
        "distance_used_mm", "state", "pressure_drop_mmhg", "not_analysed_reason",
    )  # fmt: skip
    found: dict[str, Any] = {name: getattr(lesion, name) for name in kept}
    found["throat"] = _way_place(run, lesion, lesion.throat_point)
    found["read"] = _way_place(run, lesion, lesion.distal_point)
    found["read_point"] = (
        None if lesion.distal_point is None else first[lesion.side] + lesion.distal_point
    )
    return found


def _way_place(run: Run, lesion: LesionResult, point: int | None) -> list[int] | None:
    """Return vessel and place on it, on a way that shows throat and reading if there is one."""
    if point is None:
        return None
    wanted = {lesion.throat_point, lesion.distal_point} - {None}
    ways = [
        (len(wanted - set(path.points.tolist())), k)
        for k, path in enumerate(run.paths)
        if path.side == lesion.side and point in path.points
    ]
    if not ways:
        return None
    k = min(ways)[1]
    return [k, int(np.flatnonzero(run.paths[k].points == point)[0])]


def _flag(run: Run, flag: FlagEntry, first: dict[str, int]) -> dict[str, Any]:
    place = None
    if flag.place is not None and flag.place.vessel is not None:
        place = _flag_place(run, flag, first)
    return {"name": flag.name, "message": flag.message, "place": place}


def _flag_place(run: Run, flag: FlagEntry, first: dict[str, int]) -> list[int] | None:
    """Return the place of a warning about a vessel: its own point nearest to it."""
    place = flag.place
    coronary = next((c for c in run.trees if place and c.side == place.side), None)
    if place is None or coronary is None or place.vessel not in coronary.names:
        return None
    own = np.flatnonzero(coronary.branch == coronary.names.index(place.vessel))
    if not own.size:
        return None
    s_mm = path_length_mm(coronary.tree)[own]
    at = float(s_mm[0]) if place.position_mm is None else place.position_mm
    return _place(run, first, place.side, int(own[np.argmin(np.abs(s_mm - at))]))


def _names() -> dict[str, list[list[str]]]:
    """Return names of vessels, each with its SCCT segment in words where it has one."""
    words = {name: SEGMENT_NAMES[number] for name, number in WHOLE_VESSEL.items()}
    return {
        side: [[x, "" if words.get(x, x) == x else words[x]] for x in names]
        for side, names in NAMES.items()
    }


def _plaque(run: Run) -> dict[str, Any] | None:
    """Return plaque and fat in the words of the report; None where they were not measured."""
    found, said = run.result.plaque_and_fat, plaque_words(run.result)
    if found is None or said is None:
        return None
    return {
        "title": said.title,
        "head": said.head,
        "segments": [[x.side, x.segment_name, *amounts(x)] for x in found.segments],
        "lesions": {
            x.lesion: [*amounts(x), index_words(x.remodelling_index)] for x in found.lesions
        },
        "fat": {x.vessel: fat_words(x) for x in found.fat},
        "note": said.note,
    }


def _cad_rads(run: Run) -> str:
    grade = run.result.suggested_cad_rads
    return "/".join([grade.grade, *grade.modifiers]).replace("0-1", "0–1")


def _colours() -> list[str]:
    middle = (np.arange(COLOURS) + 0.5) / COLOURS
    return ["#" + "".join(f"{c:02x}" for c in row) for row in _bytes(ffr_rgb(middle))]


def _view(angle: Angle) -> dict[str, Any]:
    """Return an angiographic projection as axes on the screen."""
    right, up, towards = screen_axes(angle).tolist()
    return {"name": angle.name, "right": right, "up": up, "towards": towards}


def _bytes(rgb: Floats) -> Sequence[Sequence[int]]:
    rows: list[list[int]] = np.rint(255.0 * rgb).astype(int).tolist()
    return rows
