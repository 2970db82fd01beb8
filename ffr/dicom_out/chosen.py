"""What is there to show of a result? Trees, flow and lumen, which are not all on disk.

Of an edited result or a virtual stent the inputs are kept and the flow is solved again: the
same inputs give the same numbers. Where they do not, nothing is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError
from vtkmodules.util.numpy_support import vtk_to_numpy

from ffr import pipeline
from ffr.certainty.confidence import Confidence
from ffr.dicom_out.variant import Variant
from ffr.editing.verb import solved_again, sure_of
from ffr.errors import ConfigError
from ffr.report.pdf import report_pdf
from ffr.report.shown import Shown
from ffr.results import stage_data
from ffr.results.result import Result
from ffr.scan import Scan
from ffr.stenting.compare import compared
from ffr.stenting.solved import Solved, load_solved, resolve
from ffr.stenting.span import Stent, stented
from meshes.arrays import Floats
from meshes.errors import GeometryError
from meshes.surface import Surface
from meshes.vtk_file import read_polydata

_STENTS = TypeAdapter(tuple[Stent, ...])
SAME_MM, SAME_FFR = 1e-4, 5e-4  # more than another processor rounds, less than is printed


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """A result and what is drawn of it.

    Parameters
    ----------
    shown
        What the report is drawn from.
    surface
        The lumen of all trees.
    ffr
        FFR at each point of each tree, NaN where not analysed, each shape (n,).
    pdf
        The report.
    """

    shown: Shown
    surface: Surface
    ffr: tuple[Floats, ...]
    pdf: bytes


def load_chosen(out: Path, variant: Variant, result: Result, scan: Scan) -> Chosen:
    """Return what is shown of a result of a run.

    Raises
    ------
    ConfigError
        What the result was made from is damaged, or this version finds other numbers.
    ConvergenceError
        No steady flow was found.
    """
    folder = variant.folder(out)
    if variant.kind == "automatic":
        trees, solutions = stage_data.load_trees(out)[0], stage_data.load_flow(out)[0]
        findings, sure = pipeline.find(trees, solutions), stage_data.load_confidence(out)
    else:
        if variant.kind == "edited":
            draft = solved_again(out, variant.number)
            _require_same(draft.after, folder, variant)
            again, sure = draft.after, sure_of(draft.start, draft.after)
        else:
            again, sure = _with_stents(out, folder, result, variant)
            # how much of a wall a planned lumen leaves is no finding
            result = result.model_copy(update={"plaque_and_fat": None})
        trees, solutions, findings = again.trees, again.flow.solutions, again.findings
    surface, surface_ffr = pipeline.lumen_mesh(trees, findings)
    shown = Shown(
        result, scan.volume, trees, solutions, findings.analysed, sure, surface, surface_ffr
    )
    written = folder / "report.pdf"
    pdf = written.read_bytes() if written.is_file() else report_pdf(shown)
    return Chosen(shown, surface, findings.ffr, pdf)


def _with_stents(
    out: Path, folder: Path, result: Result, variant: Variant
) -> tuple[Solved, Confidence]:
    try:
        stents = _STENTS.validate_python(result.settings.get("virtual_stents"))
    except ValidationError:
        message = f"--stent {variant.number}: its result.json names no stent; plan it again"
        raise ConfigError(message) from None
    before, sure = load_solved(out)
    after = resolve(before, stented(before.trees, *stents))
    _require_same(after, folder, variant)
    return after, compared(before, sure, after, stents).sure_after


def _require_same(again: Solved, folder: Path, variant: Variant) -> None:
    """Check that what was solved again is what was written."""
    expected = {
        "radius_mm": (np.concatenate([c.tree.radius_mm for c in again.trees]), SAME_MM),
        "ffr": (np.concatenate(again.findings.ffr), SAME_FFR),
    }
    try:
        data = read_polydata(folder / "tree.vtp", "tree.vtp").GetPointData()
    except GeometryError:
        data = None
    for name, (values, tolerance) in expected.items():
        array = None if data is None else data.GetArray(name)
        found = np.empty(0) if array is None else vtk_to_numpy(array)
        if found.shape != values.shape or not np.allclose(
            found, values, rtol=0.0, atol=tolerance, equal_nan=True
        ):
            option = "--edit" if variant.kind == "edited" else "--stent"
            verb = "edit" if variant.kind == "edited" else "stent"
            message = (
                f"{option} {variant.number}: this version finds other numbers for it than were "
                f"written, or its tree.vtp is damaged; make it again with 'ffr {verb}'"
            )
            raise ConfigError(message)
