"""Pictures of hard virtual patients: devices and disease, faults of scans, rare origins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from ffr.phantom.coronaries import STEP_MM, Artery
from ffr.phantom.features import Variation
from ffr.phantom.imaging import Imaging, imaged, paint
from ffr.phantom.patient import VirtualPatient, virtual_patient
from ffr.phantom.study import clinical_imaging, scan_grid
from meshes.arrays import Floats, floats
from meshes.straighten import frames, sampled
from meshes.volume import Volume, axis_aligned_grid

matplotlib.use("Agg")
import matplotlib.pyplot as plt

WINDOW_HU = (-150.0, 700.0)
SPACING_MM = (0.4, 0.4, 0.5)
ACROSS_MM = 14.0
SEED = 1_000_503  # of the faults: a patient with leads


def draw(folder: Path) -> None:
    """Write all pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in (("disease", disease), ("faults", faults), ("origins", origins)):
        figure = make()
        figure.savefig(folder / f"phantom-{name}.png", dpi=70)
        plt.close(figure)


def _vessel(patient: VirtualPatient, name: str) -> Artery:
    """The vessel of a name, with what lies beyond an occlusion."""
    artery = next(a for a in patient.arteries if a.name == name)
    for o in patient.features.occlusions:
        if o.vessel == name:
            line = [artery.axis_mm, o.plug.axis_mm[2:-1], o.beyond[0].axis_mm[1:]]
            return replace(artery, axis_mm=floats(np.vstack(line)))
    return artery


def straightened(patient: VirtualPatient, axis_mm: Floats, imaging: Imaging) -> Floats:
    """Return the scan along a vessel laid straight, (across, along)."""
    low = axis_mm.min(axis=0) - ACROSS_MM / 2 - 2
    size = np.ceil((axis_mm.max(axis=0) + ACROSS_MM / 2 + 2 - low) / SPACING_MM).astype(int)
    grid = axis_aligned_grid(tuple(size), SPACING_MM, tuple(low))
    hu, _ = paint(patient, grid, imaging)
    volume = Volume(grid, imaged(hu, grid, imaging, patient.seed).astype(np.float32))
    _, normal, _ = frames(axis_mm)
    off = np.arange(-ACROSS_MM / 2, ACROSS_MM / 2, 0.2)
    points = axis_mm[None] + off[:, None, None] * normal[None]
    return floats(sampled(volume, points.reshape(-1, 3)).reshape(points.shape[:2]))


def disease() -> Any:
    """Six vessels laid straight: one feature each."""
    cases = (
        ("stent_percent", 1_000_500, "stent"),
        ("occlusion_percent", 1_000_501, "occlusion, filled beyond"),
        ("bridge_percent", 1_000_500, "myocardial bridge"),
        ("diffuse_percent", 1_000_502, "diffuse disease"),
        ("bifurcation_percent", 1_000_504, "bifurcation lesion"),
        ("remodelling_percent", 1_000_501, "outward plaque"),
    )
    figure, axes = plt.subplots(6, 1, figsize=(8.5, 9.0))
    for axis, (field, seed, title) in zip(axes, cases, strict=True):
        patient = virtual_patient(seed, 0.0, variation=Variation(**{field: 100.0}))
        f = patient.features
        records: list[Any] = [*f.stents, *f.occlusions, *f.bridges, *f.narrowings]
        record = records[0]
        artery = _vessel(patient, record.vessel)
        line = artery.axis_mm[: int(100 / STEP_MM)]
        picture = straightened(patient, line, clinical_imaging(seed))
        extent = (0, len(line) * STEP_MM, -ACROSS_MM / 2, ACROSS_MM / 2)
        low, high = WINDOW_HU
        axis.imshow(picture, cmap="gray", vmin=low, vmax=high, extent=extent, aspect="equal")
        axis.set_title(f"{title} ({record.vessel}, from {record.start_mm:.0f} mm)", fontsize=8)
        axis.set_xlim(0, 100)
        axis.tick_params(labelsize=6)
    figure.tight_layout()
    return figure


