"""Do virtual patients look like published ones: stents, noise, attenuation, diameters?

Run: python -m validation phantom [--patients 40] [--pictures docs/img]

Prints tables beside published numbers (docs/phantom.md), and draws pictures of hard cases.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ffr.phantom.artefacts import shaped_noise
from ffr.phantom.blur import blurred
from ffr.phantom.coronaries import Artery
from ffr.phantom.devices import with_stent
from ffr.phantom.fine_kernels import LUMEN, WALL
from ffr.phantom.imaging import FWHM_PER_SD, random_imaging
from ffr.phantom.painting import Canvas, Cones, chains
from ffr.phantom.patient import VirtualPatient, virtual_patient
from meshes.arrays import Floats, floats, ints
from meshes.tree import child_count, outlets, path_length_mm, path_to, segment_length_mm
from meshes.volume import axis_aligned_grid
from validation.setting import setting

FIRST_SEED = 1_000_700  # held out
SPACING_MM = (0.4, 0.4, 0.5)
# ASOCA normal centrelines (n = 20), mean and SD of diameter by way from the ostium
ASOCA_MM = {
    "right": {10: (3.53, 0.51), 20: (3.51, 0.58), 40: (3.26, 0.68), 60: (3.07, 0.70),
              80: (2.68, 0.67), 100: (2.49, 0.73)},
    "left": {10: (3.75, 0.46), 20: (3.44, 0.53), 40: (3.15, 0.55), 60: (2.49, 0.57),
             80: (2.06, 0.47), 100: (1.83, 0.47)},
}  # fmt: skip
TISSUES = {  # range in HU by the segmentation reference, section 6
    "aorta": (200, 750), "lv": (300, 500), "rv": (50, 400), "vein": (50, 250),
    "myocardium": (80, 140), "fat": (-120, -40), "lung": (-900, -800), "svc": (200, 2000),
}  # fmt: skip


def visible_lumen(
    rng: np.random.Generator, diameter_mm: float = 3.0, fwhm_mm: float = 0.65
) -> tuple[float, float]:
    """Return the share of a stent's diameter that looks open, and the struts' peak in HU.

    A clear stent in a straight oblique vessel; the mean profile across it; the lumen ends
    half way between blood and peak, as it is read in phantom studies.
    """
    s = np.arange(0, 30.01, 0.5)
    way = rng.normal(size=3)
    way /= np.linalg.norm(way)
    axis, radius = (s - 15)[:, None] * way, np.full(s.size, diameter_mm / 2)
    plain = Artery(
        "LAD", "", 0, floats(axis), floats(radius), floats(radius), floats(axis),
        floats(radius + 0.4), floats(np.full(s.size, 60.0)),
    )  # fmt: skip
    artery, stent = with_stent(rng, plain, 6.0, 18.0, 0.0, diameter_mm)
    size = np.ceil(18.0 / np.array(SPACING_MM)).astype(int) | 1
    origin = -0.5 * (size - 1) * SPACING_MM
    canvas = Canvas(axis_aligned_grid(tuple(size), SPACING_MM, tuple(origin)), -90.0)
    wall = chains([(artery.axis_mm, artery.outer_mm, artery.plaque_hu)])
    lumen = chains([(artery.centre_mm, artery.lumen_mm, 400.0)])
    start, end, wide, bright = (np.concatenate([wall[c], lumen[c]]) for c in range(4))
    cones = Cones(start, end, wide, bright, ints(np.concatenate([wall.chain, lumen.chain + 1])))
    layer = ints(np.repeat([WALL, LUMEN], [len(wall.chain), len(lumen.chain)]))
    canvas.layers(cones, layer, np.zeros((1, 1, 1), np.float32), ints([-9] * 3), (-1, -1, -1))
    canvas.wires(stent.wire_start_mm, stent.wire_end_mm, stent.strut_mm / 2, stent.value_hu)
    hu = blurred(canvas.hu, fwhm_mm / FWHM_PER_SD / np.array(SPACING_MM[::-1]))
    k, j, i = np.indices(hu.shape)
    points = np.stack([i, j, k], axis=-1) * SPACING_MM + origin
    along = points @ way
    off = np.linalg.norm(points - along[..., None] * way, axis=-1)
    here = (np.abs(along) < 6) & (off < 3.5)
    edges = np.arange(0, 3.5, 0.1)
    number = np.digitize(off[here], edges)
    filled = np.unique(number)
    at = np.array([off[here][number == n].mean() for n in filled])
    profile = np.array([np.minimum(hu[here][number == n], 3071).mean() for n in filled])
    peak = int(np.argmax(np.where(at > 0.5, profile, -np.inf)))
    half = 0.5 * (profile[:3].mean() + profile[peak])
    last = int(np.flatnonzero(profile[: peak + 1] < half)[-1])
    edge = np.interp(half, profile[last : last + 2], at[last : last + 2])
    return float(2 * edge / diameter_mm), float(profile[peak])


def noise_spectrum(peak_per_mm: float, rng: np.random.Generator) -> tuple[float, float]:
    """Return the frequency where drawn noise is strongest (1/mm), and its part at 0.03."""
    noise = shaped_noise(rng, (32, 256, 256), np.array([0.5, 0.4, 0.4]), peak_per_mm, 0.35)
    power = (np.abs(np.fft.fft2(noise, axes=(1, 2))) ** 2).mean(axis=0)
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(256, 0.4), np.fft.fftfreq(256, 0.4)))
    edges = np.arange(0.02, 1.2, 0.02)
    number = np.digitize(f, edges)
    nps = np.array([power[number == n].mean() for n in range(1, len(edges))])
    smooth = np.convolve(nps, np.hanning(9) / np.hanning(9).sum(), "same")
    return float(edges[np.argmax(smooth)] + 0.01), float(nps[0] / smooth.max())


def attenuation() -> list[str]:
    """Return the drawn attenuation of tissues beside published ranges, as markdown."""
    drawn = [dict(random_imaging(np.random.default_rng([3, s])).tissue_hu) for s in range(400)]
    lines = ["| tissue | drawn: median (5 to 95 %), HU | published |", "|---|---|---|"]
    for name, (low, high) in TISSUES.items():
        q = np.quantile([d[name] for d in drawn], [0.5, 0.05, 0.95])
        lines.append(f"| {name} | {q[0]:.0f} ({q[1]:.0f} to {q[2]:.0f}) | {low} to {high} |")
    return lines


def diameters(patients: Sequence[VirtualPatient]) -> list[str]:
    """Return diameters by way from the ostium and lengths beside ASOCA's, as markdown."""
    lines = [
        "| side | way, mm | diameter, mm: mean ± SD | ASOCA, n = 20 |",
        "|---|---|---|---|",
    ]
    for side, table in ASOCA_MM.items():
        for way, (mean, sd) in table.items():
            found = [d for p in patients if (d := _diameter(p, side, way)) is not None]
            lines.append(
                f"| {side} | {way} | {np.mean(found):.2f} ± {np.std(found):.2f} "
                f"| {mean:.2f} ± {sd:.2f} |"
            )
    total = [sum(segment_length_mm(t.tree).sum() for t in (p.left, p.right)) for p in patients]
    lines.append(f"| both | total length | {np.mean(total):.0f} ± {np.std(total):.0f} | "
                 "582 ± 109 |")  # fmt: skip
    law = np.concatenate([_bifurcations(p) for p in patients])
    lines.append(
        f"| both | ΣD^(7/3) / mother's | {law.mean():.2f} ± {law.std():.2f} | 0.95 ± 0.36 |"
    )
    return lines


