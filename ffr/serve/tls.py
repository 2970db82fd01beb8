"""How are connections encrypted, and who is let in or trusted by certificate?"""

from __future__ import annotations

import ssl
from pathlib import Path

from ffr.errors import ConfigError


def server_context(certificate: Path, key: Path, authority: Path | None) -> ssl.SSLContext:
    """Return what a listener encrypts with; with an authority, only its clients are let in.

    Raises
    ------
    ConfigError
        A file that cannot be read or does not fit.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _load(context, certificate, key)
    if authority is not None:
        _trust(context, authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(
    certificate: Path | None, key: Path | None, authority: Path | None
) -> ssl.SSLContext:
    """Return what a sender encrypts with; the destination must be known to the authority.

    Raises
    ------
    ConfigError
        As in `server_context`.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    if authority is not None:
        _trust(context, authority)
    if certificate is not None and key is not None:
        _load(context, certificate, key)
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    for name, path in (("--tls-cert", certificate), ("--tls-key", key)):
        _require_readable(name, path)
    try:
        # a key with a password would be asked for on the terminal
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        message = (
            "--tls-cert and --tls-key are no certificate and its key as PEM without a password"
        )
        raise ConfigError(message) from error


def _trust(context: ssl.SSLContext, authority: Path) -> None:
    _require_readable("--tls-ca", authority)
    try:
        context.load_verify_locations(authority)
    except (OSError, ValueError) as error:
        raise ConfigError("--tls-ca is no certificate as PEM") from error


def _require_readable(name: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}") from error
