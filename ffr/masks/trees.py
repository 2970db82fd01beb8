"""From a mask to named coronary trees, and what a reader must know of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.spatial import cKDTree

from ffr.errors import StudyError
from ffr.flags import Flag, Place
from ffr.masks.file import Labelled
from ffr.masks.lattice import Lattice, lattice
from ffr.masks.lumen import measure_mask
from ffr.masks.settings import MaskSettings
from ffr.masks.tracing import Apart, Gap, TracedMask, trace_mask
from ffr.scan import MASK, Scan, volume_sha256
from ffr.tracing.ends import check_trees
from ffr.tracing.naming import named_tree
from meshes.arrays import AnyArray, Floats
from meshes.tree import CoronaryTree, VesselTree, outlets, path_length_mm
from meshes.volume import Volume

GAP_MARGIN_MM = 0.5
TOLD_ONE_BY_ONE = 5  # pieces that were left out
BESIDE_MM = 30.0  # longer occlusions are hardly ever seen as one vessel
PER_RADIUS = 10.0  # mm of distance that 1 mm of a tip's radius outweighs
COARSE_MM = 0.8  # voxels wider than this show stenoses too wide or not at all


def mask_trees(
    mask: Labelled,
    settings: MaskSettings,
    aorta: Labelled | None,
    progress: Callable[[float], None],
) -> tuple[tuple[CoronaryTree, ...], tuple[Flag, ...]]:
    """Trace, measure and name the trees of a lumen mask.

    Parameters
    ----------
    mask, settings
        A label map, and what was said about it.
    aorta
        A second map, of the aorta.

    Raises
    ------
    StudyError
        "mask-empty", "mask-wide", "mask-no-vessel": no tree can be made of it.
    ConfigError
        Settings that do not fit the mask.
    """
    painted = lattice(mask, settings, aorta)
    progress(0.2)
    traced = trace_mask(painted, settings)
    if not traced.trees:
        message = (
            "no vessel of at least 10 mm leaves the aorta or an end of the mask; check the "
            "labels, or give --left-ostium or --right-ostium"
        )
        raise StudyError("mask-no-vessel", message)
    progress(0.7)
    trees = []
    for side in ("left", "right"):
        if side in traced.trees:
            raw = traced.trees[side]
            unknown = _in_gaps(raw, traced.gaps[side])
            tree, sd = measure_mask(painted.native, raw, unknown)
            trees.append(named_tree(tree, side, None, sd))
    progress(1.0)
    return tuple(trees), tuple(_flags(mask, painted, traced, trees))


def scan_of_mask(mask: Labelled, settings: MaskSettings) -> Scan:
    """Return what stands in for the scan: the labels, and how they were read."""
    grid = mask.volume.grid
    size = " x ".join(str(n) for n in grid.size)
    parts = [f"{mask.kind} mask, {size} voxels"]
    if settings.left or settings.right:
        parts += [
            f"{side} tree: label {_words(getattr(settings, side))}"
            for side in ("left", "right")
            if getattr(settings, side)
        ]
    else:
        chosen = settings.labels or [x for x in mask.labels() if x != settings.aorta]
        parts.append(f"lumen: label {_words(chosen)}")
    if settings.aorta is not None:
        parts.append(f"aorta: label {settings.aorta}")
    elif settings.aorta_file is not None:
        parts.append("aorta: another mask")
    # labels above what 16 bits hold with a sign are shown as one number
    volume = Volume(grid, np.minimum(mask.volume.values, 32767).astype(np.int16))
    return Scan(
        volume=volume,
        source=MASK,
        series="; ".join(parts),
        slice_thickness_mm=float(np.max(grid.spacing_mm)),
        sha256=volume_sha256(volume),
        tube_voltage_kvp=None,
        kernel=None,
        flags=(),
    )


def _words(labels: Sequence[int]) -> str:
    shown = ", ".join(str(x) for x in labels[:12])
    return f"{shown} and {len(labels) - 12} more" if len(labels) > 12 else shown


def _in_gaps(tree: VesselTree, gaps: tuple[Gap, ...]) -> AnyArray:
    unknown = np.zeros(len(tree), dtype=bool)
    for gap in gaps:
        away = np.linalg.norm(tree.points_mm - gap.middle_mm, axis=1)
        unknown |= away <= 0.5 * gap.length_mm + GAP_MARGIN_MM
    return unknown


def _flags(
    mask: Labelled, painted: Lattice, traced: TracedMask, trees: list[CoronaryTree]
) -> list[Flag]:
    edge = float(np.max(painted.native.grid.spacing_mm))
    sd = min(float(c.radius_sd_mm.min()) for c in trees)
    flags = [
        Flag(
            "lumen-from-mask",
            f"lumen and radii come from a mask of another program, not from the scan: the "
            f"radius error of {sd:.2f} mm holds its voxels only, not how wrong it is; veins "
            "in it would be taken for arteries, and no plaque or calcium is known",
        ),
        Flag(
            "names-guessed",
            "no heart is known: vessel names assume a usual heart at the ostia",
        ),
        *traced.flags,
    ]
    if mask.fractions:
        flags.append(Flag("mask-fractions", "the mask holds fractions; it was cut at one half"))
    if edge > COARSE_MM:
        message = f"voxels of the mask are up to {edge:.2f} mm wide: stenoses are blurred"
        flags.append(Flag("mask-coarse", message))
    gaps = [_gap_flag(gap, c) for c in trees for gap in traced.gaps[c.side]]
    flags += check_trees(trees, gaps)
    for side in ("left", "right"):
        if side not in traced.trees:
            message = f"the {side} coronary artery was not found in the mask"
            flags.append(Flag(f"{side}-coronary-missing", message, Place(side)))
    flags += [_apart_flag(piece, trees) for piece in traced.apart[:TOLD_ONE_BY_ONE]]
    specks = traced.specks + len(traced.apart[TOLD_ONE_BY_ONE:])
    if specks:
        message = f"{specks} small island(s) of the mask were left out"
        flags.append(Flag("islands-dropped", message))
    return flags


def _gap_flag(gap: Gap, coronary: CoronaryTree) -> Flag:
    x, y, z = (float(v) for v in gap.middle_mm)
    message = (
        f"a gap of {gap.length_mm:.1f} mm was bridged; it may be an occlusion, and the radius "
        "in it is a guess"
    )
    return Flag("gap-bridged", message, Place(coronary.side, point_mm=(x, y, z)))


def _apart_flag(piece: Apart, trees: list[CoronaryTree]) -> Flag:
    near, where, away = _beside(piece, trees)
    x, y, z = near
    message = (
        f"a piece {piece.across_mm:.0f} mm across, {away:.0f} mm from {where} "
        f"({x:.0f},{y:.0f},{z:.0f} mm, L, P, S), was left out; the artery may be occluded there"
    )
    return Flag("piece-left-out", message)


def _beside(piece: Apart, trees: list[CoronaryTree]) -> tuple[Floats, str, float]:
    """Return the point of a piece nearest to the tip that it may go on from, and that place.

    A tip that is wide was cut off: it comes before nearer ones that taper off.
    """
    voxels = cKDTree(piece.points_mm)
    best: tuple[float, Floats, Floats] | None = None
    for c in trees:
        tips = outlets(c.tree)
        away, at = (np.asarray(x) for x in voxels.query(c.tree.points_mm[tips]))
        rank = away - PER_RADIUS * c.tree.radius_mm[tips]
        k = int(np.argmin(np.where(away <= BESIDE_MM, rank, np.inf)))
        if away[k] <= BESIDE_MM and (best is None or rank[k] < best[0]):
            best = (float(rank[k]), piece.points_mm[int(at[k])], c.tree.points_mm[tips[k]])
    if best is None:
        every = np.concatenate([c.tree.points_mm for c in trees])
        away, at = (np.asarray(x) for x in voxels.query(every))
        k = int(np.argmin(away))
        best = (0.0, piece.points_mm[int(at[k])], every[k])
    _, near, tip = best
    return near, _place(tip, trees), float(np.linalg.norm(near - tip))


def _place(point_mm: Floats, trees: list[CoronaryTree]) -> str:
    """Return the nearest place on the trees in words."""
    best: tuple[float, str] = (np.inf, "")
    for c in trees:
        away = np.linalg.norm(c.tree.points_mm - point_mm, axis=1)
        at = int(np.argmin(away))
        s = path_length_mm(c.tree)[at]
        words = f"the {c.names[c.branch[at]]}, {s:.0f} mm from the {c.side} ostium"
        best = min(best, (float(away[at]), words))
    return best[1]
