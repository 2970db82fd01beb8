"""Which features does a patient get? Each is drawn from its own random stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from ffr.phantom.anatomy import Heart, Tube
from ffr.phantom.anomalies import Vessels, with_anomaly
from ffr.phantom.branches import (
    bridged,
    left_posterior_descending,
    septal_branches,
    sinus_node_branch,
)
from ffr.phantom.coronaries import Artery, Calcium
from ffr.phantom.devices import annulus, leads, stented
from ffr.phantom.disease import bifurcation, diffuse, occluded, ostial, remodelled
from ffr.phantom.features import Dense, Features, Variation
from ffr.phantom.neighbours import appendages, coronary_sinus, crossing_veins
from meshes.arrays import floats

STREAM = 53
LEFT_BEHIND_MM = 1.0  # calcium this far outside every wall belonged to a part that is gone


def varied(
    seed: int,
    heart: Heart,
    arteries: tuple[Artery, ...],
    calcium: tuple[Calcium, ...],
    variation: Variation,
) -> tuple[tuple[Artery, ...], tuple[Calcium, ...], Features]:
    """Give a patient the features that are drawn for the seed."""
    number = iter(range(100))

    def drawn(percent: float) -> np.random.Generator | None:
        """Return the feature's own stream if the patient has it."""
        rng = np.random.default_rng([seed, STREAM, next(number)])
        return rng if rng.uniform(0, 100) < percent else None

    vessels: Vessels = {a.name: a for a in arteries}
    rng = np.random.default_rng([seed, STREAM, next(number)])
    vessels, anomalies = with_anomaly(rng, variation, heart, vessels)
    add: tuple[tuple[float, Callable[..., Vessels]], ...] = (
        (variation.l_pda_percent, left_posterior_descending),
        (variation.septal_percent, septal_branches),
        (variation.sinus_node_percent, sinus_node_branch),
    )
    for percent, change in add:
        if (stream := drawn(percent)) is not None:
            vessels = change(stream, heart, vessels)
    found: dict[str, list[Any]] = {
        k: [] for k in ("bridges", "narrowings", "stents", "occlusions")
    }
    steps: tuple[tuple[float, Callable[..., Any], str], ...] = (
        (variation.bridge_percent, bridged, "bridges"),
        (variation.diffuse_percent, diffuse, "narrowings"),
        (variation.ostial_percent, ostial, "narrowings"),
        (variation.bifurcation_percent, bifurcation, "narrowings"),
        (variation.remodelling_percent, remodelled, "narrowings"),
        (variation.stent_percent, stented, "stents"),
        (variation.occlusion_percent, occluded, "occlusions"),
    )
    for percent, step, kind in steps:
        if (stream := drawn(percent)) is not None:
            vessels, records = step(stream, heart, vessels)
            found[kind].extend(records)
    dense: list[Dense] = []
    for percent, make in (
        (variation.lead_percent, leads), (variation.valve_calcium_percent, annulus)
    ):  # fmt: skip
        if (stream := drawn(percent)) is not None:
            dense.extend(make(stream, heart))
    final = tuple(vessels.values())
    veins: list[Tube] = []
    if (stream := drawn(variation.crossing_veins_percent)) is not None:
        veins.extend(crossing_veins(stream, heart, final))
    if (stream := drawn(variation.sinus_percent)) is not None:
        veins.extend(coronary_sinus(stream, heart, final))
    stream = drawn(variation.appendages_percent)
    lobes = () if stream is None else appendages(stream, heart)
    if anomalies or found["bridges"]:
        calcium = _on_vessels(vessels, calcium)
    features = Features(
        tuple(found["stents"]), tuple(found["occlusions"]), tuple(found["bridges"]),
        tuple(found["narrowings"]), anomalies, tuple(dense), tuple(veins), lobes,
    )  # fmt: skip
    return final, calcium, features


def _on_vessels(vessels: Vessels, calcium: tuple[Calcium, ...]) -> tuple[Calcium, ...]:
    """Keep the calcium that lies in a wall; drop that of stretches that have moved away."""
    points = np.concatenate([a.axis_mm for a in vessels.values()])
    outer = np.concatenate([a.outer_mm for a in vessels.values()])
    tree = cKDTree(points)
    kept = []
    for deposit in calcium:
        middle = 0.5 * (deposit.start_mm + deposit.end_mm)
        off, nearest = tree.query(middle)
        here = off < outer[nearest] + LEFT_BEHIND_MM
        if here.any():
            kept.append(
                Calcium(
                    floats(deposit.start_mm[here]), floats(deposit.end_mm[here]),
                    floats(deposit.radius_mm[here]), floats(deposit.value_hu[here]),
                )
            )  # fmt: skip
    return tuple(kept)
