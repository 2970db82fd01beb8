"""A vessel tree is three arrays and one law: parents come before their children."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.arrays import Floats, Ints, floats, ints
from meshes.contours import Contours
from meshes.errors import GeometryError


@dataclass(frozen=True, slots=True, eq=False)
class VesselTree:
    """One coronary tree, inlet first, every parent before its children.

    Between a point and its parent the vessel is straight and its radius linear.
    A parent array holds no loops: collaterals and grafts cannot be expressed.

    Parameters
    ----------
    points_mm
        Centreline points in patient coordinates (LPS), shape (n, 3).
    radius_mm
        Lumen radius at each point, shape (n,).
    parent
        Index of the upstream point, -1 at the inlet, shape (n,).

    Raises
    ------
    GeometryError
        Fewer than two points, a shape that does not fit, a radius that is not
        positive, a parent that does not come first, a segment of zero length.
    """

    points_mm: Floats
    radius_mm: Floats
    parent: Ints

    def __post_init__(self) -> None:
        object.__setattr__(self, "points_mm", floats(self.points_mm))
        object.__setattr__(self, "radius_mm", floats(self.radius_mm))
        object.__setattr__(self, "parent", ints(self.parent))
        _check_tree(self)

    def __len__(self) -> int:
        return self.parent.size


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A stretch of vessel whose lumen the scan does not show.

    Parameters
    ----------
    reason
        Why, in words that follow "not analysable: ", such as "stent of 2.5 mm".
    vessel
        Name of the vessel.
    from_mm, to_mm
        Path length from the inlet of the tree.
    measured
        Whether flow and grade take its lumen as measured, as of a possible occlusion. Else
        the radius there means nothing, and for the flow it is presumed healthy.
    """

    reason: str
    vessel: str
    from_mm: float
    to_mm: float
    measured: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class CoronaryTree:
    """A vessel tree that knows its anatomy.

    Parameters
    ----------
    tree
        The lumen.
    side
        "left" or "right" coronary artery.
    radius_sd_mm
        Standard deviation of the measured lumen radius at each point, shape (n,).
    reference_radius_mm
        Radius the healthy lumen would have at each point, shape (n,).
    branch
        Index into `names` of the vessel each point belongs to, shape (n,). The point at
        a bifurcation belongs to the parent vessel.
    names
        Vessel names, SCCT style: "LM", "LAD", "LCx", "RCA", "D1", "OM1", "R-PDA", ...
    segment
        SCCT segment number (1 to 18) of each point, 0 where none applies, shape (n,).
    contours
        Outline of the lumen at each point; None where all that is known is the radius.
    unreadable
        Stretches whose radius is a guess: nothing behind their beginning has an FFR.
    walls
        Outline of the outer wall at each point, on the rays of `contours`; where it is that of
        the lumen no wall was seen. None where only the lumen is known.

    Raises
    ------
    GeometryError
        An array does not fit the tree, a branch without a name, an unreadable stretch of a
        vessel that is not there.
    """

    tree: VesselTree
    side: str
    radius_sd_mm: Floats
    reference_radius_mm: Floats
    branch: Ints
    names: tuple[str, ...]
    segment: Ints
    contours: Contours | None = None
    unreadable: tuple[Unreadable, ...] = ()
    walls: Contours | None = None

    def __post_init__(self) -> None:
        for name in ("radius_sd_mm", "reference_radius_mm"):
            object.__setattr__(self, name, floats(getattr(self, name)))
        for name in ("branch", "segment"):
            object.__setattr__(self, name, ints(getattr(self, name)))
        for name in ("radius_sd_mm", "reference_radius_mm", "branch", "segment"):
            if getattr(self, name).shape != (len(self.tree),):
                message = (
                    f"{name} has shape {getattr(self, name).shape}, "
                    f"the tree has {len(self.tree)} points"
                )
                raise GeometryError(message)
        for kind in ("contours", "walls"):
            outlines = getattr(self, kind)
            if outlines is not None and len(outlines) != len(self.tree):
                message = f"{len(outlines)} {kind}, the tree has {len(self.tree)} points"
                raise GeometryError(message)
        if self.side not in ("left", "right"):
            message = f"side is {self.side!r}, must be 'left' or 'right'"
            raise GeometryError(message)
        if self.branch.min() < 0 or self.branch.max() >= len(self.names):
            message = (
                f"branch runs from {self.branch.min()} to {self.branch.max()}, "
                f"there are {len(self.names)} names"
            )
            raise GeometryError(message)
        for stretch in self.unreadable:
            if stretch.vessel not in self.names or not stretch.from_mm <= stretch.to_mm:
                message = (
                    f"unreadable stretch of the {stretch.vessel} from {stretch.from_mm:g} to "
                    f"{stretch.to_mm:g} mm, the vessels are {', '.join(self.names)}"
                )
                raise GeometryError(message)


