"""`ffr pulse`: waveforms and ratios of trees, tables of network files, mistakes named."""

import csv
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
import run_folder
from command_line import ffr, interrupted, refused

from ffr.centreline import SolveSettings, solve_centreline
from ffr.circulation.patient import Patient
from ffr.circulation.physiology import Known, Physiology
from ffr.errors import ConfigError
from ffr.pulse.beat import Beat, beat_of
from ffr.pulse.cases import PulseSettings, centreline_case
from ffr.pulse.losses import losses_of, regained_mmhg
from ffr.pulse.networks import run_network
from ffr.pulse.verb import Outputs, pulse_file
from ffr.pulse.waves import RATIOS, pulsed
from ffr.results import stage_data
from meshes.io import write_vtp
from meshes.tree import VesselTree, sections
from solvers.lumped.files import load_case, vessel_table
from solvers.lumped.simulate import simulated
from solvers.ratios import WAVE_FREE_MARGIN_S, WAVE_FREE_START
from solvers.waveforms import DIASTOLE_FROM
from validation.zero_d import bed_error

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"
CASES = sorted((SHARED / "svzerod_cases").glob("*.json"))
DECKS = SHARED / "svoned_left_coronary"
SAME_AS = {  # the same network with its period written down
    "pulsatileFlow_CStenosis_steadyPressure_definedPeriod": (
        "pulsatileFlow_CStenosis_steadyPressure"
    ),
}
NOBODY = Patient()
TIP, SIDE = 120, 180  # outlets of the fork


def fork(stenosis=0.5, shut=False):
    """60 mm with a lesion at 20 mm; a branch of 30 mm leaves at 40 mm."""
    s = np.linspace(0.0, 60.0, 121)
    radius = 1.8 * (1.0 - stenosis * np.exp(-(((s - 20.0) / 3.0) ** 2)))
    branch = np.full(60, 1.4)
    if shut:
        branch[10:] = 0.01
    points = [(x, 0.0, 0.0) for x in s] + [(40.0, 0.5 * j, 0.0) for j in range(1, 61)]
    parent = [*range(-1, 120), 80, *range(121, 180)]
    return VesselTree(np.array(points), [*radius, *branch], parent)


def read(tmp_path, tree, patient=NOBODY, **settings):
    write_vtp(tmp_path / "tree.vtp", tree)
    return centreline_case(tmp_path / "tree.vtp", PulseSettings(**settings), patient)


def pulse_of(tmp_path, tree, patient=NOBODY, model="0d", **settings):
    """Return a case and what pulses: ratios in the file's order, waves of inlet, TIP, SIDE."""
    case = read(tmp_path, tree, patient, **settings)
    fed, rows = case.trees[0].fed, case.trees[0].rows
    found = pulsed(fed, case.beat, rows[[0, TIP, SIDE]], model)
    ratios = {name: values[rows] for name, values in found.ratios.items()}
    return case, dataclasses.replace(found, ratios=ratios)


@pytest.fixture(scope="module")
def mild(tmp_path_factory):
    return pulse_of(tmp_path_factory.mktemp("mild"), fork(0.5))


def hardly(beat):
    """The same means with a thousandth of the pulse."""
    ventricle = beat.ventricle_mmhg.mean()
    return Beat(
        beat.time_s,
        beat.mean_mmhg + 1e-3 * (beat.aortic_mmhg - beat.mean_mmhg),
        ventricle + 1e-3 * (beat.ventricle_mmhg - ventricle),
        beat.diastole_s,
    )


def test_the_steady_ffr_is_that_of_ffr_solve(tmp_path, mild):
    case, found = mild
    write_vtp(tmp_path / "tree.vtp", fork(0.5))
    solved = solve_centreline(tmp_path / "tree.vtp", SolveSettings())
    expected = solved.solution.pressure_mmhg / solved.solution.pressure_mmhg[0]
    assert found.ratios["ffr_steady"] == pytest.approx(expected[solved.place], rel=1e-12)
    assert {a.name for a in case.assumptions} >= {a.name for a in solved.assumptions}


def test_without_a_lesion_nothing_is_lost_and_a_worse_one_costs_more(tmp_path, mild):
    rows = [pulse_of(tmp_path, fork(grade))[1].ratios for grade in (0.0, 0.65)]
    healthy, severe = ({k: v[TIP] for k, v in row.items()} for row in rows)
    middle = {k: v[TIP] for k, v in mild[1].ratios.items()}
    assert healthy["ifr"] > 0.98
    assert healthy["ffr"] > 0.94
    for name in RATIOS:
        assert severe[name] < middle[name] - 0.01 < healthy[name] - 0.02, name
    assert severe["ffr"] < 0.75
    assert severe["ifr"] < 0.89
    for values in (*rows, mild[1].ratios):
        assert np.all(values["ffr"] <= values["resting_pd_pa"] + 1e-4)
        assert {v[0] for v in values.values()} == {1.0}


