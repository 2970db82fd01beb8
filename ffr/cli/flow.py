"""Which verb goes through the heart beat? `pulse`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ffr.cli.checks import known_patient
from ffr.cli.ending import in_child
from ffr.cli.options import Diastolic, PatientFile, Systolic


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

    in_child(None, work)
