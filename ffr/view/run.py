"""What of a finished run is looked at? Read once, from what lies in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkPolyData

from ffr.certainty.lumen_error import LumenError
from ffr.errors import ConfigError
from ffr.report.paths import VesselPath, every_path
from ffr.results import stage_data
from ffr.results.cad_rads import NORMAL_95
from ffr.results.result import Result
from ffr.results.result_file import load_result
from ffr.results.result_folder import require_run
from ffr.results.stages import require_stage
from meshes.arrays import AnyArray, Floats, Ints, floats, ints
from meshes.errors import GeometryError
from meshes.tree import CoronaryTree
from meshes.vtk_file import read_polydata

_AGAIN = "run 'ffr report' on this folder again"


@dataclass(frozen=True, slots=True, eq=False)
class Lumen:
    """The lumen surface of all trees.

    Parameters
    ----------
    points_mm
        Its points, shape (n, 3).
    triangles
        Three points each, shape (m, 3).
    ffr
        At each point, NaN where not analysed, shape (n,).
    """

    points_mm: Floats
    triangles: Ints
    ffr: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "points_mm", floats(self.points_mm))
        object.__setattr__(self, "triangles", ints(self.triangles))
        object.__setattr__(self, "ffr", floats(self.ffr))


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A finished run without its scan.

    Parameters
    ----------
    result
        What was found.
    trees
        The coronary trees.
    ffr, ffr_low, ffr_high
        FFR and the ends of its 95 % interval at each point of each tree, NaN where there is
        none; each shape (n,).
    diameters_mm
        Per tree, ends of the 95 % interval of the lumen diameter, shape (2, n).
    paths
        The ways that can be picked, main vessels first.
    lumen
        The lumen surface.
    """

    result: Result
    trees: tuple[CoronaryTree, ...]
    ffr: tuple[Floats, ...]
    ffr_low: tuple[Floats, ...]
    ffr_high: tuple[Floats, ...]
    diameters_mm: tuple[Floats, ...]
    paths: tuple[VesselPath, ...]
    lumen: Lumen


def load_run(out: Path) -> Run:
    """Read a finished run; the scan comes later, it takes longest.

    Raises
    ------
    ConfigError
        No run, none that is solved and reported, or a damaged one.
    """
    require_run(out)
    for stage in ("scan", "tree", "solve"):
        require_stage(out, stage)
    if not all((out / name).is_file() for name in ("result.json", "tree.vtp", "lumen.vtp")):
        raise ConfigError(f"the run is solved but has no results; {_AGAIN}")
    result = load_result(out / "result.json")
    trees, _ = stage_data.load_trees(out)
    columns = _columns(out / "tree.vtp", trees)
    analysed = [np.isfinite(ffr) for ffr in columns["ffr"]]
    paths = every_path(
        result, trees, stage_data.load_flow(out)[0], analysed, stage_data.load_confidence(out)
    )
    return Run(
        result, trees, columns["ffr"], columns["ffr_low"], columns["ffr_high"],
        tuple(diameter_interval_mm(c) for c in trees), paths, _lumen(out / "lumen.vtp"),
    )  # fmt: skip


def diameter_interval_mm(coronary: CoronaryTree) -> Floats:
    """Return the ends of the 95 % interval of the lumen diameter, shape (2, n).

    Log-normal, with the spread that the intervals of FFR and stenosis have.
    """
    spread = NORMAL_95 * LumenError().own_percent(coronary) / 100.0
    diameter = 2.0 * coronary.tree.radius_mm
    return floats(np.stack([diameter * np.exp(-spread), diameter * np.exp(spread)]))


def _columns(path: Path, trees: tuple[CoronaryTree, ...]) -> dict[str, tuple[Floats, ...]]:
    data = _read(path).GetPointData()
    ends = np.cumsum([len(c.tree) for c in trees])
    found = {}
    for name in ("ffr", "ffr_low", "ffr_high"):
        array = data.GetArray(name)
        if array is None or array.GetNumberOfTuples() != ends[-1]:
            raise ConfigError(f"tree.vtp does not belong to the stages beside it; {_AGAIN}")
        parts = np.split(vtk_to_numpy(array).astype(np.float64), ends[:-1])
        found[name] = tuple(floats(part) for part in parts)
    return found


def _lumen(path: Path) -> Lumen:
    poly = _read(path)
    ffr = poly.GetPointData().GetArray("ffr")
    triangles: AnyArray = vtk_to_numpy(poly.GetPolys().GetConnectivityArray())
    if ffr is None or triangles.size % 3 or not triangles.size:
        raise ConfigError(f"lumen.vtp holds no lumen with FFR; {_AGAIN}")
    points = vtk_to_numpy(poly.GetPoints().GetData())
    return Lumen(points, triangles.reshape(-1, 3), vtk_to_numpy(ffr))


def _read(path: Path) -> vtkPolyData:
    message = f"{path.name} cannot be read; {_AGAIN}"
    try:
        poly = read_polydata(path, path.name)
    except GeometryError as error:
        raise ConfigError(message) from error
    if poly.GetNumberOfPoints() == 0:
        raise ConfigError(message)
    return poly
