"""The house rules, executable: imports go down, data is frozen, units are in names."""

import ast
import dataclasses
import functools
import importlib
import inspect
from pathlib import Path
from typing import get_type_hints

import conftest
import pytest

from meshes.arrays import Floats

ROOT = Path(__file__).parent.parent
FLOORS = ["meshes", "solvers", "ffr", "validation"]  # ground floor first
UNITS = (
    "_mm", "_mm2", "_mm3", "_ml", "_g", "_mmhg", "_ml_min", "_mmhg_min_ml", "_kg_m3", "_pa_s",
    "_deg", "_s", "_hu", "_percent", "_per_mm", "_rad", "_bpm", "_kvp", "_ms", "_years",
    "_m", "_pa",  # between a solver and its kernels
    "_in",  # on paper
)  # fmt: skip
PURE_NUMBERS = {
    "ffr", "haematocrit", "learning_rate", "excess", "probability", "exponent",
    "resistance_ratio",
    "expansion_coefficient",
    "typical", "spread", "flow", "response", "viscosity", "bifurcation",
    "ffr_low", "ffr_high", "first_order", "total",
    "radius_shift", "bed_factor", "viscosity_factor",
    "viscous", "quadratic",  # loss coefficients in SI units, as in the kernels
    "band",  # of a matrix
    "rings", "strut", "planes", "tubes",  # rows whose columns differ in kind
    "stent_probability",
    "face", "psi",  # of velocity profiles, normalised
    "resolved_ffr", "calibrated_ffr", "lumped_ffr", "found_ffr", "true_ffr",
    "own_tree_ffr", "own_flow_ffr", "own_lumen_ffr",
    "letters",  # a size as a share of another
    "ppg",
    "lumen_ffr", "edge_ffr", "mask_ffr", "tree_ffr", "full_ffr", "invasive_ffr",
}  # fmt: skip


def modules(floor):
    return sorted((ROOT / floor).rglob("*.py"))


@functools.cache
def imports(path):
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found.append(node.module)
    return tuple(found)


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def dataclasses_of(floor):
    for path in modules(floor):
        if path.name == "__main__.py":
            continue
        module = importlib.import_module(name_of(path))
        for _, cls in inspect.getmembers(module, dataclasses.is_dataclass):
            if inspect.isclass(cls) and cls.__module__ == module.__name__:
                yield cls


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_only_go_down(floor):
    above = set(FLOORS[FLOORS.index(floor) + 1 :])
    for path in modules(floor):
        for name in imports(path):
            assert name.split(".")[0] not in above, f"{path} reaches up to {name}"


@pytest.mark.parametrize("floor", FLOORS)
def test_data_types_are_frozen_and_name_their_units(floor):
    for cls in dataclasses_of(floor):
        assert cls.__dataclass_params__.frozen, cls.__name__
        for name, kind in get_type_hints(cls).items():
            if kind in (float, float | None, Floats) and name not in PURE_NUMBERS:
                unitless = name.endswith(("direction", "normal"))
                assert unitless or name.endswith(UNITS), f"{cls.__name__}.{name} has no unit"


@pytest.mark.parametrize("floor", FLOORS)
def test_the_floors_are_ours(floor):
    assert Path(importlib.import_module(floor).__file__).parent == ROOT / floor


def test_torch_lives_only_in_segmentation():
    for floor in FLOORS:
        for path in modules(floor):
            if ROOT / "ffr" / "segmentation" in path.parents or floor == "validation":
                continue
            assert "torch" not in {name.split(".")[0] for name in imports(path)}, path


def test_kernels_know_only_arrays():
    for floor in ("meshes", "solvers"):
        for path in (ROOT / floor / "kernels").glob("*.py"):
            allowed = {"__future__", "math", "heapq", "numpy", "numba", "meshes"}
            for name in imports(path):
                assert name.split(".")[0] in allowed, f"{path} imports {name}"
                if name.startswith("meshes"):
                    assert name in ("meshes.arrays", "meshes.compiled"), (
                        f"{path} imports {name}"
                    )


def test_only_the_command_line_prints_or_exits():
    for floor in ("meshes", "solvers", "ffr"):
        for path in modules(floor):
            if path.parent == ROOT / "ffr" / "cli" or path.name == "__main__.py":
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    assert node.func.id not in ("print", "exit"), f"{path}:{node.lineno}"
                assert not isinstance(node, ast.Assert), f"{path}:{node.lineno} asserts"


def test_files_that_are_to_come_first_are_there_once_each():
    assert len(set(conftest.LONGEST)) == len(conftest.LONGEST)
    for name in conftest.LONGEST:
        assert (ROOT / "tests" / f"{name}.py").exists(), name
