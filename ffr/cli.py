"""What can be typed? One verb per stage, files at both ends.

Heavy libraries are imported inside the verbs: help and mistakes answer at once, and the
process can still be forked (see `ffr.supervise`).
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ffr import __version__
from ffr.cli_checks import (
    STAGES,
    check_settings,
    check_span,
    check_weights,
    given_study,
    known_patient,
)
from ffr.cli_options import (
    Diastolic,
    Dominance,
    FlowRule,
    Haematocrit,
    HeartRate,
    LvMass,
    MapRule,
    MeanPressure,
    Out,
    PatientFile,
    Response,
    RestingFlow,
    Run,
    Series,
    Sex,
    SplitExponent,
    Study,
    Systolic,
    Venous,
    Viscosity,
    Weights,
)
from ffr.errors import ConfigError
from ffr.guard import guarded, reported, typed
from ffr.own_weights import weights_flags
from ffr.partial import claimed
from ffr.plugged import plugged
from ffr.stages import OBJECTS
from ffr.supervise import INTERRUPTED

if TYPE_CHECKING:
    from ffr.patient import Patient
    from ffr.phantom.coronaries import LesionPlan
    from ffr.phantom.study import TrueLesion

RUO = "Research use only. Not a medical device. Not for diagnosis."

app = typer.Typer(
    help=f"CT-derived fractional flow reserve. {RUO}",
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"ct-ffr {__version__}. {RUO}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show version.")
    ] = False,
) -> None:
    """CT-derived fractional flow reserve. Research use only. Not a medical device."""


def _guarded(out: Path | None, work: Callable[[], None]) -> None:
    _end(guarded(out, work))


def _end(code: int) -> None:
    if code:
        raise typer.Exit(code)


@app.command(epilog=RUO)
def run(
    study: Study,
    out: Out,
    from_stage: Annotated[
        str, typer.Option("--from", help=f"Reuse the stages before: {', '.join(STAGES)}.")
    ] = "scan",
    series: Series = None,
    patient: PatientFile = None,
    systolic_mmhg: Systolic = None,
    diastolic_mmhg: Diastolic = None,
    heart_rate_bpm: HeartRate = None,
    lv_mass_g: LvMass = None,
    haematocrit: Haematocrit = None,
    sex: Sex = None,
    dominance: Dominance = None,
    mean_aortic_pressure_mmhg: MeanPressure = None,
    map_rule: MapRule = None,
    venous_pressure_mmhg: Venous = None,
    resting_flow_ml_min: RestingFlow = None,
    flow_rule: FlowRule = None,
    hyperaemic_response: Response = None,
    split_exponent: SplitExponent = None,
    viscosity_pa_s: Viscosity = None,
    weights: Weights = None,
) -> None:
    """From a CT study to an FFR map: all stages in one command."""
    flags: dict[str, object] = {
        "systolic_mmhg": systolic_mmhg, "diastolic_mmhg": diastolic_mmhg,
        "heart_rate_bpm": heart_rate_bpm, "lv_mass_g": lv_mass_g,
        "haematocrit": haematocrit, "sex": sex, "dominance": dominance,
        "mean_aortic_pressure_mmhg": mean_aortic_pressure_mmhg, "map_rule": map_rule,
        "venous_pressure_mmhg": venous_pressure_mmhg,
        "resting_flow_ml_min": resting_flow_ml_min, "flow_rule": flow_rule,
        "hyperaemic_response": hyperaemic_response, "split_exponent": split_exponent,
        "viscosity_pa_s": viscosity_pa_s,
    }  # fmt: skip

    def work() -> None:
        _check_weights(weights, from_stage)
        _run_stages(study, out, from_stage, series, patient, flags, weights=weights)

    _guarded(out, work)


def _run_stages(
    study: Path | None, out: Path, first: str, series: str | None,
    patient_file: Path | None, flags: dict[str, object], last: str = "report",
    weights: Path | None = None,
) -> None:  # fmt: skip
    from ffr.result_folder import prepared, require_run, require_same_study

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


def _check_weights(weights: Path | None, first: str) -> None:
    check_weights(weights, first)
    for flag in weights_flags(weights):
        print(f"warning: {flag.message}")


@app.command(epilog=RUO)
def batch(
    studies: Annotated[
        Path, typer.Argument(help="Folder of studies, or a list of them (.csv, .tsv).")
    ],
    out: Out,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler; default: this machine.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Cases at once here; default: what fits.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of each case; default: its share of the cores.")
    ] = None,
    time_limit_min: Annotated[float, typer.Option(min=0.01, help="Of each case.")] = 60.0,
    memory_limit_gb: Annotated[float, typer.Option(min=0.01, help="Of each case.")] = 6.0,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do cases again that failed before.")
    ] = False,
    patient: Annotated[
        Path | None, typer.Option(help="Patient file, TOML: what holds for all.")
    ] = None,
    weights: Weights = None,
) -> None:
    """Analyse many studies; started again, it goes on where it was."""

    def work() -> None:
        from ffr.batch.one_case import Limits
        from ffr.batch.verb import BatchSettings, run_batch

        limits = Limits(60.0 * time_limit_min, round(1000.0 * memory_limit_gb), threads)
        settings = BatchSettings(limits, scheduler, workers, retry_failed, patient, weights)
        sys.exit(run_batch(studies, out, settings))

    code = guarded(None, work)
    if code >= INTERRUPTED:
        print("ffr: finished cases are kept; the same command goes on", file=sys.stderr)
    _end(code)


@app.command(epilog=RUO)
def serve(
    out: Annotated[Path, typer.Option("--out", help="Folder of the service.")],
    config: Annotated[
        Path | None, typer.Option(help="The options below as TOML; words overrule it.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="To listen at; default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Of C-STORE; default 11112.")] = None,
    aet: Annotated[str | None, typer.Option(help="Our AE title; default CT-FFR.")] = None,
    allow_aet: Annotated[
        list[str] | None, typer.Option(help="AE title that may send; repeat it. None: all.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Our certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(help="Whose certificates senders and destination need.")
    ] = None,
    most_associations: Annotated[int | None, typer.Option(help="At once; default 8.")] = None,
    settle_s: Annotated[
        float | None, typer.Option(help="Quiet for so long, a study is complete; default 45.")
    ] = None,
    study_limit_gb: Annotated[float | None, typer.Option(help="Default 8.")] = None,
    object_limit_gb: Annotated[float | None, typer.Option(help="Default 4.")] = None,
    min_free_gb: Annotated[
        float | None, typer.Option(help="With less free disk nothing is taken; default 5.")
    ] = None,
    keep_days: Annotated[
        float | None, typer.Option(help="Remove ended jobs after; default: never.")
    ] = None,
    watch: Annotated[
        Path | None, typer.Option(help="Folder; studies moved into it are taken out of it.")
    ] = None,
    send_to: Annotated[
        str | None, typer.Option(help="AET@host:port (C-STORE) or http(s)://... (STOW-RS).")
    ] = None,
    send_tls: Annotated[bool, typer.Option("--send-tls", help="C-STORE by TLS.")] = False,
    send_login: Annotated[
        Path | None, typer.Option(help="File with user:password, of STOW-RS.")
    ] = None,
    retry_s: Annotated[
        float | None, typer.Option(help="Wait before sending again; default 10, then longer.")
    ] = None,
    status_port: Annotated[
        int | None, typer.Option(help="Of the status page on 127.0.0.1; default 11180.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Jobs at once; default 1.")] = None,
    threads: Annotated[int | None, typer.Option(help="Of each job.")] = None,
    time_limit_min: Annotated[float | None, typer.Option(help="Of a job; default 60.")] = None,
    memory_limit_gb: Annotated[float | None, typer.Option(help="Of a job; default 6.")] = None,
    patient: Annotated[
        Path | None, typer.Option(help="Patient file, TOML: what holds for all.")
    ] = None,
    weights: Weights = None,
) -> None:
    """Receive studies, analyse them, send the results, until stopped."""
    words: dict[str, Any] = {
        "host": host, "port": port, "aet": aet, "allow_aet": allow_aet, "tls_cert": tls_cert,
        "tls_key": tls_key, "tls_ca": tls_ca, "most_associations": most_associations,
        "settle_s": settle_s, "study_limit_gb": study_limit_gb,
        "object_limit_gb": object_limit_gb, "min_free_gb": min_free_gb,
        "keep_days": keep_days, "watch": watch, "send_to": send_to,
        "send_tls": send_tls or None, "send_login": send_login, "retry_s": retry_s,
        "status_port": status_port, "workers": workers, "threads": threads,
        "time_limit_min": time_limit_min, "memory_limit_gb": memory_limit_gb,
        "patient": patient, "weights": weights,
    }  # fmt: skip

    def work() -> None:
        from ffr.serve.options import options_from
        from ffr.serve.verb import serve as run_service

        run_service(out, options_from(words, config))

    code = reported(work)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # at once: a thread may wait minutes for an archive's answer


@app.command(epilog=RUO)
def segment(study: Study, out: Out, series: Series = None, weights: Weights = None) -> None:
    """Read a study; label heart and vessels."""

    def work() -> None:
        _check_weights(weights, "scan")
        _run_stages(study, out, "scan", series, None, {}, "segment", weights)

    _guarded(out, work)


@app.command(epilog=RUO)
def tree(
    run: Annotated[
        Path,
        typer.Argument(
            help="Folder of an earlier run; or a lumen mask: NIfTI, NRRD or MetaImage."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Of a mask: folder for the results.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Of a mask: labels that are coronary lumen, as 1,2.")
    ] = None,
    left_label: Annotated[
        str | None, typer.Option(help="Of a mask: label (or labels) of the left tree.")
    ] = None,
    right_label: Annotated[str | None, typer.Option(help="The same of the right tree.")] = None,
    aorta: Annotated[
        str | None, typer.Option(help="Of a mask: label of the aorta, or a mask of it.")
    ] = None,
    left_ostium: Annotated[
        str | None, typer.Option(help="Of a mask: x,y,z in mm, to the left, back and head.")
    ] = None,
    right_ostium: Annotated[
        str | None, typer.Option(help="The same of the right tree.")
    ] = None,
) -> None:
    """Trace, measure and name the trees of a segmented run or a mask."""
    words = (labels, left_label, right_label, aorta, left_ostium, right_ostium)
    if run.is_dir():
        _guarded(run, lambda: _tree_of_run(run, (out, *words)))
    else:
        _guarded(out, lambda: _tree_of_mask(run, out, words))


def _tree_of_run(run: Path, others: tuple[object, ...]) -> None:
    if any(word is not None for word in others):
        raise ConfigError("for a run's folder no option has an effect; they are for masks")
    _run_stages(None, run, "tree", None, None, {}, "tree")


def _tree_of_mask(mask: Path, out: Path | None, words: tuple[str | None, ...]) -> None:
    from ffr.masks.settings import mask_settings

    settings = mask_settings(*words)
    if not mask.exists():
        message = "no earlier run and no mask there; give a run's folder or a mask file"
        raise ConfigError(message)
    if out is None:
        raise ConfigError("a mask needs a folder for the results; give one with --out")
    from ffr import workflow  # heavy: after the checks
    from ffr.result_folder import prepared
    from ffr.show import bars, progress_page

    with prepared(out, mask), claimed(out), bars(progress_page()) as opened:
        moved = opened("tracing and measuring the mask")
        workflow.read_mask(mask, out, settings, moved)
        moved(1.0)
    for message in workflow.tree_warnings(out):
        print(f"warning: {message}")
    print("next: ffr solve, with this result folder")


@app.command(epilog=RUO)
def solve(
    file: Annotated[
        Path, typer.Argument(help="Centreline with radii (.vtp, .swc; mm), or a run's folder.")
    ],
    flow_ml_min: Annotated[
        float | None, typer.Option(help="Total inlet flow; split by radius^(7/3).")
    ] = None,
    outlet_flows: Annotated[
        Path | None, typer.Option(help="JSON of outlet flows: a list, or {point: mL/min}.")
    ] = None,
    inlet_pressure_mmhg: Annotated[
        float | None, typer.Option(help="Default 93, or from the patient's cuff.")
    ] = None,
    viscosity_pa_s: Annotated[
        float | None, typer.Option(help="Default 0.0035, or from the haematocrit.")
    ] = None,
    density_kg_m3: Annotated[float | None, typer.Option(help="Default 1060.")] = None,
    inlet_profile: Annotated[str, typer.Option(help="developed or plug.")] = "developed",
    inlet: Annotated[
        int | None, typer.Option(help="Inlet point, if not the first line's first point.")
    ] = None,
    side: Annotated[str, typer.Option(help="left or right: share of the flow.")] = "left",
    solver: Annotated[
        str, typer.Option(help="resolved (velocity profiles) or lumped (loss formula).")
    ] = "resolved",
    interval: Annotated[
        bool, typer.Option(help="Say how sure each FFR is, from thousands of variants.")
    ] = True,
    radius_sd_percent: Annotated[
        float | None, typer.Option(help="Error of the file's radii (SD), for the interval.")
    ] = None,
    patient: Annotated[Path | None, typer.Option(help="Patient file, TOML.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the result here.")] = None,
) -> None:
    """Solve a run's trees, or a centreline tree from outside."""
    asked = (
        flow_ml_min, outlet_flows, inlet_pressure_mmhg, viscosity_pa_s, density_kg_m3,
        inlet_profile, inlet, side, solver, interval, radius_sd_percent,
    )  # fmt: skip
    if file.is_dir():
        usual = (*(None,) * 5, "developed", None, "left", "resolved", True, None) == asked
        usual = usual and json is None
        _guarded(file, lambda: _solve_run(file, patient, usual))
        return

    def work() -> None:
        if not file.exists():
            raise ConfigError("the path does not exist; give a .vtp or .swc file, or a run")
        if json is not None and not json.parent.is_dir():
            raise ConfigError("the folder for --json does not exist; make it first")
        from ffr.centreline import SolveSettings, solve_centreline, summary, write_columns
        from ffr.patient import load_patient

        settings = SolveSettings(*asked)
        known = load_patient(patient) if patient else None
        solved = solve_centreline(file, settings, known)
        if json is not None:
            write_columns(json, solved)
        print("\n".join(summary(solved)))

    _guarded(None, work)