def faults() -> Any:
    """One patient with leads, scanned six times."""
    patient = virtual_patient(SEED, variation=Variation(lead_percent=100.0))
    usual = clinical_imaging(SEED)
    grid = scan_grid(patient, (360, 360, 60), (0.5, 0.5, 0.6))
    hu, _ = paint(patient, grid, usual)
    right = next(a for a in patient.arteries if a.name == "RCA").axis_mm
    fastest = right[int(0.45 * len(right))]
    cases: tuple[tuple[str, dict[str, Any]], ...] = (
        ("usual scan", {}),
        ("bands between dense things", {"hardening_percent": 30.0}),
        ("streaks from a lead", {"starvation_percent": 200.0}),
        ("motion of 2.5 mm, right coronary", {"motion_mm": 2.5}),
        ("noise with a spectrum, growing with loss",
         {"noise_peak_per_mm": 0.25, "noise_growth_percent": 100.0, "noise_hu": 35.0}),
        ("streaks along the shoulders", {"shoulder_hu": 25.0, "noise_peak_per_mm": 0.4}),
    )  # fmt: skip
    levels = {
        "motion of 2.5 mm, right coronary": fastest[2],
        "streaks along the shoulders": 1e3,
    }
    lead = patient.features.dense[0].points_mm[-30][2]
    figure, axes = plt.subplots(2, 3, figsize=(9.6, 6.8))
    for axis, (title, changes) in zip(axes.flat, cases, strict=True):
        seen = imaged(hu, grid, replace(usual, **changes), SEED, fastest)
        level = levels.get(title, lead)
        k = int(np.clip((level - grid.origin_mm[2]) / 0.6, 2, 57))
        axis.imshow(seen[k], cmap="gray", vmin=-250, vmax=WINDOW_HU[1])
        if "motion" in title:  # a closer look
            i, j = ((fastest - grid.origin_mm) / 0.5)[:2]
            axis.set_xlim(i - 60, i + 60)
            axis.set_ylim(j + 60, j - 60)
        axis.set_title(title, fontsize=8)
        axis.axis("off")
    figure.tight_layout()
    return figure


def origins() -> Any:
    """Arteries about the root seen from above and the front, usual and anomalous."""
    cases: tuple[tuple[str, dict[str, Any]], ...] = (
        ("usual", {}),
        ("no left main", {"separate_ostia_percent": 100.0}),
        ("LCx from the RCA", {"lcx_from_right_percent": 100.0}),
        ("RCA from the left sinus", {"rca_from_left_percent": 100.0}),
        ("high take-off", {"high_percent": 100.0}),
    )
    figure, axes = plt.subplots(1, 5, figsize=(11.0, 2.9))
    for axis, (title, chances) in zip(axes, cases, strict=True):
        patient = virtual_patient(1_000_501, 0.0, variation=Variation(**chances))
        root, up = patient.heart.root_mm, patient.heart.root_direction
        circle = np.linspace(0, 2 * np.pi, 60)
        for way in (0.0, 15.0, 30.0, 45.0):
            middle = root + way * up
            axis.plot(
                middle[0] + patient.heart.root_radius_mm * np.cos(circle),
                _height(middle) + 0.5 * patient.heart.root_radius_mm * np.sin(circle),
                color="0.8", lw=0.7,
            )  # fmt: skip
        for artery in patient.arteries:
            colour = {"RCA": "tab:red", "LCx": "tab:blue", "LAD": "tab:green"}.get(
                artery.name, "tab:orange" if artery.name == "LM" else "0.6"
            )
            axis.plot(artery.axis_mm[:, 0], _height(artery.axis_mm), color=colour, lw=1.6)
        axis.set_xlim(root[0] - 48, root[0] + 48)
        axis.set_ylim(_height(root) - 35, _height(root) + 60)
        axis.set_aspect("equal")
        axis.set_title(title, fontsize=8)
        axis.axis("off")
    figure.tight_layout()
    return figure


def _height(points: Floats) -> Any:
    """Vertical place on the page, seen from the front and 30 degrees above."""
    return 0.87 * points[..., 2] - 0.5 * points[..., 1]
