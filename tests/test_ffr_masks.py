"""Masks of other programs become the trees they were painted from, or one clear line."""

import functools
import json

import numpy as np
import pytest
import SimpleITK
from command_line import SECRET, ffr, refused
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from ffr.editing.rows import kept
from ffr.errors import ConfigError, StudyError
from ffr.masks.file import Labelled, read_labels
from ffr.masks.lumen import measure_mask
from ffr.masks.settings import MaskSettings, mask_settings
from ffr.masks.trees import mask_trees
from ffr.phantom.imaging import truth_labels
from ffr.phantom.patient import virtual_patient
from meshes.arrays import floats, ints
from meshes.resample import box_grid, to_itk
from meshes.tree import VesselTree, child_count, path_length_mm, segment_length_mm
from meshes.volume import Grid, Volume, array_shape, axis_aligned_grid, ijk_to_points_mm

SEED = 1000503
AORTA = 7
SHORT_MM = 70.0  # of both trees from their ostia: enough where nothing is said of the tips


def quiet(_):
    pass


@functools.cache
def patient():
    return virtual_patient(SEED)


def extent(trees=None):
    trees = trees or (patient().left, patient().right)
    points = np.concatenate([c.tree.points_mm for c in trees])
    return points.min(axis=0) - 4.0, points.max(axis=0) + 4.0


@functools.cache
def lumen():
    """The lumen of both trees at 0.5 mm, as an expert would draw it."""
    grid = box_grid(*extent(), 0.5)
    return Volume(
        grid, (truth_labels(patient(), grid, vessels=True).values == 1) * np.uint16(1)
    )


@functools.cache
def with_aorta():
    """The same: 1 left tree, 2 right tree, 7 the aorta."""
    grid = lumen().grid
    heart = truth_labels(patient(), grid).values
    labels = np.where(heart == 1, AORTA, 0).astype(np.uint16)
    where = np.argwhere(lumen().values)
    place = ijk_to_points_mm(grid, where[:, ::-1])
    off = [cKDTree(c.tree.points_mm).query(place)[0] for c in (patient().left, patient().right)]
    labels[tuple(where.T)] = np.where(off[0] < off[1], 1, 2)
    return Volume(grid, labels)


def short(side):
    """The first part of a true tree."""
    c = truth(side)
    return kept(c, path_length_mm(c.tree) < SHORT_MM)


def cropped(volume, keep):
    """The voxels of `keep` and the box around them."""
    where = np.argwhere(keep)
    low, high = np.maximum(where.min(axis=0) - 4, 0), where.max(axis=0) + 5
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    values = np.where(keep, volume.values, 0)[box]
    grid = volume.grid
    corner = ijk_to_points_mm(grid, low[::-1])
    size = ints(values.shape[::-1])
    return Volume(Grid(size, grid.spacing_mm, floats(corner), grid.direction), values)


def of_short(volume):
    """Mask the voxels of a lumen that belong to the first part of the trees; see `short`."""
    where = np.argwhere(volume.values)
    place = ijk_to_points_mm(volume.grid, where[:, ::-1])
    trees = [truth(side).tree for side in ("left", "right")]
    s = np.concatenate([path_length_mm(tree) for tree in trees])
    near = cKDTree(np.concatenate([tree.points_mm for tree in trees])).query(place)[1]
    keep = np.zeros(volume.values.shape, dtype=bool)
    keep[tuple(where[s[near] < SHORT_MM].T)] = True
    return keep


@functools.cache
def short_lumen():
    """The lumen of the first part of both trees."""
    return cropped(lumen(), of_short(lumen()))


@functools.cache
def short_with_aorta():
    """The same with the labels of `with_aorta` and all of the aorta."""
    return cropped(with_aorta(), of_short(lumen()) | (with_aorta().values == AORTA))


def labelled(volume):
    return Labelled(volume, "nifti", np.bincount(volume.values.ravel()), False)


def traced(volume, **said):
    trees, flags = mask_trees(labelled(volume), MaskSettings(**said), None, quiet)
    return {c.side: c for c in trees}, flags


def truth(side):
    return getattr(patient(), side)


def messages(flags, name):
    return [f.message for f in flags if f.name == name]


