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
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from ffr.errors import StudyError
from ffr.reading.study import read_study
from ffr.segmentation.weights import best_device
from meshes.errors import GeometryError
from meshes.volume import Volume
from solvers.errors import ConvergenceError
from validation.held_out import analysed, silent
from validation.segmentation_case import MEASURING as SEGMENTATION
from validation.segmentation_case import keep, kept, state
from validation.segmentation_jobs import side_by_side
from validation.setting import setting
from validation.stranger_body import Person, body_of
from validation.stranger_case import StrangerCase, measured
from validation.stranger_scanner import Look, scanned

MEASURING = (*SEGMENTATION, "stranger", "stranger_body", "stranger_scanner", "stranger_case")
PEOPLE = {
    p.name: p
    for p in (
        Person("usual", seed=1,
               lesions=(("LAD", 0.25, 7, 0.55), ("RCA", 0.35, 9, 0.65), ("LCx", 0.4, 6, 0.5)),
               calcium=(("LAD", 0.12, 120), ("RCA", 0.2, 90))),
        Person("small, upright", (-6, 12, 16), (0.86, 0.86, 0.9), muscle_mm=8, width=0.88,
               ramus=True, lesions=(("LAD", 0.18, 6, 0.7), ("LCx", 0.35, 8, 0.5)), seed=2),
        Person("large, lying", (10, -8, -14), (1.14, 1.1, 1.08), muscle_mm=12.5, width=1.12,
               lesions=(("LAD", 0.4, 10, 0.5), ("OM1", 0.2, 6, 0.6), ("RCA", 0.55, 6, 0.4)),
               calcium=(("LAD", 0.3, 150), ("LCx", 0.2, 100)), seed=3),
        Person("left dominant, turned", (20, 4, 4), (0.97, 1.03, 0.95), left_dominant=True,
               lesions=(("LM", 0.55, 4, 0.45), ("LCx", 0.3, 8, 0.6)), seed=4),
    )
}  # fmt: skip
LOOKS = {
    look.name: look
    for look in (
        Look("realistic"),
        Look("crude", pixel_mm=0.45, slice_mm=0.6, slices=230, psf_mm=0.6, noise_hu=15,
             grain_pixels=0, blood_hu=350, left_share=1, right_hu=350, vein_hu=0, caval_hu=350,
             muscle_hu=100, fade_1_mm=0, texture_hu=0, plain=True),
        Look("dim", pixel_mm=0.42, slice_mm=0.75, slices=190, psf_mm=0.85, noise_hu=28,
             blood_hu=285, left_share=1, right_hu=55, vein_hu=120, caval_hu=60, muscle_hu=85),
        Look("bright", pixel_mm=0.35, slices=280, psf_mm=0.55, noise_hu=24, grain_pixels=0.5,
             blood_hu=590, left_share=0.85, right_hu=450, vein_hu=260, caval_hu=1100,
             muscle_hu=125),
    )
}  # fmt: skip
SCANS = (
    ("usual", "realistic"), ("usual", "crude"),
    ("small, upright", "crude"), ("small, upright", "bright"),
    ("large, lying", "realistic"), ("large, lying", "dim"),
    ("left dominant, turned", "bright"), ("left dominant, turned", "dim"),
)  # fmt: skip
log = logging.getLogger(__name__)


def run_scan(names: tuple[str, str]) -> StrangerCase:
    """Draw and scan a person, hand the file to the pipeline, compare."""
    body = body_of(PEOPLE[names[0]])
    title = " / ".join(names)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scan.nrrd"
        write(scanned(body, LOOKS[names[1]], PEOPLE[names[0]].seed), path)
        try:
            scan = read_study(path, None, silent)
            made = analysed(scan)
        except (StudyError, GeometryError, ConvergenceError) as error:
            return StrangerCase(title, refused=str(error))
    case = measured(title, body, made.trees, made.findings, made.maps.heart.lv_mass_g)
    return replace(case, flags=tuple(sorted({f.name for f in made.flags})))


def write(volume: Volume, path: Path) -> None:
    """Write a scan as an image file."""
    image = sitk.GetImageFromArray(volume.values)
    image.SetSpacing(volume.grid.spacing_mm.tolist())
    image.SetOrigin(volume.grid.origin_mm.tolist())
    sitk.WriteImage(image, str(path))


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
    both = total("covered_mm", "right_mm")
    ov = both / total("true_mm", "right_mm", "false_mm")
    return (
        f"| {name} | {ov:.3f} | {100 * total('false_mm') / max(total('found_mm'), 1e-9):.1f} | "
        f"{ostia} | {100 * total('named_mm') / max(total('right_mm'), 1e-9):.0f} | "
        f"{error.mean():+.3f} ± {error.std():.3f} | {percent} | {ffr} | "
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
