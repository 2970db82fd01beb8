"""How does the pipeline cope with hard patients? One picture and honest words for each.

Run: python -m validation gallery --out FOLDER [--cases occlusion motion] [--keep]

Makes each virtual patient, scans it, runs the pipeline as `ffr run` does, and writes
docs/gallery.md with docs/gallery/NAME.png. FOLDER keeps scans and trees: a case is run again
when code or weights have changed since; with --cases only the named ones, with --keep none.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import inspect
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ffr import pipeline
from ffr.circulation.patient import Patient
from ffr.errors import StudyError
from ffr.flags import Flag
from ffr.phantom.imaging import scan
from ffr.phantom.study import scan_grid, true_lv_mass_g
from ffr.results import stage_data, stages
from ffr.scan import Scan, volume_sha256
from meshes.arrays import Floats, floats, locked
from meshes.errors import GeometryError
from meshes.tree import CoronaryTree
from meshes.volume import Volume, axis_aligned_grid
from meshes.writing import write_text
from solvers.errors import ConvergenceError
from validation import gallery_cases
from validation.gallery_cases import CASES, HardCase, course_mm
from validation.held_out import analysed
from validation.segmentation_case import ROOT
from validation.setting import commit, setting

SIZE, SPACING_MM = (420, 420, 220), (0.45, 0.45, 0.55)
UNSEEN = ("report", "pulse", "masks", "phantom")  # folders of ffr that change no finding
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One case as it is drawn and told.

    Parameters
    ----------
    case
        The recipe.
    volume, course_mm
        The scan; the true course of the vessel that is shown, (n, 3).
    hidden_mm
        Points of vessels that are there and in no true tree: behind an occlusion, (n, 3).
    true, exact
        True trees and what is read off them with the exact flow.
    found, findings
        Found trees and what is read off them; none where the scan was refused.
    flags
        Warnings.
    failure
        Why there is no result; "" where there is one.
    commit, date
        When it was run.
    """

    case: HardCase
    volume: Volume
    course_mm: Floats
    hidden_mm: Floats
    true: tuple[CoronaryTree, ...]
    exact: pipeline.Findings
    found: tuple[CoronaryTree, ...]
    findings: pipeline.Findings
    flags: tuple[Flag, ...]
    failure: str
    commit: str
    date: str


NOTHING = pipeline.Findings((), (), (), ())


def code_hash() -> str:
    """Return a hash of code and weights that decide what is found in a scan."""
    digest = hashlib.sha256()
    for floor in ("meshes", "solvers", "ffr"):
        for path in sorted((ROOT / floor).rglob("*")):
            skipped = path.relative_to(ROOT / floor).parts[0] in UNSEEN and floor == "ffr"
            if path.suffix in (".py", ".safetensors") and not skipped:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def recipe_hash(case: HardCase) -> str:
    """Return a hash of what decides a scan: the recipe and the painting code."""
    digest = hashlib.sha256(repr((SIZE, SPACING_MM)).encode())
    for made in (case.make, gallery_cases._stented, gallery_cases._dimmed, course_mm):
        digest.update(inspect.getsource(made).encode())
    for path in sorted((ROOT / "ffr" / "phantom").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def painted(case: HardCase, folder: Path) -> None:
    """Make patient, scan and truth, unless they are kept."""
    facts = folder / "truth.json"
    key = recipe_hash(case)
    if facts.exists() and json.loads(facts.read_text())["recipe"] == key:
        return
    patient, imaging = case.make()
    grid = scan_grid(patient, SIZE, SPACING_MM)
    volume = scan(patient, grid, imaging, patient.seed)
    mass = true_lv_mass_g(patient)
    trees = (patient.left, patient.right)
    flow = pipeline.solve(trees, Patient(), mass)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        folder / "scan.npz", values=volume.values, origin_mm=grid.origin_mm,
        course_mm=course_mm(patient, case.vessel),
    )  # fmt: skip
    _keep(folder / "true", trees, flow, ())
    write_text(facts, json.dumps({"recipe": key, "seed": patient.seed, "lv_mass_g": mass}))
    (folder / "found.json").unlink(missing_ok=True)


