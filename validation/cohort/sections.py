"""Which sections has the report? The first: at a glance, flow, diagnosis, agreement."""

from __future__ import annotations

from collections.abc import Sequence

from validation.cohort import figures
from validation.cohort import sections_more as more
from validation.cohort.document import Block, Document, Picture, Section, Table, Text
from validation.cohort.metrics import Metrics, Proportion, TwoByTwo, Unit
from validation.cohort.reading import Pairs, Reading, vessel_pairs
from validation.cohort.words import (
    DASH,
    NONE,
    estimate,
    estimate_cells,
    estimate_table,
    interval,
    number,
    p_value,
    percent,
    share,
    share_table,
)  # fmt: skip

INTERVALS = (
    "95 % intervals. Wilson, DeLong, t and Fisher take vessels for independent; the last "
    "column draws patients anew, with all their vessels (bootstrap, percentiles)."
)


def document(
    metrics: Metrics, readings: Sequence[Reading], extra: Sequence[Section] = ()
) -> Document:
    """Return the report.

    Parameters
    ----------
    metrics
        Of `validation.cohort.compute`.
    readings
        What they were computed from.
    extra
        Further sections, such as published rows, put before the provenance.
    """
    m, pairs = metrics, vessel_pairs(readings)
    return Document(
        title=m.title,
        facts=(m.provenance.source, m.rule, f"{m.created} · {m.provenance.hardware}"),
        statement=m.research_use_only,
        created=m.created,
        sections=(
            _glance(m), _flow(m), _diagnosis(m), _intention(m), _ranking(m, pairs),
            _agreement(m, pairs), more.bands(m), more.calibration(m), more.subgroups(m),
            more.places(m), more.ceiling(m), more.disagreements(readings), *extra,
            more.checklist(), more.provenance(m),
        ),
    )  # fmt: skip


def _units(m: Metrics) -> tuple[tuple[str, Unit], ...]:
    return ("vessel", m.vessel), ("patient", m.patient)


def _glance(m: Metrics) -> Section:
    a, f, v, p = m.agreement, m.flow, m.vessel.at_080, m.patient.at_080
    bias, low, high = (number(x.value, 3, True) for x in (a.bias, a.lower, a.upper))
    done = f"{f.read.vessels} of {f.eligible.vessels} vessels"
    held = [x.held_with_noise for x in m.calibration.levels[-1:]]
    rows = (
        ("eligible rows read",
         f"{done}, {f.read.patients} of {f.eligible.patients} patients"),
        ("invasive FFR ≤ 0.80, per vessel", share(v.prevalence)),
        ("sensitivity, specificity per vessel",
         f"{share(v.sensitivity)}, {share(v.specificity)}"),
        ("accuracy per vessel, per patient", f"{share(v.accuracy)}, {share(p.accuracy)}"),
        ("AUC per vessel, per patient",
         ", ".join(estimate(unit.roc.auc, 2) for _, unit in _units(m))),
        ("bias; limits of agreement", f"{bias}; {low} to {high}"),
        ("computed FFR 0.76-0.80: grey zone", share(m.grey_zone.inside)),
        ("own 95 % interval holds invasive FFR, its noise allowed for",
         share(held[0]) if held else NONE),
    )  # fmt: skip
    remarks = (Text(x, strong=True) for x in m.remarks)
    return Section("At a glance", (*remarks, Table(("", "n/N; Wilson 95 %"), rows, words=2)))


def _flow(m: Metrics) -> Section:
    f = m.flow
    rows = tuple(
        (step.name, c.reason, str(c.vessels), str(c.patients))
        for step in (f.excluded, f.rejected, f.failed, f.not_read)
        for c in step.causes
    )
    note = "A patient counts at every step at which one of the patient's vessels is."
    head = ("left out at", "cause", "vessels", "patients")
    told = Table(head, rows, note, 2, "Causes") if rows else Text("No row was left out.")
    counts = f"{f.table.vessels} rows, {f.eligible.vessels} eligible, {f.read.vessels} read"
    picture = Picture(figures.flow_figure(m), f"Flow: {counts}")
    return Section("Flow (STARD 2015, item 19)", (picture, told))


def _diagnosis(m: Metrics) -> Section:
    blocks: list[Block] = []
    for name, unit in _units(m):
        blocks += [
            _counts(unit, name),
            share_table(_shares(unit.at_080), f"Per {name} at 0.80", INTERVALS),
            share_table(_shares(unit.at_075), f"Per {name} at 0.75"),
        ]
    return Section("Diagnosis: computed against invasive FFR", tuple(blocks))


def _shares(t: TwoByTwo) -> tuple[tuple[str, Proportion], ...]:
    return (
        ("sensitivity", t.sensitivity), ("specificity", t.specificity), ("PPV", t.ppv),
        ("NPV", t.npv), ("accuracy", t.accuracy), ("prevalence", t.prevalence),
    )  # fmt: skip


