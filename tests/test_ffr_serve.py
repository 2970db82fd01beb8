"""The service: every study in by the network or a folder comes out once, whatever is killed."""

import gc
import json
import os
import random
import shlex
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pydicom
import pytest
import serve_program
from batch_program import alive, wait_for
from command_line import SECRETS, refused
from pydicom.uid import MRImageStorage
from serve_program import (
    HOST,
    Archive,
    StowStub,
    as_bytes,
    associated,
    attempts,
    results_of,
    send,
    serving,
    slice_of,
    study_of,
)

from ffr.dicom_out.variant import Variant
from ffr.errors import ConfigError
from ffr.results.result import RESEARCH_USE_ONLY
from ffr.serve import listening, places
from ffr.serve.by_hand import send_objects
from ffr.serve.destination import Sender, destination
from ffr.serve.errors import UnsentError, UnwantedError
from ffr.serve.jobs import Jobs
from ffr.serve.listening import Door, Listener
from ffr.serve.objects import identity
from ffr.serve.options import options_from
from ffr.serve.retention import remove_old
from ffr.serve.sending import send_due
from ffr.serve.settling import make_jobs, remove_orphans
from ffr.serve.store import Store
from ffr.serve.tls import client_context, server_context

MB = 1_000_000
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
def archive():
    made = Archive()
    yield made
    made.close()


@pytest.fixture
def shop(tmp_path):
    """The folder of a service without its threads."""
    with places.opened(tmp_path / "out") as found:
        jobs = Jobs(found.queue)
        yield found, jobs
        jobs.close()


@pytest.fixture
def listener(shop):
    """Return a function that listens; its options are those of the door and the store."""
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


# a result that somebody chose


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


# the whole way


def test_a_study_that_is_sent_comes_back_as_results_equal_to_the_files(home, archive):
    slices = study_of("a")
    with serving(home, send_to=archive.address) as service:
        assert send(service.port, slices) == [0, 0, 0]
        service.until("done")
        (folder,) = (service.out / "runs" / "cases").iterdir()
        assert set(archive.got) == results_of(slices)
        for path in (folder / "dicom").iterdir():
            file = pydicom.dcmread(path)
            data = path.read_bytes()
            content = archive.got[str(file.SOPInstanceUID)]
            assert len(content) > 100
            assert data.endswith(content)
        sent = {as_bytes(d).rpartition(b"Wurzel")[2] for d in slices}
        there = (service.out / "jobs" / "0001" / "study").iterdir()
        assert {p.read_bytes().rpartition(b"Wurzel")[2] for p in there} == sent
        page, health = service.get()[1], service.health()
        assert RESEARCH_USE_ONLY in page
        assert 'http-equiv="refresh"' in page
        assert health["status"] == "ok"
        assert (health["done"], health["receiving"], health["queued"]) == (1, 0, 0)
        assert service.end() == 0
        assert unnamed(home, page, str(health), service.said())
        assert private(service.out)
        assert service.said().count("\n") < 12


def test_an_object_that_comes_after_the_job_makes_a_new_job(home, archive):
    slices = study_of("a", 4)
    with serving(home, send_to=archive.address) as service:
        assert send(service.port, slices[:3]) == [0, 0, 0]
        service.until("done")
        assert set(archive.got) == results_of(slices[:3])
        assert send(service.port, slices[:3]) == [0, 0, 0]  # sent again: nothing is new
        assert send(service.port, slices[3:]) == [0]
        service.until("done", "done")
        assert set(archive.got) == results_of(slices[:3]) | results_of(slices)
        assert [n for n, _ in attempts(home)] == ["0001", "0002"]
        time.sleep(0.8)
        assert service.states() == ["done", "done"]


