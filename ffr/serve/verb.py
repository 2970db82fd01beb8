"""What does `ffr serve` do? It puts the service together, and waits until it is to end."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ffr.batch.one_case import Limits
from ffr.circulation.patient import load_patient
from ffr.errors import ConfigError
from ffr.own_weights import check_own_weights
from ffr.results.result import RESEARCH_USE_ONLY
from ffr.serve.analysing import ANALYSIS, Work
from ffr.serve.destination import Destination
from ffr.serve.jobs import Jobs
from ffr.serve.listening import Door
from ffr.serve.node import node_of, silence
from ffr.serve.options import ServeOptions
from ffr.serve.places import Places, opened
from ffr.serve.service import Parts, Service
from ffr.serve.store import Store
from ffr.serve.tls import server_context
from ffr.serve.watching import Watch

logger = logging.getLogger(__name__)
BYTES_PER_GB = 1_000_000_000
SECONDS_PER_DAY = 86_400.0
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def serve(out: Path, options: ServeOptions, command: tuple[str, ...] = ANALYSIS) -> None:
    """Run the service until SIGTERM, Ctrl-C or a closed terminal; then end it in order.

    Parameters
    ----------
    out
        Folder of the service.
    command
        Stands in for the analysis; see `ffr.serve.analysing.Work`.

    Raises
    ------
    ConfigError
        Options, folders, certificates or ports make no sense.
    """
    os.umask(0o077)  # what is written is its owner's
    _quiet()
    door, work, node = _door(options), _work(options, command), node_of(options)
    with _asked_to_end() as wait, opened(out) as places:
        jobs = Jobs(places.queue)
        try:
            _run(_parts(places, jobs, options, door, work, node), options, wait)
        finally:
            jobs.close()


@contextlib.contextmanager
def _asked_to_end() -> Iterator[Callable[[], None]]:
    """Give what waits for a signal; a second one while all ends changes nothing.

    Whichever thread the system hands the signal to, a byte in the pipe wakes the first one.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = {number: signal.signal(number, lambda *_: None) for number in _STOP}
    woken = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def wait() -> None:
        os.read(reader, 1)

    try:
        yield wait
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)


def _run(parts: Parts, options: ServeOptions, wait: Callable[[], None]) -> None:
    service = Service(parts)
    port, status_port = service.start()
    lock = "TLS" if parts.door.tls else "not encrypted"
    where = f"{options.host}:{port}"
    logger.info("listening at %s as %s (%s). %s", where, options.aet, lock, RESEARCH_USE_ONLY)
    logger.info("status: http://127.0.0.1:%d/", status_port)
    if options.host not in LOOPBACK and not (options.allow_aet or options.tls_ca):
        logger.warning("other machines may send, and all are let in; see --allow-aet, --tls-ca")
    wait()
    logger.info("ending; jobs that have not ended go on after the next start")
    service.stop()


def _quiet() -> None:
    """Let lines begin with the time, and nobody else speak: libraries quote what they read."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    silence()
    threading.excepthook = lambda fault: logger.error("fault: %s", fault.exc_type.__name__)


def _door(options: ServeOptions) -> Door:
    tls = None
    if options.tls_cert is not None and options.tls_key is not None:
        tls = server_context(options.tls_cert, options.tls_key, options.tls_ca)
    return Door(
        options.host, options.port, options.aet, options.allow_aet, options.most_associations,
        round(options.object_limit_gb * BYTES_PER_GB), tls,
    )  # fmt: skip


def _work(options: ServeOptions, command: tuple[str, ...]) -> Work:
    limits = Limits(
        60.0 * options.time_limit_min, round(1000.0 * options.memory_limit_gb), options.threads
    )
    patient: Mapping[str, Any] = {}
    if options.patient is not None:
        try:
            patient = load_patient(options.patient).model_dump(exclude_none=True)
        except OSError as error:
            raise ConfigError(f"--patient cannot be read: {error.strerror}") from error
    weights = None if options.weights is None else options.weights.absolute()
    if weights is not None:
        check_own_weights(weights)
    return Work(limits, options.workers, patient, weights, command)


def _parts(
    places: Places, jobs: Jobs, options: ServeOptions, door: Door, work: Work,
    node: Destination | None,
) -> Parts:  # fmt: skip
    store = Store(
        places, round(options.study_limit_gb * BYTES_PER_GB),
        round(options.min_free_gb * BYTES_PER_GB),
    )  # fmt: skip
    keep_s = None if options.keep_days is None else options.keep_days * SECONDS_PER_DAY
    watch = None if options.watch is None else Watch(options.watch, store, options.settle_s)
    return Parts(
        places, store, jobs, door, work, node, watch, options.status_port, options.settle_s,
        options.retry_s, keep_s,
    )  # fmt: skip
