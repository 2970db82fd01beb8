"""The networks: files, windows, determinism, and the honest minimum they must reach."""

import numpy as np
import pytest
import torch

from ffr.anatomy import Anatomy, Vessel
from ffr.errors import ConfigError
from ffr.phantom.features import COMMON, HEALTHY
from ffr.phantom.imaging import scan, truth_labels
from ffr.phantom.patient import centre_of_heart_mm, virtual_patient
from ffr.phantom.study import clinical_imaging, true_lv_mass_g
from ffr.segmentation import infer, lumen, weights
from ffr.segmentation import train as training
from ffr.segmentation.lumen import evened
from ffr.segmentation.maps import HeartMap
from ffr.segmentation.networks import LumenNet, UNet3d
from ffr.segmentation.recipes import RECIPES
from ffr.segmentation.samples import HELD_OUT_SEEDS, anatomy_sample, vessel_samples
from ffr.segmentation.train import PATCHES_PER_PATIENT, TrainConfig, train
from ffr.segmentation.train_lumen import LumenConfig, area_radius, radius_of, spread_loss
from meshes.resample import box_grid
from meshes.volume import Volume, axis_aligned_grid


@pytest.fixture(scope="module")
def patient():
    return virtual_patient(1_000_020, 0.0, ())


def test_weights_come_back_as_written_and_small(tmp_path, monkeypatch):
    model = UNet3d(1, len(Anatomy), (4, 8), stem=True)
    header = {
        "kind": "unet",
        "inputs": 1,
        "outputs": len(Anatomy),
        "widths": [4, 8],
        "stem": True,
    }
    weights.save_weights("anatomy", model, header, tmp_path / "anatomy.safetensors")
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    loaded = weights.load_network("anatomy", "cpu")
    image = torch.randn(1, 1, 8, 8, 8)
    with torch.inference_mode():
        same = loaded.model(image)
        expected = model.half().float().eval()(image)
    assert torch.allclose(same, expected, atol=1e-6)
    assert len(loaded.sha256) == 64


def test_damaged_or_missing_weights_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    with pytest.raises(ConfigError, match="missing"):
        weights.load_network("vessel")
    (tmp_path / "vessel.safetensors").write_bytes(b"not weights")
    with pytest.raises(ConfigError, match="damaged"):
        weights.load_network("vessel")


def test_weights_of_another_architecture_are_refused(tmp_path, monkeypatch):
    header = {"kind": "unet", "inputs": 1, "outputs": 3, "widths": [8, 16], "stem": True}
    small = UNet3d(1, 3, (4, 8), stem=True)
    weights.save_weights("vessel", small, header, tmp_path / "vessel.safetensors")
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    with pytest.raises(ConfigError, match="damaged"):
        weights.load_network("vessel")


def test_weights_of_fewer_labels_are_told_as_an_older_version_s(tmp_path):
    header = {"kind": "unet", "inputs": 2, "outputs": 5, "widths": [4, 8], "stem": True}
    older = UNet3d(2, 5, (4, 8), stem=True)
    weights.save_weights("vessel", older, header, tmp_path / "vessel.safetensors")
    with pytest.raises(ConfigError, match="5 outputs, not 6: an older version's"):
        weights.load_network("vessel", "cpu", tmp_path)


@pytest.mark.parametrize("widths", [[], [4.5, 8], [4], ["a", "b"], 4])
def test_a_header_of_rubbish_is_told_as_damaged_weights(tmp_path, widths):
    header = {"kind": "unet", "inputs": 1, "outputs": 3, "widths": widths, "stem": True}
    small = UNet3d(1, 3, (4, 8), stem=True)
    weights.save_weights("vessel", small, header, tmp_path / "vessel.safetensors")
    with pytest.raises(ConfigError, match=r"vessel network are damaged \(vessel.safetensors\)"):
        weights.load_network("vessel", "cpu", tmp_path)


def test_shipped_weights_fit_into_20_mb_and_name_their_training():
    total = sum(weights.weights_path(n).stat().st_size for n in weights.NETWORKS)
    assert total < 20e6
    for name in weights.NETWORKS:
        assert weights.load_network(name, "cpu").model is not None


def test_training_never_sees_held_out_patients():
    for recipe in RECIPES.values():
        if isinstance(recipe, LumenConfig):
            last = recipe.seed + recipe.pieces
        else:
            per_patient = 1 if recipe.network == "anatomy" else PATCHES_PER_PATIENT
            last = recipe.seed + recipe.steps * recipe.batch // per_patient + 100
        assert last < HELD_OUT_SEEDS


