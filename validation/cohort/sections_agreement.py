"""How well do the numbers agree? Sections on ranking, agreement, bands, calibration."""

from __future__ import annotations

from validation.cohort import figures, figures_more
from validation.cohort.document import Block, Picture, Section, Table, Text
from validation.cohort.metrics import Metrics
from validation.cohort.reading import Pairs
from validation.cohort.words import (
    DASH,
    estimate,
    estimate_cells,
    interval,
    number,
    p_value,
    percent,
    share,
    share_cells,
)

INTERVALS = (
    "95 % intervals. Wilson, DeLong, t and Fisher take vessels for independent; the last "
    "column draws patients anew, with all their vessels (bootstrap, percentiles)."
)
SHARE_HEAD = ("", "count", "value", "Wilson 95 %", "patients drawn anew 95 %")
ESTIMATE_HEAD = ("", "value", "95 %", "patients drawn anew 95 %", "method")


def ranking(m: Metrics, pairs: Pairs) -> Section:
    """Return curves, areas, and the comparison with percent stenosis."""
    rows = []
    for name, unit in (("per vessel", m.vessel), ("per patient", m.patient)):
        value, ends, drawn = estimate_cells(unit.roc.auc)
        rows.append((name, value, ends, interval(unit.roc.clustered_analytic), drawn))
    rivals = tuple(
        (
            f"{name}: {r.name}",
            str(r.n),
            number(r.ours),
            number(r.theirs),
            estimate(r.difference),
            p_value(r.p_delong),
            p_value(r.p_clustered),
        )
        for name, unit in (("vessel", m.vessel), ("patient", m.patient))
        for r in unit.roc.rivals
        if r.n
    )
    against: Block = Text("No percent stenosis is known: nothing to compare the AUC with.")
    if rivals:
        against = Table(
            (
                "against",
                "n",
                "AUC of FFR",
                "AUC of it",
                "difference (DeLong 95 %)",
                "p, DeLong",
                "p, patients as clusters",
            ),
            rivals,
            title="Paired comparison with percent stenosis on CT",
            note="DeLong 1988; with patients as clusters: Obuchowski 1997. As graded: by a "
            "reader, from the cohort table. As measured: by this program.",
        )
    return Section(
        "Ranking: ROC",
        (
            Picture(figures.roc_figure(m, pairs), "ROC curves of computed FFR and stenosis"),
            Table(
                ("AUC", "value", "DeLong 95 %", "Obuchowski 95 %", "patients drawn anew 95 %"),
                tuple(rows),
            ),
            against,
        ),
    )


def agreement(m: Metrics, pairs: Pairs) -> Section:
    """Return Bland-Altman, correlation and regression."""
    a, r, c = m.agreement, m.agreement.repeated, m.correlation
    named = (
        ("bias", a.bias),
        ("lower limit of agreement", a.lower),
        ("upper limit of agreement", a.upper),
        ("lower limit, repeated measures", r.lower),
        ("upper limit, repeated measures", r.upper),
        ("proportional bias, slope", a.slope),
    )
    rows = tuple((n, *estimate_cells(e), e.method) for n, e in named)
    sds = (
        f"SD of the differences {number(a.sd)}, mean absolute difference "
        f"{number(a.mean_absolute)}. "
    )
    if r.why_not:
        sds += f"Repeated measures: {r.why_not}. "
    else:
        sds += (
            f"Repeated measures (Bland and Altman 2007): SD {number(r.sd)}, within patients "
            f"{number(r.within_sd)}, between them {number(r.between_sd)}. "
        )
    sds += f"Proportional bias: p {p_value(a.slope_p)}."
    follows = (
        ("Pearson r", c.pearson),
        ("Spearman ρ", c.spearman),
        ("ICC(2,1)", c.icc),
        ("Deming slope", c.deming_slope),
        ("Deming intercept", c.deming_intercept),
        ("Passing-Bablok slope", c.passing_bablok_slope),
        ("Passing-Bablok intercept", c.passing_bablok_intercept),
    )
    return Section(
        "Agreement and correlation",
        (
            Picture(
                figures.agreement_figure(m, pairs),
                "Scatter and Bland-Altman plot",
                "Bands beside bias and limits: their 95 % intervals.",
            ),
            Table(ESTIMATE_HEAD, rows, note=sds),
            Table(ESTIMATE_HEAD, tuple((n, *estimate_cells(e), e.method) for n, e in follows)),
        ),
    )


def bands(m: Metrics) -> Section:
    """Return agreement by band, and the grey zone."""
    rows = tuple(
        (
            f"{b.by} FFR {b.name}",
            str(b.n),
            share(b.accuracy),
            share(b.positive),
            number(b.mean_invasive, 2),
            number(b.mean_computed, 2),
        )
        for b in m.bands
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
    return Section(
        "Bands and grey zone",
        (
            Picture(figures_more.bands_figure(m), "Agreement and number of vessels by band"),
            Table(
                (
                    "band",
                    "vessels",
                    "agreement at 0.80",
                    "invasive ≤ 0.80",
                    "mean invasive",
                    "mean computed",
                ),
                rows,
                note="Read overall and banded numbers together. Inside invasive 0.75-0.85 "
                "an invasive repeat itself agrees in about 77 %.",
            ),
            Table(SHARE_HEAD, tuple((n, *share_cells(p)) for n, p in zone), title="Grey zone"),
        ),
    )


def calibration(m: Metrics) -> Section:
    """Return whether the computed interval is right."""
    c = m.calibration
    levels = tuple(
        (percent(x.nominal, 0), *share_cells(x.held)[:3], *share_cells(x.held_with_noise)[1:])
        for x in c.levels
    )
    bins = tuple(
        (f"{x.low:.2f}{DASH}{x.high:.2f}", number(x.predicted, 2), *share_cells(x.observed))
        for x in c.bins
    )
    words = (
        f"Mean width of the 95 % interval {number(c.mean_width)}; error over promised error "
        f"{number(c.error_ratio, 2)} (above 1: intervals too narrow). Brier score "
        f"{estimate(c.brier)}."
    )
    return Section(
        "Calibration of the computed interval",
        (
            Picture(figures_more.calibration_figure(m), "Promised against found"),
            Table(
                (
                    "promised",
                    "count",
                    "held",
                    "Wilson 95 %",
                    "held, noise allowed for",
                    "Wilson 95 %",
                    "patients drawn anew 95 %",
                ),
                levels,
                note="The interval is one of the true FFR. Noise allowed for: widened by the "
                "invasive reading's own SD of 0.023. Levels other than 95 % scale the interval "
                "as a normal distribution. " + words,
            )
            if levels
            else Text(f"Not computed: {c.why_not}."),
            Table(
                (
                    "computed P(FFR ≤ 0.80)",
                    "mean",
                    "count",
                    "invasive ≤ 0.80",
                    "Wilson 95 %",
                    "patients drawn anew 95 %",
                ),
                bins,
            )
            if bins
            else Text(f"Probability: {c.brier.why_not}."),
        ),
    )