def agreement(found, true):
    """Share of the true length that was found, of the found length that is false."""
    off_true = cKDTree(found.tree.points_mm).query(true.tree.points_mm)[0]
    off_found, near = cKDTree(true.tree.points_mm).query(found.tree.points_mm)
    true_mm, found_mm = segment_length_mm(true.tree), segment_length_mm(found.tree)
    radius = true.tree.radius_mm[near]
    error = found.tree.radius_mm - radius
    forks = found.tree.points_mm[child_count(found.tree) > 1]
    alone = cKDTree(forks).query(found.tree.points_mm)[0] > 3.0
    alone &= np.linalg.norm(found.tree.points_mm - found.tree.points_mm[0], axis=1) > 8.0
    return (
        true_mm[off_true < 1.0].sum() / true_mm.sum(),
        found_mm[off_found > 1.0].sum() / found_mm.sum(),
        (radius[alone], error[alone]),
    )


@functools.cache
def plain():
    return traced(lumen())


def test_a_binary_mask_gives_both_trees_on_their_sides_without_an_aorta():
    trees, flags = plain()
    assert sorted(trees) == ["left", "right"]
    for side, tree in trees.items():
        found, false, _ = agreement(tree, truth(side))
        assert found > 0.97
        assert false < 0.02
        start = np.linalg.norm(tree.tree.points_mm[0] - truth(side).tree.points_mm[0])
        assert start < 2.5  # the mask begins behind the wall of the aorta
    assert {"LM", "LAD", "LCx"} <= set(trees["left"].names)
    assert "RCA" in trees["right"].names
    names = [f.name for f in flags]
    assert names == ["lumen-from-mask", "names-guessed", "ostium-guessed", "ostium-guessed"]


def test_radii_are_finer_than_the_voxels_at_every_calibre():
    trees, _ = plain()
    pairs = [agreement(tree, truth(side))[2] for side, tree in trees.items()]
    radius, error = (np.concatenate(part) for part in zip(*pairs, strict=True))
    for low, high in ((0.4, 0.75), (0.75, 1.0), (1.0, 1.5), (1.5, 2.5)):
        here = error[(radius >= low) & (radius < high)]
        assert here.size > 30
        assert abs(np.median(here)) < 0.025  # a twentieth of a voxel
        assert np.percentile(np.abs(here), 90) < 0.1  # of 0.5 mm
    for tree in trees.values():
        assert tree.radius_sd_mm.min() > 0.25 * 0.5
        inside = np.abs(error) < 2 * tree.radius_sd_mm.min()
        assert inside.mean() > 0.95


def test_an_oblique_grid_with_long_voxels_gives_the_same_trees(tmp_path):
    low, high = extent([short(side) for side in ("left", "right")])
    spacing = np.array([0.45, 0.45, 0.6])
    turn = Rotation.from_euler("xyz", (14, -11, 24), degrees=True).as_matrix()
    size = np.ceil((high - low) * 1.25 / spacing).astype(int)
    corner = (low + high) / 2 - turn @ ((size - 1) * spacing / 2)
    grid = Grid(ints(size), floats(spacing), floats(corner), floats(turn))
    values = of_short(Volume(grid, truth_labels(patient(), grid, vessels=True).values == 1))
    image = to_itk(Volume(grid, values.astype(np.float32)))
    image = SimpleITK.PermuteAxes(SimpleITK.Flip(image, (True, False, True)), (2, 0, 1))
    SimpleITK.WriteImage(image, tmp_path / "mask.nrrd")
    trees, _ = mask_trees(
        read_labels(tmp_path / "mask.nrrd", quiet), MaskSettings(), None, quiet
    )
    assert [c.side for c in trees] == ["left", "right"]
    for tree in trees:
        found, false, (_, error) = agreement(tree, short(tree.side))
        assert found > 0.96
        assert false < 0.02
        assert abs(np.median(error)) < 0.02
        assert np.percentile(np.abs(error), 90) < 0.12


@pytest.mark.parametrize(
    "said",
    [{"left": (1,), "right": (2,), "aorta": AORTA}, {"labels": (1, 2), "aorta": AORTA}],
)
def test_labels_tell_vessels_and_aorta_whatever_the_order_of_the_axes(said, tmp_path):
    image = SimpleITK.Flip(to_itk(short_with_aorta()), (True, True, False))
    SimpleITK.WriteImage(SimpleITK.PermuteAxes(image, (2, 0, 1)), tmp_path / "mask.nrrd")
    mask = read_labels(tmp_path / "mask.nrrd", quiet)
    found, flags = mask_trees(mask, MaskSettings(**said), None, quiet)
    trees = {c.side: c for c in found}
    for side, tree in trees.items():
        assert agreement(tree, short(side))[0] > 0.96
        start = np.linalg.norm(tree.tree.points_mm[0] - short(side).tree.points_mm[0])
        assert start < 1.5
    assert sorted(trees) == ["left", "right"]
    assert not messages(flags, "ostium-guessed")


