"""What this machine has, and what to do about what it lacks."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

LEAST_DISK_GB = 5.0
LEAST_MEMORY_GB = 8.0
LIBRARIES = ("numpy", "scipy", "numba", "SimpleITK", "vtk", "pydicom", "python-gdcm", "meshio")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: its name, what was found, and the remedy if it is not well."""

    name: str
    ok: bool
    found: str
    remedy: str


def checks() -> Iterator[Check]:
    """Look at one thing after the other."""
    yield Check("python", True, platform.python_version(), "")
    for name in LIBRARIES:
        yield _library(name)
    yield from _torch()
    yield from _weights()
    yield _rendering()
    yield _kernels()
    yield from _room()


def _library(name: str) -> Check:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Check(name, False, "missing", "run 'make test' or reinstall ct-ffr")
    return Check(name, True, version, "")


def _torch() -> Iterator[Check]:
    try:
        weights = importlib.import_module("ffr.segmentation.weights")
    except ImportError as error:
        yield Check(
            "torch", False, f"does not load ({error.name})", "pip install torch==2.13.0"
        )
        return
    yield Check("torch", True, metadata.version("torch"), "")
    device = weights.best_device()
    found = "in use" if device == "cuda" else "none: the CPU is used, which takes minutes"
    yield Check("GPU", True, found, "")


def _weights() -> Iterator[Check]:
    try:
        weights = importlib.import_module("ffr.segmentation.weights")
    except ImportError:
        return
    for name in weights.NETWORKS:
        try:
            network = weights.load_network(name, "cpu")
        except ValueError as error:
            yield Check(f"{name} weights", False, str(error), "reinstall, or 'ffr train'")
        else:
            yield Check(f"{name} weights", True, f"sha256 {network.sha256[:16]}", "")


def _rendering() -> Check:
    try:
        importlib.import_module("ffr.report.tree_view")
    except ImportError as error:
        return Check("rendering", False, f"{error.name} does not load", "reinstall ct-ffr")
    return Check("rendering", True, "software rasteriser: no display or OpenGL needed", "")


def _kernels() -> Check:
    """Compiled kernels are kept on disk; without a place they compile at every start."""
    place = os.environ.get("NUMBA_CACHE_DIR", "")
    if place and not os.access(place, os.W_OK):
        return Check("kernel cache", False, "not writable", "set NUMBA_CACHE_DIR to a folder")
    return Check("kernel cache", True, place or "beside the code or in the user's cache", "")


def _room() -> Iterator[Check]:
    free_gb = shutil.disk_usage(tempfile.gettempdir()).free / 1e9
    yield Check(
        "disk", free_gb > LEAST_DISK_GB, f"{free_gb:.0f} GB free", "a run needs about 1 GB"
    )
    try:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return
    total_gb = pages * size / 1e9
    remedy = "a run needs about 6 GB; close other programs"
    yield Check("memory", total_gb > LEAST_MEMORY_GB, f"{total_gb:.0f} GB", remedy)
