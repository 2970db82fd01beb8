"""Steady axisymmetric Navier-Stokes flow in a vessel of radius R(x), all terms. SI units.

Coordinates: path length x and the area coordinate y = (r/R)^2. Unknown: the stream function
psi at stations and cell faces (d psi/dy = R^2 u), which conserves mass exactly. With
F = -d psi/dx, V = v/sqrt(y) = F/(2 R y) + R' u and d/dx at fixed radius
D = d/dx - 2 y (R'/R) d/dy the equations of motion are

    D p             = -[d(R^2 u^2)/dx + d(F u)/dy]/R^2 + nu [4/R^2 d/dy(y du/dy) + D D u]
    (2/R) dp/dy     = -[u dV/dx + F/R^2 (dV/dy + V/(2y))] + nu 4/R^2 [y V_yy + 2 V_y]

(p over density; axial diffusion of the radial velocity is left out). They live on a
staggered mesh, u on stations and V between them, and p is eliminated around each vertex.
Second order, convection central, so nothing is smeared and momentum is conserved.
"""

from __future__ import annotations

import numpy as np

from meshes.arrays import Floats
from meshes.compiled import kernel

QUICK = 0.125  # Leonard, Computer Methods in Applied Mechanics and Engineering 1979;19:59


@kernel
def _face(u: Floats, a: int, b: int, j: int, flux: float) -> float:
    """Return u carried from station a to b = a + 1: a parabola through the upstream side."""
    value = 0.5 * (u[a, j] + u[b, j])
    far = a - 1 if flux > 0.0 else b + 1
    if far < 0 or far >= u.shape[0]:
        return value
    if flux > 0.0:
        return value - QUICK * (u[far, j] - 2.0 * u[a, j] + u[b, j])
    return value - QUICK * (u[a, j] - 2.0 * u[b, j] + u[far, j])


@kernel
def _bend(u: Floats, i: int, j: int, flux: float) -> float:
    """Return how much less than the straight line is carried from cell j to j + 1."""
    if flux > 0.0:
        return QUICK * (u[i, j - 1] - 2.0 * u[i, j] + u[i, j + 1]) if j > 0 else 0.0
    if j + 2 < u.shape[1]:
        return QUICK * (u[i, j] - 2.0 * u[i, j + 1] + u[i, j + 2])
    return 0.0


@kernel
def gradients(
    psi: Floats, x: Floats, radius: Floats, face: Floats, viscosity: Floats,
    along: Floats, across: Floats, u: Floats, w: Floats, mean: Floats, slope: Floats,
) -> None:  # fmt: skip
    """Fill `along`, dp/dx at fixed y of the cells (n, cells), and `across`, dp/dy (n, faces).

    `across[i]` lies between stations i and i + 1. u (n, cells), w, mean (n, faces) and
    slope (n, cells) are work space: u, V, u on faces between stations, and D u there.
    """
    n, cells = psi.shape[0], psi.shape[1] - 1
    for i in range(n):
        for j in range(cells):
            u[i, j] = (psi[i, j + 1] - psi[i, j]) / (radius[i] ** 2 * (face[j + 1] - face[j]))
    for i in range(n - 1):
        step = x[i + 1] - x[i]
        middle, widening = 0.5 * (radius[i] + radius[i + 1]), (radius[i + 1] - radius[i]) / step
        for j in range(1, cells):
            near, far = face[j] - face[j - 1], face[j + 1] - face[j]
            inner, outer = u[i, j - 1] + u[i + 1, j - 1], u[i, j] + u[i + 1, j]
            mean[i, j] = 0.5 * (far * inner + near * outer) / (near + far)
            flux = (psi[i, j] - psi[i + 1, j]) / step
            w[i, j] = flux / (2.0 * middle * face[j]) + widening * mean[i, j]
        w[i, 0] = w[i, 1] + (w[i, 1] - w[i, 2]) * face[1] / (face[2] - face[1])
        w[i, cells] = (psi[i, cells] - psi[i + 1, cells]) / (2.0 * middle * step)
        bend = 2.0 * widening / middle
        for j in range(cells):
            low, high = max(j - 1, 0), min(j + 1, cells - 1)
            between = 0.5 * (face[high + 1] + face[high] - face[low + 1] - face[low])
            shear = u[i, high] + u[i + 1, high] - u[i, low] - u[i + 1, low]
            if j == cells - 1:  # down to the wall, where u is zero
                between = 1.0 - 0.5 * (face[low + 1] + face[low])
                shear = -(u[i, low] + u[i + 1, low])
            y = 0.5 * (face[j] + face[j + 1])
            slope[i, j] = (u[i + 1, j] - u[i, j]) / step - bend * y * 0.5 * shear / between
    for i in range(n - 1):
        a, b = max(i - 1, 0), min(i + 1, n - 2)
        between = 0.5 * (x[b] + x[b + 1] - x[a] - x[a + 1])
        middle = 0.5 * (radius[i] + radius[i + 1])
        area = middle * middle
        for j in range(1, cells):
            near, far = face[j] - face[j - 1], face[j + 1] - face[j]
            s1, s2 = (w[i, j] - w[i, j - 1]) / near, (w[i, j + 1] - w[i, j]) / far
            first, second = (
                (far * s1 + near * s2) / (near + far),
                2.0 * (s2 - s1) / (near + far),
            )
            flux = (psi[i, j] - psi[i + 1, j]) / (x[i + 1] - x[i])
            turn = mean[i, j] * (w[b, j] - w[a, j]) / between
            turn += flux / area * (first + w[i, j] / (2.0 * face[j]))
            viscous = (
                2.0
                * (viscosity[i] + viscosity[i + 1])
                / area
                * (face[j] * second + 2.0 * first)
            )
            across[i, j] = -0.5 * middle * (turn - viscous)
        across[i, 0] = across[i, 1] + (across[i, 1] - across[i, 2]) * face[1] / (
            face[2] - face[1]
        )
        across[i, cells] = 0.0
    for i in range(1, n - 1):
        h1, h2 = x[i] - x[i - 1], x[i + 1] - x[i]
        step = 0.5 * (h1 + h2)
        bend = (radius[i + 1] - radius[i - 1]) / (h1 + h2) / radius[i]
        r2, up, down = radius[i] ** 2, radius[i - 1] ** 2, radius[i + 1] ** 2
        for j in range(cells):
            dy, here = face[j + 1] - face[j], u[i, j]
            out = 0.5 * (r2 * here + down * u[i + 1, j])
            come = 0.5 * (r2 * here + up * u[i - 1, j])
            rest = (
                out * _face(u, i, i + 1, j, out) - come * _face(u, i - 1, i, j, come)
            ) / step
            if j < cells - 1:
                far = face[j + 2] - face[j + 1]
                flux = (psi[i - 1, j + 1] - psi[i + 1, j + 1]) / (h1 + h2)
                value = (far * here + dy * u[i, j + 1]) / (dy + far)
                rest += flux * (value - _bend(u, i, j, flux)) / dy
                rest -= (
                    8.0 * viscosity[i] * face[j + 1] * (u[i, j + 1] - here) / (dy + far) / dy
                )
            else:
                d1, d2 = 0.5 * dy, dy + 0.5 * (face[j] - face[j - 1])
                drag = here * d2 / d1 - u[i, j - 1] * d1 / d2
                rest += 4.0 * viscosity[i] * drag / ((d2 - d1) * dy)
            if j > 0:
                far = face[j] - face[j - 1]
                flux = (psi[i - 1, j] - psi[i + 1, j]) / (h1 + h2)
                value = (far * here + dy * u[i, j - 1]) / (dy + far)
                rest -= flux * (value - _bend(u, i, j - 1, flux)) / dy
                rest += 8.0 * viscosity[i] * face[j] * (here - u[i, j - 1]) / (dy + far) / dy
            y = 0.5 * (face[j] + face[j + 1])
            low, high = max(j - 1, 0), min(j + 1, cells - 1)
            between = 0.5 * (face[high + 1] + face[high] - face[low + 1] - face[low])
            shear = slope[i, high] + slope[i - 1, high] - slope[i, low] - slope[i - 1, low]
            diffusion = (slope[i, j] - slope[i - 1, j]) / step - bend * y * shear / between
            tilt = across[i, j] + across[i, j + 1] + across[i - 1, j] + across[i - 1, j + 1]
            along[i, j] = -rest / r2 + viscosity[i] * diffusion + 0.5 * y * bend * tilt