def test_the_label_decides_the_side_and_not_the_place():
    trees, _ = traced(short_with_aorta(), left=(2,), right=(1,), aorta=AORTA)
    assert agreement(trees["right"], short("left"))[0] > 0.9
    assert agreement(trees["left"], short("right"))[0] > 0.9


def test_an_aorta_in_a_binary_mask_is_cut_off():
    volume = short_with_aorta()
    trees, flags = traced(Volume(volume.grid, np.minimum(volume.values, 1)))
    assert messages(flags, "aorta-cut")
    for side in ("left", "right"):
        start = trees[side].tree.points_mm[0]
        assert np.linalg.norm(start - short(side).tree.points_mm[0]) < 3.0
        first, true = trees[side].tree, short(side).tree
        near = cKDTree(true.points_mm).query(first.points_mm[:12])[1]
        assert np.all(first.radius_mm[:12] < 1.3 * true.radius_mm[near])  # no aortic blood
    with pytest.raises(StudyError, match=r"mask-wide: .*holds labels 1, 2, 7"):
        traced(volume)


def cut(side, name, at_mm, length_mm):
    """The mask with a stretch of a vessel erased, and the middle of that stretch."""
    c = short(side)
    points = c.tree.points_mm[c.branch == c.names.index(name)]
    middle = points[int(at_mm / 0.5)]
    values = np.array(short_lumen().values)
    where = np.argwhere(values)
    place = ijk_to_points_mm(short_lumen().grid, where[:, ::-1])
    tangent = points[int(at_mm / 0.5) + 3] - points[int(at_mm / 0.5) - 3]
    along = (place - middle) @ (tangent / np.linalg.norm(tangent))
    aside = np.linalg.norm(place - middle, axis=1)
    gone = (np.abs(along) < length_mm / 2) & (aside < 4.0)
    values[tuple(where[gone].T)] = 0
    return Volume(short_lumen().grid, values), middle


def test_a_short_gap_is_bridged_and_told_with_its_place():
    volume, middle = cut("right", "RCA", 30.0, 2.4)
    trees, flags = traced(volume)
    assert agreement(trees["right"], short("right"))[0] > 0.97
    (message,) = messages(flags, "gap-bridged")
    assert "(in the RCA, " in message
    assert "may be an occlusion" in message
    told = float(message.split("RCA, ")[1].split(" mm")[0])
    assert told == pytest.approx(30.0, abs=4.0)
    tree = trees["right"]
    at = int(np.argmin(np.linalg.norm(tree.tree.points_mm - middle, axis=1)))
    assert tree.radius_sd_mm[at] > 0.3 * tree.tree.radius_mm[at]
    whole = plain()[0]["right"]
    same = int(np.argmin(np.linalg.norm(whole.tree.points_mm - middle, axis=1)))
    assert tree.tree.radius_mm[at] == pytest.approx(whole.tree.radius_mm[same], abs=0.2)


def test_a_long_gap_and_islands_are_left_out_and_told():
    volume, middle = cut("right", "RCA", 30.0, 9.0)
    values = np.array(volume.values)
    values[4:7, 4:7, 4:7] = 1
    trees, flags = traced(Volume(volume.grid, values))
    assert agreement(trees["right"], short("right"))[0] < 0.5
    (message,) = messages(flags, "piece-left-out")
    assert "from the RCA" in message
    assert "may be occluded" in message
    x, y, z = (float(v) for v in message.split("(")[1].split(" mm")[0].split(","))
    assert np.linalg.norm(middle - [x, y, z]) < 6.0
    assert messages(flags, "islands-dropped") == ["1 small island(s) of the mask were left out"]


def test_trees_that_touch_are_parted_and_loops_are_cut():
    values, grid = np.array(short_lumen().values), short_lumen().grid
    ends = [short(s).tree.points_mm[np.argmin(short(s).tree.points_mm[:, 2])] for s in
            ("left", "right")]  # fmt: skip
    for t in np.linspace(0, 1, 400):
        ijk = np.rint((ends[0] + t * (ends[1] - ends[0]) - grid.origin_mm) / 0.5).astype(int)
        values[tuple(slice(n - 1, n + 2) for n in ijk[::-1])] = 1
    trees, _ = traced(Volume(grid, values))
    assert sorted(trees) == ["left", "right"]
    for side, tree in trees.items():
        assert (
            agreement(tree, short(side))[0] > 0.94
        )  # the false bridge takes the tip it leaves from
        start = np.linalg.norm(tree.tree.points_mm[0] - short(side).tree.points_mm[0])
        assert start < 2.5


