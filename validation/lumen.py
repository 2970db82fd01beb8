"""How wide is the lumen really: the lumen network on vessel pieces that training never saw.

    python -m validation lumen --pieces 1000
    python -m validation lumen --pieces 100 --projection

The second prints the same for the same pieces under a second imaging model, written apart
from the one that trained the network: projections, photons, filtered back-projection; blur
and noise measured as the pipeline measures them. Then it says where the gap comes from.

Beside the network plain half-maximum edges on the same sections: where a ray falls below the
middle between the blood's attenuation and the least it meets.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from ffr.phantom.pieces import Optics, random_optics, random_piece
from ffr.segmentation.reading import read_stack
from ffr.segmentation.samples import HELD_OUT_SEEDS
from ffr.segmentation.stacks import STEP_MM, Lesson, Stack, lesson_of
from ffr.segmentation.weights import Network, load_network
from meshes.arrays import AnyArray, Floats, floats
from validation.projection_lessons import Projected, projected
from validation.setting import setting

USED = slice(2, -2)  # sections of a piece that have neighbours on both sides
NORMAL_90 = 1.645
HEAVY_DEGREES = 180.0
MUSCLE_HU = 30.0  # no fat is brighter, no muscle darker
WIDTHS_MM = ((0.5, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 6.0))


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Sections of many pieces, one entry each.

    Parameters
    ----------
    true_mm, found_mm, edge_mm
        Lumen diameter: true, by the network, by half-maximum edges.
    sd_mm
        Standard deviation of the found diameter.
    calcium_arc_deg
        True arc of calcium.
    stented
        Whether in a stent.
    psf_mm
        Width of the point spread in plane.
    oval_percent
        By how much the longest true diameter exceeds the shortest.
    around_hu
        Attenuation of what the vessel lies in.
    """

    true_mm: Floats
    found_mm: Floats
    edge_mm: Floats
    sd_mm: Floats
    calcium_arc_deg: Floats
    stented: AnyArray
    psf_mm: Floats
    oval_percent: Floats
    around_hu: Floats


def measured(network: Network, lesson: Lesson, psf_mm: float, around_hu: float) -> Measured:
    """Return the sections of one piece."""
    found = read_stack(Stack(lesson.image, np.zeros((0, 3))), network)
    values = (
        2.0 * _area_radius(lesson.lumen_mm),
        2.0 * _area_radius(found.lumen_mm),
        2.0 * _area_radius(half_maximum_mm(lesson.rays.hu, float(lesson.told.blood_hu))),
        2.0 * found.sd_mm,
        lesson.calcium.any(axis=-1).mean(axis=-1) * 360.0,
        lesson.stented.astype(bool),
        np.full(len(lesson.lumen_mm), psf_mm),
        _oval_percent(lesson.lumen_mm),
        np.full(len(lesson.lumen_mm), around_hu),
    )
    return Measured(*(value[USED] for value in values))


def joined(parts: Sequence[Measured]) -> Measured:
    """Return the sections of several pieces as one."""
    names = [f.name for f in fields(Measured)]
    return Measured(*(np.concatenate([getattr(m, name) for m in parts]) for name in names))


def painted(network: Network, seed: int) -> Measured:
    """Return the sections of a seed's piece under the imaging model that trained."""
    rng = np.random.default_rng([seed, 41])
    piece, optics = random_piece(rng), random_optics(rng)
    return measured(network, lesson_of(rng, piece, optics), optics.psf_mm, piece.around_hu)


def painted_alike(network: Network, seed: int, second: Projected) -> Measured:
    """Return the same under that model, but blur, noise and voxels of the second one."""
    rng = np.random.default_rng([seed, 41])
    scanner = second.scanner
    optics = Optics(
        psf_mm=second.psf_mm, psf_z_mm=scanner.thickness_mm, overshoot_percent=0.0,
        voxel_mm=scanner.voxel_mm, voxel_z_mm=scanner.increment_mm,
        noise_hu=second.seen.noise_hu, grain_mm=0.3,
    )  # fmt: skip
    piece = random_piece(rng)
    return measured(network, lesson_of(rng, piece, optics), optics.psf_mm, piece.around_hu)


def half_maximum_mm(hu: AnyArray, blood_hu: float) -> Floats:
    """Return where each ray (..., samples) first falls below half height, mm."""
    low = np.minimum.accumulate(hu, axis=-1)[..., -1:]
    below = hu < 0.5 * (blood_hu + low)
    first = np.where(below.any(axis=-1), below.argmax(axis=-1), hu.shape[-1])
    return floats((first + 0.0) * STEP_MM)


def _area_radius(contour_mm: AnyArray) -> Floats:
    return floats(np.sqrt(np.mean(np.asarray(contour_mm, np.float64) ** 2, axis=-1)))


