"""`ffr solve` on a centreline from outside: files in, numbers out, mistakes named."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import ffr, interrupted

from ffr.centreline import SolveSettings, columns, solve_centreline
from ffr.circulation.patient import Patient
from meshes.io import write_swc, write_vtp
from meshes.tree import VesselTree, outlets, path_length_mm
from solvers.blood import Blood
from solvers.resolved import prescribe_resolved
from solvers.split import flow_shares

REAL = Path(__file__).parent.parent.parent / "shared" / "data" / "coronary_centrelines_ivus"
KEYS = ["x_mm", "y_mm", "z_mm", "s_mm", "radius_mm", "pressure_mmhg", "flow_ml_min", "ffr"]
SPREAD = ["ffr_low", "ffr_high", "probability_below_0_80"]


def grown(step_mm=0.5):
    """Grow a mother of 20 mm and two daughters of 30 mm, one with a stenosis."""
    m, d = (
        np.arange(0, 20 + step_mm / 2, step_mm),
        np.arange(step_mm, 30 + step_mm / 2, step_mm),
    )
    mother = np.column_stack([m, 0 * m, 0 * m])
    a = mother[-1] + d[:, None] * np.array([0.8, 0.6, 0])
    b = mother[-1] + d[:, None] * np.array([0.8, -0.6, 0])
    n, k = m.size, d.size
    parent = [
        *range(-1, n - 1),
        n - 1,
        *range(n, n + k - 1),
        n - 1,
        *range(n + k, n + 2 * k - 1),
    ]
    lesion = 1 - 0.3 * (1 + np.cos(2 * np.pi * np.clip((d - 18) / 8, -0.5, 0.5)))
    radius = np.concatenate([np.full(n, 2.0), 1.6 * lesion, np.full(k, 1.5)])
    return VesselTree(np.vstack([mother, a, b]), radius, parent)


TREE = grown()


@pytest.fixture
def vtp(tmp_path):
    write_vtp(tmp_path / "tree.vtp", TREE)
    return tmp_path / "tree.vtp"


def test_a_prescribed_flow_gives_one_entry_per_input_point(vtp, tmp_path):
    out = tmp_path / "out.json"
    code, text, err = ffr("solve", vtp, "--flow-ml-min", 150, "--json", out)
    assert (code, err) == (0, "")
    table = json.loads(out.read_text())
    assert list(table) == KEYS + SPREAD
    assert {len(v) for v in table.values()} == {len(TREE)}
    assert np.column_stack([table[k] for k in KEYS[:3]]) == pytest.approx(TREE.points_mm)
    assert table["s_mm"] == pytest.approx(path_length_mm(TREE))
    assert table["radius_mm"] == pytest.approx(TREE.radius_mm)
    assert table["flow_ml_min"] == pytest.approx(150 * flow_shares(TREE, TREE.radius_mm))
    expected = prescribe_resolved(
        TREE, 93.0, 150 * flow_shares(TREE, TREE.radius_mm)[outlets(TREE)], Blood()
    )
    assert table["pressure_mmhg"] == pytest.approx(expected.pressure_mmhg, abs=1e-3)
    assert table["ffr"] == pytest.approx(expected.pressure_mmhg / 93.0, abs=1e-5)
    assert table["ffr"][0] == 1.0
    assert "minimum FFR" in text
    assert "Research use only" in text


def test_swc_and_vtp_give_the_same_answer(tmp_path):
    write_vtp(tmp_path / "a.vtp", TREE)
    write_swc(tmp_path / "a.swc", TREE)
    asked = SolveSettings(flow_ml_min=120.0, inlet_pressure_mmhg=90.0)
    tables = [columns(solve_centreline(tmp_path / n, asked)) for n in ("a.vtp", "a.swc")]
    for key in KEYS:
        assert tables[0][key] == pytest.approx(tables[1][key], rel=1e-12)


@pytest.mark.parametrize("kind", ["list", "object", "both"])
def test_outlet_flows_come_from_a_file(tmp_path, vtp, kind):
    ends = outlets(TREE).tolist()
    given = [30.0, 70] if kind == "list" else {str(ends[1]): 70, str(ends[0]): 30.0}
    (tmp_path / "flows.json").write_text(json.dumps(given))
    total = 100.0 if kind == "both" else None
    asked = SolveSettings(flow_ml_min=total, outlet_flows=tmp_path / "flows.json")
    table = columns(solve_centreline(vtp, asked))
    assert [table["flow_ml_min"][k] for k in [0, *ends]] == pytest.approx([100.0, 30.0, 70.0])


def test_a_list_of_flows_follows_the_order_of_the_file_not_of_the_walk(tmp_path):
    order = [6, 5, 4, 3, 2, 1]  # the leaf that the walk finds last stands first in the file
    text = ["6 0 20 9 0 1.0 3", "5 0 20 -9 0 1.2 4", "4 0 15 -4 0 1.2 2"]
    text += ["3 0 15 4 0 1.1 2", "2 0 10 0 0 1.5 1", "1 0 0 0 0 1.5 -1"]
    assert [int(line[0]) for line in text] == order
    (tmp_path / "a.swc").write_text("\n".join(text))
    (tmp_path / "flows.json").write_text("[10, 20]")
    asked = SolveSettings(outlet_flows=tmp_path / "flows.json")
    table = columns(solve_centreline(tmp_path / "a.swc", asked))
    assert table["flow_ml_min"] == pytest.approx([10, 20, 20, 10, 30, 30])
    assert table["s_mm"][5] == 0.0


def test_settings_change_what_they_should(vtp):
    def low(**asked):
        return min(
            columns(solve_centreline(vtp, SolveSettings(flow_ml_min=150.0, **asked)))["ffr"]
        )

    base = low()
    assert low(viscosity_pa_s=0.005) < base < low(viscosity_pa_s=0.002)
    assert low(density_kg_m3=1200.0) < base
    assert low(inlet_pressure_mmhg=80.0) < base < low(inlet_pressure_mmhg=110.0)
    assert low(inlet_profile="plug") < base


def test_without_a_flow_physiology_sets_it(vtp):
    plain = solve_centreline(vtp, SolveSettings())
    names = {a.name: a for a in plain.assumptions}
    assert names["mean aortic pressure"].assumed
    assert len(names) == len(plain.assumptions)
    big = solve_centreline(vtp, SolveSettings(), Patient(lv_mass_g=250.0))
    assert big.solution.flow_ml_min[0] > 1.3 * plain.solution.flow_ml_min[0]
    thin = solve_centreline(vtp, SolveSettings(), Patient(haematocrit=0.25))
    assert min(columns(thin)["ffr"]) > min(columns(plain)["ffr"])
    right = solve_centreline(vtp, SolveSettings(side="right"))
    assert right.solution.flow_ml_min[0] < plain.solution.flow_ml_min[0]


def test_the_cuff_sets_the_inlet_pressure_unless_it_is_given(vtp):
    cuff = Patient(systolic_mmhg=150, diastolic_mmhg=90)
    assert solve_centreline(vtp, SolveSettings(), cuff).solution.pressure_mmhg[0] == (
        pytest.approx(110.0)
    )
    asked = SolveSettings(inlet_pressure_mmhg=100.0)
    assert solve_centreline(vtp, asked, cuff).solution.pressure_mmhg[0] == pytest.approx(100.0)


def test_the_patient_file_reaches_the_solve(vtp, tmp_path):
    (tmp_path / "p.toml").write_text("systolic_mmhg = 150\ndiastolic_mmhg = 90\n")
    code, text, _ = ffr("solve", vtp, "--patient", tmp_path / "p.toml")
    assert code == 0
    assert "inlet pressure 110.0 mmHg" in text
    assert "cuff 150/90 mmHg" in text


@pytest.mark.parametrize(
    ("words", "flows", "expected"),
    [
        (["--flow-ml-min", "-5"], None, "--flow-ml-min is -5, must be"),
        (["--flow-ml-min", "nan"], None, "--flow-ml-min is nan"),
        (["--viscosity-pa-s", "0"], None, "--viscosity-pa-s is 0"),
        (["--inlet-profile", "flat"], None, "must be developed or plug"),
        (["--inlet", "9999"], None, "inlet is point 9999"),
        (["--side", "up"], None, "must be left or right"),
        ([], "[1.0]", "has 1 flows, the tree has 2 outlets"),
        ([], '{"0": 1.0}', "point 0 is no outlet"),
        ([], '{"100": 1.0}', "no flow for the outlets 160"),
        ([], '{"100": 1.0, "x": 2}', "point x is no outlet"),
        ([], "[1.0, -2.0]", "flow at outlet 160 is -2.0"),
        ([], '[1.0, "2"]', "flow at outlet 160 is '2'"),
        ([], "[1.0, NaN]", "flow at outlet 160 is nan"),
        ([], "[1.0, true]", "flow at outlet 160 is True"),
        ([], "3", "must hold a list"),
        ([], "{", "is not JSON"),
        (["--flow-ml-min", "100"], "[40, 50]", "sum to 90 mL/min, --flow-ml-min is 100"),
    ],
)
def test_mistakes_end_with_code_2_one_line_and_no_new_file(
    vtp, tmp_path, words, flows, expected
):
    assert outlets(TREE).tolist() == [100, 160]
    out = tmp_path / "out.json"
    out.write_text("old")
    if flows is not None:
        (tmp_path / "flows.json").write_text(flows)
        words = [*words, "--outlet-flows", tmp_path / "flows.json"]
    code, text, err = ffr("solve", vtp, *words, "--json", out)
    assert code == 2
    assert text == ""
    assert expected in err
    assert err.count("\n") == 1
    assert out.read_text() == "old"


def test_missing_and_broken_files_end_with_code_2(tmp_path):
    (tmp_path / "bad.swc").write_text("1 2 3\n")
    for name in ("none.vtp", "bad.swc", "tree.stl"):
        code, text, err = ffr("solve", tmp_path / name)
        assert (code, text) == (2, "")
        assert err.startswith("ffr: ")
        assert err.count("\n") == 1


def test_ctrl_c_does_not_wait_for_the_kernel(vtp, tmp_path):
    before = "import ffr.centreline; ffr.centreline.solve_centreline = solve"
    words = ("solve", vtp, "--json", tmp_path / "out.json")
    assert interrupted(*words, before=before) == (130, "", "ffr: interrupted\n")
    assert [p.name for p in tmp_path.iterdir()] == ["tree.vtp"]


def test_a_flow_that_cannot_pass_is_shown_not_hidden(vtp, tmp_path):
    out = tmp_path / "out.json"
    code, text, _ = ffr("solve", vtp, "--flow-ml-min", 2000, "--json", out)
    assert code == 0
    assert "falls below zero" in text
    assert min(json.loads(out.read_text())["ffr"]) < 0


def test_a_hundred_thousand_points_are_no_trouble(tmp_path):
    rng = np.random.default_rng(0)
    s = np.linspace(0, 300, 60_000)
    trunk = np.column_stack([s, 3 * np.sin(s / 20), 0 * s])
    points, parent, radius = [trunk], [np.arange(60_000) - 1], [np.linspace(2.0, 1.0, 60_000)]
    size = 60_000
    for start in rng.choice(np.arange(1000, 59_000), 400, replace=False):
        steps = np.arange(1, 101)[:, None] * [0.05, 0.1, 0.2]
        points.append(trunk[start] + steps)
        parent.append(np.concatenate([[start], np.arange(size, size + 99)]))
        radius.append(np.full(100, 0.6))
        size += 100
    tree = VesselTree(np.vstack(points), np.concatenate(radius), np.concatenate(parent))
    write_vtp(tmp_path / "big.vtp", tree)
    began = time.process_time()
    solved = solve_centreline(tmp_path / "big.vtp", SolveSettings())
    assert time.process_time() - began < 60  # takes 5 s; a quadratic walk takes minutes
    assert len(solved.tree) == 100_000
    ends = solved.solution.flow_ml_min[outlets(solved.tree)]
    assert ends.sum() == pytest.approx(solved.solution.flow_ml_min[0], rel=1e-12)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real centrelines are not on this machine")
@pytest.mark.parametrize(("name", "side"), [("lca_cl", "left"), ("rca_cl", "right")])
def test_real_centrelines_are_solved(name, side):
    solved = solve_centreline(REAL / f"{name}.vtp", SolveSettings(side=side))
    table = columns(solved)
    assert table["ffr"][solved.place.tolist().index(0)] == 1.0
    assert 0.75 < min(table["ffr"]) < 0.95
    head = solved.solution.total_pressure_mmhg
    assert np.all(head[1:] <= head[solved.tree.parent[1:]] + 0.2)  # but for interpolation
