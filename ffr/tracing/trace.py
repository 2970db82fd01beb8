"""From a scan and its vessel map to connected centrelines, one tree per ostium."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ffr.errors import StudyError
from ffr.flags import Flag, Place
from ffr.segmentation.maps import HeartMap, VesselMap
from ffr.tracing.aortic_root import aortic_root
from ffr.tracing.bridging import bridges
from ffr.tracing.growing import grow_all, joined, tip
from ffr.tracing.missed_lumen import missed_lumen
from ffr.tracing.ostia import Ostium, find_ostia
from ffr.tracing.paths import Ground, ground, reach
from ffr.tracing.plausible import plausible
from ffr.tracing.too_dense import too_dense
from meshes.arrays import AnyArray
from meshes.tree import VesselTree
from meshes.volume import Grid, Volume, ijk_to_points_mm

SURE = 0.5  # probability above which a voxel counts as vessel
IN_SERIES = 4  # gaps in one vessel that are bridged


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """Raw trees, inlet first; the radius is only a first guess from the vessel map.

    Parameters
    ----------
    left, right
        Trees, None where no ostium was found.
    flags
        Bridged gaps, missing ostia, one in the other's sinus.
    """

    left: VesselTree | None
    right: VesselTree | None
    flags: tuple[Flag, ...]


def trace(scan: Volume, heart: HeartMap, vessels: VesselMap) -> Traced:
    """Find both coronary trees in the vessel maps.

    Parameters
    ----------
    scan
        HU; it says where the aorta ends.
    heart, vessels
        What the networks found.

    Raises
    ------
    StudyError
        "coronary-origins-missing": no vessel leaves the aortic root.
    """
    grid = vessels.vessel_probability.grid
    spacing = float(grid.spacing_mm[0])
    probability = vessels.vessel_probability.values.astype(np.float32) / 255
    dense = too_dense(scan, grid, heart.blood_hu)
    probability[dense] = 0.0
    root = aortic_root(scan, heart, grid, dense)
    sure = probability > SURE
    sure[root.box] &= ~root.lumen
    sure = plausible(scan, heart.blood_hu, sure, root, grid)
    missed = missed_lumen(scan, heart.blood_hu, sure, vessels.labels.values, grid)
    probability[missed] = 1.0
    over = ground(probability, sure | missed, root, spacing)
    ostia = find_ostia(over, root, grid)
    if not ostia:
        message = (
            "no coronary artery was found leaving the aortic root; check that the scan is a "
            "coronary CTA that covers the root"
        )
        raise StudyError("coronary-origins-missing", message)
    return _grown(scan, heart.blood_hu, over, ostia, grid)


def _grown(
    scan: Volume, blood_hu: float, over: Ground, ostia: dict[str, Ostium], grid: Grid
) -> Traced:
    """Grow a tree from each ostium; a voxel belongs to the one that reaches it cheapest.

    The two trees share nothing: where they meet at the crux each ends at its own side.
    """
    seeds = np.concatenate([ostia[side].seeds for side in sorted(ostia)])
    links = np.zeros(0, dtype=np.int64)
    for _ in range(1 + IN_SERIES):
        reached = reach(over, seeds, links, grid)
        grown = {side: grow_all(reached, ostia[side].mouths) for side in ostia}
        known = np.zeros(over.sure.shape, dtype=bool)
        np.put(known, reached.voxels, True)
        ends = [tip(reached, path) for paths, _ in grown.values() for path in paths]
        more = bridges(scan, blood_hu, over.sure, known, ends, grid)
        if np.isin(more, links).all():
            break
        links = np.union1d(links, more)
    trees: dict[str, VesselTree] = {}
    flags: list[Flag] = []
    for side in ("left", "right"):
        paths, bridged = grown.get(side, ([], []))
        if not paths:
            why = "ends at its ostium" if side in ostia else "was not found"
            message = f"the {side} coronary artery {why}"
            flags.append(Flag(f"{side}-coronary-missing", message, Place(side)))
            continue
        trees[side] = joined(paths, ostia[side].wall_mm, reached)
        if ostia[side].sinus not in ("", side):
            message = (
                f"the {side} coronary artery leaves the aorta where the other one does; look "
                "at its first course, between aorta and pulmonary artery or not"
            )
            flags.append(Flag("anomalous-origin", message, Place(side)))
        flags += [_gap(side, reached.where(np.array([voxel]))[0], grid) for voxel in bridged]
    return Traced(trees.get("left"), trees.get("right"), tuple(flags))


def _gap(side: str, kji: AnyArray, grid: Grid) -> Flag:
    x, y, z = (float(v) for v in ijk_to_points_mm(grid, kji[None, ::-1])[0])
    message = "a gap was bridged; it may be an artefact or an occlusion"
    return Flag("gap-bridged", message, Place(side, point_mm=(x, y, z)))