def test_pulsation_lowers_ffr_and_the_root_mean_square_flow_says_by_how_much(mild):
    steady, rms, ffr = (mild[1].ratios[name][TIP] for name in RATIOS[:3])
    assert ffr < steady - 0.003
    assert abs(rms - ffr) < 0.7 * (steady - ffr)


def test_without_a_pulse_ffr_is_the_steady_one(tmp_path):
    case = read(tmp_path, fork(0.55))
    fed, still = case.trees[0].fed, hardly(case.beat)
    ends = case.trees[0].rows[[TIP, SIDE, 80]]  # in a throat the elastic wall gives
    for model, where, allowed in (("0d", slice(None), 2e-4), ("1d", ends, 2e-3)):
        found = pulsed(fed, still, [0], model).ratios
        gap = np.abs(found["ffr"] - found["ffr_steady"])[where]
        assert gap.max() < allowed
        assert found["ifr"] == pytest.approx(found["resting_pd_pa"], abs=1e-3)


def test_one_dimension_and_lumps_agree(tmp_path, mild):
    _, fine = pulse_of(tmp_path, fork(0.5), model="1d")
    for name in ("ffr", "resting_pd_pa", "ifr"):
        gap = np.abs(fine.ratios[name] - mild[1].ratios[name])[[TIP, SIDE]]
        assert gap.max() < 0.004, name


def test_marched_losses_have_the_sums_of_the_steady_ones_without_their_dips(mild):
    fed = mild[0].trees[0].fed
    losses = losses_of(fed, fed.steady)
    regained = regained_mmhg(fed.tree, losses, fed.steady.flow_ml_min[None])[0]
    for run in sections(fed.tree):
        (a, b), (true_a, true_b) = (
            [values[run[1:]] for values in pair] for pair in (losses.marched, losses.shown)
        )
        assert a.sum() == pytest.approx(true_a.sum(), rel=1e-9)
        assert b.sum() == pytest.approx(true_b.sum(), rel=1e-9)
        assert a.min() > 0.0
        assert b.min() >= 0.0 or b.max() <= 0.0
        assert regained[run[[0, -1]]] == pytest.approx(0.0, abs=1e-9)
    assert losses.shown[1].min() < 0.0 < losses.shown[1].max()
    assert np.abs(regained).max() > 0.5


def test_at_rest_beds_keep_their_flow_until_they_are_exhausted(tmp_path, mild):
    rest = mild[1].rest.mean_flow_ml_min
    bed = mild[0].trees[0].fed.boundary
    assert sorted(rest[1:]) == pytest.approx(sorted(bed.resting_flow_ml_min), rel=0.01)
    case, closed = pulse_of(tmp_path, fork(0.85))
    need = case.trees[0].fed.boundary.resting_flow_ml_min.max()  # the trunk's
    flow = closed.rest.mean_flow_ml_min[1]
    assert flow < 0.8 * need
    # no reserve is left: rest is hyperaemia
    assert flow == pytest.approx(closed.hyperaemia.mean_flow_ml_min[1], rel=0.02)


def test_the_aortic_wave_has_the_cuffs_diastolic_pressure_and_the_mean_of_its_rule():
    cuff = Patient(systolic_mmhg=140, diastolic_mmhg=80, heart_rate_bpm=50)
    beat, assumptions = beat_of(cuff, Physiology(), 100.0)
    assert beat.period_s == pytest.approx(1.2)
    assert beat.mean_mmhg == pytest.approx(100.0)
    assert beat.aortic_mmhg.min() == pytest.approx(80.0, abs=0.01)
    assert 120.0 < beat.aortic_mmhg.max() < 140.0
    assert beat.ventricle_mmhg.max() == pytest.approx(beat.aortic_mmhg.max())
    assert [a.assumed for a in assumptions] == [False, False]
    slow = Known(60.0, 12.0, "normal", "a quiet heart")
    usual, assumptions = beat_of(
        NOBODY, dataclasses.replace(Physiology(), heart_rate_bpm=slow), 100.0
    )
    assert usual.period_s == pytest.approx(1.0)
    assert assumptions[0].source == "a quiet heart"
    assert usual.mean_mmhg == pytest.approx(100.0)
    assert usual.aortic_mmhg.min() == pytest.approx(80.0 * 100.0 / (280.0 / 3.0), abs=0.01)
    assert [a.assumed for a in assumptions] == [True, True]


