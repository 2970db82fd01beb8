"""Where do the numbers of a cohort come from, and what weakens them?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from ffr.result import Result
from ffr.result_file import load_result
from validation.cohort.cases import Outcome, fits, patient_of
from validation.cohort.metrics import Provenance
from validation.cohort.resampling import SEED
from validation.cohort.table import Line
from validation.setting import memory_gb, processor

LIBRARIES = ("scikit-learn", "statsmodels", "pingouin", "scipy", "numpy")


def _results(ended: Mapping[str, Outcome]) -> list[Result]:
    folders = [x.folder for x in ended.values() if x.folder is not None]
    return [load_result(folder / "result.json") for folder in folders]


def provenance(table: Path, ended: Mapping[str, Outcome], draws: int) -> Provenance:
    """Return versions, networks, settings and libraries behind the numbers."""
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


def remarks(lines: Sequence[Line], ended: Mapping[str, Outcome]) -> list[str]:
    """Return what a reader must know of results that were not made alike."""
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