def test_given_ostia_are_where_the_trees_begin():
    c = short("right")
    point = c.tree.points_mm[c.branch == c.names.index("RCA")][40]
    trees, flags = traced(short_lumen(), right_ostium=tuple(point))
    assert np.linalg.norm(trees["right"].tree.points_mm[0] - point) < 1.5
    assert "left" in messages(flags, "ostium-guessed")[0]
    assert len(messages(flags, "ostium-guessed")) == 1
    with pytest.raises(ConfigError, match=r"--left-ostium is \d+ mm away from the nearest"):
        traced(short_lumen(), left_ostium=(400.0, 0.0, 0.0))


def tube(radius_mm, spacing_mm, length_mm=40.0):
    """A straight vessel at an angle to the voxels: its mask and its axis."""
    direction = np.array([0.5, 0.35, 0.79]) / np.linalg.norm([0.5, 0.35, 0.79])
    spacing = np.broadcast_to(spacing_mm, 3)
    grid = axis_aligned_grid(np.ceil(60.0 / spacing).astype(int), spacing, (-30.0,) * 3)
    k, j, i = np.indices(array_shape(grid))
    place = ijk_to_points_mm(grid, np.stack([i, j, k], axis=-1))
    along = place @ direction
    off = np.linalg.norm(place - along[..., None] * direction, axis=-1)
    mask = (off <= radius_mm) & (np.abs(along) <= length_mm / 2)
    s = np.arange(-length_mm / 2 + 2, length_mm / 2 - 2, 0.5)
    return Volume(grid, mask.astype(np.int16)), s[:, None] * direction


@pytest.mark.parametrize(
    ("radius_mm", "spacing_mm"),
    [(0.5, 0.5), (0.75, 0.5), (1.5, 0.5), (1.0, (0.35, 0.35, 0.8)), (2.0, 0.8)],
)
def test_the_radius_of_a_tube_is_found_from_off_its_axis(radius_mm, spacing_mm):
    volume, axis = tube(radius_mm, spacing_mm)
    points = axis + 0.25 * radius_mm * np.array([0.6, 0.0, -0.38])
    guess = VesselTree(points, np.full(len(axis), 0.4), np.arange(len(axis)) - 1)
    tree, sd = measure_mask(volume, guess, np.zeros(len(axis), dtype=bool))
    inner = slice(6, -6)
    edge = np.prod(np.broadcast_to(spacing_mm, 3)) ** (1 / 3)
    assert np.abs(np.median(tree.radius_mm[inner]) - radius_mm) < 0.03
    assert tree.radius_mm[inner].std() < 0.1 * edge
    np.testing.assert_allclose(sd, 0.3 * edge)
    off = tree.points_mm[inner] - (tree.points_mm[inner] @ axis[0])[:, None] * axis[0] / (
        axis[0] @ axis[0]
    )
    assert np.linalg.norm(off, axis=1).max() < 0.3 * edge


def test_a_trunk_that_divides_at_once_is_as_wide_as_its_vessel():
    volume, axis = tube(1.5, 0.5)
    step = axis[1] - axis[0]
    face = axis[0] + np.arange(-4, 1)[:-1, None] * step  # the mask ends at the first of them
    branch = axis[4] + np.arange(1, 4)[:, None] * 0.4 * np.array([0.84, 0.0, -0.53])
    points = np.concatenate([face, axis, branch])
    parent = np.arange(len(points)) - 1
    parent[-3] = 8
    guess = VesselTree(points, np.full(len(points), 0.4), parent)
    tree, _ = measure_mask(volume, guess, np.zeros(len(points), dtype=bool))
    np.testing.assert_allclose(tree.radius_mm[:20], 1.5, atol=0.1)


def write(folder, values, name=f"{SECRET}.nrrd", spacing=0.5):
    image = SimpleITK.GetImageFromArray(values)
    image.SetSpacing([spacing] * image.GetDimension())
    SimpleITK.WriteImage(image, folder / name)
    return folder / name


def rod(length=60, kind=np.uint8):
    values = np.zeros((90, 60, 60), dtype=kind)
    values[10 : 10 + length, 28:33, 28:33] = 1
    return values


def many():
    values = rod(kind=np.uint16)
    values[0, :5, :60] = np.arange(300).reshape(5, 60)
    return values


def not_a_number():
    values = rod(kind=np.float32)
    values[0, 0, 0] = np.nan
    return values


