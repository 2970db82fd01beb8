"""What is in the files of a stage? Scan, label maps, trees and flow, exactly as they were."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK

from ffr.certainty.confidence import Confidence, Uncertainty
from ffr.circulation.physiology import Assumption
from ffr.errors import ConfigError
from ffr.flags import Flag, Place
from ffr.results.stages import load_facts, readable, require_stage, save_facts
from ffr.scan import Scan
from ffr.segmentation.maps import HeartMap, VesselMap
from meshes.arrays import AnyArray
from meshes.contours import Contours
from meshes.resample import from_itk, to_itk
from meshes.tree import CoronaryTree, Unreadable, VesselTree
from meshes.volume import Volume
from solvers.solution import FlowSolution

CONTOURS = ("radius_mm", "zero_direction", "quarter_direction")


def flags_as_json(flags: tuple[Flag, ...]) -> list[list[Any]]:
    """Turn flags into lists for JSON: name, message and, where it has one, place."""
    return [[f.name, f.message, *([asdict(f.place)] if f.place else [])] for f in flags]


def flags_from_json(rows: list[list[Any]]) -> tuple[Flag, ...]:
    """Turn lists from JSON into flags."""
    return tuple(Flag(name, words, *map(_place, rest)) for name, words, *rest in rows)


def _place(row: dict[str, Any]) -> Place:
    point = row["point_mm"]
    return Place(**{**row, "point_mm": None if point is None else tuple(point)})


def _save_volume(path: Path, volume: Volume) -> None:
    try:
        SimpleITK.WriteImage(to_itk(volume), str(path), useCompression=True, compressionLevel=1)
    except RuntimeError as error:  # its message holds the path
        message = f"{path.name} could not be written; is the disk full?"
        raise OSError(message) from error


def _load_volume(path: Path) -> Volume:
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # it would print the path
    return from_itk(SimpleITK.ReadImage(str(path)))


@contextlib.contextmanager
def _arrays(path: Path) -> Iterator[Mapping[str, AnyArray]]:
    # opened here: of a damaged file numpy would leave it open
    with readable(path.parent), path.open("rb") as file, np.load(file) as data:
        yield data


def save_scan(folder: Path, scan: Scan) -> None:
    """Write the scan stage."""
    _save_volume(folder / "scan.nrrd", scan.volume)
    facts = {
        name: getattr(scan, name)
        for name in (
            "source", "series", "slice_thickness_mm", "sha256", "tube_voltage_kvp", "kernel",
        )
    }  # fmt: skip
    save_facts(folder, {**facts, "flags": flags_as_json(scan.flags)})


def load_scan(out: Path) -> Scan:
    """Read the scan stage."""
    folder = require_stage(out, "scan")
    facts = load_facts(folder)
    with readable(folder):
        facts["flags"] = flags_from_json(facts["flags"])
        return Scan(volume=_load_volume(folder / "scan.nrrd"), **facts)


def save_maps(
    folder: Path,
    heart: HeartMap,
    vessels: VesselMap,
    flags: tuple[Flag, ...],
    models: dict[str, str],
) -> None:
    """Write the segment stage: label maps that open in any viewer."""
    _save_volume(folder / "heart.nrrd", heart.labels)
    _save_volume(folder / "vessels.nrrd", vessels.labels)
    _save_volume(folder / "vessel_probability.nrrd", vessels.vessel_probability)
    facts = {
        "lv_mass_g": heart.lv_mass_g, "blood_hu": heart.blood_hu,
        "flags": flags_as_json(flags), "models": models,
    }  # fmt: skip
    save_facts(folder, facts)


def save_no_maps(folder: Path) -> None:
    """Write the segment stage of a run that was made from a mask: nothing was segmented."""
    facts = {"lv_mass_g": 0.0, "blood_hu": 0.0, "flags": [], "models": {}, "mask": True}
    save_facts(folder, facts)


def load_maps(out: Path) -> tuple[HeartMap, VesselMap, dict[str, Any]]:
    """Read the segment stage."""
    folder = require_stage(out, "segment")
    facts = load_facts(folder)
    if facts.get("mask"):
        message = "this run was made from a mask; start again with 'ffr tree MASK --out OUT'"
        raise ConfigError(message)
    names = ("vessels", "vessel_probability")
    with readable(folder):
        labels = _load_volume(folder / "heart.nrrd")
        heart = HeartMap(labels, facts["lv_mass_g"], facts["blood_hu"])
        vessels = VesselMap(*(_load_volume(folder / f"{n}.nrrd") for n in names))
    return heart, vessels, facts


def save_trees(
    folder: Path,
    trees: tuple[CoronaryTree, ...],
    flags: tuple[Flag, ...],
    models: dict[str, str],
) -> None:
    """Write the tree stage."""
    arrays: dict[str, AnyArray] = {}
    for c in trees:
        arrays |= {
            f"{c.side}_points_mm": c.tree.points_mm,
            f"{c.side}_radius_mm": c.tree.radius_mm,
            f"{c.side}_parent": c.tree.parent,
        }
        for name in ("radius_sd_mm", "reference_radius_mm", "branch", "segment"):
            arrays[f"{c.side}_{name}"] = getattr(c, name)
        for kind, outlines in (("contour", c.contours), ("wall", c.walls)):
            if outlines is not None:
                for name in CONTOURS:
                    arrays[f"{c.side}_{kind}_{name}"] = getattr(outlines, name)
    np.savez(folder / "trees.npz", **arrays)  # type: ignore[arg-type]
    names = {c.side: list(c.names) for c in trees}
    unreadable = {c.side: [asdict(x) for x in c.unreadable] for c in trees}
    facts = {"names": names, "unreadable": unreadable, "models": models}
    save_facts(folder, {**facts, "flags": flags_as_json(flags)})


def load_trees(out: Path) -> tuple[tuple[CoronaryTree, ...], dict[str, Any]]:
    """Read the tree stage."""
    folder = require_stage(out, "tree")
    facts = load_facts(folder)
    trees = []
    with _arrays(folder / "trees.npz") as data:
        for side, names in facts["names"].items():
            shape = [data[f"{side}_{n}"] for n in ("points_mm", "radius_mm", "parent")]
            sd, reference, branch, segment = (
                data[f"{side}_{n}"]
                for n in ("radius_sd_mm", "reference_radius_mm", "branch", "segment")
            )
            trees.append(
                CoronaryTree(
                    VesselTree(*shape),
                    side,
                    sd,
                    reference,
                    branch,
                    tuple(names),
                    segment,
                    _contours(data, f"{side}_contour"),
                    # runs of older versions have none
                    tuple(Unreadable(**x) for x in facts.get("unreadable", {}).get(side, [])),
                    _contours(data, f"{side}_wall"),
                )
            )
    return tuple(trees), facts


def _contours(data: Mapping[str, AnyArray], prefix: str) -> Contours | None:
    if f"{prefix}_radius_mm" not in data:
        return None
    return Contours(*(data[f"{prefix}_{name}"] for name in CONTOURS))


def save_flow(
    folder: Path, solutions: tuple[FlowSolution, ...], sides: tuple[str, ...],
    assumptions: tuple[Assumption, ...], settings: dict[str, Any],
    flags: tuple[Flag, ...] = (),
) -> None:  # fmt: skip
    """Write the solve stage."""
    names = ("pressure_mmhg", "total_pressure_mmhg", "flow_ml_min")
    arrays = {
        f"{side}_{n}": getattr(s, n) for s, side in zip(solutions, sides, strict=True)
        for n in names
    }  # fmt: skip
    np.savez(folder / "flow.npz", **arrays)
    facts = {
        "iterations": {d: s.iterations for s, d in zip(solutions, sides, strict=True)},
        "residual_mmhg": {d: s.residual_mmhg for s, d in zip(solutions, sides, strict=True)},
        "assumptions": [asdict(a) for a in assumptions],
        "settings": settings,
        "flags": flags_as_json(flags),
    }
    save_facts(folder, facts)


def load_flow(
    out: Path,
) -> tuple[tuple[FlowSolution, ...], tuple[Assumption, ...], dict[str, Any], tuple[Flag, ...]]:
    """Read the solve stage."""
    folder = require_stage(out, "solve")
    facts = load_facts(folder)
    with _arrays(folder / "flow.npz") as data:
        solutions = tuple(
            FlowSolution(
                data[f"{side}_pressure_mmhg"],
                data[f"{side}_total_pressure_mmhg"],
                data[f"{side}_flow_ml_min"],
                iterations,
                facts["residual_mmhg"][side],
            )
            for side, iterations in facts["iterations"].items()
        )
        assumptions = tuple(Assumption(**row) for row in facts["assumptions"])
        return solutions, assumptions, facts["settings"], flags_from_json(facts["flags"])


_SPREAD = ("ffr_low", "ffr_high", "probability", "readings", "first_order", "total")


def save_confidence(folder: Path, confidence: Confidence, sides: tuple[str, ...]) -> None:
    """Write how sure the solve stage is, beside its flow."""
    arrays: dict[str, AnyArray] = {}
    both = zip(sides, confidence.spreads, confidence.sensitivity_per_mm2, strict=True)
    for side, spread, slope in both:
        arrays |= {f"{side}_{name}": getattr(spread, name) for name in _SPREAD}
        arrays[f"{side}_sensitivity_per_mm2"] = slope
    np.savez(folder / "confidence.npz", **arrays)  # type: ignore[arg-type]


def load_confidence(out: Path) -> Confidence:
    """Read how sure the solve stage is."""
    folder = require_stage(out, "solve")
    sides = load_facts(folder)["iterations"]
    with _arrays(folder / "confidence.npz") as data:
        return Confidence(
            tuple(Uncertainty(*(data[f"{side}_{n}"] for n in _SPREAD)) for side in sides),
            tuple(data[f"{side}_sensitivity_per_mm2"] for side in sides),
        )