@kernel
def residual(
    psi: Floats, x: Floats, radius: Floats, face: Floats, viscosity: Floats, rest: Floats
) -> tuple[Floats, Floats, Floats]:
    """Fill `rest` (n, faces): the pressure gained on the way around each vertex.

    The first two profiles are given. The last two continue the one before unchanged.
    Returns u, V and u between stations, see `gradients`.
    """
    n, cells = psi.shape[0], psi.shape[1] - 1
    along, slope, u = np.zeros((n, cells)), np.zeros((n, cells)), np.zeros((n, cells))
    across, w, mean = np.zeros(psi.shape), np.zeros(psi.shape), np.zeros(psi.shape)
    gradients(psi, x, radius, face, viscosity, along, across, u, w, mean, slope)
    for i in range(2, n - 2):
        step = 0.5 * (x[i + 1] - x[i - 1])
        for j in range(1, cells):
            loop = (along[i, j] - along[i, j - 1]) * step
            rest[i, j] = loop - 0.5 * (across[i, j] - across[i - 1, j]) * (
                face[j + 1] - face[j - 1]
            )
    for i in range(n - 2, n):
        for j in range(1, cells):
            rest[i, j] = psi[i, j] - psi[i - 1, j]
    return u, w, mean


@kernel
def mean_pressure(
    psi: Floats, x: Floats, radius: Floats, face: Floats, viscosity: Floats, pressure: Floats
) -> None:
    """Fill the area-mean pressure over density between stations i and i + 1, shape (n - 1,).

    The first value is zero.
    """
    n, cells = psi.shape[0], psi.shape[1] - 1
    along, slope, u = np.zeros((n, cells)), np.zeros((n, cells)), np.zeros((n, cells))
    across, w, mean = np.zeros(psi.shape), np.zeros(psi.shape), np.zeros(psi.shape)
    gradients(psi, x, radius, face, viscosity, along, across, u, w, mean, slope)
    axis, origin = 0.0, 0.0
    for i in range(n - 1):
        if i > 0:
            axis += along[i, 0] * 0.5 * (x[i + 1] - x[i - 1])
        offset, over = 0.0, 0.0
        for j in range(cells):
            if j > 0:
                offset += across[i, j] * 0.5 * (face[j + 1] - face[j - 1])
            over += offset * (face[j + 1] - face[j])
        if i == 0:
            origin = over
        pressure[i] = axis + over - origin
