"""How wrong are measured lumen radii at narrowings, and does the lumen network know it?

Run: python -m validation throats [--patients 12]

Held-out virtual patients with many stenoses; around each one a piece of the scan is painted,
by a usual scanner and by any that training knows, and the lumen is measured along the vessel's
true course plus a smooth error. Compared: radii within 13 mm of throats with the true ones, in
logarithms, by what the network says of its own error, and by how much the lumen is narrowed.
Lumens of less than 0.25 mm radius, which no scan shows, are left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from ffr.certainty.lumen_error import LumenError
from ffr.imaging.sharpness import Sharpness
from ffr.phantom.coronaries import Artery
from ffr.phantom.imaging import Imaging, imaged, paint
from ffr.phantom.painting import blood_hu_along
from ffr.phantom.patient import VirtualPatient, virtual_patient
from ffr.phantom.study import clinical_imaging
from ffr.segmentation.lumen import measure_lumen
from ffr.segmentation.samples import imaging_of
from ffr.segmentation.stacks import PSF_ERROR, PSF_Z_ERROR
from ffr.segmentation.weights import Network, load_network
from meshes.arrays import AnyArray, Floats, floats
from meshes.tree import CoronaryTree, VesselTree
from meshes.volume import Volume, axis_aligned_grid
from validation.setting import setting

FIRST_SEED = 1_000_600  # held out
BURDEN = 6.0
SPACING_MM = (0.4, 0.4, 0.5)
MARGIN_MM = 7.0
SPAN = 36  # points of 0.5 mm before and behind a throat
WITHIN = 26
NARROWED = 0.85
WANDER_MM = 0.3  # of the course, SD
LEAST_MM = 0.25
BESIDE_MM, FAR_MM = 0.8, 1.5  # found course from the true one; calcium from the lumen
TOLD = (0.0, 5.0, 10.0, 20.0, 40.0, 1e3)
REDUCED = (-1e3, 10.0, 20.0, 35.0, 50.0, 65.0, 1e3)


@dataclass(frozen=True, slots=True, eq=False)
class Radii:
    """Measured and true radii at some points, shape (k,) each.

    Parameters
    ----------
    found_mm, true_mm, healthy_mm
        Radius.
    told_mm
        Standard deviation by the network.
    calcium_mm
        Distance to the nearest calcium.
    """

    found_mm: Floats
    true_mm: Floats
    healthy_mm: Floats
    told_mm: Floats
    calcium_mm: Floats


def throats(artery: Artery) -> list[int]:
    """Return the points where a lumen is narrowest, none near another or an end."""
    ratio = artery.lumen_mm / artery.healthy_mm
    found: list[int] = []
    for i in range(12, len(ratio) - 12):
        lowest = ratio[max(0, i - 16) : i + 17].min()
        if ratio[i] < NARROWED and ratio[i] == lowest and all(abs(i - j) > 15 for j in found):
            found.append(i)
    return found


def measured(
    patient: VirtualPatient, artery: Artery, throat: int, imaging: Imaging, network: Network,
    rng: np.random.Generator,
) -> Radii:  # fmt: skip
    """Scan the surroundings of a throat and measure the lumen there."""
    part = slice(max(0, throat - SPAN), throat + SPAN + 1)
    centre, spacing = artery.centre_mm[part], np.array(SPACING_MM)
    low, high = centre.min(axis=0) - MARGIN_MM, centre.max(axis=0) + MARGIN_MM
    size = np.ceil((high - low) / spacing).astype(int)
    grid = axis_aligned_grid(tuple(size), SPACING_MM, tuple(np.round(low, 3)))
    hu, _ = paint(patient, grid, imaging)
    volume = Volume(grid, imaged(hu, grid, imaging, int(rng.integers(1 << 30))))
    wander = gaussian_filter1d(rng.normal(size=centre.shape), 6, axis=0, mode="nearest")
    course = centre + wander * WANDER_MM / wander.std()
    n = len(course)
    chain = VesselTree(course, np.full(n, 1.2), np.arange(-1, n - 1))
    level = blood_hu_along(patient.arteries, imaging)[artery.name][throat]
    blood = float(level) * rng.normal(1.0, 0.03)
    seen = Sharpness(
        imaging.psf_mm * float(np.exp(rng.normal(0, PSF_ERROR))),
        imaging.psf_z_mm * float(np.exp(rng.normal(0, PSF_Z_ERROR))),
        imaging.noise_hu,
        floats([0.0, 0.0, 1.0]),
    )
    found = measure_lumen(volume, chain, blood, seen, network)
    off, at = cKDTree(centre).query(found.tree.points_mm)
    here = np.abs(np.arange(n) + part.start - throat) <= WITHIN
    here &= (off < BESIDE_MM) & (artery.lumen_mm[part][at] >= LEAST_MM)
    deposits = [(c.start_mm + c.end_mm) / 2 for c in patient.calcium]
    near = cKDTree(np.concatenate(deposits)) if deposits else None
    calcium = np.full(n, np.inf)
    if near is not None:
        calcium = np.asarray(near.query(found.tree.points_mm)[0])
    return Radii(
        found.tree.radius_mm[here], artery.lumen_mm[part][at][here],
        artery.healthy_mm[part][at][here], found.radius_sd_mm[here], floats(calcium[here]),
    )  # fmt: skip


def law_percent(r: Radii) -> Floats:
    """Return the standard deviation that the interval of FFR is drawn with, shape (k,)."""
    n = r.found_mm.size
    points = np.column_stack([np.arange(n), np.zeros(n), np.zeros(n)])
    tree = VesselTree(floats(points), r.found_mm, np.arange(-1, n - 1))
    none = np.zeros(n, dtype=np.int64)
    return LumenError().own_percent(
        CoronaryTree(tree, "left", r.told_mm, r.healthy_mm, none, ("",), none)
    )


def table(r: Radii) -> list[str]:
    """Return errors by what the network told, and by the narrowing, as markdown."""
    error = 100.0 * np.log(r.found_mm / r.true_mm)
    told = 100.0 * r.told_mm / r.found_mm
    reduced = 100.0 * (1.0 - r.found_mm / r.healthy_mm)
    law = law_percent(r)
    lines = [
        "| points | n | log error: median | SD | 2.5 to 97.5 % | held by the SD told, % "
        "| by the law of the interval, % |",
        "|---|---|---|---|---|---|---|",
    ]

    def row(name: str, here: AnyArray) -> None:
        if here.sum() < 3:
            return
        x = error[here]
        low, high = np.quantile(x, [0.025, 0.975])
        held = [100.0 * np.mean(np.abs(x) < 1.96 * sd[here]) for sd in (told, law)]
        lines.append(
            f"| {name} | {here.sum()} | {np.median(x):+.0f} % | {x.std():.0f} % | "
            f"{low:+.0f} to {high:+.0f} % | {held[0]:.0f} | {held[1]:.0f} |"
        )

    row("all", np.ones(error.size, dtype=np.bool_))
    row(f"no calcium within {FAR_MM:g} mm", r.calcium_mm > FAR_MM)
    for name, values, bounds in (("told", told, TOLD), ("diameter −", reduced, REDUCED)):
        for low, high in pairwise(bounds):
            row(f"{name} {_range(low, high)} %", (values >= low) & (values < high))
    return lines


def _range(low: float, high: float) -> str:
    if low <= 0:
        return f"below {high:g}"
    return f"{low:g}-{high:g}" if high < 1e3 else f"from {low:g}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=12)
    given = parser.parse_args(arguments)
    network = load_network("lumen")
    found: list[Radii] = []
    for seed in range(FIRST_SEED, FIRST_SEED + given.patients):
        rng = np.random.default_rng([seed, 77])
        patient = virtual_patient(seed, BURDEN)
        for artery in patient.arteries:
            for throat in throats(artery):
                for imaging in (clinical_imaging(seed), imaging_of(seed)):
                    found.append(measured(patient, artery, throat, imaging, network, rng))
    print(setting("python -m validation throats", arguments, "cpu"))
    print(f"\n{len(found)} narrowings scanned.\n")
    print("\n".join(table(joined(found))))


def joined(parts: Sequence[Radii]) -> Radii:
    """Return all radii as one."""
    names = Radii.__slots__
    return Radii(*(floats(np.concatenate([getattr(p, n) for p in parts])) for n in names))


if __name__ == "__main__":
    main()
