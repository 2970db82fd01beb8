"""What is kept of one held-out patient, and when is a kept one still good?

A case is one small JSON file. Its name holds a hash of the code, the weights and the grid it
came from: a case of another state is not read, but made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from meshes.writing import write_text
from validation.agreement import Course

ROOT = Path(__file__).parent.parent
MEASURING = (
    "agreement", "held_out", "lumen", "segmentation_calcium", "segmentation_case",
    "segmentation_lesions", "segmentation_rivals", "segmentation_transfer",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Points:
    """Found centreline points on a true vessel, away from divisions; one entry each.

    Parameters
    ----------
    true_mm
        True lumen diameter.
    error_mm, edge_error_mm, mask_error_mm
        Diameter, found − true: ours, half-maximum edges, mask of the vessel network.
    sd_mm
        Standard deviation of ours, as reported.
    narrowed_percent
        How much the true lumen falls short of its healthy diameter.
    calcium_deg
        True arc of calcium around the lumen.
    """

    true_mm: tuple[float, ...] = ()
    error_mm: tuple[float, ...] = ()
    edge_error_mm: tuple[float, ...] = ()
    mask_error_mm: tuple[float, ...] = ()
    sd_mm: tuple[float, ...] = ()
    narrowed_percent: tuple[float, ...] = ()
    calcium_deg: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Stenosis:
    """A true stenosis and what is found there; None where the tree does not reach it.

    Parameters
    ----------
    vessel, throat_mm
        Name and place of the throat.
    calcium_deg, way_calcium_deg
        Largest true arc of calcium along it, and on the whole way from the ostium to the point
        where FFR is read: what lies upstream decides there, too.
    true_percent, minimal_mm
        True diameter stenosis and diameter at the throat.
    found_percent, edge_percent, mask_percent
        Diameter stenosis by our radii and by those of the rivals.
    reported_percent
        Of the lesion that is reported there, None where none is.
    true_ffr
        FFR 20 mm behind the lesion, exact tree and mass.
    lumen_ffr, edge_ffr, mask_ffr
        FFR at the same point of the exact tree with our radii (and the rivals') wherever the
        found tree goes: the same outlets, beds and mass. None where it misses the throat.
    tree_ffr, full_ffr
        FFR at the same place of the found tree with its own outlets: with the true mass, and
        with the mass that was measured.
    """

    vessel: str
    throat_mm: tuple[float, float, float]
    calcium_deg: float
    way_calcium_deg: float
    true_percent: float
    minimal_mm: float
    found_percent: float | None = None
    edge_percent: float | None = None
    mask_percent: float | None = None
    reported_percent: float | None = None
    true_ffr: float | None = None
    lumen_ffr: float | None = None
    edge_ffr: float | None = None
    mask_ffr: float | None = None
    tree_ffr: float | None = None
    full_ffr: float | None = None


@dataclass(frozen=True, slots=True)
class FalseLesion:
    """A reported stenosis where the exact tree has none; `on_vessel`: but a vessel."""

    vessel: str
    throat_mm: tuple[float, float, float]
    reported_percent: float
    on_vessel: bool


@dataclass(frozen=True, slots=True)
class Case:
    """One scan of one held-out patient: what came out, beside the truth.

    Parameters
    ----------
    seed, imaging
        Who, and "clinical" or "random".
    blur_mm, noise_hu
        True point spread in plane and noise.
    failure
        Why there is no result, "" when there is one.
    lacking
        What a complete result would have and this one has not; see `held_out.lacking`.
    flags
        Names of the warnings.
    dice
        Overlap by label of the heart map, and of coronary lumen and calcium.
    lv_mass_g, true_lv_mass_g
        Myocardial mass, measured and true.
    ostium_error_mm
        Distance of each tree's inlet from the true ostium, by side; None: not found.
    course, points, stenoses, false_lesions
        Centrelines, radii, stenoses.
    processor_s
        Processor time of the pipeline.
    """

    seed: int
    imaging: str
    blur_mm: float
    noise_hu: float
    failure: str = ""
    lacking: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    dice: tuple[tuple[str, float | None], ...] = ()
    lv_mass_g: float | None = None
    true_lv_mass_g: float | None = None
    ostium_error_mm: tuple[tuple[str, float | None], ...] = ()
    course: Course = field(default_factory=Course)
    points: Points = field(default_factory=Points)
    stenoses: tuple[Stenosis, ...] = ()
    false_lesions: tuple[FalseLesion, ...] = ()
    processor_s: float = 0.0


C = TypeVar("C")


def state(grid: Sequence[float], measuring: Sequence[str] | None = None) -> str:
    """Return a short hash of all that decides what a case says: code, weights, grid.

    `measuring` are the scripts that make the case; those of the segmentation table by default.
    """
    digest = hashlib.sha256(repr([float(x) for x in grid]).encode())
    own = [ROOT / "validation" / f"{name}.py" for name in measuring or MEASURING]
    floors = [p for f in ("meshes", "solvers", "ffr") for p in (ROOT / f).rglob("*")]
    for path in sorted([*own, *floors]):
        if path.suffix in (".py", ".safetensors"):
            digest.update(path.relative_to(ROOT).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def case_file(folder: Path, seed: int, imaging: str, state_hash: str) -> Path:
    """Return where a case is kept."""
    return folder / f"{seed}-{imaging}-{state_hash}.json"


def keep(path: Path, case: object) -> None:
    """Write a case of any kind, whole or not at all."""
    write_text(path, TypeAdapter(type(case)).dump_json(case).decode())


def kept(kind: type[C], folder: Path, state_hash: str) -> list[C]:
    """Return the kept cases of a kind and state, by seed; damaged files are left out."""
    cases, read = [], TypeAdapter(kind)
    for path in sorted(folder.glob(f"*-{state_hash}.json")):
        try:
            cases.append(read.validate_json(path.read_bytes()))
        except ValidationError:
            continue
    return cases


def save_case(folder: Path, case: Case, state_hash: str) -> None:
    """Write a scan of the segmentation table."""
    keep(case_file(folder, case.seed, case.imaging, state_hash), case)


def load_cases(folder: Path, state_hash: str) -> list[Case]:
    """Return the kept scans of the segmentation table, by seed."""
    return kept(Case, folder, state_hash)