def _counts(unit: Unit, name: str) -> Table:
    counts = (
        (t.true_positive, t.false_positive, t.false_negative, t.true_negative,
         t.changed_by_full_precision)
        for t in (unit.at_080, unit.at_075)
    )  # fmt: skip
    return Table(
        ("positive", "true +", "false +", "false −", "true −", "changed by full precision"),
        tuple((at, *map(str, n)) for at, n in zip(("≤ 0.80", "≤ 0.75"), counts, strict=True)),
        title=f"Per {name}: {unit.n} in {unit.patients} patients",
        note="FFR is judged in two decimals, as printed, halves up; the last column counts "
        "computed values that full precision would put on the other side.",
    )


def _intention(m: Metrics) -> Section:
    tables = [
        (f"unread counted as {x.counted_as}", f"per {name}", t)
        for x in m.intention_to_diagnose
        for name, t in (("vessel", x.vessel), ("patient", x.patient))
    ]
    tables += [("unread left out", f"per {name}", unit.at_080) for name, unit in _units(m)]
    rows = tuple((how, of, *_short(t)) for how, of, t in tables)
    table = Table(
        ("", "", "sensitivity", "specificity", "PPV", "NPV", "accuracy"), rows, words=2,
        note="All eligible rows. Per patient, one with an unread vessel and no "
        "positive one among those read counts as unread. Intervals: metrics.json.",
    )  # fmt: skip
    title = "Intention to diagnose: rejected, failed and unread rows counted both ways"
    return Section(title, (table,))


def _short(t: TwoByTwo) -> list[str]:
    """Return all shares but the prevalence, each with its count."""
    shares = [p for _, p in _shares(t)[:-1]]
    return [
        DASH if p.value is None else f"{p.count}/{p.of}, {percent(p.value)}" for p in shares
    ]


def _ranking(m: Metrics, pairs: Pairs) -> Section:
    """Return curves, areas, and the comparison with percent stenosis."""
    rows = []
    for name, unit in _units(m):
        value, ends, drawn = estimate_cells(unit.roc.auc)
        clusters = interval(unit.roc.clustered_analytic)
        rows.append((f"per {name}", value, ends, clusters, drawn))
    rivals = tuple(
        (f"{name}: {r.name}", str(r.n), number(r.ours), number(r.theirs),
         estimate(r.difference), p_value(r.p_delong), p_value(r.p_clustered))
        for name, unit in _units(m)
        for r in unit.roc.rivals
        if r.n
    )  # fmt: skip
    against: Block = Text("No percent stenosis is known: nothing to compare the AUC with.")
    if rivals:
        against = Table(
            ("against", "n", "AUC of FFR", "AUC of it", "difference (DeLong 95 %)",
             "p, DeLong", "p, patients as clusters"),
            rivals, title="Paired comparison with percent stenosis on CT",
            note="DeLong 1988; with patients as clusters: Obuchowski 1997. As graded: by a "
            "reader, from the cohort table. As measured: by this program.",
        )  # fmt: skip
    head = ("AUC", "value", "DeLong 95 %", "Obuchowski 95 %", "patients drawn anew 95 %")
    curves = Picture(figures.roc_figure(m, pairs), "ROC curves of computed FFR and stenosis")
    return Section("Ranking: ROC", (curves, Table(head, tuple(rows)), against))


def _agreement(m: Metrics, pairs: Pairs) -> Section:
    """Return Bland-Altman, correlation and regression."""
    a, r, c = m.agreement, m.agreement.repeated, m.correlation
    limits = (
        ("bias", a.bias), ("lower limit of agreement", a.lower),
        ("upper limit of agreement", a.upper), ("lower limit, repeated measures", r.lower),
        ("upper limit, repeated measures", r.upper), ("proportional bias, slope", a.slope),
    )  # fmt: skip
    follows = (
        ("Pearson r", c.pearson), ("Spearman ρ", c.spearman), ("ICC(2,1)", c.icc),
        ("Deming slope", c.deming_slope), ("Deming intercept", c.deming_intercept),
        ("Passing-Bablok slope", c.passing_bablok_slope),
        ("Passing-Bablok intercept", c.passing_bablok_intercept),
    )  # fmt: skip
    repeated = f"Repeated measures: {r.why_not}."
    if not r.why_not:
        repeated = (
            f"Repeated measures (Bland and Altman 2007): SD {number(r.sd)}, within patients "
            f"{number(r.within_sd)}, between them {number(r.between_sd)}."
        )
    sds = (
        f"SD of the differences {number(a.sd)}, mean absolute difference "
        f"{number(a.mean_absolute)}. {repeated} Proportional bias: p {p_value(a.slope_p)}."
    )
    picture = Picture(
        figures.agreement_figure(m, pairs), "Scatter and Bland-Altman plot",
        "Bands beside bias and limits: their 95 % intervals.",
    )  # fmt: skip
    blocks = (picture, estimate_table(limits, sds), estimate_table(follows))
    return Section("Agreement and correlation", blocks)
