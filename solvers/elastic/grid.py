"""How is a network cut into cells, and which numbers do the kernels need? SI from here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from meshes.arrays import Floats, Ints
from solvers.blood import Blood
from solvers.elastic.beds import CoronaryBed, Reflection, Resistance, Windkessel
from solvers.elastic.beds import steady_resistance_mmhg_min_ml as steady_resistance
from solvers.elastic.network import ElasticNetwork, ElasticVessel
from solvers.kernels import elastic as kernels
from solvers.units import M3_S_PER_ML_MIN, M_PER_MM, PA_PER_MMHG, PA_S_M3_PER_MMHG_MIN_ML

M3_PA_PER_ML_MMHG = 1e-6 / PA_PER_MMHG
JET_FLOW_ML_MIN = 100.0  # at which `jet_loss_mmhg` is told
PA_S2_M6_PER_JET_MMHG = PA_PER_MMHG / (JET_FLOW_ML_MIN * M3_S_PER_ML_MIN) ** 2
FACE_FACTOR = 1.25  # how much wider or narrower than its cells a face may be
TABLE = 2000  # steps of a periodic waveform per cycle


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A network as the kernels see it (`solvers.kernels.elastic` explains the rows).

    Parameters
    ----------
    first
        First cell of each vessel and the number of cells, shape (v + 1,).
    law
        Tube law of each vessel, (v,).
    vessels, cells, faces
        Properties in SI, shapes (v, 6), (8, n), (4, n + v).
    junction, member, side
        Junction j joins members junction[j] to junction[j + 1] - 1; side +1: ends there.
    inlet_vessel
        Index of the vessel at the inlet.
    outlet_vessel
        Vessel that each bed drains, (m,).
    bed_kind, bed_value, muscle
        Beds in the order of `outlet_vessel`, (m,), (m, 6), (m, TABLE).
    rest_resistance, rest_behind
        Of each bed to steady flow and the pressure behind it, SI, (m,).
    """

    first: Ints
    law: Ints
    vessels: np.ndarray
    cells: np.ndarray
    faces: np.ndarray
    junction: Ints
    member: Ints
    side: Ints
    inlet_vessel: int
    outlet_vessel: Ints
    bed_kind: Ints
    bed_value: np.ndarray
    muscle: np.ndarray
    rest_resistance: np.ndarray
    rest_behind: np.ndarray


def periodic_table(time_s: Floats, values: Floats, period_s: float) -> Floats:
    """Sample a waveform, linear between its points, at TABLE equal steps of one period."""
    at = np.arange(TABLE) * (period_s / TABLE)
    if values.size == 1:
        return np.full(TABLE, float(values[0]))
    return np.interp(at, time_s, values, period=None if time_s[-1] >= period_s else period_s)


def cut(
    network: ElasticNetwork, blood: Blood, period_s: float, cell_mm: float, least_cell_mm: float
) -> Grid:
    """Cut every vessel into equal cells of at most `cell_mm`, at least two per vessel.

    A vessel shorter than two least cells is given their length with its own resistance:
    that changes its volume and inertia by a fraction of a millimetre and keeps the time
    step of the whole network from being dictated by it.

    Raises
    ------
    ValueError
        A period or a cell that is not positive.
    """
    for name, given in (
        ("period_s", period_s),
        ("cell_mm", cell_mm),
        ("least_cell_mm", least_cell_mm),
    ):
        if not (math.isfinite(given) and given > 0):
            message = f"{name} is {given:g}, must be positive"
            raise ValueError(message)
    parts = [_cut_vessel(v, blood, cell_mm, least_cell_mm) for v in network.vessels]
    first = np.cumsum([0] + [cells.shape[1] for _, cells, _ in parts])
    junction, member, side = _junctions(network)
    ends = {v.end: i for i, v in enumerate(network.vessels)}
    nodes = sorted(network.beds, key=lambda node: ends[node])
    vessels = np.array([row for row, _, _ in parts])
    cells = np.concatenate([c for _, c, _ in parts], axis=1)
    faces = np.concatenate([f for _, _, f in parts], axis=1)
    law = np.array(
        [kernels.BETA if v.law == "beta" else kernels.OLUFSEN for v in network.vessels],
        dtype=np.int64,
    )
    outlet_vessel = np.array([ends[node] for node in nodes], dtype=np.int64)
    kind = np.zeros(len(nodes), dtype=np.int64)
    value, muscle = np.zeros((len(nodes), 6)), np.zeros((len(nodes), TABLE))
    rest, behind = np.zeros(len(nodes)), np.zeros(len(nodes))
    for m, node in enumerate(nodes):
        v = int(outlet_vessel[m])
        z = impedance(faces[:, first[v + 1] + v], int(law[v]), blood.density_kg_m3)
        bed = network.beds[node]
        kind[m], value[m] = _bed_row(bed, z)
        rest[m] = steady_resistance(bed, z / PA_S_M3_PER_MMHG_MIN_ML) * PA_S_M3_PER_MMHG_MIN_ML
        behind[m] = PA_PER_MMHG * (
            bed.rest_mmhg if isinstance(bed, Reflection) else bed.behind_mmhg
        )
        if isinstance(bed, CoronaryBed):
            muscle[m] = PA_PER_MMHG * periodic_table(bed.time_s, bed.muscle_mmhg, period_s)
    inlet = next(i for i, v in enumerate(network.vessels) if v.start == network.inlet_node)
    return Grid(
        first, law, vessels, cells, faces, junction, member, side, inlet, outlet_vessel,
        kind, value, muscle, rest, behind,
    )  # fmt: skip


