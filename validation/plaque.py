"""How wrong are plaque volumes, remodelling index and the fat around the arteries?

Run: python -m validation plaque [--patients 8]

Held-out virtual patients, scanned by a usual scanner and by any that training knows. The lumen
network measures lumen and outer wall along the true trees plus a smooth error of their course;
names, segments and healthy radii are the true ones: what is compared is the measurement, not
tracing and naming. True volumes: the sharp patient on a lattice of 0.25 mm, each voxel given to
the nearest point of the true centrelines; only the sections count in which a wall was measured.
"""

from __future__ import annotations

import argparse
import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from ffr.anatomy import Vessel
from ffr.imaging.sharpness import Sharpness
from ffr.phantom.imaging import Imaging, imaged, paint
from ffr.phantom.patient import VirtualPatient, virtual_patient
from ffr.phantom.study import clinical_imaging
from ffr.plaque.block import amounts
from ffr.plaque.fat import fat_around
from ffr.plaque.remodelling import lesion_points, remodelling_index, wall_seen
from ffr.plaque.wall import LOW_ATTENUATION_BELOW_HU, WallVolumes, wall_volumes
from ffr.segmentation.lumen import measure_lumen
from ffr.segmentation.samples import imaging_of
from ffr.segmentation.weights import Network, load_network
from ffr.tracing.scct import SEGMENT_NAMES
from meshes.arrays import AnyArray, Floats, floats, ints
from meshes.contours import Contours
from meshes.stenosis import analysed, find_lesions
from meshes.tree import CoronaryTree, VesselTree, segment_length_mm
from meshes.volume import Grid, Volume, axis_aligned_grid, ijk_to_points_mm
from validation.held_out import require_held_out
from validation.setting import setting

FIRST_SEED = 1_000_800  # held out
BURDEN = 4.0
SPACING_MM, FINE_MM = (0.4, 0.4, 0.5), 0.25
MARGIN_MM, NEAR_MM = 9.0, 4.5
CHUNK = 24  # points of 0.5 mm
WANDER_MM, WAVE_MM, WAVES = 0.2, 12.0, 8  # of the course: SD, wave length
GUESS_SD = 0.15  # of the radius before it is measured
SHORTEST_MM = 5.0  # of a segment or lesion that is compared
IMAGING = {"usual": clinical_imaging, "random": imaging_of}
CLASSES = (
    "vessel_mm3", "lumen_mm3", "plaque_mm3", "calcified_mm3", "non_calcified_mm3",
    "low_attenuation_mm3", "burden_percent",
)  # fmt: skip
FAT = "attenuation of RCA, LAD, LCx, HU"

Pairs = dict[tuple[str, str, str], list[tuple[float, float]]]


def wide_part(c: CoronaryTree) -> CoronaryTree:
    """Return the part of a true tree that is wide enough to be analysed."""
    kept = np.flatnonzero(analysed(c.tree, c.reference_radius_mm))
    number = np.full(len(c.tree) + 1, -1)
    number[kept] = np.arange(kept.size)
    tree = VesselTree(
        c.tree.points_mm[kept], c.tree.radius_mm[kept], ints(number[c.tree.parent[kept]])
    )
    return CoronaryTree(
        tree, c.side, c.radius_sd_mm[kept], c.reference_radius_mm[kept], c.branch[kept],
        c.names, c.segment[kept],
    )  # fmt: skip


def scanned(patient: VirtualPatient, imaging: Imaging, points_mm: Floats) -> Volume:
    """Scan the surroundings of some points."""
    low, high = points_mm.min(axis=0) - MARGIN_MM, points_mm.max(axis=0) + MARGIN_MM
    size = np.ceil((high - low) / np.array(SPACING_MM)).astype(int)
    grid = axis_aligned_grid(tuple(size), SPACING_MM, tuple(np.round(low, 3)))
    hu, _ = paint(patient, grid, imaging)
    return Volume(grid, imaged(hu, grid, imaging, patient.seed))


def with_true_walls(patient: VirtualPatient, c: CoronaryTree) -> tuple[CoronaryTree, Floats]:
    """Return the tree with round walls as wide as the true ones, and its wall's HU."""
    axis = np.concatenate([a.centre_mm for a in patient.arteries])
    at = np.asarray(cKDTree(axis).query(c.tree.points_mm)[1])
    outer = np.concatenate([a.outer_mm for a in patient.arteries])[at]
    hu = np.concatenate([a.plaque_hu for a in patient.arteries])[at]
    x, y = np.tile([1.0, 0, 0], (len(at), 1)), np.tile([0, 1.0, 0], (len(at), 1))
    lumen = Contours(np.repeat(c.tree.radius_mm[:, None], 8, axis=1), x, y)
    walls = Contours(np.repeat(np.maximum(outer, c.tree.radius_mm + 0.01)[:, None], 8, 1), x, y)
    return replace(c, contours=lumen, walls=walls), floats(hu)


