"""How often does the 95 % interval hold the truth? Virtual hearts, resolved truth.

Run: python -m validation coverage [--patients 60] [--group-patients 40] [--base 64]

Each virtual heart is the truth: its exact lumen, and flow, response, split, pressures and
viscosity drawn for it, solved with every velocity profile resolved. What is analysed is a
measurement of it: radii with an error, everything else at its usual value. The interval then
comes from the pipeline's own code; the truth is drawn by the code below, which shares none of
it. The table also lets one group of inputs at a time be wrong, the interval knowing of that
group only, and of the error of the flow model, which alone makes up the last rows. Readings
of one heart are alike: the binomial interval beside each percentage is a little too narrow.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ffr import pipeline
from ffr.certainty.lumen_error import LumenError
from ffr.certainty.uncertainty import THRESHOLD, propagate
from ffr.circulation.patient import Patient
from ffr.circulation.physiology import InputSpread
from ffr.phantom.patient import virtual_patient
from meshes.arrays import Floats, Ints, floats
from meshes.tree import CoronaryTree, VesselTree, path_length_mm
from solvers.errors import ConvergenceError
from validation.setting import setting
from validation.true_heart import drawn_heart

FIRST_SEED = 1_000_500  # held out
BURDEN = 3.0
LUMEN_PERCENT = 7.0  # of the radius: held-out scans, model card
STEP_MM = 0.05
ALONE_TIMES = 4
NOTHING = InputSpread(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
# what one group alone being wrong leaves uncertain
ALONE = {
    "lumen radius": (),
    "resting flow": ("flow",),
    "hyperaemic response": ("response",),
    "flow split": ("exponent", "bifurcation"),
    "aortic pressure": ("pressure_mmhg",),
    "venous pressure": ("venous_mmhg",),
    "viscosity": ("viscosity",),
}


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Places where an interval was given, and what is true there; shape (k,) each.

    Parameters
    ----------
    ffr_low, ffr_high, probability
        The interval, and the probability of 0.80 or below.
    found_ffr, true_ffr
        FFR of the measured and of the true heart.
    """

    ffr_low: Floats
    ffr_high: Floats
    probability: Floats
    found_ffr: Floats
    true_ffr: Floats


def measured(c: CoronaryTree, rng: np.random.Generator, lumen: LumenError) -> CoronaryTree:
    """Return the tree with radii as they might be measured: log-normal, smooth errors.

    The error obeys f'' + 2 k f' + k^2 f = white noise, k = sqrt(3)/correlation length,
    integrated in small steps.
    """
    s, n = path_length_mm(c.tree), len(c.tree)
    k = np.sqrt(3.0) / lumen.correlation_mm
    state = np.empty((n, 2))
    state[0] = rng.normal(), k * rng.normal()
    for i in range(1, n):
        way = s[i] - s[c.tree.parent[i]]
        count = max(1, int(np.ceil(way / STEP_MM)))
        d = way / count
        f, g = state[c.tree.parent[i]]
        for kick in np.sqrt(4.0 * k**3 * d) * rng.normal(size=count):
            g += kick - d * (2.0 * k * g + k * k * f)
            f += d * g
        state[i] = f, g
    narrowed = 1.0 - np.minimum(c.tree.radius_mm / c.reference_radius_mm, 1.0)
    percent = np.sqrt(lumen.unknown_percent**2 + (lumen.narrowing_percent * narrowed) ** 2)
    error = np.exp(percent / 100.0 * state[:, 0])
    radius = c.tree.radius_mm * error + lumen.shared_mm * rng.normal()
    radius = np.maximum(radius, 0.25 * c.tree.radius_mm)
    return replace(c, tree=VesselTree(c.tree.points_mm, radius, c.tree.parent))


