"""Is the right series read, and the wrong one refused by name, without patient data?"""

import gzip
import logging
import os
import random
import shutil
import tempfile
import traceback
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from scipy.spatial.transform import Rotation
from test_ffr_dicom_write import assert_same_in_space
from virtual_series import SECRETS, chest, edit, move, put, write

import ffr.reading.dicom
from ffr.errors import ConfigError, StudyError
from ffr.reading.study import read_study
from meshes.volume import Volume

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"
needs_data = pytest.mark.skipif(not SHARED.exists(), reason="the real scans are not here")
OBLIQUE = Rotation.from_euler("xyz", [11, -23, 37], degrees=True).as_matrix()


def reason_of(path, series=None):
    with pytest.raises(StudyError) as caught:
        read_study(path, series)
    assert "\n" not in str(caught.value)
    return caught.value.reason


# ---- what is read


def image_of(volume):
    image = SimpleITK.GetImageFromArray(volume.values)
    image.SetSpacing(volume.grid.spacing_mm.tolist())
    image.SetOrigin(volume.grid.origin_mm.tolist())
    image.SetDirection(volume.grid.direction.ravel().tolist())
    return image


@pytest.mark.parametrize(
    ("name", "source"),
    [("a.nii", "nifti"), ("a.nii.gz", "nifti"), ("a.nrrd", "nrrd"), ("a.nhdr", "nrrd"),
     ("a.mha", "mha"), ("a.mhd", "mha")],
)  # fmt: skip
def test_volume_files_keep_the_lps_place_of_every_voxel(tmp_path, name, source):
    volume = chest(direction=OBLIQUE)
    SimpleITK.WriteImage(image_of(volume), str(tmp_path / name))
    scan = read_study(tmp_path / name)
    assert scan.source == source
    assert scan.volume.values.dtype == np.int16
    assert_same_in_space(scan.volume, volume)
    assert read_study(tmp_path).sha256 == scan.sha256  # a folder with one volume in it


def test_a_folder_a_zip_and_one_multiframe_file_are_the_same_scan(tmp_path):
    write(tmp_path / "deep" / "deeper")
    write(tmp_path / "frames", enhanced=True)
    with zipfile.ZipFile(tmp_path / "study.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((tmp_path / "deep").rglob("*.dcm")):
            archive.write(path, f"DICOM/{path.name}")
        archive.writestr("README.txt", "not an image")
        archive.writestr("__MACOSX/._IM000001.dcm", b"notes")
    scans = [
        read_study(tmp_path / "deep"),
        read_study(tmp_path / "study.zip"),
        read_study(tmp_path / "frames" / "IM000001.dcm"),
    ]
    assert len({scan.sha256 for scan in scans}) == 1
    assert {(s.source, s.kernel, s.tube_voltage_kvp) for s in scans} == {
        ("dicom", "Bv40", 120.0)
    }
    assert all(s.slice_thickness_mm == pytest.approx(1.0) for s in scans)


def test_names_and_order_of_files_play_no_part(tmp_path):
    plain = read_study(write(tmp_path / "plain"))
    names = [f"{n:x}" for n in random.Random(1).sample(range(10**6), 24)]
    for path, name in zip(sorted((tmp_path / "plain").iterdir()), names, strict=True):
        path.rename(path.with_name(name))
    (tmp_path / "plain" / "README").write_text("hello")
    (tmp_path / "plain" / "._ghost.dcm").write_bytes(b"")
    (tmp_path / "plain" / "DICOMDIR").write_bytes(b"")
    shuffled = read_study(tmp_path / "plain")
    assert shuffled.sha256 == plain.sha256
    np.testing.assert_array_equal(shuffled.volume.values, chest().values)


def test_files_without_preamble_are_read(tmp_path):
    write(tmp_path, transfer_syntax="implicit")
    for path in tmp_path.iterdir():
        dataset = pydicom.dcmread(path)
        del dataset.file_meta
        dataset.preamble = None
        pydicom.dcmwrite(path, dataset, implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(read_study(tmp_path).volume.values, chest().values)


def test_overlay_bits_above_the_stored_ones_are_dropped(tmp_path):
    write(tmp_path)

    def draw(dataset):
        stored = np.frombuffer(dataset.PixelData, "<u2").copy()
        stored[7::11] |= 0x8000  # graphics in the highest bit
        dataset.PixelData = stored.tobytes()
        dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit = 0, 12, 11

    edit(tmp_path, draw)
    np.testing.assert_array_equal(read_study(tmp_path).volume.values, chest().values)


def test_progress_rises_from_zero_to_one(tmp_path):
    write(tmp_path / "s")
    shutil.make_archive(str(tmp_path / "s"), "zip", tmp_path / "s")
    for path in (tmp_path / "s", tmp_path / "s.zip"):
        seen = []
        read_study(path, progress=seen.append)
        assert seen == sorted(seen)
        assert (seen[0], seen[-1]) == (0.0, pytest.approx(1.0))
        assert len(seen) > 40


@pytest.mark.parametrize("share", [0.05, 0.25, 0.8])
def test_ctrl_c_stops_the_reading_and_leaves_no_files(tmp_path, share, monkeypatch):
    write(tmp_path / "s")
    shutil.make_archive(str(tmp_path / "s"), "zip", tmp_path / "s")
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))

    def interrupt(done):
        if done > share:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_study(tmp_path / "s.zip", progress=interrupt)
    assert list((tmp_path / "temp").iterdir()) == []


