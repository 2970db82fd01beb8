"""Virtual patients as files: scans and labels laid out as ASOCA or ImageCAS lay out theirs.

    python -m validation labelled_files FOLDER --layout asoca --patients 3

For `python -m validation labelled`. ASOCA: NRRD, one label of lumen without calcium. ImageCAS:
NIfTI, one label of lumen and calcium, as public labels of whole vessels hold it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK

from ffr.anatomy import Vessel
from ffr.phantom.imaging import imaged
from ffr.phantom.painting import paint
from ffr.phantom.patient import virtual_patient
from ffr.phantom.study import clinical_imaging, scan_grid
from meshes.resample import to_itk
from meshes.volume import Volume
from validation.held_out import VARIED
from validation.setting import setting

FIRST_SEED = {"asoca": 1_003_000, "imagecas": 1_003_100}  # held out
SIZE = {"asoca": (440, 440, 210), "imagecas": (480, 480, 260)}
SPACING_MM = {"asoca": (0.4, 0.4, 0.625), "imagecas": (0.36, 0.36, 0.5)}
TOLD = {"asoca": (Vessel.LUMEN,), "imagecas": (Vessel.LUMEN, Vessel.CALCIUM)}


def write_pair(seed: int, folder: Path, layout: str, number: int) -> None:
    """Scan the patient of a seed and write image and label."""
    patient, imaging = virtual_patient(seed, variation=VARIED), clinical_imaging(seed)
    grid = scan_grid(patient, SIZE[layout], SPACING_MM[layout])
    hu, _ = paint(patient, grid, imaging)
    label = np.isin(paint(patient, grid, imaging, vessel_labels=True)[1], TOLD[layout])
    values = (imaged(hu, grid, imaging, seed), label.astype(np.uint8))
    for path, array in zip(_places(folder, layout, number), values, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        # ITK takes ".img.nii.gz" for another kind of file
        plain = path.with_name(f"{path.parent.name}-{number}{'.'.join(['', *_ending(path)])}")
        SimpleITK.WriteImage(to_itk(Volume(grid, array)), str(plain), useCompression=True)
        plain.rename(path)


def _ending(path: Path) -> list[str]:
    return ["nii", "gz"] if path.name.endswith(".nii.gz") else ["nrrd"]


def _places(folder: Path, layout: str, number: int) -> tuple[Path, Path]:
    """Return where image and label of a patient go."""
    if layout == "imagecas":
        return folder / f"{number}.img.nii.gz", folder / f"{number}.label.nii.gz"
    kind = "Diseased" if number % 2 else "Normal"
    name = f"{kind}_{number}.nrrd"
    return folder / kind / "CTCA" / name, folder / kind / "Annotations" / name


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the patients that are not there yet."""
    parser = argparse.ArgumentParser(
        prog="python -m validation labelled_files", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layout", choices=sorted(SIZE), required=True)
    parser.add_argument("--patients", type=int, default=3)
    given = parser.parse_args(arguments)
    for k in range(given.patients):
        if not _places(given.folder, given.layout, k + 1)[1].exists():
            write_pair(FIRST_SEED[given.layout] + k, given.folder, given.layout, k + 1)
    print(setting("python -m validation labelled_files", arguments, "cpu"))


if __name__ == "__main__":
    main()
