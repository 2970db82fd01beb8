"""A service whose analysis is quick: a script stands in for it, all else is as it is.

Also what stands around it: scans that are a few pixels large, a sender, two archives.
"""

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from batch_program import wait_for
from command_line import SECRETS
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    generate_uid,
)
from pynetdicom import AE, evt

from ffr.guard import reported
from ffr.serve import places
from ffr.serve.jobs import Jobs
from ffr.serve.listening import Door, Listener
from ffr.serve.options import ServeOptions
from ffr.serve.store import Store

HOST = "127.0.0.1"
MB = 1_000_000
WHO = ("Wurzelbrunft^Xaverina", "PID-7731-ZQ", "19470313")
KINDS = (SecondaryCaptureImageStorage, EncapsulatedPDFStorage)  # of the stand-in's objects
MARK = "1.2.826.0.1.3680043.8.498." + "7" * 30  # becomes a hash of the study's content
NAMES = ("picture-01.dcm", "summary.dcm")

# What `ffr.serve.child` is to the program. Files beside the service's folder say what happens.
JOB = """
import hashlib, json, os, pathlib, sys, time
asked = json.load(sys.stdin)
study, out = pathlib.Path(asked["study"]), pathlib.Path(asked["out"])
home = out.parents[3]
with (home / "attempts").open("a") as note:
    note.write(out.name + " " + str(os.getpid()) + chr(10))
files = sorted(study.iterdir())
while (home / "hold").exists():
    time.sleep(0.02)
if len(files) < 2:
    sys.stderr.write("ffr: slices-missing: one slice is no heart; send them all" + chr(10))
    sys.exit(2)
time.sleep(float(os.environ.get("STAND_IN_S", "0")))
digest = hashlib.sha256("".join(f.name for f in files).encode()).hexdigest()
mark = "1.2.826.0.1.3680043.8.498." + "7" * 30
new = "1.2.826.0.1.3680043.8.498." + str(int(digest, 16))[:30]
(out / "dicom").mkdir()
for template in sorted((home / "templates").iterdir()):
    made = template.read_bytes().replace(mark.encode(), new.encode())
    (out / "dicom" / template.name).write_bytes(made)
(out / "result.json").write_text(json.dumps(asked["patient"]))
"""

# Imports what a service imports, then forks for every one: a start costs no seconds.
WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(["ffr.serve.verb", "pynetdicom", "serve_program"])


def slice_of(study, number, kind=CTImageStorage, size=8):
    """One image of a study, of a patient whose name must not be seen anywhere."""
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = kind
    uid = generate_uid(entropy_srcs=[study, str(number)])
    d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = uid
    d.StudyInstanceUID = generate_uid(entropy_srcs=[study])
    d.SeriesInstanceUID = generate_uid(entropy_srcs=[study, "series"])
    d.PatientName, d.PatientID, d.PatientBirthDate = WHO
    d.Modality, d.InstanceNumber = "CT", number
    d.Rows = d.Columns = size
    d.BitsAllocated = d.BitsStored = 16
    d.HighBit, d.PixelRepresentation, d.SamplesPerPixel = 15, 1, 1
    d.PhotometricInterpretation = "MONOCHROME2"
    d.PixelData = bytes(2 * size * size)
    return d


def study_of(name, count=3):
    return [slice_of(name, number) for number in range(1, count + 1)]


def as_bytes(dataset):
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def results_of(slices):
    """UIDs of the objects that the stand-in makes of a study."""
    names = (hashlib.sha256(d.SOPInstanceUID.encode()).hexdigest()[:32] for d in slices)
    digest = hashlib.sha256("".join(sorted(f"{n}.dcm" for n in names)).encode()).hexdigest()
    root = MARK[: -len("7" * 30)] + str(int(digest, 16))[:30]
    return {f"{root}.{k}" for k in (1, 2)}


def prepare(home):
    """Make the templates of the stand-in's objects."""
    (home / "templates").mkdir()
    for k, (name, kind) in enumerate(zip(NAMES, KINDS, strict=True), 1):
        d = slice_of("template", k, kind)
        d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = f"{MARK}.{k}"
        d.save_as(home / "templates" / name, enforce_file_format=True)


def associated(port, kinds=(CTImageStorage,), aet="SCANNER", tls=None, called="CT-FFR"):
    ae = AE(ae_title=aet)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 20
    ae.connection_timeout = 5
    for kind in kinds:
        ae.add_requested_context(kind, ExplicitVRLittleEndian)
    return ae.associate(HOST, port, ae_title=called, tls_args=tls)


def send(port, slices, **how):
    """Send images; give the status of each, or None where there was no answer."""
    assoc = associated(port, **how)
    if not assoc.is_established:
        return [None] * len(slices)
    found = []
    for one in slices:
        try:
            found.append(assoc.send_c_store(one).get("Status"))
        except (RuntimeError, ValueError):
            found.append(None)
    if assoc.is_established:
        assoc.release()
    return found


class Archive:
    """A C-STORE provider that keeps what it gets."""

    def __init__(self, port=0, status=0x0000, tls=None):
        self.got, self.times, self.status = {}, {}, status
        self.ae = AE(ae_title="ARCHIVE")
        for kind in KINDS:
            self.ae.add_supported_context(kind)
        self.server = self.ae.start_server(
            (HOST, port), block=False, ssl_context=tls,
            evt_handlers=[(evt.EVT_C_STORE, self._store)],
        )  # fmt: skip
        self.port = self.server.server_address[1]
        self.address = f"ARCHIVE@{HOST}:{self.port}"

    def _store(self, event):
        if self.status == 0:
            uid = str(event.request.AffectedSOPInstanceUID)
            self.got[uid] = event.encoded_dataset(include_meta=False)
            self.times[uid] = self.times.get(uid, 0) + 1
        return self.status

    def close(self):
        self.server.shutdown()


