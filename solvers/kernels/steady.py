"""Steady flow in a rigid tree: one sweep up and one sweep down per Newton step. SI units.

Along a segment the total pressure H falls by a Q + b Q|Q|; at a junction H is continuous
and flow is conserved; static pressure is p = H - h Q|Q| with h = rho / (2 A^2).
"""

from __future__ import annotations

import math

import numpy as np

from meshes.arrays import Floats, Ints
from meshes.compiled import kernel


@kernel
def cone_viscous(
    parent: Ints, length: Floats, radius: Floats, viscosity: float, a: Floats
) -> None:
    """Fill `a` with the Poiseuille resistance of each segment, a straight cone, exactly.

    8 mu/pi times the integral of ds/r^4, which for r linear from r0 to r1 is
    L (r0^2 + r0 r1 + r1^2) / (3 r0^3 r1^3).
    """
    a[0] = 0.0
    for i in range(1, parent.size):
        r0, r1 = radius[parent[i]], radius[i]
        shape = (r0 * r0 + r0 * r1 + r1 * r1) / (3.0 * (r0 * r1) ** 3)
        a[i] = 8.0 * viscosity / math.pi * length[i] * shape


@kernel
def expansion_heads(
    parent: Ints,
    branches: Ints,
    s: Floats,
    radius: Floats,
    speed: Floats,
    reach: float,
    head: Floats,
) -> None:
    """Fill `head` with the squared speed lost to expansion between the inlet and each point.

    A throat t upstream of a point has cost (v_t - v)^2 once its jet fills the lumen there
    (Borda-Carnot). The loss up to a point is the largest over all histories: through the
    loss at one throat, plus that throat's jet. Ripples behind a throat therefore add next
    to nothing, a true re-narrowing adds its own loss, and points inserted on a straight
    segment change nothing. A throat is forgotten after `reach` of its diameters.
    """
    n = parent.size
    narrower = np.full(n, -1, dtype=np.int64)  # nearest throat upstream with a higher speed
    overlap = np.zeros(n)  # up to this s the lumens of a bifurcation overlap
    head[0] = 0.0
    for i in range(1, n):
        p = parent[i]
        overlap[i] = s[p] + radius[p] if branches[p] > 1 else overlap[p]
        is_throat = p == 0 or speed[p] >= speed[parent[p]]
        throat = p if is_throat else narrower[p]
        while throat >= 0 and speed[throat] <= speed[i]:
            throat = narrower[throat]
        narrower[i] = throat
        head[i] = head[p]
        if s[i] < overlap[i]:
            continue
        while throat >= 0:
            if s[i] - s[throat] <= reach * 2.0 * radius[throat]:
                head[i] = max(head[i], head[throat] + (speed[throat] - speed[i]) ** 2)
            throat = narrower[throat]


@kernel
def summed_upstream(parent: Ints, flow: Floats) -> None:
    """Turn outlet flows into flows everywhere: what leaves a junction has arrived there."""
    n = parent.size
    has_child = np.zeros(n, dtype=np.bool_)
    for i in range(n - 1, 0, -1):
        p = parent[i]
        if not has_child[p]:
            flow[p] = 0.0
            has_child[p] = True
        flow[p] += flow[i]


@kernel
def march(
    parent: Ints, a: Floats, b: Floats, flow: Floats, inlet_total: float, total: Floats
) -> None:
    """Fill the total pressure from the inlet down, the flow being known."""
    total[0] = inlet_total
    for i in range(1, parent.size):
        q = flow[i]
        total[i] = total[parent[i]] - a[i] * q - b[i] * q * abs(q)


