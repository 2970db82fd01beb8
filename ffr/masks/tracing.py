"""From a lumen mask to connected centrelines, one tree per ostium."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ffr.flags import Flag
from ffr.masks.ends import ALL_AROUND, free_ostia, given_ostium
from ffr.masks.lattice import LEFT, RIGHT, Lattice
from ffr.masks.settings import MaskSettings
from ffr.tracing.aortic_root import Root
from ffr.tracing.growing import grow_all, joined
from ffr.tracing.ostia import Ostium, find_ostia
from ffr.tracing.paths import (
    GAP_COST,
    GAP_MM,
    LEAST_SPEED,
    MOUTH_MM,
    SLIT_MM,
    Ground,
    Reached,
    reach,
)
from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.distance import inside_mm, outside_mm
from meshes.tree import VesselTree, path_length_mm
from meshes.volume import Grid, ijk_to_points_mm

NUMBER = {"left": LEFT, "right": RIGHT}
BESIDE_MM = 0.3  # a mask has sharp borders: what lies beside a lumen is another vessel
SPECK_MM = 5.0  # across: smaller islands are not told one by one
SHORTEST_TREE_MM = 10.0  # less is no vessel


class Gap(NamedTuple):
    """A stretch of a path without lumen: its middle and its length."""

    middle_mm: Floats
    length_mm: float


class Apart(NamedTuple):
    """A piece of lumen that no tree runs through: its voxels, shape (n, 3), and its size."""

    points_mm: Floats
    across_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class TracedMask:
    """Raw trees by side, inlet first; radii are first guesses.

    Parameters
    ----------
    trees, gaps
        By side: the tree, and what was bridged in it.
    apart
        Pieces that were left out.
    specks
        Number of smaller islands that were left out.
    flags
        What was taken for granted.
    """

    trees: dict[str, VesselTree]
    gaps: dict[str, tuple[Gap, ...]]
    apart: tuple[Apart, ...]
    specks: int
    flags: tuple[Flag, ...]


def trace_mask(painted: Lattice, settings: MaskSettings) -> TracedMask:
    """Find the trees in a lumen mask; loops are cut where their two ways meet.

    Parameters
    ----------
    painted
        The lumen.
    settings
        Places of ostia, if known.

    Raises
    ------
    ConfigError
        An ostium that was given is not in the lumen.
    """
    spacing = float(painted.grid.spacing_mm[0])
    trees: dict[str, VesselTree] = {}
    gaps: dict[str, tuple[Gap, ...]] = {}
    on_tree = np.zeros(painted.lumen.shape, dtype=bool)
    guessed: set[str] = set()
    for told, lumen in _groups(painted):
        over = ground_of(lumen, painted.aorta, spacing)
        ostia, unsure = _ostia(over, painted, settings, told)
        guessed |= unsure
        if ostia:
            _grow(over, ostia, painted.grid, (trees, gaps, on_tree))
    apart, specks = _left_out(painted.lumen, on_tree, painted.grid)
    return TracedMask(trees, gaps, apart, specks, (*painted.flags, *_guesses(guessed, trees)))


def _groups(painted: Lattice) -> list[tuple[str | None, AnyArray]]:
    """Return lumen whose side the labels tell, by side, or all of it without one."""
    if not painted.sides.any():
        return [(None, painted.lumen)]
    return [(side, painted.lumen & (painted.sides == n)) for side, n in NUMBER.items()]


def ground_of(lumen: AnyArray, aorta: AnyArray | None, spacing: float) -> Ground:
    """Return what paths run over: cheap deep in the lumen, dear in gaps, never in the aorta."""
    blood = lumen if aorta is None else lumen | aorta
    depth = np.maximum(inside_mm(blood, spacing) - 0.5 * spacing, 0) * lumen
    cost = 1.0 / (lumen * (LEAST_SPEED + depth) ** 2 + 1.0 / GAP_COST)
    size = 2 * math.ceil(0.5 * GAP_MM / spacing) + 3  # half way from either end, and one
    cost[ndimage.maximum_filter(lumen, size=size) == 0] = 0.0
    mouth = np.zeros_like(lumen)
    if aorta is not None:
        cost[aorta] = 0.0
        mouth = lumen & (outside_mm(aorta, spacing) <= MOUTH_MM)
    deep = ndimage.maximum_filter(depth, 3)
    return Ground(cost.astype(np.float32), deep, lumen, mouth, GAP_MM)


def _ostia(
    over: Ground, painted: Lattice, settings: MaskSettings, told: str | None
) -> tuple[dict[str, Ostium], set[str]]:
    """Return ostia by side, and the sides whose ostium is a guess."""
    given: dict[str, Ostium] = {}
    for side in (told,) if told else tuple(NUMBER):
        point = getattr(settings, f"{side}_ostium")
        if point is not None:
            given[side] = given_ostium(floats(point), f"--{side}-ostium", over, painted.grid)
    wanted = {told} if told else set(NUMBER)
    if wanted <= set(given) or not over.sure.any():
        return given, set()
    if painted.aorta is None:
        found, unsure = free_ostia(over, painted.grid, told), wanted - set(given)
    else:
        k, j, i = over.sure.shape
        box = (slice(0, k), slice(0, j), slice(0, i))
        bright = (over.sure | painted.aorta).astype(np.float32)
        root = Root(box, painted.aorta, painted.aorta, bright)
        found, unsure = find_ostia(over, root, painted.grid), set()
    if told and found and told not in found:  # the label knows better
        found = {told: next(iter(found.values()))}
    chosen = {side: o for side, o in found.items() if side in wanted} | given
    return chosen, unsure & set(chosen)


def _grow(
    over: Ground,
    ostia: dict[str, Ostium],
    grid: Grid,
    into: tuple[dict[str, VesselTree], dict[str, tuple[Gap, ...]], AnyArray],
) -> None:
    """Grow a tree from each ostium; a voxel belongs to the one that reaches it cheapest."""
    trees, gaps, done = into
    seeds = np.concatenate([ostia[side].seeds for side in sorted(ostia)])
    paths_of = reach(over, seeds, np.zeros(0, dtype=np.int64), grid)
    for side in sorted(ostia):
        paths, _ = grow_all(paths_of, ostia[side].mouths, BESIDE_MM)
        if not paths:
            continue
        tree = joined(paths, ostia[side].wall_mm, paths_of)
        if path_length_mm(tree).max() < SHORTEST_TREE_MM:
            continue
        np.put(done, np.concatenate(paths), True)
        trees[side] = tree
        gaps[side] = tuple(gap for path in paths for gap in _gaps(paths_of, path))


def _gaps(reached: Reached, path: Ints) -> list[Gap]:
    """Return the stretches of a path without lumen that are longer than a slit."""
    evidence = reached.evidence[path]
    evidence[0] = True  # the tree, or the wall of the aorta
    here = np.flatnonzero(evidence)
    length = reached.length_mm[path]
    found = []
    for a, b in pairwise(here.tolist()):
        if b - a > 1 and length[b - 1] - length[a + 1] > SLIT_MM:
            middle = reached.where(path[[(a + b) // 2]])[0][::-1]
            place = floats(ijk_to_points_mm(reached.grid, middle))
            found.append(Gap(place, float(length[b] - length[a])))
    return found


def _left_out(lumen: AnyArray, on_tree: AnyArray, grid: Grid) -> tuple[tuple[Apart, ...], int]:
    """Return the pieces that no tree runs through, and the number of smaller ones."""
    parts, _ = ndimage.label(lumen, structure=ALL_AROUND)
    kept = set(np.unique(parts[on_tree]).tolist())
    specks = 0
    found: list[Apart] = []
    for number, box in enumerate(ndimage.find_objects(parts)):
        across = float(np.linalg.norm([s.stop - s.start for s in box]) * grid.spacing_mm[0])
        if number + 1 in kept:
            continue
        if across < SPECK_MM:
            specks += 1
            continue
        voxels = np.argwhere(parts[box] == number + 1) + [s.start for s in box]
        found.append(Apart(floats(ijk_to_points_mm(grid, voxels[:, ::-1])), across))
    found.sort(key=lambda piece: -piece.across_mm)
    return tuple(found), specks


def _guesses(guessed: set[str], trees: dict[str, VesselTree]) -> list[Flag]:
    flags = []
    for side in sorted(guessed & set(trees)):
        x, y, z = trees[side].points_mm[0]
        message = (
            f"no aorta is known: the {side} tree was taken to begin at its widest high end, "
            f"{x:.0f},{y:.0f},{z:.0f} mm (L, P, S); --{side}-ostium gives another place"
        )
        flags.append(Flag("ostium-guessed", message))
    return flags
