"""What does `ffr stent` print?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from ffr.show import new_table
from ffr.stenting.comparison import Comparison, RankedStent, Reading


def comparison_table(found: Comparison) -> Table:
    """Return every lesion with and without the stent as a table."""
    table = new_table("FFR with a virtual stent, * under it (research use only)", (
        ("lesion", "left"), ("at mm", "right"), ("DS %", "right"),
        ("before (95 %)", "right"), ("after (95 %)", "right"),
        ("change (95 %)", "right"), ("drop mmHg", "right"),
    ))  # fmt: skip
    for x in found.lesions:
        name = f"{x.id} {x.vessel}{' *' if x.throat_stented else ''}"
        table.add_row(
            name, f"{x.position_mm:.0f}", f"{x.diameter_stenosis_percent:.0f}", *_cells(x),
            f"{_number(x.drop_before_mmhg)}→{_number(x.drop_after_mmhg)}",
        )  # fmt: skip
    return table


def _cells(x: Reading) -> Iterator[str]:
    for name in ("ffr_before", "ffr_after", "change"):
        value, low, high = (getattr(x, f"{name}{end}") for end in ("", "_low", "_high"))
        sign = "+" if name == "change" else ""
        if value is None:
            yield "occluded" if name == "ffr_after" and x.state_after == "occluded" else "-"
        else:
            between = "," if sign else "-"
            numbers = [f"{round(x, 2) + 0.0:{sign}.2f}" for x in (value, low, high)]  # no -0.00
            yield f"{numbers[0]} ({numbers[1]}{between}{numbers[2]})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def comparison_lines(found: Comparison) -> list[str]:
    """Return the stents, the flow, the place where most is lost now, and what all that is."""
    lines = [
        f"stent: {x.vessel} from {x.from_mm:.1f} to {x.to_mm:.1f} mm, "
        f"{x.proximal_diameter_mm:.2f} to {x.distal_diameter_mm:.2f} mm wide"
        + (" (healthy reference)" if x.given_diameter_mm is None else "")
        for x in found.stents
    ]
    for side, flow in found.flow_after_ml_min.items():
        old = found.flow_before_ml_min[side]
        lines.append(f"flow into the {side} tree: {old:.0f} to {flow:.0f} ml/min")
    worst = found.greatest_remaining_drop
    if worst is not None:
        lesions = ", ".join(map(str, worst.lesions))
        lines.append(
            f"greatest remaining drop: FFR falls by {worst.ffr_drop:.2f} from "
            f"{worst.from_mm:.0f} to {worst.to_mm:.0f} mm in the {worst.vessel}"
            + (f" (lesion {lesions})" if lesions else " (no lesion there)")
        )
    return [*lines, found.statement]


def ranking_table(rows: Sequence[RankedStent]) -> Table:
    """Return single stents, the one that helps most first, as a table."""
    table = new_table("Single stents by what they gain (research use only)", (
        ("lesion", "left"), ("stent, mm", "right"), ("gain of FFR", "right"),
        ("at the end of", "left"), ("before", "right"), ("after", "right"),
    ))  # fmt: skip
    for x in rows:
        span = f"{x.from_mm:.0f}-{x.to_mm:.0f}"
        if x.gain is None:
            table.add_row(f"{x.lesion} {x.vessel}", span, "-", x.reason or "", "-", "-")
        else:
            table.add_row(
                f"{x.lesion} {x.vessel}", span, f"{x.gain:+.3f}", x.gain_vessel or "",
                f"{x.ffr_before:.2f}", f"{x.ffr_after:.2f}",
            )  # fmt: skip
    return table
