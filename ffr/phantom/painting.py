"""The sharp, noiseless patient on a voxel lattice: tissues blended, arteries exact."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ffr.anatomy import Anatomy, Vessel
from ffr.phantom.anatomy import Solid, Tube
from ffr.phantom.artefacts import uneven
from ffr.phantom.coronaries import STEP_MM, Artery, Calcium
from ffr.phantom.fine_kernels import (
    CALCIUM,
    LUMEN,
    WALL,
    cells_of,
    deposit_wires,
    paint_layers,
)
from ffr.phantom.kernels import blend, paint_ellipsoid, tube_distance, tubes_near
from ffr.phantom.patient import VirtualPatient
from meshes.arrays import AnyArray, Floats, Ints, floats, ints
from meshes.volume import Grid, array_shape

if TYPE_CHECKING:
    from ffr.phantom.imaging import Imaging

FAR_MM = 1e3
KEEP_LABEL, OWN_LABEL = -1, -2  # of paint: leave labels alone; each item's own
IN_AORTA = 99  # not an Anatomy value: marks the root while vessels are labelled
CELL_MM = 2.0  # of the lattice in which cones are looked up
MARGIN_MM = 0.3  # more than a radius changes between cones that are near one voxel


class Cones(NamedTuple):
    """A bundle of round cones; two columns hold their start and end.

    Cones of one chain follow each other: they are one smooth tube.
    """

    start_mm: Floats  # (n, 3)
    end_mm: Floats  # (n, 3)
    radius_mm: Floats  # (n, 2)
    value_hu: Floats  # (n, 2)
    chain: Ints  # (n,)


class Canvas:
    """The voxel arrays being painted, in the lattice's own axes."""

    def __init__(self, grid: Grid, background_hu: float = -1000.0) -> None:
        shape = array_shape(grid)
        self.grid = grid
        self.hu = np.full(shape, background_hu, dtype=np.float32)
        self.label = np.zeros(shape, dtype=np.uint8)
        self.h = float(np.mean(grid.spacing_mm))
        self.high = floats((np.asarray(grid.size) - 1) * np.asarray(grid.spacing_mm))

    def local(self, points_mm: Floats) -> Floats:
        """Patient points in lattice axes, mm from the first voxel."""
        return np.ascontiguousarray((points_mm - self.grid.origin_mm) @ self.grid.direction)

    def window(self, low: Floats, high: Floats) -> tuple[Ints, Ints]:
        """First voxel and number of voxels (i, j, k) of a box given in lattice axes."""
        spacing, size = np.asarray(self.grid.spacing_mm), np.asarray(self.grid.size)
        first = np.clip(np.floor(low / spacing), 0, size).astype(np.int64)
        last = np.clip(np.ceil(high / spacing) + 1, first, size).astype(np.int64)
        return first, last - first

    def solid(self, solid: Solid, value: float, mark: int) -> None:
        """Blend one ellipsoid."""
        d = self.grid.direction
        middle = self.local(solid.centre_mm)
        reach = np.linalg.norm((solid.direction @ d) * solid.semi_mm[:, None], axis=0)
        if np.any(middle + reach < -self.h) or np.any(middle - reach > self.high + self.h):
            return
        paint_ellipsoid(
            self.hu, self.label, self.grid.spacing_mm, middle,
            np.ascontiguousarray(solid.direction @ d), solid.semi_mm,
            np.ascontiguousarray(solid.cut_normal @ d), solid.cut_offset_mm, value, mark,
        )  # fmt: skip

    def bundle(self, cones: Cones, mark: int) -> None:
        """Blend a bundle of cones, nearest surface first; thin ones come out a little wide."""
        a, b = self.local(cones.start_mm), self.local(cones.end_mm)
        reach = cones.radius_mm.max(axis=1) + 2 * self.h
        near = tubes_near(a, b, reach, np.zeros(3), self.high)
        if near.size == 0:
            return
        a, b, wide = a[near], b[near], reach[near].max()
        first, count = self.window(
            np.minimum(a, b).min(axis=0) - wide, np.maximum(a, b).max(axis=0) + wide
        )
        if count.min() == 0:
            return
        corner = first * np.asarray(self.grid.spacing_mm)
        distance = np.full(tuple(count[::-1]), FAR_MM, dtype=np.float32)
        value = np.zeros_like(distance)
        tube_distance(
            distance, value, self.grid.spacing_mm, a - corner, b - corner,
            cones.radius_mm[near], cones.value_hu[near], 2.0 * self.h,
        )  # fmt: skip
        i, j, k = (int(n) for n in first)
        blend(self.hu, self.label, distance, value, self.h, mark, k, j, i)

    def paint(self, items: Iterable[Solid | Tube], table: dict[str, float], mark: int) -> None:
        """Blend solids and tubes in order; `mark` OWN_LABEL keeps each one's own label."""
        for item in items:
            value = table[item.tissue]
            label = int(item.label) if mark == OWN_LABEL else mark
            if isinstance(item, Solid):
                self.solid(item, value, label)
            else:
                self.bundle(chains([(item.points_mm, item.radius_mm, value)]), label)

    def layers(
        self, cones: Cones, layer: Ints, cover: AnyArray, corner: Ints, marks: tuple[int, ...]
    ) -> None:
        """Paint walls, lumens and calcium with their exact share of every voxel.

        Parameters
        ----------
        cones, layer
            Chains, and WALL, LUMEN or CALCIUM of each cone.
        cover, corner
            Share of aortic blood in a box of voxels, and its first voxel (i, j, k).
        marks
            Label of each layer, negative to leave labels alone.
        """
        a, b = self.local(cones.start_mm), self.local(cones.end_mm)
        diagonal = float(np.linalg.norm(self.grid.spacing_mm))
        reach = cones.radius_mm.max(axis=1) + 0.55 * diagonal + MARGIN_MM
        near = tubes_near(a, b, reach, np.zeros(3), self.high)
        if near.size == 0:
            return
        a, b, reach = a[near], b[near], reach[near]
        low = np.maximum(np.minimum(a, b).min(axis=0) - reach.max(), -0.5 * diagonal)
        high = np.minimum(np.maximum(a, b).max(axis=0) + reach.max(), self.high + diagonal)
        cell = max(CELL_MM, 2.0 * self.h)
        count = np.maximum(1, np.ceil((high - low) / cell)).astype(np.int64)
        first, held = cells_of(a, b, reach, low, cell, count)
        way = np.column_stack([b - a, ((b - a) ** 2).sum(axis=1)])
        paint_layers(
            self.hu, self.label, cover, corner, self.grid.spacing_mm, a, way,
            cones.radius_mm[near], cones.value_hu[near], cones.chain[near], layer[near],
            first, held, low, cell, count, np.array(marks, dtype=np.int64),
        )  # fmt: skip

    def wires(self, start_mm: Floats, end_mm: Floats, radius_mm: float, value: float) -> None:
        """Blend wires thinner than a voxel by their exact volume in every voxel."""
        a, b = self.local(start_mm), self.local(end_mm)
        first, count = self.window(
            np.minimum(a, b).min(axis=0) - self.h, np.maximum(a, b).max(axis=0) + self.h
        )
        if count.min() == 0:
            return
        corner = first * np.asarray(self.grid.spacing_mm)
        share = np.zeros(tuple(count[::-1]))
        radius = np.full(len(a), radius_mm)
        spacing = self.grid.spacing_mm
        deposit_wires(share, spacing, a - corner, b - corner, radius, 0.1 * self.h)
        i, j, k = first
        here = self.hu[k : k + count[2], j : j + count[1], i : i + count[0]]
        here += (np.minimum(share, 1.0) * (value - here)).astype(np.float32)


