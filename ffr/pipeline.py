"""From a scan to an FFR map: the methods section. Pure steps; files are elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ffr.certainty.confidence import Confidence
from ffr.certainty.uncertainty import propagate
from ffr.certainty.variants import LUMPED_SD_PERCENT, MODEL_SD_PERCENT
from ffr.circulation.boundary import Boundary, boundary_from_patient
from ffr.circulation.estimates import blood_from_patient, input_spread, personal
from ffr.circulation.patient import Patient
from ffr.circulation.physiology import Assumption, InputSpread, Physiology
from ffr.errors import StudyError
from ffr.flags import Flag, Place
from ffr.imaging.quality import check_all
from ffr.imaging.sharpness import scan_sharpness
from ffr.own_weights import weights_flags
from ffr.scan import Scan
from ffr.segmentation.maps import HeartMap, VesselMap
from ffr.tracing.ends import check_trees
from ffr.tracing.gaps import possible_occlusions
from ffr.tracing.naming import heart_frame, named_tree
from ffr.tracing.stents import find_stents
from ffr.tracing.trace import trace
from ffr.tracing.wall_flags import unreadable_stents, wall_flags
from meshes.arrays import AnyArray, Floats, Ints, floats, ints
from meshes.filling import VolumeMesh, lumen_volume
from meshes.stenosis import Lesion, analysed, distal_point, find_lesions
from meshes.surface import Surface, lumen_surface, values_in_lumen, values_on_surface
from meshes.tree import CoronaryTree, path_length_mm, path_to
from solvers.blood import Blood
from solvers.calibrated import calibrate
from solvers.errors import ConvergenceError
from solvers.methods import DEFAULT, METHODS
from solvers.occlusion import closed_beds, occluded, opened
from solvers.sensitivity import ffr_gradient_per_mm2
from solvers.solution import FlowSolution
from solvers.unreadable import presumed_open, unreadable

Progress = Callable[[float], None]
READ_AT_MM = 20.0  # FFR is read this far distal to a lesion (PMC7977999)
NEAREST_READ_MM = 10.0  # the same recommendation: 10 to 20 mm


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """What the networks say about a scan.

    Parameters
    ----------
    heart, vessels
        Label maps at 2 mm and 0.5 mm.
    flags
        Warnings about the image.
    models
        SHA-256 of the weights by network name.
    """

    heart: HeartMap
    vessels: VesselMap
    flags: tuple[Flag, ...]
    models: dict[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """Hyperaemic pressure and flow of each tree, and what they rest on.

    `lumped` has the number of each tree for which only the loss formula found a flow.
    """

    solutions: tuple[FlowSolution, ...]
    boundaries: tuple[Boundary, ...]
    blood: Blood
    inputs: InputSpread
    assumptions: tuple[Assumption, ...]
    physiology: Physiology
    flags: tuple[Flag, ...] = ()
    lumped: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What is read off trees and flow, one entry per tree.

    Parameters
    ----------
    ffr
        Pressure over aortic pressure at each point, NaN where not analysed.
    analysed
        True where FFR is given: the vessel is wide enough, open and readable.
    lesions
        Stenoses.
    distal
        Per lesion, the point where FFR is read and its distance from the lesion's end.
    """

    ffr: tuple[Floats, ...]
    analysed: tuple[AnyArray, ...]
    lesions: tuple[tuple[Lesion, ...], ...]
    distal: tuple[tuple[tuple[int, float], ...], ...]


def segment(scan: Scan, progress: Progress, weights: Path | None = None) -> Maps:
    """Label heart and vessels; refuse scans that cannot be analysed.

    `weights` is a folder of own weights, which come before the shipped ones.

    Raises
    ------
    StudyError
        No heart, no contrast, no coronary origins, voxels too coarse.
    ConfigError
        Weights that cannot be used.
    """
    # torch is imported where it is needed: the other verbs start without it
    from ffr.segmentation.infer import map_heart, map_vessels, vessel_box
    from ffr.segmentation.weights import load_network

    network = load_network("anatomy", folder=weights)
    heart = map_heart(scan.volume, network)
    flags = (*weights_flags(weights), *check_all(scan, heart.labels))
    progress(0.1)
    box = vessel_box(heart)
    if box is None:
        raise StudyError("heart-missing", "no heart was found; give the whole coronary CTA")
    fine = load_network("vessel", folder=weights)
    vessels = map_vessels(
        scan.volume, heart, box, fine, lambda part: progress(0.1 + 0.9 * part)
    )
    return Maps(heart, vessels, flags, {"anatomy": network.sha256, "vessel": fine.sha256})


