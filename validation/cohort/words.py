"""How are shares, numbers and intervals written, alone and in a table?"""

from __future__ import annotations

from collections.abc import Iterable

from validation.cohort.document import Table
from validation.cohort.metrics import Estimate, Interval, Proportion

DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
NONE = "not computed"
SHARE_HEAD = ("", "count", "value", "Wilson 95 %", "patients drawn anew 95 %")
ESTIMATE_HEAD = ("", "value", "95 %", "patients drawn anew 95 %", "method")


def number(value: float | None, decimals: int = 3, sign: bool = False, none: str = NONE) -> str:
    """Return a number with a true minus sign; never "-0.000"; `none` where there is none."""
    if value is None:
        return none
    text = f"{value:+.{decimals}f}" if sign else f"{value:.{decimals}f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", MINUS)


def interval(of: Interval | None, decimals: int = 3, percent: bool = False) -> str:
    """Return both ends of an interval."""
    if of is None:
        return NONE
    scale = 100 if percent else 1
    ends = [number(scale * end, decimals) for end in (of.low, of.high)]
    return f" {DASH} ".join(ends) if any(e.startswith(MINUS) for e in ends) else DASH.join(ends)


def percent(share: float | None, decimals: int = 1) -> str:
    """Return a share in percent."""
    return NONE if share is None else f"{100 * share:.{decimals}f} %"


def share(p: Proportion) -> str:
    """Return a share with its count and Wilson interval in one cell."""
    if p.value is None:
        return DASH
    return f"{100 * p.value:.0f} % ({p.count}/{p.of}; {interval(p.wilson, 0, percent=True)})"


def share_cells(p: Proportion) -> tuple[str, str, str, str]:
    """Return count, share, and its two intervals; or why there is none."""
    if p.value is None:
        return "0/0", f"none: {p.why_not}", "", ""
    wilson, drawn = (interval(x, 1, percent=True) for x in (p.wilson, p.clustered))
    return f"{p.count}/{p.of}", percent(p.value), wilson, drawn


def share_table(
    named: Iterable[tuple[str, Proportion]], title: str = "", note: str = ""
) -> Table:
    """Return a row of cells for each share."""
    rows = tuple((name, *share_cells(p)) for name, p in named)
    return Table(SHARE_HEAD, rows, note, title=title)


def estimate(e: Estimate, decimals: int = 3) -> str:
    """Return a number with its interval in one cell."""
    if e.value is None:
        return f"none: {e.why_not}"
    ends = f" ({interval(e.interval, decimals)})" if e.interval else ""
    return number(e.value, decimals) + ends


def estimate_cells(e: Estimate) -> tuple[str, str, str]:
    """Return a number and its two intervals; or why there is none."""
    if e.value is None:
        return f"none: {e.why_not}", "", ""
    return number(e.value), interval(e.interval), interval(e.clustered) if e.clustered else DASH


def estimate_table(named: Iterable[tuple[str, Estimate]], note: str = "") -> Table:
    """Return a row of cells for each number."""
    rows = tuple((name, *estimate_cells(e), e.method) for name, e in named)
    return Table(ESTIMATE_HEAD, rows, note)


def p_value(p: float | None) -> str:
    """Return a p value as it is printed."""
    return NONE if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"
