"""What does `ffr validate` do? From a cohort table to report, numbers and case table."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from ffr.errors import ConfigError
from ffr.partial import claimed
from ffr.result import RESEARCH_USE_ONLY, Result
from ffr.result_file import load_result
from validation.cohort.cases import (
    Outcome,
    Runner,
    fits,
    has_result,
    outcomes,
    patient_of,
    readings,
    run_case,
)
from validation.cohort.compute import compute
from validation.cohort.metrics import Metrics, Provenance
from validation.cohort.report import FILES, write_report
from validation.cohort.resampling import DRAWS, SEED
from validation.cohort.table import MOST_SHOWN, Line, TableError, check_sources, read_table
from validation.setting import memory_gb, processor

TITLE = "Computed against invasive FFR"
LIBRARIES = ("scikit-learn", "statsmodels", "pingouin", "scipy", "numpy")


def validate(
    table: Path, out: Path, results: Path | None, runner: Runner = run_case, draws: int = DRAWS
) -> Metrics:
    """Check the table, run or reuse every case, and write the report.

    Parameters
    ----------
    table
        Cohort table, CSV.
    out
        Folder for the report; new runs go into `out`/cases.
    results
        Folder of finished runs called after the cases; None: there is none.
    runner
        What runs a case.
    draws
        Of the bootstrap of patients.

    Raises
    ------
    ConfigError
        The table or a folder is wrong; problems of the table are printed line by line.
    """
    try:
        lines = read_table(table)
        _check_folders(out, results)
        check_sources(lines, table.parent, lambda case: has_result(case, out, results))
    except TableError as error:
        for problem in error.problems[:MOST_SHOWN]:
            print(f"ffr: {problem}", file=sys.stderr)
        more = len(error.problems) - MOST_SHOWN
        if more > 0:
            print(f"ffr: and {more} more problems", file=sys.stderr)
        raise
    (out / "stages").mkdir(parents=True, exist_ok=True, mode=0o700)
    with claimed(out):
        ended = outcomes(lines, table.parent, out, results, runner, print)
        rows = readings(lines, ended)
        metrics = compute(
            rows, TITLE, _provenance(table, ended, draws), _remarks(lines, ended), draws
        )
        write_report(out, metrics, rows)
    (out / "stages").rmdir()
    print("\n".join(summary(metrics)))
    return metrics


def _check_folders(out: Path, results: Path | None) -> None:
    if results is not None and not results.is_dir():
        raise ConfigError("--results is no folder; give the one that holds the finished runs")
    if out.exists() and not out.is_dir():
        raise ConfigError("the result folder is a file; give a folder with --out")
    ours = (*FILES, "cases", "stages")
    if out.is_dir() and any(path.name not in ours for path in out.iterdir()):
        message = (
            "the result folder holds something else than an earlier validation; give a new or "
            "empty one with --out"
        )
        raise ConfigError(message)


def _results(ended: Mapping[str, Outcome]) -> list[Result]:
    folders = [x.folder for x in ended.values() if x.folder is not None]
    return [load_result(folder / "result.json") for folder in folders]


def _provenance(table: Path, ended: Mapping[str, Outcome], draws: int) -> Provenance:
    results = _results(ended)
    code = {f"{r.code_version} ({r.git_commit or 'no commit'})" for r in results}
    models = {f"{m.name} {m.sha256[:12]}" for r in results for m in r.models}
    # what is set for all cases alike: a patient's own values are no setting
    settings = {
        _sha(json.dumps({k: v for k, v in r.settings.items() if k == "spread"}, sort_keys=True))
        for r in results
    }
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return Provenance(
        source="cohort of patients with invasive FFR",
        table_sha256=hashlib.sha256(table.read_bytes()).hexdigest(),
        code=tuple(sorted(code)),
        models=tuple(sorted(models)),
        settings=tuple(sorted(s[:12] for s in settings)),
        statistics=f"{libraries}; {draws} draws of patients, seed {SEED}",
        command="ffr validate",
        hardware=f"{processor()}, {memory_gb():.0f} GB",
    )


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _remarks(lines: Sequence[Line], ended: Mapping[str, Outcome]) -> list[str]:
    results = _results(ended)
    told = []
    if len({r.code_version for r in results}) > 1:
        told.append("The results come from several versions of ct-ffr.")
    if len({tuple(m.sha256 for m in r.models) for r in results}) > 1:
        told.append("The results come from different network weights.")
    rows = {x.row.case_id: x.row for x in lines}
    other = sum(
        not fits(load_result(x.folder / "result.json"), patient_of(rows[case]))
        for case, x in ended.items()
        if x.folder is not None
    )
    if other:
        told.append(
            f"{other} of {len(results)} results were made with other patient values (cuff "
            "pressure, haematocrit, sex) than the cohort table's."
        )
    return told


def summary(m: Metrics) -> list[str]:
    """Return the few lines that a terminal shows at the end."""
    t, a = m.vessel.at_080, m.agreement
    lines = [f"{m.flow.read.vessels} of {m.flow.eligible.vessels} eligible vessels were read"]
    for name, share in (
        ("sensitivity", t.sensitivity),
        ("specificity", t.specificity),
        ("accuracy", t.accuracy),
    ):
        value = share.why_not if share.value is None else f"{100 * share.value:.1f} %"
        lines.append(f"{name} per vessel: {value} ({share.count}/{share.of})")
    auc = m.vessel.roc.auc
    lines.append(f"AUC per vessel: {auc.why_not if auc.value is None else f'{auc.value:.3f}'}")
    if a.bias.value is not None and a.lower.value is not None and a.upper.value is not None:
        lines.append(
            f"bias {a.bias.value:+.3f}, limits of agreement {a.lower.value:+.3f} to "
            f"{a.upper.value:+.3f}"
        )
    lines += [f"warning: {x}" for x in m.remarks]
    return [*lines, "report: report.html and report.pdf in the --out folder", RESEARCH_USE_ONLY]
