"""Does the 1D solver keep steady flows, rest, mass and energy? And decks of svOneDSolver?"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from solvers.blood import Blood
from solvers.elastic.beds import Reflection, Resistance, Windkessel
from solvers.elastic.inlet import Inlet
from solvers.elastic.network import ElasticVessel
from solvers.elastic.pulse import run_cycles, run_to_periodicity
from solvers.elastic.svoned import parse_svoned
from solvers.units import M3_S_PER_ML_MIN, M_PER_MM, PA_PER_MMHG, PA_S_M3_PER_MMHG_MIN_ML
from validation.one_d_setting import BLOOD, INVISCID, STIFF_MMHG, Row, alone, row, tube


def poiseuille_rows() -> list[Row]:
    """Steady drop of a stiff tube and of a stiff cone, for three velocity profiles."""
    rows = []
    for order, share in ((1, 0.75), (2, 1.0), (9, 2.75)):
        vessel = tube(50.0, 1.5, STIFF_MMHG, profile_order=order, reference_pressure_mmhg=110.0)
        solved = run_to_periodicity(
            alone(vessel, Resistance(0.5, 60.0)), BLOOD, 0.2,
            Inlet(np.zeros(1), flow_ml_min=np.full(1, 100.0)), samples=4,
            tolerance_percent=1e-6,
        )  # fmt: skip
        drop = solved.pressure_mmhg[0][-1, 0] - solved.pressure_mmhg[0][-1, -1]
        q = 100.0 * M3_S_PER_ML_MIN
        exact = 8 * math.pi * BLOOD.viscosity_pa_s * 0.05 * q / (math.pi * 1.5e-3**2) ** 2
        rows.append(
            row("Poiseuille", f"drop, profile n = {order}, Pa", drop * PA_PER_MMHG,
                share * exact, 0.02)
        )  # fmt: skip
    return rows


def taper_rows() -> list[Row]:
    """Rest in a tapered vessel, and the Bernoulli drop of a frictionless cone."""
    cone = tube(40.0, (2.0, 1.0), 1500.0, momentum="flat")
    still = run_cycles(
        alone(cone, Reflection(100.0)), BLOOD, 0.1,
        Inlet(np.zeros(1), pressure_mmhg=np.full(1, 40.0)), samples=2,
        initial_pressure_mmhg=40.0,
    )  # fmt: skip
    motion = float(np.abs(still.flow_ml_min[0]).max())
    rows = [Row("Rest in a cone", "largest flow, mL/min", f"{motion:.1e}", "0", motion, 1e-8)]
    hard = tube(40.0, (2.0, 1.0), STIFF_MMHG, momentum="flat", reference_pressure_mmhg=75.0)
    solved = run_to_periodicity(
        alone(hard, Resistance(0.5)), INVISCID, 0.2,
        Inlet(np.zeros(1), flow_ml_min=np.full(1, 150.0)), samples=4, tolerance_percent=1e-6,
    )  # fmt: skip
    drop = (solved.pressure_mmhg[0][-1, 0] - solved.pressure_mmhg[0][-1, -1]) * PA_PER_MMHG
    q = 150.0 * M3_S_PER_ML_MIN
    areas = np.pi * np.array([2e-3, 1e-3]) ** 2
    exact = 0.5 * INVISCID.density_kg_m3 * q**2 * (1 / areas[1] ** 2 - 1 / areas[0] ** 2)
    rows.append(row("Bernoulli in a cone", "drop, Pa", drop, exact, 2.0))
    waist = ElasticVessel(
        "waist", 0, 1, np.array([0.0, 10.0, 40.0]), np.array([2.0, 1.0, 2.0]),
        np.full(3, STIFF_MMHG), momentum="flat", reference_pressure_mmhg=75.0,
    )  # fmt: skip
    solved = run_to_periodicity(
        alone(waist, Resistance(0.5)), INVISCID, 0.2,
        Inlet(np.zeros(1), pressure_mmhg=np.full(1, 75.0)), samples=4, tolerance_percent=1e-6,
        cell_mm=5.0,
    )  # fmt: skip
    found = solved.entered_ml / 0.2 * 60.0
    rows.append(
        row("Head kept through a waist, 5 mm cells", "flow, mL/min", found, 150.0, 0.05)
    )
    thick = Blood(0.04, 1.0)  # hardly any inertia: what is left is friction
    solved = run_to_periodicity(
        alone(hard, Resistance(0.01)), thick, 0.2,
        Inlet(np.zeros(1), pressure_mmhg=np.full(1, 75.0)), samples=4, tolerance_percent=1e-6,
        cell_mm=20.0,
    )  # fmt: skip
    whole = 8.0 * thick.viscosity_pa_s * 0.04 / np.pi / (3.0 * (2e-3 - 1e-3))
    own = whole * (1 / 1e-3**3 - 1 / 2e-3**3) / PA_S_M3_PER_MMHG_MIN_ML
    found = solved.entered_ml / 0.2 * 60.0
    return [
        *rows,
        row("Friction in a cone, two cells", "flow, mL/min", found, 75 / (own + 0.01), 0.5),
    ]


def budget_rows() -> list[Row]:
    """Mass of a cycle to rounding; mean power in, out and lost to friction."""
    period = 0.8
    t = np.linspace(0.0, period, 201)
    flow = 80.0 + 60.0 * np.sin(2 * np.pi * t / period)
    vessel = tube(120.0, (1.6, 1.3), 700.0, momentum="flat", reference_pressure_mmhg=80.0)
    solved = run_to_periodicity(
        alone(vessel, Windkessel(0.9, 5e-3, 0.1)), BLOOD, period, Inlet(t, flow_ml_min=flow),
        samples=400, tolerance_percent=1e-4,
    )  # fmt: skip
    lost = solved.entered_ml - solved.left_ml - solved.stored_ml
    x, p, q = solved.position_mm[0], solved.pressure_mmhg[0], solved.flow_ml_min[0]
    area = np.pi * 1e-6 * np.interp(x, [0, 120], [1.6, 1.3]) ** 2
    area = area * (1.0 + (p - 80.0) / 700.0) ** 2
    si = q * M3_S_PER_ML_MIN
    head = p * PA_PER_MMHG + 0.5 * BLOOD.density_kg_m3 * (si / area) ** 2
    mean = np.asarray(np.trapezoid(head * si, solved.time_s, axis=0)) / period
    rate = 8 * np.pi * BLOOD.viscosity_pa_s * si**2 / area**2
    friction = np.asarray(np.trapezoid(rate, solved.time_s, axis=0))
    taken = float(np.trapezoid(friction / period, x * M_PER_MM))
    return [
        Row("Mass", "entered - left - stored, mL", f"{lost:.1e}", "0",
            100.0 * lost / solved.entered_ml, 1e-10),
        row("Energy", "mean power lost, W", float(mean[0] - mean[-1]), taken, 0.2),
    ]  # fmt: skip


def svoned_rows(shared: Path) -> list[Row]:
    """Decks of svOneDSolver: a stenosed tube with a closed form, the left coronary tree."""
    folder = shared / "data" / "svoned_left_coronary"
    deck = parse_svoned((folder / "tube_stenosis_r.in").read_text())
    solved = run_to_periodicity(
        deck.network, deck.blood, 0.2, deck.inlet, cell_mm=20.0, samples=4,
        tolerance_percent=1e-4,
    )  # fmt: skip
    found = solved.pressure_mmhg[0][-1, 0] * PA_PER_MMHG * 10.0
    rows = [row("Stenosed tube", "inlet pressure, dyn/cm2", found, 10150.682, 0.001)]
    text = (folder / "Left_coronary_inlet_pressure_wave_outlet_coronary.in").read_text()
    deck = parse_svoned(text, venous_factor=-1.0)
    means = {}
    for cell in (0.5, 1.0, 2.0):
        solved = run_to_periodicity(
            deck.network, deck.blood, deck.period_s, deck.inlet, cell_mm=cell,
            least_cell_mm=cell / 2,
        )  # fmt: skip
        means[cell] = float(solved.flow_ml_min[0][:-1, 0].mean()) / 60.0
        case = f"Left coronary deck, {cell:g} mm"
        rows.append(row(case, "inlet flow against svOneDSolver, mL/s", means[cell], 2.260, 1.0))
    for cell in (1.0, 2.0):
        rows.append(row("Left coronary deck", f"flow, {cell:g} mm cells against 0.5 mm",
                        means[cell], means[0.5], 0.05))  # fmt: skip
    return rows
