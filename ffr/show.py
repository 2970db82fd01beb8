"""What does a run print? Progress bars while it works, a table of lesions at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from ffr.phantom.study import TrueLesion
    from ffr.results.result import LesionResult, Result

PAGE_COLUMNS = 100  # the widest table fits
TERMINAL_COLUMNS = 60  # with less, numbers would be broken
INTERVAL_COLUMNS = 11  # "(0.62-0.83)" in one piece
NEAR_MM = 12.0  # a found lesion within this distance of a true one is the same


def page() -> Console:
    """Return where tables go: a file or pipe gets at least 100 columns, a terminal 60."""
    console = Console()
    least = TERMINAL_COLUMNS if console.is_terminal else PAGE_COLUMNS
    console.width = max(console.width, least)
    return console


def progress_page() -> Console:
    """Return where progress goes: bars to a terminal's standard error, else plain lines."""
    return Console(stderr=True) if sys.stderr.isatty() else page()


@contextmanager
def bars(console: Console) -> Iterator[Callable[[str], Callable[[float], None]]]:
    """Give a function that opens a progress bar and returns what moves it (0 to 1).

    Where there is no terminal, each step leaves one line when it is done.
    """
    if not console.is_terminal:
        yield lambda name: _line_when_done(console, name)
        return
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:

        def opened(name: str) -> Callable[[float], None]:
            task = progress.add_task(name, total=1.0)

            def moved(part: float) -> None:
                progress.update(task, completed=min(part, 1.0))
                if part >= 1.0:
                    progress.stop_task(task)

            return moved

        yield opened


def _line_when_done(console: Console, name: str) -> Callable[[float], None]:
    began = time.monotonic()
    said = False

    def moved(part: float) -> None:
        nonlocal said
        if part >= 1.0 and not said:
            said = True
            console.print(f"{name}: {time.monotonic() - began:.1f} s", highlight=False)

    return moved


def new_table(title: str, columns: Sequence[tuple[str, Literal["left", "right"]]]) -> Table:
    """Return an empty table; what does not fit a narrow terminal is folded, never cut."""
    table = Table(title=title, title_justify="left")
    for name, side in columns:
        least = INTERVAL_COLUMNS if "95 %" in name else None
        table.add_column(name, justify=side, overflow="fold", min_width=least)
    return table


def lesion_table(result: Result) -> Table:
    """Return the lesions of a result as a table."""
    table = new_table("Lesions (research use only)", (
        ("vessel", "left"), ("segment", "left"), ("at mm", "right"), ("DS %", "right"),
        ("MLA mm²", "right"), ("FFR distal (95 %)", "right"),
        ("read at mm", "right"),
    ))  # fmt: skip
    for x in result.lesions:
        table.add_row(
            x.vessel,
            x.segment_name or "-",
            f"{x.position_mm:.0f}",
            f"{x.diameter_stenosis_percent:.0f}",
            f"{x.minimal_lumen_area_mm2:.2f}",
            _with_interval(x),
            "-" if x.distance_used_mm is None else f"{x.distance_used_mm:.0f}",
        )
    return table


def cad_rads_line(result: Result) -> str:
    """Return the suggested CAD-RADS grade in one line."""
    x = result.suggested_cad_rads
    name = "/".join([x.grade, *x.modifiers])
    span = x.least if x.least == x.most else f"{x.least} to {x.most}"
    return f"suggested CAD-RADS 2.0: {name} (95 % of what is seen: {span}); research use only"


def truth_table(result: Result, truth: Sequence[TrueLesion]) -> Table:
    """Return found and true lesions side by side: truth in brackets."""
    table = new_table("Found (truth)  research use only", (
        ("vessel", "left"), ("segment", "left"), ("at mm", "right"), ("DS %", "right"),
        ("MLA mm²", "right"), ("FFR 20 mm distal", "right"),
    ))  # fmt: skip
    left = list(result.lesions)
    for t in truth:
        same = [
            x
            for x in left
            if x.vessel == t.vessel and abs(x.position_mm - t.position_mm) < NEAR_MM
        ]
        match = min(same, key=lambda x: abs(x.position_mm - t.position_mm), default=None)
        if match is not None:
            left.remove(match)
        table.add_row(*_pair(match, t))
    for x in left:
        table.add_row(*_pair(x, None))
    return table


def _pair(x: LesionResult | None, t: TrueLesion | None) -> list[str]:
    def both(found: str | None, true: str | None) -> str:
        return f"{found or 'not found'} ({true or 'none'})"

    vessel = x.vessel if x else t.vessel if t else ""
    segment = (x.segment_name or "-") if x else f"segment {t.segment}" if t else ""
    return [
        vessel,
        segment,
        both(f"{x.position_mm:.0f}" if x else None, f"{t.position_mm:.0f}" if t else None),
        both(
            f"{x.diameter_stenosis_percent:.0f}" if x else None,
            f"{t.diameter_stenosis_percent:.0f}" if t else None,
        ),
        both(
            f"{x.minimal_lumen_area_mm2:.2f}" if x else None,
            f"{t.minimal_lumen_area_mm2:.2f}" if t else None,
        ),
        both(_ffr(x.ffr_distal) if x else None, f"{t.ffr:.2f}" if t else None),
    ]


def _with_interval(x: LesionResult) -> str:
    if x.state == "occluded":
        return "occluded"
    if x.ffr_low is None or x.ffr_high is None:
        return _ffr(x.ffr_distal)
    return f"{_ffr(x.ffr_distal)} ({x.ffr_low:.2f}-{x.ffr_high:.2f})"


def _ffr(value: float | None) -> str:
    return "not analysed" if value is None else f"{value:.2f}"
