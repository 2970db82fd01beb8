"""How a pulse travels through elastic vessels: one explicit step after another, SI units.

Area-flow form of Hughes & Lubliner (Mathematical Biosciences 1973;18:161),

    dA/dt + dQ/dx = 0,   dQ/dt + d(alpha Q^2/A)/dx + (A/rho) dp/dx = -friction,

second order in space and time (MUSCL-Hancock on p and Q, linearised Riemann problems at the
faces; Toro, Riemann Solvers and Numerical Methods for Fluid Dynamics, 2009). Pressure is
what is reconstructed and the pressure force is taken with the mean of 1/A over the two
faces: so blood at rest stays at rest in a vessel of any taper, steady frictionless flow
keeps its head p + alpha rho u^2/2, and mass is conserved to rounding.

Cells of all vessels lie one after another; vessel v owns cells first[v] to first[v+1]-1 and
the faces first[v]+v to first[v+1]+v. Vessels start at their upstream end.
"""

from __future__ import annotations

import math

import numpy as np

from meshes.arrays import Floats, Ints
from meshes.compiled import kernel

BETA, OLUFSEN = 0, 1  # tube laws
# rows of `cells`; `faces` has the first four, of which two are inverses: divisions cost most
A0, STIFFNESS, PER_A0, SOFTNESS, FRICTION, LINEAR, QUADRATIC, CROWDING = range(8)
DX, REFERENCE, ALPHA, LOSS_LINEAR, LOSS_QUADRATIC, SCALE = 0, 1, 2, 3, 4, 5  # of `vessels`
P_STAR, Q_STAR, PER_A_STAR = 0, 1, 2  # rows of `star`
RESISTANCE, WINDKESSEL, REFLECTION, CORONARY = 0, 1, 2, 3  # beds
INLET_PRESSURE, INLET_FLOW = 0, 1
SMOOTH = 1e-3  # of the wall's stiffness rho c^2: smaller differences are never limited
NEWTON = 20
STEADY = 8  # steps for which the longest step is kept: the speeds change slowly
DONE, FASTER_THAN_WAVES, NO_JUNCTION = 0, 1, 2


@kernel
def widths(p: float, softness: float, law: int) -> tuple[float, float]:
    """Return w = R/R0 at pressure p above the reference, and 1/w; the area is A0 w^2."""
    if law == BETA:
        w = 1.0 + p * softness
        return w, 1.0 / w
    inverse = 1.0 - p * softness
    return 1.0 / inverse, inverse


@kernel
def compliance(w: float, a0: float, softness: float, law: int) -> float:
    """Return dA/dp."""
    if law == BETA:
        return 2.0 * a0 * w * softness
    return 2.0 * a0 * w * w * w * softness


@kernel
def pressure(w: float, k: float, law: int) -> float:
    """Return the pressure above the reference at R/R0 = w."""
    if law == BETA:
        return k * (w - 1.0)
    return k * (1.0 - 1.0 / w)


@kernel
def slope(back: float, ahead: float, small: float) -> float:
    """Return the limited difference over a cell (van Albada), central where it is small."""
    b, f = back * back + small, ahead * ahead + small
    return (back * f + ahead * b) / (b + f)


@kernel
def at_time(table: Floats, period: float, t: float) -> float:
    """Return a periodic table of equal steps at time t, linear between its values."""
    place = (t / period - math.floor(t / period)) * table.size
    i = int(place)
    part = place - i
    i = i % table.size
    return table[i] * (1.0 - part) + table[(i + 1) % table.size] * part