def _diameter(patient: VirtualPatient, side: str, way_mm: float) -> float | None:
    """Healthy diameter on the longest path of a side."""
    tree = getattr(patient, side)
    s = path_length_mm(tree.tree)
    ends = outlets(tree.tree)
    path = path_to(tree.tree, int(max(ends, key=lambda end: float(s[end]))))
    if s[path[-1]] < way_mm:
        return None
    return float(2 * np.interp(way_mm, s[path], tree.reference_radius_mm[path]))


def _bifurcations(patient: VirtualPatient) -> Floats:
    ratios = []
    for c in (patient.left, patient.right):
        radius = c.reference_radius_mm
        for i in np.flatnonzero(child_count(c.tree) == 2):
            daughters = np.flatnonzero(c.tree.parent == i)
            mother = radius[max(0, int(i) - 8)]
            far = [min(int(d) + 8, len(radius) - 1) for d in daughters]
            if radius[far].min() > 0.5:
                ratios.append((radius[far] ** (7 / 3)).sum() / mother ** (7 / 3))
    return floats(ratios)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables and draw the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--pictures", type=Path, help="folder for pictures; none if not given")
    given = parser.parse_args(arguments)
    print(setting("python -m validation phantom", arguments, "cpu"))
    rng = np.random.default_rng(1)
    seen = np.array([visible_lumen(rng) for _ in range(20)])
    low, middle, high = 100 * np.quantile(seen[:, 0], [0.05, 0.5, 0.95])
    print(
        f"\n3 mm stents at 0.65 mm: {middle:.0f} % of the diameter visible ({low:.0f} to "
        f"{high:.0f}, 20 stents), struts {np.median(seen[:, 1]):.0f} HU; published 50-75 %.\n"
    )
    for peak in (0.2, 0.35, 0.5):
        at, start = noise_spectrum(peak, rng)
        print(f"noise of peak {peak} /mm: strongest at {at:.2f} /mm, {start:.2f} of it at 0.03")
    print("\n" + "\n".join(attenuation()) + "\n")
    patients = [virtual_patient(FIRST_SEED + n, 0.0) for n in range(given.patients)]
    print("\n".join(diameters(patients)))
    if given.pictures is not None:
        from validation.phantom_pictures import draw

        draw(given.pictures)


if __name__ == "__main__":
    main()
