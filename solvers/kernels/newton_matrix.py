"""How the equations of `axisymmetric` change with the stream function: Newton's matrix.

Written out, term by term in the order of `axisymmetric.gradients`. Each quantity has a
stencil: its derivatives with respect to psi on a few neighbouring stations and faces. Those
of what is linear in psi (V, D u, u between stations) come first and enter the others.
"""

from __future__ import annotations

import numpy as np

from meshes.arrays import AnyArray, Floats
from meshes.compiled import kernel

QUICK = 0.125  # as in `axisymmetric`
REACH_X, REACH_Y = 2, 3  # a residual sees psi this many stations and faces away
# widths of the stencils, in stations and faces, and the first face relative to their own
LINEAR = (2, 4)  # stations i, i + 1; faces from j - 1
ACROSS = (4, 5)  # stations i - 1 to i + 2; faces from j - 2
ALONG = (5, 7)  # stations i - 2 to i + 2; faces from j - 2


@kernel
def _add_linear(
    into: Floats, i: int, j: int, weight: float, stencil: Floats, k: int, m: int,
    station: int, face: int,
) -> None:  # fmt: skip
    """Add the stencil (LINEAR) of [k, m] to that of [i, j], its first entry going there."""
    for a in range(2):
        for b in range(3):
            into[i, j, station + a, face + b] += weight * stencil[k, m, a, b]
    if face + 3 < into.shape[3]:  # else it is zero
        for a in range(2):
            into[i, j, station + a, face + 3] += weight * stencil[k, m, a, 3]


@kernel
def _add_across(
    into: Floats, i: int, j: int, weight: float, stencil: Floats, k: int, m: int,
    station: int, face: int,
) -> None:  # fmt: skip
    """Add the stencil (ACROSS) of [k, m] to that of [i, j], its first entry going there."""
    for a in range(4):
        for b in range(5):
            into[i, j, station + a, face + b] += weight * stencil[k, m, a, b]


@kernel
def _add_speed(into: Floats, i: int, j: int, weight: float, station: int, face: int) -> None:
    """Add R^2 dy times the derivative of a velocity to [i, j], its inner face at `face`."""
    into[i, j, station, face] -= weight
    into[i, j, station, face + 1] += weight


@kernel
def _linear(
    i: int, x: Floats, radius: Floats, face: Floats, per: Floats,
    w: Floats, mean: Floats, slope: Floats,
) -> None:  # fmt: skip
    """Fill the stencils of V, of u on faces and of D u, between stations i and i + 1.

    `per` is 1 / (R^2 dy), (n, cells).
    """
    cells = face.size - 1
    step = x[i + 1] - x[i]
    middle, widening = 0.5 * (radius[i] + radius[i + 1]), (radius[i + 1] - radius[i]) / step
    for j in range(1, cells):
        near, far = face[j] - face[j - 1], face[j + 1] - face[j]
        flux = 1.0 / (step * 2.0 * middle * face[j])
        for a in range(2):
            _add_speed(mean, i, j, 0.5 * far / (near + far) * per[i + a, j - 1], a, 0)
            _add_speed(mean, i, j, 0.5 * near / (near + far) * per[i + a, j], a, 1)
        _add_linear(w, i, j, widening, mean, i, j, 0, 0)
        w[i, j, 0, 1] += flux
        w[i, j, 1, 1] -= flux
    ratio = face[1] / (face[2] - face[1])
    _add_linear(w, i, 0, 1.0 + ratio, w, i, 1, 0, 0)
    _add_linear(w, i, 0, -ratio, w, i, 2, 0, 1)
    bend = 2.0 * widening / middle
    for j in range(cells):
        low, high = max(j - 1, 0), min(j + 1, cells - 1)
        between = 0.5 * (face[high + 1] + face[high] - face[low + 1] - face[low])
        if j == cells - 1:
            between = 1.0 - 0.5 * (face[low + 1] + face[low])
        tilt = -bend * 0.25 * (face[j] + face[j + 1]) / between
        base = max(j - 1, 0)
        for a in range(2):
            _add_speed(slope, i, j, (2.0 * a - 1.0) / step * per[i + a, j], a, j - base)
            _add_speed(slope, i, j, -tilt * per[i + a, low], a, low - base)
            if j < cells - 1:
                _add_speed(slope, i, j, tilt * per[i + a, high], a, high - base)


