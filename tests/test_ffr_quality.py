"""Are faults of the image seen, and is a good image left in peace?"""

from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from ffr.anatomy import Anatomy
from ffr.errors import StudyError
from ffr.flags import Flag
from ffr.imaging.noise import flat_noise_hu, patch_sd_hu
from ffr.imaging.opacified import CONTRAST_CM2, opacified_area_cm2
from ffr.imaging.quality import check_all, check_anatomy, check_resolution, check_scan
from ffr.imaging.slab_steps import find_slab_steps
from ffr.reading.study import read_study
from ffr.scan import Scan
from meshes.volume import (
    Volume,
    array_shape,
    axis_aligned_grid,
    ijk_to_points_mm,
    points_mm_to_ijk,
)

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"
needs_data = pytest.mark.skipif(not SHARED.exists(), reason="the real scans are not here")
EXTENT_MM = (132.0, 132.0, 100.0)
VALVE_MM = 62.0  # height where the left ventricle ends and the aorta begins
FINE_MM = (0.6, 0.6, 1.0)


@cache
def scene(spacing_mm=FINE_MM):
    """Labels of a left ventricle, a bent aorta, and a descending aorta, exactly painted.

    Lung is marked 100 and fat 101, which are not anatomy.
    """
    size = [round(e / s) for e, s in zip(EXTENT_MM, spacing_mm, strict=True)]
    grid = axis_aligned_grid(size, spacing_mm, 0.5 * np.array(spacing_mm))
    ijk = np.stack(np.meshgrid(*(np.arange(n) for n in size), indexing="ij"), axis=-1)
    x, y, z = np.moveaxis(ijk_to_points_mm(grid, ijk), -1, 0)
    labels = np.zeros(x.shape, dtype=np.uint8)
    labels[np.hypot((x - 66) / 60, (y - 66) / 50) > 1] = 100
    labels[np.hypot((x - 66) / 48, (y - 60) / 40) < 1] = 101
    inside = np.hypot(np.hypot(x - 60, y - 60), 0.8 * (z - 38))
    labels[inside < 32] = Anatomy.MYOCARDIUM
    # the outflow tract begins inside the ventricle: a flat floor would be a step in itself
    tube = (np.hypot(x - 60 - 0.15 * (z - VALVE_MM), y - 60) < 14) & (z > 45)
    labels[((inside < 22) | tube) & (z < VALVE_MM)] = Anatomy.LV
    labels[tube & (z >= VALVE_MM)] = Anatomy.AORTA
    labels[np.hypot(x - 85, y - 108) < 11] = Anatomy.AORTA
    return Volume(grid, labels.transpose(2, 1, 0))


@lru_cache(maxsize=6)
def scan_of(blood_hu=400.0, noise_hu=20.0, spacing_mm=FINE_MM, kernel="Bv40", flags=()):
    """Return the scan of the scene and its labels at 2 mm."""
    fine = scene(spacing_mm)
    lut = np.full(256, 50.0, dtype=np.float32)
    lut[[Anatomy.AORTA, Anatomy.LV]] = blood_hu
    lut[Anatomy.MYOCARDIUM], lut[100], lut[101] = 110.0, -850.0, -90.0
    hu = gaussian_filter(lut[fine.values], 0.5 / np.array(spacing_mm)[::-1])
    grain = np.random.default_rng(5).normal(size=hu.shape).astype(np.float32)
    grain = gaussian_filter(grain, 0.3 / np.array(spacing_mm)[::-1])
    hu += noise_hu * grain / grain.std()
    return scan(Volume(fine.grid, np.rint(hu).astype(np.int16)), kernel, flags), scene(
        (2, 2, 2)
    )


def scan(volume, kernel="Bv40", flags=()):
    return Scan(volume, "dicom", "", 0.6, "", 120.0, kernel, flags)


def cropped(volume, first_mm, last_mm):
    """Return the slices between two heights."""
    z = ijk_to_points_mm(volume.grid, [[0, 0, k] for k in range(len(volume.values))])[:, 2]
    keep = np.flatnonzero((z >= first_mm) & (z <= last_mm))
    origin = ijk_to_points_mm(volume.grid, [0, 0, keep[0]])
    size = [*volume.grid.size[:2], len(keep)]
    return Volume(replace(volume.grid, size=size, origin_mm=origin), volume.values[keep])


