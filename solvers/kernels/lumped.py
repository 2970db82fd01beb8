"""How a network of lumped elements moves in time: E y' + F y + c(y, y', t) = 0 by Newton.

Generalised-alpha steps (Jansen, Whiting & Hulbert, Computer Methods in Applied Mechanics and
Engineering 2000;190:305) with a sparse LU whose pivots and fill are found once and reused.
Units are those of the network.
"""

from __future__ import annotations

import math

import numpy as np

from meshes.arrays import Floats, Ints
from meshes.compiled import kernel

QUADRATIC, QUADRATIC_STORE, TANH_VALVE, STEP_VALVE = range(4)
GATED, EXPONENTIAL, LAGGED, SPHERE = range(4, 8)
IN_E, IN_F, IN_C, IN_P = range(4)  # where a coefficient that changes with time belongs
THRESHOLD = 1e-3  # smallest pivot against its row after equilibration
VANISHED = 1e-11  # a pivot so small against its row: choose the pivots anew
DONE, NO_STEP, SINGULAR = range(3)


# What describes an assembled network, in this order:
#   start, column    rows of one sparse pattern
#   e, f             coefficients of y' and y on it
#   c                constant part
#   timed            row k: at step k the coefficients that change with time
#   where, place     what each of these is (IN_E, IN_F, IN_C, IN_P), and which
#   kind, at, slot, number   of the nonlinear terms: what sort, variables and equations,
#                    places of the derivatives in the pattern, coefficients
#   gates            ideal valves: pressures before and behind, flow
System = tuple[
    Ints, Ints, Floats, Floats, Floats, Floats, Ints, Ints, Ints, Ints, Ints, Floats, Ints
]  # fmt: skip
# Pivots and the places of L and U, rows in order of elimination:
#   row, order       matrix row and column of each pivot
#   position         pivot of each matrix column
#   start, pivot     rows of L and U, columns by the number of their pivot
#   split            where the row's U begins, with its pivot
Factors = tuple[Ints, Ints, Ints, Ints, Ints, Ints]


@kernel
def pivots(start: Ints, column: Ints, value: Floats) -> tuple[Ints, Ints, int]:
    """Choose the pivots: shortest row first, in it the large entry of the shortest column.

    Markowitz (Management Science 1957;3:255) with the search restricted to one row.
    Returns matrix rows, matrix columns and how many pivots were found.
    """
    n = start.size - 1
    row_max, column_max = np.zeros(n), np.zeros(n)
    for i in range(n):
        for k in range(start[i], start[i + 1]):
            row_max[i] = max(row_max[i], abs(value[k]))
    for i in range(n):
        for k in range(start[i], start[i + 1]):
            if row_max[i] > 0.0:
                size = abs(value[k]) / row_max[i]
                column_max[column[k]] = max(column_max[column[k]], size)
    width = 8
    for i in range(n):
        width = max(width, 2 * (start[i + 1] - start[i]))
    inside, number = np.empty((n, width), dtype=np.int64), np.empty((n, width))
    count, shortness = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for i in range(n):
        for k in range(start[i], start[i + 1]):
            j = column[k]
            if value[k] != 0.0 and column_max[j] > 0.0:
                inside[i, count[i]] = j
                number[i, count[i]] = value[k] / row_max[i] / column_max[j]
                count[i] += 1
                shortness[j] += 1
    depth = 8
    for j in range(n):
        depth = max(depth, 2 * shortness[j])
    holders, held = np.empty((n, depth), dtype=np.int64), np.zeros(n, dtype=np.int64)
    for i in range(n):
        for k in range(count[i]):
            j = inside[i, k]
            holders[j, held[j]] = i
            held[j] += 1
    rows, columns = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    gone = np.zeros(n, dtype=np.bool_)
    lengths = np.zeros(n + 1, dtype=np.int64)  # how many rows so long are left
    for i in range(n):
        lengths[count[i]] += 1
    best = 0
    for step in range(n):
        least = 0
        while lengths[least] == 0:
            least += 1
        while gone[best] or count[best] != least:
            best = best + 1 if best + 1 < n else 0
        lengths[least] -= 1
        largest = 0.0
        for k in range(count[best]):
            largest = max(largest, abs(number[best, k]))
        if not largest > 1e-14:
            return rows, columns, step
        chosen = -1
        for k in range(count[best]):
            if abs(number[best, k]) >= THRESHOLD * largest:
                shorter = (
                    chosen < 0 or shortness[inside[best, k]] < shortness[inside[best, chosen]]
                )
                if shorter:
                    chosen = k
        p, pivot = inside[best, chosen], number[best, chosen]
        rows[step], columns[step], gone[best] = best, p, True
        for k in range(count[best]):
            shortness[inside[best, k]] -= 1
        for h in range(held[p]):
            i = holders[p, h]
            if gone[i]:
                continue
            here = -1
            for k in range(count[i]):
                if inside[i, k] == p:
                    here = k
            if here < 0:
                continue
            factor = number[i, here] / pivot
            lengths[count[i]] -= 1
            count[i] -= 1
            inside[i, here], number[i, here] = inside[i, count[i]], number[i, count[i]]
            for k in range(count[best]):
                j = inside[best, k]
                if j == p:
                    continue
                found = -1
                for m in range(count[i]):
                    if inside[i, m] == j:
                        found = m
                if found >= 0:
                    number[i, found] -= factor * number[best, k]
                    continue
                if count[i] == width:
                    wider = np.empty((n, 2 * width), dtype=np.int64)
                    more = np.empty((n, 2 * width))
                    for line in range(n):
                        for m in range(width):
                            wider[line, m], more[line, m] = inside[line, m], number[line, m]
                    inside, number, width = wider, more, 2 * width
                inside[i, count[i]], number[i, count[i]] = j, -factor * number[best, k]
                count[i] += 1
                shortness[j] += 1
                if held[j] == depth:
                    deeper = np.empty((n, 2 * depth), dtype=np.int64)
                    for line in range(n):
                        for m in range(depth):
                            deeper[line, m] = holders[line, m]
                    holders, depth = deeper, 2 * depth
                holders[j, held[j]] = i
                held[j] += 1
            lengths[count[i]] += 1
    return rows, columns, n