def extract_trees(
    scan: Scan, heart: HeartMap, vessels: VesselMap, progress: Progress,
    weights: Path | None = None,
) -> tuple[tuple[CoronaryTree, ...], tuple[Flag, ...], dict[str, str]]:  # fmt: skip
    """Trace, measure and name the coronary trees; `weights` as in `segment`.

    Raises
    ------
    StudyError
        No coronary artery was found.
    ConfigError
        Weights that cannot be used.
    """
    from ffr.segmentation.lumen import measure_lumen
    from ffr.segmentation.pruning import without_stubs, without_veins
    from ffr.segmentation.weights import load_network

    traced = trace(scan.volume, heart, vessels)
    progress(0.4)
    network = load_network("lumen", folder=weights)
    frame = heart_frame(heart.labels)
    seen = scan_sharpness(scan.volume, heart.labels, heart.blood_hu)
    trees: list[CoronaryTree] = []
    walls: list[Flag] = []
    found = [(side, t) for side in ("left", "right") if (t := getattr(traced, side))]
    for number, (side, raw) in enumerate(found):
        lumen = measure_lumen(scan.volume, raw, heart.blood_hu, seen, network)
        lumen = without_stubs(without_veins(scan.volume, lumen, heart.blood_hu))
        named = named_tree(lumen.tree, side, frame, lumen.radius_sd_mm)
        arc, stent = lumen.calcium_arc_deg, lumen.stent_probability
        stents = find_stents(scan.volume, named, arc, stent, seen, heart.blood_hu)
        unread = (*unreadable_stents(stents), *possible_occlusions(named, traced.flags))
        named = replace(named, contours=lumen.contours, walls=lumen.walls)
        trees.append(replace(named, unreadable=unread))
        walls += wall_flags(trees[-1], arc, stents)
        progress(0.4 + 0.6 * (number + 1) / len(found))
    told = (*check_trees(trees, traced.flags), *walls)
    return tuple(trees), told, {"lumen": network.sha256}


def solve(
    trees: tuple[CoronaryTree, ...],
    patient: Patient,
    lv_mass_g: float | None,
    physiology: Physiology | None = None,
) -> Flow:
    """Solve steady hyperaemic flow in every tree, velocity profiles resolved.

    Stretches whose lumen the scan does not show are presumed open (`solvers.unreadable`).
    A tree in which no laminar flow is found is solved with the lumped closure, and flagged.

    Raises
    ------
    ConvergenceError
        The iteration found no answer; the message names the place.
    """
    physiology = personal(physiology or Physiology(), patient)
    blood, about_blood = blood_from_patient(patient, physiology)
    beds, assumptions = boundary_from_patient(trees, patient, lv_mass_g, physiology)
    solutions, flags, lumped = [], [], []
    for number, (c, bed) in enumerate(zip(trees, beds, strict=True)):
        try:
            solutions.append(solve_tree(c, bed, blood))
        except ConvergenceError:
            solutions.append(solve_tree(c, bed, blood, "lumped"))
            message = (
                f"no laminar flow was found in the {c.side} tree; its FFR comes from the "
                "simpler loss formula, which reads too high close behind a stenosis"
            )
            flags.append(Flag("flow-lumped", message, Place(c.side)))
            lumped.append(number)
    return Flow(
        tuple(solutions), beds, blood, input_spread(patient, lv_mass_g, physiology),
        (*assumptions, about_blood), physiology, tuple(flags), tuple(lumped),
    )  # fmt: skip


def solve_tree(
    coronary: CoronaryTree, bed: Boundary, blood: Blood, method: str = DEFAULT
) -> FlowSolution:
    """Solve one tree between given ends, by one of `solvers.methods.METHODS`.

    Raises
    ------
    ConvergenceError
        The iteration found no answer; the message names the place.
    """
    return METHODS[method].with_beds(
        presumed_open(coronary).tree,
        bed.inlet_pressure_mmhg,
        bed.outlet_resistance_mmhg_min_ml,
        bed.venous_pressure_mmhg,
        blood,
    )


def find(trees: tuple[CoronaryTree, ...], solutions: tuple[FlowSolution, ...]) -> Findings:
    """Read FFR and lesions off the solved trees.

    There is no FFR behind occlusions, nor in and behind what the scan does not show.
    """
    read = [ffr_of(c, s) for c, s in zip(trees, solutions, strict=True)]
    allowed, values = tuple(shown for shown, _ in read), tuple(ffr for _, ffr in read)
    lesions = tuple(find_lesions(c.tree, c.reference_radius_mm) for c in trees)
    distal = tuple(
        tuple(_read_at(c, x) for x in found) for c, found in zip(trees, lesions, strict=True)
    )
    return Findings(values, allowed, lesions, distal)


