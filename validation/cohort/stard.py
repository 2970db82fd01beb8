"""Where in the report is each item of STARD 2015, STARD-AI and CLAIM? What must authors add?

STARD 2015: Bossuyt, BMJ 2015;351:h5527. STARD-AI: 2025. CLAIM: Mongan, Radiol Artif Intell
2020;2:e200029.
"""

from __future__ import annotations

AUTHORS = "for the authors"
ITEMS: tuple[tuple[str, str, str], ...] = (
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
