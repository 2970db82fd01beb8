"""Which verb looks at the machine? `doctor`."""

from __future__ import annotations

import typer


def doctor() -> None:
    """What this machine has, and how to mend what is missing."""
    from ffr.doctor import checks

    failed = False
    for check in checks():
        print(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.found}")
        if not check.ok:
            print(f"     {check.remedy}")
            failed = True
    if failed:
        raise typer.Exit(2)
