"""How sure is each FFR, and what would have to be measured better?

All that is uncertain is drawn together, every draw is solved by the calibrated network, and
the spread of FFR is read off at each point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ffr.certainty.confidence import GROUPS, Uncertainty
from ffr.certainty.influence import quasi_normal, sobol_indices
from ffr.certainty.lumen_error import LumenError
from ffr.certainty.variants import MODEL_SD_PERCENT, THRESHOLD, Variants, ends, input_count
from ffr.circulation.boundary import Boundary
from ffr.circulation.physiology import InputSpread, Physiology
from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.tree import CoronaryTree
from solvers.blood import Blood
from solvers.calibrated import calibrate
from solvers.solution import FlowSolution

BASE = 1024  # times 8 groups + 2: 10 240 samples
SEED = 20


def propagate(
    trees: Sequence[CoronaryTree],
    solutions: Sequence[FlowSolution],
    boundaries: Sequence[Boundary],
    blood: Blood,
    inputs: InputSpread,
    physiology: Physiology,
    readings: Sequence[Ints],
    lumen: LumenError | None = None,
    base: int = BASE,
    model_sd_percent: Sequence[float] | None = None,
) -> tuple[Uncertainty, ...]:
    """Return the spread of FFR in each tree of a heart.

    Parameters
    ----------
    trees, solutions, boundaries
        The trees, what was solved, and their ends.
    blood, inputs, physiology
        What was solved with, and how uncertain that is.
    readings
        Per tree, the points at which the inputs are weighed.
    lumen
        How wrong the radii may be.
    base
        Samples per group, a power of two; there are 10 times as many in all.
    model_sd_percent
        Per tree, error of its flow model; MODEL_SD_PERCENT by default.

    Raises
    ------
    ConvergenceError
        More than one sample in a hundred has no steady flow.
    """
    latent = _Latent(trees, base)
    found = []
    models = model_sd_percent or [MODEL_SD_PERCENT] * len(trees)
    for t, (c, solution, boundary) in enumerate(zip(trees, solutions, boundaries, strict=True)):
        network = calibrate(c.tree, solution, blood)
        made = Variants(
            trees, t, network, solution, boundary, inputs, physiology, lumen or LumenError(),
            models[t],
        )  # fmt: skip
        ffr = _sampled(made, latent)
        found.append(_summary(ffr, solution, np.asarray(readings[t], dtype=np.int64)))
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """The 95 % interval of the change of FFR at each point, NaN where it is not known, (n,)."""

    ffr_low: Floats
    ffr_high: Floats


def propagate_change(
    before: Variants, after: Variants, readings: Ints, base: int = BASE
) -> tuple[Uncertainty, Change]:
    """Return the spread of FFR in a changed tree, and that of the change.

    Paired: every draw is solved in both trees with the same errors of radius, beds, pressures,
    viscosity and flow model, so that what both share cancels.

    Parameters
    ----------
    before, after
        The same points, with other radii and what was solved with them.
    readings
        Points of the changed tree at which the inputs are weighed.
    base
        As in `propagate`, which draws the same.

    Raises
    ------
    ConvergenceError
        More than one sample in a hundred has no steady flow.
    """
    latent = _Latent(before.trees, base)
    old, new = _sampled(before, latent), _sampled(after, latent)
    spread = _summary(new, after.solution, readings)
    gain = np.where(np.isfinite(new), new, 0.0) - np.where(np.isfinite(old), old, 0.0)
    low, high = ends(np.ascontiguousarray(gain.reshape(-1, gain.shape[-1]).T))
    known = np.isfinite(before.solution.pressure_mmhg)
    known &= np.isfinite(after.solution.pressure_mmhg)
    change = Change(*(floats(np.where(known, x, np.nan)) for x in (low, high)))
    return spread, change


def _sampled(made: Variants, latent: _Latent) -> AnyArray:
    """Return FFR of all samples, (groups + 2, base, n)."""
    count = len(made.trees[made.which].tree)
    ffr = np.empty((len(GROUPS) + 2, latent.base, count), dtype=np.float32)
    for k in range(len(GROUPS) + 2):
        ffr[k] = made.ffr(latent.sample(k), latent.noise(k, made.which))
    return ffr


class _Latent:
    """Standard normal inputs of the samples A, B, and A with one group from B.

    The radius error along the vessels has as many inputs as points: too many for a Sobol
    sequence, so it is drawn pseudo-randomly and only its shared part quasi-randomly.
    """

    def __init__(self, trees: Sequence[CoronaryTree], base: int) -> None:
        sizes = [input_count(trees, name) for name in GROUPS]
        last = np.cumsum(sizes)
        self.columns = [slice(int(e - n), int(e)) for e, n in zip(last, sizes, strict=True)]
        self.base = base
        self.a, self.b = quasi_normal(int(last[-1]), base, SEED)
        self.points = [len(c.tree) for c in trees]

    def sample(self, k: int) -> dict[str, Floats]:
        """Return the inputs by group: k = 0 is A, 1 is B, k + 2 is A with group k from B."""
        mixed = (self.b if k == 1 else self.a).copy()
        if k > 1:
            mixed[:, self.columns[k - 2]] = self.b[:, self.columns[k - 2]]
        return {name: mixed[:, c] for name, c in zip(GROUPS, self.columns, strict=True)}

    def noise(self, k: int, tree: int) -> AnyArray:
        """Return white noise for the radii, (base, 2n); B's also where radius is from B."""
        from_b = k in (1, 2 + GROUPS.index("lumen radius"))
        rng = np.random.default_rng([SEED, tree, int(from_b)])
        return rng.standard_normal((self.base, 2 * self.points[tree]), dtype=np.float32)


def _summary(ffr: AnyArray, solution: FlowSolution, readings: Ints) -> Uncertainty:
    runs, base, n = ffr.shape
    known = np.isfinite(solution.pressure_mmhg)
    lost = ~np.isfinite(ffr)
    if lost.any():  # a few samples without steady flow: worst case, nothing gets through
        ffr = np.where(lost, np.float32(0.0), ffr)
    columns = np.ascontiguousarray(ffr.reshape(runs * base, n).T)
    low, high = ends(columns)
    below = (columns < THRESHOLD).mean(axis=1)
    first, total = sobol_indices(
        ffr[0][:, readings], ffr[1][:, readings], ffr[2:][:, :, readings]
    )
    return Uncertainty(
        ffr_low=floats(np.where(known, low, np.nan)),
        ffr_high=floats(np.where(known, high, np.nan)),
        probability=floats(np.where(known, below, np.nan)),
        readings=readings,
        first_order=floats(first.T),
        total=floats(total.T),
    )
