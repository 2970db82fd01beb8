"""What the product computes on a small patient, as hashes: to be run in a process of its own.

    python repeat_program.py FOLDER THREADS

A lumen mask goes through tree, solve and report; every network looks at a small scan.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import run_folder
import SimpleITK
import torch

from ffr import workflow
from ffr.circulation.patient import Patient
from ffr.imaging.sharpness import scan_sharpness
from ffr.masks.settings import MaskSettings
from ffr.phantom.imaging import scan
from ffr.phantom.patient import centre_of_heart_mm, virtual_patient
from ffr.phantom.study import clinical_imaging
from ffr.results.result_folder import prepare
from ffr.segmentation.infer import map_heart, map_vessels
from ffr.segmentation.lumen import measure_lumen
from ffr.segmentation.weights import load_network
from meshes.resample import to_itk
from meshes.tree import VesselTree
from meshes.volume import Volume, axis_aligned_grid
from validation.repeatability_files import digests

SEED = 1_003_000
HEART = (64, 64, 56)  # voxels of 2 mm
POINTS = 20  # of the tree whose lumen is measured


def quiet(_):
    pass


def through_a_mask(folder):
    """A short right coronary artery with one stenosis, from its mask to the report."""
    painted = run_folder.case().scan.volume
    mask = Volume(painted.grid, (painted.values > 250).astype(np.uint8))
    path, out = folder / "mask.nii", folder / "out"
    SimpleITK.WriteImage(to_itk(mask), str(path))
    prepare(out)
    workflow.read_mask(path, out, MaskSettings(right=(1,)), quiet)
    workflow.solve(out, Patient(), quiet)
    workflow.report(out, quiet)
    return digests(out)


def networks():
    """What the three networks say of a coarse scan, one window each."""
    patient = virtual_patient(SEED)
    middle = np.asarray(centre_of_heart_mm(patient))
    grid = axis_aligned_grid(HEART, 2.0, middle - np.array(HEART))
    volume = scan(patient, grid, clinical_imaging(SEED), SEED)
    heart = map_heart(volume, load_network("anatomy", "cpu"))
    window = axis_aligned_grid((64, 64, 64), 0.5, middle - 16.0)
    vessels = map_vessels(volume, heart, window, load_network("vessel", "cpu"), quiet)
    tree = patient.left.tree
    short = VesselTree(tree.points_mm[:POINTS], tree.radius_mm[:POINTS], tree.parent[:POINTS])
    seen = scan_sharpness(volume, heart.labels, heart.blood_hu)
    lumen = measure_lumen(volume, short, heart.blood_hu, seen, load_network("lumen", "cpu"))
    found = {
        "heart": heart.labels.values, "mass": np.array(heart.lv_mass_g),
        "vessels": vessels.vessel_probability.values, "points": lumen.tree.points_mm,
        "radius": lumen.tree.radius_mm, "spread": lumen.radius_sd_mm,
    }  # fmt: skip
    return {
        k: hashlib.sha256(np.ascontiguousarray(v).data).hexdigest() for k, v in found.items()
    }


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    made = {"files": through_a_mask(Path(sys.argv[1])), "networks": networks()}
    made["order"] = list({"left", "right", "LAD", "LCx", "RCA"})  # as hashes of text have it
    made["threads"] = torch.get_num_threads()
    sys.stdout.write(json.dumps(made))