@kernel
def _across(
    i: int, psi: Floats, x: Floats, radius: Floats, face: Floats, viscosity: Floats,
    w: Floats, mean: Floats, dw: Floats, dmean: Floats, across: Floats,
) -> None:  # fmt: skip
    """Fill the stencils of dp/dy between the stations i and i + 1."""
    n, cells = psi.shape[0], psi.shape[1] - 1
    a, b = max(i - 1, 0), min(i + 1, n - 2)
    between = 0.5 * (x[b] + x[b + 1] - x[a] - x[a + 1])
    step = x[i + 1] - x[i]
    middle = 0.5 * (radius[i] + radius[i + 1])
    area = middle * middle
    thick = 2.0 * (viscosity[i] + viscosity[i + 1]) / area
    for j in range(1, cells):
        near, far = face[j] - face[j - 1], face[j + 1] - face[j]
        s1, s2 = (w[i, j] - w[i, j - 1]) / near, (w[i, j + 1] - w[i, j]) / far
        first = (far * s1 + near * s2) / (near + far)
        flux = (psi[i, j] - psi[i + 1, j]) / step
        out = -0.5 * middle
        base = max(j - 2, 0)
        _add_linear(
            across, i, j, out * (w[b, j] - w[a, j]) / between, dmean, i, j, 1, j - 1 - base
        )
        carried = out * mean[i, j] / between
        _add_linear(across, i, j, carried, dw, b, j, 1 + b - i, j - 1 - base)
        _add_linear(across, i, j, -carried, dw, a, j, 1 + a - i, j - 1 - base)
        swirl = out / area * (first + w[i, j] / (2.0 * face[j])) / step
        across[i, j, 1, j - base] += swirl
        across[i, j, 2, j - base] -= swirl
        # weights of dV/dy, and of its own derivative, then of V itself
        by_first = out * (flux / area - 2.0 * thick)
        by_second = -out * thick * face[j]
        inner = (by_first * far - 2.0 * by_second) / (near * (near + far))
        outer = (by_first * near + 2.0 * by_second) / (far * (near + far))
        own = out * flux / area / (2.0 * face[j]) + inner - outer
        _add_linear(across, i, j, own, dw, i, j, 1, j - 1 - base)
        _add_linear(across, i, j, -inner, dw, i, j - 1, 1, max(j - 2, 0) - base)
        _add_linear(across, i, j, outer, dw, i, j + 1, 1, j - base)
    ratio = face[1] / (face[2] - face[1])
    _add_across(across, i, 0, 1.0 + ratio, across, i, 1, 0, 0)
    _add_across(across, i, 0, -ratio, across, i, 2, 0, 0)


@kernel
def _carry(
    into: Floats, weight: float, i: int, j: int, a: int, flux: float, per: Floats
) -> None:
    """Add the derivative of what `_carried` carries from station a to a + 1."""
    b = a + 1
    far = a - 1 if flux > 0.0 else b + 1
    bent = QUICK if 0 <= far < per.shape[0] else 0.0
    near_a = 0.5 + 2.0 * bent if flux > 0.0 else 0.5 - bent
    _add_speed(into, 0, j, weight * near_a * per[a, j], a - i + 2, 2)
    _add_speed(into, 0, j, weight * (1.0 - near_a + bent) * per[b, j], b - i + 2, 2)
    if bent > 0.0:
        _add_speed(into, 0, j, -weight * bent * per[far, j], far - i + 2, 2)


@kernel
def _carried(u: Floats, a: int, j: int, flux: float) -> float:
    """Return what `axisymmetric._face` carries from station a to a + 1."""
    b = a + 1
    value = 0.5 * (u[a, j] + u[b, j])
    far = a - 1 if flux > 0.0 else b + 1
    if far < 0 or far >= u.shape[0]:
        return value
    if flux > 0.0:
        return value - QUICK * (u[far, j] - 2.0 * u[a, j] + u[b, j])
    return value - QUICK * (u[a, j] - 2.0 * u[b, j] + u[far, j])