BAD = {
    "mask-empty": lambda: np.zeros((40, 40, 40), dtype=np.uint8),
    "mask-full": lambda: np.ones((40, 40, 40), dtype=np.uint8),
    "values run from": lambda: rod(kind=np.int16) * 1400 - 1000,
    "there are fractions": lambda: rod(kind=np.float32) * 2.5,
    "some voxels are not numbers": not_a_number,
    "different values": many,
    "mask-no-vessel": lambda: rod(length=14),
    "too-few-slices: the file holds one image": lambda: rod()[20],
    "too-few-slices: the mask has": lambda: rod()[20:24],
}


@pytest.mark.parametrize("words", BAD)
def test_what_is_no_mask_is_one_line_and_leaves_nothing(words, tmp_path):
    line = refused("tree", write(tmp_path, BAD[words]()), "--out", tmp_path / "out")
    assert words in line
    assert not (tmp_path / "out").exists()


def test_words_that_make_no_sense_are_one_line(tmp_path):
    mask, out = write(tmp_path, rod()), ("--out", tmp_path / "out")
    assert "needs a folder" in refused("tree", mask)
    assert "no mask there" in refused("tree", tmp_path / f"{SECRET}.nii", *out)
    assert "label 3 does not occur" in refused("tree", mask, *out, "--labels", "3")
    assert "--labels must be" in refused("tree", mask, *out, "--labels", "1;2")
    assert "three numbers" in refused("tree", mask, *out, "--left-ostium", "1,2")
    assert "away from the nearest" in refused("tree", mask, *out, "--left-ostium=-90,0,0")
    assert "neither a label" in refused("tree", mask, *out, "--aorta", SECRET)
    other = write(tmp_path, rod(), "other.txt.nrrd", spacing=1.6)
    assert "mask-coarse" in refused("tree", other, *out)
    (tmp_path / "notes.txt").write_text("no mask")
    assert "the file is no mask" in refused("tree", tmp_path / "notes.txt", *out)
    assert "no option has an effect" in refused("tree", tmp_path, "--labels", "1")
    assert not (tmp_path / "out").exists()


def test_fractions_of_one_are_cut_at_one_half(tmp_path):
    path = write(tmp_path, 0.7 * rod(kind=np.float32))
    mask = read_labels(path, quiet)
    assert mask.fractions
    np.testing.assert_array_equal(mask.volume.values, rod())


def test_a_label_has_one_use():
    with pytest.raises(ConfigError, match="label 2 is asked for twice"):
        mask_settings(left_label="1,2", right_label="2")
    with pytest.raises(ConfigError, match="no effect"):
        mask_settings(labels="1", left_label="2")
    assert mask_settings(left_ostium="-1.5,2,3e1").left_ostium == (-1.5, 2.0, 30.0)


def test_a_mask_goes_on_to_the_report(tmp_path):
    keep = with_aorta().values == 2
    place = ijk_to_points_mm(with_aorta().grid, np.argwhere(keep)[:, ::-1])
    near = np.linalg.norm(place - truth("right").tree.points_mm[0], axis=1) < 45.0
    keep[tuple(np.argwhere(keep)[~near].T)] = False
    path = tmp_path / f"{SECRET}.nii.gz"
    volume = Volume(with_aorta().grid, keep.astype(np.uint8) * 4)
    SimpleITK.WriteImage(to_itk(volume), path, useCompression=True)
    out = tmp_path / "out"
    code, printed, err = ffr("tree", path, "--out", out, "--labels", "4")
    assert (code, err) == (0, "")
    assert "warning: lumen and radii come from a mask" in printed
    code, printed, err = ffr("solve", out)
    assert (code, err) == (0, "")
    result = json.loads((out / "result.json").read_text())
    assert result["input"]["source"] == "mask"
    assert "label 4" in result["input"]["series"]
    assert result["image_quality"] == {
        "grade": None, "aorta_hu": None, "noise_hu": None, "contrast_to_noise": None,
        "remarks": [],
    }  # fmt: skip
    assert result["lv_mass_g"] is None
    (mass,) = [x for x in result["assumptions"] if "mass" in x["name"]]
    assert mass["assumed"]
    names = {x["name"] for x in result["flags"]}
    assert {"lumen-from-mask", "names-guessed", "left-coronary-missing"} <= names
    vessels = {x["vessel"]: x for x in result["vessels"]}
    assert 0.0 < vessels["RCA"]["lowest_ffr_not_for_decision"] < 1.0
    page = (out / "report.html").read_text()
    assert "there is no scan to show" in page
    assert "native scan" not in page
    for file in out.rglob("*"):
        if file.is_file():
            assert SECRET.lower().encode() not in file.read_bytes().lower()
    assert ffr("export", out, tmp_path / "lumen.ply")[0] == 0
    assert "made from a mask" in refused("tree", out)
    assert "another study" in refused("tree", write(tmp_path, rod()), "--out", out)
