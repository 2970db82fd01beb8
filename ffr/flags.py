"""What a reader of the result must know beside the numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flag:
    """A warning that travels with the result.

    Parameters
    ----------
    name
        Short stable name, such as "slices-thick" or "contrast-low".
    message
        One line for the reader. Never holds patient data.
    """

    name: str
    message: str
