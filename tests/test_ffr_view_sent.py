"""What is sent to the local page, and what of it is kept while it is tried."""

import json

import numpy as np
import pytest
import view_folder
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ffr.errors import ConfigError
from ffr.report.colours import ffr_rgb
from ffr.results import stages
from ffr.view.blobs import vessel_blob
from ffr.view.packing import packed
from ffr.view.pending import load_pending, save_pending
from ffr.view.run import load_run
from ffr.view.surface import lumen_blob, vertex_normals
from ffr.view.thinning import thinned
from ffr.view.words import page_values


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("view") / "out"
    return out, view_folder.fill(out, view_folder.case())


@pytest.fixture(scope="module")
def run(folder):
    return load_run(folder[0])


def unpacked(blob):
    length = int.from_bytes(blob[:4], "little")
    header = json.loads(blob[4 : 4 + length])
    found = {}
    for name, (kind, shape, at) in header.items():
        assert (4 + length + at) % 8 == 0
        count = int(np.prod(shape))
        found[name] = np.frombuffer(blob, kind, count, 4 + length + at).reshape(shape)
    return found


def test_arrays_come_out_of_a_blob_as_they_went_in():
    arrays = {
        "a": np.arange(7, dtype=np.int16),
        "b": np.random.default_rng(1).normal(size=(3, 5)),
    }
    found = unpacked(packed(arrays))
    assert all(
        np.array_equal(found[k], arrays[k]) and found[k].dtype == arrays[k].dtype
        for k in arrays
    )


def test_the_lumen_is_coloured_as_in_the_report_and_lit_from_outside(run):
    found = unpacked(lumen_blob(run.lumen))
    assert np.array_equal(found["rgb"], np.rint(255 * ffr_rgb(run.lumen.ffr)))
    grey = np.isnan(run.lumen.ffr)
    assert 0 < grey.sum() < grey.size
    a, b, c = (found["points"][found["polys"][:, k]] for k in (1, 2, 3))
    flat = np.cross(b - a, c - a)
    mean = np.stack([found["normals"][found["polys"][:, k]] for k in (1, 2, 3)]).mean(axis=0)
    solid = np.linalg.norm(flat, axis=1) > 1e-6
    assert np.mean(np.einsum("ij,ij->i", flat, mean)[solid] > 0) > 0.99


def test_normals_of_a_sphere_point_away_from_its_middle():
    rows = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1.0]])
    faces = np.array(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    )
    assert vertex_normals(rows, faces) == pytest.approx(rows)


def test_a_fine_surface_gets_coarser_but_not_torn_and_keeps_its_size(run):
    axes = np.concatenate([c.tree.points_mm for c in run.trees])
    assert thinned(run.lumen, axes) is run.lumen  # few enough
    few = thinned(run.lumen, axes, most=1000)
    assert len(few.triangles) < 0.8 * len(run.lumen.triangles)
    whole, parts = (measured(x.points_mm, x.triangles) for x in (run.lumen, few))
    assert parts[0] == pytest.approx(whole[0], rel=0.05)  # volume
    assert parts[1] <= whole[1]  # pieces: none has come off
    known = ~np.isnan(few.ffr)
    near = cKDTree(run.lumen.points_mm).query(few.points_mm)[1]
    both = known & ~np.isnan(run.lumen.ffr[near])
    assert np.mean(np.abs(few.ffr - run.lumen.ffr[near])[both] < 0.02) > 0.98
    assert np.mean(known) == pytest.approx(np.mean(~np.isnan(run.lumen.ffr)), abs=0.15)


def measured(points_mm, triangles):
    """Volume, and number of pieces that do not hang together."""
    a, b, c = (points_mm[triangles[:, k]] for k in range(3))
    edges = np.concatenate([triangles[:, :2], triangles[:, 1:]])
    table = coo_array((np.ones(len(edges)), edges.T), shape=(len(points_mm),) * 2)
    used = np.unique(triangles)
    pieces = np.unique(connected_components(table, directed=False)[1][used]).size
    return np.einsum("ij,ij->", a, np.cross(b, c)) / 6, pieces


def test_every_vessel_can_be_picked_and_every_point_is_somewhere(run):
    names = [path.name for path in run.paths]
    assert names[:3] == ["LAD", "LCx", "RCA"]
    assert set(names) == {
        "LAD",
        "LCx",
        "RCA",
        "D1",
        "D2",
        "OM1",
        "OM2",
        "RM1",
        "R-PDA",
        "R-PLB",
    }
    values = page_values(run, True)
    points = values["points"]
    for k, (vessel, index) in enumerate(zip(points["vessel"], points["index"], strict=True)):
        assert values["vessels"][vessel]["points"][index] == k
        assert points["name"][k] in (values["vessels"][vessel]["name"], "LM")


