"""What does metrics.json hold? Every number of the report, each with its intervals."""

from __future__ import annotations

import json
from typing import Literal

from ffr.results.result import Model

SCHEMA_VERSION = "1.0"


class Interval(Model):
    """A 95 % interval."""

    low: float
    """Lower end."""
    high: float
    """Upper end."""


class Proportion(Model):
    """A share, with two intervals: rows taken for independent, and patients drawn anew."""

    count: int
    """How many."""
    of: int
    """Of how many."""
    value: float | None
    """The share, 0 to 1; null when there is nothing to count among."""
    wilson: Interval | None
    """Wilson score interval (Wilson 1927): rows taken for independent."""
    clustered: Interval | None
    """Percentile interval of a bootstrap of patients; null when it cannot be computed."""
    why_not: str | None
    """Why there is no value; null when there is one."""


class Estimate(Model):
    """A number with an interval."""

    value: float | None
    """The number; null when it cannot be computed."""
    interval: Interval | None
    """95 % interval by `method`; null when it cannot be computed."""
    method: str
    """How the interval is made."""
    clustered: Interval | None
    """Percentile interval of a bootstrap of patients."""
    n: int
    """From how many rows."""
    why_not: str | None
    """Why there is no value; null when there is one."""


class TwoByTwo(Model):
    """Computed against invasive FFR at one threshold; positive: at or below it."""

    threshold: float
    """FFR at or below which both tests are positive, judged on two decimals."""
    true_positive: int
    """Both positive."""
    false_positive: int
    """Computed positive, invasive negative."""
    false_negative: int
    """Computed negative, invasive positive."""
    true_negative: int
    """Both negative."""
    prevalence: Proportion
    """Invasive positives among all."""
    sensitivity: Proportion
    """Computed positives among invasive positives."""
    specificity: Proportion
    """Computed negatives among invasive negatives."""
    ppv: Proportion
    """Invasive positives among computed positives."""
    npv: Proportion
    """Invasive negatives among computed negatives."""
    accuracy: Proportion
    """Agreement among all."""
    changed_by_full_precision: int
    """Rows whose computed FFR would be judged otherwise without rounding."""


class Rival(Model):
    """Another test of the same vessels, beside computed FFR: paired comparison of AUC."""

    name: str
    """Which test."""
    n: int
    """Rows in which both are known."""
    ours: float | None
    """AUC of computed FFR in these rows."""
    theirs: float | None
    """AUC of the other test."""
    difference: Estimate
    """Ours minus theirs, interval by DeLong 1988."""
    p_delong: float | None
    """Two-sided p of no difference (DeLong 1988): rows taken for independent."""
    p_clustered: float | None
    """The same with patients as clusters (Obuchowski 1997)."""


class Roc(Model):
    """How well computed FFR ranks."""

    auc: Estimate
    """Area under the curve, interval by DeLong 1988."""
    clustered_analytic: Interval | None
    """Interval with patients as clusters (Obuchowski 1997)."""
    false_positive_rate: tuple[float, ...]
    """Corners of the curve."""
    true_positive_rate: tuple[float, ...]
    """Corners of the curve."""
    rivals: tuple[Rival, ...]
    """Percent stenosis, as continuous score and at 50 and 70 %."""


class Unit(Model):
    """Diagnosis per vessel or per patient."""

    n: int
    """Rows."""
    patients: int
    """Patients they belong to."""
    at_080: TwoByTwo
    """At 0.80."""
    at_075: TwoByTwo
    """At 0.75."""
    roc: Roc
    """Invasive FFR of 0.80 or below by computed FFR."""


class Repeated(Model):
    """Limits of agreement when patients have several vessels (Bland and Altman 2007)."""

    within_sd: float | None
    """SD of the differences within a patient."""
    between_sd: float | None
    """SD of the patients' own mean differences."""
    sd: float | None
    """Both together."""
    lower: Estimate
    """Lower limit of agreement; interval by a bootstrap of patients."""
    upper: Estimate
    """Upper limit."""
    why_not: str | None
    """Why it cannot be computed; null when it can."""


class BlandAltman(Model):
    """Computed minus invasive FFR."""

    n: int
    """Vessels."""
    bias: Estimate
    """Mean difference, t interval."""
    sd: float | None
    """SD of the differences."""
    lower: Estimate
    """Lower limit of agreement, bias - 1.96 SD; interval of Bland and Altman 1999."""
    upper: Estimate
    """Upper limit."""
    mean_absolute: float | None
    """Mean absolute difference."""
    repeated: Repeated
    """Several vessels of a patient taken together."""
    slope: Estimate
    """Proportional bias: difference per unit of the mean of both, patients as clusters."""
    slope_p: float | None
    """Two-sided p of no proportional bias."""