def _solve_run(run: Path, patient: Path | None, usual: bool) -> None:
    if not usual:
        raise ConfigError("for a run's folder, of the options only --patient has an effect")
    _run_stages(None, run, "solve", None, patient, {})


@app.command(epilog=RUO)
def pulse(
    file: Annotated[
        Path,
        typer.Argument(
            help="Centreline with radii (.vtp, .swc), a run's folder, or a network of "
            "svZeroDSolver (.json) or svOneDSolver (.in)."
        ),
    ],
    model: Annotated[str, typer.Option(help="0d (lumps) or 1d (elastic vessels).")] = "0d",
    patient: PatientFile = None,
    systolic_mmhg: Systolic = None,
    diastolic_mmhg: Diastolic = None,
    heart_rate_bpm: Annotated[
        float | None, typer.Option(help="Beats per minute; default 72.")
    ] = None,
    side: Annotated[str, typer.Option(help="left or right: flow and muscle.")] = "left",
    inlet: Annotated[
        int | None, typer.Option(help="Inlet point, if not the first line's first point.")
    ] = None,
    solver: Annotated[
        str, typer.Option(help="Losses as by resolved or lumped of ffr solve.")
    ] = "resolved",
    at: Annotated[
        list[int] | None, typer.Option(help="Point of the file to read at; may be repeated.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the ratios here.")] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write waveforms, or the table, here.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw pressure and flow (.png, .svg, .pdf).")
    ] = None,
) -> None:
    """Flow within the heart beat: waveforms, iFR, FFR of the mean."""
    flags: dict[str, object] = {
        "systolic_mmhg": systolic_mmhg, "diastolic_mmhg": diastolic_mmhg,
        "heart_rate_bpm": heart_rate_bpm,
    }  # fmt: skip

    def work() -> None:
        from ffr.pulse.cases import PulseSettings
        from ffr.pulse.verb import Outputs, pulse_file

        settings = PulseSettings(model, side, inlet, solver, tuple(at or ()))
        known = known_patient(patient, flags)
        print("\n".join(pulse_file(file, settings, known, Outputs(json, csv, picture))))

    _guarded(None, work)


