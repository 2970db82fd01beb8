"""Who computes? Threads of this process, waiting for one case each, or a scheduler's workers.

The local cluster listens on no port that runs code: on a shared machine anyone could use it.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import dask
import psutil
from dask.system import CPU_COUNT
from distributed import Client, Future, LocalCluster, as_completed, get_worker
from distributed.comm import get_address_host_port
from distributed.scheduler import KilledWorker
from distributed.system import MEMORY_LIMIT

from ffr.batch.cases import Case
from ffr.batch.one_case import BYTES_PER_MB, Limits, Outcome, run_case
from ffr.errors import ConfigError

CONNECT_S = 5.0
MOST_ATTEMPTS = 5  # of a case that is asked to stop again and again


def most_at_once(memory_mb: int) -> int:
    """Return how many cases fit the cores and the free memory: at least one."""
    free_mb = min(psutil.virtual_memory().available, MEMORY_LIMIT) // BYTES_PER_MB
    return int(max(1, min(CPU_COUNT, free_mb // memory_mb)))


@contextlib.contextmanager
def local_cluster(at_once: int) -> Iterator[Client]:
    """Give a cluster inside this process; cases are processes of their own all the same.

    After an error it is left as it is: it would wait for cases at work, which end with us.
    """
    closed: dict[str, list[str]] = {
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }
    with warnings.catch_warnings(), dask.config.set(closed):
        warnings.simplefilter("ignore")  # of a machine without a network
        cluster = LocalCluster(
            n_workers=1, threads_per_worker=at_once, processes=False, memory_limit=0,
            dashboard_address="127.0.0.1:0", worker_dashboard_address="127.0.0.1:0",
        )  # fmt: skip
        _silence()
        client = Client(cluster)
        yield client
        client.close()
        cluster.close()


@contextlib.contextmanager
def remote_cluster(address: str) -> Iterator[Client]:
    """Connect to a scheduler; certificates for tls:// as Dask's own settings name them.

    Raises
    ------
    ConfigError
        Nobody there, or no scheduler.
    """
    _silence()
    try:
        host, port = get_address_host_port(address)
        socket.create_connection((host, port), CONNECT_S).close()
        client = Client(address, timeout=CONNECT_S)
    except Exception as error:  # another service's bytes, read as Dask's, raise anything
        message = f"no Dask scheduler answers at {address}; start one with 'dask scheduler'"
        raise ConfigError(message) from error
    with client:
        yield client


def _silence() -> None:
    """Let Dask keep its remarks to itself: what matters is said by the verb."""
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def worked_off(
    client: Client, out: Path, cases: Sequence[Case], limits: Limits,
    begun: Callable[[str], None], command: Sequence[str] | None = None,
) -> Iterator[tuple[Case, Outcome]]:  # fmt: skip
    """Let the workers do the cases, and give each with how it went, as they end.

    Raises
    ------
    ConfigError
        A worker cannot work here at all, or the scheduler is gone.
    """
    batch = f"ffr-{uuid.uuid4().hex[:8]}"
    client.subscribe_topic(batch, lambda event: begun(event[1]["case"]))

    def submitted(case: Case, attempt: int) -> Future:
        future = client.submit(
            _task, out, case, limits, command, batch, pure=False,
            key=f"{batch}-{case.number}-{attempt}", priority=-attempt,
        )  # fmt: skip
        doing[future.key] = (case, attempt)
        return future

    doing: dict[str, tuple[Case, int]] = {}
    futures = as_completed([submitted(case, 0) for case in cases])
    for future in futures:
        case, attempt = doing.pop(future.key)
        outcome = _outcome(future)
        stopped = outcome.state == "interrupted"
        if outcome.state == "unfit":
            raise ConfigError(f"{outcome.message}; finished cases are kept, start again")
        if outcome.state == "busy" or (stopped and attempt < MOST_ATTEMPTS):
            futures.add(submitted(case, attempt + 1))
        else:
            yield case, outcome


def _outcome(future: Future) -> Outcome:
    if future.cancelled():
        return Outcome("unfit", "the scheduler is gone")
    error = future.exception()
    if isinstance(error, KilledWorker):
        return Outcome("lost", "its workers died; start again to try once more")
    if error is not None:
        return Outcome("unfit", f"a worker cannot run ct-ffr ({type(error).__name__})")
    found = future.result()
    if isinstance(found, Outcome):
        return found
    return Outcome("unfit", "a worker has another version of ct-ffr")


def _task(
    out: Path, case: Case, limits: Limits, command: Sequence[str] | None, batch: str
) -> Outcome:
    """Do one case, on a worker."""
    worker = get_worker()
    threads = max(1, CPU_COUNT // worker.state.nthreads)

    def begun() -> None:
        worker.log_event(batch, {"case": case.number})

    return run_case(out, case, limits, command, threads, begun)
