"""What lies in the folder of a comparison with labels? Page, numbers and case table."""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ffr.report.svg import style
from ffr.results.result import RESEARCH_USE_ONLY
from meshes.writing import write_text
from validation.cohort.document import Block, Document, Picture, Section, Table, Text
from validation.cohort.report import page
from validation.labelled_case import LabelCase
from validation.labelled_numbers import (
    called_severe,
    false_severe,
    ffr_errors,
    ffr_measures,
    overlap_measures,
    radius_measures,
    severe,
    stenosis_measures,
)
from validation.labelled_pictures import overlap_figure, radius_figure
from validation.labelled_statistics import Measure, Number, number

MINUS = "\N{MINUS SIGN}"
FAR_OSTIUM_MM = 5.0
WORDS = {
    "label": "nothing to compare with: the label or the pair is unfit",
    "image": "no result: refused, failed or crashed; counts as nothing found",
    "flow": "no FFR: masks, centrelines and radii are compared, stenoses and FFR are not",
}
MASK_NOTE = (
    "HD95: the larger of both directed 95th percentiles between surface voxels (Maier-Hein "
    "2024). clDice: Shit 2021. A scan without a result counts 0 %, and has no distance."
)
LINE_NOTE = (
    "OV, OF, OT, AI as the Rotterdam challenge defines them (Schaap 2009), mean over the LAD, "
    "the LCx, the RCA and the longest side branch of each label. The reference is the tree "
    "that the label's own voxels give."
)
RADIUS_NOTE = (
    "Ours minus the label's radius of equal area, every half millimetre, away from divisions. "
    "A label with steps of whole voxels, or with wall in it, differs from the lumen by itself."
)
FFR_NOTE = (
    "Ours minus the label's FFR, at the ends of vessels and 20 mm behind the label's "
    "stenoses. First with our radii moved to the label's centrelines: the same course, "
    "outlets, beds, mass and flow split, so that only the lumen differs. Then in our own tree."
)


def groups() -> tuple[tuple[str, list[Measure], str], ...]:
    """Return all measures with their heading and note."""
    overlap = overlap_measures()
    return (
        ("Lumen masks", overlap[:4], MASK_NOTE),
        ("Centrelines", overlap[4:], LINE_NOTE),
        ("Lumen radius", radius_measures(), RADIUS_NOTE),
        ("Stenoses", stenosis_measures(), "Of scans with FFR; nothing is graded without it."),
        ("FFR between the lumens", ffr_measures(), FFR_NOTE),
    )


def write_report(out: Path, cases: Sequence[LabelCase], about: str, meaning: str) -> None:
    """Write `report.html`, `metrics.json` and `cases.csv`.

    `about` says how the numbers were made, `meaning` what the labels stand for.
    """
    cases = sorted(cases, key=lambda c: c.number)
    made = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with style():
        html = page(document(cases, about, meaning, made))
    write_text(out / "report.html", html)
    write_text(out / "cases.csv", case_table(cases))
    write_text(out / "metrics.json", json.dumps(metrics(cases, about, meaning, made), indent=1))


def document(cases: Sequence[LabelCase], about: str, meaning: str, made: str) -> Document:
    """Return the report before it is a page."""
    compared = [c for c in cases if c.failed != "label"]
    tables = {title: _table(measures, compared, note) for title, measures, note in groups()}
    pictures = (
        Picture(overlap_figure(compared), "Overlap of centrelines and of masks by scan"),
        Picture(radius_figure(compared), "Bland-Altman of radius; FFR in both lumens"),
    )
    titles = list(tables)
    return Document(
        title="Labelled scans: our lumen beside the label's",
        facts=(about.replace("`", ""), meaning, made),
        statement=RESEARCH_USE_ONLY,
        created=made,
        sections=(
            _scans(cases),
            Section("Masks and centrelines", (pictures[0], *(tables[t] for t in titles[:2]))),
            Section("Radius and FFR", (pictures[1], tables[titles[2]], tables[titles[4]])),
            Section("Stenoses", (tables[titles[3]],)),
            Section("Scan by scan", (_by_scan(cases),)),
        ),
    )


def _scans(cases: Sequence[LabelCase]) -> Section:
    good = sum(not c.failed for c in cases)
    blocks: list[Block] = [
        Text(f"{len(cases)} pairs of image and label; {good} of them compared in full.")
    ]
    rows = [(WORDS[stage], reason, str(n)) for (stage, reason), n in _reasons(cases)]
    if rows:
        blocks.append(Table(("what is missing", "reason", "scans"), tuple(rows), words=2))
    far = sum(any(mm is None or mm > FAR_OSTIUM_MM for _, mm in c.ostium_mm) for c in cases)
    if far:
        blocks.append(Text(
            f"In {far} scan(s) an ostium of ours is missing or over {FAR_OSTIUM_MM:g} mm from "
            "the label's tree's. A label without an aorta does not say where an artery begins: "
            "look whether ours or the label's tree begins at the wrong end.", strong=True,
        ))  # fmt: skip
    return Section("Scans", tuple(blocks))


