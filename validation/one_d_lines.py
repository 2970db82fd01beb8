"""Does a harmonic in the 1D solver meet the exact linear line, its bed and Womersley's tube?"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import jv

from solvers.elastic.beds import CoronaryBed, Resistance
from solvers.elastic.inlet import Inlet
from solvers.elastic.pulse import run_to_periodicity
from solvers.units import M3_S_PER_ML_MIN, PA_PER_MMHG, PA_S_M3_PER_MMHG_MIN_ML
from validation.one_d_setting import BLOOD, Row, alone, row, tube


def line_admittance(
    omega: float,
    length_m: float,
    radius_m: float,
    beta_pa: float,
    load: complex,
    order: int = 2,
) -> complex:
    """Return Q/P at the inlet of the linear 1D equations with friction, exact."""
    area = np.pi * radius_m**2
    series = 1j * omega * BLOOD.density_kg_m3 / area
    series += 2 * (order + 2) * np.pi * BLOOD.viscosity_pa_s / area**2
    shunt = 1j * omega * 2.0 * area / beta_pa
    gamma, z = np.sqrt(series * shunt), np.sqrt(series / shunt)
    tanh = np.tanh(gamma * length_m)
    return complex((z + load * tanh) / (z * (load + z * tanh)))


def harmonic(values: np.ndarray) -> complex:
    """Return the first harmonic of one cycle sampled with both ends."""
    one = values[:-1]
    return complex(
        2.0 / one.size * np.sum(one * np.exp(-2j * np.pi * np.arange(one.size) / one.size))
    )


def line_rows() -> list[Row]:
    """A harmonic in a tube with friction and a coronary bed, against the exact line."""
    bed = CoronaryBed(0.3, 0.5, 0.15, 2e-3, 1.5e-2)
    period, beta, radius, length = 0.8, 600.0, 1.2, 120.0
    omega, unit = 2 * np.pi / period, PA_S_M3_PER_MMHG_MIN_ML
    ra, ram, rv = (x * unit for x in (0.3, 0.5, 0.15))
    ca, cim = (x * 1e-6 / PA_PER_MMHG for x in (2e-3, 1.5e-2))
    behind = 1.0 / (1.0 / rv + 1j * omega * cim) + ram
    load = ra + 1.0 / (1.0 / behind + 1j * omega * ca)
    exact = line_admittance(omega, 1e-3 * length, 1e-3 * radius, beta * PA_PER_MMHG, load)
    t = np.linspace(0.0, period, 401)
    solved = run_to_periodicity(
        alone(tube(length, radius, beta), bed), BLOOD, period,
        Inlet(t, pressure_mmhg=0.01 * np.sin(omega * t)), samples=400, tolerance_percent=1e-3,
        initial_pressure_mmhg=0.0,
    )  # fmt: skip
    ratio = harmonic(solved.flow_ml_min[0][:, 0]) / harmonic(solved.pressure_mmhg[0][:, 0])
    got = ratio * M3_S_PER_ML_MIN / PA_PER_MMHG
    turn = math.degrees(float(np.angle(got / exact)))
    return [
        row("Line into a coronary bed", "admittance, m3/(Pa s)", abs(got), abs(exact), 0.02),
        Row("Line into a coronary bed", "phase, degrees", f"{turn:.3f}", "0", turn, 0.005),
    ]


def muscle_rows() -> list[Row]:
    """The flow that a harmonic of the muscle's pressure draws from a constant one, exact."""
    period, beta, radius, length = 0.8, 600.0, 1.2, 120.0
    omega, unit = 2 * np.pi / period, PA_S_M3_PER_MMHG_MIN_ML
    t = np.linspace(0.0, period, 401)
    bed = CoronaryBed(0.3, 0.5, 0.15, 2e-3, 1.5e-2, t, 0.01 * np.cos(omega * t))
    solved = run_to_periodicity(
        alone(tube(length, radius, beta), bed), BLOOD, period,
        Inlet(np.zeros(1), pressure_mmhg=np.zeros(1)), samples=400, tolerance_percent=1e-3,
        initial_pressure_mmhg=0.0,
    )  # fmt: skip
    ra, ram, rv = (x * unit for x in (0.3, 0.5, 0.15))
    ca, cim = (1j * omega * x * 1e-6 / PA_PER_MMHG for x in (2e-3, 1.5e-2))
    pa, m = beta * PA_PER_MMHG, 1e-3
    line = 1.0 / line_admittance(omega, m * length, m * radius, pa, 0.0)  # seen from the bed
    # unknown: pressure at the vessel's end, P1, P2; flow Q = -P_end / line
    matrix = np.array(
        [
            [1.0 / line + 1.0 / ra, -1.0 / ra, 0.0],
            [-1.0 / ra, 1.0 / ra + 1.0 / ram + ca, -1.0 / ram],
            [0.0, -1.0 / ram, 1.0 / ram + 1.0 / rv + cim],
        ]
    )
    end = np.linalg.solve(matrix, np.array([0.0, 0.0, cim * 0.01 * PA_PER_MMHG]))[0]
    got = harmonic(solved.flow_ml_min[0][:, -1]) * M3_S_PER_ML_MIN
    exact = complex(-end / line)
    turn = math.degrees(float(np.angle(got / exact)))
    return [
        row("Muscle's pressure in a bed", "flow, m3/s", abs(got), abs(exact), 0.02),
        Row("Muscle's pressure in a bed", "phase, degrees", f"{turn:.3f}", "0", turn, 0.005),
    ]


def womersley_rows() -> list[Row]:
    """Where the fixed profile holds: its impedance against Womersley's in a rigid tube.

    Womersley, Journal of Physiology 1955;127:553: Q = (pi R^2 / i w rho)(-dp/dx)
    (1 - 2 J1(L)/(L J0(L))), L = i^(3/2) alpha. The quasi-steady profile is exact for
    alpha -> 0; the inertia it carries is 3/4 of the true one there.
    """
    rows = []
    for alpha, allowed in ((0.25, 0.5), (0.5, 1.0), (1.0, 5.0)):
        radius = 1.5e-3
        omega = (alpha / radius) ** 2 * BLOOD.viscosity_pa_s / BLOOD.density_kg_m3
        period = 2 * np.pi / omega
        t = np.linspace(0.0, period, 401)
        vessel = tube(100.0, 1.5, 5e3)
        solved = run_to_periodicity(
            alone(vessel, Resistance(1e-3)), BLOOD, period,
            Inlet(t, flow_ml_min=0.1 * np.sin(omega * t)), cell_mm=10.0, least_cell_mm=5.0,
            samples=400, tolerance_percent=1e-3,
        )  # fmt: skip
        p, q = solved.pressure_mmhg[0], solved.flow_ml_min[0]
        drop = harmonic(p[:, 0]) - harmonic(p[:, -1])
        got = drop / harmonic(q[:, p.shape[1] // 2]) * PA_PER_MMHG / M3_S_PER_ML_MIN
        lam = np.complex128(1j**1.5 * alpha)
        share = 1.0 - 2.0 * complex(jv(1, lam)) / (lam * complex(jv(0, lam)))
        exact = 1j * omega * BLOOD.density_kg_m3 * 0.1 / (np.pi * radius**2 * share)
        rows.append(
            row("Womersley", f"|impedance|, alpha {alpha:g}", abs(got), abs(exact), allowed)
        )
    return rows