def _check_tree(tree: VesselTree) -> None:
    n = tree.parent.size
    if tree.parent.shape != (n,) or n < 2:
        message = f"a tree needs at least two points, this one has {n}"
        raise GeometryError(message)
    if tree.points_mm.shape != (n, 3) or tree.radius_mm.shape != (n,):
        message = (
            f"{n} parents need points_mm of shape ({n}, 3) and radius_mm of shape ({n},), "
            f"not {tree.points_mm.shape} and {tree.radius_mm.shape}"
        )
        raise GeometryError(message)
    if not np.all(np.isfinite(tree.points_mm)):
        bad = int(np.flatnonzero(~np.isfinite(tree.points_mm).all(axis=1))[0])
        message = f"points_mm at point {bad} is {tree.points_mm[bad].tolist()}, must be finite"
        raise GeometryError(message)
    if not np.all(np.isfinite(tree.radius_mm) & (tree.radius_mm > 0)):
        bad = int(np.flatnonzero(~(np.isfinite(tree.radius_mm) & (tree.radius_mm > 0)))[0])
        message = f"radius_mm at point {bad} is {tree.radius_mm[bad]:g}, must be positive"
        if tree.radius_mm[bad] == 0:
            message += "; give an occlusion a lumen of 0.001 mm"
        raise GeometryError(message)
    if tree.parent[0] != -1:
        message = (
            f"point 0 has parent {tree.parent[0]}; the inlet comes first and has none (-1)"
        )
        raise GeometryError(message)
    order = np.arange(1, n)
    wrong = (tree.parent[1:] < 0) | (tree.parent[1:] >= order)
    if np.any(wrong):
        bad = int(order[wrong][0])
        message = f"point {bad} has parent {tree.parent[bad]}; parents must come first"
        raise GeometryError(message)
    lengths = segment_length_mm(tree)
    if np.any(lengths[1:] <= 0):
        bad = int(order[lengths[1:] <= 0][0])
        message = f"point {bad} lies on its parent {tree.parent[bad]}; merge the two points"
        raise GeometryError(message)


def segment_length_mm(tree: VesselTree) -> Floats:
    """Return the distance from each point to its parent, 0 at the inlet, shape (n,)."""
    steps = tree.points_mm[1:] - tree.points_mm.take(tree.parent[1:], axis=0)
    steps *= steps
    length = np.zeros(len(tree))  # by columns: `np.linalg.norm` sums three numbers slowly
    np.sqrt(steps[:, 0] + steps[:, 1] + steps[:, 2], out=length[1:])
    return length


def path_length_mm(tree: VesselTree) -> Floats:
    """Return the path length s from the inlet to each point, shape (n,)."""
    s = segment_length_mm(tree)
    s[0] = 0.0
    above = np.maximum(tree.parent, 0)
    while above.any():  # s reaches twice as far up with each round
        s += s[above]
        above = above[above]
    return s


def child_count(tree: VesselTree) -> Ints:
    """Return the number of children of each point: 0 at outlets, 2 or more at bifurcations."""
    return np.bincount(tree.parent[1:], minlength=len(tree))


def outlets(tree: VesselTree) -> Ints:
    """Return the indices of the points without children, in order."""
    return np.flatnonzero(child_count(tree) == 0)


def path_to(tree: VesselTree, point: int) -> Ints:
    """Return the indices of the points from the inlet to `point`, both included."""
    path = [point]
    while tree.parent[path[-1]] >= 0:
        path.append(int(tree.parent[path[-1]]))
    return np.array(path[::-1], dtype=np.int64)


def sections(tree: VesselTree) -> tuple[Ints, ...]:
    """Split the tree into unbranched runs, parents first.

    Each run starts at the inlet or at a bifurcation point and ends at the next
    bifurcation or outlet, both ends included; so neighbouring runs share a point.
    """
    begins = (tree.parent <= 0) | (child_count(tree)[tree.parent] != 1)
    first = np.where(begins, np.arange(len(tree)), tree.parent)
    while (first != (further := first[first])).any():  # up to where its run begins
        first = further
    order = 1 + np.argsort(first[1:], kind="stable")
    runs = np.split(order, np.flatnonzero(np.diff(first[order])) + 1)
    return tuple(np.concatenate([tree.parent[run[:1]], run]) for run in runs)
