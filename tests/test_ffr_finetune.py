"""Adapting to labelled scans: what labels teach, resumption, the report, the weights."""

import hashlib
import json
import math

import numpy as np
import pytest
import torch
from command_line import SECRET, refused
from labelled import (
    GRID,
    HU,
    LABEL,
    N,
    fake_heart,
    image_cas,
    save,
    small,
    touch,
)

from ffr.anatomy import Vessel
from ffr.errors import ConfigError
from ffr.labelled_scans import LabelMeaning
from ffr.own_weights import weights_flags
from ffr.segmentation import finetune as training
from ffr.segmentation import finetune_run, finetune_windows
from ffr.segmentation.finetune import FinetuneConfig, Fold, adapt, begin, folds
from ffr.segmentation.finetune_measure import (
    CaseMeasure,
    VirtualMeasure,
    _diameters,
    centreline_overlap_percent,
    dice_percent,
)
from ffr.segmentation.finetune_report import Compared, Outcome, as_json, page, verdict, write
from ffr.segmentation.finetune_windows import (
    CALCIUM,
    CORE,
    OUTSIDE,
    RIM,
    WALL,
    Case,
    allowed_classes,
    says,
    told_loss,
    window,
)
from ffr.segmentation.samples import HELD_OUT_SEEDS, Sample
from ffr.segmentation.weights import load_network, weights_path
from meshes.arrays import floats
from meshes.tree import VesselTree
from meshes.volume import Volume, ijk_to_points_mm


def test_few_cases_are_each_held_out_once_and_more_are_split_by_the_seed():
    config = FinetuneConfig(seed=4)
    assert folds([1, 2, 3], config) == (
        Fold(0, (1,)), Fold(1, (2,)), Fold(2, (3,)), Fold(3, ())
    )  # fmt: skip
    (only,) = folds(range(1, 21), config)
    assert len(only.held_out) == 4
    assert (only,) == folds(range(1, 21), config)
    assert {folds(range(1, 21), FinetuneConfig(seed=s)) for s in range(9)} != {(only,)}
    assert len(folds(range(1, 6), FinetuneConfig(held_out_percent=1))[0].held_out) == 1


def test_the_rim_of_a_label_is_not_sure_but_a_thin_vessel_has_a_core_too():
    told = np.zeros((20, 20, 20), np.uint8)
    told[:, 5:12, 5:12] = Vessel.LUMEN
    told[:, 16, 16] = Vessel.LUMEN
    told[0, 0, 0], told[0, 0, 1] = Vessel.PLAQUE, Vessel.CALCIUM
    code = says(told)
    assert (code[2:18, 5, 5:12] == RIM).all()
    assert (code[2:18, 7:10, 7:10] == CORE).all()
    assert (code[:, 16, 16] == CORE).all()
    assert (code[0, 0, 0], code[0, 0, 1], code[0, 19, 0]) == (WALL, CALCIUM, OUTSIDE)


def output_for(probability):
    """Network output in which every voxel has these class probabilities."""
    logits = torch.log(torch.tensor([*probability, 1e-9]))  # hardly a vein
    flat = torch.cat([logits, torch.zeros(1)])
    return flat[None, :, None, None, None].expand(1, 6, 4, 4, 4).clone()


@pytest.mark.parametrize(
    ("code", "one", "other"),
    [
        (OUTSIDE, (0.7, 0.2, 0.05, 0.05), (0.1, 0.2, 0.4, 0.3)),
        (CORE, (0.3, 0.6, 0.05, 0.05), (0.05, 0.1, 0.3, 0.55)),
        (RIM, (0.3, 0.6, 0.05, 0.05), (0.3, 0.1, 0.5, 0.1)),
    ],
)
def test_what_a_lumen_label_leaves_open_does_not_change_the_loss(code, one, other):
    codes = torch.full((1, 4, 4, 4), code)
    allowed = allowed_classes(LabelMeaning())
    losses = [float(told_loss(output_for(p), codes, allowed)) for p in (one, other)]
    if code == CORE:  # lumen or calcium: 0.65 in both
        assert losses[0] == pytest.approx(losses[1], abs=1e-5)
        worse = told_loss(output_for((0.3, 0.1, 0.5, 0.1)), codes, allowed)
        assert float(worse) > losses[0] + 0.5
    else:
        assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_what_a_label_of_calcium_and_wall_tells_does_change_the_loss():
    told = allowed_classes(LabelMeaning((1,), (2,), (3,)))
    outside = torch.full((1, 4, 4, 4), OUTSIDE)
    free, bound = (
        [
            float(told_loss(output_for(p), outside, table))
            for p in ((0.7, 0.2, 0.05, 0.05), (0.1, 0.2, 0.4, 0.3))
        ]
        for table in (allowed_classes(LabelMeaning()), told)
    )
    assert free[0] == pytest.approx(free[1], abs=1e-5)
    assert bound[1] > bound[0] + 1.0
    assert told.sum(dim=1).tolist() == [2, 2, 1, 1, 1]  # outside: tissue or vein


