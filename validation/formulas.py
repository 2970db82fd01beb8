"""What the field's closed formulas say about a pressure drop; for comparison only.

Each takes one way through a vessel (path length, lumen radius and flow of its points) and
its lesions, and returns the static pressure drop between two path lengths in mmHg.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq

from meshes.arrays import Floats
from solvers.bends import curvature_1_m
from solvers.blood import Blood
from solvers.units import M3_S_PER_ML_MIN, M_PER_MM, PA_PER_MMHG

EXPANSION = 1.52  # Seeley & Young, Journal of Biomechanics 1976;9:439
DEVELOPED = 0.05  # unsheared core below which Huo & Kassab call the flow developed


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """One way from the inlet to an outlet.

    Parameters
    ----------
    points_mm, s_mm, radius_mm, flow_ml_min
        Centreline (n, 3), path length, lumen radius and flow, shape (n,).
    lesions_mm
        Start and end of each lesion.
    """

    points_mm: Floats
    s_mm: Floats
    radius_mm: Floats
    flow_ml_min: Floats
    lesions_mm: tuple[tuple[float, float], ...]


def poiseuille_drop(way: Way, up_mm: float, down_mm: float, blood: Blood) -> float:
    """Developed friction in the true radius, and Bernoulli between the two stations."""
    return _friction(way, up_mm, down_mm, blood) + _bernoulli(way, up_mm, down_mm, blood)


def poiseuille_and_expansion(way: Way, up_mm: float, down_mm: float, blood: Blood) -> float:
    """The same and 1.52 rho/2 (u_s - u_0)^2 for each lesion ("Itu" in the reference)."""
    jets = sum(_jet(way, lesion, blood) for lesion in _between(way, up_mm, down_mm))
    return poiseuille_drop(way, up_mm, down_mm, blood) + jets / PA_PER_MMHG


def young_tsai_drop(way: Way, up_mm: float, down_mm: float, blood: Blood) -> float:
    """Young & Tsai (Journal of Biomechanics 1973;6:395) for lesions, Poiseuille elsewhere."""
    drop = poiseuille_drop(way, up_mm, down_mm, blood)
    for start, end in _between(way, up_mm, down_mm):
        drop -= _friction(way, start, end, blood)
        r0, rs, flow = _lesion(way, (start, end))
        a0, d0, ratio = math.pi * r0**2, 2.0 * r0, (r0 / rs) ** 2
        reach = 0.83 * (end - start) * M_PER_MM + 1.64 * 2.0 * rs
        viscous = 32.0 * reach / d0 * ratio**2 * blood.viscosity_pa_s / (a0 * d0) * flow
        drop += (viscous + _jet(way, (start, end), blood)) / PA_PER_MMHG
    return drop


def huo_kassab(way: Way, up_mm: float, down_mm: float, blood: Blood) -> float:
    """Huo, Svendsen, Choy, Zhang & Kassab (Journal of the Royal Society Interface 2012).

    The friction and expansion of a lesion follow from the unsheared core of the flow that
    develops in it; Poiseuille elsewhere.
    """
    drop = poiseuille_drop(way, up_mm, down_mm, blood)
    mu, rho = blood.viscosity_pa_s, blood.density_kg_m3
    for start, end in _between(way, up_mm, down_mm):
        drop -= _friction(way, start, end, blood)
        r0, rs, flow = _lesion(way, (start, end))
        a0, a_s, length = math.pi * r0**2, math.pi * rs**2, (end - start) * M_PER_MM
        core = _core(math.pi * mu * length / (rho * flow))
        narrow, wide = 1.0 / a_s, 1.0 / a0
        friction = rho * flow**2 / (2.0 * a_s**2) * 96.0 / 5.0 * _developing(core)
        if core > DEVELOPED:
            late = 2.0 * (narrow - wide) * (narrow - wide / 3.0) - (narrow - wide) ** 2
            jet = rho * flow**2 / 2.0 * ((narrow - wide) ** 2 + late * (1.0 - core) ** 2)
        else:
            rest = length - _entrance_share(DEVELOPED) * rho * flow / (math.pi * mu)
            friction += 8.0 * math.pi * mu * flow * max(rest, 0.0) / a_s**2
            jet = rho * flow**2 / 2.0 * (narrow - wide) * (narrow - wide / 3.0)
        drop += (friction + jet) / PA_PER_MMHG
    return drop


def dlp(way: Way, up_mm: float, down_mm: float, blood: Blood) -> float:
    """Distributed lumped parameters (Mirramezani & Shadden, Annals of Biomedical Engineering
    2020): friction raised by bends, 1.52 expansion at each local minimum of the area.
    """
    s, r = way.s_mm * M_PER_MM, way.radius_mm * M_PER_MM
    flow = way.flow_ml_min * M3_S_PER_ML_MIN
    reynolds = 2.0 * flow * blood.density_kg_m3 / (math.pi * r * blood.viscosity_pa_s)
    k = reynolds * np.sqrt(r * curvature_1_m(way.points_mm * M_PER_MM, s, r))
    k14 = np.maximum(k, 14.0)
    bend = 0.1033 * np.sqrt(k14) * (np.sqrt(1 + 1.729 / k14) - 1.315 / np.sqrt(k14)) ** -3
    bend = np.where(k < 14.0, 1.0, np.maximum(bend, 1.0))
    gradient = 8.0 * blood.viscosity_pa_s * flow / (math.pi * r**4) * bend
    integral = np.concatenate(
        [[0.0], np.cumsum((gradient[1:] + gradient[:-1]) / 2 * np.diff(s))]
    )
    low, high = np.interp([up_mm, down_mm], way.s_mm, integral)
    jets = sum(_jet(way, lesion, blood) for lesion in _between(way, up_mm, down_mm))
    return float(high - low + jets) / PA_PER_MMHG + _bernoulli(way, up_mm, down_mm, blood)


def _friction(way: Way, start_mm: float, end_mm: float, blood: Blood) -> float:
    """Poiseuille between two path lengths [mmHg], the radius linear between points."""
    fine = np.linspace(start_mm, end_mm, 4001)
    r = np.interp(fine, way.s_mm, way.radius_mm) * M_PER_MM
    flow = np.interp(fine, way.s_mm, way.flow_ml_min) * M3_S_PER_ML_MIN
    gradient = 8.0 * blood.viscosity_pa_s * flow / (math.pi * r**4)
    return float(np.trapezoid(gradient, fine * M_PER_MM)) / PA_PER_MMHG


def _bernoulli(way: Way, up_mm: float, down_mm: float, blood: Blood) -> float:
    ends = np.array([up_mm, down_mm])
    area = math.pi * (np.interp(ends, way.s_mm, way.radius_mm) * M_PER_MM) ** 2
    speed = np.interp(ends, way.s_mm, way.flow_ml_min) * M3_S_PER_ML_MIN / area
    return float(blood.density_kg_m3 / 2.0 * (speed[1] ** 2 - speed[0] ** 2)) / PA_PER_MMHG


def _between(way: Way, up_mm: float, down_mm: float) -> list[tuple[float, float]]:
    return [(a, b) for a, b in way.lesions_mm if a >= up_mm and b <= down_mm]


def _lesion(way: Way, lesion: tuple[float, float]) -> tuple[float, float, float]:
    """Healthy radius (of the mean of both ends' areas), throat radius [m] and flow [m3/s]."""
    ends = np.interp(lesion, way.s_mm, way.radius_mm)
    inside = (way.s_mm >= lesion[0]) & (way.s_mm <= lesion[1])
    flow = float(np.interp(sum(lesion) / 2, way.s_mm, way.flow_ml_min)) * M3_S_PER_ML_MIN
    healthy = float(np.sqrt(np.mean(ends**2))) * M_PER_MM
    return healthy, float(way.radius_mm[inside].min()) * M_PER_MM, flow


def _jet(way: Way, lesion: tuple[float, float], blood: Blood) -> float:
    r0, rs, flow = _lesion(way, lesion)
    gain = (1.0 / rs**2 - 1.0 / r0**2) / math.pi
    return EXPANSION * blood.density_kg_m3 / 2.0 * (flow * gain) ** 2


def _entrance_share(core: float) -> float:
    def integrand(x: float) -> float:
        top = (1 - x) * (6 + x) * (1 + 4 * x + 9 * x**2 + 4 * x**3)
        return top / (5 * x * (3 + 2 * x) * (3 + 2 * x + x**2) ** 2)

    return float(quad(integrand, core, 1.0)[0])


def _developing(core: float) -> float:
    def integrand(x: float) -> float:
        return (1 + 4 * x + 9 * x**2 + 4 * x**3) / (x * (3 + 2 * x) * (3 + 2 * x + x**2) ** 2)

    return float(quad(integrand, max(core, DEVELOPED), 1.0)[0])


def _core(length: float) -> float:
    """Radius fraction of the unsheared core at the end of a lesion of dimensionless length."""
    if _entrance_share(DEVELOPED) <= length:
        return DEVELOPED
    return float(brentq(lambda a: _entrance_share(a) - length, DEVELOPED, 1.0 - 1e-9))