# ---- which series is read


def test_the_thin_diastolic_contrast_series_is_chosen_and_the_reason_said(tmp_path):
    fine = chest((40, 40, 84), (0.5, 0.5, 1.0))
    write(tmp_path / "wanted", fine, number=7)
    write(tmp_path / "systole", fine, number=2, phase_percent=40.0)
    write(tmp_path / "plain", fine, number=3, contrast_agent="")
    write(tmp_path / "short", number=4)
    write(tmp_path / "thick", chest((40, 40, 30), (0.5, 0.5, 3.0)), number=5)
    write(tmp_path / "lung", fine, number=6, kernel="Bl64")
    write(tmp_path / "mpr", fine, number=8, image_type=("DERIVED", "SECONDARY", "MPR"))
    write(tmp_path / "scout", number=1, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))
    scan = read_study(tmp_path)
    assert scan.series.startswith("series 7 ")
    assert "chosen over series 6" in scan.series
    assert "softer kernel" in scan.series
    assert "series 5" in scan.series
    assert "slices-too-thick" in scan.series
    assert scan.kernel == "Bv40"


@pytest.mark.parametrize(
    ("worse", "trait"),
    [
        ({"image_type": ("DERIVED", "SECONDARY", "MPR")}, "original axial"),
        ({"contrast_agent": ""}, "contrast"),
        ({"phase_percent": 40.0}, "cardiac phase"),
        ({"phase_percent": None}, "cardiac phase"),
        ({"phase_percent": 67.0}, "nearer to mid-diastole"),
        ({"kernel": "Br69"}, "softer kernel"),
        ({"slice_thickness_mm": 1.4}, "at most 1 mm"),
    ],
)
def test_each_trait_decides_when_all_else_is_equal(tmp_path, worse, trait):
    write(tmp_path / "b", number=1, seed="b", **worse)
    write(tmp_path / "a", number=2, seed="a")
    said = read_study(tmp_path).series
    assert said.startswith("series 2 ")
    assert trait in said


def test_contrast_is_measured_where_no_header_tells_of_it(tmp_path):
    size, spacing = (80, 80, 20), (1.0, 1.0, 1.0)
    bright = chest(size, spacing)
    plain = Volume(bright.grid, np.minimum(bright.values, 60))
    write(tmp_path / "plain", plain, number=1, contrast_agent="")
    write(tmp_path / "bright", bright, number=2, contrast_agent="")
    assert read_study(tmp_path).series.startswith("series 2 ")


def test_the_user_can_ask_for_a_series_by_number_uid_or_its_end(tmp_path):
    write(tmp_path / "a", number=2)
    write(tmp_path / "b", number=9, phase_percent=40.0)
    uid = pydicom.dcmread(tmp_path / "b" / "IM000001.dcm").SeriesInstanceUID
    for wanted in ("9", uid, uid[-9:]):
        assert read_study(tmp_path, wanted).series.startswith("series 9 ")
    with pytest.raises(ConfigError, match=r"holds: 2 .* 24 slices, 9 .* 24 slices"):
        read_study(tmp_path, "5")