def names(flags):
    return [flag.name for flag in flags]


def reason_of(check, *args):
    with pytest.raises(StudyError) as caught:
        check(*args)
    assert "\n" not in caught.value.message
    return caught.value.reason


# ---- a good scan


def test_a_good_scan_raises_no_flag():
    assert check_all(*scan_of()) == ()


def test_a_turned_patient_is_judged_by_the_same_points_in_space():
    made, labels = scan_of(noise_hu=70.0)
    turn = Rotation.from_euler("xyz", [5, -8, 12], degrees=True).as_matrix()

    def turned(volume):
        grid = replace(
            volume.grid, direction=turn @ volume.grid.direction,
            origin_mm=turn @ volume.grid.origin_mm,
        )  # fmt: skip
        return Volume(grid, volume.values)

    assert check_anatomy(scan(turned(made.volume)), turned(labels)) == check_anatomy(
        made, labels
    )
    # labels that lie elsewhere hit other voxels
    assert reason_of(check_anatomy, scan(made.volume), turned(labels)) in (
        "coronary-origins-missing", "contrast-missing",
    )  # fmt: skip


def test_flags_of_the_reader_are_kept_and_each_is_said_once():
    thick = Flag("slices-thick", "thick")
    made, labels = scan_of(noise_hu=80.0, flags=(thick,))
    assert names(check_scan(made)) == ["noise-strong"]
    assert names(check_anatomy(made, labels)) == ["noise-strong"]
    assert names(check_all(made, labels)) == ["noise-strong", "slices-thick"]


# ---- contrast


@pytest.mark.parametrize(("blood_hu", "flags"), [(300, []), (260, []), (240, ["contrast-low"])])
def test_low_contrast_in_the_aorta_is_flagged(blood_hu, flags):
    assert names(check_anatomy(*scan_of(blood_hu))) == flags


@pytest.mark.parametrize("blood_hu", [40, 140])
def test_a_scan_without_contrast_is_refused(blood_hu):
    assert reason_of(check_anatomy, *scan_of(blood_hu)) == "contrast-missing"


def test_without_contrast_nobody_blames_the_heart_that_no_network_could_find():
    made, labels = scan_of(45)
    nothing = Volume(labels.grid, np.zeros_like(labels.values))
    assert reason_of(check_anatomy, made, nothing) == "contrast-missing"
    made, _ = scan_of(400)
    assert reason_of(check_anatomy, made, nothing) == "heart-missing"


def test_broad_blood_is_told_from_thin_bright_things():
    plane = np.full((300, 300), -80.0)
    y, x = np.mgrid[:300, :300] * 0.5
    plane[np.hypot(x - 60, y - 60) < 32] = 400.0
    assert opacified_area_cm2(plane, 0.5) == pytest.approx(np.pi * 3.2**2, rel=0.1)
    ribs = np.full((300, 300), -80.0)
    for centre in range(0, 150, 15):
        ribs[np.hypot(x - centre, y - 40) < 4.5] = 600.0
    assert opacified_area_cm2(ribs, 0.5) == 0.0
    assert opacified_area_cm2(np.full((300, 300), 45.0), 0.5) < CONTRAST_CM2


# ---- field of view


def test_a_scan_that_ends_at_the_root_lacks_the_coronary_origins():
    made, labels = scan_of()
    for top_mm in (50.0, 66.0, 78.0):
        cut = scan(cropped(made.volume, 0, top_mm)), cropped(labels, 0, top_mm)
        assert reason_of(check_anatomy, *cut) == "coronary-origins-missing"
    kept = scan(cropped(made.volume, 0, 94.0)), cropped(labels, 0, 94.0)
    assert check_anatomy(*kept) == ()


def test_labels_that_reach_beyond_the_scan_do_not_hide_that_it_is_cut():
    made, labels = scan_of()
    cut = scan(cropped(made.volume, 0, 78.0))
    assert reason_of(check_anatomy, cut, labels) == "coronary-origins-missing"


def test_a_descending_aorta_alone_is_no_root():
    made, labels = scan_of()
    values = labels.values.copy()
    z = ijk_to_points_mm(labels.grid, [[0, 0, k] for k in range(len(values))])[:, 2]
    above = values[z > VALVE_MM]
    above[:, :42][above[:, :42] == Anatomy.AORTA] = 0
    values[z > VALVE_MM] = above
    assert np.any(values == Anatomy.AORTA)
    assert reason_of(check_anatomy, made, Volume(labels.grid, values)) == (
        "coronary-origins-missing"
    )


