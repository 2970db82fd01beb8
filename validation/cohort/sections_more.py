"""For whom, where and how far does it hold? Sections from bands and calibration to sources."""

from __future__ import annotations

from collections.abc import Sequence

from ffr.results.result import ffr_rounded
from validation.cohort import figures_more
from validation.cohort.ceiling import INVASIVE_SD
from validation.cohort.document import Block, Picture, Section, Table, Text
from validation.cohort.metrics import CeilingRow, Metrics
from validation.cohort.reading import THRESHOLD, Reading, at_most, read, vessel_pairs
from validation.cohort.words import (
    DASH,
    estimate,
    number,
    percent,
    share,
    share_cells,
    share_table,
)  # fmt: skip

MOST_DISAGREEMENTS = 40
AUTHORS = "for the authors"
# STARD 2015: Bossuyt, BMJ 2015;351:h5527. STARD-AI: 2025. CLAIM: Mongan, Radiol Artif Intell
# 2020;2:e200029.
CHECKLIST: tuple[tuple[str, str, str], ...] = (
    ("1-5", "title, abstract, background, objectives, prospective or not", AUTHORS),
    ("6-9", "eligibility, setting, dates, consecutive or not", f"Flow; {AUTHORS}"),
    ("10a", "index test, in detail to be repeated", "Provenance: version, models, settings"),
    ("10b", "reference standard, in detail to be repeated",
     "Subgroups: adenosine, CT to invasive; place of reading"),
    ("11", "why this reference standard", AUTHORS),
    ("12a", "cut-offs of the index test, pre-specified", "Diagnosis: 0.80 and 0.75, ≤ rule"),
    ("12b", "cut-offs of the reference standard", "the same"),
    ("13a/b", "blinding of readers to the other test",
     f"index test: the analysis sees no invasive value but the place of the sensor; {AUTHORS}"),
    ("14", "methods of estimating accuracy", "below each table"),
    ("15", "indeterminate results", "Grey zone; intention to diagnose"),
    ("16", "missing data", "Flow; intention to diagnose"),
    ("17", "analyses of variability, pre-specified or exploratory", "Subgroups; calibration"),
    ("18", "sample size", f"Ceiling and sample size; {AUTHORS}"),
    ("19", "flow of participants", "Flow"),
    ("20, 21", "characteristics, spread of severity", "Subgroups; bands; case table"),
    ("22", "time and treatment between the tests", "Subgroups: CT to invasive"),
    ("23", "cross tabulation", "Diagnosis"),
    ("24", "accuracy with intervals", "Diagnosis; ranking"),
    ("25", "adverse events", AUTHORS),
    ("26, 27", "limitations, implications", AUTHORS),
    ("28-30", "registration, protocol, funding", AUTHORS),
    ("STARD-AI", "software and model versions", "Provenance"),
    ("STARD-AI", "data partition: no case of the cohort trained or tuned the models", AUTHORS),
    ("STARD-AI, CLAIM", "failures and rejected input", "Flow: causes"),
    ("CLAIM", "performance by group, calibration, failure analysis",
     "Subgroups; calibration; disagreements"),
)  # fmt: skip


def bands(m: Metrics) -> Section:
    """Return agreement by band, and the grey zone."""
    head = ("band", "vessels", "agreement at 0.80", "invasive ≤ 0.80", "mean invasive",
            "mean computed")  # fmt: skip
    rows = tuple(
        (f"{b.by} FFR {b.name}", str(b.n), share(b.accuracy), share(b.positive),
         number(b.mean_invasive, 2), number(b.mean_computed, 2))
        for b in m.bands
    )  # fmt: skip
    note = (
        "Read overall and banded numbers together. Inside invasive 0.75-0.85 an invasive "
        f"repeat itself agrees in about 77 %, calculated for an SD of {INVASIVE_SD}."
    )
    g = m.grey_zone
    zone = (
        ("grey zone: computed FFR 0.76-0.80", g.inside),
        ("agreement inside it", g.accuracy_inside),
        ("agreement outside it", g.accuracy_outside),
        ("own 95 % interval holds both sides of 0.80", g.unsure),
        ("agreement there", g.accuracy_unsure),
        ("agreement elsewhere", g.accuracy_sure),
    )
    picture = Picture(figures_more.bands_figure(m), "Agreement and number of vessels by band")
    blocks = (picture, Table(head, rows, note), share_table(zone, "Grey zone"))
    return Section("Bands and grey zone", blocks)