@kernel
def filled(start: Ints, column: Ints, rows: Ints, columns: Ints) -> Factors:
    """Return where L and U of the matrix with these pivots can be other than zero."""
    n = rows.size
    position = np.empty(n, dtype=np.int64)
    for k in range(n):
        position[columns[k]] = k
    begin, split = np.zeros(n + 1, dtype=np.int64), np.zeros(n, dtype=np.int64)
    pivot = np.empty(4 * column.size + n, dtype=np.int64)
    mark = np.full(n, -1, dtype=np.int64)
    line = np.empty(n, dtype=np.int64)
    for i in range(n):
        mark[i] = i  # the pivot itself is always there
        size = 1
        line[0] = i
        for k in range(start[rows[i]], start[rows[i] + 1]):
            j = position[column[k]]
            if mark[j] != i:
                mark[j] = i
                line[size] = j
                size += 1
        k = 0
        while k < size:  # every pivot before i brings its row's U along
            j = line[k]
            if j < i:
                for m in range(split[j] + 1, begin[j + 1]):
                    if mark[pivot[m]] != i:
                        mark[pivot[m]] = i
                        line[size] = pivot[m]
                        size += 1
            k += 1
        if begin[i] + size > pivot.size:
            longer = np.empty(2 * pivot.size + size, dtype=np.int64)
            for k in range(begin[i]):
                longer[k] = pivot[k]
            pivot = longer
        for k in range(1, size):  # rows are short: insertion sort
            j, m = line[k], k
            while m > 0 and line[m - 1] > j:
                line[m] = line[m - 1]
                m -= 1
            line[m] = j
        for k in range(size):
            pivot[begin[i] + k] = line[k]
            if line[k] == i:
                split[i] = begin[i] + k
        begin[i + 1] = begin[i] + size
    return rows, columns, position, begin, split, pivot[: begin[n]].copy()


@kernel
def factored(
    start: Ints, column: Ints, value: Floats, lu: Factors, entries: Floats, work: Floats
) -> bool:
    """Fill `entries` with L and U; return whether all pivots are sound."""
    row, _, position, first, split, pivot = lu
    for i in range(row.size):
        for k in range(first[i], first[i + 1]):
            work[pivot[k]] = 0.0
        largest = 0.0
        for k in range(start[row[i]], start[row[i] + 1]):
            work[position[column[k]]] += value[k]
            largest = max(largest, abs(value[k]))
        for k in range(first[i], split[i]):
            p = pivot[k]
            factor = work[p]
            if factor != 0.0:
                factor *= entries[split[p]]  # the inverse of the pivot is kept
                for m in range(split[p] + 1, first[p + 1]):
                    work[pivot[m]] -= factor * entries[m]
            entries[k] = factor
        for k in range(split[i] + 1, first[i + 1]):
            entries[k] = work[pivot[k]]
        if not abs(work[i]) > VANISHED * largest:
            return False
        entries[split[i]] = 1.0 / work[i]
    return True