def one_heart(
    seed: int, rng: np.random.Generator, base: int, group: str | None = None
) -> Readings | None:
    """Measure, analyse and judge one heart; None where a solve fails or nothing is read.

    Parameters
    ----------
    seed
        Of the virtual patient.
    rng
        For what is drawn.
    base
        Samples per group of the interval.
    group
        The only group of inputs that is wrong; None: all are.
    """
    patient = virtual_patient(seed, BURDEN)
    truth = (patient.left, patient.right)
    lumen = LumenError(unknown_percent=LUMEN_PERCENT)
    if group not in (None, "lumen radius"):
        lumen = LumenError(0.0, 0.0, 0.0, 0.0)
    trees = tuple(measured(c, rng, lumen) for c in truth)
    # one pressure that was measured, so that its spread is that of a cuff
    known = Patient(systolic_mmhg=120.0, diastolic_mmhg=80.0)
    try:
        flow = pipeline.solve(trees, known, 132.0)
        x = flow.inputs
        if group is not None:
            x = replace(NOTHING, **{name: getattr(x, name) for name in ALONE[group]})
        findings = pipeline.find(trees, flow.solutions)
        places = [_places(ffr, d) for ffr, d in zip(findings.ffr, findings.distal, strict=True)]
        true = drawn_heart(truth, flow, x, rng).ffr(truth)
        sure = propagate(
            trees, flow.solutions, flow.boundaries, flow.blood, x, flow.physiology, places,
            lumen, base,
        )  # fmt: skip
    except ConvergenceError:
        return None
    rows = [
        (u.ffr_low[at], u.ffr_high[at], u.probability[at], ffr[at], t[at])
        for u, ffr, t, at in zip(sure, findings.ffr, true, places, strict=True)
    ]
    return Readings(*(floats(np.concatenate(part)) for part in zip(*rows, strict=True)))


def _places(ffr: Floats, distal: Sequence[tuple[int, float]]) -> Ints:
    """Where lesions are read and the lowest point, each once."""
    return np.unique([p for p, _ in distal] + [int(np.nanargmin(ffr))])


def table(rows: Sequence[tuple[str, Readings, int]]) -> list[str]:
    """Return coverage per row: how often the interval holds, and which side it misses."""
    lines = [
        "| what is wrong | hearts | readings | held, % (95 % interval) | truth below, above, % "
        "| median width | found − true, mean ± SD |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, r, hearts in rows:
        below, above = r.true_ffr < r.ffr_low, r.true_ffr > r.ffr_high
        held = 100.0 * (1.0 - (below | above).mean())
        inside = int((~(below | above)).sum())
        low, high = 100.0 * np.array(wilson(inside, below.size))
        error = r.found_ffr - r.true_ffr
        lines.append(
            f"| {name} | {hearts} | {r.true_ffr.size} | {held:.1f} ({low:.0f}-{high:.0f}) | "
            f"{100 * below.mean():.1f}, {100 * above.mean():.1f} | "
            f"{np.median(r.ffr_high - r.ffr_low):.3f} | "
            f"{error.mean():+.3f} ± {error.std():.3f} |"
        )
    return lines


def wilson(held: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, J Am Stat Assoc 1927;22:209)."""
    z, p = 1.96, held / count
    middle = p + z * z / (2 * count)
    half = z * np.sqrt(p * (1 - p) / count + (z / (2 * count)) ** 2)
    scale = 1 + z * z / count
    return (middle - half) / scale, (middle + half) / scale


def calibration(r: Readings) -> list[str]:
    """Return how often FFR is 0.80 or below, by the probability that was given."""
    lines = ["| P(FFR ≤ 0.80) given | readings | of which ≤ 0.80, % |", "|---|---|---|"]
    for low, high in ((0.0, 0.05), (0.05, 0.3), (0.3, 0.7), (0.7, 0.95), (0.95, 1.01)):
        here = (r.probability >= low) & (r.probability < high)
        if here.any():
            share = 100.0 * (r.true_ffr[here] < THRESHOLD).mean()
            lines.append(f"| {low:g}-{min(high, 1.0):g} | {here.sum()} | {share:.0f} |")
    return lines


def joined(parts: Sequence[Readings]) -> Readings:
    """Return all readings as one."""
    names = Readings.__slots__
    return Readings(*(floats(np.concatenate([getattr(p, n) for p in parts])) for n in names))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--group-patients", type=int, default=40)
    parser.add_argument("--base", type=int, default=64)
    given = parser.parse_args(arguments)
    rows = []
    for number, group in enumerate([None, *ALONE]):
        many = group in (None, "lumen radius")  # the most uncertain, by the most complex law
        count = given.patients if many else given.group_patients
        rng = np.random.default_rng(number)
        seeds = range(FIRST_SEED, FIRST_SEED + count)
        # one group alone is drawn anew in only two of the ten parts of the sample
        base = given.base if group is None else ALONE_TIMES * given.base
        parts = [r for seed in seeds if (r := one_heart(seed, rng, base, group))]
        if parts:
            rows.append((group or "all inputs", joined(parts), len(parts)))
    print(setting("python -m validation coverage", arguments, "cpu"))
    print()
    print("\n".join([*table(rows), "", *calibration(rows[0][1])]))


if __name__ == "__main__":
    main()
