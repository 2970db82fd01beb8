"""What is kept of edits? `edits.json`: each as it was asked for, when, and what it changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from ffr.editing.edits import Edit
from ffr.errors import ConfigError
from ffr.results import stages
from ffr.results.result import EditEntry, Model
from meshes.writing import write_text

FILE = "edits.json"
SCHEMA_VERSION: Literal["1.0"] = "1.0"


class Record(Model):
    """One edit and what it changed."""

    edit: Annotated[Edit, Field(discriminator="edit")]
    """The edit, as `ffr edit --edits` reads it."""
    entry: EditEntry
    """When it was made, and numbers before and after."""


class EditLog(Model):
    """All edits that lead from the automatic trees to a result, in their order."""

    schema_version: Literal["1.0"]
    """Version of this format."""
    research_use_only: str
    """The statement that goes with every number here."""
    code_version: str
    """Version of ct-ffr."""
    onto: int | None
    """Number of the edited result that this one goes on from; null: the automatic one."""
    edits: tuple[Record, ...]
    """The edits."""


def save_log(path: Path, log: EditLog) -> None:
    """Write a log: the whole file or nothing."""
    text = json.dumps(
        log.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False
    )
    write_text(path, text + "\n")


def load_log(out: Path, number: int, option: str = "--onto") -> EditLog:
    """Read what was edited in result `number` of a run; `option` named it.

    Raises
    ------
    ConfigError
        There is no such result, or its log is damaged.
    """
    path = out / stages.EDITS / str(number) / FILE
    if not path.is_file():
        made = sorted(int(p.name) for p in (out / stages.EDITS).glob("[0-9]*"))
        message = (
            f"{option} {number}: there is no such edited result; there are "
            f"{', '.join(map(str, made)) or 'none'}"
        )
        raise ConfigError(message)
    try:
        return EditLog.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError) as error:
        message = f"{option} {number}: its edits.json is damaged; go on from another result"
        raise ConfigError(message) from error
