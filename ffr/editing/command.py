"""Which edit is meant by the words of the command line?"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from ffr.editing.edits import Edit, edit_from, read_edits
from ffr.errors import ConfigError

AROUND_MM = 2.5  # on either side of a place that is nudged without a span
_SECOND = {"relabel": "name", "split": "name", "move": "take_off_vessel"}
_MEASURES = {
    "delete": ("from_mm",),
    "split": ("at_mm",),
    "move": ("at_mm",),
    "nudge": ("at_mm", "from_mm", "to_mm", "diameter_mm", "wider_by_mm"),
}


@dataclass(frozen=True, slots=True)
class Words:
    """What was typed; None for what was not.

    Parameters
    ----------
    delete, exclude, nudge
        A vessel.
    relabel, split, move
        A vessel and its new name, the name of the part behind, or whence it springs: "D1=D2".
    side, at_mm, from_mm, to_mm, diameter_mm, wider_by_mm
        Fields of the edit.
    """

    delete: str | None = None
    relabel: str | None = None
    split: str | None = None
    move: str | None = None
    nudge: str | None = None
    exclude: str | None = None
    side: str | None = None
    at_mm: float | None = None
    from_mm: float | None = None
    to_mm: float | None = None
    diameter_mm: float | None = None
    wider_by_mm: float | None = None


KINDS = ("delete", "relabel", "split", "move", "nudge", "exclude")


def asked_edits(
    file: Path | None, words: Words, undo: bool, onto: int | None = None
) -> tuple[Edit, ...]:
    """Return the edits of a file, or the one that was typed; none where one is undone.

    Raises
    ------
    ConfigError
        Nothing to do, or more than one of them; options that do not fit the edit.
    """
    typed = [x.name for x in fields(words) if getattr(words, x.name) is not None]
    kinds = [x for x in typed if x in KINDS]
    if undo + (file is not None) + len(kinds) != 1:
        message = (
            "give one of --edits FILE, --delete, --relabel, --split, --move, --nudge, "
            "--exclude and --undo"
        )
        raise ConfigError(message)
    if undo and onto is None:
        raise ConfigError("--undo drops the last edit of a result; say of which with --onto")
    if undo or file is not None:
        if typed:
            message = (
                f"--{typed[0].replace('_', '-')} needs an edit that is typed; leave it out"
            )
            raise ConfigError(message)
        return () if file is None else read_edits(file)
    return (_typed_edit(kinds[0], words, typed),)


def _typed_edit(kind: str, words: Words, typed: list[str]) -> Edit:
    for name in typed:
        if name not in (kind, "side", *_MEASURES.get(kind, ())):
            message = f"--{name.replace('_', '-')} has no effect with --{kind}; leave it out"
            raise ConfigError(message)
    given = {x: getattr(words, x) for x in typed if x != kind}
    vessel, sign, second = str(getattr(words, kind)).partition("=")
    if bool(sign and second) != (kind in _SECOND):
        how = {"relabel": "D1=D2", "split": "LAD=D3", "move": "D1=LAD"}.get(kind, "LAD")
        raise ConfigError(f"--{kind} cannot be read; write it as --{kind} {how}")
    if second:
        given[_SECOND[kind]] = second
    if kind == "nudge" and "at_mm" in given:
        if "from_mm" in given or "to_mm" in given:
            raise ConfigError("--at-mm is a place, --from-mm and --to-mm a span; give one")
        at = given.pop("at_mm")
        given |= {"from_mm": max(at - AROUND_MM, 0.0), "to_mm": at + AROUND_MM}
    return edit_from({"edit": kind, "vessel": vessel, **given}, f"--{kind}")
