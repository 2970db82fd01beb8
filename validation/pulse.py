"""What does the beat change? FFR steady, at the RMS flow, in 0D and in 1D; Pd/Pa and iFR.

Run: python -m validation pulse [SEED ...]   (virtual patients; default 1 2 3 4 5)
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np

from ffr import pipeline
from ffr.circulation.patient import Patient
from ffr.circulation.physiology import Physiology
from ffr.phantom.patient import virtual_patient
from ffr.pulse.beat import beat_of
from ffr.pulse.losses import Fed
from ffr.pulse.waves import MODELS, pulsed
from meshes.tree import outlets

SEEDS = (1, 2, 3, 4, 5)
NEAR_FFR = 0.60  # below, no choice of time changes what is decided
COLUMNS = (
    "patient, tree", "steady, mean flow", "steady, RMS flow", "pulsatile 0D", "pulsatile 1D",
    "Pd/Pa 0D", "Pd/Pa 1D", "iFR 0D", "iFR 1D",
)  # fmt: skip
Row = tuple[str, tuple[float, ...], tuple[float, float]]


def compare_patients(seeds: Sequence[int] = SEEDS) -> Iterator[Row]:
    """Yield one row per virtual patient's tree, as `ffr pulse` has it with true trees.

    Name, the values of `COLUMNS` at the outlet with the lowest steady FFR, processor seconds
    of 0D and 1D.

    Raises
    ------
    ConvergenceError
        No steady or periodic flow was found.
    """
    for seed in seeds:
        virtual = virtual_patient(seed)
        trees = (virtual.left, virtual.right)
        flow = pipeline.solve(trees, Patient(), None)
        mean = flow.boundaries[0].inlet_pressure_mmhg
        beat, _ = beat_of(Patient(), Physiology(), mean)
        for c, bed, steady in zip(trees, flow.boundaries, flow.solutions, strict=True):
            fed = Fed(c.tree, c.side, flow.blood, bed, "resolved", steady)
            ends = outlets(c.tree)
            low = int(ends[np.argmin(steady.pressure_mmhg[ends])])
            found, took = [], []
            for model in MODELS:
                began = time.process_time()
                found.append(pulsed(fed, beat, [low], model).ratios)
                took.append(time.process_time() - began)
            values = [float(found[0][name][low]) for name in ("ffr_steady", "ffr_steady_rms")]
            values += [
                float(ratios[name][low])
                for name in ("ffr", "resting_pd_pa", "ifr")
                for ratios in found
            ]
            yield f"{seed} {c.side}", tuple(values), (took[0], took[1])


def main(seeds: Sequence[int]) -> None:
    """Print the table and how far the steady values are from the beat's."""
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    rows = []
    for name, values, took in compare_patients(seeds):
        print(f"| {name} | {' | '.join(f'{v:.3f}' for v in values)} |", flush=True)
        rows.append((values, took))
    table, seconds = (np.array(part) for part in zip(*rows, strict=True))
    near = table[:, 0] >= NEAR_FFR
    for which, mask in (("all trees", near | True), (f"FFR >= {NEAR_FFR:g}", near)):
        plain, rms, one_d = (table[mask, k] - table[mask, 2] for k in (0, 1, 3))
        print(
            f"\n{which}, mean (worst) difference from pulsatile 0D: steady "
            f"{plain.mean():+.4f} ({np.abs(plain).max():.4f}), RMS {rms.mean():+.4f} "
            f"({np.abs(rms).max():.4f}), 1D {one_d.mean():+.4f} ({np.abs(one_d).max():.4f})"
        )
    zero_d, one_d = seconds.mean(axis=0)
    print(f"\nprocessor time per tree: 0D {zero_d:.2f} s, 1D {one_d:.2f} s")


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or SEEDS)
