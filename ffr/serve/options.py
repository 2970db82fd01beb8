"""What can be set, by words or in a file, and what holds where nothing is said?"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ffr.errors import ConfigError
from ffr.serve.destination import AET

SOURCE = "the config file"
PATHS = ("watch", "tls_cert", "tls_key", "tls_ca", "send_login", "patient", "weights")
Port = Annotated[int, Field(ge=0, le=65535)]


class ServeOptions(BaseModel):
    """All options of `ffr serve` but two; docs/serve.md says what each does."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: str = "127.0.0.1"
    port: Port = 11112
    aet: str = "CT-FFR"
    allow_aet: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None
    most_associations: Annotated[int, Field(ge=1, le=100)] = 8
    settle_s: Annotated[float, Field(ge=0.0, le=3600.0)] = 45.0
    study_limit_gb: Annotated[float, Field(gt=0.0, le=1000.0)] = 8.0
    object_limit_gb: Annotated[float, Field(gt=0.0, le=1000.0)] = 4.0
    min_free_gb: Annotated[float, Field(ge=0.0, le=100_000.0)] = 5.0
    keep_days: Annotated[float | None, Field(gt=0.0, le=100_000.0)] = None
    watch: Path | None = None
    send_to: str | None = None
    send_tls: bool = False
    send_login: Path | None = None
    retry_s: Annotated[float, Field(gt=0.0, le=600.0)] = 10.0
    status_port: Port = 11180
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    threads: Annotated[int | None, Field(ge=1, le=1024)] = None
    time_limit_min: Annotated[float, Field(ge=0.01, le=100_000.0)] = 60.0
    memory_limit_gb: Annotated[float, Field(ge=0.01, le=100_000.0)] = 6.0
    patient: Path | None = None
    weights: Path | None = None


def options_from(words: Mapping[str, Any], config: Path | None = None) -> ServeOptions:
    """Return the options: words before the file, and the file before what holds anyway.

    Parameters
    ----------
    words
        What was typed; None or empty where nothing was.
    config
        TOML of the same names with underscores; its paths count from its own folder.

    Raises
    ------
    ConfigError
        Not TOML, an unknown name, a value out of range, options that need one another.
    """
    typed = {name: value for name, value in words.items() if value not in (None, (), [])}
    known = {} if config is None else _of_file(config)
    try:
        options = ServeOptions.model_validate({**known, **typed})
    except ValidationError as error:
        problems = (_problem(one["loc"], one["msg"], typed) for one in error.errors())
        raise ConfigError("; ".join(dict.fromkeys(problems))) from error
    _check(options)
    return options


def _of_file(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{SOURCE} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{SOURCE} is not TOML: {error}") from error
    for name in PATHS:
        if isinstance(found.get(name), str):
            found[name] = path.absolute().parent / found[name]
    return found


def _problem(place: tuple[int | str, ...], message: str, typed: Mapping[str, Any]) -> str:
    """Say what is wrong with an option, without its value: it may be a path."""
    name = str(place[0])
    if name not in ServeOptions.model_fields:
        near = difflib.get_close_matches(name, list(ServeOptions.model_fields), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "; docs/serve.md lists them"
        return f"{SOURCE} has an entry that is no option{hint}"
    source = "" if name in typed else f" of {SOURCE}"
    option = f"--{name.replace('_', '-')}" if name in typed else name
    return f"{option}{source}: {message[:1].lower()}{message[1:]}"


def _check(options: ServeOptions) -> None:
    for name, titles in (("--aet", [options.aet]), ("--allow-aet", options.allow_aet)):
        if not all(AET.fullmatch(title) for title in titles):
            message = f"{name} must be 1 to 16 characters of ASCII without a backslash"
            raise ConfigError(message)
    if (options.tls_cert is None) != (options.tls_key is None):
        raise ConfigError("give both --tls-cert and --tls-key, or neither")
    if options.send_to is None and (options.send_tls or options.send_login):
        raise ConfigError("--send-tls and --send-login have no effect without --send-to")
    secure = options.send_tls or str(options.send_to).startswith("https://")
    if options.tls_ca is not None and options.tls_cert is None and not secure:
        raise ConfigError("--tls-ca has no effect without --tls-cert, --send-tls or https")
    if not options.host:
        raise ConfigError("--host is empty; give 127.0.0.1, or an address of this machine")
