"""Which stents and edits may the page ask for? Checked as what is typed is."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from ffr.editing.edits import Edit, edit_from
from ffr.errors import ConfigError
from ffr.stenting.span import Stent

MOST_STENTS, MOST_EDITS = 12, 60  # at a time


class _Span(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    vessel: str = Field(max_length=40)
    from_mm: FiniteFloat
    to_mm: FiniteFloat
    diameter_mm: FiniteFloat | None = None


class _Asked(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    stents: list[_Span] = Field(min_length=1, max_length=MOST_STENTS)


class _Tried(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    stents: list[_Span] = Field(max_length=MOST_STENTS)
    edits: list[dict[str, Any]] = Field(max_length=MOST_EDITS)


def stents_of(body: bytes) -> tuple[Stent, ...]:
    """Return the stents that the page asks for, in JSON.

    Raises
    ------
    ConfigError
        Something else, or none.
    """
    try:
        asked = _Asked.model_validate_json(body)
    except ValidationError as error:
        raise ConfigError(f"no list of stents: {_told(error)}") from None
    return tuple(Stent(x.vessel, x.from_mm, x.to_mm, x.diameter_mm) for x in asked.stents)


def edits_of(body: bytes) -> tuple[Edit, ...]:
    """Return the edits that the page asks for: {"edits": [...]}, each as `ffr edit` reads it.

    Raises
    ------
    ConfigError
        Something else, none, or too many.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise ConfigError("no list of edits: it is not JSON") from None
    rows = asked.get("edits") if isinstance(asked, dict) and len(asked) == 1 else None
    if not isinstance(rows, list) or not 0 < len(rows) <= MOST_EDITS:
        raise ConfigError(
            f'no list of edits: "edits" must hold 1 to {MOST_EDITS} of them, alone'
        )
    return tuple(_edit(k, x) for k, x in enumerate(rows, 1))


def tried_of(body: bytes) -> dict[str, list[Any]]:
    """Return what is tried, {"stents": [...], "edits": [...]}, checked, as values for JSON.

    Raises
    ------
    ConfigError
        Something else, or too many.
    """
    try:
        asked = _Tried.model_validate_json(body)
    except ValidationError as error:
        raise ConfigError(f"no lists of stents and edits: {_told(error)}") from None
    edits = [_edit(k, x) for k, x in enumerate(asked.edits, 1)]
    return {
        "stents": [x.model_dump(mode="json") for x in asked.stents],
        "edits": [x.model_dump(mode="json", exclude_none=True) for x in edits],
    }


def _edit(number: int, words: object) -> Edit:
    if not isinstance(words, dict):
        raise ConfigError(f"edit {number}: must be an object with the fields of an edit")
    return edit_from(words, f"edit {number}")


def _told(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(x) for x in first["loc"]) or "the request"
    return f"{where}: {first['msg']}"