class StowStub:
    """A DICOMweb service that takes one object at a time and says so; `tls`: by https."""

    def __init__(self, answers=(), tls=None):
        self.got, self.answers, self.headers = {}, list(answers), []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                stub.headers.append(dict(self.headers))
                body = self.rfile.read(int(self.headers["Content-Length"]))
                head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
                parts = BytesParser().parsebytes(head + body).get_payload()
                status, told = stub.answers.pop(0) if stub.answers else (200, {})
                if status == 200 and not told:
                    for part in parts:
                        content = part.get_payload(decode=True)
                        uid = str(pydicom.dcmread(BytesIO(content)).SOPInstanceUID)
                        stub.got[uid] = content
                content = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # of who is not trusted
        if tls is not None:
            self.server.socket = tls.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "http" if tls is None else "https"
        self.address = f"{scheme}://{HOST}:{self.server.server_address[1]}/dicom-web"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Serve:
    """The service as a process of its own; options as of `ServeOptions`."""

    def __init__(self, home, **options):
        self.home, self.out = home, home / "out"
        self.err = home / f"log-{time.monotonic_ns()}"
        usual = {"port": 0, "status_port": 0, "settle_s": 0.3, "min_free_gb": 0.001,
                 "retry_s": 0.2, "threads": 1}  # fmt: skip
        self.process = WARM.Process(
            target=_do, args=(str(self.out), {**usual, **options}, str(self.err))
        )
        self.process.start()
        wait_for(lambda: "status: http" in self.said() or not self.process.is_alive())
        told = self.said()
        self.port = (
            int(told.partition("127.0.0.1:")[2].split()[0]) if "listening" in told else 0
        )
        self.status = told.partition("status: ")[2].split()[0] if "status: " in told else ""

    def said(self):
        return self.err.read_text() if self.err.exists() else ""

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        self.process.kill()
        self.process.join(timeout=60)

    def end(self):
        """Ask it to end; give its exit code."""
        if self.process.is_alive():
            self.signal(signal.SIGTERM)
        self.process.join(timeout=60)
        assert self.process.exitcode is not None
        return self.process.exitcode

    def jobs(self):
        """Return number, state, reason of all jobs, as the file says."""
        with sqlite3.connect(self.out / "queue.sqlite") as db:
            rows = db.execute("SELECT number, state, reason FROM jobs ORDER BY number")
            return rows.fetchall()

    def states(self):
        return [state for _, state, _ in self.jobs()]

    def until(self, *states, limit_s=120.0):
        """Wait until all jobs are in these states, in order."""
        wait_for(lambda: self.states() == list(states), limit_s)

    def get(self, path="", host=None):
        request = urllib.request.Request(self.status + path)
        if host:
            request.add_header("Host", host)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def health(self):
        return json.loads(self.get("health")[1])


@contextmanager
def shop(folder):
    """The folder of a service without its threads."""
    with places.opened(folder / "out") as found:
        jobs = Jobs(found.queue)
        yield found, jobs
        jobs.close()


@contextmanager
def listeners(shop):
    """A function that listens; its options are those of the door and the store."""
    opened = []

    def make(
        free=10**12, study_bytes=10 * MB, object_bytes=10 * MB, tls=None, allowed=(), most=8
    ):
        store = Store(shop[0], study_bytes, MB, lambda _: free)
        made = Listener(Door(HOST, 0, "CT-FFR", allowed, most, object_bytes, tls), store)
        opened.append(made)
        return made.open(), store

    yield make
    for one in reversed(opened):  # each puts back what the one before had set
        one.close()


def private(folder):
    paths = [folder, *folder.rglob("*")]
    return all(
        p.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) == 0 for p in paths if p.is_dir()
    )


def unnamed(home, *texts):
    """Neither the texts nor the names of all files below hold anything of the patient."""
    said = "\n".join([*texts, *(str(p.relative_to(home)) for p in home.rglob("*"))]).lower()
    return not any(secret in said for secret in SECRETS)


def kept(found):
    return sorted(p for p in found.studies.rglob("*") if p.is_file())


def certificates(folder):
    """Authority, service and sender, made by openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\n")

    def run(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca")
    run("req", "-x509", *curve, "-keyout", "alien.key", "-out", "alien.pem", "-subj", "/CN=x")
    for name in ("service", "scanner"):
        run(
            "req",
            *curve,
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
            "-subj",
            f"/CN={name}",
        )
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-out", f"{name}.pem", "-extfile", "ext")  # fmt: skip
    return folder


def attempts(home):
    path = home / "attempts"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [(line.split()[0], int(line.split()[1])) for line in lines]


def _do(out, options, err):
    from ffr.serve.verb import serve

    os.dup2(os.open(err, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    sys.stderr = os.fdopen(2, "w", buffering=1)
    command = (sys.executable, "-c", JOB)
    code = reported(lambda: serve(Path(out), ServeOptions(**options), command))
    sys.stderr.flush()
    os._exit(code)  # as the command line does


@contextmanager
def serving(home, **options):
    service = Serve(home, **options)
    try:
        yield service
    finally:
        if service.process.is_alive():
            service.kill()