@pytest.mark.parametrize("rate", [30.0, 220.0])
def test_slow_and_fast_hearts_are_solved(tmp_path, rate):
    _, found = pulse_of(tmp_path, fork(0.6), Patient(heart_rate_bpm=rate))
    assert found.hyperaemia.time_s[-1] == pytest.approx(60.0 / rate)
    assert 0.5 < found.ratios["ffr"][TIP] < found.ratios["ffr_steady"][TIP]


def test_what_is_reported_are_the_means_of_the_waves_that_are_written(tmp_path):
    write_vtp(tmp_path / "tree.vtp", fork(0.6))
    (tmp_path / "p.toml").write_text("heart_rate_bpm = 60\n")
    words = ["--patient", tmp_path / "p.toml", "--at", 60]
    words += ["--json", tmp_path / "o.json", "--csv", tmp_path / "o.csv"]
    code, text, err = ffr("pulse", tmp_path / "tree.vtp", *words)
    assert (code, err) == (0, "")
    assert text.endswith("Research use only.\n")
    told = json.loads((tmp_path / "o.json").read_text())
    assert told["research_use_only"].startswith("Research use only")
    assert told["heart_rate_bpm"] == pytest.approx(60.0)
    waves = waves_of((tmp_path / "o.csv").read_text())
    (tree,) = told["trees"]
    assert [p["name"] for p in tree["places"]] == [
        "inlet", "point 60", f"outlet at point {TIP}", f"outlet at point {SIDE}",
    ]  # fmt: skip
    aorta = {state: waves["inlet", state] for state in ("rest", "hyperaemia")}
    for place in tree["places"]:
        hyper, rest = (waves[place["name"], state] for state in ("hyperaemia", "rest"))
        assert mean(hyper, 1) / mean(aorta["hyperaemia"], 1) == pytest.approx(
            place["ffr"], abs=1e-5
        )
        assert mean(rest, 1) / mean(aorta["rest"], 1) == pytest.approx(
            place["resting_pd_pa"], abs=1e-5
        )
        assert mean(hyper, 2) == pytest.approx(place["hyperaemic_flow_ml_min"], rel=1e-4)
        assert mean(rest, 2) == pytest.approx(place["resting_flow_ml_min"], rel=1e-4)
        assert wave_free(rest) / wave_free(aorta["rest"]) == pytest.approx(
            place["ifr"], abs=2e-3
        )
        assert place["name"] == "inlet" or f"{place['ffr']:.3f}" in text
        assert place["ffr"] == tree["points"]["ffr"][place["point"]]
    assert {len(column) for column in tree["points"].values()} == {len(fork())}


def waves_of(text):
    """Waves by place and state, (t, 3): time, pressure, flow."""
    found = {}
    for row in csv.DictReader(io.StringIO(text)):
        values = [float(row[k]) for k in ("time_s", "pressure_mmhg", "flow_ml_min")]
        found.setdefault((row["place"], row["state"]), []).append(values)
    return {key: np.array(rows) for key, rows in found.items()}


def mean(wave, column):
    return np.trapezoid(wave[:, column], wave[:, 0]) / wave[-1, 0]


def wave_free(wave):
    """Mean pressure from a quarter into diastole to its end, where this aorta is lowest."""
    time_s, pressure = wave[:-1, 0], wave[:-1, 1]
    begin = DIASTOLE_FROM * wave[-1, 0]
    end = 0.9 * wave[-1, 0]
    start = begin + WAVE_FREE_START * (end - begin)
    return pressure[(time_s >= start) & (time_s <= end - WAVE_FREE_MARGIN_S)].mean()


def test_behind_an_occlusion_there_is_no_number_and_elsewhere_there_is(tmp_path):
    write_vtp(tmp_path / "tree.vtp", fork(0.5, shut=True))
    out = tmp_path / "o.json"
    lines = pulse_file(
        tmp_path / "tree.vtp",
        PulseSettings(),
        NOBODY,
        Outputs(json=out, csv=tmp_path / "o.csv"),
    )
    assert any(f"outlet at point {SIDE}" in x and "occluded" in x for x in lines)
    points = json.loads(out.read_text())["trees"][0]["points"]
    assert points["ffr"][SIDE] is None
    assert points["ffr"][TIP] == pytest.approx(points["ffr_steady"][TIP], abs=0.03)
    assert f"outlet at point {SIDE}" not in (tmp_path / "o.csv").read_text()


@pytest.fixture(scope="module")
def solved_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "out"
    run_folder.fill(out, run_folder.case(), until="solve")
    return out


