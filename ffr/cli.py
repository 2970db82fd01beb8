"""The command line: one verb per stage, files at both ends."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ffr import __version__
from ffr.errors import ConfigError, StudyError
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


def main() -> None:
    """Run a verb; a user's mistake ends with one clear line and exit code 2."""
    try:
        app()
    except (ConfigError, StudyError, GeometryError, ConvergenceError, OSError) as error:
        print(f"ffr: {error}", file=sys.stderr)
        sys.exit(2)
