"""How a velocity profile develops down a vessel, pressure even across each section. SI units.

The thin-layer (parabolised) Navier-Stokes equations in a tube of radius R(x), with the area
coordinate y = (r/R)^2 from axis (0) to wall (1), the stream function psi (d psi/dy = R^2 u,
psi(1) = Q/pi) and the flux through coordinate surfaces F = -d psi/dx:

    d(R^2 u^2)/dx + d(F u)/dy = -(R^2/rho) dp/dx + 4 nu d/dy (y du/dy)

A march downstream: one station after the other, dp/dx from the flow that must pass. Where
the flow reverses, its streamwise convection is dropped (FLARE; Reyhner & Flugge-Lotz,
International Journal of Non-Linear Mechanics 1968;3:173). Kinematic units: psi in m3/s,
pressure gradient over density. Profiles are stored as psi at the faces `face` of the cells.
"""

from __future__ import annotations

import numpy as np

from meshes.arrays import Floats
from meshes.compiled import kernel

NEWTON_STEPS = 20
FREE_STEPS = 4  # after these the cells that count as reversed are kept, or two may alternate
TOLERANCE = 1e-8  # of the mean velocity


@kernel
def speeds(psi: Floats, face: Floats, radius: float, u: Floats) -> None:
    """Fill `u` with the velocity of each cell of one profile."""
    for j in range(u.size):
        u[j] = (psi[j + 1] - psi[j]) / ((face[j + 1] - face[j]) * radius * radius)


@kernel
def _carried(flux: float, conductance: float, share: float) -> float:
    """Return the weight of the outer cell in the value that a face carries outward.

    `share` if linear between the cells; as much upwind as keeps the cell's Peclet number,
    flux over conductance, at 2.
    """
    if abs(flux) <= 2.0 * conductance:
        return share
    linear = 2.0 * conductance / abs(flux)
    return linear * share if flux > 0.0 else linear * share + 1.0 - linear


@kernel
def _station(
    face: Floats, radius: float, viscosity: float, flow: float,
    rate: Floats, square: Floats, above: Floats, before: Floats,
    u: Floats, psi: Floats, work: Floats,
) -> tuple[float, bool]:  # fmt: skip
    """Newton for one profile; `u` holds the guess, returns -(1/rho) dp/dx's negative, done.

    rate: the three weights of the backward difference in x; square: its two older terms of
    R^2 u^2, summed; above, before: psi one and two stations upstream. work: (7, cells).
    """
    n = face.size - 1
    r2 = radius * radius
    du0, du1, dp0, dp1, wu, wp = work[0], work[1], work[2], work[3], work[4], work[5]
    forward = work[6]  # 1, or 0 where the flow is reversed
    gradient = 0.0
    for step in range(NEWTON_STEPS):
        psi[0] = 0.0
        for j in range(n):
            psi[j + 1] = psi[j] + r2 * (face[j + 1] - face[j]) * u[j]
            if step < FREE_STEPS:
                forward[j] = 1.0 if u[j] >= 0.0 else 0.0
        flux, outer, g = 0.0, 0.0, 0.0  # of a cell's outer face, then of the next one's inner
        for j in range(n):  # each equation times the cell's width: divisions take long
            dy = face[j + 1] - face[j]
            rest, diagonal, lower, upper, psi_lower, psi_upper = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            kept = 1.0 - forward[j]  # reversed: F du/dy instead of d(F u)/dy
            if kept == 0.0:
                rest += dy * (rate[0] * r2 * u[j] * u[j] + square[j])
                diagonal += dy * 2.0 * rate[0] * r2 * u[j]
            if j > 0:
                value = (outer - kept) * u[j] + (1.0 - outer) * u[j - 1]
                rest -= flux * value - g * (u[j] - u[j - 1])
                diagonal += g - flux * (outer - kept)
                lower -= flux * (1.0 - outer) + g
                psi_lower += rate[0] * value
            if j < n - 1:
                share = 1.0 / (face[j + 2] - face[j])
                g = 8.0 * viscosity * face[j + 1] * share
                flux = -(
                    rate[0] * psi[j + 1] + rate[1] * above[j + 1] + rate[2] * before[j + 1]
                )
                outer = _carried(flux, g, dy * share)
                value = (1.0 - outer - kept) * u[j] + outer * u[j + 1]
                rest += flux * value - g * (u[j + 1] - u[j])
                diagonal += flux * (1.0 - outer - kept) + g
                upper += flux * outer - g
                psi_upper -= rate[0] * value
            else:  # wall: parabola through the wall and two cells
                d1 = 0.5 * dy
                d2 = dy + 0.5 * (face[j] - face[j - 1])
                drag = 4.0 * viscosity / (d2 - d1)
                rest += drag * (u[j] * d2 / d1 - u[j - 1] * d1 / d2)
                diagonal += drag * d2 / d1
                lower -= drag * d1 / d2
            u_before, p_before, u_slope, p_slope, w_u, w_p = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            if j > 0:
                u_before, u_slope, w_u = du0[j - 1], du1[j - 1], wu[j - 1]
                p_before, p_slope, w_p = dp0[j - 1], dp1[j - 1], wp[j - 1]
            # one row of a block tridiagonal elimination; the pressure gradient is carried along
            k = r2 * dy - w_p
            pivot = diagonal - lower * w_u - psi_lower * w_p + psi_upper * k
            if pivot == 0.0:
                return 0.0, False
            inverse = 1.0 / pivot
            du0[j] = -(rest + lower * u_before + (psi_lower + psi_upper) * p_before) * inverse
            du1[j] = -(r2 * dy + lower * u_slope + (psi_lower + psi_upper) * p_slope) * inverse
            wu[j] = upper * inverse
            dp0[j] = p_before + k * du0[j]
            dp1[j] = p_slope + k * du1[j]
            wp[j] = k * wu[j]
        if dp1[n - 1] == 0.0:
            return 0.0, False
        gradient = (flow - psi[n] - dp0[n - 1]) / dp1[n - 1]
        change, largest = 0.0, 0.0
        for j in range(n - 1, -1, -1):
            change = du0[j] + du1[j] * gradient - wu[j] * change
            u[j] += change
            largest = max(largest, abs(change))
        if not largest < 1e6 * abs(flow) / r2:
            return 0.0, False
        if largest <= TOLERANCE * abs(flow) / r2:
            for j in range(n):
                psi[j + 1] = psi[j] + r2 * (face[j + 1] - face[j]) * u[j]
            return gradient, True
    return gradient, False


