"""Do pulses in the 1D solver run, split and return as exact wave theory says?"""

from __future__ import annotations

import math

import numpy as np

from solvers.elastic.beds import Reflection
from solvers.elastic.inlet import Inlet
from solvers.elastic.network import ElasticNetwork, ElasticVessel
from solvers.elastic.pulse import PulsatileSolution, run_cycles
from solvers.units import PA_PER_MMHG
from validation.one_d_setting import (
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
