"""Small cases that touch every kernel, and which kernels they touch.

Run by tests/test_solvers_kernel_modes.py compiled, interpreted and with bounds checks; as a
program, those that are named.
"""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from types import FrameType

import numpy as np

from meshes import compiled

if os.environ.get("NUMBA_BOUNDSCHECK") == "1":
    # the same source without threads: compiles in a third of the time, and raises for sure
    compiled.parallel_kernel = compiled.kernel

from ffr.phantom.kernels import blend, paint_ellipsoid
from ffr.phantom.kernels import tube_distance as cone_distance
from meshes.contours import Contours
from meshes.kernels.frames import carry_normal
from meshes.kernels.paths import longest_gaps, path_lengths, spread
from meshes.kernels.raster import nearest_triangles
from meshes.kernels.sample import trilinear
from meshes.stuffing import wrapped
from meshes.tree import VesselTree, outlets
from meshes.tubes import tubes_of
from solvers import vessel
from solvers.blood import Blood
from solvers.calibrated import calibrate
from solvers.elastic.beds import CoronaryBed, Reflection, Windkessel
from solvers.elastic.inlet import Inlet
from solvers.elastic.network import ElasticNetwork, ElasticVessel
from solvers.elastic.pulse import run_cycles
from solvers.errors import ConvergenceError
from solvers.lumped.files import case, vessel_table
from solvers.lumped.simulate import simulated, steady_state
from solvers.resolved import solve_resolved
from solvers.sampling import Draws, sample_ffr
from solvers.steady import solve_steady


def tree() -> VesselTree:
    """A short trunk with a narrow first daughter."""
    points = [[0, 0, 0], [2, 0, 0], [4, 0, 0], [5, 1, 0], [6, 2, 0], [7, 3, 0], [6, -1, 0]]
    radius = [1.5, 1.5, 1.5, 1.1, 0.6, 1.1, 1.2]
    return VesselTree(
        np.array(points, float), np.array(radius), np.array([-1, 0, 1, 2, 3, 4, 2])
    )


def steady() -> list[float]:
    """Lumped, resolved, and sampled."""
    cells, vessel.CELLS = vessel.CELLS, 6
    blood, beds = Blood(), [2.0, 2.5]
    lumped = solve_steady(tree(), 93.0, beds, 5.0, blood, inlet_profile="plug")
    resolved = solve_resolved(tree(), 93.0, beds, 5.0, blood)
    vessel.CELLS = cells
    one, m = np.ones(3), 3
    draws = Draws(
        np.array([-1.0, 0.0, 1.0]), np.linspace(-1, 1, m * 14).reshape(m, 14),
        np.ones((m, 2)), one,
        93.0 * one, 5.0 * one,
    )  # fmt: skip
    sd = np.full(7, 0.05)
    sampled = sample_ffr(
        calibrate(tree(), resolved, blood), np.array(beds), resolved.flow_ml_min, sd, 100 * sd,
        8.0, draws,
    )  # fmt: skip
    ends = outlets(tree())
    return [*lumped.pressure_mmhg[ends], *resolved.pressure_mmhg[ends], *sampled[:, ends].flat]