def test_the_distance_and_unsaid_classes_get_no_gradient():
    torch.manual_seed(0)
    output = torch.randn(1, 6, 4, 4, 4, requires_grad=True)
    codes = torch.full((1, 4, 4, 4), CORE)
    codes[0, 0] = OUTSIDE
    told_loss(output, codes, allowed_classes(LabelMeaning())).backward()
    assert output.grad[:, 5].abs().max() == 0
    assert output.grad[:, :5].abs().min() > 0  # through the softmax, but not apart:
    ratio = output.grad[0, Vessel.PLAQUE, 0] / output.grad[0, Vessel.CALCIUM, 0]
    share = output.detach().softmax(1)
    assert torch.allclose(ratio, share[0, Vessel.PLAQUE, 0] / share[0, Vessel.CALCIUM, 0])


def case(number=1):
    told = Volume(GRID, LABEL * np.uint8(Vessel.LUMEN))
    places = ijk_to_points_mm(GRID, np.argwhere(LABEL)[:, ::-1])
    return Case(number, Volume(GRID, HU), told, 400.0, floats(places), GRID)


def test_windows_show_the_vessel_where_the_label_says_and_come_again_from_a_seed():
    one, two = (window(case(), np.random.default_rng(7), 32) for _ in range(2))
    assert np.array_equal(one.image, two.image)
    assert np.array_equal(one.says, two.says)
    bright, dark = [], []
    for seed in range(6):
        made = window(case(), np.random.default_rng(seed), 32)
        bright += made.image[1][made.says == CORE].tolist()
        dark += made.image[1][made.says == OUTSIDE].tolist()
    assert np.median(bright) > 0.85
    assert np.median(dark) < 0.3


class KilledError(Exception):
    """Stands in for the end of a process."""


def test_a_killed_adaptation_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SAVE_EVERY", 1)
    monkeypatch.setattr(training, "vessel_samples", painted_quickly)
    config = FinetuneConfig(steps=4, edge=16, workers=0)
    cases, fold, meaning = [case(1), case(2)], Fold(0, (2,)), LabelMeaning()

    def kill(part):
        if part >= 0.5:
            raise KilledError

    def done(folder, progress=lambda _: None):
        folder.mkdir(exist_ok=True)
        model = adapt(small(), cases, config, fold, meaning, folder, "cpu", progress)
        return model.state_dict()

    whole = done(tmp_path / "whole")
    with pytest.raises(KilledError):
        done(tmp_path / "halves", kill)
    assert torch.load(tmp_path / "halves" / "fold-0.pt", weights_only=True)["step"] == 2
    again = done(tmp_path / "halves")
    assert all(torch.equal(whole[key], again[key]) for key in whole)
    assert any(
        not torch.equal(whole[key], value) for key, value in small().state_dict().items()
    )
    rows = (tmp_path / "halves" / "fold-0.csv").read_text().splitlines()
    assert rows[0] == "step,loss,labelled,virtual,seconds"
    assert rows[-1].startswith("4,")


def test_virtual_windows_are_mixed_in_by_their_share_and_never_held_out_ones(monkeypatch):
    asked = []

    def painted(seed, count, edge):
        asked.append(seed)
        return painted_quickly(seed, count, edge)

    monkeypatch.setattr(training, "vessel_samples", painted)
    config = FinetuneConfig(batch=4, edge=16, virtual_percent=25.0)
    batches = training.Batches([case()], config, Fold(0, ()))
    virtual = sum(int(batches[step][4]) for step in range(60))
    assert 0.15 < virtual / 240 < 0.35
    assert max(asked) < HELD_OUT_SEEDS
    alone = training.Batches([case()], FinetuneConfig(edge=16, virtual_percent=0), Fold(0, ()))
    assert all(int(alone[step][4]) == 0 for step in range(5))


def painted_quickly(seed, count, edge):
    """Stand in for windows of virtual patients, which take a second each."""
    rng, shape = np.random.default_rng(seed), (edge,) * 3
    label = rng.integers(0, 4, shape).astype(np.uint8)
    image = rng.normal(0, 1, (2, *shape)).astype(np.float32)
    return [Sample(image, label, np.ones(shape, np.float32))] * count


def test_a_folder_of_another_training_or_of_something_else_is_refused(tmp_path):
    begin(tmp_path / "new", {"steps": 3})
    begin(tmp_path / "new", {"steps": 3})
    with pytest.raises(ConfigError, match="other settings, labels or scans"):
        begin(tmp_path / "new", {"steps": 4})
    touch(tmp_path / "full", "note.txt")
    with pytest.raises(ConfigError, match="not empty"):
        begin(tmp_path / "full", {"steps": 3})
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


