"""Is the FDA nozzle solved right? The same laminar flow by finite elements, both ways round.

Run: python -m validation nozzle [--fine 1.0]
scikit-fem: pip install 'ct-ffr[validation]'. Nothing here is shared with the product's solver.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import splu

from meshes.arrays import Floats, Ints
from validation.setting import setting
from validation.steady_checks import FDA_BLOOD, FDA_FLOW_M3_S, FDA_TAPS_M, fda_drops_pa

# mm; lengths from the sudden change of the lumen, velocities over the throat's mean
THROAT_MM, WIDE_MM, LONG_MM, CONE_MM = 2.0, 6.0, 40.0, 22.685
BEFORE_MM, BEHIND_MM = 40.0, 160.0
REYNOLDS = (20.0, 120.0, 300.0, 500.0)  # each starts from the one before
SETTLED, STEPS = 1e-8, 14


def graded(a: float, b: float, first: float, last: float, most: float) -> Floats:
    """Return places from a to b whose steps grow from both ends, by 12 % each, up to `most`."""
    up, down = [a], [b]
    h, k = first, last
    while down[-1] - up[-1] > 1.5 * max(h, k):
        if h <= k:
            up.append(up[-1] + h)
            h = min(1.12 * h, most)
        else:
            down.append(down[-1] - k)
            k = min(1.12 * k, most)
    return np.array(up + down[::-1])


def mesh(diffuser: bool, fine: float) -> tuple[Floats, Ints]:
    """Return points (2, n), x and r in mm, and quadrilaterals (4, m): rows along the nozzle."""
    f = 1.0 / fine
    step, cone = (0.0, LONG_MM) if diffuser else (0.0, -LONG_MM)
    if diffuser:
        parts = [
            graded(-BEFORE_MM, step, f, 0.03 * f, 1.2 * f),
            graded(step, cone, 0.03 * f, 0.1 * f, 0.6 * f),
            graded(cone, cone + CONE_MM, 0.1 * f, 0.3 * f, 0.5 * f),
            graded(cone + CONE_MM, BEHIND_MM, 0.3 * f, 2.0 * f, 2.0 * f),
        ]
    else:
        wide = cone - CONE_MM
        parts = [
            graded(wide - BEFORE_MM, wide, f, 0.3 * f, 1.2 * f),
            graded(wide, cone, 0.3 * f, 0.1 * f, 0.5 * f),
            graded(cone, step, 0.1 * f, 0.03 * f, 0.6 * f),
            graded(step, BEHIND_MM, 0.03 * f, 2.0 * f, 2.0 * f),
        ]
    x = np.unique(np.concatenate(parts))
    ends = [cone, cone + CONE_MM] if diffuser else [cone - CONE_MM, cone]
    sizes = [THROAT_MM, WIDE_MM] if diffuser else [WIDE_MM, THROAT_MM]
    radius = np.interp(x, ends, sizes)
    inner = 1.0 - graded(0.0, 1.0, 0.02 * f, 0.08 * f, 0.1 * f)[::-1]
    outer = graded(THROAT_MM, WIDE_MM, 0.04 * f, 0.15 * f, 0.4 * f)[1:]
    stepped = x <= step if diffuser else x >= step
    points: list[tuple[float, float]] = []
    rows = []
    for place, size, more in zip(x, radius, stepped, strict=True):
        across = np.append(inner * size, outer) if more else inner * size
        rows.append(np.arange(across.size) + len(points))
        points += [(place, r) for r in across]
    cells = [
        (a[j], b[j], b[j + 1], a[j + 1])
        for a, b in pairwise(rows)
        for j in range(min(a.size, b.size) - 1)
    ]
    return np.array(points).T.copy(), np.array(cells).T.copy()


def forms() -> tuple[Any, Any, Any, Any]:
    """Return viscous term, volume lost, derivative of the convective term, and this itself."""
    from skfem import BilinearForm, LinearForm
    from skfem.helpers import ddot, grad

    @BilinearForm
    def shear(u: Any, v: Any, w: Any) -> Any:
        return (ddot(grad(u), grad(v)) + u[1] * v[1] / w.x[1] ** 2) * w.x[1]

    @BilinearForm
    def divergence(u: Any, q: Any, w: Any) -> Any:
        return -((grad(u)[0, 0] + grad(u)[1, 1]) * w.x[1] + u[1]) * q

    @BilinearForm
    def carried(u: Any, v: Any, w: Any) -> Any:
        a, ga, gu = w["a"], grad(w["a"]), grad(u)
        parts = (
            (a[0] * gu[i, 0] + a[1] * gu[i, 1] + u[0] * ga[i, 0] + u[1] * ga[i, 1]) * v[i]
            for i in range(2)
        )
        return sum(parts) * w.x[1]

    @LinearForm
    def convection(v: Any, w: Any) -> Any:
        a, ga = w["a"], grad(w["a"])
        return sum((a[0] * ga[i, 0] + a[1] * ga[i, 1]) * v[i] for i in range(2)) * w.x[1]

    return shear, divergence, carried, convection


def pressure_along(diffuser: bool, fine: float = 1.0) -> Callable[[float], float]:
    """Solve steady Navier-Stokes (Q2-Q1, Newton, direct); return the mean pressure [Pa] at x.

    x in mm from the sudden change of the lumen, in the direction of the flow.
    """
    from skfem import Basis, ElementQuad1, ElementQuad2, ElementVector, MeshQuad

    shear, divergence, carried, convection = forms()
    grid = MeshQuad(*mesh(diffuser, fine))
    basis = Basis(grid, ElementVector(ElementQuad2()), intorder=5)
    other = basis.with_element(ElementQuad1())
    friction, loss = shear.assemble(basis), divergence.assemble(basis, other)
    faces = grid.boundary_facets()
    x, r = grid.p[:, grid.facets[:, faces]].mean(axis=1)
    inlet, outlet, axis = (x == grid.p[0].min()), (x == grid.p[0].max()), (r == 0.0)
    wall = ~(inlet | outlet | axis)
    dofs = [basis.get_dofs(faces[part]) for part in (inlet, wall, axis)]
    state = np.zeros(basis.N + other.N)
    along = dofs[0].all(["u^1"])
    share = basis.doflocs[1, along] / WIDE_MM
    state[along] = 2.0 * (THROAT_MM / WIDE_MM) ** 2 * (1.0 - share**2)
    given = np.unique(np.concatenate([dofs[0].all(), dofs[1].all(), dofs[2].all(["u^2"])]))
    state[np.intersect1d(dofs[1].all(), given)] = 0.0
    free = np.setdiff1d(np.arange(state.size), given)
    for reynolds in REYNOLDS:
        viscosity = 2.0 * THROAT_MM / reynolds
        for _ in range(STEPS):
            u, p = state[: basis.N], state[basis.N :]
            field = basis.interpolate(u)
            matrix = viscosity * friction + carried.assemble(basis, a=field)
            whole = sparse.csc_matrix(sparse.bmat([[matrix, loss.T], [loss, None]]))
            force = viscosity * (friction @ u) + convection.assemble(basis, a=field)
            rest = np.concatenate([force + loss.T @ p, loss @ u])
            change = splu(whole[free][:, free].tocsc()).solve(-rest[free])
            state[free] += change
            if np.abs(change).max() < SETTLED:
                break
        else:
            raise RuntimeError(f"no steady flow at a Reynolds number of {reynolds:g}")
    nodes = state[basis.N :][other.nodal_dofs[0]]
    scale = FDA_BLOOD.density_kg_m3 * (FDA_FLOW_M3_S / (np.pi * (THROAT_MM * 1e-3) ** 2)) ** 2
    places = np.unique(grid.p[0])

    def mean_at(place: float) -> float:
        here = np.flatnonzero(grid.p[0] == place)
        here = here[np.argsort(grid.p[1, here])]
        r, p = grid.p[1, here], nodes[here]
        return float(2.0 * np.trapezoid(p * r, r) / r[-1] ** 2)

    def at(place: float) -> float:
        k = int(np.clip(np.searchsorted(places, place), 1, places.size - 1))
        ends = places[k - 1 : k + 1]
        return scale * float(np.interp(place, ends, [mean_at(end) for end in ends]))

    return at


def main() -> None:
    """Print both directions beside the product's solver."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fine", type=float, default=1.0, help="cells per length (1)")
    given = parser.parse_args()
    if find_spec("skfem") is None:
        message = "scikit-fem is missing; install it by pip install 'ct-ffr[validation]'"
        print(f"nozzle: {message}", file=sys.stderr)
        sys.exit(2)
    ours = fda_drops_pa()
    print(setting("python -m validation nozzle", None, "no device"))
    print("\n| FDA nozzle, throat Re 500 | finite elements, Pa | ct-ffr, Pa |\n|---|---|---|")
    taps = sorted(1e3 * tap for tap in FDA_TAPS_M)
    for name, diffuser in (("sudden expansion", False), ("conical diffuser", True)):
        first, last = sorted(-tap for tap in taps) if diffuser else taps
        at = pressure_along(diffuser, given.fine)
        print(f"| {name} | {at(first) - at(last):.1f} | {ours[name]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
