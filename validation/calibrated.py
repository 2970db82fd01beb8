"""How far the calibrated network strays from the profile-resolved solver: one table.

Run: python -m validation calibrated [--patients 12] [--draws 4]

Trees of virtual patients are solved resolved, the network is calibrated on that, then radii
(an error shared by the tree and one along its vessels), beds and viscosity are drawn anew and
both solve the same changed tree.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm

from ffr import pipeline
from ffr.circulation.patient import Patient
from ffr.phantom.patient import virtual_patient
from meshes.arrays import Floats
from meshes.tree import CoronaryTree, VesselTree, outlets, path_length_mm
from solvers.blood import Blood
from solvers.calibrated import calibrate
from solvers.errors import ConvergenceError
from solvers.resolved import solve_resolved
from solvers.sampling import Draws, sample_ffr
from solvers.steady import solve_steady
from validation.setting import setting

FIRST_SEED = 1_000_400  # held out; the network was shaped on 1 000 300 to 307
BURDEN = 3.0
SHARED_SD_MM, OWN_SD_PERCENT = 0.03, 7.0  # of the radii: by the tree, along the vessels
CORRELATION_MM = 4.0
BED_LOG_SD, VISCOSITY_LOG_SD = 0.3, 0.1
QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)


@dataclass(frozen=True, slots=True, eq=False)
class Deviation:
    """FFR at the analysed ends of changed trees, by the resolved solver and by two others.

    Parameters
    ----------
    resolved_ffr, calibrated_ffr, lumped_ffr
        Of the same changed tree: profile-resolved, the calibrated network, and the lumped
        solver with its own loss formula; shape (k,).
    """

    resolved_ffr: Floats
    calibrated_ffr: Floats
    lumped_ffr: Floats


def changed(tree: VesselTree, shift: float, noise: Floats) -> VesselTree:
    """Return the tree with radii drawn anew, written apart from the sampler's kernel."""
    s, n = path_length_mm(tree), len(tree)
    rate = np.sqrt(3.0) / CORRELATION_MM
    state = np.empty((n, 2))  # the walk and its slope over `rate`: Matern 3/2
    pairs = np.column_stack([noise[:n], noise[n:]])
    state[0] = pairs[0]
    for i in range(1, n):
        p = tree.parent[i]
        law = np.array([[0.0, 1.0], [-1.0, -2.0]]) * rate * (s[i] - s[p])
        go = expm(law)
        state[i] = go @ state[p] + np.linalg.cholesky(np.eye(2) - go @ go.T) @ pairs[i]
    radius = tree.radius_mm * np.exp(OWN_SD_PERCENT / 100 * state[:, 0]) + SHARED_SD_MM * shift
    return VesselTree(tree.points_mm, np.maximum(radius, 0.2 * tree.radius_mm), tree.parent)


def deviations(
    trees: Sequence[CoronaryTree], draws: int, rng: np.random.Generator
) -> Iterator[Deviation]:
    """Solve each tree changed `draws` times, three ways."""
    flow = pipeline.solve(tuple(trees), Patient(), None)
    for c, bed, nominal in zip(trees, flow.boundaries, flow.solutions, strict=True):
        tree, n = c.tree, len(c.tree)
        resistance = bed.outlet_resistance_mmhg_min_ml
        shift, beds, thick = rng.normal(size=(3, draws))
        noise = rng.normal(size=(draws, 2 * n))
        beds, thick = np.exp(BED_LOG_SD * beds), np.exp(VISCOSITY_LOG_SD * thick)
        inlet, venous = bed.inlet_pressure_mmhg, bed.venous_pressure_mmhg
        drawn = Draws(
            shift, noise, np.tile(beds[:, None], resistance.size), thick,
            np.full(draws, inlet), np.full(draws, venous),
        )  # fmt: skip
        sd = np.full(n, SHARED_SD_MM), np.full(n, OWN_SD_PERCENT)
        network = calibrate(tree, nominal, flow.blood)
        fast = sample_ffr(network, resistance, nominal.flow_ml_min, *sd, CORRELATION_MM, drawn)
        ends = outlets(tree)
        for k in range(draws):
            new = changed(tree, shift[k], noise[k])
            blood = Blood(flow.blood.viscosity_pa_s * thick[k], flow.blood.density_kg_m3)
            ask = (new, inlet, resistance * beds[k], venous, blood)
            try:
                true = solve_resolved(*ask).pressure_mmhg[ends] / inlet
            except ConvergenceError:
                continue
            lumped = solve_steady(*ask).pressure_mmhg[ends] / inlet
            yield Deviation(true, fast[k, ends].astype(float), lumped)


def table(found: Sequence[Deviation]) -> list[str]:
    """Return the quantiles of the deviations, all and by resolved FFR."""
    true, fast, lumped = (
        np.concatenate([getattr(d, name) for d in found])
        for name in ("resolved_ffr", "calibrated_ffr", "lumped_ffr")
    )
    head = " | ".join(f"{100 * q:g} %" for q in QUANTILES)
    lines = [
        f"| network | resolved FFR | outlets | mean | SD | {head} | SD over drop |",
        "|---|" + "---|" * (5 + len(QUANTILES)),
    ]
    for name, other in (("calibrated", fast), ("lumped", lumped)):
        for low, high in ((-9.0, 9.0), (0.9, 9.0), (0.7, 0.9), (-9.0, 0.7)):
            here = (true >= low) & (true < high)
            if here.sum() < 3:
                continue
            error = other[here] - true[here]
            relative = error / np.maximum(1.0 - true[here], 0.01)
            words = "all" if high - low > 10 else f"{max(low, 0):g}-{min(high, 1):g}"
            cells = " | ".join(f"{q:+.4f}" for q in np.quantile(error, QUANTILES))
            lines.append(
                f"| {name} | {words} | {here.sum()} | {error.mean():+.4f} | "
                f"{error.std():.4f} | {cells} | {relative.std():.3f} |"
            )
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--draws", type=int, default=4)
    given = parser.parse_args(arguments)
    rng = np.random.default_rng(0)
    found: list[Deviation] = []
    for seed in range(FIRST_SEED, FIRST_SEED + given.patients):
        patient = virtual_patient(seed, BURDEN)
        found += deviations((patient.left, patient.right), given.draws, rng)
    print(setting("python -m validation calibrated", arguments, "cpu"))
    print()
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