@app.command(epilog=RUO)
def report(run: Run) -> None:
    """Write result, meshes and report of a solved run again."""
    _guarded(run, lambda: _run_stages(None, run, "report", None, None, {}))


@app.command(epilog=RUO)
def view(
    run: Run,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the local page; default: a free one.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open it, or only print where it is.")
    ] = True,
) -> None:
    """Look at a finished run: a local page until Ctrl-C."""

    def say(line: str) -> None:
        print(line, flush=True)

    def work() -> None:
        from ffr.result_folder import require_run

        require_run(run)
        from ffr.view.verb import view as show  # heavy: after the check

        say(RUO)
        show(run, port, browser, say)

    _end(reported(work))  # no child: a server waits, nothing is left half done


@app.command(epilog=RUO)
def stent(
    run: Run,
    vessel: Annotated[
        str | None, typer.Option(help="Vessel it ends in, as LAD; none: rank the lesions.")
    ] = None,
    from_mm: Annotated[
        float | None, typer.Option(help="Its upstream end, mm from the ostium.")
    ] = None,
    to_mm: Annotated[
        float | None, typer.Option(help="Its downstream end, mm from the ostium.")
    ] = None,
    diameter_mm: Annotated[
        float | None, typer.Option(help="Its lumen; default: the healthy reference.")
    ] = None,
) -> None:
    """What a stent would change; or which single stent helps most."""

    def work() -> None:
        from ffr.result_folder import require_run

        require_run(run)
        check_span(vessel, from_mm, to_mm, diameter_mm)
        from ffr.show import bars, page, progress_page
        from ffr.stenting import verb  # heavy: after the checks
        from ffr.stenting.comparison import STATEMENT
        from ffr.stenting.show import comparison_lines, comparison_table, ranking_table
        from ffr.stenting.span import Stent

        if vessel is None or from_mm is None or to_mm is None:
            rows = verb.rank(run)
            page().print(ranking_table(rows) if rows else "No lesions to stent.")
            print(f"{STATEMENT}\n{RUO}")
            return
        with claimed(run), bars(progress_page()) as opened:
            moved = opened("solving with the stent")
            found, place = verb.stent_run(
                run, (Stent(vessel, from_mm, to_mm, diameter_mm),), moved
            )
        for message in found.warnings:
            print(f"warning: {message}")
        page().print(comparison_table(found) if found.lesions else "No lesions found.")
        print("\n".join(comparison_lines(found)))
        print(f"written: {place}")
        print(RUO)

    _guarded(run, work)


