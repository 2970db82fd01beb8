"""Which network is svOneDSolver's left coronary deck in 0D? As a svZeroDSolver file."""

from __future__ import annotations

from typing import Any

import numpy as np

from meshes.arrays import AnyArray
from solvers.elastic.svoned import read_cards

DECK = "svoned_left_coronary/Left_coronary_inlet_pressure_wave_outlet_coronary.in"
CYCLES, POINTS = 6, 201
BED = ("Ra1", "Ra2", "Ca", "Cc", "Rv1")  # the first rows of a coronary table
WAVE_ROW = 6  # where in it the intramyocardial pressure begins


def lumped_deck(text: str, steady: bool = False, cycles: int = CYCLES) -> dict[str, Any]:
    """Return a deck of svOneDSolver, pressure at the inlet, as a svZeroDSolver configuration.

    R, C and L of each segment from its linear area: friction 6 pi mu (a profile of order 1,
    as in the deck), Olufsen's wall at the reference area. Venous pressure 0 (svOneDSolver
    adds it with the opposite sign). `steady`: all boundary values at their means.
    """
    cards, tables = read_cards(text)
    inlet = wave(tables[cards["SOLVEROPTIONS"][0][5]], "P", steady)
    boundaries = [{"bc_name": "INFLOW", "bc_type": "PRESSURE", "bc_values": inlet}]
    vessels = []
    for row in cards["SEGMENT"]:
        ends = {"inlet": "INFLOW"} if int(row[2]) == 0 else {}
        if row[15] == "CORONARY":
            ends["outlet"] = f"BED_{row[2]}"
            boundaries.append(bed(ends["outlet"], tables[row[16]], steady))
        vessels.append({
            "vessel_id": int(row[2]), "vessel_name": f"branch{row[2]}_seg0",
            "vessel_length": float(row[3]), "zero_d_element_type": "BloodVessel",
            "boundary_conditions": ends,
            "zero_d_element_values": segment(row, cards["MATERIAL"][0]),
        })  # fmt: skip
    run = {
        "number_of_cardiac_cycles": cycles,
        "number_of_time_pts_per_cardiac_cycle": 2 if steady else POINTS,
        "absolute_tolerance": 1e-8,
    }
    return {
        "simulation_parameters": run, "boundary_conditions": boundaries,
        "vessels": vessels, "junctions": junctions(cards),
    }  # fmt: skip


def junctions(cards: dict[str, list[list[str]]]) -> list[dict[str, Any]]:
    """Return the joints of a deck."""
    before = {row[1]: [int(k) for k in row[3:]] for row in cards["JOINTINLET"]}
    behind = {row[1]: [int(k) for k in row[3:]] for row in cards["JOINTOUTLET"]}
    return [
        {
            "junction_name": row[1], "junction_type": "NORMAL_JUNCTION",
            "inlet_vessels": before[row[3]], "outlet_vessels": behind[row[4]],
        }
        for row in cards["JOINT"]
    ]  # fmt: skip


def bed(name: str, table: AnyArray, steady: bool) -> dict[str, Any]:
    """Return a coronary bed."""
    values = dict(zip(BED, table[:, 1].tolist(), strict=False)) | {"P_v": 0.0}
    values |= wave(table[WAVE_ROW:], "Pim", steady)
    return {"bc_name": name, "bc_type": "CORONARY", "bc_values": values}


def wave(table: AnyArray, name: str, steady: bool) -> dict[str, list[float]]:
    """Return a waveform as values over time; its mean twice if `steady`."""
    if steady:
        mean = float(np.trapezoid(table[:, 1], table[:, 0]) / np.ptp(table[:, 0]))
        return {"t": [0.0, 1.0], name: [mean, mean]}
    return {"t": table[:, 0].tolist(), name: table[:, 1].tolist()}


def segment(row: list[str], material: list[str]) -> dict[str, float]:
    """Return R, C, L of a segment whose area runs from one end to the other linearly (CGS)."""
    length, first, last = float(row[3]), float(row[7]), float(row[8])
    density, viscosity = float(material[3]), float(material[4])
    k1, k2, k3 = (float(x) for x in material[7:10])
    at = np.linspace(0.0, 1.0, 41)
    area = first + (last - first) * at
    stiff = k1 * np.exp(k2 * np.sqrt(area / np.pi)) + k3
    return {
        "R_poiseuille": 6.0 * np.pi * viscosity * length / (first * last),
        "C": float(length * np.trapezoid(1.5 * area / stiff, at)),
        "L": float(density * length * np.trapezoid(1.0 / area, at)),
    }
