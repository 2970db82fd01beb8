"""Long work in a child: how it ends, what it says, what it leaves."""

import os
import pty
import select
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from patience import Prompt

from ffr.supervise import without_paths

# a kernel without end: no bytecode runs in it, so no Python handler either
STUCK = """
import ctypes
import sys

def stuck():
    print("at work", flush=True)
    ctypes.PyDLL(None).sleep(60)  # holds the interpreter's lock, like a compiled kernel
    return 0
"""
LIMIT_S = 2.0  # "Ctrl-C stops within 2 seconds"


def driver(text, *words, **how):
    """Start a small program of its own: a fork of pytest would hold all its threads' locks."""
    script = "import os, signal, sys, time\nfrom pathlib import Path\n" + STUCK
    script += "from ffr.supervise import supervised\n" + textwrap.dedent(text)
    settings = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=settings, **how,
    )  # fmt: skip


def ended(process):
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def code_of(work, *words):
    return ended(driver(f"def work():\n    {work}\nsys.exit(supervised(work, print))", *words))


def state(pid):
    """The kernel's letter: S sleeps, T is paused, Z is dead; "gone" without a process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def alive(pid):
    return state(pid) not in ("Z", "gone")


@pytest.mark.parametrize("code", [0, 1, 2, 7])
def test_the_childs_exit_code_is_passed_on(code):
    assert code_of(f"return {code}") == (code, "", "")


def test_what_either_side_prints_appears_once():
    text = """
        print("before", end=" ")
        code = supervised(lambda: print("inside", end=" ") or 0, print)
        print("after", code)
    """
    assert ended(driver(text)) == (0, "before inside after 0\n", "")


def test_a_fault_of_ours_shows_its_traceback():
    code, out, err = code_of("raise RuntimeError('an own fault')")
    assert (code, out) == (1, "")
    assert err.startswith("Traceback")
    assert err.endswith("RuntimeError: an own fault\n")


def test_a_traceback_does_not_name_the_study(tmp_path):
    study = tmp_path / "Wurzelbrunft Xaverina"
    study.mkdir()
    words = ("run", study)
    code, _, err = code_of("raise RuntimeError(f'bad {sys.argv[2]}/IM1')", *words)
    assert code == 1
    assert "RuntimeError: bad [path]/IM1" in err
    assert "Xaverina" not in err


def test_a_bare_name_is_left_out_where_it_is_a_path_and_kept_where_it_is_a_word(
    tmp_path, monkeypatch
):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    for typed in ("empty", "empty/"):
        monkeypatch.setattr(sys, "argv", ["ffr", "run", typed])
        said = without_paths("empty: 'empty/IM1' in 'empty'")
        assert said.startswith("empty: '[path]")
        assert said.endswith(" in '[path]'")


@pytest.mark.parametrize(
    ("work", "code"),
    [("sys.exit(5)", 5), ("sys.exit('no')", 1), ("raise KeyboardInterrupt", 130)],
)
def test_exits_inside_the_work_keep_their_code(work, code):
    assert code_of(work)[0] == code


def test_a_child_that_a_signal_kills_gives_128_and_its_number():
    assert code_of("os.kill(os.getpid(), signal.SIGKILL)")[0] == 128 + 9
    assert code_of("os.kill(os.getpid(), signal.SIGSEGV)")[0] == 128 + 11


def test_output_to_a_full_disk_is_no_success():
    full = open("/dev/full", "w")  # noqa: SIM115
    text = "sys.exit(supervised(lambda: print('lost') or 0, print))"
    with full:
        script = "import sys\nfrom ffr.supervise import supervised\n" + text
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode != 0


def test_handlers_and_mask_are_as_before():
    text = """
        def state():
            handlers = [signal.getsignal(s) for s in (2, 15, signal.SIGCHLD, signal.SIGTSTP)]
            return handlers, signal.pthread_sigmask(signal.SIG_BLOCK, [])
        def work():
            inside = state()
            return int(inside[1] != before[1])
        before = state()
        assert supervised(work, print) == 0
        assert state() == before
        assert signal.sigpending() == set()
        assert supervised(lambda: 3, print) == 3
    """
    assert ended(driver(text)) == (0, "", "")


STUCK_DRIVER = """
    def clean():
        print("cleaned", flush=True)
    def work():
        print(os.getpid(), flush=True)
        return stuck()
    sys.exit(supervised(work, clean))
