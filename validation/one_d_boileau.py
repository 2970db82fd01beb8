"""How near does the 1D solver come to the benchmark of Boileau 2015? Waves and closed forms.

Two parameter sets: as published (walls referred to the diastolic pressure; compared with
samples of the paper's finite volume solution, FV1D of its supplement) and as stored with
openBF (referred to zero pressure; compared with closed forms).
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from solvers.blood import Blood
from solvers.elastic.beds import Bed, Windkessel
from solvers.elastic.inlet import Inlet
from solvers.elastic.network import ElasticNetwork, ElasticVessel
from solvers.elastic.pulse import PulsatileSolution, run_to_periodicity
from solvers.elastic.walls import beta_stiffness_mmhg, empirical_thickness_mm
from solvers.units import M3_S_PER_ML_MIN, PA_PER_MMHG, PA_S_M3_PER_MMHG_MIN_ML
from validation.one_d_setting import Row, row

PERIOD_S = {"cca": 1.1, "uta": 0.955, "ibif": 1.1, "adan56": 1.0}
# radius mm and thickness mm at the diastolic pressure mmHg, Boileau et al. 2015
PUBLISHED = {
    "common_carotid_artery": (3.0, 0.3, 82.0),
    "upper_thoracic_aorta": (12.0, 1.2, 71.0),
    "parent": (8.6, 1.032, 71.0),
    "d1": (6.0, 0.72, 71.0),
    "d2": (6.0, 0.72, 71.0),
}
# s, kPa: pressure half way along the last vessel, FV1D of the supplement of Boileau et al.,
# International Journal for Numerical Methods in Biomedical Engineering 2015;e02732
WAVES = {
    "cca": """.03 11.23286 .04 11.14815 .05 11.06618 .06 10.99559 .07 10.94929 .077 10.93937
        .09 10.98921 .1 11.10002 .11 11.27933 .12 11.5204 .13 11.80952 .14 12.13711
        .15 12.49812 .3 16.30031 .31 16.39984 .32 16.46947 .33 16.51826 .34 16.55006
        .351 16.56266 .36 16.55721 .37 16.53588 .38 16.50343 .39 16.46339 .4 16.40436
        .41 16.32324 .42 16.24783""",
    "uta": """.006 9.67988 .01 9.65902 .015 9.63071 .021 9.61035 .03 9.67961 .035 9.81917
        .04 10.02956 .045 10.31465 .055 11.13639 .065 12.10437 .075 12.90691 .085 13.3423
        .095 13.66759 .105 13.95636 .115 14.26376 .125 14.57178 .2 16.07702 .21 16.17493
        .22 16.26544 .227 16.28962 .235 16.24251 .245 16.14685 .255 16.03916 .265 15.91207
        .275 15.797 .285 15.65685 .295 15.54328 .305 15.3526 .315 15.09897 .325 14.78079""",
    "ibif": """.031 9.80436 .04 9.70629 .05 9.58668 .06 9.47814 .07 9.39414 .08 9.3352
        .09 9.29535 .104 9.26931 .11 9.27335 .12 9.31011 .13 9.39267 .14 9.52408 .15 9.70366
        .16 9.93509 .17 10.22824 .18 10.59625 .262 14.70174 .27 15.04349 .28 15.44314
        .29 15.80477 .3 16.12352 .31 16.39743 .32 16.62474 .33 16.80214 .34 16.92648
        .35 17.00108 .364 17.03543 .37 17.03066 .38 16.99729 .39 16.92339 .4 16.79741
        .41 16.61741 .42 16.3982 .43 16.16446 .44 15.93512 .45 15.71453 .46 15.49789
        .47 15.28317 .48 15.07792 .49 14.89382 .5 14.73563 .51 14.59735 .52 14.46871
        .53 14.34496 .54 14.23101""",
}
EXPECTED_MEAN_KPA = {"cca": 13.77, "uta": 12.72, "ibif": 12.65}


def read_case(folder: Path, published: bool) -> tuple[ElasticNetwork, Blood, Inlet]:
    """Read one case: the subset of YAML those files use, and the inlet's table (m3/s)."""
    name = folder.name
    text = (folder / f"{name}.yaml").read_text()
    head, body = text.split("network:")
    constants = dict(
        [part.strip() for part in line.split(":")] for line in head.splitlines() if ":" in line
    )
    blood = Blood(float(constants["mu"]), float(constants["rho"]))
    vessels, ends = [], {}
    for block in body.split("- label:")[1:]:
        lines = block.splitlines()
        given = {
            key.strip(): value.strip()
            for key, value in (line.split(":") for line in lines[1:] if ":" in line)
        }
        vessel = _vessel(lines[0].strip(), given, published)
        vessels.append(vessel)
        if "R1" in given:
            ends[vessel.end] = _bed(given)
    table = np.loadtxt(folder / f"{name}_inlet.dat")
    inlet = Inlet(table[:, 0], flow_ml_min=table[:, 1] / M3_S_PER_ML_MIN)
    return ElasticNetwork(tuple(vessels), 1, ends), blood, inlet


