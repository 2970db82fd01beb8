"""Small scans with labels, and a small network, for what is learned from them."""

import numpy as np
import SimpleITK
import torch
from command_line import SECRET

from ffr.anatomy import Anatomy, Vessel
from ffr.labelled_scans import find_pairs
from ffr.segmentation.maps import HeartMap
from ffr.segmentation.networks import UNet3d
from meshes.resample import to_itk
from meshes.volume import Volume, axis_aligned_grid

N, MM = 48, 0.7


GRID = axis_aligned_grid((N, N, N), MM, (-5.0, 3.0, 40.0))


def tube(radius_mm=2.0):
    """A vessel along the table through soft tissue, lung on one side, and its label."""
    k, j, i = np.indices((N, N, N))
    away = np.hypot(i - 24, j - 20 - 4 * np.sin(k / 12)) * MM
    hu = np.where(i < 8, -850, 60)
    hu[away <= radius_mm] = 400
    hu = hu + np.random.default_rng(1).normal(0, 10, hu.shape)
    return np.rint(hu).astype(np.int16), (away <= radius_mm).astype(np.uint8)


def save(path, values, grid=GRID):
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = path.with_name("written.nii.gz")  # ITK takes .img in a name for the Analyze format
    SimpleITK.WriteImage(to_itk(Volume(grid, values)), str(plain))
    plain.rename(path)


def image_cas(folder, count=2):
    hu, label = tube()
    for n in range(1, count + 1):
        save(folder / f"{n}.img.nii.gz", hu)
        save(folder / f"{n}.label.nii.gz", label)
    return folder


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def second_pair(folder, hu=None, label=None, label_grid=GRID):
    usual = tube()
    image_cas(folder, 1)
    save(folder / f"{SECRET}.img.nii.gz", usual[0] if hu is None else hu)
    save(folder / f"{SECRET}.label.nii.gz", usual[1] if label is None else label, label_grid)
    return find_pairs(folder)[1]


def shifted(mm):
    return axis_aligned_grid((N, N, N), MM, np.array((-5.0, 3.0, 40.0)) + (0, mm, 0))


HU, LABEL = tube()


SMALL = {"kind": "unet", "inputs": 2, "outputs": 6, "widths": [4, 8], "stem": True}


def small():
    torch.manual_seed(3)
    return UNet3d(2, len(Vessel) + 1, (4, 8), stem=True)


def fake_heart(volume, network):
    labels = np.full((17, 17, 17), Anatomy.LV, np.uint8)
    grid = axis_aligned_grid((17, 17, 17), 2.0, (-5.0, 3.0, 40.0))
    return HeartMap(Volume(grid, labels), 100.0, 400.0)
