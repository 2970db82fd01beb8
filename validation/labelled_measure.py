"""How far is what the pipeline makes of an image from the image's label?"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ffr import pipeline
from ffr.anatomy import Vessel
from ffr.circulation.patient import Patient
from ffr.errors import ConfigError, StudyError
from ffr.labelled_scans import LabelledScan, LabelMeaning, Pair, read_pair
from ffr.masks.file import Labelled, read_labels
from ffr.masks.settings import MaskSettings
from ffr.masks.trees import mask_trees
from ffr.scan import Scan
from ffr.segmentation.finetune_measure import SURE
from meshes.arrays import AnyArray, Floats, floats
from meshes.errors import GeometryError
from meshes.resample import resampled
from meshes.tree import CoronaryTree
from meshes.volume import Volume
from solvers.errors import ConvergenceError
from validation.agreement import beside_fork, compare
from validation.held_out import Analysed, analysed, ostium_errors_mm
from validation.labelled_case import EndFfr, LabelCase, Radii
from validation.labelled_vessels import vessel_overlaps, ways
from validation.mask_overlap import mask_overlap, painted
from validation.segmentation_lesions import (
    Links,
    Truth,
    Ways,
    at_place,
    false_lesions,
    links,
    stenoses,
)
from validation.segmentation_lines import SEVERE_PERCENT

Analyse = Callable[[Scan], Analysed]
Trees = tuple[CoronaryTree, ...]
END_MM = 3.0  # from an ostium: sections there look into the aorta, or past the mask
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the numbers in label files stand for.

    Parameters
    ----------
    tissue
        Lumen, wall, calcium; an aorta counts among what is not lumen.
    settings
        The same as `ffr tree` takes it: labels of the left and of the right tree, the aorta.
    """

    tissue: LabelMeaning = field(default_factory=LabelMeaning)
    settings: MaskSettings = field(default_factory=MaskSettings)


def measured(pair: Pair, meaning: Meaning, analyse: Analyse = analysed) -> LabelCase:
    """Run the pipeline on the image alone, and compare what comes out with the label.

    `analyse` makes trees and FFR of a scan. Nothing is raised: a scan without a result is a
    case with the reason.
    """
    case = LabelCase(pair.number, pair.layout)
    try:
        labelled = read_pair(pair, meaning.tissue)
        trees = reference_trees(pair, labelled, meaning)
    except (ConfigError, StudyError, GeometryError) as error:
        return _failed(case, "label", error)
    except Exception as error:  # one broken pair must not end a night's run
        _log_crash(pair, error)
        return _failed(case, "label", error)
    began = time.process_time()
    try:
        made = analyse(labelled.scan)
    except Exception as error:  # a crash is a failure of the product, and one line
        if not isinstance(error, (StudyError, GeometryError, ConvergenceError)):
            _log_crash(pair, error)
        nothing = replace(case, vessels=vessel_overlaps(trees, ()), course=compare((), trees))
        return _failed(nothing, "image", error)
    seconds = round(time.process_time() - began, 1)
    return compared(labelled, trees, made, replace(case, processor_s=seconds))


def _log_crash(pair: Pair, error: Exception) -> None:
    """Log what crashed and where, without the error's words: they may name a file."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    log.error("pair %d: %s at %s", pair.number, type(error).__name__, place)


def _failed(case: LabelCase, stage: str, error: Exception) -> LabelCase:
    """Return the case with the reason's name; of a crash no words, which could hold a path."""
    source = error.__cause__ if isinstance(error.__cause__, StudyError) else error
    if isinstance(source, StudyError):
        return replace(case, failed=stage, reason=source.reason, message=source.message)
    names = {
        ConfigError: "pair-unfit", GeometryError: "geometry", ConvergenceError: "no-flow",
    }  # fmt: skip
    if type(error) in names:
        told = str(error).removeprefix(f"pair {case.number}: ")
        return replace(case, failed=stage, reason=names[type(error)], message=told)
    return replace(case, failed=stage, reason=f"crash ({type(error).__name__})")


def reference_trees(pair: Pair, labelled: LabelledScan, meaning: Meaning) -> Trees:
    """Return the trees of the label, as `ffr tree` makes them of a mask.

    Raises
    ------
    ConfigError
        Settings that do not fit the label.
    StudyError
        No tree can be made of it.
    """
    label = read_labels(pair.label, _silent)
    # the image's grid: headers are rounded, and both trees must lie in one space
    label = label._replace(volume=Volume(labelled.told.grid, label.volume.values))
    settings = meaning.settings
    if not (settings.labels or settings.left or settings.right):
        settings = replace(settings, labels=_lumen(label, meaning))
    trees, _ = mask_trees(label, settings, None, _silent)
    return trees