def test_a_killed_training_goes_on_where_it_stopped(tmp_path):
    short = TrainConfig("anatomy", steps=1, batch=1, workers=0)
    path = train(short, tmp_path)
    assert torch.load(path, weights_only=True)["step"] == 1
    longer = TrainConfig("anatomy", steps=2, batch=1, workers=0)
    state = torch.load(train(longer, tmp_path), weights_only=True)
    assert state["step"] == 2
    assert all(torch.isfinite(v).all() for v in state["model"].values())


def test_a_curriculum_shows_healthy_patients_for_its_share_of_the_steps(monkeypatch):
    shown = []

    def painted(seed, count, healthy, bright_veins):
        shown.append(healthy)
        return []

    monkeypatch.setattr(training, "vessel_samples", painted)
    config = TrainConfig("vessel", steps=60, batch=2, healthy_first_percent=40.0)
    patients = training.Patients(config, first=1)
    for number in range(1, 21):  # 60 steps of 2 samples, 6 of each patient
        patients._samples(number)
    assert shown == [True] * 8 + [False] * 12


def test_hard_negatives_are_their_share_of_the_patients_and_show_bright_veins(monkeypatch):
    assert any(
        sample.image[1][sample.label == Vessel.VEIN].mean()
        > 0.9 * sample.image[1][sample.label == Vessel.LUMEN].mean()
        for sample in vessel_samples(40_001, 2, edge=64, bright_veins=True)
        if {Vessel.VEIN, Vessel.LUMEN} <= set(np.unique(sample.label))
    )
    shown = []

    def painted(seed, count, healthy, bright_veins):
        shown.append(bright_veins)
        return []

    monkeypatch.setattr(training, "vessel_samples", painted)
    patients = training.Patients(
        TrainConfig("vessel", steps=600, bright_veins_percent=60.0), first=1
    )
    for number in range(1, 401):
        patients._samples(number)
    assert 0.5 < np.mean(shown) < 0.7


def test_a_healthy_patient_keeps_its_anatomy_and_has_no_narrowing():
    ill = virtual_patient(31, 5.0, variation=COMMON)
    well = virtual_patient(31, 0.0, variation=HEALTHY)
    assert not well.features.stents
    assert well.heart.root_radius_mm == ill.heart.root_radius_mm
    assert all(np.allclose(a.lumen_mm, a.healthy_mm) for a in well.arteries)
    assert not all(np.allclose(a.lumen_mm, a.healthy_mm) for a in ill.arteries)


def test_samples_are_repeatable_and_labelled():
    one, two = anatomy_sample(3), anatomy_sample(3)
    assert np.array_equal(one.image, two.image)
    assert set(np.unique(one.label)) <= {int(a) for a in Anatomy}
    patch = vessel_samples(4, 1)[0]
    assert patch.image.shape == (2, 80, 80, 80)
    assert set(np.unique(patch.label)) <= {int(v) for v in Vessel}
    lumen = patch.label == Vessel.LUMEN
    if lumen.any():
        assert patch.distance_mm[lumen].mean() < patch.distance_mm[~lumen].mean()


def test_a_profile_that_is_inside_up_to_a_radius_reads_as_that_radius():
    logits = torch.full((1, 4, 56), -50.0)
    logits[..., :13] = 50.0
    assert torch.allclose(radius_of(logits), torch.full((1, 4), 1.3))
    assert float(area_radius(torch.tensor([3.0, 4.0, 3.0, 4.0]))) == pytest.approx(12.5**0.5)


def test_a_throat_keeps_its_depth_and_an_outlier_does_not():
    s = np.arange(-20, 21) * 0.5
    throat = 0.4 + 0.11 * s**2 / 2
    sd = np.full(s.shape, 0.05)
    assert np.allclose(evened(throat, sd)[4:-4], throat[4:-4], atol=1e-9)
    spiked = np.array(throat)
    spiked[19] += 0.9
    assert abs(evened(spiked, sd)[19] - throat[19]) < 0.04
    noisy = throat + np.random.default_rng(0).normal(0, 0.05, (400, s.size))
    left = np.array([evened(x, sd) for x in noisy])[:, 10:-10] - throat[10:-10]
    assert left.std() < 0.65 * 0.05
    assert evened(throat[:3], sd[:3]).shape == (3,)


