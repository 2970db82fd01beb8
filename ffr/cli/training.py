"""How are networks trained from the command line? `train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ffr.cli.ending import RUO, exit_with
from ffr.errors import ConfigError
from ffr.guard import reported
from ffr.supervise import INTERRUPTED


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
    exit_with(code)


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
