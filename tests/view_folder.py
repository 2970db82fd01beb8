"""A finished run of the stand-in patient, for the viewer; made without network or solve."""

import functools
import signal
import subprocess
import sys

import numpy as np
import standin

from ffr.certainty.confidence import GROUPS, Confidence, Uncertainty
from ffr.flags import Flag, Place
from ffr.results import stage_data, stages
from ffr.results.result_file import save_result
from ffr.results.result_folder import prepare
from meshes.export import write_surface
from meshes.io import write_forest
from meshes.surface import Surface

PLACED = Flag(
    "calcium-heavy", "heavy calcium in the RCA, 48 to 56 mm from its origin",
    Place("right", "RCA", 2, 52.0),
)  # fmt: skip


MAIN = "from ffr.cli import main; main()"


@functools.cache
def case():
    """The stand-in patient, with a scan fine enough to be looked at."""
    return standin.make_case(spacing_mm=1.0)


def sure_of(case):
    """Intervals that are 0.11 below and 0.07 above each FFR."""
    spreads, slopes = [], []
    for solution, lesions, distal in zip(
        case.solutions, case.lesions, case.distal, strict=True
    ):
        ffr = solution.pressure_mmhg / standin.AORTIC_MMHG
        points = np.array([point for point, _ in distal], dtype=np.int64)
        shares = np.full((len(lesions), len(GROUPS)), 1.0 / len(GROUPS))
        chance = np.clip(1.4 - ffr, 0.0, 1.0)
        spreads.append(
            Uncertainty(ffr - 0.11, np.minimum(ffr + 0.07, 1.0), chance, points, shares, shares)
        )
        slopes.append(np.zeros((len(lesions), ffr.size)))
    return Confidence(tuple(spreads), tuple(slopes))


def fill(out, case):
    """Write a run of `case` into `out`; return its result."""
    prepare(out)
    trees, sides = tuple(case.coronaries), tuple(c.side for c in case.coronaries)
    sure = sure_of(case)
    with stages.stage_files(out, "scan") as folder:
        stage_data.save_scan(folder, case.scan)
    with stages.stage_files(out, "tree") as folder:
        stage_data.save_trees(folder, trees, (), {})
    with stages.stage_files(out, "solve") as folder:
        stage_data.save_flow(folder, tuple(case.solutions), sides, (), {})
        stage_data.save_confidence(folder, sure, sides)
    result = standin.result_of(case, spreads=sure.spreads, flags=(*standin.FLAGS, PLACED))
    columns = []
    for solution, analysed, spread in zip(
        case.solutions, case.analysed, sure.spreads, strict=True
    ):
        unknown = np.where(analysed, 0.0, np.nan)
        ffr = solution.pressure_mmhg / standin.AORTIC_MMHG + unknown
        columns.append(
            {
                "ffr": ffr,
                "ffr_low": spread.ffr_low + unknown,
                "ffr_high": spread.ffr_high + unknown,
            }
        )
    write_forest(out / "tree.vtp", [c.tree for c in trees], columns)
    drawn = case.surface
    surface = Surface(drawn.points_mm, drawn.triangles, drawn.face_label)
    write_surface(out / "lumen.vtp", surface, {"ffr": case.surface_ffr})
    save_result(out / "result.json", result)
    return result


class Server:
    """`ffr view` as a user starts it."""

    def __init__(self, out, *words):
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, "view", str(out), "--no-browser", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        lines = []
        while not (lines and lines[-1].startswith("open ")):
            lines.append(self.process.stdout.readline())
            assert lines[-1], self.process.communicate()
        self.said, self.url = "".join(lines), lines[-1].split()[1]
        self.root, self.token = self.url.rstrip("/").rsplit("/", 1)

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        try:
            rest, err = self.process.communicate(timeout=20)
        finally:
            self.process.kill()
        return self.process.returncode, self.said + rest, err
