"""A result folder as a run leaves it, made from known trees without any network."""

import functools
from types import SimpleNamespace
from unittest import mock

import numpy as np
import standin

from ffr import workflow
from ffr.circulation.patient import Patient
from ffr.flags import Flag
from ffr.partial import claimed
from ffr.results import stage_data, stages
from ffr.results.result_folder import mark, prepare
from ffr.segmentation.maps import HeartMap, VesselMap
from meshes.volume import Volume, axis_aligned_grid

FLAGS = (Flag("contrast-low", "aortic lumen 268 HU, below 300 HU"),)
MODELS = {"anatomy": "ab12" * 16, "vessel": "cd34" * 16}


def case():
    """The first 45 mm of a right tree with one stenosis, and a coarse scan of it."""
    short, scan = _short_and_scan()
    return SimpleNamespace(trees=(short,), scan=scan)


@functools.cache
def _short_and_scan():
    right, _ = standin.right_tree((("RCA", 18.0, 3.0, 0.6),))
    short = standin.first_part(right, 45.0)
    return short, standin.scan_of(standin.painted((short,), 1.2))


def maps():
    """Label maps of the right types, with numbers in them."""
    random = np.random.default_rng(5)

    def volume(size, kind):
        grid = axis_aligned_grid(size, 2.0, (-20.5, 31.25, -7.125))
        return Volume(grid, random.integers(0, 9, size[::-1]).astype(kind))

    heart = HeartMap(volume((12, 10, 8), np.uint8), 128.4, 431.5)
    fine = (9, 8, 7)
    vessels = VesselMap(volume(fine, np.uint8), volume(fine, np.uint8))
    return heart, vessels


def fill_without_documents(out, known):
    """Write a whole run but for what is drawn in its reports, which takes half of the time."""
    with (
        mock.patch.object(workflow, "render_report", return_value=""),
        mock.patch.object(workflow, "pdf_pages", return_value=None),
    ):
        return fill(out, known)


def fill(out, known, study=None, until="report"):
    """Write the stages up to `until`; return the result when there is one."""
    prepare(out)
    with claimed(out):
        with stages.stage_files(out, "scan") as folder:
            stage_data.save_scan(folder, known.scan)
            if study is not None:
                (folder / "study.txt").write_text(mark(study, out))
        with stages.stage_files(out, "segment") as folder:
            stage_data.save_maps(folder, *maps(), FLAGS, MODELS)
        with stages.stage_files(out, "tree") as folder:
            stage_data.save_trees(folder, known.trees, (), {"lumen": "ef56" * 16})
        if until == "tree":
            return None
        workflow.solve(out, Patient(), lambda _: None)
        if until == "solve":
            return None
        return workflow.report(out, lambda _: None)
