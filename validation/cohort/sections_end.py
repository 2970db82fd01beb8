"""For whom, where and how far does it hold? Sections on groups, places, ceiling, sources."""

from __future__ import annotations

from collections.abc import Sequence

from ffr.result import ffr_rounded
from validation.cohort import figures_more
from validation.cohort.document import Block, Picture, Section, Table, Text
from validation.cohort.metrics import CeilingRow, Metrics
from validation.cohort.reading import THRESHOLD, Reading, at_most, read, vessel_pairs
from validation.cohort.stard import ITEMS
from validation.cohort.words import (
    DASH,
    number,
    percent,
    share,
)

MOST_DISAGREEMENTS = 40


def subgroups(m: Metrics) -> Section:
    """Return how each group fares."""
    picture = figures_more.subgroup_figure(m)
    rows = tuple(
        (
            g.column,
            g.name,
            str(g.n),
            str(g.unread),
            share(g.prevalence),
            share(g.sensitivity),
            share(g.specificity),
            share(g.accuracy),
            number(g.auc.value, 2) if g.auc.value is not None else DASH,
            f"{number(g.bias.value, 3, True)} ± {number(g.sd)}" if g.sd is not None else DASH,
        )
        for g in m.subgroups
    )
    if not rows:
        return Section("Subgroups", (Text("The table divides into no groups."),))
    return Section(
        "Subgroups",
        (
            *((Picture(picture, "Accuracy and bias of each group"),) if picture else ()),
            Table(
                (
                    "by",
                    "group",
                    "read",
                    "unread",
                    "invasive ≤ 0.80",
                    "sensitivity",
                    "specificity",
                    "accuracy",
                    "AUC",
                    "bias ± SD",
                ),
                rows,
                words=2,
                note="n/N and Wilson 95 % in brackets. Many groups are looked at: "
                "one that stands out may do so by chance.",
            ),
        ),
    )


def places(m: Metrics) -> Section:
    """Return how vessels agree by place of reading."""
    rows = tuple(
        (
            p.place,
            str(p.n),
            number(p.mean_distance_mm, 1) if p.mean_distance_mm is not None else DASH,
            share(p.accuracy),
            f"{number(p.bias, 3, True)} ± {number(p.sd) if p.sd else DASH}",
        )
        for p in m.places
    )
    told: Block = Text("No vessel was read.")
    if rows:
        told = Table(
            ("place", "vessels", "mean mm from the lesion's end", "accuracy", "bias ± SD"),
            rows,
            note="Sensor: where the cohort table says it was. Else 20 mm distal to the lesion. "
            "A place beyond the modelled vessel is read at its end. Distances: case table.",
        )
    return Section("Place of reading", (told,))


def ceiling(m: Metrics) -> Section:
    """Return what was possible, beside what was found."""
    c, s = m.ceiling, m.sample_size
    size = Text(
        f"With this many rows the 95 % intervals are ± {number(s.accuracy_points, 1)} points "
        f"of accuracy, ± {number(s.sensitivity_points, 1)} of sensitivity, "
        f"± {number(s.specificity_points, 1)} of specificity."
    )
    if c.why_not:
        return Section("Ceiling and sample size", (Text(f"No ceiling: {c.why_not}."), size))
    rows = [_ceiling_row(f"model SD {number(r.model_sd, 2)}", r) for r in c.rows]
    if c.own is not None:
        own = f"this cohort's SD {number(c.own_model_sd)}"
        rows.append(_ceiling_row(f"{own}: expected", c.own))
    rows.append(_found_row(m))
    return Section(
        "Ceiling and sample size",
        (
            Picture(
                figures_more.ceiling_figure(m), "Accuracy and AUC against the error of a model"
            ),
            Table(
                (
                    "",
                    "acc",
                    "sens",
                    "spec",
                    "AUC",
                    "r",
                    "LoA ±",
                    "acc, computed 0.76-0.80",
                    "acc, computed 0.70-0.80",
                    "acc, invasive 0.75-0.85",
                ),
                tuple(rows),
                title="What an unbiased model of each error would show here",
                note=f"True FFR beta with mean {number(c.true_mean)}, SD {number(c.true_sd)} "
                f"(prevalence {percent(c.prevalence)}), fitted to the invasive readings; "
                f"invasive SD {c.invasive_sd}; both rounded to 0.01. This cohort's model SD: "
                "of the differences, invasive noise taken out. Accuracy, r and limits of a "
                "believable result sit on one row.",
            ),
            size,
        ),
    )