def calibration(m: Metrics) -> Section:
    """Return whether the computed interval is right."""
    c = m.calibration
    held: Block = Text(f"Not computed: {c.why_not}.")
    if c.levels:
        held = Table(
            ("promised", "count", "held", "Wilson 95 %", "held, noise allowed for",
             "Wilson 95 %", "patients drawn anew 95 %"),
            tuple(
                (percent(x.nominal, 0), *share_cells(x.held)[:3],
                 *share_cells(x.held_with_noise)[1:])
                for x in c.levels
            ),
            note="The interval is one of the true FFR. Noise allowed for: widened by the "
            f"invasive reading's own SD of {INVASIVE_SD}. Levels other than 95 % scale the "
            "interval as a normal distribution. Mean width of the 95 % interval "
            f"{number(c.mean_width)}; error over promised error {number(c.error_ratio, 2)} "
            f"(above 1: intervals too narrow). Brier score {estimate(c.brier)}.",
        )  # fmt: skip
    bins: Block = Text(f"Probability: {c.brier.why_not}.")
    if c.bins:
        bins = Table(
            ("computed P(FFR ≤ 0.80)", "mean", "count", "invasive ≤ 0.80", "Wilson 95 %",
             "patients drawn anew 95 %"),
            tuple(
                (f"{x.low:.2f}{DASH}{x.high:.2f}", number(x.predicted, 2),
                 *share_cells(x.observed))
                for x in c.bins
            ),
        )  # fmt: skip
    picture = Picture(figures_more.calibration_figure(m), "Promised against found")
    return Section("Calibration of the computed interval", (picture, held, bins))


def subgroups(m: Metrics) -> Section:
    """Return how each group fares."""
    if not m.subgroups:
        return Section("Subgroups", (Text("The table divides into no groups."),))
    head = ("by", "group", "read", "unread", "invasive ≤ 0.80", "sensitivity", "specificity",
            "accuracy", "AUC", "bias ± SD")  # fmt: skip
    rows = tuple(
        (g.column, g.name, str(g.n), str(g.unread),
         *(share(p) for p in (g.prevalence, g.sensitivity, g.specificity, g.accuracy)),
         number(g.auc.value, 2, none=DASH),
         DASH if g.sd is None else f"{number(g.bias.value, 3, True)} ± {number(g.sd)}")
        for g in m.subgroups
    )  # fmt: skip
    note = (
        "n/N and Wilson 95 % in brackets. Many groups are looked at: "
        "one that stands out may do so by chance."
    )
    figure = figures_more.subgroup_figure(m)
    picture = [Picture(figure, "Accuracy and bias of each group")] if figure else []
    return Section("Subgroups", (*picture, Table(head, rows, note, words=2)))


def places(m: Metrics) -> Section:
    """Return how vessels agree by place of reading."""
    rows = tuple(
        (p.place, str(p.n), number(p.mean_distance_mm, 1, none=DASH), share(p.accuracy),
         f"{number(p.bias, 3, True)} ± {number(p.sd, none=DASH)}")
        for p in m.places
    )  # fmt: skip
    head = ("place", "vessels", "mean mm from the lesion's end", "accuracy", "bias ± SD")
    note = (
        "Sensor: where the cohort table says it was. Else 20 mm distal to the lesion. "
        "A place beyond the modelled vessel is read at its end. Distances: case table."
    )
    told = Table(head, rows, note) if rows else Text("No vessel was read.")
    return Section("Place of reading", (told,))


