"""How wide would the lumen be at each point if the vessel were healthy?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from meshes.arrays import Floats, Ints, floats
from meshes.tree import VesselTree, child_count, path_length_mm, sections, segment_length_mm

BRANCHING_EXPONENT = 7.0 / 3.0  # parent^(7/3) = sum of daughters^(7/3): Huo and Kassab 2012
BRANCHING_SD = 0.15  # relative scatter of that law, 123 bifurcations of ASOCA centrelines
RADIUS_SD_MM = 0.1  # of one measured radius: what a good CTA lumen model reaches
TAPER = 0.004  # radius lost per length between bifurcations: half of ASOCA's 0.08 mm per
TAPER_SD = 0.006  # 10 mm along whole paths, the other half being the steps (judgement)
BEND_SD = 0.004  # change of taper from one interval to the next (judgement)
KNOT_MM = 20.0  # longest interval of linear taper: above the usual lesion, 5 to 20 mm
INDEPENDENT_MM = 4.0  # closer radii are one measurement: their errors are alike over 2 to 4
# mm, and disease changes no faster
# Radius at the ostium, mean and SD over both sexes and dominances. Left main: 4.5 +- 0.5 mm
# across (Dodge 1992), 3.5 +- 0.8 in 300 CTAs (Medrano-Gracia 2016). Right: 3.9 +- 0.6, not
# dominant 2.8 +- 0.5 (Dodge), 3.5 +- 0.5 in 20 CTAs (ASOCA centrelines)
USUAL_INLET_MM = {"left": (2.05, 0.35), "right": (1.8, 0.35)}
QUANTILES = (0.6, 0.75, 0.9, 0.97)  # starting points of the search for the envelope
DISEASED = 0.6  # density of narrowed radii, and of dilated ones, against the peak of the
DILATED = 0.02  # healthy ones: ectasia is rare, disease is not (judgement)
EVEN = 0.1  # the same for both, in the last step
NARROWEST_MM = 0.5  # mean radius of a stretch that is worth leaving out
RAISED = 2  # rounds of leaving stretches out
SMALLEST_MM = 1e-3  # keeps ratios to the reference finite


class _Model(NamedTuple):
    """Reference = basis @ x, with x = inlet radius, then losses of radius, none negative."""

    basis: Floats  # (points, unknowns)
    usual: tuple[Floats, Floats]  # rows and targets: usual slopes, usual width at the inlet
    forks: tuple[tuple[Floats, Floats], ...]  # parent's row, daughters' rows


def reference_radius_mm(tree: VesselTree, side: str | None = None) -> Floats:
    """Return the radius the healthy lumen would have at each point, shape (n,).

    One robust regression of radius on path length for the whole tree: piecewise linear with
    knots at bifurcations and at most 20 mm apart, never increasing downstream, stepping at
    bifurcations by the law of Huo and Kassab (2012) within its scatter. In the spirit of
    the kernel regression of Shahzad (2013), radii far below the fit (lesions) lose their
    weight; so do radii far above it (ectasia) and those next to a bifurcation, where the
    lumen belongs to both branches. The noise of healthy radii is averaged, not enveloped.

    Every unbranched stretch, alone and with what follows it, is also tried as wholly
    diseased: fitted without its own radii, by its neighbours, the branching law and the
    usual width at the ostium. The most plausible fit is kept.

    A vessel narrowed evenly from end to end cannot be told from a small one: only the law
    of its bifurcations then holds the reference up, with 15 % scatter.

    Parameters
    ----------
    tree
        The measured lumen, from the ostium on.
    side
        "left" or "right", for the usual width at the ostium; None where that is not known
        or the tree is no coronary one.
    """
    model = _model(tree, USUAL_INLET_MM.get(side or ""))
    share = _independent_share(tree)
    fits = [_envelope(model, tree, share, quantile) for quantile in QUANTILES]
    x = min(fits, key=lambda fit: _implausibility(model, tree, share, fit))
    x = _raised(model, tree, share, x)
    # once more with even odds, so that noise is averaged; once only: again and again, the
    # fit would slide into the lesions that it now knows
    odds = _healthy_odds(_error(model, tree, x), EVEN, EVEN)
    x = _fitted(model, tree, share * odds, x)
    return floats(np.maximum(model.basis @ x, SMALLEST_MM))


def _error(model: _Model, tree: VesselTree, x: Floats) -> Floats:
    error: Floats = (tree.radius_mm - model.basis @ x) / RADIUS_SD_MM
    return error


def _envelope(model: _Model, tree: VesselTree, share: Floats, quantile: float) -> Floats:
    """Descend from a quantile of the radii to a plausible upper envelope."""
    x = _fitted(model, tree, share, None)
    for _ in range(12):  # least squares with these weights is Koenker's quantile regression
        error = _error(model, tree, x)
        odds = np.where(error > 0.0, quantile, 1.0 - quantile)
        x = _fitted(model, tree, share * odds / np.maximum(np.abs(error), 0.3), x)
    return _settled(model, tree, share, x, 12)


def _settled(model: _Model, tree: VesselTree, share: Floats, x: Floats, rounds: int) -> Floats:
    for _ in range(rounds):
        odds = _healthy_odds(_error(model, tree, x), DISEASED, DILATED)
        x = _fitted(model, tree, share * odds, x)
    return x


def _raised(model: _Model, tree: VesselTree, share: Floats, x: Floats) -> Floats:
    """Leave out one stretch after the other; keep what makes the fit more plausible.

    A fit that has slid into a long narrowing finds no way out by itself: near it, every
    change makes matters worse.
    """
    least = _implausibility(model, tree, share, x)
    stretches = [r for r in _stretches(tree) if tree.radius_mm[r].mean() >= NARROWEST_MM]
    for _ in range(RAISED):
        before = x
        for stretch in stretches:
            without = share.copy()
            without[stretch] = 0.0
            trial = _settled(model, tree, without, before, 3)
            trial = _settled(model, tree, share, trial, 8)
            found = _implausibility(model, tree, share, trial)
            if found < least - 1e-6:
                x, least = trial, found
        if x is before:
            break
    return x


def _stretches(tree: VesselTree) -> Iterator[Ints]:
    """Yield each unbranched stretch alone, with each that follows, and with one more."""
    runs = sections(tree)
    own = [run if run[0] == 0 else run[1:] for run in runs]
    after = [[k for k, r in enumerate(runs) if r[0] == run[-1]] for run in runs]
    for first, points in enumerate(own):
        yield points
        for second in after[first]:
            both = np.concatenate([points, own[second]])
            yield both
            for third in after[second]:
                yield np.concatenate([both, own[third]])


def _healthy_odds(error: Floats, below: float, above: float) -> Floats:
    """Odds that a radius is of healthy lumen, `error` standard deviations off the fit."""
    outlier = np.where(error > 0.0, above, below)
    return np.asarray(1.0 / (1.0 + outlier * np.exp(np.minimum(0.5 * error**2, 60.0))))


def _implausibility(model: _Model, tree: VesselTree, share: Floats, x: Floats) -> float:
    """Negative log likelihood of the fit, priors included."""
    error = _error(model, tree, x)
    outlier = np.where(error > 0.0, DILATED, DISEASED)
    data = -share * np.log(np.exp(-0.5 * np.minimum(error**2, 100.0)) + outlier)
    rows, targets = _prior(model, x)
    return float(data.sum() + 0.5 * np.sum((rows @ x - targets) ** 2))


def _model(tree: VesselTree, inlet_mm: tuple[float, float] | None) -> _Model:
    runs = sections(tree)
    s_mm = path_length_mm(tree)
    children = child_count(tree)
    pieces = [int(np.ceil((s_mm[run[-1]] - s_mm[run[0]]) / KNOT_MM)) for run in runs]
    count = 1 + sum(pieces) + len(runs)
    basis = np.zeros((len(tree), count))
    basis[0, 0] = 1.0
    prior: list[tuple[Floats, float]] = []
    if inlet_mm is not None:
        prior.append((basis[0] / inlet_mm[1], inlet_mm[0] / inlet_mm[1]))
    daughters: dict[int, list[Floats]] = {}
    unused = 1
    for run, n in zip(runs, pieces, strict=True):
        start = basis[run[0]].copy()
        if children[run[0]] > 1:
            start[unused] = -1.0  # the step at the bifurcation
        daughters.setdefault(int(run[0]), []).append(start)
        knot = np.linspace(s_mm[run[0]], s_mm[run[-1]], n + 1)
        for k in range(n):
            rising = np.clip((s_mm[run[1:]] - knot[k]) / (knot[k + 1] - knot[k]), 0.0, 1.0)
            basis[run[1:], unused + 1 + k] = -rising
        basis[run[1:]] += start
        prior += _taper_rows(count, unused + 1, n, float(knot[1] - knot[0]))
        unused += 1 + n
    forks = tuple(
        (basis[p].copy(), np.array(rows)) for p, rows in daughters.items() if len(rows) > 1
    )
    rows = np.array([row for row, _ in prior])
    targets = np.array([target for _, target in prior])
    return _Model(basis, (rows, targets), forks)


def _taper_rows(count: int, first: int, n: int, length_mm: float) -> list[tuple[Floats, float]]:
    rows: list[tuple[Floats, float]] = []
    for k in range(first, first + n):
        slope = np.zeros(count)
        slope[k] = 1.0 / (TAPER_SD * length_mm)
        rows.append((slope, TAPER / TAPER_SD))
        if k > first:
            bend = np.zeros(count)
            bend[k - 1 : k + 1] = np.array([-1.0, 1.0]) / (BEND_SD * length_mm)
            rows.append((bend, 0.0))
    return rows


def _prior(model: _Model, x: Floats | None) -> tuple[Floats, Floats]:
    """Return rows and targets: what is usual; linearised about `x`, the branching law."""
    rows, targets = [model.usual[0]], [model.usual[1]]
    for parent, daughters in model.forks:
        if x is None:
            break  # nothing to linearise about yet
        d = np.maximum(daughters @ x, SMALLEST_MM)
        joint = np.sum(d**BRANCHING_EXPONENT) ** (1.0 / BRANCHING_EXPONENT)
        share = (d / joint) ** (BRANCHING_EXPONENT - 1.0)  # derivative of `joint`, degree 1
        rows.append((parent - share @ daughters)[None] / (BRANCHING_SD * joint))
        targets.append(np.zeros(1))
    return np.concatenate(rows), np.concatenate(targets)


def _fitted(model: _Model, tree: VesselTree, weight: Floats, x: Floats | None) -> Floats:
    """Solve the weighted least squares under the prior; no loss of radius is negative."""
    root = np.sqrt(weight) / RADIUS_SD_MM
    rows, targets = _prior(model, x)
    solution: Floats = nnls(
        np.concatenate([model.basis * root[:, None], rows]),
        np.concatenate([tree.radius_mm * root, targets]),
    )[0]
    return solution


def _independent_share(tree: VesselTree) -> Floats:
    """Return how many independent measurements each point is worth, 0 to 1."""
    length = segment_length_mm(tree)
    length[0] = length[1]
    share = np.minimum(length / INDEPENDENT_MM, 1.0)
    distance, radius = _nearest_fork(tree)
    return share * np.clip(2.0 * distance / radius - 2.0, 0.02, 1.0)


def _nearest_fork(tree: VesselTree) -> tuple[Floats, Floats]:
    """Return the path length to the nearest bifurcation, and the radius there."""
    length = segment_length_mm(tree)
    fork = child_count(tree) > 1
    fork[0] = False  # an inlet that forks at once is an ostium, its radius is the aorta's
    distance = np.where(fork, 0.0, np.inf)
    radius = np.where(fork, tree.radius_mm, 1.0)
    upward = [(i, int(tree.parent[i]), i) for i in range(len(tree) - 1, 0, -1)]
    downward = [(int(tree.parent[i]), i, i) for i in range(1, len(tree))]
    for source, target, segment in upward + downward:
        through = distance[source] + length[segment]
        if through < distance[target]:
            distance[target], radius[target] = through, radius[source]
    return distance, radius
