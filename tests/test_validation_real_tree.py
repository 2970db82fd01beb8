"""Centrelines of a person become arteries of a chest, and a heart is laid under them."""

import numpy as np
import pytest
import pyvista
from scipy.spatial.transform import Rotation

from validation import stranger_body as template
from validation.real_body import arteries_of, divided, fitted, lines_of
from validation.real_tree import main
from validation.stranger_body import Artery, Person

TOP = (0.0, 0.0, 60.0)


def line(*corners, radius=1.6):
    """Points every 0.25 mm from the top of the aorta, wide inside of it, with radii."""
    corners = np.array([TOP, (0, 0, 10), *corners], dtype=float)
    s = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))])
    at = np.arange(0, s[-1], 0.25)
    points = np.column_stack([np.interp(at, s, corners[:, k]) for k in range(3)])
    inside = np.hypot(points[:, 0], points[:, 1]) < 12
    return points, np.where(inside, 12.5, radius)


def saved(path, lines):
    mesh = pyvista.PolyData()
    mesh.points = np.vstack([p for p, _ in lines])
    cells, first = [], 0
    for p, _ in lines:
        cells += [len(p), *range(first, first + len(p))]
        first += len(p)
    mesh.lines = np.array(cells)
    mesh["MaximumInscribedSphereRadius"] = np.concatenate([r for _, r in lines])
    mesh.save(path)


@pytest.fixture
def folder(tmp_path):
    fork, lateral = (24, 0, 10), (40, 30, 0)
    left = [
        line(fork, (90, -60, -40)),
        line(fork, lateral, (60, 70, -30)),
        line(fork, lateral, (80, 40, -20)),
        line(fork, (50, -25, -9.70), (72, -10, -30)),
        line(fork, (40, -14.5, -2.1), (60, 0, 0)),
    ]
    front = (-30, -30, 0)
    right = [
        line(front, (-40, 10, -60)),
        line(front, (-40, 10, -55)),
        line(front, (-34, -12, -26), (-60, -40, -40)),
        line(front, (-50, -50, 0)),
    ]
    way = np.linspace((0, 0, 60), (0, 0, 0), 120)
    saved(tmp_path / "lca_cl.vtp", left[::-1])
    saved(tmp_path / "rca_cl.vtp", right)
    saved(tmp_path / "ao_cl.vtp", [(way, np.full(120, 13.0))])
    return tmp_path


def test_lines_become_named_arteries_that_hang_on_each_other(folder):
    lines = lines_of(folder / "lca_cl.vtp")
    assert len(lines) == 5
    assert [len(p) for p, _ in lines] == sorted((len(p) for p, _ in lines), reverse=True)
    arteries, aorta = arteries_of(folder)
    assert aorta[0][0, 2] < aorta[0][-1, 2]
    found = {a.name: a for a in divided(arteries)}
    mothers = {name: a.mother for name, a in found.items()}
    assert mothers == {
        "LM": "", "LAD": "LM", "LCx": "LM", "OM1": "LCx", "D1": "LAD", "D2": "LAD",
        "RCA": "", "AM1": "RCA", "AM2": "RCA",
    }  # fmt: skip
    # the trunk begins 9 mm inside the aorta and ends where the circumflex leaves
    assert found["LM"].axis_mm[0] == pytest.approx((3, 0, 10), abs=0.6)
    assert found["LM"].axis_mm[-1] == pytest.approx((24, 0, 10), abs=3.0)
    for name, a in found.items():
        if a.mother:
            gap = np.linalg.norm(found[a.mother].axis_mm - a.axis_mm[0], axis=1).min()
            assert gap == pytest.approx(0.0, abs=1e-9), name
        assert np.median(a.healthy_mm) == pytest.approx(1.6, abs=0.01)


def test_narrowings_are_as_deep_as_they_are_told(folder):
    found = {a.name: a for a in arteries_of(folder)[0]}
    for name, share in (("LAD", 0.6), ("RCA", 0.55), ("LCx", 0.0)):
        a = found[name]
        assert 1 - (a.lumen_mm / a.healthy_mm).min() == pytest.approx(share, abs=0.005)


def test_a_heart_is_laid_under_its_own_arteries():
    there = Rotation.from_euler("zxy", (8, -5, 6), degrees=True).as_matrix()
    there = there @ np.diag([1.05, 0.95, 1.1])
    shift = np.array([40.0, -20.0, 300.0])
    person = Person("", muscle_mm=9.0)
    drawn = template.arteries(person, template.chambers(9.0))
    moved = [
        Artery(a.name, a.axis_mm @ there.T + shift, a.lumen_mm, a.healthy_mm, a.mother)
        for a in drawn
    ]
    found, at = fitted(moved, there @ template.ROOT + shift)
    assert found == pytest.approx(there, abs=0.03)
    assert at == pytest.approx(shift, abs=1.5)


def test_a_folder_without_centrelines_is_told(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path)])
    assert stopped.value.code == 2
    assert "no lca_cl.vtp" in capsys.readouterr().err
