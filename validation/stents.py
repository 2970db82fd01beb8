"""Are stents found, and is their width read well enough to tell 3 mm? On single vessels.

Run: python -m validation stents --vessels 28

Stents of 2.25 to 4 mm in LAD, LCx or RCA of virtual patients that training has not seen, every
fourth narrowed inside by 30 to 70 %; beside them vessels with long calcium and no stent. Each
is scanned in a grid of its own and read along its true course, traced 0.2 mm wrong. What
tracing makes of a stent, and a whole scan of its sharpness, is not looked at here.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ffr.imaging.sharpness import Sharpness
from ffr.phantom.coronaries import STEP_MM, Artery, LesionPlan
from ffr.phantom.devices import with_stent
from ffr.phantom.features import Features
from ffr.phantom.imaging import Imaging, scan
from ffr.phantom.patient import VirtualPatient, virtual_patient
from ffr.segmentation.lumen import measure_lumen
from ffr.segmentation.weights import Network, load_network
from ffr.tracing.stents import NARROW_STENT_MM, STENT_PROBABILITY, Stent, find_stents
from meshes.arrays import Floats, floats, ints
from meshes.tree import CoronaryTree, VesselTree
from meshes.volume import axis_aligned_grid
from validation.held_out import IMAGING
from validation.segmentation_calcium import calcium_arc_deg
from validation.setting import setting

FIRST_SEED = 1_000_900  # held out
DIAMETERS_MM = (2.25, 2.5, 2.75, 3.0, 3.25, 3.5, 4.0)
LENGTH_MM, BESIDE_MM = 16.0, 10.0
FITS_MM = 0.4  # a stent goes where the healthy vessel is about as wide
MAIN = ("LAD", "LCx", "RCA")
SPACING_MM = (0.4, 0.4, 0.5)
MARGIN_MM = 12.0
OFF_MM = 0.2  # how far a traced course lies off the axis, SD
KNOWN = (0.08, 0.12, 0.15)  # errors of blur in plane, along the table, and of noise
HEAVY_DEGREES, HEAVY_MM = 200.0, 6.0  # what a vessel must have to be asked for false alarms


@dataclass(frozen=True, slots=True)
class Trial:
    """One scan of one vessel.

    Parameters
    ----------
    seed, vessel, imaging
        Which.
    true_mm
        Diameter of the middle of the struts of its stent; None: it has calcium and no stent.
    found
        What was found.
    lumen_mm
        Median diameter of the measured lumen in the true stent.
    probability
        The network's median probability of a stent there, or where calcium is.
    """

    seed: int
    vessel: str
    imaging: str
    true_mm: float | None
    found: tuple[Stent, ...]
    lumen_mm: float
    probability: float


def stented(seed: int, diameter_mm: float) -> tuple[VirtualPatient, Artery, float] | None:
    """Return a patient with a stent, its vessel, and where it begins; None: no room."""
    rng = np.random.default_rng([seed, 62])
    patient = virtual_patient(seed, 0.0)
    places = []
    for artery in (a for a in patient.arteries if a.name in MAIN):
        s = np.arange(len(artery.healthy_mm)) * STEP_MM
        for start in np.arange(14.0, s[-1] - 40.0, 2.0):
            here = (s >= start) & (s <= start + LENGTH_MM)
            off = abs(2 * float(artery.healthy_mm[here].mean()) - diameter_mm)
            places.append((off + rng.uniform(0, 0.1), artery, float(start)))
    if not places:
        return None
    off, artery, start = min(places, key=lambda x: x[0])
    if off > FITS_MM:
        return None
    tissue = rng.uniform(30, 70) if rng.random() < 0.25 else rng.uniform(0, 15)
    wider, stent = with_stent(
        rng, artery, start, LENGTH_MM, float(tissue), diameter_mm=diameter_mm
    )
    arteries = tuple(wider if a.name == artery.name else a for a in patient.arteries)
    return replace(patient, arteries=arteries, features=Features((stent,))), wider, start


def calcified(seed: int) -> tuple[VirtualPatient, Artery, float] | None:
    """Return a patient with long calcium, the vessel that has most around it, and where."""
    plans = tuple(
        LesionPlan(name, at, long, grade, True)
        for name in MAIN
        for at, long, grade in ((22.0, 26.0, 35.0), (48.0, 20.0, 45.0))
    )
    patient = virtual_patient(seed, 0.0, plans=plans)
    best: tuple[float, Artery, float] | None = None
    for artery in (a for a in patient.arteries if a.name in MAIN):
        n = len(artery.centre_mm)
        alone = VesselTree(artery.centre_mm, artery.lumen_mm, ints(np.arange(n) - 1))
        heavy = np.flatnonzero(calcium_arc_deg(alone, patient.calcium) > HEAVY_DEGREES)
        length = heavy.size * STEP_MM
        if length >= HEAVY_MM and (best is None or length > best[0]):
            middle = float(np.median(heavy)) * STEP_MM
            best = (length, artery, max(4.0, middle - LENGTH_MM / 2))
    return None if best is None else (patient, best[1], best[2])


def read(
    patient: VirtualPatient, artery: Artery, start_mm: float, imaging: Imaging,
    network: Network,
) -> tuple[tuple[Stent, ...], float, float]:  # fmt: skip
    """Return the stents seen about a place, and lumen and probability there."""
    rng = np.random.default_rng([patient.seed, 61])
    s = np.arange(len(artery.centre_mm)) * STEP_MM
    near = (s >= start_mm - BESIDE_MM) & (s <= start_mm + LENGTH_MM + BESIDE_MM)
    line = artery.centre_mm[near]
    wrong = gaussian_filter1d(rng.normal(0, 1, line.shape), 6.0, axis=0)
    course, n = line + OFF_MM * wrong / wrong.std(), len(line)
    low, high = line.min(axis=0) - MARGIN_MM, line.max(axis=0) + MARGIN_MM
    i, j, k = (int(x) for x in np.ceil((high - low) / SPACING_MM))
    volume = scan(
        patient, axis_aligned_grid((i, j, k), SPACING_MM, tuple(low)), imaging, patient.seed
    )
    psf, psf_z, noise = (
        float(x * np.exp(rng.normal(0, e)))
        for x, e in zip(
            (imaging.psf_mm, imaging.psf_z_mm, imaging.noise_hu), KNOWN, strict=True
        )
    )
    seen = Sharpness(psf, psf_z, noise, floats([0.0, 0.0, 1.0]))
    blood = imaging.contrast_hu
    tree = VesselTree(floats(course), floats(np.full(n, 1.2)), ints(np.arange(n) - 1))
    lumen = measure_lumen(volume, tree, blood, seen, network)
    radius, zero = lumen.tree.radius_mm, ints(np.zeros(n))
    c = CoronaryTree(lumen.tree, "left", lumen.radius_sd_mm, radius, zero, (artery.name,), zero)
    inside = (s[near] > start_mm + 1) & (s[near] < start_mm + LENGTH_MM - 1)
    arc, stent = lumen.calcium_arc_deg, lumen.stent_probability
    found = find_stents(volume, c, arc, stent, seen, blood)
    return found, 2 * float(np.median(radius[inside])), float(np.median(stent[inside]))


def trials(number: int, network: Network) -> Iterator[Trial]:
    """Scan a stent and a calcified vessel, usual and randomised."""
    seed, diameter = FIRST_SEED + number, DIAMETERS_MM[number % len(DIAMETERS_MM)]
    for true, made in ((diameter, stented(seed, diameter)), (None, calcified(seed))):
        if made is None:
            continue
        for imaging, optics in IMAGING.items():
            vessel = made[1].name
            yield Trial(seed, vessel, imaging, true, *read(*made, optics(seed), network))


def table(rows: Sequence[Trial]) -> list[str]:
    """Return found stents by width as markdown."""
    lines = [
        "| scan, stent | found | width: found - true, mm | lumen - true, mm | "
        "on the right side of 3 mm: by struts, by lumen |",
        "|---|---|---|---|---|",
    ]
    for imaging in IMAGING:
        groups: list[tuple[str, tuple[float, float]]] = [
            (f"{d:g} mm", (d, d)) for d in DIAMETERS_MM
        ]
        for name, (low, high) in (*groups, ("all", (0.0, 9.0))):
            own = [x for x in rows if x.imaging == imaging and x.true_mm is not None
                   and low <= x.true_mm <= high]  # fmt: skip
            if own:
                lines.append(f"| {imaging}, {name} | {_row(own)} |")
    return lines


def _row(own: Sequence[Trial]) -> str:
    seen = [x for x in own if x.found]
    true = floats([x.true_mm or 0.0 for x in seen])
    width = floats([x.found[0].diameter_mm for x in seen])
    lumen = floats([x.lumen_mm for x in seen])
    narrow = true < NARROW_STENT_MM
    by_struts = sum((x.found[0].narrow) == n for x, n in zip(seen, narrow, strict=True))
    by_lumen = int(np.sum((lumen < NARROW_STENT_MM) == narrow))
    return (
        f"{len(seen)} of {len(own)} | {_spread(width - true)} | {_spread(lumen - true)} | "
        f"{by_struts}, {by_lumen} of {len(seen)}"
    )


def _spread(error: Floats) -> str:
    return f"{error.mean():+.2f} ± {error.std():.2f}" if error.size else "-"


def summary(rows: Sequence[Trial]) -> list[str]:
    """Return false alarms, and what the network alone says."""
    lines = []
    for imaging in IMAGING:
        own = [x for x in rows if x.imaging == imaging]
        bare = [x for x in own if x.true_mm is None]
        false = sum(bool(x.found) for x in bare)
        lines.append(f"- {imaging}: {false} false alarms in {len(bare)} calcified vessels.")
        for words, some in (("in stents", [x for x in own if x.true_mm]), ("in calcium", bare)):
            p = [x.probability for x in some]
            over = sum(x > STENT_PROBABILITY for x in p)
            middle = np.median(p) if p else float("nan")
            lines.append(
                f"- {imaging}: the network's probability {words}: median {middle:.2f}, over "
                f"{STENT_PROBABILITY:g} in {over} of {len(p)}."
            )
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--vessels", type=int, default=28)
    given = parser.parse_args(arguments)
    network = load_network("lumen")
    rows = [row for number in range(given.vessels) for row in trials(number, network)]
    print(setting("python -m validation stents", arguments, network.device) + "\n")
    print("\n".join([*table(rows), "", *summary(rows)]))


if __name__ == "__main__":
    main()
