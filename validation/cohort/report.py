"""What lies in the folder of a cohort report? Page, PDF, numbers and case table, or nothing."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from ffr import stages
from ffr.report.svg import style
from ffr.result import ffr_rounded
from meshes.writing import write_text
from validation.cohort import FILES
from validation.cohort.document import Section
from validation.cohort.html import page
from validation.cohort.metrics import Metrics
from validation.cohort.pdf import pdf_bytes
from validation.cohort.reading import THRESHOLD, Reading
from validation.cohort.sections import document

_COLUMNS = (
    "case_id", "patient_id", "vessel", "status", "reason", "invasive_ffr", "computed_ffr",
    "computed_low", "computed_high", "probability_below_0_80", "agree_at_0_80", "place",
    "distance_mm", "graded_stenosis_percent", "found_stenosis_percent",
)  # fmt: skip


def write_report(
    out: Path, metrics: Metrics, readings: Sequence[Reading], extra: Sequence[Section] = ()
) -> None:
    """Write the four files into `out`, replacing earlier ones once all are there.

    Parameters
    ----------
    out
        A folder.
    metrics, readings
        Numbers and what they were computed from.
    extra
        Further sections of the report.
    """
    with style():
        built = document(metrics, readings, extra)
        texts = {"report.html": page(built), "cases.csv": case_table(readings)}
        paper = pdf_bytes(built)
    texts["metrics.json"] = metrics.model_dump_json(indent=2) + "\n"
    (out / "stages").mkdir(parents=True, exist_ok=True)
    with stages.partial(out / "stages") as folder:
        for name, text in texts.items():
            write_text(folder / name, text)
        (folder / "report.pdf").write_bytes(paper)
        for name in FILES:  # where metrics.json is, the others belong to it
            (out / name).unlink(missing_ok=True)
        for name in reversed(FILES):
            os.replace(folder / name, out / name)


def case_table(readings: Sequence[Reading]) -> str:
    """Return the case-level CSV: one row per row of the cohort, in its order."""
    notes = list(dict.fromkeys(name for x in readings for name, _ in x.notes))
    notes = [name for name in notes if name not in _COLUMNS]
    groups = list(dict.fromkeys(name for x in readings for name, _ in x.groups))
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow([*_COLUMNS, *notes, *(f"group: {name}" for name in groups)])
    for x in readings:
        noted, grouped = dict(x.notes), dict(x.groups)
        writer.writerow(
            [
                *(_cell(v) for v in _values(x)), *(noted.get(n, "") for n in notes),
                *(grouped.get(n, "") for n in groups),
            ]
        )  # fmt: skip
    return page.getvalue()


def _values(x: Reading) -> tuple[object, ...]:
    agree = None
    if x.ffr is not None and x.invasive_ffr is not None:
        calls = [ffr_rounded(v) <= THRESHOLD + 1e-9 for v in (x.ffr, x.invasive_ffr)]
        agree = "yes" if calls[0] == calls[1] else "no"
    return (
        x.case, x.patient, x.vessel, x.status, x.reason, x.invasive_ffr, x.ffr, x.ffr_low,
        x.ffr_high, x.probability, agree, x.place, x.distance_mm, x.stenosis_percent,
        x.found_stenosis_percent,
    )  # fmt: skip


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
