"""Test processes side by side: each its own kernels, its share of the cores, no work twice."""

import gc
import hashlib
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("meshes", "solvers", "ffr")
# The longest files, the longest first: a worker that is given one of them last keeps the other
# waiting. First of all the one that compiles every kernel: the other worker takes them over
LONGEST = (
    "test_solvers_kernel_modes", "test_ffr_run", "test_ffr_repeat", "test_validation_trial",
    "test_ffr_cli", "test_ffr_tracing", "test_ffr_batch", "test_ffr_masks",
    "test_ffr_dicom_out", "test_validation_cohort", "test_ffr_phantom_features",
    "test_ffr_serve", "test_ffr_workflow", "test_ffr_view_editing", "test_ffr_view_stent",
    "test_ffr_edges", "test_validation_segmentation_tables", "test_ffr_report_pdf",
    "test_ffr_report", "test_ffr_finetune", "test_ffr_segmentation", "test_ffr_coronaries",
    "test_validation_projection", "test_ffr_dicom_lumen", "test_ffr_first_run",
    "test_ffr_naming", "test_ffr_supervise", "test_ffr_stages", "test_ffr_pulse",
    "test_ffr_ostia", "test_validation_reference", "test_ffr_serve_orthanc",
    "test_ffr_own_weights", "test_validation_labelled", "test_ffr_stenting",
    "test_ffr_editing", "test_ffr_phantom", "test_ffr_view",
)  # fmt: skip


def with_kernels_of_the_installation(cache):
    """Make a cache that begins with what installation has compiled beside the sources."""
    for made in (m for f in FLOORS for m in (ROOT / f).rglob("__pycache__/*.nb[ci]")):
        folder = made.parent.parent
        name = hashlib.sha1(str(folder).encode()).hexdigest()  # as numba calls it
        place = cache / f"{folder.name}_{name}"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy2(made, place)


def with_kernels_of_the_others(cache):
    """Take over what the other workers have compiled by now, and this one has not."""
    for index in cache.parent.glob("numba-gw*/*/*.nbi"):
        place = cache / index.parent.name / index.name
        if place.exists():  # its own
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        # the index last: numba compiles anew what an index names and nobody has
        for made in (*index.parent.glob(f"{index.stem}.*.nbc"), index):
            copy = place.with_name(f"{made.name}.copied")
            shutil.copy2(made, copy)
            copy.replace(place.with_name(made.name))


gc.disable()  # until all is imported: it would look through every module again and again
# the many programs under test need not compile each source file anew
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

cache = None
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # numba's cache index may lose or mix entries when two processes write it at once
    cache = ROOT / ".pytest_cache" / f"numba-{worker}"
    if not cache.exists():
        with_kernels_of_the_installation(cache)
    os.environ["NUMBA_CACHE_DIR"] = str(cache)
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a job in the background inherits an ignored Ctrl-C, and so would the programs under test
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # likewise under nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items):
    """Put the tests of the longest files first, all else as it was."""
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


def pytest_collection_finish():
    """Let the garbage collector leave alone what imports have made: it stays to the end."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="module", autouse=True)
def kernels():
    """Do not compile what another worker has."""
    if cache is not None:
        with_kernels_of_the_others(cache)
