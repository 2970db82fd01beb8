"""Which result of a run becomes objects: the automatic one, an edited one, or a plan?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ffr.errors import ConfigError
from ffr.results import stages

Kind = Literal["automatic", "edited", "stented"]
_WORDS: dict[Kind, str] = {
    "automatic": "", "edited": "edited by hand", "stented": "virtual stent",
}  # fmt: skip
_SERIES: dict[Kind, int] = {"automatic": 0, "edited": 100, "stented": 200}
_FOLDER: dict[Kind, str] = {"edited": stages.EDITS, "stented": stages.STENTS}


@dataclass(frozen=True, slots=True)
class Variant:
    """A result of a run.

    Parameters
    ----------
    kind
        How it came about.
    number
        Of an edited result or a virtual stent in the run's folder; 0 of the automatic one.
    """

    kind: Kind = "automatic"
    number: int = 0

    @property
    def words(self) -> str:
        """Say how it came about; "" for the automatic result."""
        return _WORDS[self.kind]

    @property
    def in_patient(self) -> bool:
        """Tell whether its lumen was seen in the scan, and not planned."""
        return self.kind != "stented"

    @property
    def first_series(self) -> int:
        """Return what is added to the series numbers of the automatic result."""
        return _SERIES[self.kind]

    def folder(self, out: Path) -> Path:
        """Return where in a run its files are."""
        kind = self.kind
        return out if kind == "automatic" else out / _FOLDER[kind] / str(self.number)


AUTOMATIC = Variant()


def chosen_variant(out: Path, edit: int | None, stent: int | None) -> Variant:
    """Return the result that was asked for by its number; without one, the automatic one.

    Raises
    ------
    ConfigError
        Both numbers, or one that is not there.
    """
    if edit is not None and stent is not None:
        raise ConfigError("--edit and --stent name two results; give one of them")
    if edit is not None:
        found, option, called = Variant("edited", edit), "--edit", "edited result"
    elif stent is not None:
        found, option, called = Variant("stented", stent), "--stent", "virtual stent"
    else:
        return AUTOMATIC
    folder = found.folder(out)
    if not folder.is_dir():
        made = sorted(int(p.name) for p in folder.parent.glob("[0-9]*") if p.name.isdigit())
        message = (
            f"{option} {found.number}: there is no such {called}; there are "
            f"{', '.join(map(str, made)) or 'none'}"
        )
        raise ConfigError(message)
    return found
