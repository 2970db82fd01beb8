"""May this folder be used for the results of this study?"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from ffr.errors import ConfigError
from ffr.results import stages

SAMPLE_BYTES = 8192


@contextlib.contextmanager
def prepared(out: Path, study: Path | None = None) -> Iterator[None]:
    """Make the result folder, as `prepare` does; on failure it is gone again if still empty.

    Raises
    ------
    ConfigError
        As in `prepare`; the folder holds the results of another study.
    """
    new = not out.exists()
    prepare(out)
    if study is not None:
        _require_no_other_study(out, study)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # of a folder that is not empty
            (out / "stages").rmdir()
            if new:
                out.rmdir()
        raise


def prepare(out: Path) -> None:
    """Make the result folder, readable by its owner only: it holds a patient's images.

    Raises
    ------
    ConfigError
        The place is a file, is not empty and holds no earlier run, or cannot be written to.
    """
    # the folder is not named in messages: it may be called after the patient
    if out.exists() and not out.is_dir():
        raise ConfigError("the result folder is a file; give a folder with --out")
    known = ("stages", "result.json")
    if out.is_dir() and any(out.iterdir()) and not any((out / n).exists() for n in known):
        message = (
            "the result folder is not empty and holds no earlier run; "
            "give a new or empty one with --out"
        )
        raise ConfigError(message)
    try:
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        (out / "stages").mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        message = f"no result folder can be made there ({error.strerror}); give another --out"
        raise ConfigError(message) from error


def require_run(out: Path) -> None:
    """Check that `out` holds an earlier run.

    Raises
    ------
    ConfigError
        No such folder, or nothing of ours in it.
    """
    if not (out / "stages").is_dir():
        message = "no earlier run in this folder; give the --out folder of an 'ffr run'"
        raise ConfigError(message)


def _require_no_other_study(out: Path, study: Path) -> None:
    """Nobody's results are replaced by those of another patient."""
    note = stages.stage_folder(out, "scan") / "study.txt"
    if study.exists() and note.is_file() and note.read_text().strip() != mark(study, out):
        message = (
            "the result folder holds the run of another study, or the study has changed; "
            "give another --out, or remove the folder"
        )
        raise ConfigError(message)


def require_same_study(out: Path, study: Path) -> None:
    """Check that the scan kept in `out` was read from `study` as it is now.

    Raises
    ------
    ConfigError
        The study is another one, was changed, or is gone.
    """
    note = stages.require_stage(out, "scan") / "study.txt"
    if not study.exists():
        message = "the study path does not exist; 'ffr tree', 'solve' and 'report' need none"
        raise ConfigError(message)
    with stages.readable(note.parent):
        before = note.read_text().strip()
    if before != mark(study, out):
        message = (
            "this result folder was made from another study, or the study has changed; "
            "leave out --from, or give another --out"
        )
        raise ConfigError(message)


def mark(study: Path, out: Path) -> str:
    """Return a hash that tells studies apart: of sizes and samples of the files, not of names.

    Copies of a study have the same mark. What lies in `out` does not count: a result folder
    may be made inside the study.
    """
    files = [] if study.is_dir() else [study]
    for parent, folders, names in os.walk(study):
        folders[:] = [n for n in folders if Path(parent, n).resolve() != out.resolve()]
        files += [path for name in names if (path := Path(parent, name)).is_file()]
    return hashlib.sha256(b"".join(sorted(map(_sample, files)))).hexdigest()


def _sample(path: Path) -> bytes:
    """Hash the size, the head (identifiers) and the middle (image) of a file."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(SAMPLE_BYTES))
        file.seek(size // 2)
        digest.update(file.read(SAMPLE_BYTES))
    return digest.digest()
