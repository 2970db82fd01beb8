"""The folder and its queue: what is noted when, and what goes on after a kill."""

import gc
import sqlite3
from types import SimpleNamespace

import pytest
import serve_program
from serve_program import (
    as_bytes,
    associated,
    slice_of,
    study_of,
)

from ffr.errors import ConfigError
from ffr.serve import places
from ffr.serve.errors import UnsentError
from ffr.serve.retention import remove_old
from ffr.serve.sending import send_due
from ffr.serve.settling import make_jobs, remove_orphans
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