def _vessel(name: str, given: dict[str, str], published: bool) -> ElasticVessel:
    first = float(given.get("Rp", given.get("R0", "0"))) * 1e3
    last = float(given.get("Rd", str(first / 1e3))) * 1e3
    reference = float(given.get("Pext", "0")) / PA_PER_MMHG
    place = np.linspace(0.0, float(given["L"]) * 1e3, 21)
    radius = np.linspace(first, last, 21)
    if "h0" in given:
        thickness = np.full(21, float(given["h0"]) * 1e3)
    else:
        thickness = empirical_thickness_mm(radius)
    if published:
        own, wall, reference = PUBLISHED[name]
        radius, thickness = np.full(21, own), np.full(21, wall)
    return ElasticVessel(
        name, int(given["sn"]), int(given["tn"]), place, radius,
        beta_stiffness_mmhg(radius, thickness, float(given["E"]) / 1e3),
        reference_pressure_mmhg=reference, profile_order=int(given["gamma_profile"]),
        momentum="flat",
    )  # fmt: skip


def _bed(given: dict[str, str]) -> Bed:
    r, c = PA_S_M3_PER_MMHG_MIN_ML, 1e-6 / PA_PER_MMHG
    return Windkessel(float(given["R2"]) / r, float(given["Cc"]) / c, float(given["R1"]) / r)


def solve_case(folder: Path, published: bool, cell_mm: float = 2.0) -> PulsatileSolution:
    """Run one case to a periodic state."""
    network, blood, inlet = read_case(folder, published)
    return run_to_periodicity(
        network, blood, PERIOD_S[folder.name], inlet, cell_mm=cell_mm,
        least_cell_mm=cell_mm / 2,        tolerance_percent=0.01,
    )  # fmt: skip


def middle_kpa(solved: PulsatileSolution, vessel: int = -1) -> np.ndarray:
    """Return the pressure half way along a vessel."""
    x = solved.position_mm[vessel]
    half = [np.interp(0.5 * x[-1], x, p) for p in solved.pressure_mmhg[vessel]]
    return np.array(half) * PA_PER_MMHG / 1e3


def wave_rows(folder: Path) -> list[Row]:
    """Compare one case with the published finite volume wave and with its closed form."""
    name = folder.name
    solved = solve_case(folder, published=True)
    wave = middle_kpa(solved)
    known = np.array(WAVES[name].split(), dtype=float).reshape(-1, 2)
    share = np.interp(known[:, 0], solved.time_s, wave) / known[:, 1] - 1.0
    case = f"Boileau {name}, published"
    root = 100.0 * float(np.sqrt(np.mean(share**2)))
    stored = solve_case(folder, published=False)
    mean = PA_PER_MMHG / 1e3 * float(stored.pressure_mmhg[-1][:-1, -1].mean())
    return [
        row(case, "systolic, kPa", wave.max(), known[:, 1].max(), 0.5),
        row(case, "diastolic, kPa", wave.min(), known[:, 1].min(), 0.5),
        Row(case, f"RMS of {len(known)} samples", "", "FV1D", root, 0.5),
        Row(case, "largest of these", "", "FV1D", 100.0 * float(np.abs(share).max()), 1.0),
        row(f"Boileau {name}, openBF", "mean outlet pressure, kPa", mean,
            EXPECTED_MEAN_KPA[name], 0.1),
    ]  # fmt: skip


def adan_rows(folder: Path) -> list[Row]:
    """ADAN56: runs to periodicity; mass; mean outflow through each resistance."""
    began = time.process_time()
    solved = solve_case(folder, published=False, cell_mm=5.0)
    took = time.process_time() - began
    network, _, _ = read_case(folder, published=False)
    worst = 0.0
    for i, vessel in enumerate(network.vessels):
        bed = network.beds.get(vessel.end)
        if isinstance(bed, Windkessel) and bed.proximal_mmhg_min_ml is not None:
            flow = solved.flow_ml_min[i][:-1, -1].mean()
            total = bed.proximal_mmhg_min_ml + bed.distal_mmhg_min_ml
            worst = max(
                worst, abs(solved.pressure_mmhg[i][:-1, -1].mean() / (flow * total) - 1)
            )
    lost = solved.entered_ml - solved.left_ml - solved.stored_ml
    return [
        Row("Boileau adan56", f"{len(network.vessels)} vessels, processor time",
            f"{took:.1f} s for {solved.cycles} s", "", 0.0, 0.0),
        Row("Boileau adan56", "worst outlet, mean P = Q (R1 + R2)", "", "", 100.0 * worst, 0.2),
        Row("Boileau adan56", "mass lost in a cycle, mL", f"{lost:.1e}", "0",
            100.0 * lost / solved.entered_ml, 1e-9),
    ]  # fmt: skip


def boileau_rows(folder: Path) -> list[Row]:
    """Return the rows of all cases."""
    rows = [r for name in ("cca", "uta", "ibif") for r in wave_rows(folder / name)]
    return rows + adan_rows(folder / "adan56")
