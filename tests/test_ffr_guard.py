"""What ends with one line and exit code 2: every named error, and workers that are killed."""

import ast
import importlib
import inspect
import os
import signal
from pathlib import Path

import pytest
from torch.utils.data import DataLoader

from ffr.errors import StudyError
from ffr.guard import reported

ROOT = Path(__file__).parent.parent
FLOORS = ("meshes", "solvers", "ffr")
NAMED = [importlib.import_module(f"{floor}.errors") for floor in FLOORS]
ERRORS = [
    cls
    for module in NAMED
    for _, cls in inspect.getmembers(module, inspect.isclass)
    if issubclass(cls, Exception)
]


def one_line(capsys, work):
    assert reported(work) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("ffr: ")
    assert printed.err.count("\n") == 1
    return printed.err


@pytest.mark.parametrize("error", ERRORS, ids=lambda cls: cls.__name__)
def test_every_named_error_is_one_line(capsys, error):
    def work():
        raise error(*["a-reason"] * (error is StudyError), "the wall\nhas a hole at point 3")

    assert "the wall has a hole at point 3" in one_line(capsys, work)


def test_error_classes_are_defined_where_the_guard_is_tested_with_them():
    for floor in FLOORS:
        for path in (ROOT / floor).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and path.name != "errors.py":
                    bases = [ast.unparse(base) for base in node.bases]
                    assert not any(b.endswith(("Error", "Exception")) for b in bases), path


class Fatal:
    """Windows whose making kills the process, as the system does where memory ends."""

    def __len__(self):
        return 1

    def __getitem__(self, _):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_of_a_training_is_one_line(capfd):
    loader = DataLoader(Fatal(), num_workers=1)
    assert "a worker process was ended by the system" in one_line(capfd, lambda: list(loader))


def test_a_fault_inside_a_worker_is_no_mistake_of_the_user():
    def work():
        raise RuntimeError("Caught RuntimeError in DataLoader worker process 0.\nexited early")

    with pytest.raises(RuntimeError, match="Caught"):
        reported(work)