def test_twenty_studies_are_analysed_one_at_a_time_in_their_order(home, archive):
    studies = [study_of(f"s{i}", 2) for i in range(20)]
    (home / "hold").write_text("")
    with serving(home, send_to=archive.address) as service:
        assoc = associated(service.port)
        for slices in studies:
            assert [assoc.send_c_store(d).Status for d in slices] == [0, 0]
        assoc.release()
        wait_for(lambda: len(service.states()) == 20)
        wait_for(lambda: len(attempts(home)) == 1)
        health = service.health()
        assert (health["running"], health["queued"]) == (1, 19)
        (home / "hold").unlink()
        service.until(*["done"] * 20)
    assert [n for n, _ in attempts(home)] == [f"{i:04d}" for i in range(1, 21)]
    assert set(archive.got) == set().union(*map(results_of, studies))
    assert set(archive.times.values()) == {1}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_at_random_moments_every_study_is_done_once_and_none_is_lost(
    home, archive, seed, monkeypatch
):
    monkeypatch.setenv("STAND_IN_S", "0.15")
    dice = random.Random(seed)
    studies = [study_of(f"s{i}", 2) for i in range(3)]
    ports, through = [0], threading.Event()

    def scanner():
        """Send as a scanner does: each image until somebody has said that it has it."""
        for slices in studies:
            for one in slices:
                while send(ports[0], [one]) != [0]:
                    time.sleep(0.05)
        through.set()

    sender = threading.Thread(target=scanner, daemon=True)
    sender.start()
    kills = {False: 0, True: 0}  # while objects come, while jobs run and results go
    while kills[True] < 3:
        complete = through.is_set()
        settle_s = 0.2 if complete else 600.0  # no study is complete before all is sent
        with serving(home, settle_s=settle_s, send_to=archive.address) as service:
            ports[0] = service.port
            time.sleep(dice.uniform(0.05, 0.9))
            service.kill()
        kills[complete] += 1
        assert kills[False] < 40
    assert kills[False] > 0
    with serving(home, settle_s=0.5, send_to=archive.address) as service:
        service.until(*["done"] * 3)
        time.sleep(0.8)
        assert service.states() == ["done"] * 3  # and no study became two jobs
        cases = sorted(p.name for p in (service.out / "runs" / "cases").iterdir())
        assert cases == ["0001", "0002", "0003"]
        assert list((service.out / "runs" / "work").iterdir()) == []
        assert not any((service.out / "incoming").iterdir())
    assert set(archive.got) == set().union(*map(results_of, studies))
    assert not any(alive(pid) for _, pid in attempts(home))


def test_it_ends_in_order_when_asked_and_a_running_job_goes_on_after_the_start(home):
    (home / "hold").write_text("")
    with serving(home) as service:
        send(service.port, study_of("a"))
        wait_for(lambda: attempts(home))
        assoc = associated(service.port)  # somebody is in the middle of something
        assert service.end() == 0
        assert not alive(attempts(home)[0][1])
        assert service.states() == ["queued"]
        wait_for(lambda: not assoc.is_established)
    (home / "hold").unlink()
    with serving(home) as service:
        service.until("done")
        service.signal(signal.SIGINT)
        assert service.end() == 0


def test_a_study_that_is_refused_says_why_on_the_page_and_sinks_nobody(home, archive):
    with serving(home, send_to=archive.address) as service:
        send(service.port, study_of("one", 1))
        service.until("failed")
        send(service.port, study_of("b"))
        service.until("failed", "done")
        page = service.get()[1]
        assert "slices-missing: one slice is no heart" in page
        assert set(archive.got) == results_of(study_of("b"))
        assert service.get("elsewhere")[0] == 404
        assert service.get("health", host="evil.example:80")[0] == 403


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


def test_a_watched_folder_is_emptied_of_images_that_are_whole_and_of_nothing_else(home):
    watch = home / "watch"
    watch.mkdir()
    whole, packed, half = study_of("a"), study_of("b"), study_of("c")
    hidden = home / "watch" / ".coming"
    (hidden / "deep").mkdir(parents=True)
    for k, d in enumerate(whole):
        (hidden / "deep" / f"Wurzelbrunft{k}").write_bytes(as_bytes(d))
    (hidden / "letter.txt").write_text("Dear colleague")
    (hidden / "link").symlink_to("/etc/hostname")
    with serving(home, watch=watch, settle_s=3.0) as service:
        time.sleep(0.3)
        hidden.rename(watch / "Wurzelbrunft")
        with zipfile.ZipFile(home / "b.zip", "w") as file:
            for k, d in enumerate(packed):
                file.writestr(f"{k}.dcm", as_bytes(d))
        (home / "b.zip").rename(watch / "Xaverina.zip")
        for k, d in enumerate(half):  # copied slowly, in place
            (watch / "slow").mkdir(exist_ok=True)
            (watch / "slow" / str(k)).write_bytes(as_bytes(d))
            time.sleep(0.7)
        service.until("done", "done", "done")
        jobs = [
            len(list((service.out / "jobs" / f"000{i}" / "study").iterdir())) for i in (1, 2, 3)
        ]
        assert jobs == [3, 3, 3]
        left = sorted(p.name for p in watch.rglob("*"))
        assert left == ["Wurzelbrunft", "letter.txt", "link"]
        assert unnamed(service.out, service.said())
        assert "left 1 files that are no CT images" in service.said()