def test_stray_voxels_called_ventricle_beside_the_descending_aorta_cut_nothing_off():
    made, labels = scan_of()
    values = labels.values.copy()
    aorta = values == Anatomy.AORTA
    beside = np.zeros_like(aorta)  # close by the descending aorta, which leaves the scan
    beside[40:42, 46:48, 40:44] = True
    assert not aorta[beside].any()
    values[beside] = Anatomy.LV
    assert check_anatomy(made, Volume(labels.grid, values)) == ()


def test_a_scan_above_or_beside_the_heart_lacks_it():
    made, labels = scan_of()
    above = scan(cropped(made.volume, 66.0, 200)), cropped(labels, 66.0, 200)
    assert reason_of(check_anatomy, *above) == "heart-missing"


def test_a_heart_whose_apex_is_cut_off_is_flagged():
    made, labels = scan_of()
    assert names(check_anatomy(made, labels)) == []
    cut = scan(cropped(made.volume, 25.0, 200)), cropped(labels, 25.0, 200)
    assert names(check_anatomy(*cut)) == ["heart-cut"]


def test_a_short_scan_is_flagged():
    made, _ = scan_of()
    assert names(check_scan(scan(cropped(made.volume, 10, 95)))) == []
    assert names(check_scan(scan(cropped(made.volume, 10, 85)))) == ["coverage-short"]


# ---- resolution and kernel


@pytest.mark.parametrize(("pixel_mm", "fault"), [(0.5, ""), (1.0, ""), (1.1, "refused")])
def test_coarse_pixels_are_refused_after_the_anatomy_is_found(pixel_mm, fault):
    grid = axis_aligned_grid([8, 8, 8], (pixel_mm, pixel_mm, 0.5), (0, 0, 0))
    made = scan(Volume(grid, np.zeros(array_shape(grid), dtype=np.int16)))
    if fault:
        assert reason_of(check_resolution, made) == "voxels-too-coarse"
    else:
        check_resolution(made)


def test_everything_is_checked_and_coarseness_comes_last():
    made, labels = scan_of(spacing_mm=(1.1, 1.1, 1.0))
    assert names(check_anatomy(made, labels)) == []
    assert reason_of(check_all, made, labels) == "voxels-too-coarse"
    poor, labels = scan_of(blood_hu=60, spacing_mm=(1.1, 1.1, 1.0))
    assert reason_of(check_all, poor, labels) == "contrast-missing"


def test_wide_pixels_are_flagged():
    made, _ = scan_of(spacing_mm=(0.75, 0.75, 1.0))
    assert names(check_scan(made)) == ["voxels-coarse"]


@pytest.mark.parametrize(
    ("kernel", "sharp"),
    [("Bv40", False), ("STANDARD", False), ("FC03", False), ("B26f", False), (None, False),
     ("LUNG", True), ("BONEPLUS", True), ("Br64", True), ("B70f", True), ("I70f", True)],
)  # fmt: skip
def test_kernels_for_lung_and_bone_are_flagged(kernel, sharp):
    made, _ = scan_of()
    found = names(check_scan(replace(made, kernel=kernel)))
    assert found == (["kernel-sharp"] if sharp else [])


# ---- noise


@pytest.mark.parametrize(("noise_hu", "strong"), [(10, False), (40, False), (65, True)])
def test_strong_noise_is_flagged_with_and_without_labels(noise_hu, strong):
    made, labels = scan_of(noise_hu=noise_hu)
    expected = ["noise-strong"] if strong else []
    assert names(check_anatomy(made, labels)) == expected
    assert names(check_scan(made)) == expected


@pytest.mark.parametrize("noise_hu", [0.0, 15.0, 60.0])
def test_the_noise_that_was_added_is_measured_to_a_tenth(noise_hu):
    made, _ = scan_of(noise_hu=noise_hu)
    assert flat_noise_hu(made.volume.values, 0.6) == pytest.approx(noise_hu, rel=0.1, abs=1.0)