def _ceiling_row(name: str, r: CeilingRow) -> tuple[str, ...]:
    cells = (
        r.accuracy,
        r.sensitivity,
        r.specificity,
        r.auc,
        r.pearson,
        r.limits,
        r.accuracy_computed_076_080,
        r.accuracy_computed_070_080,
        r.accuracy_invasive_075_085,
    )
    return (name, *(number(v) for v in cells))


def _found_row(m: Metrics) -> tuple[str, ...]:
    t, a = m.vessel.at_080, m.agreement
    half = None if a.sd is None else 1.96 * a.sd
    by_band = {(b.by, b.name): b.accuracy.value for b in m.bands}
    values = (
        t.accuracy.value,
        t.sensitivity.value,
        t.specificity.value,
        m.vessel.roc.auc.value,
        m.correlation.pearson.value,
        half,
        by_band["computed", "0.76-0.80"],
        by_band["computed", "0.70-0.80"],
        by_band["invasive", "0.75-0.85"],
    )
    cells = [number(v) if v is not None else DASH for v in values]
    return ("this cohort: found", *cells)


def disagreements(readings: Sequence[Reading]) -> Section:
    """Return the vessels that the two tests judge differently."""
    rows = read(readings)
    pairs = vessel_pairs(rows)
    wrong = at_most(pairs.ffr, THRESHOLD) != at_most(pairs.invasive_ffr, THRESHOLD)
    found = [x for x, is_wrong in zip(rows, wrong, strict=True) if is_wrong]
    found.sort(key=lambda x: -abs((x.ffr or 0) - (x.invasive_ffr or 0)))
    if not found:
        return Section("Disagreements", (Text("No vessel was judged differently at 0.80."),))
    table = tuple(
        (
            x.case,
            x.vessel,
            f"{x.invasive_ffr:.2f}",
            f"{ffr_rounded(x.ffr or 0):.2f}",
            DASH
            if x.ffr_low is None or x.ffr_high is None
            else f"{ffr_rounded(x.ffr_low):.2f}{DASH}{ffr_rounded(x.ffr_high):.2f}",
            x.place,
            DASH if x.distance_mm is None else number(x.distance_mm, 0),
        )
        for x in found[:MOST_DISAGREEMENTS]
    )
    more = len(found) - len(table)
    return Section(
        f"Disagreements at 0.80 ({len(found)})",
        (
            Table(
                ("case", "vessel", "invasive", "computed", "95 %", "place", "mm distal"),
                table,
                words=2,
                note="Largest difference first. "
                + (f"{more} more: " if more > 0 else "All vessels: ")
                + "case table.",
            ),
        ),
    )


def items() -> Section:
    """Return where each item of the reporting guidelines is."""
    table = Table(
        ("item", "asks for", "where"),
        ITEMS,
        words=3,
        note="STARD 2015 items by number; further ones of STARD-AI and CLAIM.",
    )
    return Section("Reporting checklist", (table,))


def provenance(m: Metrics) -> Section:
    """Return where the numbers come from."""
    p = m.provenance
    rows = (
        ("command", p.command),
        ("machine", p.hardware),
        ("cohort table, SHA-256", p.table_sha256 or "none"),
        ("ct-ffr of the results", ", ".join(p.code) or "none"),
        ("networks", ", ".join(p.models) or "none"),
        ("settings, SHA-256", ", ".join(p.settings) or "none"),
        ("statistics", p.statistics),
    )
    return Section("Provenance", (Table(("", ""), rows, words=2),))
