"""Many studies: every case ends once, whatever is killed; one that fails sinks nobody."""

import csv
import fcntl
import json
import os
import signal
import stat
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import virtual_series
from batch_program import Batch, Cluster, alive, batch, wait_for
from command_line import SECRET, SECRETS, ffr, interrupted, refused
from numba.core.caching import IndexDataCacheFile
from patience import Prompt

from ffr.batch.cases import Case
from ffr.batch.child import compiled_in_turn
from ffr.batch.gpu import turn
from ffr.batch.studies import Listed

PROMPT_S = 2.0  # as Ctrl-C of every other verb
SOON_S = 20.0  # what is not ended works for half a minute, or for ever


@pytest.fixture
def studies(tmp_path):
    """Return a function that makes studies: a name, and the files that say what happens."""

    def make(**named):
        for name, files in named.items():
            folder = tmp_path / "studies" / name
            folder.mkdir(parents=True)
            for file in ("image", *files.split()):
                (folder / file).write_text("x")
        (tmp_path / "hold").write_text("cases that wait do so while this is here")
        return tmp_path / "studies"

    return make


@pytest.fixture
def cluster(tmp_path, request):
    folder = tmp_path / "cluster"
    folder.mkdir()
    made = Cluster(folder, **getattr(request, "param", {}))
    yield made
    made.end()


def attempts(tmp_path):
    """Number of every case that was begun, and the process it ran in."""
    lines = (tmp_path / "attempts").read_text().split("\n")[:-1]
    return [(line.split()[0], int(line.split()[1])) for line in lines]


def begun(tmp_path, count):
    """Wait until so many cases have been begun."""
    file = tmp_path / "attempts"
    wait_for(lambda: file.exists() and len(attempts(tmp_path)) >= count)
    return attempts(tmp_path)


def table_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def summary(out):
    """Return state and reason of each case, as in both files of the summary."""
    rows = table_of(out / "summary.csv")
    found = json.loads((out / "summary.json").read_text())
    assert [r["case"] for r in rows] == [c["case"] for c in found["cases"]]
    assert Counter(r["state"] for r in rows) == Counter(
        {state: n for state, n in found["counts"].items() if n}
    )
    return {row["case"]: f"{row['state']} {row['reason']}".strip() for row in rows}


def assert_whole(out):
    """Everything below `cases` is finished, and nothing else is left."""
    for folder in (out / "cases").iterdir():
        verdict = json.loads((folder / "case.json").read_text())
        if verdict["state"] == "done":
            assert (folder / "stages" / "half").read_text() == "whole"
            assert json.loads((folder / "result.json").read_text()) == {}
    assert list((out / "work").iterdir()) == []


def test_one_broken_case_sinks_nobody_and_nothing_is_done_twice(studies, tmp_path):
    named = {"a": "", "b": "broken", "c": "fault", "d": "killed", "e\udce9": ""}
    folder, out = studies(**named), tmp_path / "out"  # the last name is not UTF-8
    code, printed, err = batch(folder, out)
    assert (code, err) == (3, "")
    assert summary(out) == {
        "0001": "done", "0002": "failed slices-missing", "0003": "failed fault",
        "0004": "failed killed", "0005": "done",
    }  # fmt: skip
    assert "two slices are missing; send them again" in printed
    assert "ValueError; a fault" in printed
    assert "2 done, 3 failed, 0 not ended" in printed
    assert_whole(out)
    private = (out, out / "cases", out / "work", out / "index.csv")
    assert all(p.stat().st_mode & (stat.S_IRWXO | stat.S_IRWXG) == 0 for p in private)
    code, printed, err = batch(folder, out)
    assert (code, err) == (3, "")
    assert "2 done before, 3 failed before (--retry-failed does them again); 0 to do" in printed
    assert Counter(n for n, _ in attempts(tmp_path)).most_common(1)[0][1] == 1


def test_failed_cases_are_done_again_when_asked_or_when_their_study_is_mended(
    studies, tmp_path
):
    folder, out = studies(a="broken", b="broken", c=""), tmp_path / "out"
    assert batch(folder, out)[0] == 3
    (folder / "a" / "broken").unlink()
    code, printed, _ = batch(folder, out)
    assert code == 3
    assert "1 to do (1 of them anew)" in printed
    assert summary(out) == {
        "0001": "done", "0002": "failed slices-missing", "0003": "done",
    }  # fmt: skip
    assert batch(folder, out, retry_failed=True)[0] == 3
    assert [n for n, _ in attempts(tmp_path)[-2:]] == ["0001", "0002"]
    (folder / "a2").mkdir()  # between the others: it gets a new number, they keep theirs
    assert batch(folder, out)[0] == 3
    assert [n for n, _ in attempts(tmp_path)[4:]] == ["0002", "0004"]
    index = table_of(out / "index.csv")
    assert [(r["case"], Path(r["study"]).name) for r in index] == [
        ("0001", "a"), ("0002", "b"), ("0003", "c"), ("0004", "a2"),
    ]  # fmt: skip