@kernel
def _outward(
    into: Floats, weight: float, psi: Floats, x: Floats, face: Floats, viscosity: float,
    u: Floats, per: Floats, i: int, j: int, c: int,
) -> None:  # fmt: skip
    """Add the derivative of what passes outward through face j to the stencil of cell c.

    The flux F times the u it carries, less the friction: the face between j - 1 and j.
    """
    cells = u.shape[1]
    near, far = face[j] - face[j - 1], face[j + 1] - face[j]
    wide = x[i + 1] - x[i - 1]
    flux = (psi[i - 1, j] - psi[i + 1, j]) / wide
    value = (far * u[i, j - 1] + near * u[i, j]) / (near + far)
    inner, outer = far / (near + far), near / (near + far)
    rub = 8.0 * viscosity * face[j] / (near + far)
    if flux > 0.0 and j > 1:
        value -= QUICK * (u[i, j - 2] - 2.0 * u[i, j - 1] + u[i, j])
        _add_speed(into, 0, c, -weight * flux * QUICK * per[i, j - 2], 2, j - c)
        inner, outer = inner + 2.0 * QUICK, outer - QUICK
    elif flux <= 0.0 and j + 1 < cells:
        value -= QUICK * (u[i, j - 1] - 2.0 * u[i, j] + u[i, j + 1])
        _add_speed(into, 0, c, -weight * flux * QUICK * per[i, j + 1], 2, j - c + 3)
        inner, outer = inner - QUICK, outer + 2.0 * QUICK
    _add_speed(into, 0, c, weight * (flux * inner + rub) * per[i, j - 1], 2, j - c + 1)
    _add_speed(into, 0, c, weight * (flux * outer - rub) * per[i, j], 2, j - c + 2)
    into[0, c, 1, j - c + 2] += weight * value / wide
    into[0, c, 3, j - c + 2] -= weight * value / wide


@kernel
def _along(
    i: int, psi: Floats, x: Floats, radius: Floats, face: Floats, viscosity: Floats,
    u: Floats, per: Floats, slope: Floats, across: Floats, along: Floats,
) -> None:  # fmt: skip
    """Fill the stencils of dp/dx at station i; those of other stations are not kept."""
    cells = u.shape[1]
    along[:] = 0.0
    h1, h2 = x[i] - x[i - 1], x[i + 1] - x[i]
    step = 0.5 * (h1 + h2)
    bend = (radius[i + 1] - radius[i - 1]) / (h1 + h2) / radius[i]
    r2, up, down = radius[i] ** 2, radius[i - 1] ** 2, radius[i + 1] ** 2
    for j in range(cells):
        dy = face[j + 1] - face[j]
        out = 0.5 * (r2 * u[i, j] + down * u[i + 1, j])
        come = 0.5 * (r2 * u[i, j] + up * u[i - 1, j])
        leaving, coming = _carried(u, i, j, out), _carried(u, i - 1, j, come)
        share = -1.0 / (step * r2)
        _add_speed(along, 0, j, share * 0.5 * r2 * (leaving - coming) * per[i, j], 2, 2)
        _add_speed(along, 0, j, share * 0.5 * down * leaving * per[i + 1, j], 3, 2)
        _add_speed(along, 0, j, -share * 0.5 * up * coming * per[i - 1, j], 1, 2)
        _carry(along, share * out, i, j, i, out, per)
        _carry(along, -share * come, i, j, i - 1, come, per)
        share = -1.0 / (dy * r2)
        if j < cells - 1:
            _outward(along, share, psi, x, face, viscosity[i], u, per, i, j + 1, j)
        else:
            d1, d2 = 0.5 * dy, dy + 0.5 * (face[j] - face[j - 1])
            rub = share * 4.0 * viscosity[i] / (d2 - d1)
            _add_speed(along, 0, j, rub * d2 / d1 * per[i, j], 2, 2)
            _add_speed(along, 0, j, -rub * d1 / d2 * per[i, j - 1], 2, 1)
        if j > 0:
            _outward(along, -share, psi, x, face, viscosity[i], u, per, i, j, j)
        y = 0.5 * (face[j] + face[j + 1])
        low, high = max(j - 1, 0), min(j + 1, cells - 1)
        between = 0.5 * (face[high + 1] + face[high] - face[low + 1] - face[low])
        shear = -viscosity[i] * bend * y / between
        for a in range(2):
            at, sign = i - 1 + a, 2.0 * a - 1.0
            own = max(j - 1, 0) - (j - 2)
            _add_linear(along, 0, j, sign * viscosity[i] / step, slope, at, j, 1 + a, own)
            _add_linear(along, 0, j, shear, slope, at, high, 1 + a, max(high - 1, 0) - (j - 2))
            _add_linear(along, 0, j, -shear, slope, at, low, 1 + a, max(low - 1, 0) - (j - 2))
            tilt = 0.5 * y * bend
            _add_across(along, 0, j, tilt, across, at, j, a, max(j - 2, 0) - (j - 2))
            if j < cells - 1:
                _add_across(along, 0, j, tilt, across, at, j + 1, a, max(j - 1, 0) - (j - 2))