def test_overlaps_know_a_missed_end_and_a_false_vessel():
    k, j, i = np.indices((60, 24, 24))
    bend = 3 * np.sin(k / 10)
    inside = (k >= 5) & (k < 55)
    told = inside & (np.hypot(j - 8.3 - bend, i - 7.7) <= 2.0)
    short, more = told.copy(), told.copy()
    short[30:] = False
    more |= inside & (np.hypot(j - 12.4 - bend, i - 18.6) <= 1.5)
    assert dice_percent(told, told) == 100.0
    assert centreline_overlap_percent(told, told, GRID) == (100.0, 100.0)
    both, label = centreline_overlap_percent(short, told, GRID)
    assert label == pytest.approx(52, abs=8)
    assert both > label
    both, label = centreline_overlap_percent(more, told, GRID)
    assert label == 100.0
    assert both < 80.0
    assert centreline_overlap_percent(told & False, told, GRID) == (0.0, 0.0)


def test_diameters_of_a_label_are_those_of_its_sections_where_the_tree_runs_in_it():
    k = np.arange(4.0, N - 4.0, 0.7)
    line = np.stack([0 * k + 24.3, 20 + 4 * np.sin(k / 12), k], axis=1)
    points = ijk_to_points_mm(GRID, line)
    tree = VesselTree(floats(points), floats(0 * k + 1.5), np.arange(len(k)) - 1)
    label = Volume(GRID, LABEL.astype(np.int16))
    away = Volume(GRID, np.where(LABEL, 0.0, 2.0).astype(np.float32))
    found, own = _diameters(tree, label, away)
    assert len(found) > 40
    assert np.allclose(found, 3.0)
    assert np.median(own) == pytest.approx(4.0, abs=0.15)
    aside = VesselTree(floats(points + 8.0), tree.radius_mm, tree.parent)
    assert len(_diameters(aside, label, away)[0]) == 0


def measure(shift=0.0, dice=70.0, overlap=80.0, failure="", astray=9.0):
    label = np.linspace(1.5, 4.0, 50)
    return CaseMeasure(
        dice, overlap, 75.0, 0.4, 400.0, astray, floats(label - 0.3 + shift), floats(label),
        failure,
    )  # fmt: skip


def outcome(gain, lumen_after=85.0, **after):
    before, better = measure(), measure(0.1, 70.0 + gain, 80.0 + gain, **after)
    virtual = (
        VirtualMeasure(86, 60, 70, (0.5, 0.7)),
        VirtualMeasure(lumen_after, 58, 69, (0.6,)),
    )
    cases = tuple(Compared(n, before, better) for n in (2, 5))
    return Outcome(cases, *virtual, {"labelled scans": 6, "seed": 1}, each_out=False)


def test_the_report_tells_both_sides_of_every_number(tmp_path):
    good = outcome(4.0)
    write(good, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "The adapted weights are recommended" in text
    for words in (
        "| 2 | before | 70.0 | 80.0 | 75.0 | 0.40 | 9.0 | -0.30 ± 0.00 (50) |",
        "| 5 | after | 74.0 | 84.0 |", "| all | after |", "-0.20 ± 0.00 (100)",
        "hold some of the wall", "| lumen, Dice % | 86 | 85 |", "- seed: 1",
        "Research use only",
    ):  # fmt: skip
        assert words in " ".join(text.split()), words
    data = json.loads((tmp_path / "report.json").read_text())
    assert data["recommended"]
    assert data["overall"]["after"]["diameter_bias_mm"] == -0.2
    assert data["overall"]["before"]["overlap_percent"] == 80.0
    assert data["virtual"]["before"]["loss"] == 0.6
    assert (tmp_path / "report.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (outcome(0.2), "not better on held-out cases"),
        (outcome(-4.0), "not better on held-out cases"),
        (outcome(4.0, astray=15.0), "trees run off the label by 6.0 points more"),
        (outcome(4.0, lumen_after=70.0), "virtual windows lost 16.0 points"),
        (
            outcome(4.0, failure="no heart"),
            r"in 2 held-out case\(s\) no tree is found any more",
        ),
    ],
)
def test_weights_that_are_not_better_are_not_recommended(made, why):
    good, told = verdict(made)
    assert not good
    assert why.replace("\\", "") in told
    assert "**Keep the shipped weights**" in page(made)
    assert not as_json(made)["recommended"]


def test_nothing_found_is_no_number_but_no_fault_either():
    none = CaseMeasure(0, 0, 0, 0, 0, 0, floats([]), floats([]), "no tree")
    same = VirtualMeasure(80, 60, 70, (0.5,))
    lost = Outcome((Compared(1, none, none),), same, same, {}, each_out=True)
    assert as_json(lost)["overall"]["before"]["diameter_bias_mm"] is None
    assert "pair 1, after: no tree" in page(lost)
    assert "one more training, which saw all" in " ".join(page(lost).split())