def test_the_values_are_those_of_the_result(run):
    values = page_values(run, True)
    json.dumps(values, allow_nan=False)
    result = run.result
    assert len(values["lesions"]) == len(result.lesions) == 3
    for sent, lesion in zip(values["lesions"], result.lesions, strict=True):
        points = values["points"]
        assert points["ffr"][sent["read_point"]] == pytest.approx(lesion.ffr_distal, abs=1e-12)
        assert points["ffr_low"][sent["read_point"]] == pytest.approx(lesion.ffr_low, abs=1e-12)
        vessel, index = sent["throat"]
        throat = values["vessels"][vessel]["points"][index]
        assert points["s_mm"][throat] == pytest.approx(lesion.position_mm)
        assert points["diameter_mm"][throat] == pytest.approx(lesion.minimal_diameter_mm)
        assert sent["read"][0] == vessel  # one way shows both
    assert [x["message"] for x in values["flags"]] == [x.message for x in result.flags]
    vessel, index = values["flags"][-1]["place"]
    assert values["vessels"][vessel]["name"] == "RCA"
    assert values["points"]["s_mm"][
        values["vessels"][vessel]["points"][index]
    ] == pytest.approx(52, abs=0.3)
    assert values["assumptions"][0]["value"] == "132/78 mmHg"


def test_the_colours_break_where_the_report_s_do(run):
    colours = page_values(run, True)["colours"]
    at = np.array([0.5, 0.7544, 0.7556, 0.8044, 0.8056, 0.95])
    for ffr, rgb in zip(at, ffr_rgb(at), strict=True):
        sent = colours[int(ffr * len(colours))]
        assert (
            np.abs(np.array([int(sent[k : k + 2], 16) for k in (1, 3, 5)]) - 255 * rgb).max()
            < 3
        )


def test_the_diameter_lies_in_its_interval_which_is_wide_at_a_narrowing(run):
    for coronary, (low, high) in zip(run.trees, run.diameters_mm, strict=True):
        d = 2 * coronary.tree.radius_mm
        assert np.all((low < d) & (d < high))
        ratio = high / low
        narrow = d / coronary.reference_radius_mm / 2
        assert ratio[np.argmin(narrow)] > np.median(ratio)


def test_without_a_scan_there_are_outlines_but_no_pictures(run):
    found = unpacked(vessel_blob(run, run.paths[0], None))
    assert "across_hu" not in found
    assert found["outline_mm"][:, 0] == pytest.approx(run.paths[0].radius_mm, rel=1e-6)


# --- what is tried and not kept yet

TRIED = {
    "stents": [{"vessel": "RCA", "from_mm": 3.0, "to_mm": 9.5, "diameter_mm": None}],
    "edits": [{"edit": "exclude", "vessel": "LAD", "side": "left"}],
}


def put_down(out, run, tried):
    save_pending(out, run.trees, json.dumps(tried).encode())


def test_what_is_tried_is_written_for_its_owner_read_back_and_gone_when_there_is_none(
    tmp_path, run
):
    assert load_pending(tmp_path, run.trees) == {"stents": [], "edits": [], "problem": ""}
    put_down(tmp_path, run, TRIED)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_pending(tmp_path, run.trees) == {**TRIED, "problem": ""}
    with pytest.raises(ConfigError, match="edit 1: 'Wurzel' is no field"):
        put_down(tmp_path, run, {**TRIED, "edits": [{**TRIED["edits"][0], "Wurzel": 1}]})
    assert load_pending(tmp_path, run.trees)["edits"] == TRIED["edits"]
    put_down(tmp_path, run, {"stents": [], "edits": []})
    assert list(tmp_path.iterdir()) == []


def test_what_was_tried_on_other_trees_or_is_damaged_is_told_and_not_shown(tmp_path, run):
    put_down(tmp_path, run, TRIED)
    other = load_pending(tmp_path, run.trees[:1])
    assert (other["edits"], "other trees" in other["problem"]) == ([], True)
    file = tmp_path / "pending.json"
    for text in (file.read_text()[:-20], "[]", '{"trees": 1}', "\xff"):
        file.write_text(text)
        assert load_pending(tmp_path, run.trees)["stents"] == []
        assert load_pending(tmp_path, run.trees)["problem"]


def test_what_is_tried_goes_with_the_trees(tmp_path, run):
    with stages.stage_files(tmp_path, "solve"):
        pass
    put_down(tmp_path, run, TRIED)
    with stages.stage_files(tmp_path, "solve"):
        pass
    assert not (tmp_path / "pending.json").exists()
