"""What a user's input can be refused for; every one ends with exit code 2 and one line."""

from __future__ import annotations


class ConfigError(ValueError):
    """A setting or a file that the user wrote is wrong."""


class StudyError(ValueError):
    """The study cannot be analysed; the reason has a name.

    Parameters
    ----------
    reason
        Short stable name, such as "not-ct" or "slices-missing".
    message
        One line: what, which value, what to do. Never holds patient data.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"