def test_from_a_folder_to_weights_that_a_run_can_use(tmp_path, monkeypatch):
    monkeypatch.setattr(finetune_windows, "map_heart", fake_heart)
    monkeypatch.setattr("ffr.segmentation.finetune_measure.VIRTUAL_WINDOWS", 1)
    folder = image_cas(tmp_path / SECRET, 2)
    shipped = weights_path("vessel").read_bytes()
    config = FinetuneConfig(steps=1, edge=48, batch=1, virtual_percent=0, workers=0)
    out, titles = tmp_path / "own", []

    def opened(title):
        titles.append(title)
        return lambda part: None

    good, why = finetune_run.finetune(folder, out, config, LabelMeaning(), opened, "cpu")
    assert weights_path("vessel").read_bytes() == shipped
    assert titles.count("judging held-out scans") == 2
    made = {path.name for path in out.iterdir()}
    assert made == {
        "vessel.safetensors", "model-card.md", "report.md", "report.json", "report.png",
        "training",
    }  # fmt: skip
    data = json.loads((out / "report.json").read_text())
    assert data["recommended"] is good
    assert (weights_flags(out) == ()) is good
    (out / "report.json").write_text(json.dumps(data | {"recommended": False}))
    assert [flag.name for flag in weights_flags(out)] == ["weights-not-better"]
    assert data["why"] == why
    assert data["each_held_out_once"]
    assert [row["pair"] for row in data["cases"]] == [1, 2]
    assert data["cases"][0]["before"]["failures"]  # a tube has no ostia
    card = (out / "model-card.md").read_text()
    assert "- labelled scans: 2" in card
    assert "- layout: ImageCAS" in card
    for path in out.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes()
    usual = load_network("vessel", "cpu").sha256
    assert load_network("vessel", "cpu", out).sha256 != usual
    shipped_heart = hashlib.sha256(weights_path("anatomy").read_bytes()).hexdigest()
    assert load_network("anatomy", "cpu", out).sha256 == shipped_heart


def test_a_bad_pair_stops_everything_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(finetune_windows, "map_heart", fake_heart)
    folder = image_cas(tmp_path / "scans", 3)
    save(folder / "3.label.nii.gz", np.roll(LABEL, 12, axis=2))
    with pytest.raises(ConfigError, match=r"^pair 3: "):
        finetune_run.finetune(
            folder, tmp_path / "own", FinetuneConfig(), LabelMeaning(),
            lambda title: lambda part: None, "cpu",
        )  # fmt: skip
    assert not (tmp_path / "own").exists()


def test_windows_too_small_for_the_network_are_refused(tmp_path):
    config = FinetuneConfig(steps=1, edge=8, batch=1, virtual_percent=0, workers=0)
    with pytest.raises(ConfigError, match="windows of 8 voxels are too small; use 12 or more"):
        adapt(
            small(), [case()], config, Fold(0, ()), LabelMeaning(), tmp_path, "cpu",
            lambda _: None,
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_a_loss_that_is_no_number_ends_the_training_with_one_line(tmp_path, monkeypatch):
    broken = torch.tensor(math.nan, requires_grad=True)
    monkeypatch.setattr(training, "told_loss", lambda *_: broken)
    config = FinetuneConfig(steps=2, edge=16, batch=1, virtual_percent=0, workers=0)
    with pytest.raises(ConfigError, match="broke down at step 1"):
        adapt(
            small(), [case()], config, Fold(0, ()), LabelMeaning(), tmp_path, "cpu",
            lambda _: None,
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train", "a network is needed, as in 'ffr train vessel'; or --finetune"),
        ("train vessel --labels 1", "--labels has an effect with --finetune only"),
        ("train --finetune {0}", "--finetune needs a folder for the weights"),
        ("train lumen --finetune {0} --out new", "only the vessel network is adapted"),
        ("train --finetune {0} --out new --ship", "--runs, --ship and --anew have no effect"),
        ("train --finetune {0} --out new", "no image has a label there"),
        ("train --finetune {0}/none --out new", "a folder of scans with labels is needed"),
        ("train --finetune {0} --out new --labels x", "--labels must be whole numbers"),
        ("run {0} --out new --weights {0}", "--weights needs a folder with one of"),
        ("run {0} --out new --weights {0} --from solve", "--weights has no effect with --from"),
    ],
)
def test_words_that_make_no_sense_are_one_line(tmp_path, line, message):
    place = tmp_path / SECRET
    place.mkdir()
    words = [word.format(place) for word in line.split()]
    assert refused(*words, folder=tmp_path).startswith(f"ffr: {message}")
    assert [p.name for p in tmp_path.iterdir()] == [SECRET]