@kernel
def longest_step(
    first: Ints, law: Ints, vessels: Floats, cells: Floats, rho: float, p: Floats, q: Floats
) -> float:
    """Return the time a wave or the blood needs for one cell, the shortest of all."""
    shortest = 1e30
    for v in range(first.size - 1):
        ref, alpha, fastest = vessels[v, REFERENCE], vessels[v, ALPHA], 0.0
        for i in range(first[v], first[v + 1]):
            w, per_w = widths(p[i] - ref, cells[SOFTNESS, i], law[v])
            u = alpha * abs(q[i]) * cells[PER_A0, i] * per_w * per_w
            stiff = 0.5 * cells[STIFFNESS, i] / rho * (w if law[v] == BETA else per_w)
            fastest = max(fastest, cells[CROWDING, i] * (u + math.sqrt(stiff + u * u)))
        shortest = min(shortest, vessels[v, DX] / fastest)
    return shortest


@kernel
def predict(
    v: int,
    first: Ints,
    law: int,
    vessels: Floats,
    cells: Floats,
    faces: Floats,
    rho: float,
    dt: float,
    p: Floats,
    q: Floats,
    half: Floats,
    edges: Floats,
) -> None:
    """Fill `half` (p, q of the cells) and `edges` (p, q left; p, q right) at half the step."""
    ref, alpha, dx = vessels[v, REFERENCE], vessels[v, ALPHA], vessels[v, DX]
    start, end = first[v], first[v + 1]
    p_small = (SMOOTH * vessels[v, SCALE]) ** 2
    h, per_rho = 0.5 * dt / dx, 1.0 / rho
    for i in range(start, end):
        w, per_w = widths(p[i] - ref, cells[SOFTNESS, i], law)
        a, per_a = cells[A0, i] * w * w, cells[PER_A0, i] * per_w * per_w
        c = compliance(w, cells[A0, i], cells[SOFTNESS, i], law)
        if i == start:
            dp, dq = p[i + 1] - p[i], q[i + 1] - q[i]
        elif i == end - 1:
            dp, dq = p[i] - p[i - 1], q[i] - q[i - 1]
        else:
            dp = slope(p[i] - p[i - 1], p[i + 1] - p[i], p_small)
            # a wave's dQ = dp sqrt(A C / rho)
            dq = slope(q[i] - q[i - 1], q[i + 1] - q[i], p_small * a * c * per_rho)
        g = i + v
        _, left = widths(p[i] - 0.5 * dp - ref, faces[SOFTNESS, g], law)
        _, right = widths(p[i] + 0.5 * dp - ref, faces[SOFTNESS, g + 1], law)
        flux = (q[i] + 0.5 * dq) ** 2 * faces[PER_A0, g + 1] * right * right
        flux -= (q[i] - 0.5 * dq) ** 2 * faces[PER_A0, g] * left * left
        rate = cells[FRICTION, i] * per_a
        rate += a * per_rho * (cells[LINEAR, i] + cells[QUADRATIC, i] * abs(q[i]))
        ph = p[i] - h * dq / c
        qh = (q[i] - h * (alpha * flux + a * per_rho * dp)) / (1.0 + 0.5 * dt * rate)
        half[0, i], half[1, i] = ph, qh
        edges[0, i], edges[1, i] = ph - 0.5 * dp, qh - 0.5 * dq
        edges[2, i], edges[3, i] = ph + 0.5 * dp, qh + 0.5 * dq


@kernel
def speeds(
    p: float, q: float, a0: float, per_a0: float, k: float, soft: float, law: int,
    alpha: float, rho: float,
) -> tuple[float, float]:  # fmt: skip
    """Return dQ/dp at constant incoming wave: of waves that leave backward, forward."""
    w, per_w = widths(p, soft, law)
    c = compliance(w, a0, soft, law)
    u = alpha * q * per_a0 * per_w * per_w
    stiff = 0.5 * k / rho * (w if law == BETA else per_w)
    root = math.sqrt(max(stiff + u * u * (1.0 - 1.0 / alpha), 0.0))
    return (root - u) * c, (root + u) * c


