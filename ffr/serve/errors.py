"""What can go wrong with an object that is received, or a result that is sent?"""

from __future__ import annotations


class UnwantedError(ValueError):
    """The file is not taken; says why without a word of its content."""


class NoRoomError(OSError):
    """The disk is too full, or the study too large; says which."""


class UnsentError(Exception):
    """One line, without patient data and without the destination's own words."""
