"""What lies in the folder of a cohort report? Page, PDF, numbers and case table, or nothing."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from ffr.report.html import environment_of
from ffr.report.svg import data_uri, style
from ffr.results import stages
from meshes.arrays import floats
from meshes.writing import write_text
from validation.cohort import FILES
from validation.cohort.document import Document, Section
from validation.cohort.metrics import Metrics
from validation.cohort.pdf import pdf_bytes
from validation.cohort.reading import THRESHOLD, Reading, at_most
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


def page(document: Document) -> str:
    """Return the report as one HTML text that asks nobody for anything; pictures are in it."""
    environment = environment_of(Path(__file__).parent)
    environment.filters |= {"kind": lambda block: type(block).__name__, "address": _address}
    return environment.get_template("template.html.j2").render(document=document)


def _address(figure: Figure) -> str:
    """Return a figure as a data address; its layout stays as it is, and is not found twice."""
    address = data_uri(figure)
    figure.set_layout_engine("none")
    return address


def case_table(readings: Sequence[Reading]) -> str:
    """Return the case-level CSV: one row per row of the cohort, in its order."""
    rows = [
        dict(x.notes) | _cells(x) | {f"group: {column}": name for column, name in x.groups}
        for x in readings
    ]
    known = list(dict.fromkeys(name for row in rows for name in row))
    groups = [name for name in known if name.startswith("group: ")]
    notes = [name for name in known if name not in (*_COLUMNS, *groups)]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*_COLUMNS, *notes, *groups], "", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _cells(x: Reading) -> dict[str, str]:
    agree = None
    if x.ffr is not None and x.invasive_ffr is not None:
        sick, called = at_most(floats([x.invasive_ffr, x.ffr]), THRESHOLD)
        agree = "yes" if sick == called else "no"
    values = (
        x.case, x.patient, x.vessel, x.status, x.reason, x.invasive_ffr, x.ffr, x.ffr_low,
        x.ffr_high, x.probability, agree, x.place, x.distance_mm, x.stenosis_percent,
        x.found_stenosis_percent,
    )  # fmt: skip
    return dict(zip(_COLUMNS, map(_cell, values), strict=True))


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
