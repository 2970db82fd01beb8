"""Small coronary trees whose lengths, places and widths are known by construction."""

import numpy as np

from meshes.tree import CoronaryTree, VesselTree


def straight(
    length_mm=40.0,
    radius_mm=1.5,
    name="LAD",
    offset_mm=0.0,
    sd_mm=0.1,
    side="left",
    healthy=None,
):
    """One vessel along x, points every half millimetre."""
    x = np.arange(0.0, length_mm + 0.25, 0.5)
    n = x.size
    points = np.column_stack([x, np.full(n, offset_mm), np.zeros(n)])
    radius = np.broadcast_to(np.asarray(radius_mm, float), (n,))
    return CoronaryTree(
        VesselTree(points, radius, np.arange(n) - 1), side, np.full(n, sd_mm),
        np.full(n, radius.max() if healthy is None else healthy), np.zeros(n), (name,),
        np.zeros(n),
    )  # fmt: skip


def forked(names=("LM", "LAD", "LCx"), radii=(1.2, 1.2, 1.2), turn=0.8, lengths=(10, 20)):
    """A trunk of 10 mm along x that divides into two daughters of (usually) 10 and 20 mm."""
    way = np.sqrt(1 - turn**2)
    trunk = np.column_stack([np.arange(0, 10.1, 0.5), np.zeros(21), np.zeros(21)])
    one, two = (
        trunk[-1] + np.outer(np.arange(0.5, length + 0.1, 0.5), [way, sign * turn, 0])
        for length, sign in zip(lengths, (1, -1), strict=True)
    )
    n1, n2 = len(one), len(two)
    parent = np.concatenate([np.arange(-1, 20 + n1), [20], np.arange(21 + n1, 20 + n1 + n2)])
    branch = np.repeat([0, 1, 2], [21, n1, n2])
    radius = np.array(radii, float)[branch]
    tree = VesselTree(np.vstack([trunk, one, two]), radius, parent)
    n = parent.size
    return CoronaryTree(tree, "left", np.full(n, 0.1), radius, branch, names, np.zeros(n))


def narrowed(throat_mm=20.0, percent=60.0, **options):
    """A vessel of 60 mm and 1.5 mm radius with one smooth stenosis."""
    x = np.arange(0.0, 60.25, 0.5)
    bell = np.exp(-(((x - throat_mm) / 3.0) ** 2))
    return straight(60.0, 1.5 * (1 - percent / 100 * bell), healthy=1.5, **options)