def _oval_percent(contour_mm: AnyArray) -> Floats:
    across = np.asarray(contour_mm) + np.roll(contour_mm, contour_mm.shape[-1] // 2, axis=-1)
    return floats(100.0 * (across.max(axis=-1) / across.min(axis=-1) - 1.0))


def groups(m: Measured) -> dict[str, AnyArray]:
    """Return name -> which sections."""
    free = (m.calcium_arc_deg == 0) & ~m.stented
    light = (m.calcium_arc_deg > 0) & (m.calcium_arc_deg <= HEAVY_DEGREES) & ~m.stented
    heavy = (m.calcium_arc_deg > HEAVY_DEGREES) & ~m.stented
    found = {
        f"no calcium, {low:g}-{high:g} mm": free & (m.true_mm >= low) & (m.true_mm < high)
        for low, high in WIDTHS_MM
    }
    middle = (m.true_mm >= 1.0) & (m.true_mm < 3.0)
    found["no calcium, 1-3 mm"] = free & middle
    for low, high in ((0.45, 0.7), (0.7, 1.0), (1.0, 1.5)):
        name = f"no calcium, 1-3 mm, blur {low:g}-{high:g} mm"
        found[name] = free & middle & (m.psf_mm >= low) & (m.psf_mm < high)
    for low, high in ((1.0, 1.2), (1.2, 1.4), (1.4, 9.0)):
        name = f"no calcium, 1-3 mm, long to short {low:g}-{high:g}"
        found[name.replace("-9", " and more")] = (
            free & middle & (m.oval_percent >= low) & (m.oval_percent < high)
        )
    found["no calcium, 1-3 mm, in muscle"] = free & middle & (m.around_hu > MUSCLE_HU)
    found["calcium to 180 degrees, 1-3 mm"] = light & middle
    found["calcium over 180 degrees, 1-3 mm"] = heavy & middle
    found["stent, from 2 mm"] = m.stented & (m.true_mm >= 2.0)
    return found


def table(m: Measured) -> list[str]:
    """Return the rows of a markdown table."""
    lines = [
        "| lumen | sections | bias, mm | SD, mm | in own 90 %, % | half-maximum: bias, SD |",
        "|---|---|---|---|---|---|",
    ]
    for name, here in groups(m).items():
        if not here.any():
            continue
        error, edge = (x[here] - m.true_mm[here] for x in (m.found_mm, m.edge_mm))
        held = 100.0 * np.mean(np.abs(error) <= NORMAL_90 * m.sd_mm[here])
        lines.append(
            f"| {name} | {here.sum()} | {error.mean():+.3f} | {error.std():.3f} | {held:.0f} | "
            f"{edge.mean():+.3f}, {edge.std():.3f} |"
        )
    return lines


def summary(variants: Mapping[str, Sequence[Measured]]) -> list[str]:
    """Return a markdown table, one row for each way of imaging, of lumens of 1-3 mm."""
    lines = [
        "| lumens of 1-3 mm, no calcium | sections | bias, mm | SD, mm | in own 90 %, % | "
        "half-maximum: bias, SD |",
        "|---|---|---|---|---|---|",
    ]
    for name, parts in variants.items():
        if parts:
            row = [x for x in table(joined(parts)) if x.startswith("| no calcium, 1-3 mm |")]
            lines += [x.replace("no calcium, 1-3 mm", name) for x in row]
    return lines


def second_model(
    network: Network, seeds: Sequence[int], first: Sequence[Measured]
) -> list[str]:
    """Return the lines about the second imaging model, beside what the first one gave."""
    alike, second, told = [], [], []
    moves, ratio, noise = [], [], []
    for seed in seeds:
        one = projected(seed)
        alike.append(painted_alike(network, seed, one))
        around = random_piece(np.random.default_rng([seed, 41])).around_hu
        second.append(measured(network, one.lesson, one.psf_mm, around))
        told.append(measured(network, one.told, one.psf_mm, around))
        moves.append(any(one.scanner.shift_mm))
        in_plane = one.seen.psf_mm / one.psf_mm
        ratio.append((in_plane, one.seen.psf_z_mm / one.scanner.thickness_mm))
        noise.append(one.seen.noise_hu)
    shown = {
        "first model": first,
        "first model, blur, noise and voxels of the second": alike,
        "second model": second,
        "second model, true blur told": told,
        "second model, still": [
            m for m, moving in zip(second, moves, strict=True) if not moving
        ],
        "second model, moving": [m for m, moving in zip(second, moves, strict=True) if moving],
    }
    lines = ["Second imaging model:", "", *table(joined(second)), ""]
    lines += ["Where the gap comes from:", "", *summary(shown), ""]
    low, middle, high = np.quantile(ratio, [0.1, 0.5, 0.9], axis=0)
    for axis, name in enumerate(("in plane (a wire)", "across slices (their thickness)")):
        lines.append(
            f"Measured by true blur {name}: median {middle[axis]:.2f}, "
            f"80 % within {low[axis]:.2f}-{high[axis]:.2f}."
        )
    lines.append(f"Noise: median {np.median(noise):.0f}, {min(noise):.0f}-{max(noise):.0f} HU.")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m validation lumen", description=__doc__)
    parser.add_argument("--pieces", type=int, default=1000)
    parser.add_argument("--first-seed", type=int, default=HELD_OUT_SEEDS)
    parser.add_argument("--projection", action="store_true", help="second imaging model too")
    given = parser.parse_args(arguments)
    network = load_network("lumen")
    print(setting("python -m validation lumen", arguments, network.device) + "\n")
    print("Diameter of the lumen, found - true:\n")
    seeds = range(given.first_seed, given.first_seed + given.pieces)
    first = [painted(network, seed) for seed in seeds]
    print("\n".join(table(joined(first))), flush=True)
    if given.projection:
        print("\n" + "\n".join(second_model(network, seeds, first)))


if __name__ == "__main__":
    main()
