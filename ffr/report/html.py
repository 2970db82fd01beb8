"""How does a result become one HTML file that works offline?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ffr.report.colours import STATE_COLOUR, STATE_WORDS
from ffr.report.figures import vessel_figure
from ffr.report.paths import MAIN_VESSELS, VesselPath, vessel_paths
from ffr.report.tree_view import LumenSurface, tree_figure
from ffr.result import (
    RESEARCH_USE_ONLY,
    CadRads,
    FlagEntry,
    FlagPlace,
    LesionResult,
    Result,
    State,
    VesselGrade,
    ffr_rounded,
    ffr_state,
)
from ffr.uncertainty import GROUPS, Confidence
from meshes.arrays import AnyArray, Floats
from meshes.tree import CoronaryTree, path_to
from meshes.volume import Volume
from meshes.writing import write_text
from solvers.solution import FlowSolution

READ_AT_MM = 20.0
_SHORTEST_AXIS_MM = 60.0  # a stub must not be blown up to the full width
# filled, half filled, hollow: the state without its colour
_SYMBOL: dict[State, str] = {
    "above 0.80": '<circle cx="8" cy="8" r="6"/>',
    "0.76-0.80": '<circle cx="8" cy="8" r="6"/><path class="fill" d="M8 2a6 6 0 0 1 0 12z"/>',
    "0.75 or below": '<circle class="fill" cx="8" cy="8" r="6"/>',
    "occluded": '<path d="M3 3l10 10M13 3L3 13"/>',
    "not analysed": '<path d="M3 8h10"/>',
}


def render_report(
    *,
    result: Result,
    scan_volume: Volume | None,
    coronaries: Sequence[CoronaryTree],
    solutions: Sequence[FlowSolution],
    analysed: Sequence[AnyArray],
    confidence: Confidence | None = None,
    surface: LumenSurface | None,
    surface_ffr: Floats | None,
) -> str:
    """Write the report as one HTML text that asks nothing of the network.

    Parameters
    ----------
    result
        What the analysis found.
    scan_volume
        The native scan, HU; None when the lumen came without one.
    coronaries, solutions, analysed
        The trees of `result`, their solutions, and per tree True where a point was
        analysed, shape (n,).
    confidence
        How sure FFR is, and what decides it; None when that was not computed.
    surface, surface_ffr
        The lumen of both trees, and FFR at each of its points, NaN where not analysed; None
        when there is no lumen surface to draw.
    """
    paths = vessel_paths(result, coronaries, solutions, analysed, confidence)
    axis_end = max([_SHORTEST_AXIS_MM, *(1.01 * float(p.s_mm[-1]) for p in paths)])
    trees = None
    if surface is not None and surface_ffr is not None:
        trees = tree_figure(result, coronaries, analysed, surface, surface_ffr)
    panels = [
        _panel(result, path, vessel_figure(path, scan_volume, axis_end)) for path in paths
    ]
    missing = [name for name in MAIN_VESSELS if name not in {path.name for path in paths}]
    return _template().render(
        result=result,
        statement=RESEARCH_USE_ONLY,
        headline=headline(result),
        ranked=sorted(result.lesions, key=_rank),
        beyond={x.id: _lesions_before(result, coronaries, x) for x in result.lesions},
        trees=trees,
        images=scan_volume is not None,
        panels=panels,
        missing=missing,
        read_at_mm=READ_AT_MM,
        influences=_influences(result),
        placed=_placed(result),
        groups=GROUPS,
    )


def _placed(result: Result) -> dict[str, list[FlagEntry]]:
    """Return the warnings that belong to a vessel, by vessel."""
    found: dict[str, list[FlagEntry]] = {}
    for flag in result.flags:
        if flag.place is not None and flag.place.vessel is not None:
            found.setdefault(flag.place.vessel, []).append(flag)
    return found


def _influences(result: Result) -> list[dict[str, Any]]:
    """Return, per lesion, the share of each input in the order of GROUPS, in percent."""
    rows = []
    for x in result.lesions:
        if x.influences:
            shares = {y.input: y.total for y in x.influences}
            whole = sum(shares.values())
            parts = [100.0 * shares[name] / whole for name in GROUPS]
            rows.append({"lesion": x, "shares": parts, "first": x.influences[0].input})
    return rows


def save_report(path: Path, html: str) -> None:
    """Write the report to `path`: the whole file or nothing."""
    write_text(path, html)


def _rank(lesion: LesionResult) -> tuple[bool, float]:
    return lesion.ffr_distal is None, lesion.ffr_distal or 0.0


def _lesions_before(
    result: Result, coronaries: Sequence[CoronaryTree], lesion: LesionResult
) -> list[int]:
    """Return the other lesions between a lesion and the place where its FFR is read."""
    if lesion.distal_point is None:
        return []
    tree = next(c.tree for c in coronaries if c.side == lesion.side)
    way = set(path_to(tree, lesion.distal_point).tolist()) - set(
        path_to(tree, lesion.end_point).tolist()
    )
    return [x.id for x in result.lesions if x.side == lesion.side and x.throat_point in way]


def headline(result: Result) -> dict[str, Any]:
    """Say the most important thing in one line, with the state that belongs to it."""
    found = _headline_of_lesions(result)
    if result.unreadable:
        places = ", ".join(
            f"{x.vessel} from {x.from_mm:.0f} mm on ({x.reason})" for x in result.unreadable
        )
        found["text"] += f" Not analysable: {places}."
        if found["state"] == "above 0.80":  # nobody knows
            found["state"] = "not analysed"
    return found


def _headline_of_lesions(result: Result) -> dict[str, Any]:
    values = [x.ffr_distal for x in result.lesions if x.ffr_distal is not None]
    if not any(x.analysed for x in result.segments):
        return {"state": "not analysed", "text": "No vessel could be analysed."}
    if not result.lesions:
        text = "No lesion was found in the analysed vessels."
        return {"state": "above 0.80", "text": text}
    shut = sum(x.state == "occluded" for x in result.lesions)
    closed = {0: "", 1: "1 lesion is an occlusion or lies before one: no FFR. "}.get(
        shut, f"{shut} lesions are occlusions or lie before one: no FFR. "
    )
    if not values and shut:
        return {"state": "occluded", "text": closed.strip()}
    if not values:
        text = "None of the lesions found could be analysed."
        return {"state": "not analysed", "text": text}
    low = sum(ffr_rounded(value) <= 0.80 for value in values)
    lesions = "1 lesion" if len(values) == 1 else f"{len(values)} lesions"
    text = (
        f"{closed}{low} of {lesions} with FFR 0.80 or below; the lowest value distal to a "
        f"lesion is {ffr_rounded(min(values)):.2f}{_ends_of_lowest(result)}."
    )
    return {"state": "occluded" if shut else ffr_state(min(values)), "text": text}


def _ends_of_lowest(result: Result) -> str:
    read = [x for x in result.lesions if x.ffr_distal is not None]
    worst = min(read, key=lambda x: x.ffr_distal or 0.0)
    if worst.ffr_low is None:
        return ""
    return f" (95 % interval {_interval(worst.ffr_low, worst.ffr_high)})"


def _panel(result: Result, path: VesselPath, picture: str) -> dict[str, Any]:
    vessel = next(x for x in result.vessels if x.side == path.side and x.vessel == path.name)
    return {
        "name": path.name, "lesions": path.lesions, "picture": picture, "vessel": vessel,
    }  # fmt: skip


def environment_of(folder: Path) -> jinja2.Environment:
    """Return how templates of a folder are filled in: all escaped, and nothing may lack."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _template() -> jinja2.Template:
    environment = environment_of(Path(__file__).parent)
    environment.filters |= {
        "number": _number,
        "ffr": lambda value: _number(None if value is None else ffr_rounded(value), 2),
        "words": lambda state: STATE_WORDS[state],
        "symbol": _symbol,
        "short": lambda text: text[:12],
        "interval": _interval,
        "percent": _percent,
        "span": _span,
        "grade": lambda x: "/".join([x.grade, *x.modifiers]).replace("0-1", "0–1"),
        "chances": _chances,
        "at": _at,
    }
    environment.globals["colours"] = {
        "above": STATE_COLOUR["above 0.80"],
        "borderline": STATE_COLOUR["0.76-0.80"],
        "low": STATE_COLOUR["0.75 or below"],
        "none": STATE_COLOUR["not analysed"],
    }
    environment.globals["css_class"] = {
        "above 0.80": "above", "0.76-0.80": "borderline",
        "0.75 or below": "low", "occluded": "low", "not analysed": "none",
    }  # fmt: skip
    return environment.get_template("template.html.j2")


