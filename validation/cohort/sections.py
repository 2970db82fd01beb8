"""Which sections has the report? The first: at a glance, flow, diagnosis."""

from __future__ import annotations

from collections.abc import Sequence

from validation.cohort import figures
from validation.cohort.document import Block, Document, Picture, Section, Table, Text
from validation.cohort.metrics import Metrics, Proportion, TwoByTwo, Unit
from validation.cohort.reading import Reading, vessel_pairs
from validation.cohort.sections_agreement import (
    INTERVALS,
    SHARE_HEAD,
    agreement,
    bands,
    calibration,
    ranking,
)
from validation.cohort.sections_end import (
    ceiling,
    disagreements,
    items,
    places,
    provenance,
    subgroups,
)
from validation.cohort.words import (
    DASH,
    NONE,
    estimate,
    number,
    percent,
    share,
    share_cells,
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
            _glance(m),
            _flow(m),
            _diagnosis(m),
            _intention(m),
            ranking(m, pairs),
            agreement(m, pairs),
            bands(m),
            calibration(m),
            subgroups(m),
            places(m),
            ceiling(m),
            disagreements(readings),
            *extra,
            items(),
            provenance(m),
        ),
    )


def _glance(m: Metrics) -> Section:
    a = m.agreement
    signed = [number(x.value, 3, True) for x in (a.bias, a.lower, a.upper)]
    v, p, f = m.vessel.at_080, m.patient.at_080, m.flow
    done = f"{f.read.vessels} of {f.eligible.vessels}"
    rows = (
        (
            "eligible rows read",
            f"{done} vessels, {f.read.patients} of {f.eligible.patients} patients",
        ),
        ("invasive FFR ≤ 0.80, per vessel", share(v.prevalence)),
        (
            "sensitivity, specificity per vessel",
            f"{share(v.sensitivity)}, {share(v.specificity)}",
        ),
        ("accuracy per vessel, per patient", f"{share(v.accuracy)}, {share(p.accuracy)}"),
        (
            "AUC per vessel, per patient",
            f"{estimate(m.vessel.roc.auc, 2)}, {estimate(m.patient.roc.auc, 2)}",
        ),
        (
            "bias; limits of agreement",
            f"{signed[0]}; {signed[1]} to {signed[2]}",
        ),
        ("computed FFR 0.76-0.80: grey zone", share(m.grey_zone.inside)),
        (
            "own 95 % interval holds invasive FFR, its noise allowed for",
            share(m.calibration.levels[-1].held_with_noise) if m.calibration.levels else NONE,
        ),
    )
    blocks: list[Block] = [Text(x, strong=True) for x in m.remarks]
    return Section("At a glance", (*blocks, Table(("", "n/N; Wilson 95 %"), rows, words=2)))


def _flow(m: Metrics) -> Section:
    f = m.flow
    rows = [
        (step.name, c.reason, str(c.vessels), str(c.patients))
        for step in (f.excluded, f.rejected, f.failed, f.not_read)
        for c in step.causes
    ]
    causes = Table(
        ("left out at", "cause", "vessels", "patients"),
        tuple(rows),
        words=2,
        title="Causes",
        note="A patient counts at every step at which one of the patient's vessels is.",
    )
    picture = Picture(
        figures.flow_figure(m),
        f"Flow: {f.table.vessels} rows, {f.eligible.vessels} eligible, {f.read.vessels} read",
    )
    told = causes if rows else Text("No row was left out.")
    return Section("Flow (STARD 2015, item 19)", (picture, told))


def _diagnosis(m: Metrics) -> Section:
    blocks: list[Block] = []
    for name, unit in (("vessel", m.vessel), ("patient", m.patient)):
        blocks += [_counts(unit, name), _shares(unit.at_080, f"Per {name} at 0.80", INTERVALS)]
        blocks.append(_shares(unit.at_075, f"Per {name} at 0.75", ""))
    return Section("Diagnosis: computed against invasive FFR", tuple(blocks))


def _counts(unit: Unit, name: str) -> Table:
    rows = tuple(
        (
            f"≤ {t.threshold:.2f}",
            str(t.true_positive),
            str(t.false_positive),
            str(t.false_negative),
            str(t.true_negative),
            str(t.changed_by_full_precision),
        )
        for t in (unit.at_080, unit.at_075)
    )
    return Table(
        ("positive", "true +", "false +", "false −", "true −", "changed by full precision"),
        rows,
        title=f"Per {name}: {unit.n} in {unit.patients} patients",
        note="FFR is judged in two decimals, as printed, halves up; the last column counts "
        "computed values that full precision would put on the other side.",
    )


def _shares(t: TwoByTwo, title: str, note: str) -> Table:
    names: tuple[tuple[str, Proportion], ...] = (
        ("sensitivity", t.sensitivity),
        ("specificity", t.specificity),
        ("PPV", t.ppv),
        ("NPV", t.npv),
        ("accuracy", t.accuracy),
        ("prevalence", t.prevalence),
    )
    rows = tuple((name, *share_cells(p)) for name, p in names)
    return Table(SHARE_HEAD, rows, title=title, note=note)


def _intention(m: Metrics) -> Section:
    rows = []
    for x in m.intention_to_diagnose:
        for name, t in (("vessel", x.vessel), ("patient", x.patient)):
            cells = (
                f"{p.count}/{p.of}, {percent(p.value)}" if p.value is not None else DASH
                for p in (t.sensitivity, t.specificity, t.ppv, t.npv, t.accuracy)
            )
            rows.append((f"unread counted as {x.counted_as}", f"per {name}", *cells))
    for name, unit in (("vessel", m.vessel), ("patient", m.patient)):
        t = unit.at_080
        cells = (
            f"{p.count}/{p.of}, {percent(p.value)}" if p.value is not None else DASH
            for p in (t.sensitivity, t.specificity, t.ppv, t.npv, t.accuracy)
        )
        rows.append(("unread left out", f"per {name}", *cells))
    return Section(
        "Intention to diagnose: rejected, failed and unread rows counted both ways",
        (
            Table(
                ("", "", "sensitivity", "specificity", "PPV", "NPV", "accuracy"),
                tuple(rows),
                words=2,
                note="All eligible rows. Per patient, one with an unread vessel and no "
                "positive one among those read counts as unread. Intervals: metrics.json.",
            ),
        ),
    )
