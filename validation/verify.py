"""Do the solvers hold where the answer is known: closed forms, stored results, experiments?

Run: python -m validation verify [SHARED]   (SHARED: folder with data/; ../shared)
"""

from __future__ import annotations

import sys
from pathlib import Path

from validation.one_d import print_rows, verify_one_d
from validation.one_d_setting import Row
from validation.steady_checks import print_fda, steady_rows
from validation.zero_d import verify_zero_d


def zero_d_rows(shared: Path) -> list[Row]:
    """Return the svZeroDSolver cases as rows of the common table."""
    return [
        Row(
            name,
            f"largest deviation ({source})",
            f"{error:.1e}",
            "0",
            100 * error,
            100 * allowed,
        )
        for name, source, error, allowed, _ in verify_zero_d(shared)
    ]


def main(shared: Path) -> None:
    """Print the tables; exit code 1 if a row fails (experiments do not count)."""
    rows = steady_rows()
    print("Steady, profile-resolved\n")
    print_rows(rows)
    print()
    print_fda()
    print("\nPulsatile 0D\n")
    zero = zero_d_rows(shared)
    print_rows(zero)
    print("\nPulsatile 1D\n")
    one = verify_one_d(shared)
    print_rows(one)
    every = [*rows, *zero, *one]
    failed = sum(not r.passed for r in every)
    print(f"\n{len(every) - failed} of {len(every)} rows hold")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared"))
