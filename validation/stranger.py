"""Does it find the arteries of hearts that another program has drawn and scanned?

    python -m validation stranger --jobs 2
    python -m validation stranger --only-table

Four chests with two looks each, by code that shares nothing with the virtual patients of
training (`stranger_body.py`, `stranger_scanner.py`), are written as files and read as a user's.
A scan is one small file in `--out`: a killed run goes on where it was, and scans of other code
or weights are not mixed in. Research use only.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ffr.segmentation.weights import best_device
from validation.segmentation_case import MEASURING as SEGMENTATION
from validation.segmentation_case import keep, kept, state
from validation.segmentation_jobs import side_by_side
from validation.setting import setting
from validation.stranger_case import SCANS, StrangerCase, run_scan

MEASURING = (
    *SEGMENTATION, "stranger", "stranger_body", "stranger_chest", "stranger_shapes",
    "stranger_scanner", "stranger_case",
)  # fmt: skip
log = logging.getLogger(__name__)


def table(cases: Sequence[StrangerCase]) -> Iterable[str]:
    """Yield one row per scan, and one of all, as markdown."""
    yield (
        "| scan | OV | false, % | ostia left, right, mm | names, % | diameter 1-3 mm, mm | "
        "stenoses, true: found, % | FFR behind them, true: found | LV mass, % | warnings |"
    )
    yield "|" + "---|" * 10
    for c in cases:
        if c.refused:
            yield f"| {c.name} | refused: {c.refused} |" + " |" * 8
            continue
        yield _row(c.name, [c])
    good = [c for c in cases if not c.refused]
    if good:
        yield _row("**all**", good)
        yield (
            "| target | ≥ 0.95 | ≤ 5 | ≤ 1.5 | ≥ 95 | within 0.05 ± 0.15 | mean error ≤ 8 | "
            "mean error ≤ 0.02 | ≤ 10 | |"
        )


def _row(name: str, cases: Sequence[StrangerCase]) -> str:
    courses = [c.course for c in cases]

    def total(*names: str) -> float:
        return float(sum(getattr(k, n) for k in courses for n in names))

    off = np.concatenate([np.reshape(c.diameter_mm, (-1, 2)) for c in cases])
    error = off[:, 1] - off[:, 0]
    here = [x for c in cases for x in c.stenoses]
    mass = [100 * (c.mass_g[0] / c.mass_g[1] - 1) for c in cases]
    if len(cases) == 1:
        ostia = ", ".join("-" if mm is None else f"{mm:.1f}" for _, mm in cases[0].ostium_mm)
        percent = ", ".join(
            f"{x.vessel} {x.true_percent:.0f}: {_text(x.found_percent, 0)}" for x in here
        )
        ffr = ", ".join(f"{_text(x.true_ffr, 2)}: {_text(x.full_ffr, 2)}" for x in here)
        told = ", ".join(cases[0].flags)
    else:
        sides = [mm for c in cases for _, mm in c.ostium_mm]
        near = sum(mm is not None and mm <= 1.5 for mm in sides)
        ostia = f"{near} of {len(sides)} within 1.5"
        percent = _mean_size([(x.found_percent, x.true_percent) for x in here], 1)
        ffr = _mean_size([(x.full_ffr, x.true_ffr) for x in here], 3)
        told = f"{sum(c.false_severe for c in cases)} false stenoses ≥ 50 %"
    width = f"{error.mean():+.3f} ± {error.std():.3f}" if error.size else "-"
    both = total("covered_mm", "right_mm")
    ov = both / total("true_mm", "right_mm", "false_mm")
    return (
        f"| {name} | {ov:.3f} | {100 * total('false_mm') / max(total('found_mm'), 1e-9):.1f} | "
        f"{ostia} | {100 * total('named_mm') / max(total('right_mm'), 1e-9):.0f} | "
        f"{width} | {percent} | {ffr} | "
        f"{np.mean(mass) if len(mass) == 1 else np.mean(np.abs(mass)):+.0f} | {told} |"
    )


def _text(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _mean_size(pairs: Sequence[tuple[float | None, float | None]], digits: int) -> str:
    off = [abs(a - b) for a, b in pairs if a is not None and b is not None]
    return f"mean error {np.mean(off):.{digits}f}, {len(off)} of {len(pairs)}" if off else "-"


def keep_scan(folder: Path, key: str, names: tuple[str, str], case: StrangerCase) -> None:
    """Write a case, whole or not at all."""
    keep(folder / f"{SCANS.index(names)}-{key}.json", case)
    log.info("%s: %s", case.name, case.refused or ", ".join(case.flags))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the scans that are not there yet and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m validation stranger", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("out/stranger"))
    parser.add_argument("--jobs", type=int, default=1, help="processes, 3 GB each")
    parser.add_argument("--only-table", action="store_true", help="run nothing")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    given.out.mkdir(parents=True, exist_ok=True)
    key = state((), MEASURING)
    if not given.only_table:
        left = [s for s in SCANS if not (given.out / f"{SCANS.index(s)}-{key}.json").exists()]
        side_by_side(run_scan, left, given.jobs, partial(keep_scan, given.out, key))
    print(setting("python -m validation stranger", arguments, best_device()))
    cases = kept(StrangerCase, given.out, key)
    print(f"{len(cases)} of {len(SCANS)} scans.\n")
    print("\n".join(table(cases)))


if __name__ == "__main__":
    main()
