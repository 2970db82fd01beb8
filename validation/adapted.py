"""What does adapting the vessel network do on virtual patients of a strange scanner?

Run: python -m validation adapted FOLDER [--steps 160]

Six virtual patients that no training saw are written into FOLDER as ImageCAS, scanned worse
than anything trained on, labelled with lumen and one voxel of wall; `ffr train --finetune`
does the rest, with two of them held out. Some ten minutes on one core.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import SimpleITK
from scipy.ndimage import binary_dilation

from ffr.anatomy import Vessel
from ffr.labelled_scans import LabelMeaning
from ffr.phantom.imaging import Imaging, imaged
from ffr.phantom.painting import paint
from ffr.phantom.patient import virtual_patient
from ffr.phantom.study import clinical_imaging, scan_grid
from ffr.segmentation.finetune import FinetuneConfig
from ffr.segmentation.finetune_run import finetune
from meshes.resample import to_itk
from meshes.volume import Volume
from validation.setting import setting

FIRST_SEED, PATIENTS = 1_000_700, 6  # held out
SIZE, SPACING_MM = (192, 192, 160), (0.7, 0.7, 0.7)


def strange(seed: int) -> Imaging:
    """Return a scanner outside of the training's ranges, veins as bright as arteries."""
    usual = clinical_imaging(seed)
    tissue = dict(usual.tissue_hu) | {"vein": 0.92 * usual.contrast_hu}
    return dataclasses.replace(
        usual, psf_mm=1.5, psf_z_mm=1.8, overshoot_percent=18.0, noise_hu=38.0,
        noise_grain_mm=0.7, distal_fall_percent=30.0, tissue_hu=tuple(tissue.items()),
    )  # fmt: skip


def write_pair(seed: int, folder: Path, number: int) -> None:
    """Write a scan and its label, lumen and a voxel of wall, as public labels are."""
    patient, imaging = virtual_patient(seed), strange(seed)
    grid = scan_grid(patient, SIZE, SPACING_MM)
    hu, _ = paint(patient, grid, imaging)
    labels = paint(patient, grid, imaging, vessel_labels=True)[1]
    lumen = np.isin(labels, (Vessel.LUMEN, Vessel.CALCIUM))
    label = (binary_dilation(lumen) & (labels == Vessel.PLAQUE)) | lumen
    values = {"img": imaged(hu, grid, imaging, seed), "label": label.astype(np.uint8)}
    for kind, array in values.items():
        plain = folder / f"{kind}-{number}.nii.gz"  # ITK takes ".img.nii.gz" for another kind
        SimpleITK.WriteImage(to_itk(Volume(grid, array)), str(plain))
        plain.rename(folder / f"{number}.{kind}.nii.gz")


def _silent(_name: str) -> Callable[[float], None]:
    return lambda _share: None


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the scans, adapt, print the report."""
    parser = argparse.ArgumentParser(prog="python -m validation adapted", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=160)
    given = parser.parse_args(arguments)
    scans = given.folder / "scans"
    scans.mkdir(parents=True, exist_ok=True)
    for k in range(PATIENTS):
        if not (scans / f"{k + 1}.label.nii.gz").exists():
            write_pair(FIRST_SEED + k, scans, k + 1)
    config = FinetuneConfig(steps=given.steps, edge=64, held_out_percent=33, workers=0)
    out = given.folder / "own"
    good, why = finetune(scans, out, config, LabelMeaning(), _silent)
    print(setting("python -m validation adapted", arguments, "cpu") + "\n")
    print((out / "report.md").read_text())
    print(f"{'recommended' if good else 'not recommended'}: {why}")


if __name__ == "__main__":
    main()