"""


def begin(**how):
    process = driver(STUCK_DRIVER, **how)
    child = int(process.stdout.readline())
    assert process.stdout.readline() == "at work\n"
    return process, child


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_work_stuck_in_compiled_code(number):
    process, child = begin()
    with Prompt(LIMIT_S):
        process.send_signal(number)
        assert ended(process) == (130, "cleaned\n", "")
    assert not alive(child)


def test_a_signal_in_the_first_moment_is_not_lost():
    for delay_s in (0.0, 0.001, 0.003):
        process = driver(f"""
            parent = os.getpid()
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
            if os.fork() == 0:  # a stranger that presses Ctrl-C
                time.sleep({delay_s})
                os.kill(parent, signal.SIGINT)
                os._exit(0)
            code = supervised(stuck, print)
            sys.exit(code)
        """)  # fmt: skip
        with Prompt(5.0):  # interpreter start included
            assert ended(process)[0] == 130


def test_the_whole_process_group_may_be_told():
    process, child = begin(start_new_session=True)
    with Prompt(LIMIT_S):
        os.killpg(process.pid, signal.SIGINT)
        assert ended(process)[0] == 130
    assert not alive(child)


def test_what_was_told_to_ignore_ctrl_c_ignores_it():
    process, child = begin(preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    process.send_signal(signal.SIGINT)
    time.sleep(0.8)
    assert process.poll() is None
    assert alive(child)
    process.terminate()
    assert ended(process)[0] == 130


def test_the_child_dies_with_its_parent():
    process, child = begin()
    process.kill()
    process.wait(timeout=10)
    with Prompt(LIMIT_S):
        wait_for(lambda: not alive(child))
    process.communicate()


def test_ctrl_z_pauses_the_child_too_and_fg_goes_on():
    text = """
        def work():
            print(os.getpid(), flush=True)
            for i in range(100000):
                time.sleep(0.01)
        sys.exit(supervised(work, print))
    """
    process = driver(text, start_new_session=True)
    child = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGTSTP)
    wait_for(lambda: state(process.pid) == state(child) == "T")
    os.kill(process.pid, signal.SIGCONT)
    wait_for(lambda: "T" not in (state(process.pid), state(child)))
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 130


def wait_for(truth):
    deadline = time.monotonic() + 50.0
    while not truth():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_ctrl_c_in_a_terminal_stops_and_gives_the_cursor_back(tmp_path):
    script = STUCK + textwrap.dedent("""
        from pathlib import Path
        import typer
        from ffr.cli.ending import in_child
        from ffr.partial import claimed

        out = Path(sys.argv[1])

        def work():
            from ffr.show import bars, progress_page
            with claimed(out), bars(progress_page()) as opened:
                opened("a long step")(0.3)
                stuck()

        try:
            in_child(out, work)
        except typer.Exit as end:
            sys.exit(end.exit_code)
    """)
    (tmp_path / "stages" / "scan").mkdir(parents=True)
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(sys.executable, [sys.executable, "-c", script, str(tmp_path)])
    seen = read_until(terminal, b"at work")
    assert list((tmp_path / "stages").glob(".partial-*"))
    with Prompt(LIMIT_S):
        os.write(terminal, b"\x03")
        seen += read_until(terminal, b"interrupted")
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    assert status == 130
    assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l") >= 0
    assert [p.name for p in (tmp_path / "stages").iterdir()] == ["scan"]


def read_until(terminal, word):
    seen = b""
    while word not in seen and select.select([terminal], [], [], 60)[0]:
        try:
            seen += os.read(terminal, 4096)
        except OSError:
            break
    assert word in seen, seen
    return seen


def test_the_command_line_is_light_enough_to_fork():
    heavy = {"numpy", "torch", "SimpleITK", "vtkmodules", "numba"}
    script = f"import sys, ffr.cli; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "\n"
