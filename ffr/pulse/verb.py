"""What does `ffr pulse FILE` do? From a file or run to printed lines and written files."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ffr.circulation.patient import Patient
from ffr.errors import ConfigError
from ffr.pulse.cases import PulseSettings, centreline_case, check, run_case
from ffr.pulse.networks import SUFFIXES as NETWORKS
from ffr.pulse.networks import as_csv as network_csv
from ffr.pulse.networks import run_network
from ffr.pulse.tables import as_csv, as_json, summary
from ffr.pulse.waves import pulsed
from meshes.writing import replacing

PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True, slots=True)
class Outputs:
    """Files to write; None where none is wanted."""

    json: Path | None = None
    csv: Path | None = None
    picture: Path | None = None


def pulse_file(
    path: Path, settings: PulseSettings, patient: Patient, outputs: Outputs
) -> list[str]:
    """Compute, write the files that are wanted, and return the lines to print.

    Files appear together once everything is computed, each whole or not at all.

    Raises
    ------
    ConfigError
        A setting that is wrong or has no effect, a folder that does not exist.
    GeometryError, ConvergenceError, OSError
        As in `ffr.pulse.cases`, `ffr.pulse.networks` and `ffr.pulse.waves`.
    """
    _check(path, settings, patient, outputs)
    if not path.is_dir() and path.suffix.lower() in NETWORKS:
        run = run_network(path)
        if outputs.csv is not None:
            _write({outputs.csv: network_csv(run.table).encode()})
        return list(run.lines)
    made = run_case if path.is_dir() else centreline_case
    case = made(path, settings, patient)
    found = tuple(
        pulsed(tree.fed, case.beat, [p.point for p in tree.places], settings.model)
        for tree in case.trees
    )
    files: dict[Path, bytes] = {}
    if outputs.json is not None:
        files[outputs.json] = as_json(case, found, settings.model).encode()
    if outputs.csv is not None:
        files[outputs.csv] = as_csv(case, found).encode()
    if outputs.picture is not None:
        from ffr.pulse.picture import drawn  # matplotlib: only who wants it waits for it

        files[outputs.picture] = drawn(case, found, outputs.picture.suffix.lower())
    _write(files)
    return summary(case, found, settings.model)


def _check(path: Path, settings: PulseSettings, patient: Patient, outputs: Outputs) -> None:
    if not path.exists():
        raise ConfigError(
            "the path does not exist; give a .vtp, .swc, .json or .in file, or a run"
        )
    check(settings)
    for name in ("json", "csv", "picture"):
        wanted = getattr(outputs, name)
        if wanted is not None and not wanted.parent.is_dir():
            raise ConfigError(f"the folder for --{name} does not exist; make it first")
        if wanted is not None and wanted.is_dir():
            raise ConfigError(f"--{name} is a folder; give a file")
    wanted = [p for p in (outputs.json, outputs.csv, outputs.picture) if p is not None]
    if len(set(wanted)) < len(wanted):
        raise ConfigError("two outputs have the same name; give each its own")
    if outputs.picture is not None and outputs.picture.suffix.lower() not in PICTURES:
        raise ConfigError(f"--picture must end in {', '.join(PICTURES)}")
    if path.is_dir():
        if settings != PulseSettings(model=settings.model):
            raise ConfigError("--side, --inlet, --solver and --at have no effect on a run")
    elif path.suffix.lower() in NETWORKS:
        rest = (settings, patient, outputs) == (
            PulseSettings(), Patient(), Outputs(csv=outputs.csv),
        )  # fmt: skip
        if not rest:
            raise ConfigError("for a network's file, of the options only --csv has an effect")


def _write(files: dict[Path, bytes]) -> None:
    """Write all beside their places first, then let them appear."""
    with ExitStack() as open_files:
        for path, content in files.items():
            open_files.enter_context(replacing(path)).write_bytes(content)