def true_volumes(patient: VirtualPatient, c: CoronaryTree, wall_hu: Floats) -> WallVolumes:
    """Count the sharp patient's voxels around each point of the tree."""
    every = np.concatenate([a.centre_mm for a in patient.arteries])
    stray = every[cKDTree(c.tree.points_mm).query(every)[0] > 0.3]  # of vessels not compared
    known = cKDTree(np.concatenate([c.tree.points_mm, stray]))
    n, imaging = len(c.tree), replace(clinical_imaging(patient.seed), texture_hu=0.0)
    counts = np.zeros((3, n))
    for first in range(0, n, CHUNK):
        here = np.arange(first, min(first + CHUNK, n))
        for part in _near_parts(c.tree.points_mm, here):
            grid = _fine_grid(c.tree.points_mm[part])
            _, label = paint(patient, grid, imaging, vessel_labels=True)
            for k, kind in enumerate((Vessel.LUMEN, Vessel.PLAQUE, Vessel.CALCIUM)):
                kji = np.argwhere(label == kind)
                nearest = np.asarray(known.query(ijk_to_points_mm(grid, kji[:, ::-1]))[1])
                counts[k] += np.bincount(
                    nearest[np.isin(nearest, part)], minlength=n + len(stray)
                )[:n]
    lumen, soft, hard = counts * FINE_MM**3
    low = np.where(wall_hu < LOW_ATTENUATION_BELOW_HU, soft, 0.0)
    length = segment_length_mm(c.tree)
    columns = (length, lumen + soft + hard, lumen, hard, soft, low)
    return WallVolumes(*(floats(x) for x in columns))


def _near_parts(points_mm: Floats, here: AnyArray) -> list[AnyArray]:
    """Split points where one is far from the next: another branch begins there."""
    step = np.linalg.norm(np.diff(points_mm[here], axis=0), axis=1)
    return list(np.split(here, np.flatnonzero(step > 2.0) + 1))


def _fine_grid(points_mm: Floats) -> Grid:
    low, high = points_mm.min(axis=0) - NEAR_MM, points_mm.max(axis=0) + NEAR_MM
    size = np.ceil((high - low) / FINE_MM).astype(int)
    return axis_aligned_grid(tuple(size), FINE_MM, tuple(low))


def measured(
    volume: Volume, c: CoronaryTree, imaging: Imaging, network: Network,
    rng: np.random.Generator,
) -> CoronaryTree:  # fmt: skip
    """Measure lumen and outer wall along a course that is a little wrong."""
    waves = rng.normal(size=(WAVES, 3)) * 2 * np.pi / WAVE_MM / np.sqrt(3.0)
    phase = rng.uniform(0, 2 * np.pi, WAVES)
    shape = np.sin(c.tree.points_mm @ waves.T + phase)
    off = shape @ rng.normal(size=(WAVES, 3)) * WANDER_MM / np.sqrt(WAVES / 2)
    guess = c.tree.radius_mm * np.exp(rng.normal(0, GUESS_SD, len(c.tree)))
    course = VesselTree(c.tree.points_mm + off, np.maximum(guess, 0.2), c.tree.parent)
    seen = Sharpness(
        imaging.psf_mm, imaging.psf_z_mm, imaging.noise_hu, floats([0.0, 0.0, 1.0])
    )
    found = measure_lumen(volume, course, imaging.contrast_hu, seen, network)
    return replace(
        c, tree=found.tree, radius_sd_mm=found.radius_sd_mm, contours=found.contours,
        walls=found.walls,
    )  # fmt: skip


def add_patient(pairs: Pairs, seed: int, network: Network) -> None:
    """Put true and found values of one patient, both scanners, into `pairs`."""
    require_held_out(seed)
    patient = virtual_patient(seed, BURDEN)
    parts = [wide_part(c) for c in (patient.left, patient.right)]
    known = [with_true_walls(patient, c) for c in parts]
    truths = [true_volumes(patient, c, hu) for c, hu in known]
    everywhere = np.concatenate([c.tree.points_mm for c in parts])
    for name, of in IMAGING.items():
        imaging, rng = of(seed), np.random.default_rng([seed, 78])
        volume = scanned(patient, imaging, floats(everywhere))
        found = [measured(volume, c, imaging, network, rng) for c in parts]
        for (exact, _), true, c in zip(known, truths, found, strict=True):
            _compare(pairs, name, exact, true, c, wall_volumes(volume, c))
        all_of = [np.ones(len(c.tree), dtype=bool) for c in found]
        for x in fat_around(volume, found, all_of):
            if x.attenuation_hu is not None:
                painted = dict(imaging.tissue_hu)["fat"]
                pairs[name, "fat", FAT].append((painted, x.attenuation_hu))