def test_a_killed_batch_takes_its_cases_along_and_the_next_one_goes_on(studies, tmp_path):
    folder, out = studies(a="", b="wait", c="wait", d=""), tmp_path / "out"
    killed = Batch(folder, out, workers=2)
    begun(tmp_path, 4)
    wait_for(lambda: len(list((out / "cases").iterdir())) == 2)
    killed.worker().kill()
    code, _, err = killed.end()
    assert code == 128 + signal.SIGKILL
    assert err.startswith("ffr: ended by the system")
    wait_for(lambda: not any(alive(pid) for _, pid in attempts(tmp_path)), SOON_S)
    assert sorted(p.name for p in (out / "cases").iterdir()) == ["0001", "0004"]
    (tmp_path / "hold").unlink()
    assert batch(folder, out)[0] == 0
    assert set(summary(out).values()) == {"done"}
    counted = Counter(n for n, _ in attempts(tmp_path))
    assert counted == {"0001": 1, "0002": 2, "0003": 2, "0004": 1}
    assert_whole(out)


def test_a_signal_stops_a_batch_at_once_and_leaves_no_process(studies, tmp_path):
    stopped = Batch(studies(a="wait", b="wait"), tmp_path / "out", workers=2)
    begun(tmp_path, 2)
    with Prompt(PROMPT_S):
        stopped.signal(signal.SIGINT)
        code, _, err = stopped.end()
        wait_for(lambda: not any(alive(pid) for _, pid in attempts(tmp_path)))
    assert (code, err) == (130, "ffr: interrupted\n")


def test_workers_and_client_of_a_cluster_are_killed_and_every_case_ends_once(
    studies, tmp_path, cluster
):
    named = {f"{SECRET}_{n}": "wait" for n in "ab"} | dict.fromkeys("cde", "") | {"f": "broken"}
    folder, out = studies(**named), tmp_path / "out"
    cluster.add_worker()
    client = Batch(folder, out, scheduler=cluster.address)
    first, pid = begun(tmp_path, 1)[0]
    cluster.workers[0].kill()  # in mid-case
    wait_for(lambda: not alive(pid), SOON_S)
    assert not list((out / "cases").iterdir())
    cluster.add_worker()  # takes the case over
    second, pid = begun(tmp_path, 2)[1]
    assert second == first
    client.signal(signal.SIGKILL)
    client.end()
    assert alive(pid)  # what a cluster's worker has begun it brings to an end
    (tmp_path / "hold").unlink()
    cluster.add_worker()
    code, printed, err = batch(folder, out, scheduler=cluster.address)
    assert (code, err) == (3, "")
    assert Counter(summary(out).values()) == {"done": 5, "failed slices-missing": 1}
    assert_whole(out)
    counted = Counter(n for n, _ in attempts(tmp_path))
    assert counted.pop(first) == 2  # once in the worker that was killed
    assert len(counted) == 5
    assert set(counted.values()) == {1}
    said = (printed + cluster.logs()).lower()
    assert not any(secret in said for secret in SECRETS)


def test_two_batches_at_once_do_no_case_twice_and_both_tell_of_all(studies, tmp_path):
    folder, out = studies(**dict.fromkeys("abcdef", "wait")), tmp_path / "out"
    both = [Batch(folder, out, workers=1) for _ in range(2)]
    assert len({n for n, _ in begun(tmp_path, 2)}) == 2
    (tmp_path / "hold").unlink()
    for one in both:
        code, printed, err = one.end()
        assert (code, err) == (0, "")
        assert "6 done, 0 failed, 0 not ended" in printed
    assert sorted(n for n, _ in attempts(tmp_path)) == [f"000{i}" for i in range(1, 7)]
    assert_whole(out)


def test_a_case_over_its_time_or_memory_is_ended_with_all_its_processes(studies, tmp_path):
    folder, out = studies(a="slow", b="big", c=""), tmp_path / "out"
    code, printed, _ = batch(folder, out, time_s=2.5, memory_mb=200, workers=1)
    assert code == 3
    assert summary(out) == {
        "0001": "failed time-limit", "0002": "failed memory-limit", "0003": "done",
    }  # fmt: skip
    assert "not done after 2 s; see --time-limit-min" in printed
    grandchild = int((tmp_path / "grandchild").read_text())
    wait_for(lambda: not alive(grandchild), SOON_S)
    rows = table_of(out / "summary.csv")
    assert float(rows[0]["wall_s"]) >= 2.5
    assert int(rows[1]["peak_memory_mb"]) > 200
    assert_whole(out)


