"""A folder of own weights: where it is used, when it is refused or flagged."""

import hashlib
import shutil
from types import SimpleNamespace

import pytest
from command_line import ffr
from labelled import (
    SMALL,
    fake_heart,
    small,
    touch,
)
from torch import nn

from ffr import pipeline
from ffr.errors import ConfigError
from ffr.flags import Flag
from ffr.segmentation import weights as weights_module
from ffr.segmentation.networks import UNet3d
from ffr.segmentation.weights import load_network, save_weights, weights_path


def test_own_weights_of_another_network_or_none_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="--weights needs a folder"):
        load_network("vessel", "cpu", tmp_path)
    shutil.copy(weights_path("anatomy"), tmp_path / "vessel.safetensors")
    with pytest.raises(ConfigError, match=r"weights of another network \(anatomy\)"):
        load_network("vessel", "cpu", tmp_path)
    assert isinstance(load_network("vessel", "cpu").model, nn.Module)


@pytest.mark.parametrize("network", ["anatomy", "vessel", "lumen"])
def test_the_pipeline_asks_for_each_network_in_the_folder_it_is_given(
    tmp_path, monkeypatch, network
):
    for name in ("pipeline.check_all", "pipeline.trace", "segmentation.infer.vessel_box"):
        monkeypatch.setattr(f"ffr.{name}", lambda *_: ())
    monkeypatch.setattr("ffr.segmentation.infer.map_heart", fake_heart)
    other = {"anatomy": "vessel", "vessel": "lumen", "lumen": "anatomy"}[network]
    shutil.copy(weights_path(other), tmp_path / f"{network}.safetensors")
    given = (SimpleNamespace(volume=None), *((None, None) if network == "lumen" else ()))
    stage = pipeline.extract_trees if network == "lumen" else pipeline.segment
    with pytest.raises(ConfigError, match=f"{network}.safetensors holds .* another network"):
        stage(*given, lambda _: None, tmp_path)


@pytest.mark.parametrize(
    ("report", "names"),
    [
        ('{"recommended": false}', ["weights-not-better"]), ('{"recommended": true}', []),
        ("{}", []), ("[]", []), ("{", []), (None, []),
    ],
)  # fmt: skip
def test_a_run_with_weights_that_are_not_better_is_flagged(
    tmp_path, monkeypatch, report, names
):
    monkeypatch.setattr("ffr.segmentation.infer.map_heart", lambda *_: fake_heart(None, None))
    monkeypatch.setattr("ffr.segmentation.infer.vessel_box", lambda _: "a box")
    monkeypatch.setattr("ffr.segmentation.infer.map_vessels", lambda *_: None)
    monkeypatch.setattr(pipeline, "check_all", lambda *_: (Flag("slices-thick", "thick"),))
    save_weights("vessel", small(), SMALL, tmp_path / "vessel.safetensors")
    if report is not None:
        (tmp_path / "report.json").write_text(report)
    maps = pipeline.segment(SimpleNamespace(volume=None), lambda _: None, tmp_path)
    assert [flag.name for flag in maps.flags] == [*names, "slices-thick"]


@pytest.mark.parametrize("verb", ["run", "segment"])
def test_a_run_uses_the_weights_it_is_given_and_warns_of_worse_ones(tmp_path, verb):
    own, study = tmp_path / "own", touch(tmp_path, "study/1.dcm") / "study"
    own.mkdir()
    save_weights("vessel", small(), SMALL, own / "vessel.safetensors")
    (own / "report.json").write_text('{"recommended": false}')
    before = (
        "import ffr.workflow as w, ffr.segmentation.weights as f\n"
        "w.read_scan = w.solve = w.report = lambda *_: None\n"
        "def told(out, p, own): print(f.load_network('vessel', 'cpu', own).sha256)\n"
        "w.segment = w.tree = told\n"
    )
    given = (verb, study, "--out", tmp_path / "new", "--weights", own)
    code, out, err = ffr(*given, before=before)
    assert code == 0, err
    used = hashlib.sha256((own / "vessel.safetensors").read_bytes()).hexdigest()
    assert out.count(used) == {"run": 2, "segment": 1}[verb]  # by every stage with a network
    assert "warning: the own weights of this run were not found better" in out
    code, out, _ = ffr(verb, study, "--out", tmp_path / "other", before=before)
    assert hashlib.sha256(weights_path("vessel").read_bytes()).hexdigest() in out
    assert "warning" not in out


def test_own_weights_keep_the_header_that_rebuilds_them(tmp_path, monkeypatch):
    monkeypatch.setattr(weights_module, "FOLDER", tmp_path / "none")
    header = SMALL | {"finetuned": {"seed": 3}}
    save_weights("vessel", small(), header, tmp_path / "vessel.safetensors")
    assert isinstance(load_network("vessel", "cpu", tmp_path).model, UNet3d)
    with pytest.raises(ConfigError, match="missing"):
        load_network("vessel", "cpu")
