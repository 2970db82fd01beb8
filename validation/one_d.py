"""Does the pulsatile 1D solver reproduce what is known exactly? Closed forms, orders, budgets.

Run: python -m validation.one_d SHARED
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from validation.one_d_boileau import boileau_rows
from validation.one_d_lines import line_rows, muscle_rows, womersley_rows
from validation.one_d_setting import Row
from validation.one_d_steady import budget_rows, poiseuille_rows, svoned_rows, taper_rows
from validation.one_d_waves import order_rows, reflection_rows, wave_speed_rows


def verify_one_d(shared: Path) -> list[Row]:
    """Return all rows; files under `shared` are optional, rows that need them left out."""
    rows = poiseuille_rows() + taper_rows() + order_rows() + wave_speed_rows()
    rows += reflection_rows() + line_rows() + muscle_rows() + womersley_rows() + budget_rows()
    if (shared / "data" / "svoned_left_coronary").is_dir():
        rows += svoned_rows(shared)
    if (shared / "data" / "boileau2015").is_dir():
        rows += boileau_rows(shared / "data" / "boileau2015")
    return rows


def print_rows(rows: Sequence[Row]) -> None:
    """Print the table."""
    print("| case | quantity | got | expected | error % | allowed % | |")
    print("|---|---|---|---|---|---|---|")
    for r in rows:
        verdict = "ok" if r.passed else "FAILS"
        print(
            f"| {r.case} | {r.quantity} | {r.got} | {r.expected} "
            f"| {r.error_percent:.3g} | {r.allowed_percent:g} | {verdict} |"
        )


if __name__ == "__main__":
    print_rows(verify_one_d(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared")))
