"""How do the verbs go through the stages of a run?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ffr.cli.checks import STAGES, check_settings, check_weights, given_study, known_patient
from ffr.cli.ending import RUO
from ffr.own_weights import weights_flags
from ffr.partial import claimed

if TYPE_CHECKING:
    from ffr.circulation.patient import Patient


def run_stages(
    study: Path | None, out: Path, first: str, series: str | None,
    patient_file: Path | None, flags: dict[str, object], last: str = "report",
    weights: Path | None = None,
) -> None:  # fmt: skip
    """Go from stage `first` to stage `last`, and show what was found after the last.

    Raises
    ------
    ConfigError
        Settings that have no effect or make no sense; the folder of another study.
    StudyError
        A study that cannot be analysed.
    """
    from ffr.results.result_folder import prepared, require_run, require_same_study

    check_settings(first, series, patient_file, flags)
    known = known_patient(patient_file, flags)
    if first == "scan":
        with prepared(out, study):
            _go_through(study, out, series, known, first, last, weights)
        return
    require_run(out)
    if study is not None:
        require_same_study(out, study)
    _go_through(study, out, series, known, first, last, weights)


def _go_through(
    study: Path | None, out: Path, series: str | None, known: Patient, first: str, last: str,
    weights: Path | None,
) -> None:  # fmt: skip
    from ffr import workflow  # heavy: after the checks
    from ffr.show import bars, cad_rads_line, lesion_table, page, progress_page

    steps: dict[str, tuple[str, Callable[[Callable[[float], None]], object]]] = {
        "scan": (
            "reading the study",
            lambda p: workflow.read_scan(given_study(study), out, series, p),
        ),
        "segment": (
            "segmenting heart and vessels",
            lambda p: workflow.segment(out, p, weights),
        ),
        "tree": ("tracing and measuring", lambda p: workflow.tree(out, p, weights)),
        "solve": ("solving the flow", lambda p: workflow.solve(out, known, p)),
        "report": ("meshes and report", lambda p: workflow.report(out, p)),
    }
    result = None
    with claimed(out), bars(progress_page()) as opened:
        for name in STAGES[STAGES.index(first) : STAGES.index(last) + 1]:
            title, step = steps[name]
            moved = opened(title)
            result = step(moved)
            moved(1.0)
    if isinstance(result, workflow.Result):
        for flag in result.flags:
            print(f"warning: {flag.message}")
        page().print(lesion_table(result) if result.lesions else "No lesions found.")
        print(cad_rads_line(result))
        print(f"report: {out / 'report.html'}")
        print(RUO)


def check_and_warn(weights: Path | None, first: str) -> None:
    """Refuse own weights as `check_weights` does; warn of those their own report warns of.

    Raises
    ------
    ConfigError
        Names the option and what to do.
    """
    check_weights(weights, first)
    for flag in weights_flags(weights):
        print(f"warning: {flag.message}")
