"""How much total pressure a segment costs: closures, plain functions to exchange.

A closure gives for each segment (point to its parent) the viscous coefficient a [Pa s/m3]
and the quadratic one b [Pa s2/m6], both of shape (n,), of  dH = a Q + b Q|Q|.
Anything else with this signature can take its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from meshes.arrays import Floats
from meshes.stenosis import Lesion
from meshes.tree import VesselTree, child_count, segment_length_mm
from solvers.blood import Blood
from solvers.kernels.steady import cone_viscous, expansion_heads, summed_downstream
from solvers.split import flow_shares
from solvers.units import M_PER_MM

Closure = Callable[[VesselTree, Blood], tuple[Floats, Floats]]

YOUNG_TSAI_EXPANSION = 1.52  # Seeley & Young, Journal of Biomechanics 1976;9:439
JET_REACH = 20.0  # throat diameters; laminar recirculation behind 50 % lesions is 8-29 long


def poiseuille(tree: VesselTree, blood: Blood) -> tuple[Floats, Floats]:
    """Developed viscous flow in the true radius, nothing else: a lower bound."""
    a = np.zeros(len(tree))
    length = segment_length_mm(tree) * M_PER_MM
    cone_viscous(tree.parent, length, tree.radius_mm * M_PER_MM, blood.viscosity_pa_s, a)
    return a, np.zeros(len(tree))


def borda_carnot(
    tree: VesselTree, blood: Blood, expansion_coefficient: float = 1.0
) -> tuple[Floats, Floats]:
    """Poiseuille in the true radius and the momentum loss of the jet behind each throat.

    Behind a throat of area A_t the loss grows with the lumen A that the jet has filled,
    K rho/2 Q^2 (1/A_t - 1/A)^2. K = 1 is the momentum theorem (Borda 1766, Carnot 1803),
    nothing is fitted; K = 1.52 is Seeley & Young's constant.

    Across a bifurcation the jet is followed by its speed; for that the flow is taken to
    split by radius^(7/3). One mother radius behind a carina no expansion is charged,
    because the lumens overlap there.

    Parameters
    ----------
    tree, blood
        What flows where.
    expansion_coefficient
        K.

    Returns
    -------
    tuple
        a [Pa s/m3] and b [Pa s2/m6] of each segment, shape (n,).
    """
    s, radius = segment_length_mm(tree) * M_PER_MM, tree.radius_mm * M_PER_MM
    a, b, head = np.zeros(len(tree)), np.zeros(len(tree)), np.zeros(len(tree))
    cone_viscous(tree.parent, s, radius, blood.viscosity_pa_s, a)
    summed_downstream(tree.parent, s)  # from here on the path length
    share = flow_shares(tree, tree.radius_mm)
    speed = share / (np.pi * radius**2)
    expansion_heads(tree.parent, child_count(tree), s, radius, speed, JET_REACH, head)
    gain = head[1:] - head[tree.parent[1:]]
    b[1:] = expansion_coefficient * blood.density_kg_m3 / 2.0 * gain / share[1:] ** 2
    return a, b


def young_tsai(
    tree: VesselTree, blood: Blood, lesions: Sequence[Lesion]
) -> tuple[Floats, Floats]:
    """Lumped lesion formula of Young & Tsai, for comparison; Poiseuille elsewhere.

    dp = K_v mu/(A0 D0) Q + K_t rho/(2 A0^2) (A0/As - 1)^2 Q|Q| with
    K_v = 32 (0.83 L + 1.64 Ds) (A0/As)^2 / D0 and K_t = 1.52
    (Young & Tsai, Journal of Biomechanics 1973;6:395; Seeley & Young 1976;9:439).
    Bind `lesions` with functools.partial to use it as a closure.
    """
    a, b = poiseuille(tree, blood)
    length = segment_length_mm(tree)
    for lesion in lesions:
        d0 = lesion.reference_diameter_mm * M_PER_MM
        ds = lesion.minimal_diameter_mm * M_PER_MM
        a0, ratio = np.pi * d0**2 / 4.0, (d0 / ds) ** 2
        reach = 0.83 * lesion.length_mm * M_PER_MM + 1.64 * ds
        viscous = 32.0 * reach * ratio**2 / d0 * blood.viscosity_pa_s / (a0 * d0)
        inside = _between(tree, lesion.start, lesion.end)
        behind = _between(tree, lesion.throat, lesion.end)
        jet = YOUNG_TSAI_EXPANSION * blood.density_kg_m3 / (2.0 * a0**2) * (ratio - 1.0) ** 2
        a[inside] = viscous * length[inside] / length[inside].sum()
        behind = behind if behind.size else inside[-1:]
        b[behind] += jet * length[behind] / length[behind].sum()
    return a, b


def entrance(tree: VesselTree, blood: Blood, flow_m3_s: Floats) -> Floats:
    """Return the extra b of a flow that enters as a plug and is still developing, (n,).

    The incremental pressure drop number K(x+) of a circular tube, x+ = x/(D Re), in units
    of the inlet's kinetic head; it tends to 1.25 (Shah & London, Laminar Flow Forced
    Convection in Ducts, 1978; correlation of Shah, Journal of Fluids Engineering
    1978;100:177). With x+ = pi mu x / (4 rho Q) it needs no diameter, so taper is allowed.
    """
    mu, rho = blood.viscosity_pa_s, blood.density_kg_m3
    size = np.abs(flow_m3_s)
    moving = size > 0
    x = segment_length_mm(tree) * M_PER_MM
    x[moving] *= np.pi * mu / (4.0 * rho) / size[moving]
    summed_downstream(tree.parent, x)
    root = np.sqrt(np.maximum(x, 1e-12))
    late = (1.25 + 64.0 * x - 13.76 * root) / (1.0 + 0.00021 / root**4)
    number = np.where(x > 0, 13.76 * root - 64.0 * x + late, 0.0)
    gain = np.diff(number, prepend=0.0)
    gain[1:] = number[1:] - number[tree.parent[1:]]
    speed = size[0] / (np.pi * (tree.radius_mm[0] * M_PER_MM) ** 2)
    b = np.zeros(len(tree))
    b[moving] = np.maximum(gain[moving], 0.0) * rho / 2.0 * (speed / size[moving]) ** 2
    b[0] = 0.0
    return b


def _between(tree: VesselTree, start: int, end: int) -> np.ndarray:
    """Return the segments (by their lower point) on the way from `start` down to `end`."""
    way = []
    i = end
    while i not in (start, -1):
        way.append(i)
        i = int(tree.parent[i])
    return np.array(way[::-1], dtype=np.int64)