@kernel
def riemann(
    v: int,
    first: Ints,
    law: int,
    vessels: Floats,
    faces: Floats,
    rho: float,
    edges: Floats,
    star: Floats,
) -> int:
    """Fill `star` at the inner faces of vessel v; tells if blood outruns the waves."""
    ref, alpha, trouble = vessels[v, REFERENCE], vessels[v, ALPHA], DONE
    for i in range(first[v], first[v + 1] - 1):
        g = i + v + 1
        pl, ql, pr, qr = edges[2, i], edges[3, i], edges[0, i + 1], edges[1, i + 1]
        per_a0, soft = faces[PER_A0, g], faces[SOFTNESS, g]
        back, ahead = speeds(
            0.5 * (pl + pr) - ref, 0.5 * (ql + qr), faces[A0, g], per_a0, faces[STIFFNESS, g],
            soft, law, alpha, rho,
        )  # fmt: skip
        if not min(back, ahead) > 0.0:
            trouble = FASTER_THAN_WAVES
            break
        ps = (ahead * pr + back * pl + ql - qr) / (ahead + back)
        star[P_STAR, g] = ps
        star[Q_STAR, g] = ql + back * (pl - ps)
        _, per_w = widths(ps - ref, soft, law)
        star[PER_A_STAR, g] = per_a0 * per_w * per_w
    return trouble


@kernel
def update(
    v: int,
    first: Ints,
    law: int,
    vessels: Floats,
    cells: Floats,
    rho: float,
    dt: float,
    half: Floats,
    star: Floats,
    a: Floats,
    p: Floats,
    q: Floats,
    shift: Floats,
) -> int:
    """Carry vessel v over the step with the fluxes and pressures at its faces.

    Friction is that of the flow through the faces, which is what mass conservation keeps;
    the cell's own flow differs by `shift` where the lumen changes within few cells.
    """
    ref, alpha, h = vessels[v, REFERENCE], vessels[v, ALPHA], dt / vessels[v, DX]
    per_rho = 1.0 / rho
    for i in range(first[v], first[v + 1]):
        g = i + v
        ql, qr, al, ar = star[1, g], star[1, g + 1], star[2, g], star[2, g + 1]
        _, per_w = widths(half[0, i] - ref, cells[SOFTNESS, i], law)
        mean, here = 2.0 / (al + ar), cells[PER_A0, i] * per_w * per_w
        rate = cells[FRICTION, i] * mean * here * here
        through = 0.5 * (ql + qr)
        rate += mean * per_rho * (cells[LINEAR, i] + cells[QUADRATIC, i] * abs(through))
        push = alpha * (qr * qr * ar - ql * ql * al)
        push += mean * per_rho * (star[P_STAR, g + 1] - star[P_STAR, g])
        old = q[i]
        now = old * (1.0 - 0.5 * dt * rate) - dt * rate * shift[i] - h * push
        q[i] = now / (1.0 + 0.5 * dt * rate)
        shift[i] = through - 0.5 * (old + q[i])
        a[i] -= h * (qr - ql)
        if not a[i] > 0.0:
            return FASTER_THAN_WAVES
        p[i] = ref + pressure(math.sqrt(a[i] * cells[PER_A0, i]), cells[STIFFNESS, i], law)
    return DONE


@kernel
def bed(
    kind: int, value: Floats, state: Floats, dt: float, p_im: float, p_im_old: float
) -> tuple[float, float]:
    """Return resistance and back pressure of an outlet's bed over half a step.

    The bed's capacitors take the implicit midpoint rule, whose state at half the step is
    affine in the flow: P = back + resistance Q. Parameters in `value`: resistance and
    pressure behind; Windkessel R1, C, R2, behind; coronary R_a, C_a, R_am, C_im, R_v, behind.
    """
    h = 0.5 * dt
    if kind == WINDKESSEL:
        r1, c, r2, behind = value[0], value[1], value[2], value[3]
        keep = 1.0 / (c + h / r2)
        return r1 + h * keep, (c * state[0] + h * behind / r2) * keep
    if kind == CORONARY:
        ra, ca, ram, cim, rv, behind = (
            value[0],
            value[1],
            value[2],
            value[3],
            value[4],
            value[5],
        )
        deep = 1.0 / (cim + h / ram + h / rv)
        push = cim * (state[1] + p_im - p_im_old) + h * behind / rv
        keep = 1.0 / (ca + h / ram - h / ram * deep * h / ram)
        return ra + h * keep, (ca * state[0] + h / ram * deep * push) * keep
    return value[0], value[1]