def chains(parts: Iterable[tuple[Floats, Floats, Floats | float]]) -> Cones:
    """Join chains of points, with radius and attenuation per point, into one bundle."""
    columns: list[tuple[Floats, ...]] = []
    number = []
    for n, (points, radius, value) in enumerate(parts):
        values = np.broadcast_to(value, radius.shape)
        pairs = (np.stack([q[:-1], q[1:]], axis=1) for q in (radius, values))
        columns.append((points[:-1], points[1:], *pairs))
        number.append(np.full(len(points) - 1, n))
    start, end, wide, bright = (np.concatenate(c) for c in zip(*columns, strict=True))
    return Cones(start, end, wide, bright, ints(np.concatenate(number)))


def pieces(deposits: tuple[Calcium, ...]) -> Cones:
    """Deposits of calcium as cones that stand alone."""
    radius = np.concatenate([c.radius_mm for c in deposits])
    value = np.concatenate([c.value_hu for c in deposits])
    return Cones(
        np.concatenate([c.start_mm for c in deposits]),
        np.concatenate([c.end_mm for c in deposits]),
        np.stack([radius, radius], axis=1),
        np.stack([value, value], axis=1),
        ints(np.arange(radius.size)),
    )


def paint(
    patient: VirtualPatient, grid: Grid, imaging: Imaging, vessel_labels: bool = False
) -> tuple[AnyArray, AnyArray]:
    """Paint the sharp, noiseless patient.

    Parameters
    ----------
    patient, grid, imaging
        Who, where, how bright.
    vessel_labels
        Mark `Vessel` labels instead of `Anatomy` labels.

    Returns
    -------
    hu, labels
        Arrays on `grid`, float32 and uint8.
    """
    canvas = Canvas(grid)
    table = dict(imaging.tissue_hu)
    heart = patient.heart
    own = KEEP_LABEL if vessel_labels else OWN_LABEL
    canvas.paint(heart.behind, table, own)
    canvas.paint((*heart.chambers, *patient.features.appendages), table, own)
    beside = KEEP_LABEL if vessel_labels else Anatomy.BACKGROUND
    for cones, tissue in _surroundings(patient):
        canvas.bundle(chains((*c, table[tissue]) for c in cones), beside)
    _paint_veins(canvas, patient, table, Vessel.VEIN if vessel_labels else beside)
    if imaging.texture_hu > 0:
        uneven(canvas.hu, grid, imaging, np.random.default_rng([patient.seed, 61]))
    canvas.paint(heart.front, table, IN_AORTA if vessel_labels else OWN_LABEL)
    in_aorta = canvas.label == IN_AORTA if vessel_labels else None
    _paint_vessels(canvas, patient, imaging, vessel_labels)
    _paint_dense(canvas, patient)
    if in_aorta is not None:  # the first millimetres of the lumen lie inside the root
        canvas.label[in_aorta] = Vessel.BACKGROUND
    return canvas.hu, canvas.label


