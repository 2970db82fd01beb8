"""Which network does a svOneDSolver deck describe? (centimetre, gram, second in the file)"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.errors import GeometryError
from solvers.blood import Blood
from solvers.elastic.beds import Bed, CoronaryBed, Resistance, Windkessel
from solvers.elastic.grid import PA_S2_M6_PER_JET_MMHG
from solvers.elastic.inlet import Inlet
from solvers.elastic.network import ElasticNetwork, ElasticVessel
from solvers.elastic.walls import olufsen_stiffness_mmhg
from solvers.losses import YOUNG_TSAI_EXPANSION
from solvers.units import M3_S_PER_ML_MIN, PA_PER_MMHG, PA_S_M3_PER_MMHG_MIN_ML

MMHG_PER_BARYE = 0.1 / PA_PER_MMHG  # 1 dyn/cm2 = 0.1 Pa
RESISTANCE_CGS = 1e5 / PA_S_M3_PER_MMHG_MIN_ML  # 1 dyn s/cm5 = 1e5 Pa s/m3
COMPLIANCE_CGS = 1.0 / MMHG_PER_BARYE  # cm5/dyn = mL per dyn/cm2
FLOW_CGS = 1e-6 / M3_S_PER_ML_MIN
VENOUS_ROW = 5  # of a coronary table


@dataclass(frozen=True, slots=True, eq=False)
class Deck:
    """A network as svOneDSolver reads it, chains of segments joined into vessels.

    Parameters
    ----------
    network, blood, inlet
        What flows where; walls of Olufsen's law only.
    period_s
        Length of the inlet table.
    segments
        Number of segments in the file.
    """

    network: ElasticNetwork
    blood: Blood
    inlet: Inlet
    period_s: float
    segments: int


def parse_svoned(text: str, venous_factor: float = 1.0) -> Deck:
    """Read the text of a deck (cards SEGMENT, JOINT, DATATABLE, MATERIAL, SOLVEROPTIONS).

    Parameters
    ----------
    text
        The file's content.
    venous_factor
        Multiplies the venous pressure of coronary tables. svOneDSolver adds that pressure
        where the physics subtracts it: -1 computes what that program computes.

    Raises
    ------
    GeometryError
        A card or a kind of boundary this reader does not know.
    """
    cards, tables = read_cards(text)
    material = cards["MATERIAL"][0]
    if material[2] != "OLUFSEN":
        message = f"material {material[2]} is not known, only OLUFSEN"
        raise GeometryError(message)
    options = cards["SOLVEROPTIONS"][0]
    table = tables[options[5]]
    density, viscosity = float(material[3]) * 1e3, float(material[4]) * 0.1
    chains, beds = _chains(cards, tables, venous_factor)
    wall = [float(x) for x in material[5:10]]
    blood = Blood(viscosity, density)
    tips = {chain[0][6]: chain[-1] for chain in chains}
    vessels = tuple(_vessel(chain, wall, blood, tips.get(chain[0][5])) for chain in chains)
    if options[6].startswith("PRESSURE"):
        inlet = Inlet(table[:, 0], pressure_mmhg=table[:, 1] * MMHG_PER_BARYE)
    elif options[6] == "FLOW":
        inlet = Inlet(table[:, 0], flow_ml_min=table[:, 1] * FLOW_CGS)
    else:
        message = f"inlet of kind {options[6]} is not known"
        raise GeometryError(message)
    network = ElasticNetwork(vessels, -1, beds)
    return Deck(network, blood, inlet, float(table[-1, 0]), len(cards["SEGMENT"]))


def read_cards(text: str) -> tuple[dict[str, list[list[str]]], dict[str, np.ndarray]]:
    """Return the lines of a deck, split into words, by their first word; its data tables."""
    rows = [line.split("#")[0].split() for line in text.splitlines()]
    rows = [row for row in rows if row]
    cards: dict[str, list[list[str]]] = {}
    for row in rows:
        cards.setdefault(row[0], []).append(row)
    return cards, _tables(rows)


def _tables(rows: list[list[str]]) -> dict[str, np.ndarray]:
    tables: dict[str, np.ndarray] = {}
    name, values = "", []  # type: tuple[str, list[list[float]]]
    for row in rows:
        if row[0] == "DATATABLE":
            name, values = row[1], []
        elif row[0] == "ENDDATATABLE":
            tables[name], name = np.array(values), ""
        elif name:
            values.append([float(row[0]), float(row[1])])
    return tables


def _chains(
    cards: dict[str, list[list[str]]], tables: dict[str, np.ndarray], venous_factor: float
) -> tuple[list[list[list[str]]], dict[int, Bed]]:
    """Join segments end to end; node numbers go into columns 5 and 6 of the first segment."""
    segments = {int(row[2]): list(row) for row in cards["SEGMENT"]}
    entering = {row[1]: [int(x) for x in row[3:]] for row in cards["JOINTINLET"]}
    leaving = {row[1]: [int(x) for x in row[3:]] for row in cards["JOINTOUTLET"]}
    follows: dict[int, int] = {}
    start = dict.fromkeys(segments, -1)
    end: dict[int, int] = {}
    for node, joint in enumerate(cards["JOINT"]):
        inside, outside = entering[joint[3]], leaving[joint[4]]
        first, second = segments[inside[0]], segments[outside[0]]
        same = abs(float(first[8]) / float(second[7]) - 1.0) < 1e-9
        plain = first[11] == second[11] == "NONE"
        if len(inside) == len(outside) == 1 and same and plain:
            follows[inside[0]] = outside[0]
            continue
        start.update(dict.fromkeys(outside, node))
        end.update(dict.fromkeys(inside, node))
    heads = [s for s in segments if s not in follows.values()]
    chains, beds = [], {}
    for head in heads:
        chain = [head]
        while chain[-1] in follows:
            chain.append(follows[chain[-1]])
        last = segments[chain[-1]]
        node = end.get(chain[-1], len(cards["JOINT"]) + head)
        if chain[-1] not in end:
            beds[node] = _bed(last[15], tables.get(last[16]), venous_factor)
        rows = [segments[s] for s in chain]
        rows[0][5], rows[0][6] = str(start[head]), str(node)
        chains.append(rows)
    return chains, beds


def _vessel(
    chain: list[list[str]], wall: list[float], blood: Blood, before: list[str] | None
) -> ElasticVessel:
    reference, order, k1, k2, k3 = wall
    position = np.concatenate([[0.0], np.cumsum([float(row[3]) for row in chain])])
    area = [float(chain[0][7])] + [float(row[8]) for row in chain]
    radius = 10.0 * np.sqrt(np.array(area) / np.pi)
    viscous, jet = 0.0, 0.0
    if chain[0][11] == "STENOSIS" and before is not None:
        viscous, jet = _stenosis(chain[0], blood, float(before[8]), round(order))
    elif chain[0][11] != "NONE":
        message = f"segment {chain[0][1]}: loss of kind {chain[0][11]} is not known here"
        raise GeometryError(message)
    return ElasticVessel(
        name=chain[0][1],
        start=int(chain[0][5]),
        end=int(chain[0][6]),
        position_mm=10.0 * position,
        radius_mm=radius,
        stiffness_mmhg=olufsen_stiffness_mmhg(radius, (0.1 * k1, 100.0 * k2, 0.1 * k3)),
        law="olufsen",
        reference_pressure_mmhg=reference * MMHG_PER_BARYE,
        profile_order=round(order),
        inlet_viscous_loss_mmhg_min_ml=viscous,
        inlet_jet_loss_mmhg=jet,
    )


def _stenosis(row: list[str], blood: Blood, wide_cm2: float, order: int) -> tuple[float, float]:
    """Return the loss at the inlet of a stenosed segment, its own friction taken off.

    Seeley & Young, Journal of Biomechanics 1976;9:439, as svOneDSolver has it:
    K_v = 32 (0.83 L + 1.64 D1)/D0 (S0/S1)^2, K_t = 1.52, 0 the segment before, 1 this one.
    """
    s0, s1, length = 1e-4 * wide_cm2, 1e-4 * float(row[7]), 1e-2 * float(row[3])
    d0, d1 = 2.0 * np.sqrt(s0 / np.pi), 2.0 * np.sqrt(s1 / np.pi)
    mu, rho = blood.viscosity_pa_s, blood.density_kg_m3
    kv = 32.0 * (0.83 * length + 1.64 * d1) / d0 * (s0 / s1) ** 2
    own = 2.0 * (order + 2) * np.pi * mu * length / s1**2
    viscous = kv * mu / (s0 * d0) - own
    jet = YOUNG_TSAI_EXPANSION * rho / (2.0 * s0**2) * (s0 / s1 - 1.0) ** 2
    return viscous / PA_S_M3_PER_MMHG_MIN_ML, jet / PA_S2_M6_PER_JET_MMHG


def _bed(kind: str, table: np.ndarray | None, venous_factor: float) -> Bed:
    if table is None:
        message = f"a boundary of kind {kind} has no table"
        raise GeometryError(message)
    value = table[:, 1]
    if kind == "RESISTANCE":
        return Resistance(float(value[0]) * RESISTANCE_CGS)
    if kind == "RCR":
        near, c, far = (float(x) for x in value[:3])
        return Windkessel(far * RESISTANCE_CGS, c * COMPLIANCE_CGS, near * RESISTANCE_CGS)
    if kind == "CORONARY":
        ra, ram, ca, cim, rv = (float(x) for x in value[:5])
        return CoronaryBed(
            ra * RESISTANCE_CGS,
            ram * RESISTANCE_CGS,
            rv * RESISTANCE_CGS,
            ca * COMPLIANCE_CGS,
            cim * COMPLIANCE_CGS,
            table[6:, 0],
            table[6:, 1] * MMHG_PER_BARYE,
            float(value[VENOUS_ROW]) * venous_factor * MMHG_PER_BARYE,
        )
    message = f"a boundary of kind {kind} is not known"
    raise GeometryError(message)
