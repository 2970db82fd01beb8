"""What goes out: sent again until the archive has it, each object once."""

import gc
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

from ffr.dicom_out.variant import Variant
from ffr.errors import ConfigError
from ffr.serve.by_hand import send_objects
from ffr.serve.destination import Sender, destination
from ffr.serve.options import options_from

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
def edited(tmp_path):
    """A run's folder with the objects of edited result 2."""
    folder = tmp_path / "run" / "edits" / "2" / "dicom"
    folder.mkdir(parents=True)
    for number, kind in enumerate(serve_program.KINDS[:2]):
        (folder / f"{number}.dcm").write_bytes(as_bytes(slice_of("a", number, kind)))
    return tmp_path / "run", sorted(folder.iterdir())


def test_an_edited_result_is_sent_until_the_archive_has_all_of_it_each_object_once(edited):
    run, files = edited
    stub = StowStub([(503, {}), (200, {}), (503, {})])
    said, waits = [], []
    options = options_from({"send_to": stub.address, "retry_s": 3.0})
    try:
        count = send_objects(run, Variant("edited", 2), options, 5, said.append, waits.append)
    finally:
        stub.close()
    assert count == 2
    assert list(stub.got.values()) == [files[1].read_bytes(), files[0].read_bytes()]
    assert len(stub.headers) == 4  # one that was refused, the other, the first twice
    assert waits == [3.0, 6.0]
    assert (
        said[1] == "not sent: the destination refused an object with HTTP status 503; "
        "again in 6 s"
    )


def test_what_cannot_be_sent_is_one_line_with_how_many_are_left(edited):
    run, _ = edited
    stub = StowStub([(200, {}), (503, {}), (503, {})])
    options = options_from({"send_to": stub.address, "retry_s": 1.0})
    try:
        with pytest.raises(ConfigError, match=r"^1 of 2 objects not sent in 2 tries: .* 503; "):
            send_objects(run, Variant("edited", 2), options, 2, str, float)
    finally:
        stub.close()
    for variant, settings, why in (
        (Variant("edited", 2), {}, "where to"),
        (Variant("stented", 1), {"send_to": "PACS@h:1"}, "no DICOM objects .* --stent 1"),
    ):
        with pytest.raises(ConfigError, match=why):
            send_objects(run, variant, options_from(settings), 1, str)


def test_a_destination_that_is_down_gets_everything_when_it_is_up(home):
    archive = Archive()
    archive.close()
    slices = study_of("a")
    with serving(home, send_to=archive.address) as service:
        send(service.port, slices)
        wait_for(lambda: service.jobs() == [(1, "sending", "not-sent")])
        assert "the destination does not answer" in service.get()[1]
        service.kill()
    up = Archive(archive.port, status=0xA700)  # up, but full
    try:
        with serving(home, send_to=archive.address) as service:
            wait_for(lambda: "refused a Secondary Capture" in service.get()[1])
            assert "with status A700" in service.get()[1]
            up.status = 0
            service.until("done")
            assert set(up.got) == results_of(slices)
            assert len(attempts(home)) == 1
    finally:
        up.close()


def test_an_archive_that_never_answers_does_not_keep_the_service_from_ending(home):
    with socket.create_server((HOST, 0)) as silent:
        to = f"ARCHIVE@{HOST}:{silent.getsockname()[1]}"
        with serving(home, send_to=to) as service:
            send(service.port, study_of("a"))
            connection, _ = silent.accept()
            with connection:
                assert connection.recv(1) == b"\x01"  # it asks for an association
                assert service.end() == 0
                assert service.states() == ["sending"]


def test_results_go_by_stow_and_what_was_refused_goes_again(home, tmp_path):
    failed = {"00081198": {"Value": [{"00081197": {"vr": "US", "Value": [0xA700]}}]}}
    stub = StowStub([(503, {}), (200, failed), (200, failed)])
    login = tmp_path / "login"
    login.write_text("ffr:wordpass\n")
    slices = study_of("a")
    try:
        with serving(home, send_to=stub.address + "/", send_login=login) as service:
            send(service.port, slices)
            service.until("done")
            folder = service.out / "runs" / "cases" / "0001" / "dicom"
            assert set(stub.got) == results_of(slices)
            assert set(stub.got.values()) == {p.read_bytes() for p in folder.iterdir()}
            assert "HTTP status 503" in service.said()
            assert "failure reason A700" in service.said()
            assert "wordpass" not in service.said()
    finally:
        stub.close()
    assert len(stub.headers) == 5  # two, one that was refused for the other, one at last
    assert {h["Authorization"] for h in stub.headers} == {"Basic ZmZyOndvcmRwYXNz"}


def test_destinations_are_told_apart(tmp_path):
    node = destination("PACS@[::1]:104", Sender("US"))
    assert (node.aet, node.host, node.port, node.our_aet) == ("PACS", "::1", 104, "US")
    assert destination("https://pacs.example/dw/", Sender("US")).address.endswith("/dw")
    for wrong in ("PACS", "PACS@h", "PACS@h:0", "@h:1", "ftp://h", "https://u:p@h/", "http://",
                  "A" * 17 + "@h:1", "http://h:99999"):  # fmt: skip
        with pytest.raises(ConfigError, match="--send-to makes no sense"):
            destination(wrong, Sender("US"))
