"""Which destination do the options name, and how is it spoken to? Libraries keep silent."""

from __future__ import annotations

import logging
import warnings

from ffr.serve.destination import Destination, Sender, destination
from ffr.serve.options import ServeOptions
from ffr.serve.tls import client_context

TALKATIVE = ("pynetdicom", "pydicom", "urllib3")  # they quote headers, UIDs and addresses


def node_of(options: ServeOptions) -> Destination | None:
    """Return the destination of results; None where none is given.

    Raises
    ------
    ConfigError
        An address, a login or certificates that make no sense.
    """
    if options.send_to is None:
        return None
    tls = None
    if options.send_tls or options.send_to.startswith("https://"):
        tls = client_context(options.tls_cert, options.tls_key, options.tls_ca)
    sender = Sender(
        options.aet, tls, options.send_login, options.tls_ca, options.tls_cert, options.tls_key
    )
    return destination(options.send_to, sender)


def silence() -> None:
    """Keep libraries from writing what they read."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore")
