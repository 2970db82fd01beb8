"""How does a result that somebody chose get to the archive? Now, and for a while again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ffr.dicom_out.variant import Variant
from ffr.errors import ConfigError
from ffr.results.stages import OBJECTS
from ffr.serve.destination import Destination
from ffr.serve.errors import UnsentError
from ffr.serve.node import node_of
from ffr.serve.options import ServeOptions
from ffr.serve.sending import again_after_s


def send_objects(
    out: Path,
    variant: Variant,
    options: ServeOptions,
    tries: int,
    say: Callable[[str], None],
    wait: Callable[[float], None] = time.sleep,
) -> int:
    """Send the DICOM objects of a result, and return how many they are.

    What the destination has is not sent again; what fails is tried again after `retry_s`
    seconds, then twice as long each time, as `ffr serve` does.

    Parameters
    ----------
    out
        The run's folder.
    variant
        Which result; its objects must have been written (`ffr dicom`).
    options
        Of them only what says where and how to send.
    tries
        The most, 1 or more.
    say
        Takes a line on each failure.
    wait
        Stands in for sleeping, seconds.

    Raises
    ------
    ConfigError
        No objects there, no destination; or not all are sent after the last try.
    """
    files = sorted((variant.folder(out) / OBJECTS).glob("*.dcm"))
    if not files:
        raise ConfigError(f"there are no DICOM objects to send; {_write(variant)}")
    node = node_of(options)
    if node is None:
        raise ConfigError("where to? Give --send-to, or --config with send_to")
    left = list(files)
    for number in range(1, tries + 1):
        why = _tried(node, left)
        if not why:
            return len(files)
        if number < tries:
            wait_s = again_after_s(options.retry_s, number - 1)
            say(f"not sent: {why}; again in {wait_s:g} s")
            wait(wait_s)
    raise ConfigError(
        f"{len(left)} of {len(files)} objects not sent in {tries} "
        f"{'try' if tries == 1 else 'tries'}: {why}; the same command sends them all again"
    )


def _tried(node: Destination, left: list[Path]) -> str:
    """Send what is left, take away what has arrived; return why not all, "" if all."""
    try:
        node.send(tuple(left), left.remove)
    except UnsentError as error:
        return str(error)
    return ""


def _write(variant: Variant) -> str:
    option = {"edited": " --edit", "stented": " --stent"}.get(variant.kind, "")
    number = f"{option} {variant.number}" if option else ""
    return f"'ffr dicom OUT --study STUDY{number}' writes them"