@kernel
def fill_bed(
    kind: int,
    value: Floats,
    state: Floats,
    dt: float,
    q: float,
    p_im: float,
    p_im_old: float,
    p_im_new: float,
) -> None:
    """Carry the capacitors of a bed over the step in which q flows into it."""
    h = 0.5 * dt
    if kind == WINDKESSEL:
        middle = (value[1] * state[0] + h * (q + value[3] / value[2])) / (
            value[1] + h / value[2]
        )
        state[0] = 2.0 * middle - state[0]
    if kind == CORONARY:
        resistance, back = bed(kind, value, state, dt, p_im, p_im_old)
        one = back + (resistance - value[0]) * q
        cim, ram, rv = value[3], value[2], value[4]
        push = cim * (state[1] + p_im - p_im_old) + h * (value[5] / rv + one / ram)
        two = push / (cim + h / ram + h / rv)
        # capacitor C_im holds P2 - P_im: that difference is what the midpoint rule doubles
        across = 2.0 * (two - p_im) - (state[1] - p_im_old)
        state[0], state[1] = 2.0 * one - state[0], across + p_im_new


@kernel
def outflow(
    kind: int, value: Floats, resistance: float, back: float, p: float, q: float, give: float
) -> tuple[float, float]:
    """Return pressure and flow where a vessel that brings (p, q) meets its bed."""
    if kind == REFLECTION:
        # backward wave = share of the forward one, both measured from the bed's pressure
        share = (1.0 - value[0]) / (1.0 + value[0]) * give
        ps = (q + give * p + share * value[1]) / (give + share)
        return ps, share * (ps - value[1])
    ps = (resistance * (q + give * p) + back) / (1.0 + resistance * give)
    return ps, q + give * (p - ps)


@kernel
def join(
    begin: int,
    stop: int,
    member: Ints,
    side: Ints,
    first: Ints,
    law: Ints,
    vessels: Floats,
    faces: Floats,
    rho: float,
    edges: Floats,
    star: Floats,
) -> int:
    """Find the state at a junction: flows sum to zero, one total pressure for all ends.

    Newton on the pressures at the ends (outgoing characteristics give the flows) and the
    common head; a vessel that starts here pays its inlet loss. Side +1: the vessel ends here.
    """
    head = 0.0
    for m in range(begin, stop):
        v = member[m]
        i = first[v + 1] - 1 if side[m] > 0 else first[v]
        row = 2 if side[m] > 0 else 0
        g = i + v + (1 if side[m] > 0 else 0)
        star[P_STAR, g] = edges[row, i]
        star[Q_STAR, g] = edges[row + 1, i]
        head += edges[row, i] / (stop - begin)
    for _ in range(NEWTON):
        total, gain, change = 0.0, 0.0, 0.0
        for sweep in range(2):  # first the head, then the pressures that follow from it
            step = 0.0 if sweep == 0 else -total / gain
            for m in range(begin, stop):
                v = member[m]
                i = first[v + 1] - 1 if side[m] > 0 else first[v]
                row = 2 if side[m] > 0 else 0
                g = i + v + (1 if side[m] > 0 else 0)
                a0, per_a0, soft = faces[A0, g], faces[PER_A0, g], faces[SOFTNESS, g]
                ref, alpha = vessels[v, REFERENCE], vessels[v, ALPHA]
                back, ahead = speeds(
                    edges[row, i] - ref, edges[row + 1, i], a0, per_a0, faces[STIFFNESS, g],
                    soft, law[v], alpha, rho,
                )  # fmt: skip
                if not min(back, ahead) > 0.0:
                    return FASTER_THAN_WAVES
                dq = -back if side[m] > 0 else ahead
                ps = star[P_STAR, g]
                qs = edges[row + 1, i] + dq * (ps - edges[row, i])
                w, per_w = widths(ps - ref, soft, law[v])
                per_a = per_a0 * per_w * per_w
                c = compliance(w, a0, soft, law[v])
                u = qs * per_a
                own = ps + 0.5 * alpha * rho * u * u
                rise = 1.0 + alpha * rho * u * (dq - u * c) * per_a
                if side[m] < 0:
                    lin, quad = vessels[v, LOSS_LINEAR], vessels[v, LOSS_QUADRATIC]
                    own += (lin + quad * abs(qs)) * qs
                    rise += (lin + 2.0 * quad * abs(qs)) * dq
                if sweep == 0:
                    total += side[m] * (qs + dq * (head - own) / rise)
                    gain += side[m] * dq / rise
                else:
                    move = (head + step - own) / rise
                    star[P_STAR, g] = ps + move
                    star[Q_STAR, g] = qs + dq * move
                    _, per_w = widths(ps + move - ref, soft, law[v])
                    star[PER_A_STAR, g] = per_a0 * per_w * per_w
                    change = max(change, abs(move) / vessels[v, SCALE])
        head += step
        if change < 1e-11:
            return DONE
    return NO_JUNCTION


