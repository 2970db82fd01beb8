"""How do results get to the archive? By C-STORE or STOW-RS, one object after the other."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from ffr.errors import ConfigError
from ffr.serve.cstore import StoreNode
from ffr.serve.stow import StowNode

AET = re.compile(
    r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?"
)  # PS3.5: no backslash, no control
NODE = re.compile(r"(?P<aet>[^@]+)@(?P<host>\[[^\]]+\]|[^:@/]+):(?P<port>\d{1,5})")
HOW = "give AET@host:port for C-STORE, or an http(s) address for STOW-RS"


class Destination(Protocol):
    """Takes objects; says of each that it has it."""

    def send(self, files: Sequence[Path], sent: Callable[[Path], None]) -> None:
        """Send files, and call `sent` for each that the destination has.

        Raises
        ------
        UnsentError
            Why not all of them.
        """


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, and how it proves who it is.

    Parameters
    ----------
    aet
        Our AE title.
    tls
        For C-STORE, None: not encrypted.
    login
        File with `user:password`, for STOW-RS.
    authority, certificate, key
        For STOW-RS by https: whom to trust, and our own.
    """

    aet: str
    tls: ssl.SSLContext | None = None
    login: Path | None = field(default=None, repr=False)
    authority: Path | None = field(default=None, repr=False)
    certificate: Path | None = field(default=None, repr=False)
    key: Path | None = field(default=None, repr=False)


def destination(address: str, sender: Sender) -> Destination:
    """Return the destination of an address.

    Raises
    ------
    ConfigError
        Neither form, or options that have no effect on it.
    """
    if address.startswith(("http://", "https://")):
        return _stow(address, sender)
    found = NODE.fullmatch(address)
    if found is None or not AET.fullmatch(found["aet"]) or not 0 < int(found["port"]) < 65536:
        raise ConfigError(f"--send-to makes no sense; {HOW}")
    if sender.login is not None:
        raise ConfigError("--send-login has an effect on STOW-RS only; leave it out")
    host = found["host"].strip("[]")
    return StoreNode(found["aet"], host, int(found["port"]), sender.aet, sender.tls)


def _stow(address: str, sender: Sender) -> StowNode:
    try:
        parts = urlsplit(address)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username or parts.query or parts.fragment:
        message = (
            "give the address of the DICOMweb service alone, and --send-login for a password"
        )
        raise ConfigError(f"--send-to makes no sense; {message}")
    if sender.tls is not None and parts.scheme == "http":
        raise ConfigError("--send-tls and an http address; give https")
    pair = None if sender.certificate is None else (sender.certificate, sender.key)
    login = None if sender.login is None else _login(sender.login)
    return StowNode(address.rstrip("/"), login, sender.authority, pair)


def _login(path: Path) -> tuple[str, str]:
    try:
        user, colon, password = path.read_text(encoding="utf-8").strip().partition(":")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no text"
        raise ConfigError(f"--send-login cannot be read: {why}") from error
    if not colon or "\n" in password:
        raise ConfigError("--send-login holds no line user:password")
    return user, password
