"""Scans with labels: layouts, checks, what the labels mean."""

import numpy as np
import pytest
import SimpleITK
from command_line import SECRET
from labelled import GRID, HU, LABEL, MM, N, fake_heart, second_pair, shifted, touch

from ffr.anatomy import Anatomy, Vessel
from ffr.errors import ConfigError
from ffr.labelled_scans import LabelMeaning, find_pairs, label_meaning, read_pair
from ffr.segmentation import finetune_windows
from ffr.segmentation.maps import HeartMap
from meshes.resample import to_itk
from meshes.volume import Volume, axis_aligned_grid


def names(pairs):
    return [(p.number, p.image.name, p.label.name) for p in pairs]


@pytest.mark.parametrize("above", ["", "Normal/", "ASOCA/Diseased/"])
def test_asoca_pairs_lie_in_folders_beside_each_other(tmp_path, above):
    touch(
        tmp_path, f"{above}CTCA/Case_10.nrrd", f"{above}CTCA/Case_2.nrrd",
        f"{above}Annotations/Case_2.nrrd", f"{above}Annotations/Case_10.nrrd",
        f"{above}Testset_Normal/0.nrrd", f"{above}CTCA/Case_3.nrrd", f"{above}notes.txt",
    )  # fmt: skip
    found = find_pairs(tmp_path)
    assert names(found) == [
        (1, "Case_2.nrrd", "Case_2.nrrd"), (2, "Case_10.nrrd", "Case_10.nrrd")
    ]  # fmt: skip
    assert all(p.image.parent.name == "CTCA" for p in found)
    assert all(p.label.parent.name == "Annotations" for p in found)


def test_asoca_halves_count_on(tmp_path):
    touch(
        tmp_path, "Normal/CTCA/Normal_1.nrrd", "Normal/Annotations/Normal_1.nrrd",
        "Diseased/CTCA/Diseased_1.nrrd", "Diseased/Annotations/Diseased_1.nrrd",
    )  # fmt: skip
    assert names(find_pairs(tmp_path)) == [
        (1, "Diseased_1.nrrd", "Diseased_1.nrrd"), (2, "Normal_1.nrrd", "Normal_1.nrrd")
    ]  # fmt: skip


def test_imagecas_pairs_are_found_in_sub_folders_in_the_order_of_their_numbers(tmp_path):
    touch(
        tmp_path, "1-200/10.img.nii.gz", "1-200/10.label.nii.gz", "1-200/9.img.nii.gz",
        "1-200/9.label.nii.gz", "201-400/201.img.nii.gz", "201-400/._201.label.nii.gz",
    )  # fmt: skip
    found = find_pairs(tmp_path)
    assert [p.image.name for p in found] == ["9.img.nii.gz", "10.img.nii.gz"]
    assert {p.layout for p in found} == {"ImageCAS"}


def test_nnunet_pairs_are_the_first_channel_and_the_label_of_the_case(tmp_path):
    touch(
        tmp_path, "imagesTr/a_0000.nii.gz", "imagesTr/a_0001.nii.gz", "labelsTr/a.nii.gz",
        "imagesTr/b_0000.nii.gz", "labelsTr/b.nii.gz", "imagesTs/c_0000.nii.gz",
    )  # fmt: skip
    assert names(find_pairs(tmp_path)) == [
        (1, "a_0000.nii.gz", "a.nii.gz"), (2, "b_0000.nii.gz", "b.nii.gz")
    ]  # fmt: skip


def test_a_folder_without_two_pairs_is_refused_with_the_layouts_that_are_known(tmp_path):
    touch(tmp_path, f"{SECRET}.nii.gz", "7.img.nii.gz")
    with pytest.raises(ConfigError, match=r"no image has a label there.*ASOCA.*ImageCAS"):
        find_pairs(tmp_path)
    touch(tmp_path, "7.label.nii.gz")
    with pytest.raises(ConfigError, match="two are needed"):
        find_pairs(tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"label_grid": shifted(5.0)}, "label and image lie up to 5.0 mm apart"),
        (
            {"label": LABEL[4:], "label_grid": axis_aligned_grid((N, N, N - 4), MM, (0, 0, 0))},
            "the label has 48 x 48 x 44 voxels, the image 48 x 48 x 48",
        ),
        ({"label": 0 * LABEL}, "mask-empty"),
        ({"label": LABEL * (np.indices(LABEL.shape)[0] < 3)}, "the label holds 0.0"),
        ({"label": np.roll(LABEL, 12, axis=2)}, "under the label the image reads 60 HU"),
        ({"hu": (HU * 0 + 40).astype(np.int16)}, "not-hu"),
    ],
)
def test_a_pair_that_cannot_teach_is_named_by_its_number(tmp_path, changed, message):
    pair = second_pair(tmp_path, **changed)
    with pytest.raises(ConfigError, match=message) as error:
        read_pair(pair, LabelMeaning())
    assert str(error.value).startswith("pair 2: ")
    assert SECRET not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_rounded_origin_and_mirrored_axes_move_no_label(tmp_path):
    pair = second_pair(tmp_path, label_grid=shifted(0.02))
    assert np.array_equal(read_pair(pair, LabelMeaning()).told.values, LABEL)
    mirrored = SimpleITK.DICOMOrient(to_itk(Volume(GRID, LABEL)), "RAS")
    SimpleITK.WriteImage(mirrored, str(pair.label))
    read = read_pair(pair, LabelMeaning())
    assert np.array_equal(read.told.values, LABEL)
    assert np.array_equal(read.scan.volume.values, HU)


def test_labels_mean_what_was_said_of_them(tmp_path):
    many = LABEL.copy()
    many[:10] *= 7  # calcium
    many[20:] *= 2  # a second lumen
    pair = second_pair(tmp_path, label=many)
    told = read_pair(pair, label_meaning(None, None, "7")).told.values
    assert set(np.unique(told[:10])) == {Vessel.BACKGROUND, Vessel.CALCIUM}
    assert np.array_equal(told[10:], LABEL[10:] * int(Vessel.LUMEN))
    told = read_pair(pair, label_meaning("2", "1", None)).told.values
    assert set(np.unique(told[10:20])) == {Vessel.BACKGROUND, Vessel.PLAQUE}
    with pytest.raises(ConfigError, match="pair 2: no voxel is coronary lumen"):
        read_pair(pair, label_meaning("5", None, None))
    with pytest.raises(ConfigError, match="label 2 is given two meanings"):
        label_meaning("1,2", None, "2")


@pytest.mark.parametrize(
    ("heart", "message"),
    [
        (lambda v, n: HeartMap(fake_heart(v, n).labels, 0, 90.0), "the aorta reads 90 HU"),
        (
            lambda v, n: HeartMap(
                Volume(axis_aligned_grid((9, 9, 9), 2.0, (200.0, 0, 0)),
                       np.full((9, 9, 9), Anatomy.LV, np.uint8)), 0, 400.0),
            "0 % of the label is near the heart",
        ),
        (
            lambda v, n: HeartMap(
                Volume(fake_heart(v, n).labels.grid, np.zeros((17, 17, 17), np.uint8)), 0, 0),
            "no heart was found",
        ),
    ],
)  # fmt: skip
def test_a_label_away_from_the_heart_is_refused(tmp_path, monkeypatch, heart, message):
    monkeypatch.setattr(finetune_windows, "map_heart", heart)
    pair = second_pair(tmp_path)
    with pytest.raises(ConfigError, match=f"^pair 2: {message}"):
        finetune_windows.heart_of(read_pair(pair, LabelMeaning()), None)