class Correlation(Model):
    """How computed follows invasive FFR."""

    pearson: Estimate
    """Pearson's r, interval by Fisher's z."""
    spearman: Estimate
    """Spearman's rho."""
    icc: Estimate
    """ICC(2,1), absolute agreement (Shrout and Fleiss 1979)."""
    deming_slope: Estimate
    """Deming regression of computed on invasive FFR, equal error variances: slope."""
    deming_intercept: Estimate
    """Its intercept."""
    passing_bablok_slope: Estimate
    """Passing and Bablok 1983: slope."""
    passing_bablok_intercept: Estimate
    """Its intercept."""


class Band(Model):
    """Vessels whose FFR lies in one range."""

    name: str
    """The range, on two decimals."""
    by: Literal["computed", "invasive"]
    """Whose FFR lies in it."""
    n: int
    """Vessels."""
    accuracy: Proportion
    """Agreement at 0.80."""
    positive: Proportion
    """Invasive FFR of 0.80 or below."""
    mean_invasive: float | None
    """Mean invasive FFR."""
    mean_computed: float | None
    """Mean computed FFR."""


class GreyZone(Model):
    """What is gained by calling some results borderline."""

    inside: Proportion
    """Vessels with computed FFR of 0.76 to 0.80."""
    accuracy_inside: Proportion
    """Agreement at 0.80 among them."""
    accuracy_outside: Proportion
    """Agreement among all others."""
    unsure: Proportion
    """Vessels whose own 95 % interval holds both sides of 0.80."""
    accuracy_unsure: Proportion
    """Agreement among them."""
    accuracy_sure: Proportion
    """Agreement where the interval lies on one side."""


class Step(Model):
    """One box of the flow."""

    name: str
    """What was left, or left out."""
    vessels: int
    """Rows."""
    patients: int
    """Patients with at least one such row."""
    causes: tuple[Cause, ...]
    """By reason; empty where none is needed."""


class Cause(Model):
    """One reason for which rows dropped out."""

    reason: str
    """Short stable name."""
    vessels: int
    """Rows."""
    patients: int
    """Patients."""


class Flow(Model):
    """From the rows of the table to those compared (STARD 2015)."""

    table: Step
    """All rows."""
    excluded: Step
    """Left out whatever the CT says."""
    eligible: Step
    """Invasive FFR is there: intention to diagnose."""
    rejected: Step
    """Study refused by the quality gate."""
    failed: Step
    """Analysis broke off."""
    not_read: Step
    """No FFR at the place of reading."""
    read: Step
    """Compared."""


class IntentionToDiagnose(Model):
    """All eligible rows, when those without computed FFR count as told."""

    counted_as: Literal["positive", "wrong"]
    """What a row without computed FFR counts as."""
    vessel: TwoByTwo
    """Per vessel."""
    patient: TwoByTwo
    """Per patient."""


class Group(Model):
    """One group of vessels."""

    column: str
    """What divides: "vessel", "heart rate"."""
    name: str
    """Which group."""
    n: int
    """Vessels read."""
    patients: int
    """Patients."""
    unread: int
    """Eligible vessels of the group without computed FFR."""
    prevalence: Proportion
    """Invasive FFR of 0.80 or below."""
    sensitivity: Proportion
    """At 0.80."""
    specificity: Proportion
    """At 0.80."""
    accuracy: Proportion
    """At 0.80."""
    auc: Estimate
    """DeLong's interval."""
    bias: Estimate
    """Computed minus invasive, t interval."""
    sd: float | None
    """SD of that."""


class Level(Model):
    """How often the computed interval holds the invasive reading."""

    nominal: float
    """What was promised, 0 to 1."""
    held: Proportion
    """Invasive FFR inside the computed interval."""
    held_with_noise: Proportion
    """The same, interval widened by the invasive reading's own test-retest error."""


class Bin(Model):
    """Vessels with a computed probability in one range."""

    low: float
    """From this probability."""
    high: float
    """To this one."""
    predicted: float | None
    """Mean computed probability."""
    observed: Proportion
    """Invasive FFR of 0.80 or below."""


