"""How does a finished run get into a folder of DICOM objects? All of them or none."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pydicom

from ffr.dicom_out.captures import capture, encapsulated_pdf
from ffr.dicom_out.chosen import Chosen, load_chosen
from ffr.dicom_out.ffr_map import ffr_map
from ffr.dicom_out.lumen import lumen_segmentation
from ffr.dicom_out.measurements import Points, measurement_report
from ffr.dicom_out.model import encapsulated_stl
from ffr.dicom_out.source import Source, find_source, require_dicom_run, silent
from ffr.dicom_out.stamp import Stamp, stamp_of
from ffr.dicom_out.variant import AUTOMATIC, Variant
from ffr.errors import ConfigError, StudyError
from ffr.reading.study import files_of
from ffr.report.pdf import report_pictures
from ffr.report.shown import Shown
from ffr.results import stage_data, stages
from ffr.results.result_file import load_result
from meshes.arrays import AnyArray, Floats
from meshes.surface import values_in_lumen
from meshes.volume import Grid, ijk_to_points_mm
from meshes.voxels import voxels_within

Further = Literal["surface", "map"]
logger = logging.getLogger(__name__)
OURS = re.compile(r"(picture-\d\d|report|summary|measurements|lumen|surface|ffr-map)\.dcm")


def check_folder(folder: Path) -> None:
    """Check that a folder is new, empty, or full of earlier objects and nothing else.

    Raises
    ------
    ConfigError
        It is none of these; nothing of somebody else's is ever replaced.
    """
    if not folder.parent.is_dir():
        raise ConfigError("the folder above --out does not exist; make it first")
    if folder.exists() and not folder.is_dir():
        raise ConfigError("--out is a file; give a folder")
    if folder.is_dir() and not all(OURS.fullmatch(x.name) for x in folder.iterdir()):
        message = (
            "the --out folder holds other files than DICOM objects of ct-ffr; give another"
        )
        raise ConfigError(message)


def write_objects(
    out: Path, study: Path, folder: Path, progress: Callable[[float], None],
    variant: Variant = AUTOMATIC, also: Collection[Further] = (),
) -> int:  # fmt: skip
    """Write the DICOM objects of a result of a run and return how many they are.

    Parameters
    ----------
    out
        The run's folder.
    study
        The study it was made from: DICOM folder, zip or file.
    folder
        What is there is replaced, once all objects are written. Its owner only may read it.
    progress
        Called with the share that is done, 0 to 1.
    variant
        Which result; its objects are series of their own.
    also
        Objects that are written only where they are asked for.

    Raises
    ------
    ConfigError
        No finished run, one without a DICOM study, the study of another run, a folder that
        holds something else, or as in `ffr.dicom_out.chosen.load_chosen`.
    ConvergenceError
        Of an edited result or a virtual stent no steady flow was found again.
    StudyError
        The headers of the study cannot be used.
    """
    check_folder(folder)
    if also and not variant.in_patient:
        message = "--stl and --ffr-map have no effect with --stent: no planned lumen is written"
        raise ConfigError(message)
    stages.require_stage(out, "solve")
    result = load_result(variant.folder(out) / "result.json")
    require_dicom_run(result.input.source)
    scan = stage_data.load_scan(out)
    progress(0.05)
    with files_of(study) as files:
        source = find_source(scan, files)
    progress(0.35)
    stamp = stamp_of(source, result, variant)
    chosen = load_chosen(out, variant, result, scan)
    progress(0.5)
    with stages.partial(out / "stages") as new:
        count = _write_all(
            source, stamp, chosen, also, new, lambda part: progress(0.5 + 0.5 * part)
        )
        _put(new, folder)
    progress(1.0)
    return count


def _write_all(
    source: Source, stamp: Stamp, chosen: Chosen, also: Collection[Further], folder: Path,
    progress: Callable[[float], None],
) -> int:  # fmt: skip
    """Draw, build and write all objects."""
    shown = chosen.shown
    drawn = report_pictures(shown)
    progress(0.5)
    inside = None
    if stamp.variant.in_patient:
        inside = voxels_within(chosen.surface, source.grid)
    progress(0.7)
    with _headers_in_use():
        objects = {
            f"picture-{k:02d}.dcm": capture(source, stamp, picture, k)
            for k, picture in enumerate(drawn, 1)
        }
        objects["report.dcm"] = encapsulated_pdf(source, stamp, chosen.pdf)
        throats = _throats(shown)
        objects["measurements.dcm"] = measurement_report(source, stamp, shown.result, throats)
        if inside is not None:
            objects["lumen.dcm"] = lumen_segmentation(source, stamp, inside)
        if "surface" in also:
            objects["surface.dcm"] = encapsulated_stl(source, stamp, chosen.surface)
        if "map" in also and inside is not None:
            ffr = _ffr_within(chosen, inside, source.grid)
            objects["ffr-map.dcm"] = ffr_map(source, stamp, inside, ffr)
        progress(0.9)
        for name, dataset in objects.items():
            pydicom.dcmwrite(folder / name, dataset, enforce_file_format=True)
    return len(objects)


def _ffr_within(chosen: Chosen, inside: AnyArray, grid: Grid) -> Floats:
    """Return FFR at the voxels of the lumen, in their order, shape (n,)."""
    points_mm = ijk_to_points_mm(grid, np.argwhere(inside)[:, ::-1])
    return values_in_lumen(points_mm, [c.tree for c in chosen.shown.trees], chosen.ffr)


@contextlib.contextmanager
def _headers_in_use() -> Iterator[None]:
    """Keep what libraries say of a header to ourselves: they quote its values."""
    try:
        with silent():
            yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        logger.debug("%s", type(error).__name__)
        message = (
            "the headers of the series cannot be carried over into DICOM objects "
            f"({type(error).__name__}); export the study again from the archive"
        )
        raise StudyError("header-damaged", message) from None


def _throats(shown: Shown) -> Points:
    points_mm = {c.side: c.tree.points_mm for c in shown.trees}
    return lambda lesion: points_mm[lesion.side][lesion.throat_point]


def _put(made: Path, folder: Path) -> None:
    """Move the new folder to its place; an earlier one is gone only when it is whole."""
    try:
        _swap(made, folder)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with stages.partial(folder.parent) as neighbour:  # on the disk of `folder`
            for path in made.iterdir():
                shutil.copyfile(path, neighbour / path.name)
            _swap(neighbour, folder)


def _swap(new: Path, folder: Path) -> None:
    if not folder.exists():
        os.replace(new, folder)
        return
    with stages.partial(folder.parent) as grave:
        os.replace(folder, grave / "old")
        try:
            os.replace(new, folder)
        except OSError:
            os.replace(grave / "old", folder)
            raise