@kernel
def substituted(lu: Factors, entries: Floats, right: Floats, work: Floats, x: Floats) -> None:
    """Solve with L and U: x from `right`, both in the order of the matrix."""
    row, order, _, start, split, pivot = lu
    n = row.size
    for i in range(n):
        rest = right[row[i]]
        for k in range(start[i], split[i]):
            rest -= entries[k] * work[pivot[k]]
        work[i] = rest
    for i in range(n - 1, -1, -1):
        rest = work[i]
        for k in range(split[i] + 1, start[i + 1]):
            rest -= entries[k] * work[pivot[k]]
        work[i] = rest * entries[split[i]]
        x[order[i]] = work[i]


@kernel
def sphere(
    at: Ints, slot: Ints, number: Floats, y: Floats, rate: Floats,
    c: Floats, by_y: Floats, by_rate: Floats,
) -> None:  # fmt: skip
    """Add a thick spherical chamber: momentum, stress and volume (Caruel 2013, eq. 13)."""
    r0, thick, eta = number[0], number[1], number[2]
    w1, w2, c0, c1, c2, c3 = number[3], number[4], number[5], number[6], number[7], number[8]
    p, radius, speed, stress = y[at[3]], y[at[4]], y[at[5]], y[at[6]]
    drdt = rate[at[4]]
    a = radius + r0
    c[at[0]] += a * (stress * thick - p * a) / r0**2
    by_y[slot[0]] -= a * a / r0**2
    by_y[slot[1]] += (stress * thick - 2.0 * p * a) / r0**2
    by_y[slot[2]] += thick * a / r0**2
    s = (a / r0) ** 2
    ds = 2.0 * a / r0**2
    viscous = 2.0 * eta * a / r0**2 * (1.0 + 2.0 * s**-6)  # eta C' (1 + 2 C^-6) / r'
    c[at[1]] += 4.0 * (1.0 - s**-3) * (w1 + s * w2) + viscous * drdt
    slope = 12.0 * s**-4 * (w1 + s * w2) + 4.0 * (1.0 - s**-3) * w2
    by_y[slot[3]] += slope * ds + 2.0 * eta / r0**2 * (1.0 - 22.0 * s**-6) * drdt
    by_rate[slot[3]] += viscous
    if c0 != 0.0 or c2 != 0.0:  # exponential material, by the invariants of a thin sphere
        j1 = 2.0 * s + s**-2 - 3.0
        dj1 = 2.0 - 2.0 * s**-3
        j4 = s - 1.0
        first, fourth = math.exp(c1 * j1 * j1), math.exp(c3 * j4 * j4)
        f1, f4 = 8.0 * c0 * c1 * first, 4.0 * c2 * c3 * fourth
        k = 1.0 - s**-3
        c[at[1]] += f1 * j1 * k + f4 * j4
        df1 = f1 * (2.0 * c1 * j1 * j1 * dj1 + dj1) * k + f1 * j1 * 3.0 * s**-4
        df4 = f4 * (2.0 * c3 * j4 * j4 + 1.0)
        by_y[slot[3]] += (df1 + df4) * ds
    c[at[2]] += 4.0 * math.pi * speed * a * a
    by_y[slot[4]] += 8.0 * math.pi * speed * a
    by_y[slot[5]] += 4.0 * math.pi * a * a


