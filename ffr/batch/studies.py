"""Which studies does the user mean? The entries of a folder, or the rows of a list."""

from __future__ import annotations

import contextlib
import csv
import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ffr.circulation.patient import CHOICES, PLAUSIBLE, Patient, load_patient, patient_from
from ffr.errors import ConfigError

LISTS = (".csv", ".tsv")
OWN_COLUMNS = ("study", "series", "patient")
COLUMNS = (*OWN_COLUMNS, *Patient.model_fields)
MOST_PROBLEMS = 5  # that are told at once


@dataclass(frozen=True, slots=True)
class Listed:
    """One study as the user named it; a printed one does not tell whose it is.

    Parameters
    ----------
    study
        Absolute path of a folder or file; it need not exist.
    series
        DICOM series, None to choose one.
    patient
        What is known of the patient: keys and values of a patient file.
    """

    study: Path = field(repr=False)
    series: str | None = None
    patient: Mapping[str, Any] = field(default_factory=dict, repr=False)


def listed_studies(place: Path, out: Path, everyone: Mapping[str, Any]) -> list[Listed]:
    """Return the studies that `place` holds or lists.

    Parameters
    ----------
    place
        Folder whose subfolders, zips and volume files are studies; or a list (.csv, .tsv).
    out
        Result folder: no study, wherever it lies.
    everyone
        Patient values that hold where a list gives no other.

    Raises
    ------
    ConfigError
        No such place, no studies, or rows that make no sense; all of them in one line.
    """
    if place.is_dir():
        found = [Listed(path, None, dict(everyone)) for path in _entries(place, out)]
    elif not place.exists():
        raise ConfigError("the studies do not exist; give a folder of studies or a list (.csv)")
    elif place.suffix.lower() not in LISTS:
        raise ConfigError("a list of studies is a .csv or .tsv; for one study use 'ffr run'")
    else:
        found = _rows(place, everyone)
    if not any(x.study.exists() for x in found):
        message = (
            "no study of the list exists; paths count from the list's own folder"
            if place.is_file()
            else "no studies there: no subfolders, zips or volume files"
        )
        raise ConfigError(message)
    return found


def _entries(place: Path, out: Path) -> list[Path]:
    """Return what in a folder may be a study: whatever its name, but nothing hidden."""
    from ffr.reading.dicom_header import looks_like_dicom  # heavy, and no worker needs it
    from ffr.reading.image_file import kind_of

    visible = sorted(p for p in place.iterdir() if not p.name.startswith("."))
    folders = [p for p in visible if p.is_dir() and p.resolve() != out.resolve()]
    files = [p for p in visible if p.is_file()]
    volumes = [p for p in files if p.suffix.lower() == ".zip" or kind_of(p)]
    if not volumes and any(map(looks_like_dicom, files)):
        message = (
            "the folder holds the files of one study; use 'ffr run', or give the folder above"
        )
        raise ConfigError(message)
    return [Path(os.path.abspath(p)) for p in sorted([*folders, *volumes])]


def _rows(file: Path, everyone: Mapping[str, Any]) -> list[Listed]:
    found: list[Listed] = []
    seen: dict[Path, int] = {}
    problems: list[str] = []
    for number, row in _table(file):
        try:
            one = _study(row, file.parent, everyone, number)
            if one.study in seen:
                message = f"row {number} names the study of row {seen[one.study]} again"
                raise ConfigError(message)
            seen[one.study] = number
            found.append(one)
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        rest = len(problems) - MOST_PROBLEMS
        more = f"; and {rest} more" if rest > 0 else ""
        raise ConfigError(f"the list: {'; '.join(problems[:MOST_PROBLEMS])}{more}")
    return found


def _table(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Give each row with the number that a spreadsheet shows beside it."""
    try:
        text = file.read_text(encoding="utf-8-sig")  # spreadsheets begin with a mark
    except UnicodeDecodeError as error:
        raise ConfigError("the list is not text in UTF-8; save it as CSV UTF-8") from error
    head = text.partition("\n")[0]
    tab = file.suffix.lower() == ".tsv"
    delimiter = "\t" if tab else max(",;\t", key=head.count)
    lines = csv.reader(text.splitlines(), delimiter=delimiter)
    names = [name.strip().lower() for name in next(lines, [])]
    _check_columns(names)
    for number, cells in enumerate(lines, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(names):
            message = f"the list: row {number} has {len(cells)} cells for {len(names)} columns"
            raise ConfigError(message)
        filled = zip(names, cells, strict=False)
        yield number, {name: cell.strip() for name, cell in filled if cell.strip()}


def _check_columns(names: list[str]) -> None:
    for number, name in enumerate(names, start=1):
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1, cutoff=0.6)
            # not repeated: without a line of names it may be a patient's
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(COLUMNS)}"
            raise ConfigError(f"the list: column {number} has no known name; {hint}")
    if "study" not in names:
        raise ConfigError("the list has no column 'study'; its first line names the columns")
    if len(set(names)) < len(names):
        raise ConfigError("the list has two columns of one name; leave one out")


def _study(
    row: dict[str, str], folder: Path, everyone: Mapping[str, Any], number: int
) -> Listed:
    if "study" not in row:
        raise ConfigError(f"row {number} has no study")
    known = dict(everyone)
    try:
        if "patient" in row:
            known |= load_patient(folder / row["patient"]).model_dump(exclude_none=True)
        known |= {name: _value(name, row[name]) for name in Patient.model_fields if name in row}
        patient_from(known, "patient")
    except OSError as error:
        raise ConfigError(f"row {number}: patient file: {error.strerror}") from error
    except ConfigError as error:
        raise ConfigError(f"row {number}: {error}") from error
    study = Path(os.path.abspath(folder / row["study"]))
    return Listed(study, row.get("series"), known)


def _value(name: str, cell: str) -> float | str:
    """Return a cell as a patient file would hold it.

    Raises
    ------
    ConfigError
        Not plausible; the cell is not repeated, in a row that has slipped it may be a name.
    """
    if name in CHOICES:
        if cell in CHOICES[name]:
            return cell
        raise ConfigError(f"{name} must be one of {', '.join(CHOICES[name])}")
    low, high = PLAUSIBLE[name]
    with contextlib.suppress(ValueError):
        if low <= float(cell) <= high:
            return float(cell)
    unit = ", a fraction" if name == "haematocrit" else ""
    raise ConfigError(f"{name} must be a number from {low:g} to {high:g}{unit}")
