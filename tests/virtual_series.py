"""Small virtual DICOM series, and a pen to write one fault into them."""

from dataclasses import replace

import numpy as np
import pydicom

from ffr.reading.dicom_write import PatientHeader, SeriesHeader, write_series
from meshes.volume import Volume, axis_aligned_grid

SECRET = PatientHeader("Wurzelbrunft^Xaverina", "PID-7731-ZQ", "19470313", "F")
SECRETS = ("wurzelbrunft", "xaverina", "7731", "19470313", "1947-03-13")


def chest(size=(48, 40, 24), spacing_mm=(0.8, 0.7, 1.0), direction=None, seed=0):
    """A block of lung, muscle and contrast-filled blood with a little noise."""
    values = np.random.default_rng(seed).normal(40, 10, size[::-1])
    values[:, : size[1] // 3] -= 900
    values[:, size[1] // 2 :, size[0] // 4 : size[0] // 2] += 350
    grid = axis_aligned_grid(size, spacing_mm, (-31.25, 17.5, -204.125))
    if direction is not None:
        grid = replace(grid, direction=direction)
    return Volume(grid, np.rint(values).astype(np.int16))


def write(
    folder, volume=None, patient=SECRET, enhanced=False, transfer_syntax="explicit", **header
):
    volume = volume or chest()
    write_series(
        volume, folder, patient=patient, series=SeriesHeader(**header), enhanced=enhanced,
        transfer_syntax=transfer_syntax,
    )  # fmt: skip
    return folder


def edit(folder, change, which=slice(None)):
    """Let `change(dataset)` alter the files of a folder in the order of their names."""
    for path in sorted(folder.glob("*.dcm"))[which]:
        dataset = pydicom.dcmread(path)
        change(dataset)
        dataset.save_as(path)


def put(**elements):
    def change(dataset):
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)

    return change


def move(shift_mm):
    """Return a change that displaces a slice by x, y, z in mm."""

    def change(dataset):
        position = np.array(dataset.ImagePositionPatient, dtype=float) + shift_mm
        dataset.ImagePositionPatient = [f"{v:.6f}" for v in position]

    return change