def test_a_runs_trees_pulse_where_its_lesions_are_read(solved_run, tmp_path):
    out = tmp_path / "o.json"
    asked = Outputs(json=out, picture=tmp_path / "o.png")
    lines = pulse_file(solved_run, PulseSettings(), NOBODY, asked)
    (tree,) = json.loads(out.read_text())["trees"]
    assert tree["side"] == "right"
    assert "behind lesion 1, RCA" in tree["places"][1]["name"]
    assert any("behind lesion 1, RCA" in line for line in lines)
    (solution,), *_ = stage_data.load_flow(solved_run)
    point = tree["places"][1]["point"]
    expected = solution.pressure_mmhg[point] / solution.pressure_mmhg[0]
    assert tree["places"][1]["ffr_steady"] == pytest.approx(expected, rel=1e-9)
    assert tree["places"][1]["ffr"] <= expected + 1e-4
    head = (tmp_path / "o.png").read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(head[16:20]) > 1000


def test_patient_values_given_now_go_before_those_of_the_run(solved_run, tmp_path):
    asked = Outputs(json=tmp_path / "o.json")
    known = Patient(systolic_mmhg=150, diastolic_mmhg=90, heart_rate_bpm=90)
    pulse_file(solved_run, PulseSettings(), known, asked)
    told = json.loads((tmp_path / "o.json").read_text())
    assert told["aortic_mean_mmhg"] == pytest.approx(110.0)
    assert told["heart_rate_bpm"] == pytest.approx(90.0)


def table_of(text):
    rows = list(csv.reader(io.StringIO(text)))
    columns = dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))
    names = columns.pop("name")
    return names, {k: np.array(v, dtype=float) for k, v in columns.items() if "" not in v}


@pytest.mark.skipif(not CASES, reason="the network files are not on this machine")
@pytest.mark.parametrize("path", CASES, ids=[p.stem for p in CASES])
def test_every_file_of_svzerodsolver_gives_its_stored_answer(path, tmp_path):
    lines = pulse_file(path, PulseSettings(), NOBODY, Outputs(csv=tmp_path / "out.csv"))
    assert lines[0].startswith("svZeroDSolver network")
    assert lines[-1] == "Research use only."
    text = (tmp_path / "out.csv").read_text()
    assert text.startswith("name,time,flow_in,flow_out,pressure_in,pressure_out\n")
    names, found = table_of(text)
    stored = path.parent / "results" / f"result_{SAME_AS.get(path.stem, path.stem)}.json"
    if not stored.exists():
        assert path.stem == "pulsatileFlow_R_coronary_cycle_error"
        loaded, settings = load_case(path)
        solution = simulated(loaded, settings)
        assert bed_error(loaded, solution, json.loads(path.read_text())) < 1e-3  # exact
        expected = vessel_table(loaded, solution)["pressure_in"]
        assert found["pressure_in"] == pytest.approx(expected, rel=1e-12)
        return
    reference = json.loads(stored.read_text())
    assert list(names) == list(reference.pop("name").values())
    for column, values in reference.items():
        expected = np.array(list(values.values()))
        size = max(np.abs(expected).max(), 1e-12)
        assert found[column] == pytest.approx(expected, abs=1e-6 * size), column


def network(**more):
    """One vessel between a given flow and a resistance."""
    times = np.linspace(0.0, 1.0, 51)
    flow = 5.0 + np.sin(2.0 * np.pi * times)
    return {
        "simulation_parameters": {
            "number_of_cardiac_cycles": 2, "number_of_time_pts_per_cardiac_cycle": 51,
            "absolute_tolerance": 1e-9, **more,
        },
        "vessels": [{
            "vessel_id": 0, "vessel_name": "tube", "zero_d_element_type": "BloodVessel",
            "boundary_conditions": {"inlet": "IN", "outlet": "OUT"},
            "zero_d_element_values": {"R_poiseuille": 100.0},
        }],
        "boundary_conditions": [
            {"bc_name": "IN", "bc_type": "FLOW",
             "bc_values": {"t": times.tolist(), "Q": flow.tolist()}},
            {"bc_name": "OUT", "bc_type": "RESISTANCE", "bc_values": {"R": 300.0, "Pd": 50.0}},
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "head", "rows"),
    [
        ({"output_mean_only": True}, "name,time,flow_in,flow_out,pressure_in,pressure_out", 1),
        (
            {"output_derivative": True},
            "name,time,flow_in,flow_out,pressure_in,pressure_out,"
            "d_flow_in,d_flow_out,d_pressure_in,d_pressure_out",
            51,
        ),
        ({"output_variable_based": True}, "name,time,y", 4 * 51),
        ({"output_variable_based": True, "output_derivative": True}, "name,time,y,ydot", 204),
        ({"output_interval": 10, "output_all_cycles": True}, None, 11),
    ],
)
def test_a_network_file_says_what_its_table_holds(tmp_path, more, head, rows):
    (tmp_path / "n.json").write_text(json.dumps(network(**more)))
    asked = Outputs(csv=tmp_path / "n.csv")
    pulse_file(tmp_path / "n.json", PulseSettings(), NOBODY, asked)
    lines = (tmp_path / "n.csv").read_text().splitlines()
    assert head in (lines[0], None)
    assert len(lines) == rows + 1
    if "output_mean_only" in more:
        assert lines[1].startswith("tube,,")
        values = [float(x) for x in lines[1].split(",")[2:]]
        assert values == pytest.approx([5.0, 5.0, 2050.0, 1550.0], rel=1e-6)