@kernel
def nonlinear(
    system: System, open_gate: Ints, y: Floats, rate: Floats,
    c: Floats, by_y: Floats, by_rate: Floats,
) -> None:  # fmt: skip
    """Add the nonlinear terms to `c` and their derivatives to `by_y`, `by_rate`."""
    _, _, _, _, _, _, _, _, kinds, ats, slots, numbers, gates = system
    for g in range(gates.shape[0]):
        before, behind, flow = gates[g]
        open_gate[g] = 0 if y[before] <= y[behind] and y[flow] <= 0.0 else 1
    for i in range(kinds.size):
        kind, at, slot, number = kinds[i], ats[i], slots[i], numbers[i]
        if kind == QUADRATIC:  # - S |q| q
            q = y[at[1]]
            c[at[0]] -= number[0] * abs(q) * q
            by_y[slot[0]] -= 2.0 * number[0] * abs(q)
        elif kind == QUADRATIC_STORE:  # + 2 S C |q| q'
            q, dq = y[at[1]], rate[at[1]]
            c[at[0]] += 2.0 * number[0] * abs(q) * dq
            sign = 1.0 if q > 0.0 else (-1.0 if q < 0.0 else 0.0)
            by_y[slot[0]] += 2.0 * number[0] * sign * dq
            by_rate[slot[0]] += 2.0 * number[0] * abs(q)
        elif kind == TANH_VALVE:  # - (Rmax - Rmin)/2 q tanh(k (p_out - p_in)); how far shut
            q, half, steep = y[at[2]], 0.5 * (number[1] - number[0]), number[2]
            bend = math.tanh(steep * (y[at[4]] - y[at[3]]))
            c[at[0]] -= half * q * bend
            c[at[1]] -= 0.5 * (1.0 + bend)
            tilt = half * q * steep * (1.0 - bend * bend)
            by_y[slot[0]] -= half * bend
            by_y[slot[1]] += tilt
            by_y[slot[2]] -= tilt
        elif kind == STEP_VALVE:
            resistance = number[0] if y[at[3]] < y[at[2]] else number[1]
            c[at[0]] -= resistance * y[at[1]]
            by_y[slot[0]] -= resistance
        elif kind == GATED:  # + factor q while the valve is open
            if open_gate[at[2]]:
                c[at[0]] += number[0] * y[at[1]]
                by_y[slot[0]] += number[0]
        elif kind == EXPONENTIAL:  # + factor k (exp(a (V - V0)) - 1)
            grown = number[1] * math.exp(number[2] * (y[at[1]] - number[3]))
            c[at[0]] += number[0] * (grown - number[1])
            by_y[slot[0]] += number[0] * number[2] * grown
        elif kind == LAGGED:  # + factor y; no derivative, so that Newton takes the same path
            c[at[0]] += number[0] * y[at[1]]
        else:
            sphere(at, slot, number, y, rate, c, by_y, by_rate)


@kernel
def set_time(system: System, row: int) -> None:
    """Put the coefficients of this step in place."""
    _, _, e, f, c, timed, where, place, _, _, _, number, _ = system
    numbers = number.reshape(-1)
    for k in range(place.size):
        value, index = timed[row, k], place[k]
        if where[k] == IN_C:
            c[index] = value
        elif where[k] == IN_F:
            f[index] = value
        elif where[k] == IN_E:
            e[index] = value
        else:
            numbers[index] = value


@kernel
def copied(values: Floats, into: Floats) -> None:
    """Fill `into`; as `into[:] = values` numba compiles it for two seconds."""
    for i in range(values.size):
        into[i] = values[i]


