"""What comes in: what is taken, what is refused and with which status, a full disk."""

import gc
import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import serve_program
from batch_program import wait_for
from pydicom.uid import MRImageStorage
from serve_program import (
    HOST,
    as_bytes,
    associated,
    send,
    slice_of,
)

from ffr.serve import listening
from ffr.serve.errors import UnwantedError
from ffr.serve.objects import identity
from ffr.serve.settling import make_jobs
from ffr.serve.store import Store

MB = 1_000_000
# pynetdicom lets go of sockets without closing them
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture(scope="module", autouse=True)
def tidy():
    yield
    gc.collect()  # while the filter holds


@pytest.fixture
def shop(tmp_path):
    with serve_program.shop(tmp_path) as opened:
        yield opened


@pytest.fixture
def listener(shop):
    with serve_program.listeners(shop) as make:
        yield make


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
    assert len(serve_program.kept(shop[0])) == 1
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
    assert serve_program.unnamed(found.out, str(caught.value))
    assert serve_program.kept(found) == []


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
    assert len(serve_program.kept(shop[0])) == 1
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
    many[-1].settimeout(60)
    assert many[-1].recv(1) == b""  # more than any association is closed at once
    for one in (silent, *many):
        one.close()
    first.release()
    wait_for(lambda: send(port, [slice_of("a", 1)]) == [0])


def test_a_full_disk_and_a_study_too_large_are_refused_and_lose_nothing(shop, listener):
    port, _ = listener(free=MB - 1)
    assert send(port, [slice_of("a", 1)]) == [listening.NO_ROOM]
    assert serve_program.kept(shop[0]) == []
    assert list(shop[0].incoming.iterdir()) == []
    port, _ = listener(study_bytes=60_000)
    large = [slice_of("a", n, size=100) for n in (1, 2, 3)]
    assert send(port, large) == [0, 0, listening.NO_ROOM]
    port, _ = listener(study_bytes=10)
    assert send(port, [slice_of("c", 1)]) == [listening.NO_ROOM]
    assert len(list(shop[0].studies.iterdir())) == 1  # no empty study
    port, _ = listener(object_bytes=40_000)
    assert send(port, [slice_of("b", 1, size=600)]) == [None]  # ended in mid-object
    assert len(serve_program.kept(shop[0])) == 2
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
    assert serve_program.unnamed(tmp_path, done.stderr)


def test_a_disk_that_fails_while_an_object_is_kept_is_no_success(shop, listener, monkeypatch):
    port, store = listener()

    def failing(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ffr.serve.store.flushed", failing)
    assert send(port, [slice_of("a", 1)]) == [listening.NO_ROOM]
    assert serve_program.kept(shop[0]) == []
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