def test_a_slope_of_contrast_is_not_noise_but_an_edge_is():
    values = np.tile(np.arange(40.0) * 20, (3, 40, 1))
    centre = np.array([[1, 20, 20]])
    assert patch_sd_hu(values, 0.5, centre)[0] < 1e-9
    values[:, :, 20:] += 300
    assert patch_sd_hu(values, 0.5, centre)[0] > 30
    assert patch_sd_hu(values, 0.5, np.array([[1, 1, 20]])).size == 0


# ---- slabs


def stepped(values, at, shift_mm=(0.0, 0.0, 0.0), jump_hu=0.0, spacing_mm=FINE_MM):
    """Displace everything above slice `at`, as one heart beat does to the next."""
    voxels = [round(s / d) for s, d in zip(shift_mm, spacing_mm, strict=True)]
    moved = np.roll(values, voxels[::-1], axis=(0, 1, 2))
    result = values.copy()
    result[at + 1 :] = moved[at + 1 :]
    if jump_hu:
        above = result[at + 1 :]
        above[above > 200] += int(jump_hu)
    return result


@pytest.mark.parametrize("noise_hu", [10, 25, 50])
def test_a_scan_in_one_piece_has_no_steps(noise_hu):
    made, _ = scan_of(noise_hu=noise_hu)
    assert find_slab_steps(made.volume.values, 0.6).slices.size == 0


@pytest.mark.parametrize("noise_hu", [10, 40])
@pytest.mark.parametrize(
    ("shift_mm", "jump_hu"),
    [((1.8, 0, 0), 0), ((0, 1.8, 0), 0), ((1.2, -1.2, 0), 0), ((0, 0, 0), 30)],
)
def test_a_step_between_slabs_is_found_at_its_slice(noise_hu, shift_mm, jump_hu):
    made, _ = scan_of(noise_hu=noise_hu)
    values = stepped(made.volume.values, 47, shift_mm, jump_hu)
    steps = find_slab_steps(values, 0.6)
    assert steps.slices.tolist() == [47]
    assert steps.jump_hu[0] == pytest.approx(jump_hu, abs=6)


def test_steps_are_flagged_with_their_slices():
    made, labels = scan_of()
    values = stepped(stepped(made.volume.values, 30, (2.4, 0, 0)), 60, (0, 2.4, 0))
    spoilt = replace(made, volume=Volume(made.volume.grid, values))
    (flag,) = check_all(spoilt, labels)
    assert flag.name == "slab-steps"
    assert "31, 61" in flag.message


# ---- the real scan


@needs_data
def test_the_real_scan_has_usual_noise_no_steps_and_far_too_coarse_voxels():
    made = read_study(SHARED / "ct_heart_1p5mm" / "ct_cropped.nii.gz")
    assert 15 < flat_noise_hu(made.volume.values, 1.5) < 45
    assert set(names(check_scan(made))) == {"voxels-coarse"}
    assert reason_of(check_resolution, made) == "voxels-too-coarse"
    values = stepped(made.volume.values, 80, (3.0, 0, 0), spacing_mm=(1.5, 1.5, 1.5))
    assert find_slab_steps(values, 1.5).slices.tolist() == [80]


@needs_data
def test_the_real_aorta_is_found_filled_with_contrast_by_its_mask():
    """The left ventricle is painted in under the root, as the file holds only the aorta."""
    folder = SHARED / "ct_heart_1p5mm"
    made = read_study(folder / "ct_cropped.nii.gz")
    grid = made.volume.grid
    values = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(folder / "aorta.nii.gz")))
    sinus = SimpleITK.ReadImage(str(folder / "sinotubular_junction.nii.gz"))
    plane = np.argwhere(SimpleITK.GetArrayFromImage(sinus) > 0)[:, ::-1]
    middle_mm = ijk_to_points_mm(grid, plane).mean(axis=0)
    kji = np.argwhere(values == 0)
    away = ijk_to_points_mm(grid, kji[:, ::-1]) - (middle_mm + [20.0, -10.0, -38.0])
    labels = values.astype(np.uint8)
    labels[tuple(kji[np.linalg.norm(away, axis=1) < 26].T)] = Anatomy.LV
    assert np.all(np.abs(points_mm_to_ijk(grid, middle_mm) - grid.size / 2) < grid.size / 2)
    assert names(check_anatomy(made, Volume(grid, labels))) == []