def _compare(
    pairs: Pairs, name: str, exact: CoronaryTree, true: WallVolumes, c: CoronaryTree,
    found: WallVolumes,
) -> None:  # fmt: skip
    seen = wall_seen(c)

    def add(kind: str, points: AnyArray, label: str = "") -> None:
        a, b = amounts(true, points), amounts(found, points)
        if b["length_mm"] < SHORTEST_MM:
            return
        for field in CLASSES:
            pairs[name, kind, field].append((a[field], b[field]))
        if label:
            pairs[name, label, "plaque_mm3"].append((a["plaque_mm3"], b["plaque_mm3"]))

    for number in sorted(set(c.segment.tolist()) - {0}):
        points = np.flatnonzero(seen & (c.segment == number))
        add("segment", points, SEGMENT_NAMES[number])
    lesions = find_lesions(exact.tree, exact.reference_radius_mm)
    for x in lesions:
        points = lesion_points(exact, x)
        add("lesion", points[seen[points]])
        both = [remodelling_index(y, x, lesions) for y in (exact, c)]
        if both[0] is not None and both[1] is not None:
            pairs[name, "lesion", "remodelling index"].append((both[0], both[1]))


def icc(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the intraclass correlation of absolute agreement, ICC(A,1) (McGraw 1996)."""
    x = np.array(pairs)
    n, k = x.shape
    grand = x.mean()
    rows = k * np.sum((x.mean(axis=1) - grand) ** 2) / (n - 1)
    columns = n * np.sum((x.mean(axis=0) - grand) ** 2) / (k - 1)
    rest = x - x.mean(axis=1, keepdims=True) - x.mean(axis=0) + grand
    error = np.sum(rest**2) / ((n - 1) * (k - 1))
    below = rows + (k - 1) * error + k / n * (columns - error)
    return float((rows - error) / below) if below > 0 else float("nan")


def table(pairs: Pairs) -> list[str]:
    """Return bias, spread and agreement as markdown."""
    lines = [
        "| scanner | of each | what | n | true mean | found − true | SD | ICC | r |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (scanner, kind, field), values in sorted(pairs.items(), key=_order):
        x = np.array(values)
        if len(x) < 3:
            continue
        error = x[:, 1] - x[:, 0]
        moving = np.ptp(x, axis=0).min() > 0
        r = f"{np.corrcoef(x.T)[0, 1]:.2f}" if moving else "–"
        d = 2 if "index" in field else 1
        lines.append(
            f"| {scanner} | {kind} | {_said(field)} | {len(x)} | {x[:, 0].mean():.{d}f} | "
            f"{error.mean():+.{d}f} | {error.std(ddof=1):.{d}f} | {icc(values):.2f} | {r} |"
        )
    return lines


def _order(item: tuple[tuple[str, str, str], list[tuple[float, float]]]) -> tuple[int, ...]:
    scanner, kind, field = item[0]
    kinds = ["segment", "lesion", *SEGMENT_NAMES.values(), "fat"]
    fields = [*CLASSES, "remodelling index"]
    return (
        kinds.index(kind) >= 2 and kind != "fat", list(IMAGING).index(scanner),
        kinds.index(kind), fields.index(field) if field in fields else 0,
    )  # fmt: skip


def _said(field: str) -> str:
    if field.endswith("_mm3"):
        return f"{field[:-4].replace('_', ' ').replace('non ', 'non-')}, mm³"
    if field == "burden_percent":
        return "burden, %"
    return field


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--patients", type=int, default=8)
    given = parser.parse_args(arguments)
    network, pairs = (
        load_network("lumen"),
        defaultdict[tuple[str, str, str], list[tuple[float, float]]](list),
    )
    for seed in itertools.islice(itertools.count(FIRST_SEED), given.patients):
        add_patient(pairs, seed, network)
    print(setting("python -m validation plaque", arguments, "cpu"))
    print(f"\n{given.patients} patients, each scanned twice.\n")
    print("\n".join(table(pairs)))


if __name__ == "__main__":
    main()
