"""Why could a result not be sent?"""

from __future__ import annotations


class UnsentError(Exception):
    """One line, without patient data and without the destination's own words."""
