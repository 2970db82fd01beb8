"""The command line: one verb per stage, files at both ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ffr import __version__
from ffr.centreline import SolveSettings, solve_centreline, summary, write_columns
from ffr.errors import ConfigError, StudyError
from ffr.patient import load_patient
from meshes.errors import GeometryError
from solvers.errors import ConvergenceError

app = typer.Typer(
    help="CT-derived fractional flow reserve. Research use only. Not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"ct-ffr {__version__}. Research use only.")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show version.")
    ] = False,
) -> None:
    """CT-derived fractional flow reserve. Research use only. Not a medical device."""


@app.command()
def solve(
    file: Annotated[Path, typer.Argument(help="Centreline with radii: .vtp or .swc, mm.")],
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
    patient: Annotated[Path | None, typer.Option(help="Patient file, TOML.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the result here.")] = None,
) -> None:
    """Pressure, flow and FFR along a centreline tree from outside."""
    settings = SolveSettings(
        flow_ml_min,
        outlet_flows,
        inlet_pressure_mmhg,
        viscosity_pa_s,
        density_kg_m3,
        inlet_profile,
        inlet,
        side,
    )
    known = load_patient(patient) if patient else None
    solved = solve_centreline(file, settings, known)
    if json is not None:
        write_columns(json, solved)
    print("\n".join(summary(solved)))


def main() -> None:
    """Run a verb; a user's mistake ends with one clear line and exit code 2."""
    try:
        app()
    except (ConfigError, StudyError, GeometryError, ConvergenceError, OSError) as error:
        print(f"ffr: {error}", file=sys.stderr)
        sys.exit(2)
