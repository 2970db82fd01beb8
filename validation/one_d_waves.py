"""Do pulses in the 1D solver run, split and return as exact wave theory says?"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import jv

from solvers.elastic.beds import CoronaryBed, Reflection, Resistance
from solvers.elastic.inlet import Inlet
from solvers.elastic.network import ElasticNetwork, ElasticVessel
from solvers.elastic.pulse import PulsatileSolution, run_cycles, run_to_periodicity
from solvers.units import M3_S_PER_ML_MIN, PA_PER_MMHG, PA_S_M3_PER_MMHG_MIN_ML
from validation.one_d_setting import (
    BLOOD,
    INVISCID,
    Row,
    alone,
    hump,
    row,
    tube,
    wave_speed_m_s,
)


def simple_wave_error(cell_mm: float, courant: float = 0.9) -> float:
    """Return the mean error of a finite simple wave against its exact solution, share of it.

    Frictionless, profile flat: behind the front u = 4 (c - c0), and the inlet's pressure at
    time tau travels with u + c (Riemann 1860; beta law).
    """
    beta, height, length, end = 400.0, 20.0, 400.0, 0.055
    t, p = hump(0.04, end, height)
    solved = run_cycles(
        alone(tube(length, 3.0, beta, momentum="flat"), Reflection(0.0)), INVISCID, end,
        Inlet(t, pressure_mmhg=p), cell_mm=cell_mm, samples=2, initial_pressure_mmhg=0.0,
        courant=courant,
    )  # fmt: skip
    fine = np.linspace(0.0, end, 20001)
    sent = height * np.where(fine < 0.04, np.sin(np.pi * fine / 0.04) ** 4, 0.0)
    c0 = wave_speed_m_s(beta)
    c = c0 * np.sqrt(1.0 + sent / beta)
    place = (5.0 * c - 4.0 * c0) * (end - fine) * 1e3
    x = solved.position_mm[0][1:-1]
    exact = np.interp(x, place[::-1], sent[::-1])
    return float(np.mean(np.abs(solved.pressure_mmhg[0][-1, 1:-1] - exact)) / height)


def order_rows() -> list[Row]:
    """Observed order of convergence on the simple wave."""
    cells = (4.0, 2.0, 1.0)
    errors = [simple_wave_error(c) for c in cells]
    return [
        Row(
            "Simple wave, order", f"{a:g} to {b:g} mm cells", f"{math.log2(e / f):.2f}", "2",
            100.0 * min(0.0, math.log2(e / f) / 2.0 - 1.0), 10.0,
        )
        for a, b, e, f in zip(cells, cells[1:], errors, errors[1:], strict=False)
    ]  # fmt: skip


def crossing_s(solved: PulsatileSolution, place: int, vessel: int = 0) -> float:
    """Return the time at which the centre of a pulse passes a column of the waves."""
    p = solved.pressure_mmhg[vessel][:, place] - solved.pressure_mmhg[vessel][0, place]
    return float(np.sum(p * solved.time_s) / np.sum(p))


def wave_speed_rows() -> list[Row]:
    """Speed of a small pulse in the Boileau tubes against c0 = sqrt(beta/2 rho)."""
    rows = []
    for name, radius, thickness, young in (
        ("CCA", 2.6485, 0.24, 700.0), ("UTA", 9.87, 0.82, 400.0), ("iliac", 5.492, 0.68, 700.0),
    ):  # fmt: skip
        beta = young * 1e3 * thickness / radius / 0.75 / PA_PER_MMHG
        c0 = wave_speed_m_s(beta)
        length = 400.0
        period = 1e-3 * length / c0 + 0.03
        t, p = hump(0.02, period, 1e-3)
        solved = run_cycles(
            alone(tube(length, radius, beta, momentum="flat"), Reflection(0.0)), INVISCID,
            period, Inlet(t, pressure_mmhg=p), samples=800, initial_pressure_mmhg=0.0,
        )  # fmt: skip
        a, b = 20, solved.position_mm[0].size // 2
        gone = solved.position_mm[0][b] - solved.position_mm[0][a]
        speed = 1e-3 * gone / (crossing_s(solved, b) - crossing_s(solved, a))
        rows.append(row("Wave speed", f"{name}, m/s", speed, c0, 0.2))
    return rows


def fork(
    parent: tuple[float, float], daughter: tuple[float, float], lengths_mm: tuple[float, float]
) -> ElasticNetwork:
    """Return a symmetric bifurcation of (radius mm, beta mmHg) tubes with open ends."""
    made = []
    for name, start, end, (radius, beta), length in (
        ("parent", 0, 1, parent, lengths_mm[0]),
        ("left", 1, 2, daughter, lengths_mm[1]),
        ("right", 1, 3, daughter, lengths_mm[1]),
    ):
        made.append(
            ElasticVessel(
                name, start, end, np.array([0.0, length]), np.full(2, radius), np.full(2, beta),
                momentum="flat",
            )
        )  # fmt: skip
    return ElasticNetwork(tuple(made), 0, {2: Reflection(), 3: Reflection()})


def reflection_rows() -> list[Row]:
    """Reflection and transmission at the aortic bifurcation of Boileau 2015, and at beds."""
    betas = [
        e * h / r / 0.75 / PA_PER_MMHG for e, h, r in ((5e5, 0.9, 7.581), (7e5, 0.68, 5.492))
    ]
    net = fork((7.581, betas[0]), (5.492, betas[1]), (400.0, 300.0))
    speeds = [wave_speed_m_s(b) for b in betas]
    admit = [np.pi * r**2 / c for r, c in zip((7.581, 5.492), speeds, strict=True)]
    exact = (admit[0] - 2 * admit[1]) / (admit[0] + 2 * admit[1])
    period = 0.4 / speeds[0] * 1.9
    t, p = hump(0.02, period, 1e-3)
    solved = run_cycles(
        net, INVISCID, period, Inlet(t, pressure_mmhg=p), samples=1000,
        initial_pressure_mmhg=0.0,
    )  # fmt: skip
    middle = solved.position_mm[0].size // 2
    wave, time_s = solved.pressure_mmhg[0][:, middle], solved.time_s
    passing = crossing_s(solved, 10) + (1e-3 * solved.position_mm[0][middle]) / speeds[0]
    first = wave[time_s < passing + 0.02]
    later = wave[time_s >= passing + 0.02]
    onward = solved.pressure_mmhg[1][:, solved.position_mm[1].size // 3]
    rows = [
        row("Bifurcation", "reflection coefficient", later.max() / first.max(), exact, 1.0),
        row(
            "Bifurcation",
            "transmission coefficient",
            onward.max() / first.max(),
            1 + exact,
            0.5,
        ),
    ]
    for share in (-50.0, 50.0, 100.0):
        rows.append(_bed_reflection(share))
    return rows


def _bed_reflection(percent: float) -> Row:
    beta = 400.0
    c0 = wave_speed_m_s(beta)
    period = 1.75 * 0.4 / c0
    t, p = hump(0.02, period, 1e-3)
    solved = run_cycles(
        alone(tube(400.0, 3.0, beta, momentum="flat"), Reflection(percent)), INVISCID, period,
        Inlet(t, pressure_mmhg=p), samples=1000, initial_pressure_mmhg=0.0,
    )  # fmt: skip
    middle = solved.position_mm[0].size // 2
    wave = solved.pressure_mmhg[0][:, middle]
    split = 0.4 / c0 + 0.01
    first, later = wave[solved.time_s < split], wave[solved.time_s >= split]
    got = float(later[np.argmax(np.abs(later))] / first.max())
    return row("Reflection at a bed", f"asked {percent:g} %", 100.0 * got, percent, 1.0)


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
        row("Line into a coronary bed", "admittance, m3/(Pa s)", abs(got), abs(exact), 0.2),
        Row("Line into a coronary bed", "phase, degrees", f"{turn:.3f}", "0", turn, 0.2),
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
