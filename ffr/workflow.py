"""How does a run go from stage to stage? Each has files at both ends and can be run alone."""

from __future__ import annotations

import io
import logging
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ffr import pipeline
from ffr.certainty.confidence import Confidence
from ffr.circulation.patient import Patient
from ffr.circulation.physiology import Assumption, Physiology
from ffr.errors import ConfigError
from ffr.flags import Flag
from ffr.masks.file import read_labels
from ffr.masks.settings import MaskSettings
from ffr.masks.trees import mask_trees, scan_of_mask
from ffr.plaque.block import plaque_and_fat
from ffr.reading.study import read_study
from ffr.report.html import render_report, save_report
from ffr.report.pdf import report_pdf
from ffr.report.shown import Shown
from ffr.results import stage_data, stages
from ffr.results.findings import build_result, lesion_numbers
from ffr.results.result import EditEntry, ImageQuality, Result
from ffr.results.result_file import save_result
from ffr.results.result_folder import mark
from ffr.scan import MASK, Scan
from ffr.tracing.naming import dominance
from meshes.arrays import AnyArray, Floats, floats
from meshes.contours import Contours
from meshes.export import write_surface, write_volume_mesh
from meshes.io import write_forest
from meshes.tree import CoronaryTree, path_length_mm
from meshes.writing import replacing
from solvers.solution import FlowSolution
from solvers.unreadable import unreadable

Progress = Callable[[float], None]
logger = logging.getLogger(__name__)


@contextmanager
def _stage(out: Path, name: str) -> Iterator[Path]:
    began = time.monotonic()
    with stages.stage_files(out, name) as folder:
        yield folder
        stages.save_seconds(folder, time.monotonic() - began)


def read_scan(study: Path, out: Path, series: str | None, progress: Progress) -> None:
    """Read a study and keep its scan."""
    with _stage(out, "scan") as folder:
        scan = read_study(study, series, lambda part: progress(0.7 * part))
        stage_data.save_scan(folder, scan)
        (folder / "study.txt").write_text(mark(study, out) + "\n")
        progress(1.0)


def segment(out: Path, progress: Progress, weights: Path | None = None) -> None:
    """Label heart and vessels of the scan; own weights come before the shipped ones."""
    scan = stage_data.load_scan(out)
    with _stage(out, "segment") as folder:
        maps = pipeline.segment(scan, progress, weights)
        stage_data.save_maps(folder, maps.heart, maps.vessels, maps.flags, maps.models)


def tree(out: Path, progress: Progress, weights: Path | None = None) -> None:
    """Extract the coronary trees from scan and labels; `weights` as in `segment`."""
    scan = stage_data.load_scan(out)
    heart, vessels, _ = stage_data.load_maps(out)
    with _stage(out, "tree") as folder:
        trees, flags, models = pipeline.extract_trees(scan, heart, vessels, progress, weights)
        stage_data.save_trees(folder, trees, flags, models)


def read_mask(mask: Path, out: Path, settings: MaskSettings, progress: Progress) -> None:
    """Extract the coronary trees from a lumen mask; nothing is written unless all is well.

    Raises
    ------
    StudyError
        The file is no mask of coronary arteries.
    ConfigError
        The settings do not fit the mask.
    """
    began = time.monotonic()
    labels = read_labels(mask, lambda part: progress(0.3 * part))
    aorta = None
    if settings.aorta_file is not None:
        aorta = read_labels(settings.aorta_file, lambda _: None)
    trees, flags = mask_trees(labels, settings, aorta, lambda part: progress(0.3 + 0.6 * part))
    scan = scan_of_mask(labels, settings)
    with stages.stage_files(out, "scan") as folder:
        stage_data.save_scan(folder, scan)
        (folder / "study.txt").write_text(mark(mask, out) + "\n")
    with stages.stage_files(out, "segment") as folder:
        stage_data.save_no_maps(folder)
    with stages.stage_files(out, "tree") as folder:
        stage_data.save_trees(folder, trees, flags, {})
        stages.save_seconds(folder, time.monotonic() - began)
    progress(1.0)


def tree_warnings(out: Path) -> list[str]:
    """Return what the tree stage warns of."""
    _, facts = stage_data.load_trees(out)
    return [flag.message for flag in stage_data.flags_from_json(facts["flags"])]


def solve(out: Path, patient: Patient, progress: Progress) -> None:
    """Solve hyperaemic flow in the trees."""
    trees, _ = stage_data.load_trees(out)
    heart_facts = stages.load_facts(stages.require_stage(out, "segment"))
    with _stage(out, "solve") as folder:
        physiology = Physiology()
        flow = pipeline.solve(trees, patient, heart_facts["lv_mass_g"] or None, physiology)
        progress(0.4)
        sides = tuple(c.side for c in trees)
        settings = {
            "physiology": asdict(flow.physiology), "patient": patient.model_dump(),
            "spread": asdict(flow.inputs),
        }  # fmt: skip
        stage_data.save_flow(
            folder, flow.solutions, sides, flow.assumptions, settings, flow.flags
        )
        confidence = pipeline.confidence(trees, flow, pipeline.find(trees, flow.solutions))
        stage_data.save_confidence(folder, confidence, sides)
        progress(1.0)


