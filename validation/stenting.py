"""How fast, and how near the resolved solver, is the fast answer to a virtual stent?

Run: python -m validation stenting [--patients 4]

Virtual patients with stenoses, true lumens. Over every lesion a stent as wide as the healthy
reference. Processor time of one core: the fast answer (both trees solved, the stent placed,
FFR at all points), the ranking of all lesions, and the resolved answer for the stented tree.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numba
import numpy as np

from ffr import pipeline
from ffr.circulation.patient import Patient
from ffr.errors import ConfigError
from ffr.phantom.patient import virtual_patient
from ffr.stenting.compare import vessel_ends
from ffr.stenting.rank import lesion_stents, ranking
from ffr.stenting.solved import Fast, Solved, fast, resolve
from ffr.stenting.span import Stent, stented
from meshes.arrays import Floats, floats
from solvers.errors import ConvergenceError
from validation.setting import setting

FIRST_SEED = 1_000_500
BURDEN = 3.0
REPEATS = 9
MS_PER_S = 1000.0


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One stent: processor time of both answers, and FFR at the ends of its tree's vessels.

    Parameters
    ----------
    fast_ms, resolved_ms
        Processor time.
    found_ffr, calibrated_ffr, resolved_ffr
        At the analysed ends of the vessels of the stented tree: without the stent, by the fast
        networks, resolved; (k,).
    """

    fast_ms: float
    resolved_ms: float
    found_ffr: Floats
    calibrated_ffr: Floats
    resolved_ffr: Floats


def processor_ms(call: Callable[[], object], repeats: int) -> float:
    """Return the median processor time of a call."""
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        call()
        taken.append(time.process_time() - began)
    return MS_PER_S * float(np.median(taken))


def answered(quick: Fast, stent: Stent) -> list[Floats]:
    """Return FFR at all points of both trees with a stent: what a viewer needs per change."""
    trees = stented(quick.before.trees, stent)
    found = [quick.solution(t, c) for t, c in enumerate(trees)]
    return [floats(s.pressure_mmhg / s.pressure_mmhg[0]) for s in found]


def answers(before: Solved, repeats: int = REPEATS) -> Iterator[Answer]:
    """Answer a stent over each lesion both ways."""
    quick = fast(before)
    for stent in lesion_stents(before).values():
        try:
            trees = stented(before.trees, stent)
            new = answered(quick, stent)
            began = time.process_time()
            after = resolve(before, trees)
        except (ConfigError, ConvergenceError):
            continue
        resolved_ms = MS_PER_S * (time.process_time() - began)
        if after.flow.flags != before.flow.flags:
            continue
        (which,) = [t for t, c in enumerate(trees) if c is not before.trees[t]]
        ends = [point for t, _, point in vessel_ends(before) if t == which]
        yield Answer(
            processor_ms(lambda s=stent: answered(quick, s), repeats),  # type: ignore[misc]
            resolved_ms,
            floats(before.findings.ffr[which][ends]),
            floats(new[which][ends]),
            floats(after.findings.ffr[which][ends]),
        )


def table(found: Sequence[Answer]) -> list[str]:
    """Return times and deviations as markdown."""
    before, quick, true = (
        np.concatenate([getattr(x, name) for x in found])
        for name in ("found_ffr", "calibrated_ffr", "resolved_ffr")
    )
    error = quick - true
    moved = np.abs(true - before) >= 0.02
    rows = ["| | median | worst |", "|---|---|---|"]
    for name in ("fast_ms", "resolved_ms"):
        values = [getattr(x, name) for x in found]
        words = name.removesuffix("_ms")
        rows.append(f"| {words} answer, ms | {np.median(values):.1f} | {np.max(values):.1f} |")
    for words, here in (
        ("all vessel ends", error),
        ("those that change by 0.02", error[moved]),
    ):
        if here.size:
            rows.append(
                f"| fast minus resolved FFR, {words} ({here.size}): mean {here.mean():+.4f} | "
                f"{np.median(np.abs(here)):.4f} | {np.abs(here).max():.4f} |"
            )
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m validation stenting", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--patients", type=int, default=4)
    given = parser.parse_args(arguments)
    numba.set_num_threads(1)
    found: list[Answer] = []
    made, ranked, points = [], [], []
    for seed in range(FIRST_SEED, FIRST_SEED + given.patients):
        patient = virtual_patient(seed, BURDEN)
        trees = (patient.left, patient.right)
        flow = pipeline.solve(trees, Patient(), None)
        before = Solved(trees, flow, pipeline.find(trees, flow.solutions))
        found += answers(before)
        made.append(processor_ms(lambda b=before: fast(b), 3))  # type: ignore[misc]
        quick = fast(before)
        ranked.append(processor_ms(lambda q=quick: ranking(q), 3))  # type: ignore[misc]
        points.append(sum(len(c.tree) for c in trees))
    print(setting("python -m validation stenting", arguments, "cpu"))
    print(f"\n{given.patients} patients, {len(found)} stents, {np.mean(points):.0f} points\n")
    print("\n".join(table(found)))
    print(f"| fast networks made once per run, ms | {np.median(made):.1f} | {max(made):.1f} |")
    print(f"| ranking of all lesions, ms | {np.median(ranked):.1f} | {max(ranked):.1f} |")


if __name__ == "__main__":
    main()