@kernel
def march(
    system: System,
    y: Floats,
    rate: Floats,
    steps: int,
    row: int,
    dt: float,
    rho: float,
    tolerance: float,
    limit: int,
    first: int,
    every: int,
    kept: Floats,
    kept_rate: Floats,
) -> tuple[int, int, int, int, float]:
    """Advance `y` and `rate` by `steps`; keep the states after steps first, first + every, ...

    `rho` is the spectral radius at infinite step. Step 0 is the given state. Rows of the
    timed coefficients are used cyclically from `row` on. Returns DONE, NO_STEP or SINGULAR,
    the step it ended at, Newton steps, the worst equation and its residual.
    """
    n = y.size
    alpha_m, alpha_f = 0.5 * (3.0 - rho) / (1.0 + rho), 1.0 / (1.0 + rho)
    gamma = 0.5 + alpha_m - alpha_f
    forward = gamma * dt
    weight = alpha_f * forward
    start, column, e, f, constant, timed, where_timed, _, kind, _, _, _, gates = system
    value, by_y, by_rate = np.empty(column.size), np.zeros(column.size), np.zeros(column.size)
    new, new_rate, middle, middle_rate = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    c, right, work, change = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    open_gate = np.ones(gates.shape[0], dtype=np.int64)
    fixed = kind.size == 0
    for k in range(where_timed.size):
        fixed = fixed and where_timed[k] == IN_C
    lu = filled(start, column, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    entries = np.zeros(0)
    known, total, slots, worst, where = False, 0, 0, 0.0, 0
    if first == 0:
        copied(y, kept[0])
        copied(rate, kept_rate[0])
        slots = 1
    for step in range(steps):
        set_time(system, (row + step) % timed.shape[0])
        for i in range(n):
            new[i] = y[i]
            new_rate[i] = rate[i] * (1.0 - 1.0 / gamma)
        for iteration in range(limit):
            for i in range(n):
                middle[i] = y[i] + (new[i] - y[i]) * alpha_f
                middle_rate[i] = rate[i] + (new_rate[i] - rate[i]) * alpha_m
                c[i] = constant[i]
            if not fixed:
                by_y[:] = 0.0
                by_rate[:] = 0.0
                nonlinear(system, open_gate, middle, middle_rate, c, by_y, by_rate)
            worst = 0.0
            for i in range(n):
                rest = c[i]
                for k in range(start[i], start[i + 1]):
                    j = column[k]
                    rest += e[k] * middle_rate[j] + f[k] * middle[j]
                right[i] = -rest
                if not abs(rest) <= worst:
                    worst, where = abs(rest), i
            if worst < tolerance:
                break
            if iteration == limit - 1 or not math.isfinite(worst):
                return NO_STEP, step, total, where, worst
            if not (fixed and known):
                for k in range(column.size):
                    value[k] = alpha_m * (e[k] + by_rate[k])
                    value[k] += weight * (f[k] + by_y[k])
                if known:
                    known = factored(start, column, value, lu, entries, work)
                if not known:
                    rows, columns, found = pivots(start, column, value)
                    if found < n:
                        return SINGULAR, step, total, missing(rows, found, n), worst
                    lu = filled(start, column, rows, columns)
                    entries = np.zeros(lu[5].size)
                    known = factored(start, column, value, lu, entries, work)
                    if not known:
                        return SINGULAR, step, total, where, worst
            substituted(lu, entries, right, work, change)
            total += 1
            for g in range(open_gate.size):
                if not open_gate[g]:
                    new[gates[g, 2]] = 0.0
            for i in range(n):
                new_rate[i] += change[i]
                new[i] += change[i] * forward
        copied(new, y)
        copied(new_rate, rate)
        if step + 1 >= first and (step + 1 - first) % every == 0 and slots < kept.shape[0]:
            copied(y, kept[slots])
            copied(rate, kept_rate[slots])
            slots += 1
    return DONE, steps, total, where, worst


@kernel
def missing(rows: Ints, found: int, n: int) -> int:
    """Return the first matrix row that is not among the `found` pivots."""
    used = np.zeros(n, dtype=np.bool_)
    for k in range(found):
        used[rows[k]] = True
    for i in range(n):
        if not used[i]:
            return i
    return 0


@kernel
def rest_state(
    system: System, y: Floats, tolerance: float, limit: int
) -> tuple[int, int, int, int, float]:
    """Solve F y + c(y) = 0 (all rates zero) for `y`; returns as `march` does."""
    n = y.size
    start, column, _, f, constant, _, _, _, _, _, _, _, gates = system
    value, by_y, by_rate = np.empty(column.size), np.zeros(column.size), np.zeros(column.size)
    c, right, work, change = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    rate = np.zeros(n)
    open_gate = np.ones(gates.shape[0], dtype=np.int64)
    set_time(system, 0)
    lu = filled(start, column, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    entries = np.zeros(0)
    known, worst, where = False, 0.0, 0
    for iteration in range(limit):
        copied(constant, c)
        by_y[:] = 0.0
        nonlinear(system, open_gate, y, rate, c, by_y, by_rate)
        worst = 0.0
        for i in range(n):
            rest = c[i]
            for k in range(start[i], start[i + 1]):
                rest += f[k] * y[column[k]]
            right[i] = -rest
            if not abs(rest) <= worst:
                worst, where = abs(rest), i
        if worst < tolerance:
            return DONE, iteration, iteration, where, worst
        if not math.isfinite(worst):
            break
        for k in range(column.size):
            value[k] = f[k] + by_y[k]
        if known:
            known = factored(start, column, value, lu, entries, work)
        if not known:
            rows, columns, found = pivots(start, column, value)
            if found < n:
                return SINGULAR, iteration, iteration, missing(rows, found, n), worst
            lu = filled(start, column, rows, columns)
            entries = np.zeros(lu[5].size)
            known = factored(start, column, value, lu, entries, work)
            if not known:
                return SINGULAR, iteration, iteration, where, worst
        substituted(lu, entries, right, work, change)
        for i in range(n):
            y[i] += change[i]
    return NO_STEP, limit, limit, where, worst
