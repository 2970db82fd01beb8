"""Repeatability: what is changed in a scan, where it is read, and what the differences say."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import run_folder
import virtual_series

from ffr import pipeline
from ffr.phantom.patient import centre_of_heart_mm
from ffr.phantom.study import clinical_imaging
from ffr.results import stage_data
from meshes.arrays import floats, ints
from meshes.tree import VesselTree
from meshes.volume import Volume, axis_aligned_grid, ijk_to_points_mm
from validation import repeatability_case
from validation.repeatability_case import FIRST_SEED, Run, keep_run, kept_runs, patient_of
from validation.repeatability_places import END, LESION, places, read
from validation.repeatability_scans import changed, on_coarse_grid, rendered

SEED = FIRST_SEED + 2  # stenoses in two vessels


@pytest.fixture(scope="module")
def patient():
    return patient_of(SEED)


def solved(out, trees):
    """A result folder as a run leaves it that found these trees."""
    scan = SimpleNamespace(
        volume=virtual_series.chest(), source="dicom", series="", kernel=None, sha256="",
        slice_thickness_mm=1.0, tube_voltage_kvp=None, flags=(),
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline.propagate, "__defaults__", (None, 64, None))
        run_folder.fill(out, SimpleNamespace(trees=trees, scan=scan), until="solve")
    return out


@pytest.fixture(scope="module")
def exact(patient, tmp_path_factory):
    return solved(tmp_path_factory.mktemp("exact") / "out", (patient.left, patient.right))


def small(patient, change):
    """The middle of the heart, scanned with a change."""
    return rendered(patient, change, (40, 40, 24)).values.astype(float)


def test_one_scan_differs_from_the_reference_by_what_its_name_says(patient):
    same = small(patient, "reference")
    assert np.array_equal(small(patient, "again"), same)
    dose = small(patient, "dose") - same
    assert dose.std() == pytest.approx(22 * (0.9**-0.5 - 1), rel=0.2)  # rounded to whole HU
    noise = small(patient, "noise") - same
    assert noise.std() == pytest.approx(22 * 2**0.5, rel=0.05)
    assert abs(noise.mean()) < 2.0
    imaging = clinical_imaging(SEED)
    assert changed(imaging, "sharper").psf_mm < imaging.psf_mm
    assert changed(imaging, "smoother").noise_hu < imaging.noise_hu
    assert changed(imaging, "noise") == imaging


def test_a_grid_is_moved_by_half_a_voxel_and_the_noise_moves_with_it(patient):
    near, far = (
        rendered(patient, c, (40, 40, 24), (3.0, 3.0, 3.0)) for c in ("reference", "shift")
    )
    assert np.allclose(far.grid.origin_mm - near.grid.origin_mm, 1.5)
    assert not np.array_equal(near.values, far.values)
    change = far.values.astype(float) - near.values
    # flat tissue has the same noise in every voxel; of two noises 4 % would be so near
    assert (np.abs(change) <= 1.0).mean() > 0.1
    assert np.abs(change).max() > 100.0  # edges: half a voxel further on


def test_a_coarser_grid_shows_the_same_patient():
    grid = axis_aligned_grid((31, 25, 16), 0.4, (3.0, -7.0, 11.0))
    ijk = np.stack(np.meshgrid(*map(np.arange, (31, 25, 16)), indexing="ij"), axis=-1)
    x, y, z = np.moveaxis(ijk_to_points_mm(grid, ijk), -1, 0)
    ramp = np.rint(20 * x - 15 * y + 10 * z).T.astype(np.int16)
    coarse = on_coarse_grid(Volume(grid, ramp))
    assert np.allclose(coarse.grid.spacing_mm, 0.6)
    where = ijk_to_points_mm(coarse.grid, np.argwhere(coarse.values > -1024)[:, ::-1])
    expected = where @ [20.0, -15.0, 10.0]
    assert np.abs(coarse.values[coarse.values > -1024] - expected).max() < 2.0
    assert (coarse.values > -1024).mean() > 0.99


def test_no_such_change_is_refused(patient):
    with pytest.raises(ValueError, match="no change 'louder'"):
        rendered(patient, "louder")


def test_ffr_is_read_behind_every_wide_stenosis_and_at_the_ends_of_main_vessels(patient):
    made = places(patient)
    assert [p.vessel for p in made if p.kind == LESION] == ["LCx", "RCA"]
    assert [p.vessel for p in made if p.kind == END] == ["LAD", "LCx", "RCA"]
    for p in made:
        c = getattr(patient, p.side)
        assert 2 * c.reference_radius_mm[p.point] >= 2.0


def test_a_run_that_finds_the_true_trees_reads_their_own_ffr(patient, exact):
    solutions = stage_data.load_flow(exact)[0]
    for p, r in zip(places(patient), read(exact, patient), strict=True):
        s = solutions[p.side == "right"]
        truth = s.pressure_mmhg[p.point] / s.pressure_mmhg[0]
        assert r.lost == ""
        assert r.ffr == pytest.approx(truth, abs=1e-3)  # ways are cut every 0.1 mm
        assert r.ffr_low < r.ffr < r.ffr_high
        assert r.found_vessel == r.vessel
        assert (r.minimal_diameter_mm is not None) == (p.kind == LESION)


def test_places_of_the_patient_are_found_in_a_tree_of_other_points(patient, exact, tmp_path):
    def thinned(c):
        kept = np.flatnonzero((np.arange(len(c.tree)) % 2 == 0) | is_fork(c.tree))
        new = np.full(len(c.tree) + 1, -1)
        new[kept] = np.arange(kept.size)
        parent = [new[up(c.tree, i, new)] for i in kept]
        tree = VesselTree(
            c.tree.points_mm[kept] + 0.3, c.tree.radius_mm[kept], np.array(parent)
        )
        return replace(
            c, tree=tree, radius_sd_mm=floats(c.radius_sd_mm[kept]),
            reference_radius_mm=floats(c.reference_radius_mm[kept]),
            branch=ints(c.branch[kept]), segment=ints(c.segment[kept]),
        )  # fmt: skip

    other = solved(tmp_path / "out", (thinned(patient.left), thinned(patient.right)))
    for one, two in zip(read(exact, patient), read(other, patient), strict=True):
        assert two.lost == ""
        assert two.ffr == pytest.approx(one.ffr, abs=0.02)
        assert two.minimal_diameter_mm == pytest.approx(one.minimal_diameter_mm, abs=0.2)
        assert two.found_vessel == one.found_vessel


def is_fork(tree):
    return np.bincount(tree.parent[1:], minlength=len(tree)) != 1


def up(tree, i, new):
    """The nearest point upstream that is kept; -1 of the inlet."""
    here = tree.parent[i]
    while here >= 0 and new[here] < 0:
        here = tree.parent[here]
    return here


def test_what_was_not_found_is_lost_with_its_reason(patient, tmp_path):
    c = patient.left
    away = replace(
        c, tree=VesselTree(c.tree.points_mm + [0, 0, 30.0], c.tree.radius_mm, c.tree.parent)
    )
    made = read(solved(tmp_path / "out", (away,)), patient)
    assert {(r.kind == LESION, r.vessel, r.lost) for r in made} == {
        (True, "LCx", "no vessel there"), (False, "LCx", "no vessel there"),
        (False, "LAD", "no vessel there"), (True, "RCA", "no right tree"),
        (False, "RCA", "no right tree"),
    }  # fmt: skip
    assert all(r.ffr is None for r in made)


def test_runs_of_another_state_are_not_mixed_in(tmp_path):
    job = (FIRST_SEED, "dose")
    keep_run(tmp_path, "abc", job, Run(*job, lost="no heart"))
    assert kept_runs(tmp_path, "abc", [job])[job].lost == "no heart"
    assert kept_runs(tmp_path, "other", [job]) == {}


def test_a_refusal_is_kept_in_the_words_of_the_product(tmp_path):
    (tmp_path / "study").mkdir()
    said = repeatability_case.analysed(tmp_path / "study", tmp_path / "out", "dose")
    assert said
    assert not said.startswith("ffr: ")
    assert "\n" not in said


def test_a_seed_that_may_have_been_trained_on_is_refused():
    with pytest.raises(ValueError, match="not held out"):
        patient_of(12)


def test_the_middle_of_the_heart_is_in_the_small_scan(patient):
    grid = rendered(patient, "reference", (8, 8, 8)).grid
    middle = ijk_to_points_mm(grid, [3.5, 3.5, 3.5])
    assert np.allclose(middle, centre_of_heart_mm(patient), atol=0.01)