def impedance(face: Floats, law: int, density_kg_m3: float) -> float:
    """Return the characteristic impedance rho c0/A0 [Pa s/m3] at a face, at rest."""
    a0, softness = float(face[kernels.A0]), float(face[kernels.SOFTNESS])
    return math.sqrt(density_kg_m3 / (a0 * kernels.compliance(1.0, a0, softness, law)))


def _cut_vessel(
    vessel: ElasticVessel, blood: Blood, cell_mm: float, least_cell_mm: float
) -> tuple[list[float], np.ndarray, np.ndarray]:
    """Return the vessel's row, its cells (8, n) and its faces (4, n + 1), SI."""
    x, r = vessel.position_mm * M_PER_MM, vessel.radius_mm * M_PER_MM
    n = max(2, math.ceil(vessel.length_mm / cell_mm - 1e-9))
    edge = np.linspace(0.0, x[-1], n + 1)
    own = x[-1] / n
    dx = max(own, least_cell_mm * M_PER_MM)
    volume = _cell_sums(x, edge, r, lambda a, b, h: np.pi * h * (a * a + a * b + b * b) / 3.0)
    thin = _cell_sums(
        x,
        edge,
        r,
        lambda a, b, h: h * (a * a + a * b + b * b) / (3.0 * np.pi**2 * (a * b) ** 3),
    )
    area = volume / own
    order, nu = vessel.profile_order, blood.viscosity_pa_s / blood.density_kg_m3
    cells = np.zeros((8, n))
    cells[kernels.A0], cells[kernels.PER_A0] = area, 1.0 / area
    stiffness = vessel.stiffness_mmhg * PA_PER_MMHG
    cells[kernels.STIFFNESS] = np.interp(0.5 * (edge[1:] + edge[:-1]), x, stiffness)
    cells[kernels.SOFTNESS] = 1.0 / cells[kernels.STIFFNESS]
    friction = 2.0 * (order + 2) * np.pi * nu
    cells[kernels.FRICTION] = friction * area**2 * thin / dx
    for row, losses, unit in (
        (kernels.LINEAR, vessel.viscous_loss_mmhg_min_ml, PA_S_M3_PER_MMHG_MIN_ML),
        (kernels.QUADRATIC, vessel.jet_loss_mmhg, PA_S2_M6_PER_JET_MMHG),
    ):
        gathered = np.concatenate([[0.0], np.cumsum(losses)]) * unit
        cells[row] = np.diff(np.interp(edge, x, gathered)) / dx
    faces = _faces(cells, np.pi * np.interp(edge, x, r) ** 2)
    cells[kernels.CROWDING] = _crowding(cells, faces)
    alpha = (order + 2) / (order + 1) if vessel.momentum == "profile" else 1.0
    scale = 0.5 * float(stiffness.mean())  # rho c0^2 of either law
    inlet_viscous = vessel.inlet_viscous_loss_mmhg_min_ml * PA_S_M3_PER_MMHG_MIN_ML
    inlet_jet = vessel.inlet_jet_loss_mmhg * PA_S2_M6_PER_JET_MMHG
    reference = vessel.reference_pressure_mmhg * PA_PER_MMHG
    return [dx, reference, alpha, inlet_viscous, inlet_jet, scale], cells, faces


