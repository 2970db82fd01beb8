"""How sure is each FFR, and what would have to be measured better?

All that is uncertain is drawn together, every draw is solved by the calibrated network, and
the spread of FFR is read off at each point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ffr.boundary import Boundary
from ffr.influence import quasi_normal, sobol_indices
from ffr.physiology import InputSpread, Physiology
from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.tree import CoronaryTree, sections
from solvers.blood import Blood
from solvers.calibrated import Calibrated, calibrate
from solvers.sampling import Draws, sample_ffr
from solvers.solution import FlowSolution
from solvers.split import inlet_radius_mm, sampled_shares

GROUPS = (
    "lumen radius", "resting flow", "hyperaemic response", "flow split", "aortic pressure",
    "venous pressure", "viscosity", "flow model",
)  # fmt: skip
BASE = 1024  # times 8 groups + 2: 10 240 samples
SEED = 20
THRESHOLD = 0.805  # FFR printed as 0.80 or below
TAIL = 0.025
MODEL_LOG_SD = 0.05  # of the pressure drop: 4 % calibrated against resolved (validation
# calibrated), 1 to 2 % resolved against 3D flow (validation cfd)
LEAST_PRESSURE_MMHG = 40.0
MOST_RELATIVE = 0.1  # error of a radius for which its effect on the mean is corrected


@dataclass(frozen=True, slots=True)
class LumenError:
    """How wrong measured radii are, from held-out virtual scans (model card).

    Parameters
    ----------
    shared_mm
        Standard deviation of the error that all radii of a scan share.
    least_percent
        Least standard deviation at each point, of the radius; beyond that the
        `radius_sd_mm` that the segmentation gives with the tree counts.
    unknown_percent
        Standard deviation, of the radius, where the tree comes without one.
    correlation_mm
        Length over which the error changes along a vessel.
    """

    shared_mm: float = 0.02
    least_percent: float = 4.0
    unknown_percent: float = 7.0
    correlation_mm: float = 4.0

    def centre_mm(self, coronary: CoronaryTree) -> Floats:
        """Return the radii around which true ones are expected, shape (n,).

        Resistance goes with radius^-4: an error of relative SD e raises it by 10 e^2 on
        average. Measured radii carry the error already and drawn ones get it again; radii
        wider by 5 e^2 make up for both. Where e is above MOST_RELATIVE the series means
        nothing any more.
        """
        radius = coronary.tree.radius_mm
        relative = np.minimum(self.own_mm(coronary) / radius, MOST_RELATIVE)
        return floats(radius * (1.0 + 5.0 * relative**2))

    def own_mm(self, coronary: CoronaryTree) -> Floats:
        """Return the standard deviation that changes along the vessels, shape (n,)."""
        radius, sd = coronary.tree.radius_mm, coronary.radius_sd_mm
        least = np.where(sd > 0, self.least_percent, self.unknown_percent) / 100.0 * radius
        return floats(np.maximum(sd, least))


@dataclass(frozen=True, slots=True, eq=False)
class Uncertainty:
    """The spread of FFR in one tree.

    Parameters
    ----------
    ffr_low, ffr_high
        Ends of the 95 % interval at each point, NaN where there is no FFR, shape (n,).
    probability
        That FFR, as printed, is 0.80 or below, shape (n,).
    readings
        Points whose inputs were weighed, shape (k,).
    first_order, total
        Sobol indices of the groups at the readings, shape (k, groups).
    """

    ffr_low: Floats
    ffr_high: Floats
    probability: Floats
    readings: Ints
    first_order: Floats
    total: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Confidence:
    """How sure the FFR of each tree is, and which millimetre of lumen decides it.

    Parameters
    ----------
    spreads
        Interval, probability and what they depend on, per tree.
    sensitivity_per_mm2
        Per tree, change of FFR at each of its readings (lesions, then the lowest analysed
        point) per mm of radius and mm of length at each point, shape (k, n).
    """

    spreads: tuple[Uncertainty, ...]
    sensitivity_per_mm2: tuple[Floats, ...]


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

    Raises
    ------
    ConvergenceError
        More than one sample in a hundred has no steady flow.
    """
    latent = _Latent(trees, base)
    found = []
    for t, (c, solution, boundary) in enumerate(zip(trees, solutions, boundaries, strict=True)):
        network = calibrate(c.tree, solution, blood)
        made = _Maker(trees, t, network, solution, boundary, inputs, physiology,
                      lumen or LumenError())  # fmt: skip
        ffr = np.empty((len(GROUPS) + 2, base, len(c.tree)), dtype=np.float32)
        for k in range(len(GROUPS) + 2):
            ffr[k] = made.ffr(latent.sample(k), latent.noise(k, t))
        found.append(_summary(ffr, solution, np.asarray(readings[t], dtype=np.int64)))
    return tuple(found)