def _keep(
    out: Path, trees: tuple[CoronaryTree, ...], flow: pipeline.Flow, flags: tuple[Flag, ...]
) -> None:
    with stages.stage_files(out, "tree") as place:
        stage_data.save_trees(place, trees, flags, {})
    with stages.stage_files(out, "solve") as place:
        sides = tuple(c.side for c in trees)
        stage_data.save_flow(place, flow.solutions, sides, (), {}, flow.flags)


def load_scan(folder: Path) -> tuple[Volume, Floats]:
    """Return the scan and the true course of the shown vessel."""
    with np.load(folder / "scan.npz") as data:
        grid = axis_aligned_grid(SIZE, SPACING_MM, tuple(data["origin_mm"]))
        return Volume(grid, locked(data["values"])), floats(data["course_mm"])


def run(case: HardCase, folder: Path, key: str) -> None:
    """Run the pipeline on a case and keep what it finds."""
    volume, _ = load_scan(folder)
    given = Scan(
        volume=volume, source="nrrd", series="virtual patient",
        slice_thickness_mm=SPACING_MM[2], sha256=volume_sha256(volume), tube_voltage_kvp=None,
        kernel=None, flags=(),
    )  # fmt: skip
    failure, began = "", time.process_time()
    try:
        made = analysed(given)
        _keep(folder / "found", made.trees, made.flow, made.flags)
    except (StudyError, GeometryError, ConvergenceError) as error:
        failure = str(error)
    facts = {
        "code": key, "failure": failure, "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor_s": round(time.process_time() - began, 1),
    }  # fmt: skip
    write_text(folder / "found.json", json.dumps(facts))
    log.info("%s: %s", case.name, facts)


def shown(case: HardCase, folder: Path) -> Shown:
    """Read back a case that was run."""
    volume, course = load_scan(folder)
    facts = json.loads((folder / "found.json").read_text())
    true, exact, _ = _read(folder / "true")
    found, findings, flags = ((), NOTHING, ()) if facts["failure"] else _read(folder / "found")
    return Shown(
        case, volume, course, hidden_mm(case), true, exact, found, findings, flags,
        facts["failure"], facts["commit"], facts["date"],
    )  # fmt: skip


def hidden_mm(case: HardCase) -> Floats:
    """Return the points of vessels behind occlusions, (n, 3)."""
    occlusions = case.make()[0].features.occlusions
    lines = [a.axis_mm for o in occlusions for a in (o.plug, *o.beyond)]
    return floats(np.vstack([np.zeros((0, 3)), *lines]))


def _read(
    out: Path,
) -> tuple[tuple[CoronaryTree, ...], pipeline.Findings, tuple[Flag, ...]]:
    trees, facts = stage_data.load_trees(out)
    solutions = stage_data.load_flow(out)[0]
    flags = stage_data.flags_from_json(facts["flags"])
    return trees, pipeline.find(trees, solutions), flags


def stale(folder: Path, key: str) -> bool:
    """Tell whether a case must be run: never, or with other code or weights."""
    facts = folder / "found.json"
    return not facts.exists() or json.loads(facts.read_text())["code"] != key


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is stale, draw everything, write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="keeps scans and trees")
    parser.add_argument("--cases", nargs="+", choices=[c.name for c in CASES], default=[])
    parser.add_argument("--keep", action="store_true", help="draw what is kept, run nothing")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from validation.gallery_page import page
    from validation.gallery_pictures import draw

    key, rows = code_hash(), []
    for case in CASES:
        folder = given.out / case.name
        wanted = not given.keep and (not given.cases or case.name in given.cases)
        if wanted:
            painted(case, folder)
            if stale(folder, key):
                run(case, folder, key)
        if (folder / "found.json").exists():
            one = shown(case, folder)
            draw(one, given.docs / "gallery" / f"{case.name}.png")
            rows.append(one)
    about = setting("python -m validation gallery --out FOLDER", [], "cpu")
    write_text(given.docs / "gallery.md", page(rows, about))


if __name__ == "__main__":
    main()