def lumped() -> list[float]:
    """A beating heart between two valves, and a stenosed vessel with its Windkessel."""
    pa, ml = 133.0, 1e-6  # in SI, as the sphere asks for
    bed = {"Rp": 0.2 * pa / ml, "C": 0.1 * ml / pa, "Rd": 0.1 * pa / ml, "Pd": 60.0 * pa}
    stenosed = {
        "R_poiseuille": 0.02 * pa / ml, "C": 0.1 * ml / pa, "L": 1e-4 * pa / ml,
        "stenosis_coefficient": 1e-5 * pa / ml**2,
    }  # fmt: skip
    valve = {"Rmin": 0.02 * pa / ml, "Rmax": 50 * pa / ml, "Steepness": 0.05 / pa}
    sphere = {
        "rho": 1e3, "thick0": 0.01, "radius0": 0.05, "eta": 10.0,
        "sigma_max": 1.85e5, "alpha_max": 30.0, "alpha_min": -30.0,
    }  # fmt: skip
    heart = {
        "simulation_parameters": {
            "number_of_cardiac_cycles": 1, "number_of_time_pts_per_cardiac_cycle": 11,
            "absolute_tolerance": 1e-7, "steady_initial": False,
        },
        "boundary_conditions": [
            {"bc_name": "IN", "bc_type": "PRESSURE",
             "bc_values": {"P": [12 * pa] * 2, "t": [0.0, 0.5]}},
            {"bc_name": "OUT", "bc_type": "RCR", "bc_values": bed},
        ],
        "vessels": [{
            "vessel_id": 0, "vessel_name": "v", "vessel_length": 1.0,
            "zero_d_element_type": "BloodVessel", "zero_d_element_values": stenosed,
            "boundary_conditions": {"outlet": "OUT"},
        }],
        "junctions": [],
        "valves": [
            {"type": "ValveTanh", "name": name,
             "params": valve | {"upstream_block": before, "downstream_block": behind}}
            for name, before, behind in (("a", "IN", "H"), ("b", "H", "v"))
        ],
        "chambers": [{
            "type": "ChamberSphere", "name": "H", "values": sphere,
            "activation_function": {
                "type": "double_tanh", "tsys": 0.1, "tdias": 0.3, "steepness": 0.05,
            },
            "material": {"type": "exponential", "C0": 1e3, "C1": 1.0, "C2": 1e3, "C3": 1.0},
        }],
    }  # fmt: skip
    beating, settings = case(heart)
    one = heart["vessels"][0] | {"boundary_conditions": {"inlet": "IN", "outlet": "OUT"}}
    resting, _ = case(heart | {"vessels": [one], "valves": [], "chambers": []})
    found = vessel_table(beating, simulated(beating, settings))
    with contextlib.suppress(ConvergenceError):  # a heart at rest is a singular matrix
        steady_state(beating)
    still = vessel_table(resting, steady_state(resting))
    return [*found["pressure_in"], *still["flow_in"]]


def elastic() -> list[float]:
    """Waves through junctions, both tube laws and every kind of bed."""

    def tube(name: str, start: int, end: int, law: str) -> ElasticVessel:
        jet = 1.0 * (start > 0)
        size = {"radius_mm": [1.5, 1.3], "stiffness_mmhg": [900.0] * 2}
        return ElasticVessel(
            name, start, end, [0, 30], **size, law=law, reference_pressure_mmhg=80.0,
            inlet_jet_loss_mmhg=jet,
        )  # fmt: skip

    network = ElasticNetwork(
        (
            tube("a", 0, 1, "beta"), tube("b", 1, 2, "olufsen"), tube("c", 1, 3, "beta"),
            tube("d", 3, 4, "beta"), tube("e", 3, 5, "olufsen"),
        ),
        0,
        {
            2: Windkessel(1.0, 1e-2), 4: Reflection(30.0, 60.0),
            5: CoronaryBed(0.3, 0.5, 0.2, 1e-3, 5e-3, [0, 0.05], [10.0, 90.0]),
        },
    )  # fmt: skip
    t = np.linspace(0, 0.05, 11)
    inlet = Inlet(t, pressure_mmhg=80 + 20 * np.sin(40 * np.pi * t))
    solved = run_cycles(network, Blood(), 0.05, inlet, cell_mm=10.0, samples=2)
    return [x for wave in solved.pressure_mmhg + solved.flow_ml_min for x in wave[-1]]