@kernel
def newton_sweep(
    parent: Ints,
    a: Floats,
    b: Floats,
    h: Floats,
    resistance: Floats,
    outlet: Ints,
    inlet_pressure: float,
    venous_pressure: float,
    flow: Floats,
    new_flow: Floats,
) -> None:
    """One Newton step: everything below a point is replaced by Q = G H - J, exactly affine."""
    n = parent.size
    G, J, Gs, Js, total = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    for i in range(n - 1, -1, -1):
        size = abs(flow[i])
        if outlet[i]:  # H = Pv + R Q + h Q|Q|
            G[i] = 1.0 / (resistance[i] + 2.0 * h[i] * size)
            J[i] = G[i] * (venous_pressure - h[i] * flow[i] * size)
        if i > 0:
            scale = 1.0 + G[i] * (a[i] + 2.0 * b[i] * size)
            Gs[i] = G[i] / scale
            Js[i] = (J[i] - G[i] * b[i] * flow[i] * size) / scale
            G[parent[i]] += Gs[i]
            J[parent[i]] += Js[i]
    size = abs(flow[0])
    slope, rest = 2.0 * h[0] * size, h[0] * flow[0] * size
    if 1.0 - G[0] * slope > 0.05:
        new_flow[0] = (G[0] * (inlet_pressure - rest) - J[0]) / (1.0 - G[0] * slope)
    else:  # kinetic head comparable with the whole tree: the plain iteration is safer
        new_flow[0], slope, rest = G[0] * (inlet_pressure + rest) - J[0], 0.0, -rest
    total[0] = inlet_pressure + slope * new_flow[0] - rest
    for i in range(1, n):
        p = parent[i]
        size = abs(flow[i])
        new_flow[i] = 0.0
        if Gs[i] > 0.0:  # what arrives is what leaves, also where H has lost its digits
            rest = new_flow[p] - (G[p] * total[p] - J[p])
            new_flow[i] = Gs[i] * total[p] - Js[i] + rest * Gs[i] / G[p]
        slope = a[i] + 2.0 * b[i] * size
        total[i] = total[p] - slope * new_flow[i] + b[i] * flow[i] * size
    summed_upstream(parent, new_flow)


@kernel
def imbalance(
    h: Floats,
    resistance: Floats,
    outlet: Ints,
    venous_pressure: float,
    flow: Floats,
    total: Floats,
) -> tuple[float, int]:
    """Return the largest pressure mismatch at an outlet, and which outlet."""
    worst, where = 0.0, 0
    for i in range(flow.size):
        if not outlet[i] or math.isinf(resistance[i]):
            continue
        q = flow[i]
        miss = abs(total[i] - h[i] * q * abs(q) - venous_pressure - resistance[i] * q)
        if not miss <= worst:  # also when not a number
            worst, where = miss, i
    return worst, where


@kernel
def steady_tree(
    parent: Ints,
    a: Floats,
    b: Floats,
    h: Floats,
    resistance: Floats,
    outlet: Ints,
    inlet_pressure: float,
    venous_pressure: float,
    tolerance: float,
    limit: int,
    flow: Floats,
    total: Floats,
) -> tuple[int, float, int]:
    """Fill `flow` and `total`; return Newton steps, worst mismatch and the outlet it is at.

    Starts from rest, so the first step is the linear (Poiseuille) solution. Steps that make
    the mismatch larger are halved; a mixture of two conserving flows conserves, too.
    """
    trial = np.zeros_like(flow)
    flow[:] = 0.0
    residual, where, step = math.inf, 0, 0
    while step < limit and not residual <= tolerance:
        step += 1
        newton_sweep(
            parent, a, b, h, resistance, outlet, inlet_pressure, venous_pressure, flow, trial
        )
        for _ in range(6):
            top = inlet_pressure + h[0] * trial[0] * abs(trial[0])
            march(parent, a, b, trial, top, total)
            after, at = imbalance(h, resistance, outlet, venous_pressure, trial, total)
            if after < residual or step == 1:
                break
            for i in range(flow.size):
                trial[i] = 0.5 * (trial[i] + flow[i])
        for i in range(flow.size):  # `flow[:] = trial` takes numba two seconds to compile
            flow[i] = trial[i]
        residual, where = after, at
    return step, residual, where


@kernel
def summed_downstream(parent: Ints, values: Floats) -> None:
    """Turn a value per segment into its sum from the inlet to each point."""
    values[0] = 0.0
    for i in range(1, parent.size):
        values[i] += values[parent[i]]
