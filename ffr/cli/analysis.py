"""From a CT study to an FFR map: which verbs? `run`; `segment`, `tree`, `solve`, `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ffr.cli.checks import STAGES
from ffr.cli.ending import in_child
from ffr.cli.going import check_and_warn, run_stages
from ffr.cli.options import (
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
from ffr.partial import claimed


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
        check_and_warn(weights, from_stage)
        run_stages(study, out, from_stage, series, patient, flags, weights=weights)

    in_child(out, work)


def segment(study: Study, out: Out, series: Series = None, weights: Weights = None) -> None:
    """Read a study; label heart and vessels."""

    def work() -> None:
        check_and_warn(weights, "scan")
        run_stages(study, out, "scan", series, None, {}, "segment", weights)

    in_child(out, work)


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
        in_child(run, lambda: _tree_of_run(run, (out, *words)))
    else:
        in_child(out, lambda: _tree_of_mask(run, out, words))


def _tree_of_run(run: Path, others: tuple[object, ...]) -> None:
    if any(word is not None for word in others):
        raise ConfigError("for a run's folder no option has an effect; they are for masks")
    run_stages(None, run, "tree", None, None, {}, "tree")


def _tree_of_mask(mask: Path, out: Path | None, words: tuple[str | None, ...]) -> None:
    from ffr.masks.settings import mask_settings

    settings = mask_settings(*words)
    if not mask.exists():
        message = "no earlier run and no mask there; give a run's folder or a mask file"
        raise ConfigError(message)
    if out is None:
        raise ConfigError("a mask needs a folder for the results; give one with --out")
    from ffr import workflow  # heavy: after the checks
    from ffr.results.result_folder import prepared
    from ffr.show import bars, progress_page

    with prepared(out, mask), claimed(out), bars(progress_page()) as opened:
        moved = opened("tracing and measuring the mask")
        workflow.read_mask(mask, out, settings, moved)
        moved(1.0)
    for message in workflow.tree_warnings(out):
        print(f"warning: {message}")
    print("next: ffr solve, with this result folder")


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
        in_child(file, lambda: _solve_run(file, patient, usual))
        return

    def work() -> None:
        if not file.exists():
            raise ConfigError("the path does not exist; give a .vtp or .swc file, or a run")
        if json is not None and not json.parent.is_dir():
            raise ConfigError("the folder for --json does not exist; make it first")
        from ffr.centreline import SolveSettings, solve_centreline, summary, write_columns
        from ffr.circulation.patient import load_patient

        settings = SolveSettings(*asked)
        known = load_patient(patient) if patient else None
        solved = solve_centreline(file, settings, known)
        if json is not None:
            write_columns(json, solved)
        print("\n".join(summary(solved)))

    in_child(None, work)


def _solve_run(run: Path, patient: Path | None, usual: bool) -> None:
    if not usual:
        raise ConfigError("for a run's folder, of the options only --patient has an effect")
    run_stages(None, run, "solve", None, patient, {})


def report(run: Run) -> None:
    """Write result, meshes and report of a solved run again."""
    in_child(run, lambda: run_stages(None, run, "report", None, None, {}))
