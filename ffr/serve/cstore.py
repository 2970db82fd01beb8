"""How is an object sent by C-STORE? In an association with just the contexts it needs."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_context
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from ffr.serve.errors import UnsentError

CONNECT_S = 10.0
ANSWER_S = 120.0  # an archive may take its time with a large object
WARNINGS = range(0xB000, 0xC000)  # stored, with a remark (PS3.4, table B.2-1)
PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)  # each can be written as the other


@dataclass(frozen=True, slots=True)
class StoreNode:
    """A node that takes objects by C-STORE; `tls` None: not encrypted."""

    aet: str
    host: str
    port: int
    our_aet: str
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def send(self, files: Sequence[Path], sent: Callable[[Path], None]) -> None:
        """Send files; see `ffr.serve.destination.Destination`."""
        assoc = self._associated(_contexts(files))
        trouble = ""
        try:
            for file in files:
                why = _stored(assoc, file)
                if why:
                    trouble = trouble or why
                else:
                    sent(file)
        finally:
            if assoc.is_established:
                assoc.release()
        if trouble:
            raise UnsentError(trouble)

    def _associated(self, contexts: list[PresentationContext]) -> Association:
        ae = AE(ae_title=self.our_aet)
        ae.connection_timeout = CONNECT_S
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ANSWER_S
        tls_args = None if self.tls is None else (self.tls, self.host)
        try:
            assoc = ae.associate(
                self.host, self.port, contexts, ae_title=self.aet, tls_args=tls_args
            )  # fmt: skip
        except (OSError, RuntimeError) as error:
            raise UnsentError(f"no association ({type(error).__name__})") from None
        if assoc.is_rejected:
            raise UnsentError("the destination refuses the association; check both AE titles")
        if not assoc.is_established:
            raise UnsentError("the destination does not answer")
        return assoc


def _contexts(files: Sequence[Path]) -> list[PresentationContext]:
    """Return a context for each kind and syntax: who takes a file as it is gets it so."""
    found: set[tuple[UID, UID]] = set()
    for file in files:
        told = read_file_meta_info(file)
        syntax = told.TransferSyntaxUID
        syntaxes = PLAIN if syntax in PLAIN else (syntax,)
        found |= {(told.MediaStorageSOPClassUID, one) for one in syntaxes}
    return [build_context(kind, syntax) for kind, syntax in sorted(found)]


def _stored(assoc: Association, file: Path) -> str:
    """Send an object; return why it was not stored, "" if it was."""
    if not assoc.is_established:
        return "the destination has ended the association"
    dataset = pydicom.dcmread(file)
    name = dataset.SOPClassUID.name
    try:
        answer = assoc.send_c_store(dataset)
    except ValueError:
        return f"the destination takes no {name}"
    except RuntimeError:
        return "the destination has ended the association"
    status = answer.get("Status")
    if status is None:
        return "the destination gave no answer"
    if status == 0 or status in WARNINGS:
        return ""
    return f"the destination refused a {name} with status {status:04X}"