def ceiling(m: Metrics) -> Section:
    """Return what was possible, beside what was found."""
    c, s = m.ceiling, m.sample_size
    size = Text(
        f"With this many rows the 95 % intervals are ± {number(s.accuracy_points, 1)} points "
        f"of accuracy, ± {number(s.sensitivity_points, 1)} of sensitivity, "
        f"± {number(s.specificity_points, 1)} of specificity."
    )
    title = "Ceiling and sample size"
    if c.own is None:
        return Section(title, (Text(f"No ceiling: {c.why_not}."), size))
    head = ("", "acc", "sens", "spec", "AUC", "r", "LoA ±", "acc, computed 0.76-0.80",
            "acc, computed 0.70-0.80", "acc, invasive 0.75-0.85")  # fmt: skip
    own = f"this cohort's SD {number(c.own_model_sd)}: expected"
    rows = (
        *(_ceiling_row(f"model SD {number(r.model_sd, 2)}", r) for r in c.rows),
        _ceiling_row(own, c.own), _found_row(m),
    )  # fmt: skip
    note = (
        f"True FFR beta with mean {number(c.true_mean)}, SD {number(c.true_sd)} "
        f"(prevalence {percent(c.prevalence)}), fitted to the invasive readings; "
        f"invasive SD {c.invasive_sd}; both rounded to 0.01. This cohort's model SD: "
        "of the differences, invasive noise taken out. Accuracy, r and limits of a "
        "believable result sit on one row."
    )
    table = Table(
        head, rows, note, title="What an unbiased model of each error would show here"
    )
    alt = "Accuracy and AUC against the error of a model"
    return Section(title, (Picture(figures_more.ceiling_figure(m), alt), table, size))


def _ceiling_row(name: str, r: CeilingRow) -> tuple[str, ...]:
    cells = r.model_dump(exclude={"model_sd"}).values()  # in the order of the columns
    return (name, *(number(v) for v in cells))


def _found_row(m: Metrics) -> tuple[str, ...]:
    t, sd = m.vessel.at_080, m.agreement.sd
    by_band = {(b.by, b.name): b.accuracy.value for b in m.bands}
    values = (
        t.accuracy.value, t.sensitivity.value, t.specificity.value, m.vessel.roc.auc.value,
        m.correlation.pearson.value, None if sd is None else 1.96 * sd,
        by_band["computed", "0.76-0.80"], by_band["computed", "0.70-0.80"],
        by_band["invasive", "0.75-0.85"],
    )  # fmt: skip
    return ("this cohort: found", *(number(v, none=DASH) for v in values))


def disagreements(readings: Sequence[Reading]) -> Section:
    """Return the vessels that the two tests judge differently."""
    rows = read(readings)
    pairs = vessel_pairs(rows)
    wrong = at_most(pairs.ffr, THRESHOLD) != at_most(pairs.invasive_ffr, THRESHOLD)
    found = [x for x, is_wrong in zip(rows, wrong, strict=True) if is_wrong]
    found.sort(key=lambda x: -abs((x.ffr or 0) - (x.invasive_ffr or 0)))
    if not found:
        return Section("Disagreements", (Text("No vessel was judged differently at 0.80."),))
    cells = tuple(
        (x.case, x.vessel, f"{x.invasive_ffr:.2f}", _printed(x.ffr), _ends(x), x.place,
         number(x.distance_mm, 0, none=DASH))
        for x in found[:MOST_DISAGREEMENTS]
    )  # fmt: skip
    more = len(found) - len(cells)
    rest = f"{more} more: case table." if more > 0 else "All vessels: case table."
    head = ("case", "vessel", "invasive", "computed", "95 %", "place", "mm distal")
    table = Table(head, cells, f"Largest difference first. {rest}", words=2)
    return Section(f"Disagreements at 0.80 ({len(found)})", (table,))


def _ends(x: Reading) -> str:
    return DASH if x.ffr_low is None else f"{_printed(x.ffr_low)}{DASH}{_printed(x.ffr_high)}"


def _printed(ffr: float | None) -> str:
    return f"{ffr_rounded(ffr or 0):.2f}"


def checklist() -> Section:
    """Return where each item of the reporting guidelines is."""
    note = "STARD 2015 items by number; further ones of STARD-AI and CLAIM."
    table = Table(("item", "asks for", "where"), CHECKLIST, note, words=3)
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
