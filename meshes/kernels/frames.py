"""How does a cross-section travel along a curve without twisting about it?"""

from __future__ import annotations

from meshes.arrays import Floats
from meshes.compiled import kernel


@kernel
def carry_normal(points: Floats, tangent: Floats, normal: Floats) -> None:
    """Carry normal[0] along the curve, filling normal (n, 3); rows of `tangent` are unit.

    Double reflection: Wang, Jüttler, Zheng and Liu, ACM Trans. Graph. 27 (2008), 2:1-18.
    """
    for i in range(points.shape[0] - 1):
        c1, step_r, step_t = 0.0, 0.0, 0.0
        for a in range(3):
            step = points[i + 1, a] - points[i, a]
            c1 += step * step
            step_r += step * normal[i, a]
            step_t += step * tangent[i, a]
        c2, turn_r = 0.0, 0.0
        for a in range(3):
            step = points[i + 1, a] - points[i, a]
            turn = tangent[i + 1, a] - (tangent[i, a] - 2.0 / c1 * step_t * step)
            c2 += turn * turn
            turn_r += turn * (normal[i, a] - 2.0 / c1 * step_r * step)
        # c2 vanishes only where the curve folds back on itself: one reflection is the answer
        scale = 2.0 / c2 if c2 > 1e-12 else 0.0
        for a in range(3):
            step = points[i + 1, a] - points[i, a]
            turn = tangent[i + 1, a] - (tangent[i, a] - 2.0 / c1 * step_t * step)
            reflected = normal[i, a] - 2.0 / c1 * step_r * step
            normal[i + 1, a] = reflected - scale * turn_r * turn
