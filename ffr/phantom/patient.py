"""One virtual patient: a heart, its arteries, and the truth about both, from one seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ffr.phantom.anatomy import Heart, Tube, on_epicardium, random_heart
from ffr.phantom.coronaries import (
    Artery,
    Calcium,
    LesionPlan,
    plan_lesions,
    random_coronaries,
)
from ffr.phantom.features import Features, Variation
from ffr.phantom.mouths import with_mouths, without_hidden_throats
from ffr.phantom.true_tree import coronary_tree, inlets
from ffr.phantom.variation import varied
from meshes.arrays import Floats, floats
from meshes.tree import CoronaryTree

NO_FEATURES = Features()


@dataclass(frozen=True, slots=True, eq=False)
class VirtualPatient:
    """Everything that is painted, and the exact trees that a pipeline should find.

    Parameters
    ----------
    seed
        The number that makes this patient again.
    heart
        Chambers and chest.
    arteries
        Coronary arteries with walls and plaque.
    calcium
        Calcified deposits.
    veins
        Cardiac veins: contrast-filled and beside the arteries, the main confusion.
    left, right
        True lumen trees with healthy reference radius and names, from the aortic wall on.
    others
        True trees from further ostia: the circumflex's own, where there is no left main.
    features
        Stents, occlusions, bridges, further disease, anomalies, leads.
    """

    seed: int
    heart: Heart
    arteries: tuple[Artery, ...]
    calcium: tuple[Calcium, ...]
    veins: tuple[Tube, ...]
    left: CoronaryTree
    right: CoronaryTree
    others: tuple[CoronaryTree, ...] = ()
    features: Features = NO_FEATURES


def virtual_patient(
    seed: int,
    burden: float = 2.5,
    plans: tuple[LesionPlan, ...] | None = None,
    variation: Variation | None = None,
) -> VirtualPatient:
    """Make the patient of a seed.

    Parameters
    ----------
    seed
        Same seed, same patient.
    burden
        Mean number of stenoses drawn; 0 for a healthy patient.
    plans
        Stenoses to build instead of drawn ones.
    variation
        Chances of rare anatomy, further disease and devices (`features.COMMON`); without it
        there are none. A patient who gets none of them is the one without it.
    """
    rng = np.random.default_rng([seed, 7])
    heart = random_heart(rng)
    lesions = plan_lesions(rng, burden) if plans is None else plans
    arteries, calcium = random_coronaries(rng, heart, lesions)
    veins = _veins(rng, heart, arteries)
    features = NO_FEATURES
    if variation is not None:
        arteries, calcium, features = varied(seed, heart, arteries, calcium, variation)
    arteries = without_hidden_throats(with_mouths(arteries))
    return VirtualPatient(
        seed,
        heart,
        arteries,
        calcium,
        veins,
        coronary_tree(arteries, "left", heart),
        coronary_tree(arteries, "right", heart),
        tuple(coronary_tree(arteries, "left", heart, name) for name in inlets(arteries)[2]),
        features,
    )


def _veins(
    rng: np.random.Generator, heart: Heart, arteries: tuple[Artery, ...]
) -> tuple[Tube, ...]:
    """Veins beside LAD, LCx, OM1 and PDA, shifted along the surface, some very bright."""
    veins = []
    for artery in arteries:
        if artery.name not in ("LAD", "LCx", "OM1", "R-PDA", "D1") or rng.random() < 0.15:
            continue
        path = artery.axis_mm[8::4]
        if len(path) < 6:
            continue
        way = np.gradient(path, axis=0)
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        outward = on_epicardium(heart, path, np.full(len(path), 9.0)) - path
        beside = np.cross(way, outward)
        beside /= np.maximum(np.linalg.norm(beside, axis=1, keepdims=True), 1e-6)
        gap = rng.choice([-1, 1]) * (rng.uniform(3.0, 6.5) + rng.normal(0, 0.6, len(path)))
        shifted = on_epicardium(heart, path + gap[:, None] * beside, np.full(len(path), 2.5))
        big = rng.uniform(1.4, 2.6) if artery.name == "LCx" else rng.uniform(0.6, 1.7)
        radius = big * np.linspace(1.0, 0.7, len(path))
        veins.append(Tube("vein", 0, floats(shifted), floats(radius)))
    return tuple(veins)


def centre_of_heart_mm(patient: VirtualPatient) -> Floats:
    """Return the middle of the coronary arteries: where a technician centres the scan."""
    points = np.vstack([a.centre_mm for a in patient.arteries])
    return floats(0.5 * (points.min(axis=0) + points.max(axis=0)))
