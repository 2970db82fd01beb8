"""Do the words of a verb make sense together? Before anything heavy is imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ffr.errors import ConfigError
from ffr.own_weights import check_own_weights

if TYPE_CHECKING:
    from ffr.circulation.patient import Patient

STAGES = ("scan", "segment", "tree", "solve", "report")


def known_patient(file: Path | None, flags: dict[str, object]) -> Patient:
    """Return what is known of the patient: the file, overruled by flags.

    Raises
    ------
    ConfigError
        A file or a value that cannot be used.
    """
    from ffr.circulation.patient import load_patient, patient_from

    known = load_patient(file).model_dump(exclude_none=True) if file else {}
    known |= {name: value for name, value in flags.items() if value is not None}
    return patient_from(known, "patient")


def check_settings(
    first: str, series: str | None, patient_file: Path | None, flags: dict[str, object]
) -> None:
    """Refuse what is unknown, and what would silently have no effect.

    Raises
    ------
    ConfigError
        Names the option and what to do.
    """
    if first not in STAGES:
        raise ConfigError(f"--from {first!r}: no such stage; choose one of {', '.join(STAGES)}")
    if series is not None and first != "scan":
        raise ConfigError(f"--series has no effect with --from {first}; leave one of them out")
    given = patient_file is not None or any(v is not None for v in flags.values())
    if given and first == "report":
        raise ConfigError("what is known of the patient acts on the flow; use --from solve")


def check_weights(weights: Path | None, first: str) -> None:
    """Refuse own weights where none is used, or none are there.

    Raises
    ------
    ConfigError
        Names the option and what to do.
    """
    if weights is None:
        return
    if first in STAGES and first not in STAGES[:2]:
        message = f"--weights has no effect with --from {first}; leave one of them out"
        raise ConfigError(message)
    check_own_weights(weights)


def check_span(
    vessel: str | None, from_mm: float | None, to_mm: float | None, diameter_mm: float | None
) -> None:
    """Refuse half a stent: with a vessel goes a span, without one nothing.

    Raises
    ------
    ConfigError
        Names the option and what to do.
    """
    if vessel is None and any(x is not None for x in (from_mm, to_mm, diameter_mm)):
        raise ConfigError("a span needs its vessel; give --vessel, or nothing to rank lesions")
    if vessel is not None and (from_mm is None or to_mm is None):
        raise ConfigError("a stent needs both ends; give --from-mm and --to-mm")


def given_study(study: Path | None) -> Path:
    """Return the study; a `ConfigError` where there is none."""
    if study is None:
        raise ConfigError("a study is needed to read a scan")
    return study
