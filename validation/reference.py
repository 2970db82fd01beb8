"""How far is the healthy reference from the truth, and with it stenosis grades and lesions?

Run: python -m validation reference [--patients 12]

True trees of virtual patients, whose healthy radius is known at every point, with the radius
errors that segmentation makes: SD 0.08 mm, correlated over 3 mm, and another 0.1 mm that a
whole narrowing shares. Drawn disease of rising burden, and what is built to be hard: ostial
disease, long narrowings, a vessel narrowed from end to end, a tree narrowed evenly.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ffr.phantom.patient import virtual_patient
from meshes.arrays import AnyArray, Floats, floats
from meshes.reference import reference_radius_mm
from meshes.stenosis import ANALYSED_DIAMETER_MM, NARROWED_PERCENT, Lesion, find_lesions
from meshes.tree import CoronaryTree, VesselTree, path_length_mm, path_to, segment_length_mm
from validation.setting import setting

FIRST_SEED = 1_000_800  # of patients that no constant was chosen on
NOISE_SD_MM = 0.08
NOISE_LENGTH_MM = 3.0
THROAT_SD_MM = 0.1
LEAST_MM = 0.1
SEVERE_PERCENT = 50.0
TOUCHED_PERCENT = 10.0  # where the true narrowing is less all along, a found lesion is false

Reference = Callable[[VesselTree, str], Floats]
Case = tuple[str, CoronaryTree]


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """What adds up over the cases of one kind: lists that grow.

    Parameters
    ----------
    error_mm, error_ill_mm
        Reference diameter minus healthy diameter, elsewhere and in true narrowings, where
        the healthy diameter is 1.5 mm and more.
    grade_percent, severe_grade_percent
        Found minus true diameter stenosis of the lesions that were found; those of 50 % and
        more.
    length_mm, overlap
        Found minus true length of those lesions, and the share of their points in common.
    missed, severe_missed
        Per true lesion, and per true lesion of 50 % and more: whether none was found there.
    false, severe_false
        Per tree, the number of lesions where there is none.
    """

    error_mm: list[Floats] = field(default_factory=list)
    error_ill_mm: list[Floats] = field(default_factory=list)
    grade_percent: list[float] = field(default_factory=list)
    severe_grade_percent: list[float] = field(default_factory=list)
    length_mm: list[float] = field(default_factory=list)
    overlap: list[float] = field(default_factory=list)
    missed: list[bool] = field(default_factory=list)
    severe_missed: list[bool] = field(default_factory=list)
    false: list[int] = field(default_factory=list)
    severe_false: list[int] = field(default_factory=list)


def drawn(seeds: Sequence[int]) -> Iterator[Case]:
    """Yield trees with disease as patients have it, by burden."""
    for seed in seeds:
        for burden in range(6):
            patient = virtual_patient(seed, float(burden))
            name = f"burden {burden}" if burden else "healthy"
            yield from ((name, c) for c in (patient.left, patient.right))


def built(seeds: Sequence[int]) -> Iterator[Case]:
    """Yield trees with one kind of disease that hides the healthy width."""
    for seed in seeds:
        patient = virtual_patient(seed, 0.0)
        left, right = patient.left, patient.right
        for name, c in (("LM", left), ("LAD", left), ("LCx", left), ("RCA", right)):
            yield f"ostial 50 %, {name}", narrowed(c, name, 0.0, 7.0, 0.5, 2.0)
        yield "whole left main 40 %", narrowed(left, "LM", -9.0, 999.0, 0.4, 2.0)
        for name, c in (("LAD", left), ("RCA", right)):
            yield "40 mm of 35 %, LAD or RCA", narrowed(c, name, 8.0, 48.0, 0.35, 5.0)
        for name, c in (("LAD", left), ("LCx", left), ("RCA", right)):
            yield "one vessel end to end 30 %", narrowed(c, name, -9.0, 999.0, 0.3, 3.0)
        for c in (left, right):
            yield "whole tree 25 %", with_radius(c, 0.75 * c.tree.radius_mm)


def narrowed(
    c: CoronaryTree, name: str, first_mm: float, last_mm: float, depth: float, ramp_mm: float
) -> CoronaryTree:
    """Narrow a vessel over a stretch of its own length, with smooth ends outside of it."""
    own = c.branch == c.names.index(name)
    s = path_length_mm(c.tree)
    s = s - s[own].min()
    outside = np.maximum(np.maximum(first_mm - s, s - last_mm), 0.0)
    bell = 0.5 + 0.5 * np.cos(np.pi * np.minimum(outside / ramp_mm, 1.0))
    return with_radius(c, c.tree.radius_mm * np.where(own, 1.0 - depth * bell, 1.0))


def with_radius(c: CoronaryTree, radius_mm: AnyArray) -> CoronaryTree:
    """Return the same tree with other lumen."""
    return replace(c, tree=VesselTree(c.tree.points_mm, floats(radius_mm), c.tree.parent))


def measured(c: CoronaryTree, rng: np.random.Generator) -> VesselTree:
    """Return the lumen as a segmentation might measure it."""
    tree = c.tree
    keep = np.exp(-segment_length_mm(tree) / NOISE_LENGTH_MM)
    noise = rng.normal(0.0, 1.0, len(tree))
    for i in range(1, len(tree)):  # an Ornstein-Uhlenbeck process along every path
        p = tree.parent[i]
        noise[i] = keep[i] * noise[p] + np.sqrt(1.0 - keep[i] ** 2) * noise[i]
    error = NOISE_SD_MM * noise
    depth = 1.0 - tree.radius_mm / c.reference_radius_mm
    for lesion in find_lesions(tree, c.reference_radius_mm):
        here = way(tree, lesion)
        error[here] += rng.normal(0.0, THROAT_SD_MM) * np.clip(
            depth[here] / depth[lesion.throat], 0.0, 1.0
        )
    return VesselTree(tree.points_mm, np.maximum(tree.radius_mm + error, LEAST_MM), tree.parent)


def way(tree: VesselTree, lesion: Lesion) -> AnyArray:
    """Return the points of a lesion, first to last."""
    path = path_to(tree, lesion.end)
    return path[np.flatnonzero(path == lesion.start)[0] :]


def judge(score: Score, c: CoronaryTree, found: VesselTree, reference_mm: Floats) -> None:
    """Compare reference and lesions of a measured tree with the truth."""
    healthy = c.reference_radius_mm
    percent = 100.0 * (1.0 - c.tree.radius_mm / healthy)
    graded = 2.0 * healthy >= ANALYSED_DIAMETER_MM
    error = 2.0 * (reference_mm - healthy)
    ill = percent > NARROWED_PERCENT
    score.error_mm.append(error[graded & ~ill])
    score.error_ill_mm.append(error[graded & ill])
    true = find_lesions(c.tree, healthy)
    lesions = find_lesions(found, reference_mm)
    ways = [set(way(c.tree, x).tolist()) for x in lesions]
    for x in true:
        _judge_lesion(score, c.tree, x, lesions, ways)
    nowhere = [
        x.diameter_stenosis_percent
        for x, points in zip(lesions, ways, strict=True)
        if percent[sorted(points)].max() < TOUCHED_PERCENT
    ]
    score.false.append(len(nowhere))
    score.severe_false.append(sum(x >= SEVERE_PERCENT for x in nowhere))


def _judge_lesion(
    score: Score,
    tree: VesselTree,
    true: Lesion,
    found: Sequence[Lesion],
    ways: Sequence[set[int]],
) -> None:
    own = set(way(tree, true).tolist())
    severe = true.diameter_stenosis_percent >= SEVERE_PERCENT
    # the one that holds the throat, or else shares the most points
    shared = [len(own & points) + 1000 * (true.throat in points) for points in ways]
    missed = not any(shared)
    score.missed.append(missed)
    if severe:
        score.severe_missed.append(missed)
    if missed:
        return
    best = int(np.argmax(shared))
    error = found[best].diameter_stenosis_percent - true.diameter_stenosis_percent
    score.grade_percent.append(error)
    if severe:
        score.severe_grade_percent.append(error)
    score.length_mm.append(found[best].length_mm - true.length_mm)
    score.overlap.append(len(own & ways[best]) / len(own | ways[best]))


def run(cases: Iterator[Case], reference: Reference | None) -> dict[str, Score]:
    """Judge a way to find the reference; None for the truth, which shows what noise does."""
    scores: dict[str, Score] = {}
    for number, (name, c) in enumerate(cases):
        found = measured(c, np.random.default_rng([FIRST_SEED, number]))
        value = c.reference_radius_mm if reference is None else reference(found, c.side)
        judge(scores.setdefault(name, Score()), c, found, value)
    return scores


def table(scores: dict[str, Score]) -> list[str]:
    """Return one row of markdown per kind of case.

    Mean ± SD; in brackets the 95th percentile of the size of errors in mm of diameter, the
    mean size of the others.
    """
    head = (
        "", "reference − healthy diameter, mm: elsewhere", "in narrowings",
        "lesions missed, all; ≥ 50 %", "diameter stenosis, % points", "of those ≥ 50 %",
        "length, mm", "overlap", "false per tree, all; ≥ 50 %",
    )  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, x in scores.items():
        cells = (
            name,
            _spread(np.concatenate(x.error_mm)),
            _spread(np.concatenate(x.error_ill_mm)),
            f"{sum(x.missed)} of {len(x.missed)}; "
            f"{sum(x.severe_missed)} of {len(x.severe_missed)}",
            _mean(x.grade_percent),
            _mean(x.severe_grade_percent),
            _mean(x.length_mm),
            f"{np.mean(x.overlap):.2f}" if x.overlap else "–",
            f"{np.mean(x.false):.2f}; {np.mean(x.severe_false):.2f}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _spread(values: Floats) -> str:
    """Mean, SD and the 95th percentile of the size."""
    if not values.size:
        return "–"
    worst = np.percentile(np.abs(values), 95)
    return f"{values.mean():+.2f} ± {values.std():.2f} ({worst:.2f})"


def _mean(values: Sequence[float]) -> str:
    """Mean, SD and mean size."""
    if not values:
        return "–"
    return f"{np.mean(values):+.1f} ± {np.std(values):.1f} ({np.mean(np.abs(values)):.1f})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables: with our reference, and with the true one under the same noise."""
    parser = argparse.ArgumentParser(prog="python -m validation reference", description=__doc__)
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    given = parser.parse_args(arguments)
    seeds = range(given.first_seed, given.first_seed + given.patients)
    print(setting("python -m validation reference", arguments, "cpu"))
    for title, reference in (("ours", reference_radius_mm), ("true reference", None)):
        print(f"\n## {title}\n")
        print(
            "\n".join(table({**run(drawn(seeds), reference), **run(built(seeds), reference)}))
        )


if __name__ == "__main__":
    main()