@kernel
def ends(
    t: float,
    dt: float,
    period: float,
    inlet_vessel: int,
    inlet_kind: int,
    inlet: Floats,
    outlet_vessel: Ints,
    bed_kind: Ints,
    bed_value: Floats,
    muscle: Floats,
    bed_state: Floats,
    first: Ints,
    law: Ints,
    vessels: Floats,
    faces: Floats,
    rho: float,
    edges: Floats,
    star: Floats,
) -> int:
    """Fill `star` at the inlet and the outlets and carry the beds over the step."""
    v = inlet_vessel
    i, g, ref = first[v], first[v] + v, vessels[v, REFERENCE]
    pe, qe = edges[0, i], edges[1, i]
    back, ahead = speeds(
        pe - ref, qe, faces[A0, g], faces[PER_A0, g], faces[STIFFNESS, g], faces[SOFTNESS, g],
        law[v], vessels[v, ALPHA], rho,
    )  # fmt: skip
    trouble = DONE if min(back, ahead) > 0.0 else FASTER_THAN_WAVES
    given = at_time(inlet, period, t + 0.5 * dt)
    if inlet_kind == INLET_PRESSURE:
        star[P_STAR, g], star[Q_STAR, g] = given, qe + ahead * (given - pe)
    else:
        star[P_STAR, g], star[Q_STAR, g] = pe + (given - qe) / ahead, given
    _, per_w = widths(star[P_STAR, g] - ref, faces[SOFTNESS, g], law[v])
    star[PER_A_STAR, g] = faces[PER_A0, g] * per_w * per_w
    for m in range(outlet_vessel.size):
        v = outlet_vessel[m]
        i, g, ref = first[v + 1] - 1, first[v + 1] + v, vessels[v, REFERENCE]
        pe, qe = edges[2, i], edges[3, i]
        back, ahead = speeds(
            pe - ref, qe, faces[A0, g], faces[PER_A0, g], faces[STIFFNESS, g],
            faces[SOFTNESS, g], law[v], vessels[v, ALPHA], rho,
        )  # fmt: skip
        if not min(back, ahead) > 0.0:
            trouble = FASTER_THAN_WAVES
        old = at_time(muscle[m], period, t)
        middle = at_time(muscle[m], period, t + 0.5 * dt)
        new = at_time(muscle[m], period, t + dt)
        value, state = bed_value[m], bed_state[m]
        resistance, behind = bed(bed_kind[m], value, state, dt, middle, old)
        ps, qs = outflow(bed_kind[m], value, resistance, behind, pe, qe, back)
        fill_bed(bed_kind[m], value, state, dt, qs, middle, old, new)
        star[P_STAR, g], star[Q_STAR, g] = ps, qs
        _, per_w = widths(ps - ref, faces[SOFTNESS, g], law[v])
        star[PER_A_STAR, g] = faces[PER_A0, g] * per_w * per_w
    return trouble


