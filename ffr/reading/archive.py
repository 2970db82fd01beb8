"""How is a zip of a study unpacked without trusting what it says?"""

from __future__ import annotations

import logging
import shutil
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ffr.errors import StudyError

logger = logging.getLogger(__name__)
LIMIT_BYTES = 16 * 2**30  # a 4D study of 20 phases has about 3 GB
LIMIT_RATIO = 200  # slices of pure air deflate 1:100; a bomb 1:1000
SMALL_BYTES = 64 * 2**20  # below this a high ratio harms nobody
LIMIT_FILES = 100_000


def unpack(archive: Path, folder: Path, progress: Callable[[float], None]) -> list[Path]:
    """Unpack the files of a zip into `folder` under numbers instead of their names.

    Names in an archive are never used as paths, so none can lead outside `folder`; only a
    short harmless suffix is kept.

    Raises
    ------
    StudyError
        "file-corrupt": not a zip, damaged, encrypted, or far larger than any study.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [m for m in opened.infolist() if not m.is_dir() and not _hidden(m)]
            _check_size(members)
            total = sum(m.file_size for m in members) or 1
            files, done = [], 0
            for i, member in enumerate(members):
                files.append(folder / f"{i:06d}{_suffix(member)}")
                with opened.open(member) as packed, files[-1].open("wb") as file:
                    shutil.copyfileobj(packed, file, 2**20)
                done += member.file_size
                progress(done / total)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        message = "the zip is damaged or of an unknown kind; pack or send it again"
        raise StudyError("file-corrupt", message) from error
    except RuntimeError as error:  # how zipfile says "encrypted"
        message = "the zip is encrypted; unpack it and give the folder"
        raise StudyError("file-corrupt", message) from error
    logger.info("unpacked %d files", len(files))
    return files


def _hidden(member: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(member.filename.replace("\\", "/")).parts
    return any(part == "__MACOSX" or part.startswith("._") for part in parts)


def _suffix(member: zipfile.ZipInfo) -> str:
    name = PurePosixPath(member.filename.replace("\\", "/")).name
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if 2 <= len(suffix) <= 6 and suffix[1:].isalnum() else ""


def _check_size(members: list[zipfile.ZipInfo]) -> None:
    total = sum(m.file_size for m in members)
    packed = sum(m.compress_size for m in members) or 1
    too_dense = total > SMALL_BYTES and total / packed > LIMIT_RATIO
    if total > LIMIT_BYTES or too_dense or len(members) > LIMIT_FILES:
        message = (
            f"the zip would unpack to {total / 2**30:.1f} GiB in {len(members)} files, "
            f"{total / packed:.0f} times its size; unpack it yourself and give the folder"
        )
        raise StudyError("file-corrupt", message)
