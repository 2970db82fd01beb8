"""What has become of a batch? `summary.csv`, `summary.json`, a table of reasons; no names."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from ffr import __version__
from ffr.batch.cases import Case, Verdict, verdict_of
from meshes.writing import write_text

COLUMNS = ("case", "state", "reason", "message", "wall_s", "peak_memory_mb")
SHOWN_CASES = 6  # of one reason


def rows_of(out: Path, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Return how each case stands, read from the disk."""
    return [_row(case, verdict_of(out, case)) for case in cases]


def _row(case: Case, verdict: Verdict | None) -> dict[str, Any]:
    if verdict is None:
        return dict.fromkeys(COLUMNS, "") | {"case": case.number, "state": "not ended"}
    facts = {"case": case.number, **asdict(verdict)}
    return {name: facts[name] for name in COLUMNS}


def counts(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Return how many cases are in each state."""
    states = [row["state"] for row in rows]
    return {state: states.count(state) for state in ("done", "failed", "not ended")}


def reasons(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the failed cases of each reason, the most frequent first."""
    found = defaultdict(list)
    for row in rows:
        if row["state"] == "failed":
            found[row["reason"]].append(row)
    return dict(sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0])))


def save_summary(out: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write both files, each whole or not at all."""
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    write_text(out / "summary.csv", table.getvalue())
    facts = {
        "use": "research use only",
        "version": __version__,
        "counts": counts(rows),
        "reasons": {reason: len(found) for reason, found in reasons(rows).items()},
        "cases": [
            {name: None if value == "" else value for name, value in row.items()}
            for row in rows
        ],
    }
    write_text(out / "summary.json", json.dumps(facts, indent=1, ensure_ascii=False) + "\n")


def reason_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return the reasons of failure as a table: how many, which cases, what to do."""
    table = Table(title="Failed (research use only)", title_justify="left")
    for name in ("reason", "cases", "which", "message of the first"):
        table.add_column(name, overflow="fold")
    for reason, found in reasons(rows).items():
        which = " ".join(row["case"] for row in found[:SHOWN_CASES])
        more = " ..." if len(found) > SHOWN_CASES else ""
        table.add_row(reason, str(len(found)), which + more, found[0]["message"])
    return table