@kernel
def march(
    times: Floats,
    courant: float,
    rho: float,
    first: Ints,
    law: Ints,
    vessels: Floats,
    cells: Floats,
    faces: Floats,
    junction: Ints,
    member: Ints,
    side: Ints,
    period: float,
    inlet_vessel: int,
    inlet_kind: int,
    inlet: Floats,
    outlet_vessel: Ints,
    bed_kind: Ints,
    bed_value: Floats,
    muscle: Floats,
    bed_state: Floats,
    a: Floats,
    q: Floats,
    p: Floats,
    shift: Floats,
    p_out: Floats,
    q_out: Floats,
    passed: Floats,
) -> tuple[int, int, float]:
    """March from times[0] and write p and q of all cells at each later time.

    `shift` is what the flow through a cell's faces has over the cell's own flow q; what is
    written is the former. `passed` collects the volumes that went through the inlet and the
    outlets. Returns the number of steps, what went wrong (DONE if nothing) and when.
    """
    n_vessels, n_cells = first.size - 1, a.size
    half, edges = np.zeros((2, n_cells)), np.zeros((4, n_cells))
    star = np.zeros((3, n_cells + n_vessels))
    t, steps, trouble, stable = times[0], 0, DONE, 0.0
    for sample in range(1, times.size):
        while t < times[sample]:
            if steps % STEADY == 0:
                stable = courant * longest_step(first, law, vessels, cells, rho, p, q)
                if not stable > 0.0:
                    return steps, FASTER_THAN_WAVES, t
            dt = stable
            left = times[sample] - t
            if dt >= left:
                dt = left
            elif 2.0 * dt > left:
                dt = 0.5 * left  # two equal steps, not one and a splinter
            for v in range(n_vessels):
                predict(
                    v, first, law[v], vessels, cells, faces, rho, dt, p, q, half, edges
                )  # fmt: skip
                slow = riemann(v, first, law[v], vessels, faces, rho, edges, star)
                trouble = max(trouble, slow)
            for j in range(junction.size - 1):
                slow = join(
                    junction[j], junction[j + 1], member, side, first, law, vessels, faces,
                    rho, edges, star,
                )  # fmt: skip
                trouble = max(trouble, slow)
            slow = ends(
                t, dt, period, inlet_vessel, inlet_kind, inlet, outlet_vessel, bed_kind,
                bed_value, muscle, bed_state, first, law, vessels, faces, rho, edges, star,
            )  # fmt: skip
            trouble = max(trouble, slow)
            if trouble != DONE:
                return steps, trouble, t
            passed[0] += dt * star[Q_STAR, first[inlet_vessel] + inlet_vessel]
            for m in range(outlet_vessel.size):
                v = outlet_vessel[m]
                passed[m + 1] += dt * star[Q_STAR, first[v + 1] + v]
            for v in range(n_vessels):
                slow = update(
                    v, first, law[v], vessels, cells, rho, dt, half, star, a, p, q, shift
                )
                trouble = max(trouble, slow)
            t = times[sample] if dt == left else t + dt
            steps += 1
        for i in range(n_cells):  # as whole rows numba compiles this for two seconds
            p_out[sample - 1, i], q_out[sample - 1, i] = p[i], q[i] + shift[i]
    return steps, trouble, t
