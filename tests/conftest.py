"""Test processes that run side by side must not share compiled kernels or all the cores."""

import os
import signal
from pathlib import Path

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # numba's cache index may lose or mix entries when two processes write it at once
    cache = Path(__file__).parent.parent / ".pytest_cache" / f"numba-{worker}"
    os.environ["NUMBA_CACHE_DIR"] = str(cache)
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a job in the background inherits an ignored Ctrl-C, and so would the programs under test
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # likewise under nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