def paint_labels(
    patient: VirtualPatient, grid: Grid, imaging: Imaging, vessel_labels: bool = False
) -> AnyArray:
    """Return the labels of `paint` alone; what leaves no label is not painted."""
    canvas, table, heart = Canvas(grid), dict(imaging.tissue_hu), patient.heart
    if not vessel_labels:
        canvas.paint(heart.behind, table, OWN_LABEL)
        canvas.paint((*heart.chambers, *patient.features.appendages), table, OWN_LABEL)
        for cones, tissue in _surroundings(patient):
            canvas.bundle(chains((*c, table[tissue]) for c in cones), Anatomy.BACKGROUND)
        _paint_veins(canvas, patient, table, Anatomy.BACKGROUND)
        canvas.paint(heart.front, table, OWN_LABEL)
        return canvas.label
    _paint_veins(canvas, patient, table, Vessel.VEIN)
    canvas.paint(heart.front, table, IN_AORTA)
    in_aorta = canvas.label == IN_AORTA
    _paint_vessels(canvas, patient, imaging, vessel_labels)
    canvas.label[in_aorta] = Vessel.BACKGROUND
    return canvas.label


def _paint_veins(
    canvas: Canvas, patient: VirtualPatient, table: dict[str, float], mark: int
) -> None:
    veins = (*patient.veins, *patient.features.veins)
    if veins:
        bright = chains((v.points_mm, v.radius_mm, table["vein"]) for v in veins)
        canvas.bundle(bright, int(mark))


def _surroundings(
    patient: VirtualPatient,
) -> Iterable[tuple[list[tuple[Floats, Floats]], str]]:
    """Fat around the arteries, and the muscle over those that dive into it."""
    sheath = np.random.default_rng([patient.seed, 11]).uniform(0.3, 3.0)
    beyond = [v for o in patient.features.occlusions for v in (o.plug, *o.beyond)]
    fat, muscle = [], []
    for a in (*patient.arteries, *beyond):
        depth = _depth_mm(patient, a)
        if depth.max() <= 0:
            fat.append((a.axis_mm, a.outer_mm + sheath))
            continue
        free = np.clip(1 - depth / 0.5, 0, 1)
        fat.append((a.axis_mm, a.outer_mm * (0.3 + 0.7 * free) + sheath * free))
        here = np.flatnonzero(depth > 0)
        muscle.append((a.axis_mm[here], (a.outer_mm + depth)[here]))
    yield fat, "fat"
    if muscle:
        yield muscle, "myocardium"


def _depth_mm(patient: VirtualPatient, artery: Artery) -> Floats:
    """Muscle over a vessel's wall at each of its points, 0 where it lies in fat, (n,)."""
    n = len(artery.axis_mm)
    if artery.name[0] == "S" and artery.name[1:].isdigit():  # inside the septum
        return np.clip((np.arange(n) * STEP_MM - 4.0) / 2.0, 0.0, 1.0)
    depth = np.zeros(n)
    for b in patient.features.bridges:
        if b.vessel == artery.name:
            s = np.arange(n) * STEP_MM
            inside = np.minimum(s - b.start_mm, b.end_mm - s)
            depth = np.maximum(depth, b.depth_mm * np.clip(inside / 3.0 + 1.0, 0, 1))
    return depth