def ffr_of(c: CoronaryTree, solution: FlowSolution) -> tuple[AnyArray, Floats]:
    """Return where a tree has an FFR, and its values, NaN elsewhere; both shape (n,)."""
    shown = analysed(c.tree, c.reference_radius_mm) & ~occluded(c.tree) & ~unreadable(c)
    ffr = solution.pressure_mmhg / solution.pressure_mmhg[0]
    return shown, floats(np.where(shown, ffr, np.nan))


def _read_at(c: CoronaryTree, lesion: Lesion) -> tuple[int, float]:
    """Return where a lesion's FFR is read: before an unreadable stretch if that is not near."""
    point, distance = distal_point(c.tree, c.reference_radius_mm, lesion, READ_AT_MM)
    hidden = unreadable(c)
    if not hidden[point]:
        return point, distance
    way = path_to(c.tree, point)
    seen = way[~hidden[way]]
    s = path_length_mm(c.tree)
    if not seen.size or s[seen[-1]] < s[lesion.end] + NEAREST_READ_MM:
        return point, distance
    return int(seen[-1]), float(s[seen[-1]] - s[lesion.end])


def readings(findings: Findings) -> tuple[Ints, ...]:
    """Return, per tree, where each lesion's FFR is read, then the lowest analysed point."""
    found = []
    for ffr, distal in zip(findings.ffr, findings.distal, strict=True):
        points = [point for point, _ in distal]
        if np.isfinite(ffr).any():
            points.append(int(np.nanargmin(ffr)))
        found.append(ints(points))
    return tuple(found)


def confidence(trees: tuple[CoronaryTree, ...], flow: Flow, findings: Findings) -> Confidence:
    """Return how sure each FFR is, and where along the lumen it is decided.

    Raises
    ------
    ConvergenceError
        Many of the sampled trees have no steady flow.
    """
    places = readings(findings)
    trees, beds = without_closed(trees, flow.boundaries)
    models = model_errors_percent(flow)
    spreads = propagate(
        trees, flow.solutions, beds, flow.blood, flow.inputs, flow.physiology,
        places, model_sd_percent=models,
    )  # fmt: skip
    slopes = tuple(
        ffr_gradient_per_mm2(
            calibrate(c.tree, s, flow.blood), s, bed.outlet_resistance_mmhg_min_ml, at
        )
        for c, s, bed, at in zip(trees, flow.solutions, beds, places, strict=True)
    )
    return Confidence(spreads, slopes)


def model_errors_percent(flow: Flow) -> list[float]:
    """Return the error of each tree's flow model."""
    count = len(flow.solutions)
    return [LUMPED_SD_PERCENT if k in flow.lumped else MODEL_SD_PERCENT for k in range(count)]


def without_closed(
    trees: tuple[CoronaryTree, ...], boundaries: tuple[Boundary, ...]
) -> tuple[tuple[CoronaryTree, ...], tuple[Boundary, ...]]:
    """Return trees whose occlusions are closed beds: the same flow, no tiny lumen to draw."""
    beds = []
    for c, bed in zip(trees, boundaries, strict=True):
        closed = closed_beds(c.tree, bed.outlet_resistance_mmhg_min_ml)
        beds.append(replace(bed, outlet_resistance_mmhg_min_ml=closed))
    return tuple(as_drawn(c) for c in trees), tuple(beds)


def as_drawn(c: CoronaryTree) -> CoronaryTree:
    """Return a tree without tiny lumens: presumed open where unseen, open where occluded."""
    c = presumed_open(c)
    return replace(c, tree=opened(c.tree))


def lumen_filling(
    trees: tuple[CoronaryTree, ...], findings: Findings
) -> tuple[VolumeMesh, Floats]:
    """Return the lumen as tetrahedra and FFR at their corners."""
    shapes = [c.tree for c in trees]
    mesh = lumen_volume(shapes, contours=[c.contours for c in trees])
    return mesh, values_in_lumen(mesh.points_mm, shapes, findings.ffr)


def lumen_mesh(trees: tuple[CoronaryTree, ...], findings: Findings) -> tuple[Surface, Floats]:
    """Return the closed lumen surface and FFR at its vertices."""
    shapes = [c.tree for c in trees]
    surface = lumen_surface(shapes, contours=[c.contours for c in trees])
    return surface, values_on_surface(surface, shapes, findings.ffr)
