"""What does this machine have, and what is to be done about what it lacks?"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

LEAST_DISK_GB = 5.0
LEAST_MEMORY_GB = 8.0
LIBRARIES = {  # as installed: as imported
    "numpy": "numpy", "scipy": "scipy", "numba": "numba", "SimpleITK": "SimpleITK",
    "vtk": "vtkmodules.vtkCommonCore", "meshio": "meshio", "pydicom": "pydicom",
    "python-gdcm": "gdcm", "matplotlib": "matplotlib", "scikit-image": "skimage",
    "safetensors": "safetensors",
}  # fmt: skip
REINSTALL = "reinstall: 'make test' in the source folder, or 'pip install --force-reinstall"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: its name, what was found, and the remedy if it is not well."""

    name: str
    ok: bool
    found: str
    remedy: str


def checks() -> Iterator[Check]:
    """Look at one thing after the other; what fails is told, never raised."""
    yield Check("python", True, platform.python_version(), "")
    for name, module in LIBRARIES.items():
        yield _library(name, module)
    torch = _library("torch", "torch")
    yield torch
    if torch.ok:
        yield _gpu()
        yield from _weights()
    yield _rendering()
    yield _kernels()
    yield from _room()


def _library(name: str, module: str) -> Check:
    """Import it: one that is installed may still lack a system library."""
    try:
        importlib.import_module(module)
        version = metadata.version(name)
    except Exception as error:  # a damaged library raises anything
        found = "missing" if isinstance(error, ModuleNotFoundError) else _first_line(error)
        return Check(name, False, found, f"{REINSTALL} {name}'")
    return Check(name, True, version, "")


def _gpu() -> Check:
    try:
        torch = importlib.import_module("ffr.segmentation.weights").torch
        if not torch.cuda.is_available():
            return Check("GPU", True, "none: the CPU is used, which takes minutes", "")
        torch.zeros(8, device="cuda").sum().item()
        return Check("GPU", True, f"{torch.cuda.get_device_name()}, in use", "")
    except Exception as error:  # whatever a driver does
        remedy = "mend the driver, or hide the GPU with CUDA_VISIBLE_DEVICES= to use the CPU"
        return Check("GPU", False, f"does not work: {_first_line(error)}", remedy)


def _weights() -> Iterator[Check]:
    try:
        weights = importlib.import_module("ffr.segmentation.weights")
    except Exception as error:
        yield Check("weights", False, _first_line(error), f"{REINSTALL} ct-ffr'")
        return
    for name in weights.NETWORKS:
        remedy = f"reinstall ct-ffr, or train it: 'ffr train {name} --ship'"
        try:
            network = weights.load_network(name, "cpu")
        except Exception as error:  # torch and safetensors raise many kinds
            yield Check(f"{name} weights", False, _first_line(error), remedy)
        else:
            yield Check(f"{name} weights", True, f"sha256 {network.sha256}", "")


def _rendering() -> Check:
    try:
        importlib.import_module("ffr.report.tree_view")
    except Exception as error:
        found = f"does not load: {_first_line(error)}"
        return Check("rendering", False, found, f"{REINSTALL} ct-ffr'")
    return Check("rendering", True, "software rasteriser: no display or OpenGL needed", "")


def _kernels() -> Check:
    """Compile a kernel, and say where machine code is kept between starts."""
    try:
        hidden = importlib.import_module("solvers.kernels.steady")
        place = next(
            (v.stats.cache_path for v in vars(hidden).values() if hasattr(v, "stats")), None
        )
    except Exception as error:
        return Check("kernels", False, _first_line(error), f"{REINSTALL} numba'")
    if place is None:
        found = "compiled anew at every start, which takes about a minute"
        return Check("kernels", True, f"{found}: set NUMBA_CACHE_DIR to a folder", "")
    return Check("kernels", True, f"machine code is kept in {place}", "")


def _room() -> Iterator[Check]:
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    yield Check(
        "disk here", free_gb > LEAST_DISK_GB, f"{free_gb:.0f} GB free", "a run needs about 1 GB"
    )
    try:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return
    total_gb = pages * size / 1e9
    remedy = "a run needs about 6 GB; close other programs"
    yield Check("memory", total_gb > LEAST_MEMORY_GB, f"{total_gb:.0f} GB", remedy)


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