# what comes in


def test_only_ct_images_are_taken_and_each_refusal_has_its_status(shop, listener):
    port, store = listener()
    assert associated(port, (MRImageStorage,)).is_established is False  # no context of two
    good, none = (slice_of("a", n) for n in (1, 2))
    del none.StudyInstanceUID
    wrong = slice_of("a", 3, MRImageStorage)
    assoc = associated(port)
    assert assoc.send_c_store(good).Status == 0
    assert assoc.send_c_store(none).Status == listening.NOT_UNDERSTOOD
    with pytest.raises(ValueError, match="presentation context"):
        assoc.send_c_store(wrong)
    assoc.release()
    assert len(kept(shop[0])) == 1
    assert store.changing() == 1
    assert list(shop[0].incoming.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not readable"), (b"no image", "not readable"), (bytes(128) + b"DICM", "syntax"),
        (as_bytes(slice_of("a", 1, MRImageStorage)), "no CT image"),
        (as_bytes(slice_of("a", 1))[:300], "not readable|no CT|no UID"),
    ],
)  # fmt: skip
def test_what_is_no_ct_image_is_not_kept(shop, content, why):
    found = shop[0]
    path = found.incoming / "x"
    path.write_bytes(content)
    with pytest.raises(UnwantedError, match=why) as caught:
        Store(found, MB, 0).keep(path)
    assert unnamed(found.out, str(caught.value))
    assert kept(found) == []


def test_header_and_message_must_name_the_same_object(tmp_path):
    one = slice_of("a", 1)
    one.file_meta.MediaStorageSOPInstanceUID = slice_of("a", 2).SOPInstanceUID
    data = as_bytes(slice_of("a", 1))
    inner = slice_of("a", 2).SOPInstanceUID.encode()
    uid = slice_of("a", 1).SOPInstanceUID.encode()
    size = min(len(inner), len(uid))
    at = data.rindex(uid)
    (tmp_path / "x").write_bytes(data[:at] + inner[:size] + data[at + size :])
    with pytest.raises(UnwantedError, match="different objects"):
        identity(tmp_path / "x")


def test_an_association_that_is_torn_leaves_what_was_answered_and_no_half(shop, listener):
    port, _ = listener()
    assoc = associated(port)
    assert assoc.send_c_store(slice_of("a", 1)).Status == 0
    assoc.abort()
    torn = associated(port)
    big = slice_of("a", 2, size=600)
    pdus = []
    whole = torn.dul.socket.send

    def half(data):
        pdus.append(len(data))
        if len(pdus) > 4:  # the cable is pulled in mid-object
            torn.dul.socket.socket.shutdown(socket.SHUT_RDWR)
        else:
            whole(data)

    torn.dul.socket.send = half
    torn.send_c_store(big)
    wait_for(lambda: not list(shop[0].incoming.iterdir()))
    assert len(kept(shop[0])) == 1
    assert send(port, [slice_of("a", 3)]) == [0]  # others are let in all the same


def test_who_is_not_on_the_list_is_not_let_in(listener):
    port, _ = listener(allowed=("SCANNER", "PACS"))
    stranger = associated(port, aet="STRANGER")
    assert stranger.is_rejected
    assert send(port, [slice_of("a", 1)]) == [0]


def test_associations_are_counted_and_silent_connections_hold_nobody_up(listener):
    port, _ = listener(most=2)
    silent = socket.create_connection((HOST, port))
    first = associated(port)
    assert first.is_established
    assert associated(port).is_rejected
    many = [socket.create_connection((HOST, port)) for _ in range(12)]
    many[-1].settimeout(5)
    assert many[-1].recv(1) == b""  # more than any association is closed at once
    for one in (silent, *many):
        one.close()
    first.release()
    wait_for(lambda: send(port, [slice_of("a", 1)]) == [0])


