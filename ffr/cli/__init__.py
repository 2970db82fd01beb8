"""What can be typed? One verb per stage, files at both ends; `VERBS` says where each one is.

Heavy libraries are imported inside the verbs: help and mistakes answer at once, and the
process can still be forked (see `ffr.supervise`).
"""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from ffr import __version__
from ffr.cli import analysis, flow, machine, many, output, planning, training, virtual
from ffr.cli.ending import RUO
from ffr.guard import typed

VERBS = (  # as `ffr --help` lists them
    analysis.run,
    many.batch,
    many.serve,
    analysis.segment,
    analysis.tree,
    analysis.solve,
    flow.pulse,
    analysis.report,
    planning.view,
    planning.stent,
    planning.edit,
    output.export,
    output.dicom,
    output.send,
    virtual.phantom,
    virtual.demo,
    training.train,
    many.validate,
    machine.doctor,
)

app = typer.Typer(
    help=f"CT-derived fractional flow reserve. {RUO}",
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
for _verb in VERBS:
    app.command(epilog=RUO)(_verb)


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


def main() -> None:
    """Run a verb; a user's mistake ends with one clear line and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # mm² on a terminal without it
    command = typer.main.get_command(app)
    sys.exit(typed(lambda: command.main(prog_name="ffr", standalone_mode=False)))
