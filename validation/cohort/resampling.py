"""How sure is a statistic when vessels of one patient belong together? Draw patients anew."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from meshes.arrays import Floats, Ints
from validation.cohort import DRAWS
from validation.cohort.metrics import Interval

SEED = 20_150_101
LEAST_KNOWN = 0.95  # share of draws in which the statistic must exist
_CHUNK = 200  # draws at once: a wide cohort must not need gigabytes

Statistic = Callable[[Floats], Floats]
"""Weights (draws, n) to values (draws,)."""


def clustered(
    patient: Ints, statistic: Statistic, draws: int = DRAWS, seed: int = SEED
) -> Interval | None:
    """Return the 95 % percentile interval of a statistic, patients drawn with replacement.

    Cluster bootstrap: a patient drawn twice counts with all vessels twice (Field and Welsh,
    J R Stat Soc B 2007;69:369).

    Parameters
    ----------
    patient
        Number of each row's patient, 0 to k - 1, shape (n,).
    statistic
        Takes how often each row was drawn, shape (draws, n); gives a value per draw, NaN where
        there is none.
    draws, seed
        Number of draws, and of the random generator: same seed, same interval.

    Returns
    -------
    None with fewer than two patients, or where too many draws have no value.
    """
    k = int(patient.max()) + 1 if patient.size else 0
    if k < 2:
        return None
    random = np.random.default_rng(seed)
    counts = random.multinomial(k, np.full(k, 1 / k), size=draws)
    values = np.concatenate(
        [
            statistic(counts[i : i + _CHUNK][:, patient].astype(np.float64))
            for i in range(0, draws, _CHUNK)
        ]
    )
    known = values[np.isfinite(values)]
    if known.size < LEAST_KNOWN * draws:
        return None
    low, high = np.quantile(known, (0.025, 0.975))
    return Interval(low=float(low), high=float(high))


def share(of: np.ndarray, among: np.ndarray) -> Statistic:
    """Return the statistic "how many of `among` are also `of`", both shape (n,)."""
    inside, both = among.astype(np.float64), (of & among).astype(np.float64)

    def statistic(weights: Floats) -> Floats:
        whole = weights @ inside
        return np.divide(
            weights @ both, whole, out=np.full(len(weights), np.nan), where=whole > 0
        )

    return statistic