@kernel
def _row(
    i: int, x: Floats, face: Floats, along: Floats, across: Floats, row: Floats, band: AnyArray
) -> None:
    """Fill the rows of the residuals at station i: the way around each vertex.

    `row` is work space for one: stations i - 2 to i + 2, faces j - 3 to j + 3.
    """
    cells = along.shape[1]
    inner, half = cells - 1, band.shape[1] // 2
    step = 0.5 * (x[i + 1] - x[i - 1])
    for j in range(1, cells):
        turn = 0.5 * (face[j + 1] - face[j - 1])
        low, high = along[0, j - 1], along[0, j]
        for a in range(5):
            row[a, 0] = -step * low[a, 0]
            for k in range(1, 7):
                row[a, k] = step * (high[a, k - 1] - low[a, k])
        base = max(j - 2, 0) - (j - 3)
        up, down = across[i - 1, j], across[i, j]
        for a in range(4):
            for k in range(5):
                row[a, base + k] += turn * up[a, k]
        for a in range(4):
            for k in range(5):
                row[a + 1, base + k] -= turn * down[a, k]
        here = i * inner + j - 1
        for a in range(5):
            for k in range(max(0, 4 - j), min(7, cells + 3 - j)):
                column = (i - 2 + a) * inner + j - 4 + k
                band[column, half + here - column] = row[a, k]


@kernel
def newton_matrix(
    psi: Floats, x: Floats, radius: Floats, face: Floats, viscosity: Floats,
    u: Floats, w: Floats, mean: Floats, band: AnyArray,
) -> None:  # fmt: skip
    """Fill the derivative of `axisymmetric.residual` into a `band.empty_band` of zeros.

    Unknowns are the inner faces of all stations, station by station; the band reaches
    REACH_X (cells - 1) + REACH_Y to either side. u, w, mean are what
    `axisymmetric.gradients` fills.
    """
    n, cells = psi.shape[0], psi.shape[1] - 1
    inner, half = cells - 1, band.shape[1] // 2
    per = np.empty((n, cells))
    for i in range(n):
        for j in range(cells):
            per[i, j] = 1.0 / (radius[i] ** 2 * (face[j + 1] - face[j]))
    dw, dmean = np.zeros((n, cells + 1) + LINEAR), np.zeros((n, cells + 1) + LINEAR)
    slope = np.zeros((n, cells) + LINEAR)
    across = np.zeros((n, cells + 1) + ACROSS)
    along = np.zeros((1, cells) + ALONG)
    for i in range(n - 1):
        _linear(i, x, radius, face, per, dw, dmean, slope)
    for i in range(n - 1):
        _across(i, psi, x, radius, face, viscosity, w, mean, dw, dmean, across)
    row = np.zeros((5, 7))
    for i in range(2, n - 2):
        _along(i, psi, x, radius, face, viscosity, u, per, slope, across, along)
        _row(i, x, face, along, across, row, band)
    for i in range(n - 2, n):
        for j in range(1, cells):
            here = i * inner + j - 1
            band[here, half] = 1.0
            band[here - inner, half + inner] = -1.0
    for here in range(2 * inner):
        band[here, half] = 1.0
