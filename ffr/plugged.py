"""How does a verb reach a floor above? By name, when it is asked for and installed."""

from __future__ import annotations

import importlib
from typing import Any

from ffr.errors import ConfigError


def plugged(module: str, extra: str) -> Any:
    """Import a module that need not be installed.

    Parameters
    ----------
    module
        Its name.
    extra
        The extra of ct-ffr that brings it and what it needs.

    Raises
    ------
    ConfigError
        It, or a library that it needs, is not installed; the message says how to mend that.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
        message = (
            f"this verb needs {missing!r}, which is not here; pip install 'ct-ffr[{extra}]'"
        )
        raise ConfigError(message) from error
