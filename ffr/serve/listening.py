"""How do objects come in by C-STORE? Success is said when they are on the disk, not before."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary

from pynetdicom import AE, _config, dimse_messages, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.transport import ThreadedAssociationServer

from ffr.errors import ConfigError
from ffr.serve.errors import NoRoomError, UnwantedError
from ffr.serve.incoming import Incoming
from ffr.serve.objects import CLASSES, SYNTAXES
from ffr.serve.store import Store

logger = logging.getLogger(__name__)
VERIFICATION = "1.2.840.10008.1.1"  # SOP class of C-ECHO
SUCCESS, NO_ROOM, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xC000  # PS3.4, table B.2-1
IDLE_S = 60.0  # an association without a word for so long is given up
REQUEST_S = 15.0  # and a connection without a request
PDU_BYTES = 2**17
MOST_PDU_BYTES = 2**20  # of any; a request with all contexts has some 50 kB
MOST_WAITING = 4  # objects that a sender may send before the answer to the first
MORE_CONNECTIONS = 4  # than associations: those are told that there are too many
_Settings = tuple[bool, str, Callable[..., Any]]
LOOK_BYTES = 2**25  # after so much of one object the disk is looked at again


@dataclass(frozen=True, slots=True)
class Door:
    """Where and whom the listener lets in.

    Parameters
    ----------
    host, port
        To listen at; port 0: any free one.
    aet
        Our AE title.
    allowed
        AE titles that may send; empty: all.
    most_associations
        At once.
    object_bytes
        The most an object may hold.
    tls
        None: not encrypted.
    """

    host: str
    port: int
    aet: str
    allowed: Sequence[str]
    most_associations: int
    object_bytes: int
    tls: ssl.SSLContext | None


class Listener:
    """A C-STORE and C-ECHO provider; it listens from `open` to `close`."""

    def __init__(self, door: Door, store: Store) -> None:
        self._door, self._store = door, store
        self._received: WeakKeyDictionary[Association, int] = WeakKeyDictionary()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._before: _Settings | None = None

    def open(self) -> int:
        """Listen; return the port.

        Raises
        ------
        ConfigError
            The port is taken, or this machine has no such address.
        """
        folder = self._store.places.incoming
        self._before = _settings(True, "none", lambda **_: Incoming(folder))
        try:
            self._server = self._made()
        except (OSError, OverflowError) as error:
            door = self._door
            message = port_trouble("--port", door.host, door.port, error)
            raise ConfigError(message) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="listener", daemon=True
        )
        self._thread.start()
        return int(self._server.server_address[1])

    def _made(self) -> _Server:
        door = self._door
        ae = AE(ae_title=door.aet)
        ae.require_calling_aet = list(door.allowed)
        ae.maximum_associations = door.most_associations
        ae.maximum_pdu_size = PDU_BYTES
        ae.acse_timeout, ae.network_timeout = REQUEST_S, IDLE_S
        for kind in CLASSES:
            ae.add_supported_context(kind, list(SYNTAXES))
        ae.add_supported_context(VERIFICATION)
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._on_store), (evt.EVT_C_ECHO, lambda _: SUCCESS),
            (evt.EVT_CONN_OPEN, self._on_open), (evt.EVT_PDU_RECV, self._on_pdu),
            (evt.EVT_DIMSE_RECV, self._on_message), (evt.EVT_CONN_CLOSE, self._on_close),
        ]  # fmt: skip
        server = ae.make_server(
            (door.host, door.port), ssl_context=door.tls, evt_handlers=handlers,
            server_class=_Server,
        )  # fmt: skip
        ae._servers.append(cast(_Server, server))  # as `AE.start_server` does
        return cast(_Server, server)

    def alive(self) -> bool:
        """Tell whether somebody listens."""
        return self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        """Stop listening and end all associations."""
        if self._server is not None:
            with contextlib.suppress(OSError, ValueError):
                self._server.shutdown()
            for one in self._server.active_associations:  # one that hangs holds nobody up
                threading.Thread(target=one.abort, daemon=True).start()
            self._server = None
        if self._before is not None:
            _settings(*self._before)
            self._before = None

    def _on_store(self, event: Event) -> int:
        trouble = cast(Any, event.request)._dataset_file.trouble
        if trouble:
            logger.warning("refused an object: %s", trouble)
            return NO_ROOM
        try:
            self._store.keep(event.dataset_path, event.assoc)
        except UnwantedError as error:
            logger.warning("refused an object: %s", error)
            return NOT_UNDERSTOOD
        except NoRoomError as error:
            logger.warning("refused an object: %s", error)
            return NO_ROOM
        except OSError as error:
            logger.warning("refused an object: %s", error.strerror)
            return NO_ROOM
        return SUCCESS

    def _on_open(self, event: Event) -> None:
        """Let nobody announce a message of gigabytes, which would be read into memory."""
        event.assoc.dul.daemon = True  # nobody waits for it at the end
        connection = event.assoc.dul.socket
        if connection is None:
            return
        read = connection.recv

        def limited(nr_bytes: int) -> bytearray:
            if nr_bytes > MOST_PDU_BYTES:
                raise OSError(errno.EMSGSIZE, "a PDU that is too long")
            return read(nr_bytes)

        connection.recv = limited  # type: ignore[method-assign]

    def _on_pdu(self, event: Event) -> None:
        if not isinstance(event.pdu, P_DATA_TF):
            return
        before = self._received.get(event.assoc, 0)
        now = self._received[event.assoc] = before + event.pdu.pdu_length
        full = before // LOOK_BYTES != now // LOOK_BYTES and self._store.full()
        waiting = event.assoc.dimse.msg_queue.qsize()
        if full or now > self._door.object_bytes or waiting > MOST_WAITING:
            logger.warning("ended an association that sent more than it may")
            event.assoc.abort()

    def _on_message(self, event: Event) -> None:
        self._received[event.assoc] = 0

    def _on_close(self, event: Event) -> None:
        """Let go of a sender who has gone, and remove the half of an object."""
        assoc = event.assoc
        self._store.gone(assoc)
        if assoc.requestor.primitive is None:  # its thread waits for a request that never comes
            assoc.dul.to_user_queue.put(None)  # type: ignore[arg-type]
        connection = None if assoc.dul.socket is None else assoc.dul.socket.socket
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()
        message = assoc.dimse.message
        file = None if message is None else message._data_set_file
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
            Path(file.name).unlink(missing_ok=True)


def _settings(to_file: bool, handlers: str, made: Callable[..., Any]) -> _Settings:
    """Let objects come to a file of ours, not into memory; give what was set before."""
    before = (
        _config.STORE_RECV_CHUNKED_DATASET, _config.LOG_HANDLER_LEVEL,
        dimse_messages.NamedTemporaryFile,
    )  # fmt: skip
    _config.STORE_RECV_CHUNKED_DATASET, _config.LOG_HANDLER_LEVEL = to_file, handlers
    dimse_messages.NamedTemporaryFile = made
    return before


class _Server(ThreadedAssociationServer):
    """A server that nobody holds up: one that connects and is silent waits alone."""

    daemon_threads = True
    request_queue_size = 64

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, address = cast(socket.socket, self.socket).accept()
        connection.settimeout(self.ae.network_timeout)
        if self.ssl_context is not None:  # they agree on keys when the first word is read
            connection = self.ssl_context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        most = self.ae.maximum_associations + MORE_CONNECTIONS
        return len(self.active_associations) < most

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.warning("a connection has failed")


def port_trouble(option: str, host: str, port: int, error: Exception) -> str:
    """Return one line on why a port cannot be listened at."""
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EADDRINUSE:
        return f"port {port} is taken by another program; give another {option}"
    if code in (errno.EACCES, errno.EPERM):
        return f"port {port} is not open to this user; give one above 1023 with {option}"
    if code == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"this machine has no address {host}; give another --host"
    return f"nobody can listen at port {port} of {host}; give another {option} or --host"
