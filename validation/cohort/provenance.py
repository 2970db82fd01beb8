"""Where do the numbers of a cohort come from, and what weakens them?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from ffr.results.result import Result
from validation.cohort.cases import fits, patient_of
from validation.cohort.metrics import Provenance
from validation.cohort.resampling import SEED
from validation.cohort.table import Line
from validation.setting import memory_gb, processor

LIBRARIES = ("scikit-learn", "statsmodels", "pingouin", "scipy", "numpy")


def provenance(table: Path, results: Mapping[str, Result], draws: int) -> Provenance:
    """Return versions, networks, settings and libraries behind the results, by case."""
    made = results.values()
    code = {f"{r.code_version} ({r.git_commit or 'no commit'})" for r in made}
    models = {f"{m.name} {m.sha256[:12]}" for r in made for m in r.models}
    # what is set for all cases alike: a patient's own values are no setting
    settings = {
        _sha(json.dumps({k: v for k, v in r.settings.items() if k == "spread"}, sort_keys=True))
        for r in made
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


def remarks(lines: Sequence[Line], results: Mapping[str, Result]) -> list[str]:
    """Return what a reader must know of results that were not made alike."""
    made, told = results.values(), []
    if len({r.code_version for r in made}) > 1:
        told.append("The results come from several versions of ct-ffr.")
    if len({tuple(m.sha256 for m in r.models) for r in made}) > 1:
        told.append("The results come from different network weights.")
    rows = {x.row.case_id: x.row for x in lines}
    other = sum(not fits(r, patient_of(rows[case])) for case, r in results.items())
    if other:
        told.append(
            f"{other} of {len(results)} results were made with other patient values (cuff "
            "pressure, haematocrit, sex) than the cohort table's."
        )
    return told