def _number(value: float | None, decimals: int = 1) -> str | Markup:
    if value is None:
        return Markup('<span class="absent">not analysed</span>')
    # a minus sign as wide as a digit; "-0.0" would puzzle
    text = f"{value:.{decimals}f}"
    return (
        text[1:] if float(text) == 0 and text[0] == "-" else text.replace("-", "\N{MINUS SIGN}")
    )


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "not computed"
    return f"{ffr_rounded(low):.2f}\N{EN DASH}{ffr_rounded(high):.2f}"


def _span(grade: CadRads | VesselGrade) -> str:
    """Return the categories in the 95 % interval."""
    words = grade.least if grade.least == grade.most else f"{grade.least} to {grade.most}"
    return words.replace("0-1", "0–1")


def _chances(grade: CadRads | VesselGrade) -> str:
    """Return the categories that are not out of the question, each with its probability."""
    likely = [x for x in grade.chances if x.probability >= 0.01]
    words = ", ".join(f"{x.grade}: {_percent(x.probability)}" for x in likely)
    return words.replace("0-1", "0–1")


def _at(place: FlagPlace | None) -> str:
    """Return the place of a warning in words."""
    if place is None:
        return ""
    words = [place.vessel or f"{place.side} tree"]
    if place.segment is not None:
        words.append(f"SCCT {place.segment}")
    if place.position_mm is not None:
        words.append(f"{place.position_mm:.0f} mm from the ostium")
    if place.point_mm is not None:
        words.append("L, P, S " + ", ".join(_number(x, 0) for x in place.point_mm) + " mm")
    return " · ".join(words)


def _percent(share: float | None) -> str:
    """Return a share in percent; never 0 or 100, which nobody can promise."""
    if share is None:
        return "not computed"
    return "< 1 %" if share < 0.01 else "> 99 %" if share > 0.99 else f"{100 * share:.0f} %"


def _symbol(state: State) -> Markup:
    words = STATE_WORDS[state]
    return Markup(  # our own constants only
        f'<svg class="symbol" viewBox="0 0 16 16" role="img" aria-label="{words}">'
        f"{_SYMBOL[state]}</svg>"
    )
