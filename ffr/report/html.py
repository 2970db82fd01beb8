"""How does a result become one HTML file that works offline?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ffr.certainty.confidence import GROUPS
from ffr.report import words
from ffr.report.colours import STATE_COLOUR, STATE_WORDS
from ffr.report.content import report_content
from ffr.report.edits import NOTE
from ffr.report.figures import vessel_figure
from ffr.report.lesions import READ_AT_MM
from ffr.report.paths import MAIN_VESSELS
from ffr.report.shown import Shown, axis_end_mm
from ffr.report.tree_view import tree_figure
from ffr.report.vessels import LOWEST, PPG_MEANS
from ffr.results.result import FlagEntry, Result, State
from meshes.writing import write_text

# filled, half filled, hollow: the state without its colour
_SYMBOL: dict[State, str] = {
    "above 0.80": '<circle cx="8" cy="8" r="6"/>',
    "0.76-0.80": '<circle cx="8" cy="8" r="6"/><path class="fill" d="M8 2a6 6 0 0 1 0 12z"/>',
    "0.75 or below": '<circle class="fill" cx="8" cy="8" r="6"/>',
    "occluded": '<path d="M3 3l10 10M13 3L3 13"/>',
    "not analysed": '<path d="M3 8h10"/>',
}


def render_report(shown: Shown) -> str:
    """Write the report as one HTML text that asks nothing of the network."""
    result, paths = shown.result, shown.paths()
    content = report_content(result, paths, shown.trees)
    end = axis_end_mm(paths)
    trees = None
    if shown.surface is not None and shown.surface_ffr is not None:
        trees = tree_figure(
            result, shown.trees, shown.analysed, shown.surface, shown.surface_ffr
        )
    pictures = [vessel_figure(path, shown.scan, end) for path in paths]
    missing = [name for name in MAIN_VESSELS if name not in {path.name for path in paths}]
    return _template().render(
        result=result,
        content=content,
        statement=content.statement,
        headline=content.headline,
        trees=trees,
        images=shown.scan is not None,
        panels=list(zip(content.pages, pictures, strict=True)),
        missing=missing,
        read_at_mm=READ_AT_MM,
        lowest_words=LOWEST,
        ppg_means=PPG_MEANS,
        influences=_influences(result),
        placed=_placed(result),
        groups=GROUPS,
        edits_note=NOTE,
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
        "ffr": lambda value: _absent(words.ffr(value)),
        "words": lambda state: STATE_WORDS[state],
        "symbol": _symbol,
        "short": lambda text: text[:12],
        "absent": _absent,
        "interval": words.interval,
        "percent": words.percent,
        "span": words.span,
        "grade": words.grade,
        "chances": words.chances,
        "at": words.at,
    }
    environment.globals["zip"] = zip
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
    return _absent(words.number(value, decimals))


def _absent(text: str) -> str | Markup:
    """Set the words that stand for a missing number apart."""
    if text != words.ABSENT:
        return text
    return Markup(f'<span class="absent">{words.ABSENT}</span>')


def _symbol(state: State) -> Markup:
    return Markup(  # our own constants only
        f'<svg class="symbol" viewBox="0 0 16 16" role="img" aria-label="{STATE_WORDS[state]}">'
        f"{_SYMBOL[state]}</svg>"
    )