def report(out: Path, progress: Progress) -> Result:
    """Write everything a reader opens: result, trees, meshes, report."""
    solutions, assumptions, settings, flow_flags = stage_data.load_flow(
        out
    )  # the quickest refusal first
    trees, _ = stage_data.load_trees(out)
    scan = stage_data.load_scan(out)
    progress(0.1)
    findings = pipeline.find(trees, solutions)
    confidence = stage_data.load_confidence(out)
    surface, surface_ffr = pipeline.lumen_mesh(trees, findings)
    progress(0.4)
    result = collected(
        out, scan, trees, solutions, findings, confidence, assumptions, settings, flow_flags
    )
    volume = None if scan.source == MASK else scan.volume
    shown = Shown(
        result, volume, trees, solutions, findings.analysed, confidence, surface, surface_ffr
    )
    html = render_report(shown)
    progress(0.7)
    pages = pdf_pages(shown)
    progress(0.8)
    with stages.result_files(out) as folder:
        save_tree(folder / "tree.vtp", trees, solutions, findings, confidence)
        write_surface(folder / "lumen.vtp", surface, {"ffr": surface_ffr})
        write_surface(folder / "lumen.stl", surface)
        filling, filling_ffr = pipeline.lumen_filling(trees, findings)
        write_volume_mesh(folder / "lumen.vtu", filling, {"ffr": filling_ffr})
        save_documents(folder, result, html, pages)
    progress(1.0)
    return result


def _with_plaque(
    result: Result, scan: Scan, trees: tuple[CoronaryTree, ...], findings: pipeline.Findings
) -> Result:
    """Add plaque and fat, where there are a scan and outer walls; nothing else changes."""
    if scan.source == MASK:
        return result
    found = plaque_and_fat(
        scan.volume, trees, findings.analysed, findings.lesions, scan.tube_voltage_kvp
    )
    return result.model_copy(update={"plaque_and_fat": found})


def save_documents(folder: Path, result: Result, html: str, pages: bytes | None) -> None:
    """Write what a reader opens first."""
    save_report(folder / "report.html", html)
    if pages is not None:
        (folder / "report.pdf").write_bytes(pages)
    save_result(folder / "result.json", result)


def pdf_pages(shown: Shown) -> bytes | None:
    """Return the report as PDF; None where it cannot be drawn: the rest must not be lost."""
    try:
        return report_pdf(shown)
    except Exception as error:  # whatever a drawing library may raise
        logger.warning("report.pdf was not written (%s); report.html says the same",
                       type(error).__name__)  # fmt: skip
        return None


def collected(
    out: Path, scan: Scan, trees: tuple[CoronaryTree, ...],
    solutions: tuple[FlowSolution, ...], findings: pipeline.Findings, confidence: Confidence,
    assumptions: tuple[Assumption, ...], settings: Mapping[str, Any], flags: tuple[Flag, ...],
    tree_flags: tuple[Flag, ...] | None = None, edits: Sequence[EditEntry] = (),
) -> Result:  # fmt: skip
    """Return the result of solved trees of a run; `flags` are those that came with the flow.

    Of trees that were edited, `tree_flags` stand in place of what the tree stage warned of.
    """
    _, tree_facts = stage_data.load_trees(out)
    segment_facts = stages.load_facts(stages.require_stage(out, "segment"))
    every = (
        *stage_data.flags_from_json(segment_facts["flags"]),
        *(
            stage_data.flags_from_json(tree_facts["flags"])
            if tree_flags is None
            else tree_flags
        ),
        *flags,
    )
    by_side = {c.side: c for c in trees}
    result = build_result(
        coronaries=trees,
        solutions=solutions,
        analysed=findings.analysed,
        lesions=findings.lesions,
        distal=findings.distal,
        spreads=confidence.spreads,
        aortic_pressure_mmhg=float(solutions[0].pressure_mmhg[0]),
        scan=scan,
        assumptions=assumptions,
        flags=every,
        settings=settings,
        models=segment_facts["models"] | tree_facts["models"],
        image_quality=ImageQuality(
            grade=None if scan.source == MASK else _grade([f.name for f in every]),
            aorta_hu=segment_facts["blood_hu"] or None,
        ),
        dominance=_dominance(by_side.get("left"), by_side.get("right")),
        lv_mass_g=segment_facts["lv_mass_g"] or None,
        timings_s=stages.load_seconds(out),
        git_commit=_git_commit(),
        edits=edits,
    )
    return _with_plaque(result, scan, trees, findings)


