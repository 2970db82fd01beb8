"""Which equations each kind of element obeys.

Elements, their order of equations and names of values are those of svZeroDSolver
(Menon et al., Journal of Open Source Software 2025; documentation and residuals at
simvascular.github.io, BSD-3). Local variables: P, Q of each inlet, P, Q of each outlet,
then inner ones; of a vessel P_in 0, Q_in 1, P_out 2, Q_out 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from solvers.errors import NetworkError
from solvers.kernels.lumped import (
    EXPONENTIAL,
    GATED,
    LAGGED,
    QUADRATIC,
    QUADRATIC_STORE,
    SPHERE,
    STEP_VALVE,
    TANH_VALVE,
)
from solvers.lumped.activation import double_tanh, elastance, wrapping_cosine
from solvers.lumped.stamps import Group

ANY = -1


def blood_vessel(g: Group) -> None:
    """R and quadratic loss, C behind them, then L."""
    r, c, ind = g["R_poiseuille"], g.value("C", 0.0), g.value("L", 0.0)
    s = g.value("stenosis_coefficient", 0.0)
    g.e(0, 3, -ind)
    g.e(1, 0, -c)
    g.e(1, 1, c * r)
    g.f(0, 0, 1.0)
    g.f(0, 1, -r)
    g.f(0, 2, -1.0)
    g.f(1, 1, 1.0)
    g.f(1, 3, -1.0)
    if s.any():
        g.term(QUADRATIC, 0, [1], [(0, 1)], [s])
        if c.any():
            g.term(QUADRATIC_STORE, 1, [1], [(1, 1)], [s * c])


def blood_vessel_crl(g: Group) -> None:
    """C first, then R, quadratic loss and L."""
    s = g.value("stenosis_coefficient", 0.0)
    g.e(0, 3, -g.value("L", 0.0))
    g.e(1, 0, -g.value("C", 0.0))
    g.f(0, 0, 1.0)
    g.f(0, 2, -1.0)
    g.f(0, 3, -g["R_poiseuille"])
    g.f(1, 1, 1.0)
    g.f(1, 3, -1.0)
    if s.any():
        g.term(QUADRATIC, 0, [3], [(0, 3)], [s])


def blood_vessel_rc(g: Group) -> None:
    """Pulmonary bed of the closed loop: C, then R; what C stores is not passed on."""
    r = g["Rpd"]
    g.e(0, 0, g["Cp"])
    g.f(0, 0, 1.0 / r)
    g.f(0, 1, -1.0)
    g.f(0, 2, -1.0 / r)
    g.f(1, 1, 1.0)
    g.f(1, 3, -1.0)


def junction(g: Group) -> None:
    """One pressure; what flows in flows out."""
    last = g.inlets + g.outlets - 1
    for i in range(last):
        g.f(i, 0, 1.0)
        g.f(i, 2 * i + 2, -1.0)
    _mass(g, last)


def resistive_junction(g: Group) -> None:
    """A resistance between each vessel and an inner pressure."""
    r = g.listed("R", g.inlets + g.outlets)
    centre = 2 * (g.inlets + g.outlets)
    for i in range(g.inlets + g.outlets):
        sign = 1.0 if i < g.inlets else -1.0
        g.f(i, 2 * i, sign)
        g.f(i, 2 * i + 1, -r[:, i])
        g.f(i, centre, -sign)
    _mass(g, g.inlets + g.outlets)


def vessel_junction(g: Group) -> None:
    """Each outlet with its own R, L and quadratic loss."""
    r = g.listed("R_poiseuille", g.outlets)
    ind = g.listed("L", g.outlets, 0.0)
    s = g.listed("stenosis_coefficient", g.outlets, 0.0)
    _mass(g, 0)
    for i in range(g.outlets):
        g.f(i + 1, 3 + 2 * i, -r[:, i])
        g.f(i + 1, 0, 1.0)
        g.f(i + 1, 2 + 2 * i, -1.0)
        g.e(i + 1, 3 + 2 * i, -ind[:, i])
        if s[:, i].any():
            g.term(QUADRATIC, i + 1, [3 + 2 * i], [(i + 1, 3 + 2 * i)], [s[:, i]])


def _mass(g: Group, equation: int) -> None:
    for i in range(g.inlets + g.outlets):
        g.f(equation, 2 * i + 1, 1.0 if i < g.inlets else -1.0)


def flow(g: Group) -> None:
    """The flow is given."""
    g.f(0, 1, 1.0)
    g.c(0, -g["Q"])


def pressure(g: Group) -> None:
    """The pressure is given."""
    g.f(0, 0, 1.0)
    g.c(0, -g["P"])


def resistance(g: Group) -> None:
    """P - R Q = Pd."""
    g.f(0, 0, 1.0)
    g.f(0, 1, -g["R"])
    g.c(0, -g["Pd"])


def windkessel(g: Group) -> None:
    """Rp, then C to ground and Rd to Pd; empty of C in the steady start."""
    rd = g["Rd"]
    c = g["C"] * (0.0 if g.clock.steady else 1.0)
    g.f(0, 0, 1.0)
    g.f(0, 1, -g["Rp"])
    g.f(0, 2, -1.0)
    g.e(1, 2, -rd * c)
    g.f(1, 1, rd)
    g.f(1, 2, -1.0)
    g.c(1, g.value("Pd", 0.0))


def closed_rcr(g: Group) -> None:
    """Windkessel whose end is another link."""
    g.e(0, 4, g["C"] * (0.0 if g.clock.steady else 1.0))
    g.f(0, 1, -1.0)
    g.f(0, 3, 1.0)
    g.f(1, 0, 1.0)
    g.f(1, 1, -g["Rp"])
    g.f(1, 4, -1.0)
    g.f(2, 2, -1.0)
    g.f(2, 3, -g["Rd"])
    g.f(2, 4, 1.0)


def coronary(g: Group) -> None:
    """Coronary bed of Kim et al. (Annals of Biomedical Engineering 2010;38:3195).

    Ra - (Ca to ground) - Ram - (Cim to Pim) - Rv - Pv; inner variable: volume of Cim since
    the start. Ram is [(sqrt(max) - sqrt(min)) e(t) + sqrt(min)]^2 in CORONARY_VAR_RES.
    """
    ra, rv, pv = g["Ra1"], g["Rv1"], g["P_v"]
    ram = micro_resistance(g)
    if g.clock.steady:
        g.f(0, 2, 1.0)
        g.f(1, 0, -1.0)
        g.f(1, 1, ra + ram + rv)
        g.c(1, pv)
        return
    ca, cim = g["Ca"], g["Cc"]
    pim = g["Pim"] + g.memory
    g.e(0, 0, -ca * cim * rv)
    g.e(0, 1, ra * ca * cim * rv)
    g.e(0, 2, -cim * rv)
    g.e(1, 2, -cim * rv * ram)
    g.f(0, 1, cim * rv)
    g.f(0, 2, -1.0)
    g.f(1, 0, cim * rv)
    g.f(1, 1, -cim * rv * ra)
    g.f(1, 2, -(rv + ram))
    g.c(0, cim * (pv - pim))
    g.c(1, ram * cim * pv - cim * (rv + ram) * pim)


def micro_resistance(g: Group) -> np.ndarray:
    """Resistance of the small vessels, in CORONARY_VAR_RES squeezed by the contraction."""
    if "Ra2" in g.blocks[0].values:
        return g["Ra2"]
    low, high = np.sqrt(g["Ra2_min"]), np.sqrt(g["Ra2_max"])
    if g.clock.steady:
        return np.asarray(low**2)
    t = np.mod(g.clock.time_s, g.clock.cycle_s)[:, None]
    contract, relax = g["T_vc"], g["T_vr"]
    rise = 0.5 - 0.5 * np.cos(np.pi * t / contract)
    fall = 0.5 + 0.5 * np.cos(np.pi * (t - contract) / relax)
    e = np.where(t <= contract, rise, np.where(t <= contract + relax, fall, 0.0))
    return np.asarray((low + (high - low) * e) ** 2)


def closed_coronary(g: Group) -> None:
    """Coronary bed that a ventricle squeezes and that drains into another link."""
    if g.heart is None:
        message = f"{g.blocks[0].kind} {g.blocks[0].name!r} needs a closed-loop heart"
        raise NetworkError(message)
    ra, ram, rv, ca, cim = (g[name] for name in ("Ra", "Ram", "Rv", "Ca", "Cim"))
    heart, variables = g.heart
    left = g.blocks[0].kind == "ClosedLoopCoronaryLeft"
    share = float(heart.values["iml" if left else "imr"])  # type: ignore[arg-type]
    ventricle = np.full(len(g.blocks), variables[13 if left else 6])
    g.e(0, 0, -ram * ca)
    g.e(0, 1, ram * ra * ca)
    g.e(1, 0, -ca)
    g.e(1, 1, ca * ra)
    g.e(1, 4, -1.0)
    g.f(0, 0, -1.0)
    g.f(0, 1, ra + ram)
    g.f(0, 2, 1.0)
    g.f(0, 3, rv)
    g.f(1, 1, 1.0)
    g.f(1, 3, -1.0)
    g.f(2, 2, cim)
    g.f(2, 3, cim * rv)
    g.f(2, 4, -1.0)
    g.lagged(LAGGED, 2, ventricle, -cim * share)


def heart(g: Group) -> None:
    """Four chambers, four ideal valves and the lungs (Sankaran 2012, Menon 2023)."""
    v = {name: g[name] for name in HEART}
    period = g.clock.cycle_s
    t = np.mod(g.clock.time_s, period)
    atria = wrapping_cosine(t, period, float(v["Tsa"][0]), float(v["tpwave"][0]))[:, None]
    ventricles = elastance(t, period)[:, None]
    g.f(0, 0, 1.0)
    g.e(1, 2, v["Cpa"])
    g.f(1, 3, 1.0)
    g.e(2, 4, 1.0)
    g.f(2, 1, -1.0)
    g.e(3, 5, v["Lra_v"])
    g.f(3, 0, -1.0)
    g.f(3, 6, 1.0)
    g.f(4, 6, 1.0)
    g.e(5, 7, 1.0)
    g.e(6, 8, v["Lrv_a"])
    g.f(6, 6, -1.0)
    g.f(6, 9, 1.0)
    g.e(7, 9, v["Cp"])
    g.f(7, 9, 1.0 / v["Rpd"])
    g.f(7, 10, -1.0 / v["Rpd"])
    g.f(8, 10, 1.0)
    g.e(9, 11, 1.0)
    g.e(10, 12, v["Lla_v"])
    g.f(10, 10, -1.0)
    g.f(10, 13, 1.0)
    g.f(11, 13, 1.0)
    g.e(12, 14, 1.0)
    g.f(13, 2, 1.0)
    g.f(13, 13, -1.0)
    g.e(13, 15, v["Llv_a"])
    for equation, volume, side in ((0, 4, "ra"), (8, 11, "la")):
        top, rest = v[f"Emax_{side}"], v[f"Vaso_{side}"]
        g.f(equation, volume, -atria * top)
        g.c(equation, atria * top * rest)
        numbers = [atria - 1.0, v[f"Kxp_{side}"], v[f"Kxv_{side}"], rest]
        g.term(EXPONENTIAL, equation, [volume], [(equation, volume)], numbers)
    for equation, volume, side in ((4, 7, "rv"), (11, 14, "lv")):
        stiff = ventricles * v[f"E{side}_s"]
        g.f(equation, volume, -stiff)
        g.c(equation, stiff * v[f"V{side}_u"])
    for before, behind, q, name, filling, emptying in VALVES:
        gate = len(g.sheet.gates)
        g.sheet.gates.append(tuple(int(g.variables[k, 0]) for k in (before, behind, q)))  # type: ignore[arg-type]
        resistance_at = {5: 3, 8: 6, 12: 10, 15: 13}[q]
        g.gated(GATED, resistance_at, gate, q, v[name])
        for equation in emptying:
            g.gated(GATED, equation, gate, q, 1.0)
        for equation in filling:
            g.gated(GATED, equation, gate, q, -1.0)


HEART = (
    "Tsa", "tpwave", "Erv_s", "Elv_s", "iml", "imr", "Lra_v", "Rra_v", "Lrv_a", "Rrv_a",
    "Lla_v", "Rla_v", "Llv_a", "Rlv_ao", "Vrv_u", "Vlv_u", "Rpd", "Cp", "Cpa", "Kxp_ra",
    "Kxv_ra", "Kxp_la", "Kxv_la", "Emax_ra", "Emax_la", "Vaso_ra", "Vaso_la",
)  # fmt: skip
# pressures before and behind, flow, resistance, equations the flow fills, and empties
VALVES = (
    (0, 6, 5, "Rra_v", (5,), (2,)),
    (6, 9, 8, "Rrv_a", (7, 9), (5,)),
    (10, 13, 12, "Rla_v", (12,), (9,)),
    (13, 2, 15, "Rlv_ao", (1,), (12,)),
)
HEART_INNER = (
    "V_RA", "Q_RA", "P_RV", "V_RV", "Q_RV", "P_pul", "P_LA", "V_LA", "Q_LA", "P_LV", "V_LV",
    "Q_LV",
)  # fmt: skip


def valve_tanh(g: Group) -> None:
    """A resistance that goes smoothly from Rmin to Rmax with the pressure difference.

    Inner variable: how far it is shut, 0 to 1.
    """
    low, high = g["Rmin"], g["Rmax"]
    g.f(0, 0, 1.0)
    g.f(0, 1, -0.5 * (high + low))
    g.f(0, 2, -1.0)
    g.f(1, 1, 1.0)
    g.f(1, 3, -1.0)
    g.f(2, 4, 1.0)
    slots = [(0, 1), (0, 0), (0, 2)]
    g.term(TANH_VALVE, 0, [1, 0, 2], slots, [low, high, g["Steepness"]], more=(2,))


def valve_step(g: Group) -> None:
    """Rmin forwards, Rmax backwards."""
    g.f(0, 0, 1.0)
    g.f(0, 2, -1.0)
    g.f(1, 1, 1.0)
    g.f(1, 3, -1.0)
    g.term(STEP_VALVE, 0, [1, 0, 2], [(0, 1)], [g["Rmin"], g["Rmax"]])


def chamber_inductor(g: Group) -> None:
    """P = E(t) (V - V_rest(t)), an inductance at the outlet."""
    act = g.active()
    rest_systole, rest_diastole = g["Vrs"], g["Vrd"]
    stiff = (g["Emax"] - g["Emin"]) * act + g["Emin"]
    g.f(0, 4, -stiff)
    g.c(0, stiff * ((1.0 - act) * (rest_diastole - rest_systole) + rest_systole))
    _chamber(g, g["Impedance"])


def chamber_exponential(g: Group) -> None:
    """Active linear and passive exponential pressure (atria of the closed loop)."""
    act, rest = g.active(), g["Vaso"]
    g.f(0, 4, -act * g["Emax"])
    g.c(0, act * g["Emax"] * rest)
    g.term(EXPONENTIAL, 0, [4], [(0, 4)], [act - 1.0, g["Kxp"], g["Kxv"], rest])
    _chamber(g, g["Impedance"])


def chamber_linear(g: Group) -> None:
    """P = (Epass + Emax a(t)) (V - Vrest) (Regazzoni 2022)."""
    stiff = g["Epass"] + g["Emax"] * g.active()
    g.f(0, 4, -stiff)
    g.c(0, stiff * g["Vrest"])
    _chamber(g, np.zeros(len(g.blocks)))


def _chamber(g: Group, impedance: np.ndarray) -> None:
    g.f(0, 0, 1.0)
    g.e(1, 3, -impedance)
    g.f(1, 0, 1.0)
    g.f(1, 2, -1.0)
    g.e(2, 4, -1.0)
    g.f(2, 1, 1.0)
    g.f(2, 3, -1.0)


def chamber_sphere(g: Group) -> None:
    """Thick sphere of active fibres (Caruel 2013; active stress of Pfaller 2019)."""
    t = np.mod(g.clock.time_s, g.clock.cycle_s)[:, None]
    on = double_tanh(t, g["tsys"], g["tdias"], g["steepness"])  # type: ignore[arg-type]
    act = g["alpha_max"] * on + g["alpha_min"] * (1.0 - on)
    g.e(0, 5, g["rho"] * g["thick0"])
    g.f(1, 6, -1.0)
    g.f(1, 7, 1.0)
    g.e(2, 8, -1.0)
    g.e(3, 7, 1.0)
    g.f(3, 7, np.abs(act))
    g.c(3, -np.maximum(act, 0.0) * g["sigma_max"])
    g.e(4, 4, 1.0)
    g.f(4, 5, -1.0)
    g.f(5, 1, 1.0)
    g.f(5, 3, -1.0)
    g.e(5, 8, -1.0)
    g.f(6, 0, 1.0)
    g.f(6, 2, -1.0)
    numbers = [g["radius0"], g["thick0"], g["eta"]]
    numbers += [g.value(name, 0.0) for name in ("W1", "W2", "C0", "C1", "C2", "C3")]
    slots = [(0, 2), (0, 4), (0, 6), (1, 4), (2, 4), (2, 5)]
    g.term(SPHERE, 0, [2, 4, 5, 6], slots, numbers, more=(1, 2))


@dataclass(frozen=True, slots=True)
class Kind:
    """What the assembler and the reader know of a kind of element.

    Parameters
    ----------
    stamp
        Writes the equations of a group.
    inlets, outlets
        How many links it takes, ANY for one or more; a boundary has one end of either sort.
    equations
        How many; ANY for a junction, which has one per link (and one for an inner pressure).
    inner
        Names of inner variables.
    required, optional
        Names of its values.
    """

    stamp: Callable[[Group], None]
    inlets: int
    outlets: int
    equations: int
    inner: tuple[str, ...]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


_BED = ("Ra1", "Rv1", "Ca", "Cc", "Pim", "P_v")
_CLOSED_BED = ("Ra", "Ram", "Rv", "Ca", "Cim")
_SPHERE = ("rho", "thick0", "radius0", "eta", "sigma_max", "alpha_max", "alpha_min")
_WINDING = ("C", "L", "stenosis_coefficient")
_SPHERE_INNER = ("radius", "velo", "stress", "tau", "volume")
KINDS: dict[str, Kind] = {
    "BloodVessel": Kind(blood_vessel, 1, 1, 2, (), ("R_poiseuille",), _WINDING),
    "BloodVesselCRL": Kind(blood_vessel_crl, 1, 1, 2, (), ("R_poiseuille",), _WINDING),
    "BloodVesselRC": Kind(blood_vessel_rc, 1, 1, 2, (), ("Rpd", "Cp")),
    "NORMAL_JUNCTION": Kind(junction, ANY, ANY, ANY, (), ()),
    "resistive_junction": Kind(resistive_junction, ANY, ANY, ANY, ("pressure_c",), ("R",)),
    "BloodVesselJunction": Kind(
        vessel_junction, 1, ANY, ANY, (), ("R_poiseuille",), ("L", "stenosis_coefficient")
    ),
    "FLOW": Kind(flow, 0, 0, 1, (), ("Q",)),
    "PRESSURE": Kind(pressure, 0, 0, 1, (), ("P",)),
    "RESISTANCE": Kind(resistance, 0, 0, 1, (), ("R", "Pd")),
    "RCR": Kind(windkessel, 0, 0, 2, ("pressure_c",), ("Rp", "C", "Rd"), ("Pd",)),
    "CORONARY": Kind(coronary, 0, 0, 2, ("volume_im",), (*_BED, "Ra2")),
    "CORONARY_VAR_RES": Kind(
        coronary, 0, 0, 2, ("volume_im",), (*_BED, "Ra2_min", "Ra2_max", "T_vc", "T_vr")
    ),
    "ClosedLoopRCR": Kind(closed_rcr, 1, 1, 3, ("P_c",), ("Rp", "C", "Rd")),
    "ClosedLoopCoronaryLeft": Kind(closed_coronary, 1, 1, 3, ("volume_im",), _CLOSED_BED),
    "ClosedLoopCoronaryRight": Kind(closed_coronary, 1, 1, 3, ("volume_im",), _CLOSED_BED),
    "ClosedLoopHeartAndPulmonary": Kind(heart, 1, 1, 14, HEART_INNER, HEART),
    "ValveTanh": Kind(valve_tanh, 1, 1, 3, ("valve_status",), ("Rmin", "Rmax", "Steepness")),
    "PiecewiseValve": Kind(valve_step, 1, 1, 2, (), ("Rmin", "Rmax")),
    "ChamberElastanceInductor": Kind(
        chamber_inductor, 1, 1, 3, ("Vc",), ("Emax", "Emin", "Vrd", "Vrs", "Impedance")
    ),
    "ChamberElastanceInductorExponential": Kind(
        chamber_exponential, 1, 1, 3, ("Vc",), ("Emax", "Kxp", "Kxv", "Vaso", "Impedance")
    ),
    "LinearElastanceChamber": Kind(
        chamber_linear, 1, 1, 3, ("Vc",), ("Emax", "Epass", "Vrest")
    ),
    "ChamberSphere": Kind(chamber_sphere, 1, 1, 7, _SPHERE_INNER, _SPHERE),
}  # fmt: skip
