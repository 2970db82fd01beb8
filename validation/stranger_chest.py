"""A chest around a heart: fat, lungs, bones, liver."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from meshes.arrays import AnyArray, floats
from validation.stranger_shapes import (
    Distance,
    ellipsoid,
    grown,
    remembered,
    tube,
    union,
    without,
)

Organs = tuple[tuple[str, Distance], ...]


def moved(heart: Mapping[str, Distance], there: AnyArray) -> dict[str, Distance]:
    """Return the parts of a heart after a linear map (3, 3) of space, the same for all."""
    back, size = np.linalg.inv(there), float(np.linalg.norm(there, axis=0).mean())
    template = remembered(lambda p: floats(p @ back.T))

    def one(d: Distance) -> Distance:
        return remembered(lambda p: floats(size * d(template(p))))

    return {name: one(d) for name, d in heart.items()}


def chest_around(heart: Mapping[str, Distance], vessels: Distance | None = None) -> Organs:
    """Return name and distance of each organ, in the order of painting.

    Parameters
    ----------
    heart
        Chambers and great vessels by name.
    vessels
        Arteries that do not lie on this heart: they get fat around them.
    """

    def off(d: Distance) -> Distance:
        return d if vessels is None else without(d, vessels, 1.0)

    sac = grown(union(*(heart[n] for n in ("muscle", "rv", "ra", "la")), blend_mm=12), 7.0)
    if vessels is not None:
        sac = union(sac, grown(vessels, 4.0), blend_mm=6)
    great = union(*(heart[n] for n in ("aorta", "pa", "svc", "ivc")), blend_mm=15)
    middle = union(sac, grown(great, 5), blend_mm=10)
    chest = ellipsoid(np.array([0.0, 22.0, 0.0]), (165, 112, 900))
    inner = without(ellipsoid(np.array([0.0, 18.0, 0.0]), (140, 90, 900)),
                    ellipsoid(np.array([0.0, 108.0, 0.0]), (36, 42, 900)))  # fmt: skip
    liver = without(ellipsoid(np.array([-25.0, 10.0, -140.0]), (140, 92, 82)), sac, 1.0)
    ribs = union(*(_rib(side, z) for side in (-1, 1) for z in range(-140, 150, 28)))
    spine = union(ellipsoid(np.array([0.0, 95.0, 0.0]), (18, 16, 900)),
                  ellipsoid(np.array([0.0, 122.0, 0.0]), (7, 16, 900)))  # fmt: skip
    return (
        ("fat", chest), ("body", grown(inner, 14)), ("lung", inner), ("ribs", ribs),
        ("breastbone", ellipsoid(np.array([0.0, -80.0, 20.0]), (16, 5, 110))),
        ("fat", middle), ("liver", liver), ("spine", spine),
        ("oesophagus", tube([[4, 60, 150], [6, 62, 40], [14, 60, -60], [25, 45, -140]], 7)),
        ("fat wall", grown(heart["aorta"], 1.5)), ("muscle", off(grown(heart["rv"], 3.0))),
        ("muscle", off(grown(heart["ra"], 2.0))), ("muscle", off(grown(heart["la"], 1.5))),
        ("muscle", heart["muscle"]), ("svc", heart["svc"]), ("ivc", heart["ivc"]),
        ("ra", heart["ra"]), ("rv", heart["rv"]), ("pa", heart["pa"]), ("la", heart["la"]),
        ("lv", heart["lv"]), ("aorta", heart["aorta"]),
    )  # fmt: skip


def _rib(side: int, z: int) -> Distance:
    around = np.radians(np.linspace(-75, 80, 9))
    return tube(np.column_stack([side * 150 * np.cos(around), 20 + 99 * np.sin(around),
                                 z + 40 * np.sin(around)]), 5.0)  # fmt: skip