@app.command(epilog=RUO)
def edit(
    run: Run,
    edits: Annotated[Path | None, typer.Option(help="Edits as JSON: a list of them.")] = None,
    delete: Annotated[
        str | None, typer.Option(help="Vessel to take away; with --from-mm, from there on.")
    ] = None,
    relabel: Annotated[
        str | None, typer.Option(help="Vessel and its new name, as D1=D2.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Vessel and the name of its part behind --at-mm: LAD=D3.")
    ] = None,
    move: Annotated[
        str | None, typer.Option(help="Vessel, and which it springs from at --at-mm: D1=LAD.")
    ] = None,
    nudge: Annotated[
        str | None, typer.Option(help="Vessel whose lumen is changed at --at-mm or in a span.")
    ] = None,
    exclude: Annotated[str | None, typer.Option(help="Vessel to give no FFR in.")] = None,
    at_mm: Annotated[float | None, typer.Option(help="Place, mm from the ostium.")] = None,
    from_mm: Annotated[float | None, typer.Option(help="Where it begins, likewise.")] = None,
    to_mm: Annotated[float | None, typer.Option(help="Where it ends, likewise.")] = None,
    diameter_mm: Annotated[
        float | None, typer.Option(help="Of --nudge: lumen diameter; 0.1: closed.")
    ] = None,
    wider_by_mm: Annotated[
        float | None, typer.Option(help="Of --nudge: change of the diameter.")
    ] = None,
    side: Annotated[
        str | None, typer.Option(help="left or right, where both trees have that vessel.")
    ] = None,
    onto: Annotated[
        int | None, typer.Option(min=1, help="Number of the edited result to go on from.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Drop the last edit of --onto.")] = False,
) -> None:
    """Correct the trees by hand; a result beside the automatic one."""

    def work() -> None:
        from ffr.result_folder import require_run

        require_run(run)
        from ffr.editing.command import Words, asked_edits

        words = Words(
            delete, relabel, split, move, nudge, exclude, side, at_mm, from_mm, to_mm,
            diameter_mm, wider_by_mm,
        )  # fmt: skip
        asked = asked_edits(edits, words, undo, onto)
        from ffr.editing import verb  # heavy: after the checks
        from ffr.report.edits import edit_line
        from ffr.show import bars, lesion_table, page, progress_page

        with claimed(run):
            with bars(progress_page()) as opened:
                moved = opened("solving the edited trees")
                draft = verb.solve_edits(run, asked, onto, undo)
                moved(1.0)
            for record in draft.log.edits:
                print(edit_line(record.entry), flush=True)  # before the interval is known
            with bars(progress_page()) as opened:
                result, place = verb.write_edits(run, draft, opened("interval and report"))
        page().print(lesion_table(result) if result.lesions else "No lesions found.")
        print(f"written: {place}")
        print(RUO)

    _guarded(run, work)