def _reasons(cases: Sequence[LabelCase]) -> list[tuple[tuple[str, str], int]]:
    return sorted(Counter((c.failed, c.reason) for c in cases if c.failed).items())


def _table(measures: Sequence[Measure], cases: Sequence[LabelCase], note: str) -> Table:
    rows = []
    for m in measures:
        n = number(m, cases)
        rests_on = f"{n.rests_on} {m.things}"
        rows.append((m.name, _text(n.value, m.digits), _interval(n, m.digits), rests_on))
    return Table(("", "all scans", "95 % interval", "rests on"), tuple(rows), note)


def _text(value: float | None, digits: int) -> str:
    if value is None:
        return "none"
    return f"{value:.{digits}f}".replace("-", MINUS)


def _interval(n: Number, digits: int) -> str:
    if n.interval is None:
        return "too few scans" if n.value is not None else ""
    return " to ".join(_text(end, digits) for end in n.interval)


COLUMNS = (
    "scan", "layout", "failed", "reason", "dice_percent", "cl_dice_percent", "hd95_mm",
    "network_dice_percent", "ov_percent", "of_percent", "ot_percent", "ai_mm",
    "radius_points", "radius_bias_mm", "radius_sd_mm", "stenoses_50", "stenoses_50_reported",
    "severe_reported", "severe_false", "ffr_readings", "ffr_bias", "ffr_largest",
    "left_ostium_mm", "right_ostium_mm", "processor_s", "message",
)  # fmt: skip


def case_values(c: LabelCase) -> tuple[object, ...]:
    """Return the row of a scan, in the order of `COLUMNS`."""
    by_key = {m.key: m for _, measures, _ in groups() for m in measures}

    def one(key: str) -> float | None:
        return None if c.failed == "label" else number(by_key[key], [c]).value

    ostium = dict(c.ostium_mm)
    ffr = ffr_errors(c).tolist()
    return (
        c.number, c.layout, c.failed, c.reason,
        *(one(key) for key in COLUMNS[4:12]),
        len(c.radii.told_mm), one("radius_mm_bias"), one("radius_mm_sd"),
        sum(severe(x) for x in c.stenoses),
        sum(severe(x) and called_severe(x) for x in c.stenoses),
        c.severe_reported, int(false_severe(c)),
        len(ffr), one("ffr_bias"), max(ffr, key=abs, default=None),
        ostium.get("left"), ostium.get("right"), c.processor_s, c.message,
    )  # fmt: skip


def case_table(cases: Sequence[LabelCase]) -> str:
    """Return the case table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(v) for v in case_values(c)] for c in cases)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}" if abs(value) >= 10 else _text(value, 3)
    return _cell(value)


def _by_scan(cases: Sequence[LabelCase]) -> Table:
    shown = (0, 3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 20)
    heads = ("scan", "missing", "Dice", "clDice", "HD95", "OV", "OF", "OT", "AI",
             "radius bias", "radius SD", "FFR bias")  # fmt: skip
    rows = [tuple(_short(case_values(c)[k]) for k in shown) for c in cases]
    return Table(heads, tuple(rows), "Percent and mm; scans are numbered in the order of "
                 "their paths.", words=2)  # fmt: skip


def metrics(
    cases: Sequence[LabelCase], about: str, meaning: str, made: str
) -> dict[str, object]:
    """Return all numbers as what JSON holds."""
    compared = [c for c in cases if c.failed != "label"]
    numbers: dict[str, object] = {}
    for _, measures, _ in groups():
        for m in measures:
            n = number(m, compared)
            numbers[m.key] = {
                "name": m.name, "value": n.value, "rests_on": n.rests_on, "things": m.things,
                "interval_95": None if n.interval is None else list(n.interval),
            }  # fmt: skip
    return {
        "research_use_only": RESEARCH_USE_ONLY, "created": made, "made_by": about,
        "labels": meaning, "pairs": len(cases),
        "compared_in_full": sum(not c.failed for c in cases),
        "failures": [{"missing": s, "reason": r, "scans": n} for (s, r), n in _reasons(cases)],
        "layouts": dict(Counter(c.layout for c in cases)),
        "processor_s_median": float(np.median([c.processor_s for c in cases] or [0.0])),
        "numbers": numbers,
    }  # fmt: skip
