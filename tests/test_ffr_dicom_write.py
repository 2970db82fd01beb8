"""Does a volume survive the way into DICOM and back, voxel by voxel?"""

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from virtual_series import chest, write

from ffr.errors import ConfigError
from ffr.reading.dicom_write import TRANSFER_SYNTAXES, write_series
from ffr.reading.study import read_study
from meshes.volume import Volume, ijk_to_points_mm, points_mm_to_ijk


def assert_same_in_space(read, written):
    """Every written voxel is found at its place (to 1e-4 mm) with its HU."""
    kji = np.argwhere(np.ones(written.values.shape, dtype=bool))
    points = ijk_to_points_mm(written.grid, kji[:, ::-1])
    ijk = points_mm_to_ijk(read.grid, points)
    nearest = np.rint(ijk).astype(int)
    assert np.abs(ijk_to_points_mm(read.grid, nearest) - points).max() < 1e-4
    np.testing.assert_array_equal(
        read.values[tuple(nearest[:, ::-1].T)], written.values.ravel()
    )


@settings(deadline=None, max_examples=12)
@given(
    st.floats(-180, 180), st.floats(-180, 180), st.floats(-180, 180),
    st.floats(0.2, 1.0), st.floats(0.2, 1.2), st.booleans(),
)  # fmt: skip
def test_oblique_volumes_come_back_in_place(tmp_path_factory, a, b, c, pixel_mm, step_mm, flip):
    direction = Rotation.from_euler("xyz", [a, b, c], degrees=True).as_matrix()
    if flip:
        direction[:, 2] *= -1.0  # stacked against the normal, as feet-first series are
    volume = chest((20, 18, 17), (pixel_mm, 0.9 * pixel_mm, step_mm), direction)
    folder = tmp_path_factory.mktemp("series")
    write_series(volume, folder)
    assert_same_in_space(read_study(folder).volume, volume)


@pytest.mark.parametrize("enhanced", [False, True])
@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_every_transfer_syntax_keeps_every_hu(tmp_path, syntax, enhanced):
    volume = chest()
    write_series(volume, tmp_path, transfer_syntax=syntax, enhanced=enhanced)
    path = next(tmp_path.iterdir())
    kept = pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
    assert kept == TRANSFER_SYNTAXES[syntax]
    scan = read_study(tmp_path)
    np.testing.assert_array_equal(scan.volume.values, volume.values)
    assert_same_in_space(scan.volume, volume)


@pytest.mark.parametrize(
    ("slope", "intercept"), [(1.0, -1024.0), (1.0, 0.0), (0.5, -2048.0), (0.25, 100.0)]
)
def test_rescale_slope_and_intercept_give_the_same_hu(tmp_path, slope, intercept):
    volume = chest()
    write(tmp_path, volume, slope_hu=slope, intercept_hu=intercept)
    np.testing.assert_array_equal(read_study(tmp_path).volume.values, volume.values)


def test_what_slope_and_intercept_cannot_store_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot store"):
        write(tmp_path, slope_hu=3.0)
    with pytest.raises(ConfigError, match="jpeg-lossless"):
        write_series(chest(), tmp_path, transfer_syntax="jpeg")


def test_the_same_volume_gives_the_same_files_and_another_gives_other_uids(tmp_path):
    one, again, other = (tmp_path / name for name in ("one", "again", "other"))
    write(one), write(again), write(other, chest(seed=1))
    names = sorted(path.name for path in one.iterdir())
    assert len(names) == 24
    for name in names:
        assert (one / name).read_bytes() == (again / name).read_bytes()
    first, second = (pydicom.dcmread(f / names[0]) for f in (one, other))
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.SeriesInstanceUID != second.SeriesInstanceUID


@pytest.mark.parametrize("enhanced", [False, True])
def test_files_say_that_nobody_was_scanned_and_that_they_are_for_research(tmp_path, enhanced):
    write_series(chest(), tmp_path, enhanced=enhanced)
    dataset = pydicom.dcmread(next(tmp_path.iterdir()))
    assert dataset.PatientName == "VIRTUAL^PATIENT"
    assert "RUO" in dataset.SeriesDescription
    assert "VIRTUAL PATIENT" in dataset.SeriesDescription
    for keyword in (
        "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality",
        "ImageType", "Rows", "Columns", "PatientID", "Manufacturer",
    ):  # fmt: skip
        assert dataset[keyword].value


def test_the_hash_names_voxels_and_places_and_nothing_else(tmp_path):
    volume = chest()
    write(tmp_path / "a", volume, number=3)
    write(tmp_path / "b", volume, enhanced=True, transfer_syntax="rle")
    values = volume.values.copy()
    values[3, 4, 5] += 1
    write(tmp_path / "c", Volume(volume.grid, values))
    write(tmp_path / "d", chest(spacing_mm=(0.8, 0.7, 1.001)))
    a, b, c, d = (read_study(tmp_path / name).sha256 for name in "abcd")
    assert a == b
    assert len({a, c, d}) == 3