def test_a_series_that_is_asked_for_is_refused_for_its_own_fault(tmp_path):
    write(tmp_path / "a", number=2)
    write(tmp_path / "b", chest(spacing_mm=(0.8, 0.7, 2.0)), number=9)
    assert read_study(tmp_path).series.startswith("series 2 ")
    assert reason_of(tmp_path, "9") == "slices-too-thick"


PHASE_TAGS = {
    "NominalPercentageOfCardiacPhase": (40.0, 75.0),
    "TemporalPositionIdentifier": (1, 2),
    "TriggerTime": (300, 700),
    "AcquisitionNumber": (1, 2),
}


@pytest.mark.parametrize("tag", PHASE_TAGS)
def test_phases_of_one_series_are_told_apart(tmp_path, tag):
    volumes = chest(seed=1), chest(seed=2)
    for name, volume, value in zip("ab", volumes, PHASE_TAGS[tag], strict=True):
        write(tmp_path / name, volume, phase_percent=None)
        edit(tmp_path / name, put(**{"SeriesInstanceUID": "1.2.3", tag: value}))
    found = read_study(tmp_path).volume.values
    assert any(np.array_equal(found, volume.values) for volume in volumes)
    if tag == "NominalPercentageOfCardiacPhase":
        np.testing.assert_array_equal(found, volumes[1].values)
        early = read_study(tmp_path, "1@35").volume.values
        np.testing.assert_array_equal(early, volumes[0].values)


def test_acquisitions_that_overlap_at_one_place_are_not_two_phases(tmp_path):
    write(tmp_path)
    edit(tmp_path, put(AcquisitionNumber=2), slice(12, None))
    shutil.copy(tmp_path / "IM000012.dcm", tmp_path / "more.dcm")
    only = pydicom.dcmread(tmp_path / "more.dcm")
    only.AcquisitionNumber = 2
    only.save_as(tmp_path / "more.dcm")
    assert reason_of(tmp_path) == "slices-duplicated"


# ---- what is refused


def drop(which):
    def fault(folder):
        for path in sorted(folder.glob("*.dcm"))[which]:
            path.unlink()

    return fault


def change(elements, which=slice(None)):
    return lambda folder: edit(folder, put(**elements), which)


def shift(by_mm, which):
    return lambda folder: edit(folder, move(by_mm), which)


def twice(folder):
    shutil.copy(folder / "IM000005.dcm", folder / "IM000005 copy.dcm")


def twice_anew(folder):
    twice(folder)
    edit(folder, put(SOPInstanceUID="1.2.3.4"), slice(4, 5))


def tilt(folder):
    """Stack slices askew, as a tilted gantry does, without saying so."""
    for n, path in enumerate(sorted(folder.glob("*.dcm"))):
        dataset = pydicom.dcmread(path)
        move((0.0, 0.1 * n, 0.0))(dataset)
        dataset.save_as(path)


def stretch(folder):
    for n, path in enumerate(sorted(folder.glob("*.dcm"))):
        dataset = pydicom.dcmread(path)
        move((0.0, 0.0, 0.01 * n * n))(dataset)
        dataset.save_as(path)


def truncate(share, name="IM000007.dcm"):
    def fault(folder):
        raw = (folder / name).read_bytes()
        (folder / name).write_bytes(raw[: int(share * len(raw))])

    return fault


def scribble(folder):
    raw = (folder / "IM000007.dcm").read_bytes()
    (folder / "IM000007.dcm").write_bytes(raw[:132] + b"\xff" * (len(raw) - 132))


def remove(keyword):
    return lambda folder: edit(folder, lambda dataset: delattr(dataset, keyword))


def second(**header):
    def fault(folder):
        write(folder / "second", **header)

    return fault


def other_patient(**elements):
    def fault(folder):
        write(folder / "second", number=2, seed="b")
        edit(folder / "second", put(**elements))

    return fault


def drop_all_air(folder):
    def raise_all(dataset):
        stored = np.frombuffer(dataset.PixelData, "<i2")
        dataset.PixelData = np.maximum(stored, 1024).astype("<i2").tobytes()

    edit(folder, raise_all)