class Calibration(Model):
    """Is the computed uncertainty right?"""

    levels: tuple[Level, ...]
    """Coverage: 95 % as computed, others by scaling it as a normal distribution."""
    mean_width: float | None
    """Mean width of the 95 % interval."""
    error_ratio: float | None
    """SD of the error over the SD that interval and invasive noise promise; 1: right."""
    bins: tuple[Bin, ...]
    """Probability of FFR 0.80 or below against what was found."""
    brier: Estimate
    """Mean squared error of that probability."""
    why_not: str | None
    """Why nothing could be said; null when it could."""


class CeilingRow(Model):
    """What a cohort with this spread of FFR would show at one model error."""

    model_sd: float
    """SD of computed minus true FFR."""
    accuracy: float
    """At 0.80."""
    sensitivity: float
    """At 0.80."""
    specificity: float
    """At 0.80."""
    auc: float
    """Area under the curve."""
    pearson: float
    """Correlation with invasive FFR."""
    limits: float
    """Half width of the limits of agreement."""
    accuracy_computed_076_080: float
    """Where computed FFR is 0.76 to 0.80."""
    accuracy_computed_070_080: float
    """Where computed FFR is 0.70 to 0.80."""
    accuracy_invasive_075_085: float
    """Where invasive FFR is 0.75 to 0.85."""


class Ceiling(Model):
    """What the noise of invasive FFR allows in this cohort at best."""

    invasive_sd: float
    """Test-retest SD of one invasive reading."""
    true_mean: float | None
    """Mean of the beta distribution fitted to the true FFR."""
    true_sd: float | None
    """Its SD."""
    prevalence: float | None
    """Share of invasive FFR 0.80 or below that it gives."""
    own_model_sd: float | None
    """This cohort's SD of differences without the invasive noise."""
    rows: tuple[CeilingRow, ...]
    """At fixed model errors."""
    own: CeilingRow | None
    """At this cohort's own."""
    why_not: str | None
    """Why it cannot be computed; null when it can."""


class Placed(Model):
    """Vessels read at one kind of place."""

    place: str
    """How it was chosen."""
    n: int
    """Vessels."""
    mean_distance_mm: float | None
    """Mean distance from the lesion's end, mm."""
    accuracy: Proportion
    """At 0.80."""
    bias: float | None
    """Mean difference."""
    sd: float | None
    """SD of it."""


class SampleSize(Model):
    """How precise a cohort of this size can be."""

    accuracy_points: float | None
    """Half width of the 95 % interval of accuracy, percentage points."""
    sensitivity_points: float | None
    """The same of sensitivity."""
    specificity_points: float | None
    """The same of specificity."""


class Provenance(Model):
    """Where the numbers come from."""

    source: str
    """What kind of cohort."""
    table_sha256: str | None
    """Hash of the cohort table; null when there is none."""
    code: tuple[str, ...]
    """Versions (and commits) of ct-ffr that made the results."""
    models: tuple[str, ...]
    """Networks and hashes of their weights."""
    settings: tuple[str, ...]
    """Hashes of the settings of the results."""
    statistics: str
    """Libraries, draws and seed of the statistics."""
    command: str
    """What was run."""
    hardware: str
    """Machine."""


class Metrics(Model):
    """All numbers of one cohort report."""

    schema_version: Literal["1.0"]
    """Version of this format."""
    research_use_only: str
    """The statement that goes with every number here."""
    created: str
    """Date and time, UTC, ISO 8601."""
    title: str
    """Of the report."""
    rule: str
    """When a vessel or a patient is positive."""
    provenance: Provenance
    """Where the numbers come from."""
    flow: Flow
    """Rows in and out."""
    vessel: Unit
    """Per vessel."""
    patient: Unit
    """Per patient."""
    intention_to_diagnose: tuple[IntentionToDiagnose, ...]
    """Rejected and failed rows counted, both ways."""
    agreement: BlandAltman
    """Bland-Altman."""
    correlation: Correlation
    """Correlation and regression."""
    bands: tuple[Band, ...]
    """By computed and by invasive FFR."""
    grey_zone: GreyZone
    """Borderline results."""
    subgroups: tuple[Group, ...]
    """By group."""
    calibration: Calibration
    """Of the computed interval and probability."""
    places: tuple[Placed, ...]
    """By place of reading."""
    ceiling: Ceiling
    """What was possible."""
    sample_size: SampleSize
    """What this many vessels can show."""
    remarks: tuple[str, ...]
    """What a reader must know beside the numbers."""


Step.model_rebuild()


def metrics_schema_text() -> str:
    """Return the JSON Schema of metrics.json: docs/cohort-metrics.schema.json."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Metrics.model_json_schema(),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