@app.command(epilog=RUO)
def export(
    run: Run,
    file: Annotated[Path, typer.Argument(help="Mesh to write; its extension says the format.")],
) -> None:
    """Write the lumen mesh as .ply, .obj, .off, .msh and others."""

    def work() -> None:
        from ffr.result_folder import require_run

        require_run(run)
        from ffr import workflow  # heavy: after the check

        with claimed(run):
            workflow.export(run, file)
        print(f"wrote the lumen as {file.suffix.lower()}")

    _guarded(run, work)


@app.command(epilog=RUO)
def dicom(
    run: Run,
    study: Annotated[
        Path, typer.Option(help="The run's DICOM study: folder, zip or file; only read.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the objects; default dicom in OUT.")
    ] = None,
) -> None:
    """Write a run as DICOM: pictures, PDF, measurements, segmentation."""

    def work() -> None:
        from ffr.result_folder import require_run

        require_run(run)
        from ffr.dicom_out.write import write_objects  # heavy: after the check
        from ffr.show import bars, progress_page

        with claimed(run), bars(progress_page()) as opened:
            moved = opened("DICOM objects")
            count = write_objects(run, study, out or run / OBJECTS, moved)
        print(f"wrote {count} DICOM objects")
        print(RUO)

    _guarded(run, work)