def _lumen(label: Labelled, meaning: Meaning) -> tuple[int, ...]:
    """Return which labels are lumen; none, for all of them, where nothing else is named."""
    others = {*meaning.tissue.wall, *meaning.tissue.calcium}
    if not others:
        return ()
    return meaning.tissue.lumen or tuple(x for x in label.labels() if x not in others)


def _silent(part: float) -> None:
    """Progress that nobody watches."""


def compared(labelled: LabelledScan, true: Trees, made: Analysed, case: LabelCase) -> LabelCase:
    """Return the case with all that can be told of two lumens."""
    grid = labelled.told.grid
    told = np.asarray(labelled.told.values == Vessel.LUMEN)
    network = resampled(made.maps.vessels.vessel_probability, grid, outside=0).values > SURE
    linked = links(made.trees, true)
    case = replace(
        case,
        masks=mask_overlap(painted(made.trees, grid), told, grid.spacing_mm),
        network=mask_overlap(np.asarray(network), told, grid.spacing_mm),
        vessels=vessel_overlaps(true, made.trees),
        course=compare(made.trees, true),
        radii=radii(made.trees, true, linked),
        ostium_mm=ostium_errors_mm(made.trees, true),
        flags=tuple(f.name for f in made.flags),
    )
    try:
        return _with_flow(true, linked, made, case)
    except ConvergenceError as error:
        return _failed(case, "flow", error)


def radii(found: Trees, true: Trees, linked: Links) -> Radii:
    """Return radii at the label's points that ours goes with, away from divisions and ostia."""
    columns: list[AnyArray] = [np.zeros((0, 3))]
    for c, number, link in zip(true, linked.number, linked.partner, strict=True):
        ours = None if number is None else found[number]
        if ours is None:
            continue
        away = np.linalg.norm(c.tree.points_mm - c.tree.points_mm[0], axis=1) > END_MM
        good = link.reached & away & ~beside_fork(c.tree.points_mm, true)
        moved = link.moved(ours.tree.radius_mm, c.tree.radius_mm)
        columns.append(np.column_stack([c.tree.radius_mm, moved, c.reference_radius_mm])[good])
    told, here, healthy = np.round(np.concatenate(columns), 3).T
    return Radii(tuple(told.tolist()), tuple(here.tolist()), tuple(healthy.tolist()))


def _with_flow(true: Trees, linked: Links, made: Analysed, case: LabelCase) -> LabelCase:
    """Return the case with stenoses and FFR; the mass of the image for both lumens."""
    mass = made.maps.heart.lv_mass_g or None
    ours = linked.moved(true, [c.tree.radius_mm for c in made.trees])
    exact, moved = (
        pipeline.find(trees, pipeline.solve(trees, Patient(), mass).solutions)
        for trees in (true, ours)
    )
    none = tuple(floats(np.zeros(len(c.tree))) for c in true)  # a label tells no arc
    same = Ways(moved, moved, moved, made.findings, made.findings)
    truth = Truth(true, exact, none, linked)
    found = stenoses(truth, made.trees, (made.trees, made.trees), same)
    lesions = made.findings.lesions
    return replace(
        case,
        stenoses=found,
        false_lesions=false_lesions(made.trees, lesions, true),
        severe_reported=sum(
            x.diameter_stenosis_percent >= SEVERE_PERCENT for own in lesions for x in own
        ),
        ends=_ends(true, linked, (exact.ffr, moved.ffr), made),
    )


def _ends(
    true: Trees, linked: Links, ffr: tuple[Sequence[Floats], Sequence[Floats]],
    made: Analysed,
) -> tuple[EndFfr, ...]:  # fmt: skip
    """Return FFR at the last point of each vessel that both lumens know."""
    rows = []
    for way in ways(true):
        exact, moved = (values[way.tree][way.points] for values in ffr)
        known = (
            np.isfinite(exact)
            & np.isfinite(moved)
            & linked.partner[way.tree].reached[way.points]
        )
        if known.any():
            last = int(np.flatnonzero(known)[-1])
            c = true[way.tree]
            place = c.tree.points_mm[way.points[last]]
            tree_ffr = at_place(made.trees, made.findings, c.side, floats(place))
            rows.append(EndFfr(way.name, round(float(exact[last]), 4),
                               round(float(moved[last]), 4), tree_ffr))  # fmt: skip
    return tuple(rows)
