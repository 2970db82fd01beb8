"""Which files of two runs of one study must be the same, byte for byte, and which are not?

All that a run leaves are compared, but for what says when it ran and how long it took:
`created` and `timings` in result.json, the same in report.html, report.pdf (drawn from what is
compared, with the date on every page), and stages/*/seconds.txt.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

LEFT_OUT_FIELDS = ("created", "timings")  # of result.json
LEFT_OUT_FILES = ("seconds.txt", "report.pdf")
_SECONDS = r"<tr><td>{stage}</td><td>[^<]* s</td></tr>"


def digests(out: Path) -> dict[str, str]:
    """Return the SHA-256 of each compared file of a result folder, by its path in there."""
    files = [p for p in sorted(out.rglob("*")) if p.is_file() and p.name not in LEFT_OUT_FILES]
    return {
        p.relative_to(out).as_posix(): hashlib.sha256(_compared(p)).hexdigest() for p in files
    }


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[str, ...]:
    """Return the files that differ between two runs, or that only one of them has."""
    return tuple(n for n in sorted({*one, *other}) if one.get(n) != other.get(n))


def _compared(path: Path) -> bytes:
    if path.name == "result.json":
        return json.dumps(_timeless(path)).encode()
    if path.name == "report.html":
        return _report(path).encode()
    return path.read_bytes()


def _timeless(path: Path) -> dict[str, object]:
    result = json.loads(path.read_text(encoding="utf-8"))
    return {k: v for k, v in result.items() if k not in LEFT_OUT_FIELDS}


def _report(path: Path) -> str:
    """Return the page without the date and the seconds that result.json beside it gives."""
    result = json.loads((path.parent / "result.json").read_text(encoding="utf-8"))
    page = path.read_text(encoding="utf-8").replace(result["created"], "")
    for timing in result["timings"]:
        page = re.sub(_SECONDS.format(stage=re.escape(timing["stage"])), "", page)
    return page
