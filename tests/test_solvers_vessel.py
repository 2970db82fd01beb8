"""One vessel with its velocity profiles: exact solutions, similarity, 3D references."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from solvers.bends import (
    LEAST_DEAN,
    axis_of,
    bend_loss,
    curvature_1_m,
    narrowings,
    offset_share,
    wall_jet_loss,
)
from solvers.blood import Blood
from solvers.errors import ConvergenceError
from solvers.kernels.axisymmetric import residual
from solvers.kernels.band import empty_band, factorise
from solvers.kernels.band import solve as solve_band
from solvers.kernels.newton_matrix import REACH_X, REACH_Y, newton_matrix
from solvers.reversal import marched, reach
from solvers.stations import Line, place_stations, radial_faces
from solvers.units import PA_PER_MMHG
from solvers.vessel import developed, kinetic_factor, plug, pressure_at, solve_vessel

SHARED = Path(__file__).parent.parent.parent / "shared" / "cfd"
ML_MIN = 1e-6 / 60.0
BLOOD = Blood()


def cosine(diameter_mm, narrowing, length_mm, start_mm=15.0, end_mm=90.0):
    s = np.unique(
        np.r_[
            0.0, start_mm + np.linspace(0.0, length_mm, 81), np.linspace(start_mm, end_mm, 20)
        ]
    )
    x = np.clip((s - start_mm) / length_mm, 0.0, 1.0)
    return s * 1e-3, diameter_mm / 2e3 * (1 - narrowing / 2 * (1 - np.cos(2 * np.pi * x)))


def solve(s, r, flow_ml_min, blood=BLOOD, **more):
    return solve_vessel(s, r, np.full(s.size, flow_ml_min * ML_MIN), blood, **more)


def drop(solved, *at_mm):
    up, down = pressure_at(solved, np.array(at_mm) * 1e-3)
    return up - down


def poiseuille(length, radius, flow_ml_min):
    return 8 * BLOOD.viscosity_pa_s * length * flow_ml_min * ML_MIN / (math.pi * radius**4)


def test_a_straight_tube_has_the_drop_of_poiseuille():
    s, r = np.array([0.0, 0.05]), np.full(2, 1.3e-3)
    solved = solve(s, r, 90.0)
    assert -solved.pressure_pa[-1] == pytest.approx(poiseuille(0.05, 1.3e-3, 90.0), rel=1e-9)
    assert kinetic_factor(solved) == pytest.approx(2.0, abs=0.01)


def test_the_full_equations_hold_exactly_for_poiseuille_flow():
    face = radial_faces(12)
    x = np.linspace(0.0, 0.02, 15) ** 1.1
    psi = 1e-7 * np.tile(developed(face), (15, 1))
    rest = np.zeros_like(psi)
    nu = np.full(15, 3.3e-6)
    residual(psi, x, np.full(15, 1e-3), face, nu, rest)
    scale = 8 * nu[0] * 1e-7 * 2 / 1e-12  # pressure gradient
    assert np.abs(rest).max() < 1e-9 * scale * 1e-3


def dense(band, size):
    """Return the matrix whose band stands in the storage of kernels.band."""
    half, whole = band.shape[1] // 2, np.zeros((size, size))
    for column in range(size):
        rows = np.arange(max(0, column - half), min(size, column + half + 1))
        whole[rows, column] = band[column, half + rows - column]
    return whole


@pytest.mark.parametrize("size", [17, 18, 19, 20])
def test_elimination_finds_what_a_band_was_multiplied_with(size):
    rng = np.random.default_rng(size)
    reach = 5
    band = empty_band(size, reach)
    half = band.shape[1] // 2
    for column in range(size):
        for row in range(max(0, column - reach), min(size, column + reach + 1)):
            band[column, half + row - column] = rng.normal() + 12.0 * (row == column)
    solution = rng.normal(size=size)
    right = np.zeros(len(band), dtype=np.float32)
    right[:size] = dense(band, size) @ solution
    assert factorise(band)
    solve_band(band, right)
    assert right[:size] == pytest.approx(solution, abs=3e-6)
    assert not right[size:].any()


def test_a_band_without_a_first_pivot_is_refused():
    assert not factorise(empty_band(8, 2))


def test_the_newton_matrix_is_the_derivative_of_the_residual():
    rng = np.random.default_rng(3)
    face = radial_faces(8)
    x = np.linspace(0.0, 0.01, 12)
    r = 1e-3 * (1 - 0.3 * np.exp(-(((x - 0.005) / 0.002) ** 2)))
    psi = 1e-7 * np.tile(developed(face), (12, 1))
    psi[2:, 1:-1] *= 1 + 0.3 * rng.normal(size=(10, 7))  # flow in all directions
    nu, rest = np.full(12, 3.3e-6), np.zeros_like(psi)
    band = empty_band(12 * 7, REACH_X * 7 + REACH_Y)
    newton_matrix(psi, x, r, face, nu, *residual(psi, x, r, face, nu, rest), band)
    step = np.zeros_like(psi)
    step[2:, 1:-1] = 1e-7 * rng.normal(size=(10, 7))
    predicted = (dense(band, 84) @ step[:, 1:-1].ravel()).reshape(12, 7)
    h, above, below = 1e-7, np.zeros_like(psi), np.zeros_like(psi)
    residual(psi + h * step, x, r, face, nu, above)
    residual(psi - h * step, x, r, face, nu, below)
    measured = (above - below)[2:, 1:-1] / (2 * h)
    assert np.abs(predicted[2:] - measured).max() < 1e-6 * np.abs(measured).max()


def test_an_even_velocity_loses_what_shah_and_london_say_while_it_develops():
    s, r = np.linspace(0.0, 0.4, 3), np.full(3, 1.5e-3)
    flow = 120.0
    speed = flow * ML_MIN / (math.pi * 1.5e-3**2)
    extra = -solve(s, r, flow, entry=plug).pressure_pa[-1] - poiseuille(0.4, 1.5e-3, flow)
    assert extra / (BLOOD.density_kg_m3 / 2 * speed**2) == pytest.approx(1.25, abs=0.05)


def test_similar_flows_have_similar_drops():
    s, r = cosine(3.0, 0.5, 8.0)
    small = solve(s, r, 100.0)
    large = solve(2 * s, 2 * r, 200.0)
    assert large.pressure_pa == pytest.approx(small.pressure_pa / 4, rel=5e-5, abs=1e-6)


def test_creeping_flow_is_linear_and_reversible():
    s, r = cosine(3.0, 0.6, 10.0, start_mm=20.0, end_mm=60.0)
    r = r * (1 - 0.2 * np.clip((s * 1e3 - 25) / 5, 0, 1))  # not symmetric
    back = s[-1] - s[::-1]
    one, two, reverse = solve(s, r, 0.01), solve(s, r, 0.02), solve(back, r[::-1], 0.01)
    assert two.pressure_pa[-1] == pytest.approx(2 * one.pressure_pa[-1], rel=1e-4)
    assert reverse.pressure_pa[-1] == pytest.approx(one.pressure_pa[-1], rel=2e-3)


def test_a_stenosis_sheds_a_jet_that_is_solved_with_all_terms_and_heals():
    s, r = cosine(3.0, 0.5, 8.0, end_mm=140.0)
    solved = solve(s, r, 150.0)
    (stretch,) = solved.stretches
    assert solved.x_m[stretch.first] < 0.015
    assert (np.diff(solved.psi, axis=1) < 0).any()  # backflow
    assert not (np.diff(solved.psi[stretch.end]) < 0).any()
    assert kinetic_factor(solved)[-1] == pytest.approx(2.0, rel=0.02)


def test_total_pressure_falls_all_the_way():
    s, r = cosine(3.0, 0.6, 10.0, end_mm=120.0)
    flow = 120.0
    solved = solve(s, r, flow)
    speed = flow * ML_MIN / (math.pi * np.interp(solved.x_m, s, r) ** 2)
    head = BLOOD.density_kg_m3 / 2 * kinetic_factor(solved) * speed**2
    total = solved.pressure_pa + head
    assert np.diff(total).max() < 2e-3 * (total[0] - total[-1])


def test_points_on_a_straight_piece_change_nothing():
    s, r = cosine(2.5, 0.5, 10.0)
    more = np.sort(np.r_[s, np.linspace(1e-3, 12e-3, 9), np.linspace(61e-3, 88e-3, 13)])
    one = solve(s, r, 80.0)
    two = solve(more, np.interp(more, s, r), 80.0)
    assert drop(two, 5, 60) == pytest.approx(drop(one, 5, 60), rel=1e-3)


def test_a_finer_mesh_says_the_same():
    s, r = cosine(3.0, 0.6, 8.0)
    one = solve(s, r, 120.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("solvers.vessel.CELLS", 36)
        patch.setattr("solvers.stations.STEP_RADII", 0.2)
        patch.setattr("solvers.stations.STEP_CHANGE", 0.06)
        two = solve(s, r, 120.0)
    assert two.x_m.size > 1.5 * one.x_m.size
    assert drop(one, 9, 38) == pytest.approx(drop(two, 9, 38), abs=0.003 * 93 * PA_PER_MMHG)


def test_a_guess_changes_the_time_not_the_answer():
    s, r = cosine(3.0, 0.6, 10.0)
    cold = solve(s, r, 120.0)
    warm = solve(s, r, 120.0, guess=solve(s, r, 111.0))
    assert warm.pressure_pa == pytest.approx(cold.pressure_pa, abs=0.05 * PA_PER_MMHG)


def test_where_no_march_arrives_the_flow_of_a_similar_vessel_will_do(monkeypatch):
    s, r = cosine(3.0, 0.6, 10.0)
    other = solve(s, r, 120.0)
    longer = np.r_[s, 0.12]
    r = np.r_[r, r[-1]]
    cold = solve(longer, r, 120.0)
    assert other.x_m.size != cold.x_m.size
    monkeypatch.setattr("solvers.stretch.marched", lambda *_: False)
    monkeypatch.setattr("solvers.stretch.ATTEMPTS", 0)  # nor by way of higher viscosities
    with pytest.raises(ConvergenceError):
        solve(longer, r, 120.0)
    warm = solve(longer, r, 120.0, guess=other)
    assert warm.pressure_pa == pytest.approx(cold.pressure_pa, abs=0.05 * PA_PER_MMHG)


def test_by_way_of_higher_viscosities_the_pressure_does_not_jump_above_the_narrowing(
    monkeypatch,
):
    s, r = cosine(3.0, 0.6, 10.0, start_mm=8.0)
    direct = solve(s, r, 120.0, entry=plug)
    thin, asked = BLOOD.viscosity_pa_s / BLOOD.density_kg_m3, []

    def thick_only(part, psi):
        if part.x_m.size > 9 and part.viscosity_m2_s[0] < 6.0 * thin:
            asked.append(part)
            return False
        return marched(part, psi)

    monkeypatch.setattr("solvers.stretch.marched", thick_only)
    indirect = solve(s, r, 120.0, entry=plug)
    assert asked  # or this tests nothing
    above = indirect.x_m < 8e-3
    assert above[indirect.stretches[0].first :].sum() > 3
    for here in (above, ~above):
        assert indirect.pressure_pa[here] == pytest.approx(
            pressure_at(direct, indirect.x_m[here]), abs=0.03 * PA_PER_MMHG
        )


def test_what_side_branches_drain_leaves_the_velocity_of_a_tapering_vessel():
    # flow and area fall together: the velocity stays, so only friction lowers the pressure
    s = np.linspace(0.0, 0.06, 61)
    share = np.interp(s, [0.0, 0.02, 0.04, 0.06], [1.0, 1.0, 0.6, 0.6])
    r = 1.6e-3 * np.sqrt(share)
    flow = 100.0 * ML_MIN
    solved = solve_vessel(s, r, flow * share, BLOOD)
    gradient = 8 * BLOOD.viscosity_pa_s * flow * share / (math.pi * r**4)
    friction = np.trapezoid(gradient, s)
    assert -solved.pressure_pa[-1] == pytest.approx(friction, rel=0.02)


def test_a_flow_that_cannot_be_laminar_is_an_error_that_names_the_place(monkeypatch):
    s, r = cosine(3.0, 0.8, 3.0, start_mm=20.0)
    monkeypatch.setattr("solvers.stretch.ATTEMPTS", 3)
    with pytest.raises(ConvergenceError, match=r"around 21\.\d mm .* radius 0\.3"):
        solve(s, r, 2500.0)


def test_stations_are_close_at_throats_and_shoulders():
    s = np.array([0.0, 20.0, 21.0, 29.0, 30.0, 60.0]) * 1e-3
    r = np.array([1.5, 1.5, 0.75, 0.75, 1.5, 1.5]) * 1e-3
    x = place_stations(s, r)
    step, radius = np.diff(x), np.interp(x, s, r)
    assert (step <= 0.41 * radius[:-1]).all()
    assert step[np.searchsorted(x, 0.021)] < 0.1 * 0.75e-3
    assert np.abs(np.diff(np.log(radius))).max() < 0.13


@pytest.mark.skipif(not SHARED.is_dir(), reason="the CFD records lie beside the project")
@pytest.mark.parametrize("name", ["A08", "A21", "A24", "A32", "B07", "B12"])
def test_fem_solutions_are_met_within_0_004_ffr(name):
    record = json.loads((SHARED / f"{name}.json").read_text())
    shape = record["geometry"]
    solved = solve(
        np.array(shape["s_mm"]) * 1e-3, np.array(shape["r_mm"]) * 1e-3, record["flow_ml_min"]
    )
    for station in ("2D", "5D", "10D"):
        target = record["drops"][station]
        error = drop(solved, record["drops"]["station_up_mm"], target["station_mm"])
        error = (error - target["dp_static_Pa"]) / PA_PER_MMHG / 93.0
        assert abs(error) < 0.004, station


def test_a_straight_course_costs_nothing_and_a_bend_what_white_measured():
    angle = np.linspace(0.0, 1.5, 60)
    circle = 15e-3 * np.column_stack([np.cos(angle), np.sin(angle), 0 * angle])
    s, r = 15e-3 * angle, np.full(60, 1.5e-3)
    flow = np.full(60, 150.0 * ML_MIN)
    straight = np.column_stack([s, 0 * s, 0 * s])
    assert np.allclose(bend_loss(straight, s, r, flow, BLOOD), 0.0)
    middle = curvature_1_m(circle, s, r)[20:40]
    assert middle == pytest.approx(1 / 15e-3, rel=0.02)
    lost = np.diff(bend_loss(circle, s, r, flow, BLOOD))[25:35] / np.diff(s)[25:35]
    reynolds = 2 * flow[0] * BLOOD.density_kg_m3 / (math.pi * 1.5e-3 * BLOOD.viscosity_pa_s)
    dean = reynolds * math.sqrt(0.1)
    factor = 1 / (1 - (1 - (LEAST_DEAN / dean) ** 0.45) ** 2.2)
    gradient = poiseuille(1.0, 1.5e-3, 150.0)
    assert lost == pytest.approx((factor - 1) * gradient, rel=0.02)
    assert bend_loss(circle, s, r, 0.001 * flow, BLOOD)[-1] == 0.0


def bend_with_stenosis(offset=0.0, narrowing=0.5, taper=0.0):
    """A 40 mm bend of 30 mm radius with a stenosis of 10 mm in its middle."""
    s = np.linspace(0.0, 40.0, 81)
    x = np.clip((s - 15) / 10, 0, 1)
    bell = (1 - np.cos(2 * np.pi * x)) / 2
    healthy = 1.5e-3 * (1 - taper * s / 40.0)
    r = healthy * (1 - narrowing * bell)
    angle = s / 30.0
    bend = 30e-3 * np.column_stack([np.cos(angle), np.sin(angle), 0 * angle])
    return bend + np.outer(offset * (healthy - r), [0, 0, 1]), s * 1e-3, r


def offset_of(points, s, r):
    (lesion,) = narrowings(s, r)
    off = np.linalg.norm(points - axis_of(points, s, r, [lesion]), axis=1)[lesion.throat]
    return offset_share(off, lesion.healthy_m(s, r), r[lesion.throat])


@pytest.mark.parametrize("taper", [0.0, 0.3])
def test_an_offset_throat_is_told_from_a_bend(taper):
    assert offset_of(*bend_with_stenosis(0.0, taper=taper)) < 0.1
    assert offset_of(*bend_with_stenosis(0.5, taper=taper)) == pytest.approx(0.5, abs=0.1)
    assert offset_of(*bend_with_stenosis(1.0, taper=taper)) == pytest.approx(1.0, abs=0.1)
    assert offset_share(0.0, 1.5e-3, 0.75e-3) == 0.0


def test_narrowings_run_from_shoulder_to_shoulder_also_in_a_taper():
    _, s, r = bend_with_stenosis(taper=0.4)
    (lesion,) = narrowings(s, r)
    assert s[lesion.throat] == pytest.approx(20e-3, abs=1e-3)
    assert s[[lesion.first, lesion.last]] == pytest.approx([15e-3, 25e-3], abs=5e-3)
    assert lesion.healthy_m(s, r) == pytest.approx(1.2e-3, rel=0.06)
    assert lesion.weight(s, r) == 1.0
    assert narrowings(s, 1.5e-3 * (1 - 0.5 * s / s[-1])) == []
    assert narrowings(s, np.full(s.size, 1e-3)) == []
    _, s, r = bend_with_stenosis(narrowing=0.15)
    assert 0.0 < narrowings(s, r)[0].weight(s, r) < 1.0


def test_a_wall_jet_grows_with_the_backflow_from_nothing():
    points, s, r = bend_with_stenosis(1.0)
    lesions = narrowings(s, r)
    off = np.linalg.norm(points - axis_of(points, s, r, lesions), axis=1)
    flow = np.full(s.size, 100.0 * ML_MIN)
    friction = 8 * BLOOD.viscosity_pa_s * flow / (math.pi * r**4)
    lost_so_far = np.r_[0.0, np.cumsum(0.5 * (friction[1:] + friction[:-1]) * np.diff(s))]
    # but for friction it falls into the throat and rises again
    pressure = -100.0 / r**2 * r[0] ** 2 - lost_so_far
    lost = [
        wall_jet_loss(lesions, off, s, r, flow, pressure, np.full(s.size, back), BLOOD)[-1]
        for back in (0.0, 0.02, 0.03, 0.1, 0.4)
    ]
    assert lost[:2] == [0.0, 0.0]
    assert 0.0 < lost[2] < 0.2 * lost[3]
    assert lost[3] == lost[4]
    assert lost[3] == pytest.approx(0.5 * 300.0, rel=0.1)


def test_a_stretch_reaches_behind_the_reversal_that_was_seen():
    x = np.linspace(0.0, 0.2, 401)
    r = 1.5e-3 * (1 - sum(0.5 * np.exp(-(((x - at) / 0.003) ** 2)) for at in (0.03, 0.15)))
    line = Line(x, r, np.full(401, 3.3e-6), 1e-7, radial_faces(8))
    psi = np.tile(1e-7 * developed(line.face), (401, 1))
    near, far = 66, 306  # behind each throat
    for zone in (near, far):
        psi[zone : zone + 5, -2] = 1.1e-7
    assert near + 5 < reach(line, psi, 40, near) < far
    assert reach(line, psi, 40, far) > far + 5
    # a march that shows none where one was seen must not send the solver back
    assert reach(line, psi, far + 6, far + 10) > far + 10
