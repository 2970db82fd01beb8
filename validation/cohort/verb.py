"""What does `ffr validate` do? From a cohort table to report, numbers and case table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ffr.errors import ConfigError
from ffr.partial import claimed
from ffr.plugged import plugged
from ffr.results.result import RESEARCH_USE_ONLY
from validation.cohort import DRAWS, FILES
from validation.cohort.table import MOST_SHOWN, TableError, check_sources, read_table

if TYPE_CHECKING:
    from validation.cohort.cases import Runner
    from validation.cohort.metrics import Metrics, Proportion

TITLE = "Computed against invasive FFR"


def validate(
    table: Path, out: Path, results: Path | None, runner: Runner | None = None,
    draws: int = DRAWS,
) -> Metrics:  # fmt: skip
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
        What runs a case; None: `ffr run`.
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
        check_sources(lines, table.parent, lambda case: _has_result(case, out, results))
    except TableError as error:
        for problem in error.problems[:MOST_SHOWN]:
            print(f"ffr: {problem}", file=sys.stderr)
        more = len(error.problems) - MOST_SHOWN
        if more > 0:
            print(f"ffr: and {more} more problems", file=sys.stderr)
        raise
    # heavy: after the checks
    work = {
        name: plugged(f"validation.cohort.{name}", "validation")
        for name in ("cases", "compute", "provenance", "report")
    }
    (out / "stages").mkdir(parents=True, exist_ok=True, mode=0o700)
    with claimed(out):
        cases, source = work["cases"], work["provenance"]
        ended = cases.outcomes(
            lines, table.parent, out, results, runner or cases.run_case, print
        )
        made = cases.results_of(ended)
        rows = cases.readings(lines, ended, made)
        where, told = source.provenance(table, made, draws), source.remarks(lines, made)
        metrics: Metrics = work["compute"].compute(rows, TITLE, where, told, draws)
        work["report"].write_report(out, metrics, rows)
    (out / "stages").rmdir()
    print("\n".join(summary(metrics)))
    return metrics


def _has_result(case: str, out: Path, results: Path | None) -> bool:
    places = [out / "cases" / case, *([] if results is None else [results / case])]
    if results is not None and (results / case / "case.json").is_file():
        return True  # a batch has tried
    return any((place / "result.json").is_file() for place in places)


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


def summary(m: Metrics) -> list[str]:
    """Return the few lines that a terminal shows at the end."""
    t, a = m.vessel.at_080, m.agreement
    lines = [f"{m.flow.read.vessels} of {m.flow.eligible.vessels} eligible vessels were read"]
    for name in ("sensitivity", "specificity", "accuracy"):
        share: Proportion = getattr(t, name)
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
