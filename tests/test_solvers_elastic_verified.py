"""1D elastic networks against closed forms, published waves and another program."""

from pathlib import Path

import numpy as np
import pytest

from solvers.elastic.pulse import run_to_periodicity
from solvers.elastic.svoned import parse_svoned
from validation import one_d_boileau, one_d_lines, one_d_steady, one_d_waves
from validation.one_d import verify_one_d
from validation.one_d_setting import Row, row

SHARED = Path(__file__).parent.parent.parent / "shared"
needs_decks = pytest.mark.skipif(
    not (SHARED / "data" / "svoned_left_coronary").is_dir(), reason="no decks of svOneDSolver"
)
needs_boileau = pytest.mark.skipif(
    not (SHARED / "data" / "boileau2015").is_dir(), reason="no inputs of Boileau 2015"
)


@pytest.mark.parametrize(
    "rows",
    [
        one_d_steady.poiseuille_rows,
        one_d_steady.taper_rows,
        one_d_steady.budget_rows,
        one_d_waves.order_rows,
        one_d_waves.wave_speed_rows,
        one_d_waves.reflection_rows,
        one_d_lines.line_rows,
        one_d_lines.muscle_rows,
        one_d_lines.womersley_rows,
    ],
    ids=lambda rows: rows.__name__.removesuffix("_rows"),
)
def test_what_is_known_exactly_is_reproduced(rows):
    found = rows()
    assert found
    assert [r for r in found if not r.passed] == []


def test_a_steep_pulse_is_carried_without_new_extremes():
    error = one_d_waves.simple_wave_error(8.0)  # five cells across the pulse
    assert 1e-4 < error < 0.05
    fine, finer = (one_d_waves.simple_wave_error(c) for c in (1.0, 0.5))
    assert np.log2(fine / finer) > 1.8


@needs_boileau
@pytest.mark.parametrize("name", ["cca", "uta", "ibif"])
def test_published_waves_of_boileau_are_met(name):
    rows = one_d_boileau.wave_rows(SHARED / "data" / "boileau2015" / name)
    assert len(rows) == 5
    assert [r for r in rows if not r.passed] == []


@needs_decks
def test_the_stenosed_tube_of_svonedsolver_has_its_closed_form():
    text = (SHARED / "data" / "svoned_left_coronary" / "tube_stenosis_r.in").read_text()
    deck = parse_svoned(text)
    solved = run_to_periodicity(
        deck.network, deck.blood, 0.2, deck.inlet, cell_mm=20.0, samples=4,
        tolerance_percent=1e-4,
    )  # fmt: skip
    found = solved.pressure_mmhg[0][-1, 0] * 1333.22387
    assert found == pytest.approx(10150.682, rel=1e-6)


@needs_decks
def test_the_left_coronary_deck_flows_as_in_svonedsolver_and_coarse_cells_agree():
    folder = SHARED / "data" / "svoned_left_coronary"
    text = (folder / "Left_coronary_inlet_pressure_wave_outlet_coronary.in").read_text()
    deck = parse_svoned(text, venous_factor=-1.0)
    assert (deck.segments, len(deck.network.vessels), len(deck.network.beds)) == (86, 11, 6)
    flows = []
    for cell in (4.0, 2.0):
        solved = run_to_periodicity(
            deck.network, deck.blood, deck.period_s, deck.inlet, cell_mm=cell,
            least_cell_mm=cell / 2,
        )  # fmt: skip
        flows.append(solved.flow_ml_min[0][:-1, 0].mean() / 60.0)
        assert solved.cycles <= 6
        ends = [
            q[:-1, -1].mean() / 60.0
            for v, q in zip(deck.network.vessels, solved.flow_ml_min, strict=True)
            if v.end in deck.network.beds
        ]
    assert flows[1] == pytest.approx(2.260, rel=0.01)  # svOneDSolver; 2.243 by svZeroDSolver
    assert flows[0] == pytest.approx(flows[1], rel=1e-4)
    assert sorted(ends)[-2:] == pytest.approx([0.4876, 0.7116], rel=3e-3)  # svOneDSolver
    assert sum(ends) == pytest.approx(flows[1], rel=1e-4)
    assert deck.period_s == 1.0


def test_a_row_passes_only_within_what_is_allowed():
    assert row("case", "x", 101.0, 100.0, 1.0001).passed
    assert not row("case", "x", 102.0, 100.0, 1.0).passed
    assert not Row("case", "x", "", "", -2.0, 1.0).passed


def test_the_table_leaves_out_what_has_no_files(tmp_path):
    cases = {r.case for r in verify_one_d(tmp_path)}
    assert "Poiseuille" in cases
    assert not any("Boileau" in case or "deck" in case for case in cases)