def save_tree(
    path: Path,
    trees: tuple[CoronaryTree, ...],
    solutions: tuple[FlowSolution, ...],
    findings: pipeline.Findings,
    confidence: Confidence,
    further: Sequence[dict[str, AnyArray]] | None = None,
) -> None:
    """Write all trees as one `.vtp` of lines with their point data; `further` data by tree."""
    names = sorted({name for c in trees for name in c.names})
    number = {name: i for i, name in enumerate(names)}
    decides = _deciding(trees, findings, confidence)
    outlined = all(c.contours is not None for c in trees)
    walled = outlined and all(c.walls is not None for c in trees)
    columns = []
    for t, (c, s, ffr) in enumerate(zip(trees, solutions, findings.ffr, strict=True)):
        spread, unknown = confidence.spreads[t], np.where(np.isnan(ffr), np.nan, 0.0)
        columns.append(
            {
                "ffr": ffr,
                "ffr_low": spread.ffr_low + unknown,
                "ffr_high": spread.ffr_high + unknown,
                "probability_below_0_80": spread.probability + unknown,
                **decides[t],
                "analysable": np.isfinite(ffr).astype(np.int64),
                "pressure_mmhg": np.where(unreadable(c), np.nan, s.pressure_mmhg),
                "flow_ml_min": s.flow_ml_min,
                "reference_radius_mm": c.reference_radius_mm,
                "radius_sd_mm": c.radius_sd_mm,
                "branch": np.array([number[c.names[b]] for b in c.branch]),
                "segment": c.segment,
                "s_mm": path_length_mm(c.tree),
                **(_outline(c.contours) if outlined and c.contours else {}),
                **({"wall_mm": c.walls.radius_mm} if walled and c.walls else {}),
                **(further[t] if further else {}),
            }
        )
    write_forest(path, [c.tree for c in trees], columns, {"branch_names": names})


def _outline(contours: Contours) -> dict[str, Floats]:
    return {
        "contour_mm": contours.radius_mm,
        "contour_zero_direction": contours.zero_direction,
        "contour_quarter_direction": contours.quarter_direction,
    }


def _deciding(
    trees: tuple[CoronaryTree, ...],
    findings: pipeline.Findings,
    confidence: Confidence,
) -> list[dict[str, Floats]]:
    """Return the sensitivity of each reading as columns: every tree has all of them."""
    numbers = lesion_numbers(trees, findings.lesions)
    zero = [np.zeros(len(c.tree)) for c in trees]
    every = sorted(k for own in numbers for k in own)
    columns = [
        {f"sensitivity_{k}_per_mm2": floats(z) for k in ("lowest", *every)} for z in zero
    ]
    for t, own in enumerate(numbers):
        slopes = confidence.sensitivity_per_mm2[t]
        for row, k in enumerate(own):
            columns[t][f"sensitivity_{k}_per_mm2"] = slopes[row]
        if len(slopes) > len(own):
            columns[t]["sensitivity_lowest_per_mm2"] = slopes[-1]
    return columns


def export(out: Path, path: Path) -> None:
    """Write the lumen surface with FFR, or (.vtu) the lumen's volume, in another format.

    Raises
    ------
    ConfigError
        No solved run, or no folder to write into.
    GeometryError
        The extension names no format.
    """
    if not path.parent.is_dir():
        raise ConfigError("the folder to write into does not exist; make it first")
    trees, _ = stage_data.load_trees(out)
    solutions = stage_data.load_flow(out)[0]
    findings = pipeline.find(trees, solutions)
    # written inside the run first: a kill leaves nothing beside `path`
    remarks = io.StringIO()  # of meshio, such as on 64-bit numbers in a .ply
    with redirect_stderr(remarks), stages.partial(out / "stages") as folder:
        if path.suffix.lower() == ".vtu":
            filling, filling_ffr = pipeline.lumen_filling(trees, findings)
            write_volume_mesh(folder / path.name, filling, {"ffr": filling_ffr})
        else:
            surface, surface_ffr = pipeline.lumen_mesh(trees, findings)
            write_surface(folder / path.name, surface, {"ffr": surface_ffr})
        with replacing(path) as neighbour:  # on the disk of `path`
            shutil.copyfile(folder / path.name, neighbour)


@contextmanager
def replaced_folder(place: Path) -> Iterator[Path]:
    """Give a folder to fill that takes the place of `place` once filled."""
    with stages.partial(place.parent / "stages") as folder:
        yield folder
        stages.discard(place)
        folder.replace(place)


def _grade(names: list[str]) -> Literal["good", "adequate", "limited"]:
    """Image quality from the warnings: none, one, or several or a grave one."""
    grave = {"noise-strong", "slab-steps", "contrast-low"} & set(names)
    if len(grave) > 1:
        return "limited"
    return "adequate" if grave or "slices-thick" in names else "good"


def _dominance(
    left: CoronaryTree | None, right: CoronaryTree | None
) -> Literal["right", "left", "codominant"] | None:
    table: dict[str, Literal["right", "left", "codominant"]] = {
        "right": "right", "left": "left", "co": "codominant",
    }  # fmt: skip
    return table.get(dominance(left, right))


def _git_commit() -> str | None:
    """Commit of the source tree this runs from, None for an installed package."""
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"],
            capture_output=True, text=True, timeout=5, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
