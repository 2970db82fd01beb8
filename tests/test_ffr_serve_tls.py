"""Certificates, in and out: who is let in, and to whom results are sent."""

import gc
import shutil
import socket

import pytest
import serve_program
from batch_program import wait_for
from serve_program import (
    HOST,
    Archive,
    StowStub,
    as_bytes,
    attempts,
    results_of,
    send,
    serving,
    slice_of,
    study_of,
)

from ffr.errors import ConfigError
from ffr.serve.destination import Sender, destination
from ffr.serve.errors import UnsentError
from ffr.serve.tls import client_context, server_context

# pynetdicom lets go of sockets without closing them
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture(scope="module", autouse=True)
def tidy():
    yield
    gc.collect()  # while the filter holds


@pytest.fixture
def home(tmp_path):
    serve_program.prepare(tmp_path)
    return tmp_path


@pytest.fixture
def shop(tmp_path):
    with serve_program.shop(tmp_path) as opened:
        yield opened


@pytest.fixture
def listener(shop):
    with serve_program.listeners(shop) as make:
        yield make


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return serve_program.certificates(tmp_path_factory.mktemp("tls"))


def client(folder, name):
    context = client_context(folder / f"{name}.pem", folder / f"{name}.key", folder / "ca.pem")
    return (context, HOST)


def test_by_tls_only_who_has_a_certificate_of_the_authority_is_let_in(
    shop, listener, certificates
):
    at = certificates
    port, _ = listener(
        tls=server_context(at / "service.pem", at / "service.key", at / "ca.pem")
    )
    with socket.create_connection((HOST, port)):  # says nothing, and holds nobody up
        assert send(port, [slice_of("a", 1)], tls=client(at, "scanner")) == [0]
        assert send(port, [slice_of("a", 2)], tls=client(at, "alien")) == [None]
        assert send(port, [slice_of("a", 3)]) == [None]
    assert len(serve_program.kept(shop[0])) == 1


def test_results_go_by_tls_but_not_to_who_is_not_trusted(tmp_path, certificates):
    at = certificates
    file = tmp_path / "x.dcm"
    file.write_bytes(as_bytes(slice_of("a", 1, serve_program.KINDS[0])))
    archive = Archive(tls=server_context(at / "service.pem", at / "service.key", None))
    try:
        sent = []
        for authority in ("alien", "ca"):
            tls = client_context(None, None, at / f"{authority}.pem")
            node = destination(archive.address, Sender("US", tls))
            if authority == "ca":
                node.send([file], sent.append)
            else:
                with pytest.raises(UnsentError, match="does not answer"):
                    node.send([file], sent.append)
        assert sent == [file]
        assert len(archive.got) == 1
    finally:
        archive.close()


def test_results_wait_until_the_https_archive_is_one_the_authority_knows(home, certificates):
    at = certificates
    stub = StowStub(tls=server_context(at / "service.pem", at / "service.key", None))
    slices = study_of("a")
    try:
        with serving(home, send_to=stub.address, tls_ca=at / "alien.pem") as service:
            send(service.port, slices)
            wait_for(lambda: service.jobs() == [(1, "sending", "not-sent")])
            assert "certificate is not trusted" in service.get()[1]
            wait_for(lambda: service.said().count("certificate is not trusted") > 1)
            assert stub.headers == []  # nothing of a patient is told to a stranger
            assert service.end() == 0
        with serving(home, send_to=stub.address, tls_ca=at / "ca.pem") as service:
            service.until("done")
            folder = service.out / "runs" / "cases" / "0001" / "dicom"
            assert set(stub.got) == results_of(slices)
            assert set(stub.got.values()) == {p.read_bytes() for p in folder.iterdir()}
            assert len(attempts(home)) == 1  # sent again, not analysed again
    finally:
        stub.close()


def test_by_https_name_and_certificates_of_both_sides_are_checked(tmp_path, certificates):
    at = certificates
    file, ca = tmp_path / "x.dcm", tmp_path / "ca.pem"
    file.write_bytes(as_bytes(slice_of("a", 1, serve_program.KINDS[0])))
    shutil.copy(at / "ca.pem", ca)
    stub = StowStub(tls=server_context(at / "service.pem", at / "service.key", at / "ca.pem"))

    def why(address, name):
        pair = (None, None) if name is None else (at / f"{name}.pem", at / f"{name}.key")
        sender = Sender("US", client_context(*pair, ca), None, ca, *pair)
        sent = []
        said = ""
        try:
            destination(address, sender).send([file], sent.append)
        except UnsentError as error:
            said = str(error)
        assert sent == ([] if said else [file])
        assert str(at) not in said
        return said

    try:
        assert "not trusted" in why(stub.address.replace(HOST, "localhost"), "scanner")
        assert "does not trust ours" in why(stub.address, None)
        assert "does not trust ours" in why(stub.address, "alien")
        assert len(stub.got) == 0
        assert why(stub.address, "scanner") == ""
        assert len(stub.got) == 1
        node = destination(stub.address, Sender("US", None, None, ca))
        ca.unlink()
        with pytest.raises(UnsentError, match="certificates given for the dest"):
            node.send([file], lambda _: None)
    finally:
        stub.close()


def test_certificates_must_be_readable_and_belong_together(tmp_path, certificates):
    at = certificates
    (tmp_path / "junk").write_text("junk")
    for certificate, key, why in (
        (at / "none", at / "none", "--tls-cert cannot be read: No such file"),
        (tmp_path / "junk", tmp_path / "junk", "no certificate and its key"),
        (at / "service.pem", at / "scanner.key", "no certificate and its key"),
    ):
        with pytest.raises(ConfigError, match=why):
            server_context(certificate, key, None)
    with pytest.raises(ConfigError, match="--tls-ca is no certificate"):
        server_context(at / "service.pem", at / "service.key", tmp_path / "junk")
