"""How are shares, numbers and intervals written?"""

from __future__ import annotations

from validation.cohort.metrics import Estimate, Interval, Proportion

DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
NONE = "not computed"


def number(value: float | None, decimals: int = 3, sign: bool = False) -> str:
    """Return a number with a true minus sign; never "-0.000"."""
    if value is None:
        return NONE
    text = f"{value:+.{decimals}f}" if sign else f"{value:.{decimals}f}"
    if float(text) == 0:
        return text.lstrip("+-")
    return text.replace("-", MINUS)


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


def share_cells(p: Proportion) -> tuple[str, str, str, str]:
    """Return count, share, and its two intervals; or why there is none."""
    if p.value is None:
        return "0/0", f"none: {p.why_not}", "", ""
    return (
        f"{p.count}/{p.of}", percent(p.value), interval(p.wilson, 1, percent=True),
        interval(p.clustered, 1, percent=True),
    )  # fmt: skip


def share(p: Proportion) -> str:
    """Return a share with its count and Wilson interval in one cell."""
    if p.value is None:
        return f"{DASH}"
    return f"{100 * p.value:.0f} % ({p.count}/{p.of}; {interval(p.wilson, 0, percent=True)})"


def estimate(e: Estimate, decimals: int = 3, sign: bool = False) -> str:
    """Return a number with its interval in one cell."""
    if e.value is None:
        return f"none: {e.why_not}"
    ends = f" ({interval(e.interval, decimals)})" if e.interval else ""
    return number(e.value, decimals, sign) + ends


def estimate_cells(e: Estimate, decimals: int = 3) -> tuple[str, str, str]:
    """Return a number and its two intervals; or why there is none."""
    if e.value is None:
        return f"none: {e.why_not}", "", ""
    return number(e.value, decimals), interval(e.interval, decimals), _again(e, decimals)


def _again(e: Estimate, decimals: int) -> str:
    return interval(e.clustered, decimals) if e.clustered else DASH


def p_value(p: float | None) -> str:
    """Return a p value as it is printed."""
    return NONE if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"