@kernel
def march(
    x: Floats, radius: Floats, face: Floats, viscosity: Floats, flow: float,
    first: int, reverse: float, psi: Floats, gradient: Floats,
) -> tuple[int, bool]:  # fmt: skip
    """March from station `first`, whose profile is known; return the last station reached.

    Stops where a cell flows back faster than `reverse` mean velocities, or where Newton
    fails (then the second value is False).

    Parameters
    ----------
    x, radius, viscosity
        Stations: path length [m], lumen radius [m], kinematic viscosity [m2/s], all (n,).
    face
        Area coordinate of the cell faces, 0 to 1, shape (cells + 1,).
    flow
        Q/pi [m3/s].
    psi, gradient
        Stream function (n, cells + 1), row `first` given, and (1/rho) dp/dx [m/s2], (n,);
        filled.
    """
    cells = face.size - 1
    u = np.zeros(cells)
    square, work = np.zeros(cells), np.zeros((7, cells))
    rate = np.zeros(3)
    for i in range(first + 1, x.size):
        h = x[i] - x[i - 1]
        before = psi[i - 1]
        if i > first + 1:  # second order, steps of any length
            ratio = h / (x[i - 1] - x[i - 2])
            rate[0] = (1.0 + 2.0 * ratio) / (1.0 + ratio) / h
            rate[1] = -(1.0 + ratio) / h
            rate[2] = ratio * ratio / (1.0 + ratio) / h
            before = psi[i - 2]
            speeds(before, face, radius[i - 2], u)
            for j in range(cells):
                square[j] = rate[2] * (radius[i - 2] * u[j]) ** 2
        else:
            rate[0], rate[1], rate[2] = 1.0 / h, -1.0 / h, 0.0
            square[:] = 0.0
        speeds(psi[i - 1], face, radius[i - 1], u)
        for j in range(cells):
            square[j] += rate[1] * (radius[i - 1] * u[j]) ** 2
            u[j] *= (radius[i - 1] / radius[i]) ** 2
        gradient[i], done = _station(
            face, radius[i], viscosity[i], flow, rate, square, psi[i - 1], before, u, psi[i],
            work,
        )  # fmt: skip
        if not done:
            return i, False
        for j in range(cells):  # not u.min(): that takes numba half a second to compile
            if u[j] < -reverse * flow / radius[i] ** 2:
                return i, True
    return x.size - 1, True