def test_a_full_disk_is_nobodys_failure(studies, tmp_path):
    folder, out = studies(a="full", b="wait"), tmp_path / "out"
    code, _, err = batch(folder, out, workers=2)
    assert code == 2
    assert err.startswith("ffr: no space left on the disk of --out; make room; finished cases")
    assert summary(out)["0001"] == "not ended"
    (folder / "a" / "full").unlink()
    (tmp_path / "hold").unlink()
    assert batch(folder, out)[0] == 0


def test_the_local_cluster_is_closed_to_other_machines(studies, tmp_path):
    at_work = Batch(studies(a="wait"), tmp_path / "out")
    begun(tmp_path, 1)
    sockets = at_work.worker().net_connections()
    at_work.signal(signal.SIGTERM)
    assert at_work.end()[0] == 130
    assert {c.laddr.ip for c in sockets if c.status == "LISTEN"} <= {"127.0.0.1"}


def test_a_list_gives_each_study_its_patient_values(studies, tmp_path):
    studies(a="", b="", c="")
    (tmp_path / "b.toml").write_text("systolic_mmhg = 150\ndiastolic_mmhg = 90\n")
    table = tmp_path / "list.csv"
    table.write_text(
        "study;systolic_mmhg;diastolic_mmhg;sex;patient\n"
        "studies/a;134;82;female;\nstudies/b;;95;;b.toml\n;;;;\nstudies/gone\nstudies/c\n",
        encoding="utf-8-sig",
    )
    out = tmp_path / "out"
    assert batch(table, out)[0] == 3

    def known(number):
        return json.loads((out / "cases" / number / "result.json").read_text())

    assert known("0001") == {"systolic_mmhg": 134, "diastolic_mmhg": 82, "sex": "female"}
    assert known("0002") == {"systolic_mmhg": 150, "diastolic_mmhg": 95}
    assert known("0004") == {}
    assert summary(out)["0003"] == "failed study-missing"
    table.write_text(table.read_text().replace("134", "135"), encoding="utf-8")
    assert "1 to do (1 of them anew)" in batch(table, out)[1]
    assert known("0001")["systolic_mmhg"] == 135


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "study,systolic_mmgh\na,1\n",
            "column 2 has no known name; did you mean 'systolic_mmhg'",
        ),
        (f"{SECRET},1947\n", "column 1 has no known name; known are study, series"),
        ("series\n4\n", "no column 'study'"),
        ("study,study\na,a\n", "two columns of one name"),
        ("study,sex\na,female\na,male\n", "row 3 names the study of row 2 again"),
        (f"study,sex\na,{SECRET}\n", "row 2: sex must be one of female, male"),
        ("study,systolic_mmhg\na,19470313\n", "row 2: systolic_mmhg must be a number from 60"),
        ("study,systolic_mmhg\na,120\n", "row 2: patient: give both"),
        (f"study\na,{SECRET}\n", "row 2 has 2 cells for 1 columns"),
        (f"study\n{SECRET}\n", "no study of the list exists"),
        ("study\n", "no study of the list exists"),
        (f"study,patient\na,{SECRET}.toml\n", "row 2: patient file: No such file"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused_by_row_and_column(tmp_path, text, said):
    (tmp_path / "a").mkdir()
    table = tmp_path / "list.csv"
    table.write_text(text)
    assert said in refused("batch", table, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_words_and_folders_are_refused_at_once(tmp_path):
    empty, full, study = (tmp_path / SECRET / name for name in ("empty", "full", "study"))
    for folder in (empty, full / "a", study):
        folder.mkdir(parents=True)
    virtual_series.write(study, virtual_series.chest((8, 8, 2)))
    (full / "notes.txt").write_text("no study")
    out = tmp_path / "out"
    for words, said in (
        ((tmp_path / "gone", "--out", out), "the studies do not exist"),
        ((empty, "--out", out), "no studies there"),
        ((study, "--out", out), "the files of one study; use 'ffr run'"),
        ((full / "notes.txt", "--out", out), "a list of studies is a .csv or .tsv"),
        ((full, "--out", full), "not empty and holds no batch"),
        ((full, "--out", full / "notes.txt"), "the result folder is a file"),
        ((full, "--out", full / "notes.txt" / "x"), "no result folder can be made there"),
        ((full, "--out", out, "--weights", empty), "--weights needs a folder"),
        ((full, "--out", out, "--scheduler", "x", "--workers", "2"), "--workers has no effect"),
        ((full, "--out", out, "--scheduler", "tcp://127.0.0.1:9"), "no Dask scheduler answers"),
        ((full, "--out", out, "--scheduler", "nonsense"), "no Dask scheduler answers"),
    ):
        assert said in refused("batch", *words), words


def test_words_become_limits(tmp_path):
    shown = "import ffr.batch.verb as v; v.run_batch = lambda s, o, x: print(x.limits) or 0"
    words = ("--time-limit-min", "1.5", "--memory-limit-gb", "0.7", "--threads", "3")
    code, printed, _ = ffr("batch", tmp_path, "--out", tmp_path, *words, before=shown)
    assert (code, printed) == (0, "Limits(time_s=90.0, memory_mb=700, threads=3)\n")


def test_ctrl_c_says_how_to_go_on():
    quick = "import ffr.batch.verb; ffr.batch.verb.run_batch = solve"
    code, _, err = interrupted("batch", ".", "--out", "out", before=quick)
    assert code == 130
    assert err.endswith("ffr: finished cases are kept; the same command goes on\n")


def test_the_analysis_itself_is_run_and_tells_nobodys_name(tmp_path):
    virtual_series.write(tmp_path / "studies" / SECRET, virtual_series.chest((48, 40, 6)))
    out = tmp_path / "out"
    code, printed, err = ffr("batch", tmp_path / "studies", "--out", out)
    assert (code, err) == (3, "")
    (state,) = summary(out).values()
    assert state.startswith("failed ")
    assert state.split()[1] not in ("fault", "refused", "killed", "crashed")
    left = [p for p in out.rglob("*") if p.is_file() and p.name != "index.csv"]
    said = " ".join([printed, *map(str, left), *(p.read_text(errors="replace") for p in left)])
    assert not any(secret in said.lower() for secret in SECRETS)


def test_a_case_that_is_printed_names_nobody():
    listed = Listed(Path(f"/studies/{SECRET}"), "4", {"sex": "female"})
    printed = repr(Case("0001", listed, Path(f"/{SECRET}"), "seen")) + repr(listed)
    assert SECRET not in printed
    assert "female" not in printed


def test_cases_take_turns_on_each_gpu(tmp_path):
    users, most = Counter(), Counter()

    def use(_):
        with turn(tmp_path, ["GPU-a", "GPU-b"]) as number:
            users[number] += 1
            most[number] = max(most[number], users[number])
            time.sleep(0.02)
            users[number] -= 1
        return number

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(use, range(12))) == {0, 1}
    assert most == {0: 1, 1: 1}


def test_machine_code_is_not_written_while_another_case_writes(tmp_path):
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    kept = IndexDataCacheFile(str(tmp_path), "kernel", "stamp")
    with compiled_in_turn(), ThreadPoolExecutor(1) as pool:
        saved = pool.submit(kept.save, "float64", "code")
        with pytest.raises(TimeoutError):
            saved.result(timeout=0.3)
        os.close(handle)
        saved.result(timeout=60)
    assert kept.load("float64") == "code"


def test_a_lost_scheduler_ends_the_batch_with_one_line(studies, tmp_path, cluster):
    cluster.add_worker()
    client = Batch(studies(a="wait", b="wait"), tmp_path / "out", scheduler=cluster.address)
    begun(tmp_path, 1)
    cluster.processes[0].kill()
    code, _, err = client.end()
    assert (code, err) == (
        2, "ffr: the scheduler is gone; finished cases are kept, start again\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    "cluster", [{"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}], indirect=True
)
def test_a_case_whose_workers_keep_dying_is_given_up_until_the_next_start(
    studies, tmp_path, cluster
):
    folder, out = studies(a="wait"), tmp_path / "out"
    cluster.add_worker()
    client = Batch(folder, out, scheduler=cluster.address)
    begun(tmp_path, 1)
    cluster.workers[0].kill()
    code, printed, err = client.end()
    assert (code, err) == (3, "")
    assert "0001 not ended: its workers died; start again to try once more" in printed
    assert summary(out) == {"0001": "not ended"}
    (tmp_path / "hold").unlink()
    assert batch(folder, out)[0] == 0
    assert_whole(out)


def test_other_verbs_do_not_wait_for_dask():
    before = "import ffr.cli, sys; print('distributed' in sys.modules, 'dask' in sys.modules)"
    _, printed, _ = ffr("--version", before=before)
    assert printed.startswith("False False")