def geometry() -> list[float]:
    """A lumen wall, cheapest paths, what a volume holds along a line, what an eye sees."""
    n = len(tree())
    oval = np.tile([1.1, 0.9, 1.2, 0.8], (n, 1))
    across = (np.tile(way, (n, 1)) for way in ([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]))
    wall = wrapped(tubes_of(tree(), 3.0, 3.0, 0.0, contours=Contours(oval, *across)))
    cost = np.ones((3, 4, 5))
    cost[1, :3, 2] = 0.0
    total, parent = spread(cost, np.array([0, 59]), 0.5, 2.0)
    order = np.argsort(total.ravel(), kind="stable")
    order = order[np.isfinite(total.ravel()[order])]
    shape = np.array(cost.shape)
    ways = path_lengths(order, parent, shape, 0.5)
    gaps = longest_gaps(order, parent, cost.ravel().cumsum().reshape(shape) % 3 < 1, shape, 0.5)
    turn = np.linspace(0.0, 1.0, 5)
    points = np.column_stack([np.cos(turn), np.sin(turn), turn])
    along = np.gradient(points, axis=0)
    along /= np.linalg.norm(along, axis=1)[:, None]
    normal = np.zeros((5, 3))
    normal[0] = [1.0, 0.0, 0.0]
    carry_normal(points, along, normal)
    line = np.array([[0, 0, 0], [4, 3, 2], [1.2, 2.9, 1.7], [-0.4, 0, 0], [4.4, 3, 2]], float)
    held = np.empty(5)
    trilinear(np.arange(60.0).reshape(shape), line, -1.0, 0.5, held)
    depth, seen = np.full((6, 7), -np.inf), np.full((6, 7), -1)
    weight = np.zeros((6, 7, 2))
    corners = np.array([[-2.0, -3, 0], [9, 1, 1], [3, 8, 2], [6.9, 5.9, 3]])
    nearest_triangles(*corners.T, np.array([[0, 1, 2], [1, 2, 3]]), depth, seen, weight)
    return [
        len(wall.elements), *wall.points_mm.mean(axis=0), *total[np.isfinite(total)],
        *ways, *gaps, *normal.flat, *held, *seen.flat, *weight.flat,
    ]  # fmt: skip


def phantom() -> list[float]:
    """An ellipsoid and a tube, both partly outside, painted into a small volume."""
    shape = (5, 6, 7)
    hu, label = np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
    spacing, end = np.full(3, 0.5), np.array([[4.0, 2.5, 2.5]])
    paint_ellipsoid(
        hu, label, spacing, np.array([1.5, 1.2, 1.0]), np.eye(3), np.array([2.0, 0.8, 1.5]),
        np.array([0.0, 1.0, 0.0]), -0.3, 400.0, 1,
    )  # fmt: skip
    distance, along = np.full(shape, 1e3, np.float32), np.zeros(shape, np.float32)
    sizes = np.array([[0.5, 0.8]]), np.array([[100.0, 300.0]])
    cone_distance(distance, along, spacing, np.array([[-1.0, 0.5, 0]]), end, *sizes, 1.0)
    blend(hu, label, distance, along, 0.5, 2)
    return [*hu.flat, *label.flat]


CASES = {f.__name__: f for f in (steady, lumped, elastic, geometry, phantom)}


def results(names: Iterable[str] = CASES) -> dict[str, list[float]]:
    """Cases by name."""
    return {name: [float(value) for value in CASES[name]()] for name in names}


@compiled.kernel
def beyond(values: np.ndarray) -> float:
    """Read behind the end of an array."""
    return float(values[values.size])


def checked() -> bool:
    """Tell whether an index out of range is found."""
    try:
        beyond(np.zeros(3))
    except IndexError:
        return True
    return False


def called(work: Callable[[], object]) -> set[str]:
    """Do some work uncompiled; return "file function" of each kernel that it called."""
    seen: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and "kernels" in code.co_filename:
            seen.add(f"{code.co_filename} {code.co_name}")

    sys.setprofile(note)
    work()
    sys.setprofile(None)
    return seen


if __name__ == "__main__":
    found: dict[str, object] = {"checked": checked()}

    def work() -> None:
        found["results"] = results(sys.argv[1:] or CASES)

    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        found["called"] = sorted(called(work))
    else:  # watched, the compiler takes more than twice as long
        work()
    sys.stdout.write(json.dumps(found))
