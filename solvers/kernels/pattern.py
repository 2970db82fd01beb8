"""Which variables does each block see, and where in a sparse matrix do coefficients end up?"""

from __future__ import annotations

import numpy as np

from meshes.arrays import Floats, Ints
from meshes.compiled import kernel

FREE = -1  # a place without a value of its own: always kept


@kernel
def grouped(
    links: Ints, code: Ints, inner: Ints, equations: Ints
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Put like blocks together; number their variables and equations.

    Like are blocks of one code with equal counts of inlets and outlets. Link k (from block,
    to block) has flow 2k and pressure 2k + 1. Inner variables are numbered after all links,
    block after block; `inner` and `equations` say how many a code has, a negative number
    of equations is one per link and inner variable.

    Returns
    -------
    group
        A line per group: code, inlets, outlets, blocks.
    member
        The blocks, group after group.
    variable
        Likewise, per group P, Q of all first inlets, P, Q of the second ones, ..., of the
        outlets, then inner ones: a table with a column per block.
    equation
        Likewise.
    first
        First equation of each block, and how many there are.
    """
    count, m = code.size, links.shape[0]
    ends = np.zeros((count, 2), dtype=np.int64)  # inlets, outlets
    for k in range(m):
        ends[links[k, 1], 0] += 1
        ends[links[k, 0], 1] += 1
    number, rank = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    group, groups = np.zeros((count, 4), dtype=np.int64), 0
    first, own = np.zeros(count + 1, dtype=np.int64), np.zeros(count, dtype=np.int64)
    last = 2 * m
    for i in range(count):
        here = 0
        while here < groups and not (
            group[here, 0] == code[i] and group[here, 1] == ends[i, 0]
            and group[here, 2] == ends[i, 1]
        ):  # fmt: skip
            here += 1
        if here == groups:
            group[here, 0], group[here, 1], group[here, 2] = code[i], ends[i, 0], ends[i, 1]
            groups += 1
        number[i], rank[i] = here, group[here, 3]
        group[here, 3] += 1
        own[i] = last
        last += inner[code[i]]
        per_block = equations[code[i]]
        if per_block < 0:
            per_block = ends[i, 0] + ends[i, 1] + inner[code[i]]
        first[i + 1] = first[i] + per_block
    begin = np.zeros((groups + 1, 3), dtype=np.int64)  # of members, variables, equations
    for g in range(groups):
        links_each, size = group[g, 1] + group[g, 2], group[g, 3]
        more = inner[group[g, 0]]
        per_block = equations[group[g, 0]]
        if per_block < 0:
            per_block = links_each + more
        begin[g + 1, 0] = begin[g, 0] + size
        begin[g + 1, 1] = begin[g, 1] + size * (2 * links_each + more)
        begin[g + 1, 2] = begin[g, 2] + size * per_block
    member = np.empty(count, dtype=np.int64)
    variable = np.empty(begin[groups, 1], dtype=np.int64)
    equation = np.empty(begin[groups, 2], dtype=np.int64)
    held = np.zeros(count, dtype=np.int64)
    for i in range(count):
        g = number[i]
        size, place = group[g, 3], rank[i]
        member[begin[g, 0] + place] = i
        for k in range(first[i + 1] - first[i]):
            equation[begin[g, 2] + k * size + place] = first[i] + k
        for k in range(inner[code[i]]):
            row = 2 * (group[g, 1] + group[g, 2]) + k
            variable[begin[g, 1] + row * size + place] = own[i] + k
    for side in (1, 0):  # inlets before outlets
        for k in range(m):
            i = links[k, side]
            g = number[i]
            at = begin[g, 1] + held[i] * group[g, 3] + rank[i]
            variable[at], variable[at + group[g, 3]] = 2 * k + 1, 2 * k
            held[i] += 2
    return group[:groups].copy(), member, variable, equation, first


@kernel
def gathered(
    row: Ints, column: Ints, which: Ints, value: Floats, size: int, kinds: int
) -> tuple[Ints, Ints, Floats, Ints]:
    """Return one pattern for several matrices of `size` rows, their values and the places.

    Entry k adds `value[k]` to matrix `which[k]` at its row and column, or, where that is
    FREE, keeps a place. Zeros are left out, their place is -1. Returns where rows start, the
    ascending columns, values (kinds, places) and the place of each entry.
    """
    begin = np.zeros(size + 1, dtype=np.int64)
    for k in range(row.size):
        if which[k] == FREE or value[k] != 0.0:
            begin[row[k] + 1] += 1
    for i in range(size):
        begin[i + 1] += begin[i]
    held = begin.copy()
    entry = np.empty(begin[size], dtype=np.int64)
    for k in range(row.size):  # into their rows, columns ascending: rows are short
        if which[k] == FREE or value[k] != 0.0:
            first, m = begin[row[k]], held[row[k]]
            while m > first and column[entry[m - 1]] > column[k]:
                entry[m] = entry[m - 1]
                m -= 1
            entry[m] = k
            held[row[k]] += 1
    start, columns = np.zeros(size + 1, dtype=np.int64), np.empty(entry.size, dtype=np.int64)
    table, place = np.zeros((kinds, entry.size)), np.full(row.size, -1, dtype=np.int64)
    last = -1
    for i in range(size):
        start[i] = last + 1
        for m in range(begin[i], begin[i + 1]):
            k = entry[m]
            if last < start[i] or columns[last] != column[k]:
                last += 1
                columns[last] = column[k]
            place[k] = last
            if which[k] != FREE:
                table[which[k], last] += value[k]
    start[size] = last + 1
    return start, columns[: last + 1].copy(), table[:, : last + 1].copy(), place