@app.command(epilog=RUO)
def phantom(
    out: Out,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same patient.")] = 1_000_000,
    burden: Annotated[
        float, typer.Option(min=0, max=20, help="Mean number of stenoses; 0: healthy.")
    ] = 2.5,
    varied: Annotated[
        bool,
        typer.Option(help="Draw rare anatomy, further disease, stents, leads, bright veins."),
    ] = False,
) -> None:
    """Make a virtual patient: a DICOM study and the truth about it."""

    def work() -> None:
        _make_phantom(out, seed, burden, None, varied)

    _guarded(out, work)


def _make_phantom(
    out: Path,
    seed: int,
    burden: float,
    plans: tuple[LesionPlan, ...] | None,
    varied: bool = False,
) -> tuple[TrueLesion, ...]:
    from ffr import workflow
    from ffr.patient import Patient
    from ffr.phantom.features import COMMON
    from ffr.phantom.patient import virtual_patient
    from ffr.phantom.study import (
        clinical_imaging,
        scan_grid,
        true_lesions,
        write_study,
        write_truth,
    )
    from ffr.result_folder import prepared
    from ffr.show import bars, progress_page
    from ffr.stages import discard_from

    real = any((out / name).exists() for name in ("study", "stages/scan", "result.json"))
    if real and not (out / "truth.json").exists():
        raise ConfigError("the folder holds a patient who is not virtual; give another --out")
    with prepared(out), claimed(out), bars(progress_page()) as opened:
        moved = opened("virtual patient")
        patient = virtual_patient(seed, burden, plans, COMMON if varied else None)
        truth = true_lesions(patient, Patient())
        imaging, grid = clinical_imaging(seed), scan_grid(patient)
        with workflow.replaced_folder(out / "study") as folder:
            write_study(patient, imaging, grid, folder, moved)
            write_truth(out / "truth.json", patient, truth)
            discard_from(out, "scan")  # a run of the virtual study that was here
    return truth


