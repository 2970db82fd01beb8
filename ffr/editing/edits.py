"""What can a reader change in the trees? Six edits, as they are typed, kept and read back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from ffr.errors import ConfigError
from ffr.results.result import Model, Side

FILE = "the file of edits"  # never its name: it may be called after the patient
CLOSED_MM = 0.1  # a lumen so wide is an occlusion (solvers.occlusion)
WIDEST_MM = 10.0  # a left main is 4.5 +- 0.5 mm wide (Dodge 1992); ectasia doubles that
MOST_MM = 5.0  # by which a wall may be moved
LEAST_RAYS = 4
NAME = re.compile(
    r"(LM|LAD|LCx|RCA|RI\d?|CB\d?|SN\d?|[LR]-PDA\d?|[LR]-PLB\d?|(D|S|OM|AM|RA|LA)[1-9]\d?)"
    r"[a-z]{0,3}"
)


class _Edit(Model):
    """One change. Distances are path lengths from the ostium, in the trees as edited so far."""

    vessel: str
    """Vessel that is changed, such as "D1"."""
    side: Side | None = None
    """Tree it is in; needed only where both trees have a vessel of this name."""


class Delete(_Edit):
    """Take a vessel away, or all of it behind a place, with all that branches off there."""

    edit: Literal["delete"] = "delete"
    """Kind of edit."""
    from_mm: float | None = Field(default=None, ge=0)
    """Where what goes begins; none: the whole vessel."""


class Relabel(_Edit):
    """Give a vessel another name; where it continues the vessel of that name, it joins it."""

    edit: Literal["relabel"] = "relabel"
    """Kind of edit."""
    name: str
    """The new name."""


class Split(_Edit):
    """Make the part of a vessel behind a place a vessel of its own."""

    edit: Literal["split"] = "split"
    """Kind of edit."""
    at_mm: float = Field(ge=0)
    """Where the new vessel begins."""
    name: str
    """Its name."""


class Move(_Edit):
    """Let a vessel, with all its branches, spring from another place."""

    edit: Literal["move"] = "move"
    """Kind of edit."""
    take_off_vessel: str
    """Vessel that it springs from, in whichever tree."""
    at_mm: float = Field(ge=0)
    """Where on that vessel."""


class Nudge(_Edit):
    """Move the wall of a vessel along a span, most in its middle and nothing at its ends."""

    edit: Literal["nudge"] = "nudge"
    """Kind of edit."""
    from_mm: float = Field(ge=0)
    """Where the span begins."""
    to_mm: float = Field(ge=0)
    """Where it ends."""
    diameter_mm: float | None = Field(default=None, ge=CLOSED_MM, le=WIDEST_MM)
    """Lumen diameter inside the span; 0.1: closed."""
    wider_by_mm: float | None = Field(default=None, ge=-MOST_MM, le=MOST_MM)
    """Change of the lumen diameter, below 0 for narrower."""
    wall_change_mm: tuple[float, ...] | None = None
    """Change of the way from centreline to wall along rays at even angles, the first along the
    contour's first ray; for a wall that is wrong on one side."""

    @model_validator(mode="after")
    def _one_measure(self) -> Nudge:
        if self.from_mm >= self.to_mm:
            message = f"from_mm is {self.from_mm:g}, must be less than to_mm ({self.to_mm:g})"
            raise ValueError(message)
        given = (self.diameter_mm, self.wider_by_mm, self.wall_change_mm)
        if sum(x is not None for x in given) != 1:
            message = "give one of diameter_mm, wider_by_mm and wall_change_mm"
            raise ValueError(message)
        rays = self.wall_change_mm
        if rays is not None and (len(rays) < LEAST_RAYS or max(map(abs, rays)) > MOST_MM):
            message = (
                f"wall_change_mm needs {LEAST_RAYS} numbers or more, within {MOST_MM:g} mm"
            )
            raise ValueError(message)
        return self


class Exclude(_Edit):
    """Give no FFR in a vessel, nor in what branches off it; blood flows there as before."""

    edit: Literal["exclude"] = "exclude"
    """Kind of edit."""


Edit = Delete | Relabel | Split | Move | Nudge | Exclude
_ONE: TypeAdapter[Edit] = TypeAdapter(Annotated[Edit, Field(discriminator="edit")])


def edit_from(words: dict[str, Any], where: str) -> Edit:
    """Return an edit from its fields.

    Raises
    ------
    ConfigError
        A field that is missing, unknown or out of range; the message begins with `where`.
    """
    try:
        edit = _ONE.validate_json(json.dumps(words))
    except ValidationError as error:
        raise ConfigError(f"{where}: {_told(error)}") from error
    name = getattr(edit, "name", None)
    if name is not None and NAME.fullmatch(name) is None:
        # the name is not repeated: whatever was typed may stand in its place
        message = (
            f"{where}: the new name is none of a coronary artery; give one such as LAD, D2, "
            "OM1, R-PDA or D1a"
        )
        raise ConfigError(message)
    return edit


def _told(error: ValidationError) -> str:
    """Return what is wrong without what was given: it may be anything."""
    first = error.errors(include_input=False, include_url=False)[0]
    if first["type"].startswith("union_tag"):
        return '"edit" must be delete, relabel, split, move, nudge or exclude'
    place = [str(x) for x in first["loc"][1:]]
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        return f"{place[0][:30]!r} is no field of this edit; leave it out"
    return f"{'.'.join(place)}: {said}" if place else said


def read_edits(path: Path) -> tuple[Edit, ...]:
    """Read edits from JSON: a list of them, or the `edits.json` of an edited result.

    Raises
    ------
    ConfigError
        No such file, not JSON, no edit in it, or one that cannot be understood.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{FILE} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ConfigError(f"{FILE} is not JSON; give a list of edits") from error
    if isinstance(found, dict) and isinstance(found.get("edits"), list):
        found = [x.get("edit") if isinstance(x, dict) else x for x in found["edits"]]
    if not isinstance(found, list) or not found:
        message = f'{FILE} holds no edits; give a list such as [{{"edit": "exclude", ...}}]'
        raise ConfigError(message)
    return tuple(_read(k, x) for k, x in enumerate(found, 1))


def _read(number: int, words: object) -> Edit:
    where = f"{FILE}, edit {number}"
    if not isinstance(words, dict):
        raise ConfigError(f"{where}: must be an object with the fields of an edit")
    return edit_from(words, where)


def in_words(edit: Edit) -> str:
    """Return what an edit does, in one line."""
    match edit:
        case Delete(from_mm=None):
            return f"{edit.vessel} deleted"
        case Delete():
            return f"{edit.vessel} deleted from {edit.from_mm:.1f} mm on"
        case Relabel():
            return f"{edit.vessel} renamed {edit.name}"
        case Split():
            return f"{edit.vessel} split at {edit.at_mm:.1f} mm, {edit.name} behind"
        case Move():
            return (
                f"take-off of the {edit.vessel} moved to the {edit.take_off_vessel} at "
                f"{edit.at_mm:.1f} mm"
            )
        case Nudge():
            return (
                f"lumen of the {edit.vessel} nudged from {edit.from_mm:.1f} to "
                f"{edit.to_mm:.1f} mm, {_nudged(edit)}"
            )
        case Exclude():
            return f"{edit.vessel} excluded"


def _nudged(edit: Nudge) -> str:
    if edit.diameter_mm is not None:
        return f"to {edit.diameter_mm:.2f} mm"
    if edit.wider_by_mm is not None:
        way = "wider" if edit.wider_by_mm >= 0 else "narrower"
        return f"{abs(edit.wider_by_mm):.2f} mm {way}"
    return "its wall moved"
