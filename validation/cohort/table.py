"""Is this cohort table right? Every problem is named at once: line, column, value, remedy."""

from __future__ import annotations

import csv
import difflib
import io
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ffr.errors import ConfigError
from validation.cohort.identity import column_kind, shown
from validation.cohort.schema import COLUMNS, GROUP_PREFIX, REQUIRED, VESSELS, Row, values_of

MOST_SHOWN = 60
_PATIENT_FIELDS = ("patient_id", "image_path", "series", "systolic_mmhg", "diastolic_mmhg",
                   "haematocrit", "sex")  # fmt: skip


class TableError(ConfigError):
    """A cohort table with problems.

    Parameters
    ----------
    problems
        One line each, in the order of the table. Never hold what may identify a patient.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"cohort table: {count}, listed above; nothing was run")


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table that is right.

    Parameters
    ----------
    number
        Its line in the file, the header being line 1.
    row
        What stands there.
    """

    number: int
    row: Row


def read_table(path: Path) -> tuple[Line, ...]:
    """Read a cohort table: comma or semicolon, UTF-8, a header, one row per vessel.

    Raises
    ------
    ConfigError
        Not a text file with a header and rows.
    TableError
        Columns or values that are wrong; all of them at once.
    """
    header, body = _cells(path)
    problems = _header_problems(header)
    if problems:
        raise TableError(problems)
    lines: list[Line] = []
    for number, cells in body:
        line = _line(number, header, cells)
        if isinstance(line, Line):
            lines.append(line)
        else:
            problems += line
    problems += _problems_between(lines)
    if problems:
        raise TableError(sorted(problems, key=_line_number))
    return tuple(lines)


def _cells(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cohort table: {error.strerror}; give a CSV file") from error
    except UnicodeDecodeError as error:
        raise ConfigError("cohort table: not UTF-8 text; save it as 'CSV UTF-8'") from error
    first = text.partition("\n")[0]
    separator = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        rows = [(reader.line_num, [c.strip() for c in cells]) for cells in reader]
    except csv.Error as error:
        message = f"cohort table: line {reader.line_num} is not CSV; save it as 'CSV UTF-8'"
        raise ConfigError(message) from error
    rows = [row for row in rows if any(row[1])]
    if len(rows) < 2:
        message = "cohort table: no rows; a header and one row per vessel are needed"
        raise ConfigError(message)
    return rows[0][1], rows[1:]


def _header_problems(header: list[str]) -> list[str]:
    """Names of unknown columns are not repeated: without a header they are a patient's data."""
    found = []
    if not set(header) & set(COLUMNS):
        needed = ", ".join(REQUIRED)
        return [f"line 1: no column of a cohort table; the header needs {needed}"]
    for k, name in enumerate(header, start=1):
        if name in COLUMNS or (name.startswith(GROUP_PREFIX) and not column_kind(name)):
            if name in header[: k - 1]:
                found.append(f"line 1, column {k} ({name}): given twice; remove one")
            continue
        kind = column_kind(name)
        near = difflib.get_close_matches(name.lower(), COLUMNS, n=1, cutoff=0.75)
        told = f"not known; remove it, or call it {GROUP_PREFIX}... if it divides into groups"
        if kind:
            told = f"looks like {kind}; remove it, and use pseudonyms"
        elif near and near[0] not in header:
            told = f"not known; did you mean '{near[0]}'?"
        found.append(f"line 1, column {k}: {told}")
    lacking = [name for name in (*REQUIRED, "invasive_ffr") if name not in header]
    return found + [f"line 1: column '{name}' is missing; add it" for name in lacking]


def _line(number: int, header: list[str], cells: list[str]) -> Line | list[str]:
    if len(cells) != len(header):
        return [f"line {number}: {len(cells)} cells, the header has {len(header)}; mend it"]
    given = {n: c for n, c in zip(header, cells, strict=True) if c}
    groups = {n: given.pop(n) for n in list(given) if n.startswith(GROUP_PREFIX)}
    try:
        row = Row.model_validate({**given, "groups": groups} if groups else given)
    except ValidationError as error:
        told = [_problem(number, e, {**given, **groups}) for e in error.errors()]
        return list(dict.fromkeys(told))
    return Line(number, row)


def _problem(number: int, error: ErrorDetails, cells: dict[str, str]) -> str:
    words = str(error.get("ctx", {}).get("error", "")).split(":", 2)
    if words[0] == "together":
        return f"line {number}, column {words[1]}: {words[2]}"
    column = str(error["loc"][-1])
    where, value = f"line {number}, column {column}", cells.get(column, "")
    if error["type"] == "missing":
        return f"{where}: empty; give {_wanted(column)}"
    if words[0] == "identity":
        return f"{where}, value not shown: looks like {words[1]}; use a pseudonym"
    if column == "vessel":
        near = difflib.get_close_matches(value, VESSELS, n=1)
        hint = f"did you mean {near[0]}?" if near else "give one of LM, LAD, LCx, RCA, D1, OM1"
        return f"{where}, {shown(value)}: no such vessel; {hint}"
    comma = "; write the decimal point as '.'" if "," in value else ""
    return f"{where}, {shown(value)}: give {_wanted(column)}{comma}"


def _wanted(column: str) -> str:
    if column in ("case_id", "patient_id"):
        return "a pseudonym of letters and at least one digit, such as P017"
    if column == "invasive_ffr":
        return f"a {values_of(column)}, such as 0.82"
    if column not in COLUMNS:
        return "a text of up to 60 letters"
    words = values_of(column)
    words = words.replace("text", "text of up to 60 letters")
    one_of = " or " in words and "such as" not in words
    return words if one_of else f"a {words}"


def _problems_between(lines: Sequence[Line]) -> list[str]:
    """Return what is wrong with rows beside each other."""
    found: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    cases: defaultdict[str, list[Line]] = defaultdict(list)
    for line in lines:
        key = (line.row.case_id, line.row.vessel)
        if key in seen:
            found.append(
                f"line {line.number}, column vessel: {line.row.vessel} of {line.row.case_id} "
                f"stands in line {seen[key]} already; keep one row per vessel"
            )
        seen.setdefault(key, line.number)
        cases[line.row.case_id].append(line)
    for own in cases.values():
        first, *others = own
        found += [
            f"line {x.number}, column {name}: differs from line {first.number} of the same "
            "case; make both equal"
            for name in _PATIENT_FIELDS
            for x in others
            if getattr(x.row, name) != getattr(first.row, name)
        ]
    return found


def check_sources(
    lines: Sequence[Line], folder: Path, has_result: Callable[[str], bool]
) -> None:
    """Check that each case that is compared has a finished run or a CT study.

    Raises
    ------
    TableError
        All cases that have neither. Paths are not repeated: they may hold a name.
    """
    problems = []
    for x in lines:
        if not x.row.compared or has_result(x.row.case_id):
            continue
        where = f"line {x.number}, column image_path"
        if x.row.image_path is None:
            problems.append(
                f"{where}: empty, and no finished run of {x.row.case_id} in --results; give "
                "one of the two, or exclude the row"
            )
        elif not (folder / x.row.image_path).exists():
            problems.append(f"{where}, value not shown: nothing is there; mend the path")
    if problems:
        raise TableError(problems)


def _line_number(problem: str) -> int:
    return int(problem.split(",")[0].split(":")[0].removeprefix("line "))