@pytest.mark.parametrize(("read_mm", "left_mm"), [(4.5, 1.8), (0.7, 0.7)])
def test_at_the_ostium_aortic_blood_is_cut_off_and_a_stenosis_stays(read_mm, left_mm):
    n = 20
    points = np.stack([np.arange(n) * 0.5, np.zeros(n), np.zeros(n)], axis=1)
    radius = np.full(n, 1.8)
    radius[1:3] = read_mm
    lumen._clean_take_offs(points, radius, (np.arange(n),))
    assert np.allclose(radius[1:3], left_mm)
    assert np.allclose(radius[3:], 1.8)


def test_nine_tenths_of_errors_lie_within_the_spread_that_costs_least():
    rng = np.random.default_rng(1)
    error = torch.from_numpy(rng.standard_t(2, 4000) * 0.03)
    log_sd = torch.linspace(-6, 0, 601)
    cost = [float(spread_loss(error, x.expand(4000))) for x in log_sd]
    best = float(log_sd[int(np.argmin(cost))].exp())
    assert float((error.abs() < 1.645 * best).double().mean()) == pytest.approx(0.9, abs=0.01)


def test_turning_a_stack_turns_its_contours():
    torch.manual_seed(0)
    net = LumenNet(3).eval()
    stack = torch.randn(1, 3, 5, 32, 56)
    with torch.inference_mode():
        straight, numbers = net(stack)
        turned, same = net(torch.roll(stack, 8, dims=3))
    assert torch.allclose(torch.roll(straight, 8, dims=3), turned, atol=1e-4)
    assert torch.allclose(numbers, same, atol=1e-4)


def test_windows_cover_every_voxel():
    seen = np.zeros((100, 97, 230), dtype=int)
    for window in infer._windows(seen.shape):
        seen[window] += 1
    assert seen.min() >= 1


def test_half_precision_changes_the_heart_map_hardly(patient):
    n = np.array((88, 88, 66))
    grid = axis_aligned_grid(n, 2.0, np.asarray(centre_of_heart_mm(patient)) - n)
    volume = scan(patient, grid, clinical_imaging(1), 1)
    network = weights.load_network("anatomy", "cpu")
    image = infer.anatomy_input(volume.values)
    usual = infer._run(network, image).softmax(0)
    with torch.inference_mode():
        pad = [(0, -k % network.model.divisor) for k in image.shape[1:]]
        full = network.model(torch.from_numpy(np.pad(image, [(0, 0), *pad], mode="edge"))[None])
    full = full[0, :, : n[2], : n[1], : n[0]].softmax(0)
    # the stated tolerance between processors: one voxel in a hundred changes its label
    assert (usual.argmax(0) != full.argmax(0)).float().mean() < 0.01


def test_the_heart_is_found_on_an_oblique_far_off_grid(patient):
    """Coordinates: the map lands where the patient is, whatever the scan's axes."""
    n = np.array((150, 150, 110))
    spacing = (1.2, 1.2, 1.2)
    origin = np.asarray(centre_of_heart_mm(patient)) - n * 0.6
    grid = axis_aligned_grid(n, spacing, origin)
    volume = scan(patient, grid, clinical_imaging(2), 2)
    network = weights.load_network("anatomy", "cpu")
    heart = infer.map_heart(volume, network)
    truth = truth_labels(patient, heart.labels.grid).values
    found = heart.labels.values
    for label, least in ((Anatomy.LV, 0.8), (Anatomy.MYOCARDIUM, 0.7), (Anatomy.AORTA, 0.6)):
        a, b = found == label, truth == label
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) > least, label.name
    assert heart.lv_mass_g == pytest.approx(true_lv_mass_g(patient), rel=0.25)
    assert heart.blood_hu == pytest.approx(430, abs=40)


def test_vessels_are_found_in_a_window_of_a_held_out_patient(patient):
    centre = patient.left.tree.points_mm[60]
    grid = box_grid(np.asarray(centre) - 24, np.asarray(centre) + 23.6, 0.5)
    volume = scan(patient, grid, clinical_imaging(3), 3)
    everywhere = Volume(grid, np.full(volume.values.shape, Anatomy.LV, dtype=np.uint8))
    heart = HeartMap(everywhere, 100.0, 430.0)
    network = weights.load_network("vessel", "cpu")
    steps: list[float] = []
    maps = infer.map_vessels(volume, heart, grid, network, steps.append)
    truth = truth_labels(patient, grid, vessels=True).values
    a, b = maps.labels.values == Vessel.LUMEN, truth == Vessel.LUMEN
    assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.6
    assert steps[-1] == 1.0