@pytest.mark.skipif(not DECKS.is_dir(), reason="the decks are not on this machine")
def test_a_deck_of_svonedsolver_keeps_its_units():
    run = run_network(DECKS / "tube_stenosis_r.in")
    assert run.table["pressure_in"][0] == pytest.approx(10150.682, rel=1e-6)  # dyn/cm2
    assert run.table["flow_out"] == pytest.approx(100.0)  # mL/s


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--model", "3d"], "--model is '3d', must be 0d or 1d"),
        (["--side", "up"], "--side is 'up'"),
        (["--solver", "x"], "--solver is 'x'"),
        (["--heart-rate-bpm", 10], "heart_rate_bpm is 10.0, must be a number from 30 to 220"),
        (["--systolic-mmhg", 120], "both systolic_mmhg and diastolic_mmhg"),
        (["--at", 181], "--at is 181, the file has points 0 to 180"),
        (["--inlet", 999], "999"),
        (["--json", "nowhere/o.json"], "folder for --json does not exist"),
        (["--picture", "o.bmp"], "--picture must end in"),
        (["--csv", "."], "--csv is a folder"),
        (["--json", "same.x", "--csv", "same.x"], "two outputs have the same name"),
    ],
)
def test_mistakes_end_with_code_2_one_line_and_no_new_file(tmp_path, words, expected):
    write_vtp(tmp_path / "tree.vtp", fork())
    assert expected in refused("pulse", "tree.vtp", *words, folder=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["tree.vtp"]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("n.json", "{", "is no JSON"),
        ("n.json", "[1]", "is a JSON object"),
        ("n.json", json.dumps({**network(), "vessels": []}), ""),
        ("n.json", json.dumps(network(output_mean_only=1)), "output_mean_only is 1"),
        ("n.in", "SEGMENT x", "is no deck of svOneDSolver"),
        ("n.in", "MATERIAL M LINEAR 1\n", "only OLUFSEN"),
        ("n.stl", "solid", ""),
    ],
)
def test_a_file_that_is_no_network_is_one_line(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text)
    assert expected in refused("pulse", name, "--csv", "o.csv", folder=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_options_without_effect_are_refused(tmp_path, solved_run):
    (tmp_path / "n.json").write_text(json.dumps(network()))
    only = "only --csv has an effect"
    for settings, known, outputs in (
        (PulseSettings(model="1d"), NOBODY, Outputs()),
        (PulseSettings(), Patient(heart_rate_bpm=60), Outputs()),
        (PulseSettings(), NOBODY, Outputs(json=tmp_path / "o.json")),
    ):
        with pytest.raises(ConfigError, match=only):
            pulse_file(tmp_path / "n.json", settings, known, outputs)
    with pytest.raises(ConfigError, match="have no effect on a run"):
        pulse_file(solved_run, PulseSettings(at=(3,)), NOBODY, Outputs())
    with pytest.raises(ConfigError, match="no earlier run"):
        pulse_file(tmp_path, PulseSettings(), NOBODY, Outputs())
    assert "does not exist" in refused("pulse", tmp_path / "none.vtp")


def test_ctrl_c_does_not_wait_for_the_kernel(tmp_path):
    write_vtp(tmp_path / "tree.vtp", fork())
    # in the place of the module, so that the parent stays as light as it is
    before = """
import types
sys.modules["ffr.pulse.verb"] = types.SimpleNamespace(Outputs=lambda *_: None, pulse_file=solve)
"""
    words = ("pulse", tmp_path / "tree.vtp", "--csv", tmp_path / "out.csv")
    assert interrupted(*words, before=before) == (130, "", "ffr: interrupted\n")
    assert [p.name for p in tmp_path.iterdir()] == ["tree.vtp"]