class _Latent:
    """Standard normal inputs of the samples A, B, and A with one group from B.

    The radius error along the vessels has as many inputs as points: too many for a Sobol
    sequence, so it is drawn pseudo-randomly and only its shared part quasi-randomly.
    """

    def __init__(self, trees: Sequence[CoronaryTree], base: int) -> None:
        self.runs = [len(sections(c.tree)) for c in trees]
        splits = 1 + len(trees) + 1 + sum(self.runs)  # exponent, the aorta's branches, runs
        sizes = [splits if name == "flow split" else 1 for name in GROUPS]
        ends = np.cumsum(sizes)
        self.columns = [slice(int(e - n), int(e)) for e, n in zip(ends, sizes, strict=True)]
        self.base = base
        self.a, self.b = quasi_normal(int(ends[-1]), base, SEED)
        self.points = [len(c.tree) for c in trees]

    def sample(self, k: int) -> dict[str, Floats]:
        """Return the inputs by group: k = 0 is A, 1 is B, k + 2 is A with group k from B."""
        mixed = (self.b if k == 1 else self.a).copy()
        if k > 1:
            mixed[:, self.columns[k - 2]] = self.b[:, self.columns[k - 2]]
        return {name: mixed[:, c] for name, c in zip(GROUPS, self.columns, strict=True)}

    def noise(self, k: int, tree: int) -> AnyArray:
        """Return white noise for the radii, (base, n); B's also where radius is from B."""
        from_b = k in (1, 2 + GROUPS.index("lumen radius"))
        rng = np.random.default_rng([SEED, tree, int(from_b)])
        return rng.standard_normal((self.base, self.points[tree]), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Maker:
    """Turns standard normal inputs into FFR of one tree."""

    trees: Sequence[CoronaryTree]
    which: int
    network: Calibrated
    solution: FlowSolution
    boundary: Boundary
    inputs: InputSpread
    physiology: Physiology
    lumen: LumenError

    def ffr(self, z: dict[str, Floats], noise: AnyArray) -> AnyArray:
        """Return FFR (m, n) at all points, 0 to 1."""
        x, c = self.inputs, self.trees[self.which]
        one = {name: values[:, 0] for name, values in z.items()}
        aortic, venous = self._pressures(one)
        # beds let through what the heart asks for at the pressure it really has
        drive = (aortic - venous) / (
            self.boundary.inlet_pressure_mmhg - self.boundary.venous_pressure_mmhg
        )
        flow = np.exp(x.flow * one["resting flow"] + x.response * one["hyperaemic response"])
        draws = Draws(
            radius_shift=one["lumen radius"],
            noise=noise,
            bed_factor=floats((drive / flow)[:, None] / self._shares(z["flow split"])),
            viscosity_factor=np.exp(x.viscosity * one["viscosity"]),
            loss_factor=np.ones(aortic.size),
            inlet_pressure_mmhg=aortic,
            venous_pressure_mmhg=venous,
        )
        ffr = sample_ffr(
            self.network, self.boundary.outlet_resistance_mmhg_min_ml,
            self.solution.flow_ml_min,
            (np.full(len(c.tree), self.lumen.shared_mm), self.lumen.own_mm(c)),
            self.lumen.correlation_mm, draws, self.lumen.centre_mm(c),
        )  # fmt: skip
        model = np.exp(MODEL_LOG_SD * one["flow model"]).astype(np.float32)
        return np.clip(1.0 - (1.0 - ffr) * model[:, None], np.float32(0.0), np.float32(1.0))

    def _pressures(self, one: dict[str, Floats]) -> tuple[Floats, Floats]:
        expected = self.boundary
        venous = (
            expected.venous_pressure_mmhg + self.inputs.venous_mmhg * one["venous pressure"]
        )
        aortic = (
            expected.inlet_pressure_mmhg + self.inputs.pressure_mmhg * one["aortic pressure"]
        )
        return np.maximum(aortic, LEAST_PRESSURE_MMHG), np.clip(venous, 0.0, 25.0)

    def _shares(self, z: Floats) -> Floats:
        """Return the share of the heart's flow of each outlet, over the expected one."""
        x, usual = self.inputs, self.physiology.split_exponent.typical
        exponent = usual + x.exponent * z[:, 0]
        noise = x.bifurcation / np.sqrt(2.0) * z[:, 1:]  # of the ratio of two daughters: all
        count = len(self.trees)
        first = count + 1 + sum(len(sections(c.tree)) for c in self.trees[: self.which])
        c = self.trees[self.which]
        own = noise[:, first : first + len(sections(c.tree))]
        place = (c.tree, c.reference_radius_mm)
        nothing = np.zeros((1, own.shape[1]))
        inside = sampled_shares(*place, exponent, own) / sampled_shares(
            *place, np.array([usual]), nothing
        )
        return floats(inside * self._at_the_aorta(exponent, noise[:, : count + 1])[:, None])

    def _at_the_aorta(self, exponent: Floats, noise: Floats) -> Floats:
        """Return the tree's share of the heart's flow over the expected one, (m,)."""
        inlets = [inlet_radius_mm(c.tree, c.reference_radius_mm) for c in self.trees]
        sides = {c.side for c in self.trees}
        log_weight = exponent[:, None] * np.log(inlets) + noise[:, : len(inlets)]
        expected = self.physiology.split_exponent.typical * np.log(inlets)
        if len(sides) == 1:  # the other tree was not found: its weight by the usual share
            share = dict(self.physiology.left_share)["right"]
            share = share if sides == {"left"} else 1.0 - share
            missing = np.log(np.exp(expected).sum() * (1.0 - share) / share)
            log_weight = np.column_stack([log_weight, missing + noise[:, len(inlets)]])
            expected = np.append(expected, missing)
        weight, usual = np.exp(log_weight), np.exp(expected)
        sampled = weight[:, self.which] / weight.sum(axis=1)
        return floats(sampled / (usual[self.which] / usual.sum()))


def _summary(ffr: AnyArray, solution: FlowSolution, readings: Ints) -> Uncertainty:
    runs, base, n = ffr.shape
    known = np.isfinite(solution.pressure_mmhg)
    lost = ~np.isfinite(ffr)
    if lost.any():  # a few samples without steady flow: worst case, nothing gets through
        ffr = np.where(lost, np.float32(0.0), ffr)
    columns = np.ascontiguousarray(ffr.reshape(runs * base, n).T)
    low, high = _ends(columns)
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


def _ends(columns: AnyArray) -> tuple[Floats, Floats]:
    """Return the ends of the central 95 % of each row."""
    m = columns.shape[1]
    ranks = (int(TAIL * m), m - 1 - int(TAIL * m))
    ordered = np.partition(columns, ranks, axis=1)
    return floats(ordered[:, ranks[0]]), floats(ordered[:, ranks[1]])
