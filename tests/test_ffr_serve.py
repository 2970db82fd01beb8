"""The service: every study in by the network or a folder comes out once, whatever is killed."""

import gc
import random
import signal
import threading
import time
import zipfile

import pydicom
import pytest
import serve_program
from batch_program import alive, wait_for
from serve_program import (
    Archive,
    as_bytes,
    associated,
    attempts,
    results_of,
    send,
    serving,
    study_of,
)

from ffr.results.result import RESEARCH_USE_ONLY

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
        assert serve_program.unnamed(home, page, str(health), service.said())
        assert serve_program.private(service.out)
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
        assert kills[False] < 400
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
        assert serve_program.unnamed(service.out, service.said())
        assert "left 1 files that are no CT images" in service.said()