def _faces(cells: np.ndarray, true: Floats) -> np.ndarray:
    """Return the faces' rows: true areas, but near those of the cells on both sides.

    A step of the lumen inside a cell would make its face much wider or narrower than the
    cell itself, which an explicit scheme answers with growing waves. Heads and friction of
    the cells do not depend on it.
    """
    mean = np.pad(cells[kernels.A0], 1, mode="edge")
    low = np.maximum(mean[1:], mean[:-1]) / FACE_FACTOR
    high = np.minimum(mean[1:], mean[:-1]) * FACE_FACTOR
    area = np.where(low < high, np.clip(true, low, high), np.sqrt(mean[1:] * mean[:-1]))
    k = np.pad(cells[kernels.STIFFNESS], 1, mode="edge")
    stiff = 0.5 * (k[1:] + k[:-1])
    return np.stack([area, stiff, 1.0 / area, 1.0 / stiff])


def _crowding(cells: np.ndarray, faces: np.ndarray) -> Floats:
    """Return by how much a cell shortens the stable step because its faces differ from it."""
    area, soft = faces[kernels.A0], faces[kernels.A0] * faces[kernels.SOFTNESS]
    left, right = area[:-1], area[1:]
    mean = 2.0 * left * right / (left + right)
    own = cells[kernels.A0] * cells[kernels.SOFTNESS]
    fill = np.maximum(soft[:-1], soft[1:]) / own
    push = mean / np.minimum(left, right)
    return np.maximum(1.0, np.sqrt(fill * push) * np.sqrt(np.maximum(fill, push)))


def _cell_sums(
    x: Floats, edge: Floats, r: Floats, integral: Callable[[Floats, Floats, Floats], Floats]
) -> Floats:
    """Integrate over each cell a quantity known in closed form where the radius is linear."""
    every = np.union1d(x, edge)
    every = every[np.concatenate([[True], np.diff(every) > 1e-12 * x[-1]])]
    radius = np.interp(every, x, r)
    pieces = integral(radius[:-1], radius[1:], np.diff(every))
    cell = np.searchsorted(edge, 0.5 * (every[1:] + every[:-1])) - 1
    sums = np.bincount(cell, weights=pieces, minlength=edge.size - 1)
    return sums.astype(np.float64)


def _junctions(network: ElasticNetwork) -> tuple[Ints, Ints, Ints]:
    at: dict[int, list[tuple[int, int]]] = {}
    for i, vessel in enumerate(network.vessels):
        at.setdefault(vessel.end, []).append((i, 1))
        at.setdefault(vessel.start, []).append((i, -1))
    joined = [at[n] for n in sorted(at) if n != network.inlet_node and n not in network.beds]
    flat = [pair for pairs in joined for pair in pairs]
    return (
        np.cumsum([0] + [len(pairs) for pairs in joined]),
        np.array([v for v, _ in flat], dtype=np.int64),
        np.array([s for _, s in flat], dtype=np.int64),
    )


def _bed_row(bed: object, z: float) -> tuple[int, list[float]]:
    r, c, p = PA_S_M3_PER_MMHG_MIN_ML, M3_PA_PER_ML_MMHG, PA_PER_MMHG
    if isinstance(bed, Windkessel):
        near = bed.proximal_mmhg_min_ml
        r1 = z if near is None else near * r
        row = [r1, bed.compliance_ml_mmhg * c, bed.distal_mmhg_min_ml * r, bed.behind_mmhg * p]
        return kernels.WINDKESSEL, row + [0.0, 0.0]
    if isinstance(bed, CoronaryBed):
        return kernels.CORONARY, [
            bed.arterial_mmhg_min_ml * r,
            bed.arterial_compliance_ml_mmhg * c,
            bed.capillary_mmhg_min_ml * r,
            bed.intramyocardial_compliance_ml_mmhg * c,
            bed.venous_mmhg_min_ml * r,
            bed.behind_mmhg * p,
        ]
    if isinstance(bed, Reflection):
        row = [bed.reflected_percent / 100.0, bed.rest_mmhg * p]
        return kernels.REFLECTION, row + [0.0] * 4
    if isinstance(bed, Resistance):
        return kernels.RESISTANCE, [bed.resistance_mmhg_min_ml * r, bed.behind_mmhg * p] + [
            0.0
        ] * 4
    message = f"a bed of type {type(bed).__name__} is not known"
    raise TypeError(message)