@app.command(epilog=RUO)
def demo(out: Out = Path("demo")) -> None:
    """The main job on a virtual patient, beside the known truth."""

    def work() -> None:
        from ffr.phantom.study import DEMO_LESIONS, DEMO_SEED
        from ffr.result_file import load_result
        from ffr.show import page, truth_table

        truth = _make_phantom(out, DEMO_SEED, 0.0, DEMO_LESIONS)
        _run_stages(out / "study", out, "scan", None, None, {})
        page().print(truth_table(load_result(out / "result.json"), truth))
        print(f"report: {(out / 'report.html').resolve()}")

    _guarded(out, work)


@app.command(epilog=RUO)
def train(
    network: Annotated[
        str | None, typer.Argument(help="anatomy, vessel or lumen; only vessel is adapted.")
    ] = None,
    runs: Annotated[
        Path | None, typer.Option(help="Folder of checkpoints and curves; default runs.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    ship: Annotated[bool, typer.Option(help="Replace the shipped weights when done.")] = False,
    anew: Annotated[
        bool, typer.Option(help="Begin with random weights where the recipe goes on.")
    ] = False,
    finetune: Annotated[
        Path | None, typer.Option(help="Adapt to this folder of scans with labels.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Of --finetune: folder for the weights.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Of --finetune: labels that are lumen, as 1,2.")
    ] = None,
    wall_labels: Annotated[
        str | None, typer.Option(help="The same of wall and soft plaque, if labelled.")
    ] = None,
    calcium_labels: Annotated[
        str | None, typer.Option(help="The same of calcium, if labelled.")
    ] = None,
    virtual_percent: Annotated[
        float | None,
        typer.Option(min=0, max=95, help="Of --finetune: virtual windows; default 50."),
    ] = None,
    held_out_percent: Annotated[
        float | None,
        typer.Option(min=1, max=80, help="Of --finetune: scans to judge on; default 20."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of --finetune: of split and windows; default 1.")
    ] = None,
) -> None:
    """Train a network, or adapt one to labelled scans."""
    asked = {
        "--out": out, "--labels": labels, "--wall-labels": wall_labels,
        "--calcium-labels": calcium_labels, "--virtual-percent": virtual_percent,
        "--held-out-percent": held_out_percent, "--seed": seed,
    }  # fmt: skip

    def work() -> None:
        if finetune is not None:
            _adapt(finetune, (network, runs, ship or anew), steps, threads, asked)
        else:
            _train(network, runs or Path("runs"), steps, threads, ship, anew, asked)

    code = reported(work)
    if code == INTERRUPTED:
        print("ffr: the last checkpoint is kept", file=sys.stderr)
    _end(code)


def _train(
    network: str | None, runs: Path, steps: int | None, threads: int,
    ship: bool, anew: bool, asked: dict[str, Any],
) -> None:  # fmt: skip
    for name, value in asked.items():
        if value is not None:
            raise ConfigError(f"{name} has an effect with --finetune only; leave it out")
    if network is None:
        raise ConfigError("a network is needed, as in 'ffr train vessel'; or --finetune")
    if runs.exists() and not runs.is_dir():
        raise ConfigError("--runs is a file; give a folder")
    from ffr.segmentation.recipes import train_network  # heavy: after the check

    path = train_network(network, runs, steps, threads, ship, anew)
    print(f"{network}: {path.name}")


def _adapt(
    folder: Path, others: tuple[str | None, Path | None, bool], steps: int | None,
    threads: int, asked: dict[str, Any],
) -> None:  # fmt: skip
    network, runs, ship = others
    if network not in (None, "vessel"):
        raise ConfigError(f"only the vessel network is adapted to scans, not {network!r}")
    if runs is not None or ship:
        raise ConfigError(
            "--runs, --ship and --anew have no effect with --finetune; give --out"
        )
    out = asked.pop("--out")
    if not isinstance(out, Path):
        raise ConfigError("--finetune needs a folder for the weights; give one with --out")
    from ffr.labelled_scans import find_pairs, label_meaning
    from ffr.show import bars, progress_page

    meaning = label_meaning(*(asked.pop(f"--{n}labels") for n in ("", "wall-", "calcium-")))
    find_pairs(folder)  # refuses at once what holds none
    from ffr.segmentation.finetune import FinetuneConfig  # heavy: after the checks
    from ffr.segmentation.finetune_run import finetune

    given = {name.strip("-").replace("-", "_"): value for name, value in asked.items()}
    given |= {"steps": steps, "threads": threads}
    config = FinetuneConfig(**{k: v for k, v in given.items() if v is not None})
    with bars(progress_page()) as opened:
        good, why = finetune(folder, out, config, meaning, opened)
    print(f"{'recommended' if good else 'not recommended, keep the shipped weights'}: {why}")
    print("report: report.md in the --out folder")
    print(RUO)


@app.command(epilog=RUO)
def validate(
    cohort: Annotated[
        Path, typer.Argument(help="Cohort table, CSV: one row per vessel with invasive FFR.")
    ],
    out: Out,
    results: Annotated[
        Path | None, typer.Option(help="Folder of finished runs, called after their cases.")
    ] = None,
) -> None:
    """Compare computed with invasive FFR on a cohort."""

    def work() -> None:
        plugged("validation.cohort.verb", "validation").validate(cohort, out, results)

    _guarded(out, work)


@app.command(epilog=RUO)
def doctor() -> None:
    """What this machine has, and how to mend what is missing."""
    from ffr.doctor import checks

    failed = False
    for check in checks():
        print(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.found}")
        if not check.ok:
            print(f"     {check.remedy}")
            failed = True
    if failed:
        raise typer.Exit(2)


def main() -> None:
    """Run a verb; a user's mistake ends with one clear line and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # mm² on a terminal without it
    command = typer.main.get_command(app)
    sys.exit(typed(lambda: command.main(prog_name="ffr", standalone_mode=False)))
