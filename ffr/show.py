"""What a run prints: progress bars while it works, a table of lesions at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from ffr.phantom.study import TrueLesion
    from ffr.result import LesionResult, Result

NEAR_MM = 12.0  # a found lesion within this distance of a true one is the same


@contextmanager
def bars(console: Console) -> Iterator[Callable[[str], Callable[[float], None]]]:
    """Give a function that opens a progress bar and returns what moves it (0 to 1)."""
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


def lesion_table(result: Result) -> Table:
    """Return the lesions of a result as a table."""
    table = Table(title="Lesions (research use only)", title_justify="left")
    for name, side in (
        ("vessel", "left"), ("segment", "left"), ("at mm", "right"), ("DS %", "right"),
        ("AS %", "right"), ("MLA mm²", "right"), ("FFR distal", "right"),
        ("read at mm", "right"),
    ):  # fmt: skip
        table.add_column(name, justify=side)  # type: ignore[arg-type]
    for x in result.lesions:
        table.add_row(
            x.vessel,
            x.segment_name or "-",
            f"{x.position_mm:.0f}",
            f"{x.diameter_stenosis_percent:.0f}",
            f"{x.area_stenosis_percent:.0f}",
            f"{x.minimal_lumen_area_mm2:.2f}",
            _ffr(x.ffr_distal),
            "-" if x.distance_used_mm is None else f"{x.distance_used_mm:.0f}",
        )
    return table


def truth_table(result: Result, truth: Sequence[TrueLesion]) -> Table:
    """Return found and true lesions side by side: truth in brackets."""
    table = Table(title="Found (truth)  research use only", title_justify="left")
    for name, side in (
        ("vessel", "left"), ("segment", "left"), ("at mm", "right"), ("DS %", "right"),
        ("MLA mm²", "right"), ("FFR 20 mm distal", "right"),
    ):  # fmt: skip
        table.add_column(name, justify=side)  # type: ignore[arg-type]
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


def _ffr(value: float | None) -> str:
    return "not analysed" if value is None else f"{value:.2f}"
