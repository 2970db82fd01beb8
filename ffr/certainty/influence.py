"""Which uncertain input does a result depend on most? Variance-based (Sobol) indices.

For groups of inputs: first order, what a group explains alone; total, what would remain if all
others were known. Quasi-random samples A and B, and for each group A with the group's inputs
from B (Saltelli et al., Computer Physics Communications 2010;181:259).
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from meshes.arrays import AnyArray, Floats


def quasi_normal(inputs: int, base: int, seed: int) -> tuple[Floats, Floats]:
    """Return two independent quasi-random samples A and B of standard normals.

    Parameters
    ----------
    inputs
        How many inputs.
    base
        How many samples, a power of two.
    seed
        Same seed, same samples.

    Returns
    -------
    Two arrays (base, inputs): the halves of one scrambled Sobol sequence.
    """
    from scipy.stats import qmc  # takes longer to load than all else: only where it is used

    uniform = qmc.Sobol(2 * inputs, scramble=True, rng=seed).random(base)
    normal = ndtri(np.clip(uniform, 1e-9, 1 - 1e-9))
    return normal[:, :inputs], normal[:, inputs:]


def latin_normal(inputs: int, samples: int, seed: int) -> Floats:
    """Return a Latin hypercube sample of standard normals, shape (samples, inputs).

    Each input alone is spread evenly (McKay, Beckman & Conover, Technometrics 1979;21:239).
    """
    rng = np.random.default_rng(seed)
    ranks = rng.permuted(np.tile(np.arange(samples), (inputs, 1)), axis=1)
    return np.ascontiguousarray(ndtri((ranks + rng.random(ranks.shape)) / samples).T)


def sobol_indices(f_a: AnyArray, f_b: AnyArray, f_mixed: AnyArray) -> tuple[Floats, Floats]:
    """Return first-order and total indices of each group.

    Parameters
    ----------
    f_a, f_b
        Results of the samples A and B, shape (base, ...).
    f_mixed
        Results of A with one group from B, shape (groups, base, ...).

    Returns
    -------
    First order (Saltelli 2010) and total (Jansen, Computer Physics Communications
    1999;117:35), shape (groups, ...); 0 where the result does not vary. Estimates: small
    indices may come out below zero.
    """
    a, b, mixed = (np.asarray(x, dtype=np.float64) for x in (f_a, f_b, f_mixed))
    both = np.concatenate([a, b])
    middle, variance = both.mean(axis=0), both.var(axis=0)
    still = variance < 1e-16
    scale = np.where(still, 1.0, variance)
    first = ((b - middle) * (mixed - a)).mean(axis=1) / scale
    total = 0.5 * ((mixed - a) ** 2).mean(axis=1) / scale
    return np.where(still, 0.0, first), np.where(still, 0.0, total)