def small_matrix(folder):
    def cut(dataset):
        dataset.Rows -= 2
        dataset.PixelData = dataset.PixelData[: 2 * dataset.Rows * dataset.Columns]

    edit(folder, cut, slice(3, 4))


MR, CAPTURE = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.7"
FAULTS = {
    "MR": (change({"SOPClassUID": MR, "Modality": "MR"}), "not-ct"),
    "capture": (change({"SOPClassUID": CAPTURE}), "not-ct"),
    "localizer": (change({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}), "not-ct"),
    "two studies": (second(number=2, study="another"), "several-studies"),
    "two ids": (other_patient(PatientID="PID-1234"), "several-patients"),
    "two births": (other_patient(PatientBirthDate="19470314"), "several-patients"),
    "gap": (drop(slice(9, 10)), "slices-missing"),
    "wide gap": (drop(slice(9, 12)), "slices-missing"),
    "two gaps": (drop(slice(5, 15, 5)), "slices-missing"),
    "copied file": (twice, "slices-duplicated"),
    "second image at a place": (twice_anew, "slices-duplicated"),
    "one slice off": (shift((0, 0, 0.4), slice(9, 10)), "slices-uneven"),
    "growing steps": (stretch, "slices-uneven"),
    "one slice aside": (shift((2.0, 0, 0), slice(9, 10)), "slices-uneven"),
    "tilt tag": (change({"GantryDetectorTilt": "-12.5"}), "gantry-tilt"),
    "askew": (tilt, "gantry-tilt"),
    "thick": (change({"SliceThickness": "2.0"}), "slices-too-thick"),
    "two pixel sizes": (change({"PixelSpacing": [0.5, 0.5]}, slice(4)), "slices-mixed"),
    "two matrices": (small_matrix, "slices-mixed"),
    "two orientations": (
        change({"ImageOrientationPatient": [0, 1, 0, 1, 0, 0]}, slice(4)), "slices-mixed"
    ),
    "few": (drop(slice(15, None)), "too-few-slices"),
    "cut pixels": (truncate(0.6), "file-corrupt"),
    "cut header": (truncate(0.08), "file-corrupt"),
    "cut early": (truncate(0.02), "file-corrupt"),
    "empty file": (truncate(0.0), "file-corrupt"),
    "scribbled": (scribble, "file-corrupt"),
    "no position": (remove("ImagePositionPatient"), "file-corrupt"),
    "no rescale": (remove("RescaleSlope"), "not-hu"),
    "odd rescale": (change({"RescaleSlope": "-1"}), "not-hu"),
    "other type": (change({"RescaleType": "MGML"}), "not-hu"),
    "no offset": (change({"RescaleIntercept": "0"}), "not-hu"),
    "double offset": (change({"RescaleIntercept": "-2048"}), "not-hu"),
    "no air": (drop_all_air, "not-hu"),
    "nothing": (drop(slice(None)), "empty"),
    "unknown codec": (
        lambda folder: edit_syntax(folder, "1.2.840.10008.1.2.4.201"), "compression-unknown"
    ),
}  # fmt: skip


def edit_syntax(folder, uid):
    edit(folder, lambda dataset: setattr(dataset.file_meta, "TransferSyntaxUID", uid))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_refused_by_name_and_names_no_patient(tmp_path, fault, caplog):
    """Everything said on the way, down to debug level, is searched for the patient."""
    caplog.set_level(logging.DEBUG)
    spoil, reason = FAULTS[fault]
    syntax = "jpeg-lossless" if fault == "unknown codec" else "explicit"
    folder = write(tmp_path / "Wurzelbrunft_Xaverina_19470313", transfer_syntax=syntax)
    spoil(folder)
    with pytest.raises(StudyError) as caught:
        read_study(folder)
    assert caught.value.reason == reason
    assert "\n" not in caught.value.message
    said = (str(caught.value) + repr(caught.value.__cause__) + caplog.text).lower()
    assert not [secret for secret in SECRETS if secret in said]


