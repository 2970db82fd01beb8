"""How far is our lumen from that of people's labels, and does FFR change with it?

    python -m validation labelled FOLDER --out OUT
    python -m validation labelled FOLDER --out OUT --calcium-labels 2 --jobs 2

FOLDER holds scans with labels, as ASOCA, ImageCAS or nnU-Net lay them out, or CASE.nii.gz
beside CASE_label.nii.gz. The pipeline sees the images only. One scan is one small file in
OUT/cases: a killed run goes on where it was; scans of other code, weights or files are made
again. One to three minutes of processor time and 3 GB a scan.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ffr.errors import ConfigError
from ffr.labelled_scans import Pair, find_pairs, label_meaning
from ffr.masks.settings import mask_settings
from ffr.segmentation.weights import NETWORKS, best_device, load_network
from validation import segmentation_case
from validation.held_out import analysed
from validation.labelled_case import LabelCase, base_key, case_file, load_cases
from validation.labelled_measure import Analyse, Meaning, measured
from validation.labelled_numbers import overlap_measures
from validation.labelled_report import write_report
from validation.labelled_statistics import number
from validation.segmentation_jobs import side_by_side
from validation.setting import setting

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None, analyse: Analyse = analysed) -> None:
    """Compare the scans that are not there yet, and report; `analyse` as in `measured`."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        meaning = meaning_of(given)
        if not given.folder.is_dir():
            raise ConfigError("there is no such folder of scans with labels")
        pairs = find_pairs(given.folder, least=1)[: given.patients]
    except ConfigError as error:
        print(f"labelled: {error}", file=sys.stderr)
        sys.exit(2)
    folder = given.out / "cases"
    folder.mkdir(parents=True, exist_ok=True)
    base = base_key(meaning)
    places = {pair.number: case_file(folder, pair, base) for pair in pairs}
    if not given.only_report:
        left = [pair for pair in pairs if not places[pair.number].exists()]
        log.info("%d of %d scans are there", len(pairs) - len(left), len(pairs))
        run(left, meaning, given.jobs, places, analyse)
    cases = load_cases(list(places.values()))
    weights = ", ".join(f"{n} {load_network(n, 'cpu').sha256[:12]}" for n in NETWORKS)
    # folders may be named after patients: the report tells the command without them
    about = setting("python -m validation labelled", _options(given), best_device())
    write_report(given.out, cases, f"{about} Weights: {weights}.", words(given))
    print("\n".join([about, *summary(cases, len(pairs))]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m validation labelled", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--patients", type=int, metavar="N", help="only the first N pairs")
    parser.add_argument("--labels", help="labels of lumen; default: all not named otherwise")
    parser.add_argument("--left-label", help="labels of the left tree")
    parser.add_argument("--right-label", help="labels of the right tree")
    parser.add_argument("--wall-labels", help="labels of wall and plaque")
    parser.add_argument("--calcium-labels", help="labels of calcium")
    parser.add_argument("--aorta", help="label of the aorta")
    parser.add_argument(
        "--jobs", type=int, default=1, help="processes of one thread, 3 GB each"
    )
    parser.add_argument("--only-report", action="store_true", help="run nothing")
    return parser


def meaning_of(given: argparse.Namespace) -> Meaning:
    """Turn the words of the command line into what labels stand for.

    Raises
    ------
    ConfigError
        Words that are no labels, a label with two meanings.
    """
    settings = mask_settings(given.labels, given.left_label, given.right_label, given.aorta)
    if settings.aorta_file is not None:
        raise ConfigError("--aorta must be a label here; one file cannot fit all scans")
    others = (given.wall_labels, given.aorta)
    sides = (given.left_label, given.right_label)
    lumen = given.labels or ",".join(x for x in sides if x) or None
    if any(sides) and not all(sides):
        raise ConfigError("give both --left-label and --right-label, or --labels")
    wall = ",".join(x for x in others if x) or None
    return Meaning(label_meaning(lumen, wall, given.calcium_labels), settings)


def run(
    pairs: Sequence[Pair], meaning: Meaning, jobs: int, places: dict[int, Path],
    analyse: Analyse = analysed,
) -> None:  # fmt: skip
    """Compare pairs, in this process or in several, and keep each as soon as it is done."""

    def keep(at: int, case: LabelCase) -> None:
        segmentation_case.keep(places[case.number], case)
        told = f"{case.failed} {case.reason}".strip()
        log.info("scan %d, %.0f s %s", case.number, case.processor_s, told)

    work = partial(_one, pairs=tuple(pairs), meaning=meaning, analyse=analyse)
    if jobs == 1:
        for at in range(len(pairs)):
            keep(at, work(at))
    else:  # by number: errors name the job, and paths may name patients
        side_by_side(work, range(len(pairs)), jobs, keep)


def _one(at: int, pairs: Sequence[Pair], meaning: Meaning, analyse: Analyse) -> LabelCase:
    return measured(pairs[at], meaning, analyse)


def _options(given: argparse.Namespace) -> list[str]:
    """Return the options that decide the numbers, as they are written; no folder."""
    names = ("patients", "labels", "left_label", "right_label", "wall_labels",
             "calcium_labels", "aorta")  # fmt: skip
    found = ["FOLDER"]
    for name in names:
        if getattr(given, name) is not None:
            found += ["--" + name.replace("_", "-"), str(getattr(given, name))]
    return found


def words(given: argparse.Namespace) -> str:
    """Return in words what the labels stand for."""
    if given.left_label:
        lumen = f"left {given.left_label}, right {given.right_label}"
    else:
        lumen = given.labels or "all not named otherwise"
    rest = (("wall", given.wall_labels), ("calcium", given.calcium_labels),
            ("aorta", given.aorta))  # fmt: skip
    return "; ".join(
        [f"Labels of lumen: {lumen}", *(f"{name}: {label}" for name, label in rest if label)]
    )


def summary(cases: Sequence[LabelCase], pairs: int) -> list[str]:
    """Return the main lines of the report for the terminal."""
    good = sum(not c.failed for c in cases)
    lines = [f"{pairs} pairs, {len(cases)} run, {good} compared in full"]
    compared = [c for c in cases if c.failed != "label"]
    for m in overlap_measures():
        n = number(m, compared)
        if n.value is not None:
            lines.append(f"{m.name}: {n.value:.{m.digits}f} ({n.rests_on})")
    return lines


if __name__ == "__main__":
    main()