def test_a_full_disk_and_a_study_too_large_are_refused_and_lose_nothing(shop, listener):
    port, _ = listener(free=MB - 1)
    assert send(port, [slice_of("a", 1)]) == [listening.NO_ROOM]
    assert kept(shop[0]) == []
    assert list(shop[0].incoming.iterdir()) == []
    port, _ = listener(study_bytes=60_000)
    large = [slice_of("a", n, size=100) for n in (1, 2, 3)]
    assert send(port, large) == [0, 0, listening.NO_ROOM]
    port, _ = listener(study_bytes=10)
    assert send(port, [slice_of("c", 1)]) == [listening.NO_ROOM]
    assert len(list(shop[0].studies.iterdir())) == 1  # no empty study
    port, _ = listener(object_bytes=40_000)
    assert send(port, [slice_of("b", 1, size=600)]) == [None]  # ended in mid-object
    assert len(kept(shop[0])) == 2
    wait_for(lambda: not list(shop[0].incoming.iterdir()))


def test_a_disk_that_is_really_full_loses_nothing_and_room_is_enough_to_go_on(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=4m tmpfs {shlex.quote(str(disk))}"
    alone = ["unshare", "-rm", "sh", "-c"]
    try:
        subprocess.run([*alone, mount], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", "") or error.strerror
        pytest.skip(f"no disk of its own can be mounted here: {why.strip()}")
    program = Path(__file__).parent / "full_disk_program.py"
    home = os.pathsep.join(str(p) for p in (program.parent.parent, program.parent))
    done = subprocess.run(
        [*alone, f'{mount} && exec "$0" "$@"', sys.executable, program, disk],
        capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": home},
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert "error" not in told, (told, done.stderr)
    full = listening.NO_ROOM
    assert told["first"] == [0, 0]
    assert told["nearly full"] == [0, 0, full]
    assert told["full"] == [full, full]  # an answer to each, not the end of the association
    assert told["kept"] == [128, 128, 500_000, 500_000]  # what was accepted, whole
    assert told["halves"] == told["halves at last"] == []
    assert "collector: No space left on device" in told["trouble"]
    assert told["done while full"] == 1
    assert told["room again"] == [0]
    assert told["states"] == {"queued": 0, "running": 0, "failed": 0, "status": "ok"}
    assert told["results"] == [True, True]
    assert told["code"] == 0
    assert unnamed(tmp_path, done.stderr)


def test_a_disk_that_fails_while_an_object_is_kept_is_no_success(shop, listener, monkeypatch):
    port, store = listener()

    def failing(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ffr.serve.store.flushed", failing)
    assert send(port, [slice_of("a", 1)]) == [listening.NO_ROOM]
    assert kept(shop[0]) == []
    assert list(shop[0].studies.iterdir()) == []
    monkeypatch.undo()
    assert send(port, [slice_of("a", 1)]) == [0]

    def last(place):
        if place.parent == shop[0].studies:  # the object is there, the list of names is not
            failing(place)

    monkeypatch.setattr("ffr.serve.store.flushed", last)
    assert send(port, [slice_of("b", 1)]) == [listening.NO_ROOM]
    monkeypatch.undo()
    assert send(port, [slice_of("b", 1)]) == [0]  # sent again, nothing is new
    made = []
    wait_for(lambda: made.extend(make_jobs(store, shop[1], 0.0)) or len(made) > 1)
    assert made == [1, 2]


def test_a_message_that_announces_gigabytes_is_cut_off(listener):
    port, _ = listener()
    with socket.create_connection((HOST, port), timeout=10) as connection:
        connection.sendall(b"\x01\x00" + (2**31).to_bytes(4, "big") + bytes(1000))
        assert connection.recv(100) == b""
    assert send(port, [slice_of("a", 1)]) == [0]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Authority, service and sender, made by openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
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
    assert len(kept(shop[0])) == 1


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


# the folder and the queue


def test_a_job_that_was_not_queued_yet_when_killed_is_made_again(shop, monkeypatch):
    found, jobs = shop
    store = Store(found, MB, 0)
    for one in study_of("a"):
        (found.incoming / "x").write_bytes(as_bytes(one))
        store.keep(found.incoming / "x")
    monkeypatch.setattr(jobs, "add", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        make_jobs(store, jobs, 0.0)
    monkeypatch.undo()
    assert [p.name for p in found.jobs.iterdir()] == ["0001"]
    remove_orphans(found, jobs)
    assert list(found.jobs.iterdir()) == []
    assert make_jobs(Store(found, MB, 0), jobs, 0.0) == [1]  # after a start
    assert make_jobs(Store(found, MB, 0), jobs, 0.0) == []
    assert len(list((found.job(1) / "study").iterdir())) == 3


def test_a_late_object_restarts_the_wait(shop, monkeypatch):
    found, jobs = shop
    store = Store(found, MB, 0)
    now_s = 100.0
    monkeypatch.setattr("ffr.serve.store.time", SimpleNamespace(monotonic=lambda: now_s))
    for one in study_of("a"):
        (found.incoming / "x").write_bytes(as_bytes(one))
        store.keep(found.incoming / "x")
        now_s += 0.8
        assert make_jobs(store, jobs, 2.0) == []  # 2.4 s after the first, 0.8 after the last
    now_s += 1.2
    assert make_jobs(store, jobs, 2.0) == [1]


def test_a_study_waits_for_the_association_that_is_in_the_middle_of_it(shop, monkeypatch):
    found, jobs = shop
    store = Store(found, MB, 0)
    pacs = associated  # any object that can be referred to weakly

    def keep(*slices):
        for one in slices:
            (found.incoming / "x").write_bytes(as_bytes(one))
            store.keep(found.incoming / "x", pacs)

    keep(*study_of("a"))
    assert make_jobs(store, jobs, 0.0) == []
    keep(*study_of("b"))  # it goes on to another
    assert make_jobs(store, jobs, 0.0) == [1]
    store.gone(pacs)
    assert make_jobs(store, jobs, 0.0) == [2]
    keep(*study_of("c"))
    monkeypatch.setattr("ffr.serve.store.HELD_S", 0.0)  # and stays open for nothing
    assert make_jobs(store, jobs, 0.0) == [3]


def test_what_is_sent_again_changes_nothing_and_what_is_corrected_is_analysed_again(shop):
    found, jobs = shop
    store = Store(found, MB, 0)
    made = []
    for size in (8, 8, 9):
        (found.incoming / "x").write_bytes(as_bytes(slice_of("a", 1, size=size)))
        store.keep(found.incoming / "x")
        made.append(make_jobs(store, jobs, 0.0))
        assert not any(found.incoming.iterdir())
    assert made == [[1], [], [2]]
    sizes = [next((found.job(n) / "study").iterdir()).stat().st_size for n in (1, 2)]
    assert sizes[1] - sizes[0] == 2 * (81 - 64)  # the first job keeps what it was about


def test_a_later_job_of_a_study_supersedes_one_that_has_not_begun(shop):
    jobs = shop[1]
    jobs.add(1, "a", "x", 3)
    jobs.add(2, "b", "x", 3)
    jobs.add(3, "a", "y", 4)
    assert [(j.number, j.state) for j in jobs.newest(9)] == [
        (3, "queued"), (2, "queued"), (1, "superseded"),
    ]  # fmt: skip
    assert jobs.begin(()).number == 2
    jobs.add(4, "b", "y", 4)
    assert jobs.counts() == {
        "queued": 2, "running": 1, "sending": 0, "done": 0, "failed": 0, "superseded": 1,
    }  # fmt: skip
    jobs.recover()
    assert jobs.begin(()).number == 2


def test_a_change_that_the_disk_refuses_at_its_end_blocks_no_later_one(shop):
    jobs = shop[1]
    whole = jobs._db

    class Full:
        def execute(self, text, *rest):
            if text == "COMMIT":
                raise sqlite3.OperationalError("database or disk is full")
            return whole.execute(text, *rest)

    jobs._db = Full()
    with pytest.raises(sqlite3.OperationalError, match="full"):
        jobs.add(1, "a", "x", 3)
    jobs._db = whole
    assert jobs.counts()["queued"] == 0
    jobs.add(1, "a", "x", 3)
    assert jobs.counts()["queued"] == 1


def test_each_object_is_noted_when_sent_and_the_last_ends_the_job(shop):
    found, jobs = shop
    jobs.add(1, "a", "x", 3)
    jobs.begin(())
    jobs.analysed(1, ["one.dcm", "two.dcm"], to_send=True)

    class Node:
        takes = ("one.dcm",)

        def send(self, files, sent):
            for file in files:
                if file.name not in self.takes:
                    raise UnsentError("full")
                sent(file)

    send_due(found, jobs, Node(), 60.0)
    assert (jobs.unsent(1), jobs.newest(1)[0].state) == (["two.dcm"], "sending")
    Node.takes = ("two.dcm",)
    send_due(found, jobs, Node(), 60.0)  # not due yet
    assert jobs.unsent(1) == ["two.dcm"]
    jobs.recover()
    send_due(found, jobs, Node(), 60.0)
    assert (jobs.unsent(1), jobs.newest(1)[0].state) == ([], "done")


def test_what_ended_long_ago_is_removed_but_not_a_study_that_still_grows(shop):
    found, jobs = shop
    store = Store(found, MB, 0)
    for name in ("a", "b"):
        (found.incoming / "x").write_bytes(as_bytes(slice_of(name, 1)))
        store.keep(found.incoming / "x")
    assert make_jobs(store, jobs, 0.0) == [1, 2]
    for number in (1, 2):
        jobs.fail(number, "x", "y")
    (found.incoming / "x").write_bytes(as_bytes(slice_of("b", 2)))
    store.keep(found.incoming / "x")
    remove_old(found, store, jobs, 3600.0)
    assert len(list(found.jobs.iterdir())) == 2
    remove_old(found, store, jobs, -1.0)
    assert list(found.jobs.iterdir()) == []
    assert len(list(found.studies.iterdir())) == 1
    assert [j.state for j in jobs.newest(9)] == ["failed", "failed"]


def test_a_folder_serves_one_service(shop, monkeypatch):
    monkeypatch.setattr(places, "LOCK_PATIENCE_S", 0.0)
    with pytest.raises(ConfigError, match="another ffr serve"), places.opened(shop[0].out):
        pass


# what is typed


def test_bad_words_end_with_one_line_that_names_nobody(tmp_path):
    full, out = tmp_path / "full", tmp_path / "out"
    full.mkdir()
    (full / "letter").write_text("")
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        for folder, words, why in (
            (out, ["--port", port], f"port {port} is taken"),
            (out, ["--status-port", port, "--port", 0], f"port {port} is taken"),
            (out, ["--host", "192.0.2.1", "--status-port", 0], "no address 192.0.2.1"),
            (out, ["--watch", tmp_path, "--port", 0], "lie in one another"),
            (full, [], "of no ffr serve"),
            (full / "letter", [], "is a file"),
            ("/proc/none", [], "no folder for the service"),
        ):
            assert why in refused("serve", "--out", folder, *words)
    assert "no earlier run" in refused("send", full, "--send-to", "PACS@h:1")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"port": 70000}, "--port: input should be less than"),
        ({"aet": "A" * 17}, "--aet must be"),
        ({"allow_aet": ["A", ""]}, "--allow-aet must be"),
        ({"settle_s": -1}, "--settle-s: input should be"),
        ({"tls_cert": "x"}, "both --tls-cert and --tls-key"),
        ({"tls_ca": "x"}, "--tls-ca has no effect"),
        ({"send_tls": True}, "without --send-to"),
        ({"host": ""}, "--host|host"),
    ],
)
def test_options_that_make_no_sense_are_refused(words, why):
    with pytest.raises(ConfigError, match=why):
        options_from(words)


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


def test_a_config_file_that_makes_no_sense_is_refused_without_its_words(tmp_path):
    file = tmp_path / "serve.toml"
    for text, why in (
        ("Wurzelbrunft = 3", "an entry that is no option"),
        ("settel_s = 3", "did you mean 'settle_s'"),
        ("settle_s = 'Wurzelbrunft'", "settle_s of the config file: input should be"),
        ("settle_s = ", "not TOML"),
    ):
        file.write_text(text)
        with pytest.raises(ConfigError, match=why) as caught:
            options_from({}, file)
        assert unnamed(tmp_path, str(caught.value))
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        options_from({}, tmp_path / "none")


def test_a_config_file_holds_the_same_options_and_words_overrule_it(tmp_path):
    file = tmp_path / "serve.toml"
    file.write_text('port = 104\nallow_aet = ["A", "B"]\nwatch = "drop"\nsettle_s = 30\n')
    options = options_from({"port": 11113, "settle_s": None, "allow_aet": []}, file)
    assert (options.port, options.allow_aet, options.settle_s) == (11113, ("A", "B"), 30.0)
    assert options.watch == tmp_path / "drop"
    assert options.host == HOST


def test_destinations_are_told_apart(tmp_path):
    node = destination("PACS@[::1]:104", Sender("US"))
    assert (node.aet, node.host, node.port, node.our_aet) == ("PACS", "::1", 104, "US")
    assert destination("https://pacs.example/dw/", Sender("US")).address.endswith("/dw")
    for wrong in ("PACS", "PACS@h", "PACS@h:0", "@h:1", "ftp://h", "https://u:p@h/", "http://",
                  "A" * 17 + "@h:1", "http://h:99999"):  # fmt: skip
        with pytest.raises(ConfigError, match="--send-to makes no sense"):
            destination(wrong, Sender("US"))
