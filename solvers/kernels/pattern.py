"""Which variables does each block see, and where in a sparse matrix do coefficients end up?"""

from __future__ import annotations

import numpy as np

from meshes.arrays import Floats, Ints
from meshes.compiled import kernel

FREE = -1  # a place without a value of its own: always kept


@kernel
def numbered(links: Ints, inner: Ints) -> tuple[Ints, Ints]:
    """Return the variables of each block: P, Q of its inlets, its outlets, then inner ones.

    Link k (from block, to block) has flow 2k and pressure 2k + 1; `inner` is how many
    variables of its own each block has, these are numbered after all links. Returns where
    the blocks begin, and their variables one block after the other.
    """
    count = inner.size
    begin = np.zeros(count + 1, dtype=np.int64)
    for k in range(links.shape[0]):
        begin[links[k, 0] + 1] += 2
        begin[links[k, 1] + 1] += 2
    for i in range(count):
        begin[i + 1] += begin[i] + inner[i]
    held, variable = begin.copy(), np.empty(begin[count], dtype=np.int64)
    for side in (1, 0):
        for k in range(links.shape[0]):
            i = links[k, side]
            variable[held[i]], variable[held[i] + 1] = 2 * k + 1, 2 * k
            held[i] += 2
    last = 2 * links.shape[0]
    for i in range(count):
        for m in range(held[i], begin[i + 1]):
            variable[m] = last
            last += 1
    return begin, variable


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
