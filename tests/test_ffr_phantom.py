"""Virtual patients: exact, repeatable, plausible."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ffr.anatomy import Anatomy, Vessel
from ffr.circulation.patient import Patient
from ffr.phantom.coronaries import LesionPlan
from ffr.phantom.features import COMMON
from ffr.phantom.imaging import paint, random_imaging, scan, truth_labels
from ffr.phantom.patient import centre_of_heart_mm, virtual_patient
from ffr.phantom.study import clinical_imaging, true_lesions, true_lv_mass_g
from meshes.arrays import floats
from meshes.straighten import sampled
from meshes.tree import path_length_mm, segment_length_mm
from meshes.volume import Grid, Volume, axis_aligned_grid


@pytest.fixture(scope="module")
def patient():
    return virtual_patient(1_000_001, 0.0, (LesionPlan("LAD", 25.0, 12.0, 60.0, False),))


def cube(centre_mm, edge_mm, spacing_mm):
    n = int(edge_mm / spacing_mm) + 1
    return axis_aligned_grid((n, n, n), spacing_mm, np.asarray(centre_mm) - edge_mm / 2)


def test_the_same_seed_makes_the_same_patient_and_another_seed_another():
    one, same, other = (virtual_patient(s) for s in (5, 5, 6))
    assert np.array_equal(one.left.tree.points_mm, same.left.tree.points_mm)
    assert np.array_equal(one.right.tree.radius_mm, same.right.tree.radius_mm)
    assert one.left.tree.points_mm.shape != other.left.tree.points_mm.shape


def test_both_trees_have_their_named_trunks_and_adult_calibres():
    trees = [virtual_patient(seed) for seed in range(100, 112)]
    for p in trees:
        assert p.left.names[0] == "LM"
        assert {"LAD", "LCx"} <= set(p.left.names)
        assert p.right.names[0] == "RCA"
    mains = np.array([2 * p.left.reference_radius_mm[0] for p in trees])
    assert 3.5 < mains.mean() < 5.3  # Dodge 1992: 4.5 +- 0.5 mm
    lengths = [
        segment_length_mm(p.left.tree).sum() + segment_length_mm(p.right.tree).sum()
        for p in trees
    ]
    assert 350 < np.mean(lengths) < 750  # ASOCA: 582 +- 109 mm


def test_a_planned_lesion_is_there_with_its_grade(patient):
    tree = patient.left
    lad = np.flatnonzero(tree.branch == tree.names.index("LAD"))
    narrowing = 100 * (1 - tree.tree.radius_mm[lad] / tree.reference_radius_mm[lad])
    throat = lad[np.argmax(narrowing)]
    assert narrowing.max() == pytest.approx(60.0, abs=1.0)
    s = path_length_mm(tree.tree)
    assert s[throat] - s[lad[0]] == pytest.approx(25.0, abs=3.0)


@pytest.mark.parametrize("vessels", [False, True])
def test_labels_alone_are_those_of_the_painted_patient(vessels):
    ill = virtual_patient(303, 4.0, variation=COMMON)
    grid = cube(ill.left.tree.points_mm[0] + [0.0, -10.0, -12.0], 45.0, 0.9)
    painted = paint(ill, grid, clinical_imaging(1), vessel_labels=vessels)[1]
    assert np.unique(painted).size > 3
    np.testing.assert_array_equal(truth_labels(ill, grid, vessels).values, painted)


def test_truth_of_a_severe_lesion_costs_more_pressure_than_of_a_mild_one():
    grades = []
    for grade in (40.0, 75.0):
        plan = (LesionPlan("LAD", 25.0, 12.0, grade, False),)
        lesions = true_lesions(virtual_patient(1_000_001, 0.0, plan), Patient())
        grades.append(min(x.ffr for x in lesions if x.vessel == "LAD"))
    assert grades[1] < grades[0] - 0.03


def test_an_oblique_scan_shows_the_same_patient(patient):
    imaging = clinical_imaging(1)
    centre = patient.left.tree.points_mm[120]
    straight = cube(centre, 24.0, 0.5)
    turn = Rotation.from_rotvec([0.3, -0.2, 0.4]).as_matrix()
    half = (np.asarray(straight.size) - 1) * 0.25
    oblique = Grid(straight.size, straight.spacing_mm, floats(centre - turn @ half), turn)
    one, two = (
        Volume(g, paint(patient, g, imaging)[0].astype(np.float32)) for g in (straight, oblique)
    )
    rng = np.random.default_rng(0)
    points = centre + rng.uniform(-6, 6, (2000, 3))
    difference = sampled(one, points) - sampled(two, points)
    # edges fall differently into voxels; the middle of every tissue agrees
    assert np.median(np.abs(difference)) < 2.0
    assert np.mean(np.abs(difference) > 100) < 0.05


def test_labels_of_lumen_lie_on_the_true_centreline(patient):
    centre = patient.left.tree.points_mm[150]
    grid = cube(centre, 20.0, 0.4)
    _, labels = paint(patient, grid, clinical_imaging(1), vessel_labels=True)
    volume = Volume(grid, (labels == Vessel.LUMEN).astype(np.float32))
    near = np.linalg.norm(patient.left.tree.points_mm - centre, axis=1) < 8
    inside = sampled(volume, patient.left.tree.points_mm[near])
    assert np.mean(inside > 0.5) > 0.95


def test_heart_labels_and_mass_are_adult(patient):
    assert 60 < true_lv_mass_g(patient) < 220
    centre = centre_of_heart_mm(patient)
    _, labels = paint(patient, cube(centre, 150.0, 2.0), clinical_imaging(1))
    present = set(np.unique(labels))
    assert present >= {int(a) for a in Anatomy}


def test_noise_and_contrast_come_out_as_ordered(patient):
    imaging = clinical_imaging(1)
    grid = cube(patient.heart.root_mm + 20 * patient.heart.root_direction, 16.0, 0.4)
    volume = scan(patient, grid, imaging, 3)
    middle = volume.values[15:26, 15:26, 15:26].astype(float)
    assert middle.mean() == pytest.approx(imaging.contrast_hu, abs=8.0)
    assert middle.std() == pytest.approx(imaging.noise_hu, rel=0.35)


def test_without_contrast_blood_is_grey():
    imaging = random_imaging(np.random.default_rng(0), contrast=False)
    assert imaging.contrast_hu < 60
    assert dict(imaging.tissue_hu)["aorta"] == imaging.contrast_hu
