"""The reference on virtual patients: a small version of `python -m validation reference`."""

import numpy as np
import pytest

from ffr.phantom.patient import virtual_patient
from meshes.reference import USUAL_INLET_MM, reference_radius_mm
from meshes.stenosis import find_lesions
from meshes.tree import VesselTree, path_length_mm
from validation import reference as study

SEED = study.FIRST_SEED


@pytest.fixture(scope="module")
def patient():
    return virtual_patient(SEED, 0.0)


def test_the_error_put_on_radii_is_as_large_and_as_long_as_it_says(patient):
    c = patient.right
    errors = np.array(
        [
            study.measured(c, np.random.default_rng(k)).radius_mm - c.tree.radius_mm
            for k in range(200)
        ]
    )
    assert errors[:, ::20].std() == pytest.approx(study.NOISE_SD_MM, rel=0.1)
    s = path_length_mm(c.tree)
    near = int(np.searchsorted(s[:100], s[20] + study.NOISE_LENGTH_MM))
    assert np.corrcoef(errors[:, 20], errors[:, near])[0, 1] == pytest.approx(
        np.exp(-1), abs=0.2
    )


def test_a_built_narrowing_is_where_and_as_deep_as_it_says(patient):
    ill = study.narrowed(patient.left, "LAD", 8.0, 48.0, 0.35, 5.0)
    own = ill.branch == ill.names.index("LAD")
    s = path_length_mm(ill.tree)
    s = s - s[own].min()
    share = ill.tree.radius_mm / patient.left.tree.radius_mm
    assert share[own & (s > 8.0) & (s < 48.0)] == pytest.approx(0.65)
    assert share[~own | (s < 3.0) | (s > 53.0)] == pytest.approx(1.0)


def test_healthy_and_diseased_trees_get_nearly_their_true_reference(patient):
    cases = [
        ("healthy", patient.left),
        ("healthy", patient.right),
        ("ostial", study.narrowed(patient.left, "LM", 0.0, 7.0, 0.5, 2.0)),
        ("ostial", study.narrowed(patient.right, "RCA", 0.0, 7.0, 0.5, 2.0)),
    ]
    scores = study.run(iter(cases), reference_radius_mm)
    healthy, ostial = scores["healthy"], scores["ostial"]
    error = np.concatenate(healthy.error_mm)
    assert abs(error.mean()) < 0.08
    assert error.std() < 0.15
    assert sum(healthy.severe_false) == 0
    assert not any(ostial.missed)
    assert np.mean(np.abs(ostial.grade_percent)) < 12.0
    assert "| ostial |" in "\n".join(study.table(scores))


def test_with_the_true_reference_only_noise_is_left(patient):
    cases = [("ostial", study.narrowed(patient.right, "RCA", 0.0, 7.0, 0.5, 2.0))]
    score = study.run(iter(cases), None)["ostial"]
    assert np.concatenate(score.error_mm).max() == 0.0
    assert score.overlap[0] > 0.8


def test_the_usual_width_at_the_ostium_holds_up_a_narrow_left_main():
    s = np.arange(0.0, 14.5, 0.5)
    trunk = np.stack([s, 0 * s, 0 * s], axis=1)
    daughters = [
        trunk[-1] + np.outer(s[1:] * 2, [0.8, y, 0.0]) for y in (0.6, -0.6)
    ]  # of 1.4 mm: by the law of a trunk of 1.9 mm
    points = np.concatenate([trunk, *daughters])
    n, m = len(trunk), len(daughters[0])
    parent = np.concatenate(
        [np.arange(-1, n - 1), [n - 1], np.arange(n, n + m - 1), [n - 1],
         np.arange(n + m, n + 2 * m - 1)]
    )  # fmt: skip
    radius = np.concatenate([np.full(n, 1.15), np.full(2 * m, 1.4)])
    tree = VesselTree(points, radius, parent)
    alone, known = reference_radius_mm(tree)[0], reference_radius_mm(tree, "left")[0]
    law, usual = 1.4 * 2 ** (3 / 7), USUAL_INLET_MM["left"][0]
    assert 1.4 < alone < known < usual
    assert known == pytest.approx(law + 0.06, rel=0.07)  # and its taper
    (lesion,) = find_lesions(tree, reference_radius_mm(tree, "left"))
    assert lesion.start == 0
