"""What would the FFR of a tree be if its inputs were others? One answer per set of inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from ffr.certainty.lumen_error import LumenError
from ffr.circulation.boundary import Boundary
from ffr.circulation.physiology import InputSpread, Physiology
from meshes.arrays import AnyArray, Floats, floats
from meshes.tree import CoronaryTree, sections
from solvers.calibrated import Calibrated
from solvers.sampling import Draws, sample_ffr
from solvers.solution import FlowSolution
from solvers.split import inlet_radius_mm, sampled_shares

THRESHOLD = 0.805  # FFR printed as 0.80 or below
TAIL = 0.025
MODEL_SD_PERCENT = 5.0  # of the pressure drop: 4 % calibrated against resolved (validation
# calibrated), 1 to 2 % resolved against 3D flow (validation cfd)
LUMPED_SD_PERCENT = (
    12.0  # 10 % lumped against resolved, and its bias (both: validation calibrated)
)
LEAST_PRESSURE_MMHG = 40.0
MOST_VENOUS_MMHG = 25.0
PUMP_MMHG = 1e8  # suction of an outlet whose flow is given: 1e-6 of it may vary


def pumped(pressure_mmhg: float, flow_ml_min: Floats) -> Boundary:
    """Return ends at which so much flows out whatever the pressure: strong pumps."""
    with np.errstate(divide="ignore"):
        resistance = (pressure_mmhg + PUMP_MMHG) / flow_ml_min
    return Boundary(pressure_mmhg, -PUMP_MMHG, resistance, flow_ml_min)


def input_count(trees: Sequence[CoronaryTree], group: str) -> int:
    """Return how many standard normal inputs a group has.

    One each, but for the flow split: exponent, dominance, the branches at the aorta (the
    trees and one that may be missing), then the unbranched runs of all trees.
    """
    if group != "flow split":
        return 1
    return 2 + len(trees) + 1 + sum(len(sections(c.tree)) for c in trees)


@dataclass(frozen=True, slots=True, eq=False)
class Variants:
    """Turns standard normal inputs into FFR of one tree.

    Parameters
    ----------
    trees, which
        The trees of the heart, and the number of the one that is asked about.
    network, solution, boundary
        Of that tree: the calibrated network, what was solved, its ends.
    inputs, physiology, lumen
        How uncertain the inputs are, and what they were taken for.
    model_sd_percent
        Error of the flow model, of the logarithm of the pressure drop.
    """

    trees: Sequence[CoronaryTree]
    which: int
    network: Calibrated
    solution: FlowSolution
    boundary: Boundary
    inputs: InputSpread
    physiology: Physiology
    lumen: LumenError
    model_sd_percent: float = MODEL_SD_PERCENT

    def ffr(self, z: dict[str, Floats], noise: AnyArray) -> AnyArray:
        """Return FFR at all points, shape (m, n), 0 to 1 (below 0 only where flow is given).

        Parameters
        ----------
        z
            By group, standard normal inputs (m, `input_count`).
        noise
            White noise for the radii, shape (m, 2n).

        Raises
        ------
        ConvergenceError
            More than one sample in a hundred has no steady flow.
        """
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
            inlet_pressure_mmhg=aortic,
            venous_pressure_mmhg=venous,
        )
        ffr = sample_ffr(
            self.network, self.boundary.outlet_resistance_mmhg_min_ml,
            self.solution.flow_ml_min,
            np.full(len(c.tree), self.lumen.shared_mm), self.lumen.own_percent(c),
            self.lumen.correlation_mm, draws, self.lumen.centre_mm(c),
        )  # fmt: skip
        model = np.exp(self.model_sd_percent / 100.0 * one["flow model"]).astype(np.float32)
        least = np.float32(0.0 if self.boundary.venous_pressure_mmhg > -PUMP_MMHG else -np.inf)
        return np.clip(1.0 - (1.0 - ffr) * model[:, None], least, np.float32(1.0))

    def _pressures(self, one: dict[str, Floats]) -> tuple[Floats, Floats]:
        expected, x = self.boundary, self.inputs
        venous = np.full(one["venous pressure"].shape, expected.venous_pressure_mmhg)
        if x.venous_mmhg > 0:
            drawn = venous + x.venous_mmhg * one["venous pressure"]
            venous = np.clip(drawn, 0.0, MOST_VENOUS_MMHG)
        aortic = expected.inlet_pressure_mmhg + x.pressure_mmhg * one["aortic pressure"]
        return np.maximum(aortic, LEAST_PRESSURE_MMHG), venous

    def _shares(self, z: Floats) -> Floats:
        """Return the share of the heart's flow of each outlet, over the expected one."""
        x, usual = self.inputs, self.physiology.split_exponent.typical
        exponent = usual + x.exponent * z[:, 0]
        noise = x.bifurcation / np.sqrt(2.0) * z[:, 2:]  # of the ratio of two daughters: all
        count = len(self.trees) + 1
        first = count + sum(len(sections(c.tree)) for c in self.trees[: self.which])
        c = self.trees[self.which]
        own = noise[:, first : first + len(sections(c.tree))]
        place = (c.tree, c.reference_radius_mm)
        nothing = np.zeros((1, own.shape[1]))
        inside = sampled_shares(*place, exponent, own) / sampled_shares(
            *place, np.array([usual]), nothing
        )
        if self.boundary.venous_pressure_mmhg <= -PUMP_MMHG:  # the inlet's flow is given
            return floats(inside)
        return floats(inside * self._at_the_aorta(exponent, z[:, 1], noise[:, :count])[:, None])

    def _at_the_aorta(self, exponent: Floats, dominance: Floats, noise: Floats) -> Floats:
        """Return the tree's share of the heart's flow over the expected one, (m,)."""
        inlets = [inlet_radius_mm(c.tree, c.reference_radius_mm) for c in self.trees]
        sides = {c.side for c in self.trees}
        log_weight = exponent[:, None] * np.log(inlets) + noise[:, : len(inlets)]
        expected = self.physiology.split_exponent.typical * np.log(inlets)
        if len(sides) == 1:  # the other tree was not found: its weight by a usual share
            left = self._left_share(dominance)
            share = left if sides == {"left"} else 1.0 - left
            missing = np.log(np.exp(expected).sum() * (1.0 - share) / share)
            log_weight = np.column_stack([log_weight, missing[1:] + noise[:, len(inlets)]])
            expected = np.append(expected, missing[0])
        weight, usual = np.exp(log_weight), np.exp(expected)
        sampled = weight[:, self.which] / weight.sum(axis=1)
        return floats(sampled / (usual[self.which] / usual.sum()))

    def _left_share(self, dominance: Floats) -> Floats:
        """Return the left tree's share as it was taken, then drawn, shape (1 + m,)."""
        shares = dict(self.physiology.left_share)
        names, chances = zip(*self.inputs.dominance, strict=True)
        drawn = np.searchsorted(np.cumsum(chances)[:-1], ndtr(dominance), side="right")
        return np.array([shares[name] for name in names])[np.append(0, drawn)]


def ends(columns: AnyArray) -> tuple[Floats, Floats]:
    """Return the ends of the central 95 % of each row."""
    m = columns.shape[1]
    ranks = (int(TAIL * m), m - 1 - int(TAIL * m))
    ordered = np.partition(columns, ranks, axis=1)
    return floats(ordered[:, ranks[0]]), floats(ordered[:, ranks[1]])