def test_a_good_study_names_no_patient_either(tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    folder = write(tmp_path, description="Wurzelbrunft 75%", kernel="Bv40")
    # values that break the rules of DICOM make pydicom quote them in warnings
    with warnings.catch_warnings(action="ignore"):
        edit(folder, put(PatientBirthDate="1947-03-13", SeriesDescription="Xaverina " * 9))
    caplog.clear()  # of what was said while writing
    capfd.readouterr()
    scan = read_study(folder)
    said = f"{caplog.text} {scan} {capfd.readouterr()}".lower()
    assert not [secret for secret in SECRETS if secret in said]


def test_a_missing_slice_is_named_with_its_place(tmp_path):
    drop(slice(9, 10))(write(tmp_path))
    with pytest.raises(StudyError, match=r"1 slices .* between -196.1\d and -194.1\d mm"):
        read_study(tmp_path)


def test_a_series_that_breaks_off_is_left_out_when_another_is_whole(tmp_path):
    truncate(0.6)(write(tmp_path / "a", number=1))
    write(tmp_path / "b", number=2, kernel="Bl64")
    said = read_study(tmp_path).series
    assert said.startswith("series 2 ")
    assert "file-corrupt" in said


def test_names_that_differ_in_form_only_are_one_patient(tmp_path):
    write(tmp_path / "a")
    write(tmp_path / "b", number=2, seed="b")
    edit(tmp_path / "b", put(PatientName="WURZELBRUNFT^Xaverina^^"))
    assert read_study(tmp_path).source == "dicom"


def test_two_studies_are_read_when_the_user_says_which_series(tmp_path):
    write(tmp_path / "a", number=2)
    write(tmp_path / "b", number=3, study="another")
    assert read_study(tmp_path, "3").series.startswith("series 3 ")


def test_pixels_are_not_touched_before_all_headers_are_good(tmp_path, monkeypatch):
    drop(slice(9, 10))(write(tmp_path))

    def never(*_):
        raise AssertionError

    monkeypatch.setattr(ffr.reading.dicom, "read_pixels", never)
    assert reason_of(tmp_path) == "slices-missing"


@pytest.mark.parametrize("syntax", ["rle", "jpeg-ls", "jpeg-lossless", "jpeg-2000", "deflated"])
def test_damaged_compressed_pixels_are_refused(tmp_path, syntax):
    truncate(0.7)(write(tmp_path, transfer_syntax=syntax))
    assert reason_of(tmp_path) == "file-corrupt"


def test_a_multiframe_file_with_a_frame_missing_or_cut_is_refused(tmp_path):
    write(tmp_path / "gap", enhanced=True)

    def lose_frame(dataset):
        groups = dataset.PerFrameFunctionalGroupsSequence
        groups[9].PlanePositionSequence[0].ImagePositionPatient[2] = -180.125

    edit(tmp_path / "gap", lose_frame)
    assert reason_of(tmp_path / "gap") == "slices-missing"
    truncate(0.5, "IM000001.dcm")(write(tmp_path / "cut", enhanced=True))
    assert reason_of(tmp_path / "cut") == "file-corrupt"


def packed(tmp_path, members):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return tmp_path / "a.zip"


def test_a_zip_cannot_write_outside_its_folder(tmp_path, monkeypatch):
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    members = [("../../escaped.dcm", b"x"), ("/escaped.dcm", b"x"), ("..\\escaped.txt", b"x")]
    assert reason_of(packed(tmp_path, members)) == "file-corrupt"
    assert sorted(os.listdir(tmp_path)) == ["a.zip", "temp"]


def test_a_zip_bomb_a_damaged_and_an_empty_zip_are_refused(tmp_path):
    bomb = packed(tmp_path, [(str(n), bytes(2**22)) for n in range(20)])
    with pytest.raises(StudyError, match="times its size"):
        read_study(bomb)
    whole = packed(tmp_path, [("a.dcm", os.urandom(4000))])
    whole.write_bytes(whole.read_bytes()[:2000])
    assert reason_of(whole) == "file-corrupt"
    assert reason_of(packed(tmp_path, [("README", b"hello")])) == "empty"
    (tmp_path / "b.zip").write_bytes(b"nonsense")
    assert reason_of(tmp_path / "b.zip") == "file-corrupt"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha"])
@pytest.mark.parametrize("share", [0.001, 0.5, 0.95])
def test_volume_files_that_break_off_are_refused(tmp_path, name, share, packed):
    SimpleITK.WriteImage(image_of(chest()), str(tmp_path / name), useCompression=packed)
    raw = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(raw[: int(share * len(raw))])
    assert reason_of(tmp_path / name) == "file-corrupt"


def test_volume_files_without_hounsfield_units_are_refused(tmp_path):
    volume = chest()
    hu = volume.values.astype(np.float32)
    broken = hu.copy()
    broken[3] = np.nan
    wrong = {
        "8 bit": ((hu + 1000) / 8).clip(0, 255).astype(np.uint8),
        "unsigned": (hu + 1024).clip(0).astype(np.uint16),
        "shifted": (hu + 1024).astype(np.int16),
        "unit": (hu + 1000) / 1500,
        "not numbers": broken,
        "MR": np.abs(hu),
    }
    for values in wrong.values():
        image = SimpleITK.GetImageFromArray(values)
        image.SetSpacing([0.7, 0.7, 0.7])
        SimpleITK.WriteImage(image, str(tmp_path / "a.nrrd"))
        assert reason_of(tmp_path / "a.nrrd") == "not-hu"
    colours = SimpleITK.GetImageFromArray(np.stack([hu] * 3, axis=-1), isVector=True)
    SimpleITK.WriteImage(colours, str(tmp_path / "a.nrrd"))
    assert reason_of(tmp_path / "a.nrrd") == "not-hu"


def test_volume_files_of_the_wrong_extent_are_refused(tmp_path):
    path = tmp_path / "a.mha"
    thick = chest(spacing_mm=(0.7, 0.7, 2.5))
    SimpleITK.WriteImage(image_of(thick), str(path))
    assert reason_of(path) == "slices-too-thick"
    SimpleITK.WriteImage(image_of(chest((40, 40, 5))), str(path))
    assert reason_of(path) == "too-few-slices"
    four = SimpleITK.JoinSeries([image_of(chest())] * 3)
    SimpleITK.WriteImage(four, str(path))
    assert reason_of(path) == "several-volumes"


def test_slices_over_one_millimetre_are_flagged(tmp_path):
    assert read_study(write(tmp_path / "a")).flags == ()
    thick = read_study(write(tmp_path / "b", slice_thickness_mm=1.25))
    assert [flag.name for flag in thick.flags] == ["slices-thick"]
    apart = read_study(write(tmp_path / "c", chest(spacing_mm=(0.7, 0.7, 1.2))))
    assert [flag.name for flag in apart.flags] == ["slices-thick"]


def test_a_path_that_is_wrong_is_not_repeated(tmp_path):
    with pytest.raises(ConfigError, match="does not exist") as caught:
        read_study(tmp_path / "Wurzelbrunft")
    assert "Wurzelbrunft" not in str(caught.value)
    for name in ("a.nii.gz", "b.nii.gz"):
        (tmp_path / name).write_bytes(gzip.compress(b"x"))
    with pytest.raises(ConfigError, match="2 volume files"):
        read_study(tmp_path)


def test_no_error_drags_the_header_along_in_its_traceback(tmp_path):
    scribble(write(tmp_path))
    with pytest.raises(StudyError) as caught:
        read_study(tmp_path)
    lines = "".join(traceback.format_exception(caught.value)).lower()
    assert not [secret for secret in SECRETS if secret in lines]


# ---- real scans


@needs_data
def test_real_tilted_and_uneven_slices_are_refused():
    assert reason_of(SHARED / "dicom_tilt_uneven") == "gantry-tilt"


@needs_data
def test_real_uneven_slices_are_refused_for_that_once_the_tilt_is_taken_off(tmp_path):
    for path in sorted((SHARED / "dicom_tilt_uneven").glob("*.dcm")):
        dataset = pydicom.dcmread(path)
        dataset.GantryDetectorTilt = 0
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.save_as(tmp_path / path.name)
    assert reason_of(tmp_path) == "slices-uneven"


@needs_data
def test_a_real_volume_is_read_for_the_anatomy_and_its_mask_is_refused():
    scan = read_study(SHARED / "ct_heart_1p5mm" / "ct_cropped.nii.gz")
    assert scan.volume.grid.size.tolist() == [120, 126, 164]
    assert [flag.name for flag in scan.flags] == ["slices-thick"]
    assert reason_of(SHARED / "ct_heart_1p5mm" / "aorta.nii.gz") == "not-hu"
