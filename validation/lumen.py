"""How wide is the lumen really: the lumen network on vessel pieces that training never saw.

    python -m validation lumen --pieces 1000

Beside it plain half-maximum edges on the same sections: where a ray falls below the middle
between the blood's attenuation and the least it meets.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ffr.phantom.pieces import random_optics, random_piece
from ffr.segmentation.lumen import read_stack
from ffr.segmentation.samples import HELD_OUT_SEEDS
from ffr.segmentation.stacks import STEP_MM, Stack, lesson_of
from ffr.segmentation.weights import Network, load_network
from meshes.arrays import AnyArray, Floats, floats
from validation.setting import setting

USED = slice(2, -2)  # sections of a piece that have neighbours on both sides
NORMAL_90 = 1.645
HEAVY_DEGREES = 180.0
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
    """

    true_mm: Floats
    found_mm: Floats
    edge_mm: Floats
    sd_mm: Floats
    calcium_arc_deg: Floats
    stented: AnyArray
    psf_mm: Floats


def measured(network: Network, first: int, count: int) -> Measured:
    """Return the sections of `count` pieces from a seed on."""
    columns: list[list[AnyArray]] = [[] for _ in range(7)]
    for seed in range(first, first + count):
        rng = np.random.default_rng([seed, 41])
        piece, optics = random_piece(rng), random_optics(rng)
        one = lesson_of(rng, piece, optics)
        found = read_stack(Stack(one.image, np.zeros((0, 3))), network)
        blood = float(one.image[5, 0, 0, 0]) * 500.0
        values = (
            2.0 * _area_radius(one.lumen_mm),
            2.0 * _area_radius(found.lumen_mm),
            2.0 * _area_radius(half_maximum_mm(one.image[0] * blood, blood)),
            2.0 * found.sd_mm,
            one.calcium.any(axis=-1).mean(axis=-1) * 360.0,
            one.stented.astype(bool),
            np.full(len(one.lumen_mm), optics.psf_mm),
        )
        for column, value in zip(columns, values, strict=True):
            column.append(value[USED])
    return Measured(*(np.concatenate(column) for column in columns))


def half_maximum_mm(hu: AnyArray, blood_hu: float) -> Floats:
    """Return where each ray (..., samples) first falls below half height, mm."""
    low = np.minimum.accumulate(hu, axis=-1)[..., -1:]
    below = hu < 0.5 * (blood_hu + low)
    first = np.where(below.any(axis=-1), below.argmax(axis=-1), hu.shape[-1])
    return floats((first + 0.0) * STEP_MM)


def _area_radius(contour_mm: AnyArray) -> Floats:
    return floats(np.sqrt(np.mean(np.asarray(contour_mm, np.float64) ** 2, axis=-1)))


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m validation lumen", description=__doc__)
    parser.add_argument("--pieces", type=int, default=1000)
    parser.add_argument("--first-seed", type=int, default=HELD_OUT_SEEDS)
    given = parser.parse_args(arguments)
    network = load_network("lumen")
    print(setting("python -m validation lumen", arguments, network.device) + "\n")
    print("Diameter of the lumen, found - true:\n")
    print("\n".join(table(measured(network, given.first_seed, given.pieces))))


if __name__ == "__main__":
    main()
