"""How is an object sent by STOW-RS? As one part of an HTTP POST (PS3.18, section 10.5)."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests

from ffr.serve.errors import UnsentError

WAIT_S = (10.0, 120.0)  # to connect, and for each answer
FAILED = "00081198"  # Failed SOP Sequence
WARNING_REASON = range(0xB000, 0xC000)


@dataclass(frozen=True, slots=True)
class StowNode:
    """A DICOMweb service.

    Parameters
    ----------
    address
        Of the service; `/studies` is added.
    login
        User and password, for basic authentication.
    authority
        Certificate of whom to trust for https; None: whom this machine trusts.
    pair
        Our certificate and key.
    """

    address: str
    login: tuple[str, str] | None = field(default=None, repr=False)
    authority: Path | None = field(default=None, repr=False)
    pair: tuple[Path, Path | None] | None = field(default=None, repr=False)

    def send(self, files: Sequence[Path], sent: Callable[[Path], None]) -> None:
        """Send files; see `ffr.serve.destination.Destination`."""
        trouble = ""
        with requests.Session() as session:
            session.trust_env = False  # no proxy, no passwords from the user's files
            session.auth = self.login
            session.verify = True if self.authority is None else str(self.authority)
            if self.pair is not None:
                session.cert = (str(self.pair[0]), str(self.pair[1]))
            for file in files:
                why = self._posted(session, file)
                if why:
                    trouble = trouble or why
                else:
                    sent(file)
        if trouble:
            raise UnsentError(trouble)

    def _posted(self, session: requests.Session, file: Path) -> str:
        """Send an object; return why it was not stored, "" if it was."""
        boundary = secrets.token_hex(16)
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        body = io.BytesIO(_body(file, boundary))
        try:
            answer = session.post(
                f"{self.address}/studies", data=body,
                headers={"Content-Type": kind, "Accept": "application/dicom+json"},
                timeout=WAIT_S, allow_redirects=False,
            )  # fmt: skip
        except requests.RequestException as error:  # what it says names hosts and addresses
            raise UnsentError(_why(error)) from None
        except OSError:  # of requests, for files that were there at the start
            message = "the certificates given for the destination cannot be read any more"
            raise UnsentError(message) from None
        if answer.status_code not in (200, 202):
            return f"the destination refused an object with HTTP status {answer.status_code}"
        return _failure(answer)


def _body(file: Path, boundary: str) -> bytes:
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return head + file.read_bytes() + f"\r\n--{boundary}--\r\n".encode()


def _why(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "the destination's certificate is not trusted, or it does not trust ours"
    if isinstance(error, requests.Timeout):
        return "the destination does not answer in time"
    return "the destination does not answer"


def _failure(answer: requests.Response) -> str:
    """Return why an object was not stored though the request went well, "" if it was."""
    try:
        told = answer.json()
        failed = told.get(FAILED, {}).get("Value", [])
        reasons = [int(one["00081197"]["Value"][0]) for one in failed]
    except (ValueError, AttributeError, KeyError, IndexError, TypeError):
        # an answer as XML or without content; 202 alone says that something was not stored
        return "" if answer.status_code == 200 else "the destination stored not everything"
    refused = [reason for reason in reasons if reason not in WARNING_REASON]
    if refused:
        return f"the destination refused an object with failure reason {refused[0]:04X}"
    return ""