def _paint_vessels(
    canvas: Canvas, patient: VirtualPatient, imaging: Imaging, vessel_labels: bool
) -> None:
    occlusions = patient.features.occlusions
    hidden = [v for o in occlusions for v in (o.plug, *o.beyond)]
    walls = chains((a.axis_mm, a.outer_mm, a.plaque_hu) for a in (*patient.arteries, *hidden))
    parts = [(WALL, walls), (LUMEN, _lumen(patient, imaging))]
    if patient.calcium:
        parts.append((CALCIUM, pieces(patient.calcium)))
    layer = np.concatenate([np.full(len(cones.chain), number) for number, cones in parts])
    before = np.cumsum([0] + [int(cones.chain.max()) + 1 for _, cones in parts])
    chain = [cones.chain + n for (_, cones), n in zip(parts, before[:-1], strict=True)]
    start, end, wide, bright = (
        np.concatenate([cones[c] for _, cones in parts]) for c in range(4)
    )
    joined = Cones(start, end, wide, bright, ints(np.concatenate(chain)))
    cover, corner = _aortic_share(canvas, patient)
    marks = (Vessel.PLAQUE, Vessel.LUMEN, Vessel.CALCIUM) if vessel_labels else (-1, -1, -1)
    canvas.layers(joined, ints(layer), cover, corner, tuple(int(m) for m in marks))


def _aortic_share(canvas: Canvas, patient: VirtualPatient) -> tuple[AnyArray, Ints]:
    """Share of root and ascending aorta in a box of voxels, and its first voxel (i, j, k)."""
    parts = patient.heart.front
    middles = [p.points_mm if isinstance(p, Tube) else p.centre_mm[None] for p in parts]
    points = canvas.local(floats(np.concatenate(middles)))
    reach = max(float(np.max(p.radius_mm if isinstance(p, Tube) else p.semi_mm)) for p in parts)
    margin = reach + 2 * canvas.h
    first, count = canvas.window(points.min(axis=0) - margin, points.max(axis=0) + margin)
    if count.min() == 0:
        return np.zeros((1, 1, 1), dtype=np.float32), ints(np.full(3, -9))
    grid = canvas.grid
    origin = grid.origin_mm + grid.direction @ (first * grid.spacing_mm)
    box = Canvas(Grid(ints(count), grid.spacing_mm, floats(origin), grid.direction), 0.0)
    box.paint(parts, {"aorta": 1.0}, KEEP_LABEL)
    return box.hu, ints(first)


def _paint_dense(canvas: Canvas, patient: VirtualPatient) -> None:
    """Leads and calcified rings, then the struts of stents, on top of all else."""
    features = patient.features
    if features.dense:
        tubes = chains((d.points_mm, d.radius_mm, d.value_hu) for d in features.dense)
        nothing = np.zeros((1, 1, 1), dtype=np.float32), ints(np.full(3, -9))
        canvas.layers(tubes, ints(np.full(len(tubes.chain), CALCIUM)), *nothing, (-1, -1, -1))
    for stent in features.stents:
        canvas.wires(stent.wire_start_mm, stent.wire_end_mm, stent.strut_mm / 2, stent.value_hu)


def blood_hu_along(arteries: Iterable[Artery], imaging: Imaging) -> dict[str, Floats]:
    """Return, by vessel, the attenuation of its blood: it falls with the way from the aorta."""
    origin_mm: dict[str, float] = {"": 0.0}
    level: dict[str, Floats] = {}
    for a in arteries:  # mothers come first
        begin = origin_mm[a.parent] + a.take_off * STEP_MM
        origin_mm[a.name] = begin
        s = begin + np.arange(len(a.lumen_mm)) * STEP_MM
        fall = imaging.distal_fall_percent / 100 * np.minimum(s / 100.0, 1.2)
        level[a.name] = floats(imaging.contrast_hu * (1 - fall))
    return level


def _lumen(patient: VirtualPatient, imaging: Imaging) -> Cones:
    """Lumen cones; contrast falls along the trees."""
    level = blood_hu_along(patient.arteries, imaging)
    parts = [(a.centre_mm, a.lumen_mm, level[a.name]) for a in patient.arteries]
    for o in patient.features.occlusions:
        if o.filled_percent == 0:  # blood without contrast looks like the wall around it
            continue
        blood = imaging.contrast_hu * o.filled_percent / 100
        for a in o.beyond:
            parts.append((a.centre_mm, a.lumen_mm, np.full(len(a.lumen_mm), blood)))
    return chains(parts)
